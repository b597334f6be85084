"""Trees of the cluster are those of this machine, and go on like them: to skops and to ONNX."""

import json
import sys
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from xgboost import XGBClassifier

from spark_sessions import needs_spark, session
from tierwise import candidates, engine, export, models, monotone, scoring, spark_trees
from tierwise.files import InputError
from tierwise.ranking import auc

ROWS = 8000
FIXED = {"max_bin": 64, "n_jobs": 1, "random_state": 0, "min_child_weight": 5}
SMALL = FIXED | {"n_estimators": 8, "max_depth": 3, "num_parallel_tree": 2}


def table(rows=ROWS, seed=0):
    """Numbers and their outcome, in time order: `old` is missing in the second half of the rows.

    `new` is missing in the first half, so that half of the rows teaches half of the truth. The
    outcome turns with `x`, and names are such as Spark or XGBoost could stumble over.
    """
    random = np.random.default_rng(seed)
    old, new, x = random.normal(size=(3, rows)).astype("float32")
    early = np.arange(rows) < rows / 2
    odds = 2 * np.where(early, old, new) + np.abs(x) - 0.8
    outcome = (random.random(rows) < 1 / (1 + np.exp(-odds))).astype(int)
    features = {
        "deal.old `€`": np.where(early, old, np.nan),
        "new-1": np.where(early, np.nan, new),
        "x": x,
        "noise of x": random.normal(size=rows),
    }
    return pd.DataFrame(features).astype("float32"), outcome


@pytest.fixture(scope="module")
def spark():
    quick = {"spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1"}
    with session("local[2]", {"spark.sql.shuffle.partitions": 1} | quick) as found:
        yield found


