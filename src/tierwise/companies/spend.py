"""How much will each account spend in the next so many days? Candidates, and which one to use.

    last_period       what it spent in the last period of that length
    last_period_grown the same times the growth of all accounts together
    own_rate          what it spent a day so far, times the days
    bg_nbd, pareto_nbd
                      expected orders (`repeat_buying`) times order value (`order_value`), from
                      orders after the first, as published
    pareto_nbd_all    the same with values of all orders, so that the first one counts too
    two_part          boosted trees: chance of any spend times spend of those who spend
    mean              of pareto_nbd_all and two_part; each makes up for what the other can't see

`two_part` learns from past cuts. Every cut looks ahead the same number of days, a third of the
history, since rows with windows of different lengths teach it lengths in place of accounts. Its
expectation is stretched to the horizon, and corrected by how far it was off in total at the last
cut that is over. Nothing here reads beyond the cut it is given.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import pandas as pd

from tierwise.companies import order_value, repeat_buying, spend_trees
from tierwise.companies import purchases as pu
from tierwise.companies.spend_measures import difference, gini
from tierwise.files import InputError

OTHER_WINDOW_SHARES = (1 / 4, 1 / 2)
# Fewer labelled rows or repeat buyers, and trees lose to Pareto/NBD (learning curve on CDNOW).
MIN_ROWS = 1000
MIN_REPEATERS = 300
MIN_SPENDERS = 30
CORRECTION_BOUNDS = (0.5, 2.0)
GROWTH_BOUNDS = (0.1, 10.0)
REPEATS = ("frequency_count", "mean_repeat_eur")
# Model of orders -> candidates, and the columns with number and mean of orders that tell the value.
BY_ORDERS = {
    "bg_nbd": {"bg_nbd": REPEATS},
    "pareto_nbd": {"pareto_nbd": REPEATS, "pareto_nbd_all": ("order_count", "mean_order_eur")},
}
ColumnsAt = Callable[[pd.Timestamp], pd.DataFrame]


@dataclass(frozen=True)
class Question:
    """Spend within horizon_days from a cut on.

    window_days: what past cuts look ahead, None for a third of the history, at most the horizon.
    columns_at: further columns (firmographics, product use) as known at a cut, index account_id;
    their accounts are scored too, with orders or without.
    """

    horizon_days: float
    window_days: float | None = None
    columns_at: ColumnsAt | None = None


@dataclass(frozen=True)
class Expected:
    """Expected spend in euros. table: index account_id, one column per candidate that could be
    fitted; default: the one to use; why_not: candidate -> why it is absent."""

    table: pd.DataFrame
    default: str
    why_not: dict[str, str] = field(default_factory=dict)

    @property
    def eur(self) -> pd.Series:
        return self.table[self.default]


def columns_of(table: pd.DataFrame) -> ColumnsAt:
    """A long table with account_id, cut and further columns, as Question.columns_at wants it."""
    by_cut = dict(iter(table.groupby("cut")))

    def at(cut: pd.Timestamp) -> pd.DataFrame:
        if cut not in by_cut:
            raise InputError(
                f"The table of further columns has no rows for the cut {cut:%Y-%m-%d}; it has "
                f"{', '.join(f'{one:%Y-%m-%d}' for one in sorted(by_cut))}. "
                "`purchases.past_cuts` tells which ones are asked for."
            )
        return by_cut[cut].drop(columns="cut").set_index("account_id")

    return at


def expected(orders: pd.DataFrame, cut: pd.Timestamp, question: Question) -> Expected:
    """All candidates at one cut. orders: `purchases.orders`; only what is known at the cut counts.

    Raises InputError where there is neither a known order nor a further column.
    """
    known = pu.known_at(orders, cut)
    seen = seen_at(known, cut, question)
    if not len(seen):
        raise InputError(
            f"No order and no account is known before {cut:%Y-%m-%d}. Choose a later day."
        )
    table = pd.DataFrame(naive(known, cut, question.horizon_days, seen), index=seen.index)
    why_not: dict[str, str] = {}
    found: dict[str, np.ndarray | None] = {}
    for model, by_orders in BY_ORDERS.items():
        count = tried(model, why_not, partial(order_counts, model, seen, question.horizon_days))
        if count is None:
            continue
        for name, valued in by_orders.items():
            found[name] = tried(name, why_not, partial(times_value, count, valued, seen))
    found["two_part"] = tried("two_part", why_not, partial(two_part, known, cut, question, seen))
    table = table.assign(**{name: eur for name, eur in found.items() if eur is not None})
    parts = [name for name in ("pareto_nbd_all", "two_part") if name in table]
    if len(parts) == 2:
        # Who never ordered is known to the trees alone: the mean of one number is that number.
        table["mean"] = table[parts].mean(axis=1)
        return Expected(table, "mean", why_not)
    return Expected(table, parts[0] if parts else "own_rate", why_not)


def tried(
    name: str, why_not: dict[str, str], candidate: Callable[[], np.ndarray]
) -> np.ndarray | None:
    """A candidate's spend; None, and a line in `why_not`, where there is too little to learn."""
    try:
        return candidate()
    except InputError as error:
        why_not[name] = str(error)
        return None


