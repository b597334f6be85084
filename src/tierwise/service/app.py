"""Scores by HTTP, for engineers: the exported model, asked with a key.

    POST /v1/score                    scope score    chances, tiers and reasons of 1 to 1,000 rows
    GET  /v1/deals/{deal_id}/history  scope read     what a deal was scored before
    GET  /v1/model                    score or read  the card, for people and machines
    GET  /v1/metrics                  scope metrics  for Prometheus
    GET  /v1/openapi.json             any key        this API, as deployed
    GET  /v1/health                   no key         is the export verified, is the last hour fresh?

A route that is not in ROUTES is refused by guard.py. There are no pages of documentation: those
that FastAPI brings load scripts from elsewhere.
"""

import asyncio
import logging
import os
import signal
from collections.abc import Callable
from typing import Annotated, Any

import anyio
from fastapi import Depends, FastAPI, Request, Response
from fastapi import Path as InPath
from fastapi.responses import JSONResponse, PlainTextResponse
from fastapi.security import HTTPBearer
from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings
from granian.server.embed import Server
from pydantic import BaseModel

from tierwise.files import InputError
from tierwise.service import api_keys, score_answer, score_body
from tierwise.service import errors as service_errors
from tierwise.service import history as service_history
from tierwise.service.guard import Guard, Refused, Route
from tierwise.service.history import History
from tierwise.service.metrics import EXPOSITION, Metrics
from tierwise.service.serving import Serving

LOG = logging.getLogger("tierwise.service")
FRESH_SECONDS = 2 * 3600.0  # an hour may be late by one
SCORING_THREADS = 2
CONNECTIONS_COUNT = 64  # each holds a body at most
HEAD_BYTES = 65_536
LOOPBACK = ("127.0.0.1", "localhost", "::1")
# FastAPI's telemetry would send errors with the values of rows to wherever the environment says.
# Versions without it take no notice.
NO_TELEMETRY: Any = dict.fromkeys(("tracing", "metrics", "logs", "auto_configure"), False)
BEARER = HTTPBearer(auto_error=False, scheme_name="key", description="tw_<id>_<secret>")

SCORE, READ, METRICS = (frozenset([scope]) for scope in api_keys.SCOPES)
ROUTES = (
    Route("POST", "/v1/score", SCORE),
    Route("GET", "/v1/deals/{deal_id}/history", READ),
    Route("GET", "/v1/model", SCORE | READ),
    Route("GET", "/v1/metrics", METRICS),
    Route("GET", "/v1/openapi.json", SCORE | READ | METRICS),
    Route("GET", "/v1/health", None),
)


class Shown(BaseModel):
    """card: for machines; markdown: the same for people."""

    application: str
    model_version: str
    card: dict[str, Any]
    markdown: str


class Health(BaseModel):
    """fresh: the last hour that was scored began at most two hours ago."""

    ready: bool
    fresh: bool
    last_hour_at: str | None


class Endpoints:
    """The answers, one method per route."""

    def __init__(self, on: Serving, metrics: Metrics) -> None:
        self.serving, self.metrics = on, metrics
        self.limiter = anyio.CapacityLimiter(SCORING_THREADS)
        self.markdown = (on.folder / "MODEL_CARD.md").read_text(encoding="utf-8")
        self.known = score_answer.Known(
            on.application,
            on.version,
            on.card,
            on.session,
            score_answer.explainer(on.model, on.calibrator, on.learned),
            on.wordings,
            score_answer.never_missing(on.learned),
        )

    async def score(self, request: Request) -> Response:
        """Chance, score, tier and reasons of each row, in the order in which they were sent."""
        must_be_json(request)
        must_be_ready(self.serving)
        body = await request.body()
        content, count = await anyio.to_thread.run_sync(self.answer, body, limiter=self.limiter)
        self.metrics.rows.inc(count)
        return Response(content, media_type="application/json")

    def answer(self, body: bytes) -> tuple[str, int]:
        asked = score_body.read(body, self.serving.card, self.serving.limits.rows_count)
        return score_answer.answer(self.known, asked).model_dump_json(), len(asked.ids)

    def history(self, deal_id: Annotated[str, InPath(pattern=score_body.ID)]) -> Response:
        """Past scores of a deal. Of held out deals chance, tier and rank are not shown."""
        scores = self.serving.history(deal_id)
        if not scores:
            raise Refused(404, "No score of this deal is remembered.")
        return as_json(History(deal_id=deal_id, scores=service_history.shown(scores)))

    def model(self) -> Response:
        """The card of the model: columns, tiers, what it was judged on."""
        serving = self.serving
        told = {"application": serving.application, "model_version": serving.version}
        return as_json(Shown(**told, card=serving.card, markdown=self.markdown))

    def health(self) -> Response:
        """Ready only if the export keeps its promises; 503 otherwise."""
        must_be_ready(self.serving)
        age, at = self.metrics.age_seconds(), self.metrics.last_hour()
        is_fresh = age is not None and age <= FRESH_SECONDS
        told = None if at is None else service_history.utc(at)
        return as_json(Health(ready=True, fresh=is_fresh, last_hour_at=told))

    def prometheus(self) -> Response:
        """Requests, seconds, rows scored, refusals, age of the last hour."""
        return Response(self.metrics.text(), headers={"content-type": EXPOSITION})


