"""Tables, cards, verdicts and the first page: escaped, formatted one way, honest when empty."""

import re

import numpy as np
import pandas as pd
import pytest

from tierwise import imports, index, plots, render, report
from tierwise.files import STEPS, InputError, steps_about, write_json
from tierwise.render import TEMPLATE

COMPANY_STEPS = steps_about("companies")
HOSTILE = "<script>alert('x')</script>&\""


def text(html):
    return html.data if hasattr(html, "data") else html


@pytest.mark.parametrize(
    ("value", "kind", "expected"),
    [
        (1234, "count", "1,234"),
        (0.1234, "share", "12.3 %"),
        (0.12345, "number", "0.123"),
        (1234.4, "eur", "€1,234"),
        (-1234.4, "eur", "-€1,234"),
        (-0.2, "eur", "€0"),
        (0.01234, "seconds", "0.012 s"),
        (123.4, "seconds", "120 s"),
        (9.96, "seconds", "10.0 s"),
        (0, "seconds", "0 s"),
        (pd.Timestamp("2026-05-31 12:00"), "date", "2026-05-31"),
        (np.datetime64("2026-05-31"), "date", "2026-05-31"),
        ("a_b", "text", "a_b"),
        ((0.1, 0.2), "share", "10.0 % – 20.0 %"),
        ([1000, 2000], "count", "1,000 – 2,000"),
        ((0.1, None), "share", "–"),
        (None, "count", "–"),
        (float("nan"), "share", "–"),
        (pd.NaT, "date", "–"),
        (pd.NA, "text", "–"),
        (float("inf"), "number", "∞"),
        ("too early to say", "share", "too early to say"),
    ],
)
def test_each_kind_is_written_one_way(value, kind, expected):
    assert report.format_value(value, kind) == expected


def test_unknown_format_is_answered_with_the_known_ones():
    with pytest.raises(InputError, match="count, share, number, eur, seconds, date, text"):
        report.format_value(1, "percent")


def test_table_escapes_names_values_and_caption():
    page = text(report.table(pd.DataFrame({HOSTILE: [HOSTILE]}), caption=HOSTILE))
    assert "<script" not in page
    assert page.count("&lt;script&gt;") == 3


def test_table_shows_names_in_words_and_no_index():
    frame = pd.DataFrame({"rows_count": [1234]}, index=["label"])
    page = text(report.table(frame))
    assert ">rows count</th>" in page
    assert '<td class="number">1,234</td>' in page
    assert "label" not in page


def test_table_takes_formats_from_types_unless_told():
    frame = pd.DataFrame({"n": [1], "x": [0.5], "yes": [True], "day": [pd.Timestamp("2026-01-02")]})
    page = text(report.table(frame, {"x": "share"}))
    assert re.findall(r"<td[^>]*>(.*?)</td>", page) == ["1", "50.0 %", "True", "2026-01-02"]


def test_table_keeps_columns_of_the_same_name_apart():
    frame = pd.DataFrame([[1, "b"]], columns=["a", "a"])
    assert re.findall(r"<td[^>]*>(.*?)</td>", text(report.table(frame))) == ["1", "b"]


def test_table_without_rows_is_a_table():
    assert "<tbody>" in text(report.table(pd.DataFrame({"a": []})))


def test_table_refuses_a_format_for_a_column_it_lacks():
    with pytest.raises(InputError, match=r"No column \['share'\]; the table has \['a'\]"):
        report.table(pd.DataFrame({"a": [1]}), {"share": "share"})


def test_cards_escape_and_leave_out_what_is_absent():
    page = text(report.headline([{"label": HOSTILE, "value": "5 %", "interval": None}]))
    assert "<script" not in page
    assert "interval" not in page


def test_verdicts_are_escaped_and_named():
    assert "<script" not in text(report.verdict("supported", HOSTILE))
    assert 'class="verdict cannot-rank"' in text(report.verdict("cannot rank", "x"))
    with pytest.raises(InputError, match="supported, not supported, cannot rank, alarm, info"):
        report.verdict("maybe", "x")


def tier(name, rate):
    interval = [rate - 0.01, rate + 0.01]
    return {"name": name, "count": 100, "wins": 9, "rate": rate, "interval": interval}


