"""The catalogue of events as a YAML file: read it, add an event, change, archive or restore one.

A change adds a version to the file and touches nothing else, comments included. What would not be
a valid catalogue is not written.
"""

import io
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import YAMLError

from tierwise import files, locks
from tierwise.customers import event_catalogue as ec
from tierwise.files import InputError

NAME = "event_catalogue.yaml"
RULE = ("points", "half_life_days", "step", "cap_per_day")


def read(path: Path) -> ec.Catalogue:
    """Raises InputError where the file is missing, is no YAML or is no catalogue."""
    return ec.parsed(content(path))


def content(path: Path) -> Any:
    if not path.is_file():
        raise InputError(f"{path} is missing. `tierwise events add` begins one.")
    try:
        return YAML().load(path.read_text(encoding="utf-8"))
    except (YAMLError, UnicodeDecodeError) as error:
        raise InputError(f"{path} is not valid YAML: {error}. Correct it there.") from error


def add(path: Path, event_id: str, name: str, rule: Mapping[str, Any]) -> ec.Event:
    """Add an event; the file begins with the first. rule: fields of a version, without `from`
    unless it shall earn nothing before. Raises InputError."""

    def put(events: CommentedMap) -> None:
        if event_id in events:
            raise InputError(
                f"The catalogue has an event '{event_id}' already. Change it with "
                "`tierwise events set`, or choose another id."
            )
        events[event_id] = CommentedMap(name=name, versions=CommentedSeq([line(rule)]))

    return edited(path, event_id, put)


def change(
    path: Path, event_id: str, from_at: pd.Timestamp, changes: Mapping[str, Any]
) -> ec.Event:
    """A new rule from an instant on: the one in force, with these fields. Raises InputError.

    half_life_days and step replace each other; None removes a field.
    """
    unknown = [name for name in changes if name not in RULE]
    if unknown or not changes:
        raise InputError(f"A change names one or more of {', '.join(RULE)}, not {unknown}.")

    def rule_of(current: ec.Version) -> dict[str, Any]:
        kept = fields(current)
        if {"half_life_days", "step"} & set(changes):
            kept = {key: kept[key] for key in kept if key not in ("half_life_days", "step")}
        both = kept | dict(changes)
        found = {key: value for key, value in both.items() if value is not None}
        return found if current.status == ec.SHOWN else found | {"status": current.status}

    return next_version(path, event_id, from_at, rule_of)


def archive(path: Path, event_id: str, from_at: pd.Timestamp) -> ec.Event:
    """Earns nothing more from then on; its history stays. Raises InputError if it is archived."""

    def rule_of(current: ec.Version) -> dict[str, Any]:
        if current.status == ec.ARCHIVED:
            raise InputError(f"Event '{event_id}' is archived already.")
        return {"status": ec.ARCHIVED}

    return next_version(path, event_id, from_at, rule_of)


def restore(path: Path, event_id: str, from_at: pd.Timestamp) -> ec.Event:
    """Earns again by the rule before it was archived. Raises InputError if it is not archived."""

    def rule_of(current: ec.Version) -> dict[str, Any]:
        if current.status == ec.SHOWN:
            raise InputError(f"Event '{event_id}' is not archived.")
        return fields(current)

    return next_version(path, event_id, from_at, rule_of)


def next_version(
    path: Path,
    event_id: str,
    from_at: pd.Timestamp,
    rule_of: Callable[[ec.Version], dict[str, Any]],
) -> ec.Event:
    def put(events: CommentedMap) -> None:
        current = ec.parsed({"events": events}).event(event_id).current
        item = events[event_id]
        if "versions" not in item:  # a single rule beside the name: it becomes the first version
            first = {key: item.pop(key) for key in [*item] if key != "name"}
            item["versions"] = CommentedSeq([line(first)])
        item["versions"].append(
            line({"from": from_at.isoformat().removesuffix("T00:00:00")} | rule_of(current))
        )

    return edited(path, event_id, put)


def edited(path: Path, event_id: str, put: Callable[[CommentedMap], None]) -> ec.Event:
    """Change the file, if the result is a catalogue; one process at a time."""
    with locks.held(path.with_name(f".{path.name}.lock")):
        found = content(path) if path.is_file() else CommentedMap(events=CommentedMap())
        if not isinstance(found, CommentedMap) or not isinstance(found.get("events"), CommentedMap):
            ec.parsed(found)  # says what is wrong
        put(found["events"])
        event = ec.parsed(found).event(event_id)
        yaml, out = YAML(), io.StringIO()
        yaml.width = 10_000
        yaml.indent(mapping=2, sequence=4, offset=2)
        yaml.dump(found, out)
        files.write_text(path, out.getvalue())
    return event


def fields(version: ec.Version) -> dict[str, Any]:
    """A rule as it stands in the file, without `from` and `status`."""
    step = version.step
    found: dict[str, Any] = {"points": short(version.points)}
    if version.half_life_days is not None:
        found["half_life_days"] = short(version.half_life_days)
    if step is not None:
        found["step"] = {"idle_days": short(step.idle_days), "share": step.share}
    if version.cap_per_day is not None:
        found["cap_per_day"] = short(version.cap_per_day)
    return found


def short(number: float) -> float | int:
    """A whole number without decimals."""
    return int(number) if float(number).is_integer() else number


def written(value: Any) -> Any:
    if isinstance(value, Mapping):
        return line(value)
    return short(value) if isinstance(value, float) else value


def line(rule: Mapping[str, Any]) -> CommentedMap:
    """A version on one line."""
    found = CommentedMap((key, written(item)) for key, item in rule.items())
    found.fa.set_flow_style()
    return found
