"""Figures of a referral programme. Words and colours as in plots.py."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from tierwise import look
from tierwise.attribution import LINK, SHARE
from tierwise.customers.plots_engagement import PALE, dated, rows_axes
from tierwise.look import BLUE, GREY, INK, ORANGE, TIER_COLOURS, finish, legend_above
from tierwise.referral_page.funnel import SHARES
from tierwise.rewards import due as rd
from tierwise.rewards import ledger

GREEN = TIER_COLOURS["A"]
STATE_COLOURS = {
    ledger.PAID: GREEN,
    rd.PAYABLE: BLUE,
    rd.HELD: ORANGE,
    ledger.REFUSED: GREY,
    ledger.UNDONE: GREY,
    rd.CAPPED: PALE,
}
WORDS = {
    ("clicked", "invited"): "clicks per person invited",
    ("joined", "clicked"): "sign-ups per click",
    ("came_back", "joined"): "came back, of sign-ups",
    ("bought", "joined"): "bought, of sign-ups",
}


def steps(table: pd.DataFrame) -> Figure:
    """The funnel as bars, each with its share of the step that it is a share of.

    table: of `funnel.whole`.
    """
    figure, axes, y = rows_axes(table["step"].tolist())
    counts = table["count"].to_numpy("float64")
    axes.barh(y, counts, color=[BLUE if step != "bought" else GREEN for step in table["step"]])
    most = max(counts.max(), 1.0)
    for row, place in zip(table.itertuples(), y, strict=True):
        told = f"{row.count:,}" + ("" if pd.isna(row.share) else f"  ({row.share:.0%} of {row.of})")
        axes.text(row.count + 0.01 * most, place, told, va="center", color=INK)
    axes.set_xlim(0, 1.45 * most)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    axes.set_xlabel("people")
    return finish(figure)


def shares(table: pd.DataFrame) -> Figure:
    """Each share of the funnel by month, each on its own scale. table: of `funnel.shares`."""
    figure, panels = plt.subplots(2, 2, figsize=(7.2, 4.6), sharex=True)
    for axes, (step, of) in zip(panels.ravel(), SHARES, strict=True):
        axes.plot(table["month"], table[f"{step}_share"], "o-", color=BLUE, markersize=4)
        axes.set_title(WORDS[step, of], fontsize=10)
        axes.set_ylim(bottom=0)
        axes.yaxis.set_major_formatter(look.SHARE)
        dated(axes)
        axes.tick_params(axis="x", labelsize=8)
    return finish(figure)


def sources(table: pd.DataFrame) -> Figure:
    """Share of sign-ups by links, shared items and all else, by month.

    table: period, channel, sign_up_count.
    """
    kinds = {LINK: "links of friends", SHARE: "shared items"}
    named = table.assign(kind=table["channel"].map(kinds).fillna("by themselves"))
    counts = named.pivot_table("sign_up_count", "period", "kind", aggfunc="sum", fill_value=0)
    whole = counts.sum(axis=1)
    part = counts.div(whole.where(whole > 0, 1), axis=0)
    colours = {"links of friends": BLUE, "shared items": ORANGE, "by themselves": PALE}
    figure, axes = plt.subplots(figsize=(7.2, 3.4))
    bottom = np.zeros(len(part))
    for name, colour in colours.items():
        height = part[name].to_numpy() if name in part else np.zeros(len(part))
        axes.bar(part.index, height, bottom=bottom, width=24, color=colour, label=name)
        bottom = bottom + height
    axes.set_ylim(0, 1)
    axes.yaxis.set_major_formatter(look.SHARE)
    axes.set_ylabel("share of sign-ups")
    axes.grid(axis="x", visible=False)
    dated(axes)
    legend_above(axes)
    return finish(figure)


def rewards(table: pd.DataFrame) -> Figure:
    """Money of rewards by the month in which they became known, by state.

    table: month, a column of amounts per state.
    """
    figure, axes = plt.subplots(figsize=(7.2, 3.4))
    bottom = np.zeros(len(table))
    for state in (name for name in STATE_COLOURS if name in table):
        height = table[state].to_numpy("float64")
        colour = STATE_COLOURS[state]
        axes.bar(table["month"], height, bottom=bottom, width=24, color=colour, label=state)
        bottom = bottom + height
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"€{value:,.0f}"))
    axes.set_ylabel("rewards of both sides")
    axes.grid(axis="x", visible=False)
    if len(table):
        dated(axes)
        legend_above(axes)
    return finish(figure)
