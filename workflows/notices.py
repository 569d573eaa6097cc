"""Public notices: their period, their frozen content, and the objections they draw. （第十五条、第十六条第三项）"""

from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy import text
from sqlmodel import Session, col, select

from models.crypto import Sealed
from models.notices import Notice, NoticeMode, Objection, ObjectionStatus
from models.officers import ActingOfficer
from models.projects import NoticePeriod, NoticeStage, SubsidyProject
from models.rosters import Roster, RosterStatus
from policies.clock import now
from policies.definitions import Definition
from policies.enforcement import OtherSector, allow
from policies.lifecycles import Desk
from policies.limits import NOTICE_DAYS, value_for
from policies.moves import record_event, title_of
from policies.notices import (
    DAYS_ALLOWED,
    PublicLine,
    columns_of,
    digest,
    ends_at,
    last_day,
    mark,
    public_line,
    published_fields,
)
from policies.permissions import Permission
from policies.refusals import FasterColleague, NotFound, ReasonMissing, Refused, StepNotPossible
from workflows.project_versions import followed_by


class NoticePeriodMissing(Refused):
    """{county}{sector}主管部门尚未设定“{project}”的公示期，不能公示；请主管部门经办岗先在“公示期”中设定（第十五条）。"""


class NoticeDaysWrong(Refused):
    """公示期须为 {low} 至 {high} 天的整数，当前填写为“{days}”；请更正后提交（第十五条）。"""

    status_code = 400


class NoticeDaysTooFew(Refused):
    """公示期 {days} 天短于本地细则规定的最短 {least} 天，请改为不少于 {least} 天（第十五条、第三十六条）。"""

    status_code = 400


class ProjectMissing(Refused):
    """所选项目中有 {count} 个不存在，或不由本部门主管；请从本页重新选择（第十五条）。"""

    status_code = 400


class LineNotOnNotice(Refused):
    """{title}的公示中没有序号 {sequence} 的明细；请核对序号，或留空表示对整个清册的异议。"""

    status_code = 400


def current_notice(session: Session, roster: Roster) -> Notice:
    """Return the roster's latest notice. Raises NotFound when it has never been published."""
    notice = session.exec(
        select(Notice)
        .where(Notice.division_code == roster.division_code, Notice.roster_id == roster.id)
        .order_by(col(Notice.round).desc())
        .limit(1)
    ).one_or_none()
    if notice is None:
        raise NotFound
    return notice


def notice_days(session: Session, roster: Roster) -> int:
    """Return the period that the county's department has set for the roster's project. （第十五条）

    There is no default. Raises NoticePeriodMissing.
    """
    days = session.exec(
        select(NoticePeriod.notice_days).where(
            NoticePeriod.division_code == roster.county_code,
            NoticePeriod.project_id == roster.project_id,
            NoticePeriod.stage == NoticeStage.ROSTER,
        )
    ).one_or_none()
    if days is None:
        county = session.execute(text("select name from divisions where code = :c"), {"c": roster.county_code})
        raise NoticePeriodMissing(county=county.scalar_one(), sector=roster.sector, project=roster.project_name)
    return days


def hang(session: Session, roster: Roster, *, mode: NoticeMode, statement: str, days: int) -> Notice:
    """Freeze what the public may read and hang it as the roster's next round. （第十五条、第十六条第三项）

    What may be read is said by the version of the project that the roster was made under.
    """
    moment = now(session)
    end = ends_at(moment, days)
    definition = followed_by(session, roster)
    columns = columns_of(definition)
    lines = _lines_to_publish(session, roster, definition, numbers=any(one["name"] == "id_number" for one in columns))
    content = {
        "title": f"关于{roster.township}{roster.period}{roster.project_name}发放清册的公示",
        "project": roster.project_name,
        "period": roster.period,
        "township": roster.township,
        "supplementary": roster.notice_round > 0,
        "from": moment.date().isoformat(),
        "to": last_day(end).isoformat(),
        "telephones": _telephones(session, roster),
        "columns": columns,
        "lines": [public_line(line, definition) for line in lines],
    }
    notice = Notice(
        division_code=roster.division_code,
        county_code=roster.county_code,
        roster_id=roster.id or 0,
        sector=roster.sector,
        round=roster.notice_round + 1,
        mode=mode,
        statement=statement,
        published_at=moment,
        ends_at=end,
        line_count=len(lines),
        content=content,
        digest=digest(content),
    )
    session.add(notice)
    session.flush()
    return notice


