"""Applications: received, audited, examined, decided, shown to the public, put on the register. （第十三至十五条）"""

from datetime import date
from decimal import Decimal

import pytest
import sqlalchemy as sa
from sqlmodel import Session, select

from models.applications import ApplicationStatus as A
from models.base import REGION_CODE
from models.divisions import Level
from models.households import IdentityOutcome, MemberStatus
from models.notices import ObjectionStatus
from models.officers import system_principal
from models.projects import ProjectStatus
from models.qualifications import Qualification, QualificationStatus
from models.registry_changes import Attachment, DocumentKind
from policies.enforcement import OtherSector
from policies.formulas.program import AmountOutside
from policies.interests import OwnHousehold
from policies.notices import digest
from policies.refusals import NotAllowed, NotFound, ReasonMissing, SamePersonTwice, StepNotPossible
from tests.applying import a_notice_period, carried, conclude, entered, notice_of, over
from tests.conftest import As, Owner
from tests.factories import World, a_household, a_member, a_project, second_account
from workflows import application_notices as notices
from workflows import application_register as register
from workflows import applications
from workflows.annual_list_offers import NotListed
from workflows.application_rules import (
    AlreadyApplied,
    Asked,
    PersonGone,
    PersonUnchecked,
    PersonUnknown,
    ReasonNamesPerson,
    StandardUnknown,
)
from workflows.application_values import ValueWrong
from workflows.attachments import Evidence
from workflows.imports import ProjectStopped
from workflows.notices import NoticePeriodMissing

PDF = b"%PDF-1.4\n1 0 obj\n%%EOF\n"


class TestEnter:
    def test_a_township_receives_an_application_with_its_documents_and_expected_amount(
        self, session: Session, county: World
    ):
        member = a_member(session, county)
        proof = Evidence("证明.pdf", PDF, DocumentKind.LAND)
        application = entered(session, county, member, quantity="12.5", evidence=[proof])
        assert (application.status, application.amount_fen) == (A.SUBMITTED, 18_750)
        assert application.person == member.person
        kept = session.exec(select(Attachment).where(Attachment.noun == "application")).all()
        assert [one.record_id for one in kept] == [application.id]

    def test_the_department_receives_at_its_own_desk_for_a_township_of_the_county(
        self, session: Session, county: World
    ):
        member = a_member(session, county)
        application = entered(
            session, county, member, by=county.department.clerk, township=county.township.division_code
        )
        assert (application.source, application.division_code) == ("department", county.township.division_code)
        with pytest.raises(ReasonMissing):
            entered(session, county, a_member(session, county), by=county.department.clerk)
        with pytest.raises(NotFound):
            place = county.other_county.township.division_code
            entered(session, county, a_member(session, county), by=county.department.clerk, township=place)

    def test_another_department_receives_nothing_of_this_sector(self, session: Session, county: World):
        with pytest.raises(OtherSector):
            entered(session, county, by=county.civil_affairs.clerk, township=county.township.division_code)

    def test_who_may_not_receive_is_refused(self, session: Session, county: World):
        for by in (county.township.head, county.department.reviewer, county.finance.clerk, county.bank.clerk):
            with pytest.raises(NotAllowed):
                entered(session, county, by=by)

    def test_a_stopped_project_takes_no_applications(self, session: Session, county: World):
        project = a_project(session, county)
        session.execute(
            sa.text("update subsidy_projects set status = :s where id = :id"),
            {"s": ProjectStatus.STOPPED, "id": project.id},
        )
        session.refresh(project)
        with pytest.raises(ProjectStopped):
            entered(session, county, project=project)

    def test_a_project_that_the_county_has_not_listed_takes_none(self, session: Session, county: World):
        project = a_project(session, county)
        session.execute(sa.text("set local session_replication_role = replica"))
        session.execute(sa.text("delete from annual_list_items where project_id = :id"), {"id": project.id})
        session.execute(sa.text("set local session_replication_role = origin"))
        with pytest.raises(NotListed):
            entered(session, county, project=project)

    def test_a_person_whom_nobody_keeps_here_is_refused(self, session: Session, county: World):
        place = county.other_county.township.division_code
        stranger = a_member(session, county, a_household(session, county, township=place))
        with pytest.raises(PersonUnknown):
            entered(session, county, stranger)

    @pytest.mark.parametrize("status", [MemberStatus.DEAD, MemberStatus.MISSING, MemberStatus.MOVED])
    def test_the_dead_missing_and_gone_are_refused(self, session: Session, county: World, status: MemberStatus):
        with pytest.raises(PersonGone):
            entered(session, county, a_member(session, county, status=status))

    def test_whom_the_police_call_dead_is_refused(self, session: Session, county: World):
        with pytest.raises(PersonGone):
            entered(session, county, a_member(session, county, identity_outcome=IdentityOutcome.DEAD))

    def test_a_new_person_whose_identity_nobody_has_checked_is_refused(self, session: Session, county: World):
        with pytest.raises(PersonUnchecked):
            entered(session, county, a_member(session, county, identity_outcome=None, identity_checked_at=None))

    def test_one_person_has_one_application_under_way_per_project(self, session: Session, county: World):
        member = a_member(session, county)
        entered(session, county, member)
        with pytest.raises(AlreadyApplied):
            entered(session, county, member)

    def test_the_key_holds_over_townships_too(self, session: Session, county: World):
        first = entered(session, county)
        second = entered(session, county)
        with pytest.raises(sa.exc.IntegrityError):
            session.execute(sa.text("set local session_replication_role = origin"))
            session.execute(
                sa.text("update applications set person = :p where id = :id"), {"p": first.person, "id": second.id}
            )

    def test_a_standard_that_is_not_in_force_is_refused(self, session: Session, county: World):
        with pytest.raises(StandardUnknown):
            entered(session, county, standard=Decimal("16"))

    def test_an_amount_of_nothing_is_refused(self, session: Session, county: World):
        with pytest.raises(AmountOutside):
            entered(session, county, quantity="0.0001")


