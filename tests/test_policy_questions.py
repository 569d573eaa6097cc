"""Who can do X here, and why may or may not Y do X: answered as the verbs themselves decide. （第二十三、二十四条）"""

from datetime import date

import pytest
import sqlalchemy as sa
from sqlmodel import Session

from models.officers import ActingOfficer, Post
from models.rosters import RosterStatus
from policies.enforcement import allow
from policies.lifecycles import Desk
from policies.moves import record_event
from policies.permissions import Permission as P
from policies.refusals import NotAllowed, NotFound, Refused
from tests.conftest import As, Owner
from tests.factories import OTHER_TOWNSHIP, TOWNSHIP, World, a_roster, login_name
from workflows import policy_questions as questions

ASKED = (P.ROSTER_ENDORSE, P.ROSTER_PASS, P.ROSTER_VIEW, P.BATCH_RELEASE, P.MEMBER_REVEAL, P.DUTY_VIEW, P.AUDIT_VIEW)


class Place:
    """A record of no sector at a division: `allow` is asked about it."""

    def __init__(self, division_code: str) -> None:
        self.division_code = division_code


def would(session: Session, by: ActingOfficer, permission: P, record: object) -> bool:
    try:
        allow(session, by, permission, record)
    except Refused:
        return False
    return True


def lend(session: Session, post: ActingOfficer, to: ActingOfficer, *only: str) -> None:
    session.execute(
        sa.text(
            "insert into delegations (division_code, post_id, holder_id, officer_id, title, holder, delegate,"
            " valid_from, valid_to, permissions, reason, status, version) select division_code, id, officer_id, :to,"
            " 'x', 'x', 'x', business_day(), business_day(), :only, 'x', 'in_force', 1 from posts where id = :post"
        ),
        {"post": post.post_id, "to": to.officer_id, "only": list(only) or None},
    )


class TestWho:
    def test_they_are_exactly_those_whom_the_verbs_would_allow(self, county: World, as_: As):
        with as_(county.security_admin) as session:
            for code in (TOWNSHIP, OTHER_TOWNSHIP, county.code, "150400000000", "150000000000"):
                for permission in ASKED:
                    told = questions.who_can(session, permission, code, by=county.security_admin)
                    named = {one.officer.post_id for one in told.able if one.officer.bank_id == 0}
                    assert named == {
                        by.post_id
                        for by in county.everyone
                        if by.bank_id == 0 and would(session, by, permission, Place(code))
                    }, (code, permission)

    def test_each_is_named_with_the_deciding_line_and_the_desk(self, county: World, as_: As):
        with as_(county.security_admin) as session:
            told = questions.who_can(session, P.ROSTER_ENDORSE, TOWNSHIP, by=county.security_admin)
        (head,) = told.able
        assert head.officer.post_id == county.township.head.post_id
        assert "p, head, township, township, roster, endorse, allow" in head.decision.text
        assert head.decision.rule_id > 0
        assert [(step.label, step.desk) for step in head.desks] == [("负责人审核", Desk.TOWNSHIP_HEAD)]
        assert [title for title, _ in told.kinds] == ["苏木乡镇（街道）负责人"]

    def test_a_delegate_is_named_within_the_limits_of_the_delegation(self, county: World, as_: As, owner: Owner):
        with owner() as session:
            lend(session, county.township.head, county.second_township.head, "roster:endorse")
            lend(session, county.second_township.head, county.township.head, "roster:view")
        with as_(county.security_admin) as session:
            here = questions.who_can(session, P.ROSTER_ENDORSE, TOWNSHIP, by=county.security_admin)
            there = questions.who_can(
                session, P.ROSTER_ENDORSE, county.second_township.division_code, by=county.security_admin
            )
        assert [one.officer.name for one in here.able] == [
            county.township.head.name, county.second_township.head.name,
        ]  # fmt: skip
        assert here.able[1].officer.absent == county.township.head.name
        assert [one.officer.name for one in there.able] == [county.second_township.head.name]

    def test_who_may_not_see_the_policy_asks_in_vain(self, county: World, as_: As):
        by = county.finance.reviewer
        with as_(by) as session:
            with pytest.raises(NotAllowed):
                questions.who_can(session, P.ROSTER_VIEW, county.code, by=by)
            with pytest.raises(NotAllowed):
                questions.why(session, "x", P.ROSTER_VIEW, by=by)

    def test_a_division_that_does_not_exist_is_not_found(self, county: World, as_: As):
        with as_(county.security_admin) as session, pytest.raises(NotFound):
            questions.who_can(session, P.ROSTER_VIEW, "999999999999", by=county.security_admin)


