"""The registry: households, their members and production assets. （第十一条）"""

import secrets
from datetime import date, datetime
from decimal import Decimal
from functools import partial
from typing import ClassVar

import sqlalchemy as sa

from models.base import Labelled, Table, column, county_check, division, enum_type, identity, moment
from models.crypto import BlindIndex, Sealed


class MemberStatus(Labelled):
    """What is known of a person."""

    ALIVE = "alive", "正常"
    DEAD = "dead", "死亡"
    MISSING = "missing", "失踪"
    MOVED = "moved", "迁出"


class IdentityOutcome(Labelled):
    """The answer of the police network check. （第十六条第一项）"""

    MATCH = "match", "一致"
    MISMATCH = "mismatch", "不一致"
    DEAD = "dead", "死亡"
    NOT_FOUND = "not_found", "查无此人"


class Household(Table, table=True):
    """One household kept by a township."""

    __tablename__ = "households"
    __title__: ClassVar[str] = "补贴对象（户）"

    id: int | None = identity()
    division_code: str = division("苏木乡镇")
    county_code: str = division("旗县")
    number: str = column("户编号", unique=True)
    head_name: str = column("户主姓名", mask="name")
    village_code: str = column("嘎查村代码", "")
    village: str = column("嘎查村", "")
    group_name: str = column("村民小组", "")
    address: str = column("住址", "", mask="address")
    reviewed_on: date | None = column("最近复核日期", None, nullable=True)

    __table_args__ = (sa.UniqueConstraint("division_code", "id"), county_check())


class Member(Table, table=True):
    """One person of a household; the ID number is unique over the whole region."""

    __tablename__ = "members"
    __title__: ClassVar[str] = "家庭成员"

    id: int | None = identity()
    division_code: str = division("苏木乡镇")
    county_code: str = division("旗县")
    household_id: int = column("户", sa_type=sa.BigInteger)
    person: str = column(
        "自然人标识",
        default_factory=partial(secrets.token_hex, 16),
        server_default=sa.text("encode(uuid_send(gen_random_uuid()), 'hex')"),
        help="随机，用于发放权，不随密钥变化",
    )
    name: str = column("姓名", mask="name")
    name_key: str = column("姓名比对键", help="规范化后的姓名，仅供比对")
    id_number: str = column("身份证号", sa_type=Sealed, mask="id")
    id_index: bytes = column("身份证盲索引", sa_type=BlindIndex, unique=True)
    birth_date: date = column("出生日期")
    sex: str = column("性别", help="GB/T 2261.1")
    relation: str = column("与户主关系", help="GB/T 4761")
    ethnicity: str = column("民族", "01", help="GB/T 3304")
    phone: str | None = column("手机号", None, sa_type=Sealed, mask="phone", nullable=True)
    phone_index: bytes | None = column("手机号盲索引", None, sa_type=BlindIndex, nullable=True, index=True)
    status: MemberStatus = column("人员状态", MemberStatus.ALIVE, sa_type=enum_type(MemberStatus))
    died_on: date | None = column("死亡日期", None, nullable=True)
    added_on: date = column("入库日期")
    identity_outcome: IdentityOutcome | None = column(
        "核查结果", None, sa_type=enum_type(IdentityOutcome), nullable=True
    )
    identity_checked_at: datetime | None = moment("核查时间")

    __table_args__ = (
        sa.UniqueConstraint("division_code", "id"),
        sa.ForeignKeyConstraint(["division_code", "household_id"], ["households.division_code", "households.id"]),
        sa.Index("ix_members_household", "division_code", "household_id"),
        county_check(),
    )


class Asset(Table, table=True):
    """A production asset of a household, dated and sourced: contracted land, grassland, livestock."""

    __tablename__ = "assets"
    __title__: ClassVar[str] = "家庭生产资料"

    id: int | None = identity()
    division_code: str = division("苏木乡镇")
    county_code: str = division("旗县")
    household_id: int = column("户", sa_type=sa.BigInteger)
    kind: str = column("种类", help="contracted_land、leased_in、leased_out、excluded_land、grassland、livestock")
    quantity: Decimal = column("数量", sa_type=sa.Numeric(14, 3))
    unit: str = column("单位", "亩")
    as_of: date = column("登记日期")
    source: str = column("来源", "")

    __table_args__ = (
        sa.ForeignKeyConstraint(["division_code", "household_id"], ["households.division_code", "households.id"]),
        sa.Index("ix_assets_household", "division_code", "household_id", "kind"),
        county_check(),
    )
