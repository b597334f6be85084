"""The quality benchmark: honest folds, measures as others compute them, figures that can be redone."""

import argparse
import json
import os
import shutil
import sys
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import brier_score_loss, f1_score, log_loss, roc_auc_score

ROOT = Path(__file__).parents[1]
BENCHMARKS = ROOT / "benchmarks"
sys.path.insert(0, str(BENCHMARKS))

import quality  # noqa: E402
import quality_data as data  # noqa: E402
import quality_measures as qm  # noqa: E402
import quality_protocols as protocols  # noqa: E402
import quality_report as report  # noqa: E402
import quality_splits as splits  # noqa: E402
import quality_versus as versus  # noqa: E402
from learners import LEARNERS, REFERENCE, ours  # noqa: E402
from learners.interface import fit_predict  # noqa: E402
from learners.naive_bayes_tables import fit as fit_tables  # noqa: E402
from learners.recent_rate import fit as fit_rate  # noqa: E402
from quality_predictions import Prediction, Store  # noqa: E402

from tierwise import calibration, candidates, frozen  # noqa: E402

needs_calls = pytest.mark.skipif(
    not (ROOT / "data" / "raw" / "bank_calls.csv.gz").is_file(), reason="needs the calls"
)


def table(count=400, dated=False):
    """Calls on `count` days in a row, their outcome known a day later; a number and a text."""
    random = np.random.default_rng(3)
    number = random.normal(size=count)
    won = (number + random.normal(size=count) > 0.6).astype(int)
    text = np.where(random.random(count) < 0.3, "(missing)", np.where(won, "a", "b"))
    number[::7] = np.nan
    days = np.datetime64("2026-05-01", "us") + np.arange(count) * np.timedelta64(1, "D")
    clocks = (days, days + np.timedelta64(1, "D")) if dated else ()
    return splits.Table("made", pd.DataFrame({"x": number, "t": text}), won, *clocks)


TIMED = [
    splits.frozen("frozen", table()),
    splits.frozen("frozen_dates", table(dated=True)),
    splits.rolling("roll", table(), 50),
    splits.rolling("roll_ragged", table(403), 37),
    splits.rolling("late", table(), 20, late_rows=45),
    splits.rolling("roll_dates", table(dated=True), 50),
    splits.rolling_dates("dates", table(dated=True), 8),
]
SHUFFLED = [splits.random_split("rand", table()), splits.random_folds("folds", table())]


@pytest.mark.parametrize("protocol", TIMED, ids=lambda one: one.name)
def test_no_fold_learns_from_an_outcome_not_yet_known(protocol):
    for fold in protocol.folds:
        now = protocol.as_of[fold.rows].min()
        assert (protocol.known_at[fold.known] < now).all()
        left = np.setdiff1d(np.arange(len(protocol.outcome)), fold.known)
        assert not (protocol.known_at[left] < now).any(), "what was known is used"
        assert (np.diff(fold.known) > 0).all()
    assert (protocol.known_at > protocol.as_of).all()


@pytest.mark.parametrize("protocol", [*TIMED, *SHUFFLED], ids=lambda one: one.name)
def test_every_row_is_judged_at_most_once_and_blocks_cover_what_is_judged(protocol):
    judged = protocol.judged
    assert len(np.unique(judged)) == len(judged)
    assert sorted(np.concatenate(protocol.blocks)) == sorted(judged)
    for fold in protocol.folds:
        assert not np.intersect1d(fold.known, fold.rows).size


def test_known_at_says_from_which_refit_on_an_outcome_counts():
    """Refits at rows 280, 330, 380: the outcome of row 300 counts from row 330 on."""
    roll = splits.rolling("roll", table(), 50)
    assert [fold.rows[0] for fold in roll.folds] == [280, 330, 380]
    assert roll.known_at[300] == 329.5
    assert roll.known_at[279] == 279.5
    assert [fold.known[-1] for fold in roll.folds] == [279, 329, 379]


