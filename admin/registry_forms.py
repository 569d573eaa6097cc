"""Every verb that proposes a change, as a form: what it asks, where it stands, what follows. （第十一条）

One `Proposal` makes two forms: the one on the household's or person's page, and the one on the change's own page by
which a returned change is amended.
"""

import importlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from sqlmodel import Session, col

from admin import registry_asks as q
from admin.base import Choices, Form, Notes, Present
from models.households import Household, HouseholdStatus, Member, MemberStatus
from models.officers import ActingOfficer
from models.registry_changes import ChangeKind, ChangeStatus, DocumentKind, RegistryChange
from policies.lifecycles import OPINION, Ask
from policies.permissions import Permission as P
from policies.refusals import NotFound

GROUP = "办理变更"
NEXT = "提交后由苏木乡镇负责人复核，复核同意后才写入基础信息库（第十一条）。"
ACTIVE = (HouseholdStatus.ACTIVE,)
LIVING = (MemberStatus.ALIVE, MemberStatus.MISSING)
CURRENT = (col(Member.current),)
SAME_DAY = {"died_on": "effective_on"}
"""What a change keeps as the day on which it happened."""
EMPTY: tuple[Any, ...] = (None, "", (), [], {})
CHANGES, PEOPLE, ASSETS = "changes_households", "changes_people", "changes_assets"


@dataclass(frozen=True)
class Proposal:
    """One verb that proposes a change."""

    kind: ChangeKind
    slug: str
    label: str
    module: str
    verb: str
    asks: tuple[Ask, ...]
    consequence: str = ""
    choices: tuple[tuple[str, Choices], ...] = ()
    present: Present | None = q.today_of
    notes: Notes | None = None
    filled: tuple[str, ...] = ()
    on_record: bool = True
    statuses: tuple[Any, ...] = ()
    where: tuple[Any, ...] = ()
    group: str = GROUP
    tab: str = ""
    document: DocumentKind = DocumentKind.HUKOU
    """What mostly proves it: the kind that stands at the first document."""

    def form(self) -> Form:
        """Return the form on the page of the household or person."""
        return Form(
            self.slug, self.label, P.REGISTRY_CHANGE_PROPOSE, self._run, self.asks, self.choices,
            f"{self.consequence}{NEXT}", self.on_record, self.statuses, self.where, self.tab, filled=self.filled,
            present=self._begun, notes=self.notes, group=self.group,
        )  # fmt: skip

    def amendment(self) -> Form:
        """Return the form by which a returned change is amended: what is left empty stays as it was proposed."""
        return Form(
            f"amend-{self.slug}", "修改后再次提交", P.REGISTRY_CHANGE_PROPOSE, amend,
            (*(replace(ask, required=False, name=SAME_DAY.get(ask.name, ask.name)) for ask in self.asks), OPINION),
            tuple((name, _of_change(choose)) for name, choose in self.choices),
            f"只填写要改的项目，留空的保持原来提出的内容。{NEXT}", True, (ChangeStatus.RETURNED,),
            (col(RegistryChange.kind) == self.kind,),
        )  # fmt: skip

    def _begun(self, session: Session, by: ActingOfficer, record: Any, asked: Mapping[str, str]) -> Mapping[str, str]:
        present = self.present(session, by, record, asked) if self.present else {}
        return {**present, "evidence_kind.1": str(self.document)}

    def _run(self, session: Session, *record: Any, by: ActingOfficer, **answers: Any) -> RegistryChange:
        verb = getattr(importlib.import_module(f"workflows.{self.module}"), self.verb)
        emptied = {name: "" for name in self.filled if answers.get(name) == ""}
        made: RegistryChange = verb(session, *record, by=by, **_given(answers), **emptied)
        return made


def _given(answers: dict[str, Any]) -> dict[str, Any]:
    """Return what was filled in: what was left empty stays as it is registered."""
    return {
        name: value
        for name, value in answers.items()
        if value is not None and value is not False and value not in EMPTY
    }


def amend(session: Session, change: RegistryChange, *, by: ActingOfficer, **answers: Any) -> RegistryChange:
    """Submit a returned change again with what was filled in. （第十一条）"""
    made: RegistryChange = importlib.import_module("workflows.registry_changes").amend(
        session, change, by=by, **_given(answers)
    )
    return made


def _of_change(choose: Choices) -> Choices:
    """Return choices that are asked of a household or person, asked of the change about them."""

    def chosen(session: Session, by: ActingOfficer, change: Any) -> Any:
        return choose(session, by, about(session, change))

    return chosen


