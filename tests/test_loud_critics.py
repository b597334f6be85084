"""Who is persistently negative: the rule, step by step, and whom it finds in simulated worlds."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import beta as beta_law
from sklearn.metrics import roc_auc_score

from critic_worlds import RULE, START, UNTIL, found, model, people, ruled, step, texts, world
from tierwise import shrinkage, shrinkage_kinds
from tierwise.customers import critics_measured as cm
from tierwise.customers import loud_critics as lc
from tierwise.files import InputError

LOUD = "-+--+--+--" * 3


def test_somebody_negative_week_after_week_is_on_the_list():
    result = ruled(texts(1, LOUD))
    assert step(result, 1) == lc.LISTED
    assert list(lc.listed(result)["person_id"]) == [1]
    row = result.people.set_index("person_id").loc[1]
    assert (row["texts_count"], row["negative_count"], row["weeks_count"]) == (30, 21, 21)
    assert result.limit < row["share"] < 21 / 30


def test_one_bad_week_makes_no_critic():
    quiet, bad = "+" * 12, "-" * 12
    weeks = [*range(12), *[20] * 12]
    assert step(ruled(texts(1, quiet + bad, weeks)), 1) == lc.WEEKS
    slips = "+--" + "+" * 9
    assert step(ruled(texts(1, slips + bad, weeks)), 1) == lc.BAD_WEEK


@pytest.mark.parametrize(
    ("pattern", "top", "expected"),
    [
        (LOUD, tuple(range(2, 12)), lc.TOP),
        ("-+---+-", (1,), lc.TEXTS),
        ("-?-??-+?-?-+", (1,), lc.TEXTS),  # 8 with a chance would do, 7 have one
        ("++++-++++++++++-", (1,), lc.SHARE),
    ],
)
def test_the_first_step_that_is_missed_is_named(pattern, top, expected):
    assert step(ruled(texts(1, pattern), top=top), 1) == expected


def test_more_negative_texts_never_take_anybody_off_the_list():
    for count in (8, 15, 29):
        share = [
            ruled(texts(1, "-" * k + "+" * (count - k))).people.set_index("person_id").loc[1]
            for k in (count // 2, count // 2 + 1)
        ]
        assert share[1]["chance_above"] >= share[0]["chance_above"] - 1e-9


def test_a_text_sent_twice_in_a_week_counts_once():
    same = {"person_id": 1, "language": "en", "text": "awful service, never again"}
    at = [START + pd.Timedelta(hours=one) for one in (1, 2, 3, 24 * 8)]
    rows = [
        same | {"message_id": f"m{n}", "occurred_at": t, "known_at": t} for n, t in enumerate(at)
    ]
    judged = lc.judged(model(), pd.DataFrame(rows), UNTIL, 400.0)
    assert list(judged["message_id"]) == ["m0", "m3"]
    assert judged["negative"].all()


def test_weeks_begin_on_monday_and_old_or_unknown_messages_do_not_count():
    sunday, monday = pd.Timestamp("2024-03-03 23:59"), pd.Timestamp("2024-03-04 00:00")
    rows = pd.DataFrame(
        {
            "message_id": ["a", "b", "c", "d"],
            "person_id": 1,
            "language": "en",
            "text": ["one", "two", "three", "four"],
            "occurred_at": [sunday, monday, monday, START - pd.Timedelta(days=400)],
            "known_at": [sunday, monday, UNTIL, START],
        }
    )
    judged = lc.judged(model(), rows, UNTIL, 365.0)
    assert list(judged["message_id"]) == ["a", "b"]
    assert judged["week"][1] == judged["week"][0] + 1


def test_who_may_be_contacted_is_what_was_known_last():
    changed = pd.DataFrame(
        {
            "person_id": [1, 1, 1, 2],
            "known_at": [START, START + pd.Timedelta(days=9), UNTIL, START],
            "may_contact": [True, False, True, True],
        }
    )
    told = lc.contactable(changed, pd.Index([1, 2, 3]), UNTIL)
    assert list(told) == [False, True, False]  # 3: nothing is known


def test_the_most_active_have_points_and_equals_stand_together():
    earned = pd.Series([0.0, 5, 5, 5, 1, 2, 3, 4, 0, 4, 1])
    assert lc.most_active(earned, 0.1).sum() == 3
    assert not lc.most_active(pd.Series([0.0, 0.0]), 0.5).any()
    assert lc.most_active(earned, 1.0).sum() == 9


def test_steps_only_lose_people_and_end_with_the_list():
    result = found()
    steps = lc.funnel(result)
    counts = list(steps["people_count"])
    assert counts == sorted(counts, reverse=True)
    assert counts[-1] == len(lc.listed(result))
    assert counts[0] == len(result.people) == counts[-1] + steps["left_out_count"].sum()


def test_nobody_can_be_compared_where_nobody_writes():
    one = texts(1, "----")
    earned = pd.Series([1.0], index=pd.Index([1], name="person_id"))
    with pytest.raises(InputError, match="it takes 2 to compare"):
        lc.ruled(one, people([1]), earned, UNTIL, RULE)
    with pytest.raises(InputError, match=r"rules\.certainty"):
        lc.rules({"certainty": 0.3})
    with pytest.raises(InputError, match=r"rules\.least"):
        lc.rules({"least": 3})


def test_the_future_changes_nothing():
    tables, _, _ = world(0, 0.08)
    early = pd.Timestamp("2023-10-01")
    past = {name: rows[rows["known_at"] < early] for name, rows in tables.items()}
    earned = pd.Series(1.0, index=pd.Index(np.unique(past["customer_events"]["person_id"])))
    earned.index.name = "person_id"
    both = [lc.found(model(), given, earned, early, RULE).people for given in (tables, past)]
    pd.testing.assert_frame_equal(*both)


def loud_of(seed, critics_share):
    return world(seed, critics_share)[1]["critics"].set_index("person_id")["loud"]


def test_simulated_critics_are_found_and_others_left_in_peace():
    known = cm.against(found(), loud_of(0, 0.08), 12)
    assert known["auc"] > 0.94
    assert known["precision"] >= 0.8
    assert known["precision_count"] >= 6
    assert known["recall"] > 0.25


def test_without_critics_nobody_is_on_the_list():
    assert len(lc.listed(found(1, 0.0))) < 2
    known = cm.against(found(1, 0.0), loud_of(1, 0.0), 12)
    assert np.isnan(known["auc"])
    assert known["recall_count"] == 0


def test_against_the_truth_counts_what_it_says():
    result = ruled(texts(1, LOUD), texts(2, LOUD), texts(3, "--"), top=(1, 2, 3))
    loud = pd.Series([True, False, True], index=[1, 2, 3])
    known = cm.against(result, loud, RULE.least_texts)
    assert (known["precision"], known["recall"], known["recall_all"]) == (0.5, 1.0, 0.5)
    assert known["missed"][lc.TEXTS] == 1
    assert known["auc"] == roc_auc_score([1, *[0] * 61], [1, 1, *[0] * 60])
    assert cm.against(result, None, 8) is None
    assert cm.truth(None) is None


def test_reviews_decide_the_status_and_a_no_to_contact_stays(tmp_path):
    path = tmp_path / "reviews.csv"
    path.write_text("person_id,critic\n1,no\n1,yes\n2,no\n4,yes\n")
    listed = pd.DataFrame({"person_id": [1, 2, 3, 4], "may_contact": [True, True, True, False]})
    told = cm.with_status(listed, cm.reviews(path))
    assert list(told["status"]) == [cm.YES, cm.NO, cm.UNREAD, cm.LEFT_ALONE]
    checked = cm.confirmed(listed, cm.reviews(path))
    assert (checked["read_count"], checked["share"]) == (3, 2 / 3)
    assert set(cm.with_status(listed, cm.reviews(None))["status"]) == {cm.UNREAD, cm.LEFT_ALONE}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("person,critic\n1,yes\n", "needs the columns person_id and critic"),
        ("person_id,critic\n1,yes\n2,maybe\n", "line 3: .* not '2' and 'maybe'"),
        ("person_id,critic\nAnna,yes\n", "line 2"),
    ],
)
def test_reviews_that_cannot_be_used_are_refused(tmp_path, content, message):
    path = tmp_path / "reviews.csv"
    path.write_text(content)
    with pytest.raises(InputError, match=message):
        cm.reviews(path)
    with pytest.raises(InputError, match="is missing"):
        cm.reviews(tmp_path / "none.csv")


def counts(rng, people_count, high_share, texts_each=25):
    high = rng.random(people_count) < high_share
    share = np.where(high, rng.beta(15, 15, people_count), rng.beta(6, 54, people_count))
    n = rng.integers(3, 2 * texts_each, people_count).astype("float64")
    return rng.binomial(n.astype(int), share).astype("float64"), n, high


def test_two_kinds_of_people_are_found_where_there_are_two():
    k, n, high = counts(np.random.default_rng(5), 1500, 0.06)
    kinds = shrinkage_kinds.prior(k, n)
    assert kinds.chance > 0.999
    assert kinds.high.mean == pytest.approx(0.5, abs=0.06)
    assert kinds.low.mean == pytest.approx(0.1, abs=0.01)
    assert kinds.weight == pytest.approx(high.mean(), abs=0.02)
    one = shrinkage.shrunk_shares(k, n)["share"]
    two = shrinkage_kinds.shrunk_shares(k, n, kinds)["share"]
    truth = np.where(high, 0.5, 0.1)
    assert ((two - truth) ** 2)[high].mean() < ((one - truth) ** 2)[high].mean()


def test_where_there_is_one_kind_shares_are_those_of_plain_shrinkage():
    chances = []
    for seed in range(3):
        k, n, _ = counts(np.random.default_rng(seed), 300, 0.0)
        kinds = shrinkage_kinds.prior(k, n)
        chances.append(kinds.chance)
        plain = shrinkage.shrunk_shares(k, n)[["share", "low", "high"]]
        alone = shrinkage_kinds.Kinds(kinds.one, kinds.low, kinds.high, kinds.weight, 0.0)
        assert np.allclose(shrinkage_kinds.shrunk_shares(k, n, alone), plain, atol=1e-9)
        near = shrinkage_kinds.shrunk_shares(k, n, kinds)["share"] - plain["share"]
        assert near.abs().max() <= kinds.chance
    assert np.median(chances) < 1e-3


def test_a_single_odd_person_makes_no_kind():
    k, n = np.r_[np.zeros(99), 20.0], np.full(100, 20.0)
    assert shrinkage_kinds.prior(k, n).chance < 0.01


def test_quantiles_and_chances_above_a_limit_are_those_of_the_mixture():
    low, high = shrinkage.BetaPrior(2.0, 18.0), shrinkage.BetaPrior(5.0, 5.0)
    kinds = shrinkage_kinds.Kinds(shrinkage.BetaPrior(2.0, 8.0), low, high, 0.1, 0.7)
    k, n = np.array([0.0, 4.0, 9.0]), np.array([0.0, 10.0, 12.0])
    told = shrinkage_kinds.shrunk_shares(k, n, kinds, 0.8)
    laws, chances = shrinkage_kinds.parts(k, n, kinds)
    assert chances[0] == pytest.approx([0.3, 0.63, 0.07])
    assert chances.sum(axis=1) == pytest.approx(1)
    assert (np.diff(chances[:, 2]) > 0).all()
    for at in range(3):
        below = sum(
            chances[at, one] * beta_law.cdf(told["low"][at], law.a + k[at], law.b + n[at] - k[at])
            for one, law in enumerate(laws)
        )
        assert below == pytest.approx(0.1, abs=1e-9)
    assert shrinkage_kinds.above(k, n, kinds, told["high"].to_numpy()) == pytest.approx(0.1)
