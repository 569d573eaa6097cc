"""What a department's system reads back: each new state of its applications, and what was paid on them. （第二十九条）

Rows are read in the order of their transactions, and only those that no running transaction can still precede: a cursor
never skips one. 补贴数据与发放数据一致.
"""

import re
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from sqlmodel import Session

from policies.clock import ZONE, now
from policies.refusals import Refused
from workflows.exchange import Caller

CURSOR = re.compile(r"(\d{1,18})-(\d{1,18})")
PAGE = 500
LOOKED_BACK = timedelta(days=62)
EARLIEST = date(2024, 1, 1)


class CursorWrong(Refused):
    """游标不正确；第一次读取请用 0-0，此后用上一页返回的 next。"""

    status_code = 400


LAST = sa.text(
    "select told_at from application_results where body = :body and kind = 'payment'"
    " order by transaction desc, id desc limit 1"
)
HARVEST = sa.text(
    """
    insert into application_results (division_code, county_code, sector, body, application_id, kind, state, period,
        amount_fen, paid_on, failure_class, disbursement_id, told_at)
    select a.division_code, a.county_code, a.sector, a.body, a.id, 'payment', d.status, o.period, d.amount_fen,
        case d.status when 'paid' then d.settled_on end, d.failure_class, d.id, :moment
    from disbursements d
    join qualification_lines l on l.county_code = d.county_code and l.line_id = d.line_id
    join qualifications q on q.division_code = l.division_code and q.id = l.qualification_id
    join applications a on a.division_code = q.division_code and a.id = q.application_id and a.body = :body
    join rosters o on o.division_code = d.division_code and o.id = d.roster_id
    where d.status in ('paid', 'failed') and d.settled_on >= :since
        and not exists (select from application_results r where r.county_code = d.county_code
            and r.disbursement_id = d.id and r.state = d.status)
    on conflict do nothing
    """
)


def harvest(session: Session, caller: Caller, cursor: str) -> int:
    """Note the payments that the banks have settled since the last reading; return how many. （第二十九条）

    However long ago that was: what is looked at begins well before the last payment that was noted. Whoever begins
    anew is told of all. Raises CursorWrong.
    """
    last = session.execute(LAST, {"body": caller.code}).scalar_one_or_none()
    since = EARLIEST if last is None or _cursor(cursor) == (0, 0) else last.astimezone(ZONE).date() - LOOKED_BACK
    done = session.execute(HARVEST, {"body": caller.code, "since": since, "moment": now(session)})
    return int(done.rowcount)  # type: ignore[attr-defined]


READ = sa.text(
    """
    select r.id, r.transaction, r.kind, r.state, r.period, r.amount_fen, r.paid_on, r.failure_class, r.told_at,
        a.number, a.external_number, case when r.kind = 'state' and a.status = r.state
            and a.status in ('returned', 'rejected') then a.reason else '' end as reason
    from application_results r
    join applications a on a.division_code = r.division_code and a.id = r.application_id
    where r.body = :body and (r.transaction, r.id) > (:transaction, :id)
        and r.transaction < (pg_snapshot_xmin(pg_current_snapshot())::text)::bigint
    order by r.transaction, r.id limit :most
    """
)


def page(session: Session, caller: Caller, cursor: str) -> dict[str, Any]:
    """Return a page of results after a cursor, with the cursor of the next. （第二十九条） Raises CursorWrong."""
    transaction, row = _cursor(cursor)
    asked = {"body": caller.code, "transaction": transaction, "id": row, "most": PAGE + 1}
    rows = session.execute(READ, asked).all()
    shown = rows[:PAGE]
    last = f"{shown[-1].transaction}-{shown[-1].id}" if shown else cursor
    return {"results": [_told(one) for one in shown], "next": last, "more": len(rows) > PAGE}


def _cursor(text: str) -> tuple[int, int]:
    found = CURSOR.fullmatch(text)
    if found is None:
        raise CursorWrong
    return int(found[1]), int(found[2])


def _told(row: Any) -> dict[str, Any]:
    told: dict[str, Any] = {
        "application": row.external_number,
        "number": row.number,
        "kind": row.kind,
        "state": row.state,
        "at": row.told_at.isoformat(),
    }
    if row.kind == "state":
        return told | {"reason": row.reason}
    return told | {
        "period": row.period,
        "amount": f"{Decimal(row.amount_fen) / 100:.2f}",
        "paid_on": row.paid_on.isoformat() if row.paid_on else None,
        "failure_class": row.failure_class,
    }
