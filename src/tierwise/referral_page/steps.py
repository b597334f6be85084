"""What the page of the whole programme shows, and what it leaves behind."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from tierwise import attribution, files, json_archive
from tierwise import examples as ex
from tierwise.referral_page import personal, places
from tierwise.referral_page.ground import Ground, is_past, later_by
from tierwise.referrals import generation_time, growth, referral_chains
from tierwise.referrals import sign_up_sources as sources
from tierwise.referrals.growth import Growth
from tierwise.rewards import due as rd
from tierwise.rewards import ledger

STEP = "referral_page"
SPENT = (rd.HELD, rd.PAYABLE, ledger.PAID)
HORIZON_DAYS = 90.0  # within which K is told where the whole of it is not


def stored(one: Ground) -> int:
    """Write the values of all members' pages to models/<application>/; how many there are."""
    shared = files.models_path(one.application, places.SHARED)
    digest = places.ledger_digest(files.project_root(), one.application)
    files.write_json(shared, personal.shared(one) | {"ledger": digest})
    path = files.models_path(one.application, places.PAGES)
    return json_archive.write(path, personal.members(one))


def lately(one: Ground, days: float) -> pd.DataFrame:
    """Sign-ups of the last days by where they came from: channel, sign_up_count, share, low,
    high."""
    start = one.as_of - pd.Timedelta(days=days)
    rows = one.credits[~ex.earlier(one.credits["occurred_at"], start)]
    return sources.by_channel(rows)


def by_month(one: Ground) -> pd.DataFrame:
    """Sign-ups of each whole month by channel: period, channel, sign_up_count, share."""
    table = sources.by_period(one.credits, "month")
    return table[table["period"] < one.as_of.to_period("M").start_time].reset_index(drop=True)


def growing(one: Ground) -> Growth | None:
    """K and cycle time of all members, within HORIZON_DAYS where nobody has been one for long
    enough to tell all of it; None where too few were brought."""
    brood = growth.brood(growth.with_senders(one.credits), one.as_of)
    if (brood.sender >= 0).sum() < generation_time.LEAST_WAITS:
        return None
    whole = growth.fit(brood)
    if whole.time.told or (brood.waits_days <= HORIZON_DAYS).sum() < generation_time.LEAST_WAITS:
        return whole
    return growth.fit(brood, horizon_days=HORIZON_DAYS)


def money(one: Ground) -> pd.DataFrame:
    """Rewards by state: state, reward_count, amount_eur; states without any are left out."""
    table = ledger.sums(one.states)
    return table[table["reward_count"] > 0].reset_index(drop=True)


def cost(one: Ground) -> dict[str, float]:
    """buyers_count, spent_eur (paid, to be paid or being checked), each_eur of a buyer."""
    spent = float(one.states.loc[one.states["state"].isin(SPENT), "amount_eur"].sum())
    buyers = int(one.friends["has_bought"].sum())
    each = spent / buyers if buyers else np.nan
    return {"buyers_count": buyers, "spent_eur": round(spent, 2), "each_eur": each}


def cost_by_month(one: Ground) -> pd.DataFrame:
    """month in which rewards became known, amount_eur of both sides by state; whole months."""
    rows = one.states[one.states["known_at"].notna() & one.states["state"].isin(ledger.STATES)]
    period = rows["known_at"].dt.to_period("M")
    table = rows.pivot_table("amount_eur", period, "state", aggfunc="sum", fill_value=0.0)
    table = table[table.index < one.as_of.to_period("M")]
    table = table.reindex(columns=[name for name in ledger.STATES if name in table])
    return table.set_axis(table.index.to_timestamp()).rename_axis("month").reset_index()


