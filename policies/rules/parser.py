"""From text to a tree, by recursive descent.

condition  = and { "or" and }            and     = not { "and" not }
not        = "not" not | comparison      sum     = product { ("+" | "-") product }
comparison = sum [ ("=" | "!=" | "<" | "<=" | ">" | ">=") sum
                 | ["not"] "between" sum "and" sum | ["not"] "in" "(" literal { "," literal } ")"
                 | ["is"] ("known" | "unknown") ]
product    = factor { ("*" | "/") factor }
factor     = "-" factor | literal | fact | function "(" condition { "," condition } ")" | "(" condition ")"

A rule has one function, abs; a project's formula names more.
"""

from collections.abc import Mapping
from decimal import Decimal

from policies.rules.mistakes import SyntaxMistake
from policies.rules.tokens import Sort, Token, tokens_of
from policies.rules.tree import Among, Between, Binary, Call, Known, Literal, Name, Node, Unary

COMPARISONS = ("=", "!=", "<", "<=", ">", ">=")
DEEPEST = 40


Functions = Mapping[str, tuple[str, int, int]]
"""What may be called beside abs: by which word, and how many operands it takes at least and at most."""


def parse(source: str, functions: Functions | None = None) -> Node:
    """Return the tree of a condition, or of a formula that may call `functions`. Raises SyntaxMistake."""
    reader = _Reader(source, functions or {})
    if reader.ended():
        raise SyntaxMistake(source, 0, "条件不能为空")
    node = reader.disjunction()
    if not reader.ended():
        raise reader.mistake("此处多出了内容，或缺少 and / or")
    return node


class _Reader:
    """Reads words from left to right; each method is one line of the grammar."""

    def __init__(self, source: str, functions: Functions) -> None:
        self.source, self.functions = source, functions
        self.tokens = tokens_of(source)
        self.place = 0
        self.depth = 0

    @property
    def token(self) -> Token:
        return self.tokens[self.place]

    def ended(self) -> bool:
        return self.token.sort is Sort.END

    def mistake(self, problem: str) -> SyntaxMistake:
        return SyntaxMistake(self.source, self.token.at, problem)

    def take(self, *words: str) -> Token | None:
        """Take the next word if it is one of these keywords or signs."""
        token = self.token
        if token.sort not in (Sort.KEYWORD, Sort.SIGN) or token.text not in words:
            return None
        self.place += 1
        return token

    def expect(self, word: str, problem: str) -> Token:
        token = self.take(word)
        if token is None:
            raise self.mistake(problem)
        return token

    def disjunction(self) -> Node:
        node = self.conjunction()
        while token := self.take("or"):
            node = Binary("or", node, self.conjunction(), token.at)
        return node

    def conjunction(self) -> Node:
        node = self.negation()
        while token := self.take("and"):
            node = Binary("and", node, self.negation(), token.at)
        return node

    def negation(self) -> Node:
        token = self.take("not")
        if token is None:
            return self.comparison()
        self.deeper()
        node = Unary("not", self.negation(), token.at)
        self.depth -= 1
        return node

    def comparison(self) -> Node:
        left = self.sum()
        if token := self.take(*COMPARISONS):
            node = Binary(token.text, left, self.sum(), token.at)
            if self.token.text in COMPARISONS:
                raise self.mistake("比较不能连写，请用 and 连接或用 between")
            return node
        negated = self.take("not")
        if token := self.take("between"):
            low = self.sum()
            self.expect("and", "between 之后应为 下限 and 上限")
            return _negated(negated, Between(left, low, self.sum(), token.at))
        if token := self.take("in"):
            return _negated(negated, Among(left, self.options(), token.at))
        if negated:
            raise self.mistake("not 之后应为 between 或 in")
        return self.knowledge(left)

    def knowledge(self, left: Node) -> Node:
        stated = self.take("is")
        token = self.take("known", "unknown")
        if token is None:
            if stated:
                raise self.mistake("is 之后应为 known 或 unknown")
            return left
        if not isinstance(left, Name):
            raise SyntaxMistake(self.source, token.at, "只有数据项才能判断已知或未知")
        node = Known(left, token.at)
        return node if token.text == "known" else Unary("not", node, token.at)

    def options(self) -> tuple[Literal, ...]:
        self.expect("(", "in 之后应为括号中的若干取值")
        found = [self.option()]
        while self.take(","):
            found.append(self.option())
        self.expect(")", "取值之间用逗号分隔，最后用 ) 结束")
        return tuple(found)

    def option(self) -> Literal:
        sign = self.take("-")
        node = self.literal()
        if node is None:
            raise self.mistake("in 的括号中只能写固定的取值")
        if sign is None:
            return node
        if not isinstance(node.value, Decimal):
            raise SyntaxMistake(self.source, sign.at, "负号之后应为数字")
        return Literal(-node.value, sign.at)

    def sum(self) -> Node:
        node = self.product()
        while token := self.take("+", "-"):
            node = Binary(token.text, node, self.product(), token.at)
        return node

    def product(self) -> Node:
        node = self.factor()
        while token := self.take("*", "/"):
            node = Binary(token.text, node, self.factor(), token.at)
        return node

    def factor(self) -> Node:
        self.deeper()
        node = self.operand()
        self.depth -= 1
        return node

    def operand(self) -> Node:
        token = self.token
        if self.take("-"):
            return Unary("-", self.factor(), token.at)
        if self.take("("):
            node = self.disjunction()
            self.expect(")", "缺少右括号 )")
            return node
        if token.sort is Sort.NAME:
            self.place += 1
            return self.call(token) if self.take("(") else Name(token.text, token.at)
        literal = self.literal()
        if literal is None:
            raise self.mistake("此处应为数据项、取值或括号")
        return literal

    def call(self, token: Token) -> Node:
        word = token.text.lower()
        if word in self.functions:
            return self.operands(token, *self.functions[word])
        if word != "abs":
            known = "、".join(("abs", *(name for name in self.functions if name.isascii())))
            raise SyntaxMistake(
                self.source, token.at, f"没有函数“{token.text}”，只有 {known}{'' if self.functions else '（绝对值）'}"
            )
        node = Unary("abs", self.disjunction(), token.at)
        self.expect(")", "缺少右括号 )")
        return node

    def operands(self, token: Token, function: str, least: int, most: int) -> Call:
        self.deeper()
        found = [self.disjunction()]
        while self.take(","):
            found.append(self.disjunction())
        self.expect(")", "各项之间用逗号分隔，最后用 ) 结束")
        self.depth -= 1
        if not least <= len(found) <= most:
            count = f"{least}" if least == most else f"{least} 至 {most}"
            raise SyntaxMistake(self.source, token.at, f"“{token.text}”应有 {count} 项，现有 {len(found)} 项")
        return Call(function, tuple(found), token.at)

    def literal(self) -> Literal | None:
        token = self.token
        if token.sort is Sort.LITERAL and token.value is not None:
            self.place += 1
            return Literal(token.value, token.at)
        if self.take("true"):
            return Literal(True, token.at)
        if self.take("false"):
            return Literal(False, token.at)
        return None

    def deeper(self) -> None:
        self.depth += 1
        if self.depth > DEEPEST:
            raise self.mistake(f"嵌套太深，最多 {DEEPEST} 层")


def _negated(negation: Token | None, node: Node) -> Node:
    return node if negation is None else Unary("not", node, negation.at)
