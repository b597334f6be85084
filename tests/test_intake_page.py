"""The script in a real browser, on a page of another origin: nothing is lost, nothing is doubled.

The intake is a process of its own that is killed for hours without a network; a tab is closed or
reloaded as people do it.
"""

import json
import sqlite3
import sys
import time

import pytest

pytest.importorskip("granian", reason="needs the extra hourly")
pytest.importorskip("httpx", reason="needs the extra hourly")
if sys.platform == "win32":
    pytest.skip("forks the intake", allow_module_level=True)

import chromium
from intake_world import Lives, nursery
from tierwise.intake import keys, server, snippet, store

STARTED = "window.tierwise && tierwise.track"
QUEUED = "Object.keys(localStorage).filter(k => k.startsWith('tw:')).length"
WAIT_SECONDS = 30.0


class Site:
    """A page with the tag, its intake, and what has arrived there."""

    def __init__(self, browser, lives, folder, url):
        self.browser, self.lives, self.folder, self.url = browser, lives, folder, url

    def tab(self, path="/", before="", until=STARTED):
        tab = self.browser.tab(before)
        tab.go(self.url + path, until)
        return tab

    def arrived(self, columns="name"):
        connection = sqlite3.connect(self.folder / store.EVENTS)
        found = connection.execute(f"SELECT {columns} FROM events ORDER BY row_id").fetchall()
        connection.close()
        return [one[0] if len(one) == 1 else one for one in found]

    def wait_for(self, names):
        """Until all of these have arrived; each must have come once."""
        until = time.monotonic() + WAIT_SECONDS
        while not set(names) <= set(self.arrived()):
            assert time.monotonic() < until, sorted(set(names) - set(self.arrived()))
            time.sleep(0.05)
        found = [name for name in self.arrived() if name in names]
        assert sorted(found) == sorted(names)


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    with chromium.running(tmp_path_factory.mktemp("browser")) as made:
        yield made


@pytest.fixture(scope="module")
def site(browser, tmp_path_factory):
    root, tags = tmp_path_factory.mktemp("project"), []
    with chromium.pages(lambda: f"<!doctype html><title>Shop</title>{tags[0]}") as url:
        key = keys.create(server.keys_path(root), "web", "shop", [url])
        with nursery() as birth:
            lives = Lives(birth, root)
            lives.start()
            tags.append(snippet.tag(f"http://localhost:{lives.port}", key, is_pinned=True))
            made = Site(browser, lives, server.folder_of(root), url)
            made.tags, made.key = tags, key
            yield made


@pytest.fixture(autouse=True)
def fresh(request):
    """No test sees what another has left in the browser."""
    if "site" in request.fixturenames:
        site = request.getfixturevalue("site")
        tab = site.tab(
            "/clean", "Object.defineProperty(navigator, 'globalPrivacyControl', {value: true})"
        )
        tab.run("localStorage.clear()")
        tab.close()


def names_of(word, count):
    return [f"{word} {n}" for n in range(count)]


def track(tab, names):
    tab.run(f"{json.dumps(names)}.map(n => tierwise.track(n, {{n}}))")


def test_a_page_of_another_origin_sends_what_happens_on_it(site):
    tab = site.tab("/pricing?utm_source=letter&token=secret#x")
    tab.run(
        "tierwise.track('button pressed', {colour: 'röd', n: 1.5}); tierwise.identify('17', {plan: 'free'}); tierwise.track('known'); tierwise.reset(); tierwise.track('nobody')"
    )
    site.wait_for(["button pressed", "known", "nobody", "identify", "page"])
    rows = site.arrived("name, kind, person_id, anonymous_id, properties, context")
    found = {row[0]: row[1:] for row in rows}
    browser_id = found["button pressed"][2]
    assert len(browser_id) == 32
    assert found["button pressed"][:3] == ("track", browser_id, browser_id)
    assert found["page"][:2] == ("page", browser_id)
    assert json.loads(found["button pressed"][3]) == {"colour": "röd", "n": 1.5}
    assert found["known"][:3] == ("track", "17", browser_id)
    assert json.loads(found["identify"][3]) == {"plan": "free"}
    assert found["nobody"][1] not in ("17", browser_id)
    context = json.loads(found["known"][4])
    assert context.pop("session")
    assert context.pop("locale")
    assert context == {"page": "/pricing", "utm_source": "letter", "library": "tierwise.js"}
    assert "secret" not in str(rows)
    tab.wait(f"{QUEUED} == 0")
    tab.close()


