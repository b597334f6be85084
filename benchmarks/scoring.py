"""What an hour costs: deals per processor second and memory, from a snapshot to call lists.

    python benchmarks/scoring.py                             everything with 1M and 10M deals: hours
    python benchmarks/scoring.py --parts model
    python benchmarks/scoring.py --parts hour --deals 1_000_000
    python benchmarks/scoring.py --keep kept                 a run that stops can go on
    python benchmarks/scoring.py --quick --results elsewhere

Three questions, each a part:

    model     Rows per processor second of our scoring, and of ONNX Runtime alone, the scikit-learn
              pipeline, XGBoost's inplace_predict and LightGBM, on the same rows and the same 500
              trees of depth 6; on the blend and on logistic regression where they can. One thread.
    hour      delivery.deliver as it stands, a snapshot in, batch.parquet and the ledger out, by
              stages. In one partition and in several, since memory is to follow the largest. Call
              lists up to --lists-most deals; beyond it they are left out, and the table says so.
    events    The same for 100,000 deals with 10 million product events, call lists included.

Every measure is a process of its own on one thread. Processor seconds come first: on a machine that
does other work, seconds say little. Ways of scoring take turns, and medians count.

Everything is simulated, see scoring_world.py. Results are written at the end, each file as a whole:
scoring.json, scoring.md, scoring.png and scoring.svg; parts that were not run keep their figures.
"""

import argparse
import json
import os
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

import numpy as np  # noqa: E402
import pandas as pd  # noqa: E402
import scoring_world as made  # noqa: E402
from measure import measured  # noqa: E402
from scoring_peers import BARE, LIGHTGBM, LIGHTGBM_FILE, OURS, PIPELINE, WAYS  # noqa: E402
from scoring_report import read, write_report  # noqa: E402
from scoring_world import BLEND, LOGISTIC, TREES  # noqa: E402
from sizes_keep import Kept  # noqa: E402

from tierwise import export, snapshot  # noqa: E402

PARTS = ("model", "hour", "events")
FEW_EVENTS = 10.0  # of the product, per deal; fewer leave what the models have learned from
ASKED = {TREES: WAYS, BLEND: (OURS, BARE, PIPELINE), LOGISTIC: (OURS, BARE, PIPELINE)}
NOT_MEASURED = {"treelite GTIL": "not installed", "tl2cgen": "not installed"}
QUICK = {"deals": [3_000], "rows": 2_000, "partition": 1_000, "rounds": 1, "world": 600}
QUICK |= {"explained": 50, "events_deals": 400, "lists_most": 0}
QUICK_TREES = {"n_estimators": 20, "max_depth": 3, "learning_rate": 0.1}
ALONE = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "TQDM_DISABLE": "1"}
Row = dict[str, Any]


class World:
    """The small world and its models, made when the first measure asks for them."""

    def __init__(self, folder: Path, deals_count: int, trees: Row) -> None:
        self.folder, self.deals_count, self.trees = folder, deals_count, trees

    def place(self) -> Path:
        """small/ and models/ lie there."""
        if not (self.folder / "models").exists():
            print("a small world, and models of it", flush=True)
            small = made.simulate(self.folder, self.deals_count)
            made.fit_models(self.folder, small, self.trees)
            fit_lightgbm(self.folder / "models" / TREES, 20_000, self.trees)
        return self.folder


class Case(NamedTuple):
    """One hour. events: of the product, per deal."""

    deals: int
    parts: int
    model: str
    events: float
    explained: int
    lists: bool


def child(script: str | Path, given: list[Any], limit_s: float) -> Row:
    """What a process says, its cpu_s and wall_s from start to end; left_out: why it failed."""
    command = [sys.executable, str(HERE / script), *map(str, given)]
    with tempfile.TemporaryFile("w+") as log:
        found = measured(command, os.environ | ALONE, log, limit_s)
        log.seek(0)
        said = log.read().strip().splitlines() or [""]
    left_out = found.pop("error")
    found.pop("peak_memory_mb")  # the kernel adds to a process what its parent had
    if left_out:
        return {"left_out": f"{left_out}: {said[-1][:200]}", **found}
    return found | json.loads(said[-1]) | {"left_out": ""}


# model only


