"""Search of the registry by the application's role with policies on, at county, league and region scope.

Each question is asked `TIMES` times with other words or numbers; value is the 95th percentile of one transaction with
its ticket, floor the median of the owner's plain indexed query for the same. `busy` is the processor time that client
and server take for it at the 95th percentile: what is left of the value when nothing else runs.
"""

import random
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import psycopg
import sqlalchemy as sa
from sqlalchemy.engine import make_url
from sqlmodel import Session, select

from admin.households import MemberView
from admin.sheets import COUNT_CAP, PAGE_SIZE, ordered
from benchmarks.bench_import import _peak_mb
from benchmarks.population import throw_away_database
from benchmarks.registry import FIRST, GIVEN, MONGOLIAN, SECOND, SURNAMES, fill
from models.accounts import Account
from models.crypto import account_index, id_index, phone_index
from models.database import transaction
from models.households import Household, Member
from models.officers import ActingOfficer, Scope
from tests.conftest import owner_session
from tests.factories import build_world
from workflows.search import Kind, Place, Sought, find

TIMES, WARM = 40, 3
SCOPES = {
    "county": Scope("150430", "150431"), "large county": Scope("150105", "150106"), "league": Scope("1504", "1505"),
    "region": Scope("0", ":"),
}  # fmt: skip
TARGET = 0.1
READ = (
    "select m.*, h.* from members m join households h on h.division_code = m.division_code and h.id = m.household_id"
    " where {where} limit 50"
)
BY_NAME = (
    "m.id in (select n.id from members n where name_letters(n.county_code, n.name_key) @> name_letters(%(county)s,"
    " %(word)s) and n.current and strpos(n.name_key, %(word)s) > 0 order by n.name_key, n.id limit 50)"
)
BY_VILLAGE = (
    "m.id in (select p.id from members p join households v on v.division_code = p.division_code"
    " and v.id = p.household_id where v.division_code = %(division)s and v.village = %(word)s"
    " and v.status = 'active' order by p.name_key limit 50)"
)


@dataclass(frozen=True)
class Question:
    """One kind of question: what the application asks, and the owner's plain query for the same."""

    name: str
    ask: Callable[[Session, Any], object]
    draw: Callable[[], Any]
    floor: str
    given: Callable[[Any], dict[str, Any]]
    before: Callable[[Session, Any], Any] | None = None
    """What the officer did just before, outside the clock: what it returns is asked with instead of what was drawn."""


def run(rows: int = 1_000_000) -> Iterator[dict[str, Any]]:
    """Yield p50 and p95 of every question at every scope, with the floor."""
    with throw_away_database() as url:
        with owner_session(url) as session:
            by = build_world(session).township.clerk
        plain = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
        with psycopg.connect(plain, autocommit=True) as owner:
            fill(owner, rows)
            yield from measured(owner, by)


def measured(owner: psycopg.Connection, by: ActingOfficer) -> Iterator[dict[str, Any]]:
    """Yield the figures of a registry that is there."""
    people = _count(owner)
    for place, scope in SCOPES.items():
        for question in _questions(owner, scope):
            found = _measured(owner, replace(by, scope=scope), question)
            about = {"scope": place, "question": question.name, "peak_mb": round(_peak_mb())}
            yield {"name": "search", "rows": people} | about | found


def _count(owner: psycopg.Connection) -> int:
    row = owner.execute("select count(*) from members").fetchone()
    assert row is not None
    return int(row[0])


def _measured(owner: psycopg.Connection, by: ActingOfficer, question: Question) -> dict[str, Any]:
    draws = [question.draw() for _ in range(TIMES + WARM)]
    with transaction(by) as session:
        server = session.execute(sa.text("select pg_backend_pid()")).scalar_one()
    times, busy, floors = [], [], []
    for drawn in draws:
        asked = drawn
        if question.before is not None:
            with transaction(by) as session:
                asked = question.before(session, drawn)
        begun, worked, served = time.perf_counter(), time.thread_time(), _served(server)
        with transaction(by) as session:
            question.ask(session, asked)
        times.append(time.perf_counter() - begun)
        busy.append(time.thread_time() - worked + _served(server) - served)
    for drawn in draws:
        begun = time.perf_counter()
        owner.execute(question.floor.encode(), question.given(drawn)).fetchall()
        floors.append(time.perf_counter() - begun)
    times, busy, floors = times[WARM:], busy[WARM:], floors[WARM:]
    half, floor = statistics.median(times), statistics.median(floors)
    value = statistics.quantiles(times, n=20)[-1]
    return {
        "value": round(value, 5), "p50": round(half, 5), "busy": round(statistics.quantiles(busy, n=20)[-1], 5),
        "busy_p50": round(statistics.median(busy), 5), "floor": round(floor, 5), "ratio": round(half / floor, 1),
        "within": value < TARGET, "worst": round(max(times), 5),
    }  # fmt: skip


