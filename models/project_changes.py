"""Changes of the project library, the documents behind it, and what stays outside. （第二条、第七条、第九条）"""

from datetime import date, datetime
from typing import Any, ClassVar

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

from models.base import Labelled, RowScope, Table, column, division, enum_type, identity, moment
from models.projects import PolicyLevel


class ProjectChangeKind(Labelled):
    """What a change does to the library."""

    ADMIT = "admit", "入库"
    AMEND = "amend", "变更"
    STOP = "stop", "停用"


class ProjectChangeStatus(Labelled):
    """The life of a change; the ways of 7(二) and 7(三) have statuses of their own, each with one desk."""

    DRAFT = "draft", "填写中"
    SUBMITTED = "submitted", "待审签"
    SIGNED = "signed", "待财政厅初审"
    EXAMINED = "examined", "待财政厅办理"
    RETURNED = "returned", "已退回"
    LOCAL_DRAFT = "local_draft", "填写中（盟市、旗县）"
    LOCAL_SUBMITTED = "local_submitted", "待审签（盟市、旗县）"
    LOCAL_SIGNED = "local_signed", "待联合行文"
    JOINED = "joined", "待盟市主管部门核验"
    DEPARTMENT_VERIFIED = "department_verified", "待盟市财政核验"
    VERIFIED = "verified", "待财政厅备案初审"
    FILING = "filing", "待财政厅备案"
    LOCAL_RETURNED = "local_returned", "已退回（盟市、旗县）"
    EFFECTIVE = "effective", "已生效"
    WITHDRAWN = "withdrawn", "已撤回"


class ProjectChange(Table, table=True):
    """One 《惠民惠农财政补贴项目申请表》: what a project is to be, from draft to effect. （第七条）"""

    __tablename__ = "project_changes"
    __title__: ClassVar[str] = "项目申请"

    id: int | None = identity()
    division_code: str = division("填报地区")
    owner_code: str = division("项目所属区划")
    number: str = column("申请编号", unique=True)
    kind: ProjectChangeKind = column("申请事项", sa_type=enum_type(ProjectChangeKind))
    status: ProjectChangeStatus = column("状态", ProjectChangeStatus.DRAFT, sa_type=enum_type(ProjectChangeStatus))
    version: int = column("版本", 1)
    policy_level: PolicyLevel = column("政策级次", sa_type=enum_type(PolicyLevel, "projectchangelevel"))
    sector: str = column("主管领域")
    code: str = column("项目编码")
    name: str = column("项目名称")
    project_id: int | None = column(
        "补贴项目", None, sa_type=sa.BigInteger, nullable=True, foreign_key="subsidy_projects.id"
    )
    base_version: int = column("依据版本", 0, help="填写时项目的现行版本，新项目为 0")
    sheet: dict[str, Any] = column("填写内容", default_factory=dict, sa_type=JSONB, help="填写时保存的原样内容")
    definition: dict[str, Any] = column("项目定义", default_factory=dict, sa_type=JSONB, help="提交时固定")
    digest: str = column("内容摘要", "", help="提交时项目定义的 SHA-256")
    reason: str = column("申请理由")
    effective_on: date | None = column("停用日期", None, nullable=True, help="停用申请的停用日期")
    joint_document: str = column("联合行文文号", "", help="旗县主管部门与同级财政联合行文的文号")
    document_count: int = column("政策文件", 0, unit="份")
    prepared_at: datetime = moment("填写时间", ..., nullable=False)
    arrived_at: datetime | None = moment("到达时间")
    effective_at: datetime | None = moment("生效时间")
    applied_in: str = column("生效事务", "", server_default="", help="由触发器写入；只有该事务可写项目库")
    resume_status: ProjectChangeStatus | None = column(
        "退回前状态", None, sa_type=enum_type(ProjectChangeStatus, "projectchangeresume"), nullable=True
    )
    returned_for: str = column("退回原因", "", server_default="")

    __table_args__ = (
        sa.UniqueConstraint("division_code", "id"),
        sa.CheckConstraint("kind = 'admit' or project_id is not null", name="project"),
        sa.CheckConstraint("kind <> 'stop' or effective_on is not null", name="stop_day"),
        sa.CheckConstraint(
            "status in ('draft', 'local_draft', 'returned', 'local_returned', 'withdrawn')"
            " or digest <> '' and document_count > 0",
            name="submitted",
        ),
        sa.Index("ix_project_changes_status", "division_code", "status"),
        sa.Index("ix_project_changes_sector", "sector", "division_code"),
        sa.Index("ix_project_changes_project_id", "project_id"),
        sa.Index("ix_project_changes_applied_in", "applied_in", postgresql_where=sa.text("applied_in <> ''")),
    )


