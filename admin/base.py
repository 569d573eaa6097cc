"""`ConsoleView`: the only place of the console that asks Casbin, masks, formats and derives (STYLE 16, DESIGN D12).

A view is a page of data. Lists, tabs, totals, search, record pages, buttons, confirm pages and POSTs come from what
the model, the lifecycle and the view declare; views are read-only, verbs are workflows.
"""

import importlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, ClassVar

import sqlalchemy as sa
from sqladmin import ModelView
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Session
from starlette.requests import Request

from admin import inbox
from admin.fields import Cell, FieldView, field_view
from admin.reading import who
from models.base import Table
from models.divisions import Division
from models.officers import ActingOfficer
from policies.lifecycles import Ask, Lifecycle, Step
from policies.moves import title_of
from policies.permissions import Permission
from policies.refusals import NotFound

BASE = "/console"
ID_DIGITS = 18
HIDDEN = frozenset(("id", "version", "county_code", "entitlement_key", "name_key", "sha256", "digest", "person"))


@dataclass(frozen=True)
class Related:
    """A tab of a record page: rows of another table that belong to the record."""

    title: str
    model: type[Table]
    key: str
    """The column of `model` that holds the record's id."""
    columns: tuple[str, ...]
    permission: Permission
    link: str = ""
    """The identity of the view that shows one of the rows, if any."""
    order: str = "id"
    own: str = "id"
    """The column of the record that `key` refers to."""
    total: str = ""
    within: Callable[[Any], Any] | None = None
    """The condition on `model` instead of its key, made from the record."""
    where: tuple[Any, ...] = ()
    """Conditions beyond the key."""
    together: bool = False
    """The rows lie in the record's own division: said to PostgreSQL, so that it finds them by their index."""
    further: Callable[[Session, Any], Sequence[FieldView]] | None = None
    """Columns that the record itself says, behind the others."""


Asked = Callable[[Session, ActingOfficer, Any], tuple[Ask, ...]]
Choices = Callable[[Session, ActingOfficer, Any], Sequence[tuple[str, str]]]
Notes = Callable[[Session, ActingOfficer, Any], Mapping[str, str]]
Present = Callable[[Session, ActingOfficer, Any, Mapping[str, str]], Mapping[str, str]]


class Menu(StrEnum):
    """The groups of the menu, in the order of the money's way."""

    CATALOGUE = "项目与规则"
    APPLICATIONS = "申报与资格"
    REGISTRY = "补贴对象"
    ROSTERS = "清册"
    MONEY = "资金"
    DIFFERENCES = "差错与对账"
    BANK = "代理银行"
    OVERSIGHT = "监督"
    PEOPLE = "机构与人员"
    SECURITY = "安全管理"


def call(module: str, verb: str) -> Callable[..., Any]:
    """Return a call of a workflow by name: the view names the verb, the workflow is found when it is done."""

    def run(session: Session, *record: Any, **answers: Any) -> Any:
        return getattr(importlib.import_module(f"workflows.{module}"), verb)(session, *record, **answers)

    return run


@dataclass(frozen=True)
class Form:
    """A verb that isn't a step: its fields, and the call of the workflow."""

    slug: str
    label: str
    permission: Permission
    run: Callable[..., Any]
    """Called as run(session, by=…, **answers), with the record second when the form stands on a record page."""
    asks: tuple[Ask, ...] = ()
    choices: tuple[tuple[str, Choices], ...] = ()
    consequence: str = ""
    on_record: bool = False
    statuses: tuple[Any, ...] = ()
    """The statuses of the record in which the form is offered; empty: any."""
    where: tuple[Any, ...] = ()
    """Conditions on the record, asked of PostgreSQL: what the statuses alone don't tell."""
    tab: str = ""
    """The tab whose head offers the form; empty: the head of the page."""
    seats: Callable[[ActingOfficer], bool] = lambda by: True
    """Which posts the form is for, beyond the permission."""
    filled: tuple[str, ...] = ()
    """The fields that begin with what the record's columns of that name hold."""
    present: Present | None = None
    """What else the fields begin with, by their names; it knows what the address has chosen."""
    notes: Notes | None = None
    """What stands beside the fields as it is now, masked, by their names."""
    group: str = ""
    """The menu of the page's head that holds the form; empty: a button of its own."""
    asked: Asked | None = None
    """The fields where the record itself says them, as a line's project does; they stand for `asks`."""

    def offered(self, granted: frozenset[str], by: ActingOfficer, record: Any = None) -> bool:
        """Tell whether the officer may use the form now: the predicate of the button and of the route."""
        if self.permission not in granted or not self.seats(by):
            return False
        return record is None or not self.statuses or record.status in self.statuses


