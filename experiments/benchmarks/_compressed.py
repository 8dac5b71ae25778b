"""Compresses the weights of a case in a process of its own, so that what it takes is its own."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Self


@dataclass(frozen=True, slots=True)
class Cost:
    """What one compression took.

    Attributes:
        wall_s: Seconds from the file to the saved model; imports and reading of data are left out.
        cpu_s: Seconds of all cores.
        rise_bytes: How much the memory of the process rose.
        own_bytes: The same without pages of files, which the system takes back when it needs them.
        size_bytes: Size of the saved weights.
    """

    wall_s: float
    cpu_s: float
    rise_bytes: int
    own_bytes: int
    size_bytes: int

    @classmethod
    def read(cls, text: str) -> Self:
        """Reads what `text` wrote."""
        return cls(**json.loads(text))

    @property
    def text(self) -> str:
        """The figures in a line."""
        return json.dumps({field.name: getattr(self, field.name) for field in fields(self)})


def compress_in_child(tool: str, case: str, settings: Mapping[str, Any], out: Path, *, samples: int = 0) -> Cost:
    """Compresses a case with `autoq` or `nncf`.

    Args:
        tool: "autoq" or "nncf".
        case: Name of the experiment.
        settings: Arguments of `compress_weights` as plain values; "plan" is a plan as `Plan.to_dict` gives it.
        out: Path of the compressed model.
        samples: Calibration samples that the dataset has; 0 compresses without data.

    Raises:
        RuntimeError: The child failed; its error output is the message.
    """
    command = [sys.executable, __file__, tool, case, json.dumps(settings), str(out), str(samples)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(done.stderr[-3000:])
    return Cost.read(done.stdout.splitlines()[-1])


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


def _autoq_work(path: Path, given: dict[str, Any], samples: list[Any], out: Path) -> Callable[[], None]:
    from autoq.api import compress_weights
    from autoq.core import Plan
    from autoq.export import save_model

    warnings.simplefilter("ignore")
    plan = Plan.from_dict(given.pop("plan")) if "plan" in given else None

    def work() -> None:
        dataset = samples or None
        save_model(compress_weights(path, plan=plan, dataset=dataset, progress=False, **given), out)

    return work


def _nncf_work(path: Path, given: dict[str, Any], samples: list[Any], out: Path) -> Callable[[], None]:
    import openvino as ov
    from _peer import compress_weights

    def work() -> None:
        model = compress_weights(ov.Core().read_model(path), samples, **given)
        ov.save_model(model, out, compress_to_fp16=False)

    return work


def _main(tool: str, name: str, settings: str, out: str, samples: str) -> None:
    from _cases import load

    case = load(name)
    make = {"autoq": _autoq_work, "nncf": _nncf_work}[tool]
    work = make(case.path, json.loads(settings), case.calibration(int(samples)), Path(out))
    with _watched("VmRSS") as rise, _watched("RssAnon") as own:
        wall, cpu = time.perf_counter(), time.process_time()
        work()
        cost = Cost(
            wall_s=time.perf_counter() - wall,
            cpu_s=time.process_time() - cpu,
            rise_bytes=rise(),
            own_bytes=own(),
            size_bytes=Path(out).with_suffix(".bin").stat().st_size,
        )
    print(cost.text)


if __name__ == "__main__":
    _main(*sys.argv[1:])
