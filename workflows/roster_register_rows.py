"""The rows of a roster from the register: who is listed at what amount, who is left out, joined or left, and why.

（第十一、十二、十六条） Temporary tables of the job's one transaction; no query per person.
"""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from sqlmodel import Session

from models.projects import SubsidyProject
from models.qualifications import QualificationStatus, RosterGeneration
from models.rosters import Roster
from policies.definitions import PayeeMode
from policies.entitlements import ENTITLEMENT_SQL
from policies.freshness import CHECKED_SINCE
from policies.identities import mask_name
from workflows.application_values import amount_sql
from workflows.plans import by_hash
from workflows.project_versions import in_force

SHOWN = 200

REASONS = {
    "gone": ("人员已死亡、失踪、迁出或引用已终止", "资格随即暂停，由主管部门核实后终止（第十六条第一项）"),
    "unchecked": ("新增人员尚未通过公安联网核查", "在家庭成员页面发起核查，一致后再次造册（第十一条）"),
    "standard": ("批准时的补贴标准已不在现行标准中", "由主管部门核定档次，终止后按现行标准重新申请（第八条）"),
    "amount": ("按公式计算的金额不大于零", "核对数量和补贴标准"),
    "rostered": ("本期已在其他清册中", "不重复列入"),
    "account": ("收款人没有登记的发放账户", "登记社会保障卡账户后再次造册（第十二条）"),
}
"""Why a qualification is left out of a roster, and what to do."""


@dataclass(frozen=True)
class Totals:
    """What a roster's lines come to."""

    row_count: int
    amount_fen: int


KEY = ENTITLEMENT_SQL.format(
    project="cast(:code as text)", period="cast(:period as text)", person="m.person", component="q.component"
)
CANDIDATES = """
create temporary table register_rows on commit drop as
with heads as (
    select distinct on (m.household_id) m.household_id, m.id, m.name_key from members m
    where m.division_code = :division and m.current and m.relation in ('02', '01')
    order by m.household_id, m.relation desc, m.id
), referenced as (
    select distinct on (v.member_id) v.member_id, v.person_status, v.account_index from virtual_members v
    where v.division_code = :division and v.status = 'in_force'
        and coalesce(v.project_id, cast(:project as bigint)) = :project
    order by v.member_id, v.id
), rostered as (
    select l.entitlement_key from roster_lines l join rosters r on r.division_code = l.division_code
        and r.id = l.roster_id
    where l.division_code = :division and r.division_code = :division and r.project_id = :project
        and r.period = :period and l.state <> 'stopped'
), found as (
    select distinct on (q.member_id, q.component) q.id as qualification_id, q.number, q.village as place,
        m.id as member_id, m.name, m.name_key,
        m.id_number, m.id_index, q.quantity, q.component, q.extra, h.name_key as head_key,
        case when :by_head and h.id is not null then h.id else m.id end as payee_id,
        case when :by_head and h.id is not null then h.name_key else '' end as payee_name,
        case when cardinality(cast(:standards as numeric[])) = 1 then (cast(:standards as numeric[]))[1]
            when q.standard = any (cast(:standards as numeric[])) then q.standard end as standard,
        (m.status = 'alive' and m.current or v.person_status is not distinct from 'alive') is not true
            or m.identity_outcome is not distinct from 'dead' as gone,
        m.current and m.identity_outcome is null and m.added_on >= :since as unchecked,
        v.account_index is not null and not m.current as referenced_account,
        {key} as entitlement_key
    from qualifications q
    join members m on m.division_code = q.division_code and m.id = q.member_id
    left join heads h on h.household_id = m.household_id
    left join referenced v on v.member_id = m.id and not m.current
    where q.division_code = :division and q.project_id = :project
        and (q.status = 'active' or q.status = 'ended' and q.ends_on > :since_day)
        and q.valid_from <= :until and (q.valid_to is null or q.valid_to >= :since_day)
    order by q.member_id, q.component, q.status = 'active' desc, q.id desc
), priced as (
    select f.*, {amount} as amount_fen from found f
)
select row_number() over (order by p.place, p.qualification_id)::integer as row_number, p.*,
    case when p.gone then 'gone'
        when p.unchecked then 'unchecked'
        when p.standard is null then 'standard'
        when coalesce(p.amount_fen, 0) <= 0 then 'amount'
        when p.entitlement_key in (select r.entitlement_key from rostered r) then 'rostered'
        when not p.referenced_account and p.payee_id not in (select a.member_id from accounts a
            where a.division_code = :division and a.is_payment) then 'account'
        else '' end as skip
from priced p
""".replace("{key}", KEY)
ROWS = """
create temporary table generated_rows (like import_rows including defaults) on commit drop
"""
FILL = """
insert into generated_rows (division_code, import_id, row_number, village, group_name, head_name, name, name_key,
    id_number, id_index, payee_name, account_number, account_index, bank_name, quantity, standard, amount_fen,
    component, note, extra)
select :division, 0, row_number, '', '', '', name, name_key, id_number, id_index, payee_name, null, null, '', quantity,
    standard, amount_fen, component, '', extra
from register_rows where skip = ''
"""


