"""Delegations for absence: a colleague acts in somebody's post for a time, never with more than it. （第二十三条）"""

from datetime import date, datetime
from typing import ClassVar

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, ExcludeConstraint

from models.base import Labelled, Table, column, division, enum_type, identity, moment


class DelegationStatus(Labelled):
    """Whether a delegation still carries rights inside its dates."""

    IN_FORCE = "in_force", "有效"
    REVOKED = "revoked", "已撤销"
    ENDED = "ended", "已提前结束"


class Delegation(Table, table=True):
    """A post lent to a colleague from one day to another; it ends by itself at its date or with the post."""

    __tablename__ = "delegations"
    __title__: ClassVar[str] = "委托代办"

    id: int | None = identity()
    division_code: str = division()
    post_id: int = column("委托的岗位", sa_type=sa.BigInteger, index=True)
    holder_id: int = column("委托人用户", sa_type=sa.BigInteger, foreign_key="officers.id", index=True)
    officer_id: int = column("受托人用户", sa_type=sa.BigInteger, foreign_key="officers.id", index=True)
    title: str = column("委托岗位")
    holder: str = column("委托人")
    delegate: str = column("受托人")
    valid_from: date = column("委托起")
    valid_to: date = column("委托止")
    permissions: list[str] | None = column(
        "委托权限", None, sa_type=ARRAY(sa.Text), nullable=True, help="空为该岗位的全部权限"
    )
    reason: str = column("事由")
    status: DelegationStatus = column("状态", DelegationStatus.IN_FORCE, sa_type=enum_type(DelegationStatus))
    version: int = column("版本", 1)
    arrived_at: datetime | None = moment("委托时间")

    __table_args__ = (
        sa.ForeignKeyConstraint(["division_code", "post_id"], ["posts.division_code", "posts.id"]),
        sa.CheckConstraint("valid_from <= valid_to", name="dates"),
        sa.CheckConstraint("officer_id <> holder_id", name="other"),
        ExcludeConstraint(
            (sa.text("int8range(post_id, post_id, '[]')"), "&&"),
            (sa.text("daterange(valid_from, valid_to, '[]')"), "&&"),
            using="gist",
            where=sa.text("status = 'in_force'"),
            name="ex_delegations_one_at_a_time",
        ),
    )
