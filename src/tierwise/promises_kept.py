"""What came of it: deals that closed, or fell due, by the tier they had when they were first seen.

    scores      rows of the ledger: deal_id, scored_at, chance, tier, flag, propensity, shown, ...
    outcomes    one row a deal: deal_id, outcome (1 won, 0 lost), closed_at; owner_id if known.
                A deal that is still open has no row, or no closed_at; with owner_id each has
                a row, or the open ones would look like deals of one owner who never wins.

Worked example, horizon 30 days, asked on 20 June, days 15:

    first look    closed          in closed_lately (5 to 20 June)    in due
    1 May         lost 10 May     no, it closed too early            lost
    1 May         open            no, it has not closed              lost, for 31 May has passed
    18 May        won 19 June     won, by its tier of 5 June         lost: 32 days are too many
    2 June        won 10 June     won, by its tier of 5 June         no, 2 July is still to come

A deal that stays open for long is missing from the deals that closed; so their share of wins is
no test of a chance "within 30 days". Deals that fell due are one: each of them counts.
"""

from typing import Any

import numpy as np
import pandas as pd

from tierwise import alarm, reliability, tiers
from tierwise import draws as drawing
from tierwise import examples as ex
from tierwise.draws import Draws
from tierwise.files import InputError
from tierwise.promises import TREND_P, stair

DAYS = 15
IN_ORDER, OUT_OF_ORDER = "in order", "out of order"
CANNOT_TELL = "can't be told yet"
NOBODY = "nobody to tell by"
SHOWN = ["name", "count", "share", "wins", "rate", "interval", "chance", "reading"]
SHOWN_LATELY = ["name", "count", "share", "wins", "rate", "interval"]
FORMATS_LATELY = dict.fromkeys(["share", "rate", "interval"], "share")
FORMATS = FORMATS_LATELY | {"chance": "share"}


def promised(card: dict[str, Any]) -> tuple[list[str], float]:
    """Names of the tiers, the best first, and within how many days the chance holds.

    Raises InputError for a model without tiers or without a horizon: nothing was promised.
    """
    if not card["tier_shares"] or card["horizon_days"] is None:
        missing = "tiers" if card["horizon_days"] is not None else "horizon"
        raise InputError(
            f"The model of {card['application']} has no {missing}, so it promised nothing that "
            f"could be kept. Its verdict is: {card['verdict']}."
        )
    return list(card["tier_shares"]), card["horizon_days"]


def checked(outcomes: pd.DataFrame) -> pd.DataFrame:
    """`outcomes` by deal. Raises InputError unless each deal has one row and 0 or 1."""
    by_deal = outcomes.set_index(outcomes["deal_id"].astype(str)).drop(columns="deal_id")
    twice = by_deal.index[by_deal.index.duplicated()]
    if len(twice):
        raise InputError(f"Deal {twice[0]} has two outcomes. Give each deal the one that stands.")
    closed = by_deal["closed_at"].notna()
    wrong = by_deal.loc[closed & ~by_deal["outcome"].isin([0, 1]), "outcome"]
    if len(wrong):
        raise InputError(
            f"An outcome must be 1 (won) or 0 (lost); deal {wrong.index[0]} has {wrong.iloc[0]}."
        )
    return by_deal


def first_looks(scores: pd.DataFrame, outcomes: pd.DataFrame) -> pd.DataFrame:
    """The first row of each deal, unless it was decided by then; with what came of it.

    Never a later row: a tier that was given when the end was near is no promise. Columns of
    scores, and outcome, closed_at and whatever else outcomes has; missing for open deals.
    """
    found = scores.sort_values(["scored_at", "rank"], kind="stable").drop_duplicates("deal_id")
    found = found.assign(deal_id=found["deal_id"].astype(str))
    by_deal = checked(outcomes)
    unknown = found["deal_id"][~found["deal_id"].isin(by_deal.index)]
    if "owner_id" in by_deal and len(unknown):
        raise InputError(
            f"Where outcomes tell owners they must tell all; deal {unknown.iloc[0]} has no row, as "
            f"{len(unknown):,} of {len(found):,} deals. Give open ones a row without closed_at."
        )
    found = found.join(by_deal, on="deal_id")
    open_or_later = found["closed_at"].isna() | ex.earlier(found["scored_at"], found["closed_at"])
    return found[open_or_later].reset_index(drop=True)


