"""Organisations, officers, posts and delegations. （第四条、第二十三条、第三十一至三十四条）"""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlmodel import Session, col, select
from starlette.requests import Request

from admin.base import ConsoleView, Form, Menu, Related, call
from admin.reading import who
from models.delegations import Delegation, DelegationStatus
from models.divisions import Division, Level
from models.officers import ActingOfficer, Officer, Post, PostStatus, Role
from models.organisations import Organisation, OrganisationKind
from models.payment_orders import AgentBank
from policies.lifecycles import Ask
from policies.lifecycles.posts import DELEGATION_LIFECYCLE, POST_LIFECYCLE, WHY
from policies.permissions import Permission as P
from workflows import delegations, handover, posts

NAME = Ask("name", "机构名称", "text")
TELEPHONE = Ask("telephone", "联系电话", "text", help="办理业务时对外公布（第二十六条），如 0476-4300011")
ROLES = tuple((str(role), role.label) for role in Role if role != Role.SYSTEM)
POST_COLUMNS = ("organisation", "role", "sector", "valid_from", "valid_to", "status")
LENT_COLUMNS = ("title", "holder", "delegate", "valid_from", "valid_to", "status")
Pairs = Sequence[tuple[str, str]]


def divisions(session: Session, by: ActingOfficer, record: Any) -> Pairs:
    """Return the divisions that organisations may stand at, in the post's range, county by county."""
    rows = session.execute(
        sa.select(Division.code, Division.name, Division.level)  # type: ignore[call-overload]
        .where(
            col(Division.code) >= by.scope.start,
            col(Division.code) < by.scope.end,
            col(Division.level) != Level.VILLAGE,
            ~col(Division.hidden),
        )
        .order_by(Division.code)
    ).all()
    names = {row.code: row.name for row in rows}
    return [(row.code, _path(row, names)) for row in rows]


def _path(row: Any, names: dict[str, str]) -> str:
    county = names.get(f"{row.code[:6]}000000", "") if row.level == Level.TOWNSHIP else ""
    return f"{county} {row.name}（{row.code}）".strip()


def banks(session: Session, by: ActingOfficer, record: Any) -> Pairs:
    """Return the agent banks."""
    return [(str(bank.id), bank.name) for bank in session.exec(select(AgentBank).order_by(col(AgentBank.id)))]


def sectors(session: Session, by: ActingOfficer, record: Any) -> Pairs:
    """Return the sectors that subsidies have: what township staff may be limited to. （第三十一条）"""
    rows = session.execute(sa.text("select distinct sector from subsidy_projects where sector <> '' order by 1"))
    return [(word, word) for word in rows.scalars()]


def offices(session: Session, by: ActingOfficer, record: Any) -> Pairs:
    """Return the open organisations near an officer: of the same county, or of the same league or region."""
    home = record.division_code if record is not None else by.division_code
    code = col(Organisation.division_code)
    near = code.startswith(home[:6]) if home[4:] != "00000000" else code == home
    rows = session.exec(
        select(Organisation).where(near, col(Organisation.closed_on).is_(None)).order_by(code, col(Organisation.id))
    )
    return [(str(one.id), one.name) for one in rows]


def open_organisations(session: Session, by: ActingOfficer, record: Any) -> Pairs:
    """Return every open organisation of the post's range."""
    rows = session.execute(
        sa.text("select id, name from organisations where closed_on is null order by division_code, id")
    )
    return [(str(row.id), row.name) for row in rows]


def stand_ins(session: Session, by: ActingOfficer, record: Any) -> Pairs:
    """Return whom the officer may ask to stand in."""
    return [(str(one.officer_id), f"{one.name}（{one.post}）") for one in delegations.colleagues(session)]


def own_permissions(session: Session, by: ActingOfficer, record: Any) -> Pairs:
    """Return what of the own post may be lent."""
    return [(str(one), one.label) for one in delegations.delegable(session, by)]


def propose(session: Session, officer: Officer, *, by: ActingOfficer, **answers: Any) -> Post:
    """Propose the officer of the page for a post."""
    return posts.propose(session, by=by, officer_id=str(officer.id), **answers)


