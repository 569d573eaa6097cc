"""The verbs of a roster, from public notice to the final review. （第十六、十七、十八、三十一条）"""

from typing import Any

from sqlmodel import Session

from models.notices import NoticeMode
from models.officers import ActingOfficer
from models.rosters import Roster
from policies.enforcement import allow
from policies.lifecycles import Step
from policies.lifecycles.rosters import ROSTER_LIFECYCLE
from policies.moves import move, require_desk, title_of
from policies.permissions import Permission
from policies.refusals import ReasonMissing, Refused
from workflows.notices import hang, notice_days
from workflows.roster_conditions import (
    require_checked,
    require_indicator,
    require_notice_over,
    require_payable,
    require_unchanged,
)
from workflows.substeps import require_substeps
from workflows.warnings import screen


class StatementMissing(Refused):
    """线下公示须填写说明，写明张贴地点和不宜线上公示的理由；请补充“线下公示说明”后提交（第十六条第三项）。"""

    status_code = 400


class ModeUnknown(Refused):
    """公示方式“{mode}”无效；请选择“阳光申报公示平台”或“线下公示”（第十六条第三项）。"""

    status_code = 400


class AttestationMissing(Refused):
    """负责人须勾选确认补贴对象和补贴标准真实准确、没有抵扣债务或其他欠款，方可审核通过（第三十一条）。"""

    status_code = 400


class NothingChanged(Refused):
    """{title}的公示内容没有变化，不需要重新公示；请按原公示继续办理。"""


def publish_notice(session: Session, roster: Roster, *, by: ActingOfficer, mode: str, statement: str = "") -> Roster:
    """Hang a checked roster on public notice for the period its county department has set. （第十五条、第十六条第三项）

    A second round shows the lines whose facts have changed since. Raises CheckMissing, RosterEmpty,
    NoticePeriodMissing, ModeUnknown, StatementMissing.
    """
    _allow_step(session, roster, "publish_notice", by)
    require_checked(session, roster)
    if mode not in tuple(NoticeMode):
        raise ModeUnknown(mode=mode)
    if mode == NoticeMode.OFFLINE and not statement.strip():
        raise StatementMissing
    days = notice_days(session, roster)
    notice = hang(session, roster, mode=NoticeMode(mode), statement=statement.strip(), days=days)
    roster.notice_round, roster.facts_changed = notice.round, False
    facts = {"round": notice.round, "days": days, "ends_at": notice.ends_at.isoformat(), "digest": notice.digest}
    return move(session, roster, "publish_notice", by=by, facts=facts)


def endorse(session: Session, roster: Roster, *, by: ActingOfficer, attested: bool, opinion: str = "") -> Roster:
    """Endorse a roster as the township's head, once its notice has run, with the attestation. （第三十一条）

    Raises OwnHousehold, FactsChanged, NoticeRunning, ObjectionsOpen, AttestationMissing.
    """
    _allow_step(session, roster, "endorse", by)
    require_unchanged(roster)
    require_notice_over(session, roster)
    if attested is not True:
        raise AttestationMissing
    return move(session, roster, "endorse", by=by, opinion=opinion, facts={"attested": True})


def report(session: Session, roster: Roster, *, by: ActingOfficer) -> Roster:
    """Report an endorsed roster to the county department. （第十六条第三项、第十八条）

    Raises FactsChanged, CheckMissing, the refusals of `screen` and of `require_payable`.
    """
    return _pass_on(session, roster, "report", by)


def examine_department(session: Session, roster: Roster, *, by: ActingOfficer, opinion: str = "") -> Roster:
    """Examine a reported roster as the department's clerk. （第十七、十八条）

    Raises as `report` does, and OwnHousehold.
    """
    return _pass_on(session, roster, "examine_department", by, opinion)


def pass_department(session: Session, roster: Roster, *, by: ActingOfficer, opinion: str = "") -> Roster:
    """Pass an examined roster on to county finance. （第十七、十八条） Raises as `examine_department` does."""
    return _pass_on(session, roster, "pass_department", by, opinion)


