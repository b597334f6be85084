"""Segment's own SDKs against our intake, which is killed ten times: they lose nothing, double nothing."""

import json
import os
import random
import shutil
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

pytest.importorskip("granian", reason="needs the extra hourly")
pytest.importorskip("httpx", reason="needs the extra hourly")
if sys.platform == "win32":
    pytest.skip("forks a child for each kill", allow_module_level=True)

import places

from intake_world import Lives, nursery, rows
from tierwise.intake import keys, server

HERE = Path(__file__).parent
KILLS_COUNT = 10


def python_sdk():
    what = "a Python that has segment-analytics-python"
    path = places.told("TIERWISE_SEGMENT_PYTHON", what)
    if shutil.which(path) is None:
        pytest.skip(f"TIERWISE_SEGMENT_PYTHON names {path}, and there is no such program")
    return [path, str(HERE / "segment_python.py")]


def node_sdk():
    if shutil.which("node") is None:
        pytest.skip("there is no node on this machine")
    what = "a node_modules folder with @segment/analytics-node in it"
    path = Path(places.told("TIERWISE_SEGMENT_NODE_MODULES", what))
    if not (path / "@segment" / "analytics-node").is_dir():
        pytest.skip(f"there is no @segment/analytics-node in {path}")
    return ["node", str(HERE / "segment_node.mjs"), str(path)]


@pytest.mark.parametrize(("name", "sdk"), [("python", python_sdk), ("node", node_sdk)])
def test_a_strangers_sdk_loses_nothing_over_ten_kills(tmp_path, name, sdk):
    command = sdk()
    draw, key = random.Random(name), keys.create(server.keys_path(tmp_path), "server", "shop")
    with nursery() as birth:
        lives = Lives(birth, tmp_path)
        lives.start()
        driver = subprocess.Popen(
            [*command, f"http://127.0.0.1:{lives.port}", key],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=dict(os.environ) | {"NO_PROXY": "127.0.0.1"},
        )
        for _ in range(KILLS_COUNT):
            time.sleep(draw.uniform(0.1, 0.5))
            lives.end()
            lives.start()
        told, _ = driver.communicate(timeout=120)
        lives.end()
    found = json.loads(told)
    assert found["failed"] == 0
    assert found["count"] > 500
    ids = [f"{name} {number}" for number in range(found["count"])]
    stored = Counter(rows(server.folder_of(tmp_path), "SELECT event_id FROM events"))
    assert stored == Counter([*ids, f"{name} identify", f"{name} page"])
    kinds = Counter(rows(server.folder_of(tmp_path), "SELECT kind FROM events"))
    assert kinds == {"track": found["count"], "identify": 1, "page": 1}
