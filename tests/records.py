"""One record of every noun that has steps, in every status; who sits at which desk; every post there can be."""

from collections.abc import Callable
from itertools import product
from typing import Any

import sqlalchemy as sa
from sqlmodel import Session

from models.account_batches import AccountBatch, BatchKind, BatchSource, BatchStatus
from models.accounts import Account, AccountStatus
from models.allocation_plans import AllocationLine, AllocationPlan, AllocationStatus
from models.bank_batches import BankBatch, BankBatchStatus
from models.bank_replies import BankReply, ReplyKind, ReplySource, ReplyStatus
from models.crypto import id_index
from models.delegations import Delegation, DelegationStatus
from models.divisions import Level
from models.duty_pairs import DutyKind, DutyPair, DutyPairStatus, DutyWithin
from models.failures import Failure, FailureRoute, Refund, RefundStatus
from models.household_reviews import HouseholdReview, ReviewFinding, ReviewStatus
from models.officers import ActingOfficer, Officer, Post, PostStatus, Role
from models.organisations import OrganisationKind
from models.payment_orders import PaymentOrderStatus
from models.policy_changes import PolicyChange, PolicyChangeStatus
from models.registry_changes import ChangeKind, ChangeStatus, RegistryChange
from models.registry_tasks import RegistryTask, TaskKind, TaskStatus
from models.rosters import RosterLine, RosterStatus
from models.transfers import Transfer, TransferSide, TransferStatus
from models.virtual_members import VirtualMember, VirtualStatus
from policies.clock import now, today
from policies.lifecycles import Desk
from tests.applying import a_qualification_in, an_application_in
from tests.catalogue_records import a_catalogue_task_in, a_publication_in, an_annual_list_in
from tests.factories import (
    LAND,
    PASSWORD,
    REGION,
    World,
    a_household,
    a_line,
    a_member,
    a_roster,
    an_account,
    an_id_number,
    lines_of,
)
from tests.flows import a_flow_in
from tests.library import a_project_change_in, a_project_exception_in
from tests.local_records import a_calendar_version_in, a_local_rule_in, a_standard_in
from tests.payments import Payments
from tests.world import NUMBERS, _officer, key
from workflows.sessions import hasher


def paid(session: Session, county: World) -> Payments:
    return Payments(session, county, LAND, lines=3)


def a_batch(session: Session, land: Payments, status: Any) -> BankBatch:
    moment = now(session)
    batch = BankBatch(
        division_code=land.county, number=f"PC{land.roster.number}", order_id=key(land.order.id),
        sector=land.order.sector, bank_id=land.order.bank_id,
        agent_account_id=key(land.agent.id), project_name=land.project.name, status=BankBatchStatus(status),
        line_count=len(land.attempts),
        amount_fen=land.roster.amount_fen, prepared_at=moment, arrived_at=moment,
    )  # fmt: skip
    session.add(batch)
    session.flush()
    for attempt in land.attempts:
        attempt.batch_id = key(batch.id)
    session.flush()
    return batch


def a_failure(session: Session, land: Payments, status: Any) -> Failure:
    land.fail(1, "invalid")
    attempt, moment = land.attempts[1], now(session)
    failure = Failure(
        division_code=attempt.division_code, county_code=land.county, roster_id=attempt.roster_id,
        line_id=attempt.line_id, line_sequence=attempt.line_sequence, disbursement_id=key(attempt.id),
        order_id=key(land.order.id), project_name=land.project.name, sector=land.roster.sector, name="某",
        amount_fen=attempt.amount_fen, failure_class="invalid", route=FailureRoute.CHANGE_ACCOUNT, status=status,
        arrived_at=moment,
    )  # fmt: skip
    session.add(failure)
    session.flush()
    return failure


def a_refund(session: Session, land: Payments, status: Any) -> Refund:
    failure, moment = a_failure(session, land, "removed"), now(session)
    refund = Refund(
        division_code=land.county, number=f"TK{land.roster.number}", order_id=key(land.order.id),
        sector=land.order.sector, bank_id=land.order.bank_id,
        indicator_id=key(land.indicator.id), agent_account_id=key(land.agent.id), project_name=land.project.name,
        status=RefundStatus(status), line_count=1, amount_fen=failure.amount_fen, prepared_at=moment,
        arrived_at=moment,
    )  # fmt: skip
    session.add(refund)
    session.flush()
    failure.refund_id = refund.id
    session.flush()
    return refund


