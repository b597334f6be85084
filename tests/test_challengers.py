"""No challenger knows an outcome too early, gains are paired, and the rule is the one stated."""

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit, logit

from tierwise import candidates, challengers, evaluation, models, ranking, report, rolling
from tierwise.examples import by_period, spans

COUNT = 3000


def world(delay=0, seed=0, level=0.0, turn=0.0):
    """One number that ranks; later the level of the chances, or the tie to the number, moves."""
    random = np.random.default_rng(seed)
    x = random.normal(size=COUNT)
    later = np.arange(COUNT) >= COUNT // 2
    z = x * np.where(later, 1 - turn, 1.0) - 1 + level * later
    outcome = (random.random(COUNT) < expit(z)).astype(float)
    order = pd.Series(np.arange(COUNT))
    examples = pd.DataFrame({"as_of": order, "outcome_known_at": order + delay})
    return pd.DataFrame({"x": x}), outcome, examples


def fit(features, outcome):
    """Log-odds from the share of wins in the upper and the lower half: two numbers."""
    high = features["x"].to_numpy() > 0
    chance = [np.clip(outcome[side].mean(), 0.01, 0.99) for side in (~high, high)]
    slope = (logit(chance[1]) - logit(chance[0])) / 1.6
    middle = (logit(chance[1]) + logit(chance[0])) / 2
    return lambda rows: expit(middle + slope * rows["x"].to_numpy())


def raced(blocks=10, **given):
    features, outcome, examples = world(**given)
    periods = by_period(examples, blocks, 0.5)
    return challengers.race(features, outcome, periods, fit), periods


@pytest.mark.parametrize("delay", [0, 150])
def test_no_model_learns_from_an_outcome_that_was_not_known_when_its_block_began(delay):
    features, outcome, examples = world(delay)
    periods = by_period(examples, 10, 0.5)
    seen = []

    def spy(rows, won):
        seen.append(rows.index.to_numpy())
        return fit(rows, won)

    challengers.race(features, outcome, periods, spy)
    assert len(seen) == 11
    for rows, period in zip(seen[1:], periods, strict=True):
        assert (examples["outcome_known_at"].to_numpy()[rows] < period.start).all()
        assert len(rows) == period.start - delay


def test_outcomes_of_a_block_and_after_do_not_change_its_chances():
    features, outcome, examples = world(delay=20)
    periods = by_period(examples, 5, 0.5)
    before = challengers.race(features, outcome, periods, fit)
    unknown = examples["outcome_known_at"].to_numpy() >= periods[2].start
    turned = np.where(unknown, 1 - outcome, outcome)
    after = challengers.race(features, turned, periods, fit)
    early = before["period"] <= 2
    names = list(challengers.NAMES)
    pd.testing.assert_frame_equal(before.loc[early, names], after.loc[early, names])
    assert not before.loc[~early, "refitted"].equals(after.loc[~early, "refitted"])


def test_the_champion_is_recalibrated_on_the_last_outcomes_that_it_did_not_learn_from():
    features, outcome, examples = world()
    periods = by_period(examples, 10, 0.5)
    champion = fit(features[:1200], outcome[:1200])
    table = challengers.race(
        features, outcome, periods, fit, champion, np.arange(1200), recalibrate_rows=200
    )
    lines = [
        challengers.calibration.fit(
            "sigmoid", champion(features)[p.start - 200 : p.start], outcome[p.start - 200 : p.start]
        )
        for p in periods
    ]
    for number, line in enumerate(lines):
        rows = table[table["period"] == number]
        want = challengers.calibration.apply(line, rows["frozen"].to_numpy())
        assert rows["recalibrated"].to_numpy() == pytest.approx(want)


