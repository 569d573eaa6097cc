"""Annual lists in the console: drafted and published by finance, with their items. （第六条、第七条第一项）"""

from typing import Any

import sqlalchemy as sa
from sqlmodel import Session
from starlette.requests import Request

from admin.base import BASE, ConsoleView, Form, Menu, Related
from admin.reading import who
from models.annual_lists import AnnualList, AnnualListItem, AnnualListStatus
from models.officers import ActingOfficer
from models.publications import Publication
from policies.lifecycles import Ask, Desk
from policies.lifecycles.annual_lists import ANNUAL_LIST_LIFECYCLE
from policies.moves import OtherDivision
from policies.permissions import Permission as P
from workflows import annual_lists, publications

CHOOSE = f"{BASE}/annual-lists"
NOTE = Ask("note", "编制说明", required=False, help="如政策出台、变更、停发的依据")
CONTACT = Ask("contact", "联系人", "text")
TELEPHONE = Ask("telephone", "联系电话", "text", help="公众可以拨打的办公电话（第二十六条）")


def year_choices(session: Session, by: ActingOfficer, record: Any) -> list[tuple[str, str]]:
    """Return the years whose lists may be made: next year's first, as it is asked for."""
    this, following = annual_lists.years(session)
    return [(str(following), f"{following} 年度"), (str(this), f"{this} 年度（补充或补编）")]


def draft(session: Session, *, by: ActingOfficer, year: str, note: str) -> AnnualList:
    """Begin a list of the year that was chosen."""
    number = int(year) if year.isascii() and year.isdigit() and len(year) == 4 else 0
    return annual_lists.draft(session, by=by, year=number, note=note)


def supplement(session: Session, record: AnnualList, *, by: ActingOfficer, note: str) -> AnnualList:
    """Begin the next edition of the list that the page shows. Raises OtherDivision."""
    if record.division_code != by.division_code:
        raise OtherDivision(title=record.title, step="编制补充清单")
    return annual_lists.draft(session, by=by, year=record.year, note=note)


class AnnualListView(ConsoleView, model=AnnualList):
    """项目清单。"""

    category, icon = Menu.CATALOGUE, "fa-solid fa-clipboard-list"
    permission = P.ANNUAL_LIST_VIEW
    lifecycle, verbs = ANNUAL_LIST_LIFECYCLE, "workflows.annual_lists"
    column_list = ["title", "number", "division_code", "year", "edition", "item_count", "added_count", "dropped_count",
                   "status", "published_at"]  # fmt: skip
    headline = (
        "division_code",
        "year",
        "edition",
        "item_count",
        "added_count",
        "dropped_count",
        "published_at",
        "note",
    )
    column_details_list = ["title", "number", "division_code", "year", "edition", "item_count", "added_count",
                           "dropped_count", "note", "status", "arrived_at", "published_at", "digest"]  # fmt: skip
    title_field = "title"
    search_text = ("number", "title")
    filters = ("status",)
    order = ("-year", "-id")
    related = (
        Related(
            "清单项目", AnnualListItem, "list_id",
            ("code", "name", "sector", "domain", "policy_level", "project_version", "change", "reason"),
            P.ANNUAL_LIST_VIEW, order="code",
        ),
        Related(
            "对外公开", Publication, "list_id", ("title", "number", "status", "published_on", "ended_on"),
            P.PUBLICATION_VIEW, link="publication", order="-id",
        ),
    )  # fmt: skip
    forms = (
        Form(
            "new", "编制清单", P.ANNUAL_LIST_DRAFT, draft, (Ask("year", "年度", "choice"), NOTE),
            (("year", year_choices),), seats=Desk.OWN_FINANCE_CLERK.seats,
            consequence="先列入上一版清单中仍可选择的项目，再逐项增减；由审核岗发布（第六条、第七条第一项）。",
        ),
        Form(
            "supplement", "编制补充清单", P.ANNUAL_LIST_DRAFT, supplement, (NOTE,), on_record=True,
            statuses=(AnnualListStatus.PUBLISHED,), seats=Desk.OWN_FINANCE_CLERK.seats,
            consequence="在现行清单上增减项目：新出台的应纳速纳，停发的移出并写明原因；现行清单不变，另发一版。",
        ),
        Form(
            "publicise", "拟稿对外公开", P.PUBLICATION_PREPARE, publications.prepare_list, (CONTACT, TELEPHONE),
            on_record=True, statuses=(AnnualListStatus.PUBLISHED,), seats=Desk.OWN_FINANCE_CLERK.seats,
            consequence="以本清单内容拟稿，由审核岗发布后向社会公开（第八条）。",
        ),
    )  # fmt: skip

    def scoped(self, by: ActingOfficer) -> Any:
        """Return the lists from one's own up to the region's: PostgreSQL knows which."""
        return sa.select(AnnualList)

    def offered(self, request: Request, record: Any = None) -> list[Form]:
        """Return the forms for one's own lists only: whose list it is supplements and publishes it."""
        found = super().offered(request, record)
        return found if record is None or record.division_code == who(request).division_code else []

    def title(self, record: Any) -> str:
        """Return the list's own title: it says what it is."""
        return str(record.title)

    def links(self, record: Any) -> list[tuple[str, str]]:
        """Return the page where projects are selected, while the edition is being made."""
        words = {AnnualListStatus.DRAFT: "选择项目", AnnualListStatus.SUBMITTED: "查看选择情况"}
        return [(words[record.status], f"{CHOOSE}/{record.id}/choose")] if record.status in words else []
