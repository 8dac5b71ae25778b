"""Dataclasses made of plain values: what does not fit its field is named."""

from dataclasses import dataclass, field

import pytest

from autoq.core import ConfigError, StoredFileError, typed


@dataclass(frozen=True)
class Point:
    x: float
    names: tuple[str, ...] = ()
    model_type: str | None = None
    inner: frozenset[int] = field(default_factory=frozenset)

    def __post_init__(self) -> None:
        if self.x < 0:
            msg = "x must not be negative."
            raise ValueError(msg)


def test_values_become_those_of_their_fields():
    assert typed(Point, {"x": 1, "names": ["a", "b"]}, "a point") == Point(1.0, ("a", "b"))
    assert isinstance(typed(Point, {"x": 1, "names": ["a", "b"]}, "a point").names, tuple)
    assert typed(Point, {"x": 2, "model_type": None}, "a point") == Point(2.0)


def test_fields_with_readers_are_read_by_them():
    found = typed(Point, {"x": "7", "inner": "12"}, "a point", x=float, inner=lambda text: frozenset(map(int, text)))
    assert found == Point(7.0, inner=frozenset({1, 2}))
    # A reader of a field that is absent is not called.
    assert typed(Point, {"x": 1}, "a point", inner=lambda _: pytest.fail("read")) == Point(1.0)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([], "a point must be a mapping"),
        ({"x": 1, "name": []}, "a point key 'name' is unknown: did you mean 'names'"),
        ({"names": []}, r"a point lacks 'x'\."),
        ({"x": "far"}, "a point: x is 'far': Input should be a valid number"),
        ({"x": 1, "names": ["a", 2]}, "a point: names.1 is 2: Input should be a valid string"),
        ({"x": -1}, r"a point: x must not be negative\.$"),
        ({"x": 1, "inner": "ab"}, "a point: inner is 'ab', which is not possible"),
        ({"x": 1, "inner": 3}, "a point: inner is 3, which is not possible"),
    ],
)
@pytest.mark.parametrize("error", [StoredFileError, ConfigError])
def test_what_does_not_fit_is_named(values, message, error):
    with pytest.raises(error, match=message):
        typed(Point, values, "a point", error=error, inner=lambda text: frozenset(map(int, text)))
