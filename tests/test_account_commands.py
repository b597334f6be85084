"""The commands about companies: files where they are said to be, or one message and exit code 1."""

import json
import re
import shutil
import sys
from pathlib import Path

import pandas as pd
import pytest

import brief_world as bw
from changing_accounts import changing_accounts, on
from tierwise import tables as sets
from tierwise.briefs import brief as briefs
from tierwise.briefs import button as brief_button
from tierwise.briefs import store as brief_store

PARAMS = """accounts:
  employers:
    account_alerts: {settings: {cooldown_days: 90}}
tables:
  employers: {source: source, set: accounts}
"""


def refusal(result):
    """The one message of a refused call."""
    assert result.code == 1, result.out
    assert result.out == ""
    assert result.err.startswith("tierwise: ")
    assert result.err.count("\n") == 1
    return result.err


def laid_out(root):
    (root / "params.yaml").write_text(PARAMS)
    (root / "dvc.yaml").write_text("{}\n")
    return root


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A project with the briefs of three accounts and the tables of fourteen others."""
    root = laid_out(tmp_path_factory.mktemp("companies") / "")
    one = bw.prepared()
    few = one.__class__(**{**one.__dict__, "customers": one.customers[:3]})
    brief_store.stored(few, brief_button.folder(root, "employers"))
    (root / "source").mkdir()
    for name, rows in changing_accounts().items():
        rows[rows["known_at"] < on(400)].to_parquet(root / f"source/{name}.parquet", index=False)
    return root


@pytest.fixture
def project(made, tmp_path, monkeypatch):
    root = tmp_path / "project"
    shutil.copytree(made, root)
    monkeypatch.chdir(root)
    return root


def contents(folder):
    found = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in found}


# tierwise brief


def test_a_brief_is_a_page_and_the_same_as_json_and_both_are_named(project, run):
    account_id = int(bw.prepared().customers[0])
    result = run("brief", account_id)
    assert result.code == 0, result.err
    page, told = (project / "data/briefs/employers" / f"{account_id}.{e}" for e in ("html", "json"))
    assert result.out.splitlines() == [str(page), str(told)]
    stored = json.loads(told.read_text())
    assert stored == briefs.brief(bw.prepared(), account_id)
    assert page.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    before = contents(project)
    assert run("brief", account_id, "--application", "employers").code == 0
    assert contents(project) == before


def test_an_account_that_has_no_brief_is_one_message(project, run):
    before = contents(project)
    message = refusal(run("brief", 999999))
    assert "There is no brief of account 999999 among the 3 of" in message
    assert contents(project) == before


@pytest.mark.parametrize(
    ("words", "rule"),
    [
        (("1", "--application", "nobody"), "no accounts.nobody; below `accounts:` there are empl"),
        (("-1",), None),
        (("one",), None),
    ],
)
def test_a_brief_of_nobody_is_refused(project, run, words, rule):
    result = run("brief", *words)
    if rule is None:  # a question of usage
        assert result.code == 2
        assert "Traceback" not in result.err
    else:
        assert rule in refusal(result)
    assert not (project / "data").exists()


def test_briefs_that_were_not_made_are_asked_for(project, run):
    shutil.rmtree(project / "models")
    assert "briefs.zip is missing. Make it first" in refusal(run("brief", 2))


# tierwise alerts


def test_alerts_run_twice_write_the_same_bytes(project, run):
    assert run("fetch", "employers").code == 0
    first = run("alerts", "employers", "--since", "2025-01-01")
    assert first.code == 0, first.err
    assert first.out == ""
    assert re.search(
        r"^4 new alerts \(1 hiring_doubled, .*data/alerts/employers\.$", first.err, re.M
    )
    left = contents(project / "data/alerts/employers")
    assert {"feed.json", "index.html", "webhook.jsonl"} <= set(left)
    assert len([name for name in left if name.startswith("ledger/0")]) == 1
    assert len(json.loads(left["feed.json"])["items"]) == 4
    again = run("alerts", "employers", "--since", "2025-01-01")
    assert again.err == first.err
    assert contents(project / "data/alerts/employers") == left


def test_what_was_known_before_the_date_is_not_told(project, run):
    run("fetch", "employers")
    found = run("alerts", "employers", "--since", on(263).date())
    assert "2 new alerts (1 senior_hr_left, 1 usage_fell)" in found.err


@pytest.mark.parametrize(
    ("words", "rule"),
    [
        (("employers", "--since", "soon"), "--since must be a date such as"),
        (("nobody", "--since", "2025-01-01"), "no accounts.nobody; below `accounts:` there are"),
        (("employers", "--since", "2025-01-01"), "data/tables/employers"),
    ],
)
def test_alerts_that_can_not_be_told_are_refused(project, run, words, rule):
    """The last one: nothing was fetched."""
    assert rule in refusal(run("alerts", *words))
    assert not (project / "data/alerts").exists()


def test_alerts_since_when_is_a_question_of_usage(project, run):
    assert run("alerts", "employers").code == 2


# tierwise simulate-accounts


def test_a_simulated_world_is_the_same_again_and_only_told_the_truth_where_asked(tmp_path, run):
    def simulated(name, *words):
        done = run("simulate-accounts", tmp_path / name, "--accounts", 6, *words)
        assert done.code == 0, done.err
        return contents(tmp_path / name)

    one = simulated("one", "--seed", 3, "--truth", tmp_path / "truth")
    assert set(one) == {f"{name}.parquet" for name in sets.ACCOUNTS}
    assert "changes.parquet" in contents(tmp_path / "truth")
    assert simulated("two", "--seed", 3) == one
    assert simulated("two", "--seed", 4) != one
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one", "truth", "two"]
    accounts = pd.read_parquet(tmp_path / "one/accounts.parquet")
    assert accounts.loc[~accounts["ours"], "account_id"].nunique() == 6


def test_a_world_does_not_replace_what_is_not_one(tmp_path, run):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/letter.txt").write_text("dear")
    assert "letter.txt" in refusal(run("simulate-accounts", tmp_path / "mine", "--accounts", 6))
    assert (tmp_path / "mine/letter.txt").read_text() == "dear"


@pytest.mark.parametrize("command", ["brief", "alerts", "simulate-accounts"])
def test_help_of_each_command_has_an_example(run, monkeypatch, command):
    monkeypatch.setenv("COLUMNS", "80")
    result = run(command, "--help")
    assert result.code == 0
    assert f"\n    tierwise {command} " in result.out
    assert max(map(len, result.out.splitlines())) <= 84


@pytest.mark.parametrize("words", [("brief", 1), ("alerts", "employers", "--since", "2025-01-01")])
def test_outside_a_project_the_way_in_is_told(run, monkeypatch, tmp_path, words):
    monkeypatch.chdir(tmp_path)
    assert "Run the command inside a clone of tierwise" in refusal(run(*words))


def test_the_button_needs_neither_tables_nor_models(project):
    """It must answer at once: what is heavy was done before."""
    import subprocess

    account_id = int(bw.prepared().customers[0])
    code = (
        f"import sys; sys.argv = ['tierwise', 'brief', '{account_id}']\n"
        "from tierwise.cli import main\n"
        "try:\n    main()\n"
        "except SystemExit as stop:\n    assert not stop.code\n"
        "heavy = {'sklearn', 'duckdb', 'networkx', 'scipy', 'numba', 'matplotlib', 'papermill'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=project, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert Path(done.stdout.splitlines()[0]).is_file()
