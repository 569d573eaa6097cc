"""One step of a record in fewer statements: what the mechanism of scope, decision and event costs.

Revision ID: 0015
Revises: 0014
"""

from pathlib import Path

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
    """Replace what a step asks of the database."""
    run("0015_step")


def downgrade() -> None:
    """Give back the functions as they were."""
    run("0015_step_down")
