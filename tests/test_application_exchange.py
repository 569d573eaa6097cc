"""Departments' own systems over a real socket: pushed once, refused whole, read back. （第十四条第二项）"""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from typing import Any

import httpx
import pytest
import sqlalchemy as sa
from sqlmodel import Session, select

from admin import exchange_api
from integrations.applications import APPLICATIONS, RESULTS, DepartmentSystem
from models.applications import Application
from models.applications import ApplicationStatus as A
from models.events import Event
from models.households import Member, MemberStatus
from models.qualifications import Qualification, QualificationLine
from policies.refusals import NotAllowed, ReasonMissing
from tests.applying import a_notice_period, carried
from tests.conftest import As, Owner
from tests.exchanging import Stage, body_of, exchanging
from tests.factories import LAND, World, a_member, a_project, an_account, lines_of
from tests.payments import Payments
from workflows import application_exchange, applications

TOWNSHIP = "150430102000"


@pytest.fixture
def stage(county: World, owner: Owner, as_: As) -> Iterator[Stage]:
    exchange_api.FAILURES = exchange_api.Failures()
    with owner() as session:
        a_notice_period(session, county, a_project(session, county))
    with exchanging(county, owner, as_) as made:
        yield made


@pytest.fixture
def member(county: World, owner: Owner) -> Member:
    with owner() as session:
        member = a_member(session, county)
        an_account(session, member)
        return member


def system(stage: Stage, code: str = "agriculture", *, line: str = "农牧", counts: bool = False) -> DepartmentSystem:
    """Give a body a key and an agreement, as the system administrator does."""
    sender = stage.department(code)
    by = stage.county.system_admin
    if line:
        with stage.as_(by) as session:
            body = body_of(session, code)
            application_exchange.agree(session, body, by=by, line=line, counts=counts, document="联办〔2026〕1号")
    return DepartmentSystem(sender.url, sender.body, sender.key)


def a_row(member: Member, number: str = "NM-1", **fields: Any) -> dict[str, Any]:
    row = {
        "kind": "application", "external_number": number, "project": LAND, "township": TOWNSHIP,
        "id_number": member.id_number, "name": member.name, "quantity": "10", **fields,
    }  # fmt: skip
    return {name: value for name, value in row.items() if value is not None}


def decision(number: str, said: str, **fields: Any) -> dict[str, Any]:
    return {"kind": "decision", "external_number": number, "decision": said, **fields}


def problems(answer: httpx.Response) -> list[tuple[int, str]]:
    assert answer.status_code == 400, answer.text
    return [(one["row"], one["field"]) for one in answer.json()["problems"]]


def kept(stage: Stage) -> list[Application]:
    with stage.owner() as session:
        return list(session.exec(select(Application).order_by(Application.id)))


