"""`autoq.sensitivity`: its distortions, its ranking, its ignored scope and its picture."""

import json
import math
from dataclasses import replace
from itertools import pairwise

import numpy as np
import openvino as ov
import pytest
from graph_models import MODELS
from networks import conv_net, images, run, snapshot, token_net
from openvino import opset13 as ops
from scipy import special, stats

import autoq
from autoq.api import SensitivityReport, UnitSensitivity
from autoq.api.quantizing._settings import Settings
from autoq.core import (
    ConfigError,
    DataError,
    DeviceError,
    DistortionMeasure,
    ModelError,
    Plan,
    PlanError,
    Precision,
)
from autoq.graph import NO_SCOPE, Placements, analyze

DATA = images(12)
TOKENS = [np.random.default_rng(n).integers(0, 16, (1, 5)) for n in range(6)]
# Switches and quantizers do the same in another order of f32 operations, now and then on either side of a rounding.
TOLERANCE = 0.02


def outputs(model, data=DATA):
    """[n, classes] of a model that OpenVINO runs in f32, its quantizers as they stand and no 8-bit kernels."""
    settings = {"INFERENCE_PRECISION_HINT": "f32", "LP_TRANSFORMS_MODE": "NO", "DYNAMIC_QUANTIZATION_GROUP_SIZE": "0"}
    compiled = ov.Core().compile_model(model, "CPU", settings)
    return np.concatenate([np.array(compiled(x if x.ndim != 3 else x[None])[0], np.float64) for x in data])


def nmse(truth, actual):
    return np.mean((actual - truth) ** 2) / np.var(truth)


def kl(truth, actual):
    rows = zip(special.softmax(truth, axis=-1), special.softmax(actual, axis=-1), strict=True)
    return np.mean([stats.entropy(a, b) for a, b in rows])


def cosine(truth, actual):
    lengths = np.linalg.norm(truth, axis=1) * np.linalg.norm(actual, axis=1)
    return np.mean(1 - np.sum(truth * actual, axis=1) / lengths)


def quantized(model, int8, **options):
    """With these groups in int8 and no others."""
    settings = Settings.of(**options)
    groups = [group.name for group in analyze(model).groups]
    plan = Plan.quantized(settings.recipe, {g: Precision.INT8 if g in int8 else Precision.FLOAT for g in groups})
    return autoq.quantize(model, DATA, plan=plan)


def sensitivities(model=None, **options):
    return autoq.sensitivity(model or conv_net(), DATA, progress=False, **options)


@pytest.mark.parametrize(
    ("measure", "expected", "options"),
    [
        ("nmse", nmse, {}),
        ("NMSE", nmse, {"preset": "mixed", "bias_correction": False, "overflow_fix": "disable"}),
        ("kl", kl, {}),
        ("cosine", cosine, {"subset_size": 3}),
    ],
)
def test_distortions_are_those_of_the_models_with_one_unit_quantized(measure, expected, options):
    model = conv_net()
    before = snapshot(model)
    found = sensitivities(model, measure=measure, **options)
    assert snapshot(model) == before
    truth = outputs(model)
    groups = [group.name for group in analyze(model).groups]
    assert {unit.unit for unit in found.units} == set(groups)
    for unit in found.units:
        alone = expected(truth, outputs(quantized(model, {unit.unit}, **options)))
        assert unit.distortion == pytest.approx(alone, rel=TOLERANCE, abs=1e-9)
        assert unit.share == pytest.approx(unit.distortion / found.whole)
        assert unit.gain is None
    assert found.whole == pytest.approx(
        expected(truth, outputs(quantized(model, set(groups), **options))), rel=TOLERANCE
    )
    distortions = {unit.unit: unit.distortion for unit in found.units}
    for (first, second), more in found.interactions.items():
        both = expected(truth, outputs(quantized(model, {first, second}, **options)))
        assert more + distortions[first] + distortions[second] == pytest.approx(both, rel=TOLERANCE, abs=1e-9)


