"""A digest of the library code that a job runs, so that changed code is a changed job.

Snakemake watches a rule's script, not what the script imports. A rule's `params` therefore hold
the fingerprint of the modules that its job needs: of their files, and of all files of this library
that these import, found by reading the import statements. Nothing is executed.
"""

from __future__ import annotations

import ast
import hashlib
from functools import cache
from pathlib import Path

PACKAGE = "talking_models"
ROOT = Path(__file__).resolve().parent


def _file(module: str) -> Path | None:
    """The file of a dotted module name of this library, None if it is not one."""
    path = ROOT.joinpath(*module.split(".")[1:])
    for candidate in (path.with_suffix(".py"), path / "__init__.py"):
        if candidate.is_file():
            return candidate
    return None


@cache
def _imports(module: str) -> frozenset[str]:
    """Modules of this library that `module` imports anywhere, even inside a function."""
    path = _file(module)
    if path is None:
        raise ModuleNotFoundError(f"no module {module} in {ROOT}")
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            found.add(node.module)
            found.update(f"{node.module}.{alias.name}" for alias in node.names)
    names = {parent for name in found for parent in _with_parents(name)}
    return frozenset(name for name in names if name.split(".")[0] == PACKAGE and _file(name))


def _with_parents(module: str) -> list[str]:
    """A module and the packages above it, whose `__init__` Python runs first."""
    parts = module.split(".")
    return [".".join(parts[: i + 1]) for i in range(len(parts))]


@cache
def closure(*modules: str) -> tuple[str, ...]:
    """The given modules and all that they import of this library, sorted."""
    seen: set[str] = set()
    waiting = [parent for module in modules for parent in _with_parents(module)]
    while waiting:
        module = waiting.pop()
        if module not in seen:
            seen.add(module)
            waiting.extend(_imports(module))
    return tuple(sorted(seen))


@cache
def fingerprint(*modules: str) -> str:
    """SHA-256 (the first 16 hex digits) over the files of `closure(*modules)`.

    Raises:
        ModuleNotFoundError: a module is not in this library.
    """
    digest = hashlib.sha256()
    for module in closure(*modules):
        path = _file(module)
        digest.update(f"{module}\0".encode())
        digest.update(path.read_bytes())
        digest.update(b"\0")
    return digest.hexdigest()[:16]
