"""A world of leadforge, a simulator that nobody here wrote, from its tables to a verdict.

    leads    its relational tables as those of our CRM (see leadforge_tables.py), all five steps
    luck     the same deals, won and lost by a die that looks at nothing
    flat     its own flat table of day 30, through `tierwise adopt`

Its easy difficulty promises a signal: who the lead is and what it does drive every daily chance.
"""

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from ruamel.yaml import YAML

pytest.importorskip("leadforge", reason="leadforge is not installed: uv sync --group peers")

import leadforge_tables as leadforge
from crm import write_parquet
from tierwise import (
    adopt,
    dataset,
    evaluation,
    files,
    leakage,
    notebook,
    ranking,
    rolling,
    scoring,
    selection,
)
from tierwise import examples as ex
from tierwise import snapshot as snapshots
from tierwise.applications import leads
from tierwise.crm import PROFILE
from tierwise.files import STEPS

ROOT = Path(__file__).parents[1]
SEED, LEADS_COUNT = 0, 600
QUESTION = {
    "entity": "open deal",
    "outcome_horizon_days": 30,
    "score_every_days": 14,
    "lookback_days": [30],
    "half_life_days": 7,
    "stages": leadforge.STAGES,
    "effort": leadforge.SESSIONS,
    "value": leadforge.OFFERS,
    "engine": "local",
}
LOUD = ["conversion_timestamp", "converted_within_90_days", "current_stage"]
# Too quiet for any guard: alone they rank no better than an honest column.
QUIET = ["is_sql", leadforge.TRAP]
# Missing until there was an opportunity, a contact, a call; in a flat file that would look like a leak.
RECKONED = ["value_last", "stage_last", "contact_recency_days", "call_done_recency_days"]
RECKONED += ["meeting_done_recency_days", "call_done_share_of_call"]


def section():
    """As params.yaml asks it of our own deals, in this world's words."""
    given = YAML(typ="safe").load(ROOT / "params.yaml")["applications"]["leads"]
    given["build_features"] |= {
        "simulated": True,
        "source": "data/tables/leads",
        "question": QUESTION,
        "leave_out": dict.fromkeys(QUIET, "counted when the lead's 90 days were over"),
    }
    given["compare_models"] |= {"rule_columns": [], "period_count": 3}
    return given


def fetched(tables, folder):
    """The snapshot of tables, as `dvc repro` makes it."""
    write_parquet(tables, folder / "raw")
    snapshots.fetch(folder / "raw", folder / "tables")
    return folder / "tables"


def built(folder):
    """Examples and columns of a snapshot."""
    return leads.build(leads.read(folder, QUESTION), QUESTION)[:2]


@pytest.fixture(scope="module")
def bundle():
    return leadforge.generate(SEED, "intro", LEADS_COUNT)


@pytest.fixture(scope="module")
def given(bundle):
    """table -> rows of our CRM."""
    return leadforge.tables(bundle)


