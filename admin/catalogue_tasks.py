"""What finance bureaus and departments have to do about lists, policies and money at rest. （第六、八、九、十条）"""

from admin.base import ConsoleView, Menu
from models.catalogue_tasks import CatalogueTask
from policies.lifecycles.catalogue_tasks import CATALOGUE_TASK_LIFECYCLE
from policies.permissions import Permission as P


class CatalogueTaskView(ConsoleView, model=CatalogueTask):
    """项目与指标待办。"""

    category, icon = Menu.CATALOGUE, "fa-solid fa-list-check"
    permission = P.CATALOGUE_TASK_VIEW
    lifecycle, verbs = CATALOGUE_TASK_LIFECYCLE, "workflows.catalogue_tasks"
    column_list = ["number", "kind", "detail", "division_code", "sector", "found_on", "status", "due_on"]
    headline = ("kind", "detail", "division_code", "sector", "found_on", "note")
    search_text = ("number",)
    filters = ("status", "kind")
