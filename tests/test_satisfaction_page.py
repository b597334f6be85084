"""The page about satisfaction: known then, fair to providers, and no bolder than its figures."""

import numpy as np
import pandas as pd
import pytest

from small_providers import marketplace, small_providers
from tierwise import files, report
from tierwise.files import InputError
from tierwise.providers import satisfaction
from tierwise.providers import satisfaction_measured as sm
from tierwise.providers import satisfaction_page as page

UNTIL = pd.Timestamp("2024-07-01")
ASKED = sm.Asked()


@pytest.fixture(scope="module")
def world():
    return marketplace(3)


@pytest.fixture(scope="module")
def found(world):
    return sm.measured(world[0], UNTIL, ASKED)


@pytest.fixture
def project(tmp_path, monkeypatch):
    (tmp_path / "params.yaml").write_text("{}\n")
    (tmp_path / "dvc.yaml").write_text("{}\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_an_action_that_is_a_return_needs_a_weight_by_hand():
    with pytest.raises(InputError, match="rebooked_other is a return itself"):
        sm.Asked(actions=["tip", "rebooked_other"])
    assert len(ASKED.actions) >= 8
    assert set(ASKED.actions) - set(sm.DEEDS) == {"rebooked_same"}


def test_the_future_changes_nothing(world, found):
    past = {name: rows[rows["known_at"] < UNTIL] for name, rows in world[0].items()}
    again = sm.measured(past, UNTIL, ASKED)
    pd.testing.assert_frame_equal(again.quality.providers, found.quality.providers)
    pd.testing.assert_frame_equal(again.weights, found.weights)
    pd.testing.assert_frame_equal(sm.stars(past, UNTIL), sm.stars(world[0], UNTIL))


def test_scores_are_sums_of_published_weights_and_deeds_leave_returns_out(found):
    jobs, weights = found.jobs, found.weights["weight"]
    assert weights["rebooked_same"] == 0.5
    beside = jobs["score"] - jobs["deeds_score"]
    assert set(beside.round(9)) == {0.0, 0.5}
    assert jobs.loc[jobs["settled"], "score"].std() > 0


def test_older_visits_than_asked_for_do_not_count(world):
    short = sm.Asked(lookback_days=200.0)
    few = sm.measured(world[0], UNTIL, short).quality.providers["visit_count"].sum()
    jobs = sm.measured(world[0], UNTIL, sm.Asked(lookback_days=None)).quality.providers
    assert few < 0.6 * jobs["visit_count"].sum()
    assert short.since(UNTIL) == UNTIL - pd.Timedelta(days=200)


def test_stars_are_drawn_towards_all_the_more_the_fewer_there_are(world):
    table = sm.stars(world[0], UNTIL)
    mean = table["stars"].mean()
    assert ((table["stars"] - mean).abs() <= (table["stars_mean"] - mean).abs() + 0.02).all()
    assert sm.stars(world[0], UNTIL, 100.0)["ratings_count"].sum() < table["ratings_count"].sum()


def test_names_are_those_known_last_on_one_line():
    tables = small_providers()
    tables["providers"].loc[2, "name"] = "two\n lines"
    assert sm.names(tables, pd.Timestamp("2026-01-05"))[1] == "Blue Broom"
    assert sm.names(tables, pd.Timestamp("2026-01-20")).tolist() == [
        "Blue Broom & Sons",
        "two lines",
    ]


def test_generosity_is_what_customers_do_elsewhere():
    jobs = pd.DataFrame({"customer": [1, 1, 1, 2, 2, 3], "provider": list("aabbaa")})
    jobs = jobs.assign(score=[1.0, 3.0, 5.0, 0.0, 2.0, 9.0], settled=True)
    found = sm.Measured(jobs, pd.DataFrame(), None, None)
    # a: customer 1 gave 5 elsewhere (2 visits), customer 2 gave 0 (1); b: 2 by 1, 2 by 2.
    mean = pd.Series({"a": 10 / 3, "b": 2.0})
    expected = (mean - mean.mean()) / mean.std()
    assert page.elsewhere(found).to_dict() == pytest.approx(expected.to_dict())


def test_places_are_an_order_and_what_the_mean_flatters_it_takes_from_others(found):
    places = page.places(found)
    count = (found.quality.providers["said"] == satisfaction.TOLD).sum()
    assert sorted(places["place"]) == sorted(places["place_by_mean"]) == list(range(1, count + 1))
    assert places["change"].sum() == 0
    assert places["change"].corr(places["customers_elsewhere"], method="spearman") > 0.3


def test_whom_the_mean_flatters_comes_first_and_names_are_escaped(found):
    names = pd.Series("<b>", index=found.quality.providers.index)
    moved = page.moved(found, names, 6)
    rise = moved["place"] - moved["place_by_mean"]
    assert (rise[:3] > 0).all() and (rise[3:] < 0).all()  # noqa: PT018
    assert "<b>" not in report.table(moved, page.MOVED_FORMATS).data
    assert "&lt;b&gt;" in report.table(moved, page.MOVED_FORMATS).data


def test_every_provider_has_one_answer(found):
    said = page.said(found)
    assert said["providers_count"].sum() == len(found.quality.providers)
    assert said["because"].notna().all()


def test_weights_are_shown_with_the_share_of_visits(found):
    shown = page.shown_weights(found)
    assert len(shown) == len(ASKED.actions)
    assert shown["weight"].is_monotonic_decreasing
    assert shown["seen_share"].between(0, 1).all()


def test_in_a_simulated_marketplace_satisfaction_is_nearer_to_the_truth_than_stars(world, found):
    rows = world[1]["quality"]
    truth = rows.groupby("provider_id")["quality"].mean()
    true = page.against_truth(found, sm.stars(world[0], UNTIL), truth).set_index("measure")
    assert true.loc["quality", "agreement"] > 0.5
    assert true.loc["stars", "ahead_low"] > 0
    assert page.truth_sentence(true.reset_index()).startswith("These providers are simulated")


def test_where_nobody_knows_the_truth_it_is_said():
    none = page.against_truth(None, None, None)
    assert none.empty
    assert "Nobody knows" in page.truth_sentence(none)
    assert report.table(page.spoken(none)).data.count("<tr>") == 1
    assert page.true_quality(None, UNTIL, UNTIL) is None


def test_the_truth_is_that_of_the_quarters_looked_at(tmp_path):
    days = pd.to_datetime(["2023-01-01", "2023-04-01", "2024-01-01"]).as_unit("us")
    rows = pd.DataFrame({"provider_id": 7, "quarter": days, "quality": [9.0, 1.0, 2.0]})
    rows.to_parquet(tmp_path / "quality.parquet")
    found = page.true_quality(tmp_path, pd.Timestamp("2023-05-01"), pd.Timestamp("2024-02-01"))
    assert found.to_dict() == {7: 1.5}


def versus(low, high):
    lines = [{"measure": name, "agreement": 0.2, "low": 0.1, "high": 0.3} for name in page.MEASURES]
    return pd.DataFrame(lines).assign(ahead=(low + high) / 2, ahead_low=low, ahead_high=high)


@pytest.mark.parametrize(
    ("low", "high", "kind"),
    [(0.01, 0.1, "supported"), (-0.01, 0.1, "not supported"), (-0.2, -0.1, "not supported")],
)
def test_the_verdict_is_what_the_interval_allows(found, low, high, kind):
    told, sentence = page.judgement(found, versus(low, high))
    assert told == kind
    assert f"{low:.2f} to {high:.2f}" in sentence
    assert report.verdict(told, sentence)


def test_providers_who_are_alike_get_no_order(found):
    alike = satisfaction.Quality(found.quality.providers, 1.0, 0.0, 0.1)
    same = sm.Measured(found.jobs, found.weights, found.rhythm, alike)
    assert page.judgement(same, versus(0.1, 0.2))[0] == "cannot rank"
    assert page.known_share(same) == 0


def test_the_past_is_compared_with_the_quarter_after_it(world, found):
    rows = page.foretold(world[0], found, UNTIL, ASKED, 2)
    assert rows["quarter"].nunique() == 2
    line = page.compared(rows).set_index("measure")
    assert line["agreement"].between(-1, 1).all()
    start = rows["quarter"].iloc[0]
    past = {name: part[part["known_at"] < start] for name, part in world[0].items()}
    known = page.past(past, start, ASKED)
    mine = rows[rows["quarter"] == start]
    assert np.allclose(mine["quality"], known["quality"].reindex(mine.index), equal_nan=True)


def test_what_is_saved_comes_back_with_the_sentence(project, found):
    page.save("mine", found)
    table = files.read_parquet(project / "models/mine/satisfaction.parquet")
    assert table["provider_id"].tolist() == found.quality.providers.index.tolist()
    assert list(table)[1:] == list(found.quality.providers)
    none = page.against_truth(found, None, None)
    about = {"application": "mine", "simulated": True}
    page.save_metrics(about, found, versus(0.1, 0.2), versus(0.1, 0.2), none)
    told = files.read_json(project / "metrics/mine/satisfaction.json")
    assert (told["verdict"], told["simulated_truth"]) == ("supported", [])
    assert told["told_count"] + told["early_count"] <= told["providers_count"]
    assert [card["label"] for card in page.cards(found)]
