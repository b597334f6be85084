"""The ablation benchmark: each variant lacks what it says and nothing else, and nobody peeks."""

import json
import sys
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit, logit
from sklearn.linear_model import LogisticRegression
from sklearn.tree import DecisionTreeClassifier

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
sys.path.insert(0, str(BENCHMARKS))

import ablation  # noqa: E402
import ablation_report as report  # noqa: E402
import ablation_variants as variants  # noqa: E402
import quality_data  # noqa: E402
import quality_splits as splits  # noqa: E402
import quality_versus  # noqa: E402
from learners import ours  # noqa: E402

from tierwise import candidates, context, files, models, rolling  # noqa: E402
from tierwise.preparation import filled, pipeline, scaled  # noqa: E402

LINEAR, TREES = candidates.BLENDED
HALF_LIVES = {
    name: [{"half_life_count": count} for count in (60, None)] for name in (LINEAR, TREES)
}


def small_tree(features, outcome):
    model = DecisionTreeClassifier(max_depth=3, min_samples_leaf=15, random_state=0)
    return pipeline(features, [("numbers", filled())], model)


def slopes(features, outcome):
    return pipeline(features, [("scaled", scaled())], LogisticRegression())


@pytest.fixture(scope="module", autouse=True)
def _small():
    """One tree for many, slopes without bins, two earlier rolls, settings chosen at once."""
    warm_up = ours.warm_up
    with pytest.MonkeyPatch.context() as patch:
        for name, build in ((LINEAR, slopes), (TREES, small_tree), (variants.PLAIN, small_tree)):
            patch.setitem(candidates.CANDIDATES, name, build)
        for name, tried in HALF_LIVES.items():
            patch.setitem(candidates.SEARCHED, name, tried)
        patch.setattr(ours, "warm_up", lambda protocol: warm_up(protocol)[-2:])
        patch.setattr(rolling, "SURE_PERIODS", 1)
        patch.setattr(rolling, "SURE_ERRORS", 0.0)
        patch.setattr(quality_versus, "BOOTSTRAP_COUNT", 40)
        yield


def table(count=400, has_days=True):
    """What "a" and "b" are worth changes half-way; several calls a day."""
    random = np.random.default_rng(3)
    number, late = random.normal(size=count), np.arange(count) > count / 2
    text = random.choice(["a", "b", "c"], count)
    lift = np.where(text == "a", 1.0, 0.0) * np.where(late, 1, -1)
    won = (number + lift + random.normal(size=count) > 0.4).astype(int)
    days = np.sort(random.integers(0, 90, count)).astype(float) if has_days else None
    return splits.Table("made", pd.DataFrame({"x": number, "t": text}), won, days=days)


ROLL = splits.rolling("made_roll", table(), 60, late_rows=10)
# That the settings of these tests don't have.
OF_SETTINGS = {"without_ranks", "without_value_rates", "first_stop"}
TIMES = (*context.NAMES, "wins_share_of_t")
NO_DAYS = splits.rolling("made_no_days", table(has_days=False), 120)
RAND = splits.random_split("made_rand", table())


@cache
def ran(name):
    """All variants of a protocol, and what each rolling origin was given.

    That is: its columns, settings, candidates and number of periods.
    """
    seen, origin = [], rolling.origin

    def spied(features, outcome, periods, names, searched, ordered):
        seen.append((list(features), searched, names, len(periods)))
        return origin(features, outcome, periods, names, searched, ordered)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rolling, "origin", spied)
        (protocol,) = (one for one in (ROLL, NO_DAYS, RAND) if one.name == name)
        return dict(variants.ablated(protocol)), seen


# variants


def given_to(variant, protocol):
    """The recipe of one variant."""
    features = protocol.columns if protocol.as_of is None else ours.with_context(protocol)
    whole = variants.Recipe(features, variants.searched_by_us(protocol, features), candidates.BLEND)
    return variants.recipe_of(variants.VARIANTS[variant], protocol, whole)


@pytest.mark.parametrize(
    ("variant", "lacks"),
    [
        ("whole", ()),
        ("without_context", context.NAMES),
        ("without_arrivals", context.ARRIVALS),
        ("without_levels", context.LEVELS),
        ("plain", TIMES),
        ("without_recency", ()),
        ("first_settings", ()),
    ],
)
def test_a_variant_lacks_the_columns_it_says_and_no_other(variant, lacks):
    everything = ["x", "t", *TIMES]
    assert list(given_to("whole", ROLL).features) == everything
    found = list(given_to(variant, ROLL).features)
    assert found == [column for column in everything if column not in lacks]


