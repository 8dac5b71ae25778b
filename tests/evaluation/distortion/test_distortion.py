from dataclasses import replace

import numpy as np
import openvino as ov
import pytest
from openvino import opset13 as ops
from scipy import special, stats

from autoq.core import DeviceError, DistortionMeasure
from autoq.evaluation.device import RuntimeConfig
from autoq.evaluation.distortion import SwitchedRuns, distortion, switched_distortions

RNG = np.random.default_rng(0)
TRUTH = [[RNG.normal(size=(2, 5)), RNG.normal(size=7)] for _ in range(3)]
OTHER = [[value + RNG.normal(scale=0.1, size=value.shape) for value in outputs] for outputs in TRUTH]


def test_squared_error_is_over_the_variance_of_each_output():
    expected = []
    for port in range(2):
        truth, other = (np.concatenate([outputs[port].ravel() for outputs in o]) for o in (TRUTH, OTHER))
        expected.append(np.mean((truth - other) ** 2) / np.var(truth))
    assert distortion(TRUTH, OTHER) == pytest.approx(np.mean(expected))


def test_divergence_is_that_of_the_classes_as_logits_and_as_probabilities():
    expected = []
    for port in range(2):
        rows = [
            stats.entropy(special.softmax(a), special.softmax(b))
            for truth, other in zip(TRUTH, OTHER, strict=True)
            for a, b in zip(np.atleast_2d(truth[port]), np.atleast_2d(other[port]), strict=True)
        ]
        expected.append(np.mean(rows))
    assert distortion(TRUTH, OTHER, DistortionMeasure.KL) == pytest.approx(np.mean(expected))
    truth, other = ([[special.softmax(value, axis=-1) for value in outputs] for outputs in o] for o in (TRUTH, OTHER))
    assert distortion(truth, other, DistortionMeasure.KL) == pytest.approx(np.mean(expected))


def test_cosine_is_one_minus_that_of_the_angle():
    cosines = [
        [np.dot(a.ravel(), b.ravel()) / np.linalg.norm(a) / np.linalg.norm(b) for a, b in zip(t, o, strict=True)]
        for t, o in zip(TRUTH, OTHER, strict=True)
    ]
    assert distortion(TRUTH, OTHER, DistortionMeasure.COSINE) == pytest.approx(1 - np.mean(cosines))


@pytest.mark.parametrize("measure", DistortionMeasure)
def test_nothing_is_no_distortion(measure):
    zeros = [[np.zeros((1, 4))]]
    assert distortion(TRUTH, TRUTH, measure) == pytest.approx(0, abs=1e-12)
    assert distortion(zeros, zeros, measure) == 0


@pytest.mark.parametrize("measure", DistortionMeasure)
def test_outputs_of_differing_shapes_are_compared_in_what_both_have(measure):
    """As of detectors, which find one box less, or none: the more is missing, the farther off."""
    rng = np.random.default_rng(0)
    whole = [[rng.normal(0, 1, (6, 4)), rng.normal(0, 1, (5,))] for _ in range(3)]

    def boxes(count):
        return [[first[:count], second] for first, second in whole]

    found = [distortion(whole, boxes(count), measure) for count in (6, 5, 3, 0)]
    assert found[0] == pytest.approx(0, abs=1e-12)
    assert found == sorted(found)
    assert found[1] > 0
    assert np.isfinite(found).all()
    assert distortion(boxes(5), whole, measure) > 0
    nothing = [[first[:0], second[:0]] for first, second in whole]
    assert distortion(nothing, nothing, measure) == 0
    assert 0 < distortion(nothing, whole, measure) < np.inf
    assert 0 < distortion(whole, [[first.ravel()[:9], second] for first, second in whole], measure) < np.inf


def test_what_only_one_has_counts_as_a_squared_error_from_zero():
    truth, actual = [[np.arange(4.0)]], [[np.array([0.0, 1.0, 4.0])]]
    assert distortion(truth, actual) == pytest.approx((4 + 9) / np.square([-1.5, -0.5, 0.5, 1.5]).sum())


def test_float32_is_reckoned_with_as_it_is():
    values = RNG.normal(100, 1, (3, 2000, 50)).astype(np.float32)
    others = values + RNG.normal(0, 0.01, values.shape).astype(np.float32)
    single, double = (
        distortion(*([[array[None].astype(kind)] for array in arrays] for arrays in (values, others)))
        for kind in (np.float32, np.float64)
    )
    assert single == pytest.approx(double, rel=1e-4)
    assert distortion([[np.zeros((0, 4), np.float32)]], [[np.zeros((0, 4), np.float32)]]) == 0


