"""A notebook becomes one report: the same bytes each time, nothing loaded, nothing lost."""

import os
import re

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from tierwise import notebook
from tierwise.files import InputError
from tierwise.render import digest

PARAMS = """
applications:
  bank_calls:
    validate_tiers: {tier_shares: {A: 0.2, B: 0.8}, day: "2026-05-31"}
    compare_models: {toleranc: 0.1}
  leads:
"""
FIGURE = """
import matplotlib.pyplot as plt
from matplotlib_inline.backend_inline import set_matplotlib_formats
set_matplotlib_formats("svg")
plt.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "tierwise"})
plt.plot([1, 2]); plt.title("drawn title"); plt.show()
"""
HOSTILE = """
import os, sys
import pandas as pd
from IPython.display import display
from tierwise import report
print("started in", os.getcwd(), os.environ["PYTHONHASHSEED"], os.environ["TZ"])
print("warned", file=sys.stderr)
print(object(), {"b", "a", "c"}, tier_shares["A"], day, application)
frame = pd.DataFrame({"<script>alert(1)</script>": ["<img src=http://x.test/a.png>"]})
display(report.table(frame), frame, report.verdict("info", "<script>"))
display(pd.DataFrame({"plain": [1]}).style)
"""


def code(source, tag=None):
    return new_code_cell(source, metadata={"tags": [tag]} if tag else {})


def write_notebook(root, step, *cells, parameters='application = ""'):
    cells = [new_markdown_cell(f"# {step}"), code(parameters, "parameters"), *cells]
    nbformat.write(new_notebook(cells=cells), root / "notebooks" / f"{step}.ipynb")


def make_project(root):
    (root / "notebooks").mkdir()
    (root / "params.yaml").write_text(PARAMS, encoding="utf-8")
    (root / "dvc.yaml").write_text("stages: {}\n", encoding="utf-8")
    write_notebook(
        root,
        "validate_tiers",
        new_markdown_cell("## Does A win?\n\n5 % is *little*."),
        code(HOSTILE),
        code("secret = 'kept to itself'; print(secret)", "hide"),
        new_markdown_cell("## What does it look like?"),
        code(FIGURE),
        new_markdown_cell("*How to read it.* Upwards is better."),
        parameters='application = ""\ntier_shares = {}\nday: str = ""',
    )
    write_notebook(root, "compare_models", parameters='application = ""\ntolerance = 0.1')
    write_notebook(
        root, "build_features", new_markdown_cell("## Can we divide?"), code("print(1)\n1 / 0")
    )
    write_notebook(
        root,
        "export_model",
        code("from tierwise.files import InputError\nraise InputError('5 wins; 50 are needed.')"),
    )
    write_notebook(root, "select_threshold", code("import os; os._exit(9)"))
    for leaf in ("explain_scores", "watch_drift"):
        write_notebook(root, leaf, code("print(1)"))


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    root = tmp_path_factory.mktemp("project")
    make_project(root)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        yield root


@pytest.fixture(scope="module")
def two_runs(project):
    """Path of the report, and its bytes after each of two runs."""
    before = dict(os.environ), (project / "notebooks/validate_tiers.ipynb").read_bytes()
    pages = []
    for _ in range(2):
        path = notebook.run("validate_tiers", "bank_calls")
        pages.append(path.read_bytes())
    assert before == (dict(os.environ), (project / "notebooks/validate_tiers.ipynb").read_bytes())
    return path, pages


@pytest.fixture(scope="module")
def page(two_runs):
    return two_runs[1][0].decode()


def test_report_lies_where_dvc_looks_for_it_and_nothing_else_is_left(project, two_runs):
    assert two_runs[0] == project / "reports/bank_calls/validate_tiers.html"
    assert not list((project / "logs").glob("bank_calls-validate_tiers*"))
    assert not list(project.glob("kernel-*"))


def test_two_runs_give_the_same_bytes(two_runs):
    first, second = two_runs[1]
    assert first == second


def test_page_loads_nothing(page):
    """Links may leave the page, but no address is fetched to show it."""
    assert not re.findall(r"<[^>]+\bsrc\s*=\s*[\"']?(?!data:)", page)
    assert not re.findall(r"<link\b|@import|url\(\s*[\"']?(?!#|data:)", page)
    assert "default-src 'none'" in page


