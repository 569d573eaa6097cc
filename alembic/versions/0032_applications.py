"""Applications, the qualified register, and departments' own systems (第十三至十六条、第二十九条).

Revision ID: 0032
Revises: 0031
"""

from pathlib import Path

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

import models.base

revision = "0032"
down_revision = "0031"
branch_labels = None
depends_on = None

SQL = Path(__file__).parent.parent / "sql"
STAMP = postgresql.TIMESTAMP(timezone=True)
TABLES = (
    "qualification_lines", "roster_generations", "qualifications", "application_results", "qualification_objections",
    "applications", "qualification_notices", "application_batches", "application_agreements",
)  # fmt: skip


def run(name: str) -> None:
    """Run a reviewed file as it stands: a driver call, so that neither % nor : is touched."""
    op.get_bind().connection.driver_connection.execute((SQL / f"{name}.sql").read_text())


def choice(name: str, *values: str) -> sa.Enum:
    """Return a checked column of words."""
    return sa.Enum(*values, name=name, native_enum=False, create_constraint=True, length=40)


def upgrade() -> None:
    """Make the tables, then what row scope, trail and guards need."""
    _application_agreements()
    _application_batches()
    _qualification_notices()
    _applications()
    _qualification_objections()
    _application_results()
    _qualifications()
    _roster_generations()
    _qualification_lines()
    run("0032_applications")


def _application_agreements() -> None:
    op.create_table(
        "application_agreements",
        sa.Column("body_id", sa.BigInteger(), nullable=False, comment="部门"),
        sa.Column("line", sa.Text(), nullable=False, comment="主管领域：只接收本领域项目的申请和审批结果"),
        sa.Column("examination_counts", sa.Boolean(), server_default=sa.text("false"), nullable=False,
            comment="审批视同初审：部门系统的批准视同主管部门初审；审批和公示不省略"),
        sa.Column("document", sa.Text(), server_default="", nullable=False, comment="约定文件"),
        sa.Column("agreed_at", STAMP, nullable=True, comment="约定时间"),
        sa.ForeignKeyConstraint(["body_id"], ["exchange_bodies.id"], name=op.f("fk_application_agreements_body_id")),
        sa.PrimaryKeyConstraint("body_id", name=op.f("pk_application_agreements")),
    )


def _application_batches() -> None:
    op.create_table(
        "application_batches",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False, comment="编号"),
        sa.Column("division_code", models.base.DivisionCode(), nullable=False, comment="区划"),
        sa.Column("sector", sa.Text(), nullable=False, comment="主管领域"),
        sa.Column("body", sa.Text(), nullable=False, comment="部门代码"),
        sa.Column("number", sa.BigInteger(), nullable=False, comment="批次号"),
        sa.Column("receipt", sa.Text(), nullable=False, comment="回执号"),
        sa.Column("digest", sa.Text(), nullable=False, comment="内容摘要：SHA-256，同号同内容返回同一回执"),
        sa.Column("row_count", sa.Integer(), nullable=False, comment="行数（行）"),
        sa.Column("created_count", sa.Integer(), nullable=False, comment="新受理（行）"),
        sa.Column("decided_count", sa.Integer(), nullable=False, comment="审批结果（行）"),
        sa.Column("unchanged_count", sa.Integer(), nullable=False, comment="无变化（行）"),
        sa.Column("received_at", STAMP, nullable=False, comment="接收时间"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_application_batches")),
        sa.UniqueConstraint("body", "number", name=op.f("uq_application_batches_body_number")),
        sa.UniqueConstraint("receipt", name=op.f("uq_application_batches_receipt")),
    )


