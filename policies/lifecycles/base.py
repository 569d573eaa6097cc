"""Lifecycles as data: each status enum has one table of steps (DESIGN D5).

Buttons, the inbox, confirm pages, the overdue list, the diagrams and the permission matrix all come from here.
"""

from dataclasses import dataclass, field
from typing import Any

from models.base import Labelled
from models.divisions import Level
from models.officers import ActingOfficer, Role
from models.organisations import OrganisationKind
from models.warnings import Gate
from policies.deadlines import Deadline
from policies.permissions import Permission
from policies.refusals import StepNotPossible


class Desk(Labelled):
    """A desk at a record; nobody sits at two desks of one record. （第二十三条）"""

    TOWNSHIP_CLERK = "township_clerk", "乡镇经办"
    TOWNSHIP_HEAD = "township_head", "乡镇负责人"
    TOWNSHIP_KEEPER = "township_keeper", "乡镇信息管理"
    DEPARTMENT_CLERK = "department_clerk", "主管部门经办"
    DEPARTMENT_REVIEWER = "department_reviewer", "主管部门审核"
    FINANCE_CLERK = "finance_clerk", "财政经办"
    FINANCE_REVIEWER = "finance_reviewer", "财政审核"
    BANK_CLERK = "bank_clerk", "代理银行经办"
    BANK_REVIEWER = "bank_reviewer", "代理银行复核"
    SECURITY_DRAFTER = "security_drafter", "安全管理拟定"
    SECURITY_ENABLER = "security_enabler", "安全管理复核"
    SYSTEM_KEEPER = "system_keeper", "系统管理"
    REGION_DEPARTMENT_CLERK = "region_department_clerk", "自治区主管部门经办"
    REGION_DEPARTMENT_REVIEWER = "region_department_reviewer", "自治区主管部门审核"
    REGION_FINANCE_CLERK = "region_finance_clerk", "自治区财政厅经办"
    REGION_FINANCE_REVIEWER = "region_finance_reviewer", "自治区财政厅审核"
    LEAGUE_DEPARTMENT_REVIEWER = "league_department_reviewer", "盟市主管部门核验"
    LEAGUE_FINANCE_REVIEWER = "league_finance_reviewer", "盟市财政核验"
    OWN_DEPARTMENT_CLERK = "own_department_clerk", "本级主管部门经办"
    OWN_DEPARTMENT_REVIEWER = "own_department_reviewer", "本级主管部门审核"
    OWN_FINANCE_CLERK = "own_finance_clerk", "本级财政经办"
    OWN_FINANCE_REVIEWER = "own_finance_reviewer", "本级财政审核"

    @property
    def post(self) -> tuple[OrganisationKind, Level, Role]:
        """Return the kind, level and role of the post that sits here."""
        return _POSTS[self]

    def seats(self, by: ActingOfficer) -> bool:
        """Tell whether the officer's post sits at this desk; the platform's, banks' and own desks at any level."""
        kind, level, _ = self.post
        return by.kind == kind and by.role in self.roles and (by.level == level or kind in _ANY_LEVEL or self.home)

    @property
    def home(self) -> bool:
        """Tell whether the desk takes only records of the officer's own division, not of those beneath it."""
        return self in _HOME

    def reaches(self, by: ActingOfficer, division_code: str) -> bool:
        """Tell whether a record of that division is this desk's business."""
        return not self.home or by.division_code == division_code

    @property
    def roles(self) -> tuple[Role, ...]:
        """Return every role that sits here: at the registry's desk the 专职管理岗 beside the clerk. （第三十一条）"""
        return (self.post[2], *_ALSO.get(self, ()))


