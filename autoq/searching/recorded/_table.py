"""A reduced space with measurements of all its plans: a search runs on it in place of a device."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from autoq.core import DataError, Format, read_arrays, write_arrays
from autoq.evaluation.latency import MIN_PAIRS, Conditions, Latency, ratio_of_pairs
from autoq.evaluation.scoring import Scores
from autoq.searching.recorded._recording import MEASURED, TIMES, Recording
from autoq.searching.recorded._reduced_space import ReducedSpace
from autoq.searching.recorded._score_table import ScoreTable
from autoq.searching.records import Part
from autoq.searching.sensitivity import Knowledge
from autoq.searching.space import SearchSpace
from autoq.transform import FLOAT_FINGERPRINT

# Arrays with one row for each plan, beside the scores.
_FORMAT = Format("a recorded table of candidates")
_ROWS = ("log_ratios", "times", "seconds", "size_bytes", "quantized_sites", "fingerprints")


@dataclass(frozen=True, kw_only=True)
class RecordedTable:
    """All plans of a reduced space, measured on one machine.

    Attributes:
        name: For people.
        space: The plans; all rows have their order.
        knowledge: Prior knowledge of the units.
        knowledge_s: Seconds of probing.
        max_drop: Accuracy budget, in the metric's unit.
        hardware: Fingerprint of the machine.
        compilation_sd: Standard deviation of the logarithm of the latency ratio over compilations of the float model.
        reference: Scores of the float model in f32, [samples].
        scores: Scores of each plan, [rows, samples].
        log_ratios: Logarithm of the ratio of each pair of bursts, float32, [rows, pairs]; NaN after the last pair.
        times: Quartiles and 90th percentile in ms, the baseline's median, inferences a second, float32, [rows, 5].
        seconds: Wall time of building, compiling, scoring and timing, float32, [rows, 4].
        size_bytes: Size of the weights, [rows].
        quantized_sites: Number of quantizers, [rows].
        fingerprints: Fingerprints of the models, [rows].
    """

    name: str
    space: ReducedSpace
    knowledge: Knowledge
    knowledge_s: float
    max_drop: float
    hardware: str
    compilation_sd: float
    reference: Scores
    scores: ScoreTable
    log_ratios: NDArray[np.float32]
    times: NDArray[np.float32]
    seconds: NDArray[np.float32]
    size_bytes: NDArray[np.int64]
    quantized_sites: NDArray[np.int64]
    fingerprints: NDArray[np.str_]

    def __post_init__(self) -> None:
        arrays = {name: len(getattr(self, name)) for name in ("scores", *_ROWS)}
        if set(arrays.values()) != {len(self.space)} or self.scores.codes.shape[1] != len(self.reference):
            msg = (
                f"table {self.name!r} of {len(self.space)} plans and {len(self.reference)} samples holds "
                f"{self.scores.codes.shape[1]} samples and {arrays} rows."
            )
            raise DataError(msg)

    @classmethod
    def of(
        cls,
        recordings: Sequence[Recording],
        *,
        name: str,
        space: ReducedSpace,
        knowledge: Knowledge,
        knowledge_s: float,
        max_drop: float,
        hardware: str,
        compilation_sd: float,
        reference: Scores,
    ) -> Self:
        """Makes a table from the recordings of all plans, in the order of the rows."""
        pairs = max(len(recording.latency.log_ratios) for recording in recordings)
        log_ratios = np.full((len(recordings), pairs), np.nan, np.float32)
        for row, recording in enumerate(recordings):
            log_ratios[row, : len(recording.latency.log_ratios)] = recording.latency.log_ratios
        return cls(
            name=name,
            space=space,
            knowledge=knowledge,
            knowledge_s=knowledge_s,
            max_drop=max_drop,
            hardware=hardware,
            compilation_sd=compilation_sd,
            reference=np.asarray(reference, np.float64),
            scores=ScoreTable.of(np.stack([recording.scores for recording in recordings])),
            log_ratios=log_ratios,
            times=np.array([[getattr(r.latency, time) for time in TIMES] for r in recordings], np.float32),
            seconds=np.array([[r.seconds[part] for part in MEASURED] for r in recordings], np.float32),
            size_bytes=np.array([r.size_bytes for r in recordings], np.int64),
            quantized_sites=np.array([r.quantized_sites for r in recordings], np.int64),
            fingerprints=np.array([r.fingerprint for r in recordings]),
        )

    @cached_property
    def drops(self) -> NDArray[np.float64]:
        """Accuracy drop of each plan, on all samples, [rows]."""
        return np.asarray(self.reference.mean() - self.scores.means)

    @cached_property
    def ratios(self) -> NDArray[np.float64]:
        """Latency ratio of each plan, from all bursts, [rows]; the float model has 1."""
        ratios = np.exp(np.nanmedian(self.log_ratios.astype(np.float64), axis=1))
        return np.where(self.fingerprints == FLOAT_FINGERPRINT, 1.0, ratios)

    def latency(self, row: int, *, briefly: bool = False) -> Latency:
        """Latency of a plan.

        Args:
            row: Row of the plan.
            briefly: Use only as many bursts as a timer runs at least.
        """
        log_ratios = self.log_ratios[row].astype(np.float64)
        log_ratios = log_ratios[~np.isnan(log_ratios)][: MIN_PAIRS if briefly else None]
        ratio = ratio_of_pairs(log_ratios, np.random.default_rng(0), compilation_sd=self.compilation_sd)
        times = dict(zip(TIMES, self.times[row].tolist(), strict=True))
        return Latency(
            ratio=ratio, bursts=len(log_ratios), conditions=Conditions(), log_ratios=tuple(log_ratios.tolist()), **times
        )

    def seconds_of(self, row: int, *, scored: float = 1.0, timed_briefly: bool = False) -> dict[str, float]:
        """Wall seconds of a plan by part.

        Args:
            row: Row of the plan.
            scored: Share of the samples that were scored. Compilation for scoring takes as long as that for timing.
            timed_briefly: Whether only the fewest bursts were run.
        """
        seconds: dict[str, float] = dict(zip(MEASURED, self.seconds[row].tolist(), strict=True))
        fixed = min(seconds[Part.COMPILE], seconds[Part.SCORE])
        seconds[Part.SCORE] = fixed + scored * (seconds[Part.SCORE] - fixed)
        if timed_briefly:
            seconds[Part.TIME] *= min(1.0, MIN_PAIRS / int(np.isfinite(self.log_ratios[row]).sum()))
        return seconds

    def save(self, path: str | Path) -> Path:
        """Writes the table into one compressed .npz file."""
        path = Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        about = {
            "name": self.name,
            "space": self.space.space.to_dict(),
            "units": {unit: list(groups) for unit, groups in self.space.units.items()},
            "knowledge": self.knowledge.to_dict(),
            "knowledge_s": self.knowledge_s,
            "max_drop": self.max_drop,
            "hardware": self.hardware,
            "compilation_sd": self.compilation_sd,
        }
        arrays: dict[str, Any] = {name: getattr(self, name) for name in ("reference", *_ROWS)}
        return write_arrays(path, _FORMAT, about, arrays | self.scores.to_arrays(), compress=True)

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Reads what `save` wrote.

        Raises:
            StoredFileError: It cannot be read, is damaged, or no recorded table of this version.
        """
        return read_arrays(Path(path), _FORMAT, cls._of_arrays)

    @classmethod
    def _of_arrays(cls, about: dict[str, Any], arrays: Mapping[str, NDArray[Any]]) -> Self:
        units = {unit: tuple(groups) for unit, groups in about.pop("units").items()}
        space = ReducedSpace(SearchSpace.load(about.pop("space")), units)
        knowledge = Knowledge.from_dict(about.pop("knowledge"))
        rows: dict[str, Any] = {name: arrays[name] for name in _ROWS}
        scores = ScoreTable.from_arrays(arrays)
        return cls(space=space, knowledge=knowledge, reference=arrays["reference"], scores=scores, **rows, **about)
