"""A period is judged as somebody at its start would have done it: fits, settings and blend."""

import itertools
import json

import joblib
import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit, logit
from sklearn.linear_model import LogisticRegression

from tierwise import context, files, models, rolling
from tierwise import examples as ex
from tierwise.candidates import BLEND, BLENDED, SEARCHED
from tierwise.ranking import auc, auc_in_blocks
from tierwise.rolling import Rolled

COUNT = 320
DRIFTING = [*BLENDED, BLEND]


@pytest.fixture(autouse=True)
def _few_small_fits(monkeypatch):
    """In one process, with half of the settings and a tenth of the trees."""
    trees = [{"half_life_count": count, "round_count": 3, "shrinkage": 5.0} for count in (50, None)]
    monkeypatch.setitem(SEARCHED, "recent_boosting", trees)
    linear = [{"half_life_count": count} for count in (None, 50)]
    monkeypatch.setitem(SEARCHED, "recent_logistic", linear)
    with joblib.parallel_config(backend="sequential"):
        yield


def auc_inside(table, name):
    """AUC inside periods of one candidate's chances."""
    blocks = [np.flatnonzero(table["period"] == number) for number in table["period"].unique()]
    return auc_in_blocks(table["outcome"].to_numpy(), table[name].to_numpy(), blocks)


def outcomes(count=COUNT, seed=0):
    return (np.random.default_rng(seed).random(count) < 0.4).astype(float)


def history(delay=3, won=None, period_count=4):
    """Features (one that tells, one category, the context), outcome and periods."""
    drawn, random = outcomes(), np.random.default_rng(1)
    features = pd.DataFrame(
        {
            "x": (random.normal(size=COUNT) + drawn).astype("float32"),
            "kind": random.choice(list("uvw"), COUNT),
        }
    )
    won = drawn if won is None else won
    rows = pd.DataFrame({"as_of": np.arange(COUNT), "outcome_known_at": np.arange(COUNT) + delay})
    times = context.columns(rows["as_of"], rows["outcome_known_at"], won)
    return features.join(times), won, ex.by_period(rows, period_count, 0.4)


# the table


def test_every_judged_row_has_one_chance_per_candidate_in_time_order():
    features, won, periods = history()
    names = ["base_rate", "recent_rate", "by_x", "naive_bayes", *DRIFTING]
    rolled = rolling.origin(features, won, periods, names)
    table = rolled.table
    assert table["row"].tolist() == np.concatenate([period.rows for period in periods]).tolist()
    np.testing.assert_array_equal(table["outcome"], won[table["row"]])
    assert table[names].notna().all(axis=None)
    assert table[names].stack().between(0, 1).all()
    assert set(rolled.seconds) == set(names)
    assert rolled.seconds[BLEND] == sum(rolled.seconds[name] for name in BLENDED)
    assert set(rolled.settings) == set(BLENDED)


def test_a_blend_brings_its_parts_along_and_is_none_of_what_is_fitted():
    assert rolling.needed([BLEND]) == list(BLENDED)
    assert rolling.needed(["base_rate", BLENDED[1], BLEND]) == ["base_rate", *BLENDED[::-1]]
    assert rolling.needed(["base_rate"]) == ["base_rate"]


def test_without_a_blend_there_is_none_to_write_down():
    rolled = rolling.origin(*history(), ["naive_bayes"])
    assert rolled.of_today() == {}
    assert rolled.settings == {}
    assert BLEND not in rolled.table


@pytest.mark.parametrize("delay", [0, 3, 60, 130])
def test_known_from_is_the_first_period_that_could_know_the_outcome(delay):
    features, won, periods = history(delay)
    table = rolling.origin(features, won, periods, ["base_rate"]).table
    for row, found in zip(table["row"], table["known_from"], strict=True):
        knowing = [number for number, period in enumerate(periods) if row in period.known]
        assert found == min(knowing, default=len(periods))
    assert (table["known_from"] > table["period"]).all()


