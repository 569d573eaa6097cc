"""Exchange with other departments: received fast and once, applied by a job, never over what a township registered.

（第二十九条） A body's request is admitted by its signature, its time and a random string that serves once. Its batch
is staged under its number; the job matches persons by blind index, keeps what is newer with source and date, brings the
body's own certificates up to date and turns every difference into a task of the township.
"""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import sqlalchemy as sa
import structlog
from sqlmodel import Session, col, select

from integrations.exchange import Head, signed_by
from models.base import REGION_CODE
from models.crypto import ring
from models.database import transaction
from models.divisions import Level
from models.exchange import BatchState, Conflict, ExchangeBatch, ExchangeBody
from models.officers import ActingOfficer, system_principal
from models.registry_tasks import TaskKind
from policies.clock import now, today
from policies.enforcement import allow
from policies.exchange import AREA_FLOOR, AREA_SHARE, CLOCK_SLACK_S, MAX_AHEAD, PER_MINUTE, STUCK_MINUTES
from policies.moves import record_event
from policies.permissions import Permission
from policies.refusals import NotFound, Refused
from workflows.exchange_rows import BatchWrong, Envelope, Problem, read_rows
from workflows.queue import enqueue
from workflows.registry_tasks import raise_tasks, vanish
from workflows.reveals import Revealed

log = structlog.get_logger()

APPLY = "apply_exchange"
NOUN = "exchange_body"
LONGEST_HEAD = 100
UNKNOWN_KEY = "0" * 64


class SignatureWrong(Refused):
    """签名、时间或随机串无效，请求没有接受；请核对密钥、系统时间，并为每次请求使用新的随机串（第三十条）。"""

    status_code = 401


class InterfaceOff(Refused):
    """本部门的共享接口已停用，请联系自治区系统管理员（第二十九条）。"""

    status_code = 403


class TooOften(Refused):
    """请求过于频繁，请稍后再试。"""

    status_code = 429


class NumberTaken(Refused):
    """批次号 {number} 已用于另一内容的批次，没有接收；请核对批次号，更正的内容用新的批次号发送（第二十九条）。"""


class BodyOther(Refused):
    """首行的部门与签名部门不一致，没有接收。"""

    status_code = 400


class KeyNotSet(Refused):
    """“{name}”还没有接口密钥，不能启用；请先生成密钥（第二十九条）。"""


@dataclass(frozen=True, repr=False)
class Caller:
    """The body behind an admitted request."""

    id: int
    code: str
    name: str
    kinds: frozenset[str]
    last_number: int


def principal() -> ActingOfficer:
    """Return the system principal that the interface acts as."""
    return system_principal(REGION_CODE, Level.REGION, "部门数据共享")


# --- the interface ------------------------------------------------------------------------------------------------


def admit(session: Session, method: str, path: str, head: Head, signature: str) -> Caller:
    """Admit a signed request, once. （第二十九、三十条） Raises SignatureWrong, InterfaceOff, TooOften."""
    row = session.execute(sa.text("select * from exchange_secret(:code)"), {"code": head.body}).one_or_none()
    key = ring().open(bytes(row.key)) if row is not None else UNKNOWN_KEY
    if not signed_by(key, method, path, head, signature) or row is None:
        raise SignatureWrong
    asked = {"body": row.id, "nonce": head.nonce, "at": int(head.timestamp), "slack": CLOCK_SLACK_S, "most": PER_MINUTE}
    verdict = session.execute(sa.text("select exchange_admit(:body, :nonce, :at, :slack, :most)"), asked).scalar_one()
    if verdict in ("late", "replayed"):
        raise SignatureWrong
    if verdict == "busy":
        raise TooOften
    if not row.enabled:
        raise InterfaceOff
    return Caller(row.id, head.body, row.name, frozenset(row.kinds), row.last_number)


RECEIVE = sa.text("select id, fresh from exchange_receive(:body, :number, :digest, :receipt, :rows)").bindparams(
    sa.bindparam("rows", type_=sa.dialects.postgresql.JSONB)
)


