"""The world of the story: a simulated one as a table of one row per deal, its truth beside it."""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from tierwise import context, dataset, leakage, lifecycle, notebook, openness, snapshot
from tierwise import examples as ex
from tierwise.applications import leads
from tierwise.simulation import truth, world
from tierwise.simulation.settings import Settings

ROOT = Path(__file__).parents[1]
APPLICATION = "leads"
HORIZON_DAYS = 90  # few are won later
LOOK = 1  # the second one: by then a trial has begun
JUDGE_SHARE = 0.25


class Table(NamedTuple):
    """One world as rows in order of time, one per deal, all of length n_rows.

    examples: entity_id, as_of, outcome, outcome_known_at. features: float32 or text. chance: the
    true one. early, later: masks of the rows to learn from and to be judged on.
    """

    examples: pd.DataFrame
    features: pd.DataFrame
    chance: np.ndarray
    early: np.ndarray
    later: np.ndarray
    about: dict[str, Any]

    def outcome(self, rows: np.ndarray) -> np.ndarray:
        return self.examples.loc[rows, "outcome"].to_numpy(dtype=int)


def question() -> dict[str, Any]:
    """The question of the application, with the horizon of the story."""
    asked = notebook.read_section(ROOT, APPLICATION, "build_features")["question"]
    return asked | {"outcome_horizon_days": HORIZON_DAYS}


def simulated(seed: int, deals_count: int, folder: Path) -> Table:
    """A new world in `folder`, and its table."""
    settings = Settings(seed=seed, deals_count=deals_count)
    world.write(folder / "raw", settings, folder / "truth")
    snapshot.fetch(folder / "raw", folder / "tables")
    raw = leads.read(folder / "tables", question())
    examples, columns, _ = leads.build(raw, question())
    examples, columns = second_looks(examples, columns)
    edge = ex.edge_at(examples["as_of"], 1 - JUDGE_SHARE)
    early = ex.known_before(examples, edge)
    refused = leaks(raw, examples[early], columns[early])
    lives = truth.read(folder / "truth")
    about = {"seed": seed, "deals_count": deals_count, "refused": refused}
    about |= {"judged_from": ex.label(edge)} | closed(folder / "tables", edge)
    ready = prepared(examples, columns.drop(columns=refused), early)
    later = ~ex.known_before(examples, edge, "as_of").to_numpy()
    table = Table(examples, ready, true_chances(lives, examples), early.to_numpy(), later, about)
    return table._replace(about=about | counts(table))


def second_looks(
    examples: pd.DataFrame, columns: pd.DataFrame
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """One row per deal, so that long ones don't count more often than short ones."""
    chosen = examples.groupby("entity_id").cumcount() == LOOK
    return examples[chosen].reset_index(drop=True), columns[chosen].reset_index(drop=True)


def leaks(raw: dict[str, Any], examples: pd.DataFrame, columns: pd.DataFrame) -> list[str]:
    """Columns that the leak guard of the pipeline refuses, from early rows alone."""
    given = notebook.read_section(ROOT, APPLICATION, "build_features")
    dated, won = leads.dated(question()), examples["outcome"].to_numpy()
    whose, when = examples["entity_id"], examples["as_of"]
    audit = leakage.audit(columns, when, won, given["leak_guard"], whose, dated)
    opened = leads.open_rows(raw, question())
    audit = openness.compared(audit, examples, columns, opened, given["open_guard"], dated)
    audit = leakage.decide(audit, given["leave_out"], given["allow"])
    return list(audit.loc[audit["refused"], "column"])


def prepared(examples: pd.DataFrame, columns: pd.DataFrame, early: pd.Series) -> pd.DataFrame:
    """Columns as models take them, and what the times are like."""
    ready, _ = dataset.ready(columns, examples["as_of"], examples["entity_id"])
    ready = dataset.without_rare(ready, examples["entity_id"], early)
    known = (examples[name] for name in ("as_of", "outcome_known_at", "outcome"))
    return ready.join(context.columns(*known))


def true_chances(lives: pd.DataFrame, examples: pd.DataFrame) -> np.ndarray:
    """Shape (n_rows,). The few deals that are lost, reopened and won in 90 days are not in it."""
    who = examples["entity_id"].astype("int64").to_numpy()
    return truth.chances(lives, who, examples["as_of"].to_numpy("datetime64[us]"), HORIZON_DAYS)


def closed(tables: Path, edge: pd.Timestamp) -> dict[str, Any]:
    """How many deals stood as won or lost at the edge, and the share of the won ones."""
    parts = snapshot.parts(tables)
    changes = pd.concat([snapshot.read(part, "deal_changes") for part in parts], ignore_index=True)
    ids = changes["deal_id"].drop_duplicates()
    then = pd.Series(edge, ids.index).astype("datetime64[us]")
    code = lifecycle.standing(lifecycle.statuses(changes), ids, then)["code"]
    won, lost = int((code == lifecycle.WON).sum()), int((code == lifecycle.LOST).sum())
    return {"closed_count": won + lost, "closed_won_share": won / max(won + lost, 1)}


def counts(table: Table) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, rows in (("early", table.early), ("later", table.later)):
        won = table.outcome(rows)
        found |= {f"{name}_count": len(won), f"{name}_won_share": float(won.mean())}
    return found
