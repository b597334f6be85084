"""What `story.py` found: story.json, a table and two paragraphs in story.md, a figure."""

import json
from pathlib import Path
from typing import Any, NamedTuple

import figure_files

from tierwise import files

Found = dict[str, Any]
FOREST, OURS, TRUTH = "random forest", "ours", "truth"
MODELS = (FOREST, OURS, TRUTH)
SHARES = {"A": 0.20, "B": 0.30, "C": 0.50}
# As it was told; the deals behind it are not public.
STORY = {"accuracy": 0.76, "f1": 0.68, "won_share": 0.25, "A": 0.42, "B": 0.21, "C": 0.07}
NAMES = {model: f"{model}, simulated" for model in (FOREST, OURS)}
NAMES[TRUTH] = "true chances, simulated"
HEAD = """# The story of a random forest, told again on a simulated world

Written by `python benchmarks/story.py`, which says what a row, an outcome and a rule are. All
figures but the story's own are **simulated**: means over {worlds}, lowest and highest in brackets.
The last column uses the chances that the simulator drew from; no model can do better but by luck.
"""
# Label -> path in a row, the story's cell, kind.
ROWS: list[tuple[str, tuple[str, ...], str, str]] = [
    ("accuracy at one half", ("rules", "half", "accuracy"), "76 %", "share"),
    ("accuracy of always-lost", ("always_lost",), "75 %", "share"),
    ("F1 at one half", ("rules", "half", "f1"), "68 %, rule not told", "share"),
    ("F1, threshold of earlier rows", ("rules", "earlier", "f1"), "–", "share"),
    ("F1, threshold of each open list", ("rules", "open_list", "f1"), "–", "share"),
    ("precision there", ("rules", "open_list", "precision"), "–", "share"),
    ("recall there", ("rules", "open_list", "recall"), "–", "share"),
    ("accuracy there", ("rules", "open_list", "accuracy"), "–", "share"),
    ("F1 at one half, both classes weighted", ("rules", "half", "f1_weighted"), "–", "share"),
    ("called at break-even", ("rules", "break_even", "called_share"), "–", "share"),
    ("F1 there", ("rules", "break_even", "f1"), "–", "share"),
    ("profit there, € per deal", ("rules", "break_even", "profit_eur_per_deal"), "–", "eur"),
    ("AUC", ("auc",), "–", "number"),
    ("log loss", ("log_loss",), "–", "number"),
    ("calibration error", ("ece",), "–", "number"),
    ("**A**, top 20 %, won", ("tiers", "A"), "42 %", "share"),
    ("**B**, 20 to 50 %, won", ("tiers", "B"), "21 %", "share"),
    ("**C**, the rest, won", ("tiers", "C"), "7 %", "share"),
]


class Spread(NamedTuple):
    """One figure over all worlds."""

    mean: float
    low: float
    high: float


def write_report(found: Found, folder: Path) -> None:
    """story.json, story.md, story.svg and story.png, each replaced as a whole.

    found: simulated, worlds (one dict per seed), rows (one per seed and model).
    """
    text = json.dumps(found, indent=1, ensure_ascii=False, allow_nan=False)
    files.write_text(folder / "story.json", text + "\n")
    files.write_text(folder / "story.md", page(found))
    draw(found, folder)


def page(found: Found) -> str:
    count = len(found["worlds"])
    head = HEAD.format(worlds=f"{count} worlds" if count > 1 else "one world")
    parts = [head, *table(found), "", said(found), "", arithmetic(found), ""]
    parts += ["![Share of wins by tier](story.svg)", "", "## The worlds", "", *worlds(found)]
    return "\n".join(parts) + "\n"


def spread(found: Found, model: str, path: tuple[str, ...]) -> Spread | None:
    """None where the model has no such figure in some world."""
    lost = {world["seed"]: 1 - world["later_won_share"] for world in found["worlds"]}
    values = []
    for row in found["rows"]:
        if row["model"] == model:
            value: Any = row | {"always_lost": lost[row["seed"]]}
            for name in path:
                value = value.get(name) if value else None
            values.append(value)
    if not values or any(value is None for value in values):
        return None
    return Spread(sum(values) / len(values), min(values), max(values))


def written(value: float, kind: str) -> str:
    if kind == "share":
        return f"{100 * value:.1f}"
    return f"{value:,.0f}" if kind == "eur" else f"{value:.3f}"


def cell(figure: Spread | None, kind: str) -> str:
    if figure is None:
        return "–"
    unit = " %" if kind == "share" else ""
    mean, low, high = (written(value, kind) for value in figure)
    return f"{mean}{unit}" + (f" ({low} to {high})" if figure.low < figure.high else "")


