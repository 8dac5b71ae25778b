"""Statistics are what numpy finds in the activations that OpenVINO computes."""

import itertools
import re
import weakref

import numpy as np
import openvino as ov
import pytest
from networks import conv_net, images, snapshot, token_net
from openvino import opset13 as ops

from autoq.calibration import (
    Needs,
    Statistic,
    Statistics,
    Tap,
    as_inputs,
    collect,
    inputs_digest,
    required_histograms,
    required_taps,
    statistics_digest,
)
from autoq.calibration.collecting._batches import full_batches, samples_together
from autoq.calibration.statistics._histograms import histogram
from autoq.core import DataError, DeviceError, ModelError, RangeEstimator, StoredFileError
from autoq.graph import Tensor, analyze, unique_names

REDUCTIONS = {
    Statistic.MIN: lambda tap, x, axes: np.min(x, axes),
    Statistic.MAX: lambda tap, x, axes: np.max(x, axes),
    Statistic.MEAN: lambda tap, x, axes: np.mean(x, axes),
    Statistic.QUANTILE: lambda tap, x, axes: np.quantile(x, tap.level, axes),
    Statistic.ABS_QUANTILE: lambda tap, x, axes: np.quantile(np.abs(x), tap.level, axes),
}
END = {"aggregator": "mean", "outlier_probability": 0.1}
MAGNITUDES = RangeEstimator.parse(
    {"minimum": {"statistic": "mean", "aggregator": "min"}, "maximum": {"statistic": "abs_quantile", **END}}
)
EVERYTHING = Needs(estimators=frozenset({RangeEstimator.MEAN_QUANTILE, MAGNITUDES, RangeEstimator.MSE}))
NOTHING = Needs(means=False, smoothing=False)


def collected(model, data, **settings):
    graph = analyze(model)
    return graph, collect(model, [graph], as_inputs(model, data), **settings)


