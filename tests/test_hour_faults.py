"""The whole hour, killed or on a full disk: nothing is lost or doubled, and the next run ends it.

The company is a fake that remembers; the hour is the one of `tierwise schedule`: ingest, score and
push. TIERWISE_KILL_EVERY=1 kills it at every moment that there is, which takes some minutes.
"""

import logging
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("httpx", reason="needs the extra hourly")
pytest.importorskip("xlsxwriter", reason="needs the extra hourly")
pytest.importorskip("apscheduler", reason="needs the extra hourly")

import fake_pipedrive as fp
import faulty_hour as fh
from killed import NURSERY, needs_fork

HERE = str(Path(__file__).parent)


@pytest.fixture(autouse=True)
def token(monkeypatch):
    monkeypatch.setenv("TEST_TOKEN", fp.TOKEN)


@pytest.fixture(scope="module")
def after_one(tmp_path_factory):
    return fh.first_hour(tmp_path_factory.mktemp("hour"))


@pytest.fixture(scope="module")
def undisturbed(after_one, tmp_path_factory):
    return fh.undisturbed(after_one, tmp_path_factory.mktemp("good"))


@pytest.fixture
def second(after_one, tmp_path, monkeypatch):
    """The project before its second hour, and its company."""
    root, fake = fh.copied(after_one, tmp_path)
    monkeypatch.chdir(root)
    return root, fake


@pytest.fixture
def lines(caplog, monkeypatch):
    """The log of the hour: its errors, one line each."""
    monkeypatch.setattr(fh.LOG, "propagate", True)
    caplog.set_level(logging.INFO, fh.LOG.name)
    return lambda: [one.getMessage() for one in caplog.records if one.levelno >= logging.ERROR]


# killed


def work_of(folder, moment):
    """The second hour, in a child that may die at any `moment`; the company outlives it."""
    company = folder.parent.with_name("companies") / folder.name
    shutil.copyfile(folder / "company", company)
    fake, root = fh.brought_back(company), folder / "project"
    os.chdir(root)
    with fh.reaching(fake, moment, lambda: fh.kept(fake, company)):
        fh.run(root, fh.SECOND)


def kills(place, every):
    """Kill a child at every so manieth moment; how each ended, by its number. 0 is the whole one."""
    code = f"sys.path.insert(0, {HERE!r})\nfrom test_hour_faults import work_of as work"
    text = NURSERY.replace("{code}", code).replace("{timed}", "0")
    text = text.replace('"start", folder)', '"start", folder, symlinks=True)')
    text = text.replace("range(1, moments + 1)", f"range(1, moments + 1, {every})")
    text = text.replace("print(forked(number, number))", "print(number, forked(number, number))")
    command = [sys.executable, "-c", text, str(place)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=1500)
    assert not done.stderr, done.stderr
    moments, *lines_ = done.stdout.splitlines()
    return int(moments), dict(line.split() for line in lines_)


@needs_fork
def test_a_kill_at_any_moment_of_the_hour_loses_and_doubles_nothing(
    after_one, undisturbed, tmp_path, monkeypatch
):
    start = tmp_path / "kills/start"
    shutil.copytree(after_one / "project", start / "project", symlinks=True)
    shutil.copyfile(after_one / "company", start / "company")
    (tmp_path / "companies").mkdir()
    every = int(os.environ.get("TIERWISE_KILL_EVERY", "40"))
    moments, ends = kills(tmp_path / "kills", every)
    assert moments > 100
    assert set(ends.values()) == {"killed"}
    assert len(ends) >= moments // every
    for number in ends:
        root = tmp_path / "kills" / number / "project"
        monkeypatch.chdir(root)
        fh.ended(root, fh.brought_back(tmp_path / "companies" / number), undisturbed)
        left = fh.left_over(root)
        assert not left, (number, left)
    print(f"{len(ends)} kills at {moments} moments")


# a full disk


@pytest.fixture
def small_disk(second, after_one):
    """The project with its data on a disk of its own; fill(free_kb) leaves so much room."""
    root, fake = second
    shutil.move(root / "data", root / "aside")
    (root / "data").mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=48m", "tmpfs", str(root / "data")]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        shutil.move(root / "aside", root / "data")
        pytest.skip("may not mount a small disk here")
    try:
        shutil.copytree(root / "aside", root / "data", symlinks=True, dirs_exist_ok=True)
        ballast = root / "data/ballast"

        def fill(free_kb):
            free = os.statvfs(root / "data")
            with ballast.open("wb") as file:
                file.write(bytes(max(0, free.f_bavail * free.f_frsize - free_kb * 1024)))
            return ballast

        yield root, fake, fill
    finally:
        os.chdir(HERE)
        subprocess.run(["umount", "-l", str(root / "data")], check=True)


@pytest.mark.parametrize("free_kb", [0, 200])
def test_a_full_disk_is_one_message_a_step_and_the_next_run_ends_the_hour(
    small_disk, undisturbed, lines, free_kb
):
    root, fake, fill = small_disk
    ballast = fill(free_kb)
    with fh.reaching(fake):
        outcomes = fh.run(root, fh.SECOND)
    assert "broke" not in outcomes.values()
    said = [line for line in lines() if line.startswith("step=")]
    assert len(said) == list(outcomes.values()).count("failed")
    assert said or free_kb > 200
    assert not any("\n" in line for line in said)
    ballast.unlink()
    fh.ended(root, fake, undisturbed)
    assert not fh.left_over(root)
