"""Money at rest: received and not passed on, issued and not mapped, arrived and not begun to be paid. （第十条）

The article says 及时 and 第一时间 and gives no number; the days are the platform's own (policies/deadlines.py). Ages
are working days. What is over its days becomes a task; what has begun lets its task go.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import TextClause, text
from sqlmodel import Session

from integrations.amounts import yuan_text
from models.base import REGION_CODE, Labelled
from models.catalogue_tasks import CatalogueTask, CatalogueTaskKind
from models.database import transaction
from models.officers import ActingOfficer
from policies.clock import today
from policies.deadlines import MONEY_ISSUING, MONEY_MAPPING, MONEY_STARTING, OwnDeadline
from policies.moves import move_many
from workflows.catalogue_tasks import Errand, raise_tasks

REMINDED_DAYS = 7
"""A task that was settled with words is raised again after so many days if the money still rests."""
MOST_TASKS = 2000


class Stage(Labelled):
    """Where the money rests."""

    ISSUING = "issuing", "上级文件未下达"
    MAPPING = "mapping", "已下达未对应"
    STARTING = "starting", "已到达未造册"


LIMITS: dict[Stage, OwnDeadline] = {
    Stage.ISSUING: MONEY_ISSUING,
    Stage.MAPPING: MONEY_MAPPING,
    Stage.STARTING: MONEY_STARTING,
}

ISSUING = """
    select u.division_code, 'upstream_indicator' as subject, u.id, u.document_number, u.document_title,
        u.sup_document_number, u.pro_code, u.pro_name, u.amount_fen - u.distributed_fen as amount_fen,
        coalesce(u.document_date, cast(u.arrived_at as date)) as since, '' as projects, '{}'::text[] as sectors,
        '尚未分配下级' as what
    from upstream_indicators u where u.distributed_fen < u.amount_fen
"""
UNTOUCHED = "i.amount_fen > 0 and i.available_fen = i.amount_fen"
UNLINKED = "(i.division_code, i.pro_code) not in (select l.division_code, l.pro_code from project_links l)"
"""Hashed once; asked for each indicator, the planner, blind behind the policies, would read all links each time."""
UNMAPPED = f"""
    select i.division_code, 'budget_indicator' as subject, i.id, i.document_number, i.document_title,
        i.sup_document_number, i.pro_code, i.pro_name, i.amount_fen,
        coalesce(i.document_date, cast(i.arrived_at as date)) as since, '' as projects, '{{}}'::text[] as sectors,
        '已下载，未对应补贴项目' as what
    from budget_indicators i where {UNTOUCHED} and {UNLINKED}
"""  # noqa: S608 - constants
NOT_DOWNLOADED = f"""
    select u.division_code, 'upstream_indicator' as subject, min(u.id) as id, u.document_number,
        min(u.document_title) as document_title, min(u.sup_document_number) as sup_document_number,
        min(u.pro_code) as pro_code, min(u.pro_name) as pro_name,
        cast(sum(u.distributed_fen) - coalesce(min(d.amount_fen), 0) as bigint) as amount_fen,
        min(coalesce(u.document_date, cast(u.arrived_at as date))) as since, '' as projects,
        '{{}}'::text[] as sectors, '已分配，下级尚未下载' as what
    from upstream_indicators u
    left join lateral (
        select sum(fen) as amount_fen from (
            select i.amount_fen + i.distributed_fen as fen from budget_indicators i
            where i.sup_document_number = u.document_number and i.sup_document_number <> ''
                and (u.division_code = '{REGION_CODE}' or left(i.division_code, 4) = left(u.division_code, 4))
            union all
            select c.amount_fen from upstream_indicators c
            where c.sup_document_number = u.document_number and c.sup_document_number <> ''
                and u.division_code = '{REGION_CODE}') below) d on true
    where u.distributed_fen > 0 group by u.division_code, u.document_number
    having sum(u.distributed_fen) > coalesce(min(d.amount_fen), 0)
