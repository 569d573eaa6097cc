"""Applications and their notices: entered, decided, shown to the public, objected to. （第十三至十五条）"""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlmodel import Session, col
from starlette.requests import Request

from admin.application_entry import entry_content
from admin.base import BASE, ConsoleView, Form, Menu, Related, call
from admin.forms import Shown
from admin.registry import DOCUMENTS, HOW, WHY, documents_tab, options_of, packed, papers_page
from models.applications import Application, ApplicationStatus, QualificationNotice, QualificationObjection
from models.notices import ObjectionStatus
from models.officers import ActingOfficer
from models.projects import SubsidyProject
from policies.clock import now
from policies.lifecycles import Ask, Desk
from policies.lifecycles.applications import APPLICATION_LIFECYCLE
from policies.permissions import Permission as P
from policies.refusals import NotFound
from workflows import applications, registry_documents
from workflows.application_notices import NOUN as NOTICE_NOUN
from workflows.application_values import properties, shown, title_of
from workflows.blockers import Blocker
from workflows.files import Download
from workflows.project_versions import version_of

PROJECT = Ask("project", "补贴项目", "choice", help="本旗县本年度清单内的项目")
OPEN_PROJECTS = sa.text(
    "select p.code, p.name from subsidy_projects p where p.status = 'admitted'"
    " and (:sector = '' or p.sector = :sector) and p.id in (select i.project_id from annual_list_items i"
    " where i.change <> 'dropped' and i.list_id = (select l.id from annual_lists l where l.division_code = :county"
    " and l.year = :year and l.status = 'published' order by l.edition desc limit 1)) order by p.code"
)
APPROVED_PROJECTS = sa.text(
    "select p.code, p.name, count(*) from applications a join subsidy_projects p on p.id = a.project_id"
    " where a.status = 'approved' and (:sector = '' or a.sector = :sector) group by p.code, p.name order by p.code"
)


def open_projects(session: Session, by: ActingOfficer, record: Any) -> Sequence[tuple[str, str]]:
    """Return the listed projects that the post may receive applications for. （第六、十四条）"""
    asked = {"sector": by.sector, "county": f"{by.division_code[:6]}000000", "year": now(session).year}
    return [(code, f"{name}（{code}）") for code, name in session.execute(OPEN_PROJECTS, asked)]


def approved_projects(session: Session, by: ActingOfficer, record: Any) -> Sequence[tuple[str, str]]:
    """Return the projects with approved applications that wait for their notice."""
    rows = session.execute(APPROVED_PROJECTS, {"sector": by.sector})
    return [(code, f"{name}：{count} 份待公示") for code, name, count in rows]


def begin_entry(session: Session, *, by: ActingOfficer, project: str) -> Shown:
    """Show the form of a project's application: its guide, its fields. （第十三条） Raises NotFound."""
    wanted = session.execute(sa.select(SubsidyProject).where(col(SubsidyProject.code) == project)).scalar_one_or_none()
    if wanted is None:
        raise NotFound
    return Shown("application_entry", entry_content(session, by, wanted))


def show_papers(
    session: Session, record: Application, *, by: ActingOfficer, reason: str, documents: list[int], how: str
) -> Shown | Download:
    """Show what proves an application. （第三十条）"""
    found = registry_documents.show(session, record, applications.NOUN, by=by, reason=reason, documents=documents)
    if how == "download":
        return packed(found, record.number)
    return papers_page(record, found, [], reason)


OVER = sa.text("ends_at <= clock_timestamp() + (select moved_by from business_clock)")
"""The notice has run out, by the business clock."""


