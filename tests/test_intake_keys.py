"""Write keys and the rules of sources: what may be made, what is refused, and nothing is guessed."""

import base64
import gzip
import hashlib
import json
import re

import pytest

pytest.importorskip("granian", reason="needs the extra hourly")
pytest.importorskip("httpx", reason="needs the extra hourly")

from intake_world import ORIGIN, World, event
from tierwise.files import InputError
from tierwise.intake import keys, schemas, snippet

RULES = """
events:
  order paid:
    amount_eur: number
    plan: [free, pro]
    seats: whole number
    gift: yes or no
    due: time
    note: text?
  trial begun:
other_events: {others}
other_properties: {properties}
"""
GOOD = {"amount_eur": 1, "plan": "pro", "seats": 3, "gift": False, "due": "2026-11-24"}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "keys.json"


def rules(folder, others="keep", properties="keep"):
    file = folder / "rules.yaml"
    text = RULES.replace("{others}", others).replace("{properties}", properties)
    file.write_text(text, encoding="utf-8")
    return schemas.read(file)


def test_a_key_is_found_by_its_whole_text_and_its_file_holds_no_secret(path, tmp_path):
    key = keys.create(path, "server", "office")
    assert re.fullmatch("tww_[0-9a-f]{12}_[0-9a-f]{32}", key)
    assert key.split("_")[2] not in path.read_text()
    stored = json.loads(path.read_text())["keys"][0]
    assert stored["sha256"] == hashlib.sha256(key.split("_")[2].encode()).hexdigest()
    ring = keys.Ring(path, tmp_path)
    assert ring.find(key).key.source == "office"
    for wrong in (key[:-1], key + "0", key.upper(), key.replace("tww", "tw"), "", "\0", "ä" * 50):
        assert ring.find(wrong) is None


def test_a_running_server_sees_at_once_what_was_made_and_revoked(path, tmp_path):
    first = keys.create(path, "server", "office")
    ring = keys.Ring(path, tmp_path)
    second = keys.create(path, "web", "shop", [ORIGIN])
    assert ring.find(second).key.origins == [ORIGIN]
    keys.revoke(path, first.split("_")[1])
    assert ring.find(first) is None
    assert ring.find(second)
    with pytest.raises(InputError, match="middle part"):
        keys.revoke(path, "0" * 12)


@pytest.mark.parametrize(
    ("scope", "source", "origins", "rule"),
    [
        ("read", "shop", [], "web or server"),
        ("web", "Shop!", [ORIGIN], "small letters"),
        ("web", "", [ORIGIN], "small letters"),
        ("web", "shop", [], "Name the origins"),
        ("server", "shop", [ORIGIN], "refused from browsers"),
        ("web", "shop", ["https://shop.example/"], "no path"),
        ("web", "shop", ["shop.example"], "no path"),
        ("web", "shop", ["https://*"], "no path"),
        ("web", "shop", ["https://a.*.example"], "no path"),
    ],
)
def test_a_key_that_would_not_do_is_not_made(path, scope, source, origins, rule):
    with pytest.raises(InputError, match=rule):
        keys.create(path, scope, source, origins)
    assert not path.exists()


def test_origins_are_compared_whole():
    below = "https://*.shop.example"
    assert keys.matches("https://a.shop.example", below)
    assert keys.matches("https://a.b.shop.example", below)
    for other in ("https://shop.example", "http://a.shop.example", "https://ashop.example"):
        assert not keys.matches(other, below)
    assert not keys.matches("https://a.shop.example.evil", below)
    assert not keys.matches("https://a.shop.example:444", below)
    assert keys.matches("null", "*")


def test_a_file_that_is_none_of_keys_says_so(path, tmp_path):
    with pytest.raises(InputError, match="no write keys yet"):
        keys.Ring(path, tmp_path)
    path.write_text('{"keys": [{"id": "secret-thing"}]}', encoding="utf-8")
    with pytest.raises(InputError, match="no file of write keys") as raised:
        keys.listed(path)
    assert "secret-thing" not in str(raised.value)


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({}, ""),
        ({"seats": 3.0, "note": None, "amount_eur": -0.5, "other": [1]}, ""),
        ({"amount_eur": "1"}, "property 'amount_eur' must be a number"),
        ({"amount_eur": True}, "property 'amount_eur' must be a number"),
        ({"plan": "gold"}, "property 'plan' must be one of free, pro"),
        ({"seats": 3.5}, "property 'seats' must be a whole number"),
        ({"gift": 0}, "property 'gift' must be yes or no"),
        ({"due": "soon"}, "property 'due' must be a time"),
        ({"note": 7}, "property 'note' must be text"),
        ({"due": None}, "property 'due' must be a time"),
    ],
)
def test_properties_of_a_listed_event_keep_its_rules(tmp_path, change, rule):
    assert rules(tmp_path).broken("track", "order paid", GOOD | change) == rule


def test_a_property_that_is_missing_is_named(tmp_path):
    found = {name: value for name, value in GOOD.items() if name != "gift"}
    assert rules(tmp_path).broken("track", "order paid", found) == "property 'gift' is missing"


