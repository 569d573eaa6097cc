"""Changes of production assets and certificates: dated, sourced, ended rather than deleted. （第十一、二十九条）"""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Any

from sqlmodel import Session

from models.certificates import Certificate, CertificateKind
from models.households import Asset, AssetKind, Household, Member
from models.officers import ActingOfficer
from models.registry_changes import ChangeKind, RegistryChange
from policies.clock import today
from policies.identities import mask_id
from policies.person_fields import FieldWrong, a_day, a_quantity, a_text
from policies.refusals import NotFound
from workflows.attachments import Evidence
from workflows.change_rules import require_active, require_member
from workflows.registry_changes import About, Draft, plan_change, planned

UNITS = ("亩", "头", "只", "匹", "峰", "口", "羽", "羊单位", "棵", "平方米")
DIGITS = 3


def change_asset(
    session: Session, household: Household, *, by: ActingOfficer, kind: str, quantity: Decimal | str, as_of: date,
    source: str, reason: str, unit: str = "亩", certificate_number: str = "", asset_id: int = 0, ended: bool = False,
    evidence: Sequence[Evidence] = (), effective_on: date | None = None,
) -> RegistryChange:  # fmt: skip
    """Propose a new asset (asset_id 0), another quantity of one, or its end. （第十一条）

    Raises HouseholdNotActive, FieldWrong, NotFound, NothingChanges.
    """
    asked = {
        "kind": kind, "quantity": str(quantity), "unit": unit, "as_of": as_of, "source": source,
        "certificate_number": certificate_number, "asset_id": int(asset_id or 0), "ended": ended,
    }  # fmt: skip
    return plan_change(session, ChangeKind.ASSET, by=by, reason=reason, evidence=evidence, effective_on=effective_on,
                       household=household, asked=asked)  # fmt: skip


@planned(ChangeKind.ASSET)
def plan_asset(
    session: Session, about: About, kind: str, quantity: str, unit: str, as_of: str, source: str,
    certificate_number: str, asset_id: int, ended: bool,
) -> Draft:  # fmt: skip
    """Draft a production asset."""
    if about.household is None:
        raise LookupError("an asset names no household")
    home = require_active(about.household)
    old = _own(session.get(Asset, asset_id, populate_existing=True), home) if asset_id else None
    values = _asset(session, about, kind, quantity, unit, as_of, source, certificate_number)
    if ended and old is not None:
        values["ended_on"] = about.day

    def write(session: Session, change: RegistryChange, by: ActingOfficer) -> None:
        row = old or Asset(division_code=home.division_code, county_code=home.county_code, household_id=home.id or 0,
                           **values)  # fmt: skip
        for name, value in values.items():
            setattr(row, name, value)
        row.change_id = change.id or 0
        session.add(row)

    after = _shown_asset(values) | ({"注销日期": about.day.isoformat()} if "ended_on" in values else {})
    before = _shown_asset({name: getattr(old, name) for name in values}) if old is not None else {}
    return Draft(after, write, before)


def _own(asset: Asset | None, home: Household) -> Asset:
    if asset is None or asset.household_id != home.id or asset.ended_on is not None:
        raise NotFound
    return asset


def _asset(
    session: Session, about: About, kind: str, quantity: str, unit: str, as_of: str, source: str, number: str
) -> dict[str, Any]:
    if kind not in list(AssetKind):
        raise FieldWrong(field="种类", problem="不是可选的类别", remedy="请从列表中选择")
    if unit not in UNITS:
        raise FieldWrong(field="单位", problem="不是可选的单位", remedy=f"请从 {'、'.join(UNITS)} 中选择")
    words = a_text(source, "来源", 100)
    if not words:
        raise FieldWrong(field="来源", problem="没有填写", remedy="请填写数据来源，如二轮承包合同、草畜核查")
    day = _past(session, as_of, "登记日期")
    return {
        "kind": AssetKind(kind), "quantity": a_quantity(quantity), "unit": unit, "as_of": day,
        "source": words, "certificate_number": a_text(number, "权证号", 60),
    }  # fmt: skip


