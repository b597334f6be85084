"""What build_features hands on: the rows, their columns, and the account of what was left out."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tierwise import context, files, preparation, row_weights, stretches, value_rates
from tierwise import examples as ex
from tierwise.files import InputError
from tierwise.leakage import kind_of
from tierwise.report import format_value

OPEN_SHARE = 0.10
MISSING = "(missing)"
LEFT_OUT = {
    "empty": "holds no value",
    "constant": "holds one value only",
    "tiny": f"all values lie within {preparation.LEAST_RANGE:.7f}: give them in a larger unit",
    "text": "nearly one value per row: nothing repeats that could be learned",
    "date": "a date, but the rows have no decision date to compare it with",
}
ROW_COLUMNS = ["entity_id", "as_of", "outcome", "outcome_known_at", "span"]
OWNER = "owner_id"
MOST_CASES = 1000  # drawn apart from each other


def exclusions(examples: pd.DataFrame, excluded: dict[str, int]) -> pd.DataFrame:
    """Rows left out by reason, largest first: reason, rows_count."""
    late = int((examples["span"] == "").sum())
    counts = excluded | ({"known too late for its span": late} if late else {})
    rows = sorted(counts.items(), key=lambda item: -item[1])
    if not rows:
        rows = [("none: every row is used", 0)]
    return pd.DataFrame(rows, columns=["reason", "rows_count"])


def headline(
    size: tuple[str, int], examples: pd.DataFrame, excluded: dict[str, int]
) -> list[dict[str, str]]:
    """Cards: what was read, as the application counts it; rows used; share of wins."""
    used = examples[examples["span"] != ""]
    left_out = int(exclusions(examples, excluded)["rows_count"].sum())
    first, last = ex.label(examples["as_of"].iloc[0]), ex.label(examples["as_of"].iloc[-1])
    return [
        {"label": size[0], "value": format_value(size[1], "count")},
        {
            "label": "rows used",
            "value": format_value(len(used), "count"),
            "note": f"{left_out:,} left out, {first} to {last}",
        },
        {"label": "share that won", "value": format_value(used["outcome"].mean(), "share")},
    ]


def ready(
    columns: pd.DataFrame, as_of: pd.Series, entity: pd.Series | None = None
) -> tuple[pd.DataFrame, dict[str, str]]:
    """Model-ready columns and, for each column left out, why.

    Numbers become float32 (the precision every runtime shares), dates days before the decision,
    categories text with "(missing)" for no value. Same rows, the file's column order. entity:
    whose row it is; each row is its own without it.
    """
    ready: dict[str, pd.Series] = {}
    left_out = {}
    for name in columns:
        kind = kind_of(columns[name], entity)
        if kind == "number":
            ready[name] = as_float32(columns[name])
            if 0 < ready[name].max() - ready[name].min() <= preparation.LEAST_RANGE:
                del ready[name]
                left_out[name] = LEFT_OUT["tiny"]
        elif kind == "date" and ex.is_dated(as_of):
            ready[name] = ex.days_between(columns[name], as_of)
        elif kind == "category":
            ready[name] = columns[name].astype("str").where(columns[name].notna(), MISSING)
        else:
            left_out[name] = LEFT_OUT[kind]
    return pd.DataFrame(ready, index=columns.index), left_out


def without_rare(features: pd.DataFrame, entity: pd.Series, early: pd.Series) -> pd.DataFrame:
    """Categories that fewer than 20 entities had in the early rows become `preparation.RARE`.

    Rows are not enough: a deal that is looked at twenty times would bring its own name along, into
    the model, its card and later rows of the same deal.
    """
    found = features.copy()
    for name in features:
        if not pd.api.types.is_numeric_dtype(features[name]):
            whose = entity[early].groupby(features.loc[early, name]).nunique()
            frequent = whose.index[whose >= preparation.CATEGORY_MIN_COUNT]
            found[name] = features[name].where(features[name].isin(frequent), preparation.RARE)
    return found


def as_float32(column: pd.Series) -> pd.Series:
    """float32, missing where the value is infinite or beyond 3.4e38: no model takes those."""
    with np.errstate(over="ignore"):
        return column.astype("float32").replace([np.inf, -np.inf], np.nan)


def save(application: str, examples: pd.DataFrame, features: pd.DataFrame) -> None:
    """models/<application>/examples.parquet and features.parquet, row by row alike.

    Raises InputError before writing where nothing could be learned from them.
    """
    check(examples, features)
    kept = [*ROW_COLUMNS, *([OWNER] if OWNER in examples else [])]
    files.write_parquet(files.models_path(application, "examples.parquet"), examples[kept])
    files.write_parquet(files.models_path(application, "features.parquet"), features)


def check(examples: pd.DataFrame, features: pd.DataFrame) -> None:
    """Both outcomes where something is learned, and a column that varies there."""
    for span in ("learn", "tune"):
        wins = examples.loc[examples["span"] == span, "outcome"]
        if wins.nunique() < 2:
            raise InputError(
                f"The span '{span}' has {int(wins.sum())} wins in {len(wins)} rows: it needs wins "
                "and losses. Are the rows in order of time? Change tune_share and judge_share, or "
                "wait for more outcomes."
            )
    times = [*context.NAMES, *value_rates.names(features)]
    learn = features[examples["span"] == "learn"].drop(columns=times, errors="ignore")
    if not (learn.nunique(dropna=False) > 1).any():
        raise InputError(
            "No column is left that varies: there is nothing to learn from. If the leak guard is "
            "wrong about one, let it back in through allow in params.yaml."
        )


def load(application: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The examples and their features, the same rows in as_of order."""
    examples = files.read_parquet(files.models_path(application, "examples.parquet"))
    return examples, files.read_parquet(files.models_path(application, "features.parquet"))


