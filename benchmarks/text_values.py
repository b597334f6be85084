"""How should boosted trees see text values? Ours see indicators and ranks; here are other ways.

    python benchmarks/text_values.py                               six protocols: half an hour
    python benchmarks/text_values.py --protocol leads_clean --results elsewhere

The trees are the same for each way, those of the setting that sees ranks (see candidates.py), with
no row counting more than another. Number columns are the same, too:
"""

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

import numpy as np  # noqa: E402
import pandas as pd  # noqa: E402
from quality import DIGITS, chosen, table_of  # noqa: E402
from quality_data import PLANS  # noqa: E402
from quality_measures import measures  # noqa: E402
from quality_protocols import Protocol  # noqa: E402
from quality_report import Row, by_protocol, description  # noqa: E402
from quality_versus import versus_best_peer  # noqa: E402
from sklearn.model_selection import StratifiedKFold  # noqa: E402
from sklearn.preprocessing import TargetEncoder  # noqa: E402
from threadpoolctl import threadpool_limits  # noqa: E402
from tqdm import tqdm  # noqa: E402

from tierwise import candidates, preparation  # noqa: E402
from tierwise.files import InputError, plain, write_text  # noqa: E402

PROTOCOLS = ["leads_clean", "leads_clean_roll500", "shoppers_rand", "coil_official"]
PROTOCOLS += ["bank_rand", "bank_roll2500"]
FOLD_COUNT = 5
FIGURES = ("auc", "auc_in_block", "log_loss", "ece")
OURS = "indicators and ranks"
Encoded = tuple[pd.DataFrame, pd.DataFrame]  # of the known rows, of the judged ones


def numbers(known: pd.DataFrame, won: np.ndarray, rows: pd.DataFrame) -> Encoded:
    names = preparation.varying(known)
    return known[names], rows[names]


def fitted(coder: object, known: pd.DataFrame, rows: pd.DataFrame, prefix: str) -> Encoded:
    """Both through a transformer that needs no outcomes."""
    names = list(preparation.categories_of(known))
    parts = coder.fit_transform(known[names]), coder.transform(rows[names])
    one, other = (pd.DataFrame(part).add_prefix(prefix) for part in parts)
    return one.set_index(known.index), other.set_index(rows.index)


def indicators(known: pd.DataFrame, won: np.ndarray, rows: pd.DataFrame) -> Encoded:
    return fitted(preparation.one_hot(preparation.categories_of(known)), known, rows, "is_")


def ranks(known: pd.DataFrame, won: np.ndarray, rows: pd.DataFrame) -> Encoded:
    return fitted(preparation.ranked(preparation.categories_of(known)), known, rows, "rank_")


def target_encoded(known: pd.DataFrame, won: np.ndarray, rows: pd.DataFrame) -> Encoded:
    """The share of wins of each value, drawn to that of all; of known rows from four other fifths.

    Without that, a rare value would tell the outcome of its own row (Micci-Barreca 2001; cross
    fitting as scikit-learn has it).
    """
    names = list(preparation.categories_of(known))
    folds = StratifiedKFold(FOLD_COUNT, shuffle=True, random_state=candidates.SEED)
    coder = TargetEncoder(target_type="binary", cv=folds).set_output(transform="pandas")
    parts = coder.fit_transform(known[names], won), coder.transform(rows[names])
    return tuple(part.add_prefix("wins_") for part in parts)


def native(known: pd.DataFrame, won: np.ndarray, rows: pd.DataFrame) -> Encoded:
    """As categories of XGBoost, which parts them into two groups; values not listed are missing."""
    listed = preparation.categories_of(known)
    return tuple(
        pd.DataFrame(
            {
                f"native_{name}": pd.Categorical(
                    table[name].where(table[name].isin(values)), categories=values
                )
                for name, values in listed.items()
            },
            index=table.index,
        )
        for table in (known, rows)
    )


WAYS: dict[str, tuple[Callable[..., Encoded], ...]] = {
    OURS: (indicators, ranks),
    "indicators": (indicators,),
    "target encoding": (target_encoded,),
    "indicators, ranks and target encoding": (indicators, ranks, target_encoded),
    "native categories": (native,),
    "native categories and ranks": (ranks, native),
}


def forecast(way: str, protocol: Protocol) -> np.ndarray:
    """Chances of all judged rows, fold by fold."""
    parts = []
    for known, rows in tqdm(protocol.folds, desc=way, mininterval=2, leave=False):
        tables = protocol.columns.iloc[known], protocol.columns.iloc[rows]
        won = protocol.outcome[known].astype(float)
        encoded = [part(tables[0], won, tables[1]) for part in (numbers, *WAYS[way])]
        learned, judged = (pd.concat(side, axis=1) for side in zip(*encoded, strict=True))
        model = trees(tables[0], won, several=len(WAYS[way]) > 1).fit(learned, won)
        parts.append(model.predict_proba(judged)[:, 1])
    return np.concatenate(parts)


