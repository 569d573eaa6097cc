"""Rosters, their lines, warnings and objections. （第十六至十八条）"""

from dataclasses import replace
from typing import Any, ClassVar

from sqlmodel import Session

from admin.base import ConsoleView, Form, Menu, Related, call
from admin.open_warnings import blue_rules, open_lights, open_rules
from admin.reading import who
from admin.roster_line_form import QUANTITY, REASON, STANDARD, asked, correct, own_columns, present
from admin.substep_form import substep_form
from models.bank_batches import Disbursement
from models.failures import Failure
from models.flows import RosterSubstep
from models.notices import Notice, Objection, ObjectionStatus
from models.officers import ActingOfficer
from models.qualifications import RosterGeneration
from models.rosters import LineState, Roster, RosterLine, RosterStatus
from models.warnings import Light, RosterWarning
from policies.lifecycles import Ask, Desk, Step
from policies.lifecycles.rosters import ROSTER_LIFECYCLE
from policies.notices import columns_shown
from policies.permissions import Permission as P
from workflows.payment_orders import DRAFTABLE
from workflows.roster_lines import EDITABLE

SUBSTEPS = ("substep", "substep-bare")
REVEAL_REASON = Ask("reason", "查看事由", help="将记入明文查看记录，供监督检查")
EXPLANATION = Ask("text", "说明", help="写明核实情况和依据，随清册进入下一步审核（第十八条）")


class RosterView(ConsoleView, model=Roster):
    """发放清册。"""

    category, icon = Menu.ROSTERS, "fa-solid fa-list-check"
    permission = P.ROSTER_VIEW
    lifecycle, verbs = ROSTER_LIFECYCLE, "workflows.rosters"
    column_list = ["number", "project_name", "township", "period", "line_count", "amount_fen", "status", "due_on"]
    headline = ("project_name", "township", "period", "line_count", "amount_fen", "paid_fen")
    search_text = ("number", "project_name", "township")
    filters = ("status",)
    total = "amount_fen"
    related = (
        Related(
            "明细",
            RosterLine,
            "roster_id",
            ("sequence", "village", "name", "id_number", "quantity", "standard", "amount_fen", "payee_name")
            + ("account_number", "identity_outcome", "account_state", "state"),
            P.ROSTER_VIEW,
            link="roster-line",
            order="sequence",
            total="amount_fen",
            further=own_columns,
        ),
        Related(
            "预警",
            RosterWarning,
            "roster_id",
            ("light", "line_sequence", "rule_name", "message", "gate", "explanation", "explained_by", "live"),
            P.WARNING_VIEW,
            link="roster-warning",
            order="line_sequence",
        ),
        Related(
            "公示",
            Notice,
            "roster_id",
            ("round", "mode", "statement", "published_at", "ends_at", "line_count"),
            P.NOTICE_VIEW,
            link="notice",
            order="-round",
        ),
        Related(
            "异议",
            Objection,
            "roster_id",
            ("line_sequence", "text", "received_at", "status", "answer", "settled_at"),
            P.NOTICE_VIEW,
            link="objection",
            order="-id",
        ),
        Related(
            "流程子环节",
            RosterSubstep,
            "roster_id",
            ("name", "kind", "officer_name", "post", "note", "taken_at"),
            P.ROSTER_VIEW,
            order="-id",
            together=True,
        ),
        Related(
            "由名册造册",
            RosterGeneration,
            "roster_id",
            ("received_at", "period", "line_count", "joined_count", "left_count", "skipped_count"),
            P.ROSTER_VIEW,
            link="roster-generation",
            together=True,
        ),
        Related(
            "发放",
            Disbursement,
            "roster_id",
            ("line_sequence", "payee_name", "account_number", "amount_fen", "attempt", "status", "reason"),
            P.ROSTER_VIEW,
            order="line_sequence",
            total="amount_fen",
        ),
        Related(
            "发放失败",
            Failure,
            "roster_id",
            ("line_sequence", "name", "amount_fen", "failure_class", "reason", "route", "status", "due_on"),
            P.FAILURE_VIEW,
            link="failure",
            order="line_sequence",
            total="amount_fen",
        ),
    )
    forms = (
        Form(
            "check",
            "核查",
            P.ROSTER_CHECK,
            call("checks", "start_check"),
            on_record=True,
            statuses=EDITABLE,
            consequence="后台核查全部明细：公安联网核查、账户验证、预警规则；完成后在本页查看结果（第十六条）。",
        ),
        Form(
            "explain-rule",
            "按规则说明预警",
            P.WARNING_EXPLAIN,
            call("warnings", "explain_rule"),
            (Ask("rule_code", "规则", "choice"), EXPLANATION),
            (("rule_code", open_rules),),
            consequence="同一规则下尚未说明的预警一并填写同一说明。",
            where=open_lights(Light.YELLOW, Light.BLUE),
            tab="roster_warnings",
            on_record=True,
        ),
        Form(
            "acknowledge-rule",
            "按规则核实蓝灯",
            P.WARNING_EXPLAIN,
            call("warnings", "acknowledge_rule"),
            (Ask("rule_code", "规则", "choice"),),
            (("rule_code", blue_rules),),
            consequence="经办人员核实后，符合有关政策要求的可继续办理（第十八条）。",
            where=open_lights(Light.BLUE),
            tab="roster_warnings",
            on_record=True,
        ),
        Form(
            "object",
            "登记异议",
            P.NOTICE_OBJECT,
            call("notices", "object_"),
            (Ask("line_sequence", "涉及序号", "integer", required=False), Ask("text", "异议内容")),
            consequence="异议处理完毕前，清册不能继续办理（第十六条第三项）。",
            tab="objections",
            on_record=True,
            statuses=(RosterStatus.ON_NOTICE,),
        ),
        substep_form("substep", Ask("note", "意见", help="抽查的，写明逐笔核查的方式和结果")),
        substep_form("substep-bare", Ask("note", "意见", required=False)),
        Form(
            "draft-orders",
            "生成资金支付单",
            P.ORDER_DRAFT,
            call("payment_orders", "draft_for_roster"),
            consequence="按“预算指标×代发户”拆分支付单并占用指标（第十九条），由本部门审核岗复核。",
            on_record=True,
            statuses=DRAFTABLE,
        ),
    )

    def steps(self, request: Any, record: Any) -> list[Step]:
        """Return the steps; while a sub-step of the flow is open, it and not the desk's own step comes first."""
        steps = super().steps(request, record)
        return [replace(step, forward=False) for step in steps] if record.substep_desk else steps

    def offered(self, request: Any, record: Any = None) -> list[Form]:
        """Return the forms; the flow's sub-step by its own name, for the desk that takes it. （第二十四条）"""
        desk = Desk(record.substep_desk) if record is not None and record.substep_desk else None
        seated = desk is not None and desk.seats(who(request))
        return [
            replace(form, label=record.substep_name) if form.slug in SUBSTEPS else form
            for form in super().offered(request, record)
            if form.slug not in SUBSTEPS or (seated and form.slug == SUBSTEPS[not record.substep_note])
        ]


