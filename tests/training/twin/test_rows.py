"""Each row of the table of operations beside OpenVINO."""

import numpy as np
import pytest
from layer_cases import LAYERS as CASES
from twins import TOLERANCE, beside

pytestmark = pytest.mark.torch


@pytest.mark.parametrize("name", CASES)
def test_an_operation_and_its_row_compute_the_same(name):
    model, inputs = CASES[name]()
    made = beside(model, None if inputs is None else [np.array(value) for value in inputs])
    assert made.error < TOLERANCE
    assert made.without_gradient == []


def test_every_row_has_a_case():
    from autoq.training.twin.rows import ROWS

    kinds = {node.get_type_name() for build in CASES.values() for node in build()[0].get_ordered_ops()}
    assert {key.split("@")[0].split(":")[0] for key in ROWS} - kinds == set()
