"""One member's invitations as plain values: my link, whom I brought, what became of my rewards.

A friend is a month and a state. No number, mail, device, payment or address of a friend is among
these values, so no page that is made of them can show one. Nor is there the reason for which a
reward is held or was refused: whoever tried to cheat would learn which sign gave it away.
"""

from collections.abc import Iterator
from typing import Any

import pandas as pd

from tierwise.calls.text import readable
from tierwise.invitations.logged import NONE
from tierwise.invitations.texts import filled
from tierwise.referral_page import ground as gr
from tierwise.referral_page import rule_words
from tierwise.referral_page.ground import Ground
from tierwise.rewards import due as rd
from tierwise.rewards import ledger

BOUGHT, JOINED, UNCOUNTED = "bought", "joined", "not counted"
MOST_FRIENDS = 100  # shown one by one; the sums are of all
LINK_HERE = "{link}"
NOTHING: list[dict[str, Any]] = []


def members(one: Ground) -> Iterator[tuple[int, dict[str, Any]]]:
    """person_id and values of everybody, by person_id: see `member`."""
    friends, rewards = by_sender(one), by_person(one)
    uncounted = grouped(uncounted_rows(one), "sender_id")
    links = gr.newest_links(one.tables)[["link_id", "campaign", "occurred_at"]]
    link_of = {who: row for who, *row in links.itertuples(name=None)}
    interest_of, place = gr.interests(one), {pair: at for at, pair in enumerate(pairs(one))}
    for who, joined_at in joined(one.tables).items():
        mine = friends.get(who, NOTHING), uncounted.get(who, NOTHING), rewards.get(who, NOTHING)
        told = member(one, *mine) | {"person_id": who, "joined": f"{joined_at:%Y-%m}"}
        told["link"] = link(link_of.get(who))
        told["text"] = place[fitting(one, interest_of.get(who))]
        yield who, told


def member(
    one: Ground,
    friends: list[dict[str, Any]],
    uncounted: list[dict[str, Any]],
    rewards: list[dict[str, Any]],
) -> dict[str, Any]:
    """friends and their counts, by month, rewards by state in cents, my own welcome reward."""
    shown = sorted(friends + uncounted, key=lambda row: row["at"], reverse=True)
    return {
        "friends": [public(row) for row in shown[:MOST_FRIENDS]],
        "more_count": max(len(shown) - MOST_FRIENDS, 0),
        "friends_count": len(friends),
        "buyers_count": sum(row["status"] == BOUGHT for row in friends),
        "uncounted_count": len(uncounted),
        "months": by_month(friends),
        "sums": sums(rewards),
        "welcome": next((public(row) for row in rewards if row["side"] == rd.FRIEND), None),
    }


def public(row: dict[str, Any]) -> dict[str, Any]:
    """Without what only serves to sort and to add up."""
    return {name: value for name, value in row.items() if name not in ("at", "side")}


def joined(tables: gr.Tables) -> dict[int, pd.Timestamp]:
    rows = tables["members"].sort_values("person_id")
    return dict(zip(rows["person_id"].tolist(), rows["occurred_at"], strict=True))


def by_sender(one: Ground) -> dict[int, list[dict[str, Any]]]:
    """Friends of each sender: joined, status, why ("", or that the credit is not settled yet),
    reward (state, cents, on) or None."""
    mine = one.states[one.states["side"] == rd.SENDER]
    state = mine.set_index("friend_id")[["state", "amount_eur"]].assign(on=day(mine).to_numpy())
    state = state[~state.index.duplicated()]
    rows = one.friends.join(state, on="friend_id")
    is_open = ~gr.is_past(rows["settled_at"], one.as_of)
    told = pd.DataFrame(
        {
            "sender_id": rows["sender_id"],
            "at": rows["occurred_at"],
            "joined": rows["occurred_at"].dt.strftime("%Y-%m"),
            "status": rows["has_bought"].map({True: BOUGHT, False: JOINED}),
            "why": is_open.map({True: "may still change", False: ""}),
            "reward": rewards_of(rows),
        }
    )
    return grouped(told, "sender_id")


def rewards_of(rows: pd.DataFrame) -> list[dict[str, Any] | None]:
    columns = rows["state"], rows["amount_eur"], rows["on"]
    return [
        None if pd.isna(state) else {"state": state, "cents": cents(amount), "on": on or ""}
        for state, amount, on in zip(*columns, strict=True)
    ]


