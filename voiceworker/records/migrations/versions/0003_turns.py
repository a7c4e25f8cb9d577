"""How the turns went: what each answer took to be heard, and what became of voices over the agent's."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _create(
        "turns", sa.Column("first_audio_ms", sa.Integer, nullable=False), sa.Column("parts", sa.JSON, nullable=False)
    )
    _create("overlaps", sa.Column("outcome", sa.String(16), nullable=False), sa.Column("reason", sa.String(32)))


def _create(table: str, *columns: sa.Column[Any]) -> None:
    op.create_table(
        table,
        # SQLite counts up by itself only in a column that is called INTEGER; its integers are long ones anyway
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), nullable=False),
        sa.Column("session", sa.String(68), nullable=False),
        sa.Column("sequence", sa.Integer, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        *columns,
        sa.PrimaryKeyConstraint("id", name=f"pk_{table}"),
        sa.UniqueConstraint("session", "sequence", name=f"uq_{table}_session_sequence"),
        sa.ForeignKeyConstraint(["session"], ["sessions.id"], name=f"fk_{table}_session", ondelete="CASCADE"),
        sqlite_autoincrement=True,
    )