def table(found: Found) -> list[str]:
    lines = [f"| | story | {' | '.join(NAMES.values())} |", "|---" * (2 + len(NAMES)) + "|"]
    for label, path, told, kind in ROWS:
        cells = [cell(spread(found, model, path), kind) for model in MODELS]
        lines.append(f"| {label} | {told} | {' | '.join(cells)} |")
    return lines


def percent(found: Found, model: str, *path: str) -> str:
    figure = spread(found, model, path)
    return f"{100 * figure.mean:.1f} %" if figure else "–"


def rates(found: Found, model: str) -> str:
    figures = [spread(found, model, ("tiers", tier)) for tier in SHARES]
    return " / ".join(f"{100 * figure.mean:.0f}" if figure else "–" for figure in figures) + " %"


def said(found: Found) -> str:
    """What can and what can't be concluded, from the figures."""
    f1 = {rule: percent(found, FOREST, "rules", rule, "f1") for rule in ("half", "earlier")}
    return (
        "**What this says.** On the later deals of this simulated world always-lost is right in "
        f"{percent(found, FOREST, 'always_lost')} of the cases and the forest in "
        f"{percent(found, FOREST, 'rules', 'half', 'accuracy')}: accuracy says little where losses "
        "are the rule, and the story's 76 % says as little, since always-lost would already have "
        f"had 75 %. Its F1 is {f1['half']} at one half and {f1['earlier']} at a threshold that "
        "earlier deals chose; moving a threshold changes F1 and nothing about the order. In order, "
        f"its tiers won {rates(found, FOREST)}, ours {rates(found, OURS)}, those of the true "
        f"chances {rates(found, TRUTH)}, beside the story's 42 / 21 / 7 %. {versus(found)} "
        f"{reach(found)} None of this is a test of the story: it comes without its data, this is "
        "another world, and share of wins, horizon and moment of decision were chosen here. Tiers "
        "that look alike don't confirm it, tiers that differ don't refute it. What carries over is "
        "the shape: which figures say something at one win in four, and how far a forest and we "
        "stand from the best that was possible, where that is known."
    )


def versus(found: Found) -> str:
    """Ours against the forest, world by world."""
    by_seed: dict[int, dict[str, float]] = {}
    for row in found["rows"]:
        by_seed.setdefault(row["seed"], {})[row["model"]] = row["auc"]
    ahead = sum(auc[OURS] > auc[FOREST] for auc in by_seed.values())
    mean = {m: sum(auc[m] for auc in by_seed.values()) / len(by_seed) for m in MODELS}
    return (
        f"Ours ranks better than the forest in {ahead} of {len(by_seed)} worlds (mean AUC "
        f"{mean[OURS]:.3f} against {mean[FOREST]:.3f}; {mean[TRUTH]:.3f} for the truth). "
        + missed(found)
    )


def missed(found: Found) -> str:
    """How far off the chances are: the order says nothing about that."""
    ours, forest = (spread(found, model, ("ece",)) for model in (OURS, FOREST))
    if ours is None or forest is None:
        return ""
    before, after = (
        sum(world[f"{span}_won_share"] for world in found["worlds"]) / len(found["worlds"])
        for span in ("early", "later")
    )
    return (
        f"Its chances miss by {100 * ours.mean:.1f} points on average ({100 * ours.low:.1f} to "
        f"{100 * ours.high:.1f} in a world), the forest's by {100 * forest.mean:.1f}; the "
        f"share of wins went from {100 * before:.1f} % to {100 * after:.1f} % meanwhile."
    )


def reach(found: Found) -> str:
    """Whether the story's F1 could be had here at all."""
    best = spread(found, TRUTH, ("rules", "open_list", "f1"))
    if best is None:
        return ""
    there = f"With the true chances themselves F1 of the wins is {100 * best.mean:.1f} %"
    if best.high < STORY["f1"]:
        return f"{there}, so the story's 68 % is out of reach here for any model."
    return f"{there}."


def f1_most(shares: dict[str, float], won: dict[str, float]) -> float:
    """The highest F1 of any top of the order that tiers of these shares and rates allow.

    As if inside the tier where the line falls all wins came first.
    """
    wins = sum(shares[tier] * won[tier] for tier in shares)
    best = called = hit = 0.0
    for tier, share in shares.items():
        own = share * won[tier]
        best = max(best, 2 * (hit + own) / (called + own + wins))
        called, hit = called + share, hit + own
    return best


def f1_of_tier(shares: dict[str, float], won: dict[str, float], tier: str) -> float:
    """F1 of calling this tier and nobody else."""
    wins = sum(shares[name] * won[name] for name in shares)
    return 2 * shares[tier] * won[tier] / (shares[tier] + wins)


