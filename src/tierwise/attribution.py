"""Who brought whom: each sign-up goes to one link, one shared item, or to nobody.

    claim       something that speaks for a link: its code, typed at sign-up, or a click in the same
                browser; for a shared item: that it was opened in the same browser
    in time     a click or an opening at most window_days before the sign-up; skew_minutes more,
                and as much after it, since clocks go wrong
    order       a typed code beats clicks, these beat shared items. Among clicks the last one counts
                (touch: last) or the first; of two in one instant the smaller id
    eligible    the sender signed up earlier, is not the friend, and shares neither device nor means
                of payment with it (same_by); nobody signed up earlier with the friend's browser,
                device or means of payment (existing_by)
    settled     reopen_days after we learned of the sign-up. What is learned later changes nothing

So a friend has one sender, and the first one confirmed stays. A credit depends on what happened and
on what was known when it was settled, never on the order of arrival: the same rows give the same
credit, however often and in whatever order they come. Rows of a browser with one click_id are
copies; the first known counts.

Worked example, 30 days, last touch: clicks on A's link on 1 March and on B's on 20 March, sign-up
on 22 March: B. A click on C's link on 21 March of which we learn on 25 March moves it to C; had we
learned of it on 30 March, B would stay. If B signed up on the same device, it would be A.
"""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

import numpy as np
import pandas as pd

from tierwise import examples as ex
from tierwise.features import check_times
from tierwise.files import InputError
from tierwise.referrals import referral_claims as rc
from tierwise.referrals.referral_claims import ABSENT, TRAITS, Claims, People, Rules

CODE, CLICK, SHARE, ITSELF = "code", "click", "shared item", "itself"
SOURCES = (CODE, CLICK, SHARE, ITSELF)
REFERRED = (CODE, CLICK)  # with these a sender is credited
LINK, UNKNOWN = "link", "unknown"
TOUCHES = ("last", "first")
MOST_DAYS = 36_500
COLUMNS = {
    "members": ("person_id", "occurred_at", "known_at", "visitor_id"),
    "links": ("link_id", "person_id", "known_at"),
    "clicks": ("click_id", "link_id", "visitor_id", "occurred_at", "known_at"),
    "shares": ("share_id", "person_id", "visitor_id", "occurred_at", "known_at"),
}


def rules_of(given: Mapping[str, Any]) -> Rules:
    """The rules of a section of params.yaml. Raises InputError for what is no rule."""
    known = [field.name for field in fields(Rules)]
    strange = [name for name in given if name not in known]
    if strange:
        raise InputError(f"There is no rule {strange[0]}; there are {', '.join(known)}.")
    lists = {name: tuple(given[name]) for name in ("same_by", "existing_by") if name in given}
    return checked(Rules(**{**given, **lists}))


def checked(rules: Rules) -> Rules:
    if rules.touch not in TOUCHES:
        raise InputError(f"touch must be {' or '.join(TOUCHES)}, not {rules.touch!r}.")
    for name in ("window_days", "reopen_days", "skew_minutes"):
        if not 0 <= getattr(rules, name) <= MOST_DAYS:
            raise InputError(f"{name} must be 0 to {MOST_DAYS}, not {getattr(rules, name)}.")
    strange = [name for name in (*rules.same_by, *rules.existing_by) if name not in TRAITS]
    if strange:
        raise InputError(f"Nobody is known by {strange[0]}; choose among {', '.join(TRAITS)}.")
    return rules


def attributed(
    members: pd.DataFrame,
    links: pd.DataFrame,
    clicks: pd.DataFrame,
    shares: pd.DataFrame | None = None,
    rules: Rules | None = None,
    as_of: pd.Timestamp | None = None,
) -> pd.DataFrame:
    """One row per member, by person_id: where the sign-up goes, from what was known before `as_of`.

    The tables are those of `referral_tables`; a column that may be missing there may be left out.
    Columns: person_id; occurred_at; source (one of SOURCES); sender_id, missing for "itself";
    link_id (and campaign, if links have it) of codes and clicks; evidence_id, the click or the
    opening; waited_days from it to the sign-up; channel ("link", "shared item", or how they came by
    themselves: "unknown" where nobody noted it); refused, of those who came by themselves: why the
    best claim was refused, if there was one; settled_at, UTC. Raises InputError.
    """
    own = checked(rules or Rules())
    people = rc.people_in_order(cut(members, as_of, "members"), own)
    links, clicks = cut(links, as_of, "links"), cut(clicks, as_of, "clicks")
    whose, ids = rc.links_of(links, people), links["link_id"]
    evidence = {CODE: people.rows["person_id"], CLICK: clicks["click_id"]}
    found = {
        CODE: rc.typed(people, whose, ids, own),
        CLICK: rc.clicked(people, whose, ids, clicks, own),
    }
    if shares is not None:
        shares = cut(shares, as_of, "shares")
        evidence[SHARE] = shares["share_id"]
        found[SHARE] = rc.opened(people, shares, own)
    count = len(people.rows)
    accepted, refused = (
        {
            source: best(claims, (claims.reason == 0) == kept, count, own.touch, evidence[source])
            for source, claims in found.items()
        }
        for kept in (True, False)
    )
    table = told(people, found, accepted, refused)
    return named(table, people, links, evidence).sort_values("person_id", ignore_index=True)


