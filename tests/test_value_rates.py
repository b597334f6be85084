"""How often a value was won lately is told from outcomes known strictly before, and from no other."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tierwise import candidates, context, models, rolling, sections, value_rates, words
from tierwise import examples as ex
from tierwise.applications import leads, table
from tierwise.files import InputError


def slow_rate(values, as_of, known_at, outcome, row):
    """The rate of one row as a loop over all outcomes, in the order in which they became known."""
    wins = count = all_wins = all_count = 0.0
    step = 0.5 ** (1 / value_rates.HALF_LIFE_COUNT)
    for other in np.argsort(known_at, kind="stable"):
        if np.isnan(outcome[other]) or not known_at[other] < as_of[row]:
            continue
        all_wins, all_count = all_wins * step + outcome[other], all_count * step + 1
        if values[other] == values[row]:
            wins, count = wins * step + outcome[other], count * step + 1
    overall = all_wins / all_count if all_count else np.nan
    return (wins + value_rates.PRIOR_COUNT * overall) / (count + value_rates.PRIOR_COUNT)


ROWS = st.lists(
    st.tuples(
        st.sampled_from("uvw"),
        st.integers(0, 3),
        st.integers(0, 9),
        st.sampled_from([0.0, 1.0, None]),
    ),
    min_size=3,
    max_size=25,
)


def clocks_of(rows):
    """Rows of (value, steps since the row before, steps until known, outcome); two values at least."""
    values = ["u", "v", *(row[0] for row in rows[2:])]
    as_of = np.cumsum([float(row[1]) for row in rows])
    known_at = as_of + [row[2] for row in rows]
    outcome = np.array([np.nan if row[3] is None else row[3] for row in rows])
    return pd.DataFrame({"t": values}), pd.Series(as_of), pd.Series(known_at), outcome


@given(ROWS, st.sampled_from([2.0, 100.0]))
def test_rates_equal_a_loop_over_what_was_known(rows, half_life_count):
    columns, as_of, known_at, outcome = clocks_of(rows)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(value_rates, "HALF_LIFE_COUNT", half_life_count)
        found = value_rates.columns(columns, as_of, known_at, outcome)["wins_share_of_t"]
        slow = [slow_rate(columns["t"], as_of, known_at, outcome, row) for row in range(len(rows))]
    np.testing.assert_allclose(found, slow, rtol=1e-5)


@given(ROWS, st.data())
def test_an_outcome_known_later_changes_no_rate_before(rows, drawn):
    columns, as_of, known_at, outcome = clocks_of(rows)
    row = drawn.draw(st.integers(0, len(rows) - 1))
    other = outcome.copy()
    other[row] = drawn.draw(st.sampled_from([0.0, 1.0, np.nan]))
    before = value_rates.columns(columns, as_of, known_at, outcome)
    after = value_rates.columns(columns, as_of, known_at, other)
    early = as_of <= known_at[row]
    pd.testing.assert_frame_equal(after[early], before[early])


def test_rates_by_hand(monkeypatch):
    """Half-life 1, no prior but the rate of all: "a" lost, then won: (0 · ½ + 1) / (½ + 1)."""
    monkeypatch.setattr(value_rates, "HALF_LIFE_COUNT", 1)
    monkeypatch.setattr(value_rates, "PRIOR_COUNT", 0.0)
    columns = pd.DataFrame({"t": ["a", "b", "a", "a"]})
    time = pd.Series([0.0, 1.0, 2.0, 3.0])
    found = value_rates.columns(columns, time, time + 0.5, np.array([0, 1, 1, 0]))
    np.testing.assert_allclose(found["wins_share_of_t"], [np.nan, np.nan, 0, 2 / 3], rtol=1e-6)


def test_a_value_without_outcomes_has_the_rate_of_all():
    columns = pd.DataFrame({"t": ["a"] * 50 + ["b"]})
    time, won = pd.Series(np.arange(51.0)), np.r_[np.ones(40), np.zeros(11)]
    found = value_rates.columns(columns, time, time + 0.5, won)["wins_share_of_t"]
    late = 0.5 ** (np.arange(50)[::-1] / 100)
    assert found[50] == pytest.approx(late[:40].sum() / late.sum(), rel=1e-5)


def test_only_texts_with_two_to_thirty_values_have_rates():
    columns = pd.DataFrame(
        {
            "number": np.arange(62) % 2,
            "one": "same",
            "two": np.tile(["a", "b"], 31),
            "thirty": [f"v{n % 30}" for n in range(62)],
            "too_many": [f"v{n % 31}" for n in range(62)],
        }
    )
    assert value_rates.few(columns) == ["two", "thirty"]


# who sees them


def fashions(count=4000, switch_count=250):
    """Two texts; which value of the first is won often changes every so many rows."""
    random = np.random.default_rng(0)
    source, noise = random.choice(list("abcd"), count), random.choice(list("uv"), count)
    turn = np.arange(count) // switch_count
    liked = np.array(list("abcd"))[random.integers(4, size=turn.max() + 1)][turn]
    won = (random.random(count) < np.where(source == liked, 0.7, 0.2)).astype(float)
    rows = pd.DataFrame({"as_of": np.arange(count), "outcome_known_at": np.arange(count) + 0.5})
    features = pd.DataFrame({"source": source, "noise": noise})
    return features, rows.assign(outcome=won), won


@pytest.mark.parametrize("name", candidates.CANDIDATES)
def test_only_the_linear_part_sees_them_and_only_where_its_settings_ask_for_it(name):
    features, rows, won = fashions(400)
    features = table.around(features, rows).join(features)
    turned = features.assign(**{n: 1 - features[n] for n in value_rates.names(features)})
    assert len(value_rates.names(features)) == 2
    for settings in candidates.SEARCHED.get(name, [{}]):
        few = settings | ({"round_count": 3} if "round_count" in settings else {})
        model, _ = models.fit(name, features, won, few)
        changed = (models.chance(model, features) != models.chance(model, turned)).any()
        assert changed == settings.get("value_rates", False)


def test_past_periods_choose_them_where_fashions_change_and_later_rows_rank_better():
    features, rows, won = fashions()
    features = features.join(table.around(features, rows))
    tried = candidates.SEARCHED["recent_logistic"]
    periods = ex.by_period(rows, 8, 0.4)
    tables = [
        rolling.origin(given, won, periods, ["recent_logistic"], {"recent_logistic": tried})
        for given in (features, features.drop(columns=value_rates.names(features)))
    ]
    assert tables[0].settings["recent_logistic"]["value_rates"]
    assert not tables[1].settings["recent_logistic"].get("value_rates", False)
    late = [rolled.table[rolled.table["period"] >= 4] for rolled in tables]
    assert log_loss(late[0]) < log_loss(late[1]) - 0.01


def log_loss(rows):
    p = np.where(rows["outcome"] == 1, rows["recent_logistic"], 1 - rows["recent_logistic"])
    return -np.log(p).mean()


@pytest.mark.parametrize("name", ["wins_share_of_source", "wins_share_of_x", context.RATE])
def test_a_column_of_a_file_that_has_such_a_name_is_refused(name):
    features, rows, _ = fashions(30)
    with pytest.raises(InputError, match=f"has a column '{name}'.*another name.*leave_out"):
        table.around(features.assign(**{name: 0.5}), rows)


def test_an_adopted_file_has_words_for_them():
    told = sections.defaults({}, 100)["explain_scores"]
    said = words.dictionary(["wins_share_of_job_title"], told["words"], told["families"])
    wording = said["wins_share_of_job_title"]
    assert words.say(wording, 0.123) == "12 % of the last outcomes with this job title were wins"
    assert words.say(wording, np.nan) == "no outcome known yet"


def test_settings_that_ask_for_them_are_not_tried_on_a_table_without_any():
    tried = candidates.SEARCHED["recent_logistic"]
    plain = pd.DataFrame({"x": [1.0]})
    assert candidates.possible(tried, plain) == tried[:2]
    assert candidates.possible(tried, plain.assign(wins_share_of_t=0.1)) == tried


def test_a_file_has_them_beside_the_times_and_tables_of_a_crm_have_the_times_alone():
    features, rows, _ = fashions(300)
    times = context.columns(rows["as_of"], rows["outcome_known_at"], rows["outcome"])
    pd.testing.assert_frame_equal(leads.around(features, rows), times)
    found = table.around(features, rows)
    pd.testing.assert_frame_equal(found[list(times)], times)
    assert list(found)[len(times.columns) :] == ["wins_share_of_source", "wins_share_of_noise"]
