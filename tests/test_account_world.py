"""A simulated world of accounts keeps its contracts, and its truth is what happens in it."""

import itertools
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr

from tierwise import account_tables
from tierwise.files import InputError
from tierwise.simulation import (
    account_changes,
    account_settings,
    account_world,
    careers,
    clock,
    companies,
    deciders,
    orders,
    ties,
)
from tierwise.simulation.account_names import HOSTILE
from tierwise.simulation.account_settings import AccountSettings
from tierwise.simulation.contacts_drawn import draw_messages

DEFAULT = AccountSettings()
TINY = AccountSettings(accounts_count=25, months_count=14, ours_count=8)
DAY = pd.Timedelta(days=1)
OURS_ID = 1
ERRORS = 4.5  # standard errors that a drawn mean may lie from the truth


@pytest.fixture(scope="module")
def world():
    """Tables and truth of the default world."""
    return account_world.draw(DEFAULT)


@pytest.fixture(scope="module")
def seats(world):
    """One row per position: its start, when that was known, its end if we ever knew of one."""
    found = world[0]["positions"]
    last = found.drop_duplicates("position_id", keep="last").set_index("position_id")
    first = found.drop_duplicates("position_id").set_index("position_id")
    return first.assign(
        ended_at=last["ended_at"], end_known_at=last["known_at"].where(last["ended_at"].notna())
    ).reset_index()


@pytest.fixture(scope="module")
def money():
    """States and orders of many accounts without anything else."""
    settings = AccountSettings(seed=3, accounts_count=20_000, months_count=26)
    rng = np.random.default_rng(8)
    found = companies.draw_companies(settings, rng)
    return found, orders.draw_amounts(found, settings, rng), settings


@pytest.fixture(scope="module")
def first(world):
    """The tables of the default world without copies."""
    return {
        name: table.drop_duplicates(account_tables.KEYS[name]) for name, table in world[0].items()
    }


def spend_of(first, begin, months=12):
    """Spend of each account from a moment on, index account_id, accounts without any included."""
    spend = first["spend"]
    end = pd.Timestamp(begin) + pd.DateOffset(months=months)
    inside = spend[spend["occurred_at"].between(begin, end, inclusive="left")]
    ids = first["accounts"].loc[~first["accounts"]["ours"], "account_id"].unique()
    return inside.groupby("account_id")["amount_eur"].sum().reindex(np.sort(ids), fill_value=0)


# what every world promises


def test_every_table_keeps_its_contract(world):
    tables, truth = world
    assert list(tables) == list(account_tables.CONTRACTS)
    for name, table in tables.items():
        account_tables.CONTRACTS[name].validate(table, lazy=True)
        assert list(table) == list(account_tables.CONTRACTS[name].columns), name
        assert table["known_at"].is_monotonic_increasing, name
        assert len(table) > 500, name
        if name not in account_tables.COPIES_ALLOWED:
            assert not table.duplicated(account_tables.KEYS[name]).any(), name
    assert tuple(truth) == account_world.TRUTH


def test_every_reference_leads_somewhere(world):
    tables, truth = world
    for name, (column, other) in account_tables.REFERENCES.items():
        assert tables[name][column].isin(tables[other][column]).all(), name
    people = tables["positions"]["person_id"]
    for name, column in (
        ("interactions", "from_id"), ("interactions", "to_id"), ("product_use", "person_id"),
        ("spend", "signer_id"), ("owners", "person_id"), ("opt_outs", "person_id"),
    ):  # fmt: skip
        # A start that we would learn of after the end of the world is in no table.
        unknown = ~tables[name][column].dropna().isin(people)
        assert unknown.mean() < 0.005, (name, column)
    assert truth["changes"]["account_id"].isin(tables["accounts"]["account_id"]).all()


def test_nothing_is_known_before_it_happened_nor_after_the_end(world):
    tables, _ = world
    for name, table in tables.items():
        assert (table["known_at"] < DEFAULT.last_at).all(), name
        assert (table["known_at"] >= DEFAULT.first_at).all(), name
        if "occurred_at" in table:
            assert (table["occurred_at"] <= table["known_at"]).all(), name
    ends = tables["positions"].dropna(subset="ended_at")
    assert (ends["ended_at"] <= ends["known_at"]).all()


