"""Words of messages."""

import pytest

from autoq.core import AutoqError, capitalized, counted, printable, quoted


@pytest.mark.parametrize(
    ("text", "expected"),
    [("", ""), ("a drop of 1 by AVX2", "A drop of 1 by AVX2"), ("éclair", "Éclair"), ("8 ms", "8 ms")],
)
def test_a_clause_becomes_a_sentence(text, expected):
    assert capitalized(text) == expected


@pytest.mark.parametrize(("count", "expected"), [(0, "0 samples"), (1, "1 sample"), (2000, "2000 samples")])
def test_one_is_no_plural(count, expected):
    assert counted(count, "sample") == expected


@pytest.mark.parametrize("length", [0, 150, 198, 199, 500, 10_000])
def test_the_middle_of_a_long_value_is_cut(length):
    text = "<" + "x" * length + ">"
    said = quoted(text)
    assert len(said) <= 200
    if length <= 196:
        assert said == repr(text)
    else:
        assert (said[:50], said[-50:]) == (repr(text)[:50], repr(text)[-50:])
        assert len(said) >= 199
        assert said.count(" ... ") == 1


def test_the_middle_of_a_long_message_is_cut():
    exact, longer = str(AutoqError("<" + "x" * 1_998 + ">")), str(AutoqError("<" + "x" * 1_999 + ">"))
    assert exact == "<" + "x" * 1_998 + ">"
    assert 1_990 <= len(longer) <= 2_000
    assert longer.startswith("<xxx")
    assert longer.endswith("xxx>")
    assert str(AutoqError()) == ""


class Silent:
    def __repr__(self):
        raise RecursionError


def test_a_value_that_cannot_be_written_is_named_by_its_type():
    assert quoted(Silent()) == "a Silent"
    assert quoted(10**5000) == "a int"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a\nb", "a\\nb"),
        ("\x1b[31m\x7f\x85", "\\x1b[31m\\x7f\\x85"),
        ("\u2028\ud800", "\\u2028\\ud800"),
        ("ä 图 'x'", "ä 图 'x'"),
    ],
)
def test_what_no_terminal_can_print_is_written_as_python_does(text, expected):
    assert printable(text) == expected
