"""What a form's fields say, read by the kind of their question; a password is checked here and goes no further."""

from collections.abc import Callable
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any

import anyio
from starlette.datastructures import FormData, UploadFile
from starlette.requests import Request

from admin.reading import as_nobody, coming, form_of
from models.registry_changes import DocumentKind
from policies.lifecycles import Ask
from policies.refusals import ReasonMissing, Refused
from workflows import logins
from workflows.attachments import Evidence
from workflows.edges import note_refusal

LARGEST = Decimal(10) ** 8
"""More than any quantity or standard: beyond it stands a typing error."""

EVIDENCE_ROWS = 3
"""Documents of so many kinds at once; each kind takes several pages."""

ROW_DIGITS = 18

ARGON = anyio.CapacityLimiter(2)
"""Argon2 is slow on purpose: never more than two at once, never on the event loop."""


async def answers_of(request: Request, step: str, asks: tuple[Ask, ...]) -> dict[str, Any]:
    """Return the verb's keywords from the form; a password is checked here and goes no further.

    Raises ReasonMissing, PasswordWrong, AccountLocked.
    """
    form = form_of(request)
    answers: dict[str, Any] = {}
    for ask in asks:
        if ask.kind == "password":
            await reauthenticate(request, str(form.get(ask.name, "")), str(form.get(f"{ask.name}_code", "")))
        else:
            answers[ask.name] = await _answer(form, step, ask)
    return answers


async def _answer(form: FormData, step: str, ask: Ask) -> Any:
    if ask.kind == "evidence":
        return await _evidence(form, step, ask)
    if ask.kind in _GROUPS:
        return _GROUPS[ask.kind](form, step, ask)
    value = form.get(ask.name)
    if value is not None and isinstance(value, UploadFile) != (ask.kind == "file"):  # words for a file or the reverse
        raise ReasonMissing(step=step, field=ask.label)
    if isinstance(value, UploadFile):
        content = await value.read()
        if ask.required and not content:
            raise ReasonMissing(step=step, field=ask.label)
        return (value.filename or "", content)
    if ask.kind == "checkbox":
        if ask.required and value != "yes":
            raise ReasonMissing(step=step, field=ask.label)
        return value == "yes"
    text = (value or "").strip().replace("\x00", "")
    if ask.required and not text:
        raise ReasonMissing(step=step, field=ask.label)
    if ask.kind in _READERS:
        return _read(text, step, ask) if text else None
    if ask.kind == "choice" and ask.choices and text and text not in dict(ask.choices):
        raise ReasonMissing(step=step, field=ask.label)
    return text


def _several(form: FormData, step: str, ask: Ask) -> list[str]:
    chosen = [str(item) for item in form.getlist(ask.name) if str(item) in dict(ask.choices)]
    if ask.required and not chosen:
        raise ReasonMissing(step=step, field=ask.label)
    return chosen


def _rows(form: FormData, step: str, ask: Ask) -> list[int]:
    """Return the records that were ticked, by number."""
    chosen = [_row(str(item), step, ask) for item in form.getlist(ask.name)]
    if ask.required and not chosen:
        raise ReasonMissing(step=step, field=ask.label)
    return chosen


def _each(form: FormData, step: str, ask: Ask) -> dict[int, str]:
    """Return what was chosen for every record: fields named after the question and the record's number."""
    chosen = {
        _row(name.removeprefix(f"{ask.name}."), step, ask): str(value)
        for name, value in form.multi_items()
        if name.startswith(f"{ask.name}.") and value
    }
    if (ask.required and not chosen) or not set(chosen.values()) <= set(dict(ask.choices)):
        raise ReasonMissing(step=step, field=ask.label)
    return chosen


def _row(text: str, step: str, ask: Ask) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= ROW_DIGITS):
        raise ReasonMissing(step=step, field=ask.label)
    return int(text)


async def _evidence(form: FormData, step: str, ask: Ask) -> tuple[Evidence, ...]:
    """Return the documents that were uploaded, each with its kind; what they are is told by their content."""
    found = []
    for row in range(1, EVIDENCE_ROWS + 1):
        kind = str(form.get(f"{ask.name}_kind.{row}", ""))
        for upload in form.getlist(f"{ask.name}.{row}"):
            if not isinstance(upload, UploadFile) or (kind and kind not in set(DocumentKind)):
                raise ReasonMissing(step=step, field=ask.label)
            content = await upload.read()
            if content or upload.filename:
                found.append(Evidence(upload.filename or "", content, DocumentKind(kind or DocumentKind.OTHER)))
    if ask.required and not found:
        raise ReasonMissing(step=step, field=ask.label)
    return tuple(found)


_GROUPS: dict[str, Callable[[FormData, str, Ask], Any]] = {"choices": _several, "rows": _rows, "each": _each}

_READERS: dict[str, Callable[[str], Any]] = {
    "number": Decimal,
    "integer": int,
    "row": lambda text: int(text) if len(text) <= ROW_DIGITS else int(""),
    "date": date.fromisoformat,
}


def _read(text: str, step: str, ask: Ask) -> Any:
    try:
        value = _READERS[ask.kind](text)
        if isinstance(value, Decimal) and not (value.is_finite() and abs(value) < LARGEST):
            raise ValueError(ask.name)
        return value
    except (InvalidOperation, ValueError) as wrong:
        form = "日期，如 2024-05-01" if ask.kind == "date" else "数字"
        raise ReasonMissing(step=step, field=f"{ask.label}（须为{form}）") from wrong


async def reauthenticate(request: Request, password: str, code: str = "") -> None:
    """Ask who is at the screen before money, policies or personal data move; a code too when the last one is old.

    （第二十条、第二十三条、第三十条） Raises PasswordWrong, AccountLocked.
    """
    mine, token = coming(request), request.scope["token"]
    by = mine.officer
    asked = code[:32] if mine.code_due else None
    candidate = await as_nobody(lambda session: logins.look_up_session(session, token))
    try:
        step = await anyio.to_thread.run_sync(logins.recheck, candidate, password[:256], asked, limiter=ARGON)
        await as_nobody(lambda session: logins.confirm(session, token, by.officer_id, step))
    except Refused as refusal:
        await anyio.to_thread.run_sync(note_refusal, by, "reauthenticate", "", refusal)
        raise
