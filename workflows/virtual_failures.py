"""A failed payment to a virtual household: the keeper corrects the account, the payer takes it. （第二十一条）"""

import sqlalchemy as sa
from sqlmodel import Session, select

from models.failures import Failure, FailureRoute
from models.officers import ActingOfficer
from models.rosters import Roster, RosterLine
from policies.enforcement import allow
from policies.lifecycles.failures import FAILURE_LIFECYCLE
from policies.moves import move, require_desk, title_of
from policies.permissions import Permission
from policies.refusals import ReasonMissing, Refused
from workflows import virtual_members
from workflows.virtual_guards import reference_of

ADOPT = sa.text(
    """
    update roster_lines l set account_number = v.account_number, account_index = v.account_index,
        bank_name = v.bank_name, bank_code = v.bank_code, account_is_card = v.account_is_card,
        account_state = v.account_state, account_checked_at = v.account_verified_at
    from virtual_members v
    where v.division_code = :division and v.id = :reference and l.county_code = :county and l.id = :line
        and l.account_id is null
    """
)


class NotVirtual(Refused):
    """该笔不是虚拟户明细，不能采用管理地账户；请由本乡镇变更账户（第二十一条）。"""


class KeeperNotReady(Refused):
    """{keeper}登记的账户还没有变更（或激活）并验证通过，不能重新发放；管理地已收到待办，请与其联系（第二十一条）。"""


def adopt(session: Session, failure: Failure, *, by: ActingOfficer, resolution: str) -> Failure:
    """Take the account that the keeper has corrected or had activated; the line is paid again. （第二十一条第一、二项）

    Raises NotVirtual, KeeperNotReady, ReasonMissing, StepNotPossible.
    """
    allow(session, by, Permission.FAILURE_CORRECT, failure)
    activated = failure.route == FailureRoute.ACTIVATE
    step = FAILURE_LIFECYCLE.step("activate" if activated else "correct", failure.status, title_of(failure))
    require_desk(step, by)
    if not resolution.strip():
        raise ReasonMissing(step="采用管理地账户", field="处理说明")
    line = session.exec(
        select(RosterLine).where(RosterLine.county_code == failure.county_code, RosterLine.id == failure.line_id)
    ).one()
    roster = session.exec(select(Roster).where(Roster.id == failure.roster_id)).one()
    virtual_members.refresh(session, failure.division_code, roster)
    found = reference_of(session, failure.division_code, line.member_id)
    if found is None or line.account_id is not None:
        raise NotVirtual
    session.refresh(found)
    if found.account_state != "verified" or not (activated or found.account_index != line.account_index):
        raise KeeperNotReady(keeper=found.keeper)
    session.execute(
        ADOPT,
        {"division": failure.division_code, "reference": found.id, "county": failure.county_code, "line": line.id},
    )
    session.refresh(line)
    failure.resolution = resolution.strip()
    session.flush()
    return move(session, failure, step.verb, by=by, opinion=failure.resolution, facts={"reference": found.number})
