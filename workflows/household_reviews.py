"""Yearly reviews of households: who is overdue, prepared one by one or village by village, signed by the head.

（第十一条定期完善、清理、变更补贴对象基础信息；第三十一条逐户核查）
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import sqlalchemy as sa
from sqlmodel import Session

from models.divisions import Level
from models.household_reviews import HouseholdReview, ReviewFinding, ReviewStatus
from models.households import Household, HouseholdStatus
from models.officers import ActingOfficer
from policies import limits
from policies.clock import now, today
from policies.deadlines import HOUSEHOLD_REVIEW
from policies.enforcement import allow
from policies.interests import require_other_household
from policies.lifecycles import Desk
from policies.limits import value_for
from policies.moves import begin_many, move, move_many
from policies.permissions import Permission
from policies.refusals import NotFound, ReasonMissing, Refused
from workflows.attachments import Evidence, attach

NOUN = "household_review"
LABEL = "登记年度复核"
MOST_AT_ONCE = 500
CHECKS = (
    ("members", "家庭成员"),
    ("residence", "住址和常住情况"),
    ("assets", "生产资料"),
    ("account", "一卡通账户"),
    ("phone", "联系电话"),
    ("certificates", "证件与资格"),
)
PERSONAL = re.compile(r"\d{11}")


class ReviewedAlready(Refused):
    """该户 {year} 年度已登记复核（{number}），不能重复登记；需要更正的，请先撤回或由负责人退回（第十一条）。"""


class NotReviewable(Refused):
    """该户已撤销或不由本苏木乡镇管理，不需要年度复核；请在管理地办理（第十一条）。"""


class VisitLater(Refused):
    """入户日期 {day} 晚于今天，请填写实际入户日期（第十一条）。"""

    status_code = 400


class NotePersonal(Refused):
    """复核情况会长期保存，不要写证件号码、账号或手机号，请改写后提交（第三十条）。"""

    status_code = 400


class NothingToReview(Refused):
    """所选 {count} 户本年度都已登记复核或已撤销，没有可登记的；请刷新名单后重新选择。"""


class TooManyAtOnce(Refused):
    """一次最多办理 {most} 户，本次 {count} 户；请分批办理。"""

    status_code = 400


@dataclass(frozen=True)
class Progress:
    """How far a division has come: a village, or all households beneath a code."""

    key: str
    households: int
    overdue: int
    never: int
    """Of the overdue: never reviewed since they were registered."""
    waiting: int
    """Prepared, not signed yet."""

    @property
    def share(self) -> int:
        """Return the per cent of households that are not overdue."""
        return 100 * (self.households - self.overdue) // self.households if self.households else 100


def limit_day(session: Session, division_code: str = "") -> date:
    """Return the day before which a review is too old, in a place that may have a local rule. （第十一、三十六条）"""
    months = value_for(session, limits.HOUSEHOLD_REVIEW, division_code) if division_code else HOUSEHOLD_REVIEW.months
    day: date = session.execute(
        sa.text("select (cast(:day as date) - make_interval(months => :months))::date"),
        {"day": today(session), "months": months},
    ).scalar_one()
    return day


def _require_sound(session: Session, visited_on: date, checked: Sequence[str], note: str) -> None:
    if visited_on > today(session):
        raise VisitLater(day=visited_on)
    if not checked or not set(checked) <= set(dict(CHECKS)):
        raise ReasonMissing(step=LABEL, field="核对内容")
    if PERSONAL.search(note):
        raise NotePersonal


def prepare(
    session: Session,
    household: Household,
    *,
    by: ActingOfficer,
    visited_on: date,
    finding: str,
    checked: Sequence[str],
    note: str = "",
    evidence: Sequence[Evidence] = (),
) -> HouseholdReview:
    """Write what was found at one household this year, for the head to sign. （第十一、三十一条）

    Raises NotAllowed, NotReviewable, ReviewedAlready, VisitLater, ReasonMissing, NotePersonal, DocumentNotKnown.
    """
    allow(session, by, Permission.HOUSEHOLD_REVIEW_PREPARE, household)
    if household.status != HouseholdStatus.ACTIVE:
        raise NotReviewable
    year = today(session).year
    there = session.execute(
        sa.select(HouseholdReview.number)  # type: ignore[call-overload]
        .filter_by(division_code=household.division_code, household_id=household.id, year=year)
        .where(sa.column("status") != ReviewStatus.WITHDRAWN)
    ).scalar_one_or_none()
    if there is not None:
        raise ReviewedAlready(year=year, number=there)
    made = prepare_many(
        session, [household.id or 0], by=by, visited_on=visited_on, finding=finding, checked=checked, note=note
    )
    review = session.get_one(HouseholdReview, made[0])
    attach(session, NOUN, made[0], household.division_code, evidence, by=by)
    return review


PREPARE = sa.text(
    """
    insert into household_reviews (division_code, county_code, number, household_id, year, status, version, village,
        subject, visited_on, finding, checked, note, arrived_at, returned_for)
    select h.division_code, h.county_code,
        'FH' || left(h.division_code, 9) || to_char(cast(:day as date), 'YYYYMMDD')
            || to_char(nextval('household_review_numbers'), 'FM0000000000'),
        h.id, :year, 'prepared', 1, h.village, h.head_name, :visited_on, :finding, :checked, :note, :moment, ''
    from households h
    where h.division_code = :division and h.id = any (:ids) and h.status = 'active'
        and not exists (select from household_reviews r where r.division_code = h.division_code
            and r.household_id = h.id and r.year = :year and r.status <> 'withdrawn')
    on conflict do nothing
    returning id, division_code
    """
)


def prepare_many(
    session: Session,
    household_ids: Sequence[int],
    *,
    by: ActingOfficer,
    visited_on: date,
    finding: str,
    checked: Sequence[str],
    note: str = "",
) -> list[int]:
    """Write the same finding for many households of the officer's township; return the new reviews. （第十一条）

    What has a review of this year already, or is no longer kept, is passed over.
    Raises NotAllowed, NothingToReview, TooManyAtOnce, VisitLater, ReasonMissing, NotePersonal.
    """
    allow(session, by, Permission.HOUSEHOLD_REVIEW_PREPARE)
    if len(household_ids) > MOST_AT_ONCE:
        raise TooManyAtOnce(most=MOST_AT_ONCE, count=len(household_ids))
    if finding not in set(ReviewFinding):
        raise ReasonMissing(step=LABEL, field="复核结果")
    _require_sound(session, visited_on, checked, note)
    moment = now(session)
    rows = session.execute(
        PREPARE,
        {
            "division": by.division_code, "ids": list(household_ids), "year": moment.year, "day": moment.date(),
            "visited_on": visited_on, "finding": finding, "checked": list(checked), "note": note.strip(),
            "moment": moment,
        },
    ).all()  # fmt: skip
    if not rows:
        raise NothingToReview(count=len(household_ids))
    begin_many(session, HouseholdReview, rows, by=by, label=LABEL, desk=Desk.TOWNSHIP_KEEPER)
    return [row.id for row in rows]


SIGNED = sa.text(
    """
    with fresh as (
        update household_reviews set signed_at = :moment
        where id = any (:ids) and status = 'signed' and signed_at is null
        returning division_code, household_id, visited_on
    )
    update households h set reviewed_on = greatest(h.reviewed_on, f.visited_on)
    from fresh f where h.division_code = f.division_code and h.id = f.household_id
    """
)


def sign(session: Session, review: HouseholdReview, *, by: ActingOfficer, opinion: str = "") -> HouseholdReview:
    """Answer for what was found at a household: it counts as reviewed from that visit. （第十一、三十一条）"""
    allow(session, by, Permission.HOUSEHOLD_REVIEW_SIGN, review)
    require_other_household(session, HouseholdReview, [review.id or 0], by=by, title="年度复核", step="签署")
    move(session, review, "sign", by=by, opinion=opinion)
    session.execute(SIGNED, {"ids": [review.id], "moment": now(session)})
    session.refresh(review)
    return review


def sign_many(session: Session, review_ids: Sequence[int], *, by: ActingOfficer, opinion: str = "") -> int:
    """Sign many reviews at once; return how many. （第十一、三十一条）

    Raises NotAllowed, NotFound when none of them waits any longer, TooManyAtOnce, SamePersonTwice, OwnHousehold.
    """
    allow(session, by, Permission.HOUSEHOLD_REVIEW_SIGN)
    if len(review_ids) > MOST_AT_ONCE:
        raise TooManyAtOnce(most=MOST_AT_ONCE, count=len(review_ids))
    require_other_household(session, HouseholdReview, review_ids, by=by, title="年度复核", step="签署")
    moved = move_many(session, HouseholdReview, "sign", review_ids, by=by, opinion=opinion)
    if not moved:
        raise NotFound
    session.execute(SIGNED, {"ids": list(review_ids), "moment": now(session)})
    return moved


def return_(session: Session, review: HouseholdReview, *, by: ActingOfficer, reason: str) -> HouseholdReview:
    """Give a review back to whoever prepared it. （第十一条） Raises ReasonMissing."""
    allow(session, by, Permission.HOUSEHOLD_REVIEW_SIGN, review)
    if not reason.strip():
        raise ReasonMissing(step="退回", field="退回原因")
    move(session, review, "return_", by=by, opinion=reason)
    review.returned_for = reason.strip()
    session.flush()
    return review


def resubmit(session: Session, review: HouseholdReview, *, by: ActingOfficer, opinion: str = "") -> HouseholdReview:
    """Submit a returned review again, once it was looked into. （第十一条）"""
    allow(session, by, Permission.HOUSEHOLD_REVIEW_PREPARE, review)
    return move(session, review, "resubmit", by=by, opinion=opinion)


def withdraw(session: Session, review: HouseholdReview, *, by: ActingOfficer, reason: str) -> HouseholdReview:
    """Take a review back before it is signed. （第十一条） Raises ReasonMissing."""
    allow(session, by, Permission.HOUSEHOLD_REVIEW_PREPARE, review)
    if not reason.strip():
        raise ReasonMissing(step="撤回", field="撤回原因")
    return move(session, review, "withdraw", by=by, opinion=reason)


# --- who is overdue -----------------------------------------------------------------------------------------------

KEYS = {
    Level.TOWNSHIP: "village",
    Level.COUNTY: "division_code",
    Level.LEAGUE: "left(division_code, 6) || '000000'",
    Level.REGION: "left(division_code, 4) || '00000000'",
}
"""By what the households beneath a division are counted: its villages, or the divisions directly under it."""

PROGRESS = """
with kept as (
    select {key} as key, count(*) as households,
        count(*) filter (where reviewed_on is null or reviewed_on < :limit) as overdue,
        count(*) filter (where reviewed_on is null) as never
    from households where status = 'active' and division_code >= :start and division_code < :end group by 1
), prepared as (
    select {key} as key, count(*) as waiting from household_reviews
    where status = 'prepared' and division_code >= :start and division_code < :end group by 1
)
select k.key, k.households, k.overdue, k.never, coalesce(p.waiting, 0) as waiting
from kept k left join prepared p on p.key = k.key order by k.overdue desc, k.key
"""


def progress(session: Session, level: Level, start: str, end: str) -> list[Progress]:
    """Return how far the reviews have come beneath a division, the most overdue first: one statement. （第十一条）"""
    statement = sa.text(PROGRESS.format(key=KEYS[level]))
    rows = session.execute(statement, {"limit": limit_day(session, start), "start": start, "end": end})
    return [Progress(*row) for row in rows]


DUE = sa.text(
    """
    select h.id from households h
    where h.division_code = :division and h.village = :village and h.status = 'active'
        and (not :overdue or h.reviewed_on is null or h.reviewed_on < :limit)
        and not exists (select from household_reviews r where r.division_code = h.division_code
            and r.household_id = h.id and r.year = :year and r.status <> 'withdrawn')
    order by h.reviewed_on nulls first, h.id limit :most
    """
)


def to_review(session: Session, division: str, village: str, *, overdue: bool = True) -> list[Household]:
    """Return the households of a village that have no review of this year, the longest unreviewed first."""
    day = today(session)
    asked = {
        "division": division, "village": village, "overdue": overdue, "limit": limit_day(session, division),
        "year": day.year,
        "most": MOST_AT_ONCE,
    }  # fmt: skip
    ids = list(session.execute(DUE, asked).scalars())
    found = session.execute(sa.select(Household).where(Household.id.in_(ids))).scalars()  # type: ignore[union-attr]
    by_id = {one.id: one for one in found}
    return [by_id[number] for number in ids]


def to_sign(session: Session, division: str, village: str) -> list[HouseholdReview]:
    """Return the reviews of a village that wait to be signed, what differs from the register first. （第十一条）"""
    review = HouseholdReview
    rows = session.execute(
        sa.select(review)
        .filter_by(division_code=division, village=village, status=ReviewStatus.PREPARED)
        .order_by(sa.column("finding") == ReviewFinding.AGREES, sa.column("id"))
        .limit(MOST_AT_ONCE)
    )
    return list(rows.scalars())
