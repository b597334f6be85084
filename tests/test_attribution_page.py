"""The page about attribution: figures add up, forecasts are judged, truth may be missing."""

import json
from functools import cache

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import growth_worlds as worlds
from crm import frame
from small_referrals import small_referrals
from tierwise import files, report, snapshot, tables
from tierwise.files import InputError
from tierwise.referrals import attribution_measured as am
from tierwise.referrals import attribution_page as page
from tierwise.referrals import attribution_tables as at
from tierwise.referrals import (
    chain_layout,
    chance_credits,
    generation_time,
    growth,
    growth_accounting,
    growth_judged,
    plots_growth,
    referral_chains,
    referral_data,
    sign_up_sources,
)

AS_OF = worlds.START + pd.Timedelta(days=worlds.UNTIL_DAYS)
LINK_K = worlds.K * 2 / 3
RULES = {"window_days": 30, "touch": "last"}
MINUTE = pd.Timedelta(minutes=1)


@cache
def world(seed=1, seeds_count=900):
    """Eight tables of a tree: two of three friends come by a link, the others by a shared item."""
    members = worlds.signed_up(*worlds.tree(seed, seeds_count=seeds_count))
    sender = members["sender_id"]
    by_link = sender.notna() & (members["person_id"] % 3 > 0)
    by_share = sender.notna() & ~by_link
    rows = {name: [] for name in tables.REFERRALS}
    rows["members"] = [(one.person_id, one.occurred_at, one.occurred_at, f"v{one.person_id}", None,
        None, None, None, ("press", "search")[one.person_id % 2], one.person_id % 10 == 0)
        for one in members.itertuples()]  # fmt: skip
    senders = members[members["person_id"].isin(sender[by_link])]
    rows["links"] = [(f"L{one.person_id}", one.person_id, "spring", "plain", 1.0, None,
        one.occurred_at, one.occurred_at) for one in senders.itertuples()]  # fmt: skip
    come = members[by_link]
    rows["clicks"] = [(f"c{one.person_id}", f"L{one.sender_id}", f"v{one.person_id}",
        one.occurred_at - MINUTE, one.occurred_at, None, None)
        for one in come.itertuples()]  # fmt: skip
    rows["invites"] = [(f"i{one.person_id}", one.person_id, f"L{one.person_id}", one.occurred_at,
        one.occurred_at, 4.0) for one in senders.itertuples()]  # fmt: skip
    rows["shares"] = [(f"s{one.person_id}", one.sender_id, "folder", f"v{one.person_id}",
        one.occurred_at - MINUTE, one.occurred_at)
        for one in members[by_share].itertuples()]  # fmt: skip
    rows["activity"] = [(one.person_id, one.occurred_at.floor("D"), one.occurred_at + MINUTE, 3.0)
        for one in members.itertuples()]  # fmt: skip
    return {name: frame(name, given) for name, given in rows.items()}


@cache
def measured():
    found = world()
    credits = referral_data.credited(found, RULES, AS_OF)
    return credits, am.carried(credits, AS_OF, 60.0), am.chains(credits)


@cache
def forecasts(days=30, count=4):
    asked = growth_judged.Asked(RULES, days)
    return growth_judged.earlier(world(), asked, AS_OF, count)


def members():
    return growth.with_senders(measured()[0], growth_judged.BY_MEMBERS)


def truth(**changed):
    """What the makers of `world` know: all came as credited, K and cycle as in growth_worlds."""
    credits = measured()[0]
    kind = am.kinds(credits).to_numpy()
    parents = {"person_id": credits["person_id"], "parent_id": credits["sender_id"], "kind": kind}
    rings = pd.DataFrame({"person_id": [], "ring_id": [], "kind": []})
    known = {"k": [LINK_K], "mean_wait_days": [worlds.MEAN_DAYS], "dispersion": [1.0]}
    tables = {"growth": pd.DataFrame(known), "rings": rings}
    return tables | {"parents": pd.DataFrame(parents).assign(**changed)}


