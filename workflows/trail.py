"""What the audit administrator asks of the records: search, one record with its transaction, the chains' state.

（第二十三条、第三十三条）
"""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any

import sqlalchemy as sa
from sqlmodel import Session

from models.database import transaction
from models.events import Change, Event
from models.jobs import Job, JobStatus
from models.officers import ActingOfficer, Role
from models.trail import UNWATCHED
from policies.clock import ZONE
from policies.enforcement import allow
from policies.lifecycles import LIFECYCLES
from policies.permissions import Permission
from policies.refusals import NotFound, ReasonMissing
from workflows import anchors, audit
from workflows.queue import finish, officer_of_post, start_job

VERIFY = "verify_chains"
SHORTEST_REASON = 4
WINDOW_DAYS = 30
EVENT, CHANGE, REFUSAL = "event", "change", "refusal"
KINDS = {EVENT: "办理", CHANGE: "数据变更", REFUSAL: "拒绝", "duty": "职责分离被拒", "reveal": "查看敏感信息"}
DUTY_REFUSALS = ("SamePersonTwice", "OwnHousehold", "DutiesCollide", "OwnAccount", "StatutoryPair")
OPERATIONS = {"insert": "新增", "update": "修改", "delete": "删除", "truncate": "清空", "baseline": "存量"}


@dataclass(frozen=True)
class Asked:
    """What is searched for; empty fields don't narrow."""

    since: date
    until: date
    kind: str = ""
    table: str = ""
    number: str = ""
    officer: str = ""
    verb: str = ""
    address: str = ""
    county: str = ""


@dataclass(frozen=True)
class Found:
    """One line of the answer: what happened, by whom, from where."""

    kind: str
    id: int
    county_code: str
    recorded_at: datetime
    officer: str
    post: str
    label: str
    target: str
    record_id: int | None
    address: str
    note: str


ANSWER = """
select * from (
    select 'event' as kind, e.id, e.county_code, e.recorded_at, e.officer_name as officer, e.post,
        coalesce(nullif(e.label, ''), e.verb) as label, e.noun as target, e.record_id, e.address, e.opinion as note
    from events e
    where e.recorded_at >= :since and e.recorded_at < :until and :kind in ('', 'event', 'reveal')
        and (:kind <> 'reveal' or e.verb like 'reveal%' or e.verb like 'export%')
        and (:county = '' or e.county_code = :county) and (:address = '' or e.address = :address)
        and (:table = '' or e.noun = any (:nouns)) and (cast(:record as bigint) is null or e.record_id = :record)
        and (:officer = '' or e.officer_id = any (:officers) or e.officer_name = :officer)
        and (:verb = '' or e.verb = :verb or starts_with(e.label, :verb))
    union all
    select 'change', c.id, c.county_code, c.recorded_at, coalesce(o.name, nullif(c.person, ''), c.database_user),
        case when c.officer_id = 0 then c.application else '' end, c.operation, c.table_name, c.record_id, c.address,
        c.row_count || ' 行'
    from changes c left join officers o on o.id = c.officer_id
    where c.recorded_at >= :since and c.recorded_at < :until and :kind in ('', 'change')
        and (:county = '' or c.county_code = :county) and (:address = '' or c.address = :address)
        and (:table = '' or c.table_name = :table)
        and (cast(:record as bigint) is null or c.record_id = :record
             or c.rows @> jsonb_build_array(jsonb_build_object('key', cast(:record as text))))
        and (:officer = '' or c.officer_id = any (:officers) or c.database_user = :officer)
        and (:verb = '' or c.operation = :operation)
    union all
    select 'refusal', r.id, trail_county(r.division_code), r.recorded_at, r.officer_name, r.post, r.refusal, r.record,
        null, '', r.message
    from refusals r
    where r.recorded_at >= :since and r.recorded_at < :until and :kind in ('', 'refusal', 'duty')
        and (:kind <> 'duty' or r.refusal = any (:duties))
        and (:county = '' or trail_county(r.division_code) = :county) and :address = '' and :table = ''
        and (:officer = '' or r.officer_id = any (:officers) or r.officer_name = :officer)
        and (:verb = '' or r.verb = :verb or r.refusal = :verb)
) found
order by recorded_at desc, kind, id desc limit :limit offset :offset
"""


def tables() -> dict[str, str]:
    """Return the watched tables and what officers call them."""
    models = audit.models_by_table()
    named = {name: model.__title__ for name, model in models.items() if name not in UNWATCHED and model.__title__}
    return dict(sorted(named.items(), key=lambda item: item[1]))


def nouns_of(table: str) -> list[str]:
    """Return how events may name records of a table."""
    model = audit.models_by_table().get(table)
    lifecycle = LIFECYCLES.get(model) if model else None
    return list({table, table.removesuffix("s"), lifecycle.noun if lifecycle else table})


def _record(session: Session, asked: Asked) -> int | None:
    """Return the id of a number, by the table's own number, else the number itself. Raises NotFound."""
    if not asked.number:
        return None
    model: Any = audit.models_by_table().get(asked.table)
    if model is not None and "number" in model.__table__.columns and not hasattr(model, "number_index"):
        found = session.execute(sa.select(model.id).where(model.number == asked.number)).scalar_one_or_none()
        if found is not None:
            return int(found)
    if asked.number.isascii() and asked.number.isdigit() and len(asked.number) <= 18:
        return int(asked.number)
    raise NotFound


