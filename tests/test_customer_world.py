"""Simulated customers keep their contracts, tell the settings' figures, and their truth happens."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit, logit
from scipy.stats import chi2_contingency, norm
from sklearn.metrics import roc_auc_score

from small_customers import drawn, shoppers, small_customers, write_tables
from tierwise import customer_tables, snapshot, tables
from tierwise.files import InputError
from tierwise.simulation import customer_kinds as kinds
from tierwise.simulation import (
    customer_lives,
    customer_messages,
    customer_people,
    customer_touches,
    customer_world,
)
from tierwise.simulation.customer_phrases import FEELINGS, HOSTILE, LANGUAGES
from tierwise.simulation.customer_settings import ANSWERED, BOUGHT, CustomerSettings, Hypothesis

DEFAULT = CustomerSettings()
TINY = CustomerSettings(people_count=60, months_count=5)
ALIKE = CustomerSettings(people_count=3000, months_count=6, separation=0.0)
DAY = pd.Timedelta(days=1)
ERRORS = 4.5  # standard errors that a drawn share may lie from what was set


@pytest.fixture(scope="module")
def world():
    """Tables and truth of the default world."""
    return drawn(DEFAULT)


@pytest.fixture(scope="module")
def events(world):
    """Each event once."""
    return world[0]["customer_events"].drop_duplicates("event_id")


@pytest.fixture(scope="module")
def segment(world):
    """Of each person at the end."""
    table = world[1]["segments"].drop_duplicates("person_id", keep="last")
    return table.set_index("person_id")["segment"]


@pytest.fixture(scope="module")
def lived():
    """Who is there, and all that happened, of fewer people and as in the default world."""
    settings = replace(DEFAULT, people_count=2000)
    who, touch, do = settings.generators(3)
    people = customer_people.draw_people(settings, who)
    touches = customer_touches.draw_touches(people, settings, touch)
    boosts = customer_touches.boosts(touches)
    return settings, people, boosts, customer_lives.live(people, settings, boosts, do)


def near(share, wanted, count):
    """Within the errors of a share of so many."""
    return abs(share - wanted) < ERRORS * np.sqrt(wanted * (1 - wanted) / count)


def apart(one, other):
    """By how many standard errors the means of two samples differ."""
    error = np.sqrt(one.var() / len(one) + other.var() / len(other))
    return (one.mean() - other.mean()) / error


def chance_alike(rows, columns):
    """p-value of independence of two columns."""
    return chi2_contingency(pd.crosstab(rows.to_numpy(), columns.to_numpy())).pvalue


# what every world promises


def test_every_table_keeps_its_contract(world):
    found, truth = world
    assert tuple(found) == tables.CUSTOMERS
    for name, table in found.items():
        tables.check(name, table)
        assert list(table) == list(customer_tables.CONTRACTS[name].columns), name
        assert table["known_at"].is_monotonic_increasing, name
        if name not in customer_tables.COPIES_ALLOWED:
            assert not table.duplicated(customer_tables.KEYS[name]).any(), name
    assert tuple(truth) == customer_world.TRUTH


def test_a_world_has_the_size_of_the_story(world):
    found, _ = world
    assert found["people"]["person_id"].nunique() == 6000
    assert 300_000 < len(found["customer_events"]) < 550_000
    assert set(found["customer_events"]["event"].unique()) == set(kinds.EVENTS)


def test_a_world_that_is_written_by_hand_keeps_every_contract(tmp_path):
    found = small_customers()
    assert tuple(found) == tables.CUSTOMERS
    for name, table in found.items():
        tables.check(name, table)
    write_tables(tmp_path / "raw", found)
    told = snapshot.fetch(
        tmp_path / "raw", tmp_path / "kept", names=tables.CUSTOMERS, now=pd.Timestamp("2026-02-01")
    )
    assert told["tables"]["customer_events"]["copies_count"] == 1
    kept = snapshot.read(tmp_path / "kept", "messages")
    assert sorted(kept["text"]) == sorted(found["messages"]["text"])


@pytest.mark.parametrize(
    ("name", "column", "value", "words"),
    [
        ("people", "age_years", 130.0, "must be 0 to 120"),
        ("people", "gender", "f", "must be one of woman"),
        ("memberships", "left_at", "2024-01-01", "must not be before occurred_at, nor"),
        ("memberships", "left_at", "2026-03-01", "nor after known_at"),
        ("contacts", "contact_id", 1, "must be another person"),
        ("purchases", "amount_eur", -1.0, "must be 0 or more"),
        ("messages", "language", "fr", "must be one of en"),
        ("messages", "text", "", "must not be empty text"),
        ("touches", "channel", "fax", "must be one of mail"),
    ],
)
def test_what_can_not_be_is_refused(name, column, value, words):
    table = small_customers()[name]
    value = pd.Timestamp(value) if column == "left_at" else value
    table.loc[0, column] = value
    with pytest.raises(InputError, match=words):
        tables.check(name, table)


def test_every_reference_leads_somewhere(world, events):
    found, truth = world
    everyone = found["people"]["person_id"].unique()
    for name in customer_tables.REFERENCES:
        assert found[name]["person_id"].isin(everyone).all(), name
    assert found["contacts"]["contact_id"].isin(everyone).all()
    for name in ("segments", "states", "critics", "taste"):
        assert set(truth[name]["person_id"]) == set(everyone), name
    assert list(truth["feelings"]["message_id"]) == list(found["messages"]["message_id"])
    assert set(truth["weights"]["event"]) == set(events["event"].unique())
    of_kind = events[events["event"] == "purchase"][["person_id", "occurred_at"]]
    bought = found["purchases"].drop_duplicates("purchase_id")
    both = bought.merge(of_kind, on=["person_id", "occurred_at"])
    assert len(both) > 0.995 * len(bought)  # of some we learn in one table only before the end


def test_nothing_is_known_before_it_happened_nor_after_the_end(world):
    for name, table in world[0].items():
        assert (table["known_at"] < DEFAULT.last_at).all(), name
        assert (table["known_at"] >= DEFAULT.first_at).all(), name
        if "occurred_at" in table:
            assert (table["occurred_at"] <= table["known_at"]).all(), name
    versions = world[0]["people"]
    assert (versions["joined_at"] <= versions["known_at"]).all()


def test_nobody_acts_before_having_joined(world):
    found, _ = world
    joined = found["people"].groupby("person_id")["joined_at"].min()
    for name in ("customer_events", "purchases", "messages", "touches", "contacts"):
        at = found[name]["person_id"].map(joined)
        assert (found[name]["occurred_at"] >= at).all(), name
    at = found["contacts"]["contact_id"].map(joined)
    assert (found["contacts"]["occurred_at"] >= at).all()
    signed = found["customer_events"].query("event == 'signed_up'")
    assert (signed["occurred_at"] == signed["person_id"].map(joined)).all()


def test_copies_say_the_same_and_are_known_later(world):
    for name, key in (("customer_events", "event_id"), ("purchases", "purchase_id")):
        table = world[0][name]
        copy = table.duplicated(key)
        assert near(copy.mean(), DEFAULT.copy_share, len(table))
        both = table[copy].merge(table[~copy], on=key, suffixes=("", "_first"))
        assert len(both) == copy.sum()
        assert (both["known_at"] > both["known_at_first"]).all()
        for column in set(table) - {key, "known_at"}:
            assert both[column].eq(both[column + "_first"]).all(), column


def test_some_rows_are_late(world, events):
    for table in (events, world[0]["messages"]):
        late = (table["known_at"] - table["occurred_at"]) > pd.Timedelta(hours=1)
        assert near(late.mean(), DEFAULT.late_share, len(late))


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"seed": -1}, "seed -1 must be 0 or more"),
        ({"people_count": 1}, "people_count 1 must be 2"),
        ({"people_count": 60_001}, "people_count 60001 must be 2"),
        ({"months_count": 0}, "months_count 0 must be 1"),
        ({"separation": float("nan")}, "separation nan must be"),
        ({"separation": 2.1}, "separation 2.1 must be"),
        ({"half_life_days": 0.0}, "half_life_days 0.0"),
        ({"activity_factor": 0.0}, "activity_factor 0.0"),
        ({"touch_every_days": 0.5}, "touch_every_days 0.5"),
        ({"late_share": 1.0}, "late_share 1.0"),
        ({"critics_share": -0.1}, "critics_share -0.1"),
        ({"negative_share": 0.0}, "negative_share 0.0 must be above 0"),
        ({"refused_share": 0.6, "withdrawn_share": 0.5}, "leave somebody to write to"),
        ({"segment_shares": (0.5, 0.5)}, "must be 4 shares"),
        ({"segment_shares": (0.5, 0.3, 0.2, 0.1)}, "add up to 1"),
        ({"segment_shares": (0.8, 0.3, -0.2, 0.1)}, "above 0"),
        ({"hypotheses": (Hypothesis("A b", BOUGHT, 0.1),)}, "must have a name"),
        ({"hypotheses": (Hypothesis("a", BOUGHT, 0.1),) * 2}, "name of its own"),
        ({"hypotheses": (Hypothesis("a", "liked", 0.1),)}, "outcome 'liked' must be one of"),
        ({"hypotheses": (Hypothesis("a", BOUGHT, float("nan")),)}, "effect nan must be"),
        ({"first_day": "2023-01-15"}, "first_day 2023-01-15 must be the first day"),
        ({"first_day": "2015-01-01"}, "must lie between"),
        ({"first_day": "2033-01-01", "months_count": 60}, "must lie between"),
        ({"first_day": "soon"}, "first_day 'soon' must be a date"),
    ],
)
def test_settings_that_can_not_be_are_refused(given, words):
    with pytest.raises(InputError, match=words):
        CustomerSettings(**given)


@pytest.mark.parametrize(
    "settings",
    [
        CustomerSettings(people_count=2, months_count=1),
        CustomerSettings(people_count=30, months_count=2, first_day="2024-05-01", hypotheses=()),
        replace(TINY, **dict.fromkeys(("critics_share", "hostile_share", "copy_share"), 0.0)),
        replace(TINY, moving_share=0.0, earlier_share=0.0, missing_share=0.0, late_share=0.0),
        replace(TINY, segment_shares=(0.997, 0.001, 0.001, 0.001), separation=2.0),
    ],
)
def test_the_smallest_worlds_keep_their_contracts(settings):
    found, truth = customer_world.draw(settings)
    for name, table in found.items():
        tables.check(name, table)
    assert len(truth["taste"]) == settings.people_count


@pytest.mark.parametrize(
    ("given", "changed"),
    [
        ({"hostile_share": 0.5}, {"messages"}),
        ({"negative_share": 0.6}, {"messages"}),
        ({"withdrawn_share": 0.3, "hypotheses": ()}, {"people", "touches"}),
    ],
)
def test_what_concerns_one_table_changes_no_other(given, changed):
    quiet = replace(TINY, hypotheses=())  # a touch may move purchases
    before, after = drawn(quiet)[0], drawn(replace(quiet, **given))[0]
    for name in tables.CUSTOMERS:
        assert before[name].equals(after[name]) == (name not in changed), name


# who they are


def test_shares_of_people_are_those_of_the_settings(world):
    found, truth = world
    versions, first = found["people"], truth["segments"].drop_duplicates("person_id")
    count = DEFAULT.people_count
    for name, share in zip(kinds.SEGMENTS, DEFAULT.segment_shares, strict=True):
        assert near((first["segment"] == name).mean(), share, count), name
    joined = versions.groupby("person_id")["joined_at"].min()
    assert near((joined < DEFAULT.first_at).mean(), DEFAULT.earlier_share, count)
    margin = pd.Timedelta(days=customer_people.MOVED_MARGIN_DAYS)
    there = (joined + 2 * margin < DEFAULT.last_at).sum()
    moves = truth["segments"]["changed_at"].dropna()
    assert near(len(moves) / there, DEFAULT.moving_share, there)
    assert moves.between(DEFAULT.first_at + margin, DEFAULT.last_at - margin).all()
    start = versions.drop_duplicates("person_id")
    assert near((~start["may_contact"]).mean(), DEFAULT.refused_share, count)
    ends = versions.drop_duplicates("person_id", keep="last")
    unwilling = DEFAULT.refused_share + DEFAULT.withdrawn_share
    assert near((~ends["may_contact"]).mean(), unwilling, count)
    empty = DEFAULT.untold_share + (1 - DEFAULT.untold_share) * DEFAULT.missing_share
    for column in ("country", "city", "age_years", "gender", "household"):
        assert near(start[column].isna().mean(), empty, count), column


def test_segments_differ_in_all_four_respects(world, events, segment):
    found, _ = world
    people = found["people"].drop_duplicates("person_id").set_index("person_id")
    own = segment.reindex(people.index)
    for column in ("city", "gender", "household"):
        known = people[column].notna()
        assert chance_alike(people.loc[known, column], own[known]) < 1e-20, column
    young, old = (people["age_years"][own == name].dropna() for name in kinds.SEGMENTS[::3])
    assert apart(old, young) > 30
    joined = found["memberships"].drop_duplicates(["person_id", "community_id"])
    assert chance_alike(joined["kind"], joined["person_id"].map(segment)) < 1e-20
    assert chance_alike(events["event"], events["person_id"].map(segment)) < 1e-20
    spent = found["purchases"].groupby("person_id")["amount_eur"].mean()
    values = spent.groupby(segment).mean()
    assert values["city singles"] < values["club people"] < values["older regulars"]


def test_segments_that_are_not_apart_are_all_the_same():
    found, truth = drawn(ALIKE)
    segment = truth["segments"].drop_duplicates("person_id").set_index("person_id")["segment"]
    people = found["people"].drop_duplicates("person_id")
    for column in ("city", "gender", "household"):
        known = people[people[column].notna()]
        assert chance_alike(known[column], known["person_id"].map(segment)) > 1e-4, column
    joined = found["memberships"].drop_duplicates("person_id")
    assert chance_alike(joined["kind"], joined["person_id"].map(segment)) > 1e-4
    both = found["contacts"][["person_id", "contact_id"]].apply(lambda ids: ids.map(segment))
    same = (both["person_id"] == both["contact_id"]).mean()
    assert near(same, (segment.value_counts(normalize=True) ** 2).sum(), len(both))


def test_contacts_are_of_the_same_segment_and_their_communities_tell(world, segment):
    found, _ = world
    contacts = found["contacts"]
    same = contacts["person_id"].map(segment) == contacts["contact_id"].map(segment)
    by_chance = (segment.value_counts(normalize=True) ** 2).sum()
    assert same.mean() > by_chance + 0.08
    counts = pd.crosstab(found["memberships"]["person_id"], found["memberships"]["kind"])
    of_contacts = counts.reindex(contacts["contact_id"]).fillna(0)
    theirs = of_contacts.groupby(contacts["person_id"].to_numpy()).sum()
    share = theirs["sport"] / theirs.sum(axis=1)
    own = segment.reindex(share.index)
    assert apart(share[own == "club people"].dropna(), share[own != "club people"].dropna()) > 5


def untold(found):
    """Who told us nothing, or by chance looks so."""
    told = ["country", "city", "age_years", "gender", "household"]
    known = found["people"].groupby("person_id")[told].count().sum(axis=1)
    return known.index[known == 0]


def test_whoever_tells_nothing_tells_of_no_community(world):
    found, _ = world
    silent = untold(found)
    assert near(len(silent) / DEFAULT.people_count, DEFAULT.untold_share, DEFAULT.people_count)
    assert not found["memberships"]["person_id"].isin(silent).any()


def test_who_leaves_a_community_had_joined_it_and_we_knew(world):
    table = world[0]["memberships"]
    left = table[table["left_at"].notna()]
    both = left.merge(table[table["left_at"].isna()], on=["person_id", "community_id", "kind"])
    assert len(both) == len(left) > 0.05 * len(table)
    assert (both["known_at_x"] > both["known_at_y"]).all()
    assert both["occurred_at_x"].eq(both["occurred_at_y"]).all()


def test_who_moves_segment_moves_house_and_behaves_otherwise(world, events):
    found, truth = world
    moved = truth["segments"].dropna(subset="changed_at").set_index("person_id")["changed_at"]
    rows = events[events["person_id"].isin(moved.index)]
    versions = found["people"][found["people"]["person_id"].isin(moved.index)]
    assert (versions.groupby("person_id").size() >= 2).mean() > 0.8  # others are not told yet
    goal = truth["segments"].drop_duplicates("person_id", keep="last").set_index("person_id")
    goal = goal["segment"].reindex(moved.index)
    to_singles = rows[rows["person_id"].map(goal) == "city singles"]
    later = to_singles["occurred_at"] > to_singles["person_id"].map(moved)
    hours = to_singles["occurred_at"].dt.hour
    assert apart(hours[later], hours[~later]) > 10


# what they do


def test_states_last_as_long_as_set(lived):
    settings, _, _, lives = lived
    spells = pd.DataFrame(lives.spells).sort_values(["person", "day"], kind="stable")
    until = spells.groupby("person")["day"].shift(-1)
    days = until.fillna(settings.days_count) - spells["day"]
    for state, mean in enumerate(customer_lives.STAYS_DAYS):
        rows = spells["state"] == state
        ended, there = until[rows].notna().sum(), days[rows].sum()
        assert abs(ended - there / mean) < ERRORS * np.sqrt(ended), customer_lives.STATES[state]
    after = spells.groupby("person")["state"].shift(-1)
    news = after[(spells["state"] == customer_lives.NEW) & after.notna()]
    assert near((news == customer_lives.ACTIVE).mean(), customer_lives.GOES_ON[0], len(news))


def test_the_truth_names_the_state_of_each_day(world, lived):
    truth = world[1]["states"]
    first = truth.drop_duplicates("person_id")
    signed = first[first["began_at"].notna()]
    assert (signed["state"] == "new").mean() > 0.98
    assert not truth.duplicated(["person_id", "began_at"]).any()
    follows = truth["person_id"].eq(truth["person_id"].shift())
    assert not (follows & truth["began_at"].isna()).any()
    assert truth["began_at"].diff()[follows].dropna().gt(pd.Timedelta(0)).all()


def test_events_come_in_sessions_and_sessions_in_bursts(events):
    rows = events.sort_values(["person_id", "occurred_at"], kind="stable")
    gap = rows["occurred_at"].diff()[rows["person_id"].eq(rows["person_id"].shift())]
    assert (gap < pd.Timedelta(minutes=15)).mean() > 0.5
    month = rows["occurred_at"].dt.to_period("M")
    lasting = rows["person_id"].map(rows.groupby("person_id")["occurred_at"].min())
    old = rows[lasting < DEFAULT.first_at + 60 * DAY]
    counts = old.groupby([old["person_id"], month[old.index]]).size().unstack(fill_value=0)
    ratio = counts.var(axis=1).mean() / counts.mean(axis=1).mean()
    assert ratio > 3  # of a steady stream it would be 1


def wishes(lived, weights):
    """The wish to buy at the end of each day of those who joined after the first day."""
    settings, people, _, lives = lived
    wish = np.zeros((people.count, settings.days_count))
    added = weights[lives.events["kind"]]
    added[lives.events["kind"] == kinds.SIGNED_UP] = 0.0  # happens before the days are lived
    np.add.at(wish, (lives.events["person"], lives.events["day"]), added)
    kept = 0.5 ** (1 / settings.half_life_days)
    for day in range(1, settings.days_count):
        wish[:, day] += kept * wish[:, day - 1]
    return wish


def test_customers_buy_as_often_as_the_truth_says_whatever_else_they_did(lived):
    settings, people, _, lives = lived
    wish = wishes(lived, kinds.WEIGHTS)[:, :-1]
    days = np.arange(1, settings.days_count)
    there = (people.joined[:, None] >= 0) & (np.floor(people.joined)[:, None] < days)
    moved = people.changed[:, None] <= days
    segment = np.where(moved, people.segment[:, 1:], people.segment[:, :1])
    level = customer_lives.BUYING + people.buying[:, None]
    level = level + settings.separation * kinds.BUYING_SHIFTS[segment]
    level += boosted(lived, days)
    rate = np.exp(level) * (1 + wish) ** customer_lives.WISH_POWER
    bought = np.zeros((people.count, settings.days_count))
    rows = lives.events["kind"] == kinds.PURCHASE
    np.add.at(bought, (lives.events["person"][rows], lives.events["day"][rows]), 1)
    shared = wishes(lived, (np.arange(10) == kinds.SHARE).astype(float))[:, :-1]
    for of in (wish, shared):
        for part in np.array_split(np.argsort(of[there], kind="stable"), 5):
            expected = -np.expm1(-rate[there][part])
            error = np.sqrt((expected * (1 - expected)).sum())
            assert abs((bought[:, 1:][there][part] - expected).sum()) < ERRORS * error
    assert bought[:, 1:][there].sum() > 1000


def boosted(lived, days):
    """On log rates, by person and day."""
    _, people, boosts, _ = lived
    found = np.zeros((people.count, len(days)))
    for person, day, effect in zip(*(boosts[n] for n in ("person", "day", "effect")), strict=True):
        found[person, day : day + customer_lives.BOOST_DAYS] = effect
    return found


def test_points_predict_purchases_best_with_the_true_half_life(world, events):
    found, truth = world
    weight = truth["weights"].set_index("event")["weight"]
    bought = found["purchases"].drop_duplicates("purchase_id")
    first = int(events["person_id"].min())
    person = (events["person_id"] - first).to_numpy()
    value = events["event"].map(weight).to_numpy()
    half_lives = (7.0, 20.0, 45.0, 100.0, 300.0)
    found_auc = {days: np.zeros(len(half_lives)) for days in (30, 90)}
    cuts = pd.date_range("2024-03-01", "2024-09-01", freq="2MS")
    for cut in cuts:
        known = (events["known_at"] < cut).to_numpy()
        age = ((cut - events["occurred_at"]) / DAY).to_numpy()[known]
        seen = np.bincount(person[known], minlength=DEFAULT.people_count) > 0
        for number, half_life in enumerate(half_lives):
            faded = value[known] * 0.5 ** (age / half_life)
            points = np.bincount(person[known], faded, minlength=DEFAULT.people_count)
            for days, total in found_auc.items():
                future = bought[bought["occurred_at"].between(cut, cut + days * DAY)]
                buys = np.isin(np.arange(DEFAULT.people_count), future["person_id"] - first)
                total[number] += roc_auc_score(buys[seen], points[seen]) / len(cuts)
    for mean in found_auc.values():
        assert np.argmax(mean) == 2, found_auc
        assert mean[2] > mean[0] + 0.02
        assert mean[2] > mean[4] + 0.015
        assert 0.70 < mean[2] < 0.85


def test_value_is_what_is_spent(world):
    found, truth = world
    bought = found["purchases"].drop_duplicates("purchase_id")
    since = DEFAULT.last_at - customer_lives.VALUE_DAYS * DAY
    spent = bought[bought["occurred_at"] >= since].groupby("person_id")["amount_eur"].sum()
    value = truth["taste"].set_index("person_id")["value_eur"]
    spent = spent.reindex(value.index).fillna(0)
    assert 0.9 < value.mean() / spent.mean() < 1.15  # as many people are new at the end as before
    assert value.corr(spent) > 0.4
    assert (value > 0).all()


# what works


def test_touches_are_by_lot_and_spare_who_refuses(world, segment):
    found, _ = world
    table = found["touches"]
    plain = table[table["topic"].isin(kinds.TOPICS)]
    assert chance_alike(table["channel"], table["person_id"].map(segment)) > 1e-4
    assert chance_alike(plain["topic"], plain["channel"]) > 1e-4
    refused = found["people"][~found["people"]["may_contact"]]
    refused = refused.groupby("person_id")["known_at"].min()
    at = table["person_id"].map(refused)
    assert not (table["occurred_at"] >= at).any()
    assert at.notna().any()
    closed = table["known_at"] - table["occurred_at"]
    assert (closed[~table["answered"]] >= customer_touches.CLOSED_DAYS * DAY).all()


def test_each_segment_answers_its_channel_and_its_topic_best(world):
    found, truth = world
    stays = truth["segments"][~truth["segments"]["person_id"].duplicated(keep=False)]
    table = found["touches"].merge(stays, on="person_id").merge(truth["taste"], on="person_id")
    table = table[table["topic"].isin(kinds.TOPICS)]
    for column in ("channel", "topic"):
        shares = table.groupby(["segment", column])["answered"].mean().unstack()
        best = table.groupby("segment")[f"best_{column}"].first()
        assert shares.idxmax(axis=1).eq(best).all(), column
    other = (table["channel"] != table["best_channel"]) & (table["topic"] != table["best_topic"])
    answered = table["answered"][other & (table["channel"] == "push")]
    readiness = norm.ppf((np.arange(1000) + 0.5) / 1000, 0, customer_touches.OPEN_SD)
    share = expit(logit(DEFAULT.answered_share) + readiness).mean()
    assert near(answered.mean(), share, len(answered))


def test_a_variant_is_for_good_and_by_lot(world):
    table = world[0]["touches"]
    for one in DEFAULT.hypotheses:
        rows = table[table["topic"].isin([f"{one.name}_a", f"{one.name}_b"])]
        people = rows.drop_duplicates(["person_id", "topic"])
        assert not people["person_id"].duplicated().any()
        assert near(people["topic"].str.endswith("_b").mean(), 0.5, len(people))


def test_hypotheses_do_what_the_truth_says(world):
    found, truth = world
    bought = found["purchases"].drop_duplicates("purchase_id")[["person_id", "occurred_at"]]
    bought = bought.rename(columns={"occurred_at": "at"})
    for _, one in truth["hypotheses"].iterrows():
        rows = found["touches"][found["touches"]["topic"].isin([one["topic_a"], one["topic_b"]])]
        assert rows["occurred_at"].between(one["begins_at"], one["ends_at"]).all()
        is_b = rows["topic"] == one["topic_b"]
        if one["outcome"] == ANSWERED:
            a, b = rows["answered"][~is_b], rows["answered"][is_b]
            measured = logit(b.mean()) - logit(a.mean())
            error = np.sqrt(sum(1 / (x.mean() * (1 - x.mean()) * len(x)) for x in (a, b)))
        else:
            pairs = rows.merge(bought, on="person_id")
            after = pairs["at"].dt.normalize() - pairs["occurred_at"].dt.normalize()
            pairs = pairs[after.between(DAY, one["within_days"] * DAY)]
            a, b = ((pairs["topic"] == one[topic]).sum() for topic in ("topic_a", "topic_b"))
            measured = np.log(b / is_b.sum()) - np.log(a / (~is_b).sum())
            error = 1.6 * np.sqrt(1 / a + 1 / b)  # one person is there several times
        assert abs(measured - one["effect"]) < ERRORS * error, one["hypothesis"]
        assert error < 0.12


def test_without_hypotheses_all_touches_are_plain():
    found, truth = shoppers(hypotheses=())
    assert set(found["touches"]["topic"]) == set(kinds.TOPICS)
    assert not len(truth["hypotheses"])


# what they write


def test_critics_are_few_mostly_lively_and_negative_most_of_the_time(world, events):
    found, truth = world
    loud = truth["critics"].set_index("person_id")["loud"]
    assert loud.sum() == DEFAULT.critics_share * DEFAULT.people_count
    count = events.groupby("person_id").size().reindex(loud.index).fillna(0)
    assert (count.rank(pct=True)[loud] > 0.8).mean() > 0.5
    messages = found["messages"].merge(truth["feelings"], on="message_id")
    negative, critic = messages["feeling"] == "negative", messages["person_id"].map(loud)
    calm = ~critic & ~messages["bad_week"] & ~messages["text"].isin(HOSTILE)
    by_person = negative[critic].groupby(messages["person_id"]).agg(["mean", "size"])
    error = np.sqrt((by_person["size"] ** 2).sum()) / by_person["size"].sum() * 0.15
    assert abs(negative[critic].mean() - DEFAULT.critic_negative_share) < ERRORS * error
    assert abs(negative[calm].mean() - DEFAULT.negative_share) < 0.015
    bad = negative[messages["bad_week"]]
    assert not (critic & messages["bad_week"]).any()
    assert near(bad.mean(), customer_messages.BAD_WEEK_NEGATIVE_SHARE, len(bad))
    assert len(bad) > 200
    assert (by_person["size"] >= 20).sum() > 0.3 * loud.sum()


def test_texts_have_the_languages_of_their_country_and_hostile_ones_are_few(world):
    found, truth = world
    messages = found["messages"]
    assert set(messages["language"]) == set(customer_tables.LANGUAGES)
    shares = messages["language"].value_counts(normalize=True)
    assert shares["en"] > 0.4
    assert shares["ru"] > 0.2
    assert shares["de"] < 0.2
    hostile = messages["text"].isin(HOSTILE)
    assert near(hostile.mean(), DEFAULT.hostile_share, len(hostile))
    assert (truth["feelings"]["feeling"][hostile] == "neutral").all()
    assert messages["text"].str.len().max() > 5000
    one = messages.drop_duplicates(["person_id", "language"])
    assert not one["person_id"].duplicated().any()
    assert messages["text"].nunique() > 0.55 * len(messages)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("feeling", range(len(FEELINGS)))
def test_every_text_is_filled_and_tells_its_feeling(language, feeling):
    rolls = np.random.default_rng(feeling).random((300, 24)).tolist()
    texts = [customer_messages.compose(language, feeling, list(roll)) for roll in rolls]
    again = [customer_messages.compose(language, feeling, list(roll)) for roll in rolls]
    assert texts == again
    assert len(set(texts)) > 120
    assert not any("{" in text or "}" in text or not text.strip() for text in texts)
    for pattern in language.patterns[feeling]:
        full = customer_messages.filled(pattern, language, [0.5] * 9)
        assert "{" not in full
        assert full[0].isupper() or full[0].isdigit()


def test_a_slip_changes_one_letter():
    for roll in np.linspace(0, 0.999, 40):
        for how in (0.1, 0.5, 0.9):
            text = customer_messages.mistyped("When will it be sent?", [how, roll])
            assert abs(len(text) - 21) <= 1
            assert sorted(set(text) - set("When will it be sent?")) == []
    assert customer_messages.mistyped("abcd", [0.0, 0.0]) == "acbd"
    assert customer_messages.mistyped("abcd", [0.4, 0.0]) == "acd"
    assert customer_messages.mistyped("abcd", [0.9, 0.0]) == "abbcd"


def test_a_smaller_world_is_drawn_once_and_may_be_changed():
    first, _ = shoppers()
    first["purchases"]["amount_eur"] = -1.0
    second, truth = shoppers()
    assert (second["purchases"]["amount_eur"] > 0).all()
    assert len(truth["critics"]) == 800
    assert 20_000 < len(second["customer_events"]) < 60_000