def test_corrections_take_the_outcomes_known_last_for_the_latest():
    """Wins end 500 rows on and losses at once, so that of rows begun lately none known has won."""
    features, outcome, examples = world()
    late = examples["outcome_known_at"] + np.where(outcome == 1, 500, 0)
    examples = examples.assign(outcome_known_at=late)
    periods = by_period(examples, 10, 0.5)
    early = np.arange(500, 1500)
    unseen = pd.DataFrame(
        {"row": early, "score": fit(features[:500], outcome[:500])(features)[early]}
    )
    given = {"recalibrate_rows": 200, "method": "sliding", "unseen": unseen}
    champion = fit(features[:1000], outcome[:1000])
    table = challengers.race(features, outcome, periods, fit, champion, np.arange(1000), **given)
    off = table[["recalibrated", "refitted"]].mean() - table["outcome"].mean()
    assert (off.abs() < 0.05).all()
    known = [period.known[~np.isin(period.known, np.arange(1000))] for period in periods]
    begun = np.mean([outcome[np.sort(rows)[-200:]].mean() for rows in known])
    assert begun < table["outcome"].mean() - 0.15, "what the last begun would have told"


def test_refits_are_corrected_by_what_earlier_ones_believed_of_rows_they_had_not_seen():
    """Log-odds of refits are twice too large; so were those of fits before the first block."""
    features, outcome, examples = world()
    periods = by_period(examples, 10, 0.5)

    def loud(rows, won):
        quiet = fit(rows, won)
        return lambda later: expit(2 * logit(quiet(later)))

    early = np.arange(500, 1500)
    believed = loud(features[:500], outcome[:500])(features.iloc[early])
    unseen = pd.DataFrame({"row": early, "score": believed})
    raw = challengers.race(features, outcome, periods, loud)
    table = challengers.race(features, outcome, periods, loud, method="sigmoid", unseen=unseen)
    losses = [challengers.overall(one).set_index("model")["log_loss"] for one in (table, raw)]
    assert losses[0]["refitted"] < losses[1]["refitted"] - 0.02
    first = table["period"] == 0
    line = challengers.calibration.fit("sigmoid", believed, outcome[early])
    want = challengers.calibration.apply(line, raw.loc[first, "refitted"].to_numpy())
    assert table.loc[first, "refitted"].to_numpy() == pytest.approx(want)


def test_without_fifty_fresh_outcomes_the_champion_is_left_as_it_is():
    table, _ = raced(blocks=20)
    first = table["period"] == 0
    assert (table.loc[first, "recalibrated"] == table.loc[first, "frozen"]).all()
    assert (table.loc[~first, "recalibrated"] != table.loc[~first, "frozen"]).all()


def test_recalibrating_keeps_the_order_inside_blocks():
    table, _ = raced(level=1.5)
    found = challengers.overall(table).set_index("model")
    assert found.loc["recalibrated", "auc_in_block_gain"] == pytest.approx(0, abs=1e-12)
    assert found.loc["recalibrated", "auc_in_block_gain_interval"] == pytest.approx([0, 0])


def test_overall_values_are_those_of_the_measures_of_the_package():
    table, periods = raced(level=1.0)
    found = challengers.overall(table).set_index("model")
    won = table["outcome"].to_numpy()
    blocks = [np.flatnonzero(table["period"] == number) for number in range(len(periods))]
    for name in challengers.NAMES:
        chance = table[name].to_numpy()
        want = evaluation.measures(won, chance, 0.2)
        assert found.loc[name, "log_loss"] == pytest.approx(want["log_loss"])
        assert found.loc[name, "auc_pooled"] == pytest.approx(want["auc"])
        assert found.loc[name, "calibration_error"] == pytest.approx(want["calibration_error"])
        inside = ranking.auc_in_blocks(won, chance, blocks)
        assert found.loc[name, "auc_in_block"] == pytest.approx(inside)


