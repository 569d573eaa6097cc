"""Nobody judges what concerns themselves, their household or their account (DESIGN D4c). （第二十三条）

One question to PostgreSQL for all records of a step: the own lines are found by index from the person's household,
never by a scan of the record; most officers have no household here, and for them it is one look-up.
"""

from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY
from sqlmodel import Session

from models.base import Table
from models.crypto import ring
from models.officers import ActingOfficer
from policies.lifecycles import Step
from policies.permissions import Permission as P
from policies.refusals import Refused

JUDGING = frozenset((
    P.ROSTER_ENDORSE, P.ROSTER_EXAMINE, P.ROSTER_PASS, P.ROSTER_FINANCE_EXAMINE, P.ROSTER_FINANCE_PASS,
    P.ORDER_RELEASE, P.BATCH_RELEASE, P.REFUND_RELEASE, P.FAILURE_NOTIFY, P.FAILURE_CORRECT, P.FAILURE_ACTIVATE,
    P.FAILURE_REPORT, P.FAILURE_REMOVE, P.BANK_REPLY_CONFIRM, P.POST_CONFIRM, P.ACCOUNT_CONFIRM,
))  # fmt: skip
"""Who examines, passes, endorses, releases, corrects or confirms; preparing for others to judge is none of these."""

WHOLE = {
    "account": "您本人或家庭成员的账户", "post": "您本人的任职", "virtual_member": "您本人或家庭成员",
    "transfer": "您本人或家庭成员",
}  # fmt: skip
"""Nouns that concern a person as a whole, not by lines."""

SHOWN_ROWS = 20

INTEREST_PARAMETERS = (
    sa.bindparam("more", type_=ARRAY(sa.LargeBinary)),
    sa.bindparam("records", type_=ARRAY(sa.BigInteger)),
)
INTEREST = sa.text("select own_interest(:person, :more, :noun, :records)").bindparams(*INTEREST_PARAMETERS)


class OwnHousehold(Refused):
    """{title}涉及{what}，您不能办理“{step}”；请由本机构其他有权人员办理，没有其他人员的请由其委托代办（第二十三条）。"""


def judges(step: Step) -> bool:
    """Tell whether a step decides over what others have prepared; giving back and withdrawing decide nothing."""
    return step.forward and step.desk is not None and step.permission in JUDGING


def require_disinterested(
    session: Session, noun: str, ids: Sequence[int], *, by: ActingOfficer, title: str, step: str
) -> None:
    """Let nobody judge what pays themselves, a member of their household, or an account of theirs. （第二十三条）

    Raises OwnHousehold, which says which lines and who must act instead.
    """
    if not by.officer_id:
        return
    asked = {"person": by.person, "more": later_indexes(session, by), "noun": noun, "records": list(ids)}
    rows: list[int] = session.execute(INTEREST, asked).scalar_one()
    if rows:
        raise OwnHousehold(title=title, what=WHOLE.get(noun) or _lines(rows), step=step)


OWN_HOUSEHOLD = """
select exists (select from {table} r join members m on m.division_code = r.division_code
    and m.household_id = r.household_id and m.current
    and m.id_index = any (cast((select own_indexes(:person) || :more) as bytea[]))
    where r.id = any (:records))
"""


def require_other_household(
    session: Session, model: type[Table], ids: Sequence[int], *, by: ActingOfficer, title: str, step: str
) -> None:
    """Let nobody judge a record about the household they live in. （第二十三条）

    model: a table whose rows name a household. Raises OwnHousehold.
    """
    statement = sa.text(OWN_HOUSEHOLD.format(table=model.__tablename__)).bindparams(*INTEREST_PARAMETERS)
    asked = {"person": by.person, "more": later_indexes(session, by), "records": list(ids)}
    if session.execute(statement, asked).scalar_one():
        raise OwnHousehold(title=title, what="您本人的家庭", step=step)


def later_indexes(session: Session, by: ActingOfficer) -> list[bytes]:
    """Return the person's blind indexes of later generations: while index keys rotate, members may have them first."""
    if ring().index_current == 1:
        return []
    later = []
    for stored in session.execute(sa.text("select own_indexes(:person)"), {"person": by.person}).scalar_one():
        value = bytes(stored)
        while value[0] < ring().index_current:
            value = ring().next_index(value)
            later.append(value)
    return later


def _lines(rows: Sequence[int]) -> str:
    shown = "、".join(map(str, rows[:SHOWN_ROWS])) + ("…" if len(rows) > SHOWN_ROWS else "")
    return f"您本人、家庭成员或其账户的明细（序号 {shown}）"
