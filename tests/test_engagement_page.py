"""The page about engagement: judged on later days, points and groups that add up, truth apart."""

import json
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from figures import STRANGE, drawn_twice, untried
from small_customers import shoppers
from tierwise import draws, files, plots, report
from tierwise import paired_intervals as pi
from tierwise.applications import customers
from tierwise.customers import activity_groups as ag
from tierwise.customers import engagement, event_file, points
from tierwise.customers import engagement_judged as ej
from tierwise.customers import engagement_page as page
from tierwise.customers import engagement_stored as stored
from tierwise.customers import event_catalogue as ec
from tierwise.customers import learned_points as lp
from tierwise.customers import plots_engagement as pe
from tierwise.customers import point_weights as pw
from tierwise.files import InputError

ROOT = Path(__file__).parents[1]
UNTIL = pd.Timestamp("2024-03-31").as_unit("us")
DAY = pd.Timedelta(days=1)
QUESTION = {
    "entity": "customer",
    "horizons_days": [30.0],
    "look_every_days": 30.0,
    "looks_count": 11,
    "lookback_days": [30.0],
}
SETTINGS = ej.Settings(((30.0,), (30.0, 120.0)), ("visit",), 5, 2)
SHARES = {"A": 0.2, "B": 0.3, "C": 0.5}


@pytest.fixture(scope="module")
def rules():
    """The example that comes with the project."""
    return event_file.read(ROOT / "event_catalogue.yaml")


@pytest.fixture(scope="module")
def world():
    return shoppers(people_count=600)


@pytest.fixture(scope="module")
def given(world, rules):
    return customers.given(world[0], UNTIL, rules.ids)


@pytest.fixture(scope="module")
def rows(given, rules):
    found = engagement.with_points(customers.examples(given, QUESTION), given.events, rules)
    return ej.with_faded(found, given.events, ej.designs(rules.ids, SETTINGS))


@pytest.fixture(scope="module")
def judged(rows, rules):
    return one_judged(rows, rules)


def one_judged(rows, rules):
    used = customers.columns(QUESTION, rules.ids)
    return ej.judged(ej.asked(rows, 30.0), ej.designs(rules.ids, SETTINGS), used, SETTINGS)


@pytest.fixture(scope="module")
def spells(given):
    return ag.spells(given.events, UNTIL)


@pytest.fixture(scope="module")
def today(rows):
    return rows[rows["as_of"] == UNTIL].reset_index(drop=True)


@pytest.fixture(scope="module")
def table(today, judged, spells, given):
    return engagement.now(today, {30.0: judged}, spells, given.people, SHARES)


@pytest.fixture(scope="module")
def book(given, rules):
    return points.built(rules, given.events, UNTIL)


@pytest.fixture(scope="module")
def last(given, rules, rows):
    past = engagement.replayed(given.events, rules, None, rows["as_of"])
    return engagement.tier_moves(past, SHARES)


@pytest.fixture(scope="module")
def weights(judged, today, rules, given, world):
    found = pw.weighed(judged, today, rules, 30.0)
    return pw.as_shares(found, stored.true_weights(world[1], given.events, today))


def with_luck(seed, count=400, looks=5, gain=1.0):
    """Two scores of people who are seen at several looks, and what came of it."""
    rng = np.random.default_rng(seed)
    person = np.tile(np.arange(count), looks)
    look = np.repeat(np.arange(looks), count)
    own = rng.normal(size=count)[person]
    wish = own + rng.normal(size=count * looks)
    outcome = (rng.random(count * looks) < 1 / (1 + np.exp(1 - wish))).astype(int)
    return outcome, gain * wish + rng.normal(size=len(wish)), own, look, person


def test_the_auc_is_that_of_scikit_learn_inside_each_look():
    outcome, one, _, look, _ = with_luck(0)
    one = np.round(one)  # ties
    parts = [look == number for number in range(5)]
    aucs = [roc_auc_score(outcome[part], one[part]) for part in parts]
    sizes = [min(outcome[part].sum(), (1 - outcome[part]).sum()) for part in parts]
    found = pi.auc_inside(outcome, one, look)
    assert found.value == pytest.approx(np.average(aucs, weights=sizes))
    assert found.influence.sum() == pytest.approx(0, abs=1e-12)