@pytest.fixture
def root(tmp_path):
    """Four applications: supported, not supported on simulated data, cannot rank, not run."""
    (tmp_path / "dvc.yaml").write_text("stages: {}\n")
    (tmp_path / "params.yaml").write_text(
        "applications: {bank_calls: {}, leads: {}, providers: {}, referrals: {}}\n"
    )
    (tmp_path / "notebooks").mkdir()
    for step in ("validate_tiers", "build_features", "watch_outcomes"):
        (tmp_path / f"notebooks/{step}.ipynb").write_text("{}")
    supported = {
        "verdict": "supported",
        "sentence": f"A beats B. {HOSTILE}",
        "entity": "client call",
        "rows_count": 300,
        "wins_count": 27,
        "auc": 0.78,
        "auc_interval": [0.75, 0.81],
        "tiers": [tier("A", 0.3), tier("B", 0.2), tier("C", 0.1)],
        "found_share": {"A+B": {"share": 0.8, "interval": [0.7, 0.9]}},
    }
    unknown = {"verdict": "cannot rank", "sentence": "Too few wins.", "auc": None, "tiers": []}
    features = {"data_version": "0123456789abcdef", "data_until": "2026-05-31", "simulated": False}
    quarantined = [{"column": HOSTILE, "reason": "known later"}]
    metrics = tmp_path / "metrics"
    write_json(metrics / "bank_calls/validate_tiers.json", supported)
    write_json(metrics / "bank_calls/build_features.json", features | {"quarantined": quarantined})
    write_json(metrics / "leads/validate_tiers.json", supported | {"verdict": "not supported"})
    write_json(metrics / "leads/build_features.json", features | {"simulated": True})
    write_json(metrics / "providers/validate_tiers.json", unknown)
    return tmp_path


def cards(root):
    page = index.write_index(root).read_text(encoding="utf-8")
    names = re.findall(r'<article .*? id="(.*?)"', page)
    names = [name.removesuffix("-companies") for name in names]
    return dict(zip(names, re.findall(r"<article.*?</article>", page, re.DOTALL), strict=True))


def test_first_page_shows_each_application_with_its_verdict(root):
    found = cards(root)
    assert list(found) == ["bank_calls", "leads", "providers", "referrals"]
    badges = {name: re.findall(r'badge state">(.*?)<', card)[0] for name, card in found.items()}
    assert list(badges.values()) == ["Supported", "Not supported", "Cannot rank", "Not run yet"]


def test_first_page_shows_figures_with_intervals_and_what_data_they_come_from(root):
    card = cards(root)["bank_calls"]
    for shown in ("30.0 %", "29.0 % – 31.0 %", "against 10.0 % in C", "0.780", "0.750 – 0.810"):
        assert shown in card
    for shown in ("80.0 %", "in the first 66.7 % of rows", "2026-05-31", "0123456789<", "client"):
        assert shown in card


def test_first_page_says_when_data_are_simulated(root):
    found = cards(root)
    assert "simulated data" in found["leads"]
    assert "simulated data" not in found["bank_calls"]


def test_first_page_shows_no_number_where_none_could_be_measured(root):
    card = cards(root)["providers"]
    assert re.findall(r'class="value">(.*?)<', card) == ["–", "–", "–"]
    assert "Too few wins." in card


def test_first_page_links_the_steps_there_are(root):
    found = cards(root)
    links = re.findall(r'href="(.*?)"', found["bank_calls"])
    assert links == ["bank_calls/build_features.html", "bank_calls/validate_tiers.html"]
    assert "href" not in found["referrals"]


def test_first_page_is_escaped_loads_nothing_and_is_the_same_each_time(root):
    page = index.write_index(root).read_bytes()
    assert b"<script" not in page
    assert not re.search(rb"src=|<link|@import|url\(|https?://", page)
    assert page == index.write_index(root).read_bytes()


@pytest.fixture
def companies(root):
    """The same with three applications about accounts: all pages but one, a plain file, not run."""
    (root / "params.yaml").write_text(
        (root / "params.yaml").read_text()
        + "account_spend: {employers: {}, shop: {}}\naccounts: {employers: {}, later: {}}\n"
    )
    told = {"data_version": "fedcba9876543210", "data_until": "2026-06-30T09:00:00"}
    for step in COMPANY_STEPS[:-1]:
        figures = told | {"simulated": True, "sentence": f"What {step} says. {HOSTILE}"}
        write_json(root / f"metrics/employers/{step}.json", figures)
    figures = told | {"simulated": False, "sentence": "A shop’s order is better."}
    write_json(root / "metrics/shop/account_spend.json", figures)
    return root


