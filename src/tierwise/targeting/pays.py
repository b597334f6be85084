"""Does treating pay? What it brings beyond what would have come anyway, less what it costs.

    value     of one outcome to us, whoever brought it about (margin)
    reward    paid for every outcome of the treated, also for those that would have come anyway
    cost      of treating one person, whatever comes of it (the message itself)

So treating pays if value x (outcomes of the treated - of the control) is above
reward x outcomes of the treated + cost: a reward for everybody is paid for few. Money is booked row
by row, and the difference between the arms is that of `effects.difference`, interval and all.
"""

from typing import Any

import numpy as np

from tierwise.clustered import Figure
from tierwise.files import InputError
from tierwise.targeting import effects
from tierwise.targeting.effects import LEVEL

PER_COUNT = 1000


def pays(
    outcome: np.ndarray,
    treated: np.ndarray,
    value_eur: float | np.ndarray,
    reward_eur: float | np.ndarray = 0.0,
    cost_eur: float | np.ndarray = 0.0,
    cluster: np.ndarray | None = None,
    control_reward_eur: float | np.ndarray = 0.0,
    level: float = LEVEL,
) -> dict[str, Any]:
    """All per 1,000 treated, each a dict of value, low, high; and whether it pays.

    outcome: outcomes of each row, shape (n,), 0 and 1 or counts; money is a number, or one per row.
    control_reward_eur: paid for an outcome of the control, where a programme rewards them too.

    incremental_count   outcomes beyond what would have come anyway
    outcomes_count      all outcomes of the treated
    value_eur           of the incremental outcomes
    reward_eur          paid more than without treating
    cost_eur            of treating, a number
    net_eur             value less reward less cost
    highest_reward_eur  the reward at which net is 0 (a number or NaN), all else equal
    verdict             pays, loses, or can't tell, by the interval of net
    """
    y, w = effects.checked(outcome, treated)
    price = np.where(w, reward_eur, control_reward_eur)
    if np.any(np.asarray(price) < 0) or np.any(np.asarray(cost_eur) < 0):
        raise InputError("Rewards and costs are amounts paid, 0 or more; give them without a sign.")
    spent = np.where(w, np.asarray(cost_eur, dtype="float64"), 0.0)
    booked = {
        "incremental_count": y,
        "value_eur": y * value_eur,
        "reward_eur": y * price,
        "net_eur": y * value_eur - y * price - spent,
    }
    figures = {name: effects.difference(money, w, cluster, level) for name, money in booked.items()}
    mean = float(y[w].mean())
    found: dict[str, Any] = {name: per_many(figure) for name, figure in figures.items()}
    found |= {"outcomes_count": PER_COUNT * mean, "cost_eur": PER_COUNT * float(spent[w].mean())}
    found |= {"treated_count": int(w.sum()), "control_count": int((~w).sum()), "level": level}
    found["highest_reward_eur"] = break_even(figures, float(spent[w].mean()), y, w, price)
    return found | {"verdict": verdict(found["net_eur"])}


def per_many(figure: Figure) -> dict[str, float]:
    ends = {"value": figure.value, "low": figure.low, "high": figure.high}
    return {name: PER_COUNT * end for name, end in ends.items()}


def break_even(
    figures: dict[str, Figure],
    cost_eur: float,
    outcome: np.ndarray,
    treated: np.ndarray,
    price: np.ndarray,
) -> float:
    """(value - cost + what the control is paid) / outcomes of the treated; NaN without any."""
    mean = float(outcome[treated].mean())
    control = float((outcome * price)[~treated].mean())
    return (figures["value_eur"].value - cost_eur + control) / mean if mean > 0 else float("nan")


def verdict(net: dict[str, float]) -> str:
    if net["low"] > 0:
        return "pays"
    return "loses" if net["high"] < 0 else "can't tell"
