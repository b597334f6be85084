"""One full hour: every open row scored by the exported model, ranked, tiered and explained.

    export checked -> open rows of each partition -> columns checked against the card -> scores
    -> ranks over all rows -> tiers as the card gives them -> reasons of the first rows -> a batch

Columns come from the application and kernel that made the examples, so a row scored at an as-of
time has the columns it would have had in training. Memory is bounded by the largest partition and
by six numbers a row; reasons are given to so many rows from the top.
"""

import tempfile
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd

from tierwise import (
    context,
    contributions,
    dataset,
    engine,
    export,
    files,
    reasons,
    scoring,
    snapshot,
    thresholds,
    tiers,
    words,
)
from tierwise import examples as ex
from tierwise.companies import likeness
from tierwise.files import InputError

REASONS_COUNT = 3
TOLD = ["entity_id", "as_of", "owner_id", "last_touch_at", "value_eur"]
CHECKED_COUNT = 20_000  # rows of a partition that are looked at for strange values
LOOKS = ["as_of", "deal_id", "outcome_known_at", "outcome"]
EVERY = slice(None)
BATCH_COLUMNS = ["entity_id", "owner_id", "rank", "tier", "chance", "score"]


@dataclass(frozen=True)
class Scorer:
    """What an hour needs beside the tables.

    learned: rows that the model has learned from. version: of the data and of the export.
    """

    application: str
    module: ModuleType
    question: dict[str, Any]
    folder: Path
    card: dict[str, Any]
    built: dict[str, Any]
    learned: pd.DataFrame
    wordings: dict[str, words.Wording]
    version: str


def scorer(
    application: str, module: ModuleType, params: dict[str, Any], folder: Path | None = None
) -> Scorer:
    """A model, verified, and what it was made from.

    params: the application's section of params.yaml. folder: an export, if not the one that the
    pipeline made last. Raises InputError for an application whose rows are not open at an hour, an
    export that is damaged, one without a model, and one that reads columns which are gone.
    """
    if not hasattr(module, "at_hour"):
        raise InputError(
            f"'{application}' has no open rows to score every hour: its table is a file whose "
            "cases have ended. CRM tables, such as those of leads, have."
        )
    folder = files.exports_path(application) if folder is None else folder
    scoring.verify(folder)
    card = files.read_json(folder / "card.json")
    if not card["model"]:
        raise InputError(f"{folder} holds no model: {card['sentence']} Nothing was scored.")
    examples, features = dataset.load(application)
    past = ex.before_judging(examples).to_numpy()
    names = [column["name"] for column in card["columns"]]
    told = params["explain_scores"]
    said = words.dictionary(names, told["words"], told["families"])
    built = files.read_json(files.metrics_path(application, "build_features"))
    question = params["build_features"]["question"]
    gone = [name for name in names if name not in features]
    if gone:
        raise InputError(
            f"The model in {folder} reads {', '.join(gone[:3])}, which the features of "
            f"{application} don't have any more. Publish a newer model."
        )
    learned = features.loc[past, names]
    version = f"{card['data_version']}.{files.sha256(folder / 'SHA256SUMS')[:12]}"
    return Scorer(application, module, question, folder, card, built, learned, said, version)


def full_hour(instant: pd.Timestamp) -> pd.Timestamp:
    """The full hour that has begun, in UTC without a zone."""
    utc = instant.tz_convert("UTC").tz_localize(None) if instant.tzinfo else instant
    return utc.floor("h").as_unit("us")


