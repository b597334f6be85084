"""The texts that a reader needs to decide whether somebody is a loud critic, fit to be shown.

Texts come from anybody. Before they are shown they lose what could steer a page or a terminal, or
tell more than the reader has to know: control and direction marks, piles of accents, addresses,
links and long numbers. They are cut to a few lines. Escaping is left to the page.

The newest negative texts of separate weeks are chosen, not the worst ones, and the newest others
beside them: evidence that only incriminates is none.
"""

import re
import unicodedata

import numpy as np
import pandas as pd

from tierwise.customers import sentiment
from tierwise.customers.sentiment import MOST_LETTERS, Model

NEGATIVE_COUNT, OTHER_COUNT = 5, 2
MOST_SHOWN = 240  # letters
MOST_MARKS = 2  # accents on one letter
MASKS = (
    (re.compile(r"(?:https?://|www\.)\S+", re.IGNORECASE), "[link]"),
    (re.compile(r"[\w.+-]{1,64}@[\w-]{1,64}(?:\.[\w-]{1,64})+"), "[e-mail]"),
    (re.compile(r"\+?\d(?:[\s()./-]{0,2}\d){6,}"), "[number]"),
)


def fit_to_show(text: str, most: int = MOST_SHOWN) -> str:
    """One line of at most so many letters, without what is named at the head of this module."""
    kept = []
    marks = 0
    for letter in text[:MOST_LETTERS]:
        kind = unicodedata.category(letter)
        marks = marks + 1 if kind in ("Mn", "Me") else 0
        if kind in ("Cc", "Zl", "Zp"):
            kept.append(" ")
        elif kind not in ("Cf", "Cs", "Co", "Cn") and marks <= MOST_MARKS:
            kept.append(letter)
    line = " ".join("".join(kept).split())
    for pattern, word in MASKS:
        line = pattern.sub(word, line)
    cut = len(line) > most or len(text) > MOST_LETTERS
    return line[: most - 1].rstrip() + "…" if cut else line


def chosen(texts: pd.DataFrame) -> pd.DataFrame:
    """Of one person's judged texts those to be read, newest first: the negative ones, then others.

    texts: columns of `loud_critics.judged`.
    """
    newest = texts[texts["chance"].notna()].sort_values(
        ["occurred_at", "message_id"], ascending=False
    )
    negative = newest[newest["negative"]]
    repeated = negative.duplicated("week")
    spread = pd.concat([negative[~repeated], negative[repeated]]).head(NEGATIVE_COUNT)
    others = newest[~newest["negative"]].head(OTHER_COUNT)
    order = ["occurred_at", "message_id"]
    return pd.concat([spread.sort_values(order, ascending=False), others], ignore_index=True)


def cards(
    model: Model, texts: pd.DataFrame, people: pd.DataFrame, most: int
) -> list[dict[str, object]]:
    """What the page shows of each person, at most so many: of `loud_critics.listed`.

    Those who may not be contacted have none: nobody needs to read their texts.
    """
    shown = people[people["may_contact"]].head(most)
    own = texts[texts["person_id"].isin(shown["person_id"])]
    return [card(model, own[own["person_id"] == one.person_id], one) for one in shown.itertuples()]


def card(model: Model, texts: pd.DataFrame, person: object) -> dict[str, object]:
    """person_id, the counts and shares of its row, first and last day, and texts."""
    names = ("person_id", "negative_count", "texts_count", "weeks_count", "share", "low", "high")
    found: dict[str, object] = {name: getattr(person, name) for name in names}
    negative = texts.loc[texts["negative"], "occurred_at"]
    found["first_day"], found["last_day"] = (
        day(negative.min()),
        day(negative.max()),
    )
    found["texts"] = [
        {
            "on": day(one.occurred_at),
            "language": one.language,
            "text": fit_to_show(str(one.text)),
            "chance": float(np.round(one.chance, 4)),
            "negative": bool(one.negative),
            "words": words(model, str(one.text), str(one.language)) if one.negative else [],
        }
        for one in chosen(texts).itertuples()
    ]
    return found


def day(at: pd.Timestamp) -> str:
    return at.date().isoformat()


def words(model: Model, text: str, language: str) -> list[str]:
    """The words that weigh most, fit to show; empty ones dropped."""
    found = (fit_to_show(one, 40) for one in sentiment.reasons(model, text, language))
    return [one for one in found if one]
