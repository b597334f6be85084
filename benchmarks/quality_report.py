"""What `quality.py` found: quality.json, tables in quality.md and a figure as SVG and PNG."""

import itertools
import json
from pathlib import Path
from typing import Any

import figure_files
from learners import OURS, REFERENCE

Row = dict[str, Any]
COLUMNS = {
    "auc": "AUC",
    "auc_in_block": "in block",
    "log_loss": "log loss",
    "brier": "Brier",
    "ece": "ECE",
    "slope": "slope",
    "top20_share": "top 20 %",
    "top50_share": "top 50 %",
    "a_to_c": "A:C",
    "a_to_c_in_block": "A:C in block",
    "f1": "F1",
    "f1_so_far": "F1 so far",
    "fit_cpu_s": "fit, CPU s",
    "fit_cpu_ratio": "× LR",
    "predict_cpu_s": "predict, CPU s",
    "predict_cpu_ratio": "× LR",
}
LESS_IS_BETTER = ("log_loss", "brier", "ece")
MARKED = (
    *("auc", "auc_in_block", "log_loss", "brier", "ece", "top20_share", "top50_share"),
    *("f1", "f1_so_far"),
)
NAMES = {"auc": "AUC", "auc_in_block": "AUC in block", "log_loss": "log loss"}
RESAMPLED = {
    "cases": "all looks at a case together",
    "blocks": "work lists",
    "stretches": "stretches of the lists",
    "rows": "rows",
}
HEAD = """# Quality of learners, side by side

Written by `python benchmarks/quality.py`; quality.json has all figures, and quality_measures.py
says what they mean. Bold: the best peer by that measure. × LR: processor time of all fits, and
of all predictions, in units of logistic regression on the same folds. Shares are in percent.
"""
DESCRIPTIONS = {
    "bank_rand": "a random, stratified 70/30 split: time plays no part",
    "rand": "random, stratified fivefold cross-validation: time plays no part",
    "official": "the split of the publisher: time plays no part",
    "clean": "random, stratified fivefold cross-validation: time plays no part",
    "time": "one fit on the first 70 % of the rows, then frozen",
    "roll250": "a fit every 250 rows over the last 30 %",
    "roll500": "a fit every 500 rows over the last 30 %",
    "roll2500": "a fit every 2,500 rows over the last 30 %",
    "delay1000": "a fit every 500 rows over the last 30 %, outcomes known 1,000 rows late",
    "roll": "fits again and again over the last 30 %, on outcomes known by then",
}


def spoken(name: str) -> str:
    return name.replace("_", " ")


def read(folder: Path) -> list[Row]:
    """Rows of the last run; a measure that is newer than they are is None in them."""
    path = folder / "quality.json"
    rows = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else []
    return [dict.fromkeys(COLUMNS) | row for row in rows]


def merged(old: list[Row], new: list[Row]) -> list[Row]:
    """New figures replace old ones; a row without figures never replaces one that has some."""
    found = {(row["protocol"], row["model"]): row for row in old}
    for row in new:
        key = (row["protocol"], row["model"])
        if not row["left_out"] or found.get(key, row)["left_out"]:
            found[key] = row
    return list(found.values())


def with_ratios(rows: list[Row]) -> list[Row]:
    """fit_cpu_ratio, predict_cpu_ratio: to logistic regression on the same folds."""
    for step in ("fit", "predict"):
        name = f"{step}_cpu_s"
        base = {row["protocol"]: row[name] for row in rows if row["model"] == REFERENCE}
        for row in rows:
            one = base.get(row["protocol"])
            known = one and row[name] is not None
            row[f"{step}_cpu_ratio"] = float(f"{row[name] / one:.3g}") if known else None
    return rows


