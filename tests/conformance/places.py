"""Where the things lie that nobody here wrote. Each is optional: without it its tests skip."""

import os
import shlex
import shutil
from pathlib import Path

import pytest


def prism() -> list[str]:
    """The command that begins prism."""
    command = shlex.split(told("TIERWISE_PRISM", "the command of prism"))
    if shutil.which(command[0]) is None:
        pytest.skip(f"TIERWISE_PRISM names {command[0]}, and there is no such program")
    return command


def description(name: str) -> Path:
    """A vendor's description of its API."""
    path = Path(told("TIERWISE_SPECS", "the folder with pipedrive-v2.yaml and pipedrive-v1.yaml"))
    if not (path / name).is_file():
        pytest.skip(f"the vendor's {name} is not in {path}, which TIERWISE_SPECS names")
    return path / name


def node_modules() -> Path:
    """The folder in which npm has put the vendor's client."""
    if shutil.which("node") is None:
        pytest.skip("there is no node on this machine")
    path = Path(told("TIERWISE_NODE_MODULES", "a node_modules folder with pipedrive in it"))
    if not (path / "pipedrive").is_dir():
        pytest.skip(f"there is no pipedrive in {path}, which TIERWISE_NODE_MODULES names")
    return path


def dlt_python() -> str:
    """A Python that has dlt."""
    path = told("TIERWISE_DLT_PYTHON", "a Python that has dlt[duckdb,postgres]")
    if shutil.which(path) is None:
        pytest.skip(f"TIERWISE_DLT_PYTHON names {path}, and there is no such program")
    return path


def told(variable: str, what: str) -> str:
    value = os.environ.get(variable, "")
    if not value:
        pytest.skip(f"set {variable} to {what}; README.md beside this file shows how")
    return value
