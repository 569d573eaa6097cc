"""The example workbooks of `examples/`: rosters that fit the demo's registry, and one with mistakes to be found.

They are made from the population by the same seed, so they match the seeded registry to the fen; `write_all` makes
them again byte for byte. 双井村 of 贝子府镇 has a roster of its own: once broken, once corrected.
"""

import io
import re
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

import openpyxl
from openpyxl.worksheet.worksheet import Worksheet

from demo.peculiar import EXTRA_AREA
from demo.people import GRASSLAND, LAND, PERIOD, PLACES, Home, Person, Population
from demo.population import population
from demo.seed import standard_of
from policies.identities import id_check
from reports.sheets.templates import GENERIC, Template, write_sheet
from reports.sheets.templates import LAND as LAND_SHEET

FOLDER = Path(__file__).parent.parent / "examples"
CHANGSHENG, BEIZIFU, AORUNSUMO, BIELIGUTAI = PLACES
SUPPLEMENT_VILLAGE = BEIZIFU.villages[-1]
CENT = Decimal("0.01")

Row = dict[str, Any]


@dataclass(frozen=True)
class Example:
    """One workbook: its file, the project, the township whose clerk imports it, and what it shows."""

    file: str
    project: str
    township: str
    about: str
    rows: Callable[[Population], list[Row]]
    broken: bool = False

    @property
    def template(self) -> Template:
        """Return the columns of its sheet."""
        return LAND_SHEET if self.project == LAND else GENERIC

    @property
    def place_name(self) -> str:
        """Return the township's name."""
        return next(place.name for place in PLACES if place.code == self.township)

    @property
    def title(self) -> str:
        """Return the title on the sheet."""
        name = "耕地地力保护补贴" if self.project == LAND else "草原生态保护补助奖励"
        return f"{self.place_name}{PERIOD}年{name}发放清册"

    def content(self, people: Population) -> bytes:
        """Return the workbook."""
        rows = self.rows(people)
        made = write_sheet(self.template, self.title, rows, unit=f"{self.place_name}人民政府", total=True)
        return settled(_spoil(made, self.template, people) if self.broken else made)


def land_rows(homes: Iterable[Home], extra: Mapping[str, Decimal]) -> list[Row]:
    """Return the rows of a roster of the land subsidy; `extra` raises the area of some households."""
    rows = []
    for number, home in enumerate(homes, 1):
        land, head, standard = home.land, home.head, standard_of(home.county_code, LAND)
        quantity = land.subsidised + extra.get(home.number, Decimal(0))
        row = {
            "sequence": number,
            "village": home.village,
            "group_name": home.group,
            "name": head.name,
            "id_number": head.id_number,
            "contracted_area": land.contracted,
            "excluded_area": land.excluded,
            "leased_in": land.leased_in,
            "leased_out": land.leased_out,
        }
        rows.append(row | _payment(head, quantity, standard))
    return rows


def grassland_rows(homes: Iterable[Home]) -> list[Row]:
    """Return the rows of a roster of the grassland subsidy, in the generic form: households with grassland only."""
    rows = []
    for number, home in enumerate((home for home in homes if home.land.grassland), 1):
        head, standard = home.head, standard_of(home.county_code, GRASSLAND)
        row = {
            "sequence": number,
            "head_name": head.name,
            "head_id_number": head.id_number,
            "payee_id_number": head.id_number,
            "village": home.village,
            "group_name": home.group,
            "name": head.name,
            "id_number": head.id_number,
            "filled_on": f"{PERIOD}-06-05",
        }
        rows.append(row | _payment(head, home.land.grassland, standard))
    return rows


def _payment(head: Person, quantity: Decimal, standard: Decimal) -> Row:
    amount = (quantity * standard).quantize(CENT, ROUND_HALF_UP)
    return {
        "quantity": quantity,
        "standard": standard,
        "amount": amount,
        "payee_name": head.name,
        "account_number": head.card.number if head.card else "",
        "bank_name": head.card.bank_name if head.card else "",
        "phone": head.phone,
    }


