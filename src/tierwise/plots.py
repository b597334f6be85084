"""Figures of the reports. Each function takes a table that a method returned and draws it.

Figures are SVG with text as text and a transparent ground; look.py holds what they share.
"""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from tierwise.look import (
    BLUE,
    GREY,
    GRID,
    INK,
    ORANGE,
    SHARE,
    TIER_COLOURS,
    finish,
    legend_above,
    percent_both,
    short,
    sparse_labels,
    spoken,
)
from tierwise.report import format_value


def style() -> None:
    """Call once per notebook: the look of all figures, and SVG that is equal for equal data."""
    from matplotlib_inline.backend_inline import set_matplotlib_formats

    set_matplotlib_formats("svg", metadata={"Date": None, "Creator": None})
    plt.rcParams.update(
        {
            "svg.fonttype": "none",
            "svg.hashsalt": "tierwise",
            "figure.figsize": (7.2, 3.6),
            "figure.facecolor": "none",
            "axes.facecolor": "none",
            "savefig.facecolor": "none",
            "font.family": "DejaVu Sans",
            "font.size": 10,
            "text.color": INK,
            "text.parse_math": False,  # a column may be called "$x$"
            "axes.labelcolor": INK,
            "axes.edgecolor": GRID,
            "axes.grid": True,
            "axes.axisbelow": True,
            "grid.color": GRID,
            "grid.linewidth": 0.8,
            "xtick.color": INK,
            "ytick.color": INK,
            "xtick.major.size": 0,
            "ytick.major.size": 0,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.spines.left": False,
            "axes.titlelocation": "left",
            "axes.titlesize": 11,
            "legend.frameon": False,
        }
    )


def months(by_month: pd.DataFrame) -> Figure:
    """Rows and share of wins over time; spans in the strip below.

    by_month: month, rows_count, rate, span (the span most of its rows belong to).
    """
    figure, (top, bottom) = plt.subplots(2, 1, sharex=True, figsize=(7.2, 4.4))
    x = np.arange(len(by_month))
    colours = by_month["span"].map({"learn": GREY, "tune": ORANGE, "judge": BLUE}).fillna(GRID)
    top.bar(x, by_month["rows_count"], color=list(colours))
    top.set_ylabel("rows")
    top.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    bottom.plot(x, by_month["rate"], color=INK, linewidth=1.5)
    bottom.scatter(x, by_month["rate"], color=list(colours), zorder=3)
    bottom.set_ylabel("share of wins")
    bottom.yaxis.set_major_formatter(SHARE)
    bottom.set_ylim(bottom=0)
    sparse_labels(bottom, by_month["month"])
    names = {"learn": GREY, "tune": ORANGE, "judge": BLUE}
    handles = [plt.Rectangle((0, 0), 1, 1, color=colour) for colour in names.values()]
    top.legend(handles, names, ncols=3, loc="lower left", bbox_to_anchor=(0, 1.0))
    return finish(figure)


def alone(audit: pd.DataFrame, limit: float, most: int = 20) -> Figure:
    """How well each column ranks alone inside periods; quarantined ones stand out.

    audit: column, auc_in_period, refused (bool).
    """
    shown = audit.sort_values("auc_in_period", ascending=False).head(most).iloc[::-1]
    figure, axes = plt.subplots(figsize=(7.2, 0.8 + 0.27 * len(shown)))
    colours = np.where(shown["refused"], ORANGE, GREY)
    axes.barh(range(len(shown)), shown["auc_in_period"] - 0.5, left=0.5, color=colours)
    axes.set_yticks(range(len(shown)), shown["column"].map(short))
    axes.axvline(limit, color=INK, linewidth=1, linestyle="--")
    axes.set_xlim(min(0.45, shown["auc_in_period"].min()), 1.0)
    axes.set_xlabel("AUC of the column alone, inside periods (0.5 = no use, 1 = perfect)")
    axes.grid(axis="y", visible=False)
    return finish(figure)


def claims(claim: pd.DataFrame) -> Figure:
    """What keeping the refused columns would have claimed. claim: columns, auc."""
    figure, axes = plt.subplots(figsize=(7.2, 1.6))
    rows = claim.assign(colour=[ORANGE, BLUE][-len(claim) :]).iloc[::-1]
    axes.barh(rows["columns"], rows["auc"] - 0.5, left=0.5, color=list(rows["colour"]))
    for y, value in enumerate(rows["auc"]):
        axes.text(value, y, f" {value:.3f}", va="center")
    axes.set_xlim(0.5, 1.05)
    axes.set_xlabel("AUC inside the later period")
    axes.grid(axis="y", visible=False)
    return finish(figure)


