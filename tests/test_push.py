"""Tiers written back: only what changed, the first tier first, right after any fault."""

import math
import random

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

httpx = pytest.importorskip("httpx", reason="needs the extra hourly")

import fake_pipedrive as fp  # noqa: E402
from tierwise.connectors.allowance import Allowance, OutOfTokens  # noqa: E402
from tierwise.connectors.answers import NoAnswer, Refused  # noqa: E402
from tierwise.connectors.differences import KINDS, Shown, difference  # noqa: E402
from tierwise.connectors.pipedrive import Client  # noqa: E402
from tierwise.connectors.push import FIELDS, push  # noqa: E402
from tierwise.files import InputError  # noqa: E402

HOUR = pd.Timestamp("2026-11-23 01:00")
NAMES = {key: name for key, (name, _) in FIELDS.items()}


@pytest.fixture(autouse=True)
def token(monkeypatch):
    monkeypatch.setenv("PIPEDRIVE_API_TOKEN", fp.TOKEN)


def company(deals_count: int = 0, at: float = fp.MONDAY + 3600, **how) -> fp.Fake:
    fake = fp.Fake(fp.Clock(at), **how)
    for number in range(1, deals_count + 1):
        fake.add_deal(number)
    return fake


def client_of(fake: fp.Fake, path="", **how) -> Client:
    limits = fake.tokens_per_day_count, fake.burst_count, fake.burst_seconds
    allowance = Allowance(path or ":memory:", *limits, fake.clock, fake.clock.sleep)
    return Client(allowance, transport=fp.Transport(fake, 0.02), **how)


def scores(*rows: tuple[int, str, float], reasons="Called lately", at=HOUR) -> pd.DataFrame:
    table = pd.DataFrame(rows, columns=["deal_id", "tier", "chance"])
    table["reasons"] = [reasons] * len(table)
    return table.assign(scored_at=at, rank=range(1, len(table) + 1))


def drawn(chance: np.ndarray, at: pd.Timestamp = HOUR) -> pd.DataFrame:
    """Scores of deals 1, 2, ... with A for the best fifth and B down to the half."""
    rank = (-chance).argsort(kind="stable").argsort() + 1
    share = rank / len(chance)
    table = pd.DataFrame({"deal_id": np.arange(1, len(chance) + 1), "chance": chance, "rank": rank})
    table["tier"] = np.select([share <= 0.2, share <= 0.5], ["A", "B"], "C")
    table["reasons"] = [["Called lately", f"Rank group {r // 1000}"] for r in rank]
    return table.assign(scored_at=at)


def as_wanted(fake: fp.Fake, wanted: pd.DataFrame) -> list[int]:
    """Deals that don't show what is wanted."""
    return [
        row.deal_id
        for row in wanted.itertuples()
        if (
            fake.shown(row.deal_id).get(NAMES["tier"]),
            fake.shown(row.deal_id).get(NAMES["chance_percent"]),
            fake.shown(row.deal_id).get(NAMES["reasons"]),
        )
        != (row.tier, math.floor(100 * row.chance + 0.5), "\n".join(row.reasons))
    ]


# What differs


def test_only_what_changed_is_written_with_the_time_of_scoring():
    current = {
        1: Shown("A", 40, "Called lately", "long ago"),
        2: Shown("B", 30, "Called lately", "long ago"),
    }
    (change,) = difference(scores((1, "A", 0.407), (2, "A", 0.307)), current)
    assert (change.deal_id, change.kind, change.before) == (2, "first tier", current[2])
    assert change.values == {"tier": "A", "chance_percent": 31, "scored_at": "2026-11-23 01:00 UTC"}


def test_freshness_alone_and_noise_of_a_chance_are_never_written():
    current = {1: Shown("A", 40, "Called lately", "2026-11-01 00:00 UTC")}
    for chance in (0.381, 0.3999, 0.4, 0.4199):
        assert difference(scores((1, "A", chance)), current, hysteresis_points=2) == []
    for chance in (0.38, 0.42):
        assert len(difference(scores((1, "A", chance)), current, hysteresis_points=2)) == 1