class RosterLineView(ConsoleView, model=RosterLine):
    """清册明细。"""

    permission = P.ROSTER_VIEW
    title_field = "sequence"
    column_list = ["sequence", "village", "name", "id_number", "amount_fen", "account_number", "state"]
    headline = ("sequence", "name", "id_number", "amount_fen", "account_number", "state")
    filters = ("state",)
    total = "amount_fen"
    order = ("-roster_id", "sequence")
    noun: ClassVar[str] = "roster_line"
    forms = (
        Form(
            "reveal",
            "查看完整信息",
            P.MEMBER_REVEAL,
            call("reveals", "reveal_line"),
            (REVEAL_REASON,),
            consequence="显示完整信息一次，查看人、时间和事由将被记录（第三十条）。",
            on_record=True,
        ),
        Form(
            "stop",
            "停发",
            P.ROSTER_EDIT,
            call("roster_lines", "stop"),
            (REASON,),
            consequence="该明细不再发放；停发红灯明细后，清册其余部分可继续办理（第十六条第一项、第十八条）。",
            on_record=True,
        ),
        Form(
            "hold",
            "缓发",
            P.ROSTER_EDIT,
            call("roster_lines", "hold"),
            (REASON,),
            consequence="该明细移出本期，核实更正后再重新造册（第二十一条第一项）。",
            on_record=True,
        ),
        Form(
            "release",
            "恢复",
            P.ROSTER_EDIT,
            call("roster_lines", "release_line"),
            (REASON,),
            consequence="该明细恢复正常，随清册发放。",
            on_record=True,
        ),
        Form(
            "change-amount",
            "更正",
            P.ROSTER_EDIT,
            correct,
            (QUANTITY, STANDARD, REASON),
            asked=asked,
            present=present,
            consequence="金额按项目的公式重新计算；公示内容有变的，须重新公示并由负责人再次审核（第十六条第三项）。",
            on_record=True,
        ),
    )

    def url_of(self, record: Any) -> str:
        """Return the roster's page: a line has no page of its own."""
        return f"/console/roster/details/{record.roster_id}?tab=roster_lines"

    def offered(self, request: Any, record: Any = None) -> list[Form]:
        """Return what can be done with a line in its state, while the roster is with the township."""
        states = {
            "stop": (LineState.ACTIVE, LineState.HELD),
            "hold": (LineState.ACTIVE,),
            "change-amount": (LineState.ACTIVE,),
        }
        away = (LineState.HELD, LineState.STOPPED)
        return [
            form
            for form in super().offered(request, record)
            if record is not None and record.state in states.get(form.slug, away)
        ]


