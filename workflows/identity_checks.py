"""Identity checks of the registry: one person, a township, every night; differences become tasks. （第十一、十六条）

Nothing is open while the police are asked. A chunk's answers are written by one statement; a job that was stopped goes
on with whom it has not asked. What the police say changes no registry entry: it opens a task, and the correction or the
death is a change of its own that two people take.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
import structlog
from sqlmodel import Session, col

from integrations import police
from integrations.errors import Rejected, Unavailable
from integrations.police import PersonAnswer, PersonQuery
from models.database import transaction
from models.households import Member
from models.imports import RosterImport
from models.jobs import Job, JobStatus
from models.officers import ActingOfficer
from models.registry_tasks import TaskKind
from policies.clock import now
from policies.enforcement import allow
from policies.freshness import CHECKED_SINCE, IDENTITY_DOUBTED, IDENTITY_FRESH, NIGHT
from policies.lifecycles import Desk
from policies.moves import record_event
from policies.permissions import Permission
from policies.refusals import Refused
from reports.sheets.rosters import RosterSheet
from workflows.jobs import Waiting
from workflows.queue import finish, officer_of_post, progress, start_job
from workflows.registry_tasks import raise_tasks, vanish

log = structlog.get_logger()

CHECK_JOB = "check_identities"
CHUNK = police.CHUNK
MOST_NAMED = 5000
SOURCE = "police"


class CheckRejected(Refused):
    """{partner}没有受理核查请求：{text}（代码 {code}）；请联系系统管理员检查接口后重新核查。"""


class NobodyToCheck(Refused):
    """本辖区没有需要核查的人员：核查结果都在 {days} 天之内且一致（第十一条）。"""


class CheckUnderWay(Refused):
    """本辖区人员的公安联网核查正在进行，请在后台任务中查看进度，不必重复发起。"""


# --- verbs --------------------------------------------------------------------------------------------------------


def check_member(session: Session, member: Member, *, by: ActingOfficer) -> Job:
    """Ask the police about one person anew. （第十一条）"""
    allow(session, by, Permission.MEMBER_CHECK, member)
    record_event(session, member, "check", by=by, label="发起公安联网核查", noun="member", desk=Desk.TOWNSHIP_KEEPER)
    return check_members(session, [member.id or 0], by=by)


def check_members(session: Session, ids: Sequence[int], *, by: ActingOfficer, title: str = "核查新增人员") -> Job:
    """Have the police asked about these people as soon as the caller commits. （第十一条）

    ids: at most 5,000; the job reads them anew, so what is out of the officer's scope is not asked about.
    """
    arguments = {"members": list(ids)[:MOST_NAMED]}
    return start_job(session, by=by, kind=CHECK_JOB, title=title, division_code=by.division_code, arguments=arguments)


RUNNING = sa.text(
    "select 1 from jobs where division_code = :division and kind = :kind and arguments ->> 'members' is null"
    " and status in ('queued', 'running') limit 1"
)


def check_township(session: Session, *, by: ActingOfficer) -> Job:
    """Ask about everybody of the officer's township whose answer is missing, old or different. （第十一条）

    Raises NotAllowed, CheckUnderWay, NobodyToCheck.
    """
    allow(session, by, Permission.MEMBER_CHECK)
    place = {"division": by.division_code, "kind": CHECK_JOB}
    if session.execute(RUNNING, place).first() is not None:
        raise CheckUnderWay
    if not _count(session, now(session), None):
        raise NobodyToCheck(days=IDENTITY_FRESH.days)
    return start_job(session, by=by, kind=CHECK_JOB, title="公安联网核查（全乡）", division_code=by.division_code)


# --- the job ------------------------------------------------------------------------------------------------------

MISSING_OR_OLD = """
    select m.id from members m
    where m.current and m.status <> 'moved' and (m.identity_checked_at is null or m.identity_checked_at < :fresh)
"""
DIFFERED = """
    select m.id from members m
    where m.current and m.status in ('alive', 'missing') and m.identity_outcome <> 'match'
        and m.identity_checked_at < :doubted
"""
NAMED = """
    select m.id from members m where m.id = any (:ids) and m.current
        and (m.identity_checked_at is null or m.identity_checked_at < :since)