def test_intervals_are_those_of_drawing_people_and_looks_again():
    outcome, one, other, look, person = with_luck(1)
    gap = pi.difference(*(pi.auc_inside(outcome, score, look) for score in (one, other)))
    low, high = pi.interval(gap, look, person)
    drawn = draws.draw(look, person, 300)

    def ahead(part):
        aucs = (draws.auc_in_weeks(part, outcome, score) for score in (one, other))
        return np.subtract(*aucs)

    expected = draws.interval(drawn, ahead, -1.0, 1.0)
    assert high - low == pytest.approx(expected[1] - expected[0], rel=0.25)
    assert (low + high) / 2 == pytest.approx(sum(expected) / 2, abs=0.01)


def test_intervals_of_no_difference_hold_0_about_as_often_as_they_say():
    held = 0
    for seed in range(120):
        outcome, one, _, look, person = with_luck(seed, count=120)
        other = with_luck(seed, count=120)[1] - one  # what luck added, drawn anew
        rng = np.random.default_rng(1000 + seed)
        twin = one + other + rng.normal(size=len(one))
        alike = one + rng.normal(size=len(one))
        gap = pi.difference(*(pi.auc_inside(outcome, score, look) for score in (twin, alike)))
        low, high = pi.interval(gap, look, person)
        held += low <= 0 <= high
    assert held >= 110


def test_a_perfect_order_has_an_auc_of_1_and_equals_one_of_one_half():
    outcome, _, _, look, person = with_luck(2)
    assert pi.auc_inside(outcome, outcome, look).value == 1
    level = pi.auc_inside(outcome, np.zeros(len(look)), look)
    assert level.value == 0.5
    assert pi.interval(level, look, person) == (0.5, 0.5)
    with pytest.raises(InputError, match="ended alike"):
        pi.auc_inside(np.ones(len(look)), outcome, look)


def test_choices_know_nothing_of_the_judged_looks(rows):
    known = ej.asked(rows, 30.0)
    choosing, judging = ej.split_looks(known, SETTINGS)
    ends = known[known["as_of"].isin(choosing)]["outcome_known_at"]
    assert ends.max() < judging[0]
    assert len(judging) == 5
    assert judging[-1] == UNTIL - 30 * DAY
    with pytest.raises(InputError, match="raise looks_count"):
        ej.split_looks(known[known["as_of"] > choosing[-1]], SETTINGS)


def test_other_outcomes_at_the_judged_looks_change_no_choice(rows, rules, judged):
    """And no chance of the first judged look."""
    first = judged.rows["as_of"].min()
    late = rows["as_of"] >= first
    turned = rows["outcome_30d"].where(~late, 1 - rows["outcome_30d"])
    again = one_judged(rows.assign(outcome_30d=turned), rules)
    assert (again.name, again.design_name) == (judged.name, judged.design_name)
    chances = [ej.chance_name(name) for name in ej.CANDIDATES]
    same = judged.rows["as_of"] == first
    pd.testing.assert_frame_equal(again.rows.loc[same, chances], judged.rows.loc[same, chances])
    assert not again.rows.loc[~same, chances].equals(judged.rows.loc[~same, chances])


def test_fading_and_learning_earn_their_place_in_a_world_where_interest_fades(judged):
    card = ej.card(judged).set_index("candidate")
    assert card.loc[ej.HAND, "auc"] > card.loc[ej.UNFADED, "auc"] + 0.03
    assert card.loc[ej.LEARNED, "auc"] > card.loc["recency", "auc"] + 0.03
    assert card.loc[ej.LEARNED, "calibration_error"] < 0.05
    versus = ej.versus(judged, ej.HAND).set_index("candidate")
    expected = card.loc[ej.HAND, "auc"] - card.loc["rfm", "auc"]
    assert versus.loc["rfm", "ahead"] == pytest.approx(expected)
    assert (versus["low"] < versus["ahead"]).all()
    assert (versus["ahead"] < versus["high"]).all()


