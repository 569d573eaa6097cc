"""Rendering: one environment, the frame around every page (menu, post, counts, clock), and the error pages."""

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jinja2 import ChoiceLoader, FileSystemLoader, PackageLoader
from sqladmin.i18n import gettext, ngettext
from sqladmin.templating import Jinja2Templates, _TemplateResponse
from starlette.requests import Request

from admin import fields
from models.settings import settings
from policies.identities import mask_name
from policies.refusals import Refused

if TYPE_CHECKING:
    from sqladmin.models import BaseView

TEMPLATES = Path(__file__).parent / "templates"
STATUS_TITLES = {
    400: "请求有误",
    401: "请先登录",
    403: "不能办理",
    404: "没有找到",
    405: "不支持的操作",
    409: "暂时不能办理",
    413: "文件太大",
}


class Pages(Jinja2Templates):
    """SQLAdmin's template engine with our frame around every page. No template of ours awaits: half the time."""

    def __init__(self, directory: str) -> None:
        super().__init__(directory)
        self.env.is_async = False

    async def TemplateResponse(
        self, request: Request, name: str, context: dict[str, Any] | None = None, status_code: int = 200
    ) -> _TemplateResponse:
        """Render a page; whoever is logged in gets the menu of their post."""
        from admin.frame import frame

        shown = await frame(request) if "live" in request.scope else None
        content = {"request": request, **(context or {}), "frame": shown}
        template = self.env.get_template(name)
        return _TemplateResponse(template, template.render(content), content, status_code)


@lru_cache(maxsize=1)
def environment() -> Pages:
    """Return the one template engine of the process."""
    made = Pages(str(TEMPLATES))
    made.env.loader = ChoiceLoader([FileSystemLoader(TEMPLATES), PackageLoader("sqladmin", "templates")])
    made.env.trim_blocks = made.env.lstrip_blocks = True
    made.env.add_extension("jinja2.ext.i18n")
    made.env.install_gettext_callables(gettext, ngettext, newstyle=True)  # type: ignore[attr-defined]
    made.env.globals.update(demo=settings().movable_clock, tone=fields.tone)
    made.env.filters.update(yuan=fields.yuan, moment=fields.moment_text, day=fields.day_text, count=fields.count_text)
    made.env.filters.update(masked_name=mask_name, relation=fields.relation_text, plain=fields.plain_text)
    return made


async def render(request: Request, template: str, status_code: int = 200, **context: Any) -> _TemplateResponse:
    """Render one of our own pages."""
    return await environment().TemplateResponse(request, f"console/{template}.html", context, status_code)


async def error(request: Request, status: int, message: str, **context: Any) -> _TemplateResponse:
    """Render an error page in plain words."""
    title = STATUS_TITLES.get(status, "出错了")
    return await render(request, "error", status, title=title, message=message, status=status, **context)


async def unforeseen(request: Request, reference: str) -> _TemplateResponse:
    """Render the page for what nobody foresaw: no SQL, no parameters, a number to tell the administrator."""
    request.scope.pop("live", None)  # the frame asks the database, which may be what has failed
    message = f"系统没有完成这次操作，数据没有改变。请稍后再试；如仍不成功，请把编号 {reference} 告诉系统管理员。"
    return await render(request, "error", 500, title="系统出错", message=message, status=500)


async def refused(request: Request, refusal: Refused, way_out: Sequence[tuple[str, str]] = ()) -> _TemplateResponse:
    """Render why a verb was refused: the message, the article, who can unblock. (STYLE: errors are facts)"""
    return await render(
        request,
        "refused",
        refusal.status_code,
        title=STATUS_TITLES.get(refusal.status_code, "不能办理"),
        message=str(refusal),
        hits=fields.hits_of(refusal),
        way_out=way_out,
    )


def accessible(views: Sequence["BaseView"], request: Request) -> list["BaseView"]:
    """Return the views that the post may open."""
    return [view for view in views if view.is_visible(request) and view.is_accessible(request)]
