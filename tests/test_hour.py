"""One hour: the columns of training, the order of the scores, reasons that add up, one message."""

import dataclasses
import json

import numpy as np
import pandas as pd
import pytest

from crm import write_parquet
from hourly_world import SHARES, last_hour
from scored_project import contact
from test_leads import QUESTION
from tierwise import (
    context,
    contributions,
    dataset,
    export,
    files,
    hour,
    models,
    scoring,
    snapshot,
    tiers,
)
from tierwise.applications import leads
from tierwise.applications import table as table_application
from tierwise.files import InputError


def batch(scorer, folder, tables="one", **options):
    return hour.batch(scorer, folder / tables, last_hour(folder), **options)[0]


# the same columns as in training


def test_columns_of_an_hour_are_those_of_the_example_of_that_hour(folder, made):
    """Each open look at an as-of time, bit for bit: no second implementation to drift apart."""
    examples, features = made
    hours = examples["as_of"].value_counts().index[:3]
    part = snapshot.parts(folder / "one")[0]
    computed = [name for name in features if name not in context.NAMES]
    for as_of in hours:
        now = leads.at_hour(part, QUESTION, as_of).set_index("entity_id")
        rows = examples.index[examples["as_of"] == as_of]
        who = examples.loc[rows, "entity_id"]
        assert len(who)
        for name in computed:
            there = now.loc[who, name]
            if pd.api.types.is_numeric_dtype(features[name]):
                found = dataset.as_float32(there).to_numpy()
            else:
                found = there.astype("str").where(there.notna(), dataset.MISSING).to_numpy()
            np.testing.assert_array_equal(found, features.loc[rows, name].to_numpy())


def test_all_deals_that_stand_open_are_on_the_list_and_no_others(folder):
    tables = {path.stem: pd.read_parquet(path) for path in (folder / "raw").glob("*.parquet")}
    as_of = last_hour(folder)
    changes = tables["deal_changes"]
    known = changes[
        (changes["known_at"] < as_of) & changes["field"].isin(["status", "merged_into"])
    ]
    last = known.sort_values(["occurred_at", "known_at"]).groupby("deal_id").tail(1)
    closed = last[(last["field"] == "merged_into") | (last["new_value"] != "reopened")]["deal_id"]
    there = tables["deals"].loc[tables["deals"]["known_at"] < as_of, "deal_id"]
    expected = sorted(set(there) - set(closed))
    part = snapshot.parts(folder / "one")[0]
    assert sorted(leads.at_hour(part, QUESTION, as_of)["entity_id"].astype(int)) == expected


def test_nothing_known_in_the_hour_itself_is_used(folder, tmp_path):
    """Rows known at the as-of time or later are taken out: the hour stays as it was."""
    as_of = last_hour(folder) - pd.Timedelta(days=60)
    tables = {path.stem: pd.read_parquet(path) for path in (folder / "raw").glob("*.parquet")}
    past = {name: rows[rows["known_at"] < as_of] for name, rows in tables.items()}
    write_parquet(past, tmp_path / "raw")
    snapshot.fetch(tmp_path / "raw", tmp_path / "past")
    found = [
        leads.at_hour(snapshot.parts(place)[0], QUESTION, as_of)
        for place in (folder / "one", tmp_path / "past")
    ]
    dated = ["entity_id", "as_of", "owner_id", *leads.dated(QUESTION)]
    pd.testing.assert_frame_equal(found[0][dated], found[1][dated])


# order and tiers


def test_the_list_is_in_the_order_of_the_scores_and_holds_each_deal_once(scorer, folder):
    rows = batch(scorer, folder)
    assert rows["rank"].tolist() == list(range(1, len(rows) + 1))
    assert rows["score"].is_monotonic_decreasing
    assert rows["entity_id"].is_unique
    assert rows["chance"].between(0, 1).all()


def test_many_partitions_give_the_same_batch_as_one(scorer, folder):
    pd.testing.assert_frame_equal(batch(scorer, folder), batch(scorer, folder, "many"))


def test_tiers_have_the_shares_of_the_card(scorer, folder):
    tier = batch(scorer, folder)["tier"]
    assert "".join(tier) == "".join(sorted(tier))
    upto = np.floor(np.cumsum(list(SHARES.values())) * len(tier) + 0.5)
    assert np.cumsum([sum(tier == name) for name in SHARES]).tolist() == upto.tolist()


def test_equal_scores_rank_by_the_number_of_the_deal_and_a_cut_parts_them_the_same_way():
    random = np.random.default_rng(0)
    number = random.permutation(200)
    rows = pd.DataFrame({"entity_id": number.astype(str), "owner_id": "1", "chance": 0.5})
    rows["score"] = random.integers(0, 3, 200) / 3
    card_ = {"tiers_by": tiers.RANKED, "tier_shares": SHARES, "tier_cuts_score": {}}
    once = hour.rank(rows, card_)
    again = hour.rank(rows.sample(frac=1, random_state=1), card_)
    pd.testing.assert_frame_equal(once, again)
    inside = once.groupby("score")["entity_id"].agg(
        lambda ids: ids.astype(int).is_monotonic_increasing
    )
    assert inside.all()


