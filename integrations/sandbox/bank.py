"""The sandbox agent bank: verifies accounts, pays batches in steps, keeps every booking, prints statements."""

import hashlib
import sqlite3
from base64 import b64encode
from collections.abc import Iterable, Mapping
from datetime import date
from typing import Annotated, Any

from fastapi import Body, FastAPI, Header
from pydantic import BaseModel
from starlette.responses import Response
from starlette.types import ASGIApp

from integrations.amounts import fen_of, yuan_text
from integrations.errors import OutsideError
from integrations.sandbox.bank_book import Payer, book, figures, refuse, reverse
from integrations.sandbox.bank_files import Order, read_order, write_results, write_statement
from integrations.sandbox.ledger import Ledger, next_number, now, take_fault
from integrations.sandbox.service import Gate, Refusal, make_service
from integrations.sandbox.world import of_kind, same_name

FAULTS = ("duplicate", "out_of_order", "alien", "contradiction")


class Asked(BaseModel):
    """One account to be verified."""

    reference: str
    number: str
    holder_name: str
    id_number: str


class Accounts(BaseModel):
    """One request of verification."""

    accounts: list[Asked]


class NoticeInquiry(BaseModel):
    """What has the bank told by itself since this notice?"""

    after: int
    limit: int = 1000


class Credit(BaseModel):
    """Money that arrives for an agent account."""

    reference: str
    agent_account: str
    amount: str


class CreditInquiry(BaseModel):
    """Has this money arrived?"""

    agent_account: str
    reference: str


class Return(BaseModel):
    """Money to go from the agent account back to the treasury."""

    number: str
    agent_account: str
    amount: str
    pay_app_no: str = ""
    purpose: str = ""


class StatementInquiry(BaseModel):
    """Which day's statement."""

    agent_account: str
    day: date


class AccountChange(BaseModel):
    """What becomes of an account, or of its holder."""

    number: str
    status: str = ""
    died: bool | None = None
    holder_name: str = ""
    tell: bool = False
    """Whether the bank tells of it by itself, before anybody asks."""


class Reversal(BaseModel):
    """A payment that comes back after it was paid (退汇)."""

    end_to_end_id: str


class Booking(BaseModel):
    """A booking that nobody ordered (interest, a mistake), for reconciliation to find."""

    agent_account: str
    amount: str
    credit: bool
    kind: str = "OTHER"


def make_app(ledger: Ledger, key: str, delay_seconds: float) -> ASGIApp:
    """Return the sandbox bank. delay_seconds: how long a batch stays at each step, at least."""
    app = make_service("代理银行（沙箱）", ledger, load, figures, FAULTS)
    _add_accounts(app, ledger)
    _add_batches(app, ledger, Payer(delay_seconds))
    _add_money(app, ledger)
    _add_control(app, ledger)
    return Gate(app, ledger, key)


def _add_accounts(app: FastAPI, ledger: Ledger) -> None:
    @app.post("/accounts/verify")
    def verify(asked: Accounts) -> dict[str, list[dict[str, Any]]]:
        with ledger.turn() as db:
            return {"answers": [_verified(db, one) for one in asked.accounts]}

    @app.post("/accounts/notices/inquiry")
    def notices(asked: NoticeInquiry) -> dict[str, list[dict[str, Any]]]:
        query = "select id as sequence, number, state, text from notices where id > ? order by id limit ?"
        with ledger.turn() as db:
            return {"notices": [dict(row) for row in db.execute(query, (asked.after, asked.limit))]}


