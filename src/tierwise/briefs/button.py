"""The button: a stored brief as a page. Imports little, since somebody waits."""

from pathlib import Path

from tierwise import json_archive
from tierwise.briefs import page as brief_page
from tierwise.briefs import store as brief_store


def folder(root: Path, application: str) -> Path:
    """Where the briefs of an application lie."""
    return root / "models" / application / "briefs"


def chosen(root: Path, application: str | None) -> str:
    """The application that was named, else the first below `accounts:` in params.yaml.

    Raises InputError where there is none.
    """
    from tierwise.files import InputError, params

    names = list(params(root).get("accounts") or {})
    if application in names or (application is None and names):
        return application or names[0]
    raise InputError(
        f"params.yaml has no accounts.{application or 'NAME'}; below `accounts:` there are "
        f"{', '.join(names) or 'none'}."
    )


def press(root: Path, application: str, account_id: int) -> tuple[Path, Path]:
    """Write page and JSON of one account below data/briefs; their paths. Raises InputError."""
    from tierwise.files import write_text

    told = brief_store.load(folder(root, application), account_id)
    place = root / "data" / "briefs" / application
    paths = place / f"{account_id}.html", place / f"{account_id}.json"
    brief_page.write_page(paths[0], told)
    write_text(paths[1], json_archive.as_text(told))
    return paths
