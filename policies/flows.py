"""What a flow is: sub-steps inside the statutory desks and shorter times, never fewer desks. （第二十四条）

A flow is data that a region's department writes for its projects. It has two ways: the roster's, whose six stages the
law fixes, and the application's, of which two stages are optional. Mistakes are told with the place where they stand.
"""

import json
from collections.abc import Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from sqlalchemy import text
from sqlmodel import Session

from models.base import Labelled
from models.flows import SubstepKind
from models.organisations import OrganisationKind
from models.rosters import RosterStatus
from policies.deadlines import DEPARTMENT_REVIEW, FINANCE_REVIEW, TOWNSHIP_NOTICE, Deadline
from policies.lifecycles.base import Desk
from policies.refusals import Refused

MOST_SUBSTEPS = 6
"""At one stage: more than that is no internal control but a queue."""


class FlowWrong(Refused):
    """流程有 {count} 处不正确：{problems}。请更正后再保存。"""

    status_code = 400


class RosterStage(Labelled):
    """The stages of a roster that the law fixes. （第十六、十七、三十一条）"""

    NOTICE = "notice", "公示"
    HEAD = "head", "负责人审核"
    DEPARTMENT_CLERK = "department_clerk", "主管部门初审"
    DEPARTMENT_REVIEWER = "department_reviewer", "主管部门审核"
    FINANCE_CLERK = "finance_clerk", "财政初审"
    FINANCE_REVIEWER = "finance_reviewer", "财政终审"


class ApplicationStage(Labelled):
    """The stages of an application. （第十四、十五条）"""

    INTAKE = "intake", "乡镇受理"
    HEAD = "head", "乡镇负责人审核"
    EXAMINE = "examine", "主管部门初审"
    APPROVE = "approve", "主管部门审批"
    NOTICE = "notice", "资格公示"


OPTIONAL = frozenset((ApplicationStage.HEAD, ApplicationStage.NOTICE))
"""Whoever is responsible approves （第十四条）: two signatures of the department stay, whatever a flow says."""


@dataclass(frozen=True)
class Place:
    """Where a stage stands: its desk, the status from which its step leads on, the limit of its organisation."""

    desk: Desk
    status: RosterStatus | None = None
    limit: Deadline | None = None
    article: str = ""
    shared: str = ""
    """The stage whose limit this one shares: one organisation, one clock."""


ROSTER_PLACES: Mapping[RosterStage, Place] = {
    RosterStage.NOTICE: Place(Desk.TOWNSHIP_CLERK, RosterStatus.DRAFT, TOWNSHIP_NOTICE, "第十六条第三项"),
    RosterStage.HEAD: Place(Desk.TOWNSHIP_HEAD, RosterStatus.ON_NOTICE, None, "第三十一条"),
    RosterStage.DEPARTMENT_CLERK: Place(Desk.DEPARTMENT_CLERK, RosterStatus.REPORTED, DEPARTMENT_REVIEW, "第十七条"),
    RosterStage.DEPARTMENT_REVIEWER: Place(
        Desk.DEPARTMENT_REVIEWER, RosterStatus.DEPARTMENT_EXAMINED, None, "第十七条、第二十三条", "主管部门初审"
    ),
    RosterStage.FINANCE_CLERK: Place(Desk.FINANCE_CLERK, RosterStatus.DEPARTMENT_PASSED, FINANCE_REVIEW, "第十七条"),
    RosterStage.FINANCE_REVIEWER: Place(
        Desk.FINANCE_REVIEWER, RosterStatus.FINANCE_EXAMINED, None, "第十七条、第二十三条", "财政初审"
    ),
}
APPLICATION_PLACES: Mapping[ApplicationStage, Place] = {
    ApplicationStage.INTAKE: Place(Desk.TOWNSHIP_CLERK, article="第十三条"),
    ApplicationStage.HEAD: Place(Desk.TOWNSHIP_HEAD, article="第三十一条"),
    ApplicationStage.EXAMINE: Place(Desk.DEPARTMENT_CLERK, article="第十四条"),
    ApplicationStage.APPROVE: Place(Desk.DEPARTMENT_REVIEWER, article="第十四条、第二十三条"),
    ApplicationStage.NOTICE: Place(Desk.DEPARTMENT_CLERK, article="第十五条"),
}
SIGNATURES = frozenset((SubstepKind.SIGN_OFF, SubstepKind.COUNTERSIGN))
"""Sub-steps by which a person answers for the record: never whoever answers for it already."""