def test_the_first_tier_comes_first_then_tiers_then_chances_by_size_then_reasons():
    current = {
        1: Shown("A", 50, "Called lately"),
        2: Shown("A", 50, "An old reason"),
        3: Shown("A", 50, "Called lately"),
        4: Shown("A", 50, "Called lately"),
        5: Shown("B", 50, "Called lately"),
        6: Shown("C", 50, "Called lately"),
        7: Shown(),
    }
    wanted = scores(
        (1, "A", 0.55),
        (2, "A", 0.5),
        (3, "A", 0.4),
        (4, "C", 0.5),
        (5, "C", 0.5),
        (6, "A", 0.5),
        (7, "B", 0.5),
    )
    found = difference(wanted, current)
    assert [(change.deal_id, change.kind) for change in found] == [
        *((4, "first tier"), (6, "first tier"), (5, "tier"), (7, "tier")),
        *((3, "chance"), (1, "chance"), (2, "reasons")),
    ]


def test_reasons_differ_by_words_not_by_blanks():
    current = {1: Shown("A", 40, " Called  lately\r\nBig firm ")}
    assert difference(scores((1, "A", 0.4), reasons=["Called lately", "Big firm"]), current) == []
    (change,) = difference(scores((1, "A", 0.4), reasons=np.array(["Called lately"])), current)
    assert change.values["reasons"] == "Called lately"
    (change,) = difference(scores((1, "A", 0.4), reasons=None), current)
    assert change.values["reasons"] is None


def test_a_holdout_deal_never_gets_a_tier_and_loses_the_one_it_shows():
    current = {1: Shown("A", 0, "Why", "then"), 2: Shown("C", 10), 3: Shown(), 4: Shown(None, 0)}
    wanted = scores((1, "A", 0.4), (2, "A", 0.5), (3, "A", 0.6))
    found = difference(wanted, current, holdout=[1, 2, 3, 4, 99])
    assert [(change.deal_id, change.kind) for change in found] == [
        (1, "first tier"),
        (2, "tier"),
        (4, "tier"),
    ]
    assert found[0].values == {
        "tier": None,
        "chance_percent": None,
        "reasons": None,
        "scored_at": None,
    }
    assert found[1].values == {"tier": None, "chance_percent": None}
    assert found[2].values == {"chance_percent": None}


SHOWN = st.builds(
    Shown,
    st.sampled_from([None, "A", "B", "C", "option 9"]),
    st.one_of(st.none(), st.integers(0, 100)),
    st.sampled_from([None, "Called lately", "Big firm"]),
    st.sampled_from([None, "2026-11-01 00:00 UTC"]),
)
ROW = st.tuples(st.sampled_from("ABC"), st.floats(0, 1))


@settings(max_examples=60, deadline=None)
@given(
    st.lists(ROW, min_size=1, max_size=8),
    st.lists(SHOWN, min_size=8, max_size=8),
    st.sets(st.integers(1, 8)),
    st.floats(1, 20),
)
def test_after_the_changes_are_applied_nothing_differs(rows, shown, holdout, points):
    wanted = scores(*[(at, *row) for at, row in enumerate(rows, 1)])
    current = dict(enumerate(shown, 1))
    found = difference(wanted, current, holdout, hysteresis_points=points)
    for change in found:
        current[change.deal_id] = current[change.deal_id]._replace(**change.values)
    assert difference(wanted, current, holdout, hysteresis_points=points) == []
    assert all(current[number] == Shown() for number in holdout)
    assert [KINDS.index(change.kind) for change in found] == sorted(
        KINDS.index(c.kind) for c in found
    )
    for row in wanted.itertuples():
        if row.deal_id not in holdout:
            assert current[row.deal_id].tier == row.tier
            assert abs(current[row.deal_id].chance_percent - 100 * row.chance) < points


BROKEN = [
    ({"tier": "D"}, "tier must be one of A, B, C; deal 1 has D"),
    ({"chance": np.nan}, "chance must be from 0 to 1; deal 1 has nan"),
    ({"chance": 1.2}, "chance must be from 0 to 1; deal 1 has 1.2"),
    ({"deal_id": 1}, "deal_id must be there once; deal 1 has 1"),
    ({"scored_at": pd.NaT}, "scored_at must be there; deal 1 has NaT"),
    ({"rank": np.nan}, "rank must be there"),
]


@pytest.mark.parametrize(("broken", "words"), BROKEN)
def test_scores_that_break_a_rule_are_refused_before_any_call(broken, words):
    fake = company(2)
    with pytest.raises(InputError, match=words):
        push(client_of(fake), scores((1, "A", 0.4), (2, "B", 0.3)).assign(**broken))
    assert fake.calls == []


