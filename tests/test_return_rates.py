"""Return rates: found again however recent the visits, equal to raw counts once all time is over."""

import numpy as np
import pandas as pd
import pytest
from scipy.special import betaln
from statsmodels.duration.survfunc import SurvfuncRight

from tierwise.files import InputError
from tierwise.providers import return_rates as rr
from tierwise.shrinkage import beta_prior

HORIZON_DAYS = 100.0
UNTIL_DAYS = 300.0


def world(seed, provider_count=80, customer_count=4000, base=-1.0, spread=0.6, lately=0.5):
    """Simulated: customers come once, and a second time within 100 days with their provider's p.

    Providers differ in size; p rises with a known number. Half of them got all their customers
    lately.
    """
    random = np.random.default_rng(seed)
    kind = random.normal(0, 1, provider_count)
    log_odds = base + spread * kind + random.normal(0, 0.4, provider_count)
    truth = 1 / (1 + np.exp(-log_odds))
    weight = random.lognormal(0, 1, provider_count)
    provider = random.choice(provider_count, customer_count, p=weight / weight.sum())
    new = np.arange(provider_count) < lately * provider_count
    first = np.where(new[provider], random.uniform(220, 295, customer_count), 0.0)
    first = np.where(new[provider], first, random.uniform(0, 295, customer_count))
    again = random.random(customer_count) < truth[provider]
    gap = 3 + 97 * random.beta(1, 3, customer_count)
    rows = pd.DataFrame({"customer": np.arange(customer_count), "provider": provider})
    visits = pd.concat(
        [rows.assign(at_days=first), rows[again].assign(at_days=(first + gap)[again])]
    )
    return visits.reset_index(drop=True), pd.Series(truth), pd.DataFrame({"kind": kind})


def first_visits(visits):
    """The second ones are known not to be followed: without them p is that of a first visit."""
    known = rr.followed(visits, UNTIL_DAYS, 0.0)
    return known[~known.duplicated("customer")]


def test_once_all_time_is_over_trials_are_visits_and_returns_are_counted():
    visits, _, _ = world(1)
    found = rr.counted(visits, 1000.0, HORIZON_DAYS, 0.0)
    ordered = visits.sort_values(["customer", "at_days"])
    gap = -ordered.groupby(["customer", "provider"])["at_days"].diff(-1)
    raw = (gap <= HORIZON_DAYS).groupby(ordered["provider"]).agg(["sum", "size"])
    assert np.allclose(found["trials"], raw["size"])
    assert np.allclose(found["returned"], raw["sum"])
    assert (found["returned_count"] == raw["sum"]).all()


def test_the_part_that_has_come_is_that_of_kaplan_and_meier():
    visits, _, _ = world(2)
    known = rr.followed(visits, UNTIL_DAYS, 0.0)
    waited = known["gap_days"].fillna(known["age_days"]).to_numpy()
    curve = SurvfuncRight(waited, known["gap_days"].notna().astype(int).to_numpy())
    ages = np.array([0.0, 5.0, 20.0, 60.0, 99.0, HORIZON_DAYS])
    place = np.searchsorted(curve.surv_times, ages, side="right")
    come = 1 - np.r_[1.0, curve.surv_prob][place]
    assert np.allclose(rr.part_come(known, HORIZON_DAYS, ages), come / come[-1])


def test_the_rate_of_recent_visits_is_neither_too_low_nor_are_they_left_out():
    biases, naive = [], []
    for seed in range(6):
        visits, truth, _ = world(seed, base=-0.5)
        known = first_visits(visits)
        part = rr.part_come(known, HORIZON_DAYS, np.minimum(known["age_days"], HORIZON_DAYS))
        returned = known["gap_days"].le(HORIZON_DAYS)
        weighed = rr.weighed(returned.to_numpy("float64"), part)
        new = (known["provider"] < 40).to_numpy()
        expected = truth[known["provider"]].to_numpy()[new].mean()
        biases.append(weighed[0][new].sum() / weighed[1][new].sum() - expected)
        naive.append(returned[new].mean() - expected)
    assert abs(np.mean(biases)) < 0.02
    assert np.mean(naive) < -0.08


def test_ninety_percent_intervals_hold_for_recent_visits_too():
    held = []
    for seed in range(8):
        visits, truth, known = world(seed, lately=0.6)
        once = first_visits(visits)
        part = rr.part_come(once, HORIZON_DAYS, np.minimum(once["age_days"], HORIZON_DAYS))
        returned = once["gap_days"].le(HORIZON_DAYS).to_numpy("float64")
        k, n = rr.weighed(returned, part)
        sums = pd.DataFrame({"returned": k, "trials": n}).groupby(once["provider"].to_numpy()).sum()
        sums["trials"] = sums.max(axis=1)
        found = rr.rates(sums, known)
        held.append(truth[found.index].between(found["low"], found["high"]).mean())
    assert 0.86 <= np.mean(held) <= 0.95


