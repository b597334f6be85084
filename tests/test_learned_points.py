"""Learned points: signs are held, odds double, the past alone decides; and rules beside them."""

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression

from small_events import at
from tierwise.customers import learned_points as lp
from tierwise.customers import point_candidates as pc
from tierwise.files import InputError

CUTS = [at(day) for day in range(100, 300, 25)]
DESIGN = lp.Design({"visit": (7.0, 60.0), "praise": (60.0,)}, recency=("visit",), penalty=1.0)


@pytest.fixture(scope="module")
def shop():
    """400 people with rates that drift; whoever visits often visits again. Praise means nothing."""
    rng = np.random.default_rng(3)
    parts = []
    for person in range(400):
        level = rng.normal(-3.0, 1.2) + np.cumsum(rng.normal(0, 0.12, 330))
        days = np.flatnonzero(rng.random(330) < np.minimum(np.exp(level), 0.9))
        praise = np.flatnonzero(rng.random(330) < 0.01)
        parts += [(person, "visit", day) for day in days] + [
            (person, "praise", day) for day in praise
        ]
    table = pd.DataFrame(parts, columns=["person_id", "event", "day"])
    when = at(table["day"] + rng.random(len(table))).astype("datetime64[us]")
    table = table.assign(occurred_at=when, known_at=when, amount=1.0)
    return table.sort_values("known_at", kind="stable").reset_index(drop=True)


@pytest.fixture(scope="module")
def known(shop):
    return lp.cut_examples(shop, DESIGN, CUTS, 25, "visit")


@pytest.fixture(scope="module")
def learned(known):
    return lp.fit(known, DESIGN)


def test_rows_are_people_known_at_the_cut_and_what_came_after(shop, known):
    for cut in CUTS[:2]:
        rows, visits = known[known["as_of"] == cut], shop[shop["event"] == "visit"]
        before = visits[visits["known_at"] < cut]
        assert rows["person_id"].tolist() == sorted(before["person_id"].unique())
        after = visits[
            (visits["occurred_at"] >= cut) & (visits["occurred_at"] < cut + pd.Timedelta(days=25))
        ]
        assert (
            rows["outcome"].tolist()
            == rows["person_id"].isin(after["person_id"]).astype(int).tolist()
        )
        age = (cut - before["occurred_at"]) / pd.Timedelta(days=60)
        right = (0.5**age).groupby(before["person_id"]).sum()
        assert rows["visit_faded_60d"].tolist() == pytest.approx(right.tolist())


def test_features_do_not_see_what_happens_at_the_cut_or_later(shop, known):
    cut = CUTS[3]
    past = shop[shop["known_at"] < cut]
    found = lp.columns_at(past, DESIGN, known["person_id"], known["as_of"])
    same = (known["as_of"] <= cut).to_numpy()
    names = [one.name for one in DESIGN.columns]
    pd.testing.assert_frame_equal(found[same], known.loc[same, names])


def test_signs_are_held_and_silence_never_gives_points(learned, known):
    weights = dict(zip(learned.names, learned.weights, strict=True))
    assert weights["visit_recency_days"] <= 0
    assert all(weights[name] >= 0 for name in weights if "faded" in name)
    wrong = known.assign(outcome=1 - known["outcome"])
    turned = lp.fit(wrong, DESIGN)
    assert np.abs(turned.weights).max() < 1e-6  # every wish is against its sign
    more = known.assign(visit_faded_7d=known["visit_faded_7d"] + 1)
    assert (learned.points(more) >= learned.points(known)).all()


def test_with_the_signs_that_data_wish_it_is_the_regression_of_another_library(known, learned):
    z = lp.logs(known[list(learned.names)])
    z = (z - z.mean(axis=0)) / z.std(axis=0)
    model = LogisticRegression(C=1.0, tol=1e-10, max_iter=5000).fit(z, known["outcome"])
    wished = model.coef_[0] * np.array([DESIGN.signs[name] for name in learned.names]) > 0
    assert wished.any()
    kept = [name for name, good in zip(learned.names, wished, strict=True) if good]
    held = LogisticRegression(C=1.0, tol=1e-10, max_iter=5000)
    held.fit(z[:, wished], known["outcome"])
    scale = lp.logs(known[list(learned.names)]).std(axis=0)
    found = dict(zip(learned.names, learned.weights * scale, strict=True))
    assert [found[name] for name in kept] == pytest.approx(held.coef_[0], abs=1e-3)


def test_twenty_points_are_twice_the_odds_and_a_hundred_those_of_everybody(learned, known):
    odds = learned.log_odds(known)
    points = learned.points(known)
    twice = np.interp(odds + np.log(2), np.sort(odds), np.sort(points))
    inside = odds + np.log(2) < odds.max()
    assert twice[inside] - points[inside] == pytest.approx(20, abs=1e-6)
    rate = known["outcome"].mean()
    assert np.interp(np.log(rate / (1 - rate)), np.sort(odds), np.sort(points)) == pytest.approx(
        100, abs=1e-6
    )
    whole = learned.shares(known).sum(axis=1) + learned.start_points
    assert whole.to_numpy() == pytest.approx(points)
    assert learned.chance(known).mean() == pytest.approx(rate, abs=1e-4)
    assert learned.table()["doubling_points"].tolist() == pytest.approx(
        (20 * learned.weights).tolist()
    )


def test_an_event_that_means_nothing_gets_next_to_no_points(learned):
    weight = learned.table().set_index("column")["weight"]
    assert weight["praise_faded_60d"] < 0.25 * weight["visit_faded_60d"]


