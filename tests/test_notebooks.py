"""Notebooks are arguments: prose that stands alone, short cells, nothing defined, nothing saved."""

import ast
import re
from pathlib import Path

import nbformat
import pytest
from nbformat.validator import validate

from tierwise import files, imports, notebook

ROOT = Path(__file__).parents[1]
PATHS = sorted((ROOT / "notebooks").glob("*.ipynb"))
CELL_LINES, NOTEBOOK_LINES, LINE_LENGTH = 12, 70, 110
PROSE_PER_LINE = (5, 25)

each = pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)


def read(path):
    return nbformat.read(path, as_version=4)


def code_cells(path):
    return [cell for cell in read(path).cells if cell.cell_type == "code"]


def lines(cell):
    return [line for line in cell.source.split("\n") if line.strip()]


def prose(path):
    return [cell.source for cell in read(path).cells if cell.cell_type == "markdown"]


def parameters(path):
    """Name -> default of the cell tagged `parameters`."""
    cells = [c for c in code_cells(path) if "parameters" in c.metadata.get("tags", [])]
    assert len(cells) == 1
    statements = ast.parse(cells[0].source).body
    assert all(isinstance(statement, ast.Assign) for statement in statements)
    return {item.targets[0].id: ast.literal_eval(item.value) for item in statements}


@each
def test_defaults_are_the_numbers_of_the_first_application_that_has_the_page(path):
    """A reader who runs the page by hand sees what the pipeline shows."""
    first = next(iter(files.params(ROOT)[files.section_of(path.stem)]))
    application = "leads" if path.stem in files.LATER_STEPS else first
    section = notebook.read_section(ROOT, application, path.stem)
    assert parameters(path) == {"application": application} | section


@each
def test_parameters_come_before_any_other_code(path):
    assert "parameters" in code_cells(path)[0].metadata.get("tags", [])


@each
def test_nothing_is_defined_in_a_notebook(path):
    """What is worth a function is worth a test, and belongs in src/tierwise."""
    code = ast.parse(imports.code_of(path))
    forbidden = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.For, ast.While, ast.Try)
    assert not [node.lineno for node in ast.walk(code) if isinstance(node, forbidden)]
    assert len([node for node in ast.walk(code) if isinstance(node, ast.Lambda)]) <= 1


@each
def test_notebook_imports_from_tierwise_only_and_nothing_in_vain(path):
    code = ast.parse(imports.code_of(path))
    found = [node for node in ast.walk(code) if isinstance(node, ast.Import | ast.ImportFrom)]
    modules = {getattr(node, "module", None) for node in found}
    assert {name.rpartition(".")[0] or name for name in modules} <= {"tierwise"}
    names = {item.asname or item.name for node in found for item in node.names}
    used = {node.id for node in ast.walk(code) if isinstance(node, ast.Name)}
    assert names <= used


@each
def test_cell_has_at_most_12_lines_of_code(path):
    """The cell of parameters is a list of values, one a line, and may be longer."""
    code = [c for c in code_cells(path) if "parameters" not in c.metadata.get("tags", [])]
    assert not {cell.id: len(lines(cell)) for cell in code if len(lines(cell)) > CELL_LINES}


@each
def test_notebook_has_at_most_70_lines_of_code_besides_its_parameters(path):
    code = [c for c in code_cells(path) if "parameters" not in c.metadata.get("tags", [])]
    assert sum(len(lines(cell)) for cell in code) <= NOTEBOOK_LINES


@each
def test_line_of_code_has_at_most_110_characters(path):
    long = [line for cell in code_cells(path) for line in lines(cell) if len(line) > LINE_LENGTH]
    assert not [f"{len(line)}: {line[:70]}" for line in long]


@each
def test_prose_is_neither_thin_nor_a_flood(path):
    words = len(re.findall(r"\w[\w'’-]*", " ".join(prose(path))))
    least, most = PROSE_PER_LINE
    code = [c for c in code_cells(path) if "parameters" not in c.metadata.get("tags", [])]
    assert least <= words / sum(len(lines(cell)) for cell in code) <= most


@each
def test_nothing_of_a_run_is_saved(path):
    for cell in code_cells(path):
        assert cell.outputs == []
        assert cell.execution_count is None


@each
def test_file_is_as_nbstripout_leaves_it(path):
    """Plain ids in order, no editor's metadata: a diff shows what somebody wrote."""
    found = read(path)
    validate(found)
    assert [cell.id for cell in found.cells] == [str(n) for n in range(len(found.cells))]
    assert set(found.metadata) <= {"kernelspec", "language_info"}
    for cell in found.cells:
        assert set(cell.metadata) <= {"tags", "alt"}
    assert path.read_text(encoding="utf-8").endswith("}\n")


@each
def test_kernel_is_the_one_that_every_environment_has(path):
    assert read(path).metadata.kernelspec.name == "python3"


@each
def test_first_words_are_the_title_and_what_the_reader_will_learn(path):
    first = read(path).cells[0]
    assert first.cell_type == "markdown"
    title, _, text = first.source.partition("\n")
    assert re.match(r"# \w", title)
    assert len(text.split()) >= 30
    titles = [line for text in prose(path) for line in text.split("\n") if line.startswith("# ")]
    assert len(titles) == 1


@each
def test_headings_are_questions_or_say_what_is_done(path):
    headings = re.findall(r"^#+ +(.+)$", "\n".join(prose(path)), re.MULTILINE)
    assert len(headings) >= 3
    assert len(set(headings)) == len(headings)
    for heading in headings:
        assert heading.endswith("?") or len(heading.split()) >= 3, heading
        assert not heading.endswith((".", ":")), heading


@each
def test_figure_is_followed_by_how_to_read_it(path):
    cells = read(path).cells
    for place, cell in enumerate(cells):
        drawn = cell.cell_type == "code" and re.search(
            r"^plots\.(?!style\b)", cell.source, re.MULTILINE
        )
        if drawn:
            assert lines(cell)[-1].startswith("plots."), "the figure has to be what the cell shows"
            after = cells[place + 1]
            assert after.cell_type == "markdown", cell.id
            assert after.source.startswith("*How to read it.*"), cell.id


@each
def test_figures_have_the_house_style(path):
    code = imports.code_of(path)
    rest = code.replace("plots.style()", "")
    assert ("plots.style()" in code) == bool(re.search(r"\bplots(_\w+)?\.", rest))


@each
def test_what_the_prose_calls_by_name_exists(path):
    """A renamed parameter or column must not live on in the text."""
    code = imports.code_of(path)
    params = (ROOT / "params.yaml").read_text(encoding="utf-8")
    source = "".join(
        file.read_text(encoding="utf-8") for file in imports.watched(path) if file.suffix == ".py"
    )
    places = (
        ROOT / "src/tierwise" / f"{name}.py"
        for name in (
            "cli",
            "hourly_commands",
            "account_commands",
            "provider_commands",
            "event_commands",
        )
    )
    commands = "".join(place.read_text(encoding="utf-8") for place in places)
    known = " ".join((code, params, source, commands)).replace("_", " ")
    for name in re.findall(r"`([^`]+)`", "\n".join(prose(path))):
        for word in name.split():
            assert word.replace("_", " ") in known, name


@each
def test_page_writes_the_figures_that_it_claims(path):
    assert re.search(r"write_json\(|save_metrics\(", imports.code_of(path))


def test_there_is_a_notebook_for_each_step():
    others = [step for subject in files.SUBJECTS for step in files.steps_about(subject)]
    known = [*files.STEPS, *files.LATER_STEPS, *others]
    assert [path.stem for path in PATHS] == sorted(known)