def _qualification_notices() -> None:
    op.create_table(
        "qualification_notices",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False, comment="编号"),
        sa.Column("division_code", models.base.DivisionCode(), nullable=False, comment="苏木乡镇"),
        sa.Column("county_code", models.base.DivisionCode(), nullable=False, comment="旗县"),
        sa.Column("number", sa.Text(), nullable=False, comment="公示编号"),
        sa.Column("project_id", sa.BigInteger(), nullable=False, comment="补贴项目编号"),
        sa.Column("project_name", sa.Text(), nullable=False, comment="补贴项目"),
        sa.Column("sector", sa.Text(), nullable=False, comment="主管领域"),
        sa.Column("published_at", STAMP, nullable=False, comment="公示开始"),
        sa.Column("ends_at", STAMP, nullable=False, comment="公示届满"),
        sa.Column("line_count", sa.Integer(), nullable=False, comment="公示人数（人）"),
        sa.Column("content", postgresql.JSONB(), nullable=False, comment="公示内容：按规定公开的固定内容，姓名已脱敏"),
        sa.Column("digest", sa.Text(), nullable=False, comment="内容摘要"),
        sa.CheckConstraint("county_code = left(division_code, 6) || '000000'",
            name=op.f("ck_qualification_notices_county")),
        sa.ForeignKeyConstraint(["project_id"], ["subsidy_projects.id"],
            name=op.f("fk_qualification_notices_project_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_qualification_notices")),
        sa.UniqueConstraint("division_code", "id", name=op.f("uq_qualification_notices_division_code_id")),
        sa.UniqueConstraint("number", name=op.f("uq_qualification_notices_number")),
    )
    op.create_index("ix_qualification_notices_ends", "qualification_notices", ["ends_at"], unique=False)


