"""Known values are sown, then looked for: in a dump, logs, pages, addresses, exports, jobs, folders. （第三十条）

What is sown is every value behind every sealed column of a county that has imported, checked, paid and been read.
"""

import base64
import html
import os
import re
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import date
from io import BytesIO
from pathlib import Path
from urllib.parse import unquote

import httpx
import pytest
import sqlalchemy as sa
from sqlalchemy.engine import make_url

from models.cluster import Cluster
from models.crypto import ring
from models.database import forget_engines, transaction
from models.officers import ActingOfficer
from models.projects import SubsidyProject
from models.sealed_columns import sealed_tables
from tests.conftest import ROOT, WORLD, address, owner_session, point_at, statement
from tests.console import ConsoleServer, token_of
from tests.factories import World, a_line, a_member, an_account
from tests.money import Money, sandboxes_in
from tests.workbooks import People, Person, plain
from workflows import imports, outbox  # noqa: F401 - the outbox's topics
from workflows.list_adoption import adopt_lists

NAMES = ("欧阳莫如雪", "司徒望月明", "慕容追风客", "独孤问剑心")
BASE = "/console"
VISITS = 1
"""Pages of one kind that are read for each post: the first of a hundred equal ones says it all."""
START_S = 60
ROLES = (
    "township.clerk", "township.head", "department.clerk", "department.reviewer", "finance.clerk", "finance.reviewer",
    "finance.auditor", "league_department.clerk", "region_finance.clerk", "system_admin", "security_admin",
    "audit_admin",
)  # fmt: skip
"""One post of every kind that may see anything of the county."""


@dataclass
class Scene:
    """The database of a county at work, what was sown in it, and what the processes have written."""

    world: World
    url: str
    folder: Path
    port: int = 0
    secrets: set[str] = field(default_factory=set)

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def client(self, by: ActingOfficer) -> httpx.Client:
        return ConsoleServer(self.base, None).client(by)

    def found(self, text: str) -> set[str]:
        """Return the sown values that stand in a text."""
        return {secret for secret in (*self.secrets, *NAMES) if secret in text}


def sown(session: sa.orm.Session) -> set[str]:
    """Return the value behind every sealed column: found from the models, not from a list."""
    found: set[str] = set()
    for table in sealed_tables():
        for name in () if table.files else table.columns:
            asked = f"select distinct {name} from {table.name} where length({name}) > 0"
            found |= {ring().open(bytes(row[0])) for row in session.execute(sa.text(asked))}
    return found


@contextmanager
def process(name: str, folder: Path, *arguments: str) -> Iterator[None]:
    """Run the web or the worker as it runs in production: a process of its own, its output in a file."""
    with (folder / f"{name}.log").open("wb") as log:
        running = subprocess.Popen(
            [sys.executable, "-m", "cli", *arguments], cwd=ROOT, stdout=log, stderr=log, env=dict(os.environ)
        )
        try:
            yield
        finally:
            running.terminate()
            with suppress(subprocess.TimeoutExpired):
                running.wait(20)
            running.kill()


def until(condition: Callable[[], bool], what: str) -> None:
    for _ in range(START_S * 10):
        with suppress(httpx.TransportError):
            if condition():
                return
        time.sleep(0.1)
    pytest.fail(f"{what} did not happen within {START_S} s")


