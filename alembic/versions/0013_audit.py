"""The trail of every change, one chain link per transaction and county, archives with a closing link.

Revision ID: 0013
Revises: 0012
"""

from pathlib import Path

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

import models.base
from models.trail import UNWATCHED

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

SQL = Path(__file__).parent.parent / "sql"
HEAD = (("transaction", "最近事务"), ("linked_from", "最近事务首条"), ("linked_to", "最近事务末条"))


def run(name: str, **words: str) -> None:
    """Run a reviewed file as it stands: a driver call, so that neither % nor : is touched."""
    text = (SQL / f"{name}.sql").read_text()
    for word, said in words.items():
        text = text.replace(f"{{{word}}}", said)
    op.get_bind().connection.driver_connection.execute(text)


def _column(name: str, kind: object, comment: str, *, nullable: bool = False, default: object = None) -> sa.Column:
    return sa.Column(name, kind, nullable=nullable, comment=comment, server_default=default)


def _moment(name: str, comment: str) -> sa.Column:
    return _column(name, sa.TIMESTAMP(timezone=True), comment, default=sa.text("clock_timestamp()"))


def _changes() -> None:
    division, big, text = models.base.DivisionCode, sa.BigInteger, sa.Text
    op.create_table(
        "changes",
        _column("county_code", division(), "旗县"),
        _column("id", big(), "编号：与办理记录同一序列", default=sa.text("nextval('events_id_seq'::regclass)")),
        _column("division_code", division(), "区划"),
        _column("table_name", text(), "数据表"),
        _column("operation", text(), "操作：insert、update、delete、truncate；baseline 为启用时的存量"),
        _column("row_count", big(), "行数"),
        _column("record_id", big(), "记录：只涉及一行时", nullable=True),
        _column("before", postgresql.JSONB(), "变更前合计", nullable=True),
        _column("after", postgresql.JSONB(), "变更后合计", nullable=True),
        _column("rows", postgresql.JSONB(), "逐行新旧值：敏感内容只存摘要", nullable=True),
        _column("digest", sa.LargeBinary(), "逐行摘要：超过 20 行时", nullable=True),
        _column("officer_id", big(), "用户：0 为系统任务或直接连库"),
        _column("person", text(), "自然人"),
        _column("post_id", big(), "岗位"),
        _column("delegation_id", big(), "委托"),
        _column("address", text(), "来源地址"),
        _column("database_user", text(), "数据库用户"),
        _column("application", text(), "连接程序：没有凭证时，直接连库的程序名"),
        _column("transaction", big(), "事务：同一事务的记录编号相同", default="0"),
        _moment("recorded_at", "记录时间"),
        sa.PrimaryKeyConstraint("county_code", "id", name=op.f("pk_changes")),
    )
    op.create_index("ix_changes_record", "changes", ["table_name", "record_id"])
    for table in ("changes", "events"):
        op.create_index(f"ix_{table}_transaction", table, ["transaction"])
        op.create_index(f"ix_{table}_recorded_at", table, ["recorded_at"], postgresql_using="brin")


def _archives() -> None:
    division, big = models.base.DivisionCode, sa.BigInteger
    op.create_table(
        "event_archives",
        sa.Column("id", big(), sa.Identity(), nullable=False, comment="编号"),
        _column("county_code", division(), "旗县"),
        _column("division_code", division(), "区划"),
        _column("first_sequence", big(), "首环"),
        _column("last_sequence", big(), "末环"),
        _column("record_count", big(), "记录数"),
        _column("hash", sa.LargeBinary(), "末环散列"),
        _column("sums", postgresql.JSONB(), "归档变更合计"),
        _column("file_name", sa.Text(), "归档文件"),
        _column("file_digest", sa.LargeBinary(), "文件摘要"),
        _moment("archived_at", "归档时间"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_event_archives")),
        sa.UniqueConstraint("county_code", "last_sequence", name=op.f("uq_event_archives_county_code_last_sequence")),
    )


def upgrade() -> None:
    """Check the old chain, give records their new columns, chain anew, then watch every table."""
    run("0013_relink")
    op.add_column("events", _column("address", sa.Text(), "来源地址：由数据库按本次操作的凭证填写", default=""))
    op.add_column("events", _column("transaction", sa.BigInteger(), "事务：同一事务的记录编号相同", default="0"))
    _changes()
    _archives()
    links = postgresql.ARRAY(sa.BigInteger())
    op.add_column("event_links", _column("record_ids", links, "记录：办理记录和变更记录的编号", nullable=True))
    op.execute("update event_links set record_ids = array[event_id]")
    op.alter_column("event_links", "record_ids", nullable=False)
    op.drop_column("event_links", "event_id")
    for name, said in HEAD:
        op.add_column("event_heads", _column(name, sa.BigInteger(), said, nullable=True))
    names = ", ".join(f"'{name}'" for name in sorted(UNWATCHED))
    for name in ("audit", "rechain", "chain", "archive", "watch"):
        run(f"0013_{name}", unwatched=f"[{names}]")


def downgrade() -> None:
    """Take the trail away; the events stay, chained one by one as before."""
    run("0013_down")
    op.add_column("event_links", _column("event_id", sa.BigInteger(), "事件", nullable=True))
    run("0013_unlink")
    op.alter_column("event_links", "event_id", nullable=False)
    op.drop_column("event_links", "record_ids")
    for name, _ in HEAD:
        op.drop_column("event_heads", name)
    op.drop_table("event_archives")
    op.drop_table("changes")
    op.drop_index("ix_events_recorded_at", "events")
    op.drop_index("ix_events_transaction", "events")
    op.drop_column("events", "transaction")
    op.drop_column("events", "address")
