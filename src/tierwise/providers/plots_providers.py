"""Figures of the pages about satisfaction and drop-out. Words and colours as in plots.py."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from tierwise.look import (
    BLUE,
    GREY,
    INK,
    ORANGE,
    SHARE,
    TIER_COLOURS,
    finish,
    legend_above,
    percent_both,
    short,
)

LINES = (TIER_COLOURS["A"], BLUE, ORANGE, GREY)  # with STYLES, so that colour is not alone
STYLES = ("-", "--", "-.", ":")


def weights(table: pd.DataFrame, words: Mapping[str, str]) -> Figure:
    """Odds of a return after each action, with intervals; weights by hand as hollow diamonds.

    table: index action; log_odds, low, high, weight, source, as from visit_scores.
    """
    value = table["log_odds"].fillna(table["weight"])
    rows = table.assign(value=value).sort_values("value", kind="stable")
    figure, axes = plt.subplots(figsize=(7.2, 1.0 + 0.36 * len(rows)))
    given = (rows["source"] == "given").to_numpy()
    used = (rows["weight"] != 0).to_numpy()
    y = np.arange(len(rows))
    colours = np.where(used, np.where(rows["value"] > 0, BLUE, ORANGE), GREY)
    spans = np.exp(rows[["low", "high"]].to_numpy()[~given])
    axes.hlines(y[~given], *spans.T, color=list(colours[~given]), linewidth=4, alpha=0.6)
    odds = np.exp(rows["value"].to_numpy())
    axes.scatter(odds[~given], y[~given], color=list(colours[~given]), zorder=3)
    if given.any():
        axes.plot(odds[given], y[given], "D", color=BLUE, markerfacecolor="none", label="by hand")
        legend_above(axes)
    axes.axvline(1, color=INK, linewidth=1)
    axes.set_yticks(y, [short(words.get(name, name)) for name in rows.index])
    axes.xaxis.set_major_formatter(FuncFormatter(lambda odds, _: f"× {odds:.2g}"))
    axes.set_xlabel("odds that the customer returns, 90 % interval; grey: can't be told from × 1")
    axes.grid(axis="y", visible=False)
    return finish(figure)


def agreements(table: pd.DataFrame, words: Mapping[str, str], label: str) -> Figure:
    """How well several measures order providers. table: measure, agreement, low, high."""
    rows = table.iloc[::-1].reset_index(drop=True)
    figure, axes = plt.subplots(figsize=(7.2, 1.0 + 0.4 * len(rows)))
    colours = [GREY] * (len(rows) - 1) + [BLUE]
    axes.hlines(rows.index, rows["low"], rows["high"], color=colours, linewidth=4, alpha=0.6)
    axes.scatter(rows["agreement"], rows.index, color=colours, zorder=3)
    axes.axvline(0, color=INK, linewidth=1)
    axes.set_yticks(rows.index, [short(words.get(name, name), 40) for name in rows["measure"]])
    axes.set_ylim(-0.6, len(rows) - 0.4)
    axes.set_xlabel(label)
    axes.grid(axis="y", visible=False)
    return finish(figure)


def ranges(
    table: pd.DataFrame, names: pd.Series, count: int, line: float, label: str, share: bool
) -> Figure:
    """The first and the last `count` providers of a table: index provider; value, low, high.

    In the order given, the first on top. line: what all are compared with. share: of a whole.
    """
    most = min(count, (len(table) + 1) // 2)
    shown = pd.concat([table.head(most), table.tail(min(count, len(table) - most))]).iloc[::-1]
    y = np.arange(len(shown), dtype="float64")
    gap = len(shown) < len(table)
    y[len(shown) - most :] += gap  # a space where the middle is left out
    figure, axes = plt.subplots(figsize=(7.2, 1.0 + 0.27 * (len(shown) + gap)))
    above, below = (ORANGE, BLUE) if share else (BLUE, ORANGE)  # of losses, more is worse
    sides = [shown["low"] > line, shown["high"] < line]
    colours = list(np.select(sides, [above, below], GREY))
    axes.hlines(y, shown["low"], shown["high"], color=colours, linewidth=4, alpha=0.6)
    axes.scatter(shown["value"], y, color=colours, zorder=3, s=22)
    axes.axvline(line, color=INK, linewidth=1, linestyle="--")
    axes.set_yticks(y, [short(f"{names.get(one, '')} ({one})") for one in shown.index])
    axes.tick_params(axis="y", labelsize=8.5)
    if share:
        axes.xaxis.set_major_formatter(SHARE)
    axes.set_xlabel(label)
    axes.grid(axis="y", visible=False)
    return finish(figure)


def flattered(places: pd.DataFrame) -> Figure:
    """How many places the plain mean flatters by, against how generous the customers are.

    places: customers_elsewhere (in standard deviations), change (places).
    """
    figure, axes = plt.subplots(figsize=(7.2, 3.8))
    up = (places["change"] > 0).to_numpy()
    for mask, colour, marker, text in ((up, ORANGE, "o", "flattered"), (~up, BLUE, "s", "wronged")):
        rows = places[mask]
        axes.scatter(
            rows["customers_elsewhere"], rows["change"], color=colour, s=16, marker=marker,
            label=text, alpha=0.8,
        )  # fmt: skip
    axes.axhline(0, color=INK, linewidth=1)
    axes.set_xlabel("what its customers do after visits to others, 0 = as everybody")
    axes.set_ylabel("places by which the mean flatters")
    legend_above(axes)
    return finish(figure)


def awaited(curves: pd.DataFrame, words: str = "of customers not yet back") -> Figure:
    """Share not yet back by days since a visit, with bands. curves: as from waiting.curves."""
    figure, axes = plt.subplots(figsize=(7.2, 4.0))
    for (name, rows), colour, style in zip(curves.groupby("group"), LINES, STYLES, strict=False):
        label = f"{str(name).lstrip('0123456789 ')} ({rows['customers_count'].iloc[0]:,})"
        axes.plot(rows["days"], rows["share"], color=colour, linestyle=style, label=label)
        axes.fill_between(
            rows["days"], rows["low"], rows["high"], color=colour, alpha=0.2, linewidth=0
        )
    by_days(axes, curves["days"].max(), f"share {words}")
    axes.set_xlabel("days since the visit")
    return finish(figure)


def silences(table: pd.DataFrame) -> Figure:
    """Chance to have stopped by days of silence. table: customer, days, chance."""
    figure, axes = plt.subplots(figsize=(7.2, 3.6))
    groups = table.groupby("customer", sort=False)
    for (name, rows), colour, style in zip(groups, LINES, STYLES, strict=False):
        axes.plot(rows["days"], rows["chance"], color=colour, linestyle=style, label=name)
    by_days(axes, table["days"].max(), "chance that it has stopped")
    axes.set_xlabel("days of silence")
    return finish(figure)


def by_days(axes: Axes, most_days: float, label: str) -> None:
    percent_both(axes)
    axes.set_xlim(0, most_days)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda days, _: f"{days:.0f}"))
    axes.set_ylabel(label)
    axes.legend(ncols=3, loc="lower left", bbox_to_anchor=(0, 1.0), borderaxespad=0.3, fontsize=9)


def suspects(table: pd.DataFrame, flagged: pd.Series) -> Figure:
    """Drop-out against satisfaction; those to look at stand out.

    table: index provider; quality (in spreads), rate. flagged: bool by provider.
    """
    figure, axes = plt.subplots(figsize=(7.2, 4.2))
    look = flagged.reindex(table.index).fillna(False).to_numpy("bool")
    axes.scatter(table["quality"][~look], table["rate"][~look], color=GREY, s=14, label="others")
    shown = table[look]
    axes.scatter(shown["quality"], shown["rate"], color=ORANGE, s=36, marker="D",
                 label="look at these")  # fmt: skip
    axes.yaxis.set_major_formatter(SHARE)
    axes.set_xlabel("satisfaction, in standard deviations between providers")
    axes.set_ylabel("visits that are the last one")
    legend_above(axes)
    return finish(figure)
