"""Messages of rules: text with {facts} in it, filled by the same statement that finds the hits. （第十八条）"""

from string import Formatter

from policies.rules.facts import FACTS, Fact, near
from policies.rules.mistakes import SyntaxMistake, UnknownFact

LONGEST = 300
Part = str | Fact


def parts_of(template: str) -> tuple[Part, ...]:
    """Cut a message into texts and facts. Raises SyntaxMistake, UnknownFact."""
    if not template.strip() or len(template) > LONGEST or "\x00" in template:
        raise SyntaxMistake(template[:LONGEST], 0, f"提示应为 1–{LONGEST} 个字符", where="提示")
    found: list[Part] = []
    try:
        cut = list(Formatter().parse(template))
    except ValueError:
        raise SyntaxMistake(template, 0, "花括号没有成对", where="提示") from None
    for text, name, spec, conversion in cut:
        if text:
            found.append(text)
        if name is not None:
            found.append(_fact(template, name, bool(spec or conversion)))
    return tuple(found)


def _fact(template: str, name: str, decorated: bool) -> Fact:
    at = max(template.find("{" + name), 0) + 1
    if decorated:
        raise SyntaxMistake(template, at, "花括号中只写数据项的名称", where="提示")
    fact = FACTS.get(name) or FACTS.get(name.lower())
    if fact is None:
        raise UnknownFact(template, at, f"“{name}”{near(name)}", where="提示")
    return fact
