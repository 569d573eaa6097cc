"""Row policies, rights, append-only guards, the event chain, definer functions, the job queue.

Revision ID: 0005
Revises: 0004
"""

from pathlib import Path

from alembic import op
from procrastinate.schema import SchemaManager
from sqlalchemy import text

from models.settings import APP_ROLE

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

SQL = Path(__file__).parent.parent / "sql"


def run(sql: str) -> None:
    """Run a reviewed file as it stands: a driver call, so that neither % nor : is touched."""
    connection = op.get_bind()
    connection.connection.driver_connection.execute(sql)


def upgrade() -> None:
    """Make the application's role, then apply the reviewed files in order."""
    exists = op.get_bind().execute(text("select 1 from pg_roles where rolname = :name"), {"name": APP_ROLE}).scalar()
    if not exists:
        run(f"create role {APP_ROLE} login nosuperuser nocreatedb nocreaterole noinherit nobypassrls")
    run(f"grant connect on database {op.get_bind().engine.url.database} to {APP_ROLE}")
    for name in ("scope", "guards", "functions"):
        run((SQL / f"{name}.sql").read_text())
    run(SchemaManager.get_schema())
    run(
        f"do $$ declare t text; begin for t in select tablename from pg_tables where tablename like 'procrastinate%'"
        f" loop execute format('grant select, insert, update, delete on %I to {APP_ROLE}', t); end loop; end $$;"
        f" grant usage on all sequences in schema public to {APP_ROLE}"
    )


def downgrade() -> None:
    """Undo everything but the role, which other databases of the server may use."""
    run((SQL / "down.sql").read_text())
