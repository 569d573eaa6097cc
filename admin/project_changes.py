"""Project changes and the register of exceptions in the console. （第二条、第七条）"""

from typing import Any
from urllib.parse import quote

import sqlalchemy as sa
from sqladmin import expose
from sqlmodel import Session
from starlette.requests import Request
from starlette.responses import Response

from admin.base import BASE, ID_DIGITS, ConsoleView, Form, Menu, division_names
from admin.project_shown import differences, readable, sections
from admin.reading import reading, who
from models.divisions import Level
from models.officers import ActingOfficer, Role
from models.organisations import OrganisationKind
from models.project_changes import ProjectChange, ProjectChangeKind, ProjectChangeStatus, ProjectException
from models.projects import PolicyLevel, ProjectVersion, SubsidyProject
from models.registry_changes import Attachment
from policies.lifecycles import Ask
from policies.lifecycles.project_changes import PROJECT_CHANGE_LIFECYCLE, PROJECT_EXCEPTION_LIFECYCLE
from policies.permissions import Permission as P
from policies.refusals import NotFound, ReasonMissing
from workflows import project_changes, project_exceptions
from workflows.files import content_of
from workflows.project_drafts import EDITABLE
from workflows.project_sheets import read

PAPERS = ("kind", "file_name", "media_type", "size", "added_at")
REASON = Ask("reason", "申请理由", help="政策出台、变更或废止的事由和依据")


def drafters(by: ActingOfficer) -> bool:
    """Tell whether a post fills in forms: a department's clerk of the region or of a county. （第七条）"""
    return by.kind == OrganisationKind.DEPARTMENT and by.role == Role.CLERK and by.level in (Level.REGION, Level.COUNTY)


def levels(session: Session, by: ActingOfficer, record: Any) -> list[tuple[str, str]]:
    """Return the levels of policy that a post fills in for. （第七条第二项、第三项）"""
    regional = by.level == Level.REGION
    mine = (PolicyLevel.REGION, PolicyLevel.CENTRAL) if regional else (PolicyLevel.COUNTY, PolicyLevel.LEAGUE)
    return [(str(one), one.label) for one in mine]


def new(session: Session, *, by: ActingOfficer, code: str, name: str, policy_level: str, reason: str) -> ProjectChange:
    """Begin the form of a project that doesn't exist yet."""
    if policy_level not in dict(levels(session, by, None)):
        raise ReasonMissing(step="申请项目入库", field="政策级次")
    level = PolicyLevel(policy_level)
    return project_changes.draft(
        session, by=by, kind=ProjectChangeKind.ADMIT, code=code, name=name, policy_level=level, reason=reason
    )


def file_answer(name: str, content: bytes, media_type: str) -> Response:
    """Return a file for the browser to keep."""
    disposition = f"attachment; filename*=UTF-8''{quote(name)}"
    return Response(content, media_type=media_type, headers={"Content-Disposition": disposition})


def number_of(text: str) -> int:
    """Return a record's number from an address. Raises NotFound."""
    if not (text.isascii() and text.isdigit() and len(text) <= ID_DIGITS):
        raise NotFound
    return int(text)


class _WithPapers(ConsoleView):
    """What both registers share: policy documents are no personal data, whoever sees the record may read them."""

    @expose("/paper/{key}/{attachment}")
    async def paper(self, request: Request) -> Response:
        """Send a document of a record."""
        by, wanted = who(request), number_of(request.path_params["attachment"])
        if self.permission not in self.granted(request):
            raise NotFound

        def question(session: Session) -> tuple[Attachment, bytes]:
            record = self.find(session, by, request.path_params["key"])
            file = session.get(Attachment, wanted)
            if file is None or (file.noun, file.record_id) != (self.event_noun, record.id):
                raise NotFound
            return file, content_of(session, file.file_id)

        file, content = await reading(question)
        return file_answer(file.file_name, content, file.media_type)

    def papers(self, session: Session, record: Any) -> list[Attachment]:
        """Return the documents of a record."""
        file: Any = Attachment
        statement = sa.select(file).where(
            file.division_code == record.division_code, file.noun == self.event_noun, file.record_id == record.id
        )
        return list(session.execute(statement.order_by(file.id)).scalars())


