"""What PostgreSQL must have before a row is shown: policies, rights, roles, compared with the models. （第三十条）

Web and worker ask before they start, `yikatong check` tells, the catalogue's test proves. Everything is read from the
catalogue by the application's own role: what it can't see of itself, nobody else could tell it.
"""

import importlib
import pkgutil
from collections.abc import Iterator

import sqlalchemy as sa
from sqlmodel import Session

import models
from models.base import REGION_CODE, RowScope, Table
from models.database import transaction
from models.divisions import Level
from models.officers import system_principal
from models.settings import APP_ROLE
from policies.refusals import Refused

SECTORED = frozenset((
    "application_batches", "application_results", "applications", "qualification_lines", "qualification_notices",
    "qualification_objections", "qualifications", "roster_generations",
    "allocation_plans", "catalogue_tasks", "policy_documents", "project_changes", "project_standards",
    "project_versions",
    "bank_batches", "disbursements", "events", "failures", "import_rows", "jobs", "notices", "objections",
    "payment_orders", "project_flows", "refunds", "result_exceptions", "roster_imports", "roster_lines",
    "roster_substeps", "roster_warnings", "rosters", "subsidy_projects",
))  # fmt: skip
"""Tables of which a department, or a post with a sector of its own, sees its sector only."""
SECTOR_OF_ITSELF = frozenset(("annual_list_items", "organisations", "posts", "project_exceptions", "publications"))
"""Tables whose `sector` says what the row is, not who may see it."""
OWN = {
    "posts": ("own_select",),
    "delegations": ("own_insert", "own_select", "own_update"),
    "events": ("own_insert",),
    "virtual_members": ("own_select",),
}
"""Policies beside the range: an officer's own posts and delegations, wherever they are; references to one's people."""
FLOWING = frozenset(("subsidy_projects", "organisations", "officers"))
"""Owners of ids that flow downward: a plain foreign key to them is proven by `flows_to`."""
VERBS = ("delete", "insert", "select", "update")
SEARCH_PATH = ["search_path=pg_catalog, public, pg_temp"]


class NotSafe(Refused):
    """行级权限不完整，系统没有启动：{faults}。请执行 yikatong migrate 后用 yikatong check 核对（第三十条）。"""


def declared() -> dict[str, type[Table]]:
    """Return every table that the models declare, by name."""
    for module in pkgutil.iter_modules(models.__path__):
        importlib.import_module(f"models.{module.name}")
    found: dict[str, type[Table]] = {}
    waiting = list(Table.__subclasses__())
    while waiting:
        model = waiting.pop()
        waiting += model.__subclasses__()
        if hasattr(model, "__table__"):
            found[str(model.__tablename__)] = model
    return found


def flows(table: sa.Table) -> list[str]:
    """Return the columns of a table whose id flows down from above and is proven by a policy."""
    plain = [
        element.parent.name
        for link in table.foreign_key_constraints
        if len(link.elements) == 1
        for element in link.elements
        if element.column.table.name in FLOWING
    ]
    return sorted(set(plain))


def expected_policies(model: type[Table]) -> set[tuple[str, str]]:
    """Return the policies a table must have: name, and whether it widens or narrows."""
    if model.__row_scope__ not in (RowScope.RANGE, RowScope.DOWNWARD):
        return set()
    table: sa.Table = model.__table__  # type: ignore[attr-defined]
    found = {(f"scope_{verb}", "PERMISSIVE") for verb in VERBS}
    found |= {(name, "PERMISSIVE") for name in OWN.get(table.name, ())}
    found |= {(f"flow_{column}", "RESTRICTIVE") for column in flows(table)}
    return found | ({("sector_scope", "RESTRICTIVE")} if table.name in SECTORED else set())


def require_safe() -> None:
    """Let this process start only on a database whose row scope is whole. Raises NotSafe."""
    with transaction(None) as session:
        found = faults(session)
    if found:
        raise NotSafe(faults="；".join(found[:5]) + (f"等 {len(found)} 项" if len(found) > 5 else ""))
    with transaction(system_principal(REGION_CODE, Level.REGION, "启动检查")) as session:
        if session.execute(sa.text("select ticket() is null")).scalar_one():
            raise NotSafe(faults="数据库里的凭证密钥与密钥文件不一致")


def faults(session: Session) -> list[str]:
    """Return what is wrong with roles, policies, rights, views and functions; empty when all is as it must be."""
    return [*_role(session), *_policies(session), *_rights(session), *_ways_round(session)]


