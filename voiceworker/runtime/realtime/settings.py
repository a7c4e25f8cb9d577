"""How long a speech-to-speech connection lives, and how long it is waited for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from livekit.agents import APIConnectOptions

ReplyState = Literal["none", "owed", "cut"]
"""What the caller is waiting for. owed: a reply of which nothing has come. cut: one that broke off in the midst."""


@dataclass(frozen=True, slots=True)
class LineSettings:
    cap_seconds: float = 3600
    "after which the provider ends a connection: OpenAI 60 minutes, Azure 30, others 15"
    open_seconds: float = 2.0
    "for a new connection to stand, history included, when the old one is lost"
    open_again_seconds: float = 1.0
    "the same, when an answer is owed: after that the pipeline has it sooner"
    renew_seconds: float = 10.0
    "the same, when the old one still serves"
    patience_seconds: float = 2.5
    "without a word of the provider's while an answer is owed"
    renew_again_seconds: float = 5.0
    "after a renewal that failed"


@dataclass(frozen=True, slots=True)
class Lost:
    """The model is down, for the rest of the call."""

    reason: str
    "a few words without anything of the provider's text"
    reply: ReplyState


def model_options() -> dict[str, Any]:
    """Of openai's `RealtimeModel`, under a `RealtimeLine`.

    The server detects no turns: our own detector takes them and our overlap policy cuts. It is never reconnected by the
    plugin, which would do so in the midst of a word and replay what was never heard.
    """
    return {
        "turn_detection": None,
        "max_session_duration": None,
        "conn_options": APIConnectOptions(max_retry=0, timeout=2.0),
    }
