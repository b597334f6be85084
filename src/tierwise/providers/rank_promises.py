"""Do ranks keep their promise? Judged on the quarter after, by visits that no rank had seen.

    returned     the customer returned to the marketplace within its own gap, see rhythm.py
    complaint    it complained within the window
    favourite    it saved the provider within the window

Intervals draw or add up whole providers, since visits to one provider share its luck. Whoever had
no rank at the start of the quarter is left out: nothing was promised of it.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from scipy.stats import norm

from tierwise import clustered, order_agreement
from tierwise.accounts import Tables
from tierwise.files import InputError
from tierwise.providers import badges, score_parts, visits, visits_seen
from tierwise.providers import ranks as ra
from tierwise.providers.rank_quarters import Quarter
from tierwise.providers.visits_seen import Seen
from tierwise.shrinkage import LEVEL

OUTCOMES = {"returned": "returned", "complaint": "complaints", "favourite": "favourites"}
LEAST_VISITS = 10  # of a provider in a quarter, before its share is compared
LEAST_CLOSED = 0.8  # share of a quarter's visits whose customers had time to return
LATER_EFFECTIVE = 3.0  # effective visits of a later quarter taken alone
SCORE, RANK, ALONE = "our score", "our rank", "satisfaction alone"
MEASURES = (SCORE, RANK, ALONE, *badges.ORDERS)
TRUTHS = ("true quality", "true staying")
TRUTH_COLUMNS = (
    "measure",
    "agreement",
    "low",
    "high",
    "ahead",
    "ahead_low",
    "ahead_high",
    "target",
)


def after(start: pd.Timestamp) -> pd.Timestamp:
    """The first day of the next quarter."""
    return (start.to_period("Q") + 1).start_time.as_unit("us")


def served(quarters: Sequence[Quarter], last: Seen, stretch: float) -> pd.DataFrame:
    """Visits of the quarters that can be judged: quarter, provider, customer, rank, OUTCOMES.

    last: all that is known today. A quarter is judged where LEAST_CLOSED of its visits have a known
    end, since the quick to return are known first. Raises InputError where there is none.
    """
    parts = []
    for one in quarters:
        start = one.seen.as_of
        rows = visits_seen.outcomes(last, start, after(start), one.year.rhythm, stretch)
        rows = rows.assign(quarter=start, rank=rows["provider"].map(one.ranks["rank"]).fillna(0))
        closed = rows["returned"].notna().mean() if len(rows) else 0.0
        if closed >= LEAST_CLOSED and visits.day_number(after(start)) <= visits.day_number(
            last.as_of
        ):
            parts.append(rows[rows["rank"] != ra.NEW])
    if not parts or not sum(map(len, parts)):
        raise InputError(
            f"None of {len(quarters)} quarters with ranks can be judged before "
            f"{last.as_of:%Y-%m-%d}: customers need time to return. Wait, or fetch again."
        )
    return pd.concat(parts, ignore_index=True).astype({"rank": "int64"})


def by_rank(rows: pd.DataFrame, names: Mapping[int, str]) -> pd.DataFrame:
    """One row per rank, the lowest first: rank, name, providers_count (one in two quarters counts
    twice), visits_count, and for each outcome its _share, _low, _high, by provider."""
    found = []
    for rank, name in sorted(names.items()):
        if rank == ra.NEW:
            continue
        inside = (rows["rank"] == rank).to_numpy()
        who = rows.loc[inside, ["provider", "quarter"]].drop_duplicates()
        line = {"rank": rank, "name": name, "providers_count": len(who)}
        line["visits_count"] = int(inside.sum())
        for outcome, told in OUTCOMES.items():
            known = inside & rows[outcome].notna().to_numpy()
            share = clustered.share(rows[outcome].fillna(0), known, rows["provider"].to_numpy())
            line |= {
                f"{told}_share": share.value, f"{told}_low": share.low, f"{told}_high": share.high
            }  # fmt: skip
        found.append(line)
    return pd.DataFrame(found)


def trends(rows: pd.DataFrame, level: float = LEVEL) -> pd.DataFrame:
    """outcome, odds_ratio per rank with low and high by provider; visits_count. NaN where all
    visits with a known outcome ended alike."""
    found = []
    for outcome, told in OUTCOMES.items():
        known = rows[rows[outcome].notna()]
        line = {"outcome": told, "visits_count": len(known)}
        ends = [np.nan] * 3
        if known[outcome].nunique() == 2 and known["rank"].nunique() > 1:
            x = np.column_stack([np.ones(len(known)), known["rank"]])
            fit = clustered.logistic(x, known[outcome].to_numpy(), known["provider"].to_numpy())
            wide = float(norm.ppf((1 + level) / 2) * np.sqrt(fit.covariance[1, 1]))
            ends = list(np.exp(fit.log_odds[1] + np.array([0.0, -wide, wide])))
        found.append(line | dict(zip(("odds_ratio", "low", "high"), ends, strict=True)))
    return pd.DataFrame(found)


def measures(
    tables: Tables, quarters: Sequence[Quarter], question: Mapping[str, float]
) -> pd.DataFrame:
    """What each measure said at the start of each quarter: index provider; quarter, MEASURES, and
    the columns of badges.levels. Only providers with a rank.

    What a rule does not know of a provider (no rating yet) is in its middle. SCORE and the rules
    look at the same visits, known by then.
    """
    parts = []
    for one in quarters:
        seen = one.seen
        levels = badges.levels(
            tables, seen.bookings, seen.as_of, seen.providers, question["late_tolerance_minutes"]
        )
        came = visits_seen.returned(seen, one.year.rhythm, question["stretch"])
        levels["return_share"] = badges.return_shares(came, seen.jobs["provider"], seen.providers)
        own = ra.estimated(one.evidence, one.part.prior)["mean"]
        said = pd.DataFrame(
            {SCORE: one.estimates["mean"], RANK: one.ranks["rank"].astype("float64"), ALONE: own}
        )
        for name, column in badges.ORDERS.items():
            said[name] = levels[column].fillna(levels[column].median()).fillna(0.0)
        said = said.assign(quarter=seen.as_of).join(levels)
        parts.append(said[one.ranks["rank"].reindex(said.index) != ra.NEW])
    return pd.concat(parts).rename_axis("provider")


def against_next(said: pd.DataFrame, rows: pd.DataFrame) -> pd.DataFrame:
    """Rank correlation of each measure with the next quarter's share of visits that customers
    returned from, and how far SCORE is ahead, see order_agreement.compared."""
    known = rows[rows["returned"].notna()]
    share = known.groupby(["provider", "quarter"])["returned"].agg(["mean", "size"])
    share = share.loc[share["size"] >= LEAST_VISITS, "mean"].rename("returned_share")
    return order_agreement.compared(
        said.join(share, on=["provider", "quarter"]), "returned_share", list(MEASURES), "quarter"
    )


def against_truth(said: pd.DataFrame, quality: pd.DataFrame) -> pd.DataFrame:
    """The same with what is true (known of simulated providers alone) in the quarter that follows.

    quality: provider_id, quarter, quality, drop_out_share. target: one of TRUTHS, the quality of
    the service, or how few customers stop, which has other causes too.
    """
    true = quality.set_index(["provider_id", "quarter"])
    true = pd.DataFrame({TRUTHS[0]: true["quality"], TRUTHS[1]: -true["drop_out_share"]})
    true.index.names = ["provider", "quarter"]
    rows = said.join(true, on=["provider", "quarter"])
    return pd.concat(
        [
            order_agreement.compared(rows, target, list(MEASURES), "quarter").assign(target=target)
            for target in TRUTHS
        ],
        ignore_index=True,
    )


def against_known(said: pd.DataFrame, quality: pd.DataFrame | None) -> pd.DataFrame:
    """against_truth, or its columns without a row where nobody knows the truth."""
    if quality is None:
        return pd.DataFrame(columns=[*TRUTH_COLUMNS])
    return against_truth(said, quality)


def by_target(true: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Rows of `against_truth` by target, in order."""
    return dict(iter(true.groupby("target", sort=False)))


