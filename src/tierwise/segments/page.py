"""The page about segments: its cards, its tables and its verdict.

The rules of the verdict:

    cannot rank      there is one segment: no kinds of people were found
    not supported    segments that hold, but what came later does not differ between them beyond
                     luck, or more than a tenth of the people move in a month
    supported        neither

No row, field or bar tells of fewer than `least_count` people, and no person is on this page.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from tierwise.report import MISSING, format_value
from tierwise.segments import communities, find, looks, moves, stability, traits, value
from tierwise.segments import kinds as segment_kinds
from tierwise.segments import names as segment_names
from tierwise.segments.find import BETWEEN
from tierwise.segments.looks import Asked, Looked

STEP = "segment_customers"
MOST_MOVED_SHARE = 0.10  # a month, of people whose behaviour did not change
MONTH_DAYS = 30.0
ALPHA = 0.05
CHOICE_FORMATS = {"bic": "count", "lowest_jaccard": "number"}
STABILITY_FORMATS = {"jaccard": "number", "dissolved_share": "share"}
TRAIT_FORMATS = {"share": "share", "between": "share", "of_everybody": "share", "lift": "number"}
LATER_FORMATS = {"bought": "share", "bought_between": "share", "share_of_all_spent": "share"}
LATER_FORMATS |= dict.fromkeys(("spent", "spent_between"), "eur")
MOVED_FORMATS = {"moved": "share", "between": "share", "would_have_moved": "share"}


@dataclass(frozen=True)
class Who:
    """Of today's active people. traits: with words; names: a row per segment, see names.named;
    agreement: see traits.agreement."""

    traits: pd.DataFrame
    names: pd.DataFrame
    agreement: dict[str, Any]

    @property
    def by_label(self) -> dict[int, str]:
        return dict(zip(self.names["segment"], self.names["name"], strict=True))

    @property
    def short(self) -> dict[int, str]:
        return segment_names.shortened(self.by_label)

    @property
    def by_text(self) -> dict[str, str]:
        """The short ones, for `moves.spoken` labels."""
        return {str(label): name for label, name in self.short.items()}


def share(value: float) -> str:
    return format_value(value, "share")


def who(looked: Looked, asked: Asked, words: Mapping[str, Any] | None) -> Who:
    """Traits, names and needs of the segments today. Raises InputError for words that are wrong."""
    people = looks.active(looked.people[looked.today], asked.question)
    segment = looked.segment(looked.today).reindex(people.index)
    plan, least = looked.segmentation.plan, asked.search.least_people_count
    dictionary = segment_names.dictionary(words)
    found = segment_names.worded(traits.traits(people, segment, plan, least), dictionary)
    labels = sorted(looked.segmentation.labels)
    named = segment_names.named(found, labels, dictionary, looked.kept_names)
    return Who(found, named, traits.agreement(people, segment, plan, least))


def sizes(looked: Looked, least_count: int) -> pd.DataFrame:
    """segment, people_count, people_share today; between last, rows of few people left out."""
    found = find.sizes(looked.held[looked.today])
    return found[found["people_count"] >= least_count]


def cards(looked: Looked, monthly: pd.DataFrame) -> list[dict[str, str]]:
    """How many segments, how well they hold, who is in between, how many move."""
    held = looked.segment(looked.today)
    worst = looked.found.stability["jaccard"].min()
    count = len(looked.segmentation.labels)
    moved, since = monthly["moved_share"].mean(), monthly["since"].iloc[0]
    told = looked.found.kinds["reading"] or "neither kinds nor degrees"
    return [
        {"label": "segments", "value": str(count), "note": told},
        {
            "label": "the one that holds worst",
            "value": format_value(worst, "number"),
            "note": f"Jaccard index, {stability.reading(worst)}",
        },
        {
            "label": "people in a segment",
            "value": share((held != BETWEEN).mean()),
            "note": f"of {len(held):,}; the others are between segments",
        },
        {
            "label": "moved from look to look",
            "value": share(moved),
            "note": f"on average since {since.date()}",
        },
    ]


def a_month(monthly: pd.DataFrame) -> float:
    """Share of people who move in 30 days, on average over the looks."""
    days = (monthly["until"] - monthly["since"]) / pd.Timedelta(days=1)
    return float(monthly["moved_share"].sum() / days.sum() * MONTH_DAYS)


def judgement(looked: Looked, monthly: pd.DataFrame, differs: Mapping[str, Any]) -> tuple[str, str]:
    """Kind of verdict and a sentence. differs: of `value.differ`, of what was spent later."""
    found, count = looked.found, len(looked.segmentation.labels)
    if count == 1:
        return "cannot rank", f"One segment: {alone(looked)} Rank people by a score instead."
    low, p, moved = found.stability["jaccard"].min(), differs["p"], a_month(monthly)
    apart = p is not None and p < ALPHA
    said = "do differ" if apart else "do not differ beyond luck"
    told = (
        f"{count} segments, each found again when people are drawn anew (Jaccard {low:.2f} or "
        f"more); purchases that came later {said} between them ({chance_text(p)}), and "
        f"{share(moved)} of people move in a month."
    )
    kinds = found.kinds["reading"] == segment_kinds.KINDS
    good = apart and moved <= MOST_MOVED_SHARE and low >= stability.VALID and kinds
    return ("supported" if good else "not supported"), told


def chance_text(p: float | None) -> str:
    if p is None:
        return "nothing to compare"
    return "p below 0.001" if p < 0.001 else f"p {p:.3f}"


def alone(looked: Looked) -> str:
    """Why there is one segment."""
    kinds = looked.found.kinds
    if kinds["reading"] == segment_kinds.DEGREES:
        return (
            f"{kinds['segments_count']} would be found again, but people without kinds fall apart "
            f"as well ({chance_text(kinds['chance'])}): they differ by degrees."
        )
    table = looked.found.choice
    return str(table.loc[table["is_chosen"], "why"].iloc[0]) + "; more are not found again."


def kinds_sentence(looked: Looked) -> str:
    """Kinds or degrees, in words."""
    kinds = looked.found.kinds
    if not kinds["reading"]:
        return f"One segment: {alone(looked)}"
    tail = (
        "so these are kinds of people, not slices of a scale"
        if kinds["reading"] == segment_kinds.KINDS
        else "so these are degrees of one thing: rank people by a score instead"
    )
    return (
        f"{kinds['segments_count']} segments gain {kinds['gain']:.2f} in BIC per person; among "
        f"simulated people of the same columns, but without kinds, {kinds['simulated_gain']:.2f} "
        f"on average (chance of such a gain {kinds['chance']:.2f}), {tail}."
    )


def holding(looked: Looked, names: Mapping[int, str]) -> pd.DataFrame:
    """How well each segment holds, by name."""
    rows = looked.found.stability
    return pd.DataFrame(
        {
            "segment": rows["segment"].map(names),
            "learned_from_count": rows["people_count"],
            "jaccard": rows["jaccard"],
            "dissolved_share": rows["dissolved_share"],
            "reading": rows["reading"],
        }
    )


def introduced(who: Who, sizes: pd.DataFrame) -> pd.DataFrame:
    """A row per segment: number, name, people and need. sizes: of `sizes`."""
    rows = who.names.merge(sizes, "left", "segment")
    return pd.DataFrame(
        {
            "number": rows["segment"].astype("str"),
            "name": rows["name"],
            "people_count": rows["people_count"].astype("Int64"),
            "people_share": rows["people_share"],
            "need": rows["need"].replace("", MISSING),
        }
    )


def trait_table(found: pd.DataFrame, names: Mapping[int, str], most: int) -> pd.DataFrame:
    """The weightiest traits of each segment. found: of `traits.traits`, with words."""
    rows = found.groupby("segment", sort=False).head(most)
    return pd.DataFrame(
        {
            "segment": rows["segment"].map(names),
            "trait": rows["words"],
            "share": rows["share"],
            "between": rows["interval"],
            "of_everybody": rows["share_of_all"],
            "lift": rows["lift"],
        }
    )


def of_communities(found: pd.DataFrame) -> pd.DataFrame:
    """The traits that tell of communities, own and of contacts."""
    starts = (f"{communities.OWN}_", f"{communities.CONTACTS}_")
    return found[found["column"].str.startswith(starts)]


def agreement_sentence(agreement: Mapping[str, Any]) -> str:
    """Can a few questions tell a person's segment?"""
    low, high = agreement["interval"]
    told = (
        f"A tree of {traits.TREE_DEPTH} questions puts {share(agreement['agreement'])} "
        f"({share(low)} to {share(high)}) of people whom it never saw where segments do; always "
        f"naming the largest one would reach {share(agreement['most_common_share'])}. "
    )
    least = share(traits.LEAST_AGREEMENT)
    if agreement["is_enough"]:
        return told + f"That is {least} or more: a few questions tell who belongs where."
    return told + (
        f"That is below {least}: the traits say what is frequent in a segment, not who is in it. "
        "Use the stored segments, and do not sort people by these traits."
    )


