"""Figures of what became of promises. Words and colours as in plots.py."""

from typing import Any

from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from tierwise.plots import BLUE, GREY, INK, SHARE, finish


def uplift(found: dict[str, Any]) -> Figure:
    """Share of wins among deals that saw their tier and among those held out, with intervals.

    found: of `uplift.measured`.
    """
    figure, axes = plt.subplots(figsize=(4.8, 3.6))
    groups = [("tier shown", found["shown"], BLUE), ("held out", found["held_out"], GREY)]
    for x, (_, group, colour) in enumerate(groups):
        rate = group["rate"] if group["count"] else 0.0
        axes.bar(x, rate, width=0.55, color=colour)
        axes.vlines(x, *group["interval"], color=INK, linewidth=1.6)
        axes.text(x, group["interval"][1], f"{rate:.1%}", ha="center", va="bottom", fontsize=11)
    axes.set_xticks(
        range(len(groups)), [f"{name}\n{group['count']:,} deals" for name, group, _ in groups]
    )
    axes.set_xlim(-0.6, len(groups) - 0.4)
    axes.yaxis.set_major_formatter(SHARE)
    axes.set_ylabel("share that won")
    axes.grid(axis="x", visible=False)
    return finish(figure)