LINES = (
    "select l.sequence, l.village, l.name, l.quantity, l.standard, l.amount_fen, m.person, l.component, l.extra,"
    " {number} as id_number"
    " from roster_lines l join members m on m.division_code = l.division_code and m.id = l.member_id"
    " where l.division_code = :division and l.roster_id = :roster and l.state = 'active' order by l.sequence"
)
WITHOUT_NUMBERS = text(LINES.format(number="null"))
WITH_NUMBERS = text(LINES.format(number="l.id_number")).columns(id_number=Sealed())


def _lines_to_publish(session: Session, roster: Roster, definition: Definition, *, numbers: bool) -> list[PublicLine]:
    """Return all active lines, or for a supplementary notice those whose facts have not been published yet."""
    statement = WITH_NUMBERS if numbers else WITHOUT_NUMBERS
    rows = session.execute(statement, {"division": roster.division_code, "roster": roster.id}).all()
    lines = [
        PublicLine(
            r.sequence,
            r.village,
            r.name,
            r.quantity,
            r.standard,
            r.amount_fen,
            mark(r.person, r.quantity, r.standard, r.amount_fen, r.component, published_fields(definition, r.extra)),
            r.id_number or "",
            r.extra,
        )
        for r in rows
    ]
    seen = published_marks(session, roster)
    fresh = [line for line in lines if (line.sequence, line.mark) not in seen]
    return fresh or lines


def published_marks(session: Session, roster: Roster) -> set[tuple[int, str]]:
    """Return the sequence and mark of every line that a notice of this roster has shown."""
    statement = text(
        "select (l->>'sequence')::int, l->>'mark' from notices n, jsonb_array_elements(n.content->'lines') l"
        " where n.division_code = :division and n.roster_id = :roster"
    )
    rows = session.execute(statement, {"division": roster.division_code, "roster": roster.id})
    return {(sequence, seal) for sequence, seal in rows}


def _telephones(session: Session, roster: Roster) -> dict[str, str]:
    statement = text(
        "select name, telephone from organisations where (division_code = :township and kind = 'township')"
        " or (division_code = :county and (kind = 'finance' or (kind = 'department' and sector = :sector)))"
        " order by id"
    )
    keys = {"township": roster.division_code, "county": roster.county_code, "sector": roster.sector}
    return {row.name: row.telephone for row in session.execute(statement, keys)}


def object_(
    session: Session, roster: Roster, *, by: ActingOfficer, text: str, line_sequence: int | None = None
) -> Objection:
    """Register an objection against a roster on notice; while open it holds the roster back. （第十六条第三项）

    Raises StepNotPossible when no notice hangs, ReasonMissing, LineNotOnNotice.
    """
    allow(session, by, Permission.NOTICE_OBJECT, roster)
    if roster.status != RosterStatus.ON_NOTICE:
        raise StepNotPossible(title=title_of(roster), status=roster.status.label, step="登记公示异议")
    if not text.strip():
        raise ReasonMissing(step="登记公示异议", field="异议内容")
    if line_sequence is not None and line_sequence not in {s for s, _ in published_marks(session, roster)}:
        raise LineNotOnNotice(title=title_of(roster), sequence=line_sequence)
    objection = Objection(
        division_code=roster.division_code,
        county_code=roster.county_code,
        roster_id=roster.id or 0,
        sector=roster.sector,
        line_sequence=line_sequence,
        text=text.strip(),
        received_at=now(session),
    )
    session.add(objection)
    session.flush()
    facts = {"objection": objection.id, "sequence": line_sequence}
    record_event(session, roster, "object_", by=by, label="登记公示异议", desk=Desk.TOWNSHIP_CLERK, facts=facts)
    return objection


