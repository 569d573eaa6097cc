"""Chapters 7 to 11: payment orders, batches, results, failures by Article 21, re-issue, refund. （第十九至二十二条）"""

from collections.abc import Callable, Sequence
from datetime import date

import sqlalchemy as sa
from sqlmodel import Session, col, select

from demo.story.scene import Scene, StoryBroken, yuan
from models.accounts import Account, AccountStatus
from models.bank_batches import BankBatch, BankBatchStatus
from models.crypto import account_index, id_index
from models.failures import Failure, FailureStatus, Refund, RefundStatus
from models.payment_orders import PaymentOrder, PaymentOrderStatus
from models.rosters import RosterLine
from models.statements import ReconciliationStatus, Statement
from policies.refusals import NotAllowed
from workflows import accounts, bank_batches, failures, payment_orders, refunds, statements

CLOSES, UNREACHABLE, DORMANT, DIES = (
    "closes_after_check", "unreachable_after_check", "dormant_after_check", "dies_after_check",
)  # fmt: skip


def order_payments(scene: Scene) -> None:
    """Draft and release the orders; with the budget system shut they wait, then they are funded. （第十九条）"""
    scene.title("资金支付单与拨付（第十九条）")
    for roster in scene.rosters():
        part = scene.parts[roster.number]
        made = scene.do(f"{part.department}.clerk", payment_orders.draft, roster)
        scene.say(f"{roster.number}：按指标和代发户拆成 {len(made)} 张支付单，{yuan(sum(o.amount_fen for o in made))}")
    scene.sandboxes.stop("budget")
    orders = _orders(scene)
    for order in orders:
        scene.do(f"{_department(scene, order)}.reviewer", payment_orders.release, order, opinion="同意")
    funded = _counting(PaymentOrder, PaymentOrderStatus.FUNDED)
    scene.holds("一体化系统关闭时拨付成功", funded)
    scene.say(f"预算管理一体化系统关闭：{len(orders)} 张支付单等待，没有拨付")
    scene.sandboxes.start("budget")
    scene.wait("全部拨付成功并到账", lambda session: _all_credited(session, len(orders)))
    scene.say(f"{len(orders)} 张支付单拨付成功并到账，{yuan(sum(order.amount_fen for order in orders))}")


def _department(scene: Scene, order: PaymentOrder) -> str:
    return "aohan.nongmu" if order.division_code == scene.by("aohan.nongmu.clerk").division_code else "abaga.nongmu"


def _finance(scene: Scene, division_code: str) -> str:
    near = scene.by("aohan.caizheng.clerk").division_code
    return "aohan.caizheng" if division_code == near else "abaga.caizheng"


def _orders(scene: Scene) -> list[PaymentOrder]:
    with scene.look() as session:
        return list(session.exec(select(PaymentOrder).order_by(col(PaymentOrder.id))))


def _counting(model: type[PaymentOrder] | type[BankBatch], status: object) -> Callable[[Session], int]:
    def count(session: Session) -> int:
        return session.exec(select(sa.func.count()).select_from(model).where(model.status == status)).one()

    return count


def _all_credited(session: Session, wanted: int) -> bool:
    done = session.exec(
        select(sa.func.count())
        .select_from(PaymentOrder)
        .where(PaymentOrder.status == PaymentOrderStatus.FUNDED, col(PaymentOrder.credited_at).is_not(None))
    ).one()
    return bool(done == wanted)


