"""A file of orders becomes a section that runs to a page, or one message and nothing else."""

import re
import shutil
import sys
from pathlib import Path
from typing import NamedTuple

import pandas as pd
import pytest
from ruamel.yaml import YAML

from small_shop import shop
from tierwise import cli, files, index, notebook

REPOSITORY = Path(__file__).parents[1]
PARAMS = """# Every number an analyst may change.
applications: {}

account_spend: # of companies
  others: {source: "data/x"}   # the one that is there

# the end
"""
SAYS = ("--amount", "total", "--id", "customer", "--time", "ordered_at")
HORIZON = ("--horizon-days", "180")


class Result(NamedTuple):
    code: int
    out: str
    err: str


def laid_out(root):
    root.mkdir()
    (root / "params.yaml").write_text(PARAMS)
    (root / "dvc.yaml").write_text("stages: {}\n")
    shutil.copytree(REPOSITORY / "notebooks", root / "notebooks")
    return root


def called(patch, *words):
    """As a shell calls it: the exit code."""
    patch.setattr(sys, "argv", ["tierwise", *map(str, words)])
    with pytest.raises(SystemExit) as stop:
        cli.main()
    return stop.value.code


@pytest.fixture
def project(tmp_path, monkeypatch):
    root = laid_out(tmp_path / "project")
    monkeypatch.chdir(root)
    monkeypatch.setenv("COLUMNS", "80")
    return root


@pytest.fixture
def adopt(project, monkeypatch, capsys):
    """Adopt these orders; a refusal must leave every file as it was."""

    def call(content, *words, name="shop"):
        path = project / "orders.csv"
        if isinstance(content, pd.DataFrame):
            content.to_csv(path, index=False)
        before = contents(project)
        code = called(monkeypatch, "adopt", path, "--name", name, *words)
        printed = capsys.readouterr()
        if code:
            assert contents(project) == before
            assert "Traceback" not in printed.err
        return Result(code, printed.out, printed.err)

    return call


def contents(root):
    return {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}


def written(root):
    return YAML(typ="safe").load(root / "params.yaml")


def refusal(result):
    assert result.code == 1, result.out
    assert result.err.count("tierwise: ") == 1
    return " ".join(result.err.split("tierwise: ", 1)[1].split())


# The section


def test_the_section_says_which_column_is_which_and_no_other_byte_moves(adopt, project):
    result = adopt(shop(), *SAYS, *HORIZON, "--entity", "buyer")
    assert result.code == 0, result.err
    section = written(project)["account_spend"]["shop"]
    assert section == {
        "simulated": False,
        "source": "orders.csv",
        "question": {
            "entity": "buyer",
            "horizon_days": 180.0,
            "columns": {
                "account_id": "customer",
                "occurred_at": "ordered_at",
                "amount_eur": "total",
            },
            "text_format": {"encoding": "utf-8", "separator": ",", "decimal": "."},
            "missing_values": [],
            "day_first": None,
        },
        "origins_count": 3,
        "shown_count": 20,
    }
    before, after = PARAMS.split("\n# the end")
    text = (project / "params.yaml").read_text()
    assert text.startswith(before)
    assert text.endswith("\n# the end" + after)
    assert "1,641 order days of 120 buyers over 1,094 days; 3 mornings can be judged." in result.out
    assert "dvc repro account_spend@shop" in result.err


def test_the_notebook_asks_for_nothing_that_the_section_lacks(adopt, project):
    adopt(shop(), *SAYS, *HORIZON)
    given = {"application": "shop"} | notebook.read_section(project, "shop", "account_spend")
    path = project / "notebooks/account_spend.ipynb"
    assert set(given) == set(notebook.defined_names(notebook.read_notebook(path, {}), path))


def test_a_name_that_is_taken_needs_replace(adopt, project):
    message = refusal(adopt(shop(), *SAYS, *HORIZON, name="others"))
    assert "already has 'others' below `account_spend:`" in message
    assert "--replace" in message
    assert adopt(shop(), *SAYS, *HORIZON, "--replace", name="others").code == 0
    assert list(written(project)["account_spend"]) == ["others"]
    assert written(project)["account_spend"]["others"]["source"] == "orders.csv"


def test_spend_is_begun_where_params_have_none_of_it(adopt, project):
    (project / "params.yaml").write_text("applications: {}\n")
    assert adopt(shop(), *SAYS, *HORIZON).code == 0
    assert (project / "params.yaml").read_text().startswith("applications: {}\naccount_spend:\n")


