"""The lines of a Casbin policy: read, validated, written, compared; what is useless in them. （第二十三、二十四条）

Casbin loads a line with a mistyped effect or type and ignores it, so it fails open: here every word is checked, when a
policy is written and when a process starts.
"""

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import lru_cache
from hashlib import sha256
from pathlib import Path

from models.divisions import Level
from models.officers import Role
from models.organisations import OrganisationKind
from policies.permissions import Permission
from policies.refusals import Refused

SEED = Path(__file__).with_name("seed.csv")
ANY = "*"
ALLOW, DENY = "allow", "deny"
EFFECTS = (ALLOW, DENY)
COLUMNS = 6
MOST_LINES = 20_000
SHOWN = 20

Line = tuple[str, str, str, str, str, str]
"""Role, level, organisation kind, object, verb, effect."""
Lines = tuple[Line, ...]
Post = tuple[str, str, str]
"""Role, level and organisation kind of a kind of post."""

_POST_WORDS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("岗位", tuple(Role)),
    ("级别", tuple(Level)),
    ("机构类别", tuple(OrganisationKind)),
)


class PolicyInvalid(Refused):
    """权限策略第 {line} 行无效：{problem}；请安全管理员更正后再启用（第二十三条）。"""

    status_code = 400


@dataclass(frozen=True)
class Fault:
    """One line that can't be used: where, why, and what to write instead."""

    line: int
    problem: str


@dataclass(frozen=True)
class Finding:
    """One line that is valid but useless: a duplicate, or shadowed by another."""

    line: Line
    number: int
    kind: str
    """duplicate, denied (an allow that a deny covers) or covered (the same said more widely)."""
    by: Line

    @property
    def text(self) -> str:
        """Say it to the security officer."""
        other = text_of(self.by)
        return {
            "duplicate": f"第 {self.number} 行“{text_of(self.line)}”重复，只保留一行",
            "denied": f"第 {self.number} 行“{text_of(self.line)}”不起作用：被禁止行“{other}”压过",
            "covered": f"第 {self.number} 行“{text_of(self.line)}”多余：已被“{other}”包含",
        }[self.kind]


@dataclass(frozen=True)
class Difference:
    """What a policy has more and less than another."""

    added: Lines
    removed: Lines

    @property
    def empty(self) -> bool:
        """Tell whether both say the same."""
        return not self.added and not self.removed

    @property
    def text(self) -> str:
        """Say how much changes."""
        return f"新增 {len(self.added)} 行，删除 {len(self.removed)} 行"

    def applied_to(self, lines: Iterable[Line]) -> Lines:
        """Return other lines with this difference made to them: how a change moves to a newer version."""
        return ordered((set(lines) - set(self.removed)) | set(self.added))


def text_of(line: Sequence[str]) -> str:
    """Return a line as Casbin writes it."""
    return ", ".join(("p", *line))


def permission_of(line: Line) -> str:
    """Return the "noun:verb" that a line is about."""
    return f"{line[3]}:{line[4]}"


def ordered(lines: Iterable[Line]) -> Lines:
    """Return the lines without doubles, in their one order: by the text as Casbin writes it."""
    return tuple(sorted(set(lines), key=text_of))


def to_csv(lines: Iterable[Line]) -> str:
    """Return the lines as a Casbin policy file."""
    return "".join(f"{text_of(line)}\n" for line in ordered(lines))


def digest_of(lines: Iterable[Line]) -> str:
    """Return the SHA-256 of the policy file: the same for the same policy, whatever the order of its lines."""
    return sha256(to_csv(lines).encode()).hexdigest()


def difference(before: Iterable[Line], after: Iterable[Line]) -> Difference:
    """Return what `after` has more and less than `before`."""
    old, new = set(before), set(after)
    return Difference(ordered(new - old), ordered(old - new))


def faults(rows: Iterable[tuple[int, Sequence[str]]]) -> list[Fault]:
    """Return every line that can't be used, with its number and the remedy."""
    return [Fault(number, problem) for number, words in rows if (problem := _problem(words))]


