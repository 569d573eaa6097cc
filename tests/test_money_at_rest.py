"""Money at rest: three stages, ages in working days, tasks that go when the money moves. （第十条）"""

from datetime import date, timedelta
from typing import Any

import sqlalchemy as sa
from sqlmodel import Session, select

from models.catalogue_tasks import CatalogueTask, CatalogueTaskKind, CatalogueTaskStatus
from models.indicators import BudgetIndicator
from policies.clock import advance, now, today
from policies.deadlines import OWN, OwnDeadline
from tests.conftest import As, Owner
from tests.factories import World, a_project, a_roster
from tests.money import SWEEP, a_funded_indicator
from tests.test_indicators import CODE, item
from tests.world import LEAGUE, key
from workflows import indicator_keeping, indicator_links, money_at_rest
from workflows.indicators import shift
from workflows.money_at_rest import Asked, Stage

UP = "内财农指〔2026〕9号"


def rest(session: Session, stage: Stage, **asked: Any) -> list[Any]:
    return money_at_rest.rows(session, stage, Asked(**asked), limit=50)


def tasks(session: Session) -> list[CatalogueTask]:
    found = sa.select(CatalogueTask).where(CatalogueTask.kind == CatalogueTaskKind.MONEY_AT_REST)
    return list(session.execute(found.order_by(sa.text("id"))).scalars())


def weeks_later(session: Session, weeks: int = 4) -> None:
    advance(session, now(session) + timedelta(weeks=weeks))


class TestStages:
    def test_a_league_sees_what_it_received_and_has_not_passed_on(self, county: World, as_: As, owner: Owner):
        upstream = item(county, "UP", MOF_DIV_CODE=LEAGUE[:9], DIS_AMT="400.00", COR_BGT_DOC_NO=UP)
        with owner() as session:
            indicator_keeping.keep_upstream(session, [upstream], LEAGUE, by=SWEEP)
        for by, seen in ((county.league, 1), (county.region, 1), (county.finance.clerk, 0),
                         (county.other_league_finance.clerk, 0)):  # fmt: skip
            with as_(by) as session:
                rows = rest(session, Stage.ISSUING)
                assert [row.amount_fen for row in rows] == [60_000] * seen

    def test_what_was_distributed_and_not_downloaded_is_told_to_the_league(self, county: World, as_: As, owner: Owner):
        upstream = item(county, "UP", MOF_DIV_CODE=LEAGUE[:9], DIS_AMT="400.00", COR_BGT_DOC_NO=UP)
        with owner() as session:
            indicator_keeping.keep_upstream(session, [upstream], LEAGUE, by=SWEEP)
        with as_(county.league) as session:
            assert [(row.amount_fen, row.what) for row in rest(session, Stage.MAPPING)] == [
                (40_000, "已分配，下级尚未下载")
            ]
        with as_(county.finance.clerk) as session:
            mine = [item(county, "A", amount="400.00", SUP_BGT_DOC_NO=UP)]
            indicator_keeping.keep(session, mine, by=county.finance.clerk)
        with as_(county.league) as session:
            assert [row.what for row in rest(session, Stage.MAPPING)] == ["已下载，未对应补贴项目"]

    def test_from_unmapped_to_unrostered_to_used(self, county: World, as_: As, owner: Owner):
        by = county.finance.clerk
        with as_(by) as session:
            indicator_keeping.keep(session, [item(county)], by=by)
            assert len(rest(session, Stage.MAPPING)) == 1
            assert rest(session, Stage.STARTING) == []
        with owner() as session:
            project = a_project(session, county, link=False)
        with as_(by) as session:
            indicator_links.link(session, by=by, project=project, pro_code=CODE)
            assert rest(session, Stage.MAPPING) == []
            (row,) = rest(session, Stage.STARTING)
            assert (row.projects, row.sectors, row.amount_fen) == (project.name, ["农牧"], 100_000)
            indicator = session.exec(select(BudgetIndicator)).one()
            shift(session, county.code, "reserve", "r", indicator_id=key(indicator.id), amount_fen=1)
            assert rest(session, Stage.STARTING) == []

    def test_a_department_sees_its_own_projects_money(self, county: World, as_: As, owner: Owner):
        with owner() as session:
            a_funded_indicator(session, county, a_project(session, county)).arrived_at = now(session)
        with as_(county.department.clerk) as session:
            assert len(rest(session, Stage.STARTING)) == 1
        with as_(county.civil_affairs.clerk) as session:
            assert rest(session, Stage.STARTING) == []

    def test_ages_are_working_days_and_sums_agree_with_the_rows(self, county: World, as_: As, owner: Owner):
        by = county.finance.clerk
        with as_(by) as session:
            day = today(session)
            dated = [item(county, f"N{n}", DOC_DATE=(day - timedelta(days=7 * n)).isoformat(), PRO_NAME=f"项目{n % 2}")
                     for n in range(4)]  # fmt: skip
            indicator_keeping.keep(session, dated, by=by)
            rows = rest(session, Stage.MAPPING)
            assert [row.document_number for row in rows]
            for row in rows:
                count = sa.text("select count(*) from calendar_days where working and day > :a and day <= :b")
                assert row.age == session.execute(count, {"a": row.since, "b": day}).scalar_one()
                assert row.late == (row.age > 3)
            (total,) = money_at_rest.sums(session, Stage.MAPPING, Asked())
            late = [row for row in rows if row.late]
            assert (total.count, total.late_count) == (4, len(late))
            assert total.late_fen == sum(row.amount_fen for row in late)
            by_project = money_at_rest.sums(session, Stage.MAPPING, Asked(), "project")
            assert sum(one.amount_fen for one in by_project) == total.amount_fen
            assert len(rest(session, Stage.MAPPING, project="项目1")) == 2
            assert rest(session, Stage.MAPPING, late=True) == late
            assert rest(session, Stage.MAPPING, place="1525") == []
            assert [one.key for one in money_at_rest.sums(session, Stage.MAPPING, Asked(), "place")] == [county.code]
            assert [one.key for one in money_at_rest.sums(session, Stage.MAPPING, Asked(), "league")] == [LEAGUE]

    def test_the_days_are_marked_as_the_platforms_own(self):
        assert all(isinstance(limit, OwnDeadline) and limit.article == "第十条" for limit in OWN)


