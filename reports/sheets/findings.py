"""What was found in a workbook: problems refuse it, notes only tell; each names sheet, cell, fact and remedy."""

from dataclasses import dataclass, field
from typing import Any

PROBLEM, NOTE = "problem", "note"
SHOWN = 500
"""Findings shown on the page; the marked workbook holds all of them (DOMAIN section 3)."""


def column_letter(column: int) -> str:
    """Return a column's letters; 0 is A."""
    letters = ""
    column += 1
    while column:
        column, rest = divmod(column - 1, 26)
        letters = chr(ord("A") + rest) + letters
    return letters


@dataclass(frozen=True, slots=True)
class Finding:
    """One problem or note. Neither fact nor remedy holds a number or a full name of a person."""

    kind: str
    sheet: str
    row: int
    """1-based; 0 when the finding is about the whole file."""
    column: int
    """0-based; -1 when it is about the whole row or file."""
    what: str
    remedy: str = ""

    @property
    def cell(self) -> str:
        """Return the address as officers read it: F12, 第 12 行, or 整个文件."""
        if self.row <= 0:
            return f"{column_letter(self.column)} 列" if self.column >= 0 else "整个文件"
        return f"{column_letter(self.column)}{self.row}" if self.column >= 0 else f"第 {self.row} 行"

    def as_dict(self) -> dict[str, Any]:
        """Return the finding as it is stored with the import."""
        return {
            "kind": self.kind,
            "sheet": self.sheet,
            "cell": self.cell,
            "row": self.row,
            "what": self.what,
            "remedy": self.remedy,
        }


@dataclass
class Findings:
    """All findings of one workbook."""

    sheet: str = ""
    problems: list[Finding] = field(default_factory=list)
    notes: list[Finding] = field(default_factory=list)

    def problem(self, row: int, column: int, what: str, remedy: str) -> None:
        """Add a problem."""
        self.problems.append(Finding(PROBLEM, self.sheet, row, column, what, remedy))

    def note(self, row: int, column: int, what: str) -> None:
        """Add a note."""
        self.notes.append(Finding(NOTE, self.sheet, row, column, what))

    def ordered(self) -> list[Finding]:
        """Return the problems, then the notes, each from top to bottom."""
        return [*sorted(self.problems, key=_place), *sorted(self.notes, key=_place)]

    def shown(self) -> list[dict[str, Any]]:
        """Return the first findings for the page."""
        return [finding.as_dict() for finding in self.ordered()[:SHOWN]]


def _place(finding: Finding) -> tuple[int, int]:
    return finding.row, finding.column
