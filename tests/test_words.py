"""Every column has a sentence, whatever it holds, and a mistake in the dictionary is named."""

import re

import numpy as np
import pytest
from ruamel.yaml import YAML

from tierwise import features as ft
from tierwise import files, words
from tierwise.files import InputError

FAMILIES = ["effort", "time"]
WORDS = {
    "message_sent": {"words": "messages sent", "one": "message sent", "family": "effort"},
    "stage_last": {
        "words": "stage", "values": {1: "stage is new"}, "group": "stage", "family": "time"
    },
    "stage": {"words": "stage of the deal", "family": "time"},
    "visits_{days}d": {"words": "{value} visits in {days} days", "family": "time"},
    "{page}_seen": {"words": "{page} seen {value} times", "group": "{page}", "family": "time"},
    "kind": {"words": "kind", "missing": "no kind yet", "family": "time"},
}  # fmt: skip


def said(column, value):
    return words.say(words.dictionary([column], WORDS, FAMILIES)[column], value)


@pytest.mark.parametrize(
    ("column", "value", "sentence"),
    [
        ("message_sent_count_30d", 7.0, "7 messages sent in the last 30 days"),
        ("message_sent_count_30d", np.float32(1), "1 message sent in the last 30 days"),
        ("message_sent_count", 0.0, "no messages sent so far"),
        ("message_sent_count_0.5d", 2.0, "2 messages sent in the last 0.5 days"),
        ("message_sent_recency_days", 0.01, "latest message sent less than an hour ago"),
        ("message_sent_recency_days", 0.05, "latest message sent 1 hour ago"),
        ("message_sent_recency_days", 41.3, "latest message sent 41 days ago"),
        ("message_sent_recency_days", np.nan, "no messages sent so far"),
        ("message_sent_last", 0.344, "latest message sent is 0.344"),
        ("message_sent_last", 2.5e-19, "latest message sent is almost 0"),
        ("message_sent_last", -9.9e-5, "latest message sent is almost 0"),
        ("message_sent_last", 0.0001, "latest message sent is 0.0001"),
        ("message_sent_distinct_days_7d", 1.0, "1 day with messages sent in the last 7 days"),
        ("call_done_share_of_message_sent", 1 / 3, "33 % call done among messages sent"),
        ("stage_last", 1.0, "stage is new"),
        ("stage_last", 4.0, "stage is 4"),
        ("stage_last", np.nan, "stage of the deal not known"),
        ("visits_7d", 3.0, "3 visits in 7 days"),
        ("price_list_seen", 2110.0, "price list seen 2,110 times"),
        ("kind", "warm", "kind is warm"),
        ("kind", "(missing)", "no kind yet"),
        ("never_heard_of", -1.5, "never heard of is -1.5"),
        ("odd {value} {", "a {b}", "odd {value} { is a {b}"),
    ],
)
def test_value_is_said_in_the_words_of_its_column(column, value, sentence):
    assert said(column, value) == sentence


def test_every_feature_that_can_be_declared_has_a_sentence_of_its_subject():
    declared = [
        *(ft.recency("message_sent"), ft.last("message_sent"), ft.faded("message_sent", 7)),
        *(ft.share("message_sent", "stage", days) for days in (None, 7)),
        *(stat("message_sent", days) for stat in (ft.count, ft.total) for days in (None, 7)),
        *(ft.distinct_days("message_sent", days) for days in (None, 7)),
    ]
    assert {feature.stat for feature in declared} == set(ft.STATS)
    for name in (feature.name for feature in declared):
        found = words.dictionary([name], WORDS, FAMILIES)[name]
        assert (found.group, found.family) == ("message_sent", "effort"), name
        assert re.search("messages? sent", words.say(found, 3.0)), name


def test_columns_of_one_subject_pattern_or_group_are_one_group():
    columns = ["message_sent_count", "message_sent_last", "visits_7d", "visits_30d"]
    columns += ["stage_last", "stage_recency_days", "home_seen", "price_seen"]
    found = words.dictionary(columns, WORDS, FAMILIES)
    groups = [found[column].group for column in columns]
    assert groups == [
        *("message_sent", "message_sent", "visits_{days}d", "visits_{days}d"),
        *("stage", "stage", "home", "price"),
    ]
    assert found["stage_last"].label == "stage of the deal"


