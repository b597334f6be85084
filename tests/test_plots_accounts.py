"""Figures about accounts hold what they were given, as text, and draw with little to show."""

import re
import warnings

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_rgba

from figures import STRANGE, drawn_twice, svg, untried
from tierwise import plots
from tierwise.companies import plots_accounts
from tierwise.files import InputError
from tierwise.look import BLUE, ORANGE

ESCAPED = b"$\\frac$ &lt;b&gt;&amp;amp;"  # STRANGE as XML says it


@pytest.fixture(autouse=True)
def style():
    with plt.rc_context():
        plots.style()
        yield


def table(count, **columns):
    return pd.DataFrame({name: [value] * count for name, value in columns.items()})


def spends(count):
    return table(count, name=STRANGE, expected_eur=5e3, lower_eur=1e3, upper_eur=9e3)


def candidates(count, hit_3=0.5):
    return table(count, candidate=STRANGE, hit_1=hit_3 / 2, hit_3=hit_3)


def chances(count):
    return table(count, chances=STRANGE, rows_count=1_200, chance=0.1, signed_share=0.2)


def effects(count):
    return table(count, words=STRANGE, odds_ratio=1.5)


def teams(count):
    return table(count, team=STRANGE, chance=0.5, low=0.4, high=0.6)


DRAWN = {
    "hits": lambda count: plots_accounts.hits(candidates(count), {}),
    "kept_chances": lambda count: plots_accounts.kept_chances(chances(count)),
    "odds": lambda count: plots_accounts.odds(effects(count)),
    "ranges": lambda count: plots_accounts.ranges(spends(count)),
    "strengths": lambda count: plots_accounts.strengths(teams(count)),
    "captured": lambda count: plots_accounts.captured(np.ones(count), {STRANGE: np.ones(count)}),
    "deciles": lambda count: plots_accounts.deciles(np.ones(count), np.ones(count)),
}
TABLES = [name for name in DRAWN if name not in ("captured", "deciles")]


def labels(figure):
    axes = figure.axes[0]
    legend = axes.get_legend()
    told = [*axes.get_xticklabels(), *axes.get_yticklabels(), *axes.texts]
    return [text.get_text() for text in [*told, *(legend.get_texts() if legend else [])]]


def test_every_figure_is_tried_here():
    assert not untried(plots_accounts, DRAWN)


@pytest.mark.parametrize("name", DRAWN)
@pytest.mark.parametrize("count", [1, 3])
def test_a_figure_comes_out_the_same_twice_without_a_warning(name, count):
    first, second = drawn_twice(lambda: DRAWN[name](count))
    assert first == second


@pytest.mark.parametrize("name", [*TABLES, "captured"])
def test_hostile_text_stays_text(name):
    figure = DRAWN[name](2)
    assert isinstance(figure, plt.Figure)
    wanted = 1 if name == "captured" else 2
    assert sum(label.startswith(STRANGE) for label in labels(figure)) == wanted
    assert svg(figure).count(ESCAPED) >= wanted


def test_of_a_long_name_the_beginning_is_shown():
    long = spends(1).assign(name="x" * 50)
    assert "x" * 33 + "…" in labels(plots_accounts.ranges(long))


@pytest.mark.parametrize("name", TABLES)
def test_an_empty_table_gives_an_empty_figure(name):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figure = DRAWN[name](0)
        svg(figure)
    assert not figure.axes[0].patches
    assert not any(STRANGE in label for label in labels(figure))


@pytest.mark.parametrize("name", ["captured", "deciles"])
def test_without_accounts_the_reason_is_told(name):
    with pytest.raises(InputError):
        DRAWN[name](0)


def test_spend_of_nobody_cannot_be_shared_out():
    with pytest.raises(InputError, match="None of 3 accounts spent anything.*horizon_days"):
        plots_accounts.captured(np.zeros(3), {"model": np.arange(3.0)})


def test_a_candidate_that_never_hits_is_drawn():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figure = plots_accounts.hits(candidates(2, 0.0), {})
    assert labels(figure).count(" 0% / 0%") == 2


def test_a_candidate_is_called_by_its_name_or_spoken():
    found = pd.DataFrame({"candidate": ["learned", "by_lot"], "hit_1": [0.5, 0.2]})
    shown = labels(plots_accounts.hits(found.assign(hit_3=0.6), {"learned": "learned from orders"}))
    assert "learned from orders" in shown
    assert "by lot" in shown
    assert " 50% / 60%" in shown


def test_the_first_row_stands_on_top():
    found = spends(3).assign(name=["first", "second", "third"], expected_eur=[3.0, 2.0, 1.0])
    axes = plots_accounts.ranges(found).axes[0]
    told = {text.get_text(): text.get_position()[1] for text in axes.get_yticklabels()}
    assert told["first"] > told["second"] > told["third"]
    values = dict(zip(axes.lines[0].get_ydata(), axes.lines[0].get_xdata(), strict=True))
    assert values[told["first"]] == 3.0


def test_two_effects_of_the_same_words_keep_a_bar_each_by_direction():
    axes = plots_accounts.odds(effects(2).assign(odds_ratio=[2.0, 0.5])).axes[0]
    bars = sorted(axes.patches, key=lambda bar: -bar.get_y())
    assert [bar.get_width() for bar in bars] == [1.0, -1.0]  # as doublings
    assert [bar.get_facecolor() for bar in bars] == [to_rgba(BLUE), to_rgba(ORANGE)]


def test_the_curve_of_the_right_order_gathers_spend_first():
    spend = np.array([10.0, 60.0, 30.0])
    axes = plots_accounts.captured(spend, {"right": spend, "wrong": -spend}).axes[0]
    right, wrong, by_lot = (line.get_ydata() for line in axes.lines)
    assert right == pytest.approx([0, 0.6, 0.9, 1])
    assert wrong == pytest.approx([0, 0.1, 0.4, 1])
    assert list(by_lot) == [0, 1]


def test_tenths_stand_in_the_order_of_what_was_expected():
    expected = np.arange(20.0)
    axes = plots_accounts.deciles(expected + 1, expected).axes[0]
    heights = [bar.get_height() for bar in axes.patches]
    assert heights == pytest.approx([1.5 + 2 * n for n in range(10)])
    assert axes.lines[0].get_ydata() == pytest.approx([0.5 + 2 * n for n in range(10)])


def test_promised_and_kept_stand_side_by_side_with_their_counts():
    axes = plots_accounts.kept_chances(chances(1).assign(chances="5% to 10%")).axes[0]
    assert axes.patches[0].get_height() == 0.2
    assert list(axes.lines[0].get_ydata()) == [0.1]
    assert labels(axes.figure)[0] == "5% to 10%\n1,200 people"


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (0, "€0"),
        (950, "€950"),
        (9_500, "€9,500"),
        (25_000, "€25k"),
        (999_499, "€999k"),
        (999_600, "€1M"),
        (1.5e6, "€1.5M"),
        (999.6e6, "€1,000M"),
        (2.3e9, "€2,300M"),
    ],
)
def test_euros_are_short(value, told):
    assert plots_accounts.euros(value) == told


@pytest.mark.parametrize("exponent", range(12))
def test_no_amount_is_written_with_an_exponent(exponent):
    assert re.fullmatch(r"€[\d,.]+[kM]?", plots_accounts.euros(9.996 * 10**exponent))
