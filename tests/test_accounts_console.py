"""Accounts in the console: a change waits at the head's desk, a list is sent and read row by row. （第十二、三十条）"""

from collections.abc import Iterator

import pytest

from models.accounts import AccountStatus
from tests.account_desk import AccountDesk, cards
from tests.bank_desk import without_interface
from tests.conftest import Owner
from tests.console import ConsoleServer, running, token_of
from tests.factories import World
from tests.test_account_batches import people, row
from tests.test_accounts import PHOTO, a_change


@pytest.fixture
def console(county: World) -> Iterator[ConsoleServer]:
    with running() as server:
        yield server


def test_a_change_waits_masked_at_the_heads_desk_and_is_confirmed_there(console, county, owner: Owner):
    desk = AccountDesk(owner, county)
    with owner() as session:
        without_interface(session)
    [(member, account)] = people(owner, county, 1)
    change = a_change(desk, member, evidence=(PHOTO,))
    with console.client(county.township.head) as head:
        inbox = head.get("/console/").text
        assert "复核同意变更" in inbox
        page = head.get(f"/console/account/details/{change.id}").text
        assert "待负责人复核" in page
        assert "换发社会保障卡" in page
        for text in (inbox, page):
            assert change.number not in text
            assert account.number not in text
        form = head.get(f"/console/account/form/documents?pk={change.id}").text
        asked = {"csrf_token": token_of(form), "pks": str(change.id), "reason": "核对卡面和账号", "how": "view"}
        shown = head.post("/console/account/form/documents", data=asked).text
        assert change.number in shown  # whoever agrees compares both numbers; the look is recorded
        assert account.number in shown
        confirm = head.get(f"/console/account/action/confirm?pks={change.id}").text
        asked = {"csrf_token": token_of(confirm), "pks": str(change.id), "opinion": "已核对"}
        assert head.post("/console/account/action/confirm", data=asked).status_code == 303
    assert desk.again(change).status == AccountStatus.VERIFYING
    with console.client(county.other_county.township.head) as stranger:
        assert stranger.get(f"/console/account/details/{change.id}").status_code == 404


def test_a_list_is_sent_by_form_and_shown_row_by_row_masked(console, county, owner: Owner):
    desk = AccountDesk(owner, county)
    mine = people(owner, county, 2)
    told = [row(*mine[0]), row(*mine[1], name="另有其人")]
    with console.client(county.township.clerk) as clerk:
        form = clerk.get("/console/account-batch/form/new").text
        asked = {"csrf_token": token_of(form), "source": "social_security", "reason": "到期换发"}
        files = {"file": ("换卡.xlsx", cards(*told))}
        made = clerk.post("/console/account-batch/form/new", data=asked, files=files)
        assert made.status_code == 303, made.text
        desk.work()
        page = clerk.get(made.headers["location"]).text
        assert "姓名与登记的姓名不一致" in page
        assert "提出换卡" in page
        assert not any(one[key] in page for one in told for key in ("old_number", "new_number", "name"))
        assert clerk.get("/console/account-batch/form/bank").status_code == 403
    with console.client(county.bank.clerk) as bank:
        assert "上传本行换卡清单" in bank.get("/console/account-batch/list?tab=all").text
        assert bank.get(made.headers["location"]).status_code == 404