def closed_lately(
    scores: pd.DataFrame, outcomes: pd.DataFrame, until: pd.Timestamp, days: float = DAYS
) -> pd.DataFrame:
    """Deals that closed in the last `days` before `until`, by their first look in these days.

    In order of closed_at. Deals without a look before they closed are left out.
    """
    since = until - pd.Timedelta(days=days)
    found = first_looks(scores[~ex.known_before(scores, since, "scored_at")], outcomes)
    found = found[ex.known_before(found, until, "closed_at")]
    return found.sort_values("closed_at", kind="stable", ignore_index=True)


def due(
    scores: pd.DataFrame, outcomes: pd.DataFrame, until: pd.Timestamp, horizon_days: float
) -> pd.DataFrame:
    """Deals whose horizon, counted from their first look in `scores`, ended before `until`.

    outcome is 1 where the deal was won inside the horizon, else 0, closed or not. It counts as
    known when the horizon ends, as in learning: known when it happens, wins would come before the
    losses of the same day, and look like too many. In order of scored_at; outcome_known_at is new.
    """
    found = first_looks(scores, outcomes)
    found["outcome_known_at"] = ex.horizon_end(found["scored_at"], horizon_days)
    found = found[ex.known_before(found, until)].reset_index(drop=True)
    in_time = ex.earlier(found["closed_at"], found["outcome_known_at"])
    return found.assign(outcome=(in_time & (found["outcome"] == 1)).astype(float))


def drawn(rows: pd.DataFrame, time: str = "scored_at") -> Draws:
    """Weeks and, where told, owners drawn again. rows: ascending by `time`.

    time: closed_at for deals that closed, since most of them were first seen in one hour.
    """
    if rows.empty:
        nobody, once = np.array([], dtype=int), np.ones((2, 1), dtype=int)
        return Draws(nobody, nobody, once, once)
    owners = rows["owner_id"].to_numpy() if "owner_id" in rows else None
    return drawing.draw(ex.week_or_block(rows[time]), owners)


def by_tier(
    rows: pd.DataFrame, names: list[str], draws: Draws, card: dict[str, Any] | None = None
) -> pd.DataFrame:
    """How each tier converted, beside what was promised. A row per tier, the best first.

    card: of the export, for the rates that it states. Columns: name, count, share, wins, rate and
    interval of `tiers.conversion`; chance (mean promised, NaN in an empty tier), p and reading of
    `reliability.by_segment`; card_rate and card_interval (None where the card has none).
    """
    outcome, tier = rows["outcome"].to_numpy(dtype=float), rows["tier"].to_numpy()
    known = {found["name"]: found for found in (card or {}).get("tiers", [])}
    table = tiers.conversion(outcome, tier, names, draws) if len(rows) else nobody(names)
    chance = rows["chance"].to_numpy()
    judged = reliability.by_segment(outcome, chance, rows[["tier"]], draws).set_index("segment")
    judged = judged.reindex(names).astype({"chance": float, "p": float, "reading": object})
    judged["reading"] = judged["reading"].where(judged["chance"].notna(), NOBODY)
    for name in ("chance", "p", "reading"):
        table[name] = judged[name].to_numpy()
    for name in ("rate", "interval"):
        stated = [known.get(tier, {}).get(name) for tier in names]
        table[f"card_{name}"] = pd.Series(stated, dtype=object)
    return table


def nobody(names: list[str]) -> pd.DataFrame:
    """`tiers.conversion` of no rows."""
    table = pd.DataFrame({"name": names, "count": 0, "share": 0.0, "wins": 0, "rate": None})
    return table.assign(interval=[[0.0, 1.0]] * len(names))


