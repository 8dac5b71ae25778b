"""Statistics of activations that a folder keeps: the same numbers, found again by what they were collected of."""

import re
from pathlib import Path

import numpy as np
import openvino as ov
import pytest
from openvino import opset13 as ops
from weighted_nets import NETS

import autoq
from autoq.calibration import activations_of, as_inputs, collected_grams, kept_grams
from autoq.calibration.collecting import _kept
from autoq.core import DataError, ResetState, StoredFileError
from autoq.graph import find_weights

IDS = list(np.random.default_rng(0).integers(0, 80, (4, 1, 9)))


def kept(folder: Path, data: list[np.ndarray] = IDS, model: ov.Model | None = None, **settings):
    model = NETS["decoder_half"]() if model is None else model
    weights = find_weights(model).every
    activations = list(dict.fromkeys(activations_of(model, weights).values()))
    settings = {"products": activations[1:]} | settings
    return kept_grams(folder, model, activations, as_inputs(model, data), **settings)


@pytest.fixture
def no_runs(monkeypatch):
    """Whoever runs the model again fails."""

    def refuse(*_, **__):
        pytest.fail("the model was run again")

    return lambda: monkeypatch.setattr(_kept, "collected_grams", refuse)


def test_kept_statistics_are_the_collected_ones(tmp_path, no_runs):
    with kept(tmp_path) as first:
        digests = {activation: first.digest(activation) for activation in first.tokens}
        grams = {activation: first.gram(activation) for activation in first.products}
        squares = {activation: first.squares(activation) for activation in first.products}
    no_runs()
    with kept(tmp_path) as again:
        assert list(again.tokens) == list(digests)
        assert set(again.products) == set(grams)
        assert next(iter(digests)) not in again.products
        assert {activation: again.digest(activation) for activation in again.tokens} == digests
        for activation, gram in grams.items():
            np.testing.assert_array_equal(again.gram(activation), gram)
            np.testing.assert_array_equal(again.squares(activation), squares[activation])


def test_blocks_are_kept_too(tmp_path, no_runs):
    model = NETS["decoder_half"]()
    one = sorted(set(activations_of(model, find_weights(model).every).values()))[0]
    with kept(tmp_path, model=model, products=[], blocks={one: 8}) as first:
        blocks, digest = first.diagonal_blocks(one, 8), first.digest(one)
    no_runs()
    with kept(tmp_path, model=model, products=[], blocks={one: 8}) as again:
        np.testing.assert_array_equal(again.diagonal_blocks(one, 8), blocks)
        assert again.digest(one) == digest
    with pytest.raises(pytest.fail.Exception, match="was run again"), kept(tmp_path, products=[], blocks={one: 4}):
        pass


def test_a_folder_of_its_own_gives_them_without_data(tmp_path):
    model = NETS["decoder_half"]()
    some = sorted(set(activations_of(model, find_weights(model).every).values()))[:2]
    own = {"products": some, "is_own": True}
    with kept_grams(tmp_path, model, some, as_inputs(model, IDS), **own) as first:
        gram = first.gram(some[1])
    with kept_grams(tmp_path, model, some, None, **own) as again:
        np.testing.assert_array_equal(again.gram(some[1]), gram)
    with (
        pytest.raises(DataError, match="keeps no such statistics of activations"),
        kept_grams(tmp_path, model, some[:1], None, **own),
    ):
        pass
    index = next(tmp_path.iterdir()) / "index.npz"
    index.write_bytes(index.read_bytes()[:-30])
    with pytest.raises(StoredFileError, match="is damaged"), kept_grams(tmp_path, model, some, None, **own):
        pass


@pytest.mark.slow
def test_what_statistics_depend_on_tells_them_apart(tmp_path, no_runs):
    other = NETS["decoder_half"]()
    weight = next(op for op in other.get_ops() if op.get_friendly_name() == "block_1/up/w_compressed")
    weight.output(0).replace(ops.constant(weight.data * np.float16(2)).output(0))
    variants = [
        {},
        {"data": IDS[:3]},
        {"subset_size": 3},
        {"model": other},
        {"products": []},
        {"precision": "bf16"},
        {"reset_state": ResetState.NEVER},
    ]
    for variant in variants:
        with kept(tmp_path, **variant):
            pass
    assert len(list(tmp_path.iterdir())) == len(variants)
    no_runs()
    for variant in variants:
        with kept(tmp_path, **variant):
            pass


@pytest.mark.slow
def test_damage_is_told(tmp_path):
    with kept(tmp_path):
        pass
    (folder,) = tmp_path.iterdir()
    product = folder / "product-1.npz"
    product.write_bytes(product.read_bytes()[:-30])
    with kept(tmp_path) as grams, pytest.raises(StoredFileError, match="remove its folder: they are then collected"):
        grams.gram(next(iter(grams.products)))
    index = folder / "index.npz"
    index.write_bytes(index.read_bytes()[:-30])
    with (
        pytest.warns(UserWarning, match="statistics of activations are collected again: .*is damaged"),
        kept(tmp_path) as grams,
    ):
        grams.gram(next(iter(grams.products)))
    with kept(tmp_path) as grams:
        grams.gram(next(iter(grams.products)))


def test_a_second_compression_does_not_run_the_model(tmp_path, no_runs):
    def compressed(form: str = "generator", **settings) -> list[bytes]:
        data = (ids for ids in IDS) if form == "generator" else IDS
        model = autoq.compress_weights(
            NETS["decoder_half"](),
            mode="int4_sym",
            group_size=32,
            dataset=data,
            cache=tmp_path,
            progress=False,
            **settings,
        )
        return [op.data.tobytes() for op in model.get_ordered_ops() if op.get_type_name() == "Constant"]

    first = compressed()
    no_runs()
    assert compressed("list") == first
    assert re.fullmatch(r"activations-[0-9a-f]{32}", next(tmp_path.iterdir()).name)
    with pytest.raises(pytest.fail.Exception, match="was run again"):
        compressed(subset_size=2)
    assert compressed(gptq=True) != first


def test_without_a_folder_nothing_is_kept(tmp_path):
    model = NETS["two_heads"]()
    activations = activations_of(model, find_weights(model).every).values()
    data = as_inputs(model, [np.ones((2, 64), np.float32)])
    with (
        kept_grams(None, model, activations, data, products=activations) as ours,
        collected_grams(model, activations, data, products=activations) as theirs,
    ):
        assert [ours.digest(each) for each in ours.tokens] == [theirs.digest(each) for each in theirs.tokens]
    assert not list(tmp_path.iterdir())
