"""The limits that hold in a place: the law's, the local rule's or the flow's, whichever is the strictest.

（第十六、十七、二十、二十一条；第二十四条缩短时限；第三十六条本地细则）
The catalogue of what a local rule may set is closed and declared here once; the law's numbers stay in deadlines.py.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import sqlalchemy as sa
from sqlmodel import Session

from policies import deadlines
from policies.clock import today
from policies.deadlines import Deadline
from policies.flows import ROSTER_PLACES, flow_days
from policies.notices import DAYS_ALLOWED
from policies.working_days import CalendarMissing, calendar_end


@dataclass(frozen=True)
class Parameter:
    """One number that a league or a county may set stricter than the law, never looser. （第三十六条）"""

    code: str
    title: str
    unit: str
    law_value: int
    article: str
    more: bool = False
    """The stricter value is the greater one."""
    highest: int = 366
    source: str = "办法规定"

    def stricter(self, value: int, than: int) -> bool:
        """Tell whether `value` is as strict as `than`, or stricter."""
        return value >= than if self.more else value <= than

    @property
    def direction(self) -> str:
        """Return which way a local rule may go, for people."""
        return "只能更长" if self.more else "只能更短"


def _limit(deadline: Deadline, title: str) -> Parameter:
    return Parameter(deadline.code, title, "个工作日", deadline.working_days, deadline.article)


NOTICE_DAYS = Parameter(
    "notice_days", "公示期最短天数", "天", DAYS_ALLOWED.start, "第十五条", more=True, highest=DAYS_ALLOWED.stop - 1,
    source="平台规定（由旗县主管部门设定）",
)  # fmt: skip
HOUSEHOLD_REVIEW = Parameter(
    deadlines.HOUSEHOLD_REVIEW.code, "补贴对象信息复核间隔", "个月", deadlines.HOUSEHOLD_REVIEW.months, "第十一条",
    source="平台规定（办法只要求定期）",
)  # fmt: skip
RECONCILIATION = Parameter(
    deadlines.RECONCILIATION.code, "与代理银行对账间隔", "天", deadlines.RECONCILIATION.days, "第二十二条",
    source="平台规定（办法只要求定期）",
)  # fmt: skip
PARAMETERS = {
    one.code: one
    for one in (
        _limit(deadlines.TOWNSHIP_NOTICE, "清册公示时限"),
        _limit(deadlines.DEPARTMENT_REVIEW, "主管部门审核时限"),
        _limit(deadlines.FINANCE_REVIEW, "财政审核时限"),
        _limit(deadlines.BATCH_SENDING, "发放数据发送时限"),
        _limit(deadlines.BANK_PAYMENT, "代理银行发放时限"),
        _limit(deadlines.ACCOUNT_CHANGE, "账户变更时限"),
        NOTICE_DAYS,
        HOUSEHOLD_REVIEW,
        RECONCILIATION,
    )
}
"""What a local rule may set, by code; nothing else. （第三十六条）"""

STAGES = {
    place.limit.code: [str(stage) for stage, own in ROSTER_PLACES.items() if own.limit is place.limit]
    for place in ROSTER_PLACES.values()
    if place.limit is not None
}
"""The stages of a flow that may shorten a limit, by the limit's code. （第二十四条）"""

LOCAL = sa.text("select local_value(:code, :division, :day, :more)")
DUE = sa.text("select due_day(:code, :law, :division, :start, :stages, :flow, :project)")


@dataclass(frozen=True)
class Dues:
    """The parts of an UPDATE of many records: a CTE, what it sets, where from, the join, and the arguments."""

    given: str
    sets: str
    source: str
    joined: str
    asked: dict[str, Any]


def value_for(session: Session, parameter: Parameter, division_code: str, day: date | None = None) -> int:
    """Return the number in force in a place: the law's, or its own or its league's local rule. （第三十六条）"""
    asked = {"code": parameter.code, "division": division_code, "day": day or today(session), "more": parameter.more}
    local = session.execute(LOCAL, asked).scalar_one()
    return parameter.law_value if local is None else int(local)


