"""The ledger sums to each score to the cent, and says why an event earned what it did."""

import numpy as np
import pandas as pd
import pytest

from small_events import AS_OF, at, catalogue, drawn, events
from tierwise.customers import point_ledger as pl
from tierwise.customers import points
from tierwise.files import InputError


@pytest.fixture(scope="module")
def book():
    """Built in two parts, with late and repeated rows."""
    rows = drawn(800, people=30)
    found = points.built(catalogue(), rows.iloc[:500])
    points.add(found, rows.iloc[400:])
    return found


def cents(scores):
    return (scores.set_index("person_id")["points"] * 100).round().astype("int64")


def test_the_rows_of_each_person_sum_to_its_score_to_the_cent(book):
    scores = points.scores(book, AS_OF)
    found = pl.ledger(book, scores["person_id"], AS_OF)
    assert found.groupby("person_id")["cents"].sum().equals(cents(scores).rename("cents"))
    last = found.groupby("person_id")["balance_cents"].last()
    assert last.equals(cents(scores).rename("balance_cents"))
    running = found.groupby("person_id")["cents"].cumsum()
    assert running.equals(found["balance_cents"].rename("cents"))
    assert found["at"].max() == AS_OF


def test_the_worked_example_reads_like_a_bank_statement():
    rules = catalogue(visit={"points": 10, "half_life_days": 7})
    made = points.built(rules, events((4, "visit", 0, 0), (4, "visit", 7, 0)))
    found = pl.ledger(made, [4], at(14))
    assert found["what"].tolist() == ["visit", "faded", "visit", "faded"]
    assert found["points"].tolist() == [10, -5, 10, -7.5]
    assert found["balance"].tolist() == [10, 5, 15, 7.5]
    assert found["at"].tolist() == [at(0), at(7), at(7), at(14)]
    assert pl.still_worth(made, 4, at(14))["points"].tolist() == [2.5, 5]


def test_an_event_shows_the_points_of_its_rule_or_why_it_earned_less():
    rules = catalogue(
        visit={"points": 4, "cap_per_day": 10, "half_life_days": 7},
        mail={"versions": [{"points": 1}, {"from": "2026-03-10", "status": "archived"}]},
    )
    rows = [(1, "visit", 0.1 * n, 0) for n in range(4)] + [(1, "mail", 2, 0), (1, "mail", 20, 0)]
    found = pl.ledger(points.built(rules, events(*rows)), [1], AS_OF)
    earned = found[found["what"] != "faded"]
    assert earned["points"].tolist() == [4, 4, 2, 0, 1, 0]
    cap = pl.CAP_REACHED
    assert earned["note"].tolist() == ["", "", cap, cap, "", pl.ARCHIVED]
    assert (found.loc[found["what"] == "faded", "cents"] < 0).all()


def test_what_events_are_still_worth_sums_to_the_score_to_the_cent(book):
    for person, score in cents(points.scores(book, AS_OF)).items():
        found = pl.still_worth(book, person, AS_OF)
        assert round(found["points"].sum() * 100) == score
        assert len(found) == len(points.events_of(book, person))
        good = found["earned"] >= 0
        assert (found["points"][good] <= found["earned"][good] + 0.011).all()


def test_cents_left_over_go_to_the_largest_remainders():
    assert pl.shared_out(np.array([1.2, 2.7, 3.6, 0.5]), 8).tolist() == [1, 3, 4, 0]
    assert pl.shared_out(np.array([0.5, 0.5, 0.5]), 2).tolist() == [1, 1, 0]
    assert pl.shared_out(np.array([1.0, 1.0]), 5).sum() == 5


def test_the_curve_of_a_person_passes_through_its_scores(book):
    rows = drawn(800, people=30)
    times = pd.date_range(at(1), AS_OF, periods=9).as_unit("us").floor("s")
    curve = pl.over_time(book, [3, 5], times)
    assert curve["person_id"].tolist() == [3] * 9 + [5] * 9
    for when in (times[2], times[5], times[8]):
        before = rows[rows["occurred_at"] <= when].assign(known_at=lambda t: t["occurred_at"])
        told = points.built(catalogue(), before)
        right = points.scores(told, when + pd.Timedelta(microseconds=1)).set_index("person_id")[
            "points"
        ]
        found = curve[curve["at"] == when].set_index("person_id")["points"]
        assert found.to_dict() == pytest.approx(
            right.reindex(found.index, fill_value=0.0).to_dict(), abs=0.011
        )


def test_a_stranger_and_a_curve_out_of_order_are_refused(book):
    with pytest.raises(InputError, match="Person 77 has no event"):
        pl.ledger(book, [77], AS_OF)
    with pytest.raises(InputError, match="must ascend"):
        pl.over_time(book, [3], pd.DatetimeIndex([AS_OF, at(0)]))
    assert pl.ledger(book, [], AS_OF).empty
