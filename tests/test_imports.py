"""Who may use whom, how long a module and a function may be, and what no module does."""

import ast
import json
import re
import shutil
from pathlib import Path

import pytest

from tierwise import files, imports

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "tierwise"
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
MODULES = sorted(SOURCE.rglob("*.py"))


def name_of(path):
    """src/tierwise/applications/table.py -> applications.table"""
    parts = path.relative_to(SOURCE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" and len(parts) > 1 else parts)


def uses(path):
    return imports.imported(path.read_text(encoding="utf-8"))


def tree(path):
    return ast.parse(path.read_text(encoding="utf-8"))


each_module = pytest.mark.parametrize("path", MODULES, ids=name_of)


def test_imports_are_seen_however_they_are_written():
    code = """
import tierwise.files as f, os
from tierwise import tiers, __version__, files as g
from tierwise.applications.table import read
import tierwise_other
def later():
    from tierwise.export import to_onnx
"""
    found = imports.imported(code)
    assert found - {"tierwise", "__init__"} == {
        "files", "tiers", "applications", "applications.table", "export"
    }  # fmt: skip
    assert imports.imported("import os\nfrom numpy import files") == set()


def test_package_is_reached_with_each_of_its_modules():
    """Importing applications.table runs applications/__init__.py first."""
    found = imports.imported("from tierwise.applications.table import build")
    assert "applications" in found


def test_what_a_module_uses_indirectly_is_reached():
    """promises uses tiers, tiers uses draws, draws uses evaluation."""
    found = {path.name for path in imports.reached("promises")}
    assert "evaluation" not in uses(SOURCE / "promises.py")
    assert {"promises.py", "tiers.py", "draws.py", "evaluation.py", "files.py"} <= found
    assert "cli.py" not in found


def test_unknown_module_reaches_nothing():
    assert imports.reached("no_such_module") == frozenset()
    assert imports.file_of("applications.no_such") is None


def copied(path, folder, code):
    """The notebook with one code cell added."""
    notebook = json.loads(path.read_text(encoding="utf-8"))
    cell = {"cell_type": "code", "id": "z", "metadata": {}, "outputs": [], "execution_count": None}
    notebook["cells"].append({**cell, "source": code})
    target = folder / path.name
    target.write_text(json.dumps(notebook), encoding="utf-8")
    return target


def test_notebook_watches_itself_the_runner_the_template_and_what_its_cells_import(tmp_path):
    code = "%matplotlib inline\n!ls\nfrom tierwise import scoring"
    copy = copied(NOTEBOOKS[0], tmp_path, code)
    before = {path.name for path in imports.watched(NOTEBOOKS[0])}
    after = {path.name for path in imports.watched(copy)}
    assert "scoring.py" not in before
    assert after == before | {"scoring.py"}
    assert {NOTEBOOKS[0].name, "notebook.py", "render.py", "report.css"} <= before


def test_version_of_code_changes_with_any_byte_and_not_with_the_place(tmp_path):
    files_here = imports.watched(NOTEBOOKS[0])
    first = imports.code_version(files_here)
    assert imports.code_version(list(reversed(files_here))) == first
    shutil.copytree(SOURCE, tmp_path / "src", ignore=shutil.ignore_patterns("__pycache__"))
    places = [tmp_path / "src" / path.relative_to(SOURCE) for path in MODULES]
    there = imports.code_version(places)
    assert there == imports.code_version(MODULES)
    places[3].write_bytes(places[3].read_bytes() + b"\n")
    assert imports.code_version(places) != there


def test_first_page_depends_on_every_module_and_notebook():
    found = set(imports.everything(ROOT / "notebooks"))
    assert set(MODULES) | set(NOTEBOOKS) <= found


def test_methods_import_no_application():
    """A method is whatever a page uses beside its question; `applications` finds the question."""
    names = {name for path in NOTEBOOKS for name in imports.imported(imports.code_of(path))}
    started = {*names, *imports.RUNNER} - {"applications"}
    methods = {path for name in started for path in imports.reached(name)}
    assert len(methods) > 10
    for path in methods:
        assert not {name for name in uses(path) if name.startswith("applications")}, path.name


@each_module
def test_application_imports_no_other_application(path):
    if name_of(path).startswith("applications."):
        assert not {name for name in uses(path) if name.startswith("applications")}


@each_module
def test_nothing_imports_the_command_line(path):
    assert "cli" not in uses(path) or name_of(path) == "__main__"


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_pages_use_nothing_that_a_user_starts(path):
    """The command line, adopt and the first page stand at the end of the chain."""
    used = {name_of(other) for other in imports.watched(path) if other.suffix == ".py"}
    assert "files" in used
    assert not used & {"__main__", "adopt", "cli", "index"}


def test_no_two_modules_import_each_other():
    """A module that is loaded before the one it needs breaks by accident of order."""
    known = {}
    for path in MODULES:
        name = name_of(path)
        above = {name, "__init__", name.rpartition(".")[0]}  # a package is there before its parts
        known[name] = uses(path) - above

    def reached(name, seen):
        for other in known.get(name, set()) - seen:
            seen.add(other)
            reached(other, seen)
        return seen

    for name in known:
        assert name not in reached(name, set()), name


@each_module
def test_imports_are_absolute_and_by_statement(path):
    """Others would be invisible to what decides which stages run again."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0
        if isinstance(node, ast.Attribute | ast.Name):
            name = node.attr if isinstance(node, ast.Attribute) else node.id
            assert name not in {"import_module", "__import__"}


@each_module
def test_module_has_at_most_300_lines(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 300


def body_lines(function):
    """Lines of a function without its docstring."""
    count = function.end_lineno - function.lineno + 1
    if ast.get_docstring(function) is None:
        return count
    text = function.body[0]
    return count - (text.end_lineno - text.lineno + 1)


@each_module
def test_function_has_at_most_40_lines_without_its_docstring(path):
    functions = [
        node
        for node in ast.walk(tree(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    assert not {node.name: body_lines(node) for node in functions if body_lines(node) > 40}


@each_module
def test_no_failure_is_swallowed(path):
    """A broad `except` hides the failure that nobody expected."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.ExceptHandler):
            named = {
                item.id
                for item in ast.walk(node.type or ast.Name(""))
                if isinstance(item, ast.Name)
            }
            assert node.type is not None, node.lineno
            assert not named & {"Exception", "BaseException"}, node.lineno


@each_module
def test_models_are_never_pickled(path):
    """Loading a pickle runs whatever its sender wished."""
    for node in ast.walk(tree(path)):
        names = []
        if isinstance(node, ast.Import):
            names = [name.name for name in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [f"{node.module}.{name.name}" for name in node.names]
        for name in names:
            assert name.split(".")[0] not in {"pickle", "cloudpickle", "dill", "marshal", "shelve"}
            assert name not in {"joblib.dump", "joblib.load"}
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            used = f"{node.value.id}.{node.attr}"
            assert used not in {"joblib.dump", "joblib.load", "pd.read_pickle"}
            assert node.attr != "to_pickle"
        if isinstance(node, ast.keyword) and node.arg == "allow_pickle":
            assert ast.literal_eval(node.value) is False


@each_module
def test_module_says_what_it_is_for(path):
    assert ast.get_docstring(tree(path)) or (path.parent == SOURCE and path.stem.startswith("__"))


@each_module
def test_module_is_named_for_what_it_does(path):
    for word in ("utils", "helpers", "common", "base", "manager", "final"):
        assert not re.search(rf"(^|_){word}(_|$)", path.stem)
    assert not re.search(r"_v?\d+$", path.stem)


@each_module
def test_no_path_of_one_machine_is_in_the_code(path):
    assert not re.search(
        r"[\"'](/home/|/Users/|/work/|[A-Z]:\\\\)", path.read_text(encoding="utf-8")
    )


def test_steps_are_the_notebooks():
    assert {path.stem for path in NOTEBOOKS} >= set(files.STEPS)