def test_late_labels_leave_out_just_the_latest_rows():
    late = splits.rolling("late", table(), 20, late_rows=45)
    assert [fold.known[-1] + 1 for fold in late.folds] == [row - 45 for row in range(280, 400, 20)]


def test_an_outcome_of_yesterday_is_not_known_this_morning():
    fold = splits.rolling("roll_dates", table(dated=True), 50).folds[0]
    assert (fold.rows[0], fold.known[-1]) == (280, 278)


def test_shuffled_rows_are_learned_from_in_no_order_and_stratified():
    for protocol in SHUFFLED:
        assert protocol.as_of is None
        assert protocol.known_at is None
        for known, rows in protocol.folds:
            assert (np.diff(known) < 0).any()
            gap = protocol.outcome[known].mean() - protocol.outcome[rows].mean()
            assert abs(gap) < 0.02


@pytest.mark.parametrize("protocol", [*TIMED, *SHUFFLED], ids=lambda one: one.name)
def test_a_worker_reads_what_was_saved(protocol, tmp_path):
    protocols.save(protocol, tmp_path)
    assert protocols.load(tmp_path).fingerprint == protocol.fingerprint


def test_the_fingerprint_tells_other_rows_and_other_folds():
    other = table()
    other.columns.loc[5, "x"] = 9.0
    names = [splits.rolling("roll", one, 50).fingerprint for one in (table(), other)]
    names += [one.fingerprint for one in TIMED]
    assert len(set(names)) == len(names) - 1  # TIMED has the first of them again


def judged_chances(protocol, seed=0):
    """Chances worth something, with ties."""
    random = np.random.default_rng(seed)
    won = protocol.outcome[protocol.judged]
    return np.round(np.clip(0.35 + 0.2 * won + random.normal(0, 0.2, len(won)), 0.01, 0.99), 2)


def test_measures_equal_those_of_scikit_learn():
    protocol = splits.rolling("roll", table(2000), 100)
    won, chance = protocol.outcome[protocol.judged], judged_chances(protocol)
    found = qm.measures(protocol, chance)
    assert found["auc"] == pytest.approx(roc_auc_score(won, chance))
    assert found["log_loss"] == pytest.approx(log_loss(won, chance))
    assert found["brier"] == pytest.approx(brier_score_loss(won, chance))
    assert found["f1_half"] == pytest.approx(f1_score(won, chance >= 0.5))
    parts = [slice(at, at + 100) for at in range(0, 600, 100)]
    inside = [roc_auc_score(won[part], chance[part]) for part in parts]
    weights = [min(won[part].sum(), (1 - won[part]).sum()) for part in parts]
    assert found["auc_in_block"] == pytest.approx(np.average(inside, weights=weights))
    assert found["auc_block_mean"] == pytest.approx(np.mean(inside))
    assert found.keys() == set(qm.MEASURES)


def test_a_threshold_of_all_blocks_so_far_knows_no_later_chance():
    protocol = splits.rolling("roll", table(2000), 100)
    chance, blocks = judged_chances(protocol), qm.blocks_of(protocol)
    found = qm.chosen_so_far(chance, blocks)
    np.testing.assert_array_equal(found[blocks[0]], qm.chosen(chance, blocks[:1])[blocks[0]])
    later = chance.copy()
    later[blocks[3]] = 0.99
    upto = np.concatenate(blocks[:3])
    np.testing.assert_array_equal(qm.chosen_so_far(later, blocks)[upto], found[upto])
    everything = [np.concatenate(blocks)]
    last = blocks[-1]
    np.testing.assert_array_equal(qm.chosen(chance, everything)[last], found[last])


def test_measures_at_the_ends():
    """A perfect order, and one chance for all."""
    protocol = splits.random_split("rand", table())
    won = protocol.outcome[protocol.judged]
    perfect = qm.measures(protocol, np.where(won == 1, 0.99, 0.01))
    assert (perfect["auc"], perfect["f1"], perfect["f1_half"]) == (1, 1, 1)
    assert perfect["a_to_c"] is None, "no win at all in C"
    constant = qm.measures(protocol, np.full(len(won), 0.3))
    assert constant["auc"] == 0.5
    assert constant["slope"] is None
    assert constant["a_to_c"] == pytest.approx(1)
    assert constant["top20_share"] == pytest.approx(0.2)


