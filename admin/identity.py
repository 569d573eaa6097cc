"""Asking the police from the registry's pages: one person, or everybody of the township who is due. （第十一条）"""

from admin.base import Form, call
from policies.freshness import IDENTITY_FRESH
from policies.permissions import Permission as P

ONE = Form(
    "check",
    "公安联网核查",
    P.MEMBER_CHECK,
    call("identity_checks", "check_member"),
    consequence="由后台向公安查询此人的姓名、身份证号是否一致、是否死亡；不一致的生成待办（第十一条、第十六条第一项）。",
    on_record=True,
)
EVERYBODY = Form(
    "check-all",
    "核查全乡人员",
    P.MEMBER_CHECK,
    call("identity_checks", "check_township"),
    consequence=(
        f"由后台分批向公安查询：从未核查、核查结果超过 {IDENTITY_FRESH.days} 天，以及上次不一致的人员；"
        "可以在后台任务中查看进度、取消后再次发起（第十一条）。"
    ),
)
