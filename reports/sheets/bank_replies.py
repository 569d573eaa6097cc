"""The workbooks in which a bank without interface answers: columns, templates, words. （第十二、二十、二十一条）

The list we hand out is the form that comes back: the bank fills in its columns and returns the same workbook.
"""

from collections.abc import Iterable, Mapping
from io import BytesIO
from typing import Any

import xlsxwriter

from models.bank_replies import ReplyKind
from reports.sheets.templates import Field, Template, label_key

SHEET, GUIDE = "银行回复", "填写说明"
LISTED_ROWS = 5_000
"""Rows of an empty template that carry the drop-down list."""

ACCOUNT = Field(
    "account_number",
    "账号",
    True,
    ("社会保障卡号", "社保卡号", "银行账号", "银行卡号", "卡号", "收款账号", "账户账号"),
    width=23,
)
HOLDER = Field("name", "户名", synonyms=("姓名", "持卡人", "开户人", "收款人", "收款户名"), width=14)
WORDS = Field("words", "说明", synonyms=("备注", "银行说明", "失败原因", "原因", "原因说明"), width=30)
CODE = Field("code", "原因代码", synonyms=("失败代码", "代码", "错误代码"), width=12)
DAY = Field("settled_on", "结果日期", synonyms=("到账日期", "入账日期", "日期", "交易日期"), width=13)

ANSWERS = Template(
    "answers",
    "账户验证答复",
    (
        Field("sequence", "序号", synonyms=("编号",), width=7),
        ACCOUNT,
        HOLDER,
        Field("id_number", "证件号码", synonyms=("身份证号", "身份证号码"), width=21),
        Field("place", "所属地区", synonyms=("区划", "地区", "旗县"), width=22),
        Field("state", "验证结果", True, ("账户状态", "状态", "结果"), width=14),
        Field("is_card", "是否社会保障卡", synonyms=("社会保障卡", "社保卡", "是否社保卡"), width=12),
        WORDS,
    ),
)
NOTICES = Template(
    "notices",
    "不动户、销户通知",
    (
        Field("sequence", "序号", synonyms=("编号",), width=7),
        ACCOUNT,
        HOLDER,
        Field("state", "账户状态", True, ("状态", "通知内容", "结果"), width=14),
        WORDS,
    ),
)
RESULTS = Template(
    "results",
    "发放结果",
    (
        Field("sequence", "序号", synonyms=("编号",), width=7),
        Field("reference", "支付标识", True, ("端到端标识", "交易标识", "EndToEndId", "流水号"), width=30),
        HOLDER,
        Field("account_shown", "收款账号（脱敏）", synonyms=("收款账号", "账号"), width=23),
        Field("amount", "金额", True, ("发放金额", "实发金额", "金额(元)"), width=13, number=True),
        Field("state", "发放结果", True, ("结果", "状态", "处理结果"), width=12),
        CODE,
        WORDS,
        DAY,
    ),
)
TEMPLATES: dict[ReplyKind, Template] = {
    ReplyKind.ANSWERS: ANSWERS,
    ReplyKind.NOTICES: NOTICES,
    ReplyKind.RESULTS: RESULTS,
}

_SPOKEN: dict[ReplyKind, dict[str, tuple[str, ...]]] = {
    ReplyKind.ANSWERS: {
        "verified": ("验证通过", "通过", "已验证", "正常", "可用", "一致", "相符"),
        "unknown": ("查无此户", "账号不存在", "无此账户", "无此户", "不存在", "账号有误"),
        "closed": ("已销户", "销户", "注销"),
        "dormant": ("不动户", "未激活", "休眠户", "睡眠户", "久悬户"),
        "frozen": ("已冻结", "冻结", "止付", "挂失"),
        "name_differs": ("户名不符", "姓名不符", "户名不一致", "姓名不一致"),
        "wrong_kind": ("账户类别不符", "非社会保障卡", "不是社保卡", "非社保卡"),
    },
    ReplyKind.NOTICES: {
        "dormant": ("不动户", "未激活", "休眠户", "睡眠户", "久悬户"),
        "closed": ("已销户", "销户", "注销"),
        "name_differs": ("户名不符", "姓名不符", "户名不一致", "姓名不一致"),
    },
    ReplyKind.RESULTS: {
        "paid": ("成功", "发放成功", "已入账", "支付成功"),
        "failed": ("失败", "发放失败", "支付失败", "退票"),
        "pending": ("处理中", "未处理", "待处理"),
    },
}
"""State → the words by which banks say it; the first is ours."""

