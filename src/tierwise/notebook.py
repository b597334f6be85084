"""Run one step's notebook for one application and leave one HTML report.

    params.yaml -> section -> papermill -> executed notebook -> reports/<application>/<step>.html

A notebook sees only its own section of params.yaml and the application's name, so that it
can't use a number that DVC does not watch. The input notebook is never written to.
"""

import ast
import os
import re
import socket
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tierwise.files import (
    LATER_STEPS,
    SPEND_STEP,
    STEPS,
    SUBJECTS,
    InputError,
    params,
    project_root,
    section_of,
    steps_about,
    write_text,
)

OUR_ERRORS = ("InputError", "TableError")  # their text is the message: the class says nothing more
KERNEL_ENVIRONMENT = {
    "PYTHONHASHSEED": "0",  # the text of a set depends on it
    "TZ": "UTC",
    "LC_ALL": "C.UTF-8",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "PYDEVD_DISABLE_FILE_VALIDATION": "1",
    "JUPYTER_PREFER_ENV_PATH": "1",  # a kernel in the user's home must not shadow this one
}


def run(step: str, application: str) -> Path:
    """Execute notebooks/<step>.ipynb for `application`; returns the path of its report.

    Raises InputError for an unknown step, application or parameter, and with one message when a
    cell fails or the kernel dies; the executed notebook is then kept in logs/ and an earlier
    report stays as it was.
    """
    from tierwise.render import describe, html

    root = project_root()
    steps = known_steps(root)
    if step not in steps:
        raise InputError(_unknown("step", step, steps, "a notebook in notebooks/"))
    parameters = {**read_section(root, application, step), "application": application}
    notebook = read_notebook(root / "notebooks" / f"{step}.ipynb", parameters)
    executed = execute(notebook, parameters, root, step)
    executed.metadata["tierwise"] = describe(root, application, step, steps)
    report = root / "reports" / application / f"{step}.html"
    write_text(report, html(executed, root))
    return report


def known_steps(root: Path) -> list[str]:
    """Names in notebooks/, those of the pipeline first and in its order."""
    names = sorted(path.stem for path in (root / "notebooks").glob("*.ipynb"))
    others = [step for subject in SUBJECTS for step in steps_about(subject)]
    order = [*STEPS, *LATER_STEPS, *others]
    return [name for name in order if name in names] + [n for n in names if n not in order]


def read_params(root: Path) -> dict[str, Any]:
    """application -> step -> parameter -> value, from params.yaml."""
    return read_group(root, "applications")


def read_group(root: Path, group: str) -> dict[str, Any]:
    """What stands below `group:` in params.yaml, by application. Raises InputError."""
    found = params(root).get(group)
    if not isinstance(found, dict):
        raise InputError(
            f"params.yaml must hold `{group}:` and below it their names, not {found!r}."
        )
    return found


def read_section(root: Path, application: str, step: str) -> dict[str, Any]:
    """The parameters of one step of one application; empty if the section is absent."""
    place = section_place(application, step)
    applications = read_group(root, place[0])
    if application not in applications:
        raise InputError(
            _unknown("application", application, list(applications), "a section in params.yaml")
        )
    section: Any = params(root)
    for name in place:
        section = (section or {}).get(name)
    section = section or {}
    if not isinstance(section, dict):
        raise InputError(
            f"params.yaml: {'.'.join(place)} must be names and values, not {section!r}."
        )
    return section


def section_place(application: str, step: str) -> list[str]:
    """Names from the top of params.yaml to the parameters of a step."""
    section = section_of(step)
    return [section, application] if section == SPEND_STEP else [section, application, step]


def _unknown(kind: str, name: str, known: list[str], source: str) -> str:
    return f"No {kind} is called {name!r}; known: {', '.join(known) or 'none'}. Each is {source}."


def read_notebook(path: Path, parameters: dict[str, Any]) -> Any:
    """The notebook, its parameters checked, each code cell stamped with its heading and place."""
    import nbformat

    notebook = nbformat.read(path, as_version=4)
    known = defined_names(notebook, path)
    unknown = sorted(set(parameters) - set(known))
    if unknown:
        raise InputError(
            f"{path.name} has no parameter {', '.join(unknown)}; it knows {', '.join(known)}. "
            "Correct the name in params.yaml or add it to the notebook's cell tagged `parameters`."
        )
    _stamp(notebook)
    return notebook