"""  # noqa: S608 - constants
MAPPING = f"{UNMAPPED} union all {NOT_DOWNLOADED}"
STARTED = """exists (select from project_links l join rosters r on r.county_code = l.division_code
        and r.project_id = l.project_id
    where l.division_code = i.division_code and l.pro_code = i.pro_code
        and (r.generated_at >= i.arrived_at or r.status not in ('paid', 'closed')))"""
STARTING = f"""
    with p as materialized (
        select l.division_code, l.pro_code, string_agg(distinct s.name, '、') as projects,
            array_agg(distinct s.sector) as sectors
        from project_links l join subsidy_projects s on s.id = l.project_id group by l.division_code, l.pro_code
    ), m as materialized (
        select l.division_code, l.pro_code, max(r.generated_at) as last_at,
            bool_or(r.status not in ('paid', 'closed')) as under_way
        from project_links l join rosters r on r.county_code = l.division_code and r.project_id = l.project_id
        group by l.division_code, l.pro_code
    )
    select i.division_code, 'budget_indicator' as subject, i.id, i.document_number, i.document_title,
        i.sup_document_number, i.pro_code, i.pro_name, i.amount_fen, cast(i.arrived_at as date) as since,
        p.projects, p.sectors, '已到达，对应项目尚未造册' as what
    from budget_indicators i
    join p on p.division_code = i.division_code and p.pro_code = i.pro_code
    left join m on m.division_code = i.division_code and m.pro_code = i.pro_code
    where {UNTOUCHED} and not coalesce(m.under_way or m.last_at >= i.arrived_at, false)
"""  # noqa: S608 - constants
"""Projects and rosters are summed up once for a budget project, not for each indicator: hence `materialized`."""
OF_STAGE = {Stage.ISSUING: ISSUING, Stage.MAPPING: MAPPING, Stage.STARTING: STARTING}

CHOSEN = """
    (cast(:place as text) = '' or starts_with(r.division_code, :place))
    and (cast(:project as text) = '' or r.pro_name = :project)
    and (not :late or r.since < :cut)
"""


@dataclass(frozen=True)
class Asked:
    """What part of the list is wanted: beneath a place (its prefix), of a budget project's name, over its days."""

    place: str = ""
    project: str = ""
    late: bool = False


@dataclass(frozen=True)
class Sum:
    """How much rests: in all, or of one place or project."""

    key: str
    count: int
    amount_fen: int
    late_count: int
    late_fen: int
    oldest: date | None


CUT = text(
    "select coalesce((select day from calendar_days where day <= :today and working order by day desc"
    " offset :days limit 1), date '1900-01-01')"
)


def cut_of(session: Session, stage: Stage) -> date:
    """Return the day before which money of the stage has rested longer than its days."""
    asked = {"today": today(session), "days": LIMITS[stage].working_days}
    return session.execute(CUT, asked).scalar_one()  # type: ignore[no-any-return]


def _listed(stage: Stage) -> TextClause:
    return text(
        f"""
        select r.*, (select count(*) from calendar_days c where c.working and c.day > r.since and c.day <= :today)
            as age, r.since < :cut as late
        from (select * from ({OF_STAGE[stage]}) r where {CHOSEN} order by r.since, r.amount_fen desc, r.id
            limit :limit offset :skip) r
        order by r.since, r.amount_fen desc, r.id
        """  # noqa: S608 - constants
    )


def _summed(stage: Stage, key: str) -> TextClause:
    grouped = "group by 1" if key else ""
    return text(
        f"""
        select {key or "''"} as key, count(*) as count, cast(coalesce(sum(r.amount_fen), 0) as bigint) as amount_fen,
            count(*) filter (where r.since < :cut) as late_count,
            cast(coalesce(sum(r.amount_fen) filter (where r.since < :cut), 0) as bigint) as late_fen,
            min(r.since) as oldest
        from ({OF_STAGE[stage]}) r where {CHOSEN} {grouped} order by 5 desc, 3 desc, 1 limit 500
        """  # noqa: S608 - constants
    )


