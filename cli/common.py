"""What every command shares: the console, who acts without an officer, and the officer that a command acts for."""

import sqlalchemy as sa
import typer
from rich.console import Console

from models.base import REGION_CODE
from models.divisions import Level
from models.officers import ActingOfficer, system_principal
from models.organisations import OrganisationKind
from models.schema import owner_session
from policies.clock import today
from policies.refusals import Refused
from workflows.queue import PostEnded, officer_of_post

OPERATOR = system_principal(REGION_CODE, Level.REGION, "命令行")
DAY = "%Y-%m-%d"
console = Console()


class ClerkMissing(Refused):
    """区划 {division_code} 没有在任的{office}经办，请先设置岗位，或核对区划代码（12 位）。"""


def new_app(help: str) -> typer.Typer:
    """Return a group of commands that shows its help and keeps tracebacks plain."""
    return typer.Typer(
        help=help, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, rich_markup_mode="rich"
    )


def clerk_of(division_code: str, kind: OrganisationKind = OrganisationKind.TOWNSHIP) -> ActingOfficer:
    """Return the clerk in post of a division's office; who runs this holds the owner's address. Raises ClerkMissing."""
    asked = sa.text(
        "select p.id from posts p join organisations g on g.id = p.organisation_id where g.division_code = :code"
        " and g.kind = :kind and p.role = 'clerk' and p.status = 'in_force' and p.valid_from <= :day"
        " and (p.valid_to is null or p.valid_to >= :day) order by p.sector <> '', p.id limit 1"
    )
    with owner_session() as session:
        post = session.execute(asked, {"code": division_code, "kind": kind, "day": today(session)}).scalar_one_or_none()
    missing = ClerkMissing(division_code=division_code, office=kind.label)
    if post is None:
        raise missing
    try:
        return officer_of_post(post)
    except PostEnded as ended:
        raise missing from ended
