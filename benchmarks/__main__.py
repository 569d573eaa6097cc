"""`python -m benchmarks --name import --rows 100000`: every measure as one JSON line.

A measure is a module `bench_NAME.py` whose `run(rows)` yields dictionaries of name, rows, value, floor, ratio and
peak_mb. What it says about itself goes to the error output, so that the output can be read by a machine.
"""

import argparse
import importlib
import json
import pkgutil
import sys
from collections.abc import Callable, Iterable
from types import ModuleType
from typing import Any

import benchmarks

PREFIX = "bench_"
ROWS = 100_000
FIELDS = ("name", "rows", "value", "floor", "ratio", "peak_mb")

Measure = Callable[[int], Iterable[dict[str, Any]]]


def measures() -> dict[str, ModuleType]:
    """Return the measures by name."""
    names = [module.name for module in pkgutil.iter_modules(benchmarks.__path__) if module.name.startswith(PREFIX)]
    return {name.removeprefix(PREFIX): importlib.import_module(f"benchmarks.{name}") for name in sorted(names)}


def line_of(found: dict[str, Any]) -> str:
    """Return one measure as its JSON line. Raises KeyError when a field is missing."""
    return json.dumps({name: found[name] for name in FIELDS} | found, ensure_ascii=False)


def main() -> int:
    """Run the measures asked for."""
    known = measures()
    parser = argparse.ArgumentParser(prog="make bench", description="基准：每项一行 JSON，ratio 为与同次运行下限之比。")
    parser.add_argument("--name", choices=known, help="只跑这一项")
    parser.add_argument("--rows", type=int, default=ROWS, help=f"行数，默认 {ROWS}")
    asked = parser.parse_args()
    if asked.rows < 1:
        parser.error("--rows 应为正整数")
    for name, module in known.items():
        if asked.name in (None, name):
            print(f"{name}：{asked.rows} 行……", file=sys.stderr, flush=True)
            for found in module.run(asked.rows):
                print(line_of(found), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