def an_order(session: Session, land: Payments, status: Any) -> Any:
    land.order.status = PaymentOrderStatus(status)
    session.flush()
    return land.order


def an_account_in(session: Session, county: World, status: Any) -> Account:
    serves = status not in (AccountStatus.PROPOSED, AccountStatus.REJECTED)
    return an_account(session, a_member(session, county), status=AccountStatus(status), is_payment=serves)


AT_COUNTY = (BatchStatus.COUNTY_CHECKED, BatchStatus.COUNTY_PROPOSED, BatchStatus.BANK_CHECKED)


def an_account_batch_in(session: Session, county: World, status: Any) -> AccountBatch:
    """A list of the township, or of the county and its bank when only they have such a status."""
    place, bank_id, moment = county.township.division_code, None, now(session)
    source = BatchSource.TOWNSHIP
    if status in AT_COUNTY:
        place, bank_id, source = county.code, county.bank.clerk.bank_id, BatchSource.BANK
    batch = AccountBatch(
        division_code=place, county_code=county.code, number=f"HK{next(NUMBERS)}", kind=BatchKind.CARDS, source=source,
        status=BatchStatus(status), bank_id=bank_id, reason="换发", file_id=0, file_name="换卡.xlsx",
        sha256=f"{next(NUMBERS):064d}", row_count=1, ready_count=1, prepared_at=moment, arrived_at=moment,
        prepared_by=1,
    )  # fmt: skip
    session.add(batch)
    session.flush()
    return batch


def a_post_in(session: Session, county: World, status: Any) -> Post:
    number = next(NUMBERS)
    officer = Officer(
        division_code=county.code, login=f"matrix{number}", name="钱某", person=f"matrix-{number}",
        person_index=id_index(an_id_number()),
    )  # fmt: skip
    session.add(officer)
    session.flush()
    post = Post(
        division_code=county.code, officer_id=key(officer.id), organisation_id=county.finance.organisation_id,
        role=Role.CLERK, valid_from=today(session), status=PostStatus(status), proposed_by="another",
    )  # fmt: skip
    session.add(post)
    session.flush()
    return post


def a_delegation_in(session: Session, county: World, status: Any) -> Delegation:
    day, holder, delegate = today(session), county.finance.clerk, county.finance.second_clerk
    delegation = Delegation(
        division_code=county.code, post_id=holder.post_id, holder_id=holder.officer_id, officer_id=delegate.officer_id,
        title=holder.post, holder=holder.name, delegate=delegate.name, valid_from=day, valid_to=day, reason="出差",
        status=DelegationStatus(status),
    )  # fmt: skip
    session.add(delegation)
    session.flush()
    return delegation


def a_duty_pair_in(session: Session, county: World, status: Any) -> DutyPair:
    signed = {"confirmed_by": "b", "end_proposed_by": "a", "ended_by": "b"} if status != "proposed" else {}
    pair = DutyPair(
        division_code=REGION, title="试验", kind=DutyKind.ROLE, one="clerk", other=f"nobody{next(NUMBERS)}",
        within=DutyWithin.ANYWHERE, basis="试验", status=DutyPairStatus(status), proposed_by="a",
        arrived_at=now(session), **signed,
    )  # fmt: skip
    session.add(pair)
    session.flush()
    return pair


def a_policy_change_in(session: Session, county: World, status: Any) -> PolicyChange:
    number = next(NUMBERS)
    change = PolicyChange(
        division_code=REGION, number=f"QX{number}", title="试验", reason="试验", origin="现行策略", base_version=0,
        drafter="another", status=PolicyChangeStatus(status), arrived_at=now(session),
    )  # fmt: skip
    session.add(change)
    session.flush()
    return change


def a_bank_reply_in(session: Session, county: World, status: Any) -> BankReply:
    moment, number = now(session), next(NUMBERS)
    reply = BankReply(
        division_code=county.code, bank_id=county.bank.clerk.bank_id, number=f"HF{number}", kind=ReplyKind.ANSWERS,
        source=ReplySource.HAND, status=ReplyStatus(status), prepared_at=moment, arrived_at=moment,
        prepared_by=county.bank.clerk.officer_id,
    )  # fmt: skip
    session.add(reply)
    session.flush()
    return reply


