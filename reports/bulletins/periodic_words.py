"""The words of the periodic bulletin: its lead paragraph, written from the figures, and how each figure is counted."""

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

from policies.deadlines import BANK_PAYMENT
from reports.bulletins.family import Heading
from reports.bulletins.measures import REASONS, Unit

YI, WAN = 100_000_000, 10_000

COUNTED: tuple[tuple[str, str, str, str], ...] = (
    (
        "项目数",
        "本行范围内有应发、已发、失败或预警的补贴项目个数，小计、合计按项目去重，不是下级之和",
        "发放清册、记账凭证",
        "第六条",
    ),
    (
        "应发金额、应发笔数",
        "期初未发（期初以前造册、期初尚未发放成功的明细）加本期造册的明细；停发且从未列入支付单的不计；发放失败后移出的仍计，已另行造册的以新清册为准",
        "发放清册明细",
        "第十六条",
    ),
    (
        "已发金额、成功笔数",
        "本期记入“已发放”科目的净额和净笔数：发放成功为加，退汇冲回为减；金额到分",
        "记账凭证、分录",
        "第二十条、第二十二条",
    ),
    ("发放率", "已发金额 ÷ 应发金额", "计算", "第三十三条"),
    ("失败笔数", "本期银行返回失败的笔数，加本期退汇的笔数；多次失败逐次计", "发放明细、分录", "第二十一条"),
    ("失败率", "失败笔数 ÷（成功笔数＋失败笔数）", "计算", "第二十一条"),
    (
        "及时率",
        "资金到账代发户后 {bank_days} 个工作日内入账的笔数 ÷ 成功笔数；工作日按国务院办公厅放假安排",
        "支付单到账时间、分录入账日期、工作日历",
        "第二十条",
    ),
    ("社保卡发放占比", "发放到社会保障卡账户的笔数 ÷ 成功笔数", "发放明细", "第十二条"),
    (
        "未发原因：账户",
        "最近一次因账户无效、销户、冻结、挂失、不动户、户名不符、账户类别或行号错误而失败，或因账户未验证通过缓发",
        "发放明细、清册明细",
        "第二十一条第一、二项",
    ),
    (
        "未发原因：死亡",
        "最近一次因收款人死亡、失踪而失败，或经公安核查死亡而缓发",
        "发放明细、清册明细",
        "第二十一条第三项",
    ),
    ("未发原因：指标", "已终审但未生成支付单，或支付单尚未拨付", "发放清册、支付单", "第十条、第十九条"),
    ("未发原因：公示", "清册未公示、公示中、待上报或已退回乡镇", "发放清册", "第十六条第三项"),
    ("未发原因：其他", "审核中、银行处理中、结果未知、退汇待查及其他", "发放清册、发放明细", "第十七条、第二十条"),
    (
        "红、黄、蓝预警数",
        "本期触发的预警条数（每份清册同一明细同一规则计一条），不含因缺数据未能判断的提示",
        "预警",
        "第十八条",
    ),
    ("同比", "已发金额 ÷ 上年同期（{year_ago}）已发金额 − 1；上年同期为零的记“—”", "记账凭证", "第三十三条"),
    ("环比", "已发金额 ÷ 上一期间（{previous}）已发金额 − 1；上一期间为零的记“—”", "记账凭证", "第三十三条"),
    ("排名", "盟市之间、同一盟市的旗县之间，按发放率、已发金额由高到低；没有数据的地区不列", "计算", "第三十三条"),
    (
        "勾稽关系",
        "应发笔数 − 成功笔数 ＝ 五类未发原因之和；合计 ＝ 各盟市之和；盟市 ＝ 所属旗县之和",
        "计算",
        "第二十二条",
    ),
    (
        "财政直管",
        "满洲里市、二连浩特市财政由自治区直接管理，与盟市并列，不计入呼伦贝尔市、锡林郭勒盟，计入合计",
        "区划",
        "第四条",
    ),
)
"""Measure, how it is counted, source, article."""


def lead(units: Sequence[Unit], total: Mapping[str, Any], heading: Heading) -> str:
    """Return the lead paragraph of a bulletin: what was due, paid, where, and why not the rest."""
    if not units:
        return f"{heading.span}，{heading.place}没有应发、已发的惠民惠农财政补贴资金。"
    domains = sorted({unit.domain for unit in units if unit.domain})
    sentences = [
        f"截至{heading.span.end:%Y年%-m月%-d日}，{heading.place}本期应发惠民惠农财政补贴资金{amount(total['due'])}，"
        f"通过“一卡通”发放{amount(total['paid'])}，发放率{share(total['paid_rate'])}{_compared(total)}；"
        f"成功发放{total['paid_count']:,}人次，涉及{len(domains)}个领域（{'、'.join(domains)}）"
        f"{total['projects']}项补贴、{len({unit.county_code for unit in units})}个旗县（市、区）。",
        _places(units),
        f"社会保障卡发放占{share(total['card_rate'])}，资金到账后{BANK_PAYMENT.working_days}个工作日内发放的占{share(total['timely_rate'])}。",
        _unpaid(total),
        f"审核环节共触发预警{total['red'] + total['yellow'] + total['blue']:,}条，"
        f"其中红灯{total['red']:,}条、黄灯{total['yellow']:,}条、蓝灯{total['blue']:,}条。",
    ]
    return "　　" + "".join(sentences)


def amount(yuan: float) -> str:
    """Return an amount as a bulletin says it: in 亿元, 万元 or 元."""
    if abs(yuan) >= YI:
        return f"{yuan / YI:,.2f}亿元"
    return f"{yuan / WAN:,.2f}万元" if abs(yuan) >= WAN else f"{yuan:,.2f}元"


def share(part: float | None) -> str:
    """Return a share in per cent."""
    return "—" if part is None else f"{part:.1%}"


def _compared(total: Mapping[str, Any]) -> str:
    words = ""
    for name, against in (("yearly", "较上年同期"), ("monthly", "较上一期间")):
        change = total[name]
        if change is not None:
            words += f"，{against}{'增长' if change >= 0 else '下降'}{abs(change):.1%}"
    return words


def _places(units: Sequence[Unit]) -> str:
    ordered = sorted(units, key=lambda unit: unit.group_code)
    shares = []
    for _, group in groupby(ordered, key=lambda unit: unit.group_code):
        members = list(group)
        due = sum(unit.measures.due_fen for unit in members)
        paid = sum(unit.measures.paid_fen for unit in members)
        shares.append((paid / due if due else 0.0, members[0].group))
    shares.sort(reverse=True)
    if len(shares) == 1:
        return ""
    (best, first), (worst, last) = shares[0], shares[-1]
    return f"发放率最高的是{first}（{best:.1%}），最低的是{last}（{worst:.1%}）。"


def _unpaid(total: Mapping[str, Any]) -> str:
    counts = {title: total[f"unpaid_{name}"] for name, title in REASONS.items()}
    whole = sum(counts.values())
    if not whole:
        return "本期应发已全部发放。"
    causes = "、".join(f"{title}{count:,}笔" for title, count in counts.items() if count)
    return f"尚有{whole:,}笔未发：{causes}；本期发放失败（含退汇）{total['failed_count']:,}笔。"
