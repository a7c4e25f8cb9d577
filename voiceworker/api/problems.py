"""Errors as the API tells them: RFC 9457 problem documents with a stable `code`.

Nothing of what the client sent is ever repeated in one: an error page must not be a way to show somebody else's text.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from sqlalchemy.exc import SQLAlchemyError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.routing import Match

logger = logging.getLogger("voiceworker.api")

MEDIA_TYPE = "application/problem+json"

CODES: Mapping[str, tuple[int, str]] = {
    "not_json": (400, "The body is not JSON in UTF-8"),
    "invalid_header": (400, "A header is not valid"),
    "bad_request": (400, "The request is not valid"),
    "unauthenticated": (401, "No valid key"),
    "missing_scope": (403, "The key may not do this"),
    "foreign_origin": (403, "The page's pass is for the page alone"),
    "not_found": (404, "Not found"),
    "session_not_found": (404, "No such session"),
    "method_not_allowed": (405, "The method is not allowed here"),
    "body_too_slow": (408, "The body did not arrive in time"),
    "idempotency_in_flight": (409, "The first request with this key is not answered yet"),
    "session_over": (409, "The session made with this key is over"),
    "room_in_use": (409, "The room is in use"),
    "body_too_large": (413, "The body is too large"),
    "host_not_allowed": (421, "Not the name of this server"),
    "invalid_request": (422, "A field is not valid"),
    "unknown_agent": (422, "No such agent"),
    "idempotency_mismatch": (422, "The key was used for another request"),
    "rate_limited": (429, "Too many requests"),
    "budget_spent": (429, "The budget of the day is spent"),
    "internal_error": (500, "The server made a mistake"),
    "no_worker": (503, "No worker is running"),
    "no_free_slot": (503, "Every agent is in a call"),
    "sfu_unreachable": (503, "The media server does not answer"),
    "records_unavailable": (503, "The database does not answer"),
    "not_ready": (503, "Not ready"),
}
"code -> status and title; a code never changes its meaning"


@dataclass
class Problem(Exception):
    """Raised anywhere in a request; the answer to it."""

    code: str
    detail: str
    "one sentence for a person, with the remedy where there is one"
    retry_after_seconds: int | None = None
    errors: Sequence[Mapping[str, str]] = ()
    "for `invalid_request`: the fields, each with `field`, `code` and `detail`"
    headers: Mapping[str, str] = field(default_factory=dict)
    members: Mapping[str, Any] = field(default_factory=dict)
    "further members of the document"

    @property
    def status(self) -> int:
        return CODES[self.code][0]

    def document(self) -> dict[str, Any]:
        document: dict[str, Any] = {
            "type": f"urn:voiceworker:problem:{self.code}",
            "title": CODES[self.code][1],
            "status": self.status,
            "code": self.code,
            "detail": self.detail,
        }
        if self.errors:
            document["errors"] = list(self.errors)
        return document | dict(self.members)

    def response(self) -> JSONResponse:
        headers = {"Cache-Control": "no-store", **self.headers}
        if self.retry_after_seconds is not None:
            headers["Retry-After"] = str(self.retry_after_seconds)
        if self.status == HTTPStatus.UNAUTHORIZED:
            headers["WWW-Authenticate"] = "Bearer"
        return JSONResponse(self.document(), self.status, headers, MEDIA_TYPE)


_FRAMEWORK_CODES = {
    400: ("bad_request", "The request could not be read."),
    404: ("not_found", "There is nothing at this address; /docs lists what there is."),
    405: ("method_not_allowed", "The Allow header names the methods of this address."),
    413: ("body_too_large", "The body is larger than this address takes."),
}


def install(app: FastAPI, routers: Sequence[APIRouter]) -> None:
    """Every error of the application and of the framework becomes a problem document."""
    app.add_exception_handler(Problem, _own)
    app.add_exception_handler(HTTPException, _Framework(routers))
    app.add_exception_handler(RequestValidationError, _validation)
    app.add_exception_handler(SQLAlchemyError, _database)
    app.add_exception_handler(Exception, _unforeseen)


async def _own(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, Problem)
    return error.response()


class _Framework:
    """Answers what the framework refuses by itself."""

    def __init__(self, routers: Sequence[APIRouter]) -> None:
        self._routers = routers

    async def __call__(self, request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, HTTPException)
        code, detail = _FRAMEWORK_CODES.get(error.status_code, ("bad_request", "The request could not be read."))
        headers = dict(error.headers or {})
        if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
            headers["Allow"] = ", ".join(self._methods(request))
        return Problem(code, detail, headers=headers).response()

    def _methods(self, request: Request) -> list[str]:
        """Of all routes at this address; the framework itself names those of the first one only."""
        routes = [route for router in self._routers for route in router.routes]
        here = [route for route in routes if route.matches(request.scope)[0] is not Match.NONE]
        return sorted({method for route in here for method in getattr(route, "methods", None) or ()})


async def _validation(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    fields = [_parameter_error(item) for item in error.errors()]
    return Problem("invalid_request", "A parameter is not valid; see errors.", errors=fields).response()


def _parameter_error(item: Mapping[str, Any]) -> dict[str, str]:
    # The location is ("query" | "path" | "header", our own parameter's name): nothing of the client's.
    return {"field": ".".join(str(step) for step in item["loc"][:2]), "code": item["type"], "detail": item["msg"]}


async def _database(_request: Request, error: Exception) -> JSONResponse:
    logger.error("the database failed", exc_info=error)
    return Problem("records_unavailable", "Try again shortly.", retry_after_seconds=2).response()


async def _unforeseen(_request: Request, _error: Exception) -> JSONResponse:
    # The server logs the error itself, with its traceback.
    return Problem("internal_error", "It is logged; try again, and tell the operator when it stays.").response()


def documented(*codes: str) -> dict[int | str, dict[str, Any]]:
    """The `responses` of a route for OpenAPI: an example for each code, grouped by status."""
    responses: dict[int | str, dict[str, Any]] = {}
    for code in codes:
        status, title = CODES[code]
        problem = Problem(code, title + ".")
        entry = responses.setdefault(
            status,
            {
                "description": title,
                "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}, "examples": {}}},
            },
        )
        entry["content"][MEDIA_TYPE]["examples"][code] = {"summary": title, "value": problem.document()}
    return responses
