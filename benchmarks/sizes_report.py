"""What `sizes.py` found: sizes.json, tables in sizes.md, a figure."""

import json
from pathlib import Path
from typing import Any

from sizes_figure import draw

from tierwise import files
from tierwise.files import plain

Found = dict[str, Any]
DIGITS = 5
HEAD = """# A learner for every size

Written by `python benchmarks/sizes.py`, which says what is measured. All tables are **simulated**.
"""
KINDS = {
    "steady": "a rule that stays",
    "drifting": "level and one effect move",
    "nothing": "outcomes shuffled",
}
AUCS = {
    "chosen": "chosen candidate",
    "blend": "blend",
    "logistic_regression": "logistic regression",
}


def read(folder: Path) -> Found:
    """What an earlier run left there, or nothing."""
    path = folder / "sizes.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}


def write_report(found: Found, folder: Path) -> None:
    """sizes.json, sizes.md, sizes.svg and sizes.png, each replaced as a whole."""
    found = plain(found, DIGITS)
    text = json.dumps(found, indent=1, ensure_ascii=False, allow_nan=False)
    files.write_text(folder / "sizes.json", text + "\n")
    files.write_text(folder / "sizes.md", page(found))
    draw(found, folder)


def page(found: Found) -> str:
    parts = [HEAD, "![Coverage, seconds, memory and AUC](sizes.svg)", ""]
    if "worlds" in found:
        parts += worlds(found["worlds"])
    if found.get("ladder"):
        parts += ladder(found["ladder"])
    if "hourly_refit" in found:
        parts += refit(found["hourly_refit"])
    return "\n".join(parts).rstrip() + "\n"


def percent(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.1f} %"


def between(ends: list[float] | None, digits: int = 1, scale: float = 100) -> str:
    """ "68.2 to 83.1"."""
    return "–" if ends is None else " to ".join(f"{scale * end:.{digits}f}" for end in ends)


def share(found: Found, interval: str = "interval") -> str:
    """ "76.7 % (68.2 to 83.4; 46 of 60)"."""
    if found["share"] is None:
        return "– (no world)"
    counts = f"{found['count']} of {found['of']}"
    return f"{percent(found['share'])} ({between(found[interval])}; {counts})"


def mean(found: Found) -> str:
    if found["mean"] is None:
        return "–"
    return f"{found['mean']:+.3f} ({between(found['interval'], 3, 1)})"


def lines(head: list[str], rows: list[list[str]]) -> list[str]:
    body = [f"| {' | '.join(row)} |" for row in rows]
    return [f"| {' | '.join(head)} |", "|---" * len(head) + "|", *body, ""]


def worlds(found: Found) -> list[str]:
    """Verdicts, intervals of AUC, intervals of tiers."""
    kinds = found["kinds"]
    names = ", ".join(f"`{name}`" for name in found["candidates"])
    parts = [
        f"## {found['rows_count']} rows",
        "",
        f"Candidates, restricted to keep a world to seconds: {names}. Shares have Wilson intervals,"
        " those of verdicts exact binomial ones (95 %).",
        "",
    ]
    verdicts = [
        [
            *(KINDS[kind], str(one["worlds_count"]), share(one["can_rank"], "exact_interval")),
            *(share(one["supported"], "exact_interval"), told(one["period_counts"])),
        ]
        for kind, one in kinds.items()
    ]
    head = ["world", "worlds", "said to rank", "tiers supported", "periods: worlds"]
    parts += [*lines(head, verdicts), judgement(kinds), ""]
    return parts + auc_table(kinds) + tier_table(kinds)


def told(counts: dict[str, int]) -> str:
    return ", ".join(f"{name}: {count}" for name, count in counts.items())


def judgement(kinds: Found) -> str:
    """The one sentence about pure noise."""
    noise = kinds["nothing"]["can_rank"]
    high = noise["exact_interval"][1]
    size = "at most" if high <= 0.05 else "not shown to be at most"
    return (
        f"Where there is nothing, {noise['count']} of {noise['of']} worlds were said to rank: "
        f"{size} 5 % (exact interval up to {percent(high)})."
    )


