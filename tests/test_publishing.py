"""What was published scores until a better one passes the gate; the pipeline alone changes nothing."""

import shutil
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

pytest.importorskip("xlsxwriter", reason="needs the extra hourly")

import scored_project as sp
from hourly_world import last_hour
from test_leads import QUESTION
from tierwise import (
    delivery,
    examples,
    files,
    hour,
    hourly,
    ledger,
    publishing,
    retraining,
    rollback,
)
from tierwise.files import InputError

BLIND, SEEING, BOLD = "blind", "seeing", "bold"


@pytest.fixture(scope="module")
def ready(made, folder, tmp_path_factory):
    """A project, and three exports: one that knows nothing, one that does, one that is too bold.

    Each look of the small world stands for a deal, twice, so that there are enough; how far it has
    come tells how it ends.
    """
    rows, features = (pd.concat([table, table], ignore_index=True) for table in made)
    rows = rows.assign(entity_id=np.arange(len(rows)).astype(str))
    stage = features["stage_last"].to_numpy(float)
    known = np.nan_to_num((stage - np.nanmean(stage)) / np.nanstd(stage))
    random = np.random.default_rng(0)
    rows["outcome"] = (random.random(len(rows)) < 1 / (1 + np.exp(1.2 - 1.5 * known))).astype(float)
    order = rows.sort_values("as_of", kind="stable").index
    rows, features = (table.loc[order].reset_index(drop=True) for table in (rows, features))
    root = tmp_path_factory.mktemp("ready")
    rows = sp.set_up(root, str(folder / "one"), QUESTION, rows, features)
    learned, outcome = sp.learned(rows, features)
    models = {
        BLIND: (sp.fitted(learned, sp.at_random(learned)), {}),
        SEEING: (sp.fitted(learned, outcome), {}),
        BOLD: (sp.fitted(learned, outcome, intercept=3.0), {}),
    }
    for name, (made_of, changes) in models.items():
        sp.write_export(root / name, root / "work" / name, learned, *made_of, **changes)
    return root


@pytest.fixture
def project(ready, tmp_path, monkeypatch):
    root = tmp_path / "project"
    shutil.copytree(ready, root)
    monkeypatch.chdir(root)
    return root


def exported(root, name):
    """The pipeline has made this one last."""
    place = root / "exports/leads"
    shutil.rmtree(place, ignore_errors=True)
    shutil.copytree(root / name, place)


def published(root, *names):
    for name in names:
        exported(root, name)
        publishing.publish(root, "leads")
    return publishing.published(root, "leads")


def whole(root):
    """Bytes of all that was ever published; locks are no content."""
    return {
        path: path.read_bytes()
        for path in (root / "data").rglob("*")
        if path.is_file() and path.name != ".lock"
    }


def refused(root):
    before = whole(root)
    with pytest.raises(InputError) as caught:
        publishing.publish(root, "leads")
    assert whole(root) == before
    assert "\n" not in str(caught.value)
    return str(caught.value)


def same(folder, other):
    return files.version(folder) == files.version(other)


# the gate


def test_before_anything_is_published_what_the_pipeline_made_last_scores(project):
    for name in (BLIND, SEEING):
        exported(project, name)
        assert publishing.in_place(project, "leads") == project / "exports/leads"
        with publishing.loading(project, "leads"):
            pass
    assert not (project / "data").exists()


def test_the_first_one_has_nobody_to_beat(project):
    exported(project, BLIND)
    history, gate = publishing.publish(project, "leads")
    assert gate["passed"]
    place = publishing.in_place(project, "leads")
    assert place == publishing.published(project, "leads")
    assert same(place, project / BLIND)
    assert history["version"].tolist() == [files.version(project / BLIND)]
    assert history["reason"].tolist() == ["The first model."]


def test_a_better_one_takes_over_and_the_history_says_why(project):
    published(project, BLIND)
    exported(project, SEEING)
    history, gate = publishing.publish(project, "leads")
    assert gate["passed"]
    assert same(publishing.in_place(project, "leads"), project / SEEING)
    assert history["reason"].iloc[-1] == gate["sentence"]
    assert gate["sentence"].startswith("The challenger is better: log loss lower by ")


@pytest.mark.parametrize("worse", [BLIND, BOLD])
def test_a_refused_candidate_changes_nothing(project, worse):
    place = published(project, SEEING)
    exported(project, worse)
    assert "The gate was not passed: The challenger" in refused(project)
    assert same(place, project / SEEING)


def test_the_gate_judges_each_deal_by_its_first_look_among_the_judged_ones(project):
    place = published(project, BLIND)
    gate = publishing.gate_of("leads", place, project / SEEING)
    rows = files.read_parquet(project / "models/leads/examples.parquet")
    judged = rows[~examples.before_judging(rows)]
    assert gate["outcomes_count"] == len(judged) == judged["entity_id"].nunique()
    features = files.read_parquet(project / "models/leads/features.parquet")
    # Outcomes of what was learned, and later looks of the same deals, change nothing.
    changed = rows.assign(outcome=rows["outcome"].where(~examples.before_judging(rows), 1.0))
    later = changed[~examples.before_judging(rows)].assign(outcome=1.0)
    later["as_of"] += pd.Timedelta(days=200)
    files.write_parquet(
        project / "models/leads/examples.parquet", pd.concat([changed, later], ignore_index=True)
    )
    files.write_parquet(
        project / "models/leads/features.parquet",
        pd.concat([features, features.loc[later.index]], ignore_index=True),
    )
    assert publishing.gate_of("leads", place, project / SEEING) == gate


