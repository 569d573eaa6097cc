"""Reference data: divisions, the catalogue, the calendar, the seed policy, agent banks. （第四、六、三十四条）

Loaded by the owner's session after every migration, one statement per table. What officers may have edited since
(rates, hidden divisions, permissions) is never overwritten.
"""

import csv
from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import chinese_calendar
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import Insert, insert
from sqlmodel import Session

from models.base import REGION_CODE
from models.clock import BusinessClock, CalendarDay
from models.divisions import Division
from models.payment_orders import AgentBank
from models.projects import PolicyLevel, SubsidyProject
from models.settings import settings
from models.tickets import install_ticket_key
from policies.clock import now
from policies.deadlines import IN_FORCE
from policies.definitions import (
    Definition,
    FundingObject,
    PeriodKind,
    Publicness,
    StandardSetter,
    columns_of,
    digest_of,
    parse,
)
from workflows.policy_releases import load_policy
from workflows.rules import seed_rules

ROOT = Path(__file__).parent.parent
DATA = ROOT / "data"

DOMAINS = {
    "农牧": "农业",
    "水利": "农业",
    "林草": "林业",
    "教育": "教育",
    "卫健": "计划生育",
    "住建": "建设",
    "组织": "工资补助",
    "民政": "社会保障",
    "人社": "社会保障",
    "退役军人": "社会保障",
    "应急": "社会保障",
    "残联": "社会保障",
    "财政": "社会保障",
}
"""The bulletin's 领域 of each competent department's line."""

PASTORAL_WORDS = ("草原", "禁牧", "母牛", "扑杀", "防疫")
LAND_SHEET_CODE = "2130122"

FIRST_DAY = date(2024, 1, 1)
KNOWN_UNTIL = date(2026, 12, 31)
LAST_DAY = date(2027, 12, 31)
LEGAL_HOLIDAYS_2027 = {
    date(2027, 1, 1),
    *(date(2027, 2, day) for day in (5, 6, 7, 8)),
    date(2027, 4, 5),
    *(date(2027, 5, day) for day in (1, 2)),
    date(2027, 6, 9),
    date(2027, 9, 15),
    *(date(2027, 10, day) for day in (1, 2, 3)),
}
"""The holidays of 国务院令第795号; which days are swapped is known only once the State Council says so."""

AGENT_BANKS = (
    ("内蒙古农村信用社（农商银行）", "402191000008", "402"),
    ("中国农业银行内蒙古分行", "103191000008", "103"),
    ("中国邮政储蓄银行内蒙古分行", "403191000009", "403"),
    ("内蒙古银行", "313191000011", "313"),
)
"""Name, CNAPS code, bank prefix. The prefixes are real; the branch codes are examples that each county edits."""


PERIODS = {"月": PeriodKind.MONTH, "季": PeriodKind.QUARTER, "次": PeriodKind.ONCE, "一": PeriodKind.ONCE}
"""The first letter of the catalogue's period; anything else is by the year."""
FIRST_VERSIONS = sa.text(
    "insert into project_versions (division_code, project_id, sector, number, definition, digest, basis, effective_on,"
    " made_at) select p.division_code, p.id, p.sector, 1, p.definition, d.digest, p.source, :day, :moment"
    " from unnest(cast(:codes as text[]), cast(:digests as text[])) as d (code, digest)"
    " join subsidy_projects p on p.code = d.code where p.project_version = 1 on conflict do nothing"
)
"""A project of the catalogue begins with what the catalogue says of it."""


def load(session: Session) -> None:
    """Load all reference data; run again it adds what is missing and keeps what officers changed.

    As the owner. Raises KeysMissing.
    """
    install_ticket_key(session)
    load_divisions(session)
    load_projects(session)
    load_calendar(session)
    load_policy(session)
    seed_rules(session)
    _put(
        session, insert(AgentBank), [dict(zip(("name", "cnaps", "prefix"), bank, strict=True)) for bank in AGENT_BANKS]
    )
    session.execute(sa.update(BusinessClock).values(movable=settings().movable_clock))


