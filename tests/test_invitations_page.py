"""Sendings whose end is known, and the page that judges a choice of texts on the later ones."""

import json

import numpy as np
import pandas as pd
import pytest

from crm import at
from invitation_worlds import ALIKE, AS_OF, PLAN, RULES, TEMPLATES, TRUTH, tables
from small_referrals import small_referrals
from tierwise import files
from tierwise.files import InputError
from tierwise.invitations import choice, logged, measured, page, plans, plots, sendings
from tierwise.invitations import off_policy as op
from tierwise.referrals import referral_data

OWN = plans.plan(PLAN)


def moment(text):
    return pd.Timestamp(text).as_unit("us")


def judged_of(**given):
    halves = sendings.halves(tables(**given), RULES, AS_OF, 0.5)
    return halves, measured.judged(halves, 20.0, 0.1)


@pytest.fixture(scope="module")
def good():
    return judged_of()


@pytest.fixture(scope="module")
def alike():
    return judged_of(seed=4, chances=ALIKE)


def test_a_sending_counts_when_its_window_has_closed_and_its_credits_are_settled():
    found = small_referrals()
    as_of = moment("2026-02-09")
    credits = referral_data.credited(found, RULES, as_of)
    rows, left_out = sendings.ended(found, credits, RULES, as_of)
    assert rows["link_id"].tolist() == ["L1", "L2"]
    assert rows["recipients_count"].tolist() == [3, 1]
    assert rows["sign_ups_count"].tolist() == [1, 1]
    assert left_out == {sendings.NO_MESSAGE: 0, sendings.TOO_YOUNG: 1}
    earlier, _ = sendings.ended(found, credits, RULES, moment("2026-02-08"))
    assert earlier["link_id"].tolist() == ["L1"]


def test_a_link_without_a_message_is_no_sending_and_is_counted():
    found = small_referrals()
    found["invites"] = found["invites"].query("link_id != 'L1'")
    as_of = moment("2026-03-01")
    rows, left_out = sendings.ended(
        found, referral_data.credited(found, RULES, as_of), RULES, as_of
    )
    assert rows["link_id"].tolist() == ["L2", "L3"]
    assert left_out[sendings.NO_MESSAGE] == 1


def test_a_sign_up_after_the_window_of_the_sending_does_not_count():
    found = small_referrals()
    found["invites"].loc[found["invites"]["link_id"] == "L1", "occurred_at"] = moment(at(1))
    late = found["members"]["person_id"] == 3
    found["members"].loc[late, ["occurred_at", "known_at"]] = moment("2026-02-05")
    as_of = moment("2026-04-01")
    credits = referral_data.credited(found, RULES, as_of)
    assert credits.set_index("person_id")["link_id"][3] == "L1"
    rows, _ = sendings.ended(found, credits, RULES, as_of)
    assert rows.set_index("link_id")["sign_ups_count"]["L1"] == 0


def test_what_is_learned_later_changes_nothing_that_was_learned(good):
    """Without all that was known after judging began, the sendings to learn from are the same."""
    halves, _ = good
    until = halves.judged_from
    past = {name: rows[rows["known_at"] < until] for name, rows in tables().items()}
    credits = referral_data.credited(past, RULES, until)
    again, _ = sendings.ended(past, credits, RULES, until)
    pd.testing.assert_frame_equal(again, halves.learned)


def test_no_sending_teaches_whose_end_was_not_known_when_judging_began(good):
    halves, _ = good
    assert (halves.learned["outcome_known_at"] < halves.judged_from).all()
    assert (halves.judged["sent_at"] >= halves.judged_from).all()
    left = halves.left_out.set_index("why")["sendings_count"]
    counted = len(halves.learned) + len(halves.judged) + left.iloc[-1]
    assert counted == len(halves.all)
    assert len(halves.all) + left.iloc[:-1].sum() == len(tables()["links"])


def test_too_few_sendings_and_a_wrong_share_are_refused():
    with pytest.raises(InputError, match="it takes 30 of each"):
        sendings.halves(tables(count=60), RULES, AS_OF, 0.5)
    with pytest.raises(InputError, match="judged_share must be between 0 and 1, not 1"):
        sendings.halves(tables(count=60), RULES, AS_OF, 1)
    with pytest.raises(InputError, match="0 sendings to learn from"):
        sendings.halves(tables(count=60), RULES, moment("2024-01-02"), 0.5)


def test_a_choice_per_interest_that_is_better_is_found_and_may_be_used(good):
    _, found = good
    kind, words = page.judgement(found)
    assert kind == "supported"
    assert "may be used" in words
    assert found.over_single.low > 0
    assert "One text for all" not in words
    best = found.policies[measured.NO_LOT]
    assert best.loc["photos", "album"] == 1
    assert best.loc["music", "plain"] == 1
    assert page.used(found, kind) is found.safe.policy


def test_estimates_meet_the_truth(good):
    _, found = good
    chances = measured.truth_matrix(found.every, TRUTH)
    true = measured.true_values(found, chances)
    table = measured.table(found, true)
    inside = measured.inside_count(table)
    assert inside["intervals_count"] == 15
    assert inside["inside_count"] >= 11
    assert true["best possible"] >= true.drop("best possible").max()
    share, (low, high) = measured.traced_share(found, chances)
    assert low < 1 < high
    assert share == pytest.approx(1, abs=0.1)


