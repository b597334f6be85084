"""The page about advocates: its cards, its verdicts, its tables, and what it hands on.

The rules of the verdict, the first that holds:

    cannot rank      fewer than LEAST_CAME on the judged looks brought somebody who buys, or the
                     AUC of the candidate in use may be one half
    supported        the candidate is ahead of "invited last year" in average precision with its
                     whole interval, and tiers convert in their order (one-sided p below 5 %)
    not supported    else
"""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import pandas as pd
from IPython.display import HTML

from tierwise.advocates import ahead, listed
from tierwise.advocates import ranked as rk
from tierwise.advocates.ahead import MEASURES
from tierwise.advocates.page_asked import asked_cards
from tierwise.report import format_value

LEAST_CAME, LEAST_P = 30, 0.05
RULE = "invited_last_year"
RULES = ("newest", "most_active", "heaviest_inviter", RULE)
MEASURE_FORMATS = dict.fromkeys(MEASURES[:2], "number") | dict.fromkeys(MEASURES[2:], "share")
AHEAD_FORMATS = {"ahead": "number", "ahead_between": "number"}
TRUTH_FORMATS = {"agreement": "number", "low": "number", "high": "number"}
CARD, PLAIN = "margin:0 auto .6rem;max-width:46rem", "margin:.1rem 0 0;overflow-wrap:anywhere"


def share(value: Any) -> str:
    return format_value(value, "share")


def cards(
    found: rk.Ranked, card: pd.DataFrame, tier_table: pd.DataFrame, told: Any, asked: pd.DataFrame
) -> list[dict[str, str]]:
    """Who brings one that buys, how well they are found, and what asking and the reward bring."""
    own = card.set_index("candidate").loc[found.name]
    rows, first = found.judged, tier_table.iloc[0]
    shown = [
        {
            "label": "bring a friend who buys",
            "value": share(float(rows["outcome"].mean())),
            "note": f"{int(rows['outcome'].sum())} of {len(rows):,} looks at members",
        },
        {
            "label": "of these in the top 20 %",
            "value": share(own["top_20"]),
            "interval": share(own["top_20_between"]),
            "note": f"by {spoken(found.name)}",
        },
        {
            "label": f"tier {first['name']} brings one",
            "value": share(first["rate"]),
            "interval": share(first["interval"]),
            "note": f"the last tier: {share(tier_table.iloc[-1]['rate'])}",
        },
    ]
    return shown + ([] if told is None else asked_cards(told)) + [list_card(asked, told)]


def list_card(asked: pd.DataFrame, told: Any) -> dict[str, str]:
    most = "as expected" if listed.is_settled(told) else "at most"
    return {
        "label": "members to ask today",
        "value": f"{len(asked):,}",
        "note": f"to bring €{asked['value_eur'].sum():,.0f} {most} after rewards",
    }


def spoken(name: str) -> str:
    return name.replace("_", " ")


def judgement(found: rk.Ranked, card: pd.DataFrame, trend: tuple[float, float]) -> tuple[str, str]:
    """Kind of verdict and a sentence, by the rules at the head of this module."""
    came = int(found.judged["outcome"].sum())
    by = card.set_index("candidate")
    own, rule = by.loc[found.name], by.loc[RULE]
    looks = found.judged["as_of"].nunique()
    if came < LEAST_CAME:
        return "cannot rank", (
            f"{came} members brought somebody who buys on {looks} judged looks; below {LEAST_CAME} "
            "luck decides who stands where. Wait, or lengthen the horizon."
        )
    if own["auc_between"][0] <= 0.5:
        return "cannot rank", (
            f"The best order that could be chosen ({spoken(found.name)}) may be no better than "
            f"chance: AUC {own['auc']:.2f}, {between(own['auc_between'])}."
        )
    away = rule_away(own, rule)
    words = (
        f"On {looks} later looks, {came} times somebody brought a buyer. The order in use, "
        f"{spoken(found.name)}, has an average precision of {own['average_precision']:.3f}, "
        f"{spoken(RULE)} {rule['average_precision']:.3f}: ahead by {away[0]:.3f} "
        f"({between(away[1])})"
    )
    clear = away[1][0] > 0 and trend[1] < LEAST_P
    words += level_rules(card, found.name)
    tail = "and the tiers convert in their order" if trend[1] < LEAST_P else "but tiers do not rise"
    return ("supported" if clear else "not supported"), f"{words}, {tail}."


