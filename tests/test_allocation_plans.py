"""Allocation plans: drafted with every mistake at its row, confirmed by another, frozen, compared. （第三十二条）"""

from io import BytesIO

import openpyxl
import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError
from sqlmodel import Session, select

from models.allocation_plans import AllocationLine, AllocationPlan, AllocationStatus
from models.projects import SubsidyProject
from policies.clock import now
from policies.enforcement import OtherSector
from policies.moves import OtherDivision
from policies.refusals import NotAllowed, NotFound, SamePersonTwice
from tests.conftest import As, Owner
from tests.factories import LAND, World
from tests.money import SWEEP
from tests.test_indicators import item
from tests.test_money_at_rest import weeks_later
from tests.world import COUNTY, LEAGUE, OTHER_COUNTY, OTHER_LEAGUE, key
from workflows import allocation_plans, allocation_sheets, indicator_keeping
from workflows.allocation_plans import Content, PlanFrozen, PlanOpen
from workflows.allocation_sheets import AllocationWrong, Sheet, Target, pasted, read_lines

DOCUMENT = "内财农指〔2026〕9号"
CONTENT = Content("耕地地力补贴分配方案", DOCUMENT, 2026, 300_000)
KNOWN = [Target(COUNTY, "敖汉旗", "county"), Target("150402000000", "红山区", "county"),
         Target("150421000000", "阿鲁科尔沁旗", "county"), Target(LEAGUE, "赤峰市", "league"),
         Target("150499000000", "城关区", "county"), Target("150599000000", "城关区", "county")]  # fmt: skip


def amounts() -> Sheet:
    return Sheet({COUNTY: 200_000, "150402000000": 100_000})


def land(session: Session) -> int:
    return key(session.exec(select(SubsidyProject).where(SubsidyProject.code == LAND)).one().id)


@pytest.fixture
def plan(county: World, as_: As) -> AllocationPlan:
    by = county.league_department.clerk
    with as_(by) as session:
        return allocation_plans.draft(session, by=by, project_id=land(session), content=CONTENT, sheet=amounts())


def again(session: Session, plan: AllocationPlan) -> AllocationPlan:
    return session.get_one(AllocationPlan, key(plan.id))


def confirmed(county: World, as_: As, plan: AllocationPlan) -> None:
    clerk, reviewer = county.league_department.clerk, county.league_department.reviewer
    with as_(clerk) as session:
        allocation_plans.submit(session, again(session, plan), by=clerk)
    with as_(reviewer) as session:
        allocation_plans.confirm(session, again(session, plan), by=reviewer)


class TestRows:
    def test_what_is_pasted_is_read_with_tabs_commas_and_spaces(self):
        text = "地区\t金额\n敖汉旗\t1,234.56\n红山区,100\n150421000000  阿鲁科尔沁旗  7.5元\n\n合计\t1342.06\n"
        sheet = read_lines(pasted(text), KNOWN)
        assert sheet.mistakes == []
        assert sheet.amounts == {COUNTY: 123_456, "150402000000": 10_000, "150421000000": 750}

    @pytest.mark.parametrize(
        ("line", "problem"),
        [
            ("敖汗旗\t1", "没有名为“敖汗旗”"), ("敖汉\t1", "是否为“敖汉旗”"), ("城关区\t1", "2 个同名地区"),
            ("159999000000\t1", "不是下级盟市或旗县"), ("敖汉旗\t一万", "不是金额"), ("敖汉旗\t1.234", "小数超过两位"),
            ("敖汉旗\t0", "金额须大于 0"), ("敖汉旗", "不是金额"), ("红山区\t5\n红山区\t6", "与第 1 行重复"),
        ],
    )  # fmt: skip
    def test_every_mistake_is_told_at_its_row(self, line: str, problem: str):
        sheet = read_lines(pasted(f"{line}\n敖汉旗\t9" if "敖汉旗" not in line else line), KNOWN)
        assert any(problem in one.words and one.row for one in sheet.mistakes)

    def test_all_mistakes_come_at_once(self, county: World, as_: As):
        by = county.league_department.clerk
        sheet = read_lines(pasted("甲\t1\n敖汉旗\t乙\n红山区\t3"), KNOWN)
        with pytest.raises(AllocationWrong) as wrong, as_(by) as session:
            allocation_plans.draft(session, by=by, project_id=land(session), sheet=sheet,
                                   content=Content("", DOCUMENT, 12, 100))  # fmt: skip
        words = [one.words for one in wrong.value.fields["mistakes"]]
        assert [one[:5] for one in words[:2]] == ["第 1 行", "第 2 行"]
        assert len(words) == 4

    @pytest.mark.parametrize(
        ("lines", "total", "problem"),
        [
            ({COUNTY: 100}, 101, "少 0.01 元"), ({COUNTY: 102}, 101, "多 0.01 元"), ({}, 100, "至少填写一个地区"),
            ({OTHER_COUNTY: 100}, 100, "不是下级"), ({LEAGUE: 100}, 100, "不是下级"),
        ],
    )  # fmt: skip
    def test_the_sum_and_the_places_are_checked(
        self, county: World, as_: As, lines: dict[str, int], total: int, problem: str
    ):
        by = county.league_department.clerk
        with pytest.raises(AllocationWrong, match=problem), as_(by) as session:
            allocation_plans.draft(session, by=by, project_id=land(session), sheet=Sheet(lines),
                                   content=Content("方案", DOCUMENT, 2026, total))  # fmt: skip

    def test_a_league_and_its_county_are_not_named_together(self, county: World, as_: As):
        by = county.region_department.clerk
        with pytest.raises(AllocationWrong, match="请只列其一"), as_(by) as session:
            allocation_plans.draft(session, by=by, project_id=land(session), sheet=Sheet({LEAGUE: 1, COUNTY: 1}),
                                   content=Content("方案", DOCUMENT, 2026, 2))  # fmt: skip

    def test_the_template_is_read_back(self):
        book = openpyxl.load_workbook(BytesIO(allocation_sheets.template(KNOWN[:3], {COUNTY: 150})))
        book.active["C3"] = 2.5  # type: ignore[index]
        book.active["C4"] = "错"  # type: ignore[index]
        buffer = BytesIO()
        book.save(buffer)
        sheet = read_lines(allocation_sheets.of_workbook("方案.xlsx", buffer.getvalue()), KNOWN)
        assert sheet.amounts == {COUNTY: 150, "150402000000": 250}
        assert [one.row for one in sheet.mistakes] == [4]


