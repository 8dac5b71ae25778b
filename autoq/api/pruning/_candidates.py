"""Pruned models of one model: made by how many channels their groups keep, and compared with it by outputs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import openvino as ov
from numpy.typing import NDArray

from autoq.api.pruning._settings import PruningSettings
from autoq.calibration import Activation, Feed, Grams, ModelInputs
from autoq.core import DistortionMeasure, ModelError, PruningMethod, Repair, ResetState, quoted
from autoq.evaluation.device import Outputs, RuntimeConfig
from autoq.evaluation.distortion import F32Runner, distortion
from autoq.graph import ChannelGraph
from autoq.report import progress_bar
from autoq.transform import (
    ChannelScores,
    KeptCounts,
    distances,
    interpolative_scores,
    magnitudes,
    pruned_at_once,
    remove_channels,
    removed_channels,
    repair_in_turn,
    without_inner,
)

# Inputs by which models are compared.
_COMPARED = 128


@dataclass(frozen=True)
class PrunedModels:
    """What pruned models of one model are made of.

    Attributes:
        model: The float model; never modified.
        graph: Its channels.
        settings: How it is pruned.
        activations: What layers read.
        grams: Products of these.
        inputs: Calibration data; None without.
        reset_state: When the state of a model is reset.
        progress: Whether bars are shown.
    """

    model: ov.Model
    graph: ChannelGraph
    settings: PruningSettings
    activations: Mapping[str, Activation]
    grams: Grams
    inputs: ModelInputs | None
    reset_state: ResetState
    progress: bool

    @cached_property
    def _scores(self) -> ChannelScores:
        match self.settings.method:
            case PruningMethod.MAGNITUDE:
                return magnitudes(self.model, self.graph)
            case PruningMethod.FPGM:
                return distances(self.model, self.graph)
            case PruningMethod.INTERPOLATIVE:
                return interpolative_scores(self.model, self.graph, self.activations, self.grams)

    def removed(self, counts: KeptCounts) -> list[int]:
        """Numbers of the channels that go."""
        return removed_channels(self.graph, without_inner(self.graph, counts), self._scores)

    def left(self, counts: KeptCounts) -> float:
        """Share of the multiplications that is left."""
        return self.graph.products_left(self.removed(counts))

    def quick(self, counts: KeptCounts) -> ov.Model:
        """The model with so many channels, repaired as far as that takes no run."""
        removed = self.removed(counts)
        if self.settings.repair is Repair.NONE:
            return remove_channels(self.model, self.graph, removed)
        return pruned_at_once(self.model, self.graph, removed, self.activations, self.grams)

    def whole(self, counts: KeptCounts, samples: int | None = None) -> ov.Model:
        """The model with so many channels, repaired.

        Args:
            counts: How many channels groups keep.
            samples: Number of samples that layers are fitted to in turn; all by default.
        """
        pruned = self.quick(counts)
        if self.settings.repair is Repair.SEQUENTIAL and self.inputs is not None:
            with progress_bar("repairing layers", shown=self.progress) as step:
                repair_in_turn(
                    pruned,
                    self.model,
                    self.graph,
                    self.removed(counts),
                    self.inputs,
                    subset_size=samples or self.settings.subset_size,
                    reset_state=self.reset_state,
                    progress=step,
                )
        return pruned

    @property
    def sample(self) -> Feed:
        """What models are timed with: the first sample; nothing without data, with which none is timed."""
        return {} if self.inputs is None else self.inputs[0]

    @cached_property
    def _feeds(self) -> list[Feed]:
        """The last samples: those that layers are not fitted to while widths are compared."""
        if self.inputs is None:
            return []
        count = self.inputs.at_most(self.settings.subset_size)
        return [self.inputs[place] for place in range(self._first, min(count, len(self.inputs)))]

    @property
    def _first(self) -> int:
        """Number of the first one of them."""
        return 0 if self.inputs is None else max(self.inputs.at_most(self.settings.subset_size) - _COMPARED, 0)

    @cached_property
    def _expected(self) -> Outputs:
        found = self._outputs(self.model)
        for number, outputs in enumerate(found):
            for result, values in zip(self.model.get_results(), outputs, strict=True):
                if not _has_squares(values):
                    given_by = result.input_value(0).get_node().get_friendly_name()
                    way = "" if self.settings.latency is not None else ", or pass widths='equal'"
                    msg = (
                        f"the model computes NaN, infinity, or numbers whose squares are too large for single "
                        f"precision, at output {quoted(given_by)} on calibration sample {self._first + number}: "
                        f"widths cannot be chosen by how near outputs are to those. Check the data and the model{way}."
                    )
                    raise ModelError(msg)
        return found

    def _outputs(self, model: ov.Model) -> Outputs:
        return F32Runner(RuntimeConfig(reset_state=self.reset_state)).outputs(model, self._feeds)

    def distortion(self, model: ov.Model, last: int | None = None) -> float:
        """How far the outputs of a model are from those of the float model; infinite where they are no numbers.

        Args:
            model: The model.
            last: By how many of the last samples; by all that are compared by default.

        Raises:
            ModelError: Those of the float model are none.
        """
        start = 0 if last is None else -last
        expected, found = self._expected[start:], self._outputs(model)[start:]
        if not all(_has_squares(values) for outputs in found for values in outputs):
            return float("inf")
        return distortion(expected, found, DistortionMeasure.NMSE)


def _has_squares(values: NDArray[np.generic]) -> bool:
    """Whether values have a finite sum of squares."""
    flat = np.asarray(values, np.float32).reshape(-1)
    with np.errstate(over="ignore", invalid="ignore"):
        return bool(np.isfinite(np.dot(flat, flat)))
