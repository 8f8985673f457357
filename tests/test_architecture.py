"""The rules of docs/architecture.md that the linter does not know: sizes, names, circles, tests, and nothing left over."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections import Counter, defaultdict
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import grimp
import pytest
from support.places import ROOT

PACKAGES = ("andi_bench", "benchmark", "datasets", "leaderboard", "methods")
SHELVES = (
    "methods.baselines",
    "datasets.adapters",
    "andi_bench.metrics",
    "leaderboard.exports",
    "leaderboard.figures",
)
"""Folders with a file a plug-in, a formula, a figure or an export: these may grow."""

MOST_MODULES, MOST_LINES, MOST_FUNCTION_LINES, MOST_PARAMETERS, MOST_SKIPS = 16, 400, 60, 8, 15

NO_UNIT_TEST = {
    "andi_bench.__main__": "two lines around the command line, which the start-up tests run",
    "benchmark.__main__": "as andi_bench.__main__",
    "benchmark.door": "every test of a command goes through it, by the fixture 'cli'",
    "benchmark.conformance.worker": "a process of its own, which the check 'two processes' starts",
}
"""Modules that no unit test of their own package imports, and why not."""


@dataclass(frozen=True)
class Module:
    """A Python file of the shipped packages."""

    name: str
    path: Path
    text: str
    tree: ast.Module

    @property
    def folder(self) -> str:
        return self.name.rpartition(".")[0]


@cache
def modules() -> dict[str, Module]:
    """Return all modules but ``__init__``, by name."""
    found = {}
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            if path.name != "__init__.py":
                name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
                text = path.read_text(encoding="utf-8")
                found[name] = Module(name, path, text, ast.parse(text))
    return found


def areas() -> list[str]:
    """Return the folders of the second level, and the packages' own modules: what a rule is asked of."""
    return sorted({".".join(module.folder.split(".")[:2]) for module in modules().values()})


each_area = pytest.mark.parametrize("area", areas())
"""Ask a rule of every area."""


def in_area(area: str) -> list[Module]:
    """Return the modules of an area, those of its folders too where it is one of the second level."""
    deep = "." in area
    return [
        m
        for m in modules().values()
        if m.folder == area or (deep and m.name.startswith(f"{area}."))
    ]


@each_area
def test_a_folder_holds_at_most_16_modules_but_for_shelves_of_plug_ins(area):
    counts = Counter(module.folder for module in in_area(area) if module.folder not in SHELVES)
    assert {folder: n for folder, n in counts.items() if n > MOST_MODULES} == {}


@pytest.mark.parametrize("package", PACKAGES)
def test_no_two_modules_of_a_package_have_one_name(package):
    names = defaultdict(list)
    for name in modules():
        if name.startswith(f"{package}.") and not name.endswith(".__main__"):
            names[name.rpartition(".")[2]].append(name)
    assert [found for found in names.values() if len(found) > 1] == []


@each_area
def test_no_module_is_longer_than_400_lines(area):
    lengths = {module.name: module.text.count("\n") for module in in_area(area)}
    assert {name: n for name, n in lengths.items() if n > MOST_LINES} == {}


def functions(module: Module) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    kinds = ast.FunctionDef | ast.AsyncFunctionDef
    return [node for node in ast.walk(module.tree) if isinstance(node, kinds)]