def test_units_are_ranked_and_what_is_left_ends_at_nothing():
    found = sensitivities()
    distortions = [unit.distortion for unit in found.units]
    assert distortions == sorted(distortions, reverse=True)
    assert found.units[-1].left == 0
    # By hand: sum of units and pairs that are left, on the scale on which all of them are the whole.
    sums = []
    for k in range(len(found.units) + 1):
        left = {unit.unit: unit.distortion for unit in found.units[k:]}
        sums.append(sum(left.values()) + sum(v for (a, b), v in found.interactions.items() if a in left and b in left))
    assert [unit.left for unit in found.units] == pytest.approx([value / sums[0] for value in sums[1:]])
    sizes = [abs(value) for value in found.interactions.values()]
    assert sizes
    assert sizes == sorted(sizes, reverse=True)


def test_twice_the_same_whatever_the_machine_does_besides():
    assert sensitivities().to_dict() == sensitivities().to_dict()


def test_as_many_inputs_are_run_as_are_asked_for():
    few = sensitivities(samples=2)
    settings = 1 + len(few.units) + len(few.interactions)
    assert few.inferences == (settings + 1) * 2
    model = conv_net()
    unit = few.units[0]
    truth, actual = outputs(model, DATA[:2]), outputs(quantized(model, {unit.unit}), DATA[:2])
    assert unit.distortion == pytest.approx(nmse(truth, actual), rel=TOLERANCE)


@pytest.mark.parametrize("count", [0, 1, 2, 5])
def test_its_ignored_scope_leaves_exactly_these_units_in_float(count):
    model = conv_net()
    found = sensitivities(model)
    chosen, left = found.most_sensitive(count=count)
    assert chosen == found.units[:count]
    scope = found.ignored_scope(count=count)
    names = {unit.unit for unit in chosen}
    graph = analyze(model)
    assert analyze(model, ignored_scope=scope).groups == tuple(g for g in graph.groups if g.name not in names)
    rest = {group.name for group in graph.groups} - names
    if rest:
        with_scope = autoq.quantize(model, DATA, ignored_scope=scope)
        assert snapshot(with_scope) == snapshot(quantized(model, rest))
        distortion = nmse(outputs(model), outputs(with_scope))
        assert distortion / found.whole == pytest.approx(left, rel=0.5)
    else:
        with pytest.raises(ModelError, match="has nothing to quantize"):
            autoq.quantize(model, DATA, ignored_scope=scope)


def test_the_distortion_falls_with_each_unit_in_float_by_as_much_as_is_predicted():
    model = conv_net()
    found = sensitivities(model)
    truth = outputs(model)
    shares = [
        nmse(truth, outputs(autoq.quantize(model, DATA, ignored_scope=found.ignored_scope(count=k)))) / found.whole
        for k in range(len(found.units))
    ]
    assert shares[0] == pytest.approx(1, rel=TOLERANCE)
    assert all(after < before for before, after in pairwise(shares))
    assert shares[1:] == pytest.approx([unit.left for unit in found.units[:-1]], abs=0.1)


@pytest.mark.parametrize("share", [None, 0.0, 0.1, 0.3, 0.5, 0.9, 1.0])
def test_a_share_takes_the_fewest_units_that_leave_it(share):
    found = sensitivities()
    chosen, left = found.most_sensitive(share=share)
    left_by = [1.0, *(unit.left for unit in found.units)]
    asked = 0.5 if share is None else share
    assert left == left_by[len(chosen)] <= asked
    assert all(value > asked for value in left_by[: len(chosen)])
    assert set(found.ignored_scope(share=share).names) == {op for unit in chosen for op in unit.ops}


@pytest.mark.parametrize("name", MODELS)
def test_scopes_leave_units_in_float_whatever_the_graph(name):
    model = MODELS[name]()
    graph = analyze(model)
    rng = np.random.default_rng(0)
    rows = tuple(row(group.name, group.ops) for group in graph.groups)
    for _ in range(4):
        shuffled = tuple(rows[i] for i in rng.permutation(len(rows)))
        report = made(shuffled, place=lambda scope: analyze(model, ignored_scope=scope))
        count = int(rng.integers(0, len(rows) + 1))
        scope = report.ignored_scope(count=count)
        floats = {unit.unit for unit in shuffled[:count]}
        kept = {op for group in graph.groups if group.name not in floats for op in group.ops}
        found = analyze(model, ignored_scope=scope)
        assert {op for group in found.groups for op in group.ops} == kept


