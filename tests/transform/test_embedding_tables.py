"""Tables that are looked up, and that a layer may multiply by besides."""

import numpy as np
import openvino as ov
import pytest
from openvino import opset13 as ops

from autoq.calibration import as_inputs, collect
from autoq.core import BiasCorrection, Plan, Preset, Recipe
from autoq.graph import Placements
from autoq.transform import CandidateBuilder

TABLE = np.abs(np.random.default_rng(0).normal(0, 0.3, (64, 16))).astype(np.float32) + 0.01
DATA = [{"ids": np.random.default_rng(n).integers(0, 64, (1, 8))} for n in range(3)]


def network(*, table=TABLE, tied: bool) -> ov.Model:
    """An embedding and a layer, and a head whose weight is the embedding's table where they are tied."""
    ids = ops.parameter([1, 8], np.int64, name="ids")
    ids.output(0).set_names({"ids"})
    rows = ops.constant(table, name="table")
    embedded = ops.gather(rows, ids, ops.constant(np.int64(0)), name="embedding")
    weight = ops.constant(np.random.default_rng(1).normal(0, 0.3, (16, 16)).astype(np.float32), name="w")
    hidden = ops.matmul(embedded, weight, False, True, name="hidden")
    other = ops.constant(np.random.default_rng(2).normal(0, 0.3, (64, 16)).astype(np.float32), name="w2")
    head = ops.matmul(hidden, rows if tied else other, False, True, name="head")
    return ov.Model([ops.result(head)], [ids], "tied")


def quantized(model: ov.Model, *, fold: bool = True) -> ov.Model:
    placements = Placements.of(model)
    statistics = collect(model, placements, as_inputs(model, DATA))
    recipe = Recipe(preset=Preset.PERFORMANCE, bias_correction=BiasCorrection.NONE, subset_size=len(DATA))
    return CandidateBuilder(model, placements, statistics).build(Plan.quantized(recipe), fold_weights=fold)


def stored(model: ov.Model) -> str:
    (table,) = (op for op in model.get_ops() if op.get_friendly_name() == "table")
    return str(table.get_element_type().get_type_name())


@pytest.mark.parametrize(("tied", "kind"), [(True, "i8"), (False, "u8")])
def test_a_positive_table_has_a_sign_where_a_layer_multiplies_by_it(tied, kind):
    built = quantized(network(tied=tied))
    assert stored(built) == kind
    # Kernels read signed weights alone: the head of an unsigned table would run in float.
    compiled = ov.Core().compile_model(built, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    infos = {op.get_friendly_name(): op.get_rt_info() for op in compiled.get_runtime_model().get_ops()}
    assert "i8" in infos["head"]["primitiveType"].astype(str).lower()


def test_a_table_of_both_signs_has_one_either_way():
    assert {stored(quantized(network(table=TABLE - 0.3, tied=tied))) for tied in (True, False)} == {"i8"}


@pytest.mark.peers
@pytest.mark.filterwarnings("ignore")
def test_limits_of_tied_tables_are_the_peers_and_those_of_others_are_half_of_them():
    from peer import fakes, quantize

    for tied in (True, False):
        model = network(tied=tied)
        theirs = fakes(quantize(model, "performance", None, samples=DATA), model)["embedding/fq_weights_0"]
        own = fakes(quantized(model, fold=False), model)["embedding/fq_weights_0"]
        assert own.levels == theirs.levels == 256
        np.testing.assert_allclose(own.limits[1].ravel(), theirs.limits[1].ravel(), rtol=1e-6)
        # A deliberate difference: no level is left to numbers that are not there.
        np.testing.assert_allclose(own.limits[0].ravel(), theirs.limits[0].ravel() if tied else [0], rtol=1e-6)


@pytest.mark.peers
@pytest.mark.filterwarnings("ignore")
def test_what_does_not_vary_is_a_level_here_and_beside_one_at_the_peer():
    """A deliberate difference: the range of a saturated Sigmoid, which is one."""
    from peer import fakes, quantize

    x = ops.parameter([1, 8], np.float32, name="x")
    x.output(0).set_names({"x"})
    weight = ops.constant(np.eye(8, dtype=np.float32), name="w")
    sigmoid = ops.sigmoid(ops.add(ops.abs(x), ops.constant(np.float32([[40]]))), name="sigmoid")
    model = ov.Model([ops.result(ops.matmul(sigmoid, weight, False, True, name="layer"))], [x], "saturated")
    samples = [{"x": np.random.default_rng(n).normal(size=(1, 8)).astype(np.float32)} for n in range(2)]
    theirs = fakes(quantize(model, "mixed", None, samples=samples), model)["sigmoid/fq_output_0"]
    placements = Placements.of(model)
    builder = CandidateBuilder(model, placements, collect(model, placements, as_inputs(model, samples)))
    plan = Plan.quantized(Recipe(preset=Preset.MIXED, subset_size=2))
    own = fakes(builder.build(plan, fold_weights=False), model)["sigmoid/fq_output_0"]
    assert [float(limit.ravel()[0]) for limit in own.limits[:2]] == [0, 1]
    np.testing.assert_allclose([float(limit.ravel()[0]) for limit in theirs.limits[:2]], [0, 1.0008], rtol=1e-6)
