"""Features declared as data, and the way from tables of events to their values.

    count("call", days=7)             calls in the last seven days        call_count_7d
    total("value", days=30)           sum of the amounts                  value_total_30d
    recency("call")                   days since the latest one           call_recency_days
    last("stage")                     amount of the latest one            stage_last
    distinct_days("login", days=7)    calendar days (UTC) with a login    login_distinct_days_7d
    share("reply", "mail", days=30)   replies per mail                    reply_share_of_mail_30d
    faded("points", half_life_days=7) amounts that halve every week       points_faded_7d

Without `days` all that was known counts. An event without an amount counts as 1 where amounts
fade, and not at all in totals and last values. A group is a name for several kinds of events.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from tierwise import kernel
from tierwise.files import InputError

STATS = {
    "count": kernel.COUNT,
    "total": kernel.TOTAL,
    "recency": kernel.RECENCY,
    "last": kernel.LAST,
    "distinct_days": kernel.DAYS,
    "faded": kernel.FADED,
    "share": kernel.SHARE,
}
STREAM_COLUMNS = ["key", "known_at", "occurred_at", "event", "amount"]
Groups = Mapping[str, Sequence[str]]


@dataclass(frozen=True)
class Feature:
    """One column to compute. stat: one of STATS; days: None for all that was known."""

    stat: str
    event: str
    days: float | None = None
    half_life_days: float | None = None
    of: str = ""

    @property
    def name(self) -> str:
        if self.stat == "recency":
            return f"{self.event}_recency_days"
        if self.stat == "share":
            return f"{self.event}_share_of_{self.of}{window_name(self.days)}"
        span = self.half_life_days if self.stat == "faded" else self.days
        return f"{self.event}_{self.stat}{window_name(span)}"


def window_name(days: float | None) -> str:
    return "" if days is None else f"_{days:g}d"


def count(event: str, days: float | None = None) -> Feature:
    return Feature("count", event, days)


def total(event: str, days: float | None = None) -> Feature:
    return Feature("total", event, days)


def recency(event: str) -> Feature:
    return Feature("recency", event)


def last(event: str) -> Feature:
    return Feature("last", event)


def distinct_days(event: str, days: float | None = None) -> Feature:
    return Feature("distinct_days", event, days)


def faded(event: str, half_life_days: float) -> Feature:
    return Feature("faded", event, half_life_days=half_life_days)


def share(event: str, of: str, days: float | None = None) -> Feature:
    return Feature("share", event, days, of=of)


def stream(
    key: pd.Series,
    known_at: pd.Series,
    occurred_at: pd.Series,
    event: pd.Series | str,
    amount: pd.Series | float = np.nan,
) -> pd.DataFrame:
    """Rows of any table as events. event: a name per row, or one for all; amount: NaN for none."""
    found = pd.DataFrame({"key": key, "known_at": known_at, "occurred_at": occurred_at})
    return found.assign(event=event, amount=amount).astype(
        {"event": "category", "amount": "float64"}
    )


def together(streams: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Several streams of one key as one; the order decides between events of one instant."""
    names = sorted({name for stream in streams for name in stream["event"].cat.categories})
    same = pd.CategoricalDtype(names)
    return pd.concat([stream.astype({"event": same}) for stream in streams], ignore_index=True)


def compute(
    features: Sequence[Feature],
    groups: Groups,
    events: pd.DataFrame,
    key: pd.Series,
    as_of: pd.Series,
    dtype: str = "float32",
) -> pd.DataFrame:
    """The declared columns, one row per (key, as-of time), in their order.

    events: a `stream`. key, as_of: same length. Events known at or after a row's as-of time don't
    exist for it. A kind of event that no row has counts 0.
    """
    kinds = list(events["event"].cat.categories)
    plan = planned(features, groups, kinds)
    sorted_events, keys = in_order(events)
    place = np.searchsorted(keys, key.to_numpy())
    found = np.flatnonzero(place < len(keys))
    entity = np.full(len(key), -1)
    entity[found] = np.where(keys[place[found]] == key.to_numpy()[found], place[found], -1)
    times, values = frozen(microseconds(as_of)), np.empty((len(features), len(key)), dtype)
    kernel.compute(sorted_events, plan, entity, times, order_of(entity, times), values)
    columns = {feature.name: values[at] for at, feature in enumerate(features)}
    return pd.DataFrame(columns, index=key.index, copy=False)


def order_of(entity: np.ndarray, times: np.ndarray) -> np.ndarray:
    """The rows by entity, then time. Most tables are in that order already."""
    if kernel.is_sorted(frozen(entity), times):
        return np.arange(len(times))
    return np.lexsort((times, entity))


