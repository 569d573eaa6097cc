"""Identity checks of the registry.

Revision ID: 0023
Revises: 0022
"""

from pathlib import Path

from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None

SQL = Path(__file__).parent.parent / "sql"


def run(name: str) -> None:
    """Run a reviewed file as it stands: a driver call, so that neither % nor : is touched."""
    op.get_bind().connection.driver_connection.execute((SQL / f"{name}.sql").read_text())


def upgrade() -> None:
    """Make the index of the police's answers."""
    run("0023_identity")


def downgrade() -> None:
    """Take it away again."""
    run("0023_identity_down")
