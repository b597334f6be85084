"""The rules of `tierwise.attribution` in pandas merges and in SQL, for `attribution.py`."""

from pathlib import Path

import pandas as pd

from tierwise.referrals.referral_claims import Rules

RULES = Rules()
ANSWER = ["person_id", "sender_id", "link_id", "click_id"]
TABLES = ("members", "links", "clicks")


def read(folder: Path) -> dict[str, pd.DataFrame]:
    return {name: pd.read_parquet(folder / f"{name}.parquet") for name in TABLES}


def with_pandas(folder: Path) -> pd.DataFrame:
    """drop_duplicates, merge, sort, drop_duplicates."""
    rows = read(folder)
    members = rows["members"].sort_values(["occurred_at", "person_id"], ignore_index=True)
    members["place"] = members.index
    members["settled_at"] = members["known_at"] + pd.Timedelta(days=RULES.reopen_days)
    friends = (
        members[~existing(members)].add_suffix("_f").rename(columns={"person_id_f": "person_id"})
    )
    senders = rows["links"].merge(members, on="person_id", suffixes=("_l", ""))
    senders = senders[["link_id", "person_id", "known_at_l", "known_at", "place", *RULES.same_by]]
    senders = senders.rename(columns={"person_id": "sender_id", "known_at": "known_at_s"})
    clicks = rows["clicks"].sort_values("known_at").drop_duplicates("click_id")
    codes = friends[friends["code_f"].notna()].assign(
        link_id=lambda one: one["code_f"],
        occurred_at=lambda one: one["occurred_at_f"],
        known_at=lambda one: one["known_at_f"],
        rank=0,
    )
    own = clicks.merge(friends, left_on="visitor_id", right_on="visitor_id_f").assign(rank=1)
    own = own.rename(columns={"device_id": "device_id_c"})
    claims = pd.concat([codes, own]).merge(senders, on="link_id")
    claims = claims[good(claims)].sort_values(
        ["rank", "occurred_at", "click_id"], ascending=[True, False, True]
    )
    won = claims.drop_duplicates("person_id")[ANSWER]
    found = rows["members"][["person_id"]].merge(won, how="left", on="person_id")
    return found.astype({"sender_id": "Int64"})


def existing(members: pd.DataFrame) -> pd.Series:
    """Somebody who came before, known when it was settled, has the same browser, device or card."""
    found = pd.Series(data=False, index=members.index)
    for name in RULES.existing_by:
        there = members[members[name].notna()]
        before = there.groupby(name)["known_at"].cummin().groupby(there[name]).shift()
        found |= before.reindex(members.index) <= members["settled_at"]
    return found


def good(claims: pd.DataFrame) -> pd.Series:
    skew = pd.Timedelta(minutes=RULES.skew_minutes)
    age = claims["occurred_at_f"] - claims["occurred_at"]
    found = (age >= -skew) & (age <= pd.Timedelta(days=RULES.window_days) + skew)
    for known in ("known_at", "known_at_l", "known_at_s"):
        found &= claims[known] <= claims["settled_at_f"]
    found &= claims["place"] < claims["place_f"]
    for mine, theirs in (
        ("device_id_f", "device_id"),
        ("device_id_c", "device_id"),
        ("payment_id_f", "payment_id"),
    ):
        found &= ~(claims[theirs].notna() & (claims[mine] == claims[theirs]))
    return found


def with_duckdb(folder: Path) -> pd.DataFrame:
    """One statement on the files, on one thread."""
    import duckdb

    connection = duckdb.connect(config={"threads": 1})
    for name in TABLES:
        connection.execute(f"CREATE VIEW {name} AS FROM read_parquet('{folder / name}.parquet')")
    existing = " OR ".join(
        f"({EXISTING.format(name=name, **vars(RULES))})" for name in RULES.existing_by
    )
    return connection.sql(SQL.format(existing=existing, **vars(RULES))).df()


EXISTING = """
    {name} IS NOT NULL AND known_at + INTERVAL '{reopen_days} days' >= min(known_at) OVER (
        PARTITION BY {name} ORDER BY occurred_at, person_id
        ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
"""
SQL = """
WITH people AS (
    SELECT *, known_at + INTERVAL '{reopen_days} days' AS settled_at,
        row_number() OVER (ORDER BY occurred_at, person_id) AS place, {existing} AS existing
    FROM members
), senders AS (
    SELECT link_id, links.person_id AS sender_id, links.known_at AS link_known, place,
        people.known_at AS sender_known, device_id, payment_id
    FROM links JOIN people USING (person_id)
), seen AS (
    SELECT clicks.* FROM clicks SEMI JOIN members USING (visitor_id)
    QUALIFY row_number() OVER (PARTITION BY click_id ORDER BY known_at) = 1
), claims AS (
    SELECT person_id, code AS link_id, NULL AS click_id, occurred_at AS clicked_at,
        known_at AS seen, NULL AS device, 0 AS rank
    FROM people WHERE code IS NOT NULL
    UNION ALL
    SELECT person_id, link_id, click_id, seen.occurred_at, seen.known_at, seen.device_id, 1
    FROM seen JOIN people USING (visitor_id)
), won AS (
    SELECT friend.person_id, sender_id, claims.link_id, click_id
    FROM claims JOIN people AS friend USING (person_id) JOIN senders USING (link_id)
    WHERE NOT coalesce(friend.existing, false)
        AND clicked_at <= friend.occurred_at + INTERVAL '{skew_minutes} minutes'
        AND clicked_at >= friend.occurred_at - INTERVAL '{window_days} days'
            - INTERVAL '{skew_minutes} minutes'
        AND seen <= settled_at AND link_known <= settled_at AND sender_known <= settled_at
        AND senders.place < friend.place
        AND friend.device_id IS DISTINCT FROM coalesce(senders.device_id, '-')
        AND device IS DISTINCT FROM coalesce(senders.device_id, '-')
        AND friend.payment_id IS DISTINCT FROM coalesce(senders.payment_id, '-')
    QUALIFY row_number() OVER (
        PARTITION BY friend.person_id ORDER BY rank, clicked_at DESC, click_id) = 1
)
SELECT person_id, sender_id, link_id, click_id FROM members LEFT JOIN won USING (person_id)
"""
