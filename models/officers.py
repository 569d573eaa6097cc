"""Officers, their posts, and who is acting in this transaction. （第二十三条）"""

from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, ClassVar

import sqlalchemy as sa

from models.base import Labelled, RowScope, Table, column, division, enum_type, identity, moment
from models.crypto import BlindIndex, Sealed
from models.divisions import Level, scope_range
from models.organisations import OrganisationKind

if TYPE_CHECKING:
    from collections.abc import Iterator


class Role(Labelled):
    """The post an officer holds: 经办岗, 审核岗, 负责人, 专职管理岗 (第三十一条), and the three administrators."""

    CLERK = "clerk", "经办岗"
    REVIEWER = "reviewer", "审核岗"
    HEAD = "head", "负责人"
    AUDITOR = "auditor", "财政监督岗"
    SYSTEM_ADMIN = "system_admin", "系统管理员"
    SECURITY_ADMIN = "security_admin", "安全管理员"
    AUDIT_ADMIN = "audit_admin", "审计管理员"
    SYSTEM = "system", "系统任务"
    REGISTRAR = "registrar", "专职管理岗"


class PostStatus(Labelled):
    """A post is proposed by one security administrator and confirmed by another (第二十三条)."""

    PROPOSED = "proposed", "待复核"
    IN_FORCE = "in_force", "在任"
    ENDED = "ended", "已终止"
    REFUSED = "refused", "未同意"


class Officer(Table, table=True):
    """A person who may log in. Two accounts of one natural person share `person`, recognised by `person_index`."""

    __tablename__ = "officers"
    __title__: ClassVar[str] = "用户"

    id: int | None = identity()
    division_code: str = division("所属区划")
    login: str = column("登录名", unique=True)
    name: str = column("姓名")
    person: str = column("自然人", help="同一人的多个账号相同", index=True)
    person_index: bytes = column(
        "身份证盲索引", sa_type=BlindIndex, help="识别同一人的多个账号，随索引密钥轮换", index=True
    )
    active: bool = column("在用", True)


class OfficerSecret(Table, table=True):
    """What proves an officer's identity; only SECURITY DEFINER functions reach it. （第三十条）"""

    __tablename__ = "officer_secrets"
    __row_scope__: ClassVar[RowScope] = RowScope.CLOSED
    __title__: ClassVar[str] = "登录凭据"

    officer_id: int = column("用户", sa_type=sa.BigInteger, primary_key=True, foreign_key="officers.id")
    password_hash: str = column("口令散列")
    totp_secret: str | None = column("动态口令密钥", None, sa_type=Sealed, nullable=True)
    totp_last_step: int = column("已用动态口令步", 0, sa_type=sa.BigInteger, help="防止同一动态口令重复使用")
    failed_logins: int = column("连续失败次数", 0)
    locked_until: datetime | None = moment("锁定至")
    password_changed_at: datetime | None = moment("口令最近更换时间")
    must_change: bool = column("须更换口令", False, help="首次登录或重置后")


class Post(Table, table=True):
    """An officer's post in an organisation, with its dates of validity.

    PostgreSQL writes `organisation` and `holder` from their rows. The application's role may only propose; rows of the
    owner (bootstrap, demo, tests) are in force.
    """

    __tablename__ = "posts"
    __title__: ClassVar[str] = "岗位"

    id: int | None = identity()
    division_code: str = division()
    officer_id: int = column("用户", sa_type=sa.BigInteger, foreign_key="officers.id", index=True)
    organisation_id: int = column("机构", sa_type=sa.BigInteger, foreign_key="organisations.id")
    role: Role = column("岗位", sa_type=enum_type(Role))
    sector: str = column("分管领域", "", help="乡镇工作人员按领域分工时填写，空为全部")
    valid_from: date = column("任职起")
    valid_to: date | None = column("任职止", None, nullable=True)
    organisation: str = column("机构名称", "", server_default="")
    holder: str = column("任职人", "", server_default="")
    status: PostStatus = column("状态", PostStatus.IN_FORCE, sa_type=enum_type(PostStatus), server_default="in_force")
    version: int = column("版本", 1, server_default="1")
    arrived_at: datetime | None = moment("拟任时间")
    proposed_by: str = column("拟任人标识", "", server_default="", help="自然人标识；复核须由另一人办理")

    __table_args__ = (
        sa.UniqueConstraint("division_code", "id"),
        sa.CheckConstraint("valid_to is null or valid_from <= valid_to", name="dates"),
        sa.Index("ix_posts_organisation_id_role", "organisation_id", "role"),
    )

    @property
    def title(self) -> str:
        """Return the post as officers say it, with its holder, e.g. 敖汉旗财政局经办岗（王某）."""
        return f"{self.organisation}{self.role.label}（{self.holder}）"


@dataclass(frozen=True)
class Scope:
    """One half-open range of division codes with at most one hole; '' bounds mean no hole (DESIGN D2)."""

    start: str
    end: str
    hole_start: str = ""
    hole_end: str = ""

    @classmethod
    def of(cls, code: str, level: Level) -> "Scope":
        """Return the range beneath a division."""
        return cls(*scope_range(code, level))

    def covers(self, code: str) -> bool:
        """Tell whether the division lies in the range."""
        return self.start <= code < self.end and not self.hole_start <= code < self.hole_end


@dataclass(frozen=True)
class ActingOfficer:
    """Who acts, in which post: what every verb takes as `by`."""

    officer_id: int
    person: str
    name: str
    post_id: int
    role: Role
    organisation_id: int
    organisation: str
    kind: OrganisationKind
    level: Level
    division_code: str
    sector: str
    """The sector that the post is limited to; "" for none."""
    scope: Scope
    bank_id: int = 0
    """The agent bank of a bank's post: it sees that bank's rows and no others."""
    delegation_id: int = 0
    """The delegation by which somebody else's post is held; 0 for one's own."""
    absent: str = ""
    """Whose post it is, when it is delegated."""
    only: frozenset[str] | None = None
    """The permissions that a delegation is limited to; None for all of the post."""
    address: str = ""
    """The network address that the officer acts from, for the audit."""

    @property
    def post(self) -> str:
        """Return the post as officers say it, e.g. 敖汉旗财政局经办岗."""
        absence = f"（代 {self.absent}）" if self.absent else ""
        return f"{self.organisation}{self.role.label}{absence}"


ACTING: ContextVar[ActingOfficer | None] = ContextVar("acting", default=None)


@contextmanager
def acting(officer: ActingOfficer | None) -> "Iterator[None]":
    """Set who acts for the transactions begun inside the block."""
    token = ACTING.set(officer)
    try:
        yield
    finally:
        ACTING.reset(token)


def system_principal(division_code: str, level: Level, name: str = "系统任务") -> ActingOfficer:
    """Return the named system principal that sweeps and deliveries run as, with the scope of one division."""
    return ActingOfficer(
        officer_id=0,
        person=f"system:{name}",
        name=name,
        post_id=0,
        role=Role.SYSTEM,
        organisation_id=0,
        organisation="一卡通平台",
        kind=OrganisationKind.PLATFORM,
        level=level,
        division_code=division_code,
        sector="",
        scope=Scope.of(division_code, level),
    )
