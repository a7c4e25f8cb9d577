"""Looks after sessions once they are made: none waits for ever, none outlives its room, no room its session."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from datetime import datetime, timedelta

from sqlalchemy.exc import SQLAlchemyError

from voiceworker.api.metrics import Metrics
from voiceworker.api.rooms import Rooms, SfuUnreachable
from voiceworker.records import Records, SessionStatus

logger = logging.getLogger("voiceworker.api")

WAIT_FOR_AGENT = timedelta(seconds=10)
"a free worker joins within a second or two; nobody listens to silence for longer than this"
RECONCILE_EVERY = timedelta(seconds=5)
GRACE_FOR_GOODBYE = timedelta(seconds=5)
"the worker writes the end and then closes the room itself; only a room that stays is ours to close"
SWEEP_EVERY = timedelta(hours=1)
_TICK_SECONDS = 1.0


class Watchdog:
    """`run` it as one task for the life of the API. `look` is one look, at a time of the caller's choosing."""

    def __init__(self, records: Records, rooms: Rooms, metrics: Metrics, clock: Callable[[], datetime]) -> None:
        self._records = records
        self._rooms = rooms
        self._metrics = metrics
        self._clock = clock
        self._joins_seen_until = clock()
        self._reconcile_at = clock()
        self._sweep_at = clock()
        self._sfu_away = False

    async def run(self) -> None:
        """Until it is cancelled. What fails is logged and tried again at the next look."""
        while True:
            try:
                await self.look(self._clock())
            except SfuUnreachable as error:
                if not self._sfu_away:  # once an outage, not once a look
                    logger.warning("the SFU does not answer (%s); rooms and sessions are compared later", error)
                self._sfu_away = True
            except SQLAlchemyError:
                logger.exception("the records do not answer; sessions are looked after later")
            await asyncio.sleep(_TICK_SECONDS)

    async def look(self, now: datetime) -> None:
        """Raises SfuUnreachable and SQLAlchemyError; the records are right even when a room could not be closed."""
        await self._measure_joins(now)
        if now >= self._sweep_at:
            self._sweep_at = now + SWEEP_EVERY
            await asyncio.to_thread(self._records.idempotency.sweep, now)
        await self._fail_unjoined(now)
        if now >= self._reconcile_at:
            self._reconcile_at = now + RECONCILE_EVERY
            await self._reconcile(now)

    async def _measure_joins(self, now: datetime) -> None:
        joined = await asyncio.to_thread(self._records.sessions.joined_between, self._joins_seen_until, now)
        self._joins_seen_until = now
        for session in joined:
            if session.joined_at is not None and session.owner is not None:
                self._metrics.join_seconds.observe((session.joined_at - session.created_at).total_seconds())

    async def _fail_unjoined(self, now: datetime) -> None:
        for session in await asyncio.to_thread(self._records.sessions.open):
            if session.status is not SessionStatus.DISPATCHED or now - session.created_at < WAIT_FOR_AGENT:
                continue
            # The agent may have joined since we read: then this changes nothing, and the call goes on.
            fail = self._records.sessions.fail_unjoined
            if await asyncio.to_thread(fail, session.id, "no_agent_joined", now):
                logger.warning("session %s: no agent joined within %s s", session.id, WAIT_FOR_AGENT.seconds)
                await self._rooms.close(session.room)

    async def _reconcile(self, now: datetime) -> None:
        # The sessions are read first: one that becomes active in between has a room that is in the list.
        sessions = await asyncio.to_thread(self._records.sessions.open)
        rooms = await self._rooms.names()
        self._sfu_away = False
        for session in sessions:
            if session.status is SessionStatus.ACTIVE and session.room not in rooms:
                await asyncio.to_thread(self._records.sessions.end, session.id, "room_closed", now)
        in_use = {session.room for session in await asyncio.to_thread(self._records.sessions.open)}
        for session in await asyncio.to_thread(self._records.sessions.finished, rooms - in_use):
            if session.ended_at is not None and now - session.ended_at >= GRACE_FOR_GOODBYE:
                logger.warning("session %s is over and its room is still open: closing it", session.id)
                await self._rooms.close(session.room)
