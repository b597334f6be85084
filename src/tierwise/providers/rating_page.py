"""The page about ratings: its cards, its verdict and its words.

The rules of the verdict:

    cannot rank      providers' stars do not differ beyond luck (the ICC's interval holds 0)
    not supported    half of the providers have too few ratings for a reliability of 0.7; or of two
                     visits, stars tell the one that ended badly in fewer than 6 of 10 cases; or
                     they don't go with the answers of customers who were asked by lot
    supported        none of these
"""

from typing import Any

import numpy as np
import pandas as pd

from tierwise import files
from tierwise.providers import rating_agreement, rating_audit, rating_response
from tierwise.providers.rating_agreement import WANTED, Reliability
from tierwise.providers.rating_audit import LEAST_RELIABILITY
from tierwise.providers.rating_words import ratings_needed, share
from tierwise.report import format_value

LEAST_AUC = 0.6
FIGURE_FORMATS = {"share": "share", "interval": "share"}
PRIVATE_FORMATS = {"points": "number", "between": "number"}
ODDS_FORMATS = {"odds": "number", "between": "number"}
TELLING_FORMATS = {"auc": "number", "between": "number"}
NEEDED_FORMATS = {f"ratings_for_{one:.0%}": "count" for one in WANTED}


def cards(rows: pd.DataFrame, found: pd.DataFrame, reliable: Reliability) -> list[dict[str, str]]:
    """Response, five stars, the bounds of the truth, ratings needed."""
    by_name = found.set_index("name")
    response, top = by_name.loc["rated"], by_name.loc["five stars"]
    low, high = rating_audit.bounds(response["share"], top["share"])
    return [
        {
            "label": "visits that are rated",
            "value": share(response["share"]),
            "interval": share(response["interval"]),
            "note": f"{len(rows):,} visits",
        },
        {
            "label": "five stars, of ratings",
            "value": share(top["share"]),
            "interval": share(top["interval"]),
        },
        {
            "label": "five-star visits in truth",
            "value": f"{low:.0%} – {high:.0%}",
            "note": "silence may hide anything",
        },
        {
            "label": f"ratings for a reliability of {WANTED[0]:.0%}",
            "value": ratings_needed(reliable),
            "note": f"half of the providers have fewer than {reliable.yearly_count:,.0f} a year",
        },
    ]


def judgement(
    found: pd.DataFrame, reliable: Reliability, agreed: pd.DataFrame, told: pd.DataFrame
) -> tuple[str, str]:
    """Kind of verdict and a sentence, by the rules at the head of this module."""
    by_name = found.set_index("name")["share"]
    response, top = by_name["rated"], by_name["five stars"]
    low, high = rating_audit.bounds(response, top)
    first = (
        f"{response:.0%} of visits are rated and {top:.0%} of ratings have five stars, so that "
        f"anything from {low:.0%} to {high:.0%} of visits may have deserved them."
    )
    against = reasons(reliable, agreed, told)
    if reliable.icc.low <= 0:
        words = f"{first} Providers' stars do not differ beyond luck. {' '.join(against)}"
        return "cannot rank", words.strip()
    if against:
        return "not supported", f"{first} {' '.join(against)}"
    return "supported", f"{first} {in_favour(reliable)}"


def in_favour(reliable: Reliability) -> str:
    return (
        f"Even so, stars are reliable at {reliable.of_median:.0%} for half of the providers, and "
        "go with what customers do and with what they answer when asked by lot."
    )


def reasons(reliable: Reliability, agreed: pd.DataFrame, told: pd.DataFrame) -> list[str]:
    """Sentences on why stars should not be relied on, none where they may be."""
    against = []
    if reliable.of_median < LEAST_RELIABILITY:
        against.append(
            f"It takes {ratings_needed(reliable)} ratings for a reliability of "
            f"{LEAST_RELIABILITY:.0%}; half of {reliable.providers_count:,} providers have "
            f"{reliable.median_count:,.0f} or fewer."
        )
    if len(told) and told["auc"].max() < LEAST_AUC:
        gone = told.iloc[0]
        against.append(
            f"Stars do not tell visits that ended badly: where {gone['words']}, "
            f"{gone['five_star_share']:.0%} of the raters had given five stars."
        )
    answers = agreed[agreed["signal"] == "points"]
    if len(answers) and answers["low"].iloc[0] <= 0:
        against.append(
            "Providers with more stars do not have happier customers when these are asked by lot "
            f"(correlation {answers['same_time'].iloc[0]:.2f})."
        )
    return against


