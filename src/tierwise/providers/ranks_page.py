"""What the page of ranks says, and the table that it leaves for the card of each provider."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import norm

from tierwise import files
from tierwise.providers import drop_out, drop_out_rates, visits
from tierwise.providers import ranks as ra
from tierwise.providers.rank_promises import RANK, SCORE
from tierwise.providers.rank_quarters import Quarter
from tierwise.providers.satisfaction import EARLY, NOTHING, TOLD
from tierwise.report import format_value
from tierwise.shrinkage import LEVEL

STEP = "provider_ranks"
MOST_CHANGED_SHARE = 0.08  # of ranks in a quarter in which no provider changed
STARS = "star mean"
AT = "agreement"
OUR_OWN = (SCORE, RANK, "satisfaction alone")
REASONS = ("reason", "cut", "chance_before", "chance_now", *ra.PARTS)
NEXT_FORMATS = {"agreement": "number", "low": "number", "high": "number", "ahead": "number"} | {
    "ahead_low": "number",
    "ahead_high": "number",
}


def names_of(names: Sequence[str]) -> dict[int, str]:
    """Names of the ranks of params.yaml by number, with that of no rank."""
    return dict(enumerate(("too early to say", *names)))


def table(
    quarters: Sequence[Quarter],
    figures: Sequence[pd.DataFrame],
    said: pd.DataFrame,
    projected: pd.Series,
) -> pd.DataFrame:
    """provider_ranks.parquet: one row per provider and quarter, by quarter, then provider_id.

    figures: public ones of each quarter; said: as from rank_promises.measures, for the stars;
    projected: ranks at the next quarter, of the latest one only.
    """
    parts = [part(one, public) for one, public in zip(quarters, figures, strict=True)]
    parts[-1]["projected_rank"] = projected.reindex(parts[-1].index).astype("float64")
    whole = pd.concat(parts).rename_axis("provider_id").reset_index()
    stars = said.rename_axis("provider_id").reset_index()
    stars = stars[["provider_id", "quarter", "stars_mean", "ratings_count"]]
    whole = whole.merge(stars, on=["provider_id", "quarter"], how="left")
    whole["ratings_count"] = whole["ratings_count"].fillna(0).astype("int64")
    first = ["provider_id", "quarter"]
    return whole[[*first, *(name for name in whole if name not in first)]]


def part(one: Quarter, public: pd.DataFrame) -> pd.DataFrame:
    """The rows of one quarter, index provider."""
    rows = one.ranks.rename(columns={"mean": "score"})
    rows.insert(0, "quarter", one.seen.as_of)
    rows["projected_rank"] = np.nan
    reasons = one.why.reindex(rows.index, columns=list(REASONS))
    rows = rows.join(reasons.astype(dict.fromkeys(REASONS[1:], "float64")))
    rows["reason"] = rows["reason"].astype("object").where(rows["reason"].notna(), "")
    return rows.join(public).join(of_satisfaction(one)).join(of_drop_out(one))


def of_satisfaction(one: Quarter, level: float = LEVEL) -> pd.DataFrame:
    """satisfaction with its interval, older visits faded, and whether it may be told."""
    estimates = ra.estimated(one.evidence, one.part.prior)
    wide = norm.ppf((1 + level) / 2) * estimates["sd"]
    visits_count = estimates["effective_visits"]
    told = np.select([visits_count >= ra.LEAST_VISITS, visits_count > 0], [TOLD, EARLY], NOTHING)
    return pd.DataFrame(
        {
            "satisfaction": estimates["mean"],
            "satisfaction_low": estimates["mean"] - wide,
            "satisfaction_high": estimates["mean"] + wide,
            "satisfaction_said": told,
        }
    )


def of_drop_out(one: Quarter) -> pd.DataFrame:
    """drop_out_share with its interval, from all visits known then, and whether it may be told."""
    fitted = drop_out.fit(one.seen.jobs, visits.day_number(one.seen.as_of))
    rates = drop_out_rates.rates(fitted).reindex(one.ranks.index)
    names = {"rate": "share", "low": "low", "high": "high", "said": "said"}
    found = rates[list(names)].rename(columns=names).add_prefix("drop_out_")
    return found.assign(drop_out_said=found["drop_out_said"].fillna(EARLY))


def spread(quarters: Sequence[Quarter], names: Mapping[int, str]) -> pd.DataFrame:
    """Providers of each rank by quarter: quarter, then a column per name, the lowest rank first."""
    rows = [
        {"quarter": one.seen.as_of}
        | {name: int((one.ranks["rank"] == rank).sum()) for rank, name in names.items()}
        for one in quarters
    ]
    return pd.DataFrame(rows)


def moves(changed: pd.DataFrame, quarters: Sequence[Quarter]) -> pd.DataFrame:
    """Changes of rank by quarter, with how many went up, down, and why, the commonest first."""
    rows = []
    for one in quarters[1:]:
        why = one.why[(one.why["rank"] != ra.NEW) & (one.why["rank_before"] != ra.NEW)]
        counts = why["reason"].value_counts()
        up = int((why["rank"] > why["rank_before"]).sum())
        told = ", ".join(f"{reason} {count}" for reason, count in counts.items())
        rows.append({"up_count": up, "down_count": len(why) - up, "why": told})
    return changed.reset_index(drop=True).join(pd.DataFrame(rows))


def weights(quarters: Sequence[Quarter]) -> pd.DataFrame:
    """What each action is worth this year: action, count, weight, low, high, source."""
    table = quarters[-1].year.weights.reset_index()
    table["action"] = table["action"].str.replace("_", " ")
    return table[["action", "count", "weight", "low", "high", "source"]]


def choices(quarters: Sequence[Quarter]) -> pd.DataFrame:
    """One row per year: year_from, cuts, what ranks, and how that was chosen."""
    years = {one.year.start: one.year for one in quarters}
    return pd.DataFrame(
        {
            "year_from": start,
            "score": "satisfaction and staying" if year.choice.ratio else "satisfaction alone",
            "ratio": year.choice.ratio,
            "gain": year.choice.gain,
            "gain_low": year.choice.low,
            "gain_high": year.choice.high,
            "cuts": ", ".join(f"{cut:.2f}" for cut in year.rules.cuts),
        }
        for start, year in years.items()
    )


def shown(whole: pd.DataFrame, names: Mapping[int, str], called: pd.Series, count: int = 8) -> Any:
    """The latest quarter for readers, so many of the best and of the lowest with a rank.

    provider, name, rank, chance (of the rank by score), effective_visits, before, next (projected),
    held_by.
    """
    latest = whole[(whole["quarter"] == whole["quarter"].max()) & (whole["rank"] != ra.NEW)]
    latest = latest.sort_values(["rank", "score"], ascending=False, kind="stable")
    rows = latest if len(latest) <= 2 * count else pd.concat([latest[:count], latest[-count:]])
    chance = [row[f"chance_{int(row['merit_rank'])}"] for _, row in rows.iterrows()]
    return pd.DataFrame(
        {
            "provider": rows["provider_id"].astype("str").array,
            "name": rows["provider_id"].map(called).fillna("").array,
            "rank": rows["rank"].map(names).array,
            "chance": chance,
            "effective_visits": rows["effective_visits"].round().astype("int64").array,
            "before": rows["rank_before"].map(names).array,
            "next": rows["projected_rank"].map(names).fillna("").array,
            "held_by": rows["held_by"].array,
        }
    )


def public_names(tables: Mapping[str, pd.DataFrame], until: pd.Timestamp) -> pd.Series:
    """The latest public name of each provider, by provider_id."""
    versions = visits.once(tables["providers"], ["provider_id", "known_at"], until)
    return versions.drop_duplicates("provider_id", keep="last").set_index("provider_id")["name"]


def true_quality(folder: str | None) -> pd.DataFrame | None:
    """The table `quality` of a simulated marketplace, None where nobody knows the truth."""
    if folder is None:
        return None
    return files.read_parquet(files.project_root() / folder / "quality.parquet")


def cards(quarters: Sequence[Quarter], changed: pd.DataFrame, at_rest: float) -> list[dict]:
    """Providers ranked today, evidence, and how still ranks stand."""
    last = quarters[-1].ranks
    told = last[last["rank"] != ra.NEW]
    moved = changed["changed_count"].sum() / max(changed["ranked_count"].sum(), 1)
    return [
        {
            "label": "providers with a rank",
            "value": f"{len(told):,} of {len(last):,}",
            "note": "the others have too few visits by customers who know another provider",
        },
        {
            "label": "effective visits behind a rank",
            "value": format_value(told["effective_visits"].median(), "count"),
            "note": "half of the ranked have more",
        },
        {
            "label": "ranks that change in a quarter",
            "value": format_value(moved, "share"),
            "note": f"{format_value(at_rest, 'share')} would if no provider changed",
        },
        {
            "label": "held down by a gate",
            "value": format_value(int((last["held_by"] != "").sum()), "count"),
        },
    ]


def judgement(
    quarters: Sequence[Quarter], rates: pd.DataFrame, trends: pd.DataFrame, against: pd.DataFrame
) -> tuple[str, str]:
    """Kind of verdict, and a sentence: do ranks foretell who keeps its customers, and better?"""
    if not quarters[-1].part.quality.told_apart:
        return "cannot rank", (
            "What customers do after visits differs no more between providers than chance allows. "
            "Ranks would follow the dice."
        )
    low, high = rates["returned_share"].iloc[0], rates["returned_share"].iloc[-1]
    trend = trends.set_index("outcome").loc["returned"]
    lines = against.set_index("measure")
    rules = lines.drop(list(OUR_OWN))
    beaten = [name for name in rules.index if rules.loc[name, "ahead_low"] > 0]
    equal = [name for name in rules.index if name not in beaten]
    told = (
        f"In the quarter after, customers returned in time from {format_value(low, 'share')} of "
        f"the visits to the lowest rank and from {format_value(high, 'share')} to the highest; "
        f"odds are {trend['odds_ratio']:.2f} times those of the rank below ({trend['low']:.2f} to "
        f"{trend['high']:.2f}). The order by score agrees with that at {lines.loc[SCORE, AT]:z.2f} "
        "(rank correlation), "
    )
    told += ", ".join(f"{name} at {rules.loc[name, AT]:z.2f}" for name in rules.index)
    told += f". Beyond doubt better than {listed(beaten)}" if beaten else ". Better than no rule"
    told += f"; as good as {listed(equal)}, as far as shown." if equal else "."
    good = trend["low"] > 1 and STARS in beaten
    return ("supported" if good else "not supported"), told


def listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def save(application: str, whole: pd.DataFrame) -> None:
    """models/<application>/provider_ranks.parquet, which the card of a provider reads."""
    files.write_parquet(files.models_path(application, f"{STEP}.parquet"), whole)


def save_metrics(
    about: dict[str, Any],
    verdict: tuple[str, str],
    quarters: Sequence[Quarter],
    at_rest: float,
    found: Mapping[str, pd.DataFrame],
    names: Mapping[int, str],
) -> None:
    """metrics/<application>/provider_ranks.json. found: tables of the page by name; names: of the
    ranks."""
    last = quarters[-1].ranks["rank"]
    told = about | {"verdict": verdict[0], "sentence": verdict[1]}
    told |= {
        "quarters": [f"{one.seen.as_of:%Y-%m-%d}" for one in quarters],
        "providers_count": len(last),
        "ranked_count": int((last != ra.NEW).sum()),
        "changed_at_rest_share": at_rest,
        "most_changed_at_rest_share": MOST_CHANGED_SHARE,
        "least_effective_visits": quarters[-1].year.rules.least_visits,
        "rank_names": [names[rank] for rank in sorted(names)],
    }
    told |= {name: stamped(rows).to_dict("records") for name, rows in found.items()}
    files.write_json(files.metrics_path(about["application"], STEP), told)


def stamped(rows: pd.DataFrame) -> pd.DataFrame:
    """With times as dates of text."""
    times = rows.select_dtypes("datetime").columns
    return rows.assign(**{name: rows[name].dt.strftime("%Y-%m-%d") for name in times})