# nothing from later on


def later_altered(delay, number):
    """The history in which all that was not known when a period began ended otherwise.

    The columns stay until the period ends: its later rows have a context of their own time, of
    which test_context.py tells.
    """
    features, won, periods = history(delay)
    end = int(periods[number].rows[-1]) + 1
    won = won.copy()
    unknown = np.setdiff1d(np.arange(COUNT), periods[number].known)
    won[unknown] = 1 - won[unknown]
    features.loc[end:, ["x", *context.LEVELS]] = np.float32(1e9)
    features.loc[end:, "kind"] = "never seen before"
    return features, won, periods


@pytest.mark.parametrize(("delay", "number"), [(3, 0), (3, 2), (60, 3), (110, 3)])
def test_a_periods_chances_do_not_depend_on_what_was_not_known_at_its_start(
    delay, number, monkeypatch
):
    """Neither through the fits nor through settings (chosen at once here) or weights of the blend.

    A period has 48 rows: a delay of 110 leaves more than two of them unknown.
    """
    monkeypatch.setattr(rolling, "SURE_PERIODS", 1)
    monkeypatch.setattr(rolling, "SURE_ERRORS", 0.0)
    names = ["recent_rate", *DRIFTING]
    before = rolling.origin(*history(delay), names).table
    after = rolling.origin(*later_altered(delay, number), names).table
    now = before["period"] == number
    pd.testing.assert_frame_equal(after.loc[now, names], before.loc[now, names], check_exact=True)
    later = before["period"] > number
    if later.any():
        assert not np.allclose(after.loc[later, BLEND], before.loc[later, BLEND])


def test_a_period_needs_no_later_rows_at_all():
    features, won, periods = history()
    whole = rolling.origin(features, won, periods, DRIFTING).table
    end = int(periods[1].rows[-1]) + 1
    part = rolling.origin(features[:end], won[:end], periods[:2], DRIFTING).table
    pd.testing.assert_frame_equal(part[DRIFTING], whole.loc[whole["period"] < 2, DRIFTING])


def test_a_known_outcome_does_matter():
    """The counterpart: without it the tests above would pass for a model that learns nothing."""
    features, won, periods = history()
    before = rolling.origin(features, won, [periods[0]], DRIFTING).table
    altered = won.copy()
    altered[periods[0].known[:60]] = 1 - altered[periods[0].known[:60]]
    after = rolling.origin(features, altered, [periods[0]], DRIFTING).table
    for name in DRIFTING:
        assert not np.allclose(after[name], before[name])


# settings


def judged(period_count=4, count=40, seed=0, delay_periods=0):
    """A table of judged rows, and per period what of it was known (and all of it for today)."""
    won = outcomes(period_count * count, seed)
    period = np.repeat(np.arange(period_count), count)
    table = pd.DataFrame({"row": np.arange(len(won)) + 9, "period": period, "outcome": won})
    usable = [period < number - delay_periods for number in range(period_count)]
    return table, [*usable, np.ones(len(won), dtype=bool)]


def guesses(table, count, seed):
    """Chances of several settings, one of them better than chance in each period."""
    random = np.random.default_rng(seed)
    found = random.random((count, len(table)))
    best = random.integers(count, size=table["period"].max() + 1)[table["period"]]
    found[best, np.arange(len(table))] += 0.6 * table["outcome"]
    return list(found / 2)


def slow_best(known, tried):
    """The rule by loops: the highest weighted mean gain that is beyond two standard errors."""
    gains = [[] for _ in tried]
    weights = []
    for number in known["period"].unique():
        rows = (known["period"] == number).to_numpy()
        won = known["outcome"].to_numpy()[rows]
        weights.append(min(won.sum(), (1 - won).sum()))
        for gain, p in zip(gains, tried, strict=True):
            gain.append(auc(won, p[rows]) - auc(won, tried[0][rows]))
    if len(weights) < rolling.SURE_PERIODS:
        return 0
    best, most = 0, 0.0
    for number, gain in enumerate(gains):
        mean = np.average(gain, weights=weights)
        share = np.array(weights) / sum(weights)
        error = np.sqrt(sum(s**2 * (one - mean) ** 2 for s, one in zip(share, gain, strict=True)))
        if mean > rolling.SURE_ERRORS * error and mean > most:
            best, most = number, mean
    return best


