"""OpenAI's Realtime API over a WebSocket: /v1/realtime?model=..., in the shapes of its general availability."""

from __future__ import annotations

import time
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from voiceworker.lab.emulators.errors import openai_error
from voiceworker.lab.emulators.hearing import Expectations
from voiceworker.lab.emulators.provider import Provider, api_key_of
from voiceworker.lab.emulators.realtime_items import Item
from voiceworker.lab.emulators.realtime_session import RealtimeSession
from voiceworker.lab.emulators.replies import Replies
from voiceworker.runtime.tasks import Tasks

LONGEST_SESSION_SECONDS = 3600.0
"the provider's cap"

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(slots=True)
class SessionLog:
    """One connection, as it may be looked at while it lives and afterwards."""

    id: str
    opened_at: float
    "moments of `time.perf_counter`"
    items: list[Item]
    "its conversation; the live list"
    received: list[dict[str, Any]]
    "the client's events in their order, without the audio"
    usages: list[dict[str, Any]]
    "as each `response.done` told it"
    closed_at: float | None = None
    expired: bool = False
    "its cap has ended it"

    @property
    def texts(self) -> list[str]:
        """What the model knows: each item's words, or a tool's answer."""
        return [item.text or item.output or item.arguments for item in self.items]

    def count(self, kind: str) -> int:
        return sum(event["type"] == kind for event in self.received)


class Realtime:
    def __init__(self, provider: Provider, expectations: Expectations, replies: Callable[[], Replies]) -> None:
        """`replies()`: those that hold at that moment."""
        self.session_seconds = LONGEST_SESSION_SECONDS
        "after which a connection is ended; holds for those that are opened from then on"
        self.is_down = False
        "every new connection is refused; those that live are let be"
        self.transcription: Handler | None = None
        "answers `?intent=transcription`, which comes to the same address"
        self.sessions: list[SessionLog] = []
        self._provider = provider
        self._expectations = expectations
        self._replies = replies
        self._tasks = Tasks()
        self._live: dict[str, RealtimeSession] = {}

    async def connect(self, http: web.Request) -> web.StreamResponse:
        """GET /v1/realtime?model=..."""
        if self.transcription is not None and http.query.get("intent") == "transcription":
            return await self.transcription(http)
        if not api_key_of(http):
            return openai_error(401, "You didn't provide an API key.")
        async with self._provider.serving("realtime", http) as job:
            if (status := job.refuse()) is not None:
                return openai_error(status, headers=job.refusal_headers())
            if self.is_down:
                return openai_error(503)
            model = http.query.get("model", "")
            if not model:
                return openai_error(400, "You must provide a model parameter.")
            session_id = f"sess_{uuid.uuid4().hex[:20]}"
            session = RealtimeSession(
                job,
                model,
                session_id,
                self._expectations,
                self._replies,
                self._provider.speech_speed,
                self._provider.transcripts,
                self._tasks,
            )
            log = SessionLog(
                session_id, time.perf_counter(), session.conversation.items, session.received, session.usages
            )
            self.sessions.append(log)
            self._live[session_id] = session
            try:
                return await session.run(http, self.session_seconds)
            finally:
                log.closed_at, log.expired = time.perf_counter(), session.is_expired
                del self._live[session_id]

    def break_all(self) -> None:
        """Cuts every connection, without a word."""
        for session in list(self._live.values()):
            session.break_off()

    async def aclose(self) -> None:
        await self._tasks.aclose()
