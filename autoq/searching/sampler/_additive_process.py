"""The surrogate model of one objective: additive effects, and a Gaussian process for the rest.

    y = m + sum over blocks of columns @ weights + g + e + noise

| name  | meaning                                                                                   |
|-------|-------------------------------------------------------------------------------------------|
| m     | prior mean of a point                                                                     |
| g     | Gaussian process: its correlation falls with the number of parameters that differ, its    |
|       | amplitude depends on the point                                                            |
| e     | deviation of one point alone, independent of all others                                   |
| noise | measurement noise, whose standard deviation is known                                      |

The weights of a block have a normal prior with one scale. The scales maximize the posterior density under weak priors
(Rasmussen and Williams, "Gaussian Processes for Machine Learning", 2006, chapters 2.7, 5.4).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy import linalg, optimize

Floats = NDArray[np.float64]

_JITTER = 1e-6
# Standard deviation of the prior of the logarithm of a scale.
_PRIOR_SPREAD = 1.0
_BOUNDS = (-5.0, 3.0)
_MOST_STEPS = 40


@dataclass(frozen=True, slots=True)
class Design:
    """Points, as the surrogate model of one objective sees them.

    Attributes:
        mean: Prior mean, [n].
        blocks: Columns of each block, scaled so that the weights of a block are alike, [n, p] each.
        amplitude: Amplitude of g at each point, 0 to about 1, [n].
        coordinates: Coordinates of the points, [n, q]. The squared Euclidean distance between two points is the share
            of the parameters that differ.
    """

    mean: Floats
    blocks: tuple[Floats, ...]
    amplitude: Floats
    coordinates: Floats

    def correlated(self, other: Design, length_scale: float) -> Floats:
        """Kernel matrix of g for a scale of one, [n, m]."""
        squares = [np.sum(d.coordinates**2, axis=1) for d in (self, other)]
        distance = squares[0][:, None] + squares[1][None, :] - 2 * self.coordinates @ other.coordinates.T
        together = np.sqrt(np.outer(self.amplitude, other.amplitude))
        return np.asarray(together * np.exp(-np.maximum(distance, 0.0) / length_scale), np.float64)


@dataclass(frozen=True, slots=True)
class AdditiveProcess:
    """The posterior of the model, given data.

    Attributes:
        design: Of the data.
        scales: Of each block's weights, of g and of e.
        length_scale: Length scale of g, as a share of the parameters.
        y_scale: The divisor that was applied to y.
    """

    design: Design
    scales: Floats
    length_scale: float
    y_scale: float
    _factor: Floats
    _solved: Floats
    _residual: Floats
    _noise: Floats

    @classmethod
    def fit(
        cls,
        design: Design,
        y: Floats,
        noise: Floats,
        prior: Sequence[float],
        *,
        y_scale: float,
        length_scale: float = 0.3,
    ) -> Self:
        """Fits the scales to data.

        Args:
            design: Of the data.
            y: Values, [n].
            noise: Standard deviation of each, [n].
            prior: Expected scale of each block's weights, of g and of e, in units of `y_scale`.
            y_scale: A typical size of y.
            length_scale: Length scale of g, as a share of the parameters.
        """
        residual = (y - design.mean) / y_scale
        variances = (noise / y_scale) ** 2 + _JITTER
        kernels = [block @ block.T for block in design.blocks]
        kernels += [design.correlated(design, length_scale), np.eye(len(residual))]
        centre = np.log(np.asarray(prior, np.float64))

        def objective(logs: Floats) -> tuple[float, Floats]:
            scaled = [np.exp(2 * log) * kernel for log, kernel in zip(logs, kernels, strict=True)]
            factor = linalg.cholesky(sum(scaled) + np.diag(variances), lower=True)
            solved = linalg.cho_solve((factor, True), residual)
            inverse = linalg.cho_solve((factor, True), np.eye(len(residual)))
            away = (logs - centre) / _PRIOR_SPREAD
            value = 0.5 * residual @ solved + np.log(np.diag(factor)).sum() + 0.5 * away @ away
            outer = np.outer(solved, solved) - inverse
            slope = [-np.sum(outer * kernel) for kernel in scaled]
            return float(value), np.array(slope) + away / _PRIOR_SPREAD

        bounds = [(c + _BOUNDS[0], c + _BOUNDS[1]) for c in centre]
        steps = {"maxiter": _MOST_STEPS}
        # The stubs know no functions of plain float arrays.
        found = optimize.minimize(  # type: ignore[call-overload]
            objective, centre, jac=True, method="L-BFGS-B", bounds=bounds, options=steps
        )
        scales = np.exp(found.x)
        covariance = sum(s**2 * kernel for s, kernel in zip(scales, kernels, strict=True)) + np.diag(variances)
        factor = linalg.cholesky(covariance, lower=True)
        solved = linalg.cho_solve((factor, True), residual)
        return cls(design, scales, length_scale, y_scale, factor, solved, residual, variances + scales[-1] ** 2)

    def predict(self, design: Design) -> tuple[Floats, Floats]:
        """Posterior mean and standard deviation at some points, without e and noise, [n] each."""
        blocks = zip(self.scales[:-2], design.blocks, self.design.blocks, strict=True)
        cross = sum(s**2 * own @ data.T for s, own, data in blocks)
        cross = cross + self.scales[-2] ** 2 * design.correlated(self.design, self.length_scale)
        prior = sum(s**2 * np.sum(block**2, axis=1) for s, block in zip(self.scales[:-2], design.blocks, strict=True))
        prior = prior + self.scales[-2] ** 2 * design.amplitude
        explained = linalg.solve_triangular(self._factor, cross.T, lower=True)
        variance = np.maximum(prior - np.sum(explained**2, axis=0), 0.0)
        return design.mean + self.y_scale * (cross @ self._solved), self.y_scale * np.sqrt(variance)

    def settled(self) -> tuple[Floats, Floats]:
        """Posterior mean and standard deviation of the data themselves, e included, without the noise, [n] each.

        With the covariance C of the noisy data and the noise variances S, the mean is y - S C^-1 (y - m), and the
        variance is the diagonal of S - S C^-1 S.
        """
        inverse = np.diag(linalg.cho_solve((self._factor, True), np.eye(len(self._solved))))
        noise = self._noise - self.scales[-1] ** 2
        mean = self.design.mean + self.y_scale * (self._residual - noise * self._solved)
        return mean, self.y_scale * np.sqrt(np.maximum(noise - noise**2 * inverse, 0.0))

    def leave_one_out(self) -> Floats:
        """Leave-one-out residuals: each value less its prediction from all other data, with the same scales, [n].

        The formula is equation 5.12 of Rasmussen and Williams.
        """
        inverse = linalg.cho_solve((self._factor, True), np.eye(len(self._solved)))
        return np.asarray(self.y_scale * self._solved / np.diag(inverse), np.float64)

    def draw_weights(self, rng: np.random.Generator, count: int) -> list[Floats]:
        """Draws the weights of each block from the posterior, [count, p] each, in the unit of y.

        A draw from the prior is corrected by the data (Matheron's rule).
        """
        n = len(self._residual)
        sizes = zip(self.scales[:-2], self.design.blocks, strict=True)
        drawn = [scale * rng.standard_normal((count, block.shape[1])) for scale, block in sizes]
        leftover = self.scales[-2] ** 2 * self.design.correlated(self.design, self.length_scale) + np.diag(self._noise)
        noise = rng.standard_normal((count, n)) @ linalg.cholesky(leftover, lower=True).T
        seen = sum(w @ block.T for w, block in zip(drawn, self.design.blocks, strict=True)) + noise
        moved = linalg.cho_solve((self._factor, True), (self._residual[None, :] - seen).T)
        return [
            self.y_scale * (w + s**2 * (block.T @ moved).T)
            for s, w, block in zip(self.scales[:-2], drawn, self.design.blocks, strict=True)
        ]
