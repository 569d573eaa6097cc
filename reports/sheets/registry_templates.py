"""The columns of the registry's workbooks, declared once: read by header, written with drop-downs. （第十一条）"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any

import xlsxwriter

from models.households import AssetKind, HukouKind
from models.registry_imports import ImportSubject
from policies.codes import COMMON_ETHNICITIES, ETHNICITIES, RELATIONS
from reports.sheets.templates import Field, Template, label_key

LISTED_ROWS = 5_000
"""The rows below the header that offer drop-downs."""
EXAMPLE = "示例"
SAFE = {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
UNITS = ("亩", "头", "只", "匹", "峰", "株")


@dataclass(frozen=True)
class RegistryField(Field):
    """One column of a registry workbook: what it offers, what it means, what an example says."""

    choices: tuple[str, ...] = ()
    note: str = ""
    example: str = ""


@dataclass(frozen=True)
class RegistryTemplate(Template):
    """The columns of one kind of register, with the headers that a township has taught."""

    taught: Mapping[str, str] = field(default_factory=dict)
    """Header as compared → name of the field; "" leaves the column out."""

    def match(self, label: str) -> Field | None:
        """Return the field that a header names: what was taught goes before what is built in."""
        name = self.taught.get(label_key(label))
        if name is not None:
            return next((one for one in self.fields if one.name == name), None)
        return super().match(label)

    def knowing(self, taught: Mapping[str, str]) -> "RegistryTemplate":
        """Return the template with a township's headers."""
        return RegistryTemplate(self.code, self.title, self.fields, taught)


ID_SYNONYMS = ("身份证号码", "公民身份号码", "证件号码", "身份证", "身份证件号码", "证件号")
HEAD_ID_SYNONYMS = ("户主身份证号码", "户主证件号码", "户主公民身份号码", "户主身份证")
NAME_SYNONYMS = ("成员姓名", "家庭成员姓名", "人员姓名", "家庭成员")
ID_NOTE = "18 位，按“文本”格式录入；15 位旧号码自动升为 18 位。"
ID_EXAMPLE = "150430195503150012"

SEQUENCE = RegistryField("sequence", "序号", synonyms=("排序序号",), width=6, example=EXAMPLE)
NUMBER = RegistryField(
    "household_number", "户编号", synonyms=("户号", "家庭编号", "户籍编号", "家庭户号"), width=18,
    note="已登记的户填平台的户编号；新户可填自编户号，同一户各行相同，或不填。",
)  # fmt: skip
HEAD_NAME = RegistryField("head_name", "户主姓名", synonyms=("户主",), width=14, example="孛儿只斤·额尔敦巴特尔")
HEAD_ID = RegistryField(
    "head_id_number", "户主身份证号", synonyms=HEAD_ID_SYNONYMS, width=21, example=ID_EXAMPLE,
    note="用来确定这一行属于哪一户；不填时须填户编号，或把同一户的各行连续排在户主之下。",
)  # fmt: skip
NAME = RegistryField(
    "name", "姓名", True, NAME_SYNONYMS, width=16, example="孛儿只斤·额尔敦巴特尔",
    note="与身份证一致，照原样登记；间隔号的写法不影响比对。",
)  # fmt: skip
ID_NUMBER = RegistryField(
    "id_number", "身份证号", True, ID_SYNONYMS, width=21, example=ID_EXAMPLE, note=ID_NOTE
)  # fmt: skip
RELATION = RegistryField(
    "relation", "与户主关系", True, ("关系", "与户主的关系", "户主关系", "家庭关系"), width=12,
    choices=tuple(RELATIONS.values()), example="户主", note="名称或 GB/T 4761 代码；每户有且只有一位户主。",
)  # fmt: skip
ETHNICITY = RegistryField(
    "ethnicity", "民族", synonyms=("族别",), width=10, example="蒙古族", note="名称或 GB/T 3304 代码；不填按汉族登记。",
    choices=tuple(ETHNICITIES[code] for code in (*COMMON_ETHNICITIES, *(c for c in ETHNICITIES
                                                                       if c not in COMMON_ETHNICITIES))),
)  # fmt: skip
SEX = RegistryField("sex", "性别", width=6, choices=("男", "女"), example="男", note="可不填；填写的须与身份证号一致。")
BIRTH = RegistryField(
    "birth_date",
    "出生日期",
    synonyms=("出生年月日",),
    width=12,
    example="1955-03-15",
    note="可不填；填写的须与身份证号一致。",
)
PHONE = RegistryField(
    "phone", "联系电话", synonyms=("电话", "手机号", "手机号码", "手机", "联系方式"), width=14, example="13800000001",
    note="手机号 11 位，或带区号的固定电话。",
)  # fmt: skip
VILLAGE = RegistryField(
    "village", "嘎查村", synonyms=("嘎查", "村", "行政村", "村(居)委会", "村委会", "嘎查村(社区)", "嘎查(村)", "社区"),
    width=14, example="东村",
)  # fmt: skip
GROUP = RegistryField(
    "group_name", "村民小组", synonyms=("小组", "组", "村(居)民小组", "独贵龙", "组别"), width=10, example="一组"
)  # fmt: skip
ADDRESS = RegistryField(
    "address", "住址", synonyms=("家庭住址", "详细地址", "地址", "居住地址", "家庭地址"), width=24, example="东村 12 号"
)  # fmt: skip
HUKOU = RegistryField(
    "hukou_kind", "户口性质", synonyms=("户口类型", "户籍性质", "户口类别"), width=20,
    choices=tuple(kind.label for kind in HukouKind if kind != HukouKind.UNKNOWN), example=HukouKind.RURAL.label,
)  # fmt: skip
REMARK = RegistryField("note", "备注", synonyms=("说明",), width=16, note="只供填表人使用，不导入。")

