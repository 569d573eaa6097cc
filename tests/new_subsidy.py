"""The stage of the stories of a new subsidy: actors of 呼伦贝尔市 and above it, their browsers, the outside, a worker.

Every business act is a click or a key in the console, as the officer whose post it is. What is set up here is what
stood before: offices, people and their cards, the lists of the years, what the budget system holds.
"""

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from pathlib import Path
from time import monotonic, sleep
from typing import Any
from urllib.parse import parse_qs, urljoin, urlsplit

import httpx
from playwright.sync_api import Browser, BrowserContext, Locator, Page, sync_playwright
from sqlmodel import select

from integrations.sandbox.launch import ROOT, Sandboxes
from models.accounts import Account
from models.database import forget_engines
from models.divisions import Division
from models.households import Member
from models.officers import ActingOfficer
from models.organisations import OrganisationKind
from models.payment_orders import AgentAccount, AgentBank
from models.settings import settings
from policies.clock import ZONE, advance, now, today
from policies.working_days import next_working_day
from tests.conftest import CHROMIUM, FLAGS, NUMBERS, WORLD, address, owner_session, point_at, statement
from tests.console import COOKIE, ConsoleServer, open_session, running, token_of
from tests.factories import a_household, a_member, an_account, an_agent_account
from tests.money import sandboxes_in
from tests.world import PASSWORD, County, Office, World, _county, _staffed, listed_years
from workflows.list_adoption import adopt_lists
from workflows.sessions import hasher

LEAGUE, BANNER, CITY = "150700000000", "150726000000", "150781000000"
"""呼伦贝尔市; 新巴尔虎左旗, a county like others; 满洲里市, whose finance belongs to the region directly."""
BANNER_TOWNSHIPS = ("150726102000", "150726202000")
CITY_TOWNSHIPS = ("150781001000", "150781002000")
PATIENCE_S = 60.0
NOBODYS: Any = None
"""The factories' world, where the place is given."""
REFUSED = (400, 403, 404, 409)


@dataclass(frozen=True)
class Cast:
    """Who acts."""

    region_finance: Office
    region_department: Office
    league_finance: Office
    league_department: Office
    banner: County
    city: County


class Actor:
    """An officer at a browser of their own."""

    def __init__(self, stage: "Stage", officer: ActingOfficer) -> None:
        self.stage, self.officer = stage, officer
        self.context: BrowserContext = stage.browser.new_context(
            viewport={"width": 1440, "height": 900}, locale="zh-CN", accept_downloads=True
        )
        self.context.add_cookies([{"name": COOKIE, "value": open_session(officer), "url": stage.console.url}])
        self.page: Page = self.context.new_page()
        self.page.set_default_timeout(30_000)
        self.page.goto(f"{stage.console.url}/console/")

    def menu(self, title: str) -> "Actor":
        """Click an entry of the menu."""
        self.page.locator("nav.side").get_by_role("link", name=title, exact=False).first.click()
        return self.arrived()

    def tab(self, title: str) -> "Actor":
        """Click a tab of the page."""
        self.page.locator("main nav.tabs").get_by_role("link", name=title).first.click()
        return self.arrived()

    def whole(self, title: str) -> "Actor":
        """Go by the menu to a list, to all of it rather than to one's own work."""
        self.menu(title)
        everything = self.page.locator("main nav.tabs").get_by_role("link", name="全部", exact=True)
        if everything.count():
            everything.first.click()
            self.arrived()
        return self

    def opens(self, *menu: str, row: str = "") -> "Actor":
        """Go by the menu to a list, to all of it, and open the row that says so (the first one)."""
        for title in menu:
            self.whole(title)
        self.page.locator("main tbody tr", has_text=row).first.locator("td a").first.click()
        return self.arrived()

    def finds(self, title: str, text: str) -> "Actor":
        """Search a list of the menu and open the first row that says so."""
        self.menu(title).fills({"搜索": text}).clicks("搜索")
        self.page.locator("main tbody tr", has_text=text).first.locator("td a").first.click()
        return self.arrived()

    def button(self, name: str) -> Locator:
        """Return the button of the page's body that bears this name, be it unfolded or not."""
        found = self.page.locator("main a.btn, main .more-list a, main td.act a, main button")
        return found.filter(has_text=re.compile(rf"^\s*{re.escape(name)}\s*$"))

    def clicks(self, name: str) -> "Actor":
        """Click what bears this name; what stands in a menu of the head is unfolded first."""
        target = self.button(name).first
        if target.count() and not target.is_visible():
            self.page.locator("details", has=target).locator("summary").last.click()
        target.click()
        return self.arrived()

    def fills(self, answers: Mapping[str, Any]) -> "Actor":
        """Fill fields by their labels: text, choice, tick or file, as the field is."""
        for label, value in answers.items():
            self.fill(self.page.locator("main").get_by_label(label, exact=False).first, value)
        return self

    def fill(self, field: Locator, value: Any) -> None:
        """Fill one field as its kind wants: text, choice, tick or file."""
        kind = field.evaluate("e => e.tagName === 'INPUT' ? e.type : e.tagName.toLowerCase()")
        if kind == "select":
            options = field.evaluate("e => Array.from(e.options).map(o => [o.value, o.label])")
            wanted = next(known for known, label in options if str(value) in (known, label) or str(value) in label)
            field.select_option(value=wanted)
        elif kind in ("checkbox", "radio"):
            field.set_checked(bool(value))
        elif kind == "file":
            name, content = value
            field.set_input_files({"name": name, "mimeType": "application/octet-stream", "buffer": content})
        else:
            field.fill(str(value))

    def sends(self, name: str) -> "Actor":
        """Press the form's button; the answer must be no refusal."""
        main = self.page.locator("main")
        main.get_by_role("button", name=name, exact=True).last.click()
        self.arrived()
        self.accepted()
        return self

    def accepted(self) -> None:
        """Hold that the page tells of no refusal."""
        alert = self.page.locator("main [role=alert], main .refusal")
        told = alert.first.inner_text() if alert.count() else ""
        assert not told, f"{self.officer.post}: {self.page.url}: {told}"
        assert "未办理 1" not in self.page.locator("main").inner_text(), self.page.url

    def takes(self, step: str, answers: Mapping[str, Any] | None = None) -> "Actor":
        """Take a step of the record that is open: its button, the confirm page, its form."""
        return self.clicks(step).fills(answers or {}).sends(step)

    def says(self) -> str:
        """Return what the page's body says."""
        return self.page.locator("main").inner_text()

    def downloads(self, name: str) -> bytes:
        """Click a download and return its content."""
        with self.page.expect_download() as coming:
            self.button(name).first.click()
        return Path(coming.value.path()).read_bytes()

    def arrived(self) -> "Actor":
        """Wait for the page; none of the story's clicks may lead into nothing."""
        self.page.wait_for_load_state("load")
        heading = self.page.locator("h1").first
        if heading.count() and heading.inner_text() in ("系统出错", "没有找到", "请求有误"):
            raise AssertionError(f"{self.officer.post}: {self.page.url}: {self.says()}")
        return self