def test_without_issued_tiers_there_are_ranks_and_no_tier():
    rows = pd.DataFrame({"entity_id": ["2", "1"], "owner_id": "1", "score": 0.5, "chance": 0.4})
    found = hour.rank(rows, {"tiers_by": None})
    assert found["tier"].tolist() == ["", ""]
    assert found["entity_id"].tolist() == ["1", "2"]


def test_frozen_cuts_are_those_of_the_card():
    rows = pd.DataFrame({"entity_id": ["1", "2", "3"], "owner_id": "1", "chance": 0.5})
    cuts = {"A": 0.8, "B": 0.4}
    card_ = {"tiers_by": tiers.FROZEN, "tier_shares": SHARES, "tier_cuts_score": cuts}
    found = hour.rank(rows.assign(score=[0.4, 0.8, 0.39]), card_)
    assert dict(zip(found["entity_id"], found["tier"], strict=True)) == {
        "2": "A",
        "1": "B",
        "3": "C",
    }


# chances and reasons


def test_chances_are_those_of_the_exported_model_on_the_same_columns(scorer, folder, made):
    rows = batch(scorer, folder)
    part = snapshot.parts(folder / "one")[0]
    now = leads.at_hour(part, QUESTION, last_hour(folder)).set_index("entity_id")
    around = hour.surroundings(scorer, folder / "one", last_hour(folder))
    model = scoring.session(scorer.folder / "model.onnx")
    columns = hour.likeness.prepared(hour.with_times(now, around), scorer.card)
    expected = scoring.score(model, columns).loc[rows["entity_id"]]
    np.testing.assert_array_equal(rows["chance"], expected["chance"])
    np.testing.assert_array_equal(rows["score"], expected["score"])


def test_parts_of_every_row_add_up_to_its_chance(scorer, folder):
    rows = batch(scorer, folder)
    part = snapshot.parts(folder / "one")[0]
    now = leads.at_hour(part, QUESTION, last_hour(folder)).set_index("entity_id")
    around = hour.surroundings(scorer, folder / "one", last_hour(folder))
    columns = hour.likeness.prepared(hour.with_times(now, around), scorer.card).loc[
        rows["entity_id"]
    ]
    model, calibrator = export.from_skops((scorer.folder / "model.skops").read_bytes())
    base, parts = contributions.explain(model, columns, scorer.learned)
    base, parts = contributions.calibrated(base, parts, calibrator)
    gap = base + parts.sum(axis=1).to_numpy() - models.log_odds(rows["chance"].to_numpy())
    assert np.abs(gap).max() < 1e-4


def test_reasons_are_told_to_the_first_so_many_ranks_the_strongest_first(scorer, folder):
    rows = batch(scorer, folder, explained_count=10)
    assert (rows["reason_1"].iloc[10:] == "").all()
    told = rows["reason_1"].iloc[:10]
    assert told.str.contains("raises the odds|lowers the odds").mean() > 0.8
    every = batch(scorer, folder)
    pd.testing.assert_frame_equal(rows.head(10), every.head(10))


def priced(scorer, **changes):
    told = contact(value_per_win_eur="value_last", typical_eur=[500.0, 1.0], **changes)
    return dataclasses.replace(scorer, card=scorer.card | {"contact": told})


def test_a_contact_is_worth_chance_times_the_value_known_now_less_its_cost(scorer, folder):
    found = batch(priced(scorer), folder)
    expected = found["chance"] * found["value_eur"] - 1.0
    assert expected.nunique() > 50
    np.testing.assert_allclose(found["expected_profit_eur"], expected, rtol=1e-6)


def test_a_value_below_zero_is_worth_nothing_and_a_missing_one_is_the_typical_one():
    columns = pd.DataFrame({"value_last": [-3.0, np.nan, 7.0], "other": "text"})
    told = contact(value_per_win_eur="value_last", typical_eur=[500.0, 1.0])
    assert hour.money(columns, told)["value_per_win_eur"].tolist() == [0.0, 500.0, 7.0]
    with pytest.raises(InputError, match="'gone', which is not among the features"):
        hour.money(columns, contact(value_per_win_eur="gone", typical_eur=[500.0, 1.0]))


def test_a_card_of_an_older_version_tells_no_money_and_its_hour_is_scored(scorer, folder):
    older = scorer.card | {"contact": {"aim": "profit", "recall_share": 0.8}}
    found = batch(dataclasses.replace(scorer, card=older), folder)
    assert found["expected_profit_eur"].isna().all()


