"""Which rules bind a county today, and the check a rule passes before it is saved. （第十八条、第三十六条）"""

from datetime import date

import sqlalchemy as sa
from sqlmodel import Session, col, select

from models.base import REGION_CODE
from models.warnings import WarningRule
from policies.rules.messages import parts_of
from policies.rules.types import checked

SUBJECT = "line"


def levels_above(division_code: str) -> tuple[str, str, str]:
    """Return the county, league and region that a division belongs to."""
    return division_code[:6] + "000000", division_code[:4] + "00000000", REGION_CODE


def rules_in_force(session: Session, county_code: str, day: date) -> list[WarningRule]:
    """Return the rules of the county, its league and the region in force on a business day, one per code.

    The highest valid version counts; a code of the region can't be loosened by a league or county that reuses it.
    """
    statement = (
        select(WarningRule)
        .where(
            col(WarningRule.enabled),
            WarningRule.subject == SUBJECT,
            WarningRule.valid_from <= day,
            col(WarningRule.division_code).in_(levels_above(county_code)),
        )
        .distinct(col(WarningRule.code))
        .order_by(col(WarningRule.code), col(WarningRule.division_code), sa.desc(col(WarningRule.version)))
    )
    return list(session.exec(statement))


def check_rule(expression: str, message: str) -> None:
    """Check a rule's condition and message. Raises SyntaxMistake, UnknownFact, TypeMismatch."""
    checked(expression)
    parts_of(message)