def test_learned_points_never_fall_with_more_events(judged, today):
    learned = ej.learned(judged)
    signs = judged.design.signs
    assert all(w * signs[n] >= 0 for n, w in zip(learned.names, learned.weights, strict=True))
    assert (pw.one_more(learned, judged.design, today) >= 0).all()


def test_one_more_event_adds_what_its_logarithm_says():
    design = lp.Design({"visit": (7.0,)}, ("visit",))
    learned = lp.Learned(("visit_faded_7d", "visit_recency_days"), np.array([2.0, -1.0]), 0.0, 0.0)
    columns = pd.DataFrame({"visit_faded_7d": [0.0, 1.0], "visit_recency_days": [9.0, 1.0]})
    odds = [2 * np.log(2) + np.log(10), 2 * np.log(3 / 2) + np.log(2)]
    found = pw.one_more(learned, design, columns)
    assert found["visit"] == pytest.approx(20 / np.log(2) * np.mean(odds))


def test_what_nobody_does_twice_has_no_learned_points(weights):
    by_event = weights.set_index("event")
    assert np.isnan(by_event.loc["signed_up", "learned"])
    assert "invite" not in by_event.index  # archived
    for name in ("hand_share", "learned_share", "true_share"):
        assert by_event[name].sum() == pytest.approx(1)
    assert by_event.loc["share", "true_share"] == 0
    assert (by_event["low"].dropna() <= by_event["learned"].dropna()).all()


def test_true_weights_are_used_for_nothing_but_to_stand_beside(world, given, today, weights):
    assert stored.truth(None) == {}
    assert stored.true_weights({}, given.events, today) is None
    alone = pw.as_shares(weights.drop(columns="true_share"), None)
    assert "true_share" not in alone
    assert "simulated_true_share" not in page.weights(alone)
    assert pw.agreement(alone) == {}
    pd.testing.assert_series_equal(alone["learned"], weights["learned"])


def test_the_example_catalogue_shows_every_kind_of_rule(rules):
    current = [event.current for event in rules.events]
    assert any(one.half_life_days for one in current)
    assert any(one.step for one in current)
    assert any(one.cap_per_day for one in current)
    assert [one.status for one in current].count(ec.ARCHIVED) == 1
    assert len({version.from_at for event in rules.events for version in event.versions}) > 2
    assert set(rules.ids) == set(customers_events())


def customers_events():
    from tierwise.simulation.customer_kinds import EVENTS

    return EVENTS


def test_an_event_is_worth_what_its_rule_says(rules):
    worth = engagement.worth(rules, UNTIL).set_index("id")
    assert worth.loc["visit", ["worth_0d", "worth_30d"]].tolist() == [1.0, 0.05]  # 0.5 ** (30 / 7)
    assert worth.loc["save", ["worth_0d", "worth_30d", "worth_90d"]].tolist() == [5, 2.5, 0.63]
    assert worth.loc["purchase", "worth_30d"] == round(25 * 0.9**4, 2)
    archived = engagement.worth(rules, pd.Timestamp("2024-07-01")).set_index("id")
    assert archived.loc["invite", "worth_0d"] == 0
    still = engagement.worth(engagement.without_fading(rules), UNTIL)
    assert (still["worth_0d"] == still["worth_90d"]).all()


def test_everybody_has_one_group_decile_and_tier(table, given):
    assert table["person_id"].tolist() == sorted(set(given.events["person_id"]))
    assert set(table["group"]) == {"newly active", "active", "passive"}
    assert table[["state", "since", "chance_30d", "tier"]].notna().all().all()
    sizes = table["decile"].value_counts()
    assert sizes.max() - sizes.min() <= 1
    assert table.groupby("decile")["chance_30d"].mean().is_monotonic_decreasing
    assert (
        table.groupby("tier")["chance_30d"].min()["A"]
        >= (table.groupby("tier")["chance_30d"].max()["B"])
    )
    assert (table["tier"] == "A").mean() == pytest.approx(0.2, abs=0.002)
    assert table["chance_30d"].between(0, 1).all()


