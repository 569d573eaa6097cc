"""Cells of the registry's workbooks to values, a whole column at a time: names, codes, dates. （第十一条）"""

import re
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from difflib import get_close_matches
from functools import lru_cache
from typing import Any

from models.households import AssetKind, HukouKind
from policies.codes import ETHNICITIES, HEAD, RELATIONS, SELF, SEXES
from policies.identities import half_width, luhn_valid
from policies.person_fields import LANDLINE, MOBILE, FieldWrong, a_name
from reports.sheets import cells
from reports.sheets.cells import BLANK, Column, text_of
from reports.sheets.templates import label_key

LONGEST_TEXT = 200
LOST_DIGITS = "以科学计数法或数字形式保存，末尾几位已丢失"
_SCIENTIFIC = re.compile(r"\d(\.\d+)?[Ee]\+?\d{1,2}")
_DATE = re.compile(r"(\d{4})[-/.年](\d{1,2})[-/.月](\d{1,2})日?|(\d{4})(\d{2})(\d{2})")

_OTHER_RELATIONS = {
    "丈夫": "11", "妻子": "12", "儿子": "20", "女儿": "30", "媳妇": "38", "孙": "41", "孙儿": "41", "父": "51",
    "母": "52",
    "爸爸": "51", "妈妈": "52", "公婆": "50", "爷爷": "61", "奶奶": "62", "外公": "63", "外婆": "64", "姥爷": "63",
    "姥姥": "64", "哥哥": "71", "嫂子": "72", "弟弟": "73", "弟妹": "74", "姐": "75", "妹": "77", "兄弟": "70",
    "姐妹": "70",
    "之妻": "12", "之夫": "11", "之子": "20", "之女": "30", "配偶(妻)": "12", "配偶(夫)": "11", "长孙": "41",
    "外孙": "43",
    "养子": "27", "继子": "27", "养女": "37", "继女": "37", "其它": "80", "无亲属关系": "99", "女儿(长女)": "32",
    "孙子或外孙子": "40", "外孙女儿": "44", "孙媳": "45", "孙媳妇": "45", "孙女婿": "46", "曾孙": "47", "曾孙女": "48",
    "侄": "93", "侄儿": "93", "甥": "95", "伯": "81", "叔": "83", "叔叔": "83", "舅舅": "85", "姨": "88", "姑": "90",
}  # fmt: skip
"""How registers also write a relation."""
_OTHER_HUKOU = {
    "农业": HukouKind.RURAL, "农业户口": HukouKind.RURAL, "农村": HukouKind.RURAL, "牧业": HukouKind.RURAL,
    "牧业户口": HukouKind.RURAL, "农牧区": HukouKind.RURAL, "农牧业": HukouKind.RURAL, "农业家庭户口": HukouKind.RURAL,
    "非农业": HukouKind.URBAN, "非农": HukouKind.URBAN, "城镇": HukouKind.URBAN, "非农业户口": HukouKind.URBAN,
    "城镇户口": HukouKind.URBAN, "居民": HukouKind.RESIDENT, "居民家庭户口": HukouKind.RESIDENT,
    "集体": HukouKind.COLLECTIVE,
}  # fmt: skip
_OTHER_ASSETS = {
    "耕地": AssetKind.CONTRACTED_LAND, "承包地": AssetKind.CONTRACTED_LAND, "草原": AssetKind.GRASSLAND,
    "草场": AssetKind.GRASSLAND, "草牧场": AssetKind.GRASSLAND, "流转入": AssetKind.LEASED_IN,
    "流转出": AssetKind.LEASED_OUT, "牲畜存栏": AssetKind.LIVESTOCK, "森林": AssetKind.FOREST,
    "不予补贴面积": AssetKind.EXCLUDED_LAND,
}  # fmt: skip


def _known(codes: Mapping[str, str], others: Mapping[str, Any]) -> dict[str, str]:
    found = {label_key(label): str(code) for code, label in codes.items()}
    found |= {code: code for code in codes}
    return found | {label_key(label): str(code) for label, code in others.items()}


def _kinds(kinds: type[Any], others: Mapping[str, Any]) -> dict[str, str]:
    return _known({str(kind): kind.label for kind in kinds}, others)


RELATION_CODES = _known(RELATIONS, _OTHER_RELATIONS) | {
    code.lstrip("0"): code for code in RELATIONS if code.startswith("0")
}
ETHNICITY_CODES = (
    _known(ETHNICITIES, {name.removesuffix("族"): code for code, name in ETHNICITIES.items()})
    | {code.lstrip("0"): code for code in ETHNICITIES if code.startswith("0")}
    | {"蒙": "02", "汉": "01", "达": "31", "鄂温克": "45", "鄂伦春": "52"}
)
SEX_CODES = _known(SEXES, {"男性": "1", "女性": "2"})
HUKOU_CODES = _kinds(HukouKind, _OTHER_HUKOU)
ASSET_CODES = _kinds(AssetKind, _OTHER_ASSETS)


def coded(values: Sequence[Any], codes: Mapping[str, str], what: str, *, required: bool = False) -> Column:
    """Return a column of codes from names or codes; blank stays blank unless the column is required."""
    column = Column([codes.get(value) if type(value) is str else None for value in values])
    for place, code in enumerate(column.values):
        if code is not None:
            continue
        text = text_of(values[place])
        found = codes.get(label_key(text)) if text else ""
        column.values[place] = found or ""
        if not text and required:
            column.problems[place] = BLANK
        elif found is None:
            column.problems[place] = f"{what}“{text[:12]}”不在代码表中{_near(text, codes)}"
    return column


