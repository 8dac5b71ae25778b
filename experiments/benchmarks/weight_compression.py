"""Weights in few bits, beside `nncf.compress_weights`: time, memory and size.

Per case and setting, each in a process of its own and in turn, the model read and saved included: wall time, CPU time,
the rise of the memory above that of the process before (all of it, and without the pages of files, which the system
takes back when it needs them), and the size of the weights.

    python experiments/benchmarks/weight_compression.py [CASE ...] [--quick]
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from _cases import Case, arguments, cases
from _lines import Lines

USUAL = ("minilm_l6", "smollm2_135m")
SETTINGS: dict[str, dict[str, Any]] = {
    "int8_asym": {"mode": "int8_asym"},
    "int4_sym": {"mode": "int4_sym", "group_size": 64},
    "int4_asym_ratio_0.8": {"mode": "int4_asym", "group_size": 64, "ratio": 0.8},
    "nf4": {"mode": "nf4", "group_size": 64},
    "mxfp4": {"mode": "mxfp4"},
}


@dataclass(frozen=True, slots=True)
class Cost:
    """What one compression took.

    Attributes:
        wall_s: Seconds from the file to the saved model; imports are left out.
        cpu_s: Seconds of all cores.
        rise_bytes: How much the memory of the process rose.
        own_bytes: The same without pages of files.
        size_bytes: Size of the saved weights.
    """

    wall_s: float
    cpu_s: float
    rise_bytes: int
    own_bytes: int
    size_bytes: int


def compare(case: Case, lines: Lines, *, quick: bool) -> None:
    """Prints the figures of one case."""
    for name, settings in list(SETTINGS.items())[: 1 if quick else None]:
        costs = [
            (in_child("autoq", case, settings), in_child("nncf", case, settings)) for _ in range(1 if quick else 3)
        ]
        ours, theirs = zip(*costs, strict=True)
        large = case.path.with_suffix(".bin").stat().st_size > 2**27
        for figure, goal in (("wall_s", ">= 8"), ("cpu_s", ">= 8"), ("own_bytes", ">= 2"), ("rise_bytes", ">= 1")):
            values = [statistics.median(getattr(cost, figure) for cost in side) for side in (ours, theirs)]
            lines.figure(f"{case.name} {name}", figure, *values, goal=goal if large and not quick else None)
        lines.figure(
            f"{case.name} {name}",
            "size_bytes",
            ours[0].size_bytes,
            theirs[0].size_bytes,
            goal=None if quick else "0.999..1.001",
        )


def in_child(tool: str, case: Case, settings: dict[str, Any]) -> Cost:
    """Compresses a case with `autoq` or `nncf` in a process of its own.

    Raises:
        RuntimeError: The child failed; its error output is the message.
    """
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, __file__, tool, str(case.path), json.dumps(settings), folder]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(done.stderr[-3000:])
    return Cost(**json.loads(done.stdout.splitlines()[-1]))


def _memory(kind: str) -> int:
    status = Path("/proc/self/status").read_text("ascii")
    (line,) = (line for line in status.splitlines() if line.startswith(f"{kind}:"))
    return int(line.split()[1]) * 1024


@contextmanager
def _watched(kind: str) -> Iterator[Callable[[], int]]:
    """Gives the function that tells how much the memory of a kind rose at most."""
    before, done = _memory(kind), threading.Event()
    most = [before]

    def watch() -> None:
        while not done.wait(0.005):
            most[0] = max(most[0], _memory(kind))

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield lambda: most[0] - before
    finally:
        done.set()
        thread.join()


def _child(tool: str, path: str, settings: str, folder: str) -> None:
    import openvino as ov

    given, out = json.loads(settings), Path(folder) / "model.xml"
    if tool == "autoq":
        from autoq.api import compress_weights
        from autoq.export import save_model

        def work() -> None:
            save_model(compress_weights(path, progress=False, **given), out)
    else:
        import nncf

        mode = nncf.CompressWeightsMode(given.pop("mode"))

        def work() -> None:
            model = nncf.compress_weights(ov.Core().read_model(path), mode=mode, **given)
            ov.save_model(model, out, compress_to_fp16=False)

    with _watched("VmRSS") as rise, _watched("RssAnon") as own:
        wall, cpu = time.perf_counter(), time.process_time()
        work()
        cost = Cost(
            wall_s=time.perf_counter() - wall,
            cpu_s=time.process_time() - cpu,
            rise_bytes=rise(),
            own_bytes=own(),
            size_bytes=out.with_suffix(".bin").stat().st_size,
        )
    print(json.dumps({name: getattr(cost, name) for name in Cost.__slots__}))


def main() -> None:
    """Runs the benchmark over the cases that the command line names."""
    options = arguments(__doc__)
    lines = Lines("weight_compression")
    for case in cases(options.cases, USUAL):
        compare(case, lines, quick=options.quick)
    lines.finish()


if __name__ == "__main__":
    if len(sys.argv) == 5 and sys.argv[1] in {"autoq", "nncf"}:
        _child(*sys.argv[1:])
    else:
        main()