def receive(session: Session, caller: Caller, envelope: Envelope, rest: bytes) -> tuple[ExchangeBatch, bool]:
    """Receive a batch, once for ever by its number; return it and whether it is new. （第二十九条）

    Raises BodyOther, NumberTaken, BatchWrong.
    """
    if envelope.body != caller.code:
        raise BodyOther
    known = find(session, caller, envelope.number)
    if known is not None:
        return _same(known, envelope), False
    if envelope.number > caller.last_number + MAX_AHEAD:
        problem = f"比最近批次号大 {MAX_AHEAD} 以上，请核对"
        raise BatchWrong([Problem(0, "number", problem)])
    receipt = secrets.token_hex(8).upper()
    rows = read_rows(envelope, rest, caller.kinds, receipt, today(session))
    told = {"body": caller.id, "number": envelope.number, "digest": envelope.digest, "receipt": receipt, "rows": rows}
    made = session.execute(RECEIVE, told).one()
    batch = session.get_one(ExchangeBatch, made.id)
    if not made.fresh:
        return _same(batch, envelope), False
    enqueue(session, APPLY, lock=f"exchange:{caller.code}", batch_id=made.id)
    return batch, True


def _same(batch: ExchangeBatch, envelope: Envelope) -> ExchangeBatch:
    if batch.digest != envelope.digest:
        raise NumberTaken(number=batch.number)
    return batch


def find(session: Session, caller: Caller, number: int) -> ExchangeBatch | None:
    """Return the caller's batch of a number."""
    return session.exec(
        select(ExchangeBatch).where(ExchangeBatch.body_id == caller.id, ExchangeBatch.number == number)
    ).one_or_none()


MISSING = sa.text(
    "select n from exchange_bodies b, generate_series(greatest(1, b.last_number - :back), b.last_number) n"
    " where b.id = :body and not exists (select from exchange_batches o where o.body_id = b.id and o.number = n)"
    " order by n limit 100"
)


def missing(session: Session, body_id: int) -> list[int]:
    """Return the numbers that a body has skipped, the first hundred of the last thousand."""
    return list(session.execute(MISSING, {"body": body_id, "back": MAX_AHEAD}).scalars())


# --- the job ------------------------------------------------------------------------------------------------------

DETAILS = {
    Conflict.LEVEL: "证件等级或类别与{name}共享数据不一致，请核实后更正或说明（第二十九条）",
    Conflict.VALIDITY: "证件有效期与{name}共享数据不一致，请核实后更正或说明（第二十九条）",
    Conflict.ENDED: "{name}共享数据显示该证件或资格已注销，登记仍为有效，请核实（第二十九条）",
    Conflict.NAME: "姓名与{name}共享数据不一致，请核对户口簿后更正（第二十九条）",
    Conflict.DEAD: "{name}共享数据显示死亡，登记为在世，请核实后办理死亡登记（第二十九条）",
    Conflict.ALIVE: "{name}共享数据显示在世，登记为死亡，请核实后恢复或说明（第二十九条）",
    Conflict.AREA: "家庭生产资料的面积或数量与{name}共享数据相差超出允许范围，请核实（第二十九条）",
}


def apply(batch_id: int) -> None:
    """Apply a received batch: the body of the job; a second run finds nothing to do. （第二十九条）"""
    by = principal()
    with transaction(by) as session:
        told = session.execute(
            sa.text("select member_id, conflict from exchange_apply(:batch, :floor, :share)"),
            {"batch": batch_id, "floor": AREA_FLOOR, "share": AREA_SHARE},
        ).all()
        batch = session.get_one(ExchangeBatch, batch_id)
        body = session.get_one(ExchangeBody, batch.body_id)
        tell(session, body, [(row.member_id, row.conflict) for row in told], by=by)
    log.info("exchange batch applied", body=body.code, number=batch.number, rows=batch.row_count)


def tell(session: Session, body: ExchangeBody, differences: Sequence[tuple[int, str]], *, by: ActingOfficer) -> None:
    """Raise a task for each member that differs; close those whose difference has gone. （第十一、二十九条）"""
    for conflict, words in DETAILS.items():
        members = sorted({member for member, found in differences if found == conflict})
        raise_tasks(session, TaskKind.DATA_CONFLICT, members, source=body.code, detail=words.format(name=body.name))
    gone = sorted({member for member, found in differences if not found})
    vanish(session, TaskKind.DATA_CONFLICT, gone, by=by) if gone else 0


def apply_waiting(by: ActingOfficer) -> int:
    """Apply what no job has applied: one that broke, or was lost with its worker. Return how many."""
    with transaction(by) as session:
        limit = now(session) - timedelta(minutes=STUCK_MINUTES)
        statement = (
            select(ExchangeBatch.id)
            .where(ExchangeBatch.status == BatchState.RECEIVED, ExchangeBatch.received_at < limit)
            .order_by(col(ExchangeBatch.id))
            .limit(1)
        )
        waiting = [number for number in session.exec(statement) if number is not None]
    for number in waiting:
        apply(number)
    return len(waiting)