class ProjectChangeView(_WithPapers, model=ProjectChange):
    """项目申请：《惠民惠农财政补贴项目申请表》。"""

    category, icon = Menu.CATALOGUE, "fa-solid fa-file-signature"
    permission = P.PROJECT_CHANGE_VIEW
    lifecycle, verbs = PROJECT_CHANGE_LIFECYCLE, "workflows.project_changes"
    record_template = "project_change"
    column_list = ["number", "kind", "name", "code", "policy_level", "sector", "division_code", "status",
                   "prepared_at"]  # fmt: skip
    headline = ("kind", "name", "code", "policy_level", "sector", "division_code", "joint_document", "effective_on",
                "effective_at")  # fmt: skip
    column_details_list = [
        "number", "kind", "name", "code", "policy_level", "sector", "division_code", "owner_code", "base_version",
        "reason", "effective_on", "joint_document", "document_count", "status", "prepared_at", "arrived_at",
        "effective_at", "returned_for",
    ]  # fmt: skip
    search_text = ("number", "code", "name")
    filters = ("status", "kind", "policy_level")
    forms = (
        Form(
            "new", "申请新项目入库", P.PROJECT_CHANGE_DRAFT, new,
            (Ask("code", "项目编码", "text", help="3 至 20 位数字或大写字母，全区不重复"),
             Ask("name", "项目名称", "text"), Ask("policy_level", "政策级次", "choice"), REASON),
            (("policy_level", levels),), seats=drafters,
            consequence="填写《惠民惠农财政补贴项目申请表》：保存后可多次修改，提交后由本部门审核岗审签（第七条）。"
            "已在库的项目要变更、停用的，从项目库中该项目的页面提出。",
        ),
        Form(
            "rebase", "按现行版本继续填写", P.PROJECT_CHANGE_DRAFT, project_changes.rebase, on_record=True,
            statuses=tuple(EDITABLE), seats=drafters,
            where=(sa.text(
                "exists (select from subsidy_projects p where p.id = project_changes.project_id"
                " and p.project_version <> project_changes.base_version)"
            ),),
            consequence="项目在填写期间有了新版本：填写的内容保留，请对照“与现行版本的差异”逐项核对后再提交（第九条）。",
        ),
    )  # fmt: skip

    def links(self, record: Any) -> list[tuple[str, str]]:
        """Return the way to the form."""
        return [("填写申请表", f"{BASE}/project-form/{record.id}")] if record.status in EDITABLE else []

    def extra(self, session: Session, record: Any, by: ActingOfficer, granted: frozenset[str]) -> dict[str, Any]:
        """Return the form's content, what it changes, what is still wrong with it, and its documents."""
        names = division_names(session)
        definition = readable(record.definition) or read(record.sheet)[0]
        live = session.get(SubsidyProject, record.project_id) if record.project_id else None
        base = self._base(session, record)
        ended = record.status in (ProjectChangeStatus.EFFECTIVE, ProjectChangeStatus.WITHDRAWN)
        return {
            "sections": sections(definition, names) if definition else [],
            "differences": differences(base, definition, names) if definition and base else [],
            "base": record.base_version if base else 0,
            "mistakes": project_changes.mistakes_of(session, record) if record.status in EDITABLE else [],
            "overtaken": "" if ended else project_changes.overtaken(session, record),
            "papers": self.papers(session, record),
            "project": live,
            "fills": drafters(by) and P.PROJECT_CHANGE_DRAFT in granted,
        }

    def _base(self, session: Session, record: ProjectChange) -> Any:
        """Return the version that the form was filled in from."""
        version: Any = ProjectVersion
        raw = session.execute(
            sa.select(version.definition).where(
                version.project_id == record.project_id, version.number == record.base_version
            )
        ).scalar_one_or_none()
        return readable(raw) if raw else None


def enter(session: Session, *, by: ActingOfficer, policy_level: str, **asked: Any) -> ProjectException:
    """Enter a subsidy into the register of exceptions."""
    return project_exceptions.propose(session, by=by, policy_level=PolicyLevel(policy_level), **asked)


REGIONAL = tuple((str(one), one.label) for one in (PolicyLevel.CENTRAL, PolicyLevel.REGION))


class ProjectExceptionView(_WithPapers, model=ProjectException):
    """不纳入项目。"""

    category, icon = Menu.CATALOGUE, "fa-solid fa-ban"
    permission = P.EXCEPTION_VIEW
    lifecycle, verbs = PROJECT_EXCEPTION_LIFECYCLE, "workflows.project_exceptions"
    record_template = "project_exception"
    opens = "all"
    column_list = ["number", "name", "policy_level", "sector", "document_number", "issued_on", "valid_to", "status"]
    headline = ("name", "policy_level", "sector", "document_number", "document_title", "document_issuer", "issued_on",
                "valid_to", "confirmed_at")  # fmt: skip
    column_details_list = [
        "number", "name", "policy_level", "sector", "reason", "document_number", "document_title", "document_issuer",
        "issued_on", "valid_to", "evidence_count", "status", "arrived_at", "confirmed_at", "returned_for", "ended_for",
    ]  # fmt: skip
    search_text = ("number", "name", "sector")
    filters = ("status", "policy_level")
    forms = (
        Form(
            "new", "登记不纳入项目", P.EXCEPTION_PROPOSE, enter,
            (
                Ask("name", "补贴名称", "text"), Ask("policy_level", "政策级次", "choice", choices=REGIONAL),
                Ask("sector", "主管领域", "text", help="该补贴的主管部门，如农牧、民政"),
                Ask("reason", "不纳入原因", help="明确不纳入的规定，或存在的特殊情况"),
                Ask("document_number", "文号", "text"), Ask("document_title", "文件名称", "text"),
                Ask("document_issuer", "发文机关", "text"), Ask("issued_on", "发文日期", "date"),
                Ask("valid_to", "有效期止", "date", required=False, help="到期后重新研究是否纳入；长期有效的不填"),
                Ask("evidence", "文件扫描件", "evidence", choices=(("policy", "政策文件"),),
                    help="JPG、PNG 图片或 PDF，每份不超过 5 MB"),
            ),
            consequence="除中央和自治区明确不纳入或存在特殊情况的项目外，补贴原则上均纳入“一卡通”（第二条）。登记由审核岗复核后生效。",
        ),
    )  # fmt: skip

    def scoped(self, by: ActingOfficer) -> Any:
        """Return the whole register: everyone beneath the region reads it, whatever their sector. （第二条）"""
        return sa.select(ProjectException)

    def extra(self, session: Session, record: Any, by: ActingOfficer, granted: frozenset[str]) -> dict[str, Any]:
        """Return the documents, as far as the officer's range reaches."""
        return {"papers": self.papers(session, record)}
