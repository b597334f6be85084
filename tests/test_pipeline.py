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
BESIDE |= {"replay_hours@leads": ["replay"], "fetch_tables@employers": ["snapshot"]}
BESIDE |= {"simulate_accounts": ["simulation.account_world"]}
BESIDE |= {"simulate_providers": ["simulation.provider_world"]}
BESIDE |= {"fetch_tables@home_services": ["snapshot"]}
BESIDE |= {"simulate_customers": ["simulation.customer_world"]}
BESIDE |= {"fetch_tables@loyal_shoppers": ["snapshot"]}
BESIDE |= {"simulate_referrals": ["simulation.referral_world"]}
BESIDE |= {"fetch_tables@file_sharing": ["snapshot"]}
# What simulating leaves: tables, and what is true of them.
SIMULATED = {"simulate_world": ["data/raw/marketplace"]}
SIMULATED |= {"simulate_accounts": ["data/raw/employers", "data/truth/employers"]}
SIMULATED |= {"simulate_providers": ["data/raw/home_services", "data/truth/home_services"]}
SIMULATED |= {"simulate_customers": ["data/raw/loyal_shoppers", "data/truth/loyal_shoppers"]}
SIMULATED |= {"simulate_referrals": ["data/raw/file_sharing", "data/truth/file_sharing"]}
# Of whom there are as many as params.yaml says, where a world is not named after them.
COUNTED = {"simulate_world": "deals", "simulate_customers": "people"}
COUNTED |= {"simulate_referrals": "members"}


def yaml(path):
    return YAML(typ="safe").load(path)


def toml(path):
    return tomllib.loads(path.read_text(encoding="utf-8"))


WHOLE = yaml(ROOT / "params.yaml")
PARAMS = WHOLE["applications"]
OWN = {section: WHOLE[section] for section in files.OWN_SECTIONS}
PIPELINE = yaml(ROOT / "dvc.yaml")
PROJECT = toml(ROOT / "pyproject.toml")["project"]
PYTHON = SpecifierSet(PROJECT["requires-python"])

HOURLY = WHOLE["hourly"]
OWN_STEPS = tuple(step for steps in files.OWN_SECTIONS.values() for step in steps)
JUDGED_BY_TRUTH = {"account_alerts", "rating_audit", "satisfaction", "drop_out", "provider_ranks"}
JUDGED_BY_TRUTH |= {*files.OWN_SECTIONS["customers"], "attribution", "advocates"}
JUDGED_BY_TRUTH |= {"invitation_choice", "referral_fraud"}


def steps_of(application):
    return [*STEPS, *(files.LATER_STEPS if application in HOURLY else ())]


def own_steps_of(application):
    sections = files.OWN_SECTIONS.items()
    return [step for name, steps in sections if application in OWN[name] for step in steps]


def named_in_order(*groups):
    return list(dict.fromkeys(name for group in groups for name in group))


STAGES = [(one, step) for one in PARAMS for step in steps_of(one)]
OWN_STAGES = [(one, step) for one in named_in_order(*OWN.values()) for step in own_steps_of(one)]
each_stage = pytest.mark.parametrize(("application", "step"), STAGES + OWN_STAGES)
each_own_stage = pytest.mark.parametrize(("application", "step"), OWN_STAGES)


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
    place = notebook.section_place(application, step)
    section = WHOLE
    for name in place:
        section = section[name]
    assert section
    assert watched_params(stage) == {".".join(place)}


def test_spend_has_a_section_of_its_own_and_the_other_pages_of_accounts_stand_together():
    """A plain file of orders has the first page and no other."""
    assert notebook.section_place("mine", "build_features") == [
        "applications",
        "mine",
        "build_features",
    ]
    assert notebook.section_place("mine", files.SPEND_STEP) == ["account_spend", "mine"]
    for name, steps in files.OWN_SECTIONS.items():
        if name != files.SPEND_STEP:
            assert all(notebook.section_place("mine", one) == [name, "mine", one] for one in steps)
            assert all(list(section) == list(steps) for section in OWN[name].values()), name
    assert set(OWN["accounts"]) <= set(OWN["account_spend"]), "briefs need what is expected"


def test_every_section_of_its_own_belongs_to_one_subject():
    named = [section for sections in files.SUBJECTS.values() for section in sections]
    assert sorted(named) == sorted(files.OWN_SECTIONS)
    assert len(set(OWN_STEPS)) == len(OWN_STEPS)