def seen_at(known: pd.DataFrame, cut: pd.Timestamp, question: Question) -> pd.DataFrame:
    """`purchases.columns` and further columns of all accounts at the cut."""
    own = pu.columns(known, cut, window_of(known, cut, question))
    return pu.joined(own, further(cut, question))


def further(cut: pd.Timestamp, question: Question) -> pd.DataFrame | None:
    return None if question.columns_at is None else question.columns_at(cut)


def window_of(known: pd.DataFrame, cut: pd.Timestamp, question: Question) -> float:
    """Whole days that past cuts look ahead, at least 1."""
    third = pu.history_days(known, cut) * pu.THIRD
    return max(1, round(min(question.horizon_days, question.window_days or third)))


def naive(
    known: pd.DataFrame, cut: pd.Timestamp, horizon_days: float, seen: pd.DataFrame
) -> dict[str, np.ndarray]:
    start = pu.days_ahead(cut, -horizon_days)
    last = pu.spent(known, seen.index, start, horizon_days)
    rate = (seen["spend_eur"] / seen["age_days"]).fillna(0).clip(lower=0).to_numpy()
    growth = grown(known, cut, horizon_days)
    return {
        "last_period": last,
        "last_period_grown": last * growth,
        "own_rate": rate * horizon_days,
    }


def grown(known: pd.DataFrame, cut: pd.Timestamp, horizon_days: float) -> float:
    """Spend of all in the last period over that of the one before; within 0.1 to 10.

    Where the history is shorter than two periods, its halves are compared.
    """
    days = min(horizon_days, pu.history_days(known, cut) / 2)
    now = pu.since(known, pu.days_ahead(cut, -days))["amount_eur"].sum()
    before = pu.since(known, pu.days_ahead(cut, -2 * days))["amount_eur"].sum() - now
    if before <= 0 or days < 1:
        return 1.0
    factor = max(float(now), 0.0) / before
    return float(np.clip(factor ** (horizon_days / days), *GROWTH_BOUNDS))


def order_counts(model: str, seen: pd.DataFrame, horizon_days: float) -> np.ndarray:
    """Expected orders; NaN for accounts that never ordered."""
    own = seen[seen["order_count"] > 0]
    x, t_x, age = (own[c].to_numpy() for c in ("frequency_count", "recency_days", "age_days"))
    fitted = repeat_buying.fit(model, x, t_x, age)
    count = repeat_buying.expected_orders(fitted, x, t_x, age, horizon_days)
    return pd.Series(count, own.index).reindex(seen.index).to_numpy()


def times_value(count: np.ndarray, valued: tuple[str, str], seen: pd.DataFrame) -> np.ndarray:
    """Times expected order value. valued: columns with number and mean of the orders it is of."""
    orders, mean_eur = (seen[column].to_numpy() for column in valued)
    there = ~np.isnan(count)
    fitted = order_value.fit(orders[there], mean_eur[there])
    if fitted.q <= 1:
        raise InputError(
            f"Order values vary so widely that they have no mean (Gamma-Gamma q is {fitted.q:.2g}, "
            "not above 1). Look for amounts in another currency, or use another candidate."
        )
    return count * order_value.expected_mean_eur(fitted, orders, mean_eur)


