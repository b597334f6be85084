"""Rules of events: refused where they can't hold, kept where they held, tried out on the past."""

import sys

import numpy as np
import pandas as pd
import pytest

from small_events import AS_OF, RULES, at, catalogue, drawn, events
from tierwise import event_commands
from tierwise.customers import event_catalogue as ec
from tierwise.customers import event_file, point_replay, points
from tierwise.files import InputError

TEXT = """# what counts here
events:
  visit:   # the site
    name: Visited us
    points: 10
    half_life_days: 7
  order:
    name: Bought
    versions:
      - {points: 25.5, half_life_days: 120}  # since ever
"""


@pytest.fixture
def path(tmp_path):
    (tmp_path / "rules.yaml").write_text(TEXT)
    return tmp_path / "rules.yaml"


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ({"points": 1.234}, "at most two decimals"),
        ({"points": True}, "must be a number"),
        ({"points": float("nan")}, "must be a number"),
        ({"points": 1e9}, "from -10000 to 10000"),
        ({}, "points of event 'visit' must be a number .* not None"),
        ({"points": 1, "half_life_days": 0}, "half_life_days of event 'visit'"),
        ({"points": 1, "half_life_days": 7, "step": {"idle_days": 7, "share": 0.1}}, "both"),
        ({"points": 1, "step": {"idle_days": 7}}, "must hold idle_days and share"),
        ({"points": 1, "step": {"idle_days": 7, "share": 1.5}}, "from 0.0001 to 1"),
        ({"points": 5, "cap_per_day": 3}, "cap_per_day of event 'visit' must be a number from 5"),
        ({"points": -5, "cap_per_day": 9}, "takes points away"),
        ({"points": 1, "halflife_days": 7}, "did you mean 'half_life_days'"),
        ({"points": 1, "status": "hidden"}, "shown or archived"),
        ({"points": 1, "from": "yesterday"}, "ISO date"),
        ({"name": "a\nb", "points": 1}, "one line of 1 to 120 characters"),
        ({"versions": []}, "a list of one rule or more"),
        ({"versions": [{"points": 1}, {"points": 2}]}, "later than that of the one before"),
        (
            {
                "versions": [
                    {"from": "2026-02-01", "points": 1},
                    {"from": "2026-02-01", "points": 2},
                ]
            },
            "later than that of the one before",
        ),
        (7, "must hold a name and points"),
    ],
)
def test_a_rule_that_cannot_hold_is_refused_with_its_name(rule, message):
    with pytest.raises(InputError, match=message):
        ec.parsed({"events": {"visit": rule}})


def test_ids_and_files_that_are_none_are_refused(tmp_path):
    with pytest.raises(InputError, match="lower-case letters"):
        ec.parsed({"events": {"Site visit": {"points": 1}}})
    for content in (None, [], {"event": {}}):
        with pytest.raises(InputError, match="holds `events:`"):
            ec.parsed(content)
    with pytest.raises(InputError, match="Did you mean 'visit'"):
        catalogue().event("visits")
    with pytest.raises(InputError, match="is missing"):
        event_file.read(tmp_path / "no.yaml")
    (tmp_path / "twice.yaml").write_text("events:\n  a: {points: 1}\n  a: {points: 2}\n")
    with pytest.raises(InputError, match="not valid YAML"):
        event_file.read(tmp_path / "twice.yaml")


def test_the_table_shows_the_rule_of_now_and_its_history():
    now = ec.table(catalogue())
    assert now["id"].tolist() == list(RULES)
    assert now["fading"].tolist()[:4] == [
        "half in 7 days",
        "half in 120 days",
        "10% less after each 7 idle days",
        "stay",
    ]
    mail = ec.table(catalogue(), history=True).query("id == 'mail'")
    assert mail["status"].tolist() == ["shown", "shown", "archived"]
    assert mail["points"].tolist() == [1, 8, 8]
    assert pd.isna(mail["from_at"].iloc[0])
    assert mail["from_at"].iloc[2] == pd.Timestamp("2026-03-20")


def test_a_change_adds_a_version_and_touches_nothing_else(path):
    made = event_file.change(path, "order", at(0), {"points": 5.0, "cap_per_day": 20.0})
    assert [version.points for version in made.versions] == [25.5, 5]
    assert made.current.half_life_days == 120
    text = path.read_text()
    assert "# what counts here" in text
    assert "# the site" in text
    assert "# since ever" in text
    assert "{from: '2026-03-01', points: 5, half_life_days: 120, cap_per_day: 20}" in text
    event_file.change(
        path, "order", at(1), {"step": {"idle_days": 7.0, "share": 0.1}, "cap_per_day": None}
    )
    last = event_file.read(path).event("order").current
    assert (last.half_life_days, last.step, last.cap_per_day) == (None, ec.Step(7, 0.1), None)


def test_a_single_rule_beside_the_name_becomes_the_first_version(path):
    made = event_file.archive(path, "visit", at(3))
    assert [version.status for version in made.versions] == ["shown", "archived"]
    assert event_file.restore(path, "visit", at(5)).current.points == 10
    with pytest.raises(InputError, match="not archived"):
        event_file.restore(path, "visit", at(6))


def test_what_would_be_no_catalogue_is_not_written(path):
    event_file.archive(path, "visit", at(3))
    before = path.read_text()
    refused = [
        lambda: event_file.archive(path, "visit", at(4)),
        lambda: event_file.change(path, "order", pd.NaT, {"points": 1.234}),
        lambda: event_file.change(path, "visit", at(2), {"points": 1}),
        lambda: event_file.change(path, "visit", at(9), {}),
        lambda: event_file.add(path, "visit", "Again", {"points": 1}),
        lambda: event_file.add(path, "Wrong id", "Wrong", {"points": 1}),
    ]
    for call in refused:
        with pytest.raises(InputError):
            call()
        assert path.read_text() == before


