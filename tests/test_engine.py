"""Here or on Spark: the same bytes, the same errors, no half-written file."""

import os
import sys
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from hourly_world import last_hour
from spark_sessions import needs_spark, session
from test_leads import QUESTION
from tierwise import engine, hour, snapshot
from tierwise import features as ft
from tierwise.applications import leads
from tierwise.files import InputError
from tierwise.simulation import world
from tierwise.simulation.settings import Settings

PARTS = 5


def known(part):
    """What an application does: read a partition, compute, give rows."""
    log = pd.read_parquet(part / "log.parquet")
    events = ft.stream(log["key"], log["at"], log["at"], log["event"], log["amount"])
    features = [ft.count("call", 7), ft.total("call", 7), ft.recency("any"), ft.faded("call", 3)]
    groups = {"any": ["call", "mail"]}
    rows = pd.Series(log["key"].unique()), pd.Series(log["at"].max()).repeat(log["key"].nunique())
    return ft.compute(features, groups, events, rows[0], rows[1].reset_index(drop=True))


def python(part):
    return pd.DataFrame({"python": [sys.executable], "part": [part.name]})


def broken(part):
    if part.name == "0002":
        raise KeyError("amount_eur")
    return python(part)


def refused(part):
    if part.name == "0002":
        raise InputError("deals.csv has no column 'deal_id'; name it in params.yaml.")
    return python(part)


@pytest.fixture(scope="module")
def parts(tmp_path_factory):
    folder = tmp_path_factory.mktemp("snapshot")
    for number in range(PARTS):
        part = folder / f"{number:04d}"
        part.mkdir()
        count = 40 + number
        pd.DataFrame(
            {
                "key": [at % 7 * PARTS + number for at in range(count)],
                "at": pd.date_range("2026-01-01", periods=count, freq="7h").astype(
                    "datetime64[us]"
                ),
                "event": ["call", "mail", "call"] * (count // 3) + ["mail"] * (count % 3),
                "amount": [0.1 * at for at in range(count)],
            }
        ).to_parquet(part / "log.parquet")
    return sorted(folder.iterdir())


@pytest.fixture(scope="module")
def spark():
    """Two workers of their own, so that nothing is shared by being in one process."""
    places = {"spark.executorEnv.PYTHONPATH": str(Path(__file__).parent)}
    with session("local-cluster[2,1,1024]", places) as found:
        yield found


def content(paths):
    return {path.name: path.read_bytes() for path in paths}


def test_each_partition_leaves_one_file_of_its_name_in_order(parts, tmp_path):
    paths = engine.over_parts(known, parts, tmp_path)
    assert paths == [tmp_path / f"{number:04d}.parquet" for number in range(PARTS)]
    assert pd.read_parquet(paths[3])["call_count_7d"].sum() > 0


@pytest.mark.parametrize("name", engine.ENGINES)
def test_no_partitions_leave_no_files(name, tmp_path):
    assert engine.over_parts(known, [], tmp_path, name) == []


def test_unknown_engine_names_those_there_are(tmp_path):
    with pytest.raises(InputError, match="^engine 'dask' is unknown; .* local, spark.$"):
        engine.over_parts(python, [tmp_path], tmp_path, "dask")


def test_missing_pyspark_says_how_to_install_it(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyspark.sql", None)
    with pytest.raises(InputError, match="needs PySpark: install it with `uv sync --extra spark`"):
        engine.over_parts(python, [tmp_path], tmp_path, "spark")


def test_a_failure_here_is_the_error_itself(parts, tmp_path):
    with pytest.raises(KeyError, match="amount_eur"):
        engine.over_parts(broken, parts, tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["0000.parquet", "0001.parquet"]


@needs_spark
def test_spark_leaves_the_same_bytes_with_more_partitions_than_workers(parts, tmp_path, spark):
    here = engine.over_parts(known, parts, tmp_path / "here")
    there = engine.over_parts(known, parts, tmp_path / "there", "spark")
    assert [path.name for path in here] == [path.name for path in there]
    assert content(here) == content(there)


@needs_spark
@pytest.mark.parametrize("scorer", ["logistic_regression"], indirect=True)
def test_spark_scores_the_same_hour(scorer, folder, spark):
    here = hour.batch(scorer, folder / "many", last_hour(folder))[0]
    elsewhere = replace(scorer, question=scorer.question | {"engine": "spark"})
    there = hour.batch(elsewhere, folder / "many", last_hour(folder))[0]
    pd.testing.assert_frame_equal(there, here)


@needs_spark
def test_workers_run_the_python_that_runs_here(parts, tmp_path, spark):
    paths = engine.over_parts(python, parts, tmp_path, "spark")
    assert {pd.read_parquet(path)["python"].item() for path in paths} == {sys.executable}


@needs_spark
def test_a_failure_on_spark_is_one_error_with_the_traceback_of_the_worker(parts, tmp_path, spark):
    with pytest.raises(engine.PartitionError, match="(?s)KeyError: 'amount_eur'") as caught:
        engine.over_parts(broken, parts, tmp_path, "spark")
    assert "\tat org.apache" not in str(caught.value)
    left = {path.name for path in tmp_path.iterdir()}
    assert left <= {f"{number:04d}.parquet" for number in range(PARTS)} - {"0002.parquet"}


@needs_spark
def test_a_refusal_on_spark_is_the_refusal_itself(parts, tmp_path, spark):
    with pytest.raises(InputError, match="^deals.csv has no column 'deal_id'; name it"):
        engine.over_parts(refused, parts, tmp_path, "spark")


@needs_spark
def test_a_session_that_was_there_before_goes_on(parts, tmp_path, spark):
    engine.over_parts(python, parts[:1], tmp_path, "spark")
    assert spark.sparkContext.parallelize([1, 2, 3], 1).count() == 3


class Session:
    """In place of a real one: did it end? There is one per process, so ours cannot be real."""

    def __init__(self):
        self.stopped = False
        self.sparkContext = self

    def setLogLevel(self, level):  # noqa: N802 - Spark's name
        self.level = level

    def stop(self):
        self.stopped = True


@needs_spark
def test_a_session_of_our_own_ends_even_after_a_failure(monkeypatch):
    from pyspark.sql import SparkSession

    own = Session()
    monkeypatch.setattr(SparkSession, "getActiveSession", lambda: None)
    monkeypatch.setattr(SparkSession.Builder, "getOrCreate", lambda builder: own)
    monkeypatch.setenv("PYSPARK_PYTHON", "to be restored")
    monkeypatch.delenv("PYSPARK_PYTHON")
    with pytest.raises(KeyError), engine.spark_session():
        raise KeyError
    assert own.stopped
    assert os.environ["PYSPARK_PYTHON"] == sys.executable


@needs_spark
def test_a_cluster_gives_the_same_examples_of_leads(tmp_path, spark):
    """The whole question, on more partitions than workers."""
    world.write(tmp_path / "raw", Settings(deals_count=500))
    snapshot.fetch(tmp_path / "raw", tmp_path / "tables", partition_rows_count=20_000)
    assert len(snapshot.parts(tmp_path / "tables")) > 2
    found = []
    for name in engine.ENGINES:
        question = QUESTION | {"engine": name}
        found.append(leads.build(leads.read(tmp_path / "tables", question), question))
    (examples, columns, excluded), (others, their_columns, also_excluded) = found
    pd.testing.assert_frame_equal(examples, others, check_exact=True)
    pd.testing.assert_frame_equal(columns, their_columns, check_exact=True)
    assert excluded == also_excluded
