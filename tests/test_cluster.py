"""The embedded PostgreSQL starts, heals, keeps its data, and says clearly what is wrong."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from models import cluster as module
from models.cluster import Cluster, ClusterBusy, ClusterFailed


@pytest.fixture
def folder() -> Iterator[Path]:
    path = Path(tempfile.mkdtemp(prefix="ykt-cluster-"))
    path.chmod(0o711)
    yield path
    Cluster(path / "home").destroy()
    shutil.rmtree(path, ignore_errors=True)


def ask(url: str, sql: str) -> object:
    with psycopg.connect(url.replace("+psycopg", "")) as connection:
        row = connection.execute(sql).fetchone()
        return row[0] if row else None


def postmaster(cluster: Cluster) -> int:
    return int((cluster.data / "postmaster.pid").read_text().splitlines()[0])


class TestStart:
    def test_it_starts_twice_and_keeps_the_data(self, folder: Path):
        for expected in (1, 2):
            with Cluster(folder / "home", durable=False) as url:
                with psycopg.connect(url.replace("+psycopg", "")) as connection:
                    connection.execute("create table if not exists kept (n int)")
                    connection.execute("insert into kept values (1)")
                assert ask(url, "select count(*) from kept") == expected

    def test_it_speaks_utf8_in_inner_mongolian_time_and_on_no_network(self, folder: Path):
        with Cluster(folder / "home", durable=False) as url:
            shown = {name: ask(url, f"show {name}") for name in ("server_encoding", "timezone", "listen_addresses")}
        assert shown == {"server_encoding": "UTF8", "timezone": "Asia/Shanghai", "listen_addresses": ""}

    def test_a_second_starter_is_told_who_is_in_the_way(self, folder: Path):
        with Cluster(folder / "home", durable=False), pytest.raises(ClusterBusy, match="正被另一个进程使用"):
            Cluster(folder / "home", durable=False).start()

    def test_it_heals_after_being_killed(self, folder: Path):
        cluster = Cluster(folder / "home", durable=False)
        url = cluster.start()
        with psycopg.connect(url.replace("+psycopg", "")) as connection:
            connection.execute("create table kept as select 7 as n")
            connection.execute("commit")
            connection.execute("checkpoint")
        os.kill(postmaster(cluster), signal.SIGKILL)
        cluster.stop()
        with cluster as again:
            assert ask(again, "select n from kept") == 7

    def test_it_takes_over_a_server_whose_starter_was_killed(self, folder: Path):
        script = f"from pathlib import Path; from models.cluster import Cluster; Cluster(Path({str(folder / 'home')!r}), durable=False).start(); import os; os._exit(9)"  # noqa: E501
        done = subprocess.run([sys.executable, "-c", script], check=False)
        assert done.returncode == 9
        with Cluster(folder / "home", durable=False) as url:
            assert ask(url, "select 1") == 1

    def test_a_half_written_folder_is_made_anew(self, folder: Path):
        cluster = Cluster(folder / "home", durable=False)
        cluster.home.mkdir()
        cluster._server_folder().joinpath("base").mkdir(parents=True)
        with cluster as url:
            assert ask(url, "select 1") == 1

    def test_a_folder_whose_parents_are_closed_works_without_changing_them(self, folder: Path):
        closed = folder / "closed"
        closed.mkdir(mode=0o700)
        home = closed / "home"
        try:
            with Cluster(home, durable=False) as url:
                assert ask(url, "select 1") == 1
            assert closed.stat().st_mode & 0o777 == 0o700
        finally:
            Cluster(home).destroy()

    def test_a_very_long_path_still_finds_room_for_its_socket(self, folder: Path):
        home = folder / ("long-" * 20) / "home"
        try:
            with Cluster(home, durable=False) as url:
                assert ask(url, "select 1") == 1
        finally:
            Cluster(home).destroy()


class TestFailures:
    def test_a_missing_server_names_what_to_install(self, folder: Path, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr(module.importlib.util, "find_spec", lambda _: None)
        monkeypatch.setattr(module, "DEBIAN", folder / "nothing")
        with pytest.raises(ClusterFailed, match="make setup"):
            Cluster(folder / "home").start()
        with pytest.raises(ClusterFailed, match="apt-get install postgresql-15"):
            Cluster(folder / "other", "15").start()

    def test_a_damaged_folder_names_the_log_and_the_remedy(self, folder: Path, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr(module, "START_TRIES", 2)
        cluster = Cluster(folder / "home", durable=False)
        cluster.start()
        cluster.stop()
        (cluster.data / "global" / "pg_control").unlink()
        with pytest.raises(ClusterFailed, match="demo-reset"):
            cluster.start()
        cluster.stop()

    def test_destroying_leaves_nothing_of_the_server(self, folder: Path):
        cluster = Cluster(folder / "home", durable=False)
        cluster.start()
        cluster.destroy()
        assert not cluster.data.exists()
        with Cluster(folder / "home", durable=False) as url:
            assert ask(url, "select 1") == 1