def write_report(rows: list[Row], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(rows, indent=1, ensure_ascii=False, allow_nan=False)
    (folder / "quality.json").write_text(text + "\n", encoding="utf-8")
    lines = [HEAD, *(line for part in by_protocol(rows) for line in section(part))]
    page = "\n".join(lines).strip().replace("\n\n\n", "\n\n")
    (folder / "quality.md").write_text(page + "\n", encoding="utf-8")
    draw(rows, folder)


def by_protocol(rows: list[Row]) -> list[list[Row]]:
    names = dict.fromkeys(row["protocol"] for row in rows)
    return [[row for row in rows if row["protocol"] == name] for name in names]


def section(rows: list[Row]) -> list[str]:
    """One protocol: heading, table, comparison, what was left out. "" between the parts."""
    shown = [row for row in rows if not row["left_out"]]
    lines = [f"## {rows[0]['protocol']}", ""]
    if shown:
        first = shown[0]
        lines += [
            f"{description(rows[0]['protocol'])}Judged: {first['rows_count']:,} rows with "
            f"{first['wins_count']:,} wins; fits: {first['fits_count']}.",
            "",
            *table(shown),
            "",
        ]
    for row in shown:
        if row["versus_best_peer"]:
            lines += [*comparison(row["versus_best_peer"]), ""]
        if row["way"]:
            lines += [f"- {spoken(row['model'])} took {row['way']}.", ""]
    left_out = sorted((row for row in rows if row["left_out"]), key=lambda row: row["left_out"])
    for reason, group in itertools.groupby(left_out, key=lambda row: row["left_out"]):
        lines.append(f"- Left out: {', '.join(spoken(row['model']) for row in group)}: {reason}.")
    return [*lines, ""]


def description(protocol: str) -> str:
    """A sentence for the name or its last word, or nothing."""
    found = DESCRIPTIONS.get(protocol) or DESCRIPTIONS.get(protocol.rsplit("_", 1)[-1], "")
    return f"{found[0].upper()}{found[1:]}. " if found else ""


def table(rows: list[Row]) -> list[str]:
    """Ours first; the best peer of each measure in bold."""
    best = {name: best_peer(rows, name) for name in MARKED}
    lines = [f"| model | {' | '.join(COLUMNS.values())} |", "|---" * (len(COLUMNS) + 1) + "|"]
    for row in rows:
        cells = [
            f"**{cell(row, name)}**" if best.get(name) is row else cell(row, name)
            for name in COLUMNS
        ]
        lines.append(f"| {spoken(row['model'])} | {' | '.join(cells)} |")
    return lines


def best_peer(rows: list[Row], measure: str) -> Row | None:
    peers = [row for row in rows if row["model"] != OURS and row[measure] is not None]
    sign = 1 if measure in LESS_IS_BETTER else -1
    return min(peers, key=lambda row: sign * row[measure], default=None)


def cell(row: Row, name: str) -> str:
    value = row[name]
    if value is None:
        return "–"
    if name.endswith("_share"):
        return f"{100 * value:.1f}"
    if name.endswith("cpu_s"):
        return f"{value:,.1f}" if value >= 0.1 else f"{value:.2g}"
    if name.startswith("a_to_c") or name.endswith("cpu_ratio"):
        return f"{value:,.1f}" if value >= 0.1 else f"{value:.2g}"
    return f"{value:.2f}" if name == "slope" else f"{value:.4f}"


def comparison(versus: Row) -> list[str]:
    lines = []
    for measure, name in NAMES.items():
        found = versus[measure]
        low, high = found["interval"]
        lines.append(
            f"- {name}: tierwise is {described(found['word'])} {spoken(found['peer'])}, "
            f"{found['delta']:+.4f} ({low:+.4f} to {high:+.4f})."
        )
    drawn = f"{versus['groups_count']:,} {RESAMPLED[versus['resampled']]}"
    count = versus["peers_count"]
    return [
        *lines,
        f"- The best of {count} peers each; 95 % intervals over 1,000 draws of {drawn}.",
    ]


def described(word: str) -> str:
    return {"ahead": "ahead of", "behind": "behind", "tie": "level with"}[word]


def draw(rows: list[Row], folder: Path) -> None:
    """A line per protocol, a dot per model: AUC left, log loss right."""
    import matplotlib.pyplot as plt

    from tierwise import plots

    shown = [[row for row in part if not row["left_out"]] for part in by_protocol(rows)]
    shown = [part for part in shown if part]
    plots.style()
    figure, panels = plt.subplots(1, 2, figsize=(7.2, 1.6 + 0.34 * len(shown)), sharey=True)
    for axes, measure in zip(panels, ("auc", "log_loss"), strict=True):
        for height, part in enumerate(shown):
            draw_line(axes, part, measure, height)
        axes.set_xlabel(
            f"{NAMES[measure]}, {'less' if measure == 'log_loss' else 'more'} is better"
        )
    panels[0].set_yticks(range(len(shown)), [spoken(part[0]["protocol"]) for part in shown])
    panels[0].set_ylim(len(shown) - 0.4, -0.6)
    panels[0].set_xlim(right=1.0)
    panels[1].set_xlim(0, 1)  # beyond it lies who is sure and wrong
    entries = [(OURS, marks_of("ours")), ("best peer", marks_of("best")), ("peers", marks_of(""))]
    handles = [plt.Line2D([], [], linestyle="", label=name, **mark) for name, mark in entries]
    figure.legend(handles=handles, ncols=3, loc="upper left", bbox_to_anchor=(0.02, 1.0))
    figure.tight_layout(rect=(0, 0, 1, 1 - 0.35 / figure.get_figheight()))
    plt.close(figure)
    figure_files.save(figure, folder, "quality")


def draw_line(axes: Any, rows: list[Row], measure: str, height: int) -> None:
    best = best_peer(rows, measure)
    for row in rows:
        role = "ours" if row["model"] == OURS else "best" if row is best else ""
        if row[measure] is not None:
            axes.plot(row[measure], height, linestyle="", **marks_of(role))


def marks_of(role: str) -> dict[str, Any]:
    """Ours above the others; a ring for the best peer, through which ours can be seen."""
    from tierwise import look

    ring = {"marker": "o", "markersize": 9, "markerfacecolor": "none", "zorder": 5}
    return {
        "ours": {"marker": "o", "markersize": 6, "color": look.BLUE, "zorder": 4},
        "best": ring | {"markeredgecolor": look.INK, "markeredgewidth": 1.3},
    }.get(role, {"marker": "o", "markersize": 4, "color": look.GREY, "zorder": 3})
