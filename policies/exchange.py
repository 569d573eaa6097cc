"""Limits of the exchange with other departments: ours, not the law's, each with its reason. （第二十九条）"""

from decimal import Decimal

from models.exchange import FactKind

MAX_ROWS = 10_000
"""Rows of one batch: every row number of a receipt fits into one answer."""
MAX_BYTES = 8 * 1024 * 1024
MAX_LINE = 4096
"""A row has some 300 bytes; more is a mistake, or meant to tire the parser."""
MAX_AHEAD = 1000
"""How far a number may run ahead of the last one: beyond it stands a typing error."""
CLOCK_SLACK_S = 300
"""How far a request's time may be from ours; within it a random string is accepted once."""
PER_MINUTE = 120
"""Requests of one body in a minute."""
FAILURES_PER_MINUTE = 30
"""Requests from one address in a minute whose signature is wrong."""
MOST_PROBLEMS = 100
"""Problems named in one answer; the count is whole."""
AREA_FLOOR, AREA_SHARE = Decimal("0.5"), Decimal("0.02")
"""An area or number differs from the registered one by more than both: half a mu, and two in a hundred."""
STUCK_MINUTES = 5
"""A batch that no job has applied by then is applied by the sweep."""

QUANTITIES = frozenset(
    (
        FactKind.CONTRACTED_LAND,
        FactKind.LEASED_IN,
        FactKind.LEASED_OUT,
        FactKind.EXCLUDED_LAND,
        FactKind.GRASSLAND,
        FactKind.FOREST,
        FactKind.LIVESTOCK,
    )
)
"""Kinds that are a quantity of a household's assets."""
STATES = frozenset((FactKind.PERSON, FactKind.DEATH))
"""Kinds that are the state of a person."""
