"""A result file against its batch, as a few statements over a temporary table. （第二十条、第二十一条）

Each listed payment gets one verdict: paid, failed, known (answered so before), pending, or a misfit: stranger, amount,
conflict (two answers in one file), contradiction (against what is settled), taken (the entitlement is paid already).
"""

from collections.abc import Sequence
from datetime import date

from sqlalchemy import text
from sqlmodel import Session

from integrations.iso20022.pain002 import ResultFile, Verdict
from models.bank_batches import BankBatch
from policies.clock import now

MISFITS = {
    "stranger": ("陌生支付标识", "回盘中的支付标识不属于本批次"),
    "amount": ("金额不符", "回盘金额与发送金额不一致，结果未登记"),
    "conflict": ("结果自相矛盾", "同一回盘文件对同一笔既报成功又报失败，结果未登记"),
    "contradiction": ("与已登记结果矛盾", "回盘结果与已登记的结果相反，保持原登记"),
    "taken": ("发放权已被占用", "同一补贴已有成功发放，本笔未登记为成功，请核实是否重复到账"),
}
"""Verdict → kind and words of the exception; a person decides. """

TABLE = """
create temporary table if not exists result_lines (
    end_to_end_id text, amount_fen bigint, settled_on date, outcome text, code text, reason text, class text,
    disbursement_id bigint, verdict text) on commit drop
"""

STAGE = text(
    """
    insert into result_lines (end_to_end_id, amount_fen, settled_on, outcome, code, reason, class)
    select * from unnest(cast(:ids as text[]), cast(:amounts as bigint[]), cast(:days as date[]),
        cast(:outcomes as text[]), cast(:codes as text[]), cast(:reasons as text[]), cast(:classes as text[]))
    """
)


def stage(session: Session, file: ResultFile) -> None:
    """Put the file's payments into the temporary table of this transaction."""
    session.execute(text(TABLE))
    session.execute(text("truncate result_lines"))
    lines = file.results
    session.execute(
        STAGE,
        {
            "ids": [line.end_to_end_id for line in lines],
            "amounts": [line.amount_fen for line in lines],
            "days": [line.settled_on for line in lines],
            "outcomes": [line.verdict.outcome for line in lines],
            "codes": [line.verdict.code[:40] for line in lines],
            "reasons": [line.verdict.text[:200] for line in lines],
            "classes": [line.verdict.failure_class for line in lines],
        },
    )
    session.execute(text("analyze result_lines"))


def add_rest(session: Session, batch: BankBatch, rest: Verdict, day: date) -> None:
    """Let a verdict on the whole file stand for each open payment that it does not list."""
    session.execute(
        text(
            "insert into result_lines (end_to_end_id, settled_on, outcome, code, reason, class)"
            " select d.end_to_end_id, :day, :outcome, :code, :reason, :class from disbursements d"
            " where d.county_code = :county and d.batch_id = :batch and d.status in ('sent', 'unknown')"
            " and not exists (select 1 from result_lines r where r.end_to_end_id = d.end_to_end_id)"
        ),
        _keys(batch)
        | {"day": day, "outcome": rest.outcome, "code": rest.code, "reason": rest.text[:200]}
        | {"class": rest.failure_class},
    )


def _keys(batch: BankBatch) -> dict[str, object]:
    return {"county": batch.division_code, "batch": batch.id}


JUDGE = text(
    """
    update result_lines r set disbursement_id = d.id, verdict = case
        when r.amount_fen <> d.amount_fen then 'amount'
        when r.outcome = 'pending' then 'pending'
        when d.status in ('sent', 'unknown') and t.outcomes > 1 then 'conflict'
        when d.status in ('sent', 'unknown') then r.outcome
        when r.outcome = 'paid' and d.status in ('paid', 'reversed') then 'known'
        when r.outcome = 'failed' and d.status = 'failed' then 'known'
        else 'contradiction' end
    from disbursements d,
        (select end_to_end_id, count(distinct outcome) filter (where outcome <> 'pending') as outcomes
         from result_lines group by 1) t
    where d.county_code = :county and d.batch_id = :batch and d.end_to_end_id = r.end_to_end_id
        and t.end_to_end_id = r.end_to_end_id
    """
)


PREVAIL = text(
    """
    update result_lines r set verdict = m.verdict
    from (select disbursement_id, min(verdict) as verdict from result_lines
          where verdict in ('amount', 'conflict') group by 1) m
    where m.disbursement_id = r.disbursement_id and r.verdict in ('paid', 'failed')
    """
)
"""One misfit among several answers for a payment leaves it open: a person decides."""


def judge(session: Session, batch: BankBatch) -> None:
    """Give each staged payment its verdict against the batch."""
    session.execute(JUDGE, _keys(batch))
    session.execute(text("update result_lines set verdict = 'stranger' where verdict is null"))
    session.execute(PREVAIL)


CLAIM = text(
    """
    insert into entitlement_successes (entitlement_key, division_code, disbursement_id)
    select distinct on (d.entitlement_key) d.entitlement_key, d.county_code, d.id
    from result_lines r
    join disbursements d on d.county_code = :county and d.batch_id = :batch and d.id = r.disbursement_id
    where r.verdict = 'paid' order by d.entitlement_key, d.id
    on conflict (entitlement_key) do nothing returning disbursement_id
    """
)
TAKEN = text(
    "update result_lines set verdict = 'taken' where verdict = 'paid'"
    " and disbursement_id not in (select unnest(cast(:claimed as bigint[])))"
)


