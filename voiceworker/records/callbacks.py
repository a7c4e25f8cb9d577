"""Who has been promised to be rung, because the models of his call were out of order."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Protocol

from sqlalchemy import delete, insert, select, update
from sqlalchemy.engine import Engine

from voiceworker.records.database import reading, writing
from voiceworker.records.tables import callbacks


@dataclass(frozen=True, slots=True)
class Callback:
    session: str
    "the call in which it was promised; one promise in each"
    agent: str
    number: str
    "as the caller's telephone or the session's metadata told it"
    asked_at: datetime
    done_at: datetime | None = None
    "None: nobody has rung yet"


class Callbacks(Protocol):
    def ask(self, callback: Callback) -> None:
        """Keeps it; one of the same session is replaced."""

    def open(self) -> list[Callback]:
        """Those whom nobody has rung yet, the oldest first."""

    def done(self, session: str, now: datetime) -> bool:
        """Somebody has rung. False when nothing is open for this session."""


class StoredCallbacks:
    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def ask(self, callback: Callback) -> None:
        with writing(self._engine) as connection:
            connection.execute(delete(callbacks).where(callbacks.c.session == callback.session))
            connection.execute(insert(callbacks).values(**asdict(callback)))

    def open(self) -> list[Callback]:
        wanted = select(callbacks).where(callbacks.c.done_at.is_(None)).order_by(callbacks.c.asked_at)
        with reading(self._engine) as connection:
            return [Callback(**row._mapping) for row in connection.execute(wanted)]

    def done(self, session: str, now: datetime) -> bool:
        here = (callbacks.c.session == session, callbacks.c.done_at.is_(None))
        with writing(self._engine) as connection:
            return connection.execute(update(callbacks).where(*here).values(done_at=now)).rowcount > 0
