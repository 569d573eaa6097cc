"""Checking the hash chains of all records: nothing changed, removed, slipped in, cut off or recomputed. （第二十三条）

Three nets: each link is recomputed from its predecessor as stored; signed anchors outside the database hold the heads
that were; and what the trail of every table adds up to must be what the table holds, so that a change made while the
triggers slept is found after they have been woken again.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import sqlalchemy as sa
from sqlmodel import Session

from models.base import Table
from models.trail import TOLD_BY_EVENTS, UNWATCHED
from workflows.anchors import Anchor

CHAIN = """
with records as materialized (
    select county_code, id, record_digest(e) as digest from events e
    union all select county_code, id, record_digest(c) from changes c
),
begun as (
    select distinct on (county_code) county_code, last_sequence, hash from event_archives
    order by county_code, last_sequence desc
),
members as (
    select l.county_code, l.sequence, u.id from event_links l cross join lateral unnest(l.record_ids) u (id)
),
told as (
    select m.county_code, m.sequence, string_agg(r.digest, '' order by m.id) as digests, min(m.id) as first,
        count(*) as many, min(m.id) filter (where r.id is null) as missing
    from members m left join records r on r.county_code = m.county_code and r.id = m.id
    group by m.county_code, m.sequence
),
chained as (
    select l.county_code, l.sequence, l.hash, coalesce(b.last_sequence, 0) + row_number() over chain as place,
        lag(l.hash, 1, coalesce(b.hash, '\\x00'::bytea)) over chain as previous
    from event_links l left join begun b using (county_code)
    window chain as (partition by l.county_code order by l.sequence)
),
judged as (
    select c.county_code, c.sequence, coalesce(t.missing, t.first) as record_id, t.many,
        case when c.sequence <> c.place then 'gap'
            when t.missing is not null or t.many is null then 'missing'
            when sha256(c.previous || t.digests) is distinct from c.hash then 'changed' end as fault
    from chained c left join told t using (county_code, sequence)
),
broken as (
    select distinct on (county_code) county_code, sequence, record_id, many, fault from judged where fault is not null
    order by county_code, sequence
),
tail as (
    select h.county_code, coalesce(l.sequence, b.last_sequence, 0) as last,
        coalesce(l.sequence, b.last_sequence, 0) <> h.sequence
            or coalesce(l.hash, b.hash, '\\x00') is distinct from h.hash as differs
    from event_heads h left join begun b using (county_code) left join lateral (
        select sequence, hash from event_links l where l.county_code = h.county_code order by sequence desc limit 1
    ) l on true
),
strays as (
    select r.county_code, min(r.id) as record_id from records r
    where not exists (select from members m where m.county_code = r.county_code and m.id = r.id)
    group by r.county_code
)
select county_code, d.name as county, coalesce(t.last, 0) as links, b.sequence, b.record_id, b.many, b.fault,
    coalesce(t.differs, true) as differs, s.record_id as stray
from (select county_code from records union select county_code from event_links
      union select county_code from event_heads) counties
left join tail t using (county_code) left join broken b using (county_code) left join strays s using (county_code)
left join divisions d on d.code = counties.county_code
where cast(:county as text) is null or county_code = :county
order by county_code
"""
"""One statement: every link is recomputed from its predecessor as stored, so the first broken one is named."""

FAULTS = {
    "gap": "链条在第 {sequence} 环之前缺失",
    "missing": "第 {sequence} 环的记录（编号 {event_id}）被删除",
    "changed": "第 {sequence} 环的记录（自编号 {event_id} 起 {many} 条）被改动",
    "head": "链头与最后一环（第 {sequence} 环）不符，末尾可能被截断",
    "stray": "记录（编号 {event_id}）没有上链",
    "recomputed": "自第 {sequence} 环起与链外锚点不符：链条被重算过",
    "cut": "链外锚点记有 {many} 环，库中只到第 {sequence} 环：末尾被截断",
    "silent": "{table}的{what}与变更记录相差 {many}：有变更没有留痕",
}


@dataclass(frozen=True)
class Chain:
    """What was found of one county's chain: how many links, and the first fault, "" for none."""

    county_code: str
    county: str
    links: int
    fault: str = ""
    sequence: int = 0
    event_id: int = 0
    many: int = 0
    table: str = ""
    what: str = ""
    unanchored: int = 0
    """Links after the last signed anchor: whole, but vouched for by the database alone."""

    @property
    def whole(self) -> bool:
        """Tell whether nothing is wrong."""
        return not self.fault

    @property
    def finding(self) -> str:
        """Say in Chinese what was found."""
        if self.fault:
            return FAULTS[self.fault].format(**vars(self))
        return f"完整，其中 {self.unanchored} 环尚未锚定" if self.unanchored else "完整"


