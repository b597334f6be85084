"""The tables of the question who brought whom, who will next, and does the reward pay.

One pandera contract per table, in the same words as those of `tables`. Two times matter here, too:

    occurred_at    when it happened
    known_at       when we learned of it; only this one decides what was known

Members are numbers. Devices, means of payment and addresses are keyed hashes that tell only whether
two are the same; names and mail addresses are in none of these tables. The table of purchases is
that of `customer_tables`: here its customers are members.
"""

from tierwise import customer_tables
from tierwise.contracts import (
    TIMES,
    at_least_one_character,
    column,
    contract,
    known_after_it_occurred,
    number_id,
    rule,
    size,
    text_id,
    time,
)
from tierwise.refusals import pa


def chance() -> pa.Check:
    return rule("must be above 0 and at most 1", lambda share: (share > 0) & (share <= 1))


def whole_day() -> pa.Check:
    return rule("must be a midnight (UTC)", lambda at: at == at.dt.floor("D"))


def word(meaning: str, nullable: bool = False) -> pa.Column:
    return column("str", meaning, checks=at_least_one_character(), nullable=nullable)


def digest(meaning: str) -> pa.Column:
    return column("str", meaning, "keyed hash", checks=at_least_one_character(), nullable=True)


PERSON = {"person_id": number_id("the member")}
VISITOR = text_id("the browser, as the cookie tells it")

CONTRACTS = {
    "members": contract(
        known_after_it_occurred(),
        **PERSON,
        occurred_at=time("when they signed up"),
        known_at=time("when we learned of it"),
        visitor_id=text_id("the browser in which they signed up, as the cookie tells it"),
        device_id=digest("the device on which they signed up"),
        payment_id=digest("the means of payment that they left"),
        address_id=digest("the block of network addresses from which they signed up"),
        code=word("the code of a link, as typed at sign-up: a link_id", nullable=True),
        channel=word("how they came by themselves, such as search or press", nullable=True),
        never_invited=column("bool", "by lot, for comparison: never asked to invite anybody"),
    ),
    "links": contract(
        known_after_it_occurred(),
        link_id=text_id("the link; also the code to be typed at sign-up"),
        person_id=number_id("whose link it is"),
        campaign=word("for which campaign"),
        template=word("with which text it was sent, by its short name"),
        propensity_share=column(
            "float64", "chance by which the lot chose this template", "share", checks=chance()
        ),
        interest=word("interest of theirs to which the text was fitted", nullable=True),
        occurred_at=time("when the link was made"),
        known_at=time("when we learned of it"),
    ),
    "clicks": contract(
        known_after_it_occurred(),
        click_id=text_id("the click; a copy has the same id"),
        link_id=text_id("on which link"),
        visitor_id=VISITOR,
        **TIMES,
        device_id=digest("the device on which it was clicked"),
        address_id=digest("the block of network addresses from which it was clicked"),
    ),
    "invites": contract(
        known_after_it_occurred(),
        invite_id=text_id("the message"),
        person_id=number_id("who invites"),
        link_id=text_id("with which link"),
        **TIMES,
        recipients_count=size("to how many", "people"),
    ),
    "purchases": customer_tables.CONTRACTS["purchases"],
    "shares": contract(
        known_after_it_occurred(),
        share_id=text_id("the opening of a shared item"),
        person_id=number_id("who shared it"),
        item_id=text_id("the item"),
        visitor_id=text_id("the browser in which it was opened, as the cookie tells it"),
        **TIMES,
    ),
    "interests": contract(
        known_after_it_occurred(),
        **PERSON,
        interest=word("what they said that they are interested in"),
        **TIMES,
    ),
    "activity": contract(
        known_after_it_occurred(),
        **PERSON,
        occurred_at=column("datetime64[us]", "the day", "UTC", checks=whole_day()),
        known_at=time("when we learned of it"),
        actions_count=size("actions of that day", "actions"),
    ),
}  # fmt: skip

KEYS = {
    "members": ["person_id"],
    "links": ["link_id"],
    "clicks": ["click_id"],
    "invites": ["invite_id"],
    "purchases": customer_tables.KEYS["purchases"],
    "shares": ["share_id"],
    "interests": ["person_id", "interest"],
    "activity": ["person_id", "occurred_at"],
}
COPIES_ALLOWED = ("clicks",)
REFERENCES = {name: ("person_id", "members") for name in CONTRACTS if name != "members"}
REFERENCES |= {"clicks": ("link_id", "links")}
NEVER_EMPTY = ("members",)
