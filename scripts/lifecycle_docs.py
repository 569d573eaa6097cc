"""Write docs/lifecycles.md and docs/permissions.md from the lifecycle tables and the seed policy, and sort the seed.

Run `python scripts/lifecycle_docs.py`; a test fails while the pages lag behind.
"""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from models.divisions import Level  # noqa: E402
from models.duty_pairs import DutyKind  # noqa: E402
from models.officers import Role  # noqa: E402
from models.organisations import OrganisationKind  # noqa: E402
from policies.duties import STATUTORY  # noqa: E402
from policies.enforcement import Policy  # noqa: E402
from policies.lifecycles import LIFECYCLES, Desk, Lifecycle, Step  # noqa: E402
from policies.lifecycles.posts import ROLES_OF  # noqa: E402
from policies.permissions import Permission  # noqa: E402
from policies.policy_effects import exists, title_of  # noqa: E402
from policies.policy_lines import ANY, SEED, Post, permission_of, seed_lines, to_csv  # noqa: E402

LIFECYCLE_HEAD = """# 办理流程

本页由 `policies/lifecycles/` 生成（`python scripts/lifecycle_docs.py`），不要手工修改；与流程表不一致时测试失败。
虚线是退回和撤回，斜体“系统”表示由系统办理、没有按钮的步骤。
"""

PERMISSION_HEAD = """# 权限与岗位

本页由 `policies/seed.csv` 生成（`python scripts/lifecycle_docs.py`），不要手工修改；与初始策略不一致时测试失败。
权限是“对象:动作”；● 表示该岗位持有该权限（禁止压过允许；没有任何一行允许的，一律不允许）。
运行中的策略以数据库为准，由两名安全管理员调整（第二十三、二十四条），见 [policy.md](policy.md)。
"""


def lifecycles_page() -> str:
    """Return the page of all lifecycles: a diagram and a table of steps each."""
    parts = [LIFECYCLE_HEAD]
    for lifecycle in sorted(LIFECYCLES.values(), key=lambda one: one.noun):
        parts.append(f"## {lifecycle.title}（{lifecycle.noun}）\n\n{_diagram(lifecycle)}\n{_table(lifecycle)}")
    return "\n".join(parts)


def _diagram(lifecycle: Lifecycle) -> str:
    statuses = list(type(lifecycle.steps[0].source))
    lines = ["```mermaid", "flowchart LR"]
    lines += [f'    {status}["{status.label}"]' for status in statuses]
    for step in lifecycle.steps:
        arrow = "-->" if step.forward else "-.->"
        for target in _targets(lifecycle, step):
            lines.append(f'    {step.source} {arrow}|"{step.label}"| {target}')
    return "\n".join([*lines, "```", ""])


def _targets(lifecycle: Lifecycle, step: Step) -> list[str]:
    if step.target is not None:
        return [str(step.target)]
    return list(dict.fromkeys(str(one.resume_at) for one in lifecycle.steps if one.resume_at is not None))


def _table(lifecycle: Lifecycle) -> str:
    rows = ["| 从 | 办理 | 动作 | 到 | 岗位 | 权限 | 时限 | 填写 |", "|---|---|---|---|---|---|---|---|"]
    for step in lifecycle.steps:
        target = step.target.label if step.target is not None else "退回前的岗位"
        due = f"{step.due.working_days} 个工作日（{step.due.article}）" if step.due else ""
        asks = "、".join(ask.label for ask in step.asks)
        rows.append(
            f"| {step.source.label} | {step.label} | `{step.verb}` | {target}"
            f" | {step.desk.label if step.desk else '*系统*'} | {f'`{step.permission}`' if step.permission else ''}"
            f" | {due} | {asks} |"
        )
    return "\n".join([*rows, ""])


def permissions_page() -> str:
    """Return the page of the matrix: role × verb by kind and level, then denials, desks and statutory pairs."""
    policy = Policy(0, seed_lines())
    parts = [PERMISSION_HEAD]
    for kind in OrganisationKind:
        places: dict[str, list[Level]] = {}
        for level in Level:
            if exists(kind, level):
                places.setdefault(_matrix(policy, kind, level), []).append(level)
        for table, levels in places.items():
            title = "、".join(level.label for level in levels)
            parts.append(f"## {kind.label}（{title}）\n\n{table}\n")
    parts.append(f"## 明令禁止\n\n{_denials(policy)}\n")
    parts.append(f"## 岗位与办理环节\n\n{_desks()}\n")
    parts.append(f"## 法定不相容职责\n\n{_pairs()}\n")
    return "\n".join(parts)


def _matrix(policy: Policy, kind: OrganisationKind, level: Level) -> str:
    """Return the table of one kind and level; what nobody there holds is left out."""
    named = {line[0] for line in policy.lines if line[2] == kind and line[1] in (level, ANY) and line[5] == "allow"}
    roles = [role for role in Role if role in ROLES_OF[kind] or role in named]
    held = {role: policy.permissions(role, level, kind) for role in roles}
    rows = ["| 权限 | 含义 | " + " | ".join(role.label for role in roles) + " |", "|---|---|" + ":-:|" * len(roles)]
    for one in Permission:
        if any(one in held[role] for role in roles):
            marks = " | ".join("●" if one in held[role] else "" for role in roles)
            rows.append(f"| `{one}` | {one.label} | {marks} |")
    return "\n".join(rows)


def _denials(policy: Policy) -> str:
    """Return the denials: they beat every allow, also one that is added later."""
    rows: dict[Post, list[str]] = {}
    for line in policy.lines:
        if line[5] == "deny":
            rows.setdefault(line[:3], []).append(f"`{permission_of(line)}`")
    return "\n".join(f"- {title_of(post)}：{'、'.join(denied)}" for post, denied in rows.items())


def _desks() -> str:
    """Return which post sits at each desk, and which steps it takes there."""
    rows = ["| 岗位（经手） | 任职 | 办理环节 |", "|---|---|---|"]
    for desk in Desk:
        kind, level, role = desk.post
        steps = [
            f"{lifecycle.title}“{label}”"
            for lifecycle in LIFECYCLES.values()
            for label in dict.fromkeys(step.label for step in lifecycle.steps if step.desk == desk)
        ]
        rows.append(f"| {desk.label} | {title_of((role, level, kind))} | {'、'.join(steps)} |")
    return "\n".join(rows)


def _pairs() -> str:
    """Return the pairs that nobody may unite; officers can add more, these can't be removed."""
    rows = ["| 一方 | 另一方 | 范围 |", "|---|---|---|"]
    rows += [
        f"| {_side(kind, one)} | {_side(kind, other)} | {within.label} |" for kind, one, other, within in STATUTORY
    ]
    return "\n".join(rows)


def _side(kind: DutyKind, word: str) -> str:
    return Role(word).label if kind == DutyKind.ROLE else f"{Permission(word).label}（`{word}`）"


def sort_seed() -> None:
    """Keep the seed in its one order: by the text of its lines."""
    SEED.write_text(to_csv(seed_lines()), encoding="utf-8")


PAGES = {"docs/lifecycles.md": lifecycles_page, "docs/permissions.md": permissions_page}


def main() -> None:
    """Sort the seed and write both pages."""
    sort_seed()
    for path, page in PAGES.items():
        (ROOT / path).write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
