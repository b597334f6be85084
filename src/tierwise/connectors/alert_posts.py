"""Alerts to an address of one's own, one signed message each, in the order in which they were
known.

    data/alerts/<application>/webhook.jsonl    the messages, one body a line; see alerts.delivery
    data/alerts/<application>/sent.txt         ids of those that were taken, one a line

A message that was taken is noted before the next one goes out. One that was cut off between the
two comes again under the same id, and the receiver drops it, as Standard Webhooks asks it to.
"""

import os
from pathlib import Path

import httpx

from tierwise.alerts.delivery import message_id
from tierwise.connectors import webhook, webhook_post
from tierwise.connectors.webhook_state import Message
from tierwise.locks import held


def send(root: Path, application: str, transport: httpx.BaseTransport | None = None) -> int:
    """Send what waits; how many messages were taken.

    The receiver is that of `webhook.<application>` in params.yaml. Raises InputError for settings
    or a secret that won't do and where the receiver refuses, NoAnswer where it does not answer;
    what was taken stays noted, and the next run goes on after it.
    """
    settings = webhook.asked(root, application)
    webhook_post.secrets(settings.secret_variables)
    folder = root / "data" / "alerts" / application
    with held(folder / ".send.lock"):
        waiting = unsent(folder)
        post = webhook_post.opened(settings.url, settings.secret_variables, transport)
        try:
            for number, body in enumerate(waiting, 1):
                webhook_post.deliver(post, Message(number, message_id(body), body.encode()))
                noted(folder, message_id(body))
        finally:
            post.http.close()
    return len(waiting)


def unsent(folder: Path) -> list[str]:
    """Bodies that were not taken yet, in order."""
    place, taken = folder / "webhook.jsonl", folder / "sent.txt"
    bodies = place.read_text(encoding="utf-8").splitlines() if place.is_file() else []
    known = set(taken.read_text(encoding="ascii").splitlines()) if taken.is_file() else set()
    return [body for body in bodies if message_id(body) not in known]


def noted(folder: Path, identity: str) -> None:
    """Append the id and wait until it is on the disk."""
    with (folder / "sent.txt").open("a", encoding="ascii") as file:
        file.write(f"{identity}\n")
        file.flush()
        os.fsync(file.fileno())