@pytest.fixture
def two_workers(monkeypatch):
    monkeypatch.setattr(spark_trees, "WORKER_MIN_ROWS", ROWS // 2)


def boosting(features, outcome):
    """Trees that draw rows and columns and are held to a direction, not fitted yet."""
    part = candidates.recent_boosting(features, outcome, round_count=40)
    monotone.hold(part, {"x": 1})
    return part


@pytest.fixture(scope="module")
def fitted(spark, tmp_path_factory):
    """The same pipeline fitted by two workers and here."""
    features, outcome = table()
    there, here = boosting(features, outcome), boosting(features, outcome)
    inputs = there[:-1].transform(features)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(spark_trees, "WORKER_MIN_ROWS", ROWS // 2)
        place = tmp_path_factory.mktemp("a folder [1]")
        spark_trees.fit(there.named_steps["model"], inputs, outcome, None, place)
    here.named_steps["model"].fit(inputs, outcome)
    return models.Model((there,)), models.Model((here,))


def attributes(model):
    return {name: value for name, value in vars(model).items() if name != "_Booster"}


@needs_spark
def test_one_worker_gives_the_trees_of_this_machine_byte_for_byte(spark, tmp_path):
    """With gaps, weights and names, and with all that a fitted model holds beside its trees."""
    features, outcome = table()
    weight = np.linspace(0.02, 1, ROWS)
    there, here, unweighted = (XGBClassifier(**SMALL) for _ in range(3))
    spark_trees.fit(there, features, outcome, weight, tmp_path)
    here.fit(features, outcome, sample_weight=weight)
    assert there.get_booster().save_raw() == here.get_booster().save_raw()
    assert there.get_booster().save_config() == here.get_booster().save_config()
    assert there.get_booster().feature_names == list(features)
    np.testing.assert_equal(attributes(there), attributes(here))
    unweighted.fit(features, outcome)
    assert there.get_booster().save_raw() != unweighted.get_booster().save_raw()
    assert not list(tmp_path.iterdir())


@needs_spark
def test_several_workers_rank_later_rows_as_this_machine_does(fitted):
    """Each worker has seen one half of the truth: only together can they rank all rows."""
    features, outcome = table(20_000, seed=1)
    there, here = (models.chance(model, features) for model in fitted)
    assert auc(outcome, there) == pytest.approx(auc(outcome, here), abs=0.01)
    for half in (slice(None, 10_000), slice(10_000, None)):
        assert auc(outcome[half], there[half]) > 0.8
    assert there.mean() == pytest.approx(here.mean(), abs=0.01)


@needs_spark
def test_every_setting_reaches_the_workers(fitted):
    there, here = (json.loads(booster(model).save_config()) for model in fitted)
    assert there["learner"]["gradient_booster"] == here["learner"]["gradient_booster"]
    trained = there["learner"]["gradient_booster"]["tree_train_param"]
    assert (trained["max_bin"], trained["subsample"]) == ("64", "0.699999988")
    assert trained["monotone_constraints"] == "(0,0,1,0)"
    assert len(booster(fitted[0]).get_dump()) == 40 * 4


def booster(model):
    return model.parts[0].named_steps["model"].get_booster()


@needs_spark
def test_trees_of_several_workers_keep_to_their_direction(fitted):
    """Though the outcome turns with x, as likely at both of its ends."""
    line = pd.DataFrame({name: np.float32(0) for name in table(2)[0]}, index=range(200))
    line["x"] = np.linspace(-3, 3, 200, dtype="float32")
    held = models.chance(fitted[0], line)
    assert (np.diff(held) >= -1e-7).all()
    assert held.max() > held.min()


@needs_spark
def test_the_exported_model_gives_the_same_chances(fitted):
    features, _ = table(500, seed=2)
    features.iloc[::3, :] = np.float32(np.nan)
    score = models.chance(fitted[0], features)
    content = export.to_skops(fitted[0], {"method": "none"})
    np.testing.assert_array_equal(models.chance(export.from_skops(content)[0], features), score)
    calibrator = {"slope": 1.0, "intercept": 0.0, "knots": [], "changes": []}
    session = scoring.session(export.to_onnx(fitted[0], calibrator, features))
    np.testing.assert_allclose(scoring.score(session, features)["score"], score, atol=1e-6)


@needs_spark
def test_the_failure_of_one_worker_is_one_error_and_the_others_do_not_wait(
    spark, two_workers, tmp_path, monkeypatch
):
    """Only the second half has what XGBoost refuses; the first may be heard before the second."""
    features, outcome = table()
    features.iloc[-1, 2] = np.inf
    monkeypatch.setattr(spark_trees, "numbers", lambda inputs, rows: inputs.to_numpy()[rows])
    model = XGBClassifier(**SMALL)
    with pytest.raises(engine.PartitionError, match="contains `inf`|lost touch with") as caught:
        spark_trees.fit(model, features, outcome, None, tmp_path)
    assert "\tat org.apache" not in str(caught.value)
    assert "[bt]" not in str(caught.value)
    assert "n_classes_" not in vars(model)
    assert not list(tmp_path.iterdir())
    assert spark.range(3).count() == 3


@needs_spark
@pytest.mark.parametrize(
    ("said", "message"),
    [
        ("Failed.\nTraceback: value -3 for max_depth\nStack trace:\n [bt] (0)", "for max_depth$"),
        ("Failed.\nTraceback: src/collective/result.cc: Broken pipe", "pipe\nIt lost touch with"),
    ],
)
def test_an_error_ends_with_the_cause_and_says_where_else_to_look(said, message):
    from pyspark.errors import PySparkException

    with (
        pytest.raises(engine.PartitionError, match=f"^The work failed on Spark. Trace.*{message}"),
        spark_trees.spark_errors(),
    ):
        raise PySparkException(said)


@pytest.mark.parametrize("count", [1, 3])
def test_files_hold_all_rows_in_their_order_one_file_per_worker(count, tmp_path, monkeypatch):
    monkeypatch.setattr(spark_trees, "WRITTEN_ROWS", 4)
    features, outcome = table(20)
    spark_trees.write(tmp_path, features.to_numpy(), outcome, np.arange(20), count)
    paths = sorted(tmp_path.iterdir())
    assert [pq.read_metadata(path).num_rows for path in paths] == {1: [20], 3: [6, 7, 7]}[count]
    found = pd.concat([pd.read_parquet(path) for path in paths])
    assert {str(kind) for kind in found.dtypes} == {"float32"}
    np.testing.assert_array_equal(found.drop(columns=["outcome", "weight"]), features)
    assert found["outcome"].tolist() == outcome.tolist()
    assert found["weight"].tolist() == list(range(20))


@pytest.mark.parametrize(
    ("rows", "slots", "wanted", "count"),
    [(49_999, 8, 8, 1), (150_000, 8, 8, 3), (10**7, 8, 8, 8), (10**7, 1, 2, 1), (10**7, 8, 4, 4)],
)
def test_no_more_workers_than_run_at_once_each_with_rows_enough(rows, slots, wanted, count):
    """A cluster with one core says that two tasks suit it: trees would wait for the second."""
    profiles = SimpleNamespace(resourceProfileFromId=lambda number: None)
    inner = SimpleNamespace(
        resourceProfileManager=lambda: profiles, maxNumConcurrentTasks=lambda profile: slots
    )
    context = SimpleNamespace(_jsc=SimpleNamespace(sc=lambda: inner), defaultParallelism=wanted)
    session = SimpleNamespace(
        sparkContext=context, range=lambda rows: SimpleNamespace(count=lambda: rows)
    )
    assert spark_trees.worker_count(session, rows) == count


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"tree_method": "exact"}, "know tree_method None or auto or hist or approx, not exact"),
        ({"early_stopping_rounds": 5}, "know early_stopping_rounds None, not 5"),
        ({"objective": "binary:hinge"}, "know objective binary:logistic, not binary:hinge"),
        ({"device": "cuda"}, "know device None or cpu, not cuda"),
    ],
)
def test_settings_that_workers_would_ignore_are_refused(settings, message, tmp_path):
    features, outcome = table(20)
    with pytest.raises(InputError, match=f"{message}. Change it, or set engine: local"):
        spark_trees.fit(XGBClassifier(**settings), features, outcome, None, tmp_path)


