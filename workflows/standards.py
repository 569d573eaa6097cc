"""Standards dated and by division: proposed, confirmed, one after the other, never rewritten. （第八、九条）"""

from collections.abc import Sequence
from datetime import date, timedelta
from decimal import Decimal, InvalidOperation

import sqlalchemy as sa
from sqlmodel import Session, col, select

from models.divisions import Division, Level
from models.officers import ActingOfficer
from models.organisations import OrganisationKind
from models.projects import ProjectStandard, StandardStatus, SubsidyProject
from policies.clock import now, today
from policies.definitions import StandardRow, StandardSetter
from policies.enforcement import allow
from policies.lifecycles import Desk
from policies.moves import begin, move
from policies.permissions import Permission
from policies.refusals import ReasonMissing, Refused
from workflows import publications, standard_endings
from workflows.project_versions import in_force

HOLDING = (StandardStatus.IN_FORCE, StandardStatus.ENDED)
HIGHEST = Decimal("9999999999.9999")


class WrongSetter(Refused):
    """“{project}”的补贴标准由{rightful}拟定，{own}不能拟定（第八条谁主管、谁负责）。"""

    status_code = 403


class StandardWrong(Refused):
    """标准“{value}”应为大于 0、最多四位小数的金额（元），如 7.5000；请更正后提交（第八条）。"""

    status_code = 400


class StandardOverlaps(Refused):
    """与已有标准重叠：{grade}{yuan} 元，{since} 至 {until}（{document}）；请改执行起日，或先定止期（第八条）。"""


class StandardDayWrong(Refused):
    """{field}“{day}”{why}，请更正后提交。"""

    status_code = 400


class StandardUnderWay(Refused):
    """该项目在本地区已有一条待审核的标准（{grade}{yuan} 元，自 {since}），请先审核或撤回。"""


def propose(
    session: Session, *, by: ActingOfficer, project: SubsidyProject, yuan: str, valid_from: date, document: str,
    grade: str = "", valid_to: date | None = None, basis: str = "",
) -> ProjectStandard:  # fmt: skip
    """Propose a standard of the officer's own division, yuan with up to 4 decimals. （第八条）

    Raises NotAllowed, WrongSetter, StandardWrong, StandardDayWrong, ReasonMissing, StandardOverlaps, StandardUnderWay.
    """
    allow(session, by, Permission.STANDARD_PROPOSE)
    require_setter(session, project, by)
    if not document.strip():
        raise ReasonMissing(step="拟定补贴标准", field="政策文件文号")
    if valid_to is not None and valid_to < valid_from:
        raise StandardDayWrong(field="执行止", day=valid_to, why=f"早于执行起 {valid_from}")
    record = ProjectStandard(
        division_code=by.division_code, project_id=project.id or 0, standard_yuan=yuan_of(yuan), valid_from=valid_from,
        valid_to=valid_to, document=document.strip(), grade=grade.strip(), basis=basis.strip(),
        status=StandardStatus.PROPOSED,
    )  # fmt: skip
    _lock(session, record)
    _require_room(session, record)
    waiting = session.exec(_same(record).where(col(ProjectStandard.status) == StandardStatus.PROPOSED)).first()
    if waiting is not None:
        raise StandardUnderWay(grade=_grade(waiting), yuan=waiting.standard_yuan, since=waiting.valid_from)
    begin(session, record, by=by, label="拟定补贴标准", desk=Desk.OWN_DEPARTMENT_CLERK, facts=_facts(record))
    session.refresh(record)  # the line and the name that the database wrote
    return record


def confirm(session: Session, record: ProjectStandard, *, by: ActingOfficer, opinion: str = "") -> ProjectStandard:
    """Put a proposed standard in force; the open one of its grade ends the day before. （第八条）

    Raises NotAllowed, OtherSector, OtherDivision, SamePersonTwice, StandardOverlaps.
    """
    allow(session, by, Permission.STANDARD_CONFIRM, record)
    _lock(session, record)
    _require_room(session, record)
    move(session, record, "confirm", by=by, opinion=opinion, facts=_facts(record))
    for former in _before(session, record):
        former.valid_to = record.valid_from - timedelta(days=1)
        session.flush()
        move(session, former, "supersede", by=by, facts={"until": former.valid_to.isoformat()})
    _tell(session, record, by)
    standard_endings.let_go(session, by=by)
    return record


def return_(session: Session, record: ProjectStandard, *, by: ActingOfficer, reason: str) -> ProjectStandard:
    """Turn a proposed standard down. （第八、二十三条） Raises ReasonMissing."""
    allow(session, by, Permission.STANDARD_CONFIRM, record)
    return move(session, record, "return_", by=by, opinion=_reason("不通过", reason))


def withdraw(session: Session, record: ProjectStandard, *, by: ActingOfficer) -> ProjectStandard:
    """Take one's own proposal back. （第八条）"""
    allow(session, by, Permission.STANDARD_PROPOSE, record)
    return move(session, record, "withdraw", by=by)


