"""Many pages' contents in one zip file of JSON, from which one is read in no time.

The same contents give the same bytes. Reading needs neither tables nor pandas, so that a button
answers at once.
"""

import json
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

EPOCH = (1980, 1, 1, 0, 0, 0)  # the first instant that a zip file can tell


def as_text(told: dict[str, Any]) -> str:
    """JSON on one line in the order told, ASCII only: no name can act as a command."""
    return json.dumps(told, separators=(",", ":"), allow_nan=False) + "\n"


def write(path: Path, contents: Iterable[tuple[int, dict[str, Any]]]) -> int:
    """Store <number>.json of each pair of number and content; how many there were.

    An earlier file is replaced when the new one is complete.
    """
    from tierwise.files import replacing

    count = 0
    with (
        replacing(path) as partial,
        zipfile.ZipFile(partial, "w", zipfile.ZIP_DEFLATED) as file,
    ):
        for number, told in contents:
            member = zipfile.ZipInfo(f"{number}.json", EPOCH)
            member.compress_type = zipfile.ZIP_DEFLATED
            file.writestr(member, as_text(told))
            count += 1
    return count


def load(path: Path, number: int, what: str) -> dict[str, Any]:
    """One content. what: is looked for, as in "brief of account". Raises InputError."""
    if not path.is_file():
        raise refused(f"{path} is missing. Make it first: dvc repro.")
    with zipfile.ZipFile(path) as file:
        names = file.NameToInfo
        if f"{number}.json" not in names:
            raise refused(
                f"There is no {what} {number} among the {len(names):,} of {path}. Check the "
                "number, or run dvc repro again with newer tables."
            )
        return dict(json.loads(file.read(f"{number}.json")))


def refused(message: str) -> ValueError:
    from tierwise.files import InputError  # which brings pandas along

    return InputError(message)
