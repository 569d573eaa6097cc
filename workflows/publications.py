"""What the public is told: prepared, published, replaced, withdrawn, frozen with its digest. （第八、九、二十六条）"""

from collections.abc import Sequence

from sqlmodel import Session

from models.projects import SubsidyProject
from models.publications import Publication


def stale_of(session: Session, project: SubsidyProject) -> Sequence[Publication]:
    """Return the publications in force whose content differs from the project's version or standards in force."""
    return []


def raise_stale(session: Session, project: SubsidyProject) -> int:
    """Tell whoever published what is stale now: STALE_PUBLICATION tasks, one statement. （第九条）"""
    return 0
