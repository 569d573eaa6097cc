"""The window: one number, all payments in range, how many elsewhere, recorded first. （第二十一、二十六、三十条）"""

from dataclasses import dataclass
from datetime import date

import pytest
import sqlalchemy as sa
from sqlmodel import Session, select

from models.bank_batches import BankBatch, BankBatchStatus, Disbursement, DisbursementStatus
from models.enquiries import Enquiry, EnquiryPurpose, EnquiryWay
from models.events import Event
from models.failures import Failure, FailureRoute, FailureStatus
from models.households import Member
from models.officers import ActingOfficer
from models.payment_orders import PaymentOrder, PaymentOrderStatus
from models.rosters import LineState, PayeeRelation, Roster, RosterStatus
from policies.capitals import capitals
from policies.clock import now
from policies.refusals import NotAllowed, NotFound, ReasonMissing
from tests.conftest import As, Owner
from tests.factories import (
    OTHER_TOWNSHIP,
    World,
    a_household,
    a_line,
    a_member,
    a_project,
    a_roster,
    an_account,
    an_agent_account,
    an_indicator,
    key,
    lines_of,
)
from workflows.enquiries import (
    NobodyFound,
    NumberUnreadable,
    ReasonTooPersonal,
    SeveralPeople,
    Sheet,
    enquire,
    sheet,
)

SELF = EnquiryPurpose.SELF
HOUSING = "2210105"


@dataclass(frozen=True)
class Life:
    """One person who has moved from the other county, and what was rostered for the person."""

    member: Member
    former: Member
    card: str


@pytest.fixture
def life(county: World, owner: Owner) -> Life:
    """Paid in the first township, failed and held there, under way in the second, and paid before in another county."""
    with owner() as session:
        former = a_member(
            session, county, a_household(session, county, township=OTHER_TOWNSHIP, head_name="包·乌日汗"), current=False
        )
        home = a_household(session, county, head_name="包·乌日汗")
        member = a_member(session, county, home, id_number=former.id_number, person=former.person)
        account = an_account(session, member)
        session.execute(sa.text("update members set person = :one where id = :two"),
                        {"one": former.person, "two": member.id})  # fmt: skip
        paid = a_roster(session, county, status=RosterStatus.PAID, period="2024", lines=[a_line(member=member)])
        failed = a_roster(session, county, status=RosterStatus.PART_PAID, period="2025", period_start=date(2025, 1, 1),
                          lines=[a_line(member=member, quantity="20")])  # fmt: skip
        a_roster(session, county, period="2026", period_start=date(2026, 1, 1), lines=[
            a_line(member=member, state=LineState.HELD, state_reason="面积待核实")])  # fmt: skip
        _pay(session, county, paid, DisbursementStatus.PAID)
        _pay(session, county, failed, DisbursementStatus.FAILED)
        a_project(session, county, county=county.other_county.code)
        a_roster(session, county, status=RosterStatus.PAID, period="2023", township=county.other_county.township,
                 period_start=date(2023, 1, 1), lines=[a_line(member=former, account=False)])  # fmt: skip
        return Life(member, former, account.number)


def _pay(session: Session, world: World, roster: Roster, status: DisbursementStatus) -> None:
    """Write order, batch and attempt of a roster's only line, as the money's way leaves them."""
    line = lines_of(session, roster)[0]
    project = a_project(session, world)
    indicator, agent = an_indicator(session, world, project), an_agent_account(session, world)
    moment = now(session)
    order = PaymentOrder(
        division_code=world.code, number=f"ZF{roster.number}", project_id=project.id, project_name=project.name,
        sector=project.sector, indicator_id=indicator.id, agent_account_id=agent.id, bank_id=agent.bank_id,
        status=PaymentOrderStatus.FUNDED, amount_fen=line.amount_fen, drafted_at=moment, arrived_at=moment,
    )  # fmt: skip
    session.add(order)
    session.flush()
    batch = BankBatch(
        division_code=world.code, number=f"PC{roster.number}", order_id=key(order.id), sector=project.sector,
        bank_id=agent.bank_id, agent_account_id=agent.id, project_name=project.name, status=BankBatchStatus.SETTLED,
        amount_fen=line.amount_fen, prepared_at=moment, arrived_at=moment,
    )  # fmt: skip
    session.add(batch)
    session.flush()
    attempt = Disbursement(
        county_code=world.code, division_code=roster.division_code, roster_id=key(roster.id), line_id=line.id,
        line_sequence=1, project_id=project.id, order_id=key(order.id), sector=project.sector, bank_id=agent.bank_id,
        batch_id=batch.id, indicator_id=indicator.id, agent_account_id=agent.id, end_to_end_id=roster.number,
        entitlement_key=line.entitlement_key, amount_fen=line.amount_fen, payee_name=line.payee_name,
        account_number=line.account_number, status=status, settled_on=date(2026, 5, 20),
        failure_class="closed" if status == DisbursementStatus.FAILED else "",
    )  # fmt: skip
    session.add(attempt)
    session.flush()
    if status == DisbursementStatus.FAILED:
        session.add(Failure(
            division_code=roster.division_code, county_code=world.code, roster_id=key(roster.id), line_id=line.id,
            line_sequence=1, disbursement_id=attempt.id, order_id=key(order.id), project_name=project.name,
            sector=project.sector, name=line.name, amount_fen=line.amount_fen, failure_class="closed", reason="已销户",
            route=FailureRoute.CHANGE_ACCOUNT, status=FailureStatus.NOTIFIED, arrived_at=moment,
            due_on=date(2026, 12, 1),
        ))  # fmt: skip
    session.flush()


