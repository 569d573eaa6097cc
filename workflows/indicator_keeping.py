"""Keeping downloaded indicators: new and changed ones in a few statements, each change booked. （第十条）

One item that can't be kept (a wrong field, an amount cut below what is in use) is told as a task of the finance bureau
and leaves the others alone; nothing that is unchanged is locked or written.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import text
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import Session, col

from models.base import county_of
from models.catalogue_tasks import CatalogueTaskKind
from models.indicators import BudgetIndicator, UpstreamIndicator
from models.officers import ActingOfficer
from policies.clock import now
from policies.enforcement import allow
from policies.permissions import Permission
from policies.refusals import Refused
from workflows import indicator_arrivals, journal
from workflows.catalogue_tasks import Errand, raise_tasks, vanish
from workflows.indicator_items import Fault, newer, parse

FAULT = "indicator_fault"


class IndicatorBelowUse(Refused):
    """指标 {documents} 的金额被调减到低于已占用、已申请和已拨付之和；请财政部门核对后再下载（第十条）。"""


@dataclass(frozen=True)
class Kept:
    """What became of a page: how many are new, changed, not kept."""

    new: int = 0
    changed: int = 0
    faults: int = 0


def keep(session: Session, items: Sequence[Mapping[str, Any]], *, by: ActingOfficer) -> Kept:
    """Keep downloaded indicators of the officer's county by BGT_ID and book what is new or changed. （第十条）

    Raises NotAllowed.
    """
    allow(session, by, Permission.INDICATOR_DOWNLOAD)
    return keep_items(session, items, county_of(by.division_code), by=by)


def keep_items(
    session: Session,
    items: Sequence[Mapping[str, Any]],
    division_code: str,
    *,
    by: ActingOfficer,
    download_id: int | None = None,
) -> Kept:
    """Keep a page of a county's indicators; the caller has allowed it. （第十条）"""
    parsed = parse(items, division_code)
    known = _known(session, list(parsed.rows))
    fresh = [row for key, row in parsed.rows.items() if key not in known]
    moved = [row for key, row in parsed.rows.items() if key in known and newer(row, known[key])]
    locked = _lock(session, [row["bgt_id"] for row in moved])
    low = [row for row in moved if row["amount_fen"] < locked[row["bgt_id"]].used_fen]
    moved = [row for row in moved if row not in low]
    ids = _insert(session, fresh)
    _update(session, moved)
    changes = [(ids[row["bgt_id"]], row, row["amount_fen"]) for row in fresh if row["bgt_id"] in ids]
    changes += [(locked[row["bgt_id"]].id, row, row["amount_fen"] - locked[row["bgt_id"]].amount_fen) for row in moved]
    _book(session, division_code, changes)
    indicator_arrivals.tell(session, [one for one, _, change in changes if change > 0])
    faults = [*parsed.faults, *(_below_use(row) for row in low)]
    kept = set(parsed.rows) - {row["bgt_id"] for row in low}
    tell_faults(session, faults, division_code, by=by, download_id=download_id)
    clear_faults(session, sorted(kept), division_code, by=by)
    return Kept(len(ids), len(moved), len(faults))


def _below_use(row: Mapping[str, Any]) -> Fault:
    refusal = IndicatorBelowUse(documents=row["document_number"] or row["bgt_id"])
    return Fault(row["bgt_id"], row["document_number"], "AMOUNT", str(refusal), row["raw"])


KNOWN = text("select i.* from budget_indicators i where i.bgt_id = any (:keys)")
LOCK = text(
    "select i.id, i.bgt_id, i.amount_fen, i.reserved_fen + i.requested_fen + i.paid_fen as used_fen"
    " from budget_indicators i where i.bgt_id = any (:keys) order by i.id for update"
)


def _known(session: Session, keys: Sequence[str]) -> dict[str, Mapping[str, Any]]:
    return {row["bgt_id"]: row for row in session.execute(KNOWN, {"keys": list(keys)}).mappings()}  # type: ignore[misc]


def _lock(session: Session, keys: Sequence[str]) -> dict[str, Any]:
    """Lock what changes, in one order: two downloads and a payment order never wait for each other in a circle."""
    return {row.bgt_id: row for row in session.execute(LOCK, {"keys": list(keys)})} if keys else {}


