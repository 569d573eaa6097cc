"""Divisions: region, leagues, counties, townships and villages. （第四条）"""

from typing import ClassVar

from models.base import DivisionCode, Labelled, RowScope, Table, column, enum_type


class Level(Labelled):
    """The level of a division, of an organisation, or of a policy."""

    REGION = "region", "自治区"
    LEAGUE = "league", "盟市"
    COUNTY = "county", "旗县（市、区）"
    TOWNSHIP = "township", "苏木乡镇（街道）"
    VILLAGE = "village", "嘎查村（社区）"


class Division(Table, table=True):
    """One division by its 12-digit statistical code."""

    __tablename__ = "divisions"
    __row_scope__: ClassVar[RowScope] = RowScope.REFERENCE
    __title__: ClassVar[str] = "区划"

    code: str = column("区划代码", sa_type=DivisionCode, primary_key=True)
    name: str = column("名称")
    level: Level = column("级别", sa_type=enum_type(Level))
    parent_code: str | None = column("上级代码", None, sa_type=DivisionCode, nullable=True, index=True)
    code_standard: str = column("代码标准", "", help="gb2260、gb10114 或统计代码")
    note: str = column("说明", "")
    region_direct_finance: bool = column("财政直管", False, help="满洲里、二连浩特的财政由自治区直接管理")
    hidden: bool = column("停用", False, help="统计用区，启用前不出现在下拉框")
    pinyin_key: str = column("拼音排序键", "", help="汉字排序用，写入时计算")


def scope_range(code: str, level: Level) -> tuple[str, str]:
    """Return the half-open range of codes beneath a division: the region is simply the widest one."""
    match level:
        case Level.REGION:
            return "0", ":"
        case Level.LEAGUE:
            prefix = code[:4]
        case Level.COUNTY:
            prefix = code[:6]
        case Level.TOWNSHIP:
            prefix = code[:9]
        case Level.VILLAGE:
            prefix = code
    return prefix, prefix[:-1] + chr(ord(prefix[-1]) + 1)
