"""An application by clicks alone: entered, decided, on notice, on the register, rostered. （第十三至十六条）"""

import os
from pathlib import Path

import pytest
import sqlalchemy as sa
from playwright.sync_api import Browser, Page, expect
from sqlmodel import Session, select

from models.applications import Application, QualificationNotice
from models.households import Member
from models.officers import ActingOfficer
from models.qualifications import Qualification, RosterGeneration
from tests.applying import a_notice_period, over
from tests.conftest import Owner
from tests.console import ConsoleServer
from tests.factories import World, a_member, a_project, an_account
from tests.test_browser import SIZES, opened, require_sound
from workflows import roster_generation

SHOTS = os.environ.get("SHOTS", "")
FIELDS = {
    "type": "object",
    "properties": {
        "plot": {"type": "string", "title": "地块编号", "description": "承包合同上的地块编号"},
        "grade": {"type": "string", "title": "耕地等级", "enum": ["一等", "二等", "三等"]},
        "irrigated": {"type": "boolean", "title": "水浇地"},
        "sown_on": {"type": "string", "format": "date", "title": "播种日期"},
    },
    "required": ["plot", "grade"],
}


@pytest.fixture
def person(county: World, owner: Owner) -> Member:
    """Somebody of the township with a card; the project asks for fields of its own."""
    with owner() as session:
        project = a_project(session, county)
        session.execute(sa.text("set local session_replication_role = replica"))
        project.definition = {
            **project.definition, "fields": FIELDS, "component": ["plot"], "guide": "持承包合同到苏木乡镇窗口申报。",
            "eligibility": "拥有耕地承包权的种地农民", "contact": "王主任", "telephone": "0476-4300000",
        }  # fmt: skip
        session.execute(
            sa.text("update project_versions set definition = :d where project_id = :p").bindparams(
                sa.bindparam("d", project.definition, sa.JSON), p=project.id
            )
        )
        session.flush()
        session.execute(sa.text("set local session_replication_role = origin"))
        a_notice_period(session, county, project)
        member = a_member(session, county)
        an_account(session, member)
        return member


class Walk:
    """One officer's browser at one size; with SHOTS it leaves pictures behind."""

    def __init__(self, browser: Browser, console: ConsoleServer, officer: ActingOfficer, size: tuple[int, int]):
        self.console, self.size = console, size
        self.page: Page = opened(browser, console, officer, size)

    def to(self, path: str) -> Page:
        self.page.goto(f"{self.console.url}/console/{path}")
        return self.page

    def seen(self, name: str) -> None:
        require_sound(self.page)
        if SHOTS:
            self.page.screenshot(path=str(Path(SHOTS) / f"{name}-{self.size[0]}.png"), full_page=True)

    def press(self, name: str, exact: bool = True) -> None:
        self.page.get_by_role("button", name=name, exact=exact).first.click()

    def follow(self, name: str) -> None:
        self.page.get_by_role("link", name=name, exact=True).first.click()


def step(walk: Walk, application: int, label: str, **answers: str) -> None:
    """Take one step by its button and confirm page."""
    walk.to(f"application/details/{application}")
    walk.follow(label)
    for name, text in answers.items():
        walk.page.locator(f"[name={name}]").fill(text)
    walk.press(label)
    expect(walk.page.get_by_text(f"已办理：{label}")).to_be_visible()


def begin_entry(window: Walk) -> None:
    """Open the form of the project's application."""
    window.to("application/list")
    window.follow("受理申请")
    window.page.locator("[name=project]").select_option("2130122")
    window.press("受理申请")
    window.seen("application-entry")


def enter(window: Walk, person: Member) -> None:
    """Fill the form, first with a mistake."""
    window.page.locator("[name=id_number]").fill(person.id_number)
    window.page.locator("[name=quantity]").fill("12.5")
    window.page.locator("[name=x_plot]").fill("150430195501011234")
    window.page.locator("[name=x_grade]").select_option("二等")
    window.press("提交申请")
    expect(window.page.get_by_role("alert")).to_contain_text("地块编号")
    window.seen("application-mistake")
    window.page.locator("[name=x_plot]").fill("A-07")
    window.page.locator("[name=x_irrigated]").select_option("true")
    window.press("提交申请")
    expect(window.page.get_by_text("已办理：受理申请")).to_be_visible()
    window.seen("application-entered")
    assert person.id_number not in window.page.content()


