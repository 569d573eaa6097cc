"""Incompatible duties: the pairs, what stands against them now, and every attempt. （第二十三条）"""

from typing import Any, ClassVar

import sqlalchemy as sa
from sqladmin import BaseView, expose
from sqlmodel import Session
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from admin import pages
from admin.base import BASE, ConsoleView, Form, Menu, call
from admin.reading import reading, who
from models.duty_pairs import DutyKind, DutyPair, DutyWithin
from models.events import Refusal
from policies import duties
from policies.clock import today
from policies.enforcement import policy
from policies.lifecycles import Ask, Step
from policies.lifecycles.duty_pairs import DUTY_PAIR_LIFECYCLE
from policies.permissions import Permission as P

ATTEMPTS = {
    "SamePersonTwice": "一人两岗",
    "OwnHousehold": "涉及本人利益",
    "DutiesCollide": "不相容任职",
    "OwnAccount": "涉及本人任职",
    "StatutoryPair": "变更法定规则",
}
"""The refusals that tell of an attempt against the segregation of duties, by their kind."""
SHOWN = 100


class DutyPairView(ConsoleView, model=DutyPair):
    """不相容岗位。"""

    category, icon = Menu.PEOPLE, "fa-solid fa-scale-balanced"
    opens = "all"
    permission = P.DUTY_VIEW
    lifecycle = DUTY_PAIR_LIFECYCLE
    verbs = "workflows.duty_pairs"
    title_field = "title"
    column_list = ["title", "kind", "one", "other", "within", "basis", "statutory", "status"]
    headline = ("title", "kind", "one", "other", "within", "basis", "statutory")
    column_details_list = ["title", "kind", "one", "other", "within", "basis", "statutory", "status", "arrived_at"]
    search_text = ("title", "one", "other")
    filters = ("kind", "within", "status")
    order = ("-statutory", "id")
    forms = (
        Form(
            "propose",
            "拟定不相容岗位",
            P.DUTY_PROPOSE,
            call("duty_pairs", "propose"),
            (
                Ask("title", "名称", "text", help="如 财政经办岗与代理银行岗位"),
                Ask("kind", "类别", "choice", choices=tuple((str(kind), kind.label) for kind in DutyKind)),
                Ask("one", "一方", "text", help="岗位如 clerk、clerk@finance、*@bank；权限如 roster:pass"),
                Ask("other", "另一方", "text", help="写法与“一方”相同"),
                Ask(
                    "within",
                    "范围",
                    "choice",
                    choices=tuple((str(reach), reach.label) for reach in DutyWithin if reach != DutyWithin.RECORD),
                ),
                Ask("basis", "依据", "text", help="文件名称或条款"),
            ),
            consequence="由另一名安全管理员复核后生效，此后凡与之冲突的任职和委托一律拒绝（第二十三条）。",
        ),
    )

    def steps(self, request: Request, record: Any) -> list[Step]:
        """Return no step for what the law fixes."""
        return [step for step in super().steps(request, record) if not record.statutory]


class DutiesView(BaseView):
    """What stands against the pairs now, and who has tried to get round them."""

    name, category, icon = "职责分离检查", Menu.PEOPLE, "fa-solid fa-people-arrows"
    permission: ClassVar[P] = P.DUTY_VIEW
    lifecycle = None
    root_url = menu_url = f"{BASE}/duties"

    def is_accessible(self, request: Request) -> bool:
        """Let those in who may see the pairs."""
        granted: frozenset[str] = getattr(request.state, "permissions", frozenset())
        return self.permission in granted

    is_visible = is_accessible

    @expose("/duties", identity="duties")
    async def overview(self, request: Request) -> Response:
        """Show present conflicts of people and of the policy, and every attempt that was refused."""
        if not self.is_accessible(request):
            raise HTTPException(403, f"您当前的岗位（{who(request).post}）不能查看“{self.name}”（第二十三条）。")
        found = await reading(_question)
        return await pages.render(request, "duties", title=self.name, attempt_kinds=ATTEMPTS, **found)


def _question(session: Session) -> dict[str, Any]:
    pairs = duties.pairs(session)
    refusal: Any = Refusal
    attempts = session.execute(
        sa.select(refusal).where(refusal.refusal.in_(ATTEMPTS)).order_by(refusal.id.desc()).limit(SHOWN)
    ).scalars()
    return {
        "statutory": sum(pair.statutory for pair in pairs),
        "added": sum(not pair.statutory for pair in pairs),
        "conflicts": duties.conflicts(session, today(session)),
        "policy_conflicts": duties.permission_conflicts(policy(session).lines, duties.permission_pairs(session)),
        "attempts": list(attempts),
        "shown": SHOWN,
    }
