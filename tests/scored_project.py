"""A small project with an exported model, as the pipeline leaves one: ready for every hour."""

import numpy as np
from ruamel.yaml import YAML

from tierwise import calibration, card, examples, export, files, models, scoring, tiers

SHARES = {"A": 0.2, "B": 0.3, "C": 0.5}
HOURLY = {
    "exploration_share": 0.1,
    "holdout_share": 0.2,
    "room_share": 0.3,
    "salt": "test",
    "explained_count": 50,
    "new_columns": "ignore",
    "stale_after_hours": 48.0,
}


def set_up(root, source, question, rows, features, shares=(0.2, 0.4)):
    """params.yaml, examples and features of leads; source: folder of the snapshot below root."""
    content = {
        "applications": {
            "leads": {
                "build_features": {"kind": "leads", "source": source, "question": question},
                "explain_scores": {"words": {}, "families": []},
            }
        },
        "hourly": {"leads": HOURLY},
    }
    settings(root, content)
    (root / "dvc.yaml").write_text("stages: {}")
    made = root / "models/leads"
    rows = rows.assign(span=examples.spans(rows, *shares))
    files.write_parquet(made / "examples.parquet", rows)
    files.write_parquet(made / "features.parquet", features)
    built = {"columns": [{"column": name} for name in features], "quarantined": [], "left_out": []}
    files.write_json(root / "metrics/leads/build_features.json", built)
    return rows


def settings(root, content):
    YAML().dump(content, root / "params.yaml")


def fitted(features, outcome, name="logistic_regression", intercept=0.0, slope=1.0):
    """A model and its line from score to chance."""
    model, _ = models.fit(name, features, outcome)
    return model, calibration.straight("sigmoid", intercept, slope)


def write_export(folder, work, features, model, line, **changes):
    """A whole export: card, checks and checksums; work: a folder for what lies between."""
    work.mkdir(parents=True, exist_ok=True)
    (work / "model.onnx").write_bytes(export.to_onnx(model, line, features))
    (work / "model.skops").write_bytes(export.to_skops(model, line))
    names = [item.name for item in scoring.session(work / "model.onnx").get_inputs()]
    card.write(folder, card_of(features[names]) | changes, features[names], work / "model.onnx", 5)
    return folder


def contact(**changes):
    """What a card tells of contacts: one threshold of a tenth for all."""
    told = {"aim": "profit", "recall_share": 0.8, "contacts_per_day_count": None}
    told |= {"value_per_win_eur": 10.0, "cost_per_contact_eur": 1.0, "typical_eur": [10.0, 1.0]}
    return told | changes


def card_of(features):
    return {
        "application": "leads",
        "entity": "open deal",
        "horizon_days": 30,
        "simulated": True,
        "verdict": "supported",
        "sentence": "It was tried.",
        "model": "logistic_regression",
        "calibration": "sigmoid",
        "output": {"score": "ranks", "chance": "is calibrated"},
        "threshold_chance": 0.1,
        "contact": contact(),
        "tiers_by": tiers.RANKED,
        "tier_shares": SHARES,
        "tier_cuts_score": {},
        "tiers": [],
        "columns": card.columns(features),
        "never_use": [],
        "learned_from": {"rows_count": 600, "first": "1", "last": "600"},
        "judged_on": {"rows_count": 200, "first": "601", "last": "800"},
        "data_version": "0123456789ab",
        "code_version": "0.1.0",
    }


def learned(rows, features):
    """What was known when judging began: columns and outcomes."""
    known = examples.before_judging(rows).to_numpy()
    return features[known], rows["outcome"].to_numpy(dtype=float)[known]


def at_random(features, seed=0):
    """Outcomes that have nothing to do with the columns, for a model that knows nothing."""
    return np.random.default_rng(seed).integers(0, 2, len(features)).astype(float)
