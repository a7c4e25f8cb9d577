"""Indexes for what the watchdog asks every few seconds, and columns as long as a dispatch's texts may be."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_LENGTHS = (
    ("sessions", "id", 40, 68),
    ("sessions", "room", 128, 256),
    ("sessions", "caller_identity", 128, 256),
    ("transcript_lines", "session", 40, 68),
    ("idempotency_keys", "session", 40, 68),
)


def upgrade() -> None:
    op.create_index("ix_sessions_joined_at", "sessions", ["joined_at"])
    op.create_index("ix_sessions_room", "sessions", ["room"])
    # SQLite keeps texts of any length. There a column is altered by making its table anew, and the old one's end
    # would take the transcripts with it (ON DELETE CASCADE).
    if op.get_context().dialect.name == "sqlite":
        return
    for table, column, before, after in _LENGTHS:
        op.alter_column(table, column, existing_type=sa.String(before), type_=sa.String(after))
