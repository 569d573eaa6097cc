"""What a publication says, taken from the record it publishes: list, version in force, standards. （第八条）

Content is JSON of plain words, so that the public site shows it and its digest proves it without our tables.
"""

import json
from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any

import sqlalchemy as sa
from sqlmodel import Session, col, select

from models.annual_lists import AnnualList, AnnualListItem, ListChange
from models.projects import ProjectStatus, ProjectVersion, SubsidyProject
from policies.clock import today
from policies.definitions import Definition, Payout
from workflows.project_versions import in_force

Content = dict[str, Any]
OFFICE = ("contact", "telephone")
"""Whom to ask: what the publisher says of itself, not of the record."""


def digest_of(content: Mapping[str, Any]) -> str:
    """Return the SHA-256 over the canonical JSON."""
    text = json.dumps(content, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return sha256(text.encode()).hexdigest()


def said(content: Mapping[str, Any]) -> Content:
    """Return what the content says of the record, without whom to ask."""
    return {name: value for name, value in content.items() if name not in OFFICE}


def list_content(session: Session, annual_list: AnnualList) -> Content:
    """Return a published list as the public reads it."""
    items = session.exec(
        select(AnnualListItem)
        .where(AnnualListItem.list_id == annual_list.id, AnnualListItem.change != ListChange.DROPPED)
        .order_by(col(AnnualListItem.code))
    )
    return {
        "title": annual_list.title, "year": annual_list.year, "edition": annual_list.edition,
        "list_digest": annual_list.digest,
        "items": [
            {"code": one.code, "name": one.name, "sector": one.sector, "domain": one.domain,
             "policy_level": one.policy_level.label, "project_version": one.project_version}
            for one in items
        ],
    }  # fmt: skip


def policy_content(session: Session, project: SubsidyProject) -> Content:
    """Return the policy of the version in force: who may have it, how to apply, when it is paid. （第三十二条）"""
    definition = in_force(project)
    version = session.exec(
        select(ProjectVersion.digest).where(
            ProjectVersion.project_id == project.id, ProjectVersion.number == project.project_version
        )
    ).first()
    return _head(project) | {
        "domain": definition.domain, "funding_object": definition.funding_object.label,
        "eligibility": definition.eligibility, "guide": definition.guide, "online": definition.online,
        "period": definition.period_kind.label, "payout": payout_words(definition.payout), "unit": definition.unit,
        "standard_note": definition.standard_note, "exclusions_note": definition.exclusions_note,
        "documents": [
            {"number": one.number, "title": one.title, "issuer": one.issuer, "issued_on": one.issued_on,
             "valid_to": one.valid_to}
            for one in definition.documents
        ],
        "version": project.project_version, "version_digest": version or "",
    }  # fmt: skip


def _head(project: SubsidyProject) -> Content:
    stopped = project.status == ProjectStatus.STOPPED
    return {
        "code": project.code, "name": project.name, "policy_level": project.policy_level.label,
        "sector": project.sector, "status": "停止发放" if stopped else "发放中",
    }  # fmt: skip


def payout_words(payout: Payout) -> str:
    """Say by when a period's money is paid out. （第三十二条发放时限）"""
    if payout.month and payout.day:
        return f"每年 {payout.month} 月 {payout.day} 日前"
    return f"所属期结束后 {payout.days_after} 天内" if payout.days_after else ""


STANDARDS = sa.text(
    """
    select s.division_code, d.name as division, coalesce(to_jsonb(s) ->> 'grade', '') as grade,
        s.standard_yuan::text as yuan, s.valid_from::text as valid_from, coalesce(s.valid_to::text, '') as valid_to,
        s.document
    from project_standards s join divisions d on d.code = s.division_code
    where s.project_id = :project and s.division_code = any (:divisions)
        and s.status in ('in_force', 'ended') and (s.valid_to is null or s.valid_to >= :day)
    order by s.division_code, s.valid_from, 3, s.standard_yuan
    """
)


def standard_rows(session: Session, project: SubsidyProject, divisions: Sequence[str]) -> dict[str, list[Content]]:
    """Return the standards in force and to come of a project, by division: one statement. （第八条）"""
    asked = {"project": project.id, "divisions": list(divisions), "day": today(session)}
    found: dict[str, list[Content]] = {code: [] for code in divisions}
    for row in session.execute(STANDARDS, asked).mappings():
        found[row["division_code"]].append(dict(row))
    return found


def standard_content(project: SubsidyProject, rows: Sequence[Content]) -> Content:
    """Return a division's standards of a project."""
    return _head(project) | {"unit": project.unit, "standard_note": project.standard_note, "rows": list(rows)}


def office_of(definition: Definition, contact: str, telephone: str) -> Content:
    """Return whom to ask: what was said, else what the application form says. （第二十六条）"""
    return {
        "contact": contact.strip() or definition.contact.strip(),
        "telephone": telephone.strip() or definition.telephone.strip(),
    }
