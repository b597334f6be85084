"""What `scoring.py` found: scoring.json, tables in scoring.md, a figure."""

import json
from pathlib import Path
from typing import Any

from scoring_figure import draw

from tierwise import files
from tierwise.files import plain

Found = dict[str, Any]
DIGITS = 5
OURS, INPLACE, TREES = "tierwise", "XGBoost inplace", "500 trees"
REASONS, LISTS = ("reasons: TreeSHAP", "reasons: words"), "call lists"
SCORING = ("columns read", "scores", "ranks and tiers", "strange columns")
HEAD = """# What an hour costs

Written by `python benchmarks/scoring.py`, which says what is measured. All tables are
**simulated**. Processor seconds (CPU s) on one thread come first; the machine does other work too,
so seconds on the clock are an upper bound. MB are the highest of the process, Python and libraries
included.
"""


def read(folder: Path) -> Found:
    """What an earlier run left there, or nothing."""
    path = folder / "scoring.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}


def write_report(found: Found, folder: Path) -> None:
    """scoring.json, scoring.md, scoring.svg and scoring.png, each replaced as a whole."""
    found = plain(with_ratios(found), DIGITS)
    text = json.dumps(found, indent=1, ensure_ascii=False, allow_nan=False)
    files.write_text(folder / "scoring.json", text + "\n")
    files.write_text(folder / "scoring.md", page(found))
    draw(found, folder)


def with_ratios(found: Found) -> Found:
    """Rows with a ratio to XGBoost's inplace_predict in the same run, where that was measured."""
    ways = found.get("model", {}).get("ways", [])
    floor = next((row for row in ways if row["way"] == INPLACE and not row["left_out"]), None)
    for row in ways:
        beside = next((w for w in ways if w["way"] == OURS and w["model"] == row["model"]), row)
        known = not row["left_out"] and not beside["left_out"]
        ours = beside["score_cpu_s"] / beside["rows_count"] if known else None
        row["cpu_ratio_to_ours"] = row["score_cpu_s"] / row["rows_count"] / ours if ours else None
    for row in [*found.get("hour", []), *found.get("events", [])]:
        if not row["left_out"]:
            row |= speeds(row, floor)
    return found


def speeds(row: Found, floor: Found | None) -> Found:
    """CPU seconds of groups of stages, deals per CPU second, and ratios to the floor."""
    cpu = {name: one["cpu_s"] for name, one in row["stages"].items()}
    whole, deals = sum(cpu.values()), row["rows_count"]
    aside = sum(cpu.get(name, 0.0) for name in (*REASONS, LISTS))
    scoring = sum(cpu.get(name, 0.0) for name in SCORING)
    told = {"stages_cpu_s": whole, "scoring_cpu_s": scoring}
    told |= {"without_reasons_and_lists_cpu_s": whole - aside}
    told["deals_per_cpu_s"] = deals / whole
    told["deals_per_cpu_s_without_reasons_and_lists"] = deals / (whole - aside)
    spent = cpu.get(REASONS[0], 0.0) + cpu.get(REASONS[1], 0.0)
    told["reasons_per_cpu_s"] = min(row["explained"], deals) / spent if spent else None
    if floor is not None and row["model"] == TREES:
        bare = deals / floor["rows_per_cpu_s"]
        told |= {"scoring_ratio": scoring / bare, "hour_ratio": (whole - aside) / bare}
    return told


def page(found: Found) -> str:
    parts = [HEAD, "![Rows per CPU second, stages and memory](scoring.svg)", ""]
    if "model" in found:
        parts += of_models(found["model"])
    if found.get("hour"):
        parts += ["## The hour", "", *of_hours(found["hour"])]
    if found.get("events"):
        parts += ["## Many events", "", *of_hours(found["events"])]
    return "\n".join(parts).rstrip() + "\n"


def table(head: list[str], rows: list[list[str]]) -> list[str]:
    lines = [head, ["---"] * len(head), *rows]
    return [*(f"| {' | '.join(cells)} |" for cells in lines), ""]