def test_an_archived_event_earns_nothing_more_and_keeps_what_it_earned(path):
    event_file.archive(path, "visit", at(3))
    rows = events((1, "visit", 2, 0), (1, "visit", 3, 0), (1, "visit", 4, 0))
    book = points.built(event_file.read(path), rows)
    after = pd.Timedelta(microseconds=1)
    assert points.scores(book, at(9) + after)["points"].tolist() == [5]
    assert len(points.events_of(book, 1)) == 3


def test_a_replay_tells_what_was_known_then_under_both_rules():
    rows = drawn(300, people=15)
    tried = catalogue(**{**RULES, "visit": {"points": 50, "half_life_days": 7}})
    dates = [at(20), at(60)]
    found = point_replay.replay(rows, catalogue(), tried, dates)
    for date in dates:
        now = found[found["as_of"] == date]
        for name, rules in (("before", catalogue()), ("after", tried)):
            right = points.scores(points.built(rules, rows, date), date)
            assert now["person_id"].tolist() == right["person_id"].tolist()
            assert now[name].tolist() == right["points"].tolist()
    assert np.allclose(found["change"], found["after"] - found["before"])
    same = point_replay.summary(point_replay.replay(rows, catalogue(), catalogue(), dates))
    assert same["rank_correlation"].tolist() == pytest.approx([1, 1])
    assert same["kept_share"].tolist() == [1, 1]
    assert (point_replay.summary(found)["rank_correlation"] < 1).all()
    with pytest.raises(InputError, match="from early to late"):
        point_replay.replay(rows, catalogue(), tried, dates[::-1])


def test_rules_of_now_as_if_always_have_one_version_each():
    always = ec.as_if_always(catalogue())
    assert all(len(event.versions) == 1 for event in always.events)
    assert always.event("mail").current.status == "archived"
    book = points.built(always, events((1, "mail", 0, 0)))
    assert points.scores(book, AS_OF)["points"].tolist() == [0]


@pytest.fixture
def run(monkeypatch, capsys, tmp_path):
    """`tierwise events …` with answers typed in."""
    import typer
    from typer.testing import CliRunner

    app = typer.Typer()
    app.add_typer(event_commands.events, name="events")

    def call(*words, typed=""):
        told = ["--catalogue", str(tmp_path / "rules.yaml")]
        found = CliRunner().invoke(app, ["events", *words, *told], input=typed)
        if isinstance(found.exception, InputError):
            return str(found.exception)
        assert found.exit_code == 0, (found.output, found.exception)
        return found.output

    return call


def test_the_wizard_asks_again_until_an_answer_can_stand(run, tmp_path):
    typed = [
        "Bad Id",
        "visit",
        "Visited us",
        "1.234",
        "5",
        "no",
        "step",
        "7",
        "2",
        "0.1",
        "3",
        "20",
    ]
    said = run("add", typed="\n".join(typed) + "\n")
    assert "shown, 5 points, 10% less after each 7 idle days, at most 20 a day" in said
    made = event_file.read(tmp_path / "rules.yaml").event("visit")
    assert made.name == "Visited us"
    assert made.current == ec.Version(5.0, step=ec.Step(7.0, 0.1), cap_per_day=20.0)


def test_flags_do_what_the_wizard_does(run, tmp_path):
    run("add", "visit", "--points", "5", "--half-life-days", "30")
    assert "visit' already" in run("add", "visit", "--points", "5")
    assert "already" in run("add", "visit", typed="x\n")
    assert "Give ID and --points" in run("add", "view", "--half-life-days", "30")
    assert "belong together" in run("add", "view", "--points", "5", "--idle-days", "7")
    run("set", "visit", "--points", "6.5", "--never-fades", "--from", "2026-03-01")
    run("archive", "visit", "--from", "2026-04-01")
    run("restore", "visit", "--from", "2026-05-01")
    made = event_file.read(tmp_path / "rules.yaml").event("visit")
    assert [one.status for one in made.versions] == ["shown", "shown", "archived", "shown"]
    assert made.current.half_life_days is None
    listed = run("list", "--history")
    assert listed.count("visit") == 4
    assert "2026-04-01" in listed
    assert run("list").count("visit") == 1
    assert "ISO date" in run("archive", "visit", "--from", "soon")


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_replay_prints_a_line_per_date_and_writes_everybody(run, tmp_path, kind):
    run("add", "visit", "--points", "5", "--half-life-days", "30")
    run("set", "visit", "--points", "50", "--from", "2026-03-20")
    rows, file = drawn(200), tmp_path / f"events.{kind}"
    rows.to_csv(file, index=False) if kind == "csv" else rows.to_parquet(file, index=False)
    out = tmp_path / "people.csv"
    said = run(
        "replay", str(file), "--as-of", "2026-04-20", "--as-of", "2026-04-01", "--out", str(out)
    )
    assert len(said.strip().splitlines()) == 3
    people = pd.read_csv(out)
    assert set(people["as_of"]) == {"2026-04-01", "2026-04-20"}
    assert (people["after"] >= people["before"]).all()
    assert "is missing" in run("replay", str(tmp_path / "no.csv"), "--as-of", "2026-04-01")


def test_the_command_stands_alone_without_heavy_imports():
    """`--help` is quick: what a command needs is imported when it runs."""
    import ast
    from pathlib import Path

    tree = ast.parse(Path(event_commands.__file__).read_text())
    top = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
    names = {
        node.module if isinstance(node, ast.ImportFrom) else node.names[0].name for node in top
    }
    assert names <= {"collections.abc", "pathlib", "typing", "typer"}
    assert "tierwise.event_commands" in sys.modules