@pytest.mark.parametrize(
    ("outcome", "weight", "message"),
    [
        ([0] * 20, None, "the 20 rows have 0. Take a span that has both"),
        ([1, 2] * 10, None, "the 20 rows have 1, 2."),
        ([0, 1] * 9, None, "there are 20 rows, 18 outcomes and 18 weights"),
        ([0, 1] * 10, np.full(20, np.nan), "0 or more, never missing"),
        ([0, 1] * 10, np.linspace(-1, 1, 20), "0 or more, never missing"),
        ([0, 1] * 10, np.ones(3), "there are 20 rows, 20 outcomes and 3 weights"),
    ],
)
def test_rows_that_trees_cannot_learn_from_are_refused(outcome, weight, message, tmp_path):
    with pytest.raises(InputError, match=message):
        spark_trees.fit(XGBClassifier(), table(20)[0], np.array(outcome), weight, tmp_path)


@pytest.mark.parametrize("named", [True, False])
def test_infinity_is_refused_with_its_place(named, tmp_path, monkeypatch):
    monkeypatch.setattr(spark_trees, "WRITTEN_ROWS", 4)
    features, outcome = table(20)
    features = features.astype("float64")
    features.iloc[13, 1] = 1e300  # float32 ends at 3e38
    inputs, place = (features, "'new-1'") if named else (features.to_numpy(), "1")
    with pytest.raises(InputError, match=f"row 13 has inf in column {place}. Make it missing"):
        spark_trees.write(tmp_path, inputs, outcome, None, 2)


def test_missing_pyspark_says_how_to_install_it(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyspark.sql", None)
    with pytest.raises(InputError, match="needs PySpark: install it with `uv sync --extra spark`"):
        spark_trees.fit(XGBClassifier(), *table(20), None, tmp_path)