def number(value: float | None, digits: int = 0) -> str:
    return "–" if value is None else f"{value:,.{digits}f}"


def of_models(found: Found) -> list[str]:
    ways = found["ways"]
    columns = {row["model"]: row["columns_count"] for row in ways if not row["left_out"]}
    told = ", ".join(f"{name} {count}" for name, count in columns.items())
    lines = [
        "## The model alone",
        "",
        f"Columns that each model reads: {told}. `prepared` counts what a way needs before it can "
        "score, such as an array of numbers. Medians of "
        f"{found['rounds']} round{'s' * (found['rounds'] > 1)}.",
        "",
    ]
    head = ["model", "way", "rows", "rows per CPU s", "prepared", "CPU, times ours"]
    head += ["MB above start", "MB of a partition", "largest difference from ours"]
    lines += table(head, [way_cells(row) for row in ways])
    others = "; ".join(f"{name}: {why}" for name, why in found["not_measured"].items())
    return [*lines, f"Peers that are not here: {others}.", ""]


def way_cells(row: Found) -> list[str]:
    if row["left_out"]:
        return [row["model"], row["way"], f"left out: {row['left_out']}", *["–"] * 6]
    gap = row.get("largest_difference")
    return [
        *(row["model"], row["way"], number(row["rows_count"])),
        number(row["rows_per_cpu_s"]),
        number(row["rows_per_cpu_s_prepared"]),
        number(row["cpu_ratio_to_ours"], 2),
        number(row["memory_mb"]),
        number(row["table_mb"]),
        "–" if gap is None else f"{gap:.0e}",
    ]


def of_hours(rows: list[Found]) -> list[str]:
    head = ["open deals", "partitions", "events", "model", "deals per CPU s"]
    head += ["without reasons and lists", "CPU s", "wall s", "peak MB"]
    head += ["reasons per CPU s", "lists"]
    lines = table(head, [hour_cells(row) for row in rows])
    done = [row for row in rows if not row["left_out"]]
    if not done:
        return lines
    lines += ["CPU s (peak MB) by stage:", ""]
    names = list(dict.fromkeys(name for row in done for name in row["stages"]))
    stages = [[name, *(stage_cell(row, name) for row in done)] for name in names]
    lines += table(["stage", *(f"{label(row)}" for row in done)], stages)
    return [*lines, *sentences(done), ""]


def label(row: Found) -> str:
    parts = "1 partition" if row["parts"] == 1 else f"{row['parts']} partitions"
    return f"{row['deals']:,} in {parts}, {row['model']}"


def hour_cells(row: Found) -> list[str]:
    events = number(row["table_rows"]["events"])
    first = [number(row["deals"]), str(row["parts"]), events, row["model"]]
    if row["left_out"]:
        return [*first, f"left out: {row['left_out']}", *["–"] * 6]
    return [
        *first,
        number(row["deals_per_cpu_s"]),
        number(row["deals_per_cpu_s_without_reasons_and_lists"]),
        number(row["stages_cpu_s"]),
        number(sum(one["wall_s"] for one in row["stages"].values())),
        number(row["peak_mb"]),
        number(row["reasons_per_cpu_s"]),
        f"{row['files_count']:,} files" if row["lists"] else "not written",
    ]


def stage_cell(row: Found, name: str) -> str:
    one = row["stages"].get(name)
    return "–" if one is None else f"{one['cpu_s']:,.1f} ({one['peak_mb']:,.0f})"


def sentences(rows: list[Found]) -> list[str]:
    found = []
    for row in rows:
        if "scoring_ratio" in row:
            found.append(
                f"- {label(row)}: from columns to ranks {row['scoring_ratio']:.1f} times the CPU "
                f"of bare `inplace_predict`; with features, flags and files "
                f"{row['hour_ratio']:.1f} times. Reasons and lists are in neither."
            )
    return found
