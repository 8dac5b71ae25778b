"""`autoq.prune`: what goes, what is made up for, and what is refused."""

import numpy as np
import openvino as ov
import pytest
from channel_nets import NETS, SAME, conv, data, dense, image, ints, model_of, named, numbers, tokens
from networks import conv_net, images, run, scaled_images, scaled_net, snapshot
from openvino import opset13 as ops

import autoq
from autoq.core import DataError, Estimate, ModelError, PlanError
from autoq.evaluation.candidate import size_bytes
from autoq.graph import find_channels


def widths(model: ov.Model) -> dict[str, int]:
    return {group.name: group.width for group in find_channels(autoq.read_model(model)).groups}


def of_type(model: ov.Model, kind: str) -> list[ov.Node]:
    return [op for op in model.get_ops() if op.get_type_name() == kind]


def copies(*, flat: bool = False, half: bool = False) -> ov.Model:
    """Eight channels that are four and their halves, a depthwise layer that keeps that, and a layer that reads them."""
    rng = np.random.default_rng(0)

    def held(value: np.ndarray) -> ov.Node:
        return ops.convert(ops.constant(value.astype(np.float16)), "f32") if half else ops.constant(value)

    weight = rng.normal(0, 1, (4, 3, 3, 3)).astype(np.float16).astype(np.float32)
    x = ops.relu(named(ops.convolution(image(), held(np.concatenate([weight, weight / 2])), *SAME), "first"))
    kernel = rng.normal(0, 1, (4, 1, 1, 3, 3)).astype(np.float32)
    x = named(ops.group_convolution(x, held(np.concatenate([kernel, kernel])), *SAME), "depthwise")
    if flat:
        return model_of(dense(ops.reshape(x, ints(2, 288), False), 4, "last"))
    y = named(ops.convolution(x, held(rng.normal(0, 1, (4, 8, 3, 3)).astype(np.float32)), *SAME), "last")
    return model_of(y)


def calibration(model: ov.Model, count: int = 4) -> list[np.ndarray]:
    return [data(model, seed=seed)[0] for seed in range(count)]


@pytest.mark.parametrize("flat", [False, True])
def test_channels_that_others_span_cost_nothing_once_repaired(flat):
    model = copies(flat=flat)
    before, values = snapshot(model), data(model, seed=9)
    expected = run(model, *values)
    pruned = autoq.prune(model, calibration(model), ratio=0.5, multiple_of=4, widths="equal", progress=False)
    assert widths(pruned) == {"first": 4}
    np.testing.assert_allclose(run(pruned, *values), expected, atol=2e-3 * np.abs(expected).max())
    assert snapshot(model) == before
    bare = autoq.prune(
        model, calibration(model), ratio=0.5, multiple_of=4, repair="none", widths="equal", progress=False
    )
    assert np.abs(run(bare, *values) - expected).max() > 0.1 * np.abs(expected).max()


def test_half_precision_stays_half_precision():
    model = copies(half=True)
    values = data(model, seed=9)
    pruned = autoq.prune(model, calibration(model), ratio=0.5, multiple_of=4, widths="equal", progress=False)
    kinds = {op.get_element_type() for op in pruned.get_ops() if op.get_type_name() == "Constant"}
    assert kinds == {ov.Type.f16}
    expected = run(model, *values)
    np.testing.assert_allclose(run(pruned, *values), expected, atol=5e-3 * np.abs(expected).max())