REGISTER = RegistryTemplate(
    "register", "户和人员登记表",
    (SEQUENCE, NUMBER, VILLAGE, GROUP, ADDRESS, HUKOU, HEAD_NAME, HEAD_ID, NAME, ID_NUMBER, RELATION, SEX, BIRTH,
     ETHNICITY, PHONE, REMARK),
)  # fmt: skip
HOUSEHOLDS = RegistryTemplate(
    "households", "户主登记表",
    (
        SEQUENCE, NUMBER,
        RegistryField("name", "户主姓名", True, ("户主", "姓名"), width=16, example=NAME.example, note=NAME.note),
        RegistryField("id_number", "户主身份证号", True, (*HEAD_ID_SYNONYMS, "身份证号", *ID_SYNONYMS), width=21,
                      example=ID_EXAMPLE, note=ID_NOTE),
        VILLAGE, GROUP, ADDRESS, HUKOU, SEX, BIRTH, ETHNICITY, PHONE, REMARK,
    ),
)  # fmt: skip
MEMBERS = RegistryTemplate(
    "members", "家庭成员登记表",
    (SEQUENCE, NUMBER, HEAD_NAME, HEAD_ID, NAME, ID_NUMBER, RELATION, SEX, BIRTH, ETHNICITY, PHONE, REMARK),
)  # fmt: skip
ASSETS = RegistryTemplate(
    "assets", "生产资料登记表",
    (
        SEQUENCE, NUMBER, HEAD_NAME,
        RegistryField("head_id_number", "户主身份证号", False, (*HEAD_ID_SYNONYMS, "身份证号", *ID_SYNONYMS), width=21,
                      example=ID_EXAMPLE, note="户编号和户主身份证号至少填一项。"),
        RegistryField("asset_kind", "种类", True, ("资产种类", "生产资料种类", "类别", "地类"), width=14,
                      choices=tuple(kind.label for kind in AssetKind), example=AssetKind.CONTRACTED_LAND.label),
        RegistryField("quantity", "数量", True, ("面积", "亩数", "数量(亩、头只)", "承包面积"), number=True,
                      example="30.5", note="最多 3 位小数。"),
        RegistryField("unit", "单位", False, ("计量单位",), width=8, choices=UNITS, example="亩",
                      note="不填：牲畜为“头”，其余为“亩”。"),
        RegistryField("as_of", "登记日期", True, ("日期", "确权日期", "数据日期"), width=12, example="2024-01-01"),
        RegistryField("source", "来源", False, ("数据来源", "登记来源"), width=18, example="二轮承包确权登记"),
        RegistryField("certificate_number", "权证号", False, ("承包经营权证号", "证书编号", "权证编号", "草原证号"),
                      width=22, example="150430102001J"),
        REMARK,
    ),
)  # fmt: skip
ACCOUNTS = RegistryTemplate(
    "accounts", "一卡通账户登记表",
    (
        SEQUENCE, NAME, ID_NUMBER,
        RegistryField("account_number", "社会保障卡账号", True,
                      ("社会保障卡号", "社保卡号", "社保卡账号", "银行账号", "一卡通账号", "银行卡号", "卡号", "账号"),
                      width=23, example="6217370000000000014", note="16–19 位，按“文本”格式录入，对照卡面核对。"),
        RegistryField("bank_name", "开户银行", True, ("开户行", "银行", "银行名称", "开户行名称", "金融机构"), width=24,
                      note="代理金融机构名录中的名称。"),
        REMARK,
    ),
)  # fmt: skip

