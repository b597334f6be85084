"""The page about drop-out: its cards, its tables, its verdict and what it stores.

The rules of the verdict:

    cannot rank      no provider's rate can be told from the marketplace's
    supported        rates known before a quarter order providers by the customers they kept in it
                     better than stars do (the 90 % interval of the difference is above 0)
    not supported    they do not, as far as shown
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from tierwise import evaluation, files, order_agreement
from tierwise.providers.drop_out import EARLY, TOLD
from tierwise.providers.drop_out_measured import MEASURES, SILENT_DAYS, WINDOW_DAYS, Found
from tierwise.providers.off_platform import LOOK
from tierwise.providers.satisfaction_page import named
from tierwise.report import format_value

STEP = "drop_out"
WORDS = {
    "stays": "own rhythm and mix of visits",
    "window_stays": f"no visit within {WINDOW_DAYS:.0f} days",
    "last_stays": f"last one before {SILENT_DAYS:.0f} days of silence",
    "stars": "stars",
}
RATES = {"rate": "stays", "window_rate": "window_stays", "last_rate": "last_stays"}
STORED = ["off_platform_chance", "off_platform_said"]
UNIT = "visits that are the last one, on the marketplace's mix of visits, 90 % interval"
SPOKEN_FORMATS = dict.fromkeys(("agreement", "between", "ahead_by", "ahead_between"), "number")
BIAS_FORMATS = {
    **dict.fromkeys(("mean_rate", "true_rate", "difference"), "share"),
    **dict.fromkeys(("agreement", "between"), "number"),
}


def share(value: float) -> str:
    return format_value(value, "share")


def told(found: Found) -> pd.DataFrame:
    return found.table[found.table["said"] == TOLD]


def apart(found: Found) -> tuple[int, int]:
    """Of the providers told, how many lose surely more than the marketplace, and surely fewer."""
    table = told(found)
    more = int((table["low"] > found.average).sum())
    return more, int((table["high"] < found.average).sum())


def cards(found: Found) -> list[dict[str, str]]:
    """The marketplace's rate, what a window says, providers told, and customers lost."""
    table, (more, fewer) = found.table, apart(found)
    window = float(told(found)["window_rate"].mean())
    return [
        {
            "label": "of visits are the last one",
            "value": share(found.average),
            "note": "with an average provider",
        },
        {
            "label": f"have no other within {WINDOW_DAYS:.0f} days",
            "value": share(window),
            "note": "most of these customers only come more rarely",
        },
        {
            "label": "providers of whom a rate can be told",
            "value": f"{len(told(found)):,} of {len(table):,}",
            "note": f"{more:,} surely lose more than the marketplace, {fewer:,} fewer",
        },
        {
            "label": "customers lost",
            "value": format_value(table["lost_count"].sum(), "count"),
            "note": f"of {format_value(len(found.fitted.sums.last), 'count')}, all time",
        },
    ]


def bias(found: Found, truth: pd.DataFrame | None) -> pd.DataFrame:
    """What each way to count says on average, over providers told.

    way, mean_rate, difference (from our rate), and where the truth is known: true_rate, difference
    from it instead, agreement of the order and its interval; without providers that divert
    customers, as the true rate does not count these.
    """
    table = told(found)
    if truth is not None:
        table = table.join(truth[["true_rate", "leaks"]])
        table = table[table["true_rate"].notna() & ~table["leaks"].fillna(False).astype("bool")]
    base = table["rate" if truth is None else "true_rate"].mean()
    rows = [
        {
            "way": WORDS[word],
            "mean_rate": table[name].mean(),
            "difference": table[name].mean() - base,
        }
        for name, word in RATES.items()
    ]
    shown = pd.DataFrame(rows)
    if truth is None:
        return shown
    agreed = order_agreement.compared(table, "true_rate", list(RATES))
    return shown.assign(
        true_rate=base,
        agreement=agreed["agreement"],
        between=list(zip(agreed["low"], agreed["high"], strict=True)),
    )


def shown_bias_formats(shown: pd.DataFrame) -> dict[str, str]:
    return {name: kind for name, kind in BIAS_FORMATS.items() if name in shown}


def lost(found: Found, names: pd.Series, count: int) -> pd.DataFrame:
    """Providers told with the most customers lost beyond those expected of the average one.

    Columns: provider, visits_count, lost_count, expected_count, beyond_count, rate, between.
    """
    table = told(found)
    beyond = table["lost_count"] - table["expected_lost_count"]
    table = table.assign(beyond=beyond).sort_values("beyond", ascending=False, kind="stable")
    table = table.head(count)
    return pd.DataFrame(
        {
            "provider": named(table.index, names),
            "visits_count": table["visit_count"].to_numpy(),
            "lost": table["lost_count"].to_numpy(),
            "expected": table["expected_lost_count"].to_numpy(),
            "beyond": table["beyond"].to_numpy(),
            "rate": table["rate"].to_numpy(),
            "between": list(zip(table["low"], table["high"], strict=True)),
        }
    )


LOST_FORMATS = {
    **dict.fromkeys(("visits_count", "lost", "expected", "beyond"), "count"),
    **dict.fromkeys(("rate", "between"), "share"),
}


def suspects(found: Found, names: pd.Series, count: int) -> pd.DataFrame:
    """The highest chances to divert customers, with what they rest on.

    Columns: provider, bound_visits_count, vanished, expected, chance, answer.
    """
    table = found.table.sort_values("off_platform_chance", ascending=False, kind="stable")
    table = table.head(count)
    return pd.DataFrame(
        {
            "provider": named(table.index, names),
            "visits_by_pleased_or_regular": table["bound_visits_count"].to_numpy(),
            "vanished": table["vanished_count"].to_numpy(),
            "expected": table["expected_vanished_count"].to_numpy(),
            "chance": table["off_platform_chance"].to_numpy(),
            "answer": table["off_platform_said"].to_numpy(),
        }
    )


