"""Points: the formulas, caps and steps; and that every way to a score gives the same last digit."""

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from small_events import AS_OF, at, catalogue, drawn, events
from tierwise.customers import person_table, point_store, points
from tierwise.customers import point_kernel as pk
from tierwise.files import InputError


def exact(book, as_of=AS_OF):
    return points.scores(book, as_of).set_index("person_id")["billionths"]


def by_definition(rules, rows, as_of=AS_OF):
    """One person's points, event by event from the texts of the rules; floats, nothing folded."""
    rows = sorted(
        {(at, event) for at, event in zip(rows["occurred_at"], rows["event"], strict=True)}
    )
    used, total = {}, 0.0
    for number, (when, event) in enumerate(rows):
        version = [
            v for v in rules.event(event).versions if v.from_at is None or v.from_at <= when
        ][-1]
        earned = 0.0 if version.status == "archived" else version.points
        if version.cap_per_day is not None:
            day = (event, when.floor("D"))
            earned = min(earned, version.cap_per_day - used.get(day, 0.0))
            used[day] = used.get(day, 0.0) + earned
        if version.half_life_days:
            earned *= 0.5 ** ((as_of - when) / pd.Timedelta(days=version.half_life_days))
        if version.step:
            idle = pd.Timedelta(days=version.step.idle_days)
            times = [at for at, _ in rows[number:]] + [as_of]
            gaps = sum((later - earlier) // idle for earlier, later in pairwise(times))
            earned *= (1 - version.step.share) ** gaps
        total += earned
    return total


@pytest.mark.parametrize(
    ("rule", "days", "left"),
    [
        ({"half_life_days": 7}, [0, 7, 14], [10, 5, 2.5]),
        ({"step": {"idle_days": 7, "share": 0.1}}, [0, 6.99, 7, 14], [10, 10, 9, 8.1]),
        ({}, [0, 1000], [10, 10]),
    ],
)
def test_points_fade_as_their_rule_says(rule, days, left):
    book = points.built(catalogue(visit={"points": 10, **rule}), events((1, "visit", 0, 0)))
    just_after = pd.Timedelta(microseconds=1)
    found = [points.scores(book, at(day) + just_after)["points"].iloc[0] for day in days]
    assert found == left


def test_any_event_of_a_person_ends_its_silence_and_nobody_elses():
    rules = catalogue(
        visit={"points": 10, "step": {"idle_days": 7, "share": 0.1}}, view={"points": 0}
    )
    rows = events((1, "visit", 0, 0), (2, "visit", 0, 0), (1, "view", 6, 0))
    book = points.built(rules, rows)
    assert points.scores(book, at(8))["points"].tolist() == [10, 9]


def test_a_day_earns_its_cap_and_the_next_day_begins_anew():
    rules = catalogue(visit={"points": 4, "cap_per_day": 10})
    rows = [(1, "visit", 0.1 * n, 0) for n in range(5)] + [(1, "visit", 1.0, 0)]
    book = points.built(rules, events(*rows))
    assert points.scores(book, AS_OF)["points"].tolist() == [14]


def test_scores_are_what_the_rules_say_of_every_person():
    rows, rules = drawn(600), catalogue()
    found = exact(points.built(rules, rows)) / points.BILLION
    assert found.index.tolist() == sorted(rows["person_id"].unique())
    told = {person: by_definition(rules, part) for person, part in rows.groupby("person_id")}
    assert found.to_numpy() == pytest.approx([told[person] for person in found.index], abs=1e-6)


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    cuts=st.lists(st.integers(0, 120), max_size=5),
    shuffled=st.booleans(),
    again=st.integers(0, 40),
)
def test_whatever_the_batches_were_the_last_digit_is_the_same(seed, cuts, shuffled, again):
    rows = drawn(120, people=4, seed=seed)
    full = exact(points.built(catalogue(), rows))
    sent = pd.concat([rows, rows.sample(again, random_state=seed)])
    sent = sent.sample(frac=1, random_state=seed) if shuffled else sent
    book = points.opened(catalogue())
    for part in np.split(np.arange(len(sent)), sorted(cuts)):
        points.add(book, sent.iloc[part])
    assert exact(book).equals(full)
    assert book.counts.repeated == len(sent) - len(
        rows.drop_duplicates(["person_id", "event", "occurred_at"])
    )


