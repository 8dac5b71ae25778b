"""Runs one quantization in a process of its own, so that its wall time and peak memory are its own."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Cost:
    """What one quantization took.

    Attributes:
        wall_s: Seconds inside the call, imports and reading of data left out.
        peak_bytes: Largest resident set of the process.
        rise_bytes: How much the call raised it.
    """

    wall_s: float
    peak_bytes: int
    rise_bytes: int


def quantize_in_child(tool: str, case: str, subset_size: int, out: Path, *, precision: str = "f32") -> Cost:
    """Quantizes a case with `autoq` or `nncf` and saves the model.

    Args:
        tool: "autoq" or "nncf".
        case: Name of the experiment.
        subset_size: Calibration samples used.
        out: Path of the quantized model.
        precision: What autoq computes statistics in.

    Raises:
        RuntimeError: The child failed; its error output is the message.
    """
    command = [sys.executable, __file__, tool, case, str(subset_size), str(out), precision]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(done.stderr[-3000:])
    return Cost(**json.loads(done.stdout.splitlines()[-1]))


def _peak() -> int:
    """Largest resident set so far; getrusage would count what the parent had before this program was loaded."""
    status = Path("/proc/self/status").read_text("ascii")
    (line,) = (line for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) * 1024


def _main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tool", choices=["autoq", "nncf"])
    parser.add_argument("case")
    parser.add_argument("subset_size", type=int)
    parser.add_argument("out", type=Path)
    parser.add_argument("precision", nargs="?", default="f32")
    arguments = parser.parse_args()

    import openvino as ov
    from _cases import load
    from _peer import quantize as nncf_quantize

    from autoq.api import quantize as autoq_quantize

    case = load(arguments.case)
    samples = case.calibration(arguments.subset_size)
    model = case.model
    before = _peak()
    started = time.perf_counter()
    if arguments.tool == "autoq":
        quantized = autoq_quantize(
            model,
            samples,
            subset_size=arguments.subset_size,
            model_type=case.model_type,
            precision=arguments.precision,
        )
    else:
        quantized = nncf_quantize(model, samples, subset_size=arguments.subset_size, model_type=case.model_type)
    wall_s = time.perf_counter() - started
    peak = _peak()
    ov.save_model(quantized, arguments.out, compress_to_fp16=False)
    print(json.dumps({"wall_s": wall_s, "peak_bytes": peak, "rise_bytes": peak - before}))


if __name__ == "__main__":
    _main()
