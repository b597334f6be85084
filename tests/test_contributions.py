"""Contributions add up to the score for every model, and are Shapley values where they say so."""

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit, logit
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import KBinsDiscretizer, SplineTransformer, StandardScaler
from sklearn.svm import SVC

from tierwise import calibration, candidates, models, shapley
from tierwise import contributions as cb
from tierwise.files import InputError
from tierwise.models import Model

COUNT = 600
RANKED = "recent_boosting with ranks"


def data(count=COUNT, seed=0):
    """Planted number, noise, gaps, an empty column, a category with rare values; and the outcome."""
    random = np.random.default_rng(seed)
    won = (random.random(count) < 0.35).astype(float)
    kinds = np.where(random.random(count) < 0.3 + 0.3 * won, "warm", "cold")
    features = pd.DataFrame(
        {
            "noise": random.normal(size=count).astype("float32"),
            "planted": (random.normal(size=count) + 1.5 * won).astype("float32"),
            "gaps": pd.Series(random.normal(size=count)).where(random.random(count) < 0.6),
            "empty": np.nan,
            "kind": np.where(random.random(count) < 0.02, "rare", kinds),
        },
        index=random.permutation(count) + 7,
    ).astype({"gaps": "float32", "empty": "float32", "kind": "str"})
    return features, won


def later():
    """Rows with values that no fit has seen."""
    features = data(150, seed=9)[0]
    features.iloc[:20, features.columns.get_loc("kind")] = "never seen"
    features.iloc[10:30, features.columns.get_loc("planted")] = np.nan
    features.iloc[30:40, features.columns.get_loc("noise")] = 1e6
    return features


@pytest.fixture(scope="module")
def fitted():
    features, won = data()
    names = [*candidates.CANDIDATES, "by_gaps"]
    made = {name: models.fit(name, features, won)[0].parts[0] for name in names}
    ranked, _ = models.fit("recent_boosting", features, won, {"ranks": True})
    return made | {RANKED: ranked.parts[0]}


def explained(model, rows=None):
    return cb.explain(Model((model,)), later() if rows is None else rows, data()[0])


def score(model, rows):
    return calibration.log_odds(models.chance(Model((model,)), rows))


@pytest.mark.parametrize("name", [*candidates.CANDIDATES, "by_gaps", RANKED])
def test_base_and_contributions_add_up_to_the_score(name, fitted):
    base, found = explained(fitted[name])
    assert found.shape == later().shape
    assert found.index.equals(later().index)
    assert list(found) == list(later())
    assert (found.dtypes == "float64").all()
    total = base + found.sum(axis=1)
    np.testing.assert_allclose(total, score(fitted[name], later()), atol=1e-5)


@pytest.mark.parametrize("name", ["naive_bayes", "logistic_regression", "by_gaps"])
def test_linear_sums_are_as_exact_as_the_model_in_double_precision(name, fitted):
    model = fitted[name]
    base, found = explained(model)
    values = model[:-1].transform(later()).astype("float64")
    last = model[-1]
    if name == "naive_bayes":
        own = np.diff(last.predict_joint_log_proba(values), axis=1)[:, 0]
    else:
        own = values @ last.coef_[0].astype("float64") + last.intercept_[0]
    np.testing.assert_allclose(base + found.sum(axis=1), own, atol=1e-9)


@pytest.mark.parametrize("name", [*candidates.CANDIDATES, "by_gaps"])
def test_column_that_tells_nothing_contributes_nothing(name, fitted):
    assert (explained(fitted[name])[1]["empty"] == 0).all()


def test_base_rate_has_no_reasons(fitted):
    base, found = explained(fitted["base_rate"])
    assert base == pytest.approx(logit(data()[1].mean()))
    assert (found == 0).all(axis=None)


def test_linear_contribution_is_the_distance_from_the_mean_of_the_background(fitted):
    _, found = explained(fitted["logistic_regression"], data()[0])
    np.testing.assert_allclose(found.mean(), 0, atol=1e-12)
    assert (found["kind"].groupby(data()[0]["kind"]).nunique() == 1).all()


@pytest.mark.parametrize("name", ["xgboost", "recent_boosting", RANKED])
def test_boosted_contributions_are_those_of_two_implementations(name, fitted, monkeypatch):
    """XGBoost's TreeSHAP for a few rows and ours for many, of all trees."""
    assert len(later()) >= cb.FEW_ROWS
    base, ours = explained(fitted[name])
    monkeypatch.setattr(cb, "FEW_ROWS", len(later()) + 1)
    same_base, theirs = explained(fitted[name])
    assert base == same_base
    assert theirs.abs().to_numpy().max() > 0.1
    np.testing.assert_allclose(ours, theirs, atol=2e-6)


def test_number_that_stands_for_missing_is_missing_to_both(fitted, monkeypatch):
    features, won = data()
    model = models.fit("xgboost", features, won)[0].parts[0]
    values = np.nan_to_num(model[:-1].transform(features), nan=-9.0)
    model[-1].set_params(missing=-9.0).fit(values, won)
    rows = later().fillna({"noise": -9.0, "planted": -9.0, "gaps": -9.0, "empty": -9.0})
    ours = explained(model, rows)[1]
    monkeypatch.setattr(cb, "FEW_ROWS", len(rows) + 1)
    np.testing.assert_allclose(ours, explained(model, rows)[1], atol=2e-6)


