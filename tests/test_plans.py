"""How PostgreSQL joins whole rosters. （第十八条）"""

import sqlalchemy as sa
from sqlmodel import Session

from workflows.plans import by_hash

QUESTION = "select count(*) from divisions a join divisions b on b.parent_code = a.code, divisions c"


def plan(session: Session) -> str:
    return "\n".join(session.scalars(sa.text(f"explain {QUESTION}")).all())


def test_whole_rosters_are_joined_by_hash_and_a_loop_that_must_be_is_not_compiled(session: Session):
    session.execute(sa.text("select set_config('jit', 'on', true), set_config('jit_above_cost', '1000000000', true)"))
    with by_hash(session):
        found = plan(session)
    assert "Hash Join" in found and "Nested Loop" in found, "the loop over all of c can't be avoided"
    assert "Merge Join" not in found and "JIT" not in found
    shown = [session.scalar(sa.text(f"show {name}")) for name in ("enable_nestloop", "enable_mergejoin")]
    assert shown == ["on", "on"], "what follows in the transaction is planned as ever"
