"""The questions of the registry's forms, asked the same way everywhere, and what they offer. （第十一条）"""

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlmodel import Session

from admin.fields import MASKS
from models.base import Labelled
from models.certificates import Certificate, CertificateKind
from models.households import Asset, AssetKind, Household, HukouKind, Member, MemberStatus
from models.officers import ActingOfficer
from models.registry_changes import OF_PEOPLE
from policies.clock import today
from policies.codes import COMMON_ETHNICITIES, ETHNICITIES, HEAD, RELATIONS
from policies.lifecycles import Ask

Options = Sequence[tuple[str, str]]


def labelled(kind: type[Labelled]) -> tuple[tuple[str, str], ...]:
    """Return the values of an enum with their labels."""
    return tuple((str(one), one.label) for one in kind)


def _first(values: Mapping[str, str], first: Sequence[str]) -> tuple[tuple[str, str], ...]:
    rest = [key for key in values if key not in first]
    return tuple((key, f"{values[key]}（{key}）") for key in (*first, *rest))


REASON = Ask("reason", "变更原因", help="写明事由和依据，不要写身份证号、账号")
DAY = Ask("effective_on", "发生日期", "date", help="事实发生的日期，不是办理日期")
EVIDENCE = Ask(
    "evidence", "佐证材料", "evidence", choices=tuple((str(one), one.label) for one in OF_PEOPLE),
    help="照片、扫描件或 PDF，每份不超过 5 MB，最多 9 份；同一种材料可一次选多页",
)  # fmt: skip
MAYBE_EVIDENCE = Ask("evidence", "佐证材料", "evidence", required=False, choices=EVIDENCE.choices, help=EVIDENCE.help)
TAIL = (DAY, REASON, MAYBE_EVIDENCE)
PROVEN = (DAY, REASON, EVIDENCE)
"""What every change ends with: when, why, on what evidence."""

NAME = Ask("name", "姓名", "text", help="按身份证填写；少数民族姓名中的“·”照填")
ID_NUMBER = Ask("id_number", "身份证号", "text", help="18 位；15 位旧号自动升位")
PHONE = Ask("phone", "手机号", "text", required=False)
ETHNICITY = Ask("ethnicity", "民族", "choice", choices=_first(ETHNICITIES, COMMON_ETHNICITIES))
RELATION = Ask(
    "relation", "与户主关系", "choice",
    choices=_first({key: name for key, name in RELATIONS.items() if key not in (HEAD, "01")}, ("10", "20", "30")),
)  # fmt: skip
RELATIONS_OF = Ask(
    "relations", "其他成员与新户主的关系", "each", required=False, choices=RELATION.choices,
    help="按新户主重新填写；不变的可不选，原户主的关系可由系统推定",
)  # fmt: skip
NEXT_HEAD = Ask("head_id", "留下成员中的新户主", "row", required=False, help="户主离开本户的，须指定新户主")
HUKOU = Ask("hukou_kind", "户口性质", "choice", choices=labelled(HukouKind))
VILLAGE = Ask("village", "嘎查村", "suggest", help="可从本苏木乡镇已有的嘎查村中选择")
GROUP = Ask("group_name", "村民小组", "text", required=False)
ADDRESS = Ask("address", "住址", "text", required=False, help="到门牌或嘎查村民小组")
INTO = Ask("into_number", "转入户的户编号", "text", help="在“补贴对象（户）”中查到对方的户编号，以 H 开头")
ASSET_KIND = Ask("kind", "种类", "choice", choices=labelled(AssetKind))
CERTIFICATE_KIND = Ask("kind", "种类", "choice", choices=labelled(CertificateKind))


def members_of(session: Session, household: Any, *, but_head: bool = False) -> list[Member]:
    """Return the present, living members of a household, the head first."""
    member: Any = Member
    where = [
        member.division_code == household.division_code,
        member.household_id == household.id,
        member.current,
        member.status.in_((MemberStatus.ALIVE, MemberStatus.MISSING)),
    ]
    if but_head:
        where.append(member.relation != HEAD)
    ordered = sa.select(member).where(*where).order_by(member.relation != HEAD, member.relation, member.id)
    return list(session.execute(ordered).scalars())


def told(member: Member) -> str:
    """Return how a person is told from the others of the household, without naming them in full."""
    relation = RELATIONS.get(member.relation, member.relation)
    return f"{MASKS['name'](member.name)} · {relation} · {member.birth_date.year} 年生 · 尾号 {member.id_number[-4:]}"


def member_options(session: Session, by: ActingOfficer, household: Any) -> Options:
    """Return the household's people as choices."""
    return [(str(one.id), told(one)) for one in members_of(session, household)]


