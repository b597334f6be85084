"""From whom does asking change most, and does any order know it? On later looks, against the lot.

    <rule>      a rule of one line, such as the most active first
    chance      the highest chance to bring a buyer first: what most programmes do
    <learner>   the largest difference that asking makes first, see `targeting.learners`

All rest on what asking can't have changed, and learn from earlier looks. Judged by Qini, per
head: how many more buyers the order finds than a random one of those that asking brings, with
intervals by trees of referrals.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from tierwise.advocates import ranked as rk
from tierwise.advocates import rankers
from tierwise.advocates import truth as tr
from tierwise.advocates.ahead import score_name
from tierwise.advocates.asked import has_lot
from tierwise.referrals.referral_data import Tables
from tierwise.targeting import effects_by, learners
from tierwise.targeting import judged as measured

CHANCE = "chance"
LEARNED = ("s_logistic", "dr_learner")
TITLES = {"s_logistic": "learned effect", "dr_learner": "learned effect, doubly robust"}
NEW_DAYS = 30.0
EMPTY = pd.DataFrame(columns=["order", "qini", "low", "high", "ahead", "ahead_low", "ahead_high"])


def judged(
    known: pd.DataFrame,
    columns: Sequence[str],
    rules: Mapping[str, str],
    found: rk.Ranked,
) -> pd.DataFrame:
    """Rows of the judged looks, of both groups, with a score per order.

    known: both groups; columns: what asking can't have changed; rules: name -> such a column.
    """
    parts = []
    for usable, now in rk.turns(known, sorted(found.judged["as_of"].unique())):
        asked = usable[~usable["never_asked"].to_numpy("bool")]
        model = rankers.fitted_logistic(asked, columns, found.c, found.settings)
        scores = {name: rankers.by_rule(now, column) for name, column in rules.items()}
        scores[CHANCE] = model.score(now)
        if has_lot(usable):
            scores |= learned(usable, columns, now)
        parts.append(now.assign(**{score_name(name): one for name, one in scores.items()}))
    return pd.concat(parts, ignore_index=True)


def learned(
    usable: pd.DataFrame, columns: Sequence[str], now: pd.DataFrame
) -> dict[str, np.ndarray]:
    """What asking is expected to add for the rows `now`, by each of LEARNED."""
    treated = ~usable["never_asked"].to_numpy("bool")
    outcome, names = usable["outcome"].to_numpy("float64"), list(columns)
    past = learners.past(
        usable[names], treated, outcome, float(treated.mean()), usable["person_id"].to_numpy()
    )
    return {name: learners.CANDIDATES[name](past)(now[names]) for name in LEARNED}


def compared(rows: pd.DataFrame, root: pd.Series) -> pd.DataFrame:
    """Each order: order, qini, low, high, ahead (of the order by chances), ahead_low, ahead_high.

    rows: of `judged`; root: of `asked.trees`. Empty without a lot.
    """
    if not has_lot(rows):
        return EMPTY
    treated = ~rows["never_asked"].to_numpy("bool")
    cluster = root.reindex(rows["person_id"]).to_numpy("int64")
    scores = {name: rows[score_name(name)].to_numpy() for name in orders(rows)}
    outcome = rows["outcome"].to_numpy("float64")
    found = measured.measured(scores, treated, outcome, CHANCE, cluster)
    return found.rename(columns={"ranker": "order"})[list(EMPTY)]


def curves(rows: pd.DataFrame, root: pd.Series, table: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Qini curves to draw, of the best order first and of the one by chances: name -> `band`.

    rows: of `judged`; table: of `compared`. None without a lot.
    """
    if table.empty:
        return {}
    best = str(table.loc[table["qini"].idxmax(), "order"])
    treated = ~rows["never_asked"].to_numpy("bool")
    cluster = root.reindex(rows["person_id"]).to_numpy("int64")
    outcome = rows["outcome"].to_numpy("float64")
    return {
        title(name): measured.band(rows[score_name(name)].to_numpy(), treated, outcome, cluster)
        for name in dict.fromkeys([best, CHANCE])
    }


def by_channel(rows: pd.DataFrame, credits: pd.DataFrame, root: pd.Series) -> pd.DataFrame:
    """What asking changes for members by how they came: of `effects_by.by_segment`.

    rows: person_id, never_asked, outcome; credits: of `attribution.attributed`. Empty without a
    lot.
    """
    if not has_lot(rows):
        return pd.DataFrame({"segment": [], "effect": []})
    channel = credits.set_index("person_id")["channel"].astype("str")
    person = rows["person_id"]
    return effects_by.by_segment(
        rows["outcome"].to_numpy("float64"),
        ~rows["never_asked"].to_numpy("bool"),
        channel.reindex(person).to_numpy(),
        root.reindex(person).to_numpy("int64"),
    ).table


def title(order: str) -> str:
    return TITLES.get(order, order.replace("_", " "))


def orders(rows: pd.DataFrame) -> list[str]:
    """Names of the orders, as the rows have them."""
    end = score_name("")
    return [str(name).removesuffix(end) for name in rows if str(name).endswith(end)]


def clearly_ahead(table: pd.DataFrame) -> str | None:
    """The best order that is above 0, and ahead of the order by chances, with whole intervals."""
    better = table[(table["low"] > 0) & (table["ahead_low"] > 0)]
    return None if better.empty else str(better.loc[better["qini"].idxmax(), "order"])


def agreements(rows: pd.DataFrame, truth: Tables | None) -> pd.DataFrame:
    """How far each order agrees with the truth: truth, order, agreement, low, high.

    Among members who signed up at most NEW_DAYS before the look: later hardly anybody brings
    somebody, and any order that puts new members first is right for that reason alone.
    """
    new = rows[rows["joined_recency_days"] <= NEW_DAYS]
    targets = ("invites_rate", "effect_share")
    parts = [tr.agreement(new, truth, name, orders(rows)).assign(truth=name) for name in targets]
    table = pd.concat(parts, ignore_index=True)
    table = table.assign(order=table["order"].map(title))
    return table[["truth", "order", "agreement", "low", "high"]]