def test_equals_keep_the_order_of_their_numbers_and_shares_must_add_up():
    place = engagement.places(np.array([0.5, 0.9, 0.5, 0.9]), pd.Series([4, 3, 1, 2]))
    assert place.tolist() == [3, 1, 2, 0]
    assert engagement.tiers(place, {"A": 0.5, "B": 0.5}).tolist() == ["B", "A", "B", "A"]
    with pytest.raises(InputError, match="add up to 1"):
        engagement.tiers(place, {"A": 0.5})


def test_the_newly_active_who_may_be_contacted_are_listed_the_likeliest_first(table, spells):
    found = engagement.newly_active(spells, table)
    assert set(found["state"]) <= {ag.NEW, ag.RETURNING}
    assert found["may_contact"].all()
    assert found["decile"].is_monotonic_increasing
    fresh = table[(table["group"] == "newly active") & table["may_contact"]]
    assert sorted(found["person_id"]) == sorted(fresh["person_id"])
    assert (found.loc[found["state"] == ag.RETURNING, "silent_days"] >= 28).all()


def test_stocks_and_flows_add_up_week_by_week(spells):
    weeks = engagement.weeks(UNTIL, 20)
    assert weeks[-1] == UNTIL - DAY
    found = engagement.balance(spells, weeks)
    assert (found["before"] + found["came"] - found["left"]).equals(found["after"])
    assert found["after"].sum() == spells["person_id"].nunique()


