"""The sandbox budget system: gives out indicators, funds payment applications, takes refunds back."""

import hashlib
import json
import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from fastapi import FastAPI
from pydantic import BaseModel, ConfigDict
from starlette.types import ASGIApp

from integrations.amounts import fen_of, yuan_text
from integrations.errors import OutsideError, Rejected
from integrations.sandbox.ledger import Ledger, next_number, now, take_fault
from integrations.sandbox.service import Gate, Refusal, make_service
from integrations.sandbox.world import of_kind
from integrations.transport import Partner

TABLES = """
create table if not exists indicators (
    sequence integer primary key, bgt_id text not null unique, division text not null, hot_topic text not null,
    fields text not null, amount_fen integer not null, distributed_fen integer not null,
    applied_fen integer not null default 0,
    check (amount_fen - distributed_fen - applied_fen >= 0 and applied_fen >= 0));
create table if not exists applications (
    number text primary key, pay_app_id text not null, digest text not null, bgt_id text not null,
    amount_fen integer not null, payee_account text not null, status text not null default 'received',
    funded_at text, reason text not null default '', credited integer not null default 0);
create table if not exists refunds (
    number text primary key, digest text not null, pay_app_no text not null, bgt_id text not null,
    amount_fen integer not null, status text not null default 'received', returned_at text,
    reason text not null default '');
"""

PEOPLE_CLASS = "509"
"""Government class 对个人和家庭的补助: only its items are payable to people."""


class Application(BaseModel):
    """A payment application: the fields that the sandbox judges, and whatever else it carries."""

    model_config = ConfigDict(extra="allow")

    PAY_APP_NO: str
    BGT_ID: str
    MOF_DIV_CODE: str
    GOV_BGT_ECO_CODE: str
    PAY_APP_AMT: str
    PAYEE_ACCT_NO: str
    CURRENCY_CODE: str


class Refund(BaseModel):
    """A refund: the fields that the sandbox judges, and whatever else it carries."""

    model_config = ConfigDict(extra="allow")

    REFUND_NO: str
    PAY_APP_NO: str
    BGT_ID: str
    REFUND_AMT: str


