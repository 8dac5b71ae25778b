"""Words of messages."""

import pytest

from autoq.core import capitalized


@pytest.mark.parametrize(
    ("text", "expected"),
    [("", ""), ("a drop of 1 by AVX2", "A drop of 1 by AVX2"), ("éclair", "Éclair"), ("8 ms", "8 ms")],
)
def test_a_clause_becomes_a_sentence(text, expected):
    assert capitalized(text) == expected