def verify(session: Session, county_code: str | None = None, anchors: Sequence[Anchor] | None = None) -> list[Chain]:
    """Check the chains of all counties in scope (or one) and name each one's first broken link. （第二十三条）

    anchors: the signed heads from outside the database; without them a chain that its owner has recomputed as a whole
    agrees with itself.
    """
    rows = session.execute(sa.text(CHAIN), {"county": county_code}).all()
    chains = {row.county_code: _judge(row) for row in rows}
    if anchors is not None:
        chains = _anchored(session, chains, [a for a in anchors if county_code in (None, a.county)])
    for silent in _silent(session):
        code = silent.county_code
        if code in chains and chains[code].whole:
            chains[code] = replace(silent, county=chains[code].county, links=chains[code].links)
    return [chains[code] for code in sorted(chains)]


def _judge(row: "sa.Row[tuple[object, ...]]") -> Chain:
    code, county, links, sequence, record_id, many, fault, differs, stray = row
    found = Chain(str(code), str(county or code), int(str(links)))
    if fault:
        return replace(found, fault=str(fault), sequence=sequence, event_id=record_id or 0, many=many or 0)
    if differs:
        return replace(found, fault="head", sequence=found.links)
    if stray is not None:
        return replace(found, fault="stray", event_id=stray)
    return found


LINKS_AT = """
select a.county_code, a.sequence, coalesce(l.hash, r.hash) as hash, coalesce(a.sequence < b.last, false) as archived
from unnest(cast(:counties as text[]), cast(:sequences as bigint[])) as a (county_code, sequence)
left join event_links l on l.county_code = a.county_code and l.sequence = a.sequence
left join event_archives r on r.county_code = a.county_code and r.last_sequence = a.sequence
left join (select county_code, max(last_sequence) as last from event_archives group by county_code) b
    on b.county_code = a.county_code
"""


def _anchored(session: Session, chains: dict[str, Chain], anchors: Sequence[Anchor]) -> dict[str, Chain]:
    """Compare the chains with their anchors, the lowest first; what stands after the last one is unanchored."""
    asked = {"counties": [a.county for a in anchors], "sequences": [a.count for a in anchors]}
    links: dict[tuple[str, int], tuple[bytes | None, bool]] = {
        (row.county_code, row.sequence): (row.hash, row.archived) for row in session.execute(sa.text(LINKS_AT), asked)
    }
    judged = dict(chains)
    for code in {*chains, *(a.county for a in anchors)}:
        own = sorted((a for a in anchors if a.county == code), key=lambda anchor: anchor.count)
        chain = judged.get(code, Chain(code, code, 0))
        good, fault = 0, None
        for anchor in own:
            stored, archived = links[code, anchor.count]
            if stored is None and archived:
                continue
            if stored is None:
                fault = replace(chain, fault="cut", sequence=chain.links, many=anchor.count)
            elif bytes(stored).hex() != anchor.hash:
                fault = replace(chain, fault="recomputed", sequence=good + 1)
            if fault:
                break
            good = anchor.count
        if fault and (chain.whole or fault.sequence <= chain.sequence or chain.fault in ("stray", "head")):
            chain = fault
        judged[code] = replace(chain, unanchored=max(chain.links - good, 0))
    return judged


RECORDED = """
select county_code, table_name, name, sum(amount) as amount from (
    select c.county_code, c.table_name, a.key as name, cast(a.value as numeric) as amount
    from changes c cross join lateral jsonb_each_text(c.after) a
    union all
    select c.county_code, c.table_name, b.key, -cast(b.value as numeric)
    from changes c cross join lateral jsonb_each_text(c.before) b
    union all
    select r.county_code, t.key, s.key, cast(s.value as numeric)
    from event_archives r cross join lateral jsonb_each(r.sums) t cross join lateral jsonb_each_text(t.value) s
) told group by county_code, table_name, name
"""


