"""Leaving: what is open is shown first, who takes it over is said, then posts, delegations and sessions end at once.

（第二十三条、第二十四条）
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

import sqlalchemy as sa
from sqlmodel import Session, col

from models.bank_batches import BankBatch, Disbursement, DisbursementStatus
from models.base import REGION_CODE, Table
from models.delegations import Delegation
from models.divisions import Level
from models.failures import Failure, FailureStatus, Refund
from models.household_reviews import HouseholdReview
from models.officers import ActingOfficer, Officer, Post, PostStatus, Role, Scope, system_principal
from models.organisations import OrganisationKind
from models.payment_orders import PaymentOrder, PaymentOrderStatus
from models.registry_changes import RegistryChange
from models.registry_tasks import RegistryTask
from models.rosters import Roster, RosterStatus
from policies.clock import now, today
from policies.enforcement import allow
from policies.lifecycles import LIFECYCLES, Desk
from policies.moves import move_many, record_event
from policies.permissions import Permission
from policies.refusals import Refused
from workflows.officers import NOUN
from workflows.posts import ends_on, propose, require_another, require_reason
from workflows.sessions import end_all

NOUNS: tuple[type[Table], ...] = (
    Roster, PaymentOrder, BankBatch, Failure, Refund, RegistryChange, RegistryTask, HouseholdReview,
)  # fmt: skip
"""The nouns that wait at desks."""
ERRANDS: tuple[tuple[type[Table], Desk, str, tuple[Any, ...]], ...] = (
    (Roster, Desk.DEPARTMENT_CLERK, "待生成资金支付单的清册", (col(Roster.status) == RosterStatus.FINAL,)),
    (
        PaymentOrder,
        Desk.FINANCE_CLERK,
        "待生成代发批次的支付单",
        (
            col(PaymentOrder.status) == PaymentOrderStatus.FUNDED,
            sa.exists().where(
                col(Disbursement.county_code) == col(PaymentOrder.division_code),
                col(Disbursement.order_id) == col(PaymentOrder.id),
                col(Disbursement.status) == DisbursementStatus.RESERVED,
            ),
        ),
    ),
    (Failure, Desk.FINANCE_CLERK, "待补发的失败明细", (col(Failure.status) == FailureStatus.CORRECTED,)),
    (
        Failure,
        Desk.FINANCE_CLERK,
        "待退款的失败明细",
        (col(Failure.status) == FailureStatus.REMOVED, col(Failure.refund_id).is_(None)),
    ),
)
"""What waits at a desk though no step of its own lifecycle says so: making the next record from it."""


class SuccessorMissing(Refused):
    """{post}只有{officer}一人在任，且还有 {count} 件待办；请指定接任人，或写明暂无接任人的原因后再办理离任。"""


class LeavingDateWrong(Refused):
    """离任日期不能早于今天（{day}），请更正后提交。"""

    status_code = 400


@dataclass(frozen=True)
class Open:
    """Something that waits, and how much of it."""

    label: str
    count: int


@dataclass(frozen=True)
class Held:
    """One post of an officer, and what is open in it."""

    post_id: int
    organisation_id: int
    role: Role
    title: str
    sector: str
    valid_to: date | None
    sole: bool
    """Nobody else holds this role in the organisation."""
    waiting: tuple[Open, ...]
    """At the desks of this post: a colleague of the role could do it."""
    own: tuple[Open, ...]
    """Begun by the officer in this post: jobs, imports."""

    @property
    def urgent(self) -> bool:
        """Tell whether a successor must be named: nobody else is there, and something waits."""
        return self.sole and any(one.count for one in self.waiting)


@dataclass(frozen=True)
class Succession:
    """Who takes a post over; or why nobody does yet."""

    officer_id: str = ""
    gap: str = ""


NOBODY = Succession()


def open_things(session: Session, officer: Officer) -> list[Held]:
    """Return what is open in each post that an officer holds, within the caller's range. （第二十三条）"""
    posts = session.execute(POSTS, {"officer": officer.id, "day": today(session)}).all()
    found = _counts(session, officer, posts)
    return [
        Held(
            row.id, row.organisation_id, Role(row.role), f"{row.organisation}{Role(row.role).label}", row.sector,
            row.valid_to, row.others == 0, found[row.id, True], found[row.id, False],
        )
        for row in posts
    ]  # fmt: skip


POSTS = sa.text(
    "select p.id, p.organisation_id, p.role, p.organisation, p.sector, p.valid_to, g.kind, g.level, g.division_code,"
    " coalesce(nullif(p.sector, ''), g.sector) as line,"
    " (select count(*) from posts c join officers o on o.id = c.officer_id and o.active"
    "  where c.organisation_id = p.organisation_id and c.role = p.role and c.officer_id <> p.officer_id"
    "  and c.status = 'in_force' and c.valid_from <= :day and (c.valid_to is null or c.valid_to >= :day)) as others"
    " from posts p join organisations g on g.id = p.organisation_id where p.officer_id = :officer"
    " and p.status = 'in_force' and (p.valid_to is null or p.valid_to >= :day) order by p.id"
)