def days_for(
    session: Session,
    deadline: Deadline,
    division_code: str,
    *,
    flow_id: int | None = None,
    project_id: int | None = None,
) -> int:
    """Return the working days allowed in a place: the strictest of law, local rule and flow. （第二十四、三十六条）"""
    flow = flow_days(session, deadline, flow_id=flow_id, project_id=project_id)
    parameter = PARAMETERS.get(deadline.code)
    own = value_for(session, parameter, division_code) if parameter else deadline.working_days
    return min(own, deadline.working_days, flow or deadline.working_days)


def due_on(
    session: Session,
    deadline: Deadline,
    division_code: str,
    start: date,
    *,
    flow_id: int | None = None,
    project_id: int | None = None,
) -> date:
    """Return the last day of a limit that runs from the day after `start`: one statement. （第十七条等）

    Raises CalendarMissing when the calendar ends before.
    """
    asked = {
        "code": deadline.code, "law": deadline.working_days, "division": division_code, "start": start,
        "stages": STAGES.get(deadline.code, []), "flow": flow_id, "project": project_id,
    }  # fmt: skip
    day: date | None = session.execute(DUE, asked).scalar_one()
    if day is None:
        raise CalendarMissing(until=calendar_end(session))
    return day


def require_days(session: Session, found: Sequence[date | None]) -> None:
    """Refuse limits that the calendar doesn't reach. Raises CalendarMissing."""
    if None in found:
        raise CalendarMissing(until=calendar_end(session))


def due_clause(deadline: Deadline, division_code: Any, start: Any) -> Any:
    """Return the last day of a limit as a part of another statement: for lists of what carries no limit itself."""
    nothing = sa.literal(None, sa.BigInteger)
    return sa.func.due_day(
        deadline.code, deadline.working_days, division_code, start, sa.cast(sa.literal([], sa.ARRAY(sa.Text)),
        sa.ARRAY(sa.Text)), nothing, nothing, type_=sa.Date,
    )  # fmt: skip


def due_for(session: Session, deadline: Deadline, record: Any, start: date) -> date:
    """Return the last day of a limit of one record, by its place and its flow. Raises CalendarMissing."""
    follows = hasattr(record, "flow_id")  # a roster; its flow is the version that it began with
    return due_on(
        session, deadline, record.division_code, start, flow_id=record.flow_id if follows else None,
        project_id=record.project_id if follows else None,
    )  # fmt: skip


DUES = """dues as materialized (
    select p.place, p.flow, due_day(:code, :law, p.place, :start, :stages, p.flow, null) as due
    from (select distinct left(division_code, 6) || '000000' as place, {flow} as flow from {table}
        where id = any (:ids)) p
), """
"""The last day of a limit in each county, and under each flow, of many records: read by `move_many`."""
OF_DUES = " and d.place = left(t.division_code, 6) || '000000' and d.flow is not distinct from {flow}"


def dues_of(table: str, deadline: Deadline | None, start: date, columns: Collection[str]) -> Dues:
    """Return the parts of a statement that writes a limit onto many records, each by its own place and flow."""
    if "due_on" not in columns:
        return Dues("", "", "", "", {})
    if deadline is None:
        return Dues("", ", due_on = null, arrived_at = :moment", "", "", {})
    flow = "flow_id" if "flow_id" in columns else "null::bigint"
    asked = {"code": deadline.code, "law": deadline.working_days, "start": start,
             "stages": STAGES.get(deadline.code, [])}  # fmt: skip
    return Dues(
        DUES.format(table=table, flow=flow), ", due_on = d.due, arrived_at = :moment", " from dues d",
        OF_DUES.format(flow="t.flow_id" if "flow_id" in columns else flow), asked,
    )  # fmt: skip
