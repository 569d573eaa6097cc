"""The yearly task: next year's lists are asked for in time, and reminded of before it is late. （第六条）"""

from datetime import date
from typing import Any

import sqlalchemy as sa
from sqlmodel import Session

from models.catalogue_tasks import CatalogueTaskKind
from models.database import transaction
from models.officers import ActingOfficer
from policies.clock import today
from policies.deadlines import ANNUAL_LIST
from policies.working_days import working_days_left
from workflows.annual_lists import YEAR
from workflows.catalogue_tasks import Errand, raise_tasks

MISSING = """
    from divisions d
    where d.level in ('region', 'league', 'county') and not d.hidden and not exists (select from annual_lists l
        where l.division_code = d.code and l.year = :year and l.status = 'published')
"""
UNASKED = """
    select d.code, d.level = 'region' as publishes {missing}
        and not exists (select from catalogue_tasks t where t.division_code = d.code
            and t.kind = case d.level when 'region' then 'publish_list' else 'select_list' end
            and t.subject = :subject and t.subject_id = :year)
    order by d.code
"""
REMIND = """
    update catalogue_tasks set detail = :words || detail
    where status = 'finance' and kind in ('publish_list', 'select_list') and subject = :subject and subject_id = :year
        and not starts_with(detail, '催办') and division_code in (select d.code {missing})
    returning id
"""


def ask_for_lists(by: ActingOfficer) -> int:
    """Ask each finance bureau for next year's list, once; remind those who are late. Return how many were told.

    From 1 October; due on 31 December. A task that was settled by hand isn't raised again. （第六条）
    """
    with transaction(by) as session:
        day = today(session)
        year = day.year + 1
        if day < ANNUAL_LIST.opens_on(year):
            return 0
        return _ask(session, year) + _remind(session, year, day)


def _ask(session: Session, year: int) -> int:
    rows = session.execute(sa.text(UNASKED.format(missing=MISSING)), {"year": year, "subject": YEAR}).all()
    due = ANNUAL_LIST.due_on(year)
    told = {
        CatalogueTaskKind.PUBLISH_LIST: f"发布 {year} 年度中央、自治区补贴项目清单（第六条）",
        CatalogueTaskKind.SELECT_LIST: f"待上级清单发布后，选择确定并发布本地区 {year} 年度补贴项目清单（第六条）",
    }
    count = 0
    for kind, detail in told.items():  # two kinds, one statement each
        mine: list[Any] = [row for row in rows if row.publishes == (kind == CatalogueTaskKind.PUBLISH_LIST)]
        count += raise_tasks(session, kind, [Errand(row.code, "", YEAR, year, detail, due) for row in mine])
    return count


def _remind(session: Session, year: int, day: date) -> int:
    if working_days_left(session, day, ANNUAL_LIST.due_on(year)) > ANNUAL_LIST.remind_working_days:
        return 0
    words = f"催办，距期限不足 {ANNUAL_LIST.remind_working_days} 个工作日："
    statement = sa.text(REMIND.format(missing=MISSING))
    return len(session.execute(statement, {"year": year, "subject": YEAR, "words": words}).all())
