"""A real browser for tests: Chromium without a window, told what to do over its debugging socket."""

import itertools
import json
import os
import shutil
import subprocess
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
SWITCHES = (
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"),
    *("--no-first-run", "--disable-extensions", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync", "--mute-audio", "--no-proxy-server"),
    *("--remote-debugging-port=0", "--remote-allow-origins=*"),
)
WAIT_SECONDS = 30.0


def found():
    """The program; skips the test where there is none."""
    program = next(filter(None, map(shutil.which, NAMES)), None)
    if program is None:
        pytest.skip("Chromium is not installed")
    return program


class Browser:
    """Commands go out one at a time; what the browser reports by itself is not needed."""

    def __init__(self, socket):
        self.socket, self.numbers = socket, itertools.count(1)

    def do(self, method, session=None, **told):
        number = next(self.numbers)
        message = {"id": number, "method": method, "params": told}
        self.socket.send(json.dumps(message | ({"sessionId": session} if session else {})))
        while True:
            answer = json.loads(self.socket.recv())
            if answer.get("id") == number:
                assert "error" not in answer, answer["error"]
                return answer["result"]

    def tab(self, before=""):
        """A new tab. before: a script that runs in each page of it before its own."""
        target = self.do("Target.createTarget", url="about:blank")["targetId"]
        session = self.do("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        self.do("Page.enable", session)
        self.do("Network.enable", session)
        if before:
            self.do("Page.addScriptToEvaluateOnNewDocument", session, source=before)
        return Tab(self, target, session)


class Tab:
    def __init__(self, browser, target, session):
        self.browser, self.target, self.session = browser, target, session

    def go(self, url, until="document.readyState == 'complete'"):
        self.browser.do("Page.navigate", self.session, url=url)
        self.wait(f"location.href == {json.dumps(url)} && {until}")

    def run(self, script):
        """The value of an expression, awaited."""
        told = {"expression": script, "awaitPromise": True, "returnByValue": True}
        answer = self.browser.do("Runtime.evaluate", self.session, **told)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def wait(self, condition):
        until = time.monotonic() + WAIT_SECONDS
        while not self.run(f"Boolean({condition})"):
            assert time.monotonic() < until, condition
            time.sleep(0.02)

    def is_offline(self, wish):
        told = {"latency": 0, "downloadThroughput": -1, "uploadThroughput": -1}
        self.browser.do("Network.emulateNetworkConditions", self.session, offline=wish, **told)

    def close(self):
        """As a person closes it: the page is told before."""
        self.browser.do("Page.close", self.session)


@contextmanager
def running(folder):
    websocket = pytest.importorskip("websocket", reason="websocket-client is not installed")
    command = [found(), *SWITCHES, f"--user-data-dir={folder}", "about:blank"]
    process = subprocess.Popen(
        command,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=os.environ | {"HOME": str(folder)},
    )
    try:
        port, path = told_port(folder / "DevToolsActivePort", process)
        socket = websocket.create_connection(f"ws://127.0.0.1:{port}{path}", timeout=WAIT_SECONDS)
        browser = Browser(socket)
        yield browser
        browser.do("Browser.close")
        socket.close()
    finally:
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def told_port(file, process):
    until = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < until:
        if file.is_file() and len(lines := file.read_text().split()) == 2:
            return lines
        if process.poll() is not None:
            break
        time.sleep(0.05)
    pytest.skip("Chromium does not start on this machine")
    return None


@contextmanager
def pages(content):
    """The address of a server that gives every path the same page: content() as HTML."""

    class Page(BaseHTTPRequestHandler):
        def do_GET(self):
            body = content().encode()
            self.send_response(200)
            self.send_header("content-type", "text/html; charset=utf-8")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Page)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
