"""One record of every noun of lists and publications, in every status. （第六、八、九条）"""

from typing import Any

from sqlmodel import Session

from models.annual_lists import AnnualList, AnnualListStatus
from models.catalogue_tasks import CatalogueTask, CatalogueTaskKind, CatalogueTaskStatus
from models.publications import Publication, PublicationKind, PublicationStatus
from policies.clock import now, today
from tests.factories import World
from tests.world import NUMBERS


def a_catalogue_task_in(session: Session, county: World, status: Any) -> CatalogueTask:
    number = next(NUMBERS)
    task = CatalogueTask(
        division_code=county.code, number=f"XD{number}", kind=CatalogueTaskKind.SELECT_LIST,
        status=CatalogueTaskStatus(status), sector="" if status == "finance" else "农牧", subject="annual_list",
        subject_id=number, detail="选择项目", found_on=today(session), arrived_at=now(session),
    )  # fmt: skip
    session.add(task)
    session.flush()
    return task


def an_annual_list_in(session: Session, county: World, status: Any) -> AnnualList:
    number = next(NUMBERS)
    record = AnnualList(
        division_code=county.code, number=f"QD{number}", year=3000 + number, edition=1, title="清单",
        status=AnnualListStatus(status), digest="x", arrived_at=now(session), published_at=now(session),
    )  # fmt: skip
    session.add(record)
    session.flush()
    return record


def a_publication_in(session: Session, county: World, status: Any) -> Publication:
    """A list of the finance bureau, or a policy of the 农牧 department, by the status."""
    number = next(NUMBERS)
    finance = str(status).startswith("finance")
    record = Publication(
        division_code=county.code, number=f"GK{number}",
        kind=PublicationKind.LIST if finance else PublicationKind.POLICY,
        title="公开", sector="" if finance else "农牧", list_id=number if finance else None,
        project_id=None if finance else number, year=3000 + number, status=PublicationStatus(status), content={},
        digest="x", contact="某", telephone="0476", arrived_at=now(session),
    )  # fmt: skip
    session.add(record)
    session.flush()
    return record