def test_slope_is_one_for_true_chances_and_a_half_for_doubled_log_odds():
    random = np.random.default_rng(0)
    odds = random.normal(-1, 1, 40_000)
    won = (random.random(len(odds)) < 1 / (1 + np.exp(-odds))).astype(int)
    assert qm.slope(won, 1 / (1 + np.exp(-odds))) == pytest.approx(1, abs=0.05)
    assert qm.slope(won, 1 / (1 + np.exp(-2 * odds))) == pytest.approx(0.5, abs=0.03)


def test_plug_in_threshold_is_the_best_one_for_true_chances():
    """Against a search through all thresholds on outcomes drawn from the chances."""
    random = np.random.default_rng(1)
    chance = random.beta(1, 4, 200_000)
    won = (random.random(len(chance)) < chance).astype(int)
    best = max(qm.f1(won, chance >= at) for at in np.linspace(0, 1, 101))
    called = qm.chosen(chance, [np.arange(len(chance))])
    assert qm.f1(won, called) == pytest.approx(best, abs=0.003)


def test_ranking_counts_rows_as_often_as_they_are_drawn():
    random = np.random.default_rng(2)
    won, chance = random.integers(0, 2, 300), random.integers(0, 20, 300) / 20
    drawn = random.integers(300, size=300)
    value, rarer = versus.Ranking(won, chance).auc(np.bincount(drawn, minlength=300))
    assert value == pytest.approx(roc_auc_score(won[drawn], chance[drawn]))
    assert rarer == min(won[drawn].sum(), (1 - won[drawn]).sum())


