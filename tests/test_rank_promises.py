"""What ranks promise is judged by later visits alone, and said as it is."""

import numpy as np
import pandas as pd
import pytest

from ranked_providers import QUESTION, small_marketplace, until_of, untouched
from tierwise import files
from tierwise.applications import providers as asked
from tierwise.files import InputError
from tierwise.providers import badges, plots_ranks, ranks_page
from tierwise.providers import rank_promises as rp
from tierwise.providers import ranks as ra

NAMES = ranks_page.names_of(["basic", "good", "very good", "best"])


@pytest.fixture(scope="module")
def page():
    """All tables of the page, by name."""
    quarters, today, truth = untouched()
    tables, _ = small_marketplace()
    found = {"served": rp.served(quarters, today, QUESTION["stretch"])}
    found["rates"] = rp.by_rank(found["served"], NAMES)
    found["trends"] = rp.trends(found["served"])
    found["said"] = rp.measures(tables, quarters, QUESTION)
    found["against"] = rp.against_next(found["said"], found["served"])
    found["true"] = rp.against_known(found["said"], truth["quality"])
    found["kept"] = rp.kept_order(quarters, today)
    return found


def visits_of(shares, count=400, providers=40):
    """Visits by rank with the given shares of returns; complaints fall and favourites are even."""
    random = np.random.default_rng(3)
    rows = []
    for rank, share in shares.items():
        who = rank * 1000 + random.integers(0, providers, count)
        rows.append(
            pd.DataFrame(
                {
                    "provider": who,
                    "quarter": pd.Timestamp("2024-04-01"),
                    "rank": rank,
                    "returned": random.random(count) < share,
                    "complaint": random.random(count) < 0.3 - 0.06 * rank,
                    "favourite": random.random(count) < 0.1,
                }
            )
        )
    return pd.concat(rows, ignore_index=True).astype(dict.fromkeys(rp.OUTCOMES, "float64"))


def test_rates_by_rank_are_shares_with_intervals_around_them():
    rows = visits_of({1: 0.5, 2: 0.6, 3: 0.7, 4: 0.8})
    found = rp.by_rank(rows, NAMES).set_index("rank")
    expected = rows.groupby("rank")["returned"].mean()
    np.testing.assert_allclose(found["returned_share"], expected)
    assert (found["returned_low"] < found["returned_share"]).all()
    assert (found["returned_high"] > found["returned_share"]).all()
    assert found["visits_count"].tolist() == [400] * 4


def test_trends_tell_a_rise_a_fall_and_nothing():
    found = rp.trends(visits_of({1: 0.5, 2: 0.6, 3: 0.7, 4: 0.8})).set_index("outcome")
    assert found.loc["returned", "low"] > 1
    assert found.loc["complaints", "high"] < 1
    assert found.loc["favourites", "low"] < 1 < found.loc["favourites", "high"]


def test_ten_visits_of_one_provider_that_are_alike_count_as_one():
    rows = visits_of({1: 0.5, 4: 0.8}, count=60, providers=60)
    tenfold = pd.concat([rows] * 10, ignore_index=True)
    once, often = (rp.by_rank(part, {1: "basic", 4: "best"}) for part in (rows, tenfold))
    wide = [float((part["returned_high"] - part["returned_low"]).iloc[0]) for part in (once, often)]
    assert wide[1] == pytest.approx(wide[0], rel=0.05)


def test_no_trend_can_be_told_where_all_visits_ended_alike():
    found = rp.trends(visits_of({1: 1.0, 4: 1.0})).set_index("outcome")
    assert found.loc["returned", ["odds_ratio", "low", "high"]].isna().all()


def test_a_quarter_is_judged_by_its_own_visits_once_most_of_them_had_time(page):
    quarters, _, _ = untouched()
    served = page["served"]
    assert served["quarter"].max() < quarters[-1].seen.as_of
    for quarter, rows in served.groupby("quarter"):
        days = pd.Timestamp("2000-01-01") + pd.to_timedelta(rows["at_days"], unit="D")
        assert days.min() >= quarter
        assert days.max() < rp.after(quarter)
    assert (served["rank"] != ra.NEW).all()


def test_nothing_is_judged_before_customers_had_time_to_return():
    quarters, today, _ = untouched()
    with pytest.raises(InputError, match="None of 1 quarters .* can be judged"):
        rp.served(quarters[-1:], today, QUESTION["stretch"])


def test_every_measure_is_there_and_the_first_is_not_ahead_of_itself(page):
    against = page["against"].set_index("measure")
    assert list(against.index) == list(rp.MEASURES)
    assert against.loc[rp.SCORE, "ahead"] == 0
    assert set(badges.ORDERS) <= set(against.index)