@dataclass
class BudgetOffice:
    """What the budget system does with applications and refunds after it has received them."""

    ledger: Ledger
    bank: Partner | None
    fund_on_inquiry: bool

    def tick(self) -> None:
        """Go on with everything that waits; called every moment by the process."""
        self._credit_all()
        if not self.fund_on_inquiry:
            self._fund_waiting()
        with self.ledger.turn() as db:
            waiting = db.execute("select number from refunds where status = 'received'").fetchall()
        for row in waiting:
            self.settle_refund(row["number"])

    def _fund_waiting(self) -> None:
        with self.ledger.turn() as db:
            waiting = db.execute("select number from applications where status = 'received'").fetchall()
        for row in waiting:
            self.fund(row["number"])

    def fund(self, number: str) -> None:
        """Fund one application that waits, or reject it when a fault says so, and credit the agent account."""
        with self.ledger.turn() as db:
            row = db.execute("select * from applications where number = ?", (number,)).fetchone()
            if row is None or row["status"] != "received":
                return
            if take_fault(db, ("reject",), "POST", "/pay-applications"):
                self._reject(db, row, "国库集中支付复核未通过（沙箱故障）")
            else:
                moment = now(db).isoformat(timespec="seconds")
                db.execute(
                    "update applications set status = 'funded', funded_at = ? where number = ?", (moment, number)
                )
        self._credit_all()

    def _credit_all(self) -> None:
        """Send the money of funded applications to the bank; what fails waits for the next moment."""
        if self.bank is None:
            return
        with self.ledger.turn() as db:
            waiting = db.execute("select * from applications where status = 'funded' and not credited").fetchall()
        for row in waiting:
            amount = yuan_text(row["amount_fen"])
            body = {"reference": row["number"], "agent_account": row["payee_account"], "amount": amount}
            try:
                self.bank.write("POST", "/credits", body)
            except Rejected as refused:
                with self.ledger.turn() as db:
                    self._reject(db, row, f"收款账户未通过：{refused.text}")
                continue
            except OutsideError:
                continue
            with self.ledger.turn() as db:
                db.execute("update applications set credited = 1 where number = ?", (row["number"],))

    def _reject(self, db: sqlite3.Connection, row: sqlite3.Row, reason: str) -> None:
        """Reject an application and release its money, once."""
        rejected = db.execute(
            "update applications set status = 'rejected', funded_at = null, reason = ?"
            " where number = ? and status <> 'rejected' and not credited",
            (reason, row["number"]),
        )
        if rejected.rowcount:
            db.execute(
                "update indicators set applied_fen = applied_fen - ? where bgt_id = ?",
                (row["amount_fen"], row["bgt_id"]),
            )

    def settle_refund(self, number: str) -> None:
        """Put a refund back on its indicator once the bank confirms that the money has come."""
        with self.ledger.turn() as db:
            row = db.execute("select * from refunds where number = ?", (number,)).fetchone()
        if row is None or row["status"] != "received" or not self._money_back(row):
            return
        with self.ledger.turn() as db:
            settled = db.execute(
                "update refunds set status = 'returned', returned_at = ? where number = ? and status = 'received'",
                (now(db).isoformat(timespec="seconds"), number),
            )
            if settled.rowcount:
                db.execute(
                    "update indicators set applied_fen = applied_fen - ? where bgt_id = ?",
                    (row["amount_fen"], row["bgt_id"]),
                )

    def _money_back(self, row: sqlite3.Row) -> bool:
        if self.bank is None:
            return True
        try:
            answer = self.bank.read("GET", f"/returns/{quote(row['number'], safe='')}")
        except OutsideError:
            return False
        return answer.status_code == 200 and fen_of(answer.json()["amount"]) == row["amount_fen"]


def make_app(ledger: Ledger, key: str, office: BudgetOffice, page_size: int) -> ASGIApp:
    """Return the sandbox budget system."""
    app = make_service("预算管理一体化系统（沙箱）", ledger, load, figures, ("reject",))
    _add_indicators(app, ledger, page_size)
    _add_applications(app, ledger, office)
    _add_refunds(app, ledger, office)
    return Gate(app, ledger, key)


def _add_indicators(app: FastAPI, ledger: Ledger, page_size: int) -> None:
    @app.get("/indicators")
    def indicators(MOF_DIV_CODE: str, HOT_TOPIC_CATE_NAME: str, cursor: str = "") -> dict[str, Any]:
        with ledger.turn() as db:
            rows = db.execute(
                "select * from indicators where division = ? and hot_topic = ? and sequence > ?"
                " order by sequence limit ?",
                (MOF_DIV_CODE, HOT_TOPIC_CATE_NAME, int(cursor or 0), page_size + 1),
            ).fetchall()
        page = rows[:page_size]
        more = str(page[-1]["sequence"]) if len(rows) > page_size else ""
        return {"data": [_indicator(row) for row in page], "next_cursor": more}


def _add_applications(app: FastAPI, ledger: Ledger, office: BudgetOffice) -> None:
    @app.post("/pay-applications")
    def apply(asked: Application) -> dict[str, str]:
        digest = _digest(asked)
        with ledger.turn() as db:
            known = db.execute("select * from applications where number = ?", (asked.PAY_APP_NO,)).fetchone()
            if known is None:
                _accept(db, asked, digest)
                known = db.execute("select * from applications where number = ?", (asked.PAY_APP_NO,)).fetchone()
            elif known["digest"] != digest:
                raise Refusal("PAY_APP_NO_REUSED", "支付申请号已用于另一份内容不同的申请", 409)
            return {"PAY_APP_NO": known["number"], "PAY_APP_ID": known["pay_app_id"], "STATUS": known["status"]}

    @app.get("/pay-applications/{number:path}")
    def state(number: str) -> dict[str, str | None]:
        if office.fund_on_inquiry:
            office.fund(number)
        with ledger.turn() as db:
            row = db.execute("select * from applications where number = ?", (number,)).fetchone()
        if row is None:
            raise Refusal("PAY_APP_UNKNOWN", "没有这份支付申请", 404)
        return {"STATUS": row["status"], "FUNDED_AT": row["funded_at"], "REASON": row["reason"]}


