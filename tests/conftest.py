"""One thread and one seed for the whole set, so that a failure can be repeated.

With pytest-xdist and --dist=loadfile the files that take longest go out first, and each stranger
of test_strangers.py goes out as if it were a file: its project is made once, by one worker.
"""

import gc
import os
import sys
from typing import NamedTuple

# Before any import of numpy or scikit-learn: they read it once.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import pytest
from hypothesis import settings

settings.register_profile("tierwise", deadline=None, derandomize=True, max_examples=40)
settings.load_profile("tierwise")

# Begun last, one of these would keep one worker busy long after all others are done.
STRANGERS = "test_strangers.py"
LONGEST = [STRANGERS, "test_leadforge.py", "test_whole.py", "test_leads.py", "test_export.py"]


def pytest_collection_finish():
    """What the imports made stays to the end: no collection of garbage has to look at it again."""
    gc.collect()
    gc.freeze()


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config, items):
    """Only for workers: whoever runs the tests alone sees the quick ones first."""
    if hasattr(config, "workerinput"):
        places = {name: place for place, name in enumerate(LONGEST)}
        items.sort(key=lambda item: places.get(item.path.name, len(places)))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    if config.option.dist != "loadfile":
        return None
    from xdist.scheduler import LoadFileScheduling

    class LongestFirst(LoadFileScheduling):
        def _split_scope(self, nodeid):
            file = super()._split_scope(nodeid)
            return file + nodeid.rpartition("[")[2] if file.endswith(STRANGERS) else file

    config.option.loadscopereorder = False  # or the files with the most tests would go first
    return LongestFirst(config, log)


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    """A small simulated world and its snapshots, to be read only; see hourly_world.py."""
    import hourly_world

    return hourly_world.laid_out(tmp_path_factory.mktemp("hour"))


@pytest.fixture(scope="session")
def made(folder):
    """Its examples and their columns."""
    import hourly_world

    return hourly_world.examined(folder)


@pytest.fixture(scope="session", params=["logistic_regression", "recent_boosting"])
def scorer(request, folder, made):
    """What scores an hour of it, with each of two models."""
    import hourly_world

    return hourly_world.scorer_of(request.param, folder, *made)


@pytest.fixture(scope="module")
def server():
    """Address of a throw-away PostgreSQL cluster, see postgresql_server.py."""
    import postgresql_server

    with postgresql_server.running() as address:
        yield address


class Result(NamedTuple):
    """What a call of the command came to."""

    code: int
    out: str
    err: str


@pytest.fixture
def run(monkeypatch, capsys):
    """Call the command as a shell does: its exit code and what it printed."""

    def call(*words):
        from tierwise import cli

        monkeypatch.setattr(sys, "argv", ["tierwise", *map(str, words)])
        with pytest.raises(SystemExit) as stop:
            cli.main()
        printed = capsys.readouterr()
        return Result(stop.value.code, printed.out, printed.err)

    return call
