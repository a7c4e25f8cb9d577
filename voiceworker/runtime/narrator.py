"""Tells what happens in a call: to the caller's own client, to the log, to the records. It decides nothing."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from datetime import datetime
from typing import Protocol

from livekit import rtc

from voiceworker.events import AgentInterrupted, AgentTranscript, Envelope, Event, UserTranscript

TOPIC = "vw.events"
logger = logging.getLogger("voiceworker.call")

_LONGEST_BACKLOG = 1000
"events waiting to be sent; a client that does not take them loses the oldest, the call goes on"


class TranscriptSink(Protocol):
    """Where final sentences are kept. Called in a thread; may block on a disk."""

    def keep(self, envelope: Envelope) -> None: ...


class Narrator:
    def __init__(self, session: str, room: rtc.Room, sink: TranscriptSink, clock: Callable[[], datetime]) -> None:
        self._session = session
        self._room = room
        self._sink = sink
        self._clock = clock
        self._sequence = 0
        self._listener: str | None = None
        self._queue: asyncio.Queue[Envelope | None] = asyncio.Queue()

    def listener_is(self, identity: str | None) -> None:
        """The participant whose client gets the events; None while there is nobody."""
        self._listener = identity

    def tell(self, event: Event) -> None:
        self._sequence += 1
        envelope = Envelope(self._session, self._sequence, self._clock(), event)
        logger.info(event.type, extra={"event": envelope.to_json()})
        if self._queue.qsize() >= _LONGEST_BACKLOG:
            self._queue.get_nowait()
        self._queue.put_nowait(envelope)

    async def run(self) -> None:
        """Delivers the events in their order until `finish`."""
        while (envelope := await self._queue.get()) is not None:
            await self._keep(envelope)
            await self._send(envelope)

    def finish(self) -> None:
        """No event comes after this; `run` returns once all are delivered."""
        self._queue.put_nowait(None)

    async def _keep(self, envelope: Envelope) -> None:
        event = envelope.event
        spoken = isinstance(event, UserTranscript | AgentTranscript) and event.final
        if spoken or isinstance(event, AgentInterrupted):
            try:
                await asyncio.to_thread(self._sink.keep, envelope)
            except Exception:
                logger.exception("a transcript could not be kept")  # the call matters more than its record

    async def _send(self, envelope: Envelope) -> None:
        if self._listener is None or not self._room.isconnected():
            return
        try:
            async with asyncio.timeout(5):
                await self._room.local_participant.send_text(
                    envelope.to_json(), topic=TOPIC, destination_identities=[self._listener], compress=False
                )
        except (TimeoutError, ConnectionError, RuntimeError) as error:
            logger.debug("an event was not delivered: %s", error)
