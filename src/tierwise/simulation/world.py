"""Write a simulated world: every table of the CRM, and apart from them the truth.

    <folder>/<table>.parquet                  of a world of one block
    <folder>/<table>/block-000.parquet ...    of a larger one, made and written block by block

Rows are by known_at within a file. The truth, one row per life of a deal, goes to a folder of its
own, so that nobody learns from it by accident.
"""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd
from tqdm import tqdm

from tierwise.files import InputError, read_parquet, write_parquet
from tierwise.simulation import activity, deals, people, reps, tracks
from tierwise.simulation.settings import Settings
from tierwise.simulation.truth import FATES
from tierwise.tables import CRM

TRUTH = "lives"
Tables = dict[str, pd.DataFrame]
TRUTH_COLUMNS = (
    "deal_id", "life", "began_at", "won_share", "gone_share", "won_days", "lost_days",
    "gone_days", "interest", "diligence", "fit", "called", "fate", "ended_at",
)  # fmt: skip


def draw_block(settings: Settings, block: int) -> tuple[dict[str, pd.DataFrame], pd.DataFrame]:
    """All tables of one block but users, and its truth.

    Each family has random numbers of its own, so what happens in the product stays the same
    whatever becomes of the deals.
    """
    who, fate, field, comes, change, rep, track = settings.generator(block).spawn(7)
    cases, organizations = deals.draw_deals(settings, block, who)
    lives = deals.draw_lives(cases, settings, fate)
    owners = activity.owner_changes(lives, settings, comes)
    tables = {
        "deals": deals.deals_table(cases, lives, settings, field),
        "organizations": people.organizations_table(organizations, settings, field),
        "persons": people.persons_table(organizations, settings, field),
        "deal_changes": activity.changes_table(lives, owners, settings, block, change),
        "activities": activity.activities_table(lives, owners, settings, block, rep),
        **tracks.tables(lives, settings, block, track),
    }
    return tables, truth_table(lives)


def truth_table(lives: pd.DataFrame) -> pd.DataFrame:
    """One row per life by deal and life; see truth.py. fate and ended_at are what was drawn."""
    table = lives.sort_values(["deal_id", "life"], ignore_index=True)[list(TRUTH_COLUMNS)]
    return table.assign(fate=np.array(FATES)[table["fate"]])


def write(folder: Path, settings: Settings, truth: Path | None = None) -> None:
    """Write the tables to `folder` and the truth to another one; both replace what is there.

    On any error both stay as they were.
    """
    folder, truth = folder.resolve(), truth and truth.resolve()
    check_places(folder, truth)
    with replaced(folder) as new_folder:
        if truth is None:
            write_blocks(new_folder, settings, None)
        else:
            with replaced(truth) as new_truth:
                write_blocks(new_folder, settings, new_truth)


def write_blocks(folder: Path, settings: Settings, truth: Path | None) -> None:
    """One block at a time, with progress in deals on stderr."""
    write_parquet(folder / "users.parquet", reps.users_table(settings))
    with tqdm(total=settings.deals_count, unit=" deals", desc="simulate") as progress:
        for block in range(settings.blocks_count):
            write_block(folder, settings, truth, block)
            progress.update(settings.block_size(block))


def write_block(folder: Path, settings: Settings, truth: Path | None, block: int) -> None:
    """Nothing of a block is kept in memory after it."""
    tables, lives = draw_block(settings, block)
    for name, table in tables.items():
        write_parquet(place(folder, name, settings, block), table)
    if truth is not None:
        write_parquet(place(truth, TRUTH, settings, block), lives)


def place(folder: Path, name: str, settings: Settings, block: int) -> Path:
    if settings.blocks_count == 1:
        return folder / f"{name}.parquet"
    return folder / name / f"block-{block:03d}.parquet"


def check_places(
    folder: Path,
    truth: Path | None,
    names: tuple[str, ...] = CRM,
    truth_names: tuple[str, ...] = (TRUTH,),
) -> None:
    """Replacing a folder removes what is in it, so it must be nothing but an earlier world.

    names, truth_names: tables of a world and of its truth.
    """
    if truth is not None and (truth.is_relative_to(folder) or folder.is_relative_to(truth)):
        raise InputError(
            f"The truth can't go to {truth}: it must lie outside {folder}, and not around it. "
            "Choose another folder for it."
        )
    for path, own in ((folder, names), (truth, truth_names)):
        if path is None or not path.exists():
            continue
        found = sorted(item.name for item in path.iterdir()) if path.is_dir() else [path.name]
        foreign = [name for name in found if name.removesuffix(".parquet") not in own]
        if foreign:
            raise InputError(
                f"{path} holds {foreign[0]}, which is not of such a simulated world, and would be "
                "removed with it. Choose an empty folder or a new one."
            )


@contextmanager
def replaced(folder: Path) -> Iterator[Path]:
    """Give an empty folder beside `folder`; it takes that one's place if no error comes."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    partial = folder.with_name(f".{folder.name}.{os.getpid()}.partial")
    earlier = folder.with_name(f".{folder.name}.{os.getpid()}.earlier")
    partial.mkdir()
    try:
        yield partial
        if folder.exists():
            os.replace(folder, earlier)
        os.replace(partial, folder)
    finally:
        if earlier.exists() and not folder.exists():
            os.replace(earlier, folder)
        for rest in (partial, earlier):
            shutil.rmtree(rest, ignore_errors=True)


def write_apart(
    places: tuple[Path, Path | None],
    names: tuple[tuple[str, ...], tuple[str, ...]],
    draw: Callable[[], tuple[Tables, Tables]],
) -> None:
    """Write drawn tables to the first place and their truth to the second, where there is one; both
    replace what is there. On any error both stay as they were.

    names: of the tables and of those of the truth.
    """
    folder, truth = places[0].resolve(), places[1] and places[1].resolve()
    check_places(folder, truth, *names)
    tables, true = draw()
    with replaced(folder) as new_folder:
        write_tables(new_folder, tables)
        if truth is not None:
            with replaced(truth) as new_truth:
                write_tables(new_truth, true)


def write_tables(folder: Path, tables: Tables) -> None:
    for name, table in tables.items():
        write_parquet(folder / f"{name}.parquet", table)


def read_apart(folder: Path, names: tuple[str, ...], whose: str) -> Tables:
    """The tables of a truth by name. whose: "a marketplace". Raises InputError."""
    missing = [name for name in names if not (folder / f"{name}.parquet").is_file()]
    if missing:
        raise InputError(
            f"{folder} holds no {missing[0]}.parquet, so it is not the truth of {whose}. Write it "
            "together with the tables."
        )
    return {name: read_parquet(folder / f"{name}.parquet") for name in names}
