"""Where each person stands in a network of dated interactions, such as mails.

An interaction is one row: from_person_id, to_person_id, occurred_at, kind. A mail to three people
is three rows with the same sender, time and kind. What somebody sends to himself says nothing and
is left out, and so is a second copy of the same row.

Worked example, three mails between 1, 2 and 3:

    Mon 09:00  1 -> 2, 3     one mail to two: 2 and 3 have one sender, 1 has two receivers
    Mon 11:00  2 -> 1        a reply after 2 hours: replies_to_hours of 1, replies_by_hours of 2
    Sat 10:00  3 -> 1        a reply after 121 hours, and all that 3 sent was on a weekend

Position finds who decides only weakly: title, product use and past deals say more. So every
measure is meant as one input among others, as a rank within the company (`ranks_within`).
"""

from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
from scipy.sparse import csr_array

from tierwise import examples as ex
from tierwise.companies import centrality
from tierwise.files import InputError

COLUMNS = ("from_person_id", "to_person_id", "occurred_at", "kind")
REPLY_MAX_HOURS = 7 * 24  # later than a week it is a new matter, not a reply
WORK_HOURS = (8, 18)
SATURDAY = 5


def positions(
    interactions: pd.DataFrame,
    as_of: Any = None,
    zone: str = "UTC",
    source_count: int | None = None,
) -> pd.DataFrame:
    """One row per person that sent or received anything, by person id ascending.

    interactions: any order, times in UTC. as_of: only what occurred strictly before it counts;
    None counts all. zone: the clock by which hours and weekends are read. source_count: betweenness
    from so many people only, see `centrality`. Columns, NaN where a person has no such case:

        senders_count, receivers_count, mutual_count   distinct people
        received_count, sent_count                     interactions
        pagerank_share, authority_share, hub_share     of all people, each sums to 1
        betweenness_share                              of all shortest ways between two others
        clustering_share                               of the pairs of contacts, in contact
        replies_to_hours, replies_by_hours             median of others to the person, of the person
        one_to_one_sent_share, one_to_one_received_share
        after_hours_share, weekend_share               of what the person sent
        senders_sd_count, receivers_sd_count           standard deviation over months
        contacts_kept_share                            of two months' contacts, in both; mean

    Raises InputError where a column is missing or nothing is left.
    """
    rows = usable(interactions, as_of)
    people = pd.Index(np.unique(rows[["from_person_id", "to_person_id"]]), name="person_id")
    sender = people.get_indexer(rows["from_person_id"])
    receiver = people.get_indexer(rows["to_person_id"])
    count = csr_array((np.ones(len(rows)), (sender, receiver)), shape=(len(people),) * 2)
    measures = (
        degrees(count)
        | centralities(count, source_count)
        | reply_times(rows["occurred_at"], sender, receiver, len(people))
        | manners(rows, sender, receiver, len(people), zone)
        | variability(ex.month_or_block(rows["occurred_at"]), sender, receiver, len(people))
    )
    return pd.DataFrame(measures, index=people)


def usable(interactions: pd.DataFrame, as_of: Any = None) -> pd.DataFrame:
    """The rows that count, in order of time; see the head of this module."""
    missing = [name for name in COLUMNS if name not in interactions]
    if missing:
        raise InputError(
            f"Interactions must have the columns {', '.join(COLUMNS)}; {', '.join(missing)} is "
            f"missing among {', '.join(map(str, interactions.columns))}. Rename the columns."
        )
    rows = interactions.loc[:, list(COLUMNS)]
    rows = rows[rows["from_person_id"] != rows["to_person_id"]].drop_duplicates()
    if as_of is not None:
        rows = rows[ex.known_before(rows, as_of, "occurred_at")]
    if rows.empty:
        raise InputError(
            f"Of {len(interactions)} interactions none is between two people"
            f"{'' if as_of is None else f' before {ex.label(as_of)}'}. Give an earlier history."
        )
    order = ["occurred_at", "from_person_id", "to_person_id", "kind"]
    return rows.sort_values(order, kind="stable").reset_index(drop=True)


def ranks_within(measures: pd.DataFrame, group: pd.Series) -> pd.DataFrame:
    """Each measure as the share of the group that stands below, ties half: in (0, 1), mean 0.5.

    group: company or account of each row, on the same index; a missing one is a group of its own.
    The rank of a missing value is 0.5: an unknown measure speaks for nobody. Column names end in
    `_rank` in addition.
    """
    grouped = measures.groupby(group.reindex(measures.index), dropna=False)
    known = measures.notna().groupby(group.reindex(measures.index), dropna=False).transform("sum")
    ranks = (grouped.rank() - 0.5) / known
    return ranks.fillna(0.5).add_suffix("_rank")


def degrees(count: csr_array) -> dict[str, np.ndarray]:
    """Distinct contacts and interactions per person. count: from each to each, shape (n, n)."""
    linked = (count > 0).astype(float)
    return {
        "senders_count": linked.sum(axis=0),
        "receivers_count": linked.sum(axis=1),
        "mutual_count": linked.multiply(linked.T).sum(axis=1),
        "received_count": count.sum(axis=0),
        "sent_count": count.sum(axis=1),
    }