class TestSteps:
    def test_the_clerk_drafts_the_reviewer_confirms_and_it_stands_for_ever(
        self, county: World, as_: As, plan: AllocationPlan
    ):
        confirmed(county, as_, plan)
        clerk = county.league_department.clerk
        with as_(clerk) as session:
            row = again(session, plan)
            assert (row.status, row.edition, row.line_count) == (AllocationStatus.CONFIRMED, 1, 2)
            assert row.issue_due_on is not None
            with pytest.raises(PlanFrozen):
                allocation_plans.amend(session, row, by=clerk, content=CONTENT, sheet=amounts())
        for change in (
            "update allocation_plans set total_fen = 1", "update allocation_plans set title = 'x'",
            "delete from allocation_lines", "update allocation_plans set status = 'draft'",
            "insert into allocation_lines (division_code, plan_id, target_code, target_name, amount_fen)"
            " select division_code, id, '150421000000', 'x', 1 from allocation_plans",
            "update allocation_lines set amount_fen = 1", "delete from allocation_plans",
        ):  # fmt: skip
            with pytest.raises(DBAPIError), as_(clerk) as session:
                session.execute(sa.text(change))

    def test_the_lines_of_what_is_submitted_add_up_to_its_total(self, county: World, as_: As, plan: AllocationPlan):
        clerk = county.league_department.clerk
        with pytest.raises(DBAPIError, match="合计与分配总额不符"), as_(clerk) as session:
            session.execute(sa.text("delete from allocation_lines where target_code = :one"), {"one": COUNTY})
            allocation_plans.submit(session, again(session, plan), by=clerk)

    def test_a_returned_plan_is_changed_and_comes_again(self, county: World, as_: As, plan: AllocationPlan):
        clerk, reviewer = county.league_department.clerk, county.league_department.reviewer
        with as_(clerk) as session:
            allocation_plans.submit(session, again(session, plan), by=clerk)
        with as_(reviewer) as session:
            allocation_plans.return_(session, again(session, plan), by=reviewer, reason="红山区应为 1500 元")
        with as_(clerk) as session:
            sheet = Sheet({COUNTY: 150_000, "150402000000": 150_000})
            allocation_plans.amend(session, again(session, plan), by=clerk, content=CONTENT, sheet=sheet)
        confirmed(county, as_, plan)
        with as_(clerk) as session:
            lines = session.exec(select(AllocationLine.amount_fen)).all()
            assert lines == [150_000, 150_000]

    def test_the_wrong_actor_is_refused(self, county: World, as_: As, plan: AllocationPlan, owner: Owner):
        for by in (county.department.clerk, county.league, county.league_department.reviewer, county.region):
            with pytest.raises(NotAllowed), as_(by) as session:
                allocation_plans.draft(session, by=by, project_id=1, content=CONTENT, sheet=amounts())
        clerk = county.league_department.clerk
        with as_(clerk) as session:
            allocation_plans.submit(session, again(session, plan), by=clerk)
        for by in (clerk, county.league_department.second_clerk, county.department.reviewer, county.league):
            with pytest.raises((NotAllowed, NotFound, SamePersonTwice)), as_(by) as session:
                allocation_plans.confirm(session, again(session, plan), by=by)
        for by in (county.region_department.reviewer,):
            with pytest.raises((OtherDivision, NotFound)), as_(by) as session:
                allocation_plans.confirm(session, again(session, plan), by=by)
        with owner() as session:
            other = session.exec(select(SubsidyProject).where(SubsidyProject.sector != "农牧")).first()
            assert other is not None
        with pytest.raises((NotFound, OtherSector)), as_(clerk) as session:
            allocation_plans.draft(session, by=clerk, project_id=key(other.id), content=CONTENT, sheet=amounts())

    def test_a_supplementary_plan_takes_the_place_of_the_former(self, county: World, as_: As, plan: AllocationPlan):
        clerk = county.league_department.clerk
        with pytest.raises(PlanOpen), as_(clerk) as session:
            allocation_plans.draft(session, by=clerk, project_id=land(session), content=CONTENT, sheet=amounts())
        confirmed(county, as_, plan)
        more = Content("补充方案", DOCUMENT, 2026, 500_000)
        with as_(clerk) as session:
            sheet = Sheet({COUNTY: 400_000, "150402000000": 100_000})
            second = allocation_plans.draft(session, by=clerk, project_id=land(session), content=more, sheet=sheet)
        confirmed(county, as_, second)
        with as_(clerk) as session:
            rows = session.exec(select(AllocationPlan).order_by(sa.text("id"))).all()
            assert [(row.edition, row.status) for row in rows] == [
                (1, AllocationStatus.SUPERSEDED), (2, AllocationStatus.CONFIRMED)
            ]  # fmt: skip
            compared = allocation_plans.compared(session, rows[1], by=clerk)
            assert {row.code: (row.former_fen, row.planned_fen) for row in compared} == {
                COUNTY: (200_000, 400_000), "150402000000": (100_000, 100_000),
            }  # fmt: skip


