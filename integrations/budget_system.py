"""The budget system (预算管理一体化): indicators down, payment applications and refunds up. （第十条、第十九条）

The wire carries the field names of the budget system (DOMAIN section 4); Python sees ours.
"""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Literal
from urllib.parse import quote, urlencode

from integrations import transport
from integrations.amounts import yuan_text
from models.settings import settings

HOT_TOPIC = "惠民惠农财政补贴资金"
"""The class of indicators that Article 10 names; its official code is not public, so the label decides."""

DIRECT_PAYMENT = "11"
"""PAY_TYPE_CODE of a direct payment."""

ApplicationStatus = Literal["unknown", "received", "funded", "rejected"]
RefundState = Literal["unknown", "received", "returned", "rejected"]


@dataclass(frozen=True)
class IndicatorPage:
    """One page of indicators in the budget system's own field names; an empty cursor means there are no more."""

    items: list[dict[str, Any]]
    cursor: str


@dataclass(frozen=True)
class PaymentApplication:
    """One payment application; `number` is the order number + attempt, valid for ever (PAY_APP_NO)."""

    number: str
    bgt_id: str
    fiscal_year: int
    division_code: str
    pro_code: str
    agency_code: str
    fund_type_code: str
    exp_func_code: str
    gov_eco_code: str
    dep_eco_code: str
    amount_fen: int
    payee_name: str
    payee_account: str
    payee_bank_code: str
    use: str
    created_on: date
    set_mode_code: str = "1"
    pay_bus_type_code: str = "1"

    def wire(self) -> dict[str, Any]:
        """Return the application in the budget system's field names."""
        return {
            "PAY_APP_NO": self.number,
            "BGT_ID": self.bgt_id,
            "FISCAL_YEAR": self.fiscal_year,
            "MOF_DIV_CODE": mof_division(self.division_code),
            "PRO_CODE": self.pro_code,
            "AGENCY_CODE": self.agency_code,
            "FUND_TYPE_CODE": self.fund_type_code,
            "EXP_FUNC_CODE": self.exp_func_code,
            "GOV_BGT_ECO_CODE": self.gov_eco_code,
            "DEP_BGT_ECO_CODE": self.dep_eco_code,
            "PAY_APP_AMT": yuan_text(self.amount_fen),
            "PAYEE_ACCT_NAME": self.payee_name,
            "PAYEE_ACCT_NO": self.payee_account,
            "PAYEE_ACCT_BANK_CODE": self.payee_bank_code,
            "USE_DES": self.use,
            "SET_MODE_CODE": self.set_mode_code,
            "PAY_TYPE_CODE": DIRECT_PAYMENT,
            "PAY_BUS_TYPE_CODE": self.pay_bus_type_code,
            "CREATE_DATE": self.created_on.isoformat(),
            "CURRENCY_CODE": "CNY",
        }


@dataclass(frozen=True)
class ApplicationReceipt:
    """The budget system has the application; the same number with the same content gives the same receipt."""

    number: str
    pay_app_id: str


@dataclass(frozen=True)
class ApplicationState:
    """Where an application stands; funded_at is 拨付成功, from which the 2 working days of Article 20 run."""

    status: ApplicationStatus
    funded_at: datetime | None
    reason: str


@dataclass(frozen=True)
class RefundApplication:
    """Money back to the very indicator that paid it; `number` is the refund's, valid for ever.

    The agent bank must have sent the money to the treasury under the same number (banks.return_funds).
    """

    number: str
    pay_app_no: str
    bgt_id: str
    division_code: str
    amount_fen: int
    reason: str

    def wire(self) -> dict[str, Any]:
        """Return the refund in the budget system's field names."""
        return {
            "REFUND_NO": self.number,
            "PAY_APP_NO": self.pay_app_no,
            "BGT_ID": self.bgt_id,
            "MOF_DIV_CODE": mof_division(self.division_code),
            "REFUND_AMT": yuan_text(self.amount_fen),
            "REFUND_REASON": self.reason,
        }


@dataclass(frozen=True)
class RefundStatus:
    """Where a refund stands; returned means that the indicator has the money again."""

    status: RefundState
    returned_at: datetime | None
    reason: str


def mof_division(division_code: str) -> str:
    """Return the 9 digits by which the budget system knows a division."""
    return division_code[:9]


def hot_topic() -> str:
    """Return the configured label of the class, the law's own words unless the budget system writes it otherwise."""
    return settings().hot_topic or HOT_TOPIC


def download_indicators(division_code: str, topic: str = "", cursor: str = "") -> IndicatorPage:
    """Download one page of a division's indicators of one hot-topic class; repeating it changes nothing. （第十条）

    Raises Unavailable, Rejected.
    """
    asked = {"MOF_DIV_CODE": mof_division(division_code), "HOT_TOPIC_CATE_NAME": topic or hot_topic(), "cursor": cursor}
    query = urlencode(asked)
    told = transport.budget_system().read("GET", f"/indicators?{query}").json()
    return IndicatorPage(items=told["data"], cursor=told["next_cursor"])


def submit_application(application: PaymentApplication) -> ApplicationReceipt:
    """Send a payment application; idempotent by its number. （第十九条）

    Raises Unavailable; Unknown (ask_application before anything else); Rejected with the code BGT_UNKNOWN, BGT_SHORT,
    ECO_WRONG, PAYEE_UNKNOWN, FIELD_WRONG or PAY_APP_NO_REUSED (the number came before with other content).
    """
    told = transport.budget_system().write("POST", "/pay-applications", application.wire()).json()
    return ApplicationReceipt(number=told["PAY_APP_NO"], pay_app_id=told["PAY_APP_ID"])


def ask_application(number: str) -> ApplicationState:
    """Ask where an application stands; "unknown" means that it never arrived and may be sent. （第十九条）

    Raises Unavailable.
    """
    answer = transport.budget_system().read("GET", f"/pay-applications/{quote(number, safe='')}")
    if answer.status_code == 404:
        return ApplicationState("unknown", None, "")
    told = answer.json()
    return ApplicationState(told["STATUS"], _moment(told["FUNDED_AT"]), told["REASON"])


def return_funds(refund: RefundApplication) -> RefundStatus:
    """Report a refund to the budget system; idempotent by its number. （第二十一条、第二十二条）

    Raises Unavailable; Unknown (ask_refund first); Rejected with the code PAY_APP_UNKNOWN, BGT_DIFFERS,
    REFUND_TOO_MUCH, FIELD_WRONG or REFUND_NO_REUSED.
    """
    told = transport.budget_system().write("POST", "/refunds", refund.wire()).json()
    return RefundStatus(told["STATUS"], _moment(told["RETURNED_AT"]), told["REASON"])


def ask_refund(number: str) -> RefundStatus:
    """Ask where a refund stands; "received" waits for the bank's money, "unknown" never arrived. Raises Unavailable."""
    answer = transport.budget_system().read("GET", f"/refunds/{quote(number, safe='')}")
    if answer.status_code == 404:
        return RefundStatus("unknown", None, "")
    told = answer.json()
    return RefundStatus(told["STATUS"], _moment(told["RETURNED_AT"]), told["REASON"])


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
