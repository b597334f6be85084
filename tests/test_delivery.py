"""An hour is handed out once, remembered before it is shown, and held-out deals never show a tier."""

import csv
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

pytest.importorskip("xlsxwriter", reason="needs the extra hourly")

from hourly_world import last_hour
from scored_project import contact
from tierwise import delivery, hour, hourly, ledger
from tierwise.files import InputError

SETTINGS = {
    "exploration_share": 0.1,
    "holdout_share": 0.2,
    "room_share": 0.3,
    "salt": "test",
    "explained_count": 50,
    "new_columns": "refuse",
    "stale_after_hours": 48.0,
}


def asked(**changes):
    return hourly.asked(SETTINGS | changes, "leads")


@pytest.fixture
def handed(scorer, folder, tmp_path):
    """What was done, the batch and where."""
    done = delivery.deliver(scorer, folder / "one", last_hour(folder), asked(), tmp_path)
    return done, pd.read_parquet(tmp_path / "batch.parquet"), tmp_path


def on_lists(place):
    """deal_id -> line of the CSV lists."""
    lines = {}
    for path in sorted((place / "lists" / "current").glob("*.csv")):
        with path.open(encoding="utf-8-sig", newline="") as file:
            for line in csv.DictReader(file):
                if line["part"] == "about":
                    continue
                assert line["deal_id"] not in lines
                lines[line["deal_id"]] = line
    return lines


def test_the_ledger_holds_each_score_of_the_hour(handed):
    done, rows, place = handed
    remembered = ledger.read(place / "ledger")
    assert done["is_new"]
    assert sum(done["tiers"].values()) == len(rows)
    assert done["rows_count"] == len(remembered) == len(rows)
    both = rows.set_index("entity_id").join(remembered.set_index("deal_id").add_suffix("_then"))
    for name in ("chance", "score", "tier", "rank", "flag", "shown"):
        assert (both[name] == both[f"{name}_then"]).all()


def test_every_open_deal_is_on_one_list_and_held_out_ones_show_nothing(handed):
    _, rows, place = handed
    lines = on_lists(place)
    assert sorted(lines) == sorted(rows["entity_id"])
    out = rows.loc[rows["flag"] == "holdout", "entity_id"]
    assert len(out) > 5
    for name in out:
        assert lines[name]["tier"] == ""
        assert lines[name]["chance"] == ""
    shown = rows.loc[rows["shown"], "entity_id"]
    assert all(lines[name]["tier"] for name in shown)


def test_so_many_deals_are_marked_as_a_day_has_room_for(scorer, folder, tmp_path):
    card = scorer.card | {"contact": contact(aim="f1", contacts_per_day_count=12)}
    given = replace(scorer, card=card), folder / "one", last_hour(folder), asked(), tmp_path
    done = delivery.deliver(*given)
    rows = pd.read_parquet(tmp_path / "batch.parquet").set_index("entity_id")
    lines = on_lists(tmp_path)
    assert {name: line["turn"] for name, line in lines.items()} == rows["turn"].to_dict()
    assert 0 < done["turns_count"] == (rows["turn"] == "today").sum() <= 12
    assert not (rows["turn"] == "today")[rows["flag"] == "holdout"].any()
    assert f"{done['turns_count']} to contact today" in delivery.sentence(done)
    page = next((tmp_path / "lists" / "current").glob("owner*.html")).read_text()
    assert "on all lists, the 12 a day that bring most" in page


def test_a_batch_that_an_older_version_left_is_handed_out_again(scorer, folder, tmp_path):
    given = scorer, folder / "one", last_hour(folder), asked(), tmp_path
    delivery.deliver(*given)
    rows = pd.read_parquet(tmp_path / "batch.parquet").drop(columns="turn")
    rows.to_parquet(tmp_path / "batch.parquet")
    done = delivery.deliver(*given)
    assert done["turns_count"] is None
    assert "today" not in delivery.sentence(done)
    assert "marked" not in next((tmp_path / "lists/current").glob("owner*.html")).read_text()


def test_marks_of_one_model_are_not_explained_by_another(scorer, folder, tmp_path):
    given = folder / "one", last_hour(folder), asked(), tmp_path
    delivery.deliver(scorer, *given)
    later = replace(scorer, card=scorer.card | {"contact": contact(aim="recall")}, version="2.t")
    delivery.deliver(later, *given)
    assert "marked" not in next((tmp_path / "lists/current").glob("owner*.html")).read_text()


