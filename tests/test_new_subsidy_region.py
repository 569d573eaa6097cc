"""A subsidy that did not exist yesterday, from the region's 《申请表》 to the money and the bulletin: clicks only.

（第六条至第十条、第十五条至第二十条、第二十四条、第三十三条）
"""

import io
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import openpyxl
import pytest
from sqlmodel import select

from models.accounts import Account
from models.households import Member
from models.rosters import Roster
from tests.new_subsidy import BANNER, Stage, outside_of, people_of, staged, without_chromium
from tests.new_subsidy_catalogue import listed, mapped, notice_days, published
from tests.new_subsidy_forms import PDF, applied, flow_made, form_filled, mistakes_of
from tests.new_subsidy_payment import checked, explained, imported, ordered, reviewed, sent
from tests.world import World

if without_chromium():
    pytest.skip("没有找到 Chromium", allow_module_level=True)

CODE, NAME, FLOW = "X260001", "牧区饲草储备补贴", "NM26"
BUDGET = "牧区饲草储备补贴资金"
DOCUMENT = "呼财农指〔2026〕88号"
PEOPLE = ("乌云其木格", "包·乌日汗", "王秀兰")
TONS = ("12.345", "250", "8")
"""The second stores more than the 200 tons that are subsidised."""
PAID_YUAN = ("154.31", "2,500.00", "100.00")
PAID_FEN = 275_431


