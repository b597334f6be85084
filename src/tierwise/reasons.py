"""What to tell of contributions: the reasons of a row, and effects over many rows.

A contribution is what one column of one row adds to the log-odds of its score, see
contributions.py. Several columns often tell of one thing, messages of the last 7 and of the last
30 days for instance. They form a group (see words.py) and are added up before anything is
compared; a group is a reason, told by the member that says most. All functions take contributions
as a table: one row a row of `features`, one column a column of it, on log-odds.
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import expit

from tierwise.files import InputError
from tierwise.preparation import MISSING_NUMBER, bin_edges, numbers_of
from tierwise.words import Wording, between, is_known, say, title

Wordings = Mapping[str, Wording]
LEAST_FACTOR = 1.05  # what changes the odds by less than this is no reason
PANELS_MAX_COUNT = 6
CATEGORIES_MAX_COUNT = 8


def pooled(found: pd.DataFrame, wordings: Wordings, by: str = "group") -> pd.DataFrame:
    """Contributions added up by group or family, in order of first appearance."""
    names = [getattr(wordings[column], by) for column in found]
    return found.T.groupby(names, sort=False).sum().T


def top(
    found: pd.DataFrame, features: pd.DataFrame, wordings: Wordings, count: int = 3
) -> pd.DataFrame:
    """The strongest reasons of each row, one line each, strongest first; of equals the first group.

    Columns row (index label), rank (from 1), group, family, column, value (text, "" for none),
    log_odds and odds_factor (of the group, the latter at least 1), direction (raises, lowers),
    text. The column is the member of the group that says most in its direction. A group that
    changes the odds by less than 5 % is no reason, so a row may have fewer.
    """
    groups = pooled(found, wordings)
    order = np.argsort(-np.abs(groups.to_numpy()), axis=1, kind="stable")[:, :count]
    sizes = np.take_along_axis(groups.to_numpy(), order, axis=1)
    row, rank = np.nonzero(np.abs(sizes) >= np.log(LEAST_FACTOR))
    group, size = groups.columns[order[row, rank]], sizes[row, rank]
    column = strongest(found.to_numpy()[row] * np.sign(size)[:, None], group, found, wordings)
    table = pd.DataFrame({"row": found.index[row], "rank": rank + 1, "group": group})
    table["family"] = [wordings[name].family for name in column]
    table["column"], values = column, picked(features, row, column)
    table["value"] = [exact(value) for value in values]
    table["log_odds"], table["odds_factor"] = size, np.exp(np.abs(size))
    table["direction"] = np.where(size > 0, "raises", "lowers")
    said = [say(wordings[name], value) for name, value in zip(column, values, strict=True)]
    told = zip(said, table["direction"], table["odds_factor"], strict=True)
    table["text"] = [f"{what}: {how} the odds {times(factor)}" for what, how, factor in told]
    return table


def strongest(
    signed: np.ndarray, group: pd.Index, found: pd.DataFrame, wordings: Wordings
) -> np.ndarray:
    """Per line of `signed`, shape (n_lines, n_columns), the column of `group` with the most."""
    owners = pd.Index([wordings[column].group for column in found])
    names, owner = np.unique(owners, return_inverse=True)
    outside = owner[None, :] != np.searchsorted(names, group)[:, None]
    return found.columns.to_numpy()[np.where(outside, -np.inf, signed).argmax(axis=1)]


def picked(features: pd.DataFrame, row: np.ndarray, column: np.ndarray) -> np.ndarray:
    """One value per pair of a row's place and a column's name."""
    values = np.empty(len(row), dtype=object)
    for name in np.unique(column):
        here = column == name
        values[here] = features[name].to_numpy()[row[here]]
    return values


def exact(value: Any) -> str:
    """As text for machines, with the digits that a float32 has; "" for none."""
    if not is_known(value):
        return ""
    return value if isinstance(value, str) else f"{value:.7g}"


def times(factor: float) -> str:
    return f"{factor:,.1f} times" if factor < 10 else f"{factor:,.0f} times"


def listed(reasons: pd.DataFrame, index: pd.Index, count: int = 3) -> pd.DataFrame:
    """The texts of `top` side by side: one row per label of `index`, reason_1 ... "" for none."""
    wide = reasons.pivot(index="row", columns="rank", values="text")
    wide = wide.reindex(index=index, columns=range(1, count + 1))
    return wide.astype("str").fillna("").set_axis([f"reason_{rank}" for rank in wide], axis=1)


def effects(found: pd.DataFrame, wordings: Wordings, by: str = "group") -> pd.DataFrame:
    """How far each group (or family) moves a row on average, the strongest first.

    Columns label, family, columns_count, log_odds (mean of the absolute value), odds_factor (of
    that mean). What never moves a row is left out.
    """
    sizes = pooled(found, wordings, by).abs().mean()
    own = [wordings[column] for column in found]
    labels = {getattr(wording, by): wording for wording in reversed(own)}
    counts = pd.Series([getattr(wording, by) for wording in own]).value_counts()
    table = pd.DataFrame(
        {
            "label": [labels[name].label if by == "group" else name for name in sizes.index],
            "family": [labels[name].family for name in sizes.index],
            "columns_count": counts.reindex(sizes.index).to_numpy(),
            "log_odds": sizes.to_numpy(),
            "odds_factor": np.exp(sizes.to_numpy()),
        }
    )
    kept = table[table["log_odds"] > 0]
    return kept.sort_values("log_odds", ascending=False, kind="stable", ignore_index=True)


def stability(runs: Sequence[pd.DataFrame], count: int = 3) -> pd.DataFrame:
    """Do refits give the same reasons? Each run is compared with the one before.

    runs: contributions or `pooled` ones of successive fits for the same rows. Columns refit (from
    1), rank_correlation (Spearman 1904, of the mean absolute contributions; NaN where one of the
    two never moves a row) and same_reasons_share: of rows with at least two of their `count`
    strongest groups in common (all of them where a row has but one or none).
    """
    if any(not run.index.equals(runs[0].index) for run in runs):
        raise InputError("The runs are of different rows; explain the same rows with each refit.")
    columns = list(dict.fromkeys(name for run in runs for name in run))
    same = [run.reindex(columns=columns, fill_value=0.0) for run in runs]
    rows = []
    for refit, (before, after) in enumerate(pairwise(same), start=1):
        sizes = pd.DataFrame({"before": before.abs().mean(), "after": after.abs().mean()})
        both = leaders(before.to_numpy(), count) & leaders(after.to_numpy(), count)
        most = np.maximum(*((run != 0).sum(axis=1).to_numpy() for run in (before, after)))
        enough = both.sum(axis=1) >= np.minimum(2, most)
        rank = sizes.corr("spearman").iloc[0, 1] if sizes.nunique().min() > 1 else np.nan
        rows.append((refit, float(rank), float(enough.mean()) if len(enough) else np.nan))
    return pd.DataFrame(rows, columns=["refit", "rank_correlation", "same_reasons_share"])


def leaders(values: np.ndarray, count: int) -> np.ndarray:
    """True for the `count` largest absolute values of each row that are not 0."""
    size = np.abs(values)
    order = np.argsort(-size, axis=1, kind="stable")[:, :count]
    found = np.zeros(values.shape, dtype=bool)
    np.put_along_axis(found, order, True, axis=1)
    return found & (size > 0)


def shapes(
    found: pd.DataFrame,
    features: pd.DataFrame,
    wordings: Wordings,
    panels_count: int = PANELS_MAX_COUNT,
) -> pd.DataFrame:
    """How the contribution of the strongest columns goes with their value.

    One column of each group, the strongest groups first. Columns column, title, at (a value or a
    range, in order; "not known"), log_odds (mean), rows_count.
    """
    strong, sizes = pooled(found, wordings).abs().mean(), found.abs().mean()
    groups = strong[strong > 0].sort_values(ascending=False, kind="stable").index[:panels_count]
    owner = pd.Series({column: wordings[column].group for column in found})
    tables = []
    for column in (sizes[owner == group].idxmax() for group in groups):
        table = shape(found[column], features[column], wordings[column])
        tables.append(table.assign(column=column, title=title(wordings[column])))
    order = ["column", "title", "at", "log_odds", "rows_count"]
    return pd.concat(tables, ignore_index=True)[order] if tables else pd.DataFrame(columns=order)


def shape(contribution: pd.Series, values: pd.Series, wording: Wording) -> pd.DataFrame:
    """Mean contribution and count by bins (preparation.bin_edges), or by category."""
    if numbers_of(values.to_frame()):
        place, names = binned(values, wording)
    else:
        place, names = sorted_out(values, wording)
    table = pd.DataFrame({"place": place, "log_odds": contribution.to_numpy()})
    found = table.groupby("place")["log_odds"].agg(["mean", "size"])
    ats = [names[at] for at in found.index]
    return pd.DataFrame({"at": ats, "log_odds": found["mean"], "rows_count": found["size"]})


def binned(values: pd.Series, wording: Wording) -> tuple[np.ndarray, dict[int, str]]:
    """Number of the bin of each value, and what lies in the bins: "3 – 7"."""
    filled = values.fillna(MISSING_NUMBER)
    edges = bin_edges(values)[1:-1]
    place = np.searchsorted(edges, filled.to_numpy("float64"), side="right")
    ends = values.groupby(place).agg(["min", "max"])
    return place, {at: between(wording, low, high) for at, low, high in ends.itertuples()}


def sorted_out(values: pd.Series, wording: Wording) -> tuple[np.ndarray, dict[int, str]]:
    """The most frequent categories, the others together."""
    counts = values.value_counts().sort_index().sort_values(ascending=False, kind="stable")
    names = counts.index[: CATEGORIES_MAX_COUNT - 1].tolist()
    place = values.map({name: at for at, name in enumerate(names)}).fillna(len(names))
    texts = [between(wording, name, name) for name in names]
    return place.to_numpy("int64"), dict(enumerate([*texts, "all others"]))


def headline(gap: float, base: float, count: int) -> list[dict[str, str]]:
    """Cards: how exact the sums are, and where they start."""
    return [
        {"label": "largest gap between sum and score", "value": f"{gap:.0e}", "note": "log-odds"},
        {"label": "base", "value": f"{expit(base):.1%}".replace("%", " %"), "note": "as a chance"},
        {"label": "rows explained", "value": f"{count:,}"},
    ]