def drawn_as(kind):
    """A protocol whose rows are drawn in this way, and the number of its groups."""
    looked_at_twice = replace(table(2000), cases=np.arange(2000) // 2)
    return {
        "blocks": (splits.rolling("roll", table(2000), 20), 30),
        "stretches": (splits.rolling("roll", table(2000), 150), 20),
        "rows": (splits.random_split("rand", table(2000)), 600),
        "cases": (splits.rolling("roll", looked_at_twice, 150), 300),
    }[kind]


@pytest.mark.parametrize("kind", ["blocks", "stretches", "rows", "cases"])
def test_rows_that_share_their_luck_are_drawn_together(kind):
    protocol, count = drawn_as(kind)
    groups = versus.groups_of(protocol)
    assert (groups.kind, groups.count, kind in report.RESAMPLED) == (kind, count, True)
    assert len(groups.of_row) == len(protocol.judged)
    assert set(groups.of_row) == set(range(count))
    if kind == "cases":
        assert (groups.of_row == protocol.cases[protocol.judged] - 700).all()
    elif kind != "rows":
        assert (np.diff(groups.of_row) >= 0).all(), "a group is a stretch of time"
        in_block = [set(groups.of_row[block]) for block in qm.blocks_of(protocol)]
        assert sum(map(len, in_block)) == count, "no group reaches over two lists"
    for draw in islice(versus.draws(groups), 5):
        assert draw.rows.sum() > 0
        assert all(len(set(draw.rows[groups.of_row == number])) == 1 for number in range(count))


def test_intervals_of_copies_are_those_of_the_cases_and_not_of_the_rows():
    """Five looks at each case that differ in nothing tell no more than one look."""
    once = splits.rolling("roll", table(2000), 150)
    cases = np.repeat(np.arange(2000), 5)
    copied = replace(table(2000), columns=table(2000).columns.iloc[cases].reset_index(drop=True))
    copied = replace(copied, outcome=table(2000).outcome[cases], cases=cases)
    good = judged_chances(once)
    noise = np.random.default_rng(5).permutation(good)
    alone = replace(once, cases=np.arange(2000))
    whole = splits.rolling("roll", copied, 750)
    found = [
        versus.versus_best_peer(
            protocol, np.repeat(good, times), {"noise": np.repeat(noise, times)}
        )
        for protocol, times in ((alone, 1), (whole, 5), (replace(whole, cases=None), 5))
    ]
    for measure in versus.COMPARED:
        one, five, stretches = (np.diff(each[measure]["interval"])[0] for each in found)
        assert five == pytest.approx(one)
        assert stretches != pytest.approx(one)


@pytest.mark.parametrize("kind", ["blocks", "stretches", "cases"])
def test_few_groups_that_agree_by_accident_leave_the_interval_of_rows(kind):
    protocol, _ = drawn_as(kind)
    good = judged_chances(protocol)
    noise = {"noise": np.random.default_rng(5).permutation(good)}
    together = versus.versus_best_peer(protocol, good, noise)
    rows = versus.versus_best_peer(replace(protocol, as_of=None, cases=None), good, noise)
    for measure in versus.COMPARED:
        low, high = together[measure]["interval"]
        assert low <= rows[measure]["interval"][0]
        assert high >= rows[measure]["interval"][1]


@pytest.mark.parametrize("kind", ["blocks", "stretches", "rows", "cases"])
def test_comparison_tells_better_from_equal(kind):
    protocol, _ = drawn_as(kind)
    good = judged_chances(protocol)
    noise = np.random.default_rng(5).permutation(good)
    peers = {"noise": noise, "the same": good}
    same = versus.versus_best_peer(protocol, good, peers)
    ahead = versus.versus_best_peer(protocol, good, {"noise": noise})
    behind = versus.versus_best_peer(protocol, noise, peers)
    assert same["resampled"] == kind
    for measure in versus.COMPARED:
        assert same[measure]["peer"] == "the same"
        assert (same[measure]["delta"], same[measure]["word"]) == (0, "tie")
        assert ahead[measure]["word"] == "ahead"
        assert behind[measure]["word"] == "behind"
    values = qm.measures(protocol, good), qm.measures(protocol, noise)
    for measure in versus.COMPARED:
        delta = values[0][measure] - values[1][measure]
        assert ahead[measure]["delta"] == pytest.approx(delta)


def test_predictions_can_be_scored_again_to_the_same_figures(tmp_path):
    protocol, store = TIMED[2], Store(tmp_path)
    store.write(protocol, "recent_rate", Prediction(judged_chances(protocol), 1.5, 0.25))
    found = store.read(protocol, "recent_rate")
    row = quality.judged(protocol, "recent_rate", found)
    again = pd.read_csv(tmp_path / "roll" / "recent_rate.csv")
    won = protocol.outcome[again["row_id"]]
    assert row["auc"] == round(roc_auc_score(won, again["p"]), quality.DIGITS)
    assert row["log_loss"] == round(log_loss(won, again["p"]), quality.DIGITS)
    assert (row["fit_cpu_s"], row["predict_cpu_s"]) == (1.5, 0.25)


def test_ties_of_a_corrected_chance_are_broken_by_the_score_also_on_disk(tmp_path):
    protocol, store = TIMED[2], Store(tmp_path)
    score = np.random.default_rng(4).permutation(len(protocol.judged)) / len(protocol.judged)
    chance = np.round(score, 1)
    broken = ours.ties_broken(chance, score)
    np.testing.assert_allclose(broken, chance, atol=1e-5)
    assert broken.min() >= 0
    assert broken.max() <= 1
    store.write(protocol, "tierwise", Prediction(broken, 1.5, 0.0))
    found = store.read(protocol, "tierwise").chances
    np.testing.assert_array_equal(np.argsort(found), np.argsort(score))


def test_predictions_of_other_rows_are_not_taken(tmp_path):
    store = Store(tmp_path)
    store.write(TIMED[2], "recent_rate", Prediction(judged_chances(TIMED[2]), 1, 1))
    other = splits.rolling("roll", table(401), 50)
    assert store.read(other, "recent_rate") is None
    assert store.read(TIMED[2], "xgboost") is None


def row(protocol, model, auc=None, left_out=""):
    figures = dict.fromkeys(quality.EMPTY, None if left_out else 0.5) | {"versus_best_peer": None}
    counts = {} if left_out else {"rows_count": 10, "wins_count": 3, "fits_count": 1}
    figures |= counts | ({} if left_out else {"auc": auc})
    return quality.row_of("made", protocol, model, left_out, **figures)


def test_a_subset_keeps_the_other_rows_and_an_absent_table_keeps_its_figures():
    old = [row("bank_rand", "lightgbm", 0.7), row("bank_rand", "xgboost", left_out="no")]
    new = [
        row("bank_rand", "lightgbm", left_out="no table"),
        row("bank_rand", "xgboost", 0.6),
        row("bank_time", "tierwise", 0.8),
    ]
    found = report.merged(old, new)
    values = {(one["protocol"], one["model"]): one["auc"] for one in found}
    assert values == {
        ("bank_rand", "lightgbm"): 0.7,
        ("bank_rand", "xgboost"): 0.6,
        ("bank_time", "tierwise"): 0.8,
    }
    assert report.merged(found, [row("bank_time", "tierwise", 0.9)])[2]["auc"] == 0.9


def test_rows_stand_in_the_order_of_protocols_and_models():
    rows = [row("my_file_time", "xgboost", 0.6), row("bank_time", "xgboost", 0.6)]
    rows += [row("bank_time", "tierwise", 0.6), row("bank_rand", "lightgbm", 0.6)]
    found = [(one["protocol"], one["model"]) for one in quality.in_order(rows)]
    assert found == [
        ("bank_rand", "lightgbm"),
        ("bank_time", "tierwise"),
        ("bank_time", "xgboost"),
        ("my_file_time", "xgboost"),
    ]


def test_report_quotes_the_json_and_marks_the_best_peer(tmp_path):
    rows = [
        row("bank_rand", "tierwise", 0.81234),
        row("bank_rand", "lightgbm", 0.79876),
        row("bank_rand", "xgboost", 0.77),
        row("bank_rand", "flaml", left_out="stopped after 5 minutes"),
    ]
    report.write_report(report.with_ratios(rows), tmp_path)
    assert report.read(tmp_path) == rows
    text = (tmp_path / "quality.md").read_text(encoding="utf-8")
    assert "| tierwise | 0.8123 |" in text
    assert "| lightgbm | **0.7988** |" in text
    assert "| xgboost | 0.7700 |" in text
    assert "- Left out: flaml: stopped after 5 minutes." in text
    assert {path.suffix for path in tmp_path.iterdir()} == {".json", ".md", ".svg", ".png"}


def test_fit_seconds_are_set_against_logistic_regression():
    rows = [row("bank_rand", "logistic_regression", 0.7), row("bank_rand", "lightgbm", 0.7)]
    rows[1]["fit_cpu_s"] = 2.0
    alone = row("bank_time", "lightgbm", 0.7)
    found = report.with_ratios([*rows, alone])
    assert [one["fit_cpu_ratio"] for one in found] == [1, 4, None]


def test_peers_get_columns_and_outcomes_and_no_times():
    seen = []

    def fit(columns, outcome):
        seen.append((list(columns), list(columns.index), outcome))
        return lambda rows: np.full(len(rows), 0.5)

    protocol = TIMED[2]
    fold = protocol.folds[1]
    answer = fit_predict(fit, protocol, fold.known, fold.rows)
    names, index, outcome = seen[0]
    assert names == ["x", "t"]
    assert index == list(range(len(fold.known)))
    assert (outcome == protocol.outcome[fold.known]).all()
    assert len(answer.chances) == len(fold.rows)


def test_recent_rate_is_that_of_the_last_500():
    outcome = np.r_[np.zeros(500), np.ones(100)]
    empty = pd.DataFrame(index=range(3))
    assert list(fit_rate(empty, outcome)(empty)) == [0.2] * 3


def test_frequency_tables_multiply_and_pass_over_what_they_never_saw():
    """Two of three wins and one of four losses are "a"; counts begin with 0.1."""
    columns = pd.DataFrame({"t": ["a", "a", "b", "a", "b", "b", "b"]})
    outcome = np.array([1, 1, 1, 0, 0, 0, 0])
    chances = fit_tables(columns, outcome)(pd.DataFrame({"t": ["a", "(missing)", "new"]}))
    base = 3.1 / 4.1
    ratio = base * (2.1 / 3) / (1.1 / 4)
    assert chances == pytest.approx([ratio / (1 + ratio), base / (1 + base), base / (1 + base)])


def benchmark(monkeypatch, *options, real_data=""):
    """As from the command line; learners still run as processes of their own."""
    monkeypatch.setenv(data.FOLDER_VARIABLE, real_data)
    monkeypatch.setattr(sys, "argv", ["quality.py", *map(str, options)])
    quality.main()


def test_a_file_of_ones_own_is_compared_from_end_to_end(tmp_path, monkeypatch):
    made = table()
    path = tmp_path / "my_leads.csv"
    made.columns.assign(won=np.where(made.outcome == 1, "yes", "no")).to_csv(path, index=False)
    folders = ["--results", tmp_path / "r", "--predictions", tmp_path / "p"]
    one = ["--data", path, "--outcome", "won", "--protocol", "my_leads_rand", *folders]
    benchmark(monkeypatch, *one, "--models", "tierwise", "--limit-minutes", "0.0001")
    (stopped,) = report.read(tmp_path / "r")
    assert stopped["left_out"] == "stopped after 0.0001 minutes"
    benchmark(monkeypatch, *one, "--models", "tierwise,recent_rate", "--models", REFERENCE)
    first = report.read(tmp_path / "r")
    benchmark(monkeypatch, *one, "--models", f"tierwise,{REFERENCE}", "--reuse")
    assert report.read(tmp_path / "r") == first
    found = {row["model"]: row for row in first}
    assert found["tierwise"]["auc"] > 0.6 > found["recent_rate"]["auc"]
    assert found["tierwise"]["versus_best_peer"]["auc"]["peer"] == REFERENCE
    assert found["tierwise"]["versus_best_peer"]["peers_count"] == 2
    assert found[REFERENCE]["fit_cpu_ratio"] == 1
    shutil.rmtree(tmp_path / "p")
    benchmark(monkeypatch, *one, "--models", "tierwise")
    (again,) = (row for row in report.read(tmp_path / "r") if row["model"] == "tierwise")
    assert again["versus_best_peer"] == found["tierwise"]["versus_best_peer"]


def test_a_file_too_short_for_refits_is_left_out_of_them_with_the_reason(tmp_path, monkeypatch):
    path = tmp_path / "short.csv"
    made = table()
    made.columns.assign(won=made.outcome).to_csv(path, index=False)
    options = ["--data", path, "--outcome", "won", "--models", "recent_rate"]
    folders = ["--results", tmp_path / "r", "--predictions", tmp_path / "p"]
    benchmark(monkeypatch, *options, *folders)
    found = {
        row["protocol"]: row for row in report.read(tmp_path / "r") if row["model"] == "recent_rate"
    }
    assert list(found) == ["short_rand", "short_roll500", "short_time"]
    assert found["short_roll500"]["left_out"] == quality.TOO_SHORT
    assert found["short_time"]["auc"] == 0.5
    with pytest.raises(SystemExit, match="'roll500' is none of short: there is short_rand"):
        benchmark(monkeypatch, *options, *folders, "--protocol", "roll500")


def test_the_way_that_a_frozen_fit_took_is_told(tmp_path, monkeypatch):
    path = tmp_path / "made.csv"
    made = table()
    made.columns.assign(won=made.outcome).to_csv(path, index=False)
    folders = ["--results", tmp_path / "r", "--predictions", tmp_path / "p"]
    options = ["--data", path, "--outcome", "won", "--protocol", "made_time", *folders]
    benchmark(monkeypatch, *options, "--models", "tierwise,recent_rate")
    rows = {row["model"]: row for row in report.read(tmp_path / "r")}
    candidate, rest = rows["tierwise"]["way"].split(" on ")
    assert candidate.replace(" ", "_") in (*frozen.LASTING, candidates.BLEND)
    columns, method = rest.split(", chances corrected by ")
    assert columns in (frozen.EVERY, frozen.NO_CLOCKS)
    assert method.replace(" ", "_") in calibration.METHODS
    assert rows["recent_rate"]["way"] == ""
    assert f"- tierwise took {rows['tierwise']['way']}." in (tmp_path / "r/quality.md").read_text()
    benchmark(monkeypatch, *options, "--models", "tierwise", "--reuse")
    again = [row for row in report.read(tmp_path / "r") if row["model"] == "tierwise"]
    assert again == [rows["tierwise"]]


def test_a_file_never_takes_the_place_of_our_own_data(tmp_path, monkeypatch):
    path = tmp_path / "bank.csv"
    path.write_text("x,won\n1,1\n2,0\n")
    with pytest.raises(SystemExit, match="our own data set 'bank': give it another name"):
        benchmark(monkeypatch, "--data", path, "--outcome", "won", "--results", tmp_path / "r")
    assert not (tmp_path / "r").exists()


def test_a_comparison_with_peers_that_are_gone_stays_while_our_figures_do():
    old = row("bank_rand", "tierwise", 0.7) | {"versus_best_peer": {"peers_count": 9}}
    new = row("bank_rand", "tierwise", 0.7)
    assert quality.still_true(new, [old]) == {"peers_count": 9}
    assert quality.still_true(new | {"auc": 0.71}, [old]) is None
    assert quality.still_true(new | {"protocol": "bank_time"}, [old]) is None
    assert quality.still_true(new | {"fit_cpu_s": 99.0}, [old]) == {"peers_count": 9}


def test_a_missing_table_is_left_out_with_its_reason(tmp_path, monkeypatch):
    folders = ["--results", tmp_path / "r", "--predictions", tmp_path / "p"]
    benchmark(monkeypatch, "--protocol", "bank_rand", "--models", "lightgbm", *folders)
    (only,) = report.read(tmp_path / "r")
    assert only["auc"] is None
    assert data.FOLDER_VARIABLE in only["left_out"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--models", "ligthgbm"], ["ligthgbm", "lightgbm"]),
        (["--protocol", "bank_tme"], ["bank_tme", "bank_time"]),
        (["--data", "nowhere"], ["nowhere", "tierwise adopt"]),
        (["--data", __file__], ["--outcome"]),
    ],
)
def test_what_is_wrong_is_one_line(options, words, tmp_path, monkeypatch):
    with pytest.raises(SystemExit) as ended:
        benchmark(monkeypatch, *options, "--results", tmp_path)
    assert len(str(ended.value).splitlines()) == 1
    assert all(word in str(ended.value) for word in words)


