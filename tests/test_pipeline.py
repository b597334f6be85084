"""One step, one name; a stage watches what it uses; an environment is described once."""

import platform
import re
import tomllib
from pathlib import Path

import pytest
from dvc.repo import Repo
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version
from ruamel.yaml import YAML

from tierwise import files, imports, notebook

ROOT = Path(__file__).parents[1]
STEPS = files.STEPS
TEMPLATE = "src/tierwise/template"
# What stands beside the steps, with the modules that each command runs.
BESIDE = {"simulate_world": ["simulation.world"], "fetch_tables@leads": ["snapshot"]}
BESIDE |= {"replay_hours@leads": ["replay"]}


def yaml(path):
    return YAML(typ="safe").load(path)


def toml(path):
    return tomllib.loads(path.read_text(encoding="utf-8"))


PARAMS = yaml(ROOT / "params.yaml")["applications"]
PIPELINE = yaml(ROOT / "dvc.yaml")
PROJECT = toml(ROOT / "pyproject.toml")["project"]
PYTHON = SpecifierSet(PROJECT["requires-python"])

HOURLY = yaml(ROOT / "params.yaml")["hourly"]


def steps_of(application):
    return [*STEPS, *(files.LATER_STEPS if application in HOURLY else ())]


each_stage = pytest.mark.parametrize(
    ("application", "step"), [(one, step) for one in PARAMS for step in steps_of(one)]
)


@pytest.fixture(scope="module")
def stages():
    """Name -> stage, as DVC itself reads them, with every ${...} filled in."""
    with Repo(str(ROOT)) as repo:
        return {stage.addressing: stage for stage in repo.index.stages}


def paths(items):
    return [item.def_path for item in items if not item.def_path.endswith("params.yaml")]


def watched_params(stage):
    return {name for item in stage.deps if hasattr(item, "params") for name in item.params}


@each_stage
def test_step_has_one_name_in_five_places(stages, application, step):
    stage = stages[f"{step}@{application}"]
    assert f"notebooks/{step}.ipynb" in paths(stage.deps)
    assert stage.cmd.endswith(f"tierwise run {step} {application}")
    assert f"reports/{application}/{step}.html" in paths(stage.outs)
    assert f"metrics/{application}/{step}.json" in paths(stage.outs)
    assert step in PARAMS[application]
    assert watched_params(stage) == {f"applications.{application}.{step}"}


def test_there_is_no_step_beside_these(stages):
    assert {name.split("@")[0] for name in stages} == {
        *STEPS,
        *files.LATER_STEPS,
        "index",
        *(name.split("@")[0] for name in BESIDE),
    }
    known = [*STEPS, *files.LATER_STEPS]
    assert {path.stem for path in (ROOT / "notebooks").glob("*.ipynb")} == set(known)
    assert notebook.known_steps(ROOT) == known
    for application, section in PARAMS.items():
        assert list(section) == steps_of(application), application


@each_stage
def test_notebook_knows_every_parameter_and_every_application_gives_all(application, step):
    path = ROOT / "notebooks" / f"{step}.ipynb"
    given = {"application": application} | notebook.read_section(ROOT, application, step)
    known = notebook.defined_names(notebook.read_notebook(path, {}), path)
    assert set(given) == set(known)


@each_stage
def test_stage_watches_exactly_the_code_that_its_notebook_uses(stages, application, step):
    used = set()
    for path in imports.watched(ROOT / "notebooks" / f"{step}.ipynb"):
        name = path.relative_to(ROOT).as_posix()
        used.add(TEMPLATE if name.startswith(TEMPLATE) else name)
    code = {name for name in paths(stages[f"{step}@{application}"].deps) if is_code(name)}
    assert code == used


@pytest.mark.parametrize("name", BESIDE)
def test_stage_beside_the_steps_watches_exactly_the_code_that_it_runs(stages, name):
    used = {path for module in BESIDE[name] for path in imports.reached(module)}
    code = {path for path in paths(stages[name].deps) if is_code(path)}
    assert code == {path.relative_to(ROOT).as_posix() for path in used}


def test_tables_are_fetched_for_every_application_that_reads_a_copy(stages):
    tables = yaml(ROOT / "params.yaml")["tables"]
    for application, section in PARAMS.items():
        source = section["build_features"]["source"]
        assert (source == f"data/tables/{application}") == (application in tables)
    for application in tables:
        stage = stages[f"fetch_tables@{application}"]
        assert stage.cmd.endswith(f"tierwise fetch {application}")
        assert watched_params(stage) == {f"tables.{application}"}
        assert paths(stage.outs) == [f"data/tables/{application}"]
        assert "data/raw" in paths(stage.deps)
        assert stage.outs[0].persist, "DVC would delete the last good copy before fetching"


