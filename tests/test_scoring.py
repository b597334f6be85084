"""Scoring asks for what the model needs, and an export is checked before it is believed."""

import json
import shutil
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

import scored_project as sp
from tierwise import calibration, card, export, files, models, scoring
from tierwise.files import InputError


def table(rows=600, seed=0):
    random = np.random.default_rng(seed)
    amount = random.normal(size=rows).astype("float32")
    features = pd.DataFrame({"amount": amount, "source": random.choice(["web", "fair"], rows)})
    features.loc[::9, "amount"] = np.nan
    return features, (random.random(rows) < 1 / (1 + np.exp(-amount))).astype(float)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A folder with model.onnx and model.skops, and the rows they learned from."""
    features, outcome = table()
    model, _ = models.fit("logistic_regression", features, outcome)
    calibrator = calibration.fit("sigmoid", models.chance(model, features), outcome)
    folder = tmp_path_factory.mktemp("models")
    (folder / "model.onnx").write_bytes(export.to_onnx(model, calibrator, features))
    (folder / "model.skops").write_bytes(export.to_skops(model, calibrator))
    return folder, features


@pytest.fixture(scope="module")
def session(trained):
    return scoring.session(trained[0] / "model.onnx")


def card_of(features, verdict="supported"):
    """As much of a card as the checks need."""
    model = None if verdict == "cannot rank" else "logistic_regression"
    about = {"application": "any", "entity": "lead", "verdict": verdict, "model": model}
    return sp.card_of(features) | about | {"tiers_by": None, "tier_shares": {}}


@pytest.fixture
def exported(trained, tmp_path):
    folder, features = trained
    card.write(tmp_path / "any", card_of(features), features, folder / "model.onnx", 25)
    return tmp_path / "any"


def renew_sums(folder):
    """Checksums that agree with the files again, as somebody with intent would leave them."""
    names = sorted(path.name for path in folder.iterdir() if path.name != "SHA256SUMS")
    lines = [f"{files.sha256(folder / name)}  {name}\n" for name in names]
    (folder / "SHA256SUMS").write_text("".join(lines))


def refused(folder):
    """The message, which is one line, however the check fails."""
    with pytest.raises(InputError) as caught:
        scoring.verify(folder)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_scores_are_chances_one_per_row_under_the_rows_own_index(session, trained):
    rows = trained[1].set_axis(range(1000, 1600))
    found = scoring.score(session, rows)
    assert list(found) == ["score", "chance"]
    assert found.index.equals(rows.index)
    assert found.stack().between(0, 1, inclusive="neither").all()


def test_missing_column_is_named_with_what_the_table_has(session, trained):
    with pytest.raises(InputError, match=r"needs the columns \['amount'\]; .* \['source', 'x'\]"):
        scoring.score(session, trained[1].rename(columns={"amount": "x"})[["source", "x"]])


def test_text_in_a_number_column_is_one_message_with_the_column_and_the_value(session, trained):
    rows = trained[1].assign(amount="12 €")
    with pytest.raises(InputError, match="column 'amount' must hold numbers: .*12 €"):
        scoring.score(session, rows)


@pytest.mark.parametrize("value", [None, np.nan, 3.0])
def test_other_than_text_in_a_category_is_one_message_with_the_column(session, trained, value):
    rows = trained[1].head(3).astype({"source": object})
    rows.loc[1, "source"] = value
    with pytest.raises(InputError, match="column 'source' must hold text"):
        scoring.score(session, rows)


def test_columns_that_the_model_does_not_know_change_nothing(session, trained):
    rows = trained[1]
    more = rows.assign(other="x")[["other", "source", "amount"]]
    pd.testing.assert_frame_equal(scoring.score(session, more), scoring.score(session, rows))


def test_whole_numbers_and_truth_values_are_numbers(session, trained):
    rows = trained[1].head(4)
    for values in ([0, 1, 0, 1], [False, True, False, True], [0.0, 1.0, 0.0, 1.0]):
        found = scoring.score(session, rows.assign(amount=values))["score"].tolist()
        assert found == scoring.score(session, rows.assign(amount=[0, 1, 0, 1]))["score"].tolist()


def test_scoring_in_chunks_gives_what_scoring_in_one_go_gives(session, trained, monkeypatch):
    at_once = scoring.score(session, trained[1])
    for count in (7, 599, 600):
        monkeypatch.setattr(scoring, "CHUNK_ROWS", count)
        in_chunks = scoring.score(session, trained[1])
        np.testing.assert_allclose(in_chunks, at_once, rtol=0, atol=scoring.CHECK_TOLERANCE / 2)
        assert in_chunks.index.equals(at_once.index)


def test_a_row_s_score_does_not_depend_on_its_place(session, trained):
    mixed = trained[1].sample(frac=1, random_state=0)
    found = scoring.score(session, mixed)
    pd.testing.assert_frame_equal(found.sort_index(), scoring.score(session, trained[1]))


def test_no_rows_give_no_scores(session, trained):
    found = scoring.score(session, trained[1].head(0))
    assert list(found) == ["score", "chance"]
    assert len(found) == 0


def test_a_predictor_gives_the_calibrated_chances(session, trained):
    found = scoring.predictor(session)(trained[1])
    assert found.shape == (600,)
    assert found.tolist() == scoring.score(session, trained[1])["chance"].tolist()
    assert len(scoring.predictor(session)(trained[1].head(0))) == 0


def test_an_export_as_it_was_written_passes(exported):
    found = scoring.verify(exported)
    assert found["files_count"] == 5
    assert found["checks_count"] == 26
    assert found["largest_difference"] <= scoring.CHECK_TOLERANCE
    assert found["verdict"] == "supported"


def test_an_export_passes_wherever_it_is_copied(exported, tmp_path):
    shutil.copytree(exported, tmp_path / "elsewhere")
    shutil.rmtree(exported)
    assert scoring.verify(tmp_path / "elsewhere")["checks_count"] == 26


NAMES = ["MODEL_CARD.md", "card.json", "checks.json", "model.onnx", "model.skops"]


@pytest.mark.parametrize("name", NAMES)
def test_one_changed_byte_is_found_and_named(exported, name):
    content = bytearray((exported / name).read_bytes())
    content[len(content) // 2] ^= 1
    (exported / name).write_bytes(content)
    assert f"{name} was changed after the export" in refused(exported)


@pytest.mark.parametrize("name", NAMES)
def test_missing_file_is_named(exported, name):
    (exported / name).unlink()
    assert f"{name} is missing" in refused(exported)


@pytest.mark.parametrize("name", NAMES)
def test_file_that_the_checksums_leave_out_is_named(exported, name):
    """A list of checksums that was cut short must not pass as a shorter export."""
    sums = (exported / "SHA256SUMS").read_text().splitlines(keepends=True)
    (exported / "SHA256SUMS").write_text("".join(line for line in sums if name not in line))
    assert name in refused(exported)


def test_empty_list_of_checksums_is_refused(exported):
    (exported / "SHA256SUMS").write_text("")
    refused(exported)


def test_garbled_list_of_checksums_is_refused(exported):
    (exported / "SHA256SUMS").write_text("no checksum at all\n")
    refused(exported)


@pytest.mark.parametrize("chance", [0.5, float("nan")])
def test_promise_that_the_model_does_not_keep_is_found(exported, chance):
    """Even where the checksums agree, because somebody wrote them anew."""
    checks = files.read_json(exported / "checks.json")
    checks["chances"][3] = chance
    (exported / "checks.json").write_text(json.dumps(checks))
    renew_sums(exported)
    assert "gives other chances than checks.json promises" in refused(exported)


def test_folder_without_checksums_is_no_export(tmp_path):
    assert "has no SHA256SUMS" in refused(tmp_path)
    assert "has no SHA256SUMS" in refused(tmp_path / "absent")


def test_export_without_a_model_passes_and_says_so(trained, tmp_path):
    folder, features = trained
    written = card_of(features, "cannot rank")
    card.write(tmp_path / "none", written, features, folder / "model.onnx", 25)
    found = scoring.verify(tmp_path / "none")
    assert found["checks_count"] == 0
    assert found["verdict"] == "cannot rank"


def test_scoring_needs_no_library_that_trains_or_converts():
    """A service that scores every hour installs ONNX Runtime, NumPy and pandas."""
    code = "import sys, tierwise.scoring; print(*sorted({m.split('.')[0] for m in sys.modules}))"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    assert "onnxruntime" in loaded
    heavy = {"sklearn", "skl2onnx", "onnxmltools", "xgboost", "skops", "papermill", "matplotlib"}
    assert not heavy & set(loaded)
