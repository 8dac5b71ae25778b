"""What it gains that a group of channels goes with its branch."""

import pytest
from channel_nets import NETS

from autoq.evaluation.execution import LayerProfile, Profile
from autoq.graph import find_channels
from autoq.searching.sensitivity import branch_gains


def layer(ms: float, *ops: str) -> LayerProfile:
    return LayerProfile(ops[0], "Convolution", "f32", "brgconv_avx512", ops, ms, 0.1, (), None)


def test_a_branch_gains_what_its_operations_take():
    graph = find_channels(NETS["residual"]())
    (group,) = [group for group in graph.groups if group.branch is not None]
    (relu,) = [op for op in group.branch.ops if op.startswith("Relu")]
    # The sum with the stream stays, of which the last layer of the block was a part.
    layers = (layer(5.0, "stem"), layer(2.0, "inner", relu), layer(3.0, "outer", "the sum", "x"), layer(10.0, "last"))
    found = branch_gains(Profile(layers, 25.0, {}), graph)
    assert found == {"inner": pytest.approx((2 + 1) / 20)}