def level_rules(card: pd.DataFrame, own: str) -> str:
    """Other rules that anybody could follow and that may be as good: said in the same sentence."""
    ends = card.set_index("candidate")["average_precision_ahead_between"]
    names = [name for name in ends.index if name in RULES and name != own and ends[name][0] <= 0]
    return f"; not told from {' and '.join(f'“{spoken(one)}”' for one in names)}" if names else ""


def rule_away(own: pd.Series, rule: pd.Series) -> tuple[float, list[float]]:
    """How far the candidate in use is ahead of the rule. card: made with it as the one."""
    return float(rule["average_precision_ahead"]), list(rule["average_precision_ahead_between"])


def between(ends: Sequence[float]) -> str:
    return f"{ends[0]:.3f} to {ends[1]:.3f}"


def shown_card(card: pd.DataFrame) -> pd.DataFrame:
    """Each candidate with its measures, and how far the one in use is ahead in precision."""
    table = pd.DataFrame({"candidate": card["candidate"].map(spoken)})
    for name in MEASURES:
        table[name] = card[name]
    columns = ("average_precision_ahead", "average_precision_ahead_between")
    ahead_by = {name.removeprefix("average_precision_"): card[name] for name in columns}
    return table.assign(**ahead_by)


def shown_looks(found: rk.Ranked) -> pd.DataFrame:
    """Look by look: the candidate in use beside the rule."""
    names = list(dict.fromkeys([found.name, RULE]))
    table = ahead.by_look(found.judged, names)
    return table.assign(candidate=table["candidate"].map(spoken))


def shown_list(asked: pd.DataFrame, count: int, told: dict[str, Any] | None) -> HTML:
    """The first so many of the list, a block for each: a table of sentences fits no phone.

    What asking adds is shown once the lot has told whether it pays.
    """
    known = listed.is_settled(told)
    blocks = "".join(block(row, known) for row in asked.head(count).to_dict("records"))
    return HTML(blocks or "<p>Nobody is worth asking today.</p>")


def block(row: Mapping[Any, Any], is_uplift_known: bool) -> str:
    """row: one of `listed.to_ask`."""
    head = f"<b>{escape(str(row['person_id']))}</b> · tier {escape(str(row['tier']))}"
    facts = f"chance {share(row['chance'])}"
    if is_uplift_known:
        facts += f", of which asking adds {share(row['uplift'])}"
    facts += f" · €{row['value_eur']:,.2f}"
    names = [f"reason_{at}" for at in range(1, listed.REASONS_COUNT + 1)]
    why = "; ".join(str(row[name]) for name in names if row[name])
    return (
        f'<article class="card" style="{CARD}"><p style="{PLAIN}">{head} · {escape(facts)}</p>'
        f'<p class="note" style="{PLAIN}">{escape(why)}</p></article>'
    )


def steps(everybody: pd.DataFrame) -> pd.DataFrame:
    """How many members each rule of the list keeps away: step, members_count."""
    counts = everybody["step"].value_counts()
    return pd.DataFrame(
        {"step": listed.STEPS, "members_count": [int(counts.get(one, 0)) for one in listed.STEPS]}
    )


def friends(started: pd.DataFrame, kept: dict[str, Any] | None, alike: Any) -> str:
    """Do some members bring better friends? One paragraph. alike, kept: of `quality`."""
    if not len(started):
        return "Nobody's friends have been here long enough to tell."
    words = f"{started['well'].mean():.1%} of {len(started):,} friends who were brought buy soon."
    if alike is not None:
        words += (
            f" Of what differs between friends {alike['share']:.1%} goes with who brought them "
            f"({alike['low']:.1%} to {alike['high']:.1%}), "
        )
        words += "more than luck." if alike["low"] > 0 else "which may be luck."
    if kept is None:
        return f"{words} Too few members brought friends early and late to compare the two."
    found = kept["measures"][0]
    return (
        f"{words} Members ordered by earlier friends and by later ones agree by "
        f"{found['agreement']:+.2f} ({found['low']:+.2f} to {found['high']:+.2f})."
    )
