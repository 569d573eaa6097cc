"""The window: one number, and the person's payments of all items and years, recorded before they are shown.

What lies in the officer's range and sector is read under the row policies; of what lies outside a named function tells
how many payments there are, and nothing else. （第二十一条、第二十六条、第三十条）
"""

from dataclasses import dataclass

import sqlalchemy as sa
from sqlmodel import Session, col, select

from models.crypto import account_index, id_index
from models.enquiries import Enquiry, EnquiryPurpose, EnquiryWay
from models.households import Household, Member
from models.officers import ActingOfficer
from models.organisations import Organisation
from policies.enforcement import allow
from policies.identities import half_width, normalise_id
from policies.moves import record_event
from policies.permissions import Permission
from policies.refusals import NotFound, ReasonMissing, Refused
from workflows.enquiry_lines import Payment, Year, payments, years
from workflows.numbers import next_numbers
from workflows.search import NUMBER_SIGNS, Kind, kind_of

LETTERS = "CX"
VALID_MINUTES = 30
SHORTEST_REASON = 4
MOST_DIGITS = 11


class NumberUnreadable(Refused):
    """请输入完整的身份证号（18 位或 15 位）或一卡通账号；姓名不能用于窗口查询，可先在“查找补贴对象”中查找。"""

    status_code = 400


class NobodyFound(Refused):
    """补贴对象信息库中没有该{title}。请核对号码；确属新增对象的，由管理地苏木乡镇登记（第十一条）。"""

    status_code = 404


class SeveralPeople(Refused):
    """该账号登记在 {count} 人名下，不能据此查询。请改用身份证号，并通知苏木乡镇核实账户（第十二条）。"""


class ReasonTooPersonal(Refused):
    """查询说明会长期保存，不要写证件号码、账号或手机号。请改写后再提交（第三十条）。"""

    status_code = 400


@dataclass(frozen=True, repr=False)
class Sheet:
    """Everything the window shows of one person; never printed by accident."""

    enquiry: Enquiry
    member: Member | None
    household: Household | None
    keeper: str
    """The township that keeps the person, when that lies outside the officer's range."""
    payments: list[Payment]
    years: list[Year]
    paid_fen: int
    telephone: str


def enquire(
    session: Session, *, by: ActingOfficer, number: str, purpose: EnquiryPurpose, reason: str = ""
) -> Enquiry:  # fmt: skip
    """Record an enquiry about whoever a number belongs to; its page is shown after the commit. （第二十六条、第三十条）

    Raises NotAllowed, NumberUnreadable, NobodyFound, SeveralPeople, ReasonMissing, ReasonTooPersonal.
    """
    allow(session, by, Permission.ENQUIRY_MAKE)
    why = _require_reason(purpose, reason)
    way, persons, keeper = _whose(session, number)
    member = _kept(session, persons)
    shown = payments(session, persons)
    made = Enquiry(
        division_code=by.division_code, number=next_numbers(session, Enquiry, LETTERS, by.division_code)[0], way=way,
        purpose=purpose, reason=why, persons=persons, member_id=member.id if member else None, keeper=keeper,
        line_count=len(shown), elsewhere_count=_elsewhere(session, persons), officer_id=by.officer_id,
        officer_person=by.person, officer_name=by.name, post=by.post, address=by.address,
    )  # fmt: skip
    session.add(made)
    session.flush()
    facts = {"way": str(way), "purpose": str(purpose), "lines": made.line_count, "elsewhere": made.elsewhere_count}
    record_event(session, made, "enquire", by=by, label="窗口查询", noun="enquiry", opinion=why, facts=facts)
    return made


def sheet(session: Session, key: int, *, by: ActingOfficer) -> Sheet:
    """Return what an enquiry shows to the officer who has made it, for half an hour. （第三十条）

    Raises NotAllowed, NotFound.
    """
    allow(session, by, Permission.ENQUIRY_MAKE)
    fresh = sa.text("enquired_at > clock_timestamp() - make_interval(mins => :minutes)").bindparams(
        minutes=VALID_MINUTES
    )
    made = session.exec(
        select(Enquiry).where(Enquiry.id == key, Enquiry.officer_id == by.officer_id, fresh)
    ).one_or_none()
    if made is None:
        raise NotFound
    member = _kept(session, made.persons)
    household = None
    if member is not None:
        household = session.exec(
            select(Household).where(
                Household.division_code == member.division_code, Household.id == member.household_id
            )
        ).one()
    shown = payments(session, made.persons)
    telephone = session.exec(
        select(Organisation.telephone).where(Organisation.id == by.organisation_id)
    ).one_or_none()  # fmt: skip
    per_year = years(shown)
    return Sheet(
        made, member, household, made.keeper, shown, per_year, sum(year.paid_fen for year in per_year), telephone or ""
    )


def _whose(session: Session, number: str) -> tuple[EnquiryWay, list[str], str]:
    """Return how the number was read, the person's marks, and the township that keeps the person.

    Raises NumberUnreadable, NobodyFound, SeveralPeople.
    """
    text = NUMBER_SIGNS.sub("", half_width(number)).upper().replace("\x00", "")
    kind = kind_of(text)
    if kind not in (Kind.ID, Kind.CARD):
        raise NumberUnreadable
    way = EnquiryWay.ID if kind == Kind.ID else EnquiryWay.ACCOUNT
    index = id_index(normalise_id(text)) if kind == Kind.ID else account_index(text)
    rows = session.execute(
        sa.text("select persons from enquiry_persons(:kind, :key)"), {"kind": str(way), "key": index}
    ).scalars()
    found = list(rows)
    if not found:
        raise NobodyFound(title=way.label)
    if len(found) > 1:
        raise SeveralPeople(count=len(found))
    return way, list(found[0]), _keeper(session, index) if kind == Kind.ID else ""


def _keeper(session: Session, index: bytes) -> str:
    row = session.execute(sa.text("select township from keepers_of(cast(:keys as bytea[]))"), {"keys": [index]}).first()
    return str(row.township) if row else ""


def _kept(session: Session, persons: list[str]) -> Member | None:
    """Return the present record of the person in the officer's range."""
    statement = select(Member).where(col(Member.person).in_(persons), Member.current, col(Member.merged_into).is_(None))
    return session.exec(statement.order_by(col(Member.id).desc()).limit(1)).first()


def _elsewhere(session: Session, persons: list[str]) -> int:
    statement = sa.text("select payments_elsewhere(cast(:persons as text[]))")
    return int(session.execute(statement, {"persons": persons}).scalar_one())


def _require_reason(purpose: EnquiryPurpose, reason: str) -> str:
    """Ask for words where nobody stands at the window who asks about themselves."""
    why = reason.replace("\x00", "").strip()[:200]
    if purpose != EnquiryPurpose.SELF and len(why) < SHORTEST_REASON:
        raise ReasonMissing(step="窗口查询", field=f"查询说明（{purpose.label}须说明，不少于 {SHORTEST_REASON} 个字）")
    digits = "".join(letter if letter.isdigit() else " " for letter in half_width(why)).split()
    if any(len(run) >= MOST_DIGITS for run in digits):
        raise ReasonTooPersonal
    return why