def uncounted_rows(one: Ground) -> pd.DataFrame:
    rows = one.uncounted
    return pd.DataFrame(
        {
            "sender_id": rows["sender_id"],
            "at": rows["occurred_at"],
            "joined": rows["occurred_at"].dt.strftime("%Y-%m"),
            "status": UNCOUNTED,
            "why": rows["why"],
            "reward": None,
        }
    )


def by_person(one: Ground) -> dict[int, list[dict[str, Any]]]:
    """All rewards of each person, of both sides: side, state, cents, on."""
    rows = one.states
    told = {"person_id": rows["person_id"], "at": rows["known_at"], "side": rows["side"]}
    whole = (rows["amount_eur"] * 100).round().astype("int64")
    # paid and taken back again: its entries sum to zero
    told |= {"state": rows["state"], "cents": whole.where(rows["state"] != ledger.UNDONE, 0)}
    return grouped(pd.DataFrame(told | {"on": day(rows)}), "person_id")


def day(rows: pd.DataFrame) -> pd.Series:
    """The day that belongs to the state: of the decision or payment, else from which it is paid;
    "" while nothing was earned."""
    at = rows["at"].fillna(rows["payable_at"])
    told = at.dt.strftime("%Y-%m-%d").astype("object")
    return told.where(at.notna() & (rows["state"] != rd.WAITING), "")


def grouped(rows: pd.DataFrame, key: str) -> dict[int, list[dict[str, Any]]]:
    """Rows by the key, without it, in their order."""
    found: dict[int, list[dict[str, Any]]] = {}
    keys = rows[key].tolist()
    for who, row in zip(keys, rows.drop(columns=key).to_dict("records"), strict=True):
        found.setdefault(int(who), []).append(row)
    return found


def cents(amount: float) -> int:
    return round(amount * 100)


def sums(rewards: list[dict[str, Any]]) -> dict[str, list[int]]:
    """state -> [count, cents], in the order of `ledger.STATES`; only states that there are."""
    found: dict[str, list[int]] = {}
    for state in ledger.STATES:
        amounts = [row["cents"] for row in rewards if row["state"] == state]
        if amounts:
            found[state] = [len(amounts), sum(amounts)]
    return found


def by_month(friends: list[dict[str, Any]]) -> dict[str, list[int]]:
    """month -> [joined, of these bought], months with friends only."""
    found: dict[str, list[int]] = {}
    for row in friends:
        counts = found.setdefault(row["joined"], [0, 0])
        counts[0] += 1
        counts[1] += row["status"] == BOUGHT
    return dict(sorted(found.items()))


def link(row: list[Any] | None) -> dict[str, Any] | None:
    """code, campaign and time of the link made last; None for who has none."""
    if row is None:
        return None
    code, campaign, made_at = row
    return {
        "code": readable(code),
        "campaign": readable(campaign),
        "made_at": f"{made_at:%Y-%m-%dT%H:%M:%S}",
    }


def fitting(one: Ground, interest: str | None) -> tuple[str, str | None]:
    """template and interest of the text of somebody with this interest; of which there are words,
    else None: so a text says nothing that members typed."""
    texts = one.terms.texts
    name = one.policy.get(interest or NONE, one.policy.get(NONE, ""))
    template = name if name in texts else next(iter(texts))
    return template, interest if interest in texts[template].words else None


def pairs(one: Ground) -> list[tuple[str, str | None]]:
    """All of `fitting` that there are, in order."""
    return [
        (name, interest)
        for name, text in one.terms.texts.items()
        for interest in (None, *text.words)
    ]


def text(one: Ground, name: str, interest: str | None) -> dict[str, str]:
    """subject and body, with {link} still to be filled in."""
    found = filled(one.terms.texts[name], interest, LINK_HERE)
    return {"subject": found.subject, "body": found.body}


def shared(one: Ground) -> dict[str, Any]:
    """What all pages have in common."""
    terms, reward = one.terms, one.reward
    return {
        "application": one.application,
        "simulated": one.simulated,
        "as_of": f"{one.as_of:%Y-%m-%d}",
        "rules": rule_words.told(one.rules, reward, terms.answer_days, terms.appeal_address),
        "offer": rule_words.rewarded(reward),
        "welcome": rule_words.welcome(reward),
        "most_a_year_count": reward.most_a_year_count,
        "paid_when": reward.paid_when,
        "answer_days": terms.answer_days,
        "appeal_address": terms.appeal_address,
        "join_page": terms.join_page,
        "campaign": terms.campaign,
        "texts": [text(one, *pair) for pair in pairs(one)],
    }
