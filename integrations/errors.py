"""What can go wrong with the outside, as facts: the docstring is the message, the fields fill it."""

from typing import Any


class OutsideError(Exception):
    """与外部系统交换数据出错。"""

    def __init__(self, **fields: Any) -> None:
        """Keep the facts; the message is the first line of the class docstring filled with them."""
        self.fields = fields
        template = (type(self).__doc__ or "").strip().splitlines()[0]
        super().__init__(template.format(**fields))


class Unavailable(OutsideError):
    """{partner}暂时无法连接（{problem}），系统稍后自动重试；如持续出现，请联系系统管理员检查接口地址和网络。

    Nothing is known to have been done: wait, then ask or send again with the same key.
    """

    def __init__(self, partner: str, problem: str) -> None:
        """Keep who could not be reached and why, in words without personal data."""
        super().__init__(partner=partner, problem=problem)


class Unknown(OutsideError):
    """已向{partner}发送，但没有收到答复；系统将先查询办理结果，不会盲目重发。

    The other side may have acted: ask by the business key, never resend blind (DESIGN D7).
    """

    def __init__(self, partner: str) -> None:
        """Keep who did not answer."""
        super().__init__(partner=partner)


class Rejected(OutsideError):
    """{partner}拒绝受理：{text}（代码 {code}）。

    A final answer to this request; `code` and `text` are the other side's own.
    """

    def __init__(self, code: str, text: str, partner: str = "对方系统") -> None:
        """Keep the code and the text of the refusal."""
        super().__init__(code=code, text=text, partner=partner)
        self.code = code
        self.text = text


class Unreadable(OutsideError):
    """{document}无法读取：{problem}。请联系对方重新提供完整、未改动的文件。"""

    def __init__(self, document: str, problem: str) -> None:
        """Keep which document it was and what is wrong with it, without any content."""
        super().__init__(document=document, problem=problem)


class Unwritable(OutsideError):
    """{document}不能生成：{problem}。请更正后重新生成。"""

    def __init__(self, document: str, problem: str) -> None:
        """Keep which document it was and which field of which payment is wrong."""
        super().__init__(document=document, problem=problem)