def a_registry_change_in(session: Session, county: World, status: Any) -> RegistryChange:
    member, moment = a_member(session, county), now(session)
    change = RegistryChange(
        division_code=member.division_code, county_code=member.county_code, number=f"BG{next(NUMBERS)}",
        kind=ChangeKind.MEMBER, status=ChangeStatus(status), household_id=member.household_id, member_id=member.id,
        subject=member.name, effective_on=today(session), reason="换号", fields=["手机号"],
        before='{"shown": {"手机号": "13800000000"}, "facts": {}}',
        after='{"shown": {"手机号": "13800000001"}, "facts": {"phone": "13800000001"}}',
        resume_status=ChangeStatus.SUBMITTED if status == ChangeStatus.RETURNED else None, prepared_at=moment,
        arrived_at=moment,
    )  # fmt: skip
    session.add(change)
    session.flush()
    return change


def a_registry_task_in(session: Session, county: World, status: Any) -> RegistryTask:
    member, moment = a_member(session, county), now(session)
    task = RegistryTask(
        division_code=member.division_code, county_code=member.county_code, number=f"DB{next(NUMBERS)}",
        kind=TaskKind.IDENTITY_MISMATCH, status=TaskStatus(status), household_id=member.household_id,
        member_id=member.id, source="police", detail="姓名不一致", found_on=today(session), arrived_at=moment,
    )  # fmt: skip
    session.add(task)
    session.flush()
    return task


def an_allocation_plan_in(session: Session, county: World, status: Any) -> AllocationPlan:
    number = next(NUMBERS)
    plan = AllocationPlan(
        division_code=county.code, sector="农牧", number=f"FP{number}", title="分配方案", document_number=f"文{number}",
        project_id=1, project_name="项目", fiscal_year=2026, total_fen=100, line_count=1,
        status=AllocationStatus(status), arrived_at=now(session),
    )  # fmt: skip
    session.add(plan)
    session.flush()
    keys = {"division_code": county.code, "plan_id": plan.id}
    session.add(AllocationLine(**keys, target_code=county.code, target_name="旗", amount_fen=100))
    session.flush()
    return plan


def a_household_review_in(session: Session, county: World, status: Any) -> HouseholdReview:
    home, moment = a_household(session, county), now(session)
    review = HouseholdReview(
        division_code=home.division_code, county_code=home.county_code, number=f"FH{next(NUMBERS)}",
        household_id=key(home.id), year=moment.year, village=home.village, subject=home.head_name,
        visited_on=moment.date(), finding=ReviewFinding.AGREES, checked=["members"], status=ReviewStatus(status),
        resume_status=ReviewStatus.PREPARED if status == "returned" else None, arrived_at=moment,
    )  # fmt: skip
    session.add(review)
    session.flush()
    return review


def a_virtual_member_in(session: Session, county: World, status: Any) -> VirtualMember:
    home = a_household(session, county, township=county.other_county.township.division_code)
    member, local, moment = a_member(session, county, home), a_member(session, county, current=False), now(session)
    record = VirtualMember(
        division_code=county.township.division_code, county_code=county.code, number=f"XN{next(NUMBERS)}",
        status=VirtualStatus(status), keeper_code=member.division_code, keeper="阿巴嘎旗某镇", person=member.person,
        keeper_member_id=key(member.id), name="某*", reason="承包草场", prepared_at=moment, arrived_at=moment,
        household_id=local.household_id, member_id=local.id,
    )  # fmt: skip
    session.add(record)
    session.flush()
    return record


def a_transfer_in(session: Session, county: World, status: Any) -> Transfer:
    member, moment = a_member(session, county), now(session)
    record = Transfer(
        division_code=member.division_code, county_code=member.county_code, number=f"QY{next(NUMBERS)}",
        side=TransferSide.OUT if status == TransferStatus.ASKED else TransferSide.IN, status=TransferStatus(status),
        partner_code=county.other_county.township.division_code, partner="阿巴嘎旗某镇", person=member.person,
        name="某*", reason="迁居", effective_on=today(session), prepared_at=moment, arrived_at=moment,
        member_id=member.id,
    )  # fmt: skip
    session.add(record)
    session.flush()
    return record


