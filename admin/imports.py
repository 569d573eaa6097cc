"""The import wizard: upload → progress of the job → problems with the marked workbook → roster. （第十六条）"""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlmodel import Session

from admin.base import ConsoleView, Form, Menu
from models.imports import RosterImport
from models.officers import ActingOfficer
from models.projects import ProjectStatus, SubsidyProject
from policies.clock import today
from policies.lifecycles import Ask
from policies.permissions import Permission as P
from policies.refusals import NotFound
from workflows import imports


def projects(session: Session, by: ActingOfficer, record: Any) -> Sequence[tuple[str, str]]:
    """Return the projects in force, by code."""
    project: Any = SubsidyProject
    running = sa.or_(project.status == ProjectStatus.ADMITTED, project.stopped_on > today(session))
    rows = session.execute(sa.select(project.code, project.name).where(running).order_by(project.code))
    return [(code, f"{name}（{code}）") for code, name in rows]


def receive(
    session: Session, *, by: ActingOfficer, project: str, file: tuple[str, bytes], **period: Any
) -> RosterImport:
    """Receive the uploaded workbook for the project of that code. Raises NotFound."""
    wanted = session.execute(sa.select(SubsidyProject).where(SubsidyProject.code == project)).scalar_one_or_none()  # type: ignore[arg-type]
    if wanted is None:
        raise NotFound
    name, content = file
    return imports.receive(session, by=by, project=wanted, file_name=name, content=content, **period)


class RosterImportView(ConsoleView, model=RosterImport):
    """清册导入。"""

    category, icon = Menu.ROSTERS, "fa-solid fa-file-import"
    permission = P.IMPORT_VIEW
    title_field = "file_name"
    column_list = ["received_at", "file_name", "period", "row_count", "amount_fen", "problem_count", "status"]
    headline = ("file_name", "period", "row_count", "amount_fen", "problem_count", "note_count")
    search_text = ("file_name", "period")
    filters = ("status",)
    file_columns = ("file_id", "marked_file_id")
    record_template = "import"
    forms = (
        Form(
            "new",
            "导入清册",
            P.IMPORT_CREATE,
            receive,
            (
                Ask("project", "补贴项目", "choice"),
                Ask("period", "补贴所属期", "text", help="如 2026年、2026年5月"),
                Ask("period_start", "所属期起", "date"),
                Ask("period_end", "所属期止", "date"),
                Ask("file", "清册文件", "file", help="Excel 工作簿（.xlsx），按列名识别，列的顺序不限"),
            ),
            (("project", projects),),
            consequence="上传后在后台检查：有问题的整份退回并标注单元格，没有问题的整份导入，不会只导入一半。",
        ),
    )

    def extra(self, session: Session, record: Any, by: ActingOfficer, granted: frozenset[str]) -> dict[str, Any]:
        """Return the job whose progress the page shows."""
        return {"job": imports.job_of(session, record)}
