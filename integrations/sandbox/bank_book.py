"""The sandbox bank's books: what each payment becomes, every booking, and the totals of it all."""

import sqlite3
from time import monotonic
from typing import Any

from integrations.sandbox.bank_files import write_results
from integrations.sandbox.ledger import next_number, now
from integrations.sandbox.world import same_name

TABLES = """
create table if not exists accounts (
    number text primary key, holder_name text not null, holder_id text not null, bank_code text not null,
    status text not null, died integer not null default 0, is_card integer not null);
create table if not exists notices (
    id integer primary key, number text not null, state text not null, text text not null);
create table if not exists deaths (id_number text primary key, died_on text not null);
create table if not exists agent_accounts (
    number text primary key, name text not null, bank_code text not null, division_code text not null,
    balance_fen integer not null default 0 check (balance_fen >= 0));
create table if not exists batches (
    message_id text primary key, digest text not null, reference text not null, agent_account text not null,
    received_at text not null, state text not null default 'received', part integer not null default 0);
create table if not exists payments (
    message_id text not null, sequence integer not null, end_to_end_id text not null, payee_name text not null,
    account_number text not null, amount_fen integer not null, status text not null default 'PDNG',
    code text not null default '', text text not null default '', primary key (message_id, sequence));
create index if not exists payments_reference on payments (end_to_end_id);
create table if not exists successes (end_to_end_id text primary key);
create table if not exists results (
    message_id text not null, part integer not null, content blob not null, primary key (message_id, part));
create table if not exists bookings (
    id integer primary key, agent_account text not null, booked_on text not null, booked_at text not null,
    credit integer not null, amount_fen integer not null check (amount_fen > 0), reference text not null,
    end_to_end_id text not null, kind text not null);
create index if not exists bookings_day on bookings (agent_account, booked_on);
create index if not exists bookings_reference on bookings (end_to_end_id);
"""

STATUSES = {"closed": ("AC04", "账户已销户"), "frozen": ("AC06", "账户被冻结"), "lost": ("LOST", "卡片已挂失")}

FACTS = """
    select p.*, a.number known, a.holder_name, a.status account_status,
           a.died or exists (select 1 from deaths d where d.id_number = a.holder_id and d.died_on <= :today) dead,
           s.end_to_end_id is not null paid_before
    from payments p left join accounts a on a.number = p.account_number
    left join successes s on s.end_to_end_id = p.end_to_end_id
    where p.message_id = :message_id and p.status = 'PDNG' order by p.sequence limit :limit
"""


