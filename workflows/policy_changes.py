"""Changing the policy: drafted, looked at with its consequences, proposed, enabled by a second officer, rolled back.

（第二十三、二十四条） A version comes into force by PostgreSQL's `policy_enable` alone, which checks the same again.
"""

from collections.abc import Mapping

import sqlalchemy as sa
from sqlmodel import Session, col, select

from models.base import REGION_CODE
from models.officers import ActingOfficer
from models.policy_changes import PolicyChange, PolicyChangeStatus, PolicyEdition
from policies.enforcement import Policy, allow, policy
from policies.lifecycles import Desk
from policies.moves import begin, move, record_event, title_of
from policies.permissions import Permission
from policies.policy_effects import Conflict
from policies.policy_lines import (
    EFFECTS,
    Difference,
    Finding,
    Line,
    Lines,
    PolicyInvalid,
    difference,
    digest_of,
    ordered,
    read_csv,
    to_csv,
    validated,
)
from policies.refusals import FasterColleague, NotFound, ReasonMissing, Refused, StepNotPossible
from workflows.numbers import next_numbers
from workflows.policy_consequences import Consequences, consequences, holders

LETTERS = "QX"
CURRENT = "current"
KEEPERS = (Permission.POLICY_DRAFT, Permission.POLICY_ENABLE)
KEEPERS_AT_LEAST = 2
SHOWN = 6


class PolicyMoved(Refused):
    """{title}以版本 {base} 为基础，现行已是版本 {current}；请合并到现行版本或据此重新拟定，再办理（第二十三条）。"""


class NothingChanged(Refused):
    """{title}与现行策略完全相同，没有需要启用的内容；请先修改权限矩阵或导入策略文件。"""


class DutiesUnited(Refused):
    """启用后有 {count} 处不相容职责集于一岗或一人，不能启用：{conflicts}（第二十三条）。请调整后重新拟定。"""


class NobodyKeepsThePolicy(Refused):
    """启用后在任安全管理员不足两名持有 {permissions}，策略将无法再调整，不能启用（第二十三条）。请保留这些权限。"""


class UnknownOrigin(Refused):
    """没有找到作为起草依据的策略版本或变更“{origin}”，请从列表中选择。"""

    status_code = 400


class CellUnknown(Refused):
    """权限矩阵中没有这一格：{cell}。请刷新页面后重新填写。"""

    status_code = 400


def draft(session: Session, *, by: ActingOfficer, title: str, reason: str, origin: str = CURRENT) -> PolicyChange:
    """Begin a change from the policy in force, an older version (`version:3`: rollback) or another change.

    （第二十三条） Raises NotAllowed, ReasonMissing, UnknownOrigin.
    """
    allow(session, by, Permission.POLICY_DRAFT)
    if not title.strip() or not reason.strip():
        raise ReasonMissing(step="拟定策略变更", field="变更事项和变更理由")
    current = policy(session)
    lines, told = _lines_of(session, origin, current.lines)
    change = PolicyChange(
        division_code=REGION_CODE,
        number=next_numbers(session, PolicyChange, LETTERS, REGION_CODE)[0],
        title=title.strip(),
        reason=reason.strip(),
        origin=told,
        base_version=current.version,
        lines=to_csv(lines),
        summary=difference(current.lines, lines).text,
        drafter=by.person,
        drafted_by=by.name,
    )
    facts = {"origin": told, "base_version": current.version, "digest": digest_of(lines)}
    return begin(session, change, by=by, label="拟定策略变更", desk=Desk.SECURITY_DRAFTER, facts=facts)


def _lines_of(session: Session, origin: str, current: Lines) -> tuple[Lines, str]:
    kind, _, key = origin.partition(":")
    if kind == CURRENT:
        return current, "现行策略"
    if not key.isascii() or not key.isdigit() or len(key) > 9:
        raise UnknownOrigin(origin=origin[:20])
    if kind == "version":
        found = session.exec(select(PolicyEdition).where(PolicyEdition.policy_version == int(key))).one_or_none()
        if found is not None:
            return stored_lines(found.lines), f"历史版本 {key}（回滚）"
    if kind == "change":
        other = session.get(PolicyChange, int(key))
        if other is not None:
            return _difference_of(session, other).applied_to(current), f"变更 {other.number}"
    raise UnknownOrigin(origin=origin[:20])


def stored_lines(text: str) -> Lines:
    """Return the lines of a stored policy text as they stand, known words or not: history is shown as it was."""
    rows = (tuple(row.split(", ")[1:]) for row in text.splitlines())
    return tuple((r[0], r[1], r[2], r[3], r[4], r[5]) for r in rows)


def lines_of(change: PolicyChange) -> Lines:
    """Return the lines of a change."""
    return stored_lines(change.lines)


