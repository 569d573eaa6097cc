"""Downloads of indicators page by page, and the pages that show them to a county's officer.

`rows` items in pages of 500 against the floor of inserting the same rows plainly; what a page costs at the beginning
and at the end, downloading all again, and the pages with `rows` (at most 10,000) indicators of one county.
"""

import time
from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa

from benchmarks.bench_import import _peak_mb
from benchmarks.bench_lists import _p95
from benchmarks.population import throw_away_database
from integrations.budget_system import IndicatorPage
from models.database import transaction
from models.officers import ActingOfficer
from models.projects import ProjectLink, SubsidyProject
from tests.conftest import owner_session
from tests.console import running
from tests.factories import LAND, World, build_world
from workflows import indicator_downloads

PAGE, SHOWN, CODES = 500, 10_000, 40
PAGES = ("project-funds", "project-funds/{project}", "budget-links", "money-at-rest?stage=starting",
         "money-at-rest?stage=mapping", "money-at-rest?stage=mapping&view=project", "budget-indicator/list",
         "budget-indicator/details/{indicator}?tab=ledger")  # fmt: skip


def run(rows: int = 100_000) -> Iterator[dict[str, Any]]:
    """Yield the download's price, a page's at the beginning and at the end, and each page of the console."""
    with throw_away_database() as url:
        with owner_session(url) as session:
            world = build_world(session)
            project = session.execute(sa.select(SubsidyProject.id).where(SubsidyProject.code == LAND)).scalar_one()  # type: ignore[call-overload]
            for number in range(CODES // 2):  # half of the budget projects are mapped
                session.add(ProjectLink(division_code=world.code, project_id=project, pro_code=_code(world, number)))
        shown = min(rows, SHOWN)
        _download(world.finance.clerk, world, 0, shown)
        with owner_session(url) as session:
            session.execute(sa.text("analyze"))
            indicator = session.execute(sa.text("select min(id) from budget_indicators")).scalar_one()
        yield from _pages(world, shown, project, indicator)
        floor = _floor(url, rows)
        first = _download(world.finance.clerk, world, shown, rows)
        again = _download(world.finance.clerk, world, 0, rows)
        told = {"rows": rows, "peak_mb": round(_peak_mb())}
        total = sum(first)
        if first:
            yield {"name": "indicators_download", "value": round(total, 3), "floor": round(floor, 3),
                   "ratio": round(total / floor, 2), **told}  # fmt: skip
            head, tail = sum(first[:5]) / len(first[:5]), sum(first[-5:]) / len(first[-5:])
            yield {"name": "indicators_page_last_to_first", "value": round(tail, 4), "floor": round(head, 4),
                   "ratio": round(tail / head, 2), **told}  # fmt: skip
        yield {"name": "indicators_download_again", "value": round(sum(again), 3), "floor": round(floor, 3),
               "ratio": round(sum(again) / floor, 2), **told}  # fmt: skip


def _code(world: World, number: int) -> str:
    return f"{world.code[:6]}26{number:013d}"


def _items(world: World, start: int, end: int) -> list[dict[str, Any]]:
    return [
        {
            "BGT_ID": f"B{number:09d}", "MOF_DIV_CODE": world.code[:9], "FISCAL_YEAR": 2026,
            "COR_BGT_DOC_NO": f"赤财农指〔2026〕{number}号", "BGT_DOC_TITLE": "关于下达资金的通知",
            "DOC_DATE": f"2026-{1 + number % 10:02d}-01", "PRO_CODE": _code(world, number % CODES),
            "PRO_NAME": f"预算项目{number % CODES}", "HOT_TOPIC_CATE_NAME": "惠民惠农财政补贴资金",
            "GOV_BGT_ECO_CODE": "50903", "AMOUNT": "1000.00", "UPDATE_TIME": "2026-11-01 08:00:00",
        }
        for number in range(start, end)
    ]  # fmt: skip


def _download(by: ActingOfficer, world: World, start: int, end: int) -> list[float]:
    """Keep the items page by page as a download does; return what each page took."""
    with transaction(by) as session:
        running_ = indicator_downloads.DownloadStatus.RUNNING
        place = indicator_downloads._take(session, world.code, by=by, scheduled=False, status=running_)
    taken, cursor = [], place.cursor
    for at in range(start, end, PAGE):
        last = at + PAGE >= end
        page = IndicatorPage(_items(world, at, min(at + PAGE, end)), "" if last else str(at + PAGE))
        begun = time.perf_counter()
        with transaction(by) as session:
            indicator_downloads.keep_page(session, place.id, cursor, page, by=by)
        taken.append(time.perf_counter() - begun)
        cursor = page.cursor
    return taken


def _floor(url: str, rows: int) -> float:
    """Return what a copy of as many rows into a like table takes, without index, guard or journal."""
    with owner_session(url) as session:
        session.execute(sa.text("create temporary table plain (like budget_indicators including all)"))
        begun = time.perf_counter()
        session.execute(
            sa.text(
                "insert into plain select (p).* from (select jsonb_populate_record(null::plain, to_jsonb(i)"
                " || jsonb_build_object('id', n, 'bgt_id', 'P' || n)) as p from generate_series(1, :rows) n,"
                " lateral (select * from budget_indicators limit 1) i) s"
            ),
            {"rows": rows},
        )
        return time.perf_counter() - begun


def _pages(world: World, rows: int, project: int, indicator: int) -> Iterator[dict[str, Any]]:
    with running() as server, server.client(world.finance.clerk) as client:
        floor = _p95(lambda: client.get("/console/wait-nothing"))
        for page in PAGES:
            path = f"/console/{page.format(project=project, indicator=indicator)}"
            if client.get(path).status_code != 200:
                raise RuntimeError(path)
            value = _p95(lambda path=path: client.get(path))  # type: ignore[misc]
            yield {"name": f"indicators_{page.split('?')[-1] if '?' in page else page}", "rows": rows,
                   "value": round(value, 4), "floor": round(floor, 4), "ratio": round(value / floor, 2),
                   "peak_mb": round(_peak_mb())}  # fmt: skip
