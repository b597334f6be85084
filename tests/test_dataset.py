"""What is handed on comes back unchanged, and its account adds up to the rows of the file."""

import hashlib
import json

import numpy as np
import pandas as pd
import pytest

from tierwise import context, dataset, examples, files, leakage, preparation
from tierwise.files import InputError

YOUNG = {"tune": 0.0, "judge": 0.25}


@pytest.fixture
def project(tmp_path, monkeypatch):
    """An empty project: the two files by which its root is found."""
    for name in ("params.yaml", "dvc.yaml"):
        (tmp_path / name).touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def rows(dated=True, count=100, delay=2):
    as_of = pd.Series(np.arange(count))
    step = 1
    if dated:
        as_of, step = (
            pd.Timestamp("2026-01-01") + pd.to_timedelta(as_of, unit="D"),
            pd.Timedelta(days=1),
        )
    table = pd.DataFrame(
        {
            "entity_id": [f"é{number}" for number in range(count)],
            "as_of": as_of,
            "outcome": np.arange(count) % 3 == 0,
            "outcome_known_at": as_of + delay * step,
            "note": "not handed on",
        }
    ).astype({"outcome": float})
    return table.assign(span=examples.spans(table, 0.2, 0.2))


def columns(count=100):
    random = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "x": random.normal(size=count).astype("float32"),
            "gap": np.where(np.arange(count) % 4 == 0, np.nan, 1.5).astype("float32"),
            "kind": random.choice(["a", "(missing)", "ключ"], count),
        }
    ).astype({"kind": "str"})


@pytest.mark.parametrize("dated", [True, False])
def test_what_is_saved_is_loaded_row_by_row_and_without_other_columns(project, dated):
    saved, features = rows(dated), columns()
    dataset.save("deals", saved, features)
    loaded, again = dataset.load("deals")
    pd.testing.assert_frame_equal(loaded, saved[dataset.ROW_COLUMNS])
    pd.testing.assert_frame_equal(again, features)


def test_saving_twice_writes_the_same_bytes(project):
    digests = []
    for _ in range(2):
        dataset.save("deals", rows(), columns())
        written = sorted((project / "models" / "deals").iterdir())
        digests.append([hashlib.sha256(path.read_bytes()).hexdigest() for path in written])
    assert digests[0] == digests[1]
    assert [path.name for path in written] == ["examples.parquet", "features.parquet"]


def test_loading_what_was_never_saved_says_how_to_make_it(project):
    with pytest.raises(InputError, match="dvc repro"):
        dataset.load("deals")


def test_who_looks_after_a_row_is_handed_on_where_somebody_is_named(project):
    saved = rows().assign(owner_id=np.repeat(["ann", "bob"], 50))
    dataset.save("deals", saved, columns())
    loaded, _ = dataset.load("deals")
    assert list(loaded) == [*dataset.ROW_COLUMNS, "owner_id"]
    assert dataset.drawn_together(loaded).tolist() == saved["owner_id"].tolist()


