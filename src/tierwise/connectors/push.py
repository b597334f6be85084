"""Write tier, chance, reasons and freshness to custom fields of the CRM's deals.

The CRM itself is the state of truth: each run reads what stands there, computes the difference
anew and writes only that. So a run that was cut short needs no memory, and a second run writes
nothing.

What is worth a write, and in which order, is decided in differences.py.
"""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any, NamedTuple

import pandas as pd

from tierwise.connectors.allowance import OutOfTokens, cost
from tierwise.connectors.answers import Refused
from tierwise.connectors.differences import KINDS, TIERS, Change, Shown, check, difference
from tierwise.connectors.pipedrive import Client, named
from tierwise.files import InputError

FIELDS = {
    "tier": ("Tierwise tier", "enum"),
    "chance_percent": ("Tierwise chance (%)", "double"),
    "reasons": ("Tierwise reasons", "text"),
    "scored_at": ("Tierwise scored at", "varchar"),
}


PATCH_COST = cost("PATCH", "/deals/1")


@dataclass
class Pushed:
    """What a run found and did. changes: all differences, in the order of writing.

    gone_count: wanted deals that are archived, deleted, closed or not to be seen. go_on_at: when
    the rest may be written, seconds since 1970; None: at the next run.
    """

    changes: list[Change] = field(default_factory=list)
    written_count: int = 0
    postponed_count: int = 0
    unchanged_count: int = 0
    cleared_count: int = 0
    gone_count: int = 0
    go_on_at: float | None = None


class Places(NamedTuple):
    """Where fields lie. codes: field -> its 40-digit code. option_ids: tier -> its option."""

    codes: dict[str, str]
    option_ids: dict[str, int]


def push(
    client: Client,
    wanted: pd.DataFrame,
    holdout: Collection[int] = (),
    *,
    hysteresis_points: float = 2.0,
    tiers: Sequence[str] = TIERS,
    fields: Mapping[str, tuple[str, str]] = FIELDS,
    every_seconds: float = 3600.0,
    keep_count: int = 0,
    dry_run: bool = False,
) -> Pushed:
    """Make the open deals show what is wanted.

    wanted: columns deal_id, tier, chance (0 to 1), reasons (text or a list of it), scored_at (UTC),
    rank (1 first). holdout: deal_ids that must show nothing, whether wanted or not. keep_count:
    tokens of today that others still need. every_seconds: how often push is run, so that one run
    doesn't spend the whole day on small moves.

    A dry run makes no field and writes nothing. Raises InputError for an unusable table, field or
    token, OutOfTokens where not even the reading came to an end, NoAnswer or Refused at the first
    call that won't do; whatever was written by then stays, and the next run goes on from there.
    """
    check(wanted, tiers, hysteresis_points)
    holdout = frozenset(holdout)
    left_before_count = client.allowance.left_count()
    places = located(client, tiers, fields, is_made=not dry_run)
    current = read(client, places, holdout.union(wanted["deal_id"].tolist()))
    reading_count = max(left_before_count - client.allowance.left_count(), 0)
    changes = difference(wanted, current, holdout, hysteresis_points=hysteresis_points, tiers=tiers)
    pushed = Pushed(changes, unchanged_count=len(current) - len(changes))
    pushed.gone_count = int((~wanted["deal_id"].isin(list(current))).sum())
    if not dry_run:
        plan = planned(client, changes, reading_count, every_seconds, keep_count)
        write_all(client, places, pushed, plan)
    return pushed


# What the CRM shows


def located(
    client: Client, tiers: Sequence[str], fields: Mapping[str, tuple[str, str]], is_made: bool
) -> Places:
    """Codes of our fields, found by name. is_made: make those that are missing, else leave them.

    Raises InputError for a field of another type, or one that lacks a tier among its options.
    """
    there, codes, option_ids = client.deal_fields(), {}, {}
    for key, (name, kind) in fields.items():
        found = named(there, name)
        if found is None and is_made:
            found = client.create_field(name, kind, tiers if key == "tier" else ())
        if found is None:
            continue
        if found["field_type"] != kind:
            raise InputError(
                f"Pipedrive's field '{name}' is of type {found['field_type']}, not {kind}. "
                "Rename it, and a right one is made."
            )
        codes[key] = found["field_code"]
        if key == "tier":
            option_ids = options(found, tiers)
    return Places(codes, option_ids)


