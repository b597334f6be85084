"""The sentences of the page about ratings: figures of the method modules in plain words."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from tierwise import evaluation
from tierwise.clustered import Figure
from tierwise.providers import rating_agreement, rating_audit, rating_changes, rating_response
from tierwise.providers.rating_agreement import WANTED, Reliability
from tierwise.providers.rating_audit import EXAMPLE
from tierwise.report import format_value


def share(value: Any) -> str:
    return format_value(value, "share")


def count(value: float) -> str:
    return format_value(float(np.ceil(value)), "count")


def ratings_needed(found: Reliability) -> str:
    """How many ratings it takes for the first of WANTED; where providers may not differ at all, the
    fewest that the interval of their differences allows."""
    more = found.icc.low <= 0 and np.isfinite(found.fewest)
    return count(found.fewest) + (" or more" if more else "")


def example() -> str:
    """29 of 30 in words."""
    low, high = evaluation.wilson(*EXAMPLE)
    return (
        f"A provider with {EXAMPLE[0]} of {EXAMPLE[1]} five stars has a true share of anything "
        f"from {low:.0%} to {high:.0%}."
    )


def separated(table: pd.DataFrame) -> str:
    """How many pairs of providers the stars can tell apart."""
    apart, pairs = rating_agreement.told_apart(table)
    if not pairs:
        return example()
    return (
        f"{example()} Of {pairs:,} pairs of providers here, stars tell {apart:.1%} apart; if all "
        "were alike, luck alone would tell up to 5 % apart."
    )


def reliable(found: Reliability) -> str:
    """How much of the stars is the provider's, and who has ratings enough."""
    own, low, high = (max(one, 0.0) for one in (found.icc.single, found.icc.low, found.icc.high))
    return (
        f"Of all the difference between two ratings, {own:.1%} (interval {low:.1%} to {high:.1%}) "
        "is the provider's, the rest is the customer's and the day's. It takes "
        f"{ratings_needed(found)} ratings for a reliability of {WANTED[0]:.0%}; "
        f"{found.enough_share:.0%} of {found.providers_count:,} providers have so many. Two halves "
        f"of the ratings correlate at {found.halves:.2f}."
    )


def hidden(found: dict[str, Any]) -> str:
    """What the unhappy did in public."""
    if not found["unhappy_count"]:
        return "Nobody who was asked by lot gave an unhappy answer."
    words = (
        f"Of {found['unhappy_count']:,} customers with an unhappy answer, "
        f"{found['silent_share']:.0%} kept silent in public and {found['five_star_share']:.0%} "
        "gave five stars."
    )
    if not np.isfinite(found["silent_points"]):
        return words
    apart, (low, high) = found["silent_points"], found["silent_points_interval"]
    if low <= 0 <= high:
        ends = f"{low:+.2f} to {high:+.2f}"
        return f"{words} The silent answer like raters ({apart:+.2f} points, {ends})."
    way, near, far = ("lower", -high, -low) if apart < 0 else ("higher", low, high)
    return (
        f"{words} The silent answer {abs(apart):.2f} points {way} than raters ({near:.2f} to "
        f"{far:.2f})."
    )


def reminded(rows: pd.DataFrame) -> str:
    """Whether the reminder by lot moves the response, and the stars with it."""
    if rows["reminded"].nunique() < 2:
        return (
            "Nobody drew lots whom to remind of rating. Remind a random half: only that shows what "
            "those think who now keep silent."
        )
    measure = rating_audit.top_measure(rows)
    found = rating_response.reminder(rows, measure, rating_audit.TOP_ENDS)
    response, stars = (in_points(one) for one in (found.moved, found.stars_moved))
    words = (
        f"A reminder by lot moves the response by {response} points and the share of five stars by "
        f"{stars}."
    )
    told = found.stars_moved.low > 0 or found.stars_moved.high < 0
    last = (
        "So who rates depends on what they thought."
        if told
        else "There is no sign that those who need a reminder think otherwise than the others."
    )
    feature = rating_response.WORDS[found.balance_feature]
    return (
        f"{words} {last} Check of the lot: reminded and other visits differ by at most "
        f"{found.balance:.2f} standard deviations ({feature})."
    )


def in_points(found: Figure) -> str:
    """A difference of shares with its interval, in hundredths."""
    value, low, high = (f"{100 * one:+.2f}" for one in (found.value, found.low, found.high))
    return f"{value} ({low} to {high})"


def changed(table: pd.DataFrame, changes: Sequence[Mapping[str, str]], window_weeks: int) -> str:
    """What moved with which change, in words."""
    if table.empty:
        return "No change of the product is dated in params.yaml, so none was looked at."
    moved = table[table["said"] == rating_changes.MOVED]
    sentences = []
    for name in table["change"].unique():
        own = moved[moved["change"] == name]
        parts = [f"{one.words} ({change_size(one.measure, one.shift)})" for one in own.itertuples()]
        sentences.append(f"With {name} moved: {', '.join(parts) or 'nothing that can be seen'}.")
    lucky = 0.1 * len(table)
    sentences.append(f"Of {len(table)} intervals about {lucky:.0f} would miss 0 by luck alone.")
    return " ".join([*sentences, *rating_changes.near_each_other(changes, window_weeks)])


def change_size(measure: str, shift: float) -> str:
    return f"{shift:+.2f}" if measure == "points" else f"{100 * shift:+.1f} points"
