"""Statistics of activations that are kept in a folder, and found again by what was asked for."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import openvino as ov

from autoq.calibration.collecting._grams import collected_grams
from autoq.calibration.sources import ModelInputs
from autoq.calibration.statistics import (
    Activation,
    Grams,
    inputs_digest,
    load_grams,
    save_grams,
    statistics_digest,
)
from autoq.core import DataError, ResetState, StoredFileError, digest_of
from autoq.graph import model_digest

logger = logging.getLogger(__name__)


@contextmanager
def kept_grams(
    folder: Path | None,
    model: ov.Model,
    activations: Iterable[Activation],
    inputs: ModelInputs | None,
    *,
    products: Iterable[Activation] = (),
    blocks: Mapping[Activation, int] | None = None,
    subset_size: int = 128,
    precision: str = "f32",
    reset_state: ResetState = ResetState.SAMPLE,
    summarize: bool = True,
    is_own: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> Iterator[Grams]:
    """The statistics of `collected_grams`, from a folder where they are kept; otherwise the model runs, and they are.

    Args:
        folder: The folder; None keeps nothing.
        model: The float model; never modified.
        activations: The activations to observe.
        inputs: The data; with a folder that is not its own, they are read twice. None takes what
            the folder keeps, which is then its own.
        products: Those of the activations whose products are kept.
        blocks: Those of which only products of columns that stand together are kept, with the length of their blocks.
        subset_size: Number of samples used, from the first one; all if there are fewer.
        precision: Precision that the model computes in.
        reset_state: When the state of a model is reset.
        summarize: Whether the summaries of samples are kept.
        is_own: Whether the folder is for this model, these data and settings alone. Otherwise their digests tell what
            is kept for them.
        progress: Called with the numbers of samples done and of all samples.

    Yields:
        Statistics, which are gone at the end of the context.

    Raises:
        ModelError: The model computes NaN or infinity.
        DataError: There are no inputs, and the folder does not keep these statistics.
        DeviceError: The device refuses the model.
        StoredFileError: What the folder keeps is damaged, and there are no inputs.
        OutputError: The folder cannot be written to.
    """
    observed, wanted, partly = list(dict.fromkeys(activations)), frozenset(products), dict(blocks or {})
    path = None
    if folder is not None:
        said = [[*_told(one), one in wanted, partly.get(one, 0)] for one in sorted(observed)]
        run = ""
        if inputs is not None and not is_own:
            digests = model_digest(model), inputs_digest(inputs, subset_size)
            run = statistics_digest(*digests, subset_size, precision, reset_state)
        path = folder / f"activations-{digest_of([run, said, summarize])}"
        if (kept := _kept(path, again=inputs is not None)) is not None:
            logger.debug("statistics of %d activations are read from %s", len(observed), path)
            yield kept
            return
    if inputs is None:
        msg = f"{folder} keeps no such statistics of activations: they cannot be collected again without data."
        raise DataError(msg)
    with collected_grams(
        model,
        observed,
        inputs,
        products=wanted,
        blocks=partly,
        subset_size=subset_size,
        precision=precision,
        reset_state=reset_state,
        summarize=summarize,
        progress=progress,
    ) as grams:
        if path is not None:
            save_grams(grams, path)
        yield grams


def _told(one: Activation) -> tuple[str, int, int, int, int]:
    return one.tensor.producer, one.tensor.port, one.axis, one.matrices, one.matrix


def _kept(path: Path, *, again: bool) -> Grams | None:
    """What a folder keeps; None if it is not there, or is damaged and can be collected again."""
    if not path.exists():
        return None
    try:
        return load_grams(path)
    except StoredFileError as error:
        if not again:
            raise
        warnings.warn(f"statistics of activations are collected again: {error}", stacklevel=4)
        return None