def about(session: Session, change: RegistryChange) -> Household | Member | None:
    """Return the person, else the household, that a change is about; None of a new household. Raises NotFound."""
    if change.member_id is None and change.household_id is None:
        return None
    member = session.get(Member, change.member_id) if change.member_id else None
    found = member or session.get(Household, change.household_id)
    if found is None:
        raise NotFound
    return found


VILLAGES = (("village", q.village_options),)

NEW_HOUSEHOLD = Proposal(
    ChangeKind.NEW_HOUSEHOLD, "new-household", "新建户", CHANGES, "new_household",
    (replace(q.NAME, label="户主姓名", help="按身份证填写"), replace(q.ID_NUMBER, label="户主身份证号"),
     q.PHONE, q.ETHNICITY, q.HUKOU, q.VILLAGE, q.GROUP, q.ADDRESS, *q.PROVEN),
    "全区每人只登记一次：已在别处登记的会提示由哪个苏木乡镇管理，不显示其信息。",
    VILLAGES, on_record=False, group="",
)  # fmt: skip

HOUSEHOLD_PROPOSALS = (
    Proposal(
        ChangeKind.HOUSEHOLD, "change", "变更户信息", CHANGES, "change_household",
        (q.VILLAGE, q.GROUP, q.ADDRESS, q.HUKOU, *q.TAIL), choices=VILLAGES,
        notes=q.household_now, filled=("village", "group_name", "hukou_kind"), statuses=ACTIVE,
    ),
    Proposal(
        ChangeKind.HEAD, "head", "变更户主", CHANGES, "change_head",
        (Ask("head_id", "新户主", "row"), q.RELATIONS_OF, *q.TAIL),
        "原户主死亡、迁出或家庭商定后，由本户另一名成员担任户主。",
        (("head_id", q.others_options), ("relations", q.member_options)), statuses=ACTIVE,
    ),
    Proposal(
        ChangeKind.SPLIT, "split", "分户", CHANGES, "split",
        (Ask("member_ids", "分出的成员", "rows"), Ask("head_id", "新户的户主", "row", help="须是分出的成员之一"),
         replace(q.RELATIONS_OF, label="分出的成员与新户户主的关系", help="新户户主和留下的成员不选"),
         replace(q.NEXT_HEAD, name="stay_head_id", label="原户的新户主", help="原户主分出的才须指定"),
         replace(q.VILLAGE, required=False), q.GROUP, q.ADDRESS, *q.TAIL),
        "分出的成员组成新的一户，居住经历保留；村组住址不填的与原户相同。",
        (("member_ids", q.member_options), ("head_id", q.member_options), ("relations", q.member_options),
         ("stay_head_id", q.others_options), *VILLAGES), statuses=ACTIVE,
    ),
    Proposal(
        ChangeKind.JOIN, "join", "并户", CHANGES, "join",
        (replace(q.INTO, label="并入户的户编号"), replace(q.RELATIONS_OF, label="本户成员与并入户户主的关系",
         help="不选的记为“其他”"), *q.TAIL),
        "本户全部成员和生产资料并入对方一户，本户撤销。", (("relations", q.member_options),), statuses=ACTIVE,
    ),
    Proposal(
        ChangeKind.NEW_MEMBER, "new-member", "新增成员", PEOPLE, "new_member",
        (q.NAME, q.ID_NUMBER, q.RELATION, q.ETHNICITY, q.PHONE, *q.PROVEN),
        "出生、婚嫁、收养等新增成员；全区每人只登记一次，未通过公安核查的不能列入清册。",
        statuses=ACTIVE, group="", tab="members",
    ),
    Proposal(
        ChangeKind.ASSET, "asset", "登记或变更生产资料", ASSETS, "change_asset",
        (Ask("asset_id", "登记项目", "row"), q.ASSET_KIND, Ask("quantity", "数量", "number"),
         Ask("unit", "单位", "text", help="亩、头、只"), Ask("as_of", "登记日期", "date"),
         Ask("source", "来源", "text", help="如 二轮承包合同、草原承包经营权证、入户核实"),
         Ask("certificate_number", "权证号", "text", required=False),
         Ask("ended", "注销该项", "checkbox", required=False), *q.TAIL),
        choices=(("asset_id", q.asset_options),), present=q.asset_present, statuses=ACTIVE, group="",
        tab="assets",
        document=DocumentKind.LAND,
    ),
)  # fmt: skip

SUCCESSION = (q.NEXT_HEAD, q.RELATIONS_OF)
SUCCESSORS = (("head_id", q.rest_options), ("relations", q.rest_options))
"""Who heads those that stay when the head leaves."""

