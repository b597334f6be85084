"""Segments of customers: how many there are, who is in which, and who is in between.

    segment    1, 2, ... from the largest down; 0 for people between segments
    chance     that a person belongs to it, given all that is known of the person
    holds      is found again where the people are drawn again, see stability.py

How many there are is chosen by rules written before anyone looks. Of 1 to 8, the number with the
lowest BIC among those whose segments all have 20 people, if its segments hold. If not, or if BIC
still falls at the largest number that was tried, columns hang together inside segments, BIC counts
too many, and more is asked: the largest number whose segments are all highly stable, else the
largest whose segments all hold. And one where segments are but degrees of one thing (kinds.py),
since people who differ by degrees are better ranked by a score. One segment is always a possible
answer.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from tierwise.files import InputError
from tierwise.segments import columns as segment_columns
from tierwise.segments import kinds as segment_kinds
from tierwise.segments import mixtures
from tierwise.segments import plan as segment_plan
from tierwise.segments import stability as segment_stability
from tierwise.segments.columns import Plan
from tierwise.segments.mixtures import Cells, Fitted, Mixture
from tierwise.segments.stability import HIGHLY_STABLE, VALID

MOST_SEGMENTS = 8
LEAST_CHANCE = 0.6  # below it a person is between segments
BETWEEN = 0
SAMPLE_COUNT = 20_000  # people that the search takes; everybody takes part in the last fit
SEED = 0


@dataclass(frozen=True)
class Segmentation:
    """What it takes to say in which segment anybody is. labels: the segment of each component."""

    plan: Plan
    mixture: Mixture
    labels: tuple[int, ...]


@dataclass(frozen=True)
class Found:
    """choice: a row per number of segments, see `choice`. stability: a row per segment. kinds: are
    they kinds of people, or degrees of one thing, see `kinds.kinds`, with segments_count,
    the number that was asked about."""

    segmentation: Segmentation
    choice: pd.DataFrame
    stability: pd.DataFrame
    kinds: dict[str, Any]


def find(
    people: pd.DataFrame,
    numbers: Sequence[str] = (),
    categories: Sequence[str] = (),
    blocks: Mapping[str, Sequence[str]] | None = None,
    most: int = MOST_SEGMENTS,
    least_count: int = segment_plan.LEAST_COUNT,
    resample_count: int = segment_stability.RESAMPLE_COUNT,
    must_be_kinds: bool = True,
    seed: int = SEED,
) -> Found:
    """The segments of these people, one row each, by these columns; see columns.py.

    must_be_kinds: one segment where several are but degrees; False ships them as they are.
    Columns that tell nobody apart are in segmentation.plan.left_out. Raises InputError where there
    are too few people for two segments, and as `planned` does.
    """
    if len(people) < 2 * least_count:
        raise InputError(
            f"Two segments of {least_count} need {2 * least_count} people, there are "
            f"{len(people)}. Wait for more."
        )
    plan = segment_plan.planned(people, numbers, categories, blocks, least_count)
    rows = segment_columns.prepared(people, plan)
    sample = sampled(rows, seed)
    fits = [mixtures.fit(sample, count, seed) for count in range(1, most + 1)]
    table, stabilities = choice(sample, fits, least_count, resample_count, seed)
    count = chosen(table)
    kinds = {"segments_count": count} | segment_kinds.kinds(sample, count, seed=seed)
    if must_be_kinds and kinds["reading"] == segment_kinds.DEGREES:
        table.loc[count - 1, ["is_chosen", "why"]] = [False, "degrees of one thing, not kinds"]
        table.loc[0, ["is_chosen", "why"]] = [True, "no kinds: rank people by a score"]
        count = 1
        stabilities[1] = segment_stability.stability(sample, fits[0], resample_count, seed)
    best = fits[count - 1]
    if len(sample) < len(rows):
        best = mixtures.fit(rows, count, seed, start_count=0, warm=best.mixture)
    segmentation = Segmentation(plan, best.mixture, tuple(range(1, count + 1)))
    return Found(segmentation, table, stabilities[count], kinds)


def chosen(choice: pd.DataFrame) -> int:
    """The number of segments that `choice` ended with."""
    return int(choice.loc[choice["is_chosen"], "segments_count"].iloc[0])


def sampled(rows: Cells, seed: int) -> Cells:
    """All rows, or so many of them by lot."""
    if len(rows) <= SAMPLE_COUNT:
        return rows
    chosen = np.random.default_rng(seed).choice(len(rows), SAMPLE_COUNT, replace=False)
    return rows.some(np.sort(chosen))


def choice(
    rows: Cells, fits: Sequence[Fitted], least_count: int, resample_count: int, seed: int
) -> tuple[pd.DataFrame, dict[int, pd.DataFrame]]:
    """How many segments, and the stability of each number that was tried.

    Rows ascend in segments_count. Columns: segments_count; log_likelihood; bic; smallest_count, of
    people in the smallest one; lowest_jaccard, of the segment that holds worst, and holds (both
    missing where the number was out of the question already); is_chosen; why.
    """
    smallest = [smallest_count(one.posterior) for one in fits]
    allowed = [at for at, size in enumerate(smallest) if at == 0 or size >= least_count]
    start = min(allowed, key=lambda at: fits[at].bic)
    table = pd.DataFrame(
        {
            "segments_count": np.arange(1, len(fits) + 1),
            "log_likelihood": [one.log_likelihood for one in fits],
            "bic": [one.bic for one in fits],
            "smallest_count": smallest,
            "lowest_jaccard": np.nan,
            "is_chosen": False,
            "why": "higher BIC",
        }
    )
    refused = [at for at in range(len(fits)) if at not in allowed]
    table.loc[refused, "why"] = f"a segment of fewer than {least_count} people"
    stabilities = {}
    has_end = start < len(fits) - 1  # else BIC might fall on
    for at in [at for at in reversed(allowed) if at <= start]:
        stabilities[at + 1] = segment_stability.stability(rows, fits[at], resample_count, seed)
        lowest = float(stabilities[at + 1]["jaccard"].min())
        table.loc[at, "lowest_jaccard"] = lowest
        table.loc[at, "why"] = "a segment is not found again"
        if lowest >= (VALID if at == start and has_end else HIGHLY_STABLE):
            break
    best = held_best(table.iloc[: start + 1], has_end)
    table.loc[best, "is_chosen"] = True
    table.loc[best, "why"] = (
        "lowest BIC" if best == start else "most segments that hold, below the lowest BIC"
    )
    return table, stabilities


def held_best(tried: pd.DataFrame, has_end: bool = True) -> int:
    """The position of the number of segments that holds as the module says. The last is BIC's.

    has_end: BIC rises after it.
    """
    lowest = tried["lowest_jaccard"]
    if has_end and lowest.iloc[-1] >= VALID:
        return int(lowest.index[-1])
    several = lowest.iloc[1:]
    for least in (HIGHLY_STABLE, VALID):
        if (several >= least).any():
            return int(several.index[several >= least].max())
    return 0


def smallest_count(posterior: np.ndarray) -> int:
    """People whose likeliest segment is the rarest one."""
    return int(np.bincount(posterior.argmax(axis=1), minlength=posterior.shape[1]).min())


def chances(people: pd.DataFrame, segmentation: Segmentation) -> pd.DataFrame:
    """Chance of each segment, one column per label, ascending; index and order as people."""
    rows = segment_columns.prepared(people, segmentation.plan)
    posterior, _ = mixtures.expected(rows, segmentation.mixture)
    return pd.DataFrame(posterior, people.index, list(segmentation.labels)).sort_index(axis=1)


def assigned(chance: pd.DataFrame, least_chance: float = LEAST_CHANCE) -> pd.DataFrame:
    """segment (0 is between), likeliest, chance of the likeliest; index and order as given."""
    likeliest = chance.idxmax(axis=1).astype("int64")
    top = chance.max(axis=1)
    segment = likeliest.where(top >= least_chance, BETWEEN)
    return pd.DataFrame({"segment": segment, "likeliest": likeliest, "chance": top})


def sizes(assigned: pd.DataFrame) -> pd.DataFrame:
    """people_count and people_share by segment, between (0) last."""
    counts = assigned["segment"].value_counts().sort_index()
    counts = counts.reindex(sorted(counts.index, key=lambda one: (one == BETWEEN, one)))
    return pd.DataFrame(
        {
            "segment": counts.index,
            "people_count": counts.to_numpy(),
            "people_share": (counts / len(assigned)).to_numpy(),
        }
    )


def as_plain(segmentation: Segmentation) -> dict[str, Any]:
    """For `files.write_json` with digits=20, so that chances stay the same to the last bit."""
    mixture = segmentation.mixture
    return {
        "plan": segment_columns.as_plain(segmentation.plan),
        "mixture": {name: getattr(mixture, name).tolist() for name in Mixture.__annotations__},
        "labels": list(segmentation.labels),
    }


def from_plain(content: Mapping[str, Any]) -> Segmentation:
    """The segmentation that `as_plain` wrote down."""
    labels = tuple(content["labels"])
    shares, *others = (
        np.array(content["mixture"][name], "float64") for name in Mixture.__annotations__
    )
    mixture = Mixture(shares, *(one.reshape((len(labels), -1)) for one in others))
    return Segmentation(segment_columns.from_plain(content["plan"]), mixture, labels)
