"""Static segregation: posts that no person may hold together, refused by name and by PostgreSQL. （第二十三条）"""

from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from itertools import product
from threading import Barrier

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError, IntegrityError, ProgrammingError
from sqlmodel import Session, select

from models.crypto import id_index
from models.delegations import Delegation
from models.divisions import Level
from models.duty_pairs import DutyKind, DutyPair, DutyPairStatus, DutyWithin
from models.events import Refusal
from models.officers import ActingOfficer, Officer, Post, Role
from models.organisations import OrganisationKind
from policies import duties
from policies.clock import today
from policies.duties import DutiesCollide, require_compatible
from policies.enforcement import seed_lines
from policies.refusals import NotAllowed, ReasonMissing, SamePersonTwice, StepNotPossible
from tests.factories import World, an_id_number, second_account
from tests.world import NUMBERS, key
from workflows import duty_pairs
from workflows.edges import edge

ROLES = [role for role in Role if role != Role.SYSTEM]
START = date(2024, 1, 1)
PAIR = {
    "kind": "role",
    "one": "clerk@finance",
    "other": "*@bank",
    "within": "anywhere",
    "title": "财政经办岗与代理银行岗位",
    "basis": "本级内控制度",
}


def excluded(one: Role, other: Role, same_organisation: bool) -> bool:
    """Say by the table of statutory pairs whether the two posts exclude each other."""
    return any(
        {one, other} == {left, right} and (within == DutyWithin.ANYWHERE or same_organisation)
        for kind, left, right, within in duties.STATUTORY
        if kind == DutyKind.ROLE
    )


def an_officer(session: Session, division_code: str = "150430000000") -> Officer:
    """Make a person without any post."""
    number = next(NUMBERS)
    officer = Officer(
        division_code=division_code, login=f"duty{number}", name="赵某", person=f"person-{number}",
        person_index=id_index(an_id_number()),
    )  # fmt: skip
    session.add(officer)
    session.flush()
    return officer


def a_post(
    session: Session, officer: Officer, role: Role, organisation: int, since: date = START, until: date | None = None
) -> Post:
    """Give the person a post past every verb, as raw SQL would."""
    code = session.execute(
        sa.text("select division_code from organisations where id = :id"), {"id": organisation}
    ).scalar_one()
    post = Post(
        division_code=code, officer_id=key(officer.id), organisation_id=organisation, role=role, valid_from=since,
        valid_to=until,
    )  # fmt: skip
    session.add(post)
    session.flush()
    return post


def in_force(session: Session, county: World, **fields: str) -> DutyPair:
    pair = duty_pairs.propose(session, by=county.security_admin, **(PAIR | fields))
    return duty_pairs.confirm(session, pair, by=county.second_security_admin)


class TestTheStatutoryPairs:
    def test_the_table_holds_exactly_those_of_the_code(self, session):
        rows = session.exec(select(DutyPair)).all()
        assert all(row.statutory and row.status == DutyPairStatus.IN_FORCE for row in rows)
        assert {(r.kind, frozenset((r.one, r.other)), r.within) for r in rows} == {
            (kind, frozenset((str(one), str(other))), within) for kind, one, other, within in duties.STATUTORY
        }
        assert len(rows) == len(duties.STATUTORY)

    @pytest.mark.parametrize(
        "statement",
        [
            "delete from duty_pairs where statutory",
            "delete from duty_pairs",
            "truncate duty_pairs",
            "update duty_pairs set status = 'ended'",
            "update duty_pairs set statutory = false",
            "update duty_pairs set title = 'x' where statutory",
            "set local session_replication_role = replica; delete from duty_pairs",
        ],
    )
    def test_nobody_removes_or_changes_one_not_even_the_owner(self, owner, as_, county, statement):
        with pytest.raises(DBAPIError), owner() as session:
            session.execute(sa.text(statement))
        with pytest.raises(DBAPIError), as_(county.security_admin) as session:
            session.execute(sa.text(statement))

    def test_no_verb_ends_one(self, session, county):
        pair = session.exec(select(DutyPair).limit(1)).one()
        with pytest.raises(duty_pairs.StatutoryPair, match="任何人不能修改"):
            duty_pairs.propose_end(session, pair, by=county.security_admin, reason="想放宽")

    def test_the_seed_policy_gives_no_post_both_sides(self):
        assert duties.permission_conflicts(seed_lines()) == []

    def test_a_policy_that_does_is_told_by_post(self):
        lines = [*seed_lines(), ("clerk", "county", "finance", "batch", "release", "allow")]
        found = duties.permission_conflicts(lines)
        assert [(one.role, one.level, one.kind, one.one, one.other) for one in found] == [
            (Role.CLERK, Level.COUNTY, OrganisationKind.FINANCE, "batch:prepare", "batch:release")
        ]
        assert found[0].post == "旗县（市、区）财政部门经办岗"


