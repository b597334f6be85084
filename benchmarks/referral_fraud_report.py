"""What `referral_fraud.py` found: referral_fraud.json, and tables in referral_fraud.md."""

from pathlib import Path
from typing import Any

from tierwise import files


def write_report(found: dict[str, Any], folder: Path) -> None:
    files.write_json(folder / "referral_fraud.json", found)
    files.write_text(folder / "referral_fraud.md", text(found))


def text(found: dict[str, Any]) -> str:
    every, seeds = found["all"], found["judged_on_seeds"]
    return "\n".join([
        "# Rings of fraud among referrals",
        "",
        "Written by `python benchmarks/referral_fraud.py`, which says what is measured. "
        f"**Simulated**: {len(seeds)} worlds of about {found['members_count']:,} members (seeds "
        f"{', '.join(map(str, seeds))}). Signs and numbers were chosen on seeds "
        f"{', '.join(map(str, found['developed_on_seeds']))}, and these here only judged. "
        "Intervals are 90 % (Wilson, counts of all worlds together).",
        "",
        "| measure | share | 90 % interval | of | in the worst world |",
        "|---|---|---|---|---|",
        *(measure(found, *one) for one in MEASURES),
        "",
        "Members of rings, by kind; `flagged` is of those whom the rules of attribution credited:",
        "",
        "| kind | rings | claims | refused by rules | flagged | missed | flagged share | 90 % |"
        " rings found |",
        "|---|---|---|---|---|---|---|---|---|",
        *map(kind_row, found["by_kind"]),
        "",
        "Honest friends flagged, in the same worlds and in the same worlds without rings:",
        "",
        "| kind | friends | flagged | share | 90 % | without rings |",
        "|---|---|---|---|---|---|",
        *(
            honest_row(one, other)
            for one, other in zip(found["honest"], found["without_rings"], strict=True)
        ),
        "",
        f"- Without any rings {found['without_rings_flagged_share']:.2%} of friends are flagged.",
        f"- Precision: {every['precision']:.1%} of the flagged are members of rings.",
        f"- One look at a world takes {found['look_seconds']:.2g} processor seconds (median).",
        "- Planted rings are simpler than people who adapt: they are quick, and hardly anybody of "
        "them comes a second day. Rings that take weeks and use their accounts are not planted, "
        "and would not be found.",
    ]) + "\n"  # fmt: skip


MEASURES = (
    ("members of rings flagged, of those credited", "recall", min),
    ("members of rings flagged or refused by the rules", "caught", min),
    ("rings found (half of their claims caught)", "found", min),
    ("honest friends flagged", "honest_flagged", max),
)


def measure(found: dict[str, Any], words: str, name: str, worst: Any) -> str:
    every = found["all"]
    low, high = every[f"{name}_interval"]
    ends = worst(one[name] for one in found["worlds"])
    count = f"{every[f'{name}_count']:,} of {every[f'{name}_of_count']:,}"
    return f"| {words} | {every[name]:.1%} | {low:.1%} – {high:.1%} | {count} | {ends:.1%} |"


def kind_row(one: dict[str, Any]) -> str:
    counts = [
        f"{one[f'{name}_count']:,}" for name in ("ring", "claim", "refused", "flagged", "missed")
    ]
    ends = f"{one['low']:.1%} – {one['high']:.1%}"
    shares = [f"{one['flagged_share']:.1%}", ends, f"{one['found_share']:.1%}"]
    return f"| {' | '.join([one['kind'].replace('_', ' '), *counts, *shares])} |"


def honest_row(one: dict[str, Any], other: dict[str, Any]) -> str:
    ends = f"{one['low']:.1%} – {one['high']:.1%}"
    return (
        f"| {one['kind']} | {one['credited_count']:,} | {one['flagged_count']:,} | "
        f"{one['flagged_share']:.2%} | {ends} | {other['flagged_share']:.2%} |"
    )