def claim(session: Session, batch: BankBatch) -> None:
    """Claim the entitlement of each paid line, once in the region; who comes second is a misfit. （第二十一条）"""
    claimed = session.execute(CLAIM, _keys(batch)).scalars().all()
    session.execute(TAKEN, {"claimed": list(claimed)})


WRITE = text(
    """
    update disbursements d set
        status = case r.verdict when 'paid' then 'paid' when 'failed' then 'failed' else 'unknown' end,
        settled_on = case when r.verdict in ('paid', 'failed') then coalesce(r.settled_on, :today) end,
        reason_code = case r.verdict when 'failed' then r.code else '' end,
        reason = case r.verdict when 'failed' then r.reason else '' end,
        failure_class = case r.verdict when 'failed' then r.class else '' end
    from (
        select distinct on (disbursement_id) * from result_lines
        where verdict in ('paid', 'failed', 'amount', 'conflict', 'taken')
        order by disbursement_id, (verdict not in ('amount', 'conflict', 'taken')), settled_on
    ) r
    where d.county_code = :county and d.batch_id = :batch and d.id = r.disbursement_id
        and d.status in ('sent', 'unknown')
    returning d.id, d.status
    """
)


def write(session: Session, batch: BankBatch, day: date) -> tuple[list[int], list[int]]:
    """Write paid, failed and unknown onto the attempts that are still open; return who was paid and who failed."""
    rows = session.execute(WRITE, _keys(batch) | {"today": day}).all()
    return [row.id for row in rows if row.status == "paid"], [row.id for row in rows if row.status == "failed"]


NOTE = text(
    """
    insert into result_exceptions (division_code, batch_id, end_to_end_id, kind, detail, found_at)
    select distinct on (r.end_to_end_id, m.kind) :county, :batch, left(r.end_to_end_id, 64), m.kind, m.detail,
        cast(:moment as timestamptz)
    from result_lines r
    join unnest(cast(:verdicts as text[]), cast(:kinds as text[]), cast(:details as text[]))
        as m (verdict, kind, detail) on m.verdict = r.verdict
    on conflict (division_code, batch_id, end_to_end_id, kind) do nothing
    """
)


def note_misfits(session: Session, batch: BankBatch) -> int:
    """Write what fits nothing to the exceptions desk, once each; return how many are new. （第二十一条）"""
    told = {
        "verdicts": list(MISFITS),
        "kinds": [kind for kind, _ in MISFITS.values()],
        "details": [detail for _, detail in MISFITS.values()],
    }
    done = session.execute(NOTE, _keys(batch) | told | {"moment": now(session)})
    return int(done.rowcount)  # type: ignore[attr-defined]


def note(session: Session, batch: BankBatch, end_to_end_id: str, kind: str, detail: str) -> None:
    """Write one exception about the file as a whole."""
    session.execute(
        text(
            "insert into result_exceptions (division_code, batch_id, end_to_end_id, kind, detail, found_at)"
            " values (:county, :batch, :id, :kind, :detail, :moment)"
            " on conflict (division_code, batch_id, end_to_end_id, kind) do nothing"
        ),
        _keys(batch) | {"id": end_to_end_id, "kind": kind, "detail": detail[:300], "moment": now(session)},
    )


COUNT = text(
    """
    update bank_batches b set paid_count = t.paid, paid_fen = t.paid_fen, failed_count = t.failed,
        failed_fen = t.failed_fen
    from (select count(*) filter (where status = 'paid') as paid,
            coalesce(sum(amount_fen) filter (where status = 'paid'), 0) as paid_fen,
            count(*) filter (where status in ('failed', 'reversed')) as failed,
            coalesce(sum(amount_fen) filter (where status in ('failed', 'reversed')), 0) as failed_fen
        from disbursements where county_code = :county and batch_id = :batch) t
    where b.division_code = :county and b.id = :batch
    """
)


def count(session: Session, batch: BankBatch) -> None:
    """Carry the sums of the attempts to their batch."""
    session.flush()
    session.execute(COUNT, _keys(batch))
    session.refresh(batch)


def open_count(session: Session, batch: BankBatch) -> int:
    """Return how many attempts of the batch have no answer yet."""
    found = session.execute(
        text(
            "select count(*) from disbursements where county_code = :county and batch_id = :batch"
            " and status in ('pending', 'sent', 'unknown')"
        ),
        _keys(batch),
    ).scalar_one()
    return int(found)


def rosters_of(session: Session, county_code: str, disbursement_ids: Sequence[int]) -> list[int]:
    """Return the rosters of some attempts."""
    found = session.execute(
        text(
            "select distinct d.roster_id from unnest(cast(:ids as bigint[])) as one (id)"
            " join disbursements d on d.county_code = :county and d.id = one.id"
        ),
        {"county": county_code, "ids": list(disbursement_ids)},
    ).scalars()
    return sorted(found)