class PolicyDocument(Table, table=True):
    """A policy document of a version of a project; read by everyone beneath whoever owns the project. （第七条）"""

    __tablename__ = "policy_documents"
    __row_scope__: ClassVar[RowScope] = RowScope.DOWNWARD
    __title__: ClassVar[str] = "政策文件"

    id: int | None = identity()
    division_code: str = division("所属区划")
    project_id: int = column("补贴项目", sa_type=sa.BigInteger, foreign_key="subsidy_projects.id")
    project_version: int = column("项目版本")
    sector: str = column("主管领域")
    number: str = column("文号")
    title: str = column("文件名称")
    issuer: str = column("发文机关")
    issued_on: date | None = column("发文日期", None, nullable=True)
    valid_to: date | None = column("有效期止", None, nullable=True)
    file_id: int | None = column("文件", None, sa_type=sa.BigInteger, nullable=True)
    file_name: str = column("文件名", "")
    attachment_id: int = column("附件编号", 0, sa_type=sa.BigInteger)

    __table_args__ = (sa.Index("ix_policy_documents_project_id", "project_id", "project_version"),)


class ExceptionStatus(Labelled):
    """The life of an entry: it counts when a second person has agreed."""

    PROPOSED = "proposed", "待复核"
    RETURNED = "returned", "已退回"
    CONFIRMED = "confirmed", "不纳入"
    ENDING = "ending", "待复核（恢复纳入）"
    ENDED = "ended", "已恢复纳入"
    WITHDRAWN = "withdrawn", "已撤回"


class ProjectException(Table, table=True):
    """A subsidy that the centre or the region keeps outside 一卡通, with reason and document. （第二条）"""

    __tablename__ = "project_exceptions"
    __row_scope__: ClassVar[RowScope] = RowScope.DOWNWARD
    __title__: ClassVar[str] = "不纳入项目"

    id: int | None = identity()
    division_code: str = division("登记地区")
    number: str = column("登记编号", unique=True)
    name: str = column("补贴名称")
    policy_level: PolicyLevel = column("政策级次", sa_type=enum_type(PolicyLevel, "projectexceptionlevel"))
    sector: str = column("主管领域", help="该补贴的主管部门")
    reason: str = column("不纳入原因")
    document_number: str = column("文号")
    document_title: str = column("文件名称")
    document_issuer: str = column("发文机关")
    issued_on: date = column("发文日期")
    valid_to: date | None = column("有效期止", None, nullable=True, help="到期后重新研究是否纳入")
    evidence_count: int = column("文件扫描件", 0, unit="份")
    status: ExceptionStatus = column("状态", ExceptionStatus.PROPOSED, sa_type=enum_type(ExceptionStatus))
    version: int = column("版本", 1)
    arrived_at: datetime | None = moment("到达时间")
    confirmed_at: datetime | None = moment("复核时间")
    ended_for: str = column("恢复纳入原因", "")
    returned_for: str = column("退回原因", "")
    resume_status: ExceptionStatus | None = column(
        "退回前状态", None, sa_type=enum_type(ExceptionStatus, "exceptionresume"), nullable=True
    )

    __table_args__ = (
        sa.UniqueConstraint("division_code", "id"),
        sa.Index("ix_project_exceptions_status", "division_code", "status"),
    )
