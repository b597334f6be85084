"""What the CRM's deals show, what they should show, and which differences are worth a write.

A write costs tokens and tells everybody that the deal was touched. Therefore a chance counts in
whole percent and only once it has moved by some points, the time of scoring only along with
something else, and what matters most comes first: deals that enter or leave the first tier, other
tiers, chances by how far they moved, then reasons. Deals of the holdout show nothing.
"""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import pandas as pd

from tierwise.files import InputError

TIERS = ("A", "B", "C")
KINDS = ("first tier", "tier", "chance", "reasons")  # in the order of writing
COLUMNS = ("deal_id", "tier", "chance", "reasons", "scored_at", "rank")


class Shown(NamedTuple):
    """What a deal shows in the CRM; None for an empty field."""

    tier: str | None = None
    chance_percent: float | None = None
    reasons: str | None = None
    scored_at: str | None = None


@dataclass(frozen=True)
class Change:
    """values: name of a field -> what it will show, None to clear it; only fields that change."""

    deal_id: int
    kind: str
    before: Shown
    values: dict[str, Any]


def difference(
    wanted: pd.DataFrame,
    current: Mapping[int, Shown],
    holdout: Collection[int] = (),
    *,
    hysteresis_points: float = 2.0,
    tiers: Sequence[str] = TIERS,
) -> list[Change]:
    """What must be written, most important first; deals that `current` lacks are left out.

    wanted: as for `push`. current: by deal_id. Order: into or out of the first tier, other tiers,
    chances by how far they moved, reasons; among equals by rank, then deal_id.
    """
    found = []
    for deal_id in sorted(set(holdout) & set(current)):
        values = {
            name: None for name, value in current[deal_id]._asdict().items() if value is not None
        }
        if current[deal_id] != Shown():
            kind = kind_of(current[deal_id], None, tiers)
            found.append((kind, 0.0, 0, Change(deal_id, KINDS[kind], current[deal_id], values)))
    for row in wanted[list(COLUMNS)].itertuples(index=False):
        if row.deal_id in holdout or row.deal_id not in current:
            continue
        before = current[row.deal_id]
        moved_points = moved(before.chance_percent, row.chance)
        values = changed(row, before, moved_points >= hysteresis_points)
        if values:
            kind = kind_of(before, row.tier, tiers) if "tier" in values else 2
            kind = 3 if list(values) == ["reasons", "scored_at"] else kind
            change = Change(int(row.deal_id), KINDS[kind], before, values)
            found.append((kind, -moved_points if kind == 2 else 0.0, row.rank, change))
    found.sort(key=lambda item: (*item[:3], item[3].deal_id))
    return [change for *_, change in found]


def changed(row: Any, before: Shown, has_moved: bool) -> dict[str, Any]:
    """The fields to write, with the time of scoring if there is any; {} for none."""
    percent, reasons = math.floor(100 * row.chance + 0.5), as_text(row.reasons)
    values: dict[str, Any] = {}
    if row.tier != before.tier:
        values["tier"] = row.tier
    # Once the deal is written anyway, it may as well show the exact percent.
    if has_moved or ("tier" in values and percent != before.chance_percent):
        values["chance_percent"] = percent
    if words(reasons) != words(before.reasons):
        values["reasons"] = reasons
    return values | {"scored_at": stamp(row.scored_at)} if values else {}


def kind_of(before: Shown, tier: str | None, tiers: Sequence[str]) -> int:
    return 0 if tiers[0] in (before.tier, tier) else 1


def moved(percent: float | None, chance: float) -> float:
    """Points between the percent shown and the chance; 100 where none is shown."""
    return 100.0 if percent is None else abs(100 * chance - percent)


def as_text(reasons: Any) -> str | None:
    """One reason per line."""
    if reasons is None or reasons is pd.NA or isinstance(reasons, float):
        return None
    lines = [reasons] if isinstance(reasons, str) else list(reasons)
    return "\n".join(line.strip() for line in lines) or None


def words(text: str | None) -> list[str]:
    """A CRM may change blanks and line ends on its own; that is no difference."""
    return (text or "").split()


def stamp(scored_at: pd.Timestamp) -> str:
    return f"{scored_at:%Y-%m-%d %H:%M} UTC"


def check(wanted: pd.DataFrame, tiers: Sequence[str], hysteresis_points: float) -> None:
    """Raises InputError for a missing column, a deal twice, an unknown tier or an odd chance."""
    absent = [name for name in COLUMNS if name not in wanted]
    if absent:
        raise InputError(f"The scores to push lack the columns {absent}; they are {list(wanted)}.")
    rules = {
        "deal_id must be there once": wanted["deal_id"].duplicated(),
        f"tier must be one of {', '.join(tiers)}": ~wanted["tier"].isin(list(tiers)),
        "chance must be from 0 to 1": ~wanted["chance"].between(0, 1),
        "scored_at must be there": wanted["scored_at"].isna(),
        "rank must be there": wanted["rank"].isna(),
    }
    for text, breaks in rules.items():
        if breaks.any():
            first = wanted[breaks].iloc[0]
            value = first[text.split()[0]]
            raise InputError(
                f"Scores to push: {text}; deal {first['deal_id']} has {value} "
                f"({int(breaks.sum())} rows break the rule). Score again."
            )
    if hysteresis_points < 1:
        raise InputError(
            f"hysteresis_points must be 1 or more, as whole percents are shown; "
            f"it is {hysteresis_points}."
        )