class TestTasks:
    def at_rest(self, county: World, owner: Owner) -> Any:
        with owner() as session:
            project = a_project(session, county)
            row = a_funded_indicator(session, county, project)
            row.arrived_at = now(session)
            row.document_date = date(2026, 1, 5)
            session.flush()
            weeks_later(session)
        return project

    def test_over_its_days_the_department_gets_a_task_once(self, county: World, owner: Owner):
        self.at_rest(county, owner)
        with owner() as session:
            assert money_at_rest.raise_for(session, county.code, by=SWEEP) == 1
            assert money_at_rest.raise_for(session, county.code, by=SWEEP) == 0
            (task,) = tasks(session)
            assert (task.sector, task.status) == ("农牧", CatalogueTaskStatus.DEPARTMENT)
            assert task.due_on is not None
            assert task.due_on < today(session)

    def test_the_first_roster_lets_it_go(self, county: World, owner: Owner):
        project = self.at_rest(county, owner)
        with owner() as session:
            money_at_rest.raise_for(session, county.code, by=SWEEP)
        assert money_at_rest.let_go(SWEEP) == 0
        with owner() as session:
            a_roster(session, county, project=project)
        assert money_at_rest.let_go(SWEEP) == 1
        with owner() as session:
            assert [task.status for task in tasks(session)] == [CatalogueTaskStatus.GONE]

    def test_settled_with_words_it_comes_again_while_the_money_rests(self, county: World, owner: Owner, as_: As):
        self.at_rest(county, owner)
        with owner() as session:
            money_at_rest.raise_for(session, county.code, by=SWEEP)
            session.execute(sa.text("update catalogue_tasks set status = 'settled', found_on = :day"),
                            {"day": today(session)})  # fmt: skip
            assert money_at_rest.raise_for(session, county.code, by=SWEEP) == 0
            weeks_later(session, 2)
            assert money_at_rest.raise_for(session, county.code, by=SWEEP) == 1

    def test_finance_gets_the_task_about_what_is_unmapped_and_mapping_lets_it_go(
        self, county: World, owner: Owner, as_: As
    ):
        by = county.finance.clerk
        with as_(by) as session:
            indicator_keeping.keep(session, [item(county, DOC_DATE="2026-01-05")], by=by)
            money_at_rest.raise_for(session, county.code, by=by)
            (task,) = tasks(session)
            assert (task.sector, task.status) == ("", CatalogueTaskStatus.FINANCE)
        with owner() as session:
            project = a_project(session, county, link=False)
        with as_(by) as session:
            indicator_links.link(session, by=by, project=project, pro_code=CODE)
            assert [task.status for task in tasks(session)] == [CatalogueTaskStatus.GONE]

    def test_leagues_task_goes_when_it_has_passed_everything_on(self, county: World, owner: Owner):
        def upstream(passed: str, day: int) -> dict[str, Any]:
            moment = f"2026-01-{day:02d} 08:00:00"
            return item(county, "UP", MOF_DIV_CODE=LEAGUE[:9], DIS_AMT=passed, COR_BGT_DOC_NO=UP,
                        DOC_DATE="2026-01-04", UPDATE_TIME=moment)  # fmt: skip

        with owner() as session:
            weeks_later(session)
            indicator_keeping.keep_upstream(session, [upstream("0.00", 5)], LEAGUE, by=SWEEP)
            assert money_at_rest.raise_for(session, LEAGUE, by=SWEEP) == 1
        assert money_at_rest.let_go(SWEEP) == 0
        with owner() as session:
            indicator_keeping.keep_upstream(session, [upstream("1000.00", 6)], LEAGUE, by=SWEEP)
            indicator_keeping.keep_items(session, [item(county, "A", SUP_BGT_DOC_NO=UP)], county.code, by=SWEEP)
        assert money_at_rest.let_go(SWEEP) == 1