def kept_order(quarters: Sequence[Quarter], last: Seen) -> pd.DataFrame:
    """Is the order of today that of later quarters? One row per distance in quarters.

    quarters_later (1: the quarter that begins that morning), pairs_count, agreement of the rank
    with low and high, and that of the score (score_agreement). The later quarter is estimated from
    its own visits alone, so that no visit stands on both sides.
    """
    estimates = {one.seen.as_of: alone(one, last) for one in quarters}
    found = []
    for distance in range(1, len(quarters) + 1):
        parts = []
        for one in quarters:
            later = one.seen.as_of + pd.DateOffset(months=3 * (distance - 1))
            if later not in estimates:
                continue
            said = pd.DataFrame({RANK: one.ranks["rank"], SCORE: one.estimates["mean"]})
            said = said[said[RANK] != ra.NEW].astype("float64").assign(quarter=one.seen.as_of)
            parts.append(said.join(estimates[later].rename("later"), how="inner"))
        rows = pd.concat(parts).rename_axis("provider")
        if rows.index.nunique() < order_agreement.LEAST_PROVIDERS:
            break
        both = order_agreement.compared(rows, "later", [RANK, SCORE], "quarter")
        first, second = both.iloc[0], both.iloc[1]
        found.append(
            {
                "quarters_later": distance,
                "pairs_count": len(rows),
                **{name: first[name] for name in ("agreement", "low", "high")},
                "score_agreement": second["agreement"],
            }
        )
    return pd.DataFrame(found)


def alone(one: Quarter, last: Seen) -> pd.Series:
    """Satisfaction by provider from the visits of the quarter that begins at one's morning."""
    scored = visits_seen.scored(last, one.year.weights)
    start, end = (visits.day_number(day) for day in (one.seen.as_of, after(one.seen.as_of)))
    inside = scored[(scored["at_days"] >= start) & (scored["at_days"] < end)]
    try:
        part = score_parts.satisfied(inside, one.seen.providers)
    except InputError:  # nobody was with two providers in this quarter so far
        return pd.Series(dtype="float64")
    enough = part.evidence["effective_visits"] >= LATER_EFFECTIVE
    return part.evidence.loc[enough, "value"]
