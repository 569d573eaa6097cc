"""What a change of a person does to the rosters that their township still holds. （第十一条、第十六条）

A name's spelling is corrected on the lines without a new notice (DESIGN section 5); another number after publication
asks for one. Rosters that are with the county stay as they were reported.
"""

from datetime import date

import sqlalchemy as sa
from sqlmodel import Session, col, select

from models.households import Household, Member
from models.officers import ActingOfficer
from models.rosters import Roster
from policies.moves import record_event
from workflows.roster_lines import EDITABLE

OPEN = tuple(EDITABLE)

CORRECT = sa.text(
    """
    update roster_lines l set name = m.name, id_number = m.id_number, id_index = m.id_index,
        identity_outcome = null, identity_checked_at = null,
        payee_name = case when l.payee_name = cast(:former as text) and l.payee_relation in ('self', 'head')
            then m.name else l.payee_name end,
        head_name = case when m.relation = '02' then m.name else l.head_name end
    from rosters r, members m
    where l.division_code = :division and l.member_id = :member and r.division_code = l.division_code
        and r.id = l.roster_id and r.status = any (:open) and m.division_code = l.division_code and m.id = l.member_id
    returning l.roster_id
    """
)
HEAD_NAME = sa.text(
    """
    update roster_lines l set head_name = h.head_name,
        payee_name = case when l.payee_name = cast(:former as text) and l.payee_relation = 'head' then h.head_name
            else l.payee_name end
    from rosters r, households h
    where l.division_code = :division and l.household_id = :household and l.member_id <> :member
        and l.head_name = cast(:former as text) and r.division_code = l.division_code and r.id = l.roster_id
        and r.status = any (:open) and h.division_code = l.division_code and h.id = l.household_id
    returning l.roster_id
    """
)
DEAD = sa.text(
    """
    update roster_lines l set died_on = cast(:died as date)
    from rosters r
    where l.division_code = :division and l.member_id = :member and r.division_code = l.division_code
        and r.id = l.roster_id and r.status = any (:open) and l.died_on is distinct from cast(:died as date)
    """
)


def _asked(member: Member) -> dict[str, object]:
    return {"division": member.division_code, "member": member.id, "open": [str(status) for status in OPEN]}


def correct_lines(
    session: Session, member: Member, *, by: ActingOfficer, former: str, household: Household | None, renumbered: bool
) -> int:
    """Carry a corrected name or number into open rosters, each with an event; return how many rosters. （第十六条）

    former: the name as it was; household: the one whose head has been renamed; renumbered: it is another number, so a
    published roster needs a supplementary notice.
    """
    asked = _asked(member) | {"former": former}
    own = set(session.execute(CORRECT, asked).scalars())
    kin: set[int] = set()
    if household is not None:
        kin = set(session.execute(HEAD_NAME, asked | {"household": household.id}).scalars())
    found = select(Roster).where(Roster.division_code == member.division_code, col(Roster.id).in_(own | kin))
    for roster in session.exec(found):
        if renumbered and roster.id in own and roster.notice_round:
            roster.facts_changed = True
        facts = {"member": member.id, "number": renumbered and roster.id in own}
        record_event(session, roster, "correct_person", by=by, label="更正姓名或身份证号", facts=facts)
    return len(own | kin)


def mark_dead(session: Session, member: Member, died_on: date | None) -> None:
    """Write the date of a registered death onto open lines, so that the rules stop them; None takes it back."""
    session.execute(DEAD, _asked(member) | {"died": died_on})
