"""A call list as one page for the phone: no network, no script, and nothing from data but text.

The policy of the page allows its one style sheet, by its digest, and nothing else. No text from
data stands in an attribute or in the style sheet.
"""

import re
from functools import cache
from itertools import groupby
from pathlib import Path
from typing import Any

import pandas as pd
from jinja2 import Template

from tierwise.calls.batch import EXPLORATION, REASONS, TURN, CallList, heading, sentences
from tierwise.calls.text import MONTHS, date, shortened
from tierwise.render import digest
from tierwise.report import format_value
from tierwise.templates import environment

HERE = Path(__file__).parent
ROWS_MAX_COUNT = 1_000  # what a phone scrolls through without waiting
TEXT_MAX_CHARACTERS = 240
STYLE = re.compile(r"(?<=<style>).*?(?=</style>)", re.DOTALL)
TIER_WORDS = {"A": "call first", "B": "then these", "C": "when there is time", "": "no tier"}
# "replied to the last mail: raises the odds 1.8 times", see reasons.top
REASON = re.compile(r"(?P<what>.+): (?P<how>raises|lowers) the odds (?P<size>[0-9.,]+) times")


def write_page(path: Path, one: CallList) -> None:
    """UTF-8, self-contained. The first ROWS_MAX_COUNT deals of each part; the CSV has them all."""
    shown = one.queue.head(ROWS_MAX_COUNT)
    page = template().render(
        heading=shortened(heading(one), TEXT_MAX_CHARACTERS),
        sentences=sentences(one),
        sections=sections(shown),
        holdout=[entry(deal) for deal in one.holdout.head(ROWS_MAX_COUNT).to_dict("records")],
        deals_count=len(one.queue),
        left_off=[
            (noun, ROWS_MAX_COUNT, len(deals))
            for noun, deals in (("deals", one.queue), ("deals without a tier", one.holdout))
            if len(deals) > ROWS_MAX_COUNT
        ],
        style_digest=style_digest(),
    )
    path.write_text(page.rstrip() + "\n", encoding="utf-8", newline="\n")


@cache
def template() -> Template:
    return environment(HERE).get_template("call_list.html.j2")


@cache
def style_digest() -> str:
    """By this the page's policy knows its style sheet, which holds nothing to fill in."""
    found = STYLE.search((HERE / "call_list.html.j2").read_text(encoding="utf-8"))
    return digest(found.group() if found else "")


def sections(queue: pd.DataFrame) -> list[dict[str, Any]]:
    """The queue in order, under headings of tiers. A deal out of turn begins none of its own."""
    tier = queue["tier"].where(queue["flag"] != EXPLORATION).ffill().bfill()
    tier = tier.fillna(queue["tier"])  # nobody stands where the score would
    found = []
    for name, rows in groupby(zip(tier, queue.to_dict("records"), strict=True), lambda one: one[0]):
        deals = [entry(deal) for _, deal in rows]
        found.append({"tier": name, "words": TIER_WORDS[name], "deals": deals})
    return found


def entry(deal: dict[Any, Any]) -> dict[str, Any]:
    """What a row shows. place, tier, turn, chance and reasons only for deals of the queue."""
    number = f"Deal {deal['deal_id']}"
    value = deal["value_eur"]
    touch = deal["last_touch_at"]
    about = [deal["organization"], "" if pd.isna(value) else format_value(value, "eur")]
    shown = {
        "number": number if deal["title"] else "",
        "title": shortened(deal["title"] or number, TEXT_MAX_CHARACTERS),
        "about": [shortened(text, TEXT_MAX_CHARACTERS) for text in about if text],
        "touch": deal["last_touch"],
        "touched": not pd.isna(touch),
        "touch_on": day_of(touch) if deal["last_touch"].endswith(" ago") else "",
    }
    if "place" in deal:
        shown |= {name: deal[name] for name in ("place", "tier")}
        shown["percent"] = 100 * deal["chance"]
        shown["drawn"] = deal["flag"] == EXPLORATION
        shown["today"] = deal["turn"] == TURN
        shown["reasons"] = [reason(deal[name]) for name in REASONS if deal[name]]
        facts = [shown["number"], "" if pd.isna(touch) else f"Last touch {date(touch)}"]
        shown["id_and_touch"] = " · ".join(filter(None, facts))
    return shown


def day_of(time: pd.Timestamp) -> str:
    """3 May, where the year needs no telling."""
    return f"{time.day} {MONTHS[time.month][:3]}"


def reason(text: str) -> dict[str, str]:
    """what, how (raises, lowers) and size; a text of another form is all in `what`."""
    found = REASON.fullmatch(text)
    told = found.groupdict() if found else {"what": text, "how": "", "size": ""}
    return {**told, "what": shortened(told["what"], TEXT_MAX_CHARACTERS)}
