"""Files of strangers, from `adopt` to a verdict, without a line of Python for any of them.

Set TIERWISE_REAL_DATA to the folder that holds them (see each path below); it takes some minutes.
"""

import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

from tierwise import adopt, notebook
from tierwise.files import STEPS

ROOT = Path(__file__).parents[2]
DATA = os.environ.get("TIERWISE_REAL_DATA", "")
VERDICTS = {"supported", "not supported", "cannot rank"}

pytestmark = pytest.mark.skipif(
    not DATA, reason="TIERWISE_REAL_DATA does not name the folder with the strangers' tables"
)

# export_model is a page of tables, and after "cannot rank" it has no model.
FIGURES = [step for step in STEPS if step != "export_model"]


@dataclass(frozen=True)
class Stranger:
    """A file, what its owner would say on the command line, and what must come out."""

    name: str
    file: str
    outcome: str
    verdicts: frozenset[str]
    quarantined: tuple[str, ...] = ()
    id_column: str | None = None
    time: str | None = None


# What sales people type in as a lead moves on; none of it is there when the lead arrives.
TYPED_IN_LATER = (
    "Tags",
    "Lead Quality",
    "Lead Profile",
    "Asymmetrique Activity Index",
    "Asymmetrique Profile Index",
    "Asymmetrique Activity Score",
    "Asymmetrique Profile Score",
    "Last Activity",
    "Last Notable Activity",
)
SUPPORTED, CANNOT_RANK = frozenset({"supported"}), frozenset({"cannot rank"})
STRANGERS = [
    Stranger(
        "education", "xeducation/Leads.csv", "Converted", SUPPORTED, TYPED_IN_LATER,
        "Prospect ID", "Lead Number",
    ),
    # A made-up company whose wins depend on nothing that is known when a deal starts.
    Stranger(
        "pipeline", "maven_crm/sales_pipeline.csv", "deal_stage", CANNOT_RANK,
        ("close_value", "account"),
        "opportunity_id", "engage_date",
    ),
    Stranger("bank", "bank/bank-additional-full.csv", "y", frozenset(VERDICTS), ("duration",)),
    # PageValues is worked out from the sales themselves.
    Stranger(
        "shoppers", "online_shoppers/online_shoppers_intention.csv", "Revenue",
        frozenset(VERDICTS), ("PageValues",),
    ),
    Stranger("caravan", "coil2000/coil2000_ticdata.csv", "CARAVAN", SUPPORTED),
]  # fmt: skip


@dataclass(frozen=True)
class Run:
    """What a stranger's file came to."""

    stranger: Stranger
    root: Path

    def metrics(self, step):
        path = self.root / "metrics" / self.stranger.name / f"{step}.json"
        return json.loads(path.read_text(encoding="utf-8"))


@pytest.fixture(scope="module", params=STRANGERS, ids=lambda stranger: stranger.name)
def run(request, tmp_path_factory):
    stranger = request.param
    source = Path(DATA) / stranger.file
    if not source.is_file():
        pytest.skip(f"{source} is missing")
    root = tmp_path_factory.mktemp(stranger.name)
    shutil.copytree(ROOT / "notebooks", root / "notebooks", ignore=shutil.ignore_patterns(".*"))
    for name in ("dvc.yaml", "params.yaml"):
        shutil.copyfile(ROOT / name, root / name)
    answers = adopt.Answers(
        source, stranger.name, stranger.outcome, stranger.id_column, stranger.time
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        adopt.adopt(answers)
        for step in FIGURES:
            notebook.run(step, stranger.name)
        yield Run(stranger, root)


def test_verdict_is_what_the_data_deserve(run):
    found = run.metrics("validate_tiers")
    assert found["verdict"] in run.stranger.verdicts
    assert bool(found["tiers"]) == (found["verdict"] != "cannot rank")


def test_guard_refuses_what_was_filled_in_later_by_itself(run):
    by = {item["column"]: item["by"] for item in run.metrics("build_features")["quarantined"]}
    assert set(run.stranger.quarantined) <= set(by)
    assert set(by.values()) <= {"leak guard"}


def test_guard_leaves_enough_to_learn_from(run):
    """A guard that refused everything would pass every other test.

    The pipeline has four columns; its amount and its account are filled in when a deal closes.
    """
    found = run.metrics("build_features")
    assert len(found["columns"]) >= 2
    assert len(found["columns"]) >= len(found["quarantined"])


def test_tiers_fall_where_they_are_supported(run):
    found = run.metrics("validate_tiers")
    if found["verdict"] == "supported":
        rates = [tier["rate"] for tier in found["tiers"]]
        assert rates == sorted(rates, reverse=True)
        assert found["auc_interval"][0] > 0.5


def test_every_row_is_used_or_left_out_for_a_reason(run):
    found = run.metrics("build_features")
    lines = (Path(DATA) / run.stranger.file).read_bytes().splitlines()
    left_out = sum(item["rows_count"] for item in found["excluded"])
    assert found["rows_count"] + left_out == len(lines) - 1


def test_each_step_left_its_page(run):
    for step in FIGURES:
        page = run.root / "reports" / run.stranger.name / f"{step}.html"
        assert "<svg" in page.read_text(encoding="utf-8")