def must_be_ready(on: Serving) -> None:
    if not on.verified.get("checks_count"):
        raise Refused(503, "The export is not verified, so nothing is scored.")


def must_be_json(request: Request) -> None:
    """Raises Refused unless the body is declared as plain JSON in UTF-8."""
    kind, _, more = request.headers.get("content-type", "").lower().partition(";")
    charset = more.strip().removeprefix("charset=").strip('"')
    packed = request.headers.get("content-encoding", "identity")
    if kind.strip() != "application/json" or charset not in ("", "utf-8") or packed != "identity":
        raise Refused(415, "Send application/json in UTF-8, not compressed.")


def no_query(request: Request) -> None:
    if request.scope["query_string"]:
        raise Refused(422, "This API takes nothing in the query string.")


def as_json(content: BaseModel) -> Response:
    return Response(content.model_dump_json(), media_type="application/json")


def app(on: Serving) -> FastAPI:
    """The API, guarded. Raises InputError where keys can't be read or reasons aren't exact."""
    metrics = Metrics(on.last_hour, on.clock, on.version)
    ends = Endpoints(on, metrics)
    api = FastAPI(
        title=f"tierwise: {on.application}",
        version=on.version,
        openapi_url="/v1/openapi.json",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        telemetry=NO_TELEMETRY,
        dependencies=[Depends(no_query)],
    )
    answers: dict[str, tuple[Callable[..., Any], type[BaseModel] | None]] = {
        "/v1/score": (ends.score, score_answer.Answer),
        "/v1/deals/{deal_id}/history": (ends.history, History),
        "/v1/model": (ends.model, Shown),
        "/v1/metrics": (ends.prometheus, None),
        "/v1/health": (ends.health, Health),
    }
    for route in ROUTES:
        if route.path in answers:
            add(api, route, *answers[route.path], on)
    for kind, handler in service_errors.HANDLERS.items():
        api.add_exception_handler(kind, handler)
    api.add_middleware(
        Guard,
        routes=ROUTES,
        find=api_keys.Ring(on.keys).find,
        limits=on.limits,
        clock=on.clock,
        observe=metrics.observe,
    )
    return api


def add(
    api: FastAPI, route: Route, end: Callable[..., Any], model: type[BaseModel] | None, on: Serving
) -> None:
    """One route with all that it may answer, so that the OpenAPI keeps nothing back."""
    is_body, is_open = route.method == "POST", route.scopes is None
    statuses = service_errors.ALWAYS + (415,) * is_body + (404,) * ("{" in route.path)
    statuses += (403,) * (not is_open)
    told: dict[int | str, dict[str, Any]] = {
        status: service_errors.documented(status) for status in sorted(statuses)
    }
    content = {"application/json": {"schema": score_body.schema(on.card, on.limits.rows_count)}}
    api.add_api_route(
        route.path,
        end,
        methods=[route.method],
        response_model=model,
        response_class=JSONResponse if model else PlainTextResponse,
        responses=told,
        dependencies=[] if is_open else [Depends(BEARER)],
        openapi_extra={"requestBody": {"required": True, "content": content}} if is_body else None,
    )


def run(on: Serving, host: str = "127.0.0.1", port: int = 8000) -> None:
    """Serve until SIGTERM or SIGINT, then end the process. InputError where no key is valid.

    host: of another than this machine only behind a proxy that ends TLS, for keys travel in clear.
    """
    if all(key.revoked_at for key in api_keys.listed(on.keys)):
        raise InputError(f"{on.keys} has no valid key. Create one first.")
    logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s %(message)s", level=logging.INFO)
    if host not in LOOPBACK:
        LOG.warning("keys travel in clear on %s: put a proxy before it that ends TLS", host)
    asyncio.run(until_stopped(app(on), host, port))
    # All is answered and written. Threads of the server may still wait for the interpreter; were it
    # torn down now, one of them would at times be ended inside native code and abort the process.
    logging.shutdown()
    os._exit(0)


async def until_stopped(api: FastAPI, host: str, port: int) -> None:
    """Granian as embedded server: the application is an object here, and lives in this process.

    Granian's own processes would each import the application by name: they would have other
    buckets and counters. What supervises this one is systemd.
    """
    server = Server(
        api,
        address=host,
        port=port,
        interface=Interfaces.ASGI,
        http=HTTPModes.http1,
        websockets=False,
        backpressure=CONNECTIONS_COUNT,
        http1_settings=HTTP1Settings(header_read_timeout=10_000, max_buffer_size=HEAD_BYTES),
        log_dictconfig={"version": 1, "disable_existing_loggers": False},
    )
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: loop.call_soon_threadsafe(server.stop))
    await server.serve()
