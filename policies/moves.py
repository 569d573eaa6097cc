"""`move()` and `move_many()`: the only writers of a status (DESIGN D5).

A move is a guarded UPDATE (status and version as read: no row means somebody was faster), the holder of the desk, the
event and the deadline, all in the caller's transaction.
"""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import Session

from models.base import Table, county_of
from models.events import DeskHolder
from models.officers import ActingOfficer
from policies.clock import now
from policies.interests import judges, require_disinterested
from policies.lifecycles import LIFECYCLES, Desk, Lifecycle, Step
from policies.limits import due_for, dues_of, require_days
from policies.permissions import Permission
from policies.refusals import FasterColleague, NotAllowed, Refused, SamePersonTwice
from policies.working_days import add_working_days, working_days_left

Record = TypeVar("Record", bound=Table)


class OtherDivision(Refused):
    """{title}由所在地本级机构办理“{step}”，上级机构不能代办；请通知该地办理（第二十三条）。"""

    status_code = 403


def title_of(record: Any) -> str:
    """Return how officers name a record: its kind and number."""
    lifecycle = LIFECYCLES.get(type(record))
    kind = lifecycle.title if lifecycle else type(record).__title__
    return f"{kind}{getattr(record, 'number', '') if not hasattr(record, 'number_index') else ''}"


def begin(
    session: Session,
    record: Record,
    *,
    by: ActingOfficer,
    label: str,
    desk: Desk | None,
    facts: dict[str, Any] | None = None,
) -> Record:
    """Add a newborn record with its first event and its first deadline."""
    moment = now(session)
    fields: Any = record
    fields.arrived_at = moment
    lifecycle = LIFECYCLES[type(record)]
    limit = lifecycle.due(fields.status)
    if limit and hasattr(fields, "due_on"):
        fields.due_on = due_for(session, limit, fields, moment.date())
    session.add(record)
    session.flush()
    hold_desk(session, record, desk, by, lifecycle.noun)
    status = str(fields.status)
    _write_event(session, _event(record, lifecycle.noun, "begin", label, desk, by, moment, "", status, "", facts))
    return record


def move(
    session: Session,
    record: Record,
    verb: str,
    *,
    by: ActingOfficer,
    opinion: str = "",
    facts: dict[str, Any] | None = None,
) -> Record:
    """Take one step: guarded, recorded, with the next deadline. （第二十三条）

    Raises StepNotPossible when the status has no such step, NotAllowed when the post sits at another desk,
    OwnHousehold when it judges what concerns the officer, SamePersonTwice when the person already holds another desk
    of this record, FasterColleague when the record has changed since it was read.
    """
    fields: Any = record
    lifecycle = LIFECYCLES[type(record)]
    step = lifecycle.step(verb, fields.status, title_of(record))
    require_desk(step, by)
    require_home(step, fields, by)
    if judges(step):
        require_disinterested(session, lifecycle.noun, [fields.id], by=by, title=title_of(record), step=step.label)
    moment = now(session)
    before = fields.status
    values = _next_values(session, fields, lifecycle, step, moment)
    limit = getattr(fields, "due_on", None)
    facts = ({"due_on": limit.isoformat()} if limit else {}) | (facts or {})
    event = _event(
        record,
        lifecycle.noun,
        verb,
        step.label,
        step.desk,
        by,
        moment,
        str(before),
        str(values["status"]),
        opinion,
        facts,
    )
    _seat_and_tell(session, record, step.desk, by, lifecycle.noun, event)
    _write_step(session, record, values)
    return record


def _write_step(session: Session, record: Any, values: dict[str, Any]) -> None:
    """Write the step onto the record as it was read. Raises FasterColleague."""
    model = type(record)
    columns = sa.inspect(model, raiseerr=True).columns
    guard = (columns["id"] == record.id) & (columns["status"] == record.status) & (columns["version"] == record.version)
    written = session.scalars(  # the row as it now stands, in the same statement
        sa.update(model).where(guard).values(values).returning(model),
        execution_options={"synchronize_session": False, "populate_existing": True},
    )
    if written.one_or_none() is None:
        raise FasterColleague(title=title_of(record))


def _next_values(session: Session, fields: Any, lifecycle: Lifecycle, step: Step, moment: datetime) -> dict[str, Any]:
    target = step.target if step.target is not None else fields.resume_status
    values: dict[str, Any] = {"status": target, "version": fields.version + 1}
    if getattr(fields, "resume_status", None) is not None:  # returned once, and now on its way again
        values |= {"resume_status": None} | ({"days_left": None} if hasattr(fields, "days_left") else {})
    if not hasattr(fields, "due_on"):
        return values | ({"resume_status": step.resume_at} if step.resume_at is not None else {})
    limit, former = lifecycle.due(target), lifecycle.due(fields.status)
    if step.resume_at is not None:  # returned: the clock stops and keeps what is left
        left = working_days_left(session, moment.date(), fields.due_on) if fields.due_on else None
        return values | {"resume_status": step.resume_at, "days_left": left, "due_on": None, "arrived_at": moment}
    if step.target is None:  # resumed: the clock goes on with what was left
        left = fields.days_left
        due = moment.date() if left is not None and left <= 0 else None
        due = add_working_days(session, moment.date(), left) if left is not None and left > 0 else due
        return values | {"due_on": due, "arrived_at": moment}
    if step.undoes:
        return values | {"due_on": _former_due(session, fields, lifecycle), "arrived_at": moment}
    if limit is not None and limit is former and step.forward:  # one organisation, one clock
        return values
    due = due_for(session, limit, fields, moment.date()) if limit else None
    return values | {"due_on": due, "arrived_at": moment}


