"""The command line: every command is a thin call of a workflow.

Nothing here decides. A refusal, a setting or a server that fails ends as one line on the error output, exit code 1.
"""

import sys
from typing import Annotated, NoReturn

import typer
import uvicorn
from rich.console import Console
from sqlalchemy.exc import DBAPIError
from typer.exceptions import TyperException

from cli import audit, banks, keys, people, records, registry, sandbox
from cli.common import console, new_app
from demo.launcher import end_with_parent, print_accounts, run
from demo.officers import read_accounts
from demo.place import DemoFailed, Place, at_hand
from integrations.errors import OutsideError
from integrations.sandbox.launch import SandboxFailed
from jobs.app import main as work
from models.cluster import ClusterFailed
from models.crypto import KeysMissing, complete_key_file
from models.schema import migrate as migrate_schema
from models.schema import owner_session
from models.settings import SettingWrong, settings
from policies.refusals import Refused
from workflows import reference_data
from workflows.readiness import findings
from workflows.row_scope import require_safe

KNOWN = (Refused, SettingWrong, ClusterFailed, KeysMissing, DemoFailed, SandboxFailed, OutsideError)

app = new_app("一卡通：惠民惠农财政补贴资金发放管理。每个命令加 --help 看说明和示例。")
app.command("bootstrap")(people.bootstrap)
app.command("reset-officer")(people.reset_officer)
app.command("import-roster")(records.import_roster)
app.command("import-registry")(registry.import_registry)
app.command("bulletin")(records.bulletin)
app.command("banks")(banks.banks)
app.add_typer(sandbox.app, name="sandbox")
app.add_typer(audit.app, name="audit")
app.add_typer(records.journal_app, name="journal")
app.add_typer(keys.app, name="keys")


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
    require_safe()
    chosen = settings()
    uvicorn.run(
        "admin.app:app",
        host=host or chosen.host,
        port=port or chosen.port,
        access_log=False,
        log_level="warning",
        proxy_headers=False,  # whose word about addresses counts is a setting of ours
        server_header=False,
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
        complete_key_file(settings().key_file)
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


def main() -> NoReturn:
    """Run the command line; what is known to go wrong ends as one line: exit code 1, wrong usage 2."""
    try:
        ended = app(prog_name="yikatong", standalone_mode=False)
    except TyperException as wrong:
        option = getattr(getattr(wrong, "param", None), "opts", None)
        if not str(wrong):  # nothing was asked: the help has been printed
            sys.exit(2)
        which = f"参数 {option[0]} 缺失或无效" if option else "没有这个命令或参数"
        _fail(f"{which}；请在命令后加 --help 查看说明和示例", 2)
    except typer.Abort:
        sys.exit(130)
    except KNOWN as problem:
        _fail(str(problem))
    except DBAPIError:
        _fail("数据库连接或语句出错：请检查 YIKATONG_DATABASE_URL，必要时先执行 yikatong migrate")
    sys.exit(ended if isinstance(ended, int) else 0)


def _fail(message: str, code: int = 1) -> NoReturn:
    Console(stderr=True, soft_wrap=True, highlight=False, markup=False).print(f"错误：{message}")
    sys.exit(code)