class RosterWarningView(ConsoleView, model=RosterWarning):
    """预警。"""

    permission = P.WARNING_VIEW
    title_field = "rule_name"
    column_list = ["light", "rule_name", "line_sequence", "message", "explanation", "live"]
    headline = ("light", "rule_name", "message", "line_sequence")
    filters = ("light",)
    forms = (
        Form(
            "explain",
            "说明",
            P.WARNING_EXPLAIN,
            call("warnings", "explain"),
            (EXPLANATION,),
            consequence="黄灯须说明、蓝灯须核实；说明随清册进入下一步审核（第十八条）。",
            on_record=True,
        ),
        Form(
            "acknowledge",
            "核实",
            P.WARNING_EXPLAIN,
            call("warnings", "acknowledge"),
            consequence="经办人员核实后，符合有关政策要求的可继续办理（第十八条）。",
            on_record=True,
        ),
    )

    def url_of(self, record: Any) -> str:
        """Return the roster's page with its warnings."""
        return f"/console/roster/details/{record.roster_id}?tab=roster_warnings"

    def row_links(self, request: Any, row: Any) -> list[tuple[str, str]]:
        """Return words for yellow and blue, deeds for red: its line can be stopped or held."""
        deeds = row.live and row.light == Light.RED and P.ROSTER_EDIT in self.granted(request)
        line = f"/console/roster-line/form/{{}}?pk={row.line_id}"
        return (
            [("停发", line.format("stop")), ("缓发", line.format("hold"))] if deeds else super().row_links(request, row)
        )

    def offered(self, request: Any, record: Any = None) -> list[Form]:
        """Return what can be said to a live warning; a red one asks for deeds, not words."""
        speakable = record is not None and record.live and record.light != Light.RED and not record.explanation
        wanted = ("explain", "acknowledge") if speakable and record.light == Light.BLUE else ("explain",)
        return [form for form in super().offered(request, record) if speakable and form.slug in wanted]


class NoticeView(ConsoleView, model=Notice):
    """公示：就是公众看到的那份，内容已固定。"""

    permission = P.NOTICE_VIEW
    column_list = ["round", "mode", "published_at", "ends_at", "line_count"]
    title_field = "round"
    headline = ("round", "mode", "statement", "published_at", "ends_at", "line_count")
    noun = "notice"
    record_template = "notice"

    def extra(self, session: Session, record: Any, by: ActingOfficer, granted: frozenset[str]) -> dict[str, Any]:
        """Return the columns of the notice: those that the project's version let be read. （第十五条）"""
        return {"columns": columns_shown(record.content)}

    def row_links(self, request: Any, row: Any) -> list[tuple[str, str]]:
        """Return the way to the notice as the public reads it."""
        return [("公示内容", self.url_of(row))]


class ObjectionView(ConsoleView, model=Objection):
    """公示异议。"""

    permission = P.NOTICE_VIEW
    title_field = "line_sequence"
    column_list = ["line_sequence", "text", "received_at", "status", "answer"]
    headline = ("text", "line_sequence", "received_at")
    filters = ("status",)
    forms = (
        Form(
            "settle",
            "处理",
            P.NOTICE_SETTLE,
            call("notices", "settle"),
            (Ask("answer", "处理意见"),),
            on_record=True,
            statuses=(ObjectionStatus.OPEN,),
        ),
    )

    def url_of(self, record: Any) -> str:
        """Return the roster's page with its objections."""
        return f"/console/roster/details/{record.roster_id}?tab=objections"