def activation(model, tensor, feed):
    """One tensor of one inference, fetched as a model output."""
    clone = model.clone()
    output = unique_names(clone)[tensor.producer].output(tensor.port)
    observed = ov.Model([ops.result(output)], clone.get_parameters())
    compiled = ov.Core().compile_model(observed, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    return np.array(compiled(feed)[0])


@pytest.mark.parametrize("needs", [Needs(), EVERYTHING, NOTHING], ids=["default", "everything", "nothing"])
@pytest.mark.parametrize(
    ("model", "data"),
    [
        (conv_net(), images(3)),
        (token_net(), [np.random.default_rng(n).integers(0, 16, (1, n)) for n in (3, 7)]),
    ],
)
def test_every_tap_is_the_reduction_of_its_activation(model, data, needs):
    graph, statistics = collected(model, data, needs=needs)
    inputs = as_inputs(model, data)
    checked = 0
    for tap in required_taps([graph], needs):
        for row, feed in enumerate(inputs):
            value = activation(model, tap.tensor, feed)
            kept = None if tap.axis is None else tap.axis % value.ndim
            axes = tuple(axis for axis in range(value.ndim) if axis != kept)
            expected = REDUCTIONS[tap.statistic](tap, value, axes).reshape(-1)
            np.testing.assert_allclose(statistics.of(tap, 99)[row], expected, rtol=1e-4, atol=1e-5)
            checked += 1
    assert checked >= {NOTHING: 4}.get(needs, 10)
    assert statistics.covers([graph], needs)
    assert statistics.covers([graph], EVERYTHING) == (needs is EVERYTHING)


@pytest.mark.parametrize("reshaped", [False, True])
@pytest.mark.parametrize("element_type", [np.float32, np.float16])
def test_values_of_an_input_are_those_of_its_own_sample(reshaped, element_type):
    """The device hands out the memory of an input, which the next inference writes to, where a model lets it."""
    lengths = np.random.default_rng(0).integers(2, 60, 80)
    data = [np.random.default_rng(i).normal(0, 1, (1, n, 16)).astype(element_type) for i, n in enumerate(lengths)]
    x = ops.parameter([1, -1, 16], element_type, "x")
    y = ops.reshape(x, np.array([1, -1, 16]), False) if reshaped else x
    y = ops.matmul(y, np.random.default_rng(0).normal(0, 0.3, (16, 16)).astype(element_type), False, True)
    model = ov.Model([ops.result(ops.relu(y))], [x], "lengths")
    graph, statistics = collected(model, data, needs=EVERYTHING)
    taps = [tap for tap in required_taps([graph], EVERYTHING) if tap.statistic is Statistic.QUANTILE]
    assert taps
    for tap in taps:
        expected = [np.quantile(sample.astype(np.float32), tap.level) for sample in data]
        np.testing.assert_allclose(statistics.of(tap, 99)[:, 0], expected, rtol=1e-5, atol=1e-6)
    (tensor,) = required_histograms([graph], EVERYTHING)
    expected = np.array([histogram(sample) for sample in data])
    np.testing.assert_array_equal(statistics.histograms[:, statistics.places[tensor]], expected)


def test_a_histogram_holds_the_values_of_its_activation():
    model, data = conv_net(), images(2)
    graph, statistics = collected(model, data, needs=EVERYTHING)
    for tensor in required_histograms([graph], EVERYTHING):
        values = np.stack([activation(model, tensor, feed) for feed in as_inputs(model, data)])
        positive, negative = statistics.spread(
            [tensor], np.array([values.min()], float), np.array([values.max()], float), 2
        )
        for side, magnitudes in ((positive, np.maximum(values, 0)), (negative, np.maximum(-values, 0))):
            _, mean, square = (moment[0, 0] for moment in side.below(np.array([[np.inf]])))
            np.testing.assert_allclose(mean, magnitudes.mean(), rtol=0.05, atol=1e-4)
            np.testing.assert_allclose(square, (magnitudes**2).mean(), rtol=0.05, atol=1e-4)


def test_a_histogram_that_was_not_collected_is_named():
    _, statistics = collected(conv_net(), images(2))
    with pytest.raises(DataError, match="no histogram of 'image'"):
        statistics.spread([Tensor("image")], np.zeros(1), np.ones(1), 2)


def test_statistics_are_found_in_their_file(tmp_path):
    path = tmp_path / "s.npz"
    ran = []
    settings = {"path": path, "progress": lambda done, total: ran.append(done)}
    _, first = collected(conv_net(), images(3), **settings)
    _, again = collected(conv_net(), images(3), **settings)
    np.testing.assert_array_equal(first.table, again.table)
    assert ran == [1, 2, 3]
    # What the file lacks is collected anew.
    collected(conv_net(), images(3), needs=EVERYTHING, **settings)
    assert ran == [1, 2, 3, 1, 2, 3]


def test_a_known_minimum_is_not_collected():
    graph, statistics = collected(conv_net(), images(2))
    relu = next(site for site in graph.activations if site.tensor.producer == "relu_2")
    assert relu.non_negative
    assert Tap(relu.tensor, None, Statistic.MIN) not in statistics
    minimum, maximum = statistics.extremes(relu.tensor, None, 2, non_negative=True)
    assert (minimum == 0).all()
    assert (maximum > 0).all()


def test_a_subset_is_a_slice_and_the_largest_is_all_that_is_collected():
    _, ten = collected(conv_net(), images(10))
    _, four = collected(conv_net(), images(10), subset_size=4)
    tap = Tap(Tensor("relu_1"), None, Statistic.MAX)
    np.testing.assert_array_equal(ten.of(tap, 4), four.of(tap, 4))
    assert len(ten) == 10
    assert len(four) == 4


@pytest.fixture
def one_core(monkeypatch):
    """How many samples are run together depends on the machine."""
    monkeypatch.setattr("autoq.calibration.collecting._batches.cpu_count", lambda: 1)


@pytest.mark.usefixtures("one_core")
def test_samples_are_run_together_and_told_apart():
    """In several inferences, the last of which is not full; the same as one at a time."""
    data, done = images(37), []
    graph, together = collected(conv_net(), data, needs=EVERYTHING, progress=lambda *counts: done.append(counts))
    assert done == [(8, 37), (16, 37), (24, 37), (32, 37), (37, 37)]
    for number in (0, 20, 36):
        _, alone = collected(conv_net(), data[number : number + 1], needs=EVERYTHING)
        assert alone.columns == together.columns
        np.testing.assert_allclose(together.table[number], alone.table[0], rtol=1e-4, atol=1e-6)
        np.testing.assert_allclose(together.histograms[number], alone.histograms[0], atol=60)
    assert required_histograms([graph], EVERYTHING)


@pytest.mark.parametrize(("cores", "together"), [(1, 16), (2, 15), (8, 8), (64, None)])
def test_every_core_has_as_many_inferences_of_one_size(monkeypatch, cores, together):
    """Of 300 samples; 16 at a time would be 19 inferences, one core waiting while the other runs the last one."""
    monkeypatch.setattr("autoq.calibration.collecting._batches.cpu_count", lambda: cores)
    model = conv_net()
    taps = required_taps([analyze(model)], Needs())
    assert samples_together(model, taps, (), {"image": (1, 3, 8, 8)}, 300) == together


@pytest.mark.parametrize(("count", "size"), [(60, 15), (20, 10), (7, 7), (17, 1), (1, 1)])
def test_full_batches_have_each_sample_once(count, size):
    model, data = conv_net(), images(count)
    taps = required_taps([analyze(model)], Needs())
    batches = full_batches(model, taps, list(as_inputs(model, data)))
    assert {len(batch["image"]) for batch in batches} == {size}
    np.testing.assert_array_equal(np.concatenate([batch["image"] for batch in batches]), np.stack(list(data)))


def test_samples_of_several_shapes_are_no_batches():
    model = token_net()
    feeds = list(as_inputs(model, [np.zeros((1, n), np.int64) for n in (3, 5)]))
    assert full_batches(model, required_taps([analyze(model)], Needs()), feeds) == feeds


@pytest.mark.usefixtures("one_core")
def test_a_model_that_mixes_samples_is_run_on_one_at_a_time():
    """Each sample less the mean of all: of a single one nothing is left."""
    x = ops.parameter([-1, 4], ov.Type.f32, "x")
    centred = ops.subtract(x, ops.reduce_mean(x, np.array([0]), keep_dims=True))
    y = ops.matmul(centred, np.ones((3, 4), np.float32), False, True)
    for node, name in ((x, "x"), (centred, "centred"), (y, "y")):
        node.set_friendly_name(name)
    model, done = ov.Model([ops.result(y)], [x]), []
    data = np.random.default_rng(0).normal(size=(20, 4)).astype(np.float32)
    _, statistics = collected(model, data, progress=lambda *counts: done.append(counts))
    assert len(done) == 20
    feeds = list(as_inputs(model, data))
    assert full_batches(model, [Tap(Tensor("y"), 1, Statistic.MEAN)], feeds) == feeds
    assert (statistics.of(Tap(Tensor("centred"), None, Statistic.MAX), 20) == 0).all()


@pytest.mark.usefixtures("one_core")
def test_samples_of_another_shape_follow_those_of_one_shape():
    data = [image[None] for image in (*images(20), *images(2, size=12))]
    model = conv_net()
    model.reshape([-1, 3, -1, -1])
    done = []
    _, statistics = collected(model, data, progress=lambda *counts: done.append(counts))
    assert done == [(5, 22), (10, 22), (15, 22), (20, 22), (21, 22), (22, 22)]
    for number in (0, 19, 20, 21):
        _, alone = collected(model, data[number : number + 1])
        np.testing.assert_allclose(statistics.table[number], alone.table[0], rtol=1e-4, atol=1e-6)


@pytest.mark.usefixtures("one_core")
@pytest.mark.parametrize("shape", [[1, 3, 8, 8], [-1, 3, 8, 8], [1, 3, -1, -1]], ids=str)
@pytest.mark.parametrize("count", [2, 20])
def test_an_input_need_not_have_a_name_of_its_own(tmp_path, shape, count):
    """As in files that were written without names of tensors: the operation's stands in."""
    ov.save_model(conv_net(), tmp_path / "m.xml", compress_to_fp16=False)
    text = (tmp_path / "m.xml").read_text("utf-8")
    (tmp_path / "m.xml").write_text(re.sub(r' names="[^"]*"', "", text), "utf-8")
    model = ov.Core().read_model(tmp_path / "m.xml")
    assert not model.inputs[0].get_names()
    model.reshape(shape)
    _, expected = collected(conv_net(), images(count))
    _, statistics = collected(model, images(count))
    np.testing.assert_allclose(statistics.table, expected.table, rtol=1e-4, atol=1e-6)


def test_what_the_model_takes_at_a_time_is_a_sample():
    _, statistics = collected(conv_net(batch=2), images(10), subset_size=4)
    assert len(statistics) == statistics.table.shape[0] == 4
    assert statistics.rows(3) == 3


class Counting:
    """Yields samples, and counts them."""

    def __init__(self, samples):
        self.samples, self.read = samples, 0

    def __iter__(self):
        for sample in self.samples:
            self.read += 1
            yield sample


def endless():
    return (images(1, seed=number) for number in itertools.count())


@pytest.mark.parametrize("shape", [[1, 3, 8, 8], [-1, 3, 8, 8], [1, 3, -1, -1]], ids=str)
@pytest.mark.parametrize("keep", [True, False])
def test_of_a_stream_no_more_is_read_than_needed(shape, keep):
    model, stream = conv_net(), Counting(endless())
    model.reshape(shape)
    graph = analyze(model)
    statistics = collect(model, [graph], as_inputs(model, stream, most=12, keep=keep), subset_size=12)
    expected = collect(model, [graph], as_inputs(model, list(itertools.islice(endless(), 12))))
    assert stream.read == len(statistics) == 12
    np.testing.assert_allclose(statistics.table, expected.table, rtol=1e-4, atol=1e-6)


def test_a_stream_may_end_early():
    stream = Counting([images(1, seed=number) for number in range(5)])
    model = conv_net()
    statistics = collect(model, [analyze(model)], as_inputs(model, iter(stream), most=40, keep=False), subset_size=40)
    assert statistics.table.shape[0] == len(statistics) == 5
    assert len(statistics.of(Tap(Tensor("relu_1"), None, Statistic.MAX), 40)) == 5


def test_samples_are_not_kept_where_one_pass_will_do():
    """A generator that looks how many of its samples are still alive."""
    alive = []

    def stream():
        refs = []
        for number in range(60):
            sample = np.full((1, 3, 64, 64), number, np.float32)
            refs.append(weakref.ref(sample))
            alive.append(sum(ref() is not None for ref in refs))
            yield sample

    model = conv_net(size=64)
    inputs = as_inputs(model, stream(), most=60, keep=False)
    collect(model, [analyze(model)], inputs, subset_size=60)
    assert max(alive) < 3
    assert len(inputs[0]) == 1
    with pytest.raises(DataError, match="read only once"):
        inputs[1]


def test_the_model_is_left_as_it_was():
    model = conv_net()
    before = snapshot(model)
    collected(model, images(2))
    assert snapshot(model) == before


def test_samples_of_a_shape_that_the_model_cannot_take_are_an_error_that_names_the_device():
    x = ops.parameter([1, -1], ov.Type.f32, "x")
    rows = ops.reshape(x, np.array([1, 4, 2]), special_zero=False)
    model = ov.Model([ops.result(ops.matmul(rows, np.ones((3, 2), np.float32), False, True))], [x])
    with pytest.raises(DeviceError, match="'CPU' cannot run the model for calibration"):
        collected(model, [np.ones((1, 6), np.float32)])


def test_progress_counts_every_inference():
    seen = []
    collected(conv_net(), images(5), progress=lambda done, total: seen.append((done, total)))
    assert sorted(seen) == [(i, 5) for i in range(1, 6)]


def test_statistics_survive_the_disk(tmp_path):
    _, statistics = collected(conv_net(), images(3), needs=EVERYTHING)
    loaded = Statistics.load(statistics.save(tmp_path / "s.npz"))
    np.testing.assert_array_equal(loaded.table, statistics.table)
    np.testing.assert_array_equal(loaded.histograms, statistics.histograms)
    assert loaded.places == statistics.places
    assert loaded.columns == statistics.columns
    assert [p.name for p in tmp_path.iterdir()] == ["s.npz"]


def test_a_file_that_is_none_is_named_and_what_is_damaged_is_collected_anew(tmp_path):
    path = tmp_path / "s.npz"
    _, statistics = collected(conv_net(), images(3), path=path)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(StoredFileError, match=r"s\.npz', calibration statistics, is damaged: it is no \.npz file"):
        Statistics.load(path)
    with pytest.warns(UserWarning, match=r"statistics are collected again: .*s\.npz.* is damaged"):
        _, again = collected(conv_net(), images(3), path=path)
    np.testing.assert_array_equal(again.table, statistics.table)
    np.testing.assert_array_equal(Statistics.load(path).table, statistics.table)


def test_a_tap_that_was_not_collected_is_named():
    _, statistics = collected(conv_net(), images(2))
    with pytest.raises(DataError, match="no max of 'nowhere'"):
        statistics.of(Tap(Tensor("nowhere"), None, Statistic.MAX), 2)


def test_the_digest_depends_on_model_and_data_and_nothing_else():
    model, data = conv_net(), images(3)
    inputs = inputs_digest(as_inputs(model, data), 3)
    assert inputs_digest(as_inputs(model, list(data[:, None])), 3) == inputs
    assert len({inputs, inputs_digest(as_inputs(model, data + 1), 3), inputs_digest(as_inputs(model, data), 2)}) == 3
    given = [("m", inputs, 3, "f32"), ("n", inputs, 3, "f32"), ("m", inputs, 2, "f32"), ("m", inputs, 3, "bf16")]
    assert len({statistics_digest(*each) for each in [*given, *given]}) == 4


def test_a_model_that_computes_infinity_is_refused():
    image = ops.parameter([1, 3, 8, 8], np.float32, "image")
    huge = ops.exp(ops.multiply(image, np.float32(1000)))
    huge.set_friendly_name("huge")
    conv = ops.convolution(huge, np.ones((2, 3, 1, 1), np.float32), [1, 1], [0, 0], [0, 0], [1, 1])
    model = ov.Model([ops.result(conv)], [image])
    with pytest.raises(ModelError, match="computes NaN or infinity at 'huge' on calibration sample 0"):
        collected(model, np.ones((1, 3, 8, 8), np.float32))