class TestPush:
    def test_a_pushed_application_waits_at_the_townships_head(self, stage: Stage, member: Member):
        answer = system(stage).push(1, [a_row(member)])
        assert answer.status_code == 201, answer.text
        assert answer.json()["counts"] == {"created": 1, "decided": 0, "unchanged": 0}
        (application,) = kept(stage)
        assert (application.status, application.source, application.body) == (A.SUBMITTED, "system", "agriculture")
        assert (application.amount_fen, application.head_required, application.notice_required) == (15_000, True, True)
        with stage.owner() as session:
            begun = session.exec(select(Event).where(Event.noun == "application")).one()
            assert (begun.label, begun.desk) == ("部门业务系统推送申请", None)

    def test_the_same_batch_twice_changes_nothing(self, stage: Stage, member: Member):
        sender = system(stage)
        first, again = sender.push(1, [a_row(member)]), sender.push(1, [a_row(member)])
        assert (first.status_code, again.status_code) == (201, 200)
        assert first.json() == again.json() == sender.pushed(1).json()
        assert len(kept(stage)) == 1

    def test_the_same_application_in_another_batch_is_unchanged_and_other_content_refused(
        self, stage: Stage, member: Member
    ):
        sender = system(stage)
        sender.push(1, [a_row(member)])
        assert sender.push(2, [a_row(member)]).json()["counts"] == {"created": 0, "decided": 0, "unchanged": 1}
        assert problems(sender.push(3, [a_row(member, quantity="11")])) == [(1, "external_number")]
        answer = sender.push(1, [a_row(member, quantity="11")])
        assert (answer.status_code, answer.json()["code"]) == (409, "NumberTaken")

    def test_without_an_agreement_nothing_is_taken(self, stage: Stage, member: Member):
        answer = system(stage, line="").push(1, [a_row(member)])
        assert (answer.status_code, answer.json()["code"]) == (403, "NotAgreed")

    def test_a_body_pushes_only_of_the_sector_that_is_agreed(self, stage: Stage, member: Member):
        answer = system(stage, "civil", line="民政").push(1, [a_row(member)])
        assert problems(answer) == [(1, "project")]

    def test_every_mistake_is_named_by_row_and_field_and_no_value_is_told(self, stage: Stage, member: Member):
        dead = member
        with stage.owner() as session:
            dead = a_member(session, stage.county, status=MemberStatus.DEAD)
            unchecked = a_member(session, stage.county, identity_outcome=None, identity_checked_at=None)
        rows = [
            a_row(member, "A-1", quantity="-1", township="15043010200", decision="maybe"),
            a_row(member, "A-2", project="9999999"),
            a_row(member, "A-3", township="159999999000"),
            a_row(dead, "A-4"),
            a_row(unchecked, "A-5"),
            a_row(member, "A-6", name="欧阳某"),
            a_row(member, "A-7", standard="16"),
            a_row(member, "A-8", fields={"plot": "A"}),
            a_row(member, "A-9", id_number="150430195501011230"),
            a_row(member, "A-9", valid_from="2026-05-01", valid_to="2026-01-01"),
            {"kind": "other"},
            a_row(member, "A-12", colour="red"),
            decision("A-13", "approved"),
            decision("A-14", "rejected"),
            decision("A-15", "rejected", reason="见150430195501011234"),
        ]
        answer = system(stage).push(1, rows)
        found = problems(answer)
        assert {
            (1, "quantity"), (1, "township"), (1, "decision"), (2, "project"), (3, "township"), (4, "id_number"),
            (5, "id_number"), (6, "name"), (7, "standard"), (8, "fields"), (9, "id_number"), (10, "external_number"),
            (10, "valid_to"), (11, "kind"), (12, "colour"), (13, "external_number"), (14, "reason"), (15, "reason"),
        } <= set(found)  # fmt: skip
        for secret in (member.id_number, dead.id_number, member.name, "150430195501011234", "欧阳某"):
            assert secret not in answer.text
        assert kept(stage) == []
        assert system(stage).pushed(1).status_code == 404

    def test_nobody_gets_in_without_the_key_and_nothing_is_taken_twice(self, stage: Stage, member: Member):
        sender = system(stage)
        assert replace(sender, key="0" * 64).push(1, [a_row(member)]).status_code == 401
        assert replace(sender, key="0" * 64).results().status_code == 401
        assert httpx.get(f"{stage.url}{RESULTS}/0-0").status_code == 401
        assert httpx.post(f"{stage.url}{APPLICATIONS}", content=b"{}").status_code == 401

    def test_two_persons_rows_of_one_person_are_refused(self, stage: Stage, member: Member):
        rows = [a_row(member, "B-1"), a_row(member, "B-2")]
        assert problems(system(stage).push(1, rows)) == [(2, "id_number")]


class TestDecisions:
    def test_unless_agreed_the_departments_approval_is_only_told(self, stage: Stage, member: Member, county: World):
        sender = system(stage)
        sender.push(1, [a_row(member, decision="approved")])
        (application,) = kept(stage)
        assert (application.outside_decision, application.examined_outside) == ("approved", False)
        with stage.owner() as session:
            carried(session, county, session.get_one(Application, application.id), A.ENDORSED)
        assert kept(stage)[0].status == A.ENDORSED

    def test_where_agreed_it_counts_as_the_examination_and_head_reviewer_and_notice_still_follow(
        self, stage: Stage, member: Member, county: World
    ):
        system(stage, counts=True).push(1, [a_row(member, decision="approved")])
        with stage.owner() as session:
            application = session.exec(select(Application)).one()
            assert application.status == A.SUBMITTED
            applications.endorse(session, application, by=county.township.head)
            assert application.status == A.EXAMINED
            applications.approve(session, application, by=county.department.reviewer)
            assert application.status == A.APPROVED

    def test_a_later_decision_moves_what_has_been_endorsed(self, stage: Stage, member: Member, county: World):
        sender = system(stage, counts=True)
        sender.push(1, [a_row(member)])
        with stage.owner() as session:
            carried(session, county, session.exec(select(Application)).one(), A.ENDORSED)
        answer = sender.push(2, [decision("NM-1", "approved")])
        assert answer.json()["counts"] == {"created": 0, "decided": 1, "unchanged": 0}
        assert kept(stage)[0].status == A.EXAMINED
        assert sender.push(3, [decision("NM-1", "approved")]).json()["counts"]["unchanged"] == 1

    def test_a_refusal_ends_it_where_agreed(self, stage: Stage, member: Member):
        sender = system(stage, counts=True)
        sender.push(1, [a_row(member)])
        sender.push(2, [decision("NM-1", "rejected", reason="不符合条件")])
        (application,) = kept(stage)
        assert (application.status, application.reason) == (A.REJECTED, "不符合条件")
        last = list(sender.all_results())[-1]
        assert (last["application"], last["state"], last["reason"]) == ("NM-1", "rejected", "不符合条件")

    def test_who_may_agree_and_on_what(self, stage: Stage, as_: As, county: World):
        for by in (county.department.clerk, county.security_admin, county.finance.clerk):
            with as_(by) as session, pytest.raises(NotAllowed):
                body = body_of(session, "civil")
                application_exchange.agree(session, body, by=by, line="民政", counts=True, document="x")
        with as_(county.system_admin) as session, pytest.raises(ReasonMissing):
            body = body_of(session, "civil")
            application_exchange.agree(session, body, by=county.system_admin, line="民政", counts=True, document=" ")


