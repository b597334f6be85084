"""Words of an outcome fall on the side that people mean, or they are asked for."""

import pandas as pd
import pytest

from tierwise.files import InputError
from tierwise.outcomes import is_won, plain, shown, sides


def told(*values, won=(), lost=()):
    return sides(pd.Series(values, dtype="str"), "end", won, lost)


@pytest.mark.parametrize(
    ("value", "word"),
    [
        ("Closed - Won", "closed won"),
        ("closed_won", "closed won"),
        ("  YES. ", "yes"),
        ("Não", "não"),
        ("-1", "-1"),
        ("1", "1"),
        ("?", "?"),
    ],
)
def test_marks_and_capitals_do_not_make_another_word(value, word):
    assert plain(value) == word


def test_minus_one_is_lost_and_one_is_won():
    assert told("1", "-1", "1")[:2] == (["1"], ["-1"])


def test_numbers_that_count_something_are_neither_won_nor_lost():
    assert told("0", "1", "unknown")[:2] == (["1"], ["0"])
    with pytest.raises(InputError, match="Which values of 'end' are won"):
        told("0", "1", "2", "1")


def test_a_word_is_won_beside_its_denial():
    assert is_won("insurance", {"noinsurance", "insurance"})
    assert is_won("signed", {"not signed", "signed"})
    assert not is_won("red", {"blue", "red"})
    assert told("renewed", "not renewed", "renewed")[:2] == (["renewed"], ["not renewed"])


def test_one_known_side_names_the_other_of_two():
    assert told("won", "cold", "cold")[:2] == (["won"], ["cold"])
    assert told("warm", "warm", "no")[:2] == (["warm"], ["no"])
    assert told("a", "b", "b", lost=["a"])[:2] == (["b"], ["a"])


def test_values_on_neither_side_are_open_and_said():
    won, lost, notes = told("Won", "Lost", "Engaging", "Prospecting", "Lost")
    assert (won, lost) == (["Won"], ["Lost"])
    assert notes == ["'end' is still open where it says 'Engaging', 'Prospecting'; else say --lost"]


def test_what_is_told_goes_before_known_words():
    assert told("yes", "no", "no", won=["no"])[:2] == (["no"], ["yes"])
    assert told("yes", "no", "maybe", lost=["yes"], won=["maybe"])[:2] == (["maybe"], ["yes"])


def test_won_alone_makes_known_words_lost_before_it_makes_all_others_lost():
    assert told("Won", "Lost", "Open", won=["Won"])[1] == ["Lost"]
    assert sorted(told("a", "b", "c", won=["a"])[1]) == ["b", "c"]


def test_of_two_unknown_words_the_rarer_is_won():
    won, lost, notes = told("a", "b", "a")
    assert (won, lost) == (["b"], ["a"])
    assert notes == ["'b' counts as won because it is rarer; else say --won 'a'"]


@pytest.mark.parametrize(
    ("values", "options", "rule"),
    [
        (["yes", "yes", None], {}, "says 'yes' or nothing \\(1 of 3 rows are empty\\)"),
        ([None, None], {}, "is empty"),
        (["yes", "no"], {"won": ["Yes"]}, "never 'Yes'. It says"),
        (["yes", "no"], {"won": ["yes"], "lost": ["yes"]}, "won and lost at once"),
        (["a", "b", "c"], {}, "Say --won VALUE and --lost VALUE"),
        (["a", "b", "c"], {"lost": ["a"]}, "Say --won VALUE"),
        ([str(k) for k in range(2000)], {}, "and 1,994 more values. An amount, a date"),
        ([f"v{k}" for k in range(2000)], {"won": ["v1"]}, "An amount, a date"),
    ],
)
def test_what_cannot_be_told_is_asked(values, options, rule):
    with pytest.raises(InputError, match=rule):
        told(*values, **options)


def test_lists_are_cut_short():
    assert shown(list("abc"), most=2) == "'a', 'b' and 1 more values"