def _former_due(session: Session, fields: Any, lifecycle: Lifecycle) -> date | None:
    """Return the limit that ran before the step that is being withdrawn: its event remembers it."""
    former = session.execute(
        sa.text(
            "select facts->>'due_on' from events where noun = :noun and record_id = :record and to_status = :status"
            " and from_status <> to_status order by id desc limit 1"
        ),
        {"noun": lifecycle.noun, "record": fields.id, "status": fields.status},
    ).scalar_one_or_none()
    return date.fromisoformat(former) if former else None


def require_desk(step: Step, by: ActingOfficer) -> None:
    """Let only the post that sits at the step's desk take it. Raises NotAllowed."""
    if step.desk is not None and not step.desk.seats(by):
        permission = step.permission or Permission.ROSTER_VIEW
        raise NotAllowed(post=by.post, permission=f"{permission.label}（{step.desk.label}）")


def require_home(step: Step, record: Any, by: ActingOfficer) -> None:
    """Let a desk of every level take only its own division's records. Raises OtherDivision."""
    if step.desk is not None and not step.desk.reaches(by, record.division_code):
        raise OtherDivision(title=title_of(record), step=step.label)


EVENT = sa.insert(Table.metadata.tables["events"]).inline()
"""Made once, compiled once, past the mapper; inline: to return the number would ask every policy for reading events."""


SEAT_AND_TELL = sa.text(
    "select seat_and_tell(:county_code, :division_code, :noun, :record_id, :verb, :label, :desk, :officer_id, :person,"
    " :officer_name, :post, :from_status, :to_status, :opinion, :facts, :business_at)"
).bindparams(
    *(sa.bindparam(name, type_=Table.metadata.tables["events"].c[name].type) for name in ("facts", "business_at"))
)


def _seat_and_tell(
    session: Session, record: Any, desk: Desk | None, by: ActingOfficer, noun: str, event: dict[str, Any]
) -> None:
    """Seat the person at the step's desk and write the step's event. （第二十三条） Raises SamePersonTwice.

    One function that asks who acts once and keeps its plans; whoever it isn't for goes by the tables' own policies.
    """
    if desk is not None and session.execute(SEAT_AND_TELL, event).scalar_one() == desk:
        return
    hold_desk(session, record, desk, by, noun)
    _write_event(session, event)


SEAT = sa.text(
    "insert into desk_holders (division_code, noun, record_id, person, desk)"
    " values (:division, :noun, :record, :person, :desk) on conflict do nothing"
)
SEATED = sa.text("select desk from desk_holders where noun = :noun and record_id = :record and person = :person")


def hold_desk(session: Session, record: Any, desk: Desk | None, by: ActingOfficer, noun: str) -> None:
    """Seat the person at one desk of the record, for ever. （第二十三条） Raises SamePersonTwice.

    The key of `desk_holders` admits one desk per person and record; the event's foreign key holds it from behind.
    """
    if desk is None:
        return
    seat = {"noun": noun, "record": record.id, "person": by.person}
    taken = session.execute(SEAT, seat | {"division": record.division_code, "desk": str(desk)})
    if taken.rowcount == 1:  # type: ignore[attr-defined]
        return
    held = session.execute(SEATED, seat).scalars().one()  # a new statement sees whom a colleague seated while we waited
    if held != desk:
        raise SamePersonTwice(officer=by.name, desk=Desk(held).label, title=title_of(record), next_desk=desk.label)


def record_event(
    session: Session,
    record: Any,
    verb: str,
    *,
    by: ActingOfficer,
    label: str,
    noun: str = "",
    desk: Desk | None = None,
    opinion: str = "",
    facts: dict[str, Any] | None = None,
) -> None:
    """Record a fact that moves no status (a line held, an account shown); seats the person when `desk` is given."""
    lifecycle = LIFECYCLES.get(type(record))
    kind = noun or (lifecycle.noun if lifecycle else str(record.__tablename__))
    hold_desk(session, record, desk, by, kind)
    status = str(getattr(record, "status", "") or "")
    moment = now(session)
    _write_event(session, _event(record, kind, verb, label, desk, by, moment, status, status, opinion, facts))


def _write_event(session: Session, event: dict[str, Any]) -> None:
    session.connection().execute(EVENT, event)


