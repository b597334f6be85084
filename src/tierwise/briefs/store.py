"""All briefs of an instant in one file, from which one is read in no time.

`briefs.zip` holds <account_id>.json of every account; the same briefs give the same bytes. Reading
needs neither tables nor pandas, so that the button answers at once.
"""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tierwise.briefs.ground import Prepared

NAME = "briefs.zip"
EPOCH = (1980, 1, 1, 0, 0, 0)  # the first instant that a zip file can tell


def stored(one: Prepared, folder: Path) -> int:
    """Write the briefs of all accounts to folder/briefs.zip, by account_id; how many there are.

    An earlier file is replaced when the new one is complete. Progress on stderr.
    """
    from tqdm import tqdm

    from tierwise.briefs.brief import brief
    from tierwise.files import replacing

    with (
        replacing(folder / NAME) as partial,
        zipfile.ZipFile(partial, "w", zipfile.ZIP_DEFLATED) as file,
    ):
        for account_id in tqdm(one.customers.tolist(), unit=" briefs", desc="write briefs"):
            member = zipfile.ZipInfo(f"{account_id}.json", EPOCH)
            member.compress_type = zipfile.ZIP_DEFLATED
            file.writestr(member, as_text(brief(one, account_id)))
    return len(one.customers)


def as_text(brief: dict[str, Any]) -> str:
    """JSON on one line in the brief's order, ASCII only: no name can act as a command."""
    return json.dumps(brief, separators=(",", ":"), allow_nan=False) + "\n"


def load(folder: Path, account_id: int) -> dict[str, Any]:
    """The stored brief of an account. Raises InputError where there is none."""
    path = folder / NAME
    if not path.is_file():
        raise refused(f"{path} is missing. Make the briefs first.")
    with zipfile.ZipFile(path) as file:
        names = file.NameToInfo
        if f"{account_id}.json" not in names:
            raise refused(
                f"There is no brief of account {account_id} among the {len(names):,} of {path}. "
                "Check the number, or make the briefs again with newer tables."
            )
        return dict(json.loads(file.read(f"{account_id}.json")))


def refused(message: str) -> ValueError:
    from tierwise.files import InputError  # which brings pandas along

    return InputError(message)
