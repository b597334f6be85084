"""Signs of fraud: rings are flagged, offices are not, one column convicts nobody, time holds."""

import json
from functools import cache

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binom, norm

import fraud_worlds as fw
from fraud_worlds import AS_OF, DAY, HOUR, RULES, Company
from tierwise.files import InputError
from tierwise.referral_fraud import circles, claims, evidence, found, groups, settings, signs
from tierwise.referral_fraud import facts as fc

ASKED = settings.asked({})
AT = pd.Timestamp("2025-09-10 14:00")


def looked(company, as_of=AS_OF, asked=ASKED, read=None):
    tables = company if isinstance(company, dict) else company.tables()
    return found.look(tables, fw.credited(tables, as_of), as_of, RULES, asked, read)


@cache
def usual():
    return looked(Company())


@cache
def with_rings():
    company = Company()
    fraud = {
        "cycle": fw.cycle(company, 9000, AT),
        "burst": fw.burst(company, 9100, AT + 30 * DAY),
        "puppets": fw.burst(company, 9200, AT + 60 * DAY, minutes=25, address_id="home9200"),
    }
    company.member(9300, AT + 80 * DAY)
    fraud["payment"] = [
        company.bring(9300, 9301 + n, AT + 81 * DAY + n * HOUR, active=False, payment_id="card")
        for n in range(6)
    ]
    return looked(company), fraud


def flagged(result):
    return set(result.flags["person_id"])


def weight(result, friend, sign):
    at = result.rows.index[result.rows["friend_id"] == friend][0]
    return result.weights.loc[at, sign]


# Who is flagged


def test_in_a_company_without_rings_nobody_is_flagged():
    result = usual()
    assert len(result.credited) == 148
    assert result.flags.empty
    assert result.groups.empty


@pytest.mark.parametrize("kind", ["cycle", "burst", "puppets", "payment"])
def test_every_credited_member_of_a_planted_ring_is_flagged(kind):
    result, fraud = with_rings()
    credited = set(result.credited["friend_id"]) & set(fraud[kind])
    assert credited
    assert credited <= flagged(result)


def test_nobody_honest_is_flagged_beside_rings():
    result, fraud = with_rings()
    assert flagged(result) <= {friend for ring in fraud.values() for friend in ring}


def test_each_ring_is_one_group_and_the_largest_stands_first():
    result, fraud = with_rings()
    group_of = result.flags.set_index("person_id")["group_id"]
    for ring in fraud.values():
        assert group_of.reindex(ring).dropna().nunique() == 1
    assert result.groups["group_id"].is_unique
    assert result.groups["score"].is_monotonic_decreasing
    assert set(result.groups["group_id"]) == set(result.flags["group_id"])


def test_claims_that_the_rules_refused_are_not_flagged_but_speak_against_their_sender():
    result, fraud = with_rings()
    refused = result.rows[~result.rows["is_credited"]]
    assert set(refused["friend_id"]) <= set(fraud["payment"])
    assert len(refused) == 5
    assert not set(refused["friend_id"]) & flagged(result)
    assert weight(result, 9301, "blocked") == ASKED.cap


@pytest.mark.parametrize("host", ["office", "dormitory"])
def test_an_office_is_left_alone(host):
    """One address, devices of their own, days apart, and they come back."""
    company = Company()
    gap = {"office": 3 * DAY, "dormitory": 31 * HOUR}[host]
    company.member(9000, AT - 40 * DAY, address_id="house")
    times = [AT + n * gap + (5 * n % 7) * HOUR for n in range(9)]
    people = [company.bring(9000, 9001 + n, at, address_id="house") for n, at in enumerate(times)]
    result = looked(company)
    assert not flagged(result) & set(people)
    assert all(weight(result, one, "same_address") == 0 for one in people)


def test_one_silent_colleague_of_an_office_is_left_alone_too():
    company = Company()
    company.member(9000, AT - 40 * DAY, address_id="house")
    for n in range(8):
        at = AT + (48 * n + 7 * n % 11) * HOUR
        company.bring(9000, 9001 + n, at, active=n != 4, address_id="house")
    assert not flagged(looked(company))


def test_a_family_that_shares_a_payment_but_lives_is_left_alone():
    company = Company()
    company.member(9000, AT - 40 * DAY, payment_id="card")
    company.bring(9000, 9001, AT, payment_id="card")  # refused: same payment
    company.bring(9000, 9002, AT + 9 * DAY)
    assert not flagged(looked(company))


def test_no_family_of_signs_alone_reaches_the_threshold():
    result, _ = with_rings()
    family = pd.Series(signs.FAMILIES)
    by_family = result.weights.T.groupby(family).sum().T
    assert by_family.to_numpy().max() <= ASKED.cap + 1e-9
    assert ASKED.cap < ASKED.threshold
    positive = (by_family[result.rows["group_id"].notna()] > 0).sum(axis=1)
    assert positive.min() >= 2


def test_a_silent_friend_alone_is_not_flagged():
    company = Company()
    company.member(9000, AT - 60 * DAY)
    company.bring(9000, 9001, AT, active=False)
    result = looked(company)
    assert weight(result, 9001, "silent") > 2
    assert not flagged(result)