def test_without_an_intake_events_wait_over_a_reload_and_in_two_tabs(site):
    """Two tabs, 60 events each, the intake is gone; one is reloaded, one is closed for good."""
    first, second = site.tab("/first"), site.tab("/second")
    site.lives.end()
    lost = names_of("first", 60), names_of("second", 60)
    for one, two in zip(*lost, strict=True):  # in turns, so that one could overwrite the other
        track(first, [one])
        track(second, [two])
    second.close()
    site.lives.start()  # for the script itself; nothing was sent yet
    first.go(site.url + "/again", STARTED)
    track(first, ["after"])
    site.wait_for([*lost[0], *lost[1], "after"])
    first.wait(f"{QUEUED} == 0")
    first.close()


def test_when_the_network_comes_back_events_go_out_at_once(site):
    tab = site.tab("/train")
    tab.is_offline(True)
    track(tab, names_of("train", 5))
    tab.run("tierwise.flush()")  # in vain, and again later, and later still
    tab.run("tierwise.flush()")
    tab.wait(f"{QUEUED} >= 5")
    tab.is_offline(False)
    site.wait_for(names_of("train", 5))
    tab.close()


def test_a_page_that_is_left_at_once_has_sent_its_events(site):
    tab = site.tab()
    names = names_of("left", 20)
    tab.run(f"{json.dumps(names)}.map(n => tierwise.track(n)); location.href = 'about:blank'")
    site.wait_for(names)
    tab.close()


def test_a_browser_without_keepalive_sends_a_beacon(site):
    before = "delete Request.prototype.keepalive; window.fetch = () => new Promise(() => {})"
    tab = site.tab("/old", before)
    tab.run("tierwise.track('by beacon'); location.href = 'about:blank'")
    site.wait_for(["by beacon"])
    tab.close()


def test_where_storage_is_forbidden_the_memory_of_the_page_does(site):
    before = "Object.defineProperty(window, 'localStorage', {get() { throw new Error('no') }})"
    tab = site.tab("/private", before)
    track(tab, names_of("memory", 60))
    site.wait_for(names_of("memory", 60))
    tab.close()


def test_what_was_called_before_the_script_came_is_not_lost(site):
    tab = site.tab("/early", "window.tierwise = [['track', 'early'], ['identify', 'e']]")
    site.wait_for(["early"])
    tab.close()


@pytest.mark.parametrize(
    "wish", ["globalPrivacyControl: {value: true}", "doNotTrack: {value: '1'}"]
)
def test_who_does_not_want_it_leaves_nothing(site, wish):
    before = f"Object.defineProperties(navigator, {{{wish}}})"
    tab = site.tab("/wish", before)
    tab.run(
        "tierwise.track('unwanted'); tierwise.identify('unwanted'); tierwise.consent(true); tierwise.track('unwanted'); tierwise.flush()"
    )
    assert tab.run("JSON.stringify(localStorage)") == "{}"
    track(site.tab("/other"), ["wanted " + wish])
    site.wait_for(["wanted " + wish])
    assert "unwanted" not in site.arrived()
    tab.close()


def test_with_ask_nothing_is_kept_before_consent_and_all_after_a_no_is_gone(site):
    asking = snippet.tag(f"http://localhost:{site.lives.port}", site.key, asks_consent=True)
    usual, site.tags[0] = site.tags[0], asking
    try:
        tab = site.tab("/ask")
        tab.run("tierwise.identify('asked'); tierwise.track('held')")
        tab.run("tierwise.flush()")
        assert tab.run("JSON.stringify(localStorage)") == "{}"
        tab.run("tierwise.consent(true); tierwise.track('free')")
        site.wait_for(["held", "free"])
        persons = dict(site.arrived("name, person_id"))
        assert persons["held"] == persons["free"] == "asked"
        tab.go(site.url + "/ask/again", STARTED)  # remembered
        track(tab, ["remembered"])
        site.wait_for(["remembered"])
        tab.run("localStorage.other = 1; tierwise.consent(false); tierwise.track('refused')")
        tab.run("tierwise.flush()")
        assert json.loads(tab.run("JSON.stringify(localStorage)")) == {
            "other": "1",
            "tw.consent": "0",
        }
        assert "refused" not in site.arrived()
        tab.close()
    finally:
        site.tags[0] = usual


def test_a_full_storage_loses_nothing(site):
    tab = site.tab("/full")
    tab.run(
        "(() => { try { for (let n = 0; ; n++) localStorage['x' + n] = 'x'.repeat(1e5 >> n / 60) } catch {} })()"
    )
    track(tab, names_of("full", 60))
    site.wait_for(names_of("full", 60))
    tab.run("localStorage.clear()")
    tab.close()
