"""Ways in which trees see text values: one of them is ours, and none sees a row's own outcome."""

import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
sys.path.insert(0, str(BENCHMARKS))

import quality_splits as splits  # noqa: E402
import text_values  # noqa: E402

from tierwise import candidates, models  # noqa: E402


def table(rows_count=1500, seed=0):
    """Three sources that matter and sixty places that don't, of some 25 rows each."""
    random = np.random.default_rng(seed)
    columns = pd.DataFrame(
        {
            "amount": random.normal(size=rows_count),
            "source": random.choice(["fair", "web", "(missing)"], rows_count),
            "place": random.integers(60, size=rows_count).astype(str),
        }
    )
    odds = columns["amount"] + 1.5 * (columns["source"] == "web")
    won = random.random(rows_count) < 1 / (1 + np.exp(1 - odds))
    return splits.Table("made_up", columns, won.to_numpy(int))


def protocol():
    return splits.random_folds("made_up_clean", table())


def test_the_first_way_is_the_trees_of_the_product_to_the_last_digit():
    one = protocol()
    known, rows = one.folds[0]
    setting = {"depth": 5, "round_count": 120, **candidates.FREE, "half_life_count": None}
    same = setting | {"ranks": True}
    assert same in candidates.SEARCHED["recent_boosting"]
    model, _ = models.fit("recent_boosting", one.columns, one.outcome.astype(float), same, known)
    expected = models.chance(model, one.columns.iloc[rows])
    found = text_values.forecast(text_values.OURS, one)
    np.testing.assert_array_equal(found[: len(rows)], expected)


@pytest.mark.parametrize("way", text_values.WAYS)
def test_every_way_ranks_by_what_matters_and_gives_all_judged_rows_a_chance(way):
    one = protocol()
    found = text_values.forecast(way, one)
    assert len(found) == len(one.judged)
    assert roc_auc_score(one.outcome[one.judged], found) > 0.7


def test_target_encoding_of_a_known_row_does_not_know_its_outcome():
    columns, won = table().columns, table().outcome
    plain = columns.assign(won=won).groupby("place")["won"].transform("mean")
    known, _ = text_values.target_encoded(columns, won, columns[:1])
    assert roc_auc_score(won, plain) > 0.58
    assert roc_auc_score(won, known["wins_place"]) < 0.53


def test_judged_rows_have_values_that_no_known_row_had():
    columns, won = table().columns, table().outcome
    new = columns[:3].assign(place="elsewhere", source="fair")
    for way, parts in text_values.WAYS.items():
        for part in parts:
            _, judged = part(columns, won.astype(float), new)
            assert len(judged) == 3, way


def test_a_run_replaces_its_protocol_and_keeps_the_others(tmp_path, monkeypatch, capsys):
    kept = [{"protocol": "coil_official", "way": text_values.OURS, "data": "coil2000"}]
    kept[0] |= dict.fromkeys(text_values.FIGURES, 0.5)
    old = [*kept, {**kept[0], "protocol": "bank_rand", "auc": 0.1}]
    (tmp_path / "text_values.json").write_text(json.dumps(old))
    plan = text_values.PLANS["bank_rand"]
    monkeypatch.setattr(text_values, "table_of", lambda data, given: (data, table()))
    monkeypatch.setitem(
        text_values.PLANS, "bank_rand", plan._replace(build=lambda _, t: protocol_named(t))
    )
    monkeypatch.setattr(
        sys, "argv", ["text_values", "--protocol", "bank_rand", "--results", str(tmp_path)]
    )
    text_values.main()
    rows = json.loads((tmp_path / "text_values.json").read_text())
    assert rows[0] == kept[0]
    assert [row["way"] for row in rows[1:]] == list(text_values.WAYS)
    page = (tmp_path / "text_values.md").read_text()
    assert page.count("\n## ") == 2
    assert page.count("\n| indicators and ranks ") == 2


def protocol_named(made):
    return splits.random_folds("bank_rand", made)


def test_an_unknown_protocol_and_missing_tables_are_one_line(tmp_path, monkeypatch):
    monkeypatch.delenv("TIERWISE_REAL_DATA", raising=False)
    for name, said in {"nope": "is unknown", "bank_rand": "TIERWISE_REAL_DATA"}.items():
        monkeypatch.setattr(
            sys, "argv", ["text_values", "--protocol", name, "--results", str(tmp_path)]
        )
        with pytest.raises(SystemExit, match=said) as ended:
            text_values.main()
        assert "\n" not in str(ended.value)
    assert not list(tmp_path.iterdir())


def test_protocols_stand_in_their_order_whatever_was_run_last():
    names = ["own", *reversed(text_values.PROTOCOLS)]
    rows = [{"protocol": name, "way": way} for name in names for way in ("b", "a")]
    found = text_values.in_order(rows)
    assert list(dict.fromkeys(row["protocol"] for row in found)) == [*text_values.PROTOCOLS, "own"]
    assert [row["way"] for row in found] == ["b", "a"] * len(names)
