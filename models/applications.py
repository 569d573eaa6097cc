"""Applications for a subsidy, the public notice of how they were decided, and its objections. （第十三至十五条）"""

from datetime import date, datetime
from decimal import Decimal
from typing import Any, ClassVar

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

from models.base import Labelled, Table, column, county_check, division, enum_type, fen, identity, moment
from models.notices import ObjectionStatus


class ApplicationStatus(Labelled):
    """Where an application stands between the township and the register."""

    SUBMITTED = "submitted", "待乡镇负责人审核"
    ENDORSED = "endorsed", "待主管部门初审"
    EXAMINED = "examined", "待主管部门审批"
    APPROVED = "approved", "待公示"
    ON_NOTICE = "on_notice", "公示中"
    QUALIFIED = "qualified", "已取得资格"
    REJECTED = "rejected", "不予批准"
    RETURNED = "returned", "已退回"
    WITHDRAWN = "withdrawn", "已撤回"


LIVE = (
    ApplicationStatus.SUBMITTED, ApplicationStatus.ENDORSED, ApplicationStatus.EXAMINED, ApplicationStatus.APPROVED,
    ApplicationStatus.ON_NOTICE, ApplicationStatus.RETURNED,
)  # fmt: skip
"""An application under way: of one person, project and component there is one."""
LIVE_SQL = "status in ({})".format(", ".join(f"'{status.value}'" for status in LIVE))


class ApplicationSource(Labelled):
    """Who received the application. （第十四条）"""

    TOWNSHIP = "township", "苏木乡镇受理"
    DEPARTMENT = "department", "主管部门受理"
    SYSTEM = "system", "部门业务系统（协同）"


class OutsideDecision(Labelled):
    """What the department decided in its own system. （第十四条第二项）"""

    NONE = "none", "未告知"
    APPROVED = "approved", "部门系统已批准"
    REJECTED = "rejected", "部门系统未批准"


class Application(Table, table=True):
    """One person's application for one project, with the project's own fields and the amount to be expected."""

    __tablename__ = "applications"
    __title__: ClassVar[str] = "资格申请"

    id: int | None = identity()
    division_code: str = division("苏木乡镇")
    county_code: str = division("旗县")
    number: str = column("申请编号", unique=True)
    project_id: int = column("补贴项目编号", sa_type=sa.BigInteger, foreign_key="subsidy_projects.id")
    project_name: str = column("补贴项目")
    project_version: int = column("项目版本", help="受理时的项目版本，此后不变")
    sector: str = column("主管领域", help="谁主管、谁审批：主管部门只见本领域（第十四条）")
    source: ApplicationSource = column("受理渠道", sa_type=enum_type(ApplicationSource))
    body: str = column("来源系统", "", server_default="", help="协同部门代码，其他渠道为空")
    external_number: str = column("来源系统申请号", "", server_default="")
    household_id: int = column("户", sa_type=sa.BigInteger)
    member_id: int = column("成员", sa_type=sa.BigInteger)
    person: str = column("自然人标识", help="跨苏木乡镇迁移后不变")
    member_name: str = column("申请人", mask="name")
    village: str = column("嘎查村", "", server_default="")
    quantity: Decimal = column("数量", sa_type=sa.Numeric(14, 3))
    unit: str = column("单位", "", server_default="")
    standard: Decimal = column("补贴标准", unit="元", sa_type=sa.Numeric(14, 4))
    amount_fen: int = fen("预计补贴金额", help="按项目公式和现行标准计算，造册时按当期标准重算")
    component: str = column("构成", "", server_default="", help="地块、机具等，同一人可有几份资格")
    extra: dict[str, Any] = column(
        "项目字段", default_factory=dict, sa_type=JSONB, server_default=sa.text("'{}'"), help="项目自定的字段和值"
    )
    valid_from: date = column("拟享受起")
    valid_to: date | None = column("拟享受止", None, nullable=True, help="空为长期")
    status: ApplicationStatus = column("状态", ApplicationStatus.SUBMITTED, sa_type=enum_type(ApplicationStatus))
    version: int = column("版本", 1)
    resume_status: ApplicationStatus | None = column(
        "退回前状态", None, sa_type=enum_type(ApplicationStatus, "applicationresume"), nullable=True
    )
    evidence_count: int = column("申请材料", 0, unit="份")
    outside_decision: OutsideDecision = column(
        "部门系统审批", OutsideDecision.NONE, sa_type=enum_type(OutsideDecision), server_default="none"
    )
    examined_outside: bool = column(
        "视同初审",
        False,
        server_default=sa.false(),
        help="按接口约定，部门系统的审批视同主管部门初审（第十四条第二项）",
    )
    head_required: bool = column(
        "须负责人审核", True, server_default=sa.true(), help="受理时按项目的申报流程固定（第二十四条）"
    )
    notice_required: bool = column(
        "须公示", True, server_default=sa.true(), help="受理时按项目的申报流程固定（第十五条、第二十四条）"
    )
    amended: bool = column("退回后已补正", False, server_default=sa.false(), help="补正过的须由负责人再次审核")
    reason: str = column("退回或不予批准原因", "", server_default="")
    submitted_at: datetime = moment("受理时间", ..., nullable=False)
    arrived_at: datetime | None = moment("到达时间")
    notice_id: int | None = column("公示", None, sa_type=sa.BigInteger, nullable=True)
    qualification_id: int | None = column("资格", None, sa_type=sa.BigInteger, nullable=True)

    __table_args__ = (
        sa.UniqueConstraint("division_code", "id"),
        sa.ForeignKeyConstraint(["division_code", "household_id"], ["households.division_code", "households.id"]),
        sa.ForeignKeyConstraint(["division_code", "member_id"], ["members.division_code", "members.id"]),
        sa.ForeignKeyConstraint(
            ["division_code", "notice_id"], ["qualification_notices.division_code", "qualification_notices.id"]
        ),
        sa.Index("ix_applications_status", "division_code", "status", "id"),
        sa.Index("ix_applications_member", "division_code", "member_id"),
        sa.Index(
            "ix_applications_notice", "division_code", "notice_id", postgresql_where=sa.text("notice_id is not null")
        ),
        sa.Index(
            "ix_applications_on_notice", "division_code", "notice_id",
            postgresql_where=sa.text("status = 'on_notice'"),
        ),
        sa.Index(
            "uq_applications_live", "project_id", "person", "component", unique=True,
            postgresql_where=sa.text(LIVE_SQL),
        ),
        sa.Index(
            "uq_applications_external", "body", "external_number", unique=True, postgresql_where=sa.text("body <> ''")
        ),
        sa.CheckConstraint("amount_fen > 0", name="amount"),
        sa.CheckConstraint("valid_to is null or valid_to >= valid_from", name="validity"),
        county_check(),
    )  # fmt: skip


