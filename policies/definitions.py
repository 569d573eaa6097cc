"""What a subsidy project is, as data: what 《惠民惠农财政补贴项目申请表》 asks. （第二、七、二十六、三十二条）

A definition is frozen with each version of its project; rosters follow the version they were made under. Extra fields
are JSON Schema, the amount is a formula, both checked where they are written (`policies/formulas`).
"""

import json
from collections.abc import Mapping
from decimal import Decimal
from hashlib import sha256
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from models.base import Labelled
from models.projects import PolicyLevel
from policies.refusals import Refused

DEFAULT_FORMULA = "数量 * 补贴标准"


class DefinitionWrong(Refused):
    """申请表“{field}”不正确：{problem}；{remedy}。"""

    status_code = 400


class FundingObject(Labelled):
    """Whom the money goes to directly. （第二条直接兑付到人到户）"""

    PERSON = "person", "到人"
    HOUSEHOLD = "household", "到户"


class PeriodKind(Labelled):
    """How often it is paid."""

    YEAR = "year", "按年"
    QUARTER = "quarter", "按季"
    MONTH = "month", "按月"
    ONCE = "once", "一次性"


class PayeeMode(Labelled):
    """Whose account receives; heirs and guardians by the two switches beside it. （第三十一条）"""

    PERSON = "person", "享受人本人"
    HEAD = "head", "户主"
    EITHER = "either", "本人或户主"


class Publicness(Labelled):
    """How a public notice shows a field. （第十五条按规定不予公开的信息除外）"""

    SHOWN = "shown", "公开"
    MASKED = "masked", "脱敏公开"
    HIDDEN = "hidden", "不公开"


class Rounding(Labelled):
    """Where the fen is rounded half up (DESIGN D6)."""

    LINE = "line", "按明细"
    COMPONENT = "component", "按构成（地块等）"


class ExclusionSubject(Labelled):
    """Who may not have both."""

    PERSON = "person", "同一人"
    HOUSEHOLD = "household", "同一户"
    COMPONENT = "component", "同一构成（地块等）"


class StandardSetter(Labelled):
    """Which level's department sets the standard in yuan. （第八条）"""

    REGION = "region", "自治区"
    LEAGUE = "league", "盟市"
    COUNTY = "county", "旗县（市、区）"


class Exclusion(BaseModel):
    """Another project that excludes this one for the same person, household or component in the same period."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    code: str = Field(min_length=1, title="互斥项目编码")
    subject: ExclusionSubject = Field(default=ExclusionSubject.PERSON, title="互斥对象")
    basis: str = Field(default="", title="依据")


class Document(BaseModel):
    """A policy document: number, title, issuer, dates, and the file if there is one. （第七条）"""

    model_config = ConfigDict(frozen=True, extra="forbid")

    number: str = Field(min_length=1, title="文号")
    title: str = Field(min_length=1, title="文件名称")
    issuer: str = Field(min_length=1, title="发文机关")
    issued_on: str = Field(default="", title="发文日期")
    valid_to: str = Field(default="", title="有效期止")
    attachment_id: int = Field(default=0, title="附件编号")


class StandardRow(BaseModel):
    """A standard that takes effect with the version."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    division_code: str = Field(pattern=r"^\d{12}$", title="适用区划")
    grade: str = Field(default="", max_length=20, title="档次")
    yuan: Decimal = Field(gt=0, max_digits=14, decimal_places=4, title="标准（元）")
    valid_from: str = Field(title="执行起")
    valid_to: str = Field(default="", title="执行止")
    document: str = Field(default="", title="政策文件")


class Payout(BaseModel):
    """The day by which a period's money is to be paid out. （第三十二条发放时限）"""

    model_config = ConfigDict(frozen=True, extra="forbid")

    month: int = Field(default=0, ge=0, le=12, title="发放截止月")
    day: int = Field(default=0, ge=0, le=31, title="发放截止日")
    days_after: int = Field(default=0, ge=0, le=366, title="所属期结束后天数")


