"""Who of us reaches whom: the network of our people and theirs, as it was known at one instant.

Titles stand for people here; nobody is named, and whoever opted out is neither a target nor asked
to introduce anybody.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse

from tierwise import accounts, files
from tierwise import examples as ex
from tierwise.companies import network, next_contact, paths, pooling, strongest
from tierwise.files import InputError
from tierwise.ranking import auc

QUARTER_DAYS = 91
FORMATS = {"better_chance": "share", "team_better_chance": "share"}
NOBODY = "nobody of ours is known there"
WAYS = ["account_id", "person_id", "chance", "ours", "introducer", "introducer_contacts",
        "introducer_last_days", "two_way", "others_count"]  # fmt: skip


@dataclass(frozen=True)
class Net:
    """people: index of all; ours: positions of our people; allowed: 1 for who may introduce."""

    contacts: network.Contacts
    tie: sparse.csr_array
    attention: np.ndarray
    allowed: np.ndarray
    ours: np.ndarray
    titles: pd.Series


def at(found: accounts.Tables, as_of: pd.Timestamp, half_life_days: float) -> Net:
    """The network as it was known then; everybody who works anywhere is in it, in touch or not.

    Raises InputError where nobody works for us.
    """
    known = accounts.known(found, as_of)
    rows = accounts.interactions(known)
    staff = accounts.people(known)
    everybody = np.unique(np.concatenate([rows["from"], rows["to"], staff["person_id"]]))
    contacts = network.contacts(rows, as_of, (half_life_days,), people=pd.Index(everybody))
    tie = network.ties(contacts)
    allowed = ~np.isin(everybody, list(accounts.opted_out(known)))
    ours = np.flatnonzero(np.isin(everybody, list(accounts.our_people(known))))
    if not len(ours):
        raise InputError(
            f"Nobody is known to have worked for us at {ex.label(as_of)}, so nobody could reach "
            "anybody. Mark our own company in the table accounts (ours), and give its positions."
        )
    titles = accounts.titles(known).reindex(everybody).fillna("formerly known")
    return Net(contacts, tie, network.attention(tie), allowed.astype("float64"), ours, titles)


def ways(net: Net, targets: pd.DataFrame) -> pd.DataFrame:
    """Per person in `targets` (account_id, person_id) the best way of ours: WAYS.

    ours, introducer: titles; introducer is "directly" where ours has been in touch, and ours is
    NOBODY where no way exists. others_count: how many more of ours have one. Whoever opted out has
    no row.
    """
    place = network.position(net.contacts.people, targets["person_id"])
    asked = net.allowed[place] > 0
    targets, place = targets[asked], place[asked]
    chance = paths.introduction_chances(net.tie, net.ours, place, net.attention, net.allowed)
    best = chance.argmax(axis=0)
    table = targets[["account_id", "person_id"]].reset_index(drop=True)
    table["chance"] = chance.max(axis=0)
    table["others_count"] = np.maximum((chance > 0).sum(axis=0) - 1, 0)
    table["ours"] = (
        net.titles.iloc[net.ours[best]].where(table["chance"].to_numpy() > 0, NOBODY).array
    )
    steps = introducers(net, np.unique(net.ours[best]), place)
    who = net.contacts.people.to_numpy()
    keys = pd.DataFrame({"source": who[net.ours[best]], "target": who[place]})
    told = keys.merge(steps, how="left", on=["source", "target"])
    own = paths.evidence(net.contacts, net.ours[best], place)
    return table.assign(**through(net, told, own))[WAYS]


def introducers(net: Net, ours: np.ndarray, place: np.ndarray) -> pd.DataFrame:
    """The best introducer from each of ours to each target, with contacts on both steps."""
    found = paths.best_introducers(
        net.contacts, net.tie, ours, np.unique(place), 1, net.attention, net.allowed
    )
    return found.rename(columns={"chance": "step_chance"})


def through(net: Net, told: pd.DataFrame, own: pd.DataFrame) -> dict[str, Any]:
    """Introducer and evidence, or the own contact where there is one."""
    direct = own["count"] > 0
    titles = told["introducer"].map(net.titles)
    titles = titles.mask(direct, "directly").where(titles.notna() | direct, "")
    count = told["second_count"].mask(direct, own["count"])
    days = told["second_last_days"].mask(direct, own["last_days"])
    both = told["second_two_way"].mask(direct, own["two_way"]).fillna(False).astype("bool")
    return {
        "introducer": titles.array,
        "introducer_contacts": count.fillna(0).astype("int64").array,
        "introducer_last_days": days.array,
        "two_way": both.array,
    }


def foretold(
    found: accounts.Tables, until: pd.Timestamp, cuts_count: int, judged_count: int
) -> pd.DataFrame:
    """Is contact foretold? Monthly cuts, the model learned before each judged one.

    Columns: as_of, pairs_count, contact_share, auc, auc_last_contact (sorting by the last contact
    alone) and chance (mean of the foretold ones), one row per judged cut.
    """
    rows = accounts.interactions(found)
    last = pd.Timestamp(until).floor("D") - pd.Timedelta(days=next_contact.HORIZON_DAYS)
    step = pd.Timedelta(days=next_contact.HORIZON_DAYS)
    cuts = [last - step * n for n in range(cuts_count)][::-1]
    known = next_contact.cut_examples(rows, cuts)
    lines = []
    for cut in cuts[-judged_count:]:
        model = next_contact.fit_before(known, cut)
        part = known[known["as_of"] == cut]
        chance, met = model.chance(part), part["contact"].to_numpy()
        line = {"as_of": cut, "pairs_count": len(part), "contact_share": met.mean()}
        line |= {"chance": chance.mean(), "auc": auc(met, chance)}
        lines.append(line | {"auc_last_contact": auc(met, -part["last_days"].to_numpy())})
    return pd.DataFrame(lines)


def attempts(found: accounts.Tables, looks: Sequence[pd.Timestamp]) -> pd.DataFrame:
    """A row per account and quarter: whose it was, and whether it bought; see `pooling.fit`.

    Columns: representative (title), team (of today), segment, size, won. Accounts that somebody
    who works for us today looked after on the first day of the quarter.
    """
    staff = accounts.people(found).set_index("person_id").loc[sorted(accounts.our_people(found))]
    titles, parts = accounts.titles(found), []
    for look in looks:
        known = accounts.known(found, look)
        owner = accounts.latest(known["owners"], "account_id").set_index("account_id")["person_id"]
        profile = accounts.latest(known["accounts"], "account_id").set_index("account_id")
        rows = pd.DataFrame({"representative": owner, "team": owner.map(staff["team"])})
        rows["segment"] = profile["industry"].reindex(rows.index).fillna("not known")
        rows["size"] = profile["employees_count"].reindex(rows.index)
        rows["won"] = rows.index.isin(bought(found, look)).astype("int64")
        parts.append(rows.dropna(subset=["team"]))
    table = pd.concat(parts, ignore_index=True)
    return table.assign(representative=table["representative"].map(titles))


def bought(found: accounts.Tables, look: pd.Timestamp) -> np.ndarray:
    """Accounts that bought within a quarter from then on."""
    orders = found["spend"]
    later = orders[~ex.known_before(orders, look, "occurred_at") & (orders["amount_eur"] > 0)]
    end = ex.horizon_end(pd.Series([look]), QUARTER_DAYS).iloc[0]
    return later.loc[ex.known_before(later, end, "occurred_at"), "account_id"].unique()


def fitted(table: pd.DataFrame) -> pooling.Fitted:
    """Of `attempts`; some seconds, so once a day is often enough."""
    return pooling.fit(table)


def strongest_of_ours(fitted: pooling.Fitted) -> dict[str, strongest.Recommendation]:
    """The strongest representative and the strongest team; "no difference" is an answer."""
    return {"representative": strongest.representative(fitted), "team": strongest.team(fitted)}


def strongest_at(
    fitted: pooling.Fitted, found: accounts.Tables, shown: Sequence[int]
) -> pd.DataFrame:
    """For each account its strongest representative and team, by its industry and size.

    Columns: account_id, representative, better_chance, team, team_better_chance; a name only
    where it is better than the next with a chance of 80 %, else "no difference".
    """
    profile = accounts.latest(found["accounts"], "account_id").set_index("account_id")
    known = set(fitted.deals["segment"])
    lines = []
    for account_id in shown:
        segment, size = profile.loc[account_id, ["industry", "employees_count"]]
        segment = segment if segment in known else None
        size = None if pd.isna(size) else float(size)
        who = strongest.representative(fitted, segment, size)
        team = strongest.team(fitted, segment, size)
        line: dict[str, Any] = {"account_id": str(account_id)}
        line |= {"representative": who.named or who.verdict, "better_chance": who.posterior}
        lines.append(
            line | {"team": team.named or team.verdict, "team_better_chance": team.posterior}
        )
    return pd.DataFrame(lines)


def cards(net: Net, foretold: pd.DataFrame) -> list[dict[str, str]]:
    """People, ties, and how well contact was foretold."""
    return [
        {
            "label": "people in the network",
            "value": f"{len(net.titles):,}",
            "note": f"{len(net.ours):,} of them ours",
        },
        {"label": "ties", "value": f"{net.tie.nnz // 2:,}"},
        {
            "label": "next contact foretold (AUC)",
            "value": f"{foretold['auc'].mean():.3f}",
            "note": f"{foretold['auc_last_contact'].mean():.3f} by the last contact alone",
        },
    ]


def reached(ways: pd.DataFrame) -> str:
    """How many of the targets can be reached at all, and how."""
    count, direct = len(ways), (ways["introducer"] == "directly").sum()
    none = (ways["ours"] == NOBODY).sum()
    through_others = count - direct - none
    return (
        f"Of {count:,} likely signers, {direct:,} know one of us, {through_others:,} can be "
        f"reached through somebody else; to {none:,} nobody of ours has a way."
    )


def shown(ways: pd.DataFrame, net: Net, count: int = 20) -> pd.DataFrame:
    """The warmest ways first: account_id, who, chance, ours, introducer, evidence."""
    order = ["chance", "account_id"]
    first = ways.sort_values(order, ascending=[False, True], kind="stable").head(count)
    found = first.reset_index(drop=True)
    found.insert(1, "who", found["person_id"].map(net.titles))
    found["account_id"] = found["account_id"].astype("str")
    found["introducer_last_days"] = found["introducer_last_days"].round().astype("Int64")
    found["two_way"] = np.where(found["two_way"], "yes", "no")
    return found.drop(columns="person_id").rename(columns={"introducer_contacts": "contacts_count"})


def recommended(best: dict[str, strongest.Recommendation]) -> str:
    """Whom to choose, in words; "no difference" is an answer."""
    parts = []
    for kind, found in best.items():
        if found.verdict == strongest.STRONGEST:
            parts.append(f"Strongest {kind}: {found.named} (chance {found.posterior:.0%}).")
        else:
            parts.append(
                f"No difference between {len(found.any_of)} of {len(found.table)} {kind}s: the "
                f"first is better than the next with a chance of {found.posterior:.0%} only."
            )
    return " ".join(parts)


def save_metrics(
    about: dict[str, Any],
    foretold: pd.DataFrame,
    ways: pd.DataFrame,
    best: dict[str, strongest.Recommendation],
) -> None:
    """metrics/<application>/relationship_paths.json."""
    told = about | {
        "sentence": reached(ways),
        "foretold": foretold.assign(as_of=foretold["as_of"].map(ex.label)).to_dict("records"),
        "reached_share": float((ways["ours"] != NOBODY).mean()),
        "strongest": {
            kind: {"verdict": found.verdict, "named": found.named, "posterior": found.posterior}
            for kind, found in best.items()
        },
    }
    files.write_json(files.metrics_path(about["application"], "relationship_paths"), told)