def test_column_without_an_entry_is_of_no_family():
    found = words.dictionary(["odd_name", "odd_count_7d"], WORDS, FAMILIES)
    assert {wording.family for wording in found.values()} == {words.OTHER}
    assert found["odd_count_7d"].label == "odd"


def test_name_goes_before_pattern_and_pattern_before_subject():
    entries = {
        "{what}_count": {"words": "pattern", "family": "time"},
        "a": {"words": "subject", "family": "time"},
        "b_count": {"words": "name", "family": "time"},
    }
    found = words.dictionary(["a_count", "b_count", "a_count_7d"], entries, FAMILIES)
    shown = [words.say(found[column], 2.0) for column in found]
    assert shown == ["pattern is 2", "name is 2", "2 subject in the last 7 days"]


def test_entries_that_no_column_needs_are_listed():
    found = words.dictionary(["stage_last", "message_sent_count"], WORDS, FAMILIES)
    assert words.unused(WORDS, found) == ["visits_{days}d", "{page}_seen", "kind"]


def test_bin_is_named_in_the_unit_of_its_sentence():
    columns = ["message_sent_recency_days", "a_share_of_b", "stage_last"]
    span, share, stage = words.dictionary(columns, WORDS, FAMILIES).values()
    assert words.between(span, 1.41, 3.26) == "1.4 – 3.3 days"
    assert words.between(share, 0.1, 0.25) == "10 % – 25 %"
    assert words.between(stage, 1.0, 1.0) == "stage is new"
    assert words.between(stage, np.nan, np.nan) == "not known"
    assert words.title(span) == "latest message sent … ago"


@pytest.mark.parametrize(
    ("key", "entry", "message"),
    [
        ("a", {"words": "a"}, "words of 'a': family: Field required"),
        ("a", {"words": "a", "family": "hope"}, "family 'hope' is none of the families"),
        ("a", {"words": "a", "family": "time", "word": "b"}, "word: Extra inputs"),
        ("a", {"words": 3, "family": "time"}, "words: Input should be a valid string; it is 3"),
        ("a", None, "words of 'a': entry: Input should be a valid dictionary"),
        ("a", {"words": "{worth}", "family": "time"}, "nothing is known of {worth}"),
        ("a", {"words": "a", "zero": "{days}", "family": "time"}, "nothing is known of {days}"),
        ("a", {"words": "{value", "family": "time"}, "expected '}'"),
        ("a", {"words": "{value:.2f}", "family": "time"}, "a name and nothing else"),
        ("a", {"words": "{value.real}", "family": "time"}, "a name and nothing else"),
        ("a_{n}", {"words": "a", "group": "{m}", "family": "time"}, "nothing is known of {m}"),
        ("{n}_{n}", {"words": "a", "family": "time"}, "holds each name in braces once"),
        ("{value}_d", {"words": "a", "family": "time"}, "none of value, share, span"),
    ],
)
def test_mistake_in_the_dictionary_is_named(key, entry, message):
    with pytest.raises(InputError, match=message.replace("{", r"\{").replace("}", r"\}")):
        words.dictionary(["a"], {key: entry}, FAMILIES)


def sections():
    """(application, section with words) of params.yaml."""
    params = YAML(typ="safe").load(files.project_root() / "params.yaml")["applications"]
    steps = [(name, part) for name, own in params.items() for part in own.values()]
    return [(name, part) for name, part in steps if "words" in part]


@pytest.mark.parametrize(("application", "section"), sections())
def test_dictionary_of_params_is_valid_and_groups_have_one_family(application, section):
    entries = section["words"]
    found = words.dictionary(entries, entries, section["families"])
    families = {}
    for wording in found.values():
        assert families.setdefault(wording.group, wording.family) == wording.family, wording
