"""What `crm_day.py` counts and judges, from the fake's own list of calls and what it shows.

Nothing is taken from what tierwise says of itself.
"""

from collections import Counter
from typing import Any

import crm_day_company as company
import pandas as pd
from crm_day_company import fp

Row = dict[str, Any]
TOLD_OFF = ("over_burst", "over_day", "went_on_after_429")
LISTS = ("/deals", "/deals/archived", "/persons", "/organizations", "/activities")
FAR_POINTS = 2.0001  # the project's hysteresis, and a hair


def counted(calls: list[fp.Call]) -> Row:
    """Calls, tokens of those that were let through, and answers that tell of a broken limit."""
    priced = [fp.COSTS.get((call.method, fp.template(call.path)), 0) for call in calls]
    statuses = Counter(call.status for call in calls)
    spent = sum(
        price for price, call in zip(priced, calls, strict=True) if call.status not in (403, 429)
    )
    return {"calls": len(calls), "tokens": spent, "s403": statuses[403], "s429": statuses[429]}


def most_in_window(calls: list[fp.Call], seconds: float) -> int:
    """The most calls in any window of so many seconds, by the fake's clock."""
    most, first = 0, 0
    for last, call in enumerate(calls):
        while calls[first].at <= call.at - seconds:
            first += 1
        most = max(most, last - first + 1)
    return most


def limits(fakes: list[fp.Fake]) -> Row:
    """Over all parts: what the fakes counted, and what their lists of calls tell."""
    calls = [call for one in fakes for call in one.calls]
    return {
        **{name: sum(one.counts[name] for one in fakes) for name in TOLD_OFF},
        **{name: count for name, count in counted(calls).items() if name != "tokens"},
        "most_in_window": max(most_in_window(one.calls, one.burst_seconds) for one in fakes),
        "most_in_day": max(max(one.spent.values()) for one in fakes),
    }


def is_of_backfill(call: fp.Call) -> bool:
    """Not a short list, which is read as a whole each time, nor a question for news."""
    return "changelog" in call.path or (
        call.path in LISTS and call.method == "GET" and "updated_since" not in call.query
    )


def page_of(call: fp.Call) -> tuple[Any, ...]:
    return call.path, call.query.get("status"), call.query.get("cursor")


def written_calls(calls: list[fp.Call]) -> list[fp.Call]:
    return [call for call in calls if call.method == "PATCH"]


def first_tier(before: dict[int, str | None], batch: pd.DataFrame, calls: list[fp.Call]) -> Row:
    """Were all changes into or out of tier A written, and before any other?

    Judged by the tiers that the fake showed before, those that it should show, and its own list of
    PATCH calls.
    """
    wanted = wanted_tiers(batch)
    due = {
        n
        for n, tier in before.items()
        if n in wanted and tier != wanted[n] and "A" in (tier, wanted[n])
    }
    order = [int(call.path.split("/")[-1]) in due for call in written_calls(calls)]
    late = order[order.index(False) :].count(True) if False in order else 0
    return {
        "first_due": len(due),
        "first_written": sum(order),
        "first_late": late,
        "first_postponed": len(due) - sum(order),
    }


def wanted_tiers(batch: pd.DataFrame) -> dict[int, str | None]:
    """None for the holdout."""
    pairs = zip(batch["tier"], batch["flag"] == "holdout", strict=True)
    tiers = [None if is_held_out else tier for tier, is_held_out in pairs]
    return dict(zip(batch.index.tolist(), tiers, strict=True))


def ends(fake: fp.Fake, batch: pd.DataFrame) -> Row:
    """Open deals that don't show what they should: another tier, a chance off by more than the
    hysteresis, or anything at all in the holdout."""
    wanted, chances = wanted_tiers(batch), batch["chance"].to_dict()
    wrong_tiers = wrong_chances = told_holdout = never_written = 0
    for n in company.open_ids(fake):
        shown = {k: v for k, v in fake.shown(n).items() if k.startswith("Tierwise")}
        if n not in wanted or wanted[n] is None:
            told_holdout += bool(shown)
            continue
        never_written += company.TIER_FIELD not in shown
        wrong_tiers += shown.get(company.TIER_FIELD) != wanted[n]
        percent = shown.get("Tierwise chance (%)")
        wrong_chances += percent is None or abs(percent - 100 * chances[n]) > FAR_POINTS
    return {
        "wrong_tiers": wrong_tiers,
        "wrong_chances": wrong_chances,
        "holdout_shown": told_holdout,
        "never_written": never_written,
    }
