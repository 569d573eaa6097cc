"""Logins on the server, and what proves an identity beside the password. （第二十三条、第三十条）

The rows that officers may see and the secrets behind them are two tables: no list, export or injected question reaches
a token.
"""

from datetime import datetime
from typing import ClassVar

import sqlalchemy as sa

from models.base import Labelled, RowScope, Table, column, division, enum_type, identity, moment


class SessionStatus(Labelled):
    """Whether a session lives, or what ended it."""

    LIVE = "live", "在线"
    LOGGED_OUT = "logged_out", "本人退出"
    EXPIRED = "expired", "超时退出"
    REVOKED = "revoked", "由安全管理员结束"
    CREDENTIALS = "credentials", "口令或第二因素变更"
    POST_CHANGED = "post_changed", "岗位变动"
    OFFICER_CHANGED = "officer_changed", "用户停用或变更"


class LoginWay(Labelled):
    """How the person logged in."""

    PASSWORD = "password", "口令登录"
    OPENID = "openid", "统一身份认证"


class Factor(Labelled):
    """What proved the identity beside the password or the provider's word."""

    NONE = "none", "无"
    CODE = "code", "动态口令"
    RECOVERY = "recovery", "恢复码"
    PROVIDER = "provider", "统一身份认证的第二因素"


class LoginSession(Table, table=True):
    """A login on the server, as its owner and the security administrator see it."""

    __tablename__ = "login_sessions"
    __title__: ClassVar[str] = "登录会话"
    __table_args__ = (
        sa.Index(None, "division_code", "id"),
        sa.Index("ix_login_sessions_live", "officer_id", postgresql_where=sa.text("status = 'live'")),
    )

    id: int | None = identity()
    division_code: str = division()
    officer_id: int = column("用户", sa_type=sa.BigInteger)
    officer_name: str = column("用户姓名")
    post_id: int = column("岗位编号", sa_type=sa.BigInteger)
    delegation_id: int = column("委托编号", 0, sa_type=sa.BigInteger, help="代办他人岗位时的委托，0 为本人岗位")
    post: str = column("当前岗位")
    status: SessionStatus = column("状态", SessionStatus.LIVE, sa_type=enum_type(SessionStatus))
    way: LoginWay = column("登录方式", sa_type=enum_type(LoginWay))
    factor: Factor = column("第二因素", sa_type=enum_type(Factor))
    address: str = column("网络地址", "")
    agent: str = column("浏览器", "")
    started_at: datetime = moment("登录时间", ..., nullable=False)
    seen_at: datetime = moment("最近活动", ..., nullable=False)
    confirmed_at: datetime | None = moment("最近复核口令时间", help="拨付、改权限、导出前重新验证")
    code_at: datetime | None = moment("最近验证动态口令时间")
    ended_at: datetime | None = moment("结束时间")


class SessionSecret(Table, table=True):
    """What the browser of a session must show; only SECURITY DEFINER functions reach it."""

    __tablename__ = "session_secrets"
    __row_scope__: ClassVar[RowScope] = RowScope.CLOSED
    __title__: ClassVar[str] = "会话凭据"

    session_id: int = column("会话", sa_type=sa.BigInteger, primary_key=True, foreign_key="login_sessions.id")
    token_hash: bytes = column("令牌散列", sa_type=sa.LargeBinary, unique=True)
    csrf_token: str = column("防伪令牌")


class RecoveryCode(Table, table=True):
    """One code for the day the phone is lost; good once."""

    __tablename__ = "recovery_codes"
    __row_scope__: ClassVar[RowScope] = RowScope.CLOSED
    __title__: ClassVar[str] = "恢复码"

    officer_id: int = column("用户", sa_type=sa.BigInteger, primary_key=True, foreign_key="officers.id")
    code_hash: bytes = column("恢复码散列", sa_type=sa.LargeBinary, primary_key=True)
    made_at: datetime = moment("生成时间", ..., nullable=False)
    used_at: datetime | None = moment("使用时间")


class FormerPassword(Table, table=True):
    """A password that was, so that it doesn't come back where 等保 demands it."""

    __tablename__ = "former_passwords"
    __row_scope__: ClassVar[RowScope] = RowScope.CLOSED
    __title__: ClassVar[str] = "历史口令"

    id: int | None = identity()
    officer_id: int = column("用户", sa_type=sa.BigInteger, foreign_key="officers.id", index=True)
    password_hash: str = column("口令散列")
    replaced_at: datetime = moment("更换时间", ..., nullable=False)


class AddressFailure(Table, table=True):
    """Failed logins from one network address, which is kept as a blind index only."""

    __tablename__ = "address_failures"
    __row_scope__: ClassVar[RowScope] = RowScope.CLOSED
    __title__: ClassVar[str] = "地址登录失败"

    address_index: bytes = column("地址盲索引", sa_type=sa.LargeBinary, primary_key=True)
    failures: int = column("连续失败次数")
    last_at: datetime = moment("最近失败时间", ..., nullable=False)
    locked_until: datetime | None = moment("锁定至")


class OpenIdentity(Table, table=True):
    """An account at the provider of unified login, linked to one officer beforehand."""

    __tablename__ = "openid_identities"
    __title__: ClassVar[str] = "统一身份"
    __table_args__ = (sa.UniqueConstraint("issuer", "subject"), sa.Index(None, "division_code", "id"))

    id: int | None = identity()
    division_code: str = division()
    officer_id: int = column("用户", sa_type=sa.BigInteger, index=True)
    officer_name: str = column("用户姓名")
    issuer: str = column("认证平台")
    subject: str = column("平台用户标识")
    label: str = column("平台账号", "", help="认证平台上的登录名或姓名，供核对")
    linked_at: datetime = moment("绑定时间", ..., nullable=False)
    linked_by: str = column("绑定人")
