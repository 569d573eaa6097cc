"""The registry's changes, history, certificates, documents and tasks; nothing is changed without two people.

Revision ID: 0016
Revises: 0015
"""

from pathlib import Path

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

import models.base
import models.crypto

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

SQL = Path(__file__).parent.parent / "sql"
TABLES = ("residences", "certificates", "attachments", "registry_tasks", "registry_changes")
CHANGE_KINDS = (
    "new_household",
    "new_member",
    "household",
    "member",
    "identity",
    "death",
    "missing",
    "restore",
    "leave",
    "head",
    "split",
    "join",
    "move",
    "transfer",
    "merge",
    "asset",
    "certificate",
    "import",
)
CHANGE_STATUSES = ("submitted", "approved", "applied", "returned", "withdrawn")
TASK_KINDS = (
    "identity_mismatch",
    "identity_not_found",
    "deceased",
    "paid_after_death",
    "account_dormant",
    "account_closed",
    "account_name",
    "account_shared",
    "keeper_changed",
    "data_conflict",
    "paid_twice",
)
DOCUMENT_KINDS = (
    "id_card",
    "hukou",
    "birth",
    "death",
    "land",
    "disability",
    "bank_card",
    "police",
    "statement",
    "other",
)
CERTIFICATE_KINDS = (
    "disability",
    "rural_allowance",
    "urban_allowance",
    "extreme_poverty",
    "orphan",
    "veteran",
    "family_planning",
    "ranger",
    "public_job",
    "difficulty",
    "housing",
    "tax",
    "other",
)
ASSETS = ("contracted_land", "leased_in", "leased_out", "excluded_land", "grassland", "forest", "livestock")
HUKOU_KINDS = ("rural", "urban", "resident", "collective", "unknown")


def _enum(name: str, values: tuple[str, ...]) -> sa.Enum:
    """Return a text column that PostgreSQL checks for these values."""
    return sa.Enum(*values, name=name, native_enum=False, create_constraint=True, length=40)


def run(name: str) -> None:
    """Run a reviewed file as it stands: a driver call, so that neither % nor : is touched."""
    op.get_bind().connection.driver_connection.execute((SQL / f"{name}.sql").read_text())


def _registry_changes() -> None:
    op.create_table(
        "registry_changes",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False, comment="编号"),
        sa.Column("division_code", models.base.DivisionCode(), nullable=False, comment="苏木乡镇"),
        sa.Column("county_code", models.base.DivisionCode(), nullable=False, comment="旗县"),
        sa.Column("number", sa.Text(), nullable=False, comment="变更单号"),
        sa.Column(
            "kind",
            _enum("changekind", CHANGE_KINDS),
            nullable=False,
            comment="变更事项",
        ),
        sa.Column(
            "status",
            _enum("changestatus", CHANGE_STATUSES),
            nullable=False,
            comment="状态",
        ),
        sa.Column("version", sa.Integer(), nullable=False, comment="版本"),
        sa.Column("household_id", sa.BigInteger(), nullable=True, comment="户"),
        sa.Column("member_id", sa.BigInteger(), nullable=True, comment="成员"),
        sa.Column("subject", sa.Text(), nullable=False, comment="对象：户主或成员姓名，页面上脱敏"),
        sa.Column("effective_on", sa.Date(), nullable=False, comment="发生日期：事实发生的日期，不是办理日期"),
        sa.Column("reason", sa.Text(), nullable=False, comment="变更原因"),
        sa.Column("fields", postgresql.ARRAY(sa.Text()), nullable=False, comment="变更项目：变更的项目名称，不含内容"),
        sa.Column("before", models.crypto.Sealed(), nullable=False, comment="变更前：JSON，加密"),
        sa.Column("after", models.crypto.Sealed(), nullable=False, comment="变更后：JSON，加密"),
        sa.Column("row_count", sa.Integer(), nullable=False, comment="涉及人数"),
        sa.Column("evidence_count", sa.Integer(), nullable=False, comment="佐证材料（份）"),
        sa.Column("prepared_at", postgresql.TIMESTAMP(timezone=True), nullable=False, comment="提出时间"),
        sa.Column("arrived_at", postgresql.TIMESTAMP(timezone=True), nullable=True, comment="到达时间"),
        sa.Column("applied_at", postgresql.TIMESTAMP(timezone=True), nullable=True, comment="生效时间"),
        sa.Column(
            "applied_in",
            sa.Text(),
            server_default="",
            nullable=False,
            comment="生效事务：由触发器写入；只有该事务可写登记信息",
        ),
        sa.Column(
            "resume_status",
            _enum("changeresume", CHANGE_STATUSES),
            nullable=True,
            comment="退回前状态",
        ),
        sa.Column("returned_for", sa.Text(), server_default="", nullable=False, comment="退回原因"),
        sa.CheckConstraint("county_code = left(division_code, 6) || '000000'", name=op.f("ck_registry_changes_county")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_registry_changes")),
        sa.UniqueConstraint("division_code", "id", name=op.f("uq_registry_changes_division_code_id")),
        sa.UniqueConstraint("number", name=op.f("uq_registry_changes_number")),
    )
    op.create_index(
        "ix_registry_changes_household", "registry_changes", ["division_code", "household_id"], unique=False
    )
    op.create_index("ix_registry_changes_member", "registry_changes", ["division_code", "member_id"], unique=False)
    op.create_index("ix_registry_changes_status", "registry_changes", ["division_code", "status"], unique=False)


