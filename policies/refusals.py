"""Refusals are facts: the docstring is the message, the fields fill it."""

from collections.abc import Callable
from string import Formatter
from typing import Any, ClassVar

from sqlmodel import Session


class Refused(Exception):
    """业务被拒绝。"""

    status_code: ClassVar[int] = 409

    keep: Callable[[Session], None] | None = None
    """What must survive the rollback (warnings that were raised): run by the edge in the refusal's own transaction."""

    def __init__(self, **fields: Any) -> None:
        """Keep the facts; the message is the class docstring filled with them.

        Raises KeyError when a field that the message names is missing: a refusal without its facts is a bug.
        """
        self.fields = fields
        template = (type(self).__doc__ or "").strip().splitlines()[0]
        names = {name for _, name, _, _ in Formatter().parse(template) if name}
        missing = names - fields.keys()
        if missing:
            raise KeyError(f"{type(self).__name__} lacks {sorted(missing)}")
        super().__init__(template.format(**fields))


class NotAllowed(Refused):
    """您当前的岗位（{post}）没有“{permission}”权限，请由有权岗位办理（第二十三条）。"""

    status_code = 403


class NotFound(Refused):
    """没有找到该记录，或该记录不在您的管辖范围内。"""

    status_code = 404


class StepNotPossible(Refused):
    """{title}当前状态为“{status}”，不能办理“{step}”；可先查看办理进度，由应办岗位处理后再试。"""


class FasterColleague(Refused):
    """{title}刚刚已被其他人办理或修改，您看到的内容已过时，请刷新后重试。"""


class SamePersonTwice(Refused):
    """{officer}已在“{desk}”岗办理过{title}，不能再在“{next_desk}”岗办理，请换人办理（第二十三条）。"""


class ReasonMissing(Refused):
    """办理“{step}”须填写{field}，请补充后提交。"""

    status_code = 400


class ClockFixed(Refused):
    """业务时钟只能在演示和测试环境向后推进，当前环境不允许调整。"""
