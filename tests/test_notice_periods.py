"""Notice periods per county, project and stage: set singly and for many at once, with their history. （第十五条）"""

import pytest
from sqlmodel import Session, col, select

from models.events import Event
from models.projects import NoticePeriod, NoticeStage, SubsidyProject
from policies.refusals import NotAllowed
from tests.conftest import As
from tests.factories import World, key
from workflows.notices import NoticeDaysWrong, ProjectMissing, set_periods


def of_sector(session: Session, sector: str) -> list[int]:
    return [key(one.id) for one in session.exec(select(SubsidyProject).where(SubsidyProject.sector == sector))]


class TestManyAtOnce:
    def test_many_projects_get_their_period_in_one_go_and_each_its_event(self, county: World, as_: As):
        with as_(county.department.clerk) as session:
            ids = of_sector(session, "农牧")
            made = set_periods(session, by=county.department.clerk, projects=ids, stage=NoticeStage.ROSTER, days=7)
            assert len(made) == len(ids) > 5 and {one.notice_days for one in made} == {7}
            again = set_periods(session, by=county.department.clerk, projects=ids[:2], stage=NoticeStage.ROSTER, days=9)
            assert {one.notice_days for one in again} == {9}
            told = session.exec(
                select(Event).where(Event.noun == "notice_period", col(Event.record_id).in_([one.id for one in again]))
                .order_by(col(Event.id))
            ).all()  # fmt: skip
            assert [(one.facts["before"], one.facts["days"]) for one in told] == [(None, 7)] * 2 + [(7, 9)] * 2

    def test_stages_are_apart_and_other_counties_keep_theirs(self, county: World, as_: As, owner):
        with as_(county.department.clerk) as session:
            ids = of_sector(session, "农牧")[:1]
            set_periods(session, by=county.department.clerk, projects=ids, stage=NoticeStage.ELIGIBILITY, days=5)
        with owner() as session:
            rows = session.exec(select(NoticePeriod).where(NoticePeriod.project_id == ids[0])).all()
            assert [(one.division_code, one.stage, one.notice_days) for one in rows] == [
                (county.code, NoticeStage.ELIGIBILITY, 5)
            ]

    def test_another_departments_project_is_not_among_them(self, county: World, as_: As, owner):
        with owner() as session:
            ids = of_sector(session, "农牧")[:1] + of_sector(session, "民政")[:1]
        with as_(county.department.clerk) as session, pytest.raises(ProjectMissing, match="1 个"):
            set_periods(session, by=county.department.clerk, projects=ids, stage=NoticeStage.ROSTER, days=7)

    @pytest.mark.parametrize("days", [0, 61, -1])
    def test_the_days_have_bounds(self, session, county, days):
        with pytest.raises(NoticeDaysWrong):
            set_periods(session, by=county.department.clerk, projects=[1], stage=NoticeStage.ROSTER, days=days)

    def test_nobody_but_the_departments_clerk_sets_them(self, session, county):
        for by in (
            county.department.reviewer,
            county.finance.clerk,
            county.township.clerk,
            county.league_department.clerk,
        ):
            with pytest.raises(NotAllowed):
                set_periods(session, by=by, projects=[1], stage=NoticeStage.ROSTER, days=7)
