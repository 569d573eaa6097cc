"""Bulletins: figures asked of the journal, frozen with a digest, issued as a workbook. （第三十三条）"""

from datetime import date

import sqlalchemy as sa
from sqlmodel import Session

from models.bulletins import Bulletin
from models.divisions import Division
from models.officers import ActingOfficer
from policies.clock import now, today
from policies.enforcement import allow
from policies.moves import record_event
from policies.permissions import Permission
from policies.refusals import Refused
from reports.bulletins import families
from reports.bulletins.family import Family, Figures, Heading, Span
from reports.bulletins.measures import paid_in_journal
from workflows.files import store
from workflows.plans import by_hash


class SpanWrong(Refused):
    """通报期间无效：{start} 至 {end}。起始日期不能晚于截止日期，也不能晚于今天；请重新选择期间。"""

    status_code = 400


class FamilyUnknown(Refused):
    """没有“{family}”这一种通报，现有：{known}。"""

    status_code = 400


class BulletinDiffers(Refused):
    """通报合计 {bulletin} 元与记账凭证 {journal} 元不一致，通报没有生成；请财政监督岗核对凭证（第二十二条）。"""


def make(session: Session, *, by: ActingOfficer, family: str, date_from: date | str, date_to: date | str) -> Bulletin:
    """Make a bulletin of the officer's own division from the journal as it stands. （第三十三条第一项）

    Raises NotAllowed, FamilyUnknown, SpanWrong, BulletinDiffers.
    """
    allow(session, by, Permission.BULLETIN_MAKE)
    kind = _family(family)
    span = _span(session, date_from, date_to)
    with by_hash(session):
        figures = kind.ask(session, span)
    _require_agreement(session, figures, span)
    heading = _heading(session, kind, span, by)
    file = store(
        session,
        f"{heading.title}.xlsx",
        kind.write(figures, heading),
        by=by,
        division_code=by.division_code,
        days=None,
    )
    bulletin = Bulletin(
        division_code=by.division_code,
        number=heading.number,
        family=kind.code,
        title=heading.title,
        date_from=span.start,
        date_to=span.end,
        figures=figures.data,
        paid_count=figures.paid_count,
        paid_fen=figures.paid_fen,
        digest=figures.digest,
        file_id=file.id,
        prepared_at=heading.prepared_at,
        prepared_by=by.name,
    )
    session.add(bulletin)
    session.flush()
    record_event(
        session,
        bulletin,
        "make",
        by=by,
        label="生成通报",
        noun="bulletin",
        facts={"family": kind.code, "paid_fen": figures.paid_fen, "digest": figures.digest},
    )
    return bulletin


def _family(code: str) -> Family:
    known = families()
    if code not in known:
        names = "、".join(f"{family.code}（{family.title}）" for family in known.values())
        raise FamilyUnknown(family=code, known=names)
    return known[code]


def _span(session: Session, date_from: date | str, date_to: date | str) -> Span:
    try:
        start, end = (date.fromisoformat(str(day)) for day in (date_from, date_to))
    except ValueError as wrong:
        raise SpanWrong(start=date_from, end=date_to) from wrong
    if start > end or start > today(session):
        raise SpanWrong(start=start, end=end)
    return Span(start, end)


def _require_agreement(session: Session, figures: Figures, span: Span) -> None:
    journal = paid_in_journal(session, span)
    if journal != figures.paid_fen:
        raise BulletinDiffers(bulletin=f"{figures.paid_fen / 100:,.2f}", journal=f"{journal / 100:,.2f}")


def _heading(session: Session, family: Family, span: Span, by: ActingOfficer) -> Heading:
    place = session.get_one(Division, by.division_code).name
    prefix = f"TB{by.division_code[:6]}-{span.end:%Y%m%d}-"
    lock = sa.text("select pg_advisory_xact_lock(hashtextextended(:lock, 0))")
    session.execute(lock, {"lock": f"bulletin:{prefix}"})
    last = session.execute(
        sa.text("select coalesce(max(split_part(number, '-', 3)::integer), 0) from bulletins where number like :like"),
        {"like": f"{prefix}%"},
    ).scalar_one()
    return Heading(
        number=f"{prefix}{last + 1:03d}",
        title=f"{place}惠民惠农财政补贴资金“一卡通”{family.title}（{span.start:%Y%m%d}-{span.end:%Y%m%d}）",
        issuer=by.organisation,
        place=place,
        span=span,
        prepared_at=now(session),
        prepared_by=by.name,
    )
