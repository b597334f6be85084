"""A stranger's file becomes a section that the pipeline accepts, or one clear message."""

import gzip
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from ruamel.yaml import YAML

from tierwise import adopt as adoption
from tierwise import leakage
from tierwise.applications import table as question
from tierwise.files import STEPS, InputError
from tierwise.notebook import read_notebook

REPOSITORY = Path(__file__).parents[1]
PARAMS = """# Every number an analyst may change.
applications:
  bank_calls: # the one that is there
    build_features:
      kind: table
      outcome_column: "y"   # quoted, or YAML 1.1 takes it for true

# the end
"""


@pytest.fixture
def project(tmp_path, monkeypatch):
    """An empty project as working directory."""
    root = tmp_path / "project"
    root.mkdir()
    (root / "params.yaml").write_text(PARAMS)
    (root / "dvc.yaml").write_text("stages: {}\n")
    monkeypatch.chdir(root)
    monkeypatch.setenv("COLUMNS", "80")
    return root


@pytest.fixture
def adopt(project, run):
    """Adopt `frame` (or raw bytes) from the file `name`; refusals must leave params.yaml alone."""

    def call(content, *words, name="leads.csv", application="mine", outcome="won", **options):
        path = project / name
        if isinstance(content, pd.DataFrame):
            content.to_csv(path, index=False, **options)
        elif content is not None:
            path.write_bytes(content)
        result = run("adopt", path, "--name", application, "--outcome", outcome, *words)
        if result.code:
            assert (project / "params.yaml").read_bytes() == PARAMS.encode()
            assert "Traceback" not in result.err
            assert not list(project.glob(".params*"))
        return result

    return call


def leads(count=240, seed=0):
    """Cases of one a day; `visits` ranks a little, nothing else does."""
    rng = np.random.default_rng(seed)
    won = rng.random(count) < 0.4
    return pd.DataFrame(
        {
            "lead": [f"L{k:04}" for k in range(count)],
            "created_at": pd.date_range("2025-01-01", periods=count).strftime("%Y-%m-%d"),
            "visits": rng.poisson(3 + won),
            "amount": rng.normal(100, 20, count).round(2),
            "source": rng.choice(["web", "fair", "Köder"], count),
            "won": np.where(won, "yes", "no"),
        }
    )


def written(root, application="mine"):
    return YAML(typ="safe").load(root / "params.yaml")["applications"][application]


def accepted(root, application="mine"):
    """What the pipeline makes of exactly what stands in params.yaml: rows, columns, exclusions."""
    part = written(root, application)["build_features"]
    raw = question.read(root / part["source"], part["question"])
    return question.build(raw, part["question"])


def refusal(result):
    """The one message of a refused call."""
    assert result.code == 1, result.out
    messages = [line for line in result.err.splitlines() if line.startswith("tierwise: ")]
    assert len(messages) == 1
    return result.err.split("tierwise: ", 1)[1]


# The section


def test_the_section_has_all_that_the_notebooks_ask_for(adopt, project):
    assert adopt(leads(), "--id", "lead", "--time", "created_at").code == 0
    section = written(project)
    assert tuple(section) == STEPS
    for step, parameters in section.items():
        known = read_notebook(REPOSITORY / "notebooks" / f"{step}.ipynb", parameters)
        assert known.cells
    ours = YAML(typ="safe").load(REPOSITORY / "params.yaml")["applications"]["bank_calls"]
    assert {step: set(ours[step]) for step in STEPS} == {step: set(section[step]) for step in STEPS}


def test_the_pipeline_reads_the_section_as_adopt_did(adopt, project):
    frame = leads()
    adopt(frame, "--id", "lead", "--time", "created_at", "--entity", "lead")
    examples, columns, excluded = accepted(project)
    assert examples["entity_id"].tolist() == frame["lead"].tolist()
    assert examples["outcome"].eq(frame["won"] == "yes").all()
    assert list(columns) == ["visits", "amount", "source"]
    assert excluded == {}
    part = written(project)["build_features"]
    assert part["source"] == "leads.csv"
    assert part["question"]["entity"] == "lead"
    leakage.decide(
        leakage.audit(columns, examples["as_of"], examples["outcome"].to_numpy()), {}, {}
    )


