"""What stays outside 一卡通 is registered with reason and document, by two people. （第二条）"""

from datetime import date, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError
from sqlmodel import Session, select

from models.project_changes import ExceptionStatus, ProjectException
from models.projects import PolicyLevel
from policies.clock import today
from policies.refusals import NotAllowed, ReasonMissing, Refused
from tests.conftest import As
from tests.factories import World
from tests.library import FILE
from workflows import project_exceptions as register

WORDS: dict[str, Any] = {
    "name": "城乡居民基本养老保险", "sector": "人社", "reason": "由社保经办机构发放",
    "document_number": "内财农〔2021〕780号", "document_title": "实施方案", "document_issuer": "自治区财政厅",
}  # fmt: skip


def propose(session: Session, county: World, **asked: Any) -> ProjectException:
    values = {"policy_level": PolicyLevel.CENTRAL, "issued_on": date(2021, 6, 1), "evidence": (FILE,)} | WORDS
    return register.propose(session, by=county.region_finance.clerk, **values | asked)


def test_it_counts_when_a_second_person_has_agreed(session: Session, county: World):
    record = propose(session, county)
    assert not register.in_force(record, today(session))
    with pytest.raises(Refused):
        register.confirm(session, record, by=county.region_finance.clerk)
    register.confirm(session, record, by=county.region_finance.reviewer)
    assert register.in_force(record, today(session))


def test_every_level_reads_it(as_: As, county: World):
    with as_(county.region_finance.clerk) as session:
        number = propose(session, county).id
    for by in (county.department.clerk, county.league, county.finance.auditor):
        with as_(by) as session:
            assert session.exec(select(ProjectException)).one().id == number


@pytest.mark.parametrize("field", list(WORDS))
def test_reason_and_document_are_asked(session: Session, county: World, field: str):
    with pytest.raises(ReasonMissing):
        propose(session, county, **{field: " "})


def test_the_documents_file_is_asked_and_its_day_has_come(session: Session, county: World):
    with pytest.raises(register.FileMissing):
        propose(session, county, evidence=())
    with pytest.raises(register.IssuedLater):
        propose(session, county, issued_on=today(session) + timedelta(days=1))


@pytest.mark.parametrize("level", [PolicyLevel.LEAGUE, PolicyLevel.COUNTY])
def test_only_the_centre_and_the_region_except(session: Session, county: World, level: PolicyLevel):
    with pytest.raises(register.NotTheirs, match="第二条"):
        propose(session, county, policy_level=level)


def test_nobody_else_registers(session: Session, county: World):
    for by in (county.finance.clerk, county.league, county.region_department.clerk):
        with pytest.raises(NotAllowed):
            register.propose(session, by=by, policy_level=PolicyLevel.CENTRAL, issued_on=date(2021, 6, 1),
                             evidence=(FILE,), **WORDS)  # fmt: skip


def test_it_comes_back_returned_and_goes_on(session: Session, county: World):
    record = propose(session, county)
    register.return_(session, record, by=county.region_finance.reviewer, reason="请附全文")
    register.resubmit(session, record, by=county.region_finance.clerk)
    assert record.status == ExceptionStatus.PROPOSED
    register.withdraw(session, record, by=county.region_finance.clerk, reason="重复")


def test_it_ends_by_two_people_and_by_its_day(session: Session, county: World):
    record = propose(session, county, valid_to=date(2030, 12, 31))
    register.confirm(session, record, by=county.region_finance.reviewer)
    assert not register.in_force(record, date(2031, 1, 1))
    register.end(session, record, by=county.region_finance.clerk, reason="纳入一卡通")
    assert register.in_force(record, today(session))
    register.keep(session, record, by=county.region_finance.reviewer, reason="暂不具备条件")
    register.end(session, record, by=county.region_finance.clerk, reason="纳入一卡通")
    register.confirm_end(session, record, by=county.region_finance.reviewer)
    assert not register.in_force(record, today(session))


def test_what_was_agreed_is_not_rewritten(as_: As, county: World):
    with as_(county.region_finance.clerk) as session:
        number = propose(session, county).id
    with as_(county.region_finance.reviewer) as session:
        register.confirm(session, session.get_one(ProjectException, number), by=county.region_finance.reviewer)
    with pytest.raises(DBAPIError, match="不能改写"), as_(county.region_finance.clerk) as session:
        session.execute(sa.text("update project_exceptions set reason = 'x'"))
