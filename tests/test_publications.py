"""Publications: by whoever is responsible, frozen, replaced, withdrawn; the stale is told. （第八、九、二十六条）"""

from datetime import date, timedelta
from decimal import Decimal

import pytest
import sqlalchemy as sa
from sqlmodel import Session, select

from models.catalogue_tasks import CatalogueTask, CatalogueTaskKind
from models.officers import Role
from models.projects import PolicyLevel, ProjectStandard, ProjectStatus, SubsidyProject
from models.publications import Publication, PublicationKind, PublicationStatus
from policies.clock import today
from policies.moves import OtherDivision
from policies.refusals import NotAllowed, ReasonMissing, SamePersonTwice, StepNotPossible
from tests.conftest import As, Owner
from tests.factories import COUNTY, LAND, LEAGUE, REGION, Office, World, a_project
from tests.listing import next_year, published
from tests.world import _officer, key
from workflows import publications
from workflows.annual_lists import latest
from workflows.publication_content import digest_of
from workflows.sessions import hasher

POLICY, STANDARD, LIST = PublicationKind.POLICY, PublicationKind.STANDARD, PublicationKind.LIST
WHO = {"contact": "王敏", "telephone": "0471-6600000"}


def land(session: Session) -> SubsidyProject:
    return session.exec(select(SubsidyProject).where(SubsidyProject.code == LAND)).one()


def changed(session: Session, project: SubsidyProject, **fields: object) -> None:
    """Change a project past the lifecycle of changes, as the owner."""
    session.execute(sa.text("set local session_replication_role = replica"))
    for name, value in fields.items():
        setattr(project, name, value)
    session.flush()
    session.execute(sa.text("set local session_replication_role = origin"))


def out(session: Session, office: Office, kind: PublicationKind, project: SubsidyProject) -> Publication:
    """Prepare and publish."""
    record = publications.prepare(session, project, by=office.clerk, kind=kind, **WHO)
    publications.submit(session, record, by=office.clerk)
    return publications.publish(session, record, by=office.reviewer)


def stale_tasks(session: Session) -> list[tuple[str, str, int]]:
    rows = session.exec(
        select(CatalogueTask).where(
            CatalogueTask.kind == CatalogueTaskKind.STALE_PUBLICATION,
            sa.column("status").in_(("finance", "department")),
        )
    )
    return [(one.division_code, one.sector, one.subject_id) for one in rows]


class TestWhoPublishes:
    def test_the_region_publishes_central_policies(self, session, county):
        record = out(session, county.region_department, POLICY, land(session))
        assert record.status == PublicationStatus.DEPARTMENT_SHOWN
        assert (record.content["name"], record.content["contact"]) == ("耕地地力保护补贴", "王敏")
        assert record.digest == digest_of(record.content)
        assert record.published_on == today(session)

    def test_each_county_publishes_the_standard_that_it_sets(self, session, county):
        project = a_project(session, county)
        record = out(session, county.department, STANDARD, project)
        assert [(row["division_code"], row["yuan"]) for row in record.content["rows"]] == [(COUNTY, "15.0000")]

    @pytest.mark.parametrize(
        ("office", "kind", "rightful"),
        [
            ("department", POLICY, "自治区农牧主管部门"),
            ("league_department", POLICY, "自治区农牧主管部门"),
            ("league_department", STANDARD, "自治区农牧主管部门、旗县（市、区）农牧主管部门"),
            ("region_finance", POLICY, "自治区农牧主管部门"),
            ("civil_affairs", STANDARD, "农牧主管部门"),
        ],
    )
    def test_anybody_else_is_told_whose_it_is(self, session, county, office, kind, rightful):
        project = a_project(session, county)
        with pytest.raises(publications.WrongPublisher, match=rightful):
            publications.prepare(session, project, by=getattr(county, office).clerk, kind=kind, **WHO)

    def test_a_leagues_policy_is_published_by_that_league_only(self, session, county):
        project = land(session)
        changed(session, project, policy_level=PolicyLevel.LEAGUE, division_code=LEAGUE)
        other = county.league_department.clerk
        out(session, county.league_department, POLICY, project)
        stranger = other.__class__(**{**vars(other), "division_code": "152500000000"})
        for by in (stranger, county.region_department.clerk, county.department.clerk):
            with pytest.raises(publications.WrongPublisher, match="盟市农牧主管部门"):
                publications.prepare(session, project, by=by, kind=POLICY, **WHO)

    def test_lists_are_published_by_the_bureau_whose_list_it_is(self, session, county):
        region, year = county.region_finance, next_year(session)
        record = published(session, region, year)
        for office in (county.league_finance, county.finance, county.region_department):
            with pytest.raises(publications.WrongPublisher, match="内蒙古自治区财政部门"):
                publications.prepare_list(session, record, by=office.clerk, **WHO)
        shown = publications.prepare_list(session, record, by=region.clerk, **WHO)
        publications.submit(session, shown, by=region.clerk)
        publications.publish(session, shown, by=region.reviewer)
        assert shown.status == PublicationStatus.FINANCE_SHOWN
        assert len(shown.content["items"]) == record.item_count and shown.content["list_digest"] == record.digest

    def test_contact_and_telephone_are_required(self, session, county):
        with pytest.raises(publications.ContactMissing, match=r"联系人.*第二十六条"):
            publications.prepare(session, land(session), by=county.region_department.clerk, kind=POLICY, telephone="1")
        with pytest.raises(publications.ContactMissing, match="联系电话"):
            publications.prepare(session, land(session), by=county.region_department.clerk, kind=POLICY, contact="某")

    def test_the_application_forms_contact_is_taken_when_none_is_said(self, session, county):
        project = land(session)
        changed(session, project, definition=project.definition | {"contact": "李强", "telephone": "0471-1"})
        record = publications.prepare(session, project, by=county.region_department.clerk, kind=POLICY)
        assert (record.contact, record.telephone) == ("李强", "0471-1")

    def test_no_standard_no_publication(self, session, county):
        with pytest.raises(publications.NothingToPublish, match="没有现行的补贴标准"):
            publications.prepare(session, land(session), by=county.department.clerk, kind=STANDARD, **WHO)


