"""The first tables: sessions, transcripts, workers' heartbeats, API keys, idempotency keys.

A migration is history: it spells the tables out and does not import them, because they will change.
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_time = sa.DateTime(timezone=True)


def upgrade() -> None:
    _create_sessions()
    op.create_table(
        "workers",
        sa.Column("id", sa.String(128), nullable=False),
        sa.Column("free_slots", sa.Integer, nullable=False),
        sa.Column("capacity", sa.Integer, nullable=False),
        sa.Column("calls", sa.Integer, nullable=False),
        sa.Column("beat_at", _time, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_workers"),
    )
    op.create_table(
        "api_keys",
        sa.Column("id", sa.String(40), nullable=False),
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("secret_hash", sa.String(64), nullable=False),
        sa.Column("scopes", sa.JSON, nullable=False),
        sa.Column("created_at", _time, nullable=False),
        sa.Column("revoked_at", _time),
        sa.PrimaryKeyConstraint("id", name="pk_api_keys"),
    )
    op.create_index("ix_api_keys_name", "api_keys", ["name"])
    op.create_table(
        "idempotency_keys",
        sa.Column("owner", sa.String(64), nullable=False),
        sa.Column("key", sa.String(255), nullable=False),
        sa.Column("body_hash", sa.String(64), nullable=False),
        sa.Column("session", sa.String(40)),
        sa.Column("begun_at", _time, nullable=False),
        sa.PrimaryKeyConstraint("owner", "key", name="pk_idempotency_keys"),
    )
    op.create_index("ix_idempotency_keys_begun_at", "idempotency_keys", ["begun_at"])


def _create_sessions() -> None:
    op.create_table(
        "sessions",
        sa.Column("id", sa.String(40), nullable=False),
        sa.Column("agent", sa.String(64), nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("reason", sa.String(64)),
        sa.Column("room", sa.String(128), nullable=False),
        sa.Column("caller_identity", sa.String(128), nullable=False),
        sa.Column("owner", sa.String(64)),
        sa.Column("metadata", sa.JSON, nullable=False),
        sa.Column("max_seconds", sa.Integer),
        sa.Column("created_at", _time, nullable=False),
        sa.Column("joined_at", _time),
        sa.Column("ended_at", _time),
        sa.PrimaryKeyConstraint("id", name="pk_sessions"),
    )
    op.create_index("ix_sessions_status_created_at", "sessions", ["status", "created_at"])
    op.create_index("ix_sessions_owner_created_at", "sessions", ["owner", "created_at"])
    op.create_table(
        "transcript_lines",
        sa.Column("session", sa.String(40), nullable=False),
        sa.Column("sequence", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("time", _time, nullable=False),
        sa.Column("role", sa.String(16), nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("final", sa.Boolean, nullable=False),
        sa.Column("interrupted", sa.Boolean, nullable=False),
        sa.Column("heard_text", sa.Text),
        sa.PrimaryKeyConstraint("session", "sequence", name="pk_transcript_lines"),
        sa.ForeignKeyConstraint(["session"], ["sessions.id"], name="fk_transcript_lines_session", ondelete="CASCADE"),
    )
