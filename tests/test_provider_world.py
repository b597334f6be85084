"""A simulated marketplace keeps its contracts, tells the story's figures, and its truth happens."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit
from scipy.stats import spearmanr

from small_providers import drawn, marketplace, small_providers
from tierwise import provider_tables, tables
from tierwise.files import InputError
from tierwise.simulation import (
    provider_choice,
    provider_customers,
    provider_lives,
    provider_responses,
    provider_visits,
    provider_world,
)
from tierwise.simulation.account_names import HOSTILE
from tierwise.simulation.provider_bookings import DONE
from tierwise.simulation.provider_customers import Market
from tierwise.simulation.provider_settings import ProviderSettings

DEFAULT = ProviderSettings()
TINY = ProviderSettings(providers_count=12, months_count=5)
DAY = pd.Timedelta(days=1)
ERRORS = 4.5  # standard errors that a drawn share may lie from what was set


@pytest.fixture(scope="module")
def world():
    """Tables and truth of the default world."""
    return drawn(DEFAULT)


@pytest.fixture(scope="module")
def bookings(world):
    """Each booking once."""
    return world[0]["bookings"].drop_duplicates("booking_id")


@pytest.fixture(scope="module")
def visits(bookings):
    return bookings[bookings["status"] == "done"]


@pytest.fixture(scope="module")
def lived():
    """Who is there in a market, and all that happened."""
    serve, come, visit = DEFAULT.generators(3)
    market = Market(
        DEFAULT,
        provider_lives.draw_providers(DEFAULT, serve),
        provider_customers.draw_customers(DEFAULT, come),
    )
    return market, provider_visits.draw_visits(market, visit)


def near(share, wanted, count):
    """Within the errors of a share of so many."""
    return abs(share - wanted) < ERRORS * np.sqrt(wanted * (1 - wanted) / count)


def apart(one, other):
    """By how many standard errors the means of two samples differ."""
    error = np.sqrt(one.var() / len(one) + other.var() / len(other))
    return (one.mean() - other.mean()) / error


def per_visit(rows, visits):
    """How many rows there are per visit of each provider."""
    count = visits.groupby("provider_id").size()
    return (rows.groupby("provider_id").size() / count).reindex(count.index).fillna(0.0)


# what every world promises


def test_every_table_keeps_its_contract(world):
    found, truth = world
    assert tuple(found) == tables.PROVIDERS
    for name, table in found.items():
        tables.check(name, table)
        assert list(table) == list(provider_tables.CONTRACTS[name].columns), name
        assert table["known_at"].is_monotonic_increasing, name
        if name not in provider_tables.COPIES_ALLOWED:
            assert not table.duplicated(provider_tables.KEYS[name]).any(), name
    assert tuple(truth) == provider_world.TRUTH
    assert truth["quality"]["quarter"].dtype == tables.TIME


def test_a_world_that_is_written_by_hand_keeps_every_contract():
    found = small_providers()
    assert tuple(found) == tables.PROVIDERS
    for name, table in found.items():
        tables.check(name, table)


def test_every_reference_leads_somewhere(world):
    found, truth = world
    for name, (column, other) in provider_tables.REFERENCES.items():
        assert found[name][column].isin(found[other][column]).all(), name
    everyone = truth["customers"]["customer_id"]
    for name in ("bookings", "ratings", "surveys", "favourites", "complaints", "blacklist"):
        assert found[name]["customer_id"].isin(everyone).all(), name
    ids = set(found["bookings"]["booking_id"])
    for name in ("ratings", "surveys", "complaints"):
        # A booking that we would learn of after the end of the world is in no table.
        named = found[name]["booking_id"].dropna()
        assert sum(one not in ids for one in named) < 0.005 * len(named), name
    assert set(truth["quality"]["provider_id"]) == set(found["providers"]["provider_id"])


def test_nothing_is_known_before_it_happened_nor_after_the_end(world):
    for name, table in world[0].items():
        assert (table["known_at"] < DEFAULT.last_at).all(), name
        assert (table["known_at"] >= DEFAULT.first_at).all(), name
        if "occurred_at" in table:
            assert (table["occurred_at"] <= table["known_at"]).all(), name
    versions = world[0]["providers"]
    assert (versions["joined_at"] <= versions["known_at"]).all()


def test_copies_say_the_same_and_are_known_later(world):
    table = world[0]["bookings"]
    copy = table.duplicated("booking_id")
    assert 0.005 < copy.mean() < 0.015
    both = table[copy].merge(table[~copy], on="booking_id", suffixes=("", "_first"))
    assert len(both) == copy.sum()
    assert (both["known_at"] > both["known_at_first"]).all()
    for column in set(table) - {"booking_id", "known_at"}:
        assert both[column].eq(both[column + "_first"]).all(), column


def test_some_rows_are_late(world):
    for name in ("ratings", "favourites"):
        table = world[0][name]
        late = (table["known_at"] - table["occurred_at"]) > pd.Timedelta(hours=1)
        assert near(late.mean(), DEFAULT.late_share, len(late)), name


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"seed": -1}, "seed -1 must be 0 or more"),
        ({"providers_count": 1}, "providers_count 1 must be 2"),
        ({"providers_count": 2001}, "providers_count 2001 must be 2"),
        ({"customers_per_provider": 0.5}, "customers_per_provider 0.5 must be 1"),
        ({"customers_per_provider": float("nan")}, "customers_per_provider nan"),
        ({"providers_count": 2000, "customers_per_provider": 31.0}, "30 at most"),
        ({"months_count": 0}, "months_count 0 must be 1"),
        ({"months_count": 400}, "must lie between"),
        ({"late_share": 1.0}, "late_share 1.0"),
        ({"leaking_share": -0.1}, "leaking_share -0.1"),
        ({"rated_share": 0.0}, "rated_share 0.0 must be above 0"),
        ({"five_stars_share": 0.99}, "room for four stars"),
        ({"first_day": "2023-01-15"}, "first_day 2023-01-15 must be the first day"),
        ({"first_day": "2015-01-01"}, "must lie between"),
        ({"first_day": "soon"}, "first_day 'soon' must be a date"),
        ({"prompt_day": "2024-13-01"}, "prompt_day '2024-13-01' must be a date"),
        ({"one_click_day": ""}, "one_click_day '' must be a date"),
    ],
)
def test_settings_that_can_not_be_are_refused(given, words):
    with pytest.raises(InputError, match=words):
        ProviderSettings(**given)


@pytest.mark.parametrize(
    "settings",
    [
        ProviderSettings(providers_count=2, customers_per_provider=1.0, months_count=1),
        ProviderSettings(providers_count=5, months_count=2, first_day="2024-05-01"),
        replace(TINY, hostile_share=0.0, surveyed_share=0.0, leaking_share=0.0, copy_share=0.0),
    ],
)
def test_the_smallest_worlds_keep_their_contracts(settings):
    found, truth = provider_world.draw(settings)
    for name, table in found.items():
        tables.check(name, table)
    assert len(truth["leakage"]) == settings.providers_count


def test_quarters_are_those_of_the_calendar():
    settings = ProviderSettings(first_day="2024-05-01", months_count=3)
    assert list(settings.quarters.astype("datetime64[D]").astype(str)) == [
        "2024-04-01",
        "2024-07-01",
    ]
    assert list(settings.quarter_of(np.array([0.0, 60.99, 61.0, 80.0]))) == [0, 0, 1, 1]


def test_more_surveys_change_nothing_else():
    few, many = (drawn(replace(TINY, surveyed_share=share))[0] for share in (0.05, 0.5))
    assert len(many["surveys"]) > 5 * len(few["surveys"])
    for name in set(tables.PROVIDERS) - {"surveys"}:
        pd.testing.assert_frame_equal(few[name], many[name])


# the story's figures


def test_the_size_is_that_of_the_story(world, bookings, visits):
    assert world[0]["providers"]["provider_id"].nunique() == 300
    assert 7_500 < visits["customer_id"].nunique() <= 7_800
    assert 60_000 < len(bookings) < 100_000
    assert 0.88 < len(visits) / len(bookings) < 0.95
    assert set(bookings["status"]) == set(provider_tables.STATUSES)


@pytest.mark.parametrize("seed", [0, 1])
def test_ratings_are_the_story_s_at_default_size(seed):
    found, _ = drawn(replace(DEFAULT, seed=seed))
    visits = found["bookings"].drop_duplicates("booking_id").query("status == 'done'")
    ratings, surveys = found["ratings"], found["surveys"]
    count, rated = len(visits), len(ratings)
    assert near(rated / count, 0.41, count)
    assert near((ratings["stars"] == 5).mean(), 0.97, rated)
    assert near((ratings["stars"] <= 3).mean(), 0.02, rated)
    assert near((ratings["text_length_count"] > 0).mean(), 0.15, rated)
    assert near(len(found["complaints"]) / count, 0.04, count)
    assert near((visits["tip_eur"] > 0).mean(), 0.22, count)
    assert near(len(surveys) / count, 0.05, count)
    answered = surveys["satisfaction_points"].notna()
    assert near(answered.mean(), 0.30, len(surveys))
    assert near(visits["reminded"].mean(), 0.30, count)


def test_what_displeases_is_told_in_the_chat_and_not_in_stars(world):
    found = world[0]
    complaints = found["complaints"]
    assert 0.7 < (complaints["channel"] == "chat").mean() < 0.85
    assert len(complaints) > 4 * (found["ratings"]["stars"] <= 3).sum()
    assert complaints["booking_id"].isna().any()
    assert set(complaints["topic"]) == set(provider_tables.TOPICS)


def test_the_dissatisfied_stay_silent_and_give_five_stars_if_they_rate(world, visits):
    complained = visits["booking_id"].isin(world[0]["complaints"]["booking_id"])
    ratings = world[0]["ratings"].set_index("booking_id")["stars"]
    rated = visits["booking_id"].isin(ratings.index)
    assert apart(rated[~complained], rated[complained]) > ERRORS
    stars = ratings.reindex(visits["booking_id"][complained & rated])
    assert (stars == 5).mean() > 0.9


def test_a_reminder_moves_who_rates_and_not_how_satisfied_they_are(world, visits):
    found = world[0]
    on = visits["reminded"]
    rated = visits["booking_id"].isin(found["ratings"]["booking_id"])
    assert rated[on].mean() - rated[~on].mean() > 0.1
    for same in (
        visits["tip_eur"] > 0,
        visits["booking_id"].isin(found["complaints"]["booking_id"]),
    ):
        assert abs(apart(same[on], same[~on])) < ERRORS
    points = found["surveys"].set_index("booking_id")["satisfaction_points"].dropna()
    reminded = visits.set_index("booking_id")["reminded"].reindex(points.index).fillna(False)
    assert abs(apart(points[reminded], points[~reminded])) < ERRORS
    bookings = found["bookings"]
    assert not bookings.loc[bookings["status"] != "done", "reminded"].any()


def test_product_changes_move_answers_on_their_day_and_satisfaction_not(world, visits):
    found = world[0]
    later = visits["occurred_at"] >= DEFAULT.day_of("prompt_day")
    rated = visits["booking_id"].isin(found["ratings"]["booking_id"])
    assert rated[later].mean() - rated[~later].mean() > 0.08
    surveys = found["surveys"]
    one_click = surveys["occurred_at"] >= DEFAULT.day_of("one_click_day")
    answered = surveys["satisfaction_points"].notna()
    assert answered[one_click].mean() > 1.3 * answered[~one_click].mean()
    points = surveys["satisfaction_points"]
    assert abs(apart(points[one_click].dropna(), points[~one_click].dropna())) < ERRORS
    waited = surveys["known_at"] - surveys["occurred_at"]
    assert (waited[~answered] >= 7 * DAY).all()
    assert (waited[answered] < 7 * DAY).mean() > 0.99


def test_a_base_is_found_for_every_share():
    odds = np.random.default_rng(1).normal(0, 2, 1000)
    for share in (0.001, 0.3, 0.99):
        base = provider_responses.base_for(share, odds)
        assert expit(base + odds).mean() == pytest.approx(share)
    assert provider_responses.base_for(0.3, np.empty(0)) == 0


# providers


def test_names_differ_and_some_are_hostile_and_some_cities_are_missing(world):
    first = world[0]["providers"].drop_duplicates("provider_id")
    names = first["name"]
    assert not names.duplicated().any()
    hostile = names[names.isin(HOSTILE)]
    assert len(hostile) == 4
    assert near(first["city"].isna().mean(), DEFAULT.missing_share, len(first))
    again = world[0]["providers"].groupby("provider_id")["name"].nunique()
    assert 1 < (again == 2).sum() < 40
    few = drawn(TINY)[0]["providers"]["name"]
    assert few[few.isin(HOSTILE)].nunique() == 4


def test_quality_is_standard_normal_and_moves_slowly_and_a_few_jump():
    path = provider_lives.draw_quality(20_000, 10, np.random.default_rng(3))
    assert np.abs(path.mean(axis=0)).max() < ERRORS / np.sqrt(20_000)
    assert np.abs(path.std(axis=0) - 1).max() < ERRORS / np.sqrt(2 * 20_000)
    steps = np.diff(path, axis=1)
    assert 0.96 < np.corrcoef(path[:, 0], path[:, 1])[0, 1] < 0.98
    assert 0.003 < (np.abs(steps) > 1).mean() < 0.02
    assert np.median(np.abs(steps)) < 0.2


def test_quality_shows_in_what_customers_do_and_hardly_in_stars(world, visits):
    found, truth = world
    quality = truth["quality"].groupby("provider_id")["quality"].mean()
    known = visits.groupby("provider_id").size()
    known = known.index[known >= 100]
    late = (visits["occurred_at"] - visits["promised_at"]) > pd.Timedelta(minutes=15)
    favourites = found["favourites"]
    bookings = found["bookings"]
    measures = {
        "stars": found["ratings"].groupby("provider_id")["stars"].mean(),
        "favourites": per_visit(favourites[favourites["added"]], visits),
        "tips": per_visit(visits[visits["tip_eur"] > 0], visits),
        "complaints": per_visit(found["complaints"], visits),
        "blacklist": per_visit(found["blacklist"], visits),
        "late": per_visit(visits[late], visits),
        "cancelled": per_visit(bookings[bookings["status"] == "cancelled by provider"], visits),
        "survey": found["surveys"].groupby("provider_id")["satisfaction_points"].mean(),
    }
    rho = {
        name: spearmanr(values.reindex(known), quality.reindex(known), nan_policy="omit")[0]
        for name, values in measures.items()
    }
    assert abs(rho["stars"]) < 0.35
    assert min(rho["favourites"], rho["tips"], -rho["complaints"]) > 0.45
    assert min(rho["favourites"], rho["tips"]) > rho["stars"] + 0.2
    assert rho["blacklist"] < -0.15
    assert rho["survey"] > 0.15
    assert max(rho["late"], rho["cancelled"]) < -0.15


def test_size_and_appeal_say_nothing_of_quality_but_appeal_gathers_the_generous(lived):
    market, happened = lived
    quality = market.providers.quality.mean(axis=1)
    for name in ("size", "appeal", "first_pull", "office_pull", "price"):
        assert abs(spearmanr(getattr(market.providers, name), quality)[0]) < 0.2, name
    rows = happened.bookings
    mean = np.bincount(rows["provider"], market.customers.level[rows["customer"]], minlength=300)
    mean = mean / np.maximum(np.bincount(rows["provider"], minlength=300), 1)
    assert spearmanr(mean, market.providers.appeal)[0] > 0.5


def test_punctuality_is_partly_quality_and_partly_its_own():
    providers = provider_lives.draw_providers(
        ProviderSettings(providers_count=2000), np.random.default_rng(1)
    )
    usual = providers.quality.mean(axis=1)
    for values in (providers.punctual, providers.reliable):
        assert 0.33 < np.corrcoef(values, usual)[0, 1] < 0.47
    effect = np.corrcoef(providers.effect[:, 0], providers.quality[:, 0])[0, 1]
    assert -0.77 < effect < -0.64
    # Shared quality alone makes these two alike.
    assert 0.1 < np.corrcoef(providers.punctual, providers.reliable)[0, 1] < 0.22


def test_some_providers_join_pause_leave_and_appeal(world):
    events = world[0]["provider_events"]
    counts = events["kind"].value_counts()
    assert set(counts.index) == set(provider_tables.KINDS)
    assert counts.min() >= 5
    left = events[events["kind"] == "left"].set_index("provider_id")["occurred_at"]
    before = events[~events["kind"].str.startswith("appeal ")]
    last = before.groupby("provider_id")["occurred_at"].max()
    assert (last[left.index] == left).all()  # only a decision may come later
    joined = world[0]["providers"].drop_duplicates("provider_id")["joined_at"]
    assert 0.2 < (joined > DEFAULT.first_at).mean() < 0.4
    assert events["note"].isna().any()


# what happens


def test_nobody_is_booked_while_away(world, bookings):
    found = world[0]
    joined = found["providers"].drop_duplicates("provider_id").set_index("provider_id")
    promised = bookings["promised_at"]
    assert (promised >= bookings["provider_id"].map(joined["joined_at"])).all()
    events = found["provider_events"].pivot_table(
        index="provider_id", columns="kind", values="occurred_at", aggfunc="first"
    )
    times = {name: bookings["provider_id"].map(events[name]) for name in events}
    assert not (promised >= times["left"]).any()
    end = times["resumed"].fillna(DEFAULT.last_at)
    assert not ((promised >= times["paused"]) & (promised < end)).any()


def test_a_customer_books_one_thing_after_another(bookings):
    ordered = bookings.sort_values(["customer_id", "booked_at", "booking_id"])
    same = ordered["customer_id"] == ordered["customer_id"].shift()
    before = ordered["occurred_at"].shift()
    assert (ordered["booked_at"] > before)[same].all()
    assert (bookings["booked_at"] < bookings["promised_at"]).all()
    assert (bookings["occurred_at"] > bookings["booked_at"]).all()
    cancelled = bookings["status"].str.startswith("cancelled")
    assert (bookings["occurred_at"] <= bookings["promised_at"])[cancelled].all()
    assert (bookings["tip_eur"] == 0)[bookings["status"] != "done"].all()
    late = (bookings["occurred_at"] - bookings["promised_at"]) / pd.Timedelta(minutes=1)
    assert late[~cancelled].between(-40, 180).all()


def test_what_is_said_of_a_visit_comes_after_it(world, visits):
    began = visits[["booking_id", "occurred_at"]].rename(columns={"occurred_at": "began_at"})
    for name in ("ratings", "surveys", "complaints"):
        rows = world[0][name].dropna(subset="booking_id")
        both = rows.merge(began, on="booking_id")
        assert len(both) > 0.99 * len(rows), name
        assert (both["occurred_at"] > both["began_at"]).all(), name
    for name in ("favourites", "blacklist"):
        rows = world[0][name]
        first = visits.groupby(["customer_id", "provider_id"])["occurred_at"].min().rename("first")
        both = rows.merge(first.reset_index(), on=["customer_id", "provider_id"])
        assert len(both) > 0.99 * len(rows), name
        assert (both["occurred_at"] > both["first"]).all(), name


def test_nobody_books_whom_it_black_listed(world, bookings):
    refused = world[0]["blacklist"].rename(columns={"occurred_at": "refused_at"})
    both = bookings.merge(
        refused[["customer_id", "provider_id", "refused_at"]], on=["customer_id", "provider_id"]
    )
    assert len(refused) > 100
    assert (both["promised_at"] < both["refused_at"]).all()


def test_a_favourite_is_added_before_it_is_taken_away(world):
    rows = world[0]["favourites"].sort_values(["customer_id", "provider_id", "occurred_at"])
    turn = rows.groupby(["customer_id", "provider_id"]).cumcount()
    assert (rows["added"] == (turn % 2 == 0)).mean() > 0.999  # a row may be learned too late
    assert (~rows["added"]).sum() > 50


def test_the_loyal_and_the_pleased_come_back_to_the_same_provider(lived):
    market, happened = lived
    rows = pd.DataFrame({name: happened.bookings[name] for name in ("customer", "provider")})
    rows["pleasure"] = np.where(
        happened.bookings["status"] == DONE, happened.bookings["pleasure"], np.nan
    )
    before = rows.groupby("customer").shift()
    again = before["pleasure"].notna()
    same = (rows["provider"] == before["provider"])[again]
    loyal = market.customers.loyal[rows["customer"][again]]
    assert near(market.customers.loyal.mean(), 0.40, len(market.customers.loyal))
    assert same[loyal].mean() > 0.75 > 0.5 > same[~loyal].mean()
    pleased = before["pleasure"][again] > 0
    assert same[~loyal & pleased].mean() > same[~loyal & ~pleased].mean() + 0.15
    first = happened.bookings["number"] == 1  # there is nobody to come back to
    assert near(happened.bookings["chosen"][first].mean(), 0.55, first.sum())


def test_a_provider_is_drawn_by_its_weight(lived):
    market, _ = lived
    count = 40_000
    customer, none = np.zeros(count, int), np.zeros(count, bool)
    refused = np.zeros((len(market.customers.level), 300), bool)
    refused[0, 5] = True
    rng = np.random.default_rng(2)
    found = provider_choice.another(market, customer, np.full(count, 3.3), none, none, refused, rng)
    weight = np.exp(provider_choice.utility(market, customer[:1], none[:1], none[:1]))[0]
    weight *= market.providers.there(np.arange(300), np.array(3.3))
    weight[5] = 0.0
    wanted = weight / weight.sum()
    drawn_share = np.bincount(found, minlength=300) / count
    errors = np.sqrt(wanted * (1 - wanted) / count)
    assert (np.abs(drawn_share - wanted) <= ERRORS * errors).all()
    nobody = provider_choice.another(
        market, customer[:3], np.full(3, -1e9), none[:3], none[:3], refused, rng
    )
    assert list(nobody) == [-1, -1, -1]


def test_customers_stop_as_often_as_the_truth_says(lived):
    market, happened = lived
    rows = happened.bookings
    done = (rows["status"] == DONE) & ~rows["diverted"]
    effect = market.providers.effect[rows["provider"], rows["quarter"]]
    chance = expit(rows["rest"] + effect)[done]
    stopped = rows["stopped"][done]
    for part in np.array_split(np.argsort(effect[done]), 5):
        error = np.sqrt((chance[part] * (1 - chance[part])).sum())
        assert abs((stopped[part] - chance[part]).sum()) < ERRORS * error
    truth = provider_world.quality_table(happened, market)
    own = truth[truth["provider_id"] == market.providers.ids[7]]["drop_out_share"]
    rest = rows["rest"][rows["status"] == DONE]
    assert own.iloc[-1] == pytest.approx(
        expit(rest + market.providers.effect[7, -1]).mean(), abs=1e-3
    )


def test_better_providers_lose_fewer_customers_and_later_visits_are_safer(world, visits):
    truth = world[1]["quality"]
    assert spearmanr(truth["quality"], truth["drop_out_share"])[0] < -0.55
    assert 0.08 < truth["drop_out_share"].mean() < 0.12
    ordered = visits.sort_values(["customer_id", "occurred_at"])
    number = ordered.groupby("customer_id").cumcount()
    end = world[1]["customers"].set_index("customer_id")
    last = ~ordered.duplicated("customer_id", keep="last")
    stopped = last & (ordered["customer_id"].map(end["end"]) == "stopped")
    by_number = stopped.groupby(number).mean()
    assert by_number[0] > 1.3 * by_number[2] > 1.3 * by_number[8:12].mean()
    office = ordered["segment"] == "office"
    assert apart(stopped[~office], stopped[office]) > ERRORS


def test_whoever_ended_books_no_more(world, bookings):
    ended = world[1]["customers"].set_index("customer_id")
    at = bookings["customer_id"].map(ended["ended_at"])
    assert not (bookings["booked_at"] > at).any()
    assert ended["ended_at"].isna().eq(ended["end"] == "stays").all()
    assert set(ended["end"]) == set(provider_world.ENDS)


def test_only_providers_who_leak_divert_and_only_pleased_regulars(world, visits, lived):
    market, happened = lived
    rows = happened.bookings
    gone = rows["diverted"]
    assert market.providers.leaks.sum() == 18
    assert market.providers.leaks[rows["provider"][gone]].all()
    assert (rows["pleasure"][gone] > 0).all()
    truth = world[1]
    ended = truth["customers"].set_index("customer_id")
    last = visits.sort_values("occurred_at").drop_duplicates("customer_id", keep="last")
    diverted = last[last["customer_id"].map(ended["end"]) == "diverted"]
    pairs = visits.groupby(["customer_id", "provider_id"]).size()
    seen = pairs.reindex(pd.MultiIndex.from_frame(diverted[["customer_id", "provider_id"]]))
    assert (seen >= 2).mean() > 0.98  # of some visits we learn after the end of the world
    leaks = truth["leakage"].set_index("provider_id")
    assert (leaks["diverted_share"] > 0)[~leaks["leaks"]].sum() == 0
    counted = diverted.groupby("provider_id").size() / pairs.groupby("provider_id").size()
    assert np.allclose(counted.reindex(leaks.index).fillna(0), leaks["diverted_share"], atol=0.02)
    liked = world[0]["favourites"].query("added")[["customer_id", "provider_id"]]
    liked = pd.MultiIndex.from_frame(liked)
    mine = pd.MultiIndex.from_frame(diverted[["customer_id", "provider_id"]])
    assert mine.isin(liked).mean() > 2 * pairs.index.isin(liked).mean()


def test_a_smaller_marketplace_is_drawn_once_and_may_be_changed():
    first, _ = marketplace()
    first["bookings"]["amount_eur"] = -1.0
    second, truth = marketplace()
    assert (second["bookings"]["amount_eur"] > 0).all()
    assert len(truth["leakage"]) == 60
    assert 5_000 < len(second["bookings"]) < 12_000
