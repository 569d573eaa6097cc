"""One record on a confirm page."""

from dataclasses import dataclass
from typing import Any

from policies.lifecycles import Step
from workflows.blockers import Blocker


@dataclass(frozen=True)
class Target:
    """One record on the confirm page."""

    record: Any
    title: str
    step: Step | None
    blockers: list[Blocker]
