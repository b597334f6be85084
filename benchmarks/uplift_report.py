"""What `uplift.py` found: uplift.json, tables in uplift.md, a figure (.svg and .png)."""

from pathlib import Path
from typing import Any

import figure_files

from tierwise import files, look

WAYS = {
    "rule": "one-line rule",
    "response_model": "response (propensity)",
    "transformed_outcome": "transformed outcome",
    "s_logistic": "S-learner, logistic",
    "t_logistic": "T-learner, logistic",
    "t_boosting": "T-learner, boosting",
    "x_learner": "X-learner",
    "dr_learner": "DR-learner",
    "rule_and_rest": "rule and rest",
    "blend": "blend of two",
    "chosen": "chosen on past rows",
}
GREEN = "#1b9e77"
COLOURS = {"chosen": look.BLUE, "blend": GREEN, "rule": look.ORANGE, "response_model": look.GREY}
STYLES = {"chosen": "-", "blend": "-.", "rule": "--", "response_model": ":"}
UNITS = {"visit": "visits", "conversion": "orders", "spend": "dollars"}
ARMS = ("Womens E-Mail", "Mens E-Mail")
CUTS = ("bought before", "months since", "spent", "home", "new", "channel")
PER = 1000


def write_report(found: dict[str, Any], folder: Path) -> None:
    files.write_json(folder / "uplift.json", found)
    files.write_text(folder / "uplift.md", text(found))
    draw(found, folder)


def text(found: dict[str, Any]) -> str:
    parts = [
        "# Whom an e-mail changes",
        "",
        "Written by `python benchmarks/uplift.py`, which says what each way is. Real data: "
        f"{found['data']}, {found['people']:,} people, arms by lot. Each half is scored by what "
        f"the other half taught, both ways, {found['repeats']} times over; intervals are of 95 %.",
        "",
        "![Qini curves, and Qini by way](uplift.svg)",
        "",
        "## What the e-mails did",
        "",
        *arms(found),
        "",
        *effects(found["effects"]),
    ]
    for question in found["questions"]:
        parts += ["", *ranking(question)]
    return "\n".join([*parts, "", *segments(found["segments"]), "", *limits()]) + "\n"


def arms(found: dict[str, Any]) -> list[str]:
    rows = [
        f"| {arm} | {row['visit']:.2%} | {row['conversion']:.2%} | ${row['spend']:.2f} |"
        for arm, row in found["means"].items()
    ]
    return ["| arm | visits | orders | spend per head |", "|---|---|---|---|", *rows]


def effects(rows: list[dict[str, Any]]) -> list[str]:
    head = [
        "| e-mail | outcome | effect per 1,000 | adjusted for what was known | shorter by |",
        "|---|---|---|---|---|",
    ]
    lines = []
    for row in rows:
        shorter = 1 - (row["adjusted_high"] - row["adjusted_low"]) / (row["high"] - row["low"])
        plain = bracket(row["effect"], row["low"], row["high"])
        narrow = bracket(row["adjusted"], row["adjusted_low"], row["adjusted_high"])
        unit = UNITS[row["outcome"]]
        lines.append(f"| {row['arm']} | {unit} | {plain} | {narrow} | {shorter:.1%} |")
    return head + lines


def bracket(value: float, low: float, high: float) -> str:
    """Per 1,000 people."""
    digits = 1 if max(abs(PER * low), abs(PER * high)) < 100 else 0
    return f"{PER * value:,.{digits}f} ({PER * low:,.{digits}f} to {PER * high:,.{digits}f})"


def small(value: float, low: float, high: float) -> str:
    return f"{PER * value:.2f} ({PER * low:.2f} to {PER * high:.2f})"


def ranking(question: dict[str, Any]) -> list[str]:
    unit, rows = UNITS[question["outcome"]], question["rankers"]
    head = [
        f"## {question['arm']} against none: {unit}",
        "",
        f"{question['people']:,} people, {question['outcomes']:,} with an outcome, "
        f"{question['splits']} half splits. Qini and leads are {unit} per 1,000 people of both "
        "arms.",
        "",
        "| way | Qini | ahead of the rule | ahead of response | uplift in the top 30 %, per 1,000 "
        "| sd of splits | ranks |",
        "|---|---|---|---|---|---|---|",
    ]
    return [*head, *map(line, rows), "", *sentences(question)]


def line(row: dict[str, Any]) -> str:
    keys = ("ahead_of_response", "ahead_low_of_response", "ahead_high_of_response")
    cells = [
        WAYS[row["ranker"]],
        small(row["qini"], row["low"], row["high"]),
        small(row["ahead"], row["ahead_low"], row["ahead_high"]) if row["ranker"] != "rule" else "",
        small(*(row[key] for key in keys)) if row["ranker"] != "response_model" else "",
        bracket(row["top_uplift"], row["top_low"], row["top_high"]),
        f"{PER * row['sd_of_splits']:.2f}",
        f"{row['best_rank']} to {row['worst_rank']}",
    ]
    return f"| {' | '.join(cells)} |"


