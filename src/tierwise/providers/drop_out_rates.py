"""Each provider's drop-out rate on the marketplace's own mix of visits, with interval, counts."""

import numpy as np
import pandas as pd
from scipy.special import expit

from tierwise.providers import drop_out as model
from tierwise.providers.drop_out import EARLY, LEAST_VISITS, TOLD, Fitted, Parameters
from tierwise.shrinkage import LEVEL

RATES_COUNT = 241  # places at which the rate of the mix is worked out; it is smooth in between
EXTENT = 12.0


def rates(fitted: Fitted, level: float = LEVEL) -> pd.DataFrame:
    """One row per provider, index provider.

    rate: mean chance to stop if this provider had served all visits of the marketplace; low, high:
    interval, with what is not known of the parameters; sd. visit_count; returned_count (visits
    that were followed); lost_count (of the others, by the chance of having stopped); open_count
    (the rest); expected_lost_count (with the average provider on the same visits, "the system's");
    effective_visits (as much is known as from so many visits with a known end); said.
    """
    sums, parameters = fitted.sums, fitted.parameters
    chances, nodes = effects(fitted, parameters)
    by_node = rate_at(fitted, parameters, nodes)
    mean = (chances * by_node).sum(axis=1)
    variance = (chances * (by_node - mean[:, None]) ** 2).sum(axis=1)
    wider = np.sqrt(1 + parameter_variance(fitted, mean) / variance)
    low, high = (quantiles(chances, by_node, (1 + side * level) / 2) for side in (-1, 1))
    table = counted(fitted, chances, nodes)
    table["rate"] = mean
    table["low"] = np.maximum(mean - (mean - low) * wider, 0.0)
    table["high"] = np.minimum(mean + (high - mean) * wider, 1.0)
    table["sd"] = np.sqrt(variance) * wider
    table["effective_visits"] = effective_visits(fitted)
    table["said"] = np.where(table["effective_visits"] >= LEAST_VISITS, TOLD, EARLY)
    return table.set_axis(sums.providers)


def average_rate(fitted: Fitted) -> float:
    """The rate of a marketplace where every visit goes to a provider drawn at random."""
    nodes = fitted.parameters.spread * model.NODES[None, :]
    return float(rate_at(fitted, fitted.parameters, nodes)[0] @ model.WEIGHTS / np.sqrt(2 * np.pi))


def effects(fitted: Fitted, parameters: Parameters) -> tuple[np.ndarray, np.ndarray]:
    """Chances of u_p at fine nodes around its mode, and the nodes, (n_providers, n_nodes) each."""
    sums = fitted.sums
    start = np.zeros(len(sums.providers))
    found = model.posterior_of(sums, parameters, start)
    offsets = sums.kinds @ parameters.log_odds
    silence = model.silence_of(sums, parameters.rhythm)
    nodes = found.mode[:, None] + found.scale[:, None] * model.FINE
    variance = parameters.spread**2
    logs = np.column_stack([model.log_joint(sums, offsets, silence, u, variance) for u in nodes.T])
    chances = np.exp(logs - logs.max(axis=1, keepdims=True))
    return chances / chances.sum(axis=1, keepdims=True), nodes


def rate_at(fitted: Fitted, parameters: Parameters, u: np.ndarray) -> np.ndarray:
    """Rate of the marketplace's mix of visits at the effects u, in the shape of u."""
    offsets = fitted.sums.kinds @ parameters.log_odds
    places = np.linspace(-EXTENT, EXTENT, RATES_COUNT)
    mix = fitted.sums.kind_counts / fitted.sums.kind_counts.sum()
    mean = expit(offsets + places[:, None]) @ mix
    # Log odds of the rate are nearly a line in u, so that they can be read between places.
    between = np.interp(u.ravel(), places, np.log(mean) - np.log1p(-mean))
    return expit(between).reshape(u.shape)


def quantiles(chances: np.ndarray, by_node: np.ndarray, share: float) -> np.ndarray:
    """The rate below which this share of the chance lies; rates rise from node to node."""
    below = np.cumsum(chances, axis=1) - chances / 2
    place = np.clip((below < share).sum(axis=1), 1, below.shape[1] - 1)
    rows = np.arange(len(below))
    left, right = below[rows, place - 1], below[rows, place]
    part = np.clip((share - left) / np.maximum(right - left, 1e-300), 0, 1)
    return by_node[rows, place - 1] * (1 - part) + by_node[rows, place] * part


def parameter_variance(fitted: Fitted, mean: np.ndarray) -> np.ndarray:
    """Variance of each provider's rate from the uncertainty of the parameters (delta method)."""
    at = model.packed(fitted.parameters)
    values, vectors = np.linalg.eigh(fitted.covariance)
    total = np.zeros(len(mean))
    for value, vector in zip(values, vectors.T, strict=True):
        if value > 0:
            total += (mean_rate(fitted, at + np.sqrt(value) * vector) - mean) ** 2
    return total


def mean_rate(fitted: Fitted, at: np.ndarray) -> np.ndarray:
    parameters = model.unpacked(at)
    found = model.posterior_of(fitted.sums, parameters, np.zeros(len(fitted.sums.providers)))
    nodes = found.mode[:, None] + found.scale[:, None] * model.NODES
    return (np.exp(found.log_chance) * rate_at(fitted, parameters, nodes)).sum(axis=1)


def counted(fitted: Fitted, chances: np.ndarray, nodes: np.ndarray) -> pd.DataFrame:
    """What was counted, one row per provider code."""
    sums, width = fitted.sums, len(fitted.sums.providers)
    offsets = sums.kinds @ fitted.parameters.log_odds
    u = (chances * nodes).sum(axis=1)
    d = expit(offsets[sums.last[:, 1]] + u[sums.last[:, 0]])
    stopped = model.chance_stopped(d, model.silence_of(sums, fitted.parameters.rhythm))
    returned = np.bincount(sums.cells[:, 0], sums.cells[:, 2], minlength=width)
    last = np.bincount(sums.last[:, 0], minlength=width)
    lost = np.bincount(sums.last[:, 0], stopped, minlength=width)
    average = expit(offsets)
    expected = np.bincount(
        sums.cells[:, 0], sums.cells[:, 2] * average[sums.cells[:, 1]], minlength=width
    ) + np.bincount(sums.last[:, 0], average[sums.last[:, 1]], minlength=width)
    columns = {"visit_count": (returned + last).astype("int64")}
    columns |= {"returned_count": returned.astype("int64"), "lost_count": lost}
    return pd.DataFrame(columns | {"open_count": last - lost, "expected_lost_count": expected})


def effective_visits(fitted: Fitted) -> np.ndarray:
    """Information about u_p over that of one visit of the average mix whose end is known."""
    sums, parameters = fitted.sums, fitted.parameters
    offsets = sums.kinds @ parameters.log_odds
    silence = model.silence_of(sums, parameters.rhythm)
    mode = model.posterior_of(sums, parameters, np.zeros(len(sums.providers))).mode
    _, known, full = model.slopes(sums, offsets, silence, mode)
    returned = np.bincount(sums.cells[:, 0], sums.cells[:, 2], minlength=len(mode))
    visits = returned + np.bincount(sums.last[:, 0], minlength=len(mode))
    return np.maximum(known, 0.0) / (full / visits)
