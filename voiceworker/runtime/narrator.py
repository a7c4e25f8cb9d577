"""Tells what happens in a call: to the caller's own client, to the log, to the records. It decides nothing."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from datetime import datetime
from typing import Protocol

from livekit import rtc

from voiceworker.events import (
    AgentInterrupted,
    AgentRestored,
    AgentSpeechStarted,
    AgentTranscript,
    Envelope,
    Event,
    ModelsRouted,
    UserTranscript,
)

TOPIC = "vw.events"
logger = logging.getLogger("voiceworker.call")

_SEND_SECONDS = 5

_LONGEST_BACKLOG = 1000
"events waiting to be sent; a client that does not take them loses the oldest, the call goes on"


class TranscriptSink(Protocol):
    """Where final sentences are kept, and how turns went. Called in a thread; may block on a disk."""

    def keep(self, envelope: Envelope) -> None: ...


class Narrator:
    """Two deliveries that do not wait for each other: to the records, all that is kept; to the client, the events."""

    def __init__(self, session: str, room: rtc.Room, sink: TranscriptSink, clock: Callable[[], datetime]) -> None:
        self._session = session
        self._room = room
        self._sink = sink
        self._clock = clock
        self._sequence = 0
        self._listener: str | None = None
        self._held: list[Event] | None = None
        self._to_keep: asyncio.Queue[Envelope | None] = asyncio.Queue()
        self._to_send: asyncio.Queue[Envelope | None] = asyncio.Queue()

    def listener_is(self, identity: str | None) -> None:
        """The participant whose client gets the events; None while there is nobody."""
        self._listener = identity

    def hold(self) -> None:
        """The call is about to begin: what is told from now on waits for `begin`."""
        self._held = []

    def begin(self, *events: Event) -> None:
        """Tells these, then what was held."""
        held, self._held = self._held or [], None
        for event in (*events, *held):
            self.tell(event)

    def tell(self, event: Event) -> None:
        if self._held is not None:
            self._held.append(event)
            return
        self._sequence += 1
        envelope = Envelope(self._session, self._sequence, self._clock(), event)
        logger.info(event.type, extra={"event": envelope.to_json()})
        if _is_kept(event):
            self._to_keep.put_nowait(envelope)
        if self._to_send.qsize() >= _LONGEST_BACKLOG:
            self._to_send.get_nowait()
        self._to_send.put_nowait(envelope)

    def finish(self) -> None:
        """No event comes after this; `keep` and `send` return once all is delivered."""
        self.begin()
        self._to_keep.put_nowait(None)
        self._to_send.put_nowait(None)

    async def keep(self) -> None:
        """Writes into the records what is kept there, until `finish`."""
        while (envelope := await self._to_keep.get()) is not None:
            try:
                await asyncio.to_thread(self._sink.keep, envelope)
            except Exception:
                logger.exception("%s was not kept", envelope.event.type)  # the call matters more than its record

    async def send(self) -> None:
        """Sends the events to the caller's client, in their order, until `finish`."""
        while (envelope := await self._to_send.get()) is not None:
            if self._listener is None or not self._room.isconnected():
                continue
            try:
                async with asyncio.timeout(_SEND_SECONDS):
                    await self._room.local_participant.send_text(
                        envelope.to_json(), topic=TOPIC, destination_identities=[self._listener], compress=False
                    )
            except (TimeoutError, ConnectionError, RuntimeError) as error:
                logger.debug("an event was not delivered: %s", error)


def _is_kept(event: Event) -> bool:
    match event:
        case UserTranscript(final=final) | AgentTranscript(final=final):
            return final
        case AgentSpeechStarted(first_audio_ms):
            return first_audio_ms is not None
    return isinstance(event, AgentInterrupted | AgentRestored | ModelsRouted)