def test_a_variant_searches_among_what_it_says():
    assert given_to("whole", ROLL).searched == HALF_LIVES
    none = [{"half_life_count": None}]
    assert given_to("without_recency", ROLL).searched == {LINEAR: none, TREES: none}
    first = [{"half_life_count": 60}]
    assert given_to("first_settings", ROLL).searched == {LINEAR: first, TREES: first}
    assert given_to("without_levels", ROLL).searched == HALF_LIVES


def test_settings_that_differ_in_more_than_recency_are_all_tried():
    tried = [{"half_life_count": 9, "depth": 3}, {"half_life_count": None, "depth": 5}]
    found = variants.without_half_life({TREES: [*tried, {"half_life_count": 5, "depth": 5}]})
    assert found[TREES] == [{"half_life_count": None, "depth": depth} for depth in (3, 5)]


def test_rates_of_values_are_taken_out_of_the_settings():
    tried = {LINEAR: [{"half_life_count": 9}, {"half_life_count": 9, "value_rates": True}]}
    assert variants.without_value_rates(tried) == {LINEAR: [{"half_life_count": 9}]}


def test_ranks_and_stops_are_taken_out_of_the_settings():
    plain = candidates.stopped((8, 4), depth=5)
    ranked = candidates.stopped((9, 3), depth=5, ranks=True)
    tried = {LINEAR: [{"half_life_count": None}], TREES: [*plain, *ranked]}
    assert variants.without_ranks(tried) == tried | {TREES: plain}
    assert variants.first_stop(tried) == tried | {TREES: [plain[0], ranked[0]]}


def test_the_settings_of_the_package_are_never_changed():
    ran("made_roll")
    assert HALF_LIVES == candidates.SEARCHED


def test_what_differs_only_in_its_chances_shares_a_run():
    found, runs = ran("made_roll")
    assert list(found) == list(variants.VARIANTS)
    assert len(runs) == 7, "10 variants of these settings, three of them from the whole"
    assert len({json.dumps(seen) for seen in runs}) == 7
    folds_count = len(ROLL.folds)
    wanted = {candidates.BLEND: folds_count + len(ours.warm_up(ROLL)), variants.PLAIN: folds_count}
    assert {names[0]: count for _, _, names, count in runs} == wanted
    found = {name: one for name, one in found.items() if name not in OF_SETTINGS}
    for one in found.values():
        assert one.chances.shape == ROLL.judged.shape
        assert ((one.chances >= 0) & (one.chances <= 1)).all()
        assert one.cpu_s > 0
    assert len({one.chances.tobytes() for one in found.values()}) == len(found)
    parts = found["linear_only"].cpu_s + found["trees_only"].cpu_s
    assert found["whole"].cpu_s == found["fixed_weights"].cpu_s == pytest.approx(parts)


@pytest.mark.parametrize("protocol", [ROLL, splits.random_folds("folds", table(200))])
def test_the_whole_is_what_the_quality_benchmark_calls_tierwise(protocol):
    _, found = next(variants.ablated(protocol))
    np.testing.assert_allclose(found.chances, ours.forecast(protocol).chances, rtol=1e-9)


def test_fixed_weights_are_those_that_nobody_has_learned():
    found, _ = ran("made_roll")
    linear, trees = (
        logit(np.clip(found[name].chances, 1e-6, 1 - 1e-6))
        for name in ("linear_only", "trees_only")
    )
    expected = expit(rolling.START[0] * linear + rolling.START[1] * trees)
    np.testing.assert_allclose(found["fixed_weights"].chances, expected)


def test_plain_is_one_fit_a_roll_on_what_was_known():
    found = ran("made_roll")[0]["plain"].chances
    features, outcome = ROLL.columns, ROLL.outcome.astype(float)
    expected = [
        models.chance(
            models.fit(variants.PLAIN, features.iloc[fold.known], outcome[fold.known])[0],
            features.iloc[fold.rows],
        )
        for fold in ROLL.folds
    ]
    np.testing.assert_allclose(found, np.concatenate(expected))


def test_shuffled_rows_have_nothing_recent_to_take_away():
    found, runs = ran("made_rand")
    left_out = {name for name, one in found.items() if isinstance(one, str)}
    assert left_out == {
        *("without_recency", "without_context", "without_arrivals", "without_levels"),
        *OF_SETTINGS,
    }
    assert all("no order of time" in found[name] for name in left_out - OF_SETTINGS)
    assert all("none of the settings" in found[name] for name in OF_SETTINGS)
    assert all(columns == ["x", "t"] for columns, *_ in runs)
    assert len(runs) == 3, "the whole, the settings for a world that changes, and plain"


