"""What is taken for a frozen model ranked best for long, by what was known when it was fitted."""

from functools import cache

import joblib
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit, logit
from sklearn.metrics import roc_auc_score

from tierwise import calibration, candidates, clocks, context, frozen, models, rolling
from tierwise import examples as ex
from tierwise.candidates import BLEND, BLENDED, SEARCHED
from tierwise.files import InputError
from tierwise.frozen import EVERY, LASTING, NO_CLOCKS
from tierwise.ranking import auc
from tierwise.rolling import Rolled

COUNT, DELAY = 320, 40
CLOCK = ["clock"]
WAYS = [(name, title) for title in (EVERY, NO_CLOCKS) for name in (*LASTING, BLEND)]


@pytest.fixture(scope="module", autouse=True)
def _small_fits():
    """In one process and with a tenth of the trees."""
    trees = [{"half_life_count": 100, "round_count": 3, "shrinkage": 5.0}, {"depth": 1}]
    with pytest.MonkeyPatch.context() as patch, joblib.parallel_config(backend="sequential"):
        patch.setitem(SEARCHED, "recent_boosting", trees)
        patch.setitem(SEARCHED, "recent_logistic", [{"half_life_count": None}])
        yield


@cache
def history():
    """Features (a number that tells, a kind, a clock, the context), outcome and stretches."""
    random = np.random.default_rng(0)
    won = (random.random(COUNT) < 0.4).astype(float)
    features = pd.DataFrame(
        {
            "x": (random.normal(size=COUNT) + won).astype("float32"),
            "kind": random.choice(list("uvw"), COUNT),
            "clock": np.arange(COUNT, dtype="float32") // 10,
        }
    )
    rows = examples(np.arange(COUNT), DELAY, dated=True)
    times = context.columns(rows["as_of"], rows["outcome_known_at"], won)
    return features.join(times), won, frozen.windows(rows)


def examples(as_of, delay, dated=False):
    """As a table of past rows: numbers, or dates an hour apart, on an index with gaps."""
    rows = pd.DataFrame({"as_of": as_of, "outcome_known_at": np.asarray(as_of) + delay})
    if dated:
        rows = rows.apply(lambda hours: pd.Timestamp("2026-01-01") + pd.to_timedelta(hours, "h"))
    return rows.set_axis(7 + 3 * np.arange(len(rows)))


@cache
def searched():
    return frozen.search(*history(), CLOCK)


def only(name, title, **more):
    """A search whose best way is this one."""
    way = {"candidate": name, "columns": title, "auc": 0.71, "worst_auc": 0.62, "chances": [0, 1]}
    return pd.DataFrame([way | more])


def by_hand(name, known, won, later):
    """Chances of a way fitted on these rows, in which all see how many arrive."""
    if name != BLEND:
        settings = None if name in BLENDED else {"arrivals": True}
        return models.chance(models.fit(name, known, won, settings)[0], later)
    parts = [by_hand(part, known, won, later).astype(float) for part in BLENDED]
    return expit(logit(parts).T @ rolling.START)


# the stretches


GAP_AND_DELAY = st.tuples(st.integers(0, 3), st.integers(0, 60))


@given(st.lists(GAP_AND_DELAY, min_size=1, max_size=60), st.booleans())
def test_a_stretch_learns_from_all_that_was_known_before_it_and_is_judged_after(drawn, dated):
    gaps, delays = np.array(drawn).T
    rows = examples(np.cumsum(gaps), delays, dated)
    found = frozen.windows(rows)
    for period in found:
        known = (rows["outcome_known_at"] < period.start).to_numpy()
        after = (rows["as_of"] >= period.start).to_numpy()
        assert sorted(period.known) == np.flatnonzero(known).tolist()
        assert rows["outcome_known_at"].iloc[period.known].is_monotonic_increasing
        assert period.rows.tolist() == np.flatnonzero(after)[: len(period.rows)].tolist()
        assert 0 < len(period.rows) <= 0.43 * len(rows)
        assert len(period.known)
    starts = [period.start for period in found]
    assert starts == sorted(set(starts))  # a stretch that begins twice would count twice
    possible = rows["as_of"].iloc[[int(s * len(rows) + 1e-9) for s in frozen.START_SHARES]]
    knowing = {start for start in possible if (rows["outcome_known_at"] < start).any()}
    assert set(starts) == (knowing if len(rows) > 2 else set())


