"""Web and worker refuse to start on a database whose row scope has a hole: each is made and told. （第三十条）"""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa
from sqlmodel import Session

import jobs.app
from admin.app import create_app
from models.database import forget_engines
from models.settings import APP_ROLE, settings
from tests.conftest import Owner
from workflows.readiness import findings
from workflows.row_scope import NotSafe, faults, require_safe

FAULTS: dict[str, tuple[str, str]] = {
    "a table without policies": ("create table leak (division_code text, name text)", "表 leak 没有在模型中登记"),
    "row security switched off": ("alter table rosters disable row level security", "rosters 没有启用行级策略"),
    "a policy missing": ("drop policy scope_update on rosters", "rosters 缺少策略 scope_update"),
    "a sector's policy missing": ("drop policy sector_scope on roster_lines", "roster_lines 缺少策略 sector_scope"),
    "a flow unproven": ("drop policy flow_project_id on rosters", "rosters 缺少策略 flow_project_id"),
    "a policy too many": (
        f"create policy kind on rosters for select to {APP_ROLE} using (true)",
        "rosters 有未登记的策略 kind",
    ),
    "a policy that asks for no ticket": (
        f"drop policy scope_select on rosters; create policy scope_select on rosters for select to {APP_ROLE}"
        " using (division_code >= current_setting('app.scope_from', true))",
        "策略 scope_select 不核对凭证",
    ),
    "a policy for everybody": (
        "drop policy scope_select on rosters; create policy scope_select on rosters for select"
        " using (division_code >= (select (ticket())[1]))",
        "策略 scope_select 不核对凭证",
    ),
    "a closed table opened": (f"grant select on officer_secrets to {APP_ROLE}", "封闭的表 officer_secrets"),
    "the key of the tickets readable": (f"grant select on ticket_keys to {APP_ROLE}", "封闭的表 ticket_keys"),
    "a reference table writable": (f"grant update on divisions to {APP_ROLE}", "参考表 divisions"),
    "a table to be emptied": (f"grant truncate on rosters to {APP_ROLE}", "rosters 的权利过大"),
    "a view of the owner": (
        f"create view all_rosters as select * from rosters; grant select on all_rosters to {APP_ROLE}",
        "视图 all_rosters 绕过",
    ),
    "a copy of scoped rows": (
        f"create materialized view kept as select * from rosters; grant select on kept to {APP_ROLE}",
        "视图 kept 绕过",
    ),
    "a way past a parent to its partition": (
        "create table parted (division_code text) partition by list (division_code);"
        f" create table part partition of parted default; grant select on part to {APP_ROLE}",
        "对表 part 的权利过大",
    ),
    "an open search path": (
        "create function open_path() returns bigint language sql security definer as 'select 1::bigint'",
        "函数 open_path() 没有固定 search_path",
    ),
    "the application owns a table": (f"alter table rosters owner to {APP_ROLE}", "拥有表、函数或模式"),
    "the application may build": (f"grant create on schema public to {APP_ROLE}", "可以在 public 模式中建对象"),
    "the application bypasses": (f"alter role {APP_ROLE} bypassrls", "可以绕过行级策略"),
    "the application is superuser": (f"alter role {APP_ROLE} superuser", "是超级用户"),
    "the application makes roles": (f"alter role {APP_ROLE} createrole", "可以建库或建角色"),
    "the application belongs to a stronger role": (f"grant pg_read_all_data to {APP_ROLE}", "属于别的角色"),
}


def spoil(owner: Owner, statements: str) -> None:
    with owner() as session:
        session.connection().exec_driver_sql(statements)


def told() -> str:
    """Return what the start-up check says."""
    with pytest.raises(NotSafe) as refusal:
        require_safe()
    return str(refusal.value)


class TestStartUp:
    def test_a_database_as_migrated_is_safe(self, database: str):
        require_safe()
        assert [finding.text for finding in findings(deploy=False) if not finding.good] == []

    def test_each_hole_is_told(self, session: Session):
        missed = {}
        for name, (statements, expected) in FAULTS.items():
            session.connection().exec_driver_sql(statements)
            session.execute(sa.text(f"set local role {APP_ROLE}"))
            found = faults(session)
            if not any(expected in fault for fault in found):
                missed[name] = found
            session.rollback()
        assert missed == {}

    def test_the_owners_address_for_the_application_stops_the_start(
        self, database: str, monkeypatch: pytest.MonkeyPatch
    ):
        monkeypatch.setenv("YIKATONG_APP_DATABASE_URL", database)
        settings.cache_clear()
        forget_engines()
        assert f"没有以 {APP_ROLE} 角色连接数据库" in told()

    def test_keys_that_the_database_does_not_know_stop_the_start(self, owner: Owner):
        spoil(owner, "update ticket_keys set key = '\\x00'")
        assert "凭证密钥与密钥文件不一致" in told()

    def test_neither_web_nor_worker_starts(self, owner: Owner):
        spoil(owner, "drop policy scope_select on rosters")

        async def web() -> None:
            app = create_app()
            async with app.router.lifespan_context(app):
                raise AssertionError("it started")

        for start in (lambda: asyncio.run(web()), jobs.app.main):
            with pytest.raises(NotSafe, match="缺少策略 scope_select"):
                start()

    def test_the_check_names_every_fault(self, owner: Owner):
        spoil(owner, "drop policy scope_select on rosters; drop policy scope_insert on notices")
        texts = [finding.text for finding in findings(deploy=False) if not finding.good]
        assert texts == ["表 notices 缺少策略 scope_insert；表 rosters 缺少策略 scope_select"]


def test_the_checks_reads_only_what_the_application_may_read(database: str, as_: Callable[..., Any]):
    with as_(None) as session:
        session.execute(sa.text("set transaction read only"))
        assert faults(session) == []