# --- for rules ----------------------------------------------------------------------------------------------------


def connected(session: Session, body: str) -> bool:
    """Tell whether a body's data can be relied on: switched on, and something applied that isn't stale.

    （第十八、二十九条） A rule that needs a source asks this first; what isn't connected is no proof of anything.
    """
    found = session.exec(select(ExchangeBody).where(ExchangeBody.code == body)).one_or_none()
    return found is not None and state_of(found, today(session)) == "connected"


def state_of(body: ExchangeBody, day: date) -> str:
    """Return a body's state: "connected", "stale", "silent" (nothing yet) or "off"."""
    if not body.enabled:
        return "off"
    if body.last_applied_at is None or body.last_as_of is None:
        return "silent"
    return "stale" if body.last_as_of < day - timedelta(days=body.fresh_days) else "connected"


# --- keeping it ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _About:
    """What an event is about: a body belongs to the region."""

    id: int
    division_code: str = REGION_CODE


KEEP = sa.text("select exchange_keep(:body, :key, :on)")


def renew_key(session: Session, body: ExchangeBody, *, by: ActingOfficer) -> Revealed:
    """Make a body a new key, shown once; the former one is void from now on. （第二十九、三十条） Raises NotAllowed."""
    allow(session, by, Permission.EXCHANGE_KEEP)
    key = secrets.token_hex(32)
    session.execute(KEEP, {"body": body.id, "key": ring().seal(key), "on": True})
    record_event(session, _About(body.id or 0), "renew_key", by=by, label="生成共享接口密钥", noun=NOUN,
                 facts={"body": body.code})  # fmt: skip
    return Revealed("共享接口密钥", (("部门", body.name), ("部门代码", body.code), ("密钥（只显示这一次）", key)))


def switch(session: Session, body: ExchangeBody, *, by: ActingOfficer, enabled: bool, reason: str) -> ExchangeBody:
    """Switch a body's interface on or off. （第二十九条） Raises NotAllowed, KeyNotSet, NotFound."""
    allow(session, by, Permission.EXCHANGE_KEEP)
    if enabled and body.key_set_at is None:
        raise KeyNotSet(name=body.name)
    if not session.execute(KEEP, {"body": body.id, "key": None, "on": enabled}).scalar_one():
        raise NotFound
    label = "启用共享接口" if enabled else "停用共享接口"
    record_event(session, _About(body.id or 0), "switch", by=by, label=label, noun=NOUN, opinion=reason,
                 facts={"body": body.code, "enabled": enabled})  # fmt: skip
    session.refresh(body)
    return body


# --- what the console shows ---------------------------------------------------------------------------------------


def receipt_of(batch: ExchangeBatch, gaps: Sequence[int]) -> dict[str, Any]:
    """Return a batch's receipt: counts and row numbers, nobody's data."""
    counts = {
        "applied": batch.applied_count,
        "unchanged": batch.unchanged_count,
        "older": batch.older_count,
        "unknown": batch.unknown_count,
        "conflict": batch.conflict_count,
    }
    return {
        "receipt": batch.receipt,
        "number": batch.number,
        "status": str(batch.status),
        "rows": batch.row_count,
        "digest": batch.digest,
        "received_at": batch.received_at.isoformat(),
        "applied_at": batch.applied_at.isoformat() if batch.applied_at else None,
        "missing": list(gaps),
        "counts": counts if batch.status == BatchState.APPLIED else None,
        "outcomes": batch.outcomes if batch.status == BatchState.APPLIED else None,
    }


COVERAGE = sa.text(
    """
    select c.division_code as code, d.name, json_object_agg(c.source, c.fact_count) as counts,
        (select count(*) from exchange_facts f where f.county_code = c.division_code and f.conflict is not null
            and f.division_code >= c.division_code and f.division_code < left(c.division_code, 6) || '999999')
            as conflicts
    from exchange_coverage c join divisions d on d.code = c.division_code
    group by c.division_code, d.name order by c.division_code
    """
)


def coverage(session: Session) -> list[Any]:
    """Return by county, inside the range, how much each body has told and how much of it differs."""
    return list(session.execute(COVERAGE).all())