@pytest.mark.parametrize("delay_periods", [0, 2])
def test_a_period_is_judged_with_the_settings_that_were_surely_best_among_what_was_known(
    delay_periods,
):
    name, chosen = "recent_boosting", set()
    for seed in range(8):
        table, usable = judged(8, seed=seed, delay_periods=delay_periods)
        tried = guesses(table, 3, seed)
        rolled = Rolled(table.copy())
        today = rolling.pick(rolled, usable, name, tried)
        for number in range(9):
            best = slow_best(table[usable[number]], [p[usable[number]] for p in tried])
            chosen.add(best)
            if number == 8:
                assert today == best
            else:
                now = table["period"] == number
                np.testing.assert_array_equal(rolled.table.loc[now, name], tried[best][now])
    assert len(chosen) > 1


@pytest.mark.parametrize(("period_count", "chosen"), [(3, 0), (4, 1), (8, 1)])
def test_a_setting_that_is_always_better_is_taken_after_enough_periods(period_count, chosen):
    table, usable = judged(period_count)
    noise = np.random.default_rng(0).random(len(table))
    tried = [noise, noise + 0.8 * table["outcome"].to_numpy()]
    assert rolling.best_setting(table, usable[-1], tried) == chosen


def test_settings_that_differ_in_their_last_round_alone_share_a_fit(monkeypatch):
    """And are judged as if each had been fitted by itself."""
    tried = [
        *[{"half_life_count": 50, "round_count": count} for count in (3, 5)],
        {"half_life_count": None, "round_count": 3},
        {"half_life_count": 50, "round_count": 2},
    ]
    assert rolling.shared(tried) == [[0, 1, 3], [2]]
    assert rolling.shared([None, {}]) == [[0, 1]]
    features, won, periods = history()
    alike = [tried[n] for n in (0, 1, 3)]
    given = ("recent_boosting", features, won, periods[2])
    together, _ = rolling.fit_and_judge_all(*given, alike)
    for one, chance in zip(alike, together, strict=True):
        np.testing.assert_array_equal(chance, rolling.fit_and_judge(*given, one)[0])
    monkeypatch.setitem(SEARCHED, "recent_boosting", tried)
    monkeypatch.setattr(rolling, "SURE_PERIODS", 1)
    monkeypatch.setattr(rolling, "SURE_ERRORS", 0.0)
    sharing = rolling.origin(features, won, periods, DRIFTING)
    monkeypatch.setattr(rolling, "shared", lambda tried: [[n] for n in range(len(tried))])
    apart = rolling.origin(features, won, periods, DRIFTING)
    pd.testing.assert_frame_equal(sharing.table, apart.table, check_exact=True)
    assert sharing.settings == apart.settings


def test_without_an_order_of_time_less_is_asked_of_a_better_setting_and_still_not_nothing():
    taken = {True: 0, False: 0}
    for seed in range(60):
        table, usable = judged(5, count=200, seed=seed)
        shared, *own = np.random.default_rng(seed + 1000).random((3, len(table)))
        better = shared + 0.3 * own[1] + 0.01 * table["outcome"].to_numpy()
        slightly = [shared + 0.3 * own[0], better]
        for ordered in taken:
            taken[ordered] += rolling.best_setting(table, usable[-1], slightly, ordered)
    assert 0 < taken[True] < taken[False] < 60


