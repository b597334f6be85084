"""The page about funnels: first contacts, closed windows, groups that no purchase decides."""

import numpy as np
import pandas as pd
import pytest

from crm import at, frame
from small_customers import shoppers, small_customers
from tierwise import files, report
from tierwise.customer_tables import COMMUNITIES
from tierwise.funnels import audience, hypotheses, page, steps, trials
from tierwise.segments import columns as segment_columns
from tierwise.segments import find, mixtures
from tierwise.segments import people as segment_people
from tierwise.segments import plan as segment_plan

UNTIL = pd.Timestamp("2024-03-20")
STEPS = ["signed_up", "visit", "purchase"]


@pytest.fixture(scope="module")
def world():
    return shoppers()


@pytest.fixture(scope="module")
def paths(world):
    events = page.seen_events(world[0]["customer_events"], UNTIL)
    return steps.paths(events, STEPS, 60.0, UNTIL)


@pytest.fixture
def project(tmp_path, monkeypatch):
    (tmp_path / "params.yaml").write_text("{}\n")
    (tmp_path / "dvc.yaml").write_text("{}\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def touched(touches, purchases, until, days=5.0):
    tables = small_customers()
    tables |= {"touches": frame("touches", touches), "purchases": frame("purchases", purchases)}
    return trials.rows(tables, pd.Timestamp(at(until)), days)


def test_the_first_contact_about_a_topic_counts_and_what_followed_in_the_days_after():
    touches = [
        ("t1", 1, "mail", "a", at(5), at(5), False),
        ("t2", 1, "push", "a", at(6), at(6), True),  # the second one
        ("t3", 1, "mail", "b", at(6), at(6), True),
        ("t4", 2, "mail", "a", at(5), at(12), True),  # answered after its days
    ]
    purchases = [
        ("p0", 1, at(4), at(4), 1.0),  # before
        ("p1", 1, at(5), at(5), 2.0),
        ("p1", 1, at(5), at(6), 2.0),  # a copy
        ("p2", 1, at(10), at(10), 4.0),  # the fifth day is over for a, not for b
        ("p3", 2, at(6), at(10, "09:00"), 8.0),  # heard of when the days are over
    ]
    rows, open_count = touched(touches, purchases, 20)
    rows = rows.set_index(["person_id", "topic"])
    assert open_count == 0
    assert rows["answered"].to_dict() == {(1, "a"): 0.0, (1, "b"): 1.0, (2, "a"): 1.0}
    assert rows["spent_5d_eur"].to_dict() == {(1, "a"): 2.0, (1, "b"): 4.0, (2, "a"): 0.0}
    assert rows["bought_5d"].to_dict() == {(1, "a"): 1.0, (1, "b"): 1.0, (2, "a"): 0.0}
    assert rows["known_at"].to_dict() == {
        (1, "a"): pd.Timestamp(at(10)),
        (1, "b"): pd.Timestamp(at(11)),
        (2, "a"): pd.Timestamp(at(12)),
    }


def test_contacts_whose_days_are_not_over_are_counted_and_not_judged():
    touches = [
        ("t1", 1, "mail", "a", at(5), at(5), True),
        ("t2", 2, "mail", "a", at(6), at(6), True),
        ("t3", 4, "mail", "a", at(5), at(12), True),  # no answer is known yet
    ]
    rows, open_count = touched(touches, [], 11)
    assert rows["person_id"].tolist() == [1]
    assert open_count == 1


def test_what_is_known_later_changes_no_row(world):
    tables = {name: rows[rows["known_at"] < UNTIL] for name, rows in world[0].items()}
    pd.testing.assert_frame_equal(trials.rows(tables, UNTIL, 30.0)[0], trials.rows(
        world[0], UNTIL, 30.0)[0])  # fmt: skip
    events = page.seen_events(tables["customer_events"], UNTIL)
    pd.testing.assert_frame_equal(events, page.seen_events(world[0]["customer_events"], UNTIL))


def test_each_person_has_one_row_a_topic_and_one_variant(world):
    rows, _ = trials.rows(world[0], UNTIL, 30.0)
    assert not rows.duplicated(["person_id", "topic"]).any()
    tried = rows[rows["topic"].str.startswith("first_line")]
    assert len(tried) > 100
    assert tried["person_id"].is_unique


def test_the_audience_is_whom_params_name():
    people = small_customers()["people"]
    now = pd.Timestamp(at(20))
    assert trials.audience(people, now, {}).tolist() == [1, 2, 3, 4]
    assert trials.audience(people, now, {"country": ["AT", "DE"]}).tolist() == [1, 2]
    assert trials.audience(people, now, {"city": ["Vienna"]}).tolist() == []  # moved to Graz
    then = pd.Timestamp(at(9))
    assert trials.audience(people, then, {"city": ["Vienna"]}).tolist() == [1]


@pytest.fixture(scope="module")
def segmentation(world):
    """Two segments, learned with behaviour and all."""
    did = ["visit", "search", "save"]
    people = segment_people.people_at(world[0], UNTIL, COMMUNITIES, did)
    named = segment_people.columns(COMMUNITIES, did)
    plan = segment_plan.planned(people, named.numbers, named.categories, named.blocks)
    fitted = mixtures.fit(segment_columns.prepared(people, plan), 2, start_count=3)
    return find.Segmentation(plan, fitted.mixture, (1, 2))


def test_no_deed_decides_in_which_group_somebody_is_counted(world, segmentation):
    names = {1: "one", 2: "two"}
    group = trials.by_who_they_are(world[0], UNTIL, segmentation, names)
    idle = {name: world[0][name].iloc[:0] for name in ("customer_events", "purchases")}
    pd.testing.assert_series_equal(
        trials.by_who_they_are(world[0] | idle, UNTIL, segmentation, names), group
    )
    assert set(group) <= {"one", "two", trials.NOT_TOLD}
    assert group.nunique() > 1


def test_stored_segments_are_used_if_there_are_any(project, world, segmentation):
    assert trials.segments("mine", world[0], UNTIL) is None
    told = {"names": {"1": "early, old", "2": "late"}, "segmentation": find.as_plain(segmentation)}
    files.write_json(project / "models/mine/segments.json", told, 20)
    group = trials.segments("mine", world[0], UNTIL)
    assert set(group) <= {"1: early", "2: late", trials.NOT_TOLD}


def test_groups_of_few_people_are_left_out_and_the_best_comes_first(paths):
    group = pd.Series("many", paths.index).where(np.arange(len(paths)) >= 10, "few")
    found = page.by_group(paths, STEPS, group)
    assert found["group"].tolist() == ["many"]
    closed = ~paths["is_open"] & (group == "many")
    assert found["entered_count"].tolist() == [closed.sum()]
    half = pd.Series(np.where(paths["step_3_days"].notna(), "bought", "did not"), paths.index)
    assert page.by_group(paths, STEPS, half)["group"].iloc[0] == "bought"
    for nobody in (None, pd.Series("x", paths.index[:5])):
        empty = page.group_table(page.by_group(paths, STEPS, nobody))
        assert report.table(empty, page.GROUP_FORMATS).data.count("<tr>") == 1


def test_open_windows_are_counted_beside_and_in_no_share(paths):
    table = page.steps_table(steps.conversion(paths, STEPS))
    closed = (~paths["is_open"]).sum()
    assert table["people_count"].iloc[0] == closed < len(paths)
    assert table["open_count"].iloc[0] == paths["is_open"].sum()
    assert f"{paths['is_open'].sum():,} is still open" in page.open_note(paths, 60.0)
    assert table["of_step_before"].isna().tolist() == [True, False, False]
    assert report.table(table, page.STEP_FORMATS).data


def test_curves_rise_and_end_with_the_window(paths):
    curves = page.curves(paths, STEPS, 60.0)
    assert list(curves) == STEPS[1:]
    for curve in curves.values():
        assert curve["days"].iloc[-1] == 60
        assert curve["share"].is_monotonic_increasing
    assert (curves["visit"]["share"] >= curves["purchase"]["share"] - 1e-9).all()


def weekly(new, resurrected, dormant):
    count = len(new)
    table = pd.DataFrame({"week": pd.date_range("2026-01-05", periods=count, freq="7D")})
    table = table.assign(new_count=new, resurrected_count=resurrected, dormant_count=dormant)
    table = table.assign(returning_count=0, active_count=5, quick_ratio=1.0)
    return table.assign(is_first=np.arange(count) == 0)


@pytest.mark.parametrize(
    ("new", "word"),
    [
        ([9, 30, 31, 29], "beyond luck it grows"),
        ([9, 5, 4, 6], "beyond luck it shrinks"),
        ([9, 12, 2, 16], "beyond luck it neither grows nor shrinks"),
        ([9, 12], "Too early to say"),
    ],
)
def test_an_audience_grows_or_shrinks_beyond_luck_only(new, word):
    count = len(new)
    table = weekly(new, [0] * count, [10] * count)
    assert word in page.growing(table)
    assert page.ratio(table) == pytest.approx(sum(new[1:]) / (10 * (count - 1)))


def test_a_ratio_with_nobody_lost_is_missing():
    assert np.isnan(page.ratio(weekly([1, 2], [0, 0], [0, 0])))


def verdicts(*names):
    return pd.DataFrame({"verdict": list(names)})


@pytest.mark.parametrize(
    ("names", "kind"),
    [
        (["supported", "not shown"], "supported"),
        (["supported", "the opposite"], "not supported"),
        (["not shown", "declared too late"], "not supported"),
        (["declared too late", "too early to say"], "info"),
        ([], "info"),
    ],
)
def test_the_verdict_follows_its_rules(names, kind):
    told, sentence = page.judgement(verdicts(*names) if names else pd.DataFrame())
    assert told == kind
    assert report.verdict(told, sentence)


def declared(topic="first_line", day="2023-01-01", measure="answered", expected="higher"):
    return hypotheses.declared(
        [
            {
                "name": "one_<b>",
                "declared_at": day,
                "measure": measure,
                "first": {"topic": f"{topic}_b"},
                "second": {"topic": f"{topic}_a"},
                "expected": expected,
            }
        ]
    )


def test_comparisons_are_shown_in_words_and_late_ones_without_p(world):
    rows, _ = trials.rows(world[0], UNTIL, 30.0)
    for day, p in (("2023-01-01", False), ("2024-03-19", True)):
        one = declared(day=day)
        found = hypotheses.judged(one, rows)
        table = page.tested(found, one)
        assert (table["p"] == report.MISSING).tolist() == [p]
        assert (table["between"] == report.MISSING).tolist() == [p]
        assert "one &lt;b&gt;" in report.table(table).data
    money = declared(measure="spent_30d_eur")
    assert page.tested(hypotheses.judged(money, rows), money)["first"].str.startswith("€").all()


def test_tiny_chances_are_not_called_zero():
    assert page.chance(1e-9) == "below 0.001"
    assert page.chance(0.04) == "0.040"
    assert page.chance(float("nan")) == report.MISSING


def test_the_truth_stands_beside_and_turns_with_the_sides(world):
    one, true = declared(), world[1]["hypotheses"]
    found = verdicts("supported")
    effect = true.set_index("hypothesis")["effect"]["first_line"]
    assert page.against_truth(found, one, true)["true_effect"].tolist() == [effect]
    turned = hypotheses.Hypothesis(
        "x", one[0].declared_at, "answered", one[0].second, one[0].first, "lower"
    )
    assert page.against_truth(found, [turned], true)["true_effect"].tolist() == [-effect]
    assert page.against_truth(found, one, None).empty
    assert page.truth(None) is None


def test_strong_effects_are_found_and_none_where_there_is_none():
    from tierwise.simulation.customer_settings import ANSWERED, Hypothesis

    tries = (Hypothesis("loud", ANSWERED, 1.2), Hypothesis("same", ANSWERED, 0.0))
    tables, _ = shoppers(hypotheses=tries)
    rows, _ = trials.rows(tables, UNTIL, 7.0)
    entries = [*declared("loud"), *declared("same")]
    found = hypotheses.judged(entries, rows)
    assert found["verdict"].tolist() == ["supported", "not shown"]
    assert page.judgement(found)[0] == "supported"


def test_cards_and_metrics_say_what_the_page_says(project, world, paths):
    events = page.seen_events(world[0]["customer_events"], UNTIL)
    weeks = audience.weekly(events, UNTIL)
    aware, beside = audience.awareness(
        events, trials.audience(world[0]["people"], UNTIL, {"country": ["DE"]}), UNTIL
    )
    table = steps.conversion(paths, STEPS)
    cards = page.cards(weeks, aware, table)
    assert [card["label"] for card in cards][-1] == "signed up to purchase"
    assert beside > 0
    assert f"{beside:,} more came" in page.aware_note(aware, beside)
    assert page.kinds_table(audience.kinds(events, UNTIL, 30.0))["people_count"].min() >= 20
    assert page.weeks_table(weeks, 3)["week"].is_monotonic_decreasing
    one = declared()
    found = hypotheses.judged(one, trials.rows(world[0], UNTIL, 30.0)[0])
    about = {"application": "mine", "simulated": True}
    page.save_metrics(about, weeks, found, {"steps": table}, {"open_count": 1})
    told = files.read_json(project / "metrics/mine/funnels.json")
    assert told["verdict"] == page.judgement(found)[0]
    assert told["quick_ratio"] == pytest.approx(page.ratio(weeks), abs=1e-6)
    assert len(told["steps"]) == len(STEPS)