def _insert(session: Session, rows: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    if not rows:
        return {}
    moment = now(session)
    values = [{**row, "available_fen": row["amount_fen"], "arrived_at": moment} for row in rows]
    statement = insert(BudgetIndicator).values(values).on_conflict_do_nothing(index_elements=["bgt_id"])
    made = session.execute(statement.returning(col(BudgetIndicator.id), col(BudgetIndicator.bgt_id)))
    return {bgt_id: number for number, bgt_id in made}


UPDATE = text(
    """
    update budget_indicators i set amount_fen = g.amount_fen, available_fen = i.available_fen + g.amount_fen - i.amount_fen,
        distributed_fen = g.distributed_fen, fiscal_year = g.fiscal_year, document_number = g.document_number,
        document_title = g.document_title, document_date = g.document_date,
        sup_document_number = g.sup_document_number, pro_code = g.pro_code, pro_name = g.pro_name,
        agency_code = g.agency_code, fund_type_code = g.fund_type_code, exp_func_code = g.exp_func_code,
        gov_eco_code = g.gov_eco_code, dep_eco_code = g.dep_eco_code, hot_topic_code = g.hot_topic_code,
        deleted = g.deleted, updated_at = g.updated_at, raw = g.raw
    from jsonb_to_recordset(cast(:rows as jsonb)) as g (bgt_id text, amount_fen bigint, distributed_fen bigint,
        fiscal_year integer, document_number text, document_title text, document_date date, sup_document_number text,
        pro_code text, pro_name text, agency_code text, fund_type_code text, exp_func_code text, gov_eco_code text,
        dep_eco_code text, hot_topic_code text, deleted boolean, updated_at timestamptz, raw jsonb)
    where i.bgt_id = g.bgt_id
    """  # noqa: E501
)


def _update(session: Session, rows: Sequence[Mapping[str, Any]]) -> None:
    if rows:
        session.execute(UPDATE, {"rows": json.dumps(rows, default=str, ensure_ascii=False)})


def _book(session: Session, county: str, changes: Sequence[tuple[int, Mapping[str, Any], int]]) -> None:
    booked = [(one, row["bgt_id"], change, row["document_number"]) for one, row, change in changes if change]
    journal.book_allocations(session, county, booked)


# --- what was not kept ----------------------------------------------------------------------------------------------

FAULTS = text(
    """
    insert into indicator_faults (division_code, bgt_id, document_number, field, problem, item, download_id, found_at)
    select :division, f.bgt_id, f.document_number, f.field, f.problem, f.item, :download, :moment
    from jsonb_to_recordset(cast(:faults as jsonb)) as f (bgt_id text, document_number text, field text, problem text,
        item jsonb)
    on conflict (division_code, bgt_id) do update set document_number = excluded.document_number,
        field = excluded.field, problem = excluded.problem, item = excluded.item,
        download_id = excluded.download_id, gone_at = null,
        found_at = case when indicator_faults.gone_at is null then indicator_faults.found_at
            else excluded.found_at end
    returning id, bgt_id, field, problem
    """
)


def tell_faults(
    session: Session, faults: Sequence[Fault], division_code: str, *, by: ActingOfficer, download_id: int | None
) -> None:
    """Write what was not kept and raise a task of the finance bureau for each. （第十条）"""
    once = {fault.bgt_id: vars(fault) for fault in faults}
    if not once:
        return
    told = json.dumps(list(once.values()), default=str, ensure_ascii=False).replace("\\u0000", "")
    asked = {"division": division_code, "download": download_id, "moment": now(session), "faults": told}
    errands = [
        Errand(division_code, "", FAULT, row.id, f"指标 {row.bgt_id} 的 {row.field} 未能保存：{row.problem}")
        for row in session.execute(FAULTS, asked)
    ]
    raise_tasks(session, CatalogueTaskKind.INDICATOR_REFUSED, errands)


GONE = text(
    "update indicator_faults set gone_at = :moment where division_code = :division and bgt_id = any (:keys)"
    " and gone_at is null returning id"
)


def clear_faults(session: Session, keys: Sequence[str], division_code: str, *, by: ActingOfficer) -> None:
    """Let go of what could be kept after all."""
    asked = {"moment": now(session), "division": division_code, "keys": list(keys)}
    gone = list(session.execute(GONE, asked).scalars())
    if gone:
        vanish(session, CatalogueTaskKind.INDICATOR_REFUSED, FAULT, gone, by=by, division_code=division_code)


# --- leagues and the region: what they received and pass on ---------------------------------------------------------

UPSTREAM = ("fiscal_year", "document_number", "document_title", "document_date", "sup_document_number", "pro_code",
            "pro_name", "distributed_fen", "deleted", "updated_at")  # fmt: skip


def keep_upstream(
    session: Session,
    items: Sequence[Mapping[str, Any]],
    division_code: str,
    *,
    by: ActingOfficer,
    download_id: int | None = None,
) -> Kept:
    """Keep a page of a league's or the region's indicators: how much of each has been distributed. （第十条）"""
    parsed = parse(items, division_code)
    tell_faults(session, parsed.faults, division_code, by=by, download_id=download_id)
    clear_faults(session, sorted(parsed.rows), division_code, by=by)
    moment = now(session)
    rows = [
        {"division_code": division_code, "bgt_id": key, "arrived_at": moment}
        | {name: row[name] for name in UPSTREAM}
        | {"amount_fen": row["amount_fen"] + row["distributed_fen"]}
        for key, row in parsed.rows.items()
    ]
    if not rows:
        return Kept(faults=len(parsed.faults))
    statement = insert(UpstreamIndicator).values(rows)
    new, old = statement.excluded, UpstreamIndicator.__table__.columns  # type: ignore[attr-defined]
    later = (old["updated_at"].is_(None)) | (new.updated_at > old["updated_at"])
    done = session.execute(
        statement.on_conflict_do_update(
            index_elements=["bgt_id"],
            set_={name: getattr(new, name) for name in (*UPSTREAM, "amount_fen")},
            where=later & (old["division_code"] == new.division_code),
        ).returning(text("(xmax = 0) as fresh"))
    ).scalars()
    fresh = list(done)
    return Kept(sum(fresh), len(fresh) - sum(fresh), len(parsed.faults))
