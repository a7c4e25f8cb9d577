"""The shapes that OpenAI publishes, by address: those of its Python package."""

from __future__ import annotations

import re
from typing import Any

from openai.types import Model, audio, chat, realtime, responses, shared
from openai.types.audio import speech_create_params, transcription_create_params
from openai.types.chat import completion_create_params
from openai.types.responses import (
    response_create_params,
    responses_client_event,
    responses_server_event,
)

from voiceworker.lab.emulators.shapes import (
    Address,
    Check,
    Shapes,
    any_of,
    by_streaming,
    by_type,
    models_by_type,
    of_fields,
    of_model,
    of_typed_dict,
)

_SESSION = ("session.id", "session.object", "session.expires_at")
"documented of the session that the server tells; the package types it as that which a client asks for"


def _error(value: Any) -> list[str]:
    """An answer that is an error, or one in the midst of a stream."""
    if not isinstance(value, dict) or set(value) != {"error"}:
        return ["is no error"]
    return of_model(shared.ErrorObject)(value["error"])


def _of_union(union: Any, *, known: tuple[str, ...] = ()) -> dict[str, Check]:
    return {kind: of_model(model, known=known) for kind, model in models_by_type(union).items()}


def _list_of_models(value: Any) -> list[str]:
    wrong = [] if isinstance(value, dict) and value.get("object") == "list" else ["is no list"]
    return wrong or [problem for one in value["data"] for problem in of_model(Model)(one)]


def _socket_error(value: Any) -> list[str]:
    """Of the WebSocket of responses: with the status that the request would have had."""
    wrong = of_fields(type=str, status=int, error=dict)(value)
    return wrong or of_model(shared.ErrorObject)(value["error"])


def _of_response_body(kind: Any) -> Check:
    """The service takes a tool without `strict`; only the type wants it, and only here."""
    check = of_typed_dict(kind)

    def completed(value: Any) -> list[str]:
        if isinstance(value, dict) and isinstance(value.get("tools"), list):
            value = value | {"tools": [{"strict": None} | tool for tool in value["tools"]]}
        return check(value)

    return completed


def _form(body: Any) -> list[str]:
    """The names of the parts; their values are text."""
    names = {name.decode().removesuffix("[]") for name in re.findall(rb'form-data; name="([^"]+)"', body)}
    known = set(transcription_create_params.TranscriptionCreateParamsBase.__annotations__) | {"stream"}
    unknown = [f"{name} is not known" for name in sorted(names - known)]
    return unknown + [f"{name} is missing" for name in ("file", "model") if name not in names]


_RESPONSE_EVENTS = _of_union(responses_server_event.ResponsesServerEvent)
_SPEECH_EVENTS: dict[str, Check] = {
    "speech.audio.delta": of_fields(type=str, audio=str),
    "speech.audio.done": of_fields(type=str, usage=dict),
    "error": of_fields(type=str, error=dict),
}
_TRANSCRIPT_EVENTS = _of_union(audio.TranscriptionStreamEvent)

OPENAI: dict[Address, Shapes] = {
    ("POST", "/v1/chat/completions"): Shapes(
        by_streaming(
            of_typed_dict(completion_create_params.CompletionCreateParamsStreaming),
            of_typed_dict(completion_create_params.CompletionCreateParamsNonStreaming),
        ),
        any_of(of_model(chat.ChatCompletionChunk), of_model(chat.ChatCompletion), _error),
        _error,
    ),
    ("POST", "/v1/responses"): Shapes(
        by_streaming(
            _of_response_body(response_create_params.ResponseCreateParamsStreaming),
            _of_response_body(response_create_params.ResponseCreateParamsNonStreaming),
        ),
        any_of(by_type(_RESPONSE_EVENTS), of_model(responses.Response)),
        _error,
    ),
    ("WS", "/v1/responses"): Shapes(
        by_type(_of_union(responses_client_event.ResponsesClientEvent)),
        by_type(_RESPONSE_EVENTS | {"error": _socket_error}),
        _error,
    ),
    ("POST", "/v1/audio/speech"): Shapes(
        of_typed_dict(speech_create_params.SpeechCreateParams), by_type(_SPEECH_EVENTS), _error
    ),
    ("POST", "/v1/audio/transcriptions"): Shapes(
        _form,
        any_of(
            of_model(audio.Transcription),
            of_model(audio.TranscriptionVerbose, known=["task"]),
            by_type(_TRANSCRIPT_EVENTS),
        ),
        _error,
    ),
    ("WS", "/v1/realtime"): Shapes(
        by_type(_of_union(realtime.RealtimeClientEvent)),
        by_type(_of_union(realtime.RealtimeServerEvent, known=_SESSION)),
        _error,
    ),
    ("GET", "/v1/models"): Shapes(None, _list_of_models, _error),
    ("GET", "/v1/"): Shapes(error=_error),  # no such address: the plugin of the voice only warms its connection
}
