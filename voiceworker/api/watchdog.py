"""Looks after sessions once they are made: none waits for ever, none outlives its room, no room its session."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta

from sqlalchemy.exc import SQLAlchemyError

from voiceworker.api.metrics import Metrics
from voiceworker.api.rooms import Rooms, SfuUnreachable
from voiceworker.dispatch import agent_identity
from voiceworker.records import Records, Session, SessionStatus

logger = logging.getLogger("voiceworker.api")

WAIT_FOR_AGENT = timedelta(seconds=10)
"a free worker joins within a second or two; nobody listens to silence for longer than this"
AGENT_LOST_AFTER = timedelta(seconds=25)
"missing from its room, look after look: longer than an agent takes to come back after a lost connection"
RECONCILE_EVERY = timedelta(seconds=5)
GRACE_FOR_GOODBYE = timedelta(seconds=5)
"the worker writes the end and then closes the room itself; only a room that stays is ours to close"
CHOSEN_ROOM_IS_OURS = timedelta(seconds=60)
"after its session's end; later a room of the same name is somebody else's"
SWEEP_EVERY = timedelta(hours=1)
_QUESTIONS_AT_ONCE = 16
"to the SFU, of those that are asked for every active session"


class Watchdog:
    """`run` it as one task for the life of the API. `look` is one look, at a time of the caller's choosing."""

    def __init__(
        self,
        records: Records,
        rooms: Rooms,
        metrics: Metrics,
        clock: Callable[[], datetime],
        seconds_between_looks: float = 1.0,
    ) -> None:
        self._records = records
        self._rooms = rooms
        self._metrics = metrics
        self._clock = clock
        self._joins_seen_until = clock()
        self._reconcile_at = clock()
        self._sweep_at = clock()
        self._sfu_away = False
        self._seconds_between_looks = seconds_between_looks
        self._agent_missing_since: dict[str, datetime] = {}
        "session -> the first of the latest looks, one after the other, that did not find its agent"
        self._questions = asyncio.Semaphore(_QUESTIONS_AT_ONCE)

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
            except Exception:  # the outermost loop: without it nobody would look after the sessions any more
                logger.exception("a look at the sessions failed")
            await asyncio.sleep(self._seconds_between_looks)

    async def look(self, now: datetime) -> None:
        """Raises SfuUnreachable and SQLAlchemyError; the records are right even when a room could not be closed."""
        await self._fail_unjoined(now)
        if now >= self._reconcile_at:
            self._reconcile_at = now + RECONCILE_EVERY
            await self._reconcile(now)
        await self._measure_joins(now)
        if now >= self._sweep_at:
            self._sweep_at = now + SWEEP_EVERY
            await asyncio.to_thread(self._records.idempotency.sweep, now)

    async def _measure_joins(self, now: datetime) -> None:
        joined = await asyncio.to_thread(self._records.sessions.joined_between, self._joins_seen_until, now)
        self._joins_seen_until = now
        for session in joined:
            if session.joined_at is not None and session.owner is not None:
                self._metrics.join_seconds.observe((session.joined_at - session.created_at).total_seconds())

    async def _fail_unjoined(self, now: datetime) -> None:
        failed = []
        for session in await asyncio.to_thread(self._records.sessions.open):
            if session.status is not SessionStatus.DISPATCHED or now - session.created_at < WAIT_FOR_AGENT:
                continue
            # The agent may have joined since we read: then this changes nothing, and the call goes on.
            fail = self._records.sessions.fail_unjoined
            if await asyncio.to_thread(fail, session.id, "no_agent_joined", now):
                logger.warning("session %s: no agent joined within %s s", session.id, WAIT_FOR_AGENT.seconds)
                failed.append(session)
        await self._close_rooms(failed)

    async def _reconcile(self, now: datetime) -> None:
        # A look that fails on its way breaks the row of looks that an agent must be missing from.
        missing_before, self._agent_missing_since = self._agent_missing_since, {}
        # The sessions are read first: one that becomes active in between has a room that is in the list.
        sessions = await asyncio.to_thread(self._records.sessions.open)
        rooms = await self._rooms.names()
        self._sfu_away = False
        active = [session for session in sessions if session.status is SessionStatus.ACTIVE]
        for session in active:
            if session.room not in rooms:
                await asyncio.to_thread(self._records.sessions.end, session.id, "room_closed", now)
        await self._fail_lost([session for session in active if session.room in rooms], missing_before, now)
        await self._close_left_over(rooms, now)

    async def _fail_lost(self, sessions: list[Session], missing_before: dict[str, datetime], now: datetime) -> None:
        """Fails those whose agent has been missing for too long: its process is dead, and the caller hears nothing."""
        failed = []
        missing = await asyncio.gather(*(self._agent_is_missing(session) for session in sessions))
        for session in (session for session, is_missing in zip(sessions, missing, strict=True) if is_missing):
            since = missing_before.get(session.id, now)
            if now - since < AGENT_LOST_AFTER:
                self._agent_missing_since[session.id] = since
            elif await asyncio.to_thread(self._records.sessions.fail, session.id, "agent_lost", now):
                logger.warning("session %s: its agent has been gone for %s s", session.id, (now - since).seconds)
                failed.append(session)
        await self._close_rooms(failed)

    async def _agent_is_missing(self, session: Session) -> bool:
        async with self._questions:
            try:
                return agent_identity(session.id) not in await self._rooms.identities(session.room)
            except SfuUnreachable:
                return False  # not known

    async def _close_left_over(self, rooms: set[str], now: datetime) -> None:
        in_use = {session.room for session in await asyncio.to_thread(self._records.sessions.open)}
        left_over = []
        for session in await asyncio.to_thread(self._records.sessions.finished, rooms - in_use):
            since_end = now - (session.ended_at or now)
            is_ours = session.room == session.id or since_end < CHOSEN_ROOM_IS_OURS
            if is_ours and session.owner is not None and since_end >= GRACE_FOR_GOODBYE:
                logger.warning("session %s is over and its room is still open: closing it", session.id)
                left_over.append(session)
        await self._close_rooms(left_over)

    async def _close_rooms(self, sessions: Iterable[Session]) -> None:
        """One that cannot be closed keeps nobody waiting: a later look tries it again."""
        # A session without an owner is a plain dispatch into a room that somebody else made.
        await asyncio.gather(*(self._close(session) for session in sessions if session.owner is not None))

    async def _close(self, session: Session) -> None:
        async with self._questions:
            try:
                await self._rooms.close(session.room)
            except SfuUnreachable as error:
                logger.warning("session %s: its room is still open: %s", session.id, error)
