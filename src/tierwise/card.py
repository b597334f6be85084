"""The folder handed to engineers: model, card, checks, checksums. Generated, never typed."""

import os
import shutil
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pandas as pd

from tierwise import examples as ex
from tierwise import files, imports, scoring, thresholds
from tierwise.preparation import categories_of

LIBRARIES = ("numpy", "onnx", "onnxruntime", "pandas", "scikit-learn", "skl2onnx", "skops")
MODEL_FILES = ("model.onnx", "model.skops")
# Of the metrics of select_threshold: whom to contact, and what it is worth.
CONTACT = ("aim", "recall_share", *thresholds.MONEY, "typical_eur", "contacts_per_day_count")


def build(
    application: str, examples: pd.DataFrame, features: pd.DataFrame, steps: dict[str, Any]
) -> dict[str, Any]:
    """card.json as a dict. steps: earlier metrics.

    examples, features: of the rows that the model was fitted on (see `examples.before_judging`),
    in time order.
    """
    first, last = (ex.label(examples["as_of"].iloc[at]) for at in (0, -1))
    built, compared = steps["build_features"], steps["compare_models"]
    chosen, judged = steps["select_threshold"], steps["validate_tiers"]
    model = scoring.session(files.models_path(application, "model.onnx"))
    # A model may do without some columns.
    features = features[[item.name for item in model.get_inputs()]]
    issued = judged["verdict"] != "cannot rank"
    tiered = judged["verdict"] == "supported"
    return {
        "application": application,
        "entity": built["entity"],
        "horizon_days": built["horizon_days"],
        "simulated": built["simulated"],
        "verdict": judged["verdict"],
        "sentence": judged["sentence"],
        "model": compared["candidate"] if issued else None,
        "output": outputs(built["entity"], model) if issued else {},
        "calibration": chosen["calibrator"] if issued else None,
        "contact": {name: chosen[name] for name in CONTACT} if issued else {},
        "threshold_chance": chosen["threshold"] if issued and chosen["aim"] == "profit" else None,
        "tiers_by": judged["way"] if tiered else None,
        "tier_shares": judged["tier_shares"] if tiered else {},
        "tier_cuts_score": judged["cuts"] if tiered else {},
        "tiers": judged["tiers"] if tiered else [],
        "auc": judged["auc"],
        "auc_interval": judged["auc_interval"],
        "columns": columns(features),
        "never_use": built["quarantined"],
        "learned_from": {"rows_count": len(examples), "first": first, "last": last},
        "judged_on": built["spans"][2],
        "data_version": built["data_version"],
        "code_version": imports.code_version(
            imports.watched(files.project_root() / "notebooks" / "export_model.ipynb")
        ),
        "libraries": {name: version(name) for name in LIBRARIES},
    }


def outputs(entity: str, model: onnxruntime.InferenceSession) -> dict[str, str]:
    """The model's two outputs by name, and what they mean."""
    score, chance = (item.name for item in model.get_outputs())
    return {
        score: "ranks: the higher, the earlier; the model's chance before correction, 0 to 1",
        chance: f"calibrated chance that this {entity} is won, 0 to 1",
    }


def columns(features: pd.DataFrame) -> list[dict[str, Any]]:
    """Per input: name, kind, and the values or the usual range that the model has learned from.

    The range holds 98 % of the rows, 1 % lie below and 1 % above it.
    """
    listed = categories_of(features)
    found = []
    for name in features:
        if pd.api.types.is_numeric_dtype(features[name]):
            # Percentiles: the ends of a column are single persons' values.
            limits = features[name].quantile([0.01, 0.99], interpolation="nearest").tolist()
            found.append({"name": name, "kind": "number", "range": limits, "missing": "NaN"})
        else:
            values = sorted(listed.get(name, []))
            found.append(
                {"name": name, "kind": "category", "values": values, "missing": "(missing)"}
            )
    return found


def columns_table(card: dict[str, Any]) -> pd.DataFrame:
    """The card's inputs for a reader: column, kind, known values, missing."""
    rows = []
    for column in card["columns"]:
        if column["kind"] == "number":
            low, high = (f"{float(end):,.4g}" for end in column["range"])
            known = f"{low} to {high}"
        else:
            values = column["values"]
            known = ", ".join(values[:6]) + (f" and {len(values) - 6} more" if values[6:] else "")
        rows.append((column["name"], column["kind"], known, column["missing"]))
    return pd.DataFrame(rows, columns=["column", "kind", "known values", "missing is"])


def checks(card: dict[str, Any], features: pd.DataFrame, onnx: Path, count: int) -> dict[str, Any]:
    """Inputs with the chances that the model gives them.

    Each column is drawn on its own, so no line is somebody's record; the last one has every
    number missing and categories never seen. Numbers are rounded to 3 significant digits
    before scoring, so the text holds exactly what was scored.
    """
    random = np.random.default_rng(0)
    drawn = {}
    for column in card["columns"]:
        values = features[column["name"]].to_numpy()[random.integers(len(features), size=count)]
        if column["kind"] == "number":
            short = np.array([float(f"{value:.3g}") for value in values])
            drawn[column["name"]] = np.r_[short, np.nan].astype("float32")
        else:
            known = set(column["values"])
            common = [value if value in known else "(missing)" for value in values]
            drawn[column["name"]] = np.array([*common, "never seen"], dtype=object)
    inputs = pd.DataFrame(drawn)
    chances = scoring.score(scoring.session(onnx), inputs)["chance"]
    rows = [
        [None if value is None or value != value else as_json(value) for value in row]
        for row in inputs.itertuples(index=False, name=None)
    ]
    return {"columns": list(inputs), "inputs": rows, "chances": [round(c, 9) for c in chances]}