def send_batches(scene: Scene) -> None:
    """Send each order's batch; four payees have changed at the bank since the check. （第二十条）"""
    scene.title("代发批次与发放结果（第二十条）")
    bank = scene.sandboxes.bank
    for key, change in (
        (CLOSES, {"status": "closed"}),
        (UNREACHABLE, {"status": "closed"}),
        (DORMANT, {"status": "dormant"}),
        (DIES, {"died": True}),
    ):
        card = scene.people.peculiar_home(key).head.card
        if card is None:
            raise StoryBroken(f"{key} 没有账户")
        bank.set_account(card.number, **change)
    batches = [
        scene.do(f"{_finance(scene, order.division_code)}.clerk", bank_batches.prepare, order)
        for order in _orders(scene)
    ]
    scene.sandboxes.stop("bank")
    _release(scene, batches)
    scene.holds("银行关闭时批次结清", _counting(BankBatch, BankBatchStatus.SETTLED))
    scene.say(f"代理银行关闭：{len(batches)} 个批次等待，没有发放")
    scene.sandboxes.start("bank")
    _await_settled(scene, batches)
    for batch in _fresh(scene, batches):
        scene.say(
            f"{batch.number}：成功 {batch.paid_count} 笔 {yuan(batch.paid_fen)}，"
            f"失败 {batch.failed_count} 笔 {yuan(batch.failed_fen)}"
        )


def _release(scene: Scene, batches: Sequence[BankBatch]) -> None:
    for batch in batches:
        scene.do(f"{_finance(scene, batch.division_code)}.reviewer", bank_batches.release, batch, opinion="同意")


def _await_settled(scene: Scene, batches: Sequence[BankBatch]) -> None:
    ids = [batch.id for batch in batches]
    over = (BankBatchStatus.SETTLED, BankBatchStatus.CLOSED)

    def settled(session: Session) -> bool:
        done = select(sa.func.count()).select_from(BankBatch)
        done = done.where(col(BankBatch.id).in_(ids), col(BankBatch.status).in_(over))
        return session.exec(done).one() == len(ids)

    scene.wait("批次结果", settled)


def _fresh(scene: Scene, batches: Sequence[BankBatch]) -> list[BankBatch]:
    with scene.look() as session:
        return [session.get_one(BankBatch, batch.id) for batch in batches]


def follow_failures(scene: Scene) -> None:
    """Each failure goes its way: account changed, dormant activated, unreachable and dead removed. （第二十一条）"""
    scene.title("发放差错处理（第二十一条）")
    for failure in _failures(scene):
        scene.say(f"序号 {failure.line_sequence}：{failure.failure_class}，{failure.route.label}")
        if failure.status == FailureStatus.OPEN:
            scene.do(f"{_finance(scene, failure.county_code)}.clerk", failures.notify, failure, opinion="请核实")
    scene.next_working_day()
    township, department = "changsheng.clerk", "aohan.nongmu.clerk"
    closes = _failure_of(scene, CLOSES)
    spare = scene.people.peculiar[CLOSES].spare
    if spare is None:
        raise StoryBroken("缺少备用社会保障卡")
    scene.do(
        township, failures.correct, closes, account_number=spare.number, bank_name=spare.bank_name,
        resolution="原账户已销户，登记新的社会保障卡",
    )  # fmt: skip
    scene.do("changsheng.head", accounts.confirm, _proposed(scene, spare.number), opinion="已核对新卡")
    dormant_card = scene.people.peculiar_home(DORMANT).head.card
    if dormant_card is not None:
        scene.sandboxes.bank.set_account(dormant_card.number, status="active")
    scene.do(township, failures.activate, _failure_of(scene, DORMANT), resolution="本人已到网点激活金融功能")
    for key, reason in ((UNREACHABLE, "多次联系未果，无法取得联系"), (DIES, "收款人已死亡")):
        scene.do(township, failures.report_unpayable, _failure_of(scene, key), resolution=reason)
        scene.do(department, failures.remove, _failure_of(scene, key), resolution=f"{reason}，移出清册")
    scene.wait("新账户验证通过", lambda session: _verified(session, [closes.line_id]))
    for key in (CLOSES, DORMANT, UNREACHABLE, DIES):
        failure = _failure_of(scene, key)
        scene.say(f"序号 {failure.line_sequence}：{failure.status.label}（{failure.resolution}）")


