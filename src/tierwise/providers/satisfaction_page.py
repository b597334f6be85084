"""The page about satisfaction: its cards, its tables, its verdict and what it stores.

The rules of the verdict:

    cannot rank      providers do not differ beyond luck in what customers do after their visits
    supported        satisfaction known before a quarter orders providers by the customers they kept
                     in it better than stars do (the 90 % interval of the difference is above 0)
    not supported    it does not, as far as shown
"""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tierwise import files, order_agreement
from tierwise.accounts import Tables
from tierwise.providers import next_quarter, satisfaction_measured, visits
from tierwise.providers.satisfaction import EARLY, NOTHING, TOLD
from tierwise.providers.satisfaction_measured import Asked, Measured
from tierwise.report import format_value

STEP = "satisfaction"
WORDS = {
    "quality": "satisfaction, each against itself",
    "raw_mean": "mean score of all visits",
    "stars": "stars",
    "visit_count": "number of visits",
    "favourite": "saved as a favourite",
    "unfavourite": "no longer a favourite",
    "tip": "tip",
    "good_review": "five stars with a text",
    "five_stars": "five stars",
    "low_rating": "three stars or fewer",
    "complaint": "complaint",
    "black_list": "black-listed",
    "rebooked_same": "booked the same one again",
    "rebooked_other": "booked another one",
    "cancelled": "cancelled the next booking",
}
MEASURES = ["quality", "raw_mean", "stars", "visit_count"]
TRUE_MEASURES = MEASURES[:3]
FORMATS = dict.fromkeys(("agreement", "low", "high", "ahead", "ahead_low", "ahead_high"), "number")
WEIGHT_FORMATS = {"odds_of_return": "number", "between": "number"}
MOVED_FORMATS = dict.fromkeys(("customers_elsewhere", "quality", "between"), "number")
SPOKEN_FORMATS = dict.fromkeys(
    ("agreement", "between", "satisfaction_is_ahead_by", "ahead_between"), "number"
)
UNIT = "satisfaction, in standard deviations between providers, 90 % interval"
REASONS = {
    TOLD: "enough visits by customers who know others, too",
    EARLY: "fewer than 15 such visits, as far as they tell",
    NOTHING: "no customer of theirs knows anybody else",
}


def cards(found: Measured) -> list[dict[str, str]]:
    """Visits scored, those that can be compared, providers told, and the spread between them."""
    table, jobs = found.quality.providers, found.jobs
    told = table[table["said"] == TOLD]
    connected = int(table["connected_count"].sum())
    return [
        {
            "label": "visits with all they led to",
            "value": format_value(int(table["visit_count"].sum()), "count"),
            "note": f"of {len(jobs):,} known; the youngest are still open, the oldest left out",
        },
        {
            "label": "by customers who know several providers",
            "value": format_value(connected / table["visit_count"].sum(), "share"),
            "note": "the others can't be compared with themselves",
        },
        {
            "label": "providers of whom something can be said",
            "value": f"{len(told):,} of {len(table):,}",
            "note": f"{(table['said'] == EARLY).sum():,} are too early to say",
        },
        {
            "label": "how well these are known",
            "value": format_value(known_share(found), "share"),
            "note": "of what differs between providers, on average; the rest is luck",
        },
    ]


def known_share(found: Measured) -> float:
    """Reliability: mean share of the true variance that is known, over providers told."""
    table = found.quality.providers
    told = table[table["said"] == TOLD]
    if told.empty or not found.quality.quality_sd > 0:
        return 0.0
    return float((1 - (told["sd"] / found.quality.quality_sd) ** 2).mean())


def shown_weights(found: Measured) -> pd.DataFrame:
    """action, seen_share (of visits), log_odds, between, weight, source; heaviest first."""
    table = found.weights
    settled = found.jobs["settled"].sum()
    shown = pd.DataFrame(
        {
            "action": [WORDS.get(name, name) for name in table.index],
            "visits_count": table["count"].to_numpy("int64"),
            "odds_of_return": np.exp(table["log_odds"].to_numpy()),
            "between": list(zip(np.exp(table["low"]), np.exp(table["high"]), strict=True)),
            "weight": table["weight"].to_numpy(),
            "source": table["source"].to_numpy(),
        }
    )
    shown.insert(2, "seen_share", shown["visits_count"] / max(int(settled), 1))
    return shown.sort_values("weight", ascending=False, kind="stable", ignore_index=True)


