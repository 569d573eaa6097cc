"""Exclusions of projects, and rules about amounts by a formula (第十六条、第十八条).

Revision ID: 0028
Revises: 0027
"""

from pathlib import Path

from alembic import op

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None

SQL = Path(__file__).parent.parent / "sql"


def run(name: str) -> None:
    """Run a reviewed file as it stands: a driver call, so that neither % nor : is touched."""
    op.get_bind().connection.driver_connection.execute((SQL / f"{name}.sql").read_text())


def upgrade() -> None:
    """Make the function and its index; change the rule."""
    run("0028_fields")


def downgrade() -> None:
    """Take them away again."""
    run("0028_fields_down")