def row(unit, ops, distortion=1.0, left=0.0):
    return UnitSensitivity(
        unit=unit,
        groups=(unit,),
        ops=tuple(ops),
        types=("Convolution",),
        distortion=distortion,
        share=1.0,
        left=left,
        gain=None,
    )


def made(units, *, whole=1.0, place=lambda scope: analyze(conv_net()), scope=None):
    return SensitivityReport(
        units=units,
        interactions={},
        whole=whole,
        inferences=0,
        measure=DistortionMeasure.NMSE,
        scope=scope,
        place=place,
    )


def test_coarser_units_distort_by_all_of_their_groups_and_stay_in_float_whole():
    model = conv_net()
    found = sensitivities(model, level="type")
    graph = analyze(model)
    assert sorted(group for unit in found.units for group in unit.groups) == sorted(g.name for g in graph.groups)
    truth = outputs(model)
    for unit in found.units:
        assert unit.distortion == pytest.approx(nmse(truth, outputs(quantized(model, unit.groups))), rel=TOLERANCE)
    several = next(k for k, unit in enumerate(found.units) if len(unit.ops) > 1)
    floats = {group for unit in found.units[: several + 1] for group in unit.groups}
    scope = found.ignored_scope(count=several + 1)
    assert {g.name for g in analyze(model, ignored_scope=scope).groups} == {g.name for g in graph.groups} - floats


def test_what_reads_an_embedding_in_float_stays_in_float_too():
    model = token_net()
    found = autoq.sensitivity(model, TOKENS, progress=False)
    position = next(k for k, unit in enumerate(found.units) if unit.unit == "embedding")
    scope = found.ignored_scope(count=position + 1)
    assert {"embedding", "norm"} <= set(scope.names)
    groups = {group.name for group in analyze(model, ignored_scope=scope).groups}
    assert groups == {unit.unit for unit in found.units[position + 1 :]}


def test_what_the_preset_quantizes_besides_is_a_unit():
    """Embeddings quantized alike need no quantizer at their sum, those of preset mixed do."""
    model = MODELS["two_embeddings"]()
    tokens = [(np.full((1, 6), n, np.int64), np.full((1, 6), n % 3, np.int64)) for n in range(4)]
    plain, mixed = (autoq.sensitivity(model, tokens, preset=p, progress=False) for p in ("performance", "mixed"))
    assert {unit.unit for unit in mixed.units} - {unit.unit for unit in plain.units} == {"sum"}
    assert next(unit for unit in mixed.units if unit.unit == "sum").distortion > 0
    groups = analyze(model, preset="mixed", ignored_scope=mixed.ignored_scope(count=1)).groups
    assert {group.name for group in groups} == {unit.unit for unit in mixed.units[1:]}


def test_what_was_ignored_from_the_start_stays_ignored():
    base = autoq.IgnoredScope(names=["head"], types=["GroupConvolution"])
    model = conv_net()
    found = sensitivities(model, ignored_scope=base)
    assert not {"head", "depthwise"} & {unit.unit for unit in found.units}
    scope = found.ignored_scope(count=1)
    assert scope.names == ("head", *found.units[0].ops)
    assert scope.types == ("GroupConvolution",)
    truth = outputs(model)
    whole = nmse(truth, outputs(autoq.quantize(model, DATA, ignored_scope=base)))
    assert found.whole == pytest.approx(whole, rel=TOLERANCE)
    assert nmse(truth, outputs(autoq.quantize(model, DATA, ignored_scope=scope))) < whole


