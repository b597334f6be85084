"""Scored deals, checked and dealt out: a call list per representative, and what it says of itself.

A list is numbered from 1, and the rank over all lists isn't told: its gaps would show where the
deals of the holdout stand. Those have no place, tier, chance or reason on any list, and are in
order of their ids.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import pandas as pd

from tierwise import refusals
from tierwise.calls.text import moment, readable, since
from tierwise.contracts import TIME, column, contract, number_id, rule, time
from tierwise.files import InputError
from tierwise.refusals import pa

TIERS = ("A", "B", "C")
EXPLORATION, HOLDOUT = "exploration", "holdout"
TURN = "today"
REASONS = ["reason_1", "reason_2", "reason_3"]
REVEALING = ["rank", "tier", "turn", "chance", *REASONS]
OPTIONAL = ["title", "organization", "value_eur", "turn"]
OFTEN_EMPTY = ["tier", "turn", "flag", *REASONS]
STALE = pd.Timedelta(hours=2)
SIMULATED = " Simulated data: none of these deals exists."


def once() -> pa.Check:
    return rule("must be in the batch once", lambda deal_id: ~deal_id.duplicated(keep=False))


def from_0_to_1() -> pa.Check:
    return rule("must be from 0 to 1", lambda chance: chance.between(0, 1))


def one_of_or_empty(*values: str) -> pa.Check:
    text = f"{refusals.LISTED} {', '.join(values)}, or empty"
    return rule(text, lambda column: column.isin([*values, ""]))


def unless_held_out(name: str) -> pa.Check:
    return rule(
        f"{name} must be there unless the flag is {HOLDOUT}",
        lambda frame: frame[name].notna() | (frame["flag"] == HOLDOUT),
    )


BATCH = contract(
    unless_held_out("rank"),
    unless_held_out("chance"),
    deal_id=number_id("the deal", checks=once()),
    owner_id=column("str", "whose list it is on", "id", nullable=True),
    rank=column("Int64", "1 = first, over the whole list", nullable=True),
    tier=column("str", "its tier", checks=one_of_or_empty(*TIERS)),
    chance=column("float64", "chance to be won", checks=from_0_to_1(), nullable=True),
    **{name: column("str", "why it stands there") for name in REASONS},
    scored_at=time("full hour of the scores"),
    last_touch_at=column(TIME, "last contact", "UTC", nullable=True),
    flag=column("str", "drawn by lot", checks=one_of_or_empty(EXPLORATION, HOLDOUT)),
    title=column("str", "what the deal is called", nullable=True),
    organization=column("str", "whose deal it is", nullable=True),
    value_eur=column("float64", "what it is worth", "euros", nullable=True),
    turn=column("str", "whose turn it is", checks=one_of_or_empty(TURN)),
)
KINDS = {name: refusals.dtype_of(one) for name, one in BATCH.columns.items()}


@dataclass(frozen=True)
class CallList:
    """One representative's list. owner_id: None for the deals of nobody.

    queue: by rank, with `place` (from 1) and `last_touch` ("3 days ago"). holdout: by deal_id, with
    `last_touch`, without REVEALING. Their text is `readable`. why: what a mark of a turn means.
    """

    owner_id: str | None
    scored_at: pd.Timestamp
    queue: pd.DataFrame
    holdout: pd.DataFrame
    simulated: bool = False
    why: str = ""


def full_hour(scored_at: pd.Timestamp) -> pd.Timestamp:
    """The hour in UTC without its zone. InputError for minutes."""
    hour = scored_at.tz_convert("UTC").tz_localize(None) if scored_at.tz else scored_at
    if hour != hour.floor("h"):
        raise InputError(f"scored_at must be a full hour in UTC, not {scored_at}.")
    return hour


def typed(batch: pd.DataFrame) -> pd.DataFrame:
    """The columns of BATCH in its types, as far as nothing is lost; without rows all of them."""
    absent = OPTIONAL if len(batch) else KINDS
    frame = batch.assign(**{name: None for name in absent if name not in batch})
    frame = frame[[name for name in KINDS if name in frame]].reset_index(drop=True)
    frame = frame.assign(**{name: in_kind(frame[name], KINDS[name]) for name in frame})
    return frame.assign(turn=frame.get("turn", "")).fillna(dict.fromkeys(OFTEN_EMPTY, ""))


def checked(batch: pd.DataFrame, hour: pd.Timestamp) -> pd.DataFrame:
    """What `typed` gives. Raises InputError that names the first rule of BATCH that is broken."""
    frame = typed(batch)
    found = refusals.failures(BATCH, ["deal_id"], frame)
    if found:
        raise refusals.refusal("batch", found)
    others = frame.loc[frame["scored_at"] != hour, "scored_at"]
    if len(others):
        raise InputError(
            f"{len(others):,} rows of the batch were scored at {others.iloc[0]}, not at {hour}: a "
            "list must not look fresher than it is. Give the batch of that hour."
        )
    return frame


def in_kind(values: pd.Series, kind: str) -> pd.Series:
    """In the contract's type where nothing is lost: times with a zone in UTC, 3.0 as 3."""
    if not len(values) or (values.isna().all() and kind != "int64"):
        return values.astype(object).where(values.notna(), None).astype(kind)
    if isinstance(values.dtype, pd.DatetimeTZDtype):
        values = values.dt.tz_convert("UTC").dt.tz_localize(None)
    if kind == "Int64" and pd.api.types.is_numeric_dtype(values.dtype):
        whole = bool((values.dropna() % 1 == 0).all())
    else:
        whole = kind == "str" and pd.api.types.infer_dtype(values, skipna=True) == "string"
    is_time = kind == TIME and pd.api.types.is_datetime64_dtype(values.dtype)
    return values.astype(kind) if whole or is_time else values


