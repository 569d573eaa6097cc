"""Budget indicators: downloaded by hot-topic class, tied to subsidy projects, reserved and released. （第十条）

Amounts on an indicator change by guarded statements only; each change is booked in the journal beside it.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import sqlalchemy as sa
from sqlalchemy import text
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import Session, col, select

from integrations import budget_system
from integrations.amounts import fen_of, yuan_text
from integrations.budget_system import HOT_TOPIC, mof_division
from integrations.errors import Rejected, Unavailable
from models.base import county_of
from models.indicators import BudgetIndicator
from models.jobs import Job, JobStatus
from models.journal import Ledger
from models.officers import ActingOfficer
from models.projects import ProjectLink, SubsidyProject
from policies.enforcement import allow
from policies.moves import record_event
from policies.permissions import Permission
from policies.refusals import Refused
from workflows import journal
from workflows.edges import edge
from workflows.jobs import Waiting
from workflows.queue import finish, officer_of_post, progress, start_job

DOWNLOAD = "download_indicators"
PRO_CODE = re.compile(r"\d{8}[0-9A-Z]{13}")


class IndicatorBelowUse(Refused):
    """指标 {documents} 的金额被调减到低于已占用、已申请和已拨付之和；请财政部门核对后再下载（第十条）。"""


class ProCodeWrong(Refused):
    """预算项目代码“{pro_code}”不正确：须为 21 位，前 8 位是数字，后 13 位是数字或大写字母；请核对后重填。"""

    status_code = 400


class PriorityWrong(Refused):
    """支用顺序“{priority}”不正确：请填写 1 到 99 的整数，数字小的先支用。"""

    status_code = 400


class DownloadRejected(Refused):
    """{partner}没有受理指标下载：{text}（代码 {code}）；请联系系统管理员检查接口后重新下载。"""


# --- download -----------------------------------------------------------------------------------------------------


def download(*, by: ActingOfficer) -> int:
    """Download the county's indicators of the class 惠民惠农财政补贴资金; return how many are new. （第十条）

    The budget system is asked page by page with nothing open; repeating it changes nothing. Raises NotAllowed,
    IndicatorBelowUse, Unavailable, DownloadRejected.
    """
    county = county_of(by.division_code)
    with edge(by, "download", "预算指标") as session:
        allow(session, by, Permission.INDICATOR_DOWNLOAD)
    items: list[dict[str, Any]] = []
    cursor = ""
    try:
        while True:
            page = budget_system.download_indicators(county, HOT_TOPIC, cursor)
            items += page.items
            cursor = page.cursor
            if not cursor:
                break
    except Rejected as refused:
        raise DownloadRejected(partner=refused.fields["partner"], code=refused.code, text=refused.text) from refused
    with edge(by, "download", "预算指标") as session:
        return keep(session, items, by=by)


def start_download(session: Session, *, by: ActingOfficer) -> Job:
    """Start the download of the county's indicators as a job of the officer. （第十条）"""
    allow(session, by, Permission.INDICATOR_DOWNLOAD)
    return start_job(session, by=by, kind=DOWNLOAD, title="下载预算指标", division_code=county_of(by.division_code))


def run_download(job_id: int, post_id: int) -> None:
    """Run the download job. Raises Waiting while the budget system can't be reached, PostEnded."""
    by = officer_of_post(post_id)
    progress(by, job_id, 0, 1, "下载预算指标")
    try:
        new = download(by=by)
    except Unavailable as away:
        raise Waiting(str(away)) from away
    with edge(by, "download", "预算指标") as session:
        finish(session, job_id, JobStatus.DONE, f"新增指标 {new} 项")


@dataclass(frozen=True)
class _Known:
    id: int
    amount_fen: int
    bookings: int


def keep(session: Session, items: Sequence[Mapping[str, Any]], *, by: ActingOfficer) -> int:
    """Write downloaded indicators by BGT_ID and book what is new or changed; return how many are new. （第十条）

    Raises IndicatorBelowUse when an indicator was cut below what is in use.
    """
    county = county_of(by.division_code)
    allow(session, by, Permission.INDICATOR_DOWNLOAD)
    rows = {row["bgt_id"]: row for item in items if _ours(item, county) for row in [_row(item, county)]}
    if not rows:
        return 0
    known = _known(session, county, list(rows))
    _require_not_below(session, county, rows)
    _write(session, rows)
    fresh = _known(session, county, list(rows))
    for number, row in rows.items():
        before = known.get(number)
        change = row["amount_fen"] - (before.amount_fen if before else 0)
        if change:
            booked = before.bookings if before else 0
            sides = journal.transfer(Ledger.ALLOCATED, Ledger.AVAILABLE, change, indicator_id=fresh[number].id)
            journal.book(session, county, "indicator", f"indicator:{number}:{booked}", sides, row["document_number"])
    return len(rows) - len(known)