def search(session: Session, asked: Asked, *, by: ActingOfficer, limit: int = 51, offset: int = 0) -> list[Found]:
    """Return the newest records that fit, within the officer's range. （第二十三条） Raises NotAllowed, NotFound."""
    allow(session, by, Permission.AUDIT_VIEW)
    named = sa.text("select array_agg(id) from officers where name = :name or login = :name")
    officers = session.execute(named, {"name": asked.officer}).scalar_one() if asked.officer else []
    operations = {label: name for name, label in OPERATIONS.items()}
    rows = session.execute(
        sa.text(ANSWER),
        {
            "since": datetime.combine(asked.since, time(), ZONE),
            "until": datetime.combine(asked.until + timedelta(days=1), time(), ZONE),
            "kind": asked.kind, "table": asked.table, "nouns": nouns_of(asked.table), "officer": asked.officer,
            "record": _record(session, asked), "officers": officers or [], "verb": asked.verb,
            "operation": operations.get(asked.verb, asked.verb), "address": asked.address, "county": asked.county,
            "duties": list(DUTY_REFUSALS), "limit": limit, "offset": offset,
        },
    )  # fmt: skip
    return [Found(*row) for row in rows.tuples()]


@dataclass(frozen=True)
class Whole:
    """One record with everything recorded in the same transaction."""

    record: Event | Change
    together: list[Event | Change]
    link: int | None
    officer: str
    post: str


def whole(session: Session, kind: str, key: int, *, by: ActingOfficer) -> Whole:
    """Return a record, its link and its transaction's other records. Raises NotFound, NotAllowed."""
    allow(session, by, Permission.AUDIT_VIEW)
    model: Any = {EVENT: Event, CHANGE: Change}.get(kind)
    found = session.execute(sa.select(model).where(model.id == key)).scalar_one_or_none() if model else None
    if found is None:
        raise NotFound
    together: list[Event | Change] = []
    for other in (Event, Change):
        table: Any = other
        same = sa.select(table).where(table.transaction == found.transaction, table.transaction > 0, table.id != key)
        together += session.execute(same.order_by(table.id).limit(50)).scalars()
    link = session.execute(
        sa.text("select sequence from event_links where county_code = :county and :id = any (record_ids)"
                " order by sequence desc limit 1"),
        {"county": found.county_code, "id": key},
    ).scalar_one_or_none()  # fmt: skip
    who = session.execute(
        sa.text("select (select name from officers where id = :officer) as officer, p.organisation, p.role from"
                " (select 1) one left join posts p on p.id = :post"),
        {"officer": found.officer_id, "post": getattr(found, "post_id", 0)},
    ).one()  # fmt: skip
    post = f"{who.organisation}{Role(who.role).label}" if who.role else ""
    return Whole(found, sorted(together, key=lambda record: record.id or 0), link, who.officer or "", post)


STATE = """
select h.county_code, d.name, h.sequence, coalesce(a.last, 0) as archived, (
    select count(*) from event_links l where l.county_code = h.county_code) as links
from event_heads h left join divisions d on d.code = h.county_code left join (
    select county_code, max(last_sequence) as last from event_archives group by county_code) a using (county_code)
order by h.county_code
"""


def state(session: Session, *, by: ActingOfficer) -> tuple[list[Any], list[Job]]:
    """Return the heads in range and the last verifications. Raises NotAllowed."""
    allow(session, by, Permission.AUDIT_VIEW)
    job: Any = Job
    jobs = sa.select(job).where(job.kind == VERIFY).order_by(job.id.desc()).limit(10)
    return list(session.execute(sa.text(STATE))), list(session.execute(jobs).scalars())


def ask_verify(session: Session, *, by: ActingOfficer) -> Job:
    """Start a verification of the chains in range as a job. （第二十三条） Raises NotAllowed."""
    allow(session, by, Permission.AUDIT_VERIFY)
    return start_job(session, by=by, kind=VERIFY, title="校验散列链", division_code=by.division_code)


def run_verify(job_id: int, post_id: int) -> None:
    """Verify as the officer who asked, and write what was found into the job."""
    by = officer_of_post(post_id)
    signed = anchors.known()
    with transaction(by) as session:
        chains = audit.verify(session, None, signed)
        asleep = audit.sleeping_guards(session)
        broken = [chain for chain in chains if not chain.whole]
        told = [f"{chain.county} {chain.finding}" for chain in broken] + [
            f"触发器 {name} 缺失或停用" for name in asleep
        ]
        loose = sum(chain.unanchored for chain in chains)
        sound = f"{len(chains)} 条链全部完整，共 {sum(chain.links for chain in chains)} 环，其中 {loose} 环尚未锚定"
        finish(session, job_id, JobStatus.REFUSED if told else JobStatus.DONE, "；".join(told[:20]) or sound)


def require_reason(reason: str) -> str:
    """Return the reason of an export. Raises ReasonMissing."""
    if len(reason.strip()) < SHORTEST_REASON:
        raise ReasonMissing(step="导出审计记录", field=f"事由（不少于 {SHORTEST_REASON} 个字）")
    return reason.strip()
