"""Changes of the policy, its versions. （第二十三、二十四条）"""

from typing import Any

import sqlalchemy as sa
from sqlmodel import Session, col, select
from starlette.requests import Request

from admin.base import BASE, ConsoleView, Form, Menu, call
from admin.reading import who
from models.events import Event
from models.officers import ActingOfficer
from models.policy_changes import PolicyChange, PolicyChangeStatus, PolicyEdition
from models.policy_rules import PolicyVersion
from policies.lifecycles import Ask, Desk, Step
from policies.lifecycles.policy_changes import POLICY_CHANGE_LIFECYCLE
from policies.permissions import Permission as P
from policies.policy_lines import PolicyInvalid, difference
from workflows import policy_changes

LARGEST = 2 * 1024 * 1024
LATEST = 50
REDRAFTED = (PolicyChangeStatus.PROPOSED, PolicyChangeStatus.REJECTED, PolicyChangeStatus.WITHDRAWN)


def origins(session: Session, by: ActingOfficer, record: Any) -> list[tuple[str, str]]:
    """Return what a change can be drafted from: the policy in force, older versions, changes that didn't make it."""
    versions = session.exec(select(PolicyEdition).order_by(col(PolicyEdition.id).desc()).limit(LATEST)).all()
    others = session.exec(
        select(PolicyChange)
        .where(col(PolicyChange.status).in_(REDRAFTED))
        .order_by(col(PolicyChange.id).desc())
        .limit(LATEST)
    ).all()
    return [
        ("current", "现行策略"),
        *((f"version:{one.policy_version}", f"回滚到版本 {one.policy_version}：{one.title}") for one in versions[1:]),
        *((f"change:{one.id}", f"重新拟定 {one.number}：{one.title}") for one in others),
    ]


def take_file(session: Session, change: PolicyChange, *, by: ActingOfficer, file: tuple[str, bytes]) -> PolicyChange:
    """Import a Casbin policy file into a draft. Raises PolicyInvalid."""
    _, content = file
    try:
        text = content[:LARGEST].decode("utf-8-sig")
    except UnicodeDecodeError as wrong:
        raise PolicyInvalid(line=content[: wrong.start].count(b"\n") + 1, problem="文件应为 UTF-8 编码") from wrong
    change, _ = policy_changes.import_lines(session, change, by=by, content=text)
    return change


class PolicyChangeView(ConsoleView, model=PolicyChange):
    """策略变更。"""

    category, icon = Menu.SECURITY, "fa-solid fa-code-pull-request"
    permission = P.POLICY_VIEW
    lifecycle = POLICY_CHANGE_LIFECYCLE
    verbs = "workflows.policy_changes"
    column_list = ["number", "title", "origin", "base_version", "summary", "drafted_by", "status", "arrived_at"]
    headline = ("title", "reason", "origin", "base_version", "drafted_by", "arrived_at")
    column_details_list = [
        "number", "title", "reason", "origin", "base_version", "summary", "digest", "drafted_by", "status",
        "arrived_at",
    ]  # fmt: skip
    search_text = ("number", "title")
    filters = ("status",)
    record_template = "policy_change"
    forms = (
        Form(
            "draft",
            "拟定变更",
            P.POLICY_DRAFT,
            call("policy_changes", "draft"),
            (
                Ask("title", "变更事项", "text", help="一句话说明，如 旗县财政经办岗增加对账权限"),
                Ask("reason", "变更理由", help="依据的文件、会议或业务需要"),
                Ask("origin", "起草依据", "choice"),
            ),
            choices=(("origin", origins),),
            consequence="先拟定，再在权限矩阵中修改或导入策略文件；启用前现行策略不变。",
        ),
        Form(
            "import",
            "导入策略文件",
            P.POLICY_DRAFT,
            take_file,
            (Ask("file", "Casbin 策略文件（CSV，每行以 p 开头）", "file"),),
            consequence="以文件内容替换本草稿的全部策略行；有一行无效即整体退回，并指出行号和更正办法。",
            on_record=True,
            statuses=(PolicyChangeStatus.DRAFT,),
        ),
        Form(
            "rebase",
            "合并到现行版本",
            P.POLICY_DRAFT,
            call("policy_changes", "rebase"),
            consequence="把本草稿的增删移到现行版本上，请合并后重新核对后果。",
            on_record=True,
            statuses=(PolicyChangeStatus.DRAFT,),
            where=(col(PolicyChange.base_version) != sa.select(col(PolicyVersion.version)).scalar_subquery(),),
        ),
    )

    def steps(self, request: Request, record: Any) -> list[Step]:
        """Return the steps; whoever drafted isn't offered the second officer's, which would be refused."""
        own = record.drafter == who(request).person
        steps = super().steps(request, record)
        return [step for step in steps if not (own and step.desk == Desk.SECURITY_ENABLER)]

    def links(self, record: Any) -> list[tuple[str, str]]:
        """Return the matrix, the file, and a new draft from one that came to nothing."""
        page = f"{BASE}/policy-changes/{record.id}"
        draft = record.status == PolicyChangeStatus.DRAFT
        found = [("编辑权限矩阵" if draft else "查看权限矩阵", f"{page}/matrix"), ("导出 CSV", f"{page}/policy.csv")]
        if record.status in REDRAFTED:
            found.append(("据此重新拟定", f"{self.root_url}form/draft?origin=change:{record.id}"))
        return found

    def extra(self, session: Session, record: Any, by: ActingOfficer, granted: frozenset[str]) -> dict[str, Any]:
        """Return the consequences and the record's own history, which every administrator of the policy may read."""
        return {
            "told": policy_changes.consequences_of(session, record),
            "history": list(
                session.exec(
                    select(Event)
                    .where(col(Event.noun) == "policy_change", col(Event.record_id) == record.id)
                    .order_by(col(Event.id).desc())
                )
            ),
        }


class PolicyEditionView(ConsoleView, model=PolicyEdition):
    """策略版本。"""

    category, icon = Menu.SECURITY, "fa-solid fa-clock-rotate-left"
    permission = P.POLICY_VIEW
    title_field = "policy_version"
    column_list = [
        "policy_version", "title", "origin", "drafted_by", "enabled_by", "in_force_from", "line_count",
    ]  # fmt: skip
    headline = ("title", "origin", "drafted_by", "enabled_by", "in_force_from", "line_count")
    column_details_list = [
        "policy_version", "title", "reason", "origin", "drafted_by", "enabled_by", "in_force_from", "line_count",
        "digest",
    ]  # fmt: skip
    search_text = ("title",)
    record_template = "policy_edition"

    def links(self, record: Any) -> list[tuple[str, str]]:
        """Return the matrix and file of this version, and the way back to it."""
        page = f"{BASE}/policy/versions/{record.policy_version}"
        rollback = f"{BASE}/policy-change/form/draft?origin=version:{record.policy_version}"
        return [("查看权限矩阵", f"{page}/matrix"), ("导出 CSV", f"{page}/policy.csv"), ("拟定回滚", rollback)]

    def extra(self, session: Session, record: Any, by: ActingOfficer, granted: frozenset[str]) -> dict[str, Any]:
        """Return what this version changed against the one before it."""
        former = session.exec(
            select(PolicyEdition)
            .where(col(PolicyEdition.policy_version) < record.policy_version)
            .order_by(col(PolicyEdition.policy_version).desc())
            .limit(1)
        ).first()
        before = policy_changes.stored_lines(former.lines) if former else ()
        return {
            "former": former.policy_version if former else 0,
            "difference": difference(before, policy_changes.stored_lines(record.lines)),
        }