def test_one_output_a_sample_has_a_distortion_too():
    truth, other = ([[np.float64(value)] for value in values] for values in ([1.0, 2.0, 4.0], [1.5, 2.0, 4.0]))
    assert distortion(truth, other) == pytest.approx(0.25 / 3 / np.var([1, 2, 4]))


def switched():
    """x + s0 * 0.1 + s1 * x."""
    x, s = ops.parameter([1, 4], np.float32, "x"), ops.parameter([2], np.float32, "s")
    for parameter, name in ((x, "x"), (s, "s")):
        parameter.output(0).set_names({name})
    first, second = (ops.gather(s, ops.constant(np.int64(i)), ops.constant(np.int64(0))) for i in range(2))
    y = ops.add(ops.add(x, ops.multiply(first, np.float32(0.1))), ops.multiply(second, x))
    return ov.Model([ops.result(y)], [x, s], "switched")


def runs(feeds, settings, max_seconds):
    return SwitchedRuns(
        model=switched(),
        inputs=feeds,
        switches=settings,
        name="s",
        measure=DistortionMeasure.NMSE,
        needed=len(settings),
        max_seconds=max_seconds,
    )


@pytest.mark.parametrize(("max_seconds", "used"), [(60.0, 10), (0.0, 4)])
def test_every_setting_is_compared_with_all_switches_off(max_seconds, used):
    values = RNG.normal(size=(10, 1, 4)).astype(np.float32)
    feeds = [{"x": value} for value in values]
    settings = np.array([[1, 0], [0, 1], [1, 1], [0, 0]], np.float32)
    runtime = RuntimeConfig(properties={"INFERENCE_PRECISION_HINT": "f32"})
    told = []
    found = switched_distortions(runs(feeds, settings, max_seconds), runtime, lambda *step: told.append(step))
    assert told == [(1, 4), (2, 4), (3, 4), (4, 4)]
    x = values[:used].astype(np.float64)
    expected = [np.mean((0.1 * a + b * x) ** 2) / np.var(x) for a, b in settings]
    assert found == pytest.approx(expected, rel=1e-4, abs=1e-12)


def test_what_large_models_are_run_on_fits_the_limit():
    def affordable(each_s, max_seconds, limit_s):
        feeds, settings = [{"x": np.zeros((1, 4))}] * 10, np.zeros((8, 2), np.float32)
        return replace(runs(feeds, settings, max_seconds), needed=5, limit_s=limit_s).affordable(each_s)

    assert affordable(0.1, 4.0, np.inf) == (8, 5)
    assert affordable(0.1, 40.0, np.inf) == (8, 10)
    assert affordable(1.0, 4.0, np.inf) == (8, 4)
    assert affordable(1.0, 4.0, 17.0) == (8, 2)
    assert affordable(1.0, 4.0, 7.0) == (5, 1)
    assert affordable(1.0, 4.0, 1.0) == (5, 1)


def test_an_input_that_does_not_fit_is_a_device_error():
    feeds = [{"x": np.zeros((1, 5), np.float32)}]
    settings = np.zeros((1, 2), np.float32)
    with pytest.raises(DeviceError, match="inference fails"):
        switched_distortions(runs(feeds, settings, 1.0), RuntimeConfig())


def binary_entropy(p, q):
    return p * np.log(p / q) + (1 - p) * np.log((1 - p) / (1 - q))


def test_divergence_of_one_logit_and_of_labels_each_by_itself_is_that_of_yes_and_no():
    z = RNG.normal(0, 1, (20, 1))
    logits, others = [[row[None]] for row in z], [[row[None] + 0.3] for row in z]
    expected = binary_entropy(special.expit(z), special.expit(z + 0.3)).mean()
    assert distortion(logits, others, DistortionMeasure.KL) == pytest.approx(expected)
    z = RNG.normal(0, 1, (20, 5))
    shares, others = ([[special.expit(row + by)[None]] for row in z] for by in (0, 0.3))
    expected = binary_entropy(special.expit(z), special.expit(z + 0.3)).mean()
    assert distortion(shares, others, DistortionMeasure.KL) == pytest.approx(expected)