def test_a_statement_sums_to_the_score_to_the_cent(book, table):
    people = engagement.examples(table)
    assert people["state"].is_unique
    for row in people.itertuples():
        shown = engagement.statement(book, row.person_id, UNTIL, 7)
        score = table.loc[table["person_id"] == row.person_id, "points"].iloc[0]
        assert round(shown["points"].sum(), 2) == score == shown["balance"].iloc[-1]
        assert len(shown) <= 8
    checks = engagement.checked_ledgers(book, UNTIL, 10)
    assert checks["equal_count"] == checks["people_count"] == -(-len(table) // 10)
    assert len(engagement.statement(book, people["person_id"].iloc[0], UNTIL, 10**6)) > 8


def test_the_same_rules_move_nobody_and_others_do(given, rules, rows):
    same = engagement.replayed(given.events, rules, rules, rows["as_of"])
    moved = engagement.tier_moves(same, SHARES)
    assert (moved["change"] == 0).all()
    assert page.movers(moved).empty
    assert "0.0 % of" in page.replay_note(moved, "other.yaml")
    other = engagement.without_fading(rules)
    moved = engagement.tier_moves(
        engagement.replayed(given.events, rules, other, rows["as_of"]), SHARES
    )
    assert (moved["after"] >= moved["before"]).all()
    counts = page.tier_table(moved).set_index("tier_now")
    assert counts.to_numpy().sum() == len(moved)
    assert len(page.movers(moved)) == page.SHOWN_COUNT
    assert "the rules of now" in page.replay_note(moved, None)


def replaced(judged, **columns):
    rows = judged.rows.assign(**{ej.chance_name(name): one for name, one in columns.items()})
    return type(judged)(**{**vars(judged), "rows": rows})


def test_the_verdict_keeps_to_its_rules(judged):
    kind, sentence = page.judgement(judged, 30.0)
    assert kind == "supported"
    assert page.WORDS[judged.name] in sentence
    luck = np.random.default_rng(0).random(len(judged.rows))
    kind, sentence = page.judgement(replaced(judged, **{judged.name: luck}), 30.0)
    assert kind == "cannot rank"
    as_good = replaced(judged, rfm=judged.rows[ej.chance_name(judged.name)])
    assert page.judgement(as_good, 30.0)[0] == "not supported"
    simple = type(judged)(**{**vars(judged), "name": "rfm"})
    assert page.judgement(simple, 30.0)[0] == "not supported"
    assert {"supported", "cannot rank", "not supported"} <= set(report.VERDICTS)


def test_a_world_without_any_order_is_told_so(rows, rules):
    """Who buys drawn by lot: no candidate may be recommended."""
    luck = np.random.default_rng(3).random(len(rows)) < 0.2
    shuffled = rows["outcome_30d"].where(rows["outcome_30d"].isna(), luck.astype("float64"))
    found = one_judged(rows.assign(outcome_30d=shuffled), rules)
    assert page.judgement(found, 30.0)[0] in ("cannot rank", "not supported")


def test_silence_of_an_unknown_event_is_refused(rules):
    with pytest.raises(InputError, match="unknown: tango"):
        ej.designs(rules.ids, ej.Settings(silence_of=("tango",)))


@pytest.fixture
def project(tmp_path, monkeypatch):
    (tmp_path / "params.yaml").write_text("{}\n")
    (tmp_path / "dvc.yaml").write_text("{}\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_what_is_stored_is_the_same_twice(project, judged, table, last, weights, world):
    made = []
    for _ in range(2):
        stored.save("shop", table)
        facts = {"application": "shop", "entity": "customer", "simulated": True}
        stored.save_metrics(facts, {30.0: judged}, table, last, weights, world[1])
        made.append([files.models_path("shop", "engagement.parquet").read_bytes()])
        made[-1].append(files.metrics_path("shop", "engagement").read_bytes())
    assert made[0] == made[1]
    found = files.read_parquet(files.models_path("shop", "engagement.parquet"))
    assert list(found) == [*stored.STORED, "chance_30d", "decile", "tier", "may_contact"]
    told = json.loads(made[0][1])
    assert told["verdict"] in report.VERDICTS
    assert sum(told["states"].values()) == told["customers_count"] == len(found)
    states = pd.DataFrame(told["simulated_truth"]["states"]).set_index("state")
    assert states["count"].sum() == len(found)
    shares = states.filter(like="_share").sum(axis=1)
    assert np.allclose(shares, 1, atol=1e-5)
    assert states.loc[ag.DORMANT, "truly_dormant_share"] > 0.7


def test_tables_of_the_page_read_well_and_are_escaped(judged, table, spells, rules, weights, book):
    shown = page.to_look_at(engagement.newly_active(spells, table))
    worth = engagement.worth(rules, UNTIL).assign(name=STRANGE)
    statement = engagement.statement(book, table["person_id"].iloc[0], UNTIL)
    tables = [
        report.table(shown, page.list_formats(shown)),
        report.table(page.catalogue(worth), page.CATALOGUE_FORMATS),
        report.table(page.candidates({30.0: judged}), page.CARD_FORMATS),
        report.table(page.ahead(ej.versus(judged, judged.name)), page.VERSUS_FORMATS),
        report.table(page.weights(weights), page.WEIGHT_FORMATS),
        report.table(page.statement(statement), page.STATEMENT_FORMATS),
        report.headline(page.cards(table, 30.0)),
        report.verdict("info", page.fading(judged)),
    ]
    text = "".join(one.data for one in tables)
    assert "nan" not in text.lower()
    assert STRANGE not in text
    assert "&lt;b&gt;" in text
    assert "buys in 30 days" in text


def drawings(judged, table, spells, rules, weights, book):
    weeks = engagement.weeks(UNTIL, 8)
    people = engagement.examples(table)
    names = weights.assign(name=STRANGE)
    words = dict.fromkeys(page.WORDS, STRANGE)
    days = pd.date_range(UNTIL - 40 * DAY, UNTIL)
    lines = engagement.point_ledger.over_time(book, people["person_id"], days)
    return {
        "worth": lambda: pe.worth(engagement.worth(rules, UNTIL).assign(name=STRANGE)),
        "curves": lambda: pe.curves(lines, page.labels(people)),
        "one curve": lambda: pe.curves(lines.head(2), page.labels(people.head(1))),
        "stocks": lambda: pe.stocks(ag.stocks(spells, weeks)),
        "flows": lambda: pe.flows(ag.flows(spells, weeks)),
        "candidates": lambda: pe.candidates(ej.card(judged), words, judged.name),
        "promised": lambda: pe.promised(page.promised(judged)),
        "weights": lambda: pe.weights(names),
        "no truth": lambda: pe.weights(names.drop(columns="true_share")),
    }


def test_figures_draw_the_same_twice_and_none_is_untried(
    judged, table, spells, rules, weights, book
):
    found = drawings(judged, table, spells, rules, weights, book)
    with plt.rc_context():
        plots.style()
        for draw in found.values():
            first, second = drawn_twice(draw)
            assert first == second
            assert b"<b>" not in first
    assert not untried(pe, found)
