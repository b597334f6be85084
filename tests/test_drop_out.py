"""Drop-out: found again in a simulated year, the same as other libraries', and hard to play with."""

import numpy as np
import pandas as pd
import pytest
from statsmodels.discrete.discrete_model import Logit
from statsmodels.duration.survfunc import SurvfuncRight

from provider_worlds import UNTIL_DAYS, drop_out_world, last_provider_rate, window_rate
from tierwise.files import InputError
from tierwise.providers import drop_out as do
from tierwise.providers.drop_out_rates import average_rate, rates
from tierwise.rhythm import MERGE_DAYS, Rhythm, jobs, silence_chance

SEEDS = range(3)
ALL_JOBS = 0.0  # days: in the simulated years every booking is a job of its own


@pytest.fixture(scope="module")
def years():
    """Per seed: visits, the fit, and the table of rates with truth and naive rules beside."""
    rows = []
    for seed in SEEDS:
        visits, truth = drop_out_world(seed)
        fitted = do.fit(visits, UNTIL_DAYS, ALL_JOBS)
        table = rates(fitted).assign(truth=truth, window=window_rate(visits))
        rows.append((visits, fitted, table.assign(last=last_provider_rate(visits, 0))))
    return rows


@pytest.fixture(scope="module")
def small():
    visits, truth = drop_out_world(50, provider_count=40, customer_count=1500)
    return visits, truth, do.fit(visits, UNTIL_DAYS, ALL_JOBS)


def over_years(years, measure):
    return np.mean([measure(table) for _, _, table in years])


def test_rates_are_found_again_and_order_providers_better_than_naive_rules(years):
    def ranked(name):
        return over_years(years, lambda table: table[name].corr(table["truth"], method="spearman"))

    assert ranked("rate") >= 0.84
    assert ranked("rate") > ranked("last") > ranked("window")


def test_rates_are_unbiased_where_the_window_rule_says_17_points_too_many(years):
    def bias(name):
        return over_years(years, lambda table: (table[name] - table["truth"]).mean())

    assert abs(bias("rate")) <= 0.015
    assert bias("window") == pytest.approx(0.17, abs=0.03)
    assert bias("last") > 0.04


def test_ninety_percent_intervals_hold_in_about_ninety_percent(years):
    held = over_years(
        years, lambda table: table["truth"].between(table["low"], table["high"]).mean()
    )
    assert 0.86 <= held <= 0.94


def test_the_rhythm_and_the_case_mix_of_the_simulation_are_found(years):
    found = np.mean([do.packed(fitted.parameters) for _, fitted, _ in years], axis=0)
    assert found[:3] == pytest.approx([-1.15, -0.35, -0.3], abs=0.1)
    assert np.exp(found[3:]) == pytest.approx([0.5, 1.5, 23.5], rel=0.1)


def test_gaps_that_are_more_alike_than_the_model_assumes_shift_rates_by_a_point_at_most():
    visits, truth = drop_out_world(0, evenness=4.0)
    found = rates(do.fit(visits, UNTIL_DAYS, ALL_JOBS))
    assert abs((found["rate"] - truth).mean()) <= 0.012


def test_first_returns_follow_kaplan_and_meier(years):
    visits, fitted, _ = years[0]
    ordered = visits.sort_values(["customer", "at_days"])
    gap = -ordered.groupby("customer")["at_days"].diff(-1)
    first = ~ordered.duplicated("customer")
    waited = gap.fillna(UNTIL_DAYS - ordered["at_days"])[first]
    curve = SurvfuncRight(waited.to_numpy(), gap.notna()[first].astype(int).to_numpy())
    sums, parameters = fitted.sums, fitted.parameters
    firsts = sums.kinds[:, 1] == 0
    u = parameters.spread * do.NODES
    d = 1 / (1 + np.exp(-(sums.kinds[firsts] @ parameters.log_odds)[:, None] - u))
    stops = sums.kind_counts[firsts] @ d @ do.WEIGHTS / do.WEIGHTS.sum()
    stops /= sums.kind_counts[firsts].sum()
    days = np.array([10.0, 30.0, 90.0, 180.0])
    silent = silence_chance(parameters.rhythm, np.zeros(4), np.zeros(4), days)
    known = curve.surv_prob[np.searchsorted(curve.surv_times, days, side="right") - 1]
    assert np.abs(stops + (1 - stops) * silent - known).max() < 0.025


def test_where_every_end_is_known_it_is_a_plain_logistic_model():
    random = np.random.default_rng(2)
    rows = []
    for customer in range(1500):
        at, number = random.uniform(0, 5), 1
        while True:
            rows.append((customer, random.integers(0, 8), at, number))
            if random.random() < 1 / (1 + np.exp(1 + 0.5 * np.log(number))):
                break
            at, number = at + random.exponential(1.0), number + 1
    visits = pd.DataFrame(rows, columns=["customer", "provider", "at_days", "number"])
    last = ~visits.duplicated("customer", keep="last")
    number = np.log(np.minimum(visits["number"], 50))
    plain = Logit(last.astype(float), np.column_stack([np.ones(len(visits)), number])).fit(disp=0)
    found = do.fit(visits, 1e6, ALL_JOBS).parameters
    assert found.log_odds == pytest.approx(plain.params.to_numpy(), abs=0.02)
    assert found.spread < 0.15


