"""How well learners rank and how true their chances are, side by side on the same folds.

    python benchmarks/quality.py                                   everything: many hours
    python benchmarks/quality.py --data bank_calls --models tierwise,lightgbm
    python benchmarks/quality.py --protocol bank_roll500 --models tierwise --reuse
    python benchmarks/quality.py --data leads.csv --outcome converted --time created_at

Public tables are looked for in the folder named by TIERWISE_REAL_DATA; what is missing is left
out with its reason. Results go into quality.json, quality.md, quality.svg and quality.png beside
those that are there; chances of every judged row go to benchmarks/predictions, where --reuse
finds them. See benchmarks/README.md, quality_measures.py and learners/ for what is compared.
"""

import argparse
import signal
import sys
import tempfile
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

import numpy as np  # noqa: E402
import quality_protocols  # noqa: E402
from learners import LEARNERS, OURS  # noqa: E402
from quality_data import (  # noqa: E402
    PLANS,
    TABLES,
    adopted,
    application,
    judged_counts,
    plans_of,
)
from quality_measures import MEASURES, measures  # noqa: E402
from quality_predictions import Prediction, Store, run  # noqa: E402
from quality_protocols import Protocol  # noqa: E402
from quality_report import Row, merged, read, with_ratios, write_report  # noqa: E402
from quality_splits import Table  # noqa: E402
from quality_versus import versus_best_peer  # noqa: E402

from tierwise.adopt import Answers  # noqa: E402
from tierwise.files import InputError, plain  # noqa: E402

DIGITS = 5
NOT_ASKED = "not run on this protocol so far"
TOO_SHORT = "the last 30 % are fewer than 500 rows: a single fit, which the protocol time has"
EMPTY = dict.fromkeys(
    [
        *MEASURES,
        *("fit_cpu_s", "predict_cpu_s", "fit_cpu_ratio", "predict_cpu_ratio"),
        *("fits_count", "rows_count", "wins_count"),
        "versus_best_peer",
    ]
) | {"way": ""}


def row_of(data: str, protocol: str, model: str, left_out: str = "", **figures: Any) -> Row:
    about = {"data": data, "protocol": protocol, "model": model}
    return plain({**about, **EMPTY, **figures, "left_out": left_out}, DIGITS)


def judged(protocol: Protocol, model: str, found: Prediction) -> Row:
    """All figures but the comparison, which needs the other models."""
    rows_count, wins_count = judged_counts(protocol)
    return row_of(
        protocol.data,
        protocol.name,
        model,
        **measures(protocol, found.chances),
        fit_cpu_s=found.fit_cpu_s,
        predict_cpu_s=found.predict_cpu_s or None,  # 0: not measured apart
        way=found.way,
        fits_count=len(protocol.folds),
        rows_count=rows_count,
        wins_count=wins_count,
    )


def ask(
    protocol: Protocol, model: str, folder: Path, store: Store, given: argparse.Namespace
) -> Row:
    """Measure one model: from the store with --reuse, else after a run of it."""
    found = store.read(protocol, model) if given.reuse else None
    reason = "" if found or given.any_number_of_fits else too_dear(protocol, model)
    if not found and not reason:
        found, reason = run(model, folder, given.limit_minutes * 60)
        if found and not is_sound(found.chances, len(protocol.judged)):
            found, reason = None, "gave no chance between 0 and 1 for some row"
        if found:
            store.write(protocol, model, found)
            found = store.read(protocol, model)
    row = judged(protocol, model, found) if found else left_out(protocol, model, reason)
    print(told(row), flush=True)
    return row


def too_dear(protocol: Protocol, model: str) -> str:
    """Why a learner can't be asked for so many fits; "" where it can."""
    count, most = len(protocol.folds), LEARNERS[model].most_fits
    return f"needs {count} fits, and {most} are what it can afford" if count > most else ""


def never_asked(protocol: Protocol, rows: list[Row]) -> list[Row]:
    """A row with the reason for each learner that has none on one of our protocols."""
    if protocol.name not in PLANS:
        return []
    known = {row["model"] for row in rows if row["protocol"] == protocol.name}
    absent = [model for model in LEARNERS if model not in known]
    return [left_out(protocol, model, too_dear(protocol, model) or NOT_ASKED) for model in absent]


def is_sound(chances: np.ndarray, count: int) -> bool:
    return len(chances) == count and bool(((chances >= 0) & (chances <= 1)).all())


def left_out(protocol: Protocol, model: str, reason: str) -> Row:
    return row_of(protocol.data, protocol.name, model, reason)


def told(row: Row) -> str:
    head = f"{row['protocol']:20} {row['model']:24}"
    if row["left_out"]:
        return f"{head} left out: {row['left_out']}"
    names = ("auc", "auc_in_block", "log_loss", "ece", "f1", "fit_cpu_s")
    return f"{head} {'  '.join(f'{name} {row[name]:.4g}' for name in names)}"


def compare(protocol: Protocol, rows: list[Row], store: Store, before: list[Row]) -> None:
    """Put the comparison into our row; peers are those whose chances are in the store.

    before: what was written at the last run. A comparison with more peers than the store holds
    now stays if our figures are what they were.
    """
    own = [row for row in rows if row["protocol"] == protocol.name and not row["left_out"]]
    chances = {row["model"]: store.read(protocol, row["model"]) for row in own}
    peers = {name: found.chances for name, found in chances.items() if found and name != OURS}
    ours = chances.get(OURS)
    if ours is None:
        return
    row = next(row for row in own if row["model"] == OURS)
    kept = still_true(row, before)
    if kept and kept["peers_count"] > len(peers):
        row["versus_best_peer"] = kept
    elif peers:
        row["versus_best_peer"] = plain(versus_best_peer(protocol, ours.chances, peers), DIGITS)


