"""Sessions that officers see and end, their secrets apart; recovery codes, former passwords, addresses, identities.

Sessions begin anew with this revision: everybody logs in again.

Revision ID: 0011
Revises: 0010
"""

from pathlib import Path

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

import models.base

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

SQL = Path(__file__).parent.parent / "sql"
MOMENT = postgresql.TIMESTAMP(timezone=True)
STATUSES = ("live", "logged_out", "expired", "revoked", "credentials", "post_changed", "officer_changed")


def run(name: str) -> None:
    """Run a reviewed file as it stands: a driver call, so that neither % nor : is touched."""
    op.get_bind().connection.driver_connection.execute((SQL / f"{name}.sql").read_text())


def _words(name: str, *values: str) -> sa.Enum:
    return sa.Enum(*values, name=name, native_enum=False, create_constraint=True, length=40)


def _key(name: str) -> sa.Column:
    return sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False, comment="编号")


def _sessions() -> None:
    op.create_table(
        "login_sessions",
        _key("login_sessions"),
        sa.Column("division_code", models.base.DivisionCode(), nullable=False, comment="区划"),
        sa.Column("officer_id", sa.BigInteger(), nullable=False, comment="用户"),
        sa.Column("officer_name", sa.Text(), nullable=False, comment="用户姓名"),
        sa.Column("post_id", sa.BigInteger(), nullable=False, comment="岗位编号"),
        sa.Column(
            "delegation_id", sa.BigInteger(), nullable=False, comment="委托编号：代办他人岗位时的委托，0 为本人岗位"
        ),
        sa.Column("post", sa.Text(), nullable=False, comment="当前岗位"),
        sa.Column("status", _words("sessionstatus", *STATUSES), nullable=False, comment="状态"),
        sa.Column("way", _words("loginway", "password", "openid"), nullable=False, comment="登录方式"),
        sa.Column(
            "factor", _words("factor", "none", "code", "recovery", "provider"), nullable=False, comment="第二因素"
        ),
        sa.Column("address", sa.Text(), nullable=False, comment="网络地址"),
        sa.Column("agent", sa.Text(), nullable=False, comment="浏览器"),
        sa.Column("started_at", MOMENT, nullable=False, comment="登录时间"),
        sa.Column("seen_at", MOMENT, nullable=False, comment="最近活动"),
        sa.Column("confirmed_at", MOMENT, nullable=True, comment="最近复核口令时间：拨付、改权限、导出前重新验证"),
        sa.Column("code_at", MOMENT, nullable=True, comment="最近验证动态口令时间"),
        sa.Column("ended_at", MOMENT, nullable=True, comment="结束时间"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_login_sessions")),
    )
    op.create_index(op.f("ix_login_sessions_division_code_id"), "login_sessions", ["division_code", "id"])
    op.create_index(
        "ix_login_sessions_live", "login_sessions", ["officer_id"], postgresql_where=sa.text("status = 'live'")
    )
    op.create_table(
        "session_secrets",
        sa.Column("session_id", sa.BigInteger(), nullable=False, comment="会话"),
        sa.Column("token_hash", sa.LargeBinary(), nullable=False, comment="令牌散列"),
        sa.Column("csrf_token", sa.Text(), nullable=False, comment="防伪令牌"),
        sa.PrimaryKeyConstraint("session_id", name=op.f("pk_session_secrets")),
        sa.ForeignKeyConstraint(["session_id"], ["login_sessions.id"], name=op.f("fk_session_secrets_session_id")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_session_secrets_token_hash")),
    )


def _proofs() -> None:
    op.create_table(
        "recovery_codes",
        sa.Column("officer_id", sa.BigInteger(), nullable=False, comment="用户"),
        sa.Column("code_hash", sa.LargeBinary(), nullable=False, comment="恢复码散列"),
        sa.Column("made_at", MOMENT, nullable=False, comment="生成时间"),
        sa.Column("used_at", MOMENT, nullable=True, comment="使用时间"),
        sa.PrimaryKeyConstraint("officer_id", "code_hash", name=op.f("pk_recovery_codes")),
        sa.ForeignKeyConstraint(["officer_id"], ["officers.id"], name=op.f("fk_recovery_codes_officer_id")),
    )
    op.create_table(
        "former_passwords",
        _key("former_passwords"),
        sa.Column("officer_id", sa.BigInteger(), nullable=False, comment="用户"),
        sa.Column("password_hash", sa.Text(), nullable=False, comment="口令散列"),
        sa.Column("replaced_at", MOMENT, nullable=False, comment="更换时间"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_former_passwords")),
        sa.ForeignKeyConstraint(["officer_id"], ["officers.id"], name=op.f("fk_former_passwords_officer_id")),
    )
    op.create_index(op.f("ix_former_passwords_officer_id"), "former_passwords", ["officer_id"])
    op.create_table(
        "address_failures",
        sa.Column("address_index", sa.LargeBinary(), nullable=False, comment="地址盲索引"),
        sa.Column("failures", sa.Integer(), nullable=False, comment="连续失败次数"),
        sa.Column("last_at", MOMENT, nullable=False, comment="最近失败时间"),
        sa.Column("locked_until", MOMENT, nullable=True, comment="锁定至"),
        sa.PrimaryKeyConstraint("address_index", name=op.f("pk_address_failures")),
    )


def _identities() -> None:
    op.create_table(
        "openid_identities",
        _key("openid_identities"),
        sa.Column("division_code", models.base.DivisionCode(), nullable=False, comment="区划"),
        sa.Column("officer_id", sa.BigInteger(), nullable=False, comment="用户"),
        sa.Column("officer_name", sa.Text(), nullable=False, comment="用户姓名"),
        sa.Column("issuer", sa.Text(), nullable=False, comment="认证平台"),
        sa.Column("subject", sa.Text(), nullable=False, comment="平台用户标识"),
        sa.Column("label", sa.Text(), nullable=False, comment="平台账号：认证平台上的登录名或姓名，供核对"),
        sa.Column("linked_at", MOMENT, nullable=False, comment="绑定时间"),
        sa.Column("linked_by", sa.Text(), nullable=False, comment="绑定人"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_openid_identities")),
        sa.UniqueConstraint("issuer", "subject", name=op.f("uq_openid_identities_issuer_subject")),
    )
    op.create_index(op.f("ix_openid_identities_officer_id"), "openid_identities", ["officer_id"])
    op.create_index(op.f("ix_openid_identities_division_code_id"), "openid_identities", ["division_code", "id"])


def upgrade() -> None:
    """Make the tables, then what reaches them."""
    op.drop_table("login_sessions")
    _sessions()
    _proofs()
    _identities()
    run("0011_sessions")


def downgrade() -> None:
    """Bring the former table of sessions back, empty."""
    run("0011_sessions_down")
    for name in ("openid_identities", "address_failures", "former_passwords", "recovery_codes", "session_secrets"):
        op.drop_table(name)
    op.drop_table("login_sessions")
    op.create_table(
        "login_sessions",
        sa.Column("token_hash", sa.LargeBinary(), nullable=False, comment="令牌散列"),
        sa.Column("officer_id", sa.BigInteger(), nullable=False, comment="用户"),
        sa.Column("post_id", sa.BigInteger(), nullable=False, comment="当前岗位"),
        sa.Column("csrf_token", sa.Text(), nullable=False, comment="防伪令牌"),
        sa.Column("started_at", MOMENT, nullable=False, comment="登录时间"),
        sa.Column("seen_at", MOMENT, nullable=False, comment="最近活动"),
        sa.Column("confirmed_at", MOMENT, nullable=True, comment="最近复核身份时间：拨付前重新验证"),
        sa.Column("ended_at", MOMENT, nullable=True, comment="结束时间"),
        sa.ForeignKeyConstraint(["officer_id"], ["officers.id"], name=op.f("fk_login_sessions_officer_id")),
        sa.ForeignKeyConstraint(["post_id"], ["posts.id"], name=op.f("fk_login_sessions_post_id")),
        sa.PrimaryKeyConstraint("token_hash", name=op.f("pk_login_sessions")),
    )
    op.create_index(op.f("ix_login_sessions_officer_id"), "login_sessions", ["officer_id"])
    run("0011_sessions_restore")
