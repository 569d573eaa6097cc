"""The exchange with other departments as officers see it: who is connected, what came, what differs. （第二十九条）"""

from collections.abc import Sequence
from typing import Any, ClassVar

from sqladmin import BaseView, expose
from sqlmodel import Session, col, select
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from admin import pages
from admin.base import BASE, ConsoleView, Form, Menu, Related, call
from admin.reading import reading, who
from models.exchange import ExchangeBatch, ExchangeBody, ExchangeFact, FactKind
from models.officers import ActingOfficer
from models.projects import SubsidyProject
from policies.clock import today
from policies.lifecycles import Ask
from policies.permissions import Permission as P
from workflows import exchange

LATEST = 8
STATES = {
    "connected": ("已接入", "good"),
    "stale": ("数据陈旧", "wait"),
    "silent": ("已接入，尚无数据", "busy"),
    "off": ("未接入", ""),
}
REASON = Ask("reason", "原因", "text", help="如 部门系统改造期间暂停")
WHO = Ask("password", "登录口令（查看密钥前复核身份）", kind="password")


def _switch(enabled: bool) -> Any:
    def run(session: Session, body: ExchangeBody, *, by: ActingOfficer, reason: str) -> ExchangeBody:
        return exchange.switch(session, body, by=by, enabled=enabled, reason=reason)

    return run


def _sectors(session: Session, by: ActingOfficer, record: Any) -> Sequence[tuple[str, str]]:
    found = session.exec(select(SubsidyProject.sector).distinct().order_by(SubsidyProject.sector))
    return [(name, name) for name in found]


class ExchangeView(BaseView):
    """The twelve bodies at a glance: state, last data, batches, coverage of the counties in range."""

    name, category, icon = "部门数据共享", Menu.REGISTRY, "fa-solid fa-right-left"
    permission: ClassVar[P] = P.EXCHANGE_VIEW
    lifecycle = None
    root_url = menu_url = f"{BASE}/exchange"

    def is_accessible(self, request: Request) -> bool:
        """Let those in who may see the exchange."""
        return self.permission in getattr(request.state, "permissions", frozenset())

    is_visible = is_accessible

    @expose("/exchange", identity="exchange")
    async def overview(self, request: Request) -> Response:
        """Show what is connected, since when, and how far it reaches."""
        if not self.is_accessible(request):
            raise HTTPException(403, f"您当前的岗位（{who(request).post}）不能查看“{self.name}”（第二十三条）。")
        found = await reading(_overview)
        keeps = P.EXCHANGE_KEEP in getattr(request.state, "permissions", frozenset())
        return await pages.render(request, "exchange", title=self.name, view=self, keeps=keeps, **found)


def _overview(session: Session) -> dict[str, Any]:
    day = today(session)
    bodies = list(session.exec(select(ExchangeBody).order_by(col(ExchangeBody.id))))
    states = {body.code: exchange.state_of(body, day) for body in bodies}
    coverage = exchange.coverage(session)
    latest = list(session.exec(select(ExchangeBatch).order_by(col(ExchangeBatch.id).desc()).limit(LATEST)))
    return {
        "bodies": bodies,
        "states": {code: STATES[state] for code, state in states.items()},
        "connected": sum(state in ("connected", "stale") for state in states.values()),
        "gaps": {body.code: exchange.missing(session, body.id or 0) for body in bodies if body.last_number},
        "coverage": coverage,
        "sources": [body for body in bodies if any(body.code in row.counts for row in coverage)],
        "latest": latest,
        "kinds": {str(kind): kind.label for kind in FactKind},
    }