def _failures(scene: Scene) -> list[Failure]:
    with scene.look() as session:
        return list(session.exec(select(Failure).order_by(col(Failure.id))))


def _failure_of(scene: Scene, key: str) -> Failure:
    """Return the failure of one of the peculiar people."""
    head = scene.people.peculiar_home(key).head
    with scene.look() as session:
        found = session.exec(
            select(Failure)
            .join(RosterLine, col(RosterLine.id) == col(Failure.line_id))
            .where(RosterLine.name == head.name, RosterLine.id_index == id_index(head.id_number))
        ).first()
    if found is None:
        raise StoryBroken(f"{key} 没有发放失败记录")
    return found


def _proposed(scene: Scene, number: str) -> Account:
    """Return the change of account that waits for the head. （第十二条）"""
    with scene.look() as session:
        return session.exec(select(Account).where(Account.number_index == account_index(number))).one()


def _verified(session: Session, line_ids: Sequence[int]) -> bool:
    open_ = session.exec(
        select(sa.func.count())
        .select_from(Account)
        .join(RosterLine, col(RosterLine.member_id) == col(Account.member_id))
        .where(col(RosterLine.id).in_(line_ids), col(Account.is_payment), Account.status == AccountStatus.VERIFIED)
    ).one()
    return bool(open_ >= len(line_ids))


def pay_again(scene: Scene) -> None:
    """Pay the corrected again, refund what can't be paid to the indicator that paid it. （第二十一、二十二条）"""
    scene.title("补发与退款（第二十一、二十二条）")
    made = scene.do("aohan.caizheng.clerk", bank_batches.prepare_corrections)
    _release(scene, made)
    _await_settled(scene, made)
    paid = sum(batch.paid_count for batch in _fresh(scene, made))
    scene.say(f"补发 {len(made)} 个批次，成功 {paid} 笔")
    back = scene.do("aohan.caizheng.clerk", refunds.prepare)
    for refund in back:
        scene.refused(NotAllowed, "aohan.caizheng.clerk", refunds.release, refund)
        scene.do("aohan.caizheng.reviewer", refunds.release, refund, opinion="同意退回原指标")
    ids = [refund.id for refund in back]
    scene.wait(
        "退款到指标",
        lambda session: (
            session.exec(
                select(sa.func.count())
                .select_from(Refund)
                .where(col(Refund.id).in_(ids), Refund.status == RefundStatus.RETURNED)
            ).one()
            == len(ids)
        ),
    )
    scene.say(f"退款 {len(back)} 笔，{yuan(sum(refund.amount_fen for refund in back))} 退回原指标")


def reconcile(scene: Scene) -> None:
    """Fetch each day's statement of each agent account and reconcile it with the journal. （第二十二条）"""
    scene.title("对账（第二十二条）")
    scene.next_working_day()
    for account_id, division_code, day in _days(scene):
        clerk = scene.by(f"{_finance(scene, division_code)}.clerk")
        statements.reconcile(by=clerk, agent_account_id=account_id, day=day)
    with scene.look() as session:
        found = list(session.exec(select(Statement).order_by(col(Statement.id))))
    for statement in found:
        scene.say(
            f"{statement.day:%m-%d} 对账单 {statement.statement_number}：期末 {yuan(statement.closing_fen)}，"
            f"账面 {yuan(statement.our_balance_fen)}，{statement.status.label}"
        )
        if statement.status != ReconciliationStatus.AGREED:
            raise StoryBroken(f"对账单 {statement.statement_number} 不符")
    if not found:
        raise StoryBroken("没有取得任何对账单")


def _days(scene: Scene) -> list[tuple[int, str, date]]:
    """Return each agent account with each day on which money moved on it."""
    with scene.look() as session:
        rows = session.execute(
            sa.text(
                "select distinct agent_account_id, county_code, value_on from postings"
                " where ledger = 'agent_account' order by 1, 3"
            )
        ).all()
    return [(row[0], row[1], row[2]) for row in rows]
