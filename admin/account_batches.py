"""Cards replaced in bulk: a list is sent, every row judged, then two people decide. （第十二、二十三条）"""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlmodel import Session, col

from admin.base import ConsoleView, Form, Menu, Related, call
from models.account_batches import AccountBatch, AccountBatchRow, BatchKind, BatchSource, BatchStatus
from models.accounts import AccountStatus
from models.jobs import Job, JobStatus
from models.officers import ActingOfficer
from models.payment_orders import AgentBank
from policies.lifecycles import Ask, Desk
from policies.lifecycles.account_batches import ACCOUNT_BATCH_LIFECYCLE
from policies.permissions import Permission as P
from workflows import account_batches

WHY = Ask("reason", "换卡原因", help="如：社会保障卡到期换发，依据文件名称和文号")
FILE = Ask(
    "file", "换卡清单", "file", help="Excel 工作簿（.xlsx）或 .csv，按列名识别：姓名、原账号或身份证号、新社会保障卡号"
)
FROM = Ask("from_bank", "原代理银行", "choice")
INTO = Ask("bank", "新代理银行", "choice")
CHECKED = "上传后在后台逐行核对：有问题的行不换卡，其余行提出后由另一人复核（第二十三条）。"


def _source(*sources: BatchSource) -> Ask:
    return Ask("source", "清单来源", "choice", choices=tuple((str(one), one.label) for one in sources))


def banks(session: Session, by: ActingOfficer, record: Any) -> Sequence[tuple[str, str]]:
    """Return the agent banks by number. （第三十四条）"""
    rows = session.execute(sa.select(col(AgentBank.id), col(AgentBank.name)).order_by(col(AgentBank.id)))
    return [(str(number), name) for number, name in rows]


def upload(
    session: Session, *, by: ActingOfficer, file: tuple[str, bytes], reason: str, source: str = BatchSource.BANK
) -> AccountBatch:
    """Receive a list of replaced cards; a bank's officer sends the bank's own."""
    name, content = file
    return account_batches.receive(
        session, by=by, kind=BatchKind.CARDS, source=BatchSource(source), reason=reason, file_name=name, content=content
    )


def change_bank(
    session: Session, *, by: ActingOfficer, file: tuple[str, bytes], reason: str, source: str, from_bank: str, bank: str
) -> AccountBatch:
    """Receive the list of new cards with which a county changes its agent bank. Raises BankChoice."""
    name, content = file
    chosen = {
        key: int(value) if value.isascii() and value.isdigit() else None
        for key, value in (("from_bank_id", from_bank), ("bank_id", bank))
    }
    return account_batches.receive(
        session, by=by, kind=BatchKind.BANK, source=BatchSource(source), reason=reason, file_name=name,
        content=content, **chosen,
    )  # fmt: skip


_job: Any = Job
RUNNING = sa.exists().where(
    _job.kind == account_batches.APPLY_JOB,
    _job.status.in_((JobStatus.QUEUED, JobStatus.RUNNING)),
    _job.arguments["batch_id"].astext == sa.cast(AccountBatch.id, sa.Text),
)


class AccountBatchView(ConsoleView, model=AccountBatch):
    """批量换卡。"""

    category, icon = Menu.REGISTRY, "fa-solid fa-arrows-rotate"
    permission = P.ACCOUNT_BATCH_VIEW
    lifecycle, verbs = ACCOUNT_BATCH_LIFECYCLE, "workflows.account_batches"
    record_template = "account_batch"
    column_list = [
        "number", "kind", "source", "file_name", "row_count", "ready_count", "problem_count", "done_count", "status",
        "prepared_at",
    ]  # fmt: skip
    headline = ("kind", "source", "division_code", "file_name", "reason", "prepared_at", "applied_at")
    search_text = ("number", "file_name")
    filters = ("status", "kind", "source")
    file_columns = ("file_id", "marked_file_id", "missing_file_id")
    related = (
        Related(
            "逐行结果",
            AccountBatchRow,
            "batch_id",
            ("row_number", "name", "old_shown", "new_shown", "bank_name", "outcome", "message"),
            P.ACCOUNT_BATCH_VIEW,
            order="row_number",
            together=True,
        ),
    )
    forms = (
        Form(
            "new",
            "上传换卡清单",
            P.ACCOUNT_BATCH_PROPOSE,
            upload,
            (_source(BatchSource.SOCIAL_SECURITY, BatchSource.TOWNSHIP), WHY, FILE),
            consequence=CHECKED,
            seats=Desk.TOWNSHIP_KEEPER.seats,
        ),
        Form(
            "county",
            "上传换卡清单",
            P.ACCOUNT_BATCH_PROPOSE,
            upload,
            (_source(BatchSource.SOCIAL_SECURITY, BatchSource.COUNTY), WHY, FILE),
            consequence=CHECKED,
            seats=Desk.FINANCE_CLERK.seats,
        ),
        Form(
            "bank",
            "更换代理银行",
            P.ACCOUNT_BATCH_PROPOSE,
            change_bank,
            (FROM, INTO, _source(BatchSource.COUNTY, BatchSource.SOCIAL_SECURITY), WHY, FILE),
            (("from_bank", banks), ("bank", banks)),
            consequence=f"{CHECKED}没有新卡的人员仍发放至原账户，另列名单。",
            seats=Desk.FINANCE_CLERK.seats,
        ),
        Form(
            "own",
            "上传本行换卡清单",
            P.BANK_REPLY_PREPARE,
            upload,
            (WHY, FILE),
            consequence="本行另一名复核人员确认后交旗县财政；清单中的新卡视为本行验证通过，不再逐户验证（第十二条）。",
            seats=Desk.BANK_CLERK.seats,
        ),
        Form(
            "template",
            "下载换卡清单模板",
            P.ACCOUNT_BATCH_VIEW,
            call("account_batches", "template"),
            consequence="空白模板，含列说明；有自己格式的，按列名识别即可，不必改用模板。",
        ),
        Form(
            "resume",
            "继续登记",
            P.ACCOUNT_BATCH_CONFIRM,
            call("account_batches", "resume"),
            consequence="从下一行起继续登记，已登记的不重复。",
            on_record=True,
            statuses=(BatchStatus.STOPPED, BatchStatus.CONFIRMED),
            where=(~RUNNING,),
        ),
    )

    def extra(self, session: Session, record: Any, by: ActingOfficer, granted: frozenset[str]) -> dict[str, Any]:
        """Return the job whose progress the page shows, the two banks, and how the new accounts stand."""
        standing = account_batches.standing(session, record) if record.done_count else {}
        return {
            "job": account_batches.job_of(session, record),
            "banks": [session.get(AgentBank, one) for one in (record.from_bank_id, record.bank_id) if one],
            "standing": [(AccountStatus(status), count) for status, count in sorted(standing.items())],
        }
