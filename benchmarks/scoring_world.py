"""Models to score with, and snapshots with as many open deals as one likes.

One simulated world is fitted on and then repeated. A copy holds the world's open deals and all that
belongs to them, with ids of its own and every organisation's past moved back by up to two weeks, so
that no two copies have the same columns. Each has representatives of its own, but for a few copies
that share them. The tables are written as `snapshot.fetch` lays them out.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from tqdm import tqdm

from tierwise import (
    calibration,
    candidates,
    card,
    context,
    dataset,
    export,
    files,
    hour,
    models,
    scoring,
    snapshot,
    tiers,
    words,
)
from tierwise.applications import leads
from tierwise.simulation import world
from tierwise.simulation.settings import Settings

SEED = 7
LEAKS = ["closing_note_length_count", "final_discount_share", "lost_reason"]
SHARES = {"A": 0.2, "B": 0.3, "C": 0.5}
ID_STEP = 100_000_000  # more than any id of one world
SHIFT_US = 14 * 86_400_000_000
DEALS_PER_REP, REP_STEP = 250, 1000
OF_ORGANIZATIONS = ("events", "job_posts", "ad_clicks", "organizations")
OF_DEALS = ("deals", "deal_changes", "activities")
MODELS = TREES, BLEND, LOGISTIC = "500 trees", "blend", "logistic regression"
BIG = {"n_estimators": 500, "max_depth": 6, "learning_rate": 0.03}
Tables = dict[str, pd.DataFrame]


def question() -> dict[str, Any]:
    return leads_section()["build_features"]["question"]


def leads_section() -> dict[str, Any]:
    return files.params(Path(__file__).parents[1])["applications"]["leads"]


def simulate(folder: Path, deals_count: int) -> Path:
    """A small world as a snapshot in one part."""
    world.write(folder / "raw", Settings(deals_count=deals_count))
    snapshot.fetch(folder / "raw", folder / "small", partition_rows_count=10**9)
    return folder / "small"


# models


def fit_models(
    folder: Path, small: Path, big: dict[str, Any] = BIG, names: tuple[str, ...] = MODELS
) -> None:
    """models/NAME for each model: what `scorer` reads. big: settings of the 500 trees."""
    examples, columns, _ = leads.build(leads.read(small, question()), question())
    features, _ = dataset.ready(
        columns.drop(columns=LEAKS), examples["as_of"], examples["entity_id"]
    )
    outcome = examples["outcome"].to_numpy()
    times = context.columns(examples["as_of"], examples["outcome_known_at"], examples["outcome"])
    seen = features.join(times)
    now = leads.at_hour(snapshot.parts(small)[0], question(), last_hour(small))
    left_out = [{"column": name} for name in now.columns[5:] if name not in features]
    kept = [{"column": name} for name in features]
    built = {"columns": kept, "quarantined": [], "left_out": left_out}
    fits = {
        TREES: (features, lambda: trees(features, outcome, big)),
        LOGISTIC: (
            features,
            lambda: models.fit("logistic_regression", features, outcome)[0],
        ),
        BLEND: (seen, lambda: blend(seen, outcome)),
    }
    for name in names:
        table, fit = fits[name]
        keep(folder / "models" / name, fit(), table, built)


def trees(features: pd.DataFrame, outcome: np.ndarray, settings: dict[str, Any]) -> models.Model:
    """A large model: 500 trees of depth 6, no early stopping."""
    model = candidates.trees(features, **settings, subsample=0.8, colsample_bytree=0.8)
    model.named_steps["model"].fit(model[:-1].transform(features), outcome)
    return models.Model((model,))


def blend(features: pd.DataFrame, outcome: np.ndarray) -> models.Model:
    """Both parts of our blend, half and half: weights cost nothing, so any will do."""
    parts = [models.fit(name, features, outcome)[0].parts[0] for name in candidates.BLENDED]
    return models.Model(tuple(parts), (0.5, 0.5), 0.0)


def keep(folder: Path, model: models.Model, features: pd.DataFrame, built: dict[str, Any]) -> None:
    folder.mkdir(parents=True)
    calibrator = calibration.straight("sigmoid", -0.1, 0.9)
    files.write_bytes(folder / "model.onnx", export.to_onnx(model, calibrator, features))
    files.write_bytes(folder / "model.skops", export.to_skops(model, calibrator))
    names = [item.name for item in scoring.session(folder / "model.onnx").get_inputs()]
    shown = {"columns": card.columns(features[names]), "tiers_by": tiers.RANKED}
    shown |= {"tier_shares": SHARES, "tier_cuts_score": {}, "entity": "open deal"}
    files.write_json(folder / "card.json", shown | {"simulated": True}, 9)
    files.write_json(folder / "built.json", built)
    files.write_parquet(folder / "learned.parquet", features[names])


def scorer(folder: Path) -> hour.Scorer:
    """What an hour needs, as `hour.scorer` gives it."""
    shown, built = (json.loads((folder / f"{n}.json").read_text()) for n in ("card", "built"))
    learned = pd.read_parquet(folder / "learned.parquet")
    told = leads_section()["explain_scores"]
    said = words.dictionary(list(learned), told["words"], told["families"])
    asked = question()
    return hour.Scorer("leads", leads, asked, folder, shown, built, learned, said, "benchmark.1")


def last_hour(tables: Path) -> pd.Timestamp:
    return hour.full_hour(pd.Timestamp(snapshot.about(tables)["data_until"]))


def write_rows(folder: Path, learned: pd.DataFrame, rows: int, partition: int) -> None:
    """Rows of a model's columns, drawn from those learned from; half the numbers moved a little."""
    folder.mkdir(parents=True)
    random = np.random.default_rng(SEED)
    for number, start in enumerate(range(0, rows, partition)):
        at = random.integers(len(learned), size=min(partition, rows - start))
        drawn = learned.iloc[at].reset_index(drop=True)
        for name in drawn.select_dtypes("number"):
            factor = np.where(random.random(len(drawn)) < 0.5, random.normal(1, 0.1, len(drawn)), 1)
            drawn[name] = (drawn[name] * factor).astype("float32")
        files.write_parquet(folder / f"part-{number:03d}.parquet", drawn)


