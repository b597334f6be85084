"""From a deal and its change log to the rows of the table deal_changes.

What a change log tells is taken as it stands there. What it lacks:

    how the deal began      the old value of a field's first change, or the only value it ever had
    a deal whose log was    today's values, known since the update in which we first saw them:
    not read yet            nothing is said about what was before
    a change after the      the same, until the log is read again
    log was read

A deal that was archived while open counts as deleted: nobody works on it any more, and it can't
be written to. A deal that was merged is not deleted beside that.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from tierwise.connectors.pipedrive_shapes import LOGGED, log_state
from tierwise.connectors.raw_store import Version
from tierwise.connectors.shapes import instant
from tierwise.files import InputError

# A change log's name of a field -> ours. v1 calls owner_id user_id.
KEYS = {name: name for name in ("stage_id", "value", "currency", "owner_id", "status")}
KEYS |= {"user_id": "owner_id", "is_deleted": "is_deleted", "is_archived": "is_archived"}
MERGES = ("merged_into", "merged_into_id", "merge_with_id")
FLAGS = ("is_deleted", "is_archived")
BEGINNING: dict[str, Any] = {"status": "open", "is_deleted": False, "is_archived": False}
# When the value that a record shows now came about, as far as the record tells.
TOLD_BY = {"stage_id": ("stage_change_time",), "is_archived": ("archive_time",)}
MONEY = ("value", "currency")
MICROSECOND = timedelta(microseconds=1)


class Change(NamedTuple):
    """A row of deal_changes. It is known when it happened: the CRM noted it then."""

    change_id: str
    deal_id: int
    occurred_at: datetime
    known_at: datetime
    field: str
    new_value: str


class Entry(NamedTuple):
    """One change of one field in the log."""

    at: datetime
    old: Any
    new: Any


class Since(NamedTuple):
    at: datetime
    value: Any


@dataclass(frozen=True)
class History:
    """A deal, what is known of its past, and how to read it.

    log_state: the state of the deal when its log was read, None if it never was.
    stage_names: by stage_id. rates_eur: euros for one unit, by currency. there: all deals that are
    known; a deal that was merged into another one counts as deleted.
    """

    deal: Mapping[str, Any]
    log: list[dict[str, Any]]
    versions: list[Version]
    log_state: str | None
    stage_names: Mapping[int, str]
    rates_eur: Mapping[str, float]
    there: frozenset[int]


def changes(history: History) -> list[Change]:
    """Rows of one deal in order of time, by field. InputError for a currency without a rate."""
    found = {
        "stage": stages(history),
        "value": values(history),
        "owner": owners(history),
        "status": statuses(history),
    }
    found["merged_into"] = merges(history)
    if found["merged_into"]:
        merged_at = found["merged_into"][0].at
        is_kept = [one.at < merged_at and one.value != "deleted" for one in found["status"]]
        found["status"] = [one for one, kept in zip(found["status"], is_kept, strict=True) if kept]
    return [row for field, steps in found.items() for row in rows(history.deal["id"], field, steps)]


def rows(deal_id: int, field: str, steps: list[Since]) -> Iterator[Change]:
    """Steps of one second are told a microsecond apart, so that their order stays."""
    before = datetime.min
    for step in steps:
        at = max(step.at, before + MICROSECOND) if before != datetime.min else step.at
        before = at
        yield Change(f"{deal_id}-{field}-{at:%Y%m%dT%H%M%S.%f}", deal_id, at, at, field, step.value)


def stages(history: History) -> list[Since]:
    names = history.stage_names
    return [
        Since(at, names.get(stage_id, f"stage {stage_id}"))
        for at, stage_id in timeline(history, "stage_id")
        if stage_id is not None
    ]


def owners(history: History) -> list[Since]:
    return [
        Since(at, str(user_id))
        for at, user_id in timeline(history, "owner_id")
        if user_id is not None
    ]


def values(history: History) -> list[Since]:
    """Euros; a change of the currency alone changes them too."""
    found: list[Since] = []
    for at, (value, currency) in together(history, ("value", "currency")):
        if value is None and not found:
            continue
        amount = repr(in_eur(history, value or 0.0, currency))
        if not found or found[-1].value != amount:
            found.append(Since(at, amount))
    return found


def in_eur(history: History, value: float, currency: str | None) -> float:
    if not value:
        return 0.0
    rate = history.rates_eur.get(currency or "")
    if rate is None:
        raise InputError(
            f"Deal {history.deal['id']} has a value in {currency or 'no currency'}, and there is "
            f"no rate for it; there is one for {', '.join(history.rates_eur)}. Add how many euros "
            "one unit is."
        )
    return value * rate


def statuses(history: History) -> list[Since]:
    found: list[Since] = []
    before = "open"
    for at, (status, is_deleted, is_archived) in together(
        history, ("status", "is_deleted", "is_archived")
    ):
        now = "deleted" if is_deleted or (is_archived and status == "open") else status
        if now != before:
            found.append(Since(at, "reopened" if now == "open" else now))
        before = now
    return found


def merges(history: History) -> list[Since]:
    """The last merge that the log tells; one deal is merged into one other."""
    found = [
        Since(instant(entry["time"]), str(read("merged_into", entry["new_value"], entry)))
        for entry in history.log
        if is_merge(entry) and int(entry["new_value"]) in history.there - {history.deal["id"]}
    ]
    return sorted(found)[-1:]


def together(history: History, keys: tuple[str, ...]) -> list[tuple[datetime, tuple[Any, ...]]]:
    """Several fields as one: all their values whenever one of them changes."""
    steps = [
        (step.at, place, step.value)
        for place, key in enumerate(keys)
        for step in timeline(history, key)
    ]
    steps.sort(key=lambda step: step[0])
    now = [BEGINNING.get(key, shown(history.deal, key)) for key in keys]
    found = []
    for number, (at, place, value) in enumerate(steps, 1):
        now[place] = value
        is_last_of_instant = number == len(steps) or steps[number][0] != at
        if is_last_of_instant or steps[number][1] == place:
            found.append((at, tuple(now)))
    return found


def timeline(history: History, key: str) -> list[Since]:
    """The values that a field had, in order of time, the latest as the record shows it."""
    today = shown(history.deal, key)
    if history.log_state is None:
        at = first_seen(history, key)
        return [] if today == BEGINNING.get(key) else [Since(at, today)]
    entries = chain(logged(history, key))
    opened_at = instant(history.deal["add_time"])
    began = entries[0].old if entries else when_read(history, key)
    found = [Since(opened_at, BEGINNING.get(key, began))]
    found += [Since(max(entry.at, opened_at), entry.new) for entry in entries]
    if found[-1].value != today and (key, today) != ("status", "deleted"):
        found.append(Since(max(first_seen(history, key), found[-1].at), today))
    return found


def when_read(history: History, key: str) -> Any:
    """The field's value when the log was read: if the log has no change of it, its only one."""
    then = dict(zip(LOGGED, json.loads(str(history.log_state)), strict=True))
    return read(key, then.get(key), history.deal)


