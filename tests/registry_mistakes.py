"""One workbook per register with a mistake in every row; `python -m tests.registry_mistakes` writes the docs' table."""

import io
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import openpyxl
from sqlmodel import Session

from models.households import HouseholdStatus, Member, MemberStatus
from models.registry_imports import ImportSubject
from policies.identities import id_check
from reports.sheets.findings import column_letter
from reports.sheets.registry_templates import TEMPLATES
from tests import factories
from tests.factories import World
from tests.registers import FIRST, workbook

DOCS = Path(__file__).parent.parent / "docs" / "registry-import.md"
START, END = "<!-- mistakes -->", "<!-- /mistakes -->"
LONG = "很长的文字" * 60


@dataclass(frozen=True)
class Known:
    """Whom the registry knows: a family, somebody dead, somebody of the next township, a closed household."""

    head: Any
    spouse: Any
    dead: Any
    elsewhere: Any
    other: Any
    numbers: dict[str, str]
    card: str


Row = dict[str, Any]


@dataclass(frozen=True)
class Mistake:
    """One mistake: what it is called, where it is reported, what is said; `change` gets a right row."""

    title: str
    column: str
    says: str
    change: Callable[[Row, Known], Row | None] = field(repr=False)


def put(name: str, value: Any) -> Callable[[Row, Known], Row | None]:
    """Return a change of one cell."""

    def change(row: Row, known: Known) -> None:
        row[name] = value(row, known) if callable(value) else value

    return change


def settle(session: Session, world: World) -> Known:
    """Register those whom the mistakes are about."""
    home = factories.a_household(session, world, head_name="王建国", village="东村")
    head = factories.a_member(session, world, home, name="王建国")
    spouse = factories.a_member(session, world, home, name="乌云其木格", relation="12")
    other = factories.a_member(session, world, name="李秀兰")
    dead = factories.a_member(session, world, home, name="赵玉海", relation="51", status=MemberStatus.DEAD,
                              died_on=date(2024, 1, 1))  # fmt: skip
    next_home = factories.a_household(session, world, township=world.second_township.division_code)
    elsewhere = factories.a_member(session, world, next_home, name="陈桂春")
    closed = factories.a_household(session, world, status=HouseholdStatus.CLOSED, closed_on=date(2024, 1, 1))
    account = factories.an_account(session, other)
    numbers = {"home": home.number, "closed": closed.number, "other": _number_of(session, other)}
    return Known(head, spouse, dead, elsewhere, other, numbers, account.number)


def _number_of(session: Session, member: Member) -> str:
    return session.get_one(factories.Household, member.household_id).number


def bad_check(number: str) -> str:
    """Return a number with a wrong check character."""
    return number[:-1] + ("0" if number[-1] != "0" else "1")


def same_person(row: Row, known: Known) -> None:
    row["id_number"] = row["head_id_number"] = SAME
    row["name"] = "重复人"


SAME = "15043019800101123" + id_check("15043019800101123")
ERROR, FORMULA = "#N/A", "=1+"
_ID = (
    Mistake("身份证号校验位错误", "id_number", "校验位不正确",
            put("id_number", lambda row, _: bad_check(row["id_number"]))),
    Mistake("身份证号少一位", "id_number", "长度不是 18 位", put("id_number", "15043019800101123")),
    Mistake("身份证号中的日期不存在", "id_number", "出生日期不存在", put("id_number", "150430198002301234")),
    Mistake("身份证号存成数字", "id_number", "末尾几位已丢失", put("id_number", 150430198001011200.0)),
    Mistake("身份证号未填", "id_number", "未填写", put("id_number", "")),
    Mistake("身份证号是科学计数文本（1.5E+17）", "id_number", "末尾几位已丢失", put("id_number", "1.5043E+17")),
    Mistake("姓名未填", "name", "未填写", put("name", "")),
    Mistake("姓名中有数字", "name", "姓名中有数字", put("name", "王2")),
)  # fmt: skip
_PERSON = (
    Mistake("民族不在代码表中", "ethnicity", "不在代码表中", put("ethnicity", "火星族")),
    Mistake("性别与身份证号不一致", "sex", "性别与身份证号不一致",
            put("sex", lambda row, _: "女" if int(row["id_number"][16]) % 2 else "男")),
    Mistake("出生日期与身份证号不一致", "birth_date", "出生日期与身份证号不一致", put("birth_date", "1901-02-03")),
    Mistake("出生日期不是日期", "birth_date", "不是日期", put("birth_date", "一九五五年")),
    Mistake("电话位数不对", "phone", "不是 11 位手机号", put("phone", "1380000")),
    Mistake("电话是错误值 #N/A", "phone", "错误值", put("phone", ERROR)),
)  # fmt: skip


