"""The errors that Deepgram and OpenAI answer with, in the words that they publish."""

from __future__ import annotations

import uuid
from typing import Any

from aiohttp import web

_OPENAI = {
    400: ("invalid_request_error", None),
    401: ("invalid_request_error", "invalid_api_key"),
    404: ("invalid_request_error", None),
    429: ("requests", "rate_limit_exceeded"),
    503: ("service_unavailable", None),
}
_OPENAI_MESSAGES = {
    401: "Incorrect API key provided.",
    429: "Rate limit reached for requests.",
    503: "The engine is currently overloaded, please try again later.",
}
_OUT_OF_ORDER = "The server had an error while processing your request."
_DEEPGRAM = {
    401: ("INVALID_AUTH", "Invalid credentials."),
    429: ("TOO_MANY_REQUESTS", "Too many requests. Please try again later"),
}


def openai_error(
    status: int, message: str = "", headers: dict[str, str] | None = None, code: str | None = None
) -> web.Response:
    """Without a `message` it says what the provider does at that status."""
    sent = {"x-request-id": f"req_{uuid.uuid4().hex}"} | (headers or {})
    return web.json_response({"error": openai_error_body(status, message, code)}, status=status, headers=sent)


def openai_error_body(status: int, message: str = "", code: str | None = None) -> dict[str, Any]:
    """What stands under `error`, in an answer or in the midst of a stream."""
    kind, usual_code = _OPENAI.get(status, ("server_error", None))
    text = message or _OPENAI_MESSAGES.get(status, _OUT_OF_ORDER)
    return {"message": text, "type": kind, "param": None, "code": code or usual_code}


def deepgram_error(
    status: int, code: str = "", message: str = "", headers: dict[str, str] | None = None
) -> web.Response:
    usual_code, usual_message = _DEEPGRAM.get(status, ("INTERNAL_SERVER_ERROR", "The service is out of order."))
    request_id = str(uuid.uuid4())
    body = {"err_code": code or usual_code, "err_msg": message or usual_message, "request_id": request_id}
    sent = {"dg-request-id": request_id, "dg-error": body["err_msg"]} | (headers or {})
    return web.json_response(body, status=status, headers=sent)


def speak_error(status: int) -> dict[str, Any]:
    """On an open connection to /v1/speak."""
    return {"type": "Error", "err_code": str(status), "err_msg": "The service is out of order."}