def test_the_last_touch_is_the_latest_contact_that_was_known(scorer, folder):
    rows = batch(scorer, folder).set_index("entity_id")["last_touch_at"].dropna()
    done = pd.read_parquet(folder / "raw" / "activities.parquet")
    done = done[(done["known_at"] < last_hour(folder)) & (done["done"] | (done["type"] != "mail"))]
    changes = pd.read_parquet(folder / "raw" / "deal_changes.parquet")
    merged = changes.loc[changes["field"] == "merged_into", "new_value"]  # brings contacts along
    rows = rows[~rows.index.isin(merged)]
    latest = done.groupby("deal_id")["occurred_at"].max()
    latest.index = latest.index.astype(str)
    same = (rows - latest.reindex(rows.index)).abs() <= pd.Timedelta(minutes=1)
    assert len(rows) > 50
    assert same.all()


# the times, for models that look at them


def test_the_times_of_an_hour_are_those_that_an_example_of_that_hour_would_have(folder, made):
    """Outcomes and looks known before; looks whose horizon is not over count as arrivals."""
    examples, features = made
    wanted = [name for name in context.NAMES if name in features]
    fake = hour.Scorer(
        "leads",
        leads,
        QUESTION,
        folder,
        {"columns": [{"name": n} for n in wanted]},
        {},
        features,
        {},
        "",
    )
    at = len(examples) * 2 // 3
    as_of = examples["as_of"].iloc[at]
    found = hour.surroundings(fake, folder / "many", as_of)
    assert set(found) == set(wanted)
    for name in wanted:
        assert found[name] == pytest.approx(float(features[name].iloc[at]), rel=1e-6)


def test_a_model_that_does_not_look_at_the_times_needs_no_history(folder):
    fake = hour.Scorer("leads", None, QUESTION, folder, {"columns": []}, {}, None, {}, "")
    assert hour.surroundings(fake, folder / "one", last_hour(folder)) == {}


# what is refused


def changed(folder, tmp_path, change):
    """A snapshot of the world after a change of the table of deals."""
    tables = {path.stem: pd.read_parquet(path) for path in (folder / "raw").glob("*.parquet")}
    tables["deals"] = change(tables["deals"])
    write_parquet(tables, tmp_path / "raw")
    snapshot.fetch(tmp_path / "raw", tmp_path / "one")
    return tmp_path


@pytest.mark.parametrize(
    ("change", "words_of_it"),
    [
        (
            lambda deals: deals.rename(columns={"hiring_volume_count": "hiring_volumes_count"}),
            ["hiring_volume"],
        ),
        (lambda deals: deals.assign(region="north"), ["region", "never seen", "new_columns"]),
        (
            lambda deals: deals.assign(
                hiring_volume_count=deals["hiring_volume_count"] * 1000 + 999
            ),
            ["hiring_volume_count", "has left what the model knows"],
        ),
        (
            lambda deals: deals.assign(hiring_volume_count=np.nan),
            ["hiring_volume_count", "has left what the model knows"],
        ),
        (
            lambda deals: deals.assign(hiring_volume_count="many"),
            ["hiring_volume_count", "is a number", "holds text"],
        ),
        (
            lambda deals: deals.assign(source="somewhere else"),
            ["source", "has left what the model knows"],
        ),
    ],
    ids=["renamed", "new", "other unit", "emptied", "other kind", "other values"],
)
def test_columns_that_changed_stop_the_hour_with_one_message(
    scorer, folder, tmp_path, change, words_of_it
):
    place = changed(folder, tmp_path, change)
    with pytest.raises(InputError) as refused:
        hour.batch(scorer, place / "one", last_hour(folder))
    assert "\n" not in str(refused.value)
    for word in words_of_it:
        assert word in str(refused.value)


def test_a_new_column_can_be_ignored(scorer, folder, tmp_path):
    place = changed(folder, tmp_path, lambda deals: deals.assign(region="north"))
    found, _ = hour.batch(scorer, place / "one", last_hour(folder), new_columns="ignore")
    pd.testing.assert_frame_equal(found, batch(scorer, folder))


def test_an_application_without_open_rows_is_told_so():
    with pytest.raises(InputError, match="no open rows to score every hour"):
        hour.scorer("bank_calls", table_application, {})


def test_a_damaged_export_is_refused_before_anything_is_read(tmp_path, monkeypatch):
    (tmp_path / "exports" / "leads").mkdir(parents=True)
    for name in ("params.yaml", "dvc.yaml"):
        (tmp_path / name).write_text("{}")
    place = tmp_path / "exports" / "leads"
    (place / "card.json").write_text(json.dumps({"model": "x"}))
    (place / "SHA256SUMS").write_text(f"{'0' * 64}  card.json\n")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match="was changed after the export"):
        hour.scorer("leads", leads, {})
    assert files.sha256(place / "card.json")[:12] != "0" * 12


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-03-29 01:59:59.999999+00:00", "2026-03-29 01:00"),
        ("2026-03-29 03:00+02:00", "2026-03-29 01:00"),
        ("2026-10-25 02:30+01:00", "2026-10-25 01:00"),
        ("2026-10-25 02:30+02:00", "2026-10-25 00:00"),
        ("2026-11-26 13:00", "2026-11-26 13:00"),
    ],
)
def test_a_full_hour_is_one_of_utc_whatever_the_clocks_do(text, expected):
    assert hour.full_hour(pd.Timestamp(text)) == pd.Timestamp(expected)
