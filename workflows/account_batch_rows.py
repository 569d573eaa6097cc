"""The rows of a card list in the database: staged by COPY, matched with registry and accounts by joins, judged at once.

No query is made per row. Everybody else's accounts are asked by one definer function over the whole region, which
tells the township alone. （第十二、三十条）
"""

from collections.abc import Callable, Sequence
from typing import Any

import psycopg
from sqlalchemy import text
from sqlmodel import Session, col, select

from models.account_batches import AccountBatch, BatchKind, BatchSource, CardOutcome
from models.crypto import ring
from models.payment_orders import AgentBank
from policies.identities import mask_card, mask_name
from reports.sheets.account_batches import CardRow, key_of
from workflows.plans import by_hash

Finding = Callable[[int, str, str], None]
"""Row number, column's name, what."""

STAGING = """
create temporary table staged_cards (
    row_number integer, name text, name_key text, id_index bytea, old_index bytea, old_shown text, new_number bytea,
    new_index bytea, new_shown text, bank_name text, problem text
) on commit drop
"""
TYPES = ["int4", "text", "text", "bytea", "bytea", "text", "bytea", "bytea", "text", "text", "text"]
TAKE_OVER = text(
    """
    insert into account_batch_rows (division_code, batch_id, row_number, member_division, name, name_key, id_index,
        old_index, old_shown, new_number, new_index, new_shown, bank_name, bank_code, outcome, message)
    select :division, :batch, s.row_number, :division, s.name, s.name_key, s.id_index, s.old_index, s.old_shown,
        s.new_number, s.new_index, s.new_shown, s.bank_name, '', case s.problem when '' then 'ready' else 'problem' end,
        s.problem
    from staged_cards s
    on conflict do nothing
    """
)


def keys_of(batch: AccountBatch) -> dict[str, Any]:
    """Return the bound values that every statement about a batch's rows takes."""
    return {"division": batch.division_code, "batch": batch.id}


def stage(session: Session, batch: AccountBatch, rows: Sequence[CardRow]) -> None:
    """COPY a chunk's rows to a temporary table and take them over under the row policies, sealed and indexed."""
    session.execute(text(STAGING))
    driver = session.connection().connection.driver_connection
    assert isinstance(driver, psycopg.Connection)
    keys = ring()
    with driver.cursor() as cursor, cursor.copy("copy staged_cards from stdin (format binary)") as copy:
        copy.set_types(TYPES)
        for row in rows:
            old, new, person = row.old_number, row.new_number, row.id_number
            copy.write_row((
                row.number, row.name, key_of(row.name), keys.index("id", person) if person else None,
                keys.index("account", old) if old else None, mask_card(old), keys.seal(new) if new else None,
                keys.index("account", new) if new else None, mask_card(new), row.bank_name, row.problem,
            ))  # fmt: skip
    session.execute(text(TAKE_OVER.text), keys_of(batch))


def clear(session: Session, batch: AccountBatch) -> None:
    """Delete the rows of a batch that is checked anew, or was refused, returned or withdrawn. （第三十条）"""
    session.execute(
        text("delete from account_batch_rows where division_code = :division and batch_id = :batch"), keys_of(batch)
    )


MARK = text(
    """
    update account_batch_rows r set outcome = 'problem', message = m.message
    from unnest(cast(:numbers as integer[]), cast(:messages as text[])) as m (number, message)
    where r.division_code = :division and r.batch_id = :batch and r.row_number = m.number
    """
)


def mark_problems(session: Session, batch: AccountBatch, found: dict[int, str]) -> None:
    """Write what is wrong with rows."""
    if found:
        session.execute(
            MARK, keys_of(batch) | {"numbers": list(found), "messages": [what[:200] for what in found.values()]}
        )


# --- judged -------------------------------------------------------------------------------------------------------

