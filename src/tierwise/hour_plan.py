"""Which steps the hour of an application has: those that params.yaml has a section for."""

from datetime import datetime
from pathlib import Path

from tierwise import delivery, files
from tierwise.files import InputError
from tierwise.hour_steps import Step


def steps_of(root: Path, application: str) -> list[Step]:
    """ingest, score, push and webhook, in this order, as far as they are asked for.

    Raises InputError for an application that is not scored every hour.
    """
    from tierwise.connectors import ingest, webhook, write_back

    def read(_: datetime) -> str:
        done = ingest.ingest(root, application)
        return " ".join([ingest.sentence(done), *ingest.warnings(done)])

    def score(as_of: datetime) -> str:
        return delivery.sentence(delivery.score(root, application, as_of.isoformat()))

    def push(_: datetime) -> str:
        return write_back.sentence(write_back.write_back(root, application, False), False)

    def tell(_: datetime) -> str:
        return webhook.sentence(webhook.send(root, application), False)

    steps = {
        "ingest": Step("ingest", read),
        "hourly": Step("score", score),
        "pipedrive": Step("push", push, ("score",)),
        "webhook": Step("webhook", tell, ("score",)),
    }
    content = files.params(root)
    if application not in (content.get("hourly") or {}):
        raise InputError(
            f"params.yaml has no hourly.{application}, so there is no hour to run. README.md shows "
            "such a section."
        )
    return [step for name, step in steps.items() if application in (content.get(name) or {})]
