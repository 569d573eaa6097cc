"""Import of the registry from workbooks: the imports, their staged rows, and the headers a township has taught.

Revision ID: 0019
Revises: 0018
"""

from pathlib import Path

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

import models.base
import models.crypto

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

SQL = Path(__file__).parent.parent / "sql"


def run(name: str) -> None:
    """Run a reviewed file as it stands: a driver call, so that neither % nor : is touched."""
    op.get_bind().connection.driver_connection.execute((SQL / f"{name}.sql").read_text())


def _registry_imports() -> None:
    op.create_table(
        "registry_imports",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False, comment="编号"),
        sa.Column("division_code", models.base.DivisionCode(), nullable=False, comment="苏木乡镇"),
        sa.Column("county_code", models.base.DivisionCode(), nullable=False, comment="旗县"),
        sa.Column("number", sa.Text(), nullable=False, comment="导入编号"),
        sa.Column(
            "subject",
            sa.Enum(
                "register",
                "households",
                "members",
                "assets",
                "accounts",
                name="importsubject",
                native_enum=False,
                create_constraint=True,
                length=40,
            ),
            nullable=False,
            comment="登记表",
        ),
        sa.Column(
            "status",
            sa.Enum(
                "received",
                "columns",
                "refused",
                "checked",
                "unchanged",
                "submitted",
                "applied",
                "cancelled",
                name="registryimportstatus",
                native_enum=False,
                create_constraint=True,
                length=40,
            ),
            nullable=False,
            comment="状态",
        ),
        sa.Column("file_id", sa.BigInteger(), nullable=False, comment="文件"),
        sa.Column("file_name", sa.Text(), nullable=False, comment="文件名"),
        sa.Column("sha256", sa.Text(), nullable=False, comment="文件摘要"),
        sa.Column(
            "column_map",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=False,
            comment="列的对应：每个文件的表头按哪一列读取，不含内容",
        ),
        sa.Column("row_count", sa.Integer(), nullable=False, comment="行数（行）"),
        sa.Column("new_household_count", sa.Integer(), nullable=False, comment="新建户（户）"),
        sa.Column("new_member_count", sa.Integer(), nullable=False, comment="新增人员（人）"),
        sa.Column("new_record_count", sa.Integer(), nullable=False, comment="新增登记（条）：生产资料或账户"),
        sa.Column("changed_count", sa.Integer(), nullable=False, comment="有变动（条）"),
        sa.Column("unchanged_count", sa.Integer(), nullable=False, comment="无变动（条）"),
        sa.Column(
            "elsewhere_count", sa.Integer(), nullable=False, comment="他处登记（人）：由其他苏木乡镇登记，不导入"
        ),
        sa.Column(
            "preview",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=False,
            comment="预览：分嘎查村的数量和脱敏后的变动，最多 200 条",
        ),
        sa.Column("problem_count", sa.Integer(), nullable=False, comment="问题数"),
        sa.Column("note_count", sa.Integer(), nullable=False, comment="提示数"),
        sa.Column(
            "problems",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=False,
            comment="问题：最多 500 条，其余见标注文件",
        ),
        sa.Column("marked_file_id", sa.BigInteger(), nullable=True, comment="标注文件"),
        sa.Column("plan", sa.Text(), nullable=False, comment="写入计划摘要：复核的内容与写入的内容须一致"),
        sa.Column(
            "outcomes",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=False,
            comment="逐行结果：每个文件一串代码，一行一位，不含内容",
        ),
        sa.Column("change_id", sa.BigInteger(), nullable=True, comment="变更单"),
        sa.Column("message", sa.Text(), nullable=False, comment="说明"),
        sa.Column("received_at", postgresql.TIMESTAMP(timezone=True), nullable=False, comment="上传时间"),
        sa.Column("received_by", sa.BigInteger(), nullable=False, comment="上传人"),
        sa.Column("applied_at", postgresql.TIMESTAMP(timezone=True), nullable=True, comment="导入时间"),
        sa.CheckConstraint("county_code = left(division_code, 6) || '000000'", name=op.f("ck_registry_imports_county")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_registry_imports")),
        sa.UniqueConstraint("division_code", "id", name=op.f("uq_registry_imports_division_code_id")),
        sa.UniqueConstraint("number", name=op.f("uq_registry_imports_number")),
    )
    op.create_index("ix_registry_imports_change", "registry_imports", ["change_id"], unique=False)
    op.create_index("ix_registry_imports_status", "registry_imports", ["division_code", "status"], unique=False)