def shown(record: Mapping[str, Any], key: str) -> Any:
    """A field of a deal; `deleted` may stand in its status alone."""
    if key == "is_deleted" and record.get("status") == "deleted":
        return True
    return read(key, record.get(key), record)


def logged(history: History, key: str) -> list[Entry]:
    """Entries of one field, in order of time. A status `deleted` is read as is_deleted."""
    found = []
    for entry in history.log:
        name = KEYS.get(entry["field_key"])
        old, new = entry["old_value"], entry["new_value"]
        if name == "status" and key == "is_deleted" and "deleted" in (old, new):
            name, old, new = key, old == "deleted", new == "deleted"
        if name == key and (key, new) != ("status", "deleted"):
            found.append(
                Entry(instant(entry["time"]), read(key, old, entry), read(key, new, entry))
            )
    return sorted(found, key=lambda entry: entry.at)


def chain(entries: list[Entry]) -> list[Entry]:
    """Entries of the same second in the order in which one leads to the next."""
    found: list[Entry] = []
    left = list(entries)
    while left:
        second = [entry for entry in left if entry.at == left[0].at]
        now = found[-1].new if found else beginning_of(second)
        following = next((entry for entry in second if entry.old == now), second[0])
        found.append(following)
        left.remove(following)
    return found


def beginning_of(second: list[Entry]) -> Any:
    """An old value that no entry of the same second leads to."""
    reached = [entry.new for entry in second]
    return next((entry.old for entry in second if entry.old not in reached), second[0].old)


def first_seen(history: History, key: str) -> datetime:
    """Since when we know that the field has the value of today.

    If the log was read since, the deal itself may tell when it came about. Amount and currency
    are known together.
    """
    deal = history.deal
    names = (f"{deal['status']}_time",) if key == "status" else TOLD_BY.get(key, ())
    told = [deal[name] for name in names if deal.get(name)]
    if told and history.log_state == log_state(deal):
        return instant(told[0])
    keys = MONEY if key in MONEY else (key,)
    since = instant(deal["update_time"])
    for version in reversed(history.versions):
        if any(shown(version.record, one) != shown(deal, one) for one in keys):
            break
        since = min(since, version.updated_at)
    return since


def read(key: str, value: Any, where: Mapping[str, Any]) -> Any:
    """A value as the record would hold it; logs hold text. InputError for a number that is none."""
    if value is None or value == "":
        return False if key in FLAGS else None
    if key in FLAGS:
        return str(value).lower() in ("1", "true")
    if key in ("status", "currency"):
        return str(value)
    try:
        return float(value) if key == "value" else int(value)
    except (TypeError, ValueError) as error:
        raise InputError(
            f"Change {where.get('id')} of deal {where.get('deal_id')}: {key} must be a number. "
            "Nothing was made of it; look at the deal's history in the CRM."
        ) from error


def survivors(log: list[dict[str, Any]]) -> dict[int, int]:
    """deal_id -> the deal that it was merged into."""
    ordered = sorted(log, key=lambda entry: entry["time"])
    return {entry["deal_id"]: int(entry["new_value"]) for entry in ordered if is_merge(entry)}


def is_merge(entry: Mapping[str, Any]) -> bool:
    return entry["field_key"] in MERGES and bool(entry["new_value"])
