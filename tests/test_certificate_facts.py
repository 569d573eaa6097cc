"""What certificates say of a person, as facts of rules: known while its source is connected. （第十八、二十九条）"""

from datetime import date, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from sqlmodel import Session

from models.certificates import Certificate, CertificateKind
from models.households import Member
from policies.clock import now, today
from policies.rules.facts import HOLDINGS
from tests.factories import World, a_member, a_roster
from tests.test_saved_rules import a_row
from tests.test_warnings import a_sound_line, found
from workflows.warnings import preview


def connected(session: Session, body: str = "disabled", *, days_ago: int = 1, enabled: bool = True) -> None:
    """Let a body have told something some days ago."""
    told = {"body": body, "enabled": enabled, "at": now(session), "day": today(session) - timedelta(days=days_ago)}
    statement = (
        "update exchange_bodies set enabled = :enabled, last_applied_at = :at, last_as_of = :day where code = :body"
    )
    session.execute(sa.text(statement), told)


def held(session: Session, member: Member, **fields: Any) -> None:
    """Register a certificate of a person."""
    values: dict[str, Any] = {
        "division_code": member.division_code, "county_code": member.county_code, "member_id": member.id,
        "kind": CertificateKind.DISABILITY, "number": "1504301990", "valid_from": date(2023, 1, 1),
        "as_of": date(2024, 1, 1), "source": "disabled",
    }  # fmt: skip
    session.add(Certificate(**values | fields))
    session.flush()


class TestFacts:
    def test_there_is_one_for_every_kind_that_a_body_tells(self) -> None:
        assert set(HOLDINGS) == set(CertificateKind) - {CertificateKind.OTHER}

    def test_a_valid_certificate_is_held_and_one_outside_the_period_is_not(
        self, session: Session, county: World
    ) -> None:
        people = [a_member(session, county) for _ in range(6)]
        held(session, people[0])
        held(session, people[1], valid_to=date(2023, 12, 31))
        held(session, people[2], valid_from=date(2025, 1, 1))
        held(session, people[3], ended_on=date(2023, 6, 1))
        held(session, people[4], kind=CertificateKind.ORPHAN, source="civil")
        connected(session)
        a_row(session, "not 持有残疾证")
        roster = a_roster(session, county, lines=[a_sound_line(member=person) for person in people])
        preview(session, roster, by=county.township.clerk)
        assert found(session, roster) == {line: ["Z99"] for line in (2, 3, 4, 5, 6)}

    @pytest.mark.parametrize("state", [{}, {"days_ago": 400}, {"enabled": False}])
    def test_without_a_connected_source_nothing_is_judged_and_nothing_passes(
        self, session: Session, county: World, state: dict[str, Any]
    ) -> None:
        person = a_member(session, county)
        held(session, person)
        if state:
            connected(session, **state)
        a_row(session, "not 持有残疾证")
        roster = a_roster(session, county, lines=[a_sound_line(member=person), a_sound_line()])
        preview(session, roster, by=county.township.clerk)
        assert found(session, roster) == {0: ["Z99"]}
