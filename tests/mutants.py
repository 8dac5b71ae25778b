"""Whether tests notice that code is changed: `make mutants NAME=racing`.

Operators of cosmic-ray change one place of a module at a time; a process that has the change, in memory alone, runs the
tests of that part until one fails. Changes of annotations and docstrings are left out. Of many places some are drawn,
the same ones for a seed. What survives is printed with its line, and at the end the share that was noticed.
"""

from __future__ import annotations

import argparse
import ast
import difflib
import itertools
import json
import os
import random
import signal
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib.machinery import SourceFileLoader
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
# Name -> modules, or folders of them, and the tests that have to notice.
PARTS = {
    "core": (["core"], ["core"]),
    "statistics": (["evaluation/statistics", "evaluation/scoring"], ["evaluation/statistics", "evaluation/scoring"]),
    "racing": (["evaluation/scoring/_racing.py", "evaluation/candidate/_contest.py"], ["evaluation/scoring"]),
    "front": (
        ["searching/front", "searching/records/_limits.py", "searching/shown/_pareto_front.py"],
        ["searching/front", "searching/records"],
    ),
}
# Heavy packages that the tests import; each process gets them from its parent.
PRELOADED = ("pytest", "hypothesis", "numpy", "scipy.stats", "scipy.optimize", "openvino", "joblib", "pydantic")


class Mutant(NamedTuple):
    """A module with one change."""

    path: Path
    operator: str
    code: str

    def __str__(self) -> str:
        before = self.path.read_text("utf-8").splitlines()
        changed = [*difflib.unified_diff(before, self.code.splitlines(), n=0, lineterm="")][2:]
        return f"{self.path.relative_to(ROOT)} {' '.join(' '.join(changed).split())}"


def modules_of(path: Path) -> list[Path]:
    """A module, or those in a folder."""
    return [file for file in sorted(path.rglob("*.py")) or [path] if file.name != "__init__.py"]


def places(path: Path) -> list[tuple[Path, str, int]]:
    """Where a module can be changed: the module, the name of the operator, and the number of the place."""
    from cosmic_ray.ast import ast_nodes, get_ast
    from cosmic_ray.plugins import get_operator, operator_names

    nodes = list(ast_nodes(get_ast(path.read_text("utf-8"))))
    operators = {name: get_operator(name) for name in operator_names()}
    return [
        (path, name, place)
        for name, operator in operators.items()
        if not operator.arguments()
        for place in range(sum(len(list(operator().mutation_positions(node))) for node in nodes))
    ]


def mutants(every: list[tuple[Path, str, int]], seed: int) -> Iterator[Mutant]:
    """Changes of what modules do, in an order that is drawn; each once."""
    from cosmic_ray.mutating import mutate_code
    from cosmic_ray.plugins import get_operator

    seen = set()
    for path, name, place in random.Random(seed).sample(every, len(every)):
        code = path.read_text("utf-8")
        try:
            changed = mutate_code(code, get_operator(name)(), place)
        except AttributeError:
            continue  # cosmic-ray does not change exceptions that are named with a dot
        if changed is not None and (what := (path, meaning(changed))) not in seen and what[1] != meaning(code):
            seen.add(what)
            yield Mutant(path, name, changed)


def meaning(code: str) -> str:
    """What code does, without annotations and docstrings; not what the interpreter makes of it."""
    try:
        tree = ast.parse(code)
    except SyntaxError:
        return ""
    for node in ast.walk(tree):
        if isinstance(node, ast.AnnAssign | ast.arg):
            node.annotation = ast.Constant(None)
        if isinstance(node, ast.FunctionDef):
            node.returns = None
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            node.value = ast.Constant(None)
    return ast.dump(tree)


def noticed(mutant: Mutant | None, tests: list[str], limit_s: float) -> str | None:
    """Runs the tests of a mutant, or of the code as it is: "killed", "timeout", or None where all passed."""
    child = os.fork()
    if not child:
        _be(mutant, tests)
    until = time.monotonic() + limit_s
    while True:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return None if os.waitstatus_to_exitcode(status) == 0 else "killed"
        if time.monotonic() > until:
            os.killpg(child, signal.SIGKILL)
            os.waitpid(child, 0)
            return "timeout"
        time.sleep(0.02)


def _be(mutant: Mutant | None, tests: list[str]) -> None:
    os.setpgid(0, 0)
    nowhere = os.open(os.devnull, os.O_RDWR)
    for descriptor in range(3):
        os.dup2(nowhere, descriptor)
    code = 1
    try:
        import pytest

        if mutant is not None:
            as_it_is = SourceFileLoader.get_code

            def changed(loader: SourceFileLoader, name: str) -> object:
                if loader.path == str(mutant.path):
                    return compile(mutant.code, loader.path, "exec", dont_inherit=True)
                return as_it_is(loader, name)

            SourceFileLoader.get_code = changed
        chosen = [
            "-m",
            "not peers and not slow and not torch and not cores",
            "-W",
            "ignore::pytest.PytestAssertRewriteWarning",
        ]
        code = int(pytest.main(["-q", "-x", "-p", "no:cacheprovider", "-p", "no:faulthandler", *chosen, *tests]))
    finally:
        os._exit(code)


def main() -> None:
    """Reads the command line, prints a line for each survivor, and one in JSON with the share."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("part", choices=PARTS)
    parser.add_argument("--sample", type=int, default=150, help="how many of the changes are tried")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    given = parser.parse_args()
    modules, tests = PARTS[given.part]
    files = [file for name in modules for file in modules_of(ROOT / "autoq" / name)]
    every = [place for file in files for place in places(file)]
    drawn = list(itertools.islice(mutants(every, given.seed), given.sample))
    os.chdir(ROOT)
    sys.path[:0] = [str(ROOT), str(ROOT / "tests")]
    for name in PRELOADED:
        __import__(name)
    began = time.monotonic()
    folders = [f"tests/{name}" for name in tests]
    if noticed(None, folders, 600) is not None:
        sys.exit("the tests fail without any change.")
    limit_s = 30 + 5 * (time.monotonic() - began)

    def tried(mutant: Mutant) -> str | None:
        # Those that are named like the module come first.
        own = [str(file) for folder in folders for file in sorted(Path(folder).rglob(f"test{mutant.path.name}"))]
        return noticed(mutant, [*own, *folders], limit_s)

    survivors = []
    with ThreadPoolExecutor(given.jobs) as pool:
        for mutant, outcome in zip(drawn, pool.map(tried, drawn), strict=True):
            if outcome is None:
                survivors.append(mutant)
                print(mutant, flush=True)
    found = {"part": given.part, "seed": given.seed, "places": len(every), "tried": len(drawn)}
    share = round(1 - len(survivors) / len(drawn), 3)
    print(json.dumps(found | {"noticed": len(drawn) - len(survivors), "share": share}))


if __name__ == "__main__":
    main()
