"""`yikatong keys …`: the state of the keys, and their rotation while the console works. （第三十条）"""

from typing import Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from cli.common import console, new_app
from demo.place import at_hand
from models.crypto import complete_key_file, ring
from models.schema import owner_session
from models.settings import settings
from policies.refusals import Refused
from workflows import index_keys, keys

app = new_app("密钥：加密密钥与索引密钥的状态、轮换和停用。")
CIPHER_NAMES = {1: "AES-256-GCM", 2: "SM4-GCM"}
HASH_NAMES = {"sha256": "HMAC-SHA-256", "sm3": "HMAC-SM3"}


class RotationStopped(Refused):
    """已停止，处理完的部分保留。再次执行同一命令即从停下处继续。"""


class NotConfirmed(Refused):
    """没有停用密钥 {number}：加 --yes 确认已知其后果（停用前的数据库备份将不能解开）。"""


@app.command()
def status() -> None:
    """显示各密钥编号下的内容数量、索引密钥的代次和最近的轮换。

    示例：yikatong keys status
    """
    with at_hand():
        held = ring(fresh=True)
        with owner_session() as session:
            counts, stored = keys.envelopes_by_key(session), index_keys.generation_stored(session)
            runs = keys.latest_runs(session)
    table = Table("加密密钥", "状态", "加密内容")
    for number, count in sorted(counts.items()):
        state = "使用中" if number == held.current else "待停用" if number in held.keys else "缺失！"
        table.add_row(str(number), state, f"{count:,}")
    console.print(table)
    agree = "" if stored == held.index_current else f"；密钥文件为第 {held.index_current} 代，请执行 rotate-index"
    index = HASH_NAMES[held.index_keys[held.index_current].hash]
    console.print(f"加密算法 {CIPHER_NAMES[held.cipher]}；索引第 {stored} 代 {index}{agree}", highlight=False)
    for run in runs:
        console.print(
            f"{run.started_at:%Y-%m-%d %H:%M} {run.kind.label} {run.key_number}："
            f"{run.status.label}，{run.done:,}/{run.total:,} 行",
            highlight=False,
        )


def _bar() -> Progress:
    return Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(),
        TextColumn("{task.fields[speed]} 行/秒"), TextColumn("剩余"), TimeRemainingColumn(), console=console,
    )  # fmt: skip


def _followed(what: str, run: "keys.Rotation") -> None:
    with at_hand():
        complete_key_file(settings().key_file)
        try:
            with _bar() as bar:
                task = bar.add_task(what, total=None, speed=0)
                done = run(
                    lambda now: bar.update(
                        task, completed=now.done, total=now.total, speed=f"{now.per_second:,}",
                        description=f"{what} {now.stage}",
                    )
                )  # fmt: skip
        except (keys.Stopped, KeyboardInterrupt) as stopped:
            raise RotationStopped from stopped
    console.print(f"{what}完成：{done.done:,} 行。", highlight=False)


@app.command()
def rotate() -> None:
    """换用新的加密密钥，并把已有内容逐批重新加密；期间业务照常办理，可用 Ctrl-C 停止后再次执行继续。

    示例：yikatong keys rotate
    """
    _followed("重新加密", keys.rotate)
    console.print("旧密钥仍在密钥文件中；确认备份策略后可执行 yikatong keys retire 编号。")


@app.command("rotate-index")
def rotate_index() -> None:
    """换用新的索引密钥；期间查重和检索照常，可用 Ctrl-C 停止后再次执行继续。

    示例：yikatong keys rotate-index
    """
    _followed("更新索引", index_keys.rotate)


@app.command()
def retire(
    number: Annotated[int, typer.Argument(help="密钥编号，见 yikatong keys status")],
    yes: Annotated[bool, typer.Option("--yes", help="确认：此前的数据库备份将不能解开")] = False,
) -> None:
    """从密钥文件中删除不再使用的加密密钥；还有内容使用它时拒绝。

    示例：yikatong keys retire 1 --yes
    """
    if not yes:
        raise NotConfirmed(number=number)
    with at_hand():
        keys.retire(number)
    console.print(f"密钥 {number} 已停用。")
