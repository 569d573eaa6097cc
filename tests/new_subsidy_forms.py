"""The forms that make a subsidy: 《申请表》 with its tables, and a flow, filled in by clicks. （第七、二十四条）"""

from collections.abc import Mapping, Sequence
from typing import Any

from tests.new_subsidy import Actor

PDF = b"%PDF-1.4\n1 0 obj<</Type/Catalog>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n"
Rows = Sequence[Mapping[str, Any]]


def applied(clerk: Actor, code: str, name: str, level: str) -> str:
    """Begin the form of a new project; return the address of the change."""
    clerk.menu("项目申请").clicks("申请新项目入库")
    clerk.fills({"项目编码": code, "项目名称": name, "政策级次": level, "申请理由": f"新出台政策：{name}"})
    clerk.sends("申请新项目入库")
    return clerk.page.url.split("?")[0]


def form_filled(clerk: Actor, answers: Mapping[str, Any], tables: Mapping[str, Rows]) -> None:
    """Fill the form and save it: single answers by their labels, tables row by row; more rows are asked for."""
    clerk.clicks("填写申请表")
    most = max(len(rows) for rows in tables.values())
    _type(clerk, answers, {})
    for table, rows in tables.items():
        while clerk.page.locator(f"table.rows-{table} tbody tr").count() < len(rows):
            _type(clerk, {}, {table: rows[: clerk.page.locator(f"table.rows-{table} tbody tr").count()]})
            clerk.page.locator(f"button[name=then][value={table}]").click()
            clerk.arrived()
        assert len(rows) <= most
        _type(clerk, {}, {table: rows})
    clerk.sends("保存")


def _type(clerk: Actor, answers: Mapping[str, Any], tables: Mapping[str, Rows]) -> None:
    for label, value in answers.items():
        clerk.fill(clerk.page.locator("form.form .part-grid").get_by_label(label, exact=False).first, value)
    for table, rows in tables.items():
        lines = clerk.page.locator(f"table.rows-{table} tbody tr")
        for place, row in enumerate(rows):
            for label, value in row.items():
                clerk.fill(lines.nth(place).get_by_label(f"{label} 第 {place + 1} 行", exact=True), value)


def mistakes_of(clerk: Actor) -> list[str]:
    """Return what the open form says is still wrong."""
    return clerk.page.locator(".mistakes li").all_inner_texts()


def flow_made(clerk: Actor, code: str, name: str, substeps: Mapping[str, Rows]) -> str:
    """Author a flow: sub-steps by the stage they stand in; saved, tried, proposed. Return its address."""
    clerk.menu("发放管理流程").clicks("编制流程")
    clerk.fills({"流程编码": code, "流程名称": name, "制定依据": "自治区农牧厅关于完善发放管理流程的通知"}).sends(
        "编制流程"
    )
    clerk.clicks("编辑流程")
    for stage, rows in substeps.items():
        card = clerk.page.locator(f"#roster-{stage}")
        for place, row in enumerate(rows):
            card.get_by_role("button", name="添加子环节").click()
            clerk.arrived()
            added = card.locator(".substep").nth(place)
            for label, value in row.items():
                clerk.fill(added.get_by_label(label, exact=False).first, value)
    clerk.page.locator("main button[value=save]").first.click()
    clerk.arrived().accepted()
    page = clerk.page.url.split("?")[0]
    clerk.takes("试运行")
    clerk.page.goto(page)
    return page
