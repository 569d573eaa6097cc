"""What the paying township may not do with a person whom another township keeps. （第十一、三十条）"""

from collections.abc import Sequence

import sqlalchemy as sa
from sqlmodel import Session, col, select

from models.virtual_members import VirtualMember, VirtualStatus
from policies.refusals import Refused


class PaidElsewhere(Refused):
    """{title}的人员由{keeper}管理，本乡镇只能引用，不能查看完整信息或修改；请由管理地办理（第十一、三十条）。"""

    status_code = 403


def reference_of(session: Session, division_code: str, member_id: int) -> VirtualMember | None:
    """Return the reference that a township's local row stands for; None for the township's own people."""
    statement = (
        select(VirtualMember)
        .where(VirtualMember.division_code == division_code, VirtualMember.member_id == member_id)
        .order_by(col(VirtualMember.status) != VirtualStatus.IN_FORCE, col(VirtualMember.id).desc())
        .limit(1)
    )
    return session.exec(statement).one_or_none()


def require_kept_here(session: Session, division_code: str, member_id: int) -> None:
    """Let only the keeper see in full, or change, what it keeps. （第十一、三十条） Raises PaidElsewhere."""
    found = reference_of(session, division_code, member_id)
    if found is not None:
        raise PaidElsewhere(title=found.number, keeper=found.keeper)


FAILED = sa.text("select virtual_failed(:county, :attempts)")


def tell_keepers(session: Session, county_code: str, disbursement_ids: Sequence[int]) -> int:
    """Tell the keepers whose people's accounts a bank has refused; return how many were concerned. （第二十一条）

    The keeper's account follows the bank's notice (dormant, closed), and its township is given the task.
    """
    return int(session.execute(FAILED, {"county": county_code, "attempts": list(disbursement_ids)}).scalar_one())
