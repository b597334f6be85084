"""Every command answers a mistake with one message and exit code 1, and help comes quickly."""

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

from tierwise import adopt, cli, scoring

REPOSITORY = Path(__file__).parents[1]


@pytest.fixture
def export(tmp_path):
    """An export without a model: what is left when nothing can be ranked."""
    folder = tmp_path / "exports" / "mine"
    folder.mkdir(parents=True)
    (folder / "card.json").write_text(json.dumps({"verdict": "cannot rank", "model": None}))
    (folder / "MODEL_CARD.md").write_text("# mine\n")
    sums = "".join(
        f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n"
        for path in sorted(folder.iterdir())
    )
    (folder / "SHA256SUMS").write_text(sums)
    return folder


def test_help_teaches_with_an_example(run):
    code, text, _ = run("--help")
    assert code == 0
    assert "tierwise adopt leads.csv --name my_leads --outcome converted --time created_at" in text
    assert "dvc repro validate_tiers@my_leads" in text
    for command in (
        "adopt",
        "fetch",
        "ingest",
        "score",
        "replay",
        "publish",
        "recalibrate",
        "rollback",
        "push",
        "webhook",
        "schedule",
        "serve",
        "events",
        "keys",
        "simulate",
        "simulate-accounts",
        "brief",
        "alerts",
        "simulate-providers",
        "provider-card",
        "appeal",
        "simulate-customers",
        "collect",
        "link",
        "simulate-referrals",
        "invitation",
        "rewards",
        "referral-page",
        "run",
        "index",
        "verify",
    ):
        assert f"\n  {command} " in text
    assert "..." not in text.split("Commands:")[1]


def test_help_of_adopt_teaches_with_an_example(run, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    code, text, _ = run("adopt", "--help")
    assert code == 0
    assert "tierwise adopt leads.csv --name my_leads --outcome converted --time created_at" in text
    for option in ("--id", "--time", "--known", "--won", "--lost", "--entity", "--day-first"):
        assert option in text
    assert max(map(len, text.splitlines())) <= 84


@pytest.mark.parametrize("words", [["score", "leads"], ["push", "leads"], ["serve", "leads"]])
def test_a_missing_extra_is_one_message_with_the_way_out(words):
    absent = (
        "import sys; sys.modules |= dict.fromkeys(['httpx', 'xlsxwriter', 'fastapi', 'starlette'])"
    )
    code = f"{absent}; sys.argv = ['tierwise', *{words}]; from tierwise.cli import main; main()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "uv sync --extra hourly" in done.stderr
    assert "Traceback" not in done.stderr


def test_help_imports_no_heavy_library():
    code = """
import sys
from tierwise import cli
for words in (["--help"], ["adopt", "--help"], ["run", "--help"], ["verify", "--help"]):
    sys.argv = ["tierwise", *words]
    try:
        cli.main()
    except SystemExit as stop:
        assert stop.code == 0
heavy = {"numpy", "pandas", "sklearn", "pyarrow", "onnxruntime", "papermill", "matplotlib"}
print("HEAVY", sorted(heavy & set(sys.modules)))
"""
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.splitlines()[-1] == "HEAVY []"


def test_a_word_too_few_is_a_question_of_usage(run):
    code, _, text = run("adopt")
    assert code == 2
    assert "Missing argument 'FILE'" in text
    assert "tierwise adopt --help" in text
    assert run("adapt")[0] == 2


@pytest.mark.parametrize(
    ("words", "rule"),
    [
        (("biuld_features", "bank_calls"), "No step is called 'biuld_features'; known: build_feat"),
        (("build_features", "bank_cals"), "No application is called 'bank_cals'; known: bank_cal"),
    ],
)
def test_run_names_what_it_knows(run, monkeypatch, words, rule):
    monkeypatch.chdir(REPOSITORY)
    code, _, text = run("run", *words)
    assert code == 1
    assert text.startswith(f"tierwise: {rule}")


@pytest.mark.parametrize("words", [("run", "build_features", "mine"), ("index",)])
def test_outside_a_project_the_way_in_is_told(run, monkeypatch, tmp_path, words):
    monkeypatch.chdir(tmp_path)
    code, _, text = run(*words)
    assert code == 1
    assert "Run the command inside a clone of tierwise" in text


def test_an_export_that_holds_is_confirmed(run, export):
    code, text, _ = run("verify", export)
    assert code == 0
    assert text.endswith("2 files unchanged; no model, because the verdict is cannot rank.\n")


def test_an_export_with_a_model_tells_how_close_it_came(run, export, monkeypatch):
    found = {"files_count": 6, "checks_count": 25, "largest_difference": 2e-8}
    monkeypatch.setattr(scoring, "verify", lambda folder: {**found, "verdict": "supported"})
    assert "25 chances as promised (largest difference 2.0e-08)" in run("verify", export)[1]


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        (lambda folder: (folder / "card.json").write_text("{}"), "card.json was changed"),
        (lambda folder: (folder / "MODEL_CARD.md").unlink(), "MODEL_CARD.md is missing"),
        (lambda folder: (folder / "SHA256SUMS").unlink(), "is not an export"),
        (lambda folder: folder.rename(folder.with_name("gone")), "mine is no folder"),
    ],
    ids=["changed", "missing", "no sums", "no folder"],
)
def test_an_export_that_does_not_hold_is_told_apart(run, export, change, rule):
    change(export)
    code, text, error = run("verify", export)
    assert code == 1
    assert text == ""
    assert error.startswith("tierwise: ")
    assert rule in error
    assert error.count("\n") == 1


@pytest.mark.parametrize("failure", [OSError("disk full"), PermissionError(13, "denied", "x.csv")])
def test_a_failure_of_the_machine_is_one_message(run, monkeypatch, failure):
    def fail(answers, replace):
        raise failure

    monkeypatch.setattr(adopt, "adopt", fail)
    code, _, text = run("adopt", "x.csv", "--name", "mine", "--outcome", "won")
    assert (code, text) == (1, f"tierwise: {failure}\n")


@pytest.mark.parametrize("failure", [ValueError("ours"), KeyError("ours"), TypeError("ours")])
def test_a_failure_of_ours_stays_a_traceback(monkeypatch, failure):
    def fail(answers, replace):
        raise failure

    monkeypatch.setattr(adopt, "adopt", fail)
    words = ["tierwise", "adopt", "x.csv", "--name", "mine", "--outcome", "won"]
    monkeypatch.setattr(sys, "argv", words)
    with pytest.raises(type(failure), match="ours"):
        cli.main()
