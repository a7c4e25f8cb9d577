"""Heartbeats: how many more calls each live worker can take.

The SFU answers a dispatch with 200 whether or not a worker will take it, so admission needs its own knowledge.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from sqlalchemy import delete, insert, select
from sqlalchemy.engine import Connection, Engine

from voiceworker.records.database import reading, writing
from voiceworker.records.tables import workers

STALE_AFTER = timedelta(seconds=3)
"a worker beats every second; two lost beats are forgiven"


@dataclass(frozen=True, slots=True)
class Heartbeat:
    id: str
    "the worker's own, new at each start"
    free_slots: int
    "calls it would take now; 0 while it drains"
    capacity: int
    calls: int
    beat_at: datetime


class Workers(Protocol):
    def beat(self, heartbeat: Heartbeat) -> None: ...

    def leave(self, worker_id: str) -> None:
        """The worker stops: it is gone at once, not after it is stale."""

    def live(self, now: datetime) -> list[Heartbeat]:
        """The newest heartbeat of every worker that is not stale."""


class StoredWorkers:
    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def beat(self, heartbeat: Heartbeat) -> None:
        with writing(self._engine) as connection:
            forgotten = heartbeat.beat_at - 100 * STALE_AFTER
            connection.execute(delete(workers).where((workers.c.id == heartbeat.id) | (workers.c.beat_at < forgotten)))
            connection.execute(
                insert(workers).values(
                    id=heartbeat.id,
                    free_slots=heartbeat.free_slots,
                    capacity=heartbeat.capacity,
                    calls=heartbeat.calls,
                    beat_at=heartbeat.beat_at,
                )
            )

    def leave(self, worker_id: str) -> None:
        with writing(self._engine) as connection:
            connection.execute(delete(workers).where(workers.c.id == worker_id))

    def live(self, now: datetime) -> list[Heartbeat]:
        with reading(self._engine) as connection:
            return live_workers(connection, now)


def live_workers(connection: Connection, now: datetime) -> list[Heartbeat]:
    fresh = select(workers).where(workers.c.beat_at > now - STALE_AFTER).order_by(workers.c.id)
    return [Heartbeat(**row._mapping) for row in connection.execute(fresh)]
