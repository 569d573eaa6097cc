"""Downloads of indicators, allocation plans, money at rest (第十条).

Revision ID: 0031
Revises: 0030
"""

from pathlib import Path

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

import models.base

revision = "0031"
down_revision = "0030"
branch_labels = None
depends_on = None

SQL = Path(__file__).parent.parent / "sql"
MOMENT = postgresql.TIMESTAMP(timezone=True)
PLAN = ("draft", "submitted", "confirmed", "superseded", "withdrawn")


def run(name: str) -> None:
    """Run a reviewed file as it stands: a driver call, so that neither % nor : is touched."""
    op.get_bind().connection.driver_connection.execute((SQL / f"{name}.sql").read_text())


def _enum(name: str, *values: str) -> sa.Enum:
    return sa.Enum(*values, name=name, native_enum=False, create_constraint=True, length=40)


def _id() -> sa.Column:
    return sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False, comment="编号")


def _text(name: str, comment: str) -> sa.Column:
    return sa.Column(name, sa.Text(), nullable=False, comment=comment)


def _count(name: str, comment: str) -> sa.Column:
    return sa.Column(name, sa.Integer(), nullable=False, comment=comment)


def _division(comment: str) -> sa.Column:
    return sa.Column("division_code", models.base.DivisionCode(), nullable=False, comment=comment)


def upgrade() -> None:
    """Make the columns, tables and indexes, then what row scope, trail and guards need."""
    _columns()
    _indexes()
    _upstream_indicators()
    _project_drawdowns()
    _indicator_downloads()
    _indicator_faults()
    _allocation_plans()
    run("0031_budget")
    op.execute("select watch_changes('budget_indicators')")


def _columns() -> None:
    for column in (
        sa.Column("hot_topic_code", sa.Text(), server_default="", nullable=False,
                  comment="热点分类代码：一体化系统所给，与名称一并保存"),
        sa.Column("sup_document_number", sa.Text(), server_default="", nullable=False,
                  comment="上级文号：一体化系统 SUP_BGT_DOC_NO"),
        sa.Column("distributed_fen", sa.BigInteger(), server_default="0", nullable=False, comment="已分配下级（分）"),
        sa.Column("deleted", sa.Boolean(), server_default=sa.false(), nullable=False, comment="一体化系统已删除"),
        sa.Column("updated_at", MOMENT, nullable=True, comment="一体化系统更新时间：UPDATE_TIME，新旧以此为准"),
        sa.Column("arrived_at", MOMENT, nullable=True, comment="到达时间：首次下载的时间"),
    ):  # fmt: skip
        op.add_column("budget_indicators", column)


def _indexes() -> None:
    op.create_index("ix_budget_indicators_pro", "budget_indicators",
                    ["division_code", "pro_code", "document_date", "id"])  # fmt: skip
    op.create_index("ix_budget_indicators_year", "budget_indicators", ["division_code", "fiscal_year", "id"])
    op.create_index("ix_budget_indicators_untouched", "budget_indicators", ["division_code", "pro_code"],
                    postgresql_where=sa.text("amount_fen > 0 and available_fen = amount_fen"))  # fmt: skip
    op.create_index("ix_budget_indicators_upstream", "budget_indicators", ["sup_document_number", "division_code"],
                    postgresql_where=sa.text("sup_document_number <> ''"))  # fmt: skip
    op.create_index("ix_budget_indicators_pro_name", "budget_indicators", ["pro_name"])
    op.create_index("ix_project_links_pro_code", "project_links", ["division_code", "pro_code"])
    op.create_index("ix_catalogue_tasks_rest", "catalogue_tasks", ["division_code", "subject_id"],
                    postgresql_where=sa.text("kind = 'money_at_rest'"))  # fmt: skip
    op.create_index("ix_rosters_project", "rosters", ["county_code", "project_id", "generated_at"])
    op.create_index("ix_payment_orders_indicator", "payment_orders", ["division_code", "indicator_id"])


