"""The catalogue: subsidy projects, their standards, notice periods and budget links. （第六至十条）"""

from datetime import date, datetime
from decimal import Decimal
from typing import Any, ClassVar

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

from models.base import Labelled, RowScope, Table, column, division, enum_type, identity, moment


class PolicyLevel(Labelled):
    """Whose policy a subsidy is; central policies have no division of their own here. （第六条）"""

    CENTRAL = "central", "中央"
    REGION = "region", "自治区"
    LEAGUE = "league", "盟市"
    COUNTY = "county", "旗县（市、区）"


class ProjectStatus(Labelled):
    """Whether rosters may be made for a project."""

    ADMITTED = "admitted", "在库"
    STOPPED = "stopped", "停用"


class NoticeStage(Labelled):
    """The stage a public notice belongs to (第十五条、第十六条第三项)."""

    ROSTER = "roster", "发放清册公示"
    ELIGIBILITY = "eligibility", "资格公示"


class StandardStatus(Labelled):
    """The life of one dated standard: proposed by a clerk, in force once its reviewer has confirmed it."""

    PROPOSED = "proposed", "待审核"
    IN_FORCE = "in_force", "执行中"
    ENDED = "ended", "已定止期"
    DISCARDED = "discarded", "未执行"


class SubsidyProject(Table, table=True):
    """One subsidy of the catalogue, owned by the division whose policy it is."""

    __tablename__ = "subsidy_projects"
    __row_scope__: ClassVar[RowScope] = RowScope.DOWNWARD
    __title__: ClassVar[str] = "补贴项目"

    id: int | None = identity()
    division_code: str = division("所属区划")
    code: str = column("项目编码", unique=True)
    name: str = column("项目名称")
    short_name: str = column("简称", "")
    sector: str = column("主管领域", help="农牧、民政等")
    domain: str = column("领域", "", help="通报分组：农业、牧业、林业、社会保障等")
    policy_level: PolicyLevel = column("政策级次", sa_type=enum_type(PolicyLevel))
    funding_object: str = column("补贴对象", "", help="户或人")
    unit: str = column("计量单位", "")
    period_kind: str = column("发放周期", "")
    standard_note: str = column("标准说明", "")
    exclusions_note: str = column("互斥说明", "")
    eligibility: str = column("申领条件", "")
    gov_eco_code: str = column("政府经济分类", "")
    names_shown: bool = column("公示姓名", True, help="不宜公开的项目公示时隐去姓名")
    sheet_kind: str = column("清册样式", "generic", help="land：耕地地力样式；generic：通用样式")
    status: ProjectStatus = column("状态", ProjectStatus.ADMITTED, sa_type=enum_type(ProjectStatus))
    source: str = column("资料来源", "")
    project_version: int = column("版本", 1, server_default="1", help="project_versions 中现行的版本号")
    definition: dict[str, Any] = column(
        "项目定义",
        default_factory=dict,
        sa_type=JSONB,
        server_default=sa.text("'{}'"),
        help="现行版本的内容，见 policies/definitions.py",
    )
    stopped_on: date | None = column("停用日期", None, nullable=True, help="自该日起不再造新的清册，已造清册继续办理")


class ProjectVersion(Table, table=True):
    """One version of a project, frozen: what rosters made under it follow for ever. （第七条、第九条）"""

    __tablename__ = "project_versions"
    __row_scope__: ClassVar[RowScope] = RowScope.DOWNWARD
    __title__: ClassVar[str] = "项目版本"

    id: int | None = identity()
    division_code: str = division("所属区划")
    project_id: int = column("补贴项目", sa_type=sa.BigInteger, foreign_key="subsidy_projects.id")
    sector: str = column("主管领域")
    number: int = column("版本号")
    definition: dict[str, Any] = column("项目定义", sa_type=JSONB)
    digest: str = column("内容摘要", help="项目定义的 SHA-256")
    basis: str = column("依据", "", help="申请表编号，初始版本为资料来源")
    effective_on: date = column("生效日期")
    made_at: datetime = moment("形成时间", ..., nullable=False)

    __table_args__ = (
        sa.UniqueConstraint("project_id", "number"),
        sa.Index(
            "ix_project_versions_exclusions",
            sa.text("(definition -> 'exclusions')"),
            postgresql_using="gin",
        ),
    )


class ProjectStandard(Table, table=True):
    """The dated standard of a project in one division, yuan with 4 decimals. （第八条）"""

    __tablename__ = "project_standards"
    __row_scope__: ClassVar[RowScope] = RowScope.DOWNWARD
    __title__: ClassVar[str] = "补贴标准"

    id: int | None = identity()
    division_code: str = division("适用区划")
    project_id: int = column("补贴项目", sa_type=sa.BigInteger, foreign_key="subsidy_projects.id", index=True)
    standard_yuan: Decimal = column("标准", unit="元", sa_type=sa.Numeric(14, 4))
    valid_from: date = column("执行起")
    valid_to: date | None = column("执行止", None, nullable=True)
    document: str = column("政策文件", "")
    grade: str = column("档次", "", server_default="", help="A 类、B 类等；不分档的为空")
    status: StandardStatus = column(
        "状态", StandardStatus.IN_FORCE, sa_type=enum_type(StandardStatus), server_default="in_force"
    )
    basis: str = column("依据", "", server_default="", help="申请表编号，或拟定时的说明")
    sector: str = column("主管领域", "", server_default="", help="由数据库按项目填写")
    project_name: str = column("补贴项目名称", "", server_default="", help="由数据库按项目填写")
    version: int = column("版本", 1, server_default="1")
    arrived_at: datetime | None = moment("到达时间")

    __table_args__ = (sa.Index("ix_project_standards_status", "division_code", "status"),)


class NoticePeriod(Table, table=True):
    """How long a county department posts a notice, per project and stage; none set means refused. （第十五条）"""

    __tablename__ = "notice_periods"
    __row_scope__: ClassVar[RowScope] = RowScope.DOWNWARD
    __title__: ClassVar[str] = "公示期"

    id: int | None = identity()
    division_code: str = division("旗县")
    project_id: int = column("补贴项目", sa_type=sa.BigInteger, foreign_key="subsidy_projects.id")
    stage: NoticeStage = column("公示环节", NoticeStage.ROSTER, sa_type=enum_type(NoticeStage))
    notice_days: int = column("公示天数", unit="自然日")

    __table_args__ = (
        sa.UniqueConstraint("division_code", "project_id", "stage"),
        sa.CheckConstraint("notice_days between 1 and 60", name="days"),
    )


class ProjectLink(Table, table=True):
    """Which budget project pays a subsidy project in a county, in draw-down order. （第十条）"""

    __tablename__ = "project_links"
    __row_scope__: ClassVar[RowScope] = RowScope.RANGE
    __title__: ClassVar[str] = "预算项目对应"

    id: int | None = identity()
    division_code: str = division("旗县")
    project_id: int = column("补贴项目", sa_type=sa.BigInteger, foreign_key="subsidy_projects.id")
    pro_code: str = column("预算项目代码", help="一体化系统21位代码")
    priority: int = column("支用顺序", 1)

    __table_args__ = (
        sa.UniqueConstraint("division_code", "project_id", "pro_code"),
        sa.Index("ix_project_links_pro_code", "division_code", "pro_code"),
        sa.Index("ix_project_links_suffix", sa.text("substr(pro_code, 9)")),
        sa.CheckConstraint("pro_code ~ '^[0-9]{8}[0-9A-Z]{13}$'", name="pro_code"),
    )
