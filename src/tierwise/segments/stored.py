"""What the page about segments stores, and what is known of a simulated world beside it.

    models/<application>/segments.parquet   who is in which segment today, see `looks.table`
    models/<application>/segments.json      what it takes to place anybody later, see `looks.stored`

The JSON holds quantiles of each number, the smallest and the largest value among them: it is for
programs inside the house, as the table is.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.metrics import adjusted_rand_score

from tierwise import examples as ex
from tierwise import files
from tierwise.segments import columns as segment_columns
from tierwise.segments import find, looks, mixtures
from tierwise.segments.find import Segmentation
from tierwise.segments.looks import Asked, Looked
from tierwise.segments.page import STEP, Who, a_month, judgement

DIGITS = 20  # decimals: numbers from 0.001 on keep 17 that count, so chances come out the same


def save(application: str, looked: Looked, who: Who) -> None:
    """segments.parquet and segments.json, see the head of this module."""
    today = looks.table(looked, looked.today)
    files.write_parquet(files.models_path(application, "segments.parquet"), today)
    told = looks.stored(looked, who.by_label)
    files.write_json(files.models_path(application, "segments.json"), told, DIGITS)


def read(application: str) -> tuple[Segmentation, dict[int, str]]:
    """The segments that were stored, and their names. Raises InputError where there are none."""
    told = files.read_json(files.models_path(application, "segments.json"))
    names = {int(label): name for label, name in told["names"].items()}
    return find.from_plain(told["segmentation"]), names


def true_segments(folder: Path | None, until: pd.Timestamp) -> pd.Series | None:
    """The simulated segment of each person then, by person_id; None where nobody knows it."""
    if folder is None:
        return None
    rows = files.read_parquet(folder / "segments.parquet")
    begun = rows["changed_at"].isna() | ex.known_before(rows, until, "changed_at")
    rows = rows[begun].sort_values("changed_at", na_position="first", kind="stable")
    last = rows.drop_duplicates("person_id", keep="last").set_index("person_id")["segment"]
    return last.astype("object").sort_index()


def against_truth(looked: Looked, asked: Asked, true: pd.Series | None) -> dict[str, Any]:
    """Agreement with the simulated segments today, {} where nobody knows them.

    rand: adjusted Rand index (Hubert and Arabie 1985) of the active people's likeliest segments;
    rand_all: of everybody's; rand_known: of the active people, if segments were learned with the
    true ones told, which no search can be expected to beat. true_count, people_count.
    """
    if true is None:
        return {}
    everybody = looked.people[looked.today]
    people = looks.active(everybody, asked.question)
    likeliest = looked.held[looked.today]["likeliest"]
    codes = pd.Series(pd.factorize(true, sort=True)[0], true.index)
    mine, all_mine = codes.reindex(people.index), codes.reindex(everybody.index)
    rows = segment_columns.prepared(people, looked.segmentation.plan)
    weights = np.ones(len(rows))
    told = np.eye(int(codes.max()) + 1)[mine.to_numpy()]
    known = mixtures.likeliest(rows, weights, mixtures.typical(rows, weights), told)
    posterior, _ = mixtures.expected(rows, known)
    return {
        "rand": float(adjusted_rand_score(mine, likeliest.reindex(people.index))),
        "rand_all": float(adjusted_rand_score(all_mine, likeliest)),
        "rand_known": float(adjusted_rand_score(mine, posterior.argmax(axis=1))),
        "true_count": int(true.nunique()),
        "people_count": len(people),
    }


def truth_sentence(told: Mapping[str, Any], segments_count: int) -> str:
    """What the simulated truth says, or that nobody knows it."""
    if not told:
        return "Nobody knows the true segments of these people, if there are any."
    return (
        f"These customers are simulated, in {told['true_count']} segments; {segments_count} were "
        f"found. Agreement of the {told['people_count']:,} active people (adjusted Rand index: 0 "
        f"by lot, 1 at best): {told['rand']:.2f}, {told['rand_all']:.2f} of everybody. With the "
        f"true segments told, the same columns reach {told['rand_known']:.2f}."
    )


def truth_table(looked: Looked, names: Mapping[int, str], true: pd.Series | None) -> pd.DataFrame:
    """Of each segment today, which simulated ones its people are of; fields of few people empty."""
    if true is None:
        return pd.DataFrame(columns=["segment"])
    held = looked.held[looked.today]["segment"]
    held = held[held != find.BETWEEN]
    counts = pd.crosstab(held.map(names), true.reindex(held.index).to_numpy())
    counts = counts.reindex([name for name in names.values() if name in counts.index])
    shares = counts.div(counts.sum(axis=1), axis=0).where(counts >= looks.FEWEST)
    shares = shares.rename(columns=lambda name: f"{str(name).replace(' ', '_')}_share")
    return shares.rename_axis("segment").reset_index().rename_axis(columns=None)


def save_metrics(
    about: dict[str, Any],
    looked: Looked,
    who: Who,
    monthly: pd.DataFrame,
    differs: Mapping[str, Any],
    tables: Mapping[str, pd.DataFrame],
    extra: Mapping[str, Any],
) -> None:
    """metrics/<application>/segment_customers.json. tables: shown ones by name; extra: as it is."""
    kind, sentence = judgement(looked, monthly, differs)
    names = {str(label): name for label, name in who.by_label.items()}
    told = about | {
        "verdict": kind,
        "sentence": sentence,
        "learned_at": ex.label(looked.learned_at),
        "segments_count": len(looked.segmentation.labels),
        "names": names,
        "left_out": looked.segmentation.plan.left_out,
        "choice": looked.found.choice.to_dict("records"),
        "stability": looked.found.stability.to_dict("records"),
        "kinds": looked.found.kinds,
        "tree_agreement": {k: v for k, v in who.agreement.items() if k != "rules"},
        "moved_a_month_share": a_month(monthly),
        "monthly": monthly.to_dict("records"),
        "later_differs": dict(differs),
    }
    shown = {name: table.to_dict("records") for name, table in tables.items()}
    files.write_json(files.metrics_path(about["application"], STEP), told | shown | dict(extra))
