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


class HouseholdStatus(Labelled):
    """Whether a household is kept on."""

    ACTIVE = "active", "在册"
    CLOSED = "closed", "撤销"
    VIRTUAL = "virtual", "虚拟户（管理地在外）"


class HukouKind(Labelled):
    """The kind of a household's registration."""

    RURAL = "rural", "农业（农牧区）户口"
    URBAN = "urban", "非农业（城镇）户口"
    RESIDENT = "resident", "居民户口"
    COLLECTIVE = "collective", "集体户口"
    UNKNOWN = "unknown", "未登记"


class AssetKind(Labelled):
    """The production assets a household is registered with. （第十一条）"""

    CONTRACTED_LAND = "contracted_land", "承包耕地"
    LEASED_IN = "leased_in", "流入耕地"
    LEASED_OUT = "leased_out", "流出耕地"
    EXCLUDED_LAND = "excluded_land", "不予补贴耕地"
    GRASSLAND = "grassland", "承包草原"
    FOREST = "forest", "林地"
    LIVESTOCK = "livestock", "牲畜"


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
    hukou_kind: HukouKind = column(
        "户口性质", HukouKind.UNKNOWN, sa_type=enum_type(HukouKind), server_default="unknown"
    )
    status: HouseholdStatus = column(
        "户状态", HouseholdStatus.ACTIVE, sa_type=enum_type(HouseholdStatus), server_default="active"
    )
    closed_on: date | None = column("撤销日期", None, nullable=True)
    version: int = column("版本", 1, server_default="1")
    change_id: int = column("最近变更", 0, sa_type=sa.BigInteger, server_default="0", help="写入本行的变更单")

    __table_args__ = (
        sa.UniqueConstraint("division_code", "id"),
        sa.Index(
            "ix_households_review",
            "division_code",
            "village",
            "reviewed_on",
            postgresql_where=sa.text("status = 'active'"),
        ),
        county_check(),
    )


class Member(Table, table=True):
    """One person of a household; the ID number of a current record is unique over the whole region. （第十一条）

    Whoever moves to another township gets a new record there under the same `person`; the former one stays for what
    was paid under it.
    """

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
    id_index: bytes = column("身份证盲索引", sa_type=BlindIndex)
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
    police_died_on: date | None = column("公安登记死亡日期", None, nullable=True, help="核查结果，死亡登记须经变更审核")
    left_on: date | None = column("离户日期", None, nullable=True, help="迁出、并入他人记录的日期")
    current: bool = column(
        "现存记录", True, server_default=sa.true(), help="否：已迁往其他苏木乡镇或已并入同一人的另一条记录，仅供查询"
    )
    merged_into: int | None = column("并入记录", None, sa_type=sa.BigInteger, nullable=True)
    version: int = column("版本", 1, server_default="1")
    change_id: int = column("最近变更", 0, sa_type=sa.BigInteger, server_default="0", help="写入本行的变更单")

    __table_args__ = (
        sa.UniqueConstraint("division_code", "id"),
        sa.Index("uq_members_id_index", "id_index", unique=True, postgresql_where=sa.text("current")),
        sa.Index("ix_members_person", "person"),
        sa.ForeignKeyConstraint(["division_code", "household_id"], ["households.division_code", "households.id"]),
        sa.Index("ix_members_household", "division_code", "household_id"),
        sa.Index(
            "ix_members_name_letters",
            sa.text("name_letters(county_code, name_key)"),
            postgresql_using="gin",
            postgresql_where=sa.text("current"),
        ),
        sa.Index("ix_members_checked", "identity_checked_at", postgresql_where=sa.text("current")),
        sa.Index("ix_members_gone", "division_code", "id", postgresql_where=sa.text("status <> 'alive'")),
        sa.Index(
            "ix_members_unmatched",
            "division_code",
            "id",
            postgresql_where=sa.text("identity_outcome is null or identity_outcome <> 'match'"),
        ),
        sa.Index("ix_members_former_id_index", "id_index", postgresql_where=sa.text("not current")),
        sa.Index("ix_members_merged_into", "merged_into", postgresql_where=sa.text("merged_into is not null")),
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
    kind: AssetKind = column("种类", sa_type=enum_type(AssetKind))
    quantity: Decimal = column("数量", sa_type=sa.Numeric(14, 3))
    unit: str = column("单位", "亩")
    as_of: date = column("登记日期")
    source: str = column("来源", "")
    certificate_number: str = column("权证号", "", server_default="")
    ended_on: date | None = column("注销日期", None, nullable=True)
    change_id: int = column("最近变更", 0, sa_type=sa.BigInteger, server_default="0", help="写入本行的变更单")

    __table_args__ = (
        sa.ForeignKeyConstraint(["division_code", "household_id"], ["households.division_code", "households.id"]),
        sa.Index("ix_assets_household", "division_code", "household_id", "kind"),
        county_check(),
    )
