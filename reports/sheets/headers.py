"""Finding the header of a roster sheet: below title rows, in one or two rows, columns in any order."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any

from reports.sheets.findings import Findings, column_letter
from reports.sheets.templates import Field, Template, bare_key, label_key

SEARCHED_ROWS = 30
MATCHES_NEEDED = 3
"""A row that names fewer of the template's columns is no header."""

Rows = Sequence[Sequence[Any]]


@dataclass
class Header:
    """Where the columns are. Rows are 1-based, columns 0-based."""

    row: int
    first_data_row: int
    columns: dict[str, int] = field(default_factory=dict)
    renamed: list[tuple[int, str, Field]] = field(default_factory=list)
    repeated: list[tuple[int, Field]] = field(default_factory=list)
    unknown: list[tuple[int, str]] = field(default_factory=list)

    def missing(self, template: Template) -> list[Field]:
        """Return the required fields that no column bears."""
        return [field for field in template.required if field.name not in self.columns]


def find_header(rows: Rows, template: Template) -> Header | None:
    """Return the best header within the first rows, or None when no row looks like one."""
    best: Header | None = None
    for index in range(min(len(rows), SEARCHED_ROWS)):
        header = _read_header(rows, index, template)
        if len(header.columns) >= MATCHES_NEEDED and (best is None or len(header.columns) > len(best.columns)):
            best = header
    return best


def _read_header(rows: Rows, index: int, template: Template) -> Header:
    upper = [str(value).strip() for value in rows[index]]
    lower = rows[index + 1] if index + 1 < len(rows) and _is_second_row(rows[index], rows[index + 1]) else None
    header = Header(index + 1, index + (2 if lower is None else 3))
    group = ""
    for column, label in enumerate(upper):
        second = str(lower[column]).strip() if lower is not None and column < len(lower) else ""
        if label:
            group = label
        names = [f"{group}{second}", second] if second else [label]
        if any(names):
            _place(header, column, names, template)
    return header


def _is_second_row(upper: Sequence[Any], lower: Sequence[Any]) -> bool:
    """Tell whether the row below completes the header: just words, each under a group or beside merged cells."""
    words = [(column, value) for column, value in enumerate(lower) if value != ""]
    if not words or len(words) * 2 > sum(1 for value in upper if value != "") + len(words):
        return False
    return all(isinstance(value, str) and not any(letter.isdigit() for letter in value) for _, value in words)


def _place(header: Header, column: int, names: Sequence[str], template: Template) -> None:
    found = next((field for name in names if (field := template.match(name)) is not None), None)
    label = next(name for name in names if name)
    if found is None:
        header.unknown.append((column, label))
    elif found.name in header.columns:
        header.repeated.append((column, found))
    else:
        header.columns[found.name] = column
        titles = {bare_key(found.full_title), bare_key(found.title), label_key(found.full_title)}
        if not titles & {bare_key(name) for name in names}:
            header.renamed.append((column, label, found))


def report_header(header: Header, template: Template, findings: Findings) -> None:
    """Say what is missing, repeated, renamed or unknown."""
    labels = {label: column for column, label in header.unknown}
    for missing in header.missing(template):
        near = get_close_matches(missing.full_title, list(labels), 1, 0.5)
        hint = f"；如“{near[0]}”（{column_letter(labels[near[0]])} 列）就是这一列，请改名" if near else ""
        others = "、".join(missing.synonyms[:3])
        remedy = f"请增加“{missing.full_title}”列（也可写作 {others}）{hint}" if others else f"请增加该列{hint}"
        findings.problem(header.row, -1, f"缺少必填列“{missing.full_title}”", remedy)
    for column, repeated in header.repeated:
        first = column_letter(header.columns[repeated.name])
        what = f"“{repeated.full_title}”列重复：{first} 列和 {column_letter(column)} 列都是"
        findings.problem(header.row, column, what, "请只保留一列，另一列删除或改名")
    for column, label, known in header.renamed:
        findings.note(header.row, column, f"表头“{label}”按“{known.full_title}”读取")
    for column, label in header.unknown:
        findings.note(header.row, column, f"“{label}”不是本清册的列，未导入")