def examine_finance(session: Session, roster: Roster, *, by: ActingOfficer, opinion: str = "") -> Roster:
    """Examine a roster as the finance bureau's clerk. （第十七、十八条） Raises as `examine_department` does."""
    return _pass_on(session, roster, "examine_finance", by, opinion)


def pass_finance(session: Session, roster: Roster, *, by: ActingOfficer, opinion: str = "") -> Roster:
    """Pass a roster finally; its indicators must cover it, none is reserved yet. （第十、十七、十八条）

    Raises as `examine_department` does, NoLink and IndicatorShort.
    """
    _allow_step(session, roster, "pass_finance", by)
    have = require_indicator(session, roster)
    return _pass_on(session, roster, "pass_finance", by, opinion, {"available_fen": have})


def return_(session: Session, roster: Roster, *, by: ActingOfficer, reason: str) -> Roster:
    """Return a roster to its township with the reason; the clock stops. （第十六条第一项、第十七条）

    Raises ReasonMissing.
    """
    step = _allow_step(session, roster, "return_", by)
    if not reason.strip():
        raise ReasonMissing(step=step.label, field="退回原因")
    return move(session, roster, "return_", by=by, opinion=reason.strip())


def resume(session: Session, roster: Roster, *, by: ActingOfficer) -> Roster:
    """Report a returned roster again, to the desk that returned it, if no published fact changed. （第十六条第三项）

    Raises as `report` does.
    """
    return _pass_on(session, roster, "resume", by)


def reopen(session: Session, roster: Roster, *, by: ActingOfficer) -> Roster:
    """Take a roster whose published facts changed back to draft, for a new notice and endorsement. （第十六条第三项）

    Raises NothingChanged.
    """
    _allow_step(session, roster, "reopen", by)
    if not roster.facts_changed:
        raise NothingChanged(title=title_of(roster))
    return move(session, roster, "reopen", by=by)


def withdraw(session: Session, roster: Roster, *, by: ActingOfficer) -> Roster:
    """Withdraw a reported roster before the department has acted. （第十七条）"""
    _allow_step(session, roster, "withdraw", by)
    return move(session, roster, "withdraw", by=by)


def withdraw_department(session: Session, roster: Roster, *, by: ActingOfficer) -> Roster:
    """Withdraw a roster from finance before finance has acted. （第十七条）"""
    _allow_step(session, roster, "withdraw_department", by)
    return move(session, roster, "withdraw_department", by=by)


def withdraw_finance(session: Session, roster: Roster, *, by: ActingOfficer) -> Roster:
    """Withdraw a final roster before a payment order has been made from it. （第十七、十九条）"""
    _allow_step(session, roster, "withdraw_finance", by)
    return move(session, roster, "withdraw_finance", by=by)


def _allow_step(session: Session, roster: Roster, verb: str, by: ActingOfficer) -> Step:
    """Return the step if the post may take it from where the roster stands.

    Raises NotFound, OtherSector, NotAllowed, StepNotPossible, SubstepsOpen, SignedAlready, NextDeskActed.
    """
    permission = next(step.permission for step in ROSTER_LIFECYCLE.steps if step.verb == verb)
    allow(session, by, permission or Permission.ROSTER_VIEW, roster)
    step = ROSTER_LIFECYCLE.step(verb, roster.status, title_of(roster))
    require_desk(step, by)
    require_substeps(session, roster, step, by=by)
    return step


def _pass_on(
    session: Session,
    roster: Roster,
    verb: str,
    by: ActingOfficer,
    opinion: str = "",
    facts: dict[str, Any] | None = None,
) -> Roster:
    """Take one step towards the money: published facts unchanged, checked, screened by rules, payable by law."""
    step = _allow_step(session, roster, verb, by)
    require_unchanged(roster)
    require_checked(session, roster)
    lights: dict[str, Any] = {}
    if step.gate is not None:
        lights = {"lights": screen(session, roster, step.gate, by=by).facts}
    require_payable(session, roster)
    return move(session, roster, verb, by=by, opinion=opinion, facts=lights | (facts or {}))