def test_a_burst_of_friends_who_come_back_is_not_flagged():
    company = Company()
    company.member(9000, AT - 60 * DAY)
    friends = [company.bring(9000, 9001 + n, AT + n * HOUR / 10) for n in range(5)]
    result = looked(company)
    assert weight(result, friends[2], "burst") == ASKED.cap
    assert not flagged(result)


# What was known


def test_what_is_learned_later_changes_nothing_of_an_earlier_morning():
    company = Company()
    fw.burst(company, 9100, AT)
    as_of = AT + 20 * DAY
    before = looked(company, as_of)
    fw.cycle(company, 9000, as_of)
    company.rows["members"][0]["known_at"] = as_of
    company.bring(9100, 9150, as_of + DAY, device_id="device9101", active=False)
    late = company.tables()
    cut = {name: rows[rows["known_at"] < as_of] for name, rows in late.items()}
    after, known = looked(late, as_of), looked(cut, as_of)
    pd.testing.assert_frame_equal(after.flags, known.flags)
    assert flagged(after) == flagged(before)


def test_nobody_is_silent_before_the_days_are_over():
    company = Company()
    fw.burst(company, 9100, AT)
    soon, later = looked(company, AT + 10 * DAY), looked(company, AT + 20 * DAY)
    assert soon.rows["is_silent"].sum() < later.rows["is_silent"].sum()
    assert weight(soon, 9103, "silent") == 0
    assert weight(later, 9103, "silent") > 0
    assert weight(soon, 9103, "active") == 0


def test_evidence_was_known_before_the_flag_and_is_in_words():
    result, _ = with_rings()
    for row in result.flags.itertuples():
        pieces = json.loads(row.evidence)
        assert sum(one["weight"] for one in pieces) == pytest.approx(row.score, abs=0.05)
        assert [one["weight"] for one in pieces] == sorted(
            (one["weight"] for one in pieces), reverse=True
        )
        for one in pieces:
            assert pd.Timestamp(one["known_at"]) < AS_OF
            assert len(one["words"].split()) > 5
            assert "nan" not in one["words"]


def test_order_of_rows_changes_nothing():
    company = Company()
    fw.burst(company, 9100, AT)
    fw.cycle(company, 9000, AT + 9 * DAY)
    tables = company.tables()
    mixed = {name: rows.sample(frac=1, random_state=5) for name, rows in tables.items()}
    pd.testing.assert_frame_equal(looked(tables).flags, looked(mixed).flags)


def test_no_claims_no_flags():
    tables = Company(with_friends=False).tables()
    result = looked(tables)
    assert result.flags.empty
    assert list(result.flags.columns) == list(found.FLAG_KINDS)
    assert result.rows.empty


# Single facts


def test_the_most_sign_ups_of_an_hour_are_counted_by_hand():
    minutes = [0, 30, 59, 61, 200, 259, 261]
    at = AT + pd.to_timedelta(minutes, unit="min")
    rows = pd.DataFrame({"sender_id": 1, "friend_id": range(7), "occurred_at": at, "known_at": at})
    assert list(fc.in_an_hour(rows)["hour_count"]) == [3, 3, 3, 3, 2, 2, 2]
    assert fc.in_an_hour(rows)["hour_at"].iloc[0] == at[2]
    assert fc.in_an_hour(rows)["hour_at"].iloc[3] == at[3]


def test_an_hour_counts_one_sender_only():
    rows = pd.DataFrame({"sender_id": [1, 2, 1], "friend_id": [5, 6, 7]})
    rows["occurred_at"] = rows["known_at"] = AT + pd.to_timedelta([0, 1, 2], unit="min")
    assert list(fc.in_an_hour(rows)["hour_count"]) == [2, 1, 2]


def test_hours_are_together_when_they_are_the_same_even_around_midnight():
    def length(hours):
        vector = fc.vector(np.array(hours))
        return np.hypot(vector["x"].mean(), vector["y"].mean())

    assert length([23.5, 0.5, 0.0]) > 0.98
    assert length([0, 6, 12, 18]) == pytest.approx(0, abs=1e-9)


def test_a_circle_closes_through_the_device_of_another_account():
    """1 brings 2, 2 brings 3, and 3 brings 4, an account on the device of 1."""
    company = Company(with_friends=False)
    company.member(9001, AT)
    company.bring(9001, 9002, AT + DAY)
    company.bring(9002, 9003, AT + 2 * DAY)
    company.bring(9003, 9004, AT + 3 * DAY, device_id="device9001")
    tables = company.tables()
    rows = claims.claims(tables, fw.credited(tables), AS_OF, RULES)
    told = circles.circles(tables, rows, AS_OF, 4)
    assert set(told["circle_count"]) == {3}
    assert not circles.circles(tables, rows, AS_OF, 2)["circle_count"].any()
    early = AT + 2.5 * DAY
    rows = claims.claims(tables, fw.credited(tables, early), early, RULES)
    assert not circles.circles(tables, rows, early, 4)["circle_count"].any()


