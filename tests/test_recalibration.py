"""Chances follow the latest outcomes, the order stays, and nothing changes without a gain."""

import shutil
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

import scored_project as sp
from tierwise import calibration, examples, files, publishing, recalibration, rollback, scoring
from tierwise.files import InputError


def project(root, later_logit=0.0, rows_count=6000, seed=0):
    """A model whose span to learn from lost `later_logit` against the rows that came after it."""
    random = np.random.default_rng(seed)
    features = pd.DataFrame(random.normal(size=(rows_count, 3)), columns=list("abc"))
    features = features.astype("float32").assign(kind=random.choice(["x", "y"], rows_count))
    as_of = pd.date_range("2031-01-01", periods=rows_count, freq="h").as_unit("us")
    rows = pd.DataFrame({"entity_id": np.arange(rows_count).astype(str), "as_of": as_of})
    rows["outcome_known_at"] = as_of + pd.to_timedelta(random.integers(1, 200, rows_count), "h")
    later = np.arange(rows_count) >= 0.6 * rows_count
    logit = features["a"].to_numpy(float) - 1.5 + later * later_logit
    rows["outcome"] = (random.random(rows_count) < 1 / (1 + np.exp(-logit))).astype(float)
    rows = sp.set_up(root, "one", {}, rows, features)
    learned, outcome = sp.learned(rows, features)
    made = sp.fitted(learned, outcome)
    sp.write_export(root / "exports/leads", root / "work", learned, *made)
    return rows, features


def in_place(root, features):
    return publishing.scores(publishing.in_place(root, "leads"), features)