def load_divisions(session: Session) -> None:
    """Load the divisions of Inner Mongolia; statistical units stay hidden until a county switches one on. （第四条）"""
    rows = [
        {
            "code": row["code"],
            "name": row["name"],
            "level": row["level"],
            "parent_code": row["parent_code"] or None,
            "code_standard": row["code_standard"],
            "note": row["note"],
            "region_direct_finance": row["note"] == "region_direct_finance",
            "hidden": row["code_standard"] == "nbs_stat",
            "pinyin_key": pinyin_key(row["name"]),
        }
        for row in _rows(DATA / "divisions.csv")
    ]
    new = insert(Division)
    kept = ("code", "hidden", "region_direct_finance")
    changes = {name: new.excluded[name] for name in rows[0] if name not in kept}
    session.execute(new.values(rows).on_conflict_do_update(index_elements=["code"], set_=changes))


def pinyin_key(name: str) -> str:
    """Return the key by which Chinese names are sorted, stored because PostgreSQL may have no ICU (DESIGN D1)."""
    # Loaded here only: the dictionary of phrases costs every process a second and 100 MB, and just loading needs it.
    from pypinyin import lazy_pinyin

    return " ".join(lazy_pinyin(name))


def load_projects(session: Session) -> None:
    """Load the catalogue of subsidy projects, owned by the region. （第六条）"""
    rows = [_project(row) for row in _rows(DATA / "subsidy_items.csv")]
    _put(session, insert(SubsidyProject), rows)
    session.execute(
        FIRST_VERSIONS,
        {
            "codes": [row["code"] for row in rows],
            "digests": [digest_of(parse(row["definition"])) for row in rows],
            "day": IN_FORCE,
            "moment": now(session),
        },
    )


def load_calendar(session: Session) -> None:
    """Load the working days: the State Council's for known years, provisional weekdays beyond."""
    days = [FIRST_DAY + timedelta(number) for number in range((LAST_DAY - FIRST_DAY).days + 1)]
    new = insert(CalendarDay)
    announced = {name: new.excluded[name] for name in ("working", "source", "provisional")}
    session.execute(
        new.values([_calendar_day(day) for day in days]).on_conflict_do_update(
            index_elements=["day"],
            set_=announced | {"version": sa.literal_column("calendar_days.version + 1")},
            where=sa.text("calendar_days.provisional and not excluded.provisional"),
        )
    )


def _project(row: Mapping[str, str]) -> dict[str, Any]:
    pastoral = row["competent_dept"] == "农牧" and any(word in row["item_name"] for word in PASTORAL_WORDS)
    shown = row["publicness"].startswith("公开")
    definition = Definition(
        code=row["item_code"],
        name=row["item_name"],
        short_name=row["short_name"],
        sector=row["competent_dept"],
        domain="牧业" if pastoral else DOMAINS[row["competent_dept"]],
        policy_level=PolicyLevel(row["policy_level"]),
        funding_object=FundingObject.HOUSEHOLD if row["funding_object"] == "户" else FundingObject.PERSON,
        unit=row["unit"],
        period_kind=PERIODS.get(row["period"][:1], PeriodKind.YEAR),
        standard_setter=StandardSetter.COUNTY,
        standard_note=row["standard"],
        exclusions_note=row["conflict_rules"],
        eligibility=row["eligibility"],
        gov_eco_code=row["gov_eco_code"],
        public={} if shown else {"name": Publicness.HIDDEN},
        sheet_kind="land" if row["item_code"] == LAND_SHEET_CODE else "generic",
        source=row["source"],
    )
    return columns_of(definition) | {"division_code": REGION_CODE, "period_kind": row["period"], "status": "admitted"}


def _calendar_day(day: date) -> dict[str, Any]:
    if day <= KNOWN_UNTIL:
        working, source = chinese_calendar.is_workday(day), "国务院办公厅节假日安排"
    else:
        working, source = day.weekday() < 5 and day not in LEGAL_HOLIDAYS_2027, "暂定：待国务院办公厅公布"
    return {"day": day, "working": working, "source": source, "version": 1, "provisional": day > KNOWN_UNTIL}


def _put(session: Session, new: Insert, rows: list[dict[str, Any]]) -> None:
    session.execute(new.values(rows).on_conflict_do_nothing())


def _rows(path: Path) -> Iterable[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file)
