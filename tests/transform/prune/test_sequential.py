"""Layers that are repaired one after the other give what they gave."""

from dataclasses import replace

import numpy as np
import openvino as ov
import pytest
from channel_nets import NETS, SAME, conv, data, image, model_of, named, numbers
from networks import run, snapshot
from openvino import opset13 as ops

import autoq
from autoq.graph import find_channels, read_model, unique_names
from autoq.transform.prune._fits import fits_of
from autoq.transform.prune._least_squares import LayerRows, fitted
from autoq.transform.prune._rows import Window, given_rows, some_places

UNCUT = (-np.inf, np.inf)
CONVOLUTIONS = {
    "padded": ([1, 1], [1, 1], [1, 1], [1, 1], "explicit"),
    "strided": ([2, 2], [0, 1], [1, 0], [1, 1], "explicit"),
    "dilated": ([1, 1], [2, 2], [0, 2], [2, 1], "explicit"),
    "same_upper": ([2, 1], [0, 0], [0, 0], [1, 1], "same_upper"),
    "same_lower": ([2, 1], [0, 0], [0, 0], [1, 2], "same_lower"),
}


@pytest.mark.parametrize("kind", CONVOLUTIONS)
def test_rows_by_the_weight_are_what_the_layer_gives(kind):
    kernel = (2, 3) if kind.startswith("same") else (3, 3)
    weight = numbers(4, 3, *kernel)
    model = read_model(model_of(named(ops.convolution(image(size=7), weight, *CONVOLUTIONS[kind]), "only")))
    layer = find_channels(model).layers[0]
    (value,) = data(model)
    expected = run(model, value)
    places = some_places(expected[:, 0].size, 30, 5)
    rows = Window.of(unique_names(model)["only"], layer).rows(value, expected.shape[2:], places)
    given = rows.reshape(len(rows), -1) @ weight.reshape(4, -1).T
    np.testing.assert_allclose(given, given_rows(expected, 1, places), atol=1e-4)


def test_places_are_the_same_at_each_run_and_others_for_each_sample():
    first, again, other = (some_places(1000, 20, sample) for sample in (0, 0, 1))
    assert (first == again).all()
    assert (first != other).any()
    assert len(np.unique(first)) == 20
    assert some_places(5, 20, 0).tolist() == [0, 1, 2, 3, 4]


def test_what_a_function_cuts_off_does_not_count():
    rng = np.random.default_rng(0)
    read = rng.normal(0, 1, (4000, 5)).astype(np.float32)
    weight, offset = rng.normal(0, 1, (3, 5)).astype(np.float32), np.float32([0.5, -0.5, 0])
    beside = rng.normal(0, 1, (4000, 3)).astype(np.float32)
    wanted = np.maximum(read @ weight.T + offset + beside, 0)
    # Below zero, anything may be wanted: least squares over all of it would go astray.
    wanted[wanted == 0] -= 10 * rng.random((wanted == 0).sum())
    samples = np.repeat(np.arange(40), 100)
    rows = LayerRows(read[None], np.float32(wanted)[None], beside[None], samples, (0.0, np.inf))
    (made,), (term,) = fitted(rows, weight[None] + 0.3, offset[None] + 0.3, constant=True)
    uncut = replace(rows, limits=UNCUT)
    (plain,), (shift,) = fitted(uncut, weight[None] + 0.3, offset[None], constant=True)
    assert np.abs(made - weight).max() < 0.1 < np.abs(plain - weight).max()
    assert np.abs(term - offset).max() < 0.1 < np.abs(shift - offset).max()


def test_rows_that_differ_little_beside_their_mean_are_fitted_as_well():
    rng = np.random.default_rng(0)
    apart = rng.normal(0, 1, (4000, 40)).astype(np.float32)
    # As means over whole images are, of samples that are much alike.
    read = 1000 + apart
    weight = rng.normal(0, 1, (3, 40)).astype(np.float32)
    centred = apart - apart.mean(axis=0)
    wanted = (centred @ (weight + 0.1).T).astype(np.float32)
    rows = LayerRows(read[None], wanted[None], np.zeros_like(wanted)[None], np.repeat(np.arange(40), 100), UNCUT)
    (made,), (term,) = fitted(rows, weight[None], -(read @ weight.T).mean(axis=0)[None], constant=True)
    np.testing.assert_allclose(made, weight + 0.1, atol=2e-3)
    np.testing.assert_allclose(read @ made.T + term, wanted, atol=0.02)


def test_weights_that_are_best_stay():
    rng = np.random.default_rng(0)
    read, weight = rng.normal(0, 1, (40, 5)).astype(np.float32), numbers(3, 5)
    wanted = read @ weight.T
    rows = LayerRows(read[None], wanted[None], np.zeros_like(wanted)[None], np.repeat(np.arange(8), 5), UNCUT)
    (made,), (term,) = fitted(rows, weight[None], np.zeros((1, 3), np.float32), constant=True)
    np.testing.assert_allclose(made, weight, atol=1e-5)
    np.testing.assert_allclose(term, 0, atol=1e-5)


