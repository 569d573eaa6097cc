"""A project's definition as people read it, and what differs between two of them. （第七条、第二十六条）"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from models.projects import PolicyLevel
from policies.definitions import (
    Definition,
    ExclusionSubject,
    FundingObject,
    PayeeMode,
    PeriodKind,
    Publicness,
    Rounding,
    StandardSetter,
    parse,
)
from policies.formulas.fields import properties
from policies.refusals import Refused
from workflows.project_sheets import BASE_PUBLIC, TYPES, YES, sheet_of

PUBLIC_TITLES = dict(
    zip(BASE_PUBLIC, ("姓名", "身份证号", "嘎查村", "数量", "补贴标准", "补贴金额"), strict=True)
)  # fmt: skip
NONE = "—"


@dataclass(frozen=True)
class Fact:
    """One line of a definition."""

    label: str
    text: str


@dataclass(frozen=True)
class Section:
    """One part of the form."""

    title: str
    facts: tuple[Fact, ...]


@dataclass(frozen=True)
class Difference:
    """One line that two definitions have, or don't."""

    section: str
    label: str
    old: str
    new: str


def _yes(value: bool, true: str = "是", false: str = "否") -> str:
    return true if value else false


def sections(definition: Definition, divisions: Mapping[str, str]) -> list[Section]:
    """Return a definition as sections of lines, in the order of the form."""
    sheet = sheet_of(definition)
    return [
        Section("基本信息", _basics(definition)),
        Section("申报服务", (
            Fact("申领条件", definition.eligibility or NONE), Fact("申报指南", definition.guide or NONE),
            Fact("联系人", definition.contact or NONE), Fact("联系电话", definition.telephone or NONE),
        )),
        Section("周期、标准与金额", _amounts(definition)),
        Section("补贴标准", tuple(_standard(row, divisions) for row in sheet["standards"])),
        Section("项目字段", tuple(_field(row) for row in sheet["fields"])),
        Section("收款与公开", _payees(definition)),
        Section("互斥项目", tuple(
            Fact(one.code, " ".join((f"{ExclusionSubject(one.subject).label}不能同时享受", one.basis)).strip())
            for one in definition.exclusions
        ) + ((Fact("互斥说明", definition.exclusions_note),) if definition.exclusions_note else ())),
        Section("政策文件", tuple(
            Fact(one.number, f"《{one.title}》，{one.issuer}" + (f"，{one.issued_on} 发文" if one.issued_on else "")
                 + (f"，有效期至 {one.valid_to}" if one.valid_to else ""))
            for one in definition.documents
        )),
    ]  # fmt: skip


def _basics(one: Definition) -> tuple[Fact, ...]:
    return (
        Fact("项目编码", one.code), Fact("项目名称", one.name), Fact("简称", one.short_name or NONE),
        Fact("政策级次", PolicyLevel(one.policy_level).label), Fact("主管领域", one.sector),
        Fact("领域", one.domain or NONE), Fact("由政府预算安排", _yes(one.budget_funded)),
        Fact("直接兑付", FundingObject(one.funding_object).label),
        Fact("在线申请", _yes(one.online, "可在线申请", "现场申请")),
        Fact("政府经济分类", one.gov_eco_code or NONE), Fact("发放管理流程", one.flow or "法定流程"),
    )  # fmt: skip


def _amounts(one: Definition) -> tuple[Fact, ...]:
    payout = one.payout
    days = f"每年 {payout.month} 月 {payout.day} 日前" if payout.month else ""
    after = f"所属期结束后 {payout.days_after} 天内" if payout.days_after else ""
    return (
        Fact("发放周期", PeriodKind(one.period_kind).label),
        Fact("发放时限", "，".join(filter(None, (days, after))) or NONE),
        Fact("计量单位", one.unit or NONE), Fact("标准制定", StandardSetter(one.standard_setter).label),
        Fact("标准说明", one.standard_note or NONE), Fact("金额公式", one.formula),
        Fact("舍入", f"{Rounding(one.rounding).label}四舍五入到分"), Fact("构成字段", _titles(one) or NONE),
    )  # fmt: skip


def _standard(row: Mapping[str, str], divisions: Mapping[str, str]) -> Fact:
    place = divisions.get(row["division_code"], row["division_code"])
    until = f"至 {row['valid_to']}" if row["valid_to"] else "起执行"
    basis = f"（{row['document']}）" if row["document"] else ""
    return Fact(" ".join(filter(None, (place, row["grade"]))), f"{row['yuan']} 元，{row['valid_from']} {until}{basis}")


def _titles(one: Definition) -> str:
    """Return the component's fields by their titles."""
    own = properties(one)
    return "、".join(str(own.get(name, {}).get("title") or name) for name in one.component)


def _field(row: Mapping[str, str]) -> Fact:
    said = [TYPES.get(row["type"], row["type"]), row["unit"], "必填" if row["required"] == YES else "选填"]
    said += [f"≥ {row['minimum']}" if row["minimum"] else "", f"≤ {row['maximum']}" if row["maximum"] else ""]
    said += [f"可选：{row['options']}" if row["options"] else "", "构成字段" if row["component"] == YES else ""]
    said += [Publicness(row["publicness"]).label if row["publicness"] else ""]
    title = f"{row['title']}（{row['name']}）" if row["title"] and row["title"] != row["name"] else row["name"]
    return Fact(title, "，".join(filter(None, said)))


def _payees(one: Definition) -> tuple[Fact, ...]:
    shown = tuple(Fact(f"{title}公示", _public(one, name).label) for name, title in PUBLIC_TITLES.items())
    return (
        Fact("收款人", PayeeMode(one.payee).label), Fact("转录给继承人", _yes(one.heir_allowed, "可以", "不可以")),
        Fact("监护人代收", _yes(one.guardian_allowed, "可以", "不可以")), *shown,
    )  # fmt: skip


def _public(one: Definition, name: str) -> Publicness:
    """Return how a notice shows a fixed column: an ID number never in full, and only where the project says so."""
    if name != "id_number":
        return one.publicness(name)
    return Publicness.MASKED if one.public.get(name, Publicness.HIDDEN) != Publicness.HIDDEN else Publicness.HIDDEN


def differences(old: Definition | None, new: Definition, divisions: Mapping[str, str]) -> list[Difference]:
    """Return the lines that differ, in the order of the form; what repeats a label stands together."""
    before = _lines(old, divisions) if old is not None else {}
    after = _lines(new, divisions)
    keys = list(after) + [key for key in before if key not in after]
    found = [Difference(*key, before.get(key, ""), after.get(key, "")) for key in keys]
    return [one for one in found if one.old != one.new]


def _lines(definition: Definition, divisions: Mapping[str, str]) -> dict[tuple[str, str], str]:
    lines: dict[tuple[str, str], str] = {}
    for section in sections(definition, divisions):
        for fact in section.facts:
            key = (section.title, fact.label)
            lines[key] = f"{lines[key]}；{fact.text}" if key in lines else fact.text
    return lines


def readable(raw: Mapping[str, Any]) -> Definition | None:
    """Return a stored definition; a damaged one is shown as missing, not as an error page."""
    try:
        return parse(raw) if raw else None
    except Refused:
        return None
