"""What the page about advocates says of asking and rewarding, with a lot and without one."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from tierwise.advocates import listed
from tierwise.advocates import targeted as tg
from tierwise.advocates.asked import Reward
from tierwise.report import format_value
from tierwise.uplift import deals_needed

AIM, HELD_OUT_SHARE = 1.5, 0.10
NO_LOT = (
    "Whether asking helps, and so whether the reward pays, can't be known here: everybody may be "
    "asked, so nobody shows what happens without. Draw one member in ten by lot when they sign up, "
    "note it in never_invited, never ask them to invite anybody and never take it back."
)


def asked_cards(told: dict[str, Any]) -> list[dict[str, str]]:
    money = told["money"]
    net = money["net_eur"]
    return [
        {
            "label": "more bring a buyer when asked",
            "value": percent_points(told["effect"]),
            "interval": percent_points([told["low"], told["high"]]),
            "note": f"{told['asked_share']:.1%} against {told['never_asked_share']:.1%}",
        },
        {
            "label": "per 1,000 asked, after rewards",
            "value": format_value(net["value"], "eur"),
            "interval": format_value([net["low"], net["high"]], "eur"),
            "note": f"a reward up to €{money['highest_reward_eur']:.2f} for both would pay",
        },
    ]


def percent_points(value: Any) -> str:
    """A difference of shares: +1.2 points."""
    if isinstance(value, list | tuple):
        return " – ".join(f"{100 * one:+.1f}" for one in value)
    return f"{100 * value:+.1f} points"


def brings(told: dict[str, Any] | None) -> tuple[str, str]:
    """Does asking bring friends at all, who buy or not? Kind of verdict and a sentence.

    told: of `asked.told` about friends, None without a lot. They are many more than buyers, so the
    answer comes sooner.
    """
    if told is None:
        return "info", "Whether asking brings friends can't be known without members never asked."
    return changed(told, "friends", "a friend")


def helped(told: dict[str, Any] | None, rows: pd.DataFrame) -> tuple[str, str]:
    """Does asking bring buyers? Kind of verdict and a sentence.

    told: of `asked.told`, None without a lot; rows: what it is of, or would be.
    """
    needed = members_needed(rows)
    if told is None:
        return "info", f"{NO_LOT} {needed}"
    kind, sentence = changed(told, "buyers", "somebody who buys")
    return kind, sentence if kind != "info" else f"{sentence} {needed}"


def changed(told: Mapping[str, Any], whom: str, one: str) -> tuple[str, str]:
    """Kind of verdict and a sentence; "info" where the interval holds 0. whom: friends."""
    words = (
        f"Of {told['asked_count']:,} who may be asked {told['asked_share']:.1%} brought {one}, of "
        f"{told['never_asked_count']:,} never asked {told['never_asked_share']:.1%}: "
        f"{percent_points(told['effect'])} ({percent_points([told['low'], told['high']])})."
    )
    if told["low"] > 0:
        return "supported", f"Asking brings {whom}. {words}"
    if told["high"] < 0:
        return "not supported", f"Asking keeps {whom} away. {words}"
    return "info", f"That asking brings {whom} can't be told from luck yet. {words}"


def members_needed(rows: pd.DataFrame) -> str:
    """How many members would tell AIM from no effect, at the rate of these rows."""
    rate = float(rows["outcome"].mean()) if len(rows) else 0.0
    if not 0 < rate < 1 / AIM:
        return "How many members it takes can be said once some have brought a buyer."
    count = deals_needed(rate, HELD_OUT_SHARE, AIM)["deals_count"]
    return (
        f"To tell {AIM - 1:.0%} more from nothing takes about {count:,} members whose "
        f"days are over, {HELD_OUT_SHARE:.0%} of them never asked."
    )


def paid_off(told: dict[str, Any] | None) -> tuple[str, str]:
    """Does the reward pay? Kind of verdict and a sentence."""
    if told is None:
        return "info", "Whether the reward pays can't be known without members never asked."
    money = told["money"]
    net, more = money["net_eur"], money["incremental_count"]
    words = (
        f"Per 1,000 members asked {more['value']:+.1f} friends more buy; after rewards for all "
        f"{money['outcomes_count']:.1f} who were brought, those included who would have been "
        f"brought anyway, {format_value(net['value'], 'eur')} are left "
        f"({format_value(net['low'], 'eur')} to {format_value(net['high'], 'eur')})."
    )
    told_by = {
        "pays": ("supported", "The reward pays."),
        "loses": ("not supported", "The reward costs more than it brings."),
    }
    unknown = ("info", "Whether the reward pays can't be told from luck yet.")
    kind, first = told_by.get(money["verdict"], unknown)
    return kind, f"{first} {words}"


def shown_money(told: dict[str, Any] | None, reward: Reward) -> pd.DataFrame:
    """Where the money of 1,000 members asked goes, as text: what, of_1,000_asked, between."""
    names = ["what", "of_1,000_asked", "between"]
    if told is None:
        return pd.DataFrame(columns=names)
    money = told["money"]
    more = money["incremental_count"]
    rows = [
        (
            "friends more who buy",
            f"{more['value']:+.1f}",
            f"{more['low']:+.1f} – {more['high']:+.1f}",
        ),
        (f"their margin, €{reward.margin_eur:g} each", *euros(money["value_eur"])),
        ("rewards for all who were brought", eur(-reward.both_eur * money["outcomes_count"]), ""),
        ("asking", eur(-money["cost_eur"]), ""),
        ("left", *euros(money["net_eur"])),
    ]
    return pd.DataFrame(rows, columns=names)


def eur(value: float) -> str:
    return format_value(value, "eur")


def euros(found: Mapping[str, float]) -> tuple[str, str]:
    value, low, high = (eur(found[end]) for end in ("value", "low", "high"))
    return value, f"{low} – {high}"


def targeting(orders: pd.DataFrame) -> tuple[str, str]:
    """Is an order known in which asking does more? Kind of verdict and a sentence."""
    if orders.empty:
        return "info", "From whom asking changes most can't be known without members never asked."
    best = tg.clearly_ahead(orders)
    if best is None:
        return "info", (
            "No order is clearly ahead of the one by chances in finding those whom asking changes; "
            "the list goes by chances. More members never asked, or more time, would tell."
        )
    own = orders.set_index("order").loc[best]
    return "supported", (
        f"{tg.title(best).capitalize()} finds more of those whom asking changes: ahead of the "
        f"order by chances by {1000 * own['ahead']:.2f} buyers per 1,000 members "
        f"({1000 * own['ahead_low']:.2f} to {1000 * own['ahead_high']:.2f})."
    )


def warned(told: dict[str, Any] | None) -> str:
    """What the list rests on."""
    if listed.is_settled(told):
        return (
            "Values count what asking adds, as the members never asked show it, less the rewards "
            "for all who will be brought."
        )
    return (
        "Whether asking brings more than it costs is not known yet. Values are what asking brings "
        "at most, if nobody on the list brought anybody without being asked; who is below is not "
        "worth asking even then."
    )
