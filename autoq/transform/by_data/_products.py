"""What is computed of the products of an activation. Weights that read one activation share it."""

from __future__ import annotations

from autoq.calibration import Activation, Grams
from autoq.core import FloatArray
from autoq.transform.by_data._factor import InverseFactor, factor, usual_damping


class Products:
    """The products of one activation at a time, and their factor: memory holds no more than those asked for last.

    Args:
        grams: Statistics of activations.
    """

    def __init__(self, grams: Grams) -> None:
        self.grams = grams
        self._gram: tuple[Activation, FloatArray] | None = None
        self._factor: tuple[Activation, InverseFactor] | None = None

    def gram(self, activation: Activation) -> FloatArray:
        """Mean over tokens of x x^T, [I, I]; it must not be written to."""
        if self._gram is None or self._gram[0] != activation:
            self._gram = activation, self.grams.gram(activation)
        return self._gram[1]

    def factor(self, activation: Activation) -> InverseFactor:
        """How errors of rounding are passed on."""
        if self._factor is None or self._factor[0] != activation:
            self._factor = activation, self.factorized(self.gram(activation), activation)
        return self._factor[1]

    def factorized(self, gram: FloatArray, activation: Activation) -> InverseFactor:
        """How errors of rounding are passed on, of products that were scaled."""
        return factor(gram, usual_damping(len(gram), float(self.grams.tokens[activation].sum())))
