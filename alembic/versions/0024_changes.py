"""What changes of the registry ask of the database: two records of one person become one, with all their payments.

Revision ID: 0024
Revises: 0023
"""

from pathlib import Path

from alembic import op

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None

SQL = Path(__file__).parent.parent / "sql"


def run(name: str) -> None:
    """Run a reviewed file as it stands: a driver call, so that neither % nor : is touched."""
    op.get_bind().connection.driver_connection.execute((SQL / f"{name}.sql").read_text())


def upgrade() -> None:
    """Make the function that merges two records."""
    run("0024_changes")


def downgrade() -> None:
    """Take it away again."""
    run("0024_changes_down")
