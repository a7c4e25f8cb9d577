"""API keys: shown once, kept as a hash.

A key is `vwk_<id>_<secret>` with 256 random bits in the secret, so a plain SHA-256 is enough: there is no dictionary
to try (OWASP's advice on slow hashes is about passwords).
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, Protocol

from sqlalchemy import Row, insert, or_, select, update
from sqlalchemy.engine import Engine

from voiceworker.policy.pricing import NANO, kept
from voiceworker.records.database import reading, writing
from voiceworker.records.tables import api_keys

PREFIX = "vwk"
_LONGEST_KEY = 200


class Scope(StrEnum):
    """What a key may do."""

    SESSIONS_CREATE = "sessions:create"
    SESSIONS_READ = "sessions:read"
    SESSIONS_DELETE = "sessions:delete"
    SESSIONS_IDENTITY = "sessions:identity"
    "choose the caller's identity in the room"
    SESSIONS_ROOM = "sessions:room"
    "choose the room's name"
    AGENTS_READ = "agents:read"
    METRICS_READ = "metrics:read"
    USAGE_READ = "usage:read"
    "what its own sessions cost"
    USAGE_ALL = "usage:all"
    "and everybody else's"


@dataclass(frozen=True, slots=True)
class ApiKey:
    id: str
    name: str
    scopes: frozenset[Scope]
    created_at: datetime
    revoked_at: datetime | None
    budget_per_day: Decimal | None = None
    "what the calls it asks for may cost in one day (UTC) together; None: no bound"
    budget_currency: str = ""


class NameTaken(Exception):
    """A key of this name is in force."""


class Keys(Protocol):
    def create(
        self,
        name: str,
        scopes: Collection[Scope],
        now: datetime,
        *,
        budget_per_day: Decimal | None = None,
        budget_currency: str = "",
    ) -> tuple[ApiKey, str]:
        """A new key and its text, which nobody can read again. Raises NameTaken."""

    def verify(self, text: str) -> ApiKey | None:
        """The key in force with this text; in the same time whether it is wrong or not there."""

    def get(self, key_id: str) -> ApiKey | None:
        """In force or revoked."""

    def revoke(self, name_or_id: str, now: datetime) -> ApiKey | None:
        """Ends a key in force, at once; None when there is none of that name or id."""

    def all(self) -> list[ApiKey]:
        """Oldest first, revoked ones included."""


class StoredKeys:
    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def create(
        self,
        name: str,
        scopes: Collection[Scope],
        now: datetime,
        *,
        budget_per_day: Decimal | None = None,
        budget_currency: str = "",
    ) -> tuple[ApiKey, str]:
        key = ApiKey(secrets.token_hex(6), name, frozenset(scopes), now, None, budget_per_day, budget_currency)
        text = f"{PREFIX}_{key.id}_{secrets.token_urlsafe(32)}"
        in_force = select(api_keys.c.id).where(api_keys.c.name == name, api_keys.c.revoked_at.is_(None))
        with writing(self._engine, alone="api keys") as connection:
            if connection.execute(in_force).first() is not None:
                raise NameTaken(name)
            connection.execute(
                insert(api_keys).values(
                    id=key.id,
                    name=name,
                    secret_hash=_hash(text),
                    scopes=sorted(key.scopes),
                    created_at=now,
                    budget_nanos=None if budget_per_day is None else int(kept(budget_per_day) / NANO),
                    budget_currency=budget_currency or None,
                )
            )
        return key, text

    def verify(self, text: str) -> ApiKey | None:
        prefix, _, rest = text[:_LONGEST_KEY].partition("_")
        key_id = rest.partition("_")[0]
        with reading(self._engine) as connection:
            row = connection.execute(select(api_keys).where(api_keys.c.id == key_id)).one_or_none()
        known = row.secret_hash if row is not None else _hash("")
        right = hmac.compare_digest(known, _hash(text))
        if row is None or not right or prefix != PREFIX or row.revoked_at is not None:
            return None
        return _key(row)

    def get(self, key_id: str) -> ApiKey | None:
        with reading(self._engine) as connection:
            row = connection.execute(select(api_keys).where(api_keys.c.id == key_id)).one_or_none()
        return None if row is None else _key(row)

    def revoke(self, name_or_id: str, now: datetime) -> ApiKey | None:
        wanted = or_(api_keys.c.id == name_or_id, api_keys.c.name == name_or_id)
        with writing(self._engine, alone="api keys") as connection:
            row = connection.execute(select(api_keys).where(wanted, api_keys.c.revoked_at.is_(None))).first()
            if row is None:
                return None
            connection.execute(update(api_keys).where(api_keys.c.id == row.id).values(revoked_at=now))
            return _key(connection.execute(select(api_keys).where(api_keys.c.id == row.id)).one())

    def all(self) -> list[ApiKey]:
        with reading(self._engine) as connection:
            return [_key(row) for row in connection.execute(select(api_keys).order_by(api_keys.c.created_at))]


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _key(row: Row[Any]) -> ApiKey:
    # A scope that a newer version wrote and this one does not know grants nothing here.
    scopes = frozenset(Scope(scope) for scope in row.scopes if scope in set(Scope))
    budget = None if row.budget_nanos is None else row.budget_nanos * NANO
    return ApiKey(row.id, row.name, scopes, row.created_at, row.revoked_at, budget, row.budget_currency or "")
