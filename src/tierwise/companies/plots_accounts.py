"""Figures of the pages about accounts. Words and colours as in plots.py."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from tierwise.companies.spend_measures import by_decile
from tierwise.files import InputError
from tierwise.plots import BLUE, GREY, INK, ORANGE, SHARE, finish, short, spoken

EURO = FuncFormatter(lambda value, _: euros(value))


def euros(value: float) -> str:
    """€950, €25k, €1.5M, €2,300M: short enough to stand side by side."""
    if abs(value) < 10_000:
        return f"€{value:,.0f}"
    if abs(value) < 999_500:
        return f"€{value / 1e3:,.3g}k"
    return f"€{value / 1e6:,.3g}M" if abs(value) < 999.5e6 else f"€{value / 1e6:,.0f}M"


def deciles(actual: np.ndarray, expected: np.ndarray) -> Figure:
    """Mean spend of each tenth of the accounts, in order of what was expected of them."""
    found = by_decile(actual, expected)
    figure, axes = plt.subplots()
    x = np.arange(len(found))
    axes.bar(x, found[:, 1], color=BLUE, label="spent")
    axes.plot(x, found[:, 0], "o", color=ORANGE, markersize=7, label="expected")
    axes.set_xticks(x, [f"{n + 1}." for n in x])
    axes.set_xlabel("tenth of the accounts, by what was expected")
    axes.set_ylabel("mean per account")
    axes.yaxis.set_major_formatter(EURO)
    axes.grid(axis="x", visible=False)
    axes.legend(loc="upper left")
    return finish(figure)


def captured(actual: np.ndarray, orders: Mapping[str, np.ndarray]) -> Figure:
    """Share of all spend that the first so many accounts brought, by order of calling.

    orders: name -> what each account was sorted by; the first one is drawn strong. Raises
    InputError where nobody spent anything.
    """
    if not np.sum(actual) > 0:
        raise InputError(
            f"None of {len(actual):,} accounts spent anything, so there is no spend to share out. "
            "Choose an earlier morning, or a longer horizon_days."
        )
    figure, axes = plt.subplots()
    colours = [BLUE, ORANGE, GREY]
    for (name, order), colour in zip(orders.items(), colours, strict=False):
        curve = np.r_[0.0, np.cumsum(actual[np.argsort(-order, kind="stable")])]
        share = np.linspace(0, 1, len(curve))
        axes.plot(share, curve / curve[-1], color=colour, linewidth=2, label=spoken(name))
    axes.plot([0, 1], [0, 1], color=INK, linewidth=1, linestyle="--", label="by lot")
    axes.xaxis.set_major_formatter(SHARE)
    axes.yaxis.set_major_formatter(SHARE)
    axes.set_xlabel("share of the accounts that were called")
    axes.set_ylabel("share of all spend")
    axes.legend(loc="lower right")
    return finish(figure)


def ranges(table: pd.DataFrame) -> Figure:
    """Expected spend with its interval, the largest on top.

    table: name, expected_eur, lower_eur, upper_eur.
    """
    rows = table.iloc[::-1].reset_index(drop=True)
    figure, axes = plt.subplots(figsize=(7.2, 0.9 + 0.3 * len(rows)))
    y = np.arange(len(rows))
    axes.hlines(y, rows["lower_eur"], rows["upper_eur"], color=GREY, linewidth=5, alpha=0.6)
    axes.plot(rows["expected_eur"], y, "o", color=BLUE, markersize=7)
    axes.set_yticks(y, rows["name"].map(short))
    axes.xaxis.set_major_formatter(EURO)
    axes.xaxis.set_major_locator(MaxNLocator(6))
    axes.set_xlabel("expected spend, and where it will lie with 90 % certainty")
    axes.set_xlim(left=0)
    axes.grid(axis="y", visible=False)
    return finish(figure)


def hits(table: pd.DataFrame, names: Mapping[str, str]) -> Figure:
    """How often the one was first, and among the first three, by candidate.

    table: candidate, hit_1, hit_3. names: what each candidate is called.
    """
    rows = table.iloc[::-1].reset_index(drop=True)
    figure, axes = plt.subplots(figsize=(7.2, 1.0 + 0.42 * len(rows)))
    y = np.arange(len(rows))
    axes.barh(y, rows["hit_3"], color=GREY, alpha=0.5, label="among the first three")
    axes.barh(y, rows["hit_1"], color=BLUE, height=0.45, label="first")
    for at, row in rows.iterrows():
        axes.text(row["hit_3"], at, f" {row['hit_1']:.0%} / {row['hit_3']:.0%}", va="center")
    axes.set_yticks(y, rows["candidate"].map(lambda name: names.get(name, spoken(name))))
    axes.xaxis.set_major_formatter(SHARE)
    axes.set_xlim(0, min(1.05, max(0.1, rows["hit_3"].max() * 1.25)))
    axes.set_xlabel("share of decisions whose signer was found")
    axes.grid(axis="y", visible=False)
    axes.legend(loc="lower right")
    return finish(figure)


def kept_chances(table: pd.DataFrame) -> Figure:
    """What was promised against what came. table: chances, rows_count, chance, signed_share."""
    figure, axes = plt.subplots(figsize=(7.2, 3.2))
    x = np.arange(len(table))
    axes.bar(x, table["signed_share"], color=BLUE, label="signed")
    axes.plot(x, table["chance"], "o", color=ORANGE, markersize=7, label="promised")
    labels = [f"{row.chances}\n{row.rows_count:,} people" for row in table.itertuples()]
    axes.set_xticks(x, labels, fontsize=9)
    axes.yaxis.set_major_formatter(SHARE)
    axes.set_ylabel("share that signed")
    axes.grid(axis="x", visible=False)
    axes.legend(loc="upper left")
    return finish(figure)


def odds(table: pd.DataFrame) -> Figure:
    """What moves people up and down. table: words, odds_ratio; the strongest on top."""
    rows = table.iloc[::-1].reset_index(drop=True)
    figure, axes = plt.subplots(figsize=(7.2, 0.9 + 0.3 * len(rows)))
    logs, y = np.log2(rows["odds_ratio"]), np.arange(len(rows))
    axes.barh(y, logs, color=np.where(logs > 0, BLUE, ORANGE))
    axes.set_yticks(y, rows["words"].map(short))  # at places: two may have the same words
    axes.axvline(0, color=INK, linewidth=1)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"× {2**value:.2g}"))
    axes.set_xlabel("odds of being the one, per step in this column, all else equal")
    axes.grid(axis="y", visible=False)
    return finish(figure)


def strengths(table: pd.DataFrame) -> Figure:
    """Chance to win of each candidate with its interval. table: a name column first, chance, low,
    high."""
    rows = table.iloc[::-1].reset_index(drop=True)
    figure, axes = plt.subplots(figsize=(7.2, 0.9 + 0.3 * len(rows)))
    y = np.arange(len(rows))
    axes.hlines(y, rows["low"], rows["high"], color=GREY, linewidth=4, alpha=0.7)
    axes.plot(rows["chance"], y, "o", color=BLUE, markersize=7)
    axes.set_yticks(y, rows.iloc[:, 0].map(short))
    axes.xaxis.set_major_formatter(SHARE)
    axes.set_xlabel("share of accounts that buy in a quarter, same mix of accounts, 90 % interval")
    axes.grid(axis="y", visible=False)
    return finish(figure)
