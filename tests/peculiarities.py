"""The table of peculiar workbooks that the tests run and docs/workbooks.md shows, each with its outcome."""

from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from tests.workbooks import (
    COLUMNS,
    FIRST,
    Build,
    bad_check,
    blank_book,
    blank_tail,
    cell,
    edited,
    encrypted,
    extra,
    formula_with_value,
    full_width,
    generic,
    header,
    hidden,
    legacy,
    no_header,
    no_rows,
    numbered_tail,
    other_order,
    person,
    plain,
    repacked,
    second_page,
    second_sheet,
    stale,
    strict,
    subtotal_wrong,
    subtotals,
    text_number,
    twice,
    two_plots,
    village_heading,
    word,
)

REFUSED, NOTED, ACCEPTED = "退回", "接受并提示", "接受"


@dataclass(frozen=True)
class Peculiarity:
    """One peculiarity of workbooks and its outcome."""

    code: str
    title: str
    outcome: str
    where: str
    """The cell that is named: a column of the land template for its first row, or words."""
    says: str
    build: Build
    lines: int = 4
    cells: tuple[str, ...] = field(default=())

    @property
    def expected_cells(self) -> tuple[str, ...]:
        """Return the addresses that the findings must name."""
        if self.cells:
            return self.cells
        return (f"{COLUMNS[self.where]}{FIRST}",) if self.where in COLUMNS else ()

    @property
    def place(self) -> str:
        """Return where the finding points, for the docs."""
        return "、".join(self.expected_cells) or self.where


