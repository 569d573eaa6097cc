"""Changes of the registry: proposed by one, true once a second one agrees. （第十一条）"""

from datetime import date, timedelta
from importlib import import_module
from typing import Any

import pytest
import sqlalchemy as sa
from sqlmodel import Session, select

from admin.registry_asks import EVIDENCE
from admin.registry_forms import HOUSEHOLD_PROPOSALS, MEMBER_PROPOSALS, NEW_HOUSEHOLD
from models.certificates import Certificate
from models.crypto import id_index, phone_index
from models.households import Asset, HukouKind, Member
from models.officers import Role
from models.registry_changes import PROVEN, ChangeKind, ChangeStatus, RegistryChange
from policies.clock import today
from policies.interests import OwnHousehold
from policies.person_fields import FieldWrong
from policies.refusals import NotAllowed, NotFound, ReasonMissing, SamePersonTwice, StepNotPossible
from tests.changes import ON_PAPER, PAPER, agree, changes_assets, changes_households, changes_people, do, family, fresh
from tests.factories import SECOND_TOWNSHIP, World, a_household, a_member, an_asset, an_id_number, second_account
from workflows import registry_changes
from workflows.changes_people import HeadStays
from workflows.registry_changes import (
    ChangeUnderWay,
    EffectiveLater,
    EvidenceMissing,
    NotAmendable,
    NothingChanges,
    Overtaken,
    amend,
    shown_of,
)


class TestTwoPeople:
    def test_nothing_is_true_before_a_second_person_agrees(self, session: Session, county: World):
        member = a_member(session, county)
        change = changes_people.change_member(
            session, member, by=county.township.clerk, phone="13900001111", reason="换号"
        )
        assert change.status == ChangeStatus.SUBMITTED
        assert fresh(session, member).phone != "13900001111"
        agree(session, county.township, change)
        assert fresh(session, member).phone == "13900001111"
        assert member.phone_index == phone_index("13900001111")
        assert (member.change_id, change.status, change.fields) == (change.id, ChangeStatus.APPLIED, ["手机号"])

    def test_the_change_says_old_and_new_sealed(self, session: Session, county: World):
        member = a_member(session, county, phone="13800001234")
        change = changes_people.change_member(
            session, member, by=county.township.clerk, phone="13900001111", reason="换号"
        )
        assert shown_of(change.before) == {"手机号": "13800001234"}
        assert shown_of(change.after) == {"手机号": "13900001111"}
        kept = session.execute(sa.text("select before, after from registry_changes where id = :id"), {"id": change.id})
        assert all(b"1390000" not in bytes(value) and b"1380000" not in bytes(value) for value in kept.one())

    def test_the_proposer_does_not_agree_by_a_second_account(self, session: Session, county: World):
        member = a_member(session, county)
        twin = second_account(session, county.township.clerk, county.township.organisation_id, Role.HEAD)
        change = changes_people.change_member(
            session, member, by=county.township.clerk, phone="13900001111", reason="换号"
        )
        with pytest.raises(SamePersonTwice):
            registry_changes.approve(session, change, by=twin)

    def test_nobody_agrees_to_a_change_of_their_own_household(self, session: Session, county: World):
        home, (head, wife) = family(session, county, "10")
        session.execute(
            sa.text("update officers set person_index = :index where id = :id"),
            {"index": wife.id_index, "id": county.township.head.officer_id},
        )
        by = county.township.clerk
        for change in (
            changes_people.change_member(session, head, by=by, phone="13900001111", reason="换号"),
            changes_households.change_household(session, home, by=by, address="新址", reason="搬家"),
        ):
            with pytest.raises(OwnHousehold, match="由本机构其他有权人员办理"):
                agree(session, county.township, change)

    def test_nor_to_their_own_registration(self, session: Session, county: World):
        number = an_id_number()
        session.execute(
            sa.text("update officers set person_index = :index where id = :id"),
            {"index": id_index(number), "id": county.township.head.officer_id},
        )
        change = changes_households.new_household(
            session,
            by=county.township.clerk,
            name="张三",
            id_number=number.lower(),
            reason="新建",
            evidence=(PAPER,),
        )
        with pytest.raises(OwnHousehold):
            agree(session, county.township, change)

    @pytest.mark.parametrize("desk", ["head", "reviewer", "auditor"])
    def test_only_the_keeper_proposes(self, session: Session, county: World, desk: str):
        member = a_member(session, county)
        with pytest.raises(NotAllowed):
            changes_people.change_member(session, member, by=getattr(county.township, desk), phone="", reason="换号")

    def test_a_person_of_another_township_is_not_found(self, session: Session, county: World):
        member = a_member(session, county, a_household(session, county, township=SECOND_TOWNSHIP))
        with pytest.raises(NotFound):
            changes_people.change_member(session, member, by=county.township.clerk, phone="", reason="换号")

    def test_what_was_overtaken_is_not_written(self, session: Session, county: World):
        member = a_member(session, county)
        change = changes_people.change_member(
            session, member, by=county.township.clerk, phone="13900001111", reason="换号"
        )
        member.phone = "13700001111"
        session.flush()
        with pytest.raises(Overtaken, match=change.number):
            agree(session, county.township, change)

    def test_one_change_of_a_kind_and_person_at_a_time(self, session: Session, county: World):
        member, by = a_member(session, county), county.township.clerk
        first = changes_people.change_member(session, member, by=by, phone="13900001111", reason="换号")
        with pytest.raises(ChangeUnderWay, match=first.number):
            changes_people.change_member(session, member, by=by, phone="13900001112", reason="换号")