def test_where_all_texts_are_alike_what_is_sent_now_stays(alike):
    _, found = alike
    kind, words = page.judgement(found)
    assert kind == "not supported"
    assert "What is sent now stays" in words
    kept = page.used(found, kind)
    assert kept.sum(axis=1).to_numpy() == pytest.approx(np.ones(3))
    assert kept.loc["photos", "album"] == pytest.approx(0.9 * 0.3 + 0.05)


def test_a_log_with_wrong_propensities_ranks_nothing():
    found = tables()
    found["links"]["propensity_share"] = 0.5  # in truth 0.3 and 0.7 for photos
    halves = sendings.halves(found, RULES, AS_OF, 0.5)
    found = measured.judged(halves, 20.0, 0.1)
    kind, words = page.judgement(found)
    assert kind == "cannot rank"
    assert "not drawn as often as its logged propensities say" in words
    assert page.used(found, kind).to_numpy() == pytest.approx(np.full((3, 2), 0.5))


def test_where_one_text_is_best_for_all_the_page_says_so():
    """Album brings most for every interest: choosing per interest gains nothing beyond it."""
    halves, found = judged_of(seed=2, chances=np.array([[0.2, 0.05]] * 3))
    kind, words = page.judgement(found)
    assert kind == "supported"
    assert found.best_single == "album"
    assert "One text for all, album, would do about as well" in words
    shown = page.cards(found, halves, None, 1.0)
    assert "beyond album" in shown[4]["note"]


def test_too_little_to_judge_is_said():
    _, found = judged_of(count=200)
    kind, words = page.judgement(found)
    assert kind == "cannot rank"
    assert "say too little" in words


def test_nothing_is_said_of_a_truth_that_nobody_knows(good):
    halves, found = good
    assert measured.true_values(found, measured.truth_matrix(found.every, None)) is None
    assert measured.traced_share(found, None) is None
    assert "true" not in measured.table(found, None)
    shown = page.cards(found, halves, None, 1.0)
    assert not any("true" in card["label"] for card in shown)
    assert "Nobody knows" in page.truth_note(None, None)


def test_the_direct_method_is_on_no_table(good):
    _, found = good
    assert op.DIRECT not in set(measured.table(found, None)["estimator"])
    assert op.DIRECT in measured.figures(found)[measured.BY_INTEREST]


def test_figures_are_drawn_and_name_templates_as_text(good):
    _, found = good
    by_template = measured.by_template(found.every)
    assert by_template["template"].tolist() == list(TEMPLATES)
    assert (by_template["low"] < by_template["value"]).all()
    true = measured.true_values(found, measured.truth_matrix(found.every, TRUTH))
    for figure in (
        plots.templates(by_template),
        plots.heat(*page.rates(found, 20.0)),
        plots.forest(measured.table(found, true)),
    ):
        assert figure.axes[0].get_yticklabels()
    rates, recipients = page.rates(found, 20.0)
    assert recipients.to_numpy().sum() == found.every.size.sum()
    assert list(rates.index) == ["music", "none", "photos"]


def test_hostile_words_are_shown_as_text():
    hostile = "<img src=x onerror=alert(1)>"
    texts = {
        name: {**text, "subject": f"{hostile} {{interest}}", "fallback": "<b>us</b>"}
        for name, text in PLAN["texts"].items()
    }
    own = plans.plan(PLAN | {"texts": texts, "landing_page": "https://example.com/?a=1&b=<2>"})
    policy = pd.DataFrame(
        {"album": [0.9, 0.6], "plain": [0.1, 0.4]}, index=["none", "<script>x</script>"]
    )
    html = page.examples(own, policy, ["<script>x</script>", "none"]).data
    tags = {part.split(">")[0].split(" ")[0].strip("/") for part in html.split("<")[1:]}
    assert tags <= {"article", "p", "b", "bdi", "br"}
    assert "&lt;script&gt;" in html
    assert "&lt;b&gt;us&lt;/b&gt;" in html


def test_what_is_handed_on_can_be_read_and_holds_no_person(good, tmp_path, monkeypatch):
    monkeypatch.setattr(files, "project_root", lambda: tmp_path)
    halves, found = good
    chances = measured.truth_matrix(found.every, TRUTH)
    known = {
        "true": measured.true_values(found, chances),
        "traced": measured.traced_share(found, chances),
    }
    about = {"application": "ours", "simulated": True, "data_until": "2025-03-15T00:00:00"}
    page.save_metrics(about, found, halves, OWN, known)
    path = tmp_path / "models" / "ours" / choice.FILE
    again = choice.read(path)
    pd.testing.assert_frame_equal(again, found.safe.policy, check_names=False, atol=1e-9)
    handed = json.loads(path.read_text())
    assert handed["templates"]["photos"] == "album"
    assert handed["data_until"] == about["data_until"]
    assert handed["learned_until"] == halves.judged_from.isoformat()
    told = (tmp_path / "metrics" / "ours" / "invitation_choice.json").read_text()
    assert "person" not in told
    assert json.loads(told)["verdict"] == "supported"
    before = path.read_bytes(), told
    page.save_metrics(about, found, halves, OWN, known)
    assert (path.read_bytes(), told) == before


def test_every_row_of_the_policies_adds_up_to_one(good):
    _, found = good
    for policy in found.policies.values():
        assert policy.sum(axis=1).to_numpy() == pytest.approx(np.ones(3))
    assert logged.NONE in found.every.interests
