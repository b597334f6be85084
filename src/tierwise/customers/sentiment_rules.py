"""What the words of a message say by themselves: sums over lists of good and bad words.

    english    the lists and rules of VADER, which knows negations, intensifiers, emoticons, emoji
    russian    the list of `sentiment_words` with the same kind of rules

VADER: Hutto and Gilbert, "VADER: a parsimonious rule-based model for sentiment analysis of social
media text", ICWSM 2014; the package vaderSentiment (MIT licence) brings its lists along. Nothing is
loaded from elsewhere.

Rules see words, not what is meant: "my order is still being processed" has no bad word in it. They
are features of the model in `sentiment`, never a judgement.
"""

import re
from functools import cache
from typing import Any

import numpy as np

from tierwise.customers import sentiment_words as words

NAMES = ("bad", "good", "balance")  # sums of both, and the balance of them from -1 to 1
NEGATED, INTENSITY, AFTER_TURN, BEFORE_TURN = -0.74, 0.29, 1.5, 0.5  # as in VADER
NORMAL = 15.0  # VADER: balance = s / sqrt(s² + 15)
REACH = 3  # words within which a negation or an intensifier acts
MOST_ENDING = 7  # letters after the beginning of a word
TOKEN = re.compile(r"[^\W\d_]+(?:-[^\W\d_]+)*")
SAD = re.compile(r"[:;=]['’]?-?[(\[/\\|]|\({2,}|[😡🤬😠😤😢😭☹🙁😞😒👎💔🤮😩😫]")
GLAD = re.compile(r"[:;=]['’]?-?[)\]D]|\){2,}|[😀-😎😍🥰😘🙂👍❤👏🎉💃🙏🔥😊]")


def features(texts: list[str], language: str) -> np.ndarray:
    """Shape (n_texts, 3), in the order of NAMES. language: en or ru."""
    score = english if language == "en" else russian
    return np.array([score(text) for text in texts], "float64").reshape(-1, len(NAMES))


@cache
def vader() -> Any:
    from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

    found = SentimentIntensityAnalyzer()
    for strength, text in words.ENGLISH_WORDS.items():
        found.lexicon |= dict.fromkeys(text.split(), strength)
    return found


def english(text: str) -> tuple[float, float, float]:
    found = vader().polarity_scores(text)
    return found["neg"], found["pos"], found["compound"]


def russian(text: str) -> tuple[float, float, float]:
    """As VADER does it; bad and good are shares of all words and marks that speak."""
    tokens = [one.lower().replace("ё", "е") for one in TOKEN.findall(text)]
    weights = np.array([weight(tokens, at) for at in range(len(tokens))])
    turn = max((at for at, one in enumerate(tokens) if one in words.TURNS), default=-1)
    if 0 < turn < len(tokens) - 1 and weights[turn:].any():
        weights[:turn] *= BEFORE_TURN
        weights[turn:] *= AFTER_TURN
    faces = 2.0 * (len(GLAD.findall(text)) - len(SAD.findall(text)))
    total = float(weights.sum()) + faces
    bad = float(-weights[weights < 0].sum()) + max(-faces, 0.0)
    good = float(weights[weights > 0].sum()) + max(faces, 0.0)
    size = bad + good + float((weights == 0).sum()) or 1.0
    return bad / size, good / size, total / float(np.sqrt(total**2 + NORMAL))


def weight(tokens: list[str], at: int) -> float:
    """What one word adds, with the words before it: negations turn it, others make it stronger."""
    own = valence(tokens[at])
    if not own:
        return 0.0
    before = tokens[max(0, at - REACH) : at]
    stronger = sum(one in words.STRONGER for one in before)
    weaker = sum(one in words.WEAKER for one in before)
    own += np.sign(own) * INTENSITY * (stronger - weaker)
    return own * NEGATED if any(one in words.NEGATIONS for one in before) else own


def valence(token: str) -> float:
    """-3 to 3; 0 for a word that the list does not have."""
    starts, whole = lists()
    if token in whole:
        return whole[token]
    for length in range(len(token), max(2, len(token) - MOST_ENDING - 1), -1):
        if token[:length] in starts:
            return starts[token[:length]]
    return 0.0


@cache
def lists() -> tuple[dict[str, float], dict[str, float]]:
    """Beginnings of words, and whole words, with their valence."""
    starts: dict[str, float] = {}
    whole: dict[str, float] = {}
    for strength, text in [*words.BAD_WORDS.items(), *words.GOOD_WORDS.items()]:
        for one in text.replace("ё", "е").split():
            kind = whole if one.endswith(".") else starts
            kind.setdefault(one.rstrip("."), float(strength))
    return starts, whole