def test_help_teaches():
    shown = quality.parser().format_help()
    assert "--protocol bank_roll500 --models tierwise --reuse" in shown


@needs_calls
def test_calls_are_read_without_their_length():
    calls = data.bank_calls()
    assert "duration" not in calls.columns
    assert len(calls.outcome) == 40_004
    protocol = data.PLANS["calls_roll"].build("calls_roll", calls)
    assert len(protocol.folds) == 25


@pytest.mark.skipif(not os.environ.get(data.FOLDER_VARIABLE), reason="needs TIERWISE_REAL_DATA")
def test_public_tables_have_their_published_counts_and_no_column_of_later():
    bank, leads = data.bank(), data.xeducation()
    assert (len(bank.outcome), bank.outcome.sum()) == (41_188, 4_640)
    assert (len(leads.outcome), leads.columns.shape[1]) == (9_237, 26)
    assert not {"duration", *data.SALES_ENTERED} & {*bank.columns, *leads.columns}
    assert data.coil2000().official.sum() == 4000
    assert data.online_shoppers().outcome.mean() == pytest.approx(0.1547, abs=1e-4)


def test_requirements_are_pinned_and_learners_have_their_modules():
    for learner in LEARNERS.values():
        assert (BENCHMARKS / "learners" / f"{learner.module}.py").is_file()
        if learner.requirements:
            path = BENCHMARKS / "learners" / "requirements" / f"{learner.requirements}.txt"
            lines = path.read_text(encoding="utf-8").splitlines()
            assert all("==" in line for line in lines if not line.startswith("#"))