class TestTheLife:
    def test_another_person_publishes_at_the_same_office(self, session, county):
        office = county.region_department
        record = publications.prepare(session, land(session), by=office.clerk, kind=POLICY, **WHO)
        publications.submit(session, record, by=office.clerk)
        with pytest.raises(NotAllowed):
            publications.publish(session, record, by=office.clerk)
        twin = office.reviewer.__class__(**{**vars(office.reviewer), "person": office.clerk.person})
        with pytest.raises(SamePersonTwice):
            publications.publish(session, record, by=twin)
        publications.return_(session, record, by=office.reviewer, reason="改电话")
        publications.refresh(session, record, by=office.clerk, contact="王敏", telephone="0471-2")
        publications.submit(session, record, by=office.clerk)
        publications.publish(session, record, by=office.reviewer)
        assert record.content["telephone"] == "0471-2" and record.digest == digest_of(record.content)

    def test_an_upper_office_takes_no_step_for_the_county(self, session, county):
        record = publications.prepare(
            session, a_project(session, county), by=county.department.clerk, kind=STANDARD, **WHO
        )
        for step in (publications.submit, lambda *a, **k: publications.refresh(*a, **k, **WHO)):
            with pytest.raises(OtherDivision):
                step(session, record, by=county.region_department.clerk)

    def test_one_draft_at_a_time(self, session, county):
        office = county.region_department
        first = publications.prepare(session, land(session), by=office.clerk, kind=POLICY, **WHO)
        with pytest.raises(publications.DraftUnderWay, match=first.number):
            publications.prepare(session, land(session), by=office.second_clerk, kind=POLICY, **WHO)
        publications.discard(session, first, by=office.clerk, reason="重拟")
        publications.prepare(session, land(session), by=office.clerk, kind=POLICY, **WHO)

    def test_a_new_text_replaces_the_old_one_which_stays_readable(self, session, county):
        office, project = county.region_department, land(session)
        first = out(session, office, POLICY, project)
        kept = dict(first.content)
        changed(session, project, definition=project.definition | {"guide": "到苏木乡镇申报"})
        second = out(session, office, POLICY, project)
        session.refresh(first)
        assert (first.status, first.ended_on) == (PublicationStatus.REPLACED, today(session))
        assert first.content == kept and first.digest == digest_of(kept)
        assert second.replaces_id == first.id
        shown = publications.published(session, COUNTY, POLICY, today(session))
        assert [one.id for one in shown if one.project_id == project.id] == [second.id]

    def test_withdrawing_needs_a_reason_and_keeps_the_text(self, session, county):
        office = county.region_department
        record = out(session, office, POLICY, land(session))
        with pytest.raises(ReasonMissing):
            publications.withdraw(session, record, by=office.reviewer, reason="")
        publications.withdraw(session, record, by=office.reviewer, reason="政策停发")
        assert (record.status, record.ended_for) == (PublicationStatus.WITHDRAWN, "政策停发")
        day = today(session)
        assert publications.published(session, COUNTY, POLICY, day) == []
        with pytest.raises(StepNotPossible):
            publications.withdraw(session, record, by=office.reviewer, reason="再撤")

    def test_a_text_whose_record_has_changed_goes_back(self, session, county):
        office, project = county.region_department, land(session)
        record = publications.prepare(session, project, by=office.clerk, kind=POLICY, **WHO)
        publications.submit(session, record, by=office.clerk)
        changed(session, project, definition=project.definition | {"eligibility": "新的条件"})
        with pytest.raises(publications.ContentOutdated):
            publications.publish(session, record, by=office.reviewer)

    def test_what_was_published_cannot_be_rewritten_by_anybody(self, county: World, owner: Owner):
        with owner() as session:
            record = out(session, county.region_department, POLICY, land(session))
        for change in ("content = '{}'", "digest = 'x'", "telephone = '1'", "published_on = null", "kind = 'list'"):
            with pytest.raises(sa.exc.ProgrammingError, match="不能改写"), owner() as session:
                session.execute(sa.text(f"update publications set {change} where id = :id"), {"id": record.id})
        with pytest.raises(sa.exc.ProgrammingError, match="只能撤下"), owner() as session:
            session.execute(sa.text("delete from publications where id = :id"), {"id": record.id})

    def test_through_the_applications_role_everybody_beneath_reads_it(self, county: World, owner: Owner, as_: As):
        office = county.region_department
        with as_(office.clerk) as session:
            record = publications.prepare(session, land(session), by=office.clerk, kind=POLICY, **WHO)
            publications.submit(session, record, by=office.clerk)
        with as_(office.reviewer) as session:
            publications.publish(session, session.get_one(Publication, record.id), by=office.reviewer)
        with as_(county.township.clerk) as session:
            assert [one.id for one in publications.published(session, COUNTY, POLICY, today(session))] == [record.id]


