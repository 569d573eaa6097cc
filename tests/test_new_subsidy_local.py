"""A county's own subsidy by 7(三): county department with county finance, the league verifies, the region files it.

满洲里 goes the same way without the league's finance, and selects from the region's list directly. （第六、七条）
"""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlmodel import select

from models.accounts import Account
from tests.new_subsidy import BANNER, CITY, Actor, Stage, outside_of, people_of, staged, without_chromium
from tests.new_subsidy_catalogue import listed
from tests.new_subsidy_forms import PDF, applied, form_filled, mistakes_of
from tests.new_subsidy_payment import imported
from tests.world import County, World

if without_chromium():
    pytest.skip("没有找到 Chromium", allow_module_level=True)

NAME = {BANNER: "左旗牧民冬储草补贴", CITY: "满洲里边境牧户补贴"}
CODE = {BANNER: "X260726", CITY: "X260781"}
JOINT = "联合行文〔2026〕7号"


@pytest.fixture(scope="module")
def stage(server: str, keys: Path, world_template: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with staged(server, keys, world_template, tmp_path_factory.mktemp("local")) as made:
        yield made


def signed(stage: Stage, county: County) -> str:
    """The county department fills in the form and signs it; county finance joins by a joint document."""
    department, finance = county.department, county.finance
    clerk = stage.at(department.clerk)
    clerk.menu("项目申请")
    stage.only(clerk, "申请新项目入库", department.reviewer, finance.clerk, stage.cast.league_department.clerk,
               code="X260999", name="试试", policy_level="county", reason="试")  # fmt: skip
    page = applied(clerk, CODE[county.code], NAME[county.code], "旗县")
    year, place = stage.today().year, stage.place(county.code)
    answers = {
        "由政府预算安排": True, "直接兑付": "到户", "联系人": "王明", "联系电话": "0470-6600001",
        "申报指南": "向苏木乡镇提出", "发放周期": "按年", "发放截止月": "12", "发放截止日": "31", "计量单位": "户",
        "标准由谁制定": "旗县", "金额公式": "数量 * 补贴标准", "舍入": "按明细", "收款人": "本人或户主",
    }  # fmt: skip
    form_filled(clerk, answers, {
        "standards": [{"适用区划": place, "标准（元）": "800", "执行起": f"{year}-01-01", "政策文件文号": JOINT}],
        "documents": [{"文号": JOINT, "文件名称": "补贴实施细则", "发文机关": f"{place}人民政府",
                       "发文日期": f"{year}-01-10", "文件": ("细则.pdf", PDF)}],
    })  # fmt: skip
    assert mistakes_of(clerk) == []
    clerk.page.goto(page)
    clerk.takes("提交审签")
    _steps(stage, page, ((department.reviewer, "审签", (department.clerk, finance.reviewer), {}),))
    joiner = stage.at(finance.reviewer)
    joiner.page.goto(page)
    stage.only(joiner, "联合行文", finance.clerk, department.reviewer, stage.cast.league_finance.reviewer,
               joint_document=JOINT)  # fmt: skip
    joiner.clicks("联合行文").fills({"联合行文文号": JOINT, "文件 1": ("联合行文.pdf", PDF)}).sends("联合行文")
    return page


def _steps(stage: Stage, page: str, steps: tuple) -> Actor:
    """Take steps one after the other, each by its officer alone."""
    for officer, step, others, answers in steps:
        actor = stage.at(officer)
        actor.page.goto(page)
        stage.only(actor, step, *others)
        actor.takes(step, answers)
    return actor


def filed(stage: Stage, page: str) -> None:
    """The region's finance department files what the league has verified: 备案, by clerk and reviewer."""
    region = stage.cast.region_finance
    last = _steps(stage, page, (
        (region.clerk, "初审", (region.reviewer, stage.cast.region_department.reviewer), {}),
        (region.reviewer, "备案", (region.clerk, stage.cast.league_finance.reviewer), {}),
    ))  # fmt: skip
    assert "已生效" in last.says()


def drafted(stage: Stage, county: County) -> None:
    """The township makes the first roster of the new project from its own template. （第十六条）"""
    with stage.owner() as session:
        [person] = people_of(session, county.township, ("其其格",))
        known = outside_of(session, [person], county.code)
        card = session.exec(select(Account).where(Account.member_id == person.id)).one().number
    stage.boxes.police.add_world(known["police"])
    stage.boxes.bank.add_world(known["bank"])
    row = {"享受人": person.name, "享受人身份证号": person.id_number, "数量": 1, "补贴标准": 800, "补贴金额": 800,
           "收款人姓名": person.name, "收款人身份证号": person.id_number, "银行账号": card}  # fmt: skip
    clerk = stage.at(county.township.clerk)
    imported(stage, clerk, NAME[county.code], [row], stage.today().year)
    assert "800.00" in clerk.says() and "待公示" in clerk.says()


@pytest.mark.timeout(600)
def test_a_county_goes_by_its_league_and_is_filed_by_the_region(stage: Stage):
    cast, banner = stage.cast, stage.cast.banner
    page = signed(stage, banner)
    department, finance = cast.league_department.reviewer, cast.league_finance.reviewer
    _steps(stage, page, (
        (department, "核验", (cast.league_department.clerk, finance, banner.department.reviewer), {}),
        (finance, "核验", (cast.league_finance.clerk, cast.region_finance.reviewer), {}),
    ))  # fmt: skip
    filed(stage, page)
    listed(stage, banner.finance, NAME[BANNER], stage.today().year, banner.department.clerk, cast.league_finance.clerk)
    drafted(stage, banner)


@pytest.mark.timeout(600)
def test_manzhouli_goes_without_the_leagues_finance_and_lists_by_itself(stage: Stage):
    cast, city = stage.cast, stage.cast.city
    page = signed(stage, city)
    league = cast.league_finance.reviewer
    verified = _steps(
        stage, page, ((cast.league_department.reviewer, "核验", (league, cast.league_finance.clerk), {}),)
    )
    assert "待财政厅备案初审" in verified.says()
    assert stage.client(league).get(page).status_code == 404, "the league's finance doesn't even see it"
    filed(stage, page)
    listed(stage, city.finance, NAME[CITY], stage.today().year, city.department.clerk, league)
    drafted(stage, city)
