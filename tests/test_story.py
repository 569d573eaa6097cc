"""The chain once, from the catalogue to the bulletin, with everything that goes wrong in between."""

from pathlib import Path

import pytest

from demo.story.scene import database_of
from demo.story.tell import tell


@pytest.mark.timeout(600)
def test_a_county_pays_a_subsidy_from_the_excel_roster_to_the_bulletin(server: str, home: Path):
    figures = tell(database_of(server, "story"), home / "story", quiet=True)
    assert figures["twice"] == 0
    assert figures["paid_fen"] == figures["bulletin_fen"] > 0
    assert figures["funded_fen"] == figures["paid_fen"] + figures["refunded_fen"] + figures["balance_fen"]
