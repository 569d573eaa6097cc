"""Virtual households and transfers as officers of two counties do them; what is foreign stays foreign. （第十一条）"""

import html
import re

import httpx
import sqlalchemy as sa
from sqlmodel import select

from models.households import Member
from models.transfers import Transfer, TransferStatus
from models.virtual_members import VirtualMember, VirtualStatus
from tests.conftest import As, Owner
from tests.console import token_of
from tests.factories import World, a_line, a_roster
from tests.virtual import ADDRESS, CARD, ID_NUMBER, NAME, PHONE, kept_elsewhere, referenced

BASE = "/console"
SECRETS = (ID_NUMBER, CARD, PHONE, ADDRESS, NAME)


def post(client: httpx.Client, path: str, **form: object) -> httpx.Response:
    token = token_of(client.get(f"{BASE}/").text)
    return client.post(f"{BASE}{path}", data={"csrf_token": token, **form})


def text_of(page: str) -> str:
    return html.unescape(re.sub(r"<[^>]+>", " ", page))


def hides(page: httpx.Response) -> str:
    """Return a page's text, in which nothing of the foreign person may stand in full."""
    assert page.status_code == 200, page.text[-800:]
    text = html.unescape(page.text)
    assert [secret for secret in SECRETS if secret in text] == []
    return text_of(page.text)


def test_from_an_id_number_to_a_reference_in_force_the_payer_sees_masks_only(console, county: World, owner: Owner):
    kept_elsewhere(county, owner)
    with console.client(county.township.clerk) as clerk:
        looked = post(clerk, "/virtual-member/form/look-up", id_number=ID_NUMBER, reason="群众来窗口咨询")
        assert "阿巴嘎旗" in hides(looked)
        made = post(clerk, "/virtual-member/form/new", id_number=ID_NUMBER, project="", reason="在本地承包草场")
        assert made.status_code == 303 and ID_NUMBER not in made.headers["location"]
        assert "孛儿只斤·***" in hides(clerk.get(made.headers["location"]))
        hides(clerk.get(f"{BASE}/virtual-member/list?tab=all"))
    with owner() as session:
        record = session.exec(select(VirtualMember)).one()
    with console.client(county.township.head) as head:
        assert record.number in hides(head.get(f"{BASE}/"))
        assert post(head, "/virtual-member/action/approve", pks=record.id, opinion="属实").status_code == 303
    with owner() as session:
        record = session.exec(select(VirtualMember)).one()
    assert record.status == VirtualStatus.IN_FORCE
    with console.client(county.township.clerk) as clerk:
        shown = hides(clerk.get(f"{BASE}/virtual-member/details/{record.id}"))
        assert "152522********0412" in shown and "已验证" in shown
        for noun in ("virtual-member", "member", "household", "account"):
            hides(clerk.get(f"{BASE}/{noun}/list?tab=all"))
        hides(clerk.get(f"{BASE}/member/details/{record.member_id}"))
        hides(clerk.get(f"{BASE}/household/details/{record.household_id}"))
        for tab in ("details", "events", "roster_lines"):
            hides(clerk.get(f"{BASE}/virtual-member/details/{record.id}?tab={tab}"))
        refused = post(clerk, "/member/form/reveal", pks=record.member_id, reason="核对身份信息")
        assert refused.status_code == 403 and "由阿巴嘎旗" in text_of(refused.text)
        assert not any(secret in refused.text for secret in SECRETS)


def test_the_keeper_reads_who_references_on_the_members_page_and_may_not_touch_it(
    console, county: World, owner: Owner, as_: As
):
    member = kept_elsewhere(county, owner)
    record = referenced(county, as_)
    with console.client(county.other_county.township.clerk) as keeper:
        page = keeper.get(f"{BASE}/member/details/{member.id}?tab=virtual_members")
        assert "在本地承包草场" in page.text and "引用中" in page.text
        seen = keeper.get(f"{BASE}/virtual-member/details/{record.id}")
        assert "该人员由您管理" in seen.text and "终止引用" not in seen.text
        assert post(keeper, "/virtual-member/action/end", pks=record.id, reason="不同意").status_code == 404
    with console.client(county.second_township.clerk) as stranger:
        assert stranger.get(f"{BASE}/virtual-member/details/{record.id}").status_code == 404


def test_a_virtual_line_is_not_shown_in_full_to_the_payer(console, county: World, owner: Owner, as_: As):
    kept_elsewhere(county, owner)
    record = referenced(county, as_)
    with owner() as session:
        local = session.exec(select(Member).where(Member.id == record.member_id)).one()
        roster = a_roster(session, county, lines=[a_line(member=local, account=False)])
        line = session.execute(
            sa.text("select id from roster_lines where roster_id = :id"), {"id": roster.id}
        ).scalar_one()
    with console.client(county.township.clerk) as clerk:
        hides(clerk.get(f"{BASE}/roster/details/{roster.id}"))
        answer = post(clerk, "/roster-line/form/reveal", pks=line, reason="核对身份信息")
    assert answer.status_code == 403 and not any(secret in answer.text for secret in SECRETS)


def test_a_transfer_from_form_to_the_keepers_confirmation(console, county: World, owner: Owner):
    member = kept_elsewhere(county, owner)
    photo = {"evidence.1": ("户口簿.pdf", b"%PDF-1.7\nhukou\n%%EOF", "application/pdf")}
    with console.client(county.township.clerk) as clerk:
        token = token_of(clerk.get(f"{BASE}/").text)
        form = clerk.get(f"{BASE}/transfer/form/new")
        assert form.status_code == 200 and "另立新户" in form.text
        answers = {"csrf_token": token, "id_number": ID_NUMBER, "relation": "02", "village": "南村",
                   "reason": "已迁来居住", "effective_on": "2024-05-20", "evidence_kind.1": "hukou"}  # fmt: skip
        made = clerk.post(f"{BASE}/transfer/form/new", data=answers, files=photo)
        assert made.status_code == 303, text_of(made.text)[-600:]
        hides(clerk.get(made.headers["location"]))
    with owner() as session:
        mine = session.exec(select(Transfer)).one()
    with console.client(county.township.head) as head:
        assert post(head, "/transfer/action/approve", pks=mine.id, opinion="").status_code == 303
        hides(head.get(f"{BASE}/transfer/details/{mine.id}"))
    with owner() as session:
        theirs = session.exec(select(Transfer).where(Transfer.pair_id == mine.id)).one()
    with console.client(county.other_county.township.head) as keeper:
        assert theirs.number in keeper.get(f"{BASE}/").text
        papers = keeper.get(f"{BASE}/transfer/details/{theirs.id}?tab=attachments")
        assert "户口簿" in papers.text
        assert post(keeper, "/transfer/action/confirm", pks=theirs.id, opinion="属实").status_code == 303
        assert keeper.get(f"{BASE}/member/details/{member.id}").status_code == 200
    with owner() as session:
        assert session.get_one(Transfer, mine.id).status == TransferStatus.DONE
        assert session.exec(select(Member).where(Member.current)).one().division_code == county.township.division_code
    with console.client(county.township.clerk) as clerk:
        assert "查看迁入后的成员记录" in clerk.get(f"{BASE}/transfer/details/{mine.id}").text
