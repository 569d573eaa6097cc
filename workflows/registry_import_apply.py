"""Writing an agreed import into the registry: one transaction, set-based, all of it or nothing. （第十一、二十三条）

The plan is made anew and must be the one that was agreed to, row by row; what has moved on since sends the change back.
"""

from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlmodel import Session, col, select

from models.database import transaction
from models.jobs import Job, JobStatus
from models.officers import ActingOfficer
from models.registry_changes import ChangeKind, ChangeStatus, RegistryChange
from models.registry_imports import ImportSubject, RegistryImport
from models.registry_imports import RegistryImportStatus as S
from policies.clock import now, today
from policies.interests import OwnHousehold, later_indexes
from policies.moves import move
from policies.refusals import Refused
from workflows import registry_import_accounts
from workflows.plans import by_hash
from workflows.queue import finish, officer_of_post, progress
from workflows.registry_changes import APPLIERS, Applier, apply
from workflows.registry_import_plans import about, make_plan
from workflows.registry_import_rows import purge

APPLY_JOB = "import_registry"
DIGITS = 6
LETTERS = "PD"
"""How the numbers of households made by an import begin; running numbers within township and day."""


class RegistryMoved(Refused):
    """检查之后基础信息有变动，导入内容与复核的不一致，没有写入；请重新检查后再次提交（第十一条）。"""


class RegisteredElsewhere(Refused):
    """有 {count} 人刚刚由{townships}登记，不能重复采集，没有写入任何内容；请重新检查（第十一条）。"""


class ImportStopped(Refused):
    """已取消，没有写入任何内容；变更单已退回经办人。"""


class ImportReplaced(Refused):
    """该变更单对应的导入已重新检查，本变更单不再有效；请撤回（第十一条）。"""


Report = Callable[[str], None]
REPORT: ContextVar[Report | None] = ContextVar("report", default=None)
"""How a running job tells where it stands; it raises ImportStopped when its owner has cancelled it."""


@dataclass(frozen=True)
class Statement:
    """One statement of the final transaction."""

    stage: str
    sql: str
    expected: str = ""
    """A question for how many rows it must write; none: as many as there are."""