def _served(server: int) -> float:
    """Return the seconds that a server process has worked."""
    return int(Path(f"/proc/{server}/schedstat").read_text().split()[0]) / 1e9


def _questions(owner: psycopg.Connection, scope: Scope) -> Iterator[Question]:
    """Return the questions of one scope, about people who live in it."""
    chance = random.Random(scope.start)
    some = owner.execute(
        "select id, county_code, division_code, household_id from members where division_code >= %s and division_code"
        " < %s and id %% 97 = 0 limit 5000", (scope.start, scope.end),
    ).fetchall()  # fmt: skip
    numbers = {number: (county, division, home) for number, county, division, home in some}

    def person() -> int:
        return chance.choice(list(numbers))

    def named(*words: str) -> Callable[[], str]:
        return lambda: chance.choice(words)

    yield from _by_words(chance, some, named)
    yield from _by_number(owner, person, numbers)
    yield from _by_state()
    yield from _pages(person)


def _by_words(chance: random.Random, some: list[Any], named: Callable[..., Callable[[], str]]) -> Iterator[Question]:
    counties = sorted({row[1] for row in some})
    pairs = [chance.choice(SURNAMES) + chance.choice(GIVEN) for _ in range(200)]
    whole = [pair + chance.choice(GIVEN) for pair in pairs]
    mongolian = [word[:length] for word in MONGOLIAN.split() for length in (2, 3, 4)]
    given = [chance.choice(GIVEN) + chance.choice(GIVEN) for _ in range(200)]
    names = {
        "name, one character": named(*set(SURNAMES)), "name, one rare character": named("䶮", "㛃", "𠅤", "雷"),
        "name, two characters": named(*pairs), "name, two from within": named(*given),
        "name, three characters": named(*whole), "name, Mongolian": named(*mongolian),
        "name that nobody has": named("雪虎江", "龙䶮", "zz"),
    }  # fmt: skip
    for title, draw in names.items():
        yield Question(
            title, lambda session, word: find(session, Sought(word)), draw, READ.format(where=BY_NAME),
            lambda word: {"word": word, "county": chance.choice(counties)},
        )  # fmt: skip
    yield Question(
        "name, filtered by state", lambda session, word: find(session, Sought(word, status="dead")), names_of(named),
        READ.format(where=BY_NAME), lambda word: {"word": word, "county": chance.choice(counties)},
    )  # fmt: skip
    yield Question(
        "name, second page", _second_page, named(*set(SURNAMES)), READ.format(where=BY_NAME),
        lambda word: {"word": word, "county": chance.choice(counties)}, _first_page,
    )  # fmt: skip
    divisions = sorted({row[2] for row in some})
    yield Question(
        "village, whole name", lambda session, word: find(session, Sought(village=word)),
        lambda: chance.choice(FIRST.split()) + chance.choice(SECOND.split()), READ.format(where=BY_VILLAGE),
        lambda word: {"word": word, "division": chance.choice(divisions)},
    )  # fmt: skip
    yield Question(
        "village, a part", lambda session, word: find(session, Sought(village=word)),
        named(*FIRST.split(), *SECOND.split()), READ.format(where=BY_VILLAGE),
        lambda word: {"word": word, "division": chance.choice(divisions)},
    )  # fmt: skip
    yield Question(
        "name and village", lambda session, pair: find(session, Sought(pair[0], village=pair[1])),
        lambda: (chance.choice(SURNAMES), chance.choice(FIRST.split())), READ.format(where=BY_NAME),
        lambda pair: {"word": pair[0], "county": chance.choice(counties)},
    )  # fmt: skip


def names_of(named: Callable[..., Callable[[], str]]) -> Callable[[], str]:
    """Return the drawing of a surname."""
    return named(*set(SURNAMES))


def _first_page(session: Session, word: str) -> tuple[str, Place | None]:
    return word, find(session, Sought(word)).next


