"""Champion against challengers: what would recalibrating or refitting have gained?

    frozen          the champion: fitted once, before the first block
    recalibrated    its log-odds through a line (2 numbers) fitted on the last known outcomes
    refitted        the same recipe fitted anew before each block, on all that was known by then,
                    its chances corrected in the way the champion's were: by what earlier fits had
                    believed of rows that they had not seen

All three judge the same later rows block by block, and none uses an outcome that was not known
when its block began. The rule is fixed beforehand, see `decide`.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from tierwise import calibration, evaluation, models, rolling
from tierwise.examples import Period, label
from tierwise.ranking import auc

NAMES = ("frozen", "recalibrated", "refitted")
RECALIBRATE_ROWS = 1000
RECALIBRATE_MIN_COUNT = 50
BLOCKS_MIN_COUNT = 5
TOLERANCE = {"auc": 0.005, "log_loss": 0.001}
TITLES = {"auc_in_block": "AUC inside blocks", "log_loss": "log loss"}
MEASURES = ("auc_in_block", "auc_pooled", "log_loss", "calibration_error")
SHOWN = [
    "model",
    *(f"{name}{what}" for name in MEASURES[::2] for what in ("", "_gain", "_gain_interval")),
]
FORMATS = {name: "number" for name in SHOWN if name.endswith("interval")}

Predict = Callable[[pd.DataFrame], np.ndarray]
Fit = Callable[[pd.DataFrame, np.ndarray], Predict]


def history_share(span: pd.Series) -> float:
    """Share of the rows before the judged span: with it, `examples.by_period` begins there.

    span: of examples in ascending order of as_of.
    """
    return float(np.flatnonzero(span == "judge")[0] / len(span))


def recipe(compared: dict[str, Any]) -> Fit:
    """Fits the candidate that was chosen and hands back what gives its chances, uncorrected.

    compared: metrics of compare_models.
    """

    def fit(features: pd.DataFrame, outcome: np.ndarray) -> Predict:
        chosen, read = (compared["settings"], compared["blend"]), features[compared["columns"]]
        model = rolling.fit(compared["candidate"], read, outcome, *chosen)
        return partial(models.chance, model)

    return fit


def race(
    features: pd.DataFrame,
    outcome: np.ndarray,
    periods: list[Period],
    fit: Fit,
    champion: Predict | None = None,
    fitted: np.ndarray | None = None,
    recalibrate_rows: int = RECALIBRATE_ROWS,
    method: str = "none",
    unseen: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Chances of the three for every later row, in time order.

    periods: blocks of later rows and what was known when each began, see `examples.by_period`.
    champion: a fitted model, and `fitted` the positions of the rows it learned from; without
    them, `fit` on what was known when the first block began. It is recalibrated on outcomes that
    it did not learn from, and left as it is while fewer than 50 of these are known. method: the
    correction of calibration.py that each refit gets, fitted on what earlier fits had believed:
    `unseen` (row, score; rows before the first block) and earlier blocks. Columns:
    row, period, outcome, frozen, recalibrated, refitted.
    """
    first = periods[0].known
    fitted = first if fitted is None or champion is None else fitted
    champion = champion or fit(features.iloc[first], outcome[first])
    frozen = champion(features)
    believed = pd.Series(dtype=float)
    if unseen is not None:
        believed = unseen.drop_duplicates("row", keep="last").set_index("row")["score"]
    tables = []
    for number, period in enumerate(periods):
        known, rows = period.known, period.rows
        fresh = known[~np.isin(known, fitted)][-recalibrate_rows:]
        enough = len(fresh) >= RECALIBRATE_MIN_COUNT
        line = calibration.fit("sigmoid" if enough else "none", frozen[fresh], outcome[fresh])
        anew = fit(features.iloc[known], outcome[known])(features.iloc[rows])
        judged = known[np.isin(known, believed.index)]
        correction = calibration.fit(method, believed[judged].to_numpy(), outcome[judged])
        believed = pd.concat([believed, pd.Series(anew, index=rows)])
        found = {"row": rows, "period": number, "outcome": outcome[rows], "frozen": frozen[rows]}
        found["recalibrated"] = calibration.apply(line, frozen[rows]) if enough else frozen[rows]
        found["refitted"] = calibration.apply(correction, anew)
        tables.append(pd.DataFrame(found))
    return pd.concat(tables, ignore_index=True)


