"""The tables of the questions about accounts: who spends, who decides, who knows whom.

One pandera contract per table, in the same words as those of `tables`. Two times matter here, too:

    occurred_at    when it happened
    known_at       when we learned of it; only this one decides what was known

People are numbers here, ours and those at accounts alike. A title says what somebody does; names
and addresses are in none of these tables, since no answer needs them. Our own company is an account
of its own (`ours`): those who hold a position there are ours.

A position is a person's time in one seat. It has a row when we learn of its start and another one
when we learn of its end, so that nobody knows an end before we did. What changed inside a company
(title, function, level, country) is a new position that begins where the earlier one ends.
"""

from tierwise.contracts import (
    TIME,
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

FUNCTIONS = (
    *("human resources", "recruiting", "sales", "engineering", "marketing", "finance"),
    *("operations", "support", "management"),
)
LEVELS = ("staff", "lead", "manager", "director", "vice president", "chief")  # the highest last
KINDS = ("mail", "message", "call", "meeting")


def ends_after_it_began() -> pa.Check:
    return rule(
        "ended_at must not be before occurred_at",
        lambda frame: ~(frame["ended_at"] < frame["occurred_at"]),
    )


CONTRACTS = {
    "accounts": contract(
        account_id=number_id("the account"),
        known_at=time("since when these values are known; one row per version"),
        name=column("str", "what the company is called", checks=at_least_one_character()),
        industry=column("str", "what it does", nullable=True),
        country=column("str", "where its head office is", "ISO 3166 code", nullable=True),
        employees_count=size("how many work there", "people", nullable=True),
        ours=column("bool", "it is our own company"),
    ),
    "positions": contract(
        known_after_it_occurred(),
        ends_after_it_began(),
        position_id=text_id("the position; its start and its end are two rows"),
        person_id=number_id("who holds it"),
        account_id=number_id("at which company"),
        occurred_at=time("when it began"),
        ended_at=column(TIME, "when it ended; missing while it lasts", "UTC", nullable=True),
        known_at=time("when we learned of the start or, in the second row, of the end"),
        title=column("str", "what the person is called there", nullable=True),
        function=column("str", "kind of work", checks=one_of(FUNCTIONS), nullable=True),
        level=column("str", "how high", checks=one_of(LEVELS), nullable=True),
        country=column("str", "where the desk is", "ISO 3166 code", nullable=True),
        team=column("str", "team, of our own people", nullable=True),
    ),
    "interactions": contract(
        known_after_it_occurred(),
        interaction_id=text_id("the message or meeting; several recipients share it"),
        from_id=number_id("who wrote, called or invited: a person_id"),
        to_id=number_id("to whom: a person_id"),
        **TIMES,
        kind=column("str", "how", checks=one_of(KINDS)),
    ),
    "spend": contract(
        known_after_it_occurred(),
        spend_id=text_id("the order or invoice"),
        account_id=number_id("who paid"),
        signer_id=number_id("the person_id of who signed", nullable=True),
        **TIMES,
        amount_eur=size("how much", "euros"),
    ),
    "product_use": contract(
        known_after_it_occurred(),
        use_id=text_id("a person's day in the product"),
        account_id=number_id("whose account"),
        person_id=number_id("who used it"),
        **TIMES,
        actions_count=column("float64", "actions of that day", "actions", checks=not_negative()),
        admin=column("bool", "with the rights of an administrator"),
    ),
    "owners": contract(
        known_after_it_occurred(),
        account_id=number_id("the account"),
        person_id=number_id("who of ours looks after it from then on"),
        **TIMES,
    ),
    "opt_outs": contract(
        known_after_it_occurred(),
        person_id=number_id("who does not want to be written to, named or ranked"),
        **TIMES,
    ),
}  # fmt: skip

KEYS = {
    "accounts": ["account_id", "known_at"],
    "positions": ["position_id", "known_at"],
    "interactions": ["interaction_id", "to_id"],
    "spend": ["spend_id"],
    "product_use": ["use_id"],
    "owners": ["account_id", "known_at"],
    "opt_outs": ["person_id"],
}
COPIES_ALLOWED = ("interactions", "spend", "product_use")
REFERENCES = {
    "positions": ("account_id", "accounts"),
    "spend": ("account_id", "accounts"),
    "product_use": ("account_id", "accounts"),
    "owners": ("account_id", "accounts"),
}
NEVER_EMPTY = ("accounts", "spend")
