"""What can be wrong with a rule's condition, told with its place and a pointer. （第十八条）"""

from typing import ClassVar
from unicodedata import east_asian_width

from policies.refusals import Refused


class RuleMistake(Refused):
    """{where}第 {line} 行第 {column} 列：{problem}{pointer}"""

    status_code: ClassVar[int] = 400

    def __init__(self, source: str, at: int, problem: str, *, where: str = "条件") -> None:
        """Place the mistake: `at` is an offset in `source`; the pointer shows the line with a caret beneath."""
        at = min(max(at, 0), len(source))
        line = source.count("\n", 0, at) + 1
        start = source.rfind("\n", 0, at) + 1
        super().__init__(
            where=where,
            line=line,
            column=at - start + 1,
            problem=problem,
            pointer="\n" + _pointer(source, start, at),
        )


class SyntaxMistake(RuleMistake):
    """{where}第 {line} 行第 {column} 列写法有误：{problem}{pointer}"""


class UnknownFact(RuleMistake):
    """{where}第 {line} 行第 {column} 列：没有这个数据项：{problem}{pointer}"""


class TypeMismatch(RuleMistake):
    """{where}第 {line} 行第 {column} 列类型不符：{problem}{pointer}"""


class RuleBroken(Refused):
    """预警规则 {code}（{name}）不能执行，业务已暂停，请联系规则维护人员更正后再办理：{problem}"""


def _pointer(source: str, start: int, at: int) -> str:
    end = source.find("\n", start)
    text = source[start : len(source) if end < 0 else end]
    # A full-width space under each full-width character keeps the caret beneath its place.
    indent = "".join("\u3000" if east_asian_width(letter) in "WF" else " " for letter in source[start:at])
    return f"{text}\n{indent}^"