def by_block(table: pd.DataFrame, periods: list[Period]) -> pd.DataFrame:
    """A row per block and model: start, model, rows_count, rate, mean_chance, auc, log_loss, ...

    table: of `race`. The measures are those of `evaluation.measures`, inside the block.
    """
    names = list(NAMES)
    log = evaluation.by_period(table, names, contacted_share=0.2)
    log = log.rename(columns={"candidate": "model"})
    means = table.groupby("period")[names].mean()
    log["mean_chance"] = [means.loc[row.period, row.model] for row in log.itertuples()]
    log["rate"] = log["wins_count"] / log["rows_count"]
    log["start"] = log["period"].map(lambda number: label(periods[number].start))
    kept = ["start", "model", "rows_count", "wins_count", "weight", "rate", "mean_chance"]
    return log[["period", *kept, "auc", "log_loss", "calibration_error"]]


def overall(table: pd.DataFrame, against: str = "frozen") -> pd.DataFrame:
    """Each model over all blocks, with what it gains on another one.

    table: of `race`. Columns: model, then for each of auc_in_block (mean weighted by the rarer
    class), auc_pooled, log_loss and calibration_error its value, its gain on `against`
    (`_gain`, above 0 is better) and the gain's 95 % interval (`_gain_interval`), from a bootstrap
    over blocks, paired: every draw takes the same blocks for both (Efron and Tibshirani 1993).
    """
    blocks_count = table["period"].nunique()
    draws = evaluation.period_draws(blocks_count)
    values = {name: drawn(table, name, draws) for name in NAMES}
    rows = []
    for name in NAMES:
        row: dict[str, object] = {"model": name}
        for measure in MEASURES:
            gain = values[name][measure] - values[against][measure]
            gain = gain if measure.startswith("auc") else -gain
            row[measure] = float(values[name][measure][0])
            row[f"{measure}_gain"] = float(gain[0])
            most = evaluation.WORST_LOSS if measure == "log_loss" else 1.0
            row[f"{measure}_gain_interval"] = evaluation.interval(gain, blocks_count, -most, most)
        rows.append(row)
    return pd.DataFrame(rows)


def drawn(table: pd.DataFrame, name: str, draws: np.ndarray) -> dict[str, np.ndarray]:
    """The measures of one model for each draw of blocks, each of shape (n_draws,).

    draws: numbers of blocks, shape (n_draws, n_blocks). A pooled AUC is the share of pairs of a win
    and a loss in the right order, so it follows from the counts of such pairs within and between
    blocks; a calibration error, from the sums of chance minus outcome per block in the ten bins
    of all rows.
    """
    groups = [rows for _, rows in table.groupby("period", sort=True)]
    outcome = [rows["outcome"].to_numpy() for rows in groups]
    chance = [rows[name].to_numpy() for rows in groups]
    size = np.array([len(rows) for rows in groups], dtype=float)
    wins = np.array([won.sum() for won in outcome])
    rarer = np.minimum(wins, size - wins)
    inside = np.array([auc(won, p) for won, p in zip(outcome, chance, strict=True)])
    times = np.array([np.bincount(draw, minlength=len(groups)) for draw in draws], dtype=float)
    pairs = ordered_pairs(outcome, chance)
    right = np.einsum("di,ij,dj->d", times, pairs, times)
    all_pairs = (times @ wins) * (times @ (size - wins))
    loss = np.array([log_loss_sum(won, p) for won, p in zip(outcome, chance, strict=True)])
    errors = bin_errors(table, name)
    return {
        "auc_in_block": ratio(times @ (rarer * inside), times @ rarer, 0.5),
        "auc_pooled": ratio(right, all_pairs, 0.5),
        "log_loss": (times @ loss) / (times @ size),
        "calibration_error": np.abs(times @ errors).sum(axis=1) / (times @ size),
    }


def ratio(top: np.ndarray, bottom: np.ndarray, otherwise: float) -> np.ndarray:
    return np.divide(top, bottom, out=np.full(len(top), otherwise), where=bottom > 0)


def ordered_pairs(outcome: list[np.ndarray], chance: list[np.ndarray]) -> np.ndarray:
    """Pairs of a win in block i above a loss in block j, ties as half, shape (blocks, blocks)."""
    pairs = np.zeros((len(outcome), len(outcome)))
    for j, (lost, below) in enumerate(zip(outcome, chance, strict=True)):
        losses = np.sort(below[lost == 0])
        for i, (won, p) in enumerate(zip(outcome, chance, strict=True)):
            above = p[won == 1]
            sides = [np.searchsorted(losses, above, side).sum() for side in ("left", "right")]
            pairs[i, j] = sum(sides) / 2
    return pairs


