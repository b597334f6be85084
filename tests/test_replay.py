"""Past hours are scored as they would have been, after all that was learned, the same each time."""

import shutil

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import scored_project as sp
from crm import digest, write_parquet
from test_leads import QUESTION
from tierwise import files, hour, hourly, ledger, replay, snapshot, whole_folders
from tierwise.files import InputError

EVERY_DAYS = 60.0


@pytest.fixture(scope="module")
def model(made, tmp_path_factory):
    """Examples with spans, columns and an export, for projects to copy."""
    root = tmp_path_factory.mktemp("model")
    rows = sp.set_up(root, "tables", QUESTION, *made)
    known = sp.learned(rows, made[1])
    sp.write_export(root / "exports/leads", root / "work", known[0], *sp.fitted(*known))
    return root


@pytest.fixture
def project(model, folder, tmp_path, monkeypatch):
    """A project of its own, few hours apart, to be replayed."""
    root = tmp_path / "project"
    shutil.copytree(model, root)
    asked(root, folder / "one")
    monkeypatch.chdir(root)
    return root


def asked(root, tables, **changes):
    content = files.params(root)
    content["applications"]["leads"]["build_features"]["source"] = str(tables)
    content["hourly"]["leads"] |= {"replay_every_days": EVERY_DAYS} | changes
    sp.settings(root, content)


def whole(folder):
    return {name: found for name, found in digest(folder).items() if not name.endswith(".lock")}


def test_replayed_scores_are_those_that_the_hour_would_have_given(project, folder):
    done = replay.replay(project, "leads")
    found = ledger.of(project, "leads", "replayed")
    assert sorted(found["scored_at"].unique()) == done["hours"]
    assert len(done["hours"]) == 3
    scorer, tables, settings = hourly.prepared(project, "leads")
    assert found["model_version"].unique().tolist() == [scorer.version]
    for as_of, rows in found.groupby("scored_at"):
        now, _ = hour.batch(scorer, tables, as_of, explained_count=0, new_columns="ignore")
        now = hourly.flagged(now, settings).set_index("entity_id")
        rows = rows.set_index(rows["deal_id"].astype(str))
        assert set(rows.index) == set(now.index)
        for name in ("chance", "score", "rank", "tier", "flag", "shown"):
            assert (rows[name] == now.loc[rows.index, name]).all(), name
    assert "3 hours from 2026-04-20 to 2026-08-18" in replay.sentence(done)


def test_every_hour_lies_after_all_outcomes_that_the_model_has_learned_from(project):
    done = replay.replay(project, "leads")
    examples = files.read_parquet(project / "models/leads/examples.parquet")
    known = examples.loc[sp.examples.before_judging(examples), "outcome_known_at"]
    assert known.max() < done["hours"][0]
    assert done["hours"][-1] <= pd.Timestamp(snapshot.about(tables_of(project))["data_until"])


def tables_of(root):
    return hourly.prepared(root, "leads")[1]


def test_the_same_call_gives_the_same_bytes_and_leaves_nothing_else(project):
    done = replay.replay(project, "leads")
    first = whole(done["folder"])
    assert len(first) == 3
    replay.replay(project, "leads")
    assert whole(done["folder"]) == first
    beside = {path.name for path in done["folder"].parent.iterdir()}
    assert beside == {"leads"}
    assert not (project / "data/scores").exists(), "no list is handed out"


def test_what_replay_writes_is_a_ledger_that_verifies(project):
    assert ledger.verify(replay.replay(project, "leads")["folder"]).empty


def test_an_earlier_replay_stays_when_a_later_one_fails_in_the_middle(project, monkeypatch):
    done = replay.replay(project, "leads")
    first, batch = whole(done["folder"].parent), hour.batch

    def broken(scorer, tables, as_of, **how):
        if as_of == done["hours"][1]:
            raise OSError(28, "No space left on device")
        return batch(scorer, tables, as_of, **how)

    monkeypatch.setattr(hour, "batch", broken)
    with pytest.raises(OSError, match="No space left"):
        replay.replay(project, "leads")
    assert whole(done["folder"].parent) == first


