"""Exchange with other departments: the twelve bodies, their batches and what they have told. （第二十九条）

Who may tell what is a row; the key that a body signs with stands apart in a table that only functions reach. A batch
is staged without an identity number (a blind index) and without a name (a digest), and the staged rows are gone as
soon as it has been applied; what a body says of a person stays as a fact with its source and its date.
"""

from datetime import date, datetime
from decimal import Decimal
from typing import Any, ClassVar

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from models.base import (
    DivisionCode,
    Labelled,
    RowScope,
    Table,
    column,
    county_check,
    division,
    enum_type,
    identity,
    moment,
)
from models.crypto import BlindIndex, Sealed


class FactKind(Labelled):
    """What a body may tell of a person: a certificate, a state, an area or a number."""

    DISABILITY = "disability", "残疾证"
    RURAL_ALLOWANCE = "rural_allowance", "农村牧区低保"
    URBAN_ALLOWANCE = "urban_allowance", "城市低保"
    EXTREME_POVERTY = "extreme_poverty", "特困供养"
    ORPHAN = "orphan", "孤儿（含事实无人抚养）"
    VETERAN = "veteran", "退役军人、优抚"
    FAMILY_PLANNING = "family_planning", "计划生育奖扶特扶"
    RANGER = "ranger", "护林员、草管员、护边员"
    PUBLIC_JOB = "public_job", "公益性岗位"
    DIFFICULTY = "difficulty", "防返贫监测对象"
    HOUSING = "housing", "住房保障"
    TAX = "tax", "经营主体、纳税登记"
    OTHER = "other", "其他"
    PERSON = "person", "户籍人口状态"
    DEATH = "death", "死亡信息"
    CONTRACTED_LAND = "contracted_land", "承包耕地"
    LEASED_IN = "leased_in", "流入耕地"
    LEASED_OUT = "leased_out", "流出耕地"
    EXCLUDED_LAND = "excluded_land", "不予补贴耕地"
    GRASSLAND = "grassland", "承包草原"
    FOREST = "forest", "林地"
    LIVESTOCK = "livestock", "牲畜"


class Conflict(Labelled):
    """In what a body's fact differs from what the township has registered."""

    LEVEL = "level", "等级或类别不一致"
    VALIDITY = "validity", "有效期不一致"
    ENDED = "ended", "部门已注销，登记仍有效"
    NAME = "name", "姓名不一致"
    DEAD = "dead", "部门登记死亡，登记为在世"
    ALIVE = "alive", "部门登记在世，登记为死亡"
    AREA = "area", "面积、数量差异超出允许范围"


class BatchState(Labelled):
    """Where a batch stands."""

    RECEIVED = "received", "已接收，待处理"
    APPLIED = "applied", "已处理"


class ExchangeBody(Table, table=True):
    """One of the twelve bodies of Article 29."""

    __tablename__ = "exchange_bodies"
    __row_scope__: ClassVar[RowScope] = RowScope.REFERENCE
    __title__: ClassVar[str] = "共享部门"

    id: int | None = identity()
    code: str = column("部门代码", unique=True)
    name: str = column("部门")
    kinds: list[str] = column("可提供的信息", sa_type=ARRAY(sa.Text()))
    enabled: bool = column("接口启用", False, server_default=sa.false())
    fresh_days: int = column("更新周期", 100, unit="天", server_default="100", help="超过即提示数据陈旧")
    key_set_at: datetime | None = moment("密钥启用时间")
    last_number: int = column("最近批次号", 0, sa_type=sa.BigInteger, server_default="0")
    last_received_at: datetime | None = moment("最近接收时间")
    last_applied_at: datetime | None = moment("最近处理时间")
    last_as_of: date | None = column("最近数据日期", None, nullable=True)


class ExchangeKey(Table, table=True):
    """The key that a body signs with; only functions reach it. （第三十条）"""

    __tablename__ = "exchange_keys"
    __row_scope__: ClassVar[RowScope] = RowScope.CLOSED
    __title__: ClassVar[str] = "共享接口密钥"

    body_id: int = column("部门", sa_type=sa.BigInteger, primary_key=True, foreign_key="exchange_bodies.id")
    key: str = column("接口密钥", sa_type=Sealed)


class ExchangeNonce(Table, table=True):
    """A request that has been admitted: it is admitted once, and counted."""

    __tablename__ = "exchange_nonces"
    __row_scope__: ClassVar[RowScope] = RowScope.CLOSED
    __title__: ClassVar[str] = "共享接口请求"

    body_id: int = column("部门", sa_type=sa.BigInteger, primary_key=True, foreign_key="exchange_bodies.id")
    nonce: str = column("随机串", primary_key=True)
    admitted_at: datetime = moment("接收时间", ..., nullable=False)


