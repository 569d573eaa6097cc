"""The measures of disbursement, asked of the journal and the rosters by one statement per county and project.

The scope is the asking officer's: row policies cut every table. Money is the journal's and nothing else's; what is due
is opening arrears plus new rosters, so that due − paid = unpaid holds for any days. （第二十二、三十三条）
"""

from dataclasses import asdict, dataclass, fields
from datetime import date, datetime, time, timedelta
from typing import Any, Self

import sqlalchemy as sa
from sqlmodel import Session

from policies.clock import ZONE
from policies.deadlines import BANK_PAYMENT
from reports.bulletins.family import Span

REASONS = {"account": "账户", "death": "死亡", "indicator": "指标", "notice": "公示", "other": "其他"}
"""Why a line is not paid yet (DOMAIN section 7, B4)."""
ACCOUNT_CLASSES = ("invalid", "closed", "frozen", "lost_card", "dormant", "name_differs", "wrong_kind", "bank_code")
"""Classes of failed payments that lie in the account."""

QUESTION = """
with days as (
    select day, sum(case when working then 1 else 0 end) over (order by day) as number from calendar_days
),
booked as (
    select p.county_code, coalesce(d.project_id, p.project_id) as project_id, d.line_id, d.order_id, p.amount_fen,
        case when d.id is null then 0 else sign(p.amount_fen) end as sign, e.booked_at,
        coalesce(d.account_is_card, false) as card,
        min(case when p.amount_fen > 0 then coalesce(p.value_on, d.settled_on) end)
            over (partition by p.county_code, p.disbursement_id) as paid_on
    from postings p
    join journal_entries e on e.county_code = p.county_code and e.id = p.entry_id
    left join disbursements d on d.county_code = p.county_code and d.id = p.disbursement_id
    where p.ledger = 'paid' and e.booked_at < :until
),
paid as (
    select b.*, coalesce(settled.number - credited.number <= :bank_days, false) as timely
    from booked b
    left join payment_orders o on o.division_code = b.county_code and o.id = b.order_id
    left join days credited on credited.day = cast(o.credited_at at time zone 'Asia/Shanghai' as date)
    left join days settled on settled.day = b.paid_on
),
money as (
    select county_code, project_id,
        sum(amount_fen) filter (where booked_at >= :since) as paid_fen,
        sum(sign) filter (where booked_at >= :since) as paid_count,
        sum(sign) filter (where booked_at >= :since and timely) as timely_count,
        sum(sign) filter (where booked_at >= :since and card) as card_count,
        count(*) filter (where booked_at >= :since and sign < 0) as reversed_count,
        sum(amount_fen) filter (where booked_at >= :year_since and booked_at < :year_until) as year_ago_fen,
        sum(amount_fen) filter (where booked_at >= :last_since and booked_at < :last_until) as previous_fen
    from paid group by county_code, project_id
),
line_paid as (
    select county_code, line_id, coalesce(sum(amount_fen) filter (where booked_at < :since), 0) as before_fen,
        sum(amount_fen) as now_fen
    from paid where line_id is not null group by county_code, line_id
),
latest as (
    select distinct on (county_code, line_id) county_code, line_id, status, failure_class
    from disbursements where status <> 'cancelled' order by county_code, line_id, attempt desc
),
successors as (
    select county_code, entitlement_key, max(id) as last_id from roster_lines where state <> 'stopped'
    group by county_code, entitlement_key
),
lines as (
    select l.county_code, r.project_id, l.amount_fen, coalesce(p.before_fen, 0) > 0 as paid_before,
        coalesce(p.now_fen, 0) > 0 as paid_now,
        case
            when a.status = 'failed' and a.failure_class in ('dead', 'missing') then 'death'
            when a.status = 'failed' and a.failure_class = any (:account_classes) then 'account'
            when a.status = 'reserved' then 'indicator'
            when a.status is not null then 'other'
            when l.state = 'held' and l.identity_outcome = 'dead' then 'death'
            when l.state = 'held' and l.account_state is distinct from 'verified' then 'account'
            when l.state = 'held' then 'other'
            when r.status in ('draft', 'on_notice', 'endorsed', 'returned') then 'notice'
            when r.status in ('final', 'ordered') then 'indicator'
            else 'other'
        end as reason
    from rosters r
    join roster_lines l on l.division_code = r.division_code and l.roster_id = r.id
    left join latest a on a.county_code = l.county_code and a.line_id = l.id
    left join line_paid p on p.county_code = l.county_code and p.line_id = l.id
    left join successors n on n.county_code = l.county_code and n.entitlement_key = l.entitlement_key
    where r.generated_at < :until
        and (l.state <> 'stopped' or (a.status is not null and coalesce(n.last_id, 0) < l.id))
),
due as (
    select county_code, project_id,
        sum(amount_fen) filter (where not paid_before) as due_fen, count(*) filter (where not paid_before) as due_count,
        count(*) filter (where not paid_now and reason = 'account') as unpaid_account,
        count(*) filter (where not paid_now and reason = 'death') as unpaid_death,
        count(*) filter (where not paid_now and reason = 'indicator') as unpaid_indicator,
        count(*) filter (where not paid_now and reason = 'notice') as unpaid_notice,
        count(*) filter (where not paid_now and reason = 'other') as unpaid_other
    from lines group by county_code, project_id
),
failed as (
    select county_code, project_id, count(*) as failed_count from disbursements
    where status = 'failed' and settled_on between :start and :end group by county_code, project_id
),
lights as (
    select w.county_code, r.project_id, count(*) filter (where w.light = 'red') as red,
        count(*) filter (where w.light = 'yellow') as yellow, count(*) filter (where w.light = 'blue') as blue
    from roster_warnings w
    join rosters r on r.division_code = w.division_code and r.id = w.roster_id
    where not w.skipped and w.raised_at >= :since and w.raised_at < :until
    group by w.county_code, r.project_id
),
units as (
    select county_code, project_id from due union select county_code, project_id from money
    union select county_code, project_id from failed union select county_code, project_id from lights
)
select u.county_code, c.name as county, c.region_direct_finance as direct, b.code as league_code, b.name as league,
    s.code as project_code, s.name as project, s.domain,
    d.due_fen, m.paid_fen, d.due_count, m.paid_count,
    coalesce(f.failed_count, 0) + coalesce(m.reversed_count, 0) as failed_count, m.timely_count, m.card_count,
    d.unpaid_account, d.unpaid_death, d.unpaid_indicator, d.unpaid_notice, d.unpaid_other,
    w.red, w.yellow, w.blue, m.year_ago_fen, m.previous_fen
from units u
join divisions c on c.code = u.county_code
join divisions b on b.code = c.parent_code
left join subsidy_projects s on s.id = u.project_id
left join due d on d.county_code = u.county_code and d.project_id is not distinct from u.project_id
left join money m on m.county_code = u.county_code and m.project_id is not distinct from u.project_id
left join failed f on f.county_code = u.county_code and f.project_id is not distinct from u.project_id
left join lights w on w.county_code = u.county_code and w.project_id is not distinct from u.project_id
order by u.county_code, s.code
"""

