"""Publications in the console: prepared, published, replaced, withdrawn. （第八、九、二十六条）"""

from typing import Any

import sqlalchemy as sa
from sqlmodel import Session, col, select

from admin.annual_lists import CONTACT, TELEPHONE
from admin.base import ConsoleView, Form, Menu
from models.annual_lists import AnnualList, AnnualListStatus
from models.base import REGION_CODE
from models.officers import ActingOfficer
from models.organisations import OrganisationKind
from models.projects import SubsidyProject
from models.publications import SHOWN, Publication, PublicationKind
from policies.lifecycles import Ask, Desk
from policies.lifecycles.publications import PUBLICATION_LIFECYCLE
from policies.permissions import Permission as P
from policies.refusals import NotFound
from workflows import annual_lists, publications
from workflows.publications import DRAFTS, LEVELS

KINDS = tuple((str(one), one.label) for one in (PublicationKind.POLICY, PublicationKind.STANDARD))
MAYBE = "不填则用项目申请表上的"
ASKS = (
    Ask("kind", "类别", "choice", choices=KINDS),
    Ask("project", "补贴项目", "row"),
    Ask("contact", "联系人", "text", required=False, help=MAYBE),
    Ask("telephone", "联系电话", "text", required=False, help=f"公众可以拨打的办公电话，{MAYBE}（第二十六条）"),
)


def project_choices(session: Session, by: ActingOfficer, record: Any) -> list[tuple[str, str]]:
    """Return the projects whose policy or standards the officer's department publishes. （第八条）"""
    levels = [level for level, publisher in LEVELS.items() if publisher == by.level]
    project = SubsidyProject
    mine = sa.and_(
        col(project.policy_level).in_(levels), col(project.division_code).in_((by.division_code, REGION_CODE))
    )
    sets = col(project.definition)["standard_setter"].astext == str(by.level)
    rows = session.execute(
        sa.select(project.id, project.code, project.name)  # type: ignore[call-overload]
        .where(col(project.sector) == by.sector, sa.or_(mine, sets))
        .order_by(col(project.code))
    )
    return [(str(row.id), f"{row.code} {row.name}") for row in rows]


def prepare(
    session: Session, *, by: ActingOfficer, kind: str, project: int, contact: str, telephone: str
) -> Publication:
    """Prepare the publication of a project that was chosen from the list."""
    found = session.get(SubsidyProject, project)
    if found is None:
        raise NotFound
    wanted = PublicationKind(kind)
    return publications.prepare(session, found, by=by, kind=wanted, contact=contact, telephone=telephone)


def list_choices(session: Session, by: ActingOfficer, record: Any) -> list[tuple[str, str]]:
    """Return the edition in force of each year's list of the officer's division."""
    rows = session.exec(
        select(AnnualList)
        .where(AnnualList.division_code == by.division_code, AnnualList.status == AnnualListStatus.PUBLISHED)
        .order_by(col(AnnualList.year).desc(), col(AnnualList.edition).desc())
    )
    newest: dict[int, AnnualList] = {}
    for one in rows:
        newest.setdefault(one.year, one)
    return [(str(one.id), one.title) for one in newest.values()]


def prepare_list(session: Session, *, by: ActingOfficer, annual_list: int, contact: str, telephone: str) -> Publication:
    """Prepare the publication of a list that was chosen."""
    found = session.get(AnnualList, annual_list)
    if found is None:
        raise NotFound
    return publications.prepare_list(session, found, by=by, contact=contact, telephone=telephone)


def renew(session: Session, record: Publication, *, by: ActingOfficer, contact: str, telephone: str) -> Publication:
    """Prepare a new text about the same matter from what is in force now. （第九条）"""
    if record.kind == PublicationKind.LIST:
        newest = annual_lists.latest(session, record.division_code, record.year)
        if newest is None:
            raise NotFound
        return publications.prepare_list(session, newest, by=by, contact=contact, telephone=telephone)
    project = session.get_one(SubsidyProject, record.project_id)
    return publications.prepare(session, project, by=by, kind=record.kind, contact=contact, telephone=telephone)


class PublicationView(ConsoleView, model=Publication):
    """公开内容。"""

    category, icon = Menu.CATALOGUE, "fa-solid fa-bullhorn"
    permission = P.PUBLICATION_VIEW
    lifecycle, verbs = PUBLICATION_LIFECYCLE, "workflows.publications"
    record_template = "publication"
    column_list = ["title", "number", "kind", "division_code", "sector", "status", "published_on", "ended_on"]
    headline = ("kind", "division_code", "sector", "contact", "telephone", "published_on", "ended_on", "ended_for")
    column_details_list = ["title", "number", "kind", "division_code", "sector", "year", "source_version", "contact",
                           "telephone", "status", "arrived_at", "published_on", "ended_on", "ended_for",
                           "digest"]  # fmt: skip
    title_field = "title"
    search_text = ("number", "title")
    filters = ("kind",)
    forms = (
        Form(
            "project", "拟稿公开政策、标准", P.PUBLICATION_PREPARE, prepare, ASKS, (("project", project_choices),),
            seats=Desk.OWN_DEPARTMENT_CLERK.seats,
            consequence="内容取自现行的项目和标准，由本部门审核岗发布后向社会公开（第八条谁主管、谁负责、谁公开）。",
        ),
        Form(
            "list", "拟稿公开清单", P.PUBLICATION_PREPARE, prepare_list,
            (Ask("annual_list", "项目清单", "row"), CONTACT, TELEPHONE), (("annual_list", list_choices),),
            seats=Desk.OWN_FINANCE_CLERK.seats,
            consequence="内容取自已发布的清单，由审核岗发布后向社会公开（第八条）。",
        ),
        Form(
            "refresh", "更新内容", P.PUBLICATION_PREPARE, publications.refresh, (CONTACT, TELEPHONE), on_record=True,
            statuses=DRAFTS, filled=("contact", "telephone"),
            consequence="按现行的项目、标准或清单重新取内容。",
        ),
        Form(
            "renew", "按现行内容拟新稿", P.PUBLICATION_PREPARE, renew, (CONTACT, TELEPHONE), on_record=True,
            statuses=SHOWN, filled=("contact", "telephone"),
            consequence="新稿由审核岗发布后替换本内容；本内容在此之前继续公开，之后留存备查（第九条）。",
        ),
    )  # fmt: skip

    def scoped(self, by: ActingOfficer) -> Any:
        """Return a department's own line and the lists of finance; everybody else sees all."""
        statement = sa.select(Publication)
        if by.kind != OrganisationKind.DEPARTMENT:
            return statement
        return statement.where(col(Publication.sector).in_((by.sector, "")))

    def offered(self, request: Any, record: Any = None) -> list[Form]:
        """Return the forms for one's own publications only."""
        found = super().offered(request, record)
        by = request.scope["live"].officer
        if record is None:
            return found
        mine = Desk.OWN_FINANCE_CLERK if record.kind == PublicationKind.LIST else Desk.OWN_DEPARTMENT_CLERK
        return found if mine.seats(by) and mine.reaches(by, record.division_code) else []

    def title(self, record: Any) -> str:
        """Return the publication's own title."""
        return str(record.title)
