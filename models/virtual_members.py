"""Virtual households (虚拟户): a township pays a person whom another township keeps, and edits nothing. （第十一条）"""

from datetime import date, datetime
from typing import ClassVar

import sqlalchemy as sa

from models.base import DivisionCode, Labelled, Table, column, county_check, division, enum_type, identity, moment
from models.crypto import BlindIndex, Sealed
from models.households import MemberStatus


class VirtualStatus(Labelled):
    """The life of a reference: proposed and approved where the subsidy is paid, in force, ended."""

    PROPOSED = "proposed", "待审批"
    APPROVED = "approved", "已批准"
    IN_FORCE = "in_force", "引用中"
    REFUSED = "refused", "不予引用"
    WITHDRAWN = "withdrawn", "已撤回"
    ENDED = "ended", "已终止"


class VirtualMember(Table, table=True):
    """One reference: the paying township's right to pay a person kept elsewhere, with the sealed snapshot it pays by.

    Whom it is about, where the person is kept and the snapshot are written by named functions of PostgreSQL only; the
    keeper reads the references in force to its people by a policy of its own.
    """

    __tablename__ = "virtual_members"
    __title__: ClassVar[str] = "虚拟户"

    id: int | None = identity()
    division_code: str = division("发放地苏木乡镇")
    county_code: str = division("发放地旗县")
    number: str = column("引用编号", unique=True)
    status: VirtualStatus = column("状态", VirtualStatus.PROPOSED, sa_type=enum_type(VirtualStatus))
    version: int = column("版本", 1)
    keeper_code: str = column("管理地代码", "", sa_type=DivisionCode)
    keeper: str = column("管理地苏木乡镇", "")
    keeper_member_id: int = column("管理地成员", 0, sa_type=sa.BigInteger, help="不是外键：管理地的记录不在本区划")
    person: str = column("自然人标识", "", help="跨苏木乡镇迁移后不变")
    name: str = column("姓名", "", help="脱敏后的姓名")
    project_id: int | None = column(
        "补贴项目编号",
        None,
        sa_type=sa.BigInteger,
        nullable=True,
        foreign_key="subsidy_projects.id",
        help="空为全部项目",
    )
    project_name: str = column("补贴项目", "全部项目")
    reason: str = column("引用原因")
    prepared_at: datetime = moment("提出时间", ..., nullable=False)
    arrived_at: datetime | None = moment("到达时间")
    started_on: date | None = column("引用起", None, nullable=True)
    ended_on: date | None = column("引用止", None, nullable=True)
    ended_for: str = column("终止原因", "")
    household_id: int | None = column("本地虚拟户", None, sa_type=sa.BigInteger, nullable=True, help="只为清册明细而设")
    member_id: int | None = column("本地虚拟成员", None, sa_type=sa.BigInteger, nullable=True, help="只为清册明细而设")
    person_status: MemberStatus | None = column(
        "人员状态", None, sa_type=enum_type(MemberStatus, "personstatus"), nullable=True
    )
    died_on: date | None = column("死亡日期", None, nullable=True)
    account_number: str | None = column("收款账号", None, sa_type=Sealed, mask="card", nullable=True)
    account_index: bytes | None = column("账号盲索引", None, sa_type=BlindIndex, nullable=True)
    bank_name: str = column("开户银行", "")
    bank_code: str = column("联行号", "")
    account_state: str | None = column("账户状态", None, nullable=True, help="管理地登记的银行答复，空为尚未验证")
    account_is_card: bool | None = column("社会保障卡", None, nullable=True)
    account_verified_at: datetime | None = moment("账户验证时间")
    refreshed_at: datetime | None = moment("快照时间", help="最近一次从管理地取得以上内容的时间")

    __table_args__ = (
        sa.UniqueConstraint("division_code", "id"),
        sa.ForeignKeyConstraint(["division_code", "household_id"], ["households.division_code", "households.id"]),
        sa.ForeignKeyConstraint(["division_code", "member_id"], ["members.division_code", "members.id"]),
        sa.Index("ix_virtual_members_status", "division_code", "status"),
        sa.Index("ix_virtual_members_keeper", "keeper_code", "keeper_member_id"),
        sa.Index("ix_virtual_members_person", "person"),
        sa.Index("ix_virtual_members_member", "division_code", "member_id"),
        sa.Index(
            "uq_virtual_members_live",
            "division_code",
            "person",
            sa.text("coalesce(project_id, 0)"),
            unique=True,
            postgresql_where=sa.text("person <> '' and status in ('proposed', 'approved', 'in_force')"),
        ),
        county_check(),
    )
