"""Published rules, each at its marks, on tables few enough to count by hand."""

import numpy as np
import pandas as pd
import pytest

from tierwise.providers import badges, visits

START = pd.Timestamp("2024-01-03 10:00")
AS_OF = pd.Timestamp("2025-01-01")
PROVIDERS = pd.Index([1, 2], name="provider")


def made(count, provider=1, status="done", late=0.0, chosen=True, first=0, customers=1000):
    """So many bookings a day apart, by customers in turn."""
    number = np.arange(first, first + count)
    return pd.DataFrame(
        {
            "booking_id": [f"{provider}-{status[:12]}-{n}" for n in number],
            "customer": number % customers,
            "provider": provider,
            "occurred_at": START + pd.to_timedelta(number, unit="D"),
            "status": status,
            "late_minutes": late,
            "chosen": chosen,
        }
    )


def all_of(*parts):
    rows = pd.concat(parts, ignore_index=True)
    rows["at_days"] = visits.day_number(rows["occurred_at"])
    return rows


def ids(rows, **columns):
    """A table of what was said of these bookings, the day after."""
    return pd.DataFrame(
        {
            "booking_id": rows["booking_id"].to_numpy(),
            "customer_id": rows["customer"].to_numpy(),
            "provider_id": rows["provider"].to_numpy(),
            "occurred_at": rows["occurred_at"].to_numpy(),
            "known_at": (rows["occurred_at"] + pd.Timedelta(days=1)).to_numpy(),
        }
    ).assign(**columns)


def tables(rows, stars=None, points=None, complaints=None, blacklist=None):
    none = rows.iloc[:0]
    answered = ids(none if points is None else rows[: len(points)])
    complained = ids(none if complaints is None else complaints)
    return {
        "ratings": ids(none if stars is None else rows[: len(stars)]).assign(
            stars=np.array(stars or [], dtype="int64")
        ),
        "surveys": answered.assign(
            survey_id=answered["booking_id"],
            satisfaction_points=np.array(points or [], dtype="float64"),
        ),
        "complaints": complained.assign(complaint_id=complained["booking_id"]),
        "blacklist": ids(none if blacklist is None else blacklist),
    }


def told(rows, **given):
    return badges.levels(tables(rows, **given), rows, AS_OF, PROVIDERS, 15.0)


# Superhost


@pytest.mark.parametrize(
    ("jobs", "stars", "cancelled", "level"),
    [
        (10, [5] * 8 + [4] * 2, 0, 1),
        (9, [5] * 9, 0, 0),  # too few jobs
        (10, [5] * 7 + [4] * 3, 0, 0),  # 4.7 stars
        (110, [5] * 20, 1, 1),  # 1 of 111
        (90, [5] * 20, 1, 0),  # 1 of 91
    ],
)
def test_superhost_needs_stars_jobs_and_hardly_any_cancellation(jobs, stars, cancelled, level):
    rows = all_of(made(jobs), made(cancelled, status="cancelled by provider"))
    assert told(rows, stars=stars).loc[1, "superhost_level"] == level


def test_what_the_customer_cancelled_does_not_count_against_the_host():
    rows = all_of(made(20), made(15, status="cancelled by customer"))
    assert told(rows, stars=[5] * 10).loc[1, "superhost_level"] == 1


def test_a_year_later_old_stars_are_forgotten():
    rows = all_of(
        made(20).assign(occurred_at=lambda one: one["occurred_at"] - pd.Timedelta("400D"))
    )
    found = told(rows, stars=[5] * 20)
    assert np.isnan(found.loc[1, "stars_mean"])
    assert found.loc[1, "superhost_level"] == 0


# job success


def test_job_success_is_satisfied_less_dissatisfied_over_all_outcomes():
    found = told(all_of(made(30)), stars=[5] * 8 + [4] + [2])
    assert found.loc[1, "job_success_share"] == pytest.approx(0.8)
    assert found.loc[1, "job_success_level"] == 1