def _ours(item: Mapping[str, Any], county: str) -> bool:
    return item.get("HOT_TOPIC_CATE_NAME") == HOT_TOPIC and str(item.get("MOF_DIV_CODE")) == mof_division(county)


def _row(item: Mapping[str, Any], county: str) -> dict[str, Any]:
    """Return our columns of an indicator; what was distributed further down is not ours to pay with."""
    amount_fen = 0 if str(item.get("IS_DELETED", "0")) in ("1", "true", "True") else fen_of(str(item["AMOUNT"]))
    passed_on = fen_of(str(item.get("DIS_AMT") or "0")) if amount_fen else 0
    dated = item.get("DOC_DATE")
    return {
        "division_code": county,
        "bgt_id": str(item["BGT_ID"]),
        "fiscal_year": int(item["FISCAL_YEAR"]),
        "document_number": str(item.get("COR_BGT_DOC_NO") or ""),
        "document_title": str(item.get("BGT_DOC_TITLE") or ""),
        "document_date": date.fromisoformat(str(dated)[:10]) if dated else None,
        "pro_code": str(item["PRO_CODE"]),
        "pro_name": str(item.get("PRO_NAME") or ""),
        "hot_topic": HOT_TOPIC,
        "agency_code": str(item.get("AGENCY_CODE") or ""),
        "fund_type_code": str(item.get("FUND_TYPE_CODE") or ""),
        "exp_func_code": str(item.get("EXP_FUNC_CODE") or ""),
        "gov_eco_code": str(item.get("GOV_BGT_ECO_CODE") or ""),
        "dep_eco_code": str(item.get("DEP_BGT_ECO_CODE") or ""),
        "amount_fen": amount_fen - passed_on,
        "available_fen": amount_fen - passed_on,
        "raw": dict(item),
    }


KNOWN = text(
    "select i.bgt_id, i.id, i.amount_fen, (select count(*) from postings p where p.county_code = i.division_code"
    " and p.ledger = 'allocated' and p.indicator_id = i.id) as bookings"
    " from budget_indicators i where i.division_code = :county and i.bgt_id = any (:numbers) for update of i"
)


def _known(session: Session, county: str, numbers: list[str]) -> dict[str, _Known]:
    found = session.execute(KNOWN, {"county": county, "numbers": numbers})
    return {row.bgt_id: _Known(row.id, row.amount_fen, row.bookings) for row in found}


def _require_not_below(session: Session, county: str, rows: Mapping[str, Mapping[str, Any]]) -> None:
    in_use = session.execute(
        text(
            "select i.document_number from budget_indicators i join unnest(cast(:numbers as text[]),"
            " cast(:amounts as bigint[])) as n (bgt_id, amount_fen) on n.bgt_id = i.bgt_id"
            " where i.division_code = :county and n.amount_fen < i.reserved_fen + i.requested_fen + i.paid_fen"
        ),
        {"county": county, "numbers": list(rows), "amounts": [row["amount_fen"] for row in rows.values()]},
    ).scalars()
    documents = "、".join(sorted(in_use))
    if documents:
        raise IndicatorBelowUse(documents=documents)


def _write(session: Session, rows: Mapping[str, Mapping[str, Any]]) -> None:
    statement = insert(BudgetIndicator).values(list(rows.values()))
    new = statement.excluded
    columns: Any = BudgetIndicator
    descriptive = ("document_number", "document_title", "document_date", "pro_code", "pro_name", "agency_code")
    classes = ("fund_type_code", "exp_func_code", "gov_eco_code", "dep_eco_code", "raw")
    values = {name: getattr(new, name) for name in descriptive + classes}
    values["amount_fen"] = new.amount_fen
    values["available_fen"] = columns.available_fen + new.amount_fen - columns.amount_fen
    session.execute(
        statement.on_conflict_do_update(
            index_elements=["bgt_id"], set_=values, where=columns.division_code == new.division_code
        )
    )