class ExchangeBodyView(ConsoleView, model=ExchangeBody):
    """共享部门。"""

    category = ""
    permission = P.EXCHANGE_VIEW
    title_field = "name"
    noun = exchange.NOUN
    order = ("id",)
    opens = "all"
    column_list = ["name", "code", "enabled", "last_number", "last_received_at", "last_as_of"]
    headline = ("code", "enabled", "key_set_at", "last_number", "last_received_at", "last_as_of")
    column_details_list = [
        "name", "code", "kinds", "enabled", "fresh_days", "key_set_at", "last_number", "last_received_at",
        "last_applied_at", "last_as_of",
    ]  # fmt: skip
    related = (
        Related(
            "批次",
            ExchangeBatch,
            "body_id",
            ("number", "status", "row_count", "applied_count", "older_count", "unknown_count", "conflict_count")
            + ("received_at",),
            P.EXCHANGE_VIEW,
            "exchange-batch",
            order="-number",
        ),
    )
    forms = (
        Form(
            "key",
            "生成新密钥",
            P.EXCHANGE_KEEP,
            call("exchange", "renew_key"),
            asks=(WHO,),
            consequence="新密钥只显示这一次，请当面或通过安全渠道交给对方系统管理员；原密钥立即失效，接口随即启用（第二十九、三十条）。",
            on_record=True,
        ),
        Form(
            "off",
            "停用接口",
            P.EXCHANGE_KEEP,
            _switch(False),
            asks=(REASON,),
            consequence="停用后该部门的请求不再接受；已有数据和来源保留，依赖该来源的规则按“未接入”处理。",
            on_record=True,
            where=(col(ExchangeBody.enabled).is_(True),),
        ),
        Form(
            "on",
            "启用接口",
            P.EXCHANGE_KEEP,
            _switch(True),
            asks=(REASON,),
            consequence="按现有密钥恢复接收该部门的批次。",
            on_record=True,
            where=(col(ExchangeBody.enabled).is_(False), col(ExchangeBody.key_set_at).is_not(None)),
        ),
        Form(
            "agree",
            "协同约定",
            P.EXCHANGE_KEEP,
            call("application_exchange", "agree"),
            (
                Ask("line", "主管领域", "choice", help="只接收该领域项目的申请和审批结果（第十四条谁主管、谁审批）"),
                Ask("counts", "部门系统的审批视同本部门初审", "checkbox", required=False),
                Ask("document", "约定文件", "text", help="文号和名称"),
            ),
            (("line", _sectors),),
            consequence="负责人审核、主管部门审批和公示不省略；约定立即生效，此后的批次按新约定办理（第十四条第二项）。",
            on_record=True,
        ),
    )


class ExchangeBatchView(ConsoleView, model=ExchangeBatch):
    """共享批次。"""

    category = ""
    permission = P.EXCHANGE_VIEW
    title_field = "receipt"
    opens = "all"
    column_list = [
        "body_name", "number", "status", "row_count", "applied_count", "unchanged_count", "older_count",
        "unknown_count", "conflict_count", "last_as_of", "received_at",
    ]  # fmt: skip
    headline = ("body_name", "number", "status", "row_count", "received_at", "applied_at")
    column_details_list = [
        "body_name", "number", "receipt", "status", "row_count", "applied_count", "unchanged_count", "older_count",
        "unknown_count", "conflict_count", "missing", "last_as_of", "received_at", "applied_at",
    ]  # fmt: skip
    filters = ("status",)
    search_text = ("body_name", "receipt")

    def row_links(self, request: Request, row: Any) -> list[tuple[str, str]]:
        """Open a batch from its body's page."""
        return [("查看", self.url_of(row))]


class ExchangeFactView(ConsoleView, model=ExchangeFact):
    """共享信息，只列与登记不一致的。"""

    category = ""
    permission = P.EXCHANGE_VIEW
    title_field = "kind"
    opens = "all"
    column_list = [
        "division_code", "source", "kind", "conflict", "level", "quantity", "state", "valid_to", "ended", "as_of",
    ]  # fmt: skip
    headline = ("source", "kind", "conflict", "as_of")
    column_details_list = [
        "division_code", "source", "kind", "conflict", "level", "quantity", "state", "died_on", "valid_from",
        "valid_to", "ended", "as_of",
    ]  # fmt: skip
    filters = ("conflict", "kind")

    def links(self, record: Any) -> list[tuple[str, str]]:
        """Lead to the person, who is masked there and here unnamed."""
        return [("打开该成员", f"{BASE}/member/details/{record.member_id}")]

    def scoped(self, by: ActingOfficer) -> Any:
        """Return what differs: the rest is seen on the person's own page."""
        return super().scoped(by).where(col(ExchangeFact.conflict).is_not(None))
