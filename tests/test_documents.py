"""What the documents say is there, is there; what the codebook counts, can be counted."""

import csv
import gzip
import hashlib
import re
from collections import Counter
from pathlib import Path

import pandas as pd
import pytest
import typer
from ruamel.yaml import YAML

from tierwise import __version__, adopt, adopt_spend, candidates, cli

ROOT = Path(__file__).parents[1]
DOCUMENTS = [
    ROOT / name
    for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md", "data/README.md")
]
CODEBOOK = ROOT / "data" / "README.md"
TABLE = ROOT / "data" / "raw" / "bank_calls.csv.gz"
MADE_BY_A_RUN = ("metrics", "models", "reports", "exports", "logs", ".venv", "dvc.lock")
IN_AN_EXPORT = (
    "card.json",
    "checks.json",
    "MODEL_CARD.md",
    "SHA256SUMS",
    "model.onnx",
    "model.skops",
)
HOURLY = ("data/scores/", "data/ingested/", "data/replayed/", "data/intake/")
NOT_OURS = (
    *(
        "data/crm.duckdb",
        "data/raw/crm.duckdb",
        "data/raw/product.duckdb",
        "data/raw/ad_clicks.csv",
    ),
    "virny/",
    "leads.csv",
    "orders.csv",
)  # a wheel that the data came in; examples of a user's files
EXTENSIONS = "md|py|yaml|yml|toml|lock|ipynb|csv|gz|json|html|css|txt|onnx|skops|cff"

each = pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))


def spoken_of(path):
    """Everything in a document that reads as a path: in backticks, in a code block or in a link."""
    text = re.sub(r"https?://\S+", "", path.read_text(encoding="utf-8"))
    parts = re.findall(r"`([^`\n]+)`", text) + re.findall(r"^ {4}(.+)$", text, re.MULTILINE)
    parts += re.findall(r"\]\(([^)#]+)\)", text)
    words = [word.strip("\"'(),;:") for part in parts for word in part.split()]
    named = [
        w for w in words if re.fullmatch(rf"[\w./@-]*[\w-]\.({EXTENSIONS})|[\w.-]+/[\w./-]*", w)
    ]
    return {word for word in named if "..." not in word}


def made_by_a_stage(path):
    """DVC names the folders and files of its stages in the .gitignore beside them."""
    ignored = path.parent / ".gitignore"
    return ignored.exists() and f"/{path.name}" in ignored.read_text().splitlines()


@each
def test_every_path_that_is_spoken_of_exists_or_is_made_by_a_run(path):
    for word in sorted(spoken_of(path)):
        if word.startswith(NOT_OURS) or word in IN_AN_EXPORT:
            continue
        if word.split("/")[0] in MADE_BY_A_RUN or word.startswith(HOURLY):
            continue
        if made_by_a_stage(ROOT / word):
            continue
        places = (ROOT / word, path.parent / word, ROOT / "src" / "tierwise" / word)
        assert any(place.exists() for place in places), word


def test_paths_are_found_in_each_way_of_writing_them():
    found = {path.name: spoken_of(path) for path in DOCUMENTS}
    assert {"reports/index.html", "src/tierwise/", ".ci/run", "params.yaml"} <= spoken_of(
        DOCUMENTS[0]
    )
    assert "src/tierwise/examples.py" in found["CONTRIBUTING.md"]
    assert "raw/bank_calls.csv.gz" in spoken_of(CODEBOOK)


def within(group):
    """All commands below a group, however deep; none below a command."""
    below = list(getattr(group, "commands", {}).values())
    return below + [one for command in below for one in within(command)]


@each
def test_every_command_that_is_spoken_of_exists(path):
    command = typer.main.get_command(cli.app)
    text = path.read_text(encoding="utf-8")
    for name, rest in re.findall(r"(?:`|^ {4})tierwise ([a-z_-]+)([^`\n#]*)", text, re.MULTILINE):
        assert name in command.commands, name
        found = command.commands[name]
        inside = [found, *within(found)]
        options = {option for one in inside for item in one.params for option in item.opts}
        assert set(re.findall(r"--[a-z-]+", rest)) - {"--help"} <= options


@each
def test_every_target_of_make_that_is_spoken_of_exists(path):
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z]+):(?!=)", makefile, re.MULTILINE))
    text = path.read_text(encoding="utf-8")
    assert set(re.findall(r"(?:`|^ {4})make ([a-z]+)", text, re.MULTILINE)) <= targets


@each
def test_every_parameter_that_is_spoken_of_exists(path):
    """`applications.bank_calls.select_threshold.cost_per_contact_eur` and the like."""
    params = YAML(typ="safe").load(ROOT / "params.yaml")
    for name in re.findall(r"\bapplications(?:\.\w+){2,}", path.read_text(encoding="utf-8")):
        value = params
        for part in name.split("."):
            assert part in value, name
            value = value[part]


