"""Plain values of users and files: what is no mapping, no number, or too much is said."""

from fractions import Fraction

import numpy as np
import pytest

from autoq.core import ConfigError, PlanError, is_number, json_value, known_keys, mapping_of, whole_number
from autoq.core.values import DEEPEST, is_deeper

LARGEST = np.iinfo(np.int64).max


def nested(depth):
    values = []
    for level in range(depth - 1):
        values = {"a": values} if level % 2 else [1, values]
    return values


@pytest.mark.parametrize("value", [0, 3, LARGEST, np.int64(LARGEST), np.uint8(7)])
def test_whole_numbers_are_those_that_databases_hold(value):
    found = whole_number(value, "n", least=0)
    assert found == value
    assert type(found) is int


@pytest.mark.parametrize("value", [-1, LARGEST + 1, True, False, 1.0, "1", None, np.float32(2), [1]])
def test_what_is_no_whole_number_in_bounds_is_named(value):
    with pytest.raises(ConfigError, match=r"n is .*: it must be a whole number of at least 0\."):
        whole_number(value, "n", least=0, error=ConfigError)


def test_the_least_number_is_allowed_and_the_one_below_is_not():
    assert whole_number(-2, "n", least=-2) == -2
    with pytest.raises(PlanError, match="at least -2"):
        whole_number(-3, "n", least=-2)


@pytest.mark.parametrize("value", [0, -1.5, 10**300, np.float32(1), np.int8(-1), Fraction(1, 3)])
def test_numbers(value):
    assert is_number(value)


@pytest.mark.parametrize("value", [True, np.inf, -np.inf, np.nan, 10**400, 1j, "1", None, [1]])
def test_what_is_no_number(value):
    assert not is_number(value)


@pytest.mark.parametrize("depth", [1, 2, 5])
def test_depth_is_how_many_containers_are_nested(depth):
    assert not is_deeper(nested(depth), depth)
    assert is_deeper(nested(depth), depth - 1)
    assert is_deeper({"x": (nested(depth),)}, depth + 1)


def test_what_contains_itself_has_no_end():
    circle = {}
    circle["a"] = [circle]
    assert is_deeper(circle, 1000)
    with pytest.raises(ConfigError, match=f"a space must not be nested more than {DEEPEST} deep"):
        mapping_of(circle, "a space", ConfigError)


def test_mappings_are_as_deep_as_is_allowed():
    deepest = {"a": nested(DEEPEST - 1)}
    assert mapping_of(deepest, "a space") is deepest
    with pytest.raises(PlanError, match="nested more than 64 deep"):
        mapping_of({"a": deepest}, "a space")


@pytest.mark.parametrize("value", [None, [], "text", 3])
def test_what_is_no_mapping_is_named(value):
    with pytest.raises(PlanError, match="a plan must be a mapping of keys to values, got "):
        known_keys(value, ["a"], "a plan")


def test_keys_are_known_or_named():
    values = {"alpha": 1}
    assert known_keys(values, iter(["alpha", "beta"]), "space") is values
    with pytest.raises(ConfigError, match=r"space key 'alpa' is unknown: did you mean 'alpha'\?"):
        known_keys({"alpha": 1, "alpa": 2}, iter(["alpha", "beta"]), "space", ConfigError)


def test_json_is_read_or_named():
    assert json_value('{"a": [1, null]}', "x") == {"a": [1, None]}
    with pytest.raises(ConfigError, match="x is no JSON: Expecting value"):
        json_value("[1,", "x")
    with pytest.raises(PlanError, match="x is no JSON: it is nested too deeply"):
        json_value("[" * 200_000, "x", PlanError)
