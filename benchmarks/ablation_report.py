"""What `ablation.py` found: ablation.json, ablation.md and a figure as SVG and PNG.

Gains are the whole method minus the variant: what was taken away helps if the whole is higher in
AUC and lower in log loss.
"""

import json
from pathlib import Path
from typing import Any

import figure_files
from ablation_variants import PLAIN_VARIANT, VARIANTS, WHOLE
from quality_report import Row, by_protocol, description, spoken

from tierwise.files import write_text

COLUMNS = {
    "auc": "AUC",
    "auc_in_block": "in block",
    "log_loss": "log loss",
    "ece": "ECE",
    "cpu_s": "fits, CPU s",
    "auc_gain": "gain in AUC",
    "auc_in_block_gain": "gain in block",
    "log_loss_gain": "gain in log loss",
}
# By these two a thing is said to help or to harm; the sign says which way is better.
DECIDING = {"auc_in_block_gain": 1, "log_loss_gain": -1}
AXES = {"auc_in_block_gain": "AUC in block", "log_loss_gain": "log loss"}
VERDICTS = (
    "what helps",
    "what harms",
    "what helps the one and harms the other",
    "not to be told from luck",
)
HEAD = """# What each measure against drift gives

Written by `python benchmarks/ablation.py`; ablation.json has all figures. Each row but the first is
the whole method with one thing taken away. Gains are the whole method minus that row, with 95 %
intervals over 1,000 paired draws: above 0 in AUC, and below 0 in log loss, the whole method is
better. CPU s: processor time of all fits, with those on earlier rolls that settings and weights
were chosen by.

![Gains by protocol](ablation.svg)
"""


def read(folder: Path) -> list[Row]:
    path = folder / "ablation.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else []


def merged(old: list[Row], new: list[Row]) -> list[Row]:
    """A protocol is replaced as a whole, and never by one that has no figures at all.

    Gains are over the whole method of the same run.
    """
    with_figures = {row["protocol"] for row in old if not row["left_out"]}
    by_name = {part[0]["protocol"]: part for part in by_protocol(old)}
    for part in by_protocol(new):
        name = part[0]["protocol"]
        if name not in with_figures or any(not row["left_out"] for row in part):
            by_name[name] = part
    return [row for part in by_name.values() for row in part]


def write_report(rows: list[Row], folder: Path) -> None:
    text = json.dumps(rows, indent=1, ensure_ascii=False, allow_nan=False)
    write_text(folder / "ablation.json", text + "\n")
    lines = [HEAD, *(line for part in by_protocol(rows) for line in section(part))]
    write_text(folder / "ablation.md", "\n".join(lines).strip() + "\n")
    draw(rows, folder)


def section(rows: list[Row]) -> list[str]:
    """One protocol: heading, what came out, table, what was left out."""
    shown = [row for row in rows if not row["left_out"]]
    name = rows[0]["protocol"]
    lines = [f"## {name}", ""]
    if shown:
        lines += [f"{opening(shown)} {description(name)}".strip(), "", *table(shown), ""]
    reasons: dict[str, list[str]] = {}
    for row in rows:
        if row["left_out"]:
            reasons.setdefault(row["left_out"], []).append(spoken(row["variant"]))
    left_out = [f"- Left out: {', '.join(names)}: {reason}." for reason, names in reasons.items()]
    return [*lines, *left_out, *([""] if left_out else [])]


def opening(rows: list[Row]) -> str:
    """The sentence before the table. rows: of one protocol, with figures, the whole first."""
    whole = rows[0]
    words: dict[str, list[str]] = {word: [] for word in VERDICTS}
    for row in rows[1:]:
        if row["variant"] != PLAIN_VARIANT:
            words[verdict(row)].append(VARIANTS[row["variant"]].what)
    parts = [f"{word}: {', '.join(names)}" for word, names in words.items() if names]
    plain = [row for row in rows if row["variant"] == PLAIN_VARIANT]
    against = "".join(f", against {levels(row)} of histogram boosting" for row in plain)
    return f"The whole method has {levels(whole)}{against}; {'; '.join(parts)}."


def levels(row: Row) -> str:
    return f"an AUC in block of {row['auc_in_block']:.4f} and a log loss of {row['log_loss']:.4f}"


