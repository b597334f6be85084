"""Figures of the benchmarks as files: an SVG to look at, a PNG beside it."""

from pathlib import Path
from typing import Any

from tierwise import files


def save(figure: Any, folder: Path, name: str) -> None:
    """As SVG and as PNG: equal bytes for equal figures, and never half a file."""
    none = {"Date": None, "Creator": None}
    with files.replacing(folder / f"{name}.svg") as path:
        figure.savefig(path, format="svg", metadata=none)
    options = {"facecolor": "white", "dpi": 150, "metadata": {"Software": None}}
    with files.replacing(folder / f"{name}.png") as path:
        figure.savefig(path, format="png", **options)