@pytest.mark.parametrize(("delay", "skipped"), [(0, 0), (299, 0), (300, 1), (450, 2), (900, 6)])
def test_a_start_at_which_nothing_is_known_is_skipped(delay, skipped):
    found = frozen.windows(examples(np.arange(1000), delay))
    assert [p.start for p in found] == [300, 400, 500, 600, 700, 800][skipped:]
    assert [len(p.known) for p in found] == [p.start - delay for p in found]
    assert [len(p.rows) for p in found] == [430, 430, 430, 400, 300, 200][skipped:]


# the columns


@pytest.mark.parametrize("names", [context.LEVELS, context.ARRIVALS])
def test_recent_rates_of_wins_are_never_used_and_arrivals_are(names):
    features, won, stretches = history()
    telling = np.random.default_rng(1).normal(size=(COUNT, 3)) + won[:, None]
    altered = features.assign(**dict(zip(names, telling.T, strict=True)))
    found = frozen.search(altered, won, stretches[-1:], []).set_index("candidate")["chances"]
    before = searched().query("columns == @EVERY").set_index("candidate")["chances"]
    for name in (*LASTING, BLEND):
        same = np.array_equal(found[name][0], before[name][-1])
        assert same == (names == context.LEVELS)


@pytest.mark.parametrize(
    ("flagged", "tried"),
    [
        ([], [EVERY]),
        (CLOCK, [EVERY, NO_CLOCKS]),
        (["clock", "refused since"], [EVERY, NO_CLOCKS]),
        (["x", "clock"], [EVERY]),  # nothing would be left
        ([context.RATE], [EVERY]),  # the same columns again
    ],
)
def test_only_flagged_clocks_are_left_out_in_one_of_two_ways_and_never_all(flagged, tried):
    features = history()[0][["x", "clock", *context.LEVELS]]
    found = frozen.tables(features, flagged)
    assert list(found) == tried[::-1]  # fewer columns come first
    assert list(found[EVERY]) == ["x", "clock"]
    assert all(list(found[title]) == ["x"] for title in tried[1:])


# the search


def test_every_way_is_fitted_by_each_start_and_the_mean_auc_of_its_stretches_sorts():
    features, won, stretches = history()
    found = searched().set_index(["candidate", "columns"])
    assert sorted(found.index) == sorted(WAYS)
    for (name, title), row in found.iterrows():
        table = frozen.tables(features, CLOCK)[title]
        for number in (0, 4):
            p = stretches[number]
            expected = by_hand(name, table.iloc[p.known], won[p.known], table.iloc[p.rows])
            np.testing.assert_allclose(row["chances"][number], expected, rtol=1e-9)
        judged = zip(stretches, row["chances"], strict=True)
        areas = [roc_auc_score(won[p.rows], chance) for p, chance in judged]
        assert row["auc"] == pytest.approx(sum(areas) / 6, abs=1e-12)
        assert row["worst_auc"] == pytest.approx(min(areas), abs=1e-12)
    assert found["auc"][1:].is_monotonic_decreasing
    assert found["auc"].nunique() > 3


@pytest.mark.parametrize("good", [(), LASTING[1:3], BLENDED, LASTING[3:]])
def test_of_ways_that_rank_alike_the_simpler_comes_first_and_the_blend_last(good, monkeypatch):
    def fit_and_judge(name, table, won, period, settings):
        return won[period.rows] * 0.4 + 0.3 if name in good else period.rows / 999, 0.0

    monkeypatch.setattr(rolling, "fit_and_judge", fit_and_judge)
    found = frozen.search(*history(), CLOCK)
    assert found.loc[0, ["candidate", "columns"]].tolist() == [[*good, *LASTING][0], NO_CLOCKS]
    order = [*LASTING, BLEND]
    for _, alike in found.groupby(["columns", "auc"])["candidate"]:
        assert alike.tolist() == sorted(alike, key=order.index)