def candidates(summary: pd.DataFrame, chosen: str, tolerance: float) -> Figure:
    """AUC inside periods with intervals, simplest on top; the tolerance of the best is shaded."""
    rows = summary.iloc[::-1].reset_index(drop=True)
    figure, axes = plt.subplots(figsize=(7.2, 0.9 + 0.34 * len(rows)))
    best = rows["auc"].max()
    axes.axvspan(best - tolerance, best, color=BLUE, alpha=0.15, linewidth=0)
    axes.axvline(0.5, color=INK, linewidth=1, linestyle="--")
    for y, row in rows.iterrows():
        colour = BLUE if row["candidate"] == chosen else GREY
        axes.plot(row["auc_interval"], [y, y], color=colour, linewidth=2)
        axes.plot(row["auc"], y, "o", color=colour, markersize=7)
    names = [spoken(name) + (" (chosen)" if name == chosen else "") for name in rows["candidate"]]
    axes.set_yticks(range(len(rows)), names)
    axes.set_xlabel("AUC inside periods, 95 % interval over periods")
    axes.grid(axis="y", visible=False)
    return finish(figure)


def over_periods(log: pd.DataFrame, names: list[str]) -> Figure:
    """AUC of some candidates period by period. log: candidate, start, auc."""
    figure, axes = plt.subplots()
    once = dict.fromkeys(names)
    for name, colour in zip(once, (BLUE, ORANGE, GREY, TIER_COLOURS["A"]), strict=False):
        rows = log[log["candidate"] == name].reset_index(drop=True)
        axes.plot(rows.index, rows["auc"], "o-", color=colour, label=spoken(name))
    axes.axhline(0.5, color=INK, linewidth=1, linestyle="--")
    sparse_labels(axes, rows["start"])
    axes.set_xlabel("start of the period")
    axes.set_ylabel("AUC inside the period")
    legend_above(axes)
    return finish(figure)


def flattery(pairs: pd.DataFrame) -> Figure:
    """Random split against later data. pairs: candidate, auc_later, auc_random."""
    rows = pairs.iloc[::-1].reset_index(drop=True)
    figure, axes = plt.subplots(figsize=(7.2, 0.9 + 0.32 * len(rows)))
    axes.hlines(rows.index, rows["auc_later"], rows["auc_random"], color=GRID, linewidth=3)
    axes.plot(rows["auc_later"], rows.index, "o", color=BLUE, label="later data")
    axes.plot(rows["auc_random"], rows.index, "D", color=ORANGE, label="random split")
    axes.set_yticks(rows.index, rows["candidate"].map(spoken))
    axes.set_xlabel("AUC, all judged rows together")
    axes.grid(axis="y", visible=False)
    legend_above(axes)
    return finish(figure)


def profit(curve: pd.DataFrame, contacted_share: float) -> Figure:
    """Profit by contacted share: believed and realised. The chosen share is the dashed line."""
    figure, axes = plt.subplots()
    axes.axhline(0, color=INK, linewidth=1)
    axes.plot(
        curve["contacted_share"], curve["expected_profit_eur"], color=ORANGE, label="expected"
    )
    axes.plot(curve["contacted_share"], curve["profit_eur"], color=BLUE, label="realised")
    axes.axvline(contacted_share, color=INK, linewidth=1, linestyle="--")
    axes.xaxis.set_major_formatter(SHARE)
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: format_value(value, "eur")))
    axes.set_xlabel("share of rows contacted, highest chance first")
    legend_above(axes)
    return finish(figure)


