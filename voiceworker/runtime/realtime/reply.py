"""What is asked of a speech-to-speech model, whichever connection answers it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from livekit.agents import llm

from voiceworker.runtime.realtime.wire import Wire

_BUSY = "conversation_already_has_active_response"


class Reply:
    """A reply that was asked for. Its future is the framework's; the plugin's own is one of a connection."""

    def __init__(self, how: dict[str, Any], on_settled: Callable[[Reply], None]) -> None:
        self.future: asyncio.Future[llm.GenerationCreatedEvent] = asyncio.get_running_loop().create_future()
        self.was_refused = False
        "the provider lives, and has not done it"
        self._how = how
        self._on_settled = on_settled
        self._asked: asyncio.Future[llm.GenerationCreatedEvent] | None = None
        self._wire: Wire | None = None
        self.future.add_done_callback(self._done)

    def ask(self, wire: Wire) -> None:
        if self.future.done():
            return
        self._wire = wire
        self._asked = wire.session.generate_reply(**self._how)
        self._asked.add_done_callback(self._answered)

    def fail(self, error: llm.RealtimeError) -> None:
        if not self.future.done():
            self.future.set_exception(error)
            self.future.exception()  # nobody may be waiting for it

    def _answered(self, asked: asyncio.Future[llm.GenerationCreatedEvent]) -> None:
        if asked is not self._asked or asked.cancelled() or self.future.done():
            return
        error = asked.exception()
        if error is None:
            self.future.set_result(asked.result())
            return
        if self._wire is not None and (self._wire.failure or not self._wire.is_serving):
            return  # the connection is gone: another one will be asked, or all is lost
        self.was_refused = getattr(error, "code", None) != _BUSY
        self.fail(error if isinstance(error, llm.RealtimeError) else llm.RealtimeError(type(error).__name__))

    def _done(self, future: asyncio.Future[llm.GenerationCreatedEvent]) -> None:
        if future.cancelled() and self._asked is not None and not self._asked.done():
            self._asked.cancel()
        self._on_settled(self)