class TestReturned:
    def returned(self, session: Session, county: World, member: Member) -> RegistryChange:
        by = county.township.clerk
        change = changes_people.change_member(session, member, by=by, phone="13900001111", reason="换号")
        return registry_changes.return_(session, change, by=county.township.head, reason="号码抄错")

    def test_it_is_amended_with_new_values_and_agreed_to(self, session: Session, county: World):
        member = a_member(session, county)
        change = self.returned(session, county, member)
        amend(session, change, by=county.township.clerk, phone="13900002222", ethnicity="02")
        assert change.status == ChangeStatus.SUBMITTED
        assert set(change.fields) == {"手机号", "民族"}
        agree(session, county.township, change)
        assert (fresh(session, member).phone, member.ethnicity) == ("13900002222", "02")

    def test_it_is_resubmitted_as_it_is(self, session: Session, county: World):
        member = a_member(session, county)
        change = self.returned(session, county, member)
        registry_changes.resubmit(session, change, by=county.township.clerk)
        agree(session, county.township, change)
        assert fresh(session, member).phone == "13900001111"

    def test_amending_obeys_the_same_conditions(self, session: Session, county: World):
        change = self.returned(session, county, a_member(session, county, phone="13800001234"))
        by = county.township.clerk
        with pytest.raises(FieldWrong, match="手机号"):
            amend(session, change, by=by, phone="12")
        with pytest.raises(NothingChanges):
            amend(session, change, by=by, phone="13800001234")
        with pytest.raises(EffectiveLater):
            amend(session, change, by=by, effective_on=today(session) + timedelta(days=1))

    def test_only_a_returned_change_is_amended(self, session: Session, county: World):
        member, by = a_member(session, county), county.township.clerk
        change = changes_people.change_member(session, member, by=by, phone="13900001111", reason="换号")
        with pytest.raises(StepNotPossible):
            amend(session, change, by=by, phone="13900002222")

    def test_a_bulk_change_is_not_amended_field_by_field(self, session: Session, county: World):
        change = self.returned(session, county, a_member(session, county))
        change.kind = ChangeKind.IMPORT
        with pytest.raises(NotAmendable):
            amend(session, change, by=county.township.clerk, phone="13900002222")

    def test_it_is_withdrawn_with_a_reason(self, session: Session, county: World):
        member = a_member(session, county)
        change = self.returned(session, county, member)
        with pytest.raises(ReasonMissing):
            registry_changes.withdraw(session, change, by=county.township.clerk, reason=" ")
        registry_changes.withdraw(session, change, by=county.township.clerk, reason="作废")
        assert change.status == ChangeStatus.WITHDRAWN
        assert fresh(session, member).change_id == 0