def test_a_repair_is_the_least_squares_fit():
    model = autoq.read_model(model_of(dense(ops.relu(dense(tokens(), 10, "up")), 4, "down")))
    samples = calibration(model, 12)
    pruned = autoq.prune(model, samples, ratio=0.4, multiple_of=2, method="magnitude", widths="equal", progress=False)
    weights = {
        op.get_friendly_name(): op.input_value(1).get_node().data
        for op in pruned.get_ops()
        if op.get_type_name() == "MatMul"
    }
    given = {
        op.get_friendly_name(): op.input_value(1).get_node().data
        for op in model.get_ops()
        if op.get_type_name() == "MatMul"
    }
    kept = [int(np.flatnonzero((given["up"] == row).all(1))[0]) for row in weights["up"]]
    assert kept == sorted(np.argsort(-np.linalg.norm(given["up"], axis=1))[:6].tolist())
    hidden = ov.Model(
        [ops.result(op) for op in model.get_ops() if op.get_type_name() == "Relu"], model.get_parameters(), "hidden"
    )
    compiled = ov.Core().compile_model(hidden, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    rows = np.concatenate([np.array(compiled([sample])[0]).reshape(-1, 10) for sample in samples])
    fitted, *_ = np.linalg.lstsq(rows[:, kept], rows @ given["down"].T, rcond=None)
    np.testing.assert_allclose(weights["down"], fitted.T, atol=2e-3 * np.abs(fitted).max())


@pytest.mark.parametrize(
    "method", ["interpolative", *(pytest.param(name, marks=pytest.mark.slow) for name in ("magnitude", "fpgm"))]
)
def test_the_same_arguments_give_the_same_model(method):
    model = NETS["residual"]()
    arguments = {"ratio": 0.5, "multiple_of": 2, "method": method, "widths": "equal", "progress": False}
    first, second = (autoq.prune(model, calibration(model), **arguments) for _ in range(2))
    values = data(first)
    assert (run(first, *values) == run(second, *values)).all()
    assert widths(first) == {"stem": 4, "inner": 4}


def test_weights_alone_choose_without_data():
    model = NETS["squeeze_and_excite"]()
    pruned = autoq.prune(model, None, ratio=0.5, multiple_of=1, method="fpgm", repair="none")
    assert widths(pruned) == {"first": 4, "squeeze": 2}
    assert np.isfinite(run(pruned, *data(pruned))).all()


def test_multiplications_may_decide():
    model = NETS["residual"]()
    pruned = autoq.prune(model, None, macs=0.6, multiple_of=2, method="magnitude", repair="none")
    assert widths(pruned) == {"stem": 6, "inner": 4}


def test_a_pruned_model_keeps_its_face_and_can_be_quantized():
    model = conv_net(channels=8)
    pruned = autoq.prune(model, images(4), ratio=0.5, multiple_of=4, widths="equal", progress=False)
    for ends in ("inputs", "outputs"):
        described = [[(end.get_names(), end.get_partial_shape()) for end in getattr(m, ends)] for m in (model, pruned)]
        assert described[0] == described[1]
    assert pruned.get_friendly_name() == "conv_net"
    assert np.isfinite(run(autoq.quantize(pruned, images(4), progress=False), images(1))).all()


def test_what_the_scope_names_keeps_its_channels():
    plain = {"ratio": 0.5, "multiple_of": 1, "method": "magnitude", "repair": "none"}
    pruned = autoq.prune(NETS["residual"](), None, **plain, ignored_scope=["last"])
    assert widths(pruned) == {"stem": 8, "inner": 3}
    with pytest.raises(PlanError, match="'nowhere' matches no operation"):
        autoq.prune(NETS["residual"](), None, **plain, ignored_scope="nowhere")


REFUSED = [
    ({"ratio": 0.5, "macs": 0.5}, PlanError, "ratio is 0.5, macs is 0.5, latency is None: give one of them."),
    ({}, PlanError, "ratio is None, macs is None, latency is None: give one of them."),
    ({"ratio": 1}, PlanError, "ratio is 1: it must be a share of channels that go, above 0 and below 1."),
    ({"macs": True}, PlanError, "macs is True: it must be a share of multiplications that are left"),
    ({"latency": 2}, PlanError, "latency is 2: it must be a share of the float model's time that is left"),
    ({"latency": 0.5, "widths": "equal"}, PlanError, "widths is 'equal': latency needs widths that are chosen"),
    ({"ratio": 0.5, "widths": "wide"}, PlanError, "widths 'wide' is unknown"),
    (
        {"latency": 0.5, "method": "fpgm", "repair": "none"},
        DataError,
        "calibration is missing: latency needs inputs of the model.",
    ),
    ({"ratio": 0.5, "multiple_of": 0}, PlanError, "multiple_of is 0: it must be a whole number above 0."),
    ({"ratio": 0.5, "method": "l1"}, PlanError, "pruning method 'l1' is unknown"),
    ({"ratio": 0.5, "repair": "later"}, PlanError, "repair 'later' is unknown"),
    ({"ratio": 0.5}, DataError, "calibration is missing: method 'interpolative' needs inputs of the model."),
    ({"ratio": 0.5, "method": "fpgm"}, DataError, "calibration is missing: repair 'sequential' needs inputs"),
    ({"ratio": 0.2, "method": "fpgm", "repair": "none"}, PlanError, "no channel goes: all widths stay at the nearest"),
    (
        {"macs": 0.1, "method": "fpgm", "repair": "none"},
        PlanError,
        "macs is 0.1: at least 1.000 of the",
    ),
]


@pytest.mark.parametrize(("arguments", "error", "text"), REFUSED, ids=[text[:40] for _, _, text in REFUSED])
def test_what_does_not_fit_is_told_in_a_sentence(arguments, error, text):
    with pytest.raises(error) as caught:
        autoq.prune(NETS["chain"](), None, **arguments)
    assert text in str(caught.value)


def test_models_without_channels_to_go_say_why():
    plain = {"ratio": 0.5, "method": "magnitude", "repair": "none"}
    with pytest.raises(ModelError, match=r"can go; 'only', for example: output 'Add.*' of the model gives it\."):
        autoq.prune(model_of(conv(image(), 4, "only")), None, **plain)
    with pytest.raises(ModelError, match="is quantized already: prune the float model"):
        autoq.prune(NETS["quantized"](), None, **plain)
    with pytest.raises(ModelError, match="it has no convolution or matrix product with a constant weight"):
        autoq.prune(model_of(ops.relu(image())), None, **plain)
    with pytest.raises(PlanError, match="is of no use here"):
        autoq.prune(NETS["chain"](), calibration(NETS["chain"]()), widths="equal", **plain)


def test_chosen_widths_are_nearer_to_the_float_model_at_no_more_multiplications():
    model = NETS["residual"]()
    samples, (value,) = calibration(model, 12), data(model, seed=99)
    expected = run(model, value)
    errors, left = {}, {}
    for kind in ("equal", "chosen"):
        pruned = autoq.prune(model, samples, ratio=0.3, multiple_of=1, widths=kind, repair="one_shot", progress=False)
        errors[kind] = float(np.square(run(pruned, value) - expected).mean())
        left[kind] = sum(layer.products for layer in find_channels(autoq.read_model(pruned)).layers)
    assert left["chosen"] <= left["equal"]
    assert errors["chosen"] < errors["equal"]


class _Timed:
    def __init__(self, value: float) -> None:
        self.ratio = Estimate(value, value, value, 0.95)


def test_a_latency_is_measured_and_kept(monkeypatch):
    model = conv_net(channels=16)
    timed = []

    def ratio(candidates, baselines, sample, **_):
        # A timer that counts parameters.
        sizes = [
            sum(int(np.prod(op.get_output_shape(0))) for op in one[0].compiled_model.get_runtime_model().get_ops())
            for one in (candidates, baselines)
        ]
        timed.append(sizes[0] / sizes[1])
        return _Timed(timed[-1])

    monkeypatch.setattr("autoq.api.pruning._widths.measure_latency", ratio)
    pruned = autoq.prune(model, images(8), latency=0.8, multiple_of=4, repair="one_shot", progress=False)
    assert timed[-1] <= 0.8
    assert min(widths(pruned).values()) < 16
    with pytest.raises(PlanError, match=r"latency is 0\.001: the narrowest model still takes 0\.\d+ of the float"):
        autoq.prune(model, images(8), latency=0.001, multiple_of=4, repair="one_shot", progress=False)


def test_a_gate_that_takes_time_and_tells_little_goes_for_a_latency(monkeypatch):
    x = ops.relu(conv(image(size=8), 16, "stem"))
    gate = ops.relu(conv(ops.reduce_mean(x, ints(2, 3), True), 8, "squeeze", kernel=1))
    excite = named(ops.convolution(gate, 1e-3 * numbers(16, 8, 1, 1), [1, 1], [0, 0], [0, 0], [1, 1]), "excite")
    x = ops.multiply(x, ops.sigmoid(ops.add(excite, numbers(1, 16, 1, 1))))
    model = model_of(dense(ops.reduce_mean(conv(ops.relu(x), 16, "next"), ints(2, 3), False), 4, "head"))

    def ratios(candidates, baselines, *_, **__):
        """A timer that counts operations: as the time of a small model does, whatever its widths are."""
        sizes = [len(one[0].compiled_model.get_runtime_model().get_ops()) for one in (*candidates, baselines)]
        return [_Timed(size / sizes[-1]) for size in sizes[:-1]]

    monkeypatch.setattr("autoq.api.pruning._widths.measure_latencies", ratios)
    monkeypatch.setattr("autoq.api.pruning._widths.measure_latency", lambda one, base, *_, **__: ratios([one], base)[0])
    samples, value = calibration(model, 20), data(model, seed=99)[0]
    pruned = autoq.prune(model, samples, latency=0.85, multiple_of=4, repair="one_shot", progress=False)
    left = {op.get_friendly_name() for op in pruned.get_ops()}
    assert not {"squeeze", "excite"} & left
    assert widths(pruned) == {"stem": 16, "next": 16}
    np.testing.assert_allclose(run(pruned, value), run(model, value), rtol=0.02, atol=0.01)


def test_an_input_without_axes_is_no_obstacle():
    model, data = scaled_net(channels=8), scaled_images(24)
    pruned = autoq.prune(model, data, ratio=0.25, multiple_of=2, progress=False)
    assert size_bytes(pruned) < size_bytes(model)
    for one in (model, pruned):
        single, double = (run(one, data[0]["image"], np.float32(scale)) for scale in (1, 2))
        np.testing.assert_allclose(2 * single, double, rtol=1e-5)


def chain_of(scales: tuple[float, float, float], end: str = "") -> ov.Model:
    """Three layers with weights of these sizes, and an operation behind them."""
    x = image()
    for place, scale in enumerate(scales):
        y = ops.multiply(conv(x, (16, 16, 4)[place], f"layer {place}", bias=False), np.float32(scale))
        x = named(ops.relu(y) if place < 2 else y, f"values {place}")
    return model_of(named(ops.log(x), "end") if end == "log" else x)


NO_NUMBERS = [
    ((1, 1, 1), "log", {}, r"at output 'end' on calibration sample 0: widths cannot be chosen .* widths='equal'\.$"),
    ((1, 1, 1e38), "", {"latency": 0.9, "ratio": None}, r"at output 'values 2' on .* Check the data and the model\.$"),
    (
        (1e10, 1e11, 1),
        "",
        {"widths": "equal"},
        r"squares .* at 'values 1' on .*: 'layer 2' cannot be fitted .*\(names=\['layer 2'\]\)",
    ),
    (
        (1e20, 1e20, 1),
        "",
        {"widths": "equal"},
        r"NaN or infinity at 'values 1' on calibration sample 0: .*\(names=\['layer 2'\]\)\.$",
    ),
]


@pytest.mark.parametrize(("scales", "end", "options", "text"), NO_NUMBERS)
def test_a_model_that_computes_no_finite_numbers_is_refused(scales, end, options, text):
    model = chain_of(scales, end)
    with pytest.raises(ModelError, match=text):
        autoq.prune(model, calibration(model), progress=False, **{"ratio": 0.5, **options})


def test_what_a_message_about_numbers_advises_leads_out():
    model = chain_of((1e10, 1e11, 1))
    options = {"ratio": 0.5, "repair": "one_shot", "widths": "equal", "progress": False}
    pruned = autoq.prune(model, calibration(model), ignored_scope=autoq.IgnoredScope(names=["layer 2"]), **options)
    assert widths(pruned)["layer 0"] == 8
    logged = chain_of((1, 1, 1), "log")
    assert widths(autoq.prune(logged, calibration(logged), **options)) == {"layer 0": 8, "layer 1": 8}


def test_a_layer_that_is_repaired_in_turn_refuses_what_the_pruned_model_alone_makes_of_the_data():
    """What is the root of a positive number is none once a channel is gone."""
    x = ops.relu(conv(image(), 16, "first"))
    scores = conv(x, 16, "second", bias=False)
    seen = np.concatenate([run(model_of(scores), value) for value in calibration(model_of(scores))])
    root = named(ops.sqrt(ops.subtract(scores, seen.min(axis=(0, 2, 3), keepdims=True))), "root")
    model = model_of(ops.add(conv(root, 4, "third"), conv(x, 4, "beside")))
    options = {"ratio": 0.5, "method": "magnitude", "widths": "equal", "progress": False}
    with pytest.raises(ModelError, match=r"without the channels .* at 'root' .*: 'third' .* repair='one_shot', or let"):
        autoq.prune(model, calibration(model), **options)


def test_channels_that_go_together_or_not_at_all_are_said_so():
    """A normalization over all channels leaves nothing to choose: no ratio would help."""
    x = ops.convolution(image(size=8), numbers(8, 3, 3, 3), *SAME)
    x = ops.relu(ops.group_normalization(x, numbers(8), numbers(8), 1, 1e-5))
    model = model_of(ops.convolution(x, numbers(4, 8, 3, 3), *SAME))
    with pytest.raises(ModelError, match=r"no channels that can go; those of .* go together or not at all"):
        autoq.prune(model, data(model), ratio=0.5, progress=False)


def with_a_weak_block() -> ov.Model:
    """Of two blocks of a residual stream, the first one adds next to nothing."""
    x = ops.relu(conv(image(size=8), 8, "stem"))
    weak = named(ops.convolution(ops.relu(conv(x, 16, "weak")), 1e-3 * numbers(8, 16, 3, 3), *SAME), "of_weak")
    x = ops.relu(ops.add(x, ops.add(weak, numbers(1, 8, 1, 1))))
    x = ops.relu(ops.add(x, conv(ops.relu(conv(x, 16, "strong")), 8, "of_strong")))
    return model_of(dense(ops.reduce_mean(x, ints(2, 3), False), 4, "head"))


def test_a_block_that_adds_next_to_nothing_goes_as_a_whole():
    model = with_a_weak_block()
    before, samples = snapshot(model), calibration(model, 40)
    pruned = autoq.prune(model, samples, macs=0.6, multiple_of=4, progress=False)
    left = {op.get_friendly_name() for op in pruned.get_ops()}
    assert not {"weak", "of_weak"} & left
    assert {"strong", "of_strong"} <= left
    value = data(model, seed=99)[0]
    np.testing.assert_allclose(run(pruned, value), run(model, value), rtol=0.05, atol=0.01)
    assert snapshot(model) == before
