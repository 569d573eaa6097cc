"""Warning rules are data: saved by one officer, tried on a roster, enabled by another. （第十八条、第三十六条）"""

import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import Session, col, select

from models.base import REGION_CODE
from models.officers import ActingOfficer
from models.rosters import Roster
from models.warnings import Gate, Light, WarningRule
from policies.clock import today
from policies.enforcement import allow
from policies.moves import record_event
from policies.permissions import Permission
from policies.refusals import Refused, SamePersonTwice
from policies.rules.book import check_rule, levels_above
from policies.rules.compiler import compile_gate
from workflows.plans import by_hash

SEED = Path(__file__).parent.parent / "data" / "seed_rules.csv"
NOUN = "warning_rule"
CODE = re.compile(r"[A-Z][A-Z0-9-]{1,19}")
TRIAL = (
    "select count(*) filter (where not g.skipped) as hits, max(g.message) filter (where g.skipped) as skipped from ("
)


class RuleInvalid(Refused):
    """预警规则的“{field}”填写有误：{problem}，请更正后再保存。"""

    status_code = 400


class CodeTaken(Refused):
    """规则编码 {code} 已由上级使用，本级不能改动上级的规则，请换一个编码。"""


@dataclass(frozen=True)
class Trial:
    """What a rule would find on a roster."""

    hits: int
    skipped: str


def save_rule(
    session: Session,
    *,
    by: ActingOfficer,
    code: str,
    name: str,
    light: str,
    gates: Sequence[str],
    expression: str,
    message: str,
    article: str = "",
    valid_from: date | None = None,
) -> WarningRule:
    """Save a rule, or a new version of one, for the officer's own division; another officer enables it. （第十八条）

    Raises NotAllowed, RuleInvalid, CodeTaken, SyntaxMistake, UnknownFact, TypeMismatch.
    """
    allow(session, by, Permission.RULE_SAVE)
    _require_fields(code, name, light, gates)
    check_rule(expression, message)
    _require_code_free(session, by.division_code, code)
    version = session.execute(
        sa.select(sa.func.coalesce(sa.func.max(WarningRule.version), 0) + 1).where(
            col(WarningRule.division_code) == by.division_code, col(WarningRule.code) == code
        )
    ).scalar_one()
    rule = WarningRule(
        division_code=by.division_code,
        code=code,
        version=version,
        name=name.strip(),
        light=Light(light),
        gates=[Gate(gate).value for gate in gates],
        expression=expression,
        message=message,
        article=article,
        enabled=False,
        valid_from=valid_from or today(session),
        saved_by=by.person,
    )
    session.add(rule)
    session.flush()
    record_event(session, rule, "save_rule", by=by, label="保存预警规则", noun=NOUN, facts=_facts(rule))
    return rule


def enable_rule(session: Session, rule: WarningRule, *, by: ActingOfficer) -> WarningRule:
    """Put a version into force and the others of its code out of it; never by the officer who saved it. （第二十三条）

    Raises NotFound, NotAllowed, SamePersonTwice, SyntaxMistake, UnknownFact, TypeMismatch.
    """
    allow(session, by, Permission.RULE_ENABLE, rule)
    if rule.saved_by == by.person:
        title = f"预警规则{rule.code}"
        raise SamePersonTwice(officer=by.name, desk="规则维护", title=title, next_desk="规则启用")
    check_rule(rule.expression, rule.message)
    day = today(session)
    if rule.valid_from <= day:  # a version for a later day leaves today's in force until then
        session.execute(
            sa.update(WarningRule)
            .where(
                col(WarningRule.division_code) == rule.division_code,
                col(WarningRule.code) == rule.code,
                col(WarningRule.id) != rule.id,
                col(WarningRule.valid_from) <= day,
            )
            .values(enabled=False)
        )
    return _switch(session, rule, True, by, "enable_rule", "启用预警规则")


def disable_rule(session: Session, rule: WarningRule, *, by: ActingOfficer) -> WarningRule:
    """Put a rule out of force. （第十八条） Raises NotFound, NotAllowed."""
    allow(session, by, Permission.RULE_ENABLE, rule)
    return _switch(session, rule, False, by, "disable_rule", "停用预警规则")


def try_rule(session: Session, rule: WarningRule, roster: Roster, *, by: ActingOfficer) -> Trial:
    """Run one rule over a roster and write nothing: what would it find? （第十八条） Raises NotFound, NotAllowed."""
    allow(session, by, Permission.RULE_VIEW, roster)
    sql, parameters = compile_gate([rule])
    bound = parameters | {"division_code": roster.division_code, "roster_id": roster.id, "today": today(session)}
    with by_hash(session):
        found = session.execute(sa.text(TRIAL + sql + ") g"), bound).one()
    return Trial(found.hits, found.skipped or "")


def seed_rules(session: Session) -> int:
    """Load the seed rules, owned by the region, in the owner's session; what exists stays. Return how many are new."""
    with SEED.open(encoding="utf-8", newline="") as file:
        rows = [_seed_row(row) for row in csv.DictReader(file)]
    statement = insert(WarningRule).values(rows).on_conflict_do_nothing().returning(col(WarningRule.id))
    return len(session.execute(statement).all())


def _seed_row(row: dict[str, str]) -> dict[str, Any]:
    gates = row["gates"].split()
    _require_fields(row["code"], row["name"], row["light"], gates)
    check_rule(row["expression"], row["message"])
    return {
        "division_code": REGION_CODE,
        "version": 1,
        "subject": "line",
        "enabled": True,
        "valid_from": date(2024, 4, 2),
        "gates": gates,
        **{name: row[name] for name in ("code", "name", "light", "expression", "message", "article")},
    }


def _require_fields(code: str, name: str, light: str, gates: Sequence[str]) -> None:
    if not CODE.fullmatch(code):
        raise RuleInvalid(field="规则编码", problem="应为大写字母开头的 2–20 位字母、数字或 -")
    if not 2 <= len(name.strip()) <= 60:
        raise RuleInvalid(field="规则名称", problem="应为 2–60 个字")
    if light not in list(Light):
        raise RuleInvalid(field="灯色", problem="应为 " + "、".join(Light))
    if not gates or any(gate not in list(Gate) for gate in gates):
        raise RuleInvalid(field="环节", problem="至少选一项，可选 " + "、".join(Gate))


def _require_code_free(session: Session, division_code: str, code: str) -> None:
    above = [level for level in levels_above(division_code) if level < division_code]
    taken = select(WarningRule.id).where(WarningRule.code == code, col(WarningRule.division_code).in_(above))
    if session.exec(taken.limit(1)).first() is not None:
        raise CodeTaken(code=code)


def _switch(
    session: Session, rule: WarningRule, enabled: bool, by: ActingOfficer, verb: str, label: str
) -> WarningRule:
    rule.enabled = enabled
    session.add(rule)
    session.flush()
    record_event(session, rule, verb, by=by, label=label, noun=NOUN, facts=_facts(rule))
    return rule


def _facts(rule: WarningRule) -> dict[str, Any]:
    return {"code": rule.code, "version": rule.version, "light": str(rule.light), "expression": rule.expression}
