"""Every candidate copes with every table, sees missing values, and repeats itself exactly."""

import itertools

import numpy as np
import pandas as pd
import pytest

from tierwise import candidates, context, models, preparation, rolling
from tierwise.files import InputError
from tierwise.ranking import auc

COUNT = 600
# Those that rank the rows of one moment by their columns.
RANKERS = [name for name in candidates.CANDIDATES if name not in ("base_rate", "recent_rate")]
BOOSTED = ("xgboost", "recent_boosting")
EVERY = [*candidates.CANDIDATES, candidates.BLEND]


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


def fitted(name, features, won):
    """The candidate with its default settings, a blend with weights that are not its default."""
    weights = dict(zip(candidates.BLENDED, (0.7, 0.4), strict=True))
    settings = {part: tried[0] for part, tried in candidates.SEARCHED.items()}
    return rolling.fit(name, features, won, settings, {"weights": weights, "intercept": -0.2})


def fitted_chance(name, features, won, later=None):
    return models.chance(fitted(name, features, won), features if later is None else later)


def is_chance(values, count):
    return (
        values.shape == (count,) and np.isfinite(values).all() and (abs(values - 0.5) <= 0.5).all()
    )


def used(model):
    """Columns that a fitted candidate of one part reads."""
    parts = model.parts[0]["columns"].transformers_
    return {column for name, _, columns in parts if name != "remainder" for column in columns}


# the list of candidates


def test_the_order_is_from_the_simplest_up():
    assert list(candidates.CANDIDATES) == [
        *("base_rate", "recent_rate", "best_single_column", "naive_bayes", "logistic_regression"),
        *("random_forest", "histogram_boosting", "xgboost", "recent_logistic", "recent_boosting"),
    ]


def test_a_rule_stands_between_the_rates_and_the_models_and_the_blend_at_the_end():
    features, _ = data()
    names = candidates.names(["planted", "gaps"], features)
    rates = ["base_rate", "recent_rate"]
    assert names[:5] == [*rates, "by_planted", "by_gaps", "best_single_column"]
    assert names[-1] == candidates.BLEND
    assert candidates.names([], features) == EVERY


def test_the_parts_of_a_blend_are_candidates_and_have_settings():
    assert set(candidates.BLENDED) == set(candidates.SEARCHED) <= set(candidates.CANDIDATES)
    assert all(tried for tried in candidates.SEARCHED.values())


@pytest.mark.parametrize("column", ["kind", "unheard_of"])
def test_a_rule_by_a_column_that_holds_no_numbers_is_answered_with_those_that_do(column):
    with pytest.raises(InputError, match=f"'{column}'.* It has: noise, planted, gaps"):
        candidates.names([column], data()[0])


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


@pytest.mark.parametrize("name", [*RANKERS, candidates.BLEND, "by_planted"])
def test_a_planted_signal_is_found_on_later_rows(name):
    features, won = data(1200)
    chance = fitted_chance(name, features[:800], won[:800], features[800:])
    assert auc(won[800:], chance) > 0.8


