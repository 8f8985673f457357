"""The plug-in registry: how a name in a table becomes a class.

A method is found, in this order: among the classes registered in this process (by the decorator, as a
``--plugin`` file does), among the YAML files of ``configs/methods`` (each names its class), among the entry points
of installed packages (group ``andi_bench.methods``). Adapters of data sets likewise, group
``andi_bench.datasets``. Nothing is imported before its name is asked for.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.metadata
import importlib.util
import sys
import sysconfig
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

from andi_bench.errors import UserError, unknown_name
from andi_bench.place import rooms

T = TypeVar("T", bound=type)

ROOMS = ("benchmark", "datasets", "leaderboard", "methods")
"""Packages of this project beside this one."""
METHODS = "andi_bench.methods"
DATASETS = "andi_bench.datasets"
_PLUGIN = "andi_bench_plugin_"

_registered: dict[str, dict[str, type]] = {METHODS: {}, DATASETS: {}}


def register(name: str, *, group: str = METHODS) -> Callable[[T], T]:
    """Class decorator: put a detector (or, with ``group=DATASETS``, an adapter) in the registry.

    Parameters
    ----------
    name : str
        The name in tables and on the command line: lower case, digits and dashes.

    Raises
    ------
    UserError
        When another class already has the name, or the name has other characters.
    """
    if not name or any(not (c.isdigit() or c.islower() or c == "-") for c in name):
        raise UserError(f"name '{name}' of a plug-in: lower-case letters, digits and dashes wanted")

    def put(cls: T) -> T:
        known = _registered[group].get(name)
        if known is not None and _origin(known) != _origin(cls):
            raise UserError(
                f"the name '{name}' is taken by {_origin(known)}: {_origin(cls)} needs another one"
            )
        _registered[group][name] = cls
        cls.name = name  # type: ignore[attr-defined]
        return cls

    return put


def _origin(cls: type) -> str:
    module = sys.modules.get(cls.__module__)
    return f"{getattr(module, '__file__', None) or cls.__module__}:{cls.__qualname__}"


def source_hash(cls: type) -> str:
    """Hash the code of a class from outside, 32 hexadecimal digits; "" for a class that no file defines.

    That is the file that defines it, and those of its author's other modules that it uses: of its package, or files that
    are neither this project's nor the interpreter's nor installed.
    """
    module = sys.modules.get(cls.__module__)
    path = Path(getattr(module, "__file__", None) or "")
    if module is None or not path.is_file():
        return ""
    state = hashlib.blake2b(path.read_bytes(), digest_size=16)
    for name, used in sorted(_used_by(module, cls).items()):
        state.update(name.encode() + used.read_bytes())
    return state.hexdigest()


def _used_by(module: ModuleType, cls: type) -> dict[str, Path]:
    """Return the files of the author's other modules that a module uses, also by way of one another, by name."""
    package = module.__name__.partition(".")[0]
    out: dict[str, Path] = {}
    waiting = {base.__module__ for base in cls.__mro__} | _names_in(module)
    while waiting:
        name = waiting.pop()
        found = sys.modules.get(name)
        path = Path(getattr(found, "__file__", None) or "")
        if found is None or found is module or name in out or path.suffix != ".py":
            continue
        if name.partition(".")[0] == package or not _is_anothers(path.resolve()):
            out[name] = path
            waiting |= _names_in(found)
    return out


def _names_in(module: ModuleType) -> set[str]:
    """Return the names of the modules that a module's contents come from."""
    return {
        value.__name__ if isinstance(value, ModuleType) else str(getattr(value, "__module__", ""))
        for value in vars(module).values()
    }


def _is_anothers(path: Path) -> bool:
    """Whether a file is this project's, the interpreter's or installed."""
    ours = [rooms() / name for name in (*ROOMS, "andi_bench")]
    installed = [Path(sysconfig.get_path(kind)) for kind in ("stdlib", "purelib", "platlib")]
    return any(path.is_relative_to(folder.resolve()) for folder in (*ours, *installed))


def entry_points(group: str) -> dict[str, importlib.metadata.EntryPoint]:
    """Names that installed packages offer for a group, not yet imported."""
    return {point.name: point for point in importlib.metadata.entry_points(group=group)}


def registered(group: str = METHODS) -> dict[str, type]:
    """Classes registered in this process so far, by name."""
    return dict(_registered[group])


def registered_by(path: Path) -> dict[str, list[str]]:
    """Names that the classes of one Python file have in this process, by group."""
    out: dict[str, list[str]] = {}
    for group, classes in _registered.items():
        files = {
            name: getattr(sys.modules.get(cls.__module__), "__file__", None)
            for name, cls in classes.items()
        }
        out[group] = [name for name, file in files.items() if file and Path(file) == path]
    return out


def plugin_file(name: str) -> Path | None:
    """Return the plug-in file that registered a method; None for one that comes from elsewhere."""
    cls = _registered[METHODS].get(name)
    if cls is None or not cls.__module__.startswith(_PLUGIN):
        return None
    return Path(sys.modules[cls.__module__].__file__ or "")


def resolve(name: str, located: dict[str, str], *, group: str = METHODS) -> type:
    """Return the class that a name stands for, importing it if need be.

    Parameters
    ----------
    name : str
        The name asked for.
    located : mapping of str to str
        Names known from configuration files, each with its ``module:Class``.

    Raises
    ------
    UserError
        For a name that nothing offers (with the nearest one), or whose module cannot be imported.
    """
    if name in _registered[group]:
        return _registered[group][name]
    points = entry_points(group)
    kind = "method" if group == METHODS else "dataset"
    if name in located:
        target = located[name]
    elif name in points:
        target = points[name].value
    else:
        raise unknown_name(kind, name, {*located, *points, *_registered[group]})
    try:
        return _load(target)
    except UserError:
        raise
    except Exception as error:
        first = f"{type(error).__name__}: {error}".splitlines()[0]
        raise UserError(f"{kind} '{name}' cannot be imported from {target}: {first}") from error


def _load(target: str) -> type:
    module, _, attribute = target.partition(":")
    if not attribute:
        raise UserError(f"'{target}' does not name a class: 'module:Class' wanted")
    found: Any = importlib.import_module(module)
    for part in attribute.split("."):
        found = getattr(found, part)
    return found


def load_plugin(path: Path) -> dict[str, list[str]]:
    """Import one Python file and return the names that it registered, by group (:data:`METHODS`, :data:`DATASETS`).

    Raises
    ------
    UserError
        When the file is missing, fails to import, or registers nothing.
    """
    if not path.is_file():
        raise UserError(f"plug-in {path}: no such file")
    before = {group: dict(names) for group, names in _registered.items()}
    module_name = f"{_PLUGIN}{path.stem}"
    spec = importlib.util.spec_from_file_location(module_name, path)
    if spec is None or spec.loader is None:
        raise UserError(f"plug-in {path}: a Python file (.py) wanted")
    module = importlib.util.module_from_spec(spec)
    sys.modules[module_name] = module
    try:
        spec.loader.exec_module(module)
    except UserError:
        raise
    except Exception as error:
        first = f"{type(error).__name__}: {error}".splitlines()[0]
        raise UserError(f"plug-in {path} cannot be imported: {first}") from error
    new = {
        group: [name for name, cls in names.items() if before[group].get(name) is not cls]
        for group, names in _registered.items()
    }
    if not any(new.values()):
        raise UserError(
            f"plug-in {path} registers nothing: decorate a class with @register('name')"
        )
    return new
