"""The command line: every command is a thin call of a workflow.

Nothing here decides. A refusal, a setting or a server that fails ends as one line on the error output, exit code 1.
"""

import sys
import threading
from datetime import datetime
from pathlib import Path
from typing import Annotated, NoReturn

import sqlalchemy as sa
import typer
import uvicorn
from rich.console import Console
from rich.progress import Progress
from rich.table import Table
from sqlalchemy.exc import DBAPIError
from sqlmodel import select

from demo.launcher import end_with_parent, print_accounts, run, set_sandbox_clocks
from demo.officers import read_accounts
from demo.place import DemoFailed, Place, at_hand
from integrations.amounts import yuan_text
from integrations.errors import OutsideError
from integrations.sandbox.control import SandboxControl
from integrations.sandbox.launch import Options, SandboxFailed
from integrations.sandbox.launch import main as sandbox_main
from jobs.app import main as work
from models.base import REGION_CODE
from models.cluster import ClusterFailed
from models.crypto import KeysMissing
from models.database import transaction
from models.divisions import Level
from models.imports import ImportStatus, RosterImport
from models.jobs import Job
from models.officers import ActingOfficer, system_principal
from models.organisations import OrganisationKind
from models.projects import SubsidyProject
from models.schema import migrate as migrate_schema
from models.schema import owner_session
from models.settings import SettingWrong, settings
from policies.clock import ZONE, advance, today
from policies.periods import span
from policies.refusals import NotFound, Refused
from policies.working_days import OPENING, add_working_days
from workflows import audit, bulletins, imports, journal, reference_data
from workflows.edges import edge
from workflows.files import content_of
from workflows.jobs import follow
from workflows.queue import PostEnded, officer_of_post, postpone
from workflows.readiness import findings

KNOWN = (Refused, SettingWrong, ClusterFailed, KeysMissing, DemoFailed, SandboxFailed, OutsideError)
"""What is told in its own words; anything else is a bug and keeps its traceback."""

OPERATOR = system_principal(REGION_CODE, Level.REGION, "命令行")
POLL_S = 0.3
DAY = "%Y-%m-%d"
OURS_MINUTES = 15
"""How long a job started here is left to this process before a worker may take it up."""
PROBLEMS_SHOWN = 20
console = Console()


def _app(help: str) -> typer.Typer:
    return typer.Typer(
        help=help, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, rich_markup_mode="rich"
    )


app = _app("一卡通：惠民惠农财政补贴资金发放管理。每个命令加 --help 看说明和示例。")
sandbox_app = _app("外部系统沙箱（公安、一体化、代理银行）和业务时钟，仅演示和测试环境。")
audit_app = _app("办理记录的散列链。")
journal_app = _app("记账凭证：复式簿记。")
app.add_typer(sandbox_app, name="sandbox")
app.add_typer(audit_app, name="audit")
app.add_typer(journal_app, name="journal")


class ProjectUnknown(Refused):
    """补贴项目库里没有编码“{code}”，请用 7 位项目编码，如 2130122。"""


class ClerkMissing(Refused):
    """区划 {division_code} 没有在任的{office}经办，请先设置岗位，或核对区划代码（12 位）。"""


class FileMissing(Refused):
    """没有找到文件 {file}。"""


class RosterRefused(Refused):
    """清册没有导入：{message}。标注文件：{marked}。"""


class ChainBroken(Refused):
    """{count} 个旗县的散列链有问题，第一处：{county} {finding}。"""


class BooksDiffer(Refused):
    """账目有 {count} 处不符，第一处：{first}。"""


class NotReady(Refused):
    """有 {count} 项不合要求，见上。"""


@app.command()
def demo(
    port: Annotated[int | None, typer.Option(help="网页端口；不填则从 YIKATONG_PORT（8000）起找空闲的")] = None,
    accounts: Annotated[bool, typer.Option("--accounts", help="只显示演示账号和当前动态口令")] = False,
    reset: Annotated[bool, typer.Option("--reset", help="删除演示数据")] = False,
) -> None:
    """启动演示：数据库、沙箱、网页和后台任务。

    示例：yikatong demo --port 8080
    """
    place = Place(settings().data_home)
    if reset:
        place.erase()
        console.print(f"演示数据已删除：{place.home}", highlight=False)
    elif accounts:
        if not place.officers_file.exists():
            raise DemoFailed("还没有演示账号：请先执行 make demo")
        print_accounts(console, read_accounts(place.officers_file))
    else:
        run(place, console, port)


@app.command()
def serve(
    host: Annotated[str, typer.Option(help="监听地址；不填用 YIKATONG_HOST")] = "",
    port: Annotated[int | None, typer.Option(help="端口；不填用 YIKATONG_PORT")] = None,
) -> None:
    """运行网页服务。

    示例：YIKATONG_DATABASE_URL=… yikatong serve --port 8000
    """
    end_with_parent()
    chosen = settings()
    uvicorn.run(
        "admin.app:app", host=host or chosen.host, port=port or chosen.port, access_log=False, log_level="warning"
    )


@app.command()
def worker(concurrency: Annotated[int, typer.Option(min=1, max=32, help="同时办理的任务数")] = 2) -> None:
    """运行后台任务（导入、核查、外联、结果）。

    示例：yikatong worker --concurrency 2
    """
    end_with_parent()
    work(concurrency)


@app.command()
def migrate() -> None:
    """升级数据库结构并装入基础数据（区划、项目库、日历、权限、预警规则）。

    示例：yikatong migrate
    """
    with at_hand():
        migrate_schema()
        with owner_session() as session:
            reference_data.load(session)
    console.print("数据库结构已是最新，基础数据已装入。")


