"""What the rows of a registry import would do: one temporary table `import_plan`, made by joins. （第十一条）

The check reads it for problems, counts and differences; the final transaction makes it again and writes by it. Its
digest ties the two together: what the second person agreed to is what is written.

outcome: n new · c changed · u unchanged · e kept elsewhere. problem: a code of PROBLEMS, '' for none.
"""

from typing import Any

import sqlalchemy as sa
from sqlmodel import Session

from models.registry_imports import ImportSubject, RegistryImport
from workflows.plans import by_hash

PER_FILE = 10_000_000
"""Rows of one file at most: file and row as one number."""

KEEPERS = """
create temporary table import_keepers on commit drop as
select k.id_index, k.township from (
    select array_agg(distinct r.id_index) as indexes from registry_import_rows r
    where r.division_code = :division and r.import_id = :import and not exists (
        select from members m where m.division_code = :division and m.current and m.id_index = r.id_index)
) strangers cross join lateral keepers_of(strangers.indexes) k
"""
"""Who keeps the people that the township doesn't: the township's name alone crosses the policies."""

HOMES = """
create temporary table import_homes on commit drop as
with r as (
    select coalesce(nullif(household_number, ''), encode(head_index, 'hex')) as key, household_number, head_index,
        village, group_name, address, hukou_kind, relation, id_index
    from registry_import_rows where division_code = :division and import_id = :import
), told as (
    select key, max(household_number) as number,
        (array_agg(head_index) filter (where head_index is not null))[1] as head_index,
        count(*) filter (where relation = '02') as heads, count(*) filter (where relation = '') as unclear,
        (array_agg(id_index) filter (where relation = '02'))[1] as own_head,
        coalesce(max(village), '') as village, coalesce(max(group_name), '') as group_name,
        coalesce(max(address), '') as address, coalesce(max(hukou_kind), '') as hukou_kind,
        min(nullif(village, '')) <> max(nullif(village, ''))
            or min(nullif(group_name, '')) <> max(nullif(group_name, ''))
            or min(nullif(address, '')) <> max(nullif(address, ''))
            or min(nullif(hukou_kind, '')) <> max(nullif(hukou_kind, '')) as differs
    from r group by key
), known as (
    select t.*, coalesce(h.id, m.household_id) as home_id
    from told t
    left join households h on h.division_code = :division and t.number <> '' and h.number = t.number
    left join members m on m.division_code = :division and m.current
        and m.id_index = coalesce(t.own_head, t.head_index)
)
select k.*, h.number as home_number, h.version as home_version, h.status as home_status,
    head.id_index as registered_head,
    coalesce(k.village <> '' and k.village <> h.village, false) as other_village,
    coalesce(k.group_name <> '' and k.group_name <> h.group_name, false) as other_group,
    coalesce(k.address <> '' and k.address <> h.address, false) as other_address,
    coalesce(k.hukou_kind <> '' and k.hukou_kind <> h.hukou_kind, false) as other_hukou
from known k
left join households h on h.division_code = :division and h.id = k.home_id
left join (
    select household_id, (array_agg(id_index order by id))[1] as id_index from members
    where division_code = :division and current and relation = '02' group by household_id
) head on head.household_id = k.home_id
"""
"""The households that the rows are of: by their number, else by their head; home_id is null for a new one."""