def _registry_import_rows() -> None:
    op.create_table(
        "registry_import_rows",
        sa.Column("division_code", models.base.DivisionCode(), nullable=False, comment="苏木乡镇"),
        sa.Column("import_id", sa.BigInteger(), nullable=False, comment="导入"),
        sa.Column("file_number", sa.Integer(), nullable=False, comment="文件序号"),
        sa.Column("row_number", sa.Integer(), nullable=False, comment="行号"),
        sa.Column(
            "household_number",
            sa.Text(),
            server_default="",
            nullable=False,
            comment="户编号：登记的户编号，或文件中自编的户号",
        ),
        sa.Column("head_index", models.crypto.BlindIndex(), nullable=True, comment="户主身份证盲索引"),
        sa.Column("village", sa.Text(), server_default="", nullable=False, comment="嘎查村"),
        sa.Column("group_name", sa.Text(), server_default="", nullable=False, comment="村民小组"),
        sa.Column("address", sa.Text(), server_default="", nullable=False, comment="住址"),
        sa.Column("hukou_kind", sa.Text(), server_default="", nullable=False, comment="户口性质"),
        sa.Column("name", sa.Text(), server_default="", nullable=False, comment="姓名"),
        sa.Column("name_key", sa.Text(), server_default="", nullable=False, comment="姓名比对键"),
        sa.Column("id_number", models.crypto.Sealed(), nullable=True, comment="身份证号"),
        sa.Column("id_index", models.crypto.BlindIndex(), nullable=True, comment="身份证盲索引"),
        sa.Column("birth_date", sa.Date(), nullable=True, comment="出生日期"),
        sa.Column("sex", sa.Text(), server_default="", nullable=False, comment="性别：GB/T 2261.1"),
        sa.Column("relation", sa.Text(), server_default="", nullable=False, comment="与户主关系：GB/T 4761"),
        sa.Column("ethnicity", sa.Text(), server_default="", nullable=False, comment="民族：GB/T 3304"),
        sa.Column("phone", models.crypto.Sealed(), nullable=True, comment="手机号"),
        sa.Column("phone_index", models.crypto.BlindIndex(), nullable=True, comment="手机号盲索引"),
        sa.Column("asset_kind", sa.Text(), server_default="", nullable=False, comment="种类"),
        sa.Column("quantity", sa.Numeric(precision=14, scale=3), nullable=True, comment="数量"),
        sa.Column("unit", sa.Text(), server_default="", nullable=False, comment="单位"),
        sa.Column("as_of", sa.Date(), nullable=True, comment="登记日期"),
        sa.Column("source", sa.Text(), server_default="", nullable=False, comment="来源"),
        sa.Column("certificate_number", sa.Text(), server_default="", nullable=False, comment="权证号"),
        sa.Column("account_number", models.crypto.Sealed(), nullable=True, comment="账号"),
        sa.Column("account_index", models.crypto.BlindIndex(), nullable=True, comment="账号盲索引"),
        sa.Column("bank_name", sa.Text(), server_default="", nullable=False, comment="开户银行"),
        sa.PrimaryKeyConstraint(
            "division_code", "import_id", "file_number", "row_number", name=op.f("pk_registry_import_rows")
        ),
    )


def _column_aliases() -> None:
    op.create_table(
        "column_aliases",
        sa.Column("division_code", models.base.DivisionCode(), nullable=False, comment="苏木乡镇"),
        sa.Column(
            "subject",
            sa.Enum(
                "register",
                "households",
                "members",
                "assets",
                "accounts",
                name="aliassubject",
                native_enum=False,
                create_constraint=True,
                length=40,
            ),
            nullable=False,
            comment="登记表",
        ),
        sa.Column("label_key", sa.Text(), nullable=False, comment="列名比对键"),
        sa.Column("label", sa.Text(), nullable=False, comment="列名：文件中的写法"),
        sa.Column("field", sa.Text(), nullable=False, comment="对应的列：空为不导入"),
        sa.Column("learned_at", postgresql.TIMESTAMP(timezone=True), nullable=False, comment="记住时间"),
        sa.Column("learned_by", sa.BigInteger(), nullable=False, comment="对应人"),
        sa.PrimaryKeyConstraint("division_code", "subject", "label_key", name=op.f("pk_column_aliases")),
    )


def upgrade() -> None:
    """Make the tables, then their policies."""
    _registry_imports()
    _registry_import_rows()
    _column_aliases()
    run("0019_wizard")


def downgrade() -> None:
    """Take it away again."""
    run("0019_wizard_down")
    op.drop_table("column_aliases")
    op.drop_table("registry_import_rows")
    op.drop_table("registry_imports")
