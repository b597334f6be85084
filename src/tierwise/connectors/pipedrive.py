"""Pipedrive's API v2 (and the two calls that only v1 has), so that nothing is sent twice by
accident, nothing is read half, and the daily token budget holds.

What an answer means is decided in answers.py. Reading and PATCH may be repeated; making a field is
the one call that must not be repeated blindly, see `create_field`.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import httpx

from tierwise.connectors.allowance import Allowance, cost
from tierwise.connectors.answers import TOKENS_LEFT, NoAnswer, Verdict, verdict
from tierwise.connectors.calling import answer_time, backoff_seconds, must_be_safe, token
from tierwise.files import InputError

API_URL, V1_URL = "https://api.pipedrive.com/api/v2", "https://api.pipedrive.com/v1"
PAGE_ROWS = 500  # as many as the API gives
WHOLE = ("/v1/users",)  # lists that come in one page and know no limit


@dataclass(frozen=True)
class Page:
    """rows: as the API gives them. next_cursor: where the next page begins, None after the last.

    answered_at: the server's clock in UTC, if it tells.
    """

    rows: list[dict[str, Any]]
    next_cursor: str | None
    answered_at: datetime | None = None


class Client:
    """Calls on behalf of one user, whose token is in the environment variable `token_name`.

    What that user can't see is missing without a word. base_url and v1_url: without the slash at
    the end. Raises InputError where the token is missing or would travel unencrypted.
    """

    def __init__(
        self,
        allowance: Allowance,
        token_name: str = "PIPEDRIVE_API_TOKEN",
        *,
        base_url: str = API_URL,
        v1_url: str = V1_URL,
        transport: httpx.BaseTransport | None = None,
        tries_count: int = 10,
        timeout_seconds: float = 30.0,
    ) -> None:
        must_be_safe(base_url, "Pipedrive")
        must_be_safe(v1_url, "Pipedrive")
        token(token_name, "Pipedrive")
        self.allowance, self.token_name, self.tries_count = allowance, token_name, tries_count
        self.base_url, self.v1_url = base_url, v1_url
        self.http = httpx.Client(transport=transport, timeout=timeout_seconds, auth=self.sign)
        self.answered_at: datetime | None = None

    def sign(self, request: httpx.Request) -> httpx.Request:
        # Only here, so that no object of ours holds the token.
        request.headers["x-api-token"] = token(self.token_name, "Pipedrive")
        return request

    def close(self) -> None:
        self.http.close()

    # What there is to read

    def pages(
        self,
        path: str,
        params: Mapping[str, Any] | None = None,
        *,
        cursor: str | None = None,
        keep_count: int = 0,
        pages_cap_count: int = 20_000,
    ) -> Iterator[Page]:
        """All rows of a list, page by page; a page's next_cursor is where another run goes on.

        path: /deals, /deals/archived, /persons, /organizations, /activities, /stages, /pipelines,
        /dealFields, /organizationFields, /v1/users or /v1/deals/<id>/changelog. params:
        updated_since, sort_by ... keep_count: tokens of today to leave to others. Raises
        OutOfTokens, NoAnswer, Refused, InputError; NoAnswer too for a list that never ends or runs
        in a circle.
        """
        limit = {} if path in WHOLE else {"limit": PAGE_ROWS}
        fixed, seen = limit | dict(params or {}), {cursor} - {None}
        for _ in range(pages_cap_count):
            query = fixed | ({} if cursor is None else {"cursor": cursor})
            content = self.call("GET", path, query, is_list=True, keep_count=keep_count)
            cursor = (content.get("additional_data") or {}).get("next_cursor")
            if cursor in seen:
                raise NoAnswer(f"GET {path} gave a cursor that it gave before: it would never end.")
            yield Page(content["data"] or [], cursor, self.answered_at)
            if cursor is None:
                return
            seen.add(cursor)
        raise NoAnswer(f"GET {path} didn't end after {pages_cap_count} pages.")

    def deal(self, deal_id: int) -> dict[str, Any]:
        """One deal, archived or deleted lately too. Raises Refused (404) if there is none."""
        return self.call("GET", f"/deals/{deal_id}")["data"]

    def deals(self, *, status: str = "open", field_codes: Sequence[str] = ()) -> Iterator[Page]:
        """Deals of one status that are not archived, by id; of their custom fields at most 15."""
        wanted = {"custom_fields": ",".join(field_codes)} if field_codes else {}
        return self.pages("/deals", {"status": status, "sort_by": "id"} | wanted)

    def users(self) -> list[dict[str, Any]]:
        return [row for page in self.pages("/v1/users") for row in page.rows]

    def changelog(self, deal_id: int, **how: Any) -> Iterator[Page]:
        """What was changed on a deal, latest first. how: as for `pages`."""
        return self.pages(f"/v1/deals/{deal_id}/changelog", **how)

    def deal_fields(self) -> list[dict[str, Any]]:
        """Built-in and custom fields of deals, in the order of the API."""
        return [row for page in self.pages("/dealFields") for row in page.rows]

    # What can be written

    def update_deal(self, deal_id: int, custom_fields: Mapping[str, Any]) -> dict[str, Any]:
        """Set custom fields by code (None clears), returns the deal; may be repeated at will."""
        body = {"custom_fields": dict(custom_fields)}
        return self.call("PATCH", f"/deals/{deal_id}", body=body)["data"]

    def create_field(self, name: str, kind: str, options: Sequence[str] = ()) -> dict[str, Any]:
        """The custom field of deals with this name, made only if there is none.

        A POST that got no usable answer may have been applied, so the fields are listed again
        before it is repeated. Raises InputError if two fields have the name.
        """
        body: dict[str, Any] = {"field_name": name, "field_type": kind}
        if options:
            body["options"] = [{"label": option} for option in options]
        for attempt in range(self.tries_count):
            found = named(self.deal_fields(), name)
            if found is not None:
                return found
            try:
                return self.call("POST", "/dealFields", body=body, tries_count=1)["data"]
            except NoAnswer:
                self.allowance.sleep(backoff_seconds(attempt + 1))
        raise NoAnswer(f"The field '{name}' could not be made in {self.tries_count} tries.")

    # How a call is made

    def call(
        self,
        method: str,
        path: str,
        params: Mapping[str, Any] | None = None,
        *,
        body: Mapping[str, Any] | None = None,
        is_list: bool = False,
        keep_count: int = 0,
        tries_count: int | None = None,
    ) -> dict[str, Any]:
        """The JSON of a good answer, tried as often as `tries_count` says."""
        what, reason = f"{method} {path}", ""
        tries_count = tries_count or self.tries_count
        for attempt in range(tries_count):
            answer = self.send(method, path, params, body, keep_count)
            found = self.judged(answer, what, is_list)
            if found.content is not None:
                return found.content
            reason = found.reason
            self.wait(found, attempt, is_last=attempt + 1 == tries_count)
        raise NoAnswer(f"No usable answer to {what} in {tries_count} tries; the last: {reason}.")

    def send(
        self,
        method: str,
        path: str,
        params: Mapping[str, Any] | None,
        body: Mapping[str, Any] | None,
        keep_count: int,
    ) -> httpx.Response | httpx.RequestError:
        url = self.v1_url + path.removeprefix("/v1") if is_v1(path) else self.base_url + path
        number = self.allowance.take(cost(method, path), keep_count)
        try:
            return self.http.request(method, url, params=params, json=body)
        except httpx.RequestError as error:
            return error
        finally:
            self.allowance.answered(number)

    def judged(
        self, answer: httpx.Response | httpx.RequestError, what: str, is_list: bool
    ) -> Verdict:
        if isinstance(answer, httpx.RequestError):
            return Verdict(reason=type(answer).__name__)
        self.answered_at = answer_time(answer.headers)
        left = answer.headers.get(TOKENS_LEFT, "")
        if left.isdigit():
            self.allowance.told(int(left))
        return verdict(answer, what, is_list, self.token_name)

    def wait(self, found: Verdict, attempt: int, is_last: bool) -> None:
        """Pauses are kept even where nobody tries again: whoever calls next must wait as well."""
        if found.pause_seconds is None:
            self.allowance.pause(self.allowance.burst_seconds * 2**attempt)
        elif found.pause_seconds > 0:
            self.allowance.pause(max(found.pause_seconds, self.allowance.burst_seconds))
        elif not is_last:
            self.allowance.sleep(backoff_seconds(attempt + 1))


def named(fields: Sequence[dict[str, Any]], name: str) -> dict[str, Any] | None:
    """The custom field with this name. Raises InputError if two have it."""
    found = [one for one in fields if one["field_name"] == name and one["is_custom_field"]]
    if len(found) > 1:
        raise InputError(
            f"Pipedrive has {len(found)} custom fields of deals called '{name}', and nobody can "
            "say which one is meant. Delete or rename all but one."
        )
    return found[0] if found else None


def is_v1(path: str) -> bool:
    return path.startswith("/v1/")