# --- links --------------------------------------------------------------------------------------------------------


def link(
    session: Session, *, by: ActingOfficer, project: SubsidyProject, pro_code: str, priority: int = 1
) -> ProjectLink:
    """Let a budget project pay a subsidy project in the officer's county, in draw-down order. （第十条）

    The same pair again changes its order only. Raises ProCodeWrong, PriorityWrong.
    """
    allow(session, by, Permission.INDICATOR_LINK)
    code = pro_code.strip()
    if not PRO_CODE.fullmatch(code):
        raise ProCodeWrong(pro_code=code[:30])
    if not 1 <= priority <= 99:
        raise PriorityWrong(priority=priority)
    county = county_of(by.division_code)
    session.execute(
        insert(ProjectLink)
        .values(division_code=county, project_id=project.id, pro_code=code, priority=priority)
        .on_conflict_do_update(index_elements=["division_code", "project_id", "pro_code"], set_={"priority": priority})
    )
    made = session.exec(
        select(ProjectLink)
        .where(
            ProjectLink.division_code == county,
            ProjectLink.project_id == project.id,
            col(ProjectLink.pro_code) == code,
        )
        .execution_options(populate_existing=True)
    ).one()
    facts = {"project": project.code, "pro_code": code, "priority": priority}
    record_event(session, made, "link", by=by, label="对应预算项目", noun="project_link", facts=facts)
    return made


def link_project(
    session: Session, project: SubsidyProject, *, by: ActingOfficer, pro_code: str, priority: int = 1
) -> ProjectLink:
    """Do as `link` does, from the page of a project. （第十条）"""
    return link(session, by=by, project=project, pro_code=pro_code, priority=priority)


# --- projections --------------------------------------------------------------------------------------------------

SHIFTS: dict[str, tuple[Ledger, Ledger]] = {
    "reserve": (Ledger.AVAILABLE, Ledger.RESERVED),
    "release": (Ledger.RESERVED, Ledger.AVAILABLE),
    "request": (Ledger.RESERVED, Ledger.REQUESTED),
    "reject": (Ledger.REQUESTED, Ledger.RESERVED),
    "fund": (Ledger.REQUESTED, Ledger.IN_TRANSIT),
    "refund": (Ledger.IN_TRANSIT, Ledger.AVAILABLE),
}
"""Kind of booking → from which ledger to which."""

COLUMNS = {
    Ledger.AVAILABLE: "available_fen",
    Ledger.RESERVED: "reserved_fen",
    Ledger.REQUESTED: "requested_fen",
    Ledger.IN_TRANSIT: "paid_fen",
}


class IndicatorOverdrawn(Refused):
    """指标{document}“{column}”只有 {have} 元，需要 {need} 元；可能刚被其他支付单占用，请刷新后重试（第十条）。"""


def shift(
    session: Session,
    county_code: str,
    kind: str,
    business_key: str,
    *,
    indicator_id: int,
    amount_fen: int,
    project_id: int | None = None,
    agent_account_id: int | None = None,
    reference: str = "",
    memo: str = "",
) -> bool:
    """Move an amount of an indicator from one state to the next and book it: one guarded UPDATE. （第十条）

    Return False, changing nothing, when the business key was booked before. Raises IndicatorOverdrawn when the source
    does not hold the amount.
    """
    source, target = SHIFTS[kind]
    sides = journal.transfer(
        source,
        target,
        amount_fen,
        indicator_id=indicator_id,
        project_id=project_id,
        agent_account_id=agent_account_id,
        reference=reference,
    )
    if journal.book(session, county_code, kind, business_key, sides, memo) is None:
        return False
    columns = sa.inspect(BudgetIndicator, raiseerr=True).columns
    out, into = columns[COLUMNS[source]], columns[COLUMNS[target]]
    mine = (columns["division_code"] == county_code) & (columns["id"] == indicator_id)
    done = session.execute(
        sa.update(BudgetIndicator)
        .where(mine, out >= amount_fen)
        .values({out.name: out - amount_fen, into.name: into + amount_fen}),
        execution_options={"synchronize_session": False},
    )
    if done.rowcount == 0:  # type: ignore[attr-defined]
        document, have = session.execute(sa.select(columns["document_number"], out).where(mine)).one()
        raise IndicatorOverdrawn(
            document=document, column=out.comment or out.name, have=yuan_text(have), need=yuan_text(amount_fen)
        )
    return True
