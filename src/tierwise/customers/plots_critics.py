"""Figures of the page about loud critics. Each draws a table that a method returned."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullLocator

from tierwise.customers import loud_critics as lc
from tierwise.look import BLUE, GREY, INK, ORANGE, SHARE, finish, legend_above

LANGUAGE_NAMES = {"en": "English", "ru": "Russian"}
COLOURS = {"en": BLUE, "ru": ORANGE}


def people(table: pd.DataFrame, limit: float, median: float, least_texts: int) -> Figure:
    """Share of negative texts of the most active who write enough, with 90 % intervals.

    table: rows of `loud_critics.Found.people`; the highest on the left, at most 60.
    """
    rows = table[table["top"] & (table["texts_count"] >= least_texts)]
    rows = rows.sort_values(["share", "person_id"], ascending=[False, True]).head(60)
    figure, axes = plt.subplots(figsize=(7.2, 3.8))
    x, listed = np.arange(len(rows)), (rows["step"] == lc.LISTED).to_numpy()
    for part, colour, label in ((listed, ORANGE, "on the list"), (~listed, BLUE, "not on it")):
        if part.any():
            low, high = rows["low"][part], rows["high"][part]
            axes.vlines(x[part], low, high, color=colour, linewidth=4, alpha=0.5)
            axes.scatter(x[part], rows["share"][part], color=colour, s=18, zorder=3, label=label)
    axes.axhline(limit, color=INK, linewidth=1, linestyle="--", label="limit")
    axes.axhline(median, color=GREY, linewidth=1, label="median of all")
    axes.set_ylim(0, max(1.05 * float(rows["high"].max()) if len(rows) else 0, 1.2 * limit))
    axes.yaxis.set_major_formatter(SHARE)
    axes.set_xticks([])
    axes.set_xlabel("most active customers who write enough, most negative first")
    axes.set_ylabel("negative texts, 90 % interval")
    legend_above(axes)
    return finish(figure)


def steps(table: pd.DataFrame) -> Figure:
    """How many customers take each step. table: step, people_count of `loud_critics.funnel`."""
    rows = table.iloc[::-1].reset_index(drop=True)
    figure, axes = plt.subplots(figsize=(7.2, 0.9 + 0.4 * len(rows)))
    counts = rows["people_count"].to_numpy()
    axes.barh(rows.index, np.maximum(counts, 0.5), color=BLUE, height=0.6)
    for at, count in enumerate(counts):
        axes.text(max(count, 0.5) * 1.1, at, f"{count:,}", va="center", fontsize=9)
    axes.set_yticks(rows.index, rows["step"])
    axes.set_xscale("log")
    axes.set_xlim(0.5, 4 * max(float(counts.max()), 1.0))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xlabel("customers left after each step, logarithmic scale")
    axes.grid(axis="y", visible=False)
    return finish(figure)


def thresholds(table: pd.DataFrame, threshold: float) -> Figure:
    """What a higher threshold gains and costs. table: language, threshold, precision, recall."""
    figure, axes = plt.subplots(figsize=(7.2, 3.4))
    for language, rows in table.groupby("language", sort=True):
        name, colour = LANGUAGE_NAMES[str(language)], COLOURS[str(language)]
        axes.plot(rows["threshold"], rows["precision"], color=colour, label=f"{name}: precision")
        axes.plot(
            rows["threshold"], rows["recall"], color=colour, linestyle=":", label=f"{name}: recall"
        )
    axes.axvline(threshold, color=INK, linewidth=1, linestyle="--")
    axes.set_xlim(0.1, 0.9)
    axes.set_ylim(0, 1.02)
    axes.yaxis.set_major_formatter(SHARE)
    axes.set_xlabel("chance from which on a text counts as negative (dashed: in use)")
    axes.legend(ncols=2, loc="lower left", bbox_to_anchor=(0, 1.0), borderaxespad=0.3)
    return finish(figure)
