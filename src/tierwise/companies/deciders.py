"""Who signs, as a ranking that is tried on later decisions before anybody relies on it.

On each look the model learns from decisions that were known before it, and ranks the people of the
decisions that came after it. Rules that anybody could follow are judged on the same decisions.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from tierwise import examples as ex
from tierwise import files, ranking_within
from tierwise.companies import hits_within
from tierwise.files import InputError

MODEL = "learned"
WHY_COUNT = 3
LEARN_COUNT = 50  # decisions that must be known before the first ranking
WHY_COLUMNS = ["account_id", "person_id", "chance", "place", "told_apart", "none_chance", "why"]


def rolled(
    table: pd.DataFrame, features: Sequence[str], rules: Mapping[str, str], looks_count: int
) -> pd.DataFrame:
    """The last `looks_count` looks, ranked by what was known before each.

    table: of people at looks: decision, account_id, as_of, signed, outcome_known_at, features.
    rules: name -> column by which it ranks. Columns: decision, account_id, as_of, signed, chance,
    then one score per candidate. Raises InputError where too little was known before the first.
    """
    looks = np.sort(table["as_of"].unique())[-looks_count:]
    penalty, parts = None, []
    for look in looks:
        past = table[ex.known_before(table, pd.Timestamp(look))]
        must_suffice(past, look)
        model = learned(past, features, penalty)
        penalty = model.penalty  # chosen once, on what was known before the first look
        rows = table[table["as_of"] == look].reset_index(drop=True)
        ranked = ranking_within.ranked(model, rows[list(features)], rows["decision"])
        part = rows[["decision", "account_id", "as_of", "signed"]].copy()
        part["chance"], part[MODEL] = ranked["chance"], ranked["score"]
        parts.append(part.assign(**{name: rows[column] for name, column in rules.items()}))
    return pd.concat(parts, ignore_index=True)


def must_suffice(past: pd.DataFrame, look: Any) -> None:
    count = int(past["signed"].sum())
    if count < LEARN_COUNT:
        raise InputError(
            f"Before {pd.Timestamp(look):%Y-%m-%d} the signer of {count} orders was known; it "
            f"takes {LEARN_COUNT} to learn from. Lower judged_looks_count, or wait for more."
        )


def learned(
    past: pd.DataFrame, features: Sequence[str], penalty: float | None = None
) -> ranking_within.Within:
    """penalty: None chooses one, by decisions left out."""
    signed = past["signed"].to_numpy("float64")
    return ranking_within.learn(past[list(features)], past["decision"], signed, penalty)


def found(ranked: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Per candidate how early it found the signer, by decision; see `hits_within.by_group`."""
    names = [name for name in ranked if name not in ("decision", "account_id", "as_of", "signed")]
    signed = ranked["signed"].to_numpy()
    return {
        name: hits_within.by_group(ranked[name].to_numpy("float64"), ranked["decision"], signed)
        for name in names
        if name != "chance"
    }


def whose(ranked: pd.DataFrame) -> pd.Series:
    """The account of each decision: decisions of one account have people in common."""
    return ranked.drop_duplicates("decision").set_index("decision")["account_id"]


def compared(ranked: pd.DataFrame) -> pd.DataFrame:
    """Score card: candidate, decisions_count, hit_1, hit_3, reciprocal_rank, ndcg, and how far the
    learned ranking is ahead in hit_1 (ahead_hit_1, with ends low and high, drawn by account)."""
    hits, accounts = found(ranked), whose(ranked)
    lines = []
    for name, table in hits.items():
        line: dict[str, Any] = {"candidate": name, "decisions_count": len(table)}
        line |= table[list(hits_within.FIGURES)].mean().to_dict()
        ahead = hits_within.paired(hits[MODEL], table, accounts).set_index("figure").loc["hit_1"]
        line |= {"ahead_hit_1": ahead["difference"], "low": ahead["low"], "high": ahead["high"]}
        lines.append(line)
    order = pd.DataFrame(lines).sort_values("hit_1", ascending=False, kind="stable")
    return order.reset_index(drop=True)


def promised(ranked: pd.DataFrame, edges: Sequence[float] = (0, 0.05, 0.1, 0.2, 0.4, 1)) -> Any:
    """Do the chances keep their promise? Rows by chance: rows_count, chance, signed_share."""
    group = pd.cut(ranked["chance"], list(edges), include_lowest=True)
    parts = ranked.groupby(group, observed=True)
    told = parts.agg(
        rows_count=("signed", "size"), chance=("chance", "mean"), signed_share=("signed", "mean")
    )
    words = [f"{max(cut.left, 0):.0%} to {cut.right:.0%}" for cut in told.index]
    return told.reset_index(drop=True).assign(chances=words)