def shown_odds(response: rating_response.Response) -> pd.DataFrame:
    """feature, odds, between, rated_with, rated_without."""
    table = response.table
    columns = {"of_the_visit": table["words"], "odds": table["odds_ratio"]}
    columns |= {"between": pairs(table)}
    columns |= {"rated_with_share": table["with_share"]}
    return pd.DataFrame(columns | {"rated_without_share": table["without_share"]})


def shown_filled(top: pd.DataFrame, stars: pd.DataFrame) -> pd.DataFrame:
    """way, five_stars and between (shares), mean_stars, rests_on, all as text.

    top, stars: `rating_response.filled` of both measures.
    """
    columns = {"way": top["way"], "five_stars": spoken(top["value"], "share")}
    columns["between"] = spoken(pairs(top), "share")
    stars = stars.set_index("way").reindex(top["way"])
    columns["mean_stars"] = [
        f"{value:.2f}" if np.isfinite(value) else f"{low:.2f} – {high:.2f}"
        for value, (low, high) in zip(stars["value"], pairs(stars), strict=True)
    ]
    return pd.DataFrame(columns | {"rests_on": top["rests_on"]})


def spoken(values: Any, kind: str) -> list[str]:
    return [format_value(value, kind) for value in values]


def shown_telling(table: pd.DataFrame) -> pd.DataFrame:
    """event, events_count, auc, between, five_star_share, silent_share."""
    columns = {"event": table["words"], "seen_count": table["events_count"], "auc": table["auc"]}
    columns |= {"between": pairs(table)}
    columns |= {"five_stars_all_the_same_share": table["five_star_share"]}
    return pd.DataFrame(columns | {"not_rated_share": table["silent_share"]})


def shown_changes(table: pd.DataFrame) -> pd.DataFrame:
    """change, figure, before, after, shift, between, as far without a change, said; as text."""
    kinds = ["number" if name == "points" else "share" for name in table["measure"]]
    columns: dict[str, Any] = {"change": table["change"], "figure": table["words"]}
    for name in ("before", "after", "shift"):
        columns[name] = [format_value(*one) for one in zip(table[name], kinds, strict=True)]
    both = zip(pairs(table), kinds, strict=True)
    columns["between"] = [format_value(ends, kind) for ends, kind in both]
    larger, of = table["placebos_larger_count"], table["placebos_count"]
    alone = [f"{one} of {all_of}" for one, all_of in zip(larger, of, strict=True)]
    return pd.DataFrame(columns | {"as_far_without_a_change": alone, "said": table["said"]})


def pairs(table: pd.DataFrame) -> list[list[float]]:
    return table[["low", "high"]].to_numpy("float64").tolist()


def save_metrics(about: dict[str, Any], parts: dict[str, Any]) -> None:
    """metrics/<application>/rating_audit.json.

    parts: figures, reliability, agreement, telling, filled, mean_stars, needed, private, hidden,
    response, by_provider, changes.
    """
    reliable: Reliability = parts["reliability"]
    kind, sentence = judgement(parts["figures"], reliable, parts["agreement"], parts["telling"])
    by_name = parts["figures"].set_index("name")["share"]
    told = about | {
        "entity": "provider",
        "verdict": kind,
        "sentence": sentence,
        "bounds": rating_audit.bounds(by_name["rated"], by_name["five stars"]),
        "reliability": {
            "icc": reliable.icc.single,
            "icc_interval": [reliable.icc.low, reliable.icc.high],
            "needed": dict(zip(map(str, WANTED), reliable.needed, strict=True)),
            "split_half": reliable.halves,
            "stepped_up": reliable.stepped_up,
            "median_count": reliable.median_count,
            "of_median": reliable.of_median,
            "enough_share": reliable.enough_share,
        },
    }
    tables = (
        *("figures", "agreement", "telling", "filled", "mean_stars", "needed", "private"),
        "changes",
    )
    told |= {name: parts[name].to_dict("records") for name in tables}
    told |= {"hidden": parts["hidden"], "response": parts["response"].table.to_dict("records")}
    apart, pairs_count = rating_agreement.told_apart(parts["by_provider"])
    told |= {"told_apart_share": apart, "pairs_count": pairs_count}
    files.write_json(files.metrics_path(about["application"], "rating_audit"), told)