def test_a_snapshot_is_read_and_that_of_another_set_is_refused(tmp_path):
    small_referrals()["members"].to_parquet(tmp_path / "never.parquet")
    raw = tmp_path / "raw"
    raw.mkdir()
    for name, rows in small_referrals().items():
        rows.to_parquet(raw / f"{name}.parquet", index=False)
    now = pd.Timestamp("2026-02-01")
    snapshot.fetch(raw, tmp_path / "snapshot", names=tables.REFERRALS, now=now)
    about, found = referral_data.read(tmp_path / "snapshot")
    assert list(found) == list(tables.REFERRALS)
    assert referral_data.morning(about) == pd.Timestamp("2026-01-09")
    credits = referral_data.credited(found, RULES, referral_data.morning(about))
    assert list(credits["person_id"]) == [1, 2, 3, 4]
    assert list(credits["sender_id"].fillna(0)) == [0, 1, 1, 2]
    told = files.read_json(tmp_path / "snapshot" / "snapshot.json")
    told["tables"].pop("invites")
    files.write_json(tmp_path / "snapshot" / "snapshot.json", told)
    with pytest.raises(InputError, match="set: referrals"):
        referral_data.read(tmp_path / "snapshot")


def test_truth_is_none_where_nobody_knows_it_and_needs_all_its_tables(tmp_path):
    assert referral_data.truth(None) is None
    with pytest.raises(InputError, match=r"influence\.parquet"):
        referral_data.truth(tmp_path)


def test_k_of_links_and_of_shared_items_add_up_and_hold_the_true_one():
    table = am.reproduction(measured()[1], 60.0).set_index("brought_by")
    parts = table.loc[[am.LINKS, am.SHARED]]
    assert parts["naive"].sum() == pytest.approx(table.loc[am.EITHER, "naive"])
    assert parts["brought_count"].sum() == table.loc[am.EITHER, "brought_count"]
    assert parts["k"].sum() == pytest.approx(table.loc[am.EITHER, "k"], rel=0.02)
    assert table.loc[am.EITHER, "low"] < worlds.K < table.loc[am.EITHER, "high"]
    assert (table["naive"] < table["k"]).all()


def test_with_too_few_friends_nothing_is_said_of_growth():
    few = measured()[0].head(40)
    with pytest.raises(InputError, match="it takes 20"):
        am.carried(few, AS_OF, 60.0)
    credits = measured()[0]
    alone = credits.assign(source=credits["source"].replace("click", "shared item"))
    found = am.carried(alone, AS_OF, 60.0)
    assert found[am.LINKS].growth is None
    assert am.main_kind(found) == am.EITHER
    assert am.main_kind(measured()[1]) == am.LINKS
    assert list(am.reproduction(found, 60.0)["brought_by"]) == [am.SHARED, am.EITHER]
    assert list(am.cycles(found)["brought_by"]) == [am.SHARED, am.EITHER]


def test_shares_add_up_to_one_and_stand_beside_what_was_said():
    table = am.shares(measured()[0], {"referral_share": 0.9, "shared_share": None})
    assert table["share"].sum() == pytest.approx(1)
    assert list(table["channel"][:2]) == ["link", "shared item"]
    assert table["expected"].notna().sum() == 1
    assert table["inside"].dropna().tolist() == [False]
    nobody_said = at.shown_shares(am.shares(measured()[0], None))
    assert "said_share" in at.shown_shares(table)
    assert "said_share" not in nobody_said
    report.table(nobody_said, at.SOURCE_FORMATS)


@pytest.mark.parametrize("rate", [0.0, 0.18])
def test_growth_of_a_steady_world_is_told(rate):
    days = np.repeat(
        np.arange(365), np.round(5 * (1 + rate) ** (np.arange(365) / am.MONTH_DAYS)).astype(int)
    )
    at_ = pd.Series(AS_OF - pd.to_timedelta(365 - days, unit="D") + MINUTE)
    value, low, high = am.monthly_growth(pd.DataFrame({"occurred_at": at_}), AS_OF)
    assert value == pytest.approx(rate, abs=0.01)
    assert low <= rate + 0.01
    assert high >= rate - 0.01
    assert "a month" in at.growth_told([value, low, high])


def test_growth_of_few_is_not_told():
    few = am.monthly_growth(measured()[0].head(30), AS_OF)
    assert np.isnan(few).all()
    assert "Too few" in at.growth_told(few)


def test_forecasts_know_nothing_of_what_came_after_their_morning():
    start = growth_judged.mornings(AS_OF, 30, 1)[0]
    known = {name: rows[rows["known_at"] < start] for name, rows in world().items()}
    before = growth_judged.made(known, growth_judged.Asked(RULES, 30), start)
    assert np.array_equal(before.drawn, forecasts()[-1].drawn)


