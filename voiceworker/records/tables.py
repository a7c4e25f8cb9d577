"""The tables, as the code reads them. `migrations/` makes them; a test holds the two together."""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Date,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from voiceworker.records.database import UtcDateTime

SESSION_ID_LENGTH = 68
"`ses_` and at most 64 characters (voiceworker/dispatch.py)"
IDENTITY_LENGTH = 256
"a dispatch may name the caller by as many; LiveKit allows as many for rooms and participants"

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    }
)

sessions = Table(
    "sessions",
    metadata,
    Column("id", String(SESSION_ID_LENGTH), primary_key=True),
    Column("agent", String(64), nullable=False),
    Column("status", String(16), nullable=False),
    Column("reason", String(64)),
    Column("room", String(IDENTITY_LENGTH), nullable=False),
    Column("caller_identity", String(IDENTITY_LENGTH), nullable=False),
    Column("owner", String(64)),
    Column("metadata", JSON, nullable=False),
    Column("max_seconds", Integer),
    Column("created_at", UtcDateTime, nullable=False),
    Column("joined_at", UtcDateTime),
    Column("ended_at", UtcDateTime),
    Column("rule", Text),
    Column("arm", Text),
    Index(None, "status", "created_at"),
    Index(None, "owner", "created_at"),
    Index(None, "joined_at"),
    Index(None, "room"),
)

transcript_lines = Table(
    "transcript_lines",
    metadata,
    Column("session", String(SESSION_ID_LENGTH), ForeignKey("sessions.id", ondelete="CASCADE"), primary_key=True),
    Column("sequence", Integer, primary_key=True, autoincrement=False),
    Column("time", UtcDateTime, nullable=False),
    Column("role", String(16), nullable=False),
    Column("text", Text, nullable=False),
    Column("final", Boolean, nullable=False),
    Column("interrupted", Boolean, nullable=False),
    Column("heard_text", Text),
)


def _facts_of_sessions(name: str, *columns: Column[Any]) -> Table:
    """Rows of sessions, in the order in which they were written."""
    return Table(
        name,
        metadata,
        Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
        Column("session", String(SESSION_ID_LENGTH), ForeignKey("sessions.id", ondelete="CASCADE"), nullable=False),
        Column("sequence", Integer, nullable=False),
        Column("at", UtcDateTime, nullable=False),
        *columns,
        UniqueConstraint("session", "sequence"),
        sqlite_autoincrement=True,  # else it gives the ids of deleted rows out again
    )


turns = _facts_of_sessions(
    "turns", Column("first_audio_ms", Integer, nullable=False), Column("parts", JSON, nullable=False)
)
overlaps = _facts_of_sessions("overlaps", Column("outcome", String(16), nullable=False), Column("reason", String(32)))

usage = Table(
    "usage",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("session", String(SESSION_ID_LENGTH), ForeignKey("sessions.id", ondelete="CASCADE"), nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Column("day", Date, nullable=False),
    Column("turn", Integer, nullable=False),
    Column("role", String(16), nullable=False),
    Column("model", String(128), nullable=False),
    Column("audio_seconds", Float(53), nullable=False),
    Column("input_tokens", Integer, nullable=False),
    Column("cached_input_tokens", Integer, nullable=False),
    Column("output_tokens", Integer, nullable=False),
    Column("audio_input_tokens", Integer, nullable=False),
    Column("cached_audio_input_tokens", Integer, nullable=False),
    Column("audio_output_tokens", Integer, nullable=False),
    Column("characters", Integer, nullable=False),
    Column("cost_nanos", BigInteger),
    Column("currency", String(3), nullable=False),
    Column("estimated", Boolean, nullable=False),
    Index(None, "session"),
    Index(None, "day"),
    sqlite_autoincrement=True,  # else it gives the ids of deleted rows out again
)

callbacks = Table(
    "callbacks",
    metadata,
    Column("session", String(SESSION_ID_LENGTH), ForeignKey("sessions.id", ondelete="CASCADE"), primary_key=True),
    Column("agent", String(64), nullable=False),
    Column("number", String(32), nullable=False),
    Column("asked_at", UtcDateTime, nullable=False),
    Column("done_at", UtcDateTime),
)

workers = Table(
    "workers",
    metadata,
    Column("id", String(128), primary_key=True),
    Column("free_slots", Integer, nullable=False),
    Column("capacity", Integer, nullable=False),
    Column("calls", Integer, nullable=False),
    Column("beat_at", UtcDateTime, nullable=False),
)

api_keys = Table(
    "api_keys",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("name", String(64), nullable=False),
    Column("secret_hash", String(64), nullable=False),
    Column("scopes", JSON, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("revoked_at", UtcDateTime),
    Column("budget_nanos", BigInteger),
    Column("budget_currency", String(3)),
    Index(None, "name"),
)

idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    Column("owner", String(64), primary_key=True),
    Column("key", String(255), primary_key=True),
    Column("body_hash", String(64), nullable=False),
    Column("session", String(SESSION_ID_LENGTH)),
    Column("begun_at", UtcDateTime, nullable=False),
    Index(None, "begun_at"),
)