def base_lines(session: Session, change: PolicyChange) -> Lines:
    """Return the lines of the version that a change was drafted from."""
    version = col(PolicyEdition.policy_version) == change.base_version
    text = session.execute(sa.select(col(PolicyEdition.lines)).where(version)).scalar_one_or_none()
    return policy(session).lines if text is None else stored_lines(text)


def _difference_of(session: Session, change: PolicyChange) -> Difference:
    return difference(base_lines(session, change), lines_of(change))


def consequences_of(session: Session, change: PolicyChange) -> Consequences:
    """Return what a change does to the policy in force; of one that is over, what it did to the version before it."""
    over = change.status not in (PolicyChangeStatus.DRAFT, PolicyChangeStatus.PROPOSED)
    before = base_lines(session, change) if over else policy(session).lines
    return consequences(session, before, lines_of(change))


def set_cells(
    session: Session,
    change: PolicyChange,
    *,
    by: ActingOfficer,
    level: str,
    kind: str,
    cells: Mapping[tuple[str, str], str],
) -> PolicyChange:
    """Set cells of the matrix in a draft: (role, permission) → "allow", "deny" or "" for no line. （第二十四条）

    Raises NotFound, NotAllowed, StepNotPossible, SamePersonTwice, CellUnknown, FasterColleague.
    """
    _require_draft(session, change, by)
    wanted, gone = set(lines_of(change)), set[Line]()
    for (role, permission), effect in cells.items():
        noun, _, verb = permission.partition(":")
        if effect not in ("", *EFFECTS):
            raise CellUnknown(cell=f"{role} {permission}"[:60])
        mine = {other: (role, level, kind, noun, verb, other) for other in EFFECTS}
        gone |= {mine[other] for other in EFFECTS if other != effect}
        wanted |= {mine[effect]} if effect else set()
    try:
        lines = validated(ordered(wanted - gone))
    except PolicyInvalid as invalid:
        raise CellUnknown(cell=str(invalid.fields["problem"])) from invalid
    return _save(session, change, lines, by, "set_cells", "修改权限矩阵")


def import_lines(
    session: Session, change: PolicyChange, *, by: ActingOfficer, content: str
) -> tuple[PolicyChange, list[Finding]]:
    """Replace a draft's lines by those of a Casbin policy file; return what is useless among them. （第二十四条）

    Raises NotFound, NotAllowed, StepNotPossible, PolicyInvalid with the number of the file's line.
    """
    _require_draft(session, change, by)
    lines, found = read_csv(content)
    return _save(session, change, lines, by, "import_lines", "导入策略文件"), found


def rebase(session: Session, change: PolicyChange, *, by: ActingOfficer) -> PolicyChange:
    """Carry a draft's difference over to the version in force, when another has come into force meanwhile.

    （第二十三条） Raises NotFound, NotAllowed, StepNotPossible.
    """
    _require_draft(session, change, by)
    current = policy(session)
    lines = _difference_of(session, change).applied_to(current.lines)
    return _save(session, change, lines, by, "rebase", "合并到现行版本", base_version=current.version)


def _require_draft(session: Session, change: PolicyChange, by: ActingOfficer) -> None:
    allow(session, by, Permission.POLICY_DRAFT, change)
    if change.status != PolicyChangeStatus.DRAFT:
        raise StepNotPossible(title=title_of(change), status=change.status.label, step="修改")


def _save(
    session: Session, change: PolicyChange, lines: Lines, by: ActingOfficer, verb: str, label: str, **fields: int
) -> PolicyChange:
    """Write a draft's lines, guarded by the version that was read; the person is seated as drafter."""
    current = policy(session)
    done = session.execute(
        sa.update(PolicyChange)
        .where(
            col(PolicyChange.id) == change.id,
            col(PolicyChange.version) == change.version,
            col(PolicyChange.status) == PolicyChangeStatus.DRAFT,
        )
        .values(
            lines=to_csv(lines),
            summary=difference(current.lines, lines).text,
            version=change.version + 1,
            drafter=change.drafter or by.person,
            drafted_by=change.drafted_by or by.name,
            **fields,
        ),
        execution_options={"synchronize_session": False},
    )
    if done.rowcount == 0:  # type: ignore[attr-defined]
        raise FasterColleague(title=title_of(change))
    session.refresh(change)
    facts = {"digest": digest_of(lines), "base_version": change.base_version}
    record_event(session, change, verb, by=by, label=label, desk=Desk.SECURITY_DRAFTER, facts=facts)
    return change


