"""The full matrix role × level × status × verb: what lifecycle and policy don't allow is refused. （第二十三条）

Three locks, each alone: the workflow, the console's route, and for foreign rows PostgreSQL. Generated from the
lifecycles, the seed policy and the views; nothing is picked by hand.
"""

import asyncio
import re
from datetime import date
from typing import Any

import sqlalchemy as sa
from sqlmodel import Session

from admin.app import create_app
from admin.views import VIEWS
from models.base import RowScope
from models.officers import ActingOfficer
from policies.enforcement import Policy, seed_lines
from policies.lifecycles import LIFECYCLES, Ask, Lifecycle, Step
from policies.refusals import Refused
from tests.browsing import browser, changed, digest, form_token
from tests.conftest import As, Owner
from tests.factories import PASSWORD, World
from tests.records import BUILDERS, PLAIN, any_record, every_post, every_stranger
from tests.world import key

POLICY = Policy(0, seed_lines())
STEPPED = [view for view in VIEWS if getattr(view, "lifecycle", None) is not None]
FORMED = [view for view in VIEWS if getattr(view, "forms", ())]
DONE = re.compile(r"办理成功 [1-9]")
FORMS_IN = 6
NOUNS = ("roster", *BUILDERS, *PLAIN)

BY_SECTOR = ("roster", "application", "qualification", *BUILDERS)
"""Nouns that a department sees of its own sector only."""

FLOWING_DOWN = frozenset(
    lifecycle.noun for model, lifecycle in LIFECYCLES.items() if model.__row_scope__ == RowScope.DOWNWARD
)
"""Nouns whose records everyone beneath their owner reads and nobody there writes."""

Records = dict[str, dict[str, int]]
"""By noun and status: the id of a record."""


def desk_steps(lifecycle: Lifecycle) -> list[Step]:
    return [step for step in lifecycle.steps if step.desk is not None]


def verbs(lifecycle: Lifecycle) -> tuple[str, ...]:
    return tuple(dict.fromkeys(step.verb for step in desk_steps(lifecycle)))


def statuses(lifecycle: Lifecycle) -> list[Any]:
    return list(type(lifecycle.steps[0].source))


def granted(by: ActingOfficer) -> frozenset[str]:
    return POLICY.permissions(by.role, by.level, by.kind)


PLACES_OF: dict[tuple[str, str], str] = {}
"""By noun and status: the division of the record that stands in it."""


def permits(step: Step, by: ActingOfficer, division: str = "") -> bool:
    """Say by lifecycle and seed policy alone whether the post may take the step.

    division: the record's own; a desk that every level has takes only records of the officer's own division. Without
    it: whether there is any record that the post might take it for.
    """
    if step.desk is None or not step.desk.seats(by) or step.permission not in granted(by):
        return False
    return not division or step.desk.reaches(by, division)


def forbidden(lifecycle: Lifecycle, verb: str, by: ActingOfficer) -> list[Any]:
    """Return the statuses in which the post may not take the verb, with the records as they lie."""
    allowed = {
        step.source
        for step in lifecycle.steps
        if step.verb == verb and permits(step, by, PLACES_OF.get((lifecycle.noun, str(step.source)), ""))
    }
    return [status for status in statuses(lifecycle) if status not in allowed]


def in_every_status(session: Session, county: World) -> Records:
    session.execute(sa.text("update warning_rules set enabled = false"))
    found: Records = {}
    for lifecycle in (one for one in LIFECYCLES.values() if one.noun in NOUNS):
        records = {str(status): any_record(session, county, lifecycle.noun, status) for status in statuses(lifecycle)}
        found[lifecycle.noun] = {status: key(record.id) for status, record in records.items()}
        PLACES_OF.update({(lifecycle.noun, status): record.division_code for status, record in records.items()})
    return found


def answer(ask: Ask) -> Any:
    if ask.kind == "choice":
        return ask.choices[0][0] if ask.choices else "x"
    plain = {"checkbox": "yes", "number": "1", "integer": "1", "date": "2024-05-01", "password": PASSWORD}
    return plain.get(ask.kind, "复核")


def keyword(ask: Ask) -> Any:
    read = {"checkbox": True, "date": date(2024, 5, 1)}
    return read.get(ask.kind, answer(ask))


def test_every_noun_with_steps_is_in_the_matrix():
    with_desks = {lifecycle.noun for lifecycle in LIFECYCLES.values() if desk_steps(lifecycle)}
    assert with_desks == set(NOUNS)
    assert {view.lifecycle.noun for view in STEPPED} >= with_desks