def test_a_sender_who_tries_the_link_of_its_friend_makes_no_circle():
    company = Company(with_friends=False)
    row = company.member(9001, AT)
    company.bring(9001, 9002, AT + DAY)
    company.click(9002, row, AT + 2 * DAY)
    tables = company.tables()
    rows = claims.claims(tables, fw.credited(tables), AS_OF, RULES)
    assert not circles.circles(tables, rows, AS_OF, 12)["circle_count"].any()


def test_a_refused_claim_belongs_to_the_sender_whose_code_or_last_link_was_used():
    company = Company(with_friends=False)
    for sender in (9001, 9002):
        company.member(sender, AT + sender * HOUR / 100)
    row = (
        company.bring(9001, 9003, AT + 9 * DAY, device_id="device9001")
        and company.rows["members"][-1]
    )
    company.click(9002, row, AT + 8 * DAY)
    tables = company.tables()
    rows = claims.claims(tables, fw.credited(tables), AS_OF, RULES)
    one = rows[rows["friend_id"] == 9003].iloc[0]
    assert one["sender_id"] in (9001, 9002)
    tables["members"].loc[tables["members"]["person_id"] == 9003, "code"] = " L9002 "
    people = tables["members"].set_index("person_id")
    whose = claims.senders(tables, people, pd.Series([9003]), AS_OF, RULES)
    assert whose[9003] == 9002


# Weights


def test_spread_is_hardly_moved_by_a_tenth_of_quick_ones():
    random = np.random.default_rng(1)
    honest = np.exp(random.normal(5, 1, 4000))
    quick = np.full(400, 0.2)
    middle, width = signs.spread(pd.Series(honest))
    moved = signs.spread(pd.Series(np.r_[honest, quick]))
    assert middle == pytest.approx(5, abs=0.05)
    assert width == pytest.approx(1, abs=0.06)
    assert moved[0] == pytest.approx(middle, abs=0.2)
    assert norm.cdf((np.log(0.2) - moved[0]) / moved[1]) < 1e-6


def test_too_few_senders_make_no_time_unusual():
    assert signs.spread(pd.Series([1.0] * 19)) == (0.0, float("inf"))


def test_what_a_p_value_speaks_is_the_bound_of_sellke_bayarri_and_berger():
    """Their table: p = 0.05, 0.01, 0.001 give odds of at least 0.407, 0.125, 0.0188."""
    told = signs.spoken(np.array([0.05, 0.01, 0.001]), seldom_share=0.2)
    assert np.exp(-told) == pytest.approx([0.407, 0.125, 0.0188], rel=0.005)
    assert list(signs.spoken(np.array([0.02, 0.5, 1.0]), 0.01)) == [0, 0, 0]
    assert (np.diff(signs.spoken(np.array([1e-9, 1e-5, 1e-3, 9e-3]), 0.01)) < 0).all()


def test_refused_claims_weigh_by_the_binomial_distribution():
    rows, known = with_rings()[0].rows, with_rings()[0].usual
    told = signs.p_values(rows, known)["blocked"]
    at = rows.index[rows["friend_id"] == 9301][0]
    assert told[at] == pytest.approx(binom.sf(4, 5, known.shares["blocked"]))
    assert (told[rows["blocked_count"] == 0] == 1).all()


def test_the_threshold_follows_from_the_costs():
    assert ASKED.threshold == pytest.approx(np.log(0.97 / 0.03))
    dearer = settings.asked({"false_flag_eur": 16.0})
    assert dearer.threshold == pytest.approx(ASKED.threshold + np.log(2))


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"cap": 4.0}, "one kind of sign alone"),
        ({"fraud_share": 0.3}, "one kind of sign alone"),
        ({"cap": -1.0}, "cap"),
        ({"second_day": 3.0}, "second_day"),
        ({"shown_by_fraud": {"silent": 1.0}}, "silent"),
    ],
)
def test_settings_that_cannot_be_are_refused(given, words):
    with pytest.raises(InputError, match=words):
        settings.asked(given)


def test_groups_join_by_a_common_person_only():
    rows = pd.DataFrame({"sender_id": [1, 2, 3, 7, 9], "friend_id": [2, 3, 4, 8, 8]})
    rows = rows.assign(friend_id=[2, 3, 4, 8, 10])
    who = pd.Series(range(11), range(11))
    is_flagged = pd.Series([True, True, False, True, True])
    found_groups = groups.group_ids(rows, is_flagged, who)
    assert found_groups.tolist() == [2, 2, pd.NA, 8, 10]
    who[7] = who[9]  # one person with two accounts
    assert groups.group_ids(rows, is_flagged, who).tolist()[3:] == [8, 8]


@pytest.mark.parametrize(
    ("hours", "words"),
    [(0.001, "1 minute"), (0.5, "30 minutes"), (1, "1 hour"), (30, "30 hours"), (240, "10 days")],
)
def test_spans_are_said_as_people_say_them(hours, words):
    assert evidence.span(hours) == words
