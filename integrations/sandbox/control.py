"""Moving a sandbox from outside: its clock, its people and accounts, its faults, its figures. Demo, story and tests."""

from datetime import date, datetime
from typing import Any, Literal

from integrations.transport import Partner
from models.settings import settings

FaultKind = Literal["error", "timeout", "lost_answer", "reject", "duplicate", "out_of_order", "alien", "contradiction"]


class SandboxControl:
    """The control endpoints of one running sandbox."""

    def __init__(self, url: str, key: str) -> None:
        """Talk to the sandbox at this address."""
        self.url = url
        self._sandbox = Partner("沙箱", url, key, 30)

    def ask(self, endpoint: str, /, **asked: Any) -> dict[str, Any]:
        """Post to one control endpoint. Raises Rejected, Unavailable, Unknown."""
        told: dict[str, Any] = self._sandbox.write("POST", f"/control/{endpoint}", asked).json()
        return told

    def set_clock(self, moment: datetime) -> None:
        """Make it that moment in the sandbox (with time zone)."""
        self.ask("clock", now=moment.isoformat())

    def fault(self, kind: FaultKind, *, times: int = 1, path: str = "", method: str = "", seconds: float = 20) -> None:
        """Let the next requests go wrong.

        error: 500 before acting; timeout: acts, answers after `seconds`; lost_answer: acts, breaks off the answer;
        reject (budget): the next application is rejected; duplicate, out_of_order, alien, contradiction (bank): the
        next results come twice, backwards, with a stranger, or with a paid payment called failed.
        """
        self.ask("faults", kind=kind, times=times, path=path, method=method, seconds=seconds)

    def set_account(
        self, number: str, *, status: str = "", died: bool | None = None, holder_name: str = "", tell: bool = False
    ) -> None:
        """Change an account at the bank: active, dormant, closed, frozen, lost; or its holder's death or name.

        tell: the bank tells of it by itself, as a notice that is fetched.
        """
        self.ask("accounts", number=number, status=status, died=died, holder_name=holder_name, tell=tell)

    def set_person(self, id_number: str, *, died_on: date | None, name: str = "") -> None:
        """Change what the police know of a person."""
        self.ask("people", id_number=id_number, died_on=died_on.isoformat() if died_on else None, name=name)

    def reverse(self, end_to_end_id: str) -> None:
        """Let a paid payment come back to the agent account (退汇)."""
        self.ask("reversals", end_to_end_id=end_to_end_id)

    def book(self, agent_account: str, amount_yuan: str, *, credit: bool, kind: str = "OTHER") -> None:
        """Let the bank book something that nobody ordered."""
        self.ask("bookings", agent_account=agent_account, amount=amount_yuan, credit=credit, kind=kind)

    def add_world(self, lines: list[dict[str, Any]]) -> None:
        """Tell the sandbox of more people, accounts, agent accounts or indicators."""
        self.ask("world", lines=lines)

    def ledger(self) -> dict[str, Any]:
        """Return the figures of the sandbox's own ledger, in fen."""
        told: dict[str, Any] = self._sandbox.read("GET", "/control/ledger").json()
        return told


def move_clocks(moment: datetime) -> None:
    """Make it that moment in every sandbox that the settings name: business time was moved, and they follow.

    Does nothing where the clock can't be moved (production). Raises Unavailable, Unknown.
    """
    here = settings()
    if here.movable_clock:
        for url in filter(None, (here.police_url, here.budget_url, here.bank_url)):
            SandboxControl(url, here.partner_key).set_clock(moment)
