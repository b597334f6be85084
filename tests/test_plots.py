"""Figures survive awkward tables, come out the same each time, and leave nothing open."""

import xml.etree.ElementTree as ElementTree

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from figures import STRANGE, drawn_twice, svg, untried
from tierwise import plots


@pytest.fixture(autouse=True)
def style():
    with plt.rc_context():
        plots.style()
        yield


def times(recent):
    """Recent shares of wins, outcomes, and a strange name for every other stretch."""
    count = len(recent)
    month = pd.Series(np.where(np.arange(count) % 2, STRANGE, "2026-01"))
    return pd.Series(recent), pd.Series(np.arange(count) % 2), month


def months(count=3, rate=0.1):
    spans = ["learn", "tune", "judge", ""]
    return pd.DataFrame(
        {
            "month": [f"rows {n}–{n + 1}" for n in range(count)],
            "rows_count": np.arange(count) * 1000,
            "rate": [rate] * count,
            "span": [spans[n % 4] for n in range(count)],
        }
    )


def audit(*names, auc=0.61):
    return pd.DataFrame(
        {"column": names, "auc_in_period": auc, "refused": [n % 2 == 0 for n in range(len(names))]}
    )


def claim(*values):
    return pd.DataFrame({"columns": ["with the refused", "without"][: len(values)], "auc": values})


def summary(names, auc=0.6, interval=(0.55, 0.65)):
    rows = [{"candidate": name, "auc": auc, "auc_interval": list(interval)} for name in names]
    return pd.DataFrame(rows)


def log(names, count, auc=0.6):
    starts = [f"2026-{n % 12 + 1:02d}" for n in range(count)]
    rows = [{"candidate": c, "start": start, "auc": auc} for c in names for start in starts]
    return pd.DataFrame(rows)


def curve(chance=(0.1, 0.3), rate=(0.2, 0.3), interval=(0.1, 0.4)):
    bins = [list(interval) for _ in chance]
    return pd.DataFrame({"chance": chance, "rate": rate, "interval": bins})


def money(shares=(0.5, 1.0), profit=(10.0, -2e6)):
    columns = ("expected_profit_eur", "profit_eur", "recall", "precision", "found_share", "lift")
    return pd.DataFrame({"contacted_share": shares} | dict.fromkeys(columns, profit))


def tiers(*names, counts=(10, 0, 5)):
    rows = [
        {
            "name": name,
            "count": count,
            "rate": 0.3 if count else None,
            "interval": [0.1, 0.6] if count else [0.0, 1.0],
        }
        for name, count in zip(names, counts, strict=False)
    ]
    return pd.DataFrame(rows)


def marks(name, share=0.4):
    return pd.DataFrame([{"name": name, "contacted_share": 0.2, "share": share}])


def monthly(count, names, empty=()):
    rows = []
    for month in range(count):
        for name in names:
            some = 0 if name in empty else 4
            rate = 0.25 if some else np.nan
            rows.append({"month": f"m{month}", "tier": name, "count": some, "rate": rate})
    return pd.DataFrame(rows)