def unseen(
    application: str, examples: pd.DataFrame, candidate: str
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """What a candidate believed of rows that its fit had not seen: all, and those of `tune` once.

    All come in the order in which corrections take them (see `row_weights.latest_last`); those of
    `tune` in time order, by the last fit that judged them. Columns: row (position in examples),
    period, known_from (the first period that could know the outcome), outcome, score, base_rate
    (the share of wins its fit knew). Raises InputError where the span `tune` was never judged.
    """
    rolled = files.read_parquet(files.models_path(application, "rolling.parquet"))
    rolled = rolled.rename(columns={candidate: "score"})
    rolled = rolled[["row", "period", "known_from", "outcome", "score", "base_rate"]]
    tune = rolled[(examples["span"].to_numpy() == "tune")[rolled["row"]]]
    if tune["outcome"].nunique() < 2:
        raise InputError(
            f"The judged periods hold {len(tune)} rows of the span 'tune' with "
            f"{int(tune['outcome'].sum())} wins: cuts and threshold need wins and losses. Lower "
            "history_share or raise tune_share in params.yaml."
        )
    known_at = examples["outcome_known_at"].iloc[rolled["row"]]
    order = row_weights.latest_last(known_at, rolled["row"])
    return rolled.iloc[order], tune.drop_duplicates("row", keep="last", ignore_index=True)


def drawn_together(examples: pd.DataFrame) -> np.ndarray | None:
    """Who looks after each row, else its case where cases come several times, else None.

    Looks at one case share its luck as rows of one owner do. Where there are more than 1,000
    cases, each thousandth shares a label: whole cases are drawn together then, which leaves the
    spread of a figure as it is and a draw short.
    """
    if OWNER in examples and examples[OWNER].notna().any():
        return examples[OWNER].astype("str").to_numpy()
    case = pd.factorize(examples["entity_id"])[0]
    return case % MOST_CASES if len(np.unique(case)) < len(case) else None


def save_metrics(
    about: dict[str, Any],
    path: Path,
    examples: pd.DataFrame,
    excluded: dict[str, int],
    open_share: dict[str, float],
    audit: pd.DataFrame,
    left_out: dict[str, str],
    claim: pd.DataFrame,
) -> None:
    """metrics/<application>/build_features.json. about: application, entity, simulated.

    open_share: per span, see `examples.open_share`.
    """
    used = examples[examples["span"] != ""]
    refused = audit[audit["refused"]]
    kept = audit[~audit["refused"] & ~audit["column"].isin(left_out)]
    found: dict[str, Any] = {
        **about,
        "data_version": files.version(path),
        "data_until": ex.label(examples["as_of"].iloc[-1]),
        "rows_count": len(used),
        "wins_count": int(used["outcome"].sum()),
        "excluded": exclusions(examples, excluded).to_dict("records"),
        "spans": stretches.span_table(examples).to_dict("records"),
        "open_share": open_share,
        "quarantined": records(refused, ["column", "why", "by", "auc_in_period"], why="reason"),
        "columns": records(kept, ["column", "kind", "distinct_count", "missing_share"]),
        "left_out": [{"column": name, "reason": why} for name, why in left_out.items()],
        "claimed_auc": claim.to_dict("records"),
    }
    files.write_json(files.metrics_path(about["application"], "build_features"), found)


def caveat(found: dict[str, Any]) -> str:
    """What a verdict must add when a tenth of a span's rows had no outcome yet, else "".

    found: metrics of build_features. Cases that close quickly are then over-represented.
    """
    young = {name: share for name, share in found["open_share"].items() if share > OPEN_SHARE}
    if not young:
        return ""
    shares = " and ".join(f"{share:.0%} of the span {name}" for name, share in young.items())
    return (
        f" But {shares} had no outcome yet: quick cases are over-represented, so read the order "
        "and not the rates and chances."
    )


def records(table: pd.DataFrame, columns: list[str], **renamed: str) -> list[dict[str, Any]]:
    return table[columns].rename(columns=renamed).to_dict("records")
