"""What is written is whole, comes out the same each time, and is found from anywhere."""

import json
import math

import numpy as np
import pandas as pd
import pytest

from tierwise import files
from tierwise.files import InputError


@pytest.fixture
def project(tmp_path, monkeypatch):
    for name in ("params.yaml", "dvc.yaml"):
        (tmp_path / name).write_text("{}\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def fail_half_way(path):
    with files.replacing(path) as partial:
        partial.write_text("half of the n")
        raise KeyError(path)


def test_failure_inside_leaves_the_old_file_and_nothing_beside_it(tmp_path):
    path = tmp_path / "a.json"
    path.write_text("old")
    with pytest.raises(KeyError):
        fail_half_way(path)
    assert path.read_text() == "old"
    assert names(tmp_path) == ["a.json"]


def test_reader_sees_the_old_file_until_the_new_one_is_complete(tmp_path):
    path = tmp_path / "a.json"
    path.write_text("old")
    with files.replacing(path) as partial:
        partial.write_text("new")
        assert path.read_text() == "old"
        assert partial.parent == path.parent
    assert path.read_text() == "new"
    assert names(tmp_path) == ["a.json"]


def test_unwritable_content_leaves_the_old_file(tmp_path):
    """Content that can't be turned into a file is found out before the file is touched."""
    path = tmp_path / "a.json"
    files.write_json(path, {"a": 1})
    with pytest.raises(UnicodeEncodeError):
        files.write_text(path, "\ud800")
    assert files.read_json(path) == {"a": 1}
    assert names(tmp_path) == ["a.json"]


def test_missing_folders_are_made(tmp_path):
    files.write_bytes(tmp_path / "a" / "b" / "c.onnx", b"\x00")
    assert (tmp_path / "a/b/c.onnx").read_bytes() == b"\x00"


def test_json_is_sorted_rounded_and_ends_with_a_line_feed(tmp_path):
    path = tmp_path / "a.json"
    files.write_json(path, {"z": 1 / 3, "a": {"y": 2, "x": "é <"}})
    text = path.read_text(encoding="utf-8")
    assert text.endswith("}\n")
    assert "\r" not in text
    assert list(json.loads(text)) == ["a", "z"]
    assert list(json.loads(text)["a"]) == ["x", "y"]
    assert "0.333333\n" in text
    assert "é <" in text
    files.write_json(path, {"z": 1 / 3}, digits=9)
    assert "0.333333333\n" in path.read_text()


NOTHING = [None, math.nan, np.nan, np.float32("nan"), math.inf, -math.inf, pd.NaT, pd.NA]


@pytest.mark.parametrize("value", NOTHING, ids=[f"{type(v).__name__} {v}" for v in NOTHING])
def test_what_is_not_a_number_becomes_null(tmp_path, value):
    files.write_json(tmp_path / "a.json", {"a": value, "b": [value]})
    assert files.read_json(tmp_path / "a.json") == {"a": None, "b": [None]}


def test_every_type_of_ours_becomes_a_plain_one(tmp_path):
    content = {
        "whole": np.int64(3),
        "real": np.float32(0.5),
        "yes": np.bool_(True),
        "array": np.array([1.0, np.nan]),
        "column": pd.Series([1, 2]),
        "index": pd.Index(["a"]),
        "pair": (1, "x"),
        "day": pd.Timestamp("2026-05-31"),
        3: "a number as key",
    }
    files.write_json(tmp_path / "a.json", content)
    assert files.read_json(tmp_path / "a.json") == {
        "whole": 3,
        "real": 0.5,
        "yes": True,
        "array": [1.0, None],
        "column": [1, 2],
        "index": ["a"],
        "pair": [1, "x"],
        "day": "2026-05-31T00:00:00",
        "3": "a number as key",
    }
    assert "true" in (tmp_path / "a.json").read_text()


def test_equal_content_gives_equal_bytes_whatever_the_order_of_keys(tmp_path):
    files.write_json(tmp_path / "a.json", {"a": 0.1 + 0.2, "b": {"d": 1, "c": 2}})
    files.write_json(tmp_path / "b.json", {"b": {"c": np.int32(2), "d": 1}, "a": 0.3})
    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()


def frame():
    return pd.DataFrame(
        {
            "text": ["a", None, "ü"],
            "number": np.array([1.5, np.nan, 3], dtype="float32"),
            "day": pd.to_datetime(["2026-01-01", None, "2026-01-03"]),
            "whole": [1, 2, 3],
        },
        index=[7, 5, 9],
    )


def test_equal_tables_give_equal_parquet_bytes(tmp_path):
    files.write_parquet(tmp_path / "a.parquet", frame())
    files.write_parquet(tmp_path / "b.parquet", frame().copy())
    assert (tmp_path / "a.parquet").read_bytes() == (tmp_path / "b.parquet").read_bytes()
    files.write_parquet(tmp_path / "b.parquet", frame().assign(whole=[1, 2, 4]))
    assert (tmp_path / "a.parquet").read_bytes() != (tmp_path / "b.parquet").read_bytes()


def test_parquet_gives_back_values_and_types_without_the_index(tmp_path):
    files.write_parquet(tmp_path / "a.parquet", frame())
    found = files.read_parquet(tmp_path / "a.parquet")
    wanted = frame().reset_index(drop=True)
    pd.testing.assert_frame_equal(found, wanted, check_dtype=False)
    assert found["number"].dtype == "float32"


@pytest.mark.parametrize("read", [files.read_json, files.read_parquet])
def test_missing_file_is_answered_with_the_way_to_make_it(tmp_path, read):
    with pytest.raises(InputError, match=r"absent is missing. Run `dvc repro`"):
        read(tmp_path / "absent")


def test_project_is_found_from_its_root_and_from_below(project, monkeypatch):
    (project / "notebooks" / "deep").mkdir(parents=True)
    for place in (project, project / "notebooks", project / "notebooks" / "deep"):
        monkeypatch.chdir(place)
        assert files.project_root() == project
        assert files.metrics_path("leads", "x") == project / "metrics/leads/x.json"
        assert files.models_path("leads", "x.onnx") == project / "models/leads/x.onnx"
        assert files.exports_path("leads") == project / "exports/leads"


def test_the_nearest_project_is_taken(project, monkeypatch):
    inner = project / "inner"
    inner.mkdir()
    (inner / "params.yaml").write_text("{}\n")
    monkeypatch.chdir(inner)
    assert files.project_root() == project
    (inner / "dvc.yaml").write_text("{}\n")
    assert files.project_root() == inner


def test_outside_a_project_one_message_names_the_place(tmp_path):
    with pytest.raises(InputError, match=r"holds params.yaml and dvc.yaml") as caught:
        files.project_root(tmp_path)
    assert str(tmp_path) in str(caught.value)


def write_inputs(value):
    for name in ("features.parquet", "examples.parquet"):
        files.write_parquet(files.models_path("leads", name), pd.DataFrame({"a": [value]}))


def test_first_seconds_are_kept_while_nothing_changes(project):
    write_inputs(1)
    first = files.recorded("leads", "fit_seconds", {"a": 1.2345, "b": 0.0})
    assert first == {"a": 1.2, "b": 0.0}
    written = files.metrics_path("leads", "fit_seconds").read_bytes()
    assert files.recorded("leads", "fit_seconds", {"a": 9.9, "b": 7.0}) == first
    assert files.metrics_path("leads", "fit_seconds").read_bytes() == written


@pytest.mark.parametrize("changed", ["features.parquet", "examples.parquet"])
def test_seconds_are_recorded_anew_when_the_data_change(project, changed):
    write_inputs(1)
    files.recorded("leads", "fit_seconds", {"a": 1.0})
    files.write_parquet(files.models_path("leads", changed), pd.DataFrame({"a": [2]}))
    assert files.recorded("leads", "fit_seconds", {"a": 3.0}) == {"a": 3.0}
    assert files.recorded("leads", "fit_seconds", {"a": 4.0}) == {"a": 3.0}


def test_seconds_are_recorded_anew_when_other_candidates_run(project):
    write_inputs(1)
    files.recorded("leads", "fit_seconds", {"a": 1.0})
    assert files.recorded("leads", "fit_seconds", {"b": 2.0}) == {"b": 2.0}


def test_seconds_of_one_application_say_nothing_about_another(project):
    write_inputs(1)
    files.recorded("leads", "fit_seconds", {"a": 1.0})
    other = files.models_path("other", "features.parquet")
    files.write_parquet(other, pd.DataFrame({"a": [1]}))
    files.write_parquet(other.with_name("examples.parquet"), pd.DataFrame({"a": [1]}))
    assert files.recorded("other", "fit_seconds", {"a": 5.0}) == {"a": 5.0}


def test_digest_is_that_of_the_bytes(tmp_path):
    (tmp_path / "a").write_bytes(b"abc")
    # FIPS 180-4, the published value for "abc"
    known = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert files.sha256(tmp_path / "a") == known
