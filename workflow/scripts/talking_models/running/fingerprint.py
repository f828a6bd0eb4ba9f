"""A digest of the library code that a job runs, so that changed code is a changed job.

Snakemake watches a rule's script, not what the script imports. A rule's `params` therefore hold
the fingerprint of the modules that its job needs, and of all modules of this library that these
import, found by reading the import statements. Nothing is executed.
"""

from __future__ import annotations

import ast
import hashlib
from functools import cache

from talking_models.registry import PLUGINS, ROOT, file_of

PACKAGE = ROOT.name
OURS = (PACKAGE, PLUGINS)


@cache
def _imports(module: str) -> frozenset[str]:
    """Modules of this library that `module` imports anywhere, even inside a function."""
    found: set[str] = set()
    waiting: list[ast.AST] = [_tree(module)]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            waiting.extend(node.orelse)  # no job imports what is there for readers
            continue
        if not isinstance(node, ast.expr):  # no import is inside of an expression
            waiting.extend(ast.iter_child_nodes(node))
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            found.add(node.module)
            found.update(f"{node.module}.{alias.name}" for alias in node.names)
    names = {parent for name in found for parent in _with_parents(name)}
    return frozenset(name for name in names if name.split(".")[0] in OURS and file_of(name))


@cache
def _tree(module: str) -> ast.Module:
    path = file_of(module)
    if path is None:
        raise ModuleNotFoundError(f"no module {module} in {ROOT}")
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


@cache
def _digest(module: str) -> bytes:
    return hashlib.sha256(ast.dump(_tree(module)).encode()).digest()


def _with_parents(module: str) -> list[str]:
    """A module and the packages above it, whose `__init__` Python runs first."""
    parts = module.split(".")
    names = [".".join(parts[: i + 1]) for i in range(len(parts))]
    return [name for name in names if name != PLUGINS]


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
    """SHA-256 (the first 16 hex digits) over the syntax trees of `closure(*modules)`.

    Of the trees, so that a comment, a line end or another layout is no change.

    Raises:
        ModuleNotFoundError: a module is not in this library, nor in a plugin folder.
    """
    digest = hashlib.sha256()
    for module in closure(*modules):
        digest.update(f"{module}\0".encode() + _digest(module))
    return digest.hexdigest()[:16]