JUDGE = """
with mine as (
    select * from account_batch_rows where division_code = :division and batch_id = :batch and outcome = 'ready'
), by_account as (
    select distinct on (r.row_number) r.row_number, a.id as account_id, a.member_id, a.division_code
    from mine r join accounts a on a.number_index = r.old_index and a.status not in ('proposed', 'rejected')
    join members m on m.division_code = a.division_code and m.id = a.member_id
    order by r.row_number, (m.id_index = r.id_index) desc nulls last, (m.name_key = r.name_key) desc, m.current desc,
        a.is_payment desc, a.id desc
), by_person as (
    select r.row_number, m.id as member_id, m.division_code from mine r
    join members m on m.id_index = r.id_index and m.current
), named as (
    select * from unnest(cast(:names as text[]), cast(:name_banks as bigint[])) as n (bank_name, bank_id)
), matched as (
    select r.row_number, r.name_key, r.id_index, r.old_index, r.new_index, r.bank_name as told_bank, a.account_id,
        m.id as member_id, m.division_code as member_division, m.name_key as known_key, m.id_index as known_id,
        m.current and m.status <> 'dead' as living, p.id as payment_id, p.bank_id as payment_bank,
        p.bank_name as payment_name, p.bank_code as payment_code, n.bank_id as named_bank,
        count(*) over (partition by m.id) as times
    from mine r
    left join by_account a on a.row_number = r.row_number
    left join by_person o on o.row_number = r.row_number
    left join members m on m.division_code = coalesce(a.division_code, o.division_code)
        and m.id = coalesce(a.member_id, o.member_id)
    left join accounts p on p.division_code = m.division_code and p.member_id = m.id and p.is_payment
    left join named n on n.bank_name = r.bank_name
), settled as (
    select x.*, coalesce(cast(:to_bank as bigint), x.named_bank, x.payment_bank) as new_bank,
        k.status as known_status, w.id as proposal
    from matched x
    left join lateral (select status from accounts k where k.division_code = x.member_division
        and k.member_id = x.member_id and k.number_index = x.new_index and k.status not in ('closed', 'rejected')
        limit 1) k on true
    left join accounts w on w.division_code = x.member_division and w.member_id = x.member_id and w.status = 'proposed'
)
update account_batch_rows r set member_id = s.member_id, member_division = coalesce(s.member_division, r.division_code),
    account_id = s.payment_id, outcome = v.outcome, message = v.message,
    bank_name = case when s.new_bank = s.payment_bank then s.payment_name else coalesce(b.name, r.bank_name) end,
    bank_code = case when s.new_bank = s.payment_bank then s.payment_code else coalesce(b.cnaps, '') end
from settled s
left join agent_banks b on b.id = s.new_bank
cross join lateral (select
    case
        when s.known_status in ('verified', 'verifying', 'registered', 'proposed', 'dormant')
            and s.known_key = s.name_key then 'skipped'
        when {problem} = '' then 'ready' else 'problem' end as outcome,
    case
        when s.known_status in ('verified', 'dormant') and s.known_key = s.name_key then '新卡号已登记，无需换卡'
        when s.known_status in ('verifying', 'registered', 'proposed') and s.known_key = s.name_key
            then '新卡号已登记，正在办理'
        else {problem} end as message) v
where r.division_code = :division and r.batch_id = :batch and r.row_number = s.row_number
"""
PROBLEM = """(case
    when s.member_id is null and s.old_index is not null then '原账号没有登记在本辖区补贴对象名下'
    when s.member_id is null then '该身份证号不在本辖区补贴对象基础信息库中'
    when s.id_index is not null and s.id_index <> s.known_id then '原账号的持有人与身份证号不一致'
    when s.known_key <> s.name_key then '姓名与登记的姓名不一致'
    when not s.living then '该人员已死亡或不在册'
    when s.times > 1 then '同一人在清单中出现多次'
    when s.account_id is not null and s.account_id is distinct from s.payment_id then '原账号不是该人员当前的发放账户'
    when cast(:from_bank as bigint) is not null and s.payment_bank is distinct from cast(:from_bank as bigint)
        then '该人员当前的发放账户不在原代理银行'
    when s.told_bank <> '' and s.named_bank is null then '开户银行不在代理金融机构名录中'
    when s.told_bank <> '' and cast(:to_bank as bigint) is not null and s.named_bank <> cast(:to_bank as bigint)
        then '开户银行与所选换卡银行不一致'
    when s.new_bank is null then '没有原账户，请填写开户银行'
    when s.proposal is not null then '该人员有账户变更正在复核'
    when s.known_status = 'refused' then '新卡号登记后银行未验证通过，请先核实'
    else '' end)"""
JUDGED = text(JUDGE.replace("{problem}", PROBLEM))
BANK_NAMES = text(
    "select distinct bank_name from account_batch_rows where division_code = :division and batch_id = :batch"
    " and bank_name <> ''"
)


def judge(session: Session, batch: AccountBatch) -> None:
    """Match each row with its person and account, and judge it: one statement, then one question for the region."""
    names = list(session.execute(BANK_NAMES, keys_of(batch)).scalars())
    banks = session.exec(select(AgentBank).order_by(col(AgentBank.id))).all()
    resolved = {name: bank for name in names if (bank := _bank_of(name, banks)) is not None}
    told = {
        "names": list(resolved),
        "name_banks": list(resolved.values()),
        "to_bank": batch.bank_id,
        "from_bank": _from_bank(batch),
    }
    with by_hash(session):
        session.execute(JUDGED, keys_of(batch) | told)
    _find_taken(session, batch)


def _from_bank(batch: AccountBatch) -> int | None:
    """Return the bank whose accounts alone are replaced: a bank's own, or the one that a county leaves."""
    if batch.kind == BatchKind.BANK:
        return batch.from_bank_id
    return batch.bank_id if batch.source == BatchSource.BANK else None