PEOPLE = """
create temporary table import_plan on commit drop as
with r as (
    select file_number, row_number, coalesce(nullif(household_number, ''), encode(head_index, 'hex')) as key, village,
        name_key, id_index, relation, ethnicity, phone_index,
        count(*) over same as times, min({place}) over same as first_place, max({place}) over same as last_place
    from registry_import_rows where division_code = :division and import_id = :import
    window same as (partition by id_index)
), matched as (
    select r.*, h.home_id, h.home_version, h.home_status, h.heads, h.unclear, h.differs, h.registered_head,
        h.other_village or h.other_group or h.other_address or h.other_hukou as other_home,
        m.id as member_id, m.version as member_version, m.household_id as lives_in, m.status as member_status,
        m.name_key as known_key, m.relation as known_relation, k.township,
        coalesce(m.relation <> r.relation and :subject <> 'households', false) as other_relation,
        coalesce(r.ethnicity <> '' and r.ethnicity <> m.ethnicity, false) as other_ethnicity,
        coalesce(r.phone_index is distinct from m.phone_index and r.phone_index is not null and m.id is not null, false)
            as other_phone
    from r
    join import_homes h on h.key = r.key
    left join members m on m.division_code = :division and m.current and m.id_index = r.id_index
    left join import_keepers k on k.id_index = r.id_index
)
select file_number, row_number, {other} as other_place, key, village, home_id, home_version, member_id, member_version,
    township, other_home, other_relation, other_ethnicity, other_phone,
    case when township is not null then 'e' when member_id is null then 'n'
        when other_relation or other_ethnicity or other_phone or other_home then 'c' else 'u' end as outcome,
    case when times > 1 then 'twice'
        when township is not null and (relation <> '02' or home_id is not null) then ''
        when township is not null then 'head_elsewhere'
        when home_id is null and :subject = 'members' then 'no_household'
        when home_status = 'closed' then 'closed_household'
        when member_id is not null and known_key <> name_key then 'other_name'
        when member_id is not null and home_id is distinct from lives_in then 'other_household'
        when member_status in ('dead', 'moved') and (other_relation or other_ethnicity or other_phone) then 'not_alive'
        when home_id is null and heads = 0 and unclear = 0 then 'no_head'
        when home_id is null and heads > 1 then 'two_heads'
        when home_id is not null and relation = '02' and id_index is distinct from registered_head then 'other_head'
        when other_relation and known_relation = '02' then 'other_head'
        when differs then 'home_differs'
        else '' end as problem
from matched
"""

ASSETS = """
create temporary table import_plan on commit drop as
with r as (
    select file_number, row_number, coalesce(nullif(household_number, ''), encode(head_index, 'hex')) as key,
        asset_kind, quantity, unit, as_of, source, certificate_number,
        count(*) over same as times, min({place}) over same as first_place, max({place}) over same as last_place
    from registry_import_rows where division_code = :division and import_id = :import
    window same as (partition by coalesce(nullif(household_number, ''), encode(head_index, 'hex')), asset_kind,
        certificate_number)
), matched as (
    select r.*, h.home_id, h.home_version, h.home_status, h.number <> '' as numbered, a.id as member_id,
        k.township,
        coalesce(a.quantity <> r.quantity or a.unit <> r.unit, false) as other_quantity,
        coalesce(a.as_of <> r.as_of, false) as other_day,
        coalesce(r.source <> '' and a.source <> r.source, false) as other_source
    from r
    join import_homes h on h.key = r.key
    left join import_keepers k on k.id_index = h.head_index
    left join (
        select distinct on (household_id, kind, certificate_number) * from assets
        where division_code = :division and ended_on is null order by household_id, kind, certificate_number, id
    ) a on a.household_id = h.home_id and a.kind = r.asset_kind and a.certificate_number = r.certificate_number
)
select file_number, row_number, {other} as other_place, key, '' as village, home_id, home_version, member_id,
    0 as member_version, township,
    false as other_home, other_quantity, other_day, other_source,
    case when home_id is null and township is not null then 'e' when member_id is null then 'n'
        when other_quantity or other_day or other_source then 'c' else 'u' end as outcome,
    case when times > 1 then 'twice_asset' when home_id is null and township is not null then ''
        when home_id is null then 'no_household' when home_status = 'closed' then 'closed_household'
        else '' end as problem
from matched
"""

CARDS = """
create temporary table import_cards on commit drop as
select k.number_index from (
    select array_agg(r.account_index order by r.file_number, r.row_number) as indexes,
        array_agg(coalesce(m.person, '') order by r.file_number, r.row_number) as persons
    from registry_import_rows r
    left join members m on m.division_code = :division and m.current and m.id_index = r.id_index
    where r.division_code = :division and r.import_id = :import
) asked cross join lateral account_keepers(asked.indexes, asked.persons) k
"""
"""The cards that are somebody else's already, over the whole region."""