def test_fit_that_stopped_early_is_explained_up_to_its_best_round():
    features, won = data()
    model = models.fit("xgboost", features, won)[0].parts[0]
    values = model[:-1].transform(features)
    last = model[-1].set_params(early_stopping_rounds=3)
    last.fit(values[:400], won[:400], eval_set=[(values[400:], won[400:])], verbose=False)
    assert last.best_iteration + 1 < last.get_booster().num_boosted_rounds()
    base, found = explained(model)
    np.testing.assert_allclose(base + found.sum(axis=1), score(model, later()), atol=1e-5)


def test_blend_is_the_weighted_sum_of_its_parts(fitted):
    parts = (fitted["logistic_regression"], fitted["xgboost"])
    blend = Model(parts, (0.7, 0.3), -0.4)
    base, found = cb.explain(blend, later(), data()[0])
    own = [explained(part) for part in parts]
    assert base == pytest.approx(-0.4 + 0.7 * own[0][0] + 0.3 * own[1][0])
    pd.testing.assert_frame_equal(found, 0.7 * own[0][1] + 0.3 * own[1][1])
    total = logit(models.chance(blend, later()))
    np.testing.assert_allclose(base + found.sum(axis=1), total, atol=1e-5)


def test_forest_keeps_sign_and_proportion_of_its_parts_of_the_chance(fitted):
    """Each row's parts are the Shapley values of its chance times one number above 0."""
    model = fitted["random_forest"]
    asked = shapley.leaves(shapley.of_forest(model[-1]))
    chance = cb.by_source(model, later(), lambda values: shapley.values(asked, values))
    found = explained(model)[1][chance.columns]
    factor = (found / chance).where(chance.abs() > 1e-9)
    assert (factor.min(axis=1) > 0).all()
    np.testing.assert_allclose(factor.max(axis=1), factor.min(axis=1), rtol=1e-6)


def test_chunks_change_nothing(fitted, monkeypatch):
    whole = explained(fitted["xgboost"])[1]
    monkeypatch.setattr(cb, "CHUNK_ROWS", 7)
    pd.testing.assert_frame_equal(explained(fitted["xgboost"])[1], whole)


@pytest.mark.parametrize("name", [*candidates.CANDIDATES, "by_gaps"])
def test_no_rows_give_no_contributions(name, fitted):
    _, found = explained(fitted[name], later().iloc[:0])
    assert found.shape == (0, 5)


def test_score_out_of_bounds_is_explained_as_it_is_given():
    """A naive Bayes may be sure beyond 1 - 1e-6, where scores end."""
    count = 4000
    won = np.arange(count) % 2 == 0
    sure = pd.DataFrame({f"c{n}": won.astype("float32") for n in range(4)})
    model = models.fit("naive_bayes", sure, won.astype(float))[0]
    base, found = cb.explain(model, sure, sure)
    total = base + found.sum(axis=1)
    assert total.max() == pytest.approx(logit(1 - 1e-6))
    assert total.min() == pytest.approx(logit(1e-6))


def test_column_that_two_steps_read_has_one_contribution():
    """In bins and as a number, side by side."""
    features, won = data()
    numbers = ["planted", "noise"]
    scaled = Pipeline([("fill", SimpleImputer()), ("scale", StandardScaler())])
    binned = KBinsDiscretizer(4, encode="onehot-dense", quantile_method="linear")
    parts = [("scaled", scaled, numbers), ("bins", binned, numbers[::-1])]
    model = Pipeline([("columns", ColumnTransformer(parts)), ("model", LogisticRegression())])
    rows = later().fillna(dict.fromkeys(numbers, 0.0))
    base, found = explained(model.fit(features, won), rows)
    assert list(found) == list(rows)
    np.testing.assert_allclose(base + found.sum(axis=1), score(model, rows), atol=1e-6)


@pytest.mark.parametrize("method", calibration.METHODS)
def test_calibrated_contributions_add_up_to_the_chance(method, fitted):
    features, won = data()
    model = fitted["naive_bayes"]
    calibrator = calibration.fit(method, expit(score(model, features)), won)
    base, found = cb.calibrated(*explained(model), calibrator)
    chance = calibration.apply(calibrator, expit(score(model, later())))
    np.testing.assert_allclose(expit(base + found.sum(axis=1)), chance, atol=1e-6)


def test_straight_calibration_scales_every_contribution_alike(fitted):
    base, found = explained(fitted["logistic_regression"])
    new, halved = cb.calibrated(base, found, calibration.straight("sigmoid", 1.0, 0.5))
    assert new == pytest.approx(1 + base / 2)
    np.testing.assert_allclose(halved, found / 2, atol=1e-8)


def test_row_at_the_base_keeps_reasons_that_cancel():
    found = pd.DataFrame({"a": [1.0, 2.0], "b": [-1.0, 0.0]})
    _, twice = cb.rescaled(0.5, found, lambda z: 2 * z)
    np.testing.assert_allclose(twice, [[2, -2], [4, 0]], rtol=1e-9)


def test_model_without_exact_contributions_is_refused(fitted):
    features, won = data()
    model = Pipeline([("columns", fitted["logistic_regression"]["columns"]), ("model", SVC())])
    model[-1].fit(model[:-1].transform(features), won)
    with pytest.raises(InputError, match="of a SVC; there are those of DummyClassifier, Logistic"):
        explained(model)


def test_step_that_makes_columns_in_an_unknown_way_is_refused():
    features, won = data()
    columns = ColumnTransformer([("numbers", SplineTransformer(), ["noise"])])
    model = Pipeline([("columns", columns), ("model", LogisticRegression())]).fit(features, won)
    with pytest.raises(InputError, match="one of its steps is unknown"):
        explained(model, features)


def test_background_without_rows_is_refused(fitted):
    with pytest.raises(InputError, match="background has no rows"):
        cb.explain(Model((fitted["xgboost"],)), later(), data()[0].iloc[:0])