def cut(table: pd.DataFrame, as_of: pd.Timestamp | None, name: str) -> pd.DataFrame:
    """What was known before `as_of`. Raises InputError where a column or a time is missing."""
    missing = [column for column in COLUMNS[name] if column not in table]
    if missing:
        raise InputError(f"Table {name} needs the column {', '.join(missing)}. Rename yours.")
    times = [column for column in COLUMNS[name] if column.endswith("_at")]
    check_times(**{f"{column} of {name}": rc.micros(table[column]) for column in times})
    return table if as_of is None else table[ex.known_before(table, as_of, "known_at")]


def best(
    claims: Claims, is_asked: np.ndarray, count: int, touch: str, ids: pd.Series
) -> np.ndarray:
    """Of each of `count` members the claim that counts among those asked, or ABSENT.

    ids: of the rows that claims come from; of two in one instant the smaller one counts.
    """
    asked = np.flatnonzero(is_asked)
    friend, at = claims.friend[asked], claims.at[asked]
    latest = np.full(count, np.iinfo("int64").min)
    sign = 1 if touch == "last" else -1
    np.maximum.at(latest, friend, sign * at)
    asked = asked[sign * at == latest[friend]]
    again = (np.bincount(claims.friend[asked], minlength=1) > 1)[claims.friend[asked]]
    if again.any():
        doubtful = pd.DataFrame({"at": asked[again], "friend": claims.friend[asked[again]]})
        doubtful["id"] = ids.iloc[claims.row[asked[again]]].astype("str").to_numpy()
        first = doubtful.sort_values(["id", "at"]).drop_duplicates("friend")["at"]
        asked = np.r_[asked[~again], first.to_numpy("int64")]
    found = np.full(count, ABSENT)
    found[claims.friend[asked]] = asked
    return found


def told(
    people: People,
    found: dict[str, Claims],
    accepted: dict[str, np.ndarray],
    refused: dict[str, np.ndarray],
) -> pd.DataFrame:
    """Per member, in order of sign-up: source and reason by number; sender, link, row by place."""
    count = len(people.rows)
    columns = {name: np.full(count, ABSENT) for name in ("sender", "link", "row", "reason")}
    columns |= {"source": np.full(count, len(SOURCES) - 1), "at": np.zeros(count, dtype="int64")}
    for number, (source, claims) in enumerate(found.items()):
        free = (columns["source"] == len(SOURCES) - 1) & (accepted[source] != ABSENT)
        chosen = accepted[source][free]
        columns["source"][free] = number
        for name in ("sender", "link", "row", "at"):
            columns[name][free] = getattr(claims, name)[chosen]
        spoke = (columns["reason"] == ABSENT) & (refused[source] != ABSENT)
        columns["reason"][spoke] = claims.reason[refused[source][spoke]]
    return pd.DataFrame(columns)


def named(
    table: pd.DataFrame, people: People, links: pd.DataFrame, evidence: dict[str, pd.Series]
) -> pd.DataFrame:
    """Places and numbers as ids, times and words."""
    source = pd.Categorical.from_codes(table["source"], categories=SOURCES)
    rows = people.rows
    itself = (source == ITSELF).astype(bool)
    by_itself = rows["channel"].fillna(UNKNOWN) if "channel" in rows else UNKNOWN
    channel = pd.Series(by_itself, rows.index, dtype="str")
    channel = channel.where(itself, SHARE).mask(np.isin(source, REFERRED), LINK)
    reasons = pd.Series(rc.REASONS, dtype="str").replace("", pd.NA)
    waited = (people.at - table["at"].to_numpy()) / rc.DAY_US
    is_seen = np.isin(source, (CLICK, SHARE))
    columns = {"person_id": rows["person_id"], "occurred_at": times(people.at), "source": source}
    columns |= {"sender_id": at_places(rows["person_id"].astype("Int64"), table["sender"])}
    columns |= {"link_id": at_places(links["link_id"], table["link"])}
    if "campaign" in links:
        columns["campaign"] = at_places(links["campaign"], table["link"])
    shown = pd.Series(pd.NA, rows.index, dtype="str")
    for name in (name for name in (CLICK, SHARE) if name in evidence):
        mine = (source == name).astype(bool)
        shown[mine] = evidence[name].iloc[table["row"][mine]].to_numpy()
    columns |= {"evidence_id": shown, "waited_days": np.where(is_seen, waited, np.nan)}
    refused = at_places(reasons, table["reason"].where(itself, ABSENT))
    columns |= {"channel": channel, "refused": refused, "settled_at": times(people.settled)}
    return pd.DataFrame(columns)


def at_places(values: pd.Series, place: pd.Series) -> Any:
    """The values at these places, missing where the place is ABSENT."""
    return values.array.take(place.to_numpy("int64"), allow_fill=True)


def times(at: np.ndarray) -> np.ndarray:
    return at.view("datetime64[us]")