def _counts(session: Session, officer: Officer, posts: Sequence[Any]) -> dict[tuple[int, bool], tuple[Open, ...]]:
    """Return what waits and what is the officer's own, by post: one statement."""
    parts = [part for row in posts for part in (*_waiting(row), *_own(officer, row))]
    found: dict[tuple[int, bool], list[Open]] = {(row.id, desk): [] for row in posts for desk in (True, False)}
    if parts:
        for post, desk, label, count in session.execute(sa.union_all(*parts)).tuples():
            if count:
                found[post, desk].append(Open(label, count))
    return {key: tuple(value) for key, value in found.items()}


def _waiting(row: Any) -> list[Any]:
    kind, level = OrganisationKind(row.kind), Level(row.level)
    seat = replace(system_principal(REGION_CODE, Level.REGION), kind=kind, level=level, role=Role(row.role))
    desks = [desk for desk in Desk if desk.seats(seat)]
    scope = Scope.of(row.division_code, level)
    waits: list[Any] = [
        (model, f"待办{LIFECYCLES[model].title}", (sa.or_(*turns),))
        for model in NOUNS
        if (
            turns := [
                _turn(model, desk, statuses, row) for desk in desks if (statuses := LIFECYCLES[model].awaits(desk))
            ]
        )
    ]
    waits += [(model, label, where) for model, desk, label, where in ERRANDS if desk in desks]
    return [_count(row, True, model, label, (*where, *_within(model, scope, row))) for model, label, where in waits]


def _turn(model: Any, desk: Desk, statuses: Sequence[Any], row: Any) -> Any:
    home = [model.division_code == row.division_code] if desk.home else []
    return sa.and_(model.status.in_(statuses), *home)


def _within(model: Any, scope: Scope, row: Any) -> list[Any]:
    inside = [model.division_code >= scope.start, model.division_code < scope.end]
    narrow = row.kind == OrganisationKind.DEPARTMENT and hasattr(model, "sector")
    return [*inside, model.sector == row.line] if narrow else inside


def _count(row: Any, desk: bool, source: Any, label: str, where: Sequence[Any]) -> Any:
    counted = sa.select(sa.func.count()).select_from(source).where(*where).scalar_subquery()
    return sa.select(sa.literal(row.id), sa.literal(desk), sa.literal(label), counted)


def _own(officer: Officer, row: Any) -> list[Any]:
    jobs = sa.table("jobs", sa.column("officer_id"), sa.column("post_id"), sa.column("status"))
    mine = (jobs.c.officer_id == officer.id, jobs.c.post_id == row.id, jobs.c.status.in_(("queued", "running")))
    rules = sa.table("warning_rules", sa.column("saved_by"), sa.column("enabled"), sa.column("division_code"))
    drafts = (rules.c.saved_by == officer.person, ~rules.c.enabled, rules.c.division_code == row.division_code)
    lent = sa.table("delegations", sa.column("post_id"), sa.column("status"))
    return [
        _count(row, False, jobs, "进行中的后台任务", mine),
        _count(row, False, rules, "本人保存、尚未启用的预警规则", drafts),
        _count(row, False, lent, "本岗位有效的委托", (lent.c.post_id == row.id, lent.c.status == "in_force")),
    ]


def leave(
    session: Session,
    officer: Officer,
    *,
    by: ActingOfficer,
    on: date,
    reason: str,
    successors: Mapping[int, Succession] | None = None,
) -> Officer:
    """Let an officer leave: posts and delegations end, and with the last day every session and the account.

    successors: by post. Whoever alone holds a role in which something waits needs one, whose post is proposed for
    another security administrator to confirm, or a stated gap. （第二十三条）
    Raises NotFound, NotAllowed, OwnAccount, LeavingDateWrong, SuccessorMissing, and what `propose` raises.
    """
    allow(session, by, Permission.POST_END, officer)
    require_another(officer.person, by, "本人离任")
    words, day = require_reason("办理离任", reason), today(session)
    if on < day:
        raise LeavingDateWrong(day=day)
    named = successors or {}
    held = open_things(session, officer)
    for one in held:
        _require_succession(officer, one, named.get(one.post_id, NOBODY))
    if on == day:
        _leave_now(session, officer, by, words)
    _end_dates(session, officer, on)
    for one in held:
        _hand_over(session, officer, one, named.get(one.post_id, NOBODY), by=by, on=on)
    facts = {"on": on.isoformat(), "gaps": {str(key): one.gap for key, one in named.items() if one.gap.strip()}}
    record_event(session, officer, "leave", by=by, label="办理离任", noun=NOUN, opinion=words, facts=facts)
    return officer