@pytest.fixture(scope="module")
def scene(server: str, keys: Path, world_template: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """A county that has imported (well and badly), paid through the bank, been read and been searched."""
    statement(server, f"create database leaks template {WORLD}")
    url, folder = address(server, "leaks"), tmp_path_factory.mktemp("leaks")
    point_at(url, keys)
    (folder / "outside").mkdir()
    made = Scene(world_template, url, folder, port=free_port())
    with sandboxes_in(folder / "outside") as boxes:
        boxes.use()
        money = Money(made.world, lambda: owner_session(url), boxes, lines=[a_line(name=name) for name in NAMES])
        money.fund()
        money.send()
        money.settle()
        with owner_session(url) as session:
            adopt_lists(session, [made.world.code], [2031, 2032])
        with process("web", folder, "serve", "--port", str(made.port)), process("worker", folder, "worker"):
            until(lambda: httpx.get(f"{made.base}/health").status_code == 200, "the start of the web")
            jobs = [bring(made, people(made), "2031"), bring(made, spoilt(people(made)), "2032")]
            until(lambda: all(ended(made, job) for job in jobs), "the end of the imports")
            with owner_session(url) as session:
                made.secrets = sown(session)
            trouble(made)
            yield made
    forget_engines()
    statement(server, "drop database leaks with (force)")


def free_port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def people(made: Scene) -> People:
    """Put people into the registry and return them for a workbook."""
    with owner_session(made.url) as session:
        known = []
        for name in NAMES:
            member = a_member(session, made.world, name=name)
            known.append(Person(name, member.id_number, an_account(session, member).number))
    return People(tuple(known), known[0], known[0])


def spoilt(people: People) -> People:
    """Return them with wrong cards and numbers, so that every problem quotes what it must not."""
    first, second, third, fourth = people.known
    wrong = (
        Person(first.name, second.id_number, first.account_number),
        Person(second.name, second.id_number[:-1] + "0", second.account_number),
        Person(third.name, third.id_number, fourth.account_number),
        Person(fourth.name, fourth.id_number, fourth.account_number[:-1]),
    )
    return People(wrong, people.stranger, people.elsewhere)


def bring(made: Scene, people: People, period: str) -> int:
    """Hand a workbook to the worker; return the job's number."""
    by, year = made.world.township.clerk, int(period)
    with transaction(by) as session:
        project = session.execute(sa.select(SubsidyProject).where(SubsidyProject.code == "2130122")).scalar_one()
        record = imports.receive(
            session, by=by, project=project, period=period, period_start=date(year, 1, 1),
            period_end=date(year, 12, 31), file_name="清册.xlsx", content=plain(people),
        )  # fmt: skip
        job = imports.job_of(session, record)
        assert job is not None and job.id is not None
        return job.id


def ended(made: Scene, job: int) -> bool:
    with owner_session(made.url) as session:
        status = session.execute(sa.text("select status from jobs where id = :id"), {"id": job}).scalar_one()
    return status not in ("queued", "running")


def trouble(made: Scene) -> None:
    """Type known values where they don't belong: into searches, forms and addresses of every kind."""
    secret = sorted(made.secrets)[0]
    with made.client(made.world.township.clerk) as client:
        token = token_of(client.get(f"{BASE}/").text)
        form = {"csrf_token": token, "q": secret, "number": secret, "bank_name": secret, "reason": secret, "pks": "1"}
        for path in ("/member/search", "/account/search", "/member/form/register", "/member/form/reveal",
                     "/roster/search", "/roster/action/report", "/roster-line/form/stop"):  # fmt: skip
            assert client.post(f"{BASE}{path}", data=form).status_code != 403
            client.post(f"{BASE}{path}", data=form | {"pks": secret})
        client.post(f"{BASE}/login", data={"login": secret, "password": secret, "code": secret})
        client.post(f"{BASE}/member/form/register", data=form | {"number": secret[:-1], "pks": "9" * 30})


def reader(world: World, role: str) -> ActingOfficer:
    """Return the officer of a post, by its path in the world."""
    found = world
    for name in role.split("."):
        found = getattr(found, name)
    return found


def walk(client: httpx.Client) -> Iterator[tuple[str, str]]:
    """Follow every link from the start page; yield the address and the text of each page or workbook."""
    waiting, seen, kinds = [f"{BASE}/"], set[str](), dict[str, int]()
    while waiting:
        path = waiting.pop()
        kind = re.sub(r"[0-9a-f]{20,}|\d+", "#", path)
        if path in seen or kinds.get(kind, 0) >= VISITS or "/file/" in path or "/logout" in path:
            continue
        seen.add(path)
        kinds[kind] = kinds.get(kind, 0) + 1
        answer = client.get(path, follow_redirects=True)
        text = str(answer.url)
        if answer.content.startswith(b"PK"):
            with zipfile.ZipFile(BytesIO(answer.content)) as book:
                text += "".join(book.read(name).decode() for name in book.namelist() if name.endswith(".xml"))
        else:
            text += answer.text
            waiting += [html.unescape(link) for link in re.findall(r'(?:href|action)="(/console/[^"#]*)"', answer.text)]
        yield path, unquote(text)


class TestPages:
    @pytest.mark.parametrize("role", ROLES)
    def test_no_page_address_or_export_that_a_post_can_reach_shows_a_value_in_full(self, scene: Scene, role: str):
        with scene.client(reader(scene.world, role)) as client:
            pages = dict(walk(client))
        assert len(pages) > 8
        assert any(path.startswith(f"{BASE}/") and "export.xlsx" in path for path in pages) or "admin" in role
        assert {path: scene.found(text) for path, text in pages.items() if scene.found(text)} == {}
        assert {path for path in pages if scene.found(path)} == set()


class TestControl:
    """The scans would find a value: what is shown for a reason is found, and the dump is this county's."""

    def test_what_is_revealed_for_a_reason_is_found_by_the_same_scan(self, scene: Scene):
        with owner_session(scene.url) as session:
            member = session.execute(sa.text("select id from members order by id limit 1")).scalar_one()
        with scene.client(scene.world.township.clerk) as client:
            token = token_of(client.get(f"{BASE}/").text)
            form = {"csrf_token": token, "pks": str(member), "reason": "核对身份证复印件"}
            shown = client.post(f"{BASE}/member/form/reveal", data=form)
        assert shown.status_code == 200
        assert len(scene.found(shown.text)) >= 2

    def test_the_dump_is_of_the_county_that_was_sown(self, scene: Scene):
        assert all(name.encode() in dumped(scene) for name in NAMES), "names are stored in plain text, and said so"


class TestStored:
    def test_a_dump_holds_no_value_of_a_sealed_column_in_any_spelling(self, scene: Scene):
        assert len(scene.secrets) > 20
        dump = dumped(scene)
        for secret in scene.secrets:
            for spelling in (secret.encode(), secret.encode().hex().encode(), base64.b64encode(secret.encode())[:-4]):
                assert spelling not in dump, "a sealed value stands in the dump"

    def test_job_results_events_refusals_and_outbox_name_nobody(self, scene: Scene):
        with owner_session(scene.url) as session:
            for table in ("jobs", "events", "refusals", "outbox", "procrastinate_jobs", "roster_imports", "reveals"):
                rows = session.execute(sa.text(f"select t::text from {table} t")).scalars()
                leaks = [scene.found(row) for row in rows if scene.found(row)]
                assert leaks == [], table

    def test_logs_of_web_and_worker_hold_no_value(self, scene: Scene):
        for name in ("web", "worker"):
            text = (scene.folder / f"{name}.log").read_text(errors="replace")
            assert scene.found(text) == set(), name

    def test_the_data_folder_holds_no_value(self, scene: Scene, home: Path):
        for path in (path for path in home.rglob("*") if path.is_file() and "postgresql-" not in str(path)):
            assert scene.found(path.read_bytes().decode("utf-8", "replace")) == set(), path.name


def dumped(scene: Scene) -> bytes:
    """Return a dump of the whole database by the embedded server's own pg_dump."""
    url = make_url(scene.url)
    folder = Path(str(url.query["host"]))
    found = Cluster(folder.parent, "15" if os.environ.get("PG") == "15" else "18")._binaries()
    command = [str(found / "pg_dump"), "-h", str(folder), "-U", "postgres", str(url.database)]
    return subprocess.run(command, check=True, capture_output=True, env={"LC_ALL": "C.UTF-8"}).stdout
