"""The architecture is tested: import directions, sizes, and what must never be in a tracked file."""

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ROOMS = ("models", "policies", "integrations", "reports", "workflows", "jobs", "admin", "demo", "cli")
MAX_FILE, MAX_FUNCTION = 400, 50
LAYERS = ["cli", "demo", "admin | jobs", "workflows", "reports | integrations", "policies", "models"]

HOSTS = re.compile(
    r"https?://(?!127\.0\.0\.1|localhost|testserver|www\.w3\.org|\w+\.(?:openxmlformats|oclc)\.org|[\w.-]+\.example\b)\w[\w.-]*"
)
"""Addresses; names of XML namespaces are none, nor are the loopback and the reserved .example."""
MACHINE_PATHS = re.compile(r"(?<![\w.])/(?:home|root|Users|work|opt|mnt)/\w+")
TEXT = {".py", ".md", ".toml", ".csv", ".sql", ".html", ".css", ".js", ".yaml", ".yml", ".lock", ".po", ".cfg", ""}
VENDORED = ("admin/statics/vendor/", "LICENSE")


def tracked() -> list[Path]:
    """Every file that git knows, or would know: what is ignored is left out."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode != 0:  # a copy without its history
        return sorted(path for room in (*ROOMS, "tests") for path in (ROOT / room).rglob("*.py"))
    return [path for name in done.stdout.split("\0") if name and (path := ROOT / name).is_file()]


def sources(*rooms: str) -> list[Path]:
    return [path for path in tracked() if path.suffix == ".py" and path.relative_to(ROOT).parts[0] in rooms]


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


class TestImports:
    def test_the_directions_are_declared(self):
        declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
        assert set(declared["root_packages"]) == set(ROOMS)
        contracts = {contract["type"]: contract for contract in declared["contracts"]}
        assert contracts["layers"]["layers"] == LAYERS
        forbidden = [contract for contract in declared["contracts"] if contract["type"] == "forbidden"]
        assert {(tuple(item["source_modules"]), tuple(item["forbidden_modules"])) for item in forbidden} == {
            (("integrations",), ("policies",)),
            (("workflows",), ("fastapi", "starlette", "sqladmin")),
        }
        assert not any("ignore_imports" in contract for contract in declared["contracts"])

    def test_the_directions_are_kept(self):
        program = Path(sys.executable).with_name("lint-imports")
        done = subprocess.run([program, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout
        assert "3 kept, 0 broken" in done.stdout

    def test_workflows_name_jobs_but_never_import_them(self):
        imported = re.compile(r"^\s*(from|import) jobs\b", re.M)
        guilty = [named(path) for path in sources("workflows") if imported.search(path.read_text(encoding="utf-8"))]
        assert guilty == []

    def test_alembic_is_no_package(self):
        assert not (ROOT / "alembic" / "__init__.py").exists()


class TestSizes:
    def test_modules_stay_small(self):
        long = {
            named(path): lines
            for path in sources(*ROOMS, "tests", "scripts", "benchmarks")
            if (lines := len(path.read_text(encoding="utf-8").splitlines())) > MAX_FILE
        }
        assert long == {}

    def test_functions_stay_small(self):
        long = {}
        for path in sources(*ROOMS, "scripts", "benchmarks"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                    lines = (node.end_lineno or 0) - node.lineno + 1
                    if lines > MAX_FUNCTION:
                        long[f"{named(path)}:{node.name}"] = lines
        assert long == {}


class TestTrackedFiles:
    def test_none_names_a_host_or_a_machine(self):
        guilty = []
        for path in tracked():
            if path.suffix not in TEXT or named(path).startswith(VENDORED):
                continue
            for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), 1):
                found = HOSTS.search(line) or MACHINE_PATHS.search(line)
                if found and path != Path(__file__):
                    guilty.append(f"{named(path)}:{number}: {found.group()}")
        assert guilty == []

    def test_the_lock_holds_names_versions_and_hashes_only(self):
        lines = (ROOT / "requirements.lock").read_text().splitlines()
        requirement = re.compile(r"^[a-z0-9][a-z0-9._-]*==[\w.!+-]+ \\$")
        digest = re.compile(r"^    --hash=sha256:[0-9a-f]{64}( \\)?$")
        odd = [line for line in lines if line and not line.lstrip().startswith("#")
               and not requirement.match(line) and not digest.match(line)]  # fmt: skip
        assert odd == []
        assert not any("://" in line or line.startswith("--") for line in lines)

    def test_every_dependency_is_pinned_and_locked(self):
        project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
        wanted = [*project["dependencies"], *project["optional-dependencies"]["dev"]]
        pins = dict(re.fullmatch(r"([\w.-]+)(?:\[[\w,]+\])?==([\w.]+)", item).groups() for item in wanted)  # type: ignore[union-attr]
        locked = dict(re.findall(r"^([a-z0-9][a-z0-9._-]*)==(\S+) \\$", (ROOT / "requirements.lock").read_text(), re.M))
        assert {name: version for name, version in pins.items() if locked.get(name.lower()) != version} == {}

    def test_business_time_has_one_home(self):
        wall_clock = re.compile(r"\b(datetime\.now|datetime\.utcnow|date\.today|time\.time)\(")
        guilty = [named(path) for path in sources(*ROOMS) if wall_clock.search(path.read_text(encoding="utf-8"))]
        assert guilty == []

    @pytest.mark.parametrize("path", sources("workflows"), ids=lambda path: path.name)
    def test_no_verb_commits(self, path: Path):
        calls = {
            node.func.attr
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
        }
        assert "commit" not in calls
