"""Every route of the running application, from its own table, asked by whoever must get nothing. （第二十三、三十条）

No session, an expired one, another county's ids, the wrong level, GET for POST, no token, another session's token, a
foreign origin: no marker of the county in any answer, no table changed, no 500. Hostile input gets a plain answer.
"""

import asyncio
import re
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass
from itertools import cycle, product
from typing import Any
from urllib.parse import quote

import httpx
import pytest
import sqlalchemy as sa

from admin.app import create_app
from admin.base import ConsoleView
from admin.routes import SIGNED, registry
from models.officers import ActingOfficer
from models.rosters import RosterLine
from policies.enforcement import Policy, seed_lines
from policies.lifecycles import Ask
from tests.browsing import HERE, HOME, browser, changed, digest, form_token, route_table
from tests.conftest import Owner
from tests.factories import World, a_line, a_roster
from tests.records import every_post
from tests.test_matrix import in_every_status

POLICY = Policy(0, seed_lines())
MARK = "密标甲乙丙"
LOGIN = "/console/login"
EVIL = "https" + "://evil.example"
HOSTILE = (
    "abc", "-1", "0", "9" * 30, "1;2", "٣", "1 or 1=1", "' or ''='", "😀" * 40, "\u202eabc\u2066", "x" * 4000,
    "../../etc/passwd", "{{7*7}}", "<script>alert(1)</script>", "%", "\U0002070e\u0301",
)  # fmt: skip
SQL = re.compile(r"(?i)\bselect [^<>]{1,300} from \w|\binsert into \w|\bpsycopg|sqlalche")
RAW = ("%00", "1%00", "%ff%fe", "%ed%a0%80")
"""Bytes that are no text."""
UNSIGNED = (401, 429)
"""What a department's route says to a request without a signature, and to too many of them."""


@dataclass(frozen=True)
class Stage:
    """A running application over a database full of one county's records."""

    app: Any
    county: World
    owner: Owner
    ids: dict[str, str]
    """By the identity of a view: the id of one of the county's records."""
    markers: tuple[str, ...]

    def views(self) -> list[ConsoleView]:
        return [view for view in self.app.state.console.views if isinstance(view, ConsoleView)]

    def addresses(self) -> Iterator[tuple[str, str, str]]:
        """Go through the route table: method, declared path, and each address with the county's ids in it."""
        for method, path in route_table(self.app.routes):
            for address in self._filled(path):
                yield method, path, address

    def _filled(self, path: str) -> Iterator[str]:
        if "{" not in path:
            own = path.removeprefix("/console/").partition("/")[0]
            yield f"{path}?pks={self.ids[own]}&pk={self.ids[own]}" if own in self.ids else path
            return
        several = [view.identity for view in self.views()] if "{identity}" in path or "{of}" in path else ["-"]
        for identity in several:
            key = self.ids.get(identity, "1")
            columns = {view.identity: view.file_columns for view in self.views()}.get(identity, ())
            filled = path.replace("{identity}", identity).replace("{of}", identity).replace("{pk:path}", key)
            yield filled.replace("{key}", key).replace("{column}", next(iter(columns), "file_id"))

    def nothing_leaks(self, answer: httpx.Response, where: str) -> None:
        assert answer.status_code < 500, (answer.status_code, where)
        text = answer.text if "html" in answer.headers.get("content-type", "text/html") else repr(answer.content)
        assert not [marker for marker in self.markers if marker in text], where
        assert "Traceback" not in text, where
        assert not SQL.search(text), where


@pytest.fixture
def stage(county: World, owner: Owner) -> Stage:
    with owner() as session:
        records = in_every_status(session, county)
        roster = a_roster(session, county, period="标期", lines=[a_line(name=MARK), a_line(name=MARK)])
        session.execute(sa.text("update rosters set township = :mark where county_code = :county"),
                        {"mark": MARK, "county": county.code})  # fmt: skip
        line = session.execute(sa.select(RosterLine).limit(1)).scalar_one()
        plain = [value for value in (line.id_number, line.account_number, roster.number) if value]
    app = create_app()
    stage = Stage(app, county, owner, {}, (MARK, *plain))
    nouns = {view.lifecycle.noun: view.identity for view in stage.views() if view.lifecycle is not None}
    with owner() as session:
        for view in stage.views():
            found = session.execute(sa.text(f"select id from {view.model.__tablename__} order by id limit 1")).scalar()
            stage.ids[view.identity] = str(found or 1)
    stage.ids.update({nouns[noun]: str(next(iter(rows.values()))) for noun, rows in records.items() if noun in nouns})
    stage.ids["roster"] = str(roster.id)
    return stage