def verdict(row: Row) -> str:
    """What the thing in question does to AUC in block and log loss: one of VERDICTS."""
    signs = {sign * side(row[f"{name}_interval"]) for name, sign in DECIDING.items()}
    helps, harms, mixed, luck = VERDICTS
    if signs >= {1, -1}:
        return mixed
    return helps if 1 in signs else harms if -1 in signs else luck


def side(interval: list[float]) -> int:
    """On which side of 0 an interval lies: 1, -1, or 0 where it holds 0."""
    low, high = interval
    return int(low > 0) - int(high < 0)


def table(rows: list[Row]) -> list[str]:
    lines = [f"| variant | {' | '.join(COLUMNS.values())} |", "|---" * (len(COLUMNS) + 1) + "|"]
    for row in rows:
        cells = [cell(row, name) for name in COLUMNS]
        lines.append(f"| {spoken(row['variant'])} | {' | '.join(cells)} |")
    return lines


def cell(row: Row, name: str) -> str:
    value = row[name]
    if value is None:
        return "–"
    if name == "cpu_s":
        return f"{value:,.1f}"
    if name.endswith("_gain"):
        low, high = row[f"{name}_interval"]
        return f"{value:+.4f} ({low:+.4f} to {high:+.4f})"
    return f"{value:.4f}"


def draw(rows: list[Row], folder: Path) -> None:
    """Small multiples: a line of panels per protocol, AUC in block left, log loss right."""
    import matplotlib.pyplot as plt

    from tierwise import plots

    parts = [
        [row for row in part if not row["left_out"] and row["variant"] != WHOLE]
        for part in by_protocol(rows)
    ]
    parts = [part for part in parts if part]
    if not parts:
        return
    plots.style()
    counts = [len(part) for part in parts]
    figure, panels = plt.subplots(
        len(parts),
        2,
        figsize=(8.4, 0.6 + sum(1.1 + 0.24 * count for count in counts)),
        squeeze=False,
        height_ratios=[count + 0.6 for count in counts],
    )
    for line, part in zip(panels, parts, strict=True):
        draw_line(line, part)
    figure.legend(handles=legend(), ncols=2, loc="upper left", bbox_to_anchor=(0.02, 1.0))
    figure.tight_layout(rect=(0, 0, 1, 1 - 0.35 / figure.get_figheight()), h_pad=1.6)
    plt.close(figure)
    figure_files.save(figure, folder, "ablation")


def draw_line(line: Any, rows: list[Row]) -> None:
    """Both panels of a protocol; each has a scale of its own."""
    for axes, (gain, name) in zip(line, AXES.items(), strict=True):
        for height, row in enumerate(rows):
            draw_interval(axes, row, gain, height)
        names = [spoken(row["variant"]) for row in rows] if axes is line[0] else [""] * len(rows)
        axes.set_yticks(range(len(rows)), names)
        axes.set_ylim(len(rows) - 0.4, -0.6)
        axes.locator_params(axis="x", nbins=5)
        axes.set_title(f"{spoken(rows[0]['protocol'])}: {name}", fontsize=10)
        if DECIDING[gain] < 0:
            axes.invert_xaxis()  # right is where the whole method is better, in both panels
        axes.set_xlabel("whole minus variant; right: whole is better", fontsize=8)
        axes.tick_params(axis="x", labelsize=8)


def draw_interval(axes: Any, row: Row, gain: str, height: int) -> None:
    from tierwise import look

    interval = row[f"{gain}_interval"]
    mark = marks_of(side(interval) != 0)
    axes.plot(interval, [height, height], color=mark["color"], linewidth=1.4, zorder=3)
    axes.plot(row[gain], height, linestyle="", zorder=4, **mark)
    axes.axvline(0, color=look.INK, linewidth=0.8, zorder=2)


def marks_of(is_sure: bool) -> dict[str, Any]:
    """Filled where the interval leaves 0 out, hollow where it holds it."""
    from tierwise import look

    colour = look.BLUE if is_sure else look.GREY
    face = colour if is_sure else "white"
    return {"marker": "o", "markersize": 5, "color": colour, "markerfacecolor": face}


def legend() -> list[Any]:
    import matplotlib.pyplot as plt

    entries = {"95 % interval without 0": True, "interval holds 0": False}
    return [
        plt.Line2D([], [], linestyle="-", label=name, **marks_of(is_sure))
        for name, is_sure in entries.items()
    ]
