"""Figures of chances: did they come true along the scale, and in every segment?"""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from tierwise.look import BLUE, GREY, INK, ORANGE, finish, legend_above, short
from tierwise.reliability import AS_PROMISED

WIDTH = 6.4  # inches: readable on a phone
BAR_COUNT = 30


def in_percent(axis: Axis) -> None:
    """Few round marks, as exact as they are: 2.5% and never 2% for it."""
    axis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10]))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{round(100 * value, 6):g}%"))


def reliability(curves: dict[str, pd.DataFrame], chance: np.ndarray) -> Figure:
    """Promised chance against realised share; below, how often each chance was given.

    curves: name -> `reliability.with_bands`, at most two; the band is that of the last one, and
    chance, shape (n,), what it was made of. Chances beyond the right edge stand in the last bar.
    """
    if not len(chance):
        return nothing_judged()
    figure, (axes, below) = plt.subplots(
        2, 1, sharex=True, figsize=(WIDTH, 5.8), height_ratios=[4, 1]
    )
    last = list(curves.values())[-1]
    band = np.array(last["band"].tolist())
    top = 1.06 * max(max(c["chance"].max(), c["rate"].max()) for c in curves.values())
    top = min(max(top, band.max() * 1.02, 0.01), 1.02)
    axes.plot([0, top], [0, top], color=INK, linewidth=1, linestyle="--")
    axes.fill_between(
        last["chance"], band[:, 0], band[:, 1], color=GREY, alpha=0.25, linewidth=0,
        label="if chances were true",
    )  # fmt: skip
    looks = [(ORANGE, "s"), (BLUE, "o")][-len(curves) :]
    for (name, curve), (colour, marker) in zip(curves.items(), looks, strict=True):
        ends = np.array(curve["interval"].tolist())
        axes.vlines(curve["chance"], ends[:, 0], ends[:, 1], color=colour, alpha=0.4, linewidth=2)
        (line,) = axes.plot(curve["chance"], curve["rate"], marker=marker, color=colour, label=name)
        line.set(markersize=5, linewidth=1.4)
    axes.set(xlim=(0, top), ylim=(0, top), ylabel="share that won")
    in_percent(axes.yaxis)
    axes.tick_params(axis="x", labelbottom=False)
    axes.legend(ncols=2, loc="lower left", bbox_to_anchor=(0, 1.0), borderaxespad=0.3)
    below.hist(np.clip(chance, 0, top), bins=np.linspace(0, top, BAR_COUNT + 1), color=GREY)
    below.set(xlabel="chance promised", ylabel="rows")
    in_percent(below.xaxis)
    below.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    below.grid(axis="x", visible=False)
    return finish(figure)


def nothing_judged() -> Figure:
    """A line in place of a picture of no rows."""
    figure, axes = plt.subplots(figsize=(WIDTH, 0.8))
    axes.set_axis_off()
    axes.text(0, 0.5, "No row had an earlier period to learn a correction from.", va="center")
    return finish(figure)


def segments(table: pd.DataFrame) -> Figure:
    """Promised share (hollow) and realised share with its interval (full), a line per segment.

    table: `reliability.by_segment`. Segments that luck does not explain are orange diamonds.
    """
    figure, axes = plt.subplots(figsize=(WIDTH, 1.2 + 0.3 * max(len(table), 1)))
    places = np.arange(len(table))[::-1] - 0.6 * pd.factorize(table["column"])[0]
    kept = (table["reading"] == AS_PROMISED).to_numpy()
    for kind, colour, marker, name in (
        (kept, BLUE, "o", "won"),
        (~kept, ORANGE, "D", "won, beyond luck"),
    ):
        if kind.any():
            ends = np.array(table.loc[kind, "interval"].tolist())
            axes.hlines(places[kind], ends[:, 0], ends[:, 1], color=colour, linewidth=2, alpha=0.6)
            (dots,) = axes.plot(table.loc[kind, "rate"], places[kind], marker, color=colour)
            dots.set(markersize=6, label=name)
    axes.plot(
        table["chance"], places, "o", markersize=9, markerfacecolor="none",
        markeredgecolor=INK, linestyle="none", label="promised",
    )  # fmt: skip
    names = [
        f"{short(f'{column}: {label}'.replace('_', ' '))} ({count:,})"
        for column, label, count in table[["column", "segment", "count"]].to_numpy()
    ]
    axes.set_yticks(places, names)
    axes.set_xlim(left=0)
    in_percent(axes.xaxis)
    axes.grid(axis="y", visible=False)
    legend_above(axes)
    return finish(figure)
