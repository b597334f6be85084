"""What `following.py` found: following.json, tables and sentences in following.md, a figure."""

import json
from pathlib import Path
from typing import Any

import figure_files
import pandas as pd

from tierwise import files

Found = dict[str, Any]
Row = dict[str, Any]
NOBODY, WITHOUT, WITH, MENDED = (
    *("nobody follows", "no exploration", "exploration, weights", "exploration, corrected"),
)
WORKED_ONLY, WORKED_WEIGHED = "no exploration, worked deals", "exploration, worked deals"
BY_LOT, IF_WORKED, AS_IT_WENT = "by lot", "if worked", "as it went"
QUESTIONS = (BY_LOT, IF_WORKED, AS_IT_WENT)
Asked = dict[str, dict[str, Row]]  # by question, then arm
HEAD = """# Representatives follow the tiers: do the chances stay true?

Written by `python benchmarks/following.py`, which says what a floor, an arm and a part are.
Everything here is **simulated**. Brackets: 95 % intervals of the mean over floors.
"""
ARMS = """An arm is who follows, who is explored, and what is learned every four weeks:

- **nobody follows**: work by lot for all weeks, all outcomes. What a model can know here.
- **no exploration**: the order is followed; the model is fitted on all outcomes as they come.
- **exploration, weights**: 10 % have a place by lot; fitted with `reweighting.if_by_lot`.
- **exploration, corrected**: 10 %; fitted on all outcomes as they come, then level and slope are
  corrected, as `calibration.sliding` does it, with those weights. They decide on two figures only.
- **exploration, unweighted**: 10 %; fitted on all outcomes as they come, and nothing else.
- **never refitted**: the order is followed; the model of week 0 for all weeks.
- **no exploration, worked deals** and **exploration, worked deals**: fitted on the deals that were
  worked on, each once or with `reweighting.if_worked`: a chance "if worked on".

A chance is true or not for a question: **by lot**, would the deal be won if work were by lot, as
before there were tiers? **As it went**, was it won? **If worked**, would it be, if worked on?
"""


def write_report(found: Found, folder: Path) -> None:
    """following.json, following.md, following.svg, following.png, each replaced as a whole.

    found: floor, plan, arms, and of weeks, conditions, uplift those that were run.
    """
    text = json.dumps(found, indent=1, ensure_ascii=False, allow_nan=False)
    files.write_text(folder / "following.json", text + "\n")
    files.write_text(folder / "following.md", page(found))
    if "weeks" in found:
        draw(found["weeks"]["found"], folder)


def page(found: Found) -> str:
    parts = [HEAD]
    if "weeks" in found:
        parts += weeks(found["weeks"]["seeds"], found["weeks"]["found"])
    if "conditions" in found:
        parts += conditions(found["conditions"]["seeds"], found["conditions"]["found"])
    if "uplift" in found:
        parts += uplift(found["uplift"]["found"])
    return "\n".join(parts) + "\n"


def weeks(seeds: int, found: Found) -> list[str]:
    return [
        f"## {seeds} floors\n",
        *(ARMS, answer(found), "", "![Weeks and tiers](following.svg)\n"),
        "The last 24 weeks, by the question of each column; wins are of all weeks with tiers.\n",
        *settled(found),
        "\nWhat tiers promised in the last 12 weeks, and what was true of them. kept: share of the "
        "floors in which `promises_kept.by_tier` finds the promise kept, by outcomes as it went.\n",
        *tiers(found["tiers"]),
        "\nWhat an operator can see: `reweighting.calibration` of the last 12 weeks, by outcomes. "
        'In brackets the share of floors in which it reads "as promised". Without exploration '
        "there is the plain way alone.\n",
        *operators(found["seen"]),
        "",
    ]


def of(rows: list[Row], **named: str) -> Row:
    """The row with these values."""
    return next(row for row in rows if all(row[k] == v for k, v in named.items()))


def percent(value: float) -> str:
    return f"{100 * value:.1f} %"


def bracket(ends: list[float | None], kind: str, unit: bool = True) -> str:
    """mean (low to high); a share in percent, a gain with its sign."""
    factor = 100 if kind in ("share", "points") else 1
    sign = "+" if kind in ("points", "gain") else ""
    digits = {"share": 1, "points": 1, "gain": 2, "number": 2, "ratio": 3, "loss": 4}[kind]
    mean, low, high = (None if e is None else f"{factor * e:{sign}.{digits}f}" for e in ends)
    tail = {"share": " %", "points": " points"}.get(kind, "") if unit else ""
    return f"{mean}{tail}" + (f" ({low} to {high})" if low is not None else "")