class ApplicationView(ConsoleView, model=Application):
    """资格申请。"""

    category, icon = Menu.APPLICATIONS, "fa-solid fa-file-pen"
    permission = P.APPLICATION_VIEW
    lifecycle, verbs = APPLICATION_LIFECYCLE, "workflows.applications"
    record_template = "application"
    column_list = ["number", "project_name", "member_name", "division_code", "quantity", "amount_fen", "source",
                   "status", "submitted_at"]  # fmt: skip
    headline = ("project_name", "member_name", "division_code", "village", "quantity", "standard", "amount_fen",
                "source")  # fmt: skip
    column_details_list = [
        "number", "project_name", "project_version", "sector", "member_name", "division_code", "village", "quantity",
        "unit", "standard", "amount_fen", "component", "valid_from", "valid_to", "source", "external_number",
        "outside_decision", "examined_outside", "evidence_count", "status", "reason", "submitted_at", "arrived_at",
    ]  # fmt: skip
    search_text = ("number", "project_name", "external_number")
    filters = ("status", "source")
    order = ("-division_code", "-id")
    total = "amount_fen"
    related = (documents_tab(applications.NOUN, P.APPLICATION_VIEW),)
    forms = (
        Form(
            "new", "受理申请", P.APPLICATION_ENTER, begin_entry, (PROJECT,), (("project", open_projects),),
            "下一步填写申请人、数量和本项目的申报内容（第十三、十四条）。",
        ),
        Form(
            "publish-batch", "整批公示", P.APPLICATION_NOTICE, call("application_notices", "publish_batch"), (PROJECT,),
            (("project", approved_projects),),
            "该项目全部已批准的申请按苏木乡镇各形成一份公示，内容从此固定，公示期按本部门对资格公示环节的设定（第十五条）。",
            seats=Desk.DEPARTMENT_CLERK.seats,
        ),
        Form(
            "documents", "查看材料", P.APPLICATION_VIEW, show_papers, (WHY, DOCUMENTS, HOW),
            (("documents", options_of(applications.NOUN)),),
            "材料含完整个人信息；查看人、时间、事由和份数将被记录，每次查看各记一次（第三十条）。", on_record=True,
            where=(col(Application.evidence_count) > 0,),
        ),
    )  # fmt: skip

    def row_links(self, request: Request, row: Any) -> list[tuple[str, str]]:
        """Return nothing on other records' tabs: an application is looked at on its own page."""
        return []

    def extra(self, session: Session, record: Any, by: ActingOfficer, granted: frozenset[str]) -> dict[str, Any]:
        """Return the project's own fields by their titles, the notice, the register, and what a return asks for."""
        definition = version_of(session, record.project_id, record.project_version)
        notice = session.get(QualificationNotice, record.notice_id) if record.notice_id else None
        amends = record.status == ApplicationStatus.RETURNED and Desk.TOWNSHIP_CLERK.seats(by)
        return {
            "fields": [
                (title_of(name, spec), shown(spec, record.extra[name]))
                for name, spec in properties(definition).items()
                if name in record.extra
            ],
            "notice": notice,
            "amend_url": f"{BASE}/application-entry/{record.id}" if amends and P.APPLICATION_ENTER in granted else "",
            "held": _held(session, record, notice),
        }


def _held(session: Session, record: Any, notice: Any) -> list[Blocker]:
    """Tell what an application waits for. （第十五条）"""
    if record.status == ApplicationStatus.RETURNED:
        way = "由苏木乡镇经办岗补正后再次提交，或撤回"
        return [Blocker("yellow", f"退回原因：{record.reason}", "第十四条", way)]
    if record.status == ApplicationStatus.APPROVED:
        way = "由主管部门经办岗在列表上方“整批公示”，或在本页单独公示"
        return [Blocker("wait", "已批准，等待公示", "第十五条", way)]
    if record.status != ApplicationStatus.ON_NOTICE or notice is None:
        return []
    objection: Any = QualificationObjection
    found = session.execute(
        sa.select(objection.status, objection.upheld).where(
            objection.division_code == record.division_code,
            objection.notice_id == record.notice_id,
            sa.or_(objection.application_id == record.id, objection.application_id.is_(None)),
        )
    ).all()
    blockers = []
    if any(row.status == ObjectionStatus.OPEN for row in found):
        way = "由主管部门经办岗在公示页填写处理意见"
        blockers.append(Blocker("red", "公示异议尚未处理", "第十五条", way))
    if any(row.upheld for row in found):
        way = "由主管部门审核岗办理“不予批准”"
        blockers.append(Blocker("red", "公示异议成立，不得列入资格名册", "第十五条", way))
    if notice.ends_at > now(session):
        text = f"公示至 {notice.content['to']} 届满"
        blockers.append(Blocker("wait", text, "第十五条", "届满无异议的自动列入资格名册"))
    return blockers


