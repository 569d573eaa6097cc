"""The accounts of an import go to their banks for verification, all at once. （第十二条）"""

from typing import Any

import sqlalchemy as sa
from sqlmodel import Session

from models.accounts import Account
from models.officers import ActingOfficer
from models.registry_imports import RegistryImport
from policies.clock import now
from policies.moves import move_many
from workflows.accounts import TOPIC
from workflows.outbox import DELIVER

LOCK = sa.text("select pg_advisory_xact_lock(hashtextextended('accounts', 0))")
"""The lock that single registrations share: one card is decided on at a time, over the whole region."""
NEW = sa.text(
    """
    select a.id from import_plan p
    join registry_import_rows r on r.division_code = :division and r.import_id = :import
        and r.file_number = p.file_number and r.row_number = p.row_number
    join accounts a on a.division_code = :division and a.member_id = p.member_id and a.number_index = r.account_index
        and a.status = 'registered'
    where p.outcome = 'n' order by a.id
    """
)
ASK = sa.text(
    """
    with asked as (
        insert into outbox (division_code, topic, business_key, record_id, payload, status, attempts, last_error,
            created_at)
        select a.division_code, :topic, 'account:' || a.id || ':' || a.version, a.id,
            jsonb_build_object('version', a.version), 'pending', 0, '', :moment
        from accounts a
        where a.id = any (:ids) and not exists (select from agent_banks b
            where b.prefix = left(a.bank_code, 3) and not b.interface)
        returning id, division_code
    )
    select procrastinate_defer_jobs_v1(array_agg(row('default', :task, 0, 'outbox:' || id, null,
        jsonb_build_object('outbox_id', id, 'division_code', division_code), null)::procrastinate_job_to_defer_v1))
    from asked having count(*) > 0
    """
)


def lock(session: Session) -> None:
    """Let no card be registered elsewhere until this transaction ends."""
    session.execute(LOCK)


def send(session: Session, record: RegistryImport, *, by: ActingOfficer) -> int:
    """Send what the import has just registered to the banks; one without an interface answers at its desk. （第十二条）

    Returns how many accounts wait for an answer.
    """
    asked: dict[str, Any] = {"division": record.division_code, "import": record.id}
    ids = list(session.execute(NEW, asked).scalars())
    if not ids:
        return 0
    sent = move_many(session, Account, "send", ids, by=by, facts={"import": record.id})
    session.execute(ASK, {"ids": ids, "topic": TOPIC, "task": DELIVER, "moment": now(session)})
    return sent
