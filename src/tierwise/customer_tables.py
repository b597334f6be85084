"""The tables of the question which customers are active, of which kind, and what works on them.

One pandera contract per table, in the same words as those of `tables`. Two times matter here, too:

    occurred_at    when it happened
    known_at       when we learned of it; only this one decides what was known

Customers are numbers: names and addresses are in none of these tables. What they wrote may name
somebody all the same, so a text is shown to people who answer it and nowhere else. All rows lead to
a person.
"""

from tierwise.contracts import (
    TIME,
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

GENDERS = ("woman", "man", "other")
HOUSEHOLDS = ("alone", "couple", "family", "shared")
COMMUNITIES = ("family", "neighbourhood", "work", "sport", "culture", "belief")
LANGUAGES = ("en", "ru", "de")
CHANNELS = ("mail", "push", "sms", "advertisement")
AGE_MOST = 120


def age() -> pa.Check:
    return rule(f"must be 0 to {AGE_MOST}", lambda number: number.between(0, AGE_MOST))


def left_after_joining() -> pa.Check:
    return rule(
        "left_at must not be before occurred_at, nor after known_at",
        lambda frame: (
            ~((frame["left_at"] < frame["occurred_at"]) | (frame["left_at"] > frame["known_at"]))
        ),
    )


def another_person() -> pa.Check:
    return rule(
        "contact_id must be another person than person_id",
        lambda frame: frame["contact_id"] != frame["person_id"],
    )


PERSON = {"person_id": number_id("the customer")}

CONTRACTS = {
    "people": contract(
        **PERSON,
        known_at=time("since when these values are known; one row per version"),
        country=column("str", "where they live", "ISO 3166 code", nullable=True),
        city=column("str", "in which city", nullable=True),
        age_years=column("float64", "age", "years", checks=age(), nullable=True),
        gender=column("str", "as they told us", checks=one_of(GENDERS), nullable=True),
        household=column("str", "who they live with", checks=one_of(HOUSEHOLDS), nullable=True),
        joined_at=time("when they became a customer"),
        may_contact=column("bool", "they may be written to; no: leave them alone"),
    ),
    "customer_events": contract(
        known_after_it_occurred(),
        event_id=text_id("the event; a copy has the same id"),
        **PERSON,
        event=column(
            "str", "what happened, by its id in the catalogue of events",
            checks=at_least_one_character(),
        ),
        **TIMES,
    ),
    "memberships": contract(
        known_after_it_occurred(),
        left_after_joining(),
        **PERSON,
        community_id=number_id("the community; its start and its end are two rows"),
        kind=column("str", "kind of community", checks=one_of(COMMUNITIES)),
        occurred_at=time("when they joined it"),
        known_at=time("when we learned of the start or, in the second row, of the end"),
        left_at=column(TIME, "when they left it; missing while it lasts", "UTC", nullable=True),
    ),
    "contacts": contract(
        known_after_it_occurred(),
        another_person(),
        **PERSON,
        contact_id=number_id("whom they are in touch with: another person_id"),
        **TIMES,
    ),
    "purchases": contract(
        known_after_it_occurred(),
        purchase_id=text_id("the purchase"),
        **PERSON,
        **TIMES,
        amount_eur=size("how much", "euros"),
    ),
    "messages": contract(
        known_after_it_occurred(),
        message_id=text_id("the message"),
        **PERSON,
        **TIMES,
        language=column("str", "in which language", checks=one_of(LANGUAGES)),
        text=column(
            "str", "what they wrote to us or about us", checks=at_least_one_character()
        ),
    ),
    "touches": contract(
        known_after_it_occurred(),
        touch_id=text_id("one contact by us"),
        **PERSON,
        channel=column("str", "how", checks=one_of(CHANNELS)),
        topic=column("str", "about what, by its short name", checks=at_least_one_character()),
        occurred_at=time("when we wrote"),
        known_at=time("when it was answered, or when we stopped waiting for an answer"),
        answered=column("bool", "they answered or opened it"),
    ),
}  # fmt: skip

KEYS = {
    "people": ["person_id", "known_at"],
    "customer_events": ["event_id"],
    "memberships": ["person_id", "community_id", "known_at"],
    "contacts": ["person_id", "contact_id"],
    "purchases": ["purchase_id"],
    "messages": ["message_id"],
    "touches": ["touch_id"],
}
COPIES_ALLOWED = ("customer_events", "purchases")
REFERENCES = {name: ("person_id", "people") for name in CONTRACTS if name != "people"}
NEVER_EMPTY = ("people", "customer_events")