def test_there_is_no_step_beside_these(stages):
    known = [*STEPS, *files.LATER_STEPS, *OWN_STEPS]
    assert {name.split("@")[0] for name in stages} == {
        *known,
        "index",
        *(name.split("@")[0] for name in BESIDE),
    }
    wanted = {f"{step}@{application}" for application, step in STAGES + OWN_STAGES}
    assert {name for name in stages if name.split("@")[0] in known} == wanted
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
        folder = path.suffix not in (".py", ".ipynb")
        used.add((path.parent if folder else path).relative_to(ROOT).as_posix())
    code = {name for name in paths(stages[f"{step}@{application}"].deps) if is_code(name)}
    assert code == used


@pytest.mark.parametrize("name", BESIDE)
def test_stage_beside_the_steps_watches_exactly_the_code_that_it_runs(stages, name):
    used = {path for module in BESIDE[name] for path in imports.reached(module)}
    code = {path for path in paths(stages[name].deps) if is_code(path)}
    assert code == {path.relative_to(ROOT).as_posix() for path in used}


def test_tables_are_fetched_for_every_application_that_reads_a_copy(stages):
    tables = yaml(ROOT / "params.yaml")["tables"]
    sources = {name: [section["build_features"]["source"]] for name, section in PARAMS.items()}
    for name, step in OWN_STAGES:
        source = notebook.read_section(ROOT, name, step)["source"]
        sources[name] = [*sources.get(name, []), source]
    for application, read in sources.items():
        copy = {f"data/tables/{application}"}
        assert (set(read) == copy) == (application in tables)
        assert set(read) == copy or not any(one.startswith("data/tables") for one in read)
    for application in tables:
        stage = stages[f"fetch_tables@{application}"]
        assert stage.cmd.endswith(f"tierwise fetch {application}")
        assert watched_params(stage) == {f"tables.{application}"}
        assert paths(stage.outs) == [f"data/tables/{application}"]
        assert "data/raw" in paths(stage.deps)
        assert stage.outs[0].persist, "DVC would delete the last good copy before fetching"


def test_simulated_tables_are_called_simulated(stages):
    for name, outs in SIMULATED.items():
        assert paths(stages[name].outs) == outs
    made = {path for outs in SIMULATED.values() for path in outs}
    simulated = {name: table["source"] in made for name, table in WHOLE["tables"].items()}
    for application, section in PARAMS.items():
        assert section["build_features"]["simulated"] == simulated.get(application, False)
    for application, step in OWN_STAGES:
        section = notebook.read_section(ROOT, application, step)
        assert section["simulated"] == simulated.get(application, False)


def test_numbers_of_a_simulation_are_those_of_params(stages):
    for name, outs in SIMULATED.items():
        kind = COUNTED.get(name, name.removeprefix("simulate_"))
        command = stages[name].cmd
        assert f"--{kind} {WHOLE['simulation'][f'{kind}_count']}" in command
        assert f"--seed {WHOLE['simulation']['seed']}" in command
        assert all(path in command for path in outs)


def test_a_truth_is_read_by_the_page_that_judges_alerts_and_by_no_other(stages):
    """What no real company could know must not help anybody to foretell. It is made with the raw
    tables and watched with them: a company of real tables has none that DVC could wait for."""
    for name, stage in stages.items():
        assert not [path for path in paths(stage.deps) if path.startswith("data/truth")], name
    for application, step in OWN_STAGES:
        section = notebook.read_section(ROOT, application, step)
        assert ("truth" in section) == (step in JUDGED_BY_TRUTH)
        if section.get("truth"):
            assert section["truth"] in [path for outs in SIMULATED.values() for path in outs]


def is_code(name):
    return name.startswith(("src/", "notebooks/"))


@each_stage
def test_stage_depends_on_each_file_that_an_earlier_one_made_and_its_notebook_reads(
    stages, application, step
):
    """Read from the code: models_path, metrics_path and dataset.load say what a page opens."""
    code = imports.code_of(ROOT / "notebooks" / f"{step}.ipynb")
    read = named_in(code, application) | handed_over(code, application)
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


def named_in(code, application):
    return {f"models/{application}/{name}" for name in re.findall(r'models_path\(.*?"(.*?)"', code)}


