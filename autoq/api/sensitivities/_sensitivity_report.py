"""The report of `autoq.sensitivity`: a table, a picture and an ignored scope."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from autoq.api.sensitivities._sensitivity_brief import sensitivity_html, sensitivity_lines
from autoq.api.sensitivities._sensitivity_plot import picture_of_sensitivity, plot_sensitivity
from autoq.api.sensitivities._unit_sensitivity import UnitSensitivity
from autoq.core import ConfigError, DistortionMeasure
from autoq.graph import IgnoredScope, QuantizationGraph

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

DEFAULT_SHARE = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class SensitivityReport:
    """Which parts of a model suffer from few bits.

    Attributes:
        units: The units, most sensitive first.
        interactions: For pairs of units where one reads the other: the distortion with both quantized minus the sum of
            each alone; the largest in size first.
        whole: Distortion with every unit quantized.
        inferences: Upper bound of the number of forward passes.
        measure: Measure of the distortions.
        scope: Operations that stayed in float throughout.
        place: Gives the places of quantizers under an ignored scope; None for weights or channels alone.
        cut_to: Share of its channels that a unit keeps; None where units are quantized.
    """

    units: tuple[UnitSensitivity, ...]
    interactions: Mapping[tuple[str, str], float]
    whole: float
    inferences: int
    measure: DistortionMeasure
    scope: IgnoredScope | None
    place: Callable[[IgnoredScope], QuantizationGraph] | None
    cut_to: float | None = None

    def __repr__(self) -> str:
        return "\n".join(sensitivity_lines(self))

    def _repr_html_(self) -> str:
        return sensitivity_html(self)

    def most_sensitive(
        self, *, share: float | None = None, count: int | None = None
    ) -> tuple[tuple[UnitSensitivity, ...], float]:
        """The units to leave in float, and the predicted share of the distortion that is left then.

        Args:
            share: Choose as few units as are predicted to leave at most this share of the whole distortion; 0.5 where
                neither argument is given.
            count: Choose this number of units.

        Raises:
            ConfigError: Both are given, or one makes no sense.
        """
        if share is not None and count is not None:
            msg = f"got both {share=} and {count=}: pass one of them."
            raise ConfigError(msg)
        # The share that is left with the k most sensitive units in float, for k from 0.
        left = [float(self.whole > 0), *(unit.left for unit in self.units)]
        if count is None:
            share = DEFAULT_SHARE if share is None else share
            if not 0 <= share <= 1:
                msg = f"share is {share}: it must be in [0, 1]."
                raise ConfigError(msg)
            count = next(k for k, value in enumerate(left) if value <= share)
        elif not 0 <= count <= len(self.units):
            msg = f"count is {count}: the model has {len(self.units)} units, and 0 to all of them may stay in float."
            raise ConfigError(msg)
        return self.units[:count], left[count]

    def ignored_scope(self, *, share: float | None = None, count: int | None = None) -> IgnoredScope:
        """The most sensitive units as an ignored scope for `autoq.quantize`, `autoq.compress_weights` or `autoq.prune`.

        It also has the operations that stayed in float throughout. And it has operations that would be quantized only
        because a unit is not, such as the readers of an embedding whose table stays in float: they were float in the
        measurements.

        Args:
            share: See `most_sensitive`.
            count: See `most_sensitive`.

        Raises:
            ConfigError: Both are given, or one makes no sense.
        """
        chosen, _ = self.most_sensitive(share=share, count=count)
        base = self.scope or IgnoredScope()
        known = {op for unit in self.units for op in unit.ops}
        names = [op for unit in chosen for op in unit.ops]
        while True:
            scope = replace(base, names=(*base.names, *names))
            if self.place is None:
                return scope
            new = [op for group in self.place(scope).groups for op in group.ops if op not in known]
            if not new:
                return scope
            names += new

    def to_pandas(self) -> pd.DataFrame:
        """One row per unit, most sensitive first."""
        import pandas as pd

        rows = [asdict(unit) for unit in self.units]
        others = [row.pop("others") for row in rows]
        return pd.DataFrame([row | other for row, other in zip(rows, others, strict=True)])

    def to_dict(self) -> dict[str, Any]:
        """The report as JSON values. An infinite distortion, where the device fails, is None."""
        rows = [_unit_dict(unit) for unit in self.units]
        return {
            "measure": str(self.measure),
            "whole": _plain(self.whole),
            "inferences": self.inferences,
            "units": rows,
            "interactions": [[*pair, value] for pair, value in self.interactions.items()],
        }

    def plot(self, ax: Axes | None = None, *, top: int = 20) -> Axes:
        """Draws the most sensitive units, and the distortion that is left where they stay in float.

        Args:
            ax: The axes to draw on; None makes a figure.
            top: Number of units.

        Returns:
            The axes of the bars.
        """
        return plot_sensitivity(self, ax, top=top)

    def picture(self, kind: str = "png", *, top: int = 20) -> bytes:
        """The drawing of `plot` as the content of a file.

        Args:
            kind: "png", "svg" or "pdf".
            top: Number of units.
        """
        return picture_of_sensitivity(self, kind, top=top)


def _unit_dict(unit: UnitSensitivity) -> dict[str, Any]:
    row = {key: _plain(value) for key, value in asdict(unit).items() if key != "others"}
    others = {precision: _plain(value) for precision, value in unit.others.items()}
    return row | ({"others": others} if others else {})


def _plain(value: Any) -> Any:  # any field of a unit
    return None if isinstance(value, float) and not math.isfinite(value) else value