def options(found: dict[str, Any], tiers: Sequence[str]) -> dict[str, int]:
    by_label = {one["label"]: one["id"] for one in found["options"] or []}
    absent = [tier for tier in tiers if tier not in by_label]
    if absent:
        raise InputError(
            f"Pipedrive's field '{found['field_name']}' has the options {list(by_label)}, but not "
            f"{absent}. Add them."
        )
    return by_label


def read(client: Client, places: Places, asked: Collection[int]) -> dict[int, Shown]:
    """What the open deals among those asked for show, by deal_id. Reads all pages."""
    labels = {number: label for label, number in places.option_ids.items()}
    pages = client.deals(field_codes=list(places.codes.values()))
    rows = chain.from_iterable(page.rows for page in pages)
    return {row["id"]: shown(row, places.codes, labels) for row in rows if row["id"] in asked}


def shown(row: dict[str, Any], codes: Mapping[str, str], labels: Mapping[int, str]) -> Shown:
    fields = row.get("custom_fields") or {}
    # Nothing and empty text are the same to whoever looks.
    values = {
        key: None if fields.get(code) == "" else fields.get(code) for key, code in codes.items()
    }
    tier = values.get("tier")
    if tier is not None:
        # An option that somebody added by hand is no tier of ours, but must be seen as a value.
        values["tier"] = labels.get(tier, f"option {tier}")
    return Shown(**values)


# Writing


class Plan(NamedTuple):
    """floor_count: tokens of today that stay untouched. others_count: what all but the first tier
    may spend in this run."""

    floor_count: int
    others_count: int


def planned(
    client: Client,
    changes: Sequence[Change],
    reading_count: int,
    every_seconds: float,
    keep_count: int,
) -> Plan:
    """How far this run may go, so that the later runs of the day can still read and write the
    first tier.

    They are taken to need what this run does; what is left after that is shared evenly. However
    short tokens are, half of them are for writing: reading alone helps nobody.
    """
    allowance = client.allowance
    left_count = max(allowance.left_count() - keep_count, 0)
    later_count = math.ceil((allowance.resets_at() - allowance.clock()) / every_seconds) - 1
    later_count = max(min(later_count, left_count // max(2 * reading_count, 1)), 0)
    first_count = PATCH_COST * sum(change.kind == KINDS[0] for change in changes)
    spare_count = left_count - first_count - (reading_count + first_count) * later_count
    others_count = max(spare_count, 0) // (later_count + 1)
    return Plan(keep_count + reading_count * later_count, others_count)


def write_all(client: Client, places: Places, pushed: Pushed, plan: Plan) -> None:
    """Write in order until done or out of tokens."""
    floor_count, is_first = plan.floor_count, True
    for done_count, change in enumerate(pushed.changes):
        pushed.postponed_count = len(pushed.changes) - done_count
        left_count = client.allowance.left_count()
        if is_first and change.kind != KINDS[0]:
            floor_count, is_first = max(floor_count, left_count - plan.others_count), False
        if left_count - PATCH_COST < floor_count:
            return
        try:
            write(client, places, change, pushed)
        except OutOfTokens as error:
            pushed.go_on_at = error.go_on_at
            return
    pushed.postponed_count = 0


def write(client: Client, places: Places, change: Change, pushed: Pushed) -> None:
    values = {places.codes[name]: value for name, value in change.values.items()}
    if change.values.get("tier"):
        values[places.codes["tier"]] = places.option_ids[change.values["tier"]]
    try:
        client.update_deal(change.deal_id, values)
    except Refused:
        if not is_gone(client, change.deal_id):
            raise
        pushed.gone_count += 1
        return
    pushed.written_count += 1
    pushed.cleared_count += all(value is None for value in change.values.values())


def is_gone(client: Client, deal_id: int) -> bool:
    """Was the deal archived or deleted while we were at it?"""
    try:
        deal = client.deal(deal_id)
    except Refused as error:
        if error.status in (404, 410):
            return True
        raise
    return bool(deal.get("is_deleted") or deal.get("is_archived"))