def moves_matrix(looked: Looked, least_count: int) -> pd.DataFrame:
    """Shares from learned_at to today, see `moves.matrix`; 0 where fewer people went."""
    table = moves.moves(looked.segment(looked.learned_at), looked.segment(looked.today))
    whole = table.groupby("before")["people_count"].transform("sum")
    table = table[whole >= least_count]
    hidden = table["share"].where(table["people_count"] >= least_count, 0.0)
    return moves.matrix(table.assign(share=hidden))


def moved_table(monthly: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "since": monthly["since"],
            "until": monthly["until"],
            "people_count": monthly["people_count"],
            "moved": monthly["moved_share"],
            "between": monthly["interval"],
            "would_have_moved": monthly["likeliest_share"],
        }
    )


def anew_sentence(match: pd.DataFrame) -> str:
    """Do segments found anew continue those of before? match: of `looks.anew`."""
    kept = match["earlier"].notna()
    told = f"Found anew among today's people, {int(kept.sum())} of {len(match)} segments continue"
    if not kept.any():
        return f"{told} one of before: the borders have moved."
    low, high = match.loc[kept, "overlap"].min(), match.loc[kept, "overlap"].max()
    return f"{told} one of before; each shares {share(low)} to {share(high)} of its people with it."


def later(looked: Looked, came: pd.DataFrame, names: Mapping[str, str], least: int) -> pd.DataFrame:
    """What came of each segment after learned_at. came: of `looks.came`."""
    segment = looked.segment(looked.learned_at)
    bought, spent = (value.later(segment, came[name]) for name in ("bought", "spent_eur"))
    rows = pd.DataFrame(
        {
            "segment": bought["segment"].replace(dict(names)),
            "people_count": bought["people_count"],
            "bought": bought["mean"],
            "bought_between": bought["interval"],
            "spent": spent["mean"],
            "spent_between": spent["interval"],
            "share_of_all_spent": spent["total_share"],
        }
    )
    return rows[bought["people_count"] >= least]
