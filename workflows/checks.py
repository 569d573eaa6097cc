"""The check of a roster by job: identities at the police, accounts at the bank, then the rules. （第十六条）

Nothing is open while the outside is asked. Each chunk's answers are written set-based and stay on the lines with
their age, so a job that was stopped goes on with what it has not asked yet.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy import text
from sqlmodel import Session, col, select

from integrations import banks, police
from integrations.banks import AccountAnswer, AccountQuery
from integrations.errors import Rejected, Unavailable
from integrations.police import PersonAnswer, PersonQuery
from models.accounts import Account, AccountStatus
from models.database import transaction
from models.households import IdentityOutcome, Member
from models.jobs import Job, JobStatus
from models.officers import ActingOfficer
from models.rosters import Roster, RosterLine
from policies.clock import now
from policies.enforcement import allow
from policies.lifecycles import Desk
from policies.moves import move_many, record_event, title_of
from policies.permissions import Permission
from policies.refusals import Refused, StepNotPossible
from workflows import account_answers, identity_checks, virtual_members
from workflows.identity_checks import CheckRejected
from workflows.jobs import Waiting
from workflows.queue import finish, officer_of_post, progress, start_job
from workflows.roster_lines import EDITABLE
from workflows.warnings import Lights, preview

CHECK_ROSTER = "check_roster"
CHUNK = 1000
ACCOUNT_FRESH = timedelta(days=30)
"""How long a bank's answer holds before the account is asked about again."""

USABLE = "verified"


class CheckRunning(Refused):
    """{title}的核查正在进行，请等待完成或先取消该任务，再重新发起。"""


class Cancelled(Exception):
    """The job's owner asked it to stop."""


def start_check(session: Session, roster: Roster, *, by: ActingOfficer) -> Job:
    """Start the check of a roster's identities, accounts and rules as a job of the officer. （第十六条第一、二项）

    Raises StepNotPossible when the roster is with the county, CheckRunning.
    """
    allow(session, by, Permission.ROSTER_CHECK, roster)
    _require_editable(roster)
    session.execute(text("select 1 from rosters where id = :roster for update"), {"roster": roster.id})
    running = session.execute(
        text(
            "select 1 from jobs where division_code = :division and roster_id = :roster and kind = :kind"
            " and status in ('queued', 'running') limit 1"
        ),
        {"division": roster.division_code, "roster": roster.id, "kind": CHECK_ROSTER},
    ).scalar_one_or_none()
    if running:
        raise CheckRunning(title=title_of(roster))
    record_event(session, roster, "check", by=by, label="发起核查", desk=Desk.TOWNSHIP_CLERK)
    return start_job(
        session,
        by=by,
        kind=CHECK_ROSTER,
        title=f"核查{title_of(roster)}",
        division_code=roster.division_code,
        roster_id=roster.id,
    )


def _require_editable(roster: Roster) -> None:
    if roster.status not in EDITABLE:
        raise StepNotPossible(title=title_of(roster), status=roster.status.label, step="核查")


@dataclass
class _Run:
    """One run of the job: whose, over which roster, and since when an answer counts as this job's."""

    job_id: int
    by: ActingOfficer
    division_code: str
    roster_id: int
    since: datetime
    people: int = 0
    accounts: int = 0

    @property
    def key(self) -> dict[str, Any]:
        """Return the bound values that every statement of the run takes."""
        return {
            "division": self.division_code,
            "roster": self.roster_id,
            "since": self.since,
            "fresh": self.since - ACCOUNT_FRESH,
        }


def run_check(job_id: int, post_id: int) -> None:
    """Run the check job: ask police and bank in chunks, then preview the rules. （第十六条第一、二项、第十八条）

    Raises Waiting while police or bank can't be reached (the task is retried and goes on), StepNotPossible when the
    roster went to the county meanwhile, CheckRejected, PostEnded.
    """
    by = officer_of_post(post_id)
    try:
        run = _begin(by, job_id)
        while people := _people_to_ask(run):
            _keep_identities(run, _ask_police(people))
        while accounts := _accounts_to_ask(run):
            _keep_accounts(run, _ask_bank(accounts))
        _conclude(run)
    except Cancelled:
        with transaction(by) as session:
            finish(session, job_id, JobStatus.CANCELLED, "已取消；已取得的核查结果保留在明细上")
    except Unavailable as away:
        raise Waiting(str(away)) from away
    except Rejected as refused:
        partner = str(refused.fields.get("partner", "对方系统"))
        raise CheckRejected(partner=partner, code=refused.code, text=refused.text) from refused


COUNT_PEOPLE = text(
    "select count(distinct member_id) as people, count(distinct member_id) filter"
    " (where identity_checked_at is null or identity_checked_at < :since) as open"
    " from roster_lines where division_code = :division and roster_id = :roster"
)