class QualificationNotice(Table, table=True):
    """The public notice of decided applications of one township and project; frozen, with its digest. （第十五条）"""

    __tablename__ = "qualification_notices"
    __title__: ClassVar[str] = "资格公示"

    id: int | None = identity()
    division_code: str = division("苏木乡镇")
    county_code: str = division("旗县")
    number: str = column("公示编号", unique=True)
    project_id: int = column("补贴项目编号", sa_type=sa.BigInteger, foreign_key="subsidy_projects.id")
    project_name: str = column("补贴项目")
    sector: str = column("主管领域")
    published_at: datetime = moment("公示开始", ..., nullable=False)
    ends_at: datetime = moment("公示届满", ..., nullable=False)
    line_count: int = column("公示人数", unit="人")
    content: dict[str, Any] = column("公示内容", sa_type=JSONB, help="按规定公开的固定内容，姓名已脱敏")
    digest: str = column("内容摘要")

    __table_args__ = (
        sa.UniqueConstraint("division_code", "id"),
        sa.Index("ix_qualification_notices_ends", "ends_at"),
        county_check(),
    )


class QualificationObjection(Table, table=True):
    """An objection to a notice or to one application on it: until it is answered, that waits. （第十五条）"""

    __tablename__ = "qualification_objections"
    __title__: ClassVar[str] = "资格公示异议"

    id: int | None = identity()
    division_code: str = division("苏木乡镇")
    county_code: str = division("旗县")
    notice_id: int = column("公示", sa_type=sa.BigInteger)
    sector: str = column("主管领域")
    application_id: int | None = column("申请", None, sa_type=sa.BigInteger, nullable=True, help="空为对整个公示")
    application_number: str = column("涉及申请", "", server_default="")
    text: str = column("异议内容")
    received_at: datetime = moment("收到时间", ..., nullable=False)
    status: ObjectionStatus = column("状态", ObjectionStatus.OPEN, sa_type=enum_type(ObjectionStatus))
    upheld: bool = column("异议成立", False, server_default=sa.false(), help="成立的，该申请不得列入资格名册")
    answer: str = column("处理意见", "", server_default="")
    settled_at: datetime | None = moment("处理时间")

    __table_args__ = (
        sa.ForeignKeyConstraint(
            ["division_code", "notice_id"], ["qualification_notices.division_code", "qualification_notices.id"]
        ),
        sa.ForeignKeyConstraint(["division_code", "application_id"], ["applications.division_code", "applications.id"]),
        sa.Index("ix_qualification_objections_notice", "division_code", "notice_id"),
        county_check(),
    )
