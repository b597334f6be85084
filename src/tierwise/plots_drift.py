"""Figures of drift: what moved, who keeps up, when the alarm rang. plots.py has the others."""

from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from tierwise.drift import MOVED_PSI, WATCH_PSI
from tierwise.look import (
    BLUE,
    GREY,
    GRID,
    INK,
    ORANGE,
    SHARE,
    finish,
    legend_above,
    short,
    sparse_labels,
)
from tierwise.plots import style

__all__ = ["cusum", "psi_bars", "race", "style"]

MODEL_COLOURS = {"frozen": GREY, "recalibrated": ORANGE, "refitted": BLUE}
MODEL_MARKS = {"frozen": "o", "recalibrated": "s", "refitted": "^"}


def psi_bars(moved: pd.DataFrame, most: int = 12) -> Figure:
    """PSI of the columns that moved most, with both limits; a tick marks what chance can do.

    moved: of `drift.moved`. Bars beyond a limit and beyond chance are orange. Values above 2 are
    cut there and written out.
    """
    shown = moved.head(most).iloc[::-1].reset_index(drop=True)
    end = min(max(1.15 * shown["psi"].max(), 1.4 * MOVED_PSI), 2.0) if len(shown) else 1.0
    figure, axes = plt.subplots(figsize=(6.4, 1.0 + 0.3 * max(len(shown), 1)))
    colours = np.where(shown["verdict"] == "stable", GREY, ORANGE)
    axes.barh(shown.index, shown["psi"].clip(upper=end), color=colours)
    noise = shown["noise_psi"].clip(upper=end)
    axes.vlines(noise, shown.index - 0.4, shown.index + 0.4, color=BLUE, linewidth=2.5)
    for row in shown.itertuples():
        axes.text(min(row.psi, end), row.Index, f" {row.psi:.2f}", va="center")
    for limit in (WATCH_PSI, MOVED_PSI):
        axes.axvline(limit, color=INK, linewidth=1, linestyle="--")
        axes.text(limit, len(shown) - 0.45, f"{limit:g}", ha="center", va="bottom")
    axes.set_yticks(shown.index, shown["column"].map(lambda name: short(name, 24)))
    axes.set_ylim(-0.6, max(len(shown), 1) - 0.4)
    axes.set_xlim(0, 1.12 * end)
    axes.set_xlabel("population stability index (blue tick: chance alone)")
    axes.grid(axis="y", visible=False)
    return finish(figure)


def race(blocks: pd.DataFrame) -> Figure:
    """Champion and challengers block by block: order above, level below.

    blocks: of `challengers.by_block`. Above, AUC inside blocks; below, mean chance beside the
    share that won.
    """
    figure, (top, bottom) = plt.subplots(2, 1, sharex=True, figsize=(6.4, 5.0))
    for name, rows in blocks.groupby("model", sort=False):
        style: dict[str, Any] = {"color": MODEL_COLOURS[name], "marker": MODEL_MARKS[name]}
        # Recalibrating keeps the order: the champion's larger mark shows behind the same line.
        style |= {"markersize": 8 if name == "frozen" else 4}
        top.plot(rows["period"], rows["auc"].where(rows["weight"] > 0), label=name, **style)
        bottom.plot(rows["period"], rows["mean_chance"], **style)
    first = blocks.drop_duplicates("period").reset_index(drop=True)
    bottom.plot(first["period"], first["rate"], color=INK, linewidth=2.2, label="share that won")
    top.axhline(0.5, color=INK, linewidth=1, linestyle="--")
    top.set_ylabel("AUC inside blocks")
    bottom.set_ylabel("mean chance")
    bottom.yaxis.set_major_formatter(SHARE)
    bottom.set_ylim(bottom=0)
    sparse_labels(bottom, first["start"], most=6)
    bottom.set_xlabel("start of the block")
    legend_above(top)
    bottom.legend(loc="upper left")
    return finish(figure)


def cusum(paths: pd.DataFrame, names: list[str]) -> Figure:
    """The alarm's sums by tier as shares of their limit; the alarm rings above the dashed line.

    paths: the second table of `alarm.watch`. One panel a tier; sums above three limits are cut.
    """
    figure, panels = plt.subplots(
        len(names), 1, sharex=True, squeeze=False, figsize=(6.4, 0.9 + 1.35 * len(names))
    )
    for name, axes in zip(names, panels[:, 0], strict=True):
        lines = paths[paths["tier"] == name].groupby("direction", sort=False)
        for (title, rows), colour in zip(lines, (BLUE, ORANGE), strict=False):
            share = (rows["sum"] / rows["limit"].where(rows["limit"] > 0)).clip(upper=3)
            axes.plot(rows["at"], share, color=colour, label=title, drawstyle="steps-post")
        axes.axhline(1.0, color=INK, linewidth=1, linestyle="--")
        axes.axhline(0.0, color=GRID, linewidth=1)
        axes.set_ylim(0, 3.1)
        axes.set_yticks([0, 1, 2, 3])
        axes.set_ylabel(f"tier {short(name, 10)}")
    if len(paths):
        legend_above(next(axes for axes in panels[:, 0] if axes.get_legend_handles_labels()[0]))
    panels[-1, 0].set_xlabel("when the outcome became known (1 = the limit)")
    panels[-1, 0].tick_params(axis="x", rotation=30)
    return finish(figure)