def _problem(words: Sequence[str]) -> str:
    if len(words) != COLUMNS:
        return f"应有 {COLUMNS} 列（岗位、级别、机构类别、对象、动作、效力），实有 {len(words)} 列"
    for (title, known), word in zip(_POST_WORDS, words[:3], strict=True):
        if word != ANY and word not in known:
            return f"未知的{title}“{word}”，可用 {'、'.join(known)} 或 {ANY}"
    permission = f"{words[3]}:{words[4]}"
    if permission not in _permissions():
        near = get_close_matches(permission, _permissions(), 1)
        return f"未知的权限“{permission}”" + (f"，是否应为 {near[0]}" if near else "，请对照权限清单")
    if words[5] not in EFFECTS:
        return f"未知的效力“{words[5]}”，只能是 {'或 '.join(EFFECTS)}"
    return ""


@lru_cache(maxsize=1)
def _permissions() -> frozenset[str]:
    return frozenset(map(str, Permission))


def _require_sound(found: list[Fault]) -> None:
    if not found:
        return
    rest = "".join(f"；第 {one.line} 行：{one.problem}" for one in found[1:SHOWN])
    more = f"；另有 {len(found) - SHOWN} 行" if len(found) > SHOWN else ""
    raise PolicyInvalid(line=found[0].line, problem=f"{found[0].problem}{rest}{more}")


def validated(lines: Iterable[Sequence[str]]) -> Lines:
    """Return the lines if every word of them is known. Raises PolicyInvalid naming each that isn't."""
    rows = [tuple(line) for line in lines]
    _require_sound(faults(enumerate(rows, 1)))
    return tuple((row[0], row[1], row[2], row[3], row[4], row[5]) for row in rows)


def read_csv(text: str) -> tuple[Lines, list[Finding]]:
    """Return the lines of a Casbin policy file in its order and what is useless among them. Raises PolicyInvalid."""
    lines, numbers = parsed(text)
    return lines, findings(lines, numbers)


def parsed(text: str) -> tuple[Lines, list[int]]:
    """Return the lines of a Casbin policy file and the numbers at which they stand in it.

    Comments (#) and empty lines are skipped, as Casbin does. Raises PolicyInvalid with the numbers of the file's lines.
    """
    rows: list[tuple[int, list[str]]] = []
    found: list[Fault] = []
    for number, raw in enumerate(text.lstrip("\ufeff").splitlines(), 1):
        if not raw.strip() or raw.lstrip().startswith("#"):
            continue
        ptype, *words = (word.strip() for word in next(csv.reader([raw])))
        if ptype != "p":
            found.append(Fault(number, f"未知的类型“{ptype[:20]}”，每行应以 p 开头"))
        else:
            rows.append((number, words))
    _require_sound(sorted(found + faults(rows), key=lambda fault: fault.line))
    if not 0 < len(rows) <= MOST_LINES:
        raise PolicyInvalid(line=0, problem=f"策略应有 1–{MOST_LINES} 行，实有 {len(rows)} 行")
    return validated(words for _, words in rows), [number for number, _ in rows]


def findings(lines: Sequence[Line], numbers: Sequence[int] = ()) -> list[Finding]:
    """Return the lines that change nothing: doubles, allows that a deny covers, lines that a wider one covers."""
    at = numbers or range(1, len(lines) + 1)
    by_permission: dict[str, list[Line]] = {}
    for line in dict.fromkeys(lines):
        by_permission.setdefault(permission_of(line), []).append(line)
    seen: set[Line] = set()
    found = []
    for number, line in zip(at, lines, strict=True):
        if line in seen:
            found.append(Finding(line, number, "duplicate", line))
            continue
        seen.add(line)
        others = [other for other in by_permission[permission_of(line)] if other != line and _covers(other, line)]
        if line[5] == ALLOW and (deny := next((other for other in others if other[5] == DENY), None)):
            found.append(Finding(line, number, "denied", deny))
        elif wider := next((other for other in others if other[5] == line[5]), None):
            found.append(Finding(line, number, "covered", wider))
    return found


def _covers(wide: Line, narrow: Line) -> bool:
    """Tell whether each request that `narrow` is about is one of `wide` too; both are about one permission."""
    return concerns(wide, narrow[:3])


def concerns(line: Line, post: Post) -> bool:
    """Tell whether a line is about a kind of post; a post word "*" is met by "*" alone."""
    role, level, kind = post
    return line[0] in (role, ANY) and line[1] in (level, ANY) and line[2] in (kind, ANY)


def seed_lines() -> Lines:
    """Return the seed policy of `seed.csv`, in the order of the file. Raises PolicyInvalid."""
    return parsed(SEED.read_text(encoding="utf-8"))[0]