def test_every_other_byte_of_params_survives(adopt, project):
    adopt(leads())
    text = (project / "params.yaml").read_text()
    before, after = PARAMS.split("\n# the end")
    assert text.startswith(before)
    assert text.endswith("\n# the end" + after)


def test_a_name_that_is_taken_needs_replace(adopt, project):
    taken = adopt(leads(), application="bank_calls")
    assert "already has 'bank_calls' below `applications:`" in refusal(taken)
    assert "--replace" in taken.err
    assert adopt(leads(), "--replace", application="bank_calls").code == 0
    assert tuple(written(project, "bank_calls")) == STEPS
    assert (project / "params.yaml").read_text().endswith("\n# the end\n")
    assert adopt(leads(60), "--replace", application="bank_calls").code == 0
    assert len(accepted(project, "bank_calls")[0]) == 60


@pytest.mark.parametrize("name", ["My Leads", "1st", "", "a-b", "../up", "ä", "x" * 41])
def test_a_bad_name_says_what_a_good_one_is(adopt, name):
    assert "must be lower-case letters, digits and _" in refusal(adopt(leads(), application=name))


def test_a_file_elsewhere_is_named_relative_to_the_project(project, run, tmp_path):
    folder = tmp_path / "my files"
    folder.mkdir()
    leads().to_csv(folder / "Größe ${x} #1 & co.csv", index=False)
    result = run("adopt", folder / "Größe ${x} #1 & co.csv", "--name", "mine", "--outcome", "won")
    assert result.code == 0
    assert written(project)["build_features"]["source"] == "../my files/Größe ${x} #1 & co.csv"
    assert len(accepted(project)[0]) == 240


def test_it_works_from_a_folder_of_the_project(project, run, monkeypatch):
    (project / "data").mkdir()
    monkeypatch.chdir(project / "data")
    leads().to_csv("leads.csv", index=False)
    assert run("adopt", "leads.csv", "--name", "mine", "--outcome", "won").code == 0
    assert written(project)["build_features"]["source"] == "data/leads.csv"


AWKWARD = ["${x}", "$", "{", "}", "a b", "it's", 'say "hi"', "#no", "k: v", "- x", "Größe 名"]
AWKWARD += [
    "<script>alert(1)</script>",
    "[bold]x[/]",
    "null",
    "true",
    "12",
    "two\nlines",
    "\x1b[31m",
]


def test_any_name_of_a_column_survives_the_trip_through_params(adopt, project):
    frame = leads(60)
    for name in AWKWARD:
        frame[name] = frame["source"]
    assert adopt(frame).code == 0
    assert set(AWKWARD) <= set(accepted(project)[1])


