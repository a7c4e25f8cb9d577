"""Sessions: one row for each call that was asked for, from the request to its end."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol

from sqlalchemy import Row, and_, func, insert, or_, select, update
from sqlalchemy.engine import Connection, Engine

from voiceworker.records.database import reading, writing
from voiceworker.records.tables import sessions


class SessionStatus(StrEnum):
    DISPATCHED = "dispatched"
    "a room is there and an agent was asked to join it"
    ACTIVE = "active"
    "the agent is in the room"
    ENDED = "ended"
    FAILED = "failed"
    "no agent came, or it could not do its work"


OPEN = (SessionStatus.DISPATCHED, SessionStatus.ACTIVE)


@dataclass(frozen=True, slots=True)
class Session:
    id: str
    "`ses_` and 22 url-safe random characters (128 bits)"
    agent: str
    "name of the agent definition"
    status: SessionStatus
    room: str
    "the LiveKit room's name; the session's id unless the key may choose"
    caller_identity: str
    "the caller's identity in the room, so that a repeated request replaces him instead of adding one"
    created_at: datetime
    metadata: Mapping[str, Any]
    "what the client said for routing; a JSON object"
    owner: str | None = None
    "id of the API key that asked for it; None for a dispatch made by the LiveKit server API"
    reason: str | None = None
    "why it ended or failed"
    max_seconds: int | None = None
    joined_at: datetime | None = None
    "when the agent was in the room"
    ended_at: datetime | None = None
    rule: str | None = None
    "which rules of the agent's file chose its models; `default`: none did"
    arm: str | None = None
    "RULE:ARM of each split that counts; empty: none does"


class Sessions(Protocol):
    """What the API and the worker keep of a session. All times are given by the caller and aware."""

    def create(self, session: Session) -> None:
        """Adds it. Raises sqlalchemy.exc.IntegrityError when the id is taken."""

    def get(self, session_id: str) -> Session | None: ...

    def activate(self, session_id: str, now: datetime) -> bool:
        """The agent has joined. False when there is no such session or it is over: then the agent must leave."""

    def end(self, session_id: str, reason: str, now: datetime) -> bool:
        """False when there is no such session or it was over already; the first reason stays."""

    def route(self, session_id: str, rule: str, arm: str) -> None:
        """The models of the call are chosen; told again when an intent changes them."""

    def fail(self, session_id: str, reason: str, now: datetime) -> bool:
        """As `end`, for a session that did not do what it was made for."""

    def fail_unjoined(self, session_id: str, reason: str, now: datetime) -> bool:
        """Fails it only when no agent has joined meanwhile."""

    def page(
        self, owner: str, *, agent: str | None, status: SessionStatus | None, before: str | None, limit: int
    ) -> list[Session]:
        """The owner's sessions, newest first, at most `limit`; `before` is the id of the last one already seen."""

    def open(self) -> list[Session]:
        """All that are dispatched or active."""

    def finished(self, room_names: Collection[str]) -> list[Session]:
        """Of the sessions with these rooms, those that are over."""

    def joined_between(self, after: datetime, until: datetime) -> list[Session]:
        """Those whose agent joined in (after, until]."""

    def count_by_status(self) -> dict[SessionStatus, int]: ...