def labelled(
    known: pd.DataFrame, cuts: list[pd.Timestamp], window_days: float, question: Question
) -> tuple[pd.DataFrame, np.ndarray]:
    """What was seen at each past cut, and what was spent in the window after it, as known now."""
    rows, labels = [], []
    for cut in cuts:
        at_cut = pu.known_at(known, cut)
        own = pu.columns(at_cut, cut, window_days)
        rows.append(pu.joined(own, further(cut, question)))
        labels.append(pu.spent(known, rows[-1].index, cut, window_days))
    return pd.concat(rows), np.concatenate(labels)


def two_part(
    known: pd.DataFrame, cut: pd.Timestamp, question: Question, seen: pd.DataFrame
) -> np.ndarray:
    """Spend within the horizon by boosted trees. Raises InputError where rows are too few."""
    window_days = window_of(known, cut, question)
    cuts = pu.past_cuts(known, cut, window_days)
    if question.columns_at is None and (seen["frequency_count"] > 0).sum() < MIN_REPEATERS:
        raise InputError(
            f"{int((seen['frequency_count'] > 0).sum())} accounts ordered more than once; trees "
            f"need {MIN_REPEATERS}. Add columns that tell accounts apart, or wait."
        )
    rows, spend = labelled(known, cuts, window_days, question) if cuts else (seen[:0], np.empty(0))
    if len(rows) < MIN_ROWS or (spend > 0).sum() < MIN_SPENDERS:
        raise InputError(
            f"{len(rows)} labelled rows, {int((spend > 0).sum())} with spend; trees need "
            f"{MIN_ROWS} and {MIN_SPENDERS}. Use a longer history, or another candidate."
        )
    chance, amount = spend_trees.boosted(rows, spend, seen)
    stretch = question.horizon_days / window_days
    return chance * amount * stretch * correction(known, cut, window_days, question)


def correction(
    known: pd.DataFrame, cut: pd.Timestamp, window_days: float, question: Question
) -> float:
    """Actual over expected total in the last window that is over, for trees fitted before it.

    1 where the history holds no window before that one; within 0.5 to 2.
    """
    last = pu.days_ahead(cut, -window_days)
    at_last = pu.known_at(known, last)
    cuts = pu.past_cuts(at_last, last, window_days)
    if not cuts:
        return 1.0
    rows, spend = labelled(at_last, cuts, window_days, question)
    if len(rows) < MIN_ROWS / pu.CUT_COUNT or (spend > 0).sum() < MIN_SPENDERS:
        return 1.0
    seen = pu.joined(pu.columns(at_last, last, window_days), further(last, question))
    chance, amount = spend_trees.boosted(rows, spend, seen)
    actual = pu.spent(known, seen.index, last, window_days).sum()
    return float(np.clip(actual / max((chance * amount).sum(), 1e-9), *CORRECTION_BOUNDS))


def chosen_window(orders: pd.DataFrame, cut: pd.Timestamp, question: Question) -> float:
    """The window in days by a backtest: half the history as it was then, the rest as the judge.

    A third of the history stays unless another share puts accounts in a better order beyond doubt
    (95 % interval of the difference in Gini), or trees can't be fitted.
    """
    known, history = pu.known_at(orders, cut), pu.history_days(orders, cut)
    middle = pu.days_ahead(cut, -(history // 2))
    ahead = min(question.horizon_days, float(history // 2))
    then = pu.known_at(known, middle)
    past_days = pu.history_days(then, middle)
    best_share, best = pu.THIRD, None
    for share in (pu.THIRD, *OTHER_WINDOW_SHARES):
        asked = Question(ahead, max(1.0, past_days * share), question.columns_at)
        seen = seen_at(then, middle, asked)
        spend = tried("", {}, partial(two_part, then, middle, asked, seen))
        if spend is None:
            continue
        actual = pu.spent(known, seen.index, middle, ahead)
        if best is None or difference(gini, actual, spend, best)["low"] > 0:
            best_share, best = share, spend
    return float(max(1, round(min(question.horizon_days, history * best_share))))
