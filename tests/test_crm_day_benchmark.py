"""The CRM day benchmark: its claims hold in a small run, its judges can fail, its page says so."""

import copy
import json
import random
import sys
from pathlib import Path

import pandas as pd
import pytest

pytest.importorskip("httpx", reason="needs the extra hourly")

ROOT = Path(__file__).parents[1]
BENCHMARKS = ROOT / "benchmarks"
sys.path.insert(0, str(BENCHMARKS))

import crm_day  # noqa: E402
import crm_day_company as company  # noqa: E402
import crm_day_judge as judge  # noqa: E402
import crm_day_report as report  # noqa: E402
from crm_day_company import fp  # noqa: E402


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    return crm_day.run(crm_day.QUICK, 0, tmp_path_factory.mktemp("crm_day"))


# the small run


def test_every_claim_holds_in_a_small_run(found):
    assert [one for one in report.claims(found) if not one.is_met] == []


def test_the_small_run_has_something_to_show(found):
    assert len(found["backfill"]["days"]) > 1
    assert found["backfill"]["log_tokens"] > found["about"]["tokens_per_day"]
    assert found["limits"]["most_in_window"] == company.BURST_COUNT, "the throttle had no work"
    assert found["features"]["rows"] == found["features"]["written"] > 20
    rows = found["hours"]
    assert rows[0]["postponed"] > 0, "tokens sufficed for all at once"
    assert sum(row["touched"] for row in rows) > 0
    assert sum(row["first_due"] for row in rows[1:]) > 0
    assert {row["kind"] for row in rows} == {crm_day.FIRST, crm_day.STEADY}


def test_nothing_but_results_is_left(found, tmp_path):
    report.write_report(found, tmp_path)
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["crm_day.json", "crm_day.md", "crm_day.png", "crm_day.svg"]
    assert json.loads((tmp_path / "crm_day.json").read_text(encoding="utf-8")) == found


@pytest.mark.parametrize(
    ("part", "name", "value"),
    [
        ("limits", "most_in_day", 10**6),
        ("limits", "over_burst", 1),
        ("limits", "most_in_window", 21),
        ("limits", "s403", 1),
        ("backfill", "pages_twice", 1),
        ("backfill", "logs_unread", 1),
        ("features", "sha256_after", "0"),
        ("features", "sha256_after_a_real_change", "as before"),
        ("features", "not_written", 1),
        ("hours", "first_late", 1),
        ("hours", "first_postponed", 1),
        ("hours", "wrong_tiers", 1),
        ("hours", "holdout_shown", 1),
        ("hours", "starved", ["ingest"]),
    ],
)
def test_a_claim_that_does_not_hold_is_said_on_the_page(found, part, name, value):
    changed = copy.deepcopy(found)
    if value == "as before":
        value = changed["features"]["sha256_before"]
    (changed["hours"][-1] if part == "hours" else changed[part])[name] = value
    assert sum(not one.is_met for one in report.claims(changed)) == 1
    assert "**no**" in report.page(changed)
    assert "**no**" not in report.page(found)


# what judges


def call(at, method="GET", path="/deals", status=200, **query):
    return fp.Call(at, method, path, query, {}, status, None)


def test_calls_in_a_window_are_counted_as_by_hand():
    at = [0.0, 0.5, 1.9, 2.0, 2.4, 9.0]
    assert judge.most_in_window([call(one) for one in at], 2.0) == 4
    assert judge.most_in_window([], 2.0) == 0


def test_tokens_of_refused_calls_do_not_count():
    calls = [call(0), call(1, status=429), call(2, status=403), call(3, "PATCH", "/deals/7")]
    assert judge.counted(calls) == {"calls": 4, "tokens": 15, "s403": 1, "s429": 1}


def batch(tiers, held_out=()):
    flags = ["holdout" if n in held_out else "" for n in tiers]
    return pd.DataFrame({"tier": tiers.values(), "flag": flags}, index=list(tiers))


