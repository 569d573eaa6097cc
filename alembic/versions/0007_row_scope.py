"""Row scope deepened: sectors and banks on the rows they limit, proven by foreign keys; ids that flow downward.

Revision ID: 0007
Revises: 0006
"""

from pathlib import Path

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

SQL = Path(__file__).parent.parent / "sql"
SECTOR_OF_ROSTER = "主管领域：随清册，由外键保证一致；主管部门只见本领域"
SECTOR_OF_ORDER = "主管领域：随支付单，由外键保证一致；主管部门只见本领域"
SECTOR_OF_PROJECT = "主管领域：随补贴项目；主管部门和分管人员只见本领域"
BANK_OF_ORDER = "代理银行：随支付单，由外键保证一致；银行只见本行"
BANK_OF_AGENT = "代理银行：随代发户，由外键保证一致"
BANK_OF_ACCOUNT = "代理银行：由触发器按联行号前三位确定；银行只见本行账户"
OF_ROSTER = ("roster_lines", "roster_warnings", "notices", "objections")
OF_ORDER = (("bank_batches", "division_code"), ("disbursements", "county_code"), ("refunds", "division_code"))
UNIQUE = (
    ("rosters", ["division_code", "id", "sector"]),
    ("agent_accounts", ["division_code", "id", "bank_id"]),
    ("payment_orders", ["division_code", "id", "sector", "bank_id"]),
)


def run(name: str) -> None:
    """Run a reviewed file as it stands: a driver call, so that neither % nor : is touched."""
    op.get_bind().connection.driver_connection.execute((SQL / f"{name}.sql").read_text())


def _add(table: str, columns: tuple[tuple[str, type[sa.types.TypeEngine], str], ...], source: str) -> None:
    """Add columns named as at their parent, fill them from it, then insist on them."""
    for name, kind, comment in columns:
        op.add_column(table, sa.Column(name, kind(), nullable=True, comment=comment))
    values = ", ".join(f"{name} = p.{name}" for name, _, _ in columns)
    # Names of this file only.
    op.execute(f"update {table} c set {values} from {source}")  # noqa: S608
    for name, _, _ in columns:
        op.alter_column(table, name, nullable=False)


def _link(table: str, columns: list[str], target: str, instead: int) -> None:
    """Make the foreign key carry more columns than before: `instead` says how many it had."""
    op.drop_constraint(op.f(f"fk_{table}_{'_'.join(columns[:instead])}"), table)
    named = ["division_code", "id", *columns[2:]]
    op.create_foreign_key(op.f(f"fk_{table}_{'_'.join(columns)}"), table, target, columns, named)


def _unlink(table: str, columns: list[str], target: str, instead: int) -> None:
    op.drop_constraint(op.f(f"fk_{table}_{'_'.join(columns)}"), table)
    short = columns[:instead]
    op.create_foreign_key(op.f(f"fk_{table}_{'_'.join(short)}"), table, target, short, ["division_code", "id"])


def upgrade() -> None:
    """Fill sectors and banks, tie them to their parents, then let the policies read them."""
    for table in OF_ROSTER:
        _add(table, (("sector", sa.Text, SECTOR_OF_ROSTER),), "rosters p where p.id = c.roster_id")
    _add("roster_imports", (("sector", sa.Text, SECTOR_OF_PROJECT),), "subsidy_projects p where p.id = c.project_id")
    _add("payment_orders", (("bank_id", sa.BigInteger, BANK_OF_AGENT),),
         "agent_accounts p where p.id = c.agent_account_id")  # fmt: skip
    for table, _ in OF_ORDER:
        _add(table, (("sector", sa.Text, SECTOR_OF_ORDER), ("bank_id", sa.BigInteger, BANK_OF_ORDER)),
             "payment_orders p where p.id = c.order_id")  # fmt: skip
    op.add_column("accounts", sa.Column("bank_id", sa.BigInteger(), nullable=True, comment=BANK_OF_ACCOUNT))
    for table, columns in UNIQUE:
        op.create_unique_constraint(op.f(f"uq_{table}_{'_'.join(columns)}"), table, columns)
    for table in OF_ROSTER:
        _link(table, ["division_code", "roster_id", "sector"], "rosters", 2)
    _link("payment_orders", ["division_code", "agent_account_id", "bank_id"], "agent_accounts", 2)
    for table, place in OF_ORDER:
        _link(table, [place, "order_id", "sector", "bank_id"], "payment_orders", 2)
    op.create_check_constraint("department_sector", "organisations", "kind <> 'department' or sector <> ''")
    run("0007_row_scope")


def downgrade() -> None:
    """Take the columns away again; the ranges of 0006 stay."""
    run("0007_row_scope_down")
    op.drop_constraint(op.f("ck_organisations_department_sector"), "organisations")
    for table, place in OF_ORDER:
        _unlink(table, [place, "order_id", "sector", "bank_id"], "payment_orders", 2)
    _unlink("payment_orders", ["division_code", "agent_account_id", "bank_id"], "agent_accounts", 2)
    for table in OF_ROSTER:
        _unlink(table, ["division_code", "roster_id", "sector"], "rosters", 2)
    for table, columns in UNIQUE:
        op.drop_constraint(op.f(f"uq_{table}_{'_'.join(columns)}"), table)
    op.drop_column("accounts", "bank_id")
    for table, _ in OF_ORDER:
        op.drop_column(table, "bank_id")
        op.drop_column(table, "sector")
    op.drop_column("payment_orders", "bank_id")
    op.drop_column("roster_imports", "sector")
    for table in OF_ROSTER:
        op.drop_column(table, "sector")