def run_model(world: World, given: argparse.Namespace, kept: Kept) -> Row:
    """Figures by model and way: medians over rounds."""
    asked = [(model, way) for model, ways in ASKED.items() for way in ways]
    turns = [(*one, turn) for turn in range(given.rounds) for one in asked]
    missing = [one for one in turns if not kept.find(*one)]
    for model in dict.fromkeys(model for model, _, _ in missing):
        folder = world.place()
        learned = pd.read_parquet(folder / "models" / model / "learned.parquet")
        made.write_rows(folder / "rows" / model, learned, given.rows, given.partition)
    for number, (model, way, turn) in enumerate(missing, 1):
        row = one_way(world.place(), model, way, given.limit_minutes * 60)
        kept.add({"model": model, "way": way, "turn": turn} | row)
        print(f"model {number} of {len(missing)}: {told_way(model, way, row)}", flush=True)
    found = [
        summed(model, way, [kept.rows[model, way, turn] for turn in range(given.rounds)])
        for model, way in asked
    ]
    told = {"rounds": given.rounds, "trees": world.trees, "not_measured": NOT_MEASURED}
    return {"ways": found} | told


def one_way(folder: Path, model: str, way: str, limit_s: float) -> Row:
    """One round, and how far its scores are from those of the pipeline; None until it has run."""
    scores = folder / "rows" / model / f"{way}.npy"
    given = [folder / "models" / model, folder / "rows" / model, way, scores]
    found = child("scoring_peers.py", given, limit_s)
    ours = folder / "rows" / model / f"{OURS}.npy"
    if not found["left_out"] and way not in (OURS, LIGHTGBM) and ours.is_file():
        gap = np.abs(np.load(scores) - np.load(ours))
        found["largest_difference"] = float(gap.max())
    return found


def told_way(model: str, way: str, row: Row) -> str:
    if row["left_out"]:
        return f"{model}, {way}: {row['left_out']}"
    speed = row["rows_count"] / row["score_cpu_s"]
    return f"{model}, {way}: {speed:,.0f} rows per CPU s, {row['memory_mb']:.0f} MB above"


def summed(model: str, way: str, rounds: list[Row]) -> Row:
    done = [row for row in rounds if not row["left_out"]]
    if not done:
        return {"model": model, "way": way, "left_out": rounds[0]["left_out"]}
    found: Row = {"model": model, "way": way, "left_out": ""}
    found |= {name: done[0][name] for name in ("rows_count", "columns_count")}
    for name in ("score_cpu_s", "score_wall_s", "prepare_cpu_s", "memory_mb", "table_mb"):
        found[name] = statistics.median(row[name] for row in done)
    found["rows_per_cpu_s"] = found["rows_count"] / found["score_cpu_s"]
    prepared = found["score_cpu_s"] + found["prepare_cpu_s"]
    found["rows_per_cpu_s_prepared"] = found["rows_count"] / prepared
    gaps = [row["largest_difference"] for row in done if "largest_difference" in row]
    return found | ({"largest_difference": max(gaps)} if gaps else {})


def fit_lightgbm(folder: Path, rows: int, settings: Row) -> None:
    """As many trees as deep by LightGBM, on what the trees' pipeline makes of the same rows.

    It learns which rows our trees put first, since outcomes are not kept.
    """
    import lightgbm

    learned = pd.read_parquet(folder / "learned.parquet").head(rows)
    model, _ = export.from_skops((folder / "model.skops").read_bytes())
    values = model.parts[0][:-1].transform(learned)
    high = model.parts[0].predict_proba(learned)[:, 1]
    depth = settings["max_depth"]
    asked = {"num_leaves": 2**depth - 1, "max_depth": depth, "num_threads": 1, "verbose": -1}
    asked |= {"objective": "binary", "learning_rate": settings["learning_rate"], "max_bin": 63}
    table = lightgbm.Dataset(np.asarray(values), high > np.median(high))
    booster = lightgbm.train(asked, table, settings["n_estimators"])
    booster.save_model(folder / LIGHTGBM_FILE)


# whole hours


def cases(given: argparse.Namespace) -> list[Case]:
    """Hours with few events: each size in partitions, and the smallest in one, too."""
    found = []
    for deals in sorted(given.deals):
        parts = max(1, round(deals / given.partition))
        lists = deals <= given.lists_most
        found.append(Case(deals, parts, TREES, FEW_EVENTS, given.explained, lists))
    return [found[0], found[0]._replace(parts=1), *found[1:]]


def many_events(given: argparse.Namespace) -> list[Case]:
    """As `snapshot.fetch` would divide ten million rows: five partitions or so."""
    first = Case(given.events_deals, 5, TREES, 100.0, given.explained, True)
    return [first, first._replace(model=BLEND, lists=False)]


