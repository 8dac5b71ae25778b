"""Digests of values and code: equal where the meaning is, in every process."""

import functools
import subprocess
import sys
import textwrap

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoq.core import digest_of
from autoq.core.files import _digest
from autoq.core.files._code_use import is_users_module


def made(source, name="score", **names):
    """What a source defines, as if it stood in a module of the user's."""
    scope = {"__name__": "users_own", "np": np} | names
    exec(compile(textwrap.dedent(source), "<users own>", "exec"), scope)  # noqa: S102
    return scope[name]


BASE = """
LIMIT = 3
WEIGHTS = {"a": 1.0}

def helper(x):
    return x + 1

class Scaled:
    factor = 2
    def __init__(self, by): self.by, self.calls = by, 0
    def __call__(self, x):
        self.calls += 1
        return x * self.by * self.factor

def score(output, target, scale=1.0):
    "Says what it does."
    return helper(output) * scale * WEIGHTS["a"] + LIMIT - (1 if target in {"cat", "dog", "bird"} else 0)

scaled = Scaled(3)
"""


def test_the_same_code_elsewhere_is_the_same():
    moved = "\n\n\n# a comment\n" + BASE.replace("Says what it does.", "In other words.").replace("output", "out")
    assert digest_of(made(BASE)) == digest_of(made(moved))
    assert digest_of(made(BASE, "scaled")) == digest_of(made(moved, "scaled"))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("scale * WEIGHTS", "scale / WEIGHTS"),
        ("return x + 1", "return x + 2"),
        ("LIMIT = 3", "LIMIT = 4"),
        ('{"a": 1.0}', '{"a": 1.5}'),
        ("scale=1.0", "scale=2.0"),
        ('"bird"', '"fish"'),
        ("helper(output)", "abs(output)"),
    ],
)
def test_other_code_is_another(old, new):
    assert old in BASE
    assert digest_of(made(BASE)) != digest_of(made(BASE.replace(old, new)))


@pytest.mark.parametrize(
    ("old", "new"), [("Scaled(3)", "Scaled(4)"), ("factor = 2", "factor = 5"), ("x * self", "x + self")]
)
def test_an_object_is_its_class_and_what_it_was_made_with(old, new):
    assert old in BASE
    assert digest_of(made(BASE, "scaled")) != digest_of(made(BASE.replace(old, new), "scaled"))


def test_what_code_changes_while_it_runs_does_not_count():
    scaled = made(BASE, "scaled")
    before = digest_of(scaled)
    scaled(1)
    assert digest_of(scaled) == before
    source = """
    calls, cache, count = [], {}, 0
    def score(x):
        global count
        count += 1
        calls.append(x)
        cache[x] = x
        return len(calls)
    """
    score = made(source)
    before = digest_of(score)
    score(1)
    assert digest_of(score) == before


def test_closures_partials_methods_and_decorators_are_looked_into():
    source = """
    import functools
    def maker(limit):
        def score(x): return x > limit
        return score
    def traced(function):
        @functools.wraps(function)
        def call(*given): return function(*given)
        return call
    def recursive(n): return n and recursive(n - 1)
    """
    maker, traced = made(source, "maker"), made(source, "traced")
    assert digest_of(maker(1)) == digest_of(maker(1)) != digest_of(maker(2))
    assert digest_of(traced(maker(1))) == digest_of(traced(maker(1))) != digest_of(traced(maker(2)))
    assert digest_of(functools.partial(maker(1), x=1)) != digest_of(functools.partial(maker(1), x=2))
    assert digest_of(functools.lru_cache(maker(1))) != digest_of(functools.lru_cache(maker(2)))
    assert digest_of(made(source, "recursive")) == digest_of(made(source, "recursive"))
    assert digest_of(made(BASE, "Scaled")(3).__call__) != digest_of(made(BASE, "Scaled")(4).__call__)


def test_it_is_the_same_in_another_process_whatever_its_hashes():
    code = f"from autoq.core import digest_of\nexec({BASE!r})\nprint(digest_of(score, scaled, {{'x', 'y', ('z', 1)}}))"
    place = {"PYTHONPATH": ":".join(sys.path)}
    said = {
        subprocess.run([sys.executable, "-c", code], env=place | {"PYTHONHASHSEED": seed}, stdout=-1, check=True).stdout
        for seed in ("1", "2")
    }
    assert len(said) == 1


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.binary(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


@given(PLAIN, PLAIN)
def test_values_have_one_digest_if_they_are_written_the_same(one, other):
    assert (digest_of(one) == digest_of(other)) == (repr(_sorted(one)) == repr(_sorted(other)))


def _sorted(value):
    if isinstance(value, dict):
        return {key: _sorted(value[key]) for key in sorted(value)}
    return [_sorted(item) for item in value] if isinstance(value, list) else value


def test_arrays_count_by_type_shape_and_numbers():
    x = np.arange(6, dtype=np.float32)
    assert digest_of(x) == digest_of(x.copy()) == digest_of(np.repeat(x, 2)[::2])
    others = [x.astype(np.float64), x.reshape(2, 3), x + 1, x.tolist()]
    assert len({digest_of(value) for value in (x, *others)}) == 5
    assert digest_of(np.int64(3)) == digest_of(3) != digest_of(True)
    assert digest_of(np.array(["a", None], object)) != digest_of(np.array(["a", "b"], object))


def test_of_a_large_array_rows_at_equal_distances_count(monkeypatch):
    monkeypatch.setattr(_digest, "_MOST_BYTES", 16)
    x = np.arange(12, dtype=np.float32)  # 48 bytes: every fourth row
    digests = [digest_of(x + (np.arange(12) == place)) == digest_of(x) for place in range(12)]
    assert digests == [place % 4 != 0 for place in range(12)]
    assert digest_of(x) != digest_of(x[:9])


class Tensor:
    """Gives its numbers away once it is taken out of its framework."""

    def __init__(self, numbers, error=None):
        self.numbers, self.error = numbers, error

    def detach(self):
        return Tensor(self.numbers, self.error)

    def cpu(self):
        return np.asarray(self.numbers)

    def __array__(self, dtype=None, copy=None):
        raise self.error


def test_tensors_count_as_arrays():
    assert digest_of(Tensor([1, 2])) == digest_of(np.array([1, 2])) != digest_of(Tensor([1, 3]))


@pytest.mark.parametrize("error", [TypeError, ValueError, RuntimeError])
def test_what_does_not_become_an_array_counts_as_an_object(error, monkeypatch):
    monkeypatch.delattr(Tensor, "detach")
    assert digest_of(Tensor([1], error())) == digest_of(Tensor([1], error())) != digest_of(Tensor([2], error()))


@pytest.mark.parametrize(
    ("name", "users"),
    [
        ("", False),
        ("builtins", False),
        ("sys", False),
        ("json.decoder", False),
        ("numpy", False),
        ("autoq.core", False),
        ("__main__", True),
        ("users_own", True),
        (__name__, True),
    ],
)
def test_whose_a_module_is(name, users):
    assert is_users_module(name) is users


def test_the_script_that_runs_is_the_users_whoever_runs_it(monkeypatch):
    """As `python -m package` does with a file of an installed package."""
    monkeypatch.setitem(sys.modules, "__main__", pytest)
    is_users_module.cache_clear()
    assert is_users_module("__main__")
    assert not is_users_module("pytest")


def test_circles_end():
    one: list[object] = [1]
    one.append(one)
    assert digest_of(one) == digest_of(one)