def centralities(count: csr_array, source_count: int | None = None) -> dict[str, np.ndarray]:
    """Shares that follow from the whole network; a link weighs its share of the sender's rows."""
    hub, authority = centrality.hubs_and_authorities(centrality.of_the_sender(count))
    return {
        "pagerank_share": centrality.pagerank(count),
        "authority_share": authority,
        "hub_share": hub,
        "betweenness_share": centrality.betweenness(count, source_count),
        "clustering_share": centrality.clustering(count),
    }


def reply_times(
    occurred_at: pd.Series, sender: np.ndarray, receiver: np.ndarray, people_count: int
) -> dict[str, np.ndarray]:
    """Median hours until a reply. All by row, in order of time; see the head of this module.

    A reply is the first row of a pair that goes the other way, within a week of the row before.
    """
    one, other = np.minimum(sender, receiver), np.maximum(sender, receiver)
    order = np.lexsort((np.arange(len(sender)), other, one))
    one, other, by = one[order], other[order], sender[order]
    turned = (one[1:] == one[:-1]) & (other[1:] == other[:-1]) & (by[1:] != by[:-1])
    times = occurred_at.iloc[order]
    hours = ex.days_passed(times.iloc[:-1], times.iloc[1:]) * 24
    counted = turned & (hours <= REPLY_MAX_HOURS)
    return {
        "replies_to_hours": median_by(by[:-1][counted], hours[counted], people_count),
        "replies_by_hours": median_by(by[1:][counted], hours[counted], people_count),
    }


def median_by(person: np.ndarray, values: np.ndarray, people_count: int) -> np.ndarray:
    """Median of each person's values, shape (people_count,); NaN without any."""
    return pd.Series(values).groupby(person).median().reindex(range(people_count)).to_numpy()


def mean_by(person: np.ndarray, values: np.ndarray, people_count: int) -> np.ndarray:
    """Mean of each person's values, shape (people_count,); NaN without any."""
    total = np.bincount(person, values, people_count)
    rows_count = np.bincount(person, minlength=people_count)
    return np.divide(total, rows_count, where=rows_count > 0, out=np.full(people_count, np.nan))


def manners(
    rows: pd.DataFrame, sender: np.ndarray, receiver: np.ndarray, people_count: int, zone: str
) -> dict[str, np.ndarray]:
    """How the person is written to and writes: alone or in a crowd, in which hours.

    What left one sender at one time in one kind is one message, however many received it.
    """
    message = rows.groupby(["from_person_id", "occurred_at", "kind"], sort=False, dropna=False)
    alone = (message["to_person_id"].transform("size") == 1).to_numpy(float)
    first = ~rows.duplicated(["from_person_id", "occurred_at", "kind"]).to_numpy()
    local = rows["occurred_at"].dt.tz_localize("UTC").dt.tz_convert(zone)
    weekend = (local.dt.day_of_week >= SATURDAY).to_numpy()
    at_work = local.dt.hour.between(WORK_HOURS[0], WORK_HOURS[1] - 1).to_numpy()
    late = ~at_work & ~weekend
    by = sender[first]
    return {
        "one_to_one_sent_share": mean_by(by, alone[first], people_count),
        "one_to_one_received_share": mean_by(receiver, alone, people_count),
        "after_hours_share": mean_by(by, late[first].astype(float), people_count),
        "weekend_share": mean_by(by, weekend[first].astype(float), people_count),
    }


def variability(
    month: pd.Series, sender: np.ndarray, receiver: np.ndarray, people_count: int
) -> dict[str, np.ndarray]:
    """How the contacts change from month to month. All by row, in order of time."""
    shape = people_count, people_count
    ends = np.flatnonzero(month.ne(month.shift(-1)).to_numpy()) + 1
    links = [
        csr_array((np.ones(len(part)), (sender[part], receiver[part])), shape=shape) > 0
        for part in np.split(np.arange(len(month)), ends[:-1])
    ]
    senders = np.array([link.sum(axis=0) for link in links])
    receivers = np.array([link.sum(axis=1) for link in links])
    contacts = [((link + link.T) > 0).astype(float) for link in links]
    kept = [kept_share(a, b) for a, b in pairwise(contacts)]
    return {
        "senders_sd_count": senders.std(axis=0),
        "receivers_sd_count": receivers.std(axis=0),
        "contacts_kept_share": mean_known(kept, people_count),
    }


def kept_share(earlier: csr_array, later: csr_array) -> np.ndarray:
    """Contacts of both months over those of either (Jaccard), NaN without any; shape (n,)."""
    both = earlier.multiply(later).sum(axis=1)
    either = earlier.sum(axis=1) + later.sum(axis=1) - both
    return np.divide(both, either, where=either > 0, out=np.full(len(both), np.nan))


def mean_known(values: list[np.ndarray], people_count: int) -> np.ndarray:
    """Mean over the list of what is no NaN, shape (people_count,); NaN where all are."""
    table = np.array(values).reshape(-1, people_count)
    known = ~np.isnan(table)
    total, rows_count = np.where(known, table, 0).sum(axis=0), known.sum(axis=0)
    return np.divide(total, rows_count, where=rows_count > 0, out=np.full(people_count, np.nan))
