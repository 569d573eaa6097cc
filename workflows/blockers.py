"""What holds a record back, by which article, and who can unblock it: facts for people, guards stay in the verbs."""

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlmodel import Session

from models.bank_batches import BankBatch, BankBatchStatus
from models.events import DeskHolder, Event
from models.failures import Failure
from models.household_reviews import HouseholdReview, ReviewStatus
from models.households import Household, HouseholdStatus, IdentityOutcome, Member
from models.notices import Notice, Objection, ObjectionStatus
from models.officers import ActingOfficer
from models.payment_orders import PaymentOrder, PaymentOrderStatus
from models.policy_changes import PolicyChange
from models.registry_changes import ChangeStatus, RegistryChange
from models.rosters import LineState, Roster, RosterLine, RosterStatus
from models.warnings import Light, RosterWarning, WarningRule
from policies.clock import now
from policies.lifecycles import LIFECYCLES, Desk
from workflows import household_pages
from workflows.policy_changes import obstacles
from workflows.roster_lines import EDITABLE
from workflows.substeps import open_substeps

ARTICLE_18 = "第十八条"


@dataclass(frozen=True)
class Blocker:
    """One fact that holds a record back."""

    tone: str
    """red stops, yellow asks for words, blue asks for a look, wait needs only time."""
    text: str
    article: str
    unblock: str
    """Who can unblock it, and how."""


def blockers(session: Session, record: Any, by: ActingOfficer) -> list[Blocker]:
    """Return what holds the record back now. （第十六、十八、二十一、二十三条）"""
    if isinstance(record, Roster):
        found = [*_lights(session, record), *_notice(session, record), *_checks(record), *_substeps(session, record)]
        found += _returned(session, record) if record.status == RosterStatus.RETURNED else []
        stopped = any(one.tone == Light.RED for one in found)
        found += _lines(session, record) if record.status in EDITABLE and not stopped else []
    elif isinstance(record, PolicyChange):
        found = [Blocker(*told) for told in obstacles(session, record)]
    elif isinstance(record, RegistryChange | HouseholdReview):
        found = _given_back(record)
    elif isinstance(record, Household | Member):
        found = _kept(session, record)
    else:
        found = _money(record)
    return [*found, *_same_person(session, record, by)]


def _given_back(record: RegistryChange | HouseholdReview) -> list[Blocker]:
    """Tell what a change or review of the registry waits for. （第十一条）"""
    if record.status in (ChangeStatus.RETURNED, ReviewStatus.RETURNED):
        way = "由苏木乡镇信息管理岗补正后再次提交，或撤回"
        return [Blocker("yellow", f"退回原因：{record.returned_for}", "第十一条", way)]
    if record.status == ChangeStatus.APPROVED:
        return [Blocker("wait", "正在写入基础信息库", "第十一条", "后台处理，无需人工操作")]
    return []


def _kept(session: Session, record: Household | Member) -> list[Blocker]:
    """Tell what waits at a household or person. （第十一条、第十六条第一项）"""
    changes, tasks = household_pages.waiting(session, record)
    found = []
    problem = household_pages.identity_problem(record) if isinstance(record, Member) else None
    if problem is not None:
        tone, text, way = problem
        found.append(Blocker(tone, text, "第十一条、第十六条第一项", way))
    if tasks:
        way = "由苏木乡镇信息管理岗在“基础信息待办”中核实处理"
        found.append(Blocker("yellow", f"{tasks} 件差异待处理", "第十一条", way))
    if changes:
        found.append(Blocker("blue", f"{changes} 件变更在办理中", "第十一条", "复核同意后才写入基础信息库"))
    if isinstance(record, Household) and record.status == HouseholdStatus.ACTIVE and household_pages.overdue(
        session, record
    ):  # fmt: skip
        last = f"上次 {record.reviewed_on}" if record.reviewed_on else "尚未复核过"
        way = "由苏木乡镇信息管理岗入户后登记年度复核"
        found.append(Blocker("yellow", f"年度复核逾期：{last}", "第十一条", way))
    return found


def _lights(session: Session, roster: Roster) -> list[Blocker]:
    warning: Any = RosterWarning
    rule: Any = WarningRule
    line: Any = RosterLine
    statement = (
        sa.select(warning.light, warning.rule_name, sa.func.max(rule.article), sa.func.count(warning.id.distinct()))
        .join(rule, (rule.code == warning.rule_code) & (rule.version == warning.rule_version), isouter=True)
        .join(line, (line.division_code == warning.division_code) & (line.id == warning.line_id), isouter=True)
        .where(warning.division_code == roster.division_code, warning.roster_id == roster.id)
        .where(warning.live, warning.explanation == "", sa.or_(line.id.is_(None), line.state == LineState.ACTIVE))
        .group_by(warning.light, warning.rule_name)
        .order_by(sa.case({Light.RED: 0, Light.YELLOW: 1}, value=warning.light, else_=2), warning.rule_name)
    )
    ways = {
        Light.RED: "业务已中断：由苏木乡镇经办岗停发或更正这些明细，再重新核查",
        Light.YELLOW: "由经办岗在“预警”页逐条或按规则说明后，方可继续",
        Light.BLUE: "由经办岗在“预警”页核实确认后，可继续办理",
    }
    return [
        Blocker(str(light), f"{light.label}：{name}，{count} 笔", article or ARTICLE_18, ways[light])
        for light, name, article, count in session.execute(statement)
    ]