def batch(
    scorer: Scorer,
    tables: Path,
    as_of: pd.Timestamp,
    *,
    explained_count: int = 100_000,
    new_columns: str = "refuse",
    workspace: Path | None = None,
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """All open rows of the hour, best first, and what was noted: data_until, rows_count, ...

    Columns: entity_id, owner_id (missing: nobody), rank (from 1), tier ("" where the card gives
    none), chance, score, last_touch_at, value_eur, expected_profit_eur of a contact (NaN where the
    card tells no money), reason_1 ... reason_3 ("" for none). Of equal scores the lower entity_id
    ranks first. tables: a snapshot. workspace: where columns lie meanwhile, if not beside the
    snapshot.
    """
    about = snapshot.about(tables)
    beside = workspace or tables.parent
    with tempfile.TemporaryDirectory(".partial", ".hour.", beside) as folder:
        task = partial(scorer.module.at_hour, question=scorer.question, as_of=as_of)
        paths = engine.over_parts(
            task, snapshot.parts(tables), Path(folder), scorer.question["engine"]
        )
        around = surroundings(scorer, tables, as_of)
        found = [scored(scorer, path, around, new_columns) for path in paths]
        ranked = rank(pd.concat([rows for rows, _ in found], ignore_index=True), scorer.card)
        refuse_strange(scorer, [check for _, check in found])
        told = explained(scorer, paths, around, ranked, explained_count)
    noted = {"data_until": about["data_until"], "rows_count": len(ranked)}
    return ranked.drop(columns=["part", "place"]).join(told), noted


def surroundings(scorer: Scorer, tables: Path, as_of: pd.Timestamp) -> dict[str, float]:
    """What the times are like at this hour, for a model that sees them; see context.py."""
    wanted = {column["name"] for column in scorer.card["columns"]} & set(context.NAMES)
    if not wanted:
        return {}
    parts = snapshot.parts(tables)
    looks = [scorer.module.history(part, scorer.question, as_of)[LOOKS] for part in parts]
    past = pd.concat(looks, ignore_index=True)
    past = past[ex.known_before(past, as_of, "as_of")].sort_values(["as_of", "deal_id"])
    now = past.tail(1).assign(as_of=as_of, outcome_known_at=pd.NaT, outcome=np.nan)
    rows = pd.concat([past, now], ignore_index=True)
    found = context.columns(rows["as_of"], rows["outcome_known_at"], rows["outcome"])
    return {name: float(found[name].iloc[-1]) for name in wanted & set(found)}


def with_times(columns: pd.DataFrame, around: dict[str, float]) -> pd.DataFrame:
    return columns.join(pd.DataFrame(around, index=columns.index)) if around else columns


def columns_of(
    scorer: Scorer,
    path: Path,
    around: dict[str, float],
    new_columns: str = "ignore",
    places: pd.Series | slice = EVERY,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Rows of one partition, or those in some places, and the model's columns for them."""
    rows = files.read_parquet(path).iloc[places]
    told, columns = rows[TOLD], rows.drop(columns=TOLD)
    if new_columns == "refuse":
        likeness.refuse_new(list(columns), scorer.built)
    priced = told.join(money(columns, scorer.card.get("contact", {})))
    return priced, likeness.prepared(with_times(columns, around), scorer.card)


def money(columns: pd.DataFrame, contact: dict[str, Any]) -> pd.DataFrame:
    """Value and cost of each row in euros, as params.yaml had them when the model was made.

    columns: of the application. contact: of the card; NaN where it is of an older version, which
    tells no money. A negative value is none: one deal that was entered wrongly stops no hour.
    """
    if "typical_eur" not in contact:
        return pd.DataFrame(np.nan, columns.index, thresholds.MONEY)
    named = [contact[name] for name in thresholds.MONEY if isinstance(contact[name], str)]
    known = columns[[name for name in columns if name in named]]
    known = known.assign(**known.select_dtypes("number").clip(lower=0))
    told = zip(thresholds.MONEY, thresholds.later_money(contact, known), strict=True)
    return pd.DataFrame(dict(told), index=columns.index)


def scored(
    scorer: Scorer, path: Path, around: dict[str, float], new_columns: str
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """What is told of each row, score, chance, part and place; and columns for a check."""
    told, columns = columns_of(scorer, path, around, new_columns)
    model = scoring.session(scorer.folder / "model.onnx")
    found = told.drop(columns=["as_of", *thresholds.MONEY]).join(scoring.score(model, columns))
    value, cost = (told[name] for name in thresholds.MONEY)
    found["expected_profit_eur"] = found["chance"] * value - cost
    found["part"], found["place"] = path.name, np.arange(len(found))
    step = max(1, len(columns) // CHECKED_COUNT)
    return found, columns.iloc[::step].copy()  # a view would keep all columns of every partition


def refuse_strange(scorer: Scorer, checked: list[pd.DataFrame]) -> None:
    rows = pd.concat(checked, ignore_index=True)
    likeness.refuse_strange(scorer.card, rows, scorer.learned)


def rank(rows: pd.DataFrame, card: dict[str, Any]) -> pd.DataFrame:
    """The rows with rank and tier, best first. Equals rank in the order of their number."""
    number = pd.to_numeric(rows["entity_id"], errors="coerce").to_numpy("float64")
    order = np.lexsort((rows["entity_id"].to_numpy(str), number, -rows["score"].to_numpy()))
    found = rows.iloc[order].reset_index(drop=True)
    found.insert(2, "rank", np.arange(1, len(found) + 1))
    found.insert(3, "tier", tier_of(found["score"].to_numpy(), card))
    return found[[*BATCH_COLUMNS, *[name for name in found if name not in BATCH_COLUMNS]]]


def tier_of(score: np.ndarray, card: dict[str, Any]) -> np.ndarray:
    """Tiers as the card gives them, best score first; "" where none were issued."""
    if not card["tiers_by"]:
        return np.full(len(score), "", dtype=object)
    one_list = np.zeros(len(score), dtype=int)
    shares, cuts = card["tier_shares"], card["tier_cuts_score"]
    return tiers.given(card["tiers_by"], score, one_list, cuts, shares).astype(object)


def explained(
    scorer: Scorer,
    paths: list[Path],
    around: dict[str, float],
    ranked: pd.DataFrame,
    explained_count: int,
) -> pd.DataFrame:
    """reason_1 ... reason_3 of the first so many ranks, "" elsewhere; index as of `ranked`."""
    content = (scorer.folder / "model.skops").read_bytes()
    model, calibrator = export.from_skops(content)
    found = pd.DataFrame("", ranked.index, [f"reason_{n}" for n in range(1, REASONS_COUNT + 1)])
    first = ranked.iloc[:explained_count]
    for path in paths:
        own = first[first["part"] == path.name]
        if own.empty:
            continue
        columns = columns_of(scorer, path, around, places=own["place"])[1].set_axis(own.index)
        base, parts = contributions.explain(model, columns, scorer.learned)
        _, parts = contributions.calibrated(base, parts, calibrator)
        top = reasons.top(parts, columns, scorer.wordings, REASONS_COUNT)
        found.loc[own.index] = reasons.listed(top, own.index, REASONS_COUNT)
    return found
