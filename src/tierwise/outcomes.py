"""Which values of an outcome column mean won, which lost, and which that the case is still open."""

import re
from collections.abc import Sequence

import pandas as pd

from tierwise.files import InputError

WON = {"1", "yes", "y", "true", "t", "won", "win", "closed won", "closedwon", "converted"}
WON |= {"success", "sold", "bought", "purchased", "customer", "subscribed"}
WON |= {"si", "sí", "sim", "oui", "ja", "да"}
LOST = {"0", "-1", "no", "n", "false", "f", "lost", "loss", "closed lost", "closedlost", "failed"}
LOST |= {"failure", "not converted", "nein", "non", "não", "nao", "нет"}
MOST_VALUES = 50


def sides(
    labels: pd.Series, column: str, told_won: Sequence[str], told_lost: Sequence[str]
) -> tuple[list[str], list[str], list[str]]:
    """Values that count as won, those that count as lost, and what had to be assumed, in words.

    labels: the outcome of each row as text, NaN where missing. What the user told goes before
    known words; values on neither side are open. Raises InputError where a side stays empty.
    """
    values = list(labels.value_counts().index)
    check_values(labels, column, values, [*told_won, *told_lost])
    known = known_words(values)
    words = set(known.values())
    won = list(told_won) or [v for v in known if is_won(known[v], words) and v not in told_lost]
    rest = [value for value in values if value not in won]
    lost = list(told_lost) or [v for v in known if known[v] in LOST and v not in won]
    if told_won and not lost and len(values) <= MOST_VALUES:
        lost = rest
    notes = []
    if len(values) == 2 and not won and not lost:
        won = values[-1:]
        notes.append(f"'{won[0]}' counts as won because it is rarer; else say --won '{values[0]}'")
    if len(values) == 2:
        won = won or [value for value in values if value not in lost]
        lost = lost or [value for value in values if value not in won]
    if not won or not lost:
        raise InputError(which_is_which(labels, column))
    if set(won) & set(lost):
        raise InputError(
            f"{sorted(set(won) & set(lost))} can't be won and lost at once. Say it after --won or "
            "after --lost."
        )
    opened = [value for value in values if value not in (*won, *lost)]
    if opened:
        notes.append(f"'{column}' is still open where it says {shown(opened)}; else say --lost")
    return won, lost, notes


def check_values(labels: pd.Series, column: str, values: list[str], told: list[str]) -> None:
    """Two values at least, and those that the user told among them."""
    unknown = [value for value in told if value not in values]
    if unknown and values:
        raise InputError(f"'{column}' is never {shown(unknown)}. It says {shown(values)}.")
    if len(values) < 2:
        says = f"says '{values[0]}' or nothing" if values else "is empty"
        missing = int(labels.isna().sum())
        raise InputError(
            f"The outcome '{column}' {says} ({missing:,} of {len(labels):,} rows are empty): there "
            "is nothing to tell apart. Name a column that says how each case ended, with a word "
            "for lost as well."
        )


def known_words(values: list[str]) -> dict[str, str]:
    """Value -> its plain word; without numbers if there are more than two, for then they count."""
    numbers = {value for value in values if re.fullmatch(r"[-+]?[\d.]+", value)}
    return {v: plain(v) for v in values if v not in numbers or len(numbers) <= 2}


def is_won(word: str, words: set[str]) -> bool:
    """A known word for yes, or X if "noX", "no X" or "not X" is among the plain `words`."""
    return word in WON or bool({f"no{word}", f"no {word}", f"not {word}"} & words)


def plain(value: str) -> str:
    """Lower case, with one blank for any marks: "Closed - Won" and "closed_won" are one word."""
    lower = value.strip().lower()
    return re.sub(r"[\W_]+", " ", lower).strip() if re.search(r"[^\W\d_]", lower) else lower


def which_is_which(labels: pd.Series, column: str) -> str:
    counts = labels.value_counts()
    most = ", ".join(f"{value} ({count:,})" for value, count in counts.head(6).items())
    more = f" and {len(counts) - 6:,} more values" if len(counts) > 6 else ""
    way_out = "Say --won VALUE and --lost VALUE; others count as open."
    if len(counts) > MOST_VALUES:
        way_out = "An amount, a date or a name is no outcome: name a column that says yes or no."
    return f"Which values of '{column}' are won and which lost? It says {most}{more}. {way_out}"


def shown(values: list[str], most: int = 6) -> str:
    text = ", ".join(f"'{value}'" for value in values[:most])
    return text + (f" and {len(values) - most:,} more values" if len(values) > most else "")
