"""The way of a roster in the stories of a new subsidy: from its own template to the last payment, by clicks."""

import io
from collections.abc import Mapping, Sequence
from typing import Any

import openpyxl

from models.officers import ActingOfficer
from tests.new_subsidy import Actor, Stage
from tests.world import PASSWORD, County

Row = Mapping[str, Any]


def filled(template: bytes, rows: Sequence[Row]) -> bytes:
    """Fill the project's template: each row under the headers that it names."""
    book = openpyxl.load_workbook(io.BytesIO(template))
    sheet = book.worksheets[0]
    heads = {
        str(cell.value).strip("*"): cell
        for line in sheet.iter_rows(max_row=8)
        for cell in line
        if cell.value is not None
    }
    missing = {name for row in rows for name in row} - set(heads)
    assert not missing, f"the template lacks {missing}: it has {sorted(heads)}"
    first = sheet.max_row + 1
    for place, row in enumerate(rows):
        for name, value in row.items():
            sheet.cell(first + place, heads[name].column, value)
    buffer = io.BytesIO()
    book.save(buffer)
    return buffer.getvalue()


def imported(stage: Stage, clerk: Actor, project: str, rows: Sequence[Row], year: int) -> str:
    """Download the template, fill it, import it; return the roster's page. （第十六条）"""
    clerk.finds("补贴项目", project)
    workbook = filled(clerk.downloads("下载清册模板"), rows)
    clerk.menu("清册导入").clicks("导入清册").fills(
        {
            "补贴项目": project, "补贴所属期": f"{year}年", "所属期起": f"{year}-01-01", "所属期止": f"{year}-12-31",
            "清册文件": ("清册.xlsx", workbook),
        }
    ).sends("导入清册")  # fmt: skip
    stage.waits(clerk, "打开清册", "整份未导入")
    assert "整份未导入" not in clerk.says(), clerk.says()
    clerk.clicks("打开清册")
    return clerk.page.url.split("?")[0]


def checked(stage: Stage, clerk: Actor) -> None:
    """Check the open roster at police, bank and rules. （第十六条第一、二项）"""
    page = clerk.page.url.split("?")[0]
    clerk.takes("核查")
    stage.settled(clerk)
    clerk.page.goto(page)


def explained(actor: Actor) -> None:
    """Give words to every yellow and blue light of the open roster. （第十八条）"""
    page = actor.page.url.split("?")[0]
    actor.tab("预警")
    while actor.button("按规则说明预警").count():
        actor.clicks("按规则说明预警")
        choice = actor.page.locator("main select[name=rule_code]")
        values = [one for one in choice.evaluate("e => Array.from(e.options).map(o => o.value)") if one]
        choice.select_option(value=values[0])
        actor.fills({"说明": "已逐户核对资料，情况属实"}).sends("按规则说明预警")
        actor.page.goto(f"{page}?tab=roster_warnings")
    actor.page.goto(page)


Substeps = Mapping[str, tuple[str, ActingOfficer]]
"""What the project's flow adds before a step, and who takes it."""


def reviewed(stage: Stage, county: County, roster: str, substeps: Substeps) -> None:
    """Department and finance, clerk and reviewer; nobody else may, at any of the four desks. （第十七、二十三条）"""
    department, finance, township = county.department, county.finance, county.township
    for officer, step, others in (
        (department.clerk, "主管部门初审", (township.clerk, county.civil_affairs.clerk, department.reviewer)),
        (department.reviewer, "主管部门审核通过", (department.second_clerk, finance.reviewer)),
        (finance.clerk, "财政初审", (department.clerk, stage.cast.region_finance.clerk)),
        (finance.reviewer, "财政终审通过", (finance.second_clerk, stage.cast.league_finance.reviewer)),
    ):
        actor = stage.at(officer)
        if step in substeps:
            added, taker = substeps[step]
            extra = stage.at(taker)
            extra.page.goto(roster)
            stage.only(extra, added, township.clerk, stage.cast.league_department.clerk, note="无")
            extra.clicks(added).fills({"意见": "已逐户核查，属实"}).sends("办理流程子环节")
        actor.page.goto(roster)
        stage.only(actor, step, *others)
        explained(actor)
        actor.takes(step)


def ordered(stage: Stage, county: County, roster: str) -> str:
    """Draft the order and release it with the password; return its number. （第十九条）"""
    clerk, reviewer = stage.at(county.department.clerk), stage.at(county.department.reviewer)
    clerk.page.goto(roster)
    stage.only(clerk, "生成资金支付单", county.township.clerk, county.department.reviewer, county.finance.clerk)
    clerk.takes("生成资金支付单")
    reviewer.opens("资金支付单")
    stage.only(reviewer, "复核支付单", county.department.clerk, county.finance.reviewer, password=PASSWORD)
    order = reviewer.page.url
    reviewer.clicks("复核支付单").fills({"登录口令": PASSWORD}).sends("复核支付单")
    stage.waits(reviewer, "拨付成功")
    return order


def sent(stage: Stage, county: County, order: str) -> None:
    """Prepare the bank batch, release it with the password, await the bank's results. （第二十条）"""
    clerk, reviewer = stage.at(county.finance.clerk), stage.at(county.finance.reviewer)
    clerk.page.goto(order)
    stage.waits(clerk, "生成代发批次")
    stage.only(clerk, "生成代发批次", county.department.clerk, county.finance.reviewer)
    clerk.takes("生成代发批次")
    reviewer.opens("代发批次")
    stage.only(reviewer, "复核发送", county.finance.clerk, county.department.reviewer, password=PASSWORD)
    reviewer.clicks("复核发送").fills({"登录口令": PASSWORD}).sends("复核发送")
    stage.waits(reviewer, "结果已返回", "已办结")