def _applications() -> None:
    op.create_table(
        "applications",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False, comment="编号"),
        sa.Column("division_code", models.base.DivisionCode(), nullable=False, comment="苏木乡镇"),
        sa.Column("county_code", models.base.DivisionCode(), nullable=False, comment="旗县"),
        sa.Column("number", sa.Text(), nullable=False, comment="申请编号"),
        sa.Column("project_id", sa.BigInteger(), nullable=False, comment="补贴项目编号"),
        sa.Column("project_name", sa.Text(), nullable=False, comment="补贴项目"),
        sa.Column("project_version", sa.Integer(), nullable=False, comment="项目版本：受理时的项目版本，此后不变"),
        sa.Column("sector", sa.Text(), nullable=False, comment="主管领域：谁主管、谁审批：主管部门只见本领域（第十四条）"),
        sa.Column("source", choice("applicationsource", "township", "department", "system"), nullable=False,
            comment="受理渠道"),
        sa.Column("body", sa.Text(), server_default="", nullable=False, comment="来源系统：协同部门代码，其他渠道为空"),
        sa.Column("external_number", sa.Text(), server_default="", nullable=False, comment="来源系统申请号"),
        sa.Column("household_id", sa.BigInteger(), nullable=False, comment="户"),
        sa.Column("member_id", sa.BigInteger(), nullable=False, comment="成员"),
        sa.Column("person", sa.Text(), nullable=False, comment="自然人标识：跨苏木乡镇迁移后不变"),
        sa.Column("member_name", sa.Text(), nullable=False, comment="申请人"),
        sa.Column("village", sa.Text(), server_default="", nullable=False, comment="嘎查村"),
        sa.Column("quantity", sa.Numeric(precision=14, scale=3), nullable=False, comment="数量"),
        sa.Column("unit", sa.Text(), server_default="", nullable=False, comment="单位"),
        sa.Column("standard", sa.Numeric(precision=14, scale=4), nullable=False, comment="补贴标准（元）"),
        sa.Column("amount_fen", sa.BigInteger(), nullable=False, comment="预计补贴金额（分）：按项目公式和现行标准计算，造册时按当期标准重算"),
        sa.Column("component", sa.Text(), server_default="", nullable=False, comment="构成：地块、机具等，同一人可有几份资格"),
        sa.Column("extra", postgresql.JSONB(), server_default=sa.text("'{}'"), nullable=False,
            comment="项目字段：项目自定的字段和值"),
        sa.Column("valid_from", sa.Date(), nullable=False, comment="拟享受起"),
        sa.Column("valid_to", sa.Date(), nullable=True, comment="拟享受止：空为长期"),
        sa.Column("status",
            choice("applicationstatus", "submitted", "endorsed", "examined", "approved", "on_notice",
            "qualified", "rejected", "returned", "withdrawn"), nullable=False, comment="状态"),
        sa.Column("version", sa.Integer(), nullable=False, comment="版本"),
        sa.Column("resume_status",
            choice("applicationresume", "submitted", "endorsed", "examined", "approved", "on_notice",
            "qualified", "rejected", "returned", "withdrawn"), nullable=True, comment="退回前状态"),
        sa.Column("evidence_count", sa.Integer(), nullable=False, comment="申请材料（份）"),
        sa.Column("outside_decision", choice("outsidedecision", "none", "approved", "rejected"),
            server_default="none", nullable=False, comment="部门系统审批"),
        sa.Column("examined_outside", sa.Boolean(), server_default=sa.text("false"), nullable=False,
            comment="视同初审：按接口约定，部门系统的审批视同主管部门初审（第十四条第二项）"),
        sa.Column("head_required", sa.Boolean(), server_default=sa.text("true"), nullable=False,
            comment="须负责人审核：受理时按项目的申报流程固定（第二十四条）"),
        sa.Column("notice_required", sa.Boolean(), server_default=sa.text("true"), nullable=False,
            comment="须公示：受理时按项目的申报流程固定（第十五条、第二十四条）"),
        sa.Column("amended", sa.Boolean(), server_default=sa.text("false"), nullable=False,
            comment="退回后已补正：补正过的须由负责人再次审核"),
        sa.Column("reason", sa.Text(), server_default="", nullable=False, comment="退回或不予批准原因"),
        sa.Column("submitted_at", STAMP, nullable=False, comment="受理时间"),
        sa.Column("arrived_at", STAMP, nullable=True, comment="到达时间"),
        sa.Column("notice_id", sa.BigInteger(), nullable=True, comment="公示"),
        sa.Column("qualification_id", sa.BigInteger(), nullable=True, comment="资格"),
        sa.CheckConstraint("county_code = left(division_code, 6) || '000000'", name=op.f("ck_applications_county")),
        sa.CheckConstraint("amount_fen > 0", name=op.f("ck_applications_amount")),
        sa.CheckConstraint("valid_to is null or valid_to >= valid_from", name=op.f("ck_applications_validity")),
        sa.ForeignKeyConstraint(["division_code", "household_id"],
            ["households.division_code", "households.id"], name=op.f("fk_applications_division_code_household_id")),
        sa.ForeignKeyConstraint(["division_code", "member_id"], ["members.division_code", "members.id"],
            name=op.f("fk_applications_division_code_member_id")),
        sa.ForeignKeyConstraint(["division_code", "notice_id"],
            ["qualification_notices.division_code", "qualification_notices.id"],
            name=op.f("fk_applications_division_code_notice_id")),
        sa.ForeignKeyConstraint(["project_id"], ["subsidy_projects.id"], name=op.f("fk_applications_project_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_applications")),
        sa.UniqueConstraint("division_code", "id", name=op.f("uq_applications_division_code_id")),
        sa.UniqueConstraint("number", name=op.f("uq_applications_number")),
    )
    op.create_index("ix_applications_member", "applications", ["division_code", "member_id"], unique=False)
    op.create_index(
        "ix_applications_notice",
        "applications",
        ["division_code", "notice_id"],
        unique=False,
        postgresql_where=sa.text("notice_id is not null"),
    )
    op.create_index(
        "ix_applications_on_notice",
        "applications",
        ["division_code", "notice_id"],
        unique=False,
        postgresql_where=sa.text("status = 'on_notice'"),
    )
    op.create_index("ix_applications_status", "applications", ["division_code", "status", "id"], unique=False)
    op.create_index(
        "uq_applications_external",
        "applications",
        ["body", "external_number"],
        unique=True,
        postgresql_where=sa.text("body <> ''"),
    )
    op.create_index(
        "uq_applications_live",
        "applications",
        ["project_id", "person", "component"],
        unique=True,
        postgresql_where=sa.text(
            "status in ('submitted', 'endorsed', 'examined', 'approved', 'on_notice', 'returned')"
        ),
    )


