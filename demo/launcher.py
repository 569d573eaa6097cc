"""`make demo`: the embedded database, the sandboxes, the web server and a worker as one thing that starts and stops."""

import os
import signal
import socket
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import datetime
from pathlib import Path
from time import monotonic, sleep
from types import FrameType

import httpx
import pyotp
from rich.console import Console
from rich.table import Table

from demo.officers import Account, read_accounts
from demo.place import DemoFailed, Place, populate, prepare
from integrations.errors import Rejected, Unavailable, Unknown
from integrations.sandbox.launch import KINDS, Sandboxes
from models.base import REGION_CODE
from models.cluster import Cluster, ClusterBusy
from models.database import transaction
from models.divisions import Level
from models.officers import system_principal
from models.settings import settings
from policies.clock import now

ROOT = Path(__file__).parent.parent
WATCHER = system_principal(REGION_CODE, Level.REGION, "演示")
PARENT_VARIABLE = "YIKATONG_PARENT"
PORTS_TRIED = 20
READY_S = 90.0
STOP_S = 10.0
TICK_S = 0.5
DEATHS, DEATHS_WITHIN_S = 4, 60.0
LOG_TAIL = 1200

FIRST_STEPS = (
    "以乡镇经办（changsheng.clerk）登录 → 清册导入，上传 examples/ 里的清册；有问题的一份会退回标注好的文件。",
    "核查、公示，点右上角“推进到下一工作日”走完公示期，负责人（changsheng.head）审核后上报。",
    "农牧局经办、审核，财政局经办、审核依次办理；同一人换岗再办会被拒绝，并说明理由。",
    "生成资金支付单和代发批次，看失败明细按第二十一条分路处理；最后生成一份通报。",
)


