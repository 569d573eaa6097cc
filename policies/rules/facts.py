"""The one table of facts a rule may name; nothing else can be reached, and no fact is a name or a number of a person.

A fact that is null is missing, and a condition that hangs on it is "not judged", never "passed"; `known` and
`unknown` let a rule say what a missing one means. （第十八条）
"""

from dataclasses import dataclass
from difflib import get_close_matches

from models.base import Labelled
from models.certificates import CertificateKind
from models.households import IdentityOutcome, MemberStatus
from models.rosters import PayeeRelation
from policies.rules.sources import (
    CERTIFICATES,
    EXCLUDED,
    HOUSEHOLD_AREA,
    MEMBER,
    OTHER_ROSTERS,
    PAID,
    SAME_ROSTER,
    SHARED_ACCOUNT,
    Source,
)


class Kind(Labelled):
    """The type of a fact; money is in yuan."""

    NUMBER = "number", "数字"
    MONEY = "money", "金额（元）"
    TEXT = "text", "文字"
    DATE = "date", "日期"
    BOOLEAN = "boolean", "是否"
    CHOICE = "choice", "选项"


Choices = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Fact:
    """One named fact of a roster line: how it is called, typed and read."""

    name: str
    title: str
    kind: Kind
    sql: str
    source: Source | None = None
    choices: Choices = ()
    note: str = ""
    also: tuple[str, ...] = ()
    """Other names that officers use."""
    moving: bool = False
    """Changes with the date alone: shown in messages, kept out of the evidence, so that explanations stay."""


def _choices(kind: type[Labelled]) -> Choices:
    return tuple((member.value, member.label) for member in kind)


ACCOUNT_STATES: Choices = (
    ("verified", "已验证"),
    ("unknown", "账户不存在"),
    ("closed", "已销户"),
    ("dormant", "不动户"),
    ("frozen", "冻结"),
    ("name_differs", "户名不符"),
    ("wrong_kind", "不是社会保障卡账户"),
)
HOLDINGS = {
    CertificateKind.DISABILITY: "持有残疾证",
    CertificateKind.RURAL_ALLOWANCE: "享受农村低保",
    CertificateKind.URBAN_ALLOWANCE: "享受城市低保",
    CertificateKind.EXTREME_POVERTY: "特困供养对象",
    CertificateKind.ORPHAN: "孤儿或事实无人抚养",
    CertificateKind.VETERAN: "退役军人优抚对象",
    CertificateKind.FAMILY_PLANNING: "计生奖扶特扶对象",
    CertificateKind.RANGER: "护林员草管员护边员",
    CertificateKind.PUBLIC_JOB: "公益性岗位在岗",
    CertificateKind.DIFFICULTY: "防返贫监测对象",
    CertificateKind.HOUSING: "住房保障对象",
    CertificateKind.TAX: "经营主体或纳税登记",
}
"""What a valid certificate of a kind makes of a person. （第二十九条）"""


def _holding(kind: CertificateKind, title: str) -> "Fact":
    """Return the fact that a person holds a certificate; missing where no connected body tells of its kind."""
    return Fact(
        f"holds_{kind}",
        title,
        Kind.BOOLEAN,
        f"case when '{kind}' = any (told.kinds) and keeper.current"
        f" then coalesce('{kind}' = any (held.kinds), false) end",
        CERTIFICATES,
        note=f"所属期内有效的“{kind.label}”；共享来源未接通或数据陈旧、人员由外地管理的为缺失",
    )


SHEETS: Choices = (("land", "耕地"), ("generic", "通用"))
NUMBER, MONEY, TEXT, DATE, BOOLEAN, CHOICE = Kind

