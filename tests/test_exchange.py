"""Exchange with other departments: what a batch does to certificates, facts and tasks. （第十一条、第二十九条）"""

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import ProgrammingError
from sqlmodel import Session, select

from models.certificates import Certificate
from models.exchange import BatchState, Conflict, ExchangeCoverage
from models.households import Asset, Member, MemberStatus
from models.registry_tasks import TaskStatus
from policies.clock import advance, now
from policies.permissions import Permission
from policies.refusals import NotAllowed
from tests.conftest import As, Owner
from tests.exchanging import Stage, a_row, body_of, exchanging
from tests.factories import World, a_household, a_member, an_asset
from tests.world import an_id_number, key
from workflows import exchange
from workflows.exchange import KeyNotSet, connected


@pytest.fixture
def stage(county: World, owner: Owner, as_: As) -> Iterator[Stage]:
    with exchanging(county, owner, as_) as made:
        yield made


def someone(owner: Owner, county: World, **fields: Any) -> Member:
    with owner() as session:
        return a_member(session, county, **fields)


def certificates(owner: Owner, member: Member) -> list[Certificate]:
    with owner() as session:
        found = select(Certificate).where(Certificate.member_id == member.id).order_by(sa.text("id"))
        return list(session.exec(found))


def a_certificate(session: Session, member: Member, **fields: Any) -> Certificate:
    made = Certificate(
        division_code=member.division_code, county_code=member.county_code, member_id=key(member.id),
        kind="disability", number="X1", valid_from=date(2020, 1, 1), as_of=date(2023, 1, 1), **fields,
    )  # fmt: skip
    session.add(made)
    session.flush()
    return made


class TestApplying:
    def test_a_certificate_told_is_kept_with_its_source_and_date(self, stage, owner, county):
        member = someone(owner, county)
        row = a_row(member, number="残1504", level="二级", valid_from="2022-01-01", valid_to="2032-01-01")
        batch = stage.send(stage.department("disabled"), 1, row)
        assert (batch.status, batch.applied_count, batch.conflict_count) == (BatchState.APPLIED, 1, 0)
        (kept,) = certificates(owner, member)
        assert (kept.source, kept.level, kept.number) == ("disabled", "二级", "残1504")
        assert (kept.valid_from, kept.valid_to, kept.as_of) == (date(2022, 1, 1), date(2032, 1, 1), date(2024, 6, 30))
        assert stage.tasks(member) == []

    def test_a_newer_word_of_the_same_body_replaces_its_own_certificate(self, stage, owner, county):
        member, sender = someone(owner, county), stage.department("disabled")
        stage.send(sender, 1, a_row(member, level="二级"))
        stage.send(sender, 2, a_row(member, level="一级", as_of="2024-07-31"))
        stage.send(sender, 3, a_row(member, level="一级", as_of="2024-08-31", ended=True))
        (kept,) = certificates(owner, member)
        assert (kept.level, kept.as_of, kept.ended_on) == ("一级", date(2024, 8, 31), date(2024, 8, 31))

    def test_what_is_older_than_the_stored_word_is_passed_over_and_reported(self, stage, owner, county):
        member, sender = someone(owner, county), stage.department("disabled")
        stage.send(sender, 1, a_row(member, level="一级", as_of="2024-07-31"))
        batch = stage.send(sender, 2, a_row(member, level="四级", as_of="2024-01-31"))
        assert (batch.older_count, batch.outcomes) == (1, {"older": [1]})
        assert [one.level for one in certificates(owner, member)] == ["一级"]

    def test_of_two_rows_about_one_thing_the_newest_counts(self, stage, owner, county):
        member = someone(owner, county)
        rows = [
            a_row(member, level=level, as_of=day) for level, day in (("二级", "2024-06-30"), ("三级", "2024-05-31"))
        ]
        batch = stage.send(stage.department("disabled"), 1, *rows)
        assert (batch.applied_count, batch.outcomes) == (1, {"older": [2]})
        assert [one.level for one in certificates(owner, member)] == ["二级"]

    def test_the_same_word_again_changes_nothing(self, stage, owner, county):
        member, sender = someone(owner, county), stage.department("disabled")
        stage.send(sender, 1, a_row(member, level="一级"))
        assert stage.send(sender, 2, a_row(member, level="一级")).unchanged_count == 1
        assert stage.facts(member)[0].batch_id == stage.batch("disabled", 1).id

    def test_a_person_who_is_not_kept_is_counted_reported_and_never_created(self, stage, owner, county):
        member = someone(owner, county)
        people = stage.counted("members")
        unknown = {**a_row(member), "id_number": an_id_number()}
        batch = stage.send(stage.department("disabled"), 1, a_row(member), unknown)
        assert (batch.applied_count, batch.unknown_count, batch.outcomes) == (1, 1, {"unknown": [2]})
        assert stage.counted("members") == people

    def test_staged_rows_are_gone_once_applied_and_a_second_run_does_nothing(self, stage, owner, county):
        member, sender = someone(owner, county), stage.department("disabled")
        assert sender.send(1, [a_row(member)]).status_code == 202
        assert stage.counted("exchange_rows") == 1
        before = stage.applied("disabled", 1)
        assert stage.counted("exchange_rows") == 0
        after = stage.applied("disabled", 1)
        assert (before.applied_at, before.outcomes) == (after.applied_at, after.outcomes)

    def test_no_number_and_no_name_is_staged_in_the_clear(self, stage, owner, county):
        member, sender = someone(owner, county), stage.department("police")
        sender.send(1, [a_row(member, "person", state="alive", name=member.name)])
        with owner() as session:
            (staged,) = session.execute(sa.text("select r::text from exchange_rows r")).scalars()
        assert member.id_number not in staged
        assert member.name not in staged

    def test_a_batch_that_no_job_applied_is_applied_by_the_sweep(self, stage, owner, county):
        member, sender = someone(owner, county), stage.department("disabled")
        sender.send(1, [a_row(member)])
        assert exchange.apply_waiting(exchange.principal()) == 0
        with owner() as session:
            advance(session, now(session) + timedelta(minutes=10))
        assert exchange.apply_waiting(exchange.principal()) == 1
        assert stage.batch("disabled", 1).status == BatchState.APPLIED

    def test_the_county_knows_how_much_was_told_of_it(self, stage, owner, county):
        member, sender = someone(owner, county), stage.department("disabled")
        stage.send(sender, 1, a_row(member))
        stage.send(sender, 2, a_row(member, level="一级", as_of="2024-07-31"))
        with owner() as session:
            (row,) = session.exec(select(ExchangeCoverage)).all()
        assert (row.division_code, row.source, row.fact_count) == (county.code, "disabled", 1)
        assert row.last_as_of == date(2024, 7, 31)