def microseconds(times: pd.Series) -> np.ndarray:
    return times.to_numpy(dtype="datetime64[us]").view("int64")


def check_times(**times: np.ndarray) -> None:
    """A missing time is the smallest int64, so its event would be known to every row."""
    for name, values in times.items():
        missing = np.count_nonzero(values == np.iinfo("int64").min)
        if missing:
            raise InputError(
                f"{missing} events have no {name}, so nobody can say which rows may know them. "
                "Leave these events out, or give them a time."
            )


def in_order(events: pd.DataFrame) -> tuple[kernel.Events, np.ndarray]:
    """The events by key and known_at, those of one instant in the order given; and their keys."""
    key, known = events["key"].to_numpy("int64"), microseconds(events["known_at"])
    occurred, amount = microseconds(events["occurred_at"]), events["amount"].to_numpy("float64")
    kind = events["event"].cat.codes.to_numpy("int32")
    check_times(known_at=known, occurred_at=occurred)
    if not kernel.is_sorted(frozen(key), frozen(known)):
        order = np.lexsort((known, key))
        key, known, occurred = key[order], known[order], occurred[order]
        kind, amount = kind[order], amount[order]
    starts = np.flatnonzero(np.r_[True, key[1:] != key[:-1]][: len(key)])
    first = np.r_[starts, len(key)].astype("int64")
    arrays = (frozen(array) for array in (first, known, occurred, kind, amount))
    return kernel.Events(*arrays), key[starts]


def frozen(array: np.ndarray) -> np.ndarray:
    """In one piece and read-only, wherever it came from: numba compiles, for ten seconds, once for
    each mixture of such traits."""
    view = np.ascontiguousarray(array).view()
    view.flags.writeable = False
    return view


def planned(features: Sequence[Feature], groups: Groups, kinds: list[str]) -> kernel.Plan:
    """The declarations as arrays; see `kernel.Plan`. A kind that no row has is a group of none."""
    counting = [f for f in features if f.stat not in ("distinct_days", "faded")]
    counted = dict.fromkeys(name for f in counting for name in (f.event, f.of) if name)
    by_day = dict.fromkeys(f.event for f in features if f.stat == "distinct_days")
    fades = dict.fromkeys((f.event, f.half_life_days) for f in features if f.stat == "faded")
    of_stat = {"distinct_days": numbered(by_day), "faded": numbered(fades)}
    group = numbered(counted)
    spans = sorted({f.days for f in features if f.days is not None})
    window = numbered([*spans, None])
    source = [
        of_stat.get(f.stat, group)[(f.event, f.half_life_days) if f.stat == "faded" else f.event]
        for f in features
    ]
    return kernel.Plan(
        windows=np.array([days * kernel.DAY_US for days in spans], "int64"),
        groups=lists(counted, groups, kinds),
        day_groups=lists(by_day, groups, kinds),
        fades=lists([event for event, _ in fades], groups, kinds),
        half_life=np.array([float(days or 0) * kernel.DAY_US for _, days in fades], "float64"),
        sizes=np.array([len(counted), len(by_day), len(fades)], "int64"),
        stat=np.array([STATS[f.stat] for f in features], "int64"),
        source=np.array(source, "int64"),
        window=np.array([window[f.days] for f in features], "int64"),
        other=np.array([group.get(f.of, 0) for f in features], "int64"),
    )


def numbered(names: Iterable[Any]) -> dict[Any, int]:
    return {name: at for at, name in enumerate(names)}


def lists(names: Iterable[str], groups: Groups, kinds: list[str]) -> kernel.Lists:
    """Per kind, the places in `names` of the groups it belongs to."""
    members = [set(groups.get(name, [name])) for name in names]
    found = [[at for at, inside in enumerate(members) if kind in inside] for kind in kinds]
    first = np.cumsum([0, *map(len, found)]).astype("int64")
    return kernel.Lists(first, np.array([at for places in found for at in places], "int64"))


def last_known(
    versions: pd.DataFrame, by: str, key: pd.Series, as_of: pd.Series, columns: Sequence[str]
) -> pd.DataFrame:
    """For each row the version of its key that was known last before the as-of time.

    versions: columns `by` (int64), known_at and `columns`. Missing where none was known yet.
    """
    table = versions.reset_index(drop=True)
    at = stream(table[by], table["known_at"], table["known_at"], "version", table.index.to_series())
    place = compute([last("version")], {}, at, key, as_of, "float64")["version_last"]
    found = table[list(columns)].reindex(place.fillna(-1).astype("int64"))
    return found.set_axis(key.index)
