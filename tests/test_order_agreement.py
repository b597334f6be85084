"""Orders compared: Spearman's correlation as scipy has it, and pairs that share their luck."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr

from tierwise import order_agreement as oa
from tierwise.files import InputError


def table(count=80, seed=0):
    random = np.random.default_rng(seed)
    target = random.normal(size=count)
    good, weak = target + random.normal(0, 0.5, count), target + random.normal(0, 3, count)
    columns = {
        "target": target,
        "good": good.round(1),
        "weak": weak,
        "luck": random.normal(size=count),
    }
    return pd.DataFrame(columns, index=pd.RangeIndex(count, name="provider"))


def test_agreement_is_spearmans_correlation_with_ties_too():
    rows = table()
    found = oa.compared(rows, "target", ["good", "weak"]).set_index("measure")
    for name in ("good", "weak"):
        by_scipy = spearmanr(rows["target"], rows[name]).statistic
        assert found.loc[name, "agreement"] == pytest.approx(by_scipy)
        assert found.loc[name, "low"] < by_scipy < found.loc[name, "high"]


def test_counts_are_the_same_as_rows_written_so_often():
    rows = table(30)
    counts = np.random.default_rng(1).integers(0, 4, (5, 30)).astype("float64")
    found = oa.spearman(rows["target"].to_numpy(), rows["good"].to_numpy(), counts)
    for value, row in zip(found, counts, strict=True):
        again = rows.loc[np.repeat(np.arange(30), row.astype(int))]
        assert value == pytest.approx(spearmanr(again["target"], again["good"]).statistic)


def test_a_difference_is_surer_than_two_intervals_let_fear():
    found = oa.compared(table(), "target", ["good", "weak", "luck"])
    first, weak, luck = found.itertuples()
    assert (first.ahead, first.ahead_low, first.ahead_high) == (0, 0, 0)
    assert weak.ahead == pytest.approx(first.agreement - weak.agreement)
    assert 0 < weak.ahead_low < weak.ahead < weak.ahead_high
    assert luck.low < 0 < luck.high


def test_a_measure_that_says_nothing_agrees_with_nothing():
    found = oa.compared(table().assign(same=1.0), "target", ["good", "same"])
    assert found["agreement"].tolist()[1] == 0


def test_quarters_are_compared_within_themselves():
    rows = pd.concat([table(seed=0).assign(quarter="a"), table(seed=1).assign(quarter="b")])
    apart = rows.assign(target=rows["target"] + 100 * (rows["quarter"] == "b"))
    one, other = (oa.compared(each, "target", ["good"], "quarter") for each in (rows, apart))
    pd.testing.assert_frame_equal(one, other)
    by_scipy = [
        spearmanr(part["target"], part["good"]).statistic for _, part in rows.groupby("quarter")
    ]
    assert one["agreement"][0] == pytest.approx(np.mean(by_scipy))


def test_quarters_of_one_provider_are_no_more_providers():
    rows = pd.concat([table().assign(quarter=n) for n in range(4)])
    once = oa.compared(table(), "target", ["weak"])
    again = oa.compared(rows, "target", ["weak"], "quarter")
    wide = (once["high"] - once["low"])[0]
    assert (again["high"] - again["low"])[0] == pytest.approx(wide, rel=1e-6)


def test_rows_that_lack_a_measure_are_left_out_for_all():
    rows = table()
    rows.loc[:39, "weak"] = np.nan
    found = oa.compared(rows, "target", ["good", "weak"])
    half = oa.compared(rows.loc[40:], "target", ["good", "weak"])
    pd.testing.assert_frame_equal(found, half)


def test_ninety_percent_intervals_hold_in_about_ninety_percent():
    true = spearmanr(table(200_000)["target"], table(200_000)["weak"]).statistic
    held = []
    for seed in range(60):
        line = oa.compared(table(60, seed + 5), "target", ["weak"]).iloc[0]
        held.append(line["low"] <= true <= line["high"])
    assert 0.8 <= np.mean(held) <= 0.97


def test_too_few_providers_are_said():
    with pytest.raises(InputError, match="9 providers"):
        oa.compared(table(9), "target", ["good"])
