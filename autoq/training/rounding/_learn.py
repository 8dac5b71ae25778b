"""Learns how the weights of a model are rounded, block by block from the inputs to the outputs."""

from __future__ import annotations

import logging
import time

import numpy as np
import openvino as ov

from autoq.core import ModelError, quoted
from autoq.training.rounding._learner import RoundingLearner
from autoq.training.rounding._report import RoundingReport
from autoq.training.rounding._task import RoundingTask
from autoq.training.rounding._weights import QuantizedWeight, quantized_weights, with_rounded_weights
from autoq.training.tuning import (
    EXACT,
    HeldOutLoss,
    Runner,
    TrainingLoss,
    TrainingSamples,
    can_join,
    check_teacher,
    output_terms,
    torch_device,
    with_latent_weights,
    with_stored_weights,
)

_LOGGER = logging.getLogger(__name__)
# Fewer levels than weights of 8 bits have, of which those that might overflow use a half.
_MANY = 100
# What is kept of a limit of time for the last look, beside what the first one took.
_JUDGED = 1.5


def learn_levels(task: RoundingTask) -> tuple[ov.Model, RoundingReport]:
    """Learns the rounding of a model.

    1. All weights behind quantizers, or stored in integers, learn; where some have fewer than 8 bits, those alone.
    2. Each block learns to give what the float model gives in its place, from what the blocks before give it; the last
       one by the distance of the outputs.
    3. OpenVINO runs the result on samples that were held out from all of it: it is returned if it is better.

    Raises:
        ConfigError: PyTorch cannot compute on the device.
        DataError: There are too few samples.
        DeviceError: OpenVINO's device refuses a model.
        ModelError: No weight is rounded, the teacher has other inputs or outputs, or an operation cannot learn.
        OutputError: The checkpoint cannot be written.
        StoredFileError: The checkpoint is damaged, or belongs to another training.
    """
    begun, device = time.monotonic(), torch_device(task.device)
    check_teacher(task.model, task.teacher)
    samples = TrainingSamples.of(
        task.items,
        labelled=False,
        batch_size=task.batch_size,
        joined=len(task.items) > 0 and can_join([task.model, task.teacher], dict(task.items[0])),
        seed=task.seed,
    )
    chunks = list(samples.held_out_chunks())
    run = Runner(task.teacher, EXACT)
    reference = [run(chunk.feed) for chunk in chunks]
    judge = HeldOutLoss(chunks, reference, TrainingLoss(output_terms(reference, task.distance)))
    latent, stored = with_latent_weights(task.model, task.teacher)
    weights = _learning(latent, task.model)
    judged = time.monotonic()
    start = judge(task.model)
    # The result is judged in the same time.
    spent = begun - _JUDGED * (time.monotonic() - judged)
    learner = RoundingLearner(task, latent, weights, samples, judge, device, spent)
    rounded, blocks = learner.learned()
    made = with_rounded_weights(latent, weights, rounded)
    made = with_stored_weights(made, task.model, stored) if stored else made
    best = judge(made)
    changed = sum(int(np.count_nonzero(rounded[n].level != weights[n].given.level)) for n in rounded)
    share = changed / max(sum(rounded[name].level.size for name in rounded), 1)
    _LOGGER.debug("held out: %g before, %g after", start, best)
    if not best < start:
        return task.model.clone(), RoundingReport(start, start, blocks, 0.0, time.monotonic() - begun)
    return made, RoundingReport(start, best, blocks, share, time.monotonic() - begun)


def _learning(latent: ov.Model, model: ov.Model) -> dict[str, QuantizedWeight]:
    """The weights that learn."""
    found = quantized_weights(latent)
    if not found:
        msg = (
            f"model {quoted(model.get_friendly_name())} has no weights that are rounded to integers: pass what "
            "autoq.compress_weights or autoq.quantize gives."
        )
        raise ModelError(msg)
    short = {name: weight for name, weight in found.items() if weight.grid.levels < _MANY}
    return short or found
