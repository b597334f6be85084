"""What scores is whole at every moment, and whatever was put in place can be taken back."""

import json
import shutil
import threading

import numpy as np
import pandas as pd
import pytest

from killed import killed, needs_fork
from test_scoring import card_of, table
from tierwise import calibration, card, export, files, models, rollback, scoring
from tierwise.files import InputError

PASSED = {"passed": True, "sentence": "The challenger is better: log loss lower by 0.01."}
NAMES = ("one", "two", "three")


@pytest.fixture(scope="module")
def exports(tmp_path_factory):
    """Three exports of one application, whose chances differ."""
    folder, (features, outcome) = tmp_path_factory.mktemp("exports"), table()
    for number, name in enumerate(NAMES):
        model, _ = models.fit("logistic_regression", features, outcome)
        line = calibration.fit("none", models.chance(model, features), outcome)
        line |= {"intercept": float(number)}
        made = folder / f"made {name}"
        made.mkdir()
        (made / "model.onnx").write_bytes(export.to_onnx(model, line, features))
        (made / "model.skops").write_bytes(export.to_skops(model, line))
        card.write(folder / name, card_of(features), features, made / "model.onnx", 5)
    return folder


@pytest.fixture
def live(tmp_path):
    return tmp_path / "exports" / "any"


@pytest.fixture
def published(live, exports):
    for hour, name in enumerate(NAMES):
        told = {"passed": True, "sentence": f"{name} is better."}
        rollback.publish(live, exports / name, told, pd.Timestamp(2026, 11, 24, hour))
    return live


def same(folder, other):
    return files.version(folder) == files.version(other)


