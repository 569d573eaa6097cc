"""Numbers of records: prefix, day and a running number, one after the other under a lock of the prefix."""

from typing import Any

from sqlalchemy import text
from sqlmodel import Session, col, func, select

from models.base import Table
from policies.clock import today

DIGITS = 4
COUNTY, TOWNSHIP = 6, 9
"""The digits of a code that name the county, and the township."""


def next_numbers(session: Session, model: type[Table], letters: str, division_code: str, count: int = 1) -> list[str]:
    """Return the next numbers of a kind of record in a county or township on this day, e.g. ZF150430202611240001.

    The lock of the prefix is held until the transaction ends, so that nobody else takes the same number.
    """
    fields: Any = model
    place = division_code[: TOWNSHIP if division_code[COUNTY:TOWNSHIP].strip("0") else COUNTY]
    prefix = f"{letters}{place}{today(session):%Y%m%d}"
    session.execute(text("select pg_advisory_xact_lock(hashtext(:prefix))"), {"prefix": prefix})
    last = session.exec(
        select(col(fields.number))
        .where(fields.division_code == division_code, col(fields.number).between(prefix, prefix + ":"))
        .order_by(func.length(fields.number).desc(), col(fields.number).desc())
        .limit(1)
    ).first()
    first = int(last[len(prefix) :]) + 1 if last else 1
    return [f"{prefix}{number:0{DIGITS}d}" for number in range(first, first + count)]