LONG = "a column whose name is far too long for the margin of a figure"
DRAWN = {
    "months: three": lambda: plots.months(months()),
    "months: one": lambda: plots.months(months(1)),
    "months: forty": lambda: plots.months(months(40)),
    "months: no rate": lambda: plots.months(months(4, np.nan)),
    "alone: strange names": lambda: plots.alone(audit(STRANGE, "<script>", "", LONG), 0.78),
    "alone: one column": lambda: plots.alone(audit("a"), 0.78),
    "alone: numbers as names": lambda: plots.alone(audit("2024", "2025"), 0.78),
    "alone: below a coin": lambda: plots.alone(audit("a", "b", auc=0.31), 0.78),
    "alone: perfect": lambda: plots.alone(audit("a", auc=1.0), 0.78),
    "alone: two hundred": lambda: plots.alone(audit(*[f"c{n}" for n in range(200)]), 0.78),
    "claims: two": lambda: plots.claims(claim(0.9, 0.6)),
    "claims: one": lambda: plots.claims(claim(0.6)),
    "claims: below a coin": lambda: plots.claims(claim(0.45, 0.5)),
    "candidates": lambda: plots.candidates(summary(["base_rate", "xgboost"]), "xgboost", 0.005),
    "candidates: one": lambda: plots.candidates(summary(["base_rate"]), "base_rate", 0.0),
    "candidates: points": lambda: plots.candidates(
        summary(["a", "b"], 0.5, (0.5, 0.5)), "a", 0.005
    ),
    "periods": lambda: plots.over_periods(log(["a", "b"], 8), ["a", "b"]),
    "periods: one": lambda: plots.over_periods(log(["a"], 1), ["a"]),
    "periods: forty": lambda: plots.over_periods(log(["a"], 40), ["a"]),
    "periods: undefined": lambda: plots.over_periods(log(["a"], 3, np.nan), ["a"]),
    "periods: same name twice": lambda: plots.over_periods(log(["a"], 3), ["a", "a"]),
    "flattery": lambda: plots.flattery(
        pd.DataFrame(
            {"candidate": ["a", "b"], "auc_later": [0.5, np.nan], "auc_random": [0.5, 0.9]}
        )
    ),
    "level": lambda: plots.level(*times(np.linspace(0.1, 0.4, 60))),
    "level: nothing known": lambda: plots.level(*times(np.full(3, np.nan))),
    "profit": lambda: plots.profit(money(), 0.5),
    "profit: one row": lambda: plots.profit(money([1.0], [0.0]), 1.0),
    "tier bars": lambda: plots.tier_bars(tiers("A", "B", "C"), tiers("A", "B", "C")),
    "tier bars: strange": lambda: plots.tier_bars(tiers(STRANGE, "<"), tiers(STRANGE, "<")),
    "tier bars: all empty": lambda: plots.tier_bars(
        tiers("A", "B", counts=(0, 0)), tiers("A", "B", counts=(0, 0))
    ),
    "gains": lambda: plots.gains(money(profit=(0.4, 1.0)), marks("A")),
    "gains: strange": lambda: plots.gains(money([1.0], [1.0]), marks(STRANGE, 1.0)),
    "gains: nothing found": lambda: plots.gains(money([1.0], [0.0]), marks("A", 0.0)),
    "lift": lambda: plots.lift(money(profit=(1.7, 1.0))),
    "lift: one row": lambda: plots.lift(money([1.0], [0.0])),
    "stability": lambda: plots.stability(monthly(3, "ABC"), list("ABC")),
    "stability: one month": lambda: plots.stability(monthly(1, "ABC"), list("ABC")),
    "stability: forty months": lambda: plots.stability(monthly(40, "ABC"), list("ABC")),
    "stability: empty tier": lambda: plots.stability(monthly(3, "ABC", "B"), list("ABC")),
    "stability: strange": lambda: plots.stability(monthly(2, [STRANGE, "<"]), [STRANGE, "<"]),
}


@pytest.mark.parametrize("name", DRAWN)
def test_every_figure_is_drawn_without_a_warning_and_the_same_twice(name):
    first, second = drawn_twice(DRAWN[name])
    assert first == second


def test_every_figure_of_the_module_is_tried():
    """A figure is whatever the module defines that returns one."""
    assert not untried(plots, DRAWN)


def text_of(figure):
    tree = ElementTree.fromstring(svg(figure))
    texts = tree.iter("{http://www.w3.org/2000/svg}text")
    return ["".join(item.itertext()).strip() for item in texts]


@pytest.mark.parametrize(
    "name", ["alone: strange names", "tier bars: strange", "gains: strange", "stability: strange"]
)
def test_names_are_shown_as_they_are_and_never_as_formulas(name):
    shown = " ".join(text_of(DRAWN[name]()))
    assert STRANGE in shown
    assert "\\" not in shown.replace(STRANGE, "")


def test_text_stays_text_that_can_be_searched_and_recoloured():
    shown = text_of(plots.tier_bars(tiers("A", "B"), tiers("A", "B")))
    assert "10 rows" in " ".join(shown)
    assert "share that won" in shown


def test_figures_have_no_ground_of_their_own():
    """A report is read on white and on black."""
    figure = plots.lift(money())
    assert figure.get_facecolor()[3] == 0
    assert figure.axes[0].get_facecolor()[3] == 0


def test_long_names_are_cut_and_short_ones_kept():
    assert plots.short("amount") == "amount"
    assert len(plots.short(LONG)) == 34
    assert plots.short(LONG).endswith("…")


def test_columns_whose_names_are_cut_alike_keep_a_bar_each():
    figure = plots.alone(audit(LONG + " a", LONG + " b", "c"), 0.78)
    places = {round(bar.get_y(), 3) for bar in figure.axes[0].patches}
    assert len(places) == 3


def test_candidate_named_twice_has_one_line_in_the_legend():
    figure = plots.over_periods(log(["xgboost", "b"], 3), ["b", "xgboost", "xgboost"])
    legend = figure.axes[0].get_legend()
    assert [text.get_text() for text in legend.get_texts()] == ["b", "xgboost"]


def test_chosen_candidate_is_named():
    figure = plots.candidates(summary(["base_rate", "naive_bayes"]), "naive_bayes", 0.01)
    labels = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert labels == ["naive bayes (chosen)", "base rate"]
