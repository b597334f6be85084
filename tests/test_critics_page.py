"""The page about loud critics: texts of strangers made harmless, verdicts no bolder than figures."""

import json
from functools import cache
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from critic_worlds import RULE, found, model, people, ruled, texts, world
from tierwise import report
from tierwise.customers import critics_evidence as ce
from tierwise.customers import critics_measured as cm
from tierwise.customers import critics_page as page
from tierwise.customers import loud_critics as lc
from tierwise.customers import plots_critics, sentiment_measured
from tierwise.simulation.customer_phrases import HOSTILE

NOBODY_READ = cm.reviews(None)
LOUD = "-+--+--+--" * 3
TOLD = pd.DataFrame({"language": ["en", "ru"], "auc": [0.8, 0.85]})
BIDI = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f\u061c"


def with_status(result, read=NOBODY_READ):
    return cm.with_status(lc.listed(result), read)


@pytest.mark.parametrize("text", [*HOSTILE, "a\u0000b\x1b[31mred", BIDI, "х" + "\u0301" * 500])
def test_a_shown_text_is_one_short_line_without_marks_that_steer(text):
    shown = ce.fit_to_show(text)
    assert len(shown) <= ce.MOST_SHOWN
    assert not set(shown) & set(BIDI + "\n\r\t\x00\x1b\u200b")
    assert shown == " ".join(shown.split())


def test_addresses_links_and_long_numbers_are_taken_out():
    text = "Write to anna.b+x@mail.example.org, see https://x.test/a?b=1 or call +49 170 123-45-67"
    assert ce.fit_to_show(text) == "Write to [e-mail], see [link] or call [number]"
    assert ce.fit_to_show("order 48213 of 14 May") == "order 48213 of 14 May"


def test_short_texts_stay_as_they_are_and_long_ones_end_with_dots():
    plain = "Ждала три недели, й и ё на месте: café, naïve 👍"
    assert ce.fit_to_show(plain) == plain
    assert ce.fit_to_show("word " * 100).endswith("…")
    assert ce.fit_to_show("word " * 100, 20) == "word word word word…"


def test_texts_to_be_read_are_the_newest_of_separate_weeks_with_others_beside():
    weeks = [0, 1, 2, 3, 4, 5, 5, 5, 6, 7]
    rows = texts(1, "-------+++", weeks)
    shown = ce.chosen(rows)
    assert list(shown["week"]) == [5, 4, 3, 2, 1, 7, 6]
    assert list(shown["negative"]) == [True] * 5 + [False] * 2
    few = ce.chosen(texts(1, "--", [5, 5]))
    assert len(few) == 2


def test_what_could_not_be_judged_is_no_evidence():
    assert ce.chosen(texts(1, "-?+?"))["chance"].notna().all()


def hostile_cards():
    rows = texts(1, "-" * len(HOSTILE) + "++")
    rows["text"] = [*HOSTILE, "fine", "<i>good</i>"]
    listed = lc.listed(ruled(rows))
    return ce.cards(model(), rows, listed, 10) + [
        ce.card(model(), rows.iloc[[at]], SimpleNamespace(**listed.iloc[0]))
        for at in range(len(rows))
    ]


def test_hostile_texts_are_shown_as_text():
    html = page.evidence(hostile_cards()).data
    allowed = {"article", "h3", "p", "bdi", "b"}
    tags = {part.split(">")[0].split(" ")[0].strip("/") for part in html.split("<")[1:]}
    assert tags <= allowed
    assert "&lt;script&gt;" in html or "&lt;b&gt;" in html
    assert "onerror=alert(1)&gt;" in html
    assert not set(html) & set(BIDI)


def test_words_that_weigh_most_are_bold_and_escaped():
    one = {"on": "2024-05-01", "text": "a <b>rude</b> rude, man", "chance": 0.9, "negative": True,
           "words": ["rude", "<b>x"]}  # fmt: skip
    html = page.text(one)
    assert "<b>rude,</b>" in html
    assert "&lt;b&gt;rude&lt;/b&gt;" in html
    assert "weighs most: rude, &lt;b&gt;x" in html


def test_texts_of_those_who_want_to_be_left_alone_are_not_shown():
    result = ruled(texts(1, LOUD), who=people(range(1, 200), may_contact=False))
    listed = with_status(result)
    assert list(listed["status"]) == [cm.LEFT_ALONE]
    assert ce.cards(model(), result.texts, listed, 10) == []
    assert "Nobody is on the list" in page.evidence([]).data
    assert (
        "1 of them must be left alone" in page.cards(result, listed, NOBODY_READ, None)[0]["note"]
    )


def test_cards_hold_no_more_people_than_asked_for():
    result = found()
    listed = with_status(result)
    shown = ce.cards(model(), result.texts, listed, 2)
    assert len(shown) == 2
    for one in shown:
        assert {text["negative"] for text in one["texts"]} <= {True, False}
        assert one["first_day"] <= one["last_day"]
        assert all(word for text in one["texts"] for word in text["words"])


@cache
def many(count=12):
    """Result with `count` most active who write enough, of whom person 1 is loud."""
    rest = [texts(n, "+" * 12) for n in range(2, count + 1)]
    return ruled(texts(1, LOUD), *rest, top=range(1, count + 1),
                 rule=lc.rules({"least_texts": 8, "top_share": 0.15}))  # fmt: skip


def verdict(result, read=NOBODY_READ, known=None, told=TOLD):
    return page.judgement(result, with_status(result, read), read, known, told)


