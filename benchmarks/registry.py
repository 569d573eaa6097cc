"""A registry of any size for the measures of search: households, people and cards of every township, made by SQL.

Names, villages, numbers and their blind indexes are what the application would have written, so that it finds them;
the envelopes are copies of one (they open, and are as long as any). One owner's INSERT … SELECT per county and table,
past triggers and foreign keys; the indexes are made afterwards. (OFFSET 0 keeps what is computed once from being
computed for every use.)
"""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import accumulate

import psycopg

from models.crypto import id_index, ring

BLOCK = 64
HANDS = 4
HOME = 2.5
"""People per household."""
SURNAMES = (
    "王王王王王王王王李李李李李李李李张张张张张张张刘刘刘刘刘刘陈陈陈杨杨杨赵赵赵黄周吴徐孙胡朱高林何郭马罗梁宋郑谢韩唐冯"
    "于董萧程曹袁邓许傅沈曾彭吕包白乌额那孛"
)
GIVEN = (
    "国建秀兰玉海桂春明志红军英华文平芳丽伟强敏静磊洋勇艳杰涛超霞刚辉鹏飞鑫宇晨浩轩梓涵欣怡佳慧雪梅琴凤莲龙虎山川江河东西南北"
    "光荣福贵祥瑞吉安宁康泰树林才义仁德礼忠孝永长生财宝金银铁石水木火土天地日月星云雨风雷电"
)
MONGOLIAN = (
    "乌云其木格 额尔德尼 巴特尔 斯琴高娃 孛儿只斤·额尔敦巴特尔 包·乌日汗 那仁花 阿拉坦 萨仁 哈斯 苏日娜 娜仁托娅 呼和"
    " 巴雅尔 敖特根 乌日娜 白·朝鲁 吉日嘎拉 图雅 其其格 赛音吉雅 额尔德尼巴雅尔"
)
FIRST = "东 西 南 北 上 下 巴彦 乌兰 查干 哈拉 宝日 白音 浩特 新 老 大 小 前 后 中"
SECOND = "村 嘎查 塔拉 乌素 花 图 营子 沟 台 庙 井 店 湾 洼 梁 川 海子 敖包 高勒 毛都"