def _verified(db: sqlite3.Connection, asked: Asked) -> dict[str, Any]:
    known = db.execute("select * from accounts where number = ?", (asked.number,)).fetchone()
    if known is None:
        state, text = "unknown", "账号不存在"
    elif known["status"] == "closed":
        state, text = "closed", "账户已销户"
    elif known["status"] in ("frozen", "lost"):
        state, text = "frozen", "账户已冻结或挂失"
    elif not same_name(known["holder_name"], asked.holder_name):
        state, text = "name_differs", "户名不符"
    elif known["holder_id"].upper() != asked.id_number.upper():
        state, text = "name_differs", "证件号码不符"
    elif known["status"] == "dormant":
        state, text = "dormant", "不动户（未激活金融功能）"
    else:
        state, text = "verified", "验证通过"
    return {"reference": asked.reference, "state": state, "text": text, "is_card": bool(known and known["is_card"])}


def _add_batches(app: FastAPI, ledger: Ledger, payer: Payer) -> None:
    @app.put("/batches/{message_id}")
    def receive(
        message_id: str,
        content: Annotated[bytes, Body(media_type="application/xml")],
        x_agent_account: Annotated[str, Header()] = "",
    ) -> dict[str, str]:
        digest = hashlib.sha256(content).hexdigest()
        with ledger.turn() as db:
            known = db.execute("select * from batches where message_id = ?", (message_id,)).fetchone()
            if known is not None and known["digest"] != digest:
                raise Refusal("DUPLICATE_MSGID", "报文标识已用于另一份内容不同的报文", 409)
            if known is None:
                order = _read(message_id, content, x_agent_account)
                reference = f"BK{next_number(db, 'batches'):012d}"
                _keep(db, order, digest, reference)
            else:
                reference = known["reference"]
        return {"message_id": message_id, "bank_reference": reference}

    @app.get("/batches/{message_id}")
    def state(message_id: str) -> dict[str, str]:
        with ledger.turn() as db:
            payer.step(db, message_id)
            known = db.execute("select state from batches where message_id = ?", (message_id,)).fetchone()
        if known is None:
            raise Refusal("BATCH_UNKNOWN", "没有这个批次", 404)
        return {"state": known["state"]}

    @app.get("/batches/{message_id}/results")
    def results(message_id: str) -> dict[str, list[str]]:
        with ledger.turn() as db:
            rows = db.execute("select content from results where message_id = ? order by part", (message_id,))
            files = _disturbed(db, message_id, [row["content"] for row in rows])
        return {"files": [b64encode(file).decode() for file in files]}


def _read(message_id: str, content: bytes, agent_account: str) -> Order:
    try:
        order = read_order(content)
    except OutsideError as wrong:
        raise Refusal("FORMAT", str(wrong)) from wrong
    if order.message_id != message_id:
        raise Refusal("FORMAT", "报文标识与请求不一致")
    if order.debtor_account != agent_account:
        raise Refusal("AGENT_ACCOUNT", "报文付款账号与代发户不一致")
    return order


def _keep(db: sqlite3.Connection, order: Order, digest: str, reference: str) -> None:
    """Keep a new batch; one whose sums disagree or whose account is not here is refused as a whole."""
    db.execute(
        "insert into batches (message_id, digest, reference, agent_account, received_at) values (?, ?, ?, ?, ?)",
        (order.message_id, digest, reference, order.debtor_account, now(db).isoformat(timespec="seconds")),
    )
    known = db.execute("select 1 from agent_accounts where number = ?", (order.debtor_account,)).fetchone()
    if known is None:
        refuse(db, order.message_id, "AC02", "付款账号不是本行代发户")
    elif not order.sums_agree():
        refuse(db, order.message_id, "AM10", "笔数或金额合计与明细不符")
    else:
        db.executemany(
            "insert into payments (message_id, sequence, end_to_end_id, payee_name, account_number, amount_fen)"
            " values (?, ?, ?, ?, ?, ?)",
            [(order.message_id, at, *payment) for at, payment in enumerate(order.payments or [])],
        )


