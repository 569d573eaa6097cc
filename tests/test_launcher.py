"""`make demo`: starts as one thing, heals, keeps its data, stops as one thing, and says what is in its way."""

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from time import monotonic, sleep

import httpx
import pytest

from demo import launcher
from demo.launcher import Child, choose_port, is_free
from demo.officers import read_accounts
from demo.place import DemoFailed, Place
from integrations.sandbox.launch import free_port
from models.cluster import Cluster
from tests.conftest import ROOT

READY = "一卡通演示已启动"


class Demo:
    """A demo started from the command line, as `make demo` starts it."""

    def __init__(self, home: Path, port: int) -> None:
        self.home, self.port, self.output = home, port, home.parent / "output.txt"
        left_out = ("YIKATONG_", "PYTEST_")
        environment = {name: value for name, value in os.environ.items() if not name.startswith(left_out)}
        with self.output.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "cli", "demo", "--port", str(port)], cwd=ROOT, stdout=output, stderr=output,
                env=environment | {"YIKATONG_DATA": str(home)},
            )  # fmt: skip

    def said(self) -> str:
        return self.output.read_text(errors="replace")

    def await_text(self, text: str, seconds: float = 150) -> None:
        ends = monotonic() + seconds
        while text not in self.said():
            assert self.process.poll() is None, self.said()
            assert monotonic() < ends, self.said()
            sleep(0.2)

    def login_page(self) -> int:
        url = f"http://127.0.0.1:{self.port}/login"
        return httpx.get(url, trust_env=False, follow_redirects=True, timeout=20).status_code

    def pids(self, word: str) -> list[int]:
        found = subprocess.run(["ps", "-eo", "pid,args"], capture_output=True, text=True, check=True).stdout
        mine = re.compile(rf"^\s*(\d+) .*{word}", re.M)
        return [int(number) for number in mine.findall(found)]

    def stop(self) -> int:
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(60)


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    place = tmp_path / "data"
    yield place
    if place.exists():
        Cluster(place).destroy()


@pytest.mark.timeout(600)
def test_the_demo_starts_heals_stops_and_starts_again_with_its_data(folder: Path):
    demo = Demo(folder, free_port())
    try:
        demo.await_text(READY)
        assert demo.login_page() == 200
        accounts = read_accounts(folder / "officers.json")
        for account in accounts:  # they are printed after the address
            demo.await_text(account.login, 20)
        assert (folder / "officers.json").stat().st_mode & 0o077 == 0

        second = subprocess.run([sys.executable, "-m", "cli", "demo"], cwd=ROOT, capture_output=True, text=True,
                                env=os.environ | {"YIKATONG_DATA": str(folder), "YIKATONG_DATABASE_URL": ""}, check=False)  # fmt: skip  # noqa: E501
        assert second.returncode == 1
        assert f"演示已在运行，地址 http://127.0.0.1:{demo.port}" in second.stderr

        for number in demo.pids(rf"serve --port {demo.port}"):
            os.kill(number, signal.SIGKILL)
        demo.await_text("网页服务意外退出，正在重新启动")
        ends = monotonic() + 60
        while not _answers(demo) and monotonic() < ends:
            sleep(0.5)
        assert demo.login_page() == 200
        assert demo.stop() == 0
    finally:
        if demo.process.poll() is None:
            demo.stop()
    assert demo.pids(str(folder)) == []

    again = Demo(folder, demo.port)
    try:
        again.await_text("沿用上次的演示数据")
        again.await_text(READY)
        assert read_accounts(folder / "officers.json") == accounts
        assert again.stop() == 0
    finally:
        if again.process.poll() is None:
            again.stop()
    Place(folder).erase()
    assert not folder.exists()


def _answers(demo: Demo) -> bool:
    try:
        return demo.login_page() == 200
    except httpx.HTTPError:
        return False


class TestPort:
    def test_a_taken_port_that_was_asked_for_is_named(self):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            assert not is_free("127.0.0.1", port)
            with pytest.raises(DemoFailed, match=f"端口 {port} 已被占用"):
                choose_port("127.0.0.1", port)

    def test_without_a_wish_the_next_free_one_is_taken(self, database: str, monkeypatch: pytest.MonkeyPatch):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            monkeypatch.setenv("YIKATONG_PORT", str(port))
            launcher.settings.cache_clear()
            assert choose_port("127.0.0.1", None) > port


class TestChild:
    def test_one_that_keeps_dying_is_given_up_with_the_end_of_its_log(self, tmp_path: Path):
        child = Child("网页服务", [sys.executable, "-c", "print('因为如此')"], tmp_path / "log")
        child.start()
        with pytest.raises(DemoFailed, match=r"网页服务反复退出[\s\S]*因为如此"):
            for _ in range(launcher.DEATHS + 1):
                while not child.dead:
                    sleep(0.05)
                child.revive()
        child.stop()

    def test_one_that_does_not_listen_is_ended_all_the_same(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr(launcher, "STOP_S", 0.5)
        script = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('here', flush=True); time.sleep(60)"  # noqa: E501
        child = Child("后台任务", [sys.executable, "-c", script], tmp_path / "log")
        child.start()
        while "here" not in child.tail():
            sleep(0.05)
        child.stop()
        assert child.dead


class TestFolder:
    def test_only_an_empty_folder_is_claimed(self, folder: Path):
        folder.mkdir()
        (folder / "other.txt").write_text("x")
        with pytest.raises(DemoFailed, match="另选空目录"):
            Place(folder).claim()
        (folder / "other.txt").unlink()
        Place(folder).claim()
        assert Place(folder).read_state() == {}

    def test_a_broken_state_file_is_no_obstacle(self, folder: Path):
        Place(folder).claim()
        Place(folder).state_file.write_text("{half")
        Place(folder).claim()
        assert Place(folder).read_state() == {}