class ConsoleView(ModelView):
    """Base of every view: read-only, scoped by PostgreSQL, permitted by Casbin, derived from declarations."""

    can_create = can_edit = can_delete = can_export = can_import = False
    permission: ClassVar[Permission]
    lifecycle: ClassVar[Lifecycle | None] = None
    verbs: ClassVar[str] = ""
    """The workflow module whose functions are named like the lifecycle's steps."""
    search_text: ClassVar[tuple[str, ...]] = ()
    """Columns searched by their beginning (numbers) or exactly."""
    search_index: ClassVar[tuple[tuple[str, Callable[[str], bytes]], ...]] = ()
    """Blind indexes searched by the exact ID, account or telephone number."""
    search_page: ClassVar[str] = ""
    """The address of a page of its own that the list's search box leads to."""
    filters: ClassVar[tuple[str, ...]] = ()
    related: ClassVar[tuple[Related, ...]] = ()
    forms: ClassVar[tuple[Form, ...]] = ()
    makers: ClassVar[tuple[tuple[Form, ...], ...]] = ()
    """Forms of other views that make records of this one: what a page says when it has just been made."""
    headline: ClassVar[tuple[str, ...]] = ()
    opens: ClassVar[str] = "todo"
    """The tab a list opens with: one's own work, or "all" for registers that are mostly looked up."""
    total: ClassVar[str] = ""
    order: ClassVar[tuple[str, ...]] = ("-id",)
    file_columns: ClassVar[tuple[str, ...]] = ()
    record_template: ClassVar[str] = "record"
    title_field: ClassVar[str] = ""
    """The column that names a record without a number of its own."""
    noun: ClassVar[str] = ""
    """How events name the record, when no lifecycle says so."""

    def __init_subclass__(cls, **_: Any) -> None:
        """Add one confirm page and one POST for each verb of the lifecycle and for each form."""
        super().__init_subclass__()
        from admin.confirm import add_routes

        add_routes(cls)

    def __init__(self) -> None:
        self.name = self.name_plural = self.model.__title__  # type: ignore[attr-defined,misc]
        super().__init__()

    @property
    def root_url(self) -> str:
        """Return the beginning of every address of this view."""
        return f"{BASE}/{self.identity}/"

    @property
    def menu_url(self) -> str:
        """Return where the menu leads."""
        return f"{self.root_url}list"

    @property
    def event_noun(self) -> str:
        """Return how events name records of this view."""
        return self.lifecycle.noun if self.lifecycle else self.noun or self.model.__tablename__  # type: ignore[attr-defined]

    def verb(self, name: str) -> Callable[..., Any]:
        """Return the workflow of a step: the function of that name in the noun's module."""
        found: Callable[..., Any] = getattr(importlib.import_module(self.verbs), name)
        return found

    def url_of(self, record: Any) -> str:
        """Return the address of a record's page."""
        return f"{self.root_url}details/{record.id}"

    def title(self, record: Any) -> str:
        """Return how the page names the record: its kind and number, else its kind and what the view says."""
        if not self.title_field:
            return title_of(record)
        return f"{self.name} {field_view(self.model, self.title_field).cell(record, {}).text}"

    def granted(self, request: Request) -> frozenset[str]:
        """Return the permissions of the post, loaded once per request by the authorisation bridge."""
        held: frozenset[str] = getattr(request.state, "permissions", frozenset())
        return held

    def fields(self, names: Sequence[str]) -> list[FieldView]:
        """Return how the named columns are shown."""
        return [field_view(self.model, name) for name in names]

    async def get_list_value(self, obj: Any, prop: str, request: Request | None = None) -> tuple[Any, Any]:
        """Return the masked, formatted value: no path of SQLAdmin gets the plain one."""
        cell = field_view(self.model, prop).cell(obj, {})
        return cell.text, cell.text

    get_detail_value = get_list_value

    async def get_prop_value(self, obj: Any, prop: str) -> Any:
        """Return the masked, formatted value."""
        return field_view(self.model, prop).cell(obj, {}).text

    def scoped(self, by: ActingOfficer) -> Any:
        """Return the select of what the post may see: rows by PostgreSQL, a department's own line here."""
        return sa.select(self.model).where(*inbox.sector_filter(self.model, by))

    def find(self, session: Session, by: ActingOfficer, key: str) -> Any:
        """Return one record by its number in the address. Raises NotFound: out of scope is not there."""
        if not key.isascii() or not key.isdigit() or len(key) > ID_DIGITS:
            raise NotFound
        record = session.execute(
            self.scoped(by).where(self.model.id == int(key))  # type: ignore[attr-defined]
        ).scalar_one_or_none()
        if record is None:
            raise NotFound
        return record

    def steps(self, request: Request, record: Any) -> list[Step]:
        """Return the steps the officer may take on the record now, by the predicate that guards the verbs."""
        if self.lifecycle is None:
            return []
        by, granted = who(request), self.granted(request)
        steps = [step for step in inbox.steps_of(record) if self.permits(step, by, granted)]
        return [step for step in steps if step.desk and step.desk.reaches(by, record.division_code)]

    @staticmethod
    def permits(step: Step, by: ActingOfficer, granted: frozenset[str]) -> bool:
        """Tell whether the post sits at the step's desk and holds its permission."""
        return step.desk is not None and step.desk.seats(by) and step.permission in granted

    def offered(self, request: Request, record: Any = None) -> list[Form]:
        """Return the forms offered in a list's header, or on a record's page and its tabs."""
        by, granted = who(request), self.granted(request)
        return [
            form for form in self.forms if form.on_record == (record is not None) and form.offered(granted, by, record)
        ]

    def fitting(self, session: Session, record: Any, forms: Sequence[Form]) -> list[Form]:
        """Return the forms whose conditions the record meets."""
        model: Any = self.model
        return [
            form
            for form in forms
            if not form.where or session.execute(sa.select(model.id).where(model.id == record.id, *form.where)).first()
        ]

    def row_links(self, request: Request, row: Any) -> list[tuple[str, str]]:
        """Return what can be done with a row of this view on another record's tab: label and address."""
        return [(form.label, f"{self.root_url}form/{form.slug}?pk={row.id}") for form in self.offered(request, row)]

    def links(self, record: Any) -> list[tuple[str, str]]:
        """Return what can be downloaded or opened from a record's head: label and address."""
        present = [field for field in self.fields(self.file_columns) if getattr(record, field.name)]
        return [(f"下载{field.title}", f"{self.root_url}file/{record.id}/{field.name}") for field in present]

    def get_details_columns(self) -> list[str]:
        """Return what the detail tab shows: everything a person can read, unless the view says otherwise."""
        declared = getattr(self, "column_details_list", None)
        columns = self.model.__table__.columns  # type: ignore[attr-defined]
        return list(declared) if declared else [column.name for column in columns if _readable(column)]

    def extra(self, session: Session, record: Any, by: ActingOfficer, granted: frozenset[str]) -> dict[str, Any]:
        """Return what a record page of its own template needs beyond the common page."""
        return {}

    def panel(self, session: Session, request: Request, record: Any, tab: str) -> dict[str, Any]:
        """Return what the open tab of an own template needs."""
        return {}

    def row(self, record: Any, fields: Sequence[FieldView], divisions: dict[str, str]) -> list[Cell]:
        """Return a record's cells."""
        return [field.cell(record, divisions) for field in fields]


def _readable(column: sa.Column[Any]) -> bool:
    """Tell whether a column says something to a person: no keys, hashes, envelopes of files, or JSON."""
    if isinstance(column.type, sa.LargeBinary | JSONB) or column.name in HIDDEN:
        return False
    return not isinstance(column.type, sa.BigInteger) or column.info.get("unit") == "分"


_DIVISIONS: dict[str, dict[str, str]] = {}


def division_names(session: Session) -> dict[str, str]:
    """Return the names of the divisions by code; read once per database."""
    database = str(session.get_bind().engine.url)
    if not _DIVISIONS.get(database):
        rows = session.execute(sa.select(Division.code, Division.name))  # type: ignore[call-overload]
        _DIVISIONS[database] = dict(rows.tuples().all())
    return _DIVISIONS[database]