def end(
    session: Session, record: ProjectStandard, *, by: ActingOfficer, valid_to: date, reason: str
) -> ProjectStandard:
    """Let a standard end without one that follows. （第九条停发） Raises ReasonMissing, StandardDayWrong."""
    allow(session, by, Permission.STANDARD_CONFIRM, record)
    said = _reason("定止期", reason)
    day = today(session)
    if valid_to < max(day, record.valid_from):
        raise StandardDayWrong(field="执行止", day=valid_to, why=f"早于今天 {day} 或执行起 {record.valid_from}")
    if record.valid_to is not None and valid_to > record.valid_to:
        raise StandardDayWrong(field="执行止", day=valid_to, why=f"晚于原定的 {record.valid_to}")
    record.valid_to = valid_to
    session.flush()
    move(session, record, "end", by=by, opinion=said, facts={"until": valid_to.isoformat()})
    _tell(session, record, by)
    return record


def put_in_force(session: Session, project: SubsidyProject, rows: Sequence[StandardRow], *, basis: str) -> int:
    """Put the standards of a project's version in force; return how many are new. （第七、八条）

    A row that is in force already is passed over; an open one of its grade and division ends the day before. Called in
    the transaction of the change that becomes effective. Raises StandardOverlaps.
    """
    made = 0
    for row in rows:
        record = ProjectStandard(
            division_code=row.division_code, project_id=project.id or 0, standard_yuan=row.yuan, grade=row.grade,
            valid_from=date.fromisoformat(row.valid_from),
            valid_to=date.fromisoformat(row.valid_to) if row.valid_to else None, document=row.document or basis,
            basis=basis, arrived_at=now(session),
        )  # fmt: skip
        _lock(session, record)
        if session.exec(
            _same(record).where(
                col(ProjectStandard.status).in_(HOLDING),
                col(ProjectStandard.standard_yuan) == row.yuan,
                col(ProjectStandard.valid_from) == record.valid_from,
            )
        ).first():
            continue
        _require_room(session, record)
        for former in _before(session, record):
            former.valid_to, former.status = record.valid_from - timedelta(days=1), StandardStatus.ENDED
            former.version += 1
        session.add(record)
        session.flush()
        made += 1
    return made


def require_setter(session: Session, project: SubsidyProject, by: ActingOfficer) -> None:
    """Let only the department of the level that sets the standards of a project propose one. Raises WrongSetter."""
    setter = StandardSetter(in_force(project).standard_setter)
    mine = by.kind == OrganisationKind.DEPARTMENT and by.sector == project.sector and by.level == Level(setter)
    if not mine:
        raise WrongSetter(project=project.name, rightful=f"{setter.label}{project.sector}主管部门", own=by.organisation)


def yuan_of(text: str) -> Decimal:
    """Return a standard as typed. Raises StandardWrong."""
    try:
        value = Decimal(text.strip().replace(",", "").replace("，", ""))
    except InvalidOperation:
        raise StandardWrong(value=text) from None
    if not value.is_finite() or not 0 < value <= HIGHEST or value != round(value, 4):
        raise StandardWrong(value=text)
    return round(value, 4)


def place_of(session: Session, record: ProjectStandard) -> str:
    """Return the name of the division whose standard it is."""
    return session.get_one(Division, record.division_code).name


def _reason(step: str, reason: str) -> str:
    if not reason.strip():
        raise ReasonMissing(step=step, field="原因")
    return reason.strip()


def _facts(record: ProjectStandard) -> dict[str, str]:
    return {"yuan": str(record.standard_yuan), "grade": record.grade, "since": record.valid_from.isoformat(),
            "document": record.document}  # fmt: skip


def _lock(session: Session, record: ProjectStandard) -> None:
    name = f"standard:{record.division_code}:{record.project_id}"
    session.execute(sa.text("select pg_advisory_xact_lock(hashtextextended(:name, 0))"), {"name": name})


def _same(record: ProjectStandard):  # type: ignore[no-untyped-def]
    return select(ProjectStandard).where(
        ProjectStandard.division_code == record.division_code,
        ProjectStandard.project_id == record.project_id,
        ProjectStandard.grade == record.grade,
    )


def _before(session: Session, record: ProjectStandard) -> Sequence[ProjectStandard]:
    """Return the open standards of the same grade that began before and that this one follows."""
    begun = (
        col(ProjectStandard.status) == StandardStatus.IN_FORCE,
        col(ProjectStandard.valid_to).is_(None),
        col(ProjectStandard.valid_from) < record.valid_from,
    )
    found: Sequence[ProjectStandard] = session.exec(_same(record).where(*begun)).all()
    return found


def _grade(record: ProjectStandard) -> str:
    return f"{record.grade} " if record.grade else ""


def _require_room(session: Session, record: ProjectStandard) -> None:
    """Refuse a day that two standards of one grade would share, but for the open one that ends before.

    Raises StandardOverlaps.
    """
    model = ProjectStandard
    follows = sa.and_(col(model.valid_to).is_(None), col(model.valid_from) < record.valid_from)
    shares = [sa.or_(col(model.valid_to).is_(None), col(model.valid_to) >= record.valid_from), sa.not_(follows)]
    if record.valid_to is not None:
        shares.append(col(model.valid_from) <= record.valid_to)
    other = session.exec(_same(record).where(col(model.status).in_(HOLDING), *shares)).first()
    if other is not None:
        raise StandardOverlaps(
            grade=_grade(other), yuan=other.standard_yuan, since=other.valid_from, until=other.valid_to or "长期",
            document=other.document or "无文号",
        )  # fmt: skip


def _tell(session: Session, record: ProjectStandard, by: ActingOfficer) -> None:
    """Tell whoever published the project's standards that they have changed. （第九条）"""
    publications.raise_stale(session, session.get_one(SubsidyProject, record.project_id), by=by)