class TestPosts:
    @pytest.mark.parametrize("one", ROLES, ids=str)
    def test_every_two_roles_are_refused_or_admitted_as_the_pairs_say(self, session, county, one):
        offices = county.finance.organisation_id, county.department.organisation_id
        for other, office in product(ROLES, offices):
            same = office == offices[0]
            with session.begin_nested() as save:
                officer = an_officer(session)
                a_post(session, officer, one, offices[0])
                asked = (officer.person, other, office, START)
                if excluded(one, other, same):
                    with pytest.raises(DutiesCollide, match="不相容岗位"):
                        require_compatible(session, *asked)
                    with pytest.raises(IntegrityError, match="不相容岗位"), session.begin_nested():
                        a_post(session, officer, other, office)
                else:
                    require_compatible(session, *asked)
                    a_post(session, officer, other, office)
                save.rollback()
            session.expunge_all()

    def test_the_refusal_names_both_posts_and_the_days(self, session, county):
        officer = an_officer(session)
        a_post(session, officer, Role.CLERK, county.finance.organisation_id, date(2024, 3, 1), date(2024, 6, 30))
        asked = (officer.person, Role.REVIEWER, county.finance.organisation_id, date(2024, 6, 1), date(2024, 12, 31))
        with pytest.raises(DutiesCollide) as refusal:
            require_compatible(session, *asked)
        assert refusal.value.fields == {
            "officer": "赵某", "one": "敖汉旗财政局经办岗", "other": "敖汉旗财政局审核岗", "pair": "经办岗与审核岗",
            "period": "2024-06-01 至 2024-06-30",
        }  # fmt: skip

    def test_one_after_the_other_is_no_collision(self, session, county):
        officer, office = an_officer(session), county.finance.organisation_id
        a_post(session, officer, Role.CLERK, office, date(2024, 1, 1), date(2024, 6, 30))
        a_post(session, officer, Role.REVIEWER, office, date(2024, 7, 1))
        with pytest.raises(IntegrityError, match="不相容岗位"), session.begin_nested():
            longer = sa.text("update posts set valid_to = '2024-07-01' where officer_id = :id and role = 'clerk'")
            session.execute(longer, {"id": officer.id})

    def test_a_second_account_is_the_same_person(self, session, county):
        officer = an_officer(session)
        a_post(session, officer, Role.CLERK, county.finance.organisation_id)
        twin = an_officer(session)
        twin.person, twin.person_index = officer.person, officer.person_index
        session.flush()
        with pytest.raises(IntegrityError, match="不相容岗位"), session.begin_nested():
            a_post(session, twin, Role.REVIEWER, county.finance.organisation_id)

    def test_two_accounts_with_colliding_posts_cannot_be_joined_as_one_person(self, session, county):
        officer, other = an_officer(session), an_officer(session)
        a_post(session, officer, Role.SECURITY_ADMIN, county.finance.organisation_id)
        a_post(session, other, Role.CLERK, county.department.organisation_id)
        other.person = officer.person
        with pytest.raises(IntegrityError, match="不相容岗位"):
            session.flush()

    def test_a_post_that_has_ended_or_was_refused_binds_no_more(self, session, county):
        officer, office = an_officer(session), county.finance.organisation_id
        post = a_post(session, officer, Role.CLERK, office)
        session.execute(
            sa.text("update posts set status = 'ended', valid_to = '2024-03-31' where id = :id"), {"id": post.id}
        )
        a_post(session, officer, Role.REVIEWER, office, date(2024, 4, 1))

    def test_a_township_of_two_people_still_works(self, session, county):
        """Many verbs of one desk are one duty: clerk and registrar are one person, the head is the other."""
        clerk, head, office = an_officer(session), an_officer(session), county.township.organisation_id
        a_post(session, clerk, Role.CLERK, office)
        a_post(session, clerk, Role.REGISTRAR, office)
        a_post(session, head, Role.HEAD, office)
        for role in (Role.CLERK, Role.REGISTRAR):
            with pytest.raises(DutiesCollide):
                require_compatible(session, head.person, role, office, START)

    def test_of_two_who_give_one_person_colliding_posts_at_once_one_is_refused(self, county, owner):
        with owner() as session:
            officer = an_officer(session)
        ready = Barrier(2)

        def give(role: Role) -> str:
            try:
                with owner() as session:
                    ready.wait(20)
                    a_post(session, officer, role, county.finance.organisation_id)
            except IntegrityError:
                return "refused"
            return "given"

        with ThreadPoolExecutor(2) as threads:
            outcome = sorted(threads.map(give, (Role.CLERK, Role.REVIEWER)))
        assert outcome == ["given", "refused"]