def test_one_fold_is_enough_where_there_is_no_order_of_time():
    table, usable = judged(1, count=200)
    noise = np.random.default_rng(0).random(200)
    tried = [noise, noise + 0.8 * table["outcome"].to_numpy()]
    assert rolling.best_setting(table, usable[-1], tried, ordered=False) == 1
    assert rolling.best_setting(table, usable[-1], tried, ordered=True) == 0
    assert rolling.best_setting(table, usable[0], tried, ordered=False) == 0


def test_a_setting_that_is_a_little_better_by_luck_is_not_taken():
    taken = []
    for seed in range(20):
        table, usable = judged(8, seed=seed)
        tried = list(np.random.default_rng(seed + 1000).random((2, len(table))))
        taken.append(rolling.best_setting(table, usable[-1], tried))
    assert sum(taken) <= 3


def test_without_history_the_first_settings_are_the_default():
    table, usable = judged()
    assert rolling.best_setting(table, usable[0], guesses(table, 4, 0)) == 0


def test_of_settings_that_rank_alike_the_first_is_taken():
    table, usable = judged()
    p = guesses(table, 4, 0)[2]
    assert rolling.best_setting(table, usable[-1], [p, p, p]) == 0


def test_the_level_of_the_periods_does_not_choose_settings():
    """Chances that only follow the level from period to period rank nobody inside one."""
    table, usable = judged(8)
    random = np.random.default_rng(0)
    table["outcome"] = (random.random(320) < (table["period"] + 1) / 9).astype(float)
    level = table["period"].to_numpy(dtype=float)
    inside = 0.8 * table["outcome"].to_numpy() + random.random(320)
    assert auc(table["outcome"].to_numpy(), level) > 0.7
    assert rolling.best_setting(table, usable[-1], [level, inside]) == 1
    assert rolling.best_setting(table, usable[-1], [inside, level]) == 0


# the blend


def parts(count=4000, seed=0, slopes=(1.0, 0.6)):
    """Log-odds of two parts of which the outcome depends with these slopes."""
    random = np.random.default_rng(seed)
    z = random.normal(size=(count, 2)) - 1
    return z, (random.random(count) < expit(0.3 + z @ np.array(slopes))).astype(float)


def unpenalised(monkeypatch):
    monkeypatch.setattr(rolling, "LEVEL_PENALTY", 1e-9)
    monkeypatch.setattr(rolling, "WEIGHT_PENALTY", 1e-9)


def test_without_penalties_the_blend_is_a_weighted_logistic_regression(monkeypatch):
    unpenalised(monkeypatch)
    z, won = parts()
    weight = models.recency(len(z), rolling.HALF_LIFE_COUNT, 0.0)
    intercept, weights = rolling.stack(z, won)
    expected = sm.GLM(won, sm.add_constant(z), sm.families.Binomial(), freq_weights=weight).fit()
    np.testing.assert_allclose([intercept, *weights], expected.params, atol=2e-3)
    again = LogisticRegression(C=np.inf).fit(z, won, sample_weight=weight)
    np.testing.assert_allclose(weights, again.coef_[0], atol=2e-3)


def test_a_part_that_misleads_is_left_out_and_not_turned_round(monkeypatch):
    unpenalised(monkeypatch)
    z, won = parts(slopes=(1.0, -0.8))
    intercept, weights = rolling.stack(z, won)
    weight = models.recency(len(z), rolling.HALF_LIFE_COUNT, 0.0)
    alone = LogisticRegression(C=np.inf).fit(z[:, :1], won, sample_weight=weight)
    assert weights[1] == 0.0
    assert weights[0] == pytest.approx(alone.coef_[0, 0], abs=2e-3)
    assert intercept == pytest.approx(alone.intercept_[0], abs=2e-3)