def settle(session: Session, objection: Objection, *, by: ActingOfficer, answer: str) -> Objection:
    """Settle an objection with an answer. （第十六条第三项）

    Raises ReasonMissing without an answer, FasterColleague when it is settled already.
    """
    allow(session, by, Permission.NOTICE_SETTLE, objection)
    if not answer.strip():
        raise ReasonMissing(step="处理公示异议", field="处理意见")
    done = session.execute(
        sa.update(Objection)
        .where(col(Objection.id) == objection.id, col(Objection.status) == ObjectionStatus.OPEN)
        .values(status=ObjectionStatus.SETTLED, answer=answer.strip(), settled_at=now(session)),
        execution_options={"synchronize_session": False},
    )
    if done.rowcount == 0:  # type: ignore[attr-defined]
        raise FasterColleague(title="该公示异议")
    session.refresh(objection)
    roster = session.exec(
        select(Roster).where(Roster.division_code == objection.division_code, Roster.id == objection.roster_id)
    ).one()
    facts = {"objection": objection.id, "sequence": objection.line_sequence}
    record_event(
        session, roster, "settle", by=by, label="处理公示异议", desk=Desk.TOWNSHIP_CLERK, opinion=answer, facts=facts
    )
    return objection


def set_period(
    session: Session, *, by: ActingOfficer, project: SubsidyProject, stage: NoticeStage, days: int
) -> NoticePeriod:
    """Set how long the county's notices of a project hang, in natural days; running notices keep theirs. （第十五条）

    Raises OtherSector when another department keeps the project, NoticeDaysWrong, NoticeDaysTooFew.
    """
    if by.sector != project.sector:
        allow(session, by, Permission.NOTICE_SET_PERIOD)
        raise OtherSector(sector=project.sector, own=by.sector)
    return set_periods(session, by=by, projects=[project.id or 0], stage=stage, days=days)[0]


def set_periods(
    session: Session, *, by: ActingOfficer, projects: Sequence[int], stage: NoticeStage, days: int
) -> list[NoticePeriod]:
    """Set the period of many projects of the department's own line at once; each keeps its history. （第十五条）

    Raises NoticeDaysWrong, NoticeDaysTooFew, ProjectMissing when one is not of the department's line.
    """
    allow(session, by, Permission.NOTICE_SET_PERIOD)
    if days not in DAYS_ALLOWED:
        raise NoticeDaysWrong(low=DAYS_ALLOWED.start, high=DAYS_ALLOWED.stop - 1, days=days)
    least = value_for(session, NOTICE_DAYS, by.division_code)
    if days < least:
        raise NoticeDaysTooFew(least=least, days=days)
    wanted = set(projects)
    asked = {"ids": sorted(wanted), "division": by.division_code, "stage": stage, "days": days, "sector": by.sector}
    before = {row.project_id: row.notice_days for row in session.execute(PERIODS, asked)}
    written = {row.id: row.code for row in session.execute(SET_PERIODS, asked)}
    if not wanted or len(written) != len(wanted):
        raise ProjectMissing(count=len(wanted) - len(written))
    periods = session.exec(
        select(NoticePeriod).where(col(NoticePeriod.id).in_(written)), execution_options={"populate_existing": True}
    ).all()
    for one in periods:
        facts = {"project": written[one.id], "stage": str(stage), "days": days, "before": before.get(one.project_id)}
        record_event(session, one, "set_period", by=by, label="设定公示期", noun="notice_period", facts=facts)
    return list(periods)


PERIODS = text(
    "select project_id, notice_days from notice_periods where division_code = :division and stage = :stage"
    " and project_id = any (:ids)"
)
SET_PERIODS = text(
    """
    with written as (
        insert into notice_periods (division_code, project_id, stage, notice_days)
        select :division, p.id, :stage, :days from subsidy_projects p where p.id = any (:ids) and p.sector = :sector
        on conflict (division_code, project_id, stage) do update set notice_days = excluded.notice_days
        returning id, project_id
    )
    select w.id, p.code from written w join subsidy_projects p on p.id = w.project_id
    """
)
