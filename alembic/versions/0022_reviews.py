"""Yearly review of every household.

Revision ID: 0022
Revises: 0021
"""

from pathlib import Path

from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None

SQL = Path(__file__).parent.parent / "sql"


def run(name: str) -> None:
    """Run a reviewed file as it stands: a driver call, so that neither % nor : is touched."""
    op.get_bind().connection.driver_connection.execute((SQL / f"{name}.sql").read_text())


def upgrade() -> None:
    """Make the tables, then their policies."""
    run("0022_reviews")


def downgrade() -> None:
    """Take it away again."""
    run("0022_reviews_down")
