"""Who has been promised to be rung."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "callbacks",
        sa.Column("session", sa.String(68), nullable=False),
        sa.Column("agent", sa.String(64), nullable=False),
        sa.Column("number", sa.String(32), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("done_at", sa.DateTime(timezone=True)),
        sa.PrimaryKeyConstraint("session", name="pk_callbacks"),
        sa.ForeignKeyConstraint(["session"], ["sessions.id"], name="fk_callbacks_session", ondelete="CASCADE"),
    )