def test_mornings_are_a_whole_forecast_apart_and_those_with_too_short_a_past_are_left_out():
    starts = growth_judged.mornings(AS_OF, 30, 4)
    assert [(AS_OF - start).days for start in starts] == [120, 90, 60, 30]
    assert [one.as_of for one in forecasts(count=6)] == starts
    assert growth_judged.earlier(world(), growth_judged.Asked(RULES, 170), AS_OF, 1) == []


def test_what_came_and_what_plain_rules_said_is_counted_from_sign_ups():
    table = growth_judged.against(forecasts(), members())
    ago = (AS_OF - members()["occurred_at"]) / pd.Timedelta(days=1)
    last = table.iloc[-1]
    assert last["actual"] == ((ago > 0) & (ago <= 30)).sum()
    before, earlier = ((ago > 30) & (ago <= 60)).sum(), ((ago > 60) & (ago <= 90)).sum()
    assert last["as_before"] == before
    assert last["as_grown"] == pytest.approx(before**2 / earlier)
    assert table["actual"].iloc[-2] == last["as_before"]
    assert (table["inside"] == table["actual"].between(table["low"], table["high"])).all()
    assert table["inside"].sum() >= 3


def test_errors_are_those_of_the_mornings_on_which_all_rules_spoke():
    table = pd.DataFrame({"expected": [50.0, 110.0], "actual": [100, 100],
        "as_before": [80, 70], "as_grown": [np.nan, 150.0]})  # fmt: skip
    found = growth_judged.errors(table)
    assert found == pytest.approx({"expected": 0.1, "as_before": 0.3, "as_grown": 0.5})
    assert "10.0 %" in at.errors_told(table)
    assert "No forecast" in at.errors_told(table.head(0))


def test_the_latest_forecast_by_generation_adds_up():
    table = growth_judged.latest(forecasts(), members())
    whole = table[table["generation"] == "all"].iloc[0]
    assert table["actual"].iloc[:-1].sum() == whole["actual"]
    assert table["expected"].iloc[:-1].sum() == pytest.approx(whole["expected"])
    assert growth_judged.latest([], members()).empty
    assert at.shown_generations(growth_judged.latest([], members())).empty
    assert at.shown_generations(table)["sign_ups"].tolist()[0] == "by themselves"


def judged(*inside):
    """Forecasts as judged, of which these held."""
    return pd.DataFrame({"made_at": AS_OF, "expected": 100.0, "low": 90.0, "high": 110.0,
        "actual": [100 if held else 200 for held in inside], "inside": inside,
        "as_before": 80, "as_grown": 90.0}, index=range(len(inside)))  # fmt: skip


@pytest.mark.parametrize(
    ("inside", "kind", "words"),
    [
        ((), "info", "no forecast yet"),
        ((True,), "supported", "held: it said 90 to 110 sign-ups, 100 came."),
        ((True, False), "not supported", "did not hold: it said 90 to 110 sign-ups, 200 came; of"),
    ],
)
def test_the_verdict_follows_the_latest_forecast(inside, kind, words):
    credits, carried, _ = measured()
    found = page.judgement(am.shares(credits, None), carried, judged(*inside))
    assert found[0] == kind
    assert words in found[1]
    assert "would have come anyway" in found[1]
    assert "does not carry itself; it turns each member who comes alone into 2." in found[1]


@pytest.mark.parametrize(
    ("low", "high", "words"),
    [
        (1.01, 1.3, "carries itself, and"),
        (0.9, 1.2, "can't be told yet"),
        (0.9, np.inf, "(0.90 to ∞)"),
        (0.5, 0.99, "does not carry itself"),
    ],
)
def test_whether_it_carries_itself_is_said_only_where_the_interval_leaves_no_doubt(
    low, high, words
):
    one = measured()[1][am.EITHER].growth
    given = growth.Growth(min(high, 0.99) if high < 1 else 1.1, low, high, 1.0, one.time)
    assert words in page.carries(given, None)
    within = growth.Growth(0.6, 0.5, 0.7, 1.0, one.time, 60.0)
    assert "within 60 days" in page.carries(within, within)


def test_cards_have_all_that_headline_takes_and_no_forecast_where_there_is_none():
    credits, carried, forest = measured()
    shares = am.shares(credits, {"referral_share": 0.35, "shared_share": 0.2})
    whole = page.cards(shares, carried, am.cycles(carried), judged(True), forest)
    assert [one["label"] for one in whole][-1] == "sign-ups since 30 June 2025"
    assert "said: 35.0 %" in report.headline(whole).data
    assert len(page.cards(shares, carried, am.cycles(carried), judged(), forest)) == len(whole) - 1
    nothing = page.card_of_share(shares.head(0), "link", "by links")
    assert nothing["value"] == "0.0 %"