def test_without_days_there_are_no_arrivals_and_the_levels_are_all_the_context():
    found, runs = ran("made_no_days")
    assert "nothing" in found["without_arrivals"]
    assert (found["without_levels"].chances == found["without_context"].chances).all()
    assert len(runs) == 5


# the report


def row(protocol, variant, in_block=(0.0, 0.0), loss=(0.0, 0.0), left_out=""):
    figures = {} if left_out else dict.fromkeys([*ablation.FIGURES, "cpu_s"], 0.5)
    if not left_out and variant != variants.WHOLE:
        for name, ends in (("auc", (0, 0)), ("auc_in_block", in_block), ("log_loss", loss)):
            figures |= {f"{name}_gain": sum(ends) / 2, f"{name}_gain_interval": list(ends)}
    return ablation.row_of("made", protocol, variant, left_out, **figures)


BETTER, WORSE = (0.01, 0.03), (-0.03, -0.01)


@pytest.mark.parametrize(
    ("in_block", "loss", "word"),
    [
        (BETTER, WORSE, "what helps"),
        (BETTER, (-0.01, 0.01), "what helps"),
        ((-0.01, 0.01), BETTER, "what harms"),
        (BETTER, BETTER, "what helps the one and harms the other"),
        ((-0.01, 0.01), (0.0, 0.02), "not to be told from luck"),
    ],
)
def test_the_verdict_goes_by_intervals_and_by_which_way_is_better(in_block, loss, word):
    assert report.verdict(row("bank_rand", "trees_only", in_block, loss)) == word


def test_report_says_what_helps_and_quotes_the_json(tmp_path):
    rows = [
        row("bank_roll500", "whole"),
        row("bank_roll500", "without_recency", BETTER, WORSE),
        row("bank_roll500", "trees_only", (-0.01, 0.01), BETTER),
        row("bank_roll500", "plain", BETTER, WORSE),
        row("bank_roll500", "without_arrivals", left_out="no dates"),
    ]
    report.write_report(rows, tmp_path)
    assert report.read(tmp_path) == rows
    text = (tmp_path / "ablation.md").read_text(encoding="utf-8")
    assert "what helps: recency weights; what harms: the linear part." in text
    assert "against an AUC in block of 0.5000 and a log loss of 0.5000 of histogram" in text
    assert "| +0.0200 (+0.0100 to +0.0300) | -0.0200 (-0.0300 to -0.0100) |" in text
    assert "- Left out: without arrivals: no dates." in text
    found = {path.name for path in tmp_path.iterdir()}
    assert found == {f"ablation.{kind}" for kind in ("json", "md", "svg", "png")}


def test_a_protocol_is_replaced_as_a_whole_but_not_by_a_table_that_is_missing():
    old = [row("bank_rand", "whole"), row("bank_rand", "plain", BETTER, WORSE)]
    missing = [row("bank_rand", "whole", left_out="no table")]
    assert report.merged(old, missing) == old
    new = [row("bank_rand", "whole"), row("bank_rand", "plain", left_out="why")]
    other = [row("bank_time", "whole")]
    assert report.merged(old + other, new) == new + other
    assert report.merged(missing, new) == new


# the command line


@pytest.fixture
def benchmark(monkeypatch, tmp_path_factory):
    """The benchmark as from the command line, without public tables."""
    kept = str(tmp_path_factory.mktemp("predictions"))
    monkeypatch.setenv(quality_data.FOLDER_VARIABLE, "")

    def run(*options):
        told = ["ablation.py", "--predictions", kept, *map(str, options)]
        monkeypatch.setattr(sys, "argv", told)
        ablation.main()

    return run


@pytest.fixture
def _made(monkeypatch):
    plan = quality_data.Plan("made", lambda name, made: splits.rolling(name, made, 60))
    monkeypatch.setitem(quality_data.TABLES, "made", table)
    monkeypatch.setitem(quality_data.PLANS, "made_roll", plan)


