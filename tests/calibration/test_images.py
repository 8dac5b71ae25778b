"""Image files as data."""

import warnings

import numpy as np
import openvino as ov
import pytest
from networks import conv_net
from openvino import opset13 as ops
from PIL import Image

import autoq
from autoq.calibration import as_inputs
from autoq.core import ConfigError, DataError
from autoq.evaluation.scoring import ValidationSet

CLASSES = ("ant", "bee", "cat")


def pixels(number, height=8, width=8):
    return np.random.default_rng(number).integers(0, 256, (height, width, 3)).astype(np.uint8)


@pytest.fixture
def folder(tmp_path):
    """Two images of each of three classes, one of them deeper, and what is no image."""
    for number, name in enumerate(("cat/0.png", "ant/0.png", "bee/b/1.png", "bee/a/0.bmp", "cat/1.png", "ant/1.png")):
        path = tmp_path / "photos" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels(number)).save(path)
    (tmp_path / "photos" / "README.txt").write_text("photos")
    (tmp_path / "photos" / ".cache").mkdir()
    return tmp_path / "photos"


# In sorted order: the number that each file was made of.
ORDER = (1, 5, 3, 2, 0, 4)


def model_of(shape, dtype=np.float32, layout=None):
    x = ops.parameter(shape, dtype, name="x")
    if layout is not None:
        x.set_layout(ov.Layout(layout))
    return ov.Model([ops.result(ops.relu(ops.convert(x, "f32")))], [x])


def test_sub_folders_are_classes(folder):
    images = autoq.images(folder, scale=255)
    assert images.classes == CLASSES
    assert images.labels == (0, 0, 1, 1, 2, 2)
    pairs = ValidationSet.of(conv_net(), images)
    assert [target for _, target in pairs] == [0, 0, 1, 1, 2, 2]
    for (feed, _), number in zip(pairs, ORDER, strict=True):
        np.testing.assert_allclose(feed["image"][0], np.moveaxis(pixels(number), -1, 0) / 255, rtol=1e-6)


def test_calibration_takes_one_of_each_class_in_turn(folder):
    inputs = as_inputs(conv_net(), autoq.images(folder, scale=1))
    found = [next(n for n in range(6) if (feed["image"][0, 0] == pixels(n)[..., 0]).all()) for feed in inputs]
    assert found == [1, 3, 0, 5, 2, 4]


def test_images_are_read_when_they_are_asked_for(folder):
    (folder / "cat" / "1.png").write_bytes(b"no image")
    pairs = ValidationSet.of(conv_net(), autoq.images(folder, scale=1))
    assert pairs[4][1] == 2
    with pytest.raises(DataError, match=r"image '.*cat/1.png' cannot be read: cannot identify"):
        pairs[5]
    whole = (folder / "ant" / "0.png").read_bytes()
    (folder / "ant" / "0.png").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match=r"image '.*ant/0.png' cannot be read"):
        pairs[0]


@pytest.mark.parametrize(
    ("shape", "layout", "options", "expected"),
    [
        ([1, 3, 8, 8], None, {}, (1, 3, 8, 8)),
        ([1, 8, 8, 3], None, {}, (1, 8, 8, 3)),
        ([-1, 3, -1, -1], None, {}, (1, 3, 6, 10)),
        ([1, 3, 5, 7], None, {}, (1, 3, 5, 7)),
        ([1, 5, 7, 3], "NHWC", {}, (1, 5, 7, 3)),
        ([1, 3, 7, 3], "NHWC", {}, (1, 3, 7, 3)),
        ([1, -1, -1, -1], None, {"layout": "NHWC"}, (1, 6, 10, 3)),
        ([1, -1, -1, 3], None, {"size": 4}, (1, 4, 4, 3)),
        ([1, 3, -1, -1], None, {"size": (4, 9)}, (1, 3, 4, 9)),
        ([1, 1, 8, 8], None, {}, (1, 1, 8, 8)),
        ([1, 4, 8, 8], None, {}, (1, 4, 8, 8)),
    ],
    ids=str,
)
def test_layout_size_and_channels_are_the_models(tmp_path, shape, layout, options, expected):
    Image.fromarray(pixels(0, 6, 10)).save(tmp_path / "a.png")
    (feed,) = as_inputs(model_of(shape, layout=layout), autoq.images(tmp_path / "a.png", scale=1, **options))
    assert feed["x"].shape == expected


def test_images_of_any_mode(tmp_path):
    """Grey, with a palette, with transparency, turned by the camera."""
    image = Image.fromarray(pixels(0, 6, 10))
    image.convert("L").save(tmp_path / "a.png")
    image.convert("P").save(tmp_path / "b.png")
    image.convert("RGBA").save(tmp_path / "c.png")
    exif = Image.Exif()
    exif[0x0112] = 6
    image.save(tmp_path / "d.jpg", exif=exif)
    shapes = [feed["x"].shape for feed in as_inputs(model_of([1, 3, -1, -1]), autoq.images(tmp_path, scale=1))]
    assert shapes == [(1, 3, 6, 10)] * 3 + [(1, 3, 10, 6)]


