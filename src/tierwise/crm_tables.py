"""The tables of a CRM: deals and what happens to them, whose they are, and what people did.

The question of `leads` is asked of them. See `tables` for the two times of each.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from tierwise.contracts import (
    TIMES,
    at_least_one_character,
    column,
    contract,
    known_after_it_occurred,
    number_id,
    one_of,
    rule,
    size,
    text_id,
    time,
)
from tierwise.refusals import pa

FIELDS = ("stage", "value", "owner", "status", "merged_into")
STATUSES = ("won", "lost", "reopened", "deleted")
ACTIVITY_TYPES = ("call", "mail", "meeting")


def whole(text: pd.Series) -> pd.Series:
    """Up to 18 digits, so that it fits into int64."""
    return text.str.fullmatch(r"-?[0-9]{1,18}")


def amount(text: pd.Series) -> np.ndarray:
    return np.isfinite(pd.to_numeric(text, errors="coerce").to_numpy("float64", na_value=np.nan))


def new_value(words: str, fields: tuple[str, ...], reads: Callable[[Any], Any]) -> pa.Check:
    """new_value is text for all fields; this says how the text reads for some of them."""

    def holds(frame: pd.DataFrame) -> pd.Series:
        asked = frame["field"].isin(fields) & frame["new_value"].notna()
        right = pd.Series(True, frame.index)
        right[asked] = np.asarray(reads(frame.loc[asked, "new_value"]), dtype=bool)
        return right

    return rule(f"new_value must be {words} where field is {' or '.join(fields)}", holds)


CONTRACTS: dict[str, pa.DataFrameSchema] = {
    "deals": contract(
        known_after_it_occurred(),
        deal_id=number_id("the deal"),
        organization_id=number_id("whose deal it is"),
        person_id=number_id("contact person of the deal", nullable=True),
        occurred_at=time("when the deal was opened"),
        known_at=time("when the CRM learned of the deal"),
        source=column("str", "channel through which the lead came", nullable=True),
    ),
    "deal_changes": contract(
        known_after_it_occurred(),
        new_value("a number", ("value",), amount),
        new_value("a whole number", ("owner", "merged_into"), whole),
        new_value(f"one of {', '.join(STATUSES)}", ("status",), lambda text: text.isin(STATUSES)),
        change_id=text_id("the change"),
        deal_id=number_id("the deal"),
        **TIMES,
        field=column("str", "what changed", checks=one_of(FIELDS)),
        new_value=column(
            "str",
            "its new value: a stage's name, an amount in euros, a user_id, a status, or the "
            "deal_id that the deal was merged into",
        ),
    ),
    "organizations": contract(
        organization_id=number_id("the organisation"),
        known_at=time("since when these values are known; one row per version"),
        industry=column("str", "what it does", nullable=True),
        country=column("str", "where it is", "ISO 3166 code", nullable=True),
        timezone=column("str", "time zone of its office", "IANA name", nullable=True),
        employees_count=size("how many work there", "people", nullable=True),
    ),
    "persons": contract(
        person_id=number_id("the person"),
        organization_id=number_id("where they work"),
        known_at=time("since when these values are known; one row per version"),
        job_title=column("str", "kind of position", nullable=True),
    ),
    "users": contract(
        user_id=number_id("one of our representatives"),
        known_at=time("since when the account exists"),
        team=column("str", "team of the representative", nullable=True),
        timezone=column("str", "time zone they work in", "IANA name", nullable=True),
    ),
    "activities": contract(
        known_after_it_occurred(),
        activity_id=text_id("the activity"),
        deal_id=number_id("the deal"),
        user_id=number_id("whose activity it is", nullable=True),
        **TIMES,
        type=column("str", "kind of contact", checks=one_of(ACTIVITY_TYPES)),
        done=column("bool", "it took place; false: planned, missed or not answered"),
        duration_minutes=size("how long it took", "minutes", nullable=True),
    ),
    "job_posts": contract(
        known_after_it_occurred(),
        post_id=text_id("the post"),
        organization_id=number_id("who posted it"),
        **TIMES,
        title_length_count=size("length of the title", "characters"),
        description_length_count=size("length of the description", "characters"),
        salary=column("bool", "a salary is given"),
        photo=column("bool", "a photo is given"),
        screening_questions_count=size("screening questions asked", "questions"),
    ),
    "events": contract(
        known_after_it_occurred(),
        event_id=text_id("the event; a copy has the same id"),
        organization_id=number_id("whose account it concerns"),
        person_id=number_id("who did it", nullable=True),
        **TIMES,
        type=column("str", "what happened", checks=at_least_one_character()),
        amount=column("float64", "size of the event, by type", nullable=True),
        properties=column("str", "anything else, as JSON; never copied", nullable=True),
    ),
    "ad_clicks": contract(
        known_after_it_occurred(),
        click_id=text_id("the click"),
        organization_id=number_id("whose person clicked"),
        **TIMES,
        campaign=column("str", "which campaign", nullable=True),
        cost_eur=size("price of the click", "euros", nullable=True),
    ),
}

KEYS = {
    "deals": ["deal_id"],
    "deal_changes": ["change_id"],
    "organizations": ["organization_id", "known_at"],
    "persons": ["person_id", "known_at"],
    "users": ["user_id"],
    "activities": ["activity_id"],
    "job_posts": ["post_id"],
    "events": ["event_id"],
    "ad_clicks": ["click_id"],
}
COPIES_ALLOWED = ("deal_changes", "activities", "job_posts", "events", "ad_clicks")
REFERENCES = {
    "deals": ("organization_id", "organizations"),
    "deal_changes": ("deal_id", "deals"),
    "activities": ("deal_id", "deals"),
    "persons": ("organization_id", "organizations"),
    "job_posts": ("organization_id", "organizations"),
    "events": ("organization_id", "organizations"),
    "ad_clicks": ("organization_id", "organizations"),
}
NEVER_EMPTY = ("deals", "deal_changes", "organizations")
