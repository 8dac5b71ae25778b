"""Inference over many samples, several at a time."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from typing import Any

import openvino as ov

from autoq.core import ResetState

# Beyond what the device works on at a time, so that none of it waits while a result is taken.
_AHEAD = 2


def infer_all(
    compiled: ov.CompiledModel,
    feeds: Iterable[Any],
    take: Callable[[ov.InferRequest], None],
    *,
    reset_state: ResetState = ResetState.SAMPLE,
) -> None:
    """Runs inferences and hands over each finished request, in the order of the inputs.

    One thread starts and takes: callbacks would run in threads of the device's, and fight with it for the interpreter.

    Args:
        compiled: The model.
        feeds: Inputs, each as OpenVINO takes it; read as they are needed.
        take: Is given a finished request, and copies what it wants to keep.
        reset_state: When a model with state forgets it; where it never does, one inference runs at a time.

    Raises:
        RuntimeError: An inference fails.
    """
    most = int(compiled.get_property("OPTIMAL_NUMBER_OF_INFER_REQUESTS")) + _AHEAD
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