PLAIN: dict[str, Callable[[Session, World, Any], Any]] = {
    "virtual_member": a_virtual_member_in, "transfer": a_transfer_in,
    "application": an_application_in, "qualification": a_qualification_in,
    "account": an_account_in, "account_batch": an_account_batch_in, "post": a_post_in,
    "delegation": a_delegation_in, "duty_pair": a_duty_pair_in, "policy_change": a_policy_change_in,
    "bank_reply": a_bank_reply_in,
    "flow": a_flow_in,
    "household_review": a_household_review_in, "registry_change": a_registry_change_in,
    "project_change": a_project_change_in, "project_exception": a_project_exception_in,
    "annual_list": an_annual_list_in, "publication": a_publication_in,
    "allocation_plan": an_allocation_plan_in,
    "standard": a_standard_in, "local_rule": a_local_rule_in, "calendar": a_calendar_version_in,
    "registry_task": a_registry_task_in, "catalogue_task": a_catalogue_task_in,
}  # fmt: skip
"""Records that need nothing around them."""

BUILDERS: dict[str, Callable[[Session, Payments, Any], Any]] = {
    "payment_order": an_order, "bank_batch": a_batch, "failure": a_failure, "refund": a_refund,
}  # fmt: skip


def a_record(session: Session, county: World, noun: str, status: Any) -> tuple[Any, RosterLine]:
    """Return a record of the noun in a status, and one line of several that it is about."""
    if noun == "roster":
        roster = a_roster(session, county, status=RosterStatus(status), lines=[a_line(), a_line(), a_line()])
        return roster, lines_of(session, roster)[1]
    land = paid(session, county)
    return BUILDERS[noun](session, land, status), lines_of(session, land.roster)[1]


def any_record(session: Session, county: World, noun: str, status: Any) -> Any:
    """Return a record of any noun in a status, past the triggers that ask how it came there."""
    if noun not in PLAIN:
        return a_record(session, county, noun, status)[0]
    session.execute(sa.text("set local session_replication_role = replica"))
    record = PLAIN[noun](session, county, status)
    session.execute(sa.text("set local session_replication_role = origin"))
    return record


PLACES = (
    (OrganisationKind.TOWNSHIP, Level.TOWNSHIP),
    *product((OrganisationKind.DEPARTMENT, OrganisationKind.FINANCE), (Level.COUNTY, Level.LEAGUE, Level.REGION)),
    (OrganisationKind.BANK, Level.COUNTY),
    (OrganisationKind.PLATFORM, Level.REGION),
)
ROLES = tuple(role for role in Role if role != Role.SYSTEM)


def every_post(session: Session, world: World) -> list[ActingOfficer]:
    """Give an officer of their own each role at each place that is responsible for the records here."""
    offices = {
        (OrganisationKind.TOWNSHIP, Level.TOWNSHIP): world.township,
        (OrganisationKind.DEPARTMENT, Level.COUNTY): world.department,
        (OrganisationKind.DEPARTMENT, Level.LEAGUE): world.league_department,
        (OrganisationKind.DEPARTMENT, Level.REGION): world.region_department,
        (OrganisationKind.FINANCE, Level.COUNTY): world.finance,
        (OrganisationKind.FINANCE, Level.LEAGUE): world.league_finance,
        (OrganisationKind.FINANCE, Level.REGION): world.region_finance,
        (OrganisationKind.BANK, Level.COUNTY): world.bank,
    }
    platform, hashed = world.system_admin.organisation_id, hasher().hash(PASSWORD)
    return [
        _officer(session, hashed, offices[place].organisation_id if place in offices else platform, role, _login())
        for place in PLACES
        for role in ROLES
    ]


def every_stranger(session: Session, world: World) -> list[ActingOfficer]:
    """Give officers each role at places that the records here are none of the business of."""
    other = world.other_county
    offices = (
        other.township, other.department, other.finance, world.second_township, world.civil_affairs,
        world.other_league_finance,
    )  # fmt: skip
    hashed = hasher().hash(PASSWORD)
    return [_officer(session, hashed, office.organisation_id, role, _login()) for office in offices for role in ROLES]


def _login() -> str:
    return f"matrix.{next(NUMBERS)}"


def sitting(county: World, desk: Desk) -> ActingOfficer:
    """Return the officer of the world who sits at the desk."""
    kind, _, role = desk.post
    if kind == OrganisationKind.PLATFORM:
        enabler = county.second_security_admin if desk == Desk.SECURITY_ENABLER else county.security_admin
        return county.system_admin if desk == Desk.SYSTEM_KEEPER else enabler
    offices = {
        OrganisationKind.TOWNSHIP: county.township,
        OrganisationKind.DEPARTMENT: county.department,
        OrganisationKind.FINANCE: county.finance,
        OrganisationKind.BANK: county.bank,
    }
    found: ActingOfficer = getattr(offices[kind], role)
    return found
