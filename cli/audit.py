"""Commands on the trail: verify the chains, anchor their heads, archive the oldest records. （第二十三条）"""

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from cli.common import DAY, OPERATOR, console, new_app
from demo.place import at_hand
from models.database import transaction
from models.schema import owner_session
from models.settings import settings
from policies.refusals import Refused
from workflows import anchors, archive, audit

app = new_app("办理和变更记录：散列链、锚点、归档。")

County = Annotated[str, typer.Option(help="旗县区划代码；不填检查全部")]
Files = Annotated[list[Path] | None, typer.Option("--anchors", help="锚点文件，可多次给出；不填用本机锚点目录")]
Archives = Annotated[list[Path] | None, typer.Option("--archive", help="归档文件，可多次给出，逐条重算")]
Key = Annotated[str, typer.Option(help="验证签名的公钥（十六进制）；不填用本机密钥文件")]


class ChainBroken(Refused):
    """{count} 个旗县的散列链有问题，第一处：{county} {finding}。"""


class GuardsAsleep(Refused):
    """{count} 个留痕触发器缺失或被停用，第一个：{first}。"""


@app.command("verify")
def verify(county: County = "", files: Files = None, archives: Archives = None, public_key: Key = "") -> None:
    """重算散列链，与链外锚点和各表现状核对，指出每个旗县第一处断裂。

    示例：yikatong audit verify --anchors 2026-11.jsonl
    """
    with at_hand():
        signed = anchors.read(files, public_key) if files else anchors.known()
        with transaction(OPERATOR) as session:
            for file in archives or ():
                console.print(f"{file.name}：{archive.check(session, file, public_key)} 条记录与归档环相符")
            chains = audit.verify(session, county or None, signed)
            asleep = audit.sleeping_guards(session)
    table = Table("旗县", "区划代码", "环数", "结果")
    for chain in chains:
        table.add_row(chain.county, chain.county_code, str(chain.links), chain.finding)
    console.print(table)
    if signed is None:
        console.print("没有锚点：不能发现整条重算过的链。")
    broken = [chain for chain in chains if not chain.whole]
    if broken:
        raise ChainBroken(count=len(broken), county=broken[0].county, finding=broken[0].finding)
    if asleep:
        raise GuardsAsleep(count=len(asleep), first=asleep[0])


@app.command("anchor")
def anchor() -> None:
    """立即把各旗县链头签名写入锚点目录。

    示例：yikatong audit anchor
    """
    with at_hand(), transaction(OPERATOR) as session:
        console.print(f"已写入 {anchors.anchor(session)} 行锚点：{settings().anchors}", highlight=False)


@app.command("public-key")
def public_key() -> None:
    """显示验证锚点和归档签名的公钥，请另行保存。

    示例：yikatong audit public-key
    """
    with at_hand():
        console.print(anchors.public_key(), highlight=False)


@app.command("archive")
def archive_records(
    before: Annotated[datetime, typer.Option(formats=[DAY], help="归档哪一天以前的记录，如 2026-01-01")],
    folder: Annotated[Path | None, typer.Option(help="归档文件放到哪个目录；不填为数据目录的 archives")] = None,
) -> None:
    """把保存期满的记录写入签名的归档文件，再移出数据库；链以归档环接续。

    示例：yikatong audit archive --before 2026-01-01 --folder 归档
    """
    with at_hand():
        signed = anchors.known() or []
        with owner_session() as session:
            place = folder or settings().data_home / "archives"
            done = archive.archive(session, before.date(), signed, place)
    table = Table("区划代码", "记录数", "归档文件")
    for one in done:
        table.add_row(one.county_code, str(one.records), str(one.file or one.reason))
    console.print(table)