def parameters(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    given = function.args
    named = [a.arg for a in (*given.posonlyargs, *given.args)]
    count = len(named) + len(given.kwonlyargs) + bool(given.vararg) + bool(given.kwarg)
    return count - (named[:1] in (["self"], ["cls"]))


@each_area
def test_functions_are_short_and_take_few_parameters(area):
    wrong = {}
    for module in in_area(area):
        for function in functions(module):
            lines, count = (function.end_lineno or 0) - function.lineno + 1, parameters(function)
            if lines > MOST_FUNCTION_LINES or count > MOST_PARAMETERS:
                wrong[f"{module.name}.{function.name}"] = (lines, count)
    command = {name for name in wrong if is_command(name)}
    assert {name: found for name, found in wrong.items() if name not in command} == {}


def is_command(name: str) -> bool:
    """Whether a function is one of the command line's own: its parameters are the options."""
    return name.startswith("benchmark.cli.") and "typer" in modules()[name.rpartition(".")[0]].text


@cache
def graph() -> grimp.ImportGraph:
    return grimp.build_graph(*PACKAGES, cache_dir=None)


@cache
def imports() -> dict[str, set[str]]:
    return {name: graph().find_modules_directly_imported_by(name) for name in graph().modules}


def circles(edges: dict[str, set[str]]) -> set[str]:
    """Return the nodes from which a way leads back to themselves."""
    found = set()
    for start in edges:
        seen, todo = set(), list(edges[start])
        while todo:
            node = todo.pop()
            if node not in seen:
                seen.add(node)
                todo += edges.get(node, ())
        if start in seen:
            found.add(start)
    return found


def test_no_module_imports_itself_by_way_of_others():
    assert circles(imports()) == set()


def test_no_folder_imports_itself_by_way_of_others():
    packages = {name for name in graph().modules if name not in modules()}
    edges: dict[str, set[str]] = defaultdict(set)
    for name, others in imports().items():
        for other in others:
            one, two = (m if m in packages else m.rpartition(".")[0] for m in (name, other))
            if one != two:
                edges[one].add(two)
    assert circles(dict(edges)) == set()


@each_area
def test_what_is_imported_from_ourselves_is_there(area):
    """The type checker passes over modules that it does not find: libraries may be without types."""
    there = set(graph().modules)
    missing = {
        f"{module.name}: {node.module}"
        for module in in_area(area)
        for node in ast.walk(module.tree)
        if isinstance(node, ast.ImportFrom)
        and (node.module or "").split(".")[0] in PACKAGES
        and node.module not in there
    }
    assert missing == set()


def test_circles_are_found():
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": {"a"}}) == {"b", "c"}
    assert circles({"a": {"a"}}) == {"a"}


@pytest.mark.parametrize("package", ["datasets", "methods", "benchmark"])
def test_comparisons_know_no_data_set_no_detector_and_no_engine(package):
    chain = graph().find_shortest_chain("leaderboard", package, as_packages=True)
    assert chain is None


@pytest.mark.parametrize("library", ["torch", "nibabel", "SimpleITK", "lmdb", "accelerate"])
def test_comparisons_open_no_scan_and_build_no_network(library):
    reached, todo = set(), [name for name in graph().modules if name.startswith("leaderboard")]
    while todo:
        name = todo.pop()
        if name not in reached:
            reached.add(name)
            todo += imports()[name]
    users = [name for name in reached & set(modules()) if library in imported_by(modules()[name])]
    # A function of the foundation that comparisons do not call may import what it needs.
    assert [name for name in users if name.startswith("leaderboard")] == []
    assert [name for name in users if library in imported_by(modules()[name], top_only=True)] == []


def imported_by(module: Module, top_only: bool = False) -> set[str]:
    """Return the top-level packages that a module imports, in its functions too unless ``top_only``."""
    nodes = module.tree.body if top_only else list(ast.walk(module.tree))
    found: set[str] = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module.split(".")[0])
    return found


@cache
def imported_by_tests() -> dict[str, set[str]]:
    """Return, for each package, the modules that unit tests of that package import."""
    found: dict[str, set[str]] = {}
    for package in PACKAGES:
        names: set[str] = set()
        for path in (ROOT / "tests" / package).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Import):
                    names |= {alias.name for alias in node.names}
                elif isinstance(node, ast.ImportFrom) and node.module:
                    names.add(node.module)
                    names |= {f"{node.module}.{alias.name}" for alias in node.names}
        found[package] = names & set(modules())
    return found


@each_area
def test_every_module_is_imported_by_a_unit_test_of_its_own_package(area):
    """By itself, or by another module of its folder that a test imports: what lies behind a folder's door."""
    reached, todo = set(), list(imported_by_tests()[area.split(".")[0]])
    while todo:
        name = todo.pop()
        if name not in reached:
            reached.add(name)
            todo += [
                other
                for other in imports()[name]
                if other in modules() and modules()[other].folder == modules()[name].folder
            ]
    missing = {module.name for module in in_area(area)} - reached
    assert missing - set(NO_UNIT_TEST) == set()


