"""What is typed into 《惠民惠农财政补贴项目申请表》 and the definition that it makes. （第七条）

A sheet is kept as it was typed, with its mistakes; only when it is submitted must it make a definition. Extra fields
are rows of a table here and JSON Schema there.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from pydantic import ValidationError

from policies.definitions import REMEDIES, Definition, Publicness, stored
from policies.formulas.fields import properties as fields_of

Sheet = dict[str, Any]
TEXTS = (
    "code", "name", "short_name", "policy_level", "sector", "domain", "funding_object", "eligibility", "guide",
    "contact", "telephone", "period_kind", "unit", "gov_eco_code", "standard_setter", "standard_note", "formula",
    "rounding", "payee", "exclusions_note", "flow", "sheet_kind", "source",
)  # fmt: skip
SWITCHES = ("budget_funded", "online", "heir_allowed", "guardian_allowed")
PAYOUT = ("month", "day", "days_after")
TABLES = {
    "standards": ("division_code", "grade", "yuan", "valid_from", "valid_to", "document"),
    "fields": (
        "name",
        "title",
        "type",
        "unit",
        "required",
        "minimum",
        "maximum",
        "options",
        "publicness",
        "component",
        "more",
    ),
    "exclusions": ("code", "subject", "basis"),
    "documents": ("number", "title", "issuer", "issued_on", "valid_to", "attachment_id"),
}
"""The tables of the form and their columns."""
BASE_PUBLIC = ("name", "id_number", "village", "quantity", "standard", "amount")
"""What every line has, beside the project's own fields: who it is, where, how much."""
YES = "yes"
COLUMNS = frozenset(("title", "type", "x-unit", "minimum", "maximum", "enum", "format", "x-public", "x-order"))
"""What of a field's schema the table has columns for."""
TYPES = {"text": "文字", "number": "小数", "integer": "整数", "date": "日期", "choice": "选项", "boolean": "是否"}


@dataclass(frozen=True)
class Mistake:
    """One mistake of a sheet: the field of the form it stands at, and what is to be done."""

    place: str
    """The form's field: telephone, standards.2.yuan, fields.1.name, public.amount."""
    message: str


def sheet_of(definition: Definition) -> Sheet:
    """Return a definition as the form shows it."""
    kept = stored(definition)
    sheet: Sheet = {name: kept[name] for name in TEXTS}
    sheet |= {name: YES if kept[name] else "" for name in SWITCHES}
    sheet |= {f"payout.{name}": str(kept["payout"][name] or "") for name in PAYOUT}
    sheet["standards"] = [{name: str(row[name]) for name in TABLES["standards"]} for row in kept["standards"]]
    sheet["exclusions"] = [{name: str(row[name]) for name in TABLES["exclusions"]} for row in kept["exclusions"]]
    sheet["documents"] = [
        {name: str(row[name] or "") for name in TABLES["documents"]} for row in kept["documents"]
    ]  # fmt: skip
    sheet["fields"] = _rows_of(definition, kept["public"], kept["component"])
    own = {row["name"] for row in sheet["fields"]}
    sheet |= {f"public.{name}": value for name, value in kept["public"].items() if name not in own}
    more = [name for name in kept["component"] if name not in own]
    sheet["component_more"] = "、".join(more)
    return sheet


def _rows_of(definition: Definition, public: Mapping[str, str], component: Iterable[str]) -> list[dict[str, str]]:
    required, keys = set(definition.fields.get("required", ())), set(component)
    return [
        {
            "name": name,
            "title": str(one.get("title", "")),
            "type": _type_of(one),
            "unit": str(one.get("x-unit", "")),
            "required": YES if name in required else "",
            "minimum": _plain(one.get("minimum")),
            "maximum": _plain(one.get("maximum")),
            "options": "、".join(str(option) for option in one.get("enum", ())),
            "publicness": public.get(name, str(one.get("x-public", ""))),
            "component": YES if name in keys else "",
            "more": _more(one),
        }
        for name, one in fields_of(definition).items()
    ]


def _more(one: Mapping[str, Any]) -> str:
    """Return what the table has no column for, so that it isn't lost."""
    rest = {key: value for key, value in one.items() if key not in COLUMNS}
    return json.dumps(rest, ensure_ascii=False) if rest else ""


def _type_of(one: Mapping[str, Any]) -> str:
    if "enum" in one:
        return "choice"
    if one.get("format") == "date":
        return "date"
    return "text" if one.get("type") == "string" else str(one.get("type", "text"))


def _plain(value: Any) -> str:
    return "" if value is None else f"{value}"


def read(sheet: Mapping[str, Any]) -> tuple[Definition | None, list[Mistake]]:
    """Return the definition that a sheet makes, or every mistake in it with its place on the form."""
    mistakes: list[Mistake] = []
    raw: dict[str, Any] = {name: str(sheet[name]).strip() for name in TEXTS if str(sheet.get(name, "")).strip()}
    raw |= {name: sheet.get(name) == YES for name in SWITCHES}
    raw["payout"] = {name: value for name in PAYOUT if (value := str(sheet.get(f"payout.{name}", "")).strip())}
    raw["standards"] = _table(sheet, "standards")
    raw["exclusions"] = _table(sheet, "exclusions")
    raw["documents"] = _table(sheet, "documents")
    raw["fields"] = schema_of(sheet, mistakes)
    raw["public"] = {
        name.removeprefix("public."): value for name, value in sheet.items() if name.startswith("public.") and value
    }
    rows = filled(sheet, "fields")
    raw["public"] |= {row["name"].strip(): row["publicness"] for row in rows if row.get("publicness")}
    chosen = [row["name"].strip() for row in rows if row.get("component") == YES]
    raw["component"] = [*chosen, *words(str(sheet.get("component_more", "")))]
    mistakes += _days(raw)
    try:
        definition = Definition.model_validate(raw)
    except ValidationError as wrong:
        mistakes += [_mistake(one, sheet) for one in wrong.errors(include_url=False, include_context=False)]
        return None, mistakes
    return (None if mistakes else definition), mistakes