STAGED = """
import_plan p join registry_import_rows r on r.division_code = :division and r.import_id = :import
    and r.file_number = p.file_number and r.row_number = p.row_number
"""
NEW_HOMES = """
create temporary table import_new_homes on commit drop as
with first as (
    select key, min(file_number * 10000000::bigint + row_number) as place from import_plan
    where outcome = 'n' and home_id is null group by key
), heads as (
    select p.key, r.name from {staged} where p.outcome = 'n' and p.home_id is null and r.relation = '02'
), villages as (
    select name, min(code) as code from divisions where parent_code = :division group by name
)
select f.key, :prefix || lpad((:last + row_number() over (order by f.place))::text, :digits, '0') as number,
    heads.name as head_name, coalesce(v.code, '') as village_code, h.village, h.group_name, h.address,
    coalesce(nullif(h.hukou_kind, ''), 'unknown') as hukou_kind
from first f
join import_homes h on h.key = f.key
join heads on heads.key = f.key
left join villages v on v.name = h.village
"""
INSERT_HOMES = """
insert into households (division_code, county_code, number, head_name, village_code, village, group_name, address,
    hukou_kind, status, version, change_id)
select :division, :county, number, head_name, village_code, village, group_name, address, hukou_kind, 'active', 1,
    :change
from import_new_homes order by number
"""
INSERT_PEOPLE = """
insert into members (division_code, county_code, household_id, name, name_key, id_number, id_index, birth_date, sex,
    relation, ethnicity, phone, phone_index, status, added_on, version, change_id)
select :division, :county, coalesce(p.home_id, n.id), r.name, r.name_key, r.id_number, r.id_index, r.birth_date, r.sex,
    r.relation, coalesce(nullif(r.ethnicity, ''), '01'), r.phone, r.phone_index, 'alive', :today, 1, :change
from {staged}
left join import_new_homes w on w.key = p.key
left join households n on n.division_code = :division and n.number = w.number
where p.outcome = 'n'
order by r.id_index
on conflict (id_index) where current do nothing
"""
"""In the order of the unique index: two townships that register the same people wait for, not on, each other."""
UPDATE_PEOPLE = """
update members m set relation = case when p.other_relation then r.relation else m.relation end,
    ethnicity = case when p.other_ethnicity then r.ethnicity else m.ethnicity end,
    phone = case when p.other_phone then r.phone else m.phone end,
    phone_index = case when p.other_phone then r.phone_index else m.phone_index end,
    version = m.version + 1, change_id = :change
from {staged}
where p.outcome = 'c' and (p.other_relation or p.other_ethnicity or p.other_phone)
    and m.division_code = :division and m.id = p.member_id and m.version = p.member_version
"""
UPDATE_HOMES = """
update households h set village = case when t.other_village then t.village else h.village end,
    village_code = case when t.other_village then coalesce(
        (select min(d.code) from divisions d where d.parent_code = :division and d.name = t.village), '')
        else h.village_code end,
    group_name = case when t.other_group then t.group_name else h.group_name end,
    address = case when t.other_address then t.address else h.address end,
    hukou_kind = case when t.other_hukou then t.hukou_kind else h.hukou_kind end,
    version = h.version + 1, change_id = :change
from import_homes t
where (t.other_village or t.other_group or t.other_address or t.other_hukou)
    and h.division_code = :division and h.id = t.home_id and h.version = t.home_version
"""
INSERT_ASSETS = """
insert into assets (division_code, county_code, household_id, kind, quantity, unit, as_of, source, certificate_number,
    change_id)
select :division, :county, p.home_id, r.asset_kind, r.quantity, r.unit, r.as_of, r.source, r.certificate_number,
    :change
from {staged} where p.outcome = 'n' order by p.file_number, p.row_number
"""
UPDATE_ASSETS = """
update assets a set quantity = r.quantity, unit = r.unit, as_of = r.as_of,
    source = coalesce(nullif(r.source, ''), a.source), change_id = :change
from {staged}
where p.outcome = 'c' and a.division_code = :division and a.id = p.member_id and a.ended_on is null
"""
INSERT_ACCOUNTS = """
insert into accounts (division_code, county_code, member_id, number, number_index, bank_name, bank_code, is_card,
    is_payment, status, version, answer, registered_by, card_required, reason)
select :division, :county, p.member_id, r.account_number, r.account_index, b.name, b.cnaps, true, p.is_payment,
    'registered', 1, '', :officer, p.is_payment or coalesce(o.is_card and o.status = 'verified', false), :reason
from {staged}
join agent_banks b on b.id = p.bank_id
left join accounts o on o.division_code = :division and o.member_id = p.member_id and o.is_payment
where p.outcome = 'n' order by p.file_number, p.row_number
"""

NEW = "select count(*) from import_plan where outcome = 'n'"
CHANGED = "select count(*) from import_plan where outcome = 'c'"
CHANGED_PEOPLE = CHANGED + " and (other_relation or other_ethnicity or other_phone)"
CHANGED_HOMES = "select count(*) from import_homes where other_village or other_group or other_address or other_hukou"
PEOPLE = (
    Statement("编制户编号", NEW_HOMES),
    Statement("登记户", INSERT_HOMES),
    Statement("登记人员", INSERT_PEOPLE, NEW),
    Statement("更新人员", UPDATE_PEOPLE, CHANGED_PEOPLE),
    Statement("更新户", UPDATE_HOMES, CHANGED_HOMES),
)
STATEMENTS = {
    ImportSubject.REGISTER: PEOPLE,
    ImportSubject.HOUSEHOLDS: PEOPLE,
    ImportSubject.MEMBERS: PEOPLE,
    ImportSubject.ASSETS: (
        Statement("登记生产资料", INSERT_ASSETS, NEW), Statement("更新生产资料", UPDATE_ASSETS, CHANGED),
    ),
    ImportSubject.ACCOUNTS: (Statement("登记账户", INSERT_ACCOUNTS, NEW),),
}  # fmt: skip

