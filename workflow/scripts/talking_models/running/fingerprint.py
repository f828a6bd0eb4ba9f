"""A digest of the library code that a job runs, so that changed code is a changed job.

Snakemake watches a rule's script, not what the script imports. A rule's `params` therefore hold
the fingerprint of the modules that its job needs, and of all modules of this library that these
import, found by reading the import statements. Nothing is executed.
"""

from __future__ import annotations

import ast
import hashlib
from functools import cache
from itertools import accumulate

from talking_models.registry import PLUGINS, ROOT, file_of

PACKAGE = ROOT.name
DOCUMENTED = (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)  # a module's may be on a page


@cache
def _read(module: str) -> tuple[bytes, set[str]]:
    """The digest of a module's syntax tree, and the modules of ours that it imports anywhere."""
    path = file_of(module)
    if path is None:
        raise ModuleNotFoundError(f"no module {module} in {ROOT}")
    tree = ast.parse(path.read_text(encoding="utf-8"), str(path))
    found: set[str] = set()
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, DOCUMENTED) and ast.get_docstring(node) is not None:
            del node.body[0]
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            waiting += node.orelse  # no job imports what is there for readers
        elif isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            found.update(f"{node.module}.{alias.name}" for alias in node.names)
        elif not isinstance(node, ast.expr):  # no import is inside of an expression
            waiting += ast.iter_child_nodes(node)
    names = {name for each in found for name in _with_parents(each)}
    return hashlib.sha256(ast.dump(tree).encode()).digest(), set(filter(file_of, names))


def _with_parents(module: str) -> list[str]:
    """A module and the packages above it, whose `__init__` Python runs first."""
    return [name for name in accumulate(module.split("."), "{}.{}".format) if name != PLUGINS]


@cache
def closure(*modules: str) -> tuple[str, ...]:
    """The given modules and all that they import of this library, sorted."""
    seen: set[str] = set()
    waiting = [name for module in modules for name in _with_parents(module)]
    while waiting:
        module = waiting.pop()
        if module not in seen:
            seen.add(module)
            waiting += _read(module)[1]
    return tuple(sorted(seen))


@cache
def fingerprint(*modules: str) -> str:
    """SHA-256 (the first 16 hex digits) over the syntax trees of `closure(*modules)`.

    Of the trees, so that a comment, a line end or another layout is no change, and without the
    docstrings of functions and classes.
    `ModuleNotFoundError` if a module is not in this library, nor in a plugin folder.
    """
    digest = hashlib.sha256()
    for module in closure(*modules):
        digest.update(f"{module}\0".encode() + _read(module)[0])
    return digest.hexdigest()[:16]
