"""Departments' own systems at the register: applications and decisions pushed, decisions and payments read back.

（第十四条第二项、第二十九条） A batch is refused whole with every mistake named, or taken once: the same number with
the same content changes nothing. A pushed application goes the township's way: head, decision, notice.
"""

import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from sqlmodel import Session, select

from models.application_exchange import ApplicationAgreement, ApplicationBatch
from models.applications import Application, ApplicationSource, ApplicationStatus, OutsideDecision
from models.base import REGION_CODE, county_of
from models.exchange import ExchangeBody
from models.officers import ActingOfficer
from policies.clock import now, today
from policies.enforcement import allow
from policies.moves import begin_many, move_many, record_event
from policies.permissions import Permission
from policies.refusals import ReasonMissing, Refused
from workflows.application_rows import APPLICATION, DECISION, Mistakes, Row, read
from workflows.application_targets import Target, targets
from workflows.exchange import NOUN, BodyOther, Caller, NumberTaken, _About, principal
from workflows.exchange_rows import Envelope


class NotAgreed(Refused):
    """尚未约定本部门协同办理的主管领域，没有接收；请联系自治区系统管理员登记协同约定（第十四条）。"""

    status_code = 403


@dataclass(frozen=True)
class Taken:
    """What a batch has come to."""

    created: int = 0
    decided: int = 0
    unchanged: int = 0


def agreement_of(session: Session, caller: Caller) -> ApplicationAgreement:
    """Return what is agreed with a body. Raises NotAgreed."""
    found = session.get(ApplicationAgreement, caller.id)
    if found is None:
        raise NotAgreed
    return found


def agree(
    session: Session, body: ExchangeBody, *, by: ActingOfficer, line: str, counts: bool, document: str
) -> ExchangeBody:
    """Write what is agreed with a body: its sector, and whether its approval counts as the examination. （第十四条）

    Raises NotAllowed, ReasonMissing.
    """
    allow(session, by, Permission.EXCHANGE_KEEP)
    if not line or not document.strip():
        raise ReasonMissing(step="登记协同约定", field="约定文件" if line else "主管领域")
    asked = {"body": body.id, "line": line, "counts": counts, "document": document.strip()[:200]}
    session.execute(sa.text("select application_agree(:body, :line, :counts, :document)"), asked)
    record_event(
        session, _About(body.id or 0), "agree", by=by, label="登记协同约定", noun=NOUN,
        facts={"body": body.code, "line": line, "counts": counts, "document": asked["document"]},
    )  # fmt: skip
    return body


# --- pushed -------------------------------------------------------------------------------------------------------


def receive(session: Session, caller: Caller, envelope: Envelope, rest: bytes) -> tuple[ApplicationBatch, bool]:
    """Take a batch once for ever by its number; return it and whether it is new. （第十四条第二项）

    Raises NotAgreed, BodyOther, NumberTaken, BatchWrong.
    """
    if envelope.body != caller.code:
        raise BodyOther
    agreement = agreement_of(session, caller)
    lock = f"application_batch:{caller.code}"
    session.execute(sa.text("select pg_advisory_xact_lock(hashtextextended(:lock, 0))"), {"lock": lock})
    known = find(session, caller, envelope.number)
    if known is not None:
        if known.digest != envelope.digest:
            raise NumberTaken(number=known.number)
        return known, False
    mistakes = Mistakes()
    rows = read(envelope, rest, today(session), mistakes)
    applications = [row for row in rows if row.kind == APPLICATION]
    found = targets(session, caller.code, agreement, applications, mistakes)
    decisions = _decisions(session, caller, rows, mistakes)
    mistakes.require_none()
    fresh = [target for target in found if not target.known]
    _create(session, caller, agreement, fresh, mistakes)
    mistakes.require_none()
    decided = _decide(session, agreement, decisions)
    batch = ApplicationBatch(
        division_code=REGION_CODE, sector=agreement.line, body=caller.code, number=envelope.number,
        receipt=secrets.token_hex(8).upper(), digest=envelope.digest, row_count=len(rows), created_count=len(fresh),
        decided_count=decided, unchanged_count=len(rows) - len(fresh) - decided, received_at=now(session),
    )  # fmt: skip
    session.add(batch)
    session.flush()
    return batch, True


def find(session: Session, caller: Caller, number: int) -> ApplicationBatch | None:
    """Return the caller's batch of a number."""
    return session.exec(
        select(ApplicationBatch).where(ApplicationBatch.body == caller.code, ApplicationBatch.number == number)
    ).one_or_none()


def receipt_of(batch: ApplicationBatch) -> dict[str, Any]:
    """Return a batch's receipt: counts, nobody's data."""
    return {
        "receipt": batch.receipt,
        "number": batch.number,
        "rows": batch.row_count,
        "digest": batch.digest,
        "received_at": batch.received_at.isoformat(),
        "counts": {
            "created": batch.created_count, "decided": batch.decided_count, "unchanged": batch.unchanged_count
        },
    }  # fmt: skip


