"""The form of a flow's sub-step at a roster. （第二十四条）"""

from sqlmodel import col

from admin.base import Form, call
from models.rosters import Roster
from policies.lifecycles import Ask
from policies.permissions import Permission as P
from workflows.substeps import told


def substep_form(slug: str, note: Ask) -> Form:
    """Return the form of a flow's sub-step; two, because a note is asked of one and left free by the other."""
    return Form(
        slug,
        "办理流程子环节",
        P.ROSTER_SUBSTEP,
        call("substeps", "take"),
        (note,),
        consequence="项目所选流程在本环节增加的办理事项，记入办理记录；办完后由本环节岗位继续（第二十四条）。",
        on_record=True,
        where=(col(Roster.substep_desk).is_not(None), col(Roster.substep_note) == note.required),
        notes=told,
    )