def _second_page(session: Session, page: tuple[str, Place | None]) -> None:
    word, after = page
    find(session, Sought(word), after=after)


def _by_number(owner: psycopg.Connection, person: Callable[[], int], numbers: dict[int, Any]) -> Iterator[Question]:
    def id_number() -> str:
        row = owner.execute(
            "select bench_check(left(m.county_code, 6) || to_char(m.birth_date, 'YYYYMMDD')"
            " || lpad(((m.id - f.first + 1) %% 1000)::text, 3, '0'))"
            " from members m join bench_firsts f on f.county = m.county_code where m.id = %s",
            (person(),),
        ).fetchone()  # fmt: skip
        assert row is not None
        return str(row[0])

    yield Question(
        "ID number", _found(Kind.ID), id_number, READ.format(where="m.id_index = %(key)s and m.current"),
        lambda number: {"key": id_index(number)},
    )  # fmt: skip
    yield Question(
        "phone", lambda session, number: find(session, Sought(number)), lambda: f"13{person():09d}",
        READ.format(where="m.phone_index = %(key)s"), lambda number: {"key": phone_index(number)},
    )  # fmt: skip
    yield Question(
        "card", lambda session, number: find(session, Sought(number)), lambda: f"621737{person():013d}",
        READ.format(where="m.id in (select member_id from accounts where number_index = %(key)s)"),
        lambda number: {"key": account_index(number)},
    )  # fmt: skip
    yield Question(
        "household number", lambda session, number: find(session, Sought(number)),
        lambda: f"H{numbers[(chosen := person())][1][:9]}{numbers[chosen][2] - 1:08d}",
        READ.format(where="h.number = %(number)s"), lambda number: {"number": number},
    )  # fmt: skip
    yield Question(
        "duplicate check of one", lambda session, keys: session.execute(
            sa.text("select * from keepers_of(:keys)"), {"keys": keys}).all(),
        lambda: [id_index(id_number())], "select * from members where id_index = any(%(keys)s) and current",
        lambda keys: {"keys": keys},
    )  # fmt: skip


def _found(kind: Kind) -> Callable[[Session, str], object]:
    def ask(session: Session, number: str) -> None:
        found = find(session, Sought(number))
        assert (found.kind, len(found.hits)) == (kind, 1)

    return ask


def _by_state() -> Iterator[Question]:
    for title, sought in (
        ("state: dead", Sought(status="dead")), ("state: missing", Sought(status="missing")),
        ("police: mismatch", Sought(outcome="mismatch")), ("police: never asked", Sought(outcome="unchecked")),
        ("no condition", Sought()),
    ):  # fmt: skip
        yield Question(
            title, lambda session, asked: find(session, asked), lambda sought=sought: sought,  # type: ignore[misc]
            READ.format(where="m.status <> 'alive'"), lambda asked: {},
        )  # fmt: skip


def _pages(person: Callable[[], int]) -> Iterator[Question]:
    view = MemberView()

    def listed(session: Session, by: Any) -> None:
        selected = sa.select(Member)
        session.execute(
            sa.select(sa.func.count()).select_from(
                selected.with_only_columns(Member.id).limit(COUNT_CAP + 1).subquery()
            )
        ).one()  # type: ignore[call-overload]
        session.execute(ordered(selected, view, "all").limit(PAGE_SIZE)).scalars().all()

    yield Question(
        "list with its count", listed, lambda: None,
        "select * from members order by division_code, id limit 50", lambda _: {},
    )  # fmt: skip

    def detail(session: Session, number: int) -> None:
        member = session.exec(select(Member).where(Member.id == number)).one()
        place = Household.division_code == member.division_code
        home = session.exec(select(Household).where(place, Household.id == member.household_id)).one()
        session.exec(
            select(Member).where(Member.division_code == home.division_code, Member.household_id == home.id)
        ).all()
        session.exec(
            select(Account).where(Account.division_code == member.division_code, Account.member_id == member.id)
        ).all()

    yield Question(
        "detail: person, household, accounts", detail, person,
        "select m.*, h.*, a.* from members m join households h on h.division_code = m.division_code"
        " and h.id = m.household_id left join accounts a on a.division_code = m.division_code and a.member_id = m.id"
        " where m.id = %(id)s", lambda number: {"id": number},
    )  # fmt: skip