def _changsheng(people: Population) -> list[Row]:
    extra = {people.peculiar["area_above_contract"].home_number: EXTRA_AREA}
    return land_rows(people.of(CHANGSHENG.code), extra)


def _beizifu(people: Population) -> list[Row]:
    return land_rows((home for home in people.of(BEIZIFU.code) if home.village != SUPPLEMENT_VILLAGE), {})


def _supplement(people: Population) -> list[Row]:
    return land_rows((home for home in people.of(BEIZIFU.code) if home.village == SUPPLEMENT_VILLAGE), {})


def _aorunsumo(people: Population) -> list[Row]:
    return land_rows(people.of(AORUNSUMO.code), {})


EXAMPLES = (
    Example("changsheng-land-2026.xlsx", LAND, CHANGSHENG.code, "长胜镇耕地地力保护补贴，含全部特殊对象", _changsheng),
    Example("beizifu-land-2026.xlsx", LAND, BEIZIFU.code, "贝子府镇耕地地力保护补贴（双井村另册）", _beizifu),
    Example("aorunsumo-land-2026.xlsx", LAND, AORUNSUMO.code, "敖润苏莫苏木耕地地力保护补贴，含长姓名", _aorunsumo),
    Example(
        "shuangjing-land-2026-broken.xlsx", LAND, BEIZIFU.code,
        "贝子府镇双井村耕地地力保护补贴，有多处问题，整份退回并标注", _supplement, broken=True,
    ),
    Example(
        "shuangjing-land-2026.xlsx", LAND, BEIZIFU.code, "上一份更正后的清册（贝子府镇双井村）", _supplement
    ),
    Example(
        "aorunsumo-grassland-2026.xlsx", GRASSLAND, AORUNSUMO.code, "敖润苏莫苏木草原生态保护补助奖励，通用样式",
        lambda people: grassland_rows(people.of(AORUNSUMO.code)),
    ),
    Example(
        "bieligutai-grassland-2026.xlsx", GRASSLAND, BIELIGUTAI.code, "阿巴嘎旗别力古台镇草原生态保护补助奖励",
        lambda people: grassland_rows(people.of(BIELIGUTAI.code)),
    ),
)  # fmt: skip


def write_all(folder: Path = FOLDER) -> list[Path]:
    """Write all examples and their list; return the files."""
    folder.mkdir(exist_ok=True)
    people = population()
    files = []
    for example in EXAMPLES:
        file = folder / example.file
        file.write_bytes(example.content(people))
        files.append(file)
    (folder / "README.md").write_text(_read_me(people), encoding="utf-8")
    return files


# --- the broken one -----------------------------------------------------------------------------------------------

Spoil = Callable[[Worksheet, Callable[[str], int], int, Population], None]


def _set(name: str, value: Any) -> Spoil:
    def spoil(sheet: Worksheet, column: Callable[[str], int], row: int, people: Population) -> None:
        cell = sheet.cell(row, column(name))
        cell.value = value(cell.value, people) if callable(value) else value

    return spoil


def _error(sheet: Worksheet, column: Callable[[str], int], row: int, people: Population) -> None:
    cell = sheet.cell(row, column("quantity"))
    cell.value, cell.data_type = "#N/A", "e"


def _twice(sheet: Worksheet, column: Callable[[str], int], row: int, people: Population) -> None:
    for name in ("name", "id_number", "payee_name", "account_number", "quantity", "amount"):
        sheet.cell(row, column(name)).value = sheet.cell(row - 1, column(name)).value


def _formula(sheet: Worksheet, column: Callable[[str], int], row: int, people: Population) -> None:
    area, standard = (sheet.cell(row, column(name)).coordinate for name in ("quantity", "standard"))
    sheet.cell(row, column("amount")).value = f"=ROUND({area}*{standard},2)"


def _other_check(number: str, _: Population) -> str:
    return number[:17] + ("0" if number[17] != "0" else "1")


