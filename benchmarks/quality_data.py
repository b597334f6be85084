"""The tables on which learners are compared, and the protocols of each.

Public tables lie in the folder named by the environment variable TIERWISE_REAL_DATA, one folder
per data set; they are not part of the repository. Calls come with the repository, and the
simulated world from its pipeline. Columns that are known only after the decision are left out:
the length of a call, what sales typed into a lead, what was worked out from the sale itself.
"""

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from quality_protocols import Protocol
from quality_splits import (
    Table,
    frozen,
    official_split,
    random_folds,
    random_split,
    rolling,
    rolling_dates,
)

from tierwise import adopt, context, dataset, leakage, sections
from tierwise import examples as ex
from tierwise.applications import table as flat
from tierwise.files import InputError

ROOT = Path(__file__).parents[1]
FOLDER_VARIABLE = "TIERWISE_REAL_DATA"
# Typed in by sales after contact, or overwritten by whatever happened last.
SALES_ENTERED = [
    *("Tags", "Lead Quality", "Lead Profile", "Last Notable Activity"),
    *(f"Asymmetrique {of} {what}" for of in ("Activity", "Profile") for what in ("Index", "Score")),
]
CODES = ["OperatingSystems", "Browser", "Region", "TrafficType", "Weekend"]


def real(path: str) -> Path:
    """A file below TIERWISE_REAL_DATA. Raises InputError where there is none."""
    folder = os.environ.get(FOLDER_VARIABLE, "")
    if not folder:
        raise InputError(f"{FOLDER_VARIABLE} names no folder with the public tables")
    found = Path(folder) / path
    if not found.is_file():
        raise InputError(f"{path} is not in the folder that {FOLDER_VARIABLE} names")
    return found


def ready(raw: pd.DataFrame) -> pd.DataFrame:
    """Numbers as float64, everything else as text with "(missing)"; constant columns stay."""
    return pd.DataFrame(
        {
            name: raw[name].astype("float64")
            if pd.api.types.is_numeric_dtype(raw[name]) and raw[name].dtype != bool
            else raw[name].astype("str").where(raw[name].notna(), dataset.MISSING)
            for name in raw
        }
    )


def bank() -> Table:
    """Telemarketing of a bank, 2008 to 2010 in order of date, without the length of the call."""
    raw = pd.read_csv(real("bank/bank-additional-full.csv"), sep=";", keep_default_na=False)
    won = (raw.pop("y") == "yes").to_numpy(dtype=int)
    # The file names no day, but its rows are in order and a day has one name.
    names = raw[["month", "day_of_week"]]
    days = (names != names.shift()).any(axis=1).cumsum().to_numpy(dtype=float)
    return Table("bank", ready(raw.drop(columns="duration")), won, days=days)


def xeducation() -> Table:
    """Leads of an education company in order of their number, without what sales typed in."""
    raw = pd.read_csv(real("xeducation/Leads.csv"), na_values=["Select"])
    raw = raw.sort_values("Lead Number", kind="stable", ignore_index=True)
    won = raw.pop("Converted").to_numpy(dtype=int)
    raw = raw.drop(columns=["Prospect ID", "Lead Number", *SALES_ENTERED])
    return Table("xeducation", ready(raw), won)


def online_shoppers() -> Table:
    """Sessions in a shop; PageValues is worked out from the sales themselves."""
    raw = pd.read_csv(real("online_shoppers/online_shoppers_intention.csv"))
    won = raw.pop("Revenue").to_numpy(dtype=int)
    raw[CODES] = raw[CODES].astype("str")
    return Table("online_shoppers", ready(raw.drop(columns="PageValues")), won)


def coil2000() -> Table:
    """Who bought a caravan policy; train and test as the challenge had them."""
    raw = pd.read_csv(real("coil2000/coil2000_ticdata.csv"))
    judged = (raw.pop("split") == "test").to_numpy()
    labels = raw.pop("CARAVAN").astype("str").str.lower()
    return Table(
        "coil2000",
        ready(raw),
        labels.isin(["1", "insurance", "yes"]).to_numpy(int),
        official=judged,
    )


def bank_calls() -> Table:
    """The calls of the repository, as its own pipeline reads them."""
    return application("bank_calls")


def world() -> Table:
    """Looks at open deals of the simulated marketplace, features as the pipeline computed them."""
    folder = ROOT / "models" / "leads"
    paths = [folder / "examples.parquet", folder / "features.parquet"]
    if not all(path.is_file() for path in paths):
        raise InputError("models/leads is missing: run dvc repro build_features@leads")
    examples, features = (pd.read_parquet(path) for path in paths)
    own = features.drop(columns=list(context.NAMES), errors="ignore")
    return dated("world", ready(own), examples)