def test_in_a_simulated_marketplace_satisfaction_finds_quality_better_than_stars_do(page):
    true = page["true"]
    quality = true[true["target"] == rp.TRUTHS[0]].set_index("measure")["agreement"]
    assert quality[rp.ALONE] > 0.45
    assert quality[rp.ALONE] > quality["star mean"] + 0.2
    assert rp.against_known(page["said"], None).empty


def test_the_order_of_a_morning_is_found_again_in_the_quarter_that_follows(page):
    first = page["kept"].iloc[0]
    assert first["quarters_later"] == 1
    assert first["low"] > 0


# the page


def test_the_verdict_names_the_rules_that_are_as_good():
    quarters, _, _ = untouched()
    rates = rp.by_rank(visits_of({1: 0.5, 2: 0.6, 3: 0.7, 4: 0.8}), NAMES)
    trends = rp.trends(visits_of({1: 0.5, 2: 0.6, 3: 0.7, 4: 0.8}))
    against = pd.DataFrame({"measure": list(rp.MEASURES), "agreement": 0.3, "ahead_low": 0.1})
    against.loc[against["measure"] == "return rate", "ahead_low"] = -0.1
    kind, sentence = ranks_page.judgement(quarters, rates, trends, against)
    assert kind == "supported"
    assert "Superhost, job success and defect rate; as good as return rate" in sentence
    against["ahead_low"] = -0.1
    kind, sentence = ranks_page.judgement(quarters, rates, trends, against)
    assert kind == "not supported"
    assert "Better than no rule; as good as star mean" in sentence


def test_without_a_trend_nothing_is_supported():
    quarters, _, _ = untouched()
    rows = visits_of({1: 0.7, 2: 0.7, 3: 0.7, 4: 0.7})
    against = pd.DataFrame({"measure": list(rp.MEASURES), "agreement": 0.3, "ahead_low": 0.1})
    kind, _ = ranks_page.judgement(quarters, rp.by_rank(rows, NAMES), rp.trends(rows), against)
    assert kind == "not supported"


def test_the_table_that_is_handed_over_has_a_row_per_provider_and_quarter(page, tmp_path):
    quarters, _, _ = untouched()
    tables, _ = small_marketplace()
    public = [asked.figures(tables, one.seen, QUESTION) for one in quarters]
    ahead = quarters[-1].ranks["rank"]
    whole = ranks_page.table(quarters, public, page["said"], ahead)
    assert not whole.duplicated(["provider_id", "quarter"]).any()
    assert len(whole) == sum(len(one.ranks) for one in quarters)
    latest = whole["quarter"] == whole["quarter"].max()
    assert whole.loc[~latest, "projected_rank"].isna().all()
    assert whole.loc[latest, "projected_rank"].notna().all()
    wanted = ["score", "rank", "held_by", "reason", "punctual_low", "favourites_share"]
    wanted += ["complaints_high", "cancelled_share", "stars_mean", "satisfaction_said"]
    wanted += ["drop_out_share", "drop_out_said", "chance_4", "level", "certainty", "cuts"]
    assert set(wanted) <= set(whole.columns)
    files.write_parquet(tmp_path / "a.parquet", whole)
    called = ranks_page.public_names(tables, until_of(tables))
    shown = ranks_page.shown(whole, NAMES, called)
    assert len(shown) == 16
    assert set(shown["rank"]) <= set(NAMES.values())


def test_pages_say_how_many_changed_and_why():
    from tierwise.providers import rank_quarters

    quarters, _, _ = untouched()
    changed = rank_quarters.changes(quarters)
    moves = ranks_page.moves(changed, quarters)
    assert (moves["up_count"] + moves["down_count"] == moves["changed_count"]).all()
    cards = ranks_page.cards(quarters, changed, 0.05)
    assert "5.0 % would if no provider changed" in cards[2]["note"]


def test_figures_can_be_drawn_with_and_without_a_known_truth(page):
    quarters, _, _ = untouched()
    called = NAMES
    figures = [
        plots_ranks.spread(ranks_page.spread(quarters, called)),
        plots_ranks.scores(quarters[-1].ranks, quarters[-1].year.rules.cuts),
        plots_ranks.by_rank(page["rates"]),
        plots_ranks.agreement({"returns": page["against"]}),
        plots_ranks.agreement(rp.by_target(page["true"])),
        plots_ranks.agreement(rp.by_target(rp.against_known(page["said"], None))),
    ]
    assert all(figure.axes for figure in figures)


def test_more_ranks_than_colours_are_refused():
    with pytest.raises(InputError, match="5 ranks; there are colours for 4"):
        plots_ranks.colours(6)