TAKEN = sa.text(
    """
    select count(*) as people, string_agg(distinct k.township, '、') as townships from (
        select array_agg(r.id_index) as indexes from import_plan p
        join registry_import_rows r on r.division_code = :division and r.import_id = :import
            and r.file_number = p.file_number and r.row_number = p.row_number
        where p.outcome = 'n' and not exists (
            select from members m where m.division_code = :division and m.current and m.id_index = r.id_index)
    ) s cross join lateral keepers_of(s.indexes) k
    """
)
OWN = sa.text(
    """
    select exists (
        select from import_plan p join registry_import_rows r on r.division_code = :division and r.import_id = :import
            and r.file_number = p.file_number and r.row_number = p.row_number
        where p.outcome in ('n', 'c') and (r.id_index = any (cast(:own as bytea[])) or p.home_id in (
            select m.household_id from members m
            where m.division_code = :division and m.current and m.id_index = any (cast(:own as bytea[]))))
    )
    """
)
"""Does the import register or change the acting person, or anybody of their household?"""
OUTCOMES = "select file_number, string_agg(outcome, '' order by row_number) from import_plan group by file_number"
LAST_NUMBER = sa.text(
    "select coalesce(max(right(number, :digits)::integer), 0) from households"
    " where division_code = :division and number >= :prefix and number < :prefix || ':'"
)


def write(session: Session, change: RegistryChange, facts: dict[str, Any], by: ActingOfficer) -> None:
    """Write an import's rows. （第十一条） Raises ImportReplaced, RegistryMoved, RegisteredElsewhere, ImportStopped."""
    record = session.exec(
        select(RegistryImport)
        .where(
            RegistryImport.division_code == change.division_code,
            RegistryImport.id == facts["import_id"],
            RegistryImport.change_id == change.id,
            RegistryImport.status == S.SUBMITTED,
        )
        .with_for_update()
    ).one_or_none()
    if record is None:
        raise ImportReplaced
    report = REPORT.get() or (lambda stage: None)
    report("与复核的内容核对")
    if record.subject == ImportSubject.ACCOUNTS:
        registry_import_accounts.lock(session)
    if make_plan(session, record) != facts["plan"]:
        raise RegistryMoved
    _require_disinterested(session, record, by)
    asked = _asked(session, record, change, by)
    with by_hash(session):
        for one in STATEMENTS[record.subject]:
            report(one.stage)
            _run(session, one, asked)
    if record.subject == ImportSubject.ACCOUNTS:
        report("送银行验证")
        registry_import_accounts.send(session, record, by=by)
    record.outcomes = {str(row[0]): row[1] for row in session.execute(sa.text(OUTCOMES))}
    record.status, record.applied_at = S.APPLIED, now(session)
    record.message = (
        f"已导入：新建 {record.new_household_count} 户，新增 {record.new_member_count + record.new_record_count}，"
        f"变动 {record.changed_count}，无变动 {record.unchanged_count}，他处登记 {record.elsewhere_count}"
    )
    report("清除暂存")
    purge(session, record)


def _require_disinterested(session: Session, record: RegistryImport, by: ActingOfficer) -> None:
    """Let nobody agree to what concerns their own household. （第二十三条） Raises OwnHousehold."""
    own = list(session.execute(sa.text("select own_indexes(:person)"), {"person": by.person}).scalar_one())
    own += later_indexes(session, by)
    place = {"division": record.division_code, "import": record.id, "own": own}
    if own and session.execute(OWN, place).scalar_one():
        raise OwnHousehold(title=f"导入 {record.number} ", what="您本人或家庭成员的登记", step="复核同意")


