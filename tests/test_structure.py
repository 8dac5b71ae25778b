"""The package's modules: who imports whom, and how many stand at one level."""

import ast
from collections import Counter
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import autoq
import autoq.api

PACKAGE = Path(autoq.__file__).parent
MOST_MODULES = 20


def name_of(path: Path, package: Path) -> str:
    parts = path.relative_to(package.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imported_modules(package: Path) -> dict[str, set[str]]:
    """All imports inside a package: at the top, in functions, and those for type checkers alone."""
    paths = {name_of(path, package): path for path in package.rglob("*.py")}
    graph = {}
    for name, path in paths.items():
        found = set()
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module:
                inside = {f"{node.module}.{alias.name}" for alias in node.names}
                found |= inside & paths.keys() or {node.module}
            elif isinstance(node, ast.Import):
                found |= {alias.name for alias in node.names}
        graph[name] = found & paths.keys() - {name}
    return graph


def first_cycle(graph: dict[str, set[str]]) -> list[str]:
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def test_no_modules_import_each_other_not_even_for_types():
    graph = imported_modules(PACKAGE)
    assert graph["autoq.api.searches._search"] > {"autoq.api.searches._prepare", "autoq.searching.space"}
    assert first_cycle(graph) == []


@pytest.mark.parametrize(
    "back",
    ["from house.a import A", "if TYPE_CHECKING:\n    from house.a import A", "def f():\n    import house.a"],
)
def test_a_cycle_is_found_wherever_its_imports_stand(tmp_path, back):
    package = tmp_path / "house"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "a.py").write_text("from house.b import B")
    (package / "b.py").write_text(back)
    assert set(first_cycle(imported_modules(package))) == {"house.a", "house.b"}


def test_no_level_has_more_modules_than_are_seen_at_once():
    levels = Counter(path.parent for path in PACKAGE.rglob("*.py"))
    assert {str(level): count for level, count in levels.items() if count > MOST_MODULES} == {}


@pytest.mark.parametrize("package", [autoq, autoq.api])
def test_no_public_name_is_hidden_by_a_module(package):
    """Python gives a package each module that is imported inside of it as an attribute, in place of what was there."""
    modules = {path.stem for path in Path(package.__file__).parent.iterdir()}
    assert not modules & set(package.__all__)


def meanings(package: Path) -> dict[str, set[str]]:
    """By public name of a class or a type alias, its definitions: a place for each class, the text of an alias."""
    found: dict[str, set[str]] = {}
    for path in package.rglob("*.py"):
        for node in ast.parse(path.read_text("utf-8")).body:
            match node:
                case ast.ClassDef(name=name):
                    meaning = name_of(path, package)
                case ast.Assign(targets=[ast.Name(id=name)], value=value) if name[0].isupper() and not name.isupper():
                    meaning = ast.unparse(value)
                case _:
                    continue
            if not name.startswith("_"):
                found.setdefault(name, set()).add(meaning)
    return found


def test_a_name_has_one_meaning():
    found = meanings(PACKAGE)
    assert found["SearchResult"] == {"autoq.api.results._result"}
    assert found["Build"] == {"Callable[[TrialRecord], ov.Model]"}
    assert {name: where for name, where in found.items() if len(where) > 1} == {}
