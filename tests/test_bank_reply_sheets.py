"""The workbooks in which a bank answers: what is written is read, what is wrong is said, nothing is dropped."""

from datetime import date
from io import BytesIO
from typing import Any

import pytest
import xlsxwriter
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from models.bank_replies import ReplyKind
from policies.identities import luhn_digit
from reports.sheets.bank_replies import STATES, TEMPLATES, choices, said, write_template
from reports.sheets.bank_reply_reader import ReplySheet, Row

TODAY = date(2026, 11, 24)
SLOW = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def card(number: int) -> str:
    body = f"621737{number:012d}"
    return body + luhn_digit(body)


def read(kind: ReplyKind, content: bytes) -> tuple[list[Row], ReplySheet]:
    sheet = ReplySheet(kind, content, "回复.xlsx", TODAY)
    rows = [row for chunk in sheet.chunks(3) for row in chunk]
    sheet.finish()
    return rows, sheet


def cells(headers: list[str], *rows: list[Any]) -> bytes:
    """A workbook of one sheet as a bank's own system would write it."""
    buffer = BytesIO()
    book = xlsxwriter.Workbook(buffer, {"in_memory": True, "strings_to_formulas": False})
    sheet = book.add_worksheet("Sheet1")
    for number, row in enumerate([headers, *rows]):
        for column, value in enumerate(row):
            sheet.write(number, column, value)
    book.close()
    return buffer.getvalue()


ACCOUNTS = some.lists(some.integers(0, 10**9), unique=True, min_size=1, max_size=12).map(
    lambda numbers: [card(number) for number in numbers]
)


class TestWrittenIsRead:
    @pytest.mark.parametrize("kind", [ReplyKind.ANSWERS, ReplyKind.NOTICES])
    @SLOW
    @given(data=some.data(), accounts=ACCOUNTS)
    def test_every_account_and_word_comes_back(self, kind: ReplyKind, data: some.DataObject, accounts: list[str]):
        states = data.draw(some.lists(some.sampled_from(choices(kind)), min_size=len(accounts), max_size=len(accounts)))
        told = [{"account_number": number, "state": word} for number, (_, word) in zip(accounts, states, strict=True)]
        rows, sheet = read(kind, write_template(kind, told))
        assert sheet.findings.problems == []
        assert [(row.key, row.state) for row in rows] == [
            (number, state) for number, (state, _) in zip(accounts, states, strict=True)
        ]

    @SLOW
    @given(
        payments=some.dictionaries(
            some.text("ABCDEFL0123456789", min_size=1, max_size=35),
            some.tuples(some.integers(1, 89_999_999), some.sampled_from(("成功", "失败", "处理中"))),
            min_size=1,
            max_size=12,
        )
    )
    def test_every_payment_comes_back_to_the_fen(self, payments: dict[str, tuple[int, str]]):
        told = [
            {"reference": key, "amount": fen / 100, "state": word, "code": "AC04" if word == "失败" else ""}
            for key, (fen, word) in payments.items()
        ]
        rows, sheet = read(ReplyKind.RESULTS, write_template(ReplyKind.RESULTS, told))
        assert sheet.findings.problems == []
        assert {row.key: (row.amount_fen, said(ReplyKind.RESULTS, row.state)) for row in rows} == payments


CELL = some.one_of(
    some.text(max_size=24),
    some.integers(-(10**20), 10**20),
    some.floats(allow_nan=False, allow_infinity=False),
    some.booleans(),
    some.sampled_from(["合计", "验证通过", "成功", "失败", card(7), "=1+1", "#N/A", ""]),
)


class TestHostileCells:
    @pytest.mark.parametrize("kind", list(ReplyKind))
    @SLOW
    @given(data=some.data())
    def test_a_row_is_read_soundly_or_named_with_what_is_wrong(self, kind: ReplyKind, data: some.DataObject):
        headers = [field.title for field in TEMPLATES[kind].fields]
        width = len(headers)
        content = cells(headers, *data.draw(some.lists(some.lists(CELL, min_size=width, max_size=width), max_size=6)))
        rows, sheet = read(kind, content)
        named = {finding.row for finding in sheet.findings.problems}
        for row in rows:
            whole = row.key and row.state in set(STATES[kind].values())
            assert whole or row.number in named or 0 in named
        if any(not row.sound for row in rows) or not rows:
            assert sheet.findings.problems


class TestWords:
    def test_a_banks_own_columns_in_any_order_are_understood(self):
        content = cells(["状态", "备注", "银行卡号"], ["户名不一致", "张三/张山", card(1)])
        [row], sheet = read(ReplyKind.ANSWERS, content)
        assert (row.state, row.words, sheet.findings.problems) == ("name_differs", "张三/张山", [])

    @pytest.mark.parametrize(
        ("value", "what"),
        [
            (6217370000000000018, "末尾几位已丢失"),
            ("62173", "不是 16–19 位数字"),
            ("", "账号未填写"),
        ],
    )
    def test_an_account_number_that_lost_its_digits_is_refused(self, value: Any, what: str):
        _, sheet = read(ReplyKind.ANSWERS, cells(["账号", "验证结果", "说明"], [value, "验证通过", "x"]))
        assert [what in problem.what for problem in sheet.findings.problems] == [True]

    def test_a_failure_without_reason_and_a_day_to_come_are_named_by_cell(self):
        headers = ["支付标识", "金额", "发放结果", "原因代码", "结果日期"]
        rows = [["E1", 10.0, "失败", "", ""], ["E2", 10.0, "成功", "", "2027-01-01"], ["E1", 1.005, "成功", "", "昨天"]]
        _, sheet = read(ReplyKind.RESULTS, cells(headers, *rows))
        found = {(problem.cell, problem.what) for problem in sheet.findings.problems}
        assert found == {
            ("C2", "失败没有写明原因"),
            ("E3", "结果日期晚于今天"),
            ("B4", "金额超过 2 位小数"),
            ("E4", "结果日期无法识别"),
            ("A2", "同一支付标识出现 2 次"),
            ("A4", "同一支付标识出现 2 次"),
        }

    def test_a_sheet_without_its_columns_says_which_are_wanted(self):
        _, sheet = read(ReplyKind.NOTICES, cells(["甲", "乙", "丙"], ["1", "2", "3"]))
        [problem] = sheet.findings.problems
        assert "账号、账户状态" in problem.remedy
