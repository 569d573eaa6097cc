"""Whether a step may be taken at all, asked before a verb writes anything on the way to it. （第二十三条）"""

from typing import Any

from models.officers import ActingOfficer
from policies.lifecycles import LIFECYCLES, Step
from policies.moves import require_desk, require_home, title_of


def require_step(record: Any, verb: str, *, by: ActingOfficer) -> Step:
    """Return the step that the officer's post may take on the record as it stands.

    Raises StepNotPossible, NotAllowed, OtherDivision.
    """
    step = LIFECYCLES[type(record)].step(verb, record.status, title_of(record))
    require_desk(step, by)
    require_home(step, record, by)
    return step
