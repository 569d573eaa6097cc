"""`yikatong banks`: the agent banks, and which of them answer at their own desk. （第三十四条）"""

from typing import Annotated

import sqlalchemy as sa
import typer
from rich.table import Table

from cli.common import console
from demo.place import at_hand
from models.payment_orders import AgentBank
from models.schema import owner_session
from policies.refusals import Refused


class BankUnknown(Refused):
    """没有行别代码为 {prefix} 的代理银行；请不带参数执行 yikatong banks 查看名录（第三十四条）。"""


def banks(
    prefix: Annotated[str, typer.Option(help="行别代码，联行号的前 3 位")] = "",
    interface: Annotated[
        bool | None, typer.Option("--interface/--no-interface", help="有接口，或由本行人员在平台办理")
    ] = None,
) -> None:
    """显示代理银行名录，或设定一家银行有无接口。

    示例：yikatong banks --prefix 313 --no-interface
    """
    with at_hand(), owner_session() as session:
        if prefix and interface is not None:
            asked = sa.update(AgentBank).where(sa.column("prefix") == prefix).values(interface=interface)
            if session.execute(asked).rowcount == 0:  # type: ignore[attr-defined]
                raise BankUnknown(prefix=prefix)
        table = Table("行别代码", "代理银行", "往来方式")
        for bank in session.execute(sa.select(AgentBank).order_by(sa.column("id"))).scalars():
            table.add_row(bank.prefix, bank.name, "接口" if bank.interface else "在平台办理")
    console.print(table)