@contextmanager
def _joined(session: Session, stage: Stage) -> Iterator[None]:
    """Join what has arrived by hash: behind row policies the planner expects one row and would compare all with all."""
    if stage == Stage.STARTING:
        session.execute(text("set local enable_nestloop = off"))
    yield
    if stage == Stage.STARTING:
        session.execute(text("set local enable_nestloop = on"))


def _given(session: Session, stage: Stage, asked: Asked) -> dict[str, Any]:
    return vars(asked) | {"cut": cut_of(session, stage), "today": today(session)}


def rows(session: Session, stage: Stage, asked: Asked, *, limit: int, skip: int = 0) -> list[Any]:
    """Return what rests at a stage in the caller's range, the oldest first, with its age in working days. （第十条）"""
    given = _given(session, stage, asked) | {"limit": limit, "skip": skip}
    with _joined(session, stage):
        return list(session.execute(_listed(stage), given))


KEYS = {
    "": "",
    "place": "r.division_code",
    "league": "left(r.division_code, 4) || '00000000'",
    "project": "r.pro_name",
}


def sums(session: Session, stage: Stage, asked: Asked, by: str = "") -> list[Sum]:
    """Return how much rests, in all or by county, league or budget project; what is over its days first. （第十条）"""
    given = _given(session, stage, asked)
    with _joined(session, stage):
        return [Sum(**row) for row in session.execute(_summed(stage, KEYS[by]), given).mappings()]


# --- tasks ----------------------------------------------------------------------------------------------------------

NOT_LATELY = """
    not exists (select from catalogue_tasks t where t.division_code = r.division_code and t.kind = 'money_at_rest'
        and t.subject = r.subject and t.subject_id = r.id and t.status = 'settled' and t.found_on > :today - :again)
"""


def raise_for(session: Session, division_code: str, *, by: ActingOfficer) -> int:
    """Raise the tasks about money of a division that has rested longer than its days; return how many are new.

    （第十条）
    """
    made = 0
    for stage in Stage:
        statement = text(
            f"""
            select r.*, (select day from calendar_days c where c.working and c.day > r.since order by c.day
                offset :days - 1 limit 1) as due_on
            from ({OF_STAGE[stage]}) r where r.division_code = :division and r.since < :cut and {NOT_LATELY}
            order by r.since limit :most
            """  # noqa: S608 - constants
        )
        given = _given(session, stage, Asked()) | {
            "division": division_code, "days": LIMITS[stage].working_days, "again": REMINDED_DAYS, "most": MOST_TASKS,
        }  # fmt: skip
        made += raise_tasks(session, CatalogueTaskKind.MONEY_AT_REST, _errands(session.execute(statement, given).all()))
    return made


def _errands(found: Sequence[Any]) -> list[Errand]:
    return [
        Errand(
            row.division_code, sector, row.subject, row.id,
            f"{row.document_number}（{row.pro_name}，{yuan_text(row.amount_fen)} 元）{row.what}，"
            f"自 {row.since} 起已超过提醒天数",
            row.due_on,
        )
        for row in found
        for sector in (row.sectors or [""])
    ]  # fmt: skip


OVER = text(
    f"""
    select t.id from catalogue_tasks t
    where t.kind = 'money_at_rest' and t.status in ('finance', 'department') and not case
        when t.subject = 'upstream_indicator' then t.subject_id in (select a.id from ({ISSUING}) a)
            or t.subject_id in (select b.id from ({NOT_DOWNLOADED}) b)
        when t.status = 'finance' then exists (select from budget_indicators i
            where i.division_code = t.division_code and i.id = t.subject_id and {UNTOUCHED} and {UNLINKED})
        else exists (select from budget_indicators i
            where i.division_code = t.division_code and i.id = t.subject_id and {UNTOUCHED} and not {STARTED})
        end
    """  # noqa: S608 - constants
)


def let_go(by: ActingOfficer) -> int:
    """Close the tasks whose money rests no longer: mapped, a roster made, distributed. （第十条）"""
    with transaction(by) as session:
        over = list(session.execute(OVER).scalars())
        return move_many(session, CatalogueTask, "vanish", over, by=by) if over else 0
