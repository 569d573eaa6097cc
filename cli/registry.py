"""Bring the registers of many townships in one run: each is checked and submitted by its own township's clerk."""

import io
import re
import zipfile
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path
from typing import Annotated

import sqlalchemy as sa
import typer
from rich.progress import Progress
from rich.table import Table

from cli.common import OPERATOR, clerk_of, console
from demo.place import at_hand
from models.database import transaction
from models.divisions import Division, Level
from models.registry_imports import ImportSubject, RegistryImport, RegistryImportStatus
from policies.refusals import Refused
from reports.sheets.registry_files import files_of
from workflows import registry_imports
from workflows.edges import edge
from workflows.jobs import follow
from workflows.queue import PostEnded, officer_of_post, postpone
from workflows.registry_import_check import run_check

MOST_BYTES = 200 * 1024 * 1024
OURS_MINUTES = 120
"""How long a check started here is left to this process before a worker may take it up."""
SHOWN = 5
CODE = re.compile(r"\d{12}|\d{9}")

Upload = tuple[str, bytes]


class TownshipUnknown(Refused):
    """看不出文件“{file}”是哪个苏木乡镇的：文件名请以 9 或 12 位区划代码开头，或含其全称；或用 --post 指明岗位。"""


class PostUnknown(Refused):
    """岗位 {post} 不存在、已结束，或不是苏木乡镇的经办、专职管理岗；请核对岗位编号。"""


class NotAllImported(Refused):
    """{count} 份登记表没有通过检查，见上；其余已提交复核。"""


def import_registry(
    files: Annotated[list[Path], typer.Argument(help="登记表（.xlsx、.xls、.csv）或压缩包（.zip），可多个")],
    subject: Annotated[ImportSubject, typer.Option(help="登记表的种类")] = ImportSubject.REGISTER,
    post: Annotated[int, typer.Option(help="经办岗位编号：全部文件都是该乡镇的；不填则按文件名分到各乡镇")] = 0,
    reason: Annotated[str, typer.Option(help="变更原因，写在变更单上")] = "首次建档",
    parallel: Annotated[int, typer.Option(help="同时检查几个乡镇", min=1, max=16)] = 2,
) -> None:
    """首次建档：把一个或多个苏木乡镇的登记表一次检查并提交，由各乡镇负责人在平台复核后写入。

    示例：yikatong import-registry 150430102-长胜镇.xlsx 敖汉旗.zip --reason 首次建档
    """
    with at_hand():
        by_township = sort_files(files, post)
        with Progress(console=console, transient=True) as bar, _pool(parallel) as pool:
            task = bar.add_task("检查登记表", total=len(by_township))
            done = []
            asked = [pool.submit(bring, clerk, subject, uploads, reason) for clerk, uploads in by_township.items()]
            for one in asked:
                done.append(one.result())
                bar.advance(task)
    _report(done)


@contextmanager
def _pool(parallel: int) -> Iterator[ProcessPoolExecutor]:
    with ProcessPoolExecutor(parallel, mp_context=get_context("spawn")) as pool:
        yield pool


def sort_files(files: Iterable[Path], post: int = 0) -> dict[int, list[Upload]]:
    """Return the uploads by the post that brings them. Raises PostUnknown, TownshipUnknown, ClerkMissing."""
    found: dict[int, list[Upload]] = {}
    if post:
        _require_keeper(post)
    names = _townships()
    clerks: dict[str, int] = {}
    for path in files:
        for name, content in files_of(path.name, path.read_bytes()):
            code = "" if post else township_of(name, names) or township_of(path.name, names)
            if not post and not code:
                raise TownshipUnknown(file=name)
            if code and code not in clerks:
                clerks[code] = clerk_of(code).post_id
            found.setdefault(post or clerks[code], []).append((name, content))
    return found


def _require_keeper(post: int) -> None:
    try:
        by = officer_of_post(post)
    except PostEnded as ended:
        raise PostUnknown(post=post) from ended
    if by.level != Level.TOWNSHIP:
        raise PostUnknown(post=post)


def _townships() -> dict[str, str]:
    with transaction(OPERATOR) as session:
        rows = session.execute(
            sa.select(Division.code, Division.name).where(Division.level == Level.TOWNSHIP)  # type: ignore[call-overload]
        )
        return {code: name for code, name in rows}


def township_of(name: str, townships: dict[str, str]) -> str:
    """Return the township that a file's name names by code, or by a name that only one township bears."""
    code = CODE.match(name)
    if code is not None:
        wanted = code.group()[:9] + "000"
        return wanted if wanted in townships else ""
    named = [code for code, title in townships.items() if title in name]
    return named[0] if len(named) == 1 else ""


def bring(post: int, subject: ImportSubject, uploads: list[Upload], reason: str) -> tuple[str, str, bool, list[str]]:
    """Receive, check and submit one township's register; return place, message, success and the first problems."""
    by = officer_of_post(post)
    name, content = uploads[0] if len(uploads) == 1 else (f"{by.organisation}.zip", _zipped(uploads))
    try:
        with edge(by, "import_registry", name) as session:
            record = registry_imports.receive(
                session, by=by, subject=subject, file_name=name, content=content, most_bytes=MOST_BYTES
            )
            job = registry_imports.job_of(session, record)
            assert job is not None and job.id is not None
            postpone(session, job.id, OURS_MINUTES)
        follow(job.id, job.post_id, run_check)
        with edge(by, "submit", record.number) as session:
            checked = session.get_one(RegistryImport, record.id)
            if checked.status == RegistryImportStatus.CHECKED:
                registry_imports.submit(session, checked, by=by, reason=reason)
    except Refused as refusal:
        return by.organisation, str(refusal), False, []
    fine = checked.status in (RegistryImportStatus.SUBMITTED, RegistryImportStatus.UNCHANGED)
    problems = [f"{one['file']} {one['sheet']} {one['cell']} {one['what']}" for one in checked.problems]
    return by.organisation, checked.message, fine, [] if fine else problems[:SHOWN]


def _zipped(uploads: list[Upload]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as package:
        for name, content in uploads:
            package.writestr(name, content)
    return buffer.getvalue()


def _report(done: list[tuple[str, str, bool, list[str]]]) -> None:
    table = Table("苏木乡镇", "结果")
    for place, message, _, problems in done:
        table.add_row(place, "\n".join([message, *problems]))
    console.print(table)
    failed = sum(not fine for _, _, fine, _ in done)
    if failed:
        raise NotAllImported(count=failed)
