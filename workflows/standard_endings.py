"""Standards that end with nothing to follow them: their department is told in time. （第九条）"""

import sqlalchemy as sa
from sqlmodel import Session

from models.catalogue_tasks import CatalogueTask, CatalogueTaskKind
from models.database import transaction
from models.officers import ActingOfficer
from policies.clock import today
from policies.deadlines import STANDARD_ENDING
from policies.moves import move_many
from workflows.catalogue_tasks import Errand, raise_tasks

SUBJECT = "project_standard"
MOST_TASKS = 2000
FOLLOWED = """exists (select from project_standards f where f.project_id = s.project_id and f.grade = s.grade
    and f.division_code = s.division_code and f.status in ('in_force', 'ended') and f.valid_from > s.valid_from)"""
ENDING = sa.text(
    f"""
    select s.id, s.division_code, s.sector, s.project_name, s.grade, s.standard_yuan, s.valid_to
    from project_standards s join subsidy_projects p on p.id = s.project_id
    where s.status in ('in_force', 'ended') and p.status = 'admitted' and s.valid_to is not null
        and (select count(*) from calendar_days c where c.working and c.day > :day and c.day <= s.valid_to) <= :days
        and not {FOLLOWED}
        and not exists (select from catalogue_tasks t where t.subject = :subject and t.subject_id = s.id)
    order by s.valid_to, s.id limit :most
    """  # noqa: S608 - a constant
)
ANSWERED = sa.text(
    f"""
    select t.id from catalogue_tasks t join project_standards s on s.id = t.subject_id
        join subsidy_projects p on p.id = s.project_id
    where t.status in ('finance', 'department') and t.kind = 'standard_ending'
        and (p.status <> 'admitted' or {FOLLOWED})
    """  # noqa: S608 - a constant
)


def tell_endings(by: ActingOfficer) -> int:
    """Ask the department for the next standard, once for each that ends within days; return how many were told.

    Days are working days before the last day of the standard. A task settled with words isn't raised again; one whose
    standard is followed by another, or whose project has stopped meanwhile, goes. （第九条）
    """
    with transaction(by) as session:
        let_go(session, by=by)
        asked = {"day": today(session), "days": STANDARD_ENDING.working_days, "subject": SUBJECT, "most": MOST_TASKS}
        errands = [
            Errand(
                row.division_code,
                row.sector,
                SUBJECT,
                row.id,
                f"“{row.project_name}”{row.grade}标准 {row.standard_yuan} 元执行至 {row.valid_to}，其后没有标准；"
                "请拟定新标准，或办理项目变更、停用",
                row.valid_to,
            )
            for row in session.execute(ENDING, asked)
        ]
        return raise_tasks(session, CatalogueTaskKind.STANDARD_ENDING, errands)


def let_go(session: Session, *, by: ActingOfficer) -> int:
    """Close the tasks in the caller's range that another standard has answered; return how many. （第九条）"""
    over = list(session.execute(ANSWERED).scalars())
    return move_many(session, CatalogueTask, "vanish", over, by=by) if over else 0