def test_first_page_shows_applications_about_accounts_after_the_others(companies):
    found = cards(companies)
    assert list(found)[4:] == ["employers", "shop", "later"]
    assert index.applications_of(companies, "companies") == ["employers", "shop", "later"]
    assert "<h2>Employers: companies and people</h2>" in found["employers"]


def test_each_page_of_accounts_that_ran_is_linked_with_what_it_says(companies):
    found = cards(companies)
    links = {name: re.findall(r'href="(.*?)"', found[name]) for name in ("employers", "shop")}
    assert links["employers"] == [f"employers/{step}.html" for step in COMPANY_STEPS[:-1]]
    assert links["shop"] == ["shop/account_spend.html"]
    for step in COMPANY_STEPS[:-1]:
        assert f"What {step} says. &lt;script&gt;" in found["employers"]
    assert "A shop’s order is better." in found["shop"]
    for name in ("employers", "shop"):
        assert "Data up to 2026-06-30, version <code>fedcba9876</code>." in found[name]
        assert "Not run yet" not in found[name]


def test_a_page_of_accounts_says_when_data_are_simulated_and_escapes_what_it_says(companies):
    found = cards(companies)
    assert "simulated data" in found["employers"]
    assert "simulated data" not in found["shop"] + found["later"]
    page = index.write_index(companies).read_bytes()
    assert b"<script" not in page
    assert page == index.write_index(companies).read_bytes()


def test_an_application_about_accounts_that_did_not_run_says_what_to_run(companies):
    card = cards(companies)["later"]
    assert "Not run yet. Run <code>dvc repro account_spend@later</code>." in card
    assert "href" not in card
    assert "Data up to" not in card
    told = index.of_subject(companies, "later", "companies")
    assert told["pages"] == []
    assert (told["data_until"], told["data_version"]) == (report.MISSING, report.MISSING)


def test_groups_that_are_empty_or_absent_have_no_application(root):
    assert index.applications_of(root, "companies") == []
    with (root / "params.yaml").open("a") as file:
        file.write("account_spend:\naccounts: {}\n")
    assert index.applications_of(root, "companies") == []


def test_header_of_a_page_of_accounts_has_its_own_facts_and_the_pages_beside_it(companies):
    (companies / "notebooks/account_spend.ipynb").write_text('{"cells": []}')
    (companies / "notebooks/validate_tiers.ipynb").write_text('{"cells": []}')
    every = [*STEPS, *COMPANY_STEPS]
    told = render.describe(companies, "employers", "account_spend", every)
    assert told["steps"] == list(COMPANY_STEPS)
    assert (told["data_version"], told["data_until"]) == ("fedcba9876", "2026-06-30")
    assert told["simulated"] is True
    assert render.describe(companies, "shop", "account_spend", every)["simulated"] is False
    other = render.describe(companies, "bank_calls", "validate_tiers", every)
    assert other["steps"] == list(STEPS)
    assert (other["data_version"], other["simulated"]) == ("0123456789", False)


def test_code_version_follows_the_notebooks(root):
    before = imports.code_version(imports.everything(root / "notebooks"))
    assert re.fullmatch(r"[0-9.]+\+[0-9a-f]{8}", before)
    (root / "notebooks/validate_tiers.ipynb").write_text("{ }")
    assert imports.code_version(imports.everything(root / "notebooks")) != before


def test_style_sheet_knows_the_colours_of_the_figures():
    """It recolours ink and grid in dark mode, and draws the first page's bars like the figures."""
    css = (TEMPLATE / "report.css").read_text(encoding="utf-8")
    for colour in (plots.INK, plots.GRID, *plots.TIER_COLOURS.values()):
        assert colour in css


def test_a_column_that_is_called_a_share_is_shown_as_one():
    frame = pd.DataFrame({"late_share": [0.125, None], "share_of_texts": [0.5, 0.25]})
    page = report.table(frame).data
    assert "12.5 %" in page.replace("\u202f", " ").replace("\xa0", " ")
