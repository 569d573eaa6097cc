"""The register of routes: each is public, signed, or needs a session, or a session and a permission.

（第二十三条、第三十条） It is derived from the running application's own table: lists and records ask their view's
permission, steps and forms their own. What can't be derived is written down here; a route that is in neither stops the
start.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from starlette.routing import BaseRoute, Mount, Route, Router
from starlette.types import Receive, Scope, Send

from admin.base import BASE, ConsoleView
from policies.permissions import Permission
from policies.refusals import Refused

PUBLIC: dict[str, str] = {
    "/": "转到工作台",
    "/health": "进程是否在运行",
    "/ready": "数据库是否可用",
    "/assets/": "样式和脚本",
    f"{BASE}/statics/": "样式和脚本",
    f"{BASE}/login": "登录",
    f"{BASE}/openid/login": "统一身份认证登录",
    f"{BASE}/openid/callback": "统一身份认证返回",
}
"""Routes that need no session, and why."""

SIGNED: dict[str, str] = {
    "/exchange/v1/batches": "接收共享部门的批次",
    "/exchange/v1/batches/{number}": "共享部门查询回执",
    "/exchange/v1/state": "共享部门查询批次号",
    "/exchange/v1/applications": "部门业务系统推送申请和审批结果",
    "/exchange/v1/applications/{number}": "部门业务系统查询回执",
    "/exchange/v1/results/{cursor}": "部门业务系统读取审核和发放结果",
}
"""Routes of other departments' systems: no session, every request signed with the body's key. （第二十九条）"""

SESSION: dict[str, str] = {
    f"{BASE}/": "本人的待办",
    f"{BASE}/logout": "退出本人的会话",
    f"{BASE}/post": "切换本人的岗位",
    f"{BASE}/own": "本人的岗位和代理",
    f"{BASE}/registrars": "专职管理岗缺岗：按机构类别，旗县以上",
    f"{BASE}/clock": "推进业务时钟：只在演示和测试",
}
"""Routes that any session may use: one's own affairs, and the clock that production doesn't have."""

OWN_ACCOUNT = f"{BASE}/me"
"""One's own account: password, second factor, sessions."""

OF_LIST: dict[str, str] = {
    f"{BASE}/{{identity}}/list": "列表",
    f"{BASE}/{{identity}}/details/{{pk:path}}": "记录",
    f"{BASE}/{{of}}/search": "查询列表",
    f"{BASE}/{{of}}/export.xlsx": "导出列表",
    f"{BASE}/{{of}}/file/{{key}}/{{column}}": "下载记录的文件",
}
"""Routes of every list: they ask the permission of the list they name."""

PAGES: dict[str, Permission] = {
    f"{BASE}/chain/verify": Permission.AUDIT_VERIFY,
    f"{BASE}/audit/export": Permission.AUDIT_EXPORT,
    f"{BASE}/handover/{{key}}": Permission.POST_END,
    f"{BASE}/subsidy-project/template/{{key}}": Permission.PROJECT_VIEW,
    f"{BASE}/{{of}}/export-plain": Permission.EXPORT_PLAIN,
}
"""Pages of a view without a permission of its own, and the one that they ask."""

LIST = "list"
"""The access of `OF_LIST`: whatever the named list asks."""


class RouteUnregistered(Refused):
    """网址 {path} 没有登记：请在 admin/routes.py 登记所需权限，或列为公开并说明理由（第三十条）。"""


@dataclass(frozen=True)
class Registered:
    """One route: how it is reached, and what it asks for."""

    path: str
    methods: tuple[str, ...]
    access: str
    """"public", "signed", "session", "list", or permissions joined by "、"."""


def registry(routes: Iterable[BaseRoute]) -> list[Registered]:
    """Return every route of an application with what it asks for. Raises RouteUnregistered."""
    return [Registered(path, methods, _access(path, endpoint)) for path, methods, endpoint in _walk(routes)]


def _walk(routes: Iterable[BaseRoute], prefix: str = "") -> Iterator[tuple[str, tuple[str, ...], Any]]:
    """Go through the routes of an application and of what is mounted in it; a folder of files is one route."""
    for route in routes:
        path = prefix + getattr(route, "path", "?")
        if isinstance(route, Mount) and route.routes:
            yield from _walk(route.routes, path)
        elif isinstance(route, Mount):
            yield f"{path}/", ("GET", "HEAD"), None
        elif isinstance(route, Route):
            yield path, tuple(sorted(route.methods or ())), route.endpoint
        else:
            raise RouteUnregistered(path=path)


def _access(path: str, endpoint: Any) -> str:
    if path in PUBLIC:
        return "public"
    if path in SIGNED:
        return "signed"
    if path in SESSION or path == OWN_ACCOUNT or path.startswith(f"{OWN_ACCOUNT}/") and not _is_view(endpoint):
        return "session"
    if path in OF_LIST:
        return LIST
    asked = {PAGES[path]} if path in PAGES else _asked(getattr(endpoint, "__self__", None), path)
    if not asked:
        raise RouteUnregistered(path=path)
    return "、".join(sorted(asked))


def _is_view(endpoint: Any) -> bool:
    return isinstance(getattr(endpoint, "__self__", None), ConsoleView)


def _asked(view: Any, path: str) -> set[Permission]:
    """Return the permissions that a view's route asks: a form's, a step's, else the view's own."""
    if isinstance(view, ConsoleView):
        kind, _, slug = path.removeprefix(view.root_url).partition("/")
        if kind == "form":
            return {form.permission for form in view.forms if form.slug == slug}
        if kind == "action":
            return {
                step.permission
                for step in (view.lifecycle.steps if view.lifecycle else ())
                if step.permission is not None and step.verb.strip("_").replace("_", "-") == slug
            }
    permission = getattr(view, "permission", None)
    return {permission} if permission is not None else set()


class Signpost:
    """Leads a request to the routes of its first word: to try all six hundred one by one costs more than a page."""

    def __init__(self, routes: Sequence[BaseRoute]) -> None:
        words = {word for route in routes if (word := self._word(route))}
        self._places = {word: Router([one for one in routes if self._word(one) in (word, "")]) for word in words}
        self._rest = Router([one for one in routes if not self._word(one)])

    @staticmethod
    def _word(route: BaseRoute) -> str:
        word: str = getattr(route, "path", "").strip("/").partition("/")[0]
        return "" if "{" in word else word

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer by the first route that fits, in the order in which they were added."""
        word = scope["path"].removeprefix(scope.get("root_path", "")).strip("/").partition("/")[0]
        await self._places.get(word, self._rest).app(scope, receive, send)