@app.command()
def story() -> None:
    """用 examples/ 的清册在临时数据库走完全链条，任何一处不平即失败。

    示例：yikatong story
    """
    # Loaded here only: the story brings the whole demo population with it, and every worker would pay for it.
    from demo.story.scene import StoryBroken
    from demo.story.tell import tell_once

    try:
        tell_once()
    except StoryBroken as broken:
        raise DemoFailed(f"故事在此中断：{broken}") from broken


@app.command("import-roster")
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


@audit_app.command("verify")
def audit_verify(county: Annotated[str, typer.Option(help="旗县区划代码；不填检查全部")] = "") -> None:
    """重算办理记录的散列链，指出每个旗县第一处断裂。

    示例：yikatong audit verify --county 150430000000
    """
    with at_hand(), transaction(OPERATOR) as session:
        chains = audit.verify(session, county or None)
    table = Table("旗县", "区划代码", "环数", "结果")
    for chain in chains:
        table.add_row(chain.county, chain.county_code, str(chain.links), chain.finding)
    console.print(table)
    broken = [chain for chain in chains if not chain.whole]
    if broken:
        raise ChainBroken(count=len(broken), county=broken[0].county, finding=broken[0].finding)


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


@app.command()
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


@app.command()
def check(deploy: Annotated[bool, typer.Option("--deploy", help="按生产环境的要求检查")] = False) -> None:
    """检查设置、密钥、数据库和角色；不合要求即失败。

    示例：yikatong check --deploy
    """
    if deploy:
        found = findings(deploy=True)
    else:
        with at_hand():
            found = findings(deploy=False)
    for finding in found:
        console.print(f"{'✓' if finding.good else '✗'} {finding.text}", highlight=False)
    wrong = sum(not finding.good for finding in found)
    if wrong:
        raise NotReady(count=wrong)


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


def _sandbox(kind: str, port: int, folder: Path, world: Path | None, bank_url: str = "") -> None:
    sandbox_main(kind, "127.0.0.1", port, folder, world, Options(bank_url=bank_url))


Port = Annotated[int, typer.Option(help="本机端口")]
Folder = Annotated[Path, typer.Option(help="账本所在目录")]
World = Annotated[Path | None, typer.Option(help="世界文件（JSON 行）：人员、账户、指标")]


@sandbox_app.command()
def police(port: Port, folder: Folder, world: World = None) -> None:
    """公安联网核查沙箱。

    示例：yikatong sandbox police --port 9001 --folder /tmp/sb --world world.jsonl
    """
    _sandbox("police", port, folder, world)


@sandbox_app.command()
def budget(
    port: Port, folder: Folder, world: World = None, bank_url: Annotated[str, typer.Option(help="银行沙箱地址")] = ""
) -> None:
    """预算管理一体化沙箱。

    示例：yikatong sandbox budget --port 9002 --folder /tmp/sb --world world.jsonl
    """
    _sandbox("budget", port, folder, world, bank_url)


@sandbox_app.command()
def bank(port: Port, folder: Folder, world: World = None) -> None:
    """代理银行沙箱。

    示例：yikatong sandbox bank --port 9003 --folder /tmp/sb --world world.jsonl
    """
    _sandbox("bank", port, folder, world)


@sandbox_app.command("advance")
def sandbox_advance(
    days: Annotated[int, typer.Option("--working-days", min=1, max=250, help="推进多少个工作日")] = 1,
    until: Annotated[datetime | None, typer.Option(formats=[DAY], help="推进到哪一天的 9 点")] = None,
) -> None:
    """推进业务时钟（仅演示和测试）。

    示例：yikatong sandbox advance --working-days 5
    """
    with at_hand():
        with edge(OPERATOR, "advance_clock") as session:
            day = until.date() if until else add_working_days(session, today(session), days)
            moment = advance(session, datetime.combine(day, OPENING, ZONE))
        console.print(f"业务时间：{moment:%Y-%m-%d %H:%M}", highlight=False)
        urls = [url for url in (settings().police_url, settings().budget_url, settings().bank_url) if url]
        controls = [SandboxControl(url, settings().partner_key) for url in urls]
        if not all([set_sandbox_clocks(control.set_clock, moment) for control in controls]):
            console.print("有沙箱没有运行，启动演示时会自动对时。")


def clerk_of(division_code: str, kind: OrganisationKind = OrganisationKind.TOWNSHIP) -> ActingOfficer:
    """Return the clerk in post of a division's office; who runs this holds the owner's address. Raises ClerkMissing."""
    asked = sa.text(
        "select p.id from posts p join organisations g on g.id = p.organisation_id where g.division_code = :code"
        " and g.kind = :kind and p.role = 'clerk' and p.valid_from <= :day"
        " and (p.valid_to is null or p.valid_to >= :day) order by p.id limit 1"
    )
    with owner_session() as session:
        post = session.execute(asked, {"code": division_code, "kind": kind, "day": today(session)}).scalar_one_or_none()
    missing = ClerkMissing(division_code=division_code, office=kind.label)
    if post is None:
        raise missing
    try:
        return officer_of_post(post)
    except PostEnded as ended:
        raise missing from ended


def main() -> NoReturn:
    """Run the command line; what is known to go wrong ends as one line and exit code 1."""
    try:
        app(prog_name="yikatong")
    except KNOWN as problem:
        _fail(str(problem))
    except DBAPIError:
        _fail("数据库连接或语句出错：请检查 YIKATONG_DATABASE_URL，必要时先执行 yikatong migrate")
    sys.exit(0)


def _fail(message: str) -> NoReturn:
    Console(stderr=True, soft_wrap=True, highlight=False, markup=False).print(f"错误：{message}")
    sys.exit(1)


if __name__ == "__main__":
    main()
