"""The base of every table: naming convention, fields declared once, and the classes of row scope."""

from enum import StrEnum
from typing import Any, ClassVar, Self

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import TIMESTAMP
from sqlmodel import Field, SQLModel

REGION_CODE = "150000000000"

SQLModel.metadata.naming_convention = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}


class RowScope(StrEnum):
    """Which class of row policy a table carries (DESIGN D2); the catalogue test compares it with PostgreSQL."""

    RANGE = "range"
    """Rows are seen and written inside the acting officer's range of divisions."""
    DOWNWARD = "downward"
    """Rows are read by everyone beneath their owner and written only inside the owner's range."""
    OWN = "own"
    """Rows belong to one officer (or lie inside the range)."""
    REFERENCE = "reference"
    """No division of its own: readable by all, written by the owner role or by named functions."""
    CLOSED = "closed"
    """The application's role has no rights; only SECURITY DEFINER functions reach it."""


class Labelled(StrEnum):
    """A stored value with the Chinese label that officers read."""

    label: str

    def __new__(cls, value: str, label: str = "") -> Self:
        """Make the member a plain string that also knows its label."""
        member = str.__new__(cls, value)
        member._value_ = value
        member.label = label
        return member


class DivisionCode(sa.types.UserDefinedType[str]):
    """A 12-digit division code, compared byte by byte (`text COLLATE "C"`), so that ranges use the index."""

    cache_ok = True

    def get_col_spec(self, **_: Any) -> str:
        """Return the PostgreSQL type."""
        return 'text COLLATE "C"'

    def __repr__(self) -> str:
        """Return the form that migrations write."""
        return "DivisionCode()"


def enum_type(kind: type[Labelled], name: str = "") -> sa.Enum:
    """Return a text column type that accepts just the values of `kind`, checked by PostgreSQL.

    name: the constraint's name, for a second column of the same kind in one table.
    """
    return sa.Enum(
        kind,
        native_enum=False,
        create_constraint=True,
        length=40,
        name=name or kind.__name__.lower(),
        values_callable=lambda members: [member.value for member in members],
    )


MOMENT = TIMESTAMP(timezone=True)


def column(
    title: str,
    default: Any = ...,
    *,
    unit: str = "",
    help: str = "",
    mask: str = "",
    sa_type: Any = None,
    nullable: bool = False,
    index: bool = False,
    unique: bool = False,
    primary_key: bool = False,
    identity: bool = False,
    foreign_key: str | None = None,
    server_default: Any = None,
    default_factory: Any = None,
) -> Any:
    """Declare one column with all that views, sheets and PostgreSQL say about it.

    title, unit, help: Chinese, shown to officers and written as the column's comment; mask: how the
    screen hides it ("id", "card", "phone", "name" or "" for open).
    """
    comment = title + (f"（{unit}）" if unit else "") + (f"：{help}" if help else "")
    kwargs: dict[str, Any] = {"comment": comment, "info": {"title": title, "unit": unit, "help": help, "mask": mask}}
    args: list[Any] = [sa.Identity()] if identity else []
    if server_default is not None:
        kwargs["server_default"] = server_default
    options: dict[str, Any] = {
        "sa_column_kwargs": kwargs,
        "sa_column_args": args,
        "title": title,
        "nullable": nullable,
        "index": index,
        "unique": unique,
        "primary_key": primary_key,
    }
    if sa_type is not None:
        options["sa_type"] = sa_type
    if foreign_key is not None:
        options["foreign_key"] = foreign_key
    if default_factory is not None:
        options["default_factory"] = default_factory
    elif default is not ...:
        options["default"] = default
    return Field(**options)


def identity() -> Any:
    """Declare the surrogate key of a table."""
    return column("编号", None, sa_type=sa.BigInteger, primary_key=True, identity=True)


def fen(title: str, default: Any = ..., *, help: str = "", nullable: bool = False) -> Any:
    """Declare an amount of money: an integer number of fen (DESIGN D6)."""
    return column(title, default, unit="分", help=help, sa_type=sa.BigInteger, nullable=nullable)


def moment(title: str, default: Any = None, *, nullable: bool = True, help: str = "") -> Any:
    """Declare a point in time with time zone."""
    return column(title, default, sa_type=MOMENT, nullable=nullable, help=help)


def division(title: str = "区划", *, primary_key: bool = False, index: bool = False) -> Any:
    """Declare the division that owns the row (12 digits)."""
    return column(title, sa_type=DivisionCode, primary_key=primary_key, index=index)


def county_check(name: str = "county") -> sa.CheckConstraint:
    """Return the check that ties `county_code` to `division_code`."""
    return sa.CheckConstraint("county_code = left(division_code, 6) || '000000'", name=name)


class Table(SQLModel):
    """Base of every table: names its row scope and its Chinese title."""

    __row_scope__: ClassVar[RowScope] = RowScope.RANGE
    __title__: ClassVar[str] = ""


def county_of(division_code: str) -> str:
    """Return the county of a county's, township's or village's code; region and league codes stay themselves."""
    if division_code[4:] == "00000000":
        return division_code
    return division_code[:6] + "000000"