class Stage:
    """Everything that stands before the first chapter."""

    def __init__(self, database: str, boxes: Sandboxes, console: ConsoleServer, browser: Browser, cast: Cast) -> None:
        self.database, self.boxes, self.console, self.browser, self.cast = database, boxes, console, browser, cast
        self.seated: dict[int, Actor] = {}
        self.clients: dict[int, httpx.Client] = {}
        self.tokens: dict[int, str] = {}
        self.worker: subprocess.Popen[bytes] | None = None

    def at(self, officer: ActingOfficer) -> Actor:
        """Return the officer at their browser."""
        if officer.post_id not in self.seated:
            self.seated[officer.post_id] = Actor(self, officer)
        return self.seated[officer.post_id]

    def owner(self) -> Any:
        """Return a transaction of the owner: for what stood before, and to look at what came of it."""
        return owner_session(self.database)

    def only(self, right: Actor, label: str, *others: ActingOfficer, **form: Any) -> None:
        """Hold that the officers see no such button on the page that the right one has open, and are refused.

        They send what the right one's button leads to, with `form` for the answers.
        """
        target = right.button(label)
        assert target.count(), f"{right.officer.post} sees no “{label}” at {right.page.url}"
        way = target.first.evaluate("e => e.getAttribute('href') || e.formAction || e.form.action")
        url = urlsplit(urljoin(right.page.url, way))
        keys = parse_qs(url.query)
        pks = ",".join(keys.get("pks", keys.get("pk", [])))
        link = target.first.evaluate("e => e.tagName === 'A'")
        mark = re.compile(rf'href="{re.escape(url.path)}' if link else rf">\s*{re.escape(label)}\s*</button>")
        for officer in others:
            client = self.client(officer)
            shown = client.get(right.page.url)
            assert not mark.search(shown.text), f"{officer.post} sees “{label}” at {right.page.url}"
            answer = client.post(url.path, data={"csrf_token": self.tokens[officer.post_id], "pks": pks, **form})
            assert answer.status_code in REFUSED, f"{officer.post} may “{label}”: {answer.status_code}"

    def client(self, officer: ActingOfficer) -> httpx.Client:
        """Return a second browser of the officer, without a screen: for what must not be there."""
        if officer.post_id not in self.clients:
            client = self.clients[officer.post_id] = self.console.client(officer)
            self.tokens[officer.post_id] = token_of(client.get("/console/").text)
        return self.clients[officer.post_id]

    def waits(self, actor: Actor, *texts: str, seconds: float = PATIENCE_S) -> Actor:
        """Let an officer look again until the page says one of the things awaited."""
        until, text = monotonic() + seconds, "”或“".join(texts)
        while not any(one in actor.says() for one in texts):
            assert self.worker is None or self.worker.poll() is None, "the worker is gone"
            assert monotonic() < until, f"{actor.page.url} never says “{text}”: {actor.says()[:1500]}"
            sleep(0.3)
            actor.page.reload()
        return actor

    def settled(self, actor: Actor) -> None:
        """Let an officer watch the page of a job until it is done."""
        if "/job/" in actor.page.url:
            self.waits(actor, "已完成")

    def pass_days(self, days: int) -> None:
        """Go on to the opening hour of the first working day after so many days."""
        with self.owner() as session:
            later = today(session) + timedelta(days=days)
            self._move(session, next_working_day(session, later))

    def next_day(self) -> None:
        """Go on to nine o'clock tomorrow."""
        with self.owner() as session:
            self._move(session, datetime.combine(today(session) + timedelta(days=1), time(9), ZONE))

    def _move(self, session: Any, until: datetime) -> None:
        self.boxes.set_clock(advance(session, until))

    def place(self, code: str) -> str:
        """Return the name of a division."""
        with self.owner() as session:
            name: str = session.get_one(Division, code).name
            return name

    def today(self) -> date:
        """Return the business date."""
        with self.owner() as session:
            return today(session)

    def start_worker(self, log: Path) -> None:
        """Start a worker process."""
        with log.open("ab") as out:
            self.worker = subprocess.Popen(
                [sys.executable, "-m", "jobs"], cwd=ROOT, stdin=subprocess.DEVNULL, stdout=out, stderr=out
            )

    def stop(self) -> None:
        """Close the browsers and end the worker."""
        for actor in self.seated.values():
            actor.context.close()
        for client in self.clients.values():
            client.close()
        if self.worker is not None:
            self.worker.terminate()
            self.worker.wait(30)


