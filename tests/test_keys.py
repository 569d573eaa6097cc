"""Encryption key and index key rotate, apart from each other, while the console works. （第三十条）"""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, select

from models.accounts import Account
from models.crypto import account_index, change_key_file, id_index, phone_index, ring
from models.households import Member
from models.keys import KeyRotation, RotationStatus
from models.officers import OfficerSecret
from models.rosters import RosterLine
from models.sealed_columns import index_columns, sealed_tables
from models.settings import settings
from tests.conftest import ROOT, As, Owner, point_at
from tests.factories import World, a_card_number, a_line, a_member, a_roster, an_account, an_id_number
from tests.test_migrations import catalogue
from workflows import index_keys, keys
from workflows.edges import KeysSwitched, edge
from workflows.files import content_of, store

PEOPLE = 12
KNOWN_BYTES = {
    ("login_sessions", "token_hash"), ("event_links", "hash"), ("event_heads", "hash"), ("ticket_keys", "key"),
    ("address_failures", "address_index"),
}  # fmt: skip
"""Bytes that are neither envelopes nor indexes to be rotated: digests, the ticket's own key in a closed table, and the
addresses of failed logins, which are forgotten within hours."""


def nobody(_: keys.Progress) -> None:
    """Follow a rotation without a word."""


@pytest.fixture
def own_keys(database: str, county: World, home: Path, keys: Path) -> Iterator[Path]:
    """A copy of the key file for this test alone: the other tests' databases keep their generation."""
    folder = home / f"keys-{os.urandom(4).hex()}"
    folder.mkdir()
    path = folder / "keys.json"
    shutil.copy(keys, path)
    point_at(database, path)
    yield path
    point_at(database, keys)


@pytest.fixture
def people(own_keys: Path, county: World, owner: Owner) -> list[Member]:
    """People with accounts, a roster of them, and a file."""
    with owner() as session:
        found = [a_member(session, county) for _ in range(PEOPLE)]
        for member in found:
            an_account(session, member)
        a_roster(session, county, lines=[a_line(member=member) for member in found])
        clerk = county.township.clerk
        store(session, "名单.xlsx", b"plain content", by=clerk, division_code=clerk.division_code)
    return found


def headers(owner: Owner) -> set[bytes]:
    """Return every header of every envelope."""
    found: set[bytes] = set()
    with owner() as session:
        for table in sealed_tables():
            for name in table.columns:
                asked = f"select distinct substring({name} from 1 for 2) from {table.name} where length({name}) > 0"
                found |= {bytes(row[0]) for row in session.execute(sa.text(asked))}
    return found


def generations(owner: Owner) -> set[int]:
    """Return every generation that a column of blind indexes holds."""
    found: set[int] = set()
    with owner() as session:
        for one in index_columns():
            asked = f"select distinct get_byte({one.name}, 0) from {one.table} where {one.name} is not null"
            found |= {row[0] for row in session.execute(sa.text(asked))}
    return found


class TestDeclared:
    def test_every_column_of_bytes_is_an_envelope_an_index_or_a_known_digest(self, owner: Owner):
        declared = {(table.name, name) for table in sealed_tables() for name in table.columns}
        declared |= {(one.table, one.name) for one in index_columns()}
        with owner() as session:
            stored = session.execute(
                sa.text(
                    "select table_name, column_name from information_schema.columns where table_schema = 'public'"
                    " and data_type = 'bytea' and table_name not like 'procrastinate%'"
                )
            )
            unknown = {tuple(row) for row in stored} - declared - KNOWN_BYTES
        assert {row for row in unknown if not row[1].endswith(("hash", "digest"))} == set()

    def test_every_blind_index_is_tied_to_its_generation(self, owner: Owner):
        with owner() as session:
            checks = set(
                session.scalars(
                    sa.text("select conname from pg_constraint where contype = 'c' and conname like '%generation'")
                )
            )
        assert checks == {f"ck_{one.table}_{one.name}_generation" for one in index_columns()}


