"""Local rules (本地细则): numbers of a division, stricter than the law, with validity and document. （第三十六条）"""

from datetime import date, datetime
from typing import ClassVar

import sqlalchemy as sa

from models.base import Labelled, RowScope, Table, column, division, enum_type, identity, moment


class LocalRuleStatus(Labelled):
    """The life of a local rule; 备案 is told, not asked: the rule holds from its date once it is settled."""

    PROPOSED = "proposed", "待审定"
    SETTLED = "settled", "已审定，未备案"
    FILED = "filed", "已备案"
    ENDED = "ended", "已停止执行"
    DISCARDED = "discarded", "未采用"


HOLDING = (LocalRuleStatus.SETTLED, LocalRuleStatus.FILED, LocalRuleStatus.ENDED)
"""A rule with one of these holds on the days of its validity; one that was ended early, until its last day."""


class LocalRule(Table, table=True):
    """One number of one division. （第三十六条）"""

    __tablename__ = "local_rules"
    __row_scope__: ClassVar[RowScope] = RowScope.DOWNWARD
    __title__: ClassVar[str] = "本地细则"

    id: int | None = identity()
    division_code: str = division("适用地区")
    number: str = column("细则编号", unique=True)
    parameter: str = column("参数", help="policies/limits.py 中的代码")
    title: str = column("事项", help="参数名称，拟定时从目录抄录")
    value: int = column("本地数值")
    unit: str = column("单位")
    law_value: int = column("办法规定", help="拟定时办法或平台的数值")
    valid_from: date = column("执行起")
    valid_to: date | None = column("执行止", None, nullable=True)
    document_number: str = column("文件文号")
    document_title: str = column("文件名称")
    file_id: int | None = column("文件", None, sa_type=sa.BigInteger, nullable=True)
    status: LocalRuleStatus = column("状态", LocalRuleStatus.PROPOSED, sa_type=enum_type(LocalRuleStatus))
    version: int = column("版本", 1)
    arrived_at: datetime | None = moment("到达时间")
    filed_on: date | None = column("备案日期", None, nullable=True)
    ended_for: str = column("停止原因", "", server_default="")

    __table_args__ = (
        sa.UniqueConstraint("division_code", "id"),
        sa.CheckConstraint("valid_to is null or valid_to >= valid_from", name="validity"),
        sa.CheckConstraint("document_number <> '' and document_title <> ''", name="document"),
        sa.CheckConstraint("value between 1 and 366", name="value"),
        sa.Index("ix_local_rules_parameter", "division_code", "parameter"),
        sa.Index("ix_local_rules_status", "division_code", "status"),
    )