def sentences(question: dict[str, Any]) -> list[str]:
    """What the table says, by its intervals."""
    by = {row["ranker"]: row for row in question["rankers"]}
    chosen, splits = by["chosen"], question["splits"]
    keys = ("ahead_of_response", "ahead_low_of_response", "ahead_high_of_response")
    found = [
        f"- The way chosen on past rows is {level(*(chosen[key] for key in keys))} targeting by "
        f"response, and {level(chosen['ahead'], chosen['ahead_low'], chosen['ahead_high'])} the "
        "one-line rule."
    ]
    rest = [row for name, row in by.items() if name not in ("rule", "chosen")]
    clear = [WAYS[row["ranker"]] for row in rest if row["ahead_low"] > 0]
    wide = [WAYS[row["ranker"]] for row in rest if row["ahead_wide_low"] > 0]
    if clear:
        found.append(
            f"- Ahead of the rule with these scores, each interval taken alone: {', '.join(clear)}."
            " With intervals that also count the luck of what was learned from (Nadeau and Bengio "
            f"2003): {', '.join(wide) or 'none'}."
        )
    best = max(rest, key=lambda row: row["qini"])
    found.append(
        f"- Largest of the others: {WAYS[best['ranker']]}, ahead of the rule in "
        f"{best['ahead_splits']} of {splits} splits."
    )
    return found


def level(ahead: float, low: float, high: float) -> str:
    if low > 0:
        return "ahead of"
    if high < 0:
        return "behind"
    return "the same as" if ahead == low == high else "not to be told from"


def segments(rows: list[dict[str, Any]]) -> list[str]:
    head = [
        "## Visits by segment",
        "",
        f"Effects per 1,000 treated. The second interval holds for all {len(rows)} segments of "
        "this table together; only it may pick one out. p: were all segments of a cut alike, the "
        "chance of differences as large.",
        "",
        "| e-mail | cut | segment | people | effect | all together | p |",
        "|---|---|---|---|---|---|---|",
    ]
    lines = []
    for row in sorted(rows, key=in_order):
        count = row["treated_count"] + row["control_count"]
        lines.append(
            f"| {row['arm']} | {row['cut']} | {row['segment']} | {count:,} "
            f"| {bracket(row['effect'], row['low'], row['high'])} "
            f"| {PER * row['low_all']:.0f} to {PER * row['high_all']:.0f} "
            f"| {row['alike_p']:.2g} |"
        )
    return head + lines


def in_order(row: dict[str, Any]) -> tuple[int, int, int]:
    """Arms and cuts as they came; labels with an amount ("$500 - $750") by the amount."""
    digits = row["segment"].split(" - ")[0].strip("$ +").replace(",", "")
    arm, cut = ARMS.index(row["arm"]), CUTS.index(row["cut"])
    return arm, cut, int(digits) if digits.isdigit() else 0


def limits() -> list[str]:
    return [
        "## What it does not show",
        "",
        "- `rule and rest`, `blend` and how strongly each way is held back were settled with this "
        "data in view, so their leads are not blind. `chosen` picks inside the learning half, but "
        "among these.",
        "- Nobody knows whom the e-mail changed. Qini adds up arms, and with few outcomes (orders, "
        "dollars) its intervals are too wide to tell most ways apart: that is no proof of a tie.",
        "- One firm, one fortnight, no dates: rows of later campaigns could not be judged.",
    ]


def draw(found: dict[str, Any], folder: Path) -> None:
    """The curves of visits after the e-mail about women's goods, and Qini with interval by way."""
    import matplotlib.pyplot as plt

    from tierwise import plots

    plots.style()
    figure, (left, right) = plt.subplots(1, 2, figsize=(10.4, 4.4), width_ratios=(1, 1))
    first = found["questions"][0]
    for name, table in first["curves"].items():
        gain = [PER * value for value in table["gain"]]
        style = {"color": COLOURS[name], "linestyle": STYLES[name]}
        left.plot(table["depth_share"], gain, label=WAYS[name], linewidth=2, **style)
        if name in ("rule", "response_model"):
            low, high = ([PER * value for value in table[end]] for end in ("low", "high"))
            left.fill_between(table["depth_share"], low, high, color=COLOURS[name], alpha=0.15)
    line = [PER * value for value in first["curves"]["rule"]["random"]]
    left.plot(table["depth_share"], line, color=look.INK, linewidth=1, label="by lot")
    left.xaxis.set_major_formatter(look.SHARE)
    left.set_xlabel("share treated, highest scores first")
    left.set_ylabel("visits added per 1,000 people")
    left.set_title("Women's goods, visits")
    left.legend(loc="upper left")
    for at, row in enumerate(first["rankers"]):
        colour = COLOURS.get(row["ranker"], look.INK)
        right.hlines(at, PER * row["low"], PER * row["high"], color=colour, linewidth=2)
        right.plot(PER * row["qini"], at, "o", color=colour)
    right.set_yticks(range(len(first["rankers"])), [WAYS[r["ranker"]] for r in first["rankers"]])
    right.invert_yaxis()
    right.set_xlim(left=0)
    right.set_xlabel("Qini, visits per 1,000 people (95 % interval)")
    right.grid(visible=False, axis="y")
    figure.tight_layout()
    plt.close(figure)
    figure_files.save(figure, folder, "uplift")
