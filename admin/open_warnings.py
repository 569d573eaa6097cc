"""Which rules of a roster still wait for words, and where. （第十八条）"""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlmodel import Session

from models.officers import ActingOfficer
from models.rosters import Roster
from models.warnings import Light, RosterWarning


def open_rules(session: Session, by: ActingOfficer, roster: Any) -> Sequence[tuple[str, str]]:
    """Return the rules with hits that still lack words, for one explanation of all of them."""
    return _open(session, roster, (Light.YELLOW, Light.BLUE))


def blue_rules(session: Session, by: ActingOfficer, roster: Any) -> Sequence[tuple[str, str]]:
    """Return the blue rules with hits nobody has looked at."""
    return _open(session, roster, (Light.BLUE,))


def open_lights(*lights: Light) -> tuple[Any, ...]:
    """Return the condition that hits of these lights wait for words."""
    warning: Any = RosterWarning
    mine = (warning.division_code == Roster.division_code, warning.roster_id == Roster.id)
    return (sa.exists().where(*mine, warning.live, warning.explanation == "", warning.light.in_(lights)),)


def _open(session: Session, roster: Any, lights: tuple[Light, ...]) -> Sequence[tuple[str, str]]:
    warning: Any = RosterWarning
    statement = (
        sa.select(warning.rule_code, warning.rule_name, sa.func.count())
        .where(warning.roster_id == roster.id, warning.live, warning.explanation == "", warning.light.in_(lights))
        .group_by(warning.rule_code, warning.rule_name)
        .order_by(warning.rule_code)
    )
    return [(code, f"{name}（{count} 笔）") for code, name, count in session.execute(statement)]
