"""What the page about engagement stores, and what is known of a simulated world beside it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from tierwise import examples as ex
from tierwise import files
from tierwise.customers import activity_groups as ag
from tierwise.customers import engagement_judged as ej
from tierwise.customers import point_replay, point_weights
from tierwise.customers.engagement_page import judgement
from tierwise.features import window_name

STEP = "engagement"
TRUTH = ("weights", "states")
STORED = ["person_id", "as_of", "points", "group", "state", "since"]


def truth(folder: Path | None) -> dict[str, pd.DataFrame]:
    """What is known of a simulated world; {} where nobody knows it."""
    if folder is None:
        return {}
    return {name: files.read_parquet(folder / f"{name}.parquet") for name in TRUTH}


def true_weights(
    known: Mapping[str, pd.DataFrame], events: pd.DataFrame, today: pd.DataFrame
) -> pd.Series | None:
    """See `point_weights.true_one_more`; None where nobody knows it. known: of `truth`."""
    return point_weights.true_one_more(events, today, known["weights"]) if known else None


def true_states(table: pd.DataFrame, states: pd.DataFrame) -> pd.DataFrame:
    """What the simulated state was of people in each state here: state, count, a share per true
    state. states: person_id, state, began_at (missing: from the beginning)."""
    until = table["as_of"].iloc[0]
    begun = states[states["began_at"].isna() | ex.known_before(states, until, "began_at")]
    last = begun.drop_duplicates("person_id", keep="last").set_index("person_id")["state"]
    true = last.reindex(table["person_id"]).astype("object").to_numpy()
    found = pd.crosstab(table["state"], true, normalize="index")
    found = found.reindex([state for state in ag.STATES if state in found.index])
    found = found.rename(columns=lambda name: f"truly_{name}_share")
    sizes = table["state"].value_counts().reindex(found.index)
    found.insert(0, "count", sizes)
    return found.rename_axis("state").reset_index().rename_axis(columns=None)


def save(application: str, table: pd.DataFrame) -> None:
    """models/<application>/engagement.parquet: STORED, chance_<days>d, decile, tier, may_contact;
    by person_id."""
    chances = [name for name in table if str(name).startswith("chance_")]
    order = [*STORED, *chances, "decile", "tier", "may_contact"]
    files.write_parquet(files.models_path(application, f"{STEP}.parquet"), table[order])


def simulated_truth(
    table: pd.DataFrame, weights: pd.DataFrame, known: Mapping[str, pd.DataFrame]
) -> dict[str, Any]:
    """How groups and weights agree with the truth; {} where nobody knows it. table:
    `engagement.now`; weights: `point_weights.as_shares`."""
    if not known:
        return {}
    return {
        "states": true_states(table, known["states"]).to_dict("records"),
        "weights_rank_correlation": point_weights.agreement(weights),
    }


def horizon_told(found: ej.Judged, days: float) -> dict[str, Any]:
    """One horizon, for metrics."""
    return {
        "horizon_days": days,
        "chosen": found.name,
        "learned_from": found.design_name,
        "judged_from": ex.label(found.rows["as_of"].iloc[0]),
        "judged_until": ex.label(found.rows["as_of"].iloc[-1]),
        "rows_count": len(found.rows),
        "bought_before_count": len(found.again),
        "bought_share": found.rows["outcome"].mean(),
        "candidates": ej.card(found).to_dict("records"),
        "ahead": ej.versus(found, found.name).to_dict("records"),
        "hand_ahead": ej.versus(found, ej.HAND).to_dict("records"),
        "designs": found.designs.to_dict("records"),
    }


def save_metrics(
    about: dict[str, Any],
    judged: Mapping[float, ej.Judged],
    table: pd.DataFrame,
    last: pd.DataFrame,
    weights: pd.DataFrame,
    known: Mapping[str, pd.DataFrame],
) -> None:
    """metrics/<application>/engagement.json. about: facts that are told as they are; table:
    `engagement.now`; last: `tier_moves`; weights: `point_weights.as_shares`; known: of `truth`."""
    days, found = next(iter(judged.items()))
    kind, sentence = judgement(found, days)
    told = about | {
        "verdict": kind,
        "sentence": sentence,
        "customers_count": len(table),
        "states": {state: int((table["state"] == state).sum()) for state in ag.STATES},
        "expected_count": float(table[f"chance{window_name(days)}"].sum()),
        "horizons": [horizon_told(one, length) for length, one in judged.items()],
        "simulated_truth": simulated_truth(table, weights, known),
        "weights": weights.to_dict("records"),
        "replay": point_replay.summary(last).drop(columns="as_of").to_dict("records")[0]
        | {"moved_share": float((last["before_tier"] != last["after_tier"]).mean())},
    }
    files.write_json(files.metrics_path(about["application"], STEP), told)