def _asked(session: Session, record: RegistryImport, change: RegistryChange, by: ActingOfficer) -> dict[str, Any]:
    day = today(session)
    prefix = f"{LETTERS}{record.division_code[:9]}{day:%Y%m%d}"
    place = {"division": record.division_code, "prefix": prefix, "digits": DIGITS}
    session.execute(sa.text("select pg_advisory_xact_lock(hashtextextended(:prefix, 0))"), {"prefix": prefix})
    last = session.execute(LAST_NUMBER, place).scalar_one()
    return about(record) | place | {"last": last, "change": change.id, "today": day, "officer": record.received_by,
                                    "reason": f"批量导入 {record.number}"}  # fmt: skip


def _run(session: Session, one: Statement, asked: dict[str, Any]) -> None:
    statement = sa.text(one.sql.replace("{staged}", STAGED))
    expected = session.execute(sa.text(one.expected)).scalar_one() if one.expected else None
    if expected == 0:
        return
    names = set(statement.compile().params)
    done = session.execute(statement, {name: value for name, value in asked.items() if name in names})
    if expected is None or done.rowcount == expected:  # type: ignore[attr-defined]
        return
    if one.sql is INSERT_PEOPLE:
        taken = session.execute(TAKEN, {"division": asked["division"], "import": asked["import"]}).one()
        raise RegisteredElsewhere(count=taken.people, townships=taken.townships or "其他苏木乡镇")
    raise RegistryMoved


APPLIERS[ChangeKind.IMPORT] = Applier(write, job=APPLY_JOB)


def run_apply(job_id: int, post_id: int) -> None:
    """Write an agreed import: the body of the job; killed at any moment it has written nothing, or all."""
    by = officer_of_post(post_id)
    with transaction(by) as session:
        change_id = session.get_one(Job, job_id).arguments["change_id"]
        if session.get_one(RegistryChange, change_id).status != ChangeStatus.APPROVED:
            return
    steps = iter(range(1, 100))

    def report(stage: str) -> None:
        if not progress(by, job_id, next(steps), 8, stage):
            raise ImportStopped

    token = REPORT.set(report)
    try:
        with transaction(by) as session:
            change = session.exec(select(RegistryChange).where(RegistryChange.id == change_id).with_for_update()).one()
            if change.status != ChangeStatus.APPROVED:
                return
            apply(session, change, by=by)
            record = session.exec(select(RegistryImport).where(RegistryImport.change_id == change_id)).one()
            finish(session, job_id, JobStatus.DONE, record.message)
    except Refused as refusal:
        _give_back(by, job_id, change_id, refusal)
    finally:
        REPORT.reset(token)


def _give_back(by: ActingOfficer, job_id: int, change_id: int, refusal: Refused) -> None:
    """Send a change that can't be written back to the clerk, with the import as it was checked."""
    with transaction(by) as session:
        change = session.get_one(RegistryChange, change_id)
        if change.status == ChangeStatus.APPROVED:
            move(session, change, "fail", by=by, opinion=str(refusal))
            change.returned_for = str(refusal)
        record = session.exec(
            select(RegistryImport).where(
                RegistryImport.change_id == change_id, col(RegistryImport.status) == S.SUBMITTED
            )
        ).one_or_none()
        if record is not None:
            record.status, record.change_id, record.message = S.CHECKED, None, str(refusal)
        stopped = isinstance(refusal, ImportStopped)
        finish(session, job_id, JobStatus.CANCELLED if stopped else JobStatus.REFUSED, str(refusal))


STUCK = sa.text(
    """
    select c.id, j.id as job_id, j.status from registry_changes c
    join lateral (select j.id, j.status from jobs j where j.division_code = c.division_code and j.kind = :kind
        and j.arguments ->> 'change_id' = c.id::text order by j.id desc limit 1) j on true
    where c.kind = 'import' and c.status = 'approved' and j.status in ('failed', 'refused', 'cancelled')
    """
)


def give_back_stuck(by: ActingOfficer) -> int:
    """Send agreed imports whose job has ended without them back to their clerks; return how many. （第十一条）"""
    with transaction(by) as session:
        stuck = session.execute(STUCK, {"kind": APPLY_JOB}).all()
    for row in stuck:
        _give_back(by, row.job_id, row.id, ImportStopped())
    return len(stuck)