class TestEncryptionKey:
    def test_everything_is_under_the_new_key_and_reads_as_before(self, people, owner: Owner, county: World):
        done = keys.rotate(nobody)
        assert headers(owner) == {bytes((1, 2))}
        assert done.done >= PEOPLE * 3
        with owner() as session:
            for member in people:
                again = session.get_one(Member, member.id)
                assert (again.id_number, again.phone) == (member.id_number, member.phone)
            secrets = session.exec(select(OfficerSecret.totp_secret)).all()
            assert set(secrets) == {"JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"}
            number = session.scalar(sa.text("select id from stored_files"))
            assert content_of(session, number) == b"plain content"

    def test_blind_indexes_do_not_change_with_it(self, people, owner: Owner):
        before = [id_index(member.id_number) for member in people]
        keys.rotate(nobody)
        assert [id_index(member.id_number) for member in people] == before
        assert generations(owner) == {1}

    def test_new_envelopes_take_it_at_once(self, people, county: World, as_: As, owner: Owner):
        seen: list[int] = []

        def tell(now: keys.Progress) -> None:
            with owner() as session:
                seen.append(a_member(session, county).id or 0)

        keys.rotate(tell)
        with owner() as session:
            kept = session.execute(
                sa.text("select get_byte(id_number, 1) from members where id = :id"), {"id": seen[0]}
            )
            assert kept.scalar_one() == 2

    def test_the_setting_names_the_cipher(self, people, owner: Owner, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setenv("YIKATONG_CIPHER", "sm4-gcm")
        settings.cache_clear()
        keys.rotate(nobody)
        assert headers(owner) == {bytes((2, 1))}, "an unfinished change of cipher needs no new key"
        keys.rotate(nobody)
        assert headers(owner) == {bytes((2, 2))}

    def test_what_is_written_between_reading_and_writing_is_not_lost(self, people, owner: Owner):
        table = next(table for table in sealed_tables() if table.name == "members")
        keys.add_key()
        with owner() as session:
            names = ", ".join([*(name for name, _ in table.keys), *table.columns])
            rows = session.execute(sa.text(f"select {names} from members order by id")).all()
            fresh = [(row, keys._resealed(ring(), table, row, {})) for row in rows]
        with owner() as session:
            session.get_one(Member, people[0].id).phone = "13900000001"
        with owner() as session:
            keys._write(session, table, fresh)
        with owner() as session:
            assert session.get_one(Member, people[0].id).phone == "13900000001"
            assert session.get_one(Member, people[1].id).phone == people[1].phone

    def test_a_stopped_run_keeps_what_is_done_and_the_next_goes_on(self, people, owner: Owner, monkeypatch):
        monkeypatch.setattr(keys, "ROWS_AT_ONCE", 5)

        def stop(now: keys.Progress) -> None:
            with owner() as session:
                session.get_one(KeyRotation, now.rotation_id).cancel_asked = True

        with pytest.raises(keys.Stopped):
            keys.rotate(lambda now: stop(now) if now.done == 0 or now.done >= 5 else None)
        assert headers(owner) == {bytes((1, 1)), bytes((1, 2))}
        keys.rotate(nobody)
        assert headers(owner) == {bytes((1, 2))}, "the run went on: no third key"
        with owner() as session:
            states = session.exec(select(KeyRotation.status).order_by(KeyRotation.id)).all()
        assert states == [RotationStatus.CANCELLED, RotationStatus.DONE]

    def test_progress_says_done_total_and_speed(self, people, monkeypatch):
        monkeypatch.setattr(keys, "ROWS_AT_ONCE", 5)
        told: list[keys.Progress] = []
        keys.rotate(told.append)
        assert told[-1].done == told[-1].total == told[0].total
        assert sorted(one.done for one in told) == [one.done for one in told]
        assert told[-1].per_second > 0

    def test_two_rotations_at_once_are_refused(self, people):
        with keys.one_at_a_time(), pytest.raises(keys.RotationUnderWay):
            keys.rotate(nobody)

    def test_a_broken_envelope_is_named_and_the_rest_is_done(self, people, owner: Owner):
        with owner() as session:
            session.execute(
                sa.text("update members set phone = substring(phone from 1 for 20) where id = :id"),
                {"id": people[0].id},
            )
        with pytest.raises(keys.EnvelopesBroken) as refusal:
            keys.rotate(nobody)
        assert "家庭成员" in str(refusal.value)
        with owner() as session:
            old = session.scalar(sa.text("select count(*) from members where get_byte(id_number, 1) = 1"))
        assert old == 1


class TestRetire:
    def test_it_refuses_while_one_envelope_is_left(self, people, owner: Owner):
        keys.rotate(nobody)
        keep = ring().keys[1]
        with owner() as session:
            session.execute(sa.text("update members set phone = :old where id = :id"),
                            {"old": _under(1).seal("13800000000"), "id": people[0].id})  # fmt: skip
        with pytest.raises(keys.KeyInUse):
            keys.retire(1)
        assert ring().keys[1] == keep

    def test_the_key_goes_once_nothing_is_under_it(self, people, own_keys: Path):
        keys.rotate(nobody)
        keys.retire(1)
        assert set(ring().keys) == {2}

    def test_the_key_in_use_and_unknown_ones_are_refused(self, people):
        with pytest.raises(keys.KeyCurrent):
            keys.retire(1)
        with pytest.raises(keys.KeyUnknown):
            keys.retire(7)


def _under(number: int):
    from dataclasses import replace

    return replace(ring(), current=number)


class TestIndexKey:
    def test_every_value_is_found_under_the_new_key(self, people, owner: Owner):
        index_keys.rotate(nobody)
        assert generations(owner) == {2}
        with owner() as session:
            for member in people:
                assert _found(session, member) == member.id
                phone = session.exec(select(Member.id).where(Member.phone_index == phone_index(member.phone))).one()
                assert phone == member.id
            account = session.exec(select(Account)).first()
            assert account.number_index == account_index(account.number)
            joined = session.scalar(sa.text("select count(*) from members m join roster_lines l using (id_index)"))
        assert joined == PEOPLE

    def test_envelopes_and_entitlements_do_not_change_with_it(self, people, owner: Owner):
        with owner() as session:
            before = session.exec(select(RosterLine.entitlement_key).order_by(RosterLine.id)).all()
        index_keys.rotate(nobody)
        with owner() as session:
            assert session.exec(select(RosterLine.entitlement_key).order_by(RosterLine.id)).all() == before
        assert headers(owner) == {bytes((1, 1))}

    def test_half_way_look_ups_hold_and_a_duplicate_is_refused(self, people, county: World, as_: As, owner: Owner):
        tried: list[str] = []

        def tell(now: keys.Progress) -> None:
            if now.stage not in ("家庭成员", "清册明细") or now.stage in tried:
                return
            tried.append(now.stage)
            with as_(county.township.clerk) as session:
                assert _found(session, people[0]) == people[0].id
            with pytest.raises(IntegrityError), owner() as session:
                a_member(session, county, id_number=people[0].id_number)

        index_keys.rotate(tell)
        assert tried == ["家庭成员", "清册明细"]
        with pytest.raises(IntegrityError), owner() as session:
            a_member(session, county, id_number=people[0].id_number)

    def test_what_is_added_and_changed_half_way_is_carried_over(self, people, county: World, as_: As, owner: Owner):
        added: list[Member] = []
        card = a_card_number()

        def tell(now: keys.Progress) -> None:
            if added or now.stage != "清册明细":
                return
            with owner() as session:
                added.append(a_member(session, county))
                account = session.exec(select(Account)).first()
                account.number, account.number_index = card, account_index(card)
                session.add(account)

        index_keys.rotate(tell)
        assert generations(owner) == {2}
        with owner() as session:
            assert _found(session, added[0]) == added[0].id
            assert session.exec(select(Account.number).where(Account.number_index == account_index(card))).one() == card

    def test_a_process_with_the_old_key_is_refused_not_obeyed(self, people, county: World, owner: Owner):
        number = an_id_number()
        stale = id_index(number)
        index_keys.rotate(nobody)
        with pytest.raises(IntegrityError, match="generation"), owner() as session:
            a_member(session, county, id_number=number, id_index=stale)

    def test_who_was_half_way_through_is_asked_to_submit_again(self, people, county: World):
        card, by = a_card_number(), county.township.clerk
        stale = account_index(card)
        index_keys.rotate(nobody)
        with pytest.raises(KeysSwitched), edge(by, "register") as session:
            account = session.exec(select(Account)).first()
            account.number, account.number_index = card, stale
            session.add(account)

    def test_afterwards_the_schema_is_what_the_models_say(self, people, owner: Owner):
        before = catalogue(owner)
        index_keys.rotate(nobody)
        command.check(Config(toml_file=str(ROOT / "pyproject.toml")))
        after = catalogue(owner)
        renumbered = [text.replace(", 0) = 2)", ", 0) = 1)") for text in after["constraints"]]
        assert sorted(renumbered) == before.pop("constraints")
        after.pop("constraints")
        assert after == before
        with owner() as session:
            assert not session.scalar(
                sa.text("select count(*) from pg_class where relname like '%\\_next' or relname like 'todo\\_%'")
            )
            assert not session.scalar(sa.text("select count(*) from pg_constraint where not convalidated"))

    def test_it_rotates_again_and_again_under_another_hash(self, people, owner: Owner, monkeypatch: pytest.MonkeyPatch):
        index_keys.rotate(nobody)
        monkeypatch.setenv("YIKATONG_INDEX", "hmac-sm3")
        settings.cache_clear()
        index_keys.rotate(nobody)
        assert generations(owner) == {3}
        assert ring().index_keys[3].hash == "sm3"
        with owner() as session:
            assert _found(session, people[3]) == people[3].id

    def test_a_stopped_run_is_taken_up(self, people, owner: Owner, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr(index_keys, "ROWS_AT_ONCE", 5)

        def stop(now: keys.Progress) -> None:
            if now.stage == "家庭成员":
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            index_keys.rotate(stop)
        assert generations(owner) == {1}
        assert ring().index_current == 1
        index_keys.rotate(nobody)
        assert generations(owner) == {2}

    def test_a_run_killed_between_its_file_and_its_commit_is_repaired(self, people, own_keys: Path, owner: Owner):
        change_key_file(
            own_keys,
            lambda raw: (raw["index_keys"].update({"2": {"key": "ab" * 32, "hash": "sha256"}}),
                         raw.update(index_current=2)),
        )  # fmt: skip
        index_keys.rotate(nobody)
        assert generations(owner) == {2}
        with owner() as session:
            assert _found(session, people[0]) == people[0].id

    def test_a_long_transaction_makes_it_wait_and_is_not_broken_off(self, people, county: World, as_: As, monkeypatch):
        monkeypatch.setattr(index_keys, "LOCK_TRIES", 2)
        monkeypatch.setattr(index_keys, "LOCK_PATIENCE", "50ms")
        with as_(county.township.clerk) as session:
            session.get_one(Member, people[0].id)
            with pytest.raises(index_keys.ConsoleBusy):
                index_keys.rotate(nobody)
            session.get_one(Account, session.exec(select(Account.id)).first())
        index_keys.rotate(nobody)
        assert ring().index_current == 2


def _found(session: Session, member: Member) -> int | None:
    return session.exec(select(Member.id).where(Member.id_index == id_index(member.id_number))).one()