def _disturbed(db: sqlite3.Connection, message_id: str, files: list[bytes]) -> list[bytes]:
    """Return the result files as an ordered fault makes them: twice, backwards, or with answers that fit nothing."""
    fault = take_fault(db, FAULTS, "GET", f"/batches/{message_id}/results") if files else None
    if fault is None:
        return files
    if fault["kind"] == "duplicate":
        return files + files
    if fault["kind"] == "out_of_order":
        return files[::-1]
    paid = db.execute(
        "select * from payments where message_id = ? and status = 'ACCC' order by sequence", (message_id,)
    ).fetchone()
    stranger = {"end_to_end_id": "STRANGER-1", "amount_fen": 100, "status": "ACCC", "code": "", "text": ""}
    if fault["kind"] == "contradiction" and paid is not None:
        stranger = {**dict(paid), "status": "RJCT", "code": "MS03", "text": ""}
    extra = write_results(f"{message_id}-X"[-35:], message_id, "PART", now(db), [stranger])
    return [*files, extra]


def _add_money(app: FastAPI, ledger: Ledger) -> None:
    @app.post("/credits")
    def credit(asked: Credit) -> dict[str, str]:
        amount_fen = _positive(asked.amount)
        with ledger.turn() as db:
            _require_agent(db, asked.agent_account)
            known = _credited(db, asked.agent_account, asked.reference)
            if known is None:
                book(db, asked.agent_account, amount_fen, asked.reference, "CREDIT", credit=True)
                known = _credited(db, asked.agent_account, asked.reference)
            elif known["amount_fen"] != amount_fen:
                raise Refusal("REFERENCE_REUSED", "入账编号已用于另一笔款项", 409)
            return {"credited_at": known["booked_at"] if known else ""}

    @app.post("/credits/inquiry")
    def credited(asked: CreditInquiry) -> dict[str, str | None]:
        with ledger.turn() as db:
            known = _credited(db, asked.agent_account, asked.reference)
            return {"credited_at": known["booked_at"] if known else None}

    @app.post("/returns")
    def send_back(asked: Return) -> dict[str, str]:
        amount_fen = _positive(asked.amount)
        with ledger.turn() as db:
            account = _require_agent(db, asked.agent_account)
            known = _returned(db, asked.number)
            if known is None:
                if account["balance_fen"] < amount_fen:
                    raise Refusal("AM04", "代发户余额不足")
                book(db, asked.agent_account, amount_fen, asked.number, "RETURN", credit=False)
                known = _returned(db, asked.number)
            elif (known["amount_fen"], known["agent_account"]) != (amount_fen, asked.agent_account):
                raise Refusal("RETURN_NO_REUSED", "退款单号已用于另一笔退款", 409)
            return _receipt(known)

    @app.get("/returns/{number:path}")
    def returned(number: str) -> dict[str, str]:
        with ledger.turn() as db:
            known = _returned(db, number)
            if known is None:
                raise Refusal("RETURN_UNKNOWN", "没有这笔退款", 404)
            return _receipt(known)

    @app.post("/statements/inquiry")
    def statement(asked: StatementInquiry) -> Response:
        with ledger.turn() as db:
            _require_agent(db, asked.agent_account)
            content = _statement(db, asked.agent_account, asked.day)
        return Response(content, media_type="application/xml")


def _statement(db: sqlite3.Connection, account: str, day: date) -> bytes:
    """Return the statement of one day; its number tells the bookings it covers, so another content has another one."""
    signed = "coalesce(sum(case when credit then amount_fen else -amount_fen end), 0)"
    totals = f"select {signed} total, count(*) count from bookings where agent_account = ? and booked_on"  # noqa: S608
    before = db.execute(totals + " < ?", (account, day.isoformat())).fetchone()
    through = db.execute(totals + " <= ?", (account, day.isoformat())).fetchone()
    bookings = db.execute(
        "select * from bookings where agent_account = ? and booked_on = ? order by id", (account, day.isoformat())
    )
    number = f"DZ{day:%Y%m%d}-{account[-4:]}-{through['count']:06d}"
    return write_statement(number, account, day, now(db), before["total"], bookings, through["total"])