class TestDelegations:
    def a_delegation(self, session: Session, of: ActingOfficer, to: ActingOfficer, days: int = 5) -> Delegation:
        day = today(session)
        post = session.get_one(Post, of.post_id)
        delegation = Delegation(
            division_code=post.division_code, post_id=of.post_id, holder_id=of.officer_id, officer_id=to.officer_id,
            title=of.post, holder=of.name, delegate=to.name, valid_from=day, valid_to=day + timedelta(days=days),
            reason="出差",
        )  # fmt: skip
        session.add(delegation)
        session.flush()
        return delegation

    def test_a_post_is_not_lent_across_a_pair(self, session, county):
        with pytest.raises(IntegrityError, match="不相容岗位"), session.begin_nested():
            self.a_delegation(session, county.finance.reviewer, county.finance.clerk)
        self.a_delegation(session, county.finance.clerk, county.finance.second_clerk)

    def test_a_borrowed_post_counts_against_the_next_one(self, session, county):
        self.a_delegation(session, county.finance.clerk, county.finance.second_clerk)
        day = today(session)
        borrowed = county.finance.second_clerk.person
        with pytest.raises(DutiesCollide):
            require_compatible(session, borrowed, Role.AUDITOR, county.finance.organisation_id, day)

    def test_a_revoked_one_does_not(self, session, county):
        lent = self.a_delegation(session, county.department.clerk, county.finance.second_clerk)
        day, person = today(session), county.finance.second_clerk.person
        asked = (person, Role.REVIEWER, county.department.organisation_id, day)
        with pytest.raises(DutiesCollide):
            require_compatible(session, *asked)
        session.execute(sa.text("update delegations set status = 'revoked' where id = :id"), {"id": lent.id})
        require_compatible(session, *asked)