def defined_names(notebook: Any, path: Path) -> list[str]:
    """Names assigned in the cell tagged `parameters`, in order."""
    cells = [c for c in notebook.cells if "parameters" in c.metadata.get("tags", [])]
    if not cells:
        raise InputError(f"{path.name} has no cell tagged `parameters`. Tag that of the defaults.")
    try:
        statements = ast.parse(cells[0].source).body
    except SyntaxError as error:
        raise InputError(
            f"{path.name}: the cell tagged `parameters` is not Python: {error}."
        ) from error
    targets: list[ast.expr | None] = []
    for statement in statements:
        targets += getattr(statement, "targets", None) or [getattr(statement, "target", None)]
    return [target.id for target in targets if isinstance(target, ast.Name)]


def _stamp(notebook: Any) -> None:
    """Papermill adds a cell and hands over cells one by one: each has to know where it stands."""
    heading, position = "", 0
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            found = re.findall(r"^#+ +(.+)", cell.source, re.MULTILINE)
            heading = found[-1].strip() if found else heading
        elif cell.cell_type == "code" and cell.source.strip():
            position += 1
            cell.metadata["tierwise"] = {"heading": heading, "position": position}
    notebook.metadata["tierwise"] = {"count": position}


def execute(notebook: Any, parameters: dict[str, Any], root: Path, step: str) -> Any:
    """The executed notebook, run in a kernel of its own with `root` as working directory."""
    import papermill
    from papermill.exceptions import PapermillExecutionError
    from papermill.log import logger

    label = f"{step}@{parameters['application']}"
    log = root / "logs" / f"{parameters['application']}-{step}.ipynb"
    log.parent.mkdir(exist_ok=True)
    logger.setLevel("CRITICAL")  # what it would say, our one message says
    seen = [""]
    kept = f"The executed notebook is {log.relative_to(root)}."
    try:
        with kernel_environment():
            executed = papermill.execute_notebook(
                notebook, log, parameters, **_options(root, _progress(label, notebook, seen))
            )
    except PapermillExecutionError as error:
        text = error.evalue if error.ename in OUR_ERRORS else f"{error.ename}: {error.evalue}"
        raise InputError(f'{label} stopped at "{seen[-1]}": {text.strip()}\n{kept}') from None
    except RuntimeError as error:
        raise InputError(
            f'{label} stopped at "{seen[-1]}": the kernel ended by itself ({error}); '
            f"most often the memory was not enough.\n{kept}"
        ) from None
    log.unlink(missing_ok=True)
    return executed


def _options(root: Path, progress: Callable[..., None]) -> dict[str, Any]:
    from traitlets.config import Config

    transport = "ipc" if hasattr(socket, "AF_UNIX") else "tcp"  # no ports: no race for them
    return {
        "kernel_name": "python3",
        "language": "python",
        "cwd": root,
        "progress_bar": False,
        "record_timing": False,
        "stderr_file": sys.stderr,
        "on_cell_execute": progress,
        # told to stop while workers end, the kernel would report its own interruption as an error
        "extra_arguments": ["--IPKernelApp.log_level=50"],
        "config": Config({"KernelManager": {"transport": transport}}),
    }


def _progress(label: str, notebook: Any, seen: list[str]) -> Callable[..., None]:
    """A hook that prints a line for each code cell; `seen` collects the headings."""
    count = notebook.metadata["tierwise"]["count"]

    def show(cell: Any, cell_index: int) -> None:
        place = cell.metadata.get("tierwise")
        if place is None:  # the cell that papermill added
            return
        seen.append(place["heading"])
        print(
            f"{label}  {place['position']}/{count}  {place['heading']}", file=sys.stderr, flush=True
        )

    return show


@contextmanager
def kernel_environment() -> Iterator[None]:
    """The kernel inherits this process's environment: set it for as long as the kernel starts."""
    before = dict(os.environ)
    with tempfile.TemporaryDirectory(prefix="tierwise-", ignore_cleanup_errors=True) as profile:
        # start-up files of the user's own profile would make runs differ between users
        os.environ.update(KERNEL_ENVIRONMENT, IPYTHONDIR=profile)
        try:
            yield
        finally:
            os.environ.clear()
            os.environ.update(before)