def _bank_of(name: str, banks: Sequence[AgentBank]) -> int | None:
    fits = [bank for bank in banks if bank.name == name] or [bank for bank in banks if name in bank.name]
    return fits[0].id if len(fits) == 1 else None


ASKED = """
select r.row_number, r.new_index, m.person from account_batch_rows r
join members m on m.division_code = r.member_division and m.id = r.member_id
where r.division_code = :division and r.batch_id = :batch and r.outcome = 'ready'
"""
KEEPERS = text(
    "select number_index, township from account_keepers(cast(:indexes as bytea[]), cast(:persons as text[]))"
)


def _find_taken(session: Session, batch: AccountBatch) -> None:
    with by_hash(session):
        rows = session.execute(text(ASKED), keys_of(batch)).all()
    mark_problems(session, batch, taken_of(session, rows))


def taken_of(session: Session, rows: Sequence[Any]) -> dict[int, str]:
    """Return which rows name a card that is somebody else's already, over the whole region, and where. （第十二条）"""
    asked = {"indexes": [bytes(row.new_index) for row in rows], "persons": [row.person for row in rows]}
    keepers = {bytes(row.number_index): row.township for row in session.execute(KEEPERS, asked)} if rows else {}
    return {
        row.row_number: f"新卡号已登记在其他人名下（{keepers[bytes(row.new_index)]}）"
        for row in rows
        if bytes(row.new_index) in keepers
    }


FOUND = text(
    "select row_number, message from account_batch_rows where division_code = :division and batch_id = :batch"
    " and outcome = 'problem' and row_number <> all (cast(:known as integer[])) order by row_number"
)
SKIPPED = text(
    "select row_number, message from account_batch_rows where division_code = :division and batch_id = :batch"
    " and outcome = 'skipped' order by row_number"
)
COLUMNS = {"姓名": "name", "同一人": "name", "该人员": "name", "原账号": "old_number", "该身份证号": "id_number",
           "开户银行": "bank_name", "没有原账户": "bank_name"}  # fmt: skip


def found(session: Session, batch: AccountBatch, known: Sequence[int]) -> list[tuple[int, str, str]]:
    """Return the rows with problems that only the database shows: number, column, what."""
    rows = session.execute(FOUND, keys_of(batch) | {"known": list(known)}).all()
    return [
        (
            row.row_number,
            next((column for word, column in COLUMNS.items() if row.message.startswith(word)), "new_number"),
            row.message,
        )
        for row in rows
    ]


def skipped(session: Session, batch: AccountBatch) -> list[tuple[int, str]]:
    """Return the rows that need nothing, and why."""
    return [(row.row_number, row.message) for row in session.execute(SKIPPED, keys_of(batch))]


COUNTS = text(
    "select outcome, count(*) as rows from account_batch_rows where division_code = :division and batch_id = :batch"
    " group by 1"
)


def count(session: Session, batch: AccountBatch) -> dict[str, int]:
    """Carry how the rows stand to the batch."""
    counts = {row.outcome: row.rows for row in session.execute(COUNTS, keys_of(batch))}
    batch.ready_count = counts.get(CardOutcome.READY, 0)
    batch.problem_count = counts.get(CardOutcome.PROBLEM, 0)
    batch.skipped_count = counts.get(CardOutcome.SKIPPED, 0)
    batch.done_count = counts.get(CardOutcome.DONE, 0)
    batch.row_count = sum(counts.values())
    return counts


MISSING = text(
    """
    select d.name as township, h.village, m.name, a.number from accounts a
    join members m on m.division_code = a.division_code and m.id = a.member_id and m.current and m.status <> 'dead'
    join households h on h.division_code = m.division_code and h.id = m.household_id
    join divisions d on d.code = a.division_code
    where a.is_payment and a.bank_id = :from_bank and a.status <> 'closed' and not exists (
        select from account_batch_rows r where r.division_code = :division and r.batch_id = :batch
            and r.member_id = a.member_id and r.outcome in ('ready', 'skipped', 'done'))
    order by a.division_code, h.village, a.id
    """
)


def missing(session: Session, batch: AccountBatch) -> list[dict[str, str]]:
    """Return who is still paid at the former bank and has no new card in the list, masked. （第十二条）"""
    if batch.kind != BatchKind.BANK:
        return []
    keys = ring()
    with by_hash(session):
        rows = session.execute(MISSING, keys_of(batch) | {"from_bank": batch.from_bank_id}).all()
    return [
        {
            "sequence": str(number),
            "township": row.township,
            "village": row.village,
            "name": mask_name(row.name),
            "account": mask_card(keys.open(bytes(row.number))),
            "why": "没有新卡，仍发放至原账户；请通知本人领取社会保障卡",
        }
        for number, row in enumerate(rows, 1)
    ]
