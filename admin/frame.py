"""The frame of every page: whose post, which menu, how much waits where, what day it is."""

from dataclasses import dataclass, field
from typing import Any

from sqlmodel import Session
from starlette.requests import Request

from admin import inbox, pages
from admin.reading import live, reading
from policies.clock import now


@dataclass(frozen=True)
class Entry:
    """One line of the menu."""

    title: str
    icon: str
    url: str
    active: bool
    waiting: int = 0


@dataclass
class Group:
    """One group of the menu, in the order of the money's way."""

    title: str
    entries: list[Entry] = field(default_factory=list)


async def frame(request: Request) -> dict[str, Any]:
    """Return what the layout needs."""
    session = live(request)
    if getattr(request.state, "permissions", None) is None:  # a page of the middleware's own, or of the account
        await request.app.state.console.authorization_backend.load(request)

    def question(database: Session) -> tuple[Any, dict[str, int]]:
        return now(database), inbox.counts(database, session.officer)

    moment, waiting = await reading(question)
    return {
        "officer": session.officer,
        "posts": session.posts,
        "post_key": session.post_key,
        "code_due": session.code_due,
        "csrf_token": session.csrf_token,
        "groups": menu(request, waiting),
        "waiting": sum(waiting.values()),
        "now": moment,
        "home": request.url.path.rstrip("/") == "/console",
        "flashes": request.scope.pop("flashes", ()),
    }


def menu(request: Request, waiting: dict[str, int]) -> list[Group]:
    """Return the menu of the post."""
    console = request.app.state.console
    groups: dict[str, Group] = {}
    for view in pages.accessible(console.views, request):
        if not view.category:
            continue
        url = view.menu_url
        entry = Entry(
            view.name, view.icon, url, request.url.path.startswith(view.root_url), waiting.get(view.identity, 0)
        )
        groups.setdefault(view.category, Group(view.category)).entries.append(entry)
    return list(groups.values())