def today(
    model: ranking_within.Within, rows: pd.DataFrame, words: Mapping[str, str]
) -> pd.DataFrame:
    """Everybody who could sign now: WHY_COLUMNS, by account, then place.

    words: feature -> what it says of a person who has it; the strongest reasons for a person, as
    against the mean of the account, that have words are told.
    """
    features = list(model.columns)
    ranked = ranking_within.ranked(model, rows[features], rows["account_id"])
    told = rows[["account_id", "person_id"]].join(ranked.drop(columns=["group", "score"]))
    told["why"] = reasons(model, rows, words)
    order = ["account_id", "place", "person_id"]
    return told.sort_values(order, kind="stable", ignore_index=True)[WHY_COLUMNS]


def reasons(
    model: ranking_within.Within, rows: pd.DataFrame, words: Mapping[str, str]
) -> list[list[str]]:
    """Per row the features that lift it most above its account's mean, in words."""
    # Words are true of those who have much of it. Where that is held against them (a weight below
    # 0), it lifts those who have little, and the words would say the contrary of what is so.
    weights = dict(zip(model.columns, model.weights, strict=True))
    names = [name for name, weight in weights.items() if name in words and weight > 0]
    parts = model.standard(rows[list(model.columns)]) * model.weights
    table = pd.DataFrame(parts, columns=list(model.columns), index=rows.index)
    lift = table - table.groupby(rows["account_id"]).transform("mean")
    shown = lift[names].to_numpy()
    order = np.argsort(-shown, axis=1, kind="stable")[:, :WHY_COUNT]
    return [
        [words[names[at]] for at in chosen if shown[row, at] > 0.05]
        for row, chosen in enumerate(order)
    ]


def effects(model: ranking_within.Within, words: Mapping[str, str]) -> pd.DataFrame:
    """What moves a person up or down: feature, words, odds_ratio of one standard deviation."""
    table = pd.DataFrame({"feature": model.columns, "weight": model.weights})
    table["words"] = table["feature"].map(lambda name: words.get(name, name.replace("_", " ")))
    table["odds_ratio"] = np.exp(table["weight"])
    return table.sort_values("weight", ascending=False, ignore_index=True)


def cards(table: pd.DataFrame) -> list[dict[str, str]]:
    """Decisions, accounts, and among how many people the signer had to be found."""
    by_decision = table.groupby("decision").size()
    first, last = table["as_of"].min(), table["as_of"].max()
    return [
        {
            "label": "decisions",
            "value": f"{len(by_decision):,}",
            "note": f"looks from {ex.label(first)} to {ex.label(last)}",
        },
        {"label": "accounts", "value": f"{table['account_id'].nunique():,}"},
        {
            "label": "people per decision",
            "value": f"{by_decision.median():,.0f}",
            "note": "half of the decisions have more",
        },
    ]


def judgement(table: pd.DataFrame) -> tuple[str, str]:
    """Kind of verdict and a sentence: is the learned ranking ahead of the best rule?"""
    rules = table[table["candidate"] != MODEL]
    own, rule = table.set_index("candidate").loc[MODEL], rules.iloc[0]
    count, best = int(own["decisions_count"]), f"by the best rule ({rule['candidate']})"
    told = (
        f"The first name was the signer in {own['hit_1']:.0%} of {count:,} later decisions, in "
        f"{rule['hit_1']:.0%} {best}; the difference is {rule['ahead_hit_1']:+.1%} "
        f"({rule['low']:.1%} to {rule['high']:.1%})."
    )
    others = table.set_index("candidate")["hit_1"].drop([MODEL, rule["candidate"]])
    told += f" The other rules: {', '.join(f'{name} {hit:.0%}' for name, hit in others.items())}."
    return ("supported" if rule["low"] > 0 else "not supported"), told


def shown(ranked: pd.DataFrame, count: int = 20) -> pd.DataFrame:
    """The first person of each account, the clearest cases first: account_id, who, chance,
    told_apart, why."""
    first = ranked.drop_duplicates("account_id")
    order = ["told_apart", "chance", "account_id"]
    first = first.sort_values(order, ascending=[False, False, True], kind="stable").head(count)
    found = first[["account_id", "who", "chance"]].reset_index(drop=True)
    found["told_apart"] = np.where(first["told_apart"], "yes", "no")
    return found.assign(
        account_id=found["account_id"].astype("str"), why=first["why"].map(", ".join).array
    )


def save_metrics(
    about: dict[str, Any], decisions: pd.DataFrame, table: pd.DataFrame, promised: pd.DataFrame
) -> None:
    """metrics/<application>/decision_makers.json."""
    kind, sentence = judgement(table)
    told = about | {
        "verdict": kind,
        "sentence": sentence,
        "decisions_count": int(decisions["decision"].nunique()),
        "candidates": table.to_dict("records"),
        "chances": promised.to_dict("records"),
    }
    files.write_json(files.metrics_path(about["application"], "decision_makers"), told)
