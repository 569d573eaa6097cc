"""How the policy of a release reaches the database: an empty one is seeded, an edited one gets a ready draft.

An edited policy is the security officers': `migrate` never overwrites it. What a release adds to the initial policy, or
takes from it, is carried over to the policy in force as a draft that they propose and enable. （第二十三、二十四条）
"""

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import Session, col, select

from models.base import REGION_CODE
from models.divisions import Level
from models.officers import system_principal
from models.policy_changes import PolicyChange, PolicyRelease
from models.policy_rules import PolicyRule
from policies.clock import now
from policies.moves import begin
from policies.policy_lines import Line, Lines, difference, digest_of, faults, ordered, seed_lines, to_csv
from workflows.numbers import next_numbers
from workflows.policy_changes import LETTERS, stored_lines

NAMES = ("role", "level", "kind", "object", "action", "effect")
REASON = "系统升级后初始策略有变化：新功能的权限由安全管理员核对后启用，现行策略未被改动"


def load_policy(session: Session) -> PolicyChange | None:
    """Seed an empty policy; else draft what this release changes, once per release. （第二十四条）

    In the owner's session, after every migration. Raises PolicyInvalid.
    """
    seed = ordered(seed_lines())
    rules = _rules(session)
    last = session.exec(select(PolicyRelease).order_by(col(PolicyRelease.id).desc()).limit(1)).first()
    digest = digest_of(seed)
    if last is None or last.digest != digest:
        session.add(PolicyRelease(digest=digest, lines=to_csv(seed), installed_at=now(session)))
        session.flush()
    if not rules:
        session.execute(insert(PolicyRule).values([dict(zip(NAMES, line, strict=True)) for line in seed]))
        return None
    rules = _without_unknown(session, rules)
    if last is not None and last.digest == digest:
        return None
    return _draft(
        session, rules, difference(rules if last is None else stored_lines(last.lines), seed).applied_to(rules)
    )


def _rules(session: Session) -> Lines:
    rows = session.execute(sa.text("select role, level, kind, object, action, effect from policy_rules order by id"))
    return tuple((r[0], r[1], r[2], r[3], r[4], r[5]) for r in rows)


def _without_unknown(session: Session, rules: Lines) -> Lines:
    """Drop the lines of roles and permissions that this release no longer knows: they could grant nothing."""
    wrong = {rules[fault.line - 1] for fault in faults(enumerate(rules, 1))}
    if not wrong:
        return rules
    columns = [col(getattr(PolicyRule, name)) for name in NAMES]
    session.execute(sa.delete(PolicyRule).where(sa.tuple_(*columns).in_(sorted(wrong))))
    return tuple(line for line in rules if line not in wrong)


def _draft(session: Session, rules: tuple[Line, ...], wanted: Lines) -> PolicyChange | None:
    told = difference(rules, wanted)
    if told.empty:
        return None
    version = session.execute(sa.text("select version from policy_version")).scalar_one()
    change = PolicyChange(
        division_code=REGION_CODE,
        number=next_numbers(session, PolicyChange, LETTERS, REGION_CODE)[0],
        title="系统升级带来的权限变化",
        reason=REASON,
        origin="系统升级",
        base_version=version,
        lines=to_csv(wanted),
        summary=told.text,
    )
    by = system_principal(REGION_CODE, Level.REGION, "系统升级")
    return begin(session, change, by=by, label="系统升级生成策略草稿", desk=None, facts={"digest": digest_of(wanted)})
