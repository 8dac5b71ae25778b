"""Plans that quantize some layers and compress the weights of others."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack

import numpy as np
import openvino as ov
import pytest
from graph_models import built, named
from openvino import opset13 as ops
from same_graph import difference
from weighted_nets import held, numbers, product

from autoq.calibration import Needs, activations_of, as_inputs, collect, collected_grams
from autoq.core import (
    BiasCorrection,
    CompressionPlan,
    CompressionRecipe,
    Plan,
    PlanError,
    Precision,
    QuantizationPlan,
    Recipe,
    Rounding,
    RuntimePlan,
    WeightFormat,
)
from autoq.graph import Placements, find_weights
from autoq.transform import CandidateBuilder, ModelBuilder, WeightBuilder

PLAIN = {"DYNAMIC_QUANTIZATION_GROUP_SIZE": 0, "INFERENCE_PRECISION_HINT": "f32"}
IDS = [np.random.default_rng(seed).integers(0, 80, (1, 16)) for seed in range(12)]
BY_DATA = CompressionRecipe(format=WeightFormat.parse("int4_sym g32"), rounding=Rounding.COMPENSATED)
FORMATS = {name: WeightFormat.parse("int4_sym g32") for name in ("first", "second", "head")} | {
    "embedding": WeightFormat.parse("int8_asym"),
    "conv": WeightFormat.parse("int8_sym"),
}


def network(kind: str = "f32") -> ov.Model:
    ids = ops.parameter([1, 16], np.int64, name="ids")
    x = named(ops.gather(held(numbers(80, 64), "table", kind), ids, ops.constant(0)), "embedding")
    x = ops.tanh(ops.reshape(x, np.array([1, 16, 8, 8]), special_zero=False))
    weight = held(numbers(16, 16, 3, 3), "conv/w", kind)
    x = named(ops.convolution(x, weight, [1, 1], [1, 1], [1, 1], [1, 1]), "conv")
    x = ops.relu(named(ops.add(x, held(numbers(1, 16, 1, 1), "conv/b")), "conv/bias"))
    x = ops.reshape(x, np.array([1, 16, 64]), special_zero=False)
    for name in ("first", "second"):
        x = named(
            ops.add(product(x, numbers(64, 64), name, kind), held(numbers(1, 1, 64), f"{name}/b")), f"{name}/bias"
        )
        x = named(ops.relu(x), f"{name}/relu")
    return built([product(x, numbers(32, 64), "head", kind)], [ids])


class Made:
    """Builders for one model and data."""

    def __init__(self, model: ov.Model, stack: ExitStack) -> None:
        self.model, inputs = model, as_inputs(model, IDS)
        placements = Placements.of(model)
        statistics = collect(model, placements, inputs, needs=Needs(output_means=True))
        self.groups = {op: group.name for group in placements.reference.groups for op in group.ops}
        self.quantizing = CandidateBuilder(model, placements, statistics, inputs)
        weights = find_weights(model).every
        activations = activations_of(model, weights)
        products = set(activations.values())
        grams = stack.enter_context(collected_grams(model, products, inputs, products=products))
        self.compressing = WeightBuilder(model, weights, BY_DATA, grams, activations)
        self.both = ModelBuilder(self.quantizing, self.compressing)

    def quantized(self, *layers: str, **recipe: object) -> QuantizationPlan:
        """Only these layers in int8."""
        kept = {self.groups[layer] for layer in layers}
        floats = {group: Precision.FLOAT for group in self.groups.values() if group not in kept}
        return QuantizationPlan(Recipe(subset_size=12, **recipe), floats)


@pytest.fixture(scope="module")
def made() -> Iterator[Made]:
    with ExitStack() as stack:
        yield Made(network(), stack)


def compression(formats: Mapping[str, WeightFormat]) -> CompressionPlan:
    return CompressionPlan(BY_DATA, formats)


def outputs(model: ov.Model) -> np.ndarray:
    compiled = ov.Core().compile_model(model, "CPU", PLAIN)
    return np.concatenate([np.array(compiled([ids])[0], np.float64) for ids in IDS])


def stored(model: ov.Model) -> dict[str, str]:
    """OpenVINO's type of each weight."""
    constants = [op for op in model.get_ops() if op.get_type_name() == "Constant"]
    types = {op.get_friendly_name(): op.get_element_type().get_type_name() for op in constants}
    return {name: types[name] for name in ("table", "conv/w", "first/w", "second/w", "head/w")}


