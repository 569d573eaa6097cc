"""The registry as officers change it: form, second person, page; documents for a reason. （第十一、二十三、三十条）"""

import html
import re
from datetime import timedelta

import httpx
import pytest
import sqlalchemy as sa

from models.households import Household, Member, MemberStatus
from models.keys import Reveal
from models.officers import Role
from models.registry_changes import ChangeStatus, RegistryChange
from policies.clock import today
from tests.conftest import Owner
from tests.console import token_of
from tests.factories import World, a_household, a_line, a_member, a_roster, an_account, an_asset, an_id_number, key
from tests.world import _officer

BASE = "/console"
PHOTO = b"\xff\xd8\xff\xe0" + b"0" * 2000 + b"\xff\xd9"
PDF = b"%PDF-1.7\n" + b"0" * 500 + b"\n%%EOF"


@pytest.fixture
def family(county: World, owner: Owner) -> dict[str, int]:
    """A household of three with an asset, an account and a roster line."""
    with owner() as session:
        household = a_household(session, county, head_name="乌云其木格", address="东村一组 12 号")
        head = a_member(session, county, household)
        wife = a_member(session, county, household, name="包·乌日汗", relation="10")
        son = a_member(session, county, household, name="张国强", relation="20")
        an_account(session, head)
        an_asset(session, household)
        a_roster(session, county, lines=[a_line(member=head)])
        ids = {"household": household.id, "head": head.id, "wife": wife.id, "son": son.id}
        return {name: key(value) for name, value in ids.items()}


def day(owner: Owner, days: int = 0) -> str:
    with owner() as session:
        return (today(session) - timedelta(days=days)).isoformat()


def post(client: httpx.Client, path: str, files: dict | None = None, **form) -> httpx.Response:
    token = token_of(client.get(f"{BASE}/").text)
    return client.post(f"{BASE}{path}", data={"csrf_token": token, **form}, files=files)


def photo() -> dict[str, tuple[str, bytes, str]]:
    return {"evidence.1": ("证明.jpg", PHOTO, "image/jpeg")}


def death(client: httpx.Client, member: int, on: str, **told) -> httpx.Response:
    form = {"died_on": on, "reason": "医学证明", "evidence_kind.1": "death", "pks": member} | told
    return post(client, "/member/form/death", photo(), **form)


def the_change(owner: Owner) -> RegistryChange:
    with owner() as session:
        return session.execute(sa.select(RegistryChange).order_by(sa.desc("id")).limit(1)).scalar_one()


def text_of(page: str) -> str:
    return html.unescape(re.sub(r"<[^>]+>", " ", page))