def settled(found: Found) -> list[str]:
    head = ["arm", "slope, by lot", "error, by lot", "log loss, by lot", "slope, as it went"]
    head += ["error, as it went", "error, if worked", "buried", "wins of 100", "more than without"]
    lines = [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    for overall in found["won"]:
        lot, went, worked = (
            of(found["settled"], arm=overall["arm"], question=q)
            for q in (BY_LOT, AS_IT_WENT, IF_WORKED)
        )
        cells = [overall["arm"], bracket(lot["slope"], "number"), bracket(lot["ece"], "share")]
        cells += [bracket(lot["log_loss"], "loss"), bracket(went["slope"], "number")]
        cells += [bracket(went["ece"], "share"), bracket(worked["ece"], "share")]
        cells += [bracket(lot["buried_share"], "share"), bracket(overall["won"], "number")]
        cells += ["–" if overall["arm"] == WITHOUT else bracket(overall["more"], "gain")]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def tiers(rows: list[Row]) -> list[str]:
    head = [
        "arm",
        "tier",
        "promised",
        "true, by lot",
        "true, as it went",
        "true, if worked",
        "kept",
    ]
    lines = [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    for row in rows:
        shares = ("promised", "by_lot", "as_it_went", "if_worked")
        cells = [row["arm"], row["tier"], *(percent(row[name]) for name in shares)]
        lines.append(f"| {' | '.join(cells)} | {row['kept']:.0%} |")
    return lines


def operators(rows: list[Row]) -> list[str]:
    lines = ["| arm | way | level | slope |", "|---" * 4 + "|"]
    for row in rows:
        if row["name"] == "level":
            slope = of(rows, arm=row["arm"], way=row["way"], name="slope")
            cells = [row["arm"], row["way"], f"{row['value']:+.2f} ({row['kept']:.0%})"]
            lines.append(f"| {' | '.join(cells)} | {slope['value']:.2f} ({slope['kept']:.0%}) |")
    return lines


def answer(found: Found) -> str:
    """What the figures say about the statement, a paragraph per question."""
    asked = {q: {r["arm"]: r for r in found["settled"] if r["question"] == q} for q in QUESTIONS}
    return "\n\n".join(part(found, asked) for part in (statement, seen, cost, if_worked))


def statement(found: Found, asked: Asked) -> str:
    lot = asked[BY_LOT]
    error = {arm: bracket(lot[arm]["ece"], "share") for arm in lot}
    slope = {arm: bracket(lot[arm]["slope"], "number") for arm in lot}
    top, last = (of(found["tiers"], arm=WITHOUT, tier=tier) for tier in ("A", "C"))
    more = {arm: lot[arm]["ece_more"] for arm in (WITH, MENDED)}
    return (
        f"**Is it true?** Asked as before there were tiers (by lot), chances miss by "
        f"{error[NOBODY]} where nobody follows, by {error[WITHOUT]} where the order is followed "
        f"without exploration, by {error[WITH]} with exploration and weights, and by "
        f"{error[MENDED]} with exploration and a correction; slopes are {slope[NOBODY]}, "
        f"{slope[WITHOUT]}, {slope[WITH]} and {slope[MENDED]}. Weights against no exploration: "
        f"{bracket(more[WITH], 'points')}, {judged(more[WITH])}; the correction: "
        f"{bracket(more[MENDED], 'points')}, {judged(more[MENDED])}. Where it comes from: who "
        "stands first is worked on and won more often, who stands last is left and lost, and the "
        "next model takes both for a property of the deal. So without exploration A promises "
        f"{percent(top['promised'])} where by lot {percent(top['by_lot'])} would win, and C "
        f"{percent(last['promised'])} where {percent(last['by_lot'])} would."
    )


def seen(found: Found, asked: Asked) -> str:
    went = {arm: bracket(row["slope"], "number") for arm, row in asked[AS_IT_WENT].items()}
    lot = {arm: bracket(row["slope"], "number") for arm, row in asked[BY_LOT].items()}
    top, last = (of(found["tiers"], arm=WITHOUT, tier=tier) for tier in ("A", "C"))
    return (
        "**What an operator sees of it.** Without exploration, outcomes as it went alone: A wins "
        f"{percent(top['as_it_went'])} of promised {percent(top['promised'])}, C "
        f"{percent(last['as_it_went'])} of {percent(last['promised'])}, and the slope is "
        f"{went[WITHOUT]}, where by lot it is {lot[WITHOUT]}. The chances lie between the two "
        "questions, and plain outcomes can't tell which they answer. With weights they answer by "
        f"lot, so the plain slope ({went[WITH]}) is no fault: A is worked on, and promises are of "
        "work by lot. Such promises are to be compared with explored or reweighted outcomes."
    )


def cost(found: Found, asked: Asked) -> str:
    won, lot = {row["arm"]: row for row in found["won"]}, asked[BY_LOT]
    buried = {arm: bracket(lot[arm]["buried_share"], "share") for arm in lot}
    loss = {arm: bracket(lot[arm]["log_loss_more"], "loss") for arm in lot}
    return (
        f"**What it costs.** Wins of 100 deals: {bracket(won[WITHOUT]['won'], 'number')} without "
        f"exploration; with weights {bracket(won[WITH]['more'], 'gain')}, with the correction "
        f"{bracket(won[MENDED]['more'], 'gain')}. Of the deals that would be among the best fifth "
        f"if worked on, in C are {buried[NOBODY]} where nobody follows, {buried[WITHOUT]} without "
        f"exploration, {buried[WITH]} with weights and {buried[MENDED]} with the correction. Log "
        f"loss by lot, against no exploration: weights {loss[WITH]}, correction {loss[MENDED]}, "
        "below 0 is better. In a fit with weights few rows decide on every point of the score "
        "card; in the correction they decide on two figures, and the order is that of all rows."
    )


def if_worked(found: Found, asked: Asked) -> str:
    won, worked = {row["arm"]: row for row in found["won"]}, asked[IF_WORKED]
    error = {arm: bracket(worked[arm]["ece"], "share") for arm in worked}
    gain = {arm: bracket(won[arm]["more"], "gain") for arm in (WORKED_ONLY, WORKED_WEIGHED)}
    return (
        "**Who would be won if worked on?** Learned from the deals that were worked on, chances "
        f"miss by {error[WORKED_ONLY]} without exploration and by {error[WORKED_WEIGHED]} with "
        "exploration and weights. Here whether a deal is worked on depends on its columns and on "
        "luck alone, so a score card can learn from the worked ones what it is to be worked on; "
        "and weights of 1 / propensity rest on the few explored deals far down. Ranked by these "
        f"chances, {gain[WORKED_ONLY]} and {gain[WORKED_WEIGHED]} of 100 deals more are won than "
        "by no exploration above."
    )


def judged(more: list[float | None]) -> str:
    """What a difference in calibration error against no exploration means."""
    _, low, high = more
    if low is None or high is None:
        return "can't be told from one floor"
    return "better" if high < 0 else "worse" if low > 0 else "no difference to be told"


def conditions(seeds: int, rows: list[Row]) -> list[str]:
    names = (NOBODY, WITHOUT, WITH, MENDED)
    head = ["what is different", *(f"error, {arm}" for arm in names)]
    head += ["slope without", "with weights", "weights against without", "is"]
    head += ["correction against without", "is", "buried, weights", "buried, correction"]
    head += ["wins, weights", "wins, correction"]
    lines = [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    for label in dict.fromkeys(row["condition"] for row in rows):
        arm = {row["arm"]: row for row in rows if row["condition"] == label}
        cells = [label, *(percent(arm[a]["ece"][0]) for a in names)]
        cells += [f"{arm[a]['slope'][0]:.2f}" for a in (WITHOUT, WITH)]
        for a in (WITH, MENDED):
            cells += [bracket(arm[a]["ece_more"], "points"), judged(arm[a]["ece_more"])]
        cells += [bracket(arm[a]["buried_share_more"], "points") for a in (WITH, MENDED)]
        cells += [bracket(arm[a]["wins_expected_more"], "gain") for a in (WITH, MENDED)]
        lines.append(f"| {' | '.join(cells)} |")
    said = (
        f"One thing changed at a time, {seeds} floors each, last 24 weeks, question by lot. Errors "
        "are calibration errors; buried (of the best fifth, in C) and wins (of 100 deals) are "
        "against no exploration. All was settled before the first full run, but three things after "
        "a first look at floors 0 to 2: weighed rows count as the rows that they are worth (before "
        "that, as in the last row), the correction, and the channel that turns.\n"
    )
    return ["## Where it is true, and where not\n", said, *lines, ""]


def uplift(found: Found) -> list[str]:
    ratio, difference = found["ratio"], found["difference"]
    held = {n: found[n]["held"] for n in ("ratio", "difference")}
    said = (
        f"{found['floors']} floors, {found['held_out_mean']:,.0f} deals held out in each, model of "
        f"week 0. Following the order truly wins {bracket(ratio['true'], 'ratio')} times as "
        f"many deals as work by lot, {bracket(difference['true'], 'points')}. `uplift.measured` is "
        f"off by {bracket(ratio['error'], 'ratio')} on average. Its 95 % interval holds the true "
        f"ratio in {bracket(held['ratio'], 'share')} of the floors and the true difference in "
        f"{bracket(held['difference'], 'share')}; the one for all looks in "
        f"{bracket(ratio['held_any_time'], 'share')}. It is {100 * ratio['width']:.0f} points of "
        f"the ratio wide. Verdicts: "
        + ", ".join(f"{word} {count}" for word, count in found["verdicts"].items())
        + ". Nearly the same share of deals is worked on in both groups (each queue rounds its "
        "room up), so this is what the order wins, and not what calling wins."
    )
    return ["## Does the holdout measure the uplift?\n", said]


def draw(found: Found, folder: Path) -> None:
    from tierwise import plots_following

    plots_following.style()
    blocks, tiers = pd.DataFrame(found["blocks"]), pd.DataFrame(found["tiers"])
    shown = tiers[tiers["arm"].isin(blocks["arm"].unique())]
    figure_files.save(plots_following.everything(blocks, shown), folder, "following")
