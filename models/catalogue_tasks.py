"""Tasks of finance bureaus and departments about lists, policies and money at rest. （第六、八、九、十条）"""

from datetime import date, datetime
from typing import ClassVar

import sqlalchemy as sa

from models.base import Labelled, Table, column, division, enum_type, identity, moment


class CatalogueTaskKind(Labelled):
    """What is to be done."""

    PUBLISH_LIST = "publish_list", "发布下一年度项目清单"
    SELECT_LIST = "select_list", "选择确定本地区项目清单"
    STALE_PUBLICATION = "stale_publication", "已公开的政策、标准与现行项目不一致"
    STANDARD_ENDING = "standard_ending", "补贴标准将到期或已到期"
    INDICATOR_ARRIVED = "indicator_arrived", "指标已到达，启动兑付"
    INDICATOR_UNMAPPED = "indicator_unmapped", "指标尚未对应补贴项目"
    INDICATOR_REFUSED = "indicator_refused", "下载的指标未能保存"
    MONEY_AT_REST = "money_at_rest", "资金下达后尚未安排使用"
    LOCAL_RULE = "local_rule", "本地细则待备案"


class CatalogueTaskStatus(Labelled):
    """Whose turn it is, or how it ended."""

    FINANCE = "finance", "财政待办"
    DEPARTMENT = "department", "主管部门待办"
    SETTLED = "settled", "已处理"
    GONE = "gone", "事由已消除"


class CatalogueTask(Table, table=True):
    """One task of one division's finance bureau, or of its department of one sector."""

    __tablename__ = "catalogue_tasks"
    __title__: ClassVar[str] = "项目与指标待办"

    id: int | None = identity()
    division_code: str = division("办理地")
    number: str = column("待办编号", unique=True)
    kind: CatalogueTaskKind = column("事项", sa_type=enum_type(CatalogueTaskKind))
    sector: str = column("主管领域", "", server_default="", help="财政待办为空")
    status: CatalogueTaskStatus = column("状态", sa_type=enum_type(CatalogueTaskStatus))
    version: int = column("版本", 1)
    subject: str = column("对象", help="annual_list、subsidy_project、budget_indicator、publication、local_rule 等")
    subject_id: int = column("对象编号", 0, sa_type=sa.BigInteger)
    detail: str = column("说明")
    found_on: date = column("提出日期")
    due_on: date | None = column("办理期限", None, nullable=True)
    days_left: int | None = column("剩余工作日", None, nullable=True)
    arrived_at: datetime | None = moment("到达时间")
    note: str = column("处理说明", "", server_default="")

    __table_args__ = (
        sa.Index(
            "uq_catalogue_tasks_open",
            "division_code",
            "kind",
            "sector",
            "subject",
            "subject_id",
            unique=True,
            postgresql_where=sa.text("status in ('finance', 'department')"),
        ),
        sa.Index("ix_catalogue_tasks_status", "division_code", "status"),
        sa.Index(
            "ix_catalogue_tasks_rest",
            "division_code",
            "subject_id",
            postgresql_where=sa.text("kind = 'money_at_rest'"),
        ),
    )
