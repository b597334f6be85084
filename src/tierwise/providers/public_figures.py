"""What may be told of a provider in public, with an interval each, and only with enough evidence.

    punctuality    minutes by which it started after the promised time: the median, and what nine
                   in ten starts stay below; share of the starts within the tolerance
    favourites     share of its customers who saved it or chose it again (saves that were taken
                   back do not count; a booking that we assigned does not either)
    complaints     share of its visits that brought a complaint within the window
    cancellations  share of its bookings that it cancelled itself, or did not come to

Shares are drawn towards those of all providers as far as their noise says (shrinkage.py). A
figure with fewer trials than LEAST_COUNT is "too early to say".
"""

import numpy as np
import pandas as pd
from scipy.stats import beta as beta_law

from tierwise.files import InputError
from tierwise.providers.satisfaction import EARLY, TOLD
from tierwise.shrinkage import LEVEL, BetaPrior, beta_prior, shrunk_shares

LEAST_COUNT = 15  # trials before a figure is shown
TAIL_SHARE = 0.9  # "nine in ten starts"
BY_PROVIDER = ("cancelled by provider", "no show")
DONE = "done"
PARTS = ("share", "low", "high")
FIGURES = ("punctual", "favourites", "complaints", "cancelled")


def share_of(
    happened: pd.Series, provider: pd.Series, providers: pd.Index, level: float = LEVEL
) -> pd.DataFrame:
    """Share, low, high, count (of trials), said per provider, index as `providers`.

    happened: bool per trial; provider: whose trial it was. With no trial at all, or trials of one
    provider alone, nobody can be compared: NaN, and too early to say.
    """
    successes, trials = counted(happened, provider, providers)
    table = pd.DataFrame(np.nan, providers, list(PARTS))
    if (trials > 0).sum() > 1:
        table[list(PARTS)] = shrunk_shares(successes, trials, level=level)[list(PARTS)].to_numpy()
    told = trials >= LEAST_COUNT
    return table.assign(count=trials, said=np.where(told, TOLD, EARLY))


def counted(
    happened: pd.Series, provider: pd.Series, providers: pd.Index
) -> tuple[np.ndarray, np.ndarray]:
    """Successes and trials of each of `providers`; those of others are left out."""
    place = providers.get_indexer(provider)
    mine = happened.to_numpy("float64")[place >= 0]
    trials = np.bincount(place[place >= 0], minlength=len(providers))
    return np.bincount(place[place >= 0], mine, minlength=len(providers)), trials


def punctual(done: pd.DataFrame, tolerance_minutes: float) -> pd.Series:
    """Whether each booking that was done began no later than so long after the promised time."""
    return done["late_minutes"] <= tolerance_minutes


def lateness(done: pd.DataFrame, providers: pd.Index) -> pd.DataFrame:
    """late_median_minutes and late_90_minutes per provider, NaN below LEAST_COUNT starts.

    Early starts have minutes below 0.
    """
    by_provider = done.groupby("provider")["late_minutes"]
    table = pd.DataFrame(
        {
            "late_median_minutes": by_provider.median(),
            "late_90_minutes": by_provider.quantile(TAIL_SHARE),
        }
    )
    return table.where(by_provider.size() >= LEAST_COUNT).reindex(providers)


def cancelled(bookings: pd.DataFrame) -> pd.DataFrame:
    """Bookings that were the provider's to keep, with `happened`: it cancelled, or did not come."""
    rows = bookings[bookings["status"].isin([DONE, *BY_PROVIDER])]
    return rows.assign(happened=rows["status"].isin(BY_PROVIDER))


def pairs_saved(
    jobs: pd.DataFrame, bookings: pd.DataFrame, favourites: pd.DataFrame
) -> pd.DataFrame:
    """Customers of each provider, with `happened`: saved it, or chose it again.

    jobs: customer, provider, booking_id; bookings: of any status, with chosen; favourites: as the
    table, known by then; the latest of a pair stands.
    """
    keys = ["customer", "provider"]
    first = jobs.drop_duplicates(keys)
    latest = favourites.sort_values("occurred_at", kind="stable")
    latest = latest.drop_duplicates(["customer_id", "provider_id"], keep="last")
    latest = latest[latest["added"].astype("bool")]
    saved = pd.MultiIndex.from_frame(latest[["customer_id", "provider_id"]])
    # Rows of `jobs` begin with the first job of a customer here; only a later one is "again".
    again = jobs[jobs.duplicated(keys)]
    chosen = bookings.loc[bookings["chosen"].astype("bool"), "booking_id"]
    chosen_again = pd.MultiIndex.from_frame(again.loc[again["booking_id"].isin(chosen), keys])
    whose = pd.MultiIndex.from_frame(first[keys])
    return first[keys].assign(happened=whose.isin(saved) | whose.isin(chosen_again))


def table(
    bookings: pd.DataFrame,
    jobs: pd.DataFrame,
    complaint: pd.Series,
    favourites: pd.DataFrame,
    providers: pd.Index,
    tolerance_minutes: float,
) -> pd.DataFrame:
    """All figures, index as `providers`: for each of FIGURES its _share, _low, _high, _count and
    _said, and the minutes of `lateness`.

    bookings and jobs of the time that counts, as from `visits`; complaint: 0 or 1 per job whose
    window is over, index within that of jobs.
    """
    done = bookings[bookings["status"] == DONE]
    kept, saved = cancelled(bookings), pairs_saved(jobs, bookings, favourites)
    complained = complaint == 1
    parts = {
        "punctual": (punctual(done, tolerance_minutes), done["provider"]),
        "favourites": (saved["happened"], saved["provider"]),
        "complaints": (complained, jobs["provider"].reindex(complained.index)),
        "cancelled": (kept["happened"], kept["provider"]),
    }
    found = [
        share_of(happened, provider, providers).add_prefix(f"{name}_")
        for name, (happened, provider) in parts.items()
    ]
    return pd.concat([*found, lateness(done, providers)], axis=1)


def chance_met(
    happened: pd.Series,
    provider: pd.Series,
    providers: pd.Index,
    least: float | None = None,
    most: float | None = None,
    prior: BetaPrior | None = None,
) -> pd.Series:
    """Chance that each provider's true share is at least `least`, or at most `most`.

    By the beta posterior of its own trials and the prior (learned from all if None). Where the
    trials are of fewer than two providers, it is 1: nobody is held back without evidence. Raises
    InputError unless exactly one of the limits is given.
    """
    if (least is None) == (most is None):
        raise InputError("A gate has either a least or a most share, not both and not neither.")
    k, n = counted(happened, provider, providers)
    if prior is None and (n > 0).sum() < 2:
        return pd.Series(1.0, providers)
    prior = prior or beta_prior(k, n)
    law = beta_law(prior.a + k, prior.b + n - k)
    return pd.Series(law.sf(least) if most is None else law.cdf(most), providers)
