"""One readable log out of what three processes print: who said what, each turn's latency, and what went wrong."""

from __future__ import annotations

import json
import logging
from collections import defaultdict
from collections.abc import Mapping
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

from voiceworker.events import (
    AgentInterrupted,
    AgentSpeechStarted,
    AgentTranscript,
    BudgetExceeded,
    BudgetWarned,
    Envelope,
    ErrorOccurred,
    ModelsRouted,
    ModelsSwitched,
    SessionEnded,
    SessionStarted,
    ToolReturned,
    TurnCommitted,
    UserTranscript,
)
from voiceworker.redaction import Redactor

_QUIET_LEVELS: dict[str, set[str]] = defaultdict(lambda: {"debug", "info"})
_QUIET_LEVELS["sfu"] = {"debug", "info", "warn"}  # it warns whenever a client leaves


_RAW_BYTES = 20_000_000

_CHATTER = ("livekit::", "livekit_ffi::")
"the client library's own remarks about connections that it closes"

SPANS = {
    "turn": ("end_of_speech", "transcript", "commit"),
    "tools": ("tools",),
    "answer": ("first_token", "first_audio", "playout"),
    "way": ("transit",),
}
"""A line's word -> the parts of the latency (policy/latency.py) that it stands for: taking the caller's turn as over,
its tools, making the answer, the network both ways."""


class ReadableLog:
    def __init__(self, console: Console, raw_directory: Path | None = None, redactor: Redactor | None = None) -> None:
        """`raw_directory`: where all that the processes print is kept as well, a file each, of bounded size.
        `redactor`: for what a process prints past its own log, as a crash does."""
        self._console = console
        self._redactor = redactor or Redactor(())
        self._raw_directory = raw_directory
        self._raw: dict[str, logging.Handler] = {}
        self._latencies: dict[str, str] = {}
        "session -> latency of the answer that is being spoken"

    def close(self) -> None:
        for handler in self._raw.values():
            handler.close()

    def say(self, text: str) -> None:
        """A line of our own."""
        self._console.print(Text(text))

    def warn(self, text: str) -> None:
        self._console.print(Text(text, style="yellow"))

    def line(self, source: str, line: str) -> None:
        """A line of a child's output: an event of a call is told; of the rest, only warnings and worse are shown."""
        line = self._redactor.text(line)
        self._keep(source, line)
        body = _json_object(line)
        if body is None:
            if line.strip() and not line.startswith(("INFO", "DEBUG")):
                self._console.print(Text(f"{source:>7}  {line}", style="dim"))
            return
        if isinstance(body.get("event"), str):
            self._event(body["event"])
            return
        level = str(body.get("level", "INFO")).lower()
        lines = str(body.get("message") or body.get("msg") or line).splitlines() or [""]
        if level not in _QUIET_LEVELS[source] and not lines[0].startswith(_CHATTER):
            detail = (str(body.get("exc_info") or body.get("error") or "").splitlines() or [""])[-1]
            self._console.print(Text(f"{source:>7}  {level}: {lines[0]} {detail}".rstrip(), style="yellow"))

    def _keep(self, source: str, line: str) -> None:
        if self._raw_directory is None:
            return
        if source not in self._raw:
            self._raw_directory.mkdir(parents=True, exist_ok=True)
            path = self._raw_directory / f"{source}.log"
            self._raw[source] = RotatingFileHandler(path, maxBytes=_RAW_BYTES, backupCount=1, encoding="utf-8")
        self._raw[source].emit(logging.LogRecord(source, logging.INFO, "", 0, line, None, None))

    def _event(self, text: str) -> None:
        try:
            envelope = Envelope.from_json(text)
        except ValueError:
            return
        short = envelope.session[-6:]
        if (told := self._tell(envelope)) is not None:
            style, words = told
            self._console.print(Text.assemble((f"{short:>7}  ", "dim"), (words, style)))

    def _tell(self, envelope: Envelope) -> tuple[str, str] | None:
        match envelope.event:
            case SessionStarted(agent):
                return "bold", f"call to {agent} began ({envelope.session})"
            case ModelsRouted(realtime=str(model)) if model:
                return "dim", f"hears, thinks and speaks with {model}"
            case ModelsRouted(_, stt, llm, tts):
                return "dim", f"hears with {stt}, thinks with {llm}, speaks with {tts}"
            case ModelsSwitched(role, old, new, reason):
                return "yellow", f"{role} goes on with {new}; {old} {reason}"
            case BudgetWarned(scope, spent, limit, currency):
                return "yellow", f"the budget of this {scope} is used to {spent} of {limit} {currency}"
            case BudgetExceeded(scope, spent, limit, currency):
                return "red", f"the budget of this {scope} is spent: {spent} of {limit} {currency}"
            case UserTranscript(text, True, _, typed):
                return "cyan", f"caller {'writes' if typed else 'says'}: {text}"
            case TurnCommitted():
                self._latencies.pop(envelope.session, None)  # of an answer that was cut before a word of it was heard
            case AgentSpeechStarted(int(first_audio_ms), parts):
                self._latencies[envelope.session] = f"  [{latency_in_words(first_audio_ms, parts)}]"
            case AgentTranscript(text, True):
                return "green", f"agent says: {text}{self._latencies.pop(envelope.session, '')}"
            case AgentInterrupted(heard, _):
                return "green", f"agent says: {heard} — (interrupted){self._latencies.pop(envelope.session, '')}"
            case ToolReturned(tool, _, failed):
                return "dim", f"tool {tool} {'failed' if failed else 'done'}"
            case ErrorOccurred(where, message):
                return "red", f"trouble with {where}: {message}"
            case SessionEnded(reason):
                self._latencies.pop(envelope.session, None)
                return "bold", f"call ended: {reason.replace('_', ' ')}"
        return None


def latency_in_words(total_ms: int, parts: Mapping[str, int]) -> str:
    """`652 ms: turn 320, answer 247, way 85`; only the total when the parts are unknown or not the whole of it."""
    spans = {word: sum(parts.get(part, 0) for part in names) for word, names in SPANS.items()}
    if sum(spans.values()) != total_ms or not parts:
        return f"{total_ms} ms"
    # tools are seldom there; the others belong to every answer
    shown = [f"{word} {milliseconds}" for word, milliseconds in spans.items() if milliseconds or word != "tools"]
    return f"{total_ms} ms: {', '.join(shown)}"


def _json_object(line: str) -> dict[str, Any] | None:
    if not line.startswith("{"):
        return None
    try:
        body = json.loads(line)
    except ValueError:
        return None
    return body if isinstance(body, dict) else None