TABLE = (
    # fmt: off
    Peculiarity(
        "bad_checksum", "身份证号校验位错误", REFUSED, "id_number", "校验位不正确", cell("id_number", bad_check)
    ),
    Peculiarity(
        "id_too_short",
        "身份证号少一位",
        REFUSED,
        "id_number",
        "长度不是 18 位",
        cell("id_number", lambda p: p.known[0].id_number[:17]),
    ),
    Peculiarity(
        "id_no_date",
        "身份证号中的出生日期不存在",
        REFUSED,
        "id_number",
        "出生日期不存在",
        cell("id_number", "150430199002300015"),
    ),
    Peculiarity(
        "id_as_number",
        "18 位身份证号存成数字",
        REFUSED,
        "id_number",
        "末尾几位已丢失",
        cell("id_number", lambda p: int(p.known[0].id_number[:17] + "0")),
    ),
    Peculiarity(
        "account_as_number",
        "19 位账号存成数字（6.2E+18）",
        REFUSED,
        "account_number",
        "末尾几位已丢失",
        cell("account_number", lambda p: int(p.known[0].account_number)),
    ),
    Peculiarity(
        "account_length",
        "账号位数不对",
        REFUSED,
        "account_number",
        "不是 16–19 位数字",
        cell("account_number", "621737000012"),
    ),
    Peculiarity(
        "unknown_person",
        "不在基础信息库的人员",
        REFUSED,
        "id_number",
        "不在本乡镇补贴对象基础信息库",
        person(lambda p: p.stranger),
    ),
    Peculiarity(
        "other_township",
        "由其他乡镇登记的人员",
        REFUSED,
        "id_number",
        "登记，不在本乡镇",
        person(lambda p: p.elsewhere),
    ),
    Peculiarity("name_differs", "姓名与登记不一致", REFUSED, "name", "与登记的姓名", cell("name", "赵不同")),
    Peculiarity("twice", "同一发放权两行", REFUSED, "每一行", "同一人同一补贴重复", edited(twice), cells=("E5", "E6")),
    Peculiarity(
        "wrong_amount", "金额不等于面积 × 标准", REFUSED, "amount", "不等于数量 × 标准", cell("amount", 157.49)
    ),
    Peculiarity(
        "truncated_amount",
        "金额截尾而非四舍五入",
        REFUSED,
        "第二行",
        "不等于数量 × 标准",
        cell("amount", 154.99, FIRST + 1),
        cells=("L6",),
    ),
    Peculiarity(
        "wrong_standard", "标准与公布的不一致", REFUSED, "standard", "与公布的标准不一致", cell("standard", 16)
    ),
    Peculiarity("text_amount", "金额中有文字", REFUSED, "amount", "不是数字", cell("amount", "约一百五十元")),
    Peculiarity("date_amount", "金额是日期", REFUSED, "amount", "不是数字", cell("amount", date(2026, 6, 30))),
    Peculiarity("negative", "金额为负数", REFUSED, "amount", "为负数", cell("amount", -157.5)),
    Peculiarity("zero", "面积为零", REFUSED, "quantity", "为零", cell("quantity", 0)),
    Peculiarity("three_decimals", "金额有三位小数", REFUSED, "amount", "超过 2 位小数", cell("amount", 157.505)),
    Peculiarity("blank_required", "必填单元格为空", REFUSED, "name", "未填写", cell("name", None)),
    Peculiarity("error_cell", "错误值 #N/A", REFUSED, "amount", "错误值", cell("amount", "#N/A")),
    Peculiarity(
        "error_account", "选填列中的错误值", REFUSED, "account_number", "错误值", cell("account_number", "#N/A")
    ),
    Peculiarity(
        "formula_no_value",
        "公式没有计算结果",
        REFUSED,
        "amount",
        "公式没有计算结果",
        cell("amount", f"=J{FIRST}*K{FIRST}"),
    ),
    Peculiarity(
        "unregistered_account",
        "账号未登记",
        REFUSED,
        "account_number",
        "没有登记在收款人名下",
        cell("account_number", "6217370000000009998"),
    ),
    Peculiarity(
        "foreign_payee", "收款人不是本人或户主", REFUSED, "payee_name", "不是本人或户主", cell("payee_name", "钱路人")
    ),
    Peculiarity("missing_header", "缺少必填列", REFUSED, "表头", "缺少必填列“身份证号”", header("id_number", None)),
    Peculiarity(
        "unknown_header",
        "必填列改成了不认识的名称",
        REFUSED,
        "表头",
        "缺少必填列“补贴金额”",
        header("amount", "补贴款金额数"),
    ),
    Peculiarity("repeated_header", "同一列出现两次", REFUSED, "表头", "列重复", header("note", "补贴金额")),
    Peculiarity(
        "wrong_total",
        "合计与明细之和不符",
        REFUSED,
        "合计行",
        "合计与明细之和不符",
        cell("amount", 700, FIRST + 4),
        cells=("L9",),
    ),
    Peculiarity(
        "wrong_subtotal",
        "小计与明细之和不符",
        REFUSED,
        "小计行",
        "合计与明细之和不符",
        edited(subtotal_wrong),
        cells=("L7",),
    ),
    Peculiarity(
        "two_rosters",
        "两张清册工作表",
        REFUSED,
        "整个文件",
        "有 2 张工作表都像清册",
        lambda p: second_sheet(p, "roster"),
    ),
    Peculiarity("no_rows", "只有表头没有明细", REFUSED, "整个文件", "清册没有明细行", edited(no_rows)),
    Peculiarity("no_header", "没有表头", REFUSED, "整个文件", "没有找到清册表头", edited(no_header)),
    Peculiarity("blank_workbook", "空白工作簿", REFUSED, "整个文件", "工作簿中没有内容", blank_book),
    Peculiarity("empty_file", "空文件（0 字节）", REFUSED, "上传时", "是空文件", lambda p: b""),
    Peculiarity(
        "csv", "文本文件（.csv）", REFUSED, "上传时", "不是 .xlsx 工作簿", lambda p: "序号,姓名\n1,张三\n".encode()
    ),
    Peculiarity("pdf", "PDF 文件", REFUSED, "上传时", "不是 .xlsx 工作簿（PDF 文件）", lambda p: b"%PDF-1.7\n"),
    Peculiarity(
        "web_page", "网页另存的“表格”", REFUSED, "上传时", "网页或 XML 文件", lambda p: b"<html><table></table></html>"
    ),
    Peculiarity("word", "Word 文档", REFUSED, "上传时", "其他 Office 文件", word),
    Peculiarity(
        "old_xls",
        "旧版 .xls",
        REFUSED,
        "上传时",
        "旧版 .xls",
        lambda p: b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600),
    ),
    Peculiarity("encrypted", "设有打开密码", REFUSED, "上传时", "设有打开密码", encrypted),
    Peculiarity("damaged", "下载不完整的工作簿", REFUSED, "上传时", "已损坏", lambda p: plain(p)[:3000]),
    Peculiarity("plain", "标题行合并、两行表头", ACCEPTED, "", "", plain),
    Peculiarity("other_order", "列的顺序不同", ACCEPTED, "", "", other_order),
    Peculiarity("formula_value", "公式有计算结果", ACCEPTED, "", "", formula_with_value),
    Peculiarity("stale_dimension", "记录的范围过期（dimension）", ACCEPTED, "", "", repacked(plain, stale)),
    Peculiarity("blank_tail", "末尾上千空行", ACCEPTED, "", "", edited(blank_tail)),
    Peculiarity(
        "dot_variant",
        "姓名中的间隔号写法不同",
        ACCEPTED,
        "",
        "",
        cell("name", lambda p: p.known[2].name.replace("·", "・"), FIRST + 2),
    ),
    Peculiarity("two_plots", "同一人两个地块（构成列不同）", ACCEPTED, "", "", edited(two_plots)),
    Peculiarity("total_row", "合计行", NOTED, "合计行", "合计或小计行", plain, cells=("第 9 行",)),
    Peculiarity(
        "subtotal_rows", "小计行", NOTED, "小计行", "合计或小计行", edited(subtotals), cells=("第 7 行", "第 10 行")
    ),
    Peculiarity("signatures", "签字盖章行", NOTED, "末行", "签字或说明行", plain, cells=("第 10 行",)),
    Peculiarity(
        "numbered_tail",
        "只有序号的预留行",
        NOTED,
        "空行",
        "只有序号的空行",
        edited(numbered_tail),
        cells=("第 9 行", "第 33 行"),
    ),
    Peculiarity(
        "second_page", "分页处重复的表头", NOTED, "表头", "重复的表头行", edited(second_page), cells=("第 7 行",)
    ),
    Peculiarity(
        "village_heading",
        "只有嘎查村名称的小标题行",
        NOTED,
        "标题行",
        "没有姓名、号码、数量和金额的行",
        edited(village_heading),
        cells=("第 5 行",),
    ),
    Peculiarity("hidden_rows", "隐藏行", NOTED, "整个文件", "被隐藏或筛选，已一并读取", edited(hidden)),
    Peculiarity("extra_column", "多出的列", NOTED, "表头", "不是本清册的列", edited(extra), cells=("T3",)),
    Peculiarity(
        "renamed_header",
        "改名的表头（同义词）",
        NOTED,
        "表头",
        "按“身份证号”读取",
        header("id_number", "公民身份号码"),
        cells=("E3",),
    ),
    Peculiarity("default_columns", "实践中的通用列、一行表头", NOTED, "表头", "按“核定补贴面积”读取", generic),
    Peculiarity("full_width", "全角数字", NOTED, "id_number", "全角字符", cell("id_number", full_width)),
    Peculiarity(
        "lower_x",
        "身份证号末位小写 x",
        NOTED,
        "第二行",
        "小写 x",
        cell("id_number", lambda p: p.known[1].id_number.lower(), FIRST + 1),
        cells=("E6",),
    ),
    Peculiarity(
        "spaces_in_id",
        "身份证号中有空格",
        NOTED,
        "id_number",
        "空格已去除",
        cell("id_number", lambda p: f"{p.known[0].id_number[:6]} {p.known[0].id_number[6:]}"),
    ),
    Peculiarity("legacy_id", "15 位旧身份证号", NOTED, "id_number", "已升为 18 位", cell("id_number", legacy)),
    Peculiarity("text_number", "文本形式的数字，带货币符号", NOTED, "amount", "文本形式的数字", edited(text_number)),
    Peculiarity("luhn", "存折账号不符合银行卡校验", NOTED, "第四行", "未通过银行卡校验", plain, cells=("N8",)),
    Peculiarity(
        "blank_account",
        "账号留空、已登记",
        NOTED,
        "account_number",
        "已按登记的发放账户补齐",
        cell("account_number", None),
    ),
    Peculiarity("other_sheet", "另有说明页", NOTED, "整个文件", "不是清册，未导入", lambda p: second_sheet(p, "notes")),
    Peculiarity("strict", "严格的 Open XML 格式", NOTED, "整个文件", "已完整读取", repacked(plain, strict)),
    # fmt: on
)


def as_markdown() -> str:
    """Return the table of docs/workbooks.md."""
    head = "| 编号 | 工作簿的特征 | 结果 | 位置 | 提示中写明 |\n|---|---|---|---|---|\n"
    rows = (f"| `{row.code}` | {row.title} | {row.outcome} | {row.place} | {row.says} |" for row in TABLE)
    return head + "\n".join(rows) + "\n"


if __name__ == "__main__":  # rewrite the table of the docs
    DOCS = Path(__file__).parent.parent / "docs" / "workbooks.md"
    prose = DOCS.read_text(encoding="utf-8").partition("| 编号 |")[0]
    DOCS.write_text(prose + as_markdown(), encoding="utf-8")