IN_JOURNAL = """
select coalesce(sum(p.amount_fen), 0) as paid_fen
from postings p join journal_entries e on e.county_code = p.county_code and e.id = p.entry_id
where p.ledger = 'paid' and e.booked_at >= :since and e.booked_at < :until
"""


@dataclass(frozen=True)
class Measures:
    """What can be added up: fen and counts. Rates are made of them."""

    due_fen: int = 0
    paid_fen: int = 0
    due_count: int = 0
    paid_count: int = 0
    failed_count: int = 0
    timely_count: int = 0
    card_count: int = 0
    unpaid_account: int = 0
    unpaid_death: int = 0
    unpaid_indicator: int = 0
    unpaid_notice: int = 0
    unpaid_other: int = 0
    red: int = 0
    yellow: int = 0
    blue: int = 0
    year_ago_fen: int = 0
    previous_fen: int = 0

    def __add__(self, other: Self) -> Self:
        """Add up two units."""
        mine, theirs = asdict(self), asdict(other)
        return type(self)(**{name: mine[name] + theirs[name] for name in mine})


MEASURES = tuple(field.name for field in fields(Measures))


@dataclass(frozen=True)
class Unit:
    """One project in one county, the smallest row of a bulletin."""

    county_code: str
    county: str
    direct: bool
    league_code: str
    league: str
    project_code: str
    project: str
    domain: str
    measures: Measures

    @property
    def group_code(self) -> str:
        """Return the row it belongs under: its league, or itself where the region deals with the county directly."""
        return self.county_code if self.direct else self.league_code

    @property
    def group(self) -> str:
        """Return that row's name."""
        return f"{self.county}（财政直管）" if self.direct else self.league


def ask_units(session: Session, span: Span) -> list[Unit]:
    """Return every county's projects that have anything to report."""
    rows = session.execute(sa.text(QUESTION), _bounds(span)).mappings()
    units = [
        Unit(
            county_code=row["county_code"],
            county=row["county"],
            direct=row["direct"],
            league_code=row["league_code"],
            league=row["league"],
            project_code=row["project_code"] or "",
            project=row["project"] or "（未归入项目）",
            domain=row["domain"] or "",
            measures=Measures(**{name: int(row[name] or 0) for name in MEASURES}),
        )
        for row in rows
    ]
    return [unit for unit in units if any(asdict(unit.measures).values())]


def paid_in_journal(session: Session, span: Span) -> int:
    """Return what the journal itself says was paid in those days, in fen, without any join to what was meant."""
    bounds = _bounds(span)
    return int(session.execute(sa.text(IN_JOURNAL), {"since": bounds["since"], "until": bounds["until"]}).scalar_one())


def year_before(span: Span) -> Span:
    """Return the same days of the year before."""
    return Span(_year_back(span.start), _year_back(span.end))


def span_before(span: Span) -> Span:
    """Return the days just before: whole months before whole months, else as many days."""
    if span.start.day == 1 and (span.end + timedelta(1)).day == 1:
        months = (span.end.year - span.start.year) * 12 + span.end.month - span.start.month + 1
        number = span.start.year * 12 + span.start.month - 1 - months
        return Span(date(number // 12, number % 12 + 1, 1), span.start - timedelta(1))
    return Span(span.start - (span.end - span.start) - timedelta(1), span.start - timedelta(1))


def _year_back(day: date) -> date:
    leap_day = day.month == 2 and day.day == 29
    return day.replace(year=day.year - 1, day=28 if leap_day else day.day)


def _bounds(span: Span) -> dict[str, Any]:
    year, last = year_before(span), span_before(span)
    return {
        "since": _midnight(span.start),
        "until": _midnight(span.end + timedelta(1)),
        "start": span.start,
        "end": span.end,
        "year_since": _midnight(year.start),
        "year_until": _midnight(year.end + timedelta(1)),
        "last_since": _midnight(last.start),
        "last_until": _midnight(last.end + timedelta(1)),
        "bank_days": BANK_PAYMENT.working_days,
        "account_classes": list(ACCOUNT_CLASSES),
    }


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(0), ZONE)
