"""Flows as data: what a department adds to the statutory way of a roster and of an application. （第二十四条）"""

from datetime import date, datetime
from typing import Any, ClassVar

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from models.base import Labelled, RowScope, Table, column, division, enum_type, identity, moment


class FlowStatus(Labelled):
    """Where a version of a flow stands: the clerk drafts and tries it, the reviewer enables it."""

    DRAFT = "draft", "编制中"
    PROPOSED = "proposed", "待审核启用"
    IN_FORCE = "in_force", "已启用"
    SUPERSEDED = "superseded", "已被新版取代"
    ENDED = "ended", "已停用"
    DISCARDED = "discarded", "已作废"


class SubstepKind(Labelled):
    """What a flow may add inside a desk; a statutory step is none of these and never goes."""

    SIGN_OFF = "sign_off", "加签"
    SPOT_CHECK = "spot_check", "抽查"
    COUNTERSIGN = "countersign", "会签"


class ProjectFlow(Table, table=True):
    """One version of a sector's flow; fixed once proposed, and a running roster keeps the one it began with."""

    __tablename__ = "project_flows"
    __row_scope__: ClassVar[RowScope] = RowScope.DOWNWARD
    __title__: ClassVar[str] = "发放管理流程"

    id: int | None = identity()
    division_code: str = division("制定地区")
    number: str = column("流程文号", unique=True)
    sector: str = column("主管领域")
    code: str = column("流程编码", help="补贴项目以此编码选用，取已启用的版本")
    name: str = column("流程名称")
    flow_version: int = column("流程版本", 0, help="启用时编定，0 为尚未启用")
    reason: str = column("制定依据", "")
    content: dict[str, Any] = column("流程内容", sa_type=JSONB, help="见 policies/flows.py")
    digest: str = column("内容摘要", help="流程内容的 SHA-256")
    trial: dict[str, Any] = column(
        "试运行结果", default_factory=dict, sa_type=JSONB, server_default=sa.text("'{}'"), help="按既往清册推算"
    )
    trial_digest: str = column("试运行内容摘要", "", server_default="", help="与内容摘要一致，方可启用")
    tried_at: datetime | None = moment("试运行时间")
    drafted_by: str = column("编制人", "")
    enabled_by: str = column("启用人", "", server_default="")
    status: FlowStatus = column("状态", FlowStatus.DRAFT, sa_type=enum_type(FlowStatus))
    version: int = column("记录版本", 1)
    arrived_at: datetime = moment("到达时间", ..., nullable=False)
    in_force_from: date | None = column("启用日期", None, nullable=True)

    __table_args__ = (
        sa.Index(
            "uq_project_flows_in_force", "sector", "code", unique=True, postgresql_where=sa.text("status = 'in_force'")
        ),
        sa.Index(
            "uq_project_flows_open",
            "sector",
            "code",
            unique=True,
            postgresql_where=sa.text("status in ('draft', 'proposed')"),
        ),
        sa.Index("ix_project_flows_status", "division_code", "status"),
    )


class RosterSubstep(Table, table=True):
    """One sub-step of a flow that somebody has taken at a roster; inserted only."""

    __tablename__ = "roster_substeps"
    __title__: ClassVar[str] = "流程子环节"

    id: int | None = identity()
    division_code: str = division("苏木乡镇")
    sector: str = column("主管领域")
    roster_id: int = column("清册", sa_type=sa.BigInteger)
    flow_id: int = column("流程", sa_type=sa.BigInteger)
    stage: str = column("法定环节")
    position: int = column("次序", help="在本环节中的次序，从 0 起")
    substep_round: int = column("轮次", help="公示内容变更后须重新办理")
    kind: SubstepKind = column("方式", sa_type=enum_type(SubstepKind))
    name: str = column("子环节")
    desk: str = column("办理岗")
    officer_id: int = column("用户", sa_type=sa.BigInteger)
    person: str = column("自然人")
    officer_name: str = column("办理人")
    post: str = column("办理岗位")
    note: str = column("意见", "")
    drawn: list[int] = column(
        "抽中序号", default_factory=list, sa_type=ARRAY(sa.Integer), server_default=sa.text("'{}'")
    )
    taken_at: datetime = moment("办理时间", ..., nullable=False)

    __table_args__ = (
        sa.UniqueConstraint(
            "division_code", "roster_id", "substep_round", "stage", "position", name="uq_roster_substeps_taken"
        ),
        sa.ForeignKeyConstraint(["division_code", "roster_id"], ["rosters.division_code", "rosters.id"]),
    )
