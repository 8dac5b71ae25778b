"""Products of activations, against numpy on OpenVINO's own activations."""

import numpy as np
import openvino as ov
import openvino.opset13 as op
import pytest

from autoq.calibration import Activation, Summary, activations_of, as_inputs, collected_grams, default_precision
from autoq.calibration.collecting import _grams
from autoq.core import ModelError
from autoq.graph import Tensor, find_weights, read_model


def _constant(shape: tuple[int, ...], name: str, seed: int = 0) -> ov.Node:
    node = op.constant(np.random.default_rng(seed).normal(0, 0.3, shape).astype(np.float32))
    node.set_friendly_name(name)
    return node


def _named(node: ov.Node, name: str) -> ov.Node:
    node.set_friendly_name(name)
    return node


def _network() -> ov.Model:
    """A tanh that two products read, one that sums over the last axis but one, and a mask as a second input."""
    x = op.parameter([-1, -1, 6], np.float32, name="x")
    mask = op.parameter([-1, -1, 1], np.float32, name="mask")
    first = _named(op.matmul(op.multiply(x, mask), _constant((8, 6), "first/w"), False, True), "first")
    hidden = _named(op.tanh(first), "hidden")
    second = _named(op.matmul(hidden, _constant((8, 5), "second/w", 1), False, False), "second")
    third = _named(op.matmul(_constant((4, 8), "third/w", 2), hidden, False, True), "third")
    masked = _named(op.multiply(second, mask), "masked")
    last = _named(op.matmul(masked, _constant((3, 5), "last/w", 3), False, True), "last")
    model = ov.Model([op.result(last), op.result(third)], [x, mask], "network")
    for port, name in zip(model.inputs, ("x", "mask"), strict=True):
        port.get_tensor().set_names({name})
    return model


def _samples(count: int = 3) -> list[dict[str, np.ndarray]]:
    rng = np.random.default_rng(5)
    lengths = range(4, 4 + count)
    return [
        {"x": rng.normal(0, 1, (2, n, 6)).astype(np.float32), "mask": np.ones((2, n, 1), np.float32)} for n in lengths
    ]


