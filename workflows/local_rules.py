"""Local rules: a league's or county's own numbers, stricter than the law's, told to the region. （第三十六条）"""

from datetime import date

import sqlalchemy as sa
from sqlmodel import Session, col, select

from models.base import REGION_CODE
from models.catalogue_tasks import CatalogueTaskKind
from models.divisions import Division, Level
from models.local_rules import HOLDING, LocalRule, LocalRuleStatus
from models.officers import ActingOfficer
from models.organisations import OrganisationKind
from policies.clock import now, today
from policies.enforcement import allow
from policies.lifecycles import Desk
from policies.limits import PARAMETERS, Parameter, value_for
from policies.moves import begin, move
from policies.permissions import Permission
from policies.refusals import ReasonMissing, Refused
from workflows.attachments import Evidence, media_type_of
from workflows.catalogue_tasks import vanish
from workflows.files import store

SUBJECT = "local_rule"
NO_FILE = ("", b"")


class NoLocalRules(Refused):
    """本地细则由盟市、旗县财政部门拟定和审定，{own}不能办理（第三十六条）。"""

    status_code = 403


class ParameterUnknown(Refused):
    """“{code}”不在可由本地细则规定的参数之列；可规定的有：{known}（第三十六条）。"""

    status_code = 400


class LooserThanLaw(Refused):
    """{title}：本地数值 {value} {unit}，{source}为 {law} {unit}；本地{direction}（{article}、第三十六条）。"""

    status_code = 400


class LooserThanLeague(Refused):
    """{title}：本地数值 {value} {unit}，盟市现行细则为 {league} {unit}；旗县细则不能宽于盟市细则（第三十六条）。"""

    status_code = 400


class LocalValueWrong(Refused):
    """{title}应为 1 至 {highest} 的整数（{unit}），当前填写为“{value}”；请更正后提交。"""

    status_code = 400


class RuleOverlaps(Refused):
    """与本地已有细则 {number} 重叠：{value} {unit}，{since} 至 {until}；请改执行起日，或先停止它（第三十六条）。"""


class RuleDayWrong(Refused):
    """{field}“{day}”{why}，请更正后提交。"""

    status_code = 400


def propose(
    session: Session, *, by: ActingOfficer, parameter: str, value: int, valid_from: date, document_number: str,
    document_title: str, valid_to: date | None = None, file: tuple[str, bytes] = NO_FILE,
) -> LocalRule:  # fmt: skip
    """Propose a local rule for one's own division. （第三十六条）

    Raises NotAllowed, NoLocalRules, ParameterUnknown, LocalValueWrong, LooserThanLaw, LooserThanLeague, RuleDayWrong,
    RuleOverlaps, ReasonMissing, DocumentNotKnown, DocumentTooBig.
    """
    allow(session, by, Permission.LOCAL_RULE_PROPOSE)
    if by.kind != OrganisationKind.FINANCE or by.level not in (Level.LEAGUE, Level.COUNTY):
        raise NoLocalRules(own=by.organisation)
    asked = PARAMETERS.get(parameter)
    if asked is None:
        raise ParameterUnknown(code=parameter, known="、".join(one.title for one in PARAMETERS.values()))
    for field, text in (("文件文号", document_number), ("文件名称", document_title)):
        if not text.strip():
            raise ReasonMissing(step="拟定本地细则", field=field)
    day = today(session)
    if valid_from < day:
        raise RuleDayWrong(field="执行起", day=valid_from, why=f"早于今天 {day}，细则不能溯及已起算的期限")
    if valid_to is not None and valid_to < valid_from:
        raise RuleDayWrong(field="执行止", day=valid_to, why=f"早于执行起 {valid_from}")
    record = LocalRule(
        division_code=by.division_code, number=_number(session, by), parameter=asked.code, title=asked.title,
        value=value, unit=asked.unit, law_value=asked.law_value, valid_from=valid_from, valid_to=valid_to,
        document_number=document_number.strip(), document_title=document_title.strip(),
    )  # fmt: skip
    _require_sound(session, record, asked)
    name, content = file
    if content:
        kind = media_type_of(Evidence(name, content))
        record.file_id = store(
            session, name, content, by=by, division_code=by.division_code, media_type=kind, days=None
        ).id
    return begin(session, record, by=by, label="拟定本地细则", desk=Desk.OWN_FINANCE_CLERK, facts=_facts(record))


def settle(session: Session, record: LocalRule, *, by: ActingOfficer, opinion: str = "") -> LocalRule:
    """Settle a rule: it holds from its date, and the region is told to file it. （第三十六条）

    Raises NotAllowed, OtherDivision, SamePersonTwice, and what `propose` refuses if it has become so since.
    """
    allow(session, by, Permission.LOCAL_RULE_ENABLE, record)
    _require_sound(session, record, PARAMETERS[record.parameter])
    day = today(session)
    if record.valid_from < day:
        raise RuleDayWrong(field="执行起", day=record.valid_from, why=f"已过今天 {day}，请退回后另行拟定")
    move(session, record, "settle", by=by, opinion=opinion, facts=_facts(record))
    place = session.get_one(Division, record.division_code).name
    told = f"{place}“{record.title}”本地细则 {record.value} {record.unit}，自 {record.valid_from} 起执行，请备案"
    session.execute(
        sa.text("select tell_local_rule(:rule, :told, :moment)"),
        {"rule": record.id, "told": told, "moment": now(session)},
    )
    return record


