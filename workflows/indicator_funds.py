"""What a county can still pay from: per project, per indicator, and who has reserved it. （第十条）"""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import text
from sqlmodel import Session

FUNDS = """
    select l.division_code, p.id as project_id, p.code, p.name, count(distinct i.id) as indicators,
        coalesce(sum(i.amount_fen), 0) as amount_fen, coalesce(sum(i.available_fen), 0) as available_fen,
        coalesce(sum(i.reserved_fen), 0) as reserved_fen, coalesce(sum(i.requested_fen), 0) as requested_fen,
        coalesce(sum(i.paid_fen), 0) as paid_fen
    from project_links l join subsidy_projects p on p.id = l.project_id
    left join budget_indicators i on i.division_code = l.division_code and i.pro_code = l.pro_code
    where (cast(:project as bigint) is null or p.id = :project)
        and (cast(:division as text) is null or l.division_code = :division)
        and (:code = '' or exists (select from project_links o where o.division_code = l.division_code
            and o.project_id = l.project_id and o.pro_code = :code))
    group by l.division_code, p.id
"""
NEEDS = """
    select r.county_code, r.project_id,
        coalesce(sum(r.amount_fen) filter (where r.status = 'final'), 0) as needed_fen,
        coalesce(sum(r.amount_fen) filter (where r.status in ('reported', 'department_examined', 'department_passed',
            'finance_examined')), 0) as reviewed_fen
    from rosters r
    where r.status in ('final', 'reported', 'department_examined', 'department_passed', 'finance_examined')
        and (cast(:project as bigint) is null or r.project_id = :project)
        and (cast(:division as text) is null or r.county_code = :division)
    group by r.county_code, r.project_id
"""
PER_PROJECT = text(
    f"""
    select f.*, coalesce(n.needed_fen, 0) as needed_fen, coalesce(n.reviewed_fen, 0) as reviewed_fen
    from ({FUNDS}) f left join ({NEEDS}) n on n.county_code = f.division_code and n.project_id = f.project_id
    order by coalesce(n.needed_fen, 0) > f.available_fen desc, f.amount_fen desc, f.name, f.division_code
    limit :limit offset :skip
    """  # noqa: S608 - constants
)
IN_ALL = text(
    """
    select count(*) as indicators, coalesce(sum(i.amount_fen), 0) as amount_fen,
        coalesce(sum(i.available_fen), 0) as available_fen, coalesce(sum(i.reserved_fen), 0) as reserved_fen,
        coalesce(sum(i.requested_fen), 0) as requested_fen, coalesce(sum(i.paid_fen), 0) as paid_fen,
        (select count(*) from (select distinct division_code, project_id from project_links) l) as projects
    from budget_indicators i
    where exists (select from project_links l where l.division_code = i.division_code and l.pro_code = i.pro_code)
    """
)


@dataclass(frozen=True)
class Funds:
    """What one project has in one county, and what its rosters still need."""

    division_code: str
    project_id: int
    code: str
    name: str
    indicators: int
    amount_fen: int
    available_fen: int
    reserved_fen: int
    requested_fen: int
    paid_fen: int
    needed_fen: int
    reviewed_fen: int

    @property
    def short_fen(self) -> int:
        """Return what final rosters need beyond what is available."""
        return max(self.needed_fen - self.available_fen, 0)


def per_project(
    session: Session,
    *,
    limit: int,
    skip: int = 0,
    project_id: int | None = None,
    division_code: str | None = None,
    pro_code: str = "",
) -> list[Funds]:
    """Return amount, available, reserved, requested, paid per project and county, what falls short first. （第十条）"""
    asked = {"limit": limit, "skip": skip, "project": project_id, "division": division_code, "code": pro_code}
    return [Funds(**row) for row in session.execute(PER_PROJECT, asked).mappings()]


def in_all(session: Session) -> Any:
    """Return the totals of the caller's range; an indicator that pays several projects is counted once."""
    return session.execute(IN_ALL).one()