def asked(as_: As, by: ActingOfficer, number: str) -> Sheet:
    """Enquire and open the page, as the console does."""
    with as_(by) as session:
        made = enquire(session, by=by, number=number, purpose=SELF)
    with as_(by) as session:
        return sheet(session, key(made.id), by=by)


class TestWhoSeesWhat:
    def test_the_township_sees_its_own_and_how_many_lie_elsewhere(self, life: Life, county: World, as_: As):
        shown = asked(as_, county.township.clerk, life.member.id_number)
        assert shown.member is not None
        assert shown.member.id == life.member.id
        assert [(one.year, one.status.label, one.paid) for one in shown.payments] == [
            (2026, "缓发", False), (2025, "发放失败", False), (2024, "发放成功", True),
        ]  # fmt: skip
        held, failed, paid = shown.payments
        assert held.why == ("缓发：面积待核实",)
        assert failed.failed is not None
        assert (failed.failed.failure_class, failed.failed.route, failed.failed.status, failed.failed.due_on) == (
            "closed", FailureRoute.CHANGE_ACCOUNT, FailureStatus.NOTIFIED, date(2026, 12, 1),
        )  # fmt: skip
        assert (paid.paid_on, paid.why, paid.failed) == (date(2026, 5, 20), (), None)
        assert paid.account.endswith(life.card[-4:])
        assert life.card not in paid.account
        assert shown.enquiry.elsewhere_count == 1
        assert [(year.year, year.count, year.paid_fen) for year in shown.years] == [
            (2026, 1, 0), (2025, 1, 0), (2024, 1, paid.amount_fen),
        ]  # fmt: skip
        assert shown.paid_fen == paid.amount_fen
        assert shown.telephone == "0476-4300000"

    def test_each_level_sees_its_range_and_a_department_its_sector(self, life: Life, county: World, as_: As):
        seen = {}
        others = county.other_county
        for name, by in {
            "finance": county.finance.clerk, "department": county.department.clerk, "civil": county.civil_affairs.clerk,
            "league": county.league, "region": county.region, "second": county.second_township.clerk,
            "other": others.finance.clerk, "other township": others.township.clerk,
        }.items():  # fmt: skip
            shown = asked(as_, by, life.member.id_number)
            seen[name] = (len(shown.payments), shown.enquiry.elsewhere_count, shown.member is not None)
            assert all(one.township for one in shown.payments)
        assert seen == {
            "finance": (3, 1, True), "department": (3, 1, True), "civil": (0, 4, True), "league": (3, 1, True),
            "region": (4, 0, True), "second": (0, 4, False), "other": (1, 3, False), "other township": (1, 3, False),
        }  # fmt: skip

    def test_whoever_is_kept_elsewhere_is_named_by_township_only(self, life: Life, county: World, as_: As):
        shown = asked(as_, county.second_township.clerk, life.member.id_number)
        assert (shown.member, shown.household, shown.payments) == (None, None, [])
        assert "敖汉旗" in shown.keeper
        written = str(shown.enquiry.model_dump())
        assert not any(secret in written for secret in (life.member.name, life.member.id_number, life.card))

    def test_payments_of_a_merged_record_belong_to_the_person(self, life: Life, county: World, owner: Owner, as_: As):
        with owner() as session:
            double = a_member(session, county, name="包乌日汗")
            a_roster(session, county, period="2022", period_start=date(2022, 1, 1), lines=[a_line(member=double)])
            session.execute(
                sa.text("update members set current = false, merged_into = :kept where id = :double"),
                {"kept": life.member.id, "double": double.id},
            )
        for number in (life.member.id_number, double.id_number):
            shown = asked(as_, county.township.clerk, number)
            assert sorted(one.year for one in shown.payments) == [2022, 2024, 2025, 2026]
            assert shown.member is not None
            assert shown.member.id == life.member.id

    def test_by_card_as_by_id_and_anothers_line_paid_to_it(self, life: Life, county: World, owner: Owner, as_: As):
        with owner() as session:
            child = a_member(session, county, name="包小海")
            account = session.execute(
                sa.text("select id, number_index from accounts where member_id = :id"), {"id": life.member.id}
            ).one()
            a_roster(session, county, period="2021", period_start=date(2021, 1, 1), lines=[
                a_line(member=child, account=False, relation=PayeeRelation.GUARDIAN, account_id=account.id,
                       account_number=life.card, account_index=account.number_index)])  # fmt: skip
        shown = asked(as_, county.township.clerk, life.card)
        assert shown.enquiry.way == EnquiryWay.ACCOUNT
        others = [one for one in shown.payments if one.year == 2021]
        assert [one.payee for one in others] == ["他人补贴，发放至本人账户"]
        assert 2021 not in [year.year for year in shown.years]
        by_child = asked(as_, county.township.clerk, child.id_number)
        assert [one.payee for one in by_child.payments] == ["由监护人代领"]


