"""Bulletins, events, refusals and jobs. （第二十二、二十三、三十三条）"""

from typing import Any

from starlette.requests import Request

from admin.base import ConsoleView, Form, Menu, call
from models.bulletins import Bulletin
from models.events import Event, Refusal
from models.jobs import Job, JobStatus
from policies.lifecycles import Ask
from policies.permissions import Permission as P
from reports.bulletins import families

FAMILIES = tuple((family.code, f"{family.title}（{family.article}）") for family in families().values())
"""One file each in `reports/bulletins/`: a new family appears here by itself."""


class BulletinView(ConsoleView, model=Bulletin):
    """通报。"""

    category, icon = Menu.OVERSIGHT, "fa-solid fa-chart-column"
    permission = P.BULLETIN_VIEW
    title_field = "title"
    column_list = ["number", "title", "date_from", "date_to", "paid_count", "paid_fen", "prepared_at", "prepared_by"]
    headline = ("title", "date_from", "date_to", "paid_count", "paid_fen", "prepared_at", "prepared_by", "digest")
    search_text = ("number", "title")
    total = "paid_fen"
    noun = "bulletin"
    file_columns = ("file_id",)
    forms = (
        Form(
            "make",
            "生成通报",
            P.BULLETIN_MAKE,
            call("bulletins", "make"),
            (
                Ask("family", "通报种类", "choice", choices=FAMILIES),
                Ask("date_from", "期间起", "date"),
                Ask("date_to", "期间止", "date"),
            ),
            consequence="数据取自记账凭证，生成后固定并附摘要，可下载 Excel（第三十三条）。",
        ),
    )


class EventView(ConsoleView, model=Event):
    """办理记录。"""

    category, icon = Menu.OVERSIGHT, "fa-solid fa-clock-rotate-left"
    permission = P.EVENT_VIEW
    title_field = "label"
    column_list = ["business_at", "label", "officer_name", "post", "opinion"]
    headline = ("label", "officer_name", "post", "business_at")
    column_details_list = ["label", "officer_name", "post", "opinion", "business_at", "recorded_at"]
    search_text = ("officer_name", "label")


class RefusalView(ConsoleView, model=Refusal):
    """拒绝记录。"""

    category, icon = Menu.OVERSIGHT, "fa-solid fa-ban"
    permission = P.AUDIT_VIEW
    title_field = "refusal"
    column_list = ["recorded_at", "officer_name", "post", "record", "message"]
    headline = ("officer_name", "post", "recorded_at", "record")
    search_text = ("officer_name", "record")


class JobView(ConsoleView, model=Job):
    """后台任务。"""

    category, icon = Menu.OVERSIGHT, "fa-solid fa-gears"
    permission = P.JOB_VIEW
    title_field = "title"
    column_list = ["title", "queued_at", "stage", "done", "total", "status", "message"]
    headline = ("title", "stage", "queued_at", "started_at", "finished_at", "message")
    filters = ("status",)
    file_columns = ("file_id",)
    record_template = "job"
    forms = (
        Form(
            "cancel",
            "取消任务",
            P.JOB_VIEW,
            call("jobs", "cancel"),
            consequence="任务在下一个检查点停止，已写入的内容全部撤回。",
            on_record=True,
            statuses=(JobStatus.QUEUED, JobStatus.RUNNING),
        ),
    )

    def offered(self, request: Request, record: Any = None) -> list[Form]:
        """Return the cancel button to the job's owner only."""
        mine = record is None or record.officer_id == request.scope["live"].officer.officer_id
        return super().offered(request, record) if mine else []