class TestResults:
    def test_states_and_payments_are_read_back_by_cursor(self, stage: Stage, member: Member, county: World):
        sender = system(stage)
        sender.push(1, [a_row(member)])
        with stage.owner() as session:
            application = session.exec(select(Application)).one()
            carried(session, county, application, A.QUALIFIED)
            held = session.exec(select(Qualification)).one()
        page = sender.results().json()
        assert [one["state"] for one in page["results"]] == [
            "submitted", "endorsed", "examined", "approved", "on_notice", "qualified",
        ]  # fmt: skip
        assert {one["application"] for one in page["results"]} == {"NM-1"}
        assert page["more"] is False
        assert sender.results(page["next"]).json()["results"] == []
        with stage.owner() as session:
            land = _paid(session, county, held)
        sender.results(page["next"])
        told = sender.results(page["next"]).json()["results"]
        assert [(one["kind"], one["state"], one["amount"]) for one in told] == [
            ("payment", "paid", f"{land[0] / 100:.2f}"), ("payment", "failed", f"{land[1] / 100:.2f}"),
        ]  # fmt: skip
        assert (told[0]["paid_on"], told[1]["failure_class"]) == (date(2026, 3, 1).isoformat(), "dormant")
        assert list(sender.all_results()) == page["results"] + told

    def test_a_body_reads_only_its_own(self, stage: Stage, member: Member):
        system(stage).push(1, [a_row(member)])
        assert system(stage, "civil", line="民政").results().json()["results"] == []

    def test_a_cursor_of_nonsense_is_refused(self, stage: Stage):
        assert system(stage).results("yesterday").status_code == 400

    def test_what_is_not_committed_yet_is_not_skipped(self, stage: Stage, member: Member, county: World):
        sender = system(stage)
        with stage.owner() as session:
            others = [a_member(session, county) for _ in range(2)]
        sender.push(1, [a_row(member, "C-0")])
        cursor = sender.results().json()["next"]
        with stage.owner() as slow:  # began first, commits last
            slow.execute(sa.text("select pg_current_xact_id()"))
            first = slow.exec(select(Application).where(Application.external_number == "C-0")).one()
            applications.endorse(slow, first, by=county.township.head)
            sender.push(2, [a_row(others[0], "C-1")])
            early = sender.results(cursor).json()
            assert early["results"] == []
        late = [one["application"] for one in sender.results(early["next"]).json()["results"]]
        assert late == ["C-0", "C-1"]


def _paid(session: Session, county: World, held: Qualification) -> tuple[int, int]:
    """Let two lines of a roster stand on the qualification: one is paid, one fails."""
    land = Payments(session, county, LAND, lines=2)
    for line in lines_of(session, land.roster):
        session.add(
            QualificationLine(
                county_code=line.county_code, line_id=line.id or 0, division_code=line.division_code,
                roster_id=line.roster_id, sector=line.sector, qualification_id=held.id or 0,
            )
        )  # fmt: skip
    session.flush()
    session.execute(sa.text("set local session_replication_role = replica"))
    land.attempts[0].status, land.attempts[0].settled_on = "paid", date(2026, 3, 1)  # type: ignore[assignment]
    land.attempts[1].status, land.attempts[1].settled_on = "failed", date(2026, 11, 20)  # type: ignore[assignment]
    land.attempts[1].failure_class = "dormant"
    session.flush()
    return land.attempts[0].amount_fen, land.attempts[1].amount_fen