def test_verdict_follows_its_rules_in_their_order():
    result = many()
    assert verdict(result)[0] == "info"
    assert "read five texts of each" in verdict(result)[1]
    loud = pd.Series({1: True})
    assert verdict(result, known=cm.against(result, loud, 8))[0] == "supported"
    wrong = cm.against(result, pd.Series({2: True}), 8)
    assert verdict(result, known=wrong)[0] == "not supported"
    assert verdict(result, told=TOLD.assign(auc=0.6))[0] == "cannot rank"
    assert verdict(ruled(texts(1, LOUD), top=range(1, 9)))[0] == "cannot rank"


def test_reviews_outweigh_the_truth_once_there_are_enough():
    rows = [texts(n, LOUD) for n in range(1, 13)]
    result = ruled(*rows, top=range(1, 13), rule=lc.rules({"least_texts": 8, "top_share": 0.15}))
    assert len(lc.listed(result)) == 12
    read = pd.Series([False] * 3 + [True] * 7, index=range(1, 11))
    kind, sentence = verdict(result, read)
    assert kind == "not supported"
    assert "70% are critics" in sentence
    assert verdict(result, read | True)[0] == "supported"
    assert verdict(result, read.head(9))[0] == "info"


def test_a_world_without_critics_and_an_empty_list_is_supported():
    quiet = [texts(n, "+" * 12) for n in range(1, 13)]
    result = ruled(*quiet, top=range(1, 13), rule=lc.rules({"least_texts": 8, "top_share": 0.15}))
    known = cm.against(result, pd.Series({1: False}), 8)
    assert verdict(result, known=known)[0] == "supported"
    assert verdict(result, known=cm.against(result, pd.Series({1: True}), 8))[0] == "not supported"


def test_what_is_missed_is_said_or_that_nobody_knows():
    assert "nobody knows" in page.missed(None)
    known = cm.against(many(), pd.Series({1: True, 2: True}), 8)
    assert "1 by “negative beyond the limit”" in page.missed(known)
    assert page.missed(cm.against(many(), pd.Series({1: True}), 8)).startswith("No critic")


def test_tables_are_shown_with_the_formats_that_the_page_names():
    listed = with_status(found())
    html = report.table(page.shown_list(listed), page.LIST_FORMATS).data
    assert str(listed["person_id"].iloc[0]) in html
    told = pd.DataFrame([{"language": "en", "texts_count": 9, "negative_count": 4} | {
        f"{name}{end}": 0.5 for name in ("auc", "precision", "recall") for end in ("", "_low", "_high")
    }])  # fmt: skip
    both = page.shown_told(told, told)
    assert list(both["labelled_texts"]) == ["written for the purpose", "labelled by your team"]
    assert "50.0 %" in report.table(both, page.TOLD_FORMATS).data


@pytest.fixture
def project(tmp_path, monkeypatch):
    for name in ("params.yaml", "dvc.yaml"):
        (tmp_path / name).write_text("{}\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_no_text_and_no_person_leaves_with_the_figures(project):
    result = found()
    listed = with_status(result)
    known = cm.against(result, world(0, 0.08)[1]["critics"].set_index("person_id")["loud"], 12)
    kinds = pd.DataFrame({"kind": ["plain"], "texts_count": [3]})
    parts = {"read": NOBODY_READ, "known": known, "held_out": TOLD, "kinds": kinds,
             "model": model()}  # fmt: skip
    page.save_metrics({"application": "shop"}, result, listed, parts)
    text = (project / "metrics/shop/loud_critics.json").read_text()
    assert json.loads(text)["listed_count"] == len(listed) > 0
    numbers = set(result.people["person_id"].astype("str"))
    assert not any(one in text for one in numbers if len(one) >= 6)
    handed = pd.read_parquet(project / "models/shop/loud_critics.parquet")
    assert handed["person_id"].is_monotonic_increasing
    assert "text" not in handed.columns
    first = (project / "models/shop/loud_critics.parquet").read_bytes()
    page.save_metrics({"application": "shop"}, result, listed.sample(frac=1, random_state=1), parts)
    assert (project / "models/shop/loud_critics.parquet").read_bytes() == first


def test_figures_name_their_axes_and_hold_everybody():
    result = many()
    figure = plots_critics.people(result.people, result.limit, result.median, 8)
    axes = figure.axes[0]
    assert sum(len(part.get_offsets()) for part in axes.collections[1::2]) == 12
    assert "interval" in axes.get_ylabel()
    steps = plots_critics.steps(lc.funnel(result)).axes[0]
    assert len(steps.patches) == len(lc.STEPS)
    assert "logarithmic" in steps.get_xlabel()
    nobody = lc.funnel(ruled(texts(1, "+++")))
    assert plots_critics.steps(nobody).axes[0].get_xlim()[0] > 0
    sample = pd.DataFrame({"language": "en", "label": ["negative", "neutral"] * 2,
                           "text": ["awful", "when?", "rude man", "thanks"]})  # fmt: skip
    table = sentiment_measured.by_threshold(model(), sample)
    assert plots_critics.thresholds(table, 0.5).axes[0].get_xlabel()
    empty = plots_critics.people(result.people.head(0), 0.2, 0.1, 8).axes[0]
    assert np.isfinite(empty.get_ylim()).all()


def test_the_rule_of_the_tests_is_the_rule_of_the_page_but_for_the_number_of_texts():
    assert RULE.model_copy(update={"least_texts": 20}) == lc.rules()