"""
DUE = (MISSING_OR_OLD, DIFFERED)
"""Who is due without being named: each half has an index of its own (0020, 0023)."""


def _people(ids: Sequence[int] | None, tail: str = "") -> str:
    """Return the question who is due, each half with the same tail."""
    return " union ".join(f"({half}{tail})" for half in (DUE if ids is None else (NAMED,)))


def _asked(since: datetime, ids: Sequence[int] | None) -> dict[str, Any]:
    if ids is not None:
        return {"ids": list(ids), "since": since}
    return {"fresh": since - IDENTITY_FRESH, "doubted": since - IDENTITY_DOUBTED}


def _count(session: Session, since: datetime, ids: Sequence[int] | None) -> int:
    statement = sa.text(f"select count(*) from ({_people(ids)}) due")  # noqa: S608 - texts of this module
    return int(session.execute(statement, _asked(since, ids)).scalar_one())


def _next(session: Session, since: datetime, ids: Sequence[int] | None, left_out: set[int]) -> Sequence[int]:
    statement = sa.text(_people(ids, f" and m.id <> all (:left_out) limit {CHUNK}"))
    return session.scalars(statement, _asked(since, ids) | {"left_out": list(left_out)}).all()


def run_checks(job_id: int, post_id: int) -> None:
    """Ask the police in chunks: the body of the job; it may be cancelled and goes on where it was stopped.

    Raises Waiting while the police can't be reached, CheckRejected, PostEnded.
    """
    by = officer_of_post(post_id)
    with transaction(by) as session:
        job = session.get_one(Job, job_id)
        ids, since = job.arguments.get("members"), job.queued_at
        total = _count(session, since, ids)
    counts: dict[str, int] = {}

    def tell(done: int) -> bool:
        return progress(by, job_id, done, max(total, done), "公安联网核查")

    whole = _ask_all(by, since, ids, counts, tell)
    with transaction(by) as session:
        words = "、".join(f"{label} {number}" for label, number in counts.items()) or "没有需要核查的人员"
        status = JobStatus.DONE if whole else JobStatus.CANCELLED
        finish(session, job_id, status, words if whole else f"已取消；已取得的核查结果保留（{words}）")


def _ask_all(
    by: ActingOfficer,
    since: datetime,
    ids: Sequence[int] | None,
    counts: dict[str, int],
    tell: Callable[[int], bool],
    most: int | None = None,
) -> bool:
    """Ask chunk after chunk until nobody is left; return False when told to stop. Raises Waiting, CheckRejected.

    Who has been answered is due no more; should the police leave somebody out, nobody is asked about for ever.
    """
    done, left_out = 0, set[int]()
    while most is None or done < most:
        if not tell(done):
            return False
        with transaction(by) as session:
            people = _next(session, since, ids, left_out)
            queries = _queries(session, people)
        if not queries:
            break
        try:
            answers = police.check_people(queries)
        except Unavailable as away:
            raise Waiting(str(away)) from away
        except Rejected as refused:
            partner = str(refused.fields.get("partner", "公安联网核查"))
            raise CheckRejected(partner=partner, code=refused.code, text=refused.text) from refused
        with transaction(by) as session:
            keep(session, answers, by=by)
        for answer in answers:
            counts[answer.outcome.label] = counts.get(answer.outcome.label, 0) + 1
        done += len(queries)
        left_out |= set(people) - {int(answer.reference) for answer in answers}
    return True


def _queries(session: Session, ids: Sequence[int]) -> list[PersonQuery]:
    """Return the questions about these people, decrypted one chunk at a time."""
    rows = session.execute(
        sa.select(col(Member.id), col(Member.name), col(Member.id_number))
        .where(col(Member.id).in_(ids))
        .order_by(col(Member.id))
    ).all()
    return [PersonQuery(str(row.id), row.name, row.id_number) for row in rows]


# --- answers ------------------------------------------------------------------------------------------------------

KEEP = sa.text(
    """
    update members m set identity_outcome = a.outcome, identity_checked_at = :moment,
        police_died_on = case a.outcome when 'dead' then coalesce(a.died, m.police_died_on) when 'match' then null
            else m.police_died_on end
    from unnest(cast(:ids as bigint[]), cast(:outcomes as text[]), cast(:deaths as date[])) as a (id, outcome, died)
    where m.id = a.id
    returning m.id, m.identity_outcome as outcome, m.status, m.died_on, m.police_died_on
    """
)
DETAILS = {
    TaskKind.IDENTITY_MISMATCH: "公安联网核查姓名与身份证号不一致，请核对户口簿后更正身份信息（第十六条第一项）",
    TaskKind.IDENTITY_NOT_FOUND: "公安联网核查查无此人，请核对身份证号后更正（第十六条第一项）",
    TaskKind.DECEASED: "公安登记死亡，请核实后办理死亡登记，并对清册停发或转继承人（第十六条第一项）",
}
LIVING_AGAIN = "基础信息登记为死亡，公安联网核查为正常，请核实后恢复或更正（第十六条第一项）"


def keep(session: Session, answers: Sequence[PersonAnswer], *, by: ActingOfficer) -> None:
    """Write the police's answers onto the people, with their date; raise and close the tasks. （第十六条第一项）"""
    told = {
        "ids": [int(answer.reference) for answer in answers],
        "outcomes": [answer.outcome.value for answer in answers],
        "deaths": [answer.died_on for answer in answers],
        "moment": now(session),
    }
    rows = session.execute(KEEP, told).all()
    found: dict[TaskKind, list[int]] = {kind: [] for kind in DETAILS}
    for row in rows:
        if row.outcome == "mismatch":
            found[TaskKind.IDENTITY_MISMATCH].append(row.id)
        elif row.outcome == "not_found":
            found[TaskKind.IDENTITY_NOT_FOUND].append(row.id)
        elif row.outcome == "dead" and row.status != "dead":
            found[TaskKind.DECEASED].append(row.id)
    revived = [row.id for row in rows if row.outcome == "match" and row.status == "dead"]
    raise_tasks(session, TaskKind.IDENTITY_MISMATCH, revived, source=SOURCE, detail=LIVING_AGAIN)
    for kind, ids in found.items():
        raise_tasks(session, kind, ids, source=SOURCE, detail=DETAILS[kind])
        differ = {*ids, *(revived if kind == TaskKind.IDENTITY_MISMATCH else ())}
        vanish(session, kind, sorted({row.id for row in rows} - differ), by=by)
    find_paid_after_death(session, [row.id for row in rows if row.outcome == "dead"])


