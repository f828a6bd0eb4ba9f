"""Components by name: a data kind, a model kind, a method or a metric is one file that holds one class.

A file counts by what it says, not by where it is registered: it defines at its top one class derived
from the base class of its registry. So a new component is one new file, in the package or in a
folder of the user's own (`plugins:` in the configuration), and nothing else changes. Files are read
as text until one of them is asked for: nothing is imported to list them.
"""

from __future__ import annotations

import ast
import difflib
import importlib
import importlib.util
import sys
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).resolve().parent
PLUGINS = "talking_models_plugins"
"""The package that stands for all plugin folders: `my_methods/loud.py` is `<PLUGINS>.loud`."""
_folders: list[Path] = []


def use(folders: Sequence[str | Path]) -> None:
    """Take components from these folders too, before and after the package's own.

    Raises:
        ValueError: there is no such folder, or two folders hold a file of the same name.
    """
    found: dict[str, Path] = {}
    for folder in map(Path, folders):
        if not folder.is_dir():
            raise ValueError(f"plugins: there is no folder {folder}")
        for file in sorted(folder.glob("*.py")):
            if file.stem in found:
                raise ValueError(f"plugins: {found[file.stem]} and {file} have the same name")
            found[file.stem] = file
    _folders[:] = [Path(folder).resolve() for folder in folders]
    package = ModuleType(PLUGINS)
    package.__path__ = [str(folder) for folder in _folders]
    sys.modules[PLUGINS] = package


def folders() -> list[str]:
    """The plugin folders in use."""
    return [str(folder) for folder in _folders]


def file_of(module: str) -> Path | None:
    """The file of a dotted module name of this library or of a plugin, None if it is neither."""
    first, *parts = module.split(".")
    roots = [ROOT] if first == ROOT.name else _folders if first == PLUGINS and parts else []
    for root in roots:
        path = root.joinpath(*parts)
        for candidate in (path.with_suffix(".py"), path / "__init__.py"):
            if candidate.is_file():
                return candidate
    return None


@cache
def _bases(file: Path, _changed: int) -> frozenset[str]:
    """The names of the base classes of the classes at the top of a file."""
    nodes = ast.parse(file.read_text(encoding="utf-8"), str(file)).body
    classes = (node for node in nodes if isinstance(node, ast.ClassDef))
    found = (base for node in classes for base in node.bases)
    return frozenset(ast.unparse(base).rpartition(".")[2] for base in found)


class Registry:
    """The components of one sort.

    Args:
        package: dotted name of the package that holds them.
        base: name of the class that each of them derives from.
    """

    def __init__(self, package: str, base: str) -> None:
        self.package, self.base = package, base

    def _files(self) -> dict[str, str]:
        """Modules by component name; a plugin does not hide one of the package's own."""
        own = ROOT.joinpath(*self.package.split(".")[1:])
        found = {}
        for package, folder in [*((PLUGINS, f) for f in _folders), (self.package, own)]:
            for file in sorted(folder.glob("*.py")):
                if self.base in _bases(file, file.stat().st_mtime_ns):
                    found[file.stem] = f"{package}.{file.stem}"
        return found

    def names(self) -> list[str]:
        """All there are, sorted."""
        return sorted(self._files())

    def module(self, name: str) -> str:
        """The dotted name of a component's module.

        Raises:
            KeyError: there is none; the message lists those there are, the nearest first.
        """
        files = self._files()
        if name not in files:
            near = difflib.get_close_matches(name, files, n=1, cutoff=0.5)
            hint = f"; nearest: {near[0]}" if near else ""
            raise KeyError(f"no {self.base} {name!r}; there are {', '.join(sorted(files))}{hint}")
        return files[name]

    def get(self, name: str) -> type:
        """The class of a component.

        Raises:
            KeyError: see `module`.
            TypeError: its file defines more than one such class.
        """
        module = importlib.import_module(self.module(name))
        found = [
            value
            for value in vars(module).values()
            if isinstance(value, type)
            and value.__module__ == module.__name__
            and self.base in (parent.__name__ for parent in value.__mro__[1:])
        ]
        if len(found) != 1:
            raise TypeError(f"{module.__name__} must define one {self.base}, not {len(found)}")
        return found[0]
