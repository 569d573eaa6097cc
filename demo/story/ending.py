"""The last chapters: the bulletin, and what must be true at the end. （第二十二、三十三条）"""

import sqlalchemy as sa
from sqlmodel import Session, col, select

from demo.people import PERIOD_START
from demo.story.scene import Scene, StoryBroken, yuan
from models.bank_batches import Disbursement, DisbursementStatus
from models.bulletins import Bulletin
from policies.clock import today
from workflows import audit, bulletins, disbursements, journal

REGION = "zizhiqu.caizheng.clerk"
PAID = "select coalesce(sum(amount_fen), 0) from postings where ledger = 'paid'"


def issue_bulletin(scene: Scene) -> dict[str, int]:
    """Make the region's bulletin, reverse one payment, and see the next bulletin and the journal change alike."""
    scene.title("定期通报（第三十三条）")
    first = _make(scene)
    if first.paid_fen != _paid(scene):
        raise StoryBroken("通报与账簿不符")
    scene.say(
        f"{first.title}：成功 {first.paid_count} 笔，{yuan(first.paid_fen)}，与账簿一致；摘要 {first.digest[:16]}…"
    )
    reversed_fen = _reverse_one(scene)
    second = _make(scene)
    if first.paid_fen - second.paid_fen != reversed_fen or second.paid_fen != _paid(scene):
        raise StoryBroken("退汇后通报没有随账簿变化")
    scene.say(f"退汇一笔 {yuan(reversed_fen)}：新通报 {yuan(second.paid_fen)}，仍与账簿一致")
    return {"bulletin_fen": second.paid_fen, "bulletin_count": second.paid_count, "reversed_fen": reversed_fen}


def _make(scene: Scene) -> Bulletin:
    with scene.look() as session:
        until = today(session)
    return scene.do(REGION, bulletins.make, family="periodic", date_from=PERIOD_START, date_to=until)


def _paid(scene: Scene) -> int:
    with scene.look() as session:
        return int(session.execute(sa.text(PAID)).scalar_one())


def _reverse_one(scene: Scene) -> int:
    """Let one payment come back: at the bank, and in our books."""
    with scene.look() as session:
        one = session.exec(
            select(Disbursement)
            .where(Disbursement.status == DisbursementStatus.PAID)
            .order_by(col(Disbursement.id).desc())
            .limit(1)
        ).one()
    scene.sandboxes.bank.reverse(one.end_to_end_id)
    with scene.look() as session:
        disbursements.take_back(
            session, one.county_code, [one.id or 0], by=scene.by("aohan.caizheng.clerk"), on=today(session),
            key=one.end_to_end_id,
        )  # fmt: skip
    return one.amount_fen


def hold_invariants(scene: Scene) -> dict[str, int]:
    """Hold everything against everything: journal, events, and the ledgers of bank and budget system."""
    scene.title("核对：账簿、办理记录、银行和一体化系统各自的账")
    with scene.look() as session:
        problems = journal.verify(session)
        chains = audit.verify(session)
        ours = _ours(session)
        known = session.execute(sa.text("select bgt_id from budget_indicators")).scalars().all()
    if problems:
        raise StoryBroken(f"账簿不符：{problems[:3]}")
    broken = [chain for chain in chains if not chain.whole]
    if broken:
        raise StoryBroken(f"办理记录链断裂：{broken[:3]}")
    scene.say(f"账簿平衡；{len(chains)} 条办理记录链完整，共 {sum(chain.links for chain in chains)} 环")
    bank, budget = scene.sandboxes.bank.ledger(), scene.sandboxes.budget.ledger()
    theirs = {
        "paid_fen": bank["paid_fen"] - bank["reversed_fen"],
        "balance_fen": bank["balance_fen"],
        "credited_fen": bank["credited_fen"],
        "returned_fen": bank["returned_fen"],
        "funded_fen": budget["funded_fen"],
        "refunded_fen": budget["refunded_fen"],
        "available_fen": sum(budget["indicators"][number]["available_fen"] for number in known),
    }
    for name, value in theirs.items():
        scene.say(f"{NAMES[name]}：我方 {yuan(ours[name])}，对方 {yuan(value)}")
        if ours[name] != value:
            raise StoryBroken(f"{NAMES[name]}与对方账不符")
    if ours["twice"]:
        raise StoryBroken("同一发放权发放了两次")
    return ours


NAMES = {
    "paid_fen": "已发放",
    "balance_fen": "代发户余额",
    "credited_fen": "到账",
    "returned_fen": "代发户退回",
    "funded_fen": "拨付",
    "refunded_fen": "退回指标",
    "available_fen": "指标可用",
}

OURS = """
select (select coalesce(sum(amount_fen), 0) from postings where ledger = 'paid') as paid_fen,
    (select coalesce(sum(amount_fen), 0) from postings where ledger = 'agent_account') as balance_fen,
    (select coalesce(sum(amount_fen), 0) from payment_orders where credited_at is not null) as credited_fen,
    (select coalesce(sum(amount_fen), 0) from refunds where status = 'returned') as returned_fen,
    (select coalesce(sum(amount_fen), 0) from payment_orders where funded_at is not null) as funded_fen,
    (select coalesce(sum(amount_fen), 0) from refunds where status = 'returned') as refunded_fen,
    (select coalesce(sum(available_fen), 0) from budget_indicators) as available_fen,
    (select count(*) from (select entitlement_key from disbursements where status = 'paid'
        group by 1 having count(*) > 1) as x) as twice
"""


def _ours(session: Session) -> dict[str, int]:
    return {name: int(value) for name, value in session.execute(sa.text(OURS)).mappings().one().items()}
