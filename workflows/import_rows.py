"""The rows of an import in the database: staged by COPY, matched with the registry by joins, applied by one statement.

`COPY FROM` into a table under row policies is refused for the application's role, so rows go into a temporary table
and from there, under the policies, into `import_rows`; no query is made per row (DESIGN D2).
"""

from collections.abc import Iterator
from typing import Any

import psycopg
import sqlalchemy as sa
from psycopg.types.json import Jsonb
from sqlmodel import Session

from models.crypto import ring
from models.imports import RosterImport
from models.projects import SubsidyProject
from models.rosters import Roster
from policies.definitions import PayeeMode
from policies.entitlements import ENTITLEMENT_SQL
from policies.identities import mask_name, name_key
from reports.sheets.findings import Findings
from reports.sheets.rosters import Chunk, RosterSheet
from workflows import virtual_members
from workflows.plans import by_hash

STAGING = """
create temporary table staging (
    row_number integer, village text, group_name text, head_name text, name text, name_key text, id_number bytea,
    id_index bytea, payee_name text, account_number bytea, account_index bytea, bank_name text, quantity_milli bigint,
    standard_units bigint, amount_fen bigint, component text, note text, extra jsonb
) on commit drop
"""
_TEXT, _BYTES, _NUMBER = "text", "bytea", "int8"
STAGED_TYPES = (
    ["int4", *[_TEXT] * 5, _BYTES, _BYTES, _TEXT, _BYTES, _BYTES, _TEXT, *[_NUMBER] * 3, _TEXT, _TEXT, "jsonb"]
)  # fmt: skip

TAKE_OVER = """
insert into import_rows (division_code, import_id, row_number, village, group_name, head_name, name, name_key,
    id_number, id_index, payee_name, account_number, account_index, bank_name, quantity, standard, amount_fen,
    component, note, extra)
select :division, :import, row_number, village, group_name, head_name, name, name_key, id_number, id_index, payee_name,
    account_number, account_index, bank_name, quantity_milli / 1000.0, standard_units / 10000.0, amount_fen,
    component, note, extra
from staging
on conflict do nothing
"""

ENTITLEMENT = ENTITLEMENT_SQL.format(
    project="cast(:project_code as text)", period="cast(:period as text)", person="m.person", component="r.component"
)

REFERENCED = """
    select distinct on (v.member_id) v.* from virtual_members v
    where v.division_code = :division and v.status = 'in_force'
        and coalesce(v.project_id, cast(:project as bigint)) = :project
    order by v.member_id, v.id
"""
"""People whom other townships keep and this one pays, for this project; with the keeper's snapshot. （第十一条）"""

STAGED = "(select s.* from import_rows s where s.division_code = :division and s.import_id = :import)"
"""The rows of a sheet; a roster made from the register brings rows of the same columns (roster_generation.py)."""

# The registry is asked once for the whole sheet. `payee` is the person himself or the head of his household.
_MATCHED = """
with referenced as ({referenced}), registry as (
    select m.id, m.household_id, m.person, m.name, m.name_key, m.id_index, m.relation, m.phone is not null as has_phone,
        m.added_on
    from members m where m.division_code = :division
        and (m.current or m.id in (select v.member_id from referenced v))
), heads as (
    select distinct on (household_id) household_id, id, name, name_key from registry
    where relation in ('02', '01') order by household_id, relation desc, id
), known as (
    (select distinct on (member_id, number_index) id, member_id, number, number_index, bank_name, bank_code, is_card,
        is_payment, null as state, cast(null as timestamptz) as checked_at
    from accounts where division_code = :division order by member_id, number_index, is_payment desc, id desc)
    union all
    select null, member_id, account_number, account_index, bank_name, bank_code, account_is_card, true, account_state,
        account_verified_at
    from referenced where account_index is not null
), people as (
    select r.*, m.id as member_id, m.household_id, m.name as known_name, m.name_key as known_key, m.has_phone,
        m.added_on, h.name as known_head, h.id as head_id, {key} as entitlement_key,
        case when r.payee_name in ('', m.name_key) then m.id when r.payee_name = h.name_key then h.id end as payee_id,
        case when r.payee_name in ('', m.name_key) then m.name when r.payee_name = h.name_key then h.name end
            as known_payee
    from {rows} r
    left join registry m on m.id_index = r.id_index
    left join heads h on h.household_id = m.household_id
), matched as (
    select p.*, coalesce(a.id, d.id) as account_id, coalesce(a.number, d.number) as known_number,
        coalesce(a.number_index, d.number_index) as known_index, coalesce(a.bank_name, d.bank_name) as known_bank,
        coalesce(a.bank_code, d.bank_code) as known_code, coalesce(a.is_card, d.is_card) as is_card,
        coalesce(a.is_payment, d.is_payment) as is_payment, coalesce(a.state, d.state) as known_state,
        coalesce(a.checked_at, d.checked_at) as checked_at
    from people p
    left join known a on a.member_id = p.payee_id and a.number_index = p.account_index
    left join known d on d.member_id = p.payee_id and d.is_payment and p.account_index is null
)
""".replace("{key}", ENTITLEMENT).replace("{referenced}", REFERENCED)
MATCHED = _MATCHED.replace("{rows}", STAGED)