ACCOUNTS = """
create temporary table import_plan on commit drop as
with banks as (
    select b.id, b.name, b.cnaps, b.prefix from agent_banks b
), r as (
    select file_number, row_number, name_key, id_index, account_index, bank_name,
        count(*) over same as times, min({place}) over same as first_place, max({place}) over same as last_place
    from registry_import_rows where division_code = :division and import_id = :import
    window same as (partition by account_index)
), asked as (
    select distinct bank_name from r
), bank as (
    select s.bank_name, coalesce(
        (select min(b.id) from banks b where b.name = s.bank_name),
        case when (select count(*) from banks b where s.bank_name <> '' and strpos(b.name, s.bank_name) > 0) = 1
            then (select b.id from banks b where strpos(b.name, s.bank_name) > 0) end) as bank_id
    from asked s
), matched as (
    select r.*, m.id as holder_id, m.version as member_version, m.household_id as home_id, m.name_key as known_key,
        m.status as member_status, k.township, bank.bank_id, own.id as own_id,
        taken.number_index is not null as taken,
        exists (select from accounts p where p.division_code = :division and p.member_id = m.id and p.is_payment)
            as has_payment
    from r
    join bank on bank.bank_name = r.bank_name
    left join members m on m.division_code = :division and m.current and m.id_index = r.id_index
    left join import_keepers k on k.id_index = r.id_index
    left join accounts own on own.division_code = :division and own.member_id = m.id
        and own.number_index = r.account_index and own.status not in ('closed', 'rejected')
    left join import_cards taken on taken.number_index = r.account_index
)
select distinct on (file_number, row_number) file_number, row_number, {other} as other_place, '' as key,
    '' as village, home_id, 0 as home_version, holder_id as member_id, member_version, township,
    false as other_home, bank_id,
    not has_payment and row_number() over (partition by holder_id order by file_number, row_number) = 1 as is_payment,
    case when holder_id is null and township is not null then 'e' when own_id is not null then 'u' else 'n' end
        as outcome,
    case when times > 1 then 'twice_account' when holder_id is null and township is not null then ''
        when holder_id is null then 'no_member' when known_key <> name_key then 'other_name'
        when taken then 'account_taken' when bank_id is null then 'no_bank'
        when member_status in ('dead', 'moved') and own_id is null then 'not_alive' else '' end as problem
from matched order by file_number, row_number
"""

PLACE = f"file_number * {PER_FILE}::bigint + row_number"
PEOPLE, ASSETS, ACCOUNTS = (
    text.replace("{place}", PLACE).replace(
        "{other}", f"case when {PLACE} = first_place then last_place else first_place end"
    )
    for text in (PEOPLE, ASSETS, ACCOUNTS)
)

STEPS = {
    ImportSubject.REGISTER: (KEEPERS, HOMES, PEOPLE),
    ImportSubject.HOUSEHOLDS: (KEEPERS, HOMES, PEOPLE),
    ImportSubject.MEMBERS: (KEEPERS, HOMES, PEOPLE),
    ImportSubject.ASSETS: (KEEPERS.replace("r.id_index", "r.head_index"), HOMES, ASSETS),
    ImportSubject.ACCOUNTS: (KEEPERS, CARDS, ACCOUNTS),
}

DIGEST = sa.text(
    """
    select encode(sha256(convert_to(coalesce(string_agg(concat_ws('/', file_number, row_number, outcome, home_id,
        home_version, member_id, member_version), ',' order by file_number, row_number), ''), 'UTF8')), 'hex')
    from import_plan
    """
)


def about(record: RegistryImport) -> dict[str, Any]:
    """Return what every statement of an import is asked with."""
    return {
        "division": record.division_code, "county": record.county_code, "import": record.id,
        "subject": str(record.subject),
    }  # fmt: skip


def make_plan(session: Session, record: RegistryImport) -> str:
    """Make the tables `import_homes` and `import_plan` of this transaction; return the plan's digest."""
    with by_hash(session):
        for step in STEPS[record.subject]:
            # Who is kept elsewhere is looked up one by one, whatever the planner believes of a table still growing.
            session.execute(sa.text(f"set local enable_seqscan = {'off' if 'keepers' in step else 'on'}"))
            session.execute(sa.text(step), about(record))
        session.execute(sa.text("set local enable_seqscan = on"))
        for table in ("import_homes", "import_plan") if record.subject != ImportSubject.ACCOUNTS else ("import_plan",):
            session.execute(sa.text(f"analyze {table}"))
        return str(session.execute(DIGEST).scalar_one())