def lists_of(
    frame: pd.DataFrame, hour: pd.Timestamp, owners: Iterable[str] = ()
) -> Iterator[CallList]:
    """One list per owner, in order of their ids, then that of nobody, who has the id "" too.

    frame: what `typed` gives. owners: who gets a list even without a deal.
    """
    owner = frame["owner_id"].fillna("")
    shown: dict[str, Iterable[str]] = {
        name: frame[name] for name in ("owner_id", "tier", "turn", "flag")
    }
    shown |= {name: map(readable, frame[name]) for name in (*REASONS, "title", "organization")}
    shown["last_touch"] = since(frame["last_touch_at"], hour)
    told = frame.assign(**{name: as_objects(texts) for name, texts in shown.items()})
    places = told.groupby(owner).groups
    for name in (*sorted({*owner, *owners} - {""}), ""):
        yield one_list(name or None, hour, told.loc[places.get(name, [])])


def as_objects(texts: Iterable[str]) -> pd.Series:
    """Texts that are taken one by one, which pandas' own type makes slow."""
    return pd.Series(list(texts), dtype=object)


def one_list(owner_id: str | None, hour: pd.Timestamp, own: pd.DataFrame) -> CallList:
    held_out = own["flag"] == HOLDOUT
    queue = own[~held_out].sort_values(["rank", "deal_id"]).reset_index(drop=True)
    queue.insert(0, "place", range(1, len(queue) + 1))
    holdout = own[held_out].sort_values("deal_id").reset_index(drop=True)
    return CallList(owner_id, hour, queue, holdout.drop(columns=REVEALING))


# What a list says of itself


def heading(one: CallList) -> str:
    return "Deals of nobody" if one.owner_id is None else f"Call list of {readable(one.owner_id)}"


def sentences(one: CallList) -> dict[str, str]:
    """By subject: fresh, empty, turns, exploration, holdout; "" where there is nothing to say."""
    return {
        "fresh": freshness(one.scored_at) + (SIMULATED if one.simulated else ""),
        "empty": emptiness(one),
        "turns": turns(one),
        "exploration": exploration(one.queue),
        "holdout": held_out(one.holdout),
    }


def freshness(hour: pd.Timestamp) -> str:
    late = hour + STALE
    return (
        f"As of {moment(hour)}. A new list comes every hour; past {late:%H:%M} UTC this one is old."
    )


def emptiness(one: CallList) -> str:
    if len(one.queue):
        return ""
    if len(one.holdout):
        return "No open deal with a tier stands on this list."
    nobody = "Every open deal has an owner" if one.owner_id is None else "No open deal stands here"
    return f"{nobody}; the list is empty, not late."


def turns(one: CallList) -> str:
    """How many have their turn today, and why; the first ones of the list, or marked ones."""
    count, marked = len(one.queue), (one.queue["turn"] == TURN).to_numpy()
    if not count or not one.why:
        return ""
    number = int(marked.sum())
    if not number:
        return f"None of these {count:,} deals is marked for today. Marks: {one.why}."
    on_top = f", the first {number:,} of the list" if marked[:number].all() and number > 1 else ""
    verb = "is" if number == 1 else "are"
    drawn = (one.queue["flag"] == EXPLORATION).any()
    lot = "; where a place was drawn at random, the turn was too" if drawn else ""
    return f"{number:,} of these {count:,} deals {verb} marked for today{on_top}: {one.why}{lot}."


def exploration(queue: pd.DataFrame) -> str:
    drawn, count = int((queue["flag"] == EXPLORATION).sum()), len(queue)
    if not drawn:
        return ""
    verb, place = ("stands", "its place was") if drawn == 1 else ("stand", "their places were")
    return (
        f"{drawn:,} of these {count:,} deals ({100 * drawn / count:.1f} %) {verb} out of turn: "
        f"{place} drawn at random, so that learning stays honest."
    )


def held_out(holdout: pd.DataFrame) -> str:
    count = len(holdout)
    if not count:
        return ""
    these, them, were = (
        ("This deal", "it", "was") if count == 1 else (f"These {count:,} deals", "them", "were")
    )
    return (
        f"{these} {were} drawn at random to go without a tier, so that we can measure what tiers "
        f"are worth. The order, by number, says nothing: work on {them} as you see fit."
    )
