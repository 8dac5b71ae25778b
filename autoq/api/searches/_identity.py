"""The identity of a study: two sessions with the same identity are one search."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

import numpy as np
import openvino as ov

from autoq.api.searches._request import SearchRequest
from autoq.core import digest_of
from autoq.evaluation.device import RuntimeConfig
from autoq.evaluation.scoring import ValidationSet
from autoq.searching.space import SearchSpace
from autoq.searching.study import as_digest

# The study keeps how many samples an earlier session had time to calibrate and to score on, where it had not all.
SAMPLES = "samples"
# Most samples whose inputs are read, evenly spread; and most labels that are read of data in memory.
_MOST_READ = 512
_MOST_HELD = 20_000


def study_identity(
    request: SearchRequest,
    *,
    digests: Mapping[str, str],
    space: SearchSpace,
    samples: int,
    float_mean: float,
    hardware: str,
) -> dict[str, Any]:
    """What two sessions must have in common for their trials to be comparable: JSON values by their names in messages.

    Args:
        request: The request of the search.
        digests: Digests of the model and of the calibration data.
        space: The space as it is searched on the device.
        samples: Number of samples that models are scored on.
        float_mean: Mean score of the float model.
        hardware: Fingerprint of the machine.
    """
    code = "the metric's code" if request.evaluate is None else "the evaluate function's code"
    return {
        **{name: as_digest(digest) for name, digest in digests.items()},
        "OpenVINO": ov.get_version(),
        "model_type": None if request.model_type is None else str(request.model_type),
        "target_device": str(request.target_device),
        "space": space.to_dict(),
        "metric": request.metric_name,
        code: as_digest(digest_of(request.scored_by)),
        "validation samples": samples,
        **_data("the labels", "the validation inputs", request.validation, request),
        **_data("the labels of the held-out data", "the held-out inputs", request.held_out, request),
        **request.wanted.identity(float_mean),
        "device": request.runtime.device,
        "runtime": _plain_runtime(request.runtime),
        "the timing sample": None if request.sample is None else as_digest(digest_of(request.sample)),
        "hardware": hardware,
    }


def _data(
    labels: str, inputs: str, data: Any, request: SearchRequest
) -> dict[str, Any]:  # pairs, or what a function takes
    """Digests of labels and inputs. Items of a user's function have one digest: only the function can separate them."""
    if data is None:
        return {labels: None, inputs: None}
    if not isinstance(data, ValidationSet):
        items = data if isinstance(data, Sequence) else list(data) if hasattr(data, "__len__") else [data]
        return {labels: as_digest(digest_of([digest_of(items[n]) for n in _spread(len(items), _MOST_READ)]))}
    looked_at = set(_spread(len(data), _MOST_READ))
    read = _spread(len(data), _MOST_HELD) if request.in_memory else sorted(looked_at)
    targets, feeds = [], []
    for number in read:
        feed, target = data[number]
        targets.append(digest_of(target))
        if number in looked_at:
            feeds.append(digest_of(feed))
    return {labels: as_digest(digest_of(targets)), inputs: as_digest(digest_of(feeds))}


def _spread(count: int, most: int) -> list[int]:
    """At most `most` numbers below `count`, evenly spread."""
    return sorted({int(number) for number in np.linspace(0, count - 1, min(count, most))})


def _plain_runtime(runtime: RuntimeConfig) -> dict[str, Any]:
    """Settings as JSON values, without the device."""
    values = {field.name: getattr(runtime, field.name) for field in fields(runtime) if field.name != "device"}
    return {
        name: {key: str(item) for key, item in value.items()} if isinstance(value, Mapping) else value
        for name, value in values.items()
    }
