"""The outbox: the verb writes what it wants from the outside and commits; a job asks and applies the answer.

A business key (order number + attempt, message id) is unique for ever, so a second question of the same kind is
impossible; after a time-out we ask what became of the first, we never resend blind (DESIGN D7).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlmodel import Session, col

from integrations.errors import Unavailable, Unknown
from models.database import transaction
from models.divisions import Level
from models.officers import ActingOfficer, system_principal
from models.outbox import OutboxMessage, OutboxStatus
from policies.clock import now
from workflows.queue import enqueue

DELIVER = "deliver"


class AskedAlready(Exception):
    """The business key stands in the outbox already: a bug of the caller, for keys are counted by attempt."""


def ask(
    session: Session, topic: str, business_key: str, record: Any, payload: dict[str, Any] | None = None
) -> OutboxMessage:
    """Write the intent and enqueue its delivery, in the verb's own transaction. Payload: ids only, nothing personal."""
    message = OutboxMessage(
        division_code=record.division_code,
        topic=topic,
        business_key=business_key,
        record_id=record.id,
        payload=payload or {},
        created_at=now(session),
    )
    session.add(message)
    session.flush()
    enqueue(session, DELIVER, lock=f"outbox:{message.id}", outbox_id=message.id, division_code=record.division_code)
    return message


@dataclass(frozen=True)
class Topic:
    """How one kind of question is put, and put again after a time-out.

    send: asks the outside (no transaction open) and returns the answer; ask: asks what became of it, None if the
    other side never received it; apply: applies the answer in one transaction, idempotently; True when settled.
    """

    prepare: Callable[[Session, OutboxMessage], Any]
    send: Callable[[Any], Any]
    inquire: Callable[[Any], Any]
    apply: Callable[[Session, OutboxMessage, Any, ActingOfficer], bool]


TOPICS: dict[str, Topic] = {}
"""Filled by the workflows that ask: `TOPICS["payment_application"] = Topic(…)`."""


def principal(division_code: str) -> ActingOfficer:
    """Return the system principal of the division's county, as which deliveries run."""
    county = division_code[:6] + "000000"
    return system_principal(county, Level.COUNTY, "外联任务")


def deliver(outbox_id: int, division_code: str) -> bool:
    """Put one question, or ask after it, and apply the answer; return whether it is settled.

    Nothing is open while the outside is asked. Unavailable leaves it pending; Unknown marks it sent, and from then on
    it is only asked after until the other side says it never came.
    """
    by = principal(division_code)
    with transaction(by) as session:
        message = session.get(OutboxMessage, outbox_id)
        if message is None or message.status in (OutboxStatus.DONE, OutboxStatus.REFUSED):
            return True
        topic = TOPICS[message.topic]
        question = topic.prepare(session, message)
        asked_before = message.attempts > 0
        # Written before anything is sent: a worker killed in between will ask, not resend.
        message.attempts += 1
    try:
        answer = topic.inquire(question) if asked_before else None
        if answer is None:
            answer = topic.send(question)
    except (Unavailable, Unknown) as problem:
        _note(by, outbox_id, problem)
        return False
    return _apply(by, outbox_id, topic, answer)


def _apply(by: ActingOfficer, outbox_id: int, topic: Topic, answer: Any) -> bool:
    with transaction(by) as session:
        message = session.execute(
            sa.select(OutboxMessage).where(col(OutboxMessage.id) == outbox_id).with_for_update()
        ).scalar_one()
        if message.status in (OutboxStatus.DONE, OutboxStatus.REFUSED):
            return True
        message.last_error = ""
        message.status = OutboxStatus.SENT
        settled = topic.apply(session, message, answer, by)
        if settled:
            if message.status == OutboxStatus.SENT:
                message.status = OutboxStatus.DONE
            message.done_at = now(session)
        return settled


def _note(by: ActingOfficer, outbox_id: int, problem: Exception) -> None:
    with transaction(by) as session:
        message = session.get_one(OutboxMessage, outbox_id)
        message.last_error = f"{type(problem).__name__}：{problem}"[:300]