# Refusals


@pytest.mark.parametrize(
    ("words", "rule"),
    [
        ((*SAYS, "--outcome", "total"), "either --outcome, for cases, or --amount, for orders"),
        (SAYS[2:], "either --outcome, for cases, or --amount, for orders"),
        ((*SAYS[:2], *SAYS[4:]), "--id and --time must name columns, too"),
        (SAYS[:4], "--id and --time must name columns, too"),
        (("--amount", "totl", *SAYS[2:]), "no column 'totl'; it has customer, ordered_at, total"),
        ((*SAYS[:2], "--id", "buyer", *SAYS[4:]), "no column 'buyer'; it has customer"),
        ((*SAYS[:4], "--time", "day"), "no column 'day'; it has customer"),
        ((*SAYS, "--horizon-days", "700"), "it takes 1.8 times as many. Lower horizon_days"),
        ((*SAYS[:4], "--time", "customer"), "Column 'customer': 1641 of 1641 values are no times"),
        (("--amount", "customer", *SAYS[2:]), "Column 'customer' must hold numbers"),
    ],
)
def test_what_cannot_be_asked_is_refused_and_nothing_is_written(adopt, words, rule):
    assert rule in refusal(adopt(shop(), *words))


@pytest.mark.parametrize("name", ["My Shop", "1st", "../up", ""])
def test_a_bad_name_is_refused(adopt, name):
    assert "must be lower-case letters" in refusal(adopt(shop(), *SAYS, name=name))


@pytest.mark.parametrize("column", ["customer", "ordered_at", "total"])
def test_an_order_without_whose_when_or_how_much_is_refused(adopt, column):
    table = shop()
    table.loc[7, column] = None
    assert "must not be missing" in refusal(adopt(table, *SAYS, *HORIZON))


def test_a_file_that_is_not_there_is_one_message(adopt):
    assert "orders.csv" in refusal(adopt(None, *SAYS))


@pytest.mark.parametrize("there", ["[one]", "3", "\n  - one", "one"])
def test_a_group_that_holds_no_names_is_refused(adopt, project, there):
    (project / "params.yaml").write_text(f"applications: {{}}\naccount_spend: {there}\n")
    assert "must hold `account_spend:`" in refusal(adopt(shop(), *SAYS, *HORIZON))


# From the file to the page


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A project in which a shop was adopted and its page made."""
    root = laid_out(tmp_path_factory.mktemp("spend") / "project")
    (root / "data").mkdir()
    orders = shop(400, seed=4)
    orders.loc[orders["customer"] == "c007", "customer"] = "<script>alert(1)</script>"
    orders.to_csv(root / "data/orders.csv", index=False)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        words = ("adopt", root / "data/orders.csv", "--name", "shop", *SAYS, *HORIZON)
        assert called(patch, *words) == 0
        patch.chdir(root)
        notebook.run("account_spend", "shop")
        index.write_index(root)
    return root, orders


def test_an_adopted_shop_runs_to_a_page_with_its_verdict(finished):
    root, orders = finished
    told = files.read_json(root / "metrics/shop/account_spend.json")
    page = (root / "reports/shop/account_spend.html").read_text(encoding="utf-8")
    assert told["accounts_count"] == orders["customer"].nunique()
    assert told["chosen"] == "mean"
    assert told["simulated"] is False
    assert told["sentence"] in page
    assert told["data_version"][:10] in page
    assert told["data_until"][:10] in page
    assert "simulated data" not in page
    assert not list((root / "logs").iterdir())


def test_the_list_of_an_adopted_shop_has_everybody_and_is_escaped_on_the_page(finished):
    root, orders = finished
    table = files.read_parquet(root / "models/shop/account_spend.parquet")
    assert sorted(table["account_id"]) == sorted(orders["customer"].unique())
    assert table["expected_eur"].is_monotonic_decreasing
    page = (root / "reports/shop/account_spend.html").read_text(encoding="utf-8")
    assert "<script>alert(1)" not in page
    assert table["what_is_known"].iloc[0] in page


def test_the_first_page_links_the_adopted_shop(finished):
    root, _ = finished
    page = (root / "reports/index.html").read_text(encoding="utf-8")
    assert 'href="shop/account_spend.html"' in page
    assert files.read_json(root / "metrics/shop/account_spend.json")["sentence"] in page
    assert re.search(r'id="others-companies">.*?Not run yet', page, re.DOTALL)