class Definition(BaseModel):
    """One project as it is applied for and kept with each version; money in yuan, days natural."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    code: str = Field(min_length=3, max_length=20, pattern=r"^[0-9A-Z]+$", title="项目编码")
    name: str = Field(min_length=2, max_length=60, title="项目名称")
    short_name: str = Field(default="", max_length=15, title="简称")
    policy_level: PolicyLevel = Field(title="政策级次")
    sector: str = Field(min_length=1, title="主管领域")
    domain: str = Field(default="", title="领域")
    budget_funded: bool = Field(default=True, title="由政府预算安排")
    funding_object: FundingObject = Field(default=FundingObject.PERSON, title="补贴对象")
    online: bool = Field(default=False, title="可在线申请")
    eligibility: str = Field(default="", max_length=2000, title="申领条件")
    guide: str = Field(default="", max_length=4000, title="申报指南")
    contact: str = Field(default="", max_length=40, title="联系人")
    telephone: str = Field(default="", max_length=40, title="联系电话")
    period_kind: PeriodKind = Field(default=PeriodKind.YEAR, title="发放周期")
    payout: Payout = Field(default=Payout(), title="发放时限")
    unit: str = Field(default="", max_length=20, title="计量单位")
    gov_eco_code: str = Field(default="", title="政府经济分类")
    standard_setter: StandardSetter = Field(default=StandardSetter.REGION, title="标准由谁制定")
    standard_note: str = Field(default="", max_length=500, title="标准说明")
    standards: tuple[StandardRow, ...] = Field(default=(), title="补贴标准")
    fields: dict[str, Any] = Field(default_factory=dict, title="项目字段")
    formula: str = Field(default=DEFAULT_FORMULA, min_length=1, max_length=500, title="金额公式")
    rounding: Rounding = Field(default=Rounding.LINE, title="舍入")
    component: tuple[str, ...] = Field(default=(), title="构成字段")
    payee: PayeeMode = Field(default=PayeeMode.EITHER, title="收款人")
    heir_allowed: bool = Field(default=True, title="可转录给继承人")
    guardian_allowed: bool = Field(default=True, title="可由监护人代收")
    public: dict[str, Publicness] = Field(default_factory=dict, title="公开范围")
    exclusions: tuple[Exclusion, ...] = Field(default=(), title="互斥项目")
    exclusions_note: str = Field(default="", max_length=500, title="互斥说明")
    flow: str = Field(default="", title="发放管理流程编码")
    sheet_kind: str = Field(default="generic", title="清册样式")
    documents: tuple[Document, ...] = Field(default=(), title="政策文件")
    source: str = Field(default="", title="资料来源")

    @field_validator("fields")
    @classmethod
    def _ordered(cls, fields: dict[str, Any]) -> dict[str, Any]:
        """Write the order of the fields down: PostgreSQL does not keep that of an object's keys."""
        own = fields.get("properties")
        if not isinstance(own, dict) or not all(isinstance(one, dict) and "x-order" not in one for one in own.values()):
            return fields
        return fields | {"properties": {name: one | {"x-order": at} for at, (name, one) in enumerate(own.items(), 1)}}

    def publicness(self, field: str) -> Publicness:
        """Return how a notice shows a field; a name is masked and anything else shown unless the project says so."""
        return self.public.get(field, Publicness.MASKED if field == "name" else Publicness.SHOWN)


REMEDIES = {
    "missing": "请填写该项",
    "string_too_short": "请填写该项",
    "string_too_long": "请缩短内容",
    "enum": "请从列表中选择",
    "decimal_max_places": "最多 4 位小数",
    "extra_forbidden": "申请表没有这一项，请删去",
}


def parse(raw: Mapping[str, Any]) -> Definition:
    """Return the definition that a filled form or a stored version holds. Raises DefinitionWrong naming the field."""
    try:
        return Definition.model_validate(dict(raw))
    except ValidationError as wrong:
        first = wrong.errors(include_url=False, include_context=False)[0]
        remedy = REMEDIES.get(first["type"], "请更正后再提交")
        raise DefinitionWrong(field=_place(first["loc"]), problem=first["msg"], remedy=remedy) from wrong


def _place(location: tuple[int | str, ...]) -> str:
    """Return a place in the form as officers read it: 补贴标准 第 2 行 标准（元）."""
    words, model = [], Definition
    for part in location:
        if isinstance(part, int):
            words.append(f"第 {part + 1} 行")
            continue
        known = getattr(model, "model_fields", {}).get(part)
        words.append((known.title if known else None) or part)
        inner = getattr(known, "annotation", None)
        model = next((one for one in (inner, *getattr(inner, "__args__", ())) if hasattr(one, "model_fields")), model)
    return " ".join(words)


def stored(definition: Definition) -> dict[str, Any]:
    """Return a definition as JSON keeps it."""
    return definition.model_dump(mode="json")


def digest_of(definition: Definition) -> str:
    """Return the SHA-256 over a definition's canonical JSON."""
    text = json.dumps(stored(definition), ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return sha256(text.encode()).hexdigest()


SAME = (
    "code", "name", "short_name", "sector", "domain", "policy_level", "unit", "standard_note", "exclusions_note",
    "eligibility", "gov_eco_code", "sheet_kind", "source",
)  # fmt: skip
"""Columns of the project that bear the name of the definition's field."""


def columns_of(definition: Definition) -> dict[str, Any]:
    """Return the columns of `subsidy_projects` that show the version in force."""
    return {name: getattr(definition, name) for name in SAME} | {
        "funding_object": "户" if definition.funding_object == FundingObject.HOUSEHOLD else "人",
        "period_kind": definition.period_kind.label,
        "names_shown": definition.publicness("name") != Publicness.HIDDEN,
        "definition": stored(definition),
    }
