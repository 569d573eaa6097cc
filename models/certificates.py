"""Certificates and facts about persons that rules ask for, each with validity and provenance. （第十一、二十九条）"""

from datetime import date
from typing import ClassVar

import sqlalchemy as sa

from models.base import Labelled, Table, column, county_check, division, enum_type, identity
from models.crypto import Sealed


class CertificateKind(Labelled):
    """What a certificate attests."""

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


class Certificate(Table, table=True):
    """One certificate or attested fact of a person."""

    __tablename__ = "certificates"
    __title__: ClassVar[str] = "证件与资格"

    id: int | None = identity()
    division_code: str = division("苏木乡镇")
    county_code: str = division("旗县")
    member_id: int = column("成员", sa_type=sa.BigInteger)
    kind: CertificateKind = column("种类", sa_type=enum_type(CertificateKind))
    number: str = column("证号", "", sa_type=Sealed, mask="id")
    level: str = column("等级或类别", "", help="如残疾类别和等级")
    valid_from: date = column("有效期起")
    valid_to: date | None = column("有效期止", None, nullable=True, help="空为长期")
    source: str = column("来源", "township", help="township 或共享部门代码（第二十九条）")
    as_of: date = column("数据日期")
    ended_on: date | None = column("注销日期", None, nullable=True)
    change_id: int = column("最近变更", 0, sa_type=sa.BigInteger, server_default="0", help="写入本行的变更单")

    __table_args__ = (
        sa.ForeignKeyConstraint(["division_code", "member_id"], ["members.division_code", "members.id"]),
        sa.Index("ix_certificates_member", "division_code", "member_id", "kind"),
        county_check(),
    )
