"""YAML of bounded size and depth, and models that are made of it."""

import pytest
from pydantic import BaseModel, ConfigDict

from autoq.core import ConfigError, parse_fields, read_yaml, yaml_value
from autoq.core.files import _yaml_text

LARGEST = 2**63 - 1


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (f"[{LARGEST}, {-LARGEST}, 0x10]", [LARGEST, -LARGEST, 16]),
        ("{2001-02-03: 12:30}", {"2001-02-03": 750}),
        ("a: &x 1\nb: *x", {"a": 1, "b": 1}),
        ("{<<: [{a: 1}, {b: 2}], c: 3}", {"a": 1, "b": 2, "c": 3}),
        ("'" + "x" * 999_998 + "'", "x" * 999_998),
    ],
)
def test_plain_values_are_read_up_to_the_bounds(text, value):
    assert yaml_value(text, "x") == value


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (str(LARGEST + 1), f"x is not YAML: '{LARGEST + 1}' is too large, line 1, column 1"),
        (f"a: {-LARGEST - 1}", "is too large"),
        ("a: 1\na: 2", "key 'a' stands twice"),
        ("{1: a, true: b}", "key True stands twice"),  # one key to Python
        ("{[1]: 2}", "unhashable key"),
        ("!!int x", "'x' is no int"),
        ("!!timestamp 2001-01-01", "could not determine a constructor"),
        ("!!set {a}", "could not determine a constructor"),
        ("a: &a [*a]", r"x contains itself: '\*a' stands inside the value that it names"),
        ("*nothing", "undefined alias"),
        ("[" * 64 + "]" * 64, "x is nested more than 64 deep"),
        ("x" * 1_000_001, "x has more than 1,000,000 characters"),
        ("a: 'b", "x is not YAML: while scanning a quoted scalar"),
    ],
)
def test_what_is_no_plain_value_is_named(text, why):
    with pytest.raises(ConfigError, match=why) as caught:
        yaml_value(text, "x")
    assert "string>" not in str(caught.value)


def test_values_are_as_deep_as_is_allowed():
    yaml_value("[" * 63 + "]" * 63, "x")


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("[1, 2, 3]", 4),
        ("{a: 1, b: [2]}", 6),
        ("[&a [1, 2], *a, *a]", 10),
        ("[&a {x: 1}, &b [*a, *a], *b]", 18),
        ("&a 1", 1),
        ("[&a 1, *a]", 3),
    ],
)
def test_values_are_counted_with_all_aliases_expanded(text, size, monkeypatch):
    monkeypatch.setattr(_yaml_text, "_MOST_VALUES", size)
    yaml_value(text, "x")
    monkeypatch.setattr(_yaml_text, "_MOST_VALUES", size - 1)
    with pytest.raises(ConfigError, match=f"x has more than {size - 1} values"):
        yaml_value(text, "x")


class Budget(BaseModel):
    model_config = ConfigDict(extra="forbid")
    n_trials: int | None = None


class Experiment(BaseModel):
    model_config = ConfigDict(extra="forbid")
    name: str
    budget: Budget | None = None
    shares: tuple[float, ...] = ()


def test_values_become_a_model():
    found = parse_fields(Experiment, {"name": "a", "budget": {"n_trials": 3}, "shares": [1, 0.5]}, "x.yaml")
    assert found == Experiment(name="a", budget=Budget(n_trials=3), shares=(1.0, 0.5))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (["name"], "x.yaml must be a mapping"),
        ({"nam": "a"}, "x.yaml: key 'nam' is unknown: did you mean 'name'"),
        ({"name": "a", "n_trials": 3}, "x.yaml: key 'n_trials' is unknown: it belongs under 'budget'."),
        ({"name": "a", "budget": {"trials": 3}}, "x.yaml: key 'budget.trials' is unknown: did you mean 'n_trials'"),
        ({"name": "a", "budget": {"name": 3}}, "x.yaml: key 'budget.name' is unknown: known: n_trials"),
        ({}, "x.yaml: name is missing: Field required."),
        ({"name": "a", "shares": [1, "x"]}, "x.yaml: shares.1 is 'x': Input should be a valid number"),
    ],
)
def test_what_a_model_does_not_have_is_named_with_its_place(values, message):
    with pytest.raises(ConfigError, match=message):
        parse_fields(Experiment, values, "x.yaml")


def test_files_are_read_or_named(tmp_path):
    path = tmp_path / "a.yaml"
    with pytest.raises(ConfigError, match=r"^space '.*a\.yaml' cannot be read: No such file"):
        read_yaml(path, "space")
    path.write_bytes(b"#" * 999_996 + b"\nn: ")
    assert read_yaml(path, "space") == {"n": None}
    path.write_bytes(b"#" * 999_997 + b"\nn: ")
    with pytest.raises(ConfigError, match=r"^space '.*a\.yaml' has more than 1,000,000 characters"):
        read_yaml(path, "space")
