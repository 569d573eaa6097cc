"""How a value looks: derived from what its column declares (title, unit, mask, type), once for all pages."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any

import sqlalchemy as sa

from models.base import DivisionCode, Labelled, Table
from models.crypto import Sealed
from models.exchange import FactKind
from models.warnings import Light
from policies.clock import ZONE
from policies.codes import ETHNICITIES, RELATIONS, SEXES
from policies.identities import mask_card, mask_id, mask_name, mask_phone
from policies.lifecycles.registry_tasks import OUTCOME
from policies.permissions import Permission
from policies.refusals import Refused
from workflows.household_reviews import CHECKS

EMPTY = "—"
GOOD = frozenset(
    ("verified", "paid", "settled", "closed", "final", "funded", "refunded", "agreed", "applied", "done", "alive")
    + ("kept", "match", "active", "admitted", "enabled")
)
BAD = frozenset(
    ("refused", "rejected", "failed", "returned", "different", "red", "stopped", "dead", "not_found", "mismatch")
    + ("dropped", "missing", "open", "cancelled", "problem")
)
WAITING = frozenset(
    ("draft", "drafted", "prepared", "registered", "notified", "yellow", "held", "dormant", "unknown", "queued")
)


BODIES = {
    "finance": "财政", "police": "公安", "civil": "民政", "labour": "人社", "housing": "住建", "agriculture": "农牧",
    "health": "卫健", "veterans": "退役军人", "emergency": "应急", "forestry": "林草", "disabled": "残联",
    "tax": "税务",
}  # fmt: skip
"""The bodies of Article 29 that data come from."""
WORDS: dict[str, dict[str, str]] = {
    "account_state": {
        "verified": "已验证", "unknown": "查无此户", "closed": "已销户", "dormant": "不动户", "frozen": "已冻结",
        "name_differs": "户名不符", "wrong_kind": "不是社会保障卡账户",
    },
    "failure_class": {
        "invalid": "账户无效", "closed": "已销户", "frozen": "已冻结", "lost_card": "卡已挂失", "dormant": "不动户",
        "name_differs": "户名不符", "limit": "超过限额", "agent_short": "代发户余额不足", "duplicate": "重复支付",
        "dead": "收款人死亡", "wrong_kind": "账户类别不符", "bank_code": "联行号有误", "unspecified": "原因不明",
        "returned": "退汇",
    },
    "state": {
        "verified": "验证通过", "unknown": "查无此户", "closed": "已销户", "dormant": "不动户", "frozen": "已冻结",
        "name_differs": "户名不符", "wrong_kind": "账户类别不符", "paid": "发放成功",
        "failed": "发放失败", "pending": "处理中",
    },
    "relation": dict(RELATIONS),
    "sex": dict(SEXES),
    "media_type": {"image/jpeg": "照片（JPG）", "image/png": "图片（PNG）", "application/pdf": "PDF"},
    "settled_as": dict(OUTCOME.choices),
    "source": {"police": "公安", "bank": "代理银行", "keeper": "管理地", "township": "苏木乡镇"} | BODIES,
    "kinds": {kind.value: kind.label for kind in FactKind},
    "checked": dict(CHECKS),
    "ethnicity": dict(ETHNICITIES),
    "gates": {"report": "送审", "department": "主管部门审核", "finance": "财政审核"},
    "permissions": {one.value: one.label for one in Permission} | {"": "全部权限"},
    "asset_kind": {
        "contracted_land": "承包耕地", "leased_in": "流入", "leased_out": "流出", "excluded_land": "不予补贴面积",
        "grassland": "草原", "livestock": "牲畜",
    },
}  # fmt: skip
"""What stored codes are called."""


def _mask_address(text: str) -> str:
    return text[:6] + "****" if text else text


MASKS: dict[str, Callable[[str], str]] = {
    "id": mask_id,
    "card": mask_card,
    "phone": mask_phone,
    "name": mask_name,
    "address": _mask_address,
}


def yuan(amount_fen: Any) -> str:
    """Return an amount in yuan, as officers read it: 1,234.56."""
    return EMPTY if amount_fen is None else f"{Decimal(int(amount_fen)) / 100:,.2f}"


def moment_text(value: datetime | None) -> str:
    """Return a moment in local time, to the minute."""
    return EMPTY if value is None else f"{value.astimezone(ZONE):%Y-%m-%d %H:%M}"


def day_text(value: date | None) -> str:
    """Return a date."""
    return EMPTY if value is None else value.isoformat()


def relation_text(code: str) -> str:
    """Return what a relation to the head is called."""
    return RELATIONS.get(code, code)


def plain_text(value: Decimal) -> str:
    """Return a quantity without the zeros behind it."""
    return f"{value.normalize():,f}"


def count_text(value: Any) -> str:
    """Return a count with thousands separated."""
    return EMPTY if value is None else f"{value:,}"


def tone(value: Any) -> str:
    """Return the colour of a status: green done, red blocked, yellow waiting, blue under way."""
    word = str(value)
    if word in GOOD:
        return "good"
    if word in BAD:
        return "bad"
    return "wait" if word in WAITING else "busy"


@dataclass(frozen=True)
class Cell:
    """One value ready for the page."""

    text: str
    kind: str = "text"
    """text, number, status, division or code: how the page sets it."""
    tone: str = ""


@dataclass(frozen=True)
class FieldView:
    """One column as the console shows it."""

    name: str
    title: str
    kind: str
    mask: str = ""
    help: str = ""

    def cell(self, record: Any, divisions: dict[str, str]) -> Cell:
        """Return the record's value, masked and formatted."""
        return self.show(getattr(record, self.name), divisions)

    def plain_cell(self, record: Any, divisions: dict[str, str]) -> Cell:
        """Return the record's value formatted, without its mask: only for an export that is recorded. （第三十条）"""
        return replace(self, mask="").cell(record, divisions)

    def show(self, value: Any, divisions: dict[str, str]) -> Cell:
        """Return a value, masked and formatted."""
        if value is None or value == "":
            return Cell(WORDS.get(self.name, {}).get("", EMPTY), self.kind)
        if self.mask:
            return Cell(MASKS[self.mask](str(value)), "code" if self.mask in ("id", "card", "phone") else "text")
        if isinstance(value, Labelled):
            return Cell(value.label, "status", tone(value))
        words = WORDS.get(self.name) or (WORDS["asset_kind"] if self.name == "kind" else {})
        if words and isinstance(value, list):
            return Cell("、".join(words.get(str(item), str(item)) for item in value))
        if words.get(str(value)):
            return Cell(words[str(value)], self.kind)
        return Cell(_FORMATS.get(self.kind, _plain)(value, divisions), self.kind)