def _event(
    record: Any,
    noun: str,
    verb: str,
    label: str,
    desk: Desk | None,
    by: ActingOfficer,
    moment: datetime,
    before: str,
    after: str,
    opinion: str,
    facts: dict[str, Any] | None,
) -> dict[str, Any]:
    """Return the row that tells what was done to a record."""
    return {
        "county_code": county_of(record.division_code),
        "division_code": record.division_code,
        "noun": noun,
        "record_id": record.id,
        "verb": verb,
        "label": label,
        "desk": desk,
        "officer_id": by.officer_id,
        "person": by.person,
        "officer_name": by.name,
        "post": by.post,
        "from_status": before,
        "to_status": after,
        "opinion": opinion,
        "facts": facts or {},
        "business_at": moment,
    }


def begin_many(
    session: Session, model: type[Table], rows: Sequence[Any], *, by: ActingOfficer, label: str, desk: Desk | None
) -> None:
    """Seat the person at one desk of many newborn records and write their first events: a statement each.

    rows: id and division_code, as an INSERT returned them. Raises SamePersonTwice.
    """
    lifecycle = LIFECYCLES[model]
    born = Step("begin", lifecycle.steps[0].source, lifecycle.steps[0].source, label=label, desk=desk)
    _write_events(session, lifecycle.noun, born, rows, by, now(session), "", None, before="")


MANY = """
with {given}moved as (
    update {table} t set status = :target{version}{sets}{source}
    where t.id = any (:ids) and t.status = :source{home}{joined}
    returning t.id, t.division_code{due}
)
select * from moved
"""


def move_many(
    session: Session,
    model: type[Table],
    verb: str,
    ids: Sequence[int],
    *,
    by: ActingOfficer,
    opinion: str = "",
    facts: dict[str, Any] | None = None,
    events: bool = True,
) -> int:
    """Take one step for many records in one statement per source status; return how many moved.

    Rows that have left the source status in the meantime stay as they are: the caller compares the count.
    events=False: the caller records one event for the whole (lines of a batch). Raises NotAllowed, OwnHousehold,
    SamePersonTwice.
    """
    lifecycle = LIFECYCLES[model]
    columns = sa.inspect(model, raiseerr=True).columns
    moment = now(session)
    moved = 0
    for step in (step for step in lifecycle.steps if step.verb == verb and step.target is not None):
        require_desk(step, by)
        if judges(step):
            require_disinterested(session, lifecycle.noun, ids, by=by, title=lifecycle.title, step=step.label)
        dues = dues_of(str(model.__tablename__), lifecycle.due(step.target), moment.date(), columns.keys())
        statement = MANY.format(
            table=model.__tablename__,
            version=", version = t.version + 1" if "version" in columns else "",
            home=" and t.division_code = :home" if step.desk is not None and step.desk.home else "",
            due=", t.due_on" if dues.source else "",
            **{name: getattr(dues, name) for name in ("given", "sets", "source", "joined")},
        )
        arguments: dict[str, Any] = {"target": step.target, "source": step.source, "ids": list(ids)}
        arguments |= dues.asked | ({"moment": moment} if dues.sets else {})
        arguments |= {"home": by.division_code} if step.desk is not None and step.desk.home else {}
        rows = session.execute(sa.text(statement), arguments).all()
        if dues.source:
            require_days(session, [row.due_on for row in rows])
        moved += len(rows)
        if events and rows:
            _write_events(session, lifecycle.noun, step, rows, by, moment, opinion, facts)
    return moved


def _write_events(
    session: Session,
    noun: str,
    step: Step,
    rows: Sequence[Any],
    by: ActingOfficer,
    moment: datetime,
    opinion: str,
    facts: dict[str, Any] | None,
    before: str | None = None,
) -> None:
    if step.desk is not None:
        _hold_desks(session, noun, step.desk, rows, by)
    session.execute(
        EVENT,
        [
            _event(
                row,
                noun,
                step.verb,
                step.label,
                step.desk,
                by,
                moment,
                str(step.source) if before is None else before,
                str(step.target),
                opinion,
                facts,
            )
            for row in rows
        ],
    )


def _hold_desks(session: Session, noun: str, desk: Desk, rows: Sequence[Any], by: ActingOfficer) -> None:
    """Seat the person at one desk of each record. （第二十三条） Raises SamePersonTwice."""
    seats = [
        {"division_code": row.division_code, "noun": noun, "record_id": row.id, "person": by.person, "desk": desk}
        for row in rows
    ]
    session.execute(insert(DeskHolder).on_conflict_do_nothing(), seats)
    held = session.execute(
        sa.text(
            "select desk from desk_holders where noun = :noun and person = :person and desk <> :desk"
            " and record_id = any (:ids) limit 1"
        ),
        {"noun": noun, "person": by.person, "desk": desk, "ids": [row.id for row in rows]},
    ).scalar_one_or_none()
    if held is not None:
        title = next(lifecycle.title for lifecycle in LIFECYCLES.values() if lifecycle.noun == noun)
        raise SamePersonTwice(officer=by.name, desk=Desk(held).label, title=title, next_desk=desk.label)