def test_mean_scale_and_order_of_colours(folder):
    made = autoq.images(folder, mean=[1, 2, 3], scale=(10, 20, 30), colors="bgr")
    (feed, *_) = as_inputs(model_of([1, 3, 8, 8]), made)
    expected = (pixels(1)[..., ::-1] - np.float32([1, 2, 3])) / np.float32([10, 20, 30])
    np.testing.assert_allclose(feed["x"][0], np.moveaxis(expected, -1, 0), rtol=1e-6)


def noted(model, **notes):
    for name, value in notes.items():
        model.set_rt_info(value, ["model_info", name])
    return model


def test_mean_and_scale_that_the_model_says(folder):
    model = noted(
        model_of([1, 3, 8, 8]), mean_values="1 2 3", scale_values="[10.0, 20.0, 30.0]", reverse_input_channels="YES"
    )
    explicit = autoq.images(folder, mean=[1, 2, 3], scale=(10, 20, 30), colors="BGR")
    for found, expected in zip(as_inputs(model, str(folder)), as_inputs(model_of([1, 3, 8, 8]), explicit), strict=True):
        np.testing.assert_array_equal(found["x"], expected["x"])
    # What the user says holds.
    (feed, *_) = as_inputs(model, autoq.images(folder, scale=1, colors="RGB"))
    np.testing.assert_array_equal(feed["x"][0], np.moveaxis(pixels(1), -1, 0))


def scaled_inside():
    x = ops.parameter([1, 3, 8, 8], np.float32, name="x")
    y = ops.multiply(ops.subtract(x, np.float32(127)), np.float32(1 / 127))
    return ov.Model([ops.result(ops.relu(y))], [x])


@pytest.mark.parametrize(
    "model",
    [
        scaled_inside(),
        model_of([1, 3, 8, 8], np.uint8),
        noted(model_of([1, 3, 8, 8]), embedded_processing="True", mean_values="1 2 3"),
    ],
    ids=["arithmetic", "bytes", "noted"],
)
def test_what_the_graph_does_itself_is_left_to_it(folder, model):
    for feed, number in zip(as_inputs(model, folder), (1, 3, 0, 5, 2, 4), strict=True):
        np.testing.assert_array_equal(feed["x"][0], np.moveaxis(pixels(number), -1, 0))


def test_that_nobody_says_how_to_scale_is_said(folder):
    with pytest.warns(UserWarning, match="as pixels of 0 to 255, since the model does not say"):
        as_inputs(conv_net(), folder)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        as_inputs(conv_net(), autoq.images(folder, scale=1))


def test_a_pattern_a_file_and_a_list(folder):
    assert len(autoq.images(str(folder / "*" / "0.png"))) == 2
    assert [path.name for path in autoq.images(folder / "**" / "*.bmp").files] == ["0.bmp"]
    assert len(autoq.images(folder / "cat" / "0.png")) == 1
    files = [folder / "cat" / "0.png", str(folder / "ant" / "0.png")]
    assert len(as_inputs(model_of([1, 3, 8, 8], np.uint8), files)) == 2


def test_images_of_pillow_are_samples(folder):
    opened = [Image.open(path) for path in autoq.images(folder).files]
    for shape, front in (([1, 3, 8, 8], True), ([1, 8, 8, 3], False)):
        for feed, number in zip(as_inputs(model_of(shape), opened), ORDER, strict=True):
            expected = np.moveaxis(pixels(number), -1, 0) if front else pixels(number)
            np.testing.assert_array_equal(feed["x"][0], expected)
    pairs = ValidationSet.of(conv_net(), [{"image": image, "label": 3} for image in opened])
    assert [target for _, target in pairs] == [3] * 6


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"size": (1, 2, 3)}, "size is"),
        ({"size": 0}, "size is 0"),
        ({"scale": [0.229, 0.224, 0.225]}, "pixels are 0 to 255: multiply mean and scale by 255"),
        ({"mean": "grey"}, "mean is 'grey'"),
        ({"mean": [1, 2]}, "one for each channel"),
        ({"layout": "CNHW"}, "layout is 'CNHW'"),
        ({"colors": "CMYK"}, "colors is 'CMYK'"),
    ],
)
def test_options_that_make_no_sense(folder, options, message):
    with pytest.raises(ConfigError, match=message):
        autoq.images(folder, **options)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (model_of([1, 3, 8, -1]), r"pass images\(..., size=\(height, width\)\)"),
        (model_of([1, -1, -1, -1]), r"pass images\(..., layout='NCHW'\)"),
        (model_of([1, 16]), "which is no image of four axes"),
    ],
)
def test_models_that_take_no_such_images(folder, model, message):
    with pytest.raises(DataError, match=message):
        as_inputs(model, autoq.images(folder, scale=1))


def test_where_there_are_no_images(tmp_path, folder):
    (tmp_path / "empty").mkdir()
    for source, message in (
        (tmp_path / "empty", "holds no image"),
        (tmp_path / "empty" / "*.png", "matches no image"),
        (tmp_path / "none.png", "does not exist"),
    ):
        with pytest.raises(DataError, match=message):
            autoq.images(source)
    with pytest.raises(DataError, match="names no data: there is no such folder"):
        as_inputs(conv_net(), str(tmp_path / "nowhere"))
    Image.fromarray(pixels(9)).save(folder / "stray.png")
    with pytest.raises(DataError, match=r"stray.png' has no class: put images into a sub-folder"):
        ValidationSet.of(conv_net(), autoq.images(folder, scale=1))