def trees(known: pd.DataFrame, won: np.ndarray, several: bool):
    """Those of the product, not fitted. several: with more columns a split sees fewer of them."""
    setting = {"depth": 5, "round_count": 120, **candidates.FREE}
    built = candidates.recent_boosting(known, won, **setting, ranks=several)
    return built[-1].set_params(enable_categorical=True)


def run_protocol(protocol: Protocol) -> list[Row]:
    """A row per way, told as soon as it is there; gains are ours minus the other way."""
    rows: list[Row] = []
    own = None
    for way in WAYS:
        with threadpool_limits(1):
            chances = forecast(way, protocol)
        own = chances if own is None else own
        found = measures(protocol, chances)
        row = {"data": protocol.data, "protocol": protocol.name, "way": way}
        row |= {name: found[name] for name in FIGURES}
        if way != OURS:
            versus = versus_best_peer(protocol, own, {way: chances})
            for name in ("auc_in_block", "log_loss"):
                gain = {"gain": versus[name]["delta"], "gain_interval": versus[name]["interval"]}
                row |= {f"{name}_{key}": value for key, value in gain.items()}
        rows.append(plain(row, DIGITS))
        print(f"{protocol.name:20} {way:38} {row['auc']:.4f} {row['log_loss']:.4f}", flush=True)
    return rows


def read(folder: Path) -> list[Row]:
    path = folder / "text_values.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else []


def write_report(rows: list[Row], folder: Path) -> None:
    text = json.dumps(rows, indent=1, ensure_ascii=False, allow_nan=False)
    write_text(folder / "text_values.json", text + "\n")
    lines = [HEAD, *(line for part in by_protocol(rows) for line in section(part))]
    write_text(folder / "text_values.md", "\n".join(lines).strip() + "\n")


HEAD = """# How trees see text values

Written by `python benchmarks/text_values.py`; text_values.json has all figures. The same trees and
number columns each time. Gains are indicators and ranks, which ours see, minus the other way, with
95 % intervals over 1,000 paired draws: above 0 in AUC, and below 0 in log loss, ours is better.
"""


def section(rows: list[Row]) -> list[str]:
    """Heading and table of one protocol."""
    name = rows[0]["protocol"]
    head = ["way", "AUC", "in block", "log loss", "ECE", "gain in block", "gain in log loss"]
    lines = [f"## {name}", "", description(name).strip(), ""]
    lines += [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    for row in rows:
        cells = [f"{row[name]:.4f}" for name in FIGURES]
        cells += [gain(row, name) for name in ("auc_in_block", "log_loss")]
        lines.append(f"| {row['way']} | {' | '.join(cells)} |")
    return [*lines, ""]


def gain(row: Row, name: str) -> str:
    if row["way"] == OURS:
        return "–"
    low, high = row[f"{name}_gain_interval"]
    return f"{row[f'{name}_gain']:+.4f} ({low:+.4f} to {high:+.4f})"


def parser() -> argparse.ArgumentParser:
    listed = [f"    {way}" for way in WAYS]
    options = argparse.ArgumentParser(
        description="\n".join([__doc__ or "", *listed]),
        epilog="Public tables are looked for in the folder named by TIERWISE_REAL_DATA.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    options.add_argument("--protocol", action="append", default=[], help="any of quality.py")
    options.add_argument("--results", type=Path, default=HERE / "results", help="where results go")
    return options


def in_order(rows: list[Row]) -> list[Row]:
    """As protocols are listed, others last; the ways of each as they were run."""
    places = {name: place for place, name in enumerate(PROTOCOLS)}
    return sorted(rows, key=lambda row: places.get(row["protocol"], len(places)))


def main() -> None:
    given = parser().parse_args()
    try:
        for name in chosen(given.protocol) or PROTOCOLS:
            if name not in PLANS:
                raise InputError(f"--protocol {name!r} is unknown; there is {', '.join(PLANS)}")
            _, table = table_of(PLANS[name].data, given)
            if isinstance(table, str):
                raise InputError(f"{name}: {table}")
            others = [row for row in read(given.results) if row["protocol"] != name]
            rows = run_protocol(PLANS[name].build(name, table))
            write_report(in_order([*others, *rows]), given.results)
    except InputError as error:
        sys.exit(f"text_values: {error}")


if __name__ == "__main__":
    main()