FINDINGS = (
    MATCHED
    + """
select row_number, id_index, member_id, known_name, known_key is distinct from name_key as other_name, payee_id,
    known_index, account_index is null as no_account, is_payment, coalesce(case cast(:payee as text)
        when 'person' then payee_id <> member_id when 'head' then payee_id is distinct from head_id end, false)
        as other_payee
from matched
where member_id is null or known_key <> name_key or payee_id is null or known_index is null
    or account_index is null or not is_payment or case cast(:payee as text) when 'person' then payee_id <> member_id
        when 'head' then payee_id is distinct from head_id end
order by row_number
"""
)

_APPLY_MATCHED = """
, land as (
    select household_id, sum(case when kind in ('contracted_land', 'leased_in') then quantity else -quantity end) as mu
    from assets where division_code = :division
        and kind in ('contracted_land', 'leased_in', 'leased_out', 'excluded_land')
    group by household_id having bool_or(kind = 'contracted_land')
), previous as (
    select l.id_index, l.component, sum(l.amount_fen) as amount_fen
    from roster_lines l join rosters o on o.division_code = l.division_code and o.id = l.roster_id
    where l.division_code = :division and o.division_code = :division and o.project_id = :project
        and l.state <> 'stopped' and o.period_start = (
            select max(period_start) from rosters
            where division_code = :division and project_id = :project and period_start < :period_start)
    group by l.id_index, l.component
)
insert into roster_lines (county_code, division_code, roster_id, sector, sequence, household_id, member_id, village,
    group_name, head_name, name, id_number, id_index, payee_name, payee_relation, account_id, account_number,
    account_index, bank_name, bank_code, quantity, standard, amount_fen, component, entitlement_key, state,
    state_reason, note, account_is_card, account_state, account_checked_at, contracted_area_mu, previous_amount_fen,
    phone_present, member_added_on, reviewed_on, extra)
select :county, :division, :roster, :sector, row_number() over (order by x.row_number), x.household_id, x.member_id,
    coalesce(nullif(x.village, ''), h.village), coalesce(nullif(x.group_name, ''), h.group_name),
    coalesce(x.known_head, h.head_name), x.known_name, x.id_number, x.id_index, x.known_payee,
    case when x.payee_id = x.member_id then 'self' else 'head' end, x.account_id,
    coalesce(x.account_number, x.known_number), x.known_index, x.known_bank, x.known_code, x.quantity, x.standard,
    x.amount_fen, x.component, x.entitlement_key, 'active', '', x.note, x.is_card, x.known_state, x.checked_at, land.mu,
    previous.amount_fen, x.has_phone, x.added_on, h.reviewed_on, x.extra
from matched x
join households h on h.division_code = :division and h.id = x.household_id
left join land on land.household_id = x.household_id
left join previous on previous.id_index = x.id_index and previous.component = x.component
where x.member_id is not null and x.payee_id is not null and x.known_index is not null and x.known_key = x.name_key
"""
APPLY = MATCHED + _APPLY_MATCHED