def _require_succession(officer: Officer, held: Held, named: Succession) -> None:
    if held.urgent and not named.officer_id and len(named.gap.strip()) < 2:
        waiting = sum(one.count for one in held.waiting)
        raise SuccessorMissing(post=held.title, officer=officer.name, count=waiting)


def _leave_now(session: Session, officer: Officer, by: ActingOfficer, reason: str) -> None:
    """End the posts, both sides of every delegation, the account and all its sessions in this transaction."""
    asked = {"officer": officer.id}
    posts = {
        status: [row.id for row in session.execute(LEFT_POSTS, asked) if row.status == status]
        for status in (PostStatus.IN_FORCE, PostStatus.PROPOSED)
    }
    lent = list(session.execute(LEFT_DELEGATIONS, asked).scalars())
    move_many(session, Delegation, "end", lent, by=by, opinion=reason)
    move_many(session, Post, "end", posts[PostStatus.IN_FORCE], by=by, opinion=reason)
    move_many(session, Post, "lapse", posts[PostStatus.PROPOSED], by=by, opinion=reason)
    session.execute(sa.update(Officer).where(col(Officer.id) == officer.id).values(active=False))
    session.refresh(officer)
    end_all(session, officer.id or 0)


LEFT_POSTS = sa.text(
    "select id, status from posts where officer_id = :officer and status in ('in_force', 'proposed') order by id"
)
LEFT_DELEGATIONS = sa.text(
    "select id from delegations where status = 'in_force' and :officer in (officer_id, holder_id) order by id"
)
END_POSTS = sa.text(
    "update posts set valid_to = greatest(:on, valid_from) where officer_id = :officer"
    " and status in ('in_force', 'ended') and (valid_to is null or valid_to > :on)"
)
END_DELEGATIONS = sa.text(
    "update delegations set valid_to = greatest(:on, valid_from) where :officer in (officer_id, holder_id)"
    " and status = 'in_force' and valid_to > :on"
)


def _end_dates(session: Session, officer: Officer, on: date) -> None:
    """Let nothing outlast the last day, whether it has ended now or ends by itself then."""
    for statement in (END_POSTS, END_DELEGATIONS):
        session.execute(statement, {"officer": officer.id, "on": on})


def _hand_over(
    session: Session, officer: Officer, held: Held, named: Succession, *, by: ActingOfficer, on: date
) -> None:
    """Propose the successor for the post, unless they hold the role already; move the jobs to them or end these."""
    heir = None
    if named.officer_id:
        heir = session.execute(
            HEIR, {"officer": named.officer_id, "organisation": held.organisation_id, "role": held.role,
                   "day": today(session)}
        ).scalar_one_or_none()  # fmt: skip
    if named.officer_id and heir is None:
        since = today(session) if on == today(session) else ends_on(session, on)
        until = held.valid_to if held.valid_to is not None and held.valid_to >= since else None
        propose(
            session, by=by, officer_id=named.officer_id, organisation_id=str(held.organisation_id), role=held.role,
            valid_from=since, valid_to=until, sector=held.sector,
        )  # fmt: skip
    asked = {"leaver": officer.id, "post": held.post_id}
    if heir is not None:
        session.execute(MOVE_JOBS, asked | {"officer": int(named.officer_id), "heir": heir})
    elif on == today(session):
        session.execute(END_JOBS, asked | {"at": now(session)})


HEIR = sa.text(
    "select p.id from posts p join officers o on o.id = p.officer_id and o.active"
    " where p.officer_id = cast(:officer as bigint) and p.organisation_id = :organisation and p.role = :role"
    " and p.status = 'in_force' and p.valid_from <= :day and (p.valid_to is null or p.valid_to >= :day)"
    " order by p.id limit 1"
)
MOVE_JOBS = sa.text(
    "update jobs set officer_id = :officer, post_id = :heir, delegation_id = 0"
    " where officer_id = :leaver and post_id = :post and status in ('queued', 'running')"
)
END_JOBS = sa.text(
    "update jobs set cancel_asked = true, message = '发起人已离任，任务终止，未产生更改',"
    " finished_at = case status when 'queued' then cast(:at as timestamptz) end,"
    " status = case status when 'queued' then 'cancelled' else status end"
    " where officer_id = :leaver and post_id = :post and status in ('queued', 'running')"
)


def candidates(session: Session, officer: Officer) -> list[tuple[str, str]]:
    """Return who could succeed: the active accounts of other people in the divisions of the officer's posts."""
    rows = session.execute(
        sa.text(
            "select distinct o.id, o.name, o.login from officers o where o.active and o.person <> :person"
            " and (o.division_code in (select p.division_code from posts p where p.officer_id = :id)"
            "  or o.division_code = :division) order by o.name, o.id"
        ),
        {"person": officer.person, "id": officer.id, "division": officer.division_code},
    )
    return [(str(row.id), f"{row.name}（{row.login}）") for row in rows]
