"""Hypotheses: declared first, judged together, and never found by looking."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from statsmodels.stats.multitest import multipletests

from tierwise.files import InputError
from tierwise.funnels import hypotheses as hy

DAY = "2026-03-01"


def entry(name="sport buys more", **changes):
    base = {"name": name, "declared_at": DAY, "measure": "bought", "expected": "higher"}
    return base | {"first": {"segment": 1}, "second": {"segment": 2}} | changes


def rows(first, second, known_at="2026-04-01"):
    """Values of segment 1 and 2."""
    segment = np.repeat([1, 2], [len(first), len(second)])
    table = pd.DataFrame({"segment": segment, "bought": np.concatenate([first, second])})
    return table.assign(known_at=pd.Timestamp(known_at))


def coins(seed, *shares, count=200):
    random = np.random.default_rng(seed)
    return [(random.random(count) < share).astype(float) for share in shares]


def test_a_difference_that_is_there_is_supported_and_the_other_way_round_is_not():
    table = rows(*coins(0, 0.5, 0.25))
    found = hy.judged(hy.declared([entry(), entry("less", expected="lower")]), table)
    assert found["verdict"].tolist() == [hy.SUPPORTED, hy.OPPOSITE]
    low, high = found["interval"].iloc[0]
    wide_low, wide_high = found["interval_all"].iloc[0]
    assert wide_low < low < found["difference"].iloc[0] < high < wide_high


def test_among_twenty_hypotheses_about_nothing_almost_never_one_is_supported():
    names = [f"measure_{at}" for at in range(20)]
    any_found = raw = 0
    for seed in range(6):
        random = np.random.default_rng(seed)
        table = pd.DataFrame(random.normal(size=(200, 20)), columns=names)
        table = table.assign(segment=np.repeat([1, 2], 100), known_at=pd.Timestamp("2026-04-01"))
        entries = [entry(name, measure=name, expected="different") for name in names]
        found = hy.judged(hy.declared(entries), table)
        any_found += (found["verdict"] == hy.SUPPORTED).any()
        raw += (found["p"] < 0.05).any()
    assert any_found <= 2
    assert raw > 2


def test_corrections_are_those_of_another_library():
    random = np.random.default_rng(3)
    p = random.random(15) ** 3
    assert hy.holm(p) == pytest.approx(multipletests(p, method="holm")[1])
    names = [f"measure_{at}" for at in range(6)]
    table = pd.DataFrame(random.normal(size=(120, 6)), columns=names)
    table["measure_0"] += np.repeat([0, 1], 60)
    table = table.assign(segment=np.repeat([1, 2], 60), known_at=pd.Timestamp("2026-04-01"))
    found = hy.judged(hy.declared([entry(name, measure=name) for name in names]), table)
    assert found["p_holm"].to_numpy() == pytest.approx(multipletests(found["p"], method="holm")[1])
    assert found["p_bh"].to_numpy() == pytest.approx(multipletests(found["p"], method="fdr_bh")[1])
    welch = stats.ttest_ind(table["measure_1"][:60], table["measure_1"][60:], equal_var=False)
    assert found["p"].iloc[1] == pytest.approx(welch.pvalue)


def test_rows_known_before_the_declaration_do_not_count():
    early = rows(*coins(1, 0.9, 0.1), known_at="2026-02-01")
    late = rows(*coins(2, 0.3, 0.3))
    found = hy.judged(hy.declared([entry()]), pd.concat([early, late], ignore_index=True))
    assert found["earlier_count"].tolist() == [400]
    assert found["first_count"].tolist() == [200]
    assert found["verdict"].tolist() == [hy.NOT_SHOWN]


def test_declared_after_the_data_is_shown_and_not_supported_and_does_not_burden_the_others():
    table = rows(*coins(0, 0.5, 0.25))
    both = hy.declared([entry(), entry("afterwards", declared_at="2026-05-01")])
    found = hy.judged(both, table)
    assert found["verdict"].tolist() == [hy.SUPPORTED, hy.LATE]
    assert found["difference"].iloc[1] == pytest.approx(found["difference"].iloc[0])
    assert found[["p", "p_holm", "p_bh"]].iloc[1].isna().all()
    assert found["p_holm"].iloc[0] == found["p"].iloc[0]


def test_a_row_known_at_the_instant_of_the_declaration_counts():
    found = hy.judged(hy.declared([entry()]), rows(*coins(0, 0.5, 0.25), known_at=DAY))
    assert found["verdict"].tolist() == [hy.SUPPORTED]


def test_few_rows_are_too_early_and_equal_values_show_nothing():
    few = hy.judged(hy.declared([entry()]), rows(np.ones(19), np.zeros(100)))
    assert few["verdict"].tolist() == [hy.TOO_EARLY]
    same = hy.judged(hy.declared([entry()]), rows(np.full(30, 7.0), np.full(30, 7.0)))
    assert same["verdict"].tolist() == [hy.NOT_SHOWN]
    nobody = hy.judged(hy.declared([entry(first={"segment": 9})]), rows(np.ones(30), np.zeros(30)))
    assert nobody["verdict"].tolist() == [hy.TOO_EARLY]
    assert hy.judged([], rows(np.ones(30), np.zeros(30))).empty


def test_sides_may_not_overlap():
    same = hy.declared([entry(second={"segment": 1})])
    with pytest.raises(InputError, match="60 rows are on both sides"):
        hy.judged(same, rows(np.ones(60), np.zeros(9)))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"expected": "better"}, "higher, lower, different, found 'better'"),
        ({"declared_at": "soon"}, "a date such as 2026-03-01, found 'soon'"),
        ({"measures": "x"}, "Hypothesis 1: measures"),
    ],
)
def test_an_entry_that_cannot_be_says_why(change, says):
    with pytest.raises(InputError, match=says):
        hy.declared([entry(**change)])


def test_names_and_columns_are_checked():
    with pytest.raises(InputError, match="sport buys more stands twice"):
        hy.declared([entry(), entry()])
    with pytest.raises(InputError, match="needs the column spent"):
        hy.judged(hy.declared([entry(measure="spent")]), rows(np.ones(30), np.zeros(30)))
