"""Project changes, policy documents and what stays outside (第二、七条).

Revision ID: 0026
Revises: 0025
"""

from pathlib import Path

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

import models.base

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None

SQL = Path(__file__).parent.parent / "sql"
MOMENT = postgresql.TIMESTAMP(timezone=True)
LEVELS = ("central", "region", "league", "county")
STATUSES = (
    "draft", "submitted", "signed", "examined", "returned", "local_draft", "local_submitted", "local_signed", "joined",
    "department_verified", "verified", "filing", "local_returned", "effective", "withdrawn",
)  # fmt: skip
EXCEPTION_STATUSES = ("proposed", "returned", "confirmed", "ending", "ended", "withdrawn")
DOCUMENTS = (
    "id_card", "hukou", "birth", "death", "land", "disability", "bank_card", "police", "statement", "other",
)  # fmt: skip
MORE_DOCUMENTS = ("policy", "joint")


def run(name: str) -> None:
    """Run a reviewed file as it stands: a driver call, so that neither % nor : is touched."""
    op.get_bind().connection.driver_connection.execute((SQL / f"{name}.sql").read_text())


def _words(*values: str, name: str) -> sa.Enum:
    return sa.Enum(*values, name=name, native_enum=False, create_constraint=True, length=40)


def _identity() -> sa.Column:
    return sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False, comment="编号")


def _documents(*kinds: str) -> None:
    op.drop_constraint(op.f("ck_attachments_documentkind"), "attachments", type_="check")
    values = ", ".join(f"'{kind}'" for kind in kinds)
    op.create_check_constraint(op.f("ck_attachments_documentkind"), "attachments", f"kind in ({values})")


def upgrade() -> None:
    """Make the tables, then what row scope, trail and guards need."""
    op.add_column(
        "subsidy_projects",
        sa.Column("stopped_on", sa.Date(), nullable=True, comment="停用日期：自该日起不再造新的清册，已造清册继续办理"),
    )
    _documents(*DOCUMENTS, *MORE_DOCUMENTS)
    _project_changes()
    _policy_documents()
    _project_exceptions()
    run("0026_project_changes")
    op.execute("select watch_changes('subsidy_projects')")


def _project_changes() -> None:
    op.create_table(
        "project_changes",
        _identity(),
        sa.Column("division_code", models.base.DivisionCode(), nullable=False, comment="填报地区"),
        sa.Column("owner_code", models.base.DivisionCode(), nullable=False, comment="项目所属区划"),
        sa.Column("number", sa.Text(), nullable=False, comment="申请编号"),
        sa.Column("kind", _words("admit", "amend", "stop", name="projectchangekind"), nullable=False,
                  comment="申请事项"),
        sa.Column("status", _words(*STATUSES, name="projectchangestatus"), nullable=False, comment="状态"),
        sa.Column("version", sa.Integer(), nullable=False, comment="版本"),
        sa.Column("policy_level", _words(*LEVELS, name="projectchangelevel"), nullable=False, comment="政策级次"),
        sa.Column("sector", sa.Text(), nullable=False, comment="主管领域"),
        sa.Column("code", sa.Text(), nullable=False, comment="项目编码"),
        sa.Column("name", sa.Text(), nullable=False, comment="项目名称"),
        sa.Column("project_id", sa.BigInteger(), nullable=True, comment="补贴项目"),
        sa.Column("base_version", sa.Integer(), nullable=False, comment="依据版本：填写时项目的现行版本，新项目为 0"),
        sa.Column("sheet", postgresql.JSONB(), nullable=False, comment="填写内容：填写时保存的原样内容"),
        sa.Column("definition", postgresql.JSONB(), nullable=False, comment="项目定义：提交时固定"),
        sa.Column("digest", sa.Text(), nullable=False, comment="内容摘要：提交时项目定义的 SHA-256"),
        sa.Column("reason", sa.Text(), nullable=False, comment="申请理由"),
        sa.Column("effective_on", sa.Date(), nullable=True, comment="停用日期：停用申请的停用日期"),
        sa.Column("joint_document", sa.Text(), nullable=False,
                  comment="联合行文文号：旗县主管部门与同级财政联合行文的文号"),
        sa.Column("document_count", sa.Integer(), nullable=False, comment="政策文件（份）"),
        sa.Column("prepared_at", MOMENT, nullable=False, comment="填写时间"),
        sa.Column("arrived_at", MOMENT, nullable=True, comment="到达时间"),
        sa.Column("effective_at", MOMENT, nullable=True, comment="生效时间"),
        sa.Column("applied_in", sa.Text(), server_default="", nullable=False,
                  comment="生效事务：由触发器写入；只有该事务可写项目库"),
        sa.Column("resume_status", _words(*STATUSES, name="projectchangeresume"), nullable=True,
                  comment="退回前状态"),
        sa.Column("returned_for", sa.Text(), server_default="", nullable=False, comment="退回原因"),
        sa.ForeignKeyConstraint(["project_id"], ["subsidy_projects.id"], name=op.f("fk_project_changes_project_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_project_changes")),
        sa.UniqueConstraint("number", name=op.f("uq_project_changes_number")),
        sa.UniqueConstraint("division_code", "id", name=op.f("uq_project_changes_division_code_id")),
        sa.CheckConstraint("kind = 'admit' or project_id is not null", name=op.f("ck_project_changes_project")),
        sa.CheckConstraint("kind <> 'stop' or effective_on is not null", name=op.f("ck_project_changes_stop_day")),
        sa.CheckConstraint(
            "status in ('draft', 'local_draft', 'returned', 'local_returned', 'withdrawn')"
            " or digest <> '' and document_count > 0",
            name=op.f("ck_project_changes_submitted"),
        ),
    )  # fmt: skip
    op.create_index("ix_project_changes_status", "project_changes", ["division_code", "status"])
    op.create_index("ix_project_changes_sector", "project_changes", ["sector", "division_code"])
    op.create_index("ix_project_changes_project_id", "project_changes", ["project_id"])
    op.create_index(
        "ix_project_changes_applied_in", "project_changes", ["applied_in"],
        postgresql_where=sa.text("applied_in <> ''"),
    )  # fmt: skip