def _registry_tasks() -> None:
    op.create_table(
        "registry_tasks",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False, comment="编号"),
        sa.Column("division_code", models.base.DivisionCode(), nullable=False, comment="苏木乡镇"),
        sa.Column("county_code", models.base.DivisionCode(), nullable=False, comment="旗县"),
        sa.Column("number", sa.Text(), nullable=False, comment="待办编号"),
        sa.Column(
            "kind",
            _enum("taskkind", TASK_KINDS),
            nullable=False,
            comment="事项",
        ),
        sa.Column(
            "status",
            _enum("taskstatus", ("open", "settled", "gone")),
            nullable=False,
            comment="状态",
        ),
        sa.Column("version", sa.Integer(), nullable=False, comment="版本"),
        sa.Column("household_id", sa.BigInteger(), nullable=True, comment="户"),
        sa.Column("member_id", sa.BigInteger(), nullable=True, comment="成员"),
        sa.Column("account_id", sa.BigInteger(), nullable=True, comment="账户"),
        sa.Column("roster_id", sa.BigInteger(), nullable=True, comment="清册"),
        sa.Column("source", sa.Text(), nullable=False, comment="来源：police、bank、keeper、township 或共享部门代码"),
        sa.Column("detail", sa.Text(), nullable=False, comment="说明：不含个人信息"),
        sa.Column("found_on", sa.Date(), nullable=False, comment="发现日期"),
        sa.Column("arrived_at", postgresql.TIMESTAMP(timezone=True), nullable=True, comment="到达时间"),
        sa.Column("settled_as", sa.Text(), server_default="", nullable=False, comment="处理结果"),
        sa.Column("note", sa.Text(), server_default="", nullable=False, comment="处理说明"),
        sa.CheckConstraint("county_code = left(division_code, 6) || '000000'", name=op.f("ck_registry_tasks_county")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_registry_tasks")),
        sa.UniqueConstraint("division_code", "id", name=op.f("uq_registry_tasks_division_code_id")),
        sa.UniqueConstraint("number", name=op.f("uq_registry_tasks_number")),
    )
    op.create_index("ix_registry_tasks_member", "registry_tasks", ["division_code", "member_id"], unique=False)
    op.create_index("ix_registry_tasks_status", "registry_tasks", ["division_code", "status"], unique=False)
    op.create_index(
        "uq_registry_tasks_open",
        "registry_tasks",
        [
            "division_code",
            "kind",
            sa.text("coalesce(member_id, 0)"),
            sa.text("coalesce(account_id, 0)"),
            sa.text("coalesce(roster_id, 0)"),
        ],
        unique=True,
        postgresql_where=sa.text("status = 'open'"),
    )