@each
def test_no_document_holds_a_path_of_one_machine(path):
    assert not re.search(
        r"(^|[\s`(])(/home/|/Users/|/work/|[A-Z]:\\)", path.read_text(encoding="utf-8")
    )


def test_options_of_adopt_are_the_questions_it_asks():
    command = typer.main.get_command(cli.app).commands["adopt"]
    asked = {item.name for item in command.params} - {"replace"}
    of_orders = set(adopt_spend.Answers.__dataclass_fields__)
    assert asked == set(adopt.Answers.__dataclass_fields__) | of_orders
    assert {"amount", "horizon_days"} <= of_orders


def test_changelog_begins_with_the_version_of_the_package():
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert re.search(r"^## (\S+)", text, re.MULTILINE)[1] == __version__
    assert f'version = "{__version__}"' in (ROOT / "pyproject.toml").read_text(encoding="utf-8")


def test_readme_counts_the_candidates():
    words = {9: "nine", 10: "ten", 11: "eleven", 12: "twelve"}
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert f"{words[len(candidates.names([], pd.DataFrame()))]} candidates" in text


@pytest.fixture(scope="module")
def raw():
    """The bytes of the table, and its rows."""
    content = gzip.decompress(TABLE.read_bytes())
    return content, list(csv.DictReader(content.decode("utf-8").splitlines()))


@pytest.fixture(scope="module")
def codebook():
    """Its text, and column -> line of its table of columns."""
    text = CODEBOOK.read_text(encoding="utf-8")
    lines = re.findall(r"^\| `(\w+)` \|(.+)\|$", text, re.MULTILINE)
    assert len(lines) == len(dict(lines))
    return text, dict(lines)


def test_codebook_lists_exactly_the_columns_of_the_table(raw, codebook):
    assert list(codebook[1]) == list(raw[1][0])


def test_codebook_s_checksum_is_that_of_the_table(raw, codebook):
    digest = hashlib.sha256(raw[0]).hexdigest()
    assert set(re.findall(r"\b[0-9a-f]{64}\b", codebook[0])) == {digest}


def test_codebook_counts_what_is_in_the_table(raw, codebook):
    rows, text = raw[1], codebook[0]
    assert len(rows) == 40_004
    assert f"| rows | {len(rows):,} |" in text
    assert f"| columns | {len(rows[0]) - 1} and the outcome |" in text
    won = sum(row["y"] == "yes" for row in rows)
    assert (
        f"{won:,} of {len(rows):,} calls ended in a subscription ({won / len(rows):.1%}".replace(
            "%", " %"
        )
        in text
    )


def test_codebook_s_limits_are_measured(raw, codebook):
    """Calls and share of wins per year, counted anew from the order of months."""
    months = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
    calls, won, year, before = Counter(), Counter(), 2008, 0
    for row in raw[1]:
        month = months.index(row["month"])
        year, before = year + (month < before), month
        calls[year] += 1
        won[year] += row["y"] == "yes"
    assert list(calls) == [2008, 2009, 2010]
    for count in calls.values():
        assert f"{count:,}" in codebook[0]
    for year, count in won.items():
        assert f"{count / calls[year]:.1%} in {year}".replace("%", " %") in codebook[0]


def test_codebook_names_every_category_and_the_ends_of_every_number(raw, codebook):
    for name, line in codebook[1].items():
        values = {row[name] for row in raw[1]}
        if all(re.fullmatch(r"-?\d+", value) for value in values):
            numbers = sorted(int(value) for value in values)
            low = numbers[1] if name == "pdays" else numbers[0]  # -1 stands for "never"
            assert f"{low:,}" in line, name
            assert f"{numbers[-1]:,}" in line, name
        elif name != "month":  # `jan` to `dec`
            assert {f"`{value}`" for value in values} <= set(re.findall(r"`[^`]+`", line)), name


def test_columns_known_only_after_the_call_are_refused(codebook):
    """What the codebook calls "never used" is what params.yaml leaves out."""
    params = YAML(typ="safe").load(ROOT / "params.yaml")["applications"]["bank_calls"]
    never = {name for name, line in codebook[1].items() if "never used" in line}
    assert never == set(params["build_features"]["leave_out"])


def test_licence_and_authors_of_the_data_are_named_beside_them(codebook):
    licence = (TABLE.parent / "LICENSE-bank_calls.txt").read_text(encoding="utf-8")
    for text in (licence, codebook[0]):
        assert "Moro" in text
        assert "Attribution 4.0" in text
        assert "10.24432/C5K306" in text