def test_a_draw_of_blocks_is_measured_as_if_its_rows_stood_in_a_table():
    table, _ = raced(blocks=6, level=1.0)
    table["frozen"] = table["frozen"].round(1)  # ties
    draw = np.array([0, 0, 3, 5, 5, 5])
    found = challengers.drawn(table, "frozen", draw[None, :])
    rows = [table[table["period"] == number] for number in draw]
    won, chance = (np.concatenate([part[c] for part in rows]) for c in ("outcome", "frozen"))
    want = evaluation.measures(won, chance, 0.2)
    assert found["auc_pooled"][0] == pytest.approx(want["auc"])
    assert found["log_loss"][0] == pytest.approx(want["log_loss"])
    starts = np.cumsum([0, *map(len, rows)])
    blocks = [np.arange(a, b) for a, b in pairwise(starts)]
    inside = ranking.auc_in_blocks(won, chance, blocks)
    assert found["auc_in_block"][0] == pytest.approx(inside)


def test_a_model_gains_nothing_on_itself():
    found = challengers.overall(raced()[0]).set_index("model").loc["frozen"]
    for measure in challengers.MEASURES:
        assert found[f"{measure}_gain"] == 0
        assert found[f"{measure}_gain_interval"] == [0, 0]


def test_a_better_model_gains_whichever_way_a_measure_points():
    table, _ = raced(level=1.5)
    found = challengers.overall(table).set_index("model").loc["recalibrated"]
    for measure in ("log_loss", "calibration_error"):
        assert found[f"{measure}_gain_interval"][0] > 0
    worse = challengers.overall(table, "recalibrated").set_index("model").loc["frozen"]
    for measure in challengers.MEASURES:
        assert worse[f"{measure}_gain"] == -found[f"{measure}_gain"]


def test_a_block_of_one_class_is_no_reason_to_fail():
    table, periods = raced()
    table.loc[table["period"] == 3, "outcome"] = 0.0
    assert np.isfinite(challengers.overall(table)["auc_in_block"]).all()
    blocks = challengers.by_block(table, periods)
    assert blocks.loc[blocks["period"] == 3, "weight"].eq(0).all()


@pytest.mark.parametrize("seed", range(5))
def test_where_nothing_moved_the_champion_is_kept(seed):
    assert challengers.decide(raced(seed=seed)[0])[0] == "keep"


def test_where_the_level_moved_it_is_recalibrated_if_refitting_gains_no_more():
    table, _ = raced(level=1.5)
    table["refitted"] = table["recalibrated"]
    decision, said = challengers.decide(table)
    assert decision == "recalibrate"
    assert "the order holds and the level does not, log loss better by 0." in said


def test_where_the_order_turned_it_is_refitted():
    features, outcome, examples = world()
    later = np.arange(COUNT) >= COUNT // 2
    features["x"] = np.where(later, -features["x"], features["x"])
    periods = by_period(examples, 10, 0.5)

    def recent(rows, won):
        return fit(rows[-400:], won[-400:])

    decision, said = challengers.decide(challengers.race(features, outcome, periods, recent))
    assert decision == "refit"
    assert "ranks better than the frozen one, AUC inside blocks better by" in said


def test_chances_better_than_a_line_can_make_them_are_a_reason_to_refit():
    """The same order and a level that a line on old outcomes can't reach."""
    table, _ = raced()
    true = np.where(table["outcome"] == 1, 0.6, 0.3)
    table["refitted"] = np.where(table["period"] % 2, true, table["frozen"] * 0.5 + true * 0.5)
    table[["frozen", "recalibrated"]] = 0.5
    assert challengers.decide(table)[0] == "refit"


def test_a_gain_below_the_tolerance_does_not_count_however_sure():
    table, _ = raced(level=1.5)
    decision, said = challengers.decide(table, {"auc": 1.0, "log_loss": 9.0})
    assert decision == "keep"
    assert "recalibrating makes log loss better by 0." in said
    assert said.endswith("less than the 9.0 that a change has to bring.")


