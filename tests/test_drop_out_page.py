"""The page about drop-out: naive rules beside ours, no verdict beyond its figures, truth apart."""

import numpy as np
import pandas as pd
import pytest

from provider_worlds import UNTIL_DAYS, drop_out_world, last_provider_rate, window_rate
from small_providers import marketplace
from tierwise import files, report
from tierwise.providers import drop_out_measured as dm
from tierwise.providers import drop_out_page as page
from tierwise.providers import off_platform
from tierwise.providers import satisfaction_measured as sm

UNTIL = pd.Timestamp("2024-07-01")
ASKED = sm.Asked()


@pytest.fixture(scope="module")
def world():
    return marketplace(3)


@pytest.fixture(scope="module")
def found(world):
    return dm.measured(world[0], UNTIL, ASKED)


@pytest.fixture(scope="module")
def truth(world, tmp_path_factory):
    folder = tmp_path_factory.mktemp("truth")
    for name, rows in world[1].items():
        rows.to_parquet(folder / f"{name}.parquet")
    return dm.true_rates(folder)


@pytest.fixture
def project(tmp_path, monkeypatch):
    (tmp_path / "params.yaml").write_text("{}\n")
    (tmp_path / "dvc.yaml").write_text("{}\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_naive_rates_are_the_rules_that_everybody_knows():
    visits, _ = drop_out_world(0, provider_count=20, customer_count=400)
    found = dm.naive(visits, UNTIL_DAYS)
    assert np.allclose(found["window_rate"], window_rate(visits, 30.0))
    assert np.allclose(found["last_rate"], last_provider_rate(visits, 90.0))


def test_rates_stand_beside_the_naive_ones_for_every_provider(world, found):
    table = found.table
    assert {"rate", "window_rate", "last_rate", "off_platform_chance", "said"} <= set(table)
    assert table[["rate", "window_rate", "off_platform_chance"]].notna().all().all()
    assert table["visit_count"].sum() == len(found.pleased.jobs)


def test_the_future_changes_nothing(world, found):
    past = {name: rows[rows["known_at"] < UNTIL] for name, rows in world[0].items()}
    again = dm.measured(past, UNTIL, ASKED)
    pd.testing.assert_frame_equal(again.table, found.table)


def test_in_a_simulated_marketplace_rates_are_right_on_average_and_the_window_far_off(found, truth):
    ways = page.bias(found, truth).set_index("way")
    own, window = (ways.loc[page.WORDS[name]] for name in ("stays", "window_stays"))
    assert abs(own["difference"]) < 0.02
    assert window["difference"] > 0.1
    assert own["agreement"] > window["agreement"]
    assert set(page.shown_bias_formats(ways.reset_index())) == set(page.BIAS_FORMATS)


def test_without_a_truth_rules_are_compared_with_ours(found):
    ways = page.bias(found, None)
    assert ways["difference"].tolist()[0] == 0
    assert list(ways) == ["way", "mean_rate", "difference"]
    assert set(page.shown_bias_formats(ways)) == {"mean_rate", "difference"}
    assert dm.true_rates(None) is None


def test_of_those_who_lose_most_names_are_escaped_and_differences_add_up(found):
    names = pd.Series("<b>", index=found.table.index)
    shown = page.lost(found, names, 5)
    assert np.allclose(shown["beyond"], shown["lost"] - shown["expected"])
    assert shown["beyond"].is_monotonic_decreasing
    assert "<b>" not in report.table(shown, page.LOST_FORMATS).data
    assert "<b>" not in report.table(page.suspects(found, names, 5), page.SUSPECT_FORMATS).data


def test_a_silence_says_more_of_a_regular_customer(found):
    table = dm.silences(found).pivot(index="days", columns="customer", values="chance")
    assert table.loc[30, "comes every week"] > table.loc[30, "comes every month"]
    assert (table.diff().iloc[1:] >= 0).all().all()
    assert table.loc[0].to_numpy() == pytest.approx(found.average)


def test_thirds_are_of_those_told_and_about_equal(world):
    group = dm.thirds(world[0], UNTIL - pd.Timedelta(days=150))
    assert group.value_counts().max() - group.value_counts().min() <= 1
    assert set(group) == set(dm.GROUPS)


def test_customers_of_providers_who_lose_many_come_back_less(world, found):
    curves = dm.curves(world[0], found, UNTIL, 200.0)
    late = curves[curves["days"] == 120].set_index("group")["share"]
    assert late[dm.GROUPS[2]] > late[dm.GROUPS[0]]


def test_the_past_is_compared_with_the_quarter_after_it(world, found):
    rows = dm.foretold(world[0], found, UNTIL, 2)
    assert set(dm.MEASURES) <= set(rows)
    start = rows["quarter"].iloc[0]
    past = {name: part[part["known_at"] < start] for name, part in world[0].items()}
    known = dm.past(past, found.pleased.jobs, start)
    mine = rows[rows["quarter"] == start]
    assert np.allclose(mine["stays"], known["stays"].reindex(mine.index), equal_nan=True)
    assert page.spoken(page.compared(rows))["ordered_by"].notna().all()


def versus(low, high):
    lines = [{"measure": name, "agreement": 0.2, "low": 0.1, "high": 0.3} for name in dm.MEASURES]
    return pd.DataFrame(lines).assign(ahead=(low + high) / 2, ahead_low=low, ahead_high=high)


@pytest.mark.parametrize(
    ("low", "high", "kind"), [(0.01, 0.1, "supported"), (-0.01, 0.1, "not supported")]
)
def test_the_verdict_is_what_the_interval_allows(found, low, high, kind):
    told, sentence = page.judgement(found, versus(low, high))
    assert told == kind
    assert f"{low:.2f} to {high:.2f}" in sentence


def test_where_no_interval_leaves_the_average_no_order_is_shown(found):
    table = found.table.assign(low=0.0, high=1.0)
    alike = dm.Found(found.pleased, found.fitted, table, found.average, found.off)
    assert page.apart(alike) == (0, 0)
    assert page.judgement(alike, versus(0.1, 0.2))[0] == "cannot rank"


def flags(found, chances, told_apart=True):
    said = np.where(np.array(chances) >= 0.5, off_platform.LOOK, off_platform.NOTHING)
    table = found.table.head(len(chances)).assign(
        off_platform_chance=chances, off_platform_said=said
    )
    ratio = 50.0 if told_apart else 0.0
    off = off_platform.OffPlatform(found.off.providers, 0.1, {}, ratio)
    return dm.Found(found.pleased, found.fitted, table, found.average, off)


def test_precision_and_recall_are_those_counted_by_hand(found):
    four = flags(found, [0.9, 0.8, 0.1, 0.2])
    truth = pd.DataFrame({"leaks": [True, False, True, False]}, index=four.table.index)
    figures = dm.caught(four.table, truth)
    assert (figures["precision"], figures["recall"]) == (0.5, 0.5)
    assert figures["expected_count"] == pytest.approx(2.0)
    assert "1 of the 2 do, and 1 of 2 were not found" in page.suspicion(four, figures)
    assert page.precision_interval(figures)["precision_interval"] == pytest.approx(
        [0.0945, 0.9055], abs=1e-3
    )


def test_without_truth_it_is_a_list_to_look_at_and_no_proof(found):
    told = page.suspicion(flags(found, [0.9, 0.1]), dm.caught(found.table, None))
    assert told.endswith("Look at them; it is no proof.")
    nothing = page.suspicion(flags(found, [0.1, 0.1], told_apart=False), {})
    assert nothing.startswith("Nothing shows")
    assert page.precision_interval({}) == {}


def test_nobody_flagged_has_no_precision(found):
    none = flags(found, [0.1, 0.2])
    truth = pd.DataFrame({"leaks": [False, False]}, index=none.table.index)
    figures = dm.caught(none.table, truth)
    assert np.isnan(figures["precision"]) and np.isnan(figures["recall"])  # noqa: PT018
    assert page.precision_interval(figures) == {}


def test_what_is_saved_comes_back_with_the_sentence(project, found, truth):
    page.save("mine", found)
    table = files.read_parquet(project / "models/mine/drop_out.parquet")
    assert table["provider_id"].tolist() == found.table.index.tolist()
    assert {"rate", "low", "high", "said", *page.STORED} <= set(table)
    assert "window_rate" not in table
    about = {"application": "mine", "simulated": True}
    figures = dm.caught(found.table, truth)
    page.save_metrics(about, found, versus(0.1, 0.2), page.bias(found, truth), figures)
    told = files.read_json(project / "metrics/mine/drop_out.json")
    assert told["verdict"] == "supported"
    assert told["off_platform"]["simulated_truth"]["leaking_count"] == figures["leaking_count"]
    assert len(page.cards(found)) == 4
    assert len(page.pleasing(found)) <= len(page.told(found))
    assert page.flagged(found).sum() == told["off_platform"]["flagged_count"]