def test_a_candidates_probabilities_are_no_logits_where_they_leave_the_unit_interval():
    shares = special.softmax(RNG.normal(0, 2, (30, 5)), axis=1)
    steps = np.round(shares * 32) / 32 - 0.002
    expected = np.mean([stats.entropy(p, np.maximum(q, 1e-12)) for p, q in zip(shares, steps, strict=True)])
    found = distortion([[row[None]] for row in shares], [[row[None]] for row in steps], DistortionMeasure.KL)
    assert found == pytest.approx(expected, rel=1e-9)


def test_one_row_that_looks_like_probabilities_makes_logits_no_probabilities():
    rows = [np.array([[0.25, 0.75]]), np.array([[-3.0, 2.0]])]
    moved = [row + np.array([[0.1, -0.1]]) for row in rows]
    expected = np.mean(
        [stats.entropy(special.softmax(a[0]), special.softmax(b[0])) for a, b in zip(rows, moved, strict=True)]
    )
    found = distortion([[row] for row in rows], [[row] for row in moved], DistortionMeasure.KL)
    assert found == pytest.approx(expected)


def test_probabilities_of_pixels_lie_along_the_second_axis():
    z = RNG.normal(0, 1, (4, 3, 2, 2))
    shares, others = ([[special.softmax(row + by * row**2, axis=0)[None]] for row in z] for by in (0, 0.2))
    expected = stats.entropy(special.softmax(z, axis=1), special.softmax(z + 0.2 * z**2, axis=1), axis=1).mean()
    assert distortion(shares, others, DistortionMeasure.KL) == pytest.approx(expected)


def test_millions_of_logits_diverge_as_fewer_do():
    rng = np.random.default_rng(0)
    truth = rng.normal(0, 4, (300, 4096)).astype(np.float32)
    for size in (1e-3, 0.3):
        other = truth + rng.normal(0, size, truth.shape).astype(np.float32) + np.float32(5)
        exact = np.mean(
            stats.entropy(special.softmax(truth.astype(float), 1), special.softmax(other.astype(float), 1), axis=1)
        )
        found = distortion([[truth]], [[other]], DistortionMeasure.KL)
        assert found == pytest.approx(exact, rel=0.02)
        assert exact < size**2


@pytest.mark.parametrize("axis", [1, 2])
def test_boxes_beside_scores_count_like_two_outputs(axis):
    """Pixels vary a million times as much: beside them, scores that are wrong altogether would not be seen."""
    rng = np.random.default_rng(0)
    boxes, scores = rng.uniform(0, 640, (5, 1, 4, 30)), rng.uniform(0, 1, (5, 1, 8, 30)) ** 4

    def outputs(boxes, scores):
        whole = np.concatenate([boxes, scores], 2).astype(np.float32)
        return [[each if axis == 1 else each.swapaxes(1, 2)] for each in whole]

    truth = outputs(boxes, scores)
    moved, shuffled = boxes + rng.normal(0, 3, boxes.shape), rng.permuted(scores, axis=-1)
    far = [np.square(b - a).mean() / a.var() for a, b in ((boxes, moved), (scores, shuffled))]
    assert distortion(truth, outputs(moved, scores)) == pytest.approx(far[0] / 2, rel=1e-4)
    assert distortion(truth, outputs(boxes, shuffled)) == pytest.approx(far[1] / 2, rel=1e-4)
    assert distortion(truth, outputs(moved, shuffled)) == pytest.approx(np.mean(far), rel=1e-4)


@pytest.mark.parametrize(
    "values",
    [
        np.random.default_rng(0).normal(size=(4, 6, 5)) * [[1], [2], [4], [8], [16], [30]],  # of one unit
        np.random.default_rng(0).uniform(0, 1, (4, 2, 5)) * [[1], [1e-6]],  # a class that never comes
        np.stack([np.random.default_rng(0).normal(size=(4, 5)) * 100, np.full((4, 5), 0.1)], 1),  # constant
    ],
)
def test_what_has_no_two_units_weighs_the_same(values):
    other = values + np.random.default_rng(1).normal(0, 0.01, values.shape)
    expected = np.square(other - values).mean() / values.var()
    assert distortion([[each] for each in values[:, None]], [[each] for each in other[:, None]]) == pytest.approx(
        expected
    )
