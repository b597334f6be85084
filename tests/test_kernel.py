"""Nothing of the future, and nothing of other rows, gets into a row: down to the last bit."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from test_features import (
    DAY,
    FEATURES,
    GROUPS,
    MICROSECOND,
    START,
    as_stream,
    asked,
    call,
    logs,
    moments,
    wanted,
)
from tierwise import features as ft
from tierwise import kernel


def values(events, rows):
    return ft.compute(FEATURES, GROUPS, events, *asked(rows), "float64")


def same(one, other):
    """Equal bytes: NaN equals NaN, and a sum in another order is another sum."""
    return one.to_numpy().tobytes() == other.to_numpy().tobytes()


def uncompiled(source):
    """The kernel as plain Python, from an altered source."""
    namespace = {"__name__": "altered"}
    exec(source.replace("@njit(cache=True)\n", ""), namespace)
    return namespace["compute"]


@given(logs, st.integers(0, 2), moments(0, 12), st.sampled_from(["delete", "shift", "alter"]))
def test_no_feature_changes_when_what_was_not_known_yet_changes(log, key, as_of, how):
    events = as_stream(log)
    later = events["known_at"] >= as_of
    changed = events.copy()
    if how == "delete":
        changed = events[~later]
    elif how == "shift":
        changed.loc[later, ["known_at", "occurred_at"]] += 400 * DAY
    else:
        changed.loc[later, "amount"] = 1e9
        changed.loc[later, "event"] = "call" if "call" in events["event"].cat.categories else None
        changed.loc[later, "occurred_at"] -= 30 * DAY
    assert same(values(events, [(key, as_of)]), values(changed, [(key, as_of)]))


@pytest.mark.parametrize("step", [MICROSECOND, pd.Timedelta(seconds=1)])
def test_moving_the_cut_by_the_smallest_step_lets_an_event_in(step):
    events = as_stream([call(START, amount=3.0)])
    found = values(events, [(1, START), (1, START + step)])
    assert found["call_count"].tolist() == [0, 1]
    assert found["call_total_1d"].tolist() == [0, 3]
    assert found["call_last"].isna().tolist() == [True, False]


def test_a_kernel_that_lets_in_the_as_of_time_itself_would_be_found_out(monkeypatch):
    source = Path(kernel.__file__).read_text(encoding="utf-8")
    events, rows = as_stream([call(START), call(START + DAY)]), [(1, START), (1, START + DAY)]
    monkeypatch.setattr(kernel, "compute", uncompiled(source))
    assert values(events, rows)["call_count"].tolist() == [0, 1]
    wrong = source.replace("events.known[event] < as_of", "events.known[event] <= as_of")
    assert wrong != source
    monkeypatch.setattr(kernel, "compute", uncompiled(wrong))
    assert values(events, rows)["call_count"].tolist() == [1, 2]


@given(logs, wanted, st.randoms(use_true_random=False))
def test_a_row_does_not_depend_on_other_rows_or_their_order(log, rows, random):
    events, together = as_stream(log), values(as_stream(log), rows)
    for at, row in enumerate(rows):
        assert same(values(events, [row]), together.iloc[[at]])
    order = random.sample(range(len(rows)), len(rows))
    assert same(values(events, [rows[at] for at in order]), together.iloc[order])


@given(logs, wanted, st.integers(2, 4))
def test_entities_may_be_spread_over_any_partitions(log, rows, parts):
    events, together = as_stream(log), values(as_stream(log), rows)
    for part in range(parts):
        inside = [at for at, (key, _) in enumerate(rows) if key % parts == part]
        own = events[events["key"] % parts == part]
        assert same(values(own, [rows[at] for at in inside]), together.iloc[inside])


@given(logs, wanted, st.integers(0, 99))
def test_order_in_the_file_only_decides_between_events_of_one_instant(log, rows, seed):
    events = as_stream(log)
    salt = pd.util.hash_pandas_object(events[["key", "known_at"]], index=False) ^ np.uint64(seed)
    shuffled = events.iloc[np.argsort(pd.util.hash_array(salt.to_numpy()), kind="stable")]
    assert same(values(events, rows), values(shuffled, rows))


@given(logs, wanted)
def test_compiled_and_plain_python_agree(log, rows):
    """Numba neither rounds nor wraps where Python does not."""
    source = Path(kernel.__file__).read_text(encoding="utf-8")
    events, compiled = as_stream(log), values(as_stream(log), rows)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kernel, "compute", uncompiled(source))
        np.testing.assert_allclose(values(events, rows), compiled, rtol=1e-12)


def test_many_rows_of_a_large_entity_equal_each_row_alone():
    random = np.random.default_rng(3)
    times = START + pd.to_timedelta(np.sort(random.integers(0, 90 * 86_400, 3000)), "s")
    kinds = random.choice(["call", "mail", "visit"], 3000)
    log = [
        call(at, None, amount, kind)
        for at, kind, amount in zip(times, kinds, random.random(3000), strict=True)
    ]
    rows = [(1, START + hour * DAY / 24) for hour in range(0, 100 * 24, 50)]
    together = values(as_stream(log), rows)
    assert all(
        same(values(as_stream(log), [row]), together.iloc[[at]]) for at, row in enumerate(rows)
    )