@pytest.mark.parametrize("number", [0, 2, 3, 5])
def test_outcomes_that_were_not_known_at_the_start_of_a_stretch_change_none_of_its_chances(number):
    features, won, stretches = history()
    unknown = np.setdiff1d(np.arange(COUNT), stretches[number].known)
    assert len(unknown) > len(stretches[number].rows)
    known = np.flatnonzero(~np.isin(np.arange(COUNT), unknown))[-30:]
    whole = searched().set_index(["candidate", "columns"])["chances"].str[number]
    for turned, same in ((unknown, True), (known, False)):  # or nothing would have been learned
        altered = won.copy()
        altered[turned] = 1 - altered[turned]
        found = frozen.search(features, altered, [stretches[number]], [])
        for name, (chance,) in zip(found["candidate"], found["chances"], strict=True):
            assert np.array_equal(chance, whole[name, EVERY]) == same


def turning(count=1000):
    """The clock rose with the share of wins, then it turned while the share went on rising."""
    random, time = np.random.default_rng(1), np.linspace(0, 1.4, count)
    clock = np.interp(time, [0, 0.45, 1, 1.4], [0, 0.45, -0.1, 0.35]).astype("float32")
    honest = random.normal(size=count).astype("float32")
    won = (random.random(count) < expit(4 * time - 2.5 + honest)).astype(float)
    return pd.DataFrame({"honest": honest, "clock": clock}), won, time < 1


def test_a_clock_that_turns_is_left_out_and_the_frozen_model_ranks_better_without_it():
    features, won, past = turning()
    known, ended = features[past], won[past]
    flagged = clocks.find(known).query("reason != ''")["column"].tolist()
    assert flagged == CLOCK
    stretches = frozen.windows(examples(np.arange(past.sum()), 0))
    found = frozen.search(known, ended, stretches, flagged)
    assert found["columns"].iloc[0] == NO_CLOCKS
    name = found["candidate"].iloc[0]
    assert found.loc[found["columns"] == EVERY, "auc"].max() < found["auc"].iloc[0]
    tables = frozen.tables(known, flagged)
    chosen, misled = (fitted(name, tables[title], ended) for title in (NO_CLOCKS, EVERY))
    area, other = (auc(won[~past], models.chance(m, features[~past])) for m in (chosen, misled))
    assert area > other + 0.03


# the simplest that no other beats by more than stretches differ


@pytest.mark.parametrize(
    ("areas", "taken"),
    [
        ([[0.6, 0.6, 0.6]], 0),
        ([[0.60, 0.60, 0.60], [0.61, 0.61, 0.61]], 1),  # little, and every time
        ([[0.60, 0.60, 0.60], [0.61, 0.59, 0.60]], 0),
        ([[0.55, 0.54, 0.54], [0.56, 0.54, 0.64]], 0),  # once much, else nothing
        ([[0.60, 0.61], [0.70, 0.64], [0.65, 0.75]], 1),  # the third is better now and then
        ([[0.5], [0.9]], 0),
        ([[0.7, 0.6, 0.5], [0.7, 0.6, 0.5]], 0),
    ],
)
def test_a_way_is_left_only_for_one_that_is_better_by_more_than_stretches_differ(areas, taken):
    assert frozen.simplest_unbeaten(np.array(areas)) == taken


@given(st.integers(2, 6), st.integers(2, 8), st.integers(0, 2**32 - 1))
def test_the_way_taken_is_unbeaten_and_every_simpler_one_is_beaten(ways, stretches, seed):
    areas = np.random.default_rng(seed).normal(0.6, 0.05, (ways, stretches))
    taken = frozen.simplest_unbeaten(areas)

    def beaten(way):
        gains = [other - areas[way] for other in areas]
        return any(np.mean(gain) > np.std(gain, ddof=1) for gain in gains)

    assert not beaten(taken)
    assert all(beaten(way) for way in range(taken))


# the model


