"""Views of samples, beside what numpy pads, crops, mirrors and mixes."""

import numpy as np
import pytest

from autoq.core import Augmentation, ConfigError

pytestmark = pytest.mark.torch
torch = pytest.importorskip("torch")

from autoq.training.tuning import SampleViews, TrainingSamples  # noqa: E402  # after the skip

SHIFT, FLIP, MIX = Augmentation
PHOTOS = np.random.default_rng(0).normal(size=(5, 3, 16, 24)).astype(np.float32)


def views(*kinds, feed=None):
    return SampleViews.of(kinds, {"x": PHOTOS} if feed is None else feed, labelled=False)


def test_an_image_moves_by_at_most_an_eighth_and_is_mirrored_at_its_border():
    found = views(SHIFT)({"x": PHOTOS}, np.random.default_rng(1))["x"]
    padded = np.pad(PHOTOS, ((0, 0), (0, 0), (2, 2), (3, 3)), mode="reflect")
    places = set()
    for photo, whole in zip(found, padded, strict=True):
        crops = {(y, x): whole[:, y : y + 16, x : x + 24] for y in range(5) for x in range(7)}
        (place,) = [place for place, crop in crops.items() if np.array_equal(crop, photo)]
        places.add(place)
    assert len(places) > 1
    assert found.flags.c_contiguous


def test_every_other_image_is_mirrored():
    many = np.repeat(PHOTOS[:1], 200, axis=0)
    found = views(FLIP)({"x": many}, np.random.default_rng(1))["x"]
    mirrored = [np.array_equal(photo, PHOTOS[0, :, :, ::-1]) for photo in found]
    assert 70 < sum(mirrored) < 130
    assert all(np.array_equal(photo, PHOTOS[0]) for photo, is_so in zip(found, mirrored, strict=True) if not is_so)


def test_channels_last_are_moved_alike_and_several_images_together():
    last = np.ascontiguousarray(np.moveaxis(PHOTOS, 1, -1))
    feed = {"first": PHOTOS, "last": last}
    found = views(SHIFT, FLIP, feed=feed)(feed, np.random.default_rng(2))
    np.testing.assert_array_equal(np.moveaxis(found["last"], -1, 1), found["first"])
    assert not np.array_equal(found["first"], PHOTOS)


def test_a_mean_of_two_samples_lies_between_them():
    rows = np.arange(8, dtype=np.float32).reshape(8, 1)
    feed = {"x": rows, "y": 2 * rows}
    found = views(MIX, feed=feed)(feed, np.random.default_rng(3))
    assert not np.array_equal(found["x"], rows)
    assert found["x"].min() >= 0
    assert found["x"].max() <= 7
    np.testing.assert_allclose(found["y"], 2 * found["x"], rtol=1e-6)
    grey = {"x": np.full((4, 1, 8, 8), 255, np.uint8)}
    np.testing.assert_array_equal(views(MIX, feed=grey)(grey, np.random.default_rng(3))["x"], grey["x"])


def test_by_default_images_without_targets_are_shifted_and_mirrored_and_nothing_else_is():
    usual = {
        name: SampleViews.of(None, {"x": value}, labelled=False).kinds
        for name, value in {
            "photo": PHOTOS[:1],
            "features": np.zeros((1, 64, 16, 24), np.float32),
            "tokens": np.zeros((1, 7), np.int64),
            "spectrum": np.zeros((1, 1, 80, 3), np.float32),
        }.items()
    }
    assert usual == {"photo": (SHIFT, FLIP), "features": (), "tokens": (), "spectrum": ()}
    assert SampleViews.of(None, {"x": PHOTOS}, labelled=True).kinds == ()
    assert SampleViews.of(None, {"x": PHOTOS, "size": np.zeros((1, 2), np.float32)}, labelled=False).kinds == ()


def test_the_usual_views_are_those_that_mean_the_same_to_the_teacher():
    chunks = [{"x": np.random.default_rng(each).normal(size=(8, 3, 16, 24)).astype(np.float32)} for each in range(6)]
    columns = np.arange(24, dtype=np.float32)
    models = {
        "mean colours": lambda feed: [feed["x"].mean(axis=(2, 3))],  # nearly the same when moved
        "left beside right": lambda feed: [(feed["x"] * (columns - 11.5)).mean(axis=(2, 3))],  # changes its sign
        "all pixels": lambda feed: [feed["x"]],
        "nothing": lambda feed: [np.zeros((len(feed["x"]), 2))],
    }
    usual = SampleViews.of(None, chunks[0], labelled=False)
    kept = {
        name: usual.meaning_the_same(run, chunks, [run(feed) for feed in chunks], seed=0).kinds
        for name, run in models.items()
    }
    assert kept["mean colours"][-1:] == (FLIP,)
    assert FLIP not in kept["left beside right"]
    assert kept["all pixels"] == kept["nothing"] == ()


@pytest.mark.parametrize(
    ("kinds", "feed", "labelled", "words"),
    [
        (
            [FLIP],
            {"ids": np.zeros((1, 7), np.int64)},
            False,
            r"augment is 'flip', which needs an image: .* 'ids' \[1, 7\]",
        ),
        ([MIX], {"ids": np.zeros((1, 7), np.int64)}, False, "augment is 'mix', which needs inputs of real numbers"),
        ([MIX], {"x": PHOTOS}, True, "augment is 'mix', and the data have targets"),
    ],
)
def test_views_that_samples_cannot_have_are_refused(kinds, feed, labelled, words):
    with pytest.raises(ConfigError, match=words):
        SampleViews.of(kinds, feed, labelled=labelled)


def test_each_batch_has_views_of_its_own_that_are_the_same_each_time():
    feeds = [{"x": photo[None]} for photo in np.repeat(PHOTOS, 10, axis=0)]
    made = [
        TrainingSamples.of(feeds, labelled=False, batch_size=8, joined=True, seed=0, views=views(SHIFT))
        for _ in range(2)
    ]
    one, other = (samples.batch(3)[0] for samples in made)
    np.testing.assert_array_equal(one.feed["x"], other.feed["x"])
    later = made[0].batch(3 + 5 * made[0].batches_per_epoch)[0]
    assert not np.array_equal(later.feed["x"], one.feed["x"])
    plain = TrainingSamples.of(feeds, labelled=False, batch_size=8, joined=True, seed=0)
    for chunk, own in zip(plain.held_out_chunks(), made[0].held_out_chunks(), strict=True):
        np.testing.assert_array_equal(chunk.feed["x"], own.feed["x"])
    np.testing.assert_array_equal(np.concatenate([feed["x"] for feed in feeds]), np.repeat(PHOTOS, 10, axis=0))
