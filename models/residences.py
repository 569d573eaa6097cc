"""Who lived in which household when: history that no change of the registry wipes out. （第十一条）"""

from datetime import date
from typing import ClassVar

import sqlalchemy as sa

from models.base import Table, column, county_check, division, enum_type, identity
from models.registry_changes import ChangeKind


class Residence(Table, table=True):
    """One person's stay in one household, half-open: from `from_on` until before `until_on` (None: still there)."""

    __tablename__ = "residences"
    __title__: ClassVar[str] = "居住经历"

    id: int | None = identity()
    division_code: str = division("苏木乡镇")
    county_code: str = division("旗县")
    household_id: int = column("户", sa_type=sa.BigInteger)
    member_id: int = column("成员", sa_type=sa.BigInteger)
    person: str = column("自然人标识", help="跨苏木乡镇迁移后不变")
    relation: str = column("与户主关系", help="GB/T 4761")
    from_on: date = column("起")
    until_on: date | None = column("止", None, nullable=True, help="不含当日；空为至今")
    began_by: ChangeKind = column("入户原因", sa_type=enum_type(ChangeKind))
    ended_by: ChangeKind | None = column("离户原因", None, sa_type=enum_type(ChangeKind, "residenceend"), nullable=True)
    change_id: int = column("变更单", 0, sa_type=sa.BigInteger, help="最近写入本行的变更单")

    __table_args__ = (
        sa.ForeignKeyConstraint(["division_code", "household_id"], ["households.division_code", "households.id"]),
        sa.ForeignKeyConstraint(["division_code", "member_id"], ["members.division_code", "members.id"]),
        sa.Index("ix_residences_household", "division_code", "household_id", "from_on"),
        sa.Index("ix_residences_member", "division_code", "member_id"),
        sa.Index("ix_residences_person", "person"),
        sa.Index("uq_residences_open", "person", unique=True, postgresql_where=sa.text("until_on is null")),
        sa.CheckConstraint("until_on is null or until_on >= from_on", name="period"),
        county_check(),
    )
