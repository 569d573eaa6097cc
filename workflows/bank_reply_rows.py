"""The rows of a bank's reply in the database: staged by COPY, matched with what is the bank's own, marked when applied.

Matching runs as the bank's officer, under the bank's row policies: what belongs to another bank isn't found. No query
is made per row, and no account number is kept, only the account it found and a masked number. （第三十条）
"""

from collections.abc import Callable, Sequence
from typing import Any

import psycopg
from sqlalchemy import text
from sqlmodel import Session

from integrations.banks import AccountAnswer
from integrations.iso20022.pain002 import PaymentResult, ResultFile, Verdict
from integrations.iso20022.reasons import failure_class
from models.bank_batches import BankBatch
from models.bank_replies import BankReply, ReplyKind
from models.crypto import ring
from policies.identities import mask_card
from reports.sheets.bank_replies import said
from reports.sheets.bank_reply_reader import Row
from workflows.plans import by_hash
from workflows.results import MISFITS

Finding = Callable[[int, str, str], None]
"""Row number, what, remedy."""

STAGING = """
create temporary table staged_reply (
    row_number integer, reference text, account_index bytea, amount_fen bigint, state text,
    is_card boolean, settled_on date, code text, words text
) on commit drop
"""
TYPES = ["int4", "text", "bytea", "int8", "text", "bool", "date", "text", "text"]
TAKE_OVER = text(
    """
    insert into bank_reply_rows (division_code, reply_id, row_number, bank_id, reference, account_id,
        amount_fen, state, is_card, settled_on, code, words, outcome, message)
    select :division, :reply, s.row_number, :bank, s.reference, f.id, s.amount_fen, s.state, s.is_card,
        s.settled_on, s.code, s.words, 'waiting', ''
    from staged_reply s
    left join (
        select distinct on (w.row_number) w.row_number, a.id from staged_reply w
        join accounts a on a.number_index = w.account_index and a.bank_id = :bank
        order by w.row_number, (a.status = 'verifying') desc, (a.status <> 'closed') desc, a.id desc
    ) f on f.row_number = s.row_number
    on conflict do nothing
    """
)
"""Each account number finds its account at once, by its blind index; of several the one that waits for an answer."""


def keys_of(reply: BankReply) -> dict[str, Any]:
    """Return the bound values that every statement about a reply's rows takes."""
    return {"division": reply.division_code, "reply": reply.id, "bank": reply.bank_id}


def stage(session: Session, reply: BankReply, rows: Sequence[Row]) -> None:
    """COPY a chunk's rows to a temporary table and take them over under the row policies."""
    session.execute(text(STAGING))
    driver = session.connection().connection.driver_connection
    assert isinstance(driver, psycopg.Connection)
    results, index = reply.kind == ReplyKind.RESULTS, ring().index
    with driver.cursor() as cursor, cursor.copy("copy staged_reply from stdin (format binary)") as copy:
        copy.set_types(TYPES)
        for row in rows:
            key = (row.key, None) if results or not row.key else (mask_card(row.key), index("account", row.key))
            copy.write_row(
                (row.number, *key, row.amount_fen, row.state, row.is_card, row.settled_on, row.code, row.words)
            )
    session.execute(TAKE_OVER, keys_of(reply))


def clear(session: Session, reply: BankReply) -> None:
    """Delete the rows of a reply that was refused or withdrawn. （第三十条）"""
    session.execute(
        text("delete from bank_reply_rows where division_code = :division and reply_id = :reply"), keys_of(reply)
    )


# --- checked against what is the bank's own -----------------------------------------------------------------------

ACCOUNT_FINDINGS = text(
    """
    select r.row_number, a.id, a.status, r.state from bank_reply_rows r
    left join accounts a on a.id = r.account_id
    where r.division_code = :division and r.reply_id = :reply
        and (a.id is null or a.status = 'closed' or a.status = r.state
             or (cast(:answers as boolean) and a.status <> 'verifying'))
    order by r.row_number
    """
)


def match_accounts(session: Session, reply: BankReply, problem: Finding, note: Finding) -> None:
    """Judge the account of each row: one the bank doesn't keep is a problem, one that waits for nothing a note.

    （第十二条、第二十一条）
    """
    answers = reply.kind == ReplyKind.ANSWERS
    rows = session.execute(ACCOUNT_FINDINGS, keys_of(reply) | {"answers": answers}).all()
    for row in rows:
        if row.id is None:
            problem(row.row_number, "该账号没有登记为本行的一卡通账户", "请核对账号；他行账户或未登记的账户请删除该行")
        else:
            what = "该账户没有等待答复的验证，登记时跳过" if answers else "该账户已是此状态，登记时跳过"
            note(row.row_number, what, "")


RESULT_FINDINGS = text(
    """
    select r.row_number, case
        when d.id is null then 'stranger' when r.amount_fen <> d.amount_fen then 'amount'
        when d.status in ('sent', 'unknown') then 'open' when d.status = r.state then 'known'
        else 'contradiction' end as verdict
    from bank_reply_rows r
    left join disbursements d on d.county_code = :county and d.batch_id = :batch and d.end_to_end_id = r.reference
    where r.division_code = :division and r.reply_id = :reply
    order by r.row_number
    """
)
FORESEEN = {
    "stranger": "支付标识不属于本批次，登记时转旗县异常处理",
    "amount": "金额与发送金额不一致，登记时转旗县异常处理",
    "contradiction": "与已登记的结果相反，登记时保持原结果并转异常处理",
    "known": "该笔结果已登记，登记时跳过",
}


