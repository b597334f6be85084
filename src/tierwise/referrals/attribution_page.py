"""The page about attribution: its cards, its tables, its verdict and what it stores.

The rules of the verdict:

    supported        the latest forecast, made before the days that it spoke of, held what came
    not supported    it did not
    info             there is no forecast yet that could be judged

Its sentence says what the programme does: whether it carries itself (K of 1 or more), what share of
sign-ups it brings, and what the forecast said. A credited share is no effect; the sentence says so.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from tierwise import files
from tierwise.attribution import LINK, SHARE
from tierwise.referrals import attribution_tables as at
from tierwise.referrals import growth, growth_judged, referral_chains
from tierwise.referrals.attribution_measured import EITHER, LINKS, Carried
from tierwise.report import format_value

STEP = "attribution"
TOP_SHARE = 0.1


def share(value: Any) -> str:
    return format_value(value, "share")


def number(value: float) -> str:
    return "∞" if np.isinf(value) else f"{value:.2f}"


def cards(
    shares: pd.DataFrame,
    carried: Mapping[str, Carried],
    cycles: pd.DataFrame,
    judged: pd.DataFrame,
    forest: pd.DataFrame,
) -> list[dict[str, str]]:
    """Shares of links and of shared items, K, its cycle, how unequal, and the forecast."""
    found = [card_of_share(shares, LINK, "of sign-ups by links and codes of members")]
    found += [card_of_share(shares, SHARE, "of sign-ups by shared items")]
    one = carried[EITHER].growth
    if one is not None:
        found.append(
            {
                "label": "friends a member brings (K)",
                "value": number(one.k),
                "interval": f"{number(one.low)} – {number(one.high)}",
                "note": within(one) + "with members counted by the time that they had",
            }
        )
    found += [card_of_days(row) for _, row in cycles.head(1).iterrows()]
    top = referral_chains.share_of_top(forest, TOP_SHARE)
    found.append(
        {
            "label": f"brought by the top {TOP_SHARE:.0%} of inviters",
            "value": share(top),
            "note": f"of all who were brought; {share(senders_share(forest))} of members brought "
            "anybody",
        }
    )
    return [*found, card_of_forecast(judged.iloc[-1])] if len(judged) else found


def card_of_share(shares: pd.DataFrame, channel: str, label: str) -> dict[str, str]:
    rows = shares[shares["channel"] == channel]
    if rows.empty:
        return {"label": label, "value": share(0.0)}
    row = rows.iloc[0]
    card = {"label": label, "value": share(row["share"])}
    card["interval"] = share([row["low"], row["high"]])
    return card | ({} if pd.isna(row["expected"]) else {"note": f"said: {share(row['expected'])}"})


def card_of_days(cycle: pd.Series) -> dict[str, str]:
    """cycle: the row of `attribution_measured.cycles` of links, where they brought enough."""
    return {
        "label": f"days until a friend joins, by {cycle['brought_by']}",
        "value": f"{cycle['clean_mean_days']:,.1f}",
        "interval": f"{cycle['clean_low']:,.1f} – {cycle['clean_high']:,.1f}",
        "note": f"mean, without {share(cycle['chance_share'])} of credits that look like chance; "
        f"{cycle['mean_days']:,.1f} with them",
    }


def on(day: pd.Timestamp) -> str:
    return f"{day.day} {day:%B %Y}"


def card_of_forecast(last: pd.Series) -> dict[str, str]:
    return {
        "label": f"sign-ups since {on(last['made_at'])}",
        "value": f"{last['actual']:,.0f}",
        "interval": f"{last['low']:,.0f} – {last['high']:,.0f}",
        "note": f"{last['expected']:,.0f} were expected that morning",
    }


def senders_share(forest: pd.DataFrame) -> float:
    return float((forest["brought_count"] > 0).mean()) if len(forest) else np.nan


def within(one: growth.Growth) -> str:
    return "" if np.isinf(one.horizon_days) else f"within {one.horizon_days:g} days; "


def judgement(
    shares: pd.DataFrame, carried: Mapping[str, Carried], judged: pd.DataFrame
) -> tuple[str, str]:
    """Kind of verdict and the sentence, by the rules at the head of this module."""
    credited = shares.set_index("channel")["share"]
    words = (
        f"Links and codes of members are credited with {share(credited.get(LINK, 0.0))} of "
        f"sign-ups, shared items with {share(credited.get(SHARE, 0.0))}; how many of these would "
        "have come anyway, a credit does not tell. "
    )
    words += carries(carried[EITHER].growth, carried[LINKS].growth)
    if judged.empty:
        return "info", f"{words} There is no forecast yet that could be judged."
    last = judged.iloc[-1]
    verb = "held" if last["inside"] else "did not hold"
    words += (
        f" The forecast made on {on(last['made_at'])} {verb}: it said "
        f"{last['low']:,.0f} to {last['high']:,.0f} sign-ups, {last['actual']:,.0f} came"
    )
    words += f"; of all {len(judged)}, {int(judged['inside'].sum())} held." * (len(judged) > 1)
    words += "." * (len(judged) == 1)
    return ("supported" if last["inside"] else "not supported"), words


def carries(either: growth.Growth | None, links: growth.Growth | None) -> str:
    """Does the programme carry itself?"""
    if either is None:
        return "Too few friends were brought to say whether members replace themselves."
    ends = f"{number(either.k)} friends ({number(either.low)} to {number(either.high)})"
    by_links = f", {number(links.k)} of them by links" if links is not None else ""
    horizon = f" within {either.horizon_days:g} days" if np.isfinite(either.horizon_days) else ""
    words = f"A member brings {ends}{horizon}{by_links}: "
    if either.low >= 1:
        return f"{words}the programme carries itself, and would grow if nobody else came."
    if either.high >= 1:
        return f"{words}whether the programme carries itself can't be told yet."
    more = 1 / (1 - either.k)
    return (
        f"{words}the programme does not carry itself; it turns each member who comes alone into "
        f"{more:.1f}."
    )


def parts_of(
    shares: pd.DataFrame,
    carried: Mapping[str, Carried],
    judged: pd.DataFrame,
    measured: tuple[pd.DataFrame, pd.DataFrame, Sequence[float]],
    true: tuple[pd.DataFrame | None, pd.DataFrame | None],
) -> dict[str, Any]:
    """Tables and figures for `save_metrics`, by name.

    measured: `reproduction`, `cycles` and `monthly_growth` of attribution_measured; true:
    `against_truth` and `growth_against_truth` of it.
    """
    reproduction, cycles, growing = measured
    return {
        "shares": shares,
        "reproduction": reproduction,
        "cycles": cycles,
        "dispersion": {name: one.growth.dispersion for name, one in carried.items() if one.growth},
        "monthly_growth": dict(zip(("share", "low", "high"), growing, strict=True)),
        "forecasts": judged,
        "forecast_errors": growth_judged.errors(judged) if len(judged) else None,
        "against_truth": true[0],
        "growth_against_truth": true[1],
    }


def handed_on(credits: pd.DataFrame) -> pd.DataFrame:
    """What other steps may take: credits.parquet, a row per member, by person_id."""
    return credits.astype({"source": "str"})


def save_metrics(
    about: Mapping[str, Any],
    verdict: tuple[str, str],
    credits: pd.DataFrame,
    forest: pd.DataFrame,
    parts: Mapping[str, Any],
) -> None:
    """metrics/<application>/attribution.json (no member) and credits.parquet in models/.

    parts: name -> a table or figures for the metrics; None where there are none.
    """
    table = at.shown_refusals(credits)
    told = dict(about) | {
        "entity": "member",
        "verdict": verdict[0],
        "sentence": verdict[1],
        "members_count": len(credits),
        "refused": dict(zip(table["refused"], table["sign_ups"].map(int), strict=True)),
        "senders_share": senders_share(forest),
        "top_share": referral_chains.share_of_top(forest, TOP_SHARE),
        "steps_count": int(forest["depth"].max()) if len(forest) else 0,
        "largest_count": int(forest["descendants_count"].max()) + 1 if len(forest) else 0,
    }
    for name, part in parts.items():
        told[name] = part.to_dict("records") if isinstance(part, pd.DataFrame) else part
    name = str(about["application"])
    files.write_json(files.metrics_path(name, STEP), told)
    files.write_parquet(files.models_path(name, "credits.parquet"), handed_on(credits))
