"""Models of kept encodings, against `autoq.compress_weights`, OpenVINO's execution, and the sizes of Constants."""

import time
import warnings
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import openvino as ov
import pytest
from openvino import opset13 as ops
from same_graph import difference
from weighted_nets import NETS, numbers, product

import autoq
from autoq.api.observing import _observed
from autoq.calibration import activations_of, as_inputs, collected_grams
from autoq.core import (
    CompressionPlan,
    CompressionRecipe,
    DataError,
    Plan,
    PlanError,
    Rounding,
    WeightFormat,
    WeightMode,
)
from autoq.graph import find_weights
from autoq.transform import SWITCHES, DataEncoder, WeightBuilder

# Formats of all kinds are built; some take more memory when they run, which compress_weights tells.
pytestmark = pytest.mark.filterwarnings("ignore:OpenVINO's CPU decompresses")
PLAIN = {"DYNAMIC_QUANTIZATION_GROUP_SIZE": 0, "INFERENCE_PRECISION_HINT": "f32"}
WORDS = (
    "int8_asym",
    "int4_sym g32",
    "nf4 g32",
    "int4_asym g64",
    "mxfp4",
    "nvfp4",
    "int2_sym g64",
    "int3_sym g-1",
    "cb4",
)
RECIPE = CompressionRecipe(format=WeightFormat.parse("int4_sym g32"), rounding=Rounding.COMPENSATED)
PLAIN_RECIPE = CompressionRecipe(format=WeightFormat.parse("int4_sym g32"))
IDS = list(np.random.default_rng(0).integers(0, 80, (6, 1, 9)))


@pytest.fixture(autouse=True)
def exact(monkeypatch):
    """In half precision, what is observed beside an activation changes its last bits."""
    monkeypatch.setattr(_observed, "default_precision", lambda: "f32")


@contextmanager
def building(
    model: ov.Model, data: Sequence[np.ndarray] | None, recipe: CompressionRecipe = RECIPE, cache: Path | None = None
) -> Iterator[WeightBuilder]:
    weights = find_weights(model).every
    if data is None:
        yield WeightBuilder(model, weights, recipe, cache=cache)
        return
    activations = activations_of(model, weights)
    products = set(activations.values())
    with collected_grams(model, products, as_inputs(model, data), products=products) as grams:
        yield WeightBuilder(model, weights, recipe, grams, activations, cache)


def mixed(builder: WeightBuilder, model: ov.Model, seed: int = 0) -> dict[str, WeightFormat]:
    """A format that each weight takes; some stay in float."""
    rng = np.random.default_rng(seed)
    found = {}
    for weight in find_weights(model).compressible:
        able = [None, *builder.choices(weight.name, map(WeightFormat.parse, WORDS))]
        if (form := able[rng.integers(len(able))]) is not None:
            found[weight.name] = form
    return found


def planned(formats: dict[str, WeightFormat], recipe: CompressionRecipe = RECIPE) -> Plan:
    return Plan((CompressionPlan(recipe, formats),))


def compressed(model: ov.Model, plan: Plan, data: object) -> ov.Model:
    return autoq.compress_weights(model, plan=plan, dataset=data, progress=False)


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(1, 6))])
@pytest.mark.parametrize(
    "name",
    [
        "decoder_half",
        *(pytest.param(n, marks=pytest.mark.slow) for n in ("decoder_tied", "decoder_brain", "decoder_odd")),
    ],
)
def test_models_are_those_of_compress_weights(name, seed):
    model = NETS[name]()
    with building(model, IDS) as builder:
        for own in (seed, seed + 10):
            plan = planned(mixed(builder, model, own))
            assert difference(builder.build(plan), compressed(model, plan, IDS)) == []


@pytest.mark.parametrize("name", ["convolutions", "experts", pytest.param("extremes", marks=pytest.mark.slow)])
def test_models_without_data_are_those_of_compress_weights(name):
    model = NETS[name]()
    with building(model, None, PLAIN_RECIPE) as builder:
        plan = planned(mixed(builder, model), PLAIN_RECIPE)
        assert difference(builder.build(plan), compressed(model, plan, None)) == []


def constant_bytes(model: ov.Model) -> int:
    return sum(op.get_byte_size() for op in model.get_ordered_ops() if op.get_type_name() == "Constant")


