"""Rosters (发放清册) and their lines. State lives on the roster; a line carries only what is its own. （第十六条）"""

from datetime import date, datetime
from decimal import Decimal
from typing import Any, ClassVar

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

from models.base import Labelled, Table, column, county_check, division, enum_type, fen, identity, moment
from models.crypto import BlindIndex, Sealed
from models.households import IdentityOutcome


class RosterStatus(Labelled):
    """Where a roster stands between the township and the money."""

    DRAFT = "draft", "待公示"
    ON_NOTICE = "on_notice", "公示中"
    ENDORSED = "endorsed", "负责人已审核"
    REPORTED = "reported", "已上报"
    DEPARTMENT_EXAMINED = "department_examined", "主管部门已初审"
    DEPARTMENT_PASSED = "department_passed", "主管部门已审核"
    FINANCE_EXAMINED = "finance_examined", "财政已初审"
    FINAL = "final", "已终审"
    ORDERED = "ordered", "已生成支付单"
    PART_PAID = "part_paid", "部分发放"
    PAID = "paid", "发放完毕"
    CLOSED = "closed", "已办结"
    RETURNED = "returned", "已退回"


class LineState(Labelled):
    """Whether a line goes with its roster."""

    ACTIVE = "active", "正常"
    HELD = "held", "缓发"
    STOPPED = "stopped", "停发"


class PayeeRelation(Labelled):
    """Who receives: nobody but these. （第三十一条）"""

    SELF = "self", "本人"
    HEAD = "head", "户主"
    GUARDIAN = "guardian", "监护人"
    HEIR = "heir", "继承人"


class Roster(Table, table=True):
    """One township's roster of one project and period."""

    __tablename__ = "rosters"
    __title__: ClassVar[str] = "发放清册"

    id: int | None = identity()
    division_code: str = division("苏木乡镇")
    county_code: str = division("旗县")
    number: str = column("清册编号", unique=True)
    project_id: int = column("补贴项目", sa_type=sa.BigInteger, foreign_key="subsidy_projects.id")
    project_name: str = column("项目名称")
    project_version: int = column("项目版本", 0, server_default="0", help="造册时的项目版本，由触发器写入，此后不变")
    flow_id: int | None = column(
        "办理流程",
        None,
        sa_type=sa.BigInteger,
        nullable=True,
        help="造册时项目所选流程的版本，由触发器写入，此后不变；空为法定流程",
    )
    substep_desk: str | None = column("子环节办理岗", None, nullable=True, help="空为没有待办的子环节")
    substep_name: str | None = column("待办子环节", None, nullable=True)
    substep_note: bool = column("子环节须填意见", False, server_default=sa.text("false"))
    substep_round: int = column("子环节轮次", 0, server_default="0", help="公示内容变更后加一，已办子环节须重新办理")
    sector: str = column("主管领域")
    township: str = column("苏木乡镇名称")
    period: str = column("补贴所属期")
    period_start: date = column("所属期起")
    period_end: date = column("所属期止")
    status: RosterStatus = column("状态", RosterStatus.DRAFT, sa_type=enum_type(RosterStatus))
    resume_status: RosterStatus | None = column(
        "退回前状态", None, sa_type=enum_type(RosterStatus, "resumestatus"), nullable=True, help="更正后回到退回的岗位"
    )
    version: int = column("版本", 1)
    line_count: int = column("明细数", 0, unit="笔")
    amount_fen: int = fen("应发金额", 0)
    paid_fen: int = fen("实发金额", 0)
    generated_at: datetime = moment("生成时间", ..., nullable=False)
    arrived_at: datetime = moment("到达时间", ..., nullable=False, help="到达当前机构的时间，时限从此起算")
    due_on: date | None = column("办理期限", None, nullable=True)
    days_left: int | None = column("剩余工作日", None, nullable=True, help="退回期间时钟停走，恢复后续用")
    notice_round: int = column("公示轮次", 0)
    facts_changed: bool = column("公示内容已变", False, help="为真则须补充公示并重新审核")
    checked_at: datetime | None = moment("核查完成时间")
    source_file_id: int | None = column("来源文件", None, sa_type=sa.BigInteger, nullable=True)
    prepared_by: int = column("制单人", 0, sa_type=sa.BigInteger)

    __table_args__ = (
        sa.UniqueConstraint("division_code", "id"),
        sa.UniqueConstraint("county_code", "id"),
        sa.UniqueConstraint("division_code", "id", "sector"),
        sa.Index("ix_rosters_status", "division_code", "status"),
        sa.Index("ix_rosters_project", "county_code", "project_id", "generated_at"),
        sa.Index(
            "ix_rosters_substep",
            "division_code",
            "substep_desk",
            postgresql_where=sa.text("substep_desk is not null"),
        ),
        county_check(),
    )