def as_json(value: Any) -> Any:
    return value if isinstance(value, str) else float(f"{value:.3g}")


def write(
    folder: Path, card: dict[str, Any], features: pd.DataFrame, onnx: Path, checks_count: int
) -> None:
    """Replace the folder in one move. Without a model (cannot rank) only the cards are written."""
    # A run whose pipeline was killed may still be writing: no two runs share a name.
    mine = f".{folder.name}.{os.getpid()}"
    partial, old = folder.with_name(f"{mine}.partial"), folder.with_name(f"{mine}.old.partial")
    shutil.rmtree(partial, ignore_errors=True)
    shutil.rmtree(old, ignore_errors=True)
    partial.mkdir(parents=True)
    if card["model"]:
        for name in MODEL_FILES:
            shutil.copyfile(onnx.parent / name, partial / name)
        promised = checks(card, features, onnx, checks_count)
        files.write_json(partial / "checks.json", promised, digits=9)
    files.write_json(partial / "card.json", card)
    files.write_text(partial / "MODEL_CARD.md", markdown(card))
    sums = [f"{files.sha256(path)}  {path.name}\n" for path in sorted(partial.iterdir())]
    files.write_text(partial / "SHA256SUMS", "".join(sums))
    if folder.exists():
        folder.rename(old)
    partial.rename(folder)
    shutil.rmtree(old, ignore_errors=True)


def contents(folder: Path) -> pd.DataFrame:
    """file, bytes, sha256 (first 12 digits) of everything in the folder, by name."""
    rows = [(p.name, p.stat().st_size, files.sha256(p)[:12]) for p in sorted(folder.iterdir())]
    return pd.DataFrame(rows, columns=["file", "bytes", "sha256"])


def markdown(card: dict[str, Any]) -> str:
    """MODEL_CARD.md: the card for people."""
    learned, judged = card["learned_from"], card["judged_on"]
    lines = [
        f"# Model card: {card['application']}",
        "",
        f"**{card['verdict'].capitalize()}.** {card['sentence']}",
        "",
        f"- Question: which {card['entity']} deserves attention first?",
        f"- Model: {(card['model'] or 'none, because nothing ranks').replace('_', ' ')}",
        f"- Learned from {learned['rows_count']:,} rows, {learned['first']} to {learned['last']}",
        f"- Judged once on {judged['rows_count']:,} rows, {judged['first']} to {judged['last']}",
        *corrected_line(card),
        f"- Data {card['data_version']}, code {card['code_version']}"
        + (", simulated data" if card["simulated"] else ""),
        "",
        "## Outputs",
        "",
        *output_lines(card),
        "",
        "## Tiers on later data",
        "",
        *tier_lines(card),
        "",
        "## Never use",
        "",
        *(f"- `{item['column']}`: {item['reason']}" for item in card["never_use"]),
        *([] if card["never_use"] else ["- nothing was refused"]),
        "",
        "## Inputs",
        "",
        *(f"- `{column['name']}` ({column['kind']})" for column in card["columns"]),
    ]
    return "\n".join(lines) + "\n"


def corrected_line(card: dict[str, Any]) -> list[str]:
    """Of a correction by `tierwise recalibrate`."""
    told = card.get("recalibrated")
    if not told:
        return []
    when = f"known from {told['first']} to {told['last']}"
    return [f"- Chances corrected anew from {told['outcomes_count']:,} outcomes {when}"]


def output_lines(card: dict[str, Any]) -> list[str]:
    if not card["model"]:
        return ["- none: no model is handed over"]
    chance = next(name for name in card["output"] if name.startswith("chance"))
    return [
        *(f"- `{name}`: {meaning}" for name, meaning in sorted(card["output"].items())),
        contact_line(chance, card),
    ]


def contact_line(chance: str, card: dict[str, Any]) -> str:
    """Whom to contact: what pays, or the top of each open list that its own chances ask for."""
    aim, threshold = card["contact"]["aim"], card["threshold_chance"]
    room = card["contact"].get("contacts_per_day_count")  # not in older cards
    most = f", at most {room:,.10g} a day, most expected profit first" if room else ""
    if aim == "f1":
        how = f"the top of each open list, as far as `{chance}` expects the highest F1"
    elif aim == "recall":
        share = card["contact"]["recall_share"]
        how = f"the top of each open list in which `{chance}` expects {share:.0%} of wins"
    elif threshold is None:
        how = f"when `{chance}` times the row's value exceeds its cost"
    else:
        how = f"when `{chance}` is at least {threshold:.4f}"
    return f"- contact {how}{most}"


def place(card: dict[str, Any], name: str) -> str:
    """Where a tier begins: a share of the ranked list, or the lowest score."""
    if not card["tier_cuts_score"]:
        names = list(card["tier_shares"])
        upto = [sum(list(card["tier_shares"].values())[:n]) for n in range(len(names) + 1)]
        number = names.index(name)
        return f"{upto[number]:.0%} to {upto[number + 1]:.0%} of the list"
    cut = card["tier_cuts_score"].get(name)
    return "below" if cut is None else f"{cut:.6f}"


def tier_lines(card: dict[str, Any]) -> list[str]:
    if not card["tiers"]:
        return [f"No tiers are issued: {card['verdict']}."]
    what = "lowest score" if card["tier_cuts_score"] else "by rank within a week"
    head = [f"| tier | {what} | rows | converted | 95 % interval |", "|---|---|---|---|---|"]
    rows = []
    for tier in card["tiers"]:
        low, high = tier["interval"]
        rows.append(
            f"| {tier['name']} | {place(card, tier['name'])} | {tier['count']:,} "
            f"| {tier['rate']:.1%} | {low:.1%} to {high:.1%} |"
        )
    return head + rows
