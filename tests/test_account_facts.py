"""Facts say what the tables say, counted here a second time and row by row."""

from dataclasses import replace
from functools import cache
from statistics import median

import numpy as np
import pandas as pd
import pytest

import brief_world as bw
from tierwise.account_tables import LEVELS
from tierwise.briefs import facts as account_facts
from tierwise.briefs.facts import candidates, chosen
from tierwise.briefs.measures import MEASURES, PAST, PEERS, Told, of_shares
from tierwise.briefs.settings import Case, Settings

YEAR, SEASON = pd.Timedelta(days=365), pd.Timedelta(days=90)


@cache
def rows(table):
    """Known, first copies, nobody who opted out."""
    return bw.prepared().tables[table].to_dict("records")


@cache
def every():
    """account_id -> all its facts"""
    return {one: candidates(bw.prepared().ground, one) for one in bw.prepared().customers.tolist()}


def facts_of(metric, against):
    """account_id -> Told"""
    return {
        account_id: one.told
        for account_id, facts in every().items()
        for one in facts
        if (one.metric, one.case.against) == (metric, against)
    }


def last(account_id, column, before=bw.AS_OF, since=pd.Timestamp.min):
    """The last known value of a company, None without one."""
    told = [
        row[column]
        for row in rows("accounts")
        if row["account_id"] == account_id
        and since <= row["known_at"] < before
        and not pd.isna(row[column])
    ]
    return told[-1] if told else None


def kind_of(account_id):
    industry, people = last(account_id, "industry"), last(account_id, "employees_count")
    if industry is None or people is None:
        return None
    return industry, sum(people >= band for band in bw.SETTINGS.size_bands)


@pytest.fixture(scope="module")
def peers():
    """account_id -> its peers"""
    kinds = {one: kind_of(one) for one in every()}
    return {
        one: [other for other in kinds if other != one and kinds[other] == kind]
        for one, kind in kinds.items()
        if kind
    }


def grown(account_id, back=0):
    begin, end = bw.AS_OF - (back + 1) * YEAR, bw.AS_OF - back * YEAR
    now = last(account_id, "employees_count", end, begin)
    before = last(account_id, "employees_count", begin)
    return None if now is None or before is None else now / before - 1


def test_growth_is_the_headcount_against_a_year_ago(peers):
    told = facts_of("growth", PEERS) | facts_of("growth", PAST)
    for account_id, one in facts_of("growth", PEERS).items():
        others = [grown(other) for other in peers[account_id] if grown(other) is not None]
        assert one.value == pytest.approx(grown(account_id))
        assert (one.other, one.others_count) == (pytest.approx(median(others)), len(others))
    for account_id, one in facts_of("growth", PAST).items():
        assert one.value == pytest.approx(grown(account_id))
        assert one.other == pytest.approx(grown(account_id, 1))
    assert len(told) > 5


def total(table, column, account_id, span, back=0):
    begin, end = bw.AS_OF - (back + 1) * span, bw.AS_OF - back * span
    return sum(
        row[column]
        for row in rows(table)
        if row["account_id"] == account_id and begin <= row["occurred_at"] < end
    )


def test_use_is_counted_per_day(peers):
    def per_day(one, back=0):
        return total("product_use", "actions_count", one, SEASON, back) / 90

    for account_id, one in facts_of("use", PEERS).items():
        assert one.value == pytest.approx(per_day(account_id))
        assert one.other == pytest.approx(median(per_day(other) for other in peers[account_id]))
        assert one.others_count == len(peers[account_id])
    past = facts_of("use", PAST)
    for account_id, one in past.items():
        assert (one.value, one.other) == pytest.approx(
            (per_day(account_id), per_day(account_id, 1))
        )
    assert len(past) > 5


def test_benchmark_is_spend_per_employee_among_those_that_spent(peers):
    def each(one, back=0):
        people = last(one, "employees_count")
        return total("spend", "amount_eur", one, YEAR, back) / people if people else 0.0

    told = facts_of("benchmark", PEERS)
    for account_id, one in told.items():
        others = [each(other) for other in peers[account_id] if each(other) > 0]
        place = 1 + sum(other > each(account_id) for other in others)
        assert one.value == pytest.approx(each(account_id))
        assert one.other == pytest.approx(median(others))
        assert f"place {place} of {len(others) + 1} among" in one.sentence
    for account_id, one in facts_of("benchmark", PAST).items():
        assert (one.value, one.other) == pytest.approx((each(account_id), each(account_id, 1)))
    assert told


def left(account_ids, back=0, function=None):
    """Leavers and people there when a year began, of these accounts."""
    begin, end = bw.AS_OF - (back + 1) * YEAR, bw.AS_OF - back * YEAR
    latest = {row["position_id"]: row for row in rows("positions")}

    def held(row, at):
        return row["occurred_at"] < at and (pd.isna(row["ended_at"]) or row["ended_at"] >= at)

    inside = [row for row in latest.values() if row["account_id"] in account_ids]
    first = {
        (row["account_id"], row["person_id"])
        for row in inside
        if held(row, begin) and function in (None, row["function"])
    }
    stayed = {(row["account_id"], row["person_id"]) for row in inside if held(row, end)}
    return len(first - stayed), len(first)


@pytest.mark.parametrize(
    ("metric", "function"), [("attrition", None), ("recruiters", "recruiting")]
)
def test_attrition_follows_those_who_were_there_a_year_ago(peers, metric, function):
    for against in (PEERS, PAST):
        told = facts_of(metric, against)
        for account_id, one in told.items():
            some, all_there = left([account_id], 0, function)
            others = peers[account_id] if against == PEERS else [account_id]
            other_some, other_every = left(others, int(against == PAST), function)
            assert one.value == pytest.approx(some / all_there)
            assert one.other == pytest.approx(other_some / other_every)
            assert one.sentence.startswith(f"{some} of {all_there:,} ")
        assert told


