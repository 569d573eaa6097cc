"""Builders of registers: people in rows, workbooks and CSV files of them."""

import csv
import io
from collections.abc import Sequence
from datetime import date
from typing import Any

from models.registry_imports import ImportSubject
from reports.sheets.registry_templates import TEMPLATES
from reports.sheets.templates import Template, write_sheet
from tests import factories

FIRST = 4
"""The first data row below title, unit and header of what `workbook` writes."""
NAMES = ("额尔德尼巴雅尔", "包·乌日汗", "孛儿只斤·额尔敦巴特尔", "王㛃", "𠅤玉兰", "乌云其木格", "金", "阿拉坦・其其格")
"""Names of DOMAIN section 6: continuous, dotted, rare, outside the BMP, of one character, with another dot."""


def person(name: str, relation: str = "户主", *, born: date | None = None, **fields: Any) -> dict[str, Any]:
    """Return one row of a register."""
    number = fields.pop("id_number", "") or factories.an_id_number(born)
    return {"name": name, "id_number": number, "relation": relation, "ethnicity": "蒙古族"} | fields


def household(*people: dict[str, Any], **fields: Any) -> list[dict[str, Any]]:
    """Return the rows of a household: each bears the household's columns."""
    head = next(one for one in people if one["relation"] == "户主")
    values = {"village": "东村", "group_name": "一组", "address": "东村 1 号", "hukou_kind": "农业（农牧区）户口",
              "head_name": head["name"], "head_id_number": head["id_number"]} | fields  # fmt: skip
    return [values | one for one in people]


def workbook(subject: ImportSubject, rows: Sequence[dict[str, Any]]) -> bytes:
    """Return a workbook with the columns of the register's template."""
    template = TEMPLATES[subject]
    return write_sheet(Template(template.code, template.title, template.fields), template.title, rows, unit="测试镇")


def csv_file(subject: ImportSubject, rows: Sequence[dict[str, Any]], encoding: str = "utf-8-sig") -> bytes:
    """Return a CSV file with the columns of the register's template."""
    fields = TEMPLATES[subject].fields
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerow([one.title for one in fields])
    for row in rows:
        writer.writerow([row.get(one.name, "") for one in fields])
    return buffer.getvalue().encode(encoding)