def test_the_chances_that_are_judged_are_those_of_the_two_exports(project):
    place = published(project, BLIND)
    loss, _ = publishing.gate_of("leads", place, project / SEEING)["measures"]
    rows = files.read_parquet(project / "models/leads/examples.parquet")
    features = files.read_parquet(project / "models/leads/features.parquet")
    judged = ~examples.before_judging(rows)
    won = rows.loc[judged, "outcome"].to_numpy()
    for name, folder in (("champion", BLIND), ("challenger", SEEING)):
        chance = publishing.chance(project / folder, features[judged])
        assert loss[name] == pytest.approx(retraining.losses(won, chance).mean(), abs=1e-12)


# what can't be published


def with_card(root, name, **changes):
    """An export whose card says something else; its checksums agree."""
    place = root / name
    card = files.read_json(place / "card.json") | changes
    files.write_json(place / "card.json", card)
    lines = [
        f"{files.sha256(path)}  {path.name}\n"
        for path in sorted(place.iterdir())
        if path.name != "SHA256SUMS"
    ]
    (place / "SHA256SUMS").write_text("".join(lines))


def test_a_missing_candidate_is_one_message(project):
    published(project, SEEING)
    shutil.rmtree(project / "exports/leads")
    assert "Run `dvc repro export_model@leads`" in refused(project)


def test_a_missing_first_candidate_is_one_message(project):
    with pytest.raises(InputError, match="is no folder"):
        publishing.publish(project, "leads")
    assert not publishing.published(project, "leads").exists()


def test_a_damaged_candidate_is_refused(project):
    published(project, BLIND)
    exported(project, SEEING)
    with (project / "exports/leads/model.onnx").open("ab") as file:
        file.write(b"x")
    refused(project)


def test_a_candidate_that_cannot_rank_is_refused_in_its_own_words(project):
    """It has a card and no model."""
    published(project, BLIND)
    exported(project, SEEING)
    for name in ("model.onnx", "model.skops", "checks.json"):
        (project / "exports/leads" / name).unlink()
    said = {"model": None, "verdict": "cannot rank", "sentence": "Nothing ranks here."}
    with_card(project, "exports/leads", **said)
    assert "holds no model: Nothing ranks here." in refused(project)


def without(root, column):
    path = root / "models/leads/features.parquet"
    files.write_parquet(path, files.read_parquet(path).drop(columns=column))


def test_columns_that_are_gone_are_named_and_the_way_out_works(project):
    """The model in place reads a column that the pipeline makes no longer: who can judge it?"""
    place = published(project, BLIND)
    without(project, "stage_last")
    rows = files.read_parquet(project / "models/leads/examples.parquet")
    learned, outcome = sp.learned(
        rows, files.read_parquet(project / "models/leads/features.parquet")
    )
    sp.write_export(
        project / "newer", project / "work/newer", learned, *sp.fitted(learned, outcome)
    )
    exported(project, "newer")
    message = refused(project)
    assert "reads stage_last, which the features don't have any more" in message
    assert f"move {place} away" in message
    place.rename(project / "away")
    history, _ = publishing.publish(project, "leads")
    assert same(publishing.in_place(project, "leads"), project / "newer")
    assert history["reason"].iloc[-1] == "The first model."


def test_an_export_of_another_application_is_refused(project):
    published(project, BLIND)
    exported(project, SEEING)
    with_card(project, "exports/leads", application="bank_calls")
    assert "bank_calls" in refused(project)


# what scores


def scored(root, folder):
    done = delivery.score(root, "leads", str(last_hour(folder)))
    rows = files.read_parquet(root / "data/scores/leads/batch.parquet")
    return done, rows.set_index("entity_id").sort_index()


def test_score_and_serve_use_what_was_published_whatever_the_pipeline_makes(project, folder):
    pytest.importorskip("fastapi", reason="needs the extra hourly")
    from tierwise.service import serving

    place = published(project, BLIND)
    exported(project, SEEING)
    _, rows = scored(project, folder)
    scorer, tables, _ = hourly.prepared(project, "leads", project / BLIND)
    expected, _ = hour.batch(scorer, tables, last_hour(folder), new_columns="ignore")
    expected = expected.set_index("entity_id")["chance"].sort_index()
    assert rows["chance"].tolist() == expected.tolist()
    versions = ledger.read(project / "data/scores/leads/ledger")["model_version"].unique()
    assert versions.tolist() == [scorer.version]
    served = serving.serving("leads")
    assert served.folder == place
    assert served.version == scorer.version
    shutil.rmtree(project / "exports")
    assert serving.serving("leads").version == scorer.version


def test_the_command_brings_the_former_one_back(project):
    place = published(project, BLIND, SEEING)
    line = [sys.executable, "-m", "tierwise", "rollback", "leads", "--reason", "too timid"]
    done = subprocess.run(line, cwd=project, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr == f"{files.version(project / BLIND)} scores again.\n"
    assert same(publishing.in_place(project, "leads"), project / BLIND)
    assert rollback.history(place)["reason"].iloc[-1] == "too timid"
    again = subprocess.run(line, cwd=project, capture_output=True, text=True, check=False)
    assert again.returncode == 1
    assert "nothing to go back to" in again.stderr
    assert "Traceback" not in again.stderr