def test_copies_say_the_same_and_are_known_later(world):
    for name in account_tables.COPIES_ALLOWED:
        table, key = world[0][name], account_tables.KEYS[name]
        copy = table.duplicated(key)
        assert 0.005 < copy.mean() < 0.015, name
        both = table[copy].merge(table[~copy], on=key, suffixes=("", "_first"))
        assert len(both) == copy.sum()
        assert (both["known_at"] > both["known_at_first"]).all()
        for column in set(table) - {*key, "known_at"}:
            same = both[column].eq(both[column + "_first"]).fillna(False)
            assert (same | both[column].isna()).all(), (name, column)


def test_some_rows_are_late(first):
    for name in ("interactions", "product_use"):
        table = first[name]
        late = (table["known_at"] - table["occurred_at"]) > pd.Timedelta(hours=1)
        assert 0.02 < late.mean() < 0.04, name


@pytest.mark.parametrize(
    "given",
    [
        {"accounts_count": 0},
        {"months_count": 0},
        {"ours_count": 0},
        {"late_share": 1.0},
        {"opt_out_share": -0.1},
        {"first_day": "2023-01-15"},
        {"first_day": "2015-01-01"},
        {"months_count": 400},
    ],
)
def test_settings_that_can_not_be_are_refused(given):
    with pytest.raises(InputError, match=next(iter(given)).replace("months_count", "must")):
        AccountSettings(**given)


def test_the_quick_clock_is_the_clock():
    rng = np.random.default_rng(1)
    local = np.datetime64("2023-01-01", "us") + rng.integers(0, 3 * 10**13, 500).astype("m8[us]")
    days = clock.clock_days(local)
    assert np.array_equal(account_settings.worked_days(local), days)
    assert np.array_equal(account_settings.local_times(days), clock.local_times(days))


# companies and people


def test_names_of_companies_differ_and_some_are_hostile(world):
    accounts = world[0]["accounts"].drop_duplicates("account_id")
    names = accounts["name"]
    assert not names.duplicated().any()
    hostile = [name for name in names if name in HOSTILE]
    assert 0.005 < len(hostile) / len(names) < 0.025
    for first in "=+-@<":
        assert any(name.startswith(first) for name in hostile), first
    for inside in ("\u202e", "🚀", "{{", "DROP TABLE", '"'):
        assert any(inside in name for name in hostile), inside
    assert max(map(len, hostile)) > 500
    few = account_world.draw(TINY)[0]["accounts"]["name"]
    assert few[few.isin(HOSTILE)].nunique() == 4


def test_people_known_at_an_account_follow_its_size(world, seats, first):
    accounts = world[0]["accounts"].drop_duplicates("account_id").set_index("account_id")
    first = seats[seats["occurred_at"] < DEFAULT.first_at].groupby("account_id").size()
    assert first.drop(OURS_ID).between(5, 60).all()
    assert first[OURS_ID] == DEFAULT.ours_count
    assert spearmanr(first, accounts["employees_count"].reindex(first.index), nan_policy="omit")[
        0
    ] > 0.95  # fmt: skip
    assert list(accounts.index[accounts["ours"]]) == [OURS_ID]
    assert seats.loc[seats["account_id"] == OURS_ID, "team"].notna().all()
    assert seats.loc[seats["account_id"] != OURS_ID, "team"].isna().all()


def test_an_end_is_a_second_row_of_the_same_position(world):
    positions = world[0]["positions"]
    again = positions.duplicated("position_id")
    assert (again == positions["ended_at"].notna()).mean() > 0.999
    assert positions.groupby("position_id").size().max() == 2
    told = positions.drop(columns=["ended_at", "known_at"]).drop_duplicates()
    assert not told["position_id"].duplicated().any()