def words(text: str) -> list[str]:
    """Return the words of a list as people type it: separated by 、 ， , ; or a line's end."""
    for mark in "，,；;\n\r":
        text = text.replace(mark, "、")
    return [word.strip() for word in text.split("、") if word.strip()]


def filled(sheet: Mapping[str, Any], table: str) -> list[dict[str, Any]]:
    """Return the rows of a table in which anything is typed, in their order."""
    given = [dict(row) for row in sheet.get(table, ()) if isinstance(row, Mapping)]
    silent = {"required", "component", "publicness", "subject", "type", "attachment_id", "more"}
    return [row for row in given if any(str(value).strip() for name, value in row.items() if name not in silent)]


def _table(sheet: Mapping[str, Any], table: str) -> list[dict[str, str]]:
    found = []
    for row in filled(sheet, table):
        found.append({name: str(row[name]).strip() for name in TABLES[table] if name in row and str(row[name]).strip()})
    return found


def schema_of(sheet: Mapping[str, Any], mistakes: list[Mistake]) -> dict[str, Any]:
    """Return the rows of the fields' table as JSON Schema; a row's own mistakes are added."""
    properties: dict[str, Any] = {}
    required = []
    for place, row in enumerate(filled(sheet, "fields"), 1):
        name = str(row.get("name", "")).strip()
        if not name:
            mistakes.append(Mistake(f"fields.{place}.name", "请填写字段名"))
            continue
        if name in properties:
            mistakes.append(Mistake(f"fields.{place}.name", f"字段名“{name}”重复，请改用别的名称"))
            continue
        properties[name] = _property(row, place, mistakes)
        if row.get("required") == YES:
            required.append(name)
    if not properties:
        return {}
    return {"type": "object", "properties": properties} | ({"required": required} if required else {})


def _property(row: Mapping[str, Any], place: int, mistakes: list[Mistake]) -> dict[str, Any]:
    kind = str(row.get("type") or "text")
    if kind not in TYPES:
        mistakes.append(Mistake(f"fields.{place}.type", "请从列表中选择类型"))
        kind = "text"
    made: dict[str, Any] = {"type": "string" if kind in ("text", "date", "choice") else kind}
    for name, key in (("title", "title"), ("unit", "x-unit")):
        if str(row.get(name, "")).strip():
            made[key] = str(row[name]).strip()
    if kind == "date":
        made["format"] = "date"
    made |= _rest(str(row.get("more", "")))
    options = words(str(row.get("options", "")))
    if kind == "choice":
        if not options:
            mistakes.append(Mistake(f"fields.{place}.options", "“选项”类型须列出选项，用顿号分隔"))
        made["enum"] = options
    elif options:
        mistakes.append(Mistake(f"fields.{place}.options", "只有“选项”类型的字段才填选项，请改类型或删去选项"))
    for name in ("minimum", "maximum"):
        text = str(row.get(name, "")).strip()
        if text and kind not in ("number", "integer"):
            mistakes.append(Mistake(f"fields.{place}.{name}", "只有小数、整数类型的字段才填最小、最大值"))
        elif text:
            made |= _bound(name, text, place, mistakes)
    return made


def _rest(text: str) -> dict[str, Any]:
    """Return what a row brought along beyond its columns."""
    try:
        found = json.loads(text) if text else {}
    except ValueError:
        return {}
    return {key: value for key, value in found.items() if key not in COLUMNS} if isinstance(found, dict) else {}


def _bound(name: str, text: str, place: int, mistakes: list[Mistake]) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except ValueError:
        value = None
    if isinstance(value, bool) or not isinstance(value, int | float):
        mistakes.append(Mistake(f"fields.{place}.{name}", f"“{text}”不是数字，请改为数字"))
        return {}
    return {name: value}


DAYS = (("standards", ("valid_from", "valid_to")), ("documents", ("issued_on", "valid_to")))


def _days(raw: Mapping[str, Any]) -> list[Mistake]:
    """Return which days aren't days."""
    found = []
    for table, names in DAYS:
        for place, row in enumerate(raw[table], 1):
            for name in names:
                if row.get(name) and not is_day(row[name]):
                    found.append(Mistake(f"{table}.{place}.{name}", f"“{row[name]}”不是日期，请填如 2026-01-01"))
    return found


def is_day(text: str) -> bool:
    """Tell whether a text is a day as forms write it."""
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


PUBLIC_VALUES = frozenset(str(one) for one in Publicness)
PROBLEMS = {
    "missing": "请填写该项",
    "string_too_short": "内容太短，请填写完整",
    "string_too_long": "内容太长，请缩短",
    "enum": "请从列表中选择",
    "decimal_max_places": "最多 4 位小数",
    "decimal_parsing": "请填数字",
    "decimal_type": "请填数字",
    "greater_than": "须大于 0",
    "int_parsing": "请填整数",
    "greater_than_equal": "数字太小，请更正",
    "less_than_equal": "数字太大，请更正",
    "string_pattern_mismatch": "格式不对：编码只用数字和大写字母，区划为 12 位代码",
}


def _mistake(one: Mapping[str, Any], sheet: Mapping[str, Any]) -> Mistake:
    """Return a mistake that the definition's own rules have found."""
    parts = [str(part + 1) if isinstance(part, int) else str(part) for part in one["loc"]]
    return Mistake(".".join(parts), PROBLEMS.get(one["type"], REMEDIES.get(one["type"], f"{one['msg']}，请更正")))