def tier_bars(
    later: pd.DataFrame, earlier: pd.DataFrame, label: str = "on the earlier rows"
) -> Figure:
    """Conversion by tier on later data with intervals; the rate of `earlier` as a line."""
    figure, axes = plt.subplots(figsize=(6.4, 3.8))
    for x, (row, before) in enumerate(zip(later.itertuples(), earlier.itertuples(), strict=True)):
        rate = row.rate if row.count else 0.0
        axes.bar(x, rate, width=0.62, color=TIER_COLOURS.get(row.name, GREY))
        axes.vlines(x, *row.interval, color=INK, linewidth=1.6)
        top = max(row.interval[1], before.rate or 0.0) if row.count else 0.0
        axes.text(x, top, f"{rate:.1%}", ha="center", va="bottom", fontsize=11)
        if before.rate is not None:
            axes.hlines(before.rate, x - 0.36, x + 0.36, color=ORANGE, linewidth=2.5)
    labels = [f"{row.name}\n{row.count:,} rows" for row in later.itertuples()]
    axes.set_xticks(range(len(later)), labels)
    axes.yaxis.set_major_formatter(SHARE)
    axes.set_ylabel("share that won")
    axes.grid(axis="x", visible=False)
    axes.plot([], [], color=ORANGE, linewidth=2.5, label=label)
    legend_above(axes)
    return finish(figure)


def gains(curve: pd.DataFrame, marks: pd.DataFrame) -> Figure:
    """Share of wins found by contacted share, with the tiers' borders.

    curve: contacted_share, found_share. marks: name ("A", "A+B"), contacted_share, share.
    """
    figure, axes = plt.subplots(figsize=(6.0, 4.4))
    axes.plot([0, 1], [0, 1], color=GREY, linewidth=1)
    axes.plot(np.r_[0, curve["contacted_share"]], np.r_[0, curve["found_share"]], color=BLUE)
    for row in marks.itertuples():
        axes.plot(row.contacted_share, row.share, "o", color=ORANGE)
        axes.annotate(
            f"{row.name}: {row.share:.0%} of wins\nin {row.contacted_share:.0%} of rows",
            (row.contacted_share, row.share),
            xytext=(8, -22),
            textcoords="offset points",
        )
    percent_both(axes)
    axes.set_xlabel("share of rows contacted, highest score first")
    axes.set_ylabel("share of wins found")
    return finish(figure)


def lift(curve: pd.DataFrame) -> Figure:
    """How many times more wins than a random order, by contacted share."""
    figure, axes = plt.subplots(figsize=(6.0, 3.0))
    shown = curve[curve["contacted_share"] >= 0.01]
    axes.plot(shown["contacted_share"], shown["lift"], color=BLUE)
    axes.axhline(1.0, color=GREY, linewidth=1)
    axes.set_xlim(0, 1)
    axes.set_ylim(bottom=0)
    axes.xaxis.set_major_formatter(SHARE)
    axes.set_xlabel("share of rows contacted, highest score first")
    axes.set_ylabel("lift")
    return finish(figure)


def stability(monthly: pd.DataFrame, names: list[str]) -> Figure:
    """Conversion by month (down) and tier (across) as a heat map: share, and of how many rows.

    Blank where a tier had nobody.
    """
    import seaborn

    order = pd.unique(monthly["month"])
    rates = monthly.pivot(index="month", columns="tier", values="rate").loc[order, names]
    counts = monthly.pivot(index="month", columns="tier", values="count").loc[order, names]
    figure, axes = plt.subplots(figsize=(6.4, 0.9 + 0.3 * len(rates)))
    pairs = zip(rates.to_numpy().ravel(), counts.to_numpy().ravel(), strict=True)
    labels = [f"{rate:.0%} of {count:,}" if count else "" for rate, count in pairs]
    seaborn.heatmap(
        rates,
        annot=np.array(labels).reshape(rates.shape),
        fmt="",
        cmap="crest",
        cbar=False,
        ax=axes,
        mask=counts.to_numpy() == 0,
    )
    axes.xaxis.tick_top()
    axes.set(xlabel="", ylabel="")
    axes.tick_params(axis="y", rotation=0)
    axes.grid(visible=False)
    return finish(figure)


def level(recent: pd.Series, outcome: pd.Series, month: pd.Series) -> Figure:
    """What the last known outcomes said, and what then came, per month or stretch of rows.

    recent: share of wins among the outcomes known at each row's time, NaN before the first.
    """
    table = pd.DataFrame({"known": recent, "came": outcome})
    means = table.groupby(month.to_numpy(), sort=False).mean()
    figure, axes = plt.subplots()
    axes.plot(means["known"].to_numpy(), color=BLUE, label="known at the time")
    axes.plot(means["came"].to_numpy(), "o", color=ORANGE, label="what then came")
    axes.yaxis.set_major_formatter(SHARE)
    axes.set_ylim(bottom=0)
    sparse_labels(axes, pd.Series(means.index))
    legend_above(axes)
    return finish(figure)