class QualificationNoticeView(ConsoleView, model=QualificationNotice):
    """资格公示：就是公众看到的那份，内容已固定。"""

    category, icon = Menu.APPLICATIONS, "fa-solid fa-bullhorn"
    permission = P.APPLICATION_VIEW
    noun = NOTICE_NOUN
    record_template = "qualification_notice"
    column_list = ["number", "project_name", "division_code", "line_count", "published_at", "ends_at"]
    headline = ("project_name", "division_code", "line_count", "published_at", "ends_at")
    search_text = ("number", "project_name")
    order = ("-division_code", "-id")
    related = (
        Related(
            "公示的申请", Application, "notice_id",
            ("number", "member_name", "village", "quantity", "amount_fen", "status"), P.APPLICATION_VIEW,
            link="application", total="amount_fen", together=True,
        ),
        Related(
            "异议", QualificationObjection, "notice_id",
            ("application_number", "text", "received_at", "status", "upheld", "answer", "settled_at"),
            P.APPLICATION_VIEW, link="qualification-objection", order="-id", together=True,
        ),
    )  # fmt: skip
    forms = (
        Form(
            "object", "登记异议", P.APPLICATION_NOTICE, call("application_notices", "object_"),
            (Ask("application_number", "涉及的申请编号", "text", required=False, help="留空为对整个公示的异议"),
             Ask("text", "异议内容", help="不要写身份证号、账号")),
            consequence="异议答复前，所涉及的申请不列入资格名册（第十五条）。",
            on_record=True, tab="qualification_objections",
        ),
        Form(
            "conclude", "公示期满，列入资格名册", P.APPLICATION_NOTICE, call("application_register", "conclude"),
            consequence="公示期满且没有未处理异议的申请列入资格名册；系统也会在期满后自动办理（第十四、十五条）。",
            on_record=True, seats=Desk.DEPARTMENT_CLERK.seats,
            where=(sa.exists().where(
                col(Application.division_code) == col(QualificationNotice.division_code),
                col(Application.notice_id) == col(QualificationNotice.id),
                col(Application.status) == ApplicationStatus.ON_NOTICE,
            ), OVER),
        ),
    )  # fmt: skip


class QualificationObjectionView(ConsoleView, model=QualificationObjection):
    """资格公示异议。"""

    permission = P.APPLICATION_VIEW
    title_field = "application_number"
    column_list = ["application_number", "text", "received_at", "status", "upheld", "answer"]
    headline = ("application_number", "text", "received_at")
    filters = ("status",)
    forms = (
        Form(
            "settle", "处理", P.APPLICATION_NOTICE, call("application_notices", "settle"),
            (Ask("answer", "处理意见", help="答复内容；不要写身份证号、账号"),
             Ask("upheld", "异议成立（所涉申请不得列入资格名册）", "checkbox", required=False)),
            on_record=True, statuses=(ObjectionStatus.OPEN,), seats=Desk.DEPARTMENT_CLERK.seats,
        ),
    )  # fmt: skip

    def url_of(self, record: Any) -> str:
        """Return the notice's page with its objections."""
        return f"{BASE}/qualification-notice/details/{record.notice_id}?tab=qualification_objections"
