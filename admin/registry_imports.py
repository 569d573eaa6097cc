"""The registry's import wizard: upload → columns → check → preview → second person → result. （第十一条）"""

from collections.abc import Sequence
from typing import Any

from sqladmin import BaseView, expose
from sqlmodel import Session
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from admin import pages
from admin.base import BASE, ConsoleView, Form, Menu, call
from admin.reading import doing, form_of, reading, who
from models.officers import ActingOfficer
from models.registry_changes import RegistryChange
from models.registry_imports import ImportSubject, RegistryImport
from models.registry_imports import RegistryImportStatus as S
from policies.lifecycles import Ask, Desk
from policies.permissions import Permission as P
from policies.refusals import Refused
from reports.sheets.registry_templates import TEMPLATES
from workflows import registry_import_files, registry_imports
from workflows.files import Download

KEEPER, HEAD = Desk.TOWNSHIP_KEEPER.seats, Desk.TOWNSHIP_HEAD.seats
SUBJECTS = tuple((str(subject), subject.label) for subject in ImportSubject)
SUBJECT = Ask("subject", "登记表", "choice", choices=SUBJECTS)
MAPPABLE = (S.COLUMNS, S.REFUSED, S.CHECKED, S.UNCHANGED)


def receive(
    session: Session, *, by: ActingOfficer, subject: str, file: tuple[str, bytes]
) -> RegistryImport:  # fmt: skip
    """Receive the uploaded register."""
    name, content = file
    return registry_imports.receive(session, by=by, subject=ImportSubject(subject), file_name=name, content=content)


def empty(session: Session, *, by: ActingOfficer, subject: str) -> Download:
    """Return the empty workbook of a register."""
    return registry_import_files.empty_template(session, ImportSubject(subject), by=by)


def filled(session: Session, *, by: ActingOfficer, subject: str, reason: str) -> Download:
    """Return the township's own registry as a workbook."""
    return registry_import_files.filled_template(session, by=by, subject=ImportSubject(subject), reason=reason)


class RegistryImportView(ConsoleView, model=RegistryImport):
    """基础信息导入。"""

    category, icon = Menu.REGISTRY, "fa-solid fa-file-import"
    permission = P.REGISTRY_CHANGE_VIEW
    column_list = [
        "number", "division_code", "subject", "file_name", "row_count", "new_member_count", "changed_count",
        "problem_count", "status", "received_at",
    ]  # fmt: skip
    headline = (
        "subject", "file_name", "row_count", "new_household_count", "new_member_count", "new_record_count",
        "changed_count", "unchanged_count", "elsewhere_count", "received_at", "applied_at",
    )  # fmt: skip
    search_text = ("number", "file_name")
    filters = ("status", "subject")
    record_template = "registry_import"
    column_details_list = [
        "number", "division_code", "subject", "status", "file_name", "problem_count", "note_count", "message",
        "received_at", "applied_at",
    ]  # fmt: skip
    forms = (
        Form(
            "new",
            "导入登记表",
            P.REGISTRY_CHANGE_PROPOSE,
            receive,
            (
                SUBJECT,
                Ask("file", "文件", "file", help="Excel 工作簿（.xlsx、.xls）、CSV，或装有多个文件的 .zip；按列名识别"),
            ),
            consequence="上传后在后台检查并列出新增、变动和他处登记；确认无误后提交负责人复核，复核前不改变任何登记信息。",
            seats=KEEPER,
        ),
        Form(
            "template",
            "下载空白登记表",
            P.REGISTRY_CHANGE_PROPOSE,
            empty,
            (SUBJECT,),
            consequence="列、下拉选项和填写说明由登记项目生成；第一行示例不读取。",
            seats=KEEPER,
        ),
        Form(
            "filled",
            "下载当前登记",
            P.REGISTRY_CHANGE_PROPOSE,
            filled,
            (
                SUBJECT,
                Ask("reason", "下载事由", help="含完整个人信息；事由、条数和文件摘要将被记录，供监督检查"),
                Ask("password", "登录口令（导出完整信息前复核身份）", kind="password"),
            ),
            consequence="把本乡镇当前登记的内容下载为登记表，修改后原表上传即为批量变更；没有修改的行不产生变动（第三十条）。",
            seats=KEEPER,
        ),
        Form(
            "submit",
            "提交复核",
            P.REGISTRY_CHANGE_PROPOSE,
            call("registry_imports", "submit"),
            (Ask("reason", "变更原因", help="如“首次建档”“2026 年土地确权成果更新”"),),
            consequence="整份登记表作为一张变更单交负责人复核；复核同意后一次写入，不会只写入一半（第十一条）。",
            on_record=True,
            statuses=(S.CHECKED,),
            seats=KEEPER,
        ),
        Form(
            "discard",
            "放弃导入",
            P.REGISTRY_CHANGE_PROPOSE,
            call("registry_imports", "discard"),
            consequence="暂存的内容立即清除，登记信息没有变动。",
            on_record=True,
            statuses=(S.COLUMNS, S.CHECKED),
            seats=KEEPER,
        ),
        Form(
            "marked",
            "下载标注文件",
            P.REGISTRY_CHANGE_PROPOSE,
            call("registry_import_files", "marked_file"),
            consequence="有问题的单元格已着色并批注，问题清单在第一张工作表；文件含完整个人信息，请妥善保管。",
            on_record=True,
            statuses=(S.REFUSED,),
            seats=KEEPER,
        ),
        Form(
            "check-again",
            "重新检查",
            P.REGISTRY_CHANGE_PROPOSE,
            call("registry_imports", "check_again"),
            consequence="按基础信息库的当前内容重新检查同一文件。",
            on_record=True,
            statuses=(S.CHECKED, S.UNCHANGED, S.REFUSED),
            seats=KEEPER,
        ),
        Form(
            "result",
            "下载逐行结果",
            P.REGISTRY_CHANGE_PROPOSE,
            call("registry_import_files", "result_file"),
            consequence="上传的文件附每一行的导入结果；文件含完整个人信息，请妥善保管。",
            on_record=True,
            statuses=(S.APPLIED,),
            seats=KEEPER,
        ),
        Form(
            "source",
            "下载待复核的文件",
            P.REGISTRY_CHANGE_APPROVE,
            call("registry_import_files", "source_file"),
            consequence="复核前核对原始文件；文件含完整个人信息，请妥善保管。",
            on_record=True,
            statuses=(S.SUBMITTED,),
            seats=HEAD,
        ),
    )

    def extra(self, session: Session, record: Any, by: ActingOfficer, granted: frozenset[str]) -> dict[str, Any]:
        """Return the job whose progress the page shows, the change, and whether columns can be mapped."""
        change = session.get(RegistryChange, record.change_id) if record.change_id else None
        titles = {one.name: one.title for one in TEMPLATES[record.subject].fields}
        mappable = P.REGISTRY_CHANGE_PROPOSE in granted and KEEPER(by) and record.status in MAPPABLE
        return {
            "job": registry_imports.job_of(session, record), "change": change, "titles": titles,
            "mappable": mappable and bool(record.column_map),
        }  # fmt: skip


