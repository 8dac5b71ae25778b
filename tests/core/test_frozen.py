"""What core has is data: it cannot be changed, and has no other attributes than its fields."""

from dataclasses import FrozenInstanceError, fields, is_dataclass

import pytest

import autoq.core
from autoq.core import Estimate

PUBLIC = [getattr(autoq.core, name) for name in autoq.core.__all__]
KINDS = [kind for kind in PUBLIC if isinstance(kind, type) and is_dataclass(kind)]


@pytest.mark.parametrize("kind", KINDS)
def test_data_are_frozen(kind):
    value = object.__new__(kind)
    for name in (*(field.name for field in fields(kind)), "another"):
        with pytest.raises((FrozenInstanceError, TypeError)):
            setattr(value, name, None)
    assert not hasattr(value, "__dict__")


def test_data_are_among_them():
    assert Estimate in KINDS
    assert len(KINDS) > 10
