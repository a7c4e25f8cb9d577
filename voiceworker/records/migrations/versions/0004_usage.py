"""What the calls used of their providers and what it cost; what a key may spend in a day."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_TOKENS = (
    "input_tokens",
    "cached_input_tokens",
    "output_tokens",
    "audio_input_tokens",
    "cached_audio_input_tokens",
    "audio_output_tokens",
    "characters",
)


def upgrade() -> None:
    op.create_table(
        "usage",
        # SQLite counts up by itself only in a column that is called INTEGER; its integers are long ones anyway
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), nullable=False),
        sa.Column("session", sa.String(68), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("day", sa.Date, nullable=False),
        sa.Column("turn", sa.Integer, nullable=False),
        sa.Column("role", sa.String(16), nullable=False),
        sa.Column("model", sa.String(128), nullable=False),
        sa.Column("audio_seconds", sa.Float(53), nullable=False),
        *(sa.Column(name, sa.Integer, nullable=False) for name in _TOKENS),
        sa.Column("cost_nanos", sa.BigInteger),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("estimated", sa.Boolean, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_usage"),
        sa.ForeignKeyConstraint(["session"], ["sessions.id"], name="fk_usage_session", ondelete="CASCADE"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_usage_session", "usage", ["session"])
    op.create_index("ix_usage_day", "usage", ["day"])
    op.add_column("api_keys", sa.Column("budget_nanos", sa.BigInteger))
    op.add_column("api_keys", sa.Column("budget_currency", sa.String(3)))