def test_a_missing_column_or_a_hysteresis_below_a_percent_is_refused():
    client, wanted = client_of(company()), scores((1, "A", 0.4))
    with pytest.raises(InputError, match="lack the columns .'rank'."):
        push(client, wanted.drop(columns="rank"))
    with pytest.raises(InputError, match="hysteresis_points must be 1 or more.*it is 0.5"):
        push(client, wanted, hysteresis_points=0.5)


# One run


def test_a_first_run_makes_the_fields_and_writes_and_a_second_writes_nothing():
    fake = company(30)
    wanted = drawn(np.linspace(0.9, 0.1, 30))
    pushed = push(client_of(fake), wanted)
    assert (pushed.written_count, pushed.postponed_count, pushed.gone_count) == (30, 0, 0)
    assert fake.custom_names() == list(NAMES.values())
    assert as_wanted(fake, wanted) == []
    assert fake.shown(1)[NAMES["scored_at"]] == "2026-11-23 01:00 UTC"
    before = len(fake.written())
    again = push(client_of(fake), wanted.assign(scored_at=HOUR + pd.Timedelta(hours=1)))
    assert (again.written_count, again.unchanged_count, again.changes) == (0, 30, [])
    assert len(fake.written()) == before


def test_a_dry_run_shows_the_same_changes_and_writes_nothing():
    fake = company(10)
    wanted = drawn(np.linspace(0.9, 0.1, 10))
    dry = push(client_of(fake), wanted, dry_run=True)
    assert fake.written() == []
    assert fake.custom_names() == []
    assert dry.changes == push(client_of(fake), wanted).changes
    assert [len(dry.changes), dry.written_count] == [10, 0]


def test_no_other_field_and_no_other_deal_is_touched():
    fake = company(5)
    own = fake.made({"field_name": "Our own", "field_type": "text"})["field_code"]
    for number in range(1, 6):
        fake.edit(number, custom_fields={own: "kept"})
    push(client_of(fake), scores((2, "A", 0.4)))
    assert [fake.shown(number).pop("Our own") for number in range(1, 6)] == ["kept"] * 5
    assert [len(fake.shown(number)) for number in range(1, 6)] == [1, 5, 1, 1, 1]
    by_api = {
        c["field_key"]
        for rows in fake.changes.values()
        for c in rows
        if c["change_source"] == "api"
    }
    assert by_api == {one["field_code"] for one in fake.fields[2:]}


def test_deals_that_are_archived_deleted_or_closed_are_skipped_and_counted():
    fake = company(6)
    fake.edit(1, is_archived=True)
    fake.edit(2, is_deleted=True)
    fake.edit(3, status="lost")
    pushed = push(client_of(fake), scores(*[(number, "A", 0.4) for number in range(1, 8)]))
    assert (pushed.written_count, pushed.gone_count) == (3, 4)
    assert [call.path for call in fake.written()[4:]] == ["/deals/4", "/deals/5", "/deals/6"]


@pytest.mark.parametrize("end", [{"is_archived": True}, {"is_deleted": True}])
def test_a_deal_that_goes_while_we_write_is_counted_as_gone(end):
    fake = company(3)
    client = client_of(fake)
    update = client.update_deal

    def gone_meanwhile(deal_id, values):
        fake.edit(2, **end)
        return update(deal_id, values)

    client.update_deal = gone_meanwhile
    pushed = push(client, scores((1, "A", 0.4), (2, "A", 0.4), (3, "A", 0.4)))
    assert (pushed.written_count, pushed.gone_count, pushed.postponed_count) == (2, 1, 0)
    assert fake.shown(2) == {}


def test_a_refusal_that_is_not_about_the_deal_stops_the_run():
    fake = company(2)
    push(client_of(fake), scores((1, "A", 0.4)))
    client = client_of(fake)
    read = client.deals

    def removed_meanwhile(**how):
        yield from read(**how)
        fake.fields.pop()

    client.deals = removed_meanwhile
    with pytest.raises(Refused, match="unknown custom field"):
        push(client, scores((2, "A", 0.4)))


def test_holdout_deals_are_cleared_and_stay_empty():
    fake = company(4)
    wanted = scores(*[(number, "A", 0.4) for number in range(1, 5)])
    push(client_of(fake), wanted)
    pushed = push(client_of(fake), wanted, holdout={2, 3, 77})
    assert (pushed.written_count, pushed.cleared_count) == (2, 2)
    assert [bool(fake.shown(number)) for number in range(1, 5)] == [True, False, False, True]
    assert push(client_of(fake), wanted, holdout={2, 3, 77}).written_count == 0


