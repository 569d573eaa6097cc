"""Forms of subsidy projects as tests fill them in, and the ways of 7(二) and 7(三) that they go."""

from datetime import date
from decimal import Decimal
from typing import Any

from sqlmodel import Session, select

from models.officers import ActingOfficer
from models.organisations import OrganisationKind
from models.project_changes import (
    ExceptionStatus,
    ProjectChange,
    ProjectChangeKind,
    ProjectChangeStatus,
    ProjectException,
)
from models.projects import PolicyLevel, SubsidyProject
from policies.clock import now
from policies.definitions import Definition, Document, Payout, StandardRow, digest_of, stored
from tests.conftest import As
from tests.factories import COUNTY, LEAGUE, REGION, World
from tests.world import NUMBERS, PASSWORD, Office, _staffed
from workflows import project_changes as changes
from workflows.attachments import Evidence
from workflows.project_sheets import Sheet, sheet_of
from workflows.sessions import hasher

FILE = Evidence("政策文件.pdf", b"%PDF-1.4\n%%EOF\n")
JOINT = "敖农发〔2026〕1号"
MANZHOULI, HULUNBUIR = "150781000000", "150700000000"
REGION_WAY = (
    ("submit", "region_department.clerk"), ("sign", "region_department.reviewer"), ("examine", "region_finance.clerk"),
    ("admit", "region_finance.reviewer"),
)  # fmt: skip
LOCAL_WAY = (
    ("submit", "department.clerk"), ("sign", "department.reviewer"), ("join", "finance.reviewer"),
    ("verify", "league_department.reviewer"), ("verify", "league_finance.reviewer"),
    ("examine", "region_finance.clerk"), ("file", "region_finance.reviewer"),
)  # fmt: skip


def a_definition(code: str = "9990001", **fields: Any) -> Definition:
    """Return a new subsidy with everything that the regulation asks of it; of the region unless a level is given."""
    values: dict[str, Any] = {
        "code": code, "name": "新补贴", "policy_level": PolicyLevel.REGION, "sector": "农牧",
        "guide": "带身份证到苏木乡镇申报", "contact": "张某", "telephone": "0471-1234567",
        "payout": Payout(month=12, day=31),
        "documents": (Document(number="内农发〔2026〕1号", title="关于新补贴的通知", issuer="自治区农牧厅"),),
    }  # fmt: skip
    home = {PolicyLevel.LEAGUE: LEAGUE, PolicyLevel.COUNTY: COUNTY}.get(fields.get("policy_level"), REGION)
    standard = StandardRow(division_code=home, yuan=Decimal("12.3456"), valid_from="2024-01-01")
    return Definition(**values | {"standards": (standard,)} | fields)


def filled(session: Session, by: ActingOfficer, definition: Definition, **asked: Any) -> ProjectChange:
    """Fill in the form of a new project, with its policy document; `sheet` overrides fields as typed."""
    sheet: Sheet = sheet_of(definition) | asked.pop("sheet", {})
    values: dict[str, Any] = {
        "kind": ProjectChangeKind.ADMIT, "code": definition.code, "name": definition.name,
        "policy_level": definition.policy_level, "reason": "政策出台",
    }  # fmt: skip
    change = changes.draft(session, by=by, **values | asked)
    return changes.save(session, change, by=by, sheet=sheet, files={0: FILE})


def amended(
    session: Session, by: ActingOfficer, project: SubsidyProject, kind: ProjectChangeKind = ProjectChangeKind.AMEND,
    *, day: date | None = None, **fields: Any,
) -> ProjectChange:  # fmt: skip
    """Fill in a change of a project: the fields that differ, and a policy document of its own."""
    change = changes.draft(session, by=by, kind=kind, project=project, reason="政策变更", effective_on=day)
    paper = {"number": "内农发〔2026〕2号", "title": "关于调整的通知", "issuer": "自治区农牧厅"}
    definition = a_definition(project.code, **{"policy_level": project.policy_level, "name": project.name} | fields)
    sheet = sheet_of(definition) | {"documents": [*change.sheet["documents"], paper]}
    return changes.save(session, change, by=by, sheet=sheet, files={len(change.sheet["documents"]): FILE})