def said(found: Measured) -> pd.DataFrame:
    """How many providers, visits and islands there are of each kind of answer."""
    table = found.quality.providers
    groups = table.groupby("said").agg(
        providers_count=("said", "size"),
        visits_count=("visit_count", "sum"),
        connected_visits_count=("connected_count", "sum"),
        islands_count=("island", "nunique"),
    )
    order = [name for name in REASONS if name in groups.index]
    groups = groups.loc[order].rename_axis("answer").reset_index()
    return groups.assign(because=groups["answer"].map(REASONS))


def elsewhere(found: Measured) -> pd.Series:
    """How generous each provider's customers are: their mean score at others, by provider.

    In standard deviations between providers, the average one is 0; weighted by visits.
    """
    jobs = found.jobs[found.jobs["settled"]]
    whole = jobs.groupby("customer")["score"].agg(["sum", "count"])
    pairs = jobs.groupby(["customer", "provider"])["score"].agg(["sum", "count"]).reset_index()
    own = whole.loc[pairs["customer"]].reset_index(drop=True)
    others = own["count"] - pairs["count"]
    mean = ((own["sum"] - pairs["sum"]) / others.where(others > 0)).rename("mean")
    weighed = pairs.assign(total=mean * pairs["count"], weight=pairs["count"].where(mean.notna()))
    sums = weighed.groupby("provider")[["total", "weight"]].sum()
    level = sums["total"] / sums["weight"].where(sums["weight"] > 0)
    return ((level - level.mean()) / level.std()).rename("customers_elsewhere")


def places(found: Measured) -> pd.DataFrame:
    """Providers told: place_by_mean, place, customers_elsewhere, quality and ends in spreads.

    Index provider; place 1 is the best. change: how many places the mean flatters by.
    """
    table = found.quality.providers.join(elsewhere(found))
    table = table[table["said"] == TOLD]
    spread = found.quality.quality_sd or 1.0
    scaled = table[["quality", "low", "high"]] / spread
    mean = table["raw_mean"].rank(ascending=False, method="first").astype("int64")
    own = table["quality"].rank(ascending=False, method="first").astype("int64")
    columns = {"place_by_mean": mean, "place": own, "change": own - mean}
    return scaled.assign(**columns, customers_elsewhere=table["customers_elsewhere"])