def _stranger(_: str, __: Population) -> str:
    return "15043019700101989" + id_check("15043019700101989")


def _elsewhere(_: str, people: Population) -> str:
    return people.of(CHANGSHENG.code)[3].head.id_number


def _full_width(number: str, _: Population) -> str:
    return number.translate({ord("0") + digit: ord("０") + digit for digit in range(10)})


SPOILS: tuple[tuple[int, str, Spoil], ...] = (
    (2, "身份证号校验位不正确", _set("id_number", _other_check)),
    (4, "身份证号不在基础信息库中", _set("id_number", _stranger)),
    (6, "该人员由长胜镇登记", _set("id_number", _elsewhere)),
    (9, "补贴金额不等于面积 × 标准", _set("amount", lambda amount, _: amount + 0.01)),
    (12, "金额栏填写了文字", _set("amount", "见附件")),
    (15, "18 位身份证号以数字形式保存", _set("id_number", lambda number, _: int(number[:17]) * 10)),
    (18, "单元格是错误值 #N/A", _error),
    (21, "公式没有计算结果", _formula),
    (24, "金额为负数", _set("amount", lambda amount, _: -amount)),
    (27, "金额有三位小数", _set("amount", lambda amount, _: amount + 0.005)),
    (31, "同一人重复", _twice),
    (34, "账号没有登记在收款人名下", _set("account_number", lambda number, people: people.homes[5].head.card.number)),
    (38, "姓名与登记的不一致", _set("name", lambda name, _: name + "吉")),
    (41, "补贴标准与公布的不一致", _set("standard", 76.3)),
    (44, "收款人不是本人或户主", _set("payee_name", "赵代领")),
    (47, "全角数字的身份证号（自动更正，不算问题）", _set("id_number", _full_width)),
)
"""Row counted from the first household, what an officer would say of it, and how it comes about."""


def _spoil(content: bytes, template: Template, people: Population) -> bytes:
    book = openpyxl.load_workbook(io.BytesIO(content))
    sheet = book.worksheets[0]
    names = [field.name for field in template.fields]
    first = next(cell.row for cell in sheet["A"] if cell.value == 1)
    for place, _, spoil in SPOILS:
        spoil(sheet, lambda name: names.index(name) + 1, first + place - 1, people)
    buffer = io.BytesIO()
    book.save(buffer)
    return buffer.getvalue()


def settled(content: bytes) -> bytes:
    """Return a workbook without the moment at which it was made: the same data give the same bytes."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as new:
        for name, part in _parts(old):
            entry = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            entry.compress_type = zipfile.ZIP_DEFLATED
            new.writestr(entry, part)
    return buffer.getvalue()


def _parts(archive: zipfile.ZipFile) -> Iterator[tuple[str, bytes]]:
    for name in archive.namelist():
        part = archive.read(name)
        if name == "docProps/core.xml":
            part = re.sub(rb">\d{4}-\d\d-\d\dT[\d:]+Z<", b">2026-06-05T01:00:00Z<", part)
        yield name, part


def _read_me(people: Population) -> str:
    lines = [
        "# 示例清册",
        "",
        "由 `demo/examples.py` 按演示人口（固定种子）生成，与演示数据库的基础信息完全对应。人员和各种号码均为虚构。",
        "",
        "| 文件 | 项目 | 说明 | 明细 |",
        "|---|---|---|---:|",
    ]
    for example in EXAMPLES:
        rows = len(example.rows(people))
        lines.append(f"| `{example.file}` | {example.project} | {example.about} | {rows} |")
    lines += ["", "## 有问题的一份里放了什么", "", "| 第几户 | 问题 |", "|---:|---|"]
    lines += [f"| {place} | {about} |" for place, about, _ in SPOILS]
    lines += ["", "此外，合计行没有随之更正。", "", "## 特殊对象（长胜镇）", "", "| 户编号 | 情形 |", "|---|---|"]
    lines += [f"| {peculiar.home_number} | {peculiar.title} |" for peculiar in people.peculiar.values()]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    write_all()
