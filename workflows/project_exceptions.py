"""The register of what stays outside 一卡通: named by the centre or the region, with reason and document. （第二条）"""

from collections.abc import Sequence
from datetime import date
from typing import Any

from sqlmodel import Session

from models.base import REGION_CODE
from models.officers import ActingOfficer
from models.project_changes import ExceptionStatus, ProjectException
from models.projects import PolicyLevel
from models.registry_changes import DocumentKind
from policies.clock import now, today
from policies.enforcement import allow
from policies.lifecycles import Desk
from policies.moves import begin, move
from policies.permissions import Permission
from policies.refusals import ReasonMissing, Refused
from workflows.attachments import Evidence, attach
from workflows.numbers import next_numbers

NOUN = "project_exception"
STEP = "登记不纳入项目"
ASKED = {
    "name": "补贴名称",
    "sector": "主管领域",
    "reason": "不纳入原因",
    "document_number": "文号",
    "document_title": "文件名称",
    "document_issuer": "发文机关",
}


class NotTheirs(Refused):
    """只有中央和自治区明确的项目可以不纳入“一卡通”，{level}项目不能登记为例外；应按第七条办理入库（第二条）。"""

    status_code = 400


class FileMissing(Refused):
    """登记不纳入项目须上传明确不纳入的政策文件，请选择文件后提交（第二条）。"""

    status_code = 400


class IssuedLater(Refused):
    """发文日期 {day} 晚于今天，请核对文件上的日期。"""

    status_code = 400


def propose(
    session: Session,
    *,
    by: ActingOfficer,
    policy_level: PolicyLevel,
    issued_on: date,
    valid_to: date | None = None,
    evidence: Sequence[Evidence] = (),
    **words: str,
) -> ProjectException:
    """Enter a subsidy into the register; it counts when a second person has agreed. （第二条、第二十三条）

    words: what ASKED names. Raises NotAllowed, ReasonMissing, NotTheirs, FileMissing, IssuedLater, DocumentNotKnown.
    """
    allow(session, by, Permission.EXCEPTION_PROPOSE)
    for field, title in ASKED.items():
        if not words.get(field, "").strip():
            raise ReasonMissing(step=STEP, field=title)
    if policy_level not in (PolicyLevel.CENTRAL, PolicyLevel.REGION):
        raise NotTheirs(level=policy_level.label)
    if not evidence:
        raise FileMissing
    if issued_on > today(session):
        raise IssuedLater(day=issued_on)
    said: dict[str, Any] = {field: words[field].strip() for field in ASKED}
    record = ProjectException(
        division_code=REGION_CODE,
        number=next_numbers(session, ProjectException, "LW", REGION_CODE)[0],
        policy_level=policy_level,
        issued_on=issued_on,
        valid_to=valid_to,
        evidence_count=len(evidence),
        **said,
    )
    begin(session, record, by=by, label=STEP, desk=Desk.REGION_FINANCE_CLERK)
    kept = [Evidence(one.name, one.content, DocumentKind.POLICY) for one in evidence]
    attach(session, NOUN, record.id or 0, record.division_code, kept, by=by)
    return record


def confirm(session: Session, record: ProjectException, *, by: ActingOfficer, opinion: str = "") -> ProjectException:
    """Agree to an entry as the second person. （第二条、第二十三条）"""
    allow(session, by, Permission.EXCEPTION_CONFIRM, record)
    move(session, record, "confirm", by=by, opinion=opinion)
    record.confirmed_at = now(session)
    session.flush()
    return record


def return_(session: Session, record: ProjectException, *, by: ActingOfficer, reason: str) -> ProjectException:
    """Give an entry back. Raises ReasonMissing."""
    allow(session, by, Permission.EXCEPTION_CONFIRM, record)
    _require(reason, "退回", "退回原因")
    move(session, record, "return_", by=by, opinion=reason.strip())
    record.returned_for = reason.strip()
    session.flush()
    return record


def resubmit(session: Session, record: ProjectException, *, by: ActingOfficer, opinion: str = "") -> ProjectException:
    """Submit a returned entry again."""
    allow(session, by, Permission.EXCEPTION_PROPOSE, record)
    return move(session, record, "resubmit", by=by, opinion=opinion)


def withdraw(session: Session, record: ProjectException, *, by: ActingOfficer, reason: str) -> ProjectException:
    """Take an entry back before it is agreed to. Raises ReasonMissing."""
    allow(session, by, Permission.EXCEPTION_PROPOSE, record)
    _require(reason, "撤回", "撤回原因")
    return move(session, record, "withdraw", by=by, opinion=reason.strip())


def end(session: Session, record: ProjectException, *, by: ActingOfficer, reason: str) -> ProjectException:
    """Propose that a subsidy no longer stays outside. （第二条应纳尽纳） Raises ReasonMissing."""
    allow(session, by, Permission.EXCEPTION_PROPOSE, record)
    _require(reason, "提出恢复纳入", "恢复纳入原因")
    move(session, record, "end", by=by, opinion=reason.strip())
    record.ended_for = reason.strip()
    session.flush()
    return record


def confirm_end(
    session: Session, record: ProjectException, *, by: ActingOfficer, opinion: str = ""
) -> ProjectException:
    """Agree that a subsidy no longer stays outside: it is to be admitted by a form of 第七条."""
    allow(session, by, Permission.EXCEPTION_CONFIRM, record)
    return move(session, record, "confirm_end", by=by, opinion=opinion)


def keep(session: Session, record: ProjectException, *, by: ActingOfficer, reason: str) -> ProjectException:
    """Let a subsidy stay outside. Raises ReasonMissing."""
    allow(session, by, Permission.EXCEPTION_CONFIRM, record)
    _require(reason, "不同意恢复", "原因")
    return move(session, record, "keep", by=by, opinion=reason.strip())


def _require(text: str, step: str, field: str) -> None:
    if not text.strip():
        raise ReasonMissing(step=step, field=field)


def in_force(record: ProjectException, day: date) -> bool:
    """Tell whether an entry keeps its subsidy outside on a day."""
    agreed = record.status in (ExceptionStatus.CONFIRMED, ExceptionStatus.ENDING)
    return agreed and (record.valid_to is None or record.valid_to >= day)
