"""What `intake.py` found: intake.json, tables in intake.md, a figure (.svg and .png)."""

import statistics
from pathlib import Path
from typing import Any

import figure_files

from tierwise import files, look

GOALS = {1: 3_000, 50: 40_000}
FIGURES = (
    *("events_per_s", "p50_ms", "p99_ms", "max_ms"),
    *("server_cpu_us_per_event", "sync_ms", "others_share"),
)


def write_report(found: dict[str, Any], folder: Path) -> None:
    plain = files.plain(found, 3)
    files.write_json(folder / "intake.json", plain)
    files.write_text(folder / "intake.md", text(plain))
    draw(plain, folder)


def text(found: dict[str, Any]) -> str:
    parts = [
        "# The event intake",
        "",
        "Written by `python benchmarks/intake.py`, which says what each part is. "
        f"{found['cores']} cores for server and client together, SQLite {found['sqlite']}. Every "
        "event was on the disk when it was acknowledged. Other processes worked on the machine: "
        "others is what they used of the cores during a round, which was missing to us. Sync is "
        "the milliseconds until 4 kB were on the disk.",
        "",
        "![Events a second](intake.svg)",
        "",
        "| a request | connections | round | events/s | p50 ms | p99 ms | largest ms "
        "| server CPU µs/event | sync ms | others |",
        "|---|---|---|---|---|---|---|---|---|---|",
        *rounds(found["load"]),
        "",
        *long_lines(found["long"]),
        "",
        *index_lines(found["index"]),
        "",
        *kill_lines(found["kills"]),
    ]
    return "\n".join(parts) + "\n"


def by_kind(load: list[dict[str, Any]]) -> dict[tuple[int, int], list[dict[str, Any]]]:
    """(events a request, connections) -> its rounds."""
    found: dict[tuple[int, int], list[dict[str, Any]]] = {}
    for one in load:
        found.setdefault((one["events_per_request"], one["connections"]), []).append(one)
    return found


def rounds(load: list[dict[str, Any]]) -> list[str]:
    lines = []
    for kind, of_kind in by_kind(load).items():
        lines += [row(kind, str(number), one) for number, one in enumerate(of_kind, 1)]
        middle = {name: statistics.median(one[name] for one in of_kind) for name in FIGURES}
        lines.append(row(kind, "**median**", middle))
        quietest = min(of_kind, key=lambda one: one["others_share"])
        lines.append(row(kind, "**quietest**", quietest))
    return lines


def row(kind: tuple[int, int], number: str, one: dict[str, Any]) -> str:
    return (
        f"| {kind[0]} | {kind[1]} | {number} | {one['events_per_s']:,.0f} | {one['p50_ms']:.0f} | "
        f"{one['p99_ms']:.0f} | {one['max_ms']:.0f} | {one['server_cpu_us_per_event']:.0f} | "
        f"{one['sync_ms']:.1f} | {100 * one['others_share']:.0f} % |"
    )


def long_lines(one: dict[str, Any]) -> list[str]:
    slices = ", ".join(f"{part:,.0f}" for part in one["slices"])
    total = one["events_per_s"] * one["seconds"]
    return [
        f"For {one['seconds']:.0f} seconds, 50 a request, {total:,.0f} events: "
        f"{one['events_per_s']:,.0f} events/s, p99 {one['p99_ms']:.0f} ms, others "
        f"{100 * one['others_share']:.0f} %. By tenths of the time: {slices}."
    ]


def index_lines(found: dict[str, Any]) -> list[str]:
    head = [
        f"Appending {found['events']:,} events in commits of {found['events_per_commit']:,}, "
        "nothing else:",
        "",
        "| way | events/s | CPU µs/event |",
        "|---|---|---|",
    ]
    return head + [
        f"| {way} | {one['events_per_s']:,.0f} | {one['cpu_us_per_event']:.1f} |"
        for way, one in found["ways"].items()
    ]


def kill_lines(found: dict[str, dict[str, Any]]) -> list[str]:
    head = [
        "| kill -9 | kills | acknowledged meanwhile | of these lost | doubled | never taken |",
        "|---|---|---|---|---|---|",
    ]
    words = {"ours": "this intake", "control": "control: acknowledges, then writes"}
    return head + [
        f"| {words[name]} | {one['kills_count']:,} | {one['acknowledged_count']:,} | "
        f"{one['lost_count']:,} | {one['doubled_count']:,} | {one['unsent_count']:,} |"
        for name, one in found.items()
    ]


def draw(found: dict[str, Any], folder: Path) -> None:
    """Events a second of each round against the goal, with its p99."""
    import matplotlib.pyplot as plt

    from tierwise import plots

    plots.style()
    kinds = by_kind(found["load"])
    figure, axes = plt.subplots(1, len(kinds), figsize=(2.6 * len(kinds), 3.6), squeeze=False)
    for one, ((size, connections), of_kind) in zip(axes[0], kinds.items(), strict=True):
        places, speeds = range(1, len(of_kind) + 1), [each["events_per_s"] for each in of_kind]
        one.bar(places, speeds, color=look.BLUE, width=0.7)
        for place, each in zip(places, of_kind, strict=True):
            label = f"p99\n{each['p99_ms']:.0f} ms\nothers\n{100 * each['others_share']:.0f} %"
            one.text(place, 0.04 * max(speeds), label, ha="center", color="white", fontsize=7)
        one.axhline(GOALS[size], color=look.ORANGE)
        one.set_xticks(list(places))
        one.set_xlabel("round")
        goal = f"line: goal {GOALS[size]:,}"
        one.set_title(f"{size} a request,\n{connections} connections,\n{goal}", fontsize=9)
        one.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    axes[0][0].set_ylabel("durable events a second")
    figure.tight_layout()
    plt.close(figure)
    figure_files.save(figure, folder, "intake")