ALL: tuple[Fact, ...] = (
    # fmt: off
    # What the line says.
    Fact("amount", "补贴金额", MONEY, "l.amount_fen / 100.0", also=("金额",)),
    Fact("standard", "补贴标准", MONEY, "l.standard", note="清册上的标准"),
    Fact("quantity", "数量", NUMBER, "l.quantity", note="面积、人数、月数等"),
    Fact("component", "构成", TEXT, "l.component"),
    Fact("village", "嘎查村", TEXT, "l.village"),
    Fact("payee_relation", "收款人关系", CHOICE, "l.payee_relation", choices=_choices(PayeeRelation)),
    Fact("previous_amount", "上期金额", MONEY, "l.previous_amount_fen / 100.0", note="无上期为缺失"),
    Fact("same_in_roster", "本册同一发放权笔数", NUMBER, "coalesce(same.lines, 1)", SAME_ROSTER),
    # What the roster and its project say.
    Fact("period", "补贴所属期", TEXT, "r.period"),
    Fact("period_start", "所属期起", DATE, "r.period_start"),
    Fact("period_end", "所属期止", DATE, "r.period_end"),
    Fact("project_code", "项目编码", TEXT, "r.project_code"),
    Fact("project_name", "项目名称", TEXT, "r.project_name"),
    Fact("sector", "主管领域", TEXT, "r.sector"),
    Fact("sheet_kind", "清册样式", CHOICE, "r.sheet_kind", choices=SHEETS),
    Fact("policy_standard", "政策标准", MONEY, "r.policy_standard", note="所属期内执行的标准，未公布为缺失"),
    Fact("own_formula", "金额按公式", BOOLEAN, "r.own_formula", note="项目自定金额公式，不是数量×补贴标准"),
    Fact("roster_lines", "清册笔数", NUMBER, "r.line_count"),
    Fact("roster_amount", "清册金额", MONEY, "r.amount_fen / 100.0"),
    # Identity: the police network check.
    Fact(
        "identity_outcome",
        "核查结果",
        CHOICE,
        "l.identity_outcome",
        choices=_choices(IdentityOutcome),
        note="公安联网核查，尚未核查为缺失",
    ),
    Fact("died_on", "死亡日期", DATE, "l.died_on", note="公安核查返回；未死亡为缺失"),
    Fact("member_status", "人员状态", CHOICE, "m.status", MEMBER, choices=_choices(MemberStatus)),
    Fact("age", "年龄", NUMBER, "extract(year from age(r.period_end, m.birth_date))", MEMBER, note="所属期止时的周岁"),
    Fact("member_added_on", "入库日期", DATE, "l.member_added_on"),
    # Account: the bank's verification.
    Fact("has_account", "已设账户", BOOLEAN, "(l.account_index is not null)"),
    Fact(
        "account_state", "账户状态", CHOICE, "l.account_state", choices=ACCOUNT_STATES, note="银行答复，尚未验证为缺失"
    ),
    Fact("account_is_card", "使用社保卡", BOOLEAN, "l.account_is_card"),
    Fact(
        "account_payees",
        "同账号收款人数",
        NUMBER,
        "coalesce(shared.people, 0)",
        SHARED_ACCOUNT,
        note="本册内；未设账户为 0",
    ),
    Fact("bank_name", "开户银行", TEXT, "nullif(l.bank_name, '')"),
    # The registry.
    Fact(
        "contracted_area",
        "承包面积",
        NUMBER,
        "l.contracted_area_mu",
        note="亩，承包－不予补贴－流出＋流入；未登记为缺失",
    ),
    Fact(
        "household_area",
        "户累计面积",
        NUMBER,
        "area.area",
        HOUSEHOLD_AREA,
        note="本苏木乡镇同项目同所属期全部清册的户合计",
    ),
    Fact("has_phone", "有手机号", BOOLEAN, "l.phone_present"),
    Fact("reviewed_on", "复核日期", DATE, "l.reviewed_on", note="从未复核为缺失"),
    Fact(
        "months_since_review",
        "未复核月数",
        NUMBER,
        "extract(year from age(r.today, l.reviewed_on)) * 12"
        " + extract(month from age(r.today, l.reviewed_on))"
        " + case when extract(day from age(r.today, l.reviewed_on)) > 0 then 1 else 0 end",
        note="不足一月计一月",
        moving=True,
    ),
    # The same entitlement elsewhere: the verdict only.
    Fact(
        "in_other_roster",
        "其他清册已有",
        BOOLEAN,
        "(others.entitlement_key is not null)",
        OTHER_ROSTERS,
        note="本旗县其他未办结清册中有同一发放权",
    ),
    Fact("other_townships", "其他清册所在乡镇", TEXT, "others.townships", OTHER_ROSTERS),
    Fact(
        "paid_already",
        "已经发放",
        BOOLEAN,
        "(paid.entitlement_key is not null)",
        PAID,
        note="同一发放权在全区任一旗县已发放",
    ),
    Fact("paid_in", "已发放旗县", TEXT, "paid.county", PAID),
    Fact(
        "excluded",
        "互斥项目已有",
        BOOLEAN,
        "(excluded.line_id is not null)",
        EXCLUDED,
        note="同一人（或同一户、同一构成，由项目定）在本旗县所属期重叠的互斥项目清册中正常列支或已发放",
    ),
    Fact("exclusive_projects", "互斥项目", TEXT, "coalesce(excluded.projects, '')", EXCLUDED, note="没有为空文字"),
    # Certificates: what other departments tell of a person.
    *(_holding(kind, title) for kind, title in HOLDINGS.items()),
    Fact("today", "今天", DATE, "r.today", note="业务日期", moving=True),
    # fmt: on
)

FACTS: dict[str, Fact] = {called: fact for fact in ALL for called in (fact.name, fact.title, *fact.also)}


def near(name: str) -> str:
    """Return a hint at the fact that was perhaps meant."""
    close = get_close_matches(name, FACTS, n=1, cutoff=0.5)
    return f"，是否指“{FACTS[close[0]].title}”" if close else "，可用的数据项见规则说明"
