"""Bulletins: figures asked of the journal, frozen with a digest. （第三十三条）"""

from datetime import date, datetime
from typing import Any, ClassVar

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

from models.base import Table, column, division, fen, identity, moment


class Bulletin(Table, table=True):
    """One bulletin as made: parameters, figures, digest and file."""

    __tablename__ = "bulletins"
    __title__: ClassVar[str] = "通报"

    id: int | None = identity()
    division_code: str = division()
    number: str = column("通报编号", unique=True)
    family: str = column("通报种类")
    title: str = column("标题")
    date_from: date = column("期间起")
    date_to: date = column("期间止")
    figures: dict[str, Any] = column("数据", default_factory=dict, sa_type=JSONB)
    paid_count: int = column("成功笔数", 0, unit="笔")
    paid_fen: int = fen("已发金额", 0)
    digest: str = column("数据摘要")
    file_id: int | None = column("文件", None, sa_type=sa.BigInteger, nullable=True)
    prepared_at: datetime = moment("生成时间", ..., nullable=False)
    prepared_by: str = column("生成人", "")