def test_nobody_sits_in_two_seats_and_movers_keep_their_number(seats):
    ordered = seats.sort_values(["person_id", "occurred_at"])
    after = ordered["occurred_at"].shift(-1)
    same = ordered["person_id"] == ordered["person_id"].shift(-1)
    known = same & ordered["ended_at"].notna()
    assert (ordered["ended_at"][known] <= after[known]).all()
    assert known.sum() > 0.98 * same.sum()
    moved = seats.groupby("person_id")["account_id"].nunique() > 1
    assert 1000 < moved.sum() < 3000


def test_people_act_only_where_they_sit(world, seats, first):
    tables, _ = world
    spans = seats.assign(ended_at=seats["ended_at"].fillna(pd.Timestamp("2200-01-01")))
    spans = spans[["person_id", "account_id", "occurred_at", "ended_at"]]
    for name, person, with_account in (
        ("product_use", "person_id", True), ("spend", "signer_id", True),
        ("interactions", "from_id", False), ("interactions", "to_id", False),
        ("owners", "person_id", False),
    ):  # fmt: skip
        rows = first[name].dropna(subset=person).rename(columns={person: "who"})
        rows = rows.reset_index()[["index", "who", "occurred_at"] + with_account * ["account_id"]]
        rows["who"] = rows["who"].astype("int64")
        both = rows.merge(spans, left_on="who", right_on="person_id", suffixes=("", "_seat"))
        there = (both["occurred_at_seat"] <= both["occurred_at"]) & (
            both["occurred_at"] <= both["ended_at"]
        )
        if with_account:
            there &= both["account_id"] == both["account_id_seat"]
        # Of some starts of the last weeks we would learn after the end of the world.
        early = rows["occurred_at"] < DEFAULT.last_at - 120 * DAY
        assert rows.loc[early, "index"].isin(both.loc[there, "index"]).all(), name
    ours = spans[spans["account_id"] == OURS_ID]["person_id"]
    assert tables["owners"]["person_id"].isin(ours).all()
    assert not tables["opt_outs"]["person_id"].isin(ours).any()


def test_a_day_of_a_person_in_the_product_is_one_row(first):
    use = first["product_use"]
    day = use["occurred_at"].dt.floor("D")
    assert not pd.DataFrame({"person": use["person_id"], "day": day}).duplicated().any()


def test_about_two_in_a_hundred_people_want_to_be_left_alone(world):
    people = world[0]["positions"]["person_id"].nunique()
    assert 0.015 < len(world[0]["opt_outs"]) / people < 0.025


def test_what_a_month_brings_knows_nothing_of_later_months():
    """Another future after month 8 changes no seat before it."""
    found = companies.draw_companies(TINY, np.random.default_rng(1))
    other = companies.draw_companies(TINY, np.random.default_rng(2))
    month = 8

    def later(name):
        mine, theirs = getattr(found, name).copy(), getattr(other, name)
        mine[:, month:] = theirs[:, month:]
        return mine

    names = ("regime", "use", "customer", "shaken", "welcomed", "left", "joined", "headcount")
    changed = replace(found, **{name: later(name) for name in names})
    one, two = (
        careers.draw_careers(drawn, TINY, np.random.default_rng(5)) for drawn in (found, changed)
    )
    count = min(len(one.person), len(two.person))
    before = TINY.months[month]
    first = np.flatnonzero(one.begun < before)
    assert len(one.person) != len(two.person) or not np.array_equal(one.person, two.person)
    assert first.max() < count
    for name in ("person", "account", "function", "level", "begun", "reason"):
        assert np.array_equal(getattr(one, name)[first], getattr(two, name)[first]), name
    left = [np.where(drawn.ended[first] < before, drawn.ended[first], None) for drawn in (one, two)]
    assert np.array_equal(left[0], left[1])


# money


def test_steps_of_the_chain_are_chances():
    growth = np.exp(
        orders.SIZE_POWER * companies.GROWTH[orders.REGIME]
        + (orders.SIZE_POWER * companies.GROWTH_NOISE) ** 2 / 2
    )
    chances = orders.steps() / growth[:, None]
    assert (chances >= 0).all()
    assert np.allclose(chances.sum(axis=1), 1)


