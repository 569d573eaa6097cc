"""Departments as the tests play them: a key from the console's verb, batches over a real socket, the job by hand."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from typing import Any

import sqlalchemy as sa
from sqlmodel import Session, select

from integrations.exchange import Department
from models.exchange import ExchangeBatch, ExchangeBody, ExchangeFact
from models.households import Member
from models.registry_tasks import RegistryTask, TaskKind, TaskStatus
from policies.clock import today
from tests.conftest import As, Owner
from tests.console import running
from tests.factories import World
from tests.world import key
from workflows import exchange


def body_of(session: Session, code: str) -> ExchangeBody:
    return session.exec(select(ExchangeBody).where(ExchangeBody.code == code)).one()


@dataclass
class Stage:
    """The running interface, and departments with keys."""

    url: str
    county: World
    owner: Owner
    as_: As
    day: date

    def department(self, code: str) -> Department:
        """Give a body a key, as the system administrator does, and return its system."""
        with self.as_(self.county.system_admin) as session:
            shown = exchange.renew_key(session, body_of(session, code), by=self.county.system_admin)
        return Department(self.url, code, shown.values[-1][1])

    def send(self, sender: Department, number: int, *rows: dict[str, Any]) -> ExchangeBatch:
        """Send a batch and let the job apply it; return it as it stands then."""
        answer = sender.send(number, rows)
        assert answer.status_code == 202, answer.text
        return self.applied(sender.body, number)

    def applied(self, code: str, number: int) -> ExchangeBatch:
        """Apply a received batch and return it."""
        exchange.apply(key(self.batch(code, number).id))
        return self.batch(code, number)

    def batch(self, code: str, number: int) -> ExchangeBatch:
        with self.owner() as session:
            body = body_of(session, code)
            found = select(ExchangeBatch).where(ExchangeBatch.body_id == body.id, ExchangeBatch.number == number)
            return session.exec(found).one()

    def facts(self, member: Member) -> list[ExchangeFact]:
        with self.owner() as session:
            return list(session.exec(select(ExchangeFact).where(ExchangeFact.member_id == member.id)))

    def tasks(self, member: Member, status: TaskStatus = TaskStatus.OPEN) -> list[RegistryTask]:
        with self.owner() as session:
            asked = select(RegistryTask).where(
                RegistryTask.member_id == member.id,
                RegistryTask.kind == TaskKind.DATA_CONFLICT,
                RegistryTask.status == status,
            )
            return list(session.exec(asked))

    def counted(self, table: str) -> int:
        with self.owner() as session:
            return int(session.execute(sa.text(f"select count(*) from {table}")).scalar_one())


@contextmanager
def exchanging(county: World, owner: Owner, as_: As) -> Iterator[Stage]:
    """Run the interface."""
    with running() as server:
        with owner() as session:
            day = today(session)
        yield Stage(server.url, county, owner, as_, day)


def a_row(member: Member, kind: str = "disability", **fields: Any) -> dict[str, Any]:
    """Return a row about a person; what is None is left out."""
    row = {"id_number": member.id_number, "kind": kind, "as_of": "2024-06-30", **fields}
    return {name: value for name, value in row.items() if value is not None}