@pytest.mark.parametrize(
    ("order", "late", "postponed"),
    [([1, 2, 5, 3], 0, 0), ([1, 3, 2, 5], 2, 0), ([1, 2], 0, 1), ([3], 0, 3)],
)
def test_changes_of_tier_a_are_late_or_postponed_by_the_order_of_calls(order, late, postponed):
    before = {1: None, 2: "A", 3: None, 4: "A", 5: "A"}
    wanted = batch({1: "A", 2: "B", 3: "C", 4: "A", 5: "B"}, held_out=[5])
    calls = [call(0, "PATCH", f"/deals/{n}") for n in order]
    told = judge.first_tier(before, wanted, calls)
    assert told["first_due"] == 3
    assert (told["first_late"], told["first_postponed"]) == (late, postponed)


def test_a_page_counts_as_of_the_backfill_unless_it_is_asked_for_news():
    assert judge.is_of_backfill(call(0))
    assert judge.is_of_backfill(call(0, path="/v1/deals/7/changelog"))
    assert not judge.is_of_backfill(call(0, updated_since="2026-10-05T00:00:00Z"))
    assert not judge.is_of_backfill(call(0, path="/stages"))


def test_a_deal_that_shows_something_else_is_wrong():
    fake = company.made(6, company.SMALLEST, 0)
    name, kind = company.TIER_FIELD, "enum"
    field = fake.made({"field_name": name, "field_type": kind, "options": [{"label": "A"}]})
    percent = fake.made({"field_name": "Tierwise chance (%)", "field_type": "double"})
    ids = company.open_ids(fake)
    for n in ids:
        own = {field["field_code"]: field["options"][0]["id"], percent["field_code"]: 40}
        fake.edit(n, custom_fields=own)
    told = batch(dict.fromkeys(ids, "A")).assign(chance=0.42)
    assert set(judge.ends(fake, told).values()) == {0}
    held_out = batch(dict.fromkeys(ids, "A"), held_out=ids[:1]).assign(chance=0.42)
    assert judge.ends(fake, held_out)["holdout_shown"] == 1
    assert judge.ends(fake, told.assign(chance=0.43))["wrong_chances"] == len(ids)
    assert judge.ends(fake, told.assign(tier="B"))["wrong_tiers"] == len(ids)


# the company


def test_two_companies_of_one_seed_are_the_same():
    one, other = (company.made(20, company.SMALLEST, 3) for _ in range(2))
    assert (one.deals, one.changes) == (other.deals, other.changes)
    assert one.deals != company.made(20, company.SMALLEST, 4).deals


def test_life_goes_on_until_the_hour_and_not_longer():
    fake = company.made(40, company.SMALLEST, 0)
    until = fake.clock.now + 10 * company.HOUR
    touched_count = company.live(fake, random.Random(0), until, changed_share=5.0)
    assert touched_count > 5
    assert fake.clock.now == until
    latest = max(deal["update_time"] for deal in fake.deals.values())
    assert fp.utc(until - company.HOUR * 10) < latest <= fp.utc(until)


def test_tiers_hold_a_fifth_and_a_half():
    assert "".join(company.tiers(10)) == "AABBBCCCCC"
    share = sum(map(company.in_holdout, range(20_000))) / 20_000
    assert share == pytest.approx(0.10, abs=0.01)


# what is told


def test_help_teaches():
    shown = crm_day.parser().format_help()
    assert "python benchmarks/crm_day.py" in shown
    assert "fake of Pipedrive from tests/" in shown


def test_committed_figures_are_drawn_from_the_committed_results(tmp_path):
    committed = BENCHMARKS / "results"
    path = committed / "crm_day.json"
    report.write_report(json.loads(path.read_text(encoding="utf-8")), tmp_path)
    for made in tmp_path.iterdir():
        assert made.read_bytes() == (committed / made.name).read_bytes(), made.name


def test_the_committed_run_is_of_the_size_that_was_asked_for():
    found = json.loads((BENCHMARKS / "results" / "crm_day.json").read_text(encoding="utf-8"))
    assert found["about"]["tokens_per_day"] == 30_000
    assert found["about"]["hours_per_day"] == 24
    assert found["backfill"]["open"] >= 5_000
    assert found["backfill"]["log_tokens"] >= 100_000