STATES: dict[ReplyKind, dict[str, str]] = {
    kind: {label_key(word): state for state, words in spoken.items() for word in words}
    for kind, spoken in _SPOKEN.items()
}
YES_NO = {"是": True, "有": True, "y": True, "yes": True, "1": True, "否": False, "n": False, "no": False, "0": False}


def said(kind: ReplyKind, state: str) -> str:
    """Return our word for a state."""
    return _SPOKEN[kind].get(state, (state,))[0]


def choices(kind: ReplyKind) -> tuple[tuple[str, str], ...]:
    """Return the states of a kind with our words, for a form's drop-down."""
    return tuple((state, words[0]) for state, words in _SPOKEN[kind].items())


GUIDES = {
    ReplyKind.ANSWERS: (
        "每行一个账户，“账号”和“验证结果”必填；其余列供核对，可不改动。",
        "验证结果填写：验证通过、查无此户、已销户、不动户、已冻结、户名不符、账户类别不符。",
        "账号须为文本格式；以数字形式保存的长账号末尾几位会丢失，将被退回。",
    ),
    ReplyKind.NOTICES: (
        "每行一个账户，“账号”和“账户状态”必填。",
        "账户状态填写：不动户、已销户、户名不符。",
        "有待发放资金的，平台按第二十一条转入激活重付或变更账户。",
    ),
    ReplyKind.RESULTS: (
        "每行一笔支付，“支付标识”“金额”“发放结果”必填；支付标识取自代发报文的 EndToEndId。",
        "发放结果填写：成功、失败、处理中；失败须填写原因代码（如 AC04）或失败原因。",
        "没有列出的明细仍视为未答复；同一批次可以分几次返回。",
    ),
}


def write_template(kind: ReplyKind, rows: Iterable[Mapping[str, Any]] = (), *, title: str = "") -> bytes:
    """Return the workbook of a kind of reply, empty or with the rows that wait for an answer.

    rows: values by field name; text is written as text, so that account numbers keep their digits.
    """
    template = TEMPLATES[kind]
    buffer = BytesIO()
    options = {"constant_memory": True, "strings_to_formulas": False, "strings_to_urls": False, "in_memory": False}
    book = xlsxwriter.Workbook(buffer, options)
    sheet = book.add_worksheet(SHEET)
    _write_head(book, sheet, template, title or template.title)
    text, money = book.add_format({"num_format": "@"}), book.add_format({"num_format": "0.00"})
    last = FIRST_ROW
    for place, row in enumerate(rows, FIRST_ROW):
        last = place
        for column, field in enumerate(template.fields):
            value = row.get(field.name, "")
            if isinstance(value, str):
                sheet.write_string(place, column, value, text)
            else:
                sheet.write_number(place, column, value, money if field.number else None)
    _offer_words(sheet, kind, template, max(last, FIRST_ROW + LISTED_ROWS))
    guide = book.add_worksheet(GUIDE)
    guide.set_column(0, 0, 90)
    for number, line in enumerate(GUIDES[kind]):
        guide.write_string(number, 0, line)
    book.close()
    return buffer.getvalue()


HEAD_ROW, FIRST_ROW = 1, 2


def _write_head(book: Any, sheet: Any, template: Template, title: str) -> None:
    head = book.add_format({"bold": True, "align": "center", "valign": "vcenter", "border": 1, "text_wrap": True})
    big = book.add_format({"bold": True, "font_size": 14})
    text = book.add_format({"num_format": "@"})
    sheet.freeze_panes(FIRST_ROW, 0)
    for column, field in enumerate(template.fields):
        sheet.set_column(column, column, field.width, None if field.number else text)
    sheet.write_string(0, 0, title, big)
    for column, field in enumerate(template.fields):
        sheet.write_string(HEAD_ROW, column, ("*" if field.required else "") + field.title, head)


def _offer_words(sheet: Any, kind: ReplyKind, template: Template, last: int) -> None:
    """Give the bank's columns their drop-down lists."""
    lists = {"state": [words[0] for words in _SPOKEN[kind].values()], "is_card": ["是", "否"]}
    for column, field in enumerate(template.fields):
        if field.name in lists:
            sheet.data_validation(FIRST_ROW, column, last, column, {"validate": "list", "source": lists[field.name]})