def test_each_month_ahead_brings_its_own_season(monkeypatch):
    """With money in April alone, one month earlier is one step of the chain further away."""
    april = 3
    monkeypatch.setattr(orders, "SEASON", np.eye(12)[april])
    ahead = orders.year_ahead()
    brings = (orders.CUSTOMER == companies.BUYING) * orders.orders_factor(
        orders.REGIME, orders.USE, orders.SHAKEN, orders.WELCOMED
    )
    assert np.allclose(ahead[april], brings * orders.amounts_factor(orders.REGIME, orders.USE))
    for month in set(range(12)) - {april}:
        assert np.allclose(ahead[month], orders.steps() @ ahead[(month + 1) % 12])


@pytest.mark.parametrize("month", [0, 7, 14])
def test_expected_spend_comes_true(money, month):
    """In all and by fifths of the expectation, spend is what was expected, within its error."""
    found, drawn, settings = money
    begin, end = settings.months[month], settings.months[month + 12]
    inside = (drawn.at >= begin) & (drawn.at < end)
    spent = np.bincount(drawn.account[inside], drawn.amount_eur[inside], len(found.name))[1:]
    expected = orders.expected_spend(found, settings)[1:, month]
    order = np.argsort(expected)
    for rows in [order, *np.array_split(order, 5)]:
        gap = (spent - expected)[rows]
        error = gap.std(ddof=1) / np.sqrt(len(gap))
        assert abs(gap.mean()) < ERRORS * error
        assert error < 0.1 * expected[rows].mean()


def test_the_truth_table_is_the_expectation_of_the_tables(world, first):
    truth = world[1]
    expected = truth["expected_spend"]
    assert expected["as_of"].nunique() == DEFAULT.months_count + 1
    for at in DEFAULT.months[[0, 12, 24, 30]]:
        due = expected[expected["as_of"] == at].set_index("account_id")["expected_eur"]
        gap = spend_of(first, at) - due
        assert abs(gap.mean()) < ERRORS * gap.std() / np.sqrt(len(gap))
        assert 0.55 < spearmanr(spend_of(first, at), due)[0] < 0.85


def test_spend_is_predictable_but_not_trivially(first):
    years = [spend_of(first, DEFAULT.months[month]) for month in (0, 12, 24)]
    for earlier, later in itertools.pairwise(years):
        assert 0.4 < spearmanr(earlier, later)[0] < 0.8
        assert 0.3 < (later > 0).mean() < 0.6
        assert ((earlier > 0) & (later == 0)).sum() > 30
        assert ((earlier == 0) & (later > 0)).sum() > 30


def test_planted_changes_move_what_an_account_will_spend(world):
    """A senior who leaves costs, a user who joins helps; by ordinary turnover neither does."""
    truth = world[1]
    expected = truth["expected_spend"].set_index(["account_id", "as_of"])["expected_eur"]
    changes = truth["changes"]
    for kind, low, high in (("senior_hr_left", -0.9, -0.1), ("user_moved", 0.1, 0.9)):
        moves = {}
        for planted in (True, False):
            some = changes[(changes["kind"] == kind) & (changes["planted"] == planted)]
            begin = some["occurred_at"].dt.to_period("M").dt.to_timestamp().astype("M8[us]")
            end = begin + pd.DateOffset(months=1)
            before, after = (
                expected.reindex(pd.MultiIndex.from_arrays([some["account_id"], at])).to_numpy()
                for at in (begin, end)
            )
            moves[planted] = np.log(after / before)
        assert low < moves[True].mean() < high, kind
        assert abs(moves[False].mean()) < ERRORS * moves[False].std() / len(moves[False]) ** 0.5


# who decides


def test_chances_to_sign_sum_to_one(world):
    table = world[1]["deciders"]
    total = table.groupby(["account_id", "as_of"])["sign_chance"].sum()
    assert np.allclose(total, 1)
    assert not table.duplicated(["account_id", "as_of", "person_id"]).any()