@pytest.mark.parametrize("limits", [(0.0, 6.0), (-np.inf, np.inf)], ids=["cut off", "as it is"])
@pytest.mark.parametrize("constant", [True, False])
def test_groups_are_fitted_as_each_by_itself(limits, constant):
    """Also one that reads nothing, one that gives what it should, and one whose samples apart tell nothing."""
    rng = np.random.default_rng(3)
    read = rng.normal(0.5, 1, (6, 800, 4)).astype(np.float32)
    read[1] = 0
    weight, offset = rng.normal(0, 1, (6, 2, 4)).astype(np.float32), rng.normal(0, 1, (6, 2)).astype(np.float32)
    beside = rng.normal(0, 1, (6, 800, 2)).astype(np.float32)
    given = read @ np.swapaxes(weight, 1, 2) + offset[:, None] + beside
    wanted = (given + 0.3 * read[:, :, :2] + rng.normal(0, 0.1, given.shape)).astype(np.float32)
    wanted[2] = given[2]
    wanted[3] = rng.normal(0, 1, wanted[3].shape)
    samples = np.repeat(np.arange(40), 20)
    made, term = fitted(LayerRows(read, wanted, beside, samples, limits), weight, offset, constant=constant)
    for group in range(6):
        own = slice(group, group + 1)
        rows = LayerRows(read[own], wanted[own], beside[own], samples, limits)
        alone, its_term = fitted(rows, weight[own], offset[own], constant=constant)
        np.testing.assert_allclose(made[own], alone, rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(term[own], its_term, rtol=1e-4, atol=1e-5)
    assert (made[2] == weight[2]).all()
    assert (made[1] == weight[1]).all()
    assert (made[0] != weight[0]).any()


def shifted(*, bias: bool) -> ov.Model:
    """Of eight channels, four are the others one pixel aside: no mixture of channels at a place gives them."""
    weight = numbers(4, 3, 3, 3)
    aside = np.zeros((4, 3, 3, 5), np.float32)
    aside[..., 2:] = weight
    centred = np.zeros_like(aside)
    centred[..., 1:4] = weight
    x = ops.relu(
        named(ops.convolution(image(size=8), np.concatenate([centred, aside]), [1, 1], [1, 2], [1, 2], [1, 1]), "first")
    )
    # What the removed channels are read with leaves room for the shift.
    read = numbers(6, 8, 3, 3)
    read[:, 4:, :, 2] = 0
    y = named(ops.convolution(x, read, *SAME), "last")
    return model_of(ops.relu(ops.add(y, numbers(1, 6, 1, 1)) if bias else y))


@pytest.mark.parametrize("bias", [True, False])
def test_neighbours_make_up_for_what_no_mixture_gives(bias):
    model = shifted(bias=bias)
    before, samples, (value,) = snapshot(model), [data(model, seed=n)[0] for n in range(40)], data(model, seed=99)
    given = {"ratio": 0.5, "multiple_of": 4, "widths": "equal", "progress": False}
    expected = run(model, value)
    inner = np.s_[:, :, :, 2:-2]  # beside the border, the shifted channel sees what the other one does not
    errors = {}
    for repair in ("none", "one_shot", "sequential"):
        pruned = autoq.prune(model, samples, repair=repair, **given)
        errors[repair] = float(np.square(run(pruned, value)[inner] - expected[inner]).mean())
    assert errors["sequential"] < 0.5 * errors["one_shot"]
    assert errors["one_shot"] < errors["none"]
    assert snapshot(model) == before
    again = autoq.prune(model, samples, **given)
    assert (run(again, value) == run(pruned, value)).all()
    sums = {op.get_friendly_name() for op in pruned.get_ops() if op.get_type_name() == "Add"}
    assert bias or sums == {"last/constant"}


def test_a_layer_makes_up_for_the_stream_that_it_adds_to():
    model = read_model(NETS["residual"]())
    graph = find_channels(model)
    fits = {fit.layer.op: fit for fit in fits_of(model, graph, graph.groups[0].channels[:2])}
    inner, last = fits["inner"], fits["last"]
    assert inner.level < last.level
    streams = [fit for fit in fits.values() if fit.beside is not None]
    assert len(streams) == 1
    assert streams[0].target.producer != streams[0].layer.op


def test_the_error_of_a_residual_net_falls():
    model = NETS["residual"]()
    samples, (value,) = [data(model, seed=n)[0] for n in range(60)], data(model, seed=99)
    expected = run(model, value)

    def error(repair: str) -> float:
        pruned = autoq.prune(model, samples, ratio=0.25, multiple_of=2, widths="equal", repair=repair, progress=False)
        return float(np.square(run(pruned, value) - expected).mean())

    assert error("sequential") < 0.8 * error("one_shot")


def test_a_layer_without_a_bias_on_the_way_of_a_stream_is_read_with_its_constant():
    """As the projection beside a bottleneck: what is added to it comes levels later."""
    stem = ops.relu(conv(image(), 16, "stem"))
    beside = conv(stem, 16, "beside", bias=False)
    inner = ops.relu(conv(stem, 16, "first", bias=False))
    inner = ops.relu(conv(inner, 16, "second", bias=False))
    both = ops.relu(ops.add(beside, conv(inner, 16, "third", kernel=1, bias=False)))
    model = model_of(ops.reduce_mean(conv(both, 8, "last"), np.array([2, 3]), keep_dims=False))
    samples = [data(model, seed=n)[0] for n in range(40)]
    value = data(model, seed=99)[0]
    expected = run(model, value)

    def error(repair: str) -> float:
        pruned = autoq.prune(model, samples, ratio=0.25, multiple_of=4, widths="equal", repair=repair, progress=False)
        return float(np.square(run(pruned, value) - expected).mean())

    assert error("sequential") < error("one_shot")