def test_looks_at_one_case_are_drawn_together_where_nobody_is_named():
    looks = rows().assign(entity_id=np.arange(100) // 4)
    assert dataset.drawn_together(looks).tolist() == (np.arange(100) // 4).tolist()
    named = looks.assign(owner_id=np.arange(100) % 3)
    assert set(dataset.drawn_together(named)) == {"0", "1", "2"}


def test_of_many_cases_each_is_drawn_whole_in_one_of_a_thousand_groups():
    case = np.random.default_rng(0).integers(5_000, size=20_000)
    found = dataset.drawn_together(pd.DataFrame({"entity_id": case}))
    assert len(set(found)) == 1000
    assert pd.Series(found).groupby(case).nunique().eq(1).all()


def test_without_owners_there_is_nobody_to_group_by():
    assert dataset.drawn_together(rows()) is None
    assert dataset.drawn_together(rows().assign(owner_id=None)) is None
    numbered = dataset.drawn_together(rows().assign(owner_id=np.arange(100) % 3))
    assert set(numbered) == {"0", "1", "2"}


def test_what_the_times_are_like_is_no_column_to_rank_by():
    """It always varies, and would hide that no column of the application does."""
    still = columns().assign(x=np.float32(1), gap=np.float32(2), kind="same")
    times = {name: np.arange(100, dtype="float32") for name in context.NAMES}
    for features in (still, still.assign(**times)):
        with pytest.raises(InputError, match="No column is left that varies"):
            dataset.check(rows(), features)
    dataset.check(rows(), columns().assign(**times))


def test_numbers_that_differ_by_next_to_nothing_are_left_out_with_the_way_out():
    as_of = rows()["as_of"]
    table = columns().assign(tiny=np.where(np.arange(100) % 2, 1e-9, 0), small=np.arange(100) / 1e6)
    ready, left_out = dataset.ready(table, as_of)
    assert left_out == {"tiny": dataset.LEFT_OUT["tiny"]}
    assert "larger unit" in left_out["tiny"]
    assert "small" in ready


# what a candidate believed of rows that it had not seen


def rolled(project, judged, outcome=None):
    """rolling.parquet with the rows from `judged` on, as compare_models writes it."""
    number = np.arange(judged, 80)
    won = rows()["outcome"].to_numpy()[number] if outcome is None else outcome
    table = pd.DataFrame({"row": number, "period": number // 30, "outcome": won})
    table = table.assign(known_from=table["period"] + 1)
    table = table.assign(naive_bayes=number / 100, blend=0.5, base_rate=0.3)
    files.write_parquet(project / "models/deals/rolling.parquet", table)
    return table


def test_unseen_rows_come_with_the_candidates_own_chances(project):
    table, table_of_rows = rolled(project, 40), rows()
    seen, tune = dataset.unseen("deals", table_of_rows, "naive_bayes")
    assert list(seen) == ["row", "period", "known_from", "outcome", "score", "base_rate"]
    assert seen["score"].tolist() == table["naive_bayes"].tolist()
    assert set(seen["base_rate"]) == {0.3}
    inside = np.flatnonzero(table_of_rows["span"] == "tune")
    assert tune["row"].tolist() == inside.tolist()
    assert tune["score"].tolist() == (inside / 100).tolist()
    assert tune.index.tolist() == list(range(len(inside)))


def test_unseen_rows_come_as_their_outcomes_became_known_and_those_of_tune_in_time_order(project):
    table, table_of_rows = rolled(project, 40), rows()
    slow = table_of_rows.index % 2 == 0
    late = table_of_rows["outcome_known_at"] + pd.Timedelta(days=15)
    table_of_rows["outcome_known_at"] = table_of_rows["outcome_known_at"].where(~slow, late)
    seen, tune = dataset.unseen("deals", table_of_rows, "naive_bayes")
    assert sorted(seen["row"]) == table["row"].tolist() != seen["row"].tolist()
    assert table_of_rows["outcome_known_at"].iloc[seen["row"]].is_monotonic_increasing
    assert seen["score"].tolist() == (seen["row"] / 100).tolist()
    assert tune["row"].is_monotonic_increasing


def test_of_overlapping_stretches_each_outcome_is_one_of_the_latest_once(project):
    """Three held models scored the last rows; a correction of the latest sees the last model's."""
    stretches = [(40, 80), (50, 80), (60, 80)]
    number = np.concatenate([np.arange(*ends) for ends in stretches])
    period = np.repeat(np.arange(3), [end - start for start, end in stretches])
    table_of_rows = rows()
    won = table_of_rows["outcome"].to_numpy()[number]
    table = pd.DataFrame({"row": number, "period": period, "outcome": won})
    table = table.assign(known_from=period + 1, naive_bayes=(1 + period) / 10, base_rate=0.3)
    files.write_parquet(project / "models/deals/rolling.parquet", table)
    seen, tune = dataset.unseen("deals", table_of_rows, "naive_bayes")
    assert len(seen) == len(table)
    assert seen["row"].tail(40).tolist() == list(range(40, 80))
    assert seen["score"].tail(40).tolist() == 10 * [0.1] + 10 * [0.2] + 20 * [0.3]
    early = seen["row"].head(len(seen) - 40)
    assert table_of_rows["outcome_known_at"].iloc[early].is_monotonic_increasing
    assert set(tune["score"]) == {0.3}


@pytest.mark.parametrize(("judged", "only"), [(78, None), (40, 0.0), (40, 1.0)])
def test_cuts_need_wins_and_losses_in_the_judged_rows_of_tune(project, judged, only):
    rolled(project, judged, only)
    with pytest.raises(InputError, match="Lower history_share or raise tune_share"):
        dataset.unseen("deals", rows(), "blend")


# the account


def test_exclusions_are_largest_first_and_count_rows_known_too_late():
    table = dataset.exclusions(rows(), {"no time": 1, "outcome still open": 9})
    assert table.to_numpy().tolist() == [
        ["outcome still open", 9],
        ["known too late for its span", 4],
        ["no time", 1],
    ]


def test_nothing_left_out_is_said_in_words():
    table = dataset.exclusions(rows(delay=0), {})
    assert table.to_numpy().tolist() == [["none: every row is used", 0]]


def test_rows_used_and_rows_left_out_add_up_to_the_file():
    excluded = {"no time": 3, "outcome still open": 9}
    size = ("rows in the file", 112)
    cards = {card["label"]: card for card in dataset.headline(size, rows(), excluded)}
    assert cards["rows in the file"]["value"] == "112"
    assert cards["rows used"]["value"] == "96"
    assert cards["rows used"]["note"] == "16 left out, 2026-01-01 to 2026-04-10"


def written(project, table, excluded):
    """The metrics of a run in which the guard refused a copy of the outcome."""
    source = project / "deals.csv"
    source.write_bytes(b"x\n1\n")
    raw = columns().assign(copy=table["outcome"], note="same")
    found = leakage.audit(raw, table["as_of"], table["outcome"].to_numpy())
    decided = leakage.decide(found, {"gap": "not ours to use"}, {})
    claim = pd.DataFrame({"columns": ["without them"], "auc": [0.5]})
    left_out = {"note": "holds one value only"}
    about = {"application": "deals", "entity": "deal", "simulated": False}
    dataset.save_metrics(about, source, table, excluded, YOUNG, decided, left_out, claim)
    return json.loads((project / "metrics/deals/build_features.json").read_text(encoding="utf-8"))


def test_every_column_is_accounted_for_once_as_kept_quarantined_or_left_out(project):
    found = written(project, rows(), {})
    assert [column["column"] for column in found["columns"]] == ["x", "kind"]
    assert {row["column"]: row["by"] for row in found["quarantined"]} == {
        "gap": "params.yaml",
        "copy": "leak guard",
    }
    assert all(row["reason"] for row in found["quarantined"])
    assert found["left_out"] == [{"column": "note", "reason": "holds one value only"}]


def test_the_figures_are_those_of_the_rows_in_a_span(project):
    table = rows()
    found = written(project, table, {"no time": 3})
    used = table[table["span"] != ""]
    assert found["rows_count"] == len(used) == sum(span["rows_count"] for span in found["spans"])
    assert found["wins_count"] == used["outcome"].sum()
    assert {row["reason"]: row["rows_count"] for row in found["excluded"]} == {
        "known too late for its span": 4,
        "no time": 3,
    }
    assert found["data_until"] == "2026-04-10"
    assert found["data_version"] == hashlib.sha256(b"x\n1\n").hexdigest()[:12]


def test_records_pick_and_rename_columns_in_the_order_asked_for():
    table = pd.DataFrame({"a": [1], "b": [2], "c": [3]})
    assert dataset.records(table, ["c", "a"], c="see") == [{"see": 3, "a": 1}]


def test_a_verdict_owns_up_to_rows_that_had_no_outcome_yet():
    text = dataset.caveat({"open_share": YOUNG})
    assert text.startswith(" But 25% of the span judge had no outcome yet")
    assert dataset.caveat({"open_share": {"tune": 0.1, "judge": 0.0}}) == ""


# what belongs to a few entities only


def looks(deals=100, times=25):
    """Deals that are looked at again and again, each with a name of its own and one of few colours."""
    deal = np.repeat(np.arange(deals), times)
    features = pd.DataFrame(
        {
            "name": [f"person{number}@example.org" for number in deal],
            "colour": np.where(deal % 2 == 0, "red", np.where(deal % 50 == 1, "odd", "blue")),
            "size": (deal % 7).astype("float32"),
        }
    )
    return (
        features,
        pd.Series(deal.astype(str)),
        pd.Series(pd.date_range("2026-01-01", periods=len(deal), freq="h")),
    )


def test_a_name_is_text_however_often_its_deal_is_looked_at():
    features, deal, as_of = looks()
    ready, left_out = dataset.ready(features, as_of, deal)
    assert list(ready) == ["colour", "size"]
    assert "one value per" in left_out["name"]
    assert "name" in dataset.ready(features, as_of)[0]  # rows alone can't tell


def test_a_value_that_few_deals_have_is_not_learned_nor_shown():
    features, deal, _ = looks()
    early = pd.Series(np.arange(len(deal)) < len(deal))
    found = dataset.without_rare(features, deal, early)
    assert set(found["colour"]) == {"red", "blue", preparation.RARE}
    assert set(found["name"]) == {preparation.RARE}
    pd.testing.assert_series_equal(found["size"], features["size"])
    assert preparation.categories_of(found) == {"colour": ["red", "blue"]}


def test_what_is_frequent_is_decided_on_early_rows_only():
    features, deal, _ = looks()
    early = pd.Series(np.arange(len(deal)) < len(deal) // 4)
    later = features.copy()
    later.loc[~early, "colour"] = "green"
    found = dataset.without_rare(later, deal, early)
    assert set(found.loc[~early, "colour"]) == {preparation.RARE}
    pd.testing.assert_frame_equal(found[early], dataset.without_rare(features, deal, early)[early])
