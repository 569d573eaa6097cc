"""What banks tell of accounts by themselves over their interface; accounts that two people share.

（第十二、二十一条） Both are looked for by sweeps of the system; what is found is a task of the township, without any
clock.
"""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import text
from sqlmodel import Session, col, func, select

from integrations import banks
from integrations.banks import AccountAnswer, AccountNotice
from models.accounts import AccountNotice as Kept
from models.accounts import NoticeOutcome
from models.base import REGION_CODE
from models.crypto import account_index
from models.database import transaction
from models.officers import ActingOfficer
from models.registry_tasks import RegistryTask, TaskKind
from policies.clock import now
from policies.identities import mask_card
from policies.moves import move_many
from workflows import account_answers
from workflows.bank_reply_apply import tell_lines
from workflows.registry_tasks import raise_tasks

SHARED = "同一账户登记在两人名下，请核对账号和持卡人，不属于本人的请变更账户"
LOCK = text("select pg_try_advisory_xact_lock(hashtextextended('account notices', 0))")
FIND = text(
    """
    select distinct on (a.number_index) a.number_index, a.id, a.division_code from accounts a
    where a.number_index = any (cast(:indexes as bytea[])) and a.status not in ('proposed', 'rejected', 'registered')
    order by a.number_index, a.is_payment desc, (a.status <> 'closed') desc, a.id desc
    """
)


def fetch_notices(by: ActingOfficer) -> int:
    """Fetch the notices that nobody has taken yet and take them; return how many. （第二十一条）

    Raises Unavailable.
    """
    taken = 0
    while True:
        with transaction(by) as session:
            last = session.exec(select(func.max(col(Kept.sequence)))).one() or 0
        told = banks.fetch_account_notices(last)
        if not told:
            return taken
        with transaction(by) as session:
            if not session.execute(LOCK).scalar_one():
                return taken
            taken += take_notices(session, told, by=by)


def take_notices(session: Session, told: Sequence[AccountNotice], *, by: ActingOfficer) -> int:
    """Take notices in their order, each once: set-based, whatever became of it is kept. （第二十一条）"""
    known = set(session.exec(select(Kept.sequence).where(col(Kept.sequence).in_([one.sequence for one in told]))))
    fresh = [one for one in told if one.sequence not in known]
    indexes = {one.sequence: account_index(one.number) for one in fresh}
    rows = session.execute(FIND, {"indexes": list(indexes.values())}).all()
    found = {bytes(row.number_index): row for row in rows}
    last: dict[int, AccountAnswer] = {}
    for one in fresh:
        row = found.get(indexes[one.sequence])
        if row is not None:  # of several about one account the last is true
            last[row.id] = AccountAnswer(str(row.id), one.state, True, one.text[:200])
    done = account_answers.notice(session, last, by=by, facts={"notice": max(indexes, default=0)})
    for state in account_answers.NOTICES:
        tell_lines(session, sorted(one for one in done if last[one].state == state), state)
    moment = now(session)
    session.add_all([_kept(one, found.get(indexes[one.sequence]), done, moment) for one in fresh])
    session.flush()
    return len(fresh)


def _kept(one: AccountNotice, row: object, done: set[int], moment: datetime) -> Kept:
    account = getattr(row, "id", None)
    outcome = NoticeOutcome.DONE if account in done else NoticeOutcome.SKIPPED
    return Kept(
        division_code=getattr(row, "division_code", REGION_CODE),
        sequence=one.sequence,
        account_id=account,
        shown=mask_card(one.number),
        state=one.state,
        words=one.text[:200],
        outcome=outcome if account is not None else NoticeOutcome.UNKNOWN,
        received_at=moment,
    )


# --- shared by two people -----------------------------------------------------------------------------------------

TWICE = text(
    """
    with open as (
        select a.id, a.member_id, a.number_index, m.person from accounts a
        join members m on m.division_code = a.division_code and m.id = a.member_id and m.current
        where a.status in ('registered', 'verifying', 'verified', 'dormant')
    ), shared as (
        select number_index from open group by 1 having min(person) <> max(person)
    )
    select o.id, o.member_id from open o join shared s on s.number_index = o.number_index order by o.id
    """
)
SINGLE = text(
    """
    select t.id from registry_tasks t where t.kind = 'account_shared' and t.status = 'open'
        and t.account_id <> all (cast(:ids as bigint[])) order by t.id
    """
)


def find_shared(session: Session, *, by: ActingOfficer) -> int:
    """Open a task for each holder of an account that another person has too, over the whole region. （第十二条）

    A task goes with its difference. Return how many tasks are new.
    """
    rows = session.execute(TWICE).all()
    ids = [row.id for row in rows]
    gone = list(session.execute(SINGLE, {"ids": ids}).scalars())
    if gone:
        move_many(session, RegistryTask, "vanish", gone, by=by)
    members = [row.member_id for row in rows]
    return raise_tasks(session, TaskKind.ACCOUNT_SHARED, members, source="township", detail=SHARED, accounts=ids)


def sweep_shared(by: ActingOfficer) -> int:
    """Look through the registry for shared accounts, once a night. （第十二条）"""
    with transaction(by) as session:
        return find_shared(session, by=by)