def test_silence_is_no_outcome_and_a_complaint_outweighs_five_stars():
    rows = all_of(made(30))
    found = told(rows, stars=[5] * 10, complaints=rows[:1])
    assert found.loc[1, "job_success_share"] == pytest.approx(0.8)


def test_a_private_answer_counts_as_stars_do():
    found = told(all_of(made(30)), points=[9.0, 9.0, 8.0, 3.0])
    assert found.loc[1, "job_success_share"] == pytest.approx(0.5)


def test_choosing_the_provider_again_is_a_satisfied_outcome():
    rows = all_of(made(40, customers=20))
    assert told(rows).loc[1, "job_success_share"] == 1.0
    assigned = all_of(made(40, customers=20, chosen=False))
    assert np.isnan(told(assigned).loc[1, "job_success_share"])


def test_the_best_of_the_windows_is_taken_and_two_clients_are_needed():
    rows = all_of(made(330))
    stars = [1] * 165 + [5] * 165  # bad half a year ago, good since then
    found = told(rows, stars=stars)
    assert found.loc[1, "job_success_share"] > 0.7
    one_client = all_of(made(330, customers=1, chosen=False))
    assert np.isnan(told(one_client, stars=stars).loc[1, "job_success_share"])


def test_the_black_list_marks_the_last_visit_of_that_customer_alone():
    rows = all_of(made(40, customers=20, chosen=False))
    found = told(rows, stars=[5] * 20, blacklist=rows[:1])
    assert found.loc[1, "job_success_share"] == pytest.approx((20 - 1) / 21)


# defects


@pytest.mark.parametrize(
    ("jobs", "cancelled", "late", "level"),
    [
        (300, 1, 0, 2),  # 0.33 %
        (300, 2, 0, 1),  # 0.66 %
        (300, 0, 10, 1),  # 3.3 % late
        (60, 0, 0, 1),  # too few for the top
        (200, 4, 0, 1),  # 1.96 %
        (190, 4, 0, 0),  # 2.06 % by four buyers
        (100, 3, 0, 1),  # 2.9 %, but three buyers only
    ],
)
def test_seller_levels_follow_defects_late_starts_and_least_counts(jobs, cancelled, late, level):
    rows = all_of(
        made(jobs - late),
        made(late, late=20.0, first=jobs - late),
        made(cancelled, status="cancelled by provider"),
    )
    assert told(rows).loc[1, "defect_level"] == level


def test_a_complaint_is_a_defect():
    rows = all_of(made(100))
    found = told(rows, complaints=rows[:2])
    assert found.loc[1, "defect_share"] == pytest.approx(0.02)
    assert found.loc[1, "kept_share"] == pytest.approx(0.98)


# all


def test_nothing_that_was_learned_later_is_used():
    rows = all_of(made(30))
    late = tables(rows, stars=[1] * 30)
    late["ratings"]["known_at"] = AS_OF
    found = badges.levels(late, rows, AS_OF, PROVIDERS, 15.0)
    assert found.loc[1, "ratings_count"] == 0


def test_a_provider_without_bookings_has_no_figure_and_no_badge():
    found = told(all_of(made(30)), stars=[5] * 30).loc[2]
    assert found["superhost_level"] == found["ratings_count"] == 0
    assert found[["stars_mean", "job_success_share", "kept_share"]].isna().all()


def test_return_shares_are_drawn_towards_all_and_unknown_ends_left_out():
    returned = pd.Series([1.0] * 30 + [0.0] * 10 + [np.nan] * 500 + [1.0] * 10 + [0.0] * 30)
    provider = pd.Series([1] * 40 + [1] * 500 + [2] * 40)
    found = badges.return_shares(returned, provider, PROVIDERS)
    assert 0.5 < found[1] < 0.75
    assert 0.25 < found[2] < 0.5
    assert badges.return_shares(returned * np.nan, provider, PROVIDERS).isna().all()


def test_every_order_is_a_column_that_the_rules_give():
    found = told(all_of(made(30)), stars=[5] * 3)
    assert set(badges.ORDERS.values()) - {"return_share"} <= set(found.columns)