class TestFacts:
    def test_a_household_changes_what_was_asked(self, session: Session, county: World):
        home, _ = family(session, county)
        change = do(session, county.township, changes_households.change_household, home, address="西村 3 号",
                    hukou_kind="resident")  # fmt: skip
        assert (home.address, home.hukou_kind, home.village) == ("西村 3 号", HukouKind.RESIDENT, "东村")
        assert set(change.fields) == {"住址", "户口性质"}

    def test_nothing_changed_is_refused(self, session: Session, county: World):
        home, (head, *_) = family(session, county)
        by = county.township.clerk
        with pytest.raises(NothingChanges):
            changes_households.change_household(session, home, by=by, village=home.village, reason="搬家")
        with pytest.raises(NothingChanges):
            changes_people.change_member(session, head, by=by, phone=head.phone, reason="换号")

    def test_a_day_to_come_or_no_reason_is_refused(self, session: Session, county: World):
        home, _ = family(session, county)
        by, day = county.township.clerk, today(session) + timedelta(days=1)
        with pytest.raises(EffectiveLater):
            changes_households.change_household(session, home, by=by, village="西村", reason="搬家", effective_on=day)
        with pytest.raises(ReasonMissing):
            changes_households.change_household(session, home, by=by, village="西村", reason=" ")

    def test_an_emptied_telephone_number_leaves_no_index(self, session: Session, county: World):
        member = a_member(session, county)
        do(session, county.township, changes_people.change_member, member, phone="")
        assert (member.phone, member.phone_index) == (None, None)

    def test_nobody_is_registered_dead_without_a_document(self, session: Session, county: World):
        member = a_member(session, county)
        with pytest.raises(EvidenceMissing, match="死亡登记"):
            do(session, county.township, changes_people.register_death, member, died_on=today(session), evidence=())
        assert session.exec(select(RegistryChange)).all() == []

    def test_the_form_asks_for_the_document_that_the_verb_demands(self):
        every = (NEW_HOUSEHOLD, *HOUSEHOLD_PROPOSALS, *MEMBER_PROPOSALS)
        asking = {one.kind for one in every if EVIDENCE in one.asks}
        assert asking == set(PROVEN)
        assert {one.verb for one in every if one.kind in PROVEN} == ON_PAPER

    def test_the_head_stays_the_head(self, session: Session, county: World):
        with pytest.raises(HeadStays):
            changes_people.change_member(session, a_member(session, county), by=county.township.clerk, relation="20",
                                         reason="改")  # fmt: skip

    def test_assets_are_dated_sourced_and_ended(self, session: Session, county: World):
        home, _ = family(session, county)
        new = {"kind": "grassland", "quantity": "120.5", "as_of": date(2024, 1, 1), "source": "草原承包合同"}
        do(session, county.township, changes_assets.change_asset, home, **new)
        asset = session.exec(select(Asset).where(Asset.household_id == home.id)).one()
        more = new | {"quantity": "130", "asset_id": asset.id}
        do(session, county.township, changes_assets.change_asset, home, **more)
        assert (asset.quantity, asset.unit, asset.ended_on) == (130, "亩", None)
        do(session, county.township, changes_assets.change_asset, home, **more, ended=True)
        assert asset.ended_on == today(session)
        with pytest.raises(NotFound):
            changes_assets.change_asset(session, home, by=county.township.clerk, reason="改", **more)

    @pytest.mark.parametrize(
        ("field", "asked"),
        [
            ("种类", {"kind": "gold"}), ("数量", {"quantity": "0"}), ("数量", {"quantity": "-1"}),
            ("数量", {"quantity": "1.2345"}), ("数量", {"quantity": "NaN"}), ("数量", {"quantity": "一百"}),
            ("单位", {"unit": "斤"}), ("来源", {"source": " "}), ("登记日期", {"as_of": date(2999, 1, 1)}),
            ("登记日期", {"as_of": "昨天"}),
        ],
    )  # fmt: skip
    def test_a_wrong_asset_is_refused(self, session: Session, county: World, field: str, asked: Any):
        home, _ = family(session, county)
        right = {"kind": "grassland", "quantity": "120.5", "as_of": date(2024, 1, 1), "source": "草原承包合同"}
        with pytest.raises(FieldWrong, match=f"“{field}”"):
            changes_assets.change_asset(session, home, by=county.township.clerk, reason="新", **right | asked)

    def test_another_households_asset_is_not_found(self, session: Session, county: World):
        foreign = an_asset(session, a_household(session, county))
        home, _ = family(session, county)
        with pytest.raises(NotFound):
            changes_assets.change_asset(session, home, by=county.township.clerk, kind="forest", quantity="1",
                                        as_of=date(2024, 1, 1), source="林权证", asset_id=foreign.id or 0,
                                        reason="改")  # fmt: skip

    def test_certificates_have_validity_and_source(self, session: Session, county: World):
        member = a_member(session, county)
        new = {
            "kind": "disability",
            "number": "15042619570101123X41",
            "level": "肢体二级",
            "valid_from": date(2024, 1, 1),
        }
        do(session, county.township, changes_assets.change_certificate, member, **new)
        found = session.exec(select(Certificate).where(Certificate.member_id == member.id)).one()
        assert (found.valid_to, found.source, found.as_of) == (None, "township", today(session))
        more = new | {"valid_to": date(2034, 1, 1), "certificate_id": found.id}
        do(session, county.township, changes_assets.change_certificate, member, **more)
        assert found.valid_to == date(2034, 1, 1)
        with pytest.raises(FieldWrong, match="有效期止"):
            changes_assets.change_certificate(session, member, by=county.township.clerk, reason="改",
                                              **more | {"valid_to": date(2020, 1, 1)})  # fmt: skip


def test_the_console_knows_how_every_kind_of_change_becomes_true():
    import_module("admin.views")
    elsewhere = {ChangeKind.TRANSFER}
    """Written by the function that completes a transfer: three people's, of two townships."""
    assert set(ChangeKind) - set(registry_changes.APPLIERS) <= elsewhere | {ChangeKind.IMPORT}
