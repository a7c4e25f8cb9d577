"""The log of what the systems under test asked, and of what they were told."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from voiceworker.lab.emulators.bill import Role


@dataclass(slots=True)
class Request:
    """One HTTP request or one WebSocket connection. Times are moments of `time.perf_counter`."""

    role: Role
    api_key: str
    path: str
    started_at: float
    query: dict[str, str] = field(default_factory=dict)
    messages: list[dict[str, Any]] = field(default_factory=list)
    "llm: the messages as they came"
    tools: list[dict[str, Any]] = field(default_factory=list)
    "llm: the tools that were offered"
    text: str = ""
    "llm: the reply as far as it was sent. tts: the text that was asked for"
    tool_calls: list[str] = field(default_factory=list)
    "llm: names of the tools that the reply calls"
    peak: int = 0
    "stt: the loudest sample that came, of 32768; of streams only"
    first_byte_at: float | None = None
    "of the answer: the first token, the first audio"
    ended_at: float | None = None
    cancelled: bool = False
    "the client left before the answer was complete"
    failed: str = ""
    "the fault that struck it"

    @property
    def last_user_text(self) -> str:
        """llm: what the caller said last, as this request tells it."""
        return next((text_of(message) for message in reversed(self.messages) if message.get("role") == "user"), "")


@dataclass(frozen=True, slots=True)
class Transcript:
    """One transcript that was sent; empty ones are not logged."""

    api_key: str
    speech: str
    "the name of the `Speech`"
    text: str
    is_final: bool
    speech_final: bool
    sent_at: float
    "moment of `time.perf_counter`"


def text_of(message: dict[str, Any]) -> str:
    """The text of a chat message, whose content is a string or a list of parts."""
    content = message.get("content") or ""
    if isinstance(content, str):
        return content
    return " ".join(str(part.get("text", "")) for part in content if part.get("type") == "text")
