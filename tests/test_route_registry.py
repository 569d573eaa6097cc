"""Every route of the running application is registered: public, for any session, or for a permission. （第三十条）"""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from sqladmin import BaseView, expose
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from admin.app import create_app
from admin.middleware import OPEN, OPEN_FOLDERS, SIGNED_FOLDER
from admin.routes import LIST, OF_LIST, PAGES, PUBLIC, SESSION, SIGNED, Registered, RouteUnregistered, registry
from policies.permissions import Permission
from tests.console import ConsoleServer, running
from tests.factories import World

FILLED = {"identity": "roster", "of": "roster", "pk:path": "1", "key": "1", "column": "file_id"}


@pytest.fixture
def app(database: str) -> Any:
    return create_app()


@pytest.fixture
def routes(app: Any) -> list[Registered]:
    return registry(app.routes)


@pytest.fixture
def console(county: World) -> Iterator[ConsoleServer]:
    with running() as server:
        yield server


def address(path: str) -> str:
    """Return an address of a route: its parameters filled."""
    for name, value in FILLED.items():
        path = path.replace(f"{{{name}}}", value)
    return f"{path}x" if path != "/console/" and path.endswith("s/") else path


class TestRegister:
    def test_every_route_is_registered(self, routes: list[Registered]):
        permissions = {str(permission) for permission in Permission}
        accesses = {access for route in routes for access in route.access.split("、")}
        assert len(routes) > 100
        assert accesses - permissions == {"public", "session", "signed", LIST}

    def test_what_is_registered_exists(self, routes: list[Registered]):
        paths = {route.path for route in routes}
        assert {*PUBLIC, *SIGNED, *SESSION, *OF_LIST, *PAGES} - paths == set()

    def test_a_route_that_nobody_registered_stops_the_start(self, app: Any):
        app.router.routes.append(Route("/leak", lambda _: PlainTextResponse("")))
        with pytest.raises(RouteUnregistered, match="/leak"):
            registry(app.routes)

    def test_a_page_of_the_console_that_asks_nothing_stops_the_start(self, app: Any):
        class LooseView(BaseView):
            name, category, permission = "游离", "", None

            @expose("/loose", identity="loose")
            async def loose(self, request: Request) -> Response:
                return PlainTextResponse("")

        app.state.console.add_view(LooseView)
        with pytest.raises(RouteUnregistered, match="/console/loose"):
            registry(app.routes)

    def test_what_the_middleware_lets_through_is_what_is_listed_as_public(self):
        assert {*OPEN, *OPEN_FOLDERS} == set(PUBLIC)
        assert all(path.startswith(SIGNED_FOLDER) for path in SIGNED)

    def test_nothing_public_changes_state_but_the_login(self, routes: list[Registered]):
        changing = {route.path for route in routes if route.access == "public" and "POST" in route.methods}
        assert changing == {"/console/login"}

    def test_state_changes_of_records_ask_a_permission(self, routes: list[Registered]):
        changing = [route for route in routes if "POST" in route.methods and "/form/" in route.path + "/action/"]
        assert {route.path for route in changing if route.access == "session"} <= {
            *SESSION, *(route.path for route in routes if route.path.startswith("/console/me"))
        }  # fmt: skip


class TestWithoutSession:
    def test_what_is_not_public_leads_to_the_login(self, console: ConsoleServer):
        open_, shut = [], []
        with console.client() as browser:
            for route in registry(console.app.routes):  # type: ignore[attr-defined]
                for method in {"GET", "POST"} & set(route.methods):
                    answer = browser.request(method, address(route.path), data={} if method == "POST" else None)
                    (open_ if self.let_in(answer) else shut).append((route.access == "public", method, route.path))
        assert {path for public, _, path in shut if public} == set()
        assert {path for public, _, path in open_ if not public} == set()
        assert len(shut) > 100

    @staticmethod
    def let_in(answer: httpx.Response) -> bool:
        to_login = answer.status_code == 303 and answer.headers["location"].startswith("/console/login")
        unsigned = answer.status_code == 401 and answer.headers["content-type"] == "application/json"
        return not (to_login or unsigned)
