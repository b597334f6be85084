"""Interactions: words that people exchange along their ties, and who of ours looks after whom.

A beginning of contact comes in bursts; it is answered or not, and the answer may be answered. Some
are sent to another contact of the sender as well: the same interaction, one more row. Times are in
the working hours of the company at which the tie began.
"""

import numpy as np
import pandas as pd

from tierwise.account_tables import KINDS
from tierwise.simulation.account_settings import AccountSettings
from tierwise.simulation.careers import OURS
from tierwise.simulation.companies import Companies
from tierwise.simulation.delivery import (
    HOUR,
    SECOND,
    coded,
    frame,
    in_order,
    known_times,
    number_texts,
    spans,
)  # fmt: skip
from tierwise.simulation.positions import FIRST_PERSON, Stays
from tierwise.simulation.ties import AGAIN, REPLY, Ties, utc

KIND_SHARES = (0.62, 0.19, 0.10, 0.09)
BURST, BURST_DAYS, ANSWER_DAYS = 0.9, 2.0, 0.35  # further beginnings of a burst; clock days
COPIED_SHARE = 0.25  # of the beginnings; it comes about if the other contact is alive then


def draw_owners(
    companies: Companies, found: Stays, settings: AccountSettings, rng: np.random.Generator
) -> pd.DataFrame:
    """account, stay (of ours) and at: since when; handed on to somebody else who is there when
    one leaves. Some accounts begin later, since nobody looked after them before."""
    first_at, last_at = settings.months[0], settings.months[-1]
    ours = np.flatnonzero(found.account == OURS)
    account = np.arange(1, len(companies.name))
    late = rng.random(len(account)) < 0.2
    wait = np.where(late, rng.uniform(10, 400, len(account)), 0) * 24
    at = first_at + spans(HOUR * (wait + rng.random(len(account))))
    parts = []
    while len(account):
        stay = present_of(ours, found, at, rng)
        had = stay >= 0
        account, at, stay = account[had], at[had], stay[had]
        parts.append(pd.DataFrame({"account": account, "stay": stay, "at": at}))
        at = found.ended[stay] + spans(HOUR * rng.uniform(1, 72, len(account)))
        goes_on = at < last_at
        account, at = account[goes_on], at[goes_on]
    owners = pd.concat(parts, ignore_index=True)
    return owners[owners["at"] < last_at].reset_index(drop=True)


