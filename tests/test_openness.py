"""Open cases are put beside ended ones of the same time, so that age is not taken for a leak."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tierwise import leakage, openness

DAY_0 = pd.Timestamp("2026-01-01")


def world(seed=0, count=4000, judged_from=320, today=400):
    """(decided rows before the judged span, their columns, the open rows with theirs).

    Ten cases a day; a tenth takes a year to end, the others forty days. note: written when a case
    ends; form: a field that exists since day 300; noise: says nothing.
    """
    random = np.random.default_rng(seed)
    day = np.sort(random.uniform(0, today, count))
    end = day + random.exponential(np.where(random.random(count) < 0.1, 400, 40))
    rows = pd.DataFrame({"as_of": DAY_0 + pd.to_timedelta(day, "D")})
    rows["entity_id"] = [f"L{number}" for number in range(count)]
    columns = pd.DataFrame({"noise": random.random(count)})
    columns["note"] = columns["noise"].where(end <= today)
    columns["form"] = columns["noise"].where(day > 300)
    ended, still = (
        (rows[mask].reset_index(drop=True), columns[mask].reset_index(drop=True))
        for mask in (end < judged_from, end > today)
    )
    return *ended, still


def signs(who, columns):
    """The guard's reasons by column."""
    found = leakage.against_open(columns, who["is_open"].to_numpy(), entity=who["entity_id"])
    return found.set_index("column")["reason"]


def test_a_field_that_is_written_at_closing_is_refused_and_one_that_is_merely_new_is_not():
    """Without partners of the same time the new form looks like a leak: the open ones are young."""
    examples, columns, still = world()
    who = pd.concat([examples.assign(is_open=False), still[0].assign(is_open=True)])
    order = np.argsort(who["as_of"].to_numpy(), kind="stable")
    everything = pd.concat([columns, still[1]]).iloc[order]
    assert "filled at closing" in signs(who.iloc[order], everything)["form"]
    found = signs(*openness.beside(examples, columns, still))
    assert "filled at closing" in found["note"]
    assert found[["form", "noise"]].tolist() == ["", ""]


def test_the_worked_example():
    letters = np.array(list("EEEEEEEEEoEEEoEoEoooo"))
    kept = openness.has_partner(letters == "o")
    assert "".join(np.where(kept, letters, "-")) == "----EEEEEoEEEoEoE----"


@given(st.lists(st.booleans(), max_size=60).map(lambda rows: np.array(rows, dtype=bool)))
def test_whoever_is_kept_has_a_partner_nearby(is_open):
    kept = openness.has_partner(is_open)
    ended = np.flatnonzero(~is_open)
    for row in np.flatnonzero(is_open):
        assert kept[row] == ((ended < row).any() and (ended > row).any())
    compared = np.flatnonzero(is_open & kept)
    for row in ended:
        between = [
            ((ended > min(row, other)) & (ended < max(row, other))).sum() for other in compared
        ]
        assert kept[row] == (min(between, default=99) < openness.NEIGHBOURS_COUNT)


def cases(*rows):
    """Rows of (day, entity, value) as what an application hands over."""
    table = pd.DataFrame(rows, columns=["as_of", "entity_id", "value"])
    return table[["as_of", "entity_id"]], table[["value"]]


def test_a_row_on_both_sides_is_open_and_looks_that_say_the_same_count_once():
    """Deal a is still open: its look on day 2 has an outcome, but the deal has not ended."""
    examples, columns = cases((1, "b", 5), (2, "a", 7), (2, "b", 5), (3, "b", 6), (9, "c", 5))
    who, said = openness.beside(examples, columns, cases((2, "a", 7), (4, "a", 7)))
    assert who.to_numpy().tolist() == [
        *([1, "b", False], [2, "a", True], [3, "b", False], [9, "c", False])
    ]
    assert said["value"].tolist() == [5, 7, 6, 5]


@pytest.mark.parametrize("name", ["as_of", "entity_id", "is_open", "row"])
def test_a_column_may_be_called_like_one_of_ours(name):
    examples, columns, still = world()
    plain = openness.beside(examples, columns, still)
    called = [part.rename(columns={"note": name}) for part in (columns, still[1])]
    who, said = openness.beside(examples, called[0], (still[0], called[1]))
    pd.testing.assert_frame_equal(who, plain[0])
    pd.testing.assert_frame_equal(said.rename(columns={name: "note"}), plain[1])


def test_only_columns_of_both_sides_are_compared_and_the_others_keep_their_audit():
    examples, columns, still = world()
    columns["won"] = np.arange(len(columns)) % 2 * 1.0
    assert list(openness.beside(examples, columns, still)[1]) == ["noise", "note", "form"]
    audit = leakage.audit(columns, examples["as_of"], columns["won"].to_numpy())
    found = openness.compared(audit, examples, columns, still).set_index("column")
    assert found.loc["won", "reason"].startswith("too good alone")
    assert found.loc["note", "reason"].startswith("filled at closing")
    assert np.isnan(found.loc["won", "open_gap_share"])
    silent = openness.compared(audit, examples, columns, still, dated=["note"]).set_index("column")
    assert silent.loc["note", "reason"] == ""


@pytest.mark.parametrize("later", [False, True])
def test_where_no_open_case_is_as_old_as_an_ended_one_the_audit_is_as_it_was(later):
    examples, columns, still = world()
    young = still[0].tail(1).assign(as_of=DAY_0 + pd.Timedelta(days=900)).reset_index(drop=True)
    rows = (young, still[1].tail(1).reset_index(drop=True)) if later else None
    who, said = openness.beside(examples, columns, rows)
    assert who.empty
    assert said.empty
    audit = leakage.audit(columns, examples["as_of"], np.arange(len(columns)) % 2 * 1.0)
    found = openness.compared(audit, examples, columns, rows)
    pd.testing.assert_frame_equal(found[list(audit)], audit)
    assert openness.sentence(who).startswith("No open case is as old as one that has ended")


def test_the_sentence_counts_both_sides_and_says_when_they_are_too_few():
    examples, columns, still = world()
    who, _ = openness.beside(examples, columns, still)
    count = int(who["is_open"].sum())
    told = openness.sentence(who)
    assert told.startswith(f"Compared were {count:,} open cases and {len(who) - count:,} ended")
    few = who[~who["is_open"] | (who["is_open"].cumsum() < 50)]
    assert "There are only 49 open cases" in openness.sentence(few)


def test_the_order_of_the_rows_and_rows_after_the_last_ended_one_change_nothing():
    examples, columns, still = world()
    before = openness.beside(examples, columns, still)
    mixed = still[0].sample(frac=1, random_state=0)
    again = (mixed.reset_index(drop=True), still[1].loc[mixed.index].reset_index(drop=True))
    edge = examples["as_of"].max()
    early = (still[0]["as_of"] < edge).to_numpy()
    assert not early.all()
    cut = tuple(part[early].reset_index(drop=True) for part in still)
    for other in (again, cut):
        for one, same in zip(openness.beside(examples, columns, other), before, strict=True):
            pd.testing.assert_frame_equal(one, same)
