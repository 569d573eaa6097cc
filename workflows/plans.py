"""How PostgreSQL is to join when a statement touches whole rosters or batches."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import text
from sqlmodel import Session

BY_HASH = text(
    "select set_config('enable_nestloop', 'off', true), set_config('enable_mergejoin', 'off', true),"
    " set_config('jit', 'off', true), set_config('work_mem', '64MB', true)"
)
AS_BEFORE = text("select set_config('enable_nestloop', 'on', true), set_config('enable_mergejoin', 'on', true)")


@contextmanager
def by_hash(session: Session) -> Iterator[None]:
    """Join whole rosters and batches by hash, in memory: their cells are encrypted and wide.

    Row policies hide from the planner how many rows there are (LIMITS section 7), and a roster that was just imported
    has no statistics yet: left to itself the planner takes 100,000 lines for one and loops over them quadratically, or
    merges them by their county alone, which is as bad.

    Before PostgreSQL 18 a loop that can't be avoided costs 10,000,000,000 then, so that the statement, and each one
    inside the functions of the row policies, would be compiled first (JIT): 7 s for the rules, which run in 0.1 s.
    Memory and compiling stay so to the end of the transaction.
    """
    session.execute(BY_HASH)
    yield
    session.execute(AS_BEFORE)