def handed_over(code, application):
    """The tables of earlier steps that functions of tierwise read or write for this page."""
    found, root = set(), ROOT / "src/tierwise"
    modules = {
        ".".join(path.relative_to(root).with_suffix("").parts): path.read_text(encoding="utf-8")
        for path in root.rglob("*.py")
    }
    for module, function in called(code, modules):
        body = modules[module].split(f"\ndef {function}(")[1].split("\ndef ")[0]
        found |= set(re.findall(r'models_path\([^)]*?"([^"{]+)"', body))
        found |= {f"{files.SPEND_STEP}.parquet" for _ in re.findall(r'f"{SPEND_STEP}.par', body)}
        found |= {"briefs" for _ in re.findall(r"brief_button\.folder\(", body)}
    return {f"models/{application}/{name}" for name in found}


def called(code, modules):
    """Pairs of module and function that a notebook calls, whatever it calls the module."""
    names = {}
    for package, line in re.findall(r"^from tierwise\.?(\w*) import (.+)$", code, re.M):
        for item in line.split(","):
            module, _, alias = item.strip().partition(" as ")
            names[alias or module] = f"{package}.{module}".lstrip(".")
    found = re.findall(r"\b(\w+)\.(\w+)\(", code)
    pairs = {(names[name], function) for name, function in found if name in names}
    return {(m, f) for m, f in pairs if m in modules and f"\ndef {f}(" in modules[m]}


def test_what_pages_of_accounts_hand_over_is_seen_by_these_tests():
    """Else the test above would hold of nothing."""
    codes = {
        step: imports.code_of(ROOT / "notebooks" / f"{step}.ipynb")
        for step in files.steps_about("companies")
    }
    read = {step: named_in(code, "x") | handed_over(code, "x") for step, code in codes.items()}
    assert read == {
        "account_spend": {"models/x/account_spend.parquet"},
        "decision_makers": {"models/x/decision_makers.parquet"},
        "relationship_paths": {
            "models/x/decision_makers.parquet",
            "models/x/relationship_paths.parquet",
        },
        "account_brief": {
            "models/x/account_spend.parquet",
            "models/x/decision_makers.parquet",
            "models/x/briefs",
        },
        "account_alerts": set(),
    }


@each_own_stage
def test_a_page_of_accounts_depends_on_the_tables_that_it_reads(stages, application, step):
    source = notebook.read_section(ROOT, application, step)["source"]
    assert source in paths(stages[f"{step}@{application}"].deps)


@each_own_stage
def test_pages_of_accounts_follow_each_other(stages, application, step):
    maker = {
        path: one
        for one in own_steps_of(application)
        for path in paths(stages[f"{one}@{application}"].outs)
    }
    place = OWN_STEPS.index(step)
    needed = {maker.get(path) for path in paths(stages[f"{step}@{application}"].deps)}
    assert needed - {None} <= set(OWN_STEPS[:place])


@each_stage
def test_every_page_that_shows_a_header_depends_on_the_facts_in_it(stages, application, step):
    """The header of each page names data version and date: of build_features, or of its own."""
    first = step if step in OWN_STEPS else "build_features"
    facts = f"metrics/{application}/{first}.json"
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
        if name.startswith("simulate_"):
            continue  # makes the tables of one, for nobody in particular
        for other in named_in_order(PARAMS, *OWN.values()):
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
    assert watched_params(stages["index"]) == {"applications", *files.OWN_SECTIONS}
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
        *("_points", "_weeks", "_minutes", "_visits", "_ratings", "_chance", "_rank", "_threshold"),
        *("_texts", "_median", "_hours"),
    )
    # Times a gap, a share of weight, log odds: no unit.
    pure = {"tier_shares", "stretch", "memory", "certainty", "cap"}
    by_name = ("tier_shares", "shown_by_fraud")

    def numbers(value, name=""):
        if isinstance(value, dict):
            for key, item in value.items():
                if key not in ("words", "given", "given_weights"):  # by action or number
                    yield from numbers(item, name if name in by_name else key)
        elif isinstance(value, int | float) and not isinstance(value, bool):
            yield name, value

    sections = [*PARAMS.values(), *(one for section in OWN.values() for one in section.values())]
    found = [pair for section in sections for pair in numbers(section)]
    assert len(found) > 10
    for name, value in found:
        assert name in (*pure, *by_name) or name.endswith(units), name
        if name in by_name or name.endswith("_share"):
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
