"""Every candidate copes with every table, sees missing values, and repeats itself exactly."""

import numpy as np
import pandas as pd
import pytest

from tierwise import models
from tierwise.files import InputError
from tierwise.leakage import auc

COUNT = 600
BINNED = ("best_single_column", "naive_bayes", "logistic_regression")
RANKERS = [name for name in models.CANDIDATES if name != "base_rate"]


def data(count=COUNT, seed=0):
    """Features with one planted number, one planted category, noise and gaps; and the outcome."""
    random = np.random.default_rng(seed)
    won = (random.random(count) < 0.35).astype(float)
    features = pd.DataFrame(
        {
            "noise": random.normal(size=count).astype("float32"),
            "planted": (random.normal(size=count) + 1.5 * won).astype("float32"),
            "gaps": pd.Series(random.normal(size=count)).where(random.random(count) < 0.6),
            "kind": np.where(random.random(count) < 0.3 + 0.3 * won, "warm", "cold"),
        }
    ).astype({"gaps": "float32", "kind": "str"})
    return features, won


def fitted_chance(name, features, won, later=None):
    model, _ = models.fit(name, features, won)
    return models.chance(model, features if later is None else later)


def is_chance(values, count):
    return (
        values.shape == (count,) and np.isfinite(values).all() and (abs(values - 0.5) <= 0.5).all()
    )


def used(model):
    """Columns that a fitted pipeline reads."""
    parts = model["columns"].transformers_
    return [column for name, _, columns in parts if name != "remainder" for column in columns]


# the list of candidates


def test_the_order_is_from_the_simplest_up():
    assert list(models.CANDIDATES) == [
        *("base_rate", "best_single_column", "naive_bayes", "logistic_regression"),
        *("random_forest", "histogram_boosting", "xgboost"),
    ]


def test_a_rule_stands_between_the_base_rate_and_the_models():
    features, _ = data()
    names = models.names(["planted", "gaps"], features)
    assert names[:4] == ["base_rate", "by_planted", "by_gaps", "best_single_column"]
    assert models.names([], features) == list(models.CANDIDATES)


@pytest.mark.parametrize("column", ["kind", "unheard_of"])
def test_a_rule_by_a_column_that_holds_no_numbers_is_answered_with_those_that_do(column):
    with pytest.raises(InputError, match=f"'{column}'.* It has: noise, planted, gaps"):
        models.names([column], data()[0])


@pytest.mark.parametrize("sign", [1, -1])
def test_a_rule_keeps_the_order_of_its_column_in_the_direction_that_the_past_supports(sign):
    features, won = data()
    features["planted"] *= sign
    chance = fitted_chance("by_planted", features, won)
    order = np.argsort(sign * features["planted"].to_numpy(), kind="stable")
    assert (np.diff(chance[order]) >= 0).all()


def test_a_rule_puts_missing_values_last_or_first_and_never_between():
    features, won = data()
    chance = fitted_chance("by_gaps", features, won)
    missing = features["gaps"].isna().to_numpy()
    assert len(set(chance[missing])) == 1
    assert (chance[missing][0] < chance[~missing]).all() or (
        chance[missing][0] > chance[~missing]
    ).all()


def test_the_base_rate_gives_everybody_the_share_of_wins_so_far():
    features, won = data()
    assert set(fitted_chance("base_rate", features, won)) == {won.mean()}


@pytest.mark.parametrize("name", [*RANKERS, "by_planted"])
def test_a_planted_signal_is_found_on_later_rows(name):
    features, won = data(1200)
    chance = fitted_chance(name, features[:800], won[:800], features[800:])
    assert auc(won[800:], chance) > 0.8