def match_results(session: Session, reply: BankReply, batch: BankBatch, note: Finding) -> None:
    """Compare each row with its payment: the reviewer is told beforehand what will not be taken over. （第二十条）"""
    keys = keys_of(reply) | {"county": batch.division_code, "batch": batch.id}
    with by_hash(session):
        rows = session.execute(RESULT_FINDINGS, keys).all()
    for row in rows:
        if row.verdict in FORESEEN:
            note(row.row_number, FORESEEN[row.verdict], "")


# --- applied ------------------------------------------------------------------------------------------------------

NEXT = text(
    """
    select r.row_number, r.account_id, r.state, r.words, coalesce(r.is_card, a.is_card, true) as is_card
    from bank_reply_rows r left join accounts a on a.id = r.account_id
    where r.division_code = :division and r.reply_id = :reply and r.outcome = 'waiting'
    order by r.row_number limit :limit
    """
)


def next_rows(session: Session, reply: BankReply, limit: int) -> Sequence[Any]:
    """Return the next rows that nobody has applied: a job that was stopped goes on here."""
    return session.execute(NEXT, keys_of(reply) | {"limit": limit}).all()


def answers_of(rows: Sequence[Any]) -> list[AccountAnswer]:
    """Return rows as the answers that the bank's interface would give. （第十二条）"""
    return [
        AccountAnswer(str(row.account_id), row.state, row.is_card, row.words or said(ReplyKind.ANSWERS, row.state))
        for row in rows
        if row.account_id is not None
    ]


def told_by(rows: Sequence[Any]) -> list[AccountAnswer]:
    """Return rows as what the bank tells of accounts by itself, in its own words; one for each row. （第二十一条）"""
    return [AccountAnswer(str(row.account_id), row.state, row.is_card, row.words) for row in rows]


MARK = text(
    """
    update bank_reply_rows r set outcome = m.outcome, message = m.message
    from unnest(cast(:numbers as integer[]), cast(:outcomes as text[]), cast(:messages as text[]))
        as m (number, outcome, message)
    where r.division_code = :division and r.reply_id = :reply and r.row_number = m.number
    """
)


def mark(session: Session, reply: BankReply, told: Sequence[tuple[int, str, str]]) -> None:
    """Write what became of rows: row number, outcome, words."""
    numbers, outcomes, messages = [list(column) for column in zip(*told, strict=True)] if told else ([], [], [])
    session.execute(MARK, keys_of(reply) | {"numbers": numbers, "outcomes": outcomes, "messages": messages})


RESULTS = text(
    "select reference, amount_fen, settled_on, state, code, words from bank_reply_rows"
    " where division_code = :division and reply_id = :reply order by row_number"
)


def verdict_of(state: str, code: str, words: str) -> Verdict:
    """Return a result as the bank's message would give it, with the class that Article 21 routes by."""
    if state == "failed":
        return Verdict("failed", "RJCT", code, words, str(failure_class(code, "", words)))
    return Verdict("paid", "ACCC", "", "", "") if state == "paid" else Verdict("pending", "PDNG", code, words, "")


def result_file(session: Session, reply: BankReply, batch: BankBatch) -> ResultFile:
    """Return a reply's rows, or its word on the whole batch, as an interface's result file would be. （第二十条）"""
    results = [
        PaymentResult(row.reference, row.amount_fen, row.settled_on, verdict_of(row.state, row.code, row.words))
        for row in session.execute(RESULTS, keys_of(reply))
    ]
    rest = verdict_of(reply.rest_outcome, reply.rest_code, reply.rest_text) if reply.rest_outcome else None
    return ResultFile(report_id=reply.number, message_id=batch.number, group=rest, results=results)


VERDICTS = text(
    """
    update bank_reply_rows r set
        outcome = case when v.verdict in ('paid', 'failed') then 'done'
            when v.verdict in ('known', 'pending') then 'skipped' else 'exception' end,
        message = coalesce(m.message, '')
    from result_lines v
    left join unnest(cast(:verdicts as text[]), cast(:messages as text[])) as m (verdict, message)
        on m.verdict = v.verdict
    where r.division_code = :division and r.reply_id = :reply and r.reference = v.end_to_end_id
    """
)
TOLD = {
    "known": "结果已登记，跳过",
    "pending": "处理中，未登记结果",
    **{verdict: detail for verdict, (_, detail) in MISFITS.items()},
}


def mark_verdicts(session: Session, reply: BankReply) -> None:
    """Write each row's verdict, as the decision table has just given it in this transaction. （docs/results.md）"""
    told = {"verdicts": list(TOLD), "messages": list(TOLD.values())}
    with by_hash(session):
        session.execute(VERDICTS, keys_of(reply) | told)


COUNTS = text(
    "select count(*) filter (where outcome = 'done') as done, count(*) filter (where outcome = 'skipped') as skipped,"
    " count(*) filter (where outcome = 'exception') as exceptions, count(*) as rows from bank_reply_rows"
    " where division_code = :division and reply_id = :reply"
)


def count(session: Session, reply: BankReply) -> dict[str, int]:
    """Carry the outcomes of its rows to the reply."""
    found = session.execute(COUNTS, keys_of(reply)).one()
    reply.done_count, reply.skipped_count, reply.exception_count = found.done, found.skipped, found.exceptions
    return {"done": found.done, "skipped": found.skipped, "exceptions": found.exceptions}
