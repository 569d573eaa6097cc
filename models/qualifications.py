"""The qualified register, the rosters it feeds, and which line stands on which qualification. （第十四、十六条）"""

from datetime import date, datetime
from decimal import Decimal
from typing import Any, ClassVar

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

from models.base import Labelled, Table, column, county_check, division, enum_type, fen, identity, moment


class QualificationStatus(Labelled):
    """Whether a qualification counts for the next roster."""

    ACTIVE = "active", "有效"
    SUSPENDED = "suspended", "已暂停"
    ENDING = "ending", "拟终止"
    ENDED = "ended", "已终止"


class SuspensionKind(Labelled):
    """What the registry says of the person that suspends a qualification. （第十六条第一项、第二十一条第三项）"""

    DEAD = "dead", "死亡登记"
    MISSING = "missing", "失踪登记"
    MOVED = "moved", "迁出或迁往其他苏木乡镇"
    UNREFERENCED = "unreferenced", "虚拟户引用已终止"


class Qualification(Table, table=True):
    """One person's qualification for one project and component, from–to."""

    __tablename__ = "qualifications"
    __title__: ClassVar[str] = "补贴资格"

    id: int | None = identity()
    division_code: str = division("苏木乡镇")
    county_code: str = division("旗县")
    number: str = column("资格编号", unique=True)
    project_id: int = column("补贴项目编号", sa_type=sa.BigInteger, foreign_key="subsidy_projects.id")
    project_name: str = column("补贴项目")
    sector: str = column("主管领域")
    household_id: int = column("户", sa_type=sa.BigInteger)
    member_id: int = column("成员", sa_type=sa.BigInteger)
    person: str = column("自然人标识")
    member_name: str = column("享受人", mask="name")
    village: str = column("嘎查村", "", server_default="")
    quantity: Decimal = column("数量", sa_type=sa.Numeric(14, 3))
    unit: str = column("单位", "", server_default="")
    standard: Decimal = column("批准时标准", unit="元", sa_type=sa.Numeric(14, 4))
    amount_fen: int = fen("批准时金额")
    component: str = column("构成", "", server_default="")
    extra: dict[str, Any] = column("项目字段", default_factory=dict, sa_type=JSONB, server_default=sa.text("'{}'"))
    valid_from: date = column("有效期起")
    valid_to: date | None = column("有效期止", None, nullable=True, help="空为长期")
    application_id: int = column("来源申请", sa_type=sa.BigInteger)
    status: QualificationStatus = column(
        "状态", QualificationStatus.ACTIVE, sa_type=enum_type(QualificationStatus)
    )  # fmt: skip
    version: int = column("版本", 1)
    resume_status: QualificationStatus | None = column(
        "提出终止前状态", None, sa_type=enum_type(QualificationStatus, "qualificationresume"), nullable=True
    )
    suspended_for: SuspensionKind | None = column(
        "暂停原因", None, sa_type=enum_type(SuspensionKind), nullable=True
    )  # fmt: skip
    gone: bool = column(
        "登记有变", False, server_default=sa.false(), help="由触发器随人员登记写入，随即由系统核对并暂停资格"
    )
    end_reason: str = column("终止原因", "", server_default="")
    ends_on: date | None = column("终止日期", None, nullable=True, help="自该日起不再享受")
    qualified_at: datetime = moment("取得资格时间", ..., nullable=False)
    arrived_at: datetime | None = moment("到达时间")

    __table_args__ = (
        sa.UniqueConstraint("division_code", "id"),
        sa.ForeignKeyConstraint(["division_code", "household_id"], ["households.division_code", "households.id"]),
        sa.ForeignKeyConstraint(["division_code", "member_id"], ["members.division_code", "members.id"]),
        sa.ForeignKeyConstraint(["division_code", "application_id"], ["applications.division_code", "applications.id"]),
        sa.Index("ix_qualifications_status", "division_code", "status", "id"),
        sa.Index("ix_qualifications_project", "division_code", "project_id", "status"),
        sa.Index("ix_qualifications_gone", "id", postgresql_where=sa.text("gone and status = 'active'")),
        sa.Index("ix_qualifications_member", "division_code", "member_id"),
        sa.Index("ix_qualifications_application", "division_code", "application_id"),
        sa.Index(
            "uq_qualifications_live", "project_id", "person", "component", unique=True,
            postgresql_where=sa.text("status <> 'ended'"),
        ),
        sa.CheckConstraint("valid_to is null or valid_to >= valid_from", name="validity"),
        county_check(),
    )  # fmt: skip


class GenerationStatus(Labelled):
    """Nothing is half-made: there is a roster, or the reason why there is none."""

    RECEIVED = "received", "生成中"
    REFUSED = "refused", "没有生成"
    APPLIED = "applied", "已生成"
    CANCELLED = "cancelled", "已取消"


class RosterGeneration(Table, table=True):
    """One roster made from the register: what it took, who joined and left, who was left out and why. （第十六条）"""

    __tablename__ = "roster_generations"
    __title__: ClassVar[str] = "由名册造册"

    id: int | None = identity()
    division_code: str = division("苏木乡镇")
    county_code: str = division("旗县")
    project_id: int = column("补贴项目编号", sa_type=sa.BigInteger, foreign_key="subsidy_projects.id")
    project_name: str = column("补贴项目")
    sector: str = column("主管领域")
    period: str = column("补贴所属期")
    period_start: date = column("所属期起")
    period_end: date = column("所属期止")
    status: GenerationStatus = column("状态", GenerationStatus.RECEIVED, sa_type=enum_type(GenerationStatus))
    line_count: int = column("列入明细", 0, unit="笔")
    amount_fen: int = fen("应发金额", 0)
    joined_count: int = column("比上期新增", 0, unit="笔")
    left_count: int = column("比上期减少", 0, unit="笔")
    skipped_count: int = column("未列入", 0, unit="笔")
    findings: dict[str, Any] = column(
        "新增、减少和未列入", default_factory=dict, sa_type=JSONB, server_default=sa.text("'{}'"),
        help="资格编号或序号、脱敏姓名和原因，各最多 200 条",
    )  # fmt: skip
    roster_id: int | None = column("清册", None, sa_type=sa.BigInteger, nullable=True)
    received_at: datetime = moment("发起时间", ..., nullable=False)
    received_by: int = column("发起人", sa_type=sa.BigInteger)

    __table_args__ = (
        sa.ForeignKeyConstraint(["division_code", "roster_id"], ["rosters.division_code", "rosters.id"]),
        sa.Index("ix_roster_generations_roster", "division_code", "roster_id"),
        county_check(),
    )


class QualificationLine(Table, table=True):
    """Which line of a roster stands on which qualification; written with the roster, never changed."""

    __tablename__ = "qualification_lines"
    __title__: ClassVar[str] = "资格与清册明细"

    county_code: str = division("旗县", primary_key=True)
    line_id: int = column("清册明细", sa_type=sa.BigInteger, primary_key=True)
    division_code: str = division("苏木乡镇")
    roster_id: int = column("清册", sa_type=sa.BigInteger)
    sector: str = column("主管领域")
    qualification_id: int = column("资格", sa_type=sa.BigInteger)

    __table_args__ = (
        sa.ForeignKeyConstraint(["county_code", "line_id"], ["roster_lines.county_code", "roster_lines.id"]),
        sa.ForeignKeyConstraint(
            ["division_code", "qualification_id"], ["qualifications.division_code", "qualifications.id"]
        ),
        sa.Index("ix_qualification_lines_qualification", "division_code", "qualification_id"),
        county_check(),
    )