def test_the_workflow_refuses_whatever_lifecycle_and_policy_do_not_allow(session: Session, county: World):
    records = in_every_status(session, county)
    posts, tried = every_post(session, county), 0
    for view in (view for view in STEPPED if view.lifecycle.noun != "roster"):  # rosters: tests/test_lifecycles.py
        lifecycle, made = view.lifecycle, view()
        rows = {status: session.get_one(view.model, number) if view.model.__tablename__ != "disbursements" else None
                for status, number in records[lifecycle.noun].items()}  # fmt: skip
        before = {status: (row.status, row.version) for status, row in rows.items()}
        for by in posts:
            for verb in verbs(lifecycle):
                step = next(step for step in desk_steps(lifecycle) if step.verb == verb)
                asked = {ask.name: keyword(ask) for ask in step.asks if ask.kind != "password"}
                for status in forbidden(lifecycle, verb, by):
                    tried += 1
                    try:
                        made.verb(verb)(session, rows[str(status)], by=by, **asked)
                    except Refused:
                        continue
                    raise AssertionError(f"{lifecycle.noun} {status} {verb} by {by.post} was not refused")
        session.flush()
        for status, row in rows.items():
            session.refresh(row)
            assert (row.status, row.version) == before[status]
    assert tried > 9000


def test_the_console_refuses_whatever_lifecycle_and_policy_do_not_allow(county: World, owner: Owner):
    with owner() as session:
        records = in_every_status(session, county)
        posts, strangers = every_post(session, county), every_stranger(session, county)
    before = digest(owner)
    asked = asyncio.run(_knock(records, posts, strangers))
    assert changed(before, digest(owner)) == []
    assert asked > 3000


async def _knock(records: Records, posts: list[ActingOfficer], strangers: list[ActingOfficer]) -> int:
    app, asked = create_app(), 0
    for by in (*posts, *strangers):
        foreign = by in strangers
        async with browser(app, by) as client:
            token = await form_token(client)
            for path, form, expected in _requests(records, by, foreign):
                reply = await client.post(f"/console/{path}", data={"csrf_token": token, **form})
                asked += 1
                where = f"{path} {form.get('pks')} by {by.post}: {reply.status_code}"
                assert reply.status_code in expected, where
                assert not DONE.search(reply.text), where
                assert "done=" not in reply.headers.get("location", ""), where
    return asked


def _requests(records: Records, by: ActingOfficer, foreign: bool) -> Any:
    """Yield what the post must not be able to do: address, form, and the answers that say so."""
    for view in STEPPED:
        lifecycle = view.lifecycle
        for verb in verbs(lifecycle):
            mine = [step for step in lifecycle.steps if step.verb == verb and permits(step, by)]
            if foreign and not mine:
                continue  # the same 403 as in the same post at home
            shut = list(records[lifecycle.noun]) if foreign else map(str, forbidden(lifecycle, verb, by))
            keys = ",".join(str(records[lifecycle.noun][status]) for status in shut)
            step = next(step for step in desk_steps(lifecycle) if step.verb == verb)
            form = {ask.name: answer(ask) for ask in step.asks} | {"pks": keys}
            away = {403} if any(one.desk and one.desk.home for one in mine) else set()  # one record of another division
            path = f"{view().identity}/action/{verb.strip('_').replace('_', '-')}"
            yield path, form, ({404} if foreign else {200, 400, 404, 409} | away) if mine else {403}
    forms = [(view, one) for view in (() if foreign else FORMED) for one in view.forms]
    for number, (view, one) in enumerate(forms):
        mine = one.permission in granted(by) and one.seats(by)
        if not mine and number % FORMS_IN == by.post_id % FORMS_IN:  # by every sixth post: one guard for all forms
            yield f"{view().identity}/form/{one.slug}", {"pks": "1"}, {403}


def test_postgresql_shows_and_changes_no_foreign_row(county: World, owner: Owner, as_: As):
    with owner() as session:
        records = in_every_status(session, county)
        strangers = every_stranger(session, county)
    elsewhere = county.civil_affairs.organisation_id
    tables = {lifecycle.noun: str(model.__tablename__) for model, lifecycle in LIFECYCLES.items()}
    before = digest(owner)
    for by in strangers:
        with as_(by) as session:
            for noun, rows in records.items():
                if by.organisation_id == elsewhere and noun not in BY_SECTOR:
                    continue  # registry and posts are the county's own, whichever department
                ids = {"ids": list(rows.values())}
                seen = session.execute(sa.text(f"select count(*) from {tables[noun]} where id = any (:ids)"), ids)
                moved = session.execute(
                    sa.text(f"update {tables[noun]} set status = status where id = any (:ids)"), ids
                )
                assert moved.rowcount == 0, (noun, by.post)
                keeps = noun == "virtual_member" and by.scope.covers(county.other_county.township.division_code)
                # what flows downward is read by those beneath; the keeper of a person reads who references (第十一条)
                assert seen.scalar_one() == 0 or noun in FLOWING_DOWN or keeps, (noun, by.post)
    assert changed(before, digest(owner)) == []
