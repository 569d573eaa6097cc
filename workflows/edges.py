"""The edge of a verb: opens its transaction, commits it, and records a refusal in a transaction of its own."""

from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa
import structlog
from sqlalchemy.exc import DBAPIError
from sqlmodel import Session

from models.database import transaction
from models.events import Refusal
from models.officers import ActingOfficer
from policies.identities import mask_numbers
from policies.refusals import FasterColleague, NotFound, Refused

log = structlog.get_logger()

SERIALIZATION_FAILURES = ("40001", "40P01")
INSUFFICIENT_PRIVILEGE = "42501"
STALE_INDEX = "_generation"
"""How the checks end that tie a blind index to the generation in force."""


class KeysSwitched(Refused):
    """索引密钥刚刚更换，本次没有保存。请重新提交一次。"""

    status_code = 409


@contextmanager
def edge(by: ActingOfficer, verb: str, record: str = "") -> Iterator[Session]:
    """Run one verb as `by`: commit at the end; on a refusal roll back, record it, and raise it again.

    A write that row-level security refuses is a NotFound; a lost race of two transactions is a FasterColleague.
    """
    try:
        with transaction(by) as session:
            yield session
    except Refused as refusal:
        note_refusal(by, verb, record, refusal)
        raise
    except DBAPIError as failure:
        fact = _as_refusal(failure, record)
        note_refusal(by, verb, record, fact)
        raise fact from failure


def _as_refusal(failure: DBAPIError, record: str) -> Refused:
    state = getattr(failure.orig, "sqlstate", "") or ""
    if state in SERIALIZATION_FAILURES:
        return FasterColleague(title=record or "该记录")
    if state == INSUFFICIENT_PRIVILEGE and "row-level security" in str(failure.orig):
        return NotFound()
    constraint = getattr(getattr(failure.orig, "diag", None), "constraint_name", None)
    if (constraint or "").endswith(STALE_INDEX):
        return KeysSwitched()
    raise failure


def note_refusal(by: ActingOfficer, verb: str, record: str, refusal: Refused) -> None:
    """Write the refusal, and what it wants kept, in a transaction of its own (DESIGN D9)."""
    log.info("refused", verb=verb, record=record, refusal=type(refusal).__name__, officer=by.officer_id)
    with transaction(by) as session:
        session.execute(
            sa.insert(Refusal).values(
                division_code=by.division_code,
                officer_id=by.officer_id,
                officer_name=by.name,
                post=by.post,
                verb=verb,
                record=mask_numbers(record),  # its key, too, may be a number from an address or a form
                refusal=type(refusal).__name__,
                message=mask_numbers(str(refusal)),  # it may quote what was typed into the wrong field
            )
        )
        if refusal.keep is not None:
            refusal.keep(session)
