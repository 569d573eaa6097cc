"""The sandboxes as single processes, and the business clock; demo and tests only."""

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from cli.common import DAY, OPERATOR, console, new_app
from demo.exchange import key_of, some_people
from demo.launcher import set_sandbox_clocks
from demo.place import at_hand
from integrations.exchange import Department
from integrations.sandbox.control import SandboxControl
from integrations.sandbox.launch import Options, main
from models.settings import settings
from policies.clock import ZONE, advance, today
from policies.refusals import ClockFixed
from policies.working_days import OPENING, add_working_days
from workflows.edges import edge

app = new_app("外部系统沙箱（公安、一体化、代理银行）和业务时钟，仅演示和测试环境。")


def _sandbox(kind: str, port: int, folder: Path, world: Path | None, bank_url: str = "") -> None:
    main(kind, "127.0.0.1", port, folder, world, Options(bank_url=bank_url))


Port = Annotated[int, typer.Option(help="本机端口")]
Folder = Annotated[Path, typer.Option(help="账本所在目录")]
World = Annotated[Path | None, typer.Option(help="世界文件（JSON 行）：人员、账户、指标")]


@app.command()
def police(port: Port, folder: Folder, world: World = None) -> None:
    """公安联网核查沙箱。

    示例：yikatong sandbox police --port 9001 --folder .yikatong/sb --world world.jsonl
    """
    _sandbox("police", port, folder, world)


@app.command()
def budget(
    port: Port, folder: Folder, world: World = None, bank_url: Annotated[str, typer.Option(help="银行沙箱地址")] = ""
) -> None:
    """预算管理一体化沙箱。

    示例：yikatong sandbox budget --port 9002 --folder .yikatong/sb --world world.jsonl
    """
    _sandbox("budget", port, folder, world, bank_url)


@app.command()
def bank(port: Port, folder: Folder, world: World = None) -> None:
    """代理银行沙箱。

    示例：yikatong sandbox bank --port 9003 --folder .yikatong/sb --world world.jsonl
    """
    _sandbox("bank", port, folder, world)


@app.command("exchange")
def send_batch(
    number: Annotated[int, typer.Option(min=1, help="批次号")],
    body: Annotated[str, typer.Option(help="部门代码，如 disabled")] = "disabled",
    kind: Annotated[str, typer.Option(help="信息种类，如 disability、person")] = "disability",
    rows: Annotated[int, typer.Option(min=1, max=10_000, help="行数")] = 100,
    url: Annotated[str, typer.Option(help="平台地址，缺省为本机演示")] = "",
) -> None:
    """扮演共享部门：签名发送一个批次（仅演示和测试）。

    示例：yikatong sandbox exchange --body disabled --number 3 --rows 50
    """
    with at_hand():
        if not settings().movable_clock:
            raise ClockFixed
        department = Department(url or f"http://{settings().host}:{settings().port}", body, key_of(body))
        answer = department.send(number, list(some_people(kind, rows)))
    console.print(f"{answer.status_code} {answer.text}", highlight=False, soft_wrap=True)


@app.command("advance")
def advance_clock(
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