class OrganisationView(ConsoleView, model=Organisation):
    """机构。"""

    category, icon = Menu.PEOPLE, "fa-solid fa-building-columns"
    permission = P.ORGANISATION_VIEW
    title_field = "name"
    column_list = ["name", "kind", "level", "division_code", "sector", "telephone", "closed_on"]
    headline = ("name", "kind", "level", "division_code", "sector", "telephone", "closed_on")
    search_text = ("name", "division_code")
    filters = ("kind", "level")
    order = ("division_code", "id")
    noun = "organisation"
    related = (
        Related(
            "岗位",
            Post,
            "organisation_id",
            ("holder", "role", "sector", "valid_from", "valid_to", "status"),
            P.POST_VIEW,
            link="post",
        ),
    )
    forms = (
        Form(
            "establish",
            "设立机构",
            P.ORGANISATION_KEEP,
            call("organisations", "establish"),
            (
                Ask("division_code", "区划", "choice"),
                Ask("kind", "机构类别", "choice", choices=tuple((str(kind), kind.label) for kind in OrganisationKind)),
                NAME,
                TELEPHONE,
                Ask("sector", "主管领域", "text", required=False, help="主管部门须填，如 农牧、民政"),
                Ask("bank_id", "所属银行", "choice", required=False, help="代理金融机构须选"),
            ),
            (("division_code", divisions), ("bank_id", banks)),
            consequence="每个区划同类机构只设一个，主管部门每个领域一个（第四条）。",
        ),
        Form(
            "keep",
            "变更机构",
            P.ORGANISATION_KEEP,
            call("organisations", "keep"),
            (NAME, TELEPHONE),
            on_record=True,
            where=(col(Organisation.closed_on).is_(None),),
            filled=("name", "telephone"),
            consequence="区划、类别和领域不能变更；确需变更的，撤销后重新设立。",
        ),
        Form(
            "close",
            "撤销机构",
            P.ORGANISATION_KEEP,
            call("organisations", "close"),
            (WHY,),
            on_record=True,
            where=(col(Organisation.closed_on).is_(None),),
            consequence="仍有人在任或待复核的机构不能撤销。",
        ),
    )


class OfficerView(ConsoleView, model=Officer):
    """用户。"""

    category, icon = Menu.PEOPLE, "fa-solid fa-id-badge"
    permission = P.OFFICER_VIEW
    title_field = "name"
    column_list = ["login", "name", "division_code", "active"]
    headline = ("login", "name", "division_code", "active")
    column_details_list = ["login", "name", "division_code", "active"]
    search_text = ("login", "name")
    noun = "officer"
    record_template = "people_officer"
    related = (
        Related("岗位", Post, "officer_id", POST_COLUMNS, P.POST_VIEW, link="post", order="-id"),
        Related("委托他人", Delegation, "holder_id", LENT_COLUMNS, P.DELEGATION_VIEW, link="delegation", order="-id"),
    )
    forms = (
        Form(
            "register",
            "登记用户",
            P.OFFICER_REGISTER,
            call("officers", "register"),
            (
                Ask("organisation_id", "所属机构", "choice"),
                Ask("login", "登录名", "text", help="小写字母开头，如 changsheng.wang"),
                Ask("name", "姓名", "text"),
                Ask("id_number", "身份证号码", "text", help="只存不可还原的标识，识别同一人的多个账号（第三十条）"),
            ),
            (("organisation_id", open_organisations),),
            consequence="登记后显示一次初始口令；账号在任职经复核生效前不能登录办理业务。",
        ),
        Form(
            "propose",
            "拟任岗位",
            P.POST_PROPOSE,
            propose,
            (
                Ask("organisation_id", "机构", "choice"),
                Ask("role", "岗位", "choice", choices=ROLES),
                Ask("sector", "分管领域", "choice", required=False, help="乡镇工作人员按领域分工时选择（第三十一条）"),
                Ask("valid_from", "任职起", "date"),
                Ask("valid_to", "任职止", "date", required=False),
            ),
            (("organisation_id", offices), ("sector", sectors)),
            on_record=True,
            where=(col(Officer.active),),
            consequence="由另一名安全管理员复核后生效；与已任岗位不相容的，不能拟任（第二十三条）。",
        ),
        Form(
            "suspend",
            "停用账号",
            P.OFFICER_SUSPEND,
            call("officers", "suspend"),
            (WHY,),
            on_record=True,
            where=(col(Officer.active),),
            consequence="立即结束该账号的全部会话，恢复前不能登录。",
        ),
        Form(
            "restore",
            "恢复账号",
            P.OFFICER_SUSPEND,
            call("officers", "restore"),
            (WHY,),
            on_record=True,
            where=(~col(Officer.active),),
        ),
        Form(
            "reset-password",
            "重置口令",
            P.OFFICER_RESET,
            call("officers", "reset_password"),
            (WHY,),
            on_record=True,
            consequence="显示一次新的初始口令，首次登录须更换；原口令和全部会话立即失效（第三十条）。",
        ),
        Form(
            "reset-second-factor",
            "重置动态口令",
            P.OFFICER_RESET,
            call("officers", "reset_second_factor"),
            (WHY,),
            on_record=True,
            consequence="下次登录时重新绑定验证器；全部会话立即结束（第三十条）。",
        ),
    )

    def extra(self, session: Session, record: Any, by: ActingOfficer, granted: frozenset[str]) -> dict[str, Any]:
        """Return what is open in each post, for those who see posts; and whether leaving may be handled here."""
        shown = P.POST_VIEW in granted
        held = handover.open_things(session, record) if shown else []
        return {"held": held, "leaving": P.POST_END in granted and record.person != by.person and bool(held)}


