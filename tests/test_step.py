"""What a step asks of the database: which posts carry a ticket, and the trail where a dump holds it."""

from threading import Thread

import sqlalchemy as sa
from sqlmodel import Session

from tests.conftest import As, Owner
from tests.factories import World

CARRIED = sa.text("select post_id, valid_to from acting_posts order by 1")
IN_FORCE = sa.text(
    "select p.id, p.valid_to from posts p join officers o on o.id = p.officer_id and o.active"
    " where p.status = 'in_force' order by 1"
)


def agree(session: Session) -> bool:
    """Tell whether exactly the posts in force of active officers carry a ticket."""
    return session.execute(CARRIED).all() == session.execute(IN_FORCE).all()


class TestPostsThatCarryATicket:
    def test_every_way_of_changing_posts_and_officers_keeps_them(self, county: World, owner: Owner):
        post, officer = county.finance.clerk.post_id, county.finance.clerk.officer_id
        ways = (
            "update posts set status = 'ended' where id = :post",
            "update posts set status = 'in_force' where id = :post",
            "update posts set valid_to = '2030-01-01' where id = :post",
            "update officers set active = false where id = :officer",
            "update officers set active = true where id = :officer",
            "delete from posts where id = :post",
        )
        with owner() as session:
            assert agree(session)
            assert session.execute(CARRIED).all()
            session.execute(sa.text("set local session_replication_role = replica"))
            for way in ways:
                session.execute(sa.text(way), {"post": post, "officer": officer})
                assert agree(session), way
            session.execute(sa.text("truncate posts cascade"))
            assert agree(session)
            session.rollback()

    def test_an_account_closed_beside_a_confirmed_post_carries_none(self, county: World, owner: Owner):
        by = county.finance.clerk
        with owner() as session:
            session.execute(sa.text("update posts set status = 'proposed' where id = :id"), {"id": by.post_id})

        def close() -> None:
            with owner() as session:
                session.execute(sa.text("update officers set active = false where id = :id"), {"id": by.officer_id})

        with owner() as session:
            session.execute(sa.text("update posts set status = 'in_force' where id = :id"), {"id": by.post_id})
            closing = Thread(target=close)
            closing.start()
            closing.join(0.5)
            assert closing.is_alive()  # it waits for the post
        closing.join()
        with owner() as session:
            assert agree(session)

    def test_an_account_opened_again_has_its_ticket_again(self, county: World, owner: Owner, as_: As):
        by = county.finance.clerk
        for active in (False, True):
            with owner() as session:
                asked = {"id": by.officer_id, "active": active}
                session.execute(sa.text("update officers set active = :active where id = :id"), asked)
            with as_(by) as session:
                assert (session.execute(sa.text("select ticket()")).scalar() is not None) == active


def test_the_trail_stands_where_a_dump_holds_it(session: Session):
    schemas = session.execute(
        sa.text(
            "select distinct p.pronamespace::regnamespace::text from pg_trigger t join pg_proc p on p.oid = t.tgfoid"
            " where p.proname like 'trail%'"
        )
    )
    assert set(schemas.scalars()) == {"public"}
