"""Imports of the registry: the file, what was found in it, and the staged rows until they are applied. （第十一条）"""

from datetime import date, datetime
from decimal import Decimal
from typing import Any, ClassVar

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

from models.base import Labelled, Table, column, county_check, division, enum_type, identity, moment
from models.crypto import BlindIndex, Sealed


class ImportSubject(Labelled):
    """What the rows of a file are about."""

    REGISTER = "register", "户和人员登记表"
    HOUSEHOLDS = "households", "户主登记表"
    MEMBERS = "members", "家庭成员登记表"
    ASSETS = "assets", "生产资料登记表"
    ACCOUNTS = "accounts", "一卡通账户登记表"


class RegistryImportStatus(Labelled):
    """Nothing is half-imported: a file is refused whole, or applied whole once a second person agrees."""

    RECEIVED = "received", "检查中"
    COLUMNS = "columns", "待对应列"
    REFUSED = "refused", "有问题未导入"
    CHECKED = "checked", "待提交复核"
    UNCHANGED = "unchanged", "无变动"
    SUBMITTED = "submitted", "待复核"
    APPLIED = "applied", "已导入"
    CANCELLED = "cancelled", "已取消"


class RegistryImport(Table, table=True):
    """One uploaded register of a township: a workbook, a CSV file, or an archive of several."""

    __tablename__ = "registry_imports"
    __title__: ClassVar[str] = "基础信息导入"

    id: int | None = identity()
    division_code: str = division("苏木乡镇")
    county_code: str = division("旗县")
    number: str = column("导入编号", unique=True)
    subject: ImportSubject = column("登记表", sa_type=enum_type(ImportSubject))
    status: RegistryImportStatus = column(
        "状态", RegistryImportStatus.RECEIVED, sa_type=enum_type(RegistryImportStatus)
    )
    file_id: int = column("文件", sa_type=sa.BigInteger)
    file_name: str = column("文件名")
    sha256: str = column("文件摘要")
    column_map: list[dict[str, Any]] = column(
        "列的对应", default_factory=list, sa_type=JSONB, help="每个文件的表头按哪一列读取，不含内容"
    )
    row_count: int = column("行数", 0, unit="行")
    new_household_count: int = column("新建户", 0, unit="户")
    new_member_count: int = column("新增人员", 0, unit="人")
    new_record_count: int = column("新增登记", 0, unit="条", help="生产资料或账户")
    changed_count: int = column("有变动", 0, unit="条")
    unchanged_count: int = column("无变动", 0, unit="条")
    elsewhere_count: int = column("他处登记", 0, unit="人", help="由其他苏木乡镇登记，不导入")
    preview: dict[str, Any] = column(
        "预览", default_factory=dict, sa_type=JSONB, help="分嘎查村的数量和脱敏后的变动，最多 200 条"
    )
    problem_count: int = column("问题数", 0)
    note_count: int = column("提示数", 0)
    problems: list[dict[str, Any]] = column(
        "问题", default_factory=list, sa_type=JSONB, help="最多 500 条，其余见标注文件"
    )
    marked_file_id: int | None = column("标注文件", None, sa_type=sa.BigInteger, nullable=True)
    plan: str = column("写入计划摘要", "", help="复核的内容与写入的内容须一致")
    outcomes: dict[str, Any] = column(
        "逐行结果", default_factory=dict, sa_type=JSONB, help="每个文件一串代码，一行一位，不含内容"
    )
    change_id: int | None = column("变更单", None, sa_type=sa.BigInteger, nullable=True)
    message: str = column("说明", "")
    received_at: datetime = moment("上传时间", ..., nullable=False)
    received_by: int = column("上传人", sa_type=sa.BigInteger)
    applied_at: datetime | None = moment("导入时间")

    __table_args__ = (
        sa.UniqueConstraint("division_code", "id"),
        sa.Index("ix_registry_imports_status", "division_code", "status"),
        sa.Index("ix_registry_imports_change", "change_id"),
        county_check(),
    )


class RegistryImportRow(Table, table=True):
    """One staged row, encrypted, purged once the import has ended.

    No foreign key to the import: a million checks of one and the same row; what an import leaves is purged by sweep.
    """

    __tablename__ = "registry_import_rows"
    __title__: ClassVar[str] = "基础信息导入暂存"

    division_code: str = division("苏木乡镇", primary_key=True)
    import_id: int = column("导入", sa_type=sa.BigInteger, primary_key=True)
    file_number: int = column("文件序号", primary_key=True)
    row_number: int = column("行号", primary_key=True)
    household_number: str = column("户编号", "", help="登记的户编号，或文件中自编的户号", server_default="")
    head_index: bytes | None = column("户主身份证盲索引", None, sa_type=BlindIndex, nullable=True)
    village: str = column("嘎查村", "", server_default="")
    group_name: str = column("村民小组", "", server_default="")
    address: str = column("住址", "", server_default="")
    hukou_kind: str = column("户口性质", "", server_default="")
    name: str = column("姓名", "", server_default="")
    name_key: str = column("姓名比对键", "", server_default="")
    id_number: str | None = column("身份证号", None, sa_type=Sealed, nullable=True)
    id_index: bytes | None = column("身份证盲索引", None, sa_type=BlindIndex, nullable=True)
    birth_date: date | None = column("出生日期", None, nullable=True)
    sex: str = column("性别", "", help="GB/T 2261.1", server_default="")
    relation: str = column("与户主关系", "", help="GB/T 4761", server_default="")
    ethnicity: str = column("民族", "", help="GB/T 3304", server_default="")
    phone: str | None = column("手机号", None, sa_type=Sealed, nullable=True)
    phone_index: bytes | None = column("手机号盲索引", None, sa_type=BlindIndex, nullable=True)
    asset_kind: str = column("种类", "", server_default="")
    quantity: Decimal | None = column("数量", None, sa_type=sa.Numeric(14, 3), nullable=True)
    unit: str = column("单位", "", server_default="")
    as_of: date | None = column("登记日期", None, nullable=True)
    source: str = column("来源", "", server_default="")
    certificate_number: str = column("权证号", "", server_default="")
    account_number: str | None = column("账号", None, sa_type=Sealed, nullable=True)
    account_index: bytes | None = column("账号盲索引", None, sa_type=BlindIndex, nullable=True)
    bank_name: str = column("开户银行", "", server_default="")


class ColumnAlias(Table, table=True):
    """A header that a township's officers have once mapped by hand, remembered for their next files."""

    __tablename__ = "column_aliases"
    __title__: ClassVar[str] = "列名对照"

    division_code: str = division("苏木乡镇", primary_key=True)
    subject: ImportSubject = column("登记表", sa_type=enum_type(ImportSubject, "aliassubject"), primary_key=True)
    label_key: str = column("列名比对键", primary_key=True)
    label: str = column("列名", help="文件中的写法")
    field: str = column("对应的列", help="空为不导入")
    learned_at: datetime = moment("记住时间", ..., nullable=False)
    learned_by: int = column("对应人", sa_type=sa.BigInteger)