ACCOUNTS_OF_ROSTER = (
    " from roster_lines l join accounts a on a.division_code = l.division_code and a.id = l.account_id"
    " where l.division_code = :division and l.roster_id = :roster and a.status <> 'closed'"
    " and not (a.status = 'verified' and a.verified_at >= :fresh and a.verified_at < :since)"
    " and not exists (select 1 from agent_banks b where b.id = a.bank_id and not b.interface)"
)
TO_THE_DESK = text(
    "select distinct a.id from roster_lines l"
    " join accounts a on a.division_code = l.division_code and a.id = l.account_id and a.status = 'registered'"
    " join agent_banks b on b.id = a.bank_id and not b.interface"
    " where l.division_code = :division and l.roster_id = :roster order by 1"
)
"""Accounts nobody has asked about yet, of banks that answer at their own desk, not by interface. （第三十四条）"""
OPEN_ACCOUNT = " and (l.account_checked_at is null or l.account_checked_at < :since)"

COUNT_ACCOUNTS = text(
    "select count(distinct a.id) as accounts, count(distinct a.id) filter"
    " (where l.account_checked_at is null or l.account_checked_at < :since) as open" + ACCOUNTS_OF_ROSTER
)

TAKE_PAYMENT_ACCOUNT = text(
    """
    update roster_lines l set account_id = n.id, account_number = n.number, account_index = n.number_index,
        bank_name = n.bank_name, bank_code = n.bank_code, account_state = null, account_is_card = n.is_card,
        account_checked_at = null
    from accounts n
    where l.division_code = :division and l.roster_id = :roster and n.division_code = l.division_code
        and n.is_payment and n.id is distinct from l.account_id
        and n.member_id = coalesce(
            (select o.member_id from accounts o where o.division_code = l.division_code and o.id = l.account_id),
            case when l.payee_relation = 'self' and l.account_number is null then l.member_id end)
    """
)
"""Lines follow their holder to the account that is now paid to. （第十二条、第十六条第二项）"""


def _begin(by: ActingOfficer, job_id: int) -> _Run:
    with transaction(by) as session:
        job = session.get_one(Job, job_id)
        run = _Run(job_id, by, job.division_code, job.roster_id or 0, job.queued_at)
        roster = _roster(session, run)
        _require_editable(roster)
        session.execute(TAKE_PAYMENT_ACCOUNT, run.key)
        virtual_members.refresh(session, run.division_code, roster)
        move_many(session, Account, "submit", session.scalars(TO_THE_DESK, run.key).all(), by=by)
        run.people = session.execute(COUNT_PEOPLE, run.key).one().people
        run.accounts = session.execute(COUNT_ACCOUNTS, run.key).one().accounts
    return run


def _roster(session: Session, run: _Run) -> Roster:
    return session.exec(
        select(Roster).where(Roster.division_code == run.division_code, Roster.id == run.roster_id)
    ).one()


def _tell(run: _Run, open_people: int, open_accounts: int, stage: str) -> None:
    total = run.people + run.accounts
    if not progress(run.by, run.job_id, total - open_people - open_accounts, total, stage):
        raise Cancelled


def _people_to_ask(run: _Run) -> list[PersonQuery]:
    """Return the next chunk of people whom this job has not asked about."""
    columns: Any = RosterLine
    with transaction(run.by) as session:
        left = session.execute(COUNT_PEOPLE, run.key).one().open
        rows = session.execute(
            sa.select(columns.member_id, columns.name, columns.id_number)
            .distinct(columns.member_id)
            .where(columns.division_code == run.division_code, columns.roster_id == run.roster_id)
            .where(sa.or_(columns.identity_checked_at.is_(None), columns.identity_checked_at < run.since))
            .order_by(columns.member_id)
            .limit(CHUNK)
        ).all()
    _tell(run, left, run.accounts, "公安联网核查")
    return [PersonQuery(str(row.member_id), row.name, row.id_number) for row in rows]


def _ask_police(people: Sequence[PersonQuery]) -> list[PersonAnswer]:
    return police.check_people(people)


KEEP_ON_LINES = text(
    """
    update roster_lines l set identity_outcome = a.outcome, identity_checked_at = :moment, died_on = a.died
    from unnest(cast(:ids as bigint[]), cast(:outcomes as text[]), cast(:deaths as date[])) as a (id, outcome, died)
    where l.division_code = :division and l.roster_id = :roster and l.member_id = a.id
    """
)


def _keep_identities(run: _Run, answers: Sequence[PersonAnswer]) -> None:
    """Write a chunk's answers onto lines and registry."""
    told = {
        "ids": [int(answer.reference) for answer in answers],
        "outcomes": [answer.outcome.value for answer in answers],
        "deaths": [answer.died_on for answer in answers],
    }
    with transaction(run.by) as session:
        values = run.key | told | {"moment": now(session)}
        session.execute(KEEP_ON_LINES, values)
        identity_checks.keep(session, answers, by=run.by)


