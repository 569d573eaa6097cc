"""The villages that households name: a short list to search by a part of a village's name. （第十一条）"""

from typing import ClassVar

import sqlalchemy as sa

from models.base import Table, column, county_check, division, identity


class Village(Table, table=True):
    """One village's name as households of a township give it; written by a trigger of `households` only."""

    __tablename__ = "villages"
    __title__: ClassVar[str] = "嘎查村名称"

    id: int | None = identity()
    division_code: str = division("苏木乡镇")
    county_code: str = division("旗县")
    name: str = column("嘎查村")

    __table_args__ = (sa.UniqueConstraint("division_code", "name"), county_check())