def propose(session: Session, change: PolicyChange, *, by: ActingOfficer) -> PolicyChange:
    """Hand a draft to a second security administrator; from now on it can't be changed. （第二十三条）

    Raises NotFound, NotAllowed, StepNotPossible, PolicyInvalid, PolicyMoved, NothingChanged.
    """
    _require_draft(session, change, by)
    lines = validated(lines_of(change))
    _require_base(session, change)
    if difference(policy(session).lines, lines).empty:
        raise NothingChanged(title=title_of(change))
    change.digest = digest_of(lines)
    change.drafter, change.drafted_by = change.drafter or by.person, change.drafted_by or by.name
    session.flush()
    told = consequences_of(session, change)
    facts = {"digest": change.digest, "summary": told.difference.text, "consequences": told.headline}
    return move(session, change, "propose", by=by, facts=facts)


def enable(session: Session, change: PolicyChange, *, by: ActingOfficer) -> PolicyChange:
    """Put a change into force at once, as a second security administrator who has just proven who they are.

    （第二十三条） Raises NotFound, NotAllowed, StepNotPossible, SamePersonTwice, PolicyInvalid, PolicyMoved,
    DutiesUnited, NobodyKeepsThePolicy.
    """
    allow(session, by, Permission.POLICY_ENABLE, change)
    _require_base(session, change)
    lines = validated(lines_of(change))
    told = consequences_of(session, change)
    _require_enablable(session, lines, told)
    facts = {"digest": change.digest, "summary": told.difference.text, "consequences": told.headline}
    move(session, change, "enable", by=by, facts=facts)
    version = session.execute(sa.text("select policy_enable(:change)"), {"change": change.id}).scalar_one()
    if version == 0:  # another change came into force between the question above and now
        _raise_moved(session, change)
    return change


def _require_enablable(session: Session, lines: Lines, told: Consequences) -> None:
    people = [holder for holder in holders(session) if not holder.delegated]
    new = Policy(0, lines)
    left = [
        one for one in KEEPERS if len({who.person for who in people if one in who.permissions(new)}) < KEEPERS_AT_LEAST
    ]
    if left:
        raise NobodyKeepsThePolicy(permissions="、".join(left))
    if told.conflicts:
        shown = "；".join(_conflict_text(one) for one in told.conflicts[:SHOWN])
        raise DutiesUnited(count=len(told.conflicts), conflicts=shown)


def _conflict_text(conflict: Conflict) -> str:
    who, one, other = conflict
    return f"{who}兼有 {one} 与 {other}"


def _require_base(session: Session, change: PolicyChange) -> None:
    if change.base_version != policy(session).version:
        _raise_moved(session, change)


def _raise_moved(session: Session, change: PolicyChange) -> None:
    raise PolicyMoved(title=title_of(change), base=change.base_version, current=policy(session).version)


def obstacles(session: Session, change: PolicyChange) -> list[tuple[str, str, str, str]]:
    """Return what a change would do and what stands against it: tone, text, article, who can unblock. （第二十三条）"""
    if change.status not in (PolicyChangeStatus.DRAFT, PolicyChangeStatus.PROPOSED):
        return []
    told, article = consequences_of(session, change), "第二十三条"
    found = [
        ("red", _conflict_text(one), article, "由拟定人调整策略，使不相容职责分属不同岗位和人员")
        for one in told.conflicts[:SHOWN]
    ]
    if change.base_version != policy(session).version:
        text = f"现行策略已是版本 {policy(session).version}，本变更以版本 {change.base_version} 为基础"
        found.append(("red", text, article, "拟定中的由拟定人“合并到现行版本”；已提交的撤回后据此重新拟定"))
    if told.orphaned:
        text = f"启用后无人持有：{'、'.join(one.label for one in told.orphaned)}"
        found.append(("yellow", text, "第二十四条", "确认这些业务不再办理，或补充持有的岗位"))
    return [*found, ("blue", told.headline, "第二十四条", told.difference.text)]


def reject(session: Session, change: PolicyChange, *, by: ActingOfficer, reason: str) -> PolicyChange:
    """Refuse a proposed change, with the reason. （第二十三条） Raises NotAllowed, ReasonMissing, SamePersonTwice."""
    allow(session, by, Permission.POLICY_ENABLE, change)
    if not reason.strip():
        raise ReasonMissing(step="不予启用", field="原因")
    return move(session, change, "reject", by=by, opinion=reason.strip())


def withdraw(session: Session, change: PolicyChange, *, by: ActingOfficer) -> PolicyChange:
    """Take back a change that isn't in force. （第二十三条） Raises NotAllowed, StepNotPossible, SamePersonTwice."""
    allow(session, by, Permission.POLICY_DRAFT, change)
    return move(session, change, "withdraw", by=by)


def edition(session: Session, version: int) -> PolicyEdition:
    """Return one version of the history. Raises NotFound."""
    found = session.exec(select(PolicyEdition).where(PolicyEdition.policy_version == version)).one_or_none()
    if found is None:
        raise NotFound
    return found
