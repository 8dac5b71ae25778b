"""Rounding by the products of tokens, against plain loops over columns and the errors of layers on the tokens."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from autoq.core import WeightFormat
from autoq.transform.by_data import _layer
from autoq.transform.by_data._by_gram import grid, round_by_gram
from autoq.transform.by_data._compensation import compensated
from autoq.transform.by_data._factor import factor, usual_damping
from autoq.transform.by_data._layer import by_rows, layer_error, rounding_error, scales_of
from autoq.transform.by_data._scale_search import search_scales
from autoq.transform.compress import decode, encode

FORMATS = [
    WeightFormat("int4_sym", 16),
    WeightFormat("int4_asym", 16),
    WeightFormat("int4_sym"),
    WeightFormat("int2_sym", 16),
    WeightFormat("nf4", 16),
    WeightFormat("fp4", 16),
    WeightFormat("cb4", 16),
    WeightFormat("mxfp4", 32),
]
Float = NDArray[np.float32]


def _tokens(length: int, count: int, seed: int = 0) -> Float:
    """Tokens whose columns go together, and differ in size."""
    rng = np.random.default_rng(seed)
    mixed = rng.normal(0, 1, (count, length)) @ (np.eye(length) + rng.normal(0, 0.5, (length, length)) / length**0.5)
    return (mixed * np.exp(rng.normal(0, 1, length))).astype(np.float32)


def _gram(tokens: Float) -> Float:
    return (tokens.T @ tokens / np.float32(len(tokens))).astype(np.float32)


def _weight(outputs: int, length: int, seed: int = 1) -> Float:
    return np.random.default_rng(seed).normal(0, 0.1, (outputs, length)).astype(np.float32)


def _column_by_column(weight: Float, gram: Float, damping: float, scale: Float, order: NDArray[np.intp]) -> Float:
    """GPTQ as its paper tells it, in double precision."""
    hessian = gram.astype(np.float64)
    hessian += np.eye(len(gram)) * damping * hessian.diagonal().mean()
    inverse = np.linalg.inv(hessian[np.ix_(order, order)])
    upper = np.linalg.cholesky(inverse).T
    left = weight[:, order].astype(np.float64)
    steps = np.repeat(scale, weight.shape[1] // scale.shape[1], axis=1)[:, order].astype(np.float64)
    rounded = np.empty_like(left)
    for column in range(left.shape[1]):
        rounded[:, column] = np.clip(np.rint(left[:, column] / steps[:, column]), -8, 7) * steps[:, column]
        error = (left[:, column] - rounded[:, column]) / upper[column, column]
        left[:, column + 1 :] -= np.outer(error, upper[column, column + 1 :])
    result = np.empty_like(rounded)
    result[:, order] = rounded
    return result.astype(np.float32)


@pytest.mark.parametrize("length", [48, 160, 200])
def test_blocks_give_what_a_loop_over_columns_gives(length: int) -> None:
    form, gram, weight = WeightFormat("int4_sym", 8), _gram(_tokens(length, 300)), _weight(20, length)
    scale, _ = scales_of(weight, form)
    passed = factor(gram, 0.05)
    found = compensated(weight, passed, grid(form, scale, None, passed, length))
    expected = _column_by_column(weight, gram, 0.05, scale, passed.order)
    same = np.isclose(found, expected, rtol=1e-5, atol=1e-7)
    # A number that lies between two levels may go either way in single precision, and takes later ones with it.
    assert same.all(axis=1).mean() > 0.8
    assert layer_error(found - weight, gram).sum() == pytest.approx(
        layer_error(expected - weight, gram).sum(), rel=0.02
    )


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**31), st.sampled_from(FORMATS), st.integers(1, 40))
def test_no_output_is_worse_than_rounded_to_the_nearest_numbers(seed: int, form: WeightFormat, count: int) -> None:
    tokens, weight = _tokens(32, count, seed), _weight(6, 32, seed)
    gram = _gram(tokens)
    found = decode(round_by_gram(weight, form, gram, factor(gram, usual_damping(32, count))))
    plain = decode(encode(weight, form, (1,)))

    def error(rounded: Float) -> NDArray[np.float64]:
        return np.square(tokens.astype(np.float64) @ (rounded - weight).T).mean(axis=0)

    assert (error(found) <= error(plain) * 1.001 + 1e-9).all()


@pytest.mark.parametrize("form", FORMATS, ids=str)
def test_the_error_on_the_tokens_is_much_smaller(form: WeightFormat) -> None:
    gram, weight = _gram(_tokens(64, 500)), _weight(40, 64)
    found = decode(round_by_gram(weight, form, gram, factor(gram, 0.01)))
    plain = decode(encode(weight, form, (1,)))
    assert layer_error(found - weight, gram).sum() < 0.7 * layer_error(plain - weight, gram).sum()


def test_the_error_of_a_layer_follows_from_the_products() -> None:
    tokens, weight = _tokens(24, 90), _weight(7, 24)
    difference = _weight(7, 24, 9) - weight
    on_tokens = np.square(tokens.astype(np.float64) @ difference.T).mean(axis=0)
    np.testing.assert_allclose(layer_error(difference, _gram(tokens)), on_tokens, rtol=1e-4)


def test_searched_scales_lower_the_weighted_error() -> None:
    weight, importance = _weight(30, 64), np.exp(np.random.default_rng(3).normal(0, 1, 64)).astype(np.float32)
    for form in (WeightFormat("int4_sym", 16), WeightFormat("int4_asym", 16), WeightFormat("nf4", 16)):
        plain = encode(weight, form, (1,))
        scale, zero = search_scales(weight, importance, form, *scales_of(weight, form))
        stored = None if zero is None else zero.astype(np.uint8)[..., None]
        found = encode(weight, form, (1,), scale=scale[..., None], zero_point=stored)
        errors = [(np.square(decode(encoded) - weight) * importance).sum() for encoded in (plain, found)]
        assert errors[1] < 0.93 * errors[0]


def test_a_weight_with_its_reduced_axis_first_gets_the_same_numbers() -> None:
    gram, weight = _gram(_tokens(32, 100)), _weight(10, 32)
    passed = factor(gram, 0.05)
    for form in (WeightFormat("int4_asym", 16), WeightFormat("int4_sym")):
        rounding = lambda part, own: round_by_gram(part, own, gram, passed)  # noqa: E731
        usual = by_rows(weight, form, 1, rounding)
        turned = by_rows(np.ascontiguousarray(weight.T), form, 0, rounding)
        np.testing.assert_array_equal(decode(turned), decode(usual).T)
        layout = encode(np.ascontiguousarray(weight.T), form, (0,))
        assert (turned.shape, turned.axes, turned.numbers.shape) == (layout.shape, layout.axes, layout.numbers.shape)
        assert turned.scale.shape == layout.scale.shape


@pytest.mark.parametrize("axis", [0, 1])
def test_parts_of_a_weight_get_the_numbers_that_the_whole_one_gets(axis: int, monkeypatch: pytest.MonkeyPatch) -> None:
    gram, weight = _gram(_tokens(32, 100)), _weight(37, 32)
    weight, passed = weight if axis else np.ascontiguousarray(weight.T), factor(gram, 0.05)
    for form in (WeightFormat("int4_asym", 16), WeightFormat("nf4")):
        found = []
        for numbers in (1 << 20, 200):
            monkeypatch.setattr(_layer, "_PART", numbers)
            rounded = by_rows(weight, form, axis, lambda part, own: round_by_gram(part, own, gram, passed))
            found.append((decode(rounded), rounding_error(weight, rounded, (axis,), gram)))
        np.testing.assert_array_equal(found[0][0], found[1][0])
        assert found[0][1] == pytest.approx(found[1][1], rel=1e-5)


def test_columns_that_no_token_has_and_silent_activations_are_rounded_to_the_nearest() -> None:
    form, weight = WeightFormat("int4_sym", 16), _weight(5, 32)
    silent = np.zeros((32, 32), np.float32)
    found = round_by_gram(weight, form, silent, factor(silent, 0.05), search=False)
    np.testing.assert_array_equal(decode(found), decode(encode(weight, form, (1,))))
    tokens = _tokens(32, 50)
    tokens[:, :16] = 0
    half = _gram(tokens)
    assert np.isfinite(decode(round_by_gram(weight, form, half, factor(half, 0.05)))).all()


def test_products_too_large_for_single_precision_are_refused() -> None:
    large = np.full((16, 16), np.inf, np.float32)
    with pytest.raises(ValueError, match="too large for single precision"):
        factor(large, 0.05)


def test_numbers_that_are_not_finite_are_refused() -> None:
    weight = _weight(4, 16)
    weight[1, 2] = np.nan
    with pytest.raises(ValueError, match="not finite"):
        by_rows(weight, WeightFormat("int4_sym", 16), 1, lambda part, form: encode(part, form, (1,)))