def test_signers_sign_as_often_as_their_chances_say(world, first):
    truth = world[1]
    spend = first["spend"].dropna(subset="signer_id")
    month = spend["occurred_at"].dt.to_period("M").dt.to_timestamp().astype("M8[us]")
    asked = pd.DataFrame(
        {"account_id": spend["account_id"], "as_of": month, "signer": spend["signer_id"]}
    )
    both = asked.reset_index().merge(truth["deciders"], on=["account_id", "as_of"])
    both["signed"] = both["person_id"] == both["signer"]
    assert 0.95 < both["signed"].sum() / len(spend) <= 1  # the others joined in that month
    edges = [0, 0.01, 0.05, 0.1, 0.2, 0.35, 0.5, 0.75, 1]
    for _, rows in both.groupby(pd.cut(both["sign_chance"], edges), observed=True):
        error = np.sqrt((rows["sign_chance"] * (1 - rows["sign_chance"])).mean() / len(rows))
        # Within the month some leave and others come: chances of its first moment are near.
        gap = rows["signed"].mean() - rows["sign_chance"].mean()
        assert abs(gap) < ERRORS * error + 0.03 * rows["sign_chance"].mean()


def test_managers_who_use_the_product_sign_and_vice_presidents_do_not(world, seats, first):
    tables, _ = world
    spend = first["spend"].dropna(subset="signer_id")
    both = spend.merge(
        seats.dropna(subset=["level"]), left_on="signer_id", right_on="person_id",
        suffixes=("", "_seat"),
    )  # fmt: skip
    there = both["occurred_at_seat"].le(both["occurred_at"]) & (
        both["ended_at"].isna() | both["ended_at"].gt(both["occurred_at"])
    )
    share = both[there]["level"].value_counts(normalize=True)
    assert share["manager"] + share["lead"] > 0.7
    assert share["vice president"] < 0.03
    assert spend["signer_id"].isin(tables["product_use"]["person_id"]).mean() > 0.65


def chosen(first, at):
    """Whom one would contact, by what is known at a date: by title, by use and network."""
    positions = first["positions"][first["positions"]["known_at"] < at]
    now = positions.drop_duplicates("position_id", keep="last")
    now = now[now["ended_at"].isna() & (now["account_id"] != OURS_ID)]
    now = now.drop_duplicates("person_id", keep="last").assign(as_of=at)
    use, said = first["product_use"], first["interactions"]
    use = use[(use["known_at"] < at) & (use["occurred_at"] > at - 180 * DAY)]
    said = said[(said["known_at"] < at) & (said["occurred_at"] > at - 365 * DAY)]
    days = now["person_id"].map(use.groupby("person_id").size()).fillna(0)
    heard = now["person_id"].map(said.groupby("to_id").size()).fillna(0)
    level = {name: number for number, name in enumerate(account_tables.LEVELS)}
    scores = {
        "title": now["level"].map(level).fillna(-1),
        "use and network": np.log1p(days) + np.log1p(heard),
    }
    for name, score in scores.items():
        best = now.assign(score=score).sort_values(["score", "person_id"], ascending=[False, True])
        yield name, best.drop_duplicates("account_id")[["account_id", "as_of", "person_id"]]


def test_contacts_by_use_and_network_convert_about_three_times_better(world, first):
    truth = world[1]
    value = truth["contact_value"]
    picked: dict[str, list[pd.DataFrame]] = {}
    for at in value["as_of"].unique()[4::2]:
        for name, people in chosen(first, at):
            picked.setdefault(name, []).append(people)
    shares = {name: deciders.conversion(value, pd.concat(parts)) for name, parts in picked.items()}
    ratio = shares["use and network"][0] / shares["title"][0]
    assert 2.5 < ratio < 3.7
    assert 0 < shares["use and network"][1] < 0.005


def test_whoever_is_not_there_converts_never():
    value = pd.DataFrame(
        {"account_id": [1, 1], "as_of": 0, "person_id": [5, 6], "convert_chance": [0.2, 0.1]}
    )
    asked = pd.DataFrame({"account_id": [1, 1], "as_of": 0, "person_id": [5, 7]})
    assert deciders.conversion(value, asked)[0] == pytest.approx(0.1)


# who knows whom