@pytest.mark.parametrize("mode", [mode for mode in WeightMode if mode is not WeightMode.ADAPTIVE_CODEBOOK])
@pytest.mark.parametrize("length", [32, 35])
def test_sizes_are_those_of_the_constants(mode, length):
    x = ops.parameter([-1, length], np.float32, name="x")
    model = ov.Model([product(x, numbers(3, length), "only")], [x])
    entries = tuple(map(float, range(20))) if mode is WeightMode.CODEBOOK else ()
    forms = [WeightFormat.default(mode, entries)]
    if not (forms[0].has_fixed_groups or forms[0].is_eight_bit_integer):
        forms = [WeightFormat(mode, size, entries) for size in (-1, 16, 7)]
    with building(model, None, PLAIN_RECIPE) as builder:
        assert builder.size_bytes("only") == constant_bytes(model)
        for form in builder.choices("only", forms):
            assert length % max(form.group_size, 1) == 0
            assert builder.size_bytes("only", form) == constant_bytes(
                builder.build(planned({"only": form}, PLAIN_RECIPE))
            )


def test_choices_fit_and_make_a_weight_smaller():
    x = ops.parameter([-1, 8, 48], np.float32, name="x")
    wide = product(x, numbers(64, 48), "wide")
    narrow = product(ops.reshape(x, np.array([-1, 1]), special_zero=False), numbers(3, 1), "narrow", "f16")
    model = ov.Model([wide, narrow], [x])
    with building(model, None, PLAIN_RECIPE) as builder:
        forms = [WeightFormat.parse(word) for word in ("nf4 g32", "int4_sym g16", "mxfp4", "int8_asym", "nvfp4")]
        assert builder.choices("wide", forms) == (forms[1], forms[3], forms[4])
        # A byte and a scale of two bytes are longer than a number.
        assert builder.choices("narrow", [WeightFormat.parse("int8_sym"), WeightFormat.parse("int4_sym g-1")]) == ()


@pytest.mark.parametrize("word", ["int8_asym", "int4_sym g32", "nf4 g32"])
def test_errors_are_those_of_the_layer_on_the_tokens(word):
    x = ops.parameter([-1, 64], np.float32, name="x")
    model = ov.Model([product(x, numbers(64, 24), "only", transposed=False)], [x])
    model.inputs[0].get_tensor().set_names({"x"})
    rows = np.random.default_rng(3).normal(1, 2, (90, 64)).astype(np.float32)
    form = WeightFormat.parse(word)
    with building(model, [rows]) as builder:
        outputs = [
            np.array(ov.Core().compile_model(each, "CPU", PLAIN)(rows)[0], np.float64)
            for each in (model, builder.build(planned({"only": form})))
        ]
        on_tokens = np.square(outputs[1] - outputs[0]).mean(axis=0).sum()
        assert builder.error("only", form) == pytest.approx(on_tokens, rel=2e-3)


def test_errors_without_products_are_those_of_the_weight():
    model = NETS["convolutions"]()
    form = WeightFormat.parse("int8_sym")
    with building(model, None, PLAIN_RECIPE) as builder:
        built = builder.build(planned({"conv": form}, PLAIN_RECIPE))
        layer = next(op for op in built.get_ops() if op.get_friendly_name() == "conv")
        value = ov.Model([ops.result(layer.input_value(1))], [])
        stored = ov.Core().compile_model(value, "CPU", PLAIN)([])[0]
        expected = np.square(stored.astype(np.float64) - numbers(16, 8, 3, 3)).sum()
        assert builder.error("conv", form) == pytest.approx(expected, rel=1e-4)


def test_nothing_is_encoded_twice_nor_by_another_process(tmp_path, monkeypatch):
    model, made = NETS["decoder_single"](), []
    encode = DataEncoder.__call__

    def counted(self, weight, values, form):
        made.append((weight.name, str(form)))
        return encode(self, weight, values, form)

    monkeypatch.setattr(DataEncoder, "__call__", counted)
    forms = [WeightFormat.parse(word) for word in ("int4_sym g32", "int8_asym")]
    wanted = {weight.name: forms for weight in find_weights(model).compressible if weight.length % 32 == 0}
    told = []
    with building(model, IDS, cache=tmp_path) as builder:
        builder.prepare(wanted, lambda done, count: told.append((done, count)))
        assert sorted(made) == sorted((name, str(form)) for name in wanted for form in forms)
        assert told == [(done, len(made)) for done in range(len(made))]
        # Weights of one activation follow each other: it is factorized once.
        order = list(dict.fromkeys(name for name, _ in made))
        for block in range(3):
            assert order.index(f"block_{block}/gate") - order.index(f"block_{block}/up") in {1, -1}
        first = builder.build(planned({name: own[0] for name, own in wanted.items()}))
        builder.build(planned({name: own[1] for name, own in wanted.items()}))
        errors = [builder.error(name, form) for name in wanted for form in forms]
    count = len(made)
    with building(model, IDS, cache=tmp_path) as builder:
        builder.prepare(wanted)
        again = builder.build(planned({name: own[0] for name, own in wanted.items()}))
        assert errors == [builder.error(name, form) for name in wanted for form in forms]
    assert len(made) == count
    assert difference(first, again) == []
    # Other data, and another rounding, are other encodings of what data round.
    with building(model, IDS[:2], cache=tmp_path) as builder:
        builder.error("block_0/up", forms[0])
    with building(model, IDS, PLAIN_RECIPE, cache=tmp_path) as builder:
        builder.error("block_0/up", forms[0])
        builder.error("block_0/up", forms[1])
    assert made[count:] == [("block_0/up", str(forms[0]))] * 2