def _add_refunds(app: FastAPI, ledger: Ledger, office: BudgetOffice) -> None:
    @app.post("/refunds")
    def refund(asked: Refund) -> dict[str, str | None]:
        digest = _digest(asked)
        with ledger.turn() as db:
            known = db.execute("select * from refunds where number = ?", (asked.REFUND_NO,)).fetchone()
            if known is None:
                _take_back(db, asked, digest)
            elif known["digest"] != digest:
                raise Refusal("REFUND_NO_REUSED", "退款单号已用于另一份内容不同的退款", 409)
        return refund_state(asked.REFUND_NO)

    @app.get("/refunds/{number:path}")
    def refund_state(number: str) -> dict[str, str | None]:
        office.settle_refund(number)
        with ledger.turn() as db:
            row = db.execute("select * from refunds where number = ?", (number,)).fetchone()
        if row is None:
            raise Refusal("REFUND_UNKNOWN", "没有这份退款", 404)
        return {"STATUS": row["status"], "RETURNED_AT": row["returned_at"], "REASON": row["reason"]}


def _accept(db: sqlite3.Connection, asked: Application, digest: str) -> None:
    """Judge a new application and reserve its money on the indicator."""
    amount_fen = _positive(asked.PAY_APP_AMT)
    if asked.CURRENCY_CODE != "CNY":
        raise Refusal("FIELD_WRONG", "币种须为 CNY")
    indicator = db.execute("select * from indicators where bgt_id = ?", (asked.BGT_ID,)).fetchone()
    if indicator is None or indicator["division"] != asked.MOF_DIV_CODE:
        raise Refusal("BGT_UNKNOWN", "本区划没有该指标")
    if not asked.GOV_BGT_ECO_CODE.startswith(PEOPLE_CLASS):
        raise Refusal("ECO_WRONG", "政府经济分类不能直接支付到人（须为 509 类）")
    if not asked.PAYEE_ACCT_NO:
        raise Refusal("PAYEE_UNKNOWN", "缺少收款账号（代发户）")
    if indicator["amount_fen"] - indicator["distributed_fen"] - indicator["applied_fen"] < amount_fen:
        raise Refusal("BGT_SHORT", "指标可用余额不足")
    db.execute("update indicators set applied_fen = applied_fen + ? where bgt_id = ?", (amount_fen, asked.BGT_ID))
    pay_app_id = f"PA{next_number(db, 'applications'):012d}"
    db.execute(
        "insert into applications (number, pay_app_id, digest, bgt_id, amount_fen, payee_account)"
        " values (?, ?, ?, ?, ?, ?)",
        (asked.PAY_APP_NO, pay_app_id, digest, asked.BGT_ID, amount_fen, asked.PAYEE_ACCT_NO),
    )


def _take_back(db: sqlite3.Connection, asked: Refund, digest: str) -> None:
    """Judge a new refund against the application that paid it."""
    amount_fen = _positive(asked.REFUND_AMT)
    paid = db.execute(
        "select * from applications where number = ? and status = 'funded'", (asked.PAY_APP_NO,)
    ).fetchone()
    if paid is None:
        raise Refusal("PAY_APP_UNKNOWN", "没有已拨付的这份支付申请")
    if paid["bgt_id"] != asked.BGT_ID:
        raise Refusal("BGT_DIFFERS", "退款须退回原支付指标")
    before = db.execute(
        "select coalesce(sum(amount_fen), 0) total from refunds where pay_app_no = ?", (asked.PAY_APP_NO,)
    ).fetchone()["total"]
    if before + amount_fen > paid["amount_fen"]:
        raise Refusal("REFUND_TOO_MUCH", "退款合计超过原支付金额")
    db.execute(
        "insert into refunds (number, digest, pay_app_no, bgt_id, amount_fen) values (?, ?, ?, ?, ?)",
        (asked.REFUND_NO, digest, asked.PAY_APP_NO, asked.BGT_ID, amount_fen),
    )


