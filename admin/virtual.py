"""Virtual households and transfers: asked for with an ID number, answered with a township. （第十一、二十一条）"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import sqlalchemy as sa
from sqlmodel import Session, col
from starlette.requests import Request

from admin import registry_asks as q
from admin.base import ConsoleView, Form, Menu, Related, call
from admin.forms import Shown
from admin.reading import who
from admin.registry import DOCUMENTS, HOW, WHY, documents_tab, options_of, packed, papers_page
from models.failures import Failure, FailureStatus
from models.households import Member
from models.officers import ActingOfficer
from models.projects import ProjectStatus, SubsidyProject
from models.rosters import RosterLine
from models.transfers import Transfer
from models.virtual_members import VirtualMember
from policies.codes import HEAD, RELATIONS
from policies.lifecycles import Ask, Desk, Step
from policies.lifecycles.transfers import TRANSFER_LIFECYCLE
from policies.lifecycles.virtual_members import VIRTUAL_MEMBER_LIFECYCLE
from policies.permissions import Permission as P
from workflows import registry_documents, transfers
from workflows.files import Download

ID_NUMBER = replace(q.ID_NUMBER, help="18 位；只用于查找登记地，答复只有登记的苏木乡镇和脱敏姓名，本次查询留痕")
PROJECT = Ask("project", "补贴项目", "choice", required=False, help="留空为全部项目")
REASON = Ask("reason", "原因", help="写明事由和依据，不要写身份证号、账号")
INTO = Ask("into_number", "迁入户的户编号", "text", required=False, help="迁入已有的户；留空为另立新户，本人为户主")
RELATION = Ask(
    "relation", "与户主关系", "choice",
    choices=((HEAD, "户主（另立新户）"), *((key, name) for key, name in q.RELATION.choices if key in RELATIONS)),
)  # fmt: skip
VILLAGE = replace(q.VILLAGE, required=False, help="另立新户时填写")

REFERENCES = Related(
    "被引用",
    VirtualMember,
    "keeper_member_id",
    ("division_code", "project_name", "reason", "status", "started_on", "ended_on"),
    P.REGISTRY_CHANGE_VIEW,
    link="virtual-member",
    order="-id",
)
"""The tab of a member's page that says which townships pay the person from elsewhere."""

ADOPT = Form(
    "adopt",
    "采用管理地账户",
    P.FAILURE_CORRECT,
    call("virtual_failures", "adopt"),
    (Ask("resolution", "处理说明"),),
    consequence="虚拟户的账户由管理地变更或激活并验证通过后，在此采用，列入补发（第二十一条第一、二项）。",
    on_record=True,
    statuses=(FailureStatus.NOTIFIED,),
    where=(
        sa.exists().where(
            col(RosterLine.county_code) == col(Failure.county_code),
            col(RosterLine.id) == col(Failure.line_id),
            col(RosterLine.account_id).is_(None),
            col(VirtualMember.division_code) == col(RosterLine.division_code),
            col(VirtualMember.member_id) == col(RosterLine.member_id),
        ),
    ),
    seats=Desk.TOWNSHIP_CLERK.seats,
)
"""Offered on a failed payment to a person whom another township keeps."""


def projects(session: Session, by: ActingOfficer, record: Any) -> Sequence[tuple[str, str]]:
    """Return the projects in force, by number."""
    project: Any = SubsidyProject
    rows = session.execute(
        sa.select(project.id, project.name, project.code)
        .where(project.status == ProjectStatus.ADMITTED)
        .order_by(project.code)
    )
    return [(str(number), f"{name}（{code}）") for number, name, code in rows]


def given(answers: dict[str, Any]) -> dict[str, Any]:
    """Return what was filled in."""
    return {name: value for name, value in answers.items() if value not in (None, "")}


def ask_transfer(session: Session, *, by: ActingOfficer, **answers: Any) -> Transfer:
    """Ask for a person, with what was filled in."""
    return transfers.request(session, by=by, **given(answers))


def show_papers(
    session: Session, record: Transfer, *, by: ActingOfficer, reason: str, documents: list[int], how: str
) -> Shown | Download:
    """Show what proves a transfer, to either township. （第三十条）"""
    found = registry_documents.show(session, record, transfers.NOUN, by=by, reason=reason, documents=documents)
    if how == "download":
        return packed(found, record.number)
    return papers_page(record, found, [], reason)


