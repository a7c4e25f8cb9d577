"""The shapes that Deepgram publishes, by address: those of its Python package (deepgram-sdk, for tests alone)."""

from __future__ import annotations

import importlib
import inspect
import warnings
from typing import Any

from voiceworker.lab.emulators.shapes import Address, Check, Shapes, any_of, by_type, of_fields, of_model

_ALSO_OF_THE_QUERY = {"no_delay", "filler_words"}
"documented for live audio (developers.deepgram.com/docs: smart-format, filler-words); the package leaves them out"
_NOT_OF_THE_QUERY = {"self", "authorization", "request_options", "token"}


def deepgram_shapes() -> dict[Address, Shapes]:
    """Raises ImportError when the package is not installed."""
    listen, turns, speak = (_module(f"{name}.types") for name in ("listen.v1", "listen.v2", "speak.v1"))
    types = _module("types")
    error = of_model(types.ErrorResponseLegacyError)
    return {
        ("WS", "/v1/listen"): Shapes(
            _messages(listen, "ListenV1", "KeepAlive", "Finalize", "CloseStream", "Configure"),
            _messages(listen, "ListenV1", "Results", "Metadata", "UtteranceEnd", "SpeechStarted", "Error"),
            error,
            _query("listen.v1.client", "V1Client", "connect"),
        ),
        ("WS", "/v2/listen"): Shapes(
            _messages(turns, "ListenV2", "Configure", "ForceEndTurn", "CloseStream"),
            _messages(
                turns, "ListenV2", "Connected", "TurnInfo", "ConfigureSuccess", "ConfigureFailure", Error="FatalError"
            ),
            error,
            _query("listen.v2.client", "V2Client", "connect"),
        ),
        ("WS", "/v1/speak"): Shapes(
            _messages(speak, "SpeakV1", "Flush", "Clear", "Close", Speak="Text"),
            _with_error(_messages(speak, "SpeakV1", "Metadata", "Flushed", "Cleared", "Warning")),
            error,
            _query("speak.v1.client", "V1Client", "connect"),
        ),
        ("POST", "/v1/listen"): Shapes(
            lambda body: [] if isinstance(body, bytes) else of_fields(url=str)(body),
            of_model(types.ListenV1Response),
            error,
            _query("listen.v1.media.client", "MediaClient", "transcribe_url"),
        ),
        ("POST", "/v1/speak"): Shapes(
            of_fields(text=str), None, error, _query("speak.v1.audio.client", "AudioClient", "generate")
        ),
    }


def _module(name: str) -> Any:
    with warnings.catch_warnings():  # its import asks for names of websockets that are going
        warnings.simplefilter("ignore", DeprecationWarning)
        return importlib.import_module(f"deepgram.{name}")


def _messages(module: Any, prefix: str, *kinds: str, **others: str) -> Check:
    """`kinds`: messages whose type is named as their class is. `others`: those for which it is not."""
    names = {kind: kind for kind in kinds} | others
    return by_type({kind: of_model(getattr(module, f"{prefix}{name}")) for kind, name in names.items()})


def _with_error(check: Check) -> Check:
    """/v1/speak: documented in words alone (developers.deepgram.com/docs/tts-websocket)."""
    return any_of(check, of_fields(type=str, err_code=str, err_msg=str))


def _query(module: str, owner: str, method: str) -> frozenset[str]:
    parameters = inspect.signature(getattr(getattr(_module(module), owner), method)).parameters
    return (frozenset(parameters) | _ALSO_OF_THE_QUERY) - _NOT_OF_THE_QUERY