def test_only_where_no_gain_is_sure_nothing_is_said_to_gain():
    """A small gain that is sure is told as one, and so is one that recalibrating gives as well."""
    row = dict.fromkeys(("auc_in_block_gain", "log_loss_gain"), 0.0)
    row |= {f"{name}_interval": [-0.1, 0.1] for name in tuple(row)}
    models = pd.DataFrame({"recalibrated": row, "refitted": row}).T
    least = {"auc": 0.005, "log_loss": 0.001}
    assert "nor recalibrating gains anything" in challengers.why_kept(models, least)
    models.loc["refitted", "auc_in_block_gain"] = 0.0048
    models.at["refitted", "auc_in_block_gain_interval"] = [0.0028, 0.0065]
    assert challengers.why_kept(models, least) == (
        "refitting makes AUC inside blocks better by 0.0048 (0.0028 to 0.0065), "
        "less than the 0.005 that a change has to bring"
    )
    models.loc["refitted", "log_loss_gain"] = 0.002
    models.at["refitted", "log_loss_gain_interval"] = [0.001, 0.003]
    assert challengers.why_kept(models, least).endswith(
        "refitting makes log loss better by 0.0020 (0.0010 to 0.0030), "
        "which recalibrating may give as well"
    )


def test_four_blocks_are_too_few():
    table, _ = raced(blocks=4)
    assert challengers.decide(table)[0] == "too early to say"


def test_the_blocks_begin_where_the_judged_span_begins():
    _, _, examples = world(delay=10)
    examples["span"] = spans(examples, 0.2, 0.3)
    periods = by_period(examples, 7, challengers.history_share(examples["span"]))
    judged = np.concatenate([period.rows for period in periods])
    assert judged.tolist() == np.flatnonzero(examples["span"] == "judge").tolist()


def test_a_row_of_the_log_tells_what_was_promised_and_what_came():
    table, periods = raced()
    blocks = challengers.by_block(table, periods)
    assert len(blocks) == 3 * len(periods)
    row = blocks[(blocks["period"] == 2) & (blocks["model"] == "refitted")].iloc[0]
    part = table[table["period"] == 2]
    assert row["rate"] == part["outcome"].mean()
    assert row["mean_chance"] == pytest.approx(part["refitted"].mean())
    assert row["start"] == f"{periods[2].start:,}"


def compared(candidate):
    """Metrics of compare_models, as they are written: settings by candidate, weights by part."""
    return {
        "candidate": candidate,
        "columns": world()[0].columns.tolist(),
        "settings": {part: tried[-1] for part, tried in candidates.SEARCHED.items()},
        "blend": {"weights": dict.fromkeys(candidates.BLENDED, 0.5), "intercept": 0.0},
    }


def test_a_recipe_fits_the_candidate_that_was_chosen():
    features, outcome, _ = world()
    predict = challengers.recipe(compared("base_rate"))(features[:500], outcome[:500])
    assert predict(features) == pytest.approx(np.full(COUNT, outcome[:500].mean()))
    ranks = challengers.recipe(compared("logistic_regression"))(features, outcome)(features)
    assert ranking.auc(outcome, ranks) > 0.7


@pytest.mark.parametrize("candidate", sorted({*candidates.SEARCHED, candidates.BLEND}))
def test_a_recipe_fits_with_the_settings_and_weights_that_were_chosen(candidate):
    features, outcome, _ = world()
    chosen = compared(candidate)
    model = rolling.fit(candidate, features, outcome, chosen["settings"], chosen["blend"])
    found = challengers.recipe(chosen)(features, outcome)(features)
    assert found == pytest.approx(models.chance(model, features), abs=1e-12)


def test_what_is_shown_is_the_rank_inside_blocks_and_the_loss_with_their_gains():
    shown = challengers.overall(raced()[0])[challengers.SHOWN]
    of = ["", "_gain", "_gain_interval"]
    assert list(shown) == [
        "model",
        *(f"{m}{end}" for m in ("auc_in_block", "log_loss") for end in of),
    ]
    assert challengers.FORMATS == {
        "auc_in_block_gain_interval": "number",
        "log_loss_gain_interval": "number",
    }
    page = report.table(shown, challengers.FORMATS).data
    assert all(name in page for name in challengers.NAMES)
    assert "[" not in page  # an interval is two numbers, not a list