def _notice(session: Session, roster: Roster) -> list[Blocker]:
    found = []
    objection: Any = Objection
    opened = session.execute(
        sa.select(sa.func.count())
        .select_from(objection)
        .where(objection.roster_id == roster.id, objection.status == ObjectionStatus.OPEN)
    ).scalar_one()
    if opened:
        found.append(
            Blocker("red", f"公示异议 {opened} 件尚未处理", "第十六条第三项", "由苏木乡镇经办岗在“公示”页填写处理意见")
        )
    if roster.status == RosterStatus.ON_NOTICE:
        notice: Any = Notice
        ends = session.execute(sa.select(sa.func.max(notice.ends_at)).where(notice.roster_id == roster.id)).scalar_one()
        moment = now(session)
        if ends is not None and ends > moment:
            local = ends.astimezone(moment.tzinfo)
            text = f"公示期至 {local:%Y-%m-%d %H:%M} 届满"
            found.append(Blocker("wait", text, "第十六条第三项", "届满后由苏木乡镇负责人审核，之前不能上报"))
    return found


def _substeps(session: Session, roster: Roster) -> list[Blocker]:
    """Tell which sub-steps of the flow come before the desk's own step, and who takes them. （第二十四条）"""
    return [
        Blocker("yellow", f"“{one.stage.label}”环节待办{one.label}", "第二十四条", f"由{one.substep.desk.label}岗办理")
        for one in open_substeps(session, roster)
    ]


def _returned(session: Session, roster: Roster) -> list[Blocker]:
    event: Any = Event
    statement = (
        sa.select(event.officer_name, event.post, event.opinion)
        .where(event.noun == "roster", event.record_id == roster.id, event.verb == "return_")
        .order_by(event.id.desc())
        .limit(1)
    )
    return [
        Blocker("yellow", f"退回原因：{opinion}（{name}，{post}）", "第十七条", "由苏木乡镇经办岗更正后再次上报")
        for name, post, opinion in session.execute(statement)
    ]


def _lines(session: Session, roster: Roster) -> list[Blocker]:
    """Tell what the checks have found on active lines, before the rules say it at the gate."""
    line: Any = RosterLine
    wrong = sa.func.count().filter(line.identity_outcome.is_not(None), line.identity_outcome != IdentityOutcome.MATCH)
    bare = sa.func.count().filter(
        sa.or_(line.account_number.is_(None), sa.func.coalesce(line.account_state, "") != "verified")
    )
    mine = (line.division_code == roster.division_code) & (line.roster_id == roster.id)
    people, accounts = session.execute(sa.select(wrong, bare).where(mine, line.state == LineState.ACTIVE)).one()
    found = []
    if people:
        way = "由苏木乡镇经办岗更正、停发或转录给继承人，再重新核查"
        found.append(Blocker("red", f"身份核查异常 {people} 笔", "第十六条第一项", way))
    if accounts:
        way = "由苏木乡镇经办岗通知补贴对象变更账户，或缓发这些明细"
        found.append(Blocker("yellow", f"收款账户未验证通过 {accounts} 笔", "第十六条第二项", way))
    return found


def _checks(roster: Roster) -> list[Blocker]:
    found = []
    if roster.status in EDITABLE and roster.checked_at is None:
        found.append(
            Blocker("yellow", "尚未完成身份、账户核查", "第十六条第一、二项", "由苏木乡镇经办岗点“核查”，完成后再继续")
        )
    if roster.facts_changed:
        found.append(
            Blocker("yellow", "公示后内容有变", "第十六条第三项", "由苏木乡镇经办岗补充公示，再由负责人重新审核")
        )
    return found


def _money(record: Any) -> list[Blocker]:
    if isinstance(record, PaymentOrder) and record.status == PaymentOrderStatus.REJECTED:
        text = f"预算管理一体化系统退回：{record.answer or '未说明原因'}"
        return [Blocker("red", text, "第十九条", "由主管部门经办岗更正后重新提交，或撤销支付单")]
    if isinstance(record, PaymentOrder) and record.status == PaymentOrderStatus.REQUESTED:
        return [Blocker("wait", "等待一体化系统拨付结果", "第十九条", "系统自动查询，无需人工操作")]
    if isinstance(record, BankBatch) and record.status in (BankBatchStatus.SENT, BankBatchStatus.ACCEPTED):
        return [Blocker("wait", "等待代理金融机构返回结果", "第二十条", "资金到账后 3 个工作日内，系统自动查询")]
    if isinstance(record, Failure) and record.status not in LIFECYCLES[Failure].ends:
        step = LIFECYCLES[Failure].onward(record.status)
        desk = f"由{step.desk.label}岗办理“{step.label}”" if step and step.desk else "系统自动处理"
        return [
            Blocker("yellow", f"{record.failure_class}：{record.reason}", "第二十一条", f"{record.route.label}；{desk}")
        ]
    return []


def _same_person(session: Session, record: Any, by: ActingOfficer) -> list[Blocker]:
    """The viewer's own hindrance: it is their turn by post, but not by person. （第二十三条）"""
    lifecycle = LIFECYCLES.get(type(record))
    step = lifecycle.onward(record.status) if lifecycle else None
    if lifecycle is None or step is None or step.desk is None or not step.desk.seats(by):
        return []
    seat = {"noun": lifecycle.noun, "record_id": record.id, "person": by.person}
    held = session.execute(sa.select(DeskHolder.desk).filter_by(**seat)).scalar_one_or_none()  # type: ignore[call-overload]
    if held is None or held == step.desk:
        return []
    text = f"您已在“{Desk(held).label}”岗办理过，不能再在“{step.desk.label}”岗办理"
    return [Blocker("red", text, "第二十三条", f"请由其他{step.desk.label}岗人员办理")]
