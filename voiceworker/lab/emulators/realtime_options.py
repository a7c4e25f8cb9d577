"""How a client has set up its emulated realtime session."""

from __future__ import annotations

import copy
import time
from typing import Any

_PCM = {"type": "audio/pcm", "rate": 24000}
_DETECTION = {
    "type": "server_vad",
    "threshold": 0.5,
    "prefix_padding_ms": 300,
    "silence_duration_ms": 200,
    "create_response": True,
    "interrupt_response": True,
    "idle_timeout_ms": None,
}


class SessionOptions:
    """Begins with the provider's defaults; `update` merges what a `session.update` names."""

    def __init__(self, session_id: str, model: str) -> None:
        self._expires_at = 0
        self._session: dict[str, Any] = {
            "type": "realtime",
            "object": "realtime.session",
            "id": session_id,
            "model": model,
            "output_modalities": ["audio"],
            "instructions": "",
            "tools": [],
            "tool_choice": "auto",
            "max_output_tokens": "inf",
            "tracing": None,
            "truncation": "auto",
            "prompt": None,
            "include": None,
            "audio": {
                "input": {
                    "format": _PCM,
                    "transcription": None,
                    "noise_reduction": None,
                    "turn_detection": _DETECTION,
                },
                "output": {"format": _PCM, "voice": "marin", "speed": 1.0},
            },
        }

    def update(self, changes: dict[str, Any]) -> None:
        """Raises ValueError for a value that the provider would not take, KeyError for a missing `type`."""
        if changes["type"] != "realtime":
            raise ValueError(f"Invalid value: '{changes['type']}'. Supported values are: 'realtime'.")
        if unknown := set(changes) - set(self._session):
            raise ValueError(f"Unknown parameter: 'session.{min(unknown)}'.")
        modalities = changes.get("output_modalities")
        if modalities is not None and modalities not in (["audio"], ["text"]):
            raise ValueError(f"Invalid modalities: {modalities}. Supported combinations are: ['text'] and ['audio'].")
        audio = changes.get("audio") or {}
        for side in ("input", "output"):
            given = audio.get(side) or {}
            if given.get("format", _PCM) not in (_PCM, None):
                raise ValueError(f"Invalid value: 'session.audio.{side}.format'.")
            self._session["audio"][side] |= copy.deepcopy(given)
        plain = {key: value for key, value in changes.items() if key not in ("audio", "id", "object")}
        self._session |= copy.deepcopy(plain)

    def on_wire(self, expires_at: int | None = None) -> dict[str, Any]:
        if expires_at is not None:
            self._expires_at = expires_at
        return copy.deepcopy(self._session) | {"expires_at": self._expires_at or int(time.time())}

    @property
    def instructions(self) -> str:
        return self._session["instructions"] or ""

    @property
    def tools(self) -> list[dict[str, Any]]:
        return self._session["tools"] or []

    @property
    def tool_choice(self) -> Any:
        return self._session["tool_choice"]

    @property
    def output_modalities(self) -> list[str]:
        return list(self._session["output_modalities"])

    @property
    def voice(self) -> str:
        return str(self._session["audio"]["output"]["voice"])

    @property
    def transcription(self) -> dict[str, Any] | None:
        given: dict[str, Any] | None = self._session["audio"]["input"]["transcription"]
        return given

    @property
    def turn_detection(self) -> dict[str, Any] | None:
        given: dict[str, Any] | None = self._session["audio"]["input"]["turn_detection"]
        return given

    @property
    def answers(self) -> bool:
        """The server answers a turn that it has detected."""
        return (self.turn_detection or {}).get("create_response") is not False

    @property
    def interrupts(self) -> bool:
        """The server stops answering when it hears speech."""
        return (self.turn_detection or {}).get("interrupt_response") is not False
