"""The staged rows of a registry import: encrypted, written by COPY chunk by chunk, purged at the end. （第三十条）

`COPY FROM` into a table under row policies is refused for the application's role, so rows go into a temporary table
and from there, under the policies, into `registry_import_rows` (DESIGN D2).
"""

from collections.abc import Iterator
from datetime import date, datetime
from typing import Any

import psycopg
import sqlalchemy as sa
from sqlmodel import Session

from models.crypto import ring
from models.registry_imports import ImportSubject, RegistryImport
from policies.identities import name_key
from reports.sheets.registry import Chunk

TEXT, BYTES, NUMBER, DAY = "text", "bytea", "int4", "date"
PLACE = {"file_number": NUMBER, "row_number": NUMBER}
HOME = {"household_number": TEXT, "head_index": BYTES}
PERSON = {
    "village": TEXT, "group_name": TEXT, "address": TEXT, "hukou_kind": TEXT, "name": TEXT, "name_key": TEXT,
    "id_number": BYTES, "id_index": BYTES, "birth_date": DAY, "sex": TEXT, "relation": TEXT, "ethnicity": TEXT,
    "phone": BYTES, "phone_index": BYTES,
}  # fmt: skip
ASSET = {
    "asset_kind": TEXT, "quantity": "int8", "unit": TEXT, "as_of": DAY, "source": TEXT, "certificate_number": TEXT,
}  # fmt: skip
ACCOUNT = {"name": TEXT, "name_key": TEXT, "id_index": BYTES, "account_number": BYTES, "account_index": BYTES,
           "bank_name": TEXT}  # fmt: skip

COLUMNS = {
    ImportSubject.REGISTER: PLACE | HOME | PERSON,
    ImportSubject.HOUSEHOLDS: PLACE | HOME | PERSON,
    ImportSubject.MEMBERS: PLACE | HOME | PERSON,
    ImportSubject.ASSETS: PLACE | HOME | ASSET,
    ImportSubject.ACCOUNTS: PLACE | ACCOUNT,
}
"""What is staged of each kind of register, with PostgreSQL's types; a quantity in thousandths."""

TAKE_OVER = """
insert into registry_import_rows (division_code, import_id, {columns})
select :division, :import, {values} from registry_staging on conflict do nothing
"""

UPTO = sa.text(
    "select file_number, max(row_number) from registry_import_rows"
    " where division_code = :division and import_id = :import group by file_number"
)


def staged_upto(session: Session, record: RegistryImport) -> dict[int, int]:
    """Return the last row of each file that an earlier run has staged."""
    rows = session.execute(UPTO, {"division": record.division_code, "import": record.id})
    return {row[0]: row[1] for row in rows}


def stage(session: Session, record: RegistryImport, file_number: int, chunk: Chunk) -> None:
    """Encrypt a chunk's rows, COPY them to a temporary table, take them over under the row policies."""
    columns = COLUMNS[record.subject]
    declared = ", ".join(f"{name} {kind}" for name, kind in columns.items())
    session.execute(sa.text(f"create temporary table if not exists registry_staging ({declared}) on commit drop"))
    driver = session.connection().connection.driver_connection
    assert isinstance(driver, psycopg.Connection)
    with driver.cursor() as cursor, cursor.copy("copy registry_staging from stdin (format binary)") as copy:
        copy.set_types(list(columns.values()))
        for row in rows_of(record.subject, file_number, chunk):
            copy.write_row(row)
    taken = ", ".join(columns)
    values = taken.replace("quantity", "quantity / 1000.0")
    statement = TAKE_OVER.format(columns=taken, values=values)
    session.execute(sa.text(statement), {"division": record.division_code, "import": record.id})


def rows_of(subject: ImportSubject, file_number: int, chunk: Chunk) -> Iterator[tuple[Any, ...]]:
    """Return a chunk's usable rows, encrypted, in the order of COLUMNS."""
    match subject:
        case ImportSubject.ASSETS:
            return _assets(file_number, chunk)
        case ImportSubject.ACCOUNTS:
            return _accounts(file_number, chunk)
    return _people(subject, file_number, chunk)