def _role(session: Session) -> Iterator[str]:
    row = session.execute(
        sa.text(
            "select current_user as name, r.rolsuper, r.rolbypassrls, r.rolcreatedb or r.rolcreaterole as creates,"
            " exists (select from pg_auth_members m where m.member = r.oid) as member,"
            " has_schema_privilege('public', 'create') as builds,"
            " exists (select from pg_class c where c.relowner = r.oid and c.relpersistence <> 't')"
            " or exists (select from pg_proc p where p.proowner = r.oid)"
            " or exists (select from pg_namespace n where n.nspowner = r.oid and n.nspname !~ '^pg_t') as owns"
            " from pg_roles r where r.rolname = current_user"
        )
    ).one()
    told = (
        (row.name != APP_ROLE, f"应用没有以 {APP_ROLE} 角色连接数据库（当前 {row.name}）"),
        (row.rolsuper, f"角色 {row.name} 是超级用户"),
        (row.rolbypassrls, f"角色 {row.name} 可以绕过行级策略（BYPASSRLS）"),
        (row.creates, f"角色 {row.name} 可以建库或建角色"),
        (row.member, f"角色 {row.name} 属于别的角色"),
        (row.builds, f"角色 {row.name} 可以在 public 模式中建对象"),
        (row.owns, f"角色 {row.name} 拥有表、函数或模式"),
    )
    yield from (text for wrong, text in told if wrong)


def _policies(session: Session) -> Iterator[str]:
    rows = session.execute(
        sa.text(
            "select c.relname, c.relrowsecurity, exists (select from pg_attribute a where a.attrelid = c.oid"
            " and a.attname = 'division_code' and not a.attisdropped) as divided from pg_class c"
            " where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition"
            " and c.relname not like 'procrastinate%' and c.relname <> 'alembic_version' order by c.relname"
        )
    ).all()
    found = _found_policies(session)
    known = declared()
    for row in rows:
        model = known.get(row.relname)
        if model is None:
            yield f"表 {row.relname} 没有在模型中登记"
            continue
        scoped = model.__row_scope__ in (RowScope.RANGE, RowScope.DOWNWARD)
        if row.divided and not scoped and model.__row_scope__ != RowScope.CLOSED:
            yield f"表 {row.relname} 有区划而没有行级策略"
        if scoped and not row.relrowsecurity:
            yield f"表 {row.relname} 没有启用行级策略"
        yield from _differences(row.relname, expected_policies(model), found.get(row.relname, {}))
    yield from (f"表 {name} 不存在" for name in sorted(known.keys() - {row.relname for row in rows}))


def _found_policies(session: Session) -> dict[str, dict[tuple[str, str], str]]:
    rows = session.execute(
        sa.text(
            "select tablename, policyname, permissive, roles = array[cast(:role as name)] as ours, cmd,"
            " coalesce(qual, '') || ' ' || coalesce(with_check, '') as said from pg_policies"
            " where schemaname = 'public'"
        ),
        {"role": APP_ROLE},
    )
    found: dict[str, dict[tuple[str, str], str]] = {}
    for row in rows:
        said = row.said if row.ours else "不限角色"
        found.setdefault(row.tablename, {})[row.policyname, row.permissive] = said
    return found


def _differences(table: str, expected: set[tuple[str, str]], found: dict[tuple[str, str], str]) -> Iterator[str]:
    yield from (f"表 {table} 缺少策略 {name}" for name, _ in sorted(expected - found.keys()))
    yield from (f"表 {table} 有未登记的策略 {name}" for name, _ in sorted(found.keys() - expected))
    for name, kind in sorted(expected & found.keys()):
        proof = "flows_to(" if name.startswith("flow_") else "claims()" if kind == "RESTRICTIVE" else "ticket()"
        if proof not in found[name, kind]:
            yield f"表 {table} 的策略 {name} 不核对凭证"


def _rights(session: Session) -> Iterator[str]:
    known = declared()
    rows = session.execute(
        sa.text(
            "select c.relname, c.relispartition, has_table_privilege(c.oid, 'select') as reads,"
            " has_table_privilege(c.oid, 'insert, update, delete') as writes,"
            " has_table_privilege(c.oid, 'truncate, references, trigger') as more from pg_class c"
            " where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p')"
            " and c.relname not like 'procrastinate%'"
        )
    )
    for row in rows:
        scope = known[row.relname].__row_scope__ if row.relname in known else RowScope.CLOSED
        if row.more or (row.relispartition and (row.reads or row.writes)):
            yield f"应用角色对表 {row.relname} 的权利过大"
        elif scope == RowScope.CLOSED and (row.reads or row.writes):
            yield f"封闭的表 {row.relname} 应用角色可以读写"
        elif scope == RowScope.REFERENCE and row.writes:
            yield f"参考表 {row.relname} 应用角色可以改写"


def _ways_round(session: Session) -> Iterator[str]:
    """Find views that read as their owner, materialised copies, and functions of the owner with an open path."""
    views = session.execute(
        sa.text(
            "select c.relname from pg_class c where c.relnamespace = 'public'::regnamespace"
            " and has_table_privilege(c.oid, 'select') and (c.relkind in ('m', 'f') or c.relkind = 'v'"
            " and not coalesce(c.reloptions, '{}') && array['security_invoker=true', 'security_invoker=on'])"
        )
    ).scalars()
    yield from (f"视图 {name} 绕过行级策略" for name in views)
    functions = session.execute(
        sa.text(
            "select p.oid::regprocedure::text from pg_proc p where p.pronamespace = 'public'::regnamespace"
            " and p.prosecdef and p.proconfig is distinct from cast(:path as text[])"
        ),
        {"path": SEARCH_PATH},
    ).scalars()
    yield from (f"函数 {name} 没有固定 search_path" for name in functions)
