"""What a project's form must meet before it goes on: each mistake with its place on the form.

（第二条、第七条、第八条、第二十六条、第三十二条）
"""

from collections.abc import Iterator

from sqlmodel import Session

from models.project_changes import ProjectChange, ProjectChangeKind
from policies.definitions import Definition, StandardSetter
from policies.formulas import check
from policies.refusals import Refused
from workflows import flows
from workflows.project_drafts import REGIONAL, known_divisions, names_of, own_files
from workflows.project_sheets import Mistake, read


def mistakes_of(session: Session, change: ProjectChange) -> list[Mistake]:
    """Return what stands in the way of submitting a form, each at its place. （第七、二十六、三十二条）"""
    if change.kind == ProjectChangeKind.STOP:  # the content stays as it is: an old one may lack what is asked today
        return [*read(change.sheet)[1], *_files(session, change)]
    definition, mistakes = read(change.sheet)
    return mistakes if definition is None else mistakes_in(session, change, definition)


def mistakes_in(session: Session, change: ProjectChange, definition: Definition) -> list[Mistake]:
    """Return what is wrong with a definition that can be read."""
    return [
        *_contents(definition),
        *_codes(session, change, definition),
        *_standards(session, change, definition),
        *_files(session, change),
        *_flow(session, definition),
        *_language(definition),
    ]


def _contents(definition: Definition) -> Iterator[Mistake]:
    """Tell what the regulation asks every project to say. （第二条、第二十六条、第三十二条）"""
    if not definition.budget_funded:
        yield Mistake("budget_funded", "只有政府预算安排的补贴纳入“一卡通”；不纳入的登记到“不纳入项目”（第二条）")
    if not definition.guide.strip():
        yield Mistake("guide", "请填写申报指南（第三十二条）")
    if not definition.contact.strip():
        yield Mistake("contact", "请填写联系人（第二十六条）")
    if not definition.telephone.strip():
        yield Mistake("telephone", "请填写联系电话（第二十六条）")
    payout = definition.payout
    if bool(payout.month) != bool(payout.day):
        yield Mistake("payout.day" if payout.month else "payout.month", "发放截止月、日须同时填写（第三十二条）")
    if not (payout.month and payout.day) and not payout.days_after:
        yield Mistake("payout.month", "请填写发放时限：截止月日，或所属期结束后天数（第三十二条）")


def _codes(session: Session, change: ProjectChange, definition: Definition) -> Iterator[Mistake]:
    """Tell whether the code is free and the excluded ones exist. （第七条）"""
    others = [one.code for one in definition.exclusions]
    known = names_of(session, [definition.code, *others])
    if change.project_id is None and definition.code in known:
        yield Mistake("code", f"编码“{definition.code}”已用于“{known[definition.code]}”，请改用新的编码")
    for place, code in enumerate(others, 1):
        if code == definition.code:
            yield Mistake(f"exclusions.{place}.code", "不能与本项目互斥，请删去该行")
        elif code not in known:
            yield Mistake(f"exclusions.{place}.code", f"项目库中没有编码“{code}”，请核对")
        elif code in others[: place - 1]:
            yield Mistake(f"exclusions.{place}.code", f"编码“{code}”重复，请删去一行")


def _standards(session: Session, change: ProjectChange, definition: Definition) -> Iterator[Mistake]:
    """Tell whether each standard stands for a division of the project's and for a stretch of its own. （第八条）"""
    rows = definition.standards
    known = known_divisions(session, [row.division_code for row in rows]) if rows else set()
    reach = change.owner_code.rstrip("0") if change.owner_code[2:].strip("0") else change.owner_code[:2]
    for place, row in enumerate(rows, 1):
        if row.division_code not in known or not row.division_code.startswith(reach):
            yield Mistake(f"standards.{place}.division_code", "适用区划须是项目所属区划或其下级，请重新选择")
        if row.valid_to and row.valid_to < row.valid_from:
            yield Mistake(f"standards.{place}.valid_to", "执行止早于执行起，请更正")
        for other in rows[: place - 1]:
            same = (other.division_code, other.grade) == (row.division_code, row.grade)
            if same and row.valid_from <= (other.valid_to or "9") and other.valid_from <= (row.valid_to or "9"):
                yield Mistake(f"standards.{place}.valid_from", "同一区划、同一档次的执行期与前面的行重叠，请更正")
    sets = definition.standard_setter == StandardSetter.REGION and definition.policy_level in REGIONAL
    if sets and not rows and "补贴标准" in definition.formula:
        yield Mistake("standards", "标准由自治区制定的，请至少填写一行补贴标准（第八条）")


def _files(session: Session, change: ProjectChange) -> Iterator[Mistake]:
    """Tell whether the change brings a policy document with its file. （第七条提供相关补贴政策文件）"""
    if not own_files(session, change, change.sheet):
        yield Mistake("documents", "请至少上传一份本次申请依据的政策文件（文号、名称、发文机关和文件）（第七条）")


def _flow(session: Session, definition: Definition) -> Iterator[Mistake]:
    """Tell whether the flow is one in force. （第二十四条）"""
    if definition.flow and definition.flow not in dict(flows.enabled(session, definition.sector)):
        yield Mistake("flow", f"发放管理流程“{definition.flow}”没有启用，请重新选择（第二十四条）")


def _language(definition: Definition) -> Iterator[Mistake]:
    """Tell what the formula language finds wrong with fields, formula, component and publicness."""
    try:
        check(definition)
    except Refused as wrong:
        yield Mistake(str(wrong.fields.get("place", "formula")), str(wrong))
