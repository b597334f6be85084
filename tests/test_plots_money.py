"""Figures of thresholds mark the point that was chosen and draw with nothing to show."""

import numpy as np

from tierwise import contacts, plots_money, thresholds


def frontier(value=40.0):
    random = np.random.default_rng(0)
    chance = random.beta(1.5, 6, 300)
    won = (random.random(300) < chance).astype(float)
    choice = thresholds.choose("profit", chance, value, 4.0)
    return contacts.frontier(won, chance, value, 4.0, random.integers(9, size=300), choice)


def texts(figure):
    return " ".join(text.get_text() for text in figure.axes[0].texts)


def test_the_frontier_marks_the_room_there_is_or_its_end_without_a_limit():
    curve = frontier()
    row = curve.iloc[4]
    marked = texts(plots_money.frontier(curve, 5))
    assert marked.startswith(f"5 a day: {row['contacts_count']:.0f} contacts")
    for room in (None, 10_000):
        marked = texts(plots_money.frontier(curve, room))
        assert marked.startswith(f"{len(curve)} a day")


def test_a_frontier_on_which_nothing_pays_is_drawn_without_a_mark():
    assert texts(plots_money.frontier(frontier(value=1.0), 5)) == ""


def test_each_aim_stands_at_its_threshold():
    chance = np.random.default_rng(0).beta(1.5, 6, 300)
    aims = {aim: thresholds.choose(aim, chance, 40.0, 4.0).threshold for aim in thresholds.AIMS}
    figure = plots_money.aims(thresholds.expected_f1(chance), aims)
    dotted = [line.get_xdata()[0] for line in figure.axes[0].lines if line.get_linestyle() == ":"]
    assert dotted == list(aims.values())
    assert texts(figure) == "profit f1 recall"
