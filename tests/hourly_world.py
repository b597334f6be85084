"""A small simulated world with models for it, as an hour finds them."""

import pandas as pd

from scored_project import contact
from test_leads import QUESTION
from tierwise import (
    calibration,
    card,
    context,
    dataset,
    export,
    hour,
    models,
    scoring,
    snapshot,
    tiers,
    words,
)
from tierwise.applications import leads
from tierwise.simulation import world
from tierwise.simulation.settings import Settings

SHARES = {"A": 0.2, "B": 0.3, "C": 0.5}
LEAKS = ["closing_note_length_count", "final_discount_share", "lost_reason"]


def laid_out(root):
    """raw: tables of a small simulated world; one, many: snapshots in one and several parts."""
    world.write(root / "raw", Settings(deals_count=500))
    snapshot.fetch(root / "raw", root / "one")
    snapshot.fetch(root / "raw", root / "many", partition_rows_count=12_000)
    assert len(snapshot.parts(root / "many")) > 3
    return root


def examined(root):
    """Examples and columns of all that is known, as build_features makes them."""
    examples, columns, _ = leads.build(leads.read(root / "one", QUESTION), QUESTION)
    columns = columns.drop(columns=LEAKS)  # as the leak guard would
    features, _ = dataset.ready(columns, examples["as_of"], examples["entity_id"])
    times = context.columns(examples["as_of"], examples["outcome_known_at"], examples["outcome"])
    return examples, features.join(times)


def scorer_of(name, root, examples, features):
    """As `hour.scorer` gives it, of a model fitted here."""
    model, _ = models.fit(name, features, examples["outcome"].to_numpy())
    calibrator = calibration.straight("sigmoid", -0.1, 0.9)
    place = root / name
    place.mkdir(exist_ok=True)
    onnx = export.to_onnx(model, calibrator, features)
    (place / "model.onnx").write_bytes(onnx)
    (place / "model.skops").write_bytes(export.to_skops(model, calibrator))
    names = [item.name for item in scoring.session(onnx).get_inputs()]
    shown = {"columns": card.columns(features[names]), "tiers_by": tiers.RANKED}
    shown |= {"tier_shares": SHARES, "tier_cuts_score": {}, "entity": "open deal"}
    shown |= {"simulated": True, "contact": contact()}
    kept = [{"column": name} for name in features if name not in context.NAMES]
    built = {"columns": kept, "quarantined": [], "left_out": left_out(root, features)}
    said = words.dictionary(names, {}, [])
    return hour.Scorer("leads", leads, QUESTION, place, shown, built, features[names], said, "1.t")


def left_out(root, features):
    part = snapshot.parts(root / "one")[0]
    now = leads.at_hour(part, QUESTION, last_hour(root))
    return [{"column": name} for name in now.columns[5:] if name not in features]


def last_hour(root):
    return hour.full_hour(pd.Timestamp(snapshot.about(root / "one")["data_until"]))
