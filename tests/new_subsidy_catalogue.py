"""What makes a project payable, by clicks: lists of each level, notice periods, the budget project, its indicator."""

from models.officers import ActingOfficer
from tests.new_subsidy import Actor, Stage
from tests.world import County, Office


def listed(stage: Stage, office: Office, project: str, year: int, *others: ActingOfficer) -> None:
    """Bring a supplementary list with the project into force: drafted by the clerk, published by the reviewer.

    others: who may do neither, for they sit elsewhere. （第六条、第七条第一项、第二十三条）
    """
    clerk, reviewer = stage.at(office.clerk), stage.at(office.reviewer)
    _own_list(stage, clerk, year, "已发布")
    stage.only(clerk, "编制补充清单", office.reviewer, *others, note="试")
    clerk.takes("编制补充清单", {"编制说明": f"应纳速纳：{project}"})
    _own_list(stage, clerk, year, "编制中")
    clerk.clicks("选择项目")
    clerk.fills({"项目名称或编码": project}).clicks("筛选")
    clerk.fills({f"选择 {project}": True}).clicks("保存本页勾选")
    clerk.accepted()
    clerk.clicks("选好了，返回清单提交")
    stage.only(clerk, "提交发布", office.reviewer, *others)
    clerk.takes("提交发布")
    _own_list(stage, reviewer, year, "待发布")
    stage.only(reviewer, "发布", office.clerk, *others)
    reviewer.takes("发布")
    assert "已发布" in reviewer.says()
    assert project in reviewer.tab("清单项目").says()


def _own_list(stage: Stage, actor: Actor, year: int, status: str) -> None:
    """Open the newest list of the officer's own division in a status."""
    actor.whole("项目清单")
    place = stage.place(actor.officer.division_code)
    rows = actor.page.locator("main tbody tr", has_text=f"{place}{year}年度").filter(has_text=status)
    rows.first.locator("td a").first.click()
    actor.arrived()


def mapped(stage: Stage, county: County, project: str, pro_name: str, document: str) -> None:
    """Download the indicator, map its budget project to the subsidy; the department is told at once. （第十条）"""
    clerk, department = stage.at(county.finance.clerk), stage.at(county.department.clerk)
    others = (county.department.clerk, county.township.clerk, stage.cast.league_finance.clerk)
    clerk.menu("预算指标")
    stage.only(clerk, "下载指标", county.department.clerk, county.township.clerk)
    clerk.takes("下载指标")
    stage.settled(clerk)
    clerk.whole("预算指标")
    stage.waits(clerk, document)
    clerk.menu("未对应预算项目")
    clerk.fills({f"{pro_name} 对应的补贴项目": project})
    stage.only(clerk, "对应", *others, pro_code="150726260000000000001", project="1")
    row = clerk.page.locator("main tbody tr", has_text=pro_name)
    row.get_by_role("button", name="对应", exact=True).click()
    clerk.arrived().accepted()
    department.whole("预算指标")
    department.page.locator("main tbody tr", has_text=document).first.locator("td a").first.click()
    department.arrived().takes("接收通知", {"接收说明": "已通知苏木乡镇造册"})


def notice_days(stage: Stage, county: County, project: str, days: int) -> None:
    """Let the county's department set how long the project's notices hang. （第十五条）"""
    clerk = stage.at(county.department.clerk)
    clerk.menu("公示期").fills({"项目名称或编码": project}).clicks("筛选")
    others = (
        county.department.reviewer,
        county.finance.clerk,
        county.township.clerk,
        stage.cast.league_department.clerk,
    )
    stage.only(clerk, "设定所选项目", *others, days=str(days), stage="roster", ids="1")
    clerk.fills({"公示天数": days, f"选择 {project}": True}).clicks("设定所选项目").accepted()
    assert f"{days} 天" in clerk.says()


def published(stage: Stage, office: Office, project: str, *others: ActingOfficer) -> None:
    """Publish the project's policy: prepared by the clerk, published by the reviewer. （第八条）"""
    clerk, reviewer = stage.at(office.clerk), stage.at(office.reviewer)
    clerk.menu("公开内容")
    stage.only(clerk, "拟稿公开政策、标准", office.reviewer, *others)
    clerk.takes("拟稿公开政策、标准", {"类别": "补贴政策", "补贴项目": project})
    page = clerk.page.url.split("?")[0]
    clerk.takes("提交发布")
    reviewer.page.goto(page)
    stage.only(reviewer, "发布", office.clerk, *others)
    reviewer.takes("发布")
    assert "部门公开中" in reviewer.says()
