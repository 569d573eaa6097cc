"""Tasks about lists, policies and money: raised where there is one, gone when it is done. （第六、八、九、十条）"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import sqlalchemy as sa
from sqlmodel import Session

from models.catalogue_tasks import CatalogueTask, CatalogueTaskKind
from models.officers import ActingOfficer
from policies.clock import now
from policies.enforcement import allow
from policies.moves import move, move_many
from policies.permissions import Permission
from policies.refusals import ReasonMissing

RAISE = sa.text(
    """
    insert into catalogue_tasks (division_code, number, kind, sector, status, version, subject, subject_id, detail,
        found_on, due_on, arrived_at)
    select a.division_code,
        'XD' || left(a.division_code, 6)
            || to_char(cast(:moment as timestamptz) at time zone 'Asia/Shanghai', 'YYYYMMDD')
            || to_char(nextval('catalogue_task_numbers'), 'FM000000000'),
        :kind, a.sector, case a.sector when '' then 'finance' else 'department' end, 1, a.subject, a.subject_id,
        a.detail, cast(cast(:moment as timestamptz) at time zone 'Asia/Shanghai' as date), a.due_on, :moment
    from unnest(cast(:divisions as text[]), cast(:sectors as text[]), cast(:subjects as text[]),
        cast(:ids as bigint[]), cast(:details as text[]), cast(:dues as date[]))
        as a (division_code, sector, subject, subject_id, detail, due_on)
    on conflict do nothing
    returning id
    """
)


@dataclass(frozen=True)
class Errand:
    """What one office has to do; sector '' means its finance bureau, else the department of that sector."""

    division_code: str
    sector: str
    subject: str
    subject_id: int
    detail: str
    due_on: date | None = None


def raise_tasks(session: Session, kind: CatalogueTaskKind, errands: Sequence[Errand]) -> int:
    """Raise tasks in one statement; one that is open already stays one. Return how many are new.

    The caller's range must cover the divisions, and a department raises only its own sector's.
    """
    if not errands:
        return 0
    asked = {
        "kind": kind,
        "moment": now(session),
        "divisions": [errand.division_code for errand in errands],
        "sectors": [errand.sector for errand in errands],
        "subjects": [errand.subject for errand in errands],
        "ids": [errand.subject_id for errand in errands],
        "details": [errand.detail for errand in errands],
        "dues": [errand.due_on for errand in errands],
    }
    return len(session.execute(RAISE, asked).all())


OPEN = sa.text(
    "select id from catalogue_tasks where status in ('finance', 'department') and kind = :kind and subject = :subject"
    " and subject_id = any (:ids) and (cast(:division as text) is null or division_code = :division)"
)


def vanish(
    session: Session,
    kind: CatalogueTaskKind,
    subject: str,
    ids: Sequence[int],
    *,
    by: ActingOfficer,
    division_code: str | None = None,
) -> int:
    """Close the open tasks of a kind about these subjects: the reason has gone. Return how many."""
    asked = {"kind": kind, "subject": subject, "ids": list(ids), "division": division_code}
    found = list(session.execute(OPEN, asked).scalars())
    return move_many(session, CatalogueTask, "vanish", found, by=by) if found else 0


def settle(session: Session, task: CatalogueTask, *, by: ActingOfficer, note: str) -> CatalogueTask:
    """Settle a task with a word on how. （第九、十条） Raises ReasonMissing, OtherDivision."""
    allow(session, by, Permission.CATALOGUE_TASK_SETTLE, task)
    if not note.strip():
        raise ReasonMissing(step="处理待办", field="处理说明")
    move(session, task, "settle", by=by, opinion=note.strip())
    task.note = note.strip()
    session.flush()
    return task