def _attachments() -> None:
    op.create_table(
        "attachments",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False, comment="编号"),
        sa.Column("division_code", models.base.DivisionCode(), nullable=False, comment="苏木乡镇"),
        sa.Column("county_code", models.base.DivisionCode(), nullable=False, comment="旗县"),
        sa.Column("noun", sa.Text(), nullable=False, comment="对象：registry_change、household、member"),
        sa.Column("record_id", sa.BigInteger(), nullable=False, comment="记录"),
        sa.Column(
            "kind",
            _enum("documentkind", DOCUMENT_KINDS),
            nullable=False,
            comment="材料种类",
        ),
        sa.Column("file_id", sa.BigInteger(), nullable=False, comment="文件"),
        sa.Column("file_name", sa.Text(), nullable=False, comment="文件名"),
        sa.Column("media_type", sa.Text(), nullable=False, comment="类型：按文件内容识别，不按扩展名"),
        sa.Column("size", sa.BigInteger(), nullable=False, comment="大小（字节）"),
        sa.Column("added_by", sa.BigInteger(), nullable=False, comment="上传人"),
        sa.Column("added_at", postgresql.TIMESTAMP(timezone=True), nullable=False, comment="上传时间"),
        sa.CheckConstraint("county_code = left(division_code, 6) || '000000'", name=op.f("ck_attachments_county")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_attachments")),
    )
    op.create_index("ix_attachments_record", "attachments", ["division_code", "noun", "record_id"], unique=False)


def _certificates() -> None:
    op.create_table(
        "certificates",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False, comment="编号"),
        sa.Column("division_code", models.base.DivisionCode(), nullable=False, comment="苏木乡镇"),
        sa.Column("county_code", models.base.DivisionCode(), nullable=False, comment="旗县"),
        sa.Column("member_id", sa.BigInteger(), nullable=False, comment="成员"),
        sa.Column(
            "kind",
            _enum("certificatekind", CERTIFICATE_KINDS),
            nullable=False,
            comment="种类",
        ),
        sa.Column("number", models.crypto.Sealed(), nullable=False, comment="证号"),
        sa.Column("level", sa.Text(), nullable=False, comment="等级或类别：如残疾类别和等级"),
        sa.Column("valid_from", sa.Date(), nullable=False, comment="有效期起"),
        sa.Column("valid_to", sa.Date(), nullable=True, comment="有效期止：空为长期"),
        sa.Column("source", sa.Text(), nullable=False, comment="来源：township 或共享部门代码（第二十九条）"),
        sa.Column("as_of", sa.Date(), nullable=False, comment="数据日期"),
        sa.Column("ended_on", sa.Date(), nullable=True, comment="注销日期"),
        sa.Column(
            "change_id", sa.BigInteger(), server_default="0", nullable=False, comment="最近变更：写入本行的变更单"
        ),
        sa.CheckConstraint("county_code = left(division_code, 6) || '000000'", name=op.f("ck_certificates_county")),
        sa.ForeignKeyConstraint(
            ["division_code", "member_id"],
            ["members.division_code", "members.id"],
            name=op.f("fk_certificates_division_code_member_id"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_certificates")),
    )
    op.create_index("ix_certificates_member", "certificates", ["division_code", "member_id", "kind"], unique=False)


def _residences() -> None:
    op.create_table(
        "residences",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False, comment="编号"),
        sa.Column("division_code", models.base.DivisionCode(), nullable=False, comment="苏木乡镇"),
        sa.Column("county_code", models.base.DivisionCode(), nullable=False, comment="旗县"),
        sa.Column("household_id", sa.BigInteger(), nullable=False, comment="户"),
        sa.Column("member_id", sa.BigInteger(), nullable=False, comment="成员"),
        sa.Column("person", sa.Text(), nullable=False, comment="自然人标识：跨苏木乡镇迁移后不变"),
        sa.Column("relation", sa.Text(), nullable=False, comment="与户主关系：GB/T 4761"),
        sa.Column("from_on", sa.Date(), nullable=False, comment="起"),
        sa.Column("until_on", sa.Date(), nullable=True, comment="止：不含当日；空为至今"),
        sa.Column(
            "began_by",
            _enum("changekind", CHANGE_KINDS),
            nullable=False,
            comment="入户原因",
        ),
        sa.Column(
            "ended_by",
            _enum("residenceend", CHANGE_KINDS),
            nullable=True,
            comment="离户原因",
        ),
        sa.Column("change_id", sa.BigInteger(), nullable=False, comment="变更单：最近写入本行的变更单"),
        sa.CheckConstraint("county_code = left(division_code, 6) || '000000'", name=op.f("ck_residences_county")),
        sa.CheckConstraint("until_on is null or until_on >= from_on", name=op.f("ck_residences_period")),
        sa.ForeignKeyConstraint(
            ["division_code", "household_id"],
            ["households.division_code", "households.id"],
            name=op.f("fk_residences_division_code_household_id"),
        ),
        sa.ForeignKeyConstraint(
            ["division_code", "member_id"],
            ["members.division_code", "members.id"],
            name=op.f("fk_residences_division_code_member_id"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_residences")),
    )
    op.create_index("ix_residences_household", "residences", ["division_code", "household_id", "from_on"], unique=False)
    op.create_index("ix_residences_member", "residences", ["division_code", "member_id"], unique=False)
    op.create_index("ix_residences_person", "residences", ["person"], unique=False)
    op.create_index(
        "uq_residences_open", "residences", ["person"], unique=True, postgresql_where=sa.text("until_on is null")
    )


KINDS = "种类：contracted_land、leased_in、leased_out、excluded_land、grassland、livestock"
ASSET_KINDS = _enum("assetkind", ASSETS)  # fmt: skip


def _added() -> dict[str, tuple[sa.Column, ...]]:
    """Return the columns that tables of the registry get, made anew each time."""
    households = (
        sa.Column(
            "hukou_kind",
            _enum("hukoukind", HUKOU_KINDS),
            server_default="unknown",
            nullable=False,
            comment="户口性质",
        ),
        sa.Column(
            "status",
            _enum("householdstatus", ("active", "closed")),
            server_default="active",
            nullable=False,
            comment="户状态",
        ),
        sa.Column("closed_on", sa.Date(), nullable=True, comment="撤销日期"),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False, comment="版本"),
        sa.Column(
            "change_id", sa.BigInteger(), server_default="0", nullable=False, comment="最近变更：写入本行的变更单"
        ),
    )
    members = (
        sa.Column(
            "police_died_on", sa.Date(), nullable=True, comment="公安登记死亡日期：核查结果，死亡登记须经变更审核"
        ),
        sa.Column("left_on", sa.Date(), nullable=True, comment="离户日期：迁出、并入他人记录的日期"),
        sa.Column(
            "current",
            sa.Boolean(),
            server_default=sa.true(),
            nullable=False,
            comment="现存记录：否：已迁往其他苏木乡镇或已并入同一人的另一条记录，仅供查询",
        ),
        sa.Column("merged_into", sa.BigInteger(), nullable=True, comment="并入记录"),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False, comment="版本"),
        sa.Column(
            "change_id", sa.BigInteger(), server_default="0", nullable=False, comment="最近变更：写入本行的变更单"
        ),
    )
    assets = (
        sa.Column("certificate_number", sa.Text(), server_default="", nullable=False, comment="权证号"),
        sa.Column("ended_on", sa.Date(), nullable=True, comment="注销日期"),
        sa.Column(
            "change_id", sa.BigInteger(), server_default="0", nullable=False, comment="最近变更：写入本行的变更单"
        ),
    )
    return {"households": households, "members": members, "assets": assets}


