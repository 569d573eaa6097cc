"""Annual lists: the region publishes, leagues and counties select; what isn't selected makes no roster. （第六、七条）"""

from datetime import date

import pytest
import sqlalchemy as sa
from sqlmodel import Session, select

from models.annual_lists import AnnualList
from models.projects import SubsidyProject
from policies.clock import today
from tests.factories import COUNTY, LAND, World
from workflows import annual_lists as lists
from workflows.list_adoption import adopt_lists


def test_smoke(session: Session, county: World):
    assert adopt_lists(session, [COUNTY], [2024, 2025]) == 6
    assert adopt_lists(session, [COUNTY], [2024, 2025]) == 0
    project = session.exec(select(SubsidyProject).where(SubsidyProject.code == LAND)).one()
    lists.require_listed(session, project, COUNTY, date(2024, 1, 1))
    with pytest.raises(lists.NotListed) as refusal:
        lists.require_listed(session, project, COUNTY, date(2023, 1, 1))
    print(refusal.value)
    year = today(session).year + 1
    one = lists.draft(session, by=county.region_finance.clerk, year=year)
    print(one.item_count, one.title, one.number)
    lists.submit(session, one, by=county.region_finance.clerk)
    lists.publish(session, one, by=county.region_finance.reviewer)
    print(session.execute(sa.text("select kind, division_code, detail, due_on from catalogue_tasks")).all())
