"""A person kept in one county and paid in another, from the workbook to the money, with a failure in between.

（第十一、十六至二十一条）
"""

from collections.abc import Callable, Iterator
from datetime import date, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from sqlmodel import select

from integrations.sandbox.launch import Sandboxes
from models.accounts import Account, AccountStatus
from models.bank_batches import DisbursementStatus
from models.database import transaction
from models.events import Event
from models.failures import Failure, FailureStatus
from models.households import Household, IdentityOutcome, Member
from models.imports import ImportStatus, RosterImport
from models.jobs import JobStatus
from models.officers import ActingOfficer
from models.registry_tasks import RegistryTask, TaskKind
from models.rosters import Roster, RosterLine, RosterStatus
from models.warnings import RosterWarning
from policies.clock import advance, now
from reports.sheets.templates import LAND, write_sheet
from tests.conftest import As, Owner
from tests.factories import (
    World,
    a_card_number,
    a_member,
    a_project,
    an_account,
    an_agent_account,
    an_asset,
    key,
    lines_of,
)
from tests.money import Money, _apart, a_funded_indicator, deliver_all, sandboxes_in
from tests.virtual import CARD, ID_NUMBER, NAME, kept_elsewhere, referenced
from workflows import bank_batches, failures, imports, rosters, virtual_failures, virtual_members, warnings
from workflows.checks import run_check, start_check
from workflows.edges import edge
from workflows.jobs import follow
from workflows.virtual_guards import PaidElsewhere
from workflows.warnings import ExplanationMissing


@pytest.fixture(scope="module")
def outside(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandboxes]:
    """Police, budget system and bank as processes of their own."""
    with sandboxes_in(tmp_path_factory.mktemp("virtual")) as boxes:
        yield boxes


class Story(Money):
    """The roster of the paying township, made from a workbook with one person of its own and one of elsewhere."""

    def __init__(self, county: World, owner: Owner, boxes: Sandboxes) -> None:
        self.county, self.owner, self.boxes = county, owner, boxes
        self.department, self.finance, self.township = county.department, county.finance, county.township
        with owner() as session:
            _apart(session)
            self.project = a_project(session, county)
            self.own = a_member(session, county)
            an_asset(session, session.get_one(Household, self.own.household_id), "30")
            self.own_card = an_account(session, self.own).number
            self.indicator_id = key(a_funded_indicator(session, county, self.project).id)
            self.agent_id = key(an_agent_account(session, county).id)

    def bring(self, *people: tuple[str, str, str]) -> RosterImport:
        """Import a workbook with these people: name, ID number, card."""
        rows = [
            {"sequence": place, "village": "东村", "group_name": "一组", "name": name, "id_number": number,
             "contracted_area": 30.0, "quantity": 10.0, "standard": 15.0, "amount": 150.0, "payee_name": name,
             "account_number": card, "bank_name": "内蒙古农村信用社", "phone": "13800000001"}
            for place, (name, number, card) in enumerate(people, 1)
        ]  # fmt: skip
        content = write_sheet(LAND, "2026年耕地地力保护补贴清册", rows, unit="测试镇", total=True)
        clerk = self.township.clerk
        record = self.do(
            clerk, imports.receive, project=self.project, period="2026", period_start=date(2026, 1, 1),
            period_end=date(2026, 12, 31), file_name="清册.xlsx", content=content,
        )  # fmt: skip
        with self.owner() as session:
            job = imports.job_of(session, record)
        assert job is not None
        follow(key(job.id), job.post_id, imports.run_import)
        with self.owner() as session:
            return session.get_one(RosterImport, record.id)

    def meet(self) -> None:
        """Let police, bank and budget system know everybody."""
        assert self.boxes is not None
        self.boxes.use()
        with self.owner() as session:
            self.boxes.set_clock(now(session))
            rows = lines_of(session, self.roster())
            self.boxes.police.add_world(
                [{"kind": "person", "id_number": r.id_number, "name": r.name, "died_on": None} for r in rows]
            )
            self.boxes.bank.add_world([*self._cards(session), *self._agents(session)])
            self.boxes.budget.add_world(self._indicators(session))

    def check(self) -> None:
        """Check the roster at police and bank."""
        job = self.do(self.township.clerk, start_check, self.roster())
        follow(key(job.id), job.post_id, run_check)
        with self.owner() as session:
            assert session.get_one(type(job), job.id).status == JobStatus.DONE

    def pass_on(self) -> None:
        """Bring the roster from notice to its final review, desk by desk."""
        self.do(self.township.clerk, rosters.publish_notice, self.roster(), mode="online")
        with self.owner() as session:
            advance(session, now(session) + timedelta(days=9))
            assert self.boxes is not None
            self.boxes.set_clock(now(session))
        self.do(self.township.head, rosters.endorse, self.roster(), attested=True)
        self.gate(self.township.clerk, rosters.report)
        self.gate(self.department.clerk, rosters.examine_department)
        self.gate(self.department.reviewer, rosters.pass_department)
        self.gate(self.finance.clerk, rosters.examine_finance)
        self.gate(self.finance.reviewer, rosters.pass_finance)

    def gate(self, by: ActingOfficer, verb: Callable[..., Any]) -> None:
        """Pass a gate, explaining what the rules can't judge: the land of a virtual household is the keeper's."""
        try:
            with edge(by, verb.__name__) as session:
                verb(session, session.get_one(Roster, self.roster_id), by=by)
        except ExplanationMissing:
            with transaction(by) as session:
                open_ones = select(RosterWarning).where(RosterWarning.roster_id == self.roster_id)
                for warning in session.exec(open_ones).all():
                    if not warning.explanation:
                        warnings.explain(session, warning, by=by, text="土地由管理地登记，合同已经核实存档")
            self.do(by, verb, self.roster())

    def virtual_line(self) -> RosterLine:
        """Return the line of the person kept elsewhere."""
        with self.owner() as session:
            return lines_of(session, self.roster())[1]


