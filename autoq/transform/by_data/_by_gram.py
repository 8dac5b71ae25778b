"""Rounds a weight for the least error of its layer, by the products of all tokens that it is multiplied by.

1. Scales, and zero points, are searched for the squared error weighted by the mean square of each column.
2. Columns are rounded one after the other, those with the largest activations first; each takes over the errors of
   those before as far as tokens let it (`_compensation`). As scales are known before, columns may come in any order.
3. An output that is worse so than rounded to the nearest numbers, which the products tell exactly, takes those.

The damping follows from the number of tokens: the error on the given tokens would always choose none, and the fewer
there are, the less of what is gained on them holds for others.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from autoq.core import FloatArray, WeightFormat
from autoq.transform.by_data._compensation import compensated
from autoq.transform.by_data._factor import InverseFactor
from autoq.transform.by_data._layer import by_output, encoded_with
from autoq.transform.by_data._scale_search import search_scales
from autoq.transform.compress import Encoded, decode, encode, nearest_level


def round_by_gram(
    weight: FloatArray, form: WeightFormat, gram: FloatArray, factor: InverseFactor, *, search: bool = True
) -> Encoded:
    """Rounds a weight; no output gets a larger error on the tokens than by rounding to the nearest numbers.

    Args:
        weight: float32 [O, I]; never modified.
        form: A format with one level of scales.
        gram: Mean over tokens of x x^T, [I, I].
        factor: How errors are passed on, of the same products.
        search: Whether scales are searched; otherwise they are those of rounding without data.

    Raises:
        ValueError: Groups do not fit.
    """
    plain = encode(weight, form, (1,))
    scale, zero = by_output(plain.scale, plain.zero_point)
    usual = decode(plain)
    found, zeros = scale, zero
    if search and form.scale_type == "f16":
        found, zeros = search_scales(weight, factor.importance, form, scale, zero)
    values = compensated(weight, factor, grid(form, found, zeros, factor, weight.shape[1]))
    # With the errors a and b, a G a - b G b is (a - b) G (a + b), since G is symmetric: one product instead of two.
    worse = np.einsum("oi,oi->o", (values - usual) @ gram, values + usual - 2 * weight) > 0
    if worse.any():
        values[worse] = usual[worse]
        found = np.where(worse[:, None], scale, found)
        zeros = zeros if zeros is None or zero is None else np.where(worse[:, None], zero, zeros)
    return encoded_with(values, form, found, zeros)


def grid(
    form: WeightFormat, scale: FloatArray, zero: FloatArray | None, factor: InverseFactor, length: int
) -> Callable[[slice, slice], Callable[[FloatArray], FloatArray]]:
    """The numbers that columns may be rounded to, in the order of rounding.

    Args:
        form: The format.
        scale: [O, G].
        zero: Zero points, [O, G], of formats that have them.
        factor: Tells the order.
        length: Numbers of an output.

    Returns:
        For the slice of places in that order and the slice of outputs, what rounds numbers [B, O].
    """
    groups = factor.order // (length // scale.shape[1])
    scales = np.ascontiguousarray(scale.T)
    zeros = None if zero is None else np.ascontiguousarray(zero.T)

    def of(places: slice, rows: slice) -> Callable[[FloatArray], FloatArray]:
        own = scales[groups[places], rows]
        shift = None if zeros is None else zeros[groups[places], rows]

        def rounded(values: FloatArray) -> FloatArray:
            levels = nearest_level(values / own, form, shift)
            levels *= own
            return levels

        return rounded

    return of