class TestDifferences:
    """What the township registered stays as it is; the difference becomes its task."""

    def test_another_level_becomes_a_task_and_the_registered_level_stays(self, stage, owner, county):
        member, sender = someone(owner, county), stage.department("disabled")
        with owner() as session:
            a_certificate(session, member, level="三级")
        batch = stage.send(sender, 1, a_row(member, level="一级"))
        assert batch.conflict_count == 1
        assert [one.level for one in certificates(owner, member)] == ["三级", "一级"]
        (task,) = stage.tasks(member)
        assert (task.source, task.division_code) == ("disabled", member.division_code)
        assert "残联" in task.detail
        assert member.name not in task.detail

    def test_the_task_closes_when_the_difference_has_gone(self, stage, owner, county):
        member, sender = someone(owner, county), stage.department("disabled")
        with owner() as session:
            a_certificate(session, member, level="三级")
        stage.send(sender, 1, a_row(member, level="一级"))
        stage.send(sender, 2, a_row(member, level="三级", as_of="2024-07-31"))
        assert stage.tasks(member) == []
        assert len(stage.tasks(member, TaskStatus.GONE)) == 1

    def test_a_task_stays_while_another_body_still_differs(self, stage, owner, county):
        member = someone(owner, county)
        police, disabled = stage.department("police"), stage.department("disabled")
        with owner() as session:
            a_certificate(session, member, level="三级")
        stage.send(disabled, 1, a_row(member, level="一级"))
        stage.send(police, 1, a_row(member, "person", state="alive", name="另有其人"))
        stage.send(disabled, 2, a_row(member, level="三级", as_of="2024-07-31"))
        assert len(stage.tasks(member)) == 1

    def test_another_validity_or_a_cancellation_becomes_a_task(self, stage, owner, county):
        first, second = someone(owner, county), someone(owner, county)
        with owner() as session:
            for member in (first, second):
                a_certificate(session, member, valid_to=date(2030, 1, 1))
        rows = (a_row(first, valid_to="2025-01-01"), a_row(second, valid_to="2030-01-01", ended=True))
        stage.send(stage.department("disabled"), 1, *rows)
        assert stage.facts(first)[0].conflict == Conflict.VALIDITY
        assert stage.facts(second)[0].conflict == Conflict.ENDED

    def test_police_differences_become_tasks_and_nobody_dies_by_them(self, stage, owner, county):
        renamed, gone, back = (someone(owner, county) for _ in range(3))
        with owner() as session:
            session.get_one(Member, back.id).status = MemberStatus.DEAD
        rows = (
            a_row(renamed, "person", state="alive", name="另有其人"),
            a_row(gone, "person", state="dead", name=gone.name, died_on="2024-06-01"),
            a_row(back, "person", state="alive", name=back.name),
        )
        stage.send(stage.department("police"), 1, *rows)
        assert [stage.facts(one)[0].conflict for one in (renamed, gone, back)] == ["name", "dead", "alive"]
        assert all(len(stage.tasks(one)) == 1 for one in (renamed, gone, back))
        with owner() as session:
            assert session.get_one(Member, gone.id).status == MemberStatus.ALIVE

    def test_a_name_spelled_with_another_dot_is_the_same_name(self, stage, owner, county):
        with owner() as session:
            home = a_household(session, county, head_name="孛儿只斤·额尔敦巴特尔")
            member = a_member(session, county, home)
        stage.send(stage.department("police"), 1, a_row(member, "person", state="alive", name="孛儿只斤•额尔敦巴特尔"))
        assert stage.facts(member)[0].conflict is None

    @pytest.mark.parametrize(("told", "differs"), [("100", False), ("101.9", False), ("102.1", True), ("60", True)])
    def test_an_area_differs_beyond_two_in_a_hundred(self, stage, owner, county, told, differs):
        with owner() as session:
            home = a_household(session, county)
            member, spouse = a_member(session, county, home), a_member(session, county, home, relation="10")
            an_asset(session, home, "100")
        rows = (a_row(member, "contracted_land", quantity=told), a_row(spouse, "contracted_land", quantity=None))
        rows[1]["quantity"] = "0.001"
        stage.send(stage.department("agriculture"), 1, *rows)
        assert (stage.facts(member)[0].conflict == Conflict.AREA) is differs
        with owner() as session:
            (asset,) = session.exec(select(Asset).where(Asset.household_id == home.id)).all()
        assert str(asset.quantity) == "100.000"

    def test_grassland_nobody_registered_becomes_a_task(self, stage, owner, county):
        member = someone(owner, county)
        stage.send(stage.department("forestry"), 1, a_row(member, "grassland", quantity="1200.5"))
        assert stage.facts(member)[0].conflict == Conflict.AREA