def everything(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def refused(call, live, *given):
    """The message of a call that must change nothing."""
    before = everything(live.parent)
    with pytest.raises(InputError) as caught:
        call(live, *given)
    after = everything(live.parent)
    lock = rollback.versions(live) / ".lock"
    assert {p: b for p, b in after.items() if p != lock} == {
        p: b for p, b in before.items() if p != lock
    }
    return str(caught.value)


def test_a_candidate_takes_its_place_and_the_former_ones_are_kept(published, exports):
    assert same(published, exports / "three")
    assert scoring.verify(published)["checks_count"] == 6
    kept = {path.name for path in rollback.versions(published).iterdir() if path.is_dir()}
    assert kept == {files.version(exports / name) for name in ("one", "two")}
    told = rollback.history(published)
    assert told["version"].tolist() == [files.version(exports / name) for name in NAMES]
    assert told["former"].tolist() == ["", *told["version"][:2]]
    assert told["reason"].tolist() == [f"{name} is better." for name in NAMES]
    assert told["at"].tolist() == [pd.Timestamp(2026, 11, 24, hour) for hour in range(3)]
    assert told["scores"].tolist() == [False, False, True]
    assert told["kept"].tolist() == [True, True, False]
    assert {path.name for path in exports.iterdir()} >= set(NAMES), "candidates are copied"


def test_rolling_back_goes_one_version_further_each_time_and_then_no_further(published, exports):
    for name in ("two", "one"):
        told = rollback.rollback(published, "it ranked the wrong way round")
        assert same(published, exports / name)
        assert told["action"].iloc[-1] == "rollback"
        assert told["reason"].iloc[-1] == "it ranked the wrong way round"
        assert scoring.verify(published)["checks_count"] == 6
    assert "nothing to go back to" in refused(rollback.rollback, published, "again")
    assert rollback.history(published)["kept"].tolist().count(False) == 0


def test_what_was_rolled_back_can_be_published_again(published, exports):
    rollback.rollback(published, "too bold")
    rollback.publish(published, exports / "three", PASSED)
    assert same(published, exports / "three")
    rollback.rollback(published, "too bold indeed")
    assert same(published, exports / "two")


def test_an_export_that_the_pipeline_wrote_is_kept_when_it_is_replaced(live, exports):
    """Nobody published it, and still it is what was there before."""
    shutil.copytree(exports / "one", live)
    rollback.publish(live, exports / "two", PASSED)
    rollback.rollback(live, "no better after all")
    assert same(live, exports / "one")


def test_an_export_written_over_the_published_one_is_not_taken_for_it(published, exports):
    shutil.rmtree(published)
    shutil.copytree(exports / "two", published)
    assert not rollback.history(published)["scores"].any()
    rollback.publish(published, exports / "one", PASSED)
    rollback.rollback(published, "back")
    assert same(published, exports / "two")


def test_what_is_in_place_already_is_not_published_twice(published, exports):
    before = everything(published.parent)
    rollback.publish(published, exports / "three", PASSED)
    assert everything(published.parent) == before


def test_a_gate_that_was_not_passed_keeps_the_model(published, exports):
    gate = {"passed": False, "sentence": "The challenger ranks worse."}
    assert "The challenger ranks worse." in refused(
        rollback.publish, published, exports / "one", gate
    )


@pytest.mark.parametrize("name", ["card.json", "checks.json", "model.onnx", "SHA256SUMS"])
def test_a_damaged_candidate_is_refused(published, exports, tmp_path, name):
    bad = shutil.copytree(exports / "one", tmp_path / "bad")
    content = bytearray((bad / name).read_bytes())
    content[len(content) // 2] ^= 1
    (bad / name).write_bytes(content)
    refused(rollback.publish, published, bad, PASSED)
    assert same(published, exports / "three")


def test_a_candidate_without_a_model_or_of_something_else_is_refused(published, tmp_path, exports):
    features, _ = table()
    no_model = card_of(features, verdict="cannot rank")
    card.write(tmp_path / "none", no_model, features, exports / "made one" / "model.onnx", 5)
    assert "holds no model" in refused(rollback.publish, published, tmp_path / "none", PASSED)
    other = card_of(features) | {"application": "calls"}
    card.write(tmp_path / "other", other, features, exports / "made one" / "model.onnx", 5)
    message = refused(rollback.publish, published, tmp_path / "other", PASSED)
    assert "an export of 'calls'" in message
    assert "is no folder" in refused(rollback.publish, published, tmp_path / "nowhere", PASSED)


@pytest.mark.parametrize("name", ["card.json", "model.onnx", "SHA256SUMS"])
def test_a_former_version_that_was_damaged_is_not_brought_back(published, exports, name):
    kept = rollback.versions(published) / files.version(exports / "two") / name
    content = bytearray(kept.read_bytes())
    content[len(content) // 2] ^= 1
    kept.write_bytes(content)
    assert "was changed since it was kept" in refused(rollback.rollback, published, "back")
    shutil.rmtree(kept.parent)
    assert "was not kept" in refused(rollback.rollback, published, "back")
    assert same(published, exports / "three")


def test_without_a_version_there_is_no_history_and_no_way_back(live):
    assert rollback.history(live).empty
    assert "nothing to go back to" in refused(rollback.rollback, live, "back")


def test_a_damaged_export_in_place_can_be_replaced(published, exports):
    (published / "model.onnx").write_bytes(b"torn")
    rollback.publish(published, exports / "two", PASSED)
    assert same(published, exports / "two")
    assert "was changed after the export" in refused(rollback.rollback, published, "back")


@pytest.mark.parametrize("exchanges", [True, False], ids=["one rename", "two renames"])
def test_with_and_without_a_rename_that_exchanges(live, exports, monkeypatch, exchanges):
    """Only Linux has it, and not every disk."""
    if not exchanges:
        monkeypatch.setattr(rollback, "swapped", lambda one, other: False)
    for name in NAMES:
        rollback.publish(live, exports / name, PASSED)
    rollback.rollback(live, "back")
    assert same(live, exports / "two")
    rollback.publish(live, exports / "three", PASSED)
    rollback.rollback(live, "back")
    assert same(live, exports / "two")
    names = {path.name for path in rollback.versions(live).iterdir()}
    kept = {files.version(exports / name) for name in NAMES}
    assert names == {*kept, "history.json", ".lock"}


def test_two_who_publish_at_once_do_so_one_after_the_other(live, exports):
    rollback.publish(live, exports / "one", PASSED)
    threads = [
        threading.Thread(target=rollback.publish, args=(live, exports / name, PASSED))
        for name in NAMES[1:]
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    told = rollback.history(live)
    assert sorted(told["version"][1:]) == sorted(files.version(exports / n) for n in NAMES[1:])
    assert told["former"].tolist() == ["", *told["version"][:2]]
    assert told["scores"].tolist() == [False, False, True]


def test_no_export_is_exchanged_while_it_is_loaded(live, exports):
    rollback.publish(live, exports / "one", PASSED)
    with rollback.in_use(live):
        thread = threading.Thread(target=rollback.publish, args=(live, exports / "two", PASSED))
        thread.start()
        thread.join(0.2)
        assert same(live, exports / "one")
    thread.join()
    assert same(live, exports / "two")


PUBLISH = """
from tierwise import rollback
def work(folder, moment):
    swapped = rollback.swapped
    def around(*paths):
        moment()
        done = TWO_RENAMES and swapped(*paths)
        moment()
        return done
    rollback.swapped = around
    gate = dict(passed=True, sentence="It is better.")
    rollback.publish(folder / "exports" / "any", folder.parent / "two", gate)
    moment()
"""


@needs_fork
@pytest.mark.parametrize("two_renames", [False, True], ids=["one rename", "two renames"])
def test_a_killed_publish_leaves_one_export_or_the_other_and_the_next_one_tidies_up(
    tmp_path, exports, two_renames
):
    shutil.copytree(exports / "two", tmp_path / "two")
    rollback.publish(tmp_path / "start" / "exports" / "any", exports / "one", PASSED)
    moments, folders = killed(PUBLISH.replace("TWO_RENAMES", str(not two_renames)), tmp_path)
    one, two, seen = files.version(exports / "one"), files.version(exports / "two"), []
    for folder in folders:
        live = folder / "exports" / "any"
        seen.append(files.version(live) if live.exists() else "none")
        if live.exists():
            assert scoring.verify(live)["checks_count"] == 6
        rollback.publish(live, exports / "three", PASSED)
        told = rollback.history(live)
        assert told["former"].tolist() == ["", *told["version"][:-1]], "history has no gap"
        rollback.rollback(live, "back")
        assert files.version(live) == (one if seen[-1] == one else two)
        names = {path.name for path in rollback.versions(live).iterdir()}
        assert not names & {".next", ".old"}
        assert all(told["kept"][:-1])
    assert moments >= 15
    assert set(seen) == ({one, two, "none"} if two_renames else {one, two})


def test_history_is_a_small_table_that_anybody_can_read(published):
    told = json.loads((rollback.versions(published) / "history.json").read_text())
    assert [sorted(event) for event in told] == [sorted(rollback.COLUMNS)] * 3
    assert np.all(rollback.history(published)["at"].diff().dropna() == pd.Timedelta(hours=1))
