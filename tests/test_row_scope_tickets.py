"""A ticket proves the range: none, forged, edited or void, and there is no row of any table. （第三十条）"""

from collections.abc import Callable
from dataclasses import replace

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import ProgrammingError
from sqlmodel import Session

from models.base import RowScope
from models.officers import ActingOfficer, Scope
from models.tickets import ticket_of
from tests.conftest import As, Owner
from tests.factories import World
from tests.rows import SCOPED, fill, of, shown

REGION = Scope("0", ":")
SET = sa.text("select set_config('app.ticket', :ticket, true)")


@pytest.fixture
def filled(county: World, owner: Owner) -> World:
    """The world with one row of the county in every scoped table."""
    with owner() as session:
        fill(session, county.code)
    return county


def wider(by: ActingOfficer) -> str:
    """Return what somebody would like to hold: the claims of the whole region under their own signature."""
    signature, _, _ = ticket_of(by).partition("!")
    return f"{signature}!{ticket_of(replace(by, scope=REGION)).partition('!')[2]}"


FORGERIES: dict[str, Callable[[ActingOfficer], str]] = {
    "none": lambda by: "",
    "rubbish": lambda by: "0:",
    "no signature": lambda by: f"!{ticket_of(by).partition('!')[2]}",
    "another signature": lambda by: f"{'0' * 64}!{ticket_of(by).partition('!')[2]}",
    "an edited range": wider,
    "an edited sector": lambda by: ticket_of(by).replace("|民政|", "||"),
    "an edited post": lambda by: ticket_of(by).replace(f"|{by.post_id}|", "|0|"),
    "a claim added": lambda by: f"{ticket_of(by)}|x",
    "a claim cut off": lambda by: ticket_of(by)[:-1],
    "a signature in capitals": lambda by: ticket_of(by).partition("!")[0].upper() + "!" + ticket_of(by)[65:],
}


class TestForgery:
    def test_what_is_not_signed_as_it_stands_sees_nothing(self, filled: World, as_: As):
        by = filled.civil_affairs.clerk
        for name, forged in FORGERIES.items():
            with as_(by) as session:
                assert shown(session, SCOPED) != set()
                session.execute(SET, {"ticket": forged(by)})  # as SQL injected into a verb would
                assert (name, shown(session, SCOPED)) == (name, set())

    def test_what_is_not_signed_writes_nothing(self, filled: World, as_: As):
        stranger = filled.other_county.finance.clerk
        with as_(stranger) as session:
            session.execute(SET, {"ticket": wider(stranger)})
            done = session.execute(sa.text("update rosters set status = 'closed'"))
            assert done.rowcount == 0  # type: ignore[attr-defined]
        with pytest.raises(ProgrammingError, match="row-level security"), as_(stranger) as session:
            session.execute(SET, {"ticket": wider(stranger)})
            session.execute(
                sa.text(
                    "insert into desk_holders (division_code, noun, record_id, person, desk)"
                    " values (:code, 'roster', 1, 'x', 'head')"
                ),
                {"code": filled.code},
            )

    def test_the_former_settings_mean_nothing(self, filled: World, as_: As):
        with as_(filled.other_county.finance.clerk) as session:
            session.execute(
                sa.text("select set_config('app.scope_from', '0', true), set_config('app.scope_to', ':', true)")
            )
            assert shown(session, SCOPED) == set()

    def test_the_ticket_of_a_transaction_ends_with_it(self, filled: World, as_: As):
        with as_(filled.finance.clerk) as session:
            assert shown(session, SCOPED) != set()
        with as_(None) as session:
            assert shown(session, SCOPED) == set()


class TestVoid:
    def test_the_ticket_of_an_ended_post_sees_nothing(self, filled: World, owner: Owner, as_: As):
        ends = {
            filled.finance.clerk: "update posts set valid_to = '2024-01-02' where id = :post",
            filled.finance.reviewer: "update posts set status = 'ended', valid_to = '2024-01-02' where id = :post",
            filled.finance.auditor: "update officers set active = false where id = :officer",
        }
        with owner() as session:
            session.execute(sa.text("set local session_replication_role = replica"))
            for by, ended in ends.items():
                session.execute(sa.text(ended), {"post": by.post_id, "officer": by.officer_id})
        for by in ends:
            with as_(by) as session:
                assert shown(session, SCOPED) == set()

    def test_the_ticket_of_a_delegation_that_is_none_sees_nothing(self, filled: World, as_: As):
        with as_(replace(filled.finance.clerk, delegation_id=77)) as session:
            assert shown(session, SCOPED) == set()


class TestKey:
    def test_a_closed_table_cannot_be_read(self, county: World, as_: As):
        for name in of(RowScope.CLOSED):
            with pytest.raises(ProgrammingError, match="permission denied"), as_(county.region) as session:
                session.execute(sa.text(f"select * from {name}"))

    def test_no_function_tells_the_key(self, county: World, owner: Owner, session: Session):
        texts = session.execute(
            sa.text(
                "select proname from pg_proc where pronamespace = 'public'::regnamespace and prosrc ~ 'ticket_keys'"
            )
        )
        assert set(texts.scalars()) == {"claims", "ticket", "trail_of_ticket_keys"}  # the trail keeps a digest of it