# tables


def open_only(small: Path, events_per_deal: float) -> Tables:
    """Deals that are open at the last hour and all that belongs to them, before that hour.

    events_per_deal: of the product, on average. Fewer than there are: a sample; more: repeated,
    each repetition up to two weeks earlier.
    """
    part, until = snapshot.parts(small)[0], last_hour(small)
    found = {name: snapshot.read(part, name) for name in snapshot.CRM}
    ids = leads.at_hour(part, question(), until)["entity_id"].astype("int64")
    for name in OF_DEALS:
        found[name] = found[name][found[name]["deal_id"].isin(ids)]
    changes = found["deal_changes"]
    found["deal_changes"] = changes[changes["field"] != "merged_into"]
    whose = found["deals"]["organization_id"]
    for name in (*OF_ORGANIZATIONS, "persons"):
        found[name] = found[name][found[name]["organization_id"].isin(whose)]
    for name in (*OF_ORGANIZATIONS, *OF_DEALS):
        found[name] = found[name][found[name]["known_at"] < until].reset_index(drop=True)
    found["events"] = as_many(found["events"], round(events_per_deal * len(ids)))
    return found


def as_many(events: pd.DataFrame, count: int) -> pd.DataFrame:
    random = np.random.default_rng(SEED)
    whole, rest = divmod(count, len(events))
    at = random.choice(len(events), rest, replace=False)
    at = np.sort(np.concatenate([np.tile(np.arange(len(events)), whole), at]))
    found = events.iloc[at].reset_index(drop=True)
    again = pd.Series(at).duplicated().to_numpy()
    back = pd.to_timedelta(random.integers(0, SHIFT_US, len(found)) * again, unit="us")
    for name in ("occurred_at", "known_at"):
        found[name] = (found[name] - back).astype("datetime64[us]")
    found["event_id"] = "e" + found.index.astype("str")
    return found.sort_values(["organization_id", "known_at"], ignore_index=True)


def copies_per_team(tables: Tables) -> int:
    return max(1, round(DEALS_PER_REP * len(tables["users"]) / len(tables["deals"])))


