"""Who may explain or acknowledge a warning, with what words, and how long it holds. （第十八条）"""

import pytest
import sqlalchemy as sa
from sqlmodel import Session

from models.officers import ActingOfficer
from models.rosters import Roster, RosterStatus
from models.warnings import RosterWarning
from policies.enforcement import OtherSector
from policies.refusals import NotAllowed, NotFound
from tests.factories import World, a_roster
from tests.test_warnings import a_sound_line, warned
from workflows import warnings
from workflows.warnings import preview


class TestExplaining:
    @pytest.fixture
    def roster(self, session: Session, county: World) -> Roster:
        roster = a_roster(session, county, status=RosterStatus.ENDORSED, lines=[
            a_sound_line(contracted="5"), a_sound_line(identity=None), a_sound_line(phone_present=False)])  # fmt: skip
        preview(session, roster, by=county.township.clerk)
        return roster

    def _one(self, session: Session, roster: Roster, code: str) -> RosterWarning:
        return next(warning for warning in warned(session, roster) if warning.rule_code == code)

    def test_only_the_clerk_of_the_desk_where_the_roster_stands_explains(
        self, session: Session, county: World, roster: Roster
    ) -> None:
        warning = self._one(session, roster, "R23")
        refusals: list[tuple[ActingOfficer, type[Exception]]] = [
            (county.township.head, NotAllowed),
            (county.department.clerk, warnings.OtherDesk),
            (county.finance.clerk, warnings.OtherDesk),
            (county.civil_affairs.clerk, OtherSector),
            (county.second_township.clerk, NotFound),
            (county.other_county.finance.clerk, NotFound),
            (county.league, NotAllowed),
        ]
        for by, refusal in refusals:
            with pytest.raises(refusal):
                warnings.explain(session, warning, by=by, text="合同已经核实存档")

    def test_red_is_corrected_not_explained(self, session: Session, county: World, roster: Roster) -> None:
        red = self._one(session, roster, "R43")
        with pytest.raises(warnings.NotExplainable):
            warnings.explain(session, red, by=county.township.clerk, text="已经核实本人身份")
        with pytest.raises(warnings.NotExplainable):
            warnings.acknowledge(session, red, by=county.township.clerk)
        with pytest.raises(warnings.WarningGone):
            warnings.explain_rule(session, roster, by=county.township.clerk, rule_code="R43", text="已经核实本人身份")

    def test_yellow_is_explained_not_just_acknowledged(self, session: Session, county: World, roster: Roster) -> None:
        with pytest.raises(warnings.NeedsExplanation):
            warnings.acknowledge(session, self._one(session, roster, "R23"), by=county.township.clerk)
        with pytest.raises(warnings.WarningGone):
            warnings.acknowledge_rule(session, roster, by=county.township.clerk, rule_code="R23")

    @pytest.mark.parametrize("text", ["", "  已核  ", "核实了"])
    def test_an_explanation_has_five_characters(
        self, session: Session, county: World, roster: Roster, text: str
    ) -> None:
        with pytest.raises(warnings.ExplanationTooShort):
            warnings.explain(session, self._one(session, roster, "R23"), by=county.township.clerk, text=text)

    def test_an_explanation_holds_no_number_of_a_person(self, session: Session, county: World, roster: Roster) -> None:
        with pytest.raises(warnings.ExplanationTooPersonal):
            warnings.explain(
                session,
                self._one(session, roster, "R23"),
                by=county.township.clerk,
                text="持证人 150430195501010011 已核",
            )

    def test_an_explanation_is_an_event_of_the_desk(self, session: Session, county: World, roster: Roster) -> None:
        warnings.explain(session, self._one(session, roster, "R23"), by=county.township.clerk, text="合同已经核实存档")
        event = session.execute(sa.text("select verb, desk, facts from events")).one()
        assert tuple(event) == ("explain_warning", "township_clerk", {"rule": "R23", "count": 1})

    def test_what_another_desk_explained_stays(self, session: Session, county: World, roster: Roster) -> None:
        warning = self._one(session, roster, "R23")
        warnings.explain(session, warning, by=county.township.clerk, text="合同已经核实存档")
        warnings.explain(session, warning, by=county.township.clerk, text="合同已经核实存档，流转期三年")
        roster.status = RosterStatus.REPORTED
        session.flush()
        with pytest.raises(warnings.WarningGone):
            warnings.explain(session, warning, by=county.department.clerk, text="本部门另有说明在案")

    def test_once_final_a_roster_takes_no_explanation(self, session: Session, county: World, roster: Roster) -> None:
        warning = self._one(session, roster, "R23")
        roster.status = RosterStatus.FINAL
        session.flush()
        with pytest.raises(warnings.WarningGone):
            warnings.explain(session, warning, by=county.finance.clerk, text="合同已经核实存档")
