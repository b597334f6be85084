"""Which modules of the package a notebook or module uses, read from its import statements.

Every stage of dvc.yaml must watch them all, a page's code version is the hash of them, and the
tests hold the direction of dependencies with them.
"""

import ast
import hashlib
import json
from functools import cache
from pathlib import Path

from tierwise import __version__

PACKAGE = Path(__file__).parent
# The runner executes and renders every notebook without being imported by it.
RUNNER = ("notebook", "render")


def code_of(notebook: Path) -> str:
    """The code cells of a notebook as one text, without IPython's own commands."""
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    lines = "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")
    return "\n".join(line for line in lines.split("\n") if not line.startswith(("%", "!")))


def imported(code: str) -> set[str]:
    """Dotted names below `tierwise` that the code imports, at any depth: {"files", ...}."""
    found = set()
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            found |= {node.module} | {f"{node.module}.{name.name}" for name in node.names}
    own = {name.removeprefix("tierwise.") for name in found if name.startswith("tierwise")}
    # Importing a.b runs a/__init__.py first.
    parts = [name.split(".") for name in own]
    own |= {".".join(part[:upto]) for part in parts for upto in range(1, len(part))}
    return {name for name in own if file_of(name) is not None}


def file_of(name: str) -> Path | None:
    """The file of a dotted module name, None for a name that is no module."""
    base = PACKAGE if name == "tierwise" else PACKAGE.joinpath(*name.split("."))
    for path in (base / "__init__.py", base.with_suffix(".py")):
        if path.is_file():
            return path
    return None


@cache
def reached(name: str) -> frozenset[Path]:
    """The module's file and those of everything it imports, directly or not."""
    files: set[Path] = set()
    waiting = [name]
    while waiting:
        path = file_of(waiting.pop())
        if path is not None and path not in files:
            files.add(path)
            waiting += imported(path.read_text(encoding="utf-8"))
    return frozenset(files)


def watched(notebook: Path) -> list[Path]:
    """Everything whose change can change the notebook's page: itself, modules, the template."""
    files = {notebook}
    for name in (*imported(code_of(notebook)), *RUNNER):
        files |= reached(name)
    files |= {text for path in files for text in texts_of(path)}
    template = {path for path in (PACKAGE / "template").iterdir() if path.is_file()}
    return sorted(files | template)


def texts_of(path: Path) -> list[Path]:
    """What a module reads beside its code: the files of the folder that is called after it."""
    return sorted(path.with_name(f"{path.stem}_texts").glob("*"))


def everything(notebooks: Path) -> list[Path]:
    """All modules, the template and all notebooks: what the first page depends on."""
    template = {path for path in (PACKAGE / "template").iterdir() if path.is_file()}
    modules = list(PACKAGE.rglob("*.py"))
    texts = [text for path in modules for text in texts_of(path)]
    return sorted({*modules, *texts, *template, *notebooks.glob("*.ipynb")})


def code_version(files: list[Path]) -> str:
    """Package version and the first 8 digits of a hash over the files' names and contents."""
    digest = hashlib.sha256()
    for path in sorted(files, key=lambda path: (path.name, str(path))):
        content = path.read_bytes()
        digest.update(f"{path.name} {len(content)}\n".encode() + content)
    return f"{__version__}+{digest.hexdigest()[:8]}"