def _qualification_objections() -> None:
    op.create_table(
        "qualification_objections",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False, comment="编号"),
        sa.Column("division_code", models.base.DivisionCode(), nullable=False, comment="苏木乡镇"),
        sa.Column("county_code", models.base.DivisionCode(), nullable=False, comment="旗县"),
        sa.Column("notice_id", sa.BigInteger(), nullable=False, comment="公示"),
        sa.Column("sector", sa.Text(), nullable=False, comment="主管领域"),
        sa.Column("application_id", sa.BigInteger(), nullable=True, comment="申请：空为对整个公示"),
        sa.Column("application_number", sa.Text(), server_default="", nullable=False, comment="涉及申请"),
        sa.Column("text", sa.Text(), nullable=False, comment="异议内容"),
        sa.Column("received_at", STAMP, nullable=False, comment="收到时间"),
        sa.Column("status", choice("objectionstatus", "open", "settled"), nullable=False, comment="状态"),
        sa.Column("upheld", sa.Boolean(), server_default=sa.text("false"), nullable=False,
            comment="异议成立：成立的，该申请不得列入资格名册"),
        sa.Column("answer", sa.Text(), server_default="", nullable=False, comment="处理意见"),
        sa.Column("settled_at", STAMP, nullable=True, comment="处理时间"),
        sa.CheckConstraint("county_code = left(division_code, 6) || '000000'",
            name=op.f("ck_qualification_objections_county")),
        sa.ForeignKeyConstraint(["division_code", "application_id"],
            ["applications.division_code", "applications.id"],
            name=op.f("fk_qualification_objections_division_code_application_id")),
        sa.ForeignKeyConstraint(["division_code", "notice_id"],
            ["qualification_notices.division_code", "qualification_notices.id"],
            name=op.f("fk_qualification_objections_division_code_notice_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_qualification_objections")),
    )
    op.create_index(
        "ix_qualification_objections_notice", "qualification_objections", ["division_code", "notice_id"], unique=False
    )


def _application_results() -> None:
    op.create_table(
        "application_results",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False, comment="编号"),
        sa.Column("transaction", sa.BigInteger(),
            server_default=sa.text("(pg_current_xact_id()::text)::bigint"), nullable=False,
            comment="事务：按提交先后读取，不漏并行事务写入的行"),
        sa.Column("division_code", models.base.DivisionCode(), nullable=False, comment="苏木乡镇"),
        sa.Column("county_code", models.base.DivisionCode(), nullable=False, comment="旗县"),
        sa.Column("sector", sa.Text(), nullable=False, comment="主管领域"),
        sa.Column("body", sa.Text(), nullable=False, comment="部门代码"),
        sa.Column("application_id", sa.BigInteger(), nullable=False, comment="申请"),
        sa.Column("kind", sa.Text(), nullable=False, comment="类别：state 状态，payment 发放结果"),
        sa.Column("state", sa.Text(), nullable=False, comment="状态"),
        sa.Column("reason", sa.Text(), server_default="", nullable=False, comment="原因"),
        sa.Column("period", sa.Text(), server_default="", nullable=False, comment="补贴所属期"),
        sa.Column("amount_fen", sa.BigInteger(), nullable=True, comment="金额（分）"),
        sa.Column("paid_on", sa.Date(), nullable=True, comment="到账日期"),
        sa.Column("failure_class", sa.Text(), server_default="", nullable=False, comment="失败类别"),
        sa.Column("disbursement_id", sa.BigInteger(), nullable=True, comment="发放明细"),
        sa.Column("told_at", STAMP, nullable=False, comment="形成时间"),
        sa.CheckConstraint("county_code = left(division_code, 6) || '000000'",
            name=op.f("ck_application_results_county")),
        sa.ForeignKeyConstraint(["division_code", "application_id"],
            ["applications.division_code", "applications.id"],
            name=op.f("fk_application_results_division_code_application_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_application_results")),
    )
    op.create_index(
        "ix_application_results_application", "application_results", ["division_code", "application_id"], unique=False
    )
    op.create_index("ix_application_results_body", "application_results", ["body", "transaction", "id"], unique=False)
    op.create_index(
        "uq_application_results_payment",
        "application_results",
        ["county_code", "disbursement_id", "state"],
        unique=True,
        postgresql_where=sa.text("disbursement_id is not null"),
    )