def publish(clerk: Walk, owner: Owner) -> QualificationNotice:
    """Publish all that is approved; receive an objection and answer it."""
    clerk.to("application/list")
    clerk.seen("application-list")
    clerk.follow("整批公示")
    clerk.press("整批公示")
    clerk.seen("qualification-notice")
    with owner() as session:
        notice = session.exec(select(QualificationNotice)).one()
    clerk.to(f"qualification-notice/details/{notice.id}?tab=qualification_objections")
    clerk.follow("登记异议")
    clerk.page.locator("[name=text]").fill("名单公示不完整")
    clerk.press("登记异议")
    clerk.to(f"qualification-notice/details/{notice.id}?tab=qualification_objections")
    clerk.follow("处理")
    clerk.page.locator("[name=answer]").fill("已核实，名单完整")
    clerk.press("处理")
    return notice


def generate(window: Walk, year: int) -> None:
    """Start to make the roster of a year."""
    window.to("roster-generation/list")
    window.follow("由资格名册造册")
    window.seen("generation-form")
    window.page.locator("[name=project]").select_option("2130122")
    for name, text in (("period", f"{year}年"), ("period_start", f"{year}-01-01"), ("period_end", f"{year}-12-31")):
        window.page.locator(f"[name={name}]").fill(text)
    window.press("由资格名册造册")


def test_from_the_window_to_the_roster_by_clicks_alone(
    browser: Browser, console: ConsoleServer, county: World, owner: Owner, person: Member
):
    desks = {
        name: Walk(browser, console, officer, SIZES[0])
        for name, officer in (
            ("window", county.township.clerk), ("head", county.township.head), ("clerk", county.department.clerk),
            ("reviewer", county.department.reviewer),
        )
    }  # fmt: skip
    window, clerk = desks["window"], desks["clerk"]
    begin_entry(window)
    enter(window, person)
    with owner() as session:
        application = session.exec(select(Application)).one()
    number = application.id or 0
    step(desks["head"], number, "负责人审核")
    step(desks["clerk"], number, "退回", reason="请补正面积")
    window.to(f"application/details/{number}")
    window.seen("application-returned")
    window.follow("补正申请内容")
    window.seen("application-amend")
    window.page.locator("[name=quantity]").fill("12")
    window.press("保存补正内容")
    step(window, number, "再次提交")
    step(desks["head"], number, "负责人审核")
    step(desks["clerk"], number, "初审通过")
    step(desks["reviewer"], number, "批准")

    notice = publish(clerk, owner)
    clerk.to(f"application/details/{number}")
    with owner() as session:
        over(session, session.get_one(Application, number))
    clerk.to(f"qualification-notice/details/{notice.id}")
    clerk.follow("公示期满，列入资格名册")
    clerk.press("公示期满，列入资格名册")
    clerk.to("qualification/list")
    clerk.seen("qualification-list")
    with owner() as session:
        held = session.exec(select(Qualification)).one()
    clerk.to(f"qualification/details/{held.id}")
    clerk.seen("qualification")

    generate(window, held.valid_from.year)
    _run(owner, county)
    with owner() as session:
        record = session.exec(select(RosterGeneration)).one()
        assert (record.line_count, record.amount_fen) == (1, 18_000)
    window.to(f"roster-generation/details/{record.id}")
    window.seen("generation")
    window.follow("打开清册")
    expect(window.page.get_by_role("heading", name="发放清册")).to_be_visible()
    small = Walk(browser, console, county.township.clerk, SIZES[1])
    begin_entry(small)
    for path in (
        f"application/details/{number}", "application/list?tab=all", f"qualification-notice/details/{notice.id}",
        f"qualification/details/{held.id}", f"roster-generation/details/{record.id}",
    ):  # fmt: skip
        small.to(path)
        small.seen(path.split("/", maxsplit=1)[0] + "-small")


def _run(owner: Owner, county: World) -> None:
    with owner() as session:
        record = session.exec(select(RosterGeneration)).one()
        job = roster_generation.job_of(session, record)
        assert job is not None
        number, post = job.id or 0, county.township.clerk.post_id
    roster_generation.run(number, post)


def test_whoever_may_not_enter_finds_no_way_to(
    browser: Browser, console: ConsoleServer, county: World, owner: Owner, person: Member
):
    walk = Walk(browser, console, county.finance.clerk, SIZES[0])
    page = walk.to("application/list")
    assert page.get_by_role("link", name="受理申请").count() == 0
    answer = page.request.get(f"{console.url}/console/application-entry/1")
    assert answer.status == 403
    other: Session
    with owner() as other:
        assert other.exec(select(Application)).all() == []
