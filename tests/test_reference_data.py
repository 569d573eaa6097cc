"""The reference data: divisions, catalogue, calendar, policy. （第四、六条）"""

import sqlalchemy as sa

from tests.conftest import As, Owner
from tests.factories import World, a_line, a_roster, lines_of
from workflows import reference_data


def test_all_of_inner_mongolia_is_loaded(owner: Owner) -> None:
    with owner() as session:
        rows = dict(session.execute(sa.text("select level, count(*) from divisions group by level")).all())
    assert rows == {"region": 1, "league": 12, "county": 108, "township": 1225}


def test_loading_twice_changes_nothing_that_officers_changed(owner: Owner) -> None:
    with owner() as session:
        session.execute(sa.text("update divisions set hidden = false where code = '150430401000'"))
        session.execute(sa.text("update subsidy_projects set names_shown = false where code = '2130122'"))
        session.execute(sa.text("delete from policy_rules where action = 'endorse' and effect = 'deny'"))
    with owner() as session:
        reference_data.load(session)
    with owner() as session:
        facts = session.execute(
            sa.text(
                "select (select hidden from divisions where code = '150430401000'),"
                " (select names_shown from subsidy_projects where code = '2130122'),"
                " (select count(*) from policy_rules where action = 'endorse' and effect = 'deny')"
            )
        ).one()
    assert tuple(facts) == (False, False, 0)


def test_a_roster_of_the_factory_stands_in_its_county_only(county: World, owner: Owner, as_: As) -> None:
    with owner() as session:
        roster = a_roster(session, county, lines=[a_line(), a_line(deceased=True)])
        assert roster.line_count == 2
    with as_(county.township.clerk) as session:
        assert len(lines_of(session, roster)) == 2
    with as_(county.other_county.finance.clerk) as session:
        assert lines_of(session, roster) == []
