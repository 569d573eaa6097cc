"""One record of every noun of standards, local rules and the calendar, in every status. （第八、十五、三十六条）"""

from datetime import date
from decimal import Decimal
from typing import Any

from sqlmodel import Session

from models.clock import CalendarStatus, CalendarVersion
from models.local_rules import LocalRule, LocalRuleStatus
from models.projects import ProjectStandard, StandardStatus
from policies.clock import now
from tests.factories import World
from tests.world import NUMBERS


def a_standard_in(session: Session, county: World, status: Any) -> ProjectStandard:
    record = ProjectStandard(
        division_code=county.code, project_id=1, standard_yuan=Decimal("1.5"), valid_from=date(2026, 1, 1),
        document="文", grade=f"{next(NUMBERS)} 类", status=StandardStatus(status), sector="农牧", project_name="项目",
        arrived_at=now(session),
    )  # fmt: skip
    session.add(record)
    session.flush()
    return record


def a_local_rule_in(session: Session, county: World, status: Any) -> LocalRule:
    record = LocalRule(
        division_code=county.code, number=f"XZ{next(NUMBERS)}", parameter="household_review", title="复核间隔", value=6,
        unit="个月", law_value=12, valid_from=date(2100, 1, 1), document_number="文", document_title="细则",
        status=LocalRuleStatus(status), arrived_at=now(session),
    )  # fmt: skip
    session.add(record)
    session.flush()
    return record


def a_calendar_version_in(session: Session, county: World, status: Any) -> CalendarVersion:
    """An arrangement of the region's own: nobody beneath it takes a step."""
    record = CalendarVersion(
        division_code=county.region_finance.division_code, number=f"RL{next(NUMBERS)}", year=2030, document="文",
        status=CalendarStatus(status), arrived_at=now(session),
    )  # fmt: skip
    session.add(record)
    session.flush()
    return record
