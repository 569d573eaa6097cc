"""The demo's data folder: the embedded database, keys, files of accounts and world, and how other commands find it."""

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import make_url

from demo.exchange import load_exchange
from demo.officers import FILE as OFFICERS_FILE
from demo.population import population
from demo.seed import Seeded, seed
from models.cluster import Cluster, ClusterBusy
from models.crypto import make_key_file
from models.database import forget_engines
from models.households import Member
from models.schema import migrate, owner_session
from models.settings import settings
from workflows import reference_data

DATABASE = "yikatong"
MARKER = "demo.json"


class DemoFailed(Exception):
    """The demo can't do what was asked; the message says why and what to do."""


@dataclass(frozen=True)
class Place:
    """One data folder."""

    home: Path

    @property
    def state_file(self) -> Path:
        """The addresses of the running demo; its presence marks the folder as ours."""
        return self.home / MARKER

    @property
    def keys(self) -> Path:
        """The key file."""
        return self.home / "keys.json"

    @property
    def officers_file(self) -> Path:
        """The demo accounts, readable by their owner only."""
        return self.home / OFFICERS_FILE

    @property
    def sandboxes(self) -> Path:
        """The folder of the sandboxes' ledgers."""
        return self.home / "sandboxes"

    def claim(self) -> None:
        """Make the folder ours. Raises DemoFailed when it holds something else or can't be written."""
        try:
            self.home.mkdir(parents=True, exist_ok=True)
            if not self.state_file.exists():
                if any(self.home.iterdir()) and not self.keys.exists():
                    raise DemoFailed(f"{self.home} 里有其他文件，不能作为演示数据目录：请用 YIKATONG_DATA 另选空目录")
                self.write_state({})
        except OSError as problem:
            raise DemoFailed(
                f"数据目录 {self.home} 无法写入（{problem.strerror}）：请用 YIKATONG_DATA 另选目录"
            ) from problem

    def write_state(self, state: dict[str, Any]) -> None:
        """Write the addresses; whole or the former ones, readable by their owner only."""
        half = self.state_file.with_suffix(".half")
        half.unlink(missing_ok=True)
        descriptor = os.open(half, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(state, file)
        half.replace(self.state_file)

    def read_state(self) -> dict[str, Any]:
        """Return the addresses of the running demo; nothing when the file is absent or broken."""
        with suppress(OSError, ValueError):
            state: dict[str, Any] = json.loads(self.state_file.read_text(encoding="utf-8"))
            return state
        return {}

    def point(self, database_url: str, extra: dict[str, str] | None = None) -> None:
        """Point this process and its children at the demo."""
        os.environ |= {
            "YIKATONG_MODE": "demo",
            "YIKATONG_DATABASE_URL": database_url,
            "YIKATONG_DATA": str(self.home),
            "YIKATONG_KEYS": str(self.keys),
            **(extra or {}),
        }
        settings.cache_clear()
        forget_engines()

    def erase(self) -> None:
        """Delete the folder and the database behind it. Raises ClusterBusy, DemoFailed."""
        if not self.home.exists():
            return
        if not (self.state_file.exists() or self.keys.exists()) and any(self.home.iterdir()):
            raise DemoFailed(f"{self.home} 不是演示数据目录，没有删除任何内容")
        Cluster(self.home).destroy()
        shutil.rmtree(self.home)


def database_of(server: str) -> str:
    """Return the address of the demo's database on the server, made when it isn't there yet."""
    engine = sa.create_engine(server, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
    with engine.connect() as connection:
        asked = sa.text("select 1 from pg_database where datname = :name")
        if connection.execute(asked, {"name": DATABASE}).scalar_one_or_none() is None:
            connection.execute(sa.text(f"create database {DATABASE}"))
    return make_url(server).set(database=DATABASE).render_as_string(hide_password=False)


def prepare(place: Place, server: str) -> str:
    """Bring the database up to date with its reference data; return the owner's address."""
    url = database_of(server)
    place.point(url)
    migrate()
    _require_keys(place, url)
    with owner_session(url) as session:
        reference_data.load(session)
    return url


def _require_keys(place: Place, url: str) -> None:
    """Have the key file; a lost one can't be made anew once there is personal data. Raises DemoFailed."""
    if place.keys.exists():
        return
    with owner_session(url) as session:
        sealed = session.execute(sa.select(sa.exists().select_from(Member))).scalar_one()
    if sealed:
        raise DemoFailed(
            f"密钥文件 {place.keys} 不见了，已有的个人信息无法解密：请放回它，或执行 make demo-reset 重新开始"
        )
    half = place.keys.with_suffix(".half")
    half.unlink(missing_ok=True)
    make_key_file(half)
    half.replace(place.keys)


def populate(place: Place, url: str) -> Seeded:
    """Load the demo's data, once."""
    seeded = seed(url, place.home)
    if seeded.fresh:
        load_exchange(url, population())
    return seeded


@contextmanager
def at_hand() -> Iterator[None]:
    """Have a database: the one that the settings name, else the demo's, started for this command if it isn't running.

    Raises DemoFailed when there is neither, ClusterFailed.
    """
    if settings().database_url:
        yield
        return
    place = Place(settings().data_home)
    if not place.state_file.exists():
        raise DemoFailed("没有数据库：请先执行 make demo，或用环境变量 YIKATONG_DATABASE_URL 指定一个")
    cluster = Cluster(place.home)
    try:
        place.point(database_of(cluster.start()))
    except ClusterBusy:
        state = place.read_state()
        if "database_url" not in state:
            raise
        place.point(state["database_url"], state.get("environment", {}))
        yield
        return
    try:
        yield
    finally:
        forget_engines()
        cluster.stop()
