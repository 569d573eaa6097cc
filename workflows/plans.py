"""How PostgreSQL is to join when a statement touches whole rosters or batches."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import text
from sqlmodel import Session


@contextmanager
def by_hash(session: Session) -> Iterator[None]:
    """Join whole rosters and batches by hash.

    Row policies hide from the planner how many rows there are (LIMITS section 7), and a roster that was just imported
    has no statistics yet: left to itself the planner takes 100,000 lines for one and loops over them quadratically.

    Before PostgreSQL 18 a loop that can't be avoided costs 10,000,000,000 then, so that the statement would be compiled
    first (JIT): 7 s for the rules, which run in 0.1 s. Compiling stays off to the end of the transaction.
    """
    session.execute(text("select set_config('enable_nestloop', 'off', true), set_config('jit', 'off', true)"))
    yield
    session.execute(text("select set_config('enable_nestloop', 'on', true)"))
