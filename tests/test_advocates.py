"""Who brings somebody next: columns, orders, measures and records, on small members by hand."""

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit
from sklearn.metrics import average_precision_score, roc_auc_score

from tierwise import features as ft
from tierwise.advocates import ahead, quality, ranked, rankers
from tierwise.advocates import known_of as ko
from tierwise.evaluation import captured_share
from tierwise.files import InputError

START = pd.Timestamp("2025-01-01").as_unit("us")


def day(number):
    return START + pd.Timedelta(days=number)


def rows(names, lines):
    table = pd.DataFrame(lines, columns=names)
    at = [name for name in table if name.endswith("_at")]
    return table.astype(dict.fromkeys(at, "datetime64[us]"))


@pytest.fixture
def past():
    """1 brings 2 (day 10, certain on day 17), 2 brings 3 (day 30, certain on day 37)."""
    members = [(1, day(0), day(0)), (2, day(10), day(10)), (3, day(30), day(30))]
    brought = [(1, 2, day(10), day(17)), (2, 3, day(30), day(37))]
    events = [(2, "active", day(12), day(12), 4.0), (2, "active", day(40), day(40), 2.0)]
    times = ["occurred_at", "known_at"]
    return ko.Past(
        rows(["person_id", *times], members),
        rows(["sender_id", "person_id", *times], brought),
        rows(["person_id", "event", *times, "amount"], events),
    )


WANTED = ko.Wanted(
    (ft.count("brought"), ft.recency("brought"), ft.recency("joined"), ft.total("active")),
    ("active",),
)


def told(past, person, at, wanted=WANTED):
    pair = pd.Series([person]), pd.Series([day(at)])
    return ko.columns(past, wanted, *pair).iloc[0]


def test_a_credit_counts_once_it_is_certain(past):
    assert [told(past, 1, at)["brought_count"] for at in (16, 17, 18)] == [0, 0, 1]
    assert np.isnan(told(past, 1, 16)["brought_recency_days"])
    assert told(past, 1, 18)["brought_recency_days"] == 8


def test_what_friends_did_is_known_from_the_credit_on(past):
    """2 was active on day 12, before anybody knew for certain that 1 had brought them."""
    assert told(past, 1, 17)["friend_active_faded_120d"] == 0
    assert told(past, 1, 18)["friend_active_faded_120d"] == pytest.approx(4 * 0.5 ** (6 / 120))
    assert told(past, 2, 60)["friend_active_faded_120d"] == 0  # 3 did nothing


def test_the_record_of_whoever_brought_a_member_is_that_of_the_look(past):
    assert told(past, 2, 16)["inviter_brought_count"] == 0
    assert told(past, 2, 18)["inviter_brought_count"] == 1
    assert told(past, 3, 50)["inviter_brought_count"] == 1
    assert told(past, 1, 50)["inviter_brought_count"] == 0


def test_what_was_not_recorded_is_missing_and_not_nothing(past):
    since = ko.Past(past.members, past.brought, past.events, {"active": day(20)})
    assert np.isnan(told(since, 2, 15)["active_total"])
    assert np.isnan(told(since, 1, 19)["friend_active_faded_120d"])
    assert told(since, 2, 21)["active_total"] == 4


def test_columns_have_the_names_that_are_declared(past):
    assert list(told(past, 1, 30).index) == WANTED.names


def test_only_members_known_before_a_look_stand_at_it(past):
    found = ko.at_looks(past.members, [day(10), day(11)])
    assert list(zip(found["as_of"], found["person_id"], strict=True)) == [
        (day(10), 1), (day(11), 1), (day(11), 2)
    ]  # fmt: skip
    with pytest.raises(InputError, match="Look later"):
        ko.at_looks(past.members, [day(0)])


def test_the_first_instant_of_a_horizon_counts_and_its_end_does_not(past):
    looks = pd.DataFrame({"person_id": 1, "as_of": [day(9), day(10), day(11)]})
    assert list(ko.came(looks, past.brought, 1.0)) == [0, 1, 0]