class Child:
    """One process of ours, started again when it dies, given up when it keeps dying."""

    def __init__(self, title: str, command: list[str], log: Path) -> None:
        """Keep what to run."""
        self.title, self.command, self.log = title, command, log
        self._deaths: deque[float] = deque(maxlen=DEATHS)
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it; its output goes to its log."""
        with self.log.open("ab") as output:
            # A session of its own: Ctrl-C reaches the launcher, which ends everything in order.
            self._process = subprocess.Popen(
                self.command,
                cwd=ROOT,
                env={**os.environ, PARENT_VARIABLE: str(os.getpid())},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def dead(self) -> bool:
        """Tell whether it has ended."""
        return self._process is not None and self._process.poll() is not None

    def revive(self) -> None:
        """Start it again. Raises DemoFailed when it has died too often lately."""
        self._deaths.append(monotonic())
        if len(self._deaths) == DEATHS and self._deaths[-1] - self._deaths[0] < DEATHS_WITHIN_S:
            raise DemoFailed(f"{self.title}反复退出，演示已停止。日志 {self.log} 末尾：\n{self.tail()}")
        self.start()

    def stop(self) -> None:
        """End it: kindly, then not."""
        if self._process is None or self._process.poll() is not None:
            return
        self._process.terminate()
        try:
            self._process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def tail(self) -> str:
        """Return the end of its log."""
        return self.log.read_text(encoding="utf-8", errors="replace")[-LOG_TAIL:]


class Stopped:
    """Set by Ctrl-C or SIGTERM; what waits ends."""

    def __init__(self) -> None:
        """Begin unset."""
        self._event = threading.Event()

    def set(self, _: int = 0, __: FrameType | None = None) -> None:
        """Ask for the end."""
        self._event.set()

    def __bool__(self) -> bool:
        """Tell whether the end was asked for."""
        return self._event.is_set()

    def wait(self, seconds: float) -> bool:
        """Wait so long, or until the end is asked for."""
        return self._event.wait(seconds)

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Take the signals for the block."""
        former = {number: signal.signal(number, self.set) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in former.items():
                signal.signal(number, handler)


def run(place: Place, console: Console, port: int | None = None) -> None:
    """Start everything, say where it is, and keep it running until told to stop.

    port: fixed; None takes the settings' port or the next free one.
    Raises DemoFailed, ClusterFailed, SandboxFailed.
    """
    stopped = Stopped()
    with stopped.listening(), ExitStack() as stack:
        place.claim()
        chosen = choose_port(settings().host, port)
        console.print(f"数据目录 {place.home}；正在启动数据库……", highlight=False)
        server = _start_cluster(place, stack)
        url = prepare(place, server)
        if stopped:
            return
        seeded = populate(place, url)
        console.print("演示数据已载入。" if seeded.fresh else "沿用上次的演示数据。")
        sandboxes = stack.enter_context(Sandboxes(seeded.world_file, place.sandboxes))
        sandboxes.use()
        place.point(url, sandboxes.environment())
        place.write_state({"database_url": url, "port": chosen, "environment": sandboxes.environment()})
        children = _children(place, chosen)
        for child in children:
            stack.callback(child.stop)
            child.start()
        address = f"http://{settings().host}:{chosen}"
        _await_login(address, children[0], stopped)
        if not stopped:
            announce(console, address, read_accounts(seeded.officers_file))
            _watch(console, children, sandboxes, stopped)
        console.print("正在停止……")
    console.print("演示已停止，数据保留在原处；再次执行 make demo 继续，make demo-reset 从头开始。")


def _start_cluster(place: Place, stack: ExitStack) -> str:
    cluster = Cluster(place.home)
    try:
        server = cluster.start()
    except ClusterBusy as busy:
        port = place.read_state().get("port")
        where = f"，地址 http://127.0.0.1:{port}" if port else ""
        raise DemoFailed(f"演示已在运行{where}。要停止它，请在运行它的终端按 Ctrl-C") from busy
    stack.callback(cluster.stop)
    return server


def _children(place: Place, port: int) -> list[Child]:
    python = [sys.executable, "-m", "cli"]
    return [
        Child("网页服务", [*python, "serve", "--port", str(port)], place.home / "web.log"),
        Child("后台任务", [*python, "worker"], place.home / "worker.log"),
    ]


def choose_port(host: str, wanted: int | None) -> int:
    """Return the port to serve on: the wanted one, or the settings' or the next free one. Raises DemoFailed."""
    if wanted is not None:
        if not is_free(host, wanted):
            raise DemoFailed(f"端口 {wanted} 已被占用：请停止占用它的程序，或用 --port 另选")
        return wanted
    first = settings().port
    for port in range(first, min(first + PORTS_TRIED, 65536)):
        if is_free(host, port):
            return port
    raise DemoFailed(f"端口 {first}–{first + PORTS_TRIED - 1} 都被占用：请用 YIKATONG_PORT 或 --port 另选")


def is_free(host: str, port: int) -> bool:
    """Tell whether nobody listens on the port."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def _await_login(address: str, web: Child, stopped: Stopped) -> None:
    """Wait until the login page answers. Raises DemoFailed."""
    ends = monotonic() + READY_S
    while monotonic() < ends and not stopped:
        if web.dead:
            raise DemoFailed(f"网页服务没有启动。日志 {web.log} 末尾：\n{web.tail()}")
        try:
            if httpx.get(f"{address}/login", trust_env=False, timeout=5, follow_redirects=True).status_code == 200:
                return
        except httpx.HTTPError:
            pass
        sleep(0.2)
    if not stopped:
        raise DemoFailed(f"网页服务 {READY_S:.0f} 秒内没有应答。日志 {web.log} 末尾：\n{web.tail()}")


def announce(console: Console, address: str, accounts: list[Account]) -> None:
    """Print the address, the accounts with their current codes, and what to try first."""
    console.print(f"\n[bold]一卡通演示已启动：[link={address}/login]{address}/login[/link][/bold]\n", highlight=False)
    print_accounts(console, accounts)
    console.print("\n先试试：")
    for number, step in enumerate(FIRST_STEPS, 1):
        console.print(f"  {number}. {step}", highlight=False, soft_wrap=True)
    console.print("\n动态口令每 30 秒更换：yikatong demo --accounts 随时重看本表。按 Ctrl-C 停止。", soft_wrap=True)


def print_accounts(console: Console, accounts: list[Account]) -> None:
    """Print the demo accounts with the codes of this moment, place by place."""
    table = Table(title="演示账号", title_justify="left")
    for title in ("登录名", "口令", "动态口令"):
        table.add_column(title, no_wrap=True)
    table.add_column("岗位", overflow="fold")
    for account, former in zip(accounts, [*accounts[:1], *accounts], strict=False):
        if account.division_code != former.division_code:
            table.add_section()
        table.add_row(account.login, account.password, pyotp.TOTP(account.totp_secret).now(), account.post)
    console.print(table)


def _watch(console: Console, children: list[Child], sandboxes: Sandboxes, stopped: Stopped) -> None:
    """Keep everything alive and on one clock until the end is asked for. Raises DemoFailed, SandboxFailed."""
    clocks = _Clocks(sandboxes)
    checks: Iterator[int] = iter(range(2**62))
    while not stopped.wait(TICK_S):
        for child in children:
            if child.dead:
                console.print(f"{child.title}意外退出，正在重新启动（日志 {child.log}）", highlight=False)
                child.revive()
        if next(checks) % 4 == 0:
            _revive_sandboxes(console, sandboxes)
            clocks.agree()


def _revive_sandboxes(console: Console, sandboxes: Sandboxes) -> None:
    for kind in KINDS:
        try:
            httpx.get(sandboxes.url(kind) + "/health", trust_env=False, timeout=10)
        except httpx.ConnectError:
            console.print(f"沙箱 {kind} 意外退出，正在重新启动", highlight=False)
            sandboxes.stop(kind)
            sandboxes.start(kind)
        except httpx.HTTPError:
            pass  # busy or answering slowly: alive


class _Clocks:
    """The sandboxes' clocks follow the business clock, whoever moves it."""

    TOLERANCE_S = 60.0

    def __init__(self, sandboxes: Sandboxes) -> None:
        """Agree at the first call."""
        self._sandboxes = sandboxes
        self._ahead: float | None = None

    def agree(self) -> None:
        """Set the sandboxes' clocks when business time has jumped since the last call."""
        with transaction(WATCHER) as session:
            moment = now(session)
        ahead = moment.timestamp() - monotonic()
        if self._ahead is None or abs(ahead - self._ahead) > self.TOLERANCE_S:
            set_sandbox_clocks(self._sandboxes.set_clock, moment)
        self._ahead = ahead


def set_sandbox_clocks(set_clock: Callable[[datetime], None], moment: datetime) -> bool:
    """Set the sandboxes' clocks; tell whether all of them could be reached."""
    try:
        set_clock(moment)
    except (Rejected, Unavailable, Unknown):
        return False
    return True


def end_with_parent(environment: Mapping[str, str] = os.environ) -> None:
    """End this process when the launcher that started it is gone, however it went."""
    parent = environment.get(PARENT_VARIABLE, "")
    if not parent.isdigit():
        return

    def watch() -> None:
        while os.getppid() == int(parent):
            sleep(TICK_S)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, daemon=True).start()