def _qualifications() -> None:
    op.create_table(
        "qualifications",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False, comment="编号"),
        sa.Column("division_code", models.base.DivisionCode(), nullable=False, comment="苏木乡镇"),
        sa.Column("county_code", models.base.DivisionCode(), nullable=False, comment="旗县"),
        sa.Column("number", sa.Text(), nullable=False, comment="资格编号"),
        sa.Column("project_id", sa.BigInteger(), nullable=False, comment="补贴项目编号"),
        sa.Column("project_name", sa.Text(), nullable=False, comment="补贴项目"),
        sa.Column("sector", sa.Text(), nullable=False, comment="主管领域"),
        sa.Column("household_id", sa.BigInteger(), nullable=False, comment="户"),
        sa.Column("member_id", sa.BigInteger(), nullable=False, comment="成员"),
        sa.Column("person", sa.Text(), nullable=False, comment="自然人标识"),
        sa.Column("member_name", sa.Text(), nullable=False, comment="享受人"),
        sa.Column("village", sa.Text(), server_default="", nullable=False, comment="嘎查村"),
        sa.Column("quantity", sa.Numeric(precision=14, scale=3), nullable=False, comment="数量"),
        sa.Column("unit", sa.Text(), server_default="", nullable=False, comment="单位"),
        sa.Column("standard", sa.Numeric(precision=14, scale=4), nullable=False, comment="批准时标准（元）"),
        sa.Column("amount_fen", sa.BigInteger(), nullable=False, comment="批准时金额（分）"),
        sa.Column("component", sa.Text(), server_default="", nullable=False, comment="构成"),
        sa.Column("extra", postgresql.JSONB(), server_default=sa.text("'{}'"), nullable=False, comment="项目字段"),
        sa.Column("valid_from", sa.Date(), nullable=False, comment="有效期起"),
        sa.Column("valid_to", sa.Date(), nullable=True, comment="有效期止：空为长期"),
        sa.Column("application_id", sa.BigInteger(), nullable=False, comment="来源申请"),
        sa.Column("status", choice("qualificationstatus", "active", "suspended", "ending", "ended"),
            nullable=False, comment="状态"),
        sa.Column("version", sa.Integer(), nullable=False, comment="版本"),
        sa.Column("resume_status", choice("qualificationresume", "active", "suspended", "ending", "ended"),
            nullable=True, comment="提出终止前状态"),
        sa.Column("suspended_for", choice("suspensionkind", "dead", "missing", "moved", "unreferenced"),
            nullable=True, comment="暂停原因"),
        sa.Column("gone", sa.Boolean(), server_default=sa.text("false"), nullable=False,
            comment="登记有变：由触发器随人员登记写入，随即由系统核对并暂停资格"),
        sa.Column("end_reason", sa.Text(), server_default="", nullable=False, comment="终止原因"),
        sa.Column("ends_on", sa.Date(), nullable=True, comment="终止日期：自该日起不再享受"),
        sa.Column("qualified_at", STAMP, nullable=False, comment="取得资格时间"),
        sa.Column("arrived_at", STAMP, nullable=True, comment="到达时间"),
        sa.CheckConstraint("county_code = left(division_code, 6) || '000000'", name=op.f("ck_qualifications_county")),
        sa.CheckConstraint("valid_to is null or valid_to >= valid_from", name=op.f("ck_qualifications_validity")),
        sa.ForeignKeyConstraint(["division_code", "application_id"],
            ["applications.division_code", "applications.id"],
            name=op.f("fk_qualifications_division_code_application_id")),
        sa.ForeignKeyConstraint(["division_code", "household_id"],
            ["households.division_code", "households.id"],
            name=op.f("fk_qualifications_division_code_household_id")),
        sa.ForeignKeyConstraint(["division_code", "member_id"], ["members.division_code", "members.id"],
            name=op.f("fk_qualifications_division_code_member_id")),
        sa.ForeignKeyConstraint(["project_id"], ["subsidy_projects.id"], name=op.f("fk_qualifications_project_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_qualifications")),
        sa.UniqueConstraint("division_code", "id", name=op.f("uq_qualifications_division_code_id")),
        sa.UniqueConstraint("number", name=op.f("uq_qualifications_number")),
    )
    op.create_index(
        "ix_qualifications_application", "qualifications", ["division_code", "application_id"], unique=False
    )
    op.create_index(
        "ix_qualifications_gone",
        "qualifications",
        ["id"],
        unique=False,
        postgresql_where=sa.text("gone and status = 'active'"),
    )
    op.create_index("ix_qualifications_member", "qualifications", ["division_code", "member_id"], unique=False)
    op.create_index(
        "ix_qualifications_project", "qualifications", ["division_code", "project_id", "status"], unique=False
    )
    op.create_index("ix_qualifications_status", "qualifications", ["division_code", "status", "id"], unique=False)
    op.create_index(
        "uq_qualifications_live",
        "qualifications",
        ["project_id", "person", "component"],
        unique=True,
        postgresql_where=sa.text("status <> 'ended'"),
    )