def _upstream_indicators() -> None:
    op.create_table(
        "upstream_indicators",
        _id(),
        _division("盟市或自治区"),
        _text("bgt_id", "指标主键：一体化系统 BGT_ID"),
        _count("fiscal_year", "预算年度"),
        _text("document_number", "指标文号"),
        _text("document_title", "指标文件"),
        sa.Column("document_date", sa.Date(), nullable=True, comment="发文日期"),
        _text("sup_document_number", "上级文号：一体化系统 SUP_BGT_DOC_NO"),
        _text("pro_code", "预算项目代码"),
        _text("pro_name", "预算项目名称"),
        sa.Column("amount_fen", sa.BigInteger(), nullable=False, comment="指标金额（分）"),
        sa.Column("distributed_fen", sa.BigInteger(), nullable=False, comment="已分配下级（分）"),
        sa.Column("deleted", sa.Boolean(), nullable=False, comment="一体化系统已删除"),
        sa.Column("updated_at", MOMENT, nullable=True, comment="一体化系统更新时间：UPDATE_TIME，新旧以此为准"),
        sa.Column("arrived_at", MOMENT, nullable=True, comment="到达时间：首次下载的时间"),
        sa.CheckConstraint("distributed_fen between 0 and amount_fen", name=op.f("ck_upstream_indicators_distributed")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_upstream_indicators")),
        sa.UniqueConstraint("bgt_id", name=op.f("uq_upstream_indicators_bgt_id")),
    )
    op.create_index("ix_upstream_indicators_document", "upstream_indicators", ["division_code", "document_number"])
    op.create_index("ix_upstream_indicators_rest", "upstream_indicators", ["division_code", "document_date", "id"],
                    postgresql_where=sa.text("distributed_fen < amount_fen"))  # fmt: skip


def _project_drawdowns() -> None:
    op.create_table(
        "project_drawdowns",
        _id(),
        _division("旗县"),
        sa.Column("project_id", sa.BigInteger(), nullable=False, comment="补贴项目"),
        sa.Column("drawdown", _enum("drawdown", "document", "ascending", "descending"), nullable=False,
                  comment="同序支用方式"),
        sa.ForeignKeyConstraint(["project_id"], ["subsidy_projects.id"], name=op.f("fk_project_drawdowns_project_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_project_drawdowns")),
        sa.UniqueConstraint("division_code", "project_id", name=op.f("uq_project_drawdowns_division_code_project_id")),
    )  # fmt: skip


def _indicator_downloads() -> None:
    statuses = ("queued", "running", "interrupted", "done", "refused", "abandoned")
    op.create_table(
        "indicator_downloads",
        _id(),
        _division("财政部门所在地"),
        sa.Column("status", _enum("downloadstatus", *statuses), nullable=False, comment="状态"),
        sa.Column("scheduled", sa.Boolean(), nullable=False, comment="定时下载"),
        _text("cursor", "游标：下一页的位置；中断后由此继续"),
        _count("pages", "页数"),
        _count("items", "条数"),
        _count("new_count", "新增"),
        _count("changed_count", "变更"),
        _count("fault_count", "未保存"),
        sa.Column("started_at", MOMENT, nullable=False, comment="开始时间"),
        sa.Column("seen_at", MOMENT, nullable=False, comment="最近一页时间"),
        sa.Column("ended_at", MOMENT, nullable=True, comment="结束时间"),
        _text("started_by", "发起人：岗位和姓名；定时下载为系统任务"),
        _text("message", "说明"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_indicator_downloads")),
    )
    op.create_index("uq_indicator_downloads_open", "indicator_downloads", ["division_code"], unique=True,
                    postgresql_where=sa.text("status in ('queued', 'running', 'interrupted')"))  # fmt: skip
    op.create_index("ix_indicator_downloads_started", "indicator_downloads", ["division_code", "started_at"])


def _indicator_faults() -> None:
    op.create_table(
        "indicator_faults",
        _id(),
        _division("财政部门所在地"),
        _text("bgt_id", "指标主键：一体化系统 BGT_ID；没有主键的为“第几条”"),
        _text("document_number", "指标文号"),
        _text("field", "字段：一体化系统的字段名"),
        _text("problem", "问题和处理办法"),
        sa.Column("item", postgresql.JSONB(), nullable=False, comment="原始数据"),
        sa.Column("download_id", sa.BigInteger(), nullable=True, comment="最近一次下载"),
        sa.Column("found_at", MOMENT, nullable=False, comment="发现时间"),
        sa.Column("gone_at", MOMENT, nullable=True, comment="消除时间：同一指标后来保存成功的时间"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_indicator_faults")),
        sa.UniqueConstraint("division_code", "bgt_id", name=op.f("uq_indicator_faults_division_code_bgt_id")),
    )
    op.create_index("ix_indicator_faults_found", "indicator_faults", ["division_code", "found_at"])


def _allocation_plans() -> None:
    op.create_table(
        "allocation_plans",
        _id(),
        _division("编制地"),
        _text("sector", "主管领域"),
        _text("number", "方案编号"),
        _text("title", "方案名称"),
        _text("document_number", "上级指标文号：与一体化系统 SUP_BGT_DOC_NO 一致，据此与下达对照"),
        sa.Column("project_id", sa.BigInteger(), nullable=False, comment="补贴项目"),
        _text("project_name", "项目名称"),
        _count("fiscal_year", "预算年度"),
        _count("edition", "版次：1 为原方案，2 起为补充方案"),
        sa.Column("total_fen", sa.BigInteger(), nullable=False, comment="分配总额（分）"),
        _count("line_count", "分配地区数"),
        sa.Column("status", _enum("allocationstatus", *PLAN), nullable=False, comment="状态"),
        _count("version", "版本"),
        sa.Column("arrived_at", MOMENT, nullable=True, comment="到达时间"),
        _text("returned_for", "退回原因"),
        sa.Column("confirmed_on", sa.Date(), nullable=True, comment="审核日期"),
        sa.Column("issue_due_on", sa.Date(), nullable=True, comment="应下达日期：审核后的平台提醒期限"),
        sa.ForeignKeyConstraint(["project_id"], ["subsidy_projects.id"], name=op.f("fk_allocation_plans_project_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_allocation_plans")),
        sa.UniqueConstraint("division_code", "id", name=op.f("uq_allocation_plans_division_code_id")),
        sa.UniqueConstraint("number", name=op.f("uq_allocation_plans_number")),
    )
    for name, where in (("open", "status in ('draft', 'submitted')"), ("confirmed", "status = 'confirmed'")):
        op.create_index(f"uq_allocation_plans_{name}", "allocation_plans",
                        ["division_code", "document_number", "project_id"], unique=True,
                        postgresql_where=sa.text(where))  # fmt: skip
    op.create_index("ix_allocation_plans_status", "allocation_plans", ["division_code", "status"])
    op.create_table(
        "allocation_lines",
        _id(),
        _division("编制地"),
        sa.Column("plan_id", sa.BigInteger(), nullable=False, comment="分配方案"),
        sa.Column("target_code", models.base.DivisionCode(), nullable=False, comment="分配地区"),
        _text("target_name", "地区名称"),
        sa.Column("amount_fen", sa.BigInteger(), nullable=False, comment="分配金额（分）"),
        sa.CheckConstraint("amount_fen > 0", name=op.f("ck_allocation_lines_amount")),
        sa.ForeignKeyConstraint(["division_code", "plan_id"], ["allocation_plans.division_code", "allocation_plans.id"],
                                name=op.f("fk_allocation_lines_division_code_plan_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_allocation_lines")),
        sa.UniqueConstraint("plan_id", "target_code", name=op.f("uq_allocation_lines_plan_id_target_code")),
    )  # fmt: skip
    op.create_index("ix_allocation_lines_plan_id", "allocation_lines", ["division_code", "plan_id"])


def downgrade() -> None:
    """Take all of it away again."""
    run("0031_budget_down")
    for table in ("allocation_lines", "allocation_plans", "indicator_faults", "indicator_downloads",
                  "project_drawdowns", "upstream_indicators"):  # fmt: skip
        op.drop_table(table)
    op.drop_index("ix_payment_orders_indicator", "payment_orders")
    op.drop_index("ix_rosters_project", "rosters")
    op.drop_index("ix_catalogue_tasks_rest", "catalogue_tasks")
    op.drop_index("ix_project_links_pro_code", "project_links")
    for name in ("pro_name", "upstream", "untouched", "year", "pro"):
        op.drop_index(f"ix_budget_indicators_{name}", "budget_indicators")
    for column in ("arrived_at", "updated_at", "deleted", "distributed_fen", "sup_document_number", "hot_topic_code"):
        op.drop_column("budget_indicators", column)
    op.execute("select watch_changes('budget_indicators')")