class TestAddedPairs:
    def test_two_officers_add_one_and_it_binds(self, session, county):
        pair = in_force(session, county)
        assert pair.status == DutyPairStatus.IN_FORCE
        with pytest.raises(DutiesCollide, match="财政经办岗与代理银行岗位"):
            require_compatible(
                session, county.finance.clerk.person, Role.CLERK, county.bank.organisation_id, today(session)
            )
        require_compatible(
            session, county.finance.reviewer.person, Role.CLERK, county.bank.organisation_id, today(session)
        )

    def test_nobody_confirms_their_own(self, session, county):
        pair = duty_pairs.propose(session, by=county.security_admin, **PAIR)
        with pytest.raises(SamePersonTwice):
            duty_pairs.confirm(session, pair, by=county.security_admin)
        twin = second_account(
            session, county.security_admin, county.security_admin.organisation_id, Role.SECURITY_ADMIN
        )
        with pytest.raises(SamePersonTwice):
            duty_pairs.confirm(session, pair, by=twin)

    def test_past_the_verbs_the_second_officer_is_a_constraint(self, as_, county):
        with edge(county.security_admin, "propose") as session:
            pair = duty_pairs.propose(session, by=county.security_admin, **PAIR)
        number = {"id": pair.id, "me": county.security_admin.person, "you": county.second_security_admin.person}
        for statement in (
            "update duty_pairs set status = 'in_force' where id = :id",
            "update duty_pairs set status = 'in_force', confirmed_by = :me where id = :id",
            "update duty_pairs set status = 'in_force', confirmed_by = :you where id = :id",
            "update duty_pairs set one = 'head@finance' where id = :id",
        ):
            with pytest.raises(DBAPIError), as_(county.security_admin) as session:
                session.execute(sa.text(statement), number)
        with pytest.raises(ProgrammingError), as_(county.security_admin) as session:
            session.execute(sa.text("delete from duty_pairs where id = :id"), number)

    def test_two_officers_end_one_and_it_binds_until_the_second_has_spoken(self, session, county):
        pair = in_force(session, county)
        asked = (county.finance.clerk.person, Role.CLERK, county.bank.organisation_id, today(session))
        duty_pairs.propose_end(session, pair, by=county.security_admin, reason="机构改革")
        with pytest.raises(DutiesCollide):
            require_compatible(session, *asked)
        with pytest.raises(SamePersonTwice):
            duty_pairs.confirm_end(session, pair, by=county.security_admin)
        duty_pairs.confirm_end(session, pair, by=county.second_security_admin)
        assert pair.status == DutyPairStatus.ENDED
        require_compatible(session, *asked)

    def test_a_refused_end_leaves_it_in_force(self, session, county):
        pair = in_force(session, county)
        duty_pairs.propose_end(session, pair, by=county.security_admin, reason="机构改革")
        duty_pairs.keep(session, pair, by=county.second_security_admin, reason="仍有必要")
        assert pair.status == DutyPairStatus.IN_FORCE

    def test_a_refused_proposal_never_binds(self, session, county):
        pair = duty_pairs.propose(session, by=county.security_admin, **PAIR)
        with pytest.raises(ReasonMissing):
            duty_pairs.refuse(session, pair, by=county.second_security_admin, reason=" ")
        duty_pairs.refuse(session, pair, by=county.second_security_admin, reason="没有必要")
        with pytest.raises(StepNotPossible):
            duty_pairs.confirm(session, pair, by=county.second_security_admin)

    @pytest.mark.parametrize(
        "fields",
        [
            {"one": "clark"}, {"one": "system"}, {"one": "*"}, {"one": "clerk@"}, {"one": "clerk@moon"},
            {"kind": "permission", "one": "roster:fly", "other": "roster:pass"}, {"kind": "other"},
            {"one": "*@bank"}, {"within": "record"}, {"within": "moon"},
        ],
        ids=str,
    )  # fmt: skip
    def test_an_unknown_word_is_refused(self, session, county, fields):
        with pytest.raises(duty_pairs.DutyPairInvalid):
            duty_pairs.propose(session, by=county.security_admin, **(PAIR | fields))

    def test_the_same_pair_the_other_way_round_is_known(self, session, county):
        fields = {"one": "reviewer", "other": "clerk", "within": "organisation"}
        with pytest.raises(duty_pairs.DutyPairKnown, match="经办岗与审核岗"):
            duty_pairs.propose(session, by=county.security_admin, **(PAIR | fields))

    def test_only_security_officers_propose(self, session, county):
        for by in (county.system_admin, county.audit_admin, county.region, county.finance.reviewer):
            with pytest.raises(NotAllowed):
                duty_pairs.propose(session, by=by, **PAIR)

    def test_a_pair_of_permissions_keeps_posts_apart_by_the_policy_in_force(self, session, county):
        in_force(session, county, kind="permission", one="roster:finance_pass", other="roster:pass", title="两级审核")
        day, person = today(session), county.finance.reviewer.person
        with pytest.raises(DutiesCollide, match="两级审核"):
            require_compatible(session, person, Role.REVIEWER, county.department.organisation_id, day)
        session.execute(
            sa.text("delete from policy_rules where role = 'reviewer' and kind = 'department' and action = 'pass'")
        )
        require_compatible(session, person, Role.REVIEWER, county.department.organisation_id, day)

    def test_what_stood_before_is_listed_as_a_present_conflict(self, session, county, as_, owner):
        with owner() as writing:
            twin = an_officer(writing)
            a_post(writing, twin, Role.CLERK, county.finance.organisation_id)
            a_post(writing, twin, Role.CLERK, county.bank.organisation_id)
        with as_(county.security_admin) as reading:
            assert duties.conflicts(reading, today(reading)) == []
        with owner() as writing:
            in_force(writing, county)
        with as_(county.security_admin) as reading:
            [found] = duties.conflicts(reading, today(reading))
        assert (found.officer, found.pair, found.since) == ("赵某", PAIR["title"], START)
        with as_(county.other_county.finance.auditor) as reading:
            assert duties.conflicts(reading, today(reading)) == []

    def test_every_attempt_is_recorded_with_its_kind(self, county, owner):
        with edge(county.security_admin, "propose") as session:
            pair = duty_pairs.propose(session, by=county.security_admin, **PAIR)
        with pytest.raises(SamePersonTwice), edge(county.security_admin, "confirm", "不相容岗位") as session:
            duty_pairs.confirm(session, session.get_one(DutyPair, pair.id), by=county.security_admin)
        with owner() as session:
            assert session.exec(select(Refusal.refusal)).all() == ["SamePersonTwice"]
            assert session.get_one(DutyPair, pair.id).status == DutyPairStatus.PROPOSED