def rest_options(session: Session, by: ActingOfficer, member: Any) -> Options:
    """Return who stays when a head leaves the household; nobody to choose when another is the head."""
    if member.relation != HEAD:
        return []
    home = session.get_one(Household, member.household_id)
    return [(str(one.id), told(one)) for one in members_of(session, home) if one.id != member.id]


def others_options(session: Session, by: ActingOfficer, household: Any) -> Options:
    """Return the household's people but its head as choices."""
    return [(str(one.id), told(one)) for one in members_of(session, household, but_head=True)]


def village_options(session: Session, by: ActingOfficer, record: Any) -> Options:
    """Return the villages that the township's households name already."""
    rows = session.execute(
        sa.text(
            "select distinct village from households where division_code = :code and status = 'active'"
            " and village <> '' order by village limit 400"
        ),
        {"code": record.division_code if record is not None else by.division_code},
    )
    return [(name, name) for name in rows.scalars()]


def asset_options(session: Session, by: ActingOfficer, household: Any) -> Options:
    """Return the household's assets as choices; none chosen is a new one."""
    asset: Any = Asset
    rows = session.execute(
        sa.select(asset)
        .where(
            asset.division_code == household.division_code,
            asset.household_id == household.id,
            asset.ended_on.is_(None),
        )
        .order_by(asset.kind, asset.id)
    ).scalars()
    kept = [(str(one.id), f"{one.kind.label} {one.quantity.normalize():f} {one.unit}（{one.as_of}）") for one in rows]
    return [("0", "新登记一项"), *kept]


def certificate_options(session: Session, by: ActingOfficer, member: Any) -> Options:
    """Return the person's certificates as choices; none chosen is a new one."""
    one: Any = Certificate
    rows = session.execute(
        sa.select(one)
        .where(one.division_code == member.division_code, one.member_id == member.id, one.ended_on.is_(None))
        .order_by(one.kind, one.id)
    ).scalars()
    kept = [(str(row.id), f"{row.kind.label} {row.level}（{row.valid_from} 起）") for row in rows]
    return [("0", "新登记一项"), *kept]


def today_of(session: Session, by: ActingOfficer, record: Any, asked: Mapping[str, str]) -> Mapping[str, str]:
    """Return the business day as the day on which it happened."""
    return {"effective_on": today(session).isoformat(), "source": "入户核实", "as_of": today(session).isoformat()}


def household_now(session: Session, by: ActingOfficer, household: Household) -> Mapping[str, str]:
    """Return what is registered now and isn't put into the fields, masked."""
    address = MASKS["address"](household.address) or "未登记"
    return {"address": f"现登记：{address}。不改的请留空。"}


def member_now(session: Session, by: ActingOfficer, member: Member) -> Mapping[str, str]:
    """Return what is registered of a person now, masked."""
    phone = MASKS["phone"](member.phone) if member.phone else "未登记"
    return {
        "phone": f"现登记：{phone}。不改的请留空。",
        "name": f"现登记：{MASKS['name'](member.name)}。不改的请留空。",
        "id_number": f"现登记：{MASKS['id'](member.id_number)}。不改的请留空。",
    }


def asset_present(session: Session, by: ActingOfficer, household: Any, asked: Mapping[str, str]) -> Mapping[str, str]:
    """Return what the chosen asset says now; of a new one only the day."""
    fresh = dict(today_of(session, by, household, asked))
    asset = _chosen(session, Asset, household, "household_id", asked.get("asset_id", ""))
    if asset is None:
        return fresh | {"asset_id": "0", "unit": "亩"}
    return fresh | {
        "asset_id": str(asset.id), "kind": str(asset.kind), "quantity": f"{asset.quantity.normalize():f}",
        "unit": asset.unit, "source": asset.source, "certificate_number": asset.certificate_number,
    }  # fmt: skip


def certificate_present(
    session: Session, by: ActingOfficer, member: Any, asked: Mapping[str, str]
) -> Mapping[str, str]:
    """Return what the chosen certificate says now, but its number."""
    fresh = dict(today_of(session, by, member, asked)) | {"certificate_id": "0"}
    found = _chosen(session, Certificate, member, "member_id", asked.get("certificate_id", ""))
    if found is None:
        return fresh
    return fresh | {
        "certificate_id": str(found.id), "kind": str(found.kind), "level": found.level,
        "valid_from": found.valid_from.isoformat(), "valid_to": found.valid_to.isoformat() if found.valid_to else "",
    }  # fmt: skip


def _chosen(session: Session, model: Any, record: Any, key: str, number: str) -> Any:
    if not (number.isascii() and number.isdigit() and len(number) < 19):
        return None
    return session.execute(
        sa.select(model).where(
            model.division_code == record.division_code, getattr(model, key) == record.id, model.id == int(number)
        )
    ).scalar_one_or_none()