def _near(text: str, codes: Mapping[str, str]) -> str:
    near = get_close_matches(text, [name for name in codes if not name.isascii()], 1, 0.5)
    return f"，是否为“{near[0]}”" if near else ""


def relations(values: Sequence[Any]) -> Column:
    """Return a column of relations; 本人 is the head of the household."""
    column = coded(values, RELATION_CODES, "与户主关系", required=True)
    for place, code in enumerate(column.values):
        if code == SELF:
            column.values[place] = HEAD
            column.notes[place] = "“本人”按“户主”读取"
    return column


def names(values: Sequence[Any]) -> Column:
    """Return a column of names as given; nobody's script or length is presumed."""
    column = Column([value if type(value) is str else text_of(value) for value in values])
    for place, name in enumerate(column.values):
        if not name.isprintable() or name[:1].isspace() or name[-1:].isspace():
            name = column.values[place] = text_of(name)
        if not name:
            column.problems[place] = BLANK
        elif problem := name_problem(name):
            column.problems[place] = problem
        elif not _in_gbk(name):
            column.notes[place] = "姓名中有 GBK 之外的字，照原样登记；个别银行的报文可能写不出，请核对"
    return column


@lru_cache(maxsize=65536)
def name_problem(name: str) -> str:
    """Return what can't be part of a name, as where one person is registered; '' when nothing is wrong."""
    if any(map(str.isdigit, name)):
        return "姓名中有数字"
    try:
        a_name(name)
    except FieldWrong as wrong:
        return f"姓名{wrong.fields['problem']}"
    return ""


@lru_cache(maxsize=65536)
def _in_gbk(name: str) -> bool:
    try:
        name.encode("gbk")
    except UnicodeEncodeError:
        # The middle dots that registers use are variants of one sign, not rare characters.
        return all(letter in "·•・‧∙⋅" or _one_in_gbk(letter) for letter in name)
    return True


def _one_in_gbk(letter: str) -> bool:
    try:
        letter.encode("gbk")
    except UnicodeEncodeError:
        return False
    return True


def texts(values: Sequence[Any], longest: int = LONGEST_TEXT) -> Column:
    """Return a column of texts."""
    column = Column([value if type(value) is str and value.isprintable() else text_of(value) for value in values])
    for place, text in enumerate(column.values):
        if len(text) > longest:
            column.problems[place] = f"超过 {longest} 个字"
    return column


def identities(values: Sequence[Any], today: date, *, required: bool = True) -> Column:
    """Return a column of identity numbers; what a spreadsheet has rounded away is said."""
    column, latest = cells.identities(values), f"{today:%Y%m%d}"
    for place, value in enumerate(values):
        if column.values[place][6:14] > latest:
            column.problems.setdefault(place, "身份证号中的出生日期晚于今天")
        if value == "" and not required:
            column.problems.pop(place, None)
        elif type(value) is str and _SCIENTIFIC.fullmatch(value.strip()):
            column.problems[place] = f"身份证号{LOST_DIGITS}"
    return column


def accounts(values: Sequence[Any]) -> Column:
    """Return a column of card numbers; a miss of the check digit refuses the registration. （第十二条）"""
    column = cells.accounts(values)
    column.notes = {place: note for place, note in column.notes.items() if "校验" not in note}
    for place, number in enumerate(column.values):
        value = values[place]
        if not number:
            column.problems[place] = BLANK
        elif type(value) is str and _SCIENTIFIC.fullmatch(value.strip()):
            column.problems[place] = f"账号{LOST_DIGITS}"
        elif place not in column.problems and not luhn_valid(number):
            column.problems[place] = "账号未通过校验，不是社会保障卡账号"
    return column


def phones(values: Sequence[Any]) -> Column:
    """Return a column of telephone numbers."""
    column = Column(cells.texts(values))
    for place, text in enumerate(column.values):
        if not text or (text.isascii() and MOBILE.fullmatch(text)):
            continue
        number = re.sub(r"[\s()-]+", "", half_width(text)).removeprefix("+86")
        column.values[place] = number
        if not (MOBILE.fullmatch(number) or LANDLINE.fullmatch(number)):
            column.problems[place] = "不是 11 位手机号，也不是带区号的固定电话"
        elif number != text:
            column.notes[place] = "电话中的空格、横线或全角字符已规范"
    return column


def dates(values: Sequence[Any], latest: date, *, required: bool = False) -> Column:
    """Return a column of dates, none later than `latest`."""
    column = Column([None] * len(values))
    for place, value in enumerate(values):
        if value == "" or (isinstance(value, str) and not value.strip()):
            if required:
                column.problems[place] = BLANK
            continue
        day = _date(value)
        if day is None:
            column.problems[place] = "不是日期"
        elif day > latest:
            column.problems[place] = "日期晚于今天"
        else:
            column.values[place] = day
    return column


def _date(value: Any) -> date | None:
    if isinstance(value, datetime):
        return value.date()
    if isinstance(value, date):
        return value
    match = _DATE.fullmatch(half_width(text_of(value)).replace(" ", ""))
    if match is None:
        return None
    year, month, day = [int(part) for part in match.groups() if part]
    try:
        return date(year, month, day)
    except ValueError:
        return None