class TestFields:
    @pytest.fixture
    def project(self, session: Session, county: World):
        project = a_project(session, county)
        fields = {
            "type": "object",
            "properties": {
                "plot": {"type": "string", "title": "地块编号"},
                "grade": {"type": "string", "title": "等级", "enum": ["一等", "二等"]},
                "area": {"type": "number", "title": "面积", "minimum": 0, "maximum": 100},
            },
            "required": ["plot"],
        }
        project.definition = {**project.definition, "fields": fields, "component": ["plot"]}
        session.execute(sa.text("set local session_replication_role = replica"))
        session.flush()
        session.execute(sa.text("set local session_replication_role = origin"))
        return project

    def test_the_projects_own_fields_are_kept_as_they_were_written(self, session: Session, county: World, project):
        values = {"plot": "A-1", "grade": "二等", "area": "3.50"}
        application = entered(session, county, project=project, values=values)
        assert application.extra == {"plot": "A-1", "grade": "二等", "area": "3.5"}
        assert application.component == "A-1"

    def test_two_plots_are_two_applications(self, session: Session, county: World, project):
        member = a_member(session, county)
        entered(session, county, member, project=project, values={"plot": "A-1"})
        entered(session, county, member, project=project, values={"plot": "A-2"})
        with pytest.raises(AlreadyApplied):
            entered(session, county, member, project=project, values={"plot": "A-2"})

    @pytest.mark.parametrize(
        ("values", "field"),
        [({}, "地块编号"), ({"plot": "A", "grade": "三等"}, "等级"), ({"plot": "A", "area": "x"}, "面积"),
         ({"plot": "A", "area": "101"}, "面积"), ({"plot": "A", "other": "1"}, "other"),
         ({"plot": "150430195501011234"}, "地块编号")],
    )  # fmt: skip
    def test_a_mistake_names_its_field(self, session: Session, county: World, project, values, field):
        with pytest.raises(ValueWrong) as refusal:
            entered(session, county, project=project, values=values)
        assert field in str(refusal.value)
        assert "150430195501011234" not in str(refusal.value)