def _other_name(row: Row, known: Known) -> None:
    row |= {"name": "王大国", "id_number": known.head.id_number, "household_number": known.numbers["home"]}
    row["head_id_number"] = known.head.id_number if "head_id_number" in row else ""


def _elsewhere(row: Row, known: Known) -> None:
    row |= {"name": "陈桂春", "id_number": known.elsewhere.id_number}
    if row.get("head_id_number"):
        row["head_id_number"] = known.elsewhere.id_number


def _other_head(row: Row, known: Known) -> None:
    row |= {"household_number": known.numbers["home"], "head_id_number": ""}


def _closed(row: Row, known: Known) -> None:
    row |= {"household_number": known.numbers["closed"], "head_id_number": ""}


_HOME = (
    Mistake("户口性质不在代码表中", "hukou_kind", "不在代码表中", put("hukou_kind", "火星户口")),
    Mistake("住址过长", "address", "超过 200 个字", put("address", LONG)),
    Mistake("嘎查村的公式没有结果", "village", "公式没有计算结果", put("village", FORMULA)),
    Mistake("姓名与登记的不一致", "name", "与登记的姓名不一致", _other_name),
    Mistake("户主由其他乡镇登记", "id_number", "不能在本乡镇建户", _elsewhere),
    Mistake("不是登记的户主", "relation", "户主与登记的户主不一致", _other_head),
    Mistake("户已撤销", "household_number", "该户已撤销", _closed),
)


def _in(home: str) -> Callable[[Row, Known], None]:
    def change(row: Row, known: Known) -> None:
        row |= {"household_number": f"自编{home}", "head_id_number": ""}

    return change


def _no_head(row: Row, known: Known) -> None:
    row |= {"household_number": "自编无户主", "relation": "子", "head_id_number": ""}


def _other_household(row: Row, known: Known) -> None:
    row |= {"name": known.spouse.name, "id_number": known.spouse.id_number, "relation": "子", "head_id_number": "",
            "household_number": known.numbers["other"]}  # fmt: skip


def _differs(row: Row, known: Known) -> None:
    row |= {
        "household_number": known.numbers["other"],
        "relation": "子",
        "head_id_number": "",
        "village": row["sequence"],
    }


def _dead(row: Row, known: Known) -> None:
    row |= {"name": known.dead.name, "id_number": known.dead.id_number, "relation": "兄", "head_id_number": "",
            "household_number": known.numbers["home"]}  # fmt: skip


_TOGETHER = (
    Mistake("同一人两行（第一行）", "id_number", "在文件中重复", same_person),
    Mistake("同一人两行（第二行）", "id_number", "在文件中重复", same_person),
)
REGISTER = (
    *_ID, *_PERSON, *_HOME, *_TOGETHER,
    Mistake("关系不在代码表中", "relation", "不在代码表中", put("relation", "邻居")),
    Mistake("关系未填", "relation", "未填写", put("relation", "")),
    Mistake("户主身份证号校验位错误", "head_id_number", "校验位不正确",
            put("head_id_number", lambda row, _: bad_check(row["head_id_number"]))),
    Mistake("一户两位户主（第一行）", "relation", "几位户主", _in("甲")),
    Mistake("一户两位户主（第二行）", "relation", "几位户主", _in("甲")),
    Mistake("新户没有户主", "relation", "没有户主行", _no_head),
    Mistake("登记在另一户", "household_number", "登记在本乡镇另一户", _other_household),
    Mistake("同一户的嘎查村不一致（第一行）", "household_number", "不一致", _differs),
    Mistake("同一户的嘎查村不一致（第二行）", "household_number", "不一致", _differs),
    Mistake("登记为死亡的人员有变动", "id_number", "登记为死亡", _dead),
)  # fmt: skip
HOUSEHOLDS = tuple(
    one if one.title != "不是登记的户主" else Mistake(one.title, "id_number", one.says, one.change)
    for one in (*_ID, *_PERSON, *_HOME, *_TOGETHER)
)


def _no_tie(row: Row, known: Known) -> None:
    row |= {"household_number": "", "head_id_number": ""}


