"""Is the programme healthy, and what has to be done today?

The rules of the verdict, the first that holds:

    info             fewer than LEAST_FRIENDS were brought: nothing can be said yet
    not supported    a step of the funnel fell beyond luck, or answers that were promised are late
                     although people do decide (the ledger holds entries)
    supported        neither
"""

from typing import Any

import pandas as pd

from tierwise.referral_page import funnel as fu
from tierwise.referral_page import steps
from tierwise.referral_page.ground import Ground
from tierwise.referrals.growth import Growth
from tierwise.report import format_value
from tierwise.rewards import due as rd
from tierwise.rewards import ledger

LEAST_FRIENDS = 30
PAY_WITHIN_DAYS = 7.0
STEP_WORDS = {
    "clicked": "clicks per person invited",
    "joined": "sign-ups per click",
    "came_back": "friends who come back",
    "bought": "friends who buy",
}


def share(value: Any) -> str:
    return format_value(value, "share")


def cards(
    one: Ground, lately_days: float, grown: Growth | None, spent: dict[str, float]
) -> list[dict[str, Any]]:
    """Headline figures."""
    part, low, high = steps.come_by_links(one, lately_days)
    found = [
        {
            "label": "sign-ups by links of friends",
            "value": share(part),
            "interval": share([low, high]),
            "note": f"of the last {lately_days:g} days; credited, not caused",
        },
        {
            "label": "friends brought, and of these bought",
            "value": f"{len(one.friends):,}",
            "note": f"{spent['buyers_count']:,} bought; by {one.friends['sender_id'].nunique():,} "
            "members",
        },
        {
            "label": "rewards of a friend who buys",
            "value": money(spent["each_eur"]),
            "note": f"both sides; {money(spent['spent_eur'])} in all, paid or still to be paid",
        },
    ]
    return found + ([k_card(grown)] if grown is not None else [])


def money(amount: float) -> str:
    return "–" if pd.isna(amount) else f"€{amount:,.2f}"


def k_card(grown: Growth) -> dict[str, Any]:
    """Within a horizon, the law of waits past it is not known, and so no mean is told."""
    more = "more on the page of attribution"
    wait, until = grown.time.mean_days, grown.horizon_days
    note = f"within {until:.0f} days; {more}"
    if until == float("inf"):
        note = f"each after {wait:.0f} days on average; {more}"
    return {
        "label": "friends whom a member brings (K)",
        "value": f"{grown.k:.2f}",
        "interval": f"{grown.low:.2f} – {grown.high:.2f}",
        "note": note,
    }


def today(one: Ground, falls: list[fu.Fall]) -> pd.DataFrame:
    """What waits for somebody: what, count, amount_eur, what_to_do; urgent first, none left out."""
    rows = [*overdue(one), *reviews(one), *payments(one)]
    rows += [
        {
            "what": f"{STEP_WORDS[fall.step]} fell to {share(fall.share)} in {fall.month:%B %Y} "
            f"(before: {share(fall.before)})",
            "count": None,
            "amount_eur": None,
            "what_to_do": "find out what changed then: link, text, sign-up page, measurement",
        }
        for fall in falls
    ]
    columns = ["what", "count", "amount_eur", "what_to_do"]
    table = pd.DataFrame(rows, columns=columns)
    return table.astype({"count": "Int64", "amount_eur": "float64"})


def item(what: str, rows: pd.DataFrame, what_to_do: str) -> list[dict[str, Any]]:
    amount = round(float(rows["amount_eur"].sum()), 2)
    told = {"what": what, "count": len(rows), "amount_eur": amount, "what_to_do": what_to_do}
    return [told] if len(rows) else []


def held_for_longer(one: Ground) -> pd.DataFrame:
    """Rewards that are still being checked though the usual days are over."""
    held = one.states[one.states["state"] == rd.HELD]
    return steps.late(held, one, 0.0)


def overdue(one: Ground) -> list[dict[str, Any]]:
    days = one.terms.answer_days
    rows = steps.late(held_for_longer(one), one, days)
    return item(
        f"rewards without an answer for more than the {days:g} days promised",
        rows,
        "decide: tierwise rewards",
    )


def reviews(one: Ground) -> list[dict[str, Any]]:
    if "state" not in one.flags:
        return []
    groups = one.flags.loc[one.flags["state"] == ledger.OPEN, "group_id"].nunique()
    flagged = one.states[one.states["is_flagged"]]
    told = item("flagged groups that nobody has looked at", flagged, "see the page of fraud")
    return [row | {"count": int(groups)} for row in told]


def payments(one: Ground) -> list[dict[str, Any]]:
    ready = one.states[one.states["state"] == rd.PAYABLE]
    rows = steps.late(ready, one, PAY_WITHIN_DAYS)
    return item(
        f"rewards that could be paid for more than {PAY_WITHIN_DAYS:g} days",
        rows,
        "pay them, and note it: tierwise rewards",
    )


def judgement(
    one: Ground, falls: list[fu.Fall], part: list[float], lately_days: float
) -> tuple[str, str]:
    """Kind of verdict and a sentence, by the rules at the head of this module. part: share of the
    latest sign-ups by links, low, high."""
    count = len(one.friends)
    if count < LEAST_FRIENDS:
        return "info", (
            f"{count} friends were brought so far; from {LEAST_FRIENDS} on something can be said."
        )
    words = (
        f"Links of friends bring {share(part[0])} ({share(part[1:])}) of the sign-ups of the last "
        f"{lately_days:g} days."
    )
    late = len(steps.late(held_for_longer(one), one, one.terms.answer_days))
    told = [f"{STEP_WORDS[fall.step]} fell in {fall.month:%B %Y}" for fall in falls]
    told += (
        [f"{late:,} answer{' is' if late == 1 else 's are'} late"]
        if late and one.is_decided
        else []
    )
    if told:
        return "not supported", f"The programme needs attention: {'; '.join(told)}. {words}"
    words += " No step of the funnel fell beyond luck in its latest month."
    if not one.is_decided:
        words += " Nobody has decided or paid anything yet; the ledger of rewards is empty."
    return "supported", f"The programme is healthy. {words}"