TEMPLATES: Mapping[ImportSubject, RegistryTemplate] = {
    ImportSubject.REGISTER: REGISTER,
    ImportSubject.HOUSEHOLDS: HOUSEHOLDS,
    ImportSubject.MEMBERS: MEMBERS,
    ImportSubject.ASSETS: ASSETS,
    ImportSubject.ACCOUNTS: ACCOUNTS,
}
TITLE_ROWS, HEADER_ROW = 2, 2
"""Title and hint above the header; the header's row counted from 0."""


def write_template(subject: ImportSubject, unit: str = "", banks: tuple[str, ...] = ()) -> bytes:
    """Return an empty workbook to fill in: drop-downs, notes on the headers, an example row that isn't read."""
    buffer = BytesIO()
    with xlsxwriter.Workbook(buffer, SAFE) as book:
        sheet, text = begin_sheet(book, TEMPLATES[subject], unit, banks)
        for place, one in enumerate(TEMPLATES[subject].fields):
            if isinstance(one, RegistryField) and one.example:
                sheet.write_string(HEADER_ROW + 1, place, one.example, text)
    return buffer.getvalue()


def begin_sheet(book: Any, template: RegistryTemplate, unit: str = "", banks: tuple[str, ...] = ()) -> tuple[Any, Any]:
    """Begin the workbook of a template; return its sheet and the format of its text cells."""
    sheet, lists = book.add_worksheet(template.title), book.add_worksheet("选项")
    lists.hide()
    text = book.add_format({"num_format": "@"})
    head = book.add_format({"bold": True, "align": "center", "valign": "vcenter", "border": 1, "bg_color": "#E8EEF7"})
    must = book.add_format({"bold": True, "align": "center", "valign": "vcenter", "border": 1, "bg_color": "#FCE8E6"})
    big = book.add_format({"bold": True, "font_size": 16, "align": "center", "valign": "vcenter"})
    sheet.merge_range(0, 0, 0, len(template.fields) - 1, template.title, big)
    hint = f"填报单位：{unit}　带 * 的列必填；序号为“{EXAMPLE}”的行不读取；号码按文本录入；空白单元格不改已登记的内容。"
    sheet.write_string(1, 0, hint)
    for place, one in enumerate(template.fields):
        sheet.set_column(place, place, one.width, None if one.number else text)
        title = ("*" if one.required else "") + one.title
        sheet.write_string(HEADER_ROW, place, title, must if one.required else head)
        choices = banks if one.name == "bank_name" else getattr(one, "choices", ())
        if getattr(one, "note", ""):
            sheet.write_comment(HEADER_ROW, place, one.note, {"author": "一卡通", "x_scale": 2})  # type: ignore[attr-defined]
        if choices:
            lists.write_column(0, place, choices, text)
            source = f"=选项!${_letter(place)}$1:${_letter(place)}${len(choices)}"
            sheet.data_validation(
                HEADER_ROW + 1, place, HEADER_ROW + LISTED_ROWS, place,
                {"validate": "list", "source": source, "error_type": "warning", "error_title": one.title,
                 "error_message": "请从下拉列表中选择，或填写国家标准代码。"},
            )  # fmt: skip
    sheet.freeze_panes(HEADER_ROW + 1, 0)
    return sheet, text


def _letter(place: int) -> str:
    return chr(ord("A") + place)
