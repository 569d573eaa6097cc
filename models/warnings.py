"""Warning rules as data, and the warnings they raise on rosters. （第十八条）"""

from datetime import date, datetime
from typing import Any, ClassVar

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from models.base import Labelled, RowScope, Table, column, county_check, division, enum_type, identity, moment


class Light(Labelled):
    """Red stops, yellow asks for an explanation, blue asks for a check."""

    RED = "red", "红灯"
    YELLOW = "yellow", "黄灯"
    BLUE = "blue", "蓝灯"


class Gate(Labelled):
    """The step at which a rule is run."""

    REPORT = "report", "送审"
    DEPARTMENT = "department", "主管部门审核"
    FINANCE = "finance", "财政审核"


class WarningRule(Table, table=True):
    """One rule: an expression over the facts of its subject; a new row fires without a restart."""

    __tablename__ = "warning_rules"
    __row_scope__: ClassVar[RowScope] = RowScope.DOWNWARD
    __title__: ClassVar[str] = "预警规则"

    id: int | None = identity()
    division_code: str = division("制定区划")
    code: str = column("规则编码")
    version: int = column("版本", 1)
    name: str = column("规则名称")
    light: Light = column("灯色", sa_type=enum_type(Light))
    subject: str = column("对象", "line", help="line 明细")
    gates: list[str] = column("环节", sa_type=ARRAY(sa.Text))
    expression: str = column("条件")
    message: str = column("提示")
    article: str = column("依据", "")
    enabled: bool = column("启用", True)
    valid_from: date = column("生效日期", date(2024, 4, 2))
    saved_by: str = column("保存人标识", "", server_default="", help="自然人标识；启用须由另一人办理")

    __table_args__ = (sa.UniqueConstraint("division_code", "code", "version"),)


class RosterWarning(Table, table=True):
    """One hit of a rule on a roster's line; it travels with the roster and keeps its explanation."""

    __tablename__ = "roster_warnings"
    __title__: ClassVar[str] = "预警"

    id: int | None = identity()
    division_code: str = division("苏木乡镇")
    county_code: str = division("旗县")
    roster_id: int = column("清册", sa_type=sa.BigInteger)
    sector: str = column("主管领域", help="随清册，由外键保证一致；主管部门只见本领域")
    line_id: int = column("明细", sa_type=sa.BigInteger)
    line_sequence: int = column("序号")
    rule_code: str = column("规则编码")
    rule_version: int = column("规则版本")
    rule_name: str = column("规则名称")
    light: Light = column("灯色", sa_type=enum_type(Light))
    gate: Gate = column("环节", sa_type=enum_type(Gate))
    message: str = column("提示")
    evidence: dict[str, Any] = column("依据数据", default_factory=dict, sa_type=JSONB)
    skipped: bool = column("未能判断", False, help="清册一级的提示：部分明细缺少数据，规则没有判断（明细、序号为 0）")
    raised_at: datetime = moment("触发时间", ..., nullable=False)
    explanation: str = column("说明", "")
    explained_by: str = column("说明人", "")
    explained_at: datetime | None = moment("说明时间")
    live: bool = column("有效", True, help="再次核查不再触发时为假")

    __table_args__ = (
        sa.ForeignKeyConstraint(
            ["division_code", "roster_id", "sector"], ["rosters.division_code", "rosters.id", "rosters.sector"]
        ),
        sa.UniqueConstraint("division_code", "roster_id", "line_id", "rule_code"),
        county_check(),
    )