def senders(one: Ground, count: int) -> pd.DataFrame:
    """Who brought most buyers: member, tier, friends_count, buyers_count, whole_chain_count (with
    those whom their friends brought, and so on), flagged_count, reward_eur."""
    forest = referral_chains.forest(growth.with_senders(one.credits))
    rows = forest.set_index("person_id")
    friends = one.friends.groupby("sender_id")
    table = pd.DataFrame(
        {"friends_count": friends.size(), "buyers_count": friends["has_bought"].sum()}
    )
    table["whole_chain_count"] = rows["descendants_count"].reindex(table.index)
    mine = one.states[(one.states["side"] == rd.SENDER) & one.states["state"].isin(SPENT)]
    table["reward_eur"] = mine.groupby("person_id")["amount_eur"].sum()
    flagged = one.states[one.states["is_flagged"] & (one.states["side"] == rd.SENDER)]
    table["flagged_count"] = flagged.groupby("person_id").size()
    table = table.fillna(0.0).rename_axis("member").reset_index()
    order = ["buyers_count", "friends_count", "member"]
    table = table.sort_values(order, ascending=[False, False, True]).head(count)
    tier = table["member"].map(one.tiers).fillna("–") if len(one.tiers) else None
    table = table.assign(
        member=table["member"].astype("str"), **({} if tier is None else {"tier": tier})
    )
    counts = {name: "int64" for name in table if name.endswith("_count")}
    return table.astype(counts).reset_index(drop=True)


def examples(one: Ground) -> dict[str, int]:
    """Three members to look at: who brought most buyers without a doubt, who has a reward that is
    being checked for longer, and the newest one with a link who brought nobody. Fewer, if there is
    no such member."""
    mine = one.states[one.states["side"] == rd.SENDER]
    doubtful = mine[mine["is_flagged"] | (mine["state"] == ledger.REFUSED)]["person_id"]
    bought = one.friends[one.friends["has_bought"]]["sender_id"]
    good = bought[~bought.isin(doubtful)].value_counts()
    found = {}
    if len(good):
        found["who brought most friends who bought"] = int(min(good.index[good == good.max()]))
    kept = mine[(mine["state"] == rd.HELD) & is_past(mine["payable_at"], one.as_of)]
    kept = kept if len(kept) else mine[mine["state"] == rd.HELD]
    if len(kept):
        found["with a reward that is being checked"] = int(kept["person_id"].mode().iloc[0])
    links = one.tables["links"].sort_values(["occurred_at", "person_id"])
    known = pd.concat([one.friends["sender_id"], one.uncounted["sender_id"]])
    alone = links.loc[~links["person_id"].isin(known), "person_id"]
    if len(alone):
        found["who has brought nobody yet"] = int(alone.iloc[-1])
    return found


def late(rows: pd.DataFrame, one: Ground, days: float) -> pd.DataFrame:
    """Rewards that could be paid more than so many days ago."""
    return rows[is_past(later_by(rows["payable_at"], days), one.as_of)]


def save_metrics(
    about: Mapping[str, Any],
    verdict: tuple[str, str],
    tables: Mapping[str, pd.DataFrame],
    extra: Mapping[str, Any],
) -> None:
    """metrics/<application>/referral_page.json. tables: by name; extra: as it is."""
    told = {"entity": "member", "verdict": verdict[0], "sentence": verdict[1]}
    shown = {name: stamped(rows).to_dict("records") for name, rows in tables.items()}
    content = {**about, **told, **shown, **extra}
    files.write_json(files.metrics_path(about["application"], STEP), content)


def stamped(rows: pd.DataFrame) -> pd.DataFrame:
    """With times as dates of text."""
    times = rows.select_dtypes("datetime").columns
    return rows.assign(**{name: rows[name].dt.strftime("%Y-%m-%d") for name in times})


def come_by_links(one: Ground, days: float) -> list[float]:
    """Share of the sign-ups of the last days that are credited to a sender, low, high."""
    table = lately(one, days).set_index("channel")
    if attribution.LINK not in table.index:
        return [0.0, 0.0, 1.0]
    return [float(value) for value in table.loc[attribution.LINK, ["share", "low", "high"]]]
