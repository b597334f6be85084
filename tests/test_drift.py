"""Movement is told from noise, level from rank, and a column put back is as it was before."""

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit
from scipy.stats import chi2, entropy, kstest

from tierwise import drift

COUNT = 2000


def normal(seed=0, count=COUNT, mean=0.0):
    return pd.Series(np.random.default_rng(seed).normal(mean, size=count))


def index_of(earlier, later):
    return drift.psi(*drift.bins_of(pd.Series(earlier), pd.Series(later)))[0]


# PSI


def test_psi_is_the_sum_of_both_divergences_of_kullback_and_leibler():
    """scipy.stats.entropy(q, p) + entropy(p, q), the divergence of Jeffreys."""
    random = np.random.default_rng(0)
    p, q = random.integers(0, 6, 5000), random.choice(6, 3000, p=[0.3, 0.3, 0.1, 0.1, 0.1, 0.1])
    shares = [np.bincount(codes, minlength=6) / len(codes) for codes in (p, q)]
    assert drift.psi(p, q)[0] == pytest.approx(entropy(*shares) + entropy(*shares[::-1]))


def test_psi_by_hand():
    """Two bins, 50:50 becomes 80:20: 0.3 ln 1.6 + 0.3 ln 2.5."""
    earlier, later = np.repeat([0, 1], [50, 50]), np.repeat([0, 1], [80, 20])
    assert drift.psi(earlier, later)[0] == pytest.approx(0.3 * np.log(1.6) + 0.3 * np.log(2.5))


def test_psi_of_the_same_rows_is_zero_and_order_and_direction_do_not_count():
    a, b = normal(0), normal(1, mean=0.5)
    assert index_of(a, a) == 0.0
    assert index_of(a, b.sample(frac=1, random_state=0)) == index_of(a, b)
    codes = drift.bins_of(a, b)
    assert drift.psi(*codes)[0] == pytest.approx(drift.psi(*codes[::-1])[0])


def test_an_empty_bin_counts_as_half_a_row():
    found, bins = drift.psi(np.zeros(100), np.repeat([0, 1], [50, 50]))
    assert bins == 2
    assert found == pytest.approx(-0.5 * np.log(0.5) + (0.5 - 0.005) * np.log(0.5 / 0.005))