def test_lists_of_a_simulated_world_say_so(handed):
    _, _, place = handed
    for ending in ("html", "csv"):
        for path in (place / "lists" / "current").glob(f"*.{ending}"):
            assert "Simulated data: none of these deals exists." in path.read_text("utf-8-sig")


def test_the_holdout_keeps_its_tier_in_the_ledger_so_that_tiers_can_be_measured(handed):
    _, rows, _ = handed
    out = rows[rows["flag"] == "holdout"]
    assert set(out["tier"]) == {"A", "B", "C"}
    assert not out["shown"].any()
    assert out["propensity"].isna().all()
    assert rows.loc[rows["flag"] != "holdout", "propensity"].between(0, 1, inclusive="right").all()


def test_an_hour_that_was_scored_is_handed_out_again_and_not_scored_again(
    handed,
    scorer,
    folder,
):
    _, rows, place = handed
    before = on_lists(place)
    again = delivery.deliver(
        replace(scorer, version="another"), folder / "one", last_hour(folder), asked(), place
    )
    assert not again["is_new"]
    assert on_lists(place) == before
    pd.testing.assert_frame_equal(pd.read_parquet(place / "batch.parquet"), rows)


def test_a_second_model_cannot_rewrite_an_hour(handed, scorer, folder):
    _, _, place = handed
    (place / "batch.parquet").unlink()
    with pytest.raises(InputError, match="was scored already"):
        delivery.deliver(scorer, folder / "one", last_hour(folder), asked(), place)


def test_the_same_deals_are_held_out_in_the_next_hour(handed, scorer, folder):
    _, rows, place = handed
    later = last_hour(folder) + pd.Timedelta(hours=1)
    delivery.deliver(scorer, folder / "one", later, asked(), place)
    found = pd.read_parquet(place / "batch.parquet").set_index("entity_id")["flag"]
    out = set(rows.loc[rows["flag"] == "holdout", "entity_id"]) & set(found.index)
    assert out == set(found.index[found == "holdout"])
    assert len(ledger.hours(place / "ledger")) == 2


def test_old_tables_are_refused_before_anything_is_written(scorer, folder, tmp_path):
    later = last_hour(folder) + pd.Timedelta(hours=50)
    with pytest.raises(InputError, match="stale_after_hours"):
        delivery.deliver(scorer, folder / "one", later, asked(), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_without_shares_everybody_is_listed_by_rank(scorer, folder, tmp_path):
    quiet = asked(exploration_share=0.0, holdout_share=0.0)
    delivery.deliver(scorer, folder / "one", last_hour(folder), quiet, tmp_path)
    rows = pd.read_parquet(tmp_path / "batch.parquet")
    assert (rows["flag"] == "").all()
    np.testing.assert_array_equal(rows["place"], rows["rank"])


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"exploration_share": 1.0}, "exploration_share"),
        ({"holdout_share": -0.1}, "holdout_share"),
        ({"room_share": 0.0}, "room_share"),
        ({"salt": ""}, "salt"),
        ({"new_columns": "maybe"}, "new_columns"),
        ({"holdout": 0.1}, "holdout"),
        ({"stale_after_hours": "two"}, "stale_after_hours"),
    ],
)
def test_a_setting_that_breaks_a_rule_is_named_with_its_value(change, word):
    with pytest.raises(InputError) as refused:
        asked(**change)
    assert f"hourly.leads.{word}" in str(refused.value)


@pytest.mark.parametrize("text", ["yesterday", "", "25:00"])
def test_a_time_that_is_none_is_refused(text, tmp_path):
    with pytest.raises(InputError, match="--as-of"):
        delivery.instant(text, tmp_path)


def test_times_with_a_zone_are_brought_to_full_hours_of_utc(tmp_path):
    found = delivery.instant("2026-10-25T02:40+01:00", tmp_path)
    assert found == pd.Timestamp("2026-10-25 01:00") == hour.full_hour(found)


def test_the_command_names_the_sections_that_there_are(tmp_path):
    (tmp_path / "dvc.yaml").write_text("stages: {}")
    (tmp_path / "params.yaml").write_text("applications: {}\nhourly: {leads: {}}\n")
    command = [sys.executable, "-m", "tierwise", "score", "bank_calls"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "hourly.bank_calls" in done.stderr
    assert "leads" in done.stderr
    assert "Traceback" not in done.stderr