class Payer:
    """Pays batches in steps, one step an inquiry: received → accepted → first half paid → all paid."""

    def __init__(self, delay_seconds: float) -> None:
        """Keep the least time between two steps of one batch."""
        self.delay_seconds = delay_seconds
        self._stepped: dict[str, float] = {}

    def step(self, db: sqlite3.Connection, message_id: str) -> None:
        """Take a batch one step further, if it is time."""
        batch = db.execute("select * from batches where message_id = ?", (message_id,)).fetchone()
        if batch is None or batch["state"] not in ("received", "accepted"):
            return
        since = self._stepped.setdefault(message_id, monotonic())
        if monotonic() - since < self.delay_seconds:
            return
        self._stepped[message_id] = monotonic()
        if batch["state"] == "received":
            db.execute("update batches set state = 'accepted' where message_id = ?", (message_id,))
            return
        count = db.execute("select count(*) c from payments where message_id = ?", (message_id,)).fetchone()["c"]
        if batch["part"] == 0 and count > 1:
            _pay(db, batch, count // 2)
            _report(db, batch, 1, "PART")
        else:
            _pay(db, batch, count)
            _report(db, batch, 2, "")
            db.execute("update batches set state = 'settled' where message_id = ?", (message_id,))


def _pay(db: sqlite3.Connection, batch: sqlite3.Row, limit: int) -> None:
    """Judge the next payments of a batch and book those that go through."""
    today = now(db).date().isoformat()
    message_id, account = batch["message_id"], batch["agent_account"]
    balance_fen = db.execute("select balance_fen from agent_accounts where number = ?", (account,)).fetchone()[0]
    payments = db.execute(FACTS, {"today": today, "message_id": message_id, "limit": limit}).fetchall()
    seen: set[str] = set()
    judged: list[tuple[str, str, str, str, int]] = []
    paid: list[sqlite3.Row] = []
    for payment in payments:
        code, text = _judge(payment, balance_fen, seen)
        judged.append(("RJCT" if code else "ACCC", code, text, message_id, payment["sequence"]))
        if not code:
            seen.add(payment["end_to_end_id"])
            balance_fen -= payment["amount_fen"]
            paid.append(payment)
    db.executemany("update payments set status = ?, code = ?, text = ? where message_id = ? and sequence = ?", judged)
    db.executemany("insert into successes values (?)", [(one["end_to_end_id"],) for one in paid])
    moment = now(db).isoformat(timespec="seconds")
    db.executemany(
        "insert into bookings (agent_account, booked_on, booked_at, credit, amount_fen, reference, end_to_end_id, kind)"
        " values (?, ?, ?, 0, ?, ?, ?, 'PAY')",
        [
            (account, today, moment, one["amount_fen"], f"{batch['reference']}-{one['sequence']}", one["end_to_end_id"])
            for one in paid
        ],
    )
    db.execute("update agent_accounts set balance_fen = ? where number = ?", (balance_fen, account))


def _judge(payment: sqlite3.Row, balance_fen: int, seen: set[str]) -> tuple[str, str]:
    """Return why a payment can't be made, as code and text; ("", "") when it can."""
    checks = (
        (payment["known"] is None, "AC03", "收款账号不存在"),
        (payment["account_status"] in STATUSES, *STATUSES.get(payment["account_status"], ("", ""))),
        (payment["dead"], "MD07", "收款人已死亡"),
        (payment["account_status"] == "dormant", "DORMANT", "不动户，未激活金融功能"),
        (payment["known"] and not same_name(payment["holder_name"], payment["payee_name"]), "BE01", "户名不符"),
        (payment["paid_before"] or payment["end_to_end_id"] in seen, "AM05", "重复支付"),
        (payment["amount_fen"] > balance_fen, "AM04", "代发户余额不足"),
    )
    return next(((code, text) for wrong, code, text in checks if wrong), ("", ""))


def _report(db: sqlite3.Connection, batch: sqlite3.Row, part: int, group_status: str) -> None:
    """Keep a result file over all payments judged so far."""
    message_id = batch["message_id"]
    judged = db.execute(
        "select * from payments where message_id = ? and status <> 'PDNG' order by sequence", (message_id,)
    ).fetchall()
    if not group_status:
        kinds = {payment["status"] for payment in judged}
        group_status = kinds.pop() if len(kinds) == 1 else "PART"
    content = write_results(f"{batch['reference']}-{part}", message_id, group_status, now(db), judged)
    db.execute("insert into results values (?, ?, ?)", (message_id, part, content))
    db.execute("update batches set part = ? where message_id = ?", (part, message_id))


def refuse(db: sqlite3.Connection, message_id: str, code: str, text: str) -> None:
    """Refuse a batch as a whole, with a result file that says so at group level."""
    batch = db.execute("select * from batches where message_id = ?", (message_id,)).fetchone()
    db.execute("update batches set state = 'refused' where message_id = ?", (message_id,))
    content = write_results(f"{batch['reference']}-1", message_id, "RJCT", now(db), [], (code, text))
    db.execute("insert into results values (?, 1, ?)", (message_id, content))


def book(db: sqlite3.Connection, account: str, amount_fen: int, end_to_end_id: str, kind: str, *, credit: bool) -> None:
    """Book one movement of an agent account."""
    moment = now(db)
    db.execute(
        "insert into bookings (agent_account, booked_on, booked_at, credit, amount_fen, reference, end_to_end_id, kind)"
        " values (?, ?, ?, ?, ?, ?, ?, ?)",
        (
            account,
            moment.date().isoformat(),
            moment.isoformat(timespec="seconds"),
            credit,
            amount_fen,
            f"{kind[:2]}{next_number(db, 'bookings'):010d}",
            end_to_end_id,
            kind,
        ),
    )
    change = amount_fen if credit else -amount_fen
    db.execute("update agent_accounts set balance_fen = balance_fen + ? where number = ?", (change, account))


def reverse(db: sqlite3.Connection, end_to_end_id: str) -> bool:
    """Bring a paid payment back to the agent account; tell whether there was one."""
    paid = db.execute(
        "select p.*, b.agent_account from payments p join batches b using (message_id)"
        " where end_to_end_id = ? and status = 'ACCC'",
        (end_to_end_id,),
    ).fetchone()
    if paid is None:
        return False
    book(db, paid["agent_account"], paid["amount_fen"], end_to_end_id, "REVERSAL", credit=True)
    db.execute(
        "update payments set status = 'REVERSED' where message_id = ? and sequence = ?",
        (paid["message_id"], paid["sequence"]),
    )
    db.execute("delete from successes where end_to_end_id = ?", (end_to_end_id,))
    return True


def figures(db: sqlite3.Connection) -> dict[str, Any]:
    """Return the totals in fen: of the bookings by kind, of payments and batches by status, and by agent account."""
    kinds = db.execute(
        "select agent_account, kind, credit, count(*) count, sum(amount_fen) amount_fen from bookings group by 1, 2, 3"
    ).fetchall()
    accounts = db.execute("select number, balance_fen from agent_accounts").fetchall()
    payments = db.execute("select status, count(*) count, sum(amount_fen) amount_fen from payments group by 1")
    batches = db.execute("select state, count(*) count from batches group by 1")

    def total(kind: str, account: str = "") -> int:
        return sum(row["amount_fen"] for row in kinds if row["kind"] == kind and account in ("", row["agent_account"]))

    def totals(account: str = "") -> dict[str, int]:
        names = {"credited_fen": "CREDIT", "paid_fen": "PAY", "returned_fen": "RETURN", "reversed_fen": "REVERSAL"}
        return {name: total(kind, account) for name, kind in names.items()}

    return {
        **totals(),
        "balance_fen": sum(row["balance_fen"] for row in accounts),
        "payments": {row["status"]: {"count": row["count"], "amount_fen": row["amount_fen"]} for row in payments},
        "batches": {row["state"]: row["count"] for row in batches},
        "agent_accounts": {
            row["number"]: {**totals(row["number"]), "balance_fen": row["balance_fen"]} for row in accounts
        },
    }
