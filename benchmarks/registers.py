"""Registers of many townships for the measures: workbooks and CSV files on disk, with officers who bring them."""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa
import xlsxwriter
from sqlmodel import Session, col, select

from models.divisions import Division, Level
from models.organisations import OrganisationKind
from models.registry_imports import ImportSubject
from policies.identities import id_check
from reports.sheets.registry_templates import TEMPLATES
from tests.world import PASSWORD, _staffed
from workflows.sessions import hasher

PER_TOWNSHIP = 25_000
"""People of a large township (DOMAIN section 9)."""
PEOPLE_OF_FIVE = 2
"""Households among five people: 400,000 among a million."""
FIELDS = [
    one for one in TEMPLATES[ImportSubject.REGISTER].fields if one.name not in ("sequence", "note", "household_number")
]
RELATIONS = ("户主", "妻", "子", "女", "母亲")
SURNAMES, GIVEN = "王李张刘陈杨赵孙周吴", "建秀玉海桂春明志国红兰英山花军梅林芳强"
MONGOLIAN = ("额尔德尼巴雅尔", "包·乌日汗", "乌云其木格", "孛儿只斤·额尔敦巴特尔", "阿拉坦其其格")


@dataclass(frozen=True)
class Township:
    """One township: who brings its register, who agrees, and the file."""

    code: str
    clerk_post: int
    head_post: int
    file: Path
    people: int


def settle(session: Session, folder: Path, people: int) -> list[Township]:
    """Make the townships' offices and write their registers: by turns a workbook, CSV in UTF-8, CSV in GB18030."""
    count = max(2, -(-people // PER_TOWNSHIP))
    codes = session.exec(
        select(Division.code).where(Division.level == Level.TOWNSHIP).order_by(col(Division.code)).limit(count)
    ).all()
    hashed, found, first = hasher().hash(PASSWORD), [], 0
    for place, code in enumerate(codes):
        size = people // count + (1 if place < people % count else 0)
        office = _staffed(session, hashed, code, OrganisationKind.TOWNSHIP, f"bench.{place}")
        file = folder / f"{code}{('.xlsx', '-u.csv', '-g.csv', '.xlsx')[place % 4]}"
        _write(file, rows(code, first, size), "gb18030" if file.stem.endswith("-g") else "utf-8-sig")
        found.append(Township(code, office.clerk.post_id, office.head.post_id, file, size))
        first += size
    session.execute(sa.text("select 1"))
    return found


def rows(code: str, first: int, count: int) -> Iterator[list[str]]:
    """Return the rows of a township's register: two households among five people, of three and two."""
    head: tuple[str, str] = ("", "")
    for place in range(count):
        number, name = id_number(first + place), name_of(first + place)
        inside = place % 5 if place % 5 < 3 else place % 5 - 3
        if inside == 0:
            head = name, number
        home = place // 5 * 2 + (place % 5 >= 3)
        yield [
            f"第{home % 20 + 1}嘎查", f"{home % 9 + 1}组", f"第{home % 20 + 1}嘎查 {home} 号", "农业（农牧区）户口",
            head[0], head[1], name, number, RELATIONS[inside], "男" if int(number[16]) % 2 else "女",
            f"{number[6:10]}-{number[10:12]}-{number[12:14]}", "蒙古族" if place % 3 else "汉族",
            f"1{3_000_000_000 + first + place:010d}",
        ]  # fmt: skip


def id_number(place: int) -> str:
    """Return the number of the place-th person: a thousand a day, none twice."""
    body = f"150430{date(1940, 1, 1) + timedelta(days=place // 1000 * 7):%Y%m%d}{place % 1000:03d}"
    return body + id_check(body)


def name_of(place: int) -> str:
    """Return a name of a person."""
    if place % 4 == 0:
        return MONGOLIAN[place // 4 % len(MONGOLIAN)]
    return SURNAMES[place % 10] + GIVEN[place // 10 % 19] + GIVEN[place // 190 % 19]


def _write(file: Path, lines: Iterator[list[Any]], encoding: str) -> None:
    titles = [one.title for one in FIELDS]
    if file.suffix == ".csv":
        with file.open("w", encoding=encoding, newline="") as stream:
            csv.writer(stream).writerows([titles, *lines])
        return
    with xlsxwriter.Workbook(file, {"constant_memory": True, "strings_to_numbers": False}) as book:
        sheet = book.add_worksheet("登记表")
        for column, title in enumerate(titles):
            sheet.write_string(0, column, title)
        for row, line in enumerate(lines, 1):
            for column, value in enumerate(line):
                sheet.write_string(row, column, value)
