"""Local rules in the console: what holds here, what is proposed, settled, filed, ended. （第三十六条）"""

from datetime import date
from typing import Any

from sqladmin import expose
from sqlmodel import Session
from starlette.requests import Request
from starlette.responses import Response

from admin import pages
from admin.base import BASE, ConsoleView, Form, Menu, division_names
from admin.money_pages import MoneyPage
from admin.reading import reading, who
from models.divisions import Level
from models.local_rules import LocalRule, LocalRuleStatus
from models.officers import ActingOfficer
from policies.lifecycles import Ask, Desk
from policies.lifecycles.local_rules import LOCAL_RULE_LIFECYCLE
from policies.limits import PARAMETERS
from policies.permissions import Permission as P
from workflows import local_rules

CHOICES = tuple(
    (one.code, f"{one.title}（{one.source} {one.law_value} {one.unit}，{one.direction}）")
    for one in PARAMETERS.values()
)


def propose(
    session: Session, *, by: ActingOfficer, parameter: str, value: int, valid_from: date, document_number: str,
    document_title: str, valid_to: date | None = None, file: tuple[str, bytes] | None = None,
) -> LocalRule:  # fmt: skip
    """Propose a local rule from the form; the file may come later on paper."""
    return local_rules.propose(
        session, by=by, parameter=parameter, value=value, valid_from=valid_from, document_number=document_number,
        document_title=document_title, valid_to=valid_to, file=file if file and file[1] else local_rules.NO_FILE,
    )  # fmt: skip


class LocalRuleView(ConsoleView, model=LocalRule):
    """本地细则。"""

    category, icon = Menu.CATALOGUE, "fa-solid fa-landmark"
    permission = P.LOCAL_RULE_VIEW
    lifecycle, verbs = LOCAL_RULE_LIFECYCLE, "workflows.local_rules"
    opens = "all"
    record_template = "local_rule"
    column_list = ["title", "division_code", "value", "unit", "law_value", "valid_from", "valid_to",
                   "document_number", "status"]  # fmt: skip
    headline = ("division_code", "value", "unit", "law_value", "valid_from", "valid_to", "document_number",
                "document_title", "filed_on", "ended_for")  # fmt: skip
    column_details_list = ["number", "title", "division_code", "value", "unit", "law_value", "valid_from", "valid_to",
                           "document_number", "document_title", "status", "filed_on", "ended_for"]  # fmt: skip
    search_text = ("number", "document_number", "title")
    filters = ("status",)
    file_columns = ("file_id",)
    forms = (
        Form(
            "propose", "拟定本地细则", P.LOCAL_RULE_PROPOSE, propose,
            (
                Ask("parameter", "参数", "choice", choices=CHOICES),
                Ask("value", "本地数值", "integer", help="不得宽于办法和盟市现行细则"),
                Ask("valid_from", "执行起", "date", help="不早于今天；此前已起算的期限不变"),
                Ask("valid_to", "执行止", "date", required=False, help="长期执行的不填"),
                Ask("document_number", "文件文号", "text"),
                Ask("document_title", "文件名称", "text"),
                Ask("file", "文件", "file", required=False, help="实施细则的扫描件：PDF、JPG 或 PNG"),
            ),
            seats=lambda by: Desk.OWN_FINANCE_CLERK.seats(by) and by.level in (Level.LEAGUE, Level.COUNTY),
            consequence="由本局审核岗审定后按执行起日执行，并报自治区财政厅备案（第三十六条）。",
        ),
    )  # fmt: skip

    def title(self, record: Any) -> str:
        """Return what the rule is about, and its number."""
        return f"{record.title}（{record.number}）"

    def extra(self, session: Session, record: Any, by: ActingOfficer, granted: frozenset[str]) -> dict[str, Any]:
        """Return the article and the direction of the parameter."""
        return {"parameter": PARAMETERS.get(record.parameter), "unfiled": record.status == LocalRuleStatus.SETTLED}


class LimitsView(MoneyPage):
    """现行时限。"""

    name, category, icon = "现行时限", Menu.CATALOGUE, "fa-solid fa-stopwatch"
    permission = P.LOCAL_RULE_VIEW
    root_url = menu_url = f"{BASE}/limits"

    @expose("/limits", identity="limits")
    async def overview(self, request: Request) -> Response:
        """Show every parameter with the law's number and what holds in one's own place."""
        self.admit(request)
        by = who(request)

        def question(session: Session) -> dict[str, Any]:
            return {"rows": local_rules.in_force(session, by.division_code), "names": division_names(session)}

        found = await reading(question)
        return await pages.render(request, "limits", title=self.name, view=self, place=by.division_code, **found)
