"""Admission: a session is recorded only when a worker has room for it, decided in one transaction.

A heartbeat is up to a second old, and a dispatch needs a moment to reach its worker. So sessions that were dispatched
too lately for the newest heartbeats to know them count as taken, whether their agent has joined since or not; older
ones, and those whose agent had joined by then, are in the heartbeat already.
"""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum
from typing import Protocol

from sqlalchemy import and_, func, or_, select
from sqlalchemy.engine import Engine

from voiceworker.records.database import writing
from voiceworker.records.sessions import Session, SessionStatus, insert_session
from voiceworker.records.tables import sessions
from voiceworker.records.workers import live_workers

TIME_TO_REACH_A_WORKER = timedelta(seconds=1)
"from the session's record to the worker that counts the job: room, dispatch, availability, acceptance"


class Admission(StrEnum):
    ADMITTED = "admitted"
    NO_WORKER = "no_worker"
    NO_FREE_SLOT = "no_free_slot"


class AdmissionDesk(Protocol):
    def admit(self, session: Session) -> Admission:
        """Records `session` when a live worker has a free slot at `session.created_at`; else changes nothing."""


class StoredAdmission:
    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def admit(self, session: Session) -> Admission:
        with writing(self._engine, alone="admission") as connection:
            workers = live_workers(connection, session.created_at)
            if not workers:
                return Admission.NO_WORKER
            oldest_beat = min(worker.beat_at for worker in workers)
            joined_since = and_(sessions.c.status == SessionStatus.ACTIVE, sessions.c.joined_at > oldest_beat)
            on_the_way = connection.execute(
                select(func.count())
                .select_from(sessions)
                .where(sessions.c.created_at > oldest_beat - TIME_TO_REACH_A_WORKER)
                .where(or_(sessions.c.status == SessionStatus.DISPATCHED, joined_since))
            ).scalar_one()
            if sum(worker.free_slots for worker in workers) <= on_the_way:
                return Admission.NO_FREE_SLOT
            insert_session(connection, session)
            return Admission.ADMITTED