def _people(subject: ImportSubject, file_number: int, chunk: Chunk) -> Iterator[tuple[Any, ...]]:
    keys = ring()
    seal, index = keys.seal, keys.index
    columns = chunk.columns
    blank = [""] * len(chunk.numbers)
    heads_only = subject == ImportSubject.HOUSEHOLDS
    # Whose household it is: the head's number; a sheet of heads says it by each row itself.
    heads = columns["id_number"] if heads_only else columns["head_id_number"]
    last_head, last_index = "", None
    told = zip(
        chunk.numbers, chunk.usable, columns["household_number"], heads, columns.get("village", blank),
        columns.get("group_name", blank), columns.get("address", blank), columns.get("hukou_kind", blank),
        columns["name"], columns["id_number"], ["02"] * len(blank) if heads_only else columns["relation"],
        columns["ethnicity"], columns["phone"], strict=True,
    )  # fmt: skip
    for (
        row, usable, number, head, village, group, address, hukou, name, identity, relation, ethnicity, phone,
    ) in told:  # fmt: skip
        if not usable:
            continue
        person = index("id", identity)
        if head != last_head:
            last_head, last_index = head, (person if head == identity else index("id", head)) if head else None
        yield (
            file_number, row, number, last_index, village, group, address, hukou, name, name_key(name), seal(identity),
            person, date(int(identity[6:10]), int(identity[10:12]), int(identity[12:14])),
            "1" if identity[16] in "13579" else "2", relation, ethnicity, seal(phone) if phone else None,
            index("phone", phone) if phone else None,
        )  # fmt: skip


def _assets(file_number: int, chunk: Chunk) -> Iterator[tuple[Any, ...]]:
    index, columns = ring().index, chunk.columns
    for place, row in enumerate(chunk.numbers):
        if chunk.usable[place]:
            head = columns["head_id_number"][place]
            yield (
                file_number, row, columns["household_number"][place], index("id", head) if head else None,
                columns["asset_kind"][place], columns["quantity"][place], columns["unit"][place],
                columns["as_of"][place], columns["source"][place], columns["certificate_number"][place],
            )  # fmt: skip


def _accounts(file_number: int, chunk: Chunk) -> Iterator[tuple[Any, ...]]:
    keys, columns = ring(), chunk.columns
    for place, row in enumerate(chunk.numbers):
        if chunk.usable[place]:
            name, card = columns["name"][place], columns["account_number"][place]
            yield (
                file_number, row, name, name_key(name), keys.index("id", columns["id_number"][place]),
                keys.seal(card), keys.index("account", card), columns["bank_name"][place],
            )  # fmt: skip


def purge(session: Session, record: RegistryImport) -> None:
    """Delete the staged rows: nothing of a person stays that the registry doesn't hold. （第三十条）"""
    session.execute(
        sa.text("delete from registry_import_rows where division_code = :division and import_id = :import"),
        {"division": record.division_code, "import": record.id},
    )


ABANDONED = """
with dead as (
    update registry_imports i set status = 'cancelled', message = '任务已结束，没有导入任何内容'
    where i.status in ('received', 'columns', 'checked', 'submitted') and (
        exists (select from registry_changes c where c.division_code = i.division_code and c.id = i.change_id
            and c.status = 'withdrawn')
        or i.status = 'received' and exists (select from jobs j where j.division_code = i.division_code
            and j.kind = 'check_registry' and j.arguments ->> 'import_id' = i.id::text
            and j.id = (select max(l.id) from jobs l where l.division_code = i.division_code
                and l.kind = 'check_registry' and l.arguments ->> 'import_id' = i.id::text)
            and j.status in ('failed', 'refused', 'cancelled'))
        or i.change_id is null and i.received_at < :expired)
    returning i.division_code, i.id
)
delete from registry_import_rows r using dead where r.division_code = dead.division_code and r.import_id = dead.id
"""


def clear_abandoned(session: Session, expired: datetime) -> int:
    """End the imports in scope that nobody will go on with, and purge their rows; return how many rows. （第三十条）

    expired: imports received before it that were never submitted are given up.
    """
    return int(session.execute(sa.text(ABANDONED), {"expired": expired}).rowcount)  # type: ignore[attr-defined]
