"""Whether this installation may run: settings, keys, database, roles; stricter for production. （第三十条）"""

from collections.abc import Iterator
from dataclasses import dataclass
from stat import S_IRWXG, S_IRWXO, S_IWGRP, S_IWOTH

import sqlalchemy as sa
from sqlalchemy.engine import make_url
from sqlmodel import Session

from models.crypto import KeysMissing, ring
from models.database import transaction
from models.schema import is_current, owner_session
from models.settings import APP_ROLE, settings
from workflows.index_keys import generation_stored
from workflows.keys import stale_counts
from workflows.row_scope import faults

LOOPBACK = ("127.0.0.1", "::1", "localhost")


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at, and whether it is as it must be."""

    good: bool
    text: str


def findings(*, deploy: bool) -> list[Finding]:
    """Return what was found; deploy: by the standards of production."""
    found = [*_settings(deploy), *_keys()]
    if settings().database_url:
        found += _database(deploy)
    return found


def _settings(deploy: bool) -> Iterator[Finding]:
    chosen = settings()
    yield Finding(bool(chosen.database_url), "已用 YIKATONG_DATABASE_URL 指定数据库")
    if not deploy:
        return
    yield Finding(chosen.mode == "production", f"运行模式为 production（YIKATONG_MODE，当前 {chosen.mode}）")
    yield Finding(chosen.secure_cookies, "会话 Cookie 只经 HTTPS 发送")
    yield Finding(not chosen.movable_clock, "业务时钟不能人为推进")
    yield Finding(
        chosen.host in LOOPBACK, f"网页只在本机监听，由反向代理提供 HTTPS（YIKATONG_HOST，当前 {chosen.host}）"
    )
    public = chosen.security.public_url
    yield Finding(public.startswith("https://"), "已用 YIKATONG_PUBLIC_URL 登记对外的 HTTPS 地址（否则表单会被拒绝）")
    outside = not chosen.anchors.is_relative_to(chosen.data_home)
    yield Finding(outside, "审计锚点写在数据目录之外，最好在另一台机器上（YIKATONG_ANCHORS）")
    urls = {"公安": chosen.police_url, "一体化": chosen.budget_url, "代理银行": chosen.bank_url}
    for name, url in urls.items():
        yield Finding(
            url.startswith("https://"), f"{name}接口地址使用 HTTPS（当前{'未设置' if not url else '已设置'}）"
        )
    yield Finding(len(chosen.partner_key) >= 32, "外部接口签名密钥不少于 32 位（YIKATONG_PARTNER_KEY）")
    if chosen.database_url:
        owner, app = make_url(chosen.database_url), make_url(chosen.app_database_url)
        yield Finding(app.username == APP_ROLE != owner.username, f"应用以 {APP_ROLE} 角色连接，不是数据库所有者")


def _keys() -> Iterator[Finding]:
    path = settings().key_file
    try:
        ring()
    except KeysMissing as missing:
        yield Finding(False, f"{missing}（YIKATONG_KEYS）")
        return
    closed = not path.stat().st_mode & (S_IRWXG | S_IRWXO)
    yield Finding(closed, f"密钥文件 {path.name} 只有所有者可读写（chmod 600）")
    folder = not path.resolve().parent.stat().st_mode & (S_IWGRP | S_IWOTH)
    yield Finding(folder, "密钥文件所在目录只有所有者可写（否则他人可以调换密钥文件）")


def _rotations(session: Session) -> Iterator[Finding]:
    """Tell whether database and key file agree, and whether anything is left under an old key. （第三十条）"""
    held, stored = ring(), generation_stored(session)
    agree = stored == held.index_current
    yield Finding(agree, f"密钥文件与数据库同为第 {stored} 代索引（否则执行 yikatong keys rotate-index）")
    chosen = held.index_keys[held.index_current].hash == settings().index_hash
    yield Finding(chosen, "索引算法与 YIKATONG_INDEX 一致（否则执行 yikatong keys rotate-index）")
    left = sum(stale_counts(session, held.header).values())
    yield Finding(left == 0, f"没有内容仍用旧密钥或旧算法加密（当前 {left:,} 行；否则执行 yikatong keys rotate）")


def _database(deploy: bool) -> Iterator[Finding]:
    with owner_session() as session:
        current = is_current(session)
        yield Finding(current, "数据库结构是最新版本（否则执行 yikatong migrate）")
        if not current:
            return
        version = session.execute(sa.text("select current_setting('server_version_num')::int")).scalar_one()
        yield Finding(version >= 150000, f"PostgreSQL 15 或更新的版本（当前 {version // 10000}）")
        movable = session.execute(sa.text("select movable from business_clock")).scalar_one()
        yield Finding(not (deploy and movable), "数据库里的业务时钟已固定" if deploy else "业务时钟已登记")
        yield from _role(session)
        if deploy:
            yield from _rotations(session)
        days = session.execute(sa.text("select max(day) from calendar_days where not provisional")).scalar_one()
        yield Finding(days is not None, f"工作日历已按国务院安排维护到 {days}")
    with transaction(None) as session:
        seen = session.execute(sa.text("select count(*) from rosters")).scalar_one()
        yield Finding(seen == 0, "未登录时看不到任何业务数据")
        wrong = faults(session)
        yield Finding(not wrong, "；".join(wrong) or "行级权限完整：策略、权利、角色、视图、函数与模型一致")


def _role(session: Session) -> Iterator[Finding]:
    role = session.execute(
        sa.text("select rolsuper or rolbypassrls or rolcreaterole as strong from pg_roles where rolname = :name"),
        {"name": APP_ROLE},
    ).scalar_one_or_none()
    yield Finding(role is False, f"数据库角色 {APP_ROLE} 不能绕过行级权限")