class TestDeath:
    def test_a_clerk_proposes_with_a_photo_the_head_approves_and_the_pages_say_so(self, console, county, owner, family):
        on = day(owner, 3)
        with console.client(county.township.clerk) as client:
            form = client.get(f"{BASE}/member/form/death", params={"pk": family["son"]})
            assert form.status_code == 200 and "死亡日期" in form.text and 'type="file"' in form.text
            answer = death(client, family["son"], on)
            assert answer.status_code == 303, answer.text
            page = client.get(answer.headers["location"]).text
            assert "已办理：死亡登记" in page and "待复核" in page and "张国强" not in page and "张*强" in page
        change = the_change(owner)
        with console.client(county.township.head) as client:
            inbox = client.get(f"{BASE}/").text
            assert change.number in inbox and "死亡登记 张*强" in inbox and "张国强" not in inbox
            page = client.get(f"{BASE}/registry-change/details/{change.id}").text
            assert "变更前" in page and "正常" in page and on in page and county.township.clerk.name in page
            answer = post(client, "/registry-change/action/approve", pks=change.id, opinion="属实")
            assert answer.status_code == 303, answer.text
            assert "已生效" in client.get(answer.headers["location"]).text
            member = client.get(f"{BASE}/member/details/{family['son']}").text
            assert "死亡" in member and on in member
            lived = client.get(f"{BASE}/member/details/{family['son']}", params={"tab": "residences"}).text
            assert on in lived and "死亡登记" in lived
        with owner() as session:
            assert session.get_one(Member, family["son"]).status == MemberStatus.DEAD

    def test_the_head_is_followed_by_another_and_the_refusal_stands_at_the_field(self, console, county, owner, family):
        on = day(owner)
        with console.client(county.township.clerk) as client:
            refused = death(client, family["head"], on, reason="村委会报告，死亡证明在案")
            assert refused.status_code == 400
            page = refused.text
            assert "还有 2 名成员" in page and 'id="e-head_id"' in page and 'href="#f-head_id"' in page
            assert "村委会报告，死亡证明在案" in page and f'value="{on}"' in page, "what was typed must survive"
            assert "包·***" in page and "重新选择文件" in page
            told = {"head_id": family["wife"], f"relations.{family['son']}": "20"}
            assert death(client, family["head"], on, **told).status_code == 303
        with console.client(county.township.head) as client:
            assert post(client, "/registry-change/action/approve", pks=the_change(owner).id).status_code == 303
            assert "包·***" in client.get(f"{BASE}/household/details/{family['household']}").text
        with owner() as session:
            assert session.get_one(Household, family["household"]).head_name == "包·乌日汗"

    def test_returned_amended_and_approved(self, console, county, owner, family):
        with console.client(county.township.clerk) as client:
            assert death(client, family["son"], day(owner, 9)).status_code == 303
        change = the_change(owner)
        with console.client(county.township.head) as client:
            answer = post(client, "/registry-change/action/return", pks=change.id, reason="死亡日期与证明不符")
            assert answer.status_code == 303
            assert "死亡日期与证明不符" in client.get(answer.headers["location"]).text
        with console.client(county.township.clerk) as client:
            page = client.get(f"{BASE}/registry-change/details/{change.id}").text
            assert "退回原因：死亡日期与证明不符" in page and "修改后再次提交" in page and "补正后再次提交" in page
            assert change.number in client.get(f"{BASE}/").text
            form = client.get(f"{BASE}/registry-change/form/amend-death", params={"pk": change.id})
            assert form.status_code == 200
            answer = post(
                client, "/registry-change/form/amend-death", photo(), pks=change.id, reason="按证明更正",
                effective_on=day(owner, 4), **{"evidence_kind.1": "death"},
            )  # fmt: skip
            assert answer.status_code == 303, text_of(answer.text)
        with console.client(county.township.head) as client:
            assert post(client, "/registry-change/action/approve", pks=change.id).status_code == 303
        with owner() as session:
            after = session.get_one(RegistryChange, change.id)
            assert (after.status, after.evidence_count, after.reason) == (ChangeStatus.APPLIED, 2, "按证明更正")
            assert session.get_one(Member, family["son"]).died_on.isoformat() == day(owner, 4)

    def test_what_is_no_picture_is_refused_at_the_documents(self, console, county, owner, family):
        with console.client(county.township.clerk) as client:
            files = {"evidence.1": ("a.jpg", b"MZ" + PHOTO, "image/jpeg")}
            wrong = post(client, "/member/form/death", files, died_on=day(owner), reason="医学证明", pks=family["son"])
            assert wrong.status_code == 400 and "不是完整的" in wrong.text and 'id="e-evidence"' in wrong.text
            missing = post(client, "/member/form/death", died_on=day(owner), reason="医学证明", pks=family["son"])
            assert missing.status_code == 400 and "须填写佐证材料" in missing.text


class TestWho:
    def test_a_head_cannot_propose_and_a_registrar_can(self, console, county, owner, family):
        with owner() as session:
            registrar = _officer(session, "x", county.township.organisation_id, Role.REGISTRAR, "zz.registrar")
        with console.client(county.township.head) as client:
            page = client.get(f"{BASE}/member/details/{family['son']}").text
            assert "死亡登记" not in page and "办理变更" not in page
            assert client.get(f"{BASE}/member/form/death", params={"pk": family["son"]}).status_code == 403
            assert death(client, family["son"], day(owner)).status_code == 403
        with console.client(registrar) as client:
            assert "死亡登记" in client.get(f"{BASE}/member/details/{family['son']}").text
            assert death(client, family["son"], day(owner)).status_code == 303

    def test_another_township_finds_nothing(self, console, county, owner, family):
        with console.client(county.township.clerk) as client:
            assert death(client, family["son"], day(owner)).status_code == 303
        change = the_change(owner)
        with console.client(county.second_township.clerk) as client:
            for path in (
                f"/household/details/{family['household']}", f"/member/details/{family['son']}",
                f"/registry-change/details/{change.id}", f"/member/form/death?pk={family['son']}",
                f"/registry-change/form/documents?pk={change.id}",
            ):  # fmt: skip
                assert client.get(f"{BASE}{path}").status_code == 404, path
            assert death(client, family["wife"], day(owner)).status_code == 404
            assert change.number not in client.get(f"{BASE}/registry-change/list?tab=all").text

    def test_whoever_proposed_it_cannot_approve_it(self, console, county, owner, family):
        with console.client(county.township.clerk) as client:
            assert death(client, family["son"], day(owner)).status_code == 303
            answer = post(client, "/registry-change/action/approve", pks=the_change(owner).id)
            assert answer.status_code == 403


