"""Between which amounts will an account's spend lie, with so much certainty? Past windows say.

Most accounts spend nothing, so an interval from the 5 % to the 95 % quantile, cut off at 0, covers
the zeros twice over and promises less than it keeps. Here an interval begins at 0 and leaves all it
may miss above, except for accounts that will hardly spend nothing: those have two ends.

    law       chance of no spend by the logarithm of the expected spend (logistic), and the
              logarithm of what is spent, around a line of the same (normal); from past windows
    miss      the share that the law's intervals must miss to have missed 10 % in past windows,
              found on accounts that the law has not seen (conformal prediction)

Both are separate for accounts with and without a repeat order. Past windows are those whose end is
known at the cut: one as long as half of the history, and the latest one of a third of it. The
intervals hold as far as the next window resembles these.

    Chernozhukov, Wüthrich, Zhu, "Distributional conformal prediction", PNAS 118(48), 2021
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import norm
from sklearn.linear_model import LogisticRegression

from tierwise.companies import purchases as pu
from tierwise.companies import spend as sp
from tierwise.files import InputError

NOMINAL = 0.9
REPEAT, NO_REPEAT = "repeat", "no repeat"
# Fewer spenders or accounts than that in a group, and all groups share one law and one miss.
MIN_SPENDERS = 30
MIN_ACCOUNTS = 100
FLOOR_SHARE = 0.001  # of the mean: below it an expectation is as good as 0
FOLDS = 2


@dataclass(frozen=True)
class Law:
    """How spend scatters around what was expected. zero: intercept and slope of the log-odds of no
    spend by log(expected); line: intercept and slope of log(spend) of spenders; spread: its sd."""

    zero: tuple[float, float]
    line: tuple[float, float]
    spread: float


@dataclass(frozen=True)
class Scale:
    """Law and miss of each group; floor_eur: the least expected spend that is told apart from 0."""

    laws: dict[str, Law]
    misses: dict[str, float]
    nominal: float
    floor_eur: float


def past_pairs(
    orders: pd.DataFrame, cut: pd.Timestamp, question: sp.Question, candidate: str | None = None
) -> pd.DataFrame:
    """Expected and actual spend in past windows: account_id, group, expected_eur, actual_eur.

    candidate: whose expectation; where it could not be fitted then, and by default, that of the
    past cut's default. Raises InputError where no window can be judged.
    """
    known, history = pu.known_at(orders, cut), pu.history_days(orders, cut)
    found = []
    for share in (1 / 2, pu.THIRD):
        days = max(1.0, float(round(min(question.horizon_days, history * share))))
        start = pu.days_ahead(cut, -days)
        then = pu.known_at(known, start)
        if not len(then) and question.columns_at is None:
            continue
        asked = sp.Question(days, question.window_days, question.columns_at)
        found_then = sp.expected(then, start, asked)
        name = candidate if candidate in found_then.table else found_then.default
        eur = found_then.table[name]
        actual = pu.spent(known, eur.index, start, days)
        group = groups(then, start, eur.index)
        pairs = {"group": group, "expected_eur": eur.to_numpy(), "actual_eur": actual}
        told = pd.DataFrame(pairs).assign(account_id=eur.index)
        found.append(told[told["expected_eur"].notna()])
    if not found:
        raise InputError(
            f"There is no order before the windows that end on {cut:%Y-%m-%d}, so nothing tells "
            "how far off expectations are. Use a longer history."
        )
    return pd.concat(found, ignore_index=True)


def groups(known: pd.DataFrame, cut: pd.Timestamp, accounts: pd.Index) -> np.ndarray:
    """REPEAT or NO_REPEAT per account, as known at the cut."""
    frequency = pu.summary(known, cut)["frequency_count"].reindex(accounts, fill_value=0)
    return np.where(frequency > 0, REPEAT, NO_REPEAT)


def calibrated(pairs: pd.DataFrame, nominal: float = NOMINAL) -> Scale:
    """Laws and misses from past pairs (see `past_pairs`).

    The miss of a group is found across folds of accounts, so that no account is judged by a law
    that has seen it. Raises InputError where fewer than 30 accounts spent anything.
    """
    if (pairs["actual_eur"] > 0).sum() < MIN_SPENDERS:
        raise InputError(
            f"{int((pairs['actual_eur'] > 0).sum())} accounts spent anything in past windows; "
            f"intervals need {MIN_SPENDERS}. Use a longer history, or give no intervals."
        )
    floor = max(FLOOR_SHARE * float(pairs["expected_eur"].mean()), 1e-9)
    fold = fold_of(pairs["account_id"])
    scores = np.empty(len(pairs))
    for one in range(FOLDS):
        rest = pairs[fold != one]
        laws = laws_of(rest if len(rest) else pairs, floor)
        scores[fold == one] = largest_miss(pairs[fold == one], laws, floor, nominal)
    misses = {group: miss_of(scores[mask(pairs, group)], nominal) for group in (REPEAT, NO_REPEAT)}
    return Scale(laws_of(pairs, floor), misses, nominal, floor)


def fold_of(account_id: pd.Series) -> np.ndarray:
    """The fold of each account, always the same for the same id."""
    return (pd.util.hash_array(account_id.to_numpy(), categorize=False) % FOLDS).astype(int)


def mask(pairs: pd.DataFrame, group: str) -> np.ndarray:
    """The rows of a group, or all where it is too small to stand alone."""
    inside = (pairs["group"] == group).to_numpy()
    spenders = int((pairs["actual_eur"] > 0).to_numpy()[inside].sum())
    alone = inside.sum() >= MIN_ACCOUNTS and spenders >= MIN_SPENDERS
    return inside if alone else np.ones(len(pairs), dtype=bool)


def laws_of(pairs: pd.DataFrame, floor: float) -> dict[str, Law]:
    return {group: law_of(pairs[mask(pairs, group)], floor) for group in (REPEAT, NO_REPEAT)}


def law_of(pairs: pd.DataFrame, floor: float) -> Law:
    size = np.log(np.maximum(pairs["expected_eur"].to_numpy("float64"), floor))
    actual = pairs["actual_eur"].to_numpy("float64")
    spends = actual > 0
    zero = (-50.0, 0.0) if spends.all() else logistic(size, ~spends)
    paid, at = np.log(actual[spends]), size[spends]
    slope = float(np.cov(paid, at)[0, 1] / at.var(ddof=1)) if len(at) > 2 and np.ptp(at) > 0 else 0
    intercept = float(paid.mean() - slope * at.mean())
    spread = max(float(np.std(paid - intercept - slope * at)), 1e-3)
    return Law(zero, (intercept, slope), spread)


def logistic(size: np.ndarray, zero: np.ndarray) -> tuple[float, float]:
    """Intercept and slope of the log-odds."""
    if not zero.any():
        return -50.0, 0.0
    model = LogisticRegression(C=100.0).fit(size[:, None], zero)
    return float(model.intercept_[0]), float(model.coef_[0, 0])


def chance_of_zero(law: Law, expected_eur: np.ndarray, floor: float) -> np.ndarray:
    size = np.log(np.maximum(expected_eur, floor))
    return 1 / (1 + np.exp(-np.clip(law.zero[0] + law.zero[1] * size, -50, 50)))


def quantile(law: Law, expected_eur: np.ndarray, level: np.ndarray, floor: float) -> np.ndarray:
    """The amount that spend does not exceed with chance `level`: 0 up to the chance of no spend."""
    zero = chance_of_zero(law, expected_eur, floor)
    size = np.log(np.maximum(expected_eur, floor))
    inside = np.clip((level - zero) / np.maximum(1 - zero, 1e-12), 0, 1 - 1e-9)
    centre = law.line[0] + law.line[1] * size
    return np.where(inside > 0, np.exp(centre + law.spread * norm.ppf(inside)), 0.0)


def reached(law: Law, expected_eur: np.ndarray, actual: np.ndarray, floor: float) -> np.ndarray:
    """Chance of spending at most what was spent: the inverse of `quantile`."""
    zero = chance_of_zero(law, expected_eur, floor)
    size = np.log(np.maximum(expected_eur, floor))
    centre = law.line[0] + law.line[1] * size
    paid = np.log(np.where(actual > 0, actual, 1.0))
    return np.where(actual > 0, zero + (1 - zero) * norm.cdf((paid - centre) / law.spread), zero)


def has_two_ends(zero: np.ndarray, nominal: float) -> np.ndarray:
    """Of accounts whose chance of no spend is less than what may be missed below."""
    return zero < (1 - nominal) / 2


def largest_miss(
    pairs: pd.DataFrame, laws: dict[str, Law], floor: float, nominal: float
) -> np.ndarray:
    """The largest miss with which the interval still covers what was spent, per row, 0 to 1.

    Spend of 0 is covered by every interval that begins at 0.
    """
    found = np.empty(len(pairs))
    for group, law in laws.items():
        rows = (pairs["group"] == group).to_numpy()
        expected = pairs["expected_eur"].to_numpy("float64")[rows]
        actual = pairs["actual_eur"].to_numpy("float64")[rows]
        level = reached(law, expected, actual, floor)
        one = np.where(actual > 0, 1 - level, 1.0)
        both = has_two_ends(chance_of_zero(law, expected, floor), nominal)
        found[rows] = np.where(both, 2 * np.minimum(level, 1 - level), one)
    return found


def miss_of(scores: np.ndarray, nominal: float) -> float:
    """The largest miss that covers `nominal` of these and of one more like them."""
    rank = int((1 - nominal) * (len(scores) + 1) + 1e-9)
    return float(np.sort(scores)[max(rank - 1, 0)]) if rank else 0.0


def intervals(scale: Scale, expected_eur: np.ndarray, group: np.ndarray) -> pd.DataFrame:
    """Columns lower_eur and upper_eur, one row per account in the same order.

    expected_eur: by the candidate the scale was calibrated with; group: see `groups`.
    """
    expected = np.asarray(expected_eur, dtype="float64")
    lower, upper = np.zeros(len(expected)), np.zeros(len(expected))
    for name, law in scale.laws.items():
        rows, miss = np.asarray(group) == name, scale.misses[name]
        own = expected[rows]
        both = has_two_ends(chance_of_zero(law, own, scale.floor_eur), scale.nominal)
        top = 1 - np.where(both, miss / 2, miss)
        upper[rows] = quantile(law, own, top, scale.floor_eur)
        bottom = quantile(law, own, np.full(len(own), miss / 2), scale.floor_eur)
        lower[rows] = np.where(both, bottom, 0.0)
    return pd.DataFrame({"lower_eur": lower, "upper_eur": upper})