class StoredSessions:
    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def create(self, session: Session) -> None:
        with writing(self._engine) as connection:
            insert_session(connection, session)

    def get(self, session_id: str) -> Session | None:
        with reading(self._engine) as connection:
            row = connection.execute(select(sessions).where(sessions.c.id == session_id)).one_or_none()
        return None if row is None else _session(row)

    def activate(self, session_id: str, now: datetime) -> bool:
        with writing(self._engine) as connection:
            changed = connection.execute(
                update(sessions)
                .where(sessions.c.id == session_id, sessions.c.status.in_(OPEN))
                .values(status=SessionStatus.ACTIVE, joined_at=func.coalesce(sessions.c.joined_at, now))
            )
            return changed.rowcount == 1

    def end(self, session_id: str, reason: str, now: datetime) -> bool:
        return self._finish(session_id, SessionStatus.ENDED, reason, now, OPEN)

    def route(self, session_id: str, rule: str, arm: str) -> None:
        with writing(self._engine) as connection:
            connection.execute(update(sessions).where(sessions.c.id == session_id).values(rule=rule, arm=arm))

    def fail(self, session_id: str, reason: str, now: datetime) -> bool:
        return self._finish(session_id, SessionStatus.FAILED, reason, now, OPEN)

    def fail_unjoined(self, session_id: str, reason: str, now: datetime) -> bool:
        return self._finish(session_id, SessionStatus.FAILED, reason, now, (SessionStatus.DISPATCHED,))

    def _finish(
        self, session_id: str, to: SessionStatus, reason: str, now: datetime, of: tuple[SessionStatus, ...]
    ) -> bool:
        with writing(self._engine) as connection:
            changed = connection.execute(
                update(sessions)
                .where(sessions.c.id == session_id, sessions.c.status.in_(of))
                .values(status=to, reason=reason[:64], ended_at=now)
            )
            return changed.rowcount == 1

    def page(
        self, owner: str, *, agent: str | None, status: SessionStatus | None, before: str | None, limit: int
    ) -> list[Session]:
        query = select(sessions).where(sessions.c.owner == owner)
        if agent is not None:
            query = query.where(sessions.c.agent == agent)
        if status is not None:
            query = query.where(sessions.c.status == status)
        with reading(self._engine) as connection:
            if before is not None:
                seen = connection.execute(
                    select(sessions.c.created_at).where(sessions.c.id == before, sessions.c.owner == owner)
                ).scalar_one_or_none()
                if seen is None:
                    return []
                older = and_(sessions.c.created_at == seen, sessions.c.id < before)
                query = query.where(or_(sessions.c.created_at < seen, older))
            newest_first = query.order_by(sessions.c.created_at.desc(), sessions.c.id.desc()).limit(limit)
            return [_session(row) for row in connection.execute(newest_first)]

    def open(self) -> list[Session]:
        with reading(self._engine) as connection:
            return [_session(row) for row in connection.execute(select(sessions).where(sessions.c.status.in_(OPEN)))]

    def finished(self, room_names: Collection[str]) -> list[Session]:
        if not room_names:
            return []
        over = select(sessions).where(sessions.c.room.in_(room_names), sessions.c.status.not_in(OPEN))
        with reading(self._engine) as connection:
            return [_session(row) for row in connection.execute(over)]

    def joined_between(self, after: datetime, until: datetime) -> list[Session]:
        joined = select(sessions).where(sessions.c.joined_at > after, sessions.c.joined_at <= until)
        with reading(self._engine) as connection:
            return [_session(row) for row in connection.execute(joined)]

    def count_by_status(self) -> dict[SessionStatus, int]:
        counts = dict.fromkeys(SessionStatus, 0)
        with reading(self._engine) as connection:
            for status, number in connection.execute(select(sessions.c.status, func.count()).group_by("status")):
                counts[SessionStatus(status)] = number
        return counts


def insert_session(connection: Connection, session: Session) -> None:
    connection.execute(
        insert(sessions).values(
            id=session.id,
            agent=session.agent,
            status=session.status,
            room=session.room,
            caller_identity=session.caller_identity,
            created_at=session.created_at,
            metadata=dict(session.metadata),
            owner=session.owner,
            reason=session.reason,
            max_seconds=session.max_seconds,
            joined_at=session.joined_at,
            ended_at=session.ended_at,
            rule=session.rule,
            arm=session.arm,
        )
    )


def _session(row: Row[Any]) -> Session:
    fields = dict(row._mapping)
    return Session(**(fields | {"status": SessionStatus(fields["status"])}))
