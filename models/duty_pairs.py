"""Pairs of duties that one person may not unite: statutory ones fixed, more added by two officers. （第二十三条）"""

from datetime import datetime
from typing import ClassVar

import sqlalchemy as sa

from models.base import Labelled, RowScope, Table, column, division, enum_type, identity, moment


class DutyKind(Labelled):
    """What the two sides of a pair are."""

    ROLE = "role", "岗位"
    PERMISSION = "permission", "权限"


class DutyWithin(Labelled):
    """How far a pair reaches."""

    RECORD = "record", "同一记录"
    ORGANISATION = "organisation", "同一机构"
    ANYWHERE = "anywhere", "任何机构"


class DutyPairStatus(Labelled):
    """The life of an added pair; a statutory one is in force for ever."""

    PROPOSED = "proposed", "待复核"
    IN_FORCE = "in_force", "已启用"
    ENDING = "ending", "待复核终止"
    ENDED = "ended", "已终止"
    REFUSED = "refused", "未通过"


class DutyPair(Table, table=True):
    """Two duties that exclude each other; it binds the posts of its division and beneath. （第二十三条）"""

    __tablename__ = "duty_pairs"
    __row_scope__: ClassVar[RowScope] = RowScope.DOWNWARD
    __title__: ClassVar[str] = "不相容岗位"

    id: int | None = identity()
    division_code: str = division()
    title: str = column("名称")
    kind: DutyKind = column("类别", sa_type=enum_type(DutyKind))
    one: str = column("一方", help="岗位代码，可加机构类别，如 clerk@finance、*@bank；或权限代码，如 roster:pass")
    other: str = column("另一方", help="写法与“一方”相同")
    within: DutyWithin = column("范围", sa_type=enum_type(DutyWithin))
    basis: str = column("依据")
    statutory: bool = column("法定", False, help="法定的不能修改、终止或删除")
    status: DutyPairStatus = column("状态", DutyPairStatus.PROPOSED, sa_type=enum_type(DutyPairStatus))
    version: int = column("版本", 1)
    arrived_at: datetime = moment("到达时间", ..., nullable=False)
    proposed_by: str = column("拟定人", "", help="自然人标识")
    confirmed_by: str | None = column("复核人", None, nullable=True, help="自然人标识，与拟定人不同")
    end_proposed_by: str | None = column("拟终止人", None, nullable=True, help="自然人标识")
    ended_by: str | None = column("终止复核人", None, nullable=True, help="自然人标识，与拟终止人不同")

    __table_args__ = (
        sa.Index(
            "uq_duty_pairs_live",
            "division_code",
            "kind",
            "one",
            "other",
            "within",
            unique=True,
            postgresql_where=sa.text("status in ('proposed', 'in_force', 'ending')"),
        ),
        sa.CheckConstraint("one <> other", name="two"),
        sa.CheckConstraint("not statutory or status = 'in_force'", name="statutory"),
        sa.CheckConstraint(
            "statutory or status in ('proposed', 'refused') or confirmed_by is not null", name="confirmed"
        ),
        sa.CheckConstraint("confirmed_by is null or confirmed_by <> proposed_by", name="second_officer"),
        sa.CheckConstraint(
            "status <> 'ended' or (ended_by is not null and end_proposed_by is not null"
            " and ended_by <> end_proposed_by)",
            name="ended_by_second",
        ),
    )
