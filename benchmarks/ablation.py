"""What each measure of our method against drift gives, and what it costs where nothing drifts.

    python benchmarks/ablation.py                                  seven protocols: hours
    python benchmarks/ablation.py --protocol bank_roll2500         minutes
    python benchmarks/ablation.py --protocol leads_clean,calls_roll --results /tmp/ablation

The method is the blend that quality.py calls tierwise, with the same defaults everywhere. One
thing at a time is taken away from it, on the same folds:
"""

import argparse
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

from ablation_report import merged, read, write_report  # noqa: E402
from ablation_variants import VARIANTS, WHOLE, Found, ablated, reasons  # noqa: E402
from quality import DIGITS, chosen, table_of  # noqa: E402
from quality_data import PLANS  # noqa: E402
from quality_measures import measures  # noqa: E402
from quality_predictions import Prediction, Store  # noqa: E402
from quality_protocols import Protocol  # noqa: E402
from quality_report import Row  # noqa: E402
from quality_versus import COMPARED, versus_best_peer  # noqa: E402

from tierwise.files import InputError, plain  # noqa: E402

DRIFTING = ["bank_roll2500", "bank_delay1000", "leads_clean_roll500", "calls_roll", "world_roll"]
WITHOUT_TIME = ["bank_rand", "leads_clean"]
FIGURES = ("auc", "auc_in_block", "log_loss", "ece")
GAINS = [f"{name}_gain{end}" for name in COMPARED for end in ("", "_interval")]
EMPTY = dict.fromkeys([*FIGURES, "cpu_s", *GAINS])
FROZEN = "a single fit stays frozen, and for that the method goes another way"
EPILOG = """
Gains are the whole method minus the variant: above 0 in AUC, and below 0 in log loss, the whole
method is better. Public tables are looked for in the folder named by TIERWISE_REAL_DATA; what is
missing is left out with its reason. ablation.json, ablation.md, ablation.svg and ablation.png are
written after each protocol, beside the protocols that are there; chances of every judged row go to
benchmarks/predictions, and --measure-again takes them from there. See benchmarks/README.md.
"""


def row_of(data: str, protocol: str, variant: str, left_out: str = "", **figures: Any) -> Row:
    about = {"data": data, "protocol": protocol, "variant": variant}
    return plain({**about, **EMPTY, **figures, "left_out": left_out}, DIGITS)


def judged(protocol: Protocol, variant: str, found: Found, whole: Found) -> Row:
    """All figures of a variant. The whole method gains nothing over itself."""
    all_figures = measures(protocol, found.chances)
    figures = {name: all_figures[name] for name in FIGURES}
    more = gains(protocol, whole, found) if variant != WHOLE else {}
    return row_of(protocol.data, protocol.name, variant, cpu_s=found.cpu_s, **figures, **more)


def gains(protocol: Protocol, whole: Found, found: Found) -> Row:
    """Whole minus variant with 95 % intervals, paired, as our method is set against peers."""
    versus = versus_best_peer(protocol, whole.chances, {"variant": found.chances})
    return {
        key: value
        for name in COMPARED
        for key, value in (
            (f"{name}_gain", versus[name]["delta"]),
            (f"{name}_gain_interval", versus[name]["interval"]),
        )
    }


def answers(protocol: Protocol, given: argparse.Namespace) -> Iterator[tuple[str, Found | str]]:
    """Each variant with its chances or why there are none, from a run of it or from the disk."""
    store = Store(given.predictions / "ablation")
    if given.measure_again:
        yield from stored(protocol, store)
        return
    for variant, found in ablated(protocol):
        if not isinstance(found, str):
            store.write(protocol, variant, Prediction(found.chances, found.cpu_s, 0.0))
        yield variant, found


def stored(protocol: Protocol, store: Store) -> Iterator[tuple[str, Found | str]]:
    """As `ablated`, from the disk. Raises InputError where a variant was not run."""
    for variant, why in reasons(protocol).items():
        kept = None if why else store.read(protocol, variant)
        if not why and kept is None:
            raise InputError(
                f"{store.folder / protocol.name} has no chances of {variant} on these rows: "
                "run without --measure-again"
            )
        yield variant, Found(kept.chances, kept.fit_cpu_s) if kept else why


def run_protocol(protocol: Protocol, given: argparse.Namespace) -> list[Row]:
    """A row per variant, told as soon as it is there."""
    rows: list[Row] = []
    whole: Found | None = None
    for variant, found in answers(protocol, given):
        if isinstance(found, str):
            rows.append(row_of(protocol.data, protocol.name, variant, found))
        else:
            whole = whole or found
            rows.append(judged(protocol, variant, found, whole))
        print(told(rows[-1]), flush=True)
    return rows


def told(row: Row) -> str:
    head = f"{row['protocol']:20} {row['variant']:17}"
    if row["left_out"]:
        return f"{head} left out: {row['left_out']}"
    return f"{head} {'  '.join(f'{name} {row[name]:.4g}' for name in (*FIGURES, 'cpu_s'))}"


def rows_of(name: str, given: argparse.Namespace) -> list[Row]:
    """All variants on a protocol, or the reason for which there is none of them."""
    plan = PLANS[name]
    _, table = table_of(plan.data, given)
    if isinstance(table, str):
        return nothing(plan.data, name, table)
    protocol = plan.build(name, table)
    if protocol.as_of is not None and len(protocol.folds) == 1:
        return nothing(plan.data, name, FROZEN)
    return run_protocol(protocol, given)


def nothing(data: str, protocol: str, reason: str) -> list[Row]:
    print(f"{protocol:20} left out: {reason}", flush=True)
    return [row_of(data, protocol, variant, reason) for variant in VARIANTS]


def in_order(rows: list[Row]) -> list[Row]:
    """With drift first, then without time, then all others."""
    names = list(dict.fromkeys([*DRIFTING, *WITHOUT_TIME, *PLANS]))
    variants = list(VARIANTS)
    return sorted(
        rows, key=lambda row: (names.index(row["protocol"]), variants.index(row["variant"]))
    )


def parser() -> argparse.ArgumentParser:
    listed = [f"    {name:20} minus {one.what}" for name, one in VARIANTS.items()]
    options = argparse.ArgumentParser(
        description="\n".join([__doc__ or "", *listed]),
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    default = ", ".join([*DRIFTING, *WITHOUT_TIME])
    options.add_argument(
        "--protocol", action="append", default=[], help=f"any of quality.py; default: {default}"
    )
    options.add_argument(
        "--measure-again", action="store_true", help="chances from the disk, no model is run"
    )
    options.add_argument(
        "--predictions", type=Path, default=HERE / "predictions", help="where chances go"
    )
    options.add_argument("--results", type=Path, default=HERE / "results", help="where results go")
    return options


def checked(given: argparse.Namespace) -> argparse.Namespace:
    """Protocols as a list, the default for none. Raises InputError for an unknown one."""
    given.protocol = chosen(given.protocol) or [*DRIFTING, *WITHOUT_TIME]
    unknown = [name for name in given.protocol if name not in PLANS]
    if unknown:
        raise InputError(f"--protocol {unknown[0]!r} is unknown; there is {', '.join(PLANS)}")
    return given


def main() -> None:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ablation: ended from outside"))
    try:
        given = checked(parser().parse_args())
        for name in given.protocol:
            rows = merged(read(given.results), rows_of(name, given))
            write_report(in_order(rows), given.results)
    except InputError as error:
        sys.exit(f"ablation: {error}")


if __name__ == "__main__":
    main()
