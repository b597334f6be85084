"""Figures of the page of ranks. Words and colours as in plots.py."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from tierwise.files import InputError
from tierwise.look import BLUE, GREY, INK, ORANGE, SHARE, finish, legend_above, spoken

NEW = "#d0d7de"
RANK_COLOURS = ("#9aa5b1", "#5b8def", "#2f7ed8", "#1b9e77")  # the lowest first
PANELS = ("returned", "complaints", "favourites")
WIDE = 1.645  # of 90 % of a normal


def spread(table: pd.DataFrame) -> Figure:
    """Share of providers in each rank by quarter. table: quarter, then a column per rank, the
    lowest first, as from ranks_page.spread."""
    names = [name for name in table if name != "quarter"]
    shares = table[names].div(table[names].sum(axis=1), axis=0)
    figure, axes = plt.subplots(figsize=(7.2, 3.4))
    x, under = np.arange(len(table)), np.zeros(len(table))
    for name, colour in zip(names, colours(len(names)), strict=True):
        axes.bar(x, shares[name], bottom=under, color=colour, label=spoken(name), width=0.7)
        under += shares[name].to_numpy()
    axes.set_xticks(x, [f"{day:%Y-%m}" for day in table["quarter"]])
    axes.set_xlabel("first morning of the quarter")
    axes.yaxis.set_major_formatter(SHARE)
    axes.set_ylabel("share of providers")
    axes.grid(axis="x", visible=False)
    axes.legend(ncols=3, loc="lower left", bbox_to_anchor=(0, 1.0), borderaxespad=0.3)
    return finish(figure)


def colours(count: int) -> list[str]:
    """So many colours, that of no rank first. Raises InputError for more ranks than colours."""
    if count > len(RANK_COLOURS) + 1:
        raise InputError(f"{count - 1} ranks; there are colours for {len(RANK_COLOURS)}.")
    return [NEW, *RANK_COLOURS][:count]


def scores(ranks: pd.DataFrame, cuts: Sequence[float]) -> Figure:
    """Score of each ranked provider with where it will truly lie, lowest first, and the cuts.

    ranks: mean, sd, rank, as from ranks.assigned; those without a rank are left out.
    """
    rows = ranks[ranks["rank"] > 0].sort_values("mean", kind="stable")
    figure, axes = plt.subplots(figsize=(7.2, 3.6))
    x = np.arange(len(rows))
    mean, wide = rows["mean"].to_numpy(), WIDE * rows["sd"].to_numpy()
    shade = np.array(RANK_COLOURS)[(rows["rank"].to_numpy() - 1) % len(RANK_COLOURS)]
    axes.vlines(x, mean - wide, mean + wide, color=list(shade), linewidth=1.2, alpha=0.6)
    axes.scatter(x, mean, s=7, color=INK, zorder=3)
    for cut in cuts:
        axes.axhline(cut, color=ORANGE, linewidth=1, linestyle="--")
    axes.set_xlabel("providers, the lowest score first; colour: rank")
    axes.set_ylabel("score and its 90 % interval")
    axes.grid(axis="x", visible=False)
    return finish(figure)


def by_rank(rates: pd.DataFrame) -> Figure:
    """What came in the next quarter, by rank, with intervals; rates: as rank_promises.by_rank."""
    figure, panels = plt.subplots(1, len(PANELS), figsize=(7.2, 3.0))
    x = np.arange(len(rates))
    for axes, name in zip(panels, PANELS, strict=True):
        share, low, high = (rates[f"{name}_{end}"].to_numpy() for end in ("share", "low", "high"))
        error = np.maximum(np.vstack([share - low, high - share]), 0.0)
        axes.errorbar(x, share, error, fmt="o", color=BLUE, ecolor=GREY, elinewidth=3, capsize=0)
        axes.set_title({"returned": "returned in time"}.get(name, f"{name} per visit"), fontsize=10)
        axes.set_xticks(x, rates["name"], fontsize=8)
        axes.set_xlim(-0.5, len(rates) - 0.5)
        axes.yaxis.set_major_formatter(
            PercentFormatter(1.0, decimals=0 if share.max() > 0.3 else 1)
        )
        axes.yaxis.set_major_locator(MaxNLocator(5))
        axes.tick_params(axis="x", rotation=30)
        axes.grid(axis="x", visible=False)
    return finish(figure)


def agreement(tables: Mapping[str, pd.DataFrame]) -> Figure:
    """Rank correlation of measures with one target or two, with intervals, in the order given.

    tables: what it is with -> measure, agreement, low, high. The first two have a colour each.
    """
    if not tables:
        return nothing("nobody knows the truth of these providers")
    first = next(iter(tables.values()))["measure"]
    names = list(first)[::-1]
    figure, axes = plt.subplots(figsize=(7.2, 1.2 + 0.36 * len(names)))
    places = dict(zip(names, np.arange(len(names)), strict=True))
    offsets = np.linspace(0.12, -0.12, len(tables)) if len(tables) > 1 else [0.0]
    shades = (BLUE, ORANGE, GREY)
    for (label, table), offset, colour in zip(tables.items(), offsets, shades, strict=False):
        y = table["measure"].map(places).to_numpy() + offset
        axes.hlines(y, table["low"], table["high"], color=colour, linewidth=3, alpha=0.5)
        axes.plot(table["agreement"], y, "o", color=colour, markersize=6, label=label)
    axes.axvline(0, color=INK, linewidth=1)
    axes.set_yticks(np.arange(len(names)), names)
    axes.set_xlabel("rank correlation (1: the same order, 0: none)")
    axes.grid(axis="y", visible=False)
    if len(tables) > 1:
        legend_above(axes)
    else:
        axes.set_title(next(iter(tables)), fontsize=10)
    return finish(figure)


def nothing(why: str) -> Figure:
    """A line of text where there is nothing to draw."""
    figure, axes = plt.subplots(figsize=(7.2, 0.8))
    axes.axis("off")
    axes.text(0, 0.5, why, color=INK, va="center")
    return finish(figure)
