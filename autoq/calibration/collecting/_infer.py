"""Inference over many samples, several at a time."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from typing import Any

import openvino as ov

from autoq.core import ResetState

# Requests beyond the number that the device works on at a time, so that it need not wait while a result is taken.
_AHEAD = 2


def infer_all(
    compiled: ov.CompiledModel,
    feeds: Iterable[Any],
    take: Callable[[ov.InferRequest], None],
    *,
    reset_state: ResetState = ResetState.SAMPLE,
    ahead: int = _AHEAD,
) -> None:
    """Runs inferences, and passes on each finished request in the order of the inputs.

    One thread starts requests and takes results. Callbacks would run in the device's threads, which would then wait for
    the interpreter.

    Args:
        compiled: The model.
        feeds: Inputs, each as OpenVINO takes it. They are read when they are needed.
        take: Gets a finished request, and copies the results that it keeps.
        reset_state: When the state of a model is reset; if never, only one inference runs at a time.
        ahead: Requests beyond the number that the device works on at a time. Each holds its outputs.

    Raises:
        RuntimeError: An inference fails.
    """
    most = int(compiled.get_property("OPTIMAL_NUMBER_OF_INFER_REQUESTS")) + ahead
    running: deque[ov.InferRequest] = deque()
    stateful = False
    for feed in feeds:
        if len(running) < most:
            request = compiled.create_infer_request()
            stateful = stateful or bool(request.query_state())
            if stateful and reset_state is ResetState.NEVER:
                most = 1
        else:
            request = running.popleft()
            request.wait()
            take(request)
        if stateful and reset_state is ResetState.SAMPLE:
            request.reset_state()
        request.start_async(feed)
        running.append(request)
    for request in running:
        request.wait()
        take(request)