def auc_table(kinds: Found) -> list[str]:
    rows = []
    for kind, one in kinds.items():
        for name, label in AUCS.items():
            auc = one["auc"][name]
            cells = [f"{auc[figure]:.3f}" for figure in ("judged", "true", "best", "width")]
            rows.append([KINDS[kind], label, share(auc["coverage"]), *cells, mean(auc["bias"])])
    head = ["world", "of", "interval holds the truth", "judged AUC", "true AUC", "AUC of the rule"]
    head += ["width", "judged − true"]
    return [
        "**AUC inside periods**, 95 % interval of `evaluation.summary`. The truth is that of the "
        "same fits on fresh rows of the same periods.",
        "",
        *lines(head, rows),
    ]


def tier_table(kinds: Found) -> list[str]:
    rows = []
    for kind, one in kinds.items():
        for name, tier in one["tiers"].items():
            cells = [share(tier["coverage"]), share(tier["empty"]), f"{tier['rows_count']:.1f}"]
            width = "–" if tier["width"] is None else f"{tier['width']:.2f}"
            rows.append([KINDS[kind], name, *cells, width, mean(tier["bias"])])
    head = ["world", "tier", "interval holds the truth", "worlds with the tier empty", "rows"]
    head += ["width", "converted − true"]
    return [
        "**Tiers of the 40 later rows**, 95 % interval of `promises` and `draws`. The truth is the "
        "mean true chance of the rows in the tier; worlds with the tier empty are left out.",
        "",
        *lines(head, rows),
    ]


def ladder(rows: list[Found]) -> list[str]:
    """A table per size; ratios are to logistic regression on the same rows."""
    parts = [
        "## 200 to 10 million rows",
        "",
        "Seconds are of one processor. Memory is what the fit needed at most above the table "
        "itself; below some 60 MB it is noise. In brackets: ratios to logistic regression.",
        "",
    ]
    head = ["rows", "learner", "rows fitted", "fit, s", "predict 100,000, s", "memory, MB", "AUC"]
    return parts + lines(head, [ladder_cells(row) for row in rows]) + [sampling(rows), ""]


def ladder_cells(row: Found) -> list[str]:
    first = [f"{row['rows_count']:,}", row["learner"]]
    if row["left_out"]:
        return [*first, row["left_out"], *["–"] * 4]
    kinds = {"fit_cpu_s": ".2f", "predict_cpu_s": ".2f", "memory_mb": ",.0f", "auc": ".4f"}
    cells = [f"{row[name]:{kind}}{ratio(row, name)}" for name, kind in kinds.items()]
    return [*first, f"{row['fitted_count']:,}", *cells]


def ratio(row: Found, name: str) -> str:
    value = row.get(f"{name}_ratio")
    if value is None:
        return ""
    return f" ({value:.3f})" if name == "auc" else f" ({value:.1f})"


def sampling(rows: list[Found]) -> str:
    """What is lost by fitting a sample, where both were fitted."""
    by_title = {(row["learner"], row["rows_count"]): row for row in rows if not row["left_out"]}
    for (title, count), whole in by_title.items():
        part = by_title.get(("xgboost", count))
        if title == "xgboost, all rows" and part:
            return (
                f"At {count:,} rows, xgboost on a sample has AUC {part['auc']:.4f} and on all rows "
                f"{whole['auc']:.4f}, in {part['fit_cpu_s']:.0f} and {whole['fit_cpu_s']:.0f} s "
                f"with {part['memory_mb']:,.0f} and {whole['memory_mb']:,.0f} MB."
            )
    return "No fit on all of 2 million rows was asked for."


def refit(found: Found) -> list[str]:
    head = ["## Every hour", ""]
    if found["left_out"]:
        return [*head, f"Left out: {found['left_out']}.", ""]
    first, steady = found["refit_cpu_s"], found["refit_steady_cpu_s"]
    does = "takes under" if found["holds"] else "does not take under"
    return [
        *head,
        f"A full refit of the blend on {found['rows_count']:,} closed deals "
        f"({found['deals_count']:,} different ones, drawn again) with {found['columns_count']} "
        f"columns {does} {found['limit_s']:.0f} s of processor time: {first['all']:.1f} s with the "
        f"default settings, {steady['all']:.1f} s with those for a world that stands still "
        f"(linear {first['recent_logistic']:.1f} and {steady['recent_logistic']:.1f}, boosting "
        f"{first['recent_boosting']:.1f} and {steady['recent_boosting']:.1f}, weights "
        f"{first['stack']:.2f}).",
        "",
        f"The whole rolling origin of the blend, {found['periods']} periods and "
        f"{found['origin_fits_count']} fits, takes {found['origin_cpu_s']:.0f} s. It is needed "
        "when settings are chosen anew, not every hour.",
        "",
    ]
