"""Changes of the permission policy as records, and every version that has been in force. （第二十三、二十四条）"""

from datetime import datetime
from typing import ClassVar

import sqlalchemy as sa

from models.base import Labelled, RowScope, Table, column, division, enum_type, identity, moment


class PolicyChangeStatus(Labelled):
    """Where a change of the policy stands: one security administrator drafts, a second one enables."""

    DRAFT = "draft", "拟定中"
    PROPOSED = "proposed", "待复核启用"
    ENABLED = "enabled", "已启用"
    REJECTED = "rejected", "未通过"
    WITHDRAWN = "withdrawn", "已撤回"


class PolicyChange(Table, table=True):
    """One change of the policy: all lines as they shall be; fixed once proposed. （第二十三条）"""

    __tablename__ = "policy_changes"
    __title__: ClassVar[str] = "策略变更"

    id: int | None = identity()
    division_code: str = division()
    number: str = column("变更编号", unique=True)
    title: str = column("变更事项")
    reason: str = column("变更理由")
    origin: str = column("起草依据", help="现行策略、历史版本或系统升级")
    base_version: int = column("基础版本", help="拟定时的现行版本；启用时须仍为现行版本")
    lines: str = column("策略行", "", help="Casbin 策略文本，每行一条，按文本排序")
    summary: str = column("变更内容", "", help="与基础版本相比")
    digest: str = column("摘要", "", help="提交时策略行的 SHA-256，此后内容固定")
    drafter: str = column("拟定人标识", "", help="自然人标识，不能再由其启用")
    drafted_by: str = column("拟定人", "")
    status: PolicyChangeStatus = column("状态", PolicyChangeStatus.DRAFT, sa_type=enum_type(PolicyChangeStatus))
    version: int = column("记录版本", 1)
    arrived_at: datetime = moment("到达时间", ..., nullable=False)


class PolicyEdition(Table, table=True):
    """One version of the policy with its lines, kept for ever: what was in force, since when, by whom."""

    __tablename__ = "policy_versions"
    __row_scope__: ClassVar[RowScope] = RowScope.REFERENCE
    __title__: ClassVar[str] = "策略版本"

    id: int | None = identity()
    policy_version: int = column("策略版本号", unique=True)
    origin: str = column("来源", help="初始装入、升级前已有、变更启用或数据库直接修改")
    change_id: int | None = column("策略变更", None, sa_type=sa.BigInteger, nullable=True)
    title: str = column("事项", "")
    reason: str = column("理由", "")
    drafted_by: str = column("拟定人", "")
    enabled_by: str = column("启用人", "")
    in_force_from: datetime = moment("启用时间", ..., nullable=False)
    line_count: int = column("行数", unit="行")
    lines: str = column("策略行", help="Casbin 策略文本，每行一条，按文本排序")
    digest: str = column("摘要", help="策略行的 SHA-256")

    __table_args__ = (sa.Index("ix_policy_versions_change", "change_id", unique=True),)


class PolicyRelease(Table, table=True):
    """The initial policy of each release that was installed: what a later release's difference is measured from."""

    __tablename__ = "policy_releases"
    __row_scope__: ClassVar[RowScope] = RowScope.REFERENCE
    __title__: ClassVar[str] = "发布的初始策略"

    id: int | None = identity()
    digest: str = column("摘要")
    lines: str = column("策略行", help="Casbin 策略文本，每行一条，按文本排序")
    installed_at: datetime = moment("安装时间", ..., nullable=False)
