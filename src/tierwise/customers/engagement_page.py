"""The page about engagement: its cards, its tables and its verdict.

The rules of the verdict, among customers who had bought before:

    cannot rank      the AUC of the candidate in use can't be told from 0.5
    supported        it is ahead of recency, of event counts and of RFM, each beyond doubt (the 95 %
                     interval of the paired difference is above 0)
    not supported    it is not, as far as shown

People are numbers: no name is ever on this page.
"""

from collections.abc import Mapping

import pandas as pd

from tierwise.customers import activity_groups as ag
from tierwise.customers import engagement_judged as ej
from tierwise.customers.engagement import WORTH_DAYS
from tierwise.evaluation import reliability
from tierwise.features import window_name
from tierwise.report import format_value

NEWLY, PASSIVE = ag.GROUPS[ag.NEW], ag.GROUPS[ag.DORMANT]
SHOWN_COUNT = 15
WORDS = {
    "recency": "shortest silence first",
    "event_count": "most events ever first",
    "rfm": "RFM of purchases",
    ej.UNFADED: "points that never fade",
    ej.HAND: "points by hand",
    ej.LEARNED: "learned points",
    ej.REGRESSION: "logistic regression",
}
CARD_FORMATS = dict.fromkeys(("auc", "first_auc", "log_loss"), "number")
CARD_FORMATS |= {"calibration_error": "share"}
VERSUS_FORMATS = dict.fromkeys(("auc_ahead", "between", "loss_ahead", "loss_between"), "number")
WEIGHT_FORMATS = {"hand_points": "count", "learned_points": "number", "between": "number"}
LATER = {f"worth_{days}d": f"after_{days}_days" for days in WORTH_DAYS if days}
CATALOGUE_FORMATS = {"points": "count", "most_a_day": "count"} | dict.fromkeys(
    LATER.values(), "number"
)
LIST_FORMATS = {"points": "number"}
REPLAY_FORMATS = {"points_before": "number", "points_after": "number"}


def share(value: float) -> str:
    return format_value(value, "share")


def count(value: float) -> str:
    return format_value(value, "count")


def points(column: pd.Series) -> pd.Series:
    """To the cent, as text."""
    return column.map("{:,.2f}".format, na_action="ignore")


def cards(table: pd.DataFrame, days: float) -> list[dict[str, str]]:
    """Customers in each group today, and how many are expected to buy. table: `engagement.now`."""
    states, groups = table["state"].value_counts(), table["group"].value_counts()

    def of(*names: str) -> str:
        return ", ".join(f"{count(states.get(name, 0))} {name}" for name in names)

    chance = table[f"chance{window_name(days)}"]
    return [
        {
            "label": "newly active",
            "value": count(groups.get(NEWLY, 0)),
            "note": of(ag.NEW, ag.RETURNING),
        },
        {
            "label": "active",
            "value": count(groups.get(ag.ACTIVE, 0)),
            "note": f"of {count(len(table))} customers with any event",
        },
        {
            "label": "passive",
            "value": count(groups.get(PASSIVE, 0)),
            "note": of(ag.QUIET, ag.DORMANT),
        },
        {
            "label": f"expected to buy in {days:g} days",
            "value": count(chance.sum()),
            "note": f"{share(chance.mean())} of all",
        },
    ]


def judgement(found: ej.Judged, days: float) -> tuple[str, str]:
    """Kind of verdict and a sentence, by the rules at the head of this module."""
    again, words = found.again, WORDS[found.name]
    auc = ej.auc(again, found.name)
    low, high = ej.between(auc, again)
    told = (
        f"Among customers who had bought before, {words} put one who buys within {days:g} days "
        f"before one who does not in {share(auc.value)} of pairs ({share(low)} to {share(high)})"
    )
    if low <= 0.5:
        return "cannot rank", f"{told}; by lot it is 50 %. Use no order."
    others = [name for name in ej.SIMPLE if name != found.name]
    rules = ej.versus(found, found.name, others)
    nearest = rules.loc[rules["low"].idxmin()]
    ends = f"{nearest['low']:+.3f} to {nearest['high']:+.3f}"
    told += f"; ahead of {WORDS[nearest['candidate']]} by {nearest['ahead']:+.3f} in AUC ({ends})."
    if found.name in ej.SIMPLE:
        return "not supported", f"Points do no better than a simple rule: it is used. {told}"
    return ("supported" if nearest["low"] > 0 else "not supported"), told


def fading(found: ej.Judged) -> str:
    """What fading brings, and what learning brings, in words."""
    gains = [
        ("Points by hand order better for fading", ej.HAND, ej.UNFADED),
        ("Learned points order better than those by hand", ej.LEARNED, ej.HAND),
    ]
    sentences = []
    for words, one, other in gains:
        line = ej.versus(found, one, [other]).iloc[0]
        ends = f"{line['low']:+.3f} to {line['high']:+.3f}"
        sure = "" if line["low"] > 0 else " (not shown)" if line["high"] > 0 else " (wrong)"
        sentences.append(f"{words}{sure}: {line['ahead']:+.3f} in AUC, {ends}.")
    loss = found.designs.set_index("design")["log_loss"]
    learned = f"Learned from half-lives of {found.design_name}"
    if loss.index[0] != found.design_name:
        learned += (
            f", whose log-loss on the earlier days was {loss[found.design_name]:.3f}; with "
            f"{loss.index[0]} alone it was {loss.iloc[0]:.3f}"
        )
    return " ".join([*sentences, f"{learned}."])