def repeated(tables: Tables, first: int, count: int, deals_count: int) -> Tables:
    """Copies number `first` to first + count - 1, but only the first `deals_count` deals."""
    random = np.random.default_rng([SEED, first])
    own = tables["organizations"]["organization_id"].unique()
    back = random.integers(0, SHIFT_US, (count, len(own)))
    back[0, :] *= first > 0  # the very first copy is the world itself
    found, shared = {}, copies_per_team(tables)
    for name in (*OF_DEALS, *OF_ORGANIZATIONS, "persons"):
        table = tables[name]
        copy = np.repeat(np.arange(count), len(table))
        wide = table.iloc[np.tile(np.arange(len(table)), count)].reset_index(drop=True)
        found[name] = renumbered(name, wide, first + copy, shared)
        earlier = back[copy, np.searchsorted(own, wide["organization_id"])]
        for time in ("occurred_at", "known_at"):
            if time in wide:
                moved = wide[time].to_numpy("datetime64[us]") - earlier.astype("timedelta64[us]")
                found[name][time] = moved
    return cut(found, deals_count)


def renumbered(name: str, table: pd.DataFrame, copy: np.ndarray, shared: int) -> pd.DataFrame:
    """With ids of that copy. Representatives belong to so many copies together."""
    ids = [c for c in ("deal_id", "organization_id", "person_id") if c in table]
    found = table.assign(**{c: table[c] + copy * ID_STEP for c in ids})
    if name in ("deal_changes", "activities", "events", "job_posts", "ad_clicks"):
        key = snapshot.KEYS[name][0]
        found[key] = table[key] + "." + pd.Series(copy).astype("str")
    if name == "deal_changes":
        owns = (table["field"] == "owner").to_numpy()
        team = copy[owns] // shared
        who = table.loc[owns, "new_value"].astype("int64").to_numpy() + team * REP_STEP
        found.loc[owns, "new_value"] = pd.Series(who, found.index[owns]).astype("str")
    return found


def cut(tables: Tables, deals_count: int) -> Tables:
    deals = tables["deals"].head(deals_count)
    last = deals["organization_id"].iloc[-1]
    found = {n: t[t["organization_id"] <= last] for n, t in tables.items()}
    for name in OF_DEALS:
        found[name] = found[name][found[name]["deal_id"].isin(deals["deal_id"])]
    return found


def write_snapshot(
    folder: Path, tables: Tables, about: dict[str, Any], deals_count: int, parts_count: int
) -> dict[str, int]:
    """A snapshot with so many open deals; rows by table. about: that of the small world."""
    folder.mkdir(parents=True)
    each = len(tables["deals"])
    rows = dict.fromkeys(snapshot.CRM, 0)
    persons: list[pa.Table] = []
    first = 0
    ends = np.linspace(0, deals_count, parts_count + 1).round().astype(int)
    width = max(3, len(str(parts_count - 1)))
    for number, size in enumerate(tqdm(np.diff(ends), desc="partitions made", disable=None)):
        count = int(np.ceil(size / each))
        found = repeated(tables, first, count, int(size))
        first += count
        persons.append(as_table(found.pop("persons")))
        for name, table in found.items():
            rows[name] += len(table)
            place = folder / f"part-{number:0{width}d}" / f"{name}.parquet"
            snapshot.write(name, as_table(table), place)
    everybody = pa.concat_tables(persons)
    rows["persons"] = len(everybody)
    snapshot.write("persons", everybody, folder / "persons.parquet")
    users = team_of(tables["users"], -(-first // copies_per_team(tables)))
    rows["users"] = len(users)
    snapshot.write("users", as_table(users), folder / "users.parquet")
    told = {"parts_count": parts_count, "data_until": about["data_until"], "tables": {}}
    files.write_json(folder / "snapshot.json", told)
    return rows


def as_table(frame: pd.DataFrame) -> pa.Table:
    return pa.Table.from_pandas(frame, preserve_index=False).replace_schema_metadata(None)


def team_of(users: pd.DataFrame, copies: int) -> pd.DataFrame:
    copy = np.repeat(np.arange(copies), len(users))
    wide = users.iloc[np.tile(np.arange(len(users)), copies)].reset_index(drop=True)
    return wide.assign(user_id=wide["user_id"] + copy * REP_STEP)
