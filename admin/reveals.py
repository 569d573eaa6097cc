"""Who saw personal data in full, for auditors; and the rotation of keys, for administrators. （第三十条）"""

from admin.base import ConsoleView, Form, Menu, call
from models.keys import KeyRotation, Reveal, RotationStatus
from policies.permissions import Permission as P


class RevealView(ConsoleView, model=Reveal):
    """明文查看记录。"""

    category, icon = Menu.OVERSIGHT, "fa-solid fa-eye"
    permission = P.REVEAL_VIEW
    title_field = "title"
    column_list = ["revealed_at", "officer_name", "post", "kind", "title", "row_count", "reason", "address"]
    headline = ("officer_name", "post", "revealed_at", "address", "reason", "row_count")
    column_details_list = [
        "revealed_at", "officer_name", "post", "address", "kind", "title", "row_count", "reason", "division_code",
        "digest",
    ]  # fmt: skip
    search_text = ("officer_name", "title", "reason")
    filters = ("kind",)


class KeyRotationView(ConsoleView, model=KeyRotation):
    """密钥轮换。"""

    category, icon = Menu.SECURITY, "fa-solid fa-key"
    permission = P.KEY_VIEW
    title_field = "kind"
    column_list = ["started_at", "kind", "key_number", "status", "stage", "done", "total", "per_second", "seconds_left"]
    headline = ("status", "stage", "done", "total", "per_second", "seconds_left", "started_at", "finished_at")
    column_details_list = ["kind", "key_number", "status", "stage", "done", "total", "started_at", "finished_at"]
    filters = ("kind", "status")
    forms = (
        Form(
            "stop",
            "停止轮换",
            P.KEY_VIEW,
            call("keys", "stop"),
            consequence="处理完当前一批即停止，已完成的部分保留；再次执行 yikatong keys rotate 等命令即从停下处继续。",
            on_record=True,
            statuses=(RotationStatus.RUNNING,),
        ),
    )
