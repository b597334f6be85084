"""The page about referrals that look wrong: its cards, its verdict, its queue, what leaves the run.

The rules of the verdict, the first that holds:

    cannot rank      nobody is credited, or fewer than LEAST_REFERENCE members came by themselves
    not supported    of those reviewed (from LEAST_READ on) too few are confirmed; else by the truth
                     where it is known: too few of a ring found, or too many honest members flagged
    supported        reviews or the truth say that it is right
    info             nobody has reviewed any, and nobody knows the truth
"""

import json
from collections.abc import Mapping
from html import escape
from typing import Any

import pandas as pd
from IPython.display import HTML

from tierwise import files, report
from tierwise.evaluation import wilson
from tierwise.referral_fraud.found import Found
from tierwise.referral_fraud.measured import CONFIDENCE
from tierwise.report import format_value
from tierwise.rewards import ledger as rl
from tierwise.rewards.ledger import CLEARED, CONFIRMED, OPEN

LEAST_REFERENCE, LEAST_READ = 200, 10
LEAST_CONFIRMED, LEAST_RECALL, MOST_HONEST = 0.5, 0.9, 0.02
Known = dict[str, Any] | None
QUEUE_FORMATS = {"group": "text", "at_stake_eur": "eur", "score": "count"}
KIND_FORMATS = {"between": "share"}
SUM_FORMATS = {"amount": "text"}
LIMITS = "margin:.15rem 0 0;overflow-wrap:anywhere"


def share(value: Any) -> str:
    return format_value(value, "share")


def money(value: float) -> str:
    return f"€{value:,.2f}"


def due_to_flagged(found: Found, states: pd.DataFrame) -> pd.DataFrame:
    """Rewards of flagged friends that nobody cleared, sender's and friend's."""
    open_ones = found.flags.loc[found.flags["state"] != CLEARED, "person_id"]
    return states[states["friend_id"].isin(open_ones)]


def cost(found: Found, states: pd.DataFrame) -> dict[str, float]:
    """What the flagged would get: earned_eur, the condition is met; waiting_eur, if it ever is."""
    rows = due_to_flagged(found, states)
    is_waiting = rows["state"] == "waiting"
    amount = rows["amount_eur"]
    return {"earned_eur": amount[~is_waiting].sum(), "waiting_eur": amount[is_waiting].sum()}


def cards(found: Found, states: pd.DataFrame, known: Known) -> list[dict[str, str]]:
    """How many look wrong, what they would cost, what the rules refused, and how right that is."""
    credited, flagged = len(found.credited), len(found.flags)
    money_of, refused = cost(found, states), int((~found.rows["is_credited"]).sum())
    table = [
        {
            "label": "referrals that look wrong",
            "value": f"{flagged:,}",
            "note": f"{share(flagged / max(credited, 1))} of {credited:,} credited friends, in "
            f"{len(found.groups):,} groups",
        },
        {
            "label": "rewards that they have earned",
            "value": money(money_of["earned_eur"]),
            "note": f"held until reviewed; {money(money_of['waiting_eur'])} more if they buy",
        },
        {
            "label": "refused before by the rules",
            "value": f"{refused:,}",
            "note": "same device or payment, or an account that was there before",
        },
    ]
    if not known:
        return table
    for label, name in (
        ("members of rings found", "recall"),
        ("honest friends flagged", "honest_flagged"),
    ):
        table.append(
            {
                "label": label,
                "value": share(known[name]),
                "interval": share(known[f"{name}_interval"]),
                "note": f"{known[f'{name}_count']} of {known[f'{name}_of_count']:,}; known because "
                "the members are simulated",
            }
        )
    return table


def reviewed(found: Found) -> dict[str, Any]:
    """confirmed_count, read_count, share and interval of confirmed among those reviewed."""
    state = found.flags["state"]
    yes, count = int((state == CONFIRMED).sum()), int((state != OPEN).sum())
    part = yes / count if count else float("nan")
    return {"confirmed_count": yes, "read_count": count, "share": part,
            "interval": wilson(yes, count, CONFIDENCE)}  # fmt: skip


def judgement(found: Found, known: Known) -> tuple[str, str]:
    """Kind of verdict and a sentence, by the rules at the head of this module."""
    alone, credited = found.usual.reference_count, len(found.credited)
    if not credited or alone < LEAST_REFERENCE:
        return "cannot rank", (
            f"{credited:,} friends are credited and {alone:,} members came by themselves; it takes "
            f"one and {LEAST_REFERENCE} to say what is usual. Wait for more, or review by hand."
        )
    words = f"{len(found.flags):,} of {credited:,} credited friends show several unusual signs."
    read = reviewed(found)
    if read["read_count"] >= LEAST_READ:
        low, high = read["interval"]
        words += f" Of {read['read_count']} that were reviewed, {read['share']:.0%} are confirmed"
        words += f" ({low:.0%} to {high:.0%})."
        return "supported" if read["share"] >= LEAST_CONFIRMED else "not supported", words
    if not known:
        return "info", f"{words} Nobody has checked: review the first ten groups of the queue."
    few = known["honest_flagged"] <= MOST_HONEST
    told = f" Of honest friends {share(known['honest_flagged'])} are flagged"
    if not known["recall_of_count"]:
        kind = "supported" if few else "not supported"
        return kind, f"{words}{told}; there are no rings among these simulated members."
    words += f" Of the members of rings {share(known['recall'])} are found."
    good = few and known["recall"] >= LEAST_RECALL
    kind = "supported" if good else "not supported"
    return kind, f"{words}{told}; known only because these members are simulated."