_POSTS = {
    Desk.TOWNSHIP_CLERK: (OrganisationKind.TOWNSHIP, Level.TOWNSHIP, Role.CLERK),
    Desk.TOWNSHIP_KEEPER: (OrganisationKind.TOWNSHIP, Level.TOWNSHIP, Role.CLERK),
    Desk.TOWNSHIP_HEAD: (OrganisationKind.TOWNSHIP, Level.TOWNSHIP, Role.HEAD),
    Desk.DEPARTMENT_CLERK: (OrganisationKind.DEPARTMENT, Level.COUNTY, Role.CLERK),
    Desk.DEPARTMENT_REVIEWER: (OrganisationKind.DEPARTMENT, Level.COUNTY, Role.REVIEWER),
    Desk.FINANCE_CLERK: (OrganisationKind.FINANCE, Level.COUNTY, Role.CLERK),
    Desk.FINANCE_REVIEWER: (OrganisationKind.FINANCE, Level.COUNTY, Role.REVIEWER),
    Desk.BANK_CLERK: (OrganisationKind.BANK, Level.COUNTY, Role.CLERK),
    Desk.BANK_REVIEWER: (OrganisationKind.BANK, Level.COUNTY, Role.REVIEWER),
    Desk.SECURITY_DRAFTER: (OrganisationKind.PLATFORM, Level.REGION, Role.SECURITY_ADMIN),
    Desk.SECURITY_ENABLER: (OrganisationKind.PLATFORM, Level.REGION, Role.SECURITY_ADMIN),
    Desk.SYSTEM_KEEPER: (OrganisationKind.PLATFORM, Level.REGION, Role.SYSTEM_ADMIN),
    Desk.REGION_DEPARTMENT_CLERK: (OrganisationKind.DEPARTMENT, Level.REGION, Role.CLERK),
    Desk.REGION_DEPARTMENT_REVIEWER: (OrganisationKind.DEPARTMENT, Level.REGION, Role.REVIEWER),
    Desk.REGION_FINANCE_CLERK: (OrganisationKind.FINANCE, Level.REGION, Role.CLERK),
    Desk.REGION_FINANCE_REVIEWER: (OrganisationKind.FINANCE, Level.REGION, Role.REVIEWER),
    Desk.LEAGUE_DEPARTMENT_REVIEWER: (OrganisationKind.DEPARTMENT, Level.LEAGUE, Role.REVIEWER),
    Desk.LEAGUE_FINANCE_REVIEWER: (OrganisationKind.FINANCE, Level.LEAGUE, Role.REVIEWER),
    Desk.OWN_DEPARTMENT_CLERK: (OrganisationKind.DEPARTMENT, Level.COUNTY, Role.CLERK),
    Desk.OWN_DEPARTMENT_REVIEWER: (OrganisationKind.DEPARTMENT, Level.COUNTY, Role.REVIEWER),
    Desk.OWN_FINANCE_CLERK: (OrganisationKind.FINANCE, Level.COUNTY, Role.CLERK),
    Desk.OWN_FINANCE_REVIEWER: (OrganisationKind.FINANCE, Level.COUNTY, Role.REVIEWER),
}
_ALSO = {Desk.TOWNSHIP_KEEPER: (Role.REGISTRAR,)}
_ANY_LEVEL = frozenset((OrganisationKind.PLATFORM, OrganisationKind.BANK))
_HOME = frozenset(
    (Desk.OWN_DEPARTMENT_CLERK, Desk.OWN_DEPARTMENT_REVIEWER, Desk.OWN_FINANCE_CLERK, Desk.OWN_FINANCE_REVIEWER)
)
"""Region, league and county each keep records of this kind; nobody takes a step for another division."""


@dataclass(frozen=True)
class Ask:
    """One field of a step's confirm page; its name is the verb's keyword."""

    name: str
    label: str
    kind: str = "textarea"
    """text, suggest (text with proposals), textarea, choice, choices, checkbox, number, integer, date, file, password
    (re-authentication: checked by the console); row and rows: one or several records by number; each: a choice for
    every record; evidence: documents with their kinds."""
    required: bool = True
    choices: tuple[tuple[str, str], ...] = ()
    help: str = ""


OPINION = Ask("opinion", "意见", required=False)
REASON = Ask("reason", "退回原因")
PASSWORD = Ask("password", "登录口令（拨付前复核身份）", kind="password")


@dataclass(frozen=True)
class Step:
    """One step: everything about it is on its one line."""

    verb: str
    source: Labelled
    target: Labelled | None
    """None: back to the status kept in `resume_status`."""
    permission: Permission | None = None
    label: str = ""
    desk: Desk | None = None
    """None: a step of the system (results, completion), never a button."""
    due: Deadline | None = None
    """The time allowed from the record's arrival at the organisation; steps of one organisation share it."""
    asks: tuple[Ask, ...] = ()
    forward: bool = True
    """The way onward (inbox, primary action); False for return and withdraw."""
    undoes: bool = False
    """A withdrawal: the former limit runs on as if the withdrawn step had not been taken."""
    gate: Gate | None = None
    """The gate of warning rules that is run first. （第十八条）"""
    resume_at: Labelled | None = None
    """Where a returned record comes back to."""
    consequence: str = ""
    """What the confirm page says will happen."""


@dataclass(frozen=True)
class Lifecycle:
    """All steps of one noun."""

    noun: str
    title: str
    steps: tuple[Step, ...]
    ends: frozenset[str] = field(default_factory=frozenset)
    begins: frozenset[str] = field(default_factory=frozenset)
    """Statuses in which records are made, beside the first of all."""

    def step(self, verb: str, status: Any, title: str = "") -> Step:
        """Return the step `verb` from `status`. Raises StepNotPossible."""
        for step in self.steps:
            if step.verb == verb and step.source == status:
                return step
        label = next((step.label for step in self.steps if step.verb == verb), verb)
        raise StepNotPossible(title=title or self.title, status=getattr(status, "label", status), step=label)

    def steps_from(self, status: Any) -> tuple[Step, ...]:
        """Return the steps that leave `status`."""
        return tuple(step for step in self.steps if step.source == status)

    def onward(self, status: Any) -> Step | None:
        """Return the desk step that leads onward from `status`: whose turn it is, and by when."""
        return next((step for step in self.steps_from(status) if step.forward and step.desk), None)

    def due(self, status: Any) -> Deadline | None:
        """Return the limit that runs while a record stands in `status`."""
        return next((step.due for step in self.steps_from(status) if step.forward and step.due), None)

    def awaits(self, desk: Desk) -> tuple[Any, ...]:
        """Return the statuses in which it is this desk's turn."""
        return tuple(dict.fromkeys(s.source for s in self.steps if s.forward and s.desk == desk))