def test_an_earlier_replay_stays_when_its_model_is_damaged_meanwhile(project):
    done = replay.replay(project, "leads")
    first = whole(done["folder"].parent)
    with (project / "exports/leads/model.onnx").open("ab") as file:
        file.write(b"more")
    with pytest.raises(InputError):
        replay.replay(project, "leads")
    assert whole(done["folder"].parent) == first


def test_a_replay_that_was_killed_between_two_renames_is_brought_back(project):
    """The earlier one is hidden then; the next call, though it fails, must not lose it."""
    done = replay.replay(project, "leads")
    first = whole(done["folder"])
    done["folder"].rename(whole_folders.hidden(done["folder"]))
    half = done["folder"].with_name(".leads.abc.partial")
    (half / "ledger").mkdir(parents=True)
    (half / "ledger/half.parquet").write_bytes(b"half")
    damaged = project / "exports/leads/SHA256SUMS"
    good = damaged.read_bytes()
    damaged.write_bytes(b"")
    with pytest.raises(InputError):
        replay.replay(project, "leads")
    damaged.write_bytes(good)
    replay.replay(project, "leads")
    assert whole(done["folder"]) == first
    assert {path.name for path in done["folder"].parent.iterdir()} == {"leads"}


def test_without_an_hour_after_what_was_learned_there_is_nothing_to_replay(project):
    until = pd.Timestamp(snapshot.about(tables_of(project))["data_until"])
    path = project / "models/leads/examples.parquet"
    rows = files.read_parquet(path)
    late = rows["span"] == "judge"
    rows.loc[late, "as_of"] = until - pd.Timedelta(hours=1)
    files.write_parquet(path, rows)
    with pytest.raises(InputError, match="nothing to replay yet"):
        replay.replay(project, "leads")
    assert not (project / "data/replayed").exists()


def test_hours_in_which_nothing_is_open_are_passed_over(project, folder, tmp_path):
    """Every deal is lost after the first replayed hour: one hour is left."""
    tables = {path.stem: pd.read_parquet(path) for path in (folder / "raw").glob("*.parquet")}
    ended = pd.Timestamp("2026-05-01")
    tables = {name: rows[rows["known_at"] < ended] for name, rows in tables.items()}
    deals = tables["deals"]["deal_id"].unique()
    lost = pd.DataFrame({"change_id": [f"end {n}" for n in deals], "deal_id": deals})
    lost = lost.assign(occurred_at=ended, known_at=ended, field="status", new_value="lost")
    later = lost.head(1).assign(change_id="again", field="value", new_value="1", known_at=MONTHS)
    tables["deal_changes"] = pd.concat([tables["deal_changes"], lost, later], ignore_index=True)
    write_parquet(tables, tmp_path / "raw")
    snapshot.fetch(tmp_path / "raw", tmp_path / "ended")
    asked(project, tmp_path / "ended")
    done = replay.replay(project, "leads")
    assert done["hours"] == [pd.Timestamp("2026-04-20")]
    assert len(ledger.hours(done["folder"])) == 1


MONTHS = pd.Timestamp("2026-08-01")


@given(
    minutes=st.lists(st.integers(0, 60 * 24 * 40), min_size=1, max_size=8),
    span_days=st.integers(-3, 400),
    every_days=st.sampled_from([1.0, 2.0, 7.0, 30.0]),
)
def test_hours_are_midnights_so_many_days_apart_from_the_first_judged_one_on(
    minutes, span_days, every_days
):
    start = pd.Timestamp("2026-02-01")
    as_of = start + pd.to_timedelta(minutes, unit="min")
    examples = pd.DataFrame({"as_of": [start, *as_of], "span": ["learn"] + ["judge"] * len(as_of)})
    until = as_of.min() + pd.Timedelta(days=span_days, hours=5)
    hours = replay.hours_after(examples, until, every_days)
    days = np.diff(pd.DatetimeIndex(hours)) / np.timedelta64(1, "D")
    assert (days == every_days).all()
    for found in hours:
        assert found == found.normalize()
        assert as_of.min() <= found <= until
    if hours:
        assert hours[0] - as_of.min() < pd.Timedelta(days=1)
        assert hours[-1] + pd.Timedelta(days=every_days) > until
    else:
        assert as_of.min().ceil("D") > until