@settings(max_examples=15)
@given(st.integers(1, 300), st.integers(0, 99))
def test_no_weights_nearby_have_a_smaller_penalised_loss(count, seed):
    z, won = parts(count, seed)
    recency = 0.5 ** (np.arange(count)[::-1] / rolling.HALF_LIFE_COUNT)

    def loss(x):
        p = expit(x[0] + z @ x[1:])
        fit = -recency @ np.log(np.where(won == 1, p, 1 - p))
        away = x[1:] - rolling.START
        return fit + (rolling.LEVEL_PENALTY * x[0] ** 2 + rolling.WEIGHT_PENALTY * away @ away) / 2

    intercept, weights = rolling.stack(z, won)
    found = np.array([intercept, *weights])
    for step in itertools.product((-0.02, 0, 0.02), repeat=3):
        beside = np.r_[found[0] + step[0], np.maximum(found[1:] + step[1:], 0)]
        assert loss(found) <= loss(beside) + 1e-6


def test_without_rows_the_blend_stays_where_it_starts():
    assert rolling.stack(np.empty((0, 2)), np.empty(0)) == (0.0, tuple(rolling.START))


def test_without_an_order_of_time_the_blend_forgets_the_order_and_is_freer():
    z, won = parts(2000)
    turned = np.random.default_rng(1).permutation(2000)
    free = rolling.stack(z, won, ordered=False)
    again = rolling.stack(z[turned], won[turned], ordered=False)
    np.testing.assert_allclose([free[0], *free[1]], [again[0], *again[1]], atol=1e-4)
    bound = rolling.stack(z, won)
    away = [np.abs(np.array(found[1]) - rolling.START).sum() for found in (free, bound)]
    assert away[0] > away[1]


def test_a_few_rows_move_the_blend_a_little():
    intercept, weights = rolling.stack(*parts(5))
    assert abs(intercept) < 0.1
    np.testing.assert_allclose(weights, rolling.START, atol=0.1)


def levels_of(offsets, rows=500, seed=0):
    """How far the blend has shifted before each list, at the parts' means, where the odds of a list
    are off by its own offset.
    """
    random = np.random.default_rng(seed)
    z = random.normal(size=(len(offsets) * rows, 2)) - 1
    chance = expit(np.repeat(offsets, rows) + z @ rolling.START)
    won = (random.random(len(z)) < chance).astype(float)
    blends = [rolling.stack(z[:n], won[:n]) for n in range(0, len(z), rows)]
    return [level - (np.array(weights) - rolling.START).sum() for level, weights in blends]


def test_lists_that_jump_hardly_move_the_level_of_the_next_one():
    """Or chances of one list could not be compared with those of the next."""
    jumps = 0.6 * np.random.default_rng(0).normal(size=(5, 16))
    moves = [np.abs(np.diff(levels_of(offsets))).mean() for offsets in jumps]
    assert np.mean(moves) < 0.04


def test_a_change_of_level_that_lasts_is_followed_slowly():
    levels = levels_of(np.full(16, 0.6))
    assert levels[0] == 0 < levels[1] < 0.15
    assert 0.25 < levels[-1] < 0.6


def test_before_any_evidence_two_fair_parts_that_agree_are_believed_more_than_each():
    random = np.random.default_rng(4)
    both, one, other = random.normal(size=(3, 100_000))
    chance = expit(1.5 * both + 0.5 * (one + other))
    blurred = np.sqrt(1 + np.pi * 0.5**2 / 8)  # logistic-normal: MacKay 1992
    fair = np.column_stack([1.5 * both + 0.5 * own for own in (one, other)]) / blurred

    def loss(weights):
        p = expit(fair @ weights)
        return -(chance * np.log(p) + (1 - chance) * np.log(1 - p)).mean()

    assert loss(rolling.START) < loss(rolling.START / rolling.START.sum())
    assert 1 < rolling.START.sum() < 1.2


def test_late_rows_count_more_in_the_blend(monkeypatch):
    unpenalised(monkeypatch)
    monkeypatch.setattr(rolling, "HALF_LIFE_COUNT", 500)
    (old, old_won), (new, new_won) = parts(slopes=(1.2, 0)), parts(seed=1, slopes=(0, 1.2))
    _, (first, second) = rolling.stack(np.vstack([old, new]), np.r_[old_won, new_won])
    assert first < 0.2 < 0.8 < second


