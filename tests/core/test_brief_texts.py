"""Objects in a few lines."""

from dataclasses import make_dataclass
from enum import Enum

import numpy as np
import pytest
from pydantic import BaseModel

from autoq.core import MOST_LINES, WIDTH, Precision, brief_repr, cut, ending, in_lines, text_table


def shown(**values):
    return repr(make_dataclass("Found", values, namespace={"__repr__": brief_repr})(**values))


@pytest.mark.parametrize("count", [1, 18, 19, 40])
def test_what_is_not_shown_is_counted(count):
    lines = shown(**{f"field_{n}": "a longer text" for n in range(count)}).split("\n")
    assert len(lines) <= MOST_LINES
    if count == 1:
        assert lines == ["Found(field_0='a longer text')"]
        return
    assert (lines[0], lines[-1]) == ("Found(", ")")
    told = int(lines[-2].split()[2]) if "more" in lines[-2] else 0
    assert len([line for line in lines if "field_" in line]) + told == count
    assert (told > 0) == (count > 18)


@pytest.mark.parametrize(("width", "lines"), [(WIDTH, 1), (WIDTH + 1, 4)])
def test_what_fits_a_line_is_one(width, lines):
    name = "a" * (width - len("Found(=1, b=1)"))
    found = shown(**{name: 1, "b": 1}).split("\n")
    assert len(found) == lines
    assert max(map(len, found)) <= WIDTH


class Colour(Enum):
    RED = "red"


POINT = make_dataclass("Point", ["x", "y"])
LINE = make_dataclass("Line", ["a", "b"])
ENDS = LINE(POINT(1.0, 2), POINT(3, 4))


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (np.zeros((2, 3), np.float32), "<array of float32, shape (2, 3)>"),
        (Colour.RED, "'Colour.RED'"),
        (Precision.INT8, "'int8'"),
        (1 / 3, "0.333333"),
        ([1, 2.5, "x"], "[1, 2.5, 'x']"),
        ((), "[]"),
        ({}, "{}"),
        ({1}, "{1}"),
        (frozenset([1]), "{1}"),
        ({"a": 0.5}, "{'a': 0.5}"),
        ([1, 2, 3, 4], "<4 of int>"),
        ({"a": 1, "b": "x", "c": 1, "d": 2}, "<4 of int, str>"),
        ([1, "x", 2.5, b"", None], "<5 of NoneType, bytes, float>"),
        ([[[1]]], "[[<1 of int>]]"),
        (["y" * 40, "z" * 40], "<2 of str>"),
        (ENDS, "Line(a=Point(x=1, y=2), b=Point(x=3, y=4))"),
        ([ENDS], "[Line(a=Point(...), b=Point(...))]"),
        (POINT("y" * 60, "z" * 60), "Point(...)"),
        (POINT, repr(POINT)),
        ("y" * 100, "'" + "y" * 70 + "…"),
    ],
)
def test_values_are_written_short(value, expected):
    assert shown(a=value) == f"Found(a={expected})"


def test_a_pydantic_model_is_shown_by_its_fields_too():
    class Settings(BaseModel):
        __repr__ = brief_repr
        name: str = "x"
        share: float = 0.5

    assert repr(Settings()) == "Settings(name='x', share=0.5)"


def test_columns_of_a_table_stand_below_each_other():
    assert text_table(["name", "n"], [["a", "10"], ["longer", "7"]], words=[0]) == [
        "name     n",
        "a       10",
        "longer   7",
    ]
    assert text_table(["name"], []) == ["name"]
    assert len(text_table(["a"], [["x" * 200]])[1]) == WIDTH


@pytest.mark.parametrize(
    ("text", "start", "end"),
    [("abc", "abc", "abc"), ("abcd", "ab…", "…cd"), ("", "", "")],
)
def test_long_texts_are_cut_to_their_length(text, start, end):
    assert (cut(text, 3), ending(text, 3)) == (start, end)


def test_a_cut_text_is_one_line():
    assert cut("a\nb \n", 5) == "a b"


def test_sentences_have_no_more_lines_than_allowed():
    lines = in_lines("word " * 200, most=3)
    assert len(lines) == 3
    assert lines[-1].endswith(" …")
    assert max(map(len, lines)) <= WIDTH
    assert in_lines("a sentence") == ["a sentence"]
    assert len(in_lines("word " * 1000)) == 5