def test_int8_here_and_few_bits_there(made):
    plan = Plan((made.quantized("conv", "first"), compression(FORMATS)))
    model = made.both.build(plan)
    assert stored(model) == {"table": "u8", "conv/w": "i8", "first/w": "i8", "second/w": "i4", "head/w": "i4"}
    kinds = [op.get_type_name() for op in model.get_ops()]
    assert kinds.count("FakeQuantize") == 2
    # Each weight has the numbers that its part alone gives it.
    quantized = made.both.build(Plan.of(plan.quantization))
    compressed = made.both.build(Plan.of(plan.compression))
    assert difference(quantized, made.quantizing.build(Plan.of(plan.quantization))) == []
    assert difference(compressed, made.compressing.build(Plan.of(plan.compression))) == []
    constants = [
        {op.get_friendly_name(): op.data for op in each.get_ops() if op.get_type_name() == "Constant"}
        for each in (model, quantized, compressed)
    ]
    for name in ("conv/w", "first/w"):
        np.testing.assert_array_equal(constants[0][name], constants[1][name])
    for name in ("table", "second/w", "head/w"):
        np.testing.assert_array_equal(constants[0][name], constants[2][name])
    # Errors of the parts come together, and no more.
    expected = outputs(made.model)
    alone = [
        np.square(outputs(each) - expected).mean()
        for each in (
            quantized,
            made.both.build(Plan.of(compression({n: f for n, f in FORMATS.items() if n not in {"conv", "first"}}))),
        )
    ]
    found = np.square(outputs(model) - expected).mean()
    assert 0.5 * max(alone) < found < 1.5 * sum(alone)


def test_a_format_is_without_effect_where_a_quantizer_stands(made):
    part = made.quantized("conv", "first")
    less = {name: form for name, form in FORMATS.items() if name not in {"conv", "first"}}
    plans = [Plan((part, compression(formats))) for formats in (FORMATS, less, {**less, "conv": FORMATS["embedding"]})]
    assert len({made.both.fingerprint(plan) for plan in plans}) == 1
    assert difference(made.both.build(plans[0]), made.both.build(plans[1])) == []
    resolved = made.both.resolve(plans[0])
    assert resolved.formats == less
    assert resolved.quantized_sites == len(less) + made.quantizing.resolve(Plan.of(part)).quantized_sites


def test_fingerprints_are_those_of_a_part_alone_where_the_other_changes_nothing(made):
    part, floats, runtime = made.quantized("conv"), made.quantized(), RuntimePlan(0)
    both = made.both
    assert both.fingerprint(Plan((part, compression({})))) == made.quantizing.fingerprint(Plan.of(part))
    assert both.fingerprint(Plan((floats, compression(FORMATS)))) == made.compressing.fingerprint(
        Plan.of(compression(FORMATS))
    )
    assert both.fingerprint(Plan((floats, compression({})))) == both.fingerprint(Plan.of(floats)) == "float"
    plans = [
        *(Plan((part, compression(formats))) for formats in (FORMATS, {"head": FORMATS["head"]}, {})),
        Plan((floats, compression(FORMATS))),
        Plan((made.quantized("conv", "first"), compression(FORMATS))),
    ]
    plans += [plan.having(runtime) for plan in plans] + [Plan((compression(FORMATS), runtime))]
    prints = [both.fingerprint(plan) for plan in plans]
    assert len(set(prints)) == len(plans) - 1
    assert prints[-1] == prints[8] == made.compressing.fingerprint(plans[-1])


def test_biases_are_corrected_on_what_both_parts_give(made):
    """Accurate correction measures the candidate: its means are those of the float model after it."""
    formats = {"first": WeightFormat.parse("int2_sym g64"), "conv": WeightFormat.parse("int8_sym")}
    expected = mean_after(made.model)

    def off(correction: BiasCorrection) -> float:
        part = made.quantized("second", bias_correction=correction)
        made.both.build(Plan((part, compression({}))))  # what is measured for it is not taken for another plan
        return np.abs(mean_after(made.both.build(Plan((part, compression(formats))))) - expected).max()

    assert off(BiasCorrection.ACCURATE) < 0.1 * off(BiasCorrection.FAST)


def mean_after(model: ov.Model) -> np.ndarray:
    """Mean of each channel after the second bias, on the samples that biases are corrected on."""
    clone = model.clone()
    bias = next(op for op in clone.get_ops() if op.get_friendly_name() == "second/bias")
    tapped = ov.Model([ops.result(bias.output(0))], clone.get_parameters())
    compiled = ov.Core().compile_model(tapped, "CPU", PLAIN)
    return np.mean([np.array(compiled([ids])[0]) for ids in IDS[:2]], axis=(0, 1, 2))


def test_what_nothing_builds_is_refused(made):
    plan = Plan((made.quantized("conv"), compression(FORMATS)))
    with pytest.raises(PlanError, match="nothing here builds 'quantization'"):
        ModelBuilder(None, made.compressing).build(plan)
    with pytest.raises(PlanError, match="nothing here builds 'compression'"):
        ModelBuilder(made.quantizing, None).fingerprint(plan)
    assert ModelBuilder(None, made.compressing).unswitchable == frozenset() == made.both.unswitchable


def test_the_float_model_is_never_changed(made):
    before = network()
    made.both.build(Plan((made.quantized("conv", "first"), compression(FORMATS))))
    made.compressing.build_switchable([FORMATS])
    assert difference(made.model, before) == []
