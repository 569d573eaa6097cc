"""Bulletin families, one file each: a module with a `FAMILY` is a family; nothing else need be told of it."""

import importlib
import pkgutil

from reports.bulletins.family import Family


def families() -> dict[str, Family]:
    """Return every family by its code."""
    found = (importlib.import_module(f"{__name__}.{module.name}") for module in pkgutil.iter_modules(__path__))
    return {family.code: family for module in found if (family := getattr(module, "FAMILY", None)) is not None}