class RosterLine(Table, table=True):
    """One entitlement to be paid: an encrypted snapshot of person and account, quantity, standard, amount."""

    __tablename__ = "roster_lines"
    __title__: ClassVar[str] = "清册明细"

    county_code: str = division("旗县", primary_key=True)
    id: int | None = identity()
    division_code: str = division("苏木乡镇")
    roster_id: int = column("清册", sa_type=sa.BigInteger)
    sector: str = column("主管领域", help="随清册，由外键保证一致；主管部门只见本领域")
    sequence: int = column("序号")
    household_id: int = column("户", sa_type=sa.BigInteger)
    member_id: int = column("享受人编号", sa_type=sa.BigInteger)
    village: str = column("嘎查村", "")
    group_name: str = column("小组", "")
    head_name: str = column("户主姓名", mask="name")
    name: str = column("享受人", mask="name")
    id_number: str = column("身份证号", sa_type=Sealed, mask="id")
    id_index: bytes = column("身份证盲索引", sa_type=BlindIndex)
    payee_name: str = column("收款人", mask="name")
    payee_relation: PayeeRelation = column("收款人关系", PayeeRelation.SELF, sa_type=enum_type(PayeeRelation))
    account_id: int | None = column("账户", None, sa_type=sa.BigInteger, nullable=True)
    account_number: str | None = column("收款账号", None, sa_type=Sealed, mask="card", nullable=True)
    account_index: bytes | None = column("账号盲索引", None, sa_type=BlindIndex, nullable=True)
    bank_name: str = column("开户银行", "")
    bank_code: str = column("联行号", "")
    quantity: Decimal = column("数量", sa_type=sa.Numeric(14, 3))
    standard: Decimal = column("补贴标准", unit="元", sa_type=sa.Numeric(14, 4))
    amount_fen: int = fen("补贴金额")
    component: str = column("构成", "", help="地块、机具、补发序号等，同一发放权的组成")
    entitlement_key: str = column("发放权", help="项目×所属期×享受人×构成 的散列")
    state: LineState = column("明细状态", LineState.ACTIVE, sa_type=enum_type(LineState))
    state_reason: str = column("停缓发原因", "")
    note: str = column("备注", "")
    extra: dict[str, Any] = column(
        "项目字段", default_factory=dict, sa_type=JSONB, server_default=sa.text("'{}'"), help="项目自定的字段和值"
    )
    identity_outcome: IdentityOutcome | None = column(
        "核查结果", None, sa_type=enum_type(IdentityOutcome), nullable=True
    )
    identity_checked_at: datetime | None = moment("核查时间")
    died_on: date | None = column("死亡日期", None, nullable=True)
    account_state: str | None = column("账户验证", None, nullable=True, help="银行答复，空为尚未验证")
    account_is_card: bool | None = column("社保卡", None, nullable=True)
    account_checked_at: datetime | None = moment("验证时间")
    contracted_area_mu: Decimal | None = column("承包面积", None, unit="亩", sa_type=sa.Numeric(14, 3), nullable=True)
    previous_amount_fen: int | None = fen("上期金额", None, nullable=True)
    phone_present: bool = column("有手机号", False)
    member_added_on: date | None = column("对象入库日期", None, nullable=True)
    reviewed_on: date | None = column("最近复核日期", None, nullable=True)

    __table_args__ = (
        sa.UniqueConstraint("division_code", "id"),
        sa.ForeignKeyConstraint(
            ["division_code", "roster_id", "sector"], ["rosters.division_code", "rosters.id", "rosters.sector"]
        ),
        sa.ForeignKeyConstraint(["division_code", "household_id"], ["households.division_code", "households.id"]),
        sa.ForeignKeyConstraint(["division_code", "member_id"], ["members.division_code", "members.id"]),
        sa.Index("ix_roster_lines_roster", "division_code", "roster_id", "sequence", unique=True),
        sa.Index("ix_roster_lines_entitlement", "county_code", "entitlement_key"),
        sa.Index("ix_roster_lines_account", "division_code", "account_index"),
        sa.Index("ix_roster_lines_member", "division_code", "member_id"),
        sa.CheckConstraint("amount_fen > 0", name="amount"),
        county_check(),
    )
