"""The desk of an agent bank: what waits, answers by hand or file, downloads. （第十二、二十、二十一、三十四条）"""

from collections.abc import Sequence
from datetime import date
from typing import Any
from urllib.parse import quote

import anyio
import sqlalchemy as sa
from sqladmin import BaseView, expose
from sqlmodel import Session, col
from starlette.requests import Request
from starlette.responses import Response

from admin.base import ConsoleView, Form, Menu, Related, call
from admin.reading import reading
from models.accounts import Account, AccountStatus
from models.bank_batches import BankBatch, BankBatchStatus, Disbursement, DisbursementStatus
from models.bank_replies import BankReply, BankReplyRow, ReplyKind
from models.officers import ActingOfficer
from policies.lifecycles import Ask, Desk
from policies.lifecycles.bank_replies import BANK_REPLY_LIFECYCLE
from policies.permissions import Permission as P
from policies.refusals import NotFound
from reports.sheets.bank_replies import TEMPLATES, choices, write_template
from workflows import bank_desk, bank_replies
from workflows.files import XLSX

CLERK = Desk.BANK_CLERK.seats
NEXT = "提交后由本行另一名复核人员确认，确认前不改变任何数据（第二十三条）。"
REASONS = (
    ("", "（成功时不填）"),
    ("AC01", "AC01 账号无效"),
    ("AC04", "AC04 已销户"),
    ("DORMANT", "DORMANT 不动户"),
    ("AC06", "AC06 已冻结"),
    ("LOST", "LOST 卡已挂失"),
    ("BE01", "BE01 户名不符"),
    ("AC14", "AC14 账户类别不符"),
    ("MD07", "MD07 收款人死亡"),
    ("AM02", "AM02 超过限额"),
    ("AM04", "AM04 代发户余额不足"),
    ("AM05", "AM05 重复支付"),
    ("RC01", "RC01 联行号有误"),
)
CODE = Ask("code", "失败原因代码", "choice", required=False, choices=REASONS)
WORDS = Ask("words", "银行说明", "text", required=False)
FILE = Ask("file", "文件", "file", help="本平台下载的模板填写后原表上传（.xlsx）")


def answer(session: Session, account: Account, *, by: ActingOfficer, card: str, **told: Any) -> BankReply:
    """Answer an account's verification by hand."""
    return bank_replies.answer_account(session, account, by=by, is_card=card == "yes", **told)


def result(
    session: Session, payment: Disbursement, *, by: ActingOfficer, settled_on: date | None = None, **told: Any
) -> BankReply:
    """Return one payment's result by hand."""
    return bank_replies.answer_payment(session, payment, by=by, settled_on=settled_on, **told)


def upload(session: Session, *, by: ActingOfficer, kind: str, file: tuple[str, bytes], batch: str = "") -> BankReply:
    """Receive a file of the bank; results name their batch by its number. Raises NotFound."""
    found = None
    if kind == ReplyKind.RESULTS:
        found = session.execute(sa.select(BankBatch).where(col(BankBatch.number) == batch)).scalar_one_or_none()
        if found is None:
            raise NotFound
    name, content = file
    return bank_replies.receive(session, by=by, kind=ReplyKind(kind), file_name=name, content=content, batch=found)


def _uploading(kind: ReplyKind) -> Any:
    def run(session: Session, *, by: ActingOfficer, **told: Any) -> BankReply:
        return upload(session, by=by, kind=kind, **told)

    return run


def upload_results(session: Session, batch: BankBatch, *, by: ActingOfficer, file: tuple[str, bytes]) -> BankReply:
    """Receive a file with the results of the batch on whose page the form stands."""
    return upload(session, by=by, kind=ReplyKind.RESULTS, file=file, batch=batch.number)