SUSPECT_FORMATS = {
    **dict.fromkeys(("visits_by_pleased_or_regular", "vanished", "expected"), "count"),
    "chance": "share",
}


def flagged(found: Found) -> pd.Series:
    return found.table["off_platform_said"] == LOOK


def pleasing(found: Found) -> pd.DataFrame:
    """Satisfaction in spreads and drop-out rate of providers of whom the rate can be told."""
    quality = found.pleased.quality
    table = told(found)[["rate"]].join(quality.providers["quality"] / (quality.quality_sd or 1.0))
    return table.dropna()


def suspicion(found: Found, figures: Mapping[str, float]) -> str:
    """What is said of diverted customers, and where the truth is known, how well."""
    count = int(flagged(found).sum())
    if not found.off.told_apart:
        first = "Nothing shows that pleased customers vanish anywhere more than they should."
    else:
        first = (
            f"{count:,} providers lose pleased and regular customers in a way that quality does "
            "not explain. Look at them; it is no proof."
        )
    if not figures:
        return first
    right, leaking = figures["right_count"], figures["leaking_count"]
    return first + (
        f" In this simulated marketplace it is known who diverts customers: {right:,.0f} of the "
        f"{count:,} do, and {leaking - right:,.0f} of {leaking:,.0f} were not found."
    )


def compared(rows: pd.DataFrame, target: str = "kept_beyond") -> pd.DataFrame:
    """MEASURES against what was kept, as from order_agreement.compared."""
    return order_agreement.compared(rows, target, MEASURES, "quarter")


def spoken(table: pd.DataFrame) -> pd.DataFrame:
    """Measures by their words; the first line is not compared with itself."""
    other = table.index > 0
    ahead = [table[name].where(other) for name in ("ahead", "ahead_low", "ahead_high")]
    return pd.DataFrame(
        {
            "ordered_by": table["measure"].map(WORDS),
            "agreement": table["agreement"],
            "between": list(zip(table["low"], table["high"], strict=True)),
            "ahead_by": ahead[0],
            "ahead_between": list(zip(ahead[1], ahead[2], strict=True)),
        }
    )


def judgement(found: Found, versus: pd.DataFrame) -> tuple[str, str]:
    """Kind of verdict and a sentence, by the rules at the head of this module."""
    table, (more, fewer) = told(found), apart(found)
    if more + fewer == 0:
        return "cannot rank", (
            f"Of {len(found.table):,} providers none loses surely more or fewer customers than the "
            f"marketplace, {share(found.average)} of visits: show no order."
        )
    low, high = np.quantile(table["rate"], [0.1, 0.9])
    line = versus.set_index("measure").loc["stars"]
    own = versus.set_index("measure").loc["stays", "agreement"]
    sentence = (
        f"{share(found.average)} of visits are the customer's last; eight of ten providers lie "
        f"between {share(low)} and {share(high)}. Known before a quarter, these rates agree with "
        f"the customers kept in it at {own:.2f}, stars at {line['agreement']:.2f}: ahead by "
        f"{line['ahead']:.2f} ({line['ahead_low']:.2f} to {line['ahead_high']:.2f})."
    )
    return ("supported" if line["ahead_low"] > 0 else "not supported"), sentence


def save(application: str, found: Found) -> None:
    """models/<application>/drop_out.parquet: provider_id, the columns of drop_out_rates.rates,
    off_platform_chance, off_platform_said."""
    extra = [name for name in found.off.providers if name not in STORED]
    table = found.table.drop(columns=[*extra, "window_rate", "last_rate"])
    table = table.rename_axis("provider_id").reset_index()
    files.write_parquet(files.models_path(application, f"{STEP}.parquet"), table)


def save_metrics(
    about: dict[str, Any],
    found: Found,
    versus: pd.DataFrame,
    ways: pd.DataFrame,
    figures: Mapping[str, float],
) -> None:
    """metrics/<application>/drop_out.json. versus: against what was kept; ways: from `bias`;
    figures: of `drop_out_measured.caught`."""
    kind, sentence = judgement(found, versus)
    more, fewer = apart(found)
    parameters = found.fitted.parameters
    told_of = about | {
        "verdict": kind,
        "sentence": sentence,
        "providers_count": len(found.table),
        "told_count": len(told(found)),
        "early_count": int((found.table["said"] == EARLY).sum()),
        "surely_more_count": more,
        "surely_fewer_count": fewer,
        "average_rate": found.average,
        "lost_count": float(found.table["lost_count"].sum()),
        "spread_log_odds": parameters.spread,
        "rhythm": {"r": parameters.rhythm.r, "alpha_days": parameters.rhythm.alpha_days},
        "ways_to_count": ways.to_dict("records"),
        "next_quarter": versus.to_dict("records"),
        "off_platform": {
            "told_apart": found.off.told_apart,
            "likelihood_ratio": found.off.likelihood_ratio,
            "diverting_share": found.off.diverting_share,
            "extra_share": found.off.extra_share,
            "flagged_count": int(flagged(found).sum()),
            "simulated_truth": dict(figures) | precision_interval(figures),
        },
    }
    files.write_json(files.metrics_path(about["application"], STEP), told_of)


def precision_interval(figures: Mapping[str, float]) -> dict[str, list[float]]:
    """Wilson's 95 % interval of the precision; {} where nobody knows or nobody was flagged."""
    if not figures or not figures["flagged_count"]:
        return {}
    ends = evaluation.wilson(int(figures["right_count"]), int(figures["flagged_count"]), 0.95)
    return {"precision_interval": list(ends)}