def test_simulated_tables_are_called_simulated(stages):
    assert paths(stages["simulate_world"].outs) == ["data/raw/marketplace"]
    sources = yaml(ROOT / "params.yaml")["tables"]
    for application, table in sources.items():
        simulated = PARAMS[application]["build_features"]["simulated"]
        assert simulated == (table["source"] == "data/raw/marketplace")


def is_code(name):
    return name.startswith(("src/", "notebooks/"))


@each_stage
def test_stage_depends_on_each_file_that_an_earlier_one_made_and_its_notebook_reads(
    stages, application, step
):
    """Read from the code: models_path, metrics_path and dataset.load say what a page opens."""
    code = imports.code_of(ROOT / "notebooks" / f"{step}.ipynb")
    read = {f"models/{application}/{name}" for name in re.findall(r'models_path\(.*?"(.*?)"', code)}
    if "dataset.load(" in code:
        read |= {f"models/{application}/{name}.parquet" for name in ("examples", "features")}
    read |= {
        f"metrics/{application}/{name}.json"
        for name in re.findall(r'metrics_path\(.*?"(.*?)"', code)
    }
    if 'files.STEPS[: files.STEPS.index("export_model")]' in code:
        earlier = STEPS[: STEPS.index("export_model")]
        read |= {f"metrics/{application}/{name}.json" for name in earlier}
    stage = stages[f"{step}@{application}"]
    assert read <= set(paths(stage.deps)) | set(paths(stage.outs))


@each_stage
def test_every_page_that_shows_a_header_depends_on_the_facts_in_it(stages, application, step):
    """The header of each page names data version and date; both come from build_features."""
    facts = f"metrics/{application}/build_features.json"
    stage = stages[f"{step}@{application}"]
    assert facts in paths(stage.deps) or facts in paths(stage.outs)


def test_every_dependency_is_in_git_or_made_by_a_stage(stages):
    made = {name for stage in stages.values() for name in paths(stage.outs)}
    folders = {str(Path(name).parent) for name in made} | {name.split("/")[0] for name in made}
    for stage in stages.values():
        for name in paths(stage.deps):
            assert "$" not in name
            assert name in made | folders or (ROOT / name).exists(), name


def test_steps_follow_each_other(stages):
    """Each step depends on an output of an earlier one and of no later one."""
    for application in PARAMS:
        maker = {
            name: step for step in STEPS for name in paths(stages[f"{step}@{application}"].outs)
        }
        for place, step in enumerate(STEPS):
            needed = {maker.get(name) for name in paths(stages[f"{step}@{application}"].deps)}
            assert needed - {None} <= set(STEPS[:place])
            assert place == 0 or needed - {None}


def test_applications_do_not_depend_on_each_other(stages):
    for name, stage in stages.items():
        for other in PARAMS:
            if name != "index" and not name.endswith(f"@{other}"):
                assert not [p for p in paths(stage.deps) if p.split("/")[1:2] == [other]]


def test_reports_are_leaves(stages):
    for stage in stages.values():
        assert not [name for name in paths(stage.deps) if name.startswith("reports")]


def test_metrics_are_kept_in_git_and_everything_else_in_the_cache(stages):
    for stage in stages.values():
        for out in stage.outs:
            in_git = out.def_path.startswith("metrics/")
            assert bool(out.metric) == in_git, out.def_path
            assert out.use_cache != in_git, out.def_path


def test_every_model_that_is_declared_is_made_by_a_stage(stages):
    made = {name for stage in stages.values() for name in paths(stage.outs)}
    declared = PIPELINE["artifacts"]
    assert "bank_calls" in declared
    for name, artifact in declared.items():
        assert artifact["path"] in made
        assert artifact["path"] == f"exports/{name}"
        assert artifact["type"] == "model"


def test_first_page_watches_all_that_it_shows(stages):
    assert {"metrics", "notebooks", "src/tierwise"} <= set(paths(stages["index"].deps))
    assert watched_params(stages["index"]) == {"applications"}
    assert paths(stages["index"].outs) == ["reports/index.html"]


def test_shares_in_params_are_shares_and_names_end_in_units():
    units = (
        "_share",
        "_auc",
        "_eur",
        "_count",
        "_rows",
        "_days",
        "_year",
        "_p",
        "_loss",
        "_factor",
    )

    def numbers(value, name=""):
        if isinstance(value, dict):
            for key, item in value.items():
                if key != "words":  # sentences, some of them for a number
                    yield from numbers(item, name if name == "tier_shares" else key)
        elif isinstance(value, int | float) and not isinstance(value, bool):
            yield name, value

    found = [pair for section in PARAMS.values() for pair in numbers(section)]
    assert len(found) > 10
    for name, value in found:
        assert name == "tier_shares" or name.endswith(units), name
        if name.endswith(("_share", "_shares")):
            assert 0 <= value <= 1, name