def watched_tables() -> dict[str, sa.Table]:
    """Return the tables whose changes leave a trail from their first row on."""
    left_out = {*UNWATCHED, *TOLD_BY_EVENTS}
    return {name: table for name, table in Table.metadata.tables.items() if name not in left_out}


def _held(table: sa.Table) -> str:
    """Return the question what a table holds now, by county: rows and fen."""
    place = "trail_county(division_code)" if "division_code" in table.columns else "cast('150000000000' as text)"
    fen = sorted(column.name for column in table.columns if column.name.endswith("_fen"))
    names = ", ".join(f"'{name}'" for name in ["rows", *fen])
    amounts = ", ".join(["cast(count(*) as numeric)", *(f"coalesce(sum({name}), 0)" for name in fen)])
    return (
        f"select h.county_code, '{table.name}' as table_name, v.name, v.amount"  # noqa: S608 - as above
        f" from (select {place} as county_code, array[{amounts}] as amounts from {table.name} group by 1) h"
        f" cross join lateral unnest(array[{names}], h.amounts) as v (name, amount)"
    )


def _silent(session: Session) -> list[Chain]:
    """Find what no trail tells of: a table of a county holds other rows or sums than its changes add up to."""
    asked = sa.text("select t from unnest(cast(:names as text[])) t where has_table_privilege(t, 'select')")
    readable = session.execute(asked, {"names": sorted(watched_tables())}).scalars()
    tables = {name: watched_tables()[name] for name in readable}
    held = " union all ".join(_held(table) for table in tables.values())
    question = (
        f"with held as ({held}), recorded as ({RECORDED})"  # noqa: S608 - names of our own tables and columns
        " select county_code, table_name, name, coalesce(h.amount, 0) - coalesce(r.amount, 0) as gap"
        " from held h full join recorded r using (county_code, table_name, name)"
        " where table_name = any (:names) and coalesce(h.amount, 0) <> coalesce(r.amount, 0)"
        " order by county_code, table_name, name <> 'rows', name"
    )
    rows = session.execute(sa.text(question), {"names": list(tables)})
    return [
        Chain(row.county_code, row.county_code, 0, "silent", table=_title(row.table_name),
              what=_what(tables[row.table_name], row.name), many=int(row.gap))
        for row in rows
    ]  # fmt: skip


def _title(table: str) -> str:
    model = models_by_table().get(table)
    return model.__title__ if model else table


def _what(table: sa.Table, name: str) -> str:
    return "行数" if name == "rows" else str(table.columns[name].info["title"])


def models_by_table() -> dict[str, type[Table]]:
    """Return the models by their tables' names."""
    found: dict[str, type[Table]] = {}
    waiting = list(Table.__subclasses__())
    while waiting:
        model = waiting.pop()
        waiting += model.__subclasses__()
        if hasattr(model, "__table__"):
            found[str(model.__tablename__)] = model
    return found


GUARDS = """
select t.name, wanted.trigger from unnest(cast(:tables as text[])) t (name)
cross join lateral (
    select 'trail_' || operation as trigger from unnest(case when t.name = any (:told)
        then array['update', 'delete', 'truncate'] else array['insert', 'update', 'delete', 'truncate'] end) operation
    union all select unnest(case when t.name = any (:written_once) then array['append_only_truncate'] end)
    union all select unnest(case when t.name in ('events', 'changes')
        then array[t.name || '_linked', t.name || '_append_only'] end)
) wanted
where wanted.trigger not like 'trail%' or t.name = any (:watched)
except
select c.relname, g.tgname from pg_trigger g join pg_class c on c.oid = g.tgrelid
where g.tgenabled in ('O', 'A') and not g.tgisinternal
order by 1, 2
"""
WRITTEN_ONCE = ("changes", "desk_holders", "event_archives", "event_heads", "event_links", "events", "refusals")


def sleeping_guards(session: Session) -> list[str]:
    """Return what of the triggers is missing or switched off, as table.trigger. （第二十三条）"""
    watched = [*watched_tables(), *TOLD_BY_EVENTS]
    rows = session.execute(
        sa.text(GUARDS),
        {
            "tables": sorted({*watched, *WRITTEN_ONCE}),
            "watched": watched,
            "told": list(TOLD_BY_EVENTS),
            "written_once": list(WRITTEN_ONCE),
        },
    )
    return [f"{table}.{trigger}" for table, trigger in rows.tuples()]