def test_a_search_that_needs_too_many_fits_is_left_out(tmp_path):
    given = argparse.Namespace(reuse=False, any_number_of_fits=False, limit_minutes=1)
    protocol = splits.rolling("roll", table(), 10)
    left_out = quality.ask(protocol, "flaml", tmp_path, Store(tmp_path), given)
    assert left_out["left_out"] == "needs 12 fits, and 5 are what it can afford"


def test_a_learner_that_was_never_asked_has_a_row_that_says_why():
    protocol = splits.rolling("roll", table(), 10)
    known = [row("roll", "tierwise", 0.7)]
    assert quality.never_asked(protocol, known) == []
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(quality.PLANS, "roll", None)
        found = {one["model"]: one["left_out"] for one in quality.never_asked(protocol, known)}
    assert {*found, "tierwise"} == {*LEARNERS}
    assert found["flaml"] == "needs 12 fits, and 5 are what it can afford"
    assert found["lightgbm"] == quality.NOT_ASKED


RESULTS = BENCHMARKS / "results"


@pytest.mark.skipif(not (RESULTS / "quality.json").is_file(), reason="the benchmark was not run")
def test_every_learner_has_figures_or_a_reason_on_every_committed_protocol():
    rows = json.loads((RESULTS / "quality.json").read_text(encoding="utf-8"))
    for name in {one["protocol"] for one in rows}:
        of_it = {one["model"]: one for one in rows if one["protocol"] == name}
        assert {*of_it} == {*LEARNERS}, name
        assert all(one["left_out"] or one["auc"] is not None for one in of_it.values())