@pytest.mark.parametrize("delay_periods", [0, 2])
def test_the_blend_is_its_parts_added_with_weights_of_what_was_known(delay_periods):
    table, usable = judged(delay_periods=delay_periods, count=200)
    table["known_from"] = np.argmax(usable, axis=0)
    tried = np.clip(guesses(table, 2, 3), 0.01, 0.99)
    rolled = Rolled(table.assign(**dict(zip(BLENDED, tried, strict=True))))
    rolled.seconds = dict.fromkeys(BLENDED, 1.5)
    rolling.blend(rolled, usable)
    z = logit(tried).T
    won = table["outcome"].to_numpy()
    for number in range(4):
        known, now = usable[number], (table["period"] == number).to_numpy()
        intercept, (one, other) = rolling.stack(z[known], won[known])
        expected = expit(intercept + one * z[now, 0] + other * z[now, 1])
        np.testing.assert_allclose(rolled.table.loc[now, BLEND], expected, rtol=1e-12)
    intercept, weights = rolling.stack(z, won)
    np.testing.assert_allclose((rolled.intercept, *rolled.weights), (intercept, *weights))
    assert rolled.seconds[BLEND] == 3.0


def test_weights_of_the_blend_count_those_outcomes_most_that_became_known_last():
    """A third of the rows is known two periods late, and there the other part is right."""
    table, usable = judged(period_count=6, count=3000)
    late = np.arange(len(table)) % 3 == 0
    usable = [mask & ~(late & (table["period"] > n - 3)) for n, mask in enumerate(usable[:-1])]
    usable.append(np.ones(len(table), dtype=bool))
    table["known_from"] = np.argmax(usable, axis=0)
    tried = np.clip(guesses(table, 2, 3), 0.01, 0.99)
    rolled = Rolled(table.assign(**dict(zip(BLENDED, tried, strict=True))))
    rolled.seconds = dict.fromkeys(BLENDED, 1.5)
    rolling.blend(rolled, usable)
    order = np.lexsort((np.arange(len(table)), table["known_from"]))
    z, won = logit(tried).T, table["outcome"].to_numpy()
    found = (rolled.intercept, *rolled.weights)
    intercept, weights = rolling.stack(z[order], won[order])
    np.testing.assert_allclose(found, (intercept, *weights), rtol=1e-9)
    assert not np.allclose(found[1:], rolling.stack(z, won)[1], rtol=1e-4)


# the model of today


def today():
    features, won, periods = history()
    return features, won, rolling.origin(features, won, periods, DRIFTING)


def test_a_model_from_the_metrics_file_is_that_of_the_run(tmp_path):
    features, won, rolled = today()
    path = tmp_path / "compare_models.json"
    files.write_json(path, {"settings": rolled.settings, "blend": rolled.of_today()})
    found = files.read_json(path)
    assert found["settings"] == rolled.settings
    here = rolling.fit(BLEND, features, won, rolled.settings, rolled.of_today())
    there = rolling.fit(BLEND, features, won, found["settings"], found["blend"])
    np.testing.assert_allclose(
        models.chance(there, features), models.chance(here, features), atol=1e-5
    )
    np.testing.assert_allclose(there.weights, here.weights, atol=1e-6)


def test_a_model_from_json_is_the_very_same_and_its_parts_stand_in_the_same_order():
    features, won, rolled = today()
    settings_, blended = rolled.settings, rolled.of_today()
    here = rolling.fit(BLEND, features, won, settings_, blended)
    settings_, blended = json.loads(json.dumps([settings_, blended], sort_keys=True))
    there = rolling.fit(BLEND, features, won, settings_, blended)
    assert (here.weights, here.intercept) == (there.weights, there.intercept)
    for one, other in zip(here.parts, there.parts, strict=True):
        np.testing.assert_array_equal(
            models.part_chance(one, features), models.part_chance(other, features)
        )