class ExchangeBatch(Table, table=True):
    """One batch as received: its counts and row numbers, nobody's data."""

    __tablename__ = "exchange_batches"
    __row_scope__: ClassVar[RowScope] = RowScope.REFERENCE
    __title__: ClassVar[str] = "共享批次"

    id: int | None = identity()
    body_id: int = column("部门", sa_type=sa.BigInteger, foreign_key="exchange_bodies.id")
    body_name: str = column("部门名称")
    number: int = column("批次号", sa_type=sa.BigInteger)
    receipt: str = column("回执号", unique=True)
    digest: str = column("内容摘要", help="SHA-256，同号同内容返回同一回执")
    status: BatchState = column("状态", BatchState.RECEIVED, sa_type=enum_type(BatchState))
    row_count: int = column("行数", unit="行")
    applied_count: int = column("已更新", 0, unit="行", server_default="0")
    unchanged_count: int = column("无变化", 0, unit="行", server_default="0")
    older_count: int = column("较旧未采用", 0, unit="行", server_default="0")
    unknown_count: int = column("不在库", 0, unit="行", server_default="0", help="只计数并反馈行号，不新建人员")
    conflict_count: int = column("与登记不一致", 0, unit="行", server_default="0")
    outcomes: dict[str, Any] = column("行号", default_factory=dict, sa_type=JSONB, help="各类结果的行号，不含个人信息")
    missing: list[int] = column("缺号", default_factory=list, sa_type=ARRAY(sa.BigInteger()))
    last_as_of: date | None = column("数据日期", None, nullable=True)
    received_at: datetime = moment("接收时间", ..., nullable=False)
    applied_at: datetime | None = moment("处理时间")

    __table_args__ = (
        sa.UniqueConstraint("body_id", "number"),
        sa.Index("ix_exchange_batches_waiting", "received_at", postgresql_where=sa.text("status = 'received'")),
    )


class ExchangeRow(Table, table=True):
    """A staged row; deleted in the transaction that applies its batch. （第三十条）"""

    __tablename__ = "exchange_rows"
    __row_scope__: ClassVar[RowScope] = RowScope.CLOSED
    __title__: ClassVar[str] = "共享批次暂存行"

    batch_id: int = column("批次", sa_type=sa.BigInteger, primary_key=True, foreign_key="exchange_batches.id")
    row_number: int = column("行号", primary_key=True)
    id_index: bytes = column("身份证盲索引", sa_type=BlindIndex)
    name_digest: bytes | None = column("姓名摘要", None, sa_type=sa.LargeBinary, nullable=True)
    kind: FactKind = column("信息种类", sa_type=enum_type(FactKind))
    number: str = column("证号", "", sa_type=Sealed)
    level: str = column("等级或类别", "")
    quantity: Decimal | None = column("数量", None, sa_type=sa.Numeric(14, 3), nullable=True)
    state: str = column("人员状态", "")
    died_on: date | None = column("死亡日期", None, nullable=True)
    valid_from: date | None = column("有效期起", None, nullable=True)
    valid_to: date | None = column("有效期止", None, nullable=True)
    ended: bool = column("注销", False)
    as_of: date = column("数据日期")
    place: str | None = column("苏木乡镇", None, sa_type=DivisionCode, nullable=True)
    member_id: int | None = column("成员", None, sa_type=sa.BigInteger, nullable=True)
    outcome: str = column("结果", "", server_default="")


class ExchangeFact(Table, table=True):
    """The newest that one body has said of one person: source, date, and whether the registration differs."""

    __tablename__ = "exchange_facts"
    __title__: ClassVar[str] = "共享信息"

    id: int | None = identity()
    division_code: str = division("苏木乡镇")
    county_code: str = division("旗县")
    member_id: int = column("成员", sa_type=sa.BigInteger)
    source: str = column("来源", help="共享部门代码（第二十九条）")
    kind: FactKind = column("信息种类", sa_type=enum_type(FactKind))
    level: str = column("等级或类别", "")
    quantity: Decimal | None = column("数量", None, sa_type=sa.Numeric(14, 3), nullable=True)
    state: str = column("人员状态", "")
    died_on: date | None = column("死亡日期", None, nullable=True)
    valid_from: date | None = column("有效期起", None, nullable=True)
    valid_to: date | None = column("有效期止", None, nullable=True)
    ended: bool = column("注销", False)
    as_of: date = column("数据日期")
    batch_id: int = column("批次", sa_type=sa.BigInteger)
    conflict: Conflict | None = column(
        "与登记的差异", None, sa_type=enum_type(Conflict), nullable=True, help="登记值不被覆盖，由苏木乡镇核实"
    )

    __table_args__ = (
        sa.ForeignKeyConstraint(["division_code", "member_id"], ["members.division_code", "members.id"]),
        sa.UniqueConstraint("division_code", "member_id", "source", "kind"),
        sa.Index("ix_exchange_facts_conflict", "division_code", postgresql_where=sa.text("conflict is not null")),
        county_check(),
    )


class ExchangeCoverage(Table, table=True):
    """How much a body has told of a county."""

    __tablename__ = "exchange_coverage"
    __title__: ClassVar[str] = "共享信息覆盖"

    division_code: str = division("旗县", primary_key=True)
    source: str = column("来源", primary_key=True)
    fact_count: int = column("信息条数", sa_type=sa.BigInteger)
    last_as_of: date = column("最近数据日期")