def cast_in(session: Any, world: World) -> Cast:
    """Seat the officers of 呼伦贝尔市, with the lists that were there before."""
    hashed = hasher().hash(PASSWORD)
    finance, department = OrganisationKind.FINANCE, OrganisationKind.DEPARTMENT
    made = Cast(
        region_finance=world.region_finance,
        region_department=world.region_department,
        league_finance=_staffed(session, hashed, LEAGUE, finance, "hl.cz"),
        league_department=_staffed(session, hashed, LEAGUE, department, "hl.nm", "农牧"),
        banner=_county(session, hashed, BANNER, BANNER_TOWNSHIPS, "xz"),
        city=_county(session, hashed, CITY, CITY_TOWNSHIPS, "mzl"),
    )
    adopt_lists(session, [BANNER, CITY], listed_years(session))
    return made


def people_of(session: Any, office: Office, names: tuple[str, ...]) -> list[Member]:
    """Register people with their cards in a township."""
    found: list[Member] = []
    for name in names:
        home = a_household(session, NOBODYS, township=office.division_code, head_name=name, village="乌兰嘎查")
        member = a_member(session, NOBODYS, home)
        an_account(session, member)
        found.append(member)
    return found


def outside_of(session: Any, members: list[Member], county: str) -> dict[str, list[dict[str, Any]]]:
    """Return what police and bank know about these people and the county's agent account, which is opened here."""
    account: AgentAccount = an_agent_account(session, NOBODYS, county=county)
    bank = session.get_one(AgentBank, account.bank_id)
    cards = {card.member_id: card for card in session.exec(select(Account))}
    persons = [{"kind": "person", "id_number": m.id_number, "name": m.name, "died_on": None} for m in members]
    accounts = [
        {"kind": "account", "number": cards[m.id].number, "holder_name": m.name, "holder_id": m.id_number,
         "bank_code": cards[m.id].bank_code, "status": "active"} for m in members
    ]  # fmt: skip
    agent = {"kind": "agent_account", "number": account.number, "name": account.name, "bank_code": bank.cnaps,
             "division_code": county}  # fmt: skip
    return {"police": persons, "bank": [*accounts, agent]}


@contextmanager
def staged(server: str, keys: Path, world: World, folder: Path) -> Iterator[Stage]:
    """Set the stage on a database of its own, with console, browser, sandboxes and worker."""
    name = f"test_{next(NUMBERS)}"
    statement(server, f"create database {name} template {WORLD}")
    url, before = address(server, name), dict(os.environ)
    point_at(url, keys)
    try:
        with owner_session(url) as session:
            cast = cast_in(session, world)
        with sandboxes_in(folder) as boxes:
            boxes.use()
            with owner_session(url) as session:
                boxes.set_clock(now(session))
            with running() as console, sync_playwright() as playwright:
                browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
                stage = Stage(url, boxes, console, browser, cast)
                try:
                    stage.start_worker(folder / "worker.log")
                    yield stage
                finally:
                    stage.stop()
                    browser.close()
    finally:
        os.environ.clear()
        os.environ.update(before)
        settings.cache_clear()
        _forget(server, name)


def _forget(server: str, name: str) -> None:
    forget_engines()
    statement(server, f"drop database {name} with (force)")


def without_chromium() -> bool:
    """Tell whether these stories can't be told here."""
    return not Path(CHROMIUM).exists() and not os.environ.get("CI")
