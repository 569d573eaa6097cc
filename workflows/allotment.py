"""Which indicator pays which line, and through which agent account: whole lines, in link order. （第十、十九条）"""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import text
from sqlmodel import Session

from integrations.amounts import yuan_text
from integrations.budget_system import hot_topic
from models.rosters import Roster
from policies.moves import title_of
from policies.refusals import Refused
from workflows.plans import by_hash

SHOWN_ROWS = 20


class NoLink(Refused):
    """补贴项目“{project}”在本旗县没有对应预算项目；请财政经办岗先“对应预算项目”，再生成支付单（第十条）。"""


class InsufficientIndicator(Refused):
    """{title}需要 {need} 元，对应指标可用 {have} 元，不足支付；请财政部门下载或追加指标后再办理（第十、十九条）。"""


class AgentAccountMissing(Refused):
    """{title}有 {count} 条明细（序号 {rows}）的开户银行在本旗县没有代发户；请财政部门登记后再办理（第二十条）。"""


class NothingToOrder(Refused):
    """{title}没有待生成支付单的明细：正常状态的明细都已列入支付单；请在“支付单”页查看办理进度。"""


class EntitlementTaken(Refused):
    """{title}有 {count} 条明细（序号 {rows}）的同一补贴已发放或正在发放；请停发重复明细后再办理（第二十一条）。"""


class AccountGone(Refused):
    """{title}有 {count} 条明细（序号 {rows}）没有收款账户；请登记社会保障卡账户后再办理（第十六条第二项）。"""


@dataclass(frozen=True)
class OpenLine:
    """A line that is to be ordered: who pays it is decided here."""

    id: int
    sequence: int
    amount_fen: int
    agent_account_id: int


@dataclass(frozen=True)
class Source:
    """An indicator that may pay, in draw-down order."""

    indicator_id: int
    available_fen: int


@dataclass
class Share:
    """The lines of one payment order: one indicator, one agent account."""

    indicator_id: int
    agent_account_id: int
    line_ids: list[int]
    amount_fen: int = 0


LINES = text(
    """
    select l.id, l.sequence, l.amount_fen, l.account_number is null as homeless,
        coalesce(
            (select min(a.id) from agent_accounts a join agent_banks b on b.id = a.bank_id
             where a.division_code = l.county_code and b.prefix = left(l.bank_code, 3)),
            case when l.bank_code = '' then (select min(a.id) from agent_accounts a
                where a.division_code = l.county_code having count(*) = 1) end) as agent_account_id,
        exists (select 1 from disbursements d where d.county_code = l.county_code
            and d.entitlement_key = l.entitlement_key
            and d.status in ('reserved', 'pending', 'sent', 'unknown', 'paid')) as in_flight
    from roster_lines l
    where l.division_code = :division and l.roster_id = :roster and l.state = 'active'
        and not exists (select 1 from disbursements d where d.division_code = :division and d.roster_id = :roster
            and d.line_id = l.id and d.status <> 'cancelled')
    order by l.sequence
    """
)

PAID_ELSEWHERE = text(
    """
    select l.sequence from roster_lines l
    where l.division_code = :division and l.roster_id = :roster and l.state = 'active' and l.entitlement_key in (
        select p.entitlement_key from entitlements_paid((select array_agg(x.entitlement_key) from roster_lines x
            where x.division_code = :division and x.roster_id = :roster and x.state = 'active')) p)
        and not exists (select 1 from disbursements d where d.division_code = :division and d.roster_id = :roster
            and d.line_id = l.id and d.status <> 'cancelled')
    order by l.sequence
    """
)


def open_lines(session: Session, roster: Roster) -> list[OpenLine]:
    """Return the active lines that no payment order carries yet, each with its agent account. （第十九条）

    Raises NothingToOrder, AccountGone, AgentAccountMissing, EntitlementTaken.
    """
    keys = {"division": roster.division_code, "roster": roster.id}
    with by_hash(session):
        rows = session.execute(LINES, keys).all()
        paid_elsewhere = set(session.execute(PAID_ELSEWHERE, keys).scalars())
    if not rows:
        raise NothingToOrder(title=title_of(roster))
    _refuse(roster, AccountGone, [row.sequence for row in rows if row.homeless])
    _refuse(roster, AgentAccountMissing, [row.sequence for row in rows if row.agent_account_id is None])
    taken = {row.sequence for row in rows if row.in_flight} | paid_elsewhere
    _refuse(roster, EntitlementTaken, sorted(taken))
    return [OpenLine(row.id, row.sequence, row.amount_fen, row.agent_account_id) for row in rows]


def _refuse(roster: Roster, kind: type[Refused], rows: Sequence[int]) -> None:
    if rows:
        shown = "、".join(map(str, rows[:SHOWN_ROWS])) + ("…" if len(rows) > SHOWN_ROWS else "")
        raise kind(title=title_of(roster), count=len(rows), rows=shown)


def sources(session: Session, roster: Roster) -> list[Source]:
    """Return the indicators that may pay the roster's project in its county, in draw-down order. （第十条）

    Only class 509 (对个人和家庭的补助) is payable to people. Raises NoLink.
    """
    keys = {"county": roster.county_code, "project": roster.project_id}
    links = text("select count(*) from project_links where division_code = :county and project_id = :project")
    if not session.execute(links, keys).scalar_one():
        raise NoLink(project=roster.project_name)
    rows = session.execute(
        text(
            "select i.id, i.available_fen from project_links l join budget_indicators i"
            " on i.division_code = l.division_code and i.pro_code = l.pro_code"
            " left join project_drawdowns d on d.division_code = l.division_code and d.project_id = l.project_id"
            " where l.division_code = :county and l.project_id = :project and i.hot_topic = :topic"
            " and left(i.gov_eco_code, 3) = '509' and i.available_fen > 0"
            " order by l.priority, case d.drawdown when 'ascending' then i.available_fen"
            " when 'descending' then -i.available_fen end, l.pro_code, i.document_date nulls last, i.id"
        ),
        keys | {"topic": hot_topic()},
    )
    return [Source(row.id, row.available_fen) for row in rows]


def allot(lines: Sequence[OpenLine], indicators: Sequence[Source]) -> list[Share] | None:
    """Give each line, whole, to the first indicator that still holds it; None when one finds no room."""
    left = [source.available_fen for source in indicators]
    shares: dict[tuple[int, int], Share] = {}
    for line in lines:
        place = next((at for at, fen in enumerate(left) if fen >= line.amount_fen), None)
        if place is None:
            return None
        left[place] -= line.amount_fen
        key = (indicators[place].indicator_id, line.agent_account_id)
        share = shares.setdefault(key, Share(*key, []))
        share.line_ids.append(line.id)
        share.amount_fen += line.amount_fen
    order = {source.indicator_id: at for at, source in enumerate(indicators)}
    return sorted(shares.values(), key=lambda share: (order[share.indicator_id], share.agent_account_id))


def shares_of(session: Session, roster: Roster) -> list[Share]:
    """Return how a roster's open lines split by indicator and agent account. （第十九条）

    Raises as `open_lines` and `sources` do, and InsufficientIndicator with what is needed and what there is.
    """
    lines, indicators = open_lines(session, roster), sources(session, roster)
    shares = allot(lines, indicators)
    if shares is None:
        need = sum(line.amount_fen for line in lines)
        have = sum(source.available_fen for source in indicators)
        raise InsufficientIndicator(title=title_of(roster), need=yuan_text(need), have=yuan_text(have))
    return shares
