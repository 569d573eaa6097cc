"""What a checked import would change: counts, by village, the first differences masked. （第十一条）"""

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from sqlmodel import Session

from models.crypto import ring
from models.households import AssetKind, HukouKind
from models.registry_imports import ImportSubject, RegistryImport
from policies.codes import ETHNICITIES, RELATIONS
from policies.identities import mask_name, mask_phone
from workflows.registry_import_plans import about

MOST_SHOWN = 200
VILLAGES_SHOWN = 300

COUNTS = """
select count(*) filter (where outcome = 'n') as new_rows, count(*) filter (where outcome = 'c') as changed_count,
    count(*) filter (where outcome = 'u') as unchanged_count, count(*) filter (where outcome = 'e') as elsewhere_count
from import_plan
"""
NEW_HOMES = """
select count(*) from import_homes h where h.home_id is null
    and exists (select from import_plan p where p.key = h.key and p.outcome = 'n')
"""
VILLAGES = """
select coalesce(nullif(p.village, ''), nullif(h.village, ''), '（未填嘎查村）') as village,
    count(*) filter (where p.outcome = 'n') as new, count(*) filter (where p.outcome = 'c') as changed,
    count(*) filter (where p.outcome = 'u') as unchanged, count(*) filter (where p.outcome = 'e') as elsewhere
from import_plan p left join households h on h.division_code = :division and h.id = p.home_id
group by 1 order by 1 limit :villages
"""
ELSEWHERE = """
select coalesce(township, '') as township, count(*) as people from import_plan where outcome = 'e'
group by 1 order by 2 desc, 1 limit 50
"""
CHANGED_PEOPLE = """
select p.file_number, p.row_number, m.name, p.other_relation, m.relation as old_relation, r.relation as new_relation,
    p.other_ethnicity, m.ethnicity as old_ethnicity, r.ethnicity as new_ethnicity, p.other_phone,
    m.phone as old_phone, r.phone as new_phone
from import_plan p
join registry_import_rows r on r.division_code = :division and r.import_id = :import
    and r.file_number = p.file_number and r.row_number = p.row_number
join members m on m.division_code = :division and m.id = p.member_id
where p.outcome = 'c' and (p.other_relation or p.other_ethnicity or p.other_phone)
order by p.file_number, p.row_number limit :most
"""
CHANGED_HOMES = """
select h.number, h.head_name, t.other_village, h.village as old_village, t.village, t.other_group,
    h.group_name as old_group, t.group_name, t.other_address, h.address as old_address, t.address, t.other_hukou,
    h.hukou_kind as old_hukou, t.hukou_kind
from import_homes t join households h on h.division_code = :division and h.id = t.home_id
where t.other_village or t.other_group or t.other_address or t.other_hukou order by h.id limit :most
"""
CHANGED_ASSETS = """
select p.file_number, p.row_number, h.head_name, a.kind, a.quantity as old_quantity, a.unit as old_unit,
    r.quantity, r.unit, a.as_of as old_day, r.as_of, a.source as old_source, r.source, p.other_quantity, p.other_day,
    p.other_source
from import_plan p
join registry_import_rows r on r.division_code = :division and r.import_id = :import
    and r.file_number = p.file_number and r.row_number = p.row_number
join assets a on a.division_code = :division and a.id = p.member_id
join households h on h.division_code = :division and h.id = a.household_id
where p.outcome = 'c' order by p.file_number, p.row_number limit :most
"""


def preview_of(session: Session, record: RegistryImport) -> dict[str, Any]:
    """Return the counts and the preview of the plan that this transaction has made."""
    asked = about(record) | {"most": MOST_SHOWN, "villages": VILLAGES_SHOWN}
    counts = dict(session.execute(sa.text(COUNTS)).mappings().one())
    new = counts.pop("new_rows")
    people = record.subject in (ImportSubject.REGISTER, ImportSubject.HOUSEHOLDS, ImportSubject.MEMBERS)
    homes = session.execute(sa.text(NEW_HOMES)).scalar_one() if people else 0
    villages = session.execute(sa.text(VILLAGES), asked).mappings().all() if people else []
    elsewhere = session.execute(sa.text(ELSEWHERE)).mappings().all() if counts["elsewhere_count"] else []
    preview = {
        "villages": [dict(row) for row in villages],
        "elsewhere": [dict(row) for row in elsewhere],
        "differences": _differences(session, record, asked) if counts["changed_count"] else [],
    }
    kinds = {"new_member_count": new, "new_record_count": 0} if people else {
        "new_member_count": 0, "new_record_count": new,
    }  # fmt: skip
    return counts | kinds | {"new_household_count": homes, "preview": preview}


def _differences(session: Session, record: RegistryImport, asked: Mapping[str, Any]) -> list[dict[str, str]]:
    if record.subject == ImportSubject.ASSETS:
        return [one for row in session.execute(sa.text(CHANGED_ASSETS), asked) for one in _asset(row)][:MOST_SHOWN]
    found = [one for row in session.execute(sa.text(CHANGED_HOMES), asked) for one in _home(row)]
    found += [one for row in session.execute(sa.text(CHANGED_PEOPLE), asked) for one in _person(row)]
    return found[:MOST_SHOWN]


def _difference(who: str, what: str, old: str, new: str, row: int = 0) -> dict[str, str]:
    return {"row": str(row) if row else "", "who": who, "what": what, "old": old or "—", "new": new}


def _person(row: Any) -> list[dict[str, str]]:
    who, found = mask_name(row.name), []
    if row.other_relation:
        old, new = RELATIONS.get(row.old_relation, row.old_relation), RELATIONS[row.new_relation]
        found.append(_difference(who, "与户主关系", old, new, row.row_number))
    if row.other_ethnicity:
        old, new = ETHNICITIES.get(row.old_ethnicity, row.old_ethnicity), ETHNICITIES[row.new_ethnicity]
        found.append(_difference(who, "民族", old, new, row.row_number))
    if row.other_phone:
        keys = ring()
        old = mask_phone(keys.open(bytes(row.old_phone))) if row.old_phone else ""
        found.append(_difference(who, "联系电话", old, mask_phone(keys.open(bytes(row.new_phone))), row.row_number))
    return found


def _home(row: Any) -> list[dict[str, str]]:
    who, found = f"{row.number}（{mask_name(row.head_name)}）", []
    if row.other_village:
        found.append(_difference(who, "嘎查村", row.old_village, row.village))
    if row.other_group:
        found.append(_difference(who, "村民小组", row.old_group, row.group_name))
    if row.other_address:
        found.append(_difference(who, "住址", _masked(row.old_address), _masked(row.address)))
    if row.other_hukou:
        found.append(_difference(who, "户口性质", HukouKind(row.old_hukou).label, HukouKind(row.hukou_kind).label))
    return found


def _asset(row: Any) -> list[dict[str, str]]:
    who, found = mask_name(row.head_name), []
    kind = AssetKind(row.kind).label
    if row.other_quantity:
        old, new = f"{row.old_quantity:f} {row.old_unit}", f"{row.quantity:f} {row.unit}"
        found.append(_difference(who, f"{kind}数量", old, new, row.row_number))
    if row.other_day:
        found.append(_difference(who, f"{kind}登记日期", str(row.old_day), str(row.as_of), row.row_number))
    if row.other_source:
        found.append(_difference(who, f"{kind}来源", row.old_source, row.source, row.row_number))
    return found


def _masked(address: str) -> str:
    return address[:6] + "****" if address else ""