def _roster_generations() -> None:
    op.create_table(
        "roster_generations",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False, comment="编号"),
        sa.Column("division_code", models.base.DivisionCode(), nullable=False, comment="苏木乡镇"),
        sa.Column("county_code", models.base.DivisionCode(), nullable=False, comment="旗县"),
        sa.Column("project_id", sa.BigInteger(), nullable=False, comment="补贴项目编号"),
        sa.Column("project_name", sa.Text(), nullable=False, comment="补贴项目"),
        sa.Column("sector", sa.Text(), nullable=False, comment="主管领域"),
        sa.Column("period", sa.Text(), nullable=False, comment="补贴所属期"),
        sa.Column("period_start", sa.Date(), nullable=False, comment="所属期起"),
        sa.Column("period_end", sa.Date(), nullable=False, comment="所属期止"),
        sa.Column("status", choice("generationstatus", "received", "refused", "applied", "cancelled"),
            nullable=False, comment="状态"),
        sa.Column("line_count", sa.Integer(), nullable=False, comment="列入明细（笔）"),
        sa.Column("amount_fen", sa.BigInteger(), nullable=False, comment="应发金额（分）"),
        sa.Column("joined_count", sa.Integer(), nullable=False, comment="比上期新增（笔）"),
        sa.Column("left_count", sa.Integer(), nullable=False, comment="比上期减少（笔）"),
        sa.Column("skipped_count", sa.Integer(), nullable=False, comment="未列入（笔）"),
        sa.Column("findings", postgresql.JSONB(), server_default=sa.text("'{}'"), nullable=False,
            comment="新增、减少和未列入：资格编号或序号、脱敏姓名和原因，各最多 200 条"),
        sa.Column("roster_id", sa.BigInteger(), nullable=True, comment="清册"),
        sa.Column("received_at", STAMP, nullable=False, comment="发起时间"),
        sa.Column("received_by", sa.BigInteger(), nullable=False, comment="发起人"),
        sa.CheckConstraint("county_code = left(division_code, 6) || '000000'",
            name=op.f("ck_roster_generations_county")),
        sa.ForeignKeyConstraint(["division_code", "roster_id"], ["rosters.division_code", "rosters.id"],
            name=op.f("fk_roster_generations_division_code_roster_id")),
        sa.ForeignKeyConstraint(["project_id"], ["subsidy_projects.id"], name=op.f("fk_roster_generations_project_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_roster_generations")),
    )
    op.create_index("ix_roster_generations_roster", "roster_generations", ["division_code", "roster_id"], unique=False)


def _qualification_lines() -> None:
    op.create_table(
        "qualification_lines",
        sa.Column("county_code", models.base.DivisionCode(), nullable=False, comment="旗县"),
        sa.Column("line_id", sa.BigInteger(), nullable=False, comment="清册明细"),
        sa.Column("division_code", models.base.DivisionCode(), nullable=False, comment="苏木乡镇"),
        sa.Column("roster_id", sa.BigInteger(), nullable=False, comment="清册"),
        sa.Column("sector", sa.Text(), nullable=False, comment="主管领域"),
        sa.Column("qualification_id", sa.BigInteger(), nullable=False, comment="资格"),
        sa.CheckConstraint("county_code = left(division_code, 6) || '000000'",
            name=op.f("ck_qualification_lines_county")),
        sa.ForeignKeyConstraint(["county_code", "line_id"], ["roster_lines.county_code", "roster_lines.id"],
            name=op.f("fk_qualification_lines_county_code_line_id")),
        sa.ForeignKeyConstraint(["division_code", "qualification_id"],
            ["qualifications.division_code", "qualifications.id"],
            name=op.f("fk_qualification_lines_division_code_qualification_id")),
        sa.PrimaryKeyConstraint("county_code", "line_id", name=op.f("pk_qualification_lines")),
    )
    op.create_index(
        "ix_qualification_lines_qualification",
        "qualification_lines",
        ["division_code", "qualification_id"],
        unique=False,
    )


def downgrade() -> None:
    """Take all of it away again."""
    run("0032_applications_down")
    for name in TABLES:
        op.drop_table(name)
        op.execute(f"drop function if exists trail_of_{name}()")
