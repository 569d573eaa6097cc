"""The worker is killed with SIGKILL at the worst moments and started again: the figures end the same, nobody twice.

The moments are made from outside, without a hook in the code: the test holds a lock that the worker must wait for,
sees it waiting, kills it, and lets go.
"""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlmodel import Session, select

from demo.story import money, rosters
from demo.story.ending import hold_invariants
from demo.story.scene import Scene
from demo.story.tell import PARTS
from models.bank_batches import BankBatch, BankBatchStatus
from models.imports import ImportStatus, RosterImport
from models.rosters import Roster, RosterStatus
from tests.conftest import REFERENCE, address, statement
from workflows import bank_batches, checks, payment_orders
from workflows import rosters as roster_verbs

SEEDS = {1: PARTS[5], 2: PARTS[2], 3: PARTS[4]}
"""Three rosters of different townships, projects and sizes."""

WAITING = sa.text(
    "select count(*) from pg_stat_activity where datname = current_database() and usename = 'yikatong_app'"
    " and wait_event_type = 'Lock'"
)


@contextmanager
def blocked(scene: Scene, table: str) -> Iterator[None]:
    """Hold off every writer of a table; inside, the worker is known to wait for it. At the end it is killed."""
    engine = sa.create_engine(scene.database_url, poolclass=sa.NullPool)
    with engine.connect() as holder, engine.connect() as watcher, holder.begin():
        holder.exec_driver_sql(f"lock table {table} in share mode")
        if scene.worker is None:
            scene.start_worker()

        def waits(_: Session) -> bool:
            found = watcher.execute(WAITING).scalar_one()
            watcher.rollback()
            return bool(found)

        scene.wait(f"后台进程等待 {table}", waits)
        yield
        scene.stop_worker(kill=True)
    scene.start_worker()


def final_roster(scene: Scene, seed: int) -> Roster:
    """Import a roster with a power cut before the commit, then take it to the final review."""
    part = SEEDS[seed]
    scene.stop_worker()
    record = scene.do(f"{part.township}.clerk", rosters._receive, part=part)
    with blocked(scene, "rosters"), scene.look() as session:
        assert session.execute(sa.text("select count(*) from import_rows")).scalar_one() > 0, "the rows are staged"
    with scene.look() as session:
        assert session.exec(select(sa.func.count()).select_from(Roster)).one() == 0, "nothing is half-imported"
    scene.wait(
        "导入",
        lambda session: session.exec(
            select(RosterImport).where(RosterImport.id == record.id, RosterImport.status == ImportStatus.APPLIED)
        ).one_or_none(),
    )
    (roster,) = scene.rosters()
    scene.parts[roster.number] = part
    job = scene.do(f"{part.township}.clerk", checks.start_check, roster)
    scene.wait("核查", lambda session: rosters._ended(session, job))
    rosters.stop_and_hold(scene)
    scene.do(f"{part.township}.clerk", roster_verbs.publish_notice, roster, mode="online")
    rosters.pass_notices(scene)
    scene.do(f"{part.township}.head", roster_verbs.endorse, roster, attested=True)
    rosters.report_rosters(scene)
    for prefix, verb in (
        (f"{part.department}.clerk", roster_verbs.examine_department),
        (f"{part.department}.reviewer", roster_verbs.pass_department),
        (f"{part.finance}.clerk", roster_verbs.examine_finance),
        (f"{part.finance}.reviewer", roster_verbs.pass_finance),
    ):
        rosters._pass_gate(scene, roster, prefix, verb)
    return scene.rosters()[0]


def sent_batches(scene: Scene, seed: int, roster: Roster) -> list[BankBatch]:
    """Fund the roster's orders, then cut the power between sending the batch and storing the bank's receipt."""
    part = SEEDS[seed]
    orders = scene.do(f"{part.department}.clerk", payment_orders.draft, roster)
    for order in orders:
        scene.do(f"{part.department}.reviewer", payment_orders.release, order)
    scene.wait("拨付", lambda session: money._all_credited(session, len(orders)))
    batches = [scene.do(f"{part.finance}.clerk", bank_batches.prepare, order) for order in orders]
    scene.stop_worker()
    money._release(scene, batches)
    with blocked(scene, "events"):
        assert scene.sandboxes.bank.ledger()["batches"], "the bank has the batch"
        with scene.look() as session:
            assert session.exec(select(BankBatch.status)).first() == BankBatchStatus.RELEASED, "we don't know it yet"
    return batches


@pytest.mark.timeout(600)
@pytest.mark.parametrize("seed", SEEDS)
def test_a_worker_killed_at_any_moment_pays_every_line_exactly_once(
    seed: int, server: str, home: Path, keys: Path, database_url: str
):
    folder = home / f"crash{seed}"
    folder.mkdir()
    shutil.copy(keys, folder)
    statement(server, f"create database crash_{seed} template {REFERENCE}")
    with Scene(address(server, f"crash_{seed}"), folder, quiet=True) as scene:
        rosters.download_indicators(scene, [SEEDS[seed]])
        roster = final_roster(scene, seed)
        batches = sent_batches(scene, seed, roster)
        scene.wait("一半结果", half_posted)
        with blocked(scene, "postings"):
            pass
        money._await_settled(scene, batches)
        figures = hold_invariants(scene)
        assert figures["twice"] == 0
        assert figures["paid_fen"] == roster.amount_fen
        (paid,) = scene.rosters()
        assert (paid.status, paid.paid_fen) == (RosterStatus.PAID, roster.amount_fen)
        assert scene.sandboxes.bank.ledger()["payments"]["ACCC"]["count"] == roster.line_count


def half_posted(session: Session) -> bool:
    """Some lines of a batch are answered and some are not."""
    found = session.exec(select(BankBatch)).all()
    return any(0 < batch.paid_count < batch.line_count for batch in found)