def open_batches(session: Session, by: ActingOfficer, record: Any) -> Sequence[tuple[str, str]]:
    """Return the bank's batches that take results, the most urgent first."""
    batch: Any = BankBatch
    rows = session.execute(
        sa.select(batch.number, batch.project_name, batch.line_count)
        .where(batch.status.in_(bank_replies.TAKES_FILES))
        .order_by(batch.status == BankBatchStatus.SETTLED, batch.due_on.asc().nulls_last(), batch.id.desc())
        .limit(100)
    )
    return [(number, f"{number} {name}（{count} 笔）") for number, name, count in rows]


ACCOUNT_FORMS = (
    Form(
        "waiting-list",
        "下载待验证清单",
        P.BANK_REPLY_PREPARE,
        call("bank_desk", "waiting_list"),
        consequence="清单含完整账号、户名和证件号码，仅供账户验证使用；下载人、时间、户数将被记录（第三十条）。",
        seats=CLERK,
    ),
    Form(
        "answer",
        "答复验证",
        P.BANK_REPLY_PREPARE,
        answer,
        (
            Ask("state", "验证结果", "choice", choices=choices(ReplyKind.ANSWERS)),
            Ask("card", "是否社会保障卡", "choice", choices=(("yes", "是"), ("no", "否"))),
            WORDS,
        ),
        consequence=NEXT,
        on_record=True,
        statuses=(AccountStatus.VERIFYING,),
        seats=CLERK,
    ),
    Form(
        "notice",
        "通知不动户、销户",
        P.BANK_REPLY_PREPARE,
        call("bank_replies", "notice_account"),
        (Ask("state", "账户状态", "choice", choices=choices(ReplyKind.NOTICES)), WORDS),
        consequence=f"有待发放资金的，按第二十一条激活后重付或变更账户。{NEXT}",
        on_record=True,
        statuses=(AccountStatus.VERIFIED, AccountStatus.VERIFYING, AccountStatus.DORMANT),
        seats=CLERK,
    ),
)
"""What a bank's clerk does with an account, on the account's own pages. （第十二条）"""

OPEN = (BankBatchStatus.SENT, BankBatchStatus.ACCEPTED)
BATCH_FORMS = (
    Form(
        "bank-file",
        "领取代发报文",
        P.BANK_REPLY_PREPARE,
        call("bank_desk", "batch_file"),
        consequence="报文含完整收款账号，仅供发放使用；领取人和时间记入批次的办理记录（第二十、三十条）。",
        on_record=True,
        statuses=bank_replies.TAKES_FILES,
        seats=CLERK,
    ),
    Form(
        "results-form",
        "下载结果工作簿",
        P.BANK_REPLY_PREPARE,
        call("bank_desk", "results_form"),
        consequence="列出尚无结果的明细（收款人和账号已脱敏），填写“发放结果”后原表上传。",
        on_record=True,
        statuses=OPEN,
        seats=CLERK,
    ),
    Form(
        "results",
        "上传发放结果",
        P.BANK_REPLY_PREPARE,
        upload_results,
        (Ask("file", "结果文件", "file", help="发放结果工作簿（.xlsx）或回盘报文 pain.002（.xml）"),),
        consequence=f"上传后在后台核对，有问题的整份退回并标注单元格。{NEXT}",
        on_record=True,
        statuses=bank_replies.TAKES_FILES,
        seats=CLERK,
    ),
    Form(
        "answer-all",
        "整批登记结果",
        P.BANK_REPLY_PREPARE,
        call("bank_replies", "answer_batch"),
        (
            Ask("outcome", "尚无结果的明细", "choice", choices=(("paid", "全部发放成功"), ("failed", "全部发放失败"))),
            CODE,
            WORDS,
        ),
        consequence=NEXT,
        on_record=True,
        statuses=OPEN,
        seats=CLERK,
    ),
)
"""What a bank's clerk does with a batch. （第二十条）"""