def test_strength_is_what_a_tie_brings_in_a_month():
    """Bursts, answers and words after them included, in both directions."""
    count, months = 4000, 40
    rng = np.random.default_rng(4)
    tie = ties.Ties(
        np.arange(count), count + np.arange(count), np.zeros(count, int), np.full(count, 1500.0),
        np.full(count, 1500.0 + months * ties.MONTH_DAYS), np.tile([0.03, 0.01], (count, 1)),
    )  # fmt: skip
    drawn = draw_messages(tie, rng)
    for back in (0, 1):
        found = np.bincount(drawn["tie"][drawn["back"] == back], minlength=count) / months
        error = found.std(ddof=1) / np.sqrt(count)
        assert abs(found.mean() - tie.strength[0, back]) < ERRORS * error


def test_interactions_follow_the_true_ties(world, first):
    truth = world[1]
    found = first["interactions"]
    pairs = found.groupby(["from_id", "to_id"]).size().rename("count")
    tie = truth["ties"]
    months = (tie["ended_at"] - tie["began_at"]) / (ties.MONTH_DAYS * DAY)
    due = (tie["strength"] * months).groupby([tie["from_id"], tie["to_id"]]).sum().rename("due")
    both = pd.concat([pairs, due], axis=1).fillna(0.0)
    assert 0.93 < both["count"].sum() / both["due"].sum() < 1.07
    assert both["count"].corr(both["due"]) > 0.9
    assert pairs.index.isin(due.index).mean() > 0.995  # a tie that faded can be copied once more
    assert (tie["ended_at"] >= tie["began_at"]).all()


def test_strong_ties_of_a_moment_bring_the_next_contacts(world, first):
    truth = world[1]
    at = pd.Timestamp(DEFAULT.months[24])
    strength = ties.strengths(truth["ties"], at)
    found = first["interactions"]
    after = found[found["occurred_at"].between(at, at + 60 * DAY, inclusive="left")]
    pairs = pd.MultiIndex.from_frame(after[["from_id", "to_id"]])
    spoken = strength.index.isin(pairs)
    by_fifth = pd.Series(spoken).groupby(pd.qcut(strength.to_numpy(), 5)).mean()
    assert by_fifth.is_monotonic_increasing
    assert by_fifth.iloc[-1] > 5 * by_fifth.iloc[0]


def test_contact_is_answered_bursty_and_shared(first):
    found = first["interactions"]
    pairs = found.groupby(["from_id", "to_id"]).size()
    back = pairs.reindex(pairs.index.swaplevel()).fillna(0).to_numpy()
    assert pairs[back > 0].sum() / pairs.sum() > 0.9
    gaps = found.sort_values("occurred_at").groupby(["from_id", "to_id"])["occurred_at"].diff()
    days = gaps.dropna() / DAY
    assert days.std() > 1.3 * days.mean()  # 1 without bursts
    assert 0.01 < found.duplicated("interaction_id").mean() < 0.1
    assert set(found["kind"]) == set(account_tables.KINDS)


def test_ties_fade(world):
    tie = world[1]["ties"].sort_values(["from_id", "to_id", "began_at"])
    stage = tie.groupby(["from_id", "to_id"]).cumcount()
    total = stage.groupby([tie["from_id"], tie["to_id"]]).transform("max")
    long = total >= 4
    by_stage = tie[long].groupby(stage[long])["strength"].mean()
    assert by_stage[4] < 0.6 * by_stage[0]


def test_our_people_know_people_at_most_accounts(seats, first):
    of = seats.drop_duplicates("person_id", keep="last").set_index("person_id")["account_id"]
    said = first["interactions"]
    one, other = said["from_id"].map(of), said["to_id"].map(of)
    theirs = other[(one == OURS_ID) & (other != OURS_ID)]
    assert theirs.nunique() > 0.9 * DEFAULT.accounts_count
    assert len(theirs) > 20_000
    assert ((one == OURS_ID) & (other == OURS_ID)).sum() > 5_000


# what changed


def test_each_kind_of_change_is_planted_and_comes_about(world):
    changes = world[1]["changes"]
    counts = changes.groupby(["kind", "planted"]).size()
    assert set(counts.index.get_level_values("kind")) == set(account_changes.KINDS)
    assert counts.min() > 50
    assert (
        changes["known_at"].dropna() >= changes["occurred_at"][changes["known_at"].notna()]
    ).all()
    persons = changes["kind"].isin(["senior_hr_left", "user_moved"])
    assert (changes["person_id"].notna() == persons).all()
    assert changes["known_at"][persons].notna().mean() > 0.97
    assert changes["known_at"][changes["kind"] == "usage_fell"].notna().mean() > 0.95