def apply_of(rows: str) -> str:
    """Return the statement that makes a roster's lines of rows standing elsewhere. （第十六条）"""
    return _MATCHED.replace("{rows}", rows) + _APPLY_MATCHED


ROSTERED = """
select r.row_number, o.number from import_rows r
join members m on m.division_code = :division and m.id_index = r.id_index
    and (m.current or m.id in (select v.member_id from ({referenced}) v))
join roster_lines l on l.county_code = :county and l.entitlement_key = {key} and l.state <> 'stopped'
join rosters o on o.division_code = l.division_code and o.id = l.roster_id
where r.division_code = :division and r.import_id = :import order by r.row_number
""".replace("{key}", ENTITLEMENT).replace("{referenced}", REFERENCED)


def staged_upto(session: Session, record: RosterImport) -> int:
    """Return the last row that an earlier run has staged; 0 for none."""
    found = session.execute(
        sa.text("select max(row_number) from import_rows where division_code = :division and import_id = :import"),
        {"division": record.division_code, "import": record.id},
    ).scalar_one_or_none()
    return int(found or 0)


def stage(session: Session, record: RosterImport, chunk: Chunk) -> None:
    """Encrypt a chunk's rows, COPY them to the staging table, take them over under the row policies."""
    session.execute(sa.text(STAGING))
    driver = session.connection().connection.driver_connection
    assert isinstance(driver, psycopg.Connection)
    with driver.cursor() as cursor, cursor.copy("copy staging from stdin (format binary)") as copy:
        copy.set_types(STAGED_TYPES)
        for row in _rows(chunk):
            copy.write_row(row)
    session.execute(sa.text(TAKE_OVER), {"division": record.division_code, "import": record.id})


def _rows(chunk: Chunk) -> Iterator[tuple[Any, ...]]:
    keys = ring()
    seal, index = keys.seal, keys.index
    text = chunk.texts
    for place, number in enumerate(chunk.numbers):
        if not chunk.matchable[place]:
            continue
        person, account, name = chunk.id_numbers[place], chunk.accounts[place], chunk.names[place]
        yield (
            number, text["village"][place], text["group_name"][place], text["head_name"][place], name, name_key(name),
            seal(person), index("id", person), chunk.payees[place], seal(account) if account else None,
            index("account", account) if account else None, text["bank_name"][place], chunk.quantity_milli[place],
            chunk.standard_units[place], chunk.amount_fen[place], text["component"][place], text["note"][place],
            Jsonb(chunk.extra[place]),
        )  # fmt: skip


def find_unregistered(session: Session, record: RosterImport, sheet: RosterSheet) -> None:
    """Report rows whose person, name, payee or account the township's registry does not confirm. （第十一、十二条）"""
    payee = str(sheet.definition.payee) if sheet.definition else ""
    about = _about(session, record) | {"county": record.county_code, "payee": payee}
    virtual_members.refresh(session, record.division_code)
    with by_hash(session):
        rows = session.execute(sa.text(FINDINGS), about).all()
        rostered = session.execute(sa.text(ROSTERED), about).all()
    strangers = [row.id_index for row in rows if row.member_id is None]
    keepers = _keepers(session, strangers)
    for row in rows:
        _report(row, sheet, keepers)
    for row in rostered:
        what = f"该发放权已在清册 {row.number} 中，重复的明细不能重复发放"
        sheet.findings.note(row.row_number, _column(sheet, "id_number"), what)


def _about(session: Session, record: RosterImport) -> dict[str, Any]:
    project = session.get_one(SubsidyProject, record.project_id)
    return {
        "division": record.division_code, "import": record.id, "project_code": project.code, "period": record.period,
        "project": record.project_id,
    }  # fmt: skip


def _keepers(session: Session, indexes: list[bytes]) -> dict[bytes, str]:
    if not indexes:
        return {}
    found = session.execute(sa.text("select id_index, township from keepers_of(:indexes)"), {"indexes": indexes})
    return {bytes(row.id_index): row.township for row in found}