def test_dvc_reads_a_section_of_awkward_names_as_it_stands(adopt, project):
    """DVC fills in ${...} in dvc.yaml; what a file calls its columns must not be taken for that."""
    frame = leads().rename(columns={"won": "${key}", "lead": "${item.x}", "created_at": "${"})
    words = ["--id", "${item.x}", "--time", "${", "--outcome", "${key}"]
    assert adopt(frame, *words, name="my leads ${x} #1.csv").code == 0
    (project / ".dvc").mkdir()
    (project / ".dvc" / "config").write_text("[core]\n    no_scm = true\n    analytics = false\n")
    stage = "stages:\n  build_features:\n    foreach: ${applications}\n    do:\n"
    stage += "      cmd: echo ${key}\n      deps:\n        - ${item.build_features.source}\n"
    stage += "      params:\n        - applications.${key}.build_features\n"
    (project / "dvc.yaml").write_text(stage)
    params = (project / "params.yaml").read_text()
    source = "kind: table\n      source: my leads ${x} #1.csv\n"
    (project / "params.yaml").write_text(params.replace("kind: table\n", source, 1))
    command = [sys.executable, "-m", "dvc", "repro", "build_features@mine"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    lock = YAML(typ="safe").load(project / "dvc.lock")["stages"]["build_features@mine"]
    assert lock["deps"][0]["path"] == "my leads ${x} #1.csv"
    assert lock["params"]["params.yaml"] == {
        "applications.mine.build_features": written(project)["build_features"]
    }


@pytest.mark.parametrize("name", AWKWARD)
def test_any_name_can_be_the_outcome_the_time_and_the_id(adopt, project, name):
    roles = {"won": f"{name}w", "created_at": f"{name}t", "lead": f"{name}i"}
    frame = leads().drop(columns=["visits", "source"]).rename(columns=roles)
    outcome, time, who = roles.values()
    assert adopt(frame, f"--time={time}", f"--id={who}", f"--outcome={outcome}").code == 0
    assert list(accepted(project)[1]) == ["amount"]


def test_the_values_of_an_outcome_survive_too(adopt, project):
    frame = leads()
    frame["won"] = np.where(frame["won"] == "yes", "Won: ${item}", "no #1")
    assert adopt(frame, "--won", "Won: ${item}").code == 0
    assert accepted(project)[0]["outcome"].sum() == (frame["won"] == "Won: ${item}").sum()


def test_the_terminal_gets_no_codes_and_no_markup_from_a_file(adopt):
    frame = leads().assign(**{"\x1b[31mred": 1.5, "[bold]x[/]": 2.5})
    printed = adopt(frame, outcome="won").out
    assert "\x1b" not in printed
    assert "[bold]x[/]" in printed


# What is handled


@pytest.mark.parametrize(
    ("encoding", "separator", "decimal"),
    [
        ("utf-8", ",", "."),
        ("utf-8-sig", ";", ","),
        ("utf-16", "\t", "."),
        ("utf-16", ";", ","),
        ("latin-1", ";", ","),
        ("latin-1", "|", "."),
        ("cp1252", "\t", ","),
    ],
)
def test_spellings_of_a_file_change_nothing_but_the_format(
    adopt, project, encoding, separator, decimal
):
    frame = leads()
    content = frame.to_csv(index=False, sep=separator, decimal=decimal).encode(encoding)
    assert adopt(content, "--time", "created_at").code == 0
    found = written(project)["build_features"]["question"]["text_format"]
    assert (found["separator"], found["decimal"]) == (separator, decimal)
    columns = accepted(project)[1]
    assert columns["amount"].tolist() == frame["amount"].tolist()
    assert columns["source"].tolist() == frame["source"].tolist()


def test_gzip_and_parquet_need_no_more_words(adopt, project):
    adopt(gzip.compress(leads().to_csv(index=False).encode()), name="leads.csv.gz")
    leads().to_parquet(project / "leads.parquet")
    adopt(None, name="leads.parquet", application="other")
    assert written(project, "other")["build_features"]["question"]["text_format"] == {}
    pd.testing.assert_frame_equal(
        accepted(project)[0].drop(columns="entity_id"),
        accepted(project, "other")[0].drop(columns="entity_id"),
    )


def dated(frame, spelling):
    days = pd.to_datetime(frame["created_at"])
    return frame.assign(created_at=days.dt.strftime(spelling))


@pytest.mark.parametrize("spelling", ["%d/%m/%Y", "%m/%d/%Y", "%d.%m.%y", "%d %b %Y"])
def test_dates_are_read_in_the_order_that_the_column_shows(adopt, project, spelling):
    frame = leads()
    assert adopt(dated(frame, spelling), "--time", "created_at").code == 0
    expected = pd.to_datetime(frame["created_at"]).astype("datetime64[us]")
    assert accepted(project)[0]["as_of"].eq(expected).all()


@pytest.mark.parametrize("word", ["--day-first", "--month-first"])
def test_ambiguous_dates_are_asked_for_and_the_answer_is_kept(adopt, project, word):
    frame = leads()
    frame["created_at"] = pd.Series(["03/04/2025", "05/04/2025", "11/12/2025"] * 80)
    message = refusal(adopt(frame, "--time", "created_at"))
    assert "--day-first or --month-first" in message
    assert "'03/04/2025'" in message
    assert adopt(frame, "--time", "created_at", word).code == 0
    rule = written(project)["build_features"]["question"]["time"]
    assert rule == {"column": "created_at", "day_first": word == "--day-first"}
    assert accepted(project)[0]["as_of"].dt.day.min() == (3 if word == "--day-first" else 4)


def test_other_dates_that_can_be_read_two_ways_are_said_to_stay_text(adopt):
    frame = leads().assign(called="03/04/2025")
    assert "the dates in 'called' can be read day first or month first" in flat(
        adopt(frame, "--time", "created_at").out
    )


def flat(text):
    return " ".join(text.split())


def test_copies_of_a_row_are_counted_and_left_out(adopt, project):
    frame = leads()
    printed = adopt(pd.concat([frame, frame.head(7)]), "--id", "lead", "--time", "created_at").out
    assert "7 rows: 7 copy of an earlier row" in flat(printed)
    assert len(accepted(project)[0]) == 240


def test_an_id_that_repeats_at_one_time_is_refused(adopt):
    frame = leads()
    frame.loc[1, ["lead", "created_at"]] = frame.loc[0, ["lead", "created_at"]].to_numpy()
    message = refusal(adopt(frame, "--id", "lead", "--time", "created_at"))
    assert "2 rows share an id and a time (first: L0000)" in message
    assert "Name another id column, or leave --id out" in flat(message)


def test_an_id_that_repeats_at_other_times_is_counted(adopt):
    frame = leads().assign(lead=lambda f: f["lead"].where(f.index % 2 == 0, "L0000"))
    assert "'lead', 120 in 240 rows" in adopt(frame, "--id", "lead", "--time", "created_at").out


def test_columns_that_teach_nothing_are_kept_and_named(adopt, project):
    frame = leads().assign(empty=np.nan, same="x", note=[f"call {k} back" for k in range(240)])
    printed = flat(adopt(frame).out)
    for words in ("empty holds no value", "same holds one value only", "note nearly one value"):
        assert words in printed
    assert {"empty", "same", "note"} <= set(accepted(project)[1])


def test_thousands_of_categories_and_files_of_text_are_handled(adopt, project):
    frame = leads(4000)
    rng = np.random.default_rng(1)
    frame["town"] = rng.choice([f"Town {k}" for k in range(1900)], 4000)
    frame["visits"] = frame["visits"].map("{} visits".format)
    frame["amount"] = "n/k"
    frame = frame.drop(columns="created_at")
    assert adopt(frame).code == 0
    assert accepted(project)[1].dtypes.eq("str").all()


@pytest.mark.parametrize(
    ("won", "lost"),
    [
        ("yes", "no"), ("True", "False"), (1, 0), (1.0, 0.0), ("Won", "Lost"), ("ja", "nein"),
        ("Closed Won", "Closed - Lost"), ("insurance", "noinsurance"), ("churn", "not churn"),
        ("TRUE ", " FALSE"), ("converted", "cold"), ("warm", "lost"),
    ],
)  # fmt: skip
def test_known_words_for_won_and_lost_need_no_more_words(adopt, project, won, lost):
    frame = leads()
    expected = frame["won"] == "yes"
    assert adopt(frame.assign(won=np.where(expected, won, lost))).code == 0
    assert accepted(project)[0]["outcome"].eq(expected).all()


def test_of_two_unknown_words_the_rarer_counts_as_won_and_this_is_said(adopt, project):
    frame = leads()
    expected = frame["won"] == "yes"
    result = adopt(frame.assign(won=np.where(expected, "red", "blue")))
    assert "'red' counts as won because it is rarer; else say --won 'blue'" in flat(result.out)
    assert accepted(project)[0]["outcome"].eq(expected).all()
    adopt(frame.assign(won=np.where(expected, "red", "blue")), "--won", "blue", "--replace")
    assert accepted(project)[0]["outcome"].ne(expected).all()


def test_a_third_value_is_open_said_and_counted(adopt, project):
    frame = leads().assign(won=["Won", "Lost", "Open", "Lost"] * 60)
    printed = flat(adopt(frame).out)
    assert "'won' is still open where it says 'Open'" in printed
    assert "60 rows: 60 outcome still open" in printed
    adopt(frame, "--won", "Won", "--lost", "Lost", "--lost", "Open", "--replace")
    assert accepted(project)[0]["outcome"].value_counts().to_dict() == {0.0: 180, 1.0: 60}


def test_a_case_without_an_outcome_is_open(adopt):
    frame = leads()
    frame.loc[:9, "won"] = None
    assert "10 rows: 10 outcome still open" in flat(adopt(frame).out)


def test_rows_without_a_time_are_counted(adopt, project):
    frame = leads()
    frame.loc[3:7, "created_at"] = None
    assert "5 rows: 5 no time" in flat(adopt(frame, "--time", "created_at").out)
    assert len(accepted(project)[0]) == 235


def test_a_form_s_placeholder_counts_as_missing(adopt, project):
    frame = leads()
    frame["city"] = np.where(frame.index % 3 == 0, "Select", "Porto")
    printed = adopt(frame).out
    assert "'Select' counts as missing" in printed
    assert written(project)["build_features"]["question"]["missing_values"] == ["Select"]
    assert accepted(project)[1]["city"].isna().sum() == 80


# Time


def test_running_numbers_and_months_order_the_rows_and_say_so(adopt, project):
    frame = leads().assign(counter=np.arange(240)[::-1], month=list("abcdefghijkl") * 20)
    assert "'counter' is read as a running number" in flat(adopt(frame, "--time", "counter").out)
    assert accepted(project)[0]["as_of"].tolist() == list(range(240))
    frame["month"] = (["Feb", "Mar", "May", "June", "Nov", "Dec"] * 40)[:240]
    printed = flat(adopt(frame, "--time", "month", "--replace").out)
    assert "'month' is read as the months of one year" in printed
    assert accepted(project)[0]["as_of"].is_monotonic_increasing


def test_months_of_several_years_in_order_are_not_mixed(adopt):
    frame = leads().assign(month=np.repeat(["nov", "dec", "jan", "feb", "nov", "jan"], 40))
    message = refusal(adopt(frame, "--time", "month"))
    assert "begins anew 2 times" in message
    assert "over 3 years" in message
    assert "Leave --time out" in message


def test_an_export_with_the_newest_row_first_is_turned_round(adopt, project):
    frame = leads().assign(number=np.arange(1000, 760, -1)).drop(columns="created_at")
    printed = flat(adopt(frame, "--id", "number").out)
    assert "'number' falls down the file, as when the newest row stands first" in printed
    assert accepted(project)[0]["entity_id"].iloc[0] == "761"


def test_without_a_time_the_order_of_rows_counts_and_dates_are_pointed_at(adopt, project):
    printed = flat(adopt(leads()).out)
    assert "no --time: the rows are taken to be in order of time, oldest first" in printed
    assert "Is 'created_at' the moment of decision?" in printed
    assert accepted(project)[0]["as_of"].tolist() == list(range(1, 241))


@pytest.mark.parametrize(
    ("column", "rule"),
    [
        ([np.nan] * 240, "time column 'when' is empty"),
        (["soon"] * 240, "are no times"),
        (["2025-01-01"] * 240, "only 1 distinct values"),
    ],
)
def test_a_column_that_orders_nothing_is_refused(adopt, column, rule):
    assert rule in flat(refusal(adopt(leads().assign(when=column), "--time", "when")))


def test_a_file_sorted_by_outcome_is_refused(adopt):
    frame = leads().sort_values("won")
    message = refusal(adopt(frame))
    assert "earlier rows, to learn from, are lost" in message
    assert "sorted by outcome: say --time" in message


def test_a_time_that_only_closed_cases_have_is_questioned(adopt):
    frame = leads().assign(won=["Won", "Lost", "Open"] * 80)
    frame["closed"] = frame["created_at"].where(frame["won"] != "Open")
    printed = flat(adopt(frame, "--time", "closed").out)
    assert "'closed' is filled only where the outcome is known" in printed


# What could not have been known


def test_the_date_of_closing_is_found(adopt, project):
    frame = leads().assign(won=["Won", "Lost", "Open"] * 80)
    closed = pd.to_datetime(frame["created_at"]) + pd.Timedelta(days=5)
    frame["close_date"] = closed.where(frame["won"] != "Open").dt.strftime("%d/%m/%Y")
    printed = flat(adopt(frame, "--time", "created_at").out)
    assert "'close_date' is filled as cases close: outcomes count from that date" in printed
    assert written(project)["build_features"]["question"]["outcome_known"] == {
        "column": "close_date"
    }
    examples, columns, _ = accepted(project)
    assert (examples["outcome_known_at"] - examples["as_of"]).eq(pd.Timedelta(days=5)).all()
    assert "close_date" not in columns


def test_known_is_taken_as_told_and_must_fit_the_time(adopt, project):
    frame = leads()
    frame["told"] = (pd.to_datetime(frame["created_at"]) + pd.Timedelta(days=2)).astype(str)
    assert adopt(frame, "--time", "created_at", "--known", "told").code == 0
    assert written(project)["build_features"]["question"]["outcome_known"] == {"column": "told"}
    (project / "params.yaml").write_text(PARAMS)
    message = flat(refusal(adopt(frame, "--known", "told")))
    assert "the order of the rows, no dates: they can't be compared" in message
    message = flat(refusal(adopt(frame, "--known", "visits", "--time", "created_at")))
    assert "'visits' holds no dates" in message


def test_dates_after_the_decision_and_columns_of_wins_only_are_quarantined(adopt):
    frame = leads()
    later = pd.to_datetime(frame["created_at"]) + pd.Timedelta(days=30)
    frame["next_visit"] = later.dt.strftime("%Y-%m-%d")
    frame["contract"] = np.where((frame["won"] == "yes") & (frame.index % 2 == 0), "signed", None)
    lines = adopt(frame, "--time", "created_at").out.splitlines()
    for name in ("next_visit", "contract"):
        assert any(line.startswith(name) and line.endswith("quarantined") for line in lines)
    printed = flat("\n".join(lines))
    assert "next_visit 100% of its dates lie after the decision" in printed
    assert "contract filled in after the outcome" in printed


def test_a_field_written_when_a_case_ends_is_quarantined_though_wins_and_losses_have_it(adopt):
    frame = leads(900)
    frame["won"] = frame["won"].where(frame.index % 3 != 0, "in trial")
    frame["note"] = frame["visits"].where(frame["won"] != "in trial")
    printed = adopt(frame, "--time", "created_at").out
    assert any(
        line.startswith("note") and line.endswith("quarantined") for line in printed.splitlines()
    )
    assert "note filled at closing: 100 percentage points" in flat(printed)


# Who looks after a case


def looked_after(project, owner):
    leads().assign(rep=["ann", "bob", None] * 80).to_csv(project / "leads.csv", index=False)
    return adoption.Answers(project / "leads.csv", "mine", "won", time="created_at", owner=owner)


def test_the_owner_is_written_down_counted_and_stays_a_column(project):
    found = adoption.examine(looked_after(project, "rep"), project)
    assert found.section["build_features"]["question"]["owner_column"] == "rep"
    assert found.facts["owner"] == "'rep', 2 of them"
    assert "rep" in set(found.audit["column"])


def test_without_an_owner_the_section_says_so(project):
    found = adoption.examine(looked_after(project, None), project)
    assert found.section["build_features"]["question"]["owner_column"] is None
    assert "owner" not in found.facts


@pytest.mark.parametrize(
    ("owner", "says"),
    [("rpe", "The owner column 'rpe' is not in the file"), ("won", "both --outcome and --owner")],
)
def test_an_owner_that_can_not_be_is_refused(project, owner, says):
    with pytest.raises(InputError, match=says):
        adoption.examine(looked_after(project, owner), project)


# Refusals


@pytest.mark.parametrize(
    ("outcome", "rule"),
    [
        (["yes"] * 240, "says 'yes' or nothing (0 of 240 rows are empty)"),
        (["yes", None] * 120, "says 'yes' or nothing (120 of 240 rows are empty)"),
        ([None] * 240, "is empty"),
        (["a", "b", "c"] * 80, "won and which lost? It says a (80), b (80), c (80). Say --won"),
        ([1, 2, 3] * 80, "It says 1 (80), 2 (80), 3 (80). Say --won"),
        (np.arange(240) + 100, "and 234 more values. An amount, a date or a name is no outcome"),
        (["yes"] * 5 + ["no"] * 235, "at least 10 won and 10 lost rows. 'won' gives 5 won and 235"),
    ],
)
def test_an_outcome_that_tells_nothing_apart_is_refused(adopt, outcome, rule):
    assert rule in flat(refusal(adopt(leads().assign(won=outcome))))


def test_a_file_of_twelve_rows_is_refused(adopt):
    assert "at least 10 won and 10 lost rows" in refusal(adopt(leads(12)))


@pytest.mark.parametrize(
    "words", [["--id", "laed"], ["--time", "createdat"], ["--known", "create"]]
)
def test_a_column_that_is_not_there_offers_the_nearest(adopt, words):
    message = refusal(adopt(leads(), *words))
    assert f"'{words[1]}' is not in the file. Nearest: " in message
    assert "It has: lead, created_at, visits" in message


def test_an_outcome_that_is_not_there_offers_the_nearest(adopt):
    assert "'own' is not in the file. Nearest: won" in refusal(adopt(leads(), outcome="own"))


@pytest.mark.parametrize("role", ["--id", "--time", "--known"])
def test_the_outcome_has_no_second_role(adopt, role):
    assert f"can't be both --outcome and {role}" in refusal(adopt(leads(), role, "won"))


def test_a_value_that_is_not_there_is_refused(adopt):
    assert "'won' is never 'Won'. It says 'no', 'yes'" in refusal(adopt(leads(), "--won", "Won"))
    assert "won and lost at once" in refusal(adopt(leads(), "--won", "yes", "--lost", "yes"))


@pytest.mark.parametrize(
    ("name", "content", "rule"),
    [
        ("leads.csv", b"", "is empty"),
        ("leads.csv", b"won,visits\n", "but no row below"),
        ("leads.csv", b"won\nyes\nno\n", "has one column"),
        ("leads.csv", b"won,won\nyes,no\n", "same name"),
        ("leads.csv.gz", gzip.compress(b"won,visits\n" * 99, mtime=0)[:-9], "damaged gzip"),
        ("leads.xlsx", b"PK\x03\x04 and more", "Save it as CSV"),
        ("leads.csv", b"\x89PNG\x00\x00\x01\x02" * 50, "binary"),
        ("leads.json", b"{}", "Accepted: .csv"),
        ("nothing.csv", None, "does not exist"),
        ("", None, "is a folder"),
    ],
)
def test_a_file_that_is_no_table_is_refused(adopt, name, content, rule):
    assert rule in flat(refusal(adopt(content, name=name)))


def test_a_folder_without_params_is_no_project(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = run("adopt", "leads.csv", "--name", "mine", "--outcome", "won")
    assert "holds params.yaml and dvc.yaml" in refusal(result)


# What is printed


def test_the_audit_is_sorted_aligned_and_fits_eighty_columns(adopt):
    frame = leads().assign(**{f"a rather long name of a column, number {k}": k for k in range(3)})
    frame["told"] = np.where(frame["won"] == "yes", "glad", "sad")
    printed = adopt(frame, "--time", "created_at").out
    lines = printed.splitlines()
    assert max(map(len, lines)) <= 80
    header = next(line for line in lines if line.startswith("column"))
    start = lines.index(header) + 1
    rows = lines[start : lines.index("", start)]
    assert len(rows) == len(frame.columns) - 2
    ends = header.index("AUC") + 3
    values = [row[:ends].split()[-1] for row in rows]
    numbers = [float(value) for value in values if value != "–"]
    assert numbers == sorted(numbers, reverse=True)
    assert values[len(numbers) :] == ["–"] * 4
    assert rows[0].startswith("told")


def test_the_last_lines_say_what_to_run(adopt):
    lines = adopt(leads()).out.rstrip().splitlines()
    assert lines[-4].startswith("params.yaml now has the section applications.mine")
    assert lines[-2].split()[:3] == ["dvc", "repro", "validate_tiers@mine"]
    assert lines[-1].split()[:2] == ["dvc", "repro"]