@pytest.fixture
def story(county: World, owner: Owner, outside: Sandboxes) -> Story:
    return Story(county, owner, outside)


def own(story: Story) -> tuple[str, str, str]:
    return story.own.name, story.own.id_number, story.own_card


THEIRS = (NAME, ID_NUMBER, CARD)


class TestImport:
    def test_not_referenced_it_is_refused_with_the_township_and_the_two_ways(self, story: Story, county: World):
        kept_elsewhere(county, story.owner)
        record = story.bring(own(story), THEIRS)
        assert record.status == ImportStatus.REFUSED
        problem = next(one for one in record.problems if "登记，不在" in one["what"])
        assert "阿巴嘎旗别力古台镇登记" in problem["what"]
        assert "虚拟户引用" in problem["remedy"] and "跨乡镇迁移" in problem["remedy"]
        assert not any(secret in str(problem) for secret in THEIRS)

    def test_an_ended_reference_doesnt_help(self, story: Story, county: World, as_: As):
        kept_elsewhere(county, story.owner)
        record = referenced(county, as_)
        story.do(county.township.clerk, virtual_members.end, record, reason="不再在本地承包")
        assert story.bring(own(story), THEIRS).status == ImportStatus.REFUSED


class TestChain:
    def test_it_is_paid_through_the_whole_chain_and_a_failure_goes_by_the_keeper(
        self, story: Story, county: World, as_: As
    ):
        member = kept_elsewhere(county, story.owner)
        reference = referenced(county, as_, project=key(story.project.id))
        record = story.bring(own(story), THEIRS)
        assert record.status == ImportStatus.APPLIED, record.problems
        story.roster_id = key(record.roster_id)
        line = story.virtual_line()
        assert (line.account_id, line.account_number, line.account_state) == (None, CARD, "verified")
        assert line.member_id == reference.member_id and line.name == NAME
        copied = _event(story, "virtual_snapshot")
        assert (copied.record_id, copied.facts["references"]) == (story.roster_id, [reference.number])

        story.meet()
        story.check()
        line = story.virtual_line()
        assert (line.identity_outcome, line.account_state) == (IdentityOutcome.MATCH, "verified")
        story.pass_on()
        assert story.roster().status == RosterStatus.FINAL
        story.fund()
        story.boxes.bank.set_account(CARD, status="closed")  # type: ignore[union-attr]
        story.send()
        story.settle()
        assert {one.line_sequence: one.status for one in story.disbursements()} == {
            1: DisbursementStatus.PAID, 2: DisbursementStatus.FAILED,
        }  # fmt: skip
        _failure_by_the_keeper(story, county, member)
        assert story.roster().status == RosterStatus.PAID
        assert story.problems() == []


def _event(story: Story, verb: str) -> Event:
    with story.owner() as session:
        return session.exec(select(Event).where(Event.verb == verb)).one()


def _failure_by_the_keeper(story: Story, county: World, member: Member) -> None:
    keeper, clerk, finance = county.other_county.township, county.township.clerk, county.finance
    [failure] = story.failures()
    with story.owner() as session:
        task = session.exec(select(RegistryTask).where(RegistryTask.kind == TaskKind.ACCOUNT_CLOSED)).one()
        account = session.exec(select(Account).where(Account.member_id == member.id)).one()
    assert (task.division_code, task.member_id, account.status) == (
        keeper.division_code, member.id, AccountStatus.CLOSED,
    )  # fmt: skip
    story.do(finance.clerk, failures.notify, failure)
    with pytest.raises(PaidElsewhere, match="阿巴嘎旗"):
        story.do(clerk, failures.correct, failure, account_number=a_card_number(), resolution="换卡")
    with pytest.raises(virtual_failures.KeeperNotReady):
        story.do(clerk, virtual_failures.adopt, failure, resolution="管理地已换卡")

    fresh = _new_card(story, member)
    with story.owner() as session:
        told = session.exec(select(RegistryTask).where(RegistryTask.kind == TaskKind.KEEPER_CHANGED)).one()
    assert (told.division_code, told.roster_id) == (county.township.division_code, story.roster_id)
    story.do(clerk, virtual_failures.adopt, failure, resolution="管理地已换卡")
    assert story.virtual_line().account_number == fresh
    story.do(finance.clerk, bank_batches.prepare_corrections)
    story.do(finance.reviewer, bank_batches.release, story.batch())
    _deliver(story)
    with story.owner() as session:
        assert session.get_one(Failure, failure.id).status == FailureStatus.SETTLED


def _new_card(story: Story, member: Member) -> str:
    """Let the keeper's person have a new verified card, and the keeper tell."""
    card = a_card_number()
    with story.owner() as session:
        session.execute(sa.text("update accounts set is_payment = false where member_id = :id"), {"id": member.id})
        an_account(session, member, number=card)
        assert virtual_members.tell_references(session, [key(member.id)], "account") == 1
        bank = {"kind": "account", "number": card, "holder_name": NAME, "holder_id": ID_NUMBER,
                "bank_code": "402191000008", "status": "active"}  # fmt: skip
    story.boxes.bank.add_world([bank])  # type: ignore[union-attr]
    return card


def _deliver(story: Story) -> None:
    deliver_all()
    story.settle()