def test_no_two_files_of_tests_have_one_name():
    counts = Counter(path.name for path in (ROOT / "tests").rglob("test_*.py"))
    assert [name for name, count in counts.items() if count > 1] == []


def test_the_exceptions_are_modules_and_few():
    assert set(NO_UNIT_TEST) <= set(modules())
    assert len(NO_UNIT_TEST) <= 8
    assert set(SHELVES) <= {module.folder for module in modules().values()}


def test_the_formatter_is_overruled_in_few_places():
    mark = "fmt: " + "skip"
    files = [path for top in (*PACKAGES, "tests", "perf") for path in (ROOT / top).rglob("*.py")]
    counts = {path: path.read_text(encoding="utf-8").count(mark) for path in files}
    assert sum(counts.values()) < MOST_SKIPS


@pytest.mark.parametrize("area", ["methods", "benchmark/conformance", "tests/e2e", "tests/methods"])
def test_the_formatter_is_not_overruled_here(area):
    mark = "fmt: " + "skip"
    found = [path for path in (ROOT / area).rglob("*.py") if mark in path.read_text()]
    assert [path for path in found if "prepar" not in path.name] == []


CALLED_BY_LIBRARIES = {"forward": "torch", "cls": "pydantic"}


@cache
def used_names() -> Counter[str]:
    """Count the names that shipped code, its YAML files and the measurements use."""
    used: Counter[str] = Counter()
    trees = [module.tree for module in modules().values()]
    trees += [ast.parse(p.read_text(encoding="utf-8")) for p in (ROOT / "perf").rglob("*.py")]
    for path in ROOT.glob("*/**/__init__.py"):
        if path.relative_to(ROOT).parts[0] in PACKAGES:
            trees.append(ast.parse(path.read_text(encoding="utf-8")))
    for tree in trees:
        offered = exported(tree)
        for node in ast.walk(tree):
            if node in offered:
                continue
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
                used[node.id] += 1
            elif isinstance(node, ast.Attribute):
                used[node.attr] += 1
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                used.update(re.findall(r"^(?:[\w.]+:)?([A-Za-z_]\w*)$", node.value))  # getattr
    for path in (ROOT / "configs").rglob("*.yaml"):
        used.update(re.findall(r":([A-Za-z_]\w*)", path.read_text(encoding="utf-8")))
    for template in (ROOT / "leaderboard").rglob("*.j2"):
        used.update(re.findall(r"[A-Za-z_]\w*", template.read_text(encoding="utf-8")))
    return used


def exported(tree: ast.Module) -> set[ast.AST]:
    """Return the strings of ``__all__``: to be offered is not to be used."""
    lists = [
        n
        for n in tree.body
        if isinstance(n, ast.Assign) and "__all__" in [ast.unparse(target) for target in n.targets]
    ]
    return {node for found in lists for node in ast.walk(found)}


def definitions(module: Module) -> list[str]:
    """Return the names of functions, classes, methods and constants that nothing registers by a decorator."""
    found = []
    todo: list[ast.stmt] = list(module.tree.body)
    while todo:
        node = todo.pop()
        if isinstance(node, ast.ClassDef):
            todo += [n for n in node.body if isinstance(n, ast.FunctionDef)]
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not registers(node):
            found.append(node.name)
        elif isinstance(node, ast.Assign):
            found += [target.id for target in node.targets if isinstance(target, ast.Name)]
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            found.append(node.target.id)
    return [name for name in found if not (name.startswith("__") and name.endswith("__"))]


def registers(node: ast.FunctionDef | ast.ClassDef) -> bool:
    """Whether a decorator hands the definition to somebody: a registry, pydantic, typer."""
    plain = {"property", "staticmethod", "classmethod", "dataclass", "lru_cache", "cache"}
    plain |= {"cached_property", "contextmanager"}
    names = [ast.unparse(decorator).split("(")[0] for decorator in node.decorator_list]
    return any(name.rpartition(".")[2] not in plain | {"inference_mode"} for name in names)


@each_area
def test_nothing_is_defined_that_only_tests_use(area):
    unused = [
        f"{module.name}.{name}"
        for module in in_area(area)
        for name in definitions(module)
        if not used_names()[name] and name not in CALLED_BY_LIBRARIES
    ]
    assert unused == []


def test_the_linters_contracts_hold():
    done = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
