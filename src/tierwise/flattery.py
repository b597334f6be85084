"""What a less honest comparison would have claimed: shown beside the honest one, never a result."""

import numpy as np
import pandas as pd
from sklearn.model_selection import train_test_split

from tierwise import candidates, rolling
from tierwise.examples import Period
from tierwise.ranking import auc


def random_split(features: pd.DataFrame, outcome: np.ndarray, names: list[str]) -> dict[str, float]:
    """AUC per candidate when past and future are shuffled together: a diagnostic, never a result.

    It is run to show how much the usual 70/30 split would have flattered. Shuffled rows are in no
    order, so that none of them counts more than another.
    """
    learn, judge = train_test_split(
        np.arange(len(outcome)), test_size=0.3, random_state=candidates.SEED, stratify=outcome
    )
    shuffled = Period(None, np.sort(learn), np.sort(judge))
    table = rolling.origin(
        features, outcome, [shuffled], names, candidates.steady(), ordered=False
    ).table
    return {name: auc(table["outcome"].to_numpy(), table[name].to_numpy()) for name in names}


def claimed(features: pd.DataFrame, examples: pd.DataFrame, refused: list[str]) -> pd.DataFrame:
    """What the refused columns would have claimed: AUC on the span `tune` after a fit on `learn`.

    Columns: columns ("with the refused columns" | "without them"), auc. The same histogram
    boosting both times.
    """
    outcome = examples["outcome"].to_numpy()
    span = examples["span"].to_numpy()
    later = Period(None, np.flatnonzero(span == "learn"), np.flatnonzero(span == "tune"))
    honest = features.drop(columns=refused, errors="ignore")
    rows = []
    for title, table in (("with the refused columns", features), ("without them", honest)):
        if title == "without them" or len(honest.columns) < len(features.columns):
            chance, _ = rolling.fit_and_judge("histogram_boosting", table, outcome, later)
            rows.append({"columns": title, "auc": auc(outcome[later.rows], chance)})
    return pd.DataFrame(rows)