@pytest.mark.parametrize("name", [*models.CANDIDATES, "by_planted"])
def test_fits_repeat_exactly_and_leave_their_input_alone(name):
    features, won = data()
    before, labels = features.copy(), won.copy()
    first, second = (fitted_chance(name, features, won) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    pd.testing.assert_frame_equal(features, before)
    np.testing.assert_array_equal(won, labels)


@pytest.mark.parametrize("name", models.CANDIDATES)
def test_a_rows_chance_does_not_depend_on_the_rows_beside_it(name):
    features, won = data()
    model, _ = models.fit(name, features, won)
    together = models.chance(model, features)[[5, 17, 40]]
    alone = np.concatenate([models.chance(model, features.iloc[[row]]) for row in (5, 17, 40)])
    np.testing.assert_allclose(alone, together, rtol=1e-6)


@pytest.mark.parametrize("name", models.CANDIDATES)
def test_seconds_are_not_negative_and_the_model_is_not_refitted_by_scoring(name):
    features, won = data()
    model, seconds = models.fit(name, features, won)
    assert seconds >= 0
    first = models.chance(model, features)
    models.chance(model, features[::-1])
    np.testing.assert_array_equal(models.chance(model, features), first)


# awkward tables


def awkward(name):
    """Features and later features that differ from them in an awkward way."""
    features, won = data()
    later = features[:7].copy()
    if name == "unseen category":
        later["kind"] = "never seen"
    elif name == "all missing later":
        later[["noise", "planted", "gaps"]] = np.float32(np.nan)
        later["kind"] = "(missing)"
    elif name == "all-missing column":
        features["gaps"] = later["gaps"] = np.float32(np.nan)
    elif name == "constant columns":
        features[["noise", "gaps"]] = later[["noise", "gaps"]] = np.float32(7)
        features["kind"] = later["kind"] = "same"
    elif name == "one value and missing":
        features["gaps"] = features["gaps"].where(features["gaps"].isna(), np.float32(1))
    elif name == "a value per row":
        features["kind"] = [f"id-{row}" for row in range(COUNT)]
    elif name == "categories only":
        features, later = features[["kind"]], later[["kind"]]
    elif name == "numbers only":
        features, later = features[["planted"]], later[["planted"]]
    elif name == "huge numbers":
        features["noise"] *= np.float32(1e30)
        later["noise"] = np.float32(-3e38)
    elif name == "odd column names":
        names = {"planted": "a[0] <b>", "kind": 'ключ, "x"'}
        features, later = features.rename(columns=names), later.rename(columns=names)
    return features, won, later


AWKWARD = [
    *("unseen category", "all missing later", "all-missing column", "constant columns"),
    *("one value and missing", "a value per row", "categories only", "numbers only"),
    *("huge numbers", "odd column names"),
]


@pytest.mark.parametrize("case", AWKWARD)
@pytest.mark.parametrize("name", models.CANDIDATES)
def test_every_candidate_copes_with(name, case):
    features, won, later = awkward(case)
    assert is_chance(fitted_chance(name, features, won, later), len(later))


@pytest.mark.parametrize("name", models.CANDIDATES)
def test_thousands_of_categories_cost_one_coefficient_for_each_of_the_frequent_only(name):
    random = np.random.default_rng(0)
    count = 5000
    won = (random.random(count) < 0.3).astype(float)
    common = np.where(won == 1, "often bought", "seldom bought")
    rare = np.array([f"street {number}" for number in range(count)])
    street = pd.DataFrame({"street": np.where(random.random(count) < 0.4, common, rare)})
    assert models.categories_of(street)["street"] == ["seldom bought", "often bought"]
    chance = fitted_chance(name, street, won)
    assert is_chance(chance, count)
    if name != "base_rate":
        assert auc(won, chance) > 0.6


@pytest.mark.parametrize("name", models.CANDIDATES)
@pytest.mark.parametrize("only", [0.0, 1.0])
def test_one_class_only_falls_back_to_its_base_rate(name, only):
    features, _ = data()
    assert set(fitted_chance(name, features, np.full(COUNT, only))) == {only}


@pytest.mark.parametrize("name", models.CANDIDATES)
@pytest.mark.parametrize("kind", ["no columns", "constant", "empty", "a value per row"])
def test_nothing_to_rank_by_falls_back_to_the_base_rate(name, kind):
    _, won = data()
    columns = {
        "no columns": {},
        "constant": {"x": np.full(COUNT, 3, dtype="float32")},
        "empty": {"x": np.full(COUNT, np.nan, dtype="float32")},
        "a value per row": {"x": [f"id-{row}" for row in range(COUNT)]},
    }[kind]
    chance = fitted_chance(name, pd.DataFrame(columns, index=range(COUNT)), won)
    np.testing.assert_allclose(chance, won.mean())


@pytest.mark.parametrize("seed", range(8))
def test_the_best_single_column_is_never_one_that_no_model_could_use(seed):
    """An id scores exactly a half, more than unlucky noise, but has no value worth a coefficient."""
    random = np.random.default_rng(seed)
    won = (random.random(300) < 0.3).astype(float)
    noise = random.normal(size=300).astype("float32")
    features = pd.DataFrame({"id": [f"id-{row}" for row in range(300)], "noise": noise})
    model, _ = models.fit("best_single_column", features, won)
    assert used(model) == ["noise"]


@pytest.mark.parametrize("count", [12, 20, 25])
@pytest.mark.parametrize("name", models.CANDIDATES)
def test_a_few_rows_are_enough_to_fit(name, count):
    features, _ = data(count)
    won = np.arange(count) % 2.0
    assert is_chance(fitted_chance(name, features, won), count)


# what single candidates promise


@pytest.mark.parametrize("planted", ["a", "b", "c"])
def test_the_best_single_column_is_the_planted_one_and_uses_no_other(planted):
    random = np.random.default_rng(3)
    won = (random.random(COUNT) < 0.3).astype(float)
    features = pd.DataFrame(random.normal(size=(COUNT, 3)).astype("float32"), columns=list("abc"))
    features[planted] += won.astype("float32")
    chance = fitted_chance("best_single_column", features, won)
    others = [name for name in "abc" if name != planted]
    scrambled = features.copy()
    scrambled[others] = np.float32(0)
    np.testing.assert_array_equal(
        fitted_chance("best_single_column", features, won, scrambled), chance
    )
    scrambled[planted] = np.float32(0)
    assert len(set(fitted_chance("best_single_column", features, won, scrambled))) == 1


def missing_tells(share, count=4000):
    """A column whose values say nothing: only whether one is there does."""
    random = np.random.default_rng(0)
    missing = random.random(count) < share
    won = (random.random(count) < np.where(missing, 0.6, 0.1)).astype(float)
    values = pd.DataFrame({"x": np.where(missing, np.nan, random.normal(size=count))})
    return values.astype("float32"), won, missing


@pytest.mark.parametrize("name", RANKERS)
def test_missing_is_information_of_its_own(name):
    """The best order there is, missing first, has AUC 0.78."""
    features, won, missing = missing_tells(0.3)
    chance = fitted_chance(name, features[:2000], won[:2000], features[2000:])
    gone = missing[2000:]
    assert len(set(chance[gone])) == 1
    assert chance[gone][0] == chance.max()
    assert auc(won[2000:], chance) > 0.7


@pytest.mark.parametrize("name", RANKERS)
def test_a_few_missing_values_do_not_share_the_fate_of_the_lowest_numbers(name):
    features, won, _ = missing_tells(0.05)
    later = pd.DataFrame({"x": [np.nan, -2.5]}, dtype="float32")
    gone, lowest = fitted_chance(name, features, won, later)
    assert gone > lowest + 0.2


@pytest.mark.parametrize("name", RANKERS)
def test_a_flag_of_zeros_and_ones_is_used(name):
    random = np.random.default_rng(0)
    won = (random.random(1000) < 0.3).astype(float)
    flag = (random.random(1000) < 0.2 + 0.5 * won).astype("float32")
    assert auc(won, fitted_chance(name, pd.DataFrame({"flag": flag}), won)) > 0.7


def test_naive_bayes_is_the_product_of_one_frequency_table_per_column():
    """By hand: P(win) * product of P(value | win), normalised; smoothing aside."""
    random = np.random.default_rng(0)
    count = 20_000
    won = (random.random(count) < 0.3).astype(float)
    features = pd.DataFrame(
        {
            "colour": np.where(random.random(count) < 0.2 + 0.3 * won, "red", "blue"),
            "size": random.choice(list("SML"), count),
            "visits": random.normal(won).astype("float32"),
        }
    )
    features.loc[random.random(count) < 0.2, "colour"] = "(missing)"
    # Ten bins of equal count, as the score card has them.
    tables = features.assign(visits=pd.qcut(features["visits"], 10).cat.codes)
    joint = {}
    for label in (0.0, 1.0):
        inside = tables[won == label]
        joint[label] = np.full(count, len(inside) / count)
        for column in tables:
            table = inside[column].value_counts(normalize=True)
            joint[label] *= tables[column].map(table).to_numpy(dtype=float)
    expected = joint[1.0] / (joint[0.0] + joint[1.0])
    found = fitted_chance("naive_bayes", features, won)
    np.testing.assert_allclose(found, expected, atol=2e-3)
    assert np.ptp(expected) > 0.3


def test_logistic_regression_gives_one_level_per_bin_of_a_single_column():
    """A score card: within a tenth of the rows the chance is flat."""
    features, won = data(1000)
    chance = fitted_chance("logistic_regression", features[["planted"]], won)
    order = np.argsort(features["planted"].to_numpy())
    changes = np.flatnonzero(np.diff(chance[order])) + 1
    assert 5 < len(changes) < 10
    assert set(changes) <= {tenth * 100 for tenth in range(1, 10)}


@pytest.mark.parametrize("name", ["random_forest", "histogram_boosting", "xgboost"])
def test_trees_find_what_only_two_columns_together_tell(name):
    random = np.random.default_rng(1)
    features = pd.DataFrame(random.normal(size=(1500, 6)).astype("float32"))
    features = features.rename(columns=lambda number: "abcdef"[number])
    won = ((features["a"] > 0) == (features["b"] > 0)).to_numpy(dtype=float)
    chance = fitted_chance(name, features[:1000], won[:1000], features[1000:])
    linear = fitted_chance("logistic_regression", features[:1000], won[:1000], features[1000:])
    assert auc(won[1000:], chance) > 0.9
    assert auc(won[1000:], linear) < 0.6


# columns


def test_a_value_needs_twenty_rows_and_a_column_keeps_its_thirty_most_frequent():
    counts = {f"v{number:02}": number for number in range(1, 60)}
    column = [value for value, count in counts.items() for _ in range(count)]
    kept = models.categories_of(pd.DataFrame({"x": column}))["x"]
    assert kept == [f"v{number}" for number in range(59, 29, -1)]
    few = models.categories_of(pd.DataFrame({"x": ["a"] * 20 + ["b"] * 19}))
    assert few == {"x": ["a"]}


def test_the_kept_values_do_not_depend_on_the_order_of_rows():
    values = pd.DataFrame({"x": list("abcd") * 25})
    mixed = values.sample(frac=1, random_state=1)
    assert models.categories_of(values) == models.categories_of(mixed)


def test_a_column_varies_when_missing_counts_as_a_value():
    nan = np.nan
    table = pd.DataFrame({"a": [1.0, nan], "b": [nan, nan], "c": [2.0, 2.0], "d": ["x", "y"]})
    assert models.varying(table) == ["a"]
    assert models.numbers_of(table) == ["a", "b", "c"]