@pytest.mark.usefixtures("_made")
def test_from_end_to_end_protocol_by_protocol(tmp_path, monkeypatch, benchmark, capsys):
    benchmark("--protocol", "made_roll", "--results", tmp_path)
    first, count = report.read(tmp_path), len(variants.VARIANTS)
    benchmark("--protocol", "bank_rand", "--results", tmp_path)
    rows = report.read(tmp_path)
    assert rows[-count:] == first, "what was there stays"
    assert [one["variant"] for one in rows] == 2 * list(variants.VARIANTS)
    assert all(quality_data.FOLDER_VARIABLE in one["left_out"] for one in rows[:count])
    keys = {"data", "protocol", "variant", "left_out", *ablation.EMPTY}
    assert all(set(one) == keys for one in rows)
    found = {(one["protocol"], one["variant"]): one for one in rows}
    whole, linear = found["made_roll", "whole"], found["made_roll", "linear_only"]
    assert whole["auc_gain"] is None
    for name in quality_versus.COMPARED:
        low, high = linear[f"{name}_gain_interval"]
        assert linear[f"{name}_gain"] == pytest.approx(whole[name] - linear[name], abs=3e-5)
        assert low <= linear[f"{name}_gain"] <= high
    assert files.plain(rows, 5) == rows
    said = capsys.readouterr().out
    assert said.count("made_roll ") == count
    assert "bank_rand            left out:" in said
    monkeypatch.setattr(ablation, "ablated", None)
    benchmark("--protocol", "made_roll", "--results", tmp_path / "again", "--measure-again")
    again = report.read(tmp_path / "again")
    for one, other in zip(again, first, strict=True):
        assert one == {name: pytest.approx(value, abs=2e-5) for name, value in other.items()}


@pytest.mark.usefixtures("_made")
def test_what_was_never_run_cannot_be_measured_again(tmp_path, benchmark):
    with pytest.raises(SystemExit, match="run without --measure-again"):
        benchmark("--protocol", "made_roll", "--results", tmp_path, "--measure-again")
    assert not any(tmp_path.iterdir())


@pytest.mark.usefixtures("_made")
def test_a_frozen_fit_is_left_out(monkeypatch):
    monkeypatch.setitem(quality_data.PLANS, "made_roll", quality_data.Plan("made", splits.frozen))
    found = ablation.rows_of("made_roll", ablation.parser().parse_args([]))
    assert {one["left_out"] for one in found} == {ablation.FROZEN}


def test_a_stop_leaves_the_protocols_before_it(tmp_path, monkeypatch, benchmark):
    def rows_of(name, _):
        if name == "leads_clean":
            raise KeyboardInterrupt
        return [row(name, "whole"), row(name, "plain", BETTER, WORSE)]

    monkeypatch.setattr(ablation, "rows_of", rows_of)
    monkeypatch.setattr(report, "draw", lambda *_: None)
    with pytest.raises(KeyboardInterrupt):
        benchmark("--protocol", "bank_rand,leads_clean", "--results", tmp_path)
    assert [one["protocol"] for one in report.read(tmp_path)] == ["bank_rand"] * 2


def test_an_unknown_protocol_is_one_line(tmp_path, benchmark):
    with pytest.raises(SystemExit) as ended:
        benchmark("--protocol", "bank_rand,bank_rol", "--results", tmp_path)
    assert len(str(ended.value).splitlines()) == 1
    assert all(word in str(ended.value) for word in ("'bank_rol'", "bank_roll500"))
    assert not any(tmp_path.iterdir())


def test_help_teaches():
    shown = ablation.parser().format_help()
    assert "--protocol leads_clean,calls_roll" in shown
    assert all(name in shown for name in variants.VARIANTS)


RESULTS = BENCHMARKS / "results"


@pytest.mark.skipif(not (RESULTS / "ablation.json").is_file(), reason="the benchmark was not run")
def test_the_committed_whole_is_what_quality_calls_tierwise():
    rows = json.loads((RESULTS / "quality.json").read_text(encoding="utf-8"))
    ours_by_protocol = {one["protocol"]: one for one in rows if one["model"] == "tierwise"}
    wholes = [one for one in report.read(RESULTS) if one["variant"] == variants.WHOLE]
    assert len(wholes) == len(ablation.DRIFTING) + len(ablation.WITHOUT_TIME)
    for one in wholes:
        same = ours_by_protocol[one["protocol"]]
        for name in ablation.FIGURES:
            assert one[name] == pytest.approx(same[name], abs=2e-5), (one["protocol"], name)


@pytest.mark.skipif(not (RESULTS / "ablation.json").is_file(), reason="the benchmark was not run")
def test_committed_report_is_written_from_the_committed_figures(tmp_path):
    report.write_report(report.read(RESULTS), tmp_path)
    for name in ("ablation.md", "ablation.svg", "ablation.json"):
        assert (tmp_path / name).read_bytes() == (RESULTS / name).read_bytes(), name
