"""The cases of the benchmarks: the experiments beside this folder, each with its model, its data and its metric."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import openvino as ov
from _lines import Lines

from autoq.calibration import Feed, as_inputs
from autoq.config import ExperimentConfig
from autoq.core import ConfigError, nearest
from autoq.evaluation.device import RuntimeConfig
from autoq.evaluation.metrics import Metric, apply_metric, resolve_metric
from autoq.evaluation.scoring import Scores, ValidationSet, score

EXPERIMENTS = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Case:
    """An experiment as a benchmark sees it.

    Attributes:
        name: Of the experiment.
        given: Arguments of `autoq.search`.
    """

    name: str
    given: dict[str, Any]

    @property
    def path(self) -> Path:
        """The float model's file."""
        return Path(self.given["model"])

    @property
    def model_type(self) -> str | None:
        """What `autoq.search` calls it: None for convolutional nets."""
        return self.given["model_type"]

    @property
    def convolutional(self) -> bool:
        """Whether goals for convolutional nets apply."""
        return self.model_type is None

    @property
    def metric(self) -> Metric:
        """What scores the outputs."""
        return resolve_metric(self.given["metric"])

    @cached_property
    def model(self) -> ov.Model:
        """The float model."""
        return ov.Core().read_model(self.path)

    def calibration(self, count: int) -> list[Any]:
        """Calibration samples, each as both tools take one inference."""
        data = self.given["calibration"]
        return [data[i : i + 1] if isinstance(data, np.ndarray) else data[i] for i in range(min(count, len(data)))]

    def sample(self) -> Feed:
        """The input that latency is measured on."""
        given = self.given["sample"]
        return as_inputs(self.model, self.calibration(1) if given is None else [given])[0]

    def validation(self, count: int | None = None) -> ValidationSet:
        """Labelled data that a search would score on, or the first of them."""
        return self._pairs("validation", count)

    def held_out(self, count: int | None = None) -> ValidationSet:
        """Labelled data that no search sees, or the first of them."""
        return self._pairs("holdout", count)

    def labelled(self) -> list[tuple[Feed, Any]]:
        """All labelled data, held-out ones included."""
        return [*self.validation(), *self.held_out()]

    def validate(self, compiled: ov.CompiledModel, items: Iterable[Any]) -> tuple[float, list[float]]:
        """The metric as a validation function of NNCF's: mean, and the score of each item."""
        scores: list[float] = []
        for inputs, target in items:
            outputs = list(compiled(inputs).values())
            scores.append(float(apply_metric(self.metric, [outputs], [target], len(scores))[0]))
        return float(np.mean(scores)), scores

    def score(self, model: ov.Model, runtime: RuntimeConfig, count: int | None = None) -> Scores:
        """Per-sample scores on all labelled data, held-out ones included, or on the first `count`."""
        compiled = runtime.with_hint("THROUGHPUT").compile(model)
        parts = [self.validation(count)]
        if count is None:
            parts.append(self.held_out())
        return np.concatenate([score(compiled, part, self.metric) for part in parts])

    def _pairs(self, name: str, count: int | None) -> ValidationSet:
        pairs = ValidationSet.of(self.model, self.given[name])
        return pairs if count is None else ValidationSet.of(self.model, list(islice(pairs, count)))


def load(name: str) -> Case:
    """A case by name; models that are not shipped are found in AUTOQ_ZOO.

    Raises:
        ConfigError: There is no such case, or its model is not here.
    """
    file = EXPERIMENTS / f"{name}.yaml"
    if not file.exists():
        msg = f"case {name!r} is unknown: {nearest(name, [path.stem for path in EXPERIMENTS.glob('*.yaml')])}"
        raise ConfigError(msg)
    config = ExperimentConfig.load(file)
    if not Path(EXPERIMENTS, config.model).exists():
        msg = f"case {name!r}: its model {config.model!r} is not here."
        raise ConfigError(msg)
    return Case(name, config.search_arguments())


def cases(names: Sequence[str], usual: Sequence[str] = ()) -> Iterator[Case]:
    """The named cases; without names the usual ones, or all, whose model is here."""
    for name in names or usual or sorted(path.stem for path in EXPERIMENTS.glob("*.yaml")):
        try:
            yield load(name)
        except ConfigError:
            if names:
                raise


class Compare(Protocol):
    """Prints the figures of one case of a benchmark."""

    def __call__(self, case: Case, lines: Lines, *, quick: bool) -> None:
        """Prints them."""


def run(benchmark: str, description: str | None, compare: Compare) -> None:
    """Runs a benchmark over the cases that the command line names; the process ends with its status."""
    options = arguments(description)
    lines = Lines(benchmark)
    for case in cases(options.cases):
        compare(case, lines, quick=options.quick)
    lines.finish()


def run_over(
    benchmark: str, options: argparse.Namespace, usual: Sequence[str], compare: Callable[[Case, Lines, Any], None]
) -> None:
    """Runs a benchmark with options of its own over the cases that it was told, or its usual ones; ends the process."""
    lines = Lines(benchmark)
    for case in cases(options.cases, usual):
        compare(case, lines, options)
    lines.finish()


def arguments(description: str | None) -> argparse.Namespace:
    """What the command line of a benchmark says."""
    return parser(description).parse_args()


def parser(description: str | None) -> argparse.ArgumentParser:
    """Command line of a benchmark: case names, and --quick for a smoke test of itself."""
    command = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    command.add_argument("cases", nargs="*", help="names of experiments; all that are here by default")
    command.add_argument("--quick", action="store_true", help="few samples, no goals")
    return command