def test_credited_against_true_is_perfect_where_all_came_as_credited():
    credits = measured()[0]
    table = am.against_truth(credits, truth())
    assert (table["credited_count"] == table["true_count"]).all()
    assert table["credited_count"].sum() == len(credits)
    assert (table[["right_share", "found_share"]] == 1).all(axis=None)
    assert am.against_truth(credits, None) is None


def test_a_credit_to_the_wrong_member_is_not_right():
    parents = truth()["parents"]
    wrong = parents["parent_id"].where(parents["kind"] != "link", parents["parent_id"] + 1)
    table = am.against_truth(measured()[0], truth(parent_id=wrong)).set_index("kind")
    assert table.loc["link", "right_share"] == 0
    assert table.loc[["shared item", "itself"], "right_share"].eq(1).all()
    alone = am.against_truth(measured()[0], truth(parent_id=pd.NA, kind="itself"))
    assert alone.set_index("kind").loc["link", "found_share"] == 0
    assert alone["true_share"].tolist() == [0, 0, 1]


def test_k_and_cycle_of_links_stand_beside_the_true_ones():
    credits, carried, _ = measured()
    table = am.growth_against_truth(carried, credits, AS_OF, truth())
    assert table["true"].tolist() == [LINK_K, worlds.MEAN_DAYS, worlds.MEAN_DAYS]
    assert table[["inside", "known_inside"]].all(axis=None)
    assert (table["naive"] < table["corrected"]).all()
    assert table["known"].to_numpy() == pytest.approx(table["corrected"].to_numpy(), rel=0.01)
    assert table["known"][:2].to_numpy() == pytest.approx(table["corrected"][:2].to_numpy())
    shown = at.shown_growth_truth(table)
    assert shown["held"].tolist() == shown["then_held"].tolist() == ["yes"] * 3
    for nobody in (at.shown_truth(None), at.shown_growth_truth(None)):
        assert "nobody knows" in report.table(nobody, at.growth_formats(None)).data


def waits(chance_share, seed=5, count=4000):
    """Waits of 20 days in the mean among members of up to a year, some of them by chance."""
    random = np.random.default_rng(seed)
    could_be, true = random.uniform(1, 400, count), random.gamma(1.5, 20 / 1.5, count)
    by_chance = random.uniform(size=count) < chance_share
    wait = np.where(by_chance, random.uniform(size=count) * could_be, true)
    seen = wait <= could_be
    return wait[seen], could_be[seen]


@pytest.mark.parametrize("share", [0.02, 0.1])
def test_few_credits_by_chance_lift_the_plain_mean_and_are_found(share):
    found = chance_credits.fit(*waits(share))
    assert found.low < 20 < found.high
    assert found.share_low < share < found.share_high
    assert generation_time.fit(*waits(share)).low > 20
    assert found.shape == pytest.approx(1.5, abs=0.15)


def test_without_credits_by_chance_both_means_agree():
    found, plain = chance_credits.fit(*waits(0.0)), generation_time.fit(*waits(0.0))
    assert found.share < 0.005
    assert found.mean_days == pytest.approx(plain.mean_days, rel=0.01)
    assert found.low < 20 < found.high


def test_the_cleaned_mean_has_intervals_that_hold_the_truth_nine_times_in_ten():
    found = [chance_credits.fit(*waits(0.05, seed, 500)) for seed in range(25)]
    held = [one.low < 20 < one.high for one in found]
    assert sum(held) in range(*map(int, stats.binom.interval(0.999, 25, 0.9) + np.array([0, 1])))
    assert np.mean([one.mean_days for one in found]) == pytest.approx(20, abs=0.5)


def test_without_a_truth_or_with_few_true_friends_nothing_is_compared():
    credits, carried, _ = measured()
    assert am.growth_against_truth(carried, credits, AS_OF, None) is None
    assert am.growth_against_truth(carried, credits, AS_OF, truth(kind="itself")) is None


def test_accounts_of_fraud_are_no_friends_in_the_true_figures_and_offices_are():
    credits, _, _ = measured()
    known, by_link = truth(), am.kinds(credits).eq("link").to_numpy()
    come = credits.loc[by_link, "person_id"].head(400)
    for kind, fewer in (("office", False), ("burst", True)):
        known["rings"] = pd.DataFrame({"person_id": come, "ring_id": "r", "kind": kind})
        found = am.by_true_parents(credits, known, AS_OF)
        assert (found.time.waits_count < by_link.sum() - 399) == fewer