def test_a_unit_that_fails_is_left_in_float_first():
    inf = float("inf")
    report = made((row("a", ["conv_1"], inf, left=0.0), row("b", ["conv_2"], 0.1)), whole=inf)
    chosen, left = report.most_sensitive()
    assert ([unit.unit for unit in chosen], left) == (["a"], 0.0)
    plain = json.loads(json.dumps(report.to_dict(), allow_nan=False))
    assert plain["whole"] is None
    assert plain["units"][0]["distortion"] is None


def ends_in(kind, axis=-1):
    """conv_net with another operation behind its logits."""
    model = conv_net()
    logits = model.get_results()[0].input_value(0)
    return ov.Model([ops.result(getattr(ops, kind)(logits, axis))], model.get_parameters(), kind)


@pytest.mark.parametrize(
    ("model", "measure"),
    [
        (conv_net, "nmse"),
        (lambda: ends_in("softmax"), "kl"),
        (lambda: ends_in("softmax", 1), "kl"),
        (lambda: ends_in("log_softmax"), "kl"),
        (lambda: ends_in("softmax", 0), "nmse"),
    ],
)
def test_the_measure_is_known_where_the_graph_tells_it(model, measure):
    assert sensitivities(model()).measure == measure


def test_probabilities_are_compared_as_they_are():
    model = ends_in("softmax")
    found = sensitivities(model)
    truth = outputs(model)
    for unit in found.units:
        actual = outputs(quantized(model, {unit.unit}))
        expected = np.mean([stats.entropy(a, b) for a, b in zip(truth, actual, strict=True)])
        assert unit.distortion == pytest.approx(expected, rel=0.05, abs=1e-7)


def test_gains_are_measured_where_they_are_asked_for():
    found = sensitivities(gains=True)
    assert all(isinstance(unit.gain, float) and math.isfinite(unit.gain) for unit in found.units)


def test_a_transformer_is_measured_with_its_own_settings():
    plain = autoq.sensitivity(token_net(), TOKENS, progress=False)
    smooth = autoq.sensitivity(token_net(), TOKENS, model_type="transformer", progress=False)
    assert smooth.whole != pytest.approx(plain.whole)


def test_other_numbers_than_int8_are_measured_too():
    model = conv_net()
    found = sensitivities(model, mode="fp8_e4m3")
    truth = outputs(model)
    whole = nmse(truth, outputs(autoq.quantize(model, DATA, mode="fp8_e4m3")))
    assert found.whole == pytest.approx(whole, rel=0.1)


def test_units_are_measured_in_further_precisions_side_by_side():
    model = conv_net()
    found = sensitivities(model, precisions=["int8_weights", "fp8_e4m3"])
    alone = sensitivities(model)
    assert [replace(unit, others={}) for unit in found.units] == list(alone.units)
    assert alone.to_pandas().columns.tolist() == found.to_pandas().columns.tolist()[:-2]
    fp8 = {unit.unit: unit.distortion for unit in sensitivities(model, mode="fp8_e4m3").units}
    assert {unit.unit: unit.others["fp8_e4m3"] for unit in found.units} == pytest.approx(fp8, rel=TOLERANCE)
    truth = outputs(model)
    for unit in found.units:
        plan = dict.fromkeys([row.unit for row in found.units], "float") | {unit.unit: "int8_weights"}
        one = autoq.quantize(
            model, DATA, plan=Plan.quantized(precisions={k: Precision.parse(v) for k, v in plan.items()})
        )
        assert unit.others["int8_weights"] == pytest.approx(nmse(truth, outputs(one)), rel=0.1, abs=1e-9)
    assert "int8_weights" in repr(found)
    assert found.to_dict()["units"][0]["others"].keys() == {"int8_weights", "fp8_e4m3"}


def test_a_table_with_one_row_per_unit():
    found = sensitivities()
    table = found.to_pandas()
    assert list(table["unit"]) == [unit.unit for unit in found.units]
    assert list(table["distortion"]) == [unit.distortion for unit in found.units]
    (conv_1,) = [unit for unit in found.units if unit.unit == "conv_1"]
    assert (conv_1.ops, conv_1.types) == (("conv_1",), ("Convolution",))


