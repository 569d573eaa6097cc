"""Commands of the very beginning: the first two security administrators; and a lost second factor of one of them."""

from typing import Annotated

import typer

from cli.common import console
from demo.place import at_hand
from models.schema import owner_session
from policies.refusals import Refused
from workflows.bootstrap import Credentials, Founder, require_unbegun
from workflows.bootstrap import bootstrap as begin
from workflows.bootstrap import reset as reset_credentials

ORDER = ("第一名", "第二名")


class FounderIncomplete(Refused):
    """{which}安全管理员的资料不全：须同时给出 --login、--name、--id-number 各两次，或都不给，由命令逐项询问。"""


Logins = Annotated[list[str] | None, typer.Option("--login", help="登录名，给两次")]
Names = Annotated[list[str] | None, typer.Option("--name", help="姓名，给两次")]
Numbers = Annotated[list[str] | None, typer.Option("--id-number", help="身份证号码，给两次；不给则逐项询问")]


def bootstrap(login: Logins = None, name: Names = None, id_number: Numbers = None) -> None:
    """设立平台机构和首任两名安全管理员，别无其他；已有安全管理员时拒绝。口令和动态口令密钥只显示这一次。

    示例：yikatong bootstrap
    """
    with at_hand():
        with owner_session() as session:
            require_unbegun(session)
        founders = _founders(login or [], name or [], id_number or [])
        with owner_session() as session:
            made = begin(session, founders)
    _print(made)
    console.print(
        "请两名安全管理员各自用验证器添加动态口令密钥，首次登录须更换口令。"
        "之后：互相拟任、复核系统管理员和审计管理员，由系统管理员建立机构。",
        soft_wrap=True,
    )


def reset_officer(login: Annotated[str, typer.Argument(help="登录名")]) -> None:
    """以数据库所有者身份重置一名用户的口令和动态口令，结束其全部会话，并记入办理记录。

    示例：yikatong reset-officer aq.wang
    """
    with at_hand(), owner_session() as session:
        made = reset_credentials(session, login)
    _print([made])


def _founders(logins: list[str], names: list[str], numbers: list[str]) -> list[Founder]:
    """Return the two from the options, or ask for each. Raises FounderIncomplete."""
    given = (logins, names, numbers)
    if not any(given):
        return [_ask(which) for which in ORDER]
    for place, which in enumerate(ORDER):
        if any(len(values) <= place for values in given):
            raise FounderIncomplete(which=which)
    return [Founder(*values) for values in zip(logins, names, numbers, strict=True)]


def _ask(which: str) -> Founder:
    console.print(f"[bold]{which}安全管理员[/bold]")
    return Founder(
        typer.prompt("  登录名（小写字母开头）"), typer.prompt("  姓名"), typer.prompt("  身份证号码", hide_input=True)
    )


def _print(made: list[Credentials]) -> None:
    """Print each on lines of its own: a narrow terminal must not cut a secret that is shown once."""
    console.print("首次登录凭据（仅显示这一次）")
    for one in made:
        told = {"登录名": one.login, "姓名": one.name, "初始口令": one.password, "动态口令密钥": one.totp_secret}
        for title, value in told.items():
            console.print(f"  {title}：{value}", soft_wrap=True, highlight=False, markup=False)
        console.print()
