"""Projects enter the library, change and stop by the level whose policy they are. （第七条、第九条）"""

from decimal import Decimal

from sqlmodel import Session, select

from models.officers import ActingOfficer
from models.project_changes import PolicyDocument, ProjectChange, ProjectChangeKind
from models.project_changes import ProjectChangeStatus as S
from models.projects import PolicyLevel, ProjectStandard, ProjectVersion, SubsidyProject
from policies.definitions import Definition, Document, Payout, StandardRow
from tests.conftest import As, Owner
from tests.factories import REGION, World
from workflows import project_changes as changes
from workflows.attachments import Evidence
from workflows.project_sheets import sheet_of

PDF = b"%PDF-1.4\n%%EOF\n"
FILE = Evidence("政策文件.pdf", PDF)


def a_definition(code: str = "9990001", **fields) -> Definition:
    values = {
        "code": code, "name": "新补贴", "policy_level": PolicyLevel.REGION, "sector": "农牧", "guide": "带身份证到苏木乡镇申报",
        "contact": "张某", "telephone": "0471-1234567", "payout": Payout(month=12, day=31),
        "standards": (StandardRow(division_code=REGION, yuan=Decimal("12.3456"), valid_from="2024-01-01"),),
        "documents": (Document(number="内农发〔2026〕1号", title="关于新补贴的通知", issuer="自治区农牧厅"),),
    }  # fmt: skip
    return Definition(**values | fields)


def filled(session: Session, by: ActingOfficer, definition: Definition, **asked) -> ProjectChange:
    values = {"kind": ProjectChangeKind.ADMIT, "code": definition.code, "name": definition.name,
              "policy_level": definition.policy_level, "reason": "政策出台"}  # fmt: skip
    change = changes.draft(session, by=by, **values | asked)
    return changes.save(session, change, by=by, sheet=sheet_of(definition), files={0: FILE})


REGION_WAY = ("submit", "region_department.clerk"), ("sign", "region_department.reviewer"), ("examine", "region_finance.clerk"), ("admit", "region_finance.reviewer")
LOCAL_WAY = (
    ("submit", "department.clerk"), ("sign", "department.reviewer"), ("join", "finance.reviewer"), ("verify", "league_department.reviewer"),
    ("verify", "league_finance.reviewer"), ("examine", "region_finance.clerk"), ("file", "region_finance.reviewer"),
)  # fmt: skip


def officer(world: World, name: str) -> ActingOfficer:
    office, post = name.split(".")
    return getattr(getattr(world, office), post)


def step(as_: As, world: World, number: int, verb: str, name: str, **asked) -> ProjectChange:
    with as_(officer(world, name)) as session:
        change = session.get_one(ProjectChange, number)
        extra = {"joint_document": "敖农发〔2026〕1号"} if verb == "join" else {}
        return getattr(changes, verb)(session, change, by=officer(world, name), **extra | asked)


def begun(as_: As, by: ActingOfficer, definition: Definition, **asked) -> int:
    with as_(by) as session:
        return filled(session, by, definition, **asked).id


def test_smoke(as_: As, county: World, owner: Owner):
    number = begun(as_, county.region_department.clerk, a_definition())
    for verb, name in REGION_WAY:
        change = step(as_, county, number, verb, name)
    assert change.status == S.EFFECTIVE
    with owner() as session:
        project = session.exec(select(SubsidyProject).where(SubsidyProject.code == "9990001")).one()
        assert project.division_code == REGION and project.project_version == 1
        assert session.exec(select(ProjectVersion).where(ProjectVersion.project_id == project.id)).one().basis == change.number
        assert session.exec(select(PolicyDocument)).one().file_id
        assert session.exec(select(ProjectStandard).where(ProjectStandard.project_id == project.id)).one().standard_yuan == Decimal("12.3456")