CREATE = sa.text(
    """
    insert into applications (division_code, county_code, number, project_id, project_name, project_version, sector,
        source, body, external_number, household_id, member_id, person, member_name, village, quantity, unit, standard,
        amount_fen, component, extra, valid_from, valid_to, status, version, evidence_count, outside_decision,
        examined_outside, submitted_at, arrived_at)
    select r.division_code, r.county_code, 'SQ' || left(r.division_code, 9) || to_char(cast(:day as date), 'YYYYMMDD')
            || to_char(nextval('application_numbers'), 'FM0000000'),
        r.project_id, r.project_name, r.project_version, r.sector, :source, :body, r.external_number, r.household_id,
        r.member_id, r.person, r.member_name, r.village, r.quantity, r.unit, r.standard, r.amount_fen, r.component,
        r.extra, r.valid_from, r.valid_to, :status, 1, 0, r.outside_decision, r.examined_outside, :moment, :moment
    from jsonb_to_recordset(cast(:rows as jsonb)) as r (division_code text, county_code text, project_id bigint,
        project_name text, project_version integer, sector text, external_number text, household_id bigint,
        member_id bigint, person text, member_name text, village text, quantity numeric, unit text, standard numeric,
        amount_fen bigint, component text, extra jsonb, valid_from date, valid_to date, outside_decision text,
        examined_outside boolean)
    on conflict do nothing
    returning id, division_code, external_number
    """
)


def _create(
    session: Session, caller: Caller, agreement: ApplicationAgreement, fresh: Sequence[Target], mistakes: Mistakes
) -> None:
    """Make the applications of a batch in one statement, at the township's head. （第十四条第二项、第三十一条）"""
    if not fresh:
        return
    moment = now(session)
    asked = {
        "rows": json.dumps([_record(target, agreement, moment) for target in fresh], ensure_ascii=False),
        "day": today(session), "moment": moment, "source": ApplicationSource.SYSTEM, "body": caller.code,
        "status": ApplicationStatus.SUBMITTED,
    }  # fmt: skip
    made = session.execute(CREATE, asked).all()
    there = {row.external_number for row in made}
    for target in fresh:
        if target.row.external not in there:
            mistakes.note(target.row.place, "id_number", "该人员的同一项目（同一构成）已有在办的申请")
    begin_many(session, Application, made, by=principal(), label="部门业务系统推送申请", desk=None) if made else None


def _record(target: Target, agreement: ApplicationAgreement, moment: datetime) -> dict[str, Any]:
    row = target.row
    approved = row.decision == OutsideDecision.APPROVED
    return {
        "division_code": row.township,
        "county_code": county_of(row.township),
        "project_id": target.project_id,
        "project_name": target.project_name,
        "project_version": target.project_version,
        "sector": agreement.line,
        "external_number": row.external,
        "household_id": target.household_id,
        "member_id": target.member_id,
        "person": target.person,
        "member_name": target.member_name,
        "village": target.village,
        "quantity": _text(row.quantity),
        "unit": target.unit,
        "standard": _text(target.standard),
        "amount_fen": target.amount_fen,
        "component": target.component,
        "extra": target.values,
        "valid_from": (row.valid_from or moment.date()).isoformat(),
        "valid_to": row.valid_to.isoformat() if row.valid_to else None,
        "outside_decision": row.decision or OutsideDecision.NONE,
        "examined_outside": approved and agreement.examination_counts,
    }


def _text(number: Decimal) -> str:
    return f"{number:f}"


def _decisions(session: Session, caller: Caller, rows: Sequence[Row], mistakes: Mistakes) -> list[tuple[Row, Any]]:
    """Return each decision with the application it is about; one about nothing is a mistake."""
    wanted = [row for row in rows if row.kind == DECISION]
    new = {row.external for row in rows if row.kind == APPLICATION}
    found = session.execute(
        sa.text(
            "select id, external_number, status, outside_decision from applications where body = :body"
            " and external_number = any (:numbers) order by id for update"
        ),
        {"body": caller.code, "numbers": [row.external for row in wanted]},
    ).all()
    known = {one.external_number: one for one in found}
    for row in wanted:
        if row.external and row.external not in known:
            told = "本批中另有该申请，请在申请行填写 decision" if row.external in new else "没有推送过该申请"
            mistakes.note(row.place, "external_number", told)
    return [(row, known[row.external]) for row in wanted if row.external in known]


DECIDE = sa.text(
    "update applications a set outside_decision = r.decision, reason = case when r.decision = 'rejected'"
    " then r.reason else a.reason end, examined_outside = r.decision = 'approved' and :counts"
    " from unnest(cast(:ids as bigint[]), cast(:decisions as text[]), cast(:reasons as text[]))"
    " as r (id, decision, reason) where a.id = r.id"
)
OPEN_TO_DECISION = (ApplicationStatus.SUBMITTED, ApplicationStatus.ENDORSED, ApplicationStatus.RETURNED)


def _decide(session: Session, agreement: ApplicationAgreement, decisions: Sequence[tuple[Row, Any]]) -> int:
    """Note what a department decided; where agreed it counts as the examination, never for more. （第十四条第二项）"""
    fresh = [
        (row, one) for row, one in decisions if one.outside_decision != row.decision and one.status in OPEN_TO_DECISION
    ]
    if not fresh:
        return 0
    asked: Mapping[str, Any] = {
        "ids": [one.id for _, one in fresh], "decisions": [row.decision for row, _ in fresh],
        "reasons": [row.reason for row, _ in fresh], "counts": agreement.examination_counts,
    }  # fmt: skip
    session.execute(DECIDE, asked)
    if agreement.examination_counts:
        by = principal()
        approved = [one.id for row, one in fresh if row.decision == OutsideDecision.APPROVED]
        refused = [one.id for row, one in fresh if row.decision == OutsideDecision.REJECTED]
        move_many(session, Application, "accept", approved, by=by) if approved else None
        move_many(session, Application, "refuse_outside", refused, by=by) if refused else None
    return len(fresh)