def _plain(value: Any, _: dict[str, str]) -> str:
    if isinstance(value, bool):
        return "是" if value else "否"
    if isinstance(value, datetime):
        return moment_text(value)
    if isinstance(value, Decimal):
        return f"{value.normalize():,f}"
    if isinstance(value, list):
        return "、".join(str(item) for item in value)
    return str(value)


_FORMATS: dict[str, Callable[[Any, dict[str, str]], str]] = {
    "money": lambda value, _: yuan(value),
    "number": lambda value, _: f"{value:,}" if isinstance(value, int) else _plain(value, {}),
    "division": lambda value, divisions: divisions.get(value, value),
}


@lru_cache(maxsize=1024)
def field_view(model: type[Table], name: str) -> FieldView:
    """Return how a column is shown, from what it declares."""
    column = model.__table__.columns[name]  # type: ignore[attr-defined]
    info = column.info
    title, unit, kind = info.get("title", name), info.get("unit", ""), _kind(column)
    if kind == "money":
        title = f"{title}（元）"
    elif unit and kind == "number":
        title = f"{title}（{unit}）"
    return FieldView(name, title, kind, info.get("mask", ""), info.get("help", ""))


def _kind(column: sa.Column[Any]) -> str:
    unit = column.info.get("unit", "")
    if unit == "分":
        return "money"
    if isinstance(column.type, DivisionCode):
        return "division"
    if isinstance(column.type, sa.Enum):
        return "status"
    if isinstance(column.type, sa.Date | sa.DateTime):
        return "when"
    if isinstance(column.type, Sealed):
        return "code"
    if isinstance(column.type, sa.Numeric) or (isinstance(column.type, sa.Integer) and unit):
        return "number"
    return "text"


def hits_of(refusal: Refused) -> list[dict[str, Any]]:
    """Return the warnings that a refusal names, ready for the page: light, place, rule, message. （第十八条）"""
    return [
        {
            "light": next((light for light in Light if light == hit.light), Light.RED),
            "place": f"序号 {hit.sequence}" if hit.sequence else "全册",
            "rule": hit.name,
            "message": hit.message,
        }
        for hit in getattr(refusal, "hits", ())
    ]
