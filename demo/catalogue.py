"""The demo's catalogue beside the national one: a flow, a project with fields of its own, what is published.

All of it goes by the verbs, each step by the officer whose desk it is. （第七、八、十三、二十四条）
"""

from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from sqlmodel import Session

from demo.people import COUNTY, Population
from models.annual_lists import AnnualList
from models.base import REGION_CODE
from models.officers import ActingOfficer
from models.project_changes import ProjectChangeKind
from models.projects import NoticePeriod, NoticeStage, PolicyLevel, SubsidyProject
from models.publications import PublicationKind
from policies.clock import today
from policies.flows import FlowContent, stored
from workflows import applications, flow_trials, flows, project_changes, publications
from workflows.application_rules import Asked
from workflows.attachments import Evidence
from workflows.list_adoption import adopt_lists
from workflows.queue import officer_from

CODE, FLOW, YEAR = "X260001", "NM26", 2026
PAPER = b"%PDF-1.4\n1 0 obj<</Type/Catalog>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n"
DOCUMENT = "内农牧发〔2026〕60号（演示）"
SUBSTEP = {"name": "入户抽查", "kind": "spot_check", "desk": "department_clerk", "count": 1, "percent": 0}
SHEET: dict[str, Any] = {
    "short_name": "饲草储备补贴", "domain": "牧业", "budget_funded": "yes", "online": "yes",
    "funding_object": "household", "contact": "李春", "telephone": "0471-4300002", "guide": "向苏木乡镇提出，入户核实",
    "eligibility": "上年度储草的牧户", "period_kind": "year", "payout.month": "12", "payout.day": "31", "unit": "吨",
    "standard_setter": "region", "formula": "min(数量, 200) * 补贴标准", "flow": FLOW, "heir_allowed": "yes",
    "standards": [{"division_code": REGION_CODE, "grade": "", "yuan": "12.5", "valid_from": f"{YEAR}-01-01",
                   "valid_to": "", "document": DOCUMENT}],
    "fields": [
        {"name": "manner", "title": "储草方式", "type": "choice", "unit": "", "required": "yes", "minimum": "",
         "maximum": "", "options": "青贮、干草", "publicness": "shown", "component": "", "more": ""},
        {"name": "place", "title": "储草点", "type": "text", "unit": "", "required": "yes", "minimum": "",
         "maximum": "", "options": "", "publicness": "hidden", "component": "yes", "more": ""},
    ],
    "documents": [{"number": DOCUMENT, "title": "饲草储备补贴方案", "issuer": "自治区农牧厅",
                   "issued_on": f"{YEAR}-01-10", "valid_to": "", "attachment_id": ""}],
}  # fmt: skip
STEPS = (
    ("zizhiqu.nongmu.clerk", "submit"), ("zizhiqu.nongmu.reviewer", "sign"), ("zizhiqu.caizheng.clerk", "examine"),
    ("zizhiqu.caizheng.reviewer", "admit"),
)  # fmt: skip
APPLICANTS = 3


def load_catalogue(session: Session, people: Population) -> None:
    """Let the region's department make its flow and project; list, publish and apply for it."""
    _make_flow(session)
    project = _admit(session)
    adopt_lists(session, [COUNTY], sorted({YEAR, today(session).year}))
    for stage in NoticeStage:
        session.add(NoticePeriod(division_code=COUNTY, project_id=project.id or 0, stage=stage, notice_days=5))
    session.flush()
    _publish(session, project)
    _apply(session, project, people)


def officer(session: Session, login: str) -> ActingOfficer:
    """Return an officer of the demo in their post."""
    post = sa.text("select p.id from posts p join officers o on o.id = p.officer_id where o.login = :login")
    found = {"post": session.execute(post, {"login": login}).scalar_one(), "day": today(session)}
    return officer_from(session, session.execute(sa.text("select * from officer_in_post(:post, :day)"), found).one())


def _make_flow(session: Session) -> None:
    clerk, reviewer = officer(session, "zizhiqu.nongmu.clerk"), officer(session, "zizhiqu.nongmu.reviewer")
    flow = flows.draft(session, by=clerk, code=FLOW, name="饲草储备补贴发放管理流程", reason=DOCUMENT)
    content = stored(FlowContent.statutory())
    for stage in content["roster"]:
        stage["substeps"] = [SUBSTEP] if stage["code"] == "department_clerk" else []
    flows.save(session, flow, by=clerk, content=content)
    flow_trials.try_out(session, flow, by=clerk)
    flows.propose(session, flow, by=clerk)
    flows.enable(session, flow, by=reviewer)


def _admit(session: Session) -> SubsidyProject:
    clerk = officer(session, STEPS[0][0])
    change = project_changes.draft(
        session, by=clerk, kind=ProjectChangeKind.ADMIT, code=CODE, name="牧区饲草储备补贴",
        policy_level=PolicyLevel.REGION, reason="新出台政策（演示）",
    )  # fmt: skip
    paper = {0: Evidence("方案.pdf", PAPER)}
    project_changes.save(
        session, change, by=clerk, sheet=dict(change.sheet) | SHEET, files=paper, reason=change.reason,
        effective_on=None, version=None,
    )  # fmt: skip
    for login, verb in STEPS:
        getattr(project_changes, verb)(session, change, by=officer(session, login))
    return session.get_one(SubsidyProject, change.project_id)


def _publish(session: Session, project: SubsidyProject) -> None:
    region, finance = "zizhiqu.nongmu", "aohan.caizheng"
    for kind in (PublicationKind.POLICY, PublicationKind.STANDARD):
        record = publications.prepare(session, project, by=officer(session, f"{region}.clerk"), kind=kind)
        publications.submit(session, record, by=officer(session, f"{region}.clerk"))
        publications.publish(session, record, by=officer(session, f"{region}.reviewer"))
    latest = sa.select(AnnualList).where(AnnualList.division_code == COUNTY, AnnualList.year == YEAR)  # type: ignore[arg-type]
    last = session.execute(latest.order_by(sa.text("edition desc")).limit(1)).scalar_one()
    clerk = officer(session, f"{finance}.clerk")
    record = publications.prepare_list(session, last, by=clerk, contact="王敏", telephone="0476-4301003")
    publications.submit(session, record, by=clerk)
    publications.publish(session, record, by=officer(session, f"{finance}.reviewer"))


def _apply(session: Session, project: SubsidyProject, people: Population) -> None:
    """Let a few heads of households apply at the window; the township's head has endorsed the first."""
    clerk, head = officer(session, "changsheng.clerk"), officer(session, "changsheng.head")
    heads = [home.head for home in people.homes if home.township_code == clerk.division_code and not home.head.died_on]
    made = []
    for number, one in enumerate(heads[:APPLICANTS], 1):
        asked = Asked(quantity=Decimal(10 + number), values={"manner": "青贮", "place": f"{number}号点"})
        made.append(applications.enter(session, by=clerk, project=project, id_number=one.id_number, asked=asked))
    applications.endorse(session, made[0], by=head)