def moved(found: Measured, names: pd.Series, count: int) -> pd.DataFrame:
    """Whom the plain mean flatters most, then whom it wrongs most, by name."""
    table = places(found).sort_values("change", kind="stable")
    half = max(count // 2, 1)
    table = pd.concat([table.tail(half).iloc[::-1], table.head(half)])
    shown = pd.DataFrame({"provider": named(table.index, names)})
    for name in ("customers_elsewhere", "place_by_mean", "place", "quality"):
        shown[name] = table[name].to_numpy()
    return shown.assign(between=list(zip(table["low"], table["high"], strict=True)))


def named(providers: pd.Index, names: pd.Series) -> list[str]:
    """Public name and number: two providers may have one name."""
    return [f"{names.get(one, 'provider')} ({one})" for one in providers]


def past(tables: Tables, start: pd.Timestamp, asked: Asked) -> pd.DataFrame:
    """MEASURES by provider, as they were known on that day."""
    found = satisfaction_measured.measured(tables, start, asked).quality.providers
    given = satisfaction_measured.stars(tables, start, asked.lookback_days)
    return found[["quality", "raw_mean", "visit_count"]].join(given["stars"])


def foretold(
    tables: Tables, found: Measured, until: pd.Timestamp, asked: Asked, count: int
) -> pd.DataFrame:
    """The latest quarters that can be judged, as from next_quarter.followed, with MEASURES."""
    starts = next_quarter.quarters(found.jobs, until, count)
    return next_quarter.followed(found.jobs, starts, lambda start: past(tables, start, asked))


def compared(rows: pd.DataFrame, target: str = "kept_beyond") -> pd.DataFrame:
    """MEASURES against what was kept, as from order_agreement.compared."""
    return order_agreement.compared(rows, target, MEASURES, "quarter")


def true_quality(folder: Path | None, since: pd.Timestamp, until: pd.Timestamp) -> pd.Series | None:
    """Mean true quality by provider over the quarters in between; None where nobody knows it."""
    if folder is None:
        return None
    rows = files.read_parquet(folder / "quality.parquet")
    day = visits.day_number(rows["quarter"])
    inside = (day >= visits.day_number(since) - 92) & (day < visits.day_number(until))
    return rows[inside].groupby(rows["provider_id"].rename("provider"))["quality"].mean()


def against_truth(found: Measured, stars: pd.DataFrame, truth: pd.Series | None) -> pd.DataFrame:
    """TRUE_MEASURES against the true quality of providers told; no rows where nobody knows it."""
    if truth is None:
        return pd.DataFrame(columns=["measure", *FORMATS])
    table = found.quality.providers.join(stars["stars"]).assign(truth=truth)
    return order_agreement.compared(table[table["said"] == TOLD], "truth", TRUE_MEASURES)


def spoken(table: pd.DataFrame) -> pd.DataFrame:
    """Measures by their words, ends in pairs; the first line is ahead of itself by nothing."""
    ahead = table["ahead"].where(table.index > 0)
    return pd.DataFrame(
        {
            "ordered_by": table["measure"].map(WORDS),
            "agreement": table["agreement"],
            "between": list(zip(table["low"], table["high"], strict=True)),
            "satisfaction_is_ahead_by": ahead,
            "ahead_between": list(
                zip(table["ahead_low"].where(table.index > 0), table["ahead_high"], strict=True)
            ),
        }
    )


def judgement(found: Measured, versus: pd.DataFrame) -> tuple[str, str]:
    """Kind of verdict and a sentence, by the rules at the head of this module."""
    table = found.quality.providers
    told = f"{(table['said'] == TOLD).sum():,} of {len(table):,} providers"
    if not found.quality.told_apart:
        return "cannot rank", (
            f"What customers do after visits does not tell the {len(table):,} providers apart "
            "beyond luck: show no order."
        )
    line = versus.set_index("measure")
    own, stars = line.loc["quality", "agreement"], line.loc["stars"]
    first = (
        f"Known before a quarter, satisfaction agrees with the customers kept in it at {own:.2f}, "
        f"stars at {stars['agreement']:.2f}: ahead by {stars['ahead']:.2f} "
        f"({stars['ahead_low']:.2f} to {stars['ahead_high']:.2f}). "
    )
    enough = f"There are visits enough to say something of {told}."
    if stars["ahead_low"] > 0:
        return "supported", first + enough
    return "not supported", first + f"That is no more than luck may bring. {enough}"


def truth_sentence(versus: pd.DataFrame) -> str:
    """What the simulated truth says, or that nobody knows it."""
    if versus.empty:
        return "Nobody knows the true quality of these providers; only the quarters above judge."
    line = versus.set_index("measure")
    parts = [f"{WORDS[name]} {line.loc[name, 'agreement']:.2f}" for name in TRUE_MEASURES]
    return (
        "These providers are simulated, so that their true quality is known. Agreement of the "
        f"order with it: {'; '.join(parts)}."
    )


def save(application: str, found: Measured) -> None:
    """models/<application>/satisfaction.parquet: provider_id and the columns of Quality."""
    table = found.quality.providers.rename_axis("provider_id").reset_index()
    files.write_parquet(files.models_path(application, f"{STEP}.parquet"), table)


def save_metrics(
    about: dict[str, Any],
    found: Measured,
    versus: pd.DataFrame,
    plainly: pd.DataFrame,
    true: pd.DataFrame,
) -> None:
    """metrics/<application>/satisfaction.json. versus, plainly: against what was kept, with and
    without regard to visit numbers and segments; true: against the simulated truth."""
    kind, sentence = judgement(found, versus)
    table = found.quality.providers
    told = about | {
        "verdict": kind,
        "sentence": sentence,
        "providers_count": len(table),
        "told_count": int((table["said"] == TOLD).sum()),
        "early_count": int((table["said"] == EARLY).sum()),
        "connected_share": float(table["connected_count"].sum() / table["visit_count"].sum()),
        "islands_count": int(table["island"].nunique()),
        "known_share": known_share(found),
        "likelihood_ratio": found.quality.likelihood_ratio,
        "weights": found.weights.reset_index().to_dict("records"),
        "next_quarter": versus.to_dict("records"),
        "next_quarter_all_visits": plainly.to_dict("records"),
        "simulated_truth": true.to_dict("records"),
    }
    files.write_json(files.metrics_path(about["application"], STEP), told)