MEMBER_PROPOSALS = (
    Proposal(
        ChangeKind.MEMBER, "change", "变更成员信息", PEOPLE, "change_member",
        (q.PHONE, replace(q.RELATION, required=False), q.ETHNICITY, *q.TAIL),
        notes=q.member_now, filled=("ethnicity",), statuses=LIVING, where=CURRENT,
        document=DocumentKind.STATEMENT,
    ),
    Proposal(
        ChangeKind.IDENTITY, "identity", "更正身份信息", PEOPLE, "correct_identity",
        (replace(q.NAME, required=False), replace(q.ID_NUMBER, required=False), *q.PROVEN),
        "更正写错的姓名、身份证号或由 15 位升 18 位；更正后须重新核查身份。", notes=q.member_now, where=CURRENT,
        document=DocumentKind.ID_CARD,
    ),
    Proposal(
        ChangeKind.DEATH, "death", "死亡登记", PEOPLE, "register_death",
        (Ask("died_on", "死亡日期", "date", help="按死亡证明填写"), *SUCCESSION, q.REASON, q.EVIDENCE),
        "登记后停发后续补贴；死亡后已发放的由主管部门追缴（第十六条第一项）。", SUCCESSORS,
        statuses=(*LIVING, MemberStatus.MOVED), where=CURRENT,
        document=DocumentKind.DEATH,
    ),
    Proposal(
        ChangeKind.MISSING, "missing", "失踪登记", PEOPLE, "register_missing", q.PROVEN,
        "登记失踪后不能列入清册（第二十一条第三项）。", statuses=(MemberStatus.ALIVE,), where=CURRENT,
        document=DocumentKind.POLICE,
    ),
    Proposal(
        ChangeKind.RESTORE, "restore", "恢复正常", PEOPLE, "restore",
        (replace(q.RELATION, required=False, help="原是户主、该户现在另有户主的须填写"), *q.PROVEN),
        "误登记死亡、失踪，或失踪人员已返回的，恢复为正常。",
        statuses=(MemberStatus.DEAD, MemberStatus.MISSING, MemberStatus.MOVED), where=CURRENT,
        document=DocumentKind.POLICE,
    ),
    Proposal(
        ChangeKind.LEAVE, "leave", "迁出登记", PEOPLE, "register_leave",
        (Ask("destination", "迁往地", "text", help="迁入的省、市、县和乡镇"), *SUCCESSION, *q.TAIL),
        "迁到自治区外或去向不明的办理迁出；迁到区内其他苏木乡镇的由迁入地发起跨苏木乡镇迁移。", SUCCESSORS,
        statuses=LIVING, where=CURRENT,
    ),
    Proposal(
        ChangeKind.MOVE, "move", "转入他户", PEOPLE, "move_member",
        (q.INTO, replace(q.RELATION, label="与转入户户主的关系"), *SUCCESSION, *q.TAIL),
        "同一苏木乡镇内婚嫁、投靠等，转入另一户。", SUCCESSORS, statuses=LIVING, where=CURRENT,
    ),
    Proposal(
        ChangeKind.MERGE, "merge", "合并重复人员", PEOPLE, "merge_person",
        (Ask("keep_id_number", "保留记录的身份证号", "text", help="同一人的另一条记录，合并后保留"), *q.PROVEN),
        "同一人登记成两条的合并为一条，两条记录的发放历史都归到保留的人名下；发现重复发放的另行追回。", where=CURRENT,
        document=DocumentKind.POLICE,
    ),
    Proposal(
        ChangeKind.CERTIFICATE, "certificate", "登记或变更证件", ASSETS, "change_certificate",
        (Ask("certificate_id", "登记项目", "row"), q.CERTIFICATE_KIND,
         Ask("number", "证号", "text", required=False, help="变更时不改的请留空"),
         Ask("level", "等级或类别", "text", required=False, help="如 肢体二级"), Ask("valid_from", "有效期起", "date"),
         Ask("valid_to", "有效期止", "date", required=False, help="长期有效的留空"),
         Ask("ended", "注销该项", "checkbox", required=False), *q.TAIL),
        choices=(("certificate_id", q.certificate_options),), present=q.certificate_present, statuses=LIVING,
        where=CURRENT, group="", tab="certificates",
        document=DocumentKind.DISABILITY,
    ),
)  # fmt: skip


def forms(proposals: tuple[Proposal, ...]) -> tuple[Form, ...]:
    """Return the forms of several proposals."""
    return tuple(one.form() for one in proposals)


def amendments() -> tuple[Form, ...]:
    """Return the forms by which returned changes are amended, one for each kind."""
    kinds: dict[str, Proposal] = {}
    for one in (NEW_HOUSEHOLD, *HOUSEHOLD_PROPOSALS, *MEMBER_PROPOSALS):
        kinds.setdefault(one.kind, one)
    return tuple(replace(one.amendment(), slug=f"amend-{one.kind.value.replace('_', '-')}") for one in kinds.values())
