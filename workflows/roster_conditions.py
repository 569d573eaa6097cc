"""What the law fixes about a roster's lines, in code and not to be switched off (DESIGN D11). （第十六、十七、十八条）

Each condition is one statement over the whole roster; a refusal names rows and remedy.
"""

from typing import Any

from sqlalchemy import text
from sqlmodel import Session

from integrations.amounts import yuan_text
from models.notices import Notice
from models.rosters import Roster
from policies.clock import now
from policies.moves import title_of
from policies.notices import last_day
from policies.refusals import Refused
from workflows.allotment import sources
from workflows.notices import current_notice

SHOWN_ROWS = 20


class RosterEmpty(Refused):
    """{title}没有正常状态的明细，无可发放内容；请恢复缓发、停发的明细，或重新导入清册。"""


class CheckMissing(Refused):
    """{title}有 {count} 条明细尚未完成公安联网核查（序号 {rows}）；请先办理“核查”并等待完成（第十六条第一项）。"""


class IdentityNotValid(Refused):
    """{title}有 {count} 条明细身份核查未通过（序号 {rows}）；请更正、停发或转录给继承人后再核查（第十六条第一项）。"""


class AmountNotPositive(Refused):
    """{title}有 {count} 条明细金额不大于零（序号 {rows}）；请更正或停发这些明细（第十六条）。"""


class PayeeNotEntitled(Refused):
    """{title}有 {count} 条明细的收款人不是本人、户主、监护人或继承人（序号 {rows}）；请更正收款人（第三十一条）。"""


class AccountMissing(Refused):
    """{title}有 {count} 条明细没有收款账户（序号 {rows}）；请登记社会保障卡账户或缓发这些明细（第十六条第二项）。"""


class TotalsDiffer(Refused):
    """{title}的笔数、金额与明细合计不符（明细 {count} 笔、{amount} 元）；请联系系统管理员核对，不能继续办理。"""


class FactsChanged(Refused):
    """{title}的公示内容已变（金额、标准或人员）；请由乡镇经办岗“重新公示”，期满后再由负责人审核（第十六条第三项）。"""


class NoticeRunning(Refused):
    """{title}公示期至 {ends_on} 届满（当日含在内），届满后方可由负责人审核（第十六条第三项）。"""


class ObjectionsOpen(Refused):
    """{title}有 {count} 件公示异议尚未处理；请乡镇经办岗逐件处理并答复后再办理（第十六条第三项）。"""


class IndicatorShort(Refused):
    """{title}需要 {need} 元，可用指标只有 {have} 元，缺 {short} 元；请财政经办岗下载或对应指标后再办理（第十条）。"""


OUTCOME_FITS = "(identity_outcome = 'match' or (identity_outcome = 'dead' and payee_relation = 'heir'))"
"""The dead person's entitlement may go on to an heir. （第十六条第一项）"""

SAME_NAME = "translate({0}, '・•．‧∙⋅●˙ 　', '········') {1} translate({2}, '・•．‧∙⋅●˙ 　', '········')"

PAYEE_FITS = (
    "(payee_relation in ('guardian', 'heir')"
    f" or (payee_relation = 'self' and {SAME_NAME.format('payee_name', '=', 'name')})"
    f" or (payee_relation = 'head' and {SAME_NAME.format('payee_name', '=', 'head_name')}))"
)

CONDITIONS: tuple[tuple[str, str, type[Refused]], ...] = (
    ("unchecked", "identity_outcome is null", CheckMissing),
    ("invalid", f"identity_outcome is not null and not {OUTCOME_FITS}", IdentityNotValid),
    ("unpaid", "amount_fen <= 0", AmountNotPositive),
    ("stranger", f"not {PAYEE_FITS}", PayeeNotEntitled),
    ("homeless", "account_number is null or account_index is null", AccountMissing),
)
"""Name, what is wrong as SQL over an active line, and the refusal."""


def _survey_sql() -> str:
    found = ", ".join(
        f"count(*) filter (where {wrong}) as {name},"
        f" (array_agg(sequence order by sequence) filter (where {wrong}))[1:{SHOWN_ROWS}] as {name}_rows"
        for name, wrong, _ in CONDITIONS
    )
    return (
        f"select count(*) as line_count, coalesce(sum(amount_fen), 0) as amount_fen, {found}"  # noqa: S608 - constants
        " from roster_lines where division_code = :division and roster_id = :roster and state = 'active'"
    )


SURVEY = text(_survey_sql())


def _survey(session: Session, roster: Roster) -> Any:
    return session.execute(SURVEY, {"division": roster.division_code, "roster": roster.id}).one()._mapping


def _refuse_if_any(roster: Roster, found: Any, wanted: tuple[str, ...]) -> None:
    for name, _, refusal in CONDITIONS:
        if name in wanted and found[name]:
            rows = "、".join(str(row) for row in found[f"{name}_rows"])
            more = "…" if found[name] > SHOWN_ROWS else ""
            raise refusal(title=title_of(roster), count=found[name], rows=rows + more)


def require_checked(session: Session, roster: Roster) -> None:
    """Let only a roster go on that has lines and whose every active line the police have answered. （第十六条第一项）

    Raises RosterEmpty, CheckMissing.
    """
    found = _survey(session, roster)
    if not found["line_count"]:
        raise RosterEmpty(title=title_of(roster))
    _refuse_if_any(roster, found, ("unchecked",))
    if roster.checked_at is None:
        raise CheckMissing(title=title_of(roster), count=found["line_count"], rows="全部")


def require_payable(session: Session, roster: Roster) -> None:
    """Let only lines go on that may be paid: valid people, positive amounts, rightful payees, accounts. （第十八条）

    Raises IdentityNotValid, AmountNotPositive, PayeeNotEntitled, AccountMissing, TotalsDiffer.
    """
    found = _survey(session, roster)
    _refuse_if_any(roster, found, tuple(name for name, _, _ in CONDITIONS))
    if (found["line_count"], found["amount_fen"]) != (roster.line_count, roster.amount_fen):
        amount = yuan_text(int(found["amount_fen"]))
        raise TotalsDiffer(title=title_of(roster), count=found["line_count"], amount=amount)


def require_unchanged(roster: Roster) -> None:
    """Let a roster go on only with the facts that were published. （第十六条第三项） Raises FactsChanged."""
    if roster.facts_changed:
        raise FactsChanged(title=title_of(roster))


def require_notice_over(session: Session, roster: Roster) -> Notice:
    """Let a roster go on once its notice has run and no objection is open. （第十六条第三项）

    Raises NoticeRunning, ObjectionsOpen.
    """
    notice = current_notice(session, roster)
    if now(session) < notice.ends_at:
        raise NoticeRunning(title=title_of(roster), ends_on=last_day(notice.ends_at))
    opened = session.execute(
        text(
            "select count(*) from objections"
            " where division_code = :division and roster_id = :roster and status = 'open'"
        ),
        {"division": roster.division_code, "roster": roster.id},
    ).scalar_one()
    if opened:
        raise ObjectionsOpen(title=title_of(roster), count=opened)
    return notice


def require_indicator(session: Session, roster: Roster) -> int:
    """Let the final review pass only when indicators cover the sum; nothing is reserved yet. （第十条、第十七条）

    Raises NoLink, IndicatorShort.
    """
    have = sum(source.available_fen for source in sources(session, roster))
    if have < roster.amount_fen:
        raise IndicatorShort(
            title=title_of(roster),
            need=yuan_text(roster.amount_fen),
            have=yuan_text(have),
            short=yuan_text(roster.amount_fen - have),
        )
    return have
