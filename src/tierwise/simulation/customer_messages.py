"""What simulated customers write: in which language, with which feeling, in which words.

Loud critics are negative most of the time, everybody else now and then; some of the others have one
bad week in which nearly all they write is negative, which makes no critic of them.
"""

import numpy as np

from tierwise.simulation import customer_kinds as kinds
from tierwise.simulation.customer_people import People
from tierwise.simulation.customer_phrases import (
    HOSTILE,
    LANGUAGES,
    NEGATIVE,
    NEUTRAL,
    POSITIVE,
    SMILEYS,
    Language,
    Texts,
)
from tierwise.simulation.customer_settings import CustomerSettings

CRITIC_ALIKE, OTHER_ALIKE = 25.0, 12.0  # of the shares of negative messages: how alike people are
BAD_WEEK_SHARE, BAD_WEEK_DAYS, BAD_WEEK_NEGATIVE_SHARE = 0.08, 7.0, 0.85
NEUTRAL_SHARE = 0.5  # of the messages that are not negative
OPENING_SHARE, END_SHARE, SMILEY_SHARE = 0.25, 0.4, 0.1
WRONG_SMILEY_SHARE = 0.12  # of the smileys
TYPO_SHARE, LOWER_SHARE, LOUD_SHARE = 0.14, 0.2, 0.06
Rolls = list[float]  # numbers from 0 to below 1, used up by one text


def negative_shares(
    people: People, settings: CustomerSettings, rng: np.random.Generator
) -> np.ndarray:
    """How often each person is negative, outside of a bad week; shape (n,)."""
    mean = np.where(people.critic, settings.critic_negative_share, settings.negative_share)
    alike = np.where(people.critic, CRITIC_ALIKE, OTHER_ALIKE)
    return rng.beta(alike * mean, alike * (1 - mean))


def draw_feelings(
    people: People,
    person: np.ndarray,
    day: np.ndarray,
    settings: CustomerSettings,
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray]:
    """Number in FEELINGS of each message, and whether it was written in a bad week."""
    share = negative_shares(people, settings, rng)
    since = day - bad_weeks(people, person, day, rng)[person]
    bad = (since >= 0) & (since < BAD_WEEK_DAYS)
    chance = np.where(bad, BAD_WEEK_NEGATIVE_SHARE, share[person])
    negative = rng.random(len(person)) < chance
    other = np.where(rng.random(len(person)) < NEUTRAL_SHARE, NEUTRAL, POSITIVE)
    return np.where(negative, NEGATIVE, other), bad


def bad_weeks(
    people: People, person: np.ndarray, day: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """When the bad week of each person begins, with one of its messages; inf: it has none."""
    begins = np.full(people.count, np.inf)
    mixed = rng.permutation(len(person))
    who, place = np.unique(person[mixed], return_index=True)
    begins[who] = day[mixed[place]]
    has_one = (rng.random(people.count) < BAD_WEEK_SHARE) & ~people.critic
    return np.where(has_one, begins, np.inf)


def draw_languages(people: People, person: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Number in LANGUAGES of each message; nobody changes it."""
    country = kinds.COUNTRY_OF[people.city[:, 0]]
    return kinds.drawn(kinds.LANGUAGE_SHARES[country], rng)[person]


def draw_texts(
    language: np.ndarray,
    feeling: np.ndarray,
    settings: CustomerSettings,
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray]:
    """The texts, and the feelings once more: a text that hurts programs has none of its own."""
    words, lot = rng.spawn(2)
    rolls = words.random((len(language), 24)).tolist()
    texts = [
        compose(LANGUAGES[spoken], felt, roll)
        for spoken, felt, roll in zip(language.tolist(), feeling.tolist(), rolls, strict=True)
    ]
    hostile = np.flatnonzero(lot.random(len(language)) < settings.hostile_share)
    for turn, place in enumerate(hostile):
        texts[place] = HOSTILE[turn % len(HOSTILE)]
    found = np.empty(len(texts), object)
    found[:] = texts
    calm = np.isin(np.arange(len(language)), hostile)
    return found, np.where(calm, NEUTRAL, feeling)


def compose(language: Language, feeling: int, rolls: Rolls) -> str:
    """One message. Whatever is drawn comes from `rolls`, in the same order for each text."""
    sentence = filled(pick(language.patterns[feeling], rolls), language, rolls)
    opening, end = pick(language.openings, rolls), pick(language.ends[feeling], rolls)
    text = f"{opening} {sentence}" if rolls.pop() < OPENING_SHARE else sentence
    text = f"{text} {end}" if rolls.pop() < END_SHARE else text
    wrong, smiles = rolls.pop() < WRONG_SMILEY_SHARE, rolls.pop() < SMILEY_SHARE
    smiley = pick(SMILEYS[POSITIVE - feeling if wrong else feeling], rolls)
    lower, loud, typo = rolls.pop() < LOWER_SHARE, rolls.pop() < LOUD_SHARE, rolls.pop()
    text = text.lower().rstrip(".") if lower else text
    text = text.rstrip(".!?") + "!!!" if loud else text
    text = mistyped(text, rolls) if typo < TYPO_SHARE else text
    return f"{text} {smiley}" if smiles else text


def pick(values: Texts, rolls: Rolls) -> str:
    return values[int(rolls.pop() * len(values))]


def filled(pattern: str, language: Language, rolls: Rolls) -> str:
    """Each place is filled anew, with a capital letter where the place has one."""
    parts = pattern.split("{")
    found = [parts[0]]
    for part in parts[1:]:
        place, rest = part.split("}", 1)
        word = filling(place.lower(), language, rolls)
        found.append(word[0].upper() + word[1:] if place[0].isupper() else word)
        found.append(rest)
    return "".join(found)


def filling(place: str, language: Language, rolls: Rolls) -> str:
    values = {"thing": language.things, "item": language.items, "number": language.numbers}
    values |= {"bad": language.bad, "good": language.good}
    return pick(values[place], rolls)


def mistyped(text: str, rolls: Rolls) -> str:
    """Two letters change places, one is left out, or one is there twice."""
    at, how = 1 + int(rolls.pop() * (len(text) - 2)), int(rolls.pop() * 3)
    if how == 0:
        return text[:at] + text[at + 1] + text[at] + text[at + 2 :]
    return text[:at] + text[at + 1 :] if how == 1 else text[:at] + text[at] + text[at:]
