"""How the turns of the calls went: what each answer took to be heard, and what became of voices over the agent's.

Both are read two ways: by session, and by those who count them, who ask for what was added after a position.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol

from sqlalchemy import Row, Table, delete, func, insert, select
from sqlalchemy.engine import Connection, Engine

from voiceworker.records.database import reading, writing
from voiceworker.records.tables import overlaps, turns


class Outcome(StrEnum):
    INTERRUPTED = "interrupted"
    "the agent stopped"
    RESTORED = "restored"
    "the agent had lowered its voice and went on"


@dataclass(frozen=True, slots=True)
class Turn:
    """A turn of the caller that the agent answered."""

    session: str
    sequence: int
    "place in the session, in one row with those of its transcript"
    at: datetime
    "when the answer became audible"
    first_audio_ms: int
    "from the caller's last sample of speech to the first audible sample of the answer at his ear"
    parts: Mapping[str, int]
    "where the milliseconds went, together `first_audio_ms` (voiceworker/policy/latency.py)"


@dataclass(frozen=True, slots=True)
class Overlap:
    """Somebody spoke over the agent."""

    session: str
    sequence: int
    at: datetime
    outcome: Outcome
    reason: str | None = None
    "when restored: what the voice was taken for"


@dataclass(frozen=True, slots=True)
class Position:
    """All that was written up to here."""

    turn: int = 0
    overlap: int = 0


@dataclass(frozen=True, slots=True)
class Added:
    turns: list[Turn]
    overlaps: list[Overlap]
    position: Position
    "after them"


class Turns(Protocol):
    def put(self, fact: Turn | Overlap) -> None:
        """Keeps it; one of the same kind, session and sequence is replaced."""

    def of_session(self, session: str) -> list[Turn]:
        """In the order of their sequence."""

    def position(self) -> Position:
        """After the newest."""

    def added(self, after: Position, limit: int) -> Added:
        """What was written after a position, oldest first, at most `limit` of a kind; nothing is left out, nor told
        again to who asks next after the position it brings."""


class StoredTurns:
    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def put(self, fact: Turn | Overlap) -> None:
        table = turns if isinstance(fact, Turn) else overlaps
        values: dict[str, Any] = {name: getattr(fact, name) for name in fact.__slots__}
        if isinstance(fact, Turn):
            values["parts"] = dict(fact.parts)
        # A database with several writers gives ids out before it shows the rows, so a reader could pass one by that
        # is shown late. One writer at a time makes both orders the same.
        with writing(self._engine, alone=table.name) as connection:
            same = (table.c.session == fact.session, table.c.sequence == fact.sequence)
            connection.execute(delete(table).where(*same))
            connection.execute(insert(table).values(**values))

    def of_session(self, session: str) -> list[Turn]:
        ordered = select(turns).where(turns.c.session == session).order_by(turns.c.sequence)
        with reading(self._engine) as connection:
            return [_turn(row) for row in connection.execute(ordered)]

    def position(self) -> Position:
        with reading(self._engine) as connection:
            return Position(_newest(connection, turns), _newest(connection, overlaps))

    def added(self, after: Position, limit: int) -> Added:
        with reading(self._engine) as connection:
            answered = _after(connection, turns, after.turn, limit)
            spoken_over = _after(connection, overlaps, after.overlap, limit)
        position = Position(
            answered[-1].id if answered else after.turn, spoken_over[-1].id if spoken_over else after.overlap
        )
        return Added([_turn(row) for row in answered], [_overlap(row) for row in spoken_over], position)


def _newest(connection: Connection, table: Table) -> int:
    return connection.execute(select(func.max(table.c.id))).scalar() or 0


def _after(connection: Connection, table: Table, identifier: int, limit: int) -> list[Row[Any]]:
    newer = select(table).where(table.c.id > identifier).order_by(table.c.id).limit(limit)
    return list(connection.execute(newer))


def _turn(row: Row[Any]) -> Turn:
    return Turn(row.session, row.sequence, row.at, row.first_audio_ms, row.parts)


def _overlap(row: Row[Any]) -> Overlap:
    return Overlap(row.session, row.sequence, row.at, Outcome(row.outcome), row.reason)