def test_hiring_counts_who_came_anew_and_not_who_changed_seats(peers):
    first = {}
    for row in rows("positions"):
        first.setdefault(row["position_id"], row)
    hires, seen = [], set()
    for row in sorted(first.values(), key=lambda one: (one["occurred_at"], one["known_at"])):
        if (row["account_id"], row["person_id"]) not in seen:
            hires.append(row)
        seen.add((row["account_id"], row["person_id"]))

    def shares(account_ids, words, back=0):
        begin, end = bw.AS_OF - (back + 1) * YEAR, bw.AS_OF - back * YEAR
        inside = [
            row
            for row in hires
            if row["account_id"] in account_ids and begin <= row["occurred_at"] < end
        ]
        leading = words == "in leading roles"
        known = [row["level" if leading else "function"] for row in inside]
        known = [one for one in known if isinstance(one, str)]
        wanted = LEVELS[2:] if leading else (words.removeprefix("for "),)
        return sum(one in wanted for one in known), len(known)

    for against in (PEERS, PAST):
        told = facts_of("hiring", against)
        for account_id, one in told.items():
            words = one.sentence.partition(" hires in a year were ")[2].partition(" (")[0]
            others = peers[account_id] if against == PEERS else [account_id]
            some, hired = shares([account_id], words)
            other_some, other_every = shares(others, words, int(against == PAST))
            assert one.sentence.startswith(f"{some} of {hired} hires")
            assert (one.value, one.other) == pytest.approx((some / hired, other_some / other_every))
        assert told


def test_a_fact_is_the_same_from_its_records_alone():
    seen = 0
    for account_id, facts in every().items():
        for one in facts:
            assert sum(map(len, one.cited.values()))
            own = {name: bw.prepared().tables[name].iloc[at] for name, at in one.cited.items()}
            others = bw.prepared().ground.peers.get(account_id, np.zeros(0, "int64"))
            again = MEASURES[one.metric](own, one.case, others)
            assert again.sentence == one.told.sentence
            assert again.standardised == pytest.approx(one.told.standardised)
            seen += 1
    assert seen > 60


def test_too_few_peers_are_no_comparison():
    one = bw.prepare(bw.drawn(), replace(bw.SETTINGS, peers_least_count=25))
    for account_id in every():
        assert not [f for f in candidates(one.ground, account_id) if f.case.against == PEERS]


def test_what_is_older_than_its_limit_is_not_told():
    limits = dict.fromkeys(Settings().limit_days, 20.0)
    one = bw.prepare(bw.drawn(), replace(bw.SETTINGS, limit_days=limits))
    told, all_told = 0, 0
    for account_id in every():
        fresh = candidates(one.ground, account_id)
        assert all(fact.newest >= bw.AS_OF - pd.Timedelta(days=20) for fact in fresh)
        known = every()[account_id]
        young = [fact for fact in known if fact.newest >= bw.AS_OF - pd.Timedelta(days=20)]
        assert [fact.told for fact in fresh] == [fact.told for fact in young]
        told, all_told = told + len(fresh), all_told + len(known)
    assert 0 < told < all_told


def test_the_weightiest_fact_of_each_topic_is_told_first():
    for account_id in every():
        known = every()[account_id]
        story = chosen(known, bw.SETTINGS)
        assert [one.weight for one in story] == sorted((one.weight for one in story), reverse=True)
        assert len({one.topic for one in story}) == len(story) <= 5
        assert len(story) >= min(3, len({one.topic for one in known}))
        for place, one in enumerate(story):
            assert one.weight == max(f.weight for f in known if f.topic == one.topic)
            assert place < 3 or abs(one.told.standardised) >= 1


@pytest.mark.parametrize("topic", list(Settings().stakes))
def test_a_topic_at_which_nothing_is_at_stake_comes_last(topic):
    settings = replace(bw.SETTINGS, stakes=Settings().stakes | {topic: 0.0}, notable_size=0.0)
    stories = []
    for facts in every().values():
        told = [replace(one, case=replace(one.case, settings=settings)) for one in facts]
        stories.append([one.topic for one in chosen(told, settings)])
    assert all(topic not in story[:-1] for story in stories)
    assert any(topic in story for story in stories)


def told_of(own, other, against=PAST, others_count=0):
    case = Case(1, bw.AS_OF, against, Settings())
    return of_shares(
        case, np.arange(others_count), [own, other], 8, "hires in a year were for sales"
    )


def test_a_share_of_few_is_not_told():
    assert told_of((1, 7), (10, 100)) is None
    assert told_of((1, 8), (1, 7)) is None
    assert told_of((1, 8), (1, 80), PEERS, 7) is None
    assert isinstance(told_of((1, 8), (1, 80), PEERS, 8), Told)


def test_a_share_is_standardised_by_the_spread_of_two_shares():
    one = told_of((30, 100), (20, 100))
    pooled = 51 / 202
    assert one.standardised == pytest.approx(0.1 / np.sqrt(pooled * (1 - pooled) * 0.02))
    assert one.sentence == (
        "30 of 100 hires in a year were for sales (30 %); the year before it was 20 %."
    )
    assert told_of((800, 800), (0, 800)).standardised == 5.0


def test_versions_that_are_alike_in_time_are_cited_once():
    known = bw.prepared().ground
    for _, by_account in known.pools.values():
        for at in by_account.values():
            assert (np.diff(at) > 0).all()
    assert account_facts.table_of("recruiters_0") == "positions"
