"""Statistics of activations that are kept in a folder, and found again by digest."""

from __future__ import annotations

import hashlib
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
from autoq.core import ResetState, StoredFileError
from autoq.graph import model_digest

logger = logging.getLogger(__name__)


@contextmanager
def kept_grams(
    folder: Path | None,
    model: ov.Model,
    activations: Iterable[Activation],
    inputs: ModelInputs,
    *,
    products: Iterable[Activation] = (),
    blocks: Mapping[Activation, int] | None = None,
    subset_size: int = 128,
    precision: str = "f32",
    reset_state: ResetState = ResetState.SAMPLE,
    progress: Callable[[int, int], None] | None = None,
) -> Iterator[Grams]:
    """The statistics of `collected_grams`, from a folder where they are kept; otherwise the model runs, and they are.

    Args:
        folder: The folder; None keeps nothing.
        model: The float model; never modified.
        activations: The activations to observe.
        inputs: The data; with a folder, they are read twice.
        products: Those of the activations whose products are kept.
        blocks: Those of which only products of columns that stand together are kept, with the length of their blocks.
        subset_size: Number of samples used, from the first one; all if there are fewer.
        precision: Precision that the model computes in.
        reset_state: When the state of a model is reset.
        progress: Called with the numbers of samples done and of all samples.

    Yields:
        Statistics, which are gone at the end of the context.

    Raises:
        ModelError: The model computes NaN or infinity.
        DeviceError: The device refuses the model.
        OutputError: The folder cannot be written to.
    """
    observed, wanted, partly = list(dict.fromkeys(activations)), frozenset(products), dict(blocks or {})
    path = None
    if folder is not None:
        digests = model_digest(model), inputs_digest(inputs, subset_size)
        said = [(*_told(one), one in wanted, partly.get(one, 0)) for one in sorted(observed)]
        run = statistics_digest(*digests, subset_size, precision, reset_state)
        path = folder / f"activations-{hashlib.blake2b(f'{run}|{said}'.encode(), digest_size=16).hexdigest()}"
        if (kept := _kept(path)) is not None:
            logger.debug("statistics of %d activations are read from %s", len(observed), path)
            yield kept
            return
    with collected_grams(
        model,
        observed,
        inputs,
        products=wanted,
        blocks=partly,
        subset_size=subset_size,
        precision=precision,
        reset_state=reset_state,
        progress=progress,
    ) as grams:
        if path is not None:
            save_grams(grams, path)
        yield grams


def _told(one: Activation) -> tuple[object, ...]:
    return one.tensor.producer, one.tensor.port, one.axis, one.matrices, one.matrix


def _kept(path: Path) -> Grams | None:
    if not path.exists():
        return None
    try:
        return load_grams(path)
    except StoredFileError as error:
        warnings.warn(f"statistics are collected again: {error}", stacklevel=4)
        return None