class RegistryColumnsView(BaseView):
    """Which header stands for which column, said by hand and remembered."""

    name, category = "对应列", ""
    permission, lifecycle = P.REGISTRY_CHANGE_PROPOSE, None

    @expose("/registry-import/columns/{key}", identity="registry-columns")
    async def ask(self, request: Request) -> Response:
        """Ask for each header of the upload."""
        return await self._page(request)

    @expose("/registry-import/columns/{key}", methods=["POST"], identity="registry-columns-do")
    async def do(self, request: Request) -> Response:
        """Remember the headers and check again."""
        view, by = _view(request), who(request)
        key, form = request.path_params["key"], form_of(request)

        def work(session: Session) -> RegistryImport:
            record: RegistryImport = view.find(session, by, key)
            labels = labels_of(record)
            chosen = {label: str(form.get(f"column-{place}", "")) for place, (label, *_) in enumerate(labels)}
            return registry_imports.map_columns(session, record, by=by, columns=chosen)

        try:
            record = await doing(by, "map_columns", key, work)
        except Refused as refusal:
            return await self._page(request, refusal)
        return RedirectResponse(view.url_of(record), status_code=303)

    async def _page(self, request: Request, refusal: Refused | None = None) -> Response:
        view, by = _view(request), who(request)
        record = await reading(lambda session: view.find(session, by, request.path_params["key"]))
        if record.status not in MAPPABLE or not KEEPER(by):
            raise HTTPException(403, f"该导入当前状态为“{record.status.label}”，或您的岗位不能对应列（第十一条）。")
        labels, typed = labels_of(record), form_of(request) if refusal else {}
        return await pages.render(
            request, "registry_columns", 200 if refusal is None else refusal.status_code, view=view, record=record,
            title="对应列", message=str(refusal or ""), labels=labels,
            chosen={one[0]: typed.get(f"column-{place}", one[2]) for place, one in enumerate(labels)},
            fields=[(one.name, one.title, one.required) for one in TEMPLATES[record.subject].fields],
            back=view.url_of(record), action=f"{BASE}/registry-import/columns/{record.id}",
        )  # fmt: skip


def _view(request: Request) -> ConsoleView:
    view: ConsoleView = request.app.state.console.view_of("registry-import")
    if P.REGISTRY_CHANGE_PROPOSE not in view.granted(request):
        raise HTTPException(403, "您当前的岗位不能导入基础信息（第十一条）。")
    return view


def labels_of(record: RegistryImport) -> Sequence[tuple[str, str, str]]:
    """Return the upload's headers once each, those nobody knows first: as written, where first met, read as what."""
    found: dict[str, tuple[str, str, str]] = {}
    for part in record.column_map:
        for one in part["columns"]:
            where = f"{part['file']} {part['sheet']} {one['letter']}{part['row']}"
            found.setdefault(one["label"], (one["label"], where, one["field"]))
    return sorted(found.values(), key=lambda one: bool(one[2]))