def return_(session: Session, record: LocalRule, *, by: ActingOfficer, reason: str) -> LocalRule:
    """Turn a proposed rule down. （第三十六条） Raises ReasonMissing."""
    allow(session, by, Permission.LOCAL_RULE_ENABLE, record)
    return move(session, record, "return_", by=by, opinion=_reason("不采用", reason))


def withdraw(session: Session, record: LocalRule, *, by: ActingOfficer) -> LocalRule:
    """Take one's own proposal back. （第三十六条）"""
    allow(session, by, Permission.LOCAL_RULE_PROPOSE, record)
    return move(session, record, "withdraw", by=by)


def file(session: Session, record: LocalRule, *, by: ActingOfficer, note: str = "") -> LocalRule:
    """File a settled rule at the region (备案): told, not approved. （第三十六条）"""
    allow(session, by, Permission.LOCAL_RULE_FILE, record)
    record.filed_on = today(session)
    session.flush()
    move(session, record, "file", by=by, opinion=note.strip())
    _untell(session, record, by)
    return record


def end(session: Session, record: LocalRule, *, by: ActingOfficer, valid_to: date, reason: str) -> LocalRule:
    """End a rule early: from the next day the law's number holds again. （第三十六条） Raises RuleDayWrong."""
    allow(session, by, Permission.LOCAL_RULE_ENABLE, record)
    said = _reason("停止执行", reason)
    day = today(session)
    if valid_to < max(day, record.valid_from):
        raise RuleDayWrong(field="执行止", day=valid_to, why=f"早于今天 {day} 或执行起 {record.valid_from}")
    if record.valid_to is not None and valid_to > record.valid_to:
        raise RuleDayWrong(field="执行止", day=valid_to, why=f"晚于原定的 {record.valid_to}，细则只能提前停止")
    record.valid_to, record.ended_for = valid_to, said
    session.flush()
    return move(session, record, "end", by=by, opinion=said, facts={"until": valid_to.isoformat()})


def in_force(session: Session, division_code: str) -> list[tuple[Parameter, int]]:
    """Return what holds in a division today, for the whole catalogue. （第三十六条）"""
    day = today(session)
    return [(one, value_for(session, one, division_code, day)) for one in PARAMETERS.values()]


def _require_sound(session: Session, record: LocalRule, asked: Parameter) -> None:
    """Raise LocalValueWrong, LooserThanLaw, LooserThanLeague, RuleOverlaps."""
    value = record.value
    about = {"title": asked.title, "value": value, "unit": asked.unit}
    if not 1 <= value <= asked.highest:
        raise LocalValueWrong(**about, highest=asked.highest)
    if not asked.stricter(value, asked.law_value):
        raise LooserThanLaw(
            **about, law=asked.law_value, source=asked.source, direction=asked.direction, article=asked.article
        )
    name = f"local_rule:{record.division_code[:4]}:{asked.code}"
    session.execute(sa.text("select pg_advisory_xact_lock(hashtextextended(:name, 0))"), {"name": name})
    _require_room(session, record, asked)
    upper = value_for(session, asked, record.division_code, record.valid_from)
    if not asked.stricter(value, upper):
        raise LooserThanLeague(**about, league=upper)


def _require_room(session: Session, record: LocalRule, asked: Parameter) -> None:
    model = LocalRule
    shares = [sa.or_(col(model.valid_to).is_(None), col(model.valid_to) >= record.valid_from)]
    if record.valid_to is not None:
        shares.append(col(model.valid_from) <= record.valid_to)
    if record.id is not None:
        shares.append(col(model.id) != record.id)
    waiting = (LocalRuleStatus.PROPOSED,) if record.id is None else ()
    other = session.exec(
        select(model).where(
            model.division_code == record.division_code, model.parameter == record.parameter,
            col(model.status).in_((*HOLDING, *waiting)), *shares,
        )
    ).first()  # fmt: skip
    if other is not None:
        raise RuleOverlaps(
            number=other.number, value=other.value, unit=asked.unit, since=other.valid_from,
            until=other.valid_to or "长期",
        )  # fmt: skip


def _untell(session: Session, record: LocalRule, by: ActingOfficer) -> None:
    vanish(session, CatalogueTaskKind.LOCAL_RULE, SUBJECT, [record.id or 0], by=by, division_code=REGION_CODE)


def _reason(step: str, reason: str) -> str:
    if not reason.strip():
        raise ReasonMissing(step=step, field="原因")
    return reason.strip()


def _facts(record: LocalRule) -> dict[str, str | int]:
    return {"parameter": record.parameter, "value": record.value, "since": record.valid_from.isoformat(),
            "document": record.document_number}  # fmt: skip


def _number(session: Session, by: ActingOfficer) -> str:
    serial = session.execute(sa.text("select to_char(nextval('local_rule_numbers'), 'FM00000')")).scalar_one()
    return f"XZ{by.division_code[:6]}{today(session):%Y%m%d}{serial}"