def minors(specifiers):
    """Python 3.x versions that the specifiers allow, as far as anyone can foresee."""
    return {minor for minor in range(40) if SpecifierSet(specifiers).contains(f"3.{minor}.0")}


def test_conda_environment_holds_what_must_exist_before_pyproject_is_read():
    listed = yaml(ROOT / "environment.yml")["dependencies"]
    names = [Requirement(item).name for item in listed if isinstance(item, str)]
    assert sorted(names) == ["make", "pip", "python"]
    assert [item for item in listed if isinstance(item, dict)] == [{"pip": ["-e ."]}]


def test_conda_environment_allows_the_same_pythons_as_pyproject():
    listed = yaml(ROOT / "environment.yml")["dependencies"]
    python = next(Requirement(item) for item in listed if str(item).startswith("python"))
    assert minors(str(python.specifier)) == minors(PROJECT["requires-python"])


def test_dependencies_are_listed_in_pyproject_alone():
    names = [path.name for path in ROOT.iterdir()]
    assert not {"setup.py", "setup.cfg", "Pipfile", "poetry.lock"} & set(names)
    assert not [name for name in names if name.startswith("requirements")]


def test_uv_is_installed_by_hash_in_the_version_of_the_lock_file():
    text = (ROOT / ".ci" / "uv.txt").read_text(encoding="utf-8")
    pinned = re.findall(r"^(\S+?)==(\S+)", text, re.MULTILINE)
    locked = {item["name"]: item for item in toml(ROOT / "uv.lock")["package"]}
    assert [name for name, _ in pinned] == ["uv"]
    assert pinned[0][1] == locked["uv"]["version"]
    hashes = set(re.findall(r"--hash=(sha256:[0-9a-f]{64})", text))
    uv = locked["uv"]
    assert hashes == {item["hash"] for item in (uv["sdist"], *uv["wheels"])}


def test_lock_file_holds_a_hash_for_everything_that_is_downloaded():
    for item in toml(ROOT / "uv.lock")["package"]:
        if "registry" in item["source"]:
            found = [*item.get("wheels", []), *([item["sdist"]] if "sdist" in item else [])]
            assert found, item["name"]
            assert all(file["hash"].startswith("sha256:") for file in found), item["name"]


def test_lock_file_answers_what_pyproject_asks():
    locked = {item["name"]: item for item in toml(ROOT / "uv.lock")["package"]}
    for text in PROJECT["dependencies"]:
        wanted = Requirement(text)
        assert Version(locked[canonicalize_name(wanted.name)]["version"]) in wanted.specifier, text


def test_default_install_is_free_of_the_graphics_card_library():
    """It weighs more than everything else together; `xgboost-cpu` is the same module without."""
    plain = [Requirement(item) for item in PROJECT["dependencies"]]
    here = {
        item.name
        for item in plain
        if item.marker is None or item.marker.evaluate({"sys_platform": "linux"})
    }
    assert "xgboost-cpu" in here
    assert "xgboost" not in here


WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


def pythons_of_checks():
    """Versions that the workflows set up."""
    found = []
    for path in WORKFLOWS:
        for job in yaml(path)["jobs"].values():
            found += job.get("strategy", {}).get("matrix", {}).get("python-version", [])
            for step in job["steps"]:
                version = str(step.get("with", {}).get("python-version", "${{"))
                found += [] if "${{" in version else [version]
    return found


def test_checks_run_on_the_oldest_python_that_is_promised():
    found = {int(version.split(".")[1]) for version in pythons_of_checks()}
    assert found <= minors(PROJECT["requires-python"])
    assert min(found) == min(minors(PROJECT["requires-python"]))
    typed = toml(ROOT / "pyproject.toml")["tool"]["mypy"]["python_version"]
    assert typed == f"3.{min(found)}"


def test_make_and_checks_call_only_targets_that_exist():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([\w./-]+):(?!=)", makefile, re.MULTILINE))
    assert {"all", "setup", "test", "lint"} <= targets
    texts = [path.read_text(encoding="utf-8") for path in (*WORKFLOWS, ROOT / ".ci" / "run")]
    called = {
        name for text in texts for name in re.findall(r"(?:^|run: )make ([a-z]+)$", text, re.M)
    }
    assert {"setup", "lint", "test"} <= called
    assert called <= targets


def test_nightly_check_repeats_everything_and_compares():
    text = (ROOT / ".github" / "workflows" / "reproduce.yml").read_text(encoding="utf-8")
    assert "dvc repro --force" in text
    assert re.search(r"git diff --exit-code .*dvc\.lock", text)


def test_python_of_the_tests_is_one_that_is_promised():
    assert PYTHON.contains(platform.python_version(), prereleases=True)