INDICATORS = text(
    """
    select i.id, i.document_number, i.document_date, i.fiscal_year, i.pro_code, i.pro_name, i.amount_fen,
        i.available_fen, i.reserved_fen, i.requested_fen, i.paid_fen, l.priority
    from project_links l join budget_indicators i on i.division_code = l.division_code and i.pro_code = l.pro_code
    left join project_drawdowns d on d.division_code = l.division_code and d.project_id = l.project_id
    where l.division_code = :division and l.project_id = :project and i.amount_fen > 0
    order by l.priority, case d.drawdown when 'ascending' then i.available_fen
        when 'descending' then -i.available_fen end, l.pro_code, i.document_date nulls last, i.id
    limit :limit offset :skip
    """
)
LINKS = text(
    """
    select l.id, l.pro_code, l.priority, max(i.pro_name) as pro_name, count(i.id) as indicators,
        coalesce(sum(i.amount_fen), 0) as amount_fen, coalesce(sum(i.available_fen), 0) as available_fen
    from project_links l left join budget_indicators i on i.division_code = l.division_code and i.pro_code = l.pro_code
    where l.division_code = :division and l.project_id = :project group by l.id order by l.priority, l.pro_code
    """
)
DRAWDOWN = text("select drawdown from project_drawdowns where division_code = :division and project_id = :project")
RESERVED_BY = text(
    """
    select o.id, o.number, o.status, o.line_count, o.amount_fen, o.drafted_at, i.document_number
    from payment_orders o join budget_indicators i on i.division_code = o.division_code and i.id = o.indicator_id
    where o.division_code = :division and o.project_id = :project
        and o.status in ('drafted', 'released', 'requested', 'rejected')
    order by o.id desc limit 100
    """
)
NEEDED_BY = text(
    """
    select r.id, r.number, r.township, r.period, r.amount_fen, r.line_count from rosters r
    where r.county_code = :division and r.project_id = :project and r.status = 'final' order by r.id limit 100
    """
)
HISTORY = text(
    """
    select e.label, e.business_at, e.officer_name, e.post, e.facts ->> 'pro_code' as pro_code from events e
    where e.division_code = :division and e.noun = 'project_link' and e.facts ->> 'project' = :code
    order by e.id desc limit 50
    """
)


def of_project(
    session: Session, division_code: str, project_id: int, code: str, *, limit: int, skip: int = 0
) -> dict[str, Any]:
    """Return links in order, indicators as they will be drawn down, who has reserved, who needs, what changed."""
    keys = {"division": division_code, "project": project_id}
    return {
        "links": session.execute(LINKS, keys).all(),
        "drawdown": session.execute(DRAWDOWN, keys).scalar_one_or_none() or "document",
        "indicators": session.execute(INDICATORS, keys | {"limit": limit, "skip": skip}).all(),
        "orders": session.execute(RESERVED_BY, keys).all(),
        "rosters": session.execute(NEEDED_BY, keys).all(),
        "history": session.execute(HISTORY, {"division": division_code, "code": code}).all(),
    }


PAID = "p.ledger in ('in_transit', 'agent_account', 'paid')"
LEDGER = text(
    f"""
    select e.id, e.booked_at, e.kind, e.memo, m.moved_fen, m.amount_fen, m.available_fen, m.reserved_fen,
        m.requested_fen, m.paid_fen
    from (
        select p.entry_id, sum(p.amount_fen) filter (where p.amount_fen > 0) as moved_fen,
            -sum(coalesce(sum(p.amount_fen) filter (where p.ledger = 'allocated'), 0)) over w as amount_fen,
            sum(coalesce(sum(p.amount_fen) filter (where p.ledger = 'available'), 0)) over w as available_fen,
            sum(coalesce(sum(p.amount_fen) filter (where p.ledger = 'reserved'), 0)) over w as reserved_fen,
            sum(coalesce(sum(p.amount_fen) filter (where p.ledger = 'requested'), 0)) over w as requested_fen,
            sum(coalesce(sum(p.amount_fen) filter (where {PAID}), 0)) over w as paid_fen
        from postings p where p.county_code = :county and p.indicator_id = :indicator
        group by p.entry_id window w as (order by p.entry_id)
    ) m
    join journal_entries e on e.county_code = :county and e.id = m.entry_id
    order by m.entry_id desc limit :limit offset :skip
    """  # noqa: S608 - constants
)
ENTRIES = text(
    "select count(distinct entry_id) from postings where county_code = :county and indicator_id = :indicator"
)
KINDS = {
    "indicator": "指标下达或调整", "reserve": "占用", "release": "解除占用", "request": "申请支付",
    "reject": "申请退回", "fund": "拨付", "credit": "代发户到账", "pay": "发放", "reverse": "退汇",
    "return": "退回国库", "refund": "退回指标",
}  # fmt: skip
"""What an entry of the journal is called on an indicator's page."""


def ledger(session: Session, county: str, indicator_id: int, *, limit: int, skip: int = 0) -> tuple[int, list[Any]]:
    """Return the history of an indicator, the newest first, with its balances after each entry. （第十条）"""
    keys = {"county": county, "indicator": indicator_id}
    count = int(session.execute(ENTRIES, keys).scalar_one())
    return count, list(session.execute(LEDGER, keys | {"limit": limit, "skip": skip}).all())