def run_hours(world: World, asked: list[Case], limit_s: float, kept: Kept) -> list[Row]:
    """A row for each case. A snapshot is made when the first case needs it, and removed after."""
    for what in dict.fromkeys((one.deals, one.parts, one.events) for one in asked):
        own = [one for one in asked if (one.deals, one.parts, one.events) == what]
        own = [one for one in own if not kept.find(*one)]
        if not own:
            continue
        folder = world.place()
        with tempfile.TemporaryDirectory(dir=folder, prefix="hour.") as place:
            counts = made_snapshot(folder / "small", Path(place) / "tables", *what)
            for one in own:
                row = kept.add(one._asdict() | counts | one_hour(folder, Path(place), one, limit_s))
                print(told_hour(row), flush=True)
    return [kept.rows[tuple(one)] for one in asked]


def made_snapshot(small: Path, place: Path, deals: int, parts: int, events: float) -> Row:
    print(f"hour: making a snapshot of {deals:,} deals in {parts} partitions", flush=True)
    rows = made.write_snapshot(
        place, made.open_only(small, events), snapshot.about(small), deals, parts
    )
    size = sum(path.stat().st_size for path in place.rglob("*.parquet")) / 1e6
    return {"table_rows": rows, "snapshot_mb": size}


def one_hour(folder: Path, place: Path, one: Case, limit_s: float) -> Row:
    with tempfile.TemporaryDirectory(dir=place, prefix="out.") as out:
        given = [folder / "models" / one.model, place / "tables", out, one.explained]
        return child("scoring_hour.py", [*given, int(one.lists)], limit_s)


def told_hour(row: Row) -> str:
    head = f"hour: {row['deals']:,} deals, {row['parts']} partitions, {row['model']}"
    if row["left_out"]:
        return f"{head}: {row['left_out']}"
    return f"{head}: CPU {row['cpu_s']:.0f} s, wall {row['wall_s']:.0f} s, {row['peak_mb']:.0f} MB"


def run(given: argparse.Namespace) -> None:
    """The chosen parts; what was there of the others stays."""
    found = read(given.results) | {"simulated": True, "events_rows": given.events_deals * 100}
    hour_key, way_key = Case._fields, ("model", "way", "turn")

    def kept(name: str, key: tuple[str, ...]) -> Kept:
        return Kept(given.keep / f"scoring_{name}.jsonl" if given.keep else None, key)

    with tempfile.TemporaryDirectory(dir=given.folder, prefix="scoring.") as name:
        world = World(Path(name), given.world, QUICK_TREES if given.quick else made.BIG)
        limit_s = given.limit_minutes * 60
        if "model" in given.parts:
            found["model"] = run_model(world, given, kept("ways", way_key))
        if "hour" in given.parts:
            asked = cases(given)
            found["hour"] = run_hours(world, asked, limit_s, kept("hours", hour_key))
        if "events" in given.parts:
            asked = many_events(given)
            found["events"] = run_hours(world, asked, limit_s, kept("hours", hour_key))
    write_report(found, given.results)


def parser() -> argparse.ArgumentParser:
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = options.add_argument
    sizes = [1_000_000, 10_000_000]
    add("--parts", nargs="+", choices=PARTS, default=list(PARTS), help="which to run (all)")
    add("--deals", type=int, nargs="+", default=sizes, help="open deals of an hour (1M and 10M)")
    add("--rows", type=int, default=1_000_000, help="rows that models score alone (1M)")
    add("--partition", type=int, default=100_000, help="rows or deals of a partition (100k)")
    add("--rounds", type=int, default=3, help="of each way to score, in turns (3)")
    add("--explained", type=int, default=10_000, help="deals with reasons (10k)")
    add("--lists-most", type=int, default=100_000, help="call lists up to so many deals (100k)")
    add("--events-deals", type=int, default=100_000, help="deals with 100 events each (100k)")
    add("--world", type=int, default=3_000, help="deals of the world that is repeated (3,000)")
    add("--limit-minutes", type=float, default=120, help="stop what takes longer (120)")
    add("--quick", action="store_true", help="small sizes, to see that everything runs")
    add("--folder", type=Path, help="where data are made and removed: 400 MB a million deals")
    add("--keep", type=Path, help="folder with what was measured already; it grows line by line")
    add("--results", type=Path, default=HERE / "results", help="where results go")
    return options


def chosen(arguments: list[str] | None = None) -> argparse.Namespace:
    """As asked; --quick brings sizes of its own."""
    given = parser().parse_args(arguments)
    if given.quick:
        vars(given).update(QUICK)
    return given


if __name__ == "__main__":
    run(chosen())
