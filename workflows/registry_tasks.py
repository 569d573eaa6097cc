"""Tasks about the registry: raised where something differs, settled by the township, gone with the difference.

（第十一、十二、十六、二十一、二十九条）
"""

from collections.abc import Sequence

import sqlalchemy as sa
from sqlmodel import Session

from models.officers import ActingOfficer
from models.registry_tasks import RegistryTask, TaskKind
from policies.clock import now
from policies.enforcement import allow
from policies.moves import move, move_many
from policies.permissions import Permission
from policies.refusals import ReasonMissing

RAISE = sa.text(
    """
    insert into registry_tasks (division_code, county_code, number, kind, status, version, household_id, member_id,
        account_id, roster_id, source, detail, found_on, arrived_at)
    select m.division_code, m.county_code,
        'DB' || left(m.division_code, 9)
            || to_char(cast(:moment as timestamptz) at time zone 'Asia/Shanghai', 'YYYYMMDD')
            || to_char(nextval('registry_task_numbers'), 'FM000000000'),
        :kind, 'open', 1, m.household_id, m.id, nullif(a.account_id, 0), nullif(a.roster_id, 0), :source, :detail,
        cast(cast(:moment as timestamptz) at time zone 'Asia/Shanghai' as date), :moment
    from unnest(cast(:members as bigint[]), cast(:accounts as bigint[]), cast(:rosters as bigint[]))
        as a (member_id, account_id, roster_id)
    join members m on m.id = a.member_id
    on conflict do nothing
    returning id
    """
)


def raise_tasks(
    session: Session,
    kind: TaskKind,
    members: Sequence[int],
    *,
    source: str,
    detail: str,
    accounts: Sequence[int] = (),
    rosters: Sequence[int] = (),
) -> int:
    """Raise one task for each member (with the account or roster at the same place); return how many are new.

    A task that is open already stays one. detail: free of personal data. Set-based, in the caller's transaction.
    """
    asked = {
        "kind": kind,
        "members": list(members),
        "accounts": list(accounts) or [0] * len(members),
        "rosters": list(rosters) or [0] * len(members),
        "source": source,
        "detail": detail,
        "moment": now(session),
    }
    return len(session.execute(RAISE, asked).all()) if members else 0


OPEN = sa.text("select id from registry_tasks where status = 'open' and kind = :kind and member_id = any (:members)")


def vanish(session: Session, kind: TaskKind, members: Sequence[int], *, by: ActingOfficer) -> int:
    """Close the open tasks of a kind whose difference has gone; return how many."""
    ids = list(session.execute(OPEN, {"kind": kind, "members": list(members)}).scalars())
    return move_many(session, RegistryTask, "vanish", ids, by=by) if ids else 0


def settle(session: Session, task: RegistryTask, *, by: ActingOfficer, settled_as: str, note: str) -> RegistryTask:
    """Write how a difference was settled. （第十一条、第十六条第一项） Raises ReasonMissing."""
    allow(session, by, Permission.REGISTRY_TASK_SETTLE, task)
    if not note.strip():
        raise ReasonMissing(step="处理待办", field="处理说明")
    move(session, task, "settle", by=by, opinion=note)
    task.settled_as, task.note = settled_as, note.strip()
    session.flush()
    return task
