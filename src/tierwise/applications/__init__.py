"""One module per kind of question; params.yaml names the kind of each application."""

from types import ModuleType

from tierwise.applications import leads, table
from tierwise.files import InputError

KINDS: dict[str, ModuleType] = {"table": table, "leads": leads}


def of(kind: str) -> ModuleType:
    """The module that answers questions of this kind."""
    if kind not in KINDS:
        raise InputError(f"kind '{kind}' is unknown; params.yaml knows {', '.join(KINDS)}.")
    return KINDS[kind]