def test_a_folder_gives_the_models_of_a_search_without_its_data(tmp_path):
    model = NETS["decoder_half"]()
    weights = find_weights(model).every
    with building(model, IDS, cache=tmp_path) as builder:
        plan = planned(mixed(builder, model))
        first, told = builder.build(plan), builder.fingerprint(plan)
    again = WeightBuilder(model, weights, RECIPE, None, activations_of(model, weights), tmp_path)
    assert again.fingerprint(plan) == told
    assert difference(again.build(plan), first) == []
    with building(model, IDS[:3], cache=tmp_path) as builder:
        builder.build(plan)
    again = WeightBuilder(model, weights, RECIPE, None, activations_of(model, weights), tmp_path)
    with pytest.raises(DataError, match="keeps 2 encodings of one weight, by different data"):
        again.build(plan)


def test_a_damaged_encoding_is_made_again(tmp_path):
    model, form = NETS["two_heads"](), WeightFormat.parse("int4_sym g32")
    plan = planned({"body": form}, PLAIN_RECIPE)
    with building(model, None, PLAIN_RECIPE, tmp_path) as builder:
        first = builder.build(plan)
    (path,) = tmp_path.glob("*.npz")
    path.write_bytes(path.read_bytes()[:-40])
    with building(model, None, PLAIN_RECIPE, tmp_path) as builder:
        with pytest.warns(UserWarning, match="a weight is encoded again: .* is damaged"):
            again = builder.build(plan)
        assert difference(first, again) == []
    with warnings.catch_warnings(), building(model, None, PLAIN_RECIPE, tmp_path) as builder:
        assert difference(first, builder.build(plan)) == []


def test_memory_holds_a_bounded_part_beside_a_folder(tmp_path):
    model, form = NETS["decoder_single"](), WeightFormat.parse("int8_sym")
    formats = {weight.name: form for weight in find_weights(model).compressible}
    with building(model, None, PLAIN_RECIPE, tmp_path) as builder:
        most = builder._encoder._encodings._most_bytes = 20_000
        for _ in range(2):
            builder.build(planned(formats, PLAIN_RECIPE))
            held = [encoding.size_bytes for encoding in builder._encoder._encodings._known.values()]
            assert sum(held) == builder._encoder._encodings._bytes <= most
            assert 0 < len(held) < len(formats)


@pytest.mark.slow
def test_threads_do_not_encode_a_weight_at_once(monkeypatch):
    """What is computed of an activation is kept for the weights that read it: one thread's is not another one's."""
    model, running, most = NETS["decoder_single"](), [0], [0]
    encode = DataEncoder.__call__

    def counted(self, weight, values, form):
        running[0] += 1
        time.sleep(0.002)
        most[0] = max(most[0], running[0])
        running[0] -= 1
        return encode(self, weight, values, form)

    monkeypatch.setattr(DataEncoder, "__call__", counted)
    with building(model, IDS) as builder, ThreadPoolExecutor(4) as pool:
        plans = [planned(mixed(builder, model, seed)) for seed in range(4)]
        built = list(pool.map(builder.build, plans))
        assert most == [1]
    with building(model, IDS) as builder:
        assert [difference(found, builder.build(plan)) for found, plan in zip(built, plans, strict=True)] == [[]] * 4


def test_fingerprints_tell_models_apart():
    model, words = NETS["decoder_single"](), ["int4_sym g32", "int4_sym g64", "nf4 g32"]
    head, up = {"head": WeightFormat.parse("int8_asym")}, "block_0/up"
    nearest = CompressionRecipe(format=WeightFormat.parse("nf4 g32"), ratio=0.5)
    with building(model, IDS) as builder:
        plans = [planned(head | {up: WeightFormat.parse(word)}) for word in words]
        plans += [planned(head | {up: WeightFormat.parse(words[0])}, nearest), planned(head)]
        prints = [builder.fingerprint(plan) for plan in plans]
        assert len(set(prints)) == len(prints)
        assert builder.fingerprint(planned({})) == "float"
        # The recipe counts where it changes numbers alone.
        assert builder.fingerprint(planned(head, nearest)) == prints[-1]
        assert difference(builder.build(planned(head, nearest)), builder.build(planned(head))) == []


