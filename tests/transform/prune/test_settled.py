"""Runs between repairs give what the whole model gives by then, and begin where nothing changes any more."""

from itertools import islice

import numpy as np
import openvino as ov
import pytest
from channel_nets import NETS, conv, data, image, model_of
from openvino import opset13 as ops

from autoq.calibration import as_inputs
from autoq.core import ResetState
from autoq.graph import find_channels, read_model, unique_names
from autoq.transform.prune import _settled
from autoq.transform.prune._fits import fits_of
from autoq.transform.prune._settled import SettledRuns
from autoq.transform.prune._weights import give_weight, weight_of

COUNT = 3


def input_read_again() -> ov.Model:
    """The input is read by the second layer that is repaired, too."""
    x = image()
    y = ops.relu(conv(ops.relu(conv(x, 8, "first")), 8, "second"))
    return model_of(conv(ops.relu(conv(ops.concat([y, x], 1), 8, "third")), 4, "last"))


def whole(model, tensors, feed):
    """What OpenVINO gives at tensors of the whole model."""
    clone = model.clone()
    nodes = unique_names(clone)
    ends = [ops.result(nodes[tensor.producer].output(tensor.port)) for tensor in tensors]
    compiled = ov.compile_model(ov.Model(ends, clone.get_parameters()), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    return list(compiled(feed).values())


def of_each_sample(runs, level, tensors):
    seen = []
    runs.run(level, tensors, lambda found, number: seen.append((number, {t: v.copy() for t, v in found.items()})))
    return seen


@pytest.mark.parametrize("net", [NETS["residual"], input_read_again])
@pytest.mark.parametrize("kept", [_settled._MOST_KEPT, 0])
def test_each_run_gives_what_the_model_gives_after_the_repairs_before(net, kept, monkeypatch):
    monkeypatch.setattr(_settled, "_MOST_KEPT", kept)
    model = read_model(net())
    graph = find_channels(model)
    fits = fits_of(model, graph, [number for group in graph.groups for number in group.channels[:1]])
    levels = {fit.layer.op: fit.level for fit in fits}
    assert len(set(levels.values())) > 1
    inputs = as_inputs(model, [data(model, seed=seed)[0] for seed in range(COUNT)])
    begun = []

    def feeds():
        begun.append(1)
        return islice(inputs, COUNT)

    runs, nodes = SettledRuns(model, levels, feeds, COUNT, ResetState.SAMPLE), unique_names(model)
    for level in sorted(set(levels.values())):
        own = [fit for fit in fits if fit.level == level]
        tensors = [tensor for fit in own for tensor in (fit.read, fit.beside) if tensor is not None]
        seen = of_each_sample(runs, level, tensors)
        assert [number for number, _ in seen] == list(range(COUNT))
        for number, values in seen:
            for tensor, expected in zip(tensors, whole(model, tensors, inputs[number]), strict=True):
                np.testing.assert_allclose(values[tensor], expected, rtol=1e-4, atol=1e-5)
        for fit in own:
            give_weight(nodes[fit.layer.op], fit.layer.weight_port, 1.5 * weight_of(nodes, fit.layer))
    assert len(begun) == (1 if kept else len(set(levels.values())))