def test_once_a_day_counts_a_day_once(shop):
    twice = pd.concat([shop, shop.assign(occurred_at=shop["occurred_at"].dt.floor("D"))])
    daily = lp.Design({"visit": (60.0,)}, once_a_day=("visit",))
    person, as_of = shop["person_id"].drop_duplicates(), CUTS[4]
    as_of = pd.Series(as_of, index=person.index)
    found = [lp.columns_at(rows, daily, person, as_of).to_numpy() for rows in (shop, twice)]
    assert found[1] == pytest.approx(found[0], rel=0.02, abs=1e-9)


def test_whoever_never_did_a_thing_is_silent_for_as_long_as_anybody(shop):
    person = pd.Series([0, 1, 999])
    found = lp.columns_at(shop, DESIGN, person, pd.Series([CUTS[0]] * 3))
    assert found["visit_recency_days"].iloc[2] == found["visit_recency_days"].iloc[:2].max()


def test_points_told_at_a_cut_rest_on_outcomes_known_by_then(known):
    told = lp.rolled(known, CUTS[3:5], DESIGN)
    changed = known.copy()
    unknown = (changed["outcome_known_at"] >= CUTS[4]).to_numpy()
    changed.loc[unknown, "outcome"] = 1 - changed.loc[unknown, "outcome"]
    again = lp.rolled(changed, CUTS[3:5], DESIGN)
    assert again["points"].equals(told["points"])
    with pytest.raises(InputError, match="No cut had run its course"):
        lp.rolled(known, CUTS[:1], DESIGN)


def test_the_design_is_chosen_on_past_cuts_the_simplest_within_the_tolerance(shop):
    designs = {
        "a week": lp.Design({"visit": (7.0,)}),
        "praise": lp.Design({"praise": (60.0,)}),
        "two": lp.Design({"visit": (7.0, 60.0)}, recency=("visit",)),
        "two and praise": DESIGN,
    }
    name, table = lp.chosen(shop, designs, CUTS[:6], 25, "visit")
    loss = table.set_index("name")["log_loss"]
    assert name == "two"
    assert loss["praise"] > loss["a week"] > loss["two"]
    upto = shop[shop["occurred_at"] < CUTS[5] + pd.Timedelta(days=25)]
    assert lp.chosen(upto, designs, CUTS[:6], 25, "visit")[1].equals(table)
    with pytest.raises(InputError, match="designs can't be judged"):
        lp.chosen(shop, designs, CUTS[:1], 25, "visit")


def test_one_ending_and_nobody_known_are_refused(shop, known):
    with pytest.raises(InputError, match="ended alike"):
        lp.fit(known.assign(outcome=1), DESIGN)
    with pytest.raises(InputError, match="Nobody had the event"):
        lp.cut_examples(shop, DESIGN, [at(-5)], 25, "visit")


def past(*ages, count=2):
    person, age = (np.array(part) for part in zip(*ages, strict=True))
    return pc.Past(count, person, age.astype("float64"), np.ones(len(age)))


def test_rules_of_thumb_are_what_they_say():
    found = {name: rule(past((0, 7), (0, 70), (1, 30))) for name, rule in pc.RULES.items()}
    assert found["faded_7d"] == pytest.approx([0.5 + 0.5**10, 0.5 ** (30 / 7)])
    assert found["all_events"].tolist() == [2, 1]
    assert found["less_10_per_idle_week"] == pytest.approx([2 * 0.9, 0.9**4])
    assert found["less_4_per_idle_week"].tolist() == [6, 0]
    assert found["linear_60d"] == pytest.approx([53 / 60, 0.5])
    assert found["last_30d"].tolist() == [1, 1]
    assert found["recency"].tolist() == [-7, -30]
    assert found["rfm"].tolist() == [15, 9]


def test_rules_and_learned_points_are_judged_on_the_same_rows(shop, known, monkeypatch):
    monkeypatch.setattr(pc, "DRAWS_COUNT", 60)
    judged = CUTS[4:]
    rows = pc.scored(known, shop[shop["event"] == "visit"])
    assert rows["person_id"].equals(known["person_id"])
    told = lp.rolled(known, judged, DESIGN)
    found = pc.compared(rows, told, judged, ("faded_7d", "last_90d")).set_index("candidate")
    assert found.index.tolist() == ["learned", "faded_7d", "last_90d"]
    for name in found.index[1:]:
        gap = found.loc["learned", "auc"] - found.loc[name, "auc"]
        assert found.loc[name, "ahead"] == pytest.approx(gap)
        assert found.loc[name, "low"] < gap < found.loc[name, "high"]
    assert found.loc["learned", "log_loss"] < found.loc["faded_7d", "log_loss"]
    turned = pc.compared(rows, told.iloc[::-1], judged[::-1], ("faded_7d",)).set_index("candidate")
    assert turned["ahead"].iloc[1] == found.loc["faded_7d", "ahead"]


def test_deciles_of_points_hold_everybody_once(known, learned):
    points, outcome = learned.points(known), known["outcome"].to_numpy()
    found = pc.by_decile(outcome, points)
    assert found["count"].sum() == len(known)
    assert (found["rate"] * found["count"]).sum() == pytest.approx(outcome.sum())
    assert found["least_points"].is_monotonic_decreasing
    assert (found["low"] <= found["rate"]).all()
    assert found["rate"].iloc[0] > found["rate"].iloc[-1]
