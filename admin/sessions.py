"""Sessions of officers and identities of unified login, as security administrators see and end them. （第二十三条）"""

from admin.base import ConsoleView, Form, Menu, call
from models.sessions import LoginSession, OpenIdentity, SessionStatus
from policies.lifecycles import Ask
from policies.permissions import Permission as P


class LoginSessionView(ConsoleView, model=LoginSession):
    """登录会话。"""

    category, icon = Menu.SECURITY, "fa-solid fa-display"
    permission = P.SESSION_VIEW
    title_field = "officer_name"
    column_list = ["officer_name", "post", "status", "way", "factor", "address", "started_at", "seen_at"]
    headline = ("status", "post", "address", "seen_at")
    column_details_list = [
        "officer_name",
        "post",
        "status",
        "way",
        "factor",
        "address",
        "agent",
        "started_at",
        "seen_at",
        "confirmed_at",
        "code_at",
        "ended_at",
    ]
    search_text = ("officer_name", "address")
    filters = ("status", "way")
    noun = "session"
    forms = (
        Form(
            "end",
            "结束会话",
            P.SESSION_END,
            call("sessions", "end"),
            (Ask("reason", "事由"),),
            consequence="该用户这一处登录立即失效，须重新登录；没有保存的内容会丢失。",
            on_record=True,
            statuses=(SessionStatus.LIVE,),
        ),
        Form(
            "unlock-account",
            "解除账号锁定",
            P.OFFICER_RESET,
            call("logins", "unlock_account"),
            (Ask("login", "登录名", "text"),),
            consequence="核对本人身份后办理。失败次数清零，用户可立即登录；口令和动态口令不变。",
        ),
        Form(
            "unlock-address",
            "解除地址锁定",
            P.OFFICER_RESET,
            call("logins", "unlock_address"),
            (Ask("address", "网络地址", "text", help="如 10.1.2.3，一般为单位的出口地址"),),
            consequence="该地址的失败次数清零，同一单位的用户可立即登录。",
        ),
    )


class OpenIdentityView(ConsoleView, model=OpenIdentity):
    """统一身份。"""

    category, icon = Menu.SECURITY, "fa-solid fa-link"
    permission = P.SESSION_VIEW
    title_field = "officer_name"
    column_list = ["officer_name", "label", "subject", "issuer", "linked_at", "linked_by"]
    headline = ("officer_name", "label", "linked_at", "linked_by")
    search_text = ("officer_name", "label")
    noun = "identity"
    forms = (
        Form(
            "link",
            "绑定统一身份",
            P.OFFICER_RESET,
            call("oidc", "link"),
            (
                Ask("login", "登录名", "text"),
                Ask("subject", "平台用户标识", "text", help="认证平台给该用户的固定标识（sub），不是姓名或工号"),
                Ask("label", "平台账号", "text", required=False, help="供核对，如平台上的登录名"),
            ),
            consequence="绑定后，用该身份登录即以此用户的名义办理，请核对无误。",
        ),
        Form(
            "unlink",
            "解除绑定",
            P.OFFICER_RESET,
            call("oidc", "unlink"),
            consequence="该用户不能再用统一身份认证登录，现有会话立即失效；口令登录不受影响。",
            on_record=True,
        ),
    )