def upgrade() -> None:
    """Make the tables and columns, then the guards."""
    _registry_changes()
    _registry_tasks()
    _attachments()
    _certificates()
    _residences()
    for table, columns in _added().items():
        for column in columns:
            op.add_column(table, column)
    op.alter_column("assets", "kind", type_=ASSET_KINDS, existing_type=sa.Text(), comment="种类")
    op.drop_constraint("uq_members_id_index", "members")
    op.create_index("uq_members_id_index", "members", ["id_index"], unique=True, postgresql_where=sa.text("current"))
    op.create_index("ix_members_person", "members", ["person"])
    run("0016_registry")


def downgrade() -> None:
    """Take it all away again; of people who have moved only the present record stays unique."""
    run("0016_registry_down")
    op.drop_index("ix_members_person", "members")
    op.drop_index("uq_members_id_index", "members")
    op.create_unique_constraint("uq_members_id_index", "members", ["id_index"])
    op.alter_column("assets", "kind", type_=sa.Text(), existing_type=ASSET_KINDS, comment=KINDS)
    for table, columns in _added().items():
        for column in columns:
            op.drop_column(table, column.name)
    for table in TABLES:
        op.drop_table(table)
    op.execute("select watch_changes(t) from unnest(array['households', 'members', 'assets']) t")