def officer(world: Any, name: str) -> ActingOfficer:
    """Return the officer of a post, as region_finance.clerk."""
    office, post = name.split(".")
    found: ActingOfficer = getattr(getattr(world, office), post)
    return found


def take(session: Session, world: Any, change: ProjectChange, verb: str, name: str, **asked: Any) -> ProjectChange:
    """Take one step as the named officer."""
    more = {"joint_document": JOINT} if verb == "join" else {}
    done: ProjectChange = getattr(changes, verb)(session, change, by=officer(world, name), **more | asked)
    return done


def step(as_: As, world: Any, number: int, verb: str, name: str, **asked: Any) -> ProjectChange:
    """Take one step in a transaction of its own."""
    with as_(officer(world, name)) as session:
        return take(session, world, session.get_one(ProjectChange, number), verb, name, **asked)


def begun(as_: As, by: ActingOfficer, definition: Definition, **asked: Any) -> int:
    """Fill in the form of a new project in a transaction of its own; return the change's number."""
    with as_(by) as session:
        return filled(session, by, definition, **asked).id or 0


def admitted(as_: As, world: World, definition: Definition | None = None) -> int:
    """Admit a project of the region by all its desks; return its id."""
    number = begun(as_, world.region_department.clerk, definition or a_definition())
    for verb, name in REGION_WAY:
        change = step(as_, world, number, verb, name)
    return change.project_id or 0


def project_of(session: Session, code: str = "9990001") -> SubsidyProject:
    """Return a project by its code."""
    return session.exec(select(SubsidyProject).where(SubsidyProject.code == code)).one()


class Manzhouli:
    """满洲里: its department, its finance bureau that reports to the region, and its league's department."""

    def __init__(self, session: Session, world: World) -> None:
        self.world = world
        hashed = hasher().hash(PASSWORD)
        department, finance = OrganisationKind.DEPARTMENT, OrganisationKind.FINANCE
        self.department: Office = _staffed(session, hashed, MANZHOULI, department, "mzl.nm", "农牧")
        self.finance: Office = _staffed(session, hashed, MANZHOULI, finance, "mzl.cz")
        self.league_department: Office = _staffed(session, hashed, HULUNBUIR, department, "hlb.nm", "农牧")
        self.league_finance: Office = _staffed(session, hashed, HULUNBUIR, finance, "hlb.cz")
        self.region_finance: Office = world.region_finance


def a_project_change_in(session: Session, county: World, status: Any) -> ProjectChange:
    """Make a change in any status: of the region in its own way's, of the county in all others."""
    regional = str(status) in ("draft", "submitted", "signed", "examined", "returned", "effective", "withdrawn")
    level = PolicyLevel.REGION if regional else PolicyLevel.COUNTY
    definition = a_definition(f"88{next(NUMBERS):07d}", policy_level=level)
    place = REGION if regional else COUNTY
    change = ProjectChange(
        division_code=place, owner_code=place, number=f"XM{next(NUMBERS)}", kind=ProjectChangeKind.ADMIT,
        status=status, policy_level=level, sector=definition.sector, code=definition.code, name=definition.name,
        sheet=sheet_of(definition), definition=stored(definition), digest=digest_of(definition), document_count=1,
        reason="试验", prepared_at=now(session), arrived_at=now(session),
    )  # fmt: skip
    if "returned" in str(status):
        change.resume_status = ProjectChangeStatus.SIGNED if regional else ProjectChangeStatus.JOINED
    session.add(change)
    session.flush()
    return change


def a_project_exception_in(session: Session, county: World, status: Any) -> ProjectException:
    """Make an entry of the register of exceptions in any status."""
    record = ProjectException(
        division_code=REGION, number=f"LW{next(NUMBERS)}", name="某项补贴", policy_level=PolicyLevel.REGION,
        sector="民政", reason="试验", document_number="1号", document_title="通知", document_issuer="财政厅",
        issued_on=date(2026, 1, 1), evidence_count=1, status=status, arrived_at=now(session),
        resume_status=ExceptionStatus.PROPOSED if str(status) == "returned" else None,
    )  # fmt: skip
    session.add(record)
    session.flush()
    return record
