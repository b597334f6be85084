"""Every way in which the API refuses, as documented and as answered, and never an echo."""

import logging
from collections.abc import Callable
from typing import Any

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from tierwise.files import InputError
from tierwise.service.guard import HEADERS, PROBLEM, TITLES, Refused, problem
from tierwise.service.score_body import Unfit

LOG = logging.getLogger("tierwise.service")
ALWAYS = (401, 408, 413, 422, 429, 503)  # any request can be refused so
PLACE = {"anyOf": [{"type": "integer", "minimum": 0}, {"type": "null"}]}
NAME = {"anyOf": [{"type": "string"}, {"type": "null"}]}
SCHEMA = {
    "type": "object",
    "properties": {
        "status": {"type": "integer"},
        "title": {"type": "string"},
        "detail": {"type": "string"},
        "problems": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"row": PLACE, "column": NAME, "rule": {"type": "string"}},
                "required": ["row", "column", "rule"],
            },
        },
    },
    "required": ["status", "title", "detail"],
}
SENT_WITH = {401: "WWW-Authenticate", 429: "Retry-After"}


def documented(status: int) -> dict[str, Any]:
    """One entry of `responses` in the OpenAPI."""
    told: dict[str, Any] = {"description": TITLES[status]}
    told["content"] = {PROBLEM: {"schema": SCHEMA}}
    if status in SENT_WITH:
        told["headers"] = {SENT_WITH[status]: {"schema": {"type": "string"}, "required": True}}
    return told


def answered(
    status: int, detail: str, headers: dict[str, str] | None = None, **told: Any
) -> Response:
    return Response(problem(status, detail, **told), status, headers, media_type=PROBLEM)


def refused(_: Request, why: Refused) -> Response:
    return answered(why.status, why.detail, why.headers, **why.told)


def unfit(_: Request, why: Unfit) -> Response:
    first = why.problems[0]
    where = [f"row {first['row']}"] if first["row"] is not None else []
    where += [f"column '{first['column']}'"] if first["column"] is not None else []
    detail = ", ".join(where) + (": " if where else "") + first["rule"]
    return answered(422, detail + ".", problems=why.problems)


def invalid(_: Request, why: RequestValidationError) -> Response:
    """Only parameters of the path are left to FastAPI; their names are ours, their values not."""
    names = sorted({str(error["loc"][-1]) for error in why.errors()})
    return answered(422, f"{', '.join(names)} must be 1 to 64 letters, digits, _ and -.")


def by_router(_: Request, why: HTTPException) -> Response:
    """No such path or method; headers: Allow, which 405 must have."""
    headers = dict(why.headers or {})
    return answered(why.status_code, "See /v1/openapi.json for what there is.", headers)


def not_now(_: Request, why: InputError) -> Response:
    LOG.error("refused with 503: %s", why)
    return answered(503, "The server lacks what it needs to answer. Ask whoever runs it.")


def failed(_: Request, __: Exception) -> Response:
    """Answered outside of guard.py, so the headers come from here; the server logs the error."""
    return answered(500, "The server failed. Whoever runs it finds the error in its log.", HEADERS)


HANDLERS: dict[type[Exception], Callable[[Request, Any], Response]] = {
    Refused: refused,
    Unfit: unfit,
    RequestValidationError: invalid,
    HTTPException: by_router,
    InputError: not_now,
    Exception: failed,
}