@pytest.mark.parametrize(
    "name",
    [
        "decoder_half",
        *(
            pytest.param(n, marks=pytest.mark.slow)
            for n in ("decoder_single", "decoder_tied", "decoder_brain", "experts", "convolutions", "two_heads")
        ),
    ],
)
def test_switched_it_computes_what_the_models_of_plans_compute(name):
    model = NETS[name]()
    data = IDS if name.startswith("decoder") else None
    recipe = RECIPE if data else PLAIN_RECIPE
    rng = np.random.default_rng(1)
    shape = [d.get_length() if d.is_static else 5 for d in model.inputs[0].get_partial_shape()]
    sample = IDS[0] if data else rng.normal(size=shape).astype(np.float32)
    with building(model, data, recipe) as builder:
        formats = [[name, form] for name, form in mixed(builder, model, 3).items()]
        units = [dict(formats[:2]), dict(formats[2:3]), dict(formats[3:])]
        switchable = ov.Core().compile_model(
            builder.build_switchable(units), "CPU", {"INFERENCE_PRECISION_HINT": "f32"}
        )
        place = {port.any_name: port for port in switchable.inputs}
        other = next(port for own, port in place.items() if own != SWITCHES)
        for switches in ([0, 0, 0], [1, 1, 1], [0, 1, 0], [1, 0, 0]):
            chosen = {n: f for on, unit in zip(switches, units, strict=True) if on for n, f in unit.items()}
            expected = ov.Core().compile_model(builder.build(planned(chosen, recipe)), "CPU", PLAIN)([sample])
            found = switchable({place[SWITCHES]: np.array(switches, np.float32), other: sample})
            for ours, theirs in zip(found.values(), expected.values(), strict=True):
                np.testing.assert_allclose(ours, theirs, rtol=2e-4, atol=2e-4 * np.abs(theirs).max())


def test_what_cannot_be_built_is_refused():
    model, form = NETS["decoder_single"](), WeightFormat.parse("int4_sym g32")
    weights, up = find_weights(model).every, {"block_0/up": form}
    blind = WeightBuilder(model, weights, RECIPE, None, activations_of(model, weights))
    with pytest.raises(DataError, match=r"weight 'block_0/up' is to be rounded by data \(compensated\), but there are"):
        blind.build(planned(up))
    builder = WeightBuilder(model, weights, PLAIN_RECIPE)
    for recipe, said in (
        (CompressionRecipe(format=form, awq=True), "recipe has awq"),
        (CompressionRecipe(format=form, lora_correction=True), "recipe has lora_correction"),
    ):
        with pytest.raises(PlanError, match=said):
            builder.build(planned(up, recipe))
        with pytest.raises(PlanError, match=said):
            WeightBuilder(model, weights, recipe)
    for call in (builder.build, builder.fingerprint):
        with pytest.raises(PlanError, match="did you mean 'block_0/up'"):
            call(planned({"block_0/pu": form}, PLAIN_RECIPE))
        with pytest.raises(PlanError, match="groups do not fit"):
            call(planned({"block_0/up": WeightFormat.parse("int4_sym g48")}, PLAIN_RECIPE))
        with pytest.raises(PlanError, match="part of kind 'quantization', which nothing builds"):
            call(planned(up, PLAIN_RECIPE).having(autoq.QuantizationPlan(autoq.Recipe())))
    with pytest.raises(PlanError, match="is in the units 0 and 1"):
        builder.build_switchable([up, up])
    for ask in (builder.error, builder.size_bytes):
        with pytest.raises(PlanError, match=r"(not in the model|the model does not have): known"):
            ask("nothing", form)
    with pytest.raises(PlanError, match="is not in the model"):
        builder.choices("nothing", [form])
    broken = ov.Model(
        [product(x := ops.parameter([-1, 32], np.float32), np.full((4, 32), np.nan, np.float32), "w")], [x]
    )
    with pytest.raises(autoq.core.ModelError, match="weight 'w' cannot be compressed: it holds numbers that are not"):
        WeightBuilder(broken, find_weights(broken).every, PLAIN_RECIPE).build(planned({"w": form}, PLAIN_RECIPE))