@pytest.fixture
def root(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_level_that_moved_is_mended_and_the_order_stays(root):
    rows, features = project(root, later_logit=1.2)
    before = in_place(root, features)
    history, gate = recalibration.recalibrate(root, "leads")
    after = in_place(root, features)
    later = (rows["span"] == "judge").to_numpy()
    came = rows.loc[later, "outcome"].mean()
    assert before["chance"][later].mean() < came - 0.1
    assert after["chance"][later].mean() == pytest.approx(came, abs=0.02)
    np.testing.assert_array_equal(before["score"], after["score"])
    assert gate["passed"]
    assert history["scores"].tolist() == [False, True]
    assert history["reason"].iloc[-1] == gate["sentence"]


def test_the_new_export_is_whole_and_says_from_which_outcomes_it_was_corrected(root):
    rows, features = project(root, later_logit=1.2)
    was = files.read_json(root / "exports/leads/card.json")
    recalibration.recalibrate(root, "leads")
    place = publishing.in_place(root, "leads")
    assert (
        scoring.verify(place)["checks_count"]
        == scoring.verify(root / "exports/leads")["checks_count"]
    )
    told = files.read_json(place / "card.json")
    same = [name for name in was if name != "calibration"]
    assert {name: told[name] for name in same} == {name: was[name] for name in same}
    latest = rows[~examples.before_judging(rows)].sort_values("outcome_known_at").tail(1000)
    assert told["recalibrated"] == {
        "outcomes_count": 1000,
        "first": examples.label(latest["outcome_known_at"].iloc[0]),
        "last": examples.label(latest["outcome_known_at"].iloc[-1]),
    }
    score = scoring.score(scoring.session(place / "model.onnx"), features.loc[latest.index])
    line = calibration.fit("sliding", score["score"].to_numpy(), latest["outcome"].to_numpy())
    for part in ("intercept", "slope"):
        assert told["calibration"][part] == pytest.approx(line[part], abs=1e-4)
    text = (place / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert "- Chances corrected anew from 1,000 outcomes known from" in text


def test_what_scored_before_comes_back(root):
    _, features = project(root, later_logit=1.2)
    before = in_place(root, features)
    recalibration.recalibrate(root, "leads")
    rollback.rollback(publishing.published(root, "leads"), "by hand")
    pd.testing.assert_frame_equal(in_place(root, features), before)


def test_chances_that_are_right_are_left_alone(root):
    project(root)
    with pytest.raises(InputError, match="Nothing was changed. The challenger is not better"):
        recalibration.recalibrate(root, "leads")
    assert not (root / "data").exists()


def test_too_few_outcomes_change_nothing(root):
    project(root, later_logit=1.2, rows_count=900)
    with pytest.raises(InputError, match="Nothing was changed. Too few outcomes"):
        recalibration.recalibrate(root, "leads")
    assert not (root / "data").exists()


def test_an_export_of_an_older_version_is_corrected_too(root):
    rows, features = project(root, later_logit=1.2)
    learned, outcome = sp.learned(rows, features)
    older = {"contact": {"aim": "profit", "recall_share": 0.8}}
    shutil.rmtree(root / "exports/leads")
    made = sp.fitted(learned, outcome)
    sp.write_export(root / "exports/leads", root / "older", learned, *made, **older)
    recalibration.recalibrate(root, "leads")
    told = files.read_json(publishing.in_place(root, "leads") / "card.json")
    assert told["contact"] == older["contact"]


def test_without_outcomes_known_half_way_nothing_can_be_tried(root):
    """Outcomes that take as long as the judged span: no line, and so no gain that could pass."""
    rows, features = project(root, later_logit=1.2)
    later = rows[~examples.before_judging(rows)].reset_index(names="row")
    later = later.assign(**in_place(root, features).loc[later["row"]].reset_index(drop=True))
    slow = later.assign(outcome_known_at=later["as_of"] + pd.Timedelta(days=365))
    found = recalibration.tried(slow)
    assert not found["passed"]
    assert found["sentence"].startswith(
        "Too few outcomes to try it, 0 outcomes were known half-way"
    )


def test_an_application_that_no_hour_scores_has_no_model_in_place(root):
    project(root, later_logit=1.2)
    content = files.params(root)
    content["applications"]["leads"]["build_features"]["kind"] = "table"
    sp.settings(root, content)
    for name in ("leads", "unknown"):
        with pytest.raises(InputError, match=f"No hour scores '{name}'"):
            recalibration.recalibrate(root, name)
    assert not (root / "data").exists()


def test_the_trial_uses_no_outcome_of_the_cases_that_judge_it(root):
    """The later half with its outcomes turned round: another verdict, the same line."""
    rows, features = project(root, later_logit=1.2)
    later = rows[~examples.before_judging(rows)].reset_index(names="row")
    later = later.assign(**in_place(root, features).loc[later["row"]].reset_index(drop=True))
    half = examples.edge_at(later["as_of"], 0.5)
    turned = later.assign(
        outcome=later["outcome"].mask(later["as_of"] >= half, 1 - later["outcome"])
    )
    lines = [
        recalibration.line_of(table[examples.known_before(table, half)])
        for table in (later, turned)
    ]
    assert lines[0] == lines[1]
    assert recalibration.tried(later)["passed"]
    judged = recalibration.tried(turned)["measures"][0]["champion"]
    assert judged != recalibration.tried(later)["measures"][0]["champion"]


def test_recalibrating_again_finds_nothing_left_to_gain(root):
    project(root, later_logit=1.2)
    recalibration.recalibrate(root, "leads")
    with pytest.raises(InputError, match="Nothing was changed"):
        recalibration.recalibrate(root, "leads")
    assert not list((root / "data/scores/leads").glob("*.partial"))


def test_the_command_says_what_scores_now_or_why_nothing_changed(root):
    project(root, later_logit=1.2)
    command = [sys.executable, "-m", "tierwise", "recalibrate", "leads"]
    first, second = (subprocess.run(command, capture_output=True, text=True) for _ in range(2))
    assert first.returncode == 0
    assert "scores now. The challenger is better" in first.stderr
    assert second.returncode == 1
    assert second.stderr.startswith("tierwise: Nothing was changed.")
    assert "Traceback" not in second.stderr