def catalogue(worth: pd.DataFrame) -> pd.DataFrame:
    """The catalogue in words, and what one event is worth later. worth: `engagement.worth`."""
    table = worth.rename(columns=LATER | {"name": "event", "cap_per_day": "most_a_day"})
    later = {name: points(table[name]) for name in LATER.values()}
    table = table.assign(rules=worth["versions_count"], **later)
    return table[["event", "status", "points", "fading", "most_a_day", *LATER.values(), "rules"]]


def labels(people: pd.DataFrame) -> dict[int, str]:
    """Person numbers with their state. people: `engagement.examples`."""
    return {row.person_id: f"customer {row.person_id}, {row.state}" for row in people.itertuples()}


STATEMENT_FORMATS = {"points": "number", "balance": "number"}


def statement(rows: pd.DataFrame) -> pd.DataFrame:
    """Of `engagement.statement`, to the cent."""
    return rows.assign(points=points(rows["points"]), balance=points(rows["balance"]))


def summed(checks: Mapping[str, int]) -> str:
    """What `engagement.checked_ledgers` found, in words."""
    return (
        f"The ledgers of {count(checks['people_count'])} customers, "
        f"{count(checks['rows_count'])} rows, were added up: {count(checks['equal_count'])} give "
        "the customer's score to the cent."
    )


def to_look_at(table: pd.DataFrame, most: int = SHOWN_COUNT) -> pd.DataFrame:
    """The list of the newly active. table: `engagement.newly_active`."""
    names = [str(name) for name in table if str(name).startswith("chance_")]
    chances = {name: f"buys in {name[len('chance_') : -1]} days" for name in names}
    found = table.head(most).rename(columns=chances | {"person_id": "customer"})
    silent = found["silent_days"].where(found["state"] == ag.RETURNING).astype("Int64")
    texts = {"customer": found["customer"].astype("str"), "points": points(found["points"])}
    found = found.assign(silent_for_days=silent, **texts)
    return found[
        ["customer", "state", "since", "silent_for_days", "points", *chances.values(), "tier"]
    ]


def list_formats(shown: pd.DataFrame) -> dict[str, str]:
    return LIST_FORMATS | {str(name): "share" for name in shown if str(name).startswith("buys in ")}


def candidates(judged: Mapping[float, ej.Judged]) -> pd.DataFrame:
    """How each candidate did, by horizon: within_days, candidate, and of `engagement_judged.card`
    auc, first_auc, log_loss, calibration_error."""
    cards = [ej.card(found).assign(within_days=f"{days:g}") for days, found in judged.items()]
    shown = pd.concat(cards, ignore_index=True)
    shown = shown.assign(candidate=shown["candidate"].map(WORDS))
    return shown[["within_days", "candidate", *CARD_FORMATS]]


def ahead(versus: pd.DataFrame) -> pd.DataFrame:
    """By how much the candidate in use is ahead. versus: `engagement_judged.versus`."""
    return pd.DataFrame(
        {
            "ahead_of": versus["candidate"].map(WORDS),
            "auc_ahead": versus["ahead"],
            "between": list(zip(versus["low"], versus["high"], strict=True)),
            "loss_ahead": versus["loss_ahead"],
            "loss_between": list(zip(versus["loss_low"], versus["loss_high"], strict=True)),
        }
    )


def promised(found: ej.Judged) -> pd.DataFrame:
    """Tenths of all judged rows by chance, see evaluation.reliability."""
    chance = found.rows[ej.chance_name(found.name)].to_numpy()
    return reliability(found.rows["outcome"].to_numpy(), chance)


def weights(table: pd.DataFrame) -> pd.DataFrame:
    """What one event counts, the most first. table: `point_weights.as_shares`."""
    shown = pd.DataFrame(
        {
            "event": table["name"],
            "hand_points": table["hand"],
            "learned_points": table["learned"],
            "between": list(zip(table["low"], table["high"], strict=True)),
            "then_bought_share": table["bought_share"],
        }
    )
    if "true_share" in table:
        shown = shown.join(table[["hand_share", "learned_share"]])
        shown["simulated_true_share"] = table["true_share"]
    order = table["learned"].sort_values(ascending=False, kind="stable").index
    return shown.loc[order]


def replay_note(last: pd.DataFrame, file: str | None) -> str:
    """How much other rules would change. last: `engagement.tier_moves`; file: of the other rules,
    None for those of now."""
    rules = "the rules of now, had they always held" if file is None else f"the rules in {file}"
    moved = (last["before_tier"] != last["after_tier"]).mean()
    before, after = last["before"].sum(), last["after"].sum()
    change = f"{after / before - 1:+.1%}".replace("%", " %") if before else "no share"
    return (
        f"Against {rules}: {share(moved)} of {count(len(last))} customers would be in another tier "
        f"of points today, and all points together would change by {change}."
    )


def tier_table(last: pd.DataFrame) -> pd.DataFrame:
    """Customers by tier of points by the catalogue (down) and by the other rules (across)."""
    found = pd.crosstab(last["before_tier"], last["after_tier"])
    found = found.rename(columns=lambda name: f"then_{name}")
    return found.rename_axis("tier_now").reset_index().rename_axis(columns=None)


def movers(last: pd.DataFrame, most: int = SHOWN_COUNT) -> pd.DataFrame:
    """Who would move most places, of those who would be in another tier."""
    moved = last[last["before_tier"] != last["after_tier"]]
    places = (moved["before_place"] - moved["after_place"]).rename("places_up")
    moved = moved.assign(places_up=places, size=places.abs())
    moved = moved.sort_values(["size", "person_id"], ascending=[False, True]).head(most)
    return pd.DataFrame(
        {
            "customer": moved["person_id"].astype("str"),
            "points_before": points(moved["before"]),
            "points_after": points(moved["after"]),
            "places_up": moved["places_up"].round().astype("int64"),
            "tier_before": moved["before_tier"],
            "tier_after": moved["after_tier"],
        }
    )