PAYMENT_FORMS = (
    Form(
        "result",
        "登记结果",
        P.BANK_REPLY_PREPARE,
        result,
        (
            Ask("outcome", "发放结果", "choice", choices=(("paid", "发放成功"), ("failed", "发放失败"))),
            CODE,
            WORDS,
            Ask("settled_on", "结果日期", "date", required=False, help="不填为今天"),
        ),
        consequence=NEXT,
        on_record=True,
        statuses=(DisbursementStatus.SENT, DisbursementStatus.UNKNOWN),
        seats=CLERK,
    ),
)
"""What a bank's clerk does with one payment. （第二十条）"""


class BankReplyView(ConsoleView, model=BankReply):
    """银行回复。"""

    category, icon = Menu.BANK, "fa-solid fa-reply"
    permission = P.BANK_REPLY_VIEW
    lifecycle, verbs = BANK_REPLY_LIFECYCLE, "workflows.bank_replies"
    column_list = ["number", "kind", "source", "subject", "row_count", "amount_fen", "status", "prepared_at"]
    headline = ("kind", "source", "subject", "row_count", "amount_fen", "done_count", "skipped_count") + (
        "exception_count",
    )
    search_text = ("number",)
    filters = ("status", "kind")
    file_columns = ("file_id", "marked_file_id")
    record_template = "bank_reply"
    related = (
        Related(
            "明细",
            BankReplyRow,
            "reply_id",
            ("row_number", "reference", "amount_fen", "state", "code", "words", "outcome", "message"),
            P.BANK_REPLY_VIEW,
            order="row_number",
        ),
    )
    forms = (
        Form(
            "answers",
            "上传验证答复",
            P.BANK_REPLY_PREPARE,
            _uploading(ReplyKind.ANSWERS),
            (FILE,),
            consequence=f"上传后在后台核对，有问题的整份退回并标注单元格。{NEXT}",
            seats=CLERK,
        ),
        Form(
            "results",
            "上传发放结果",
            P.BANK_REPLY_PREPARE,
            _uploading(ReplyKind.RESULTS),
            (
                Ask("batch", "代发批次", "choice"),
                Ask("file", "结果文件", "file", help="发放结果工作簿（.xlsx）或回盘报文 pain.002（.xml）"),
            ),
            (("batch", open_batches),),
            consequence=f"上传后在后台核对，有问题的整份退回并标注单元格。{NEXT}",
            seats=CLERK,
        ),
        Form(
            "notices",
            "上传不动户、销户通知",
            P.BANK_REPLY_PREPARE,
            _uploading(ReplyKind.NOTICES),
            (FILE,),
            consequence=f"上传后在后台核对，有问题的整份退回并标注单元格。{NEXT}",
            seats=CLERK,
        ),
    )

    def extra(self, session: Session, record: Any, by: ActingOfficer, granted: frozenset[str]) -> dict[str, Any]:
        """Return the job whose progress the page shows."""
        return {"job": bank_replies.job_of(session, record)}


class BankFormsView(BaseView):
    """The empty workbooks in which a bank answers."""

    name, category = "银行回复模板", ""
    permission, lifecycle = P.BANK_REPLY_VIEW, None

    @expose("/bank-forms/{kind}", identity="bank-forms")
    async def template(self, request: Request) -> Response:
        """Send the empty workbook of a kind of reply."""
        kind = next((kind for kind in TEMPLATES if kind == request.path_params["kind"]), None)
        if kind is None:
            raise NotFound
        content = await anyio.to_thread.run_sync(write_template, kind)
        headers = {"Content-Disposition": f"attachment; filename*=UTF-8''{quote(kind.label + '模板')}.xlsx"}
        return Response(content, media_type=XLSX, headers=headers)


async def shown(by: ActingOfficer) -> bank_desk.Desk | None:
    """Return what waits at the desk of a bank's officer, for the start page; None for everybody else."""
    return await reading(lambda session: bank_desk.desk(session, by)) if by.bank_id else None