class TestWay:
    def test_head_clerk_and_reviewer_each_take_their_step_and_nobody_two(self, session: Session, county: World):
        a_notice_period(session, county, a_project(session, county))
        application = entered(session, county)
        with pytest.raises(NotAllowed):
            applications.endorse(session, application, by=county.township.clerk)
        applications.endorse(session, application, by=county.township.head)
        with pytest.raises(NotAllowed):
            applications.examine(session, application, by=county.department.reviewer)
        applications.examine(session, application, by=county.department.clerk)
        twin = second_account(session, county.department.clerk, county.department.organisation_id, "reviewer")
        with pytest.raises(SamePersonTwice):
            applications.approve(session, application, by=twin)
        applications.approve(session, application, by=county.department.reviewer)
        assert application.status == A.APPROVED

    def test_another_countys_and_another_sectors_officers_are_refused(self, session: Session, county: World):
        application = carried(session, county, entered(session, county), A.ENDORSED)
        with pytest.raises(OtherSector):
            applications.examine(session, application, by=county.civil_affairs.clerk)
        with pytest.raises(NotFound):
            applications.examine(session, application, by=county.other_county.department.clerk)

    def test_nobody_judges_their_own_household(self, session: Session, county: World):
        member = a_member(session, county)
        application = entered(session, county, member)
        session.execute(
            sa.text("update officers set person_index = :i where id = :id"),
            {"i": member.id_index, "id": county.township.head.officer_id},
        )
        with pytest.raises(OwnHousehold):
            applications.endorse(session, application, by=county.township.head)

    def test_a_returned_application_that_was_amended_goes_to_the_head_again(self, session: Session, county: World):
        application = carried(session, county, entered(session, county), A.ENDORSED)
        with pytest.raises(ReasonMissing):
            applications.return_(session, application, by=county.department.clerk, reason=" ")
        with pytest.raises(ReasonNamesPerson):
            applications.return_(session, application, by=county.department.clerk, reason="见13800000000")
        applications.return_(session, application, by=county.department.clerk, reason="面积与权证不符")
        assert (application.status, application.reason) == (A.RETURNED, "面积与权证不符")
        applications.amend(session, application, by=county.township.clerk, asked=Asked(Decimal("9")))
        assert application.amount_fen == 13_500
        applications.resume(session, application, by=county.township.clerk)
        assert application.status == A.SUBMITTED

    def test_an_unchanged_one_comes_back_to_the_desk_that_returned_it(self, session: Session, county: World):
        application = carried(session, county, entered(session, county), A.ENDORSED)
        applications.return_(session, application, by=county.department.clerk, reason="请说明")
        applications.resume(session, application, by=county.township.clerk)
        assert application.status == A.ENDORSED

    def test_the_township_withdraws_until_the_head_has_audited(self, session: Session, county: World):
        application = entered(session, county)
        applications.withdraw(session, application, by=county.township.clerk, reason="申请人放弃")
        assert application.status == A.WITHDRAWN
        late = carried(session, county, entered(session, county), A.ENDORSED)
        with pytest.raises(StepNotPossible):
            applications.withdraw(session, late, by=county.township.clerk, reason="申请人放弃")

    def test_the_department_withdraws_only_what_it_received(self, session: Session, county: World):
        theirs = entered(session, county)
        with pytest.raises(applications.NotReceivedHere):
            applications.withdraw_department(session, theirs, by=county.department.clerk, reason="误录")
        own = entered(session, county, by=county.department.clerk, township=county.township.division_code)
        applications.withdraw_department(session, own, by=county.department.clerk, reason="误录")
        assert own.status == A.WITHDRAWN

    def test_a_refused_one_says_why_and_may_be_applied_for_again(self, session: Session, county: World):
        member = a_member(session, county)
        application = carried(session, county, entered(session, county, member), A.EXAMINED)
        applications.reject(session, application, by=county.department.reviewer, reason="不符合申领条件")
        assert (application.status, application.reason) == (A.REJECTED, "不符合申领条件")
        assert entered(session, county, member).status == A.SUBMITTED


