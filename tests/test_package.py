import ast
import subprocess
import sys
from pathlib import Path

import pytest

import autoq


def test_every_public_name_is_there():
    made = {name: getattr(autoq, name) for name in autoq.__all__ if name != "__version__"}
    assert {name for name, value in made.items() if not value.__module__.startswith("autoq.")} == set()
    assert {"search", "quantize", "SearchResult"} <= made.keys()


def test_an_unknown_name_is_an_attribute_error():
    assert not hasattr(autoq, "quantise")


@pytest.mark.parametrize(
    "first", ["import autoq.searching", "from autoq.searching.shown import ParetoFront", "import autoq.cli"]
)
def test_search_is_the_function_whatever_was_imported_before(first):
    code = f"{first}; import autoq; from autoq import search; print(autoq.search is search, callable(search))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "True True"


PACKAGE = Path(autoq.__file__).parent
WRITING = {"write_text", "write_bytes", "save", "savez", "savez_compressed", "save_model", "savefig", "dump", "tofile"}
# Files that end with their process: the way of models into the device process, a traceback that has no folder, and
# activations, and their products, that memory has no room for.
TEMPORARY = {
    "calibration/collecting/_grams.py",
    "calibration/collecting/_segments.py",
    "cli/_trouble.py",
    "evaluation/isolation/_crossing.py",
}


def calls(path: Path) -> list[ast.Call]:
    return [node for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, ast.Call)]


def names_in(node: ast.AST) -> set[str]:
    return {part.id for part in ast.walk(node) if isinstance(part, ast.Name)}


def test_whatever_lasts_is_written_as_a_draft():
    loose = []
    for path in PACKAGE.rglob("*.py"):
        name = str(path.relative_to(PACKAGE))
        for call in calls(path):
            called = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
            modes = [a.value for a in call.args if isinstance(a, ast.Constant) and isinstance(a.value, str)]
            opened = called in {"open", "fdopen"} and any(
                set(mode) <= set("rwxab+t") and set(mode) & set("wxa") for mode in modes
            )
            native = (
                isinstance(call.func, ast.Attribute)
                and called in WRITING
                and names_in(call.func) & {"np", "ov", "path", "target", "json", "figure", "folder"}
            )
            if (
                (opened or native)
                and not names_in(call) & {"draft", "content"}
                and "lock" not in ast.dump(call)
                and name not in TEMPORARY
            ):
                loose.append(f"{name}:{call.lineno}")
    assert loose == []


def test_no_pickle_is_read_from_a_file():
    """Only what crosses to the device process, over a socket that nobody else has, is pickled."""
    readers = {("pickle", "load"), ("pickle", "loads"), ("np", "load"), ("joblib", "load"), ("cloudpickle", "load")}
    found = set()
    for path in PACKAGE.rglob("*.py"):
        for call in calls(path):
            func = call.func
            if (
                isinstance(func, ast.Attribute)
                and isinstance(func.value, ast.Name)
                and (func.value.id, func.attr) in readers
            ):
                plain = any(k.arg == "allow_pickle" and getattr(k.value, "value", None) is False for k in call.keywords)
                if not plain:
                    found.add(f"{path.relative_to(PACKAGE)}: {func.value.id}.{func.attr}")
    assert found == {"evaluation/isolation/_worker.py: pickle.loads"}


def test_openvino_has_one_core():
    """What MLflow serves stands alone: it is copied beside the model and cannot import autoq."""
    made = {
        str(path.relative_to(PACKAGE))
        for path in PACKAGE.rglob("*.py")
        for call in calls(path)
        if isinstance(call.func, ast.Attribute) and call.func.attr == "Core"
    }
    assert made == {"graph/form/_core.py", "tracking/_served.py"}