def _positive(text: str) -> int:
    try:
        amount_fen = fen_of(text)
    except ValueError:
        amount_fen = 0
    if amount_fen <= 0:
        raise Refusal("FIELD_WRONG", "金额须为大于 0 的数字，最多两位小数")
    return amount_fen


def _digest(whole: BaseModel) -> str:
    return hashlib.sha256(json.dumps(whole.model_dump(), sort_keys=True).encode()).hexdigest()


def _indicator(row: sqlite3.Row) -> dict[str, Any]:
    available_fen = row["amount_fen"] - row["distributed_fen"] - row["applied_fen"]
    return {
        **json.loads(row["fields"]),
        "AMOUNT": yuan_text(row["amount_fen"]),
        "DIS_AMT": yuan_text(row["distributed_fen"]),
        "PAY_APP_AMT": yuan_text(row["applied_fen"]),
        "CUR_AMT": yuan_text(available_fen),
    }


def load(db: sqlite3.Connection, lines: Iterable[Mapping[str, Any]]) -> None:
    """Take the indicators of a world file that are not known yet, and newer versions (UPDATE_TIME) of others."""
    db.executemany(
        "insert into indicators (bgt_id, division, hot_topic, fields, amount_fen, distributed_fen)"
        " values (?, ?, ?, ?, ?, ?) on conflict (bgt_id) do update set division = excluded.division,"
        " hot_topic = excluded.hot_topic, fields = excluded.fields, amount_fen = excluded.amount_fen,"
        " distributed_fen = excluded.distributed_fen"
        " where json_extract(excluded.fields, '$.UPDATE_TIME') > json_extract(indicators.fields, '$.UPDATE_TIME')",
        [
            (
                line["BGT_ID"],
                str(line["MOF_DIV_CODE"])[:9],
                line["HOT_TOPIC_CATE_NAME"],
                json.dumps({name: value for name, value in line.items() if name != "kind"}, ensure_ascii=False),
                fen_of(str(line["AMOUNT"])),
                fen_of(str(line.get("DIS_AMT", "0"))),
            )
            for line in of_kind(lines, "indicator")
        ],
    )


def figures(db: sqlite3.Connection) -> dict[str, Any]:
    """Return the totals in fen, by indicator and by status of applications and refunds."""
    indicators = db.execute(
        "select bgt_id, amount_fen, applied_fen, amount_fen - distributed_fen - applied_fen available_fen"
        " from indicators order by sequence"
    ).fetchall()
    counted = "select status, count(*) count, sum(amount_fen) amount_fen from {} group by status"
    applications = db.execute(counted.format("applications")).fetchall()
    refunds = db.execute(counted.format("refunds")).fetchall()
    uncredited = "select coalesce(sum(amount_fen), 0) total from applications where status = 'funded' and not credited"
    return {
        "amount_fen": sum(row["amount_fen"] for row in indicators),
        "available_fen": sum(row["available_fen"] for row in indicators),
        "funded_fen": sum(row["amount_fen"] for row in applications if row["status"] == "funded"),
        "refunded_fen": sum(row["amount_fen"] for row in refunds if row["status"] == "returned"),
        "not_yet_credited_fen": db.execute(uncredited).fetchone()["total"],
        "indicators": {row["bgt_id"]: dict(row) for row in indicators},
        "applications": {row["status"]: dict(row) for row in applications},
        "refunds": {row["status"]: dict(row) for row in refunds},
    }