class TestRulesAsk:
    def test_a_source_is_connected_once_its_data_has_come_and_until_it_is_stale(self, stage, owner, county, as_):
        member, sender = someone(owner, county), stage.department("disabled")
        with as_(county.township.clerk) as session:
            assert not connected(session, "disabled")
        stage.send(sender, 1, a_row(member, as_of=stage.day.isoformat()))
        with as_(county.township.clerk) as session:
            assert connected(session, "disabled")
            assert not connected(session, "civil")
            assert not connected(session, "nobody")
        with as_(county.system_admin) as session:
            exchange.switch(session, body_of(session, "disabled"), by=county.system_admin, enabled=False, reason="改造")
            assert not connected(session, "disabled")
            exchange.switch(session, body_of(session, "disabled"), by=county.system_admin, enabled=True, reason="完成")
        with owner() as session:
            advance(session, now(session) + timedelta(days=101))
        with as_(county.township.clerk) as session:
            assert not connected(session, "disabled")


class TestKeeping:
    def test_twelve_bodies_of_the_article_and_none_connected_at_first(self, session):
        names = session.execute(sa.text("select name from exchange_bodies where not enabled order by id")).scalars()
        assert "、".join(names) == "财政、公安、民政、人社、住建、农牧、卫健、退役军人、应急、林草、残联、税务"

    def test_only_region_finance_and_the_system_administrator_keep_keys(self, county, as_):
        for officer in (
            county.township.clerk,
            county.finance.clerk,
            county.security_admin,
            county.region_department.clerk,
        ):
            with pytest.raises(NotAllowed), as_(officer) as session:
                exchange.renew_key(session, body_of(session, "civil"), by=officer)
        for officer in (county.region, county.system_admin):
            with as_(officer) as session:
                assert len(exchange.renew_key(session, body_of(session, "civil"), by=officer).values[-1][1]) == 64

    def test_the_database_itself_refuses_whoever_may_not(self, county, as_):
        for officer in (county.finance.clerk, county.security_admin):
            with pytest.raises(ProgrammingError, match="无权维护"), as_(officer) as session:
                session.execute(exchange.KEEP, {"body": 1, "key": b"x", "on": True})

    def test_no_officer_reaches_keys_or_applies_batches(self, county, as_):
        with as_(county.system_admin) as session:
            assert session.execute(sa.text("select * from exchange_secret('civil')")).all() == []
        asked = (
            "select exchange_admit(1, 'n', 0, 1, 1)",
            "select exchange_receive(1, 1, 'd', 'r', '[]')",
            "select exchange_apply(1, 0, 0)",
            "select * from exchange_keys",
            "select * from exchange_rows",
        )
        for question in asked:
            with pytest.raises(ProgrammingError), as_(county.system_admin) as session:
                session.execute(sa.text(question))

    def test_nothing_is_switched_on_without_a_key(self, county, as_):
        with pytest.raises(KeyNotSet), as_(county.system_admin) as session:
            exchange.switch(session, body_of(session, "tax"), by=county.system_admin, enabled=True, reason="启用")

    def test_a_key_is_recorded_without_itself(self, stage, owner):
        key_given = stage.department("civil").key
        with owner() as session:
            (event,) = session.execute(sa.text("select e::text from events e where verb = 'renew_key'")).scalars()
            told = session.execute(
                sa.text("select c::text from changes c where c.table_name like 'exchange%'")
            ).scalars()
            assert key_given not in event + "".join(told)

    def test_facts_of_another_county_are_out_of_sight(self, stage, owner, county, as_):
        member = someone(owner, county)
        stage.send(stage.department("disabled"), 1, a_row(member))
        for officer, count in ((county.township.clerk, 1), (county.second_township.clerk, 0)):
            with as_(officer) as session:
                assert session.execute(sa.text("select count(*) from exchange_facts")).scalar_one() == count
        assert Permission.EXCHANGE_VIEW == "exchange:view"
