"""Fixtures shared by all tests; modules of this folder can be imported by every test."""

import pytest
from networks import conv_net


@pytest.fixture
def model():
    """A small convolutional classifier."""
    return conv_net()