def test_the_blend_of_today_is_made_of_its_parts_of_today():
    features, won, rolled = today()
    model = rolling.fit(BLEND, features, won, rolled.settings, rolled.of_today())
    z = [
        models.log_odds(
            models.chance(rolling.fit(name, features, won, rolled.settings, {}), features)
        )
        for name in BLENDED
    ]
    expected = expit(rolled.intercept + rolled.weights[0] * z[0] + rolled.weights[1] * z[1])
    np.testing.assert_allclose(models.chance(model, features), expected, rtol=1e-9)


@pytest.mark.parametrize("name", ["base_rate", "by_x", "naive_bayes"])
def test_a_candidate_without_settings_is_fitted_as_ever(name):
    features, won, _ = history()
    found = models.chance(rolling.fit(name, features, won, {}, {}), features)
    np.testing.assert_array_equal(
        found, models.chance(models.fit(name, features, won)[0], features)
    )


def test_the_settings_of_today_are_those_that_are_fitted():
    features, won, _ = history()
    chosen = {"recent_logistic": {"half_life_count": 20}}
    found = models.chance(rolling.fit("recent_logistic", features, won, chosen, {}), features)
    wanted, _ = models.fit("recent_logistic", features, won, {"half_life_count": 20})
    default, _ = models.fit("recent_logistic", features, won)
    np.testing.assert_array_equal(found, models.chance(wanted, features))
    assert not np.allclose(found, models.chance(default, features))


# models that nobody refits


@pytest.mark.parametrize("delay", [3, 60])
def test_held_models_are_those_of_the_first_period_and_see_nothing_of_what_it_learned(delay):
    features, won, periods = history(delay)
    names = ["base_rate", "naive_bayes", *DRIFTING]
    one = {name: SEARCHED.get(name, [{}])[:1] for name in names}
    rolled = rolling.origin(features, won, periods, names, one, held=True)
    first = periods[0].known
    for name in names:
        settings = {part: tried[0] for part, tried in one.items()}
        start = {"intercept": 0.0, "weights": dict(zip(BLENDED, rolling.START, strict=True))}
        model = rolling.fit(name, features.iloc[first], won[first], settings, start)
        expected = models.chance(model, features.iloc[rolled.table["row"]])
        np.testing.assert_allclose(rolled.table[name], expected, rtol=1e-9)
    unknown = np.setdiff1d(np.arange(COUNT), first)
    turned = won.copy()
    turned[unknown] = 1 - turned[unknown]
    other = rolling.origin(features, turned, periods, names, one, held=True)
    pd.testing.assert_frame_equal(other.table[names], rolled.table[names])
    assert rolled.of_today() == start  # as they are judged, so they are handed over


def test_settings_of_held_models_are_not_chosen_by_what_came_later():
    features, won, periods = history(period_count=8)
    rolled = rolling.origin(features, won, periods, ["recent_boosting"], SEARCHED, held=True)
    assert rolled.settings["recent_boosting"] == SEARCHED["recent_boosting"][0]
    first = {"recent_boosting": SEARCHED["recent_boosting"][:1]}
    alone = rolling.origin(features, won, periods, ["recent_boosting"], first, held=True)
    pd.testing.assert_frame_equal(alone.table, rolled.table)


def test_held_models_judge_the_same_rows_which_are_known_as_soon_as_ever():
    features, won, periods = history(20)
    tables = [
        rolling.origin(features, won, periods, ["naive_bayes"], held=held).table
        for held in (True, False)
    ]
    about = ["row", "period", "outcome", "known_from"]
    pd.testing.assert_frame_equal(tables[0][about], tables[1][about])
    first = tables[0]["period"] == 0
    same = tables[0]["naive_bayes"] == tables[1]["naive_bayes"]
    assert same[first].all()
    assert not same[~first].all()