def test_fields_made_by_hand_are_used_if_they_fit_and_refused_if_not():
    fake = company(1)
    fake.made(
        {
            "field_name": NAMES["tier"],
            "field_type": "enum",
            "options": [{"label": x} for x in "XCBA"],
        }
    )
    push(client_of(fake), scores((1, "A", 0.4)))
    assert fake.shown(1)[NAMES["tier"]] == "A"
    assert len(fake.custom_names()) == 4
    for kind, options, words in (
        ("text", [], "is of type text, not enum"),
        ("enum", ["A", "B"], "has the options .'A', 'B'., but not .'C'."),
    ):
        other = company(1)
        made = {
            "field_name": NAMES["tier"],
            "field_type": kind,
            "options": [{"label": x} for x in options],
        }
        other.made(made)
        with pytest.raises(InputError, match=words):
            push(client_of(other), scores((1, "A", 0.4)))
        assert other.written() == []


def test_what_somebody_typed_over_is_put_right():
    fake = company(1)
    wanted = scores((1, "B", 0.4))
    push(client_of(fake), wanted)
    tier = next(one for one in fake.fields if one["field_name"] == NAMES["tier"])
    tier["options"].append({"id": 77, "label": "Star"})
    fake.edit(1, custom_fields={tier["field_code"]: 77})
    assert push(client_of(fake), wanted).written_count == 1
    assert fake.shown(1)[NAMES["tier"]] == "B"


# Faults


def run_to_the_end(client: Client, fake: fp.Fake, wanted: pd.DataFrame, holdout: set[int]) -> None:
    """Run after run, as a schedule would."""
    for _ in range(200):
        try:
            if push(client, wanted, holdout).postponed_count == 0:
                return
            fake.clock.sleep(600)
        except OutOfTokens as error:
            fake.clock.now = error.go_on_at
        except (NoAnswer, InputError):  # InputError: the token is renewed
            fake.clock.sleep(600)
    raise AssertionError("200 runs didn't bring it to an end")


@pytest.mark.parametrize("seed", range(50))
def test_mixed_faults_leave_no_wrong_state_and_a_rerun_writes_nothing(seed):
    chance = np.random.default_rng(seed)
    fake = company(25, seed=seed, tokens_per_day_count=10**6)
    client, before = client_of(fake), drawn(chance.random(25))
    push(client, before)
    assert as_wanted(fake, before) == []
    fake.fault_share = 0.2
    wanted, holdout = drawn((before["chance"].to_numpy() + 0.5) % 1), {3, 20}
    run_to_the_end(client, fake, wanted, holdout)
    assert sum(call.fault is not None for call in fake.calls) >= 3
    fake.fault_share, count = 0.0, len(fake.written())
    assert push(client, wanted, holdout).changes == []
    assert len(fake.written()) == count
    assert as_wanted(fake, wanted[~wanted["deal_id"].isin(holdout)]) == []
    assert [fake.shown(number) for number in holdout] == [{}, {}]
    assert fake.custom_names() == list(NAMES.values())
    assert (fake.counts["over_burst"], fake.counts["went_on_after_429"]) == (0, 0)


@pytest.mark.parametrize("seed", range(20))
def test_faults_from_the_first_call_on_make_no_field_twice(seed):
    fake = company(4, seed=seed, fault_share=0.4, tokens_per_day_count=10**6)
    wanted = drawn(np.array([0.9, 0.5, 0.3, 0.1]))
    run_to_the_end(client_of(fake), fake, wanted, set())
    assert fake.custom_names() == list(NAMES.values())
    assert as_wanted(fake, wanted) == []


class Killed(BaseException):
    pass


@pytest.mark.parametrize("calls_count", [1, 2, 3, 4, 6, 9, 14, 20])
def test_a_run_that_dies_anywhere_is_finished_by_the_next(tmp_path, calls_count):
    fake = company(12)
    wanted = drawn(np.linspace(0.9, 0.1, 12))
    client = client_of(fake, tmp_path / "a.sqlite")
    answer, left = fake.answer, [calls_count]

    def dying(*call):
        found = answer(*call)
        left[0] -= 1
        if left[0] == 0:
            raise Killed
        return found

    fake.answer = dying
    with pytest.raises(Killed):
        push(client, wanted)
    client.allowance.connection.close()
    fake.answer = answer
    push(client_of(fake, tmp_path / "a.sqlite"), wanted)
    assert as_wanted(fake, wanted) == []
    patched = [call.path for call in fake.written() if call.method == "PATCH"]
    assert len(patched) == len(set(patched)) == 12
    assert fake.custom_names() == list(NAMES.values())