class TestNotice:
    def test_without_a_period_of_this_stage_nothing_is_published(self, session: Session, county: World):
        application = carried(session, county, entered(session, county), A.APPROVED)
        with pytest.raises(NoticePeriodMissing):
            applications.publish(session, application, by=county.department.clerk)

    def test_a_whole_batch_is_one_notice_per_township_frozen_with_its_digest(self, session: Session, county: World):
        project = a_project(session, county)
        a_notice_period(session, county, project)
        made = [carried(session, county, entered(session, county), A.APPROVED) for _ in range(3)]
        (notice,) = notices.publish_batch(session, by=county.department.clerk, project=project.code)
        assert (notice.line_count, notice.digest) == (3, digest(notice.content))
        for application in made:
            session.refresh(application)
            assert (application.status, application.notice_id) == (A.ON_NOTICE, notice.id)
        line = notice.content["lines"][0]
        assert "*" in line["name"]
        assert (line["standard"], line["amount"]) == ("15", "150.00")
        assert not {one.person for one in made} & set(str(notice.content))
        with pytest.raises(notices.NothingApproved):
            notices.publish_batch(session, by=county.department.clerk, project=project.code)

    def test_a_project_that_hides_names_hides_them(self, session: Session, county: World):
        project = a_project(session, county)
        session.execute(sa.text("set local session_replication_role = replica"))
        project.definition = {**project.definition, "public": {"name": "hidden", "amount": "hidden"}}
        session.flush()
        session.execute(sa.text("set local session_replication_role = origin"))
        a_notice_period(session, county, project)
        application = carried(session, county, entered(session, county), A.ON_NOTICE)
        line = notice_of(session, application).content["lines"][0]
        assert (line["name"], line["village"], line["amount"]) == ("***", "***", "***")

    def test_the_register_waits_for_the_end_of_the_notice(self, session: Session, county: World):
        a_notice_period(session, county, a_project(session, county))
        application = carried(session, county, entered(session, county), A.ON_NOTICE)
        with pytest.raises(register.NoticeStillRunning):
            register.conclude(session, notice_of(session, application), by=county.department.clerk)
        conclude(session, county, application)
        held = session.exec(select(Qualification)).one()
        assert (application.status, held.status) == (A.QUALIFIED, QualificationStatus.ACTIVE)
        assert (held.quantity, held.application_id) == (Decimal(10), application.id)

    def test_an_objection_to_the_whole_notice_holds_all_of_it(self, session: Session, county: World):
        a_notice_period(session, county, a_project(session, county))
        application = carried(session, county, entered(session, county), A.ON_NOTICE)
        notice = notice_of(session, application)
        objection = notices.object_(session, notice, by=county.township.clerk, text="名单不全")
        over(session, application)
        with pytest.raises(register.ObjectionWaits):
            register.conclude(session, notice_of(session, application), by=county.department.clerk)
        with pytest.raises(notices.UpheldOfWhom):
            notices.settle(session, objection, by=county.department.clerk, answer="属实", upheld=True)
        with pytest.raises(NotAllowed):
            notices.settle(session, objection, by=county.township.clerk, answer="已核实")
        notices.settle(session, objection, by=county.department.clerk, answer="已核实，名单完整")
        assert objection.status == ObjectionStatus.SETTLED
        register.conclude(session, notice_of(session, application), by=county.department.clerk)
        session.refresh(application)
        assert application.status == A.QUALIFIED

    def test_an_objection_to_one_holds_that_one_and_an_upheld_one_for_good(self, session: Session, county: World):
        project = a_project(session, county)
        a_notice_period(session, county, project)
        good, bad = (carried(session, county, entered(session, county), A.APPROVED) for _ in range(2))
        (notice,) = notices.publish_batch(session, by=county.department.clerk, project=project.code)
        with pytest.raises(notices.NotOnThisNotice):
            notices.object_(session, notice, by=county.township.clerk, text="不实", application_number="SQ0")
        objection = notices.object_(
            session, notice, by=county.township.clerk, text="已不种地", application_number=bad.number
        )
        session.refresh(good)
        over(session, good)
        register.conclude(session, notice_of(session, good), by=county.department.clerk)
        session.refresh(good)
        session.refresh(bad)
        assert (good.status, bad.status) == (A.QUALIFIED, A.ON_NOTICE)
        notices.settle(session, objection, by=county.department.clerk, answer="属实", upheld=True)
        register.conclude(session, notice_of(session, bad), by=county.department.clerk)
        session.refresh(bad)
        assert bad.status == A.ON_NOTICE
        applications.reject(session, bad, by=county.department.reviewer, reason="公示异议成立")
        assert bad.status == A.REJECTED

    def test_the_clock_concludes_what_nobody_objected_to(self, county: World, owner: Owner, as_: As):
        with owner() as session:
            a_notice_period(session, county, a_project(session, county))
            application = carried(session, county, entered(session, county), A.ON_NOTICE)
            over(session, application)
        by = system_principal(REGION_CODE, Level.REGION)
        assert register.conclude_due(by) == 1
        assert register.conclude_due(by) == 0
        with as_(county.department.clerk) as session:
            held = session.exec(select(Qualification)).one()
            assert held.valid_from >= date(2024, 1, 1)
        with as_(county.civil_affairs.clerk) as session:
            assert session.exec(select(Qualification)).all() == []
        with as_(county.second_township.clerk) as session:
            assert session.exec(select(Qualification)).all() == []