def test_no_script_but_the_page_s_own_would_run(page):
    """Even if a notebook prints raw HTML: the policy names our one script by its digest."""
    scripts = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    assert len(scripts) == 1
    assert f"script-src 'sha256-{digest(scripts[0])}';" in page


def test_text_from_data_is_escaped(page):
    body = page.split("<main>")[1].split("</main>")[0]
    shown = re.sub(r"<details.*?</details>", "", body, flags=re.DOTALL)
    assert "&lt;script&gt;alert(1)" in shown
    assert "<script" not in body
    assert "<img" not in shown


def test_code_is_folded_away_and_can_be_opened(page):
    assert page.count('<details class="code">') >= 2
    assert "set_matplotlib_formats" in re.sub(r"<[^>]+>", "", page)
    outside = re.sub(r"<details.*?</details>", "", page, flags=re.DOTALL)
    assert "set_matplotlib_formats" not in re.sub(r"<[^>]+>", "", outside)


def test_parameters_reach_the_notebook_and_only_its_own(page):
    assert "0.2 2026-05-31 bank_calls" in page


def test_what_belongs_to_the_machine_is_not_on_the_page(project, page):
    assert "warned" not in re.sub(r"<details.*?</details>", "", page, flags=re.DOTALL)
    assert "started in . 0 UTC" in page
    assert str(project) not in page
    assert not re.search(r"0x[0-9a-f]{6}", page)
    assert 'id="T_00001"' in page


def test_hidden_cells_are_dropped(page):
    assert "kept to itself" not in page


def test_figures_are_drawn_in_the_page_with_their_text(page):
    assert "drawn title" in page
    assert 'aria-label="What does it look like?"' in page
    assert "dc:date" not in page
    assert '<p class="caption"><em>How to read it.' in page


def test_steps_are_linked_in_the_order_of_the_pipeline(page):
    steps = re.findall(r'href="([a-z_]+)\.html"', page)
    assert steps == list(notebook.STEPS)
    assert 'aria-current="page" href="validate_tiers.html"' in page
    assert "Bank calls" in page


def test_parameter_that_the_notebook_does_not_know_is_refused(project):
    with pytest.raises(InputError, match=r"toleranc; it knows application, tolerance"):
        notebook.run("compare_models", "bank_calls")


def test_unknown_names_are_answered_with_the_known_ones(project):
    with pytest.raises(InputError, match=r"'validate'; known: build_features, compare_models"):
        notebook.run("validate", "bank_calls")
    with pytest.raises(InputError, match=r"'lead'; known: bank_calls, leads"):
        notebook.run("validate_tiers", "lead")


def test_absent_section_is_an_empty_one(project):
    assert notebook.read_section(project, "leads", "validate_tiers") == {}


def test_failing_cell_gives_one_message_and_keeps_notebook_and_old_report(project, capsys):
    old = project / "reports/bank_calls/build_features.html"
    old.parent.mkdir(parents=True, exist_ok=True)
    old.write_text("the last good report")
    with pytest.raises(InputError) as caught:
        notebook.run("build_features", "bank_calls")
    message = str(caught.value)
    assert message.startswith('build_features@bank_calls stopped at "Can we divide?": ZeroDivision')
    assert "Traceback" not in message
    kept = project / "logs/bank_calls-build_features.ipynb"
    assert str(kept.relative_to(project)) in message
    assert "ZeroDivisionError" in kept.read_text()
    assert old.read_text() == "the last good report"
    assert "build_features@bank_calls  2/2  Can we divide?" in capsys.readouterr().err


def test_our_own_errors_speak_for_themselves(project):
    with pytest.raises(InputError, match=r'at "export_model": 5 wins; 50 are needed'):
        notebook.run("export_model", "leads")


def test_kernel_that_dies_is_reported(project):
    with pytest.raises(InputError, match=r"select_threshold@leads .* the kernel ended by itself"):
        notebook.run("select_threshold", "leads")
    assert (project / "logs/leads-select_threshold.ipynb").is_file()


def test_names_are_read_from_the_parameters_cell_however_it_is_written(tmp_path):
    cell = code("a = {\n  'x': 1,\n}\nb: int = 2  # unit\nc = d = None\nprint(a)", "parameters")
    path = tmp_path / "any.ipynb"
    assert notebook.defined_names(new_notebook(cells=[cell]), path) == ["a", "b", "c", "d"]
    with pytest.raises(InputError, match="any.ipynb has no cell tagged `parameters`"):
        notebook.defined_names(new_notebook(cells=[code("a = 1")]), path)
