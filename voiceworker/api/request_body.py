"""Reading the one request body there is, with every bound in place before a byte is parsed."""

from __future__ import annotations

import asyncio
from typing import Any

import pydantic
from starlette.requests import ClientDisconnect, Request

from voiceworker.api.problems import Problem
from voiceworker.api.schema import MAX_BODY_BYTES, AgentChoice, CreateSession, RoomConfig

_BODY_SECONDS = 10.0
"for 16 KiB; a client that needs longer holds a connection, not a call"

_OWN_NAMES = {*CreateSession.model_fields, *RoomConfig.model_fields, *AgentChoice.model_fields}


async def read_body(request: Request) -> bytes:
    """At most 16 KiB, counted as they come: a Content-Length may be missing or lie. Raises Problem 413, 408."""
    too_large = Problem("body_too_large", f"A body may have {MAX_BODY_BYTES} bytes.")
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and int(announced[:20]) > MAX_BODY_BYTES:
        raise too_large
    body = bytearray()
    try:
        async with asyncio.timeout(_BODY_SECONDS):
            async for chunk in request.stream():
                body += chunk
                if len(body) > MAX_BODY_BYTES:
                    raise too_large
    except TimeoutError:
        raise Problem("body_too_slow", f"The body must arrive within {_BODY_SECONDS:.0f} s.") from None
    except ClientDisconnect:
        raise Problem("bad_request", "The body ended early.") from None
    return bytes(body)


def parse_create_session(body: bytes) -> CreateSession:
    """Raises Problem 400 when it is not JSON, 422 when a field is wrong; neither repeats anything of the body."""
    try:
        return CreateSession.model_validate_json(body)
    except pydantic.ValidationError as error:
        found = error.errors(include_url=False, include_input=False)
    if any(item["type"] == "json_invalid" for item in found):
        raise Problem("not_json", "Send one JSON object in UTF-8; {} is the least.")
    raise Problem("invalid_request", "A field is not valid; see errors.", errors=[_field_error(item) for item in found])


def _field_error(item: Any) -> dict[str, str]:
    place: list[str] = []
    for step in item["loc"]:
        # Keys of the client's own making stay out of the answer.
        if not isinstance(step, int) and step not in _OWN_NAMES:
            break
        place.append(str(step))
    if item["type"] == "extra_forbidden":
        return {"field": "", "code": "unknown_field", "detail": f"Allowed: {', '.join(CreateSession.model_fields)}."}
    text = str(item["ctx"]["error"]) if item["type"] == "value_error" else item["msg"]
    return {"field": ".".join(place), "code": item["type"], "detail": text[:1].upper() + text[1:] + "."}