class TestStale:
    def test_a_changed_policy_is_told_and_the_replacement_ends_the_task(self, session, county):
        office, project = county.region_department, a_project(session, county)
        record = out(session, office, POLICY, project)
        other = out(session, county.department, STANDARD, project)
        assert publications.stale_of(session, project) == []
        changed(session, project, project_version=2)
        assert [one.id for one in publications.stale_of(session, project)] == [record.id]
        assert publications.raise_stale(session, project, by=county.region_finance.reviewer) == 1
        assert publications.raise_stale(session, project, by=county.region_finance.reviewer) == 0
        assert stale_tasks(session) == [(REGION, "农牧", record.id)]
        out(session, office, POLICY, project)
        assert stale_tasks(session) == [] and other.status == PublicationStatus.DEPARTMENT_SHOWN

    def test_a_new_standard_makes_that_countys_text_stale(self, session, county):
        project = a_project(session, county)
        policy = out(session, county.region_department, POLICY, project)
        mine = out(session, county.department, STANDARD, project)
        session.add(ProjectStandard(division_code=COUNTY, project_id=key(project.id), standard_yuan=Decimal("16.5"),
                                    valid_from=today(session) + timedelta(days=30)))  # fmt: skip
        session.flush()
        assert [one.id for one in publications.stale_of(session, project)] == [mine.id] != [policy.id]
        assert publications.raise_stale(session, project, by=county.department.reviewer) == 1
        publications.withdraw(session, mine, by=county.department.reviewer, reason="标准调整")
        assert stale_tasks(session) == []

    def test_a_stopped_project_makes_everything_about_it_stale(self, session, county):
        project = a_project(session, county)
        both = {
            out(session, county.region_department, POLICY, project).id,
            out(session, county.department, STANDARD, project).id,
        }
        changed(session, project, status=ProjectStatus.STOPPED)
        assert {one.id for one in publications.stale_of(session, project)} == both
        assert publications.raise_stale(session, project, by=county.region_finance.reviewer) == 2
        assert publications.raise_stale(session, project, by=county.department.clerk) == 0

    def test_a_supplement_makes_the_published_list_stale(self, session, county):
        region, year = county.region_finance, next_year(session)
        first = published(session, region, year)
        shown = publications.prepare_list(session, first, by=region.clerk, **WHO)
        publications.submit(session, shown, by=region.clerk)
        publications.publish(session, shown, by=region.reviewer)
        published(session, region, year, drop=(key(land(session).id),))
        assert stale_tasks(session) == [(REGION, "", shown.id)]
        newest = latest(session, REGION, year)
        again = publications.prepare_list(session, newest, by=region.clerk, **WHO)
        publications.submit(session, again, by=region.clerk)
        publications.publish(session, again, by=region.reviewer)
        assert stale_tasks(session) == []

    def test_the_public_of_a_day_reads_what_was_shown_on_it(self, session, county):
        record = out(session, county.region_department, POLICY, land(session))
        day = today(session)
        assert publications.published(session, COUNTY, POLICY, day - timedelta(days=1)) == []
        assert [one.id for one in publications.published(session, "152522000000", POLICY, day)] == [record.id]
        assert publications.published(session, COUNTY, STANDARD, day) == []


def test_a_post_of_another_role_prepares_nothing(session: Session, county: World):
    office = county.region_department
    by = _officer(session, hasher().hash("x" * 12), office.organisation_id, Role.HEAD, "a.head")
    with pytest.raises(NotAllowed):
        publications.prepare(session, land(session), by=by, kind=POLICY, **WHO)
    assert date(2024, 4, 2) < today(session)
