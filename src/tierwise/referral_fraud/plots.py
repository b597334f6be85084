"""Figures of the page about referrals that look wrong. Each draws what a method returned."""

from collections.abc import Mapping
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, PercentFormatter

from tierwise.look import BLUE, GREY, INK, ORANGE, SHARE, TIER_COLOURS, finish, legend_above, spoken
from tierwise.referral_fraud import signs as sg
from tierwise.referral_fraud.found import Found

FAMILIES = tuple(dict.fromkeys(sg.FAMILIES.values()))
MOST_GROUPS = 12


def parts_of(found: Found, most: int = MOST_GROUPS) -> pd.DataFrame:
    """Mean weight of each family of signs in the first groups of the queue; index group_id."""
    family = pd.Series(sg.FAMILIES)
    by_family = found.weights.T.groupby(family).sum().T[list(FAMILIES)]
    mean = by_family.groupby(found.rows["group_id"]).mean()
    return mean.reindex(found.groups["group_id"].head(most))


def parts(found: Found, most: int = MOST_GROUPS) -> Figure:
    """What speaks against each group: mean weight by family of signs, the first group on top."""
    table = parts_of(found, most)
    figure, axes = plt.subplots(figsize=(7.2, 1.3 + 0.32 * max(len(table), 1)))
    values = table.to_numpy("float64")
    cap = found.asked.cap
    if len(table):
        axes.imshow(values, cmap="RdBu_r", vmin=-1.6 * cap, vmax=1.6 * cap, aspect="auto")
    for row, column in np.argwhere(np.abs(values) >= 0.05):
        value = values[row, column]
        axes.text(
            column, row, f"{value:.1f}", ha="center", va="center", fontsize=9, color="#1a1a1a"
        )
    axes.set_xticks(np.arange(len(FAMILIES)), FAMILIES, rotation=30, ha="left")
    axes.xaxis.tick_top()
    sums = [f"group {group}: {total:.1f}" for group, total in table.sum(axis=1).items()]
    axes.set_yticks(np.arange(len(table)), sums)
    axes.grid(visible=False)
    axes.set_xlabel(f"mean weight of a friend; flagged from {found.asked.threshold:.1f} on")
    return finish(figure)


def by_kind(table: pd.DataFrame) -> Figure:
    """Of the claims of each kind of ring, shares refused by the rules, flagged, and missed."""
    rows = table[table["claim_count"] > 0].iloc[::-1]
    figure, axes = plt.subplots(figsize=(7.2, 1.0 + 0.42 * max(len(rows), 1)))
    left = np.zeros(len(rows))
    colours = {"refused": GREY, "flagged": BLUE, "missed": ORANGE}
    labels = {"refused": "refused by the rules", "flagged": "flagged", "missed": "missed"}
    for name, colour in colours.items():
        share = (rows[f"{name}_count"] / rows["claim_count"]).to_numpy()
        axes.barh(np.arange(len(rows)), share, left=left, color=colour, label=labels[name])
        left += share
    axes.set_yticks(
        np.arange(len(rows)),
        [
            f"{spoken(kind)} ({n})"
            for kind, n in zip(rows["kind"], rows["claim_count"], strict=True)
        ],
    )
    axes.set_xlim(0, 1)
    axes.xaxis.set_major_formatter(SHARE)
    axes.set_xlabel("claims of members of rings, their number in brackets")
    axes.grid(axis="y", visible=False)
    legend_above(axes)
    return finish(figure)


def curve(known: Mapping[str, Any], threshold: float, most_share: float = 0.1) -> Figure:
    """Rings found against honest members flagged, for every threshold; a dot at the one in use."""
    table = known["curve"]
    figure, axes = plt.subplots(figsize=(6.4, 3.6))
    axes.step(
        table["honest_flagged_share"], table["recall_share"], where="post", color=BLUE,
        label="every threshold",
    )  # fmt: skip
    axes.plot(
        [known["honest_flagged"]], [known["recall"]], "o", color=ORANGE, zorder=3,
        label=f"threshold in use, {threshold:.1f}",
    )  # fmt: skip
    axes.axvline(0.02, color=INK, linewidth=1, linestyle="--", label="2 %")
    axes.set_xlim(0, most_share)
    axes.set_ylim(0, 1.02)
    axes.xaxis.set_major_formatter(SHARE)
    axes.yaxis.set_major_formatter(SHARE)
    axes.set_xlabel("honest friends flagged")
    axes.set_ylabel("members of rings found")
    legend_above(axes)
    return finish(figure)


def honest(table: pd.DataFrame) -> Figure:
    """Share of honest friends flagged, by kind, with 90 % intervals."""
    rows = table[table["credited_count"] > 0].iloc[::-1].reset_index(drop=True)
    figure, axes = plt.subplots(figsize=(7.2, 1.0 + 0.42 * max(len(rows), 1)))
    axes.hlines(rows.index, rows["low"], rows["high"], color=BLUE, linewidth=4, alpha=0.5)
    axes.plot(rows["flagged_share"], rows.index, "o", color=BLUE)
    names = [
        f"{kind} ({n:,})" for kind, n in zip(rows["kind"], rows["credited_count"], strict=True)
    ]
    axes.set_yticks(rows.index, names)
    axes.axvline(0.02, color=INK, linewidth=1, linestyle="--")
    axes.set_ylim(-0.6, len(rows) - 0.4)
    axes.set_xlim(0, max(1.1 * float(rows["high"].max() if len(rows) else 0), 0.05))
    axes.xaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    axes.set_xlabel("honest friends flagged, 90 % interval (dashed: 2 %)")
    axes.grid(axis="y", visible=False)
    return finish(figure)


def ledger(table: pd.DataFrame) -> Figure:
    """Euros by state. table: state, amount_eur, reward_count of `ledger.sums`."""
    rows = table.iloc[::-1].reset_index(drop=True)
    figure, axes = plt.subplots(figsize=(7.2, 0.9 + 0.36 * len(rows)))
    colour = [TIER_COLOURS["A"] if state == "payable" else BLUE for state in rows["state"]]
    axes.barh(rows.index, rows["amount_eur"], color=colour, height=0.6)
    most = max(float(rows["amount_eur"].max()), 1.0)
    for at, row in enumerate(rows.itertuples()):
        words = f"€{row.amount_eur:,.2f} ({row.reward_count:,})"
        axes.text(row.amount_eur + 0.01 * most, at, words, va="center", fontsize=9)
    axes.set_yticks(rows.index, rows["state"])
    axes.set_xlim(0, 1.35 * most)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"€{value:,.0f}"))
    axes.set_xlabel("euros by state, number of rewards in brackets")
    axes.grid(axis="y", visible=False)
    return finish(figure)
