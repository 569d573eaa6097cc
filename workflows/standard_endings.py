"""Standards that end with nothing to follow them: their department is told in time. （第九条）"""

import sqlalchemy as sa
from sqlmodel import Session

from models.catalogue_tasks import CatalogueTaskKind
from models.database import transaction
from models.officers import ActingOfficer
from models.projects import ProjectStandard
from policies.clock import today
from policies.deadlines import STANDARD_ENDING
from workflows.catalogue_tasks import Errand, raise_tasks, vanish

SUBJECT = "project_standard"
MOST_TASKS = 2000
ENDING = sa.text(
    """
    select s.id, s.division_code, s.sector, s.project_name, s.grade, s.standard_yuan, s.valid_to
    from project_standards s join subsidy_projects p on p.id = s.project_id
    where s.status in ('in_force', 'ended') and p.status = 'admitted' and s.valid_to is not null
        and (select count(*) from calendar_days c where c.working and c.day > :day and c.day <= s.valid_to) <= :days
        and not exists (select from project_standards f where f.project_id = s.project_id and f.grade = s.grade
            and f.division_code = s.division_code and f.status in ('in_force', 'ended') and f.valid_from > s.valid_from)
        and not exists (select from catalogue_tasks t where t.subject = :subject and t.subject_id = s.id)
    order by s.valid_to, s.id limit :most
    """
)
ANSWERED = sa.text(
    """
    select s.id from project_standards s where s.project_id = :project and s.division_code = :division
        and s.grade = :grade and s.valid_from < :since and s.valid_to is not null
    """
)


def tell_endings(by: ActingOfficer) -> int:
    """Ask the department for the next standard, once for each that ends within days; return how many were told.

    Days are working days before the last day of the standard. A task settled with words isn't raised again. （第九条）
    """
    with transaction(by) as session:
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


def let_go(session: Session, record: ProjectStandard, *, by: ActingOfficer) -> int:
    """Close the tasks of the standards that this one follows; return how many. （第九条）"""
    asked = {
        "project": record.project_id, "division": record.division_code, "grade": record.grade,
        "since": record.valid_from,
    }  # fmt: skip
    ids = list(session.execute(ANSWERED, asked).scalars())
    return vanish(session, CatalogueTaskKind.STANDARD_ENDING, SUBJECT, ids, by=by) if ids else 0
