"""What finance bureaus and departments have to do about lists, policies and money at rest. （第六、八、九、十条）"""

from typing import Any

from admin.base import BASE, ConsoleView, Menu
from models.catalogue_tasks import CatalogueTask
from policies.lifecycles.catalogue_tasks import CATALOGUE_TASK_LIFECYCLE
from policies.permissions import Permission as P

PAGES = {
    "list_year": "annual-list/list?tab=all",
    "annual_list": "annual-list/details/{id}",
    "publication": "publication/details/{id}",
    "local_rule": "local-rule/details/{id}",
    "subsidy_project": "subsidy-project/details/{id}",
    "budget_indicator": "budget-indicator/details/{id}",
}
"""Where what a task is about is shown, by its subject."""


class CatalogueTaskView(ConsoleView, model=CatalogueTask):
    """项目与指标待办。"""

    category, icon = Menu.CATALOGUE, "fa-solid fa-list-check"
    permission = P.CATALOGUE_TASK_VIEW
    lifecycle, verbs = CATALOGUE_TASK_LIFECYCLE, "workflows.catalogue_tasks"
    column_list = ["number", "kind", "detail", "division_code", "sector", "found_on", "status", "due_on"]
    headline = ("kind", "detail", "division_code", "sector", "found_on", "note")
    search_text = ("number",)
    filters = ("status", "kind")

    def links(self, record: Any) -> list[tuple[str, str]]:
        """Return the page of what the task is about."""
        page = PAGES.get(record.subject)
        return [("去办理", f"{BASE}/{page.format(id=record.subject_id)}")] if page else []
