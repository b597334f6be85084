"""How far the chances of `sentiment` can be trusted: on labelled texts that the model did not see.

    auc          chance that of two texts, one of them negative, that one has the higher chance
    precision    of the texts that count as negative, the share that is
    recall       of the negative texts, the share that counts as such

Intervals are 90 %: Wilson's for shares, the bootstrap of texts for the AUC. They tell of the luck
of the draw of texts, not of how much yours differ from these.
"""

import numpy as np
import pandas as pd
from sklearn.metrics import roc_auc_score

from tierwise.customers import sentiment
from tierwise.customers.sentiment import Model
from tierwise.evaluation import wilson

CONFIDENCE = 0.9
DRAWS, SEED = 400, 20240229
THRESHOLDS = np.round(np.arange(0.1, 0.95, 0.05), 2)


def held_out(model: Model, texts: pd.DataFrame) -> pd.DataFrame:
    """A row per language. texts: language, label, text, none of which the model learned from.

    Columns: language, texts_count, negative_count, auc, auc_low, auc_high, precision,
    precision_low, precision_high, recall, recall_low, recall_high.
    """
    rows = told(model, texts)
    parts = [{"language": name} | figures(part, model.threshold) for name, part in by(rows)]
    return pd.DataFrame(parts)


def told(model: Model, texts: pd.DataFrame) -> pd.DataFrame:
    """The texts that can be judged, with chance and negative (bool)."""
    chance = sentiment.chances(model, texts["text"], texts["language"])
    rows = texts.assign(chance=chance, negative=texts["label"] == "negative")
    return rows[rows["chance"].notna()]


def by(rows: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    """Parts by language, in order; languages without negative or other texts are left out."""
    parts = [(name, rows[rows["language"] == name]) for name in sentiment.LANGUAGES]
    return [(name, part) for name, part in parts if part["negative"].nunique() == 2]


def own_labels(model: Model, texts: pd.DataFrame) -> pd.DataFrame | None:
    """As `held_out`, for the team's own labels, each judged by models without it; None without any.

    texts: of `sentiment.to_learn_from`, that the model was trained on.
    """
    if not texts["own"].any():
        return None
    unseen = pd.concat([tongue.unseen for tongue in model.tongues.values()])
    rows = texts[texts["own"]].join(unseen, how="inner")
    parts = [{"language": name} | figures(part, model.threshold) for name, part in by(rows)]
    return pd.DataFrame(parts)


def figures(rows: pd.DataFrame, threshold: float) -> dict[str, float]:
    negative, chance = rows["negative"].to_numpy(), rows["chance"].to_numpy()
    counted = chance >= threshold
    found: dict[str, float] = {"texts_count": len(rows), "negative_count": int(negative.sum())}
    found["auc"] = float(roc_auc_score(negative, chance))
    found["auc_low"], found["auc_high"] = auc_interval(negative, chance)
    for name, hits, count in (
        ("precision", (negative & counted).sum(), counted.sum()),
        ("recall", (negative & counted).sum(), negative.sum()),
    ):
        found[name] = float(hits / count) if count else np.nan
        found[f"{name}_low"], found[f"{name}_high"] = wilson(hits, count, CONFIDENCE)
    return found


def auc_interval(negative: np.ndarray, score: np.ndarray) -> tuple[float, float]:
    """Texts of each side are drawn again with replacement."""
    rng = np.random.default_rng(SEED)
    sides = [np.flatnonzero(negative), np.flatnonzero(~negative)]
    truth = np.repeat([True, False], [len(side) for side in sides])
    drawn = [
        roc_auc_score(truth, score[np.concatenate([rng.choice(side, len(side)) for side in sides])])
        for _ in range(DRAWS)
    ]
    low, high = np.quantile(drawn, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return float(low), float(high)


def kinds(model: Model, texts: pd.DataFrame) -> pd.DataFrame:
    """Where the model fails: kind, label, texts_count, taken_for_negative_share.

    texts: with a column kind, see `sentiment.sample`.
    """
    rows = told(model, texts)
    rows = rows.assign(counted=rows["chance"] >= model.threshold)
    found = rows.groupby(["kind", "negative"])["counted"].agg(["size", "mean"]).reset_index()
    found["label"] = np.where(found["negative"], "negative", "other")
    columns = {"size": "texts_count", "mean": "taken_for_negative_share"}
    names = ["kind", "label", *columns.values()]
    return found.rename(columns=columns)[names]


def by_threshold(model: Model, texts: pd.DataFrame) -> pd.DataFrame:
    """language, threshold, precision (NaN where nothing counts), recall."""
    rows, parts = told(model, texts), []
    for name, part in by(rows):
        negative, chance = part["negative"].to_numpy(), part["chance"].to_numpy()
        for threshold in THRESHOLDS:
            counted = chance >= threshold
            hits = float((negative & counted).sum())
            precision = hits / counted.sum() if counted.any() else np.nan
            parts.append((name, threshold, precision, hits / negative.sum()))
    return pd.DataFrame(parts, columns=["language", "threshold", "precision", "recall"])
