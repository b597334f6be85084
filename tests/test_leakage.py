"""The leak guard refuses what could not have been known, and nothing honest."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

from tierwise import leakage
from tierwise.files import InputError

COUNT = 3000


def labels(seed=0, count=COUNT, rate=0.3):
    return (np.random.default_rng(seed).random(count) < rate).astype(float)


def shifted(outcome, auc, seed=1):
    """A normal column whose AUC for the outcome is `auc`: wins lie sqrt(2) * probit(auc) higher."""
    noise = np.random.default_rng(seed).normal(size=len(outcome))
    return noise + outcome * np.sqrt(2) * norm.ppf(auc)


def audited(columns, outcome, as_of=None):
    """The audit by column name."""
    raw = pd.DataFrame(columns)
    as_of = pd.Series(np.arange(len(raw))) if as_of is None else as_of
    return leakage.audit(raw, as_of, outcome).set_index("column")


def reason(column, outcome, name="column", as_of=None):
    return audited({name: column}, outcome, as_of).loc[name, "reason"]


# too good alone


@pytest.mark.parametrize(
    "copy",
    [
        lambda won: won,
        lambda won: 1 - won,
        lambda won: won.astype(bool),
        lambda won: np.where(won == 1, "sold", "not sold"),
        lambda won: won * 1000 + np.random.default_rng(3).random(len(won)),
    ],
    ids=["number", "reversed", "boolean", "text", "amount paid"],
)
def test_a_copy_of_the_outcome_is_refused_in_every_guise(copy):
    won = labels()
    assert reason(copy(won), won).startswith("too good alone: ranks with AUC 1.00")


def test_a_copy_with_some_values_wrong_is_still_refused():
    won = labels()
    noisy = np.where(np.random.default_rng(2).random(COUNT) < 0.1, 1 - won, won)
    assert "too good alone" in reason(noisy, won)


@pytest.mark.parametrize("auc", [0.60, 0.75])
def test_an_honest_column_passes_even_when_it_is_strong(auc):
    won = labels()
    found = audited({"engagement": shifted(won, auc)}, won).loc["engagement"]
    assert found["auc_in_period"] == pytest.approx(auc, abs=0.03)
    assert found["reason"] == ""


def test_the_limit_of_the_guard_is_the_one_that_it_is_given():
    won = labels()
    raw, as_of = pd.DataFrame({"x": shifted(won, 0.75)}), pd.Series(np.arange(COUNT))
    strict = leakage.GUARD | {"single_column_auc": 0.70}
    assert "the guard's limit is 0.70" in leakage.audit(raw, as_of, won, strict).loc[0, "reason"]


@pytest.mark.parametrize("number", [True, False])
def test_an_id_with_one_row_a_value_scores_a_half_and_not_one(number):
    won = labels()
    ids = np.random.default_rng(5).permutation(COUNT)
    column = pd.Series(ids if number else [f"id-{value}" for value in ids])
    pooled, inside = leakage.alone_score(column.astype(object), won)
    assert pooled == 0.5
    assert inside == 0.5
    assert reason(column, won, "customer_id") == ""


def test_a_deal_that_is_seen_again_does_not_vouch_for_itself():
    """A text of its own for each deal tells nothing about other deals, however often it is seen."""
    deal = np.repeat(np.arange(COUNT // 6), 6)
    outcome = labels(count=COUNT // 6)[deal]
    order = np.random.default_rng(1).permutation(len(deal))
    column, outcome, deal = (
        pd.Series([f"name {d}" for d in deal[order]]),
        outcome[order],
        deal[order],
    )
    assert leakage.alone_score(column, outcome)[0] > 0.9
    assert leakage.alone_score(column, outcome, deal)[0] == pytest.approx(0.5, abs=0.02)


def test_rows_of_different_entities_are_scored_as_if_nobody_had_asked_whose_they_are():
    outcome = labels()
    column = pd.Series(shifted(outcome, 0.7))
    entity = np.random.default_rng(2).permutation(COUNT)
    assert leakage.alone_score(column, outcome, entity) == leakage.alone_score(column, outcome)


def test_a_value_is_never_scored_by_its_own_rows_outcome():
    """Pairs of opposite outcomes: a score with the own outcome inside would rank all pairs."""
    won = np.tile([1.0, 0.0], 100)
    pairs = pd.Series(np.repeat(np.arange(100), 2)).astype(str)
    assert leakage.alone_score(pairs, won)[0] < 0.5


# clocks


def test_a_clock_ranks_pooled_but_not_within_a_period_and_is_not_refused():
    random = np.random.default_rng(0)
    rate = np.repeat([0.02, 0.04, 0.06, 0.10, 0.15, 0.25, 0.40, 0.55, 0.70, 0.90], COUNT // 10)
    won = (random.random(COUNT) < rate).astype(float)
    clock = np.repeat(np.arange(10.0), COUNT // 10)
    found = audited({"interest_rate": clock}, won).loc["interest_rate"]
    assert found["auc"] > 0.85
    # Cross-fitting errs to the low side where nothing ranks.
    assert 0.4 < found["auc_in_period"] < 0.52
    assert found["reason"] == ""


def test_a_leak_is_refused_even_when_the_base_rate_drifts():
    won = (np.random.default_rng(0).random(COUNT) < np.linspace(0.05, 0.6, COUNT)).astype(float)
    assert "too good alone" in reason(shifted(won, 0.97), won)


# filled after the outcome, later than the decision, comes and goes


@pytest.mark.parametrize(("filled_for", "word"), [(1, "wins"), (0, "losses")])
def test_a_column_filled_only_after_one_outcome_is_refused_as_such(filled_for, word):
    won = labels()
    random = np.random.default_rng(1)
    filled = (won == filled_for) & (random.random(COUNT) < 0.4)
    survey = pd.Series(random.integers(1, 6, COUNT)).where(filled)
    why = reason(survey, won, "survey_score")
    assert why.startswith("filled in after the outcome")
    assert f"percentage points more of the {word} than of the" in why


def test_a_column_filled_after_every_win_and_no_loss_is_refused():
    won = labels()
    contract = pd.Series(np.random.default_rng(1).choice(list("abc"), COUNT)).where(won == 1)
    found = audited({"contract": contract}, won).loc["contract"]
    assert found["missing_gap_share"] == -1.0
    assert found["reason"] != ""


def test_a_column_missing_alike_for_wins_and_losses_is_not_refused():
    won = labels()
    column = pd.Series(np.random.default_rng(2).normal(size=COUNT))
    assert reason(column.where(np.random.default_rng(3).random(COUNT) < 0.5), won) == ""


def test_dates_after_the_decision_are_refused_and_dates_before_it_are_not():
    won = labels(count=300)
    as_of = pd.Series(pd.date_range("2026-01-01", periods=300, freq="h"))
    later = as_of + pd.to_timedelta((np.arange(300) % 10 == 0).astype(int), unit="D")
    assert reason(later, won, "signed", as_of) == "10% of its dates lie after the decision"
    assert reason(as_of - pd.Timedelta(days=3), won, "first_seen", as_of) == ""
    assert reason(as_of, won, "called", as_of) == ""


def test_a_date_can_not_be_late_where_the_rows_have_no_dates():
    won = labels(count=300)
    dates = pd.Series(pd.date_range("2090-01-01", periods=300, freq="h"))
    assert audited({"planned": dates}, won).loc["planned", "late_share"] == 0.0


@pytest.mark.parametrize("turned", [False, True])
def test_a_column_that_comes_or_goes_in_time_is_refused(turned):
    won = labels()
    filled = np.arange(COUNT) >= COUNT * 0.6
    column = pd.Series(np.random.default_rng(1).normal(size=COUNT))
    found = audited({"score": column.where(filled != turned)}, won).loc["score"]
    assert found["fill_range_share"] == 1.0
    assert found["reason"].startswith("comes and goes")


# latest state


LATEST = [
    *("Last Activity", "last_activity_days", "status", "Stage", "lead_status", "Lost Reason"),
    *("latest-touch", "is_closed", "closing notes", "final_price", "LastActivityDate", "IsClosed"),
]
HARMLESS = [
    *("blast_radius", "marital status", "elastic", "lasting_value", "stage fright", "enclosed"),
    *("plastic", "finalist", "PLASTIC", "closest_branch_km", "statuses"),
]


@pytest.mark.parametrize("name", LATEST)
def test_a_name_of_the_latest_state_is_refused_when_the_column_ranks(name):
    won = labels()
    assert "latest state" in reason(shifted(won, 0.70), won, name)
    noise = np.random.default_rng(8).normal(size=COUNT)
    assert reason(noise, won, name) == ""


@pytest.mark.parametrize("name", ["stage_last", "Lead Status", "closing_note"])
def test_a_name_of_the_latest_state_is_no_reason_where_the_value_is_dated(name):
    outcome = labels()
    raw = pd.DataFrame({name: shifted(outcome, 0.7)})
    as_of = pd.Series(np.arange(COUNT))
    assert leakage.audit(raw, as_of, outcome)["reason"].item()
    assert leakage.audit(raw, as_of, outcome, dated=[name])["reason"].item() == ""


def test_a_dated_column_may_be_filled_for_wins_more_often_but_not_rank_too_well():
    """Days since the last meeting: those who buy have met us more often."""
    outcome = labels()
    random = np.random.default_rng(3)
    met = random.random(COUNT) < 0.2 + 0.3 * outcome
    column = pd.Series(random.random(COUNT)).where(met)
    raw, as_of = pd.DataFrame({"meeting": column, "copy": outcome}), pd.Series(np.arange(COUNT))
    found = leakage.audit(raw, as_of, outcome, dated=["meeting", "copy"]).set_index("column")
    assert found.loc["meeting", "missing_gap_share"] < -0.2
    assert found.loc["meeting", "reason"] == ""
    assert found.loc["copy", "reason"].startswith("too good alone")


@pytest.mark.parametrize("name", HARMLESS)
def test_a_name_that_only_contains_such_a_word_is_not_refused(name):
    won = labels()
    assert reason(shifted(won, 0.70), won, name) == ""


# decide


def decided(leave_out=None, allow=None):
    won = labels()
    raw = {"copy": won, "honest": shifted(won, 0.65), "noise": labels(9)}
    found = leakage.audit(pd.DataFrame(raw), pd.Series(np.arange(COUNT)), won)
    return leakage.decide(found, leave_out or {}, allow or {}).set_index("column")


def test_the_guard_refuses_only_the_leak_and_says_so():
    found = decided()
    assert found["refused"].tolist() == [True, False, False]
    assert found["by"].tolist() == ["leak guard", "", ""]
    assert found.loc["copy", "why"] == found.loc["copy", "reason"]
    assert found["why"].tolist()[1:] == ["", ""]


def test_allow_brings_a_column_back_and_keeps_the_guards_reason_on_record():
    found = decided(allow={"copy": "agreed with sales"})
    assert not found["refused"].any()
    assert found.loc["copy", "reason"] != ""


def test_a_column_in_leave_out_and_allow_stays_out():
    found = decided(leave_out={"copy": "known later"}, allow={"copy": "agreed"})
    assert found.loc["copy", ["refused", "by", "why"]].tolist() == [
        *(True, "params.yaml", "known later")
    ]


def test_leave_out_refuses_a_column_that_the_guard_would_keep():
    found = decided(leave_out={"honest": "not ours to use"})
    assert found.loc["honest", ["refused", "by", "why"]].tolist() == [
        *(True, "params.yaml", "not ours to use")
    ]
    assert found.loc["copy", "by"] == "leak guard"


@pytest.mark.parametrize("role", ["leave_out", "allow"])
@pytest.mark.parametrize("empty", ["", "  ", None])
def test_a_column_named_without_a_reason_is_an_error(role, empty):
    with pytest.raises(InputError, match=f"{role} in params.yaml needs a reason for .'noise'."):
        decided(**{role: {"noise": empty}})


@pytest.mark.parametrize("role", ["leave_out", "allow"])
def test_an_unknown_column_is_named_beside_those_that_exist(role):
    with pytest.raises(InputError, match="nosie") as error:
        decided(**{role: {"nosie": "typo"}})
    assert role in str(error.value)
    assert "copy, honest, noise" in str(error.value)


def test_the_announcement_lists_what_the_guard_did_and_not_what_the_user_did():
    assert "quarantined copy: too good" in leakage.announcement(decided().reset_index())
    quiet = decided(leave_out={"copy": "known later"}).reset_index()
    assert leakage.announcement(quiet) == "  the leak guard quarantined nothing"


# awkward columns


AWKWARD = {
    "all missing": np.full(200, np.nan),
    "all None": [None] * 200,
    "constant": ["x"] * 200,
    "constant number": [3] * 200,
    "infinite": [np.inf, -np.inf, np.nan, *range(197)],
    "mostly infinite": [np.inf] * 150 + list(range(50)),
    "huge integers": [2**62 + k for k in range(200)],
    "beyond int64": [10**30 + k for k in range(200)],
    "tiny and huge": [10.0**k for k in range(-100, 100)],
    "mixed": [1, "a", None, 2.5, True] * 40,
    "booleans": [True, False] * 100,
    "nullable": pd.array([1, None] * 100, dtype="Int64"),
    "many nullable": pd.array([None, *range(199)], dtype="Int64"),
    "categories": pd.Categorical(["a", "b"] * 100),
    "dates": pd.date_range("2020-01-01", periods=200).where(np.arange(200) % 3 > 0),
    "dates in a zone": pd.date_range("2020-01-01", periods=200, tz="Europe/Berlin"),
    "empty text": ["", " "] * 100,
}


@pytest.mark.parametrize("name", AWKWARD)
@pytest.mark.parametrize("rate", [0.0, 0.4, 1.0])
def test_every_measure_stays_in_its_range_on_awkward_columns(name, rate):
    won = labels(count=200, rate=rate)
    found = audited({"column": pd.Series(AWKWARD[name])}, won).loc["column"]
    for share in ("missing_share", "auc", "auc_in_period", "fill_range_share", "late_share"):
        assert 0 <= found[share] <= 1
    assert -1 <= found["missing_gap_share"] <= 1
    if name.startswith(("all", "constant")):
        assert found["auc"] == 0.5
        assert found["reason"] == ""
    if rate in (0.0, 1.0):
        assert found["auc_in_period"] == 0.5


@pytest.mark.parametrize("count", [1, 2, 7])
def test_fewer_rows_than_blocks_are_audited_too(count):
    won = np.arange(count) % 2.0
    found = audited({"x": np.arange(count), "y": [None] * count}, won)
    assert found["auc_in_period"].between(0, 1).all()


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([None, None, None], "empty"),
        ([1, 1, 1], "constant"),
        ([1, 1, None], "number"),
        ([1.5, 2, 3], "number"),
        (["a", "b", "a", "b", "a"], "category"),
        (["a", "b", "c"], "text"),
        (pd.to_datetime(["2026-01-01", "2026-01-02"]), "date"),
    ],
)
def test_kinds(values, kind):
    assert leakage.kind_of(pd.Series(values)) == kind


def test_the_audit_alters_nothing_and_does_not_depend_on_the_other_columns():
    won = labels()
    raw = pd.DataFrame({"a": shifted(won, 0.7), "b": np.where(won == 1, "x", "y"), "c": labels(4)})
    before = raw.copy()
    together = leakage.audit(raw, pd.Series(np.arange(COUNT)), won)
    pd.testing.assert_frame_equal(raw, before)
    for position, name in enumerate(raw):
        alone = leakage.audit(raw[[name]], pd.Series(np.arange(COUNT)), won)
        pd.testing.assert_series_equal(alone.loc[0], together.loc[position], check_names=False)


# against open cases


def closing(count=2000, seed=0):
    """Cases in time order, of which the younger ones are more often still open."""
    random = np.random.default_rng(seed)
    is_open = random.random(count) < np.linspace(0.1, 0.9, count)
    return random, is_open


def signs(columns, is_open, **given):
    return leakage.against_open(pd.DataFrame(columns), is_open, **given).set_index("column")


def test_a_field_filled_whenever_a_case_ends_is_found_though_wins_and_losses_do_not_differ():
    random, is_open = closing()
    won = (random.random(len(is_open)) < 0.3).astype(float)
    note = pd.Series(random.integers(1, 90, len(is_open))).where(~is_open)
    ended = note[~is_open].reset_index(drop=True)
    assert reason(ended, won[~is_open], "note") == ""
    found = signs({"note": note}, is_open).loc["note"]
    assert found["open_gap_share"] == 1.0
    assert found["reason"].startswith(
        "filled at closing: 100 percentage points more of the ended cases than of the open ones"
    )


def test_a_field_that_is_emptied_at_closing_is_found_too():
    random, is_open = closing()
    next_step = pd.Series(random.choice(list("abc"), len(is_open))).where(is_open)
    found = signs({"next_step": next_step}, is_open).loc["next_step"]
    assert found["open_gap_share"] == -1.0
    assert "more of the open cases than of the ended ones" in found["reason"]


def test_a_column_whose_values_alone_tell_ended_from_open_cases_is_found():
    random, is_open = closing()
    stage = np.where(is_open, random.choice(["new", "demo"], len(is_open)), "closed")
    found = signs({"stage": stage}, is_open).loc["stage"]
    assert found["open_auc_in_period"] == 1.0
    assert found["open_gap_share"] == 0.0
    assert "tells ended cases from open ones" in found["reason"]


def test_a_column_that_only_follows_time_does_not_tell_ended_from_open_cases_of_the_same_time():
    """Open cases are the younger ones: pooled, every clock would be called a leak."""
    random, is_open = closing()
    clock = np.arange(len(is_open)) // 200
    filled = pd.Series(random.random(len(is_open))).where(clock >= 5)
    assert leakage.alone_score(pd.Series(clock), (~is_open).astype(float))[0] > 0.7
    found = signs({"clock": clock, "filled": filled}, is_open)
    assert (found["open_auc_in_period"] < 0.53).all()
    assert (found["open_gap_share"].abs() < 0.05).all()
    assert (found["reason"] == "").all()


def test_honest_columns_and_dated_ones_get_no_reason():
    random, is_open = closing()
    noise = pd.Series(random.normal(size=len(is_open)))
    found = signs({"noise": noise, "met": noise.where(~is_open)}, is_open, dated=["met"])
    assert (found["reason"] == "").all()
    assert found.loc["met", "open_gap_share"] == 1.0


@pytest.mark.parametrize("count", [0, 49])
def test_a_few_open_cases_prove_nothing(count):
    random, _ = closing()
    is_open = np.arange(2000) >= 2000 - count
    found = signs({"note": pd.Series(random.random(2000)).where(~is_open)}, is_open)
    assert found.loc["note", "reason"] == ""


def test_what_tells_ended_from_open_is_added_to_the_audit_and_an_earlier_reason_stays():
    random, is_open = closing()
    won = (random.random(len(is_open)) < 0.3).astype(float)
    note = pd.Series(random.random(len(is_open))).where(~is_open)
    raw = pd.DataFrame({"copy": pd.Series(won).where(~is_open), "note": note, "noise": note.index})
    decided_rows = raw[~is_open].reset_index(drop=True)
    audit = leakage.audit(decided_rows, pd.Series(np.arange(len(decided_rows))), won[~is_open])
    both = leakage.with_open(audit, leakage.against_open(raw, is_open)).set_index("column")
    assert both.loc["copy", "reason"].startswith("too good alone")
    assert both.loc["note", "reason"].startswith("filled at closing")
    assert both.loc["noise", "reason"] == ""
    refused = leakage.decide(both.reset_index(), {}, {}).set_index("column")["refused"]
    assert refused.to_dict() == {"copy": True, "note": True, "noise": False}