def _hidden(model: ov.Model, samples: list[dict[str, np.ndarray]]) -> list[np.ndarray]:
    node = next(node for node in model.get_ops() if node.get_friendly_name() == "hidden")
    part = ov.Model([op.result(node.output(0))], model.get_parameters(), "part")
    compiled = ov.Core().compile_model(part, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    return [np.array(compiled(sample)[0]) for sample in samples]


def test_weights_know_the_activation_they_are_multiplied_by() -> None:
    network = read_model(_network())
    found = activations_of(network, find_weights(network).every)
    assert found["second"] == Activation(Tensor("hidden"), -1)
    assert found["third"] == Activation(Tensor("hidden"), -1)
    assert set(found) == {"first", "second", "third", "last"}
    x = op.parameter([7, 4], np.float32, name="x")
    turned = ov.Model([_named(op.matmul(x, _constant((7, 3), "w"), True, False), "turned")], [x], "turned")
    assert activations_of(turned, find_weights(turned, all_layers=True).every)["turned"].axis == -2


def test_a_table_that_a_product_sums_over_along_its_rows_has_no_activation() -> None:
    """Its numbers share scales along the other axis, as those of an embedding do."""
    ids = op.parameter([-1], np.int64, name="ids")
    table = _constant((9, 6), "table")
    rows = _named(op.gather(table, ids, op.constant(0)), "embedding")
    wide = _named(op.matmul(rows, _constant((9, 6), "wide/w", 1), False, True), "wide")
    for x, transposed in ((rows, True), (wide, False)):
        model = ov.Model([_named(op.matmul(x, table, False, transposed), "tied")], [ids], "tied")
        weights = [weight for weight in find_weights(model).every if weight.is_embedding]
        assert set(activations_of(model, weights)) == ({"embedding"} if transposed else set())


@pytest.mark.parametrize("in_file", [False, True])
def test_products_means_and_summaries_are_those_of_all_tokens(in_file: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if in_file:
        monkeypatch.setattr(_grams, "_MOST_BYTES", 0)
    network, samples = read_model(_network()), _samples()
    wanted = Activation(Tensor("hidden"))
    with collected_grams(network, [wanted], as_inputs(network, samples), products=[wanted]) as grams:
        gram = grams.gram(wanted)
    values = _hidden(_network(), samples)
    tokens = np.concatenate([value.reshape(-1, 8) for value in values]).astype(np.float64)
    np.testing.assert_allclose(gram, tokens.T @ tokens / len(tokens), rtol=2e-5, atol=1e-6)
    np.testing.assert_allclose(grams.means[wanted], [value.mean(axis=(0, 1)) for value in values], atol=1e-6)
    assert grams.tokens[wanted].tolist() == [8, 10, 12]
    expected = {
        Summary.MAX_VARIANCE: [value.var(axis=-2).max() for value in values],
        Summary.MEAN_VARIANCE: [value.var(axis=-2).mean() for value in values],
        Summary.MEAN_MAGNITUDE: [np.abs(value).max(axis=-2).mean() for value in values],
        Summary.MEAN_SQUARE: [np.square(value).mean() for value in values],
    }
    for kind, by_sample in expected.items():
        assert grams.summary(wanted, kind) == pytest.approx(np.mean(by_sample), rel=1e-4)


@pytest.mark.parametrize("columns", [1, 2, 4])
def test_blocks_are_those_along_the_diagonal_of_the_products_of_all_tokens(columns: int) -> None:
    network, samples = read_model(_network()), _samples()
    wanted = Activation(Tensor("hidden"))
    with collected_grams(network, [wanted], as_inputs(network, samples), blocks={wanted: columns}) as grams:
        assert not grams.products
        blocks, squares = grams.diagonal_blocks(wanted, columns), grams.squares(wanted)
        smaller = grams.diagonal_blocks(wanted, 1)
    tokens = np.concatenate([value.reshape(-1, 8) for value in _hidden(_network(), samples)]).astype(np.float64)
    whole = tokens.T @ tokens / len(tokens)
    for place, block in enumerate(blocks):
        at = slice(place * columns, (place + 1) * columns)
        np.testing.assert_allclose(block, whole[at, at], rtol=2e-5, atol=1e-6)
    np.testing.assert_allclose(squares, np.diagonal(whole), rtol=2e-5)
    np.testing.assert_allclose(smaller[:, 0, 0], np.diagonal(whole), rtol=2e-5)
    with collected_grams(network, [wanted], as_inputs(network, samples), products=[wanted]) as grams:
        np.testing.assert_allclose(grams.diagonal_blocks(wanted, columns), blocks, rtol=2e-5, atol=1e-6)


def test_a_model_in_segments_gives_what_it_gives_in_one(monkeypatch: pytest.MonkeyPatch) -> None:
    network, samples = read_model(_network()), _samples()
    activations = list(dict.fromkeys(activations_of(network, find_weights(network).every).values()))
    found, steps = [], []
    for most in (1 << 20, 0):
        monkeypatch.setattr(_grams, "_MOST_SEGMENT_BYTES", most)
        inputs, told = as_inputs(network, iter(samples), keep=False, most=3), []
        with collected_grams(
            network,
            activations,
            inputs,
            products=activations,
            subset_size=3,
            progress=lambda *at, told=told: told.append(at),
        ) as grams:
            found.append([(grams.gram(a), grams.means[a], grams.summaries[a], grams.tokens[a]) for a in activations])
        steps.append(told[-1])
    assert steps[0] == (3, 3)
    assert steps[1][0] == steps[1][1] > 6
    for whole, apart in zip(*found, strict=True):
        for one, other in zip(whole, apart, strict=True):
            np.testing.assert_allclose(other, one, rtol=1e-5, atol=1e-6)


def test_no_more_samples_are_read_than_asked_for_and_progress_is_told() -> None:
    network, told = read_model(_network()), []
    activation = Activation(Tensor("hidden"))
    inputs = as_inputs(network, iter(_samples(5)), most=2)
    with collected_grams(network, [activation], inputs, subset_size=2, progress=lambda *at: told.append(at)) as grams:
        assert len(grams.means[activation]) == 2
        assert not grams.products
    assert told == [(1, 2), (2, 2)]


def test_the_precision_of_the_device_is_that_of_a_model_that_is_told_none() -> None:
    compiled = ov.Core().compile_model(_network(), "CPU")
    assert default_precision() == compiled.get_property("INFERENCE_PRECISION_HINT").to_string()
    network, activation = read_model(_network()), Activation(Tensor("hidden"))
    inputs = as_inputs(network, _samples())
    settings = {"products": [activation], "precision": default_precision(), "summarize": False}
    with collected_grams(network, [activation], inputs, **settings) as grams:
        assert not grams.summaries
        values = np.concatenate([value.reshape(-1, 8) for value in _hidden(_network(), _samples())])
        np.testing.assert_allclose(grams.gram(activation), values.T @ values / len(values), atol=0.02)


def test_a_model_that_computes_nan_is_refused() -> None:
    x = op.parameter([1, 4], np.float32, name="x")
    broken = _named(op.log(x), "broken")
    model = read_model(ov.Model([op.matmul(broken, _constant((3, 4), "w"), False, True)], [x], "nan"))
    inputs = as_inputs(model, [-np.ones((1, 4), np.float32)])
    activation = Activation(Tensor("broken"))
    with (
        pytest.raises(ModelError, match="'broken' on calibration sample 0"),
        collected_grams(model, [activation], inputs),
    ):
        pass