def fitted(name, table, won):
    """As compare_models does it on all rows that it knows."""
    settings = {way: tried[0] for way, tried in frozen.searched("frozen").items()}
    start = {"intercept": 0.0, "weights": dict(zip(BLENDED, rolling.START, strict=True))}
    return rolling.fit(name, table, won, settings, start)


@pytest.mark.parametrize(("name", "title"), WAYS)
def test_a_way_is_fitted_on_all_rows_as_it_was_judged(name, title):
    features, won, _ = history()
    table = frozen.tables(features, CLOCK)[title]
    expected = by_hand(name, table, won, table)
    np.testing.assert_allclose(models.chance(fitted(name, table, won), features), expected, 1e-9)


@pytest.mark.parametrize("name", [*LASTING, BLEND])
def test_a_frozen_model_is_handed_over_as_it_was_searched_for(name):
    features, won, _ = history()
    rows = examples(np.arange(COUNT), DELAY)
    names, table = frozen.applied(
        "frozen", candidates.names([], features), features, only(name, NO_CLOCKS), CLOCK
    )
    periods = ex.by_period(rows, 4, 0.4)
    rolled = rolling.origin(table, won, periods, names, frozen.searched("frozen"), held=True)
    model = rolling.fit(name, table, won, rolled.settings, rolled.of_today())
    searched_for = fitted(name, frozen.tables(features, CLOCK)[NO_CLOCKS], won)
    chances = [models.chance(m, features) for m in (model, searched_for)]
    np.testing.assert_array_equal(*chances)


def test_a_level_that_moved_is_not_corrected_twice_though_models_are_judged_without_refits():
    """What is handed over knows much of the new level, scores of the oldest model nothing."""
    random, count = np.random.default_rng(0), 2000
    x = random.normal(size=count).astype("float32")
    z = x + np.where(np.arange(count) < 620, -2.0, -0.5)
    won = (random.random(count) < expit(z)).astype(float)
    features, past = pd.DataFrame({"x": x}), slice(0, 1600)
    known, ended = features[past], won[past]
    rows = examples(np.arange(1600), 0)
    stretches, periods = frozen.windows(rows), ex.by_period(rows, 8, 0.4)
    found = frozen.search(known, ended, stretches, [])
    name = found["candidate"].iloc[0]
    names = ["base_rate", "recent_rate", name]
    held = rolling.origin(known, ended, periods, names, frozen.searched("frozen"), held=True)
    model = rolling.fit(name, known, ended, held.settings, held.of_today())
    later = models.chance(model, features[1600:])
    tables = frozen.unseen("frozen", held, found, ended, stretches), held.table
    fits = (calibration.fit("sigmoid", table[name], ended[table["row"]]) for table in tables)
    once, twice = (calibration.apply(line, later).mean() for line in fits)
    truth = expit(z[1600:]).mean()
    assert twice > truth + 0.2
    assert abs(once - truth) < abs(twice - truth) - 0.05


def test_a_refitted_model_hands_on_what_judged_it():
    features, won, stretches = history()
    rolled = rolling.origin(features, won, stretches[:2], ["naive_bayes"])
    assert frozen.unseen("refitted", rolled, searched(), won, stretches) is rolled.table
    assert frozen.unseen("frozen", rolled, searched()[:0], won, []) is rolled.table


def test_a_frozen_model_hands_on_its_stretches_and_what_was_known_when_each_began():
    _, won, stretches = history()
    found = searched()
    table = frozen.unseen("frozen", Rolled(pd.DataFrame()), found, won, stretches)
    assert {"row", "period", "outcome", "known_from", "base_rate"} <= set(table)
    for number, p in enumerate(stretches):
        own = table[table["period"] == number]
        assert own["row"].tolist() == p.rows.tolist()
        np.testing.assert_array_equal(own[found["candidate"][0]], found["chances"][0][number])
        np.testing.assert_array_equal(own["outcome"], won[p.rows])
        assert (own["base_rate"] == won[p.known].mean()).all()
        usable = table.loc[table["known_from"] <= number, "row"]
        assert set(usable) == set(p.known) & set(table["row"])