def world(random, looks_count=9, people_count=400):
    """Each look 30 days after the last; x raises the odds, noise does nothing."""
    parts = []
    for look in range(looks_count):
        x, noise = random.standard_normal((2, people_count))
        won = random.random(people_count) < expit(1.5 * x - 2.5)
        columns = {"person_id": np.arange(people_count), "as_of": day(30 * look)}
        columns |= {"outcome_known_at": day(30 * look + 60), "x": x, "noise": noise}
        parts.append(pd.DataFrame(columns | {"outcome": won.astype("int64")}))
    return pd.concat(parts, ignore_index=True)


RULES = {"by_noise": "noise", "lowest": "-noise"}


@pytest.fixture(scope="module")
def known():
    return world(np.random.default_rng(3))


@pytest.fixture(scope="module")
def found(known):
    return ranked.ranked(known, ["x", "noise"], RULES, rankers.Settings(2, 3))


def test_judged_looks_do_not_overlap_and_come_after_all_that_chose(found):
    looks = sorted(found.judged["as_of"].unique())
    assert looks == [day(180), day(240)]
    assert found.choosing["outcome_known_at"].max() < looks[0]


def test_an_order_that_knows_something_is_chosen_and_is_ahead(found):
    assert found.name == rankers.LOGISTIC
    card = ahead.card(found.judged, found.candidates, found.name).set_index("candidate")
    assert card.loc["by_noise", "average_precision_ahead_between"][0] > 0
    assert card.loc[found.name, "average_precision_ahead_between"] == [0.0, 0.0]


def test_scores_of_a_look_stay_when_later_outcomes_are_turned_round(known, found):
    first = found.judged["as_of"].min()
    later = known["outcome_known_at"] >= first
    turned = known.assign(outcome=known["outcome"].where(~later, 1 - known["outcome"]))
    again = ranked.ranked(turned, ["x", "noise"], RULES, rankers.Settings(2, 3))
    name = ahead.score_name(rankers.LOGISTIC)
    one, other = (rows.loc[rows["as_of"] == first, name] for rows in (found.judged, again.judged))
    assert one.to_numpy() == pytest.approx(other.to_numpy(), abs=1e-12)


def test_a_rule_with_a_minus_ranks_the_other_way(known):
    one, other = (rankers.by_rule(known.assign(noise=range(len(known))), r) for r in RULES.values())
    assert (np.diff(one) > 0).all()
    assert (np.diff(other) < 0).all()


def test_chances_are_those_that_came(found):
    told = ranked.calibrated(found).judged
    mean, wins = told["chance"].mean(), told["outcome"].mean()
    assert mean == pytest.approx(wins, abs=0.03)
    assert told["chance"].between(0, 1).all()


def test_parts_of_the_regression_sum_to_its_score(known, found):
    model = ranked.explained(found)
    whole = model.intercept + model.parts(known).sum(axis=1)
    assert expit(whole).to_numpy() == pytest.approx(model.score(known), abs=1e-12)


def test_rows_left_out_by_lot_move_the_level_of_chances_little(known):
    """All that came is kept; the others stand for those left out."""
    whole = rankers.fitted_logistic(known, ["x"], 1.0, rankers.Settings())
    part = rankers.fitted_logistic(known, ["x"], 1.0, rankers.Settings(learned_rows_count=1500))
    assert part.score(known).mean() == pytest.approx(whole.score(known).mean(), rel=0.05)


def test_too_few_who_came_are_refused_in_words(known):
    nobody = known.assign(outcome=0)
    with pytest.raises(InputError, match="looks_count"):
        ranked.ranked(nobody, ["x"], RULES, rankers.Settings())


def test_without_enough_to_choose_by_the_regression_is_taken(known):
    few = known[known["as_of"] >= day(90)]
    found = ranked.ranked(few, ["x", "noise"], RULES, rankers.Settings(2, 3))
    assert found.choosing.empty
    assert found.name == rankers.LOGISTIC
    assert found.c == rankers.Settings().inverse_penalties[0]


@pytest.fixture
def one_look():
    random = np.random.default_rng(5)
    score = random.integers(0, 12, 300) / 4  # many equals
    outcome = (random.random(300) < 0.1 + 0.05 * score).astype("int64")
    return pd.DataFrame({"person_id": range(300), "as_of": day(0), "outcome": outcome,
                         "some_score": score})  # fmt: skip