def candidates(session: Session, record: RosterGeneration, project: SubsidyProject, standards: list[Decimal]) -> None:
    """List the period's qualifications with their amounts, and why some can't be named. （第十六条）"""
    definition = in_force(project)
    about = {
        "division": record.division_code, "project": record.project_id, "code": project.code, "period": record.period,
        "by_head": definition.payee == PayeeMode.HEAD, "standards": standards, "since": CHECKED_SINCE,
        "until": record.period_end, "since_day": record.period_start,
    }  # fmt: skip
    with by_hash(session):
        amount, parameters = amount_sql(definition)
        session.execute(sa.text(CANDIDATES.replace("{amount}", amount)), about | parameters)
        session.execute(sa.text("analyze register_rows"))
        session.execute(sa.text(ROWS))
        session.execute(sa.text(FILL), {"division": record.division_code})


def skipped(session: Session) -> dict[str, Any]:
    """Return who is left out, masked, with why and what to do; and how many."""
    rows = session.execute(
        sa.text(
            "select number, name, skip, count(*) over () as many from register_rows where skip <> ''"
            " order by row_number limit :most"
        ),
        {"most": SHOWN},
    ).all()
    shown = [
        {
            "number": row.number,
            "name": mask_name(row.name),
            "what": REASONS[row.skip][0],
            "remedy": REASONS[row.skip][1],
        }
        for row in rows
    ]
    return {"count": rows[0].many if rows else 0, "rows": shown}


def totals(session: Session) -> Totals:
    """Return what the listed rows come to."""
    row = session.execute(sa.text("select count(*), coalesce(sum(amount_fen), 0) from generated_rows")).one()
    return Totals(int(row[0]), int(row[1]))


PREVIOUS = """
    select l.id_index, l.component, l.name, l.sequence, l.member_id, l.amount_fen from roster_lines l
    join rosters o on o.division_code = l.division_code and o.id = l.roster_id
    where l.division_code = :division and o.division_code = :division and o.project_id = :project
        and l.state <> 'stopped' and o.period_start = (select max(period_start) from rosters
            where division_code = :division and project_id = :project and period_start < :period_start)
"""
LEFT = """
    with previous as ({previous})
    select p.sequence, p.name, s.skip, q.status, q.end_reason, q.valid_to, count(*) over () as many
    from previous p
    left join register_rows s on s.member_id = p.member_id and s.component = p.component
    left join lateral (select x.* from qualifications x where x.division_code = :division
        and x.project_id = :project and x.member_id = p.member_id and x.component = p.component
        order by x.id desc limit 1) q on true
    where not exists (select from roster_lines l where l.division_code = :division and l.roster_id = :roster
        and l.id_index = p.id_index and l.component = p.component)
    order by p.sequence limit :most
""".replace("{previous}", PREVIOUS)
JOINED = """
    select l.sequence, l.name, count(*) over () as many from roster_lines l
    where l.division_code = :division and l.roster_id = :roster and l.previous_amount_fen is null
        and exists (select from rosters o where o.division_code = :division and o.project_id = :project
            and o.period_start < :period_start)
    order by l.sequence limit :most
"""


def compared(session: Session, record: RosterGeneration, roster: Roster) -> tuple[list[Any], list[Any]]:
    """Return who joined and who left against the previous period's rosters, each with the count of all. （第十六条）"""
    about = {
        "division": record.division_code, "project": record.project_id, "roster": roster.id,
        "period_start": record.period_start, "most": SHOWN,
    }  # fmt: skip
    with by_hash(session):
        joined = list(session.execute(sa.text(JOINED), about).all())
        return joined, list(session.execute(sa.text(LEFT), about).all())


def why_left(row: Any) -> str:
    """Say why somebody of the previous period is not on this roster."""
    if row.skip:
        return REASONS[row.skip][0]
    if row.status is None:
        return "不在资格名册中"
    if row.status == QualificationStatus.ACTIVE:
        return f"资格有效期至 {row.valid_to} 届满" if row.valid_to else "不在本期有效期内"
    label = QualificationStatus(row.status).label
    return f"资格{label}：{row.end_reason}" if row.end_reason else f"资格{label}"