def _column(sheet: RosterSheet, name: str) -> int:
    return sheet.header.columns.get(name, -1) if sheet.header else -1


def _report(row: Any, sheet: RosterSheet, keepers: dict[bytes, str]) -> None:
    findings: Findings = sheet.findings
    if row.member_id is None:
        keeper = keepers.get(bytes(row.id_index))
        what = f"该人员由{keeper}登记，不在本乡镇，也没有引用" if keeper else "该身份证号不在本乡镇补贴对象基础信息库中"
        remedy = (
            "人在外地居住、在本地享受的，办理虚拟户引用；人已迁来的，办理跨乡镇迁移；否则由登记地造册（第十一条）"
            if keeper
            else "请核对号码；新增对象先在基础信息库建档并核查身份"
        )
        findings.problem(row.row_number, _column(sheet, "id_number"), what, remedy)
        return
    if row.other_name:
        what = f"姓名与登记的姓名（{mask_name(row.known_name)}）不一致"
        remedy = "请核对姓名和身份证号；登记有误的先更正基础信息库"
        findings.problem(row.row_number, _column(sheet, "name"), what, remedy)
    account = _column(sheet, "account_number")
    if row.payee_id is not None and row.other_payee:
        payee = sheet.definition.payee if sheet.definition else PayeeMode.EITHER
        remedy = f"本项目发放给{payee.label}；请在“收款人姓名”列填写{payee.label}的姓名"
        findings.problem(row.row_number, _column(sheet, "payee_name"), f"收款人不是{payee.label}", remedy)
    if row.payee_id is None:
        if not row.other_name:
            remedy = "请填写享受人本人或其户主；监护人、继承人收款须先经主管部门批准"
            findings.problem(row.row_number, _column(sheet, "payee_name"), "收款人不是本人或户主", remedy)
    elif row.known_index is None and row.no_account:
        remedy = "请先为收款人登记社会保障卡账户（第十二条）"
        findings.problem(row.row_number, account, "账号为空，收款人也没有登记的发放账户", remedy)
    elif row.known_index is None:
        remedy = "请核对账号；新账户先在“一卡通账户”登记并提交验证（第十二条）"
        findings.problem(row.row_number, account, "该账号没有登记在收款人名下", remedy)
    elif row.no_account:
        findings.note(row.row_number, account, "账号为空，已按登记的发放账户补齐")
    elif not row.is_payment:
        findings.note(row.row_number, account, "该账号不是收款人当前的发放账户，请核对")


def apply_rows(session: Session, record: RosterImport, roster: Roster) -> int:
    """Copy the staged rows, with what the registry knows of them, onto the roster; return how many."""
    about = _about(session, record) | {
        "county": record.county_code, "roster": roster.id, "project": record.project_id,
        "period_start": record.period_start, "sector": roster.sector,
    }  # fmt: skip
    with by_hash(session):
        done = session.execute(sa.text(APPLY), about)
    virtual_members.refresh(session, record.division_code, roster)
    return int(done.rowcount)  # type: ignore[attr-defined]


def purge(session: Session, record: RosterImport) -> None:
    """Delete the staged rows: nothing of a person stays that no roster holds. （第三十条）"""
    session.execute(
        sa.text("delete from import_rows where division_code = :division and import_id = :import"),
        {"division": record.division_code, "import": record.id},
    )


ABANDONED = """
with dead as (
    update roster_imports i set status = 'cancelled'
    where i.status = 'received' and exists (
        select 1 from jobs j where j.division_code = i.division_code and j.kind = 'import_roster'
            and j.arguments ->> 'import_id' = i.id::text and j.status in ('failed', 'refused', 'cancelled'))
    returning i.division_code, i.id
)
delete from import_rows r using dead where r.division_code = dead.division_code and r.import_id = dead.id
"""


def clear_abandoned(session: Session) -> int:
    """End the imports in scope whose job has ended without them, and purge their rows; return how many. （第三十条）"""
    return int(session.execute(sa.text(ABANDONED)).rowcount)  # type: ignore[attr-defined]