class TestForms:
    def test_every_form_opens_with_what_is_registered_and_nothing_personal(self, console, county, owner, family):
        with owner() as session:
            people = [session.get_one(Member, family[name]) for name in ("head", "wife", "son")]
        secrets = [one.id_number for one in people] + [one.phone for one in people] + ["乌云其木格", "12 号"]
        with console.client(county.township.clerk) as client:
            for slug in ("change", "head", "split", "join", "new-member", "asset", "review"):
                page = client.get(f"{BASE}/household/form/{slug}", params={"pk": family["household"]})
                assert page.status_code == 200, slug
                assert not [one for one in secrets if one in page.text], slug
            for slug in ("change", "identity", "death", "missing", "leave", "move", "merge", "certificate"):
                page = client.get(f"{BASE}/member/form/{slug}", params={"pk": family["head"]})
                assert page.status_code == 200, slug
                assert not [one for one in secrets if one in page.text], slug
            assert 'value="东村"' in client.get(f"{BASE}/household/form/change?pk={family['household']}").text
            assert client.get(f"{BASE}/household/form/new-household").status_code == 200

    def test_a_new_household_and_a_duplicate_of_another_township(self, console, county, owner, family):
        with owner() as session:
            other = a_household(session, county, township=county.second_township.division_code)
            kept = a_member(session, county, other)
        told = {
            "name": "孛儿只斤·额尔敦", "id_number": an_id_number(), "ethnicity": "02", "hukou_kind": "rural",
            "village": "西村", "reason": "新迁入", "effective_on": day(owner), "evidence_kind.1": "hukou",
        }  # fmt: skip
        with console.client(county.township.clerk) as client:
            refused = post(client, "/household/form/new-household", photo(), **told | {"id_number": kept.id_number})
            assert refused.status_code == 409 and "不能重复采集" in refused.text
            assert 'id="e-id_number"' in refused.text and "孛儿只斤·额尔敦" in refused.text
            assert "/console/transfer/form/new" in refused.text and "/console/virtual-member/form/new" in refused.text
            wrong = post(client, "/household/form/new-household", photo(), **told | {"id_number": "150430199001011234"})
            assert wrong.status_code == 400 and 'id="e-id_number"' in wrong.text
            assert post(client, "/household/form/new-household", photo(), **told).status_code == 303
        with console.client(county.township.head) as client:
            assert post(client, "/registry-change/action/approve", pks=the_change(owner).id).status_code == 303
        with owner() as session:
            made = session.execute(sa.select(Household).filter_by(village="西村")).scalar_one()
            assert made.head_name == "孛儿只斤·额尔敦"

    def test_split_asset_and_telephone_go_the_same_way(self, console, county, owner, family):
        on = day(owner)
        tail = {"reason": "群众申请", "effective_on": on}
        with owner() as session:
            asset = session.execute(sa.text("select id from assets")).scalar_one()
        proposals = (
            ("household", "split", {"member_ids": family["son"], "head_id": family["son"], "address": "西村二组"}),
            ("household", "asset", {"asset_id": asset, "kind": "contracted_land", "quantity": "88.5", "unit": "亩",
                                    "as_of": on, "source": "二轮延包"}),
            ("member", "change", {"phone": "13900000009", "ethnicity": "01"}),
            ("member", "certificate", {"certificate_id": 0, "kind": "disability", "number": "A123", "level": "肢体二级",
                                       "valid_from": on}),
        )  # fmt: skip
        with console.client(county.township.clerk) as clerk, console.client(county.township.head) as head:
            for view, slug, told in proposals:
                record = family["household"] if view == "household" else family["wife"]
                answer = post(clerk, f"/{view}/form/{slug}", pks=record, **tail | told)
                assert answer.status_code == 303, (slug, text_of(answer.text)[-900:])
                page = head.get(f"{BASE}/registry-change/details/{the_change(owner).id}").text
                assert "13900000009" not in page
                approved = post(head, "/registry-change/action/approve", pks=the_change(owner).id)
                assert approved.status_code == 303, (slug, text_of(approved.text)[-900:])
            page = head.get(f"{BASE}/household/details/{family['household']}", params={"tab": "assets"}).text
            assert "88.5" in page
            tab = head.get(f"{BASE}/household/details/{family['household']}", params={"tab": "residences"})
            assert "分户" in tab.text
            before = head.get(
                f"{BASE}/household/details/{family['household']}", params={"tab": "residences", "day": day(owner, 1)}
            ).text
            assert "在户 3 人" in before
            wrong = head.get(f"{BASE}/household/details/{family['household']}?tab=residences&day=2024-13-01")
            assert wrong.status_code == 400


