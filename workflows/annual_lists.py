"""Yearly lists of subsidy projects: the region publishes, leagues and counties select, all of them supplement.

（第六条、第七条第一项；应纳尽纳、应纳速纳、动态调整）
"""

from collections.abc import Mapping, Sequence

import sqlalchemy as sa
from sqlmodel import Session, col, select

from models.annual_lists import AnnualList, AnnualListItem, AnnualListStatus, ListChange
from models.catalogue_tasks import CatalogueTaskKind
from models.divisions import Division
from models.officers import ActingOfficer
from policies.clock import now, today
from policies.deadlines import ANNUAL_LIST
from policies.enforcement import allow
from policies.lifecycles import Desk
from policies.lifecycles.annual_lists import ANNUAL_LIST_LIFECYCLE
from policies.moves import begin, move, record_event, require_desk, require_home
from policies.permissions import Permission
from policies.refusals import ReasonMissing, Refused, StepNotPossible
from workflows.annual_list_offers import NotListed, below, latest, offers, require_listed, upper_of
from workflows.catalogue_tasks import Errand, raise_tasks, vanish
from workflows.list_adoption import DIGEST

__all__ = [
    "NotListed", "below", "choose", "draft", "latest", "offers", "publish", "require_listed", "return_",
    "submit", "upper_of", "withdraw",
]  # fmt: skip

SUBJECT = "annual_list"
YEAR = "list_year"
"""What tasks are about: an edition of the list above, or a year's list that is to be made."""
SUBMIT = next(step for step in ANNUAL_LIST_LIFECYCLE.steps if step.verb == "submit")


class UpperNotPublished(Refused):
    """{upper}尚未发布 {year} 年度项目清单，还不能选择；请等上级财政部门发布后再编制（第七条第一项）。"""


class DraftOpen(Refused):
    """{year} 年度清单已有一稿（{number}，{status}），请在该稿上继续办理，不要另编。"""


class YearNotOpen(Refused):
    """现在可以编制 {first} 年度（补充清单）和 {last} 年度的清单，不能编制 {year} 年度（第六条）。"""

    status_code = 400


class NotOffered(Refused):
    """“{project}”不能列入本地区清单：{why}；请取消选择后再提交（第七条第一项）。"""


class ListEmpty(Refused):
    """清单中还没有项目，不能提交；请先选择项目。"""


class NothingChanged(Refused):
    """与现行清单相比没有新增也没有移出，不需要补充清单；请先选择要增减的项目。"""


class DropReasonMissing(Refused):
    """移出“{project}”须填写移出原因，请在选择页补充后提交（第六条动态调整）。"""

    status_code = 400


class ListOutdated(Refused):
    """“{project}”在本稿提交后已有新的版本，请退回经办岗重新提交，再发布。"""


def years(session: Session) -> tuple[int, int]:
    """Return the years whose lists may be made: this one (supplements) and the next."""
    year = today(session).year
    return year, year + 1


def draft(session: Session, *, by: ActingOfficer, year: int, note: str = "") -> AnnualList:
    """Begin the next edition of the officer's division: first what was listed and is still offered. （第六条）

    Raises NotAllowed, YearNotOpen, UpperNotPublished, DraftOpen.
    """
    allow(session, by, Permission.ANNUAL_LIST_DRAFT)
    require_desk(SUBMIT, by)
    first, last = years(session)
    if not first <= year <= last:
        raise YearNotOpen(first=first, last=last, year=year)
    _lock(session, by.division_code, year)
    _require_none_open(session, by.division_code, year)
    upper = upper_of(session, by.division_code)
    above = latest(session, upper.code, year) if upper is not None else None
    if upper is not None and above is None:
        raise UpperNotPublished(upper=upper.name, year=year)
    base = latest(session, by.division_code, year)
    edition = base.edition + 1 if base else 1
    place = session.get_one(Division, by.division_code).name
    number = session.execute(sa.text("select to_char(nextval('annual_list_numbers'), 'FM00000')")).scalar_one()
    record = AnnualList(
        division_code=by.division_code,
        number=f"QD{by.division_code[:6]}-{year}-{number}",
        year=year,
        edition=edition,
        title=f"{place}{year}年度补贴项目清单" + (f"（补充第{edition - 1}号）" if edition > 1 else ""),
        upper_id=above.id if above else None,
        note=note.strip(),
    )
    begin(session, record, by=by, label="编制清单", desk=Desk.OWN_FINANCE_CLERK)
    found = offers(session, by.division_code, year)
    former = [one for one in found if one.current] or [one for one in found if one.last_year]
    _write(session, record, [one.project_id for one in former or found if one.offered], {})
    return record