HELPERS = """
create function bench_check(body text) returns text language sql immutable as $$
    select body || substr('10X98765432', 1 + (7 * substr(body, 1, 1)::int + 9 * substr(body, 2, 1)::int
        + 10 * substr(body, 3, 1)::int + 5 * substr(body, 4, 1)::int + 8 * substr(body, 5, 1)::int
        + 4 * substr(body, 6, 1)::int + 2 * substr(body, 7, 1)::int + substr(body, 8, 1)::int
        + 6 * substr(body, 9, 1)::int + 3 * substr(body, 10, 1)::int + 7 * substr(body, 11, 1)::int
        + 9 * substr(body, 12, 1)::int + 10 * substr(body, 13, 1)::int + 5 * substr(body, 14, 1)::int
        + 8 * substr(body, 15, 1)::int + 4 * substr(body, 16, 1)::int + 2 * substr(body, 17, 1)::int) % 11, 1)
$$;
create function bench_index(purpose text, number text) returns bytea language sql immutable as $$
    select '\\x01'::bytea || sha256('\\x{outer}'::bytea || sha256('\\x{inner}'::bytea
        || convert_to(purpose, 'UTF8') || '\\x00'::bytea || convert_to(number, 'UTF8')))
$$;
create unlogged table bench_townships as
    select d.code, left(d.code, 6) || '000000' as county, w.weight,
        sum(w.weight) over (order by d.code) as until, sum(w.weight) over () as whole
    from divisions d, lateral (select (50 + abs(hashtext(d.code)) % 100)
        * case left(d.code, 6) when '150105' then 4 else 1 end as weight) w
    where d.level = 'township';
"""
HOMES = """
insert into households (id, division_code, county_code, number, head_name, village_code, village, group_name, address)
select 1 + n, t.code, t.county, 'H' || left(t.code, 9) || lpad(n::text, 8, '0'), '户主', '', v.village,
    n % 9 + 1 || '组', '{address}'
from (select t.*, {homes} * (t.until - t.weight) / t.whole as low, {homes} * t.until / t.whole as high
      from bench_townships t) t,
    lateral generate_series(ceil(t.low)::bigint, ceil(t.high)::bigint - 1) n,
    lateral (select (string_to_array('{firsts}', ' '))[1 + (abs(hashtext(t.code)) + n / 350) % {many_firsts}]
        || (string_to_array('{seconds}', ' '))[1 + (abs(hashtext(t.code)) / 20 + n / 350) % {many_seconds}]) v (village)
where t.county = '{county}'
"""
PEOPLE = """
insert into members (id, division_code, county_code, household_id, name, name_key, id_number, id_index, birth_date, sex,
    relation, ethnicity, phone, phone_index, status, died_on, added_on, identity_outcome, identity_checked_at)
select p.n, p.division_code, p.county_code, p.home, p.name, p.name, '\\x{id_envelope}'::bytea,
    bench_index('id', bench_check(p.body)), p.born, (p.n % 2 + 1)::text, case p.place when 1 then '02' else '20' end,
    case when p.kind = 0 then '02' else '01' end, case when p.n % 5 > 0 then '\\x{phone_envelope}'::bytea end,
    case when p.n % 5 > 0 then bench_index('phone', '13' || lpad(p.n::text, 9, '0')) end,
    case when p.luck < 100 then 'dead' when p.luck < 103 then 'missing' else 'alive' end,
    case when p.luck < 100 then date '2024-03-01' end, date '2024-05-01',
    case when p.luck between 200 and 349 then 'mismatch' when p.luck between 350 and 379 then 'not_found'
        when p.luck between 380 and 579 then null when p.luck < 100 then 'dead' else 'match' end,
    timestamptz '2026-05-01 09:00+08'
from (
    select q.*, left(q.county_code, 6) || to_char(q.born, 'YYYYMMDD') || lpad((q.nth % 1000)::text, 3, '0') as body,
        case when q.kind = 0 then (string_to_array('{mongolian}', ' '))[1 + abs(hashint8(q.n * 7)) % {many_mongolian}]
        else substr('{surnames}', 1 + abs(hashint8(q.n * 3)) % {many_surnames}, 1)
            || substr('{given}', 1 + abs(hashint8(q.n * 5)) % {many_given}, 1)
            || case when abs(hashint8(q.n * 13)) % 5 = 0 then ''
               else substr('{given}', 1 + abs(hashint8(q.n * 11)) % {many_given}, 1) end end as name
    from (
        select h.division_code, h.county_code, h.id as home, k as place,
            {start} + row_number() over () as n, row_number() over () as nth,
            date '1938-01-01' + (row_number() over () / 1000 * 37 % 26000)::int as born,
            abs(hashint8(({start} + row_number() over ()) * 17)) % 10000 as luck,
            abs(hashint8(({start} + row_number() over ()) * 19)) % 6 as kind
        from households h, lateral generate_series(1, 2 + (h.id % 2)::int) k
        where h.division_code >= left('{county}', 6) and h.division_code < left('{county}', 6) || ':'
        offset 0
    ) q
    offset 0
) p
"""
LAST = "select setval(pg_get_serial_sequence('{table}', 'id'), (select max(id) from {table}))"
CARDS = """
insert into accounts (division_code, county_code, member_id, number, number_index, bank_name, bank_code, is_card,
    is_payment, status, version, verified_at, answer, registered_by)
select m.division_code, m.county_code, m.id, '\\x{card_envelope}'::bytea,
    bench_index('account', '621737' || lpad(m.id::text, 13, '0')), '内蒙古农村信用社', '402191000008', true, true,
    'verified', 1, timestamptz '2026-05-01 09:00+08', '', 0
from members m where m.relation = '02'
    and m.division_code >= left('{county}', 6) and m.division_code < left('{county}', 6) || ':'
"""