def test_directions_hold_the_trees_that_are_searched():
    features, won, stretches = history()
    directions = {"x": -1}  # against what the rows say
    chances = [
        frozen.search(features, won, stretches[-1:], [], d).set_index("candidate")["chances"]
        for d in (None, directions)
    ]
    for name in (*LASTING, BLEND):
        same = np.array_equal(*(found[name][0] for found in chances))
        assert same == (name not in ("recent_boosting", BLEND))


# what an application uses


def test_a_model_that_is_refitted_is_compared_as_if_there_were_no_search():
    features, names = history()[0], candidates.names(["x"], history()[0])
    same = frozen.applied("refitted", names, features, only(BLEND, NO_CLOCKS), CLOCK)
    assert (same[0], id(same[1])) == (names, id(features))


@pytest.mark.parametrize("title", [EVERY, NO_CLOCKS])
def test_a_frozen_model_is_compared_with_both_rates_on_the_columns_that_last(title):
    features, won, stretches = history()
    found = only("logistic_regression", title)
    names, table = frozen.applied(
        "frozen", candidates.names(["x"], features), features, found, CLOCK
    )
    assert names == ["base_rate", "recent_rate", "logistic_regression"]
    left_out = [*context.LEVELS, *(CLOCK if title == NO_CLOCKS else [])]
    pd.testing.assert_frame_equal(table, features.drop(columns=left_out))
    rolled = rolling.origin(table, won, stretches[:1], names).table
    assert (rolled["recent_rate"] == rolled["base_rate"]).all()  # no recent rate is left to follow


@pytest.mark.parametrize("use", ["Frozen", "", None, "for long"])
def test_another_use_is_refused_with_the_rule_the_value_and_the_choices(use):
    with pytest.raises(InputError) as refused:
        frozen.searched(use)
    for word in ("use in params.yaml", repr(use), "one of refitted, frozen"):
        assert word in str(refused.value)


@pytest.mark.parametrize("count", [1, 2])
def test_too_few_rows_are_said_to_be_too_few_and_change_nothing(count):
    features, won, _ = history()
    stretches = frozen.windows(examples(np.arange(count), 0))
    found = frozen.search(features[:count], won[:count], stretches, CLOCK)
    assert (list(found), len(found)) == (list(searched()), 0)
    names = candidates.names([], features)
    for use in frozen.USES:
        same = frozen.applied(use, names, features, found, CLOCK)
        assert (same[0], id(same[1])) == (names, id(features))
        assert frozen.sentence(found, use).startswith("Too few rows")


@pytest.mark.parametrize("title", [EVERY, NO_CLOCKS])
@pytest.mark.parametrize("use", frozen.USES)
def test_the_sentence_names_the_way_its_figures_and_what_follows(title, use):
    on = {EVERY: "on all columns", NO_CLOCKS: "without the clocks"}[title]
    then = {"frozen": "It is what this application uses."}.get(use, "For that, set use to frozen.")
    assert frozen.sentence(only("naive_bayes", title), use) == (
        f"Frozen for long, naive bayes {on} ranks later rows with an AUC of 0.710 on average, "
        "0.620 on the worst stretch; it is the simplest way that no other beats by more than "
        f"stretches differ. {then}"
    )


def test_where_there_was_one_stretch_the_sentence_claims_no_comparison():
    told = frozen.sentence(only("naive_bayes", EVERY, chances=[0]), "refitted")
    assert "AUC of 0.710. Taken for being the simplest" in told
    assert "worst" not in told


def test_who_refits_tries_what_he_always_tries():
    assert frozen.searched("refitted") == SEARCHED
    lasting = frozen.searched("frozen")
    assert set(lasting) == set(LASTING)
    for name, tried in lasting.items():
        assert tried == (SEARCHED[name][:1] if name in BLENDED else [{"arrivals": True}])


def test_where_nothing_ranks_no_way_is_praised():
    nothing = pd.DataFrame(
        [{"candidate": "naive_bayes", "columns": EVERY, "auc": 0.5, "worst_auc": 0.5}]
    )
    for use in frozen.USES:
        assert "no way ranks later rows better than a coin" in frozen.sentence(nothing, use)