def test_what_is_known_of_providers_orders_those_with_few_visits():
    gains = []
    for seed in range(4):
        visits, truth, known = world(seed, customer_count=700, spread=1.0)
        counts = rr.counted(visits, UNTIL_DAYS, HORIZON_DAYS, 0.0)
        without, with_kind = (rr.rates(counts, one)["rate"] for one in (None, known))
        order = truth[counts.index]
        gains.append(order.corr(with_kind, "spearman") - order.corr(without, "spearman"))
    assert np.mean(gains) > 0.15


def test_without_numbers_the_prior_is_that_of_shrinkage():
    visits, _, _ = world(3)
    counts = rr.counted(visits, UNTIL_DAYS, HORIZON_DAYS, 0.0)
    found = rr.expected(counts)
    plain = beta_prior(counts["returned"].to_numpy(), counts["trials"].to_numpy())
    assert found.mean[0] == pytest.approx(plain.mean, rel=1e-4)
    assert found.count == pytest.approx(plain.a + plain.b, rel=1e-3)


def test_the_prior_is_a_maximum():
    visits, _, known = world(4)
    counts = rr.counted(visits, UNTIL_DAYS, HORIZON_DAYS, 0.0)
    k, n = counts["returned"].to_numpy(), counts["trials"].to_numpy()
    column = known.loc[counts.index, "kind"]
    column = ((column - column.mean()) / column.std(ddof=0)).to_numpy()
    found = rr.expected(counts, known)

    def likelihood(level, slope, count):
        mean = 1 / (1 + np.exp(-level - slope * column))
        a, b = mean * count, (1 - mean) * count
        return (betaln(a + k, b + n - k) - betaln(a, b)).sum() - rr.RIDGE * slope**2 / 2

    at = np.array([found.log_odds["level"], found.log_odds["kind"], found.count])
    best = likelihood(*at)
    for place, step in ((0, 0.01), (1, 0.01), (2, 0.02 * at[2])):
        for side in (-1, 1):
            moved = at + side * step * (np.arange(3) == place)
            assert likelihood(*moved) < best


def test_a_half_life_lets_old_visits_count_less():
    visits, _, _ = world(5)
    whole = rr.counted(visits, UNTIL_DAYS, HORIZON_DAYS, 0.0)
    faded = rr.counted(visits, UNTIL_DAYS, HORIZON_DAYS, 0.0, half_life_days=60.0)
    assert (faded["trials"] < whole["trials"]).all()
    assert (faded["visit_count"] == whole["visit_count"]).all()


def test_visits_after_the_day_asked_for_change_nothing():
    visits, _, _ = world(6)
    past = visits[visits["at_days"] <= 250]
    assert rr.counted(visits, 250.0, HORIZON_DAYS).equals(rr.counted(past, 250.0, HORIZON_DAYS))


def test_a_job_split_into_bookings_is_no_return():
    visits, _, _ = world(7)
    own = visits["provider"] == 60
    split = pd.concat([visits, visits[own].assign(at_days=visits["at_days"] + 1)])
    before, after = (rr.counted(one, UNTIL_DAYS + 1, HORIZON_DAYS) for one in (visits, split))
    assert before.equals(after)


def test_few_trials_are_too_early_to_say():
    visits, _, known = world(8)
    found = rr.rates(rr.counted(visits, UNTIL_DAYS, HORIZON_DAYS, 0.0), known)
    early = found["said"] == rr.EARLY
    assert (early == (found["trials"] < rr.LEAST_VISITS)).all()
    assert 0 < early.sum() < len(found)
    assert ((found["low"] <= found["rate"]) & (found["rate"] <= found["high"])).all()


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (lambda v, k: rr.counted(v, -1.0), "no visit"),
        (lambda v, k: rr.counted(v.drop(columns="at_days"), 300.0), "at_days"),
        (lambda v, k: rr.counted(v.drop_duplicates("customer"), 300.0), "0 of 4,000 visits"),
        (lambda v, k: rr.rates(rr.counted(v, 300.0), k.iloc[1:]), "kind is missing for 1 of"),
    ],
)
def test_what_cannot_be_learned_is_said(call, told):
    visits, _, known = world(9)
    with pytest.raises(InputError, match=told):
        call(visits, known)