@pytest.fixture(scope="module")
def stage(server: str, keys: Path, world_template: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with staged(server, keys, world_template, tmp_path_factory.mktemp("region")) as made:
        yield made


class Story:
    """The county's people and what the outside knows about them; everything else is made by clicks."""

    def __init__(self, stage: Stage) -> None:
        self.stage, self.cast, self.banner = stage, stage.cast, stage.cast.banner
        self.year = stage.today().year
        with stage.owner() as session:
            self.people: list[Member] = people_of(session, self.banner.township, PEOPLE)
            self.cards = {card.member_id: card.number for card in session.exec(select(Account))}
            known = outside_of(session, self.people, BANNER)
        stage.boxes.police.add_world(known["police"])
        stage.boxes.bank.add_world(known["bank"])
        stage.boxes.budget.add_world([indicator(self.year)])


def indicator(year: int) -> dict[str, object]:
    """Return the county's indicator as the budget system has it."""
    return {
        "kind": "indicator", "BGT_ID": f"{BANNER[:6]}{year}{88:022d}", "MOF_DIV_CODE": BANNER[:9],
        "FISCAL_YEAR": year, "COR_BGT_DOC_NO": DOCUMENT, "BGT_DOC_TITLE": f"关于下达{BUDGET}预算的通知",
        "DOC_DATE": f"{year}-04-15", "BGT_DEC": BUDGET, "PRO_CODE": f"{BANNER[:6]}26{CODE:0>13}", "PRO_NAME": BUDGET,
        "HOT_TOPIC_CATE_NAME": "惠民惠农财政补贴资金", "AGENCY_CODE": "045001", "FUND_TYPE_CODE": "111",
        "EXP_FUNC_CODE": "2130135", "GOV_BGT_ECO_CODE": "50903", "DEP_BGT_ECO_CODE": "30310",
        "AMOUNT": "1000000.00", "DIS_AMT": "0.00", "CUR_AMT": "1000000.00", "PAY_APP_AMT": "0.00",
        "UPDATE_TIME": f"{year}-04-15 09:00:00", "IS_DELETED": "2",
    }  # fmt: skip


def flow_enabled(story: Story) -> None:
    """The region department adds a spot check and a countersignature, and enables them by a second person."""
    department, cast = story.cast.region_department, story.cast
    clerk, reviewer = story.stage.at(department.clerk), story.stage.at(department.reviewer)
    clerk.menu("发放管理流程")
    story.stage.only(clerk, "编制流程", department.reviewer, cast.region_finance.clerk, cast.league_department.clerk,
                     code="NM99", name="试", reason="试")  # fmt: skip
    page = flow_made(clerk, FLOW, "饲草储备补贴发放管理流程", {
        "department_clerk": [{"名称": "入户抽查", "方式": "抽查", "办理岗": "主管部门经办", "抽查笔数": "1"}],
        "finance_reviewer": [{"名称": "经办会签", "方式": "会签", "办理岗": "财政经办"}],
    })  # fmt: skip
    clerk.takes("提交审核")
    reviewer.page.goto(page)
    story.stage.only(reviewer, "审核启用", department.clerk, cast.league_department.reviewer)
    reviewer.takes("审核启用")
    assert "已启用" in reviewer.says()


FIELDS = (
    {"列名": "储草量", "代号": "tons", "类型": "小数", "单位": "吨", "必填": True, "最小值": "0", "最大值": "1000",
     "公示": "公开"},
    {"列名": "储草方式", "代号": "manner", "类型": "选项", "选项（顿号分隔）": "青贮、干草", "公示": "公开"},
    {"列名": "储草点", "代号": "place", "类型": "文字", "必填": True, "公示": "不公开", "构成字段": True},
)  # fmt: skip


def project_admitted(story: Story) -> None:
    """The region department fills in 《申请表》, region finance admits it; nobody else can. （第七条第二项）"""
    stage, cast = story.stage, story.cast
    department, finance = cast.region_department, cast.region_finance
    clerk = stage.at(department.clerk)
    clerk.menu("项目申请")
    stage.only(clerk, "申请新项目入库", department.reviewer, finance.clerk, cast.league_department.clerk,
               code="X260009", name="试试", policy_level="region", reason="试")  # fmt: skip
    page = applied(clerk, CODE, NAME, "自治区")
    answers = {
        "简称": "饲草储备补贴", "领域": "牧业", "直接兑付": "到户", "由政府预算安排": True,
        "发放管理流程": FLOW, "联系人": "李春", "联系电话": "0471-4300002", "申报指南": "向苏木乡镇提出，入户核实",
        "发放周期": "按年", "发放截止月": "12", "发放截止日": "31", "计量单位": "吨", "标准由谁制定": "自治区",
        "金额公式": "min(储草料, 200) * 补贴标准", "舍入": "按明细", "收款人": "本人或户主",
    }  # fmt: skip
    form_filled(clerk, answers, {
        "standards": [{"适用区划": "内蒙古自治区", "标准（元）": "12.5", "执行起": f"{story.year}-01-01",
                       "政策文件文号": "内农牧发〔2026〕60号"}],
        "fields": FIELDS,
        "exclusions": [{"项目编码": "2130135", "互斥对象": "同一构成", "依据": "同一储草点不重复补贴"}],
        "documents": [{"文号": "内农牧发〔2026〕60号", "文件名称": "饲草储备补贴方案", "发文机关": "自治区农牧厅",
                       "发文日期": f"{story.year}-01-10", "文件": ("方案.pdf", PDF)}],
    })  # fmt: skip
    wrong = mistakes_of(clerk)
    assert len(wrong) == 1 and "储草料" in wrong[0], wrong
    clerk.fills({"金额公式": "min(储草量, 200) * 补贴标准"}).sends("保存")
    assert mistakes_of(clerk) == []
    clerk.page.goto(page)
    clerk.takes("提交审签")
    for officer, step, others in (
        (department.reviewer, "审签", (department.clerk, finance.reviewer)),
        (finance.clerk, "初审", (finance.reviewer, department.reviewer, cast.league_finance.clerk)),
        (finance.reviewer, "办理生效", (finance.clerk, finance.second_clerk, department.reviewer)),
    ):
        actor = stage.at(officer)
        actor.page.goto(page)
        stage.only(actor, step, *others)
        actor.takes(step)
    assert "已生效" in stage.at(finance.reviewer).says()


def made_payable(story: Story) -> None:
    """Lists from the region down, the budget project, the notice period, what is published. （第六、八、十、十五条）"""
    stage, cast, banner, year = story.stage, story.cast, story.banner, story.year
    region, league = cast.region_finance, cast.league_finance
    published(stage, cast.region_department, NAME, region.clerk, region.reviewer, banner.township.clerk)
    listed(stage, region, NAME, year, cast.region_department.clerk, league.clerk)
    listed(stage, league, NAME, year, cast.league_department.clerk, region.clerk, banner.finance.clerk)
    listed(stage, banner.finance, NAME, year, banner.department.clerk, league.clerk, cast.city.finance.reviewer)
    mapped(stage, banner, NAME, BUDGET, DOCUMENT)
    notice_days(stage, banner, NAME, 5)


def roster_made(story: Story) -> str:
    """The township fills the project's own template, checks, and publishes what is public only. （第十五、十六条）"""
    stage, banner, township = story.stage, story.banner, story.banner.township
    clerk = stage.at(township.clerk)
    rows = [
        {"享受人": one.name, "享受人身份证号": one.id_number, "数量": float(tons), "储草量(吨)": float(tons),
         "储草方式": "青贮", "储草点": f"{place}号点", "补贴标准": 12.5, "补贴金额": float(yuan.replace(",", "")),
         "收款人姓名": one.name, "收款人身份证号": one.id_number, "银行账号": story.cards[one.id]}
        for place, (one, tons, yuan) in enumerate(zip(story.people, TONS, PAID_YUAN, strict=True), 1)
    ]  # fmt: skip
    roster = imported(stage, clerk, NAME, rows, story.year)
    checked(stage, clerk)
    stage.only(clerk, "公示", banner.second_township.clerk, township.head, banner.department.clerk, mode="online")
    clerk.takes("公示", {"公示方式": "阳光申报"})
    clerk.tab("公示").clicks("公示内容")
    shown = clerk.says()
    assert "储草量" in shown and "12.345" in shown and "青贮" in shown
    assert not any(secret in shown for secret in ("储草点", "1号点", PEOPLE[0], story.people[0].id_number))
    return roster


def endorsed_and_reported(story: Story, roster: str) -> None:
    """The head endorses after the notice, the clerk reports. （第三十一条、第十六条第三项）"""
    stage, township = story.stage, story.banner.township
    stage.pass_days(6)
    head, clerk = stage.at(township.head), stage.at(township.clerk)
    head.page.goto(roster)
    stage.only(head, "负责人审核", township.clerk, story.banner.second_township.head, attested="yes")
    head.takes("负责人审核", {"本人确认": True})
    clerk.page.goto(roster)
    explained(clerk)
    clerk.takes("上报")


@pytest.mark.timeout(600)
def test_a_subsidy_of_the_region_goes_from_its_form_to_the_money_by_clicks_alone(stage: Stage):
    story = Story(stage)
    flow_enabled(story)
    project_admitted(story)
    made_payable(story)
    roster = roster_made(story)
    endorsed_and_reported(story, roster)
    reviewed(stage, story.banner, roster, {
        "主管部门初审": ("入户抽查", story.banner.department.clerk),
        "财政终审通过": ("经办会签", story.banner.finance.second_clerk),
    })  # fmt: skip
    sent(stage, story.banner, ordered(stage, story.banner, roster))
    clerk = stage.at(story.banner.township.clerk)
    clerk.page.goto(roster)
    stage.waits(clerk, "发放完毕")
    in_the_bulletin(story)


def in_the_bulletin(story: Story) -> None:
    """The region's periodic bulletin holds the project with what was paid. （第三十三条）"""
    stage = story.stage
    region = stage.at(story.cast.region_finance.clerk)
    region.menu("通报").clicks("生成通报").fills({
        "通报种类": "发放情况通报", "期间起": date(story.year, 1, 1).isoformat(), "期间止": stage.today().isoformat(),
    }).sends("生成通报")  # fmt: skip
    with stage.owner() as session:
        assert session.exec(select(Roster)).one().paid_fen == PAID_FEN
    assert f"{PAID_FEN / 100:,.2f}" in region.says()
    book = openpyxl.load_workbook(io.BytesIO(region.downloads("下载文件")), data_only=True)
    [row] = [row for row in book["项目明细"].iter_rows(values_only=True) if NAME in row]
    assert CODE in row and PAID_FEN / 100 in row, row