def test_trees_are_laid_out_without_two_members_in_one_place():
    credits, _, forest = measured()
    occurred = credits.set_index("person_id")["occurred_at"]
    laid = chain_layout.laid_out(forest, occurred, 3, 20)
    ends = laid[~laid["person_id"].isin(laid["sender_id"])]
    assert ends["line"].is_unique
    assert laid["root_id"].nunique() == 3
    assert laid.groupby("root_id").size().max() <= 20
    assert laid.loc[laid["wave"] > 0, "sender_line"].notna().all()
    assert (laid["sender_at"].dropna() <= laid.loc[laid["wave"] > 0, "occurred_at"]).all()
    assert not laid[["occurred_at", "line"]].duplicated().any()


def test_campaigns_beyond_the_largest_are_one_line_and_add_up():
    names = ["campaign", "recipients_count", "click_count", "sign_up_count", "matured_count"]
    names += ["buyer_count", "amount_eur"]
    rows = [(f"c{one} " + "long " * 40, 9, 5, one, one, one // 2, 2.5 * one) for one in range(14)]
    table = pd.DataFrame(rows, columns=names)
    shown = at.shown_campaigns(table, 5)
    assert shown["sign_ups"].tolist() == [13, 12, 11, 10, sum(range(10))]
    assert shown["campaign"].iloc[-1] == "10 others"
    assert shown["campaign"].str.len().max() < 40
    for name, of in at.CAMPAIGN_COUNTS.items():
        assert shown[of].sum() == table[name].sum()
    assert shown["buyer_share"].between(0, 1).all()
    assert len(at.shown_campaigns(table.head(3))) == 3
    report.table(shown, at.CAMPAIGN_FORMATS)


def test_who_brought_others_stands_in_the_middle_of_them():
    #  1 brings 2, 3 and 5; 3 brings 4
    person, sender = pd.Series([1, 2, 3, 4, 5]), pd.Series([None, 1, 1, 3, 1])
    assert chain_layout.lines(sender, person).tolist() == [1, 0, 1, 1, 2]
    alone = referral_chains.forest(pd.DataFrame({"person_id": [1, 2], "sender_id": [None, None]}))
    nobody = chain_layout.laid_out(alone, pd.Series([AS_OF, AS_OF], [1, 2]))
    assert nobody.empty
    assert plots_growth.families(nobody, referral_chains.trees(alone))


def test_members_are_told_by_number_and_numbers_of_senders_add_up():
    credits, _, forest = measured()
    table = at.shown_senders(forest, credits, 5)
    assert (table["brought"] == table["by_links"] + table["by_shared_items"]).all()
    assert table["brought"].is_monotonic_decreasing
    brought = forest.set_index("person_id")["brought_count"]
    assert table["brought"].tolist() == brought[table["member"].astype("int64")].tolist()


def test_why_sign_ups_were_refused_is_said_in_words():
    found = small_referrals()
    credits = referral_data.credited(found, RULES, pd.Timestamp("2026-01-20"))
    shown = at.shown_refusals(credits)
    assert set(shown["refused"]) == {"same device", "not in time"}
    assert shown["means"].str.len().min() > 10


def test_young_cohorts_get_no_k_but_words():
    credits, carried, _ = measured()
    one = carried[am.LINKS]
    cohorts = growth.cohorts(one.brood, one.growth, "week")
    invited = growth.invited(growth.with_senders(credits), world()["invites"], AS_OF, "week")
    shown = at.shown_cohorts(cohorts, invited, 5)
    assert shown["k"].iloc[-1] == growth.EARLY
    assert pd.isna(shown["between"].iloc[-1])
    product = invited["invitations"] * invited["conversion"].fillna(0)
    assert product.to_numpy() == pytest.approx(invited["naive"].to_numpy())
    html = report.table(shown, at.COHORT_FORMATS).data
    assert growth.EARLY in html


def words_of(figure):
    return " ".join(
        text.get_text() for axes in figure.axes for text in [*axes.texts, *axes.get_legend().get_texts()]
    )  # fmt: skip


def test_figures_show_what_they_are_given():
    credits, carried, forest = measured()
    by_month = sign_up_sources.by_period(credits, "month")
    figure = plots_growth.sources(by_month, {"referral_share": 0.35, "shared_share": 0.2})
    heights = sorted(line.get_ydata()[0] for line in figure.axes[1].lines)
    assert heights == pytest.approx([0.35, 0.55])
    bars = figure.axes[0].patches
    assert sum(bar.get_height() for bar in bars) == len(credits)
    assert not plots_growth.sources(by_month).axes[1].lines
    occurred = credits.set_index("person_id")["occurred_at"]
    laid = chain_layout.laid_out(forest, occurred, 2, 10)
    figure = plots_growth.families(laid, referral_chains.trees(forest))
    assert "the first 10 shown" in words_of(figure)
    dots = sum(len(one.get_offsets()) for one in figure.axes[0].collections[1:])
    assert dots == len(laid)
    one = carried[am.EITHER]
    figure = plots_growth.waits(one.brood.waits_days, one.growth.time, am.cleaned(one))
    assert "without chance" in words_of(figure)
    assert sum(bar.get_height() for bar in figure.axes[0].patches) > 0.98
    accounted = growth_accounting.accounted(world()["activity"], AS_OF)
    figure = plots_growth.accounting(accounted)
    assert (
        sum(bar.get_height() for bar in figure.axes[0].patches[: len(accounted)])
        == accounted["new_count"].sum()
    )


def test_rare_channels_are_drawn_as_one():
    wide = pd.DataFrame({"link": [5], "a": [4], "b": [3], "c": [3], "d": [2], "e": [1], "f": [1]})
    found = plots_growth.few(wide)
    assert list(found) == ["link", "a", "b", "c", "d", "others"]
    assert found["others"].tolist() == [2]
    assert list(plots_growth.few(wide.drop(columns="f"))) == ["link", "a", "b", "c", "d", "e"]


def test_weeks_of_the_figure_hold_all_sign_ups_and_draws():
    counts = plots_growth.by_week(members()["occurred_at"], AS_OF - pd.Timedelta(days=70), AS_OF)
    ago = (AS_OF - members()["occurred_at"]) / pd.Timedelta(days=1)
    assert counts.sum() == ((ago >= 0) & (ago < 70)).sum()
    assert counts.index.max() == AS_OF - pd.Timedelta(days=3.5)
    one = forecasts()[-1]
    expected = one.drawn[:, :, :28].sum(axis=(1, 2)).mean()
    assert plots_growth.weekly(one)["expected"].sum() == pytest.approx(expected)
    figure = plots_growth.forecast(forecasts(), members(), AS_OF)
    assert len(figure.axes[0].collections) == len(forecasts())
    assert plots_growth.forecast([], members(), AS_OF).axes[0].lines


def test_cohorts_without_an_upper_end_are_drawn():
    one = measured()[1][am.LINKS]
    table = growth.cohorts(one.brood, one.growth)
    table.loc[0, "high"] = np.inf
    figure = plots_growth.cohorts(table, one.growth.k)
    assert np.isfinite(figure.axes[0].get_ylim()).all()


def test_what_is_stored_holds_no_member_in_the_metrics_and_is_equal_for_equal_input(
    tmp_path, monkeypatch
):
    for name in ("params.yaml", "dvc.yaml"):
        (tmp_path / name).write_text("")
    monkeypatch.chdir(tmp_path)
    credits, carried, forest = measured()
    shares = am.shares(credits, None)
    table = growth_judged.against(forecasts(), members())
    verdict = page.judgement(shares, carried, table)
    true = (
        am.against_truth(credits, truth()),
        am.growth_against_truth(carried, credits, AS_OF, truth()),
    )
    growing = am.monthly_growth(credits, AS_OF)
    figures = am.reproduction(carried, 60.0), am.cycles(carried), growing
    parts = page.parts_of(shares, carried, table, figures, true)
    about = {"application": "friends", "simulated": True}
    stored = []
    for _ in range(2):
        page.save_metrics(about, verdict, credits, forest, parts)
        paths = [files.metrics_path("friends", "attribution")]
        paths += [files.models_path("friends", "credits.parquet")]
        stored.append([path.read_bytes() for path in paths])
    assert stored[0] == stored[1]
    told = json.loads(stored[0][0])
    assert told["verdict"] == verdict[0]
    assert len(told["forecasts"]) == len(table)
    assert "person_id" not in stored[0][0].decode()
    assert "sender_id" not in stored[0][0].decode()
    back = files.read_parquet(files.models_path("friends", "credits.parquet"))
    assert back["sender_id"].equals(credits["sender_id"])
