"""The questions of 《惠民惠农财政补贴项目申请表》, section by section: a page of data. （第七条）"""

from dataclasses import dataclass

from admin.project_shown import PUBLIC_TITLES
from models.base import Labelled
from policies.definitions import (
    ExclusionSubject,
    FundingObject,
    PayeeMode,
    PeriodKind,
    Publicness,
    Rounding,
    StandardSetter,
)
from workflows.project_sheets import TYPES

Options = tuple[tuple[str, str], ...]


def labelled(kind: type[Labelled]) -> Options:
    """Return the values of an enum with their labels."""
    return tuple((str(one), one.label) for one in kind)


@dataclass(frozen=True)
class Question:
    """One field of the form."""

    name: str
    label: str
    kind: str = "text"
    """text, long (several lines), choice, switch, date, number, file, hidden, kept (only sent back), shown (can't be
    changed here)."""
    asked: bool = False
    """Asked of every project: marked, and refused at submission when it is empty."""
    options: Options = ()
    help: str = ""
    width: str = ""
    """wide (the whole row), short."""


@dataclass(frozen=True)
class Grid:
    """A table of the form: rows of the same questions."""

    name: str
    title: str
    columns: tuple[Question, ...]
    help: str = ""
    asked: bool = False


@dataclass(frozen=True)
class Part:
    """One section of the page."""

    slug: str
    title: str
    questions: tuple[Question, ...] = ()
    grid: Grid | None = None
    help: str = ""


Q = Question
YES_NO = "switch"
PUBLIC = labelled(Publicness)
PARTS = (
    Part("basics", "一、基本信息", (
        Q("code", "项目编码", asked=True, help="3 至 20 位数字或大写字母，全区不重复"),
        Q("name", "项目名称", asked=True), Q("short_name", "简称", help="不超过 15 字"),
        Q("policy_level", "政策级次", "shown"), Q("sector", "主管领域", "shown"),
        Q("domain", "领域", help="通报分组，如农业、牧业、林业、社会保障"),
        Q("budget_funded", "由政府预算安排", YES_NO, help="第二条：政府预算安排、直接兑付到人到户的纳入“一卡通”"),
        Q("funding_object", "直接兑付", "choice", True, labelled(FundingObject)),
        Q("gov_eco_code", "政府经济分类", help="如 50901"),
        Q("flow", "发放管理流程", "choice", help="不选按法定流程办理；其他流程须先启用（第二十四条）"),
        Q("source", "资料来源"),
    )),
    Part("service", "二、申报服务", (
        Q("online", "可在线申请", YES_NO, help="第十三条"),
        Q("contact", "联系人", asked=True, help="第二十六条"),
        Q("telephone", "联系电话", asked=True, help="公众可以拨打的办公电话（第二十六条）"),
        Q("eligibility", "申领条件", "long", width="wide"),
        Q("guide", "申报指南", "long", True, width="wide",
          help="谁可以申报、需要什么材料、到哪里办、多久办结（第三十二条）"),
    )),
    Part("period", "三、周期和发放时限", (
        Q("period_kind", "发放周期", "choice", True, labelled(PeriodKind)),
        Q("payout.month", "发放截止月", "number", help="1 至 12", width="short"),
        Q("payout.day", "发放截止日", "number", help="1 至 31", width="short"),
        Q("payout.days_after", "或所属期结束后天数", "number", help="自然日", width="short"),
    ), help="发放时限须填写：截止月日，或所属期结束后的天数（第三十二条）。"),
    Part("standards", "四、补贴标准", (
        Q("unit", "计量单位", help="亩、头、人等"),
        Q("standard_setter", "标准由谁制定", "choice", True, labelled(StandardSetter), help="第八条"),
        Q("standard_note", "标准说明", width="wide"),
    ), Grid("standards", "补贴标准", (
        Q("division_code", "适用区划", "choice", True), Q("grade", "档次"),
        Q("yuan", "标准（元）", "number", True), Q("valid_from", "执行起", "date", True),
        Q("valid_to", "执行止", "date"), Q("document", "政策文件文号"),
    ), help="最多 4 位小数；同一区划、同一档次的执行期不能重叠。旗县自行制定的标准由旗县主管部门另行发布。")),
    Part("fields", "五、项目字段", grid=Grid("fields", "项目字段", (
        Q("title", "列名", asked=True), Q("name", "代号", asked=True),
        Q("type", "类型", "choice", True, tuple(TYPES.items())), Q("unit", "单位"), Q("required", "必填", YES_NO),
        Q("minimum", "最小值", "number"), Q("maximum", "最大值", "number"), Q("options", "选项（顿号分隔）"),
        Q("publicness", "公示", "choice", options=PUBLIC), Q("component", "构成字段", YES_NO), Q("more", "", "kept"),
    ), help="本项目清册和申请表在通用栏目之外要填的字段，列名就是清册的列名，代号用小写字母、数字和下划线；"
       "“构成字段”用来区分同一人的多笔补贴（地块、机具等）。不选公示方式的不公开。")),
    Part("amount", "六、金额公式", (
        Q("formula", "金额公式", asked=True, help="如“数量 * 补贴标准”；可以用上面的字段名", width="wide"),
        Q("rounding", "舍入", "choice", True, labelled(Rounding)),
    )),
    Part("payee", "七、收款和公开", (
        Q("payee", "收款人", "choice", True, labelled(PayeeMode)),
        Q("heir_allowed", "可转录给继承人", YES_NO, help="第十六条第一项"),
        Q("guardian_allowed", "可由监护人代收", YES_NO),
        *(
            Q(f"public.{name}", f"{title}公示", "choice", options=PUBLIC[1:] if name == "id_number" else PUBLIC)
            for name, title in PUBLIC_TITLES.items()
        ),
    ), help="按规定不予公开的信息选“不公开”（第十五条）；不选的，姓名脱敏公开，身份证号不公开，其他公开。"),
    Part("exclusions", "八、互斥项目", (
        Q("exclusions_note", "互斥说明", width="wide"),
    ), Grid("exclusions", "互斥项目", (
        Q("code", "项目编码", asked=True), Q("subject", "互斥对象", "choice", options=labelled(ExclusionSubject)),
        Q("basis", "依据"),
    ))),
    Part("documents", "九、政策文件", grid=Grid("documents", "政策文件", (
        Q("number", "文号", asked=True), Q("title", "文件名称", asked=True), Q("issuer", "发文机关", asked=True),
        Q("issued_on", "发文日期", "date"), Q("valid_to", "有效期止", "date"), Q("attachment_id", "已上传", "hidden"),
        Q("file", "文件", "file"),
    ), help="每次申请至少上传一份依据的政策文件；JPG、PNG 图片或 PDF，每份不超过 5 MB（第七条）。", asked=True)),
)  # fmt: skip
STOP_PARTS = tuple(part for part in PARTS if part.slug == "documents")
"""A stop changes nothing of the project: only its documents are asked."""
