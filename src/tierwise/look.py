"""What all figures share: colours, labels that fit, legends out of the way.

INK and GRID are recoloured by the report's style sheet in dark mode, the other colours hold on
both grounds. Colours are told apart by people with any colour vision and never carry a meaning
alone.
"""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

INK = "#1f2933"
GRID = "#d9dfe5"
BLUE = "#2f7ed8"
ORANGE = "#d9822b"
GREY = "#8a97a5"
TIER_COLOURS = {"A": "#1b9e77", "B": "#5b8def", "C": "#9aa5b1"}
SHARE = PercentFormatter(1.0, decimals=0)


def spoken(name: str) -> str:
    """A name of code as words: "best_single_column" -> "best single column"."""
    return name.replace("_", " ")


def finish(figure: Figure) -> Figure:
    figure.tight_layout()
    plt.close(figure)
    return figure


def sparse_labels(axes: Axes, labels: pd.Series, most: int = 9) -> None:
    step = max(1, int(np.ceil(len(labels) / most)))
    axes.set_xticks(np.arange(0, len(labels), step), list(labels.iloc[::step]))
    axes.tick_params(axis="x", rotation=30 if len(labels) > 4 else 0)


def short(text: str, most: int = 34) -> str:
    """A label that fits."""
    return text if len(text) <= most else text[: most - 1] + "…"


def legend_above(axes: Axes) -> None:
    """Above the axes, where no line can run into it."""
    axes.legend(ncols=4, loc="lower left", bbox_to_anchor=(0, 1.0), borderaxespad=0.3)


def percent_both(axes: Axes) -> None:
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1.02)
    axes.xaxis.set_major_formatter(SHARE)
    axes.yaxis.set_major_formatter(SHARE)