def _past(session: Session, value: Any, field: str) -> date:
    day = a_day(value, field)
    if day > today(session):
        raise FieldWrong(field=field, problem="晚于今天", remedy="请核对日期")
    return day


def _shown_asset(values: dict[str, Any]) -> dict[str, str]:
    return {
        "种类": AssetKind(values["kind"]).label,
        "数量": f"{Decimal(values['quantity']).quantize(Decimal(10) ** -DIGITS)} {values['unit']}",
        "登记日期": values["as_of"].isoformat(),
        "来源": values["source"],
        "权证号": values["certificate_number"],
    }


def change_certificate(
    session: Session, member: Member, *, by: ActingOfficer, kind: str, number: str, valid_from: date, reason: str,
    level: str = "", valid_to: date | None = None, source: str = "township", certificate_id: int = 0,
    ended: bool = False, evidence: Sequence[Evidence] = (), effective_on: date | None = None,
) -> RegistryChange:  # fmt: skip
    """Propose a new certificate (certificate_id 0), other facts of one, or its end. （第十一条）

    Raises MemberNotHere, FieldWrong, NotFound, NothingChanges.
    """
    asked = {
        "kind": kind, "number": number, "level": level, "valid_from": valid_from, "valid_to": valid_to,
        "source": source, "certificate_id": int(certificate_id or 0), "ended": ended,
    }  # fmt: skip
    return plan_change(session, ChangeKind.CERTIFICATE, by=by, reason=reason, evidence=evidence,
                       effective_on=effective_on, member=member, asked=asked)  # fmt: skip


@planned(ChangeKind.CERTIFICATE)
def plan_certificate(
    session: Session, about: About, kind: str, number: str, level: str, valid_from: str, valid_to: str | None,
    source: str, certificate_id: int, ended: bool,
) -> Draft:  # fmt: skip
    """Draft a certificate of a person."""
    member = require_member(about.member, ChangeKind.CERTIFICATE.label)
    old = session.get(Certificate, certificate_id, populate_existing=True) if certificate_id else None
    if certificate_id and (old is None or old.member_id != member.id or old.ended_on is not None):
        raise NotFound
    values = _certificate(about, kind, number, level, valid_from, valid_to, source)
    if ended and old is not None:
        values["ended_on"] = about.day

    def write(session: Session, change: RegistryChange, by: ActingOfficer) -> None:
        row = old or Certificate(division_code=member.division_code, county_code=member.county_code,
                                 member_id=member.id or 0, as_of=about.day, **values)  # fmt: skip
        for name, value in values.items():
            setattr(row, name, value)
        row.as_of, row.change_id = about.day, change.id or 0
        session.add(row)

    after = _shown_certificate(values) | ({"注销日期": about.day.isoformat()} if "ended_on" in values else {})
    before = _shown_certificate({name: getattr(old, name) for name in values}) if old is not None else {}
    return Draft(after, write, before)


def _certificate(
    about: About, kind: str, number: str, level: str, valid_from: str, valid_to: str | None, source: str
) -> dict[str, Any]:
    if kind not in list(CertificateKind):
        raise FieldWrong(field="种类", problem="不是可选的类别", remedy="请从列表中选择")
    since = a_day(valid_from, "有效期起")
    until = a_day(valid_to, "有效期止") if valid_to else None
    if until is not None and until < since:
        raise FieldWrong(field="有效期止", problem="早于有效期起", remedy="请对照证件核对有效期；长期有效的留空")
    return {
        "kind": CertificateKind(kind), "number": a_text(number, "证号", 60), "level": a_text(level, "等级或类别", 60),
        "valid_from": since, "valid_to": until, "source": a_text(source, "来源", 60) or "township",
    }  # fmt: skip


def _shown_certificate(values: dict[str, Any]) -> dict[str, str]:
    return {
        "种类": CertificateKind(values["kind"]).label,
        "证号": mask_id(values["number"]),
        "等级或类别": values["level"],
        "有效期起": values["valid_from"].isoformat(),
        "有效期止": values["valid_to"].isoformat() if values["valid_to"] else "长期",
    }