def present_of(
    ours: np.ndarray, found: Stays, at: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """One of our stays that is there at each moment, all alike; -1 where nobody is."""
    there = (found.begun[ours] <= at[:, None]) & (at[:, None] < found.ended[ours])
    drawn = (rng.random((len(at), len(ours))) * there).argmax(axis=1)
    return np.where(there.any(axis=1), ours[drawn], -1)


def owners_table(
    owners: pd.DataFrame,
    companies: Companies,
    found: Stays,
    settings: AccountSettings,
    rng: np.random.Generator,
) -> pd.DataFrame:
    at = owners["at"].to_numpy()
    columns = {
        "account_id": companies.ids[owners["account"]],
        "person_id": FIRST_PERSON + found.person[owners["stay"]],
        "occurred_at": at,
        "known_at": at + spans(SECOND * rng.uniform(1, 600, len(at))),
    }
    return frame(in_order(columns, settings.rows))


def draw_messages(ties: Ties, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Beginnings, answers and words after them: tie (row of ties), back (from the second to the
    first), days, and whether it is a beginning."""
    length = ties.end_days - ties.begin_days
    expected = ties.rates * length[:, None] / (1 + BURST)
    bursts = rng.poisson(expected)
    tie, back = (
        np.repeat(side, bursts.ravel()) for side in np.indices(bursts.shape).reshape(2, -1)
    )
    begun = ties.begin_days[tie] + rng.random(len(tie)) * length[tie]
    more = np.repeat(np.arange(len(tie)), rng.poisson(BURST, len(tie)))
    after = begun[more] + rng.exponential(BURST_DAYS, len(more))
    tie, back = np.concatenate([tie, tie[more]]), np.concatenate([back, back[more]])
    begun = np.concatenate([begun, after])
    answered = np.flatnonzero(rng.random(len(tie)) < REPLY)
    again = np.flatnonzero(rng.random(len(answered)) < AGAIN)
    answer = begun[answered] + rng.exponential(ANSWER_DAYS, len(answered))
    word = answer[again] + rng.exponential(ANSWER_DAYS, len(again))
    rows = np.concatenate([np.arange(len(tie)), answered, answered[again]])
    turned = np.isin(np.arange(len(rows)), len(tie) + np.arange(len(answered)))
    return {
        "tie": tie[rows],
        "back": np.where(turned, 1 - back[rows], back[rows]),
        "days": np.concatenate([begun, answer, word]),
        "beginning": np.arange(len(rows)) < len(tie),
    }


def draw_interactions(
    ties: Ties, found: Stays, settings: AccountSettings, rng: np.random.Generator
) -> pd.DataFrame:
    """sender and receiver (stays), at, message (a number) and kind, in order of time."""
    drawn = draw_messages(ties, rng)
    tie, back = drawn["tie"], drawn["back"] == 1
    sender = np.where(back, ties.second[tie], ties.first[tie])
    receiver = np.where(back, ties.first[tie], ties.second[tie])
    at = utc(drawn["days"], ties.zone[tie])
    ended = np.minimum(found.ended[sender], found.ended[receiver])
    kept = (at < np.minimum(ended, settings.months[-1])) & (at >= settings.months[0])
    table = pd.DataFrame(
        {"sender": sender, "receiver": receiver, "at": at, "beginning": drawn["beginning"]}
    )[kept]
    table["kind"] = rng.choice(len(KINDS), len(table), p=KIND_SHARES)
    table = table.sort_values("at", kind="stable", ignore_index=True)
    table["message"] = np.arange(len(table))
    return pd.concat([table, copied(table, ties, found, rng)], ignore_index=True)


def copied(table: pd.DataFrame, ties: Ties, found: Stays, rng: np.random.Generator) -> pd.DataFrame:
    """Some beginnings once more, to another contact that the sender has at that moment."""
    rows = np.flatnonzero(table["beginning"] & (rng.random(len(table)) < COPIED_SHARE))
    chosen = table.iloc[rows].copy()
    owner = np.concatenate([ties.first, ties.second])
    other = np.concatenate([ties.second, ties.first])
    order = np.argsort(owner, kind="stable")
    low = np.searchsorted(owner[order], chosen["sender"], "left")
    high = np.searchsorted(owner[order], chosen["sender"], "right")
    place = order[low + (rng.random(len(rows)) * (high - low)).astype(int)]
    days = np.concatenate([ties.begin_days, ties.begin_days])[place]
    at, receiver = chosen["at"].to_numpy(), other[place]
    begun = utc(days, np.concatenate([ties.zone, ties.zone])[place])
    kept = (begun <= at) & (receiver != chosen["receiver"]) & (at < found.ended[receiver])
    return chosen.assign(receiver=receiver)[kept]


def interactions_table(
    drawn: pd.DataFrame, found: Stays, settings: AccountSettings, rng: np.random.Generator
) -> pd.DataFrame:
    """As it reaches us: all receivers of a message are known at once; copies come later."""
    drawn = drawn.sort_values(["message", "receiver"], kind="stable", ignore_index=True)
    message = drawn["message"].to_numpy()
    _, first, number = np.unique(message, return_index=True, return_inverse=True)
    at = drawn["at"].to_numpy("datetime64[us]")
    known = known_times(at[first], settings.rows, rng)
    rank = np.empty(len(first), int)
    rank[np.argsort(known, kind="stable")] = np.arange(len(first))
    again = np.flatnonzero(rng.random(len(message)) < settings.copy_share)
    rows = np.concatenate([np.arange(len(message)), again])
    late = np.zeros(len(rows))
    late[len(message) :] = rng.exponential(2 * HOUR, len(again)) + SECOND
    columns = {
        "number": rank[number[rows]],
        "from_id": FIRST_PERSON + found.person[drawn["sender"].to_numpy()[rows]],
        "to_id": FIRST_PERSON + found.person[drawn["receiver"].to_numpy()[rows]],
        "occurred_at": at[rows],
        "known_at": known[number[rows]] + spans(late),
        "kind": coded(drawn["kind"].to_numpy()[rows], KINDS),
    }
    columns = in_order(columns, settings.rows)
    return frame({"interaction_id": number_texts("i", columns.pop("number")), **columns})