@contextmanager
def _without_indexes(owner: psycopg.Connection, tables: tuple[str, ...]) -> Iterator[None]:
    """Take away every index that proves nothing, and make them again."""
    made = owner.execute(
        "select indexrelid::regclass::text, pg_get_indexdef(indexrelid) from pg_index where indrelid = any"
        " (cast(%s as text[])::regclass[]) and not exists (select from pg_constraint where conindid = indexrelid)",
        (list(tables),),
    ).fetchall()
    for name, _ in made:
        owner.execute(f"drop index {name}".encode())
    yield
    owner.execute("set maintenance_work_mem = '1GB'; set max_parallel_maintenance_workers = 2")
    for name, definition in made:
        begun = time.perf_counter()
        owner.execute(definition.encode())
        print(f"# index {name}: {time.perf_counter() - begun:.0f} s", flush=True)


def fill(owner: psycopg.Connection, people: int) -> dict[str, float]:
    """Fill the registry with about `people` people in households of all townships; return what it took in seconds."""
    keys = ring()
    key = keys.index_keys[1].key.ljust(BLOCK, b"\0")
    outer, inner = (bytes(byte ^ pad for byte in key).hex() for pad in (0x5C, 0x36))
    owner.execute(HELPERS.replace("{outer}", outer).replace("{inner}", inner).encode())
    words = {
        "homes": round(people / HOME), "address": "苏木中心街 12 号 " * 3, "firsts": FIRST,
        "seconds": SECOND, "many_firsts": len(FIRST.split()), "many_seconds": len(SECOND.split()),
        "mongolian": MONGOLIAN, "many_mongolian": len(MONGOLIAN.split()), "surnames": SURNAMES,
        "many_surnames": len(SURNAMES),
        "given": GIVEN, "many_given": len(GIVEN), "id_envelope": keys.seal("150430199001011234").hex(),
        "phone_envelope": keys.seal("13800000001").hex(), "card_envelope": keys.seal("6217370000000000001").hex(),
    }  # fmt: skip
    tables = ("households", "members", "accounts")
    took = {}
    owner.execute("set session_replication_role = replica")
    with _without_indexes(owner, tables):
        for table, statement in zip(tables, (HOMES, PEOPLE, CARDS), strict=True):
            begun = time.perf_counter()
            _each_county(owner, statement, words)
            took[table] = time.perf_counter() - begun
            print(f"# {table}: {took[table]:.0f} s", flush=True)
        begun = time.perf_counter()
    took["indexes"] = time.perf_counter() - begun
    owner.execute(
        "insert into villages (division_code, county_code, name) select distinct division_code, county_code, village"
        " from households on conflict do nothing"
    )
    for table in tables:
        owner.execute(LAST.format(table=table).encode())
    owner.execute(
        "create table bench_firsts as select county_code as county, min(id) as first from members group by county_code"
    )
    owner.execute("set session_replication_role = origin")
    begun = time.perf_counter()
    for table in (*tables, "villages"):
        owner.execute(f"vacuum analyze {table}".encode())
    took["vacuum"] = time.perf_counter() - begun
    _prove(owner)
    return took


def _each_county(owner: psycopg.Connection, statement: str, words: dict[str, object]) -> None:
    """Run a statement for every county, a few at a time; each knows the number that its people begin after."""
    size = {
        f"{county}000000": count
        for county, count in owner.execute(
            "select left(division_code, 6), sum(2 + id % 2)::bigint from households group by 1"
        )
    }
    counties = [row[0] for row in owner.execute("select distinct county from bench_townships order by 1")]
    starts = dict(zip(counties, accumulate((size.get(county, 0) for county in counties), initial=0), strict=False))

    def one(county: str) -> None:
        with psycopg.connect(owner.info.dsn, autocommit=True) as hand:
            hand.execute("set session_replication_role = replica")
            hand.execute(statement.format(**words, county=county, start=starts[county]).encode())

    with ThreadPoolExecutor(max_workers=HANDS) as hands:
        list(hands.map(one, counties))


def _prove(owner: psycopg.Connection) -> None:
    """Prove that the application would find these people. Raises AssertionError."""
    row = owner.execute(
        "select m.id_index, bench_check(left(m.county_code, 6) || to_char(m.birth_date, 'YYYYMMDD') || '001')"
        " from members m where m.id = 1"
    ).fetchone()
    assert row is not None
    assert bytes(row[0]) == id_index(row[1])