def wins_called(accuracy: float, f1: float) -> float:
    """Share of all deals that are wins and called, from accuracy and F1 at one threshold."""
    return f1 * (1 - accuracy) / (2 * (1 - f1))


def weighted_f1(won_share: float, called_share: float, precision: float) -> float:
    """F1 as the mean of both classes, weighted by their sizes, of one list. Shares of all deals."""
    hit = called_share * precision
    wrong = called_share - hit + won_share - hit
    won = 2 * hit / (2 * hit + wrong)
    right_lost = 1 - wrong - hit
    lost = 2 * right_lost / (2 * right_lost + wrong)
    return won_share * won + (1 - won_share) * lost


def arithmetic(found: Found) -> str:
    """What the story's figures say about each other; only the forest's share is simulated."""
    mean = sum(SHARES[tier] * STORY[tier] for tier in SHARES)
    need = wins_called(STORY["accuracy"], STORY["f1"])
    return (
        f"**The story's own figures.** Its tiers average {100 * mean:.1f} % and not 25 %: the list "
        "they were judged on won less than the deals before. A list with such tiers can't have an "
        f"F1 above {100 * f1_most(SHARES, STORY):.0f} %, and has "
        f"{100 * f1_of_tier(SHARES, STORY, 'A'):.0f} % if A alone is called. Accuracy 76 % and F1 "
        f"68 % at one threshold mean that {100 * need:.1f} % of all deals were wins and called, "
        "where about 25 % were won at all: hardly one missed. So the three figures belong to "
        "different lists, thresholds or kinds of F1, or one is told wrongly. One kind that would "
        "fit is the mean of both classes, weighted by size: a forest that calls 3 % of the deals, "
        "two of three rightly, "
        f"has accuracy 76 % and {100 * weighted_f1(STORY['won_share'], 0.03, 2 / 3):.0f} % of it, "
        f"and always-lost has {100 * weighted_f1(STORY['won_share'], 0, 0):.0f} %. The simulated "
        f"forest calls {percent(found, FOREST, 'rules', 'half', 'called_share')} at one half. "
        "The story doesn't tell which it is."
    )


def worlds(found: Found) -> list[str]:
    head = [
        *("seed", "deals", "closed before", "won of them", "outcomes to learn from", "won"),
        *("later deals from", "later deals", "won", "refused by the leak guard"),
    ]
    lines = [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    for one in found["worlds"]:
        cells = [
            *(str(one["seed"]), f"{one['deals_count']:,}", f"{one['closed_count']:,}"),
            *(f"{100 * one['closed_won_share']:.1f} %", f"{one['early_count']:,}"),
            *(f"{100 * one['early_won_share']:.1f} %", one["judged_from"]),
            *(f"{one['later_count']:,}", f"{100 * one['later_won_share']:.1f} %"),
            ", ".join(f"`{name}`" for name in one["refused"]) or "none",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def draw(found: Found, folder: Path) -> None:
    """Bars per tier: the story, then means over worlds with a line from lowest to highest."""
    import matplotlib.pyplot as plt

    from tierwise import look, plots

    plots.style()
    colours = (look.ORANGE, look.BLUE, look.TIER_COLOURS["A"])
    figure, axes = plt.subplots(figsize=(7.2, 4.2))
    bars(axes, 0, [Spread(STORY[tier], STORY[tier], STORY[tier]) for tier in SHARES], look.GREY)
    for place, (model, colour) in enumerate(zip(MODELS, colours, strict=True), 1):
        bars(axes, place, [spread(found, model, ("tiers", tier)) for tier in SHARES], colour)
    marks = [plt.Rectangle((0, 0), 1, 1, color=c) for c in (look.GREY, *colours)]
    names = ["the story, as told", *NAMES.values()]
    axes.legend(marks, names, ncols=2, loc="lower left", bbox_to_anchor=(0, 1.0))
    axes.set_xticks(range(3), ["A\ntop 20 %", "B\n20 to 50 %", "C\nthe rest"])
    axes.set_ylabel("share that won")
    axes.yaxis.set_major_formatter(look.SHARE)
    axes.grid(axis="x", visible=False)
    figure_files.save(look.finish(figure), folder, "story")


def bars(axes: Any, place: int, figures: list[Spread | None], colour: str) -> None:
    """The bars of one model at its place (0 to 3) in the group of each tier."""
    from tierwise import look

    for tier, figure in enumerate(figures):
        if figure is None:
            continue
        x = tier + 0.2 * (place - 1.5)
        axes.bar(x, figure.mean, width=0.18, color=colour)
        if figure.high > figure.low:
            axes.vlines(x, figure.low, figure.high, color=look.INK, linewidth=1.4)
        label = f"{100 * figure.mean:.0f}"
        axes.text(x, figure.high + 0.004, label, ha="center", va="bottom", fontsize=9)
