"""Checking the hash chain of events: nothing changed, nothing removed, nothing slipped in. （第二十三条）"""

from dataclasses import dataclass

import sqlalchemy as sa
from sqlmodel import Session

CHAIN = """
with chained as (
    select county_code, sequence, event_id, hash, row_number() over chain as place,
        lag(hash, 1, '\\x00'::bytea) over chain as previous
    from event_links window chain as (partition by county_code order by sequence)
),
judged as (
    select c.county_code, c.sequence, c.event_id,
        case when c.sequence <> c.place then 'gap'
            when e.id is null then 'missing'
            when event_digest(c.previous, e) is distinct from c.hash then 'changed' end as fault
    from chained c left join events e on e.county_code = c.county_code and e.id = c.event_id
),
broken as (
    select distinct on (county_code) county_code, sequence, event_id, fault from judged where fault is not null
    order by county_code, sequence
),
tail as (
    select h.county_code, l.sequence as last, h.sequence as said,
        l.sequence is distinct from h.sequence or l.hash is distinct from h.hash as differs
    from event_heads h left join lateral (
        select sequence, hash from event_links l where l.county_code = h.county_code order by sequence desc limit 1
    ) l on true
),
strays as (
    select e.county_code, min(e.id) as event_id from events e
    where not exists (select from event_links l where l.county_code = e.county_code and l.event_id = e.id)
    group by e.county_code
)
select county_code, d.name as county, coalesce(t.last, 0) as links, b.sequence, b.event_id, b.fault,
    coalesce(t.differs, true) as differs, s.event_id as stray
from (select distinct county_code from events union select county_code from event_links
      union select county_code from event_heads) counties
left join tail t using (county_code) left join broken b using (county_code) left join strays s using (county_code)
left join divisions d on d.code = counties.county_code
order by county_code
"""
"""One statement: every link is recomputed from its predecessor as stored, so the first broken one is named."""

FAULTS = {
    "gap": "链条在第 {sequence} 环之前缺失",
    "missing": "第 {sequence} 环的办理记录（编号 {event_id}）被删除",
    "changed": "第 {sequence} 环的办理记录（编号 {event_id}）被改动",
    "head": "链头与最后一环（第 {sequence} 环）不符，末尾可能被截断",
    "stray": "办理记录（编号 {event_id}）没有上链",
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

    @property
    def whole(self) -> bool:
        """Tell whether nothing is wrong."""
        return not self.fault

    @property
    def finding(self) -> str:
        """Say in Chinese what was found."""
        if self.whole:
            return "完整"
        return FAULTS[self.fault].format(sequence=self.sequence, event_id=self.event_id)


def verify(session: Session, county_code: str | None = None) -> list[Chain]:
    """Recompute the chains of all counties in scope (or one) and name each one's first broken link. （第二十三条）

    A chain that the owner of the database has recomputed as a whole agrees with itself: only figures kept elsewhere
    (a printed head, a copy) would tell.
    """
    rows = session.execute(sa.text(CHAIN)).all()
    return [_judge(row) for row in rows if county_code in (None, row.county_code)]


def _judge(row: sa.Row[tuple[object, ...]]) -> Chain:
    code, county, links, sequence, event_id, fault, differs, stray = row
    found = {"county_code": code, "county": county or code, "links": links}
    if fault:
        return Chain(**found, fault=fault, sequence=sequence, event_id=event_id)
    if differs:
        return Chain(**found, fault="head", sequence=links)
    if stray is not None:
        return Chain(**found, fault="stray", event_id=stray)
    return Chain(**found)