def test_a_late_event_changes_its_own_person_alone_and_is_counted():
    rows = events((1, "visit", 5, 0), (2, "visit", 5, 0))
    book = points.built(catalogue(), rows)
    before = book.cells.copy()
    found = points.add(book, events((1, "visit", 2, 10)))
    assert (found.late, found.repeated) == (1, 0)
    changed = (book.cells[:2] != before[:2]).any(axis=1)
    assert changed.tolist() == [True, False]
    assert points.events_of(book, 1)["occurred_at"].tolist() == [at(2), at(5)]


def test_a_row_delivered_twice_counts_once_also_when_it_comes_late():
    rows = events((1, "visit", 1, 0), (1, "order", 1, 0), (1, "visit", 5, 0))
    book = points.built(catalogue(), rows)
    once = exact(book)
    again = [points.add(book, rows).repeated for _ in range(2)]
    assert again == [3, 3]
    assert exact(book).equals(once)


def test_unknown_events_are_counted_by_name_and_earn_nothing():
    book = points.built(
        catalogue(), events((1, "visit", 0, 0), (1, "vsit", 1, 0), (7, "vsit", 1, 0))
    )
    assert book.counts.unknown == {"vsit": 2}
    assert points.scores(book, AS_OF)["person_id"].tolist() == [1]


def test_what_became_known_at_the_as_of_time_is_not_in_it():
    rows = events((1, "visit", 0, 0), (1, "visit", 1, 4))
    assert len(points.events_of(points.built(catalogue(), rows, at(5)), 1)) == 1
    later = points.built(catalogue(), rows, at(5) + pd.Timedelta(microseconds=1))
    assert len(points.events_of(later, 1)) == 2
    with pytest.raises(InputError, match="can't say what was known before"):
        points.scores(later, at(5))


def test_new_rules_hold_for_what_happens_later():
    book = points.built(
        catalogue(), events((1, "mail", 0, 0), (2, "mail", 9, 0), (3, "mail", 19, 0))
    )
    found = points.scores(book, at(19) + pd.Timedelta(microseconds=1))["points"]
    assert found.tolist() == [round(0.5 ** (19 / 7), 2), round(8 * 0.5**3, 2), 0]


def test_the_order_of_rows_is_of_no_account_even_far_from_sorted():
    rows = drawn(3000, people=2, spread=400.0).drop_duplicates()
    as_of = at(500)
    book = points.built(catalogue(), rows.iloc[::-1])
    assert exact(book, as_of).equals(exact(points.built(catalogue(), rows), as_of))


def test_more_kinds_than_bits_and_more_people_than_room():
    names = {f"kind_{n}": {"points": 1} for n in range(80)}
    rng = np.random.default_rng(1)
    ids = np.r_[rng.integers(-(2**62), 2**62, 5000), np.arange(-50, 50)]
    rows = [(person, f"kind_{n % 80}", 1, 0) for n, person in enumerate(ids.tolist())]
    table = events(*rows, *rows[:40], *[(0, f"kind_{n}", 1, 0) for n in range(80)])
    book = points.opened(catalogue(**names))
    for part in np.array_split(np.arange(len(table)), 7):
        points.add(book, table.iloc[part])
    found = points.scores(book, AS_OF)
    assert found["person_id"].tolist() == sorted(set(ids.tolist()))
    whole = table.drop_duplicates(["person_id", "event"]).groupby("person_id").size()
    assert found["points"].tolist() == whole.tolist()
    assert found.equals(points.scores(points.built(catalogue(**names), table), AS_OF))


def test_places_are_found_again_and_strangers_have_none():
    people = person_table.empty(4)
    ids = np.array([5, -7, 2**62, 5, 0, 11, 12, -7])
    assert person_table.places(people, ids).tolist() == [0, 1, 2, 0, 3, 4, 5, 1]
    assert person_table.place(people, 12) == 5
    assert person_table.place(person_table.of_ids(people.ids[:6]), -7) == 1
    assert person_table.place(people, 13) == -1