def _lock(session: Session, division_code: str, year: int) -> None:
    """Let two people of one bureau make one edition after the other."""
    name = f"annual_list:{division_code}:{year}"
    session.execute(sa.text("select pg_advisory_xact_lock(hashtextextended(:name, 0))"), {"name": name})


def _require_none_open(session: Session, division_code: str, year: int) -> None:
    unfinished = (AnnualListStatus.DRAFT, AnnualListStatus.SUBMITTED)
    found = session.exec(
        select(AnnualList).where(
            AnnualList.division_code == division_code, AnnualList.year == year, col(AnnualList.status).in_(unfinished)
        )
    ).first()
    if found is not None:
        raise DraftOpen(year=year, number=found.number, status=found.status.label)


def choose(
    session: Session, record: AnnualList, *, by: ActingOfficer, project_ids: Sequence[int], reasons: Mapping[int, str]
) -> AnnualList:
    """Write what is selected into a draft; reasons: why what was listed is dropped, by project. （第七条第一项）

    Raises NotAllowed, OtherDivision, StepNotPossible, NotOffered.
    """
    allow(session, by, Permission.ANNUAL_LIST_DRAFT, record)
    require_desk(SUBMIT, by)
    require_home(SUBMIT, record, by)
    if record.status != AnnualListStatus.DRAFT:
        raise StepNotPossible(title=f"项目清单{record.number}", status=record.status.label, step="选择项目")
    _lock(session, record.division_code, record.year)
    known = {one.project_id: one for one in offers(session, record.division_code, record.year, record)}
    for number in project_ids:
        if number not in known or not known[number].offered:
            wrong = known.get(number)
            raise NotOffered(
                project=wrong.name if wrong else number, why=wrong.why_not if wrong else "项目库没有该项目"
            )
    _write(session, record, project_ids, reasons)
    facts = {"items": record.item_count, "added": record.added_count, "dropped": record.dropped_count}
    record_event(session, record, "choose", by=by, label="选择项目", desk=Desk.OWN_FINANCE_CLERK, facts=facts)
    return record


CLEAR = sa.text("delete from annual_list_items where division_code = :division and list_id = :list")
WRITE = sa.text(
    """
    with written as (
        insert into annual_list_items (division_code, list_id, project_id, code, name, sector, domain, policy_level,
            project_version, change, reason)
        select :division, :list, p.id, p.code, p.name, p.sector, p.domain, p.policy_level, p.project_version,
            case when p.id <> all (:ids) then 'dropped' when b.id is null then 'added' else 'kept' end,
            case when p.id = any (:ids) then '' else coalesce(r.reason, '') end
        from subsidy_projects p
        left join annual_list_items b on b.list_id = :base and b.project_id = p.id and b.change <> 'dropped'
        left join unnest(cast(:why_of as bigint[]), cast(:why as text[])) as r (id, reason) on r.id = p.id
        where p.id = any (:ids) or b.id is not null
        returning change
    )
    select count(*) filter (where change <> 'dropped') as items, count(*) filter (where change = 'added') as added,
        count(*) filter (where change = 'dropped') as dropped
    from written
    """
)


