"""The page about segments: known then, judged later, nobody alone, labels that stay."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from crm import at, frame
from small_customers import shoppers, small_customers
from tierwise import files, report, snapshot
from tierwise.customer_tables import CHANNELS, COMMUNITIES
from tierwise.files import InputError
from tierwise.segments import advice, find, looks, page, stored, value
from tierwise.segments import people as segment_people

UNTIL = pd.Timestamp("2024-03-20")
QUESTION = {
    "communities": list(COMMUNITIES),
    "events": ["visit", "search", "save", "share", "add_to_cart", "review", "message_sent"],
    "numbers": ["age_years", "hour", "spent_eur", "purchases_count"],
    "categories": ["city", "country", "gender", "household"],
    "lookback_days": 300.0,
    "least_active_days_count": 3,
    "later_days": 60.0,
    "look_every_days": 30.0,
}
SEARCH = {
    "most_segments_count": 4,
    "resample_count": 3,
    "least_people_count": 20,
    "least_chance": 0.6,
    "move_chance": 0.7,
}
ASKED = looks.asked(QUESTION, SEARCH)
WORDS = {"hour": {"high": {"words": "late <b>", "need": "rest", "message": "sleep on it"}}}


@pytest.fixture(scope="module")
def world():
    return shoppers(people_count=1000, separation=1.2)


@pytest.fixture(scope="module")
def found(world):
    return looks.looked(world[0], UNTIL, ASKED)


@pytest.fixture(scope="module")
def who(found):
    return page.who(found, ASKED, WORDS)


@pytest.fixture(scope="module")
def came(world, found):
    index = found.people[found.learned_at].index
    return looks.came(world[0]["purchases"], index, found.learned_at, found.today)


@pytest.fixture(scope="module")
def truth(world, tmp_path_factory):
    folder = tmp_path_factory.mktemp("truth")
    world[1]["segments"].to_parquet(folder / "segments.parquet")
    return folder


@pytest.fixture
def project(tmp_path, monkeypatch):
    (tmp_path / "params.yaml").write_text("{}\n")
    (tmp_path / "dvc.yaml").write_text("{}\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def cut(tables, edge):
    return {name: rows[rows["known_at"] < edge] for name, rows in tables.items()}


def test_looks_begin_when_segments_are_learned_and_end_today(found):
    days = list(found.held)
    assert days[0] == found.learned_at == UNTIL - pd.Timedelta(days=60)
    assert days[-1] == found.today == UNTIL
    assert len(days) == 3
    uneven = ASKED.question.model_copy(update={"look_every_days": 45.0})
    assert [str(day.date()) for day in looks.looks(UNTIL, uneven)] == [
        "2024-01-20",
        "2024-03-05",
        "2024-03-20",
    ]


def test_what_is_known_later_changes_no_segment_that_was_learned(world, found):
    people = looks.people_at(cut(world[0], found.learned_at), found.learned_at, ASKED.question)
    pd.testing.assert_frame_equal(people, found.people[found.learned_at])
    chance = find.chances(people, found.segmentation)
    held = found.held[found.learned_at]
    assert (held["likeliest"] == chance.idxmax(axis=1)).all()


def test_what_is_known_after_today_changes_nothing(world, found, came):
    tables = cut(world[0], UNTIL)
    for look, people in found.people.items():
        pd.testing.assert_frame_equal(looks.people_at(tables, look, ASKED.question), people)
    again = looks.came(tables["purchases"], came.index, found.learned_at, UNTIL)
    pd.testing.assert_frame_equal(again, came)
    answered = advice.answered(tables, found, 300.0)
    pd.testing.assert_frame_equal(answered, advice.answered(world[0], found, 300.0))


def test_later_purchases_are_those_that_occurred_since_and_are_known_each_once():
    rows = [
        ("before", 1, at(4), at(6), 1.0),  # occurred before, learned of after
        ("first", 1, at(5), at(5), 10.0),
        ("first", 1, at(5), at(7), 10.0),  # a copy
        ("late", 2, at(6), at(10), 5.0),  # not known yet
        ("free", 3, at(6), at(6), 0.0),
    ]
    people = pd.Index([1, 2, 3], name="person_id")
    edges = pd.Timestamp(at(5)), pd.Timestamp(at(10))
    found = looks.came(frame("purchases", rows), people, *edges)
    assert found["bought"].tolist() == [1.0, 0.0, 1.0]
    assert found["spent_eur"].tolist() == [10.0, 0.0, 0.0]


def test_the_four_simulated_kinds_are_found_and_differ_in_what_came_later(found, came, truth):
    assert len(found.segmentation.labels) == 4
    told = stored.against_truth(found, ASKED, stored.true_segments(truth, UNTIL))
    assert told["rand"] > 0.7
    assert told["rand_all"] <= told["rand"] <= told["rand_known"] + 0.05
    assert value.differ(found.segment(found.learned_at), came["spent_eur"])["p"] < 0.01


def test_people_who_hold_still_are_fewer_moved_than_people_who_are_placed_anew(found):
    monthly = looks.monthly(found, 0.6)
    assert len(monthly) == 2
    assert (monthly["moved_share"] < monthly["likeliest_share"]).all()
    assert page.a_month(monthly) == pytest.approx(monthly["moved_share"].mean())


def test_segments_found_anew_continue_those_of_before(found):
    match = looks.anew(found, ASKED.question, 20)
    assert match["earlier"].notna().all()
    assert "4 of 4 segments continue" in page.anew_sentence(match)
    nobody = match.assign(earlier=pd.array([None] * 4, "Int64"))
    assert "the borders have moved" in page.anew_sentence(nobody)


def shown(found, who, came, tables, truth):
    """Every table of the page."""
    least, names = ASKED.search.least_people_count, who.short
    channels = advice.answered(tables, found, 300.0)
    return {
        "choice": found.found.choice[["segments_count", "smallest_count"]].iloc[:1],
        "holding": page.holding(found, names),
        "introduced": page.introduced(who, page.sizes(found, least)),
        "traits": page.trait_table(who.traits, names, 6),
        "communities": page.trait_table(page.of_communities(who.traits), names, 6),
        "priority": advice.priority_table(advice.priority(found, came, least), names),
        "advice": advice.suggested(who.names, channels, channels),
        "channels": channels,
        "later": page.later(found, came, who.by_text, least),
        "moved": page.moved_table(looks.monthly(found, 0.6)),
        "truth": stored.truth_table(found, names, stored.true_segments(truth, UNTIL)),
    }


def test_no_row_tells_of_few_people_or_of_one(found, who, came, world, truth):
    for name, table in shown(found, who, came, world[0], truth).items():
        counts = [column for column in table if str(column).endswith("people_count")]
        for column in counts:
            assert (table[column].dropna() >= 20).all(), name
        assert "person_id" not in table, name
        assert report.table(table).data


def test_fields_of_few_people_stay_empty(found):
    before, now = found.segment(found.learned_at), found.segment(found.today)
    matrix = page.moves_matrix(found, 20)
    moved = pd.crosstab(page.moves.spoken(before, "joined"), page.moves.spoken(now, "left"))
    for row in matrix.index.intersection(moved.index):
        few = moved.loc[row][moved.loc[row] < 20].index.intersection(matrix.columns)
        assert (matrix.loc[row, few] == 0).all()
    assert (matrix.sum(axis=1) <= 1 + 1e-9).all()
    assert page.moves_matrix(found, 10_000).empty
    assert page.sizes(found, 10_000).empty


def test_words_of_data_are_escaped_and_needs_come_from_the_dictionary(found, who):
    table = page.introduced(who, page.sizes(found, 20))
    late = table["name"].str.startswith("late <b>")
    assert (table.loc[late, "need"] == "rest").all()
    assert late.any()
    assert "<b>" not in report.table(table).data


def test_communities_are_a_part_of_the_traits(who):
    rows = page.of_communities(who.traits)
    assert 0 < len(rows) < len(who.traits)
    assert rows["column"].str.contains("contacts_").any()


def test_a_tree_that_does_not_agree_is_not_called_good():
    told = {"agreement": 0.8, "interval": (0.7, 0.9), "most_common_share": 0.4}
    assert "do not sort people by these traits" in page.agreement_sentence(
        told | {"is_enough": False}
    )
    assert "a few questions tell" in page.agreement_sentence(told | {"is_enough": True})


def test_a_suggestion_is_clear_not_clear_or_too_early(found, who, world):
    channels = advice.answered(world[0], found, 300.0)
    plain = advice.suggested(who.names, channels, channels)
    assert plain["channel"].isin(CHANNELS).all()
    assert set(plain["channel_is"]) <= {"clear", "not clear"}
    none = advice.suggested(who.names, channels.iloc[:0], channels)
    assert (none["channel_is"] == advice.EARLY).all()
    assert (none["channel"] == report.MISSING).all()
    assert len(none) == len(who.names)


def test_topics_are_those_that_were_named(found, world):
    table = advice.answered(world[0], found, 300.0, ["news", "offer"])
    assert set(table["channel"]) == {"news", "offer"}


def test_people_who_are_all_in_between_get_no_order(found, came):
    between = {look: rows.assign(segment=0) for look, rows in found.held.items()}
    assert advice.priority(replace(found, held=between), came, 20).empty


def looked(count, jaccard=0.9, reading="kinds"):
    """As far as a verdict looks at it."""
    choice = pd.DataFrame({"is_chosen": [True], "why": ["lowest BIC"]})
    kinds = {"reading": reading, "segments_count": 3, "chance": 0.4}
    kinds |= {"gain": 0.2, "simulated_gain": 0.3}
    stability = pd.DataFrame({"jaccard": [1.0, jaccard]})
    inside = SimpleNamespace(choice=choice, kinds=kinds, stability=stability)
    labels = SimpleNamespace(labels=tuple(range(count)))
    return SimpleNamespace(found=inside, segmentation=labels)


def months(share):
    since = pd.to_datetime(["2024-01-01"])
    until = since + pd.Timedelta(days=30)
    return pd.DataFrame({"since": since, "until": until, "moved_share": share})


@pytest.mark.parametrize(
    ("one", "share", "p", "kind"),
    [
        (looked(3), 0.05, 0.001, "supported"),
        (looked(3), 0.05, 0.2, "not supported"),
        (looked(3), 0.05, None, "not supported"),
        (looked(3), 0.11, 0.001, "not supported"),
        (looked(3, jaccard=0.7), 0.05, 0.001, "not supported"),
        (looked(3, reading="degrees"), 0.05, 0.001, "not supported"),
        (looked(1, reading=""), 0.0, None, "cannot rank"),
        (looked(1, reading="degrees"), 0.0, None, "cannot rank"),
    ],
)
def test_the_verdict_follows_its_rules(one, share, p, kind):
    told, sentence = page.judgement(one, months(share), {"p": p})
    assert told == kind
    assert report.verdict(told, sentence)
    assert page.kinds_sentence(one)


def test_a_month_is_thirty_days_however_often_people_are_looked_at():
    once = months(0.06).assign(until=pd.Timestamp("2024-03-01"))
    assert page.a_month(once) == pytest.approx(0.03)


def test_in_a_world_without_kinds_there_is_one_segment_and_no_order():
    tables, _ = shoppers(separation=0.0)
    found = looks.looked(tables, UNTIL, ASKED)
    who = page.who(found, ASKED, None)
    monthly = looks.monthly(found, 0.6)
    came = looks.came(tables["purchases"], found.people[UNTIL].index, found.learned_at, UNTIL)
    differs = value.differ(found.segment(found.learned_at), came["spent_eur"])
    assert page.judgement(found, monthly, differs)[0] == "cannot rank"
    assert page.cards(found, monthly)[0]["value"] == "1"
    assert who.by_label == {1: "like everybody"}
    assert who.agreement["agreement"] == 1


def test_what_is_stored_places_anybody_to_the_last_bit(project, found, who):
    stored.save("mine", found, who)
    table = files.read_parquet(project / "models/mine/segments.parquet")
    assert list(table) == ["person_id", "segment", "chance", "between"]
    assert table["person_id"].is_unique
    held = found.held[found.today]
    assert (table["between"].to_numpy() == (held["segment"] == 0).to_numpy()).all()
    assert table["segment"].isin(found.segmentation.labels).all()
    segmentation, names = stored.read("mine")
    assert names == who.by_label
    people = found.people[found.today]
    again = find.chances(people, segmentation)
    pd.testing.assert_frame_equal(again, find.chances(people, found.segmentation), check_exact=True)


def test_labels_and_names_stay_with_the_segments_that_continue(project, found):
    """As if an earlier run had given them other numbers, and people had learned other names."""
    labels = found.segmentation.labels
    other = {label: 10 + label for label in reversed(labels)}
    old = replace(found.segmentation, labels=tuple(other[label] for label in labels))
    earlier = replace(found, found=replace(found.found, segmentation=old))
    names = {label: f"the {label}s" for label in other.values()}
    content = looks.stored(earlier, names)
    fresh, kept = looks.continued(found.found, found.people[found.learned_at], content)
    assert fresh.segmentation.labels == old.labels
    assert kept == names
    assert fresh.stability["segment"].tolist() == list(old.labels)
    who = page.who(replace(found, kept_names={1: "old hands"}), ASKED, WORDS)
    assert who.by_label[1] == "old hands"


def test_metrics_hold_the_sentence_and_nobody(project, found, who, came, world):
    monthly = looks.monthly(found, 0.6)
    tables = {"later": page.later(found, came, who.by_text, 20)}
    about = {"application": "mine", "simulated": True}
    differs = value.differ(found.segment(found.learned_at), came["spent_eur"])
    stored.save_metrics(about, found, who, monthly, differs, tables, {"simulated_truth": {}})
    text = (project / "metrics/mine/segment_customers.json").read_text()
    told = files.read_json(project / "metrics/mine/segment_customers.json")
    assert told["verdict"] == page.judgement(found, monthly, differs)[0]
    assert told["segments_count"] == 4
    assert "person_id" not in text


def test_where_nobody_knows_the_truth_it_is_said(found, who):
    assert stored.true_segments(None, UNTIL) is None
    assert stored.against_truth(found, ASKED, None) == {}
    assert "Nobody knows" in stored.truth_sentence({}, 4)
    assert stored.truth_table(found, who.short, None).empty


def test_the_truth_is_that_of_the_moment(tmp_path):
    rows = pd.DataFrame({"person_id": [1, 1, 2], "segment": ["a", "b", "c"]})
    rows["changed_at"] = pd.to_datetime([None, "2024-02-01", None]).astype("datetime64[us]")
    rows.to_parquet(tmp_path / "segments.parquet")
    before, after = pd.Timestamp("2024-02-01"), pd.Timestamp("2024-02-02")
    assert stored.true_segments(tmp_path, before).to_dict() == {1: "a", 2: "c"}
    assert stored.true_segments(tmp_path, after).to_dict() == {1: "b", 2: "c"}


@pytest.mark.parametrize(
    ("question", "search", "place"),
    [
        ({"later_days": 0.0}, {}, "question.later_days"),
        ({"communities": ["work"]}, {}, "question.communities"),
        ({}, {"least_people_count": 5}, "search.least_people_count"),
        ({}, {"move_chance": 0.5}, "search.move_chance"),
        ({}, {"colour": 1}, "search.colour"),
    ],
)
def test_settings_that_make_no_sense_are_refused(question, search, place):
    with pytest.raises(InputError, match=place):
        looks.asked(QUESTION | question, SEARCH | search)


def test_without_active_people_nothing_is_learned(found):
    idle = found.people[UNTIL].assign(active_days_count=0)
    with pytest.raises(InputError, match="Lower least_active_days_count"):
        looks.active(idle, ASKED.question)


def test_only_the_tables_of_customers_are_read(tmp_path):
    raw = tmp_path / "raw"
    raw.mkdir()
    for name, rows in small_customers().items():
        rows.to_parquet(raw / f"{name}.parquet", index=False)
    names = tuple(small_customers())
    snapshot.fetch(raw, tmp_path / "tables", names=names, now=pd.Timestamp("2026-02-01"))
    about, tables = segment_people.read(tmp_path / "tables")
    assert set(tables) == set(segment_people.NAMES)
    assert "messages" not in tables
    about["tables"] = {"deals": {}}
    files.write_json(tmp_path / "tables/snapshot.json", about)
    with pytest.raises(InputError, match="set: customers"):
        segment_people.read(tmp_path / "tables")


def test_short_names_are_numbers_with_the_first_trait(who):
    assert all(name.startswith(f"{label}: ") for label, name in who.short.items())
    assert who.by_text == {str(label): name for label, name in who.short.items()}
    assert np.isfinite(list(who.by_label)).all()
