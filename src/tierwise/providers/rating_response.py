"""Who rates and who keeps silent, and how far silence can move the share of five stars.

    rated      the visit got stars within the window
    measure    of the stars of a visit, from lowest to highest: five stars (0 or 1), or the stars

What silent customers thought, nobody saw. Each way to fill the gap rests on something else:

    raters only      the silent are like the raters
    weights          ... like raters with equal visits: same complaints, lateness, number of visits.
                     Raters weigh 1 / chance to rate (Hajek; variance as in Lunceford, Davidian,
                     Statistics in Medicine 23, 2004)
    survey           ... like raters with equal visits who gave the same answer when asked by lot
    reminder         a reminder by lot moves who rates, not what anybody thought. So those who rate
                     only when reminded are seen (Imbens, Angrist, Econometrica 62(2), 1994). The
                     rest is a straight line from the ready to the reluctant (Brinch, Mogstad,
                     Wiswall, J. Polit. Econ. 125(4), 2017; on non-response: Dutz et al., NBER
                     29549, 2021)
    bounds           nothing at all (Manski, Am. Econ. Rev. 80(2), 1990): the silent may have
                     thought the worst or the best; with the reminder the narrower of both groups
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import norm

from tierwise.clustered import Figure, Logistic, difference, logistic, mean, spread, symmetric
from tierwise.files import InputError
from tierwise.shrinkage import LEVEL

LEAST_COUNT = 20  # visits with and without a feature, rated and silent, for it to take part
MOST_LATE_MINUTES, LATE_STEP_MINUTES = 120.0, 15.0
FAIR_POINTS = 7.0  # of 10: below, the chance to rate may change at another slope
WEAK_Z = 3.2  # below, a reminder moves too few to learn from: F < 10 of Staiger and Stock, 1997
WORDS = {
    "reminded": "reminded of rating, by lot",
    "complaint": "complained about the visit",
    "black_list": "black-listed the provider",
    "favourite": "saved the provider as a favourite",
    "tip": "gave a tip",
    "late": "each 15 minutes late",
    "number": "each doubling of the number of visits",
    "office": "an office, not a home",
    "chosen": "had chosen the provider",
    "amount": "each doubling of the price",
}
BOUNDS, RATERS, WEIGHTED, SURVEYED, LINE = (
    "bounds",
    "raters only",
    "silent like raters with equal visits",
    "silent like raters with equal answers in surveys",
    "line through the reminder",
)
RELUCTANT, NARROWED = "those who rate only when reminded", "bounds with the reminder"


@dataclass(frozen=True)
class Response:
    """The model of who rates. table: feature, words, odds_ratio, low, high, with_share,
    without_share (of visits that were rated; NaN for amounts). left_out: features too rare."""

    table: pd.DataFrame
    fitted: Logistic
    rows: np.ndarray
    left_out: list[str]


def features(rows: pd.DataFrame) -> pd.DataFrame:
    """Columns as WORDS, of visits as from `rating_audit.audited`."""
    late = rows["late_minutes"].clip(0, MOST_LATE_MINUTES) / LATE_STEP_MINUTES
    columns = {
        "reminded": rows["reminded"],
        "complaint": rows["complaint"],
        "black_list": rows["black_list"],
        "favourite": rows["favourite"],
        "tip": rows["tip"],
        "late": late.fillna(0.0),
        "number": np.log2(rows["number"]),
        "office": rows["segment"] == "office",
        "chosen": rows["chosen"],
        "amount": np.log2(rows["amount_eur"].clip(lower=1.0)),
    }
    return pd.DataFrame(columns).astype("float64")


def usable(table: pd.DataFrame, outcome: np.ndarray) -> list[str]:
    """Names of columns that vary and, if of 0 and 1, have LEAST_COUNT rows in each of 4 cells."""
    names = []
    for name in table:
        value = table[name].to_numpy()
        if set(np.unique(value)) <= {0.0, 1.0}:
            cells = [((value == one) & (outcome == y)).sum() for one in (0, 1) for y in (0, 1)]
            if min(cells) >= LEAST_COUNT:
                names.append(name)
        elif value.std() > 0:
            names.append(name)
    return names


def response(
    rows: pd.DataFrame, more: pd.DataFrame | None = None, level: float = LEVEL
) -> Response:
    """Logistic model of `rated` on `features` and, if given, `more` columns of numbers.

    Raises InputError where all visits are rated or none is.
    """
    table = features(rows) if more is None else features(rows).join(more)
    rated = rows["stars"].notna().to_numpy()
    names = usable(table, rated)
    centred = table[names] - table[names].mean()
    x = np.column_stack([np.ones(len(rows)), centred.to_numpy()])
    fitted = logistic(x, rated, rows["customer"].to_numpy())
    wide = norm.ppf((1 + level) / 2) * np.sqrt(np.diag(fitted.covariance))[1:]
    told = pd.DataFrame({"feature": names, "words": [WORDS.get(n, n) for n in names]})
    told["odds_ratio"] = np.exp(fitted.log_odds[1:])
    told["low"] = np.exp(fitted.log_odds[1:] - wide)
    told["high"] = np.exp(fitted.log_odds[1:] + wide)
    shares = [shares_with_and_without(table[name].to_numpy(), rated) for name in names]
    told[["with_share", "without_share"]] = np.array(shares).reshape(-1, 2)
    told = told.sort_values("odds_ratio", ascending=False, ignore_index=True)
    return Response(told, fitted, x, [name for name in table if name not in names])


def shares_with_and_without(value: np.ndarray, rated: np.ndarray) -> tuple[float, float]:
    if not set(np.unique(value)) <= {0.0, 1.0}:
        return np.nan, np.nan
    return float(rated[value == 1].mean()), float(rated[value == 0].mean())


def weighted(
    measure: np.ndarray, found: Response, cluster: np.ndarray, level: float = LEVEL
) -> Figure:
    """Mean of a measure (NaN where silent), each rater for 1 / its chance to rate.

    The interval counts that the chances themselves were learned from these visits.
    """
    rated = np.isfinite(measure)
    y, chance = np.where(rated, measure, 0.0), found.fitted.chance
    weight = rated / chance
    size = weight.sum()
    value = float(weight @ y / size)
    own = weight * (y - value) / size
    slope = -(own * (1 - chance)) @ found.rows
    influence = own + found.fitted.influence @ slope
    return symmetric(value, influence, cluster, int(rated.sum()), level)


@dataclass(frozen=True)
class Reminder:
    """What a reminder by lot tells. moved: of response; stars_moved: of the raters' measure;
    reluctant: measure of those who rate only when reminded; all: of everybody, along the line;
    low, high: bounds; balance: the largest difference of a feature between the lots, in its
    standard deviations, and balance_feature its name. NaN where the reminder moves too little."""

    moved: Figure
    stars_moved: Figure
    reluctant: Figure
    all: Figure
    low: float
    high: float
    balance: float
    balance_feature: str


def reminder(
    rows: pd.DataFrame, measure: np.ndarray, ends: tuple[float, float], level: float = LEVEL
) -> Reminder:
    """measure: NaN where silent; ends: its lowest and highest possible value.

    Raises InputError where everybody or nobody was reminded.
    """
    told = rows["reminded"].to_numpy("bool")
    if told.all() or not told.any():
        raise InputError(
            f"Of {len(told):,} visits {int(told.sum()):,} were reminded of rating. It takes both: "
            "draw lots whom to remind, and write it to `reminded`."
        )
    cluster, rated = rows["customer"].to_numpy(), np.isfinite(measure)
    sums = np.where(rated, measure, 0.0)
    p0, p1 = (mean(rated, told == lot, cluster, level) for lot in (False, True))
    a0, a1 = (mean(sums, told == lot, cluster, level) for lot in (False, True))
    t0, t1 = (mean(sums, rated & (told == lot), cluster, level) for lot in (False, True))
    moved = difference(p1, p0, cluster, level)
    weak = not moved.value > WEAK_Z * spread(moved.influence, cluster)
    low = max(one.value + ends[0] * (1 - p.value) for one, p in ((a0, p0), (a1, p1)))
    high = min(one.value + ends[1] * (1 - p.value) for one, p in ((a0, p0), (a1, p1)))
    nothing = Figure(np.nan, np.nan, np.nan, 0, np.zeros(len(rows)))
    gained = difference(a1, a0, cluster, level)
    reluctant = nothing if weak else quotient(gained, moved, cluster, level)
    everybody = nothing if weak else along_the_line(t0, t1, p0, p1, cluster, level)
    feature, balance = least_balanced(features(rows).drop(columns="reminded"), told)
    stars_moved = difference(t1, t0, cluster, level)
    return Reminder(moved, stars_moved, reluctant, everybody, low, high, balance, feature)


def quotient(above: Figure, below: Figure, cluster: np.ndarray, level: float) -> Figure:
    """above / below, by the delta method."""
    value = above.value / below.value
    influence = (above.influence - value * below.influence) / below.value
    return symmetric(value, influence, cluster, above.count, level)


def along_the_line(
    t0: Figure, t1: Figure, p0: Figure, p1: Figure, cluster: np.ndarray, level: float
) -> Figure:
    """Mean of everybody if the measure changes on a straight line with reluctance.

    The readiest share p of customers then has the mean t(p) = a + b p / 2, and all have t(1):
    t0 + (t1 - t0) (1 - p0) / (p1 - p0). By the delta method.
    """
    step, rise = p1.value - p0.value, t1.value - t0.value
    reach = (1 - p0.value) / step
    value = t0.value + rise * reach
    by_p0 = rise * (1 - p1.value) / step**2
    by_p1 = -rise * (1 - p0.value) / step**2
    influence = (1 - reach) * t0.influence + reach * t1.influence
    influence = influence + by_p0 * p0.influence + by_p1 * p1.influence
    return symmetric(value, influence, cluster, t0.count + t1.count, level)


def least_balanced(table: pd.DataFrame, told: np.ndarray) -> tuple[str, float]:
    """The feature in which the lots differ most, and by how many standard deviations."""
    spread_of = table.std(ddof=0)
    apart = ((table[told].mean() - table[~told].mean()) / spread_of.where(spread_of > 0)).abs()
    apart = apart.fillna(0.0)
    return str(apart.idxmax()), float(apart.max())


def filled(
    rows: pd.DataFrame, measure: np.ndarray, ends: tuple[float, float], level: float = LEVEL
) -> pd.DataFrame:
    """One row per way to fill the silence: way, rests_on, value, low, high.

    measure: NaN where silent, between `ends`. Bounds have no value. What was not asked or not
    drawn by lot has no row.
    """
    cluster, rated = rows["customer"].to_numpy(), np.isfinite(measure)
    sums = np.where(rated, measure, 0.0)
    worst, best = (
        mean(np.where(rated, sums, end), np.ones(len(rows), dtype="bool"), cluster, level).value
        for end in ends
    )
    lines = [line(BOUNDS, "nothing", None, [worst, best])]
    plain = mean(sums, rated, cluster, level)
    lines.append(line(RATERS, "silence says nothing at all", plain))
    model = response(rows, None, level)
    equal = weighted(measure, model, cluster, level)
    lines.append(line(WEIGHTED, "what we saw of the visit explains who rates", equal))
    lines += by_surveys(rows, measure, level)
    if rows["reminded"].nunique() == 2:
        found = reminder(rows, measure, ends, level)
        lines.append(line(NARROWED, "the reminder changes who rates only", None,
                          [found.low, found.high]))  # fmt: skip
        if np.isfinite(found.all.value):
            words = "... and never silences; tells of these customers only"
            lines.append(line(RELUCTANT, words, found.reluctant))
            lines.append(line(LINE, "... and the rest lie on a straight line", found.all))
    return pd.DataFrame(lines)


def by_surveys(rows: pd.DataFrame, measure: np.ndarray, level: float) -> list[dict[str, object]]:
    """The row with equal answers in surveys, none where too few were answered."""
    answered = rows["points"].notna().to_numpy()
    part = rows[answered].reset_index(drop=True)
    rated = part["stars"].notna()
    if min(rated.sum(), (~rated).sum()) < LEAST_COUNT or part["points"].nunique() < 2:
        return []
    answer = part[["points"]].assign(below=(FAIR_POINTS - part["points"]).clip(lower=0.0))
    model = response(part, answer, level)
    found = weighted(measure[answered], model, part["customer"].to_numpy(), level)
    words = "answers tell what somebody thought; who answers is like all"
    return [line(SURVEYED, words, found)]


def line(
    way: str, rests_on: str, found: Figure | None, ends: list[float] | None = None
) -> dict[str, object]:
    low, high = found.ends if found else (ends or [np.nan, np.nan])
    value = found.value if found else np.nan
    return {"way": way, "rests_on": rests_on, "value": value, "low": low, "high": high}