def test_what_is_not_listed_is_kept_dropped_or_refused(tmp_path):
    more = GOOD | {"mail": "karla@mail.example", "phone": 1}
    kept = rules(tmp_path)
    assert kept.broken("track", "other", {}) == ""
    assert kept.kept("order paid", more) == more
    dropped = rules(tmp_path, properties="drop")
    assert dropped.broken("track", "order paid", more) == ""
    assert dropped.kept("order paid", more) == GOOD
    assert dropped.kept("other", more) == more
    refused = rules(tmp_path, "refuse", "refuse")
    assert (
        refused.broken("track", "order paid", more) == "properties that the schema doesn't list: 2"
    )
    assert "not listed" in refused.broken("track", "other", {})
    assert refused.broken("page", "page", {"title": "x"}) == ""  # pages are no tracked events


def test_the_server_keeps_what_the_rules_keep_and_reads_a_changed_file_at_once(tmp_path):
    rules(tmp_path, properties="drop")
    with World(tmp_path, schema="rules.yaml") as world:
        assert world.told([event("a", properties=GOOD | {"mail": "x@mail.example"})]) == (1, 0, 0)
        assert json.loads(world.stored("properties")[0]) == GOOD
        assert world.told([event("b", name="new")]) == (1, 0, 0)
        rules(tmp_path, others="refuse")
        assert world.told([event("c", name="new")]) == (0, 0, 1)
        (tmp_path / "rules.yaml").write_text("events: [", encoding="utf-8")
        assert world.post(event("d")).status_code == 503  # rather than without its rules
    assert "mail.example" not in "".join(map(str, world.stored("properties")))


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("events: {paid: {a: money}}", "'a' of 'paid' is 'money'"),
        ("events: {paid: {a: []}}", "'a' of 'paid'"),
        ("events: {paid: {}}\nother: keep", "Extra inputs"),
        ("other_events: keep", "events: Field required"),
        ("events: {paid: {}}\nother_events: maybe", "other_events"),
        ("- x", "all of it"),
        ("a: [", "not valid YAML"),
    ],
)
def test_rules_that_cannot_be_read_say_why(tmp_path, text, rule):
    (tmp_path / "r.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=re.escape(rule)):
        schemas.Shelf(tmp_path).find("r.yaml")


def test_rules_outside_of_the_project_are_not_read(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "out.yaml").write_text("events: {}", encoding="utf-8")
    (tmp_path / "in" / "link.yaml").symlink_to(tmp_path / "out.yaml")
    for name in ("../out.yaml", str(tmp_path / "out.yaml"), "link.yaml"):
        with pytest.raises(InputError, match="outside"):
            schemas.Shelf(tmp_path / "in").find(name)


# The script, as it is served


@pytest.fixture
def world(tmp_path):
    with World(tmp_path) as made:
        yield made


def test_the_script_is_below_three_thousand_bytes_and_has_no_comment():
    file = snippet.FILES[snippet.PINNED]
    assert len(file.content) < 3_000
    assert gzip.decompress(file.packed) == file.content
    assert b"//" not in file.content
    assert b'\n"' not in file.content


def test_texts_in_the_script_are_not_shortened():
    source = 'const a = "x  =  y"\n  // gone\n\n const b = `u  +  ${ v }`\n a( b ,\n c )'
    assert snippet.served(source) == b'const a="x  =  y"\nconst b=`u  +  ${ v }`\na(b,c)'


def test_the_script_is_cached_for_a_day_and_its_version_for_ever(world):
    current, pinned = (world.ask("GET", path) for path in ("/t/v1/tierwise.js", snippet.PINNED))
    assert current.content == pinned.content == snippet.FILES[snippet.PINNED].content
    assert current.headers["cache-control"] == "public, max-age=86400"
    assert "immutable" in pinned.headers["cache-control"]
    assert current.headers["content-type"].startswith("text/javascript")
    assert current.headers["cross-origin-resource-policy"] == "cross-origin"
    assert current.headers["content-encoding"] == "gzip"
    anonymous = world.ask("GET", snippet.PINNED, headers={"origin": ORIGIN}).headers
    assert anonymous.get_list("access-control-allow-origin") == ["*"]  # needed for the integrity
    etag = {"if-none-match": f"W/{current.headers['etag']}"}
    again = world.ask("GET", "/t/v1/tierwise.js", headers=etag)
    assert (again.status_code, again.content) == (304, b"")
    assert world.ask("HEAD", "/t/v1/tierwise.js").content == b""
    for path in ("/t/v2/tierwise.js", "/t/v1/", "/t/v1/app.py"):
        assert world.ask("GET", path).status_code == 404


def test_the_tag_holds_what_the_script_needs():
    tag = snippet.tag("https://c.example/", "tww_1", asks_consent=True, is_pinned=True)
    assert f'src="https://c.example{snippet.PINNED}"' in tag
    digest = hashlib.sha384(snippet.FILES[snippet.PINNED].content).digest()
    assert f'integrity="sha384-{base64.b64encode(digest).decode()}"' in tag
    assert 'data-consent="ask"' in tag
    assert "&lt;" in snippet.tag("https://c.example", "<script>")
