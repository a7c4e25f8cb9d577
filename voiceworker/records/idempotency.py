"""Idempotency keys: a request that is repeated makes no second session.

The header is the one of https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/. No token is kept:
a repeated request gets a fresh one for the same session.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from sqlalchemy import delete, insert, select, update
from sqlalchemy.engine import Engine

from voiceworker.records.database import writing
from voiceworker.records.tables import idempotency_keys

KEPT_FOR = timedelta(hours=24)
ABANDONED_AFTER = timedelta(seconds=60)
"a request is answered within seconds; one still in flight by then died with its process"


@dataclass(frozen=True, slots=True)
class Begun:
    """The key is new: carry on, then `finish` or `release` it."""


@dataclass(frozen=True, slots=True)
class InFlight:
    """The first request with this key has not been answered yet."""


@dataclass(frozen=True, slots=True)
class OtherBody:
    """The key was used for another request."""


@dataclass(frozen=True, slots=True)
class Finished:
    session: str
    "id of the session that the first request made"


Outcome = Begun | InFlight | OtherBody | Finished


class Idempotency(Protocol):
    def begin(self, owner: str, key: str, body_hash: str, now: datetime) -> Outcome: ...

    def finish(self, owner: str, key: str, session: str) -> None: ...

    def release(self, owner: str, key: str) -> None:
        """The request failed and made nothing: the key may be used again."""

    def sweep(self, now: datetime) -> None:
        """Forgets keys older than a day."""


class StoredIdempotency:
    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def begin(self, owner: str, key: str, body_hash: str, now: datetime) -> Outcome:
        here = (idempotency_keys.c.owner == owner, idempotency_keys.c.key == key)
        with writing(self._engine, alone=f"idempotency {owner} {key}") as connection:
            row = connection.execute(select(idempotency_keys).where(*here)).one_or_none()
            if row is not None:
                lifetime = ABANDONED_AFTER if row.session is None else KEPT_FOR
                if now - row.begun_at < lifetime:
                    if row.body_hash != body_hash:
                        return OtherBody()
                    return InFlight() if row.session is None else Finished(row.session)
                connection.execute(delete(idempotency_keys).where(*here))
            connection.execute(insert(idempotency_keys).values(owner=owner, key=key, body_hash=body_hash, begun_at=now))
            return Begun()

    def finish(self, owner: str, key: str, session: str) -> None:
        here = (idempotency_keys.c.owner == owner, idempotency_keys.c.key == key)
        with writing(self._engine) as connection:
            connection.execute(update(idempotency_keys).where(*here).values(session=session))

    def release(self, owner: str, key: str) -> None:
        here = (idempotency_keys.c.owner == owner, idempotency_keys.c.key == key)
        with writing(self._engine) as connection:
            connection.execute(delete(idempotency_keys).where(*here, idempotency_keys.c.session.is_(None)))

    def sweep(self, now: datetime) -> None:
        with writing(self._engine) as connection:
            connection.execute(delete(idempotency_keys).where(idempotency_keys.c.begun_at < now - KEPT_FOR))
