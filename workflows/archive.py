"""The oldest records leave the database for a signed file; the chain goes on from a closing link. （第二十三条）

Only whole links from the beginning go, only up to a signed anchor, and nothing younger than the retention: first the
file is written and read again, then the owner's one function takes the records out.
"""

import gzip
import json
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlmodel import Session

from models.settings import settings
from policies.clock import ZONE
from policies.refusals import Refused
from workflows.anchors import Anchor, genuine, sign

LINKS_AT_ONCE = 500


class TooYoung(Refused):
    """{before} 之后的记录还在保存期内：办理和变更记录至少保存 {days} 天，最晚可归档到 {latest}（第二十三条）。"""


class ArchiveBroken(Refused):
    """归档文件 {file} {problem}（第二十三条）。"""


@dataclass(frozen=True)
class Archived:
    """What became of one county's oldest links: the file and its records, or why nothing went."""

    county_code: str
    records: int = 0
    file: Path | None = None
    reason: str = ""


LAST_OLD = """
with young as (
    select l.county_code, min(l.sequence) as sequence
    from event_links l cross join lateral unnest(l.record_ids) i (id)
    left join events e on e.county_code = l.county_code and e.id = i.id
    left join changes c on c.county_code = l.county_code and c.id = i.id
    where coalesce(e.recorded_at, c.recorded_at) >= :before group by l.county_code
)
select h.county_code, coalesce(max(a.last_sequence), 0) + 1 as first,
    coalesce(min(y.sequence) - 1, min(h.sequence)) as last
from event_heads h left join event_archives a using (county_code) left join young y using (county_code)
group by h.county_code order by h.county_code
"""


def archive(session: Session, before: date, anchors: list[Anchor], folder: Path) -> list[Archived]:
    """Write each county's links from before that day into a file and take them out; as the owner. （第二十三条）

    Raises TooYoung.
    """
    now: datetime = session.execute(sa.text("select clock_timestamp()")).scalar_one()
    days = settings().audit_days
    latest = (now - timedelta(days=days)).astimezone(ZONE).date()
    if before > latest:
        raise TooYoung(before=before, days=days, latest=latest)
    moment = datetime(before.year, before.month, before.day, tzinfo=ZONE)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    rows = session.execute(sa.text(LAST_OLD), {"before": moment}).all()
    return [_archived(session, row.county_code, row.first, row.last, anchors, folder, now) for row in rows]


def _archived(
    session: Session, county: str, first: int, last: int, anchors: list[Anchor], folder: Path, now: datetime
) -> Archived:
    mine = [a for a in anchors if a.county == county and first <= a.count <= last]
    asked = sa.text(
        "select sequence, encode(hash, 'hex') from event_links where county_code = :county and sequence = any (:counts)"
    )
    rows = session.execute(asked, {"county": county, "counts": [a.count for a in mine]})
    held: dict[int, str] = dict(rows.tuples().all())
    signed = [a for a in mine if held.get(a.count) == a.hash]
    if not signed:
        return Archived(county, reason="没有到期的记录，或到期的记录还没有锚点")
    end = max(signed, key=lambda anchor: anchor.count)
    file = folder / f"{county}-{first}-{end.count}.jsonl.gz"
    digest = _write(session, file, county, first, end, now)
    check(session, file)
    gone = session.execute(
        sa.text("select archive_records(:county, :last, :file, :digest, :days)"),
        {"county": county, "last": end.count, "file": file.name, "digest": digest, "days": settings().audit_days},
    ).scalar_one()
    return Archived(county, gone, file)


LINKS = """
select l.sequence, encode(l.hash, 'hex') as hash, array(
    select r.row::text from (
        select e.id, jsonb_build_object('kind', 'event', 'row', to_jsonb(e)) as row from events e
        where e.county_code = l.county_code and e.id = any (l.record_ids)
        union all
        select c.id, jsonb_build_object('kind', 'change', 'row', to_jsonb(c)) from changes c
        where c.county_code = l.county_code and c.id = any (l.record_ids)
    ) r order by r.id) as records
from event_links l where l.county_code = :county and l.sequence between :first and :last order by l.sequence
"""