def still_true(row: Row, before: list[Row]) -> dict[str, Any] | None:
    """The comparison that a row of the same figures had."""
    for old in before:
        if all(old[name] == row[name] for name in ("protocol", "model", *MEASURES)):
            return old["versus_best_peer"]
    return None


def run_protocol(protocol: Protocol, given: argparse.Namespace) -> None:
    store = Store(given.predictions)
    with tempfile.TemporaryDirectory(prefix="quality.") as folder:
        quality_protocols.save(protocol, Path(folder))
        found = [ask(protocol, model, Path(folder), store, given) for model in given.models]
    before = read(given.results)
    rows = merged(before, found)
    rows += never_asked(protocol, rows)
    compare(protocol, rows, store, before)
    write_report(in_order(with_ratios(rows)), given.results)


def in_order(rows: list[Row]) -> list[Row]:
    """As protocols and learners are listed, tables of one's own last."""
    protocols, models = list(PLANS), list(LEARNERS)
    own = len(protocols)

    def place(row: Row) -> tuple[int, str, int]:
        name = row["protocol"]
        at = protocols.index(name) if name in protocols else own
        return at, name, models.index(row["model"])

    return sorted(rows, key=place)


def run_data(data: str, table: Table | str, given: argparse.Namespace) -> None:
    """All chosen protocols of a table, or the reason for which there is none."""
    plans = plans_of(data)
    chosen = {n: p for n, p in plans.items() if not given.protocol or n in given.protocol}
    if not chosen:
        raise InputError(
            f"--protocol {given.protocol[0]!r} is none of {data}: there is {', '.join(plans)}"
        )
    for name, plan in chosen.items():
        if isinstance(table, str):
            nothing(data, name, table, given)
            continue
        protocol = plan.build(name, table)
        if name not in PLANS and is_rolled_once(protocol):
            nothing(data, name, TOO_SHORT, given)
        else:
            run_protocol(protocol, given)


def is_rolled_once(protocol: Protocol) -> bool:
    """Would refits every so many rows be a single one, as on the protocol `time`?"""
    return protocol.name.endswith("_roll500") and len(protocol.folds) < 2


def nothing(data: str, name: str, reason: str, given: argparse.Namespace) -> None:
    rows = [row_of(data, name, model, reason) for model in given.models]
    print(f"{name:20} left out: {reason}", flush=True)
    write_report(in_order(merged(read(given.results), rows)), given.results)


def table_of(data: str, given: argparse.Namespace) -> tuple[str, Table | str]:
    """A name and its table, or why there is none. Raises InputError for what can't be read."""
    if Path(data).suffix and Path(data).is_file():
        if not given.outcome:
            raise InputError(f"{data} needs --outcome COLUMN, the column that says how it ended.")
        name = Path(data).name.split(".")[0]
        if name in TABLES:
            raise InputError(
                f"{data} would take the place of our own data set {name!r}: give it another name."
            )
        return name, adopted(
            Answers(Path(data), name, given.outcome, given.id, given.time, won=given.won)
        )
    if data not in TABLES:
        return data, application(data)
    try:
        return data, TABLES[data]()
    except InputError as error:
        return data, str(error)


def parser() -> argparse.ArgumentParser:
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = options.add_argument
    add("--data", action="append", default=[], help=f"{', '.join(TABLES)}, a section or a file")
    add("--protocol", action="append", default=[], help=", ".join(PLANS))
    add("--models", action="append", default=[], help=", ".join(LEARNERS))
    add("--reuse", action="store_true", help="take chances that are in the folder of predictions")
    add("--limit-minutes", type=float, default=60, help="stop a model on a protocol after it (60)")
    add("--any-number-of-fits", action="store_true", help="also what a search cannot afford")
    add("--outcome", help="of a file: the column that says how each case ended")
    add("--won", action="append", default=[], help="of a file: the outcome that counts as won")
    add("--time", help="of a file: the moment of decision (default: the order of the rows)")
    add("--id", help="of a file: the column that names each case")
    add("--results", type=Path, default=HERE / "results", help="where results go")
    add("--predictions", type=Path, default=HERE / "predictions", help="where chances go")
    return options


def chosen(values: list[str]) -> list[str]:
    return list(dict.fromkeys(name for value in values for name in value.split(",") if name))


def checked(given: argparse.Namespace) -> argparse.Namespace:
    """Lists without commas, the default for what was not said. Raises InputError."""
    given.protocol, given.models = chosen(given.protocol), chosen(given.models) or list(LEARNERS)
    of_protocols = [PLANS[name].data for name in given.protocol if name in PLANS]
    given.data = chosen(given.data) or list(dict.fromkeys(of_protocols)) or list(TABLES)
    own = any(data not in TABLES for data in given.data)
    for role, names, all_names in (
        ("models", given.models, LEARNERS),
        ("protocol", [] if own else given.protocol, PLANS),
    ):
        unknown = [name for name in names if name not in all_names]
        if unknown:
            raise InputError(f"--{role} {unknown[0]!r} is unknown; there is {', '.join(all_names)}")
    return given


def main() -> None:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("quality: ended from outside"))
    try:
        given = checked(parser().parse_args())
        for data in given.data:
            run_data(*table_of(data, given), given)
    except InputError as error:
        sys.exit(f"quality: {error}")


if __name__ == "__main__":
    main()