def _policy_documents() -> None:
    op.create_table(
        "policy_documents",
        _identity(),
        sa.Column("division_code", models.base.DivisionCode(), nullable=False, comment="所属区划"),
        sa.Column("project_id", sa.BigInteger(), nullable=False, comment="补贴项目"),
        sa.Column("project_version", sa.Integer(), nullable=False, comment="项目版本"),
        sa.Column("sector", sa.Text(), nullable=False, comment="主管领域"),
        sa.Column("number", sa.Text(), nullable=False, comment="文号"),
        sa.Column("title", sa.Text(), nullable=False, comment="文件名称"),
        sa.Column("issuer", sa.Text(), nullable=False, comment="发文机关"),
        sa.Column("issued_on", sa.Date(), nullable=True, comment="发文日期"),
        sa.Column("valid_to", sa.Date(), nullable=True, comment="有效期止"),
        sa.Column("file_id", sa.BigInteger(), nullable=True, comment="文件"),
        sa.Column("file_name", sa.Text(), nullable=False, comment="文件名"),
        sa.Column("attachment_id", sa.BigInteger(), nullable=False, comment="附件编号"),
        sa.ForeignKeyConstraint(["project_id"], ["subsidy_projects.id"], name=op.f("fk_policy_documents_project_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_policy_documents")),
    )
    op.create_index("ix_policy_documents_project_id", "policy_documents", ["project_id", "project_version"])


def _project_exceptions() -> None:
    op.create_table(
        "project_exceptions",
        _identity(),
        sa.Column("division_code", models.base.DivisionCode(), nullable=False, comment="登记地区"),
        sa.Column("number", sa.Text(), nullable=False, comment="登记编号"),
        sa.Column("name", sa.Text(), nullable=False, comment="补贴名称"),
        sa.Column("policy_level", _words(*LEVELS, name="projectexceptionlevel"), nullable=False, comment="政策级次"),
        sa.Column("sector", sa.Text(), nullable=False, comment="主管领域：该补贴的主管部门"),
        sa.Column("reason", sa.Text(), nullable=False, comment="不纳入原因"),
        sa.Column("document_number", sa.Text(), nullable=False, comment="文号"),
        sa.Column("document_title", sa.Text(), nullable=False, comment="文件名称"),
        sa.Column("document_issuer", sa.Text(), nullable=False, comment="发文机关"),
        sa.Column("issued_on", sa.Date(), nullable=False, comment="发文日期"),
        sa.Column("valid_to", sa.Date(), nullable=True, comment="有效期止：到期后重新研究是否纳入"),
        sa.Column("evidence_count", sa.Integer(), nullable=False, comment="文件扫描件（份）"),
        sa.Column("status", _words(*EXCEPTION_STATUSES, name="exceptionstatus"), nullable=False, comment="状态"),
        sa.Column("version", sa.Integer(), nullable=False, comment="版本"),
        sa.Column("arrived_at", MOMENT, nullable=True, comment="到达时间"),
        sa.Column("confirmed_at", MOMENT, nullable=True, comment="复核时间"),
        sa.Column("ended_for", sa.Text(), nullable=False, comment="恢复纳入原因"),
        sa.Column("returned_for", sa.Text(), nullable=False, comment="退回原因"),
        sa.Column("resume_status", _words(*EXCEPTION_STATUSES, name="exceptionresume"), nullable=True,
                  comment="退回前状态"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_project_exceptions")),
        sa.UniqueConstraint("number", name=op.f("uq_project_exceptions_number")),
        sa.UniqueConstraint("division_code", "id", name=op.f("uq_project_exceptions_division_code_id")),
    )  # fmt: skip
    op.create_index("ix_project_exceptions_status", "project_exceptions", ["division_code", "status"])


def downgrade() -> None:
    """Take all of it away again."""
    run("0026_project_changes_down")
    op.drop_table("project_exceptions")
    op.drop_table("policy_documents")
    op.drop_table("project_changes")
    _documents(*DOCUMENTS)
    op.drop_column("subsidy_projects", "stopped_on")
    op.execute("select watch_changes('subsidy_projects')")