class TestDocuments:
    def test_each_viewing_asks_a_reason_and_is_recorded_before_anything_is_shown(self, console, county, owner, family):
        with console.client(county.township.clerk) as client:
            files = {"evidence.1": ("张国强.jpg", PHOTO, "image/jpeg"), "evidence.2": ("b.pdf", PDF, "application/pdf")}
            told = {"died_on": day(owner), "reason": "医学证明", "pks": family["son"], "evidence_kind.2": "hukou"}
            assert post(client, "/member/form/death", files, **told).status_code == 303
        change = the_change(owner)
        with console.client(county.township.head) as client:
            page = client.get(f"{BASE}/registry-change/details/{change.id}").text
            assert "户口簿" in page and "张国强.jpg" not in page
            form = client.get(f"{BASE}/registry-change/form/documents", params={"pk": change.id}).text
            ids = re.findall(r'name="documents" value="(\d+)" checked', form)
            assert len(ids) == 2
            refused = post(
                client, "/registry-change/form/documents", pks=change.id, reason="", documents=ids, how="view"
            )
            assert refused.status_code == 400 and "data:image/jpeg" not in refused.text
            asked = {"pks": change.id, "reason": "办理复核", "documents": ids}
            shown = post(client, "/registry-change/form/documents", how="view", **asked)
            assert shown.status_code == 200 and "data:image/jpeg;base64," in shown.text and "张国强.jpg" in shown.text
            assert shown.headers["cache-control"] == "no-store"
            saved = post(client, "/registry-change/form/documents", how="download", **asked | {"documents": ids[1]})
            assert saved.content == PDF and saved.headers["content-type"] == "application/pdf"
            packed = post(client, "/registry-change/form/documents", how="download", **asked)
            assert packed.headers["content-type"] == "application/zip"
        with owner() as session:
            rows = session.execute(sa.select(Reveal).order_by(sa.asc("id"))).scalars().all()
        assert [(row.noun, row.title, row.row_count) for row in rows] == [
            ("registry_change", "佐证材料", 2), ("registry_change", "变更内容", 1), ("registry_change", "佐证材料", 1),
            ("registry_change", "佐证材料", 2),
        ]  # fmt: skip
        assert {row.officer_id for row in rows} == {county.township.head.officer_id}

    def test_an_auditor_sees_documents_but_never_the_contents_in_full(self, console, county, owner, family):
        with console.client(county.township.clerk) as client:
            told = {"phone": "13900000009", "ethnicity": "01", "reason": "换号", "effective_on": day(owner)}
            assert post(client, "/member/form/change", photo(), pks=family["wife"], **told).status_code == 303
        change = the_change(owner)
        asked = {"pks": change.id, "reason": "监督检查", "how": "view"}
        with console.client(county.finance.auditor) as client:
            form = client.get(f"{BASE}/registry-change/form/documents", params={"pk": change.id}).text
            ids = re.findall(r'name="documents" value="(\d+)"', form)
            page = post(client, "/registry-change/form/documents", documents=ids, **asked)
            assert page.status_code == 200 and "data:image" in page.text and "13900000009" not in page.text
            assert post(client, "/registry-change/form/documents", **asked).status_code == 400
        with console.client(county.township.head) as client:
            assert "13900000009" in post(client, "/registry-change/form/documents", documents=ids, **asked).text


class TestTasks:
    def test_a_difference_waits_leads_to_the_person_and_is_settled(self, console, county, owner, family):
        with owner() as session:
            session.execute(
                sa.text(
                    "insert into registry_tasks (division_code, county_code, number, kind, status, version,"
                    " household_id, member_id, source, detail, found_on, arrived_at) values (:code, :county, 'DB1',"
                    " 'identity_mismatch', 'open', 1, :family, :member, 'police', '姓名不一致', :day, now())"
                ),
                {"code": county.township.division_code, "county": county.code, "family": family["household"],
                 "member": family["son"], "day": today(session)},
            )  # fmt: skip
            task = session.execute(sa.text("select id from registry_tasks")).scalar_one()
        with console.client(county.township.clerk) as client:
            assert "DB1" in client.get(f"{BASE}/").text
            page = client.get(f"{BASE}/registry-task/details/{task}").text
            assert "公安" in page and f"/console/member/details/{family['son']}" in page and "更正身份信息" in page
            assert "1 件差异待处理" in client.get(f"{BASE}/member/details/{family['son']}").text
            told = {"settled_as": "confirmed", "note": "户口簿核对无误"}
            answer = post(client, "/registry-task/action/settle", pks=task, **told)
            assert answer.status_code == 303
            page = client.get(answer.headers["location"]).text
            assert "核实无误，登记正确" in page and "户口簿核对无误" in page
        with console.client(county.second_township.clerk) as client:
            assert client.get(f"{BASE}/registry-task/details/{task}").status_code == 404