def test_the_gradient_is_that_of_the_likelihood(small):
    sums, parameters = small[2].sums, small[2].parameters
    at = do.packed(parameters) + np.array([0.2, -0.1, 0.1, 0.2, 0.1, -0.2])

    def likelihood(point):
        now = do.unpacked(point)
        modes = np.zeros(len(sums.providers))
        told = do.posterior_of(sums, now, modes).log_likelihood
        return told + do.rhythm_likelihood(sums, now.rhythm)

    now = do.unpacked(at)
    slope = do.gradient(sums, now, do.posterior_of(sums, now, np.zeros(len(sums.providers))))
    steps = 1e-5 * np.eye(len(at))
    by_steps = [(likelihood(at + one) - likelihood(at - one)) / 2e-5 for one in steps]
    assert np.allclose(slope, by_steps, rtol=1e-3, atol=0.05)


def test_counts_add_up_and_the_lost_are_as_many_as_the_model_expects(small):
    visits, _, fitted = small
    table = rates(fitted)
    assert table["visit_count"].sum() == len(visits)
    ends = table["lost_count"] + table["open_count"]
    assert np.allclose(table["returned_count"] + ends, table["visit_count"])
    assert ends.sum() == pytest.approx(visits["customer"].nunique())
    assert ((table["low"] <= table["rate"]) & (table["rate"] <= table["high"])).all()
    assert (table["effective_visits"] <= table["visit_count"] + 1e-9).all()
    assert 0.1 < average_rate(fitted) < 0.25


def test_few_visits_are_too_early_to_say(small):
    visits, _, _ = small
    fresh = visits.groupby("customer").head(1).head(6).assign(customer=range(9000, 9006))
    found = rates(do.fit(pd.concat([visits, fresh.assign(provider=99)]), UNTIL_DAYS, ALL_JOBS))
    assert found.loc[99, "said"] == do.EARLY
    assert found.loc[99, "high"] - found.loc[99, "low"] > 0.15
    assert (found["said"] == do.TOLD).sum() > 30


def test_a_silence_says_more_of_a_frequent_customer():
    rhythm = Rhythm(1.5, 25.0)
    frequent, rare = silence_chance(
        rhythm, np.array([20, 2]), np.array([200.0, 200.0]), np.array([230.0, 230.0])
    )
    assert frequent < 0.15 < 0.5 < rare


def test_a_job_split_into_five_bookings_lowers_no_rate(small):
    visits, _, _ = small
    own = visits["provider"] == 5
    copies = [visits[own].assign(at_days=visits["at_days"] + day) for day in (0.5, 1, 1.5, 2)]
    split = pd.concat([visits, *copies], ignore_index=True)
    before = rates(do.fit(visits, UNTIL_DAYS)).loc[5]
    after = rates(do.fit(split, UNTIL_DAYS)).loc[5]
    unguarded = rates(do.fit(split, UNTIL_DAYS, ALL_JOBS)).loc[5]
    assert unguarded["rate"] < 0.6 * before["rate"]
    assert after["rate"] >= before["rate"] - 0.005
    assert after["effective_visits"] <= before["effective_visits"] * 1.02


def test_bookings_of_one_job_are_one_even_with_another_provider_in_between():
    visits = pd.DataFrame(
        {
            "customer": [1, 1, 1, 1, 2],
            "provider": ["a", "b", "a", "a", "a"],
            "at_days": [0.0, 0.5, 1.0, 1.0 + MERGE_DAYS + 0.1, 1.0],
        }
    )
    assert jobs(visits)["at_days"].tolist() == [0.0, 0.5, 1.0 + MERGE_DAYS + 0.1, 1.0]


def test_refusing_customers_who_stop_more_often_does_not_lower_the_rate():
    changes = []
    for seed in range(3):
        visits, _ = drop_out_world(70 + seed, provider_count=40, customer_count=2000)
        provider = visits["provider"].value_counts().index[0]
        first = ~visits.sort_values(["customer", "at_days"]).duplicated("customer")
        refused = visits.loc[first & (visits["provider"] == provider), "customer"]
        kept = visits[~visits["customer"].isin(refused)]
        before, after = (rates(do.fit(one, UNTIL_DAYS, ALL_JOBS)) for one in (visits, kept))
        plain = [last_provider_rate(one, 90)[provider] for one in (visits, kept)]
        own = after.loc[provider, "rate"] - before.loc[provider, "rate"]
        changes.append((own, plain[1] - plain[0]))
    own, plain = np.mean(changes, axis=0)
    assert plain < -0.015
    assert own > plain / 2


def test_units_of_time_and_names_do_not_count(small):
    visits, _, fitted = small
    renamed = visits.assign(provider="p" + visits["provider"].astype(str).str.zfill(3))
    later = renamed.assign(at_days=visits["at_days"] + 5000).sample(frac=1, random_state=1)
    found = rates(do.fit(later, UNTIL_DAYS + 5000, ALL_JOBS))
    assert np.allclose(found["rate"], rates(fitted)["rate"], atol=1e-4)


def test_bookings_after_the_day_asked_for_change_nothing(small):
    visits, _, _ = small
    past = visits[visits["at_days"] <= 200]
    assert rates(do.fit(visits, 200.0)).equals(rates(do.fit(past, 200.0)))


@pytest.mark.parametrize(
    ("visits", "told"),
    [
        (pd.DataFrame({"customer": [1], "provider": [1]}), "at_days"),
        (
            pd.DataFrame({"customer": [1], "provider": [None], "at_days": [0.0]}),
            "provider is empty",
        ),
        (pd.DataFrame({"customer": range(50), "provider": 1, "at_days": 0.0}), "0 came again"),
        (pd.DataFrame({"customer": [1], "provider": [1], "at_days": [900.0]}), "no visit"),
    ],
)
def test_what_cannot_be_learned_is_said(visits, told):
    with pytest.raises((InputError), match=told):
        do.fit(visits, UNTIL_DAYS)
