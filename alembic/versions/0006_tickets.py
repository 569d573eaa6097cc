"""Row scope by signed ticket; officers' secrets in a closed table; sectors of posts, banks of organisations.

Revision ID: 0006
Revises: 0005
"""

from pathlib import Path

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

import models.base
import models.crypto

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

SQL = Path(__file__).parent.parent / "sql"
ROLES = ("clerk", "reviewer", "head", "auditor", "system_admin", "security_admin", "audit_admin", "system")
SECRETS = ("password_hash", "totp_secret", "totp_last_step", "failed_logins", "locked_until")
PERSON = "自然人标识"


def run(name: str) -> None:
    """Run a reviewed file as it stands: a driver call, so that neither % nor : is touched."""
    op.get_bind().connection.driver_connection.execute((SQL / f"{name}.sql").read_text())


def _roles(words: tuple[str, ...]) -> None:
    op.drop_constraint(op.f("ck_posts_role"), "posts")
    op.create_check_constraint(op.f("ck_posts_role"), "posts", sa.column("role").in_(words))


def _secrets() -> None:
    op.create_table(
        "officer_secrets",
        sa.Column("officer_id", sa.BigInteger(), nullable=False, comment="用户"),
        sa.Column("password_hash", sa.Text(), nullable=False, comment="口令散列"),
        sa.Column("totp_secret", models.crypto.Sealed(), nullable=True, comment="动态口令密钥"),
        sa.Column("totp_last_step", sa.BigInteger(), nullable=False, comment="已用动态口令步：防止同一动态口令重复使用"),
        sa.Column("failed_logins", sa.Integer(), nullable=False, comment="连续失败次数"),
        sa.Column("locked_until", postgresql.TIMESTAMP(timezone=True), nullable=True, comment="锁定至"),
        sa.Column(
            "password_changed_at", postgresql.TIMESTAMP(timezone=True), nullable=True, comment="口令最近更换时间"
        ),
        sa.Column("must_change", sa.Boolean(), nullable=False, comment="须更换口令：首次登录或重置后"),
        sa.PrimaryKeyConstraint("officer_id", name=op.f("pk_officer_secrets")),
        sa.ForeignKeyConstraint(["officer_id"], ["officers.id"], name=op.f("fk_officer_secrets_officer_id")),
    )
    op.execute(
        "insert into officer_secrets (officer_id, password_hash, totp_secret, totp_last_step, failed_logins,"
        " locked_until, must_change) select id, password_hash, totp_secret, totp_last_step, failed_logins,"
        " locked_until, false from officers"
    )
    for name in SECRETS:
        op.drop_column("officers", name)


def _officers() -> None:
    op.add_column("officers", sa.Column("division_code", models.base.DivisionCode(), nullable=True, comment="所属区划"))
    op.add_column("officers", sa.Column("person", sa.Text(), nullable=True, comment="自然人：同一人的多个账号相同"))
    op.execute(
        "update officers o set person = encode(person_index, 'hex'), division_code ="
        " coalesce((select min(p.division_code) from posts p where p.officer_id = o.id), '150000000000')"
    )
    op.alter_column("officers", "division_code", nullable=False)
    op.alter_column("officers", "person", nullable=False)
    op.alter_column("officers", "person_index", comment="身份证盲索引：识别同一人的多个账号，随索引密钥轮换")
    op.create_index(op.f("ix_officers_person"), "officers", ["person"])
    op.create_index(op.f("ix_officers_person_index"), "officers", ["person_index"])


def upgrade() -> None:
    """Move the secrets away, then replace every policy by one that reads the ticket."""
    op.create_table(
        "ticket_keys",
        sa.Column("id", sa.Integer(), nullable=False, comment="编号"),
        sa.Column("key", sa.LargeBinary(), nullable=False, comment="凭证密钥：校验数据范围凭证的签名"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ticket_keys")),
    )
    _officers()
    _secrets()
    op.add_column("posts", sa.Column("sector", sa.Text(), server_default="", nullable=False, comment="分管领域：乡镇工作人员按领域分工时填写，空为全部"))
    op.alter_column("posts", "sector", server_default=None)
    _roles((*ROLES, "registrar"))
    op.add_column("organisations", sa.Column("bank_id", sa.BigInteger(), nullable=True, comment="代理银行：代理金融机构所属银行"))
    op.create_foreign_key(op.f("fk_organisations_bank_id"), "organisations", "agent_banks", ["bank_id"], ["id"])
    run("0006_tickets")


def downgrade() -> None:
    """Bring the settings back; passwords return to where they were."""
    run("0006_tickets_down")
    op.drop_constraint(op.f("fk_organisations_bank_id"), "organisations")
    op.drop_column("organisations", "bank_id")
    _roles(ROLES)
    op.drop_column("posts", "sector")
    op.add_column("officers", sa.Column("password_hash", sa.Text(), nullable=True, comment="口令散列"))
    op.add_column("officers", sa.Column("totp_secret", models.crypto.Sealed(), nullable=True, comment="动态口令密钥"))
    op.add_column("officers", sa.Column("totp_last_step", sa.BigInteger(), nullable=True, comment="已用动态口令步"))
    op.add_column("officers", sa.Column("failed_logins", sa.Integer(), nullable=True, comment="连续失败次数"))
    op.add_column(
        "officers", sa.Column("locked_until", postgresql.TIMESTAMP(timezone=True), nullable=True, comment="锁定至")
    )
    op.execute(
        "update officers o set password_hash = s.password_hash, totp_secret = s.totp_secret,"
        " totp_last_step = s.totp_last_step, failed_logins = s.failed_logins, locked_until = s.locked_until"
        " from officer_secrets s where s.officer_id = o.id"
    )
    for name in ("password_hash", "totp_last_step", "failed_logins"):
        op.alter_column("officers", name, nullable=False)
    op.drop_index(op.f("ix_officers_person_index"), "officers")
    op.drop_index(op.f("ix_officers_person"), "officers")
    op.drop_column("officers", "person")
    op.drop_column("officers", "division_code")
    op.alter_column("officers", "person_index", comment=PERSON)
    op.drop_table("officer_secrets")
    op.drop_table("ticket_keys")
    run("scope")
    run("functions")