class TestWhy:
    def ask(
        self, session: Session, county: World, by: ActingOfficer, permission: P, record: object = None
    ) -> questions.Why:
        (told,) = questions.why(session, login_name(session, by), permission, by=county.security_admin, record=record)
        return told

    def test_the_answer_is_the_verbs_own(self, county: World, as_: As, owner: Owner):
        with owner() as session:
            roster = a_roster(session, county)
        with as_(county.security_admin) as session:
            for by in county.everyone:
                if by.bank_id == 0:
                    told = self.ask(session, county, by, P.ROSTER_VIEW, roster)
                    facts = [fact for fact in told.facts if fact.title not in ("岗位", "不相容岗位")]
                    assert all(f.holds is not False for f in facts) == would(session, by, P.ROSTER_VIEW, roster)

    def test_it_names_the_deciding_line_or_that_there_is_none(self, county: World, as_: As):
        with as_(county.security_admin) as session:
            allowed = self.ask(session, county, county.township.head, P.ROSTER_ENDORSE)
            denied = self.ask(session, county, county.audit_admin, P.ROSTER_ENDORSE)
            silent = self.ask(session, county, county.township.clerk, P.ROSTER_ENDORSE)
        assert [(one.able, one.facts[1].text.split("“")[-1]) for one in (allowed, denied)] == [
            (True, "p, head, township, township, roster, endorse, allow”允许"),
            (False, "p, audit_admin, *, *, roster, endorse, deny”禁止"),
        ]
        assert (silent.able, silent.facts[1].text) == (False, "没有任何一行允许，默认不允许")

    def test_on_a_record_it_names_range_sector_desk_and_what_the_person_has_done(
        self, county: World, as_: As, owner: Owner
    ):
        with owner() as session:
            roster = a_roster(session, county, status=RosterStatus.DEPARTMENT_EXAMINED)
            record_event(session, roster, "x", by=county.department.reviewer, label="x", desk=Desk.DEPARTMENT_CLERK)
        with as_(county.security_admin) as session:
            told = {
                name: {fact.title: fact.holds for fact in self.ask(session, county, by, P.ROSTER_PASS, roster).facts}
                for name, by in (
                    ("own", county.department.reviewer),
                    ("clerk", county.department.clerk),
                    ("sector", county.civil_affairs.reviewer),
                    ("far", county.other_county.department.reviewer),
                )
            }
        assert told["own"]["不相容岗位"] is False and told["own"]["岗位"] is True
        assert told["clerk"]["权限策略"] is False and told["clerk"]["岗位"] is False
        assert told["sector"]["主管领域"] is False
        assert told["far"]["数据范围"] is False

    def test_a_post_that_is_over_or_lent_out_within_limits_is_told(self, county: World, as_: As, owner: Owner):
        with owner() as session:
            session.get_one(Post, county.township.head.post_id).valid_to = date(2024, 5, 1)
            lend(session, county.second_township.head, county.township.auditor, "roster:view")
        with as_(county.security_admin) as session:
            over = self.ask(session, county, county.township.head, P.ROSTER_ENDORSE)
            name = login_name(session, county.township.auditor)
            both = questions.why(session, name, P.ROSTER_ENDORSE, by=county.security_admin)
        assert not over.able and "不在期间内" in over.facts[0].text
        assert [(one.officer.absent, one.able) for one in both] == [
            ("", False), (county.second_township.head.name, False),
        ]  # fmt: skip
        assert [fact.text for fact in both[1].facts if fact.title == "委托范围"] == ["委托不包含该权限"]

    def test_an_unknown_officer_is_refused_in_words(self, county: World, as_: As):
        with as_(county.security_admin) as session, pytest.raises(questions.OfficerUnknown, match="nobody"):
            questions.why(session, "nobody", P.ROSTER_VIEW, by=county.security_admin)