def test_bins_of_a_number_hold_a_tenth_of_the_earlier_rows_each():
    earlier, later = drift.bins_of(normal(), normal(1, mean=100.0))
    assert np.bincount(earlier).tolist() == [COUNT // 10] * 10
    assert set(later) == {9}


@pytest.mark.parametrize(
    ("earlier", "later"),
    [
        ([0] * 90 + [1] * 10, [1] * 90 + [0] * 10),
        ([5] * 100, [3] * 100),
        ([5] * 100, [7] * 100),
        (np.arange(100), np.arange(100) + 50),
        ([1.0] * 100, [np.nan] * 60 + [1.0] * 40),
        (["a"] * 60 + ["b"] * 40, ["a"] * 40 + ["b"] * 60),
        (["a"] * 100, ["z"] * 100),
        ([True] * 90 + [False] * 10, [False] * 50 + [True] * 50),
        (pd.date_range("2026-01-01", periods=100), pd.date_range("2027-01-01", periods=100)),
        (pd.Categorical(["a"] * 100), pd.Categorical(["b"] * 100)),
        ([None] * 50 + ["a"] * 50, ["a"] * 100),
    ],
    ids=lambda value: None,
)
def test_a_column_that_moved_is_seen_to_move(earlier, later):
    assert index_of(earlier, later) > drift.WATCH_PSI


def test_values_unseen_or_rare_share_one_bin():
    earlier = pd.Series(["a"] * 100 + ["b"] * 5)
    codes, later = drift.bins_of(earlier, pd.Series(["b", "new", "other", "a", None]))
    assert later.tolist() == [1, 1, 1, 0, -1]
    assert set(codes) == {0, 1}


def test_psi_where_nothing_moved_follows_chi_square():
    """Yurdakul 2018: PSI / (1/n + 1/m) is chi-square with bins - 1 degrees of freedom."""
    random = np.random.default_rng(0)
    n, m, shares = 3000, 1500, [0.1] * 10
    values = np.array(
        [
            drift.psi(random.choice(10, n, p=shares), random.choice(10, m, p=shares))[0]
            for _ in range(600)
        ]
    )
    assert values.mean() == pytest.approx(drift.expected_psi(10, n, m), rel=0.06)
    assert kstest(values / (1 / n + 1 / m), chi2(9).cdf).pvalue > 0.01
    assert (values > drift.noise_psi(10, n, m, 0.95)).mean() == pytest.approx(0.05, abs=0.025)


def test_small_samples_do_not_alarm_although_their_psi_passes_the_limits():
    verdicts, sizes = [], []
    for seed in range(60):
        pair = [pd.DataFrame({"x": normal(2 * seed + side, 60)}) for side in (0, 1)]
        row = drift.moved(*pair).loc[0]
        verdicts.append(row["verdict"])
        sizes.append(row["psi"])
    assert np.mean(np.array(sizes) > drift.MOVED_PSI) > 0.5
    assert np.mean(np.array(verdicts) != "stable") <= 0.05


def test_rows_of_the_same_case_tell_no_more_than_one():
    """A hundred deals seen ten times each are no thousand deals."""
    random = np.random.default_rng(5)
    deals = [pd.DataFrame({"x": np.repeat(random.normal(size=100), 10)}) for _ in range(2)]
    as_rows, as_deals = drift.moved(*deals), drift.moved(*deals, 100, 100)
    assert as_rows.loc[0, "psi"] == as_deals.loc[0, "psi"]
    assert as_rows.loc[0, "verdict"] != "stable"
    assert as_deals.loc[0, "verdict"] == "stable"


def test_columns_come_by_size_with_a_word_each():
    earlier = pd.DataFrame({"same": normal(0), "little": normal(1), "much": normal(2)})
    later = pd.DataFrame(
        {"same": normal(3), "little": normal(4, mean=0.4), "much": normal(5, mean=1)}
    )
    found = drift.moved(earlier, later)
    assert found["column"].tolist() == ["much", "little", "same"]
    assert found["verdict"].tolist() == ["moved", "watch", "stable"]


# adversarial AUC


def test_rows_of_one_world_are_not_told_apart_and_those_of_two_are():
    table = pd.DataFrame({"a": normal(0), "b": normal(1)}).astype("float32")
    same, _ = drift.told_apart(table[:1000], table[1000:])
    other, alone = drift.told_apart(table[:1000], table[1000:].assign(b=table["b"] + 3))
    assert same == pytest.approx(0.5, abs=0.04)
    assert other > 0.95
    assert alone["column"].tolist() == ["b", "a"]
    assert alone["auc"].iloc[1] < 0.55 < 0.95 < alone["auc"].iloc[0]


def test_columns_that_tell_the_times_tell_later_rows_too():
    """A model that is fitted on outcomes may not see them; here they are what is looked for."""
    table = pd.DataFrame({"a": normal(0), "wins_share_last_100": normal(1)}).astype("float32")
    later = table[1000:].assign(wins_share_last_100=table["wins_share_last_100"] + 3)
    assert drift.told_apart(table[:1000], later)[0] > 0.95


def test_columns_that_never_vary_tell_nothing():
    table = pd.DataFrame({"a": np.ones(200, dtype="float32")})
    assert drift.told_apart(table[:100], table[100:])[0] == 0.5


def test_columns_that_moved_only_together_are_told_apart_together_and_not_alone():
    noise = {f"noise {n}": normal(10 + n) for n in range(4)}
    earlier = pd.DataFrame({"a": normal(0), "b": normal(0)} | noise).astype("float32")
    later = pd.DataFrame({"a": normal(1), "b": normal(2)} | noise).astype("float32")
    both, alone = drift.told_apart(earlier, later)
    assert both > 0.8
    assert (alone["auc"] < 0.55).all()


def test_deals_seen_again_do_not_tell_earlier_rows_from_later_ones_by_their_name():
    deal = np.repeat(np.arange(200), 10)
    value = np.random.default_rng(0).normal(size=200)[deal]
    later = deal >= 100
    table = pd.DataFrame({"x": value}).astype("float32")
    naive, _ = drift.told_apart(table[~later], table[later])
    honest, _ = drift.told_apart(table[~later], table[later], deal)
    assert naive > 0.7
    assert honest == pytest.approx(0.5, abs=0.12)


# level and rank


def test_a_change_that_inputs_explain_is_foreseen_and_one_of_level_is_left():
    random = np.random.default_rng(0)
    x, shifted = random.normal(size=20000), random.normal(0.8, size=20000)
    won = {name: random.random(20000) < expit(z) for name, z in
           {"before": x - 1, "inputs": shifted - 1, "level": x}.items()}  # fmt: skip
    inputs = drift.level(won["before"], expit(x - 1), won["inputs"], expit(shifted - 1))
    level = drift.level(won["before"], expit(x - 1), won["level"], expit(x - 1))
    assert inputs["foreseen"] == pytest.approx(inputs["change"], abs=0.01)
    assert inputs["left"] == pytest.approx(0, abs=0.01)
    assert level["foreseen"] == 0
    assert level["left"] == level["change"] > 0.1
    for found in (inputs, level):
        assert found["foreseen"] + found["left"] == pytest.approx(found["change"])


def test_cards_show_the_change_and_its_two_parts_in_points_with_their_sign():
    won = np.repeat([1.0, 0.0], [20, 80])
    later = np.repeat([1.0, 0.0], [12, 88])
    shift = drift.level(won, np.full(100, 0.2), later, np.full(100, 0.215))
    assert drift.cards(shift) == [
        {
            "label": "change of the share of wins",
            "value": "-8.0 points",
            "note": "from 20.0% to 12.0%",
        },
        {"label": "foreseen", "value": "+1.5 points"},
        {"label": "left", "value": "-9.5 points"},
    ]


def test_a_number_put_back_has_the_earlier_distribution_and_keeps_its_order():
    earlier, later = normal(0), normal(1, mean=2) ** 3
    mapped = drift.put_back(earlier, later)
    assert np.sort(mapped).tolist() == np.sort(earlier).tolist()
    assert (np.diff(mapped[np.argsort(later)]) >= 0).all()


def test_missing_values_put_back_are_as_frequent_as_before():
    earlier = normal(0).where(np.arange(COUNT) % 4 > 0).astype("float32")
    mapped = drift.put_back(earlier, normal(1).astype("float32"))
    assert mapped.isna().mean() == 0.25
    assert mapped.dtype == "float32"


@pytest.mark.parametrize("count", [100, 1000, 3333])
def test_text_put_back_has_the_earlier_shares_and_changes_no_row_without_need(count):
    random = np.random.default_rng(0)
    earlier = pd.Series(random.choice(list("abc"), COUNT, p=[0.6, 0.3, 0.1]))
    later = pd.Series(
        random.choice(list("abcd"), count, p=[0.2, 0.3, 0.3, 0.2]), index=range(5, 5 + count)
    )
    mapped = drift.put_back(earlier, later)
    before, old = (s.value_counts(normalize=True) for s in (earlier, later))
    now = mapped.value_counts(normalize=True).reindex(before.index.union(old.index)).fillna(0)
    gap = (now - before.reindex(now.index).fillna(0)).abs()
    assert gap.max() <= 2 / count
    moved = (before.reindex(now.index).fillna(0) - old.reindex(now.index).fillna(0)).clip(lower=0)
    assert (mapped != later).mean() == pytest.approx(moved.sum(), abs=3 / count)
    assert mapped.index.equals(later.index)


def listening(features):
    """A model that hears `loud` and nothing else."""
    return expit(features["loud"].to_numpy() - 1)


def test_a_column_that_moved_pulls_only_if_the_model_listens_to_it():
    earlier = pd.DataFrame({"loud": normal(0), "deaf": normal(1), "still": normal(2)})
    later = pd.DataFrame({"loud": normal(3, mean=1), "deaf": normal(4, mean=3), "still": normal(5)})
    won = (np.random.default_rng(6).random(COUNT) < listening(later)).astype(float)
    found = drift.by_column(listening, earlier, later, won).set_index("column")
    assert found.index[0] == "loud"
    assert found.loc["deaf", "psi"] > found.loc["loud", "psi"] > 1 > found.loc["still", "psi"]
    assert (
        found.loc[["deaf", "still"], ["importance", "level_effect", "rank_effect_auc"]] == 0
    ).all(axis=None)
    some = drift.by_column(listening, earlier, later, won, names=["still", "loud"])
    pd.testing.assert_frame_equal(some.set_index("column"), found.drop(index="deaf"))
    want = listening(later).mean() - listening(earlier).mean()
    assert found.loc["loud", "level_effect"] == pytest.approx(want, abs=0.002)
    assert found.loc["loud", "rank_effect_auc"] == pytest.approx(0, abs=0.005)


def test_a_column_that_lost_its_spread_spoils_the_order():
    """Half of the later values are gone: the model can't tell those rows apart any more."""
    earlier = pd.DataFrame({"loud": normal(0)})
    true = normal(1)
    won = (np.random.default_rng(2).random(COUNT) < expit(2 * true - 1)).astype(float)
    capped = pd.DataFrame({"loud": true.clip(upper=true.median())})
    found = drift.by_column(listening, earlier, capped, won).loc[0]
    assert found["level_effect"] < -0.05
    assert found["rank_effect_auc"] <= 0.01
