"""A text model, trained once, and customers whose judged texts are made by hand."""

from functools import cache

import pandas as pd

from small_customers import shoppers
from tierwise.customers import event_catalogue, loud_critics, points, sentiment

START = pd.Timestamp("2024-01-01")  # a Monday
UNTIL = pd.Timestamp("2025-01-01")
RULE = loud_critics.rules({"least_texts": 8})


@cache
def model() -> sentiment.Model:
    return sentiment.trained(sentiment.to_learn_from())


def texts(person_id, pattern, weeks=None):
    """Judged texts of one person, one a week: - negative, + not, ? not judged."""
    weeks = range(len(pattern)) if weeks is None else weeks
    chance = {"-": 0.9, "+": 0.1, "?": float("nan")}
    rows = [
        (f"m{person_id}_{at}", person_id, START + pd.Timedelta(weeks=week, hours=at), "en",
         f"text {at}", week, chance[mark], mark == "-")
        for at, (mark, week) in enumerate(zip(pattern, weeks, strict=True))
    ]  # fmt: skip
    names = ["message_id", "person_id", "occurred_at", "language", "text", "week", "chance"]
    return pd.DataFrame(rows, columns=[*names, "negative"])


def people(ids, may_contact=True):
    return pd.DataFrame({"person_id": ids, "known_at": START, "may_contact": may_contact})


def ruled(*parts, top=(1,), rule=RULE, who=None):
    """`loud_critics.ruled` of these texts and 60 others who are mostly content; `top` have points
    enough to be among the most active."""
    others = [texts(n, "+" * 9 + ("-" if n % 2 else "+")) for n in range(100, 160)]
    rows = pd.concat([*parts, *others], ignore_index=True)
    ids = sorted(rows["person_id"].unique())
    earned = pd.Series(1.0, index=pd.Index(sorted({*ids, *top}), name="person_id"))
    earned[list(top)] = 50.0
    return loud_critics.ruled(rows, people(ids) if who is None else who, earned, UNTIL, rule)


def step(result, person_id):
    return result.people.set_index("person_id")["step"][person_id]


@cache
def world(seed, critics_share):
    """Tables, truth and midnight of the last day of customers who are more active than usual."""
    tables, truth = shoppers(seed, people_count=700, activity_factor=4.0,
                             critics_share=critics_share)  # fmt: skip
    return tables, truth, tables["customer_events"]["known_at"].max().floor("D")


@cache
def found(seed=0, critics_share=0.08):
    tables, _, as_of = world(seed, critics_share)
    rules = {"visit": 1, "search": 1, "save": 3, "purchase": 10, "message_sent": 2}
    events = {
        name: {"name": name, "points": earned, "half_life_days": 60}
        for name, earned in rules.items()
    }
    catalogue = event_catalogue.parsed({"events": events})
    book = points.built(catalogue, tables["customer_events"], as_of)
    earned = points.scores(book, as_of).set_index("person_id")["points"]
    rule = loud_critics.rules({"least_texts": 12, "lookback_days": 730.0, "top_share": 0.3})
    return loud_critics.found(model(), tables, earned, as_of, rule)