@pytest.fixture(scope="module")
def project(bundle, given, tmp_path_factory):
    """A project of its own: all steps of `leads`, and what the guard says of `flat`."""
    root = tmp_path_factory.mktemp("leadforge")
    shutil.copytree(ROOT / "notebooks", root / "notebooks", ignore=shutil.ignore_patterns(".*"))
    shutil.copyfile(ROOT / "dvc.yaml", root / "dvc.yaml")
    YAML().dump({"applications": {"leads": section()}}, root / "params.yaml")
    write_parquet(given, root / "data/raw/leads")
    snapshots.fetch(root / "data/raw/leads", root / "data/tables/leads")
    leadforge.flat(bundle).to_csv(root / "data/flat.csv", index=False)
    table = adopt.Answers(
        file=Path("data/flat.csv"),
        name="flat",
        outcome=leadforge.OUTCOME,
        id_column="lead_id",
        time="decided_at",
        known="outcome_known_at",
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        adopt.adopt(table)
        notebook.run("build_features", "flat")
        for step in STEPS:
            notebook.run(step, "leads")
        yield root


def metrics(root, application, step):
    return files.read_json(root / "metrics" / application / f"{step}.json")


def refused(root, application):
    """column -> who refused it."""
    found = metrics(root, application, "build_features")["quarantined"]
    return {item["column"]: item["by"] for item in found}


# from its tables to ours


def test_every_lead_becomes_a_deal_that_ends(project, given):
    told = snapshots.about(project / "data/tables/leads")["tables"]
    assert told["deals"]["rows_count"] == LEADS_COUNT
    changes = given["deal_changes"]
    ends = changes[changes["field"] == "status"]
    assert sorted(ends["deal_id"]) == sorted(given["deals"]["deal_id"])
    assert ends["new_value"].value_counts().min() > 100
    filled = {name for name, table in told.items() if table["rows_count"]}
    assert set(told) - filled == {"job_posts", "ad_clicks"}


def test_every_row_is_used_or_left_out_for_a_reason(project):
    found = metrics(project, "leads", "build_features")
    left_out = {item["reason"]: item["rows_count"] for item in found["excluded"]}
    examples, _ = built(project / "data/tables/leads")
    assert found["rows_count"] + left_out["known too late for its span"] == len(examples)
    assert sum(span["rows_count"] for span in found["spans"]) == found["rows_count"]


# nothing from later on


def test_what_was_known_later_changes_no_feature(given, tmp_path):
    """Every row of every table that was known at one as-of time or later is deleted."""

    def rows_of(tables, name):
        folder = fetched(tables, tmp_path / name)
        until = pd.Timestamp(snapshots.about(folder)["data_until"])
        found = [leads.examine(part, QUESTION, until) for part in snapshots.parts(folder)]
        rows = pd.concat(found).set_index(["deal_id", "as_of"]).sort_index()
        return rows.drop(columns=["outcome", "outcome_known_at", "excluded"])

    before = rows_of(given, "all")
    times = before.index.get_level_values("as_of").sort_values()
    edge = times[len(times) // 2]
    earlier = {name: rows[rows["known_at"] < edge] for name, rows in given.items()}
    lost = [name for name, rows in given.items() if len(earlier[name]) < len(rows)]
    assert lost == ["deals", "deal_changes", "activities", "events"]
    after = rows_of(earlier, "earlier")
    assert len(after) > 0.9 * (times <= edge).sum()
    last = after.index.get_level_values("as_of").max()
    same = before[before.index.get_level_values("as_of") <= last]
    pd.testing.assert_frame_equal(after, same)


def test_loud_leaks_are_quarantined_by_the_guard_itself(project):
    by = refused(project, "leads")
    assert [column for column in by if by[column] == "leak guard"] == LOUD
    card = files.read_json(project / "exports/leads/card.json")
    assert {item["column"] for item in card["never_use"]} == {*LOUD, *QUIET}
    features = files.read_parquet(project / "models/leads/features.parquet")
    assert not set(features) & {*LOUD, *QUIET}


def test_quiet_leaks_need_somebody_who_knows_the_table(project):
    """The planted count of later touches ranks no better than honest columns: no guard can tell."""
    found = metrics(project, "leads", "build_features")["quarantined"]
    quiet = {item["column"]: item for item in found if item["column"] in QUIET}
    assert {item["by"] for item in quiet.values()} == {"params.yaml"}
    assert all(item["auc_in_period"] < 0.6 for item in quiet.values())


def test_no_honest_custom_field_is_refused(project):
    kept = {item["column"] for item in metrics(project, "leads", "build_features")["columns"]}
    honest = {
        "source",
        *leadforge.BANDS,
        *PROFILE["persons"],
        *PROFILE["organizations"],
    }
    assert honest <= kept
    assert {"contact_count", "opened_recency_days", "effort_count", *RECKONED} <= kept


def test_no_feature_reckoned_from_known_events_is_refused(project):
    """Undated, as in a flat file, the same columns would be."""
    examples, columns = built(project / "data/tables/leads")
    given = columns[RECKONED], examples["as_of"], examples["outcome"].to_numpy()
    dated = leakage.audit(*given, entity=examples["entity_id"], dated=leads.dated(QUESTION))
    undated = leakage.audit(*given, entity=examples["entity_id"])
    assert not set(dated.loc[dated["reason"] != "", "column"])
    assert set(undated.loc[undated["reason"] != "", "column"]) == set(RECKONED)


# a verdict that this world deserves


def test_later_leads_are_ranked_better_than_by_a_coin(project):
    found = metrics(project, "leads", "validate_tiers")
    assert found["verdict"] != "cannot rank"
    assert found["auc_interval"][0] > 0.6
    assert found["auc_in_weeks_interval"][0] > 0.6
    rates = {tier["name"]: tier["rate"] for tier in found["tiers"]}
    assert min(rates["A"], rates["B"]) > 2 * rates["C"]


def test_leads_are_ranked_where_their_age_alone_does_not_decide(project):
    """Beyond day 60 the end after 90 days cuts the horizon short, and a clock would rank."""
    features = files.read_parquet(project / "models/leads/features.parquet")
    rows = files.read_parquet(project / "models/leads/examples.parquet")
    asked = (rows["span"] == "judge") & features["opened_recency_days"].between(20, 60)
    session = scoring.session(project / "exports/leads/model.onnx")
    score = scoring.score(session, features[asked])["score"].to_numpy()
    assert asked.sum() > 200
    assert ranking.auc(rows.loc[asked, "outcome"].to_numpy(), score) > 0.6


def test_export_passes_its_own_check(project):
    found = scoring.verify(project / "exports/leads")
    assert found["verdict"] == metrics(project, "leads", "validate_tiers")["verdict"]


def by_a_die(tables):
    """The same deals; on every day each has the same small chance to be won, or lost."""
    random = np.random.default_rng(SEED)
    deals, changes = tables["deals"], tables["deal_changes"]
    days = random.exponential([200, 60], (len(deals), 2))  # until it is won, until it is lost
    thrown = leadforge.change(
        deals.assign(lead_id=deals["deal_id"].astype("str")),
        (deals["known_at"] + pd.to_timedelta(days.min(axis=1), "D")).dt.floor("D"),
        "status",
        pd.Series(np.where(days[:, 0] < days[:, 1], "won", "lost")),
    )
    found = pd.concat([changes[changes["field"] != "status"], thrown])
    return tables | {"deal_changes": found[found["known_at"] <= changes["known_at"].max()]}


def test_where_a_die_decides_nothing_can_be_ranked(given, tmp_path):
    """As `compare_models` decides it, with the candidates that are quick to fit."""
    examples, columns = built(fetched(by_a_die(given), tmp_path))
    assert 0.05 < examples["outcome"].mean() < 0.2
    features, _ = dataset.ready(columns.drop(columns=[*LOUD, *QUIET]), examples["as_of"])
    names = ["base_rate", "naive_bayes", "logistic_regression"]
    periods = ex.by_period(examples, 3, 0.4)
    won = examples["outcome"].to_numpy()
    table = rolling.origin(features, won, periods, names).table
    summary = evaluation.summary(table, evaluation.by_period(table, names, 0.2), names)
    chosen = selection.choose(selection.ranking(summary, 0.01, 0.05), 0.005)
    assert not selection.can_rank(summary, chosen, 0.01, 0.05)
    assert summary["auc"].between(0.4, 0.6).all()


# its flat table, as a stranger would bring it


def test_guard_finds_the_loud_leaks_of_the_flat_table_by_itself(project):
    """With this seed the planted count of later touches ranks with 0.80 alone, above the default
    limit of 0.78. Seeds 1 and 2 give 0.66 and 0.77: above any honest column, below the limit.

    The amount of an opportunity is honest. It is missing where there was none by day 30, and in a
    flat table nobody can tell that from a column filled in later.
    """
    by = refused(project, "flat")
    assert set(by.values()) == {"leak guard"}
    assert {"current_stage", leadforge.LOUD_TRAP} <= set(by)
    assert set(by) <= {"current_stage", leadforge.LOUD_TRAP, "opportunity_estimated_acv"}


def test_flat_table_keeps_its_honest_columns_and_its_quiet_leaks(project):
    kept = {item["column"] for item in metrics(project, "flat", "build_features")["columns"]}
    assert {"industry", "seniority", "lead_source", "activity_count", "touch_count"} <= kept
    assert set(QUIET) <= kept
