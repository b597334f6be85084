"""A learner for every size: honest at 200 rows, and no dearer than needed at 10 million.

    python benchmarks/sizes.py                                     everything: an hour or two, 9 GB
    python benchmarks/sizes.py --parts worlds --worlds 60
    python benchmarks/sizes.py --parts ladder --sizes 200 2000 20000
    python benchmarks/sizes.py --keep kept                         a run that stops can go on

Three questions, each a part:

    worlds    Many simulated worlds of 200 rows whose truth is known, through the same steps as in
              the pipeline. How often does a 95 % interval hold the truth: of the AUC inside
              periods, and of what a tier converts at? How often is "can rank" said, and how often
              where outcomes were shuffled and there is nothing?
    ladder    200 to 10 million simulated rows of 20 columns: processor seconds of a fit, memory
              that it needs above the table, AUC on 100,000 fresh rows. Beyond half a million rows
              older ones are sampled; once, a fit on all of 2 million stands beside it.
    refit     The blend fitted again on 10,000 closed deals, as a job that runs every hour would:
              under 20 seconds? Needs models/leads, so `dvc repro` first.

The true AUC of a world is that of its very fits: every period's model also scores fresh rows drawn
at the instants of that period, with their true chances in place of outcomes. So the target holds
neither the luck of the judged rows nor the choice of the best of several candidates, and what is
left between judged and true is luck, or the winner's curse.

Everything is simulated. Results are written at the end, each file as a whole: sizes.json,
sizes.md, sizes.png and sizes.svg; parts that were not run keep their figures.
"""

import argparse
import os
import sys
import time
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))
os.environ.setdefault("TQDM_DISABLE", "1")  # one bar per world would fill the screen

import joblib  # noqa: E402
import sizes_ladder  # noqa: E402
import sizes_worlds as worlds  # noqa: E402
from sizes_keep import Kept  # noqa: E402
from sizes_refit import ROWS_COUNT, refit  # noqa: E402
from sizes_report import read, write_report  # noqa: E402
from sizes_shares import summed  # noqa: E402

PARTS = ("worlds", "ladder", "refit")
WORLDS_COUNT, TOLD_EVERY = 200, 10
LEADS = HERE.parent / "models" / "leads"
Record = dict[str, Any]


def one_world(kind: str, seed: int) -> Record:
    """A record of `sizes_worlds.judged`, its fits one after the other in this process."""
    with joblib.parallel_config(backend="sequential"):
        return worlds.judged(worlds.simulated(kind, seed))


def run_worlds(count: int, workers_count: int, kept: Kept) -> dict[str, Any]:
    """Figures by kind of world, from `count` worlds each."""
    asked = [(kind, seed) for seed in range(count) for kind in worlds.KINDS]
    missing = [place for place in asked if not kept.find(*place)]
    started = time.monotonic()
    found = joblib.Parallel(n_jobs=workers_count, return_as="generator")(
        joblib.delayed(one_world)(*place) for place in missing
    )
    for number, record in enumerate(found, 1):
        kept.add(record)
        if number % TOLD_EVERY == 0 or number == len(missing):
            took = time.monotonic() - started
            print(f"worlds: {number} of {len(missing)}, {took:.0f} s", flush=True)
    records = [kept.rows[place] for place in asked]
    return {
        "rows_count": worlds.ROWS_COUNT,
        "fresh_count": worlds.FRESH_COUNT,
        "candidates": list(worlds.CANDIDATES),
        "kinds": {
            kind: summed([one for one in records if one["kind"] == kind]) for kind in worlds.KINDS
        },
    }


def run(given: argparse.Namespace) -> None:
    """The chosen parts; what was there of the others stays."""
    found = read(given.results) | {"simulated": True}

    def kept(name: str, key: tuple[str, ...]) -> Kept:
        return Kept(given.keep / f"{name}.jsonl" if given.keep else None, key)

    if "worlds" in given.parts:
        records = kept("worlds", worlds.KEY)
        found["worlds"] = run_worlds(given.worlds, given.workers, records)
    if "ladder" in given.parts:
        steps = kept("ladder", sizes_ladder.KEY)
        found["ladder"] = sizes_ladder.ladder(given.sizes, given.folder, steps)
    if "refit" in given.parts:
        found["hourly_refit"] = refit(given.leads, given.deals)
        print(f"refit: {found['hourly_refit']}", flush=True)
    write_report(found, given.results)


def parser() -> argparse.ArgumentParser:
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = options.add_argument
    sizes = list(sizes_ladder.SIZES)
    add("--parts", nargs="+", choices=PARTS, default=list(PARTS), help="which to run (all)")
    add("--worlds", type=int, default=WORLDS_COUNT, help=f"of each kind ({WORLDS_COUNT})")
    add("--workers", type=int, default=1, help="worlds at once (1)")
    add(
        "--sizes", type=int, nargs="+", default=sizes, help="rows of the ladder (200 to 10 million)"
    )
    add("--deals", type=int, default=ROWS_COUNT, help=f"closed deals of a refit ({ROWS_COUNT:,})")
    add(
        "--leads", type=Path, default=LEADS, help="folder with the features of deals (models/leads)"
    )
    add("--folder", type=Path, help="where the table is written and removed: 700 MB")
    add("--keep", type=Path, help="folder with what was measured already; it grows line by line")
    add("--results", type=Path, default=HERE / "results", help="where results go")
    return options


if __name__ == "__main__":
    run(parser().parse_args())