PAID_AFTER = sa.text(
    """
    select l.member_id, l.roster_id, count(*) as lines
    from members m
    join roster_lines l on l.division_code = m.division_code and l.member_id = m.id
    join rosters r on r.division_code = l.division_code and r.id = l.roster_id
    join disbursements d on d.county_code = l.county_code and d.line_id = l.id and d.status = 'paid'
    where m.id = any (:ids) and r.period_start > coalesce(m.died_on, m.police_died_on)
    group by l.member_id, l.roster_id
    """
)


def find_paid_after_death(session: Session, ids: Sequence[int]) -> int:
    """Raise a task for each roster that paid for a period after the person's death. （第十六条第一项）"""
    if not ids:
        return 0
    rows = session.execute(PAID_AFTER, {"ids": list(ids)}).all()
    return raise_tasks(
        session,
        TaskKind.PAID_AFTER_DEATH,
        [row.member_id for row in rows],
        rosters=[row.roster_id for row in rows],
        source=SOURCE,
        detail="所属期开始于死亡之后的补贴已经发放，请报主管部门按规定追缴（第十六条第一项）",
    )


UNCHECKED = sa.text(
    """
    select r.row_number from import_rows r
    join members m on m.division_code = r.division_code and m.id_index = r.id_index and m.current
    where r.division_code = :division and r.import_id = :import and m.identity_outcome is null
        and m.added_on >= :since
    order by r.row_number
    """
)


def find_unchecked(session: Session, record: RosterImport, sheet: RosterSheet) -> None:
    """Let no roster name a new person whose identity nobody has checked. （第十一条）"""
    asked = {"division": record.division_code, "import": record.id, "since": CHECKED_SINCE}
    column = sheet.header.columns.get("id_number", -1) if sheet.header else -1
    for number in session.execute(UNCHECKED, asked).scalars():
        what = "该人员是新增补贴对象，尚未通过公安联网核查"
        sheet.findings.problem(number, column, what, "请先在家庭成员页面发起公安联网核查，结果一致后再造册（第十一条）")


# --- every night --------------------------------------------------------------------------------------------------

NIGHTLY = 50_000
"""How many people one turn asks about; the task comes every minute of the night."""


def sweep_identities(by: ActingOfficer) -> int:
    """Compare the registry with the police at night, the next people each time; return how many. （第三十三条第一项）

    While they can't be reached the answers keep their age, and the next minute tries again.
    """
    with transaction(by) as session:
        moment = now(session)
    if not NIGHT[0] <= moment.hour < NIGHT[1]:
        return 0
    counts: dict[str, int] = {}
    try:
        _ask_all(by, moment, None, counts, lambda done: True, NIGHTLY)
    except Waiting as away:
        log.warning("comparison with the police waits", problem=type(away.__cause__).__name__)
    return sum(counts.values())
