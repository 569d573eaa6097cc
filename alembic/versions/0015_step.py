"""One step of a record in fewer statements: what the mechanism of scope, decision and event costs.

Revision ID: 0015
Revises: 0014
"""

from pathlib import Path

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

SQL = Path(__file__).parent.parent / "sql"


def run(name: str) -> None:
    """Run a reviewed file as it stands: a driver call, so that neither % nor : is touched."""
    op.get_bind().connection.driver_connection.execute((SQL / f"{name}.sql").read_text())


def upgrade() -> None:
    """Keep the posts that carry a ticket in a table of their own; link and look up in fewer statements."""
    op.create_table(
        "acting_posts",
        sa.Column("post_id", sa.BigInteger(), autoincrement=False, nullable=False, comment="岗位"),
        sa.Column("valid_to", sa.Date(), nullable=True, comment="任职止"),
        sa.PrimaryKeyConstraint("post_id", name=op.f("pk_acting_posts")),
    )
    run("0015_step")


def downgrade() -> None:
    """Give back the functions as they were."""
    run("0015_step_down")
    op.drop_table("acting_posts")
