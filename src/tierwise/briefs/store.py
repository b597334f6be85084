"""All briefs of an instant in one file. Imports little, since somebody waits for the button."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from tierwise import json_archive

if TYPE_CHECKING:
    from tierwise.briefs.ground import Prepared

NAME = "briefs.zip"


def stored(one: Prepared, folder: Path) -> int:
    """Write the briefs of all accounts to folder/briefs.zip, by account_id; how many there are.

    Progress on stderr.
    """
    from tqdm import tqdm

    from tierwise.briefs.brief import brief

    wanted = tqdm(one.customers.tolist(), unit=" briefs", desc="write briefs")
    return json_archive.write(folder / NAME, ((which, brief(one, which)) for which in wanted))


def load(folder: Path, account_id: int) -> dict[str, Any]:
    """The stored brief of an account. Raises InputError where there is none."""
    return json_archive.load(folder / NAME, account_id, "brief of account")
