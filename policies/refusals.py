"""Refusals are facts: the docstring is the message, the fields fill it."""

from string import Formatter
from typing import Any, ClassVar


class Refused(Exception):
    """业务被拒绝。"""

    status_code: ClassVar[int] = 409

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