def _add_control(app: FastAPI, ledger: Ledger) -> None:
    @app.post("/control/accounts")
    def change(asked: AccountChange) -> dict[str, str]:
        with ledger.turn() as db:
            changed = db.execute(
                "update accounts set status = coalesce(nullif(?, ''), status), died = coalesce(?, died),"
                " holder_name = coalesce(nullif(?, ''), holder_name) where number = ?",
                (asked.status, asked.died, asked.holder_name, asked.number),
            )
            if not changed.rowcount:
                raise Refusal("ACCOUNT_UNKNOWN", "沙箱里没有这个账户")
            if asked.tell:
                state = "name_differs" if asked.holder_name else asked.status
                text = {"dormant": "不动户（未激活金融功能）", "closed": "账户已销户"}.get(state, "户名不符")
                db.execute("insert into notices (number, state, text) values (?, ?, ?)", (asked.number, state, text))
        return {"status": "ok"}

    @app.post("/control/reversals")
    def take_back(asked: Reversal) -> dict[str, str]:
        with ledger.turn() as db:
            if not reverse(db, asked.end_to_end_id):
                raise Refusal("PAYMENT_UNKNOWN", "没有这笔成功的支付")
        return {"status": "ok"}

    @app.post("/control/bookings")
    def book_unasked(asked: Booking) -> dict[str, str]:
        with ledger.turn() as db:
            _require_agent(db, asked.agent_account)
            reference = f"QT{next_number(db, 'others'):08d}"
            book(db, asked.agent_account, _positive(asked.amount), reference, asked.kind, credit=asked.credit)
        return {"status": "ok"}


def _require_agent(db: sqlite3.Connection, number: str) -> sqlite3.Row:
    row = db.execute("select * from agent_accounts where number = ?", (number,)).fetchone()
    if row is None:
        raise Refusal("AGENT_ACCOUNT", "不是本行代发户")
    found: sqlite3.Row = row
    return found


def _credited(db: sqlite3.Connection, account: str, reference: str) -> sqlite3.Row | None:
    found: sqlite3.Row | None = db.execute(
        "select * from bookings where kind = 'CREDIT' and agent_account = ? and end_to_end_id = ?", (account, reference)
    ).fetchone()
    return found


def _returned(db: sqlite3.Connection, number: str) -> sqlite3.Row | None:
    found: sqlite3.Row | None = db.execute(
        "select * from bookings where kind = 'RETURN' and end_to_end_id = ?", (number,)
    ).fetchone()
    return found


def _receipt(known: sqlite3.Row | None) -> dict[str, str]:
    if known is None:
        return {}
    return {
        "number": known["end_to_end_id"],
        "bank_reference": known["reference"],
        "returned_at": known["booked_at"],
        "amount": yuan_text(known["amount_fen"]),
    }


def _positive(text: str) -> int:
    try:
        amount_fen = fen_of(text)
    except ValueError:
        amount_fen = 0
    if amount_fen <= 0:
        raise Refusal("FIELD_WRONG", "金额须为大于 0 的数字，最多两位小数")
    return amount_fen


def load(db: sqlite3.Connection, lines: Iterable[Mapping[str, Any]]) -> None:
    """Take the accounts, agent accounts and deaths of a world file that are not known yet."""
    lines = list(lines)
    db.executemany(
        "insert or ignore into accounts (number, holder_name, holder_id, bank_code, status, is_card)"
        " values (:number, :holder_name, :holder_id, :bank_code, :status, :is_card)",
        [{"is_card": line["number"].startswith("62"), **line} for line in of_kind(lines, "account")],
    )
    db.executemany(
        "insert or ignore into agent_accounts (number, name, bank_code, division_code)"
        " values (:number, :name, :bank_code, :division_code)",
        of_kind(lines, "agent_account"),
    )
    db.executemany(
        "insert or ignore into deaths values (:id_number, :died_on)",
        [line for line in of_kind(lines, "person") if line.get("died_on")],
    )