MEMBERS = (
    *_ID, *_PERSON,
    Mistake("关系不在代码表中", "relation", "不在代码表中", put("relation", "邻居")),
    Mistake("关系未填", "relation", "未填写", put("relation", "")),
    Mistake("户主身份证号校验位错误", "head_id_number", "校验位不正确",
            put("head_id_number", lambda row, _: bad_check(row["id_number"]))),
    Mistake("没有户编号和户主身份证号", "household_number", "不知道属于哪一户", _no_tie),
    Mistake("没有登记这一户", "household_number", "没有登记这一户", put("household_number", "H000")),
    Mistake("户已撤销", "household_number", "该户已撤销", put("household_number", lambda _, k: k.numbers["closed"])),
    Mistake("登记在另一户", "household_number", "登记在本乡镇另一户", _other_household),
    Mistake("登记为死亡的人员有变动", "id_number", "登记为死亡", _dead),
    Mistake("同一人两行（第一行）", "id_number", "在文件中重复", put("id_number", SAME)),
    Mistake("同一人两行（第二行）", "id_number", "在文件中重复", put("id_number", SAME)),
)  # fmt: skip


def _of(number: str) -> Callable[[Row, Known], None]:
    def change(row: Row, known: Known) -> None:
        row |= {"household_number": number if number == "H000" else known.numbers[number]}

    return change


ASSETS = (
    Mistake("种类未填", "asset_kind", "未填写", put("asset_kind", "")),
    Mistake("种类不在代码表中", "asset_kind", "不在代码表中", put("asset_kind", "飞机")),
    Mistake("数量为零", "quantity", "为零", put("quantity", 0)),
    Mistake("数量为负数", "quantity", "为负数", put("quantity", -3.5)),
    Mistake("数量是文字", "quantity", "不是数字", put("quantity", "约三十亩")),
    Mistake("数量有四位小数", "quantity", "超过 3 位小数", put("quantity", 1.2345)),
    Mistake("数量过大", "quantity", "数值过大", put("quantity", 9_000_000.0)),
    Mistake("数量未填", "quantity", "未填写", put("quantity", "")),
    Mistake("数量是错误值 #N/A", "quantity", "错误值", put("quantity", ERROR)),
    Mistake("数量的公式没有结果", "quantity", "公式没有计算结果", put("quantity", FORMULA)),
    Mistake("登记日期未填", "as_of", "未填写", put("as_of", "")),
    Mistake("登记日期不是日期", "as_of", "不是日期", put("as_of", "去年")),
    Mistake("登记日期不存在", "as_of", "不是日期", put("as_of", "2024-02-30")),
    Mistake("登记日期晚于今天", "as_of", "晚于今天", put("as_of", "2999-01-01")),
    Mistake("来源过长", "source", "超过 200 个字", put("source", LONG)),
    Mistake("权证号过长", "certificate_number", "超过 200 个字", put("certificate_number", LONG)),
    Mistake("没有户编号和户主身份证号", "household_number", "不知道属于哪一户", put("household_number", "")),
    Mistake("没有登记这一户", "household_number", "没有登记这一户", _of("H000")),
    Mistake("户已撤销", "household_number", "该户已撤销", _of("closed")),
    Mistake("户主身份证号校验位错误", "head_id_number", "校验位不正确", put("head_id_number", bad_check(SAME))),
    Mistake("户主身份证号存成数字", "head_id_number", "末尾几位已丢失", put("head_id_number", 150430198001011200.0)),
    Mistake("同一户同一权证两行（第一行）", "asset_kind", "重复", put("certificate_number", "重复")),
    Mistake("同一户同一权证两行（第二行）", "asset_kind", "重复", put("certificate_number", "重复")),
)


def _dead_holder(row: Row, known: Known) -> None:
    row |= {"name": known.dead.name, "id_number": known.dead.id_number}


