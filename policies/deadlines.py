"""The numbers of the regulation, each once, with its article and validity (DESIGN section 6)."""

from dataclasses import dataclass
from datetime import date

IN_FORCE = date(2024, 4, 2)
"""30 days after 2024-03-03 （第三十八条）; records older than this have no clock."""


@dataclass(frozen=True)
class Deadline:
    """A statutory limit in working days."""

    code: str
    working_days: int
    starts: str
    article: str
    valid_from: date = IN_FORCE


@dataclass(frozen=True)
class Interval:
    """How often something must be done anew, in months."""

    code: str
    months: int
    starts: str
    article: str
    valid_from: date = IN_FORCE


@dataclass(frozen=True)
class Every:
    """How often something must be done anew, in days."""

    code: str
    days: int
    starts: str
    article: str
    valid_from: date = IN_FORCE


TOWNSHIP_NOTICE = Deadline("township_notice", 5, "清册生成", "第十六条第三项")
DEPARTMENT_REVIEW = Deadline("department_review", 2, "乡镇上报", "第十七条")
FINANCE_REVIEW = Deadline("finance_review", 2, "主管部门审核通过", "第十七条")
BATCH_SENDING = Deadline("batch_sending", 2, "拨付成功", "第二十条")
BANK_PAYMENT = Deadline("bank_payment", 3, "资金到账", "第二十条")
ACCOUNT_CHANGE = Deadline("account_change", 5, "财政通知乡镇", "第二十一条第一项")

ALL = (TOWNSHIP_NOTICE, DEPARTMENT_REVIEW, FINANCE_REVIEW, BATCH_SENDING, BANK_PAYMENT, ACCOUNT_CHANGE)


@dataclass(frozen=True)
class Yearly:
    """What must be done each year for the next, with the days from which and by which."""

    code: str
    opens: tuple[int, int]
    due: tuple[int, int]
    remind_working_days: int
    article: str
    valid_from: date = IN_FORCE

    def opens_on(self, year: int) -> date:
        """Return the day from which the work for `year` is asked for: in the year before."""
        return date(year - 1, *self.opens)

    def due_on(self, year: int) -> date:
        """Return the last day for the work for `year`: in the year before."""
        return date(year - 1, *self.due)


ANNUAL_LIST = Yearly("annual_list", (10, 1), (12, 31), 20, "第六条")
"""The law says 每年发布下一年度 without a day; the platform asks from 1 October and reminds 20 working days before."""

HOUSEHOLD_REVIEW = Interval("household_review", 12, "上次复核", "第十一条")
"""The regulation says 定期 without a number; a year is the platform's, local rules may be stricter （第三十六条）."""

RECONCILIATION = Every("reconciliation", 31, "上次对账", "第二十二条")
"""The regulation says 定期 without a number; a month is the platform's, local rules may be stricter （第三十六条）."""


@dataclass(frozen=True)
class OwnDeadline(Deadline):
    """A limit of the platform's own: the article says 及时 or 第一时间 and gives no number.

    It stops nothing: when it has passed, a task is raised and the list turns red. No parameter of local rules yet.
    """


INDICATOR_NOTICE = OwnDeadline("indicator_notice", 1, "指标到达", "第十条")
"""“第一时间通知本级补贴项目主管部门”: the next working day."""
MONEY_ISSUING = OwnDeadline("money_issuing", 10, "上级指标文件印发", "第十条")
"""“及时下达预算指标”: from the upstream document to its distribution."""
MONEY_MAPPING = OwnDeadline("money_mapping", 3, "指标文件印发", "第十条")
"""From the issue to the download and the mapping."""
MONEY_STARTING = OwnDeadline("money_starting", 10, "指标到达", "第十条")
"""“尽快安排使用”“及时启动兑付”: from the arrival to the first roster."""


OWN = (INDICATOR_NOTICE, MONEY_ISSUING, MONEY_MAPPING, MONEY_STARTING)

STANDARD_ENDING = OwnDeadline("standard_ending", 20, "补贴标准到期前", "第九条")
"""“根据政策变化及时更新”: so long before a standard ends without another, its department is asked for the next."""