def test_seniors_who_left_and_users_who_moved_are_in_the_positions(world, first):
    tables, truth = world
    changes = truth["changes"].dropna(subset="known_at")
    positions, use = tables["positions"], first["product_use"]
    left = changes[changes["kind"] == "senior_hr_left"].merge(
        positions, on=["account_id", "person_id", "known_at"]
    )
    assert len(left) == (changes["kind"] == "senior_hr_left").sum()
    assert (left["ended_at"] == left["occurred_at_x"]).all()
    assert left["level"].dropna().isin(account_tables.LEVELS[3:]).all()
    assert left["function"].dropna().eq("human resources").all()
    moved = changes[changes["kind"] == "user_moved"]
    begun = moved.merge(positions, on=["account_id", "person_id", "known_at"])
    assert len(begun) == len(moved)
    assert begun["ended_at"].isna().all()
    for row in moved.sample(60, random_state=1).itertuples():
        days = use[
            (use["person_id"] == row.person_id) & (use["account_id"] == row.other_account_id)
        ]
        assert (days["occurred_at"] < row.occurred_at).sum() >= account_changes.USED_DAYS_COUNT


def test_hiring_that_doubled_shows_in_the_positions_when_it_is_known_and_not_before(world, seats):
    changes = world[1]["changes"].dropna(subset="known_at")
    changes = changes[changes["kind"] == "hiring_doubled"]
    before = seats.sort_values("occurred_at").groupby(["person_id", "account_id"])
    starts = before.head(1)
    for row in changes.sample(80, random_state=1).itertuples():
        mine = starts[starts["account_id"] == row.account_id]
        year = max(DEFAULT.first_at, row.occurred_at - 365 * DAY)
        usual = mine["occurred_at"].between(year, row.occurred_at, inclusive="left").sum()
        usual *= 90 * DAY / (row.occurred_at - year)

        def hired(at, mine=mine):
            seen = mine[mine["known_at"] <= at]
            return (seen["occurred_at"] > at - 90 * DAY).sum()

        assert hired(row.known_at) >= max(4, 2 * usual)
        earlier = mine["known_at"][mine["known_at"].between(row.occurred_at, row.known_at, "left")]
        assert all(hired(at) < max(4, 2 * usual) for at in earlier)


def test_use_that_fell_shows_in_the_days_of_use_when_it_is_known(world, first):
    truth = world[1]
    changes = truth["changes"].dropna(subset="known_at")
    changes = changes[changes["kind"] == "usage_fell"]
    use = first["product_use"]
    before_month, after_month, usual_month = [], [], []
    for row in changes.sample(90, random_state=1).itertuples():
        mine = use[use["account_id"] == row.account_id]
        at, actions = mine["occurred_at"], mine["actions_count"]
        usual = actions[at.between(row.occurred_at - 84 * DAY, row.occurred_at, "left")].sum() / 3
        seen = (mine["known_at"] <= row.known_at) & (at > row.known_at - 28 * DAY)
        assert actions[seen].sum() <= usual / 2
        nights = pd.date_range(row.occurred_at + 10 * DAY, row.known_at, inclusive="left")
        for night in nights:
            seen = (mine["known_at"] <= night) & (at > night - 28 * DAY)
            assert actions[seen].sum() > usual / 2
        usual_month.append(usual)
        before_month.append(
            actions[at.between(row.occurred_at - 28 * DAY, row.occurred_at, "left")].sum()
        )
        after_month.append(
            actions[at.between(row.occurred_at, row.occurred_at + 28 * DAY, "left")].sum()
        )
    # No sign of it before it happened: the last month was as the months before it.
    assert 0.9 < np.sum(before_month) / np.sum(usual_month) < 1.15
    assert np.sum(after_month) < 0.45 * np.sum(usual_month)