def shown_queue(found: Found, states: pd.DataFrame, most: int = 12) -> pd.DataFrame:
    """The first groups: group, friends, senders, refused, first and last day, at_stake_eur
    (all rewards for them, earned or not), score, and
    how many of its friends are still to be reviewed."""
    rows = due_to_flagged(found, states)
    group_of = found.flags.set_index("person_id")["group_id"]
    due = rows["amount_eur"].groupby(rows["friend_id"].map(group_of)).sum()
    is_open = (found.flags["state"] == OPEN).groupby(found.flags["group_id"]).sum()
    top = found.groups.head(most)
    return pd.DataFrame(
        {
            "group": top["group_id"].astype("str"),
            "friends": top["friend_count"],
            "senders": top["sender_count"],
            "refused": top["refused_count"],
            "at_stake_eur": top["group_id"].map(due).fillna(0.0),
            "first": top["first_at"],
            "last": top["last_at"],
            "score": top["score"],
            "to_review": top["group_id"].map(is_open).fillna(0).astype("int64"),
        }
    )


def evidence(found: Found, most: int = 4) -> HTML:
    """A card for each of the first groups: its signs in words, and how many friends show them."""
    chosen = found.groups.head(most)
    if chosen.empty:
        return HTML('<p class="note">No referral looks wrong.</p>')
    return HTML("\n".join(group_card(found, int(group)) for group in chosen["group_id"]))


def group_card(found: Found, group: int) -> str:
    mine = found.flags[found.flags["group_id"] == group]
    pieces = [
        {**piece, "person_id": person}
        for person, text in zip(mine["person_id"], mine["evidence"], strict=True)
        for piece in json.loads(text)
    ]
    table = pd.DataFrame(pieces).sort_values(["weight", "person_id"], ascending=[False, True])
    counts = table.groupby("sign").size()
    first = table.drop_duplicates("sign")
    lines = "".join(
        f'<p style="{LIMITS}"><b>{counts[row.sign]} of {len(mine)}</b> '
        f"({row.weight:+.1f}): friend {row.person_id} {escape(row.words)}.</p>"
        for row in first.itertuples()
    )
    people = ", ".join(str(one) for one in mine["person_id"].head(12))
    more = f" and {len(mine) - 12} more" if len(mine) > 12 else ""
    return (
        '<article class="card" style="margin:0 auto 1rem;max-width:46rem">'
        f'<h3 style="margin:0">Group {group}</h3><p class="note" style="{LIMITS}">friends '
        f"{escape(people + more)}; {escape(', '.join(sorted(set(mine['state']))))}</p>{lines}"
        "</article>"
    )


def kinds(known: Known) -> HTML:
    """How well each kind of ring is found, or that nobody knows."""
    if known is None:
        return report.verdict(
            "info",
            "Nobody knows the truth here. Review the queue: its precision is what is confirmed.",
        )
    return report.table(shown_kinds(known["by_kind"]), KIND_FORMATS)


def honest(known: Known) -> HTML:
    """How many of each honest kind are flagged, or that nobody knows."""
    if known is None:
        words = "Nobody knows the truth here. Look for offices among those whom reviews cleared."
        return report.verdict("info", words)
    return report.table(shown_honest(known["honest"]), KIND_FORMATS)


def shown_kinds(table: pd.DataFrame) -> pd.DataFrame:
    """Rings by kind: how many claims, refused, flagged, missed, the share with its interval."""
    named = table.rename(columns={"ring_count": "rings", "claim_count": "claims"})
    named["kind"] = named["kind"].str.replace("_", " ")
    names = {f"{one}_count": one for one in ("refused", "flagged", "missed")}
    named["between"] = named[["low", "high"]].to_numpy("float64").tolist()
    order = ["kind", "rings", "claims", *names.values(), "flagged_share", "between", "found_share"]
    return named.rename(columns=names)[order]


def shown_honest(table: pd.DataFrame) -> pd.DataFrame:
    found = table.rename(columns={"credited_count": "friends", "flagged_count": "flagged"})
    found["between"] = found[["low", "high"]].to_numpy("float64").tolist()
    return found[["kind", "friends", "flagged", "flagged_share", "between"]]


def shown_sums(states: pd.DataFrame) -> pd.DataFrame:
    """Rewards by state, amounts to the cent."""
    table = rl.sums(states)
    columns = {"state": table["state"], "rewards": table["reward_count"]}
    return pd.DataFrame(columns | {"amount": table["amount_eur"].map(money)})


def save_metrics(
    about: Mapping[str, Any], found: Found, states: pd.DataFrame, known: Known
) -> None:
    """metrics/<application>/referral_fraud.json (no person) and the flags in models/."""
    application = str(about["application"])
    files.write_parquet(files.models_path(application, "referral_flags.parquet"), found.flags)
    verdict, sentence = judgement(found, known)
    told: dict[str, Any] = {**about, "verdict": verdict, "sentence": sentence}
    told |= {"credited_count": len(found.credited), "flagged_count": len(found.flags)}
    told |= {"group_count": len(found.groups), "threshold": found.asked.threshold}
    told["refused_count"] = int((~found.rows["is_credited"]).sum())
    told["flagged_share"] = len(found.flags) / max(len(found.credited), 1)
    told |= cost(found, states) | {f"reviewed_{k}": v for k, v in reviewed(found).items()}
    told["usual"] = found.usual.shares
    told["rewards"] = rl.sums(states).set_index("state").to_dict("index")
    if known:
        told["known"] = {name: value for name, value in known.items() if not is_table(value)}
        told["known"]["by_kind"] = known["by_kind"].set_index("kind").to_dict("index")
        told["known"]["honest"] = known["honest"].set_index("kind").to_dict("index")
    files.write_json(files.metrics_path(application, "referral_fraud"), told)


def is_table(value: Any) -> bool:
    return isinstance(value, pd.DataFrame)