def test_measures_agree_with_other_libraries(one_look):
    found = ahead.seen(one_look, ["some"]).iloc[0]
    outcome, score = one_look["outcome"].to_numpy(), one_look["some_score"].to_numpy()
    assert found["auc"] == pytest.approx(roc_auc_score(outcome, score))
    assert found["average_precision"] == pytest.approx(average_precision_score(outcome, score))
    assert found["top_10"] == pytest.approx(captured_share(outcome, score, 0.1))
    assert found["top_20"] == pytest.approx(captured_share(outcome, score, 0.2))


def test_to_draw_a_member_twice_is_to_have_its_rows_twice(one_look):
    counts = np.random.default_rng(1).integers(0, 3, len(one_look))
    repeated = one_look.loc[np.repeat(one_look.index, counts)].reset_index(drop=True)
    weighted = ahead.figures(one_look, ["some"], counts[None, :])[0, :, 0]
    assert weighted == pytest.approx(ahead.seen(repeated, ["some"]).iloc[0].to_numpy())


def test_the_order_of_a_file_changes_nothing(one_look):
    mixed = one_look.sample(frac=1, random_state=1).reset_index(drop=True)
    pd.testing.assert_frame_equal(ahead.seen(one_look, ["some"]), ahead.seen(mixed, ["some"]))


def test_looks_count_by_those_who_came_in_them(one_look):
    later = one_look.assign(as_of=day(90), outcome=one_look["outcome"] * (one_look.index < 100))
    both = pd.concat([one_look, later], ignore_index=True)
    table = ahead.by_look(both, ["some"])
    mean = np.average(table["average_precision"], weights=table["brought_count"])
    assert ahead.seen(both, ["some"]).iloc[0]["average_precision"] == pytest.approx(mean)


def test_an_order_without_two_kinds_of_rows_is_refused(one_look):
    with pytest.raises(InputError, match="alike"):
        ahead.seen(one_look.assign(outcome=1), ["some"])


def friends(shares, each, random):
    """Sender s brings `each` friends, the share of it starts well; a friend every 10 days."""
    sender = np.repeat(np.arange(len(shares)), each)
    well = random.random(len(sender)) < np.repeat(shares, each)
    at = START + pd.to_timedelta(10 * np.tile(np.arange(each), len(shares)), unit="D")
    brought = pd.DataFrame({"sender_id": sender, "person_id": np.arange(len(sender)) + 1000})
    brought = brought.assign(occurred_at=at, known_at=at)
    did = brought.loc[well, ["person_id", "occurred_at", "known_at"]]
    days = ["occurred_at", "known_at"]
    return brought, did.assign(**{name: did[name] + pd.Timedelta(days=5) for name in days})


def test_a_good_start_counts_only_once_its_days_are_over():
    brought, did = friends(np.ones(3), 4, np.random.default_rng(0))
    started = quality.starts(brought, did, 20.0, day(35))
    assert set(started["due_at"]) == {day(20), day(30)}
    assert started["well"].all()
    late = did.assign(known_at=day(400))
    assert not quality.starts(brought, late, 20.0, day(35))["well"].any()


def test_who_brings_better_friends_is_seen_where_some_do_and_not_where_none_does():
    random = np.random.default_rng(4)
    for shares, again in ((np.repeat([0.1, 0.8], 40), True), (np.full(80, 0.4), False)):
        brought, did = friends(shares, 12, random)
        started = quality.starts(brought, did, 20.0, day(400))
        kept = quality.persistence(started, [day(75)])
        assert (kept["measures"][0]["low"] > 0) == again
        assert (quality.alike(started)["low"] > 0) == again


def test_few_friends_say_little_of_who_brought_them():
    brought, did = friends(np.repeat([0.1, 0.8], 40), 6, np.random.default_rng(2))
    started = quality.starts(brought, did, 20.0, day(400))
    one = started[started["sender_id"] > 0]
    lone = pd.concat([one, started[started["sender_id"] == 0].head(1)])
    table = quality.records(lone).set_index("sender_id")
    assert table.loc[0, "friends_count"] == 1
    away = (table["drawn_share"] - table["drawn_share"].mean()).abs()
    assert away[0] < away.max()
    assert table["drawn_share"].between(0, 1).all()


def test_nobody_with_friends_on_both_sides_is_no_answer():
    brought, did = friends(np.full(5, 0.5), 3, np.random.default_rng(0))
    assert quality.persistence(quality.starts(brought, did, 20.0, day(400)), [day(10)]) is None