class Substep(BaseModel):
    """One sub-step inside a stage."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(min_length=1, max_length=20, title="名称")
    kind: SubstepKind = Field(title="方式")
    desk: Desk = Field(title="办理岗")
    note_required: bool = Field(default=True, title="须填意见")
    percent: int = Field(default=0, ge=0, le=100, title="抽查比例（%）")
    count: int = Field(default=0, ge=0, le=10_000, title="抽查笔数")

    def drawn_of(self, lines: int) -> int:
        """Return how many of a roster's lines a spot check draws: the share rounded up, at least the count."""
        if self.kind != SubstepKind.SPOT_CHECK:
            return 0
        return min(lines, max(-(-lines * self.percent // 100), self.count))


class Stage(BaseModel):
    """One stage with its sub-steps, in the order in which they are taken before the stage's own step."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    code: str = Field(title="环节")
    days: int | None = Field(default=None, ge=1, le=60, title="办理时限（工作日）")
    substeps: tuple[Substep, ...] = Field(default=(), max_length=MOST_SUBSTEPS, title="子环节")


class FlowContent(BaseModel):
    """A flow: the roster's stages and the application's."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    roster: tuple[Stage, ...] = Field(title="清册流程")
    application: tuple[Stage, ...] = Field(title="申报流程")

    @classmethod
    def statutory(cls) -> Self:
        """Return the way of the law, to which a department adds."""
        return cls(
            roster=tuple(Stage(code=code) for code in RosterStage),
            application=tuple(Stage(code=code) for code in ApplicationStage),
        )

    def stage_at(self, status: Any) -> Stage | None:
        """Return the roster's stage whose step leads on from a status."""
        code = next((code for code, place in ROSTER_PLACES.items() if place.status == status), None)
        return next((stage for stage in self.roster if stage.code == code), None)

    def days(self, deadline: Deadline) -> int | None:
        """Return the flow's own limit for what the law limits, in working days; None: the law's alone."""
        codes = [code for code, place in ROSTER_PLACES.items() if place.limit is deadline]
        return next((stage.days for stage in self.roster if stage.code in codes), None)


@dataclass(frozen=True)
class Problem:
    """One mistake and where it stands: way, stage, row (from 1; 0: the stage itself), field."""

    way: str
    stage: str
    row: int
    field: str
    text: str

    def __str__(self) -> str:
        row = f"第 {self.row} 行" if self.row else ""
        return f"{WAYS.get(self.way, self.way)}“{label_of(self.way, self.stage)}”{row}{self.field}：{self.text}"


WAYS = {"roster": "清册流程", "application": "申报流程"}
STAGES: Mapping[str, type[RosterStage] | type[ApplicationStage]] = {
    "roster": RosterStage, "application": ApplicationStage,
}  # fmt: skip


def label_of(way: str, stage: str) -> str:
    """Return how officers name a stage."""
    kind = STAGES.get(way)
    return kind(stage).label if kind is not None and stage in list(kind) else stage


def place_of(way: str, stage: str) -> Place:
    """Return where a stage stands."""
    return ROSTER_PLACES[RosterStage(stage)] if way == "roster" else APPLICATION_PLACES[ApplicationStage(stage)]


REMEDIES = {
    "missing": "没有填写",
    "string_too_short": "没有填写，请写明子环节做什么",
    "string_too_long": "太长，最多 20 个字",
    "enum": "没有这一项，请从列表中选择",
    "int_parsing": "请填整数",
    "greater_than_equal": "太小",
    "less_than_equal": "太大",
    "too_long": f"最多 {MOST_SUBSTEPS} 个子环节",
    "extra_forbidden": "没有这一项，请删去",
}


def parse(raw: Mapping[str, Any]) -> FlowContent:
    """Return a flow without mistakes. Raises FlowWrong with every mistake and its place."""
    try:
        content = FlowContent.model_validate(dict(raw))
    except ValidationError as wrong:
        errors = wrong.errors(include_url=False)
        problems = [_misread(raw, error["loc"], error["type"]) for error in errors]
        raise refusal_of([*problems, *_beside(raw, [error["loc"] for error in errors])]) from wrong
    problems = list(problems_of(content))
    if problems:
        raise refusal_of(problems)
    return content


def _beside(raw: Mapping[str, Any], wrong: list[tuple[int | str, ...]]) -> list[Problem]:
    """Return the mistakes beside those of the shape: what can't be read is taken for a row without mistakes."""
    rest: dict[str, Any] = deepcopy(dict(raw))
    for place in wrong:
        way = str(place[0])
        stage = rest[way][place[1]] if len(place) > 2 and way in STAGES else {}
        if len(place) > 3 and place[2] == "substeps" and stage["code"] in list(STAGES[way]):
            stand_in = {"kind": "spot_check", "desk": place_of(way, stage["code"]).desk, "count": 1}
            stage["substeps"][place[3]] = stand_in | {"name": f"第 {place[3]} 行"}
        elif len(place) == 3 and place[2] == "days":
            stage["days"] = None
    try:
        return list(problems_of(FlowContent.model_validate(rest)))
    except ValidationError:
        return []


def refusal_of(problems: list[Problem]) -> FlowWrong:
    """Return the refusal that names every mistake."""
    return FlowWrong(count=len(problems), problems="；".join(map(str, problems)), found=problems)


def _misread(raw: Mapping[str, Any], location: tuple[int | str, ...], kind: str) -> Problem:
    """Return a mistake of the shape as a place in the flow."""
    way = str(location[0]) if location else ""
    stage, row, name = "", 0, ""
    if len(location) > 1 and isinstance(location[1], int):
        one = raw[way][location[1]]
        stage = str(one.get("code", "")) if isinstance(one, Mapping) else str(location[1] + 1)
    if len(location) > 3 and location[2] == "substeps" and isinstance(location[3], int):
        row = location[3] + 1
    model = Substep if row else Stage
    if len(location) > 2:
        key = str(location[-1])
        field = model.model_fields.get(key)
        name = str(field.title) if field is not None else key
    return Problem(way, stage, row, f"“{name}”" if name else "", REMEDIES.get(kind, "不正确，请更正"))


def problems_of(content: FlowContent) -> Iterator[Problem]:
    """Yield every mistake of a flow that has the right shape. （第十六、十七、二十三、二十四、三十一条）"""
    for way, stages in (("roster", content.roster), ("application", content.application)):
        yield from _lacking(way, stages)
        for stage in stages:
            if stage.code not in list(STAGES[way]):
                continue
            if way == "application":
                yield from _stages_alone(stage)
                continue
            yield from _times(way, stage)
            yield from _substeps(way, stage)


def _lacking(way: str, stages: tuple[Stage, ...]) -> Iterator[Problem]:
    """A flow never drops a statutory stage, nor changes their order."""
    known, codes = [code.value for code in STAGES[way]], [stage.code for stage in stages]
    optional = {code.value for code in OPTIONAL} if way == "application" else set()
    for code in known:
        if code not in codes and code not in optional:
            article = place_of(way, code).article
            yield Problem(way, code, 0, "", f"法定环节缺失，不能省略（{article}）")
    for code in dict.fromkeys(codes):
        if code not in known:
            yield Problem(way, code, 0, "", "没有这个环节，请删去")
        elif codes.count(code) > 1:
            yield Problem(way, code, 0, "", "环节重复，只能出现一次")
    order = [code for code in codes if code in known]
    if order != [code for code in known if code in order] and len(set(order)) == len(order):
        yield Problem(way, order[0], 0, "", "环节次序不对，应按法定次序办理")


def _stages_alone(stage: Stage) -> Iterator[Problem]:
    """An application follows the flow's stages; nothing is promised of it that nobody would do. （第十四条）"""
    if stage.days is not None:
        yield Problem("application", stage.code, 0, "“办理时限（工作日）”", "申报环节不设时限，请删去")
    if stage.substeps:
        yield Problem("application", stage.code, 1, "", "申报环节不加子环节，请删去；需要的放在清册流程中")


def _times(way: str, stage: Stage) -> Iterator[Problem]:
    if stage.days is None:
        return
    place = place_of(way, stage.code)
    field = "“办理时限（工作日）”"
    if place.limit is None:
        remedy = f"与“{place.shared}”共用时限，请填在那里" if place.shared else "本办法未规定该岗时限，不能设定"
        yield Problem(way, stage.code, 0, field, remedy)
    elif stage.days > place.limit.working_days:
        most = place.limit.working_days
        yield Problem(
            way, stage.code, 0, field, f"{stage.days} 天长于法定的 {most} 个工作日（{place.limit.article}），只能更短"
        )


def _substeps(way: str, stage: Stage) -> Iterator[Problem]:
    own = place_of(way, stage.code).desk
    names: set[str] = set()
    signing: set[Desk] = set()
    for row, substep in enumerate(stage.substeps, 1):
        if not substep.name.strip():
            yield Problem(way, stage.code, row, "“名称”", REMEDIES["string_too_short"])
        elif substep.name.strip() in names:
            yield Problem(way, stage.code, row, "“名称”", f"“{substep.name}”重复，请改名或删去")
        names.add(substep.name.strip())
        yield from (Problem(way, stage.code, row, field, said) for field, said in _desk(substep, own, signing))
        yield from (Problem(way, stage.code, row, field, said) for field, said in _spot_check(substep))
        signing |= {substep.desk} if substep.kind in SIGNATURES else set()


def _desk(substep: Substep, own: Desk, signing: set[Desk]) -> Iterator[tuple[str, str]]:
    """A sub-step stays inside the organisation, and nobody is asked to sign twice. （第二十三条）"""
    if substep.desk not in DESKS:
        yield "“办理岗”", f"{substep.desk.label}岗不经办清册，请选本环节所在机构的岗位"
    elif substep.desk.post[:2] != own.post[:2]:
        yield (
            "“办理岗”",
            f"{substep.desk.label}岗不在本环节所在机构（{own.label}），同一人会在两个机构各办一次；请选本机构的岗位",
        )
    elif substep.kind == SubstepKind.COUNTERSIGN and substep.desk == own:
        yield "“办理岗”", f"会签须由本机构另一岗位办理；由{own.label}岗自己再签的，请选“加签”"
    elif substep.kind == SubstepKind.SIGN_OFF and substep.desk != own:
        yield "“办理岗”", f"加签由本环节的岗位（{own.label}）另一人办理；由其他岗位签的，请选“会签”"
    elif substep.kind in SIGNATURES and substep.desk in signing:
        yield "“办理岗”", f"{substep.desk.label}岗在本环节已签一次，同一人会办两次；请删去一行或换岗"


def _spot_check(substep: Substep) -> Iterator[tuple[str, str]]:
    if substep.kind == SubstepKind.SPOT_CHECK:
        if not substep.percent and not substep.count:
            yield "“抽查比例（%）”", "抽查须填比例或笔数"
        if not substep.note_required:
            yield "“须填意见”", "抽查结果必须填写，不能取消"
    elif substep.percent or substep.count:
        yield "“抽查比例（%）”", f"只有抽查才填比例和笔数，{substep.kind.label}请留空"


DESKS = (
    Desk.TOWNSHIP_CLERK, Desk.TOWNSHIP_HEAD, Desk.DEPARTMENT_CLERK, Desk.DEPARTMENT_REVIEWER, Desk.FINANCE_CLERK,
    Desk.FINANCE_REVIEWER,
)  # fmt: skip
"""Who may take a sub-step: whoever sits at a desk of the record."""


def desks_at(way: str, stage: str) -> tuple[Desk, ...]:
    """Return the desks that may take a sub-step of a stage: those of its organisation."""
    own: tuple[OrganisationKind, Any] = place_of(way, stage).desk.post[:2]
    return tuple(desk for desk in DESKS if desk.post[:2] == own)


def stored(content: FlowContent) -> dict[str, Any]:
    """Return a flow as JSON keeps it."""
    return content.model_dump(mode="json")


def digest_of(content: Mapping[str, Any]) -> str:
    """Return the SHA-256 over a stored flow's canonical JSON."""
    canonical = json.dumps(content, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return sha256(canonical.encode()).hexdigest()


DAYS = text("select content from project_flows where id = :flow")
DAYS_OF_PROJECT = text(
    "select f.content from subsidy_projects p join project_flows f on f.sector = p.sector"
    " and f.code = p.definition->>'flow' and f.status = 'in_force' where p.id = :project"
)


def flow_days(
    session: Session, deadline: Deadline, *, flow_id: int | None, project_id: int | None = None
) -> int | None:
    """Return the working days that a roster's flow allows where the law sets a limit; None: the law's. （第二十四条）

    flow_id: the version that a running record keeps. project_id: for a record that is only being made, the version in
    force. One indexed statement, none when there is neither.
    """
    if deadline not in (TOWNSHIP_NOTICE, DEPARTMENT_REVIEW, FINANCE_REVIEW):
        return None
    if flow_id is not None:
        held = session.execute(DAYS, {"flow": flow_id}).scalar_one_or_none()
    elif project_id is not None:
        held = session.execute(DAYS_OF_PROJECT, {"project": project_id}).scalar_one_or_none()
    else:
        return None
    return FlowContent.model_validate(held).days(deadline) if held is not None else None
