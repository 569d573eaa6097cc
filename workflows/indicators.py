"""Budget indicators: amounts that are reserved, requested, paid and returned, never overdrawn. （第十条）

Amounts on an indicator change by guarded statements only; each change is booked in the journal beside it. How they are
downloaded, kept, mapped and told stands in indicator_downloads, _keeping, _links and _arrivals.
"""

import sqlalchemy as sa
from sqlmodel import Session

from integrations.amounts import yuan_text
from models.indicators import BudgetIndicator
from models.journal import Ledger
from policies.refusals import Refused
from workflows import journal

SHIFTS: dict[str, tuple[Ledger, Ledger]] = {
    "reserve": (Ledger.AVAILABLE, Ledger.RESERVED),
    "release": (Ledger.RESERVED, Ledger.AVAILABLE),
    "request": (Ledger.RESERVED, Ledger.REQUESTED),
    "reject": (Ledger.REQUESTED, Ledger.RESERVED),
    "fund": (Ledger.REQUESTED, Ledger.IN_TRANSIT),
    "refund": (Ledger.IN_TRANSIT, Ledger.AVAILABLE),
}
"""Kind of booking → from which ledger to which."""

COLUMNS = {
    Ledger.AVAILABLE: "available_fen",
    Ledger.RESERVED: "reserved_fen",
    Ledger.REQUESTED: "requested_fen",
    Ledger.IN_TRANSIT: "paid_fen",
}


class IndicatorOverdrawn(Refused):
    """指标{document}“{column}”只有 {have} 元，需要 {need} 元；可能刚被其他支付单占用，请刷新后重试（第十条）。"""


def shift(
    session: Session,
    county_code: str,
    kind: str,
    business_key: str,
    *,
    indicator_id: int,
    amount_fen: int,
    project_id: int | None = None,
    agent_account_id: int | None = None,
    reference: str = "",
    memo: str = "",
) -> bool:
    """Move an amount of an indicator from one state to the next and book it: one guarded UPDATE. （第十条）

    Return False, changing nothing, when the business key was booked before. Raises IndicatorOverdrawn when the source
    does not hold the amount.
    """
    source, target = SHIFTS[kind]
    sides = journal.transfer(
        source,
        target,
        amount_fen,
        indicator_id=indicator_id,
        project_id=project_id,
        agent_account_id=agent_account_id,
        reference=reference,
    )
    if journal.book(session, county_code, kind, business_key, sides, memo) is None:
        return False
    columns = sa.inspect(BudgetIndicator, raiseerr=True).columns
    out, into = columns[COLUMNS[source]], columns[COLUMNS[target]]
    mine = (columns["division_code"] == county_code) & (columns["id"] == indicator_id)
    done = session.execute(
        sa.update(BudgetIndicator)
        .where(mine, out >= amount_fen)
        .values({out.name: out - amount_fen, into.name: into + amount_fen}),
        execution_options={"synchronize_session": False},
    )
    if done.rowcount == 0:  # type: ignore[attr-defined]
        document, have = session.execute(sa.select(columns["document_number"], out).where(mine)).one()
        raise IndicatorOverdrawn(
            document=document, column=out.comment or out.name, have=yuan_text(have), need=yuan_text(amount_fen)
        )
    return True