def _write(session: Session, record: AnnualList, project_ids: Sequence[int], reasons: Mapping[int, str]) -> None:
    """Write the items anew as the library has them now, and how they differ from the edition before."""
    base = latest(session, record.division_code, record.year - (1 if record.edition == 1 else 0))
    place = {"division": record.division_code, "list": record.id}
    session.execute(CLEAR, place)
    given = {number: why.strip() for number, why in reasons.items() if why.strip()}
    asked = place | {
        "ids": list(project_ids), "base": base.id if base else None, "why_of": list(given), "why": list(given.values()),
    }  # fmt: skip
    row = session.execute(WRITE, asked).one()
    record.item_count, record.added_count, record.dropped_count = row.items, row.added, row.dropped
    session.flush()


def items_of(session: Session, record: AnnualList) -> list[AnnualListItem]:
    """Return the items of an edition in the order of their codes, the dropped ones too."""
    statement = select(AnnualListItem).where(AnnualListItem.list_id == record.id)
    return list(session.exec(statement.order_by(col(AnnualListItem.code))))


def submit(session: Session, record: AnnualList, *, by: ActingOfficer) -> AnnualList:
    """Give a draft to the bureau's reviewer; the versions of its projects are taken as they are now. （第六、二十三条）

    Raises NotAllowed, ListEmpty, NothingChanged, DropReasonMissing, NotOffered, UpperNotPublished.
    """
    allow(session, by, Permission.ANNUAL_LIST_DRAFT, record)
    if record.status == AnnualListStatus.DRAFT and by.division_code == record.division_code:
        require_desk(SUBMIT, by)
        _settle_draft(session, record)
    return move(session, record, "submit", by=by)


def _settle_draft(session: Session, record: AnnualList) -> None:
    """Refuse what can't be published, and freeze what can."""
    upper = upper_of(session, record.division_code)
    above = latest(session, upper.code, record.year) if upper is not None else None
    if upper is not None and above is None:
        raise UpperNotPublished(upper=upper.name, year=record.year)
    items = items_of(session, record)
    chosen = [item.project_id for item in items if item.change != ListChange.DROPPED]
    _require_offered(session, record)
    _write(session, record, chosen, {item.project_id: item.reason for item in items if item.reason})
    if not record.item_count:
        raise ListEmpty
    if record.edition > 1:
        if not record.added_count and not record.dropped_count:
            raise NothingChanged
        dropped = [one for one in items_of(session, record) if one.change == ListChange.DROPPED and not one.reason]
        if dropped:
            raise DropReasonMissing(project=dropped[0].name)
    record.upper_id = above.id if above else None
    session.flush()


def _require_offered(session: Session, record: AnnualList) -> None:
    """Refuse what has been stopped, or dropped above, since it was selected. Raises NotOffered."""
    for one in offers(session, record.division_code, record.year, record):
        if one.chosen and not one.offered:
            raise NotOffered(project=one.name, why=one.why_not)


OUTDATED = sa.text(
    "select i.name from annual_list_items i join subsidy_projects p on p.id = i.project_id"
    " where i.list_id = :list and i.change <> 'dropped' and p.project_version <> i.project_version"
    " order by i.code limit 1"
)


def publish(session: Session, record: AnnualList, *, by: ActingOfficer, opinion: str = "") -> AnnualList:
    """Publish an edition: it never changes again; whoever is below is told to select. （第六条、第七条第一项）

    Raises NotAllowed, SamePersonTwice, OtherDivision, NotOffered, ListOutdated.
    """
    allow(session, by, Permission.ANNUAL_LIST_PUBLISH, record)
    if record.status == AnnualListStatus.SUBMITTED and by.division_code == record.division_code:
        _require_offered(session, record)
        changed = session.execute(OUTDATED, {"list": record.id}).scalar_one_or_none()
        if changed is not None:
            raise ListOutdated(project=changed)
        record.digest = digest(session, record)
        record.published_at = now(session)
        session.flush()
    move(session, record, "publish", by=by, opinion=opinion, facts={"items": record.item_count})
    _close_own(session, record, by)
    _tell_below(session, record, by)
    _tell_stale(session, record)
    return record


def digest(session: Session, record: AnnualList) -> str:
    """Return the SHA-256 over an edition's items: what is stored when it is published."""
    found: str = session.execute(sa.text(DIGEST.format(list=":list")), {"list": record.id}).scalar_one()
    return found