def _write(session: Session, file: Path, county: str, first: int, end: Anchor, now: datetime) -> bytes:
    """Write the file: a head, one line per link with its records, the signature; return the whole file's digest."""
    before = session.execute(
        sa.text("select encode(hash, 'hex') from event_archives where county_code = :county and last_sequence = :last"),
        {"county": county, "last": first - 1},
    ).scalar_one_or_none()
    head = {
        "county": county, "first": first, "last": end.count, "previous": before or "00", "hash": end.hash,
        "archived_at": now.astimezone(ZONE).isoformat(),
    }  # fmt: skip
    body = sha256()
    found = session.execute(
        sa.text(LINKS).execution_options(yield_per=LINKS_AT_ONCE), {"county": county, "first": first, "last": end.count}
    )
    with file.open("wb") as raw, gzip.GzipFile(filename="", fileobj=raw, mode="wb", mtime=0) as packed:
        for line in (json.dumps(head), *(_line(row) for row in found)):
            content = line.encode() + b"\n"
            body.update(content)
            packed.write(content)
        packed.write(json.dumps({"signature": sign(body.digest())}).encode() + b"\n")
    return sha256(file.read_bytes()).digest()


def _line(row: Any) -> str:
    """Return a link as its line: the records as PostgreSQL wrote them, for no number may lose a digit on the way."""
    return f'{{"link": {row.sequence}, "hash": "{row.hash}", "records": [{", ".join(row.records)}]}}'


def lines(file: Path, key: str = "") -> list[str]:
    """Return an archive's head and links once its signature has been proven. Raises ArchiveBroken."""
    try:
        with gzip.open(file) as packed:
            whole = packed.read().splitlines(keepends=True)
        signature = str(json.loads(whole.pop())["signature"])
    except (OSError, EOFError, ValueError, KeyError, IndexError) as broken:
        raise ArchiveBroken(file=file.name, problem="无法读取") from broken
    if not genuine(sha256(b"".join(whole)).digest(), signature, key):
        raise ArchiveBroken(file=file.name, problem="签名不符")
    return [line.decode() for line in whole]


DIGESTS = """
select string_agg(case l.record ->> 'kind' when 'event'
    then record_digest(jsonb_populate_record(null::events, l.record -> 'row'))
    else record_digest(jsonb_populate_record(null::changes, l.record -> 'row')) end, '' order by l.place) as digests
from unnest(cast(:links as text[])) with ordinality as k (link, number)
cross join lateral jsonb_array_elements(cast(k.link as jsonb) -> 'records') with ordinality as l (record, place)
group by k.number order by k.number
"""


def check(session: Session, file: Path, key: str = "") -> int:
    """Recompute an archive's chain from its records; return how many they are. （第二十三条） Raises ArchiveBroken.

    Where the database holds the file's closing link, digest and last hash must be the ones it keeps.
    """
    first, *links = lines(file, key)
    head = json.loads(first)
    closing = session.execute(
        sa.text("select encode(hash, 'hex') as hash, file_digest from event_archives"
                " where county_code = :county and last_sequence = :last"),
        {"county": head["county"], "last": head["last"]},
    ).one_or_none()  # fmt: skip
    if closing and (closing.hash != head["hash"] or bytes(closing.file_digest) != sha256(file.read_bytes()).digest()):
        raise ArchiveBroken(file=file.name, problem="与库中的归档环不符")
    previous, count = bytes.fromhex(head["previous"]), 0
    for start in range(0, len(links), LINKS_AT_ONCE):
        some = links[start : start + LINKS_AT_ONCE]
        digests = session.execute(sa.text(DIGESTS), {"links": some}).scalars().all()
        for line, digest in zip(some, digests, strict=True):
            link = json.loads(line)
            previous = sha256(previous + bytes(digest)).digest()
            if previous.hex() != link["hash"]:
                raise ArchiveBroken(file=file.name, problem=f"第 {link['link']} 环的记录被改动")
            count += len(link["records"])
    if previous.hex() != head["hash"]:
        raise ArchiveBroken(file=file.name, problem="末环与文件头不符")
    return count
