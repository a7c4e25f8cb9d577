"""Which rule of the agent's file chose a session's models, and on which side of a trial its caller is."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("sessions", sa.Column("rule", sa.Text))
    op.add_column("sessions", sa.Column("arm", sa.Text))
