"""Tasks of a township about its registry: what police, banks, other townships and departments found different.

（第十一、十二、十六、二十一、二十九条）
"""

from datetime import date, datetime
from typing import ClassVar

import sqlalchemy as sa

from models.base import Labelled, Table, column, county_check, division, enum_type, identity, moment


class TaskKind(Labelled):
    """What is different, and so what must be done."""

    IDENTITY_MISMATCH = "identity_mismatch", "身份信息不一致，须更正"
    IDENTITY_NOT_FOUND = "identity_not_found", "公安查无此人，须核实"
    DECEASED = "deceased", "公安登记死亡，须办理死亡登记和停发、继承或追缴"
    PAID_AFTER_DEATH = "paid_after_death", "死亡后已发放，报主管部门追缴"
    ACCOUNT_DORMANT = "account_dormant", "不动户，通知激活"
    ACCOUNT_CLOSED = "account_closed", "已销户，须变更账户"
    ACCOUNT_NAME = "account_name", "户名不符，须核实"
    ACCOUNT_SHARED = "account_shared", "同一账户登记在两人名下，须核实"
    KEEPER_CHANGED = "keeper_changed", "引用对象在管理地有变动，须核对清册"
    DATA_CONFLICT = "data_conflict", "共享数据与登记不一致，须核实"
    PAID_TWICE = "paid_twice", "合并人员后发现重复发放，报主管部门追回"


class TaskStatus(Labelled):
    """Open until an officer has settled it or the difference has gone."""

    OPEN = "open", "待处理"
    SETTLED = "settled", "已处理"
    GONE = "gone", "差异已消除"


class RegistryTask(Table, table=True):
    """One difference to be looked into by the township that keeps, or pays, the person; free of personal data."""

    __tablename__ = "registry_tasks"
    __title__: ClassVar[str] = "基础信息待办"

    id: int | None = identity()
    division_code: str = division("苏木乡镇")
    county_code: str = division("旗县")
    number: str = column("待办编号", unique=True)
    kind: TaskKind = column("事项", sa_type=enum_type(TaskKind))
    status: TaskStatus = column("状态", TaskStatus.OPEN, sa_type=enum_type(TaskStatus))
    version: int = column("版本", 1)
    household_id: int | None = column("户", None, sa_type=sa.BigInteger, nullable=True)
    member_id: int | None = column("成员", None, sa_type=sa.BigInteger, nullable=True)
    account_id: int | None = column("账户", None, sa_type=sa.BigInteger, nullable=True)
    roster_id: int | None = column("清册", None, sa_type=sa.BigInteger, nullable=True)
    source: str = column("来源", help="police、bank、keeper、township 或共享部门代码")
    detail: str = column("说明", help="不含个人信息")
    found_on: date = column("发现日期")
    arrived_at: datetime | None = moment("到达时间")
    settled_as: str = column("处理结果", "", server_default="")
    note: str = column("处理说明", "", server_default="")

    __table_args__ = (
        sa.UniqueConstraint("division_code", "id"),
        sa.Index(
            "uq_registry_tasks_open",
            "division_code",
            "kind",
            sa.text("coalesce(member_id, 0)"),
            sa.text("coalesce(account_id, 0)"),
            sa.text("coalesce(roster_id, 0)"),
            unique=True,
            postgresql_where=sa.text("status = 'open'"),
        ),
        sa.Index("ix_registry_tasks_status", "division_code", "status"),
        sa.Index("ix_registry_tasks_member", "division_code", "member_id"),
        county_check(),
    )
