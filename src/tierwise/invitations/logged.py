"""Sendings whose template was chosen by lot with known propensities: one row each, as arrays.

interest     what the text was fitted to, "none" where the sender declared nothing
propensity   chance by which the lot chose the template that was sent, above 0
size         recipients of the sending
wins         sign-ups that it brought
sender       whose sendings share their luck
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from tierwise.clustered import spread
from tierwise.files import InputError

NONE = "none"
COLUMNS = (
    *("person_id", "interest", "template", "propensity_share"),
    *("recipients_count", "sign_ups_count"),
)


@dataclass(frozen=True)
class Log:
    """interest, template: places in interests and templates; all arrays of shape (n,)."""

    interests: tuple[str, ...]
    templates: tuple[str, ...]
    interest: np.ndarray
    template: np.ndarray
    propensity: np.ndarray
    size: np.ndarray
    wins: np.ndarray
    sender: np.ndarray

    def __len__(self) -> int:
        return len(self.interest)


def log(
    table: pd.DataFrame,
    interests: Sequence[str] | None = None,
    templates: Sequence[str] | None = None,
) -> Log:
    """The sendings of a table with COLUMNS, rows as given; interests and templates in order of name
    unless they are given.

    Raises InputError for no rows, a name that is not among those given, a propensity that is not
    above 0 and at most 1, a sending to nobody, and a count below 0.
    """
    missing = [name for name in COLUMNS if name not in table]
    if missing or table.empty:
        what = f"lack {', '.join(missing)}" if missing else "are none"
        raise InputError(f"The sendings {what}. Give a row for each with {', '.join(COLUMNS)}.")
    checked(table, "propensity_share", "above 0 and at most 1", 0, 1)
    checked(table, "recipients_count", "above 0", 0, np.inf)
    checked(table, "sign_ups_count", "0 or more", -1e-12, np.inf)
    interest = table["interest"].astype("object").where(table["interest"].notna(), NONE)
    places = {}
    for name, values, given in (
        ("interest", interest, interests),
        ("template", table["template"].astype("object"), templates),
    ):
        names = tuple(sorted(set(values)) if given is None else given)
        places[name] = names, pd.Index(names).get_indexer(values.to_numpy())
        if (places[name][1] < 0).any():
            strange = values[places[name][1] < 0].iloc[0]
            raise InputError(f"There is no {name} {strange!r}; there are {', '.join(names)}.")
    numbers = {
        name: table[column].to_numpy("float64")
        for name, column in (
            *(("propensity", "propensity_share"), ("size", "recipients_count")),
            *(("wins", "sign_ups_count"),),
        )
    }
    return Log(
        places["interest"][0],
        places["template"][0],
        places["interest"][1],
        places["template"][1],
        **numbers,
        sender=table["person_id"].to_numpy(),
    )


def checked(table: pd.DataFrame, column: str, rule: str, above: float, most: float) -> None:
    values = table[column].to_numpy("float64")
    wrong = ~((values > above) & (values <= most))
    if wrong.any():
        raise InputError(
            f"{column} must be {rule}; sending number {int(wrong.argmax())} has "
            f"{values[wrong][0]:g}. Without it nothing can be said about another choice."
        )


def cells(log: Log, values: np.ndarray) -> np.ndarray:
    """Sum of `values` (n,) by interest and template, shape (interests, templates)."""
    shape = len(log.interests), len(log.templates)
    place = log.interest * shape[1] + log.template
    return np.bincount(place, values, minlength=shape[0] * shape[1]).reshape(shape)


def rates(wins: np.ndarray, size: np.ndarray, prior_count: float) -> np.ndarray:
    """Sign-ups per recipient by interest and template, each drawn to its template's mean.

    wins, size: shape (..., interests, templates). The mean counts as `prior_count` recipients more,
    and is itself drawn to the mean of all by as many. No rate is 0 or 1.
    """
    all_of = (-2, -1)
    overall = (wins.sum(all_of) + 0.5) / (size.sum(all_of) + 1)
    mean = template_means(wins, size, prior_count, overall)
    return (wins + prior_count * mean) / (size + prior_count)


def template_means(
    wins: np.ndarray, size: np.ndarray, prior_count: float, overall: np.ndarray
) -> np.ndarray:
    """Shape (..., 1, templates)."""
    over = np.expand_dims(overall, (-2, -1))
    total, trials = (values.sum(-2, keepdims=True) for values in (wins, size))
    return (total + prior_count * over) / (trials + prior_count)


def design_effect(log: Log) -> float:
    """How many times more the mean rate varies than if all recipients were strangers, 1 or more.

    Recipients of one sender share who asked them, so a hundred of them say less than a hundred of
    others (Kish, "Survey Sampling", 1965). Sums by sender: Liang and Zeger, Biometrika 73(1), 1986.
    """
    total = float(log.size.sum())
    rate = float(log.wins.sum()) / total
    if not 0 < rate < 1:
        return 1.0
    error = spread((log.wins - log.size * rate) / total, log.sender)
    return max(1.0, float(np.nan_to_num(error**2 / (rate * (1 - rate) / total))))


def weights(log: Log, policy: np.ndarray) -> np.ndarray:
    """How many times more often the policy would have chosen what the lot chose, shape (n,)."""
    return policy[log.interest, log.template] / log.propensity


def drawn_as_logged(log: Log) -> pd.DataFrame:
    """template, sendings_count, deviation (in standard errors).

    1 / propensity, counted where a template was sent, is 1 on average whatever the template; so the
    sum over its sendings is their number of all. Where it is not, propensities were logged wrongly,
    and every estimate with them. deviation: 0 where a template was always sent.
    """
    rows = []
    for place, name in enumerate(log.templates):
        sent = log.template == place
        counted = np.where(sent, 1 / log.propensity, 0.0)
        error = spread((counted - 1) / len(log), log.sender)
        away = float(counted.mean() - 1)
        rows.append((name, int(sent.sum()), away / error if error > 0 else 0.0))
    return pd.DataFrame(rows, columns=["template", "sendings_count", "deviation"])