class PostView(ConsoleView, model=Post):
    """岗位。"""

    category, icon = Menu.PEOPLE, "fa-solid fa-user-tag"
    opens = "all"
    permission = P.POST_VIEW
    lifecycle, verbs = POST_LIFECYCLE, "workflows.posts"
    column_list = ["organisation", "role", "sector", "holder", "division_code", "valid_from", "valid_to", "status"]
    headline = ("organisation", "role", "sector", "holder", "valid_from", "valid_to")
    column_details_list = [*headline, "division_code", "status", "arrived_at"]
    search_text = ("organisation", "holder")
    filters = ("status", "role")
    related = (
        Related(
            "委托代办",
            Delegation,
            "post_id",
            ("delegate", "valid_from", "valid_to", "permissions", "reason", "status"),
            P.DELEGATION_VIEW,
            link="delegation",
            order="-id",
        ),
    )
    forms = (
        Form(
            "end",
            "终止任职",
            P.POST_END,
            call("posts", "end"),
            (WHY,),
            on_record=True,
            statuses=(PostStatus.IN_FORCE,),
            consequence="立即终止，本岗位的委托和会话随之失效；待办未了的，请改用用户页上的“办理离任”。",
        ),
    )

    def title(self, record: Any) -> str:
        """Return how the page names a post: who, where, what, from when to when."""
        sector = f"（{record.sector}）" if record.sector else ""
        until = f"至 {record.valid_to}" if record.valid_to else "起"
        return f"{record.holder}：{record.organisation}{record.role.label}{sector}，{record.valid_from} {until}"


class DelegationView(ConsoleView, model=Delegation):
    """委托代办。"""

    category, icon = Menu.PEOPLE, "fa-solid fa-handshake"
    opens = "all"
    permission = P.DELEGATION_VIEW
    lifecycle, verbs = DELEGATION_LIFECYCLE, "workflows.delegations"
    column_list = ["title", "holder", "delegate", "valid_from", "valid_to", "reason", "status"]
    headline = ("title", "holder", "delegate", "valid_from", "valid_to", "permissions", "reason")
    column_details_list = [*headline, "division_code", "status", "arrived_at"]
    search_text = ("title", "holder", "delegate")
    filters = ("status",)
    forms = (
        Form(
            "grant",
            "委托代办",
            P.DELEGATION_GRANT,
            call("delegations", "grant"),
            (
                Ask("officer_id", "受托人", "choice", help="本机构或本区划同类机构的在任人员"),
                Ask("valid_from", "委托起", "date"),
                Ask("valid_to", "委托止", "date"),
                Ask("reason", "事由", "text", help="如 年休、出差、病假"),
                Ask(
                    "permissions",
                    "委托的权限（都不勾选为全部权限）",
                    "choices",
                    required=False,
                    choices=tuple((str(one), one.label) for one in P),
                ),
            ),
            (("officer_id", stand_ins), ("permissions", own_permissions)),
            consequence="受托人在页面右上角切换到本岗位后代您办理，不能再委托他人；到期自动失效（第二十三条）。",
            seats=lambda by: not by.delegation_id,
        ),
        Form(
            "end",
            "提前结束",
            P.DELEGATION_VIEW,
            call("delegations", "end"),
            on_record=True,
            statuses=(DelegationStatus.IN_FORCE,),
            consequence="受托人立即失去该岗位的权限，已办理的事项不受影响。",
        ),
    )

    def title(self, record: Any) -> str:
        """Return how the page names a delegation."""
        return f"{record.delegate}代{record.holder}：{record.title}"

    def offered(self, request: Request, record: Any = None) -> list[Form]:
        """Return the button that ends it early to its two sides only, outside the lent post itself."""
        by = who(request)
        mine = record is None or by.officer_id in (record.holder_id, record.officer_id)
        return super().offered(request, record) if mine and (record is None or by.delegation_id != record.id) else []