def test_the_picture_has_a_bar_for_each_of_the_most_sensitive_units_and_what_is_left():
    found = sensitivities()
    ax = found.plot(top=3)
    assert [bar.get_width() for bar in ax.patches] == [unit.distortion for unit in found.units[:3]]
    assert [label.get_text() for label in ax.get_yticklabels()] == [unit.unit for unit in found.units[:3]]
    assert ax.get_xscale() == "log"
    (over,) = [other for other in ax.figure.axes if other is not ax]
    assert list(over.lines[0].get_xdata()) == [unit.left for unit in found.units[:3]]
    from matplotlib.figure import Figure

    given = Figure().add_subplot()
    assert found.plot(given) is given
    assert found.picture(top=2).startswith(b"\x89PNG")
    fails = made((row("a", ["a"], float("inf")), row("b", ["b"], 0.0)), whole=float("inf"))
    assert fails.picture("svg").lstrip().startswith(b"<?xml")


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"measure": "nsme"}, PlanError, "measure 'nsme' is unknown: did you mean 'nmse'"),
        ({"measure": "mse of all"}, PlanError, "known: auto, cosine, kl, nmse"),
        ({"preset": "mixd"}, PlanError, "preset 'mixd' is unknown"),
        ({"level": "layer"}, PlanError, "level 'layer' is unknown"),
        ({"samples": 0}, ConfigError, "samples is 0"),
        ({"device": "TPU"}, DeviceError, "device 'TPU' is not there"),
        ({"ignored_scope": autoq.IgnoredScope(types=["Cnov"])}, PlanError, "'Cnov'"),
        ({"ignored_scope": autoq.IgnoredScope(patterns=[".*"])}, ModelError, "has nothing to quantize"),
        ({"calibration": []}, DataError, "calibration data are empty"),
        ({"model": 7}, ModelError, "int"),
    ],
)
def test_what_cannot_be_used(changes, error, message):
    given = {"model": conv_net(), "calibration": DATA} | changes
    with pytest.raises(error, match=message):
        autoq.sensitivity(given.pop("model"), given.pop("calibration"), **given)


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"share": 1.5}, r"share is 1.5: it must be in \[0, 1\]"),
        ({"share": float("nan")}, "share is nan"),
        ({"count": -1}, "count is -1: the model has 2 units"),
        ({"count": 3}, "count is 3: the model has 2 units"),
        ({"share": 0.5, "count": 1}, "got both share=0.5 and count=1"),
    ],
)
def test_what_cannot_be_asked_of_a_report(asked, message):
    report = made((row("a", ["conv_1"]), row("b", ["conv_2"])))
    with pytest.raises(ConfigError, match=message):
        report.ignored_scope(**asked)


@pytest.mark.filterwarnings("ignore:no calibration sample runs the else branch")
def test_bodies_are_one_unit_which_can_be_left_in_float():
    image = ops.parameter([1, 3, 8, 8], np.float32, "image")
    op = ops.if_op(ops.greater(ops.reduce_l1(image, [0, 1, 2, 3]), np.float32(0)).output(0))
    op.set_friendly_name("branches")
    bodies = [conv_net(seed=seed) for seed in (1, 2)]
    op.set_then_body(bodies[0])
    op.set_else_body(bodies[1])
    op.set_input(image.output(0), *(body.get_parameters()[0] for body in bodies))
    value = op.set_output(*(body.results[0] for body in bodies))
    model = ov.Model([ops.result(value)], [image], "branches")
    report = sensitivities(model)
    (unit,) = [unit for unit in report.units if unit.unit == "branches"]
    assert unit.types == ("If",)
    assert unit.distortion > 0
    scope = report.ignored_scope(count=len(report.units))
    assert "branches" in scope.names
    assert not Placements.of(model, {NO_SCOPE: scope}).reference.groups


def test_run_agrees_with_the_float_model():
    # Guards the yardstick of this file: `outputs` is what OpenVINO computes anyway.
    assert outputs(conv_net(), DATA[:1]) == pytest.approx(run(conv_net(), DATA[:1]), abs=1e-5)
