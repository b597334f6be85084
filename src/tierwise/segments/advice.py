"""Whom to serve first, on which channel, and with what: the page's advice, and what it rests on.

    value     what people of a segment spent in the time after they were placed
    reach     those who may be contacted today
    channel   the one that most people of a segment answered, of those who got it
    topic     likewise, of the topics that params.yaml names
    message   words of params.yaml for the weightiest trait that has any

What is answered is what was sent: who got what was somebody's choice.
"""

from collections.abc import Mapping, Sequence

import pandas as pd

from tierwise.customer_tables import CHANNELS
from tierwise.report import MISSING
from tierwise.segments import looks, value
from tierwise.segments import names as segment_names
from tierwise.segments.find import BETWEEN
from tierwise.segments.looks import Looked, Tables

PRIORITY_FORMATS = {"reach": "share", "reach_between": "share", "share_of_value": "share"}
PRIORITY_FORMATS |= dict.fromkeys(("value_each", "value_between"), "eur")
ADVICE_FORMATS = {"answers": "share", "answers_between": "share"}
READINGS = {"clear": "clear", "leaning": "not clear"}
EARLY = "too early to say"


def priority(looked: Looked, came: pd.DataFrame, least_count: int) -> pd.DataFrame:
    """Of `value.priority`: by the segment of learned_at, what came since, and who may be contacted
    today. Segments with fewer than `least_count` people within reach are left out; no row where
    everybody is between segments."""
    segment = looked.segment(looked.learned_at)
    may = looked.people[looked.today]["may_contact"].reindex(segment.index)
    if (segment == BETWEEN).all():
        return pd.DataFrame(columns=["segment", "reachable_count", "priority"])
    found = value.priority(segment, came["spent_eur"], may.fillna(False).astype("bool"))
    return found[found["reachable_count"] >= least_count].reset_index(drop=True)


def priority_table(found: pd.DataFrame, names: Mapping[int, str]) -> pd.DataFrame:
    """The same, in words. found: of `priority`."""
    return pd.DataFrame(
        {
            "segment": found["segment"].map(names),
            "serve": found["priority"],
            "people_count": found["people_count"],
            "reach": found["reachable_share"],
            "reach_between": found["reach_interval"],
            "value_each": found["value_eur"],
            "value_between": found["value_interval"],
            "share_of_value": found["reachable_value_share"],
        }
    )


def answered(
    tables: Tables, looked: Looked, days: float, names: Sequence[str] = CHANNELS
) -> pd.DataFrame:
    """Of `value.channels`, by today's segments, of touches of the last `days`; fields of few people
    left out. names: channels or topics."""
    column = "channel" if set(names) <= set(CHANNELS) else "topic"
    sends = looks.answers(tables["touches"], looked.today, days, column, names)
    found = value.channels(sends, looked.segment(looked.today))
    return found[found["people_count"] >= looks.FEWEST].reset_index(drop=True)


def suggested(named: pd.DataFrame, channels: pd.DataFrame, topics: pd.DataFrame) -> pd.DataFrame:
    """A row per segment: channel and topic with how clear they are, share that answered the channel
    and its interval, message. named: of `names.named`; the others: of `answered`."""
    short = segment_names.shortened(dict(zip(named["segment"], named["name"], strict=True)))
    rows = named[["segment", "message"]].assign(name=named["segment"].map(short))
    for kind, found in (("channel", channels), ("topic", topics)):
        one = found[found["is_suggested"]].drop_duplicates("segment")
        one = one.assign(reading=one["reading"].map(READINGS))
        columns = {"channel": kind, "reading": f"{kind}_is"}
        if kind == "channel":
            columns |= {"share": "answers", "interval": "answers_between"}
        rows = rows.merge(one[["segment", *columns]].rename(columns=columns), "left", "segment")
        rows = rows.fillna({kind: MISSING, f"{kind}_is": EARLY})
    rows = rows.assign(message=rows["message"].replace("", MISSING))
    order = ["channel", "channel_is", "answers", "answers_between", "topic", "topic_is", "message"]
    return rows.drop(columns="segment").rename(columns={"name": "segment"})[["segment", *order]]