UPPERS = sa.text(
    "select l.id from annual_lists l join annual_lists u on u.id = :upper"
    " where l.division_code = u.division_code and l.year = u.year and l.edition <= u.edition and l.status = 'published'"
)


def _close_own(session: Session, record: AnnualList, by: ActingOfficer) -> None:
    """Let the tasks vanish that asked for this list."""
    own = record.division_code
    kind = CatalogueTaskKind.PUBLISH_LIST if record.upper_id is None else CatalogueTaskKind.SELECT_LIST
    vanish(session, kind, YEAR, [record.year], by=by, division_code=own)
    if record.upper_id is not None:
        uppers = list(session.execute(UPPERS, {"upper": record.upper_id}).scalars())
        vanish(session, kind, SUBJECT, uppers, by=by, division_code=own)


ASKED = sa.text(
    "select division_code from catalogue_tasks where kind = 'select_list' and subject = :subject and subject_id = :year"
    " and status = 'finance' and division_code = any (:codes)"
)
FORMER = sa.text(
    "select id from annual_lists where division_code = :division and year = :year and edition < :edition"
    " and status = 'published'"
)


def _tell_below(session: Session, record: AnnualList, by: ActingOfficer) -> None:
    """Raise one task for each finance bureau below: to select, or to follow a supplement. （第七条第一项）"""
    codes = below(session, record.division_code, by.level)
    if not codes:
        return
    if record.edition == 1:
        detail = f"{record.title}已发布（{record.item_count} 项），请选择确定本地区 {record.year} 年度项目清单"
        subject, number, due = YEAR, record.year, ANNUAL_LIST.due_on(record.year)
    else:
        detail = f"{record.title}：新增 {record.added_count} 项、移出 {record.dropped_count} 项，请相应补充本地区清单"
        subject, number, due = SUBJECT, record.id or 0, None
        asked = {"division": record.division_code, "year": record.year, "edition": record.edition}
        former = list(session.execute(FORMER, asked).scalars())
        vanish(session, CatalogueTaskKind.SELECT_LIST, SUBJECT, former, by=by)  # one task, about the newest edition
        waiting = {"subject": YEAR, "year": record.year, "codes": codes}
        late = set(session.execute(ASKED, waiting).scalars())  # whoever hasn't selected yet will from this edition
        codes = [code for code in codes if code not in late]
    errands = [Errand(code, "", subject, number, detail, due) for code in codes]
    raise_tasks(session, CatalogueTaskKind.SELECT_LIST, errands)


PUBLISHED_LIST = sa.text(
    "select id, title from publications where division_code = :division and kind = 'list' and year = :year"
    " and status = 'finance_shown'"
)


def _tell_stale(session: Session, record: AnnualList) -> None:
    """Tell the bureau that the list it has published outside is no longer the one in force. （第八、九条）"""
    row = session.execute(PUBLISHED_LIST, {"division": record.division_code, "year": record.year}).one_or_none()
    if row is not None:
        detail = f"已公开的“{row.title}”与新发布的“{record.title}”不一致，请拟稿替换"
        errand = Errand(record.division_code, "", "publication", row.id, detail)
        raise_tasks(session, CatalogueTaskKind.STALE_PUBLICATION, [errand])


def return_(session: Session, record: AnnualList, *, by: ActingOfficer, reason: str) -> AnnualList:
    """Give a submitted edition back to the clerk. （第二十三条） Raises ReasonMissing."""
    allow(session, by, Permission.ANNUAL_LIST_PUBLISH, record)
    if not reason.strip():
        raise ReasonMissing(step="退回", field="退回原因")
    return move(session, record, "return_", by=by, opinion=reason.strip())


def withdraw(session: Session, record: AnnualList, *, by: ActingOfficer, reason: str) -> AnnualList:
    """Give up a draft. （第六条） Raises ReasonMissing."""
    allow(session, by, Permission.ANNUAL_LIST_DRAFT, record)
    if not reason.strip():
        raise ReasonMissing(step="作废", field="作废原因")
    return move(session, record, "withdraw", by=by, opinion=reason.strip())
