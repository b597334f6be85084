"""Keys: shown once, kept as hashes, valid at once, revoked at once."""

import hashlib
import json
import re
import stat
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tierwise.files import InputError
from tierwise.service import api_keys


@pytest.fixture
def path(tmp_path):
    return tmp_path / "keys" / "api.json"


def test_a_key_is_what_it_says_and_its_file_holds_no_secret(path):
    whole = api_keys.create(path, ["read", "score", "read"], "the web shop")
    start, key_id, secret = whole.split("_")
    assert start == "tw"
    assert len(bytes.fromhex(secret)) == 32
    content = path.read_text()
    assert secret not in content
    stored = json.loads(content)["keys"][0]
    assert stored["sha256"] == hashlib.sha256(secret.encode()).hexdigest()
    found = api_keys.Ring(path).find(whole)
    assert (found.id, found.name) == (key_id, "the web shop")
    assert found.scopes == {"read", "score"}


def test_the_file_is_for_its_owner_alone(path):
    for _ in range(2):
        api_keys.create(path, ["score"])
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_no_two_keys_are_alike(path):
    made = [api_keys.create(path, ["score"]) for _ in range(50)]
    parts = [set(column) for column in zip(*(key.split("_") for key in made), strict=True)]
    assert [len(part) for part in parts] == [1, 50, 50]
    ring = api_keys.Ring(path)
    assert all(ring.find(key) for key in made)


@pytest.mark.parametrize("scopes", [[], ["admin"], ["score", "Score"], [""]])
def test_a_key_without_a_known_scope_is_not_made(path, scopes):
    with pytest.raises(InputError, match="score, read, metrics"):
        api_keys.create(path, scopes)
    assert not path.exists()


def test_a_revoked_key_is_refused_by_a_ring_that_was_opened_before(path):
    keep, drop = (api_keys.create(path, ["score"]) for _ in range(2))
    ring = api_keys.Ring(path)
    assert ring.find(drop)
    first = api_keys.revoke(path, drop.split("_")[1])
    assert ring.find(drop) is None
    assert ring.find(keep)
    assert api_keys.revoke(path, first.id).revoked_at == first.revoked_at
    assert [bool(key.revoked_at) for key in api_keys.listed(path)] == [False, True]


def test_a_key_that_is_made_later_is_valid_at_once(path):
    api_keys.create(path, ["score"])
    ring = api_keys.Ring(path)
    assert ring.find(api_keys.create(path, ["read"])).scopes == {"read"}


def changed(key, at, to):
    return key[:at] + to + key[at + 1 :]


def test_whatever_is_not_the_key_is_nobody_s(path):
    key, other = api_keys.create(path, ["score"]), api_keys.create(path, ["read"])
    ring = api_keys.Ring(path)
    head, key_id, secret = key.split("_")
    wrong = [
        "",
        "tw",
        "tw__",
        key_id,
        secret,
        f"{head}_{key_id}_",
        key + "0",
        " " + key,
        key + "\n",
    ]
    wrong += [key.upper(), f"tw_{key_id}_{other[-64:]}", f"tw_{other[3:15]}_{secret}"]
    wrong += [f"tw_{key_id}_{hashlib.sha256(secret.encode()).hexdigest()}", key.replace("_", "-")]
    wrong += [changed(key, at, "0" if key[at] != "0" else "1") for at in range(3, len(key))]
    assert len(set(wrong)) > 80
    assert [text for text in wrong if ring.find(text)] == []
    assert ring.find(key)


@given(st.text())
def test_any_text_is_answered_and_opens_nothing(tmp_path_factory, text):
    path = tmp_path_factory.getbasetemp() / "any" / "api.json"
    if not path.exists():
        api_keys.create(path, ["score"])
    assert api_keys.Ring(path).find(text) is None


def test_a_wrong_secret_and_an_unknown_id_are_compared_alike(path, monkeypatch):
    """Both hash and compare once, so the time does not tell which ids there are."""
    key = api_keys.create(path, ["score"])
    ring, compared = api_keys.Ring(path), []
    right = api_keys.hmac.compare_digest
    monkeypatch.setattr(
        api_keys.hmac,
        "compare_digest",
        lambda a, b: compared.append((len(a), len(b))) or right(a, b),
    )
    for text in (
        changed(key, -1, "0" if key[-1] != "0" else "1")[:80],
        f"tw_{'0' * 12}_{'0' * 64}",
    ):
        ring.find(text)
    assert compared == [(64, 64)] * 2


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("", "JSON"),
        ("{", "JSON"),
        ('{"keys": 3}', "valid array"),
        ('{"keys": [{"id": "0"}]}', "keys.0"),
        ('{"keys": [], "more": 1}', "more"),
    ],
)
def test_a_damaged_file_is_one_message_and_lets_nobody_in(path, content, why):
    key = api_keys.create(path, ["score"])
    ring = api_keys.Ring(path)
    path.write_text(content)
    with pytest.raises(InputError, match=why) as caught:
        ring.find(key)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_gone_lets_nobody_in(path):
    key = api_keys.create(path, ["score"])
    ring = api_keys.Ring(path)
    path.unlink()
    with pytest.raises(InputError, match="there are no keys yet"):
        ring.find(key)


def test_an_id_that_is_unknown_is_not_revoked_and_is_told_so(path):
    api_keys.create(path, ["score"])
    before = path.read_bytes()
    with pytest.raises(InputError, match="No key has the id 'tw_1'"):
        api_keys.revoke(path, "tw_1")
    assert path.read_bytes() == before


def test_a_key_and_its_like_show_no_secret_when_printed(path):
    key = api_keys.create(path, ["score"])
    secret = key.split("_")[2]
    for shown in (api_keys.listed(path)[0], api_keys.Ring(path).find(key)):
        assert not re.search("[0-9a-f]{64}", repr(shown))
        assert secret not in repr(shown)


def test_keys_made_by_several_processes_at_once_are_all_there(path):
    code = (
        "import sys; from pathlib import Path; from tierwise.service import api_keys\n"
        "for _ in range(10): print(api_keys.create(Path(sys.argv[1]), ['score']))"
    )
    jobs = [
        subprocess.Popen([sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    made = [line for job in jobs for line in job.communicate()[0].split()]
    assert len(made) == 30
    ring = api_keys.Ring(path)
    assert all(ring.find(key) for key in made)