def cards(closed: pd.DataFrame, scores: pd.DataFrame, until: pd.Timestamp) -> list[dict[str, str]]:
    """Headline: deals that closed lately, scores in the ledger, and until when all is known."""
    hours = f"of {scores['scored_at'].nunique():,} hours"
    wins = int(closed["outcome"].sum())
    return [
        {"label": "Deals closed", "value": f"{len(closed):,}", "note": f"{wins:,} of them won"},
        {"label": "Scores kept", "value": f"{len(scores):,}", "note": hours},
        {"label": "Known until", "value": f"{until:%Y-%m-%d}", "note": f"{until:%H:%M} UTC"},
    ]


def kept(table: pd.DataFrame) -> str:
    """`by_tier` in a sentence."""
    if not table["count"].sum():
        return "No deal has an outcome yet."
    there = [row for row in table.itertuples(index=False) if row.count]
    off = [f"{row.name}: {row.reading}" for row in there if row.reading != reliability.AS_PROMISED]
    promised = [f"{row.name} {row.chance:.0%}" for row in there]
    told = "As promised" if not off else "; ".join(off)
    return f"{stair(table)}; promised on average were {', '.join(promised)}. {told}."


def calibration(rows: pd.DataFrame, draws: Draws) -> dict[str, pd.DataFrame]:
    """line: level, intercept, slope of `reliability.level_and_slope`; bins: of `with_bands`.

    rows: at least one.
    """
    outcome, chance = rows["outcome"].to_numpy(dtype=float), rows["chance"].to_numpy()
    line = reliability.level_and_slope(outcome, chance, draws)
    return {"line": line, "bins": reliability.with_bands(outcome, chance)}


def order(rows: pd.DataFrame, names: list[str], draws: Draws) -> dict[str, Any]:
    """Does every tier convert better than the next one? And do outcomes leave the chances?

    rows: of `due`. standing: "in order" if the trend has p < 0.01 and every gap has an interval
    above 0; "out of order" if a tier converts worse than the next one beyond luck; else "can't be
    told yet". rings: out of order, or a CUSUM of `alarm.watch` has passed its limit. gaps and
    alarms are tables, trend_p and sentence say the rest.
    """
    outcome, tier = rows["outcome"].to_numpy(dtype=float), rows["tier"].to_numpy()
    gaps = tiers.gaps(outcome, tier, names, draws)
    _, p = tiers.trend(outcome, tier, names, draws) if len(rows) else (0.0, 1.0)
    low, high = (np.array([ends[at] for ends in gaps["interval"]]) for at in (0, 1))
    standing = IN_ORDER if p < TREND_P and (low > 0).all() else CANNOT_TELL
    standing = OUT_OF_ORDER if (high < 0).any() else standing
    watched = rows.rename(columns={"deal_id": "entity_id"})
    alarms, _ = alarm.watch(watched, names)
    rung = alarm.rings(alarms)
    sentence = f"{said(standing, gaps, high)} {alarm.sentence(alarms)}"
    found = {"standing": standing, "rings": rung or standing == OUT_OF_ORDER, "trend_p": p}
    return found | {"gaps": gaps, "alarms": alarms, "sentence": sentence}


def said(standing: str, gaps: pd.DataFrame, high: np.ndarray) -> str:
    names = " > ".join([*gaps["better"], gaps["worse"].iloc[-1]])
    if standing == IN_ORDER:
        return f"{names}: every tier converts better than the next one, beyond luck."
    if standing == OUT_OF_ORDER:
        worst = gaps.loc[int(np.argmin(high))]
        return f"{names} is broken: tier {worst['worse']} converts better than {worst['better']}."
    return f"{names} {CANNOT_TELL} with so few outcomes."


def plain_order(found: dict[str, Any]) -> dict[str, Any]:
    """`order` for a metrics file."""
    tables = {name: found[name].to_dict("records") for name in ("gaps", "alarms")}
    return found | tables