def test_cents_of_whole_cents_are_themselves_and_halves_go_up():
    values = np.array([0, 1, 4_999_999, 5_000_000, -5_000_000, -5_000_001, 123 * points.CENT])
    assert points.cents(values).tolist() == [0, 0, 0, 1, 0, -1, 123]
    assert (points.cents(values + 7 * points.CENT) == points.cents(values) + 7).all()


def test_no_event_is_no_score():
    book = points.opened(catalogue())
    assert points.add(book, drawn(5).iloc[:0]).rows == 0
    assert points.scores(book, AS_OF).empty
    points.add(book, drawn(5))
    assert exact(book).equals(exact(points.built(catalogue(), drawn(5))))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"person_id": None}, "whole number in every row"),
        ({"occurred_at": None}, "have no occurred_at"),
        ({"known_at": None}, "have no known_at"),
        ({"occurred_at": AS_OF}, "known before they occurred"),
    ],
)
def test_events_that_cannot_be_are_refused_and_the_book_stays(change, message):
    book = points.built(catalogue(), events((1, "visit", 0, 0)))
    wrong = events((1, "visit", 3, 0)).assign(**change)
    for name in ("occurred_at", "known_at"):
        wrong[name] = pd.to_datetime(wrong[name]).astype("datetime64[us]")
    before = exact(book)
    with pytest.raises(InputError, match=message):
        points.add(book, wrong)
    assert exact(book).equals(before)
    with pytest.raises(InputError, match="need the column known_at"):
        points.add(book, wrong.drop(columns="known_at"))


def test_a_book_on_disk_is_kept_up_at_the_last_digit(tmp_path):
    rows = drawn(400)
    made = point_store.create(tmp_path / "book", catalogue(), rows.iloc[:200])
    assert made.events_count > 0
    for part in np.array_split(np.arange(200, 400), 3):
        point_store.refresh(tmp_path / "book", catalogue(), rows.iloc[part])
    book = point_store.opened(tmp_path / "book", catalogue())
    assert exact(book).equals(exact(points.built(catalogue(), rows)))
    with pytest.raises(InputError, match="holds a book already"):
        point_store.create(tmp_path / "book", catalogue(), rows)


def test_a_run_killed_before_the_state_leaves_the_hour_before(tmp_path, monkeypatch):
    rows, folder = drawn(300), tmp_path / "book"
    point_store.create(folder, catalogue(), rows.iloc[:100])
    before = exact(point_store.opened(folder, catalogue()))

    def killed(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(point_store.files, "write_bytes", killed)
        with pytest.raises(KeyboardInterrupt):
            point_store.refresh(folder, catalogue(), rows.iloc[100:200].iloc[::-1])
    assert exact(point_store.opened(folder, catalogue())).equals(before)
    point_store.refresh(folder, catalogue(), rows.iloc[100:])
    found = exact(point_store.opened(folder, catalogue()))
    assert found.equals(exact(points.built(catalogue(), rows)))


def test_a_book_of_other_rules_or_a_damaged_one_is_refused(tmp_path):
    folder = tmp_path / "book"
    with pytest.raises(InputError, match="holds no book"):
        point_store.opened(folder, catalogue())
    point_store.create(folder, catalogue(), drawn(50))
    with pytest.raises(InputError, match="rules have changed"):
        point_store.refresh(folder, catalogue(visit={"points": 1}), drawn(5))
    (folder / "kind.bin").write_bytes(b"12")
    with pytest.raises(InputError, match="log in .* holds 1 events"):
        point_store.opened(folder, catalogue())
    (folder / "state.npz").write_bytes(b"nonsense")
    with pytest.raises(InputError, match="damaged"):
        point_store.opened(folder, catalogue())


def test_more_events_than_a_book_can_number_are_refused(monkeypatch):
    monkeypatch.setattr(points, "MOST_EVENTS", 3)
    book = points.built(catalogue(), events((1, "visit", 0, 0), (1, "visit", 1, 0)))
    with pytest.raises(InputError, match="A book holds 3 events"):
        points.add(book, events((1, "visit", 2, 0), (1, "visit", 3, 0)))
    assert book.cells[0, pk.HEAD] == 1
