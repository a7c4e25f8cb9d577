"""Durable facts: what the API and the worker must still know after a restart.

Each kind of fact is a small Protocol with one store, on SQLAlchemy. Methods are synchronous and short: call them in a
thread from asynchronous code (`asyncio.to_thread`). Nobody here reads a clock: `now` comes from the caller, aware.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.engine import Engine

from voiceworker.records.admission import Admission, AdmissionDesk, StoredAdmission
from voiceworker.records.callbacks import Callback, Callbacks, StoredCallbacks
from voiceworker.records.database import open_engine, reading
from voiceworker.records.idempotency import Idempotency, StoredIdempotency
from voiceworker.records.keys import ApiKey, Keys, NameTaken, Scope, StoredKeys
from voiceworker.records.migrate import migrate
from voiceworker.records.sessions import Session, Sessions, SessionStatus, StoredSessions
from voiceworker.records.transcripts import Role, StoredTranscripts, TranscriptLine, Transcripts
from voiceworker.records.turns import Added, Outcome, Overlap, Position, StoredTurns, Turn, Turns
from voiceworker.records.usage import Entry, GroupBy, Spent, StoredUsage, Sum, UsageBook
from voiceworker.records.workers import STALE_AFTER, Heartbeat, StoredWorkers, Workers

__all__ = [
    "STALE_AFTER",
    "Added",
    "Admission",
    "ApiKey",
    "Callback",
    "Entry",
    "GroupBy",
    "Heartbeat",
    "NameTaken",
    "Outcome",
    "Overlap",
    "Position",
    "Records",
    "Role",
    "Scope",
    "Session",
    "SessionStatus",
    "Spent",
    "Sum",
    "TranscriptLine",
    "Turn",
    "migrate",
    "open_records",
]


@dataclass(frozen=True, slots=True)
class Records:
    """All stores over one database. `close` it when the process ends."""

    sessions: Sessions
    admission: AdmissionDesk
    transcripts: Transcripts
    turns: Turns
    usage: UsageBook
    callbacks: Callbacks
    workers: Workers
    keys: Keys
    idempotency: Idempotency
    _engine: Engine

    def check(self) -> None:
        """Raises sqlalchemy.exc.SQLAlchemyError when the database does not answer."""
        with reading(self._engine) as connection:
            connection.execute(text("SELECT 1"))

    def close(self) -> None:
        self._engine.dispose()


def open_records(database_url: str) -> Records:
    """The records in `database_url` (an SQLAlchemy URL). `migrate` makes or updates the tables; this does not."""
    engine = open_engine(database_url)
    return Records(
        sessions=StoredSessions(engine),
        admission=StoredAdmission(engine),
        transcripts=StoredTranscripts(engine),
        turns=StoredTurns(engine),
        usage=StoredUsage(engine),
        callbacks=StoredCallbacks(engine),
        workers=StoredWorkers(engine),
        keys=StoredKeys(engine),
        idempotency=StoredIdempotency(engine),
        _engine=engine,
    )
