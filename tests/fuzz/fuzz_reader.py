"""A process that reads models which may end it: a path a line comes in, stages and a verdict a line each go out."""

import contextlib
import json
import resource
import sys
import traceback
import warnings

import numpy as np
import openvino as ov

import autoq
from autoq.core import AutoqError
from autoq.graph import analyze, read_model

MOST_BYTES = 8 * 2**30
MOST_VALUES = 1_000_000


def samples(model: ov.Model) -> list[dict[str, np.ndarray]] | None:
    """Two inputs of zeros and ones; None where they would be too large."""
    feeds = []
    for fill in (0, 1):
        feed = {}
        for number, port in enumerate(model.inputs):
            shape = port.get_partial_shape()
            if shape.rank.is_dynamic:
                return None
            lengths = [length.get_length() if length.is_static else max(length.get_min_length(), 1) for length in shape]
            if np.prod([float(length) for length in lengths]) > MOST_VALUES:
                return None
            name = next(iter(sorted(port.get_names())), f"input {number}")
            feed[name] = np.full(lengths, fill, port.get_element_type().to_dtype())
        feeds.append(feed)
    return feeds


def told(stage: str, said: str = "") -> None:
    sys.stdout.write(json.dumps({"stage": stage, "said": said}) + "\n")
    sys.stdout.flush()


def judge(path: str) -> None:
    """Reads a model by OpenVINO, then by autoq, and does with it what a user does."""
    try:
        told("reading")
        with contextlib.suppress(Exception):
            ov.Core().read_model(path)
        told("read")
        model = read_model(path)
        told("placing")
        analyze(model)
        feeds = samples(model)
        if feeds is not None:
            told("quantizing")
            autoq.quantize(model, feeds, subset_size=2, progress=False)
    except AutoqError as error:
        told("refused", str(error))
    except Exception:  # noqa: BLE001  # a fault, which the test tells
        told("fault", traceback.format_exc())
    else:
        told("done")


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_AS, (MOST_BYTES, MOST_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    warnings.simplefilter("ignore")
    told("ready")
    for line in sys.stdin:
        judge(json.loads(line))
