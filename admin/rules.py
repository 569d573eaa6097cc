"""Warning rules as data: list, save with a pointer to the mistake, enable by a second officer. （第十八条）"""

from typing import Any

from sqlmodel import Session

from admin.base import ConsoleView, Form, Menu, call
from models.officers import ActingOfficer
from models.warnings import Gate, Light, WarningRule
from policies.lifecycles import Ask
from policies.permissions import Permission as P
from policies.rules.facts import ALL
from workflows import rules

LIGHTS = tuple((str(light), light.label) for light in Light)
GATES = tuple((str(gate), gate.label) for gate in Gate)

FACTS_HELP = "写错时会指出位置。可用的数据项：" + "、".join(f"{fact.title}（{fact.name}）" for fact in ALL)


def save(session: Session, *, by: ActingOfficer, gates: list[str], **answers: Any) -> WarningRule:
    """Save a rule from its form."""
    return rules.save_rule(session, by=by, gates=gates, **answers)


class WarningRuleView(ConsoleView, model=WarningRule):
    """预警规则。"""

    category, icon = Menu.CATALOGUE, "fa-solid fa-traffic-light"
    permission = P.RULE_VIEW
    title_field = "name"
    column_list = ["code", "version", "name", "light", "gates", "article", "division_code", "enabled"]
    headline = ("name", "light", "gates", "article", "enabled")
    search_text = ("code", "name")
    filters = ("light",)
    order = ("code", "-version")
    noun = "warning_rule"
    forms = (
        Form(
            "save",
            "新增或修订规则",
            P.RULE_SAVE,
            save,
            (
                Ask("code", "规则编码", "text", help="大写字母开头，如 C01；已有编码另存为新版本"),
                Ask("name", "规则名称", "text"),
                Ask("light", "灯色", "choice", choices=LIGHTS),
                Ask("gates", "环节", "choices", choices=GATES),
                Ask("expression", "条件", "textarea", help=FACTS_HELP),
                Ask("message", "提示", "textarea", help="花括号中写数据项，如 {补贴金额}"),
                Ask("article", "依据", "text", required=False),
            ),
            consequence="保存后由另一名有权人员启用，启用即生效，无需重启（第十八条）。",
        ),
        Form("enable", "启用", P.RULE_SAVE, call("rules", "enable_rule"), on_record=True),
        Form("disable", "停用", P.RULE_SAVE, call("rules", "disable_rule"), on_record=True),
    )

    def offered(self, request: Any, record: Any = None) -> list[Form]:
        """Return enable for what is off and disable for what is on."""
        useless = {True: "enable", False: "disable"}.get(getattr(record, "enabled", None), "")
        return [form for form in super().offered(request, record) if form.slug != useless]