# The budget


@pytest.mark.parametrize("tokens_count", [200, 400, 1_500])
def test_where_tokens_are_short_the_first_tier_is_written_first_and_the_rest_on_later_days(
    tokens_count,
):
    fake = company(100, tokens_per_day_count=tokens_count)
    wanted = drawn(np.linspace(0.9, 0.1, 100))
    client, left_count = client_of(fake), 100
    while left_count > 0 and fake.clock.now < fp.MONDAY + 30 * 86_400:
        try:
            pushed = push(client, wanted)
            assert pushed.written_count + pushed.postponed_count == left_count
            left_count = pushed.postponed_count
        except OutOfTokens as error:
            fake.clock.now = error.go_on_at
        fake.clock.sleep(3600)
    paths = [call.path for call in fake.written() if call.method == "PATCH"]
    assert paths == [f"/deals/{number}" for number in range(1, 101)]
    assert max(fake.spent.values()) <= tokens_count
    assert fake.clock.now < fp.MONDAY + 9 * 86_400
    assert fake.counts["over_day"] == 0
    assert as_wanted(fake, wanted) == []


def test_24_hours_of_the_smallest_plan_keep_every_limit_and_every_first_tier():
    """1,500 open deals; reading for other ends, such as ingest, takes 640 tokens an hour."""
    fake = company(1_500, at=fp.MONDAY)
    client, chance = client_of(fake), np.random.default_rng(1)
    level, postponed_count, first_count = chance.normal(-1, 1, 1_500), 0, 0
    for hour in range(24):
        fake.clock.now = fp.MONDAY + 3600 * hour
        for _ in range(32):
            assert client.users() == []
        level += chance.normal(0, 0.1, 1_500)
        wanted = drawn(1 / (1 + np.exp(-level)), HOUR + pd.Timedelta(hours=hour))
        calls_before = len(fake.calls)
        pushed = push(client, wanted, keep_count=640 * (23 - hour))
        made = [call for call in fake.calls[calls_before:] if call.method == "PATCH"]
        written = [int(call.path.split("/")[2]) for call in made]
        assert written == [change.deal_id for change in pushed.changes[: len(written)]]
        assert all(change.kind != "first tier" for change in pushed.changes[len(written) :])
        postponed_count += pushed.postponed_count
        first_count += sum(change.kind == "first tier" for change in pushed.changes)
        assert fake.clock.now < fp.MONDAY + 3600 * (hour + 1)
    assert first_count > 1_000
    assert postponed_count > 0  # else tokens were never short, and this shows nothing
    assert 29_000 < fake.spent[fake.day()] <= 30_000
    assert fake.spent[fake.day()] == client.allowance.spent_count()
    assert {call.status for call in fake.calls} == {200}
    assert (
        fake.counts["over_day"] + fake.counts["over_burst"] + fake.counts["went_on_after_429"] == 0
    )


def test_tokens_kept_for_others_are_not_touched():
    fake = company(100, tokens_per_day_count=1_000)
    pushed = push(client_of(fake), drawn(np.linspace(0.9, 0.1, 100)), keep_count=900)
    assert pushed.written_count + pushed.postponed_count == 100
    assert fake.spent[fake.day()] <= 100


def test_a_block_in_the_middle_says_when_to_go_on():
    fake = company(30)
    client = client_of(fake)
    wanted = drawn(np.linspace(0.9, 0.1, 30))
    fake.coming.extend([None] * 20 + ["html 403"])
    pushed = push(client, wanted)
    assert pushed.go_on_at is not None
    assert pushed.go_on_at - fake.clock() == pytest.approx(600, abs=1)
    assert pushed.written_count + pushed.postponed_count == 30
    assert 0 < pushed.postponed_count < 30
    fake.clock.now = pushed.go_on_at
    assert push(client, wanted).postponed_count == 0
    assert as_wanted(fake, wanted) == []


def test_a_random_order_of_rows_changes_nothing():
    wanted = drawn(np.linspace(0.9, 0.1, 40))
    current = {number: Shown("ABC"[number % 3], number) for number in range(1, 41)}
    rows = list(range(40))
    random.Random(3).shuffle(rows)
    assert difference(wanted.iloc[rows], current) == difference(wanted, current)