def dated(name: str, columns: pd.DataFrame, examples: pd.DataFrame) -> Table:
    """examples: entity_id, as_of (ascending), outcome, outcome_known_at.

    Row numbers need no clock.
    """
    outcome = examples["outcome"].to_numpy(dtype=int)
    ids = examples["entity_id"]
    cases = ids.to_numpy() if ids.duplicated().any() else None
    if not ex.is_dated(examples["as_of"]):
        return Table(name, columns, outcome, cases=cases)
    clocks = (examples[c].to_numpy("datetime64[us]") for c in ("as_of", "outcome_known_at"))
    return Table(name, columns, outcome, *clocks, cases=cases)


def application(name: str) -> Table:
    """A flat file that has a section in params.yaml, such as `tierwise adopt` writes."""
    found = sections.parse(sections.read(ROOT / "params.yaml"))["applications"]
    section = found.get(name, {}).get("build_features", {})
    if section.get("kind") != "table":
        raise InputError(
            f"{name!r} is neither a data set of this benchmark ({', '.join(TABLES)}), nor a file, "
            "nor a flat file with a section in params.yaml (see tierwise adopt --help)"
        )
    return from_section(name, section)


def adopted(answers: adopt.Answers) -> Table:
    """A file that nobody has described yet, read as `tierwise adopt` would."""
    section = adopt.examine(answers, ROOT).section["build_features"]
    return from_section(answers.name, section)


def from_section(name: str, section: dict) -> Table:
    """Rows and columns of a section; what its leak guard refuses is named and left out."""
    question = section["question"]
    raw = flat.read((ROOT / section["source"]).resolve(), question)
    examples, columns, _ = flat.build(raw, question)
    examples["span"] = ex.spans(examples, section["tune_share"], section["judge_share"])
    early = ex.before_judging(examples)
    found = leakage.audit(
        columns[early],
        examples.loc[early, "as_of"],
        examples.loc[early, "outcome"].to_numpy(),
        section["leak_guard"],
        examples.loc[early, "entity_id"],
    )
    decided = leakage.decide(found, dict(section["leave_out"]), dict(section["allow"]))
    print(f"{name}\n{leakage.announcement(decided)}", flush=True)
    honest = columns.drop(columns=decided.loc[decided["refused"], "column"])
    features, _ = dataset.ready(honest, examples["as_of"])
    return dated(name, ready(features), examples)


class Plan(NamedTuple):
    """A protocol still to be built, and the fits that it takes."""

    data: str
    build: Callable[[str, Table], Protocol]


def every(rows: int, late_rows: int = 0) -> Callable[[str, Table], Protocol]:
    return partial(rolling, every_rows=rows, late_rows=late_rows)


TABLES: dict[str, Callable[[], Table]] = {
    "bank": bank,
    "xeducation": xeducation,
    "bank_calls": bank_calls,
    "online_shoppers": online_shoppers,
    "coil2000": coil2000,
    "world": world,
}
PLANS: dict[str, Plan] = {
    "bank_rand": Plan("bank", random_split),
    "bank_time": Plan("bank", frozen),
    "bank_roll2500": Plan("bank", every(2500)),
    "bank_roll500": Plan("bank", every(500)),
    "bank_roll250": Plan("bank", every(250)),
    "bank_delay1000": Plan("bank", every(500, late_rows=1000)),
    "leads_clean": Plan("xeducation", random_folds),
    "leads_clean_time": Plan("xeducation", frozen),
    "leads_clean_roll500": Plan("xeducation", every(500)),
    "calls_time": Plan("bank_calls", frozen),
    "calls_roll": Plan("bank_calls", every(500)),
    "shoppers_rand": Plan("online_shoppers", random_folds),
    "coil_official": Plan("coil2000", official_split),
    "world_roll": Plan("world", partial(rolling_dates, refits_count=8)),
}


def plans_of(data: str) -> dict[str, Plan]:
    """The protocols of a data set; a file of one's own gets one of each kind."""
    own = {name: plan for name, plan in PLANS.items() if plan.data == data}
    kinds = {"rand": random_folds, "time": frozen, "roll500": every(500)}
    return own or {f"{data}_{kind}": Plan(data, build) for kind, build in kinds.items()}


def judged_counts(protocol: Protocol) -> tuple[int, int]:
    """Rows and wins that are judged."""
    return len(protocol.judged), int(np.sum(protocol.outcome[protocol.judged]))
