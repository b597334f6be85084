"""The tables of the question who serves well on a marketplace of services.

One pandera contract per table, in the same words as those of `tables`. Two times matter here, too:

    occurred_at    when it happened
    known_at       when we learned of it; only this one decides what was known

Customers are numbers here, their names are in none of these tables. A provider has a public name,
which customers and our own people write to it by. All rows lead to a provider.
"""

from tierwise.contracts import (
    TIMES,
    at_least_one_character,
    column,
    contract,
    known_after_it_occurred,
    not_negative,
    number_id,
    one_of,
    rule,
    size,
    text_id,
    time,
)
from tierwise.refusals import pa

STATUSES = ("done", "cancelled by customer", "cancelled by provider", "no show")
SEGMENTS = ("home", "office")
CHANNELS = ("chat", "phone", "mail")
TOPICS = ("late", "quality", "damage", "behaviour", "other")
KINDS = ("paused", "resumed", "left", "appealed", "appeal accepted", "appeal refused")
STARS_MOST, POINTS_MOST = 5, 10
CUSTOMER, PROVIDER = "who booked", "who serves"


def from_to(lowest: float, highest: float) -> pa.Check:
    return rule(
        f"must be {lowest:g} to {highest:g}", lambda number: number.between(lowest, highest)
    )


def pair() -> dict[str, pa.Column]:
    return {"customer_id": number_id(CUSTOMER), "provider_id": number_id(PROVIDER)}


CONTRACTS = {
    "providers": contract(
        provider_id=number_id("the provider"),
        known_at=time("since when these values are known; one row per version"),
        name=column("str", "what customers see", checks=at_least_one_character()),
        city=column("str", "where it serves", nullable=True),
        joined_at=time("when it joined the marketplace"),
    ),
    "bookings": contract(
        known_after_it_occurred(),
        booking_id=text_id("the booking"),
        **pair(),
        occurred_at=time("when the service began, or when it was cancelled"),
        known_at=TIMES["known_at"],
        booked_at=time("when the customer booked"),
        promised_at=time("when the service was to begin"),
        status=column("str", "how it ended", checks=one_of(STATUSES)),
        segment=column("str", "where", checks=one_of(SEGMENTS)),
        chosen=column("bool", "the customer chose this provider; no: we assigned it"),
        amount_eur=size("price", "euros"),
        tip_eur=size("tip beside it", "euros"),
        reminded=column("bool", "reminded of rating, by lot"),
    ),
    "ratings": contract(
        known_after_it_occurred(),
        booking_id=text_id("the booking that is rated"),
        **pair(),
        **TIMES,
        stars=column("int64", "stars", "stars", checks=from_to(1, STARS_MOST)),
        text_length_count=column(
            "float64", "length of the text; 0: none", "characters", checks=not_negative()
        ),
    ),
    "surveys": contract(
        known_after_it_occurred(),
        survey_id=text_id("the question to one customer about one booking"),
        booking_id=text_id("the booking it is about"),
        **pair(),
        occurred_at=time("when we asked, by lot"),
        known_at=time("when it was answered, or closed without an answer"),
        satisfaction_points=column(
            "float64", "how satisfied; missing without an answer", "points, 10 the best",
            checks=from_to(0, POINTS_MOST), nullable=True,
        ),
    ),
    "favourites": contract(
        known_after_it_occurred(),
        **pair(),
        **TIMES,
        added=column("bool", "made a favourite; no: no longer one"),
    ),
    "complaints": contract(
        known_after_it_occurred(),
        complaint_id=text_id("the complaint"),
        **pair(),
        booking_id=column(
            "str", "the booking it is about", "id", checks=at_least_one_character(), nullable=True
        ),
        **TIMES,
        channel=column("str", "how", checks=one_of(CHANNELS)),
        topic=column("str", "about what", checks=one_of(TOPICS)),
    ),
    "blacklist": contract(
        known_after_it_occurred(),
        customer_id=number_id("who does not want to be served by this provider again"),
        provider_id=number_id("which provider"),
        **TIMES,
    ),
    "provider_events": contract(
        known_after_it_occurred(),
        event_id=text_id("the event"),
        provider_id=number_id("to which provider"),
        **TIMES,
        kind=column("str", "what", checks=one_of(KINDS)),
        note=column("str", "what our people wrote", nullable=True),
    ),
}  # fmt: skip

KEYS = {
    "providers": ["provider_id", "known_at"],
    "bookings": ["booking_id"],
    "ratings": ["booking_id"],
    "surveys": ["survey_id"],
    "favourites": ["customer_id", "provider_id", "occurred_at"],
    "complaints": ["complaint_id"],
    "blacklist": ["customer_id", "provider_id"],
    "provider_events": ["event_id"],
}
COPIES_ALLOWED = ("bookings",)
REFERENCES = {name: ("provider_id", "providers") for name in CONTRACTS if name != "providers"}
NEVER_EMPTY = ("providers", "bookings")