def _accounts_to_ask(run: _Run) -> list[AccountQuery]:
    """Return the next chunk of accounts that are not verified, or not lately, and not asked about by this job."""
    with transaction(run.by) as session:
        left = session.execute(COUNT_ACCOUNTS, run.key).one().open
        ids = session.scalars(
            text("select distinct a.id" + ACCOUNTS_OF_ROSTER + OPEN_ACCOUNT + f" order by a.id limit {CHUNK}"), run.key
        ).all()
        rows = session.execute(
            sa.select(col(Account.id), col(Account.number), col(Member.name), col(Member.id_number))
            .join(
                Member,
                sa.and_(
                    col(Member.division_code) == col(Account.division_code), col(Member.id) == col(Account.member_id)
                ),
            )
            .where(col(Account.division_code) == run.division_code, col(Account.id).in_(ids))
        ).all()
    _tell(run, 0, left, "账户验证")
    return [AccountQuery(str(number), account, name, id_number) for number, account, name, id_number in rows]


def _ask_bank(accounts: Sequence[AccountQuery]) -> list[AccountAnswer]:
    return banks.verify_accounts(accounts)


KEEP_ACCOUNTS_ON_LINES = text(
    """
    update roster_lines l set account_state = b.state, account_is_card = b.is_card, account_checked_at = :moment
    from unnest(cast(:ids as bigint[]), cast(:states as text[]), cast(:cards as boolean[])) as b (id, state, is_card)
    where l.division_code = :division and l.roster_id = :roster and l.account_id = b.id
    """
)


def _keep_accounts(run: _Run, answers: Sequence[AccountAnswer]) -> None:
    """Write a chunk's answers onto accounts (by their lifecycle), their townships' tasks and the lines."""
    with transaction(run.by) as session:
        told = account_answers.keep_checked(session, answers, by=run.by)
        values = {
            "ids": [int(answer.reference) for answer in told],
            "states": [answer.state for answer in told],
            "cards": [answer.is_card for answer in told],
            "moment": now(session),
        }
        session.execute(KEEP_ACCOUNTS_ON_LINES, run.key | values)


TAKE_KNOWN_STATES = text(
    "update roster_lines l set account_state ="
    " case a.status when 'refused' then coalesce(nullif(a.refused_for, 'other'), 'unknown') else a.status end,"
    " account_is_card = a.is_card,"
    " account_checked_at = coalesce(a.verified_at, cast(:moment as timestamptz)) from accounts a"
    " where l.division_code = :division and l.roster_id = :roster and a.division_code = l.division_code"
    " and a.id = l.account_id and (a.status in ('verified', 'closed') or a.status in ('dormant', 'refused')"
    " and exists (select 1 from agent_banks b where b.id = a.bank_id and not b.interface))"
    " and (l.account_checked_at is null or l.account_checked_at < :since)"
)
"""Accounts that need no question: verified lately, closed for good, or answered at the bank's own desk."""

FOUND = text(
    "select identity_outcome as outcome, account_state as state, count(*) as lines from roster_lines"
    " where division_code = :division and roster_id = :roster group by 1, 2"
)


def _conclude(run: _Run) -> None:
    """Preview the rules, stamp the roster and end the job, in one transaction."""
    _tell(run, 0, 0, "预警规则")
    with transaction(run.by) as session:
        session.execute(TAKE_KNOWN_STATES, run.key | {"moment": now(session)})
        roster = _roster(session, run)
        lights = preview(session, roster, by=run.by)
        roster.checked_at = now(session)
        session.add(roster)
        facts, message = _summary(session, run, lights)
        record_event(session, roster, "checked", by=run.by, label="核查完成", desk=Desk.TOWNSHIP_CLERK, facts=facts)
        finish(session, run.job_id, JobStatus.DONE, message)


def _summary(session: Session, run: _Run, lights: Lights) -> tuple[dict[str, Any], str]:
    people: Counter[str] = Counter()
    accounts: Counter[str] = Counter()
    for row in session.execute(FOUND, run.key):
        people[row.outcome or "unchecked"] += row.lines
        accounts[row.state or "missing"] += row.lines
    counts = "、".join(f"{outcome.label} {people[outcome.value]}" for outcome in IdentityOutcome)
    usable = accounts[AccountStatus.VERIFIED.value]
    message = (
        f"身份核查：{counts}；账户：可用 {usable}、异常 {accounts.total() - usable}；"
        f"预警：红 {lights.red}、黄 {lights.yellow}、蓝 {lights.blue}"
    )
    return {"people": dict(people), "accounts": dict(accounts), "lights": lights.facts}, message
