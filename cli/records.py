"""Commands on records: import a roster, make a bulletin, verify the books."""

import threading
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import Progress
from rich.table import Table
from sqlmodel import select

from cli.common import DAY, OPERATOR, clerk_of, console, new_app
from demo.place import at_hand
from integrations.amounts import yuan_text
from models.base import REGION_CODE
from models.database import transaction
from models.imports import ImportStatus, RosterImport
from models.jobs import Job
from models.officers import ActingOfficer
from models.organisations import OrganisationKind
from models.projects import SubsidyProject
from policies.periods import span
from policies.refusals import NotFound, Refused
from workflows import bulletins, imports, journal
from workflows.edges import edge
from workflows.files import content_of
from workflows.jobs import follow
from workflows.queue import postpone

POLL_S = 0.3
OURS_MINUTES = 15
"""How long a job started here is left to this process before a worker may take it up."""
PROBLEMS_SHOWN = 20

journal_app = new_app("记账凭证：复式簿记。")


class ProjectUnknown(Refused):
    """补贴项目库里没有编码“{code}”，请用 7 位项目编码，如 2130122。"""


class FileMissing(Refused):
    """没有找到文件 {file}。"""


class RosterRefused(Refused):
    """清册没有导入：{message}。标注文件：{marked}。"""


class BooksDiffer(Refused):
    """账目有 {count} 处不符，第一处：{first}。"""


def import_roster(
    file: Annotated[Path, typer.Argument(help="清册工作簿（xlsx）")],
    project: Annotated[str, typer.Option(help="补贴项目编码，如 2130122")],
    township: Annotated[str, typer.Option(help="苏木乡镇区划代码（12 位），如 150430102000")],
    period: Annotated[str, typer.Option(help="补贴所属期：2026、2026-03 或 2026Q1")],
) -> None:
    """以该乡镇经办的名义导入清册；有问题时逐条列出并退回标注文件。

    示例：yikatong import-roster 清册.xlsx --project 2130122 --township 150430102000 --period 2026
    """
    if not file.is_file():
        raise FileMissing(file=file)
    start, end = span(period)
    with at_hand():
        by = clerk_of(township)
        with edge(by, "import_roster", file.name) as session:
            found = session.exec(select(SubsidyProject).where(SubsidyProject.code == project)).one_or_none()
            if found is None:
                raise ProjectUnknown(code=project)
            record = imports.receive(
                session,
                by=by,
                project=found,
                period=period,
                period_start=start,
                period_end=end,
                file_name=file.name,
                content=file.read_bytes(),
            )
            job = _key(imports.job_of(session, record))
            postpone(session, job, OURS_MINUTES)
        _run_here(by, job)
        _report_import(by, _key(record), file)


def _key(record: Job | RosterImport | None) -> int:
    if record is None or record.id is None:
        raise NotFound
    return record.id


def _run_here(by: ActingOfficer, job_id: int) -> None:
    """Do the import in this process, with its progress on the screen; a refusal is told by the import itself."""
    with Progress(console=console, transient=True) as bar:
        task = bar.add_task("读取清册", total=None)
        work_thread = threading.Thread(target=follow, args=(job_id, by.post_id, imports.run_import))
        work_thread.start()
        while work_thread.is_alive():
            work_thread.join(POLL_S)
            with transaction(by) as session:
                job = session.get_one(Job, job_id)
            bar.update(task, description=job.stage or "读取清册", completed=job.done, total=job.total or None)


def _report_import(by: ActingOfficer, import_id: int, file: Path) -> None:
    """Tell what became of the file; problems go to the screen and to a marked copy beside it. Raises RosterRefused."""
    with transaction(by) as session:
        record = session.get_one(RosterImport, import_id)
        job = imports.job_of(session, record)
        marked = content_of(session, record.marked_file_id) if record.marked_file_id else b""
    message = job.message if job else ""
    if record.status == ImportStatus.APPLIED:
        console.print(f"{message}；提示 {record.note_count} 条。", highlight=False)
        return
    table = Table("位置", "问题", "更正办法")
    for problem in record.problems[:PROBLEMS_SHOWN]:
        table.add_row(f"{problem['sheet']} {problem['cell']}".strip(), problem["what"], problem["remedy"])
    console.print(table)
    copy = file.with_name(f"{file.stem}{imports.MARKED_SUFFIX}")
    if marked:
        copy.write_bytes(marked)
    raise RosterRefused(message=message.rstrip("。"), marked=copy if marked else "无（文件无法读取）")


def bulletin(
    date_from: Annotated[datetime, typer.Option("--from", formats=[DAY], help="期间起，如 2026-01-01")],
    date_to: Annotated[datetime, typer.Option("--to", formats=[DAY], help="期间止，如 2026-12-31")],
    family: Annotated[str, typer.Option(help="通报种类；periodic 为定期通报（第三十三条）")] = "periodic",
    division: Annotated[str, typer.Option(help="发通报的财政部门的区划代码；不填为自治区")] = REGION_CODE,
    out: Annotated[Path | None, typer.Option(help="存到哪个文件；不填用通报标题")] = None,
) -> None:
    """以该级财政部门经办的名义生成通报（Excel）。

    示例：yikatong bulletin --from 2026-01-01 --to 2026-12-31 --out 通报.xlsx
    """
    with at_hand():
        by = clerk_of(division, OrganisationKind.FINANCE)
        with edge(by, "make_bulletin") as session:
            made = bulletins.make(session, by=by, family=family, date_from=date_from.date(), date_to=date_to.date())
            content = content_of(session, made.file_id)
    file = out or Path(f"{made.title}.xlsx")
    file.write_bytes(content)
    console.print(
        f"{made.number} {made.title}：{made.paid_count} 笔，{yuan_text(made.paid_fen)} 元 → {file}", highlight=False
    )


@journal_app.command("verify")
def journal_verify() -> None:
    """由分录重算全部余额，与指标、代发户、发放明细逐项核对。

    示例：yikatong journal verify
    """
    with at_hand(), transaction(OPERATOR) as session:
        problems = journal.verify(session)
    if problems:
        table = Table("检查", "对象", "应为（分）", "实为（分）")
        for problem in problems:
            table.add_row(problem.check, problem.where, str(problem.expected_fen), str(problem.found_fen))
        console.print(table)
        raise BooksDiffer(count=len(problems), first=problems[0])
    console.print("账目相符：凭证借贷平衡，余额与业务记录一致。")
