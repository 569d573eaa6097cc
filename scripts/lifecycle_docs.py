"""Write docs/lifecycles.md and docs/permissions.md from the lifecycle tables and the seed policy.

Run `python scripts/lifecycle_docs.py`; a test fails while the pages lag behind.
"""

import sys
from itertools import product
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from models.divisions import Level  # noqa: E402
from models.officers import Role  # noqa: E402
from models.organisations import OrganisationKind  # noqa: E402
from policies.enforcement import Policy, seed_lines  # noqa: E402
from policies.lifecycles import LIFECYCLES, Lifecycle, Step  # noqa: E402
from policies.permissions import Permission  # noqa: E402

LIFECYCLE_HEAD = """# 办理流程

本页由 `policies/lifecycles/` 生成（`python scripts/lifecycle_docs.py`），不要手工修改；与流程表不一致时测试失败。
虚线是退回和撤回，斜体“系统”表示由系统办理、没有按钮的步骤。
"""

PERMISSION_HEAD = """# 权限与岗位

本页由 `policies/seed.csv` 生成（`python scripts/lifecycle_docs.py`），不要手工修改；与初始策略不一致时测试失败。
权限是“对象:动作”；列出持有该权限的岗位（禁止压过允许）。运行中的策略以数据库为准，安全管理员可调整（第二十三条）。
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
    """Return the page of all permissions × the posts that hold any."""
    policy = Policy(0, seed_lines())
    held = {post: policy.permissions(*post) for post in product(Role, Level, OrganisationKind)}
    posts = sorted((post for post in held if held[post] and _exists(*post)), key=_place)
    rows = [PERMISSION_HEAD]
    rows += ["| 权限 | 含义 | " + " | ".join(_title(*post) for post in posts) + " |", "|---|---|" + ":-:|" * len(posts)]
    for one in Permission:
        marks = " | ".join("●" if one in held[post] else "" for post in posts)
        rows.append(f"| `{one}` | {one.label} | {marks} |")
    return "\n".join([*rows, ""])


KINDS = {
    OrganisationKind.TOWNSHIP: "苏木乡镇",
    OrganisationKind.DEPARTMENT: "主管部门",
    OrganisationKind.FINANCE: "财政",
    OrganisationKind.BANK: "代理银行",
    OrganisationKind.PLATFORM: "平台",
}
LEVELS = {
    Level.TOWNSHIP: "",
    Level.COUNTY: "旗县",
    Level.LEAGUE: "盟市",
    Level.REGION: "自治区",
    Level.VILLAGE: "嘎查村",
}


def _exists(role: Role, level: Level, kind: OrganisationKind) -> bool:
    """Tell whether organisations of the kind exist at the level; the platform's administrators sit at the region."""
    if kind == OrganisationKind.PLATFORM:
        return level == Level.REGION
    return level != Level.VILLAGE and (level == Level.TOWNSHIP) == (kind == OrganisationKind.TOWNSHIP)


def _place(post: tuple[Role, Level, OrganisationKind]) -> tuple[int, ...]:
    role, level, kind = post
    return list(LEVELS).index(level), list(KINDS).index(kind), list(Role).index(role)


def _title(role: Role, level: Level, kind: OrganisationKind) -> str:
    return f"{LEVELS[level]}{KINDS[kind]}<br>{role.label}" if kind != OrganisationKind.PLATFORM else role.label


PAGES = {"docs/lifecycles.md": lifecycles_page, "docs/permissions.md": permissions_page}


def main() -> None:
    """Write both pages."""
    for path, page in PAGES.items():
        (ROOT / path).write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