@pytest.mark.parametrize("name", [*EVERY, "by_planted"])
def test_fits_repeat_exactly_and_leave_their_input_alone(name):
    features, won = data()
    before, labels = features.copy(), won.copy()
    first, second = (fitted_chance(name, features, won) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    pd.testing.assert_frame_equal(features, before)
    np.testing.assert_array_equal(won, labels)


@pytest.mark.parametrize("name", EVERY)
def test_a_rows_chance_does_not_depend_on_the_rows_beside_it(name):
    features, won = data()
    model = fitted(name, features, won)
    together = models.chance(model, features)[[5, 17, 40]]
    alone = np.concatenate([models.chance(model, features.iloc[[row]]) for row in (5, 17, 40)])
    np.testing.assert_allclose(alone, together, rtol=1e-6)


@pytest.mark.parametrize("name", candidates.CANDIDATES)
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
@pytest.mark.parametrize("name", EVERY)
def test_every_candidate_copes_with(name, case):
    features, won, later = awkward(case)
    assert is_chance(fitted_chance(name, features, won, later), len(later))


@pytest.mark.parametrize("name", RANKERS)
def test_thousands_of_categories_cost_one_coefficient_for_each_of_the_frequent_only(name):
    random = np.random.default_rng(0)
    count = 5000
    won = (random.random(count) < 0.3).astype(float)
    common = np.where(won == 1, "often bought", "seldom bought")
    rare = np.array([f"street {number}" for number in range(count)])
    street = pd.DataFrame({"street": np.where(random.random(count) < 0.4, common, rare)})
    assert preparation.categories_of(street)["street"] == ["seldom bought", "often bought"]
    chance = fitted_chance(name, street, won)
    assert is_chance(chance, count)
    assert auc(won, chance) > 0.6


@pytest.mark.parametrize("name", candidates.CANDIDATES)
@pytest.mark.parametrize("only", [0.0, 1.0])
def test_one_class_only_falls_back_to_its_base_rate(name, only):
    features, _ = data()
    assert set(fitted_chance(name, features, np.full(COUNT, only))) == {only}


@pytest.mark.parametrize("name", candidates.CANDIDATES)
@pytest.mark.parametrize("kind", ["no columns", "constant", "empty", "a value per row"])
def test_nothing_to_rank_by_falls_back_to_the_base_rate(name, kind):
    """Of late rows, where late rows count more."""
    _, won = data()
    columns = {
        "no columns": {},
        "constant": {"x": np.full(COUNT, 3, dtype="float32")},
        "empty": {"x": np.full(COUNT, np.nan, dtype="float32")},
        "a value per row": {"x": [f"id-{row}" for row in range(COUNT)]},
    }[kind]
    chance = fitted_chance(name, pd.DataFrame(columns, index=range(COUNT)), won)
    half_life = candidates.SEARCHED.get(name, [{}])[0].get("half_life_count")
    weight = models.recency(COUNT, half_life, 0.0)
    np.testing.assert_allclose(chance, np.average(won, weights=weight))


@pytest.mark.parametrize("seed", range(8))
def test_the_best_single_column_is_never_one_that_no_model_could_use(seed):
    """An id scores exactly a half, more than unlucky noise, but has no value worth a coefficient."""
    random = np.random.default_rng(seed)
    won = (random.random(300) < 0.3).astype(float)
    noise = random.normal(size=300).astype("float32")
    features = pd.DataFrame({"id": [f"id-{row}" for row in range(300)], "noise": noise})
    model, _ = models.fit("best_single_column", features, won)
    assert used(model) == {"noise"}


@pytest.mark.parametrize("count", [12, 20, 25])
@pytest.mark.parametrize("name", EVERY)
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


@pytest.mark.parametrize("name", ["random_forest", "histogram_boosting", *BOOSTED])
def test_trees_find_what_only_two_columns_together_tell(name):
    random = np.random.default_rng(1)
    features = pd.DataFrame(random.normal(size=(1500, 6)).astype("float32"))
    features = features.rename(columns=lambda number: "abcdef"[number])
    won = ((features["a"] > 0) == (features["b"] > 0)).to_numpy(dtype=float)
    chance = fitted_chance(name, features[:1000], won[:1000], features[1000:])
    linear = fitted_chance("logistic_regression", features[:1000], won[:1000], features[1000:])
    assert auc(won[1000:], chance) > 0.9
    assert auc(won[1000:], linear) < 0.6


# what late rows count


@pytest.mark.parametrize("half_life", [1, 7.5, 1000])
def test_a_row_so_many_back_counts_half_and_none_less_than_the_floor(half_life):
    weight = models.recency(200, half_life, 0.1)
    by_hand = [max(0.5 ** ((199 - row) / half_life), 0.1) for row in range(200)]
    np.testing.assert_allclose(weight, by_hand)
    assert weight[-1] == 1.0
    assert (np.diff(weight) >= 0).all()


def test_without_a_half_life_all_rows_count_the_same():
    assert models.recency(5, None, 0.02).tolist() == [1.0] * 5
    assert len(models.recency(0, 100, 0.0)) == 0


@pytest.mark.parametrize("name", candidates.SEARCHED)
def test_without_a_half_life_a_fit_is_the_unweighted_one(name):
    """In place of a weighted fit stands scikit-learn's own, without weights."""
    features, won = data()
    settings = {"half_life_count": None}
    chance = models.chance(models.fit(name, features, won, settings)[0], features)
    plain = candidates.CANDIDATES[name](features, won)
    plain[-1].fit(plain[:-1].transform(features), won)
    np.testing.assert_allclose(chance, plain.predict_proba(features)[:, 1], rtol=1e-5)


@pytest.mark.parametrize("name", candidates.SEARCHED)
def test_what_turned_round_lately_is_believed_of_late(name):
    """In the first two thirds a high number loses, since then it wins."""
    features, won = data(900)
    features["planted"] -= np.float32(0.75)
    features.loc[:599, "planted"] *= -1
    late, early = (
        models.chance(
            models.fit(name, features, won, {"half_life_count": count})[0], features[600:]
        )
        for count in (60, None)
    )
    assert auc(won[600:], late) > 0.75
    assert auc(won[600:], early) < auc(won[600:], late) - 0.1


def test_rows_that_hardly_count_are_left_out_of_a_linear_fit_and_not_of_trees():
    """Ten half-lives back a row weighs a thousandth: its values teach no category."""
    features, won = data()
    features.loc[: COUNT - 302, "kind"] = "long gone"
    settings = {"half_life_count": 30}
    kinds = {}
    for name in candidates.SEARCHED:
        model, _ = models.fit(name, features, won, settings)
        kinds[name] = model.parts[0]["columns"].named_transformers_["categories"].categories_[0]
    assert "long gone" not in kinds["recent_logistic"]
    assert "long gone" in kinds["recent_boosting"]


@pytest.mark.parametrize("name", candidates.SEARCHED)
def test_each_of_the_settings_makes_a_model_of_its_own(name):
    """With outcomes enough for deep trees; with fewer, some stop after the same round."""
    features, won = data(4000)
    features["wins_share_of_kind"] = np.random.default_rng(0).random(4000).astype("float32")
    tried = candidates.SEARCHED[name]
    found = [models.chance(models.fit(name, features, won, one)[0], features) for one in tried]
    assert all(is_chance(chance, 4000) for chance in found)
    for one, other in itertools.combinations(found, 2):
        assert not np.allclose(one, other)


@pytest.mark.parametrize("ranks", [False, True])
def test_what_a_model_was_after_fewer_rounds_is_the_model_of_fewer_rounds(ranks):
    features, won = data(4000)
    long, middle, short = candidates.stopped((30, 17, 4), depth=4, shrinkage=5.0, ranks=ranks)
    model, _ = models.fit("recent_boosting", features, won, long)
    for settings in (short, middle, long):
        alone, _ = models.fit("recent_boosting", features, won, settings)
        early = models.chance(model, features, settings["round_count"])
        np.testing.assert_array_equal(early, models.chance(alone, features))


@pytest.mark.parametrize("name", ["base_rate", "logistic_regression", "recent_boosting"])
def test_a_stop_after_the_last_round_or_for_a_model_without_rounds_changes_nothing(name):
    features, won = data()
    model, _ = models.fit(name, features, won)
    np.testing.assert_array_equal(
        models.chance(model, features, 10_000), models.chance(model, features)
    )


def test_ranks_let_a_split_part_frequent_values_from_rare_ones():
    """Forty values, of which the frequent ones win: one indicator each tells it slowly."""
    random = np.random.default_rng(0)
    number = np.minimum(random.geometric(0.08, 6000), 40)
    kinds = random.permutation([f"value {n}" for n in range(41)])[number]
    features = pd.DataFrame({"kind": kinds, "noise": random.normal(size=6000)})
    features = features.astype({"kind": "str", "noise": "float32"})
    won = (random.random(6000) < np.where(number < 8, 0.6, 0.2)).astype(float)
    losses = {}
    for ranks in (False, True):
        settings = {"round_count": 8, "depth": 2, "ranks": ranks}
        p = models.chance(models.fit("recent_boosting", features, won, settings)[0], features)
        losses[ranks] = -np.mean(np.log(np.where(won == 1, p, 1 - p)))
    assert losses[True] < losses[False] - 0.02


def test_a_fit_leaves_the_settings_as_they_are():
    features, won = data()
    before = [dict(settings) for settings in candidates.SEARCHED["recent_boosting"]]
    models.fit("recent_boosting", features, won, candidates.SEARCHED["recent_boosting"][0])
    assert candidates.SEARCHED["recent_boosting"] == before


# beyond the range seen, and what the times are like


def test_slopes_carry_on_beyond_the_range_seen_and_bins_stop_there():
    features, won = data()
    features = features[["planted"]]
    top = features["planted"].max()
    beyond = pd.DataFrame({"planted": [top, top + 3, top + 6]}, dtype="float32")
    chance = fitted_chance("recent_logistic", features, won, beyond)
    assert (np.diff(chance) > 0).all()
    assert len(set(fitted_chance("logistic_regression", features, won, beyond))) == 1


def with_context(count=COUNT):
    """Columns of which only the context tells anything, and outcomes that follow it."""
    random = np.random.default_rng(0)
    level = np.repeat([0.2, 0.7, 0.3, 0.8], count // 4)
    won = (random.random(count) < level).astype(float)
    features = pd.DataFrame({"x": random.normal(size=count).astype("float32")})
    times = {name: level.astype("float32") for name in context.NAMES}
    return features.assign(**times), won


@pytest.mark.parametrize("name", candidates.CANDIDATES)
def test_what_the_times_are_like_is_seen_by_those_only_that_should(name):
    features, won = with_context()
    turned = features.assign(**{name: 1 - features[name] for name in context.NAMES})
    model, _ = models.fit(name, features, won)
    changed = not np.array_equal(models.chance(model, features), models.chance(model, turned))
    assert changed == (name in ("recent_rate", "recent_logistic", "recent_boosting"))


@pytest.mark.parametrize("name", ["naive_bayes", "logistic_regression", "xgboost"])
def test_who_asks_for_it_sees_how_many_arrive_and_never_how_often_cases_were_won(name):
    features, won = with_context()
    model, _ = models.fit(name, features, won, {"arrivals": True})
    for columns, seen in ((context.ARRIVALS, True), (context.LEVELS, False)):
        turned = features.assign(**{column: 1 - features[column] for column in columns})
        assert (models.chance(model, features) != models.chance(model, turned)).any() == seen


@pytest.mark.parametrize("name", candidates.CANDIDATES)
def test_where_only_the_times_vary_the_others_fall_back_to_the_base_rate(name):
    features, won = with_context()
    features["x"] = np.float32(1)
    found = fitted_chance(name, features, won)
    assert is_chance(found, COUNT)
    assert (auc(won, found) > 0.6) == (name in candidates.SEE_CONTEXT)


def test_the_recent_rate_is_in_the_order_of_the_level_alone():
    features, won = with_context()
    random = np.random.default_rng(1)
    features[context.RATE] += random.normal(0, 0.01, COUNT).astype("float32")
    model, _ = models.fit("recent_rate", features, won)
    assert used(model) == {context.RATE}
    order = np.argsort(features[context.RATE].to_numpy(), kind="stable")
    assert (np.diff(models.chance(model, features)[order]) >= 0).all()


def test_without_context_the_recent_rate_is_the_base_rate():
    features, won = data()
    assert set(fitted_chance("recent_rate", features, won)) == {won.mean()}


def test_a_rule_by_a_column_that_stood_still_so_far_is_the_base_rate():
    features, won = data()
    features["gaps"] = np.float32(5)
    later = features.assign(gaps=np.float32(9))
    assert set(fitted_chance("by_gaps", features, won, later)) == {won.mean()}


# the blend


def test_a_blend_adds_the_log_odds_of_its_parts():
    features, won = data()
    one, other = (models.fit(name, features, won)[0].parts[0] for name in candidates.BLENDED)
    p, q = (models.part_chance(part, features) for part in (one, other))
    found = models.chance(models.Model((one, other), (0.7, 0.4), -0.2), features)
    odds = np.exp(-0.2) * (p / (1 - p)) ** 0.7 * (q / (1 - q)) ** 0.4
    np.testing.assert_allclose(found, odds / (1 + odds), rtol=1e-5)


def test_a_blend_with_all_weight_on_one_part_is_that_part():
    features, won = data()
    one, other = (models.fit(name, features, won)[0].parts[0] for name in candidates.BLENDED)
    found = models.chance(models.Model((one, other), (1.0, 0.0)), features)
    np.testing.assert_allclose(found, models.part_chance(one, features), rtol=1e-6)


def test_a_single_part_keeps_its_chances_to_the_last_bit():
    features, won = data()
    model, _ = models.fit("naive_bayes", features, won)
    expected = model.parts[0].predict_proba(features)[:, 1]
    np.testing.assert_array_equal(models.chance(model, features), expected)


def test_log_odds_stay_finite_for_the_certain():
    assert np.isfinite(models.log_odds(np.array([0.0, 1.0]))).all()
    np.testing.assert_allclose(models.log_odds(0.75), np.log(3))


@pytest.mark.parametrize(("count", "depth"), [(999, 3), (1000, 5)])
def test_deep_trees_are_for_many_outcomes_of_both_kinds(count, depth):
    features = pd.DataFrame({"x": np.arange(2 * count, dtype="float32")})
    for won in (np.arange(2 * count) < count, np.arange(2 * count) >= count):
        asked = {"round_count": 80, "depth": 5, "shrinkage": 5.0}
        deep = candidates.recent_boosting(features, won.astype(float), **asked)["model"]
        assert deep.max_depth == depth
        assert (deep.n_estimators, deep.reg_lambda) == ((80, 5.0) if depth == 5 else (60, 10.0))
        asked = {"round_count": 3, "depth": 2, "shrinkage": 20.0}
        small = candidates.recent_boosting(features, won.astype(float), **asked)["model"]
        assert (small.n_estimators, small.max_depth, small.reg_lambda) == (3, 2, 20.0)


@pytest.mark.parametrize(("count", "least", "rounds"), [(999, 5.0, 84), (1000, 1.0, 120)])
def test_leaves_of_few_rows_and_many_steps_are_for_many_outcomes_of_both_kinds(
    count, least, rounds
):
    features = pd.DataFrame({"x": np.arange(2 * count, dtype="float32")})
    won = (np.arange(2 * count) < count).astype(float)
    asked = {"round_count": 120, "depth": 5} | candidates.FREE
    free = candidates.recent_boosting(features, won, **asked)["model"]
    assert (free.min_child_weight, free.n_estimators) == (least, rounds)
    assert free.learning_rate == 0.1
    asked = {"round_count": 3, "least_weight": 20.0}
    careful = candidates.recent_boosting(features, won, **asked)["model"]
    assert (careful.min_child_weight, careful.n_estimators) == (20.0, 3)
