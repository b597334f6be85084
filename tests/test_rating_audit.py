"""The page about ratings: rows that can be counted by hand, no look ahead, and its verdicts."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from crm import at
from rating_worlds import plain_visits, rated, telling_world
from small_providers import marketplace, small_providers
from tierwise import files
from tierwise.accounts import known
from tierwise.files import InputError
from tierwise.providers import plots_ratings, rating_agreement, rating_changes, rating_response
from tierwise.providers import rating_audit as audit
from tierwise.providers import rating_page as page
from tierwise.providers import rating_words as words

UNTIL = pd.Timestamp("2026-03-01")
CHANGES = [{"name": "<b>prompt", "at": "2023-10-01"}, {"name": "click", "at": "2024-01-01"}]


def small(until=UNTIL, window_days=14.0, gone_days=30.0, **changed):
    rows = audit.audited(small_providers() | changed, until, window_days, gone_days)
    return rows.set_index("booking_id")


def parts_of(visits, least_ratings=20, changes=()):
    """All that the page is made of."""
    top = rating_response.filled(visits, audit.top_measure(visits), audit.TOP_ENDS)
    return {
        "figures": audit.figures(visits),
        "reliability": rating_agreement.reliability(visits),
        "agreement": rating_agreement.agreement(visits, least_ratings),
        "telling": rating_agreement.telling(visits, 6.0),
        "filled": top,
        "mean_stars": rating_response.filled(visits, visits["stars"].to_numpy(), audit.STARS_ENDS),
        "private": audit.privately(visits, 9.0, 6.0),
        "hidden": audit.hidden(visits, 6.0),
        "response": rating_response.response(visits),
        "by_provider": rating_agreement.by_provider(visits),
        "needed": rating_agreement.needed_table(rating_agreement.reliability(visits), 0.97),
        "changes": rating_changes.before_and_after(visits, changes, 13),
    }


def judged(visits):
    found = parts_of(visits)
    return page.judgement(*(found[n] for n in ("figures", "reliability", "agreement", "telling")))


def test_visits_ratings_and_surveys_are_those_that_one_counts_by_hand():
    rows = small()
    assert list(rows.index) == ["b1", "b4", "b2", "b5"]
    assert rows["stars"].fillna(0).to_dict() == {"b1": 5, "b4": 0, "b2": 3, "b5": 0}
    assert rows["with_text"].to_dict() == {"b1": False, "b4": False, "b2": True, "b5": False}
    assert rows["complaint"].to_dict() == {"b1": 0, "b4": 1, "b2": 1, "b5": 0}
    assert rows["asked"].to_dict() == {"b1": True, "b4": False, "b2": False, "b5": True}
    assert rows["points"].fillna(-1).to_dict() == {"b1": 9, "b4": -1, "b2": -1, "b5": -1}
    assert rows["stopped"].to_dict() == {"b1": 0, "b4": 1, "b2": 0, "b5": 1}


def test_figures_are_shares_of_what_is_named_beside_them():
    table = audit.figures(small().reset_index()).set_index("name")
    assert table["share"].to_dict() == {
        "rated": 0.5,
        "five stars": 0.5,
        "3 stars or fewer": 0.5,
        "with text": 0.5,
        "five stars, silence counted": 0.25,
        "complained": 0.5,
        "answered": 0.5,
    }
    assert all(low <= high for low, high in table["interval"])


def test_stars_that_come_after_the_window_are_silence():
    ratings = small_providers()["ratings"]
    late = ratings["booking_id"] == "b2"
    ratings.loc[late, ["occurred_at", "known_at"]] = pd.Timestamp("2026-01-20")
    assert small(ratings=ratings, window_days=10.0)["stars"].count() == 1
    assert small(ratings=ratings, window_days=20.0)["stars"].count() == 2


def test_a_rating_of_any_booking_of_a_job_rates_the_job():
    tables = small_providers()
    second = (
        tables["bookings"].iloc[[0]].assign(booking_id="b1b", occurred_at=at(4), promised_at=at(4))
    )
    for name in ("occurred_at", "promised_at"):
        second[name] = pd.to_datetime(second[name]).astype("datetime64[us]")
    bookings = pd.concat([tables["bookings"], second], ignore_index=True)
    ratings = tables["ratings"].assign(booking_id=["b1b", "b2"])
    rows = small(bookings=bookings, ratings=ratings)
    assert len(rows) == 4
    assert rows.loc["b1", "stars"] == 5


def test_only_what_was_known_counts_and_only_visits_whose_window_is_over():
    before = small(until=pd.Timestamp("2026-01-18"))
    assert list(before.index) == ["b1", "b2"]
    assert before["stopped"].isna().all()  # nobody can have stayed away for 30 days yet
    ratings = small_providers()["ratings"]
    ratings.loc[ratings["booking_id"] == "b2", "known_at"] = pd.Timestamp("2026-02-20")
    rows = small(ratings=ratings, until=pd.Timestamp("2026-02-01"))
    assert list(rows.index[rows["stars"].notna()]) == ["b1"]


def test_visits_of_which_none_was_rated_are_refused():
    with pytest.raises(InputError, match="None of 4 visits that are 0.1 days old was rated"):
        small(window_days=0.1)


def test_surveys_count_when_each_had_as_long_to_be_answered():
    """The longest, s2, was given up after 7 days; on the 11th that of the 4th counts, 7 days old,
    and that of the 10th does not, answered or not."""
    surveys = small_providers()["surveys"]
    surveys.loc[1, "satisfaction_points"] = 4.0
    rows = small(surveys=surveys, until=pd.Timestamp("2026-01-17 10:00"), window_days=1.0)
    assert list(rows.index[rows["asked"]]) == ["b1", "b5"]
    rows = small(surveys=surveys, until=pd.Timestamp("2026-01-17 09:00"), window_days=1.0)
    assert list(rows.index[rows["asked"]]) == ["b1"]


def test_nothing_that_is_learned_later_changes_a_row():
    tables, _ = marketplace()
    until = pd.Timestamp("2023-12-01")
    rows = audit.audited(tables, until, 14.0, 60.0)
    alone = audit.audited(known(tables, until), until, 14.0, 60.0)
    pd.testing.assert_frame_equal(rows, alone)
    shuffled = {name: part.sample(frac=1.0, random_state=1) for name, part in tables.items()}
    pd.testing.assert_frame_equal(rows, audit.audited(shuffled, until, 14.0, 60.0))


def test_bounds_at_41_and_97_percent_are_the_published_ones():
    assert audit.bounds(0.41, 0.97) == pytest.approx((0.3977, 0.9877))
    assert audit.bounds(1.0, 0.97) == pytest.approx((0.97, 0.97))
    assert "from 83% to 99%" in words.example()


def test_bounds_are_those_of_the_visits():
    visits, _ = telling_world(0)
    table = audit.figures(visits).set_index("name")["share"]
    bounds = audit.bounds(table["rated"], table["five stars"])
    found = rating_response.filled(visits, audit.top_measure(visits), audit.TOP_ENDS)
    assert found.set_index("way").loc["bounds", ["low", "high"]].tolist() == pytest.approx(bounds)
    assert table["five stars, silence counted"] == pytest.approx(bounds[0])


def test_what_the_unhappy_did_in_public_is_counted():
    visits = plain_visits(0, 4, 5)
    stars = np.tile([5.0, 5.0, 3.0, np.nan, np.nan], 4)
    points = np.tile([9.0, 3.0, 2.0, 4.0, 10.0], 4)
    visits = visits.assign(stars=stars, points=points, asked=True)
    found = audit.hidden(visits, 6.0)
    assert (found["unhappy_count"], found["silent_share"]) == (12, pytest.approx(1 / 3))
    assert found["five_star_share"] == pytest.approx(1 / 3)
    assert found["silent_points"] == pytest.approx(7 - 14 / 3)
    table = audit.privately(visits, 9.0, 6.0).set_index("group")
    assert table["asked_count"].tolist() == [8, 4, 8, 20]
    assert table["points"].tolist() == pytest.approx([6, 2, 7, 5.6])
    assert table["happy_share"].tolist() == pytest.approx([0.5, 0, 0.5, 0.4])
    assert (table["answered_share"] == 1).all()


def test_stars_that_tell_all_are_supported():
    kind, sentence = judged(telling_world(0)[0])
    assert kind == "supported"
    assert "of visits are rated" in sentence


def test_stars_that_do_not_differ_cannot_rank():
    visits = plain_visits(1)
    visits = rated(visits, np.where(np.arange(len(visits)) % 33 == 0, 3.0, 5.0), 0.4)
    kind, sentence = judged(visits)
    assert kind == "cannot rank"
    assert "do not differ beyond luck" in sentence
    assert "or more ratings" in sentence


def test_reliable_stars_that_say_nothing_of_deeds_are_not_supported():
    """Providers differ in their stars, and in nothing else."""
    visits, _ = telling_world(2)
    order = np.random.default_rng(0).permutation(len(visits))
    strangers = visits[["stopped", "complaint", "points"]].iloc[order].reset_index(drop=True)
    kind, sentence = judged(visits.assign(**strangers))
    assert kind == "not supported"
    assert "do not tell visits that ended badly" in sentence
    assert "asked by lot" in sentence


def test_too_few_ratings_are_not_supported_and_the_numbers_are_said():
    visits, _ = telling_world(3, provider_count=200, customer_count=400)
    found = rating_agreement.reliability(visits)
    few = replace(found, of_median=0.4, median_count=3.0)
    assert (
        "have 3 or fewer"
        in page.reasons(few, *(parts_of(visits)[n] for n in ("agreement", "telling")))[0]
    )


def test_sentences_hold_where_nothing_is_known():
    visits, _ = telling_world(0, customer_count=300)
    visits = visits.assign(reminded=False, asked=False, points=np.nan)
    assert "drew lots" in words.reminded(visits)
    assert "Nobody who was asked" in words.hidden(audit.hidden(visits, 6.0))
    table = rating_changes.before_and_after(visits, [], 26)
    assert "No change" in words.changed(table, [], 26)
    assert list(audit.privately(visits, 9.0, 6.0).columns) == audit.ANSWERED


def test_true_quality_is_read_where_somebody_knows_it(tmp_path):
    _, truth = marketplace()
    files.write_parquet(tmp_path / "quality.parquet", truth["quality"])
    found = audit.lasting_quality(tmp_path)
    assert len(found) == truth["quality"]["provider_id"].nunique()
    assert audit.lasting_quality(None) is None


@pytest.fixture(scope="module")
def visits():
    tables, _ = marketplace()
    return audit.audited(tables, pd.Timestamp("2024-07-01"), 14.0, 90.0)


@pytest.fixture(scope="module")
def parts(visits):
    return parts_of(visits, 20, CHANGES)


def test_the_simulated_marketplace_looks_as_it_was_told_to(parts):
    share = parts["figures"].set_index("name")["share"]
    assert share["rated"] == pytest.approx(0.42, abs=0.03)
    assert share["five stars"] == pytest.approx(0.97, abs=0.01)
    odds = parts["response"].table.set_index("feature")
    assert odds.loc["reminded", "low"] < 2.0 < odds.loc["reminded", "high"] + 0.2
    moved = parts["changes"].set_index(["change", "measure"])
    line = moved.loc[("<b>prompt", "rated")]
    assert line["low"] < 0.12 < line["high"]  # 0.6 in log odds, at 34 to 46 %
    assert line["shift"] > 0
    assert moved.loc[("click", "answered"), "shift"] > 0


def test_figures_are_drawn_with_one_mark_for_each_line(parts, visits):
    filled = plots_ratings.filled(parts["filled"])
    assert len(filled.axes[0].texts) == len(parts["filled"])
    odds = plots_ratings.odds(parts["response"].table)
    assert len(odds.axes[0].get_yticklabels()) == len(parts["response"].table)
    shown = rating_agreement.spaced(parts["by_provider"], 12, 5)
    assert plots_ratings.providers(shown, 0.97).axes
    agreed = plots_ratings.agreement(parts["agreement"])
    assert len(agreed.axes[0].get_yticklabels()) == len(parts["agreement"])
    drawn = rating_changes.drawn(visits, CHANGES, 13)
    figure = plots_ratings.changes(drawn, CHANGES, rating_changes.MEASURES)
    assert len(figure.axes) == len(drawn)


def test_tables_of_the_page_are_text_or_numbers_in_every_cell(parts):
    shown = [
        page.shown_odds(parts["response"]),
        page.shown_filled(parts["filled"], parts["mean_stars"]),
        page.shown_telling(parts["telling"]),
        page.shown_changes(parts["changes"]),
    ]
    for table in shown:
        assert len(table)
        assert (
            not table.map(lambda cell: str(cell) == "nan")
            .filter(regex="way|five|between")
            .any(axis=None)
        )
    cards = page.cards(plain_visits(), parts["figures"], parts["reliability"])
    assert [card["label"] for card in cards][:2] == [
        "visits that are rated",
        "five stars, of ratings",
    ]


def test_metrics_hold_the_verdict_and_what_it_rests_on(parts, tmp_path, monkeypatch):
    monkeypatch.setattr(files, "project_root", lambda start=None: tmp_path)
    about = {"application": "home", "simulated": True}
    about |= {"data_version": "0", "data_until": "2024-07-01"}
    page.save_metrics(about, parts)
    path = tmp_path / "metrics/home/rating_audit.json"
    told = files.read_json(path)
    first = path.read_bytes()
    page.save_metrics(about, parts)
    assert path.read_bytes() == first
    assert told["entity"] == "provider"
    assert told["verdict"] in ("supported", "not supported", "cannot rank")
    assert told["bounds"][0] < told["bounds"][1]
    assert {line["way"] for line in told["filled"]} >= {"bounds", "raters only"}