class TestRecord:
    def test_every_enquiry_is_recorded_with_reason_before_it_is_shown(self, life: Life, county: World, as_: As):
        by = county.township.clerk
        with as_(by) as session:
            enquire(session, by=by, number=life.card, purpose=EnquiryPurpose.AGENT, reason="持委托书代查")
        with as_(by) as session:
            row = session.exec(select(Enquiry)).one()
            event = session.exec(select(Event).where(Event.verb == "enquire")).one()
        assert (row.officer_id, row.purpose, row.reason, row.line_count, row.elsewhere_count) == (
            by.officer_id, EnquiryPurpose.AGENT, "持委托书代查", 3, 1,
        )  # fmt: skip
        assert (event.noun, event.record_id, event.opinion) == ("enquiry", row.id, "持委托书代查")
        for verb in ("update enquiries set reason = ''", "delete from enquiries"):
            with pytest.raises(sa.exc.ProgrammingError), as_(by) as session:
                session.execute(sa.text(verb))

    def test_its_page_is_the_officers_own_and_for_half_an_hour(self, life: Life, county: World, owner: Owner, as_: As):
        by = county.township.clerk
        with as_(by) as session:
            made = key(enquire(session, by=by, number=life.card, purpose=SELF).id)
        for other in (county.township.second_clerk, county.finance.clerk):
            with pytest.raises(NotFound), as_(other) as session:
                sheet(session, made, by=other)
        with owner() as session:
            session.execute(sa.text("update enquiries set enquired_at = enquired_at - interval '31 minutes'"))
        with pytest.raises(NotFound), as_(by) as session:
            sheet(session, made, by=by)

    def test_what_cant_be_asked_is_refused_and_records_nothing(self, life: Life, county: World, owner, as_: As):
        by = county.township.clerk
        with owner() as session:
            an_account(session, a_member(session, county), number="6217370000000009999")
            an_account(session, a_member(session, county), number="6217370000000009999")
        refused = [
            (NumberUnreadable, {"number": life.member.name}), (NumberUnreadable, {"number": ""}),
            (NumberUnreadable, {"number": "13904760001"}), (NobodyFound, {"number": "6217370000000000001"}),
            (SeveralPeople, {"number": "6217370000000009999"}),
            (ReasonMissing, {"number": life.card, "purpose": EnquiryPurpose.VISIT}),
            (ReasonTooPersonal, {"number": life.card, "reason": f"查 {life.member.id_number}"}),
            (ReasonTooPersonal, {"number": life.card, "reason": "电话１３９０４７６００００１"}),
        ]  # fmt: skip
        for refusal, asks in refused:
            with pytest.raises(refusal), as_(by) as session:
                enquire(session, by=by, **({"purpose": SELF} | asks))
        for other in (county.township.auditor, county.bank.clerk, county.security_admin, county.audit_admin):
            with pytest.raises(NotAllowed), as_(other) as session:
                enquire(session, by=other, number=life.card, purpose=SELF)
        with as_(by) as session:
            assert session.exec(select(Enquiry)).all() == []

    def test_the_named_functions_answer_nobody_else(self, life: Life, county: World, as_: As):
        questions = {
            "select count(*) from enquiry_persons('id', cast(:value as bytea))": life.member.id_index,
            "select payments_elsewhere(array[cast(:value as text)])": life.member.person,
        }
        answers = []
        for by in (county.township.auditor, county.bank.clerk, None, county.second_township.clerk):
            with as_(by) as session:
                answers.append([session.execute(sa.text(q), {"value": v}).scalar_one() for q, v in questions.items()])
        assert answers == [[0, 0], [0, 0], [0, 0], [1, 4]]


class TestCapitals:
    def test_amounts_in_capital_numerals(self):
        told = {
            0: "零元整", 5: "伍分", 50: "伍角整", 105: "壹元零伍分", 110: "壹元壹角整", 100_530: "壹仟零伍元叁角整",
            10_000_000: "壹拾万元整", 100_000_100: "壹佰万零壹元整", 2_000_050_000: "贰仟万零伍佰元整",
        }  # fmt: skip
        assert {fen: capitals(fen) for fen in told} == told
        assert capitals(123_456_789_01) == "壹亿贰仟叁佰肆拾伍万陆仟柒佰捌拾玖元零壹分"
        assert capitals(-250) == "负贰元伍角整"