ACCOUNTS = (
    *_ID,
    Mistake("姓名与登记的不一致", "name", "与登记的姓名不一致", put("name", "王大国")),
    Mistake("不在基础信息库的人员", "id_number", "不在本乡镇基础信息库", put("id_number", SAME)),
    Mistake("持有人已死亡", "id_number", "登记为死亡", _dead_holder),
    Mistake("账号未填", "account_number", "未填写", put("account_number", "")),
    Mistake("账号位数不对", "account_number", "不是 16–19 位数字", put("account_number", "62173700")),
    Mistake("账号中有字母", "account_number", "不是 16–19 位数字", put("account_number", "62173700000000000O1")),
    Mistake("账号校验位错误", "account_number", "未通过校验", put("account_number", "6217370000000000015")),
    Mistake("账号存成数字（6.2E+18）", "account_number", "末尾几位已丢失",
            put("account_number", 6217370000000000000.0)),
    Mistake("账号是错误值 #N/A", "account_number", "错误值", put("account_number", ERROR)),
    Mistake("账号的公式没有结果", "account_number", "公式没有计算结果", put("account_number", FORMULA)),
    Mistake("开户银行未填", "bank_name", "未填写", put("bank_name", "")),
    Mistake("开户银行不在名录中", "bank_name", "不在代理金融机构名录中", put("bank_name", "火星银行")),
    Mistake("账号已登记在他人名下", "account_number", "已登记在其他人名下",
            put("account_number", lambda _, known: known.card)),
    Mistake("同一账号两行（第一行）", "account_number", "在文件中重复", put("account_number", "6217370000000000014")),
    Mistake("同一账号两行（第二行）", "account_number", "在文件中重复", put("account_number", "6217370000000000014")),
)  # fmt: skip

MISTAKES = {
    ImportSubject.REGISTER: REGISTER, ImportSubject.HOUSEHOLDS: HOUSEHOLDS, ImportSubject.MEMBERS: MEMBERS,
    ImportSubject.ASSETS: ASSETS, ImportSubject.ACCOUNTS: ACCOUNTS,
}  # fmt: skip


def right_row(subject: ImportSubject, known: Known, place: int) -> Row:
    """Return a row without a mistake."""
    number = factories.an_id_number()
    person = {
        "sequence": str(place),
        "name": f"甲乙{'丙丁戊己庚辛'[place % 6]}",
        "id_number": number,
        "ethnicity": "汉",
    }
    home = {"village": "东村", "group_name": "一组", "address": "1 号", "hukou_kind": "农业"}
    match subject:
        case ImportSubject.REGISTER:
            return person | home | {"relation": "户主", "head_id_number": number}
        case ImportSubject.HOUSEHOLDS:
            return person | home
        case ImportSubject.MEMBERS:
            return person | {"household_number": known.numbers["home"], "relation": "子"}
        case ImportSubject.ASSETS:
            return {"sequence": str(place), "household_number": known.numbers["home"], "asset_kind": "承包耕地",
                    "quantity": 10.5, "unit": "亩", "as_of": "2024-01-01",
                    "certificate_number": f"证{place}"}  # fmt: skip
    return {"sequence": str(place), "name": known.head.name, "id_number": known.head.id_number,
            "account_number": factories.a_card_number(), "bank_name": "农村信用社"}  # fmt: skip


def build(subject: ImportSubject, known: Known) -> bytes:
    """Return the workbook of all mistakes of a register, one a row."""
    template, rows = TEMPLATES[subject], []
    for place, mistake in enumerate(MISTAKES[subject]):
        row = right_row(subject, known, place)
        mistake.change(row, known)
        rows.append(row)
    book = openpyxl.load_workbook(io.BytesIO(workbook(subject, [{}] * len(rows))))
    sheet = book.worksheets[0]
    for number, row in enumerate(rows, FIRST):
        for column, one in enumerate(template.fields, 1):
            if row.get(one.name, "") == "":
                sheet.cell(number, column).value = None
                continue
            cell = sheet.cell(number, column)
            cell.value = row[one.name]
            if cell.value == ERROR:
                cell.data_type = "e"
    buffer = io.BytesIO()
    book.save(buffer)
    return buffer.getvalue()


def cell_of(subject: ImportSubject, place: int) -> str:
    """Return where the place-th mistake is to be reported."""
    names = [one.name for one in TEMPLATES[subject].fields]
    return f"{column_letter(names.index(MISTAKES[subject][place].column))}{FIRST + place}"


def as_markdown() -> str:
    """Return the table of all mistakes."""
    lines = ["| 登记表 | 问题 | 标注的列 | 提示中写明 |", "|---|---|---|---|"]
    for subject, mistakes in MISTAKES.items():
        titles = {one.name: one.title for one in TEMPLATES[subject].fields}
        lines += [f"| {subject.label} | {one.title} | {titles[one.column]} | {one.says} |" for one in mistakes]
    return "\n".join(lines)


if __name__ == "__main__":
    text = DOCS.read_text(encoding="utf-8")
    before, after = text.split(START)[0], text.split(END)[1]
    DOCS.write_text(f"{before}{START}\n{as_markdown()}\n{END}{after}", encoding="utf-8")