def unchanged(stage: Stage, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    before = digest(stage.owner)
    asyncio.run(work())
    assert changed(before, digest(stage.owner)) == []


async def ask(client: httpx.AsyncClient, method: str, address: str, form: dict[str, str] | None = None) -> Any:
    return await client.request(method, address, data=form if method != "GET" else None)


def with_ids(address: str, token: str = "") -> dict[str, str]:
    """Return the form that names the records which the address names."""
    pks = address.partition("?pks=")[2].partition("&")[0]
    return {"csrf_token": token, "pks": pks, "reason": "x", "opinion": "x", "attested": "yes"}


class TestWithoutASession:
    WAYS = {
        "none": "",
        "forged": "",
        "ended": "update login_sessions set status = 'revoked', ended_at = clock_timestamp()",
        "idle": "update login_sessions set seen_at = seen_at - interval '9 hours'",
        "too long": "update login_sessions set started_at = started_at - interval '9 days'",
    }

    def test_every_route_but_the_public_leads_to_the_login(self, stage):
        public = {(method, route.path) for route in registry(stage.app.routes) for method in route.methods
                  if route.access == "public"}  # fmt: skip

        async def work() -> None:
            for way, spoil in self.WAYS.items():
                async with browser(stage.app, stage.county.township.clerk if spoil else None) as client:
                    if way == "forged":
                        client.cookies.set("yikatong_session", "x" * 43, domain="testserver.local", path="/console")
                    with stage.owner() as session:
                        session.execute(sa.text(spoil or "select 1"))
                    for method, path, address in stage.addresses():
                        answer = await ask(client, method, address, with_ids(address))
                        where = f"{way}: {method} {address}"
                        stage.nothing_leaks(answer, where)
                        if path in SIGNED:
                            assert answer.status_code in UNSIGNED, (answer.status_code, where)
                        elif (method, path) not in public:
                            assert answer.status_code == 303, (answer.status_code, where)
                            assert answer.headers["location"].startswith(LOGIN), where

        unchanged(stage, work)


class TestAnotherCounty:
    def test_no_route_shows_or_changes_its_records(self, stage):
        other = stage.county.other_county
        officers = (other.township.clerk, other.finance.reviewer, stage.county.civil_affairs.reviewer)
        unchanged(stage, lambda: self._visit(stage, officers))

    async def _visit(self, stage: Stage, officers: tuple[ActingOfficer, ...]) -> None:
        for by in officers:
            async with browser(stage.app, by) as client:
                token = await form_token(client)
                for method, _, address in stage.addresses():
                    if method != "GET" and "pks=" not in address:
                        continue  # one's own affairs, rightly sent
                    if method != "GET" and self._makes(stage, address):
                        continue
                    answer = await ask(client, method, address, with_ids(address, token))
                    stage.nothing_leaks(answer, f"{method} {address} by {by.post}")
                    assert "办理成功 1" not in answer.text
                for view in stage.views():
                    answer = await client.get(f"/console/{view.identity}/list?tab=all")
                    stage.nothing_leaks(answer, f"list of {view.identity} by {by.post}")

    @staticmethod
    def _makes(stage: Stage, address: str) -> bool:
        """Tell whether the address makes a record of the officer's own: it names none of the county's."""
        identity, _, rest = address.removeprefix("/console/").partition("/")
        forms = next((view.forms for view in stage.views() if view.identity == identity), ())
        return any(rest.startswith(f"form/{form.slug}?") and not form.on_record for form in forms)


class TestTheWrongLevel:
    def test_whoever_lacks_the_permission_gets_403_at_every_route(self, stage):
        with stage.owner() as session:
            posts = every_post(session, stage.county)
        wanted = {route.path: set(route.access.split("、")) for route in registry(stage.app.routes)}
        some = [posts[place] for place in range(0, len(posts), 13)]

        async def work() -> None:
            for by in some:
                held = POLICY.permissions(by.role, by.level, by.kind)
                async with browser(stage.app, by) as client:
                    token = await form_token(client)
                    for method, path, address in stage.addresses():
                        if method != "GET" and ("/form/" in path or "/action/" in path):
                            continue  # tests/test_matrix.py sends all of them
                        if wanted[path] & (held | {"public", "session", "list"}):
                            continue
                        answer = await ask(client, method, address, with_ids(address, token))
                        where = f"{method} {address} by {by.post}"
                        stage.nothing_leaks(answer, where)
                        allowed = UNSIGNED if path in SIGNED else (403, 404)
                        assert answer.status_code in allowed, (answer.status_code, where)

        unchanged(stage, work)


class TestForgery:
    WAYS = ("no token", "another session's token", "foreign origin", "GET")

    def test_every_unsafe_request_is_refused(self, stage):
        county = stage.county
        officers = (county.township.clerk, county.finance.reviewer, county.security_admin, county.finance.clerk)

        async def work() -> None:
            async with browser(stage.app, county.department.clerk) as theirs:
                replayed = await form_token(theirs)
            for by, way in zip(officers, self.WAYS, strict=True):
                async with browser(stage.app, by) as client:
                    own = await form_token(client)
                    token = {"no token": "", "another session's token": replayed}.get(way, own)
                    client.headers["Origin"] = EVIL if way == "foreign origin" else HERE
                    await self._send(stage, client, way, token)

        unchanged(stage, work)

    @staticmethod
    async def _send(stage: Stage, client: httpx.AsyncClient, way: str, token: str) -> None:
        for method, path, address in stage.addresses():
            if method == "GET" or path == LOGIN:
                continue
            answer = await ask(client, "GET" if way == "GET" else method, address, with_ids(address, token))
            where = f"{way}: {method} {address}"
            assert answer.status_code < 500, where
            if way != "GET":
                allowed = UNSIGNED if path in SIGNED else (403,)
                assert answer.status_code in allowed, (answer.status_code, where)


def values(asks: tuple[Ask, ...], hostile: str) -> dict[str, str]:
    return {ask.name: hostile for ask in asks if ask.kind != "password"}


class TestHostileInput:
    def test_no_address_gives_a_500(self, stage):
        async def work() -> None:
            async with browser(stage.app, stage.county.finance.clerk) as client:
                for address in self._addresses(stage):
                    answer = await client.get(address)
                    assert answer.status_code in (200, 303, 400, 401, 403, 404, 405, 409, 413, 414, 429), address
                    assert "Traceback" not in answer.text, address
                await self._odd_bodies(client)

        unchanged(stage, work)

    @staticmethod
    async def _odd_bodies(client: httpx.AsyncClient) -> None:
        token, path = await form_token(client), "/console/roster/action/examine-finance"
        form, parts = "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"
        for kind, body in (
            (form, b"\xff\xfe\x00"), (form, b"csrf_token=%ff"), (form, b"a=1&" * 3000), (parts, b"--x\r\nbroken"),
            (form, f"csrf_token={token}&pks=%00".encode()),
        ):  # fmt: skip
            answer = await client.post(path, content=body, headers={"content-type": kind})
            assert answer.status_code in (400, 403, 404, 413), (answer.status_code, body[:20])
        assert (await client.get(HOME)).status_code == 200

    @staticmethod
    def _addresses(stage: Stage) -> Iterator[str]:
        bad = [*(quote(value, safe="") for value in HOSTILE), *RAW]
        for number, (method, path) in enumerate(route_table(stage.app.routes)):
            if method != "GET":
                continue
            mine = bad if "{" in path else [bad[(number + place) % len(bad)] for place in range(4)]
            for value in mine:
                filled = path.replace("{identity}", "roster").replace("{of}", "roster").replace("{pk:path}", value)
                yield f"{filled.replace('{key}', value).replace('{column}', value)}?pks={value}&pk={value}&next={value}"
        identities = cycle(view.identity for view in stage.views())
        for name, value in product(("page", "q", "key", "tab", "sort", "f_status", "done"), bad):
            yield f"/console/{next(identities)}/list?{name}={value}"
        yield from (f"/console/{value}/list" for value in bad)

    def test_no_form_gives_a_500(self, stage):
        """Every step and form that some post may use, filled with what no field expects."""
        with stage.owner() as session:
            posts = every_post(session, stage.county)

        async def work() -> None:
            for by in posts:
                todo = list(self._forms(stage, by, seen))
                if not todo:
                    continue
                async with browser(stage.app, by) as client:
                    token = await form_token(client)
                    for address, form in todo:
                        answer = await client.post(address, data={"csrf_token": token, **form})
                        if answer.status_code >= 500:
                            broken.append((address, {name: value[:30] for name, value in form.items()}))
                        assert answer.status_code != 403 or "来源不可信" not in answer.text, address

        seen: set[str] = set()
        broken: list[tuple[str, dict[str, str]]] = []
        asyncio.run(work())
        assert broken == []
        assert len(seen) > 60

    @staticmethod
    def _forms(stage: Stage, by: ActingOfficer, seen: set[str]) -> Iterator[tuple[str, dict[str, str]]]:
        held = POLICY.permissions(by.role, by.level, by.kind)
        for view in stage.views():
            root = f"/console/{view.identity}"
            usable = [(f"{root}/form/{form.slug}", form.asks) for form in view.forms
                      if form.permission in held and form.seats(by)]  # fmt: skip
            steps = view.lifecycle.steps if view.lifecycle is not None else ()
            usable += [(f"{root}/action/{step.verb.strip('_').replace('_', '-')}", step.asks) for step in steps
                       if view.permits(step, by, held)]  # fmt: skip
            for address, asks in usable:
                if address in seen:
                    continue
                seen.add(address)
                for number in range(3):
                    hostile = HOSTILE[(len(seen) * 3 + number * 5) % len(HOSTILE)]
                    pks = hostile if number else stage.ids[view.identity]
                    yield address, {"pks": pks, **values(asks, hostile)}