class TestCompared:
    def test_planned_issued_difference_and_late(self, county: World, as_: As, owner: Owner, plan: AllocationPlan):
        confirmed(county, as_, plan)
        with owner() as session:
            told = [item(county, "A", amount="1200.00", SUP_BGT_DOC_NO=DOCUMENT, DIS_AMT="200.00"),
                    item(county, "B", amount="500.00", SUP_BGT_DOC_NO=DOCUMENT),
                    item(county, "C", amount="99.00", SUP_BGT_DOC_NO="别的文号")]  # fmt: skip
            indicator_keeping.keep_items(session, told, county.code, by=SWEEP)
        by = county.league_department.reviewer
        with as_(by) as session:
            first, second = sorted(allocation_plans.compared(session, again(session, plan), by=by), key=lambda r: -r.planned_fen)  # fmt: skip  # noqa: E501
            assert (first.issued_fen, first.difference_fen, first.documents, first.late) == (170_000, -30_000, 2, False)
            assert (second.issued_fen, second.late) == (0, False)
        with owner() as session:
            weeks_later(session)
            assert now(session)
        with as_(by) as session:
            assert all(row.late for row in allocation_plans.compared(session, again(session, plan), by=by))

    def test_a_county_sees_its_own_share_of_what_was_confirmed(self, county: World, as_: As, plan: AllocationPlan):
        confirmed(county, as_, plan)
        for by, seen in ((county.department.clerk, [COUNTY]), (county.finance.clerk, [COUNTY])):
            with as_(by) as session:
                rows = allocation_plans.compared(session, again(session, plan), by=by)
                assert [row.code for row in rows] == seen
        with as_(county.civil_affairs.clerk) as session:
            assert session.exec(select(AllocationPlan)).all() == []
        with as_(county.other_county.department.clerk) as session:
            assert session.exec(select(AllocationPlan)).all() == []

    def test_the_region_allots_to_leagues(self, county: World, as_: As, owner: Owner):
        by = county.region_department.clerk
        with as_(by) as session:
            content = Content("自治区方案", "财农〔2026〕1号", 2026, 300)
            plan = allocation_plans.draft(session, by=by, project_id=land(session), content=content,
                                          sheet=Sheet({LEAGUE: 100, OTHER_LEAGUE: 200}))  # fmt: skip
        with owner() as session:
            got = item(county, "U", amount="1.00", MOF_DIV_CODE=LEAGUE[:9], SUP_BGT_DOC_NO="财农〔2026〕1号")
            indicator_keeping.keep_upstream(session, [got], LEAGUE, by=SWEEP)
        with as_(by) as session:
            rows = allocation_plans.compared(session, again(session, plan), by=by)
            assert [(row.code, row.difference_fen) for row in rows] == [(LEAGUE, 0), (OTHER_LEAGUE, -200)]