class VirtualMemberView(ConsoleView, model=VirtualMember):
    """虚拟户。"""

    category, icon = Menu.REGISTRY, "fa-solid fa-people-arrows"
    permission = P.REGISTRY_CHANGE_VIEW
    lifecycle, verbs = VIRTUAL_MEMBER_LIFECYCLE, "workflows.virtual_members"
    record_template = "virtual_member"
    column_list = ["number", "name", "keeper", "division_code", "project_name", "person_status", "account_state",
                   "status", "started_on"]  # fmt: skip
    headline = ("name", "keeper", "division_code", "project_name", "person_status", "died_on", "account_number",
                "bank_name", "account_state", "refreshed_at")  # fmt: skip
    column_details_list = [
        "number", "name", "keeper", "division_code", "project_name", "reason", "status", "prepared_at", "started_on",
        "ended_on", "ended_for", "person_status", "died_on", "account_number", "bank_name", "account_is_card",
        "account_state", "account_verified_at", "refreshed_at",
    ]  # fmt: skip
    search_text = ("number", "keeper")
    filters = ("status",)
    order = ("-division_code", "-id")
    related = (
        Related(
            "人员", Member, "id", ("name", "id_number", "status", "died_on", "identity_outcome", "identity_checked_at"),
            P.HOUSEHOLD_VIEW, own="member_id",
        ),
        Related(
            "清册明细", RosterLine, "member_id",
            ("sequence", "name", "amount_fen", "account_number", "account_state", "identity_outcome", "state"),
            P.ROSTER_VIEW, own="member_id", order="-id", total="amount_fen",
        ),
    )  # fmt: skip
    forms = (
        Form(
            "new", "引用管理地在外的人员", P.REGISTRY_CHANGE_PROPOSE, call("virtual_members", "propose"),
            (ID_NUMBER, PROJECT, replace(REASON, label="引用原因")), (("project", projects),),
            "提交后由苏木乡镇负责人审批；生效后本乡镇只能引用发放所需的内容，不能查看完整信息、不能修改（第十一条）。",
            seats=Desk.TOWNSHIP_KEEPER.seats,
        ),
        Form(
            "look-up", "查询登记地", P.REGISTRY_CHANGE_PROPOSE, call("virtual_members", "look_up"),
            (ID_NUMBER, replace(REASON, label="查询事由")),
            consequence="只答复由哪个苏木乡镇登记；查询人、时间和事由记入办理记录（第十一、三十条）。",
            seats=Desk.TOWNSHIP_KEEPER.seats,
        ),
    )  # fmt: skip

    def steps(self, request: Request, record: Any) -> list[Step]:
        """Return the steps of the paying township: the keeper reads a reference and changes nothing of it."""
        return super().steps(request, record) if who(request).scope.covers(record.division_code) else []

    def extra(self, session: Session, record: Any, by: ActingOfficer, granted: frozenset[str]) -> dict[str, Any]:
        """Return whether the reader keeps the person, and the page of the person there."""
        keeps = by.scope.covers(record.keeper_code) if record.keeper_code else False
        return {"keeps": keeps, "member": session.get(Member, record.keeper_member_id) if keeps else None}


class TransferView(ConsoleView, model=Transfer):
    """跨乡镇迁移。"""

    category, icon = Menu.REGISTRY, "fa-solid fa-right-left"
    permission = P.REGISTRY_CHANGE_VIEW
    lifecycle, verbs = TRANSFER_LIFECYCLE, "workflows.transfers"
    record_template = "transfer"
    column_list = ["number", "side", "name", "division_code", "partner", "effective_on", "evidence_count", "status",
                   "prepared_at"]  # fmt: skip
    headline = ("side", "name", "division_code", "partner", "effective_on", "evidence_count", "answered_at")
    column_details_list = [
        "number", "side", "name", "division_code", "partner", "reason", "effective_on", "relation", "village",
        "group_name", "address", "evidence_count", "status", "prepared_at", "arrived_at", "answered_at", "refused_for",
    ]  # fmt: skip
    search_text = ("number", "partner")
    filters = ("status", "side")
    order = ("-division_code", "-id")
    related = (documents_tab(transfers.NOUN, P.REGISTRY_CHANGE_VIEW),)
    forms = (
        Form(
            "new", "办理迁入", P.REGISTRY_CHANGE_PROPOSE, ask_transfer,
            (ID_NUMBER, INTO, RELATION, VILLAGE, q.GROUP, q.ADDRESS,
             replace(q.DAY, label="迁移日期", help="实际迁居的日期，不是办理日期"),
             replace(REASON, label="迁移原因"), q.MAYBE_EVIDENCE),
            (("village", q.village_options),),
            "提交后由本乡镇负责人审批，再送管理地负责人确认；确认前没有任何信息转移（第十一条）。",
            seats=Desk.TOWNSHIP_KEEPER.seats, present=q.today_of,
        ),
        Form(
            "documents", "查看材料", P.REGISTRY_CHANGE_VIEW, show_papers, (WHY, DOCUMENTS, HOW),
            (("documents", options_of(transfers.NOUN)),),
            "材料含完整个人信息；查看人、时间、事由和份数将被记录，每次查看各记一次（第三十条）。", on_record=True,
            where=(col(Transfer.evidence_count) > 0,),
        ),
    )  # fmt: skip

    def extra(self, session: Session, record: Any, by: ActingOfficer, granted: frozenset[str]) -> dict[str, Any]:
        """Return whose page to open: the person kept here, once there is one."""
        found = session.get(Member, record.member_id) if record.member_id else None
        return {"member": found}
