"""Components by name: a data kind, a model kind, a method or a metric is one file with one class.

A file counts by what it says, not by where it is registered: it defines at its top one class
derived from the base class of its registry, or from another component. So a new component is one
new file, in the package or in a folder of the user's own (`plugins:` in the configuration), and
nothing else changes. Files are read as text until one of them is asked for: nothing is imported to
list them.
"""

import ast
import importlib
import json
import os
import sys
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from types import ModuleType

from talking_models.errors import nearest

ROOT = Path(__file__).resolve().parent
PLUGINS = "talking_models_plugins"
"""The package that stands for all plugin folders: `my_methods/loud.py` is `<PLUGINS>.loud`."""
HANDED_ON = "TALKING_MODELS_PLUGINS"
"""The environment variable by which a process that this one starts knows those folders."""
_folders: list[Path] = []


class PluginError(ValueError):
    """A plugin folder, or a file in it, is no such thing."""


def use(folders: Sequence[str | Path]) -> None:
    """Take components from these folders too, beside the package's own. `PluginError` if there
    is no such folder, or two folders hold a file of the same name.
    """
    wanted = [Path(folder).resolve() for folder in folders]
    if wanted == _folders:
        return
    found: dict[str, Path] = {}
    for folder in map(Path, folders):
        if not folder.is_dir():
            raise PluginError(f"plugins: there is no folder {folder}")
        for file in sorted(folder.glob("*.py")):
            if file.stem in found:
                raise PluginError(f"plugins: {found[file.stem]} and {file} have the same name")
            found[file.stem] = file
    _folders[:] = wanted
    for name in [name for name in sys.modules if name.split(".")[0] == PLUGINS]:
        del sys.modules[name]  # of folders used before
    package = sys.modules[PLUGINS] = ModuleType(PLUGINS)
    package.__path__ = [str(folder) for folder in _folders]
    os.environ[HANDED_ON] = json.dumps(package.__path__)


def used() -> tuple[Path, ...]:
    """The folders in use."""
    return tuple(_folders)


def file_of(module: str) -> Path | None:
    """The file of a dotted module name of this library or of a plugin, None if it is neither."""
    first, *parts = module.split(".")
    roots = [ROOT] if first == ROOT.name else _folders if first == PLUGINS and parts else []
    paths = [root.joinpath(*parts) for root in roots]
    files = (file for p in paths for file in (p.with_suffix(".py"), p / "__init__.py"))
    return next(filter(Path.is_file, files), None)


@cache
def _modules(base: str, places: tuple[tuple[str, Path, int], ...]) -> dict[str, str]:
    """Modules by component name, in folders with their packages and when they last changed."""
    found: dict[str, str] = {}
    classes: dict[tuple[str, Path], dict[str, set[str]]] = {}  # of a file, with their parents
    for package, folder, _ in places:
        for file in sorted(folder.glob("*.py")):
            try:
                nodes = ast.parse(file.read_text(encoding="utf-8"), str(file)).body
            except (SyntaxError, UnicodeDecodeError) as error:
                raise PluginError(f"{file} is not Python: {error}") from None
            classes[package, file] = {
                node.name: {ast.unparse(parent).rpartition(".")[2] for parent in node.bases}
                for node in nodes
                if isinstance(node, ast.ClassDef)
            }
    kin, before = {base}, 0  # a component can derive from another one
    while len(kin) > before:
        before = len(kin)
        kin |= {name for own in classes.values() for name in own if kin & own[name]}
    for (package, file), own in classes.items():
        if base in own or not kin & set(own):
            continue
        if file.stem in found:
            raise PluginError(
                f"plugins: {file} has the name of a {base} of the package, "
                f"{found[file.stem]}: choose another"
            )
        found[file.stem] = f"{package}.{file.stem}"
    return found


class Registry:
    """The components of one sort.

    Args:
        package: dotted name of the package that holds them.
        base: name of the class that each of them derives from.
    """

    def __init__(self, package: str, base: str) -> None:
        self.package, self.base = package, base

    def _files(self) -> dict[str, str]:
        own = ROOT.joinpath(*self.package.split(".")[1:])
        places = [(self.package, own), *((PLUGINS, folder) for folder in _folders)]
        return _modules(self.base, tuple((*p, p[1].stat().st_mtime_ns) for p in places))

    def names(self) -> list[str]:
        """All there are, sorted."""
        return sorted(self._files())

    def module(self, name: str) -> str:
        """The dotted name of a component's module; a KeyError lists those there are."""
        files = self._files()
        if name not in files:
            known = f"there are {', '.join(sorted(files))}{nearest(name, files)}"
            raise KeyError(f"no {self.base} {name!r}; {known}")
        return files[name]

    def get(self, name: str) -> type:
        """The class of a component; a PluginError if its file has not one such class."""
        path = self.module(name)
        try:
            module = importlib.import_module(path)
        except Exception as error:
            if not path.startswith(PLUGINS):
                raise
            raise PluginError(f"{file_of(path)} fails: {type(error).__name__}: {error}") from error
        found = [
            value
            for value in vars(module).values()
            if isinstance(value, type)
            and value.__module__ == module.__name__
            and self.base in (parent.__name__ for parent in value.__mro__[1:])
        ]
        if len(found) != 1:
            raise PluginError(f"{file_of(path)} must define one {self.base}, not {len(found)}")
        return found[0]


# Where processes are spawned (a loader's workers, several devices), what one is handed can be of a
# plugin's class.
use([folder for folder in json.loads(os.environ.get(HANDED_ON, "[]")) if Path(folder).is_dir()])