def committed(protocol, model):
    rows = json.loads((RESULTS / "quality.json").read_text(encoding="utf-8"))
    return next(one for one in rows if (one["protocol"], one["model"]) == (protocol, model))


@pytest.mark.skipif(not os.environ.get(data.FOLDER_VARIABLE), reason="needs TIERWISE_REAL_DATA")
@pytest.mark.parametrize("name", ["bank_time", "leads_clean_time"])
def test_committed_figures_of_a_frozen_fit_are_those_of_todays_code(name):
    """These take seconds; those of the rolled protocols, hours all together."""
    plan, row = data.PLANS[name], committed(name, "tierwise")
    protocol = plan.build(name, data.TABLES[plan.data]())
    answer = ours.forecast(protocol)
    assert answer.way == row["way"]
    found = qm.measures(protocol, answer.chances)
    for measure in ("auc", "auc_in_block", "log_loss", "ece"):
        assert found[measure] == pytest.approx(row[measure], abs=0.003), measure


@pytest.mark.skipif(not (RESULTS / "quality.json").is_file(), reason="the benchmark was not run")
def test_committed_report_is_written_from_the_committed_figures(tmp_path):
    rows = json.loads((RESULTS / "quality.json").read_text(encoding="utf-8"))
    report.write_report(rows, tmp_path)
    for name in ("quality.md", "quality.svg", "quality.json"):
        assert (tmp_path / name).read_bytes() == (RESULTS / name).read_bytes(), name
    for one in rows:
        assert one["left_out"] or one["auc"] is not None
