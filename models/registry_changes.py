"""Changes of the registry: old and new, why, on what evidence, by two people; and the documents that prove them.

（第十一条：补贴对象信息不得随意变更）
"""

from datetime import date, datetime
from typing import ClassVar

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY

from models.base import Labelled, Table, column, county_check, division, enum_type, identity, moment
from models.crypto import Sealed


class ChangeKind(Labelled):
    """What a change does to the registry."""

    NEW_HOUSEHOLD = "new_household", "新建户"
    NEW_MEMBER = "new_member", "新增成员"
    HOUSEHOLD = "household", "变更户信息"
    MEMBER = "member", "变更成员信息"
    IDENTITY = "identity", "更正身份信息"
    DEATH = "death", "死亡登记"
    MISSING = "missing", "失踪登记"
    RESTORE = "restore", "恢复正常"
    LEAVE = "leave", "迁出登记"
    HEAD = "head", "变更户主"
    SPLIT = "split", "分户"
    JOIN = "join", "并户"
    MOVE = "move", "转入他户"
    TRANSFER = "transfer", "跨苏木乡镇迁移"
    MERGE = "merge", "合并重复人员"
    ASSET = "asset", "变更生产资料"
    CERTIFICATE = "certificate", "变更证件"
    IMPORT = "import", "批量导入"


PROVEN = frozenset((
    ChangeKind.NEW_HOUSEHOLD, ChangeKind.NEW_MEMBER, ChangeKind.IDENTITY, ChangeKind.DEATH, ChangeKind.MISSING,
    ChangeKind.RESTORE, ChangeKind.MERGE,
))  # fmt: skip
"""What says who exists, who is who and who lives: never on somebody's word alone, a document stands behind it."""


class ChangeStatus(Labelled):
    """The life of a change: nothing of it is true before a second person has approved it."""

    SUBMITTED = "submitted", "待复核"
    APPROVED = "approved", "已批准"
    APPLIED = "applied", "已生效"
    RETURNED = "returned", "已退回"
    WITHDRAWN = "withdrawn", "已撤回"


class RegistryChange(Table, table=True):
    """One change of the registry as a record: what was, what is to be, when it happened, on what evidence."""

    __tablename__ = "registry_changes"
    __title__: ClassVar[str] = "基础信息变更"

    id: int | None = identity()
    division_code: str = division("苏木乡镇")
    county_code: str = division("旗县")
    number: str = column("变更单号", unique=True)
    kind: ChangeKind = column("变更事项", sa_type=enum_type(ChangeKind))
    status: ChangeStatus = column("状态", ChangeStatus.SUBMITTED, sa_type=enum_type(ChangeStatus))
    version: int = column("版本", 1)
    household_id: int | None = column("户", None, sa_type=sa.BigInteger, nullable=True)
    member_id: int | None = column("成员", None, sa_type=sa.BigInteger, nullable=True)
    subject: str = column("对象", "", mask="name", help="户主或成员姓名，页面上脱敏")
    effective_on: date = column("发生日期", help="事实发生的日期，不是办理日期")
    reason: str = column("变更原因")
    fields: list[str] = column("变更项目", sa_type=ARRAY(sa.Text), help="变更的项目名称，不含内容")
    before: str = column("变更前", sa_type=Sealed, help="JSON，加密")
    after: str = column("变更后", sa_type=Sealed, help="JSON，加密")
    row_count: int = column("涉及人数", 1)
    evidence_count: int = column("佐证材料", 0, unit="份")
    prepared_at: datetime = moment("提出时间", ..., nullable=False)
    arrived_at: datetime | None = moment("到达时间")
    applied_at: datetime | None = moment("生效时间")
    applied_in: str = column("生效事务", "", server_default="", help="由触发器写入；只有该事务可写登记信息")
    resume_status: ChangeStatus | None = column(
        "退回前状态", None, sa_type=enum_type(ChangeStatus, "changeresume"), nullable=True
    )
    returned_for: str = column("退回原因", "", server_default="")

    __table_args__ = (
        sa.UniqueConstraint("division_code", "id"),
        sa.Index("ix_registry_changes_status", "division_code", "status"),
        sa.Index("ix_registry_changes_household", "division_code", "household_id"),
        sa.Index("ix_registry_changes_member", "division_code", "member_id"),
        county_check(),
    )


class DocumentKind(Labelled):
    """What an attached document is."""

    ID_CARD = "id_card", "身份证"
    HUKOU = "hukou", "户口簿"
    BIRTH = "birth", "出生医学证明"
    DEATH = "death", "死亡证明"
    LAND = "land", "承包经营权证"
    DISABILITY = "disability", "残疾证"
    BANK_CARD = "bank_card", "社会保障卡"
    POLICE = "police", "公安机关证明"
    STATEMENT = "statement", "本人声明"
    OTHER = "other", "其他"
    POLICY = "policy", "政策文件"
    JOINT = "joint", "联合行文"


OF_PEOPLE = tuple(kind for kind in DocumentKind if kind not in (DocumentKind.POLICY, DocumentKind.JOINT))
"""What proves something about people."""


class Attachment(Table, table=True):
    """A document that proves something about a record; the file itself is an encrypted envelope. （第三十条）"""

    __tablename__ = "attachments"
    __title__: ClassVar[str] = "佐证材料"

    id: int | None = identity()
    division_code: str = division("苏木乡镇")
    county_code: str = division("旗县")
    noun: str = column("对象", help="registry_change、household、member")
    record_id: int = column("记录", sa_type=sa.BigInteger)
    kind: DocumentKind = column("材料种类", sa_type=enum_type(DocumentKind))
    file_id: int = column("文件", sa_type=sa.BigInteger)
    file_name: str = column("文件名")
    media_type: str = column("类型", help="按文件内容识别，不按扩展名")
    size: int = column("大小", unit="字节", sa_type=sa.BigInteger)
    added_by: int = column("上传人", sa_type=sa.BigInteger)
    added_at: datetime = moment("上传时间", ..., nullable=False)

    __table_args__ = (sa.Index("ix_attachments_record", "division_code", "noun", "record_id"), county_check())
