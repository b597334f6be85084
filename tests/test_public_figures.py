"""Public figures: counted as they are defined, drawn in as noise demands, silent without evidence."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import beta

from tierwise.files import InputError
from tierwise.providers import public_figures as pf
from tierwise.providers.satisfaction import EARLY, TOLD
from tierwise.shrinkage import BetaPrior, beta_prior

BOTH = pd.Index([1, 2], name="provider")


def trials(counts):
    """provider -> (successes, trials), as one row per trial."""
    rows = [(who, n < k) for who, (k, count) in counts.items() for n in range(count)]
    table = pd.DataFrame(rows, columns=["provider", "happened"])
    return table["happened"], table["provider"]


def bookings(rows):
    """customer, provider, status, late_minutes, chosen; one a day."""
    table = pd.DataFrame(rows, columns=["customer", "provider", "status", "late_minutes", "chosen"])
    table["booking_id"] = [f"b{n}" for n in range(len(table))]
    table["at_days"] = np.arange(len(table), dtype="float64")
    return table


def test_a_share_is_the_mean_of_its_beta_posterior_and_lies_inside_its_interval():
    found = pf.share_of(*trials({1: (18, 20), 2: (40, 80)}), BOTH)
    prior = beta_prior(np.array([18, 40]), np.array([20, 80]))
    assert found.loc[1, "share"] == pytest.approx((prior.a + 18) / (prior.a + prior.b + 20))
    low, high = beta(prior.a + 18, prior.b + 2).ppf([0.05, 0.95])
    assert found.loc[1, ["low", "high"]].tolist() == pytest.approx([low, high])
    assert found["count"].tolist() == [20, 80]


def test_a_share_lies_between_the_own_one_and_that_of_all():
    found = pf.share_of(*trials({1: (20, 20), 2: (40, 80)}), BOTH)
    assert 60 / 100 < found.loc[1, "share"] < 1.0


def test_fewer_trials_than_fifteen_are_too_early_to_say():
    found = pf.share_of(*trials({1: (14, 14), 2: (8, 15)}), BOTH)
    assert found["said"].tolist() == [EARLY, TOLD]


def test_trials_of_one_provider_alone_compare_nobody():
    found = pf.share_of(*trials({1: (14, 40)}), BOTH)
    assert found["share"].isna().all()
    assert found["count"].tolist() == [40, 0]


def test_trials_of_providers_that_are_not_asked_for_do_not_count():
    found = pf.share_of(*trials({1: (10, 20), 2: (10, 20), 3: (0, 500)}), BOTH)
    assert found["share"].tolist() == pytest.approx([0.5, 0.5], abs=1e-6)


def test_lateness_is_the_median_and_what_nine_in_ten_stay_below():
    rows = [(n, 1, "done", float(n), True) for n in range(21)]
    rows += [(n, 2, "done", 5.0, True) for n in range(5)]
    found = pf.lateness(bookings(rows), BOTH)
    assert found.loc[1].tolist() == [10.0, 18.0]
    assert found.loc[2].isna().all()  # too few starts


def test_the_tolerance_itself_is_still_punctual_and_early_always_is():
    rows = [(1, 1, "done", late, True) for late in (-40.0, 15.0, 15.5)]
    assert pf.punctual(bookings(rows), 15.0).tolist() == [True, True, False]


def test_a_booking_that_the_customer_cancelled_was_not_the_providers_to_keep():
    statuses = ["done", "no show", "cancelled by provider", "cancelled by customer"]
    found = pf.cancelled(bookings([(1, 1, status, 0.0, True) for status in statuses]))
    assert found["happened"].tolist() == [False, True, True]


def saves(rows):
    columns = ["customer_id", "provider_id", "occurred_at", "added"]
    table = pd.DataFrame(rows, columns=columns)
    return table.astype({"customer_id": "int64", "provider_id": "int64", "added": "bool"})


def test_a_customer_counts_once_by_a_save_that_stands_or_by_choosing_again():
    rows = [
        (1, 1, "done", 0.0, False),
        (2, 1, "done", 0.0, False),
        (3, 1, "done", 0.0, False),
        (3, 1, "done", 0.0, True),  # chosen again
        (4, 1, "done", 0.0, True),  # chosen once
        (5, 1, "done", 0.0, True),
        (5, 1, "done", 0.0, False),  # again, but we assigned it
    ]
    jobs = bookings(rows)
    kept = saves([(1, 1, pd.Timestamp("2024-01-02"), True)])
    taken = [
        (2, 1, pd.Timestamp("2024-01-05"), False),
        (2, 1, pd.Timestamp("2024-01-02"), True),
    ]
    found = pf.pairs_saved(jobs, jobs, pd.concat([kept, saves(taken)]))
    assert dict(zip(found["customer"], found["happened"], strict=True)) == {
        1: True, 2: False, 3: True, 4: False, 5: False
    }  # fmt: skip


def test_the_table_has_every_figure_for_every_provider():
    random = np.random.default_rng(1)
    rows = [
        (n % 30, 1 + n % 2, "done" if n % 7 else "no show", random.normal(5, 10), bool(n % 3))
        for n in range(400)
    ]
    made = bookings(rows)
    jobs = made[made["status"] == "done"]
    complaint = pd.Series(np.arange(len(jobs)) % 10 == 0, index=jobs.index).astype(int)
    found = pf.table(made, jobs, complaint, saves([]), pd.Index([1, 2, 9]), 15.0)
    for name in pf.FIGURES:
        assert found.loc[[1, 2], f"{name}_low"].le(found.loc[[1, 2], f"{name}_share"]).all()
        assert found.loc[9, f"{name}_said"] == EARLY
    assert found.loc[[1, 2], "complaints_share"].tolist() == pytest.approx([0.1, 0.1], abs=0.05)
    assert found.loc[9, "late_median_minutes"] != found.loc[9, "late_median_minutes"]


def test_the_chance_that_a_gate_is_met_grows_with_the_share_and_with_evidence():
    counts = {1: (95, 100), 2: (19, 20), 3: (12, 20)}
    prior = BetaPrior(4.0, 1.0)
    met = pf.chance_met(*trials(counts), pd.Index([1, 2, 3]), least=0.85, prior=prior)
    assert met[1] > met[2] > 0.5 > met[3]
    assert met[1] == pytest.approx(beta(99, 6).sf(0.85))
    most = pf.chance_met(*trials(counts), pd.Index([1, 2, 3]), most=0.85, prior=prior)
    assert (met + most).tolist() == pytest.approx([1, 1, 1])


def test_a_gate_has_one_limit():
    for limits in ({}, {"least": 0.5, "most": 0.6}):
        with pytest.raises(InputError, match="either a least or a most share"):
            pf.chance_met(*trials({1: (1, 2)}), BOTH, **limits)


def test_nobody_is_held_back_without_evidence():
    assert pf.chance_met(*trials({1: (0, 40)}), BOTH, least=0.9).tolist() == [1.0, 1.0]