def log_loss_sum(outcome: np.ndarray, chance: np.ndarray) -> float:
    """Minus the sum of the log of the chance given to what happened."""
    floor = evaluation.CHANCE_FLOOR
    p = np.clip(chance, floor, 1 - floor)
    return float(-np.log(np.where(outcome == 1, p, 1 - p)).sum())


def bin_errors(table: pd.DataFrame, name: str) -> np.ndarray:
    """Sum of chance minus outcome per block and bin, shape (blocks, bins).

    Bins of equal count and equal chances as in `evaluation.reliability`, so that the error of
    all blocks is that of `evaluation.calibration_error`.
    """
    chance = table[name].to_numpy()
    shared = table["outcome"].astype(float).groupby(chance).transform("mean").to_numpy()
    number = np.empty(len(chance), dtype=int)
    order = np.argsort(chance, kind="stable")
    for bin_number, rows in enumerate(np.array_split(order, evaluation.BIN_COUNT)):
        number[rows] = bin_number
    block = pd.factorize(table["period"], sort=True)[0]
    errors = np.zeros((block.max() + 1, evaluation.BIN_COUNT))
    np.add.at(errors, (block, number), chance - shared)
    return errors


def decide(table: pd.DataFrame, tolerance: dict[str, float] = TOLERANCE) -> tuple[str, str]:
    """(keep | recalibrate | refit | too early to say, a sentence), by a rule fixed beforehand.

    A gain counts if it is at least the tolerance (auc inside blocks, log_loss) and its 95 %
    interval lies above 0. Refit where refitting ranks better inside blocks than the champion, or
    loses less than recalibrating does; else recalibrate where that loses less than the champion;
    else keep. Below five blocks a bootstrap over blocks says too little.
    """
    if table["period"].nunique() < BLOCKS_MIN_COUNT:
        return "too early to say", f"Fewer than {BLOCKS_MIN_COUNT} blocks of later rows: wait."
    on_frozen = overall(table).set_index("model")
    on_line = overall(table, "recalibrated").set_index("model")
    least_auc, least_loss = tolerance["auc"], tolerance["log_loss"]
    if counts(on_frozen.loc["refitted"], "auc_in_block", least_auc):
        gain = told(on_frozen.loc["refitted"], "auc_in_block")
        return "refit", f"Refit: a refitted model ranks better than the frozen one, {gain}."
    if counts(on_line.loc["refitted"], "log_loss", least_loss) and counts(
        on_frozen.loc["refitted"], "log_loss", least_loss
    ):
        gain = told(on_line.loc["refitted"], "log_loss")
        return "refit", f"Refit: its chances beat those of recalibrating, {gain}."
    if counts(on_frozen.loc["recalibrated"], "log_loss", least_loss):
        gain = told(on_frozen.loc["recalibrated"], "log_loss")
        return "recalibrate", (
            f"Recalibrate: the order holds and the level does not, {gain}. "
            "What refitting would add is too little, or can't be told from chance."
        )
    return "keep", f"Keep the frozen model: {why_kept(on_frozen, tolerance)}."


def why_kept(on_frozen: pd.DataFrame, tolerance: dict[str, float]) -> str:
    """No gain beyond chance, or one that is not enough for a change."""
    sure = []
    for name, way, measure, least in (
        ("recalibrated", "recalibrating", "log_loss", tolerance["log_loss"]),
        ("refitted", "refitting", "auc_in_block", tolerance["auc"]),
        ("refitted", "refitting", "log_loss", tolerance["log_loss"]),
    ):
        row = on_frozen.loc[name]
        small = f"less than the {least} that a change has to bring"
        why = "which recalibrating may give as well" if counts(row, measure, least) else small
        if counts(row, measure, 0.0):
            sure.append(f"{way} makes {told(row, measure, 4)}, {why}")
    none = "neither refitting nor recalibrating gains anything that can be told from chance"
    return "; ".join(sure) or none


def counts(row: pd.Series, measure: str, least: float) -> bool:
    """Is the gain large enough and beyond doubt?"""
    return bool(row[f"{measure}_gain"] >= least and row[f"{measure}_gain_interval"][0] > 0)


def told(row: pd.Series, measure: str, digits: int = 3) -> str:
    found = (row[f"{measure}_gain"], *row[f"{measure}_gain_interval"])
    gain, low, high = (f"{value:.{digits}f}" for value in found)
    return f"{TITLES[measure]} better by {gain} ({low} to {high})"
