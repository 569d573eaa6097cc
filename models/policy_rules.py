"""The Casbin policy as rows; every change raises the version that each process checks (DESIGN D3).

The application's role only reads them: a change comes into force through `policy_enable` (models/policy_changes.py).
"""

from typing import ClassVar

import sqlalchemy as sa

from models.base import RowScope, Table, column, identity


class PolicyRule(Table, table=True):
    """One allow or deny line: role, level, organisation kind, object, verb, effect."""

    __tablename__ = "policy_rules"
    __row_scope__: ClassVar[RowScope] = RowScope.REFERENCE
    __title__: ClassVar[str] = "权限策略"

    id: int | None = identity()
    role: str = column("岗位")
    level: str = column("级别")
    kind: str = column("机构类别")
    object: str = column("对象")
    action: str = column("动作")
    effect: str = column("效力", "allow")

    __table_args__ = (
        sa.UniqueConstraint("role", "level", "kind", "object", "action", "effect"),
        sa.CheckConstraint("effect in ('allow', 'deny')", name="effect"),
    )


class PolicyVersion(Table, table=True):
    """One row: the number of the policy in force, raised by a trigger with every change of the rules."""

    __tablename__ = "policy_version"
    __row_scope__: ClassVar[RowScope] = RowScope.REFERENCE
    __title__: ClassVar[str] = "策略版本"

    id: int = column("编号", 1, sa_type=sa.Integer, primary_key=True)
    version: int = column("版本", 1)
    stamp: int = column(
        "版本标记",
        0,
        sa_type=sa.BigInteger,
        server_default="0",
        help="历史版本的编号，回滚后也不重复，各进程据此判断是否须重新装入",
    )
